package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

// machine drives a store and the oracle with the same random acts and compares every answer.
type machine struct {
	*rapid.T
	s     store.Store
	o     *Oracle
	clock *clock
}

// clock is what a store is told the time by.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// Opener makes an empty store that goes by a clock.
type Opener func(t *testing.T, now func() time.Time) store.Store

var ctx = context.Background()

// newMachine opens a store and an oracle for it.
func newMachine(t *testing.T, rt *rapid.T, open Opener) *machine {
	c := &clock{now}
	return &machine{T: rt, s: open(t, c.now), o: NewOracle(), clock: c}
}

func (m *machine) scope() gate.Scope { return pick(m.T, "scope", viewers(m.clock.at)) }

// pass lets time go by, or sets the clock back a little.
func (m *machine) pass() {
	m.clock.at = m.clock.at.Add(pick(m.T, "pass", []time.Duration{time.Minute, 40 * time.Minute, 2 * time.Hour, -10 * time.Minute}))
}

func (m *machine) append() { m.appendBatch(m.scope(), genBatch(m.T, m.clock.at)) }

func (m *machine) appendBatch(scope gate.Scope, b store.Batch) []store.Outcome {
	before := m.o.Last
	var told []store.Outcome
	b.Then = func(out []store.Outcome) []store.Doc {
		told = slices.Clone(out)
		return nil
	}
	got, err := m.s.Append(ctx, scope, b)
	if err != nil {
		m.Fatalf("append: %v", err)
	}
	want := m.o.Append(scope, b, got)
	if d := cmp.Diff(want, got, equalLabels); d != "" {
		m.Fatalf("outcomes for %+v differ (-want +got):\n%s\nof the batch %s", scope.Viewer(), d, show(b.Puts))
	}
	if d := cmp.Diff(told, got, equalLabels); d != "" {
		m.Fatalf("Then was told other outcomes:\n%s", d)
	}
	last := before
	for i, out := range got {
		if out.State != store.Added && out.State != store.Held {
			continue
		}
		if out.Seq <= last {
			m.Fatalf("seq %d of put %d does not follow %d", out.Seq, i, last)
		}
		last = out.Seq
	}
	return got
}

// page reads a query to its end and compares it with the oracle.
func (m *machine) page() {
	scope, q := m.scope(), genQuery(m.T, m.o)
	want := m.o.Select(scope, q)
	got := readAll(m.T, m.s, scope, q, nil)
	compareItems(m.T, q, want, got)
}

// fataler is what fails a test.
type fataler interface {
	Fatalf(format string, args ...interface{})
}

// readAll follows the cursor to the end. between is called between pages.
func readAll(t fataler, s store.Store, scope gate.Scope, q store.Query, between func()) (items []store.Item) {
	for pages := 0; ; pages++ {
		p, err := s.Page(ctx, scope, q)
		if err != nil {
			t.Fatalf("page: %v", err)
		}
		if q.Limit > 0 && len(p.Items) > q.Limit {
			t.Fatalf("a page of %d items, limit %d", len(p.Items), q.Limit)
		}
		for _, it := range p.Items {
			if it.Seq <= q.After {
				t.Fatalf("item at %d on the page after %d", it.Seq, q.After)
			}
			q.After = it.Seq
		}
		items = append(items, p.Items...)
		if !p.More {
			return items
		}
		if p.Next < q.After || pages > 10_000 {
			t.Fatalf("the cursor %d does not advance past %d", p.Next, q.After)
		}
		q.After = p.Next
		if between != nil {
			between()
		}
	}
}

// compareItems wants exactly these records, in this order, byte by byte.
func compareItems(t fataler, q store.Query, want []*Stored, got []store.Item) {
	var w []store.Item
	for _, s := range want {
		w = append(w, s.item(q.Collection, q.Headers))
	}
	if d := cmp.Diff(w, got, cmpopts.EquateEmpty(), equalLabels); d != "" {
		t.Fatalf("query %+v: pages differ (-want +got):\n%s", q, d)
	}
}

