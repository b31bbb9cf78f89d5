package observation

import (
	"crypto/sha256"
	"fmt"

	"entente/internal/state"
)

// version is what a saved stream begins with.
const version = "observation 1"

// print names an alternative in what is saved: it is the same for a pattern with the same id and text, and another for others.
type print [2]uint64

// newPrints are those of the alternatives that keep something, by place.
func (e *Engine) newPrints() map[int]print {
	out := map[int]print{}
	of := e.names()
	for i := range e.alts {
		name := of(i)
		if e.alts[i].single {
			continue
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d", name.id, name.text, name.n))
		r := state.NewReader(sum[:])
		out[i] = print{r.Word(), r.Word()}
	}
	return out
}

// Save writes down what the stream has seen; note what the caller gave with an observation.
func (s *Stream) Save(w *state.Writer, note func(*state.Writer, any)) {
	w.Text(version)
	for _, n := range s.stats.counters() {
		w.Uint(*n)
	}
	begun := uint64(0)
	if s.begun {
		begun = 1
	}
	w.Uint(begun)
	w.Int(s.clock)
	prints := s.e.prints()
	w.Uint(uint64(len(prints)))
	for i := range s.states {
		name, ok := prints[i]
		if !ok {
			continue
		}
		t, a := &s.states[i], &s.e.alts[i]
		w.Word(name[0])
		w.Word(name[1])
		w.Uint(uint64(len(a.bounds)))
		w.Uint(s.lost[a.pattern])
		w.Uint(uint64(t.rest))
		w.Uint(uint64(t.pause))
		w.Uint(uint64(t.active))
		w.Uint(uint64(len(t.kept())))
		for _, k := range t.kept() {
			w.Int(k.first)
			w.Uint(uint64(k.last - k.first))
			w.Uint(uint64(k.count))
			w.Uint(k.parts)
			w.Word(k.ref)
			note(w, k.note)
		}
	}
	w.Uint(uint64(s.hand))
}

// counters are those that go on.
func (s *Stats) counters() []*uint64 {
	return []*uint64{&s.Seen, &s.Hits, &s.Late, &s.Untimed, &s.Evicted, &s.GivenUp, &s.Early, &s.Expired}
}

// Load takes what another stream saved into one that has not begun: what was kept for a pattern with the same id and text, within the bounds of this one. After an error the
// stream is as it was before.
func (s *Stream) Load(r *state.Reader, note func(*state.Reader) any) error {
	r.Expect(version)
	to := s.e.Stream()
	to.load(r, note)
	if r.Err() == nil {
		*s = *to
	}
	return r.Err()
}

func (s *Stream) load(r *state.Reader, note func(*state.Reader) any) {
	for _, n := range s.stats.counters() {
		*n = r.Uint()
	}
	s.begun, s.clock = r.Uint() == 1, r.Int()
	known := map[print]int{}
	for i, name := range s.e.prints() {
		known[name] = i
	}
	s.before = make([]bool, len(s.states))
	saved := r.Count()
	turns := make([]int32, saved+1) // by turn: the alternative and 1
	for ; saved > 0 && r.Err() == nil; saved-- {
		name := print{r.Word(), r.Word()}
		parts, lost := r.Uint(), r.Uint()
		at, ok := known[name]
		ok = ok && parts == uint64(len(s.e.alts[at].bounds)) && !s.before[at]
		rest, pause, turn := int(min(r.Uint(), maxPause)), int(min(r.Uint(), maxPause)), r.Uint()
		kept := r.Count()
		if ok {
			s.before[at], s.lost[s.e.alts[at].pattern] = true, lost
			s.states[at].rest, s.states[at].pause = rest, pause
			if kept > 0 && turn < uint64(len(turns)) {
				turns[turn] = int32(at) + 1
			}
		}
		last := int64(never)
		for ; kept > 0 && r.Err() == nil; kept-- {
			k := witness{first: r.Int()}
			k.last, k.count, k.parts, k.ref = k.first+int64(r.Uint()), int64(r.Uint()), r.Uint(), r.Word()
			k.note = note(r)
			if k.first < last || k.last < k.first || k.last > -never || k.count < 1 || k.parts == 0 || parts > 64 || parts < 64 && k.parts>>parts != 0 {
				r.Fail("what a pattern has seen cannot be")
			}
			if last = k.first; ok && r.Err() == nil {
				s.hold(int32(at), k)
			}
		}
	}
	s.hand = int(min(r.Uint(), 1<<30))
	s.active = s.active[:0]
	for n := range s.states {
		s.states[n].active = 0
	}
	for _, n := range turns {
		if n > 0 {
			s.activate(n - 1)
		}
	}
	for n := range s.states { // whose turn cannot be
		s.activate(int32(n))
	}
}

// Again says that what comes from now on came before, to the stream whose state was loaded: patterns that were not there then do not see it.
func (s *Stream) Again(on bool) { s.again = on && s.before != nil }
