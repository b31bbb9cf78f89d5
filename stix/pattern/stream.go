package pattern

import (
	"math"
	"regexp/syntax"
	"slices"
	"strings"
)

// What this file exports is for engines that look at observations as they come, with many patterns at once: they decide with it
// exactly what Match decides.

// Ready tells why the pattern cannot be evaluated on anything, with an *EvalError; nil: it can be.
func (p *Pattern) Ready() error { return p.compile() }

// Meets says which observation meets which bracket, by their places in the input of Match, instead of their objects.
func Meets(f func(e *Expression, observation int) bool) Option {
	return func(m *matcher) { m.meets = f }
}

// String is the condition in canonical form: that of two conditions that mean the same text by text is equal.
func (c *Condition) String() string { return string(c.append(nil)) }

// Each calls f with the objects of the observation.
func (o *Observation) Each(f func(object map[string]any)) {
	for _, object := range o.objects {
		f(object)
	}
}

// Values calls f with every value that steps lead to from an object of the observation, through references to others, until f says
// false. Absent values and null are not there.
func (o *Observation) Values(object map[string]any, steps []Step, f func(v any) bool) {
	m := matcher{budget: math.MaxInt64}
	_ = m.resolve(o, object, "", steps, func(v any, _ string) (bool, error) { return !f(v), nil })
}

// Compare decides a test of this pattern, its NOT included, for one value of its property.
func (p *Pattern) Compare(t *Test, v any) (bool, error) {
	if err := p.compile(); err != nil {
		return false, err
	}
	if t.Op == Exists || v == nil {
		return t.Op == Exists && (v != nil) != t.Not, nil
	}
	m := matcher{p: p, budget: DefaultBudget}
	ok, err := m.compare(t, v, t.Path.Name())
	return ok != t.Not && err == nil, err
}

// Name is the last key of the path: it tells in which format its property is (section 9.6.4).
func (p *Path) Name() (name string) {
	for i := range p.Steps {
		if p.Steps[i].Kind == Key {
			name = p.Steps[i].Key
		}
	}
	return name
}

// IsBinary tells whether the property is octets written as text.
func (p *Path) IsBinary() bool { return isBinaryName(p.Name()) }

// maxTexts bounds the alternatives that Contains lists.
const maxTexts = 64

// Contains lists texts of which each value that meets a LIKE or MATCHES of this pattern has at least one, once it is in NFC. Nil: none
// are known.
func (p *Pattern) Contains(t *Test) []string {
	if t.Not || t.Path.IsBinary() || p.compile() != nil {
		return nil
	}
	e := &p.evaluators[t.slot]
	switch {
	case t.Op == Like:
		best := ""
		for _, piece := range strings.FieldsFunc(string(e.like), func(r rune) bool { return r == '%' || r == '_' }) {
			if len(piece) > len(best) {
				best = piece
			}
		}
		if best != "" && !strings.ContainsRune(best, '\uFFFD') {
			return []string{best}
		}
	case t.Op == Matches && e.regex.linear != nil:
		if re, err := syntax.Parse(e.regex.linear.String(), syntax.Perl); err == nil {
			return texts(re.Simplify(), 0)
		}
	}
	return nil
}

// texts lists what a text that the expression is found in contains one of.
func texts(re *syntax.Regexp, depth int) []string {
	if depth > maxRegexDepth {
		return nil
	}
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 && !slices.Contains(re.Rune, '\uFFFD') {
			return []string{string(re.Rune)}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return texts(re.Sub[0], depth+1)
	case syntax.OpRepeat:
		if re.Min > 0 {
			return texts(re.Sub[0], depth+1)
		}
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if found := texts(sub, depth+1); found != nil && (best == nil || shortest(found) > shortest(best)) {
				best = found
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			found := texts(sub, depth+1)
			if found == nil || len(all)+len(found) > maxTexts {
				return nil
			}
			all = append(all, found...)
		}
		return all
	}
	return nil
}

func shortest(list []string) int {
	n := len(list[0])
	for _, s := range list {
		n = min(n, len(s))
	}
	return n
}

// Changed is the pattern with other constants: f may change the Value and the Set of each test, and nothing else. Its Source stays the same.
func (p *Pattern) Changed(f func(*Test)) (*Pattern, error) {
	q, err := Parse(p.source)
	if err != nil {
		return nil, err
	}
	q.EachTest(f)
	return q, nil
}