func (m *machine) remove() {
	scope := m.scope()
	r := store.Removal{Collection: pick(m.T, "collection", colls), ID: genID(m.T), Versions: genVersions(m.T), Specs: some(m.T, "spec", specs), Act: store.Act{Actor: "node", Verb: "object.remove"}}
	if len(m.o.Records) > 0 && rapid.IntRange(0, 2).Draw(m.T, "by record") == 0 {
		s := pick(m.T, "record", m.o.Records)
		r.Rec, r.ID = s.Rec, s.ID
	} else if r.Collection == "" && rapid.IntRange(0, 3).Draw(m.T, "erase") > 0 {
		r.Collection = "a"
	}
	got, err := m.s.Remove(ctx, scope, r)
	if err != nil {
		m.Fatalf("remove: %v", err)
	}
	if want := m.o.Remove(scope, r); got != want {
		m.Fatalf("removed %d, want %d: %+v", got, want, r)
	}
}

func (m *machine) relabel() {
	if len(m.o.Records) == 0 {
		return
	}
	scope := m.scope()
	r := store.Relabelling{Rec: pick(m.T, "record", m.o.Records).Rec, Label: genLabel(m.T, m.clock.at), EndHold: rapid.Bool().Draw(m.T, "end hold"), Act: store.Act{Actor: "node", Verb: "object.relabel"}}
	there := m.o.find(scope, r.Rec)
	if rapid.Bool().Draw(m.T, "was") {
		l := genLabel(m.T, m.clock.at)
		if there != nil && rapid.Bool().Draw(m.T, "is") {
			l = there.Label
		}
		r.Was = &l
	}
	before := m.o.Last
	seq, err := m.s.Relabel(ctx, scope, r)
	switch {
	case there == nil:
		if fault.Of(err) != fault.NotFound {
			m.Fatalf("relabel of what is hidden: %v", err)
		}
		return
	case r.Was != nil && !label.Equal(there.Label, *r.Was):
		if fault.Of(err) != fault.Conflict {
			m.Fatalf("relabel of what has another label: %v", err)
		}
		return
	}
	if err != nil || seq <= before {
		m.Fatalf("relabel: seq %d after %d, %v", seq, before, err)
	}
	m.o.Relabel(scope, r, seq)
}

func (m *machine) quarantined() {
	scope := m.scope()
	q := store.QuarantineQuery{Awaits: pick(m.T, "awaits", append(awaited, "")), Limit: rapid.IntRange(0, 3).Draw(m.T, "limit")}
	if len(m.o.Records) > 0 && rapid.IntRange(0, 3).Draw(m.T, "after") == 0 {
		q.After = pick(m.T, "after", m.o.Records).Rec
	}
	if len(m.o.Records) > 0 && rapid.Bool().Draw(m.T, "one") {
		q.Rec = pick(m.T, "record", m.o.Records).Rec
	}
	got, err := m.s.Quarantined(ctx, scope, q)
	if err != nil {
		m.Fatalf("quarantined: %v", err)
	}
	var want []store.Quarantined
	for _, s := range m.o.Quarantined(scope, q) {
		want = append(want, store.Quarantined{Item: s.item("", false), Hold: *s.Hold})
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), equalLabels); d != "" {
		m.Fatalf("quarantine differs for %+v (-want +got):\n%s", q, d)
	}
}

// due asks what time has made due, now or at another time.
func (m *machine) due() {
	scope, at, limit := m.scope(), m.clock.at.Add(pick(m.T, "at", []time.Duration{0, time.Hour, -time.Hour})), rapid.IntRange(1, 4).Draw(m.T, "limit")
	got, err := m.s.Due(ctx, scope, at, limit)
	if err != nil {
		m.Fatalf("due: %v", err)
	}
	if d := cmp.Diff(m.o.Due(scope, at, limit), got, cmpopts.EquateEmpty(), equalLabels); d != "" {
		m.Fatalf("what is due differs (-want +got):\n%s", d)
	}
}

