package sensor

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"entente/internal/correlation"
	"entente/internal/event"
	"entente/internal/state"
	"entente/internal/watch"
	"entente/sigma"
)

const (
	lateness   = 2 * time.Second // by which events of several inputs may be out of order
	restAfter  = 2 * time.Second // without a line the others do not wait for a source any more
	stillAfter = time.Second     // without a look whether they rest the sensor itself stood still
	settleIn   = 5 * time.Second // after the start, in which inputs have time to begin
	catchUp    = time.Minute     // after it, in which they are waited for while they are behind
	maxSources = 4096            // that are known apart
	maxRested  = 1024            // of those from which nothing comes
)

// several finds what several events make together, over all inputs: correlations, and STIX patterns that ask for more than one event. What it takes is in the journal before
// anything that it found is told, and before a block is marked as read.
//
// An event is called by its block and its place in that, which are the same whoever reads it. What a pattern is met by makes the identity of the report, and of a correlation the
// group and the moment: what is found again is told once.
type several struct {
	s *Sensor

	mu      sync.Mutex
	engine  *correlation.Engine // nil: there are no correlations
	stream  *watch.Stream
	rules   *ruleset
	began   bool // something was adopted
	active  bool // there is something to find
	fed     fed
	last    map[string]time.Time // when lines came, by source
	rested  []string             // sources from which none come for now, the one that rests the longest first
	caught  map[string]bool      // inputs that have caught up since the start
	started time.Time            // of the inputs
	looked  time.Time            // whether some of them rest
	waits   bool                 // hits came since the engine was flushed
	journal journal
}

// part is an event that is part of what patterns ask for, and its place in its block.
type part struct {
	line  uint64
	parts *watch.Parts
}

// adopt takes what is looked for from now on. What was seen for what stays, stays.
func (v *several) adopt(l *look) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rules = l.rules
	was, stream := v.engine, v.stream
	v.fresh(l)
	if was != nil && v.engine != nil {
		var w state.Writer
		was.Save(&w)
		if err := v.engine.Load(state.NewReader(w.Bytes())); err != nil { // which it never is
			v.s.o.Log.Error("what correlations have seen cannot be used: they begin anew", "error", err)
		}
	}
	if stream != nil {
		v.stream = stream.Move(l.set)
	}
	v.active = v.engine != nil || v.stream.Several()
	if !v.active {
		v.fed, v.last, v.rested = fed{}, map[string]time.Time{}, nil
		v.s.failed("several", v.forget())
	} else if !v.began {
		if err := v.restore(); err != nil {
			v.s.o.Log.Warn("what correlations and patterns have seen cannot be used: they begin anew", "error", err)
			v.fresh(l)
			v.fed, v.last, v.rested = fed{}, map[string]time.Time{}, nil
			v.s.loose.told(len(v.s.loose.take()))
		}
	}
	if was == nil && v.engine != nil {
		for _, f := range v.s.o.Feeds { // nobody knows yet from which sources it brings something
			v.await(f.Name + "\x00")
		}
	}
	v.began, v.journal.stale = true, true
}

// await has the others wait for a source, or for an input as a whole.
func (v *several) await(source string) {
	v.heard(source)
	v.engine.Await(source)
}

// fresh makes what has seen nothing.
func (v *several) fresh(l *look) {
	v.engine = l.set.Correlations(correlation.Options{Lateness: lateness, Now: v.s.o.Now}, v.correlated)
	v.stream = l.set.Stream()
	if v.last == nil {
		v.last = map[string]time.Time{}
	}
}

// covered is how many lines of a block were taken before.
func (v *several) covered(block string) uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fed.lines(block)
}

// add takes what is in the lines of a batch that were not taken before, and how far its source is.
func (v *several) add(b *block, source string, hits []sigma.Hit, parts []part, newest time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.active {
		return
	}
	if v.engine != nil {
		v.heard(source)
	}
	if b.lines <= v.fed.lines(b.name) {
		return // it is read again
	}
	v.fed.take(b.name, b.lines)
	if len(hits) == 0 && len(parts) == 0 && (v.engine == nil || newest.IsZero()) {
		return
	}
	w := v.journal.begin(opBatch)
	w.Text(source)
	w.Text(b.name)
	w.Uint(b.lines)
	w.Uint(v.s.index.Load())
	if v.engine == nil {
		w.Uint(0)
	} else {
		w.Uint(1)
		if len(hits) > 0 {
			v.waits = true
		}
		var log state.Writer
		v.engine.AddLogged(&log, source, hits)
		w.Data(log.Bytes())
		nano := int64(0)
		if !newest.IsZero() && v.engine.Advance(source, newest) {
			nano = newest.UnixNano()
		}
		w.Int(nano)
	}
	var list []*watch.Parts
	for _, x := range parts {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", b.id, x.line))
		x.parts.Call(binary.BigEndian.Uint64(sum[:]))
		list = append(list, x.parts)
	}
	v.stream.Log(w, list)
	for _, x := range list {
		v.stream.Take(x, v.matched)
	}
	v.journal.end()
}

