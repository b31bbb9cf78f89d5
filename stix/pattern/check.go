package pattern

import (
	"slices"
	"strconv"
	"strings"
)

// mixedTypes warns of AND between different object types: one object has one type, so both sides can never hold (section 9.5).
func (ps *parser) mixedTypes(c *Condition, offset int) {
	if c.Join == Single {
		return
	}
	if c.Join == All {
		if types, known := objectTypes(c); known && len(types) == 0 {
			ps.warn(CodeMixedTypes, offset, "9.5", "AND joins tests of different object types, which no single object can meet: join them with OR, "+
				"or observe them in brackets of their own")
			return
		}
	}
	for i := range c.Operands {
		ps.mixedTypes(&c.Operands[i], offset)
	}
}

// maxTypes bounds the alternatives between object types that are told apart.
const maxTypes = 32

// objectTypes are the types of the objects for which the condition can hold. known is false where there are too many to tell.
func objectTypes(c *Condition) (types []string, known bool) {
	if c.Join == Single {
		return []string{c.Test.Path.Type}, true
	}
	for i := range c.Operands {
		more, ok := objectTypes(&c.Operands[i])
		switch {
		case !ok || len(types) > maxTypes:
			return nil, false
		case i == 0:
			types = more
		case c.Join == All:
			types = common(types, more)
		default:
			for _, t := range more {
				if !slices.Contains(types, t) {
					types = append(types, t)
				}
			}
		}
	}
	return types, true
}

func common(a, b []string) []string {
	var both []string
	for _, t := range a {
		if slices.Contains(b, t) {
			both = append(both, t)
		}
	}
	return both
}

// hashLengths gives the number of hexadecimal digits by algorithm, its name in capitals and without hyphens.
var hashLengths = map[string]int{"MD5": 32, "RIPEMD160": 40, "SHA1": 40, "SHA224": 56, "SHA256": 64, "SHA384": 96, "SHA512": 128, "SHA3224": 56,
	"SHA3256": 64, "SHA3384": 96, "SHA3512": 128, "WHIRLPOOL": 128}

// hash reports a constant that cannot be the hash that its path names: it could never match.
func (ps *parser) hash(p Path, c Constant, offset int) {
	if c.Kind != String || len(p.Steps) < 2 {
		return
	}
	last := p.Steps[len(p.Steps)-1]
	if last.Kind != Key || !p.hasKey("hashes") {
		return
	}
	length, known := hashLengths[strings.ReplaceAll(strings.ToUpper(last.Key), "-", "")]
	if known && (len(c.Text) != length || !isHex(c.Text)) {
		ps.report(CodeHash, offset, "2.7", strconv.Quote(clip(c.Text))+" is not a valid "+last.Key+" hash: it has "+strconv.Itoa(length)+
			" hexadecimal digits")
	}
}

func (p *Path) hasKey(key string) bool {
	for _, s := range p.Steps {
		if s.Kind == Key && s.Key == key {
			return true
		}
	}
	return false
}

// Warnings lists what leaves the pattern valid and yet may not do what its author meant, in the order of the text: types and
// properties that the standard does not know, tests that can never hold, and regular expressions that cannot be evaluated.
func (p *Pattern) Warnings() []Problem {
	out := append([]Problem(nil), p.warnings...)
	warn := func(code string, offset int, section, message string) {
		if len(out) < maxProblems {
			out = append(out, Problem{Code: code, Level: LevelWarning, Message: message, Offset: offset, Section: section})
		}
	}
	p.EachTest(func(t *Test) {
		if properties, ok := vocabulary[t.Path.Type]; !ok {
			warn(CodeUnknownType, t.Offset, "6", "the standard has no object type "+strconv.Quote(clip(t.Path.Type)))
		} else if name := t.Path.Steps[0].Key; !slices.Contains(properties, name) && !slices.Contains(commonProperties, name) {
			warn(CodeUnknownProperty, t.Offset, "6", "the standard gives "+t.Path.Type+" no property "+strconv.Quote(clip(name)))
		}
		if t.Op == Matches {
			if err := checkRegex(t.Value.Text); err != nil {
				warn(CodeRegex, t.Offset, "9.6.1", err.Error())
			}
		}
	})
	sortProblems(out)
	for i := range out {
		out[i].Line, out[i].Col = place(p.source, out[i].Offset)
	}
	return out
}

// EachTest calls f for every test of the pattern, in the order of the text.
func (p *Pattern) EachTest(f func(*Test)) { p.root.eachTest(f) }

func (e *Expression) eachTest(f func(*Test)) {
	if e.Op == Observe {
		e.Condition.eachTest(f)
	}
	for i := range e.Operands {
		e.Operands[i].eachTest(f)
	}
}

func (e *Expression) eachQualifier(f func(*Qualifier)) {
	for i := range e.Operands {
		e.Operands[i].eachQualifier(f)
	}
	for i := range e.Qualifiers {
		f(&e.Qualifiers[i])
	}
}

// EachTest calls f with the tests of the condition.
func (c *Condition) EachTest(f func(*Test)) { c.eachTest(f) }

func (c *Condition) eachTest(f func(*Test)) {
	if c.Join == Single {
		f(&c.Test)
	}
	for i := range c.Operands {
		c.Operands[i].eachTest(f)
	}
}

// Comparison is a value that a pattern looks for at a path: what an index of patterns by value is made of.
type Comparison struct {
	Type  string // of the object
	Path  string // as a pattern writes it, without the type: hashes.'SHA-256'
	Value string // strings and timestamps as they are, numbers and booleans as JSON writes them, octets in hexadecimal
}

// MaxEqualities bounds what Equalities returns.
const MaxEqualities = 10_000

// Equalities lists the constants that the pattern compares with = or IN and does not negate, in the order of the text. A pattern
// may also match by its other tests: the list is complete only as a list of values.
func (p *Pattern) Equalities() []Comparison {
	var out []Comparison
	p.EachTest(func(t *Test) {
		if t.Not || t.Op != Equal && t.Op != In {
			return
		}
		path := t.Path.Property()
		add := func(c *Constant) {
			if len(out) < MaxEqualities {
				out = append(out, Comparison{Type: t.Path.Type, Path: path, Value: c.plain()})
			}
		}
		if t.Op == Equal {
			add(&t.Value)
		}
		for i := range t.Set {
			add(&t.Set[i])
		}
	})
	return out
}
