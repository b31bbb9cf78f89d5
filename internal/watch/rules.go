package watch

import (
	"errors"
	"slices"

	"entente/internal/event"
	"entente/sigma"
)

// Rules are rules made ready for the logs at hand, and what could not be made so.
type Rules struct {
	Queries      []*sigma.Query       // of a rule one for each kind of log that it is for
	Correlations []*sigma.Correlation // each after those it is about
	Left         sigma.Problems       // why rules are not there; without them all are
	Read         int                  // rules and correlations that were read
	Ready        int                  // of them, those that are put to events
	Mapping      event.Mapping        // other names of fields, for rules and indicators
	from         *sigma.Collection
	kept         [][]string // by query: the fields that correlations ask about; nil: none is about the rule
}

// Compile makes rules ready: filters narrow them, the steps of the pipelines change them, and the routes say which events they are for. Those of package sigma stand below
// the pipelines' own. What fails is in Left, and the rest goes on without it.
func Compile(c *sigma.Collection, pipelines ...*sigma.Pipeline) *Rules {
	p := sigma.Join(append([]*sigma.Pipeline{sigma.Builtin()}, pipelines...)...)
	out := &Rules{from: c, Read: len(c.Rules) + len(c.Correlations)}
	order, err := c.Link()
	out.leave(err)
	usable := map[string]bool{} // by id and name: what correlations may be about
	for _, rule := range c.Rules {
		queries, err := compile(rule, c.Filters, p)
		if err != nil {
			out.leave(err)
			continue
		}
		out.Ready++
		usable[rule.ID], usable[rule.Name] = true, true
		for _, q := range queries {
			out.Queries = append(out.Queries, q)
			out.kept = append(out.kept, about(q.Rule, order))
		}
	}
	for _, k := range order {
		at := slices.IndexFunc(k.Rules, func(ref string) bool { return !usable[ref] })
		if at >= 0 {
			out.leave(&sigma.Problem{File: k.File, Position: k.Position, Level: sigma.LevelError, Code: sigma.CodeReference, Rule: k.Handle(),
				Message: "the correlation is about " + k.Rules[at] + ", which is not used"})
			continue
		}
		usable[k.ID], usable[k.Name] = true, true
		out.Correlations = append(out.Correlations, k)
		out.Ready++
	}
	return out
}

// Silent tells whether the hits of a rule, or of a correlation, are only there for correlations.
func (r *Rules) Silent(m *sigma.Meta) bool { return r.from.Silent(m) }

func compile(rule *sigma.Rule, filters []*sigma.Filter, p *sigma.Pipeline) (queries []*sigma.Query, err error) {
	if rule, err = p.Apply(rule.Narrow(filters)); err != nil {
		return nil, err
	}
	routed, err := p.Route(rule)
	if err != nil {
		_, unready := rule.Compile()
		return nil, errors.Join(err, unready)
	}
	for _, r := range routed {
		q, err := r.Compile()
		if err != nil {
			return nil, err
		}
		queries = append(queries, q)
	}
	return queries, nil
}

// leave notes what is wrong.
func (r *Rules) leave(err error) {
	var all sigma.Problems
	var one *sigma.Problem
	joined, several := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
	case errors.As(err, &all) && !several:
		r.Left = append(r.Left, all.Errors()...)
	case several:
		for _, e := range joined.Unwrap() {
			r.leave(e)
		}
	case errors.As(err, &one):
		r.Left = append(r.Left, one)
	default:
		r.Left = append(r.Left, &sigma.Problem{Level: sigma.LevelError, Message: err.Error()})
	}
}

// about are the fields of a rule that correlations ask about, as its events call them; nil: none is about it.
func about(rule *sigma.Rule, order []*sigma.Correlation) (fields []string) {
	if !slices.ContainsFunc(order, func(c *sigma.Correlation) bool {
		return slices.ContainsFunc(c.Rules, func(ref string) bool { return ref == rule.ID && ref != "" || ref == rule.Name && ref != "" })
	}) {
		return nil
	}
	fields = []string{}
	for _, c := range order { // also of those that are about a correlation over it
		for _, name := range slices.Concat(c.GroupBy, c.Fields) {
			fields = append(fields, rule.Names(name)...)
		}
		for _, of := range c.Aliases {
			for _, name := range of {
				fields = append(fields, rule.Names(name)...)
			}
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}
