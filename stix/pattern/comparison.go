package pattern

import (
	"math"
	"strconv"
	"strings"
)

// anyOf reads a comparison expression: alternatives of alternatives of tests.
func (ps *parser) anyOf(c *Condition) bool { return ps.join(c, Any, "OR", ps.allOf) }
func (ps *parser) allOf(c *Condition) bool { return ps.join(c, All, "AND", ps.term) }

func (ps *parser) join(c *Condition, join Join, word string, operand func(*Condition) bool) bool {
	if !operand(c) {
		return false
	}
	if !ps.isKeyword(word) {
		return true
	}
	joined := Condition{Join: join, Operands: make([]Condition, 1, 2)}
	joined.Operands[0] = *c
	for ps.isKeyword(word) {
		ps.advance()
		var next Condition
		if !operand(&next) {
			return false
		}
		joined.Operands = append(joined.Operands, next)
	}
	*c = joined
	return true
}

func (ps *parser) term(c *Condition) bool {
	if ps.isPunct('(') {
		if !ps.deeper() {
			return false
		}
		ps.advance()
		if !ps.anyOf(c) || !ps.punct(')') {
			return false
		}
		ps.depth--
		return true
	}
	return ps.test(&c.Test)
}

func (ps *parser) test(t *Test) bool {
	t.Offset, t.slot = ps.tok.start, ps.tests
	ps.tests++
	if ps.isKeyword("NOT") {
		ps.advance()
		t.Not = true
		if !ps.isKeyword("EXISTS") {
			return ps.unexpected("EXISTS (elsewhere NOT stands after the path)")
		}
	}
	if ps.isKeyword("EXISTS") {
		ps.advance()
		t.Op = Exists
		return ps.path(&t.Path)
	}
	if !ps.path(&t.Path) {
		return false
	}
	if ps.isKeyword("NOT") {
		ps.advance()
		t.Not = true
	}
	switch {
	case ps.tok.kind == tokenCompare:
		t.Op = ps.tok.op
		ps.advance()
		if ps.tok.kind == tokenBoolean && t.Op != Equal && t.Op != NotEqual {
			return ps.unexpected("a constant that has an order")
		}
		at := ps.tok.start
		if !ps.constant(&t.Value) {
			return false
		}
		if t.Op == Equal || t.Op == NotEqual {
			ps.hash(t.Path, t.Value, at)
		}
		return true
	case ps.isKeyword("IN"):
		ps.advance()
		t.Op = In
		return ps.set(t)
	case ps.isKeyword("LIKE"):
		t.Op = Like
	case ps.isKeyword("MATCHES"):
		t.Op = Matches
	case ps.isKeyword("ISSUBSET"):
		t.Op = IsSubset
	case ps.isKeyword("ISSUPERSET"):
		t.Op = IsSuperset
	default:
		return ps.unexpected("a comparison operator")
	}
	ps.advance()
	if ps.tok.kind != tokenString {
		return ps.unexpected("a string constant")
	}
	at := ps.tok.start
	if !ps.constant(&t.Value) {
		return false
	}
	if t.Op == IsSubset || t.Op == IsSuperset {
		if _, ok := parsePrefix(t.Value.Text); !ok {
			ps.report(CodeAddress, at, "9.6.1", "not an IPv4 or IPv6 address or CIDR block: "+strconv.Quote(clip(t.Value.Text)))
		}
	}
	return true
}

func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "..."
	}
	return s
}

func (ps *parser) set(t *Test) bool {
	open := ps.tok.start
	if !ps.punct('(') {
		return false
	}
	for !ps.isPunct(')') {
		if len(t.Set) > 0 && !ps.punct(',') {
			return false
		}
		var c Constant
		at := ps.tok.start
		if !ps.constant(&c) {
			return false
		}
		if len(t.Set) > 0 && family(c.Kind) != family(t.Set[0].Kind) {
			ps.report(CodeSet, at, "9.6.1", "the constants of a set must be of one type: found "+c.Kind.String()+" after "+t.Set[0].Kind.String())
		}
		ps.hash(t.Path, c, at)
		t.Set = append(t.Set, c)
	}
	ps.advance()
	if len(t.Set) == 0 {
		ps.warn(CodeNever, open, "9.6.1", "an empty set holds no value")
	}
	return true
}

// family is what a set must be homogeneous in: numbers compare with numbers, octets with octets.
func family(k ConstantKind) ConstantKind {
	switch k {
	case Float:
		return Integer
	case Hex:
		return Binary
	}
	return k
}

