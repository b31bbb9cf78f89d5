package stix

import (
	"bytes"
	"fmt"
	"sync"
)

// Limits bound what Parse accepts. A zero field stands for its default.
type Limits struct {
	Size   int // bytes of one object; default 16 MiB, at most 1 GiB
	Depth  int // nesting of objects and lists; default 64, at most 1000
	String int // bytes of one string as written; default Size
	Items  int // values in one object; default 1,000,000
}

func (l Limits) filled() Limits {
	if l.Size <= 0 {
		l.Size = 16 << 20
	}
	l.Size = min(l.Size, 1<<30)
	if l.Depth <= 0 {
		l.Depth = 64
	}
	l.Depth = min(l.Depth, 1000)
	if l.String <= 0 {
		l.String = l.Size
	}
	if l.Items <= 0 {
		l.Items = 1_000_000
	}
	return l
}

type kind uint8

const (
	kindNull kind = iota
	kindFalse
	kindTrue
	kindNumber
	kindString
	kindList
	kindObject
)

// A node is one JSON value. The nodes of a text stand in a tape in document order: the members of an object follow it as key, value,
// key, value; the items of a list follow it. next is the index after the whole value, so that a reader can step over it.
type node struct {
	start, end uint32 // bytes of the value; of a string, without its quotes
	next       uint32
	count      uint32 // members or items
	kind       kind
	escaped    bool // a string with at least one escape
}

// scanner makes the tape of one JSON text: strict I-JSON (RFC 7493), one pass.
type scanner struct {
	src  []byte
	pos  int
	lim  Limits
	tape []node
	keys []uint32 // tape indices of the keys of the objects that are open
}

var scanners = sync.Pool{New: func() any { return &scanner{tape: make([]node, 0, 256)} }}

// scan returns the tape of src, exactly sized.
func scan(src []byte, lim Limits) ([]node, *Error) {
	lim = lim.filled()
	if len(src) > lim.Size {
		return nil, &Error{Code: "json.size", Message: fmt.Sprintf("the text has %d bytes, more than the limit of %d", len(src), lim.Size)}
	}
	s := scanners.Get().(*scanner)
	s.src, s.pos, s.lim, s.tape, s.keys = src, 0, lim, s.tape[:0], s.keys[:0]
	s.space()
	err := s.value(0)
	if err == nil {
		s.space()
		if s.pos < len(src) {
			err = s.fail("json.syntax", "text after the end of the value")
		}
	}
	var tape []node
	if err == nil {
		tape = make([]node, len(s.tape))
		copy(tape, s.tape)
	}
	if err != nil {
		err.Pointer = locate(src, err.Offset)
	}
	s.src = nil
	if cap(s.tape) <= 1<<16 {
		scanners.Put(s)
	}
	return tape, err
}

func (s *scanner) fail(code, message string) *Error {
	return &Error{Code: code, Message: message, Offset: int64(s.pos), Section: "12 (RFC 7493)"}
}

func (s *scanner) space() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) push(n node) (uint32, *Error) {
	if len(s.tape) >= 2*s.lim.Items {
		return 0, s.fail("json.items", fmt.Sprintf("more than %d values", s.lim.Items))
	}
	s.tape = append(s.tape, n)
	return uint32(len(s.tape) - 1), nil
}

func (s *scanner) value(depth int) *Error {
	if s.pos >= len(s.src) {
		return s.fail("json.syntax", "the text ends where a value is expected")
	}
	switch c := s.src[s.pos]; {
	case c == '"':
		return s.str()
	case c == '{':
		return s.object(depth + 1)
	case c == '[':
		return s.list(depth + 1)
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true", kindTrue)
	case c == 'f':
		return s.literal("false", kindFalse)
	case c == 'n':
		return s.literal("null", kindNull)
	}
	return s.fail("json.syntax", fmt.Sprintf("unexpected byte %q where a value is expected", s.src[s.pos]))
}

