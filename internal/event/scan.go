package event

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep objects and lists stand in each other.
const maxDepth = 64

// Error says where a line is no JSON object, and why.
type Error struct {
	At  int // in bytes
	Why string
}

func (e *Error) Error() string { return fmt.Sprintf("byte %d: %s", e.At, e.Why) }

// Scan reads a line that is one JSON object (RFC 8259) into the event, as far as the plan asks for it. What is skipped is checked only as far as its end is found. A name
// that stands twice gives both values: what one reader takes for the event, and what another.
func (p *Plan) Scan(line []byte, e *Event) error {
	e.Reset(p.slots)
	e.Line, e.all, e.plain = line, every, true
	s := scanner{b: line, e: e}
	i := s.space(0)
	if i >= len(line) || line[i] != '{' {
		return &Error{i, "an event is one JSON object"}
	}
	i = s.object(i, p.root, 0)
	e.ascii = s.bits&highs == 0
	if s.err != nil {
		return s.err
	}
	if i = s.space(i); i < len(line) {
		return &Error{i, "something follows the object"}
	}
	return nil
}

type scanner struct {
	b   []byte
	e   *Event
	err *Error

	bits uint64 // of all bytes of texts, or'ed
}

func (s *scanner) fail(at int, why string) int {
	if s.err == nil {
		s.err = &Error{at, why}
	}
	return len(s.b)
}

func (s *scanner) space(i int) int {
	for i < len(s.b) && (s.b[i] == ' ' || s.b[i] == '\t' || s.b[i] == '\n' || s.b[i] == '\r') {
		i++
	}
	return i
}

// object reads the object that begins at i, and gives where it ends.
func (s *scanner) object(i int, n *node, depth int) int {
	if depth >= maxDepth {
		return s.fail(i, "objects and lists stand too deep in each other")
	}
	b := s.b
	i = s.space(i + 1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return s.fail(i, "a name is expected")
		}
		end, escaped := s.quoted(i + 1)
		if end < 0 {
			return s.fail(i, "the name does not end")
		}
		name := b[i+1 : end]
		if escaped {
			mark := len(s.e.arena)
			name = s.e.unescape(name)
			s.e.arena = s.e.arena[:mark]
		}
		if i = end + 1; i >= len(b) || b[i] != ':' {
			if i = s.space(i); i >= len(b) || b[i] != ':' {
				return s.fail(i, "a colon is expected")
			}
		}
		if i++; i < len(b) && b[i] <= ' ' {
			i = s.space(i)
		}
		m := n.find(name)
		if m == nil && bytes.IndexByte(name, ' ') >= 0 {
			m = n.find(bytes.ReplaceAll(name, []byte(" "), nil))
		}
		if m == nil {
			i = s.skip(i, depth)
		} else {
			i = s.value(i, m, depth)
		}
		if s.err != nil {
			return len(b)
		}
		if i < len(b) && b[i] <= ' ' {
			i = s.space(i)
		}
		if i >= len(b) {
			return s.fail(i, "the object does not end")
		}
		switch b[i] {
		case '}':
			return i + 1
		case ',':
			if i++; i < len(b) && b[i] <= ' ' {
				i = s.space(i)
			}
		default:
			return s.fail(i, "a comma or the end of the object is expected")
		}
	}
}

// value reads what is asked for.
func (s *scanner) value(i int, m *member, depth int) int {
	b := s.b
	if i >= len(b) {
		return s.fail(i, "a value is expected")
	}
	switch c := b[i]; c {
	case '"':
		end, escaped := s.quoted(i + 1)
		if end < 0 {
			return s.fail(i, "the text does not end")
		}
		if m.slot >= 0 {
			m.give(s.e, Value{Text, b[i+1 : end : end]}, escaped)
		}
		return end + 1
	case '{':
		if m.down == nil {
			m.give(s.e, Value{Kind: Empty}, false)
			return s.skip(i, depth)
		}
		return s.object(i, m.down, depth+1)
	case '[':
		if depth >= maxDepth {
			return s.fail(i, "objects and lists stand too deep in each other")
		}
		if i = s.space(i + 1); i < len(b) && b[i] == ']' {
			m.give(s.e, Value{Kind: Empty}, false)
			return i + 1
		}
		for {
			if i = s.space(s.value(i, m, depth+1)); s.err != nil {
				return len(b)
			}
			if i >= len(b) {
				return s.fail(i, "the list does not end")
			}
			switch b[i] {
			case ']':
				return i + 1
			case ',':
				i = s.space(i + 1)
			default:
				return s.fail(i, "a comma or the end of the list is expected")
			}
		}
	}
	end := s.bare(i)
	if s.err == nil && m.slot >= 0 {
		v := Value{Number, b[i:end:end]}
		switch b[i] {
		case 'n':
			v = Value{Kind: Null}
		case 't', 'f':
			v.Kind = Bool
		}
		m.give(s.e, v, false)
	}
	return end
}

// give puts a value into the slots of a member.
func (m *member) give(e *Event, v Value, escaped bool) {
	if m.slot >= 0 {
		e.add(m.slot, v, escaped)
	}
	for _, slot := range m.also {
		e.add(slot, v, escaped)
	}
}

