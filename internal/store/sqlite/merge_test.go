//go:build unix

package sqlite

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

// Whatever has been acknowledged is found by its id at every moment while keys move from memory into the table.
func TestKeysAreFoundWhileTheyMove(t *testing.T) {
	s := openWith(t, Config{freezeAt: 16, slice: 16})
	var acked atomic.Int64
	end := meanwhile(3, func() {
		n := acked.Load()
		if n == 0 {
			return
		}
		i := int(max(0, n-1-rand.Int64N(8)))
		p, err := s.Page(context.Background(), own(), store.Query{IDs: []string{indicator(i, "", 0, 1).ID}, Headers: true})
		if err != nil || len(p.Items) != 1 {
			t.Errorf("record %d of %d: %d items, %v", i, n, len(p.Items), err)
		}
	})
	for i := range 300 {
		putAll(t, s, "c", indicator(i, "cert", label.Clear, 50))
		acked.Store(int64(i + 1))
	}
	end()
}

// Keys of what was removed do not come back with a merge, and removal from one collection leaves those that another needs.
func TestMergeLeavesOutWhatWasRemoved(t *testing.T) {
	s := openWith(t, Config{freezeAt: 1 << 20, slice: 7})
	ctx := context.Background()
	var recs []record.Record
	for i := range 20 {
		recs = append(recs, indicator(i, "cert", label.Clear, 50))
	}
	putAll(t, s, "c", recs...)
	putAll(t, s, "d", recs[:5]...)
	for _, r := range recs[:10] { // the first five stay in d
		if n, err := s.Remove(ctx, own(), store.Removal{Collection: "c", ID: r.ID}); err != nil || n != 1 {
			t.Fatal(n, err)
		}
	}
	flush := func() {
		if err := s.do(ctx, &job{run: func(*tx) error { return nil }, then: (*writer).mergeAll}); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	for i, r := range recs {
		want := map[string]int{"": 1, "c": 1, "d": 1}
		if i < 10 {
			want["c"] = 0
		}
		if i >= 5 {
			want["d"] = 0
		}
		if i >= 5 && i < 10 {
			want[""] = 0
		}
		for coll, n := range want {
			if got := count(t, s, store.Query{Collection: coll, IDs: []string{r.ID}}); got != n {
				t.Errorf("record %d in %q: %d, want %d", i, coll, got, n)
			}
		}
	}
	for _, r := range recs {
		if _, err := s.Remove(ctx, own(), store.Removal{ID: r.ID}); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	for _, table := range []string{"key", "stream", "record", "placement", "run"} {
		if n, err := lite.Number(s.w.c, "SELECT count(*) FROM "+table); err != nil || n != 0 {
			t.Errorf("%d rows left in %s, %v", n, table, err)
		}
	}
}
