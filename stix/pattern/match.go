package pattern

import (
	"fmt"
	"slices"
	"time"
)

// DefaultBudget bounds the steps of one Match: about as many comparisons and candidate bindings. It takes a second or so.
const DefaultBudget = 50_000_000

// maxOperands bounds the operands of a pattern once its REPEATS are written out.
const maxOperands = 4096

// The codes of an EvalError. They are stable.
const (
	CodeUnsupported  = "pattern.unsupported"   // a regular expression or constant that cannot be evaluated
	CodeNotTimestamp = "pattern.not_timestamp" // a timestamp constant meets text that is no timestamp
	CodeBudget       = "pattern.budget"        // the evaluation was given up
)

// EvalError is a pattern that could not be evaluated on the observations: neither a match nor its absence is known.
type EvalError struct {
	Code    string
	Message string
	Offset  int // in the pattern, in bytes from 0
	Line    int // from 1
	Col     int // in code points, from 1
}

func (e *EvalError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Col, e.Message)
}

// Result is the outcome of a Match.
type Result struct {
	Matched      bool
	Observations []int     // the observations that matched, ascending places in the input
	Bindings     []Binding // which expression each of them was bound to, in the order of the pattern
}

// Binding says that an Observe expression was met by an observation, Count times.
type Binding struct {
	Expression  *Expression
	Observation int
	Count       int64
}

// Option changes how Match works.
type Option func(*matcher)

// Budget bounds the steps of a Match.
func Budget(steps int64) Option { return func(m *matcher) { m.budget = steps } }

// ClosedWithin lets observations that are exactly x seconds apart meet WITHIN x SECONDS, as the OASIS reference matcher does.
// Section 9.5.1 excludes them, and so does Match.
func ClosedWithin() Option { return func(m *matcher) { m.closed = true } }

type matcher struct {
	p      *Pattern
	obs    []Observation
	budget int64
	closed bool
	span   span
}

// Match decides whether the observations, in any order, match the pattern: whether its expressions can be bound to different
// observations, each at a moment between its First and Last, so that all operators and qualifiers hold. An observation with a
// Count of n can be bound n times. The answer is exact; an *EvalError says why there is none.
func (p *Pattern) Match(obs []Observation, options ...Option) (Result, error) {
	if err := p.compile(); err != nil {
		return Result{}, err
	}
	m := &matcher{p: p, obs: obs, budget: DefaultBudget}
	for _, o := range options {
		o(m)
	}
	m.span = makeSpan(obs)
	root, err := m.build(&p.root, everything)
	if err != nil || root == nil || root.least() > m.total() {
		return Result{}, err
	}
	bound, err := m.choose(root, nil)
	if err != nil || bound == nil {
		return Result{}, err
	}
	return m.result(bound), nil
}

// total is the number of observations there are to bind.
func (m *matcher) total() int64 {
	var sum int64
	for i := range m.obs {
		sum = min(sum+m.obs[i].Count, maxInteger)
	}
	return sum
}

func (m *matcher) spend(steps int64) error {
	if m.budget -= steps; m.budget < 0 {
		return &EvalError{Code: CodeBudget, Message: "the pattern needs more work on these observations than its budget allows", Line: 1, Col: 1}
	}
	return nil
}

func (m *matcher) fault(code string, t *Test, message string) error {
	e := &EvalError{Code: code, Message: message, Offset: t.Offset}
	e.Line, e.Col = place(m.p.source, t.Offset)
	return e
}

// span turns times into ticks from the earliest observation: nanoseconds, or microseconds where observations are centuries apart.
type span struct {
	origin time.Time
	micro  bool
}

// farTicks is beyond any observation; sums of two such numbers do not overflow.
const farTicks = 1 << 61

func makeSpan(obs []Observation) span {
	if len(obs) == 0 {
		return span{}
	}
	s := span{origin: obs[0].First}
	last := obs[0].Last
	for i := range obs {
		if obs[i].First.Before(s.origin) {
			s.origin = obs[i].First
		}
		if obs[i].Last.After(last) {
			last = obs[i].Last
		}
	}
	s.micro = last.Sub(s.origin) > farTicks-time.Second
	return s
}

