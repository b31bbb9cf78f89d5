package sensor

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"entente/internal/event"
	"entente/internal/indicator"
	"entente/internal/input"
	"entente/internal/recall"
	"entente/internal/watch"
	wire "entente/sensor"
	"entente/sigma"
)

// block is a stretch of telemetry that is read whole or not at all, and what was met in it. It is there until it is marked as read.
type block struct {
	feed   *Feed
	name   string // that the source gives it; empty: it is not read again
	id     string
	source string // of the input

	mu    sync.Mutex
	hits  map[hitKey]*sighting
	dirty []*sighting
	stage *recall.Stage
	lines uint64       // of it that were looked at
	done  func() error // marks it as read; nil: nothing does
	ended bool
}

type hitKey struct{ source, kind, value string }

// sighting is something that was met in a block.
type sighting struct {
	hitKey
	count, told int64
	first, last time.Time
	toldAt      time.Time
	fields      map[string]string
	waits       bool // it is in dirty
}

// The bounds of what is not told yet.
const (
	again     = 5 * time.Second // between two reports of one sighting in an open block
	maxUntold = 100_000         // sightings, beyond which inputs wait until they are told
)

// met counts that something was met. The caller holds mu.
func (b *block) met(s *Sensor, k hitKey, n int64, first, last time.Time, fields map[string]string) {
	if !s.mutes.heard(k.source, n) {
		return
	}
	x := b.hits[k]
	if x == nil {
		if !s.mutes.note(k.source) {
			return
		}
		x = &sighting{hitKey: k, first: first, last: last, fields: fields}
		b.hits[k] = x
		s.untold.Add(1)
	}
	x.count += n
	if first.Before(x.first) {
		x.first = first
	}
	if last.After(x.last) {
		x.last = last
	}
	if !x.waits {
		x.waits = true
		b.dirty = append(b.dirty, x)
	}
}

// report is what is told of a sighting.
func (b *block) report(x *sighting) wire.Report {
	return wire.Report{ID: wire.ReportID(b.id, x.source, x.kind, x.value), Source: x.source, Kind: x.kind, Value: cut(x.value), First: x.first, Last: x.last, Count: x.count, Fields: x.fields,
		Input: b.feed.Name}
}

// cut leaves of a value what a report may carry.
func cut(value string) string {
	return strings.ToValidUTF8(value[:min(len(value), 4*wire.MaxValue)], "?")
}

// The kind under which is remembered that a name or one beneath it was seen, beside the kinds of package indicator.
const kindBeneath = 128

// worker looks at lines. One is at work for one batch at a time.
type worker struct {
	s       *Sensor
	look    *look
	watcher *watch.Watcher
	ev      event.Event
	stage   *recall.Stage
	keys    []uint64    // of the value that is being looked up
	cells   [][]uint64  // of values that come again
	hits    []sigma.Hit // of rules that correlations are about
	parts   []part      // of patterns of several events
}

func newWorker(s *Sensor) *worker { return &worker{s: s, cells: make([][]uint64, watch.Cells)} }

// Begin implements watch.Witness, as the next three do.
func (w *worker) Begin() { w.keys = w.keys[:0] }

// Key remembers a key that was looked for.
func (w *worker) Key(k indicator.Kind, key []byte, beneath bool) {
	n := len(w.keys)
	switch k {
	case indicator.IPv4, indicator.IPv6:
		if a, ok := netip.AddrFromSlice(key); ok {
			w.keys = w.s.memory.AddrKeys(w.keys, a)
		}
	case indicator.Domain:
		w.keys = append(w.keys, w.s.memory.Key(kindBeneath, key))
		if !beneath {
			w.keys = append(w.keys, w.s.memory.Key(uint8(k), key))
		}
	default:
		w.keys = append(w.keys, w.s.memory.Key(uint8(k), key))
	}
	w.stage.See(w.keys[n:]...)
}

// Keep notes what is remembered of a value that may come again.
func (w *worker) Keep(cell int) { w.cells[cell] = append(w.cells[cell][:0], w.keys...) }

// Again remembers a value that comes again.
func (w *worker) Again(cell int) { w.stage.See(w.cells[cell]...) }

// take looks at a batch.
func (s *Sensor) take(ctx context.Context, f *Feed, b *input.Batch) error {
	if ok, err := s.admit(ctx, f); err != nil {
		return err
	} else if !ok {
		f.mu.Lock()
		f.state.Dropped += uint64(len(b.Lines))
		f.mu.Unlock()
		return nil
	}
	var w *worker
	select {
	case w = <-s.workers:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.workers <- w }()
	blk := s.block(f, b)
	w.batch(blk, b)
	if b.Last || b.Block == "" {
		s.end(blk, b.Block)
	}
	if s.untold.Load() > maxUntold {
		return s.tell(false)
	}
	return nil
}

