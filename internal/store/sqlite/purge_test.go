//go:build unix

package sqlite

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"entente/internal/fault"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

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

// A trace in a freed page makes the file be rewritten.
func TestPurgeRewritesTheFileWhenItMust(t *testing.T) {
	s := openTemp(t, "")
	r := indicator(1, "cert", label.Clear, 20_000)
	putAll(t, s, "c", r)
	err := s.do(context.Background(), &job{run: func(t *tx) error { return nil }, then: func(w *writer) error {
		return lite.Script(w.c, "PRAGMA secure_delete=OFF; CREATE TABLE stray(x); INSERT INTO stray SELECT body FROM record; DROP TABLE stray; PRAGMA secure_delete=ON")
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
		return lite.Script(w.c, `PRAGMA secure_delete=OFF; CREATE TABLE stray(x); INSERT INTO stray SELECT body FROM record; DROP TABLE stray;
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
	if n, err := lite.Number(s.w.c, "SELECT count(*) FROM meta WHERE name = 'scrub'"); err != nil || n != 0 {
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

// What is no whole id purges nothing: a piece of a word stands in documents and acts of everything.
func TestAPieceOfAWordPurgesNothing(t *testing.T) {
	s := openTemp(t, "")
	ctx := context.Background()
	r := indicator(1, "cert", label.Clear, 100)
	putAll(t, s, "c", r)
	doc := store.Doc{Kind: "user", Key: "alice", Value: []byte(`{"name":"alice","note":"` + r.ID + `"}`)}
	if err := s.PutDocs(ctx, store.Act{Actor: "node", Verb: "user.add", Target: "alice"}, doc); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", "\"", "{", "e", "alice", "user", "--", "indicator--", r.ID[:len(r.ID)-1], r.ID[len("indicator"):], r.ID + "0", "Indicator" + r.ID[len("indicator"):], "a\"b" + r.ID[len("indicator"):]} {
		for _, dry := range []bool{true, false} {
			if report, err := s.Purge(ctx, own(), store.Purge{ID: id, DryRun: dry}); fault.Of(err) != fault.Invalid {
				t.Errorf("purging %q: %+v, %v", id, report, err)
			}
		}
	}
	docs, err := s.Docs(ctx, "user", "", 10)
	if err != nil || len(docs) != 1 {
		t.Errorf("%d documents are left of one: %v", len(docs), err)
	}
	if entries, err := s.Follow(ctx, own(), 0, 100); err != nil || len(entries) == 0 {
		t.Errorf("the journal: %d, %v", len(entries), err)
	}
}
