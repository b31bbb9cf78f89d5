package peer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Item is a leaf as two nodes compare what they have: its time as 8 bytes, big endian, and its commitment. Items are ordered as bytes.
type Item [40]byte

// ItemOf is the item of a leaf.
func ItemOf(l *Leaf) (it Item) {
	binary.BigEndian.PutUint64(it[:8], micros(l.Time))
	copy(it[8:], l.Commit[:])
	return it
}

// Set is items that can be compared with another's by ranges (Meyer, "Range-Based Set Reconciliation", 2023). It is not changed after it was made.
type Set struct {
	items []Item
	sums  []sum // of the items before each place
}

// sum adds hashes modulo 2²⁵⁶, lowest word first.
type sum [4]uint64

func (s *sum) add(o *sum) {
	c := uint64(0)
	for i := range s {
		s[i], c = bits.Add64(s[i], o[i], c)
	}
}

func (s *sum) sub(o *sum) {
	c := uint64(0)
	for i := range s {
		s[i], c = bits.Sub64(s[i], o[i], c)
	}
}

// NewSet makes a set. It takes items over, and sorts them; what is there twice counts once.
func NewSet(items []Item) *Set {
	sortItems(items)
	s := &Set{items: slices.Compact(items)}
	s.sums = make([]sum, len(s.items)+1)
	for i := range s.items {
		h := sha256.Sum256(s.items[i][:])
		v := sum{binary.BigEndian.Uint64(h[24:]), binary.BigEndian.Uint64(h[16:]), binary.BigEndian.Uint64(h[8:]), binary.BigEndian.Uint64(h[:])}
		v.add(&s.sums[i])
		s.sums[i+1] = v
	}
	return s
}

func sortItems(items []Item) {
	slices.SortFunc(items, func(a, b Item) int { return bytes.Compare(a[:], b[:]) })
}

// Len is how many items there are.
func (s *Set) Len() int { return len(s.items) }

// fingerprint stands for the items from one place to another: what SHA-256 makes of the sum of their hashes and their number.
func (s *Set) fingerprint(from, to int) (f [fingerprintSize]byte) {
	d := s.sums[to]
	d.sub(&s.sums[from])
	var b [40]byte
	for i := range d {
		binary.BigEndian.PutUint64(b[8*i:], d[3-i])
	}
	binary.BigEndian.PutUint64(b[32:], uint64(to-from))
	h := sha256.Sum256(b[:])
	copy(f[:], h[:])
	return f
}

// until is the place of the first item that is not before a bound.
func (s *Set) until(from int, b *bound) int {
	if b.last {
		return len(s.items)
	}
	n, _ := slices.BinarySearchFunc(s.items[from:], b.at, func(a, t Item) int { return bytes.Compare(a[:], t[:]) })
	return from + n
}

// bound ends a range: before an item, or after all.
type bound struct {
	at   Item // of which the end may be zeros
	last bool
}

// between is the shortest bound that has one item before it and the next not.
func between(before, after *Item) (b bound) {
	for i := range after {
		b.at[i] = after[i]
		if before[i] != after[i] {
			break
		}
	}
	return b
}

// Modes of a range.
const (
	rangeSkip  = 0 // nothing is left to say of it
	rangePrint = 1 // its fingerprint
	rangeList  = 2 // its items
)

// span is a range of a message: from the end of the one before to its bound.
type span struct {
	mode  byte
	end   bound
	print [fingerprintSize]byte
	items []Item
}

// Bounds of a reconciliation.
const (
	fingerprintSize = 16
	fan             = 16      // ranges into which one is parted
	listed          = 16      // items that are listed and not parted
	maxRanges       = 100_000 // of a message
	maxRounds       = 4096    // messages of one side
	atLast          = 0xff    // in place of a bound's length
)

