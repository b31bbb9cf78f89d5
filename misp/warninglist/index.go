package warninglist

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// table is the lists by the hash of an entry. An entry of several lists has a place in more.
type table struct {
	at   map[uint64]uint32
	more [][]uint16
}

const several = 1 << 31

func newTable() table { return table{at: make(map[uint64]uint32)} }

func (t *table) add(hash uint64, list uint16) {
	old, ok := t.at[hash]
	switch {
	case !ok:
		t.at[hash] = uint32(list)
	case old&several != 0:
		t.more[old&^several] = append(t.more[old&^several], list)
	default:
		t.at[hash] = several | uint32(len(t.more))
		t.more = append(t.more, []uint16{uint16(old), list})
	}
}

func (t *table) each(hash uint64, f func(list uint16)) {
	at, ok := t.at[hash]
	if !ok {
		return
	}
	if at&several == 0 {
		f(uint16(at))
		return
	}
	for _, list := range t.more[at&^several] {
		f(list)
	}
}

// ranges is address ranges in order, each with the place of the smallest one around it.
type ranges struct {
	items  []netRange
	parent []int32
}

type netRange struct {
	prefix netip.Prefix
	list   uint16
}

func (r *ranges) add(p netip.Prefix, list uint16) { r.items = append(r.items, netRange{p, list}) }

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

func (r *ranges) finish() {
	slices.SortFunc(r.items, func(a, b netRange) int {
		return cmp.Or(comparePrefix(a.prefix, b.prefix), cmp.Compare(a.list, b.list))
	})
	r.items = slices.Clip(slices.Compact(r.items))
	r.parent = make([]int32, len(r.items))
	for i := range r.items {
		r.parent[i] = r.around(int32(i)-1, r.items[i].prefix)
	}
}

// around is the first range at or above a place that holds the prefix, -1 for none.
func (r *ranges) around(at int32, p netip.Prefix) int32 {
	for at >= 0 && !holds(r.items[at].prefix, p) {
		at = r.parent[at]
	}
	return at
}

func holds(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// each calls f for every range that the prefix lies within.
func (r *ranges) each(p netip.Prefix, f func(netip.Prefix, uint16)) {
	at, equal := slices.BinarySearchFunc(r.items, p, func(item netRange, p netip.Prefix) int { return comparePrefix(item.prefix, p) })
	if equal {
		for at < len(r.items) && r.items[at].prefix == p {
			at++
		}
	}
	for i := r.around(int32(at)-1, p); i >= 0; i = r.parent[i] {
		f(r.items[i].prefix, r.items[i].list)
	}
}

// substrings is entries that may stand anywhere in a value, by their first bytes.
type substrings struct {
	items  []substring
	width  int // bytes that every entry has
	starts map[uint64][2]uint32
	filter [1 << 12]uint64 // which starts there may be at all
}

type substring struct {
	text string
	list uint16
}

func (s *substrings) add(text string, list uint16) { s.items = append(s.items, substring{text, list}) }

func (s *substrings) finish() {
	s.width = 8
	for i := range s.items {
		s.width = min(s.width, len(s.items[i].text))
	}
	slices.SortFunc(s.items, func(a, b substring) int { return cmp.Or(cmp.Compare(a.text, b.text), cmp.Compare(a.list, b.list)) })
	s.starts = make(map[uint64][2]uint32)
	for i := range s.items {
		key := s.key(s.items[i].text)
		span, ok := s.starts[key]
		if !ok {
			span[0] = uint32(i)
		}
		span[1] = uint32(i + 1)
		s.starts[key] = span
		s.filter[spread(key)>>6] |= 1 << (spread(key) & 63)
	}
}

// key is the first bytes of a text.
func (s *substrings) key(text string) uint64 {
	var k uint64
	for i := range s.width {
		k = k<<8 | uint64(text[i])
	}
	return k
}

func spread(key uint64) uint64 { return key * 0x9E3779B97F4A7C15 >> (64 - 18) }

func (s *substrings) each(value string, f func(entry string, list uint16)) {
	if len(s.items) == 0 {
		return
	}
	mask := ^uint64(0) >> (64 - 8*s.width)
	var key uint64
	for end := range len(value) {
		key = (key<<8 | uint64(value[end])) & mask
		i := end + 1 - s.width
		if i < 0 {
			continue
		}
		if h := spread(key); s.filter[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		span, ok := s.starts[key]
		if !ok {
			continue
		}
		for _, item := range s.items[span[0]:span[1]] {
			if strings.HasPrefix(value[i:], item.text) {
				f(item.text, item.list)
			}
		}
	}
}

// inside is the first range that lies within a network.
func (r *ranges) inside(p netip.Prefix) (netip.Prefix, uint16, bool) {
	at, _ := slices.BinarySearchFunc(r.items, p, func(item netRange, p netip.Prefix) int { return comparePrefix(item.prefix, p) })
	if at < len(r.items) && holds(p, r.items[at].prefix) {
		return r.items[at].prefix, r.items[at].list, true
	}
	return netip.Prefix{}, 0, false
}
