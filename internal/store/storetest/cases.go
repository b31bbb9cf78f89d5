package storetest

import (
	"slices"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
)

// testHolders: whoever was given a record holds it after it was deleted, after its retention has ended, and beside a newer version; but
// nobody holds what was purged, and what was never given leaves nothing.
func testHolders(t *testing.T, open Opener) {
	c := &clock{now}
	s := open(t, c.now)
	defer s.Close()
	own := func() gate.Scope { return rules.Own(c.at) }
	cert := func() gate.Scope { return viewer(parties[0], c.at) }
	kept, short, never := plain(1), plain(2), plain(3)
	short.Label.NotAfter = now.Add(time.Hour)
	out, err := s.Append(ctx, own(), store.Batch{Collection: "a", Puts: []store.Put{{Record: kept}, {Record: short}, {Record: never}}})
	if err != nil {
		t.Fatal(err)
	}
	give := func(recs ...record.Seq) error {
		return s.Release(ctx, store.Release{Party: "KWT/ncsc", Clause: "tlp:clear", Recs: recs})
	}
	if err := give(out[0].Seq, out[1].Seq); err != nil {
		t.Fatal(err)
	}
	want := func(when string, scope gate.Scope, id string, versions ...string) {
		t.Helper()
		var have []string
		held, err := s.Holders(ctx, scope, id)
		for _, h := range held {
			if h.Party != "KWT/ncsc" || h.Clause != "tlp:clear" || h.ID != id || !h.At.Equal(now) {
				t.Errorf("%s: %+v", when, h)
			}
			have = append(have, h.Version)
		}
		if err != nil || !slices.Equal(have, versions) {
			t.Fatalf("%s: %s is held in %q, want %q: %v", when, id, have, versions, err)
		}
	}
	want("at first", cert(), kept.ID, kept.Version)
	if n, err := s.Remove(ctx, own(), store.Removal{Collection: "a", ID: kept.ID}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	want("deleted", cert(), kept.ID, kept.Version)
	want("deleted, for a stranger", gate.Scope{}, kept.ID)
	c.at = now.Add(2 * time.Hour)
	want("over", cert(), short.ID, short.Version)
	if n, err := s.Remove(ctx, own(), store.Removal{Rec: out[1].Seq, ID: short.ID}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	want("over and removed", cert(), short.ID, short.Version)
	if n, err := s.Remove(ctx, own(), store.Removal{ID: never.ID}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := give(out[2].Seq); fault.Of(err) != fault.Unavailable {
		t.Fatalf("what is no more was given: %v", err)
	}
	if err := give(out[0].Seq); err != nil {
		t.Fatalf("given before, and noted again: %v", err)
	}
	want("never given", own(), never.ID)
	newer := plain(1)
	newer.Version, newer.Order = orders[1]+"Z", orders[1]
	if _, err := s.Append(ctx, own(), store.Batch{Puts: []store.Put{{Record: newer}}}); err != nil {
		t.Fatal(err)
	}
	want("beside a newer version", own(), kept.ID, kept.Version)
	for _, id := range []string{kept.ID, short.ID} {
		if _, err := s.Purge(ctx, own(), store.Purge{ID: id}); err != nil {
			t.Fatal(err)
		}
		want("purged", own(), id)
	}
}
