// Package match puts events to many rules at once.
//
// Questions that rules share are asked once. Of each rule the cheapest set of questions is found of which one must be answered with yes for the rule to match: its
// witnesses. For these, and for them alone, an index by field is made: a table for whole texts, tables by the first and last bytes, and one of four-byte sequences for
// what stands anywhere in a text. An event is looked up in the indexes, and only rules with a witness in it are asked in full. What the indexes find is compared with the
// whole text, or verified with the question itself, so that an index can only be slow and never wrong. Regular expressions are asked last, of an automaton that is made as
// texts come. Words that may stand in any value are looked for in the line as it is, and only in one that could have them in the values.
//
// Rules for other logs than an event's are not in its indexes: events fall into routes by a few fields, and each route has indexes of its own. They are made when its first
// event comes, by a guess at what is rare, and made anew when enough events have shown it.
//
// Values come again and again. Each matcher remembers, within bounds, which rules a value could match and what it answered to the parts of rules about its field.
package match

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"entente/internal/event"
	"entente/sigma"
)

// Engine holds rules made ready. It is made once, and read by any number of [Matcher]s.
type Engine struct {
	plan    *event.Plan
	slots   map[string]int // by name of a field
	leaves  []leaf
	regexes int // among the leaves
	rules   []rule
	routes  []expr           // of different rules, each once
	asked   []int            // slots that decide about routes
	parts   map[string]int32 // the numbers of parts of rules that are about one field
	sets    []*set           // by part; nil: it is none
	made    atomic.Uint32    // tables so far
	course  []course         // how tables learn

	mu     sync.Mutex
	tables map[string]*table // by the routes that accept, as bits
}

// leaf is a question that rules ask. What is needed to answer most of them stands first: there are many, and they are asked here and there.
type leaf struct {
	op    sigma.Op
	plain bool   // the folded text of a value answers it
	whole bool   // it is OpNumber, and Text is as wholeNumber says
	slot  int    // of its field; -1: any value (keywords)
	bytes []byte // of Text

	*sigma.Matcher
	cost  int // of being a witness; 0: it cannot be
	texts []string
	other int // of a question about two fields, the second; -1: it is about one
	regex int // of a regular expression, its number

	program *program     // of a regular expression
	network netip.Prefix // of OpCIDR
}

// slow tells whether a question takes much longer to answer than others.
func (l *leaf) slow() bool { return l.op == sigma.OpRegex || l.op == sigma.OpWild }

// holds answers a plain question.
func (l *leaf) holds(folded []byte) bool {
	switch l.op {
	case sigma.OpEqual:
		return bytes.Equal(folded, l.bytes)
	case sigma.OpPrefix:
		return bytes.HasPrefix(folded, l.bytes)
	case sigma.OpSuffix:
		return bytes.HasSuffix(folded, l.bytes)
	}
	return bytes.Contains(folded, l.bytes)
}

// rule is an expression over the engine's leaves.
type rule struct {
	expr  expr
	route int // -1: all
}

// expr is a sigma.Expr whose leaves are numbered for all rules.
type expr struct {
	op   sigma.ExprOp
	slow bool  // there is a question in it that is slow to answer
	slot int32 // of the one field that it is about; -1: of none, or of several
	part int32 // its number, if answers to it are worth remembering; -1: they are not
	leaf int
	args []expr
	set  *set // of an or, the first of its args; nil: they are few
}

// set is plain questions about a field, of which one is to be answered with yes: all are put at once.
type set struct {
	n     int // how many
	once  sync.Once
	index field
}

// minSet is how many questions make a set.
const minSet = 8

// about tells whether an expression is about a field alone, and quick to answer.
func (x *expr) about(slot int) bool { return slot >= 0 && x.slot == int32(slot) && !x.slow }

// New makes an engine. The plan is asked for the fields that the rules ask about.
//
// A rule with When is put to no events but those: its logsource.
func New(plan *event.Plan, rules []*sigma.Query) (*Engine, error) {
	e := &Engine{plan: plan, slots: map[string]int{}, parts: map[string]int32{}, tables: map[string]*table{}, course: courses}
	known := map[sigma.Match]int{}
	routes := map[string]int{}
	for _, q := range rules {
		x, err := e.expr(q, q.Expr, known)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", q.Rule.Handle(), err)
		}
		made := rule{expr: x, route: -1}
		if q.When != nil {
			x, err := e.expr(q, q.When, known)
			if err != nil {
				return nil, fmt.Errorf("the logsource of rule %s: %w", q.Rule.Handle(), err)
			}
			key := x.key()
			n, ok := routes[key]
			if !ok {
				n = len(e.routes)
				routes[key] = n
				x.forget()
				e.routes = append(e.routes, x)
				e.ask(&x)
			}
			made.route = n
		}
		e.rules = append(e.rules, made)
	}
	e.parts = nil // they have their numbers
	return e, nil
}

// forget lets answers not be remembered: there is no table yet to which they would belong.
func (x *expr) forget() {
	x.part = -1
	for i := range x.args {
		x.args[i].forget()
	}
}