func (m *machine) release() {
	var recs []record.Seq
	for _, s := range slices.Concat(m.o.Records, m.o.removed) {
		recs = append(recs, s.Rec)
	}
	if len(recs) == 0 {
		return
	}
	r := store.Release{Party: pick(m.T, "party", parties).String(), Clause: pick(m.T, "clause", []string{"tlp:green", "audience"})}
	for range rapid.IntRange(1, 5).Draw(m.T, "records") {
		r.Recs = append(r.Recs, pick(m.T, "record", recs))
	}
	err := m.s.Release(ctx, r)
	if m.o.Release(r, m.clock.at) != (err == nil) || err != nil && fault.Of(err) != fault.Unavailable {
		m.Fatalf("release of %v: %v", r.Recs, err)
	}
}

func (m *machine) holders() {
	scope, id := m.scope(), genID(m.T)
	got, err := m.s.Holders(ctx, scope, id)
	if err != nil {
		m.Fatalf("holders: %v", err)
	}
	if d := cmp.Diff(m.o.Holders(scope, id), got, cmpopts.EquateEmpty()); d != "" {
		m.Fatalf("holders of %s differ (-want +got):\n%s", id, d)
	}
}

func (m *machine) purge() {
	if rapid.IntRange(0, 3).Draw(m.T, "purge") > 0 {
		return
	}
	scope, id := m.scope(), genID(m.T)
	p := store.Purge{ID: id, Act: store.Act{Actor: "node", Verb: "object.purge", Target: id}}
	if rapid.Bool().Draw(m.T, "of one organisation") {
		party := pick(m.T, "party", parties)
		p.Nation, p.Org = party.Nation, party.Org
	}
	dry := p
	dry.DryRun = true
	counted, err := m.s.Purge(ctx, scope, dry)
	if err != nil {
		m.Fatalf("dry purge: %v", err)
	}
	got, err := m.s.Purge(ctx, scope, p)
	if err != nil {
		m.Fatalf("purge: %v", err)
	}
	if want := m.o.Purge(scope, p); got.Records != want || counted.Records != want || counted.Bytes != got.Bytes {
		m.Fatalf("purged %+v, announced %+v, want %d records", got, counted, want)
	}
}

// follow reads the whole journal for a scope.
func (m *machine) follow() {
	scope := m.scope()
	var got []store.Entry
	for after := record.Seq(0); ; {
		es, err := m.s.Follow(ctx, scope, after, 3)
		if err != nil {
			m.Fatalf("follow: %v", err)
		}
		if len(es) == 0 {
			break
		}
		for _, e := range es {
			if e.Seq <= after {
				m.Fatalf("entry %d after %d", e.Seq, after)
			}
			after = e.Seq
		}
		got = append(got, es...)
	}
	var lines, want []string
	for _, e := range got {
		shown := "-"
		if e.Record != nil {
			shown = e.Record.ID + string(e.Record.Body)
		}
		if e.Act != nil && !scope.IsOwn() {
			m.Fatalf("an act is shown to %+v", scope.Viewer())
		}
		lines = append(lines, fmt.Sprint(e.Kind, " ", e.Rec, " ", shown, " ", e.Recs))
	}
	for _, e := range m.o.Entries {
		shown := "-"
		if s := m.o.find(scope, e.Rec); s != nil && (e.Kind == store.EntryPut || e.Kind == store.EntryRelabel) {
			shown = s.ID + string(s.Body)
		}
		if shown != "-" || scope.IsOwn() {
			want = append(want, fmt.Sprint(e.Kind, " ", e.Rec, " ", shown, " ", e.Recs))
		}
	}
	m.watch(scope)
	slices.Sort(want) // removals of one act have no order among themselves
	slices.Sort(lines)
	if d := cmp.Diff(want, lines, cmpopts.EquateEmpty()); d != "" {
		m.Fatalf("journal differs (-want +got):\n%s", d)
	}
}