// ticks rounds down.
func (s span) ticks(t time.Time) int64 {
	seconds := t.Unix() - s.origin.Unix()
	nanos := int64(t.Nanosecond()) - int64(s.origin.Nanosecond())
	scale, each := int64(1e9), int64(1)
	if s.micro {
		scale, each = 1e6, 1000
	}
	if seconds > farTicks/scale {
		return farTicks
	}
	if seconds < -farTicks/scale {
		return -farTicks
	}
	return seconds*scale + floorDiv(nanos, each)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// width is the greatest distance in ticks of two times that are within the given seconds of each other.
func (s span) width(c Constant, closed bool) int64 {
	scale := 1e9
	if s.micro {
		scale = 1e6
	}
	seconds := c.Float
	if c.Kind == Integer {
		seconds = float64(c.Int)
	}
	ticks := seconds * scale
	if ticks >= farTicks {
		return farTicks
	}
	whole := int64(ticks)
	if !closed && float64(whole) == ticks {
		whole--
	}
	return whole
}

// bounds is a range of ticks, both ends included.
type bounds struct{ lo, hi int64 }

var everything = bounds{-farTicks, farTicks}

type nodeKind uint8

const (
	leafNode nodeKind = iota
	allNode
	anyNode
	sequenceNode
	windowNode
	repeatNode
)

// node is an expression prepared for a set of observations. A leaf is one or several Observe expressions of which any will do.
type node struct {
	kind  nodeKind
	kids  []*node
	leaf  *leaf
	width int64 // of windowNode
	times int64 // of repeatNode
}

// leaf holds the observations that meet its expressions at a time in the bounds.
type leaf struct {
	bounds
	members []member
	items   []item // by first
	late    []item // by last, descending
	longest int64  // of last - first
}

type member struct {
	expression *Expression
	met        bitset // of observations
}

type bitset []uint64

func (b bitset) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }
func (b bitset) set(i int)      { b[i/64] |= 1 << (i % 64) }

// item is an observation in ticks.
type item struct {
	index       int
	first, last int64
	count       int64
}

// build prepares an expression. It is nil if the expression cannot match.
func (m *matcher) build(e *Expression, b bounds) (*node, error) {
	for i := range e.Qualifiers {
		if q := &e.Qualifiers[i]; q.Kind == StartStop {
			start, _ := q.Start.Time()
			stop, _ := q.Stop.Time()
			b.lo, b.hi = max(b.lo, m.ceil(start)), min(b.hi, m.ceil(stop)-1)
		}
	}
	n, err := m.buildBare(e, b)
	if err != nil || n == nil {
		return nil, err
	}
	for i := range e.Qualifiers {
		switch q := &e.Qualifiers[i]; q.Kind {
		case Repeats:
			if q.Times > 1 {
				n = &node{kind: repeatNode, times: q.Times, kids: []*node{n}}
			}
		case Within:
			if n.kind != leafNode {
				n = &node{kind: windowNode, width: m.span.width(q.Seconds, m.closed), kids: []*node{n}}
			}
		}
	}
	return n, nil
}

// ceil is the first tick that is not before t.
func (m *matcher) ceil(t time.Time) int64 {
	ticks := m.span.ticks(t)
	if m.span.micro && t.Nanosecond()%1000 != 0 {
		ticks++
	}
	return ticks
}

func (m *matcher) buildBare(e *Expression, b bounds) (*node, error) {
	switch e.Op {
	case Observe:
		return m.buildLeaf(e, b)
	case Group:
		return m.build(&e.Operands[0], b)
	}
	kind := allNode
	switch e.Op {
	case Or:
		kind = anyNode
	case FollowedBy:
		kind = sequenceNode
	}
	n := &node{kind: kind}
	for i := range e.Operands {
		kid, err := m.build(&e.Operands[i], b)
		if err != nil {
			return nil, err
		}
		switch {
		case kid == nil && kind == anyNode:
		case kid == nil:
			return nil, nil
		case kid.kind == kind && kind != sequenceNode:
			n.kids = append(n.kids, kid.kids...)
		default:
			n.kids = append(n.kids, kid)
		}
	}
	if kind == anyNode {
		n.kids = mergeLeaves(n.kids, m)
	}
	switch len(n.kids) {
	case 0:
		return nil, nil
	case 1:
		return n.kids[0], nil
	}
	return n, nil
}

