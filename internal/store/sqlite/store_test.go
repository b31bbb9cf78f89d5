//go:build unix

package sqlite

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

// openTemp opens a store in a directory, or in one of the test.
func openTemp(t testing.TB, dir string) *Store {
	t.Helper()
	return openWith(t, Config{Dir: dir})
}

// openWith is openTemp with more to say.
func openWith(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func own() gate.Scope { return gate.New(gate.Rules{}).Own(time.Now()) }

// indicator makes the i-th record of org under a TLP, with a body of about size bytes.
func indicator(i int, org string, tlp label.TLP, size int) record.Record {
	id := fmt.Sprintf("indicator--%08x-0000-4000-8000-%012x", i*2654435761&0xffffffff, i)
	body := fmt.Appendf(make([]byte, 0, size+200), `{"type":"indicator","spec_version":"2.1","id":"%s","name":"`, id)
	for j := 0; len(body) < size-2; j++ {
		body = fmt.Appendf(body, "%x ", i*31+j*7919)
	}
	body = append(body, `"}`...)
	return record.Record{
		ID: id, Kind: record.STIX, Type: "indicator", Spec: "2.1", Version: "2026-01-01T00:00:00.000Z", Order: "2026-01-01T00:00:00",
		Digest: sha256.Sum256(body), Label: label.For(tlp), Origin: record.Origin{Nation: "UTO", Org: org, Via: "import"}, Body: body,
		Lookups: []record.Lookup{
			{Kind: record.Value, Text: fmt.Sprintf("host-%d.example", i)},
			{Kind: record.Ref, Text: "identity--00000000-0000-4000-8000-000000000001"},
			{Kind: record.Ref, Text: fmt.Sprintf("malware--00000000-0000-4000-8000-%012d", i%1000)},
		},
	}
}

// What is appended is there again after opening, by page, id and lookup, and only for whom it may be.
func TestAppendThenRead(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := openTemp(t, dir)
	var puts []store.Put
	for i := range 2500 {
		puts = append(puts, store.Put{Record: indicator(i, "cert", label.Clear, 500)})
	}
	out, err := s.Append(ctx, own(), store.Batch{Puts: puts, Collection: "c", Then: func([]store.Outcome) []store.Doc {
		return []store.Doc{{Kind: "status", Key: "1", Value: []byte("done")}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = openTemp(t, dir)
	if again, err := s.Append(ctx, own(), store.Batch{Puts: puts, Collection: "c"}); err != nil || again[7].State != store.Present || again[7].Seq != out[7].Seq {
		t.Fatal(err, again[7])
	}
	n := 0
	for q := (store.Query{Collection: "c", Limit: 1000}); ; {
		p, err := s.Page(ctx, own(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range p.Items {
			if it.Seq != out[n].Seq || string(it.Record.Body) != string(puts[n].Record.Body) {
				t.Fatalf("item %d is %v, want %v", n, it.Seq, out[n].Seq)
			}
			n++
		}
		if q.After = p.Next; !p.More {
			break
		}
	}
	if n != len(puts) {
		t.Fatalf("read %d of %d", n, len(puts))
	}
	p, err := s.Page(ctx, own(), store.Query{IDs: []string{puts[3].Record.ID}})
	if err != nil || len(p.Items) != 1 || p.More {
		t.Fatal(err, p)
	}
	p, err = s.Page(ctx, own(), store.Query{Lookups: append(puts[5].Record.Lookups[:0:0], puts[5].Record.Lookups...)})
	if err != nil || len(p.Items) != 1 || p.Items[0].Record.ID != puts[5].Record.ID {
		t.Fatal(err, p)
	}
	if p, err = s.Page(ctx, gate.Scope{}, store.Query{}); err != nil || len(p.Items) != 0 {
		t.Fatal(err, p)
	}
	if d, err := s.Doc(ctx, "status", "1"); err != nil || string(d.Value) != "done" || d.Version != 1 {
		t.Fatal(err, d)
	}
	if st, err := s.Stats(ctx); err != nil || st.Records != 2500 || st.Collections["c"] != 2500 {
		t.Fatal(err, st)
	}
	if _, err := Open(ctx, Config{Dir: filepath.Clean(dir)}); err == nil {
		t.Fatal("opened twice")
	}
}

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

// meanwhile calls f again and again in n goroutines until the returned function is called, which waits for them.
func meanwhile(n int, f func()) (end func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					f()
				}
			}
		})
	}
	return func() { close(stop); wg.Wait() }
}
