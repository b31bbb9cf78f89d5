// Package watch looks at events with everything there is to look for: rules, and indicators in the fields that hold addresses, names, hashes and the like.
package watch

import (
	"bytes"
	"slices"
	"time"

	"entente/internal/event"
	"entente/internal/indicator"
	"entente/internal/match"
	"entente/internal/observation"
	"entente/sigma"
)

// Set is what is looked for. It is made once, and read by any number of [Watcher]s.
type Set struct {
	rules    *Rules
	plan     *event.Plan
	engine   *match.Engine
	table    *indicator.Table
	clock    event.Clock
	seen     [][]observable // by slot
	places   []place
	slots    map[string]int // of the fields that correlations ask about
	patterns []putting
}

// New makes a set of rules, of a table of indicators, and of patterns; each may be nil.
func New(rules *Rules, table *indicator.Table, patterns ...*Patterns) (s *Set, err error) {
	if rules == nil {
		rules = &Rules{}
	}
	s = &Set{rules: rules, plan: event.NewPlan(), table: table, slots: map[string]int{}}
	s.plan.Map(rules.Mapping)
	if s.engine, err = match.New(s.plan, rules.Queries); err != nil {
		return nil, err
	}
	for _, fields := range rules.kept {
		for _, name := range fields {
			s.slots[name] = s.plan.Field(name)
		}
	}
	s.clock = s.plan.Clock()
	if table != nil {
		s.seen, s.places = observables(s.plan)
	}
	for _, p := range patterns {
		if p != nil {
			s.patterns = append(s.patterns, putting{p, p.engine.Events(s.plan)})
		}
	}
	return s, nil
}

// Plan is the fields that are asked for: events are scanned by it.
func (s *Set) Plan() *event.Plan { return s.plan }

// Time is when an event was, in UTC, as the event says it.
func (s *Set) Time(ev *event.Event) (time.Time, bool) { return s.clock.Of(ev) }

// Watcher looks at one event after the other. It belongs to one goroutine.
type Watcher struct {
	// Now is the moment that indicators must be valid at; zero: that of each event, and of one that has none nothing is found.
	Now time.Time

	// Dead counts the indicators that were met and did not count at that moment, by why.
	Dead map[indicator.State]uint64

	s      *Set
	m      *match.Matcher
	p      []*observation.Matcher // by patterns
	found  []Finding
	buf    []byte
	moment time.Time
	at     event.Field         // what is being looked up
	meet   func(indicator.Hit) // met

	witness  Witness
	keys     *indicator.Keys // those of the witness; nil: nobody asks
	known    memo
	meetings uint64 // with indicators, so far
}

// Watcher makes one.
func (s *Set) Watcher() *Watcher {
	w := &Watcher{s: s, m: s.engine.Matcher(), Dead: map[indicator.State]uint64{}}
	w.meet = w.met
	for _, p := range s.patterns {
		w.p = append(w.p, p.of.engine.Matcher())
	}
	if s.table != nil {
		w.known = newMemo()
	}
	return w
}

// Witness is told what is looked for in the table, whether it is there or not: see [indicator.Table.Walk]. Values that met nothing are not looked up again when they come again;
// of these it is told that they do.
type Witness interface {
	Begin()                                         // the keys that come are of another value
	Key(k indicator.Kind, key []byte, beneath bool) // is valid until it returns
	Keep(cell int)                                  // the keys since Begin are those of the value in a cell; there are Cells of these
	Again(cell int)                                 // the value in the cell comes again
}

// Cells are how many a [Witness] is told of.
const Cells = memoCells

// Tell has a witness told; nil: nobody.
func (w *Watcher) Tell(x Witness) {
	if w.witness, w.keys = x, nil; x != nil {
		w.keys = &indicator.Keys{Tell: x.Key}
	}
	w.known.forget()
}

// Finding is that a rule, an indicator or a pattern was found in an event: one of the three is there. Or it is Parts alone: what a [Stream] needs.
type Finding struct {
	Rule      *sigma.Meta
	Indicator *indicator.Hit
	Pattern   *Pattern
	Fields    []event.Field // what matched
	Silent    bool          // nothing to tell: it is only there for correlations, or for a Stream
	Hit       *sigma.Hit    // what correlations need; nil: none is about the rule
	Parts     *Parts        // what patterns of several events need; nil: the event is in none
	Events    []uint64      // of a pattern of several: which they are, in the order of their times

	First, Last time.Time // of a pattern of several: from the first of them to the last
}

// Look gives what is found in an event. It belongs to the watcher, and is valid until its next call and as long as the event is.
func (w *Watcher) Look(ev *event.Event) []Finding {
	w.found = w.found[:0]
	if len(w.s.rules.Queries) > 0 {
		w.m.Match(ev, func(rule int) { w.rule(ev, rule) })
	}
	if w.s.table == nil && w.s.patterns == nil {
		return w.found
	}
	if w.moment = w.Now; w.moment.IsZero() {
		var ok bool
		if w.moment, ok = w.s.Time(ev); !ok {
			return w.found
		}
	}
	if w.s.table != nil {
		w.indicators(ev)
	}
	for i := range w.s.patterns {
		w.patterns(i, ev)
	}
	return w.found
}

func (w *Watcher) rule(ev *event.Event, n int) {
	q := w.s.rules.Queries[n]
	meta := &q.Rule.Meta
	if slices.ContainsFunc(w.found, func(f Finding) bool {
		return f.Rule != nil && f.Rule.ID == meta.ID && f.Rule.Handle() == meta.Handle() && f.Rule.File == meta.File
	}) {
		return // the event is of two kinds of log that the rule is for
	}
	_, because := q.Eval(w.m)
	f := Finding{Rule: meta, Silent: w.s.rules.Silent(meta)}
	for _, m := range because {
		f.add(event.Field{Name: m.Field, Value: m.Value.Text})
	}
	if fields := w.s.rules.kept[n]; fields != nil {
		kept := sigma.Fields{}
		for _, name := range fields {
			for v := range ev.All(w.s.slots[name]) {
				if v.Text != nil {
					kept[name] = append(kept[name], sigma.Value{Kind: kinds[v.Kind], Text: bytes.Clone(v.Text)})
				}
			}
		}
		when, _ := w.s.Time(ev)
		f.Hit = &sigma.Hit{Rule: meta, Time: when, Index: ev.Index, Event: kept, Names: q.Rule.Names}
	}
	w.found = append(w.found, f)
}

var kinds = map[event.Kind]sigma.Kind{event.Text: sigma.KindText, event.Number: sigma.KindNumber, event.Bool: sigma.KindBool}

// add adds a field that is not there yet.
func (f *Finding) add(x event.Field) { f.Fields = event.AddField(f.Fields, x) }
