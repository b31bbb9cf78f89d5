package stix

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// plain marks the bytes of a string that need no look: printable ASCII but quote and backslash.
var plain = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func (s *scanner) str() *Error {
	src := s.src
	open := s.pos
	i := open + 1
	escaped := false
	for {
		for i < len(src) && plain[src[i]] {
			i++
		}
		if i >= len(src) {
			s.pos = i
			return s.fail("json.syntax", "the text ends inside a string")
		}
		c := src[i]
		switch {
		case c == '"':
			s.pos = i + 1
			if i-open-1 > s.lim.String {
				s.pos = open
				return s.fail("json.string", fmt.Sprintf("a string has more than %d bytes", s.lim.String))
			}
			_, err := s.push(node{start: uint32(open + 1), end: uint32(i), next: uint32(len(s.tape) + 1), kind: kindString, escaped: escaped})
			return err
		case c == '\\':
			escaped = true
			n := escapeLen(src[i:])
			if n == 0 {
				s.pos = i
				return s.fail("json.escape", "a wrong escape, or half of a surrogate pair, in a string")
			}
			i += n
		case c < 0x20:
			s.pos = i
			return s.fail("json.syntax", "a control character must be escaped in a string")
		default:
			r, n := utf8.DecodeRune(src[i:])
			if r == utf8.RuneError && n <= 1 {
				s.pos = i
				return s.fail("json.utf8", "a string is not UTF-8")
			}
			i += n
		}
	}
}

// escapeLen is the length of the escape sequence at the start of b, a surrogate pair counting as one; 0 if it is wrong.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r, ok := hex4(b)
		switch {
		case !ok || r >= 0xDC00 && r < 0xE000:
			return 0
		case r >= 0xD800 && r < 0xDC00:
			if low, ok := hex4(b[6:]); !ok || low < 0xDC00 || low >= 0xE000 {
				return 0
			}
			return 12
		}
		return 6
	}
	return 0
}

// hex4 reads \uXXXX at the start of b.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func (s *scanner) number() *Error {
	src, start := s.src, s.pos
	i := start
	if src[i] == '-' {
		i++
	}
	digits := func() int {
		from := i
		for i < len(src) && src[i] >= '0' && src[i] <= '9' {
			i++
		}
		return i - from
	}
	first := i
	n := digits()
	bad := n == 0 || n > 1 && src[first] == '0'
	integer := true
	if i < len(src) && src[i] == '.' {
		i++
		integer = false
		bad = digits() == 0 || bad
	}
	if i < len(src) && (src[i] == 'e' || src[i] == 'E') {
		i++
		integer = false
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		bad = digits() == 0 || bad
	}
	if bad {
		return s.fail("json.syntax", "not a JSON number")
	}
	// RFC 7493 2.2: what a double cannot hold exactly (integers) or at all is not interoperable.
	if integer && n > 15 {
		if v, err := strconv.ParseInt(string(src[start:i]), 10, 64); err != nil || v > maxInteger || v < -maxInteger {
			return s.fail("json.number", "an integer must lie within ±(2^53-1)")
		}
	} else if !integer {
		if f, err := strconv.ParseFloat(string(src[start:i]), 64); err != nil || math.IsInf(f, 0) {
			return s.fail("json.number", "a number is beyond the range of a double")
		}
	}
	s.pos = i
	_, err := s.push(node{start: uint32(start), end: uint32(i), next: uint32(len(s.tape) + 1), kind: kindNumber})
	return err
}

const maxInteger = 1<<53 - 1
