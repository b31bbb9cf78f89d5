// Package storetest holds every driver of the store to its documentation: run Run in the driver's tests.
package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

var equalLabels = cmp.Comparer(label.Equal)

// Run tests a driver. open makes an empty store of its own on each call.
func Run(t *testing.T, open Opener) {
	for name, test := range map[string]func(*testing.T, Opener){
		"model": testModel, "paging while others write": testPaging, "what is hidden changes nothing": testHidden, "documents": testDocs, "acts": testActs,
		"batch is all or nothing": testAtomic, "many writers": testWriters, "bad input": testBadInput, "holders after removal": testHolders,
		"closed": testClosed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // a test waits for the disk most of the time
			test(t, open)
		})
	}
}

// testPaging: a walk over all versions meets everything that was there when it began, nothing twice, and in the end what was added since.
func testPaging(t *testing.T, open Opener) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(t, rt, open)
		s := m.s
		defer s.Close()
		for range 3 {
			m.append()
		}
		scope := m.scope()
		q := genQuery(rt, m.o)
		q.Versions, q.Specs, q.Before = store.Versions{All: true}, []string{"2.1"}, 0
		got := readAll(rt, s, scope, q, func() {
			if len(m.o.Entries) < 60 {
				m.append()
			}
		})
		compareItems(rt, q, m.o.Select(scope, q), got)
	})
}

// testHidden runs one history in two stores. In one of them an organisation adds records that the viewer may not see. The viewer's
// answers are the same in both, apart from the dates added.
func testHidden(t *testing.T, open Opener) {
	rapid.Check(t, func(rt *rapid.T) {
		quiet, loud := open(t, time.Now), open(t, time.Now)
		defer quiet.Close()
		defer loud.Close()
		me, other := viewer(parties[2], now), viewer(parties[1], now)
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			switch rapid.IntRange(0, 4).Draw(rt, "step") {
			case 0, 1:
				secret := genBatch(rt, now)
				for i := range secret.Puts {
					r := &secret.Puts[i].Record
					r.Origin.Nation, r.Origin.Org, r.Label = parties[1].Nation, parties[1].Org, label.For(label.Red)
					secret.Puts[i].HeldLabel = r.Label
					r.Body = append(r.Body, " of its own"...) // else it would put the other's record in one more collection
					r.Digest[0]++
				}
				if _, err := loud.Append(ctx, other, secret); err != nil {
					rt.Fatalf("append: %v", err)
				}
			case 2:
				id, coll := genID(rt), pick(rt, "collection", colls)
				if x, y := removed(rt, quiet, id, coll), removed(rt, loud, id, coll); x != y {
					rt.Fatalf("removed %d, and %d beside hidden records", x, y)
				}
			default:
				open := genBatch(rt, now)
				for i := range open.Puts {
					r := &open.Puts[i].Record
					r.Origin.Nation, r.Origin.Org = parties[2].Nation, parties[2].Org
				}
				x, err := quiet.Append(ctx, me, open)
				y, err2 := loud.Append(ctx, me, open)
				if err != nil || err2 != nil {
					rt.Fatalf("append: %v, %v", err, err2)
				}
				for i := range x {
					if x[i].State != y[i].State || x[i].Digest != y[i].Digest || why(open.Puts[i], x[i].Hold) != why(open.Puts[i], y[i].Hold) {
						rt.Fatalf("put %d: %+v, and %+v beside hidden records", i, x[i], y[i])
					}
				}
			}
			q := genQuery(rt, &Oracle{})
			if x, y := pageShapes(rt, quiet, q), pageShapes(rt, loud, q); !slices.Equal(x, y) {
				rt.Fatalf("query %+v: %q, and %q beside hidden records", q, x, y)
			}
		}
	})
}

// why are the reasons of a hold; without their words where these have dates added in them.
func why(p store.Put, h *store.Hold) (text string) {
	if h == nil {
		return ""
	}
	for _, r := range h.Reasons {
		text += r.Code + " "
		if p.Record.Version != "" {
			text += r.Message
		}
	}
	return text
}

func removed(t fataler, s store.Store, id, coll string) int {
	n, err := s.Remove(ctx, viewer(parties[2], now), store.Removal{Collection: coll, ID: id})
	if err != nil {
		t.Fatalf("remove: %v", err)
	}
	return n
}

