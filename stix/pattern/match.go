package pattern

import (
	"fmt"
	"slices"
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
	meets  func(*Expression, int) bool // nil: the conditions are put to the objects
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