// A message is its version 1, then ranges: length of the bound (1; 255: after all) ‖ bound without the zeros at its end ‖ mode (1) ‖ fingerprint (16), or
// number of items (4) and items. Bounds rise, no range skips after one that skips or at the end, and what is not said at the end is skipped.

func appendSpans(b []byte, spans []span) []byte {
	b = append(b, 1)
	for i := range spans {
		b = spans[i].append(b)
	}
	return b
}

func (s *span) append(b []byte) []byte {
	if s.end.last {
		b = append(b, atLast)
	} else {
		at := bytes.TrimRight(s.end.at[:], "\x00")
		b = append(append(b, byte(len(at))), at...)
	}
	b = append(b, s.mode)
	switch s.mode {
	case rangePrint:
		b = append(b, s.print[:]...)
	case rangeList:
		b = binary.BigEndian.AppendUint32(b, uint32(len(s.items)))
		for i := range s.items {
			b = append(b, s.items[i][:]...)
		}
	}
	return b
}

func parseSpans(b []byte) (out []span, err error) {
	bad := func(why string) ([]span, error) {
		return nil, refuse(CodeForm, "this is no message of a reconciliation: %s", why)
	}
	if len(b) == 0 || b[0] != 1 {
		return bad("it has another version")
	}
	var low Item
	for b = b[1:]; len(b) > 0; {
		var s span
		n := int(b[0])
		switch {
		case len(out) >= maxRanges:
			return bad("it has too many ranges")
		case len(out) > 0 && out[len(out)-1].end.last:
			return bad("something follows the last range")
		case n == atLast:
			s.end.last, n = true, 0
		case n == 0 || n > len(low) || len(b) < 1+n || b[n] == 0:
			return bad("a bound is not written as one")
		}
		copy(s.end.at[:], b[1:1+n])
		if b = b[1+n:]; len(b) == 0 || !s.end.last && bytes.Compare(s.end.at[:], low[:]) <= 0 {
			return bad("bounds do not rise")
		}
		s.mode, b = b[0], b[1:]
		switch s.mode {
		case rangeSkip:
			if len(b) == 0 || len(out) > 0 && out[len(out)-1].mode == rangeSkip {
				return bad("it skips what need not be said")
			}
		case rangePrint:
			if len(b) < fingerprintSize {
				return bad("a fingerprint is cut short")
			}
			copy(s.print[:], b)
			b = b[fingerprintSize:]
		case rangeList:
			if len(b) < 4 || uint64(binary.BigEndian.Uint32(b))*uint64(len(low)) > uint64(len(b)-4) {
				return bad("a list is cut short")
			}
			s.items = make([]Item, binary.BigEndian.Uint32(b))
			b = b[4:]
			for i := range s.items {
				it := &s.items[i]
				copy(it[:], b)
				b = b[len(it):]
				if i == 0 && bytes.Compare(it[:], low[:]) < 0 || i > 0 && bytes.Compare(it[:], s.items[i-1][:]) <= 0 || !s.end.last && bytes.Compare(it[:], s.end.at[:]) >= 0 {
					return bad("a list is not sorted within its range")
				}
			}
		default:
			return bad("a range has another mode")
		}
		low = s.end.at
		out = append(out, s)
	}
	return out, nil
}

