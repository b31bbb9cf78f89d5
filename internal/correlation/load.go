package correlation

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"

	"entente/internal/state"
	"entente/sigma"
)

func readKey(d *state.Reader) key { return key{d.Word(), d.Word()} }

// Load takes the state that another engine saved into one that has not begun. What was saved of correlations that are not there now, or that are others by now, is left out.
// The bounds are those of this engine. After an error the engine is as it was before.
func (e *Engine) Load(d *state.Reader) error {
	d.Expect(version)
	fresh := *e
	fresh.load(d)
	if d.Err() != nil {
		return d.Err()
	}
	*e = fresh
	e.settle(e.mark)
	return nil
}

func (e *Engine) load(d *state.Reader) {
	e.secret = readKey(d)
	e.shards = e.newShards()
	e.furthest, e.mark = d.Int(), d.Int()
	e.sources = map[string]int64{}
	for n := d.Count(); n > 0 && d.Err() == nil; n-- {
		if len(e.sources) > sourcesMost {
			d.Fail("it has too many sources")
		}
		name := d.Text()
		e.sources[name] = d.Int()
	}
	for _, n := range e.stats.counters() {
		*n = d.Uint()
	}
	e.loadWaiting(d)
	known := map[[sha256.Size]byte]*live{}
	for _, c := range e.live {
		known[c.print] = c
	}
	var saved []stored
	for n := d.Count(); n > 0 && d.Err() == nil; n-- {
		var s stored
		var print [sha256.Size]byte
		copy(print[:], d.Data())
		s.live, s.layout, s.slots = known[print], d.Uint(), d.Uint()
		if s.layout > layoutSlots || s.live != nil && (s.layout != s.live.layout() || s.slots != uint64(s.live.slots)) {
			d.Fail("a correlation is not kept as it must be")
		}
		if s.live != nil {
			s.live.before = true
		}
		saved = append(saved, s)
	}
	e.used = 0
	for n := d.Count(); n > 0 && d.Err() == nil; n-- {
		e.loadGroup(d, saved)
	}
}

// stored is how a correlation was kept.
type stored struct {
	live          *live // nil: it is not there any more
	layout, slots uint64
}

func (e *Engine) loadWaiting(d *state.Reader) {
	e.wait, e.seq, e.subjects = waiting{}, 0, map[subjectName]*subject{}
	for _, r := range e.loadRecords(d) {
		e.seq++
		r.seq = e.seq
		e.wait.add(r)
	}
}

// loadRecords reads hits, and leaves out those of rules that no correlation is about any more.
func (e *Engine) loadRecords(d *state.Reader) (all []*record) {
	type was struct {
		now    *subject
		fields []string
	}
	var subjects []was
	for n := d.Count(); n > 0 && d.Err() == nil; n-- {
		id, name := d.Text(), d.Text()
		w := was{now: e.subject(&sigma.Meta{ID: id, Name: name})}
		for n := d.Count(); n > 0 && d.Err() == nil; n-- {
			w.fields = append(w.fields, d.Text())
		}
		subjects = append(subjects, w)
	}
	for n := d.Count(); n > 0 && d.Err() == nil; n-- {
		of := d.Uint()
		if of >= uint64(len(subjects)) {
			d.Fail("a hit is of no rule")
			break
		}
		w := subjects[of]
		r := &record{from: w.now, time: d.Int(), index: d.Uint()}
		if r.index >= unit || r.time == never {
			d.Fail("a hit is of no event")
		}
		saved := state.NewReader(d.Data())
		values := map[string][]byte{}
		for _, f := range w.fields {
			n := saved.Count()
			v := binary.AppendUvarint(nil, uint64(n))
			for ; n > 0; n-- {
				text := saved.Data()
				v = append(binary.AppendUvarint(v, uint64(len(text))), text...)
			}
			values[f] = v
		}
		if saved.End(); saved.Err() != nil {
			d.Fail("the values of a hit are none")
		}
		if w.now == nil || d.Err() != nil {
			continue
		}
		for _, f := range w.now.fields {
			if v, ok := values[f]; ok {
				r.values = append(r.values, v...)
			} else {
				r.values = append(r.values, 0)
			}
		}
		all = append(all, r)
	}
	return all
}

func (e *Engine) loadGroup(d *state.Reader, saved []stored) {
	of, k := d.Uint(), readKey(d)
	if of >= uint64(len(saved)) {
		d.Fail("a group is of no correlation")
		return
	}
	was := saved[of]
	c := was.live
	s, g := (*shard)(nil), &group{} // of a correlation that is not there nothing is kept
	if c != nil {
		s = e.shardOf(k)
		if id, _ := s.groups.find(k); id != 0 {
			d.Fail("a group stands twice")
			return
		}
		g, _ = s.group(c, k)
	}
	e.used++
	flags := d.Uint()
	g.used, g.held, g.plain = e.used, flags&1 != 0, flags&2 != 0
	g.last, g.index, g.mask = d.Int(), d.Uint(), d.Uint()
	oldest := int64(never)
	before := func() int64 { // moments of a list do not fall
		t := g.last - int64(d.Uint())
		if t > g.last || t < oldest || t == never {
			d.Fail("a window is not in order")
			t = g.last
		}
		oldest = t
		return t
	}
	for n := d.Count(); n > 0 && d.Err() == nil; n-- {
		t, index := before(), d.Uint()
		if c != nil {
			index = index>>1 | index<<63
			if s.push(&g.trail, t, index); c.counts && index&unit != 0 {
				g.n++
			}
			if flags&4 != 0 && g.trail.n == 1 {
				s.second(&g.trail)
			}
		}
	}
	oldest = never
	switch was.layout {
	case layoutSlots:
		if c != nil && g.mask>>len(c.Rules) != 0 {
			d.Fail("a group has more rules than there are")
		}
		for i := uint64(0); i < was.slots && d.Err() == nil; i++ {
			n := d.Uint()
			if n > math.MaxInt64 || n > 0 && g.last-int64(n-1) > g.last {
				d.Fail("a moment is none")
			} else if c != nil && n > 0 {
				s.slots[c.at].row(g.a)[i] = g.last - int64(n-1)
			}
		}
	case layoutValues:
		for n := d.Count(); n > 0 && d.Err() == nil; n-- {
			k, t := readKey(d), before()
			if c != nil && !s.keepValue(g, k, t) {
				d.Fail("a value stands twice")
			}
		}
	case layoutNumbers:
		for n := d.Count(); n > 0 && d.Err() == nil; n-- {
			t, power, whole := before(), d.Int(), d.Text()
			if power < -1000 || power > 1000 || !isWhole(whole) {
				d.Fail("a number is none")
			} else if c != nil {
				v := s.number(whole, int(power))
				v.time = t
				s.keepNumber(c, g, v)
			}
		}
	}
}

// isWhole says whether a text is a whole number of no more digits than are counted.
func isWhole(text string) bool {
	digits := bytes.TrimPrefix([]byte(text), []byte("-"))
	return len(digits) > 0 && len(digits) <= 400 && len(bytes.Trim(digits, "0123456789")) == 0
}