// heard notes that lines come from a source. The caller holds mu.
func (v *several) heard(source string) {
	if _, known := v.last[source]; !known {
		if len(v.last) >= maxSources {
			return
		}
		v.rested = slices.DeleteFunc(v.rested, func(s string) bool { return s == source })
	}
	v.last[source] = v.s.o.Now()
}

// correlated takes what the engine found. The caller of the engine holds mu.
func (v *several) correlated(h *sigma.Hit) {
	source := h.Rule.File
	if !v.rules.counts(source, v.s.o.Now()) {
		return
	}
	fields := []event.Field{{Name: "value", Value: []byte(h.Value)}}
	for i, name := range h.Correlation.GroupBy {
		fields = append(fields, event.Field{Name: name, Value: []byte(h.Group[i])})
	}
	origin := strings.Join(append([]string{"correlation", v.s.id.who.Load().ID, h.Time.UTC().Format(time.RFC3339Nano)}, h.Group...), "\x00")
	v.s.combined(origin, source, h.Time, h.Time, fields)
}

// matched takes what the stream found. The caller holds mu.
func (v *several) matched(f *watch.Finding) {
	var origin strings.Builder
	origin.WriteString("pattern")
	for _, event := range f.Events {
		fmt.Fprintf(&origin, "\x00%x", event)
	}
	v.s.combined(origin.String(), f.Pattern.Meta.Source, f.First, f.Last, f.Fields)
}

// rest evaluates what waits for sources from which nothing comes. An input that begins has time to, and one that is behind is waited for until it has caught up once: it may bring
// its sources one after the other. Time in which the sensor itself stood still, with its machine or for a disk, does not count: what came meanwhile is not read yet.
func (v *several) rest() {
	select {
	case <-v.s.ready:
	default:
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.engine == nil {
		return
	}
	now := v.s.o.Now()
	if v.started.IsZero() {
		v.started = now
	} else if still := now.Sub(v.looked) - stillAfter; still > 0 {
		v.started = v.started.Add(still)
		for source, at := range v.last {
			if v.last[source] = at.Add(still); v.last[source].After(now) {
				v.last[source] = now
			}
		}
	}
	v.looked = now
	for source, at := range v.last {
		name, of, _ := strings.Cut(source, "\x00")
		if of != "" && now.Sub(at) < restAfter || !v.caughtUp(name, now) {
			continue
		}
		delete(v.last, source)
		if v.rested = append(v.rested, source); len(v.rested) > maxRested {
			v.rested = slices.Delete(v.rested, 0, len(v.rested)-maxRested)
		}
		v.journal.begin(opRest).Text(source)
		v.journal.end()
		v.engine.Rest(source)
	}
	if v.waits && len(v.last) == 0 {
		v.journal.begin(opFlush)
		v.journal.end()
		v.engine.Flush()
		v.waits = false
	}
}

// caughtUp tells whether an input had nothing more to give at some time since it began.
func (v *several) caughtUp(name string, now time.Time) bool {
	if v.caught[name] {
		return true
	}
	since := now.Sub(v.started)
	if at := slices.IndexFunc(v.s.o.Feeds, func(f *Feed) bool { return f.Name == name }); at >= 0 && since < catchUp {
		f := v.s.o.Feeds[at]
		st := f.status()
		switch gave := st.Events+st.Unread > 0; {
		case since < settleIn && (!gave || f.Failing != nil): // of a broker, what it brings first is not all that waits
			return false
		case st.Lag > 0 && st.Error == "":
			return false
		}
	}
	if v.caught == nil {
		v.caught = map[string]bool{}
	}
	v.caught[name] = true
	return true
}

// over notes that blocks are marked as read.
func (v *several) over(blocks []*block) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.active {
		return
	}
	w := v.journal.begin(opOver)
	w.Uint(uint64(len(blocks)))
	for _, b := range blocks {
		w.Text(b.name)
		v.fed.done(b.name)
	}
	v.journal.end()
}

// missed says which events patterns may have missed, by why.
func (v *several) missed() map[string]uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[string]uint64{}
	if v.stream == nil {
		return out
	}
	st := v.stream.Stats()
	for why, n := range map[string]uint64{"late": st.Late, "untimed": st.Untimed, "evicted": st.Evicted, "given_up": st.GivenUp} {
		if n > 0 {
			out[why] = n
		}
	}
	return out
}