// path reads type:property.property[n].
func (ps *parser) path(p *Path) bool {
	if ps.tok.kind != tokenName && ps.tok.kind != tokenHyphen {
		return ps.unexpected("an object path (type:property)")
	}
	p.Type = ps.text()
	ps.advance()
	if !ps.punct(':') {
		return false
	}
	p.Steps = make([]Step, 0, 4)
	if !ps.key(p) {
		return false
	}
	for {
		switch {
		case ps.isPunct('.'):
			ps.advance()
			if !ps.key(p) {
				return false
			}
		case ps.isPunct('['):
			ps.advance()
			step := Step{Kind: Every}
			at := ps.tok.start
			switch {
			case ps.isPunct('*'):
				ps.advance()
			case ps.tok.kind == tokenInteger:
				step = Step{Kind: Index, Index: ps.integer()}
				if step.Index < 0 {
					ps.warn(CodeNever, at, "9.7.2", "a list index counts from 0: a negative one finds nothing")
				}
			default:
				return ps.unexpected("a list index or *")
			}
			p.Steps = append(p.Steps, step)
			if !ps.punct(']') {
				return false
			}
		default:
			return true
		}
	}
}

func (ps *parser) key(p *Path) bool {
	switch ps.tok.kind {
	case tokenName:
		p.Steps = append(p.Steps, Step{Key: ps.text()})
	case tokenString:
		p.Steps = append(p.Steps, Step{Key: ps.unquote()})
	case tokenHyphen:
		return ps.fail(&Error{Code: CodePath, Message: "a property name with a hyphen stands in quotes: '" + clip(ps.text()) + "'",
			Offset: ps.tok.start, Section: "9.7"})
	case tokenKeyword, tokenBoolean:
		return ps.unexpected("a property name (quoted if it is a keyword)")
	default:
		return ps.unexpected("a property name")
	}
	ps.advance()
	return true
}

// unquote is the value of the string token.
func (ps *parser) unquote() string {
	body := ps.lex.src[ps.tok.start+1 : ps.tok.end-1]
	if !ps.tok.escaped {
		return body
	}
	var b strings.Builder
	b.Grow(len(body))
	for i := 0; i < len(body); i++ {
		if body[i] == '\\' {
			i++
		}
		b.WriteByte(body[i])
	}
	return b.String()
}

// maxInteger is the greatest integer of section 2.10.
const maxInteger = 1<<53 - 1

// integer reads the integer token.
func (ps *parser) integer() int64 {
	n, err := strconv.ParseInt(ps.text(), 10, 64)
	if err != nil || n > maxInteger || n < -maxInteger {
		ps.report(CodeNumber, ps.tok.start, "9.2, 2.10", "an integer lies between -(2^53-1) and 2^53-1")
	}
	ps.plus()
	ps.advance()
	return n
}

func (ps *parser) plus() {
	if ps.lex.src[ps.tok.start] == '+' {
		ps.warn(CodeNumber, ps.tok.start, "9.2", "a positive number is written without a plus sign")
	}
}

// constant reads any constant.
func (ps *parser) constant(c *Constant) bool {
	src, t := ps.lex.src, ps.tok
	switch t.kind {
	case tokenString:
		c.Kind, c.Text = String, ps.unquote()
	case tokenInteger:
		c.Kind, c.Int = Integer, ps.integer()
		return true
	case tokenFloat:
		f, err := strconv.ParseFloat(ps.text(), 64)
		if err != nil || math.IsInf(f, 0) {
			ps.report(CodeNumber, t.start, "9.2, 2.6", "the number is beyond the range of a float")
			f = 0
		}
		ps.plus()
		c.Kind, c.Float = Float, f
	case tokenBoolean:
		c.Kind, c.Bool = Boolean, t.end-t.start == len("true")
	case tokenBinary:
		c.Kind = Binary
		c.Text, _ = decodeBase64(src[t.start+2 : t.end-1])
	case tokenHex:
		c.Kind = Hex
		c.Text, _ = decodeHex(src[t.start+2 : t.end-1])
	case tokenTimestamp:
		c.Kind, c.Text = Timestamp, src[t.start+2:t.end-1]
		if i, _ := parseInstant(c.Text); !i.exists() {
			ps.warn(CodeTimestamp, t.start, "2.16", "no calendar has the day "+c.Text[:10])
		}
	default:
		return ps.unexpected("a constant")
	}
	ps.advance()
	return true
}
