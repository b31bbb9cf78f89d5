package observation

import (
	"errors"
	"math/bits"
	"slices"
	"time"

	"entente/stix/pattern"
)

// Seen is an observation of which some conditions are met.
type Seen struct {
	First, Last time.Time // between which it was; zero: nobody knows when, and it can only be the one observation of a pattern without START
	Count       int64     // how often, at least once
	Ref         uint64    // what the caller calls it
	Note        any       // handed back with what it is part of
	Met         []int32   // as a Matcher gives them
	Told        bool      // patterns that ask for no more than it are told already
}

// Hit is that a pattern matched.
type Hit struct {
	Pattern int    // its place in the list of patterns
	Parts   []Part // the observations that it matched on, the earliest first
}

// Part is one observation of a Hit.
type Part struct {
	First, Last time.Time
	Ref         uint64
	Note        any
}

// Stats is what a Stream went through. Where Evicted, Late and GivenUp are 0, nothing was missed.
type Stats struct {
	Seen    uint64 // observations that meet a condition
	Hits    uint64
	Late    uint64 // observations that began so much earlier than others that what they would have met may be gone
	Untimed uint64 // observations without a time that patterns asked for
	Evicted uint64 // observations that no longer had room
	GivenUp uint64 // evaluations that needed more steps than they may
	Early   uint64 // what patterns would have used that did not count yet
	Expired uint64 // and of those that no longer counted
	Kept    int    // observations that are kept now, once for each pattern
}

// Stream finds patterns in observations that come one after the other. It belongs to one goroutine.
type Stream struct {
	e      *Engine
	states []keeping // by alternative
	stats  Stats
	clock  int64
	old    int64 // nothing is expected to begin before it
	begun  bool
	active []int32  // alternatives that keep something
	hand   int      // in active: whose turn it is to lose something
	parts  []uint64 // by alternative: what the observation at hand is for it
	touch  []int32  // alternatives that it is something for
	hits   []int32  // patterns that it was a hit of
	lost   map[int32]uint64
	before []bool // by alternative: it was there when the state was saved that was loaded; nil: nothing was
	again  bool   // see Again
}

// keeping is what an alternative keeps.
type keeping struct {
	room    []witness // of which those before head are gone
	head    int
	have    []int32 // by part
	present uint64
	active  int // place in Stream.active, plus 1
	rest    int // evaluations that are left out as those before were too much
	pause   int
}

// kept are the observations that are kept, by first.
func (t *keeping) kept() []witness { return t.room[t.head:] }

// insert puts an observation among those that are kept.
func (t *keeping) insert(w witness) {
	if len(t.room) == cap(t.room) && t.head > len(t.room)/4 {
		t.compact()
	}
	at := len(t.room)
	for at > t.head && t.room[at-1].first > w.first {
		at--
	}
	if at == t.head && t.head > 0 {
		t.head--
		t.room[t.head] = w
		return
	}
	t.room = slices.Insert(t.room, at, w)
}

// remove takes observations out: those at the beginning at no cost.
func (t *keeping) remove(from, to int) {
	if from > 0 {
		t.room = slices.Delete(t.room, t.head+from, t.head+to)
		return
	}
	clear(t.room[t.head : t.head+to])
	if t.head += to; t.head == len(t.room) {
		t.room, t.head = nil, 0
	}
}

func (t *keeping) compact() {
	n := copy(t.room, t.room[t.head:])
	clear(t.room[n:])
	t.room, t.head = t.room[:n], 0
}

// witness is an observation that is kept.
type witness struct {
	first, last int64
	count       int64
	parts       uint64
	ref         uint64
	note        any
}

// Stream makes one that has seen nothing.
func (e *Engine) Stream() *Stream {
	s := &Stream{e: e, states: make([]keeping, len(e.alts)), parts: make([]uint64, len(e.alts)), lost: map[int32]uint64{}}
	n := 0
	for i := range e.alts {
		n += len(e.alts[i].bounds)
	}
	have := make([]int32, n)
	for i := range e.alts {
		n := len(e.alts[i].bounds)
		s.states[i].have, have = have[:n:n], have[n:]
	}
	return s
}

