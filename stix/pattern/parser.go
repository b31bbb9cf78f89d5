package pattern

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parse reads a pattern by the grammar of STIX 2.1 and the rules that make a constant or a qualifier invalid. Its error is an
// *Error: the first thing that is wrong.
func Parse(src string) (*Pattern, error) {
	p, errs := parse(src)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return p, nil
}

// parser reads one pattern. fatal ends the reading; errs are invalid constants and qualifiers after which it can go on.
type parser struct {
	lex      lexer
	tok      token
	depth    int
	tests    int
	fatal    *Error
	errs     []*Error
	warnings []Problem
}

// maxProblems bounds what one pattern reports.
const maxProblems = 1000

func parse(src string) (*Pattern, []*Error) {
	if len(src) > MaxLength {
		return nil, []*Error{{Code: CodeTooLong, Message: "the pattern is longer than " + strconv.Itoa(MaxLength) + " bytes", Line: 1, Col: 1,
			Section: "9.4"}}
	}
	if !utf8.ValidString(src) {
		e := &Error{Code: CodeEncoding, Message: "a pattern is Unicode text, and this is not valid UTF-8", Offset: invalidUTF8(src), Section: "9.4"}
		e.Line, e.Col = place(src, e.Offset)
		return nil, []*Error{e}
	}
	ps := parser{lex: lexer{src: src}}
	ps.advance()
	p := &Pattern{source: src}
	ps.followedBy(&p.root)
	if ps.fatal == nil && ps.tok.kind != tokenEOF {
		ps.unexpected("AND, OR, FOLLOWEDBY, a qualifier or the end")
	}
	if ps.fatal != nil {
		ps.errs = append(ps.errs, ps.fatal)
		p = nil
	}
	for _, e := range ps.errs {
		e.Line, e.Col = place(src, e.Offset)
	}
	if p != nil {
		p.warnings, p.tests = ps.warnings, ps.tests
	}
	return p, ps.errs
}

func invalidUTF8(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return i
			}
		}
	}
	return len(s)
}

func (ps *parser) text() string { return ps.lex.src[ps.tok.start:ps.tok.end] }

func (ps *parser) advance() { ps.tok = ps.lex.next() }

func (ps *parser) isKeyword(word string) bool {
	return ps.tok.kind == tokenKeyword && ps.text() == word
}

func (ps *parser) isPunct(c byte) bool {
	return ps.tok.kind == tokenPunct && ps.lex.src[ps.tok.start] == c
}

func (ps *parser) fail(e *Error) bool {
	if ps.fatal == nil {
		ps.fatal = e
	}
	return false
}

// report notes an error after which reading goes on.
func (ps *parser) report(code string, offset int, section, message string) {
	if len(ps.errs) < maxProblems {
		ps.errs = append(ps.errs, &Error{Code: code, Message: message, Offset: offset, Section: section})
	}
}

func (ps *parser) warn(code string, offset int, section, message string) {
	if len(ps.warnings) < maxProblems {
		ps.warnings = append(ps.warnings, Problem{Code: code, Level: LevelWarning, Message: message, Offset: offset, Section: section})
	}
}

// unexpected fails at the current token, saying what could stand there.
func (ps *parser) unexpected(want string) bool {
	if ps.lex.reason != nil && ps.tok.kind == tokenInvalid {
		return ps.fail(ps.lex.reason)
	}
	found := "the end of the pattern"
	if ps.tok.kind != tokenEOF {
		text := ps.text()
		if len(text) > 40 {
			text = strings.ToValidUTF8(text[:40], "") + "..."
		}
		found = strconv.Quote(text)
	}
	message := "found " + found + " where " + want + " must stand"
	if ps.tok.kind == tokenName {
		if upper := strings.ToUpper(ps.text()); isKeyword(upper) {
			message += "; keywords are written in capitals: " + upper
		}
	}
	return ps.fail(&Error{Code: CodeSyntax, Message: message, Offset: ps.tok.start, Section: "9.5"})
}

func (ps *parser) keyword(word string) bool {
	if !ps.isKeyword(word) {
		return ps.unexpected(word)
	}
	ps.advance()
	return true
}

func (ps *parser) punct(c byte) bool {
	if !ps.isPunct(c) {
		return ps.unexpected("'" + string(rune(c)) + "'")
	}
	ps.advance()
	return true
}

// deeper enters one more level of parentheses.
func (ps *parser) deeper() bool {
	if ps.depth++; ps.depth > MaxDepth {
		return ps.fail(&Error{Code: CodeTooDeep, Message: "parentheses nest deeper than " + strconv.Itoa(MaxDepth) + " levels",
			Offset: ps.tok.start, Section: "9.5"})
	}
	return true
}