func (m *matcher) buildLeaf(e *Expression, b bounds) (*node, error) {
	if err := m.spend(1 + int64(len(m.obs))/8); err != nil {
		return nil, err
	}
	met := make(bitset, (len(m.obs)+63)/64)
	l := &leaf{bounds: b, members: []member{{e, met}}}
	any := false
	for i := range m.obs {
		o := &m.obs[i]
		if m.span.ticks(o.Last) < b.lo || m.span.ticks(o.First) > b.hi {
			continue
		}
		ok, err := m.observed(&e.Condition, o)
		if err != nil {
			return nil, err
		}
		if ok {
			met.set(i)
			any = true
		}
	}
	if !any {
		return nil, nil
	}
	m.fill(l)
	return &node{kind: leafNode, leaf: l}, nil
}

// fill lists the observations of a leaf.
func (m *matcher) fill(l *leaf) {
	for i := range m.obs {
		for j := range l.members {
			if l.members[j].met.has(i) {
				first, last := m.span.ticks(m.obs[i].First), m.span.ticks(m.obs[i].Last)
				l.items = append(l.items, item{i, first, last, m.obs[i].Count})
				l.longest = max(l.longest, last-first)
				break
			}
		}
	}
	slices.SortStableFunc(l.items, func(a, b item) int { return compareTicks(a.first, b.first) })
	l.late = slices.Clone(l.items)
	slices.SortStableFunc(l.late, func(a, b item) int { return compareTicks(b.last, a.last) })
}

func compareTicks(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// mergeLeaves makes one leaf of alternatives that differ only in their conditions, so that no choice between them is left.
func mergeLeaves(kids []*node, m *matcher) []*node {
	var out []*node
	places := map[bounds]int{}
	for _, kid := range kids {
		if kid.kind == leafNode {
			if at, ok := places[kid.leaf.bounds]; ok {
				out[at].leaf.members = append(out[at].leaf.members, kid.leaf.members...)
				continue
			}
			places[kid.leaf.bounds] = len(out)
			kid = &node{kind: leafNode, leaf: &leaf{bounds: kid.leaf.bounds, members: slices.Clone(kid.leaf.members)}}
		}
		out = append(out, kid)
	}
	for _, at := range places {
		m.fill(out[at].leaf)
	}
	return out
}

// least is the smallest number of observations that the node can be bound to.
func (n *node) least() int64 {
	switch n.kind {
	case leafNode:
		return 1
	case anyNode:
		least := n.kids[0].least()
		for _, kid := range n.kids[1:] {
			least = min(least, kid.least())
		}
		return least
	case repeatNode:
		one := n.kids[0].least()
		if n.times > maxInteger/one {
			return maxInteger
		}
		return n.times * one
	}
	var sum int64
	for _, kid := range n.kids {
		sum = min(sum+kid.least(), maxInteger)
	}
	return sum
}

// bound is a set of observations bound to a leaf.
type bound struct {
	leaf  *leaf
	items []taken
}

type taken struct {
	index int
	count int64
}

// choose decides the alternatives that are still open, one after the other, and gives up a branch as soon as what is decided
// cannot be met. It returns nil if there is no match.
func (m *matcher) choose(root *node, choices []int) ([]bound, error) {
	plan := planner{m: m, choices: choices}
	if err := plan.add(root, context{}, 1); err != nil {
		return nil, err
	}
	found, err := plan.solve()
	if err != nil || found == nil || plan.open == nil {
		return found, err
	}
	for i := range plan.open.kids {
		found, err := m.choose(root, append(slices.Clone(choices), i))
		if err != nil || found != nil {
			return found, err
		}
	}
	return nil, nil
}

func (m *matcher) result(found []bound) Result {
	r := Result{Matched: true}
	for _, b := range found {
		for _, t := range b.items {
			for _, member := range b.leaf.members {
				if member.met.has(t.index) {
					r.Bindings = append(r.Bindings, Binding{member.expression, t.index, t.count})
					break
				}
			}
			r.Observations = append(r.Observations, t.index)
		}
	}
	slices.Sort(r.Observations)
	r.Observations = slices.Compact(r.Observations)
	slices.SortStableFunc(r.Bindings, func(a, b Binding) int { return a.Expression.Offset - b.Expression.Offset })
	return r
}
