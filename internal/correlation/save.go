package correlation

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"maps"
	"math/big"
	"slices"
)

// A saved state is magic, then what save writes as numbers of variable length and texts after their lengths, then the SHA-256 of both. Moments of a group are told as how
// long they are before its last hit. Groups stand in the order of their use.
const magic = "entente correlation 1\n"

// What a group's state consists of besides its trail.
const (
	layoutCount = iota
	layoutValues
	layoutNumbers
	layoutSlots
)

func (c *live) layout() uint64 {
	switch {
	case c.distinct:
		return layoutValues
	case c.numeric:
		return layoutNumbers
	case c.slots > 0:
		return layoutSlots
	}
	return layoutCount
}

type encoder struct {
	w   *bufio.Writer
	buf []byte
}

func (e *encoder) uint(n uint64) {
	e.buf = binary.AppendUvarint(e.buf[:0], n)
	e.w.Write(e.buf) // the writer keeps the error
}

func (e *encoder) int(n int64) {
	e.buf = binary.AppendVarint(e.buf[:0], n)
	e.w.Write(e.buf)
}

func (e *encoder) text(s string) {
	e.uint(uint64(len(s)))
	e.w.WriteString(s)
}

func (e *encoder) key(k key) {
	e.buf = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(e.buf[:0], k[0]), k[1])
	e.w.Write(e.buf)
}

// Save writes the state, for an engine that goes on where this one is. The error is the writer's.
func (e *Engine) Save(to io.Writer) error {
	sum := sha256.New()
	x := &encoder{w: bufio.NewWriterSize(io.MultiWriter(to, sum), 64<<10)}
	x.w.WriteString(magic)
	e.save(x)
	if err := x.w.Flush(); err != nil {
		return err
	}
	_, err := to.Write(sum.Sum(nil))
	return err
}

func (e *Engine) save(x *encoder) {
	x.key(e.secret)
	x.int(e.furthest)
	x.int(e.mark)
	x.uint(uint64(len(e.sources)))
	for _, name := range slices.Sorted(maps.Keys(e.sources)) {
		x.text(name)
		x.int(e.sources[name])
	}
	stats := e.Stats()
	for _, n := range stats.counters() {
		x.uint(*n)
	}
	e.saveWaiting(x)
	x.uint(uint64(len(e.live)))
	for _, c := range e.live {
		x.w.Write(c.print[:])
		x.uint(c.layout())
		x.uint(uint64(c.slots))
	}
	e.saveGroups(x)
}

// counters are those that go on.
func (s *Stats) counters() []*uint64 {
	return []*uint64{&s.Hits, &s.Found, &s.Untimed, &s.Late, &s.Ahead, &s.Hurried, &s.Evicted, &s.Shortened}
}

func (e *Engine) saveWaiting(x *encoder) {
	all := slices.Concat(e.wait.order[e.wait.from:], e.wait.others)
	slices.SortFunc(all, (*record).compare)
	var subjects []*subject
	known := map[*subject]int{}
	for _, r := range all {
		if _, ok := known[r.from]; !ok {
			known[r.from] = len(subjects)
			subjects = append(subjects, r.from)
		}
	}
	x.uint(uint64(len(subjects)))
	for _, s := range subjects {
		x.text(s.name.id)
		x.text(s.name.name)
		x.uint(uint64(len(s.fields)))
		for _, f := range s.fields {
			x.text(f)
		}
	}
	x.uint(uint64(len(all)))
	for _, r := range all {
		x.uint(uint64(known[r.from]))
		x.int(r.time)
		x.uint(r.index)
		for _, f := range r.from.fields {
			n := 0
			r.texts(f, func([]byte) { n++ })
			x.uint(uint64(n))
			r.texts(f, func(text []byte) { x.text(string(text)) })
		}
	}
}

// saveGroups writes the groups, the one that was not used the longest first.
func (e *Engine) saveGroups(x *encoder) {
	groups, _ := e.kept()
	x.uint(uint64(groups))
	next := make([]uint32, len(e.shards))
	for i, s := range e.shards {
		next[i] = s.all.oldest
	}
	for range groups {
		first := -1
		for i, s := range e.shards {
			if next[i] != 0 && (first < 0 || s.groups.at(next[i]).used < e.shards[first].groups.at(next[first]).used) {
				first = i
			}
		}
		s := e.shards[first]
		g := s.groups.at(next[first])
		next[first] = g.newer
		s.save(x, e.live[g.of], g)
	}
}

func (s *shard) save(x *encoder, c *live, g *group) {
	x.uint(uint64(g.of))
	x.key(g.key)
	flags := uint64(0)
	if g.held {
		flags |= 1
	}
	if g.plain {
		flags |= 2
	}
	flags |= uint64(g.trail.from) << 2
	x.uint(flags)
	x.int(g.last)
	x.uint(g.index)
	x.uint(g.mask)
	before := func(t int64) { x.uint(uint64(g.last - t)) }
	x.uint(uint64(g.trail.n))
	at := int(g.trail.from)
	for id, left := g.trail.head, g.trail.n; left > 0; left-- {
		p := s.pieces.at(id)
		before(p.time[at])
		x.uint(p.index[at]<<1 | p.index[at]>>63) // the mark of units becomes the lowest bit
		if at++; at == 2 {
			id, at = p.next, 0
		}
	}
	switch c.layout() {
	case layoutSlots:
		for _, t := range s.slots[c.at].row(g.a) {
			if t == never {
				x.uint(0)
			} else {
				x.uint(uint64(g.last-t) + 1)
			}
		}
	case layoutValues:
		x.uint(uint64(g.n))
		for id := g.a; id != 0; id = s.values.at(id).newer {
			x.key(s.values.at(id).key)
			before(s.values.at(id).last)
		}
	case layoutNumbers:
		x.uint(uint64(g.n))
		var whole big.Int
		for id := g.a; id != 0; id = s.numbers.at(id).next {
			n := s.numbers.at(id)
			before(n.time)
			x.int(int64(n.power))
			x.text(s.big(&whole, n).String())
		}
	}
}