// bare finds the end of a number, true, false or null.
func (s *scanner) bare(i int) int {
	b := s.b
	end := i
	for end < len(b) && b[end] > ' ' && b[end] != ',' && b[end] != '}' && b[end] != ']' {
		end++
	}
	word := b[i:end]
	switch {
	case len(word) == 0:
		return s.fail(i, "a value is expected")
	case word[0] == '-' || word[0] >= '0' && word[0] <= '9':
		for _, c := range word[1:] {
			if (c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-' {
				return s.fail(i, "this is no number")
			}
		}
	case string(word) != "null" && string(word) != "true" && string(word) != "false":
		return s.fail(i, "this is no value")
	}
	return end
}

// skip goes over a value.
func (s *scanner) skip(i, depth int) int {
	b := s.b
	if i >= len(b) {
		return s.fail(i, "a value is expected")
	}
	switch b[i] {
	case '"':
		end, _ := s.quoted(i + 1)
		if end < 0 {
			return s.fail(i, "the text does not end")
		}
		return end + 1
	case '{', '[':
	default:
		return s.bare(i)
	}
	start, open := i, make([]byte, 0, maxDepth)
	for i < len(b) {
		switch c := b[i]; c {
		case '"':
			end, _ := s.quoted(i + 1)
			if end < 0 {
				return s.fail(i, "the text does not end")
			}
			i = end
		case '{', '[':
			if depth+len(open) >= maxDepth {
				return s.fail(i, "objects and lists stand too deep in each other")
			}
			open = append(open, c+2) // what ends it
		case '}', ']':
			if open[len(open)-1] != c {
				return s.fail(i, "this ends what did not begin")
			}
			if open = open[:len(open)-1]; len(open) == 0 {
				return i + 1
			}
		}
		i++
	}
	return s.fail(start, "the object or list does not end")
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// quoted finds the quote that ends the text which begins at i; -1: none. Escaped tells whether a backslash stands in it.
func (s *scanner) quoted(i int) (end int, escaped bool) {
	b := s.b
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		s.bits |= w
		q, e := w^(ones*'"'), w^(ones*'\\')
		m := ((q-ones)&^q | (e-ones)&^e) & highs // the lowest set bit is exact; higher ones may not be
		if m == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(m) / 8
		if b[i] == '"' {
			return i, escaped
		}
		i = s.backslash(i)
		escaped = true
	}
	for i < len(b) {
		s.bits |= uint64(b[i])
		switch b[i] {
		case '"':
			return i, escaped
		case '\\':
			i = s.backslash(i)
			escaped = true
		default:
			i++
		}
	}
	return -1, escaped
}

// backslash goes over it and what it is before.
func (s *scanner) backslash(i int) int {
	if i+1 < len(s.b) && (s.b[i+1] == 'u' || s.b[i+1] == '/') {
		s.e.plain = false
	}
	return i + 2
}

// every goes over the values of a line that was scanned: a text that no colon follows is no name.
func every(e *Event, f func(Value) bool) {
	s := scanner{b: e.Line, e: e}
	for i := 0; i < len(s.b); {
		switch c := s.b[i]; c {
		case '"':
			end, escaped := s.quoted(i + 1)
			if end < 0 {
				return
			}
			text := s.b[i+1 : end]
			if i = s.space(end + 1); i < len(s.b) && s.b[i] == ':' {
				i++
				continue
			}
			mark, grown := len(e.arena), len(e.arena)
			if escaped {
				text = e.unescape(text)
				grown = len(e.arena)
			}
			if !f(Value{Text, text}) {
				return
			}
			if len(e.arena) == grown { // nothing that stays was written behind it
				e.arena = e.arena[:mark]
			}
		case '{', '}', '[', ']', ',', ':', ' ', '\t', '\r', '\n':
			i++
		case 'n':
			i = s.bare(i)
		default:
			end := s.bare(i)
			if s.err != nil {
				return
			}
			v := Value{Number, s.b[i:end]}
			if c == 't' || c == 'f' {
				v.Kind = Bool
			}
			if i = end; !f(v) {
				return
			}
		}
	}
}

// unescape writes a text with backslashes out into the event's own memory. An escape that RFC 8259 does not know stays as it is written.
func (e *Event) unescape(t []byte) []byte {
	a := e.arena
	from := len(a)
	for {
		i := bytes.IndexByte(t, '\\')
		if i < 0 || i+1 >= len(t) {
			a = append(a, t...)
			break
		}
		a = append(a, t[:i]...)
		c := t[i+1]
		t = t[i+2:]
		switch c {
		case '"', '\\', '/':
			a = append(a, c)
		case 'n':
			a = append(a, '\n')
		case 't':
			a = append(a, '\t')
		case 'r':
			a = append(a, '\r')
		case 'b':
			a = append(a, '\b')
		case 'f':
			a = append(a, '\f')
		case 'u':
			r, ok := hex4(t)
			if !ok {
				a = append(a, '\\', 'u')
				continue
			}
			t = t[4:]
			if utf16.IsSurrogate(r) {
				low, ok := rune(0), false
				if len(t) >= 6 && t[0] == '\\' && t[1] == 'u' {
					low, ok = hex4(t[2:])
				}
				if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
					t = t[6:]
				} else {
					r = utf8.RuneError
				}
			}
			a = utf8.AppendRune(a, r)
		default:
			a = append(a, '\\', c)
		}
	}
	e.arena = a
	return a[from:len(a):len(a)]
}

func hex4(t []byte) (r rune, ok bool) {
	if len(t) < 4 {
		return 0, false
	}
	for _, c := range t[:4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
