package sigma

import (
	"slices"
	"strings"
)

// ExprOp is what an Expr is.
type ExprOp uint8

const (
	ExprLeaf ExprOp = iota // the match with the number Leaf
	ExprAnd                // all of Args
	ExprOr                 // any of Args
	ExprNot                // not the one of Args
)

// Expr is a node of what a rule asks. Nodes may be shared, and are never changed.
type Expr struct {
	Op   ExprOp
	Args []*Expr
	Leaf int // into Query.Leaves
}

// Query is a rule made ready: what it asks of an event.
type Query struct {
	Rule *Rule
	// When is what an event must be for the rule to be put to it at all (Rule.When); nil: any event.
	When *Expr
	Expr *Expr
	// Leaves are the questions, each once.
	Leaves   []Match
	matchers []*Matcher
}

// What one rule may ask.
const (
	MaxLeaves  = 100_000 // different questions
	MaxRegexes = 1000    // of them regular expressions
	MaxExpr    = 400_000 // nodes, shared ones counted as often as they are reached
)

// Compile makes a rule ready, or says everything that keeps it from being so, as Problems. A rule that compiles means exactly what it
// says: nothing in it is left out.
func (r *Rule) Compile() (*Query, error) {
	rep := &report{file: r.File, rule: r.Handle()}
	q := r.compile(rep)
	if rep.failed() {
		return nil, rep.sorted().err()
	}
	return q, nil
}

// Problems is everything that Compile would say, and what is doubtful besides.
func (r *Rule) Problems() Problems {
	rep := &report{file: r.File, rule: r.Handle()}
	r.compile(rep)
	return rep.sorted()
}

func (r *Rule) compile(rep *report) *Query {
	c := compiler{rule: r, r: rep, leaves: map[Match]int{}, q: &Query{Rule: r}}
	if t := r.Taxonomy; t != "" && !strings.EqualFold(t, "sigma") {
		rep.fail(r.Position, CodeTaxonomy, "the rule is written in the taxonomy %q: translate it by a pipeline that sets the taxonomy sigma", t)
	}
	all := []*Expr{c.clause(&r.Clause)}
	for i := range r.Also {
		all = append(all, c.clause(&r.Also[i]))
	}
	if rep.failed() {
		return nil
	}
	c.q.Expr = group(ExprAnd, all)
	if r.When != nil {
		c.q.When = c.clause(r.When)
	}
	if size(c.q.Expr, map[*Expr]int{}) > MaxExpr {
		rep.fail(r.Position, CodeSize, "the condition asks the same over and over, more than %d times: name each search identifier once", MaxExpr)
		return nil
	}
	return c.q
}

// size is how many nodes an evaluation may reach.
func size(e *Expr, known map[*Expr]int) int {
	if n, ok := known[e]; ok {
		return n
	}
	n := 1
	for _, a := range e.Args {
		n = min(n+size(a, known), MaxExpr+1)
	}
	known[e] = n
	return n
}

type compiler struct {
	rule    *Rule
	r       *report
	leaves  map[Match]int
	regexes int
	q       *Query
}

func (c *compiler) clause(cl *Clause) *Expr {
	named := make(map[string]*Expr, len(cl.Detections))
	names := make([]string, 0, len(cl.Detections))
	used := map[string]bool{}
	for i := range cl.Detections {
		d := &cl.Detections[i]
		named[d.Name] = c.detection(d)
		names = append(names, d.Name)
	}
	var any []*Expr
	for _, cond := range cl.Conditions {
		any = append(any, c.condition(cond, cond.root, named, names, used))
	}
	for i := range cl.Detections {
		if d := &cl.Detections[i]; !used[d.Name] && !strings.HasPrefix(d.Name, "_") {
			c.r.warn(d.Position, CodeUnused, "no condition uses the search identifier %q: use it, or leave it out", d.Name)
		}
	}
	return group(ExprOr, any)
}

