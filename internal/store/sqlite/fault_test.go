//go:build unix

package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

// When the quota is reached nothing acknowledged is lost, reads go on, removals make room, and writes go on after that.
func TestFullStore(t *testing.T) {
	dir := t.TempDir()
	s := openWith(t, Config{Dir: dir, MaxBytes: 2 << 20, freezeAt: 100, slice: 50})
	var kept []string // ids acknowledged
	full := 0
	for n := 0; full < 5 && n < 1000; n++ {
		b := store.Batch{Collection: "c"}
		for i := range 20 {
			r := indicator(20*n+i, "cert", label.Clear, 1500)
			r.Label.Caveat, _ = label.NewSet(fmt.Sprintf("c%d", n)) // a failed batch must take its label back
			b.Puts = append(b.Puts, store.Put{Record: r})
		}
		switch _, err := s.Append(context.Background(), own(), b); {
		case err == nil: // also now and then after a full one, when a merge made room
			for _, p := range b.Puts {
				kept = append(kept, p.Record.ID)
			}
		case fault.Of(err) != fault.Full || fault.As(err).RetryAfter == 0:
			t.Fatalf("batch %d: %v", n, err)
		default:
			full++
		}
	}
	if n := count(t, s, store.Query{Collection: "c"}); n != len(kept) || n == 0 || full < 5 {
		t.Fatalf("%d of %d are there, %d failed", n, len(kept), full)
	}
	gone := len(kept) / 2
	for n := range gone {
		if _, err := s.Remove(context.Background(), own(), store.Removal{Collection: "c", ID: kept[n]}); err != nil {
			t.Fatalf("remove %d: %v", n, err)
		}
	}
	putAll(t, s, "c", indicator(1_000_000, "cert", label.Clear, 1500))
	if n := count(t, s, store.Query{Collection: "c"}); n != len(kept)-gone+1 {
		t.Fatalf("%d are there", n)
	}
	checkSound(t, s)
	s.Close()
	s = openTemp(t, dir)
	if n := count(t, s, store.Query{Collection: "c"}); n != len(kept)-gone+1 {
		t.Fatalf("%d are there after opening again", n)
	}
}

func TestSecondOpenerIsToldWho(t *testing.T) {
	dir := t.TempDir()
	openTemp(t, dir)
	_, err := Open(context.Background(), Config{Dir: dir})
	if fault.Of(err) != fault.Conflict || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Fatal(err)
	}
}