// nth is an alternative of a pattern, in any engine.
type nth struct {
	id, text string
	n        int
}

// names says what alternatives are, which are asked for one after the other.
func (e *Engine) names() func(alt int) nth {
	n, last := 0, int32(-1)
	return func(alt int) nth {
		p := e.alts[alt].pattern
		if n++; p != last {
			n, last = 0, p
		}
		return nth{e.patterns[p].ID, e.patterns[p].Pattern.Source(), n}
	}
}

// Move makes a stream of other patterns that goes on where this one is: what is kept for a pattern with the same id and text is kept on. This one is spent by it.
func (s *Stream) Move(e *Engine) *Stream {
	old, of := map[nth]int{}, s.e.names()
	for i := range s.states {
		if k := of(i); len(s.states[i].kept()) > 0 {
			old[k] = i
		}
	}
	to := e.Stream()
	to.stats, to.clock, to.begun = s.stats, s.clock, s.begun
	to.stats.Kept = 0
	of = e.names()
	for i := range to.states {
		k := of(i)
		from, ok := old[k]
		if !ok {
			continue
		}
		delete(old, k)
		to.states[i] = s.states[from]
		to.active = append(to.active, int32(i))
		to.states[i].active = len(to.active)
		to.stats.Kept += len(to.states[i].kept())
		to.lost[e.alts[i].pattern] += s.lost[s.e.alts[from].pattern]
	}
	return to
}

// Stats is what there was up to now.
func (s *Stream) Stats() Stats { return s.stats }

// Lost is how many observations a pattern lost for want of room.
func (s *Stream) Lost(pattern int) uint64 { return s.lost[int32(pattern)] }

// step is by how much one observation can move the clock: one with a wrong time does not make the others late.
const step = int64(time.Minute)

// Take takes an observation and calls hit for each pattern that it completes: once, however often the pattern could match with it. Observations that a hit is made of are not
// used for another of the same pattern. Patterns count at the moment now. What hit gets is the caller's.
func (s *Stream) Take(o *Seen, now time.Time, hit func(Hit)) {
	if len(o.Met) == 0 {
		return
	}
	s.stats.Seen++
	first, last, timed := times(o)
	if timed && !s.advance(first, last) {
		s.stats.Late++
	}
	s.touch, s.hits = s.touch[:0], s.hits[:0]
	for _, c := range o.Met {
		for _, u := range s.e.conds[c].users {
			if !s.e.alts[u.alt].bounds[u.part].has(first, last, timed) || s.again && !s.before[u.alt] {
				continue
			}
			if s.parts[u.alt] == 0 {
				s.touch = append(s.touch, u.alt)
			}
			s.parts[u.alt] |= 1 << u.part
		}
	}
	untimed := false
	for _, n := range s.touch {
		a, parts := &s.e.alts[n], s.parts[n]
		s.parts[n] = 0
		p := &s.e.patterns[a.pattern]
		switch {
		case a.single && o.Told, slices.Contains(s.hits, a.pattern):
		case p.Early(now):
			s.stats.Early++
		case p.Expired(now):
			s.stats.Expired++
		case a.single:
			s.told(a.pattern, []Part{{o.First, o.Last, o.Ref, o.Note}}, hit)
		case !timed:
			untimed = true
		default:
			s.keep(n, witness{first, last, max(o.Count, 1), parts, o.Ref, o.Note})
			if found := s.evaluate(n, first, last); found != nil {
				s.told(a.pattern, found, hit)
			}
		}
	}
	if untimed {
		s.stats.Untimed++
	}
}

// Single calls f with each pattern of which an observation is all that it asks for, once, whether it counts at the moment or not.
func (e *Engine) Single(o *Seen, f func(pattern int, cond int32)) {
	first, last, timed := times(o)
	known := []int32(nil)
	for _, c := range o.Met {
		for _, u := range e.conds[c].users {
			a := &e.alts[u.alt]
			if a.single && a.bounds[u.part].has(first, last, timed) && !slices.Contains(known, a.pattern) {
				known = append(known, a.pattern)
				f(int(a.pattern), c)
			}
		}
	}
}

