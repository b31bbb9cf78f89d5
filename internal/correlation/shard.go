package correlation

import (
	"math"
	"math/big"
	"slices"
)

// never is before every moment.
const never = math.MinInt64

// group is what is known of one group of a correlation. It has no pointers.
type group struct {
	key          key
	of           uint32 // the correlation
	held         bool   // the condition held at the last hit
	plain        bool   // the last hit was of a rule, and its event is index
	last         int64
	index        uint64
	used         uint64 // when it was last used, in hits of the engine
	trail        trail
	older, newer uint32 // of the shard, by use
	prior, later uint32 // of the correlation, by use
	n            uint32 // what is counted: units, values, numbers
	a, b, c      uint32 // by type: values and numbers by age (oldest and newest), the tree or the total of numbers; the row of slots
	mask         uint64 // temporal: the rules in the window; temporal_ordered: those of the last event
}

func (g *group) name() key { return g.key }

// value is a value of a window.
type value struct {
	key          key
	last         int64
	older, newer uint32
}

func (v *value) name() key { return v.key }

// ends are both ends of a list.
type ends struct{ oldest, newest uint32 }

// shard holds some of the groups, and works by itself.
type shard struct {
	secret  key
	window  int // entries of a group at most
	groups  table[group, *group]
	pieces  slab[piece]
	values  table[value, *value]
	numbers slab[number]
	wides   slab[big.Int]
	totals  slab[total]
	slots   []slots // by correlation
	rows    int     // bytes of all of them
	all     ends
	each    []ends  // by correlation
	cut     uint64  // entries that a full window let go of
	x, y, z big.Int // for what is calculated
	m       big.Int
	text    []byte
}

func newShard(secret key, window int, live []*live) *shard {
	s := &shard{secret: secret, window: window, slots: make([]slots, len(live)), each: make([]ends, len(live))}
	for i, c := range live {
		s.slots[i].size = c.slots
	}
	return s
}

// What things weigh in memory, in bytes, their places in tables included.
const (
	groupWeight  = 122
	pieceWeight  = 40
	valueWeight  = 40
	numberWeight = 40
	wideWeight   = 256
	totalWeight  = 16
)

func (s *shard) weight() int64 {
	return int64(groupWeight*s.groups.live() + pieceWeight*s.pieces.live() + valueWeight*s.values.live() + numberWeight*s.numbers.live() +
		wideWeight*s.wides.live() + totalWeight*s.totals.live() + s.rows)
}

// group finds the group of a key, or makes it.
func (s *shard) group(c *live, k key) (g *group, id uint32) {
	if id, _ = s.groups.find(k); id != 0 {
		s.unlink(id)
		g = s.groups.at(id)
	} else {
		id = s.groups.add(k)
		g = s.groups.at(id)
		*g = group{key: k, of: uint32(c.at), last: never}
		if c.slots > 0 {
			g.a = s.slots[c.at].take()
			s.rows += 8*c.slots + 4
		}
		if c.summed {
			g.c = s.totals.take()
		}
	}
	s.link(id)
	return g, id
}

// link puts a group at the newest end of its lists.
func (s *shard) link(id uint32) {
	g := s.groups.at(id)
	e := &s.each[g.of]
	g.older, g.prior = s.all.newest, e.newest
	if g.older != 0 {
		s.groups.at(g.older).newer = id
	} else {
		s.all.oldest = id
	}
	if g.prior != 0 {
		s.groups.at(g.prior).later = id
	} else {
		e.oldest = id
	}
	s.all.newest, e.newest = id, id
}

func (s *shard) unlink(id uint32) {
	g := s.groups.at(id)
	e := &s.each[g.of]
	if g.older != 0 {
		s.groups.at(g.older).newer = g.newer
	} else {
		s.all.oldest = g.newer
	}
	if g.newer != 0 {
		s.groups.at(g.newer).older = g.older
	} else {
		s.all.newest = g.older
	}
	if g.prior != 0 {
		s.groups.at(g.prior).later = g.later
	} else {
		e.oldest = g.later
	}
	if g.later != 0 {
		s.groups.at(g.later).prior = g.prior
	} else {
		e.newest = g.prior
	}
	g.older, g.newer, g.prior, g.later = 0, 0, 0, 0
}

