//go:build unix

package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

func putAll(t testing.TB, s *Store, coll string, recs ...record.Record) []store.Outcome {
	t.Helper()
	b := store.Batch{Collection: coll}
	for _, r := range recs {
		b.Puts = append(b.Puts, store.Put{Record: r})
	}
	out, err := s.Append(context.Background(), own(), b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func count(t testing.TB, s *Store, q store.Query) (n int) {
	t.Helper()
	for {
		p, err := s.Page(context.Background(), own(), q)
		if err != nil {
			t.Fatal(err)
		}
		n += len(p.Items)
		if q.After = p.Next; !p.More {
			return n
		}
	}
}

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

// A purge leaves nothing of the object in any file, also when it was updated, relabelled, moved by merges, and named in documents and
// acts.
func TestPurgeLeavesNoTrace(t *testing.T) {
	for name, cfg := range map[string]Config{"small": {}, "merged": {freezeAt: 50, slice: 20}} {
		t.Run(name, func(t *testing.T) {
			cfg.Dir = t.TempDir()
			s, err := Open(context.Background(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ctx := context.Background()
			for i := range 300 {
				putAll(t, s, "c", indicator(i, "cert", label.Clear, 200+i*20))
			}
			doomed := indicator(150, "cert", label.Clear, 9000)
			doomed.Version, doomed.Order = "2026-02-01T00:00:00Z", "2026-02-01T00:00:00"
			doomed.Envelope = append([]byte("an envelope of its own "), doomed.Body...)
			out := putAll(t, s, "d", doomed)
			if _, err := s.Relabel(ctx, own(), store.Relabelling{Rec: out[0].Seq, Label: label.For(label.Amber)}); err != nil {
				t.Fatal(err)
			}
			err = s.PutDocs(ctx, store.Act{Actor: "node", Verb: "note", Target: doomed.ID}, store.Doc{Kind: "note", Key: "n", Value: []byte("see " + doomed.ID + " and the secret that only this note has")},
				store.Doc{Kind: "note", Key: "other", Value: []byte("nothing")})
			if err != nil {
				t.Fatal(err)
			}
			report, err := s.Purge(ctx, own(), store.Purge{ID: doomed.ID, Act: store.Act{Actor: "UTO/p", Verb: "object.purge", Target: doomed.ID}})
			if err != nil || report.Records != 2 || report.Placements != 2 || report.Docs != 1 || report.Searched == 0 || len(report.Commit) != 64 {
				t.Fatalf("%+v, %v", report, err)
			}
			t.Logf("%+v", report)
			var secrets [][]byte
			for _, text := range []string{string(doomed.Body), string(doomed.Envelope), string(indicator(150, "cert", label.Clear, 3200).Body), "the secret that only this note has", doomed.ID} {
				for i := 0; i+24 < len(text); i += 24 {
					secrets = append(secrets, []byte(text[i:i+24]))
				}
			}
			lives := append(indicator(1, "", 0, 10).Body, indicator(151, "cert", label.Clear, 9000).Body...)
			for _, path := range filesOf(t, cfg.Dir) {
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				for _, secret := range secrets {
					if bytes.Contains(data, secret) && !bytes.Contains(lives, secret) {
						t.Fatalf("%s still holds %q", filepath.Base(path), secret)
					}
				}
			}
			if n := count(t, s, store.Query{Collection: "c"}); n != 299 {
				t.Fatalf("%d others are there", n)
			}
			if n := count(t, s, store.Query{IDs: []string{doomed.ID}}); n != 0 {
				t.Fatal("it is still found")
			}
			checkSound(t, s)
			putAll(t, s, "c", doomed)
		})
	}
}

// What was removed is erased, and a purge that finds it gone already leaves nothing of it in any file, the log included.
func TestRemovedIsErased(t *testing.T) {
	for name, purge := range map[string]bool{"closed": false, "purged": true} {
		t.Run(name, func(t *testing.T) {
			s := openTemp(t, "")
			ctx := context.Background()
			r := indicator(1, "cert", label.Clear, 9000)
			rec := putAll(t, s, "c", r, indicator(2, "cert", label.Clear, 50))[0].Seq
			if err := s.Release(ctx, store.Release{Party: "KWT/ncsc", Clause: "x", Recs: []record.Seq{rec}}); err != nil {
				t.Fatal(err)
			}
			if n, err := s.Remove(ctx, own(), store.Removal{Collection: "c", ID: r.ID}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			if purge {
				if report, err := s.Purge(ctx, own(), store.Purge{ID: r.ID}); err != nil || report.Records != 0 || report.Searched == 0 {
					t.Fatal(report, err)
				}
			} else if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			for _, path := range filesOf(t, s.cfg.Dir) {
				data, err := os.ReadFile(path)
				if err != nil || bytes.Contains(data, r.Body[200:240]) || bytes.Contains(data, []byte(r.ID)) {
					t.Fatal(path, err)
				}
			}
		})
	}
}

// The label of what is remembered of a removed record outlives the last record that has it.
func TestRememberedLabelIsKept(t *testing.T) {
	dir := t.TempDir()
	s := openTemp(t, dir)
	ctx := context.Background()
	a, b := indicator(1, "cert", label.Amber, 50), indicator(2, "cert", label.Amber, 50)
	rec := putAll(t, s, "c", a, b)[0].Seq
	if err := s.Release(ctx, store.Release{Party: "KWT/ncsc", Clause: "x", Recs: []record.Seq{rec}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(ctx, own(), store.Removal{ID: a.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Purge(ctx, own(), store.Purge{ID: b.ID}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if hs, err := s.Holders(ctx, scopeOf("UTO", "cert"), a.ID); err != nil || len(hs) != 1 {
			t.Fatal(hs, err)
		}
		s.Close()
		s = openTemp(t, dir)
	}
}

// Files that others could read are closed to them, whatever the mode that they were left with.
func TestFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	s := openTemp(t, dir)
	putAll(t, s, "c", indicator(1, "cert", label.Clear, 50))
	check := func(when string) {
		t.Helper()
		for _, path := range filesOf(t, dir) {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %s has mode %v, %v", when, filepath.Base(path), info.Mode(), err)
			}
		}
	}
	check("made")
	s.Close()
	for _, name := range []string{fileName, fileName + "-wal", fileName + "-shm", lockName} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s = openTemp(t, dir)
	check("opened")
	if n := count(t, s, store.Query{}); n != 1 {
		t.Fatal(n)
	}
}

// A trace in a freed page makes the file be rewritten.
func TestPurgeRewritesTheFileWhenItMust(t *testing.T) {
	s := openTemp(t, "")
	r := indicator(1, "cert", label.Clear, 20_000)
	putAll(t, s, "c", r)
	err := s.do(context.Background(), &job{run: func(t *tx) error { return nil }, then: func(w *writer) error {
		return script(w.c, "PRAGMA secure_delete=OFF; CREATE TABLE stray(x); INSERT INTO stray SELECT body FROM record; DROP TABLE stray; PRAGMA secure_delete=ON")
	}})
	if err != nil {
		t.Fatal(err)
	}
	report, err := s.Purge(context.Background(), own(), store.Purge{ID: r.ID})
	if err != nil || !report.Vacuumed {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, path := range filesOf(t, s.cfg.Dir) {
		data, err := os.ReadFile(path)
		if err != nil || bytes.Contains(data, r.Body[100:150]) {
			t.Fatal(path, err)
		}
	}
}

// A purge that was cut short after its commit is completed by the next opening.
func TestPurgeCutShort(t *testing.T) {
	dir := t.TempDir()
	s := openTemp(t, dir)
	r := indicator(1, "cert", label.Clear, 20_000)
	putAll(t, s, "c", r)
	err := s.do(context.Background(), &job{run: func(*tx) error { return nil }, then: func(w *writer) error {
		return script(w.c, `PRAGMA secure_delete=OFF; CREATE TABLE stray(x); INSERT INTO stray SELECT body FROM record; DROP TABLE stray;
			DELETE FROM record; INSERT INTO meta VALUES('scrub', 1)`)
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = openTemp(t, dir)
	for _, path := range filesOf(t, dir) {
		data, err := os.ReadFile(path)
		if err != nil || bytes.Contains(data, r.Body[100:150]) {
			t.Fatal(path, err)
		}
	}
	if n, err := number(s.w.c, "SELECT count(*) FROM meta WHERE name = 'scrub'"); err != nil || n != 0 {
		t.Fatal(n, err)
	}
}

func TestBackupAndPurgeExcludeEachOther(t *testing.T) {
	s := openTemp(t, "")
	putAll(t, s, "c", indicator(1, "cert", label.Clear, 500))
	var inner error
	err := s.Backup(context.Background(), io.Discard, func(done, total int64) {
		if done == total {
			_, inner = s.Purge(context.Background(), own(), store.Purge{ID: indicator(1, "", 0, 1).ID})
		}
	})
	if err != nil || fault.Of(inner) != fault.Unavailable {
		t.Fatal(err, inner)
	}
	if n := count(t, s, store.Query{}); n != 1 {
		t.Fatal("the refused purge purged")
	}
}

// Under readers that never pause the log stays bounded.
func TestLogStaysBounded(t *testing.T) {
	const bound = 2 << 20
	s := openWith(t, Config{walHard: bound})
	big := indicator(0, "cert", label.Clear, 100_000)
	putAll(t, s, "c", big)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Page(context.Background(), own(), store.Query{Limit: 50}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := 1; i <= 150; i++ {
		r := indicator(i, "cert", label.Clear, 60)
		r.Body = big.Body
		putAll(t, s, "c", r)
	}
	close(stop)
	wg.Wait()
	info, err := os.Stat(s.path + "-wal")
	if err != nil || info.Size() > 2*bound {
		t.Fatalf("the log has %d bytes, %v", info.Size(), err)
	}
}

// What a purge cannot reach it reports.
func TestPurgeReportsStrayCopies(t *testing.T) {
	s := openTemp(t, "")
	r := indicator(1, "cert", label.Clear, 500)
	putAll(t, s, "c", r)
	if err := os.WriteFile(filepath.Join(s.cfg.Dir, "copy"), r.Body, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Purge(context.Background(), own(), store.Purge{ID: r.ID}); err == nil {
		t.Fatal("a stray copy was not seen")
	}
}

func filesOf(t *testing.T, dir string) (paths []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		paths = append(paths, filepath.Join(dir, e.Name()))
	}
	return paths
}

// A backup taken while others write is one consistent state, and restores to a store that goes on.
func TestBackupAndRestore(t *testing.T) {
	ctx := context.Background()
	s := openTemp(t, "")
	for i := range 30 {
		putAll(t, s, "c", indicator(2*i, "cert", label.Clear, 900), indicator(2*i+1, "cert", label.Clear, 900))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 100; ; i++ {
			select {
			case <-stop:
				return
			default:
				putAll(t, s, "c", indicator(2*i, "cert", label.Clear, 900), indicator(2*i+1, "cert", label.Clear, 900))
			}
		}
	})
	var file bytes.Buffer
	calls, end := 0, int64(0)
	err := s.Backup(ctx, &file, func(done, total int64) {
		calls++
		if done < end || done > total {
			t.Errorf("progress %d of %d after %d", done, total, end)
		}
		end = done
	})
	close(stop)
	wg.Wait()
	if err != nil || calls == 0 || end != int64(file.Len()) {
		t.Fatal(err, calls, end, file.Len())
	}
	dir := t.TempDir()
	if err := Restore(ctx, bytes.NewReader(file.Bytes()), dir); err != nil {
		t.Fatal(err)
	}
	back := openTemp(t, dir)
	n := count(t, back, store.Query{Collection: "c"})
	if st, err := back.Stats(ctx); err != nil || n < 60 || n%2 != 0 || st.Records != int64(n) {
		t.Fatal(n, st, err)
	}
	if out := putAll(t, back, "c", indicator(3, "cert", label.Clear, 900)); out[0].State != store.Present {
		t.Fatalf("the keys do not work: %+v", out)
	}
	putAll(t, back, "c", indicator(1_000_000, "cert", label.Clear, 900))
	if err := Restore(ctx, bytes.NewReader(file.Bytes()), dir); fault.Of(err) != fault.Conflict {
		t.Fatalf("restored over a store: %v", err)
	}
	stray := t.TempDir() // a log of another store would be played into the restored one
	if err := os.WriteFile(filepath.Join(stray, fileName+"-wal"), []byte("frames"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Restore(ctx, bytes.NewReader(file.Bytes()), stray); fault.Of(err) != fault.Conflict {
		t.Fatalf("restored beside the log of another store: %v", err)
	}
	torn := append([]byte(nil), file.Bytes()[:file.Len()/2]...)
	for name, data := range map[string][]byte{"torn": torn, "no database": []byte("hello"), "empty": nil} {
		dir := t.TempDir()
		if err := Restore(ctx, bytes.NewReader(data), dir); fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		for _, f := range filesOf(t, dir) {
			if filepath.Base(f) != lockName {
				t.Errorf("%s: %s was left", name, f)
			}
		}
	}
	if err := s.Backup(ctx, failing{}, nil); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a writer that fails: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

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
