package rendition

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// node is one JSON value. What stays keeps its bytes: numbers and strings are written as they came.
type node struct {
	kind byte   // '{', '[', or of a scalar 's' for a string and 'v' for the others
	raw  []byte // of a scalar
	text string // of a string
	keys []string
	kids []*node
	gone bool
}

// grow reads a value that was found to be JSON within all limits.
func grow(body []byte) (*node, error) {
	return read(jsontext.NewDecoder(bytes.NewReader(body)))
}

func read(d *jsontext.Decoder) (*node, error) {
	kind := d.PeekKind()
	if kind != '{' && kind != '[' {
		raw, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		n := &node{kind: 'v', raw: bytes.Clone(raw)}
		if kind == '"' {
			n.kind = 's'
			text, err := jsontext.AppendUnquote(nil, raw)
			if err != nil {
				return nil, err
			}
			n.text = string(text)
		}
		return n, nil
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	n := &node{kind: byte(kind)}
	for end := jsontext.Kind(kind + 2); d.PeekKind() != end; { // in ASCII } and ] stand two after { and [
		if kind == '{' {
			key, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			n.keys = append(n.keys, key.String())
		}
		kid, err := read(d)
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, kid)
	}
	_, err := d.ReadToken()
	return n, err
}

// get is a member of an object that is still there, or nil.
func (n *node) get(key string) *node {
	if n == nil || n.kind != '{' {
		return nil
	}
	for i, k := range n.keys {
		if k == key && !n.kids[i].gone {
			return n.kids[i]
		}
	}
	return nil
}

// string is the text of a string member, empty where there is none.
func (n *node) string(key string) string {
	if v := n.get(key); v != nil {
		return v.text
	}
	return ""
}

// isHurt tells whether a member or item of the value is gone.
func (n *node) isHurt() bool {
	return slices.ContainsFunc(n.kids, func(kid *node) bool { return kid.gone })
}

// items is the items of a list member that are still there.
func (n *node) items(key string) []*node {
	v := n.get(key)
	if v == nil || v.kind != '[' {
		return nil
	}
	return v.kids
}

// set makes the value a string.
func (n *node) set(text string) {
	n.kind, n.text, n.kids, n.keys = 's', text, nil, nil
	n.raw, _ = jsontext.AppendQuote(nil, text)
}

// find is the value that a granular marking's selector (STIX 7.2.3) chooses and the lists and objects on the way to it, from the root.
func (n *node) find(selector string) (way []*node, found bool) {
	way = append(way, n)
	for segment := range strings.SplitSeq(selector, ".") {
		at := way[len(way)-1]
		i := at.step(segment)
		if i < 0 {
			return nil, false
		}
		way = append(way, at.kids[i])
	}
	return way, true
}

// step is the place of the kid that a segment of a selector names, or -1.
func (n *node) step(segment string) int {
	if n.kind == '[' {
		if len(segment) < 3 || segment[0] != '[' || segment[len(segment)-1] != ']' {
			return -1
		}
		i, err := strconv.Atoi(segment[1 : len(segment)-1])
		if err != nil || i < 0 || i >= len(n.kids) {
			return -1
		}
		return i
	}
	for i, k := range n.keys {
		if k == segment {
			return i
		}
	}
	return -1
}

// selector is the selector as it reads once what is gone is gone; false: it chooses nothing any more.
func (n *node) selector(old string) (string, bool) {
	way, found := n.find(old)
	if !found {
		return "", false
	}
	segments := strings.Split(old, ".")
	for depth, at := range way[1:] {
		if at.gone {
			return "", false
		}
		list := way[depth]
		if list.kind != '[' {
			continue
		}
		place := 0
		for _, item := range list.kids {
			if item == at {
				break
			}
			if !item.gone {
				place++
			}
		}
		segments[depth] = "[" + strconv.Itoa(place) + "]"
	}
	return strings.Join(segments, "."), true
}

// prune makes every list and object go that lost all it held. It tells whether anything of the value stays.
func (n *node) prune() bool {
	if n.gone || len(n.kids) == 0 {
		return !n.gone
	}
	stays := false
	for _, kid := range n.kids {
		stays = kid.prune() || stays
	}
	n.gone = !stays
	return stays
}

// append writes what is left.
func (n *node) append(b []byte) []byte {
	switch n.kind {
	case 's', 'v':
		return append(b, n.raw...)
	}
	b = append(b, n.kind)
	first := true
	for i, kid := range n.kids {
		if kid.gone {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		if n.kind == '{' {
			b, _ = jsontext.AppendQuote(b, n.keys[i]) // the decoder checked that it is UTF-8
			b = append(b, ':')
		}
		b = kid.append(b)
	}
	return append(b, n.kind+2)
}

// walk visits every value that is still there, with the name of the member that it is, or that the list is that it stands in.
func (n *node) walk(name, pointer string, visit func(v *node, name, pointer string)) {
	if n.gone {
		return
	}
	visit(n, name, pointer)
	for i, kid := range n.kids {
		if n.kind == '{' {
			kid.walk(n.keys[i], pointer+"/"+escape(n.keys[i]), visit)
		} else {
			kid.walk(name, pointer+"/"+strconv.Itoa(i), visit)
		}
	}
}

// at is the value that a JSON pointer leads to, or nil.
func (n *node) at(pointer string) *node {
	for segment := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if n.kind == '[' {
			segment = "[" + segment + "]"
		}
		i := n.step(unescape(segment))
		if i < 0 {
			return nil
		}
		n = n.kids[i]
	}
	return n
}

var (
	escape   = strings.NewReplacer("~", "~0", "/", "~1").Replace
	unescape = strings.NewReplacer("~1", "/", "~0", "~").Replace
)