func (c *compiler) condition(cond *Condition, n *node, named map[string]*Expr, names []string, used map[string]bool) *Expr {
	if n == nil {
		return nil
	}
	switch n.kind {
	case nodeName:
		e, ok := named[n.name]
		if !ok {
			c.r.fail(cond.Position, CodeReference, "the condition names %q, and there is no such search identifier: there are %s", n.name, strings.Join(names, ", "))
		}
		used[n.name] = true
		return e
	case nodeNot:
		return not(c.condition(cond, n.args[0], named, names, used))
	case nodeAnd, nodeOr:
		args := make([]*Expr, len(n.args))
		for i, a := range n.args {
			args[i] = c.condition(cond, a, named, names, used)
		}
		if n.kind == nodeAnd {
			return group(ExprAnd, args)
		}
		return group(ExprOr, args)
	}
	var args []*Expr
	for _, name := range names {
		if selects(n.name, name) {
			args = append(args, named[name])
			used[name] = true
		}
	}
	if len(args) == 0 {
		c.r.fail(cond.Position, CodeReference, "the condition names %q, and no search identifier is of that form: there are %s", n.name, strings.Join(names, ", "))
	}
	if n.kind == nodeAllOf {
		return group(ExprAnd, args)
	}
	return group(ExprOr, args)
}

func (c *compiler) detection(d *Detection) *Expr {
	var any []*Expr
	for i := range d.Any {
		var all []*Expr
		for j := range d.Any[i].Items {
			all = append(all, c.item(&d.Any[i].Items[j]))
		}
		any = append(any, group(ExprAnd, all))
	}
	return group(ExprOr, any)
}

func (c *compiler) item(it *Item) *Expr {
	d := it.read(c.rule.Placeholders, c.r)
	if d == nil {
		return nil
	}
	fields := it.Fields
	if len(fields) == 0 {
		fields = []string{""}
	}
	var any []*Expr
	for _, field := range fields {
		var values []*Expr
		for i := range d.values {
			values = append(values, c.value(d, &d.values[i], field))
		}
		if d.all {
			any = append(any, group(ExprAnd, values))
		} else {
			any = append(any, group(ExprOr, values))
		}
	}
	if d.neq {
		return not(group(ExprOr, any))
	}
	return group(ExprOr, any)
}

// value is one value of an item, put to one field: any of its forms.
func (c *compiler) value(d *reading, v *operand, field string) *Expr {
	m := Match{Field: field, Op: d.op, Part: d.part}
	var any []*Expr
	switch {
	case v.Kind == KindNull:
		m.Op = OpNull
		return c.leaf(m)
	case d.op == OpExists:
		if v.Text == "false" {
			return not(c.leaf(m))
		}
		return c.leaf(m)
	case d.op >= OpLess && d.op <= OpGreaterEqual, d.part != NoPart, d.text && v.Kind == KindNumber && field != "" && !d.bounded && !d.transformed:
		if d.text {
			m.Op = OpNumber
		}
		m.Text, _ = Canonical(v.Text)
		return c.leaf(m)
	case d.op == OpField:
		m.Cased = d.cased
		switch {
		case d.inside || d.fromStart && d.untilEnd:
			m.Op = OpFieldContains
		case d.fromStart:
			m.Op = OpFieldPrefix
		case d.untilEnd:
			m.Op = OpFieldSuffix
		}
		for _, form := range v.forms {
			m.Text, _ = literal(form)
			any = append(any, c.leaf(m))
		}
	case d.op == OpRegex:
		for _, raw := range v.raw {
			m.Text = d.regex(raw)
			any = append(any, c.leaf(m))
		}
	case d.op == OpCIDR:
		for _, form := range v.forms {
			text, _ := literal(form)
			p, _ := parsePrefix(text) // both are checked
			m.Text = p.String()
			any = append(any, c.leaf(m))
		}
	default:
		m.Cased = d.cased || d.encoded // the case of Base64 carries what is encoded
		for _, form := range v.forms {
			if field == "" && !d.bounded {
				form = join([]Part{{Kind: PartAny}}, form, []Part{{Kind: PartAny}})
			}
			any = append(any, c.leaf(textMatch(m, form)))
		}
	}
	return group(ExprOr, any)
}

// textMatch is the simplest match that asks for a text of a form.
func textMatch(m Match, form []Part) Match {
	if !m.Cased {
		form = foldParts(form)
	}
	first, last := false, false
	if n := len(form); n > 0 {
		first, last = form[0].Kind == PartAny, n > 1 && form[n-1].Kind == PartAny
	}
	inner := form
	if first {
		inner = inner[1:]
	}
	if last {
		inner = inner[:len(inner)-1]
	}
	text, ok := literal(inner)
	switch {
	case !ok:
		m.Op, m.Text = OpWild, printPattern(form)
	case text == "" && first:
		m.Op, m.Cased = OpAny, false
	case first && last:
		m.Op, m.Text = OpContains, text
	case first:
		m.Op, m.Text = OpSuffix, text
	case last:
		m.Op, m.Text = OpPrefix, text
	default:
		m.Op, m.Text = OpEqual, text
	}
	return m
}

