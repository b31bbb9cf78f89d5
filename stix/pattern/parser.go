package pattern

import (
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