// A clock that stands still or goes back never makes a seq go back, and opening again neither.
func TestClockGoingBack(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	last := record.Seq(0)
	for round := range 4 {
		s, err := Open(context.Background(), Config{Dir: dir, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			for _, o := range putAll(t, s, "", indicator(round*100+2*i, "cert", label.Clear, 50), indicator(round*100+2*i+1, "cert", label.Clear, 50)) {
				if o.Seq <= last {
					t.Fatalf("seq %d after %d", o.Seq, last)
				}
				last = o.Seq
			}
			now = now.Add(-time.Minute)
		}
		s.Close()
	}
}

func TestDrawSpreadsSeqs(t *testing.T) {
	for _, c := range []struct{ last, now, n int64 }{{0, 1e15, 1000}, {1e15, 1e15 + 5, 1000}, {1e15, 0, 1}, {1e15, 1e15 + 50_000, 30_000}, {5, 1e15, 0}} {
		seqs := draw(c.last, c.now, int(c.n), nil)
		if int64(len(seqs)) != c.n {
			t.Fatalf("%d of %d", len(seqs), c.n)
		}
		high, prev := max(c.now, c.last+2*c.n), max(c.last, c.now-seqWindow)
		for _, s := range seqs {
			if s <= prev || s > high {
				t.Fatalf("%+v: %d after %d, to %d", c, s, prev, high)
			}
			prev = s
		}
	}
}

// Under readers that never pause the log stays bounded.
func TestLogStaysBounded(t *testing.T) {
	const bound = 2 << 20
	s := openWith(t, Config{walHard: bound})
	big := indicator(0, "cert", label.Clear, 100_000)
	putAll(t, s, "c", big)
	end := meanwhile(3, func() {
		if _, err := s.Page(context.Background(), own(), store.Query{Limit: 50}); err != nil {
			t.Error(err)
		}
	})
	for i := 1; i <= 150; i++ {
		r := indicator(i, "cert", label.Clear, 60)
		r.Body = big.Body
		putAll(t, s, "c", r)
	}
	end()
	info, err := os.Stat(s.path + "-wal")
	if err != nil || info.Size() > 2*bound {
		t.Fatalf("the log has %d bytes, %v", info.Size(), err)
	}
}

// A caller that gives up while it waits has changed nothing.
func TestCallerGivesUp(t *testing.T) {
	s := openTemp(t, "")
	begun, release := make(chan struct{}), make(chan struct{})
	go s.do(context.Background(), &job{run: func(*tx) error { close(begun); <-release; return nil }})
	<-begun
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Append(ctx, own(), store.Batch{Puts: []store.Put{{Record: indicator(1, "cert", label.Clear, 50)}}})
	if fault.Of(err) != fault.Unavailable {
		t.Fatal(err)
	}
	close(release)
	putAll(t, s, "", indicator(2, "cert", label.Clear, 50))
	if n := count(t, s, store.Query{}); n != 1 {
		t.Fatalf("%d records", n)
	}
}

// A popular reference is paged with a bounded amount of work, and nothing is lost on the way.
func TestPopularLookup(t *testing.T) {
	s := openWith(t, Config{freezeAt: 3000, slice: 500})
	var recs []record.Record
	for i := range 4000 {
		recs = append(recs, indicator(i, "cert", label.Clear, 60))
	}
	for i := 0; i < len(recs); i += 500 {
		putAll(t, s, "c", recs[i:i+500]...)
	}
	both := []record.Lookup{recs[0].Lookups[1], recs[7].Lookups[2]}
	for _, limit := range []int{1, 3, 1000} {
		if n := count(t, s, store.Query{Collection: "c", Lookups: both[:1], Limit: limit * 100}); n != 4000 {
			t.Fatalf("popular: %d", n)
		}
		if n := count(t, s, store.Query{Collection: "c", Lookups: both, Limit: limit}); n != 4 {
			t.Fatalf("both: %d", n)
		}
	}
}

// Labels are bounded: one more is refused with all its batch, and what was there goes on.
func TestLabelsAreBounded(t *testing.T) {
	s := openTemp(t, "")
	putAll(t, s, "", indicator(1, "cert", label.Clear, 50))
	s.marks.mu.Lock()
	for n := len(s.marks.list); n < maxLabels; n++ {
		m := record.Mark{Org: fmt.Sprint(n)}
		s.marks.list = append(s.marks.list, m)
		s.marks.ids[m] = uint32(n)
	}
	s.marks.mu.Unlock()
	b := store.Batch{Puts: []store.Put{{Record: indicator(2, "cert", label.Clear, 50)}, {Record: indicator(3, "other", label.Clear, 50)}}}
	if _, err := s.Append(context.Background(), own(), b); fault.Of(err) != fault.Full {
		t.Fatal(err)
	}
	if n := count(t, s, store.Query{}); n != 1 {
		t.Fatalf("%d records", n)
	}
	putAll(t, s, "", indicator(2, "cert", label.Clear, 50))
}

// A disk that really is full: ENTENTE_SMALL_DISK names a directory on a file system of a few megabytes.
func TestFullDisk(t *testing.T) {
	small := os.Getenv("ENTENTE_SMALL_DISK")
	if small == "" {
		t.Skip("set ENTENTE_SMALL_DISK to a directory on a file system of a few megabytes")
	}
	dir, err := os.MkdirTemp(small, "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openWith(t, Config{Dir: dir})
	acked, full := 0, 0
	appendOne := func(n int) error {
		_, err := s.Append(context.Background(), own(), store.Batch{Puts: []store.Put{{Record: indicator(n, "cert", label.Clear, 20_000)}}})
		if err == nil {
			acked++
		}
		return err
	}
	for n := 0; full < 5 && n < 100_000; n++ {
		if err := appendOne(n); err != nil {
			if fault.Of(err) != fault.Full {
				t.Fatal(err)
			}
			full++
		}
	}
	if n := count(t, s, store.Query{}); n != acked || acked == 0 || full < 5 {
		t.Fatalf("%d of %d are there, %d failed", n, acked, full)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := appendOne(1_000_000); err != nil {
		t.Fatalf("there is room again: %v", err)
	}
	if n := count(t, s, store.Query{}); n != acked {
		t.Fatalf("%d of %d are there", n, acked)
	}
	checkSound(t, s)
}