// batch looks at the lines of a batch.
func (w *worker) batch(blk *block, b *input.Batch) {
	f := blk.feed
	o := f.form(b)
	blk.mu.Lock()
	defer blk.mu.Unlock()
	w.s.swap.RLock()
	defer w.s.swap.RUnlock()
	if l := w.s.look.Load(); w.look != l { // after the block is held: what comes now is looked back for after this batch
		w.look, w.watcher = l, l.set.Watcher()
		w.watcher.Tell(w)
	}
	w.stage = blk.stage
	now := w.s.o.Now()
	w.watcher.Now = now
	var events, unread, size uint64
	var newest time.Time
	before := len(blk.dirty)
	covered := w.s.several.covered(blk.name)
	for _, line := range b.Lines {
		blk.lines++
		size += uint64(len(line))
		ok, err := o.scan(w.look, f.Format, line, &w.ev)
		if err != nil {
			unread++
		}
		if err != nil || !ok {
			continue
		}
		events++
		when, known := w.look.set.Time(&w.ev)
		if !known || when.After(now.Add(24*time.Hour)) || when.Unix() <= 0 {
			when = now // it does not say, or by a clock that is wrong
		} else if blk.lines > covered && when.After(newest) {
			newest = when
		}
		blk.stage.Event(when)
		w.ev.Index = w.s.index.Add(1)
		for _, found := range w.watcher.Look(&w.ev) {
			w.found(blk, &found, now, when, blk.lines > covered)
		}
	}
	w.s.several.add(blk, f.Name+"\x00"+b.Source, w.hits, w.parts, newest)
	clear(w.hits)
	clear(w.parts)
	w.hits, w.parts = w.hits[:0], w.parts[:0]
	blk.done = b.Done
	w.s.buried(w.watcher.Dead)
	if len(blk.dirty) > before {
		w.s.wake(w.s.telling)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Events += events
	f.state.Unread += unread
	f.state.Bytes += size
	if newest.After(f.state.Last) {
		f.state.Last = newest
	}
	f.state.Error = ""
}

// found counts what was found in an event. Fresh: what several events make together was not looked for in it before.
func (w *worker) found(blk *block, found *watch.Finding, now, when time.Time, fresh bool) {
	if fresh && found.Hit != nil {
		w.hits = append(w.hits, *found.Hit)
	}
	if fresh && found.Parts != nil {
		w.parts = append(w.parts, part{blk.lines, found.Parts})
	}
	if found.Silent {
		return
	}
	k := hitKey{}
	switch {
	case found.Rule != nil:
		if k.source = found.Rule.File; !w.look.rules.counts(k.source, now) {
			return
		}
	case found.Pattern != nil:
		k.source = found.Pattern.Meta.Source
	default:
		k = hitKey{found.Indicator.Meta.Source, found.Indicator.Value.Kind.String(), found.Indicator.Value.Text()}
	}
	var fields map[string]string
	if blk.hits[k] == nil {
		fields = w.s.evidence(found.Fields)
	}
	blk.met(w.s, k, 1, when, when, fields)
}

// evidence is what a report may say about the event.
func (s *Sensor) evidence(fields []event.Field) (out map[string]string) {
	for _, f := range fields {
		name := f.Name
		if name == "" {
			name = "keywords"
		}
		if f.Value == nil || len(name) > 256 || len(out) == wire.MaxFields || !slices.Contains(s.o.Config.Evidence, "*") && !slices.Contains(s.o.Config.Evidence, name) {
			continue
		}
		if _, had := out[name]; had {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[name] = strings.ToValidUTF8(string(f.Value[:min(len(f.Value), wire.MaxValue)]), "?")
	}
	return out
}

// end notes that a block has been read whole.
func (s *Sensor) end(blk *block, name string) {
	if name != "" {
		blk.feed.mu.Lock()
		delete(blk.feed.blocks, name)
		blk.feed.mu.Unlock()
	}
	blk.mu.Lock()
	blk.ended = true
	held := blk.stage.Len()
	blk.mu.Unlock()
	s.mu.Lock()
	s.ended = append(s.ended, blk)
	s.held += held
	full := s.held >= s.o.Config.Recall.Hold/2 || len(s.ended) >= maxEnded
	s.mu.Unlock()
	if full {
		s.wake(s.keeping)
	}
	s.wake(s.telling)
}