// history looks where each record lies.
func (m *machine) history() {
	scope := m.scope()
	for _, s := range m.o.Records {
		rec := s.Rec
		got, err := m.s.History(ctx, scope, rec)
		if m.o.find(scope, rec) == nil {
			if fault.Of(err) != fault.NotFound {
				m.Fatalf("history of %d, which is hidden: %+v, %v", rec, got, err)
			}
			continue
		}
		if err != nil {
			m.Fatalf("history: %v", err)
		}
		in := map[string]record.Seq{"": s.Places[""]}
		for _, p := range got.Places {
			in[p.Collection] = p.Seq
		}
		if d := cmp.Diff(s.Places, in, cmpopts.EquateEmpty()); d != "" {
			m.Fatalf("places of %d differ (-want +got):\n%s", rec, d)
		}
	}
}

// watch reads the whole journal for a scope in headers: every line is there, with the records that are there and may be had.
func (m *machine) watch(scope gate.Scope) {
	n, after := 0, record.Seq(0)
	for {
		es, err := m.s.Watch(ctx, scope, after, 3)
		if err != nil {
			m.Fatalf("watch: %v", err)
		}
		if len(es) == 0 {
			break
		}
		for _, e := range es {
			n++
			if e.Seq <= after {
				m.Fatalf("line %d after %d", e.Seq, after)
			}
			after = e.Seq
			want := m.o.find(scope, e.Rec)
			if (e.Record != nil) != (want != nil) || want != nil && (e.Record.ID != want.ID || e.Record.Body != nil) {
				m.Fatalf("%s %d has the record %+v, want %+v", e.Kind, e.Rec, e.Record, want)
			}
		}
	}
	if last, _ := m.s.Newest(); n != len(m.o.Entries) || last < after {
		m.Fatalf("%d lines of %d, the newest %d of %d", n, len(m.o.Entries), after, last)
	}
}

func (m *machine) stats() {
	st, err := m.s.Stats(ctx)
	if err != nil {
		m.Fatalf("stats: %v", err)
	}
	want := map[string]int64{}
	held := int64(0)
	for _, s := range m.o.Records {
		for c := range s.Places {
			want[c]++
		}
		if s.Hold != nil {
			held++
		}
	}
	records := want[""]
	delete(want, "")
	if d := cmp.Diff(want, st.Collections, cmpopts.EquateEmpty()); d != "" || st.Records != records || st.Held != held || st.Last < m.o.Last {
		m.Fatalf("stats %+v, want %d records, %d held, last %d: %s", st, records, held, m.o.Last, d)
	}
}

// testModel holds a driver to the oracle over random histories.
func testModel(t *testing.T, open Opener) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(t, rt, open)
		defer m.s.Close()
		acts := map[string]func(*rapid.T){}
		for name, act := range map[string]func(){"append": m.append, "append more": m.append, "page": m.page, "page more": m.page, "page again": m.page,
			"remove": m.remove, "relabel": m.relabel, "quarantined": m.quarantined, "release": m.release, "holders": m.holders, "purge": m.purge,
			"due": m.due, "pass": m.pass, "follow": m.follow, "history": m.history, "stats": m.stats} {
			acts[name] = func(t *rapid.T) {
				m.T = t
				act()
			}
		}
		rt.Repeat(acts)
	})
}

// show prints what matters of puts.
func show(puts []store.Put) (text string) {
	for i, p := range puts {
		r := p.Record
		text += fmt.Sprintf("\n%d: %s %s %s by %s/%s, %s %s %v %v, held %t, %s", i, r.ID, r.Version, r.Spec, r.Origin.Nation, r.Origin.Org, r.Label.TLP, r.Label.Audience,
			r.Label.NotBefore, r.Label.NotAfter, p.Hold != nil, r.Body)
	}
	return text
}
