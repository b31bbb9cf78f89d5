package pattern

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// String is the pattern in one canonical form: single spaces, the parentheses it needs and those that carry qualifiers, = and !=
// for their other spellings. Parsing it gives an equal pattern.
func (p *Pattern) String() string { return string(p.root.append(make([]byte, 0, len(p.source)+8))) }

func (e *Expression) append(b []byte) []byte {
	switch e.Op {
	case Observe:
		b = append(b, '[')
		b = e.Condition.append(b)
		b = append(b, ']')
	case Group:
		b = append(b, '(')
		b = e.Operands[0].append(b)
		b = append(b, ')')
	default:
		for i := range e.Operands {
			if i > 0 {
				b = append(b, ' ')
				b = append(b, e.Op.String()...)
				b = append(b, ' ')
			}
			// Operators are declared from the tightest to the loosest.
			loose := e.Operands[i].Op >= e.Op
			if loose {
				b = append(b, '(')
			}
			b = e.Operands[i].append(b)
			if loose {
				b = append(b, ')')
			}
		}
	}
	for i := range e.Qualifiers {
		b = append(b, ' ')
		b = e.Qualifiers[i].append(b)
	}
	return b
}

func (q *Qualifier) append(b []byte) []byte {
	switch q.Kind {
	case Repeats:
		b = append(b, "REPEATS "...)
		b = strconv.AppendInt(b, q.Times, 10)
		return append(b, " TIMES"...)
	case Within:
		b = append(b, "WITHIN "...)
		b = q.Seconds.append(b)
		return append(b, " SECONDS"...)
	}
	b = append(b, "START "...)
	b = q.Start.append(b)
	b = append(b, " STOP "...)
	return q.Stop.append(b)
}

func (c *Condition) append(b []byte) []byte {
	if c.Join == Single {
		return c.Test.append(b)
	}
	for i := range c.Operands {
		if i > 0 {
			if c.Join == All {
				b = append(b, " AND "...)
			} else {
				b = append(b, " OR "...)
			}
		}
		loose := c.Operands[i].Join >= c.Join
		if loose {
			b = append(b, '(')
		}
		b = c.Operands[i].append(b)
		if loose {
			b = append(b, ')')
		}
	}
	return b
}

func (t *Test) append(b []byte) []byte {
	if t.Op == Exists {
		if t.Not {
			b = append(b, "NOT "...)
		}
		b = append(b, "EXISTS "...)
		return t.Path.append(b)
	}
	b = t.Path.append(b)
	if t.Not {
		b = append(b, " NOT"...)
	}
	b = append(b, ' ')
	b = append(b, t.Op.String()...)
	b = append(b, ' ')
	if t.Op != In {
		return t.Value.append(b)
	}
	b = append(b, '(')
	for i := range t.Set {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = t.Set[i].append(b)
	}
	return append(b, ')')
}

func (p *Path) String() string { return string(p.append(nil)) }

// Property is the path without its type, as a pattern writes it.
func (p *Path) Property() string { return string(p.appendSteps(nil)) }

func (p *Path) append(b []byte) []byte {
	b = append(b, p.Type...)
	b = append(b, ':')
	return p.appendSteps(b)
}

func (p *Path) appendSteps(b []byte) []byte {
	for i, s := range p.Steps {
		switch s.Kind {
		case Key:
			if i > 0 {
				b = append(b, '.')
			}
			if isPlainName(s.Key) {
				b = append(b, s.Key...)
			} else {
				b = appendQuoted(b, s.Key)
			}
		case Index:
			b = append(b, '[')
			b = strconv.AppendInt(b, s.Index, 10)
			b = append(b, ']')
		default:
			b = append(b, "[*]"...)
		}
	}
	return b
}

// isPlainName tells whether a property name needs no quotes.
func isPlainName(s string) bool {
	if s == "" || isDigit(s[0]) || isKeyword(s) || s == "true" || s == "false" {
		return false
	}
	for i := range len(s) {
		if !isLetter(s[i]) && !isDigit(s[i]) {
			return false
		}
	}
	return true
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '\'')
	for {
		i := strings.IndexAny(s, `'\`)
		if i < 0 {
			break
		}
		b = append(b, s[:i]...)
		b = append(b, '\\', s[i])
		s = s[i+1:]
	}
	b = append(b, s...)
	return append(b, '\'')
}

func (c *Constant) append(b []byte) []byte {
	switch c.Kind {
	case String:
		return appendQuoted(b, c.Text)
	case Binary:
		b = append(b, "b'"...)
		b = base64.StdEncoding.AppendEncode(b, []byte(c.Text))
		return append(b, '\'')
	case Hex:
		b = append(b, "h'"...)
		b = hex.AppendEncode(b, []byte(c.Text))
		return append(b, '\'')
	case Timestamp:
		b = append(b, "t'"...)
		b = append(b, c.Text...)
		return append(b, '\'')
	case Float:
		start := len(b)
		b = strconv.AppendFloat(b, c.Float, 'f', -1, 64)
		if !slices.Contains(b[start:], '.') {
			b = append(b, ".0"...)
		}
		return b
	case Integer:
		return strconv.AppendInt(b, c.Int, 10)
	}
	return strconv.AppendBool(b, c.Bool)
}

// String is the constant as a pattern writes it.
func (c Constant) String() string { return string(c.append(nil)) }

// plain is the value without quotes.
func (c *Constant) plain() string {
	switch c.Kind {
	case String, Timestamp:
		return c.Text
	case Binary, Hex:
		return hex.EncodeToString([]byte(c.Text))
	}
	return c.String()
}

func sortProblems(list []Problem) {
	slices.SortStableFunc(list, func(a, b Problem) int { return cmp.Compare(a.Offset, b.Offset) })
}
