package correlation

import (
	"maps"
	"math/big"
	"slices"

	"entente/internal/state"
)

// version is what a saved state begins with. Moments of a group are told as how long they are before its last hit. Groups stand in the order of their use.
const version = "correlation 2"

func writeKey(x *state.Writer, k key) {
	x.Word(k[0])
	x.Word(k[1])
}

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

// Save writes the state down, for an engine that goes on where this one is.
func (e *Engine) Save(x *state.Writer) {
	x.Text(version)
	writeKey(x, e.secret)
	x.Int(e.furthest)
	x.Int(e.mark)
	x.Uint(uint64(len(e.sources)))
	for _, name := range slices.Sorted(maps.Keys(e.sources)) {
		x.Text(name)
		x.Int(e.sources[name])
	}
	stats := e.Stats()
	for _, n := range stats.counters() {
		x.Uint(*n)
	}
	e.saveWaiting(x)
	x.Uint(uint64(len(e.live)))
	for _, c := range e.live {
		x.Text(string(c.print[:]))
		x.Uint(c.layout())
		x.Uint(uint64(c.slots))
	}
	e.saveGroups(x)
}

// counters are those that go on.
func (s *Stats) counters() []*uint64 {
	return []*uint64{&s.Hits, &s.Found, &s.Untimed, &s.Late, &s.Ahead, &s.Hurried, &s.Evicted, &s.Shortened}
}

func (e *Engine) saveWaiting(x *state.Writer) {
	all := slices.Concat(e.wait.order[e.wait.from:], e.wait.others)
	slices.SortFunc(all, (*record).compare)
	saveRecords(x, all)
}

// saveRecords writes hits down, with what is asked of them now.
func saveRecords(x *state.Writer, all []*record) {
	var subjects []*subject
	known := map[*subject]int{}
	for _, r := range all {
		if _, ok := known[r.from]; !ok {
			known[r.from] = len(subjects)
			subjects = append(subjects, r.from)
		}
	}
	x.Uint(uint64(len(subjects)))
	for _, s := range subjects {
		x.Text(s.name.id)
		x.Text(s.name.name)
		x.Uint(uint64(len(s.fields)))
		for _, f := range s.fields {
			x.Text(f)
		}
	}
	x.Uint(uint64(len(all)))
	for _, r := range all {
		x.Uint(uint64(known[r.from]))
		x.Int(r.time)
		x.Uint(r.index)
		x.Data(r.values)
	}
}

// saveGroups writes the groups, the one that was not used the longest first.
func (e *Engine) saveGroups(x *state.Writer) {
	groups, _ := e.kept()
	x.Uint(uint64(groups))
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

func (s *shard) save(x *state.Writer, c *live, g *group) {
	x.Uint(uint64(g.of))
	writeKey(x, g.key)
	flags := uint64(0)
	if g.held {
		flags |= 1
	}
	if g.plain {
		flags |= 2
	}
	flags |= uint64(g.trail.from) << 2
	x.Uint(flags)
	x.Int(g.last)
	x.Uint(g.index)
	x.Uint(g.mask)
	before := func(t int64) { x.Uint(uint64(g.last - t)) }
	x.Uint(uint64(g.trail.n))
	at := int(g.trail.from)
	for id, left := g.trail.head, g.trail.n; left > 0; left-- {
		p := s.pieces.at(id)
		before(p.time[at])
		x.Uint(p.index[at]<<1 | p.index[at]>>63) // the mark of units becomes the lowest bit
		if at++; at == 2 {
			id, at = p.next, 0
		}
	}
	switch c.layout() {
	case layoutSlots:
		for _, t := range s.slots[c.at].row(g.a) {
			if t == never {
				x.Uint(0)
			} else {
				x.Uint(uint64(g.last-t) + 1)
			}
		}
	case layoutValues:
		x.Uint(uint64(g.n))
		for id := g.a; id != 0; id = s.values.at(id).newer {
			writeKey(x, s.values.at(id).key)
			before(s.values.at(id).last)
		}
	case layoutNumbers:
		x.Uint(uint64(g.n))
		var whole big.Int
		for id := g.a; id != 0; id = s.numbers.at(id).next {
			n := s.numbers.at(id)
			before(n.time)
			x.Int(int64(n.power))
			x.Text(s.big(&whole, n).String())
		}
	}
}
