package sigma

import "strings"

// Add joins what stands in another text.
func (c *Collection) Add(o *Collection) {
	c.Rules = append(c.Rules, o.Rules...)
	c.Filters = append(c.Filters, o.Filters...)
	c.Correlations = append(c.Correlations, o.Correlations...)
}

// Link puts the correlations into an order in which each comes after those it is about. The error is Problems: an id or a name that
// stands twice, a reference to nothing, and correlations that are about themselves. Those are left out of the order.
func (c *Collection) Link() (order []*Correlation, err error) {
	l := linker{known: map[string]*Meta{}, correlations: map[*Meta]*Correlation{}, state: map[*Correlation]int{}}
	for _, r := range c.Rules {
		l.know(&r.Meta)
	}
	for _, x := range c.Correlations {
		l.correlations[&x.Meta] = x
		l.know(&x.Meta)
	}
	for _, x := range c.Correlations {
		l.visit(x)
	}
	for _, f := range c.Filters {
		for _, ref := range f.Rules {
			if l.known[ref] == nil {
				l.add(LevelWarning, &f.Meta, CodeReference, "the filter narrows %q, and there is no such rule: give its id or name", ref)
			}
		}
	}
	return l.order, l.problems.err()
}

const (
	visiting = 1
	good     = 2
	bad      = 3
)

type linker struct {
	known        map[string]*Meta
	correlations map[*Meta]*Correlation
	state        map[*Correlation]int
	order        []*Correlation
	problems     Problems
}

// add takes what is wrong with one document into the problems.
func (l *linker) add(level Level, m *Meta, code, format string, args ...any) {
	one := report{file: m.File, rule: m.Handle()}
	one.add(level, m.Position, code, format, args...)
	l.problems = append(l.problems, one.list...)
}

func (l *linker) fail(m *Meta, code, format string, args ...any) {
	l.add(LevelError, m, code, format, args...)
}

func (l *linker) know(m *Meta) {
	for _, name := range []string{m.ID, m.Name} {
		switch other := l.known[name]; {
		case name == "" || other == m:
		case other != nil:
			l.fail(m, CodeDuplicate, "%q also stands at %s:%d: give one of them an id and a name of its own", name, other.File, other.Line)
		default:
			l.known[name] = m
		}
	}
}

func (l *linker) visit(x *Correlation) int {
	switch l.state[x] {
	case visiting:
		l.fail(&x.Meta, CodeReference, "the correlation is about itself, over others: %s", strings.Join(x.Rules, ", "))
		return bad
	case good, bad:
		return l.state[x]
	}
	l.state[x] = visiting
	result := good
	for _, ref := range x.Rules {
		m := l.known[ref]
		switch inner := l.correlations[m]; {
		case m == nil:
			l.fail(&x.Meta, CodeReference, "the correlation is about %q, and there is no such rule: give its id or name, or read the file it is in as well", ref)
			result = bad
		case inner != nil && l.visit(inner) == bad:
			result = bad
		}
	}
	for alias, fields := range x.Aliases {
		for ref := range fields {
			if m := l.known[ref]; m == nil || !x.about(m) {
				l.fail(&x.Meta, CodeReference, "the alias %s names %q, which is not among the rules of the correlation", alias, ref)
				result = bad
			}
		}
	}
	if l.state[x] = result; result == good {
		l.order = append(l.order, x)
	}
	return result
}

// about says whether a correlation is about a rule.
func (c *Correlation) about(m *Meta) bool { return c.Place(m) >= 0 }

// Silent says whether the hits of a rule are only there for correlations: one is about it, and none says generate.
func (c *Collection) Silent(m *Meta) bool {
	silent := false
	for _, x := range c.Correlations {
		if x.about(m) {
			if x.Generate {
				return false
			}
			silent = true
		}
	}
	return silent
}