func (c *compiler) leaf(m Match) *Expr {
	i, ok := c.leaves[m]
	if !ok {
		if len(c.q.Leaves) == MaxLeaves {
			c.r.fail(c.rule.Position, CodeSize, "the rule asks more than %d questions: split it", MaxLeaves)
			return nil
		}
		if m.Op == OpRegex {
			if c.regexes++; c.regexes > MaxRegexes {
				c.r.fail(c.rule.Position, CodeSize, "the rule has more than %d regular expressions: split it", MaxRegexes)
				return nil
			}
		}
		x, err := m.Matcher()
		if err != nil {
			c.r.fail(c.rule.Position, CodeValue, "%s", err)
			return nil
		}
		i = len(c.q.Leaves)
		c.leaves[m] = i
		c.q.Leaves, c.q.matchers = append(c.q.Leaves, m), append(c.q.matchers, x)
	}
	return &Expr{Op: ExprLeaf, Leaf: i}
}

// maxTaken bounds the groups that are taken apart: a large one stays as it is, and is shared.
const maxTaken = 1000

// group joins expressions; a group of the same kind in it is taken apart, and a group of one is the one.
func group(op ExprOp, args []*Expr) *Expr {
	var flat []*Expr
	for _, a := range args {
		switch {
		case a == nil: // an error that was told
		case a.Op == op && len(a.Args) <= maxTaken:
			flat = append(flat, a.Args...)
		default:
			flat = append(flat, a)
		}
	}
	if len(flat) == 1 {
		return flat[0]
	}
	return &Expr{Op: op, Args: flat}
}

func not(e *Expr) *Expr {
	if e != nil && e.Op == ExprNot {
		return e.Args[0]
	}
	return &Expr{Op: ExprNot, Args: []*Expr{e}}
}

// Matched is a question that an event answered with yes, and that helped a rule to match; and the first value that did, null where it
// was the field as such.
type Matched struct {
	Match
	Value Value
}

// Eval puts a rule to an event: whether it matches, and by which questions, in the order of the rule. Without
// When, the logsource is not looked at. This is what a rule means; it is exact, and not fast.
func (q *Query) Eval(e Event) (bool, []Matched) {
	if q.When != nil && !(&evaluation{q: q, e: e}).eval(q.When) {
		return false, nil
	}
	v := evaluation{q: q, e: e, known: make([]int8, len(q.matchers))}
	if !v.eval(q.Expr) {
		return false, nil
	}
	var leaves []int
	v.collect(q.Expr, &leaves)
	slices.Sort(leaves)
	var out []Matched
	for _, i := range slices.Compact(leaves) {
		value, _ := q.matchers[i].Find(e)
		out = append(out, Matched{q.Leaves[i], value})
	}
	return true, out
}

type evaluation struct {
	q     *Query
	e     Event
	known []int8 // of each leaf 1 true, -1 false, 0 not asked; nil: nothing is kept
}

func (v *evaluation) eval(x *Expr) bool {
	switch x.Op {
	case ExprAnd:
		for _, a := range x.Args {
			if !v.eval(a) {
				return false
			}
		}
		return true
	case ExprOr:
		for _, a := range x.Args {
			if v.eval(a) {
				return true
			}
		}
		return false
	case ExprNot:
		return !v.eval(x.Args[0])
	}
	if v.known == nil {
		return v.q.matchers[x.Leaf].Holds(v.e)
	}
	if v.known[x.Leaf] == 0 {
		v.known[x.Leaf] = -1
		if v.q.matchers[x.Leaf].Holds(v.e) {
			v.known[x.Leaf] = 1
		}
	}
	return v.known[x.Leaf] > 0
}

// collect gathers the questions that made an expression true. What stands under not made it true by not holding.
func (v *evaluation) collect(x *Expr, out *[]int) {
	switch x.Op {
	case ExprLeaf:
		*out = append(*out, x.Leaf)
	case ExprAnd, ExprOr:
		for _, a := range x.Args {
			if v.eval(a) {
				v.collect(a, out)
			}
		}
	}
}