// pageShapes are the pages of a query, each as one line without its seqs.
func pageShapes(t fataler, s store.Store, q store.Query) (lines []string) {
	for {
		p, err := s.Page(ctx, viewer(parties[2], now), q)
		if err != nil {
			t.Fatalf("page: %v", err)
		}
		line := fmt.Sprint(p.More)
		for _, it := range p.Items {
			version := it.Record.Version
			if it.Record.Type == "ipv4-addr" {
				version = "date added"
			}
			line += fmt.Sprint(" ", it.Record.ID, version, it.Record.Spec, it.Held, string(it.Record.Body))
		}
		lines = append(lines, line)
		if q.After = p.Next; !p.More {
			return lines
		}
	}
}

func testDocs(t *testing.T, open Opener) {
	s := open(t, time.Now)
	defer s.Close()
	put := func(d store.Doc) error {
		return s.PutDocs(ctx, store.Act{Actor: "UTO/p", Verb: "user.add", Target: d.Key}, d)
	}
	doc := func(key, value string, version int64) store.Doc {
		return store.Doc{Kind: "user", Key: key, Value: []byte(value), Version: version}
	}
	steps := []struct {
		d    store.Doc
		want fault.Kind // Internal: none
	}{
		{doc("a", "1", 0), fault.Internal}, {doc("a", "2", 0), fault.Conflict}, {doc("a", "2", 1), fault.Internal}, {doc("a", "3", 1), fault.Conflict},
		{doc("a", "3", -1), fault.Internal}, {doc("b", "1", 1), fault.Conflict}, {doc("b", "", 0), fault.Internal}, {doc("c", "1", -1), fault.Internal},
	}
	for i, st := range steps {
		if err := put(st.d); (err == nil) != (st.want == fault.Internal) || err != nil && fault.Of(err) != st.want {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	if d, err := s.Doc(ctx, "user", "a"); err != nil || string(d.Value) != "3" || d.Version != 3 {
		t.Fatalf("got %+v, %v", d, err)
	}
	if d, err := s.Doc(ctx, "user", "b"); err != nil || d.Value == nil || len(d.Value) != 0 {
		t.Fatalf("an empty value became %+v, %v", d, err)
	}
	if ds, err := s.Docs(ctx, "user", "a", 1); err != nil || len(ds) != 1 || ds[0].Key != "b" {
		t.Fatalf("after a: %+v, %v", ds, err)
	}
	if err := s.PutDocs(ctx, store.Act{}, store.Doc{Kind: "user", Key: "c", Version: 1}, doc("d", "x", 7)); fault.Of(err) != fault.Conflict {
		t.Fatalf("one of two conflicts: %v", err)
	}
	if _, err := s.Doc(ctx, "user", "c"); err != nil {
		t.Fatalf("half of a failed write was done: %v", err)
	}
	if err := s.PutDocs(ctx, store.Act{}, store.Doc{Kind: "user", Key: "c", Version: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Doc(ctx, "user", "c"); fault.Of(err) != fault.NotFound {
		t.Fatalf("deleted, and still: %v", err)
	}
	past, future := doc("old", "x", 0), doc("new", "x", 0)
	past.Expires, future.Expires = time.Now().Add(-time.Hour), time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	if err := s.PutDocs(ctx, store.Act{}, past, future); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Doc(ctx, "user", "old"); fault.Of(err) != fault.NotFound {
		t.Fatalf("an expired document is there: %v", err)
	}
	if d, err := s.Doc(ctx, "user", "new"); err != nil || !d.Expires.Equal(future.Expires) {
		t.Fatalf("got %+v, %v", d, err)
	}
	if err := put(doc("old", "y", 0)); err != nil {
		t.Fatalf("an expired document is in the way: %v", err)
	}
	es, err := s.Follow(ctx, rules.Own(now), 0, 0)
	if err != nil || len(es) != 6 || es[0].Kind != store.EntryAct || es[0].Act == nil || es[0].Act.Target != "a" {
		t.Fatalf("the acts of what was done are %+v, %v", es, err)
	}
}

// testActs asks for what people did in both orders, in pages of every size, and by who, what and when.
func testActs(t *testing.T, open Opener) {
	s := open(t, time.Now)
	defer s.Close()
	const many = 1200
	for i := range many {
		a := store.Act{Actor: []string{"CERT/ada", "CERT/otto", "node"}[i%3], Verb: []string{"user.add", "users", "user.change.role", "token.add"}[i%4], Target: fmt.Sprint(i)}
		if err := s.PutDocs(ctx, a, store.Doc{Kind: "k", Key: "k", Value: []byte{byte(i)}, Version: -1}); err != nil {
			t.Fatal(err)
		}
	}
	var times []time.Time
	read := func(q store.ActQuery) (out []string) {
		t.Helper()
		times = nil
		for range 10_000 {
			es, next, err := s.Acts(ctx, rules.Own(now), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range es {
				out, times = append(out, e.Act.Target), append(times, e.Seq.Time())
			}
			if q.After = next; next == 0 {
				return out
			}
		}
		t.Fatal("the acts have no end")
		return nil
	}
	up := read(store.ActQuery{Limit: 7})
	at := times
	down := read(store.ActQuery{Limit: 1000, Newest: true})
	slices.Reverse(down)
	if len(up) != many || !slices.Equal(up, down) || !slices.Equal(read(store.ActQuery{}), up) {
		t.Fatalf("%d acts upwards, %d downwards", len(up), len(down))
	}
	for name, c := range map[string]struct {
		q    store.ActQuery
		want func(i int) bool
	}{
		"the person alone":   {store.ActQuery{Actors: []string{"ada"}}, func(i int) bool { return i%3 == 0 }},
		"any of two":         {store.ActQuery{Actors: []string{"CERT/otto", "node"}, Newest: true}, func(i int) bool { return i%3 != 0 }},
		"verbs by beginning": {store.ActQuery{Verbs: []string{"user"}}, func(i int) bool { return i%4 == 0 || i%4 == 2 }},
		"a whole verb":       {store.ActQuery{Verbs: []string{"user.change.role"}, Limit: 3}, func(i int) bool { return i%4 == 2 }},
		"nobody":             {store.ActQuery{Actors: []string{"CERT"}}, func(int) bool { return false }},
		"from a time to another": {store.ActQuery{Since: at[100], Until: at[200], Newest: true, Limit: 9},
			func(i int) bool { return i >= 100 && i < 200 }},
	} {
		var want []string
		for i := range many {
			if c.want(i) {
				want = append(want, fmt.Sprint(i))
			}
		}
		got := read(c.q)
		if c.q.Newest {
			slices.Reverse(got)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d acts instead of %d", name, len(got), len(want))
		}
	}
	// What an act was done to is told to who may have it.
	_, err := s.Append(ctx, rules.Own(now), store.Batch{Puts: []store.Put{{Record: plain(1)}}})
	if err != nil {
		t.Fatal(err)
	}
	there, err := s.Page(ctx, rules.Own(now), store.Query{})
	if err == nil {
		_, err = s.Relabel(ctx, rules.Own(now), store.Relabelling{Rec: there.Items[0].Rec, Label: label.For(label.Red), Act: store.Act{Actor: "node", Verb: "object.relabel"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	for own, scope := range map[bool]gate.Scope{true: rules.Own(now), false: rules.Scope(gate.Viewer{}, now)} {
		es, _, err := s.Acts(ctx, scope, store.ActQuery{Newest: true, Limit: 1})
		if err != nil || len(es) != 1 || es[0].Act.Verb != "object.relabel" || (es[0].Record != nil) != own {
			t.Errorf("own scope %v: %+v, %v", own, es, err)
		}
	}
}

func testAtomic(t *testing.T, open Opener) {
	s := open(t, time.Now)
	defer s.Close()
	scope := rules.Own(now)
	if err := s.PutDocs(ctx, store.Act{}, store.Doc{Kind: "k", Key: "k", Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	b := store.Batch{Collection: "a", Puts: []store.Put{{Record: plain(1)}, {Record: plain(2)}}}
	for range 3 {
		b.Then = func(out []store.Outcome) []store.Doc {
			return []store.Doc{{Kind: "status", Key: "s", Value: []byte("x"), Version: -1}, {Kind: "k", Key: "k", Value: []byte("y"), Version: 9}}
		}
		if _, err := s.Append(ctx, scope, b); fault.Of(err) != fault.Conflict {
			t.Fatalf("want a conflict, have %v", err)
		}
	}
	if p, err := s.Page(ctx, scope, store.Query{}); err != nil || len(p.Items) != 0 {
		t.Fatalf("a failed batch left %+v, %v", p, err)
	}
	if _, err := s.Doc(ctx, "status", "s"); fault.Of(err) != fault.NotFound {
		t.Fatalf("a failed batch left a document: %v", err)
	}
	b.Then = nil
	if out, err := s.Append(ctx, scope, b); err != nil || out[0].State != store.Added {
		t.Fatalf("after a failed batch: %+v, %v", out, err)
	}
}

// plain is a simple record that the own organisation may see.
func plain(n int) record.Record {
	r := record.Record{ID: id("indicator", n), Kind: record.STIX, Type: "indicator", Spec: "2.1", Version: orders[0] + "Z", Order: orders[0],
		Label: label.For(label.Clear), Origin: record.Origin{Nation: "UTO", Org: "cert"}, Body: fmt.Appendf(nil, `{"n":%d}`, n)}
	r.Digest[0], r.Digest[1] = byte(n), byte(n>>8)
	return r
}

func testWriters(t *testing.T, open Opener) {
	s := open(t, time.Now)
	defer s.Close()
	const writers, batches = 8, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for b := range batches {
				n := w*batches + b
				out, err := s.Append(ctx, rules.Own(now), store.Batch{Collection: "a", Puts: []store.Put{{Record: plain(2 * n)}, {Record: plain(2*n + 1)}}})
				if err != nil || out[0].State != store.Added || out[1].Seq <= out[0].Seq {
					t.Errorf("append: %+v, %v", out, err)
				}
				if p, err := s.Page(ctx, rules.Own(now), store.Query{Collection: "a", IDs: []string{id("indicator", 2*n)}}); err != nil || len(p.Items) != 1 {
					t.Errorf("what was acknowledged is not there: %+v, %v", p, err)
				}
				if w%2 == 0 {
					_ = s.PutDocs(ctx, store.Act{}, store.Doc{Kind: "k", Key: "none", Value: []byte("x"), Version: 5}) // fails amid others
				}
			}
		})
	}
	wg.Wait()
	if got := readAll(t, s, rules.Own(now), store.Query{Collection: "a", Limit: 7}, nil); len(got) != 2*writers*batches {
		t.Fatalf("%d records, want %d", len(got), 2*writers*batches)
	}
}

func testBadInput(t *testing.T, open Opener) {
	s := open(t, time.Now)
	defer s.Close()
	long := string(make([]byte, 10_000))
	scope := rules.Own(now)
	appendOne := func(change func(*record.Record)) error {
		r := plain(1)
		change(&r)
		_, err := s.Append(ctx, scope, store.Batch{Puts: []store.Put{{Record: r}}})
		return err
	}
	for name, err := range map[string]error{
		"no id":           appendOne(func(r *record.Record) { r.ID = "" }),
		"long id":         appendOne(func(r *record.Record) { r.ID = long }),
		"order alone":     appendOne(func(r *record.Record) { r.Version = "" }),
		"too many":        appendOne(func(r *record.Record) { r.Lookups = make([]record.Lookup, 100_000) }),
		"no document":     s.PutDocs(ctx, store.Act{}, store.Doc{Value: []byte("x")}),
		"no party":        s.Release(ctx, store.Release{Recs: []record.Seq{1}}),
		"no record":       s.Release(ctx, store.Release{Party: "UTO/cert", Recs: []record.Seq{0}}),
		"long collection": func() error { _, err := s.Append(ctx, scope, store.Batch{Collection: long}); return err }(),
	} {
		if k := fault.Of(err); err == nil || k != fault.Invalid && k != fault.TooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Page(ctx, scope, store.Query{IDs: make([]string, 1_000_000)}); fault.Of(err) != fault.TooLarge {
		t.Errorf("a huge query: %v", err)
	}
	if _, err := s.Relabel(ctx, scope, store.Relabelling{Rec: 1}); fault.Of(err) != fault.NotFound {
		t.Errorf("relabel of nothing: %v", err)
	}
}

func testClosed(t *testing.T, open Opener) {
	s := open(t, time.Now)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("closed again: %v", err)
	}
	if _, err := s.Append(ctx, rules.Own(now), store.Batch{Puts: []store.Put{{Record: plain(1)}}}); fault.Of(err) != fault.Unavailable {
		t.Errorf("append: %v", err)
	}
	if _, err := s.Page(ctx, rules.Own(now), store.Query{}); fault.Of(err) != fault.Unavailable {
		t.Errorf("page: %v", err)
	}
}