// ask notes the fields that decide about a route.
func (e *Engine) ask(x *expr) {
	if x.op == sigma.ExprLeaf {
		l := &e.leaves[x.leaf]
		if l.slot >= 0 && !slices.Contains(e.asked, l.slot) {
			e.asked = append(e.asked, l.slot)
		}
	}
	for i := range x.args {
		e.ask(&x.args[i])
	}
}

// key is the same for the same expression.
func (x *expr) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %d(", x.op, x.leaf)
	for i := range x.args {
		b.WriteString(x.args[i].key())
		b.WriteByte(' ')
	}
	b.WriteByte(')')
	return b.String()
}

func (e *Engine) expr(q *sigma.Query, x *sigma.Expr, known map[sigma.Match]int) (expr, error) {
	if x.Op == sigma.ExprLeaf {
		return e.question(q.Leaves[x.Leaf], known)
	}
	out := expr{op: x.Op, leaf: -1}
	for _, a := range x.Args {
		inner, err := e.expr(q, a, known)
		if err != nil {
			return expr{}, err
		}
		if inner.op == x.Op && x.Op != sigma.ExprNot {
			out.args = append(out.args, inner.args...)
		} else {
			out.args = append(out.args, inner)
		}
	}
	e.settle(&out)
	return out, nil
}

// question makes a leaf of a match, and where that is slow to answer, of what it needs as well, which is quick: sought in many texts at once, and most have it not.
func (e *Engine) question(m sigma.Match, known map[sigma.Match]int) (out expr, err error) {
	n, ok := known[m]
	if !ok {
		if n, err = e.leaf(m); err != nil {
			return expr{}, err
		}
		known[m] = n
	}
	out = expr{op: sigma.ExprLeaf, leaf: n}
	e.place(&out)
	if l := &e.leaves[n]; !l.slow() || l.slot < 0 {
		return out, nil
	}
	out = expr{op: sigma.ExprAnd, leaf: -1, args: []expr{out}}
	for _, texts := range needs(m) {
		any := expr{op: sigma.ExprOr, leaf: -1}
		for _, text := range texts {
			one, err := e.question(sigma.Match{Field: m.Field, Op: sigma.OpContains, Text: text}, known)
			if err != nil {
				return expr{}, err
			}
			any.args = append(any.args, one)
		}
		if len(any.args) == 1 {
			any = any.args[0]
		}
		e.place(&any)
		out.args = append(out.args, any)
	}
	e.settle(&out)
	return out, nil
}

// maxNeeds bounds the lists of what a match needs that are looked for.
const maxNeeds = 4

// needs are the lists of texts that a match needs, those that are likely the rarest.
func needs(m sigma.Match) [][]string {
	all := m.Needs()
	rare := func(texts []string) float32 { // as rare as the most frequent of them
		least := float32(math.MaxFloat32)
		for _, t := range texts {
			least = min(least, rarity(t))
		}
		return least
	}
	slices.SortStableFunc(all, func(a, b []string) int { return cmp.Compare(rare(b), rare(a)) })
	return all[:min(len(all), maxNeeds)]
}

// settle puts an expression into its best form.
func (e *Engine) settle(x *expr) {
	e.gather(x)
	slices.SortStableFunc(x.args, func(a, b expr) int { return e.effort(&a) - e.effort(&b) })
	e.place(x)
}

// gather puts what an expression says about a field together, where it says other things too: what is quick to answer, and what is slow.
func (e *Engine) gather(x *expr) {
	if x.op == sigma.ExprNot {
		return
	}
	type field struct {
		slot int32
		slow bool
	}
	at := map[field]int{}
	var args []expr
	for _, a := range x.args {
		of := field{a.slot, a.slow}
		i, ok := at[of]
		switch {
		case a.slot < 0 || !ok:
			at[of] = len(args)
			args = append(args, a)
		case args[i].op == x.op:
			args[i].args = append(args[i].args, a)
		default:
			args[i] = expr{op: x.op, leaf: -1, slot: a.slot, args: []expr{args[i], a}}
		}
	}
	if len(args) == 1 { // it is about that field alone
		return
	}
	for i := range args {
		slices.SortStableFunc(args[i].args, func(a, b expr) int { return e.effort(&a) - e.effort(&b) })
		e.place(&args[i])
	}
	x.args = args
}

// place says what an expression is about.
func (e *Engine) place(x *expr) {
	x.slot, x.part = -1, -1
	questions := len(x.args)
	switch x.op {
	case sigma.ExprLeaf:
		l := &e.leaves[x.leaf]
		if x.slow = l.slow(); l.other < 0 {
			x.slot = int32(l.slot)
		}
	default:
		for i := range x.args {
			a := &x.args[i]
			x.slow = x.slow || a.slow
			if questions += len(a.args); i == 0 {
				x.slot = a.slot
			} else if a.slot != x.slot {
				x.slot = -1
			}
		}
	}
	if x.slot >= 0 && (x.slow || questions > 2) {
		key := x.key()
		n, ok := e.parts[key]
		if !ok {
			n = int32(len(e.parts))
			e.parts[key] = n
			e.sets = append(e.sets, e.set(x))
		}
		x.part, x.set = n, e.sets[n]
	}
}