// chain reads operands joined by a keyword. One operand alone stands for itself.
func (ps *parser) chain(e *Expression, op Operator, operand func(*Expression) bool) bool {
	if !operand(e) {
		return false
	}
	word := operatorNames[op]
	if !ps.isKeyword(word) {
		return true
	}
	joined := Expression{Op: op, Operands: make([]Expression, 1, 2), Offset: e.Offset}
	joined.Operands[0] = *e
	for ps.isKeyword(word) {
		ps.advance()
		var next Expression
		if !operand(&next) {
			return false
		}
		joined.Operands = append(joined.Operands, next)
	}
	*e = joined
	return true
}

func (ps *parser) followedBy(e *Expression) bool { return ps.chain(e, FollowedBy, ps.or) }
func (ps *parser) or(e *Expression) bool         { return ps.chain(e, Or, ps.and) }
func (ps *parser) and(e *Expression) bool        { return ps.chain(e, And, ps.qualified) }

// qualified reads a bracketed or parenthesised expression with its qualifiers.
func (ps *parser) qualified(e *Expression) bool {
	start := ps.tok.start
	switch {
	case ps.isPunct('['):
		ps.advance()
		e.Offset = start
		if !ps.anyOf(&e.Condition) || !ps.punct(']') {
			return false
		}
		ps.mixedTypes(&e.Condition, start)
	case ps.isPunct('('):
		if !ps.deeper() {
			return false
		}
		ps.advance()
		if !ps.followedBy(e) || !ps.punct(')') {
			return false
		}
		ps.depth--
	default:
		return ps.unexpected("'[' or '('")
	}
	parenthesised := ps.lex.src[start] == '('
	for first := true; ps.tok.kind == tokenKeyword; first = false {
		var q Qualifier
		if is, ok := ps.qualifier(&q); !is {
			return ok
		}
		if first && parenthesised {
			*e = Expression{Op: Group, Operands: []Expression{*e}, Offset: start}
		}
		for _, earlier := range e.Qualifiers {
			if earlier.Kind != q.Kind {
				continue
			}
			if message := "the same expression carries more than one " + q.Kind.String(); parenthesised {
				ps.warn(CodeQualifierTwice, q.Offset, "9.5.1", message)
			} else {
				ps.report(CodeQualifierTwice, q.Offset, "9.5.1", message)
			}
			break
		}
		e.Qualifiers = append(e.Qualifiers, q)
	}
	return ps.fatal == nil
}

// qualifier reads one qualifier. is tells whether there was a whole one, ok whether reading may go on.
func (ps *parser) qualifier(q *Qualifier) (is, ok bool) {
	q.Offset = ps.tok.start
	switch ps.text() {
	case "REPEATS":
		ps.advance()
		q.Kind = Repeats
		at := ps.tok
		if at.kind != tokenInteger || ps.lex.src[at.start] == '-' {
			return false, ps.unexpected("a positive integer")
		}
		q.Times = ps.integer()
		if q.Times < 1 {
			ps.report(CodeQualifier, at.start, "9.5.1", "REPEATS needs an integer of at least 1")
		}
		return ps.keyword("TIMES"), ps.fatal == nil
	case "WITHIN":
		ps.advance()
		q.Kind = Within
		at := ps.tok
		if at.kind != tokenInteger && at.kind != tokenFloat || ps.lex.src[at.start] == '-' {
			return false, ps.unexpected("a positive number of seconds")
		}
		ps.constant(&q.Seconds)
		if q.Seconds.Int <= 0 && q.Seconds.Float <= 0 {
			ps.report(CodeQualifier, at.start, "9.5.1", "WITHIN needs a number above 0")
		}
		return ps.keyword("SECONDS"), ps.fatal == nil
	case "START":
		ps.advance()
		q.Kind = StartStop
		if ps.tok.kind != tokenTimestamp {
			return false, ps.unexpected("a timestamp t'...'")
		}
		ps.constant(&q.Start)
		if !ps.keyword("STOP") {
			return false, false
		}
		if ps.tok.kind != tokenTimestamp {
			return false, ps.unexpected("a timestamp t'...'")
		}
		ps.constant(&q.Stop)
		start, _ := parseInstant(q.Start.Text)
		stop, _ := parseInstant(q.Stop.Text)
		if start.compare(stop) >= 0 {
			ps.warn(CodeNever, q.Offset, "9.5.1", "STOP is not after START: no observation can match")
		}
		return true, true
	}
	return false, true
}

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