// answer makes the message that follows another's. Each takes the lists that come, when the own side wants to know the differences; else lists are answered
// with lists. A message is not larger than limit by more than one range: what is left is answered by its fingerprint, which begins it anew.
func (s *Set) answer(in []span, limit int, each func(mine, theirs []Item)) []byte {
	out, skip := []byte{1}, false
	var low bound // of what is said next
	at := 0
	put := func(p *span) {
		if skip && low != (bound{}) {
			out = (&span{mode: rangeSkip, end: low}).append(out)
		}
		skip, low = false, p.end
		out = p.append(out)
	}
	rest := func(from int) []byte {
		put(&span{mode: rangePrint, end: bound{last: true}, print: s.fingerprint(from, len(s.items))})
		return out
	}
	for i := range in {
		r := &in[i]
		if len(out) > limit && r.mode != rangeSkip {
			return rest(at)
		}
		to := s.until(at, &r.end)
		mine := s.items[at:to]
		say := false
		switch r.mode {
		case rangePrint:
			if say = s.fingerprint(at, to) != r.print; say && len(mine) > 2*listed {
				s.part(at, to, r.end, put)
				at = to
				continue
			}
		case rangeList:
			if each != nil {
				each(mine, r.items)
			} else {
				say = !slices.Equal(mine, r.items)
			}
		}
		if !say {
			skip, low = true, r.end
			at = to
			continue
		}
		if most := max(1, (limit-len(out))/len(Item{})); len(mine) > max(most, 2*listed) { // a part of the list, and the rest anew
			p := span{mode: rangeList, end: between(&mine[most-1], &mine[most]), items: mine[:most]}
			put(&p)
			return rest(at + most)
		}
		put(&span{mode: rangeList, end: r.end, items: mine})
		at = to
	}
	return out
}

// part says a range as several.
func (s *Set) part(from, to int, end bound, put func(*span)) {
	n := to - from
	for k := range fan {
		a, b := from+n*k/fan, from+n*(k+1)/fan
		p := span{mode: rangePrint, end: end, print: s.fingerprint(a, b)}
		if k < fan-1 {
			p.end = between(&s.items[b-1], &s.items[b])
		}
		put(&p)
	}
}

// Answer gives what a node says to a message of one that compares itself with it. It remembers nothing between two messages. The answer has limit bytes, and
// those of one range more, at most.
func (s *Set) Answer(message []byte, limit int) ([]byte, error) {
	in, err := parseSpans(message)
	if err != nil {
		return nil, err
	}
	return s.answer(in, limit, nil), nil
}

// Comparison is how a node learns in which items another's set differs from its own. It is for one goroutine.
type Comparison struct {
	Have   []Item // here, and not there
	Need   []Item // there, and not here
	Rounds int    // messages that were sent

	set   *Set
	limit int
	most  int
}

// Compare begins a comparison: of messages of about limit bytes, and with most differences at most.
func (s *Set) Compare(limit, most int) (c *Comparison, first []byte) {
	c = &Comparison{set: s, limit: limit, most: most, Rounds: 1}
	return c, appendSpans(nil, []span{{mode: rangePrint, end: bound{last: true}, print: s.fingerprint(0, len(s.items))}})
}

// Next takes the other's answer, and gives the next message; nil: all differences are known.
func (c *Comparison) Next(answer []byte) ([]byte, error) {
	in, err := parseSpans(answer)
	if err != nil {
		return nil, err
	}
	out := c.set.answer(in, c.limit, c.differ)
	switch {
	case len(c.Have)+len(c.Need) > c.most:
		return nil, refuse(CodeSize, "the sets differ in more than %d items", c.most)
	case len(out) == 1: // a range that was begun anew may have told what was known
		sortItems(c.Have)
		sortItems(c.Need)
		c.Have, c.Need = slices.Compact(c.Have), slices.Compact(c.Need)
		return nil, nil
	case c.Rounds >= maxRounds:
		return nil, refuse(CodeSize, "the comparison has no end after %d messages", c.Rounds)
	}
	c.Rounds++
	return out, nil
}

// differ takes two sorted lists of the same range.
func (c *Comparison) differ(mine, theirs []Item) {
	for len(mine) > 0 || len(theirs) > 0 {
		switch order := compareFirst(mine, theirs); {
		case order < 0:
			c.Have, mine = append(c.Have, mine[0]), mine[1:]
		case order > 0:
			c.Need, theirs = append(c.Need, theirs[0]), theirs[1:]
		default:
			mine, theirs = mine[1:], theirs[1:]
		}
	}
}

func compareFirst(a, b []Item) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return bytes.Compare(a[0][:], b[0][:])
}