// set is that of an or whose questions stand in order.
func (e *Engine) set(x *expr) *set {
	n := 0
	for x.op == sigma.ExprOr && n < len(x.args) && x.args[n].leaf >= 0 && e.leaves[x.args[n].leaf].plain {
		n++
	}
	if n < minSet {
		return nil
	}
	return &set{n: n}
}

// effort is how long a question takes to answer, roughly: what is quick is asked first, and last what most events pass, that something does not hold.
func (e *Engine) effort(x *expr) (sum int) {
	if x.op == sigma.ExprNot {
		return 1000 + e.effort(&x.args[0])
	}
	if x.op != sigma.ExprLeaf {
		for i := range x.args {
			sum += e.effort(&x.args[i])
		}
		return sum
	}
	l := &e.leaves[x.leaf]
	switch {
	case l.slot < 0:
		return 50
	case l.Op == sigma.OpRegex:
		return 20
	case l.Op == sigma.OpWild:
		return 5
	}
	return 1
}

func (e *Engine) leaf(m sigma.Match) (int, error) {
	x, err := m.Matcher()
	if err != nil {
		return 0, err
	}
	l := leaf{op: m.Op, Matcher: x, slot: -1, other: -1, bytes: []byte(m.Text)}
	if m.Field != "" {
		l.slot = e.slot(m.Field)
	}
	switch m.Op {
	case sigma.OpEqual, sigma.OpPrefix, sigma.OpSuffix, sigma.OpContains:
		l.plain = !m.Cased
	case sigma.OpField, sigma.OpFieldPrefix, sigma.OpFieldSuffix, sigma.OpFieldContains:
		l.other = e.slot(m.Text)
	case sigma.OpNumber:
		l.whole = m.Part == sigma.NoPart && wholeNumber(m.Text)
	case sigma.OpCIDR:
		if l.network, err = netip.ParsePrefix(m.Text); err != nil {
			return 0, err
		}
	case sigma.OpRegex:
		if l.program, err = newProgram(m.Text); err != nil {
			return 0, err
		}
		l.regex = e.regexes
		e.regexes++
	}
	l.cost, l.texts = witness(&m)
	if l.slow() && l.slot >= 0 { // see needs
		l.cost, l.texts = 0, nil
	}
	e.leaves = append(e.leaves, l)
	return len(e.leaves) - 1, nil
}

func (e *Engine) slot(field string) int {
	s, ok := e.slots[field]
	if !ok {
		s = e.plan.Field(field)
		e.slots[field] = s
	}
	return s
}

// witness is what it costs to look for a question in every event, as a guess at how often it is answered with yes, and the texts by which it is found; 0: it is not found
// by an index.
func witness(m *sigma.Match) (cost int, texts []string) {
	worth := func(n int) int { return 1 + 400/(n*n+1) }
	folded := m.Text
	if m.Cased {
		folded = string(sigma.Fold(nil, []byte(m.Text)))
	}
	switch m.Op {
	case sigma.OpEqual:
		return worth(len(folded) + 6), []string{folded}
	case sigma.OpPrefix, sigma.OpSuffix:
		if len(folded) == 0 {
			return 0, nil
		}
		return worth(len(folded)+1) + 1, []string{folded}
	case sigma.OpContains:
		if len(folded) == 0 {
			return 0, nil
		}
		return worth(len(folded)) + 2, []string{folded}
	case sigma.OpWild, sigma.OpRegex:
		texts = m.Required()
		if len(texts) == 0 {
			return 0, nil
		}
		for _, t := range texts {
			if len(t) == 0 {
				return 0, nil
			}
			cost += worth(len(t)) + 10 // it is not answered by the text alone
		}
		return cost, texts
	case sigma.OpNumber:
		return 40, nil
	case sigma.OpCIDR, sigma.OpLess, sigma.OpLessEqual, sigma.OpGreater, sigma.OpGreaterEqual:
		return 60, nil
	case sigma.OpAny:
		return 300, nil
	}
	return 0, nil // what may be true of a field that is not there, or of two fields
}

// witnesses finds leaves of which one must be true for the expression to be true, and what they cost; nil: there are none.
func (e *Engine) witnesses(x *expr, know *learnt) (leaves []int, cost float64) {
	switch x.op {
	case sigma.ExprLeaf:
		if l := &e.leaves[x.leaf]; l.cost > 0 {
			return []int{x.leaf}, know.cost(x.leaf, l)
		}
	case sigma.ExprAnd:
		for i := range x.args {
			l, c := e.witnesses(&x.args[i], know)
			if l != nil && (leaves == nil || c < cost) {
				leaves, cost = l, c
			}
		}
	case sigma.ExprOr:
		for i := range x.args {
			l, c := e.witnesses(&x.args[i], know)
			if l == nil {
				return nil, 0
			}
			leaves, cost = append(leaves[:len(leaves):len(leaves)], l...), cost+c
		}
	}
	return leaves, cost
}
