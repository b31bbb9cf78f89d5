package evtx

import (
	"encoding/binary"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// span is a part of a chunk.
type span struct{ from, to int }

// chunk is one that is being read, with what its records share.
type chunk struct {
	b         []byte
	templates map[int]*node
	names     map[int]name
	work      int // tokens and values that may still be looked at
	w         *writer
}

type name struct {
	text string
	end  int // where it ends in the chunk
}

// kinds of nodes.
const (
	element uint8 = iota
	text
	place    // a value of the record stands there
	fragment // several nodes
)

// node is a part of the XML of a template.
type node struct {
	kind  uint8
	name  string // of an element
	text  string
	id    int // of a place
	attrs []attr
	kids  []*node

	values []value // of the places in it; nil: those around it
}

type attr struct {
	name string
	kids []*node
}

var (
	errShort = errors.New("it ends early")
	errWork  = errors.New("it would take too long to read")
	errDeep  = errors.New("it is too deep")
	errToken = errors.New("it has a token that is not known")
	errRoot  = errors.New("it is no event")
	errLong  = errors.New("it is too long")
)

func (c *chunk) reset() {
	c.templates, c.names, c.work = map[int]*node{}, map[int]name{}, maxWork
}

// used is where the records of the chunk end.
func (c *chunk) used() int {
	if free := int(binary.LittleEndian.Uint32(c.b[48:])); free > chunkHead && free <= chunkSize {
		return free
	}
	return chunkSize
}

// cursor reads in a part of a chunk.
type cursor struct {
	c   *chunk
	at  int
	end int
	err error
}

func (r *cursor) take(n int) []byte {
	if r.err != nil || n < 0 || r.at+n > r.end {
		if r.err == nil {
			r.err = errShort
		}
		return nil
	}
	b := r.c.b[r.at : r.at+n]
	r.at += n
	return b
}

func (r *cursor) u8() int {
	if b := r.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (r *cursor) u16() int {
	if b := r.take(2); b != nil {
		return int(binary.LittleEndian.Uint16(b))
	}
	return 0
}

func (r *cursor) u32() int {
	if b := r.take(4); b != nil {
		return int(binary.LittleEndian.Uint32(b))
	}
	return 0
}

// name reads a name: where it stands in the chunk, which may be here.
func (r *cursor) name() string {
	at := r.u32()
	if r.err != nil {
		return ""
	}
	n, ok := r.c.names[at]
	if !ok {
		x := cursor{c: r.c, at: at, end: len(r.c.b)}
		x.take(6) // the next of its hash, and the hash
		n.text = utf16le(x.take(2 * x.u16()))
		x.take(2)
		if x.err != nil {
			r.err = x.err
			return ""
		}
		n.end = x.at
		r.c.names[at] = n
	}
	if at == r.at {
		r.take(n.end - at)
	}
	return n.text
}

// utf16le decodes a text, up to the zeros at its end.
func utf16le(b []byte) string { return string(appendUTF16(nil, b)) }

func appendUTF16(to, b []byte) []byte {
	for len(b) >= 2 && b[len(b)-1] == 0 && b[len(b)-2] == 0 {
		b = b[:len(b)-2]
	}
	for i := 0; i+1 < len(b); i += 2 {
		r := rune(b[i]) | rune(b[i+1])<<8
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if i+3 < len(b) {
				low = rune(b[i+2]) | rune(b[i+3])<<8
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				i += 2
			}
		}
		to = utf8.AppendRune(to, r)
	}
	return to
}

// fragment reads XML up to its end. Dependent: elements carry the id of what they depend on, as they do in templates.
func (r *cursor) fragment(dependent bool, depth int) *node {
	out := &node{kind: fragment}
	for r.err == nil && r.at < r.end {
		switch token := r.u8(); token &^ 0x40 {
		case 0x00: // the end
			return out
		case 0x0f: // a header
			r.take(3)
		default:
			r.at--
			if kid := r.content(dependent, depth); kid != nil {
				out.kids = append(out.kids, kid)
			}
		}
	}
	return out
}

// content reads one thing that stands in an element or an attribute; nil: it is nothing that counts.
func (r *cursor) content(dependent bool, depth int) *node {
	if r.c.work--; r.c.work < 0 {
		r.err = errWork
	}
	if depth > maxDepth {
		r.err = errDeep
	}
	if r.err != nil {
		return nil
	}
	token := r.u8()
	switch token &^ 0x40 {
	case 0x01:
		return r.element(dependent, token&0x40 != 0, depth)
	case 0x05: // text
		r.take(1)
		return &node{kind: text, text: utf16le(r.take(2 * r.u16()))}
	case 0x07: // CDATA
		return &node{kind: text, text: utf16le(r.take(2 * r.u16()))}
	case 0x08: // a character
		return &node{kind: text, text: string(rune(r.u16()))}
	case 0x09: // an entity
		return &node{kind: text, text: entities[r.name()]}
	case 0x0a: // an instruction
		r.name()
		return nil
	case 0x0b:
		r.take(2 * r.u16())
		return nil
	case 0x0c: // another template, with its values
		t, values := r.template(depth + 1)
		if r.err != nil {
			return nil
		}
		return &node{kind: fragment, kids: t.kids, values: values}
	case 0x0d, 0x0e:
		n := &node{kind: place, id: r.u16()}
		r.take(1)
		return n
	}
	r.err = errToken
	return nil
}

var entities = map[string]string{"lt": "<", "gt": ">", "amp": "&", "quot": `"`, "apos": "'"}

// element reads one whose first token was read.
func (r *cursor) element(dependent, attributes bool, depth int) *node {
	if dependent {
		r.take(2)
	}
	r.take(4) // its size
	n := &node{kind: element, name: r.name()}
	if attributes {
		r.take(4)
	}
	for r.err == nil {
		switch token := r.u8(); token &^ 0x40 {
		case 0x02: // the start tag ends
			for r.err == nil {
				if r.u8() == 0x04 {
					return n
				}
				r.at--
				if kid := r.content(dependent, depth+1); kid != nil {
					n.kids = append(n.kids, kid)
				}
			}
		case 0x03: // it is empty
			return n
		case 0x06:
			n.attrs = append(n.attrs, attr{name: r.name()})
		default: // a part of the attribute
			r.at--
			if len(n.attrs) == 0 {
				r.err = errToken
				return nil
			}
			a := &n.attrs[len(n.attrs)-1]
			if kid := r.content(dependent, depth+1); kid != nil {
				a.kids = append(a.kids, kid)
			}
		}
	}
	return nil
}

// template reads which one it is, and the values that fill it.
func (r *cursor) template(depth int) (*node, []value) {
	r.take(1)
	r.take(4)
	at := r.u32()
	if r.err != nil {
		return nil, nil
	}
	t, known := r.c.templates[at]
	x := cursor{c: r.c, at: at, end: len(r.c.b)}
	x.take(20) // the next of its hash, and its GUID
	size := x.u32()
	if r.at == at { // it stands here
		r.take(24)
		r.take(size)
	}
	if !known {
		if x.err != nil || x.at+size > len(r.c.b) {
			r.err = errShort
			return nil, nil
		}
		x.end = x.at + size
		r.c.templates[at] = &node{kind: fragment} // one that contains itself is empty there
		t = x.fragment(true, depth)
		if x.err != nil {
			r.err = x.err
			return nil, nil
		}
		r.c.templates[at] = t
	}
	count := r.u32()
	if r.err != nil || count > (r.end-r.at)/4 {
		r.err = errShort
		return nil, nil
	}
	if r.c.work -= count; r.c.work < 0 {
		r.err = errWork
		return nil, nil
	}
	sizes := r.take(4 * count)
	values := make([]value, count)
	for i := range values {
		n := int(binary.LittleEndian.Uint16(sizes[4*i:]))
		from := r.at
		values[i] = value{kind: sizes[4*i+2], from: from, b: r.take(n)}
	}
	return t, values
}