// drop forgets a group.
func (s *shard) drop(c *live, id uint32) {
	g := s.groups.at(id)
	s.clear(c, g)
	if c.slots > 0 {
		s.slots[c.at].give(g.a)
		s.rows -= 8*c.slots + 4
	}
	if c.summed {
		s.release(s.totals.at(g.c))
		s.totals.give(g.c)
	}
	s.unlink(id)
	s.groups.remove(id)
}

// clear empties the window of a group.
func (s *shard) clear(c *live, g *group) {
	s.emptyTrail(&g.trail)
	switch {
	case c.slots > 0:
		row := s.slots[c.at].row(g.a)
		for i := range row {
			row[i] = never
		}
	case c.numeric:
		for g.n > 0 {
			s.dropNumber(c, g)
		}
	default:
		for g.a != 0 {
			s.dropValue(g)
		}
	}
	g.n, g.mask, g.held, g.plain = 0, 0, false, false
}

// pass forgets the groups of a correlation whose windows are over, up to a number of them; below 0: all.
func (s *shard) pass(c *live, now int64, most int) {
	e := &s.each[c.at]
	for ; most != 0 && e.oldest != 0 && c.over(s.groups.at(e.oldest).last, now); most-- {
		s.drop(c, e.oldest)
	}
}

// take evaluates a correlation at a hit. found says whether it hits.
func (s *shard) take(c *live, it *item) (out outcome, found bool) {
	r := it.rec
	s.pass(c, r.time, 2) // each hit makes one group at most, so all that are over go
	g, _ := s.group(c, it.key)
	g.used = it.used
	if g.last != never && c.over(g.last, r.time) {
		s.clear(c, g)
	}
	same := r.by == nil && g.plain && g.index == r.index && g.last == r.time
	if c.ordered && !same {
		s.commit(c, g)
	}
	g.last, g.index, g.plain = r.time, r.index, r.by == nil
	s.follow(c, g, r, same)
	switch {
	case c.numeric:
		for g.n > 0 && c.over(s.numbers.at(g.a).time, r.time) {
			s.dropNumber(c, g)
		}
		if !same {
			r.texts(it.to.fields[0], func(text []byte) { s.addNumber(c, g, r.time, text) })
		}
	case c.distinct:
		for g.a != 0 && c.over(s.values.at(g.a).last, r.time) {
			s.dropValue(g)
		}
		s.addValues(g, it)
	case c.slots > 0:
		if bit := uint64(1) << it.to.place; !c.ordered {
			s.slots[c.at].row(g.a)[it.to.place] = r.time
			g.mask |= bit
		} else {
			g.mask |= bit
			if c.Expression != nil {
				s.slots[c.at].row(g.a)[it.to.place] = r.time
			}
		}
	}
	holds := s.holds(c, g)
	if found = holds && !g.held; found {
		out = outcome{value: s.counted(c, g)}
		out.events, out.cut = s.events(c, g)
	}
	g.held = holds
	if c.distinct {
		for int(g.n) > c.most || int(g.n) > s.window {
			if int(g.n) <= c.most {
				s.cut++
			}
			s.dropValue(g)
		}
	}
	return out, found
}

// follow keeps the trail: what is over leaves, and the hit comes.
func (s *shard) follow(c *live, g *group, r *record, same bool) {
	for g.trail.n > 0 {
		time, index := s.first(&g.trail)
		if !c.over(time, r.time) {
			break
		}
		s.leave(c, g, index)
	}
	switch {
	case r.by != nil:
		for i, event := range r.events {
			if i == 0 {
				event |= unit
			}
			s.push(&g.trail, r.time, event)
		}
	case same:
		return
	default:
		s.push(&g.trail, r.time, r.index|unit)
	}
	if !c.counts {
		for int(g.trail.n) > c.trail {
			s.pop(&g.trail)
		}
		return
	}
	// beyond what the condition compares with, more does not matter
	for g.n++; int(g.n) > c.most; {
		_, index := s.first(&g.trail)
		s.leave(c, g, index)
	}
	for int(g.trail.n) > s.window {
		_, index := s.first(&g.trail)
		if s.leave(c, g, index); index&unit != 0 {
			s.cut++
		}
	}
}

