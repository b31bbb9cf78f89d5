package watch

import (
	"bytes"
	"slices"
	"time"

	"entente/internal/event"
	"entente/internal/indicator"
	"entente/internal/observation"
	"entente/stix/pattern"
)

// Pattern is an indicator whose STIX pattern is more than a list of values.
type Pattern struct {
	Meta    indicator.Meta
	Text    string // as the indicator has it
	pattern *pattern.Pattern
}

// NewPattern makes one of a pattern. The events' values are compared in the forms that [observation.Canonical] says.
func NewPattern(m indicator.Meta, p *pattern.Pattern) (Pattern, error) {
	q, err := observation.Canonical(p)
	return Pattern{Meta: m, Text: p.Source(), pattern: q}, err
}

// Patterns are patterns made ready. They are made once, and read by any number of goroutines.
type Patterns struct {
	list   []Pattern
	engine *observation.Engine
}

// NewPatterns makes patterns ready; those that cannot be used are said with the reason.
func NewPatterns(list []Pattern, c observation.Config) (*Patterns, []observation.Left) {
	ps := make([]observation.Pattern, len(list))
	for i := range list {
		ps[i] = observation.Pattern{ID: list[i].Meta.Source, Pattern: list[i].pattern, From: list[i].Meta.From, Until: list[i].Meta.Until}
	}
	e, left := observation.New(ps, c)
	return &Patterns{list, e}, left
}

// putting is how patterns are put to the events of a set.
type putting struct {
	of     *Patterns
	events *observation.Events
}

// Parts is an event that is part of what patterns of several events ask for, until a [Stream] takes it.
type Parts struct {
	of   *Patterns
	seen observation.Seen
	now  time.Time
}

// Call gives the event another name in [Finding.Events] than its index.
func (p *Parts) Call(name uint64) { p.seen.Ref = name }

// patterns puts the patterns to an event.
func (w *Watcher) patterns(n int, ev *event.Event) {
	put := w.s.patterns[n]
	conds := w.p[n].Event(put.events, ev)
	if len(conds) == 0 {
		return
	}
	e := put.of.engine
	seen := observation.Seen{Count: 1, Ref: ev.Index, Met: conds, Told: true}
	if when, ok := w.s.Time(ev); ok {
		seen.First, seen.Last = when, when
	}
	e.Single(&seen, func(p int, cond int32) {
		switch is := e.Pattern(p); {
		case is.Early(w.moment):
			w.Dead[indicator.Early]++
		case is.Expired(w.moment):
			w.Dead[indicator.Expired]++
		default:
			w.found = append(w.found, Finding{Pattern: &put.of.list[p], Fields: put.events.Fields(cond, ev)})
		}
	})
	var parts []int32
	for _, c := range conds {
		if e.Temporal(c) {
			parts = append(parts, c)
		}
	}
	if parts != nil {
		why := make([]met, len(parts))
		for i, c := range parts {
			why[i] = met{e.Condition(c), short(put.events.Fields(c, ev))}
		}
		seen.Met, seen.Note = parts, why
		w.found = append(w.found, Finding{Silent: true, Parts: &Parts{put.of, seen, w.moment}})
	}
}

// met is a condition that an event meets, and by which fields.
type met struct {
	cond   string // its text
	fields []event.Field
}

// What is kept of the fields of an event for as long as a pattern may need it.
const (
	keptFields = 16
	keptBytes  = 512
)

func short(list []event.Field) []event.Field {
	list = slices.Clip(list[:min(len(list), keptFields)])
	for i := range list {
		if len(list[i].Value) > keptBytes {
			list[i].Value = bytes.Clone(list[i].Value[:keptBytes])
		}
	}
	return list
}

// Undecided counts the conditions of patterns that could not be decided on an event, as they compare a time with what is none, or take too long. They are not met by it.
func (w *Watcher) Undecided() (n uint64) {
	for _, m := range w.p {
		n += m.Failed
	}
	return n
}

// Stream finds the patterns that several events are needed for. It belongs to one goroutine, which gives it the Parts of all events in the order of these.
type Stream struct {
	streams []stream
}

type stream struct {
	of *Patterns
	s  *observation.Stream
}

// Stream makes one that has seen nothing.
func (s *Set) Stream() *Stream {
	out := &Stream{}
	for _, p := range s.patterns {
		out.streams = append(out.streams, stream{p.of, p.of.engine.Stream()})
	}
	return out
}

// Move makes a stream of the patterns of another set that goes on where this one is: what it keeps for a pattern of the same source and text stays. This one is spent by it.
func (s *Stream) Move(to *Set) *Stream {
	out := &Stream{}
	for i, p := range to.patterns {
		next := stream{of: p.of}
		switch {
		case i >= len(s.streams):
			next.s = p.of.engine.Stream()
		case s.streams[i].of == p.of:
			next.s = s.streams[i].s
		default:
			next.s = s.streams[i].s.Move(p.of.engine)
		}
		out.streams = append(out.streams, next)
	}
	return out
}

// at is the place of the patterns that an event is put to; below 0: they are not looked for any more.
func (s *Stream) at(p *Parts) int {
	return slices.IndexFunc(s.streams, func(x stream) bool { return x.of == p.of })
}

// Take takes what a Watcher found, and calls f with each pattern that is complete with it.
func (s *Stream) Take(p *Parts, f func(*Finding)) {
	at := s.at(p)
	if at < 0 {
		return
	}
	s.streams[at].s.Take(&p.seen, p.now, func(h observation.Hit) {
		out := Finding{Pattern: &p.of.list[h.Pattern]}
		for _, part := range h.Parts {
			out.Events = append(out.Events, part.Ref)
			if out.First.IsZero() {
				out.First = part.First
			}
			if part.Last.After(out.Last) {
				out.Last = part.Last
			}
			why, _ := part.Note.([]met)
			for _, m := range why {
				if p.of.engine.Asks(h.Pattern, m.cond) {
					for _, x := range m.fields {
						out.add(x)
					}
				}
			}
		}
		f(&out)
	})
}

// Stats is what there was up to now.
func (s *Stream) Stats() (sum observation.Stats) {
	for _, x := range s.streams {
		sum.Add(x.s.Stats())
	}
	return sum
}