func (s *Stream) told(pattern int32, parts []Part, hit func(Hit)) {
	s.hits = append(s.hits, pattern)
	s.stats.Hits++
	hit(Hit{int(pattern), parts})
}

// times are those of an observation. False: it has none that count.
func times(o *Seen) (first, last int64, ok bool) {
	if o.First.IsZero() {
		return 0, 0, false
	}
	first, ok = nanos(o.First)
	last, known := nanos(o.Last)
	if !known || last < first {
		last = first
	}
	return first, last, ok
}

// advance moves the clock. False: the observation began earlier than others by more than it may.
func (s *Stream) advance(first, last int64) bool {
	if !s.begun {
		s.begun, s.clock = true, first
	}
	s.old = min(s.clock, first) - int64(s.e.config.Lateness)
	timely := first >= s.clock-int64(s.e.config.Lateness)
	s.clock = max(s.clock, min(last, s.clock+step))
	return timely
}

// keep keeps an observation for an alternative.
func (s *Stream) keep(n int32, w witness) {
	a, t := &s.e.alts[n], &s.states[n]
	if a.width < forever {
		gone, kept := 0, t.kept()
		for gone < len(kept) && kept[gone].last < s.old-a.width {
			gone++
		}
		for a.pair && gone+2 < len(kept) && outdone(kept[gone:gone+3], s.old) {
			gone++
		}
		s.drop(n, 0, gone)
	}
	if a.plain && s.dominated(n, &w) {
		return
	}
	s.hold(n, w)
}

// hold puts an observation among those that are kept for an alternative, for which another may have to go.
func (s *Stream) hold(n int32, w witness) {
	t := &s.states[n]
	if len(t.kept()) >= s.e.alts[n].most {
		s.evict(n)
	} else if s.stats.Kept >= s.e.config.All {
		s.hand = (s.hand + 1) % len(s.active)
		s.evict(s.active[s.hand])
	}
	t.insert(w)
	s.stats.Kept++
	for p := w.parts; p != 0; p &= p - 1 {
		i := bits.TrailingZeros64(p)
		t.have[i]++
		t.present |= 1 << i
	}
	s.activate(n)
}

// activate notes that an alternative keeps something.
func (s *Stream) activate(n int32) {
	if t := &s.states[n]; t.active == 0 && len(t.kept()) > 0 {
		s.active = append(s.active, n)
		t.active = len(s.active)
	}
}

// outdone tells whether the first of three observations is not needed for a pair: where all are alike and no other comes before the time, what comes is nearer to the later two.
func outdone(three []witness, time int64) bool {
	a, b, c := &three[0], &three[1], &three[2]
	return c.last < time && b.last < time && a.last == a.first && b.last == b.first && c.last == c.first && a.parts == b.parts && b.parts == c.parts
}

// fewKept bounds the observations that are compared to find one that no match needs.
const fewKept = 64

// dominated makes room among observations that are the same parts of an alternative without WITHIN: of those that nothing comes before the earliest are enough, of those that
// nothing comes after the latest, as many as a whole match has. True: the new one is not needed.
func (s *Stream) dominated(n int32, w *witness) bool {
	a, t := &s.e.alts[n], &s.states[n]
	early, late := w.parts&a.lower == 0, w.parts&a.upper == 0
	if a.demand > fewKept || !early && !late {
		return false
	}
	alike, worst := int64(0), -1
	kept := t.kept()
	for i := range kept {
		k := &kept[i]
		if k.parts != w.parts {
			continue
		}
		alike++
		if worst < 0 || early && k.first >= kept[worst].first || !early && k.last < kept[worst].last {
			worst = i
		}
	}
	if alike < a.demand {
		return false
	}
	if k := &kept[worst]; early && w.first >= k.first || !early && w.last <= k.last {
		return true
	}
	s.drop(n, worst, worst+1)
	return false
}

