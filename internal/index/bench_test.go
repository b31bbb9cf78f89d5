package index

import (
	"context"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/sample"
	"entente/internal/store"
	"entente/label"
)

// made is a journal of generated objects, without a store.
type made struct {
	src  *sample.Source
	head []sample.Object
	n    int
	size int
	last record.Seq
	told []store.Entry
}

func (m *made) Follow(_ context.Context, after record.Seq, limit int) (es []store.Entry, err error) {
	if len(m.told) > 0 && after < m.told[len(m.told)-1].Seq { // told, and not taken yet
		i := slices.IndexFunc(m.told, func(e store.Entry) bool { return e.Seq > after })
		return m.told[i:], nil
	}
	defer func() { m.told = es }()
	for len(es) < limit && m.n < m.size {
		var o sample.Object
		if m.n < len(m.head) {
			o = m.head[m.n]
		} else {
			o = m.src.Mixed()
		}
		m.n++
		m.last += 1000
		r := &record.Record{ID: o.ID, Kind: record.STIX, Type: o.Type, Spec: "2.1", Version: "2026", Order: "2026", Label: label.For(o.TLP), Body: o.Raw,
			Origin: record.Origin{Nation: "UTO", Org: "Utopia CERT", Via: "import"}}
		es = append(es, store.Entry{Seq: m.last, Rec: m.last, Kind: store.EntryPut, Record: r})
	}
	return es, nil
}

// size is how many objects the benchmarks index.
func size(tb testing.TB) int {
	if n, err := strconv.Atoi(os.Getenv("ENTENTE_BENCH_OBJECTS")); err == nil {
		return n
	}
	return 20_000
}

// BenchmarkExtract is what one record costs to read, as the batches of the follower read it.
func BenchmarkExtract(b *testing.B) {
	m := &made{src: sample.New(1), size: 2000}
	entries, err := m.Follow(b.Context(), 0, m.size)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		ahead, _ := extracted(b.Context(), entries)
		for range ahead {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(entries)), "us/object")
}

// BenchmarkFollow is what one object costs to index, from the journal to the file.
func BenchmarkFollow(b *testing.B) {
	for b.Loop() {
		big(b)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size(b)), "us/object")
}

func big(tb testing.TB) (*Index, func(gate.Viewer) gate.Scope) {
	tb.Helper()
	src := sample.New(1)
	m := &made{src: src, head: src.Head(), size: size(tb), last: record.Seq(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())}
	x, err := Open(tb.Context(), Config{Dir: tb.TempDir(), Nation: "UTO", Org: "Utopia CERT"}, m)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { x.Close() })
	began := time.Now()
	if err := x.Sync(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	took := time.Since(began)
	if n := x.Lag().Records; n != m.size {
		tb.Fatalf("%d of %d records are there", n, m.size)
	}
	info, _ := os.Stat(x.path)
	tb.Logf("%d objects indexed in %v: %.0f/s, %d MB", m.size, took.Round(time.Millisecond), float64(m.size)/took.Seconds(), info.Size()>>20)
	g := gate.New(gate.Rules{Nation: "UTO", Org: "Utopia CERT", Realm: "operational", Community: "allies",
		Communities: map[string][]gate.Party{"allies": {{Nation: "UTO"}, {Nation: "RUR"}}}})
	return x, func(v gate.Viewer) gate.Scope { return g.Scope(v, time.Now()) }
}

// BenchmarkTyping asks every beginning of a few words, as a person types them, and tells the worst and the 99th percentile.
func BenchmarkTyping(b *testing.B) {
	x, scope := big(b)
	s := scope(member)
	texts := []string{"emotet loader", "phishing campaign", "198.51.100.7", "credential access server", "CVE-2024-12345", "the network", "a"}
	var took []time.Duration
	worst, what := time.Duration(0), ""
	for b.Loop() {
		for _, text := range texts {
			for i := 1; i <= len(text); i++ {
				began := time.Now()
				if _, err := x.Search(b.Context(), s, Query{Text: text[:i], Typing: true, Limit: 20, Facets: true}); err != nil {
					b.Fatal(err)
				}
				d := time.Since(began)
				if took = append(took, d); d > worst {
					worst, what = d, text[:i]
				}
			}
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms/p99")
	b.Logf("worst %v: %q", worst, what)
}
