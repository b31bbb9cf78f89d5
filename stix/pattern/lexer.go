package pattern

import (
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEOF tokenKind = iota
	tokenInvalid
	tokenName   // identifier without a hyphen
	tokenHyphen // identifier with a hyphen
	tokenKeyword
	tokenString
	tokenInteger
	tokenFloat
	tokenBoolean
	tokenBinary
	tokenHex
	tokenTimestamp
	tokenCompare // = == != <> < <= > >=
	tokenPunct   // [ ] ( ) : . , *
)

// token is a span of the source. For quoted constants the span holds the quotes and the prefix.
type token struct {
	kind       tokenKind
	op         Comparator // of tokenCompare
	escaped    bool       // of tokenString: it holds a backslash
	start, end int
}

// keywords are case-sensitive in STIX 2.1.
func isKeyword(s string) bool {
	switch s {
	case "AND", "OR", "NOT", "FOLLOWEDBY", "LIKE", "MATCHES", "ISSUPERSET", "ISSUBSET", "EXISTS", "LAST", "IN", "START", "STOP", "SECONDS",
		"WITHIN", "REPEATS", "TIMES":
		return true
	}
	return false
}

type lexer struct {
	src    string
	pos    int
	reason *Error // why the last token was tokenInvalid, when more can be said than that it is
}

func (l *lexer) next() token {
	l.reason = nil
	if !l.skipSpace() {
		return token{kind: tokenInvalid, start: l.pos, end: len(l.src)}
	}
	start := l.pos
	if start >= len(l.src) {
		return token{kind: tokenEOF, start: start, end: start}
	}
	c := l.src[start]
	switch {
	case isLetter(c):
		return l.word()
	case c == '\'':
		return l.quoted(start)
	case isDigit(c), c == '+', c == '-', c == '.' && l.digitAt(start+1):
		return l.number()
	}
	two := ""
	if start+2 <= len(l.src) {
		two = l.src[start : start+2]
	}
	compare := func(op Comparator, n int) token {
		l.pos += n
		return token{kind: tokenCompare, op: op, start: start, end: l.pos}
	}
	switch two {
	case "==":
		return compare(Equal, 2)
	case "!=", "<>":
		return compare(NotEqual, 2)
	case "<=":
		return compare(LessOrEqual, 2)
	case ">=":
		return compare(GreaterOrEqual, 2)
	}
	switch c {
	case '=':
		return compare(Equal, 1)
	case '<':
		return compare(Less, 1)
	case '>':
		return compare(Greater, 1)
	case '[', ']', '(', ')', ':', '.', ',', '*':
		l.pos++
		return token{kind: tokenPunct, start: start, end: l.pos}
	}
	_, size := utf8.DecodeRuneInString(l.src[start:])
	l.pos += size
	return token{kind: tokenInvalid, start: start, end: l.pos}
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

func (l *lexer) digitAt(i int) bool { return i < len(l.src) && isDigit(l.src[i]) }

// skipSpace passes white space and comments. False: a comment does not end.
func (l *lexer) skipSpace() bool {
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case c == ' ' || c >= '\t' && c <= '\r':
			l.pos++
		case c == '/' && l.pos+1 < len(l.src) && l.src[l.pos+1] == '/':
			for l.pos < len(l.src) && l.src[l.pos] != '\n' && l.src[l.pos] != '\r' {
				l.pos++
			}
		case c == '/' && l.pos+1 < len(l.src) && l.src[l.pos+1] == '*':
			end := indexFrom(l.src, "*/", l.pos+2)
			if end < 0 {
				l.reason = &Error{Code: CodeSyntax, Message: "a comment has no end: */ is missing", Offset: l.pos, Section: "9.4"}
				return false
			}
			l.pos = end + 2
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(l.src[l.pos:])
			if !unicode.IsSpace(r) {
				return true
			}
			l.pos += size
		default:
			return true
		}
	}
	return true
}