func (s *scanner) literal(text string, k kind) *Error {
	if len(s.src)-s.pos < len(text) || string(s.src[s.pos:s.pos+len(text)]) != text {
		return s.fail("json.syntax", "not a JSON literal; did you mean "+text+"?")
	}
	start := s.pos
	s.pos += len(text)
	_, err := s.push(node{start: uint32(start), end: uint32(s.pos), next: uint32(len(s.tape) + 1), kind: k})
	return err
}

func (s *scanner) object(depth int) *Error {
	if depth > s.lim.Depth {
		return s.fail("json.depth", fmt.Sprintf("nested deeper than %d", s.lim.Depth))
	}
	at, err := s.push(node{start: uint32(s.pos), kind: kindObject})
	if err != nil {
		return err
	}
	s.pos++
	firstKey := len(s.keys)
	s.space()
	if s.pos < len(s.src) && s.src[s.pos] == '}' {
		s.pos++
		s.close(at, 0)
		return nil
	}
	for count := uint32(1); ; count++ {
		if s.pos >= len(s.src) || s.src[s.pos] != '"' {
			return s.fail("json.syntax", "a property name in quotes is expected")
		}
		key := uint32(len(s.tape))
		if err := s.str(); err != nil {
			return err
		}
		s.keys = append(s.keys, key)
		s.space()
		if s.pos >= len(s.src) || s.src[s.pos] != ':' {
			return s.fail("json.syntax", "a colon is expected after a property name")
		}
		s.pos++
		s.space()
		if err := s.value(depth); err != nil {
			return err
		}
		s.space()
		if s.pos < len(s.src) && s.src[s.pos] == ',' {
			s.pos++
			s.space()
			continue
		}
		if s.pos < len(s.src) && s.src[s.pos] == '}' {
			s.pos++
			if err := s.unique(s.keys[firstKey:]); err != nil {
				return err
			}
			s.keys = s.keys[:firstKey]
			s.close(at, count)
			return nil
		}
		return s.fail("json.syntax", "a comma or closing brace is expected")
	}
}

func (s *scanner) list(depth int) *Error {
	if depth > s.lim.Depth {
		return s.fail("json.depth", fmt.Sprintf("nested deeper than %d", s.lim.Depth))
	}
	at, err := s.push(node{start: uint32(s.pos), kind: kindList})
	if err != nil {
		return err
	}
	s.pos++
	s.space()
	if s.pos < len(s.src) && s.src[s.pos] == ']' {
		s.pos++
		s.close(at, 0)
		return nil
	}
	for count := uint32(1); ; count++ {
		if err := s.value(depth); err != nil {
			return err
		}
		s.space()
		if s.pos < len(s.src) && s.src[s.pos] == ',' {
			s.pos++
			s.space()
			continue
		}
		if s.pos < len(s.src) && s.src[s.pos] == ']' {
			s.pos++
			s.close(at, count)
			return nil
		}
		return s.fail("json.syntax", "a comma or closing bracket is expected")
	}
}

func (s *scanner) close(at, count uint32) {
	n := &s.tape[at]
	n.end, n.next, n.count = uint32(s.pos), uint32(len(s.tape)), count
}

// unique refuses an object that has a key twice.
func (s *scanner) unique(keys []uint32) *Error {
	if len(keys) > 32 {
		seen := make(map[string]struct{}, len(keys))
		for _, key := range keys {
			name := unescape(s.src, s.tape[key])
			if _, twice := seen[name]; twice {
				return s.duplicate(s.tape[key])
			}
			seen[name] = struct{}{}
		}
		return nil
	}
	for i, key := range keys {
		k := s.tape[key]
		for _, other := range keys[:i] {
			if s.same(k, s.tape[other]) {
				return s.duplicate(k)
			}
		}
	}
	return nil
}

func (s *scanner) same(a, b node) bool {
	if a.escaped || b.escaped {
		return unescape(s.src, a) == unescape(s.src, b)
	}
	return a.end-a.start == b.end-b.start && bytes.Equal(s.src[a.start:a.end], s.src[b.start:b.end])
}

func (s *scanner) duplicate(k node) *Error {
	s.pos = int(k.start)
	return s.fail("json.duplicate", fmt.Sprintf("the property %q appears twice in one object", unescape(s.src, k)))
}
