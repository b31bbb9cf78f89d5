package sqlite

import (
	"context"
	"fmt"
	"testing"

	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

// TestPagesEndByWhatIsSeen: however many hidden records a walk goes past, pages end where they would end without them.
func TestPagesEndByWhatIsSeen(t *testing.T) {
	viewer := scopeOf("KWT", "ncsc")
	shape := func(hidden int) (shapes []string) {
		s, err := Open(context.Background(), Config{Dir: t.TempDir(), scan: 20})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for i := range 60 {
			r := indicator(i, "cert", label.Clear, 40)
			r.Lookups = r.Lookups[:1] // one that names nothing
			r.Lookups = append(r.Lookups, record.Lookup{Kind: record.Name, Text: "popular"}, record.Lookup{Kind: record.Name, Text: fmt.Sprint("popular too ", i%2)})
			batch := []record.Record{r}
			for j := range hidden {
				h := indicator(1000+i*hidden+j, "cert", label.Red, 40)
				h.Lookups = r.Lookups
				older := r // of the same id
				older.Label, older.Order, older.Version = label.For(label.Red), fmt.Sprintf("2025-01-01T00:00:0%d", j), fmt.Sprintf("2025-01-01T00:00:0%dZ", j)
				older.Digest[0] ^= byte(j + 1)
				batch = append(batch, h, older)
			}
			putAll(t, s, "c", batch...)
		}
		popular := []record.Lookup{{Kind: record.Name, Text: "popular"}}
		both := append(popular, record.Lookup{Kind: record.Name, Text: "popular too 1"})
		var ids []string
		for i := range 60 {
			ids = append(ids, indicator(i, "cert", label.Clear, 40).ID)
		}
		for _, q := range []store.Query{{}, {Lookups: popular}, {Lookups: both}, {IDs: ids}, {IDs: ids, Versions: store.Versions{All: true}}, {Types: []string{"indicator"}, Specs: []string{"2.0"}}, {Limit: 7}, {MaxBytes: 300}} {
			q.Collection = "c"
			text := ""
			for more := true; more; {
				p, err := s.Page(context.Background(), viewer, q)
				if err != nil {
					t.Fatal(err)
				}
				text += fmt.Sprint(len(p.Items), " ")
				q.After, more = p.Next, p.More
			}
			shapes = append(shapes, text)
		}
		return shapes
	}
	without, with := shape(0), shape(9)
	for i := range without {
		if without[i] != with[i] {
			t.Errorf("query %d: pages of %s items, with hidden records %s", i, without[i], with[i])
		}
	}
	if without[0] == "60 " {
		t.Error("no page was cut")
	}
}

// TestCircleAndChain: records that name each other come forth together; one that leads to something hidden, however far, does not.
func TestCircleAndChain(t *testing.T) {
	s, err := Open(context.Background(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const n = 300
	of := func(i int) string { return indicator(i, "cert", label.Clear, 40).ID }
	naming := func(i int, tlp label.TLP, ids ...string) record.Record {
		r := indicator(i, "cert", tlp, 40)
		r.Lookups = nil
		for _, id := range ids {
			r.Lookups = append(r.Lookups, record.Lookup{Kind: record.Ref, Text: id})
		}
		return r
	}
	var recs []record.Record
	for i := range n { // a circle
		recs = append(recs, naming(i, label.Clear, of((i+1)%n), of((i+7)%n)))
	}
	for i := range n { // a chain, to something hidden
		recs = append(recs, naming(1000+i, label.Clear, of(1001+i)))
	}
	recs = append(recs, naming(1000+n, label.Red), naming(2000, label.Clear, of(3), of(1000)), naming(2001, label.Clear, of(2001)))
	author := naming(2002, label.Clear, "identity--unknown")
	author.CreatedBy = "identity--unknown"
	unnamed := author
	unnamed.ID, unnamed.Label.Attribution = of(2003), label.MustNot
	putAll(t, s, "", append(recs, author, unnamed)...)
	seen := func(scope gate.Scope) (k int) {
		p, err := s.Page(context.Background(), scope, store.Query{})
		if err != nil {
			t.Fatal(err)
		}
		return len(p.Items)
	}
	if got := seen(scopeOf("KWT", "ncsc")); got != n+2 {
		t.Errorf("a stranger sees %d records, want %d", got, n+2)
	}
	if got := seen(scopeOf("UTO", "cert")); got != len(recs)+2 {
		t.Errorf("the own organisation sees %d records, want %d", got, len(recs)+2)
	}
}

// BenchmarkPageNaming reads, as another organisation, relationships of the node's own: each is looked at for what it names.
func BenchmarkPageNaming(b *testing.B) {
	s, err := Open(context.Background(), Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const ends, relations = 2000, 18_000
	var recs []record.Record
	for i := range ends {
		r := indicator(i, "cert", label.Clear, 1200)
		r.Lookups = r.Lookups[:1]
		recs = append(recs, r)
	}
	for i := range relations {
		r := indicator(ends+i, "cert", label.Clear, 600)
		r.Lookups = []record.Lookup{{Kind: record.Ref, Text: recs[i%ends].ID}, {Kind: record.Ref, Text: recs[i*7919%ends].ID}}
		recs = append(recs, r)
	}
	for i := 0; i < len(recs); i += 2000 {
		putAll(b, s, "", recs[i:i+2000]...)
	}
	for name, scope := range map[string]gate.Scope{"own": scopeOf("UTO", "cert"), "other": scopeOf("KWT", "ncsc")} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n := 0
				for q := (store.Query{Limit: 1000}); ; {
					p, err := s.Page(context.Background(), scope, q)
					if err != nil {
						b.Fatal(err)
					}
					n += len(p.Items)
					if q.After = p.Next; !p.More {
						break
					}
				}
				if n != ends+relations {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(b.N)*(ends+relations)/b.Elapsed().Seconds(), "objects/s")
		})
	}
}