func (l *lexer) word() token {
	start, kind := l.pos, tokenName
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		if c == '-' {
			kind = tokenHyphen
		} else if !isLetter(c) && !isDigit(c) {
			break
		}
		l.pos++
	}
	word := l.src[start:l.pos]
	if len(word) == 1 && l.pos < len(l.src) && l.src[l.pos] == '\'' {
		switch word {
		case "t", "h", "b":
			return l.prefixed(start, word[0])
		}
	}
	switch {
	case word == "true" || word == "false":
		kind = tokenBoolean
	case kind == tokenName && isKeyword(word):
		kind = tokenKeyword
	}
	return token{kind: kind, start: start, end: l.pos}
}

// quoted reads a string whose opening quote stands at l.pos. Only \' and \\ are escapes.
func (l *lexer) quoted(start int) token {
	escaped := false
	for i := l.pos + 1; i < len(l.src); i++ {
		switch l.src[i] {
		case '\'':
			l.pos = i + 1
			return token{kind: tokenString, escaped: escaped, start: start, end: l.pos}
		case '\\':
			if i+1 >= len(l.src) || l.src[i+1] != '\'' && l.src[i+1] != '\\' {
				l.reason = &Error{Code: CodeString, Message: `a backslash in a string may stand only before ' or \; write \\ for a backslash`,
					Offset: i, Section: "9.2"}
				l.pos = len(l.src)
				return token{kind: tokenInvalid, start: i, end: i + 1}
			}
			escaped = true
			i++
		}
	}
	l.reason = &Error{Code: CodeString, Message: "a string has no closing '", Offset: start, Section: "9.2"}
	l.pos = len(l.src)
	return token{kind: tokenInvalid, start: start, end: l.pos}
}

// prefixed reads a t'..', h'..' or b'..' constant.
func (l *lexer) prefixed(start int, prefix byte) token {
	end := indexFrom(l.src, "'", l.pos+1)
	if end < 0 {
		l.reason = &Error{Code: CodeString, Message: "a constant has no closing '", Offset: start, Section: "9.2"}
		l.pos = len(l.src)
		return token{kind: tokenInvalid, start: start, end: l.pos}
	}
	body := l.src[l.pos+1 : end]
	l.pos = end + 1
	t := token{start: start, end: l.pos}
	switch prefix {
	case 't':
		t.kind = tokenTimestamp
		if _, ok := parseInstant(body); !ok {
			l.reason = &Error{Code: CodeTimestamp, Message: "not a timestamp: write t'YYYY-MM-DDThh:mm:ss[.s]Z'", Offset: start, Section: "9.2, 2.16"}
		}
	case 'h':
		t.kind = tokenHex
		if !isHex(body) {
			l.reason = &Error{Code: CodeHex, Message: "not hexadecimal: an even number of the digits 0-9 and a-f must stand between the quotes",
				Offset: start, Section: "9.2"}
		}
	default:
		t.kind = tokenBinary
		if _, err := decodeBase64(body); err != nil {
			l.reason = &Error{Code: CodeBinary, Message: "not base64 (RFC 4648) with its padding", Offset: start, Section: "9.2"}
		}
	}
	if l.reason != nil {
		t.kind = tokenInvalid
	}
	return t
}

// number reads an integer without leading zeros, or a float with a digit after its point.
func (l *lexer) number() token {
	start, i := l.pos, l.pos
	if l.src[i] == '+' || l.src[i] == '-' {
		i++
	}
	digits := i
	for l.digitAt(i) {
		i++
	}
	if i < len(l.src) && l.src[i] == '.' && l.digitAt(i+1) {
		for i++; l.digitAt(i); i++ {
		}
		l.pos = i
		return token{kind: tokenFloat, start: start, end: i}
	}
	if i == digits {
		l.pos = start + 1
		return token{kind: tokenInvalid, start: start, end: l.pos}
	}
	l.pos = i
	if i-digits > 1 && l.src[digits] == '0' {
		l.reason = &Error{Code: CodeNumber, Message: "an integer has no leading zeros", Offset: start, Section: "9.2"}
		return token{kind: tokenInvalid, start: start, end: i}
	}
	return token{kind: tokenInteger, start: start, end: i}
}