// evict takes the earliest observation from an alternative, for want of room.
func (s *Stream) evict(n int32) {
	s.stats.Evicted++
	s.lost[s.e.alts[n].pattern]++
	s.drop(n, 0, 1)
}

// drop takes observations from an alternative.
func (s *Stream) drop(n int32, from, to int) {
	t := &s.states[n]
	if from == to {
		return
	}
	for _, w := range t.kept()[from:to] {
		for p := w.parts; p != 0; p &= p - 1 {
			at := bits.TrailingZeros64(p)
			if t.have[at]--; t.have[at] == 0 {
				t.present &^= 1 << at
			}
		}
	}
	t.remove(from, to)
	s.stats.Kept -= to - from
	if len(t.kept()) == 0 && t.active > 0 {
		last := s.active[len(s.active)-1]
		s.active[t.active-1] = last
		s.states[last].active = t.active
		s.active = s.active[:len(s.active)-1]
		t.active = 0
	}
}

// maxPause bounds how many evaluations are left out after one that was too much.
const maxPause = 1 << 10

// evaluate looks whether an alternative matches with the observation that was just kept.
func (s *Stream) evaluate(n int32, first, last int64) []Part {
	a, t := &s.e.alts[n], &s.states[n]
	if a.must&^t.present != 0 {
		return nil
	}
	kept := t.kept()
	if a.width < forever { // whatever matches is with the new one in one window
		from, to := 0, len(kept)
		for from < to && kept[from].last < first-a.width {
			from++
		}
		for to > from && kept[to-1].first > last+a.width {
			to--
		}
		kept = kept[from:to]
	}
	if _, ok := a.root.earliest(kept, a.bounds, never, 1); !ok {
		return nil
	}
	if t.rest > 0 {
		t.rest--
		s.stats.GivenUp++
		return nil
	}
	obs := make([]pattern.Observation, len(kept))
	for i := range kept {
		obs[i] = pattern.Observation{First: time.Unix(0, kept[i].first).UTC(), Last: time.Unix(0, kept[i].last).UTC(), Count: kept[i].count}
	}
	options := []pattern.Option{pattern.Budget(s.e.config.Steps), pattern.Meets(func(e *pattern.Expression, i int) bool {
		part, ok := a.part[e]
		return ok && kept[i].parts&(1<<part) != 0
	})}
	if s.e.config.Closed {
		options = append(options, pattern.ClosedWithin())
	}
	r, err := s.e.patterns[a.pattern].Pattern.Match(obs, options...)
	if wrong, ok := errors.AsType[*pattern.EvalError](err); ok && wrong.Code == pattern.CodeBudget {
		s.stats.GivenUp++
		t.pause = min(max(2*t.pause, 1), maxPause)
		t.rest = t.pause
	}
	if err != nil || !r.Matched {
		return nil
	}
	t.rest, t.pause = 0, 0
	var found []Part
	for _, i := range r.Observations {
		k := &kept[i]
		found = append(found, Part{obs[i].First, obs[i].Last, k.ref, k.note})
	}
	for _, b := range r.Bindings {
		kept[b.Observation].count -= b.Count
	}
	s.spend(n)
	return found
}

// spend drops observations that hits have used up.
func (s *Stream) spend(n int32) {
	t := &s.states[n]
	for i := len(t.kept()) - 1; i >= 0; i-- {
		if t.kept()[i].count <= 0 {
			s.drop(n, i, i+1)
		}
	}
}

// Add adds what another stream went through.
func (s *Stats) Add(o Stats) {
	s.Seen, s.Hits, s.Late, s.Untimed = s.Seen+o.Seen, s.Hits+o.Hits, s.Late+o.Late, s.Untimed+o.Untimed
	s.Evicted, s.GivenUp, s.Early, s.Expired, s.Kept = s.Evicted+o.Evicted, s.GivenUp+o.GivenUp, s.Early+o.Early, s.Expired+o.Expired, s.Kept+o.Kept
}