func (s *shard) leave(c *live, g *group, index uint64) {
	s.pop(&g.trail)
	if c.counts && index&unit != 0 {
		g.n--
	}
}

// events are those of the window, the latest of them.
func (s *shard) events(c *live, g *group) (out []uint64, cut bool) {
	out = make([]uint64, 0, min(int(g.trail.n), c.trail))
	s.latest(&g.trail, c.trail-1, func(_ int64, index uint64) { out = append(out, index&^unit) })
	cut = int(g.trail.n) > c.trail-1
	slices.Sort(out)
	return slices.Compact(out), cut
}

// addValues counts the values of a hit.
func (s *shard) addValues(g *group, it *item) {
	if fields := it.to.fields; len(fields) > 1 {
		s.text = s.text[:0]
		var ok bool
		if s.text, ok = it.rec.join(s.text, fields); ok {
			s.addValue(g, it.rec.time, s.text)
		}
		return
	}
	it.rec.texts(it.to.fields[0], func(text []byte) { s.addValue(g, it.rec.time, text) })
}

func (s *shard) addValue(g *group, time int64, text []byte) {
	k := key{g.key[0] ^ s.secret[0], g.key[1] ^ s.secret[1]}.hash(text)
	if id, _ := s.values.find(k); id != 0 {
		s.unlinkValue(g, id)
		s.linkValue(g, id, time)
		return
	}
	s.keepValue(g, k, time)
}

// keepValue adds a value, unless it is there.
func (s *shard) keepValue(g *group, k key, time int64) bool {
	if id, _ := s.values.find(k); id != 0 {
		return false
	}
	id := s.values.add(k)
	s.values.at(id).key = k
	s.linkValue(g, id, time)
	g.n++
	return true
}

// linkValue puts a value at the newest end.
func (s *shard) linkValue(g *group, id uint32, time int64) {
	v := s.values.at(id)
	v.last, v.older, v.newer = time, g.b, 0
	if g.b != 0 {
		s.values.at(g.b).newer = id
	} else {
		g.a = id
	}
	g.b = id
}

func (s *shard) unlinkValue(g *group, id uint32) {
	v := s.values.at(id)
	if v.older != 0 {
		s.values.at(v.older).newer = v.newer
	} else {
		g.a = v.newer
	}
	if v.newer != 0 {
		s.values.at(v.newer).older = v.older
	} else {
		g.b = v.older
	}
}

// dropValue forgets the value that was not seen the longest.
func (s *shard) dropValue(g *group) {
	id := g.a
	s.unlinkValue(g, id)
	s.values.remove(id)
	g.n--
}

// addNumber counts a number, if it is one.
func (s *shard) addNumber(c *live, g *group, time int64, text []byte) {
	n, ok := s.parseNumber(text)
	if !ok {
		return
	}
	n.time = time
	s.keepNumber(c, g, n)
	if int(g.n) > s.window {
		s.cut++
		s.dropNumber(c, g)
	}
}

func (s *shard) keepNumber(c *live, g *group, n number) {
	id := s.numbers.take()
	*s.numbers.at(id) = n
	if g.n > 0 {
		s.numbers.at(g.b).next = id
	} else {
		g.a = id
	}
	g.b = id
	if c.summed {
		s.include(s.totals.at(g.c), &n, g.n, false)
	} else {
		g.c = s.insert(g.c, id)
	}
	g.n++
}

// dropNumber forgets the oldest number.
func (s *shard) dropNumber(c *live, g *group) {
	id := g.a
	n := s.numbers.at(id)
	g.n--
	if c.summed {
		s.include(s.totals.at(g.c), n, g.n, true)
	} else {
		g.c = s.erase(g.c, id)
	}
	if n.wide {
		s.wides.give(uint32(n.whole))
	}
	g.a = n.next
	s.numbers.give(id)
}
