//go:build unix

package sqlite

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

// The benchmarks share one store of ENTENTE_STORE_RECORDS records (10,000), appended in batches of 1,000 by one caller: bodies of 1.5 kB,
// an id, a value and two references each. Ten of them, spread evenly, are for the organisation XXA/rare alone; 300 others each have
// an audience of their own, with XXA/many in it.
var shelf struct {
	once   sync.Once
	dir    string
	s      *Store
	n      int
	took   time.Duration // of all appends
	tail   time.Duration // of the last tenth
	cpu    time.Duration // of the whole process during the last tenth's appends
	opened time.Duration
}

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		os.Exit(killHelper(dir))
	}
	code := m.Run()
	if shelf.s != nil {
		shelf.s.Close()
		os.RemoveAll(shelf.dir)
	}
	os.Exit(code)
}

func benchRecord(i, n int) record.Record {
	r := indicator(i, "cert", label.Red, 1500)
	for org, spread := range map[string]int{"rare": n / 10, "many": n / 300} {
		if i%max(spread, 1) == spread/2 {
			for _, principal := range []string{label.Org("XXA", org), fmt.Sprintf("org:XXA/%s-%d", org, i)} {
				if org == "rare" && strings.Contains(principal, "-") {
					continue
				}
				set, err := label.NewAudience(label.Org("XXA", org), principal)
				if err != nil {
					panic(err)
				}
				r.Label = label.For(label.Clear)
				r.Label.Audience = set
			}
		}
	}
	return r
}

func scopeOf(nation, org string) gate.Scope {
	g := gate.New(gate.Rules{Nation: "UTO", Org: "cert", Realm: "operational"})
	return g.Scope(gate.Viewer{Nation: nation, Org: org, Realm: "operational"}, time.Now())
}

func stocked(b *testing.B) *Store {
	b.Helper()
	shelf.once.Do(func() {
		shelf.n = 10_000
		if v, err := strconv.Atoi(os.Getenv("ENTENTE_STORE_RECORDS")); err == nil {
			shelf.n = v
		}
		var err error
		if shelf.dir, err = os.MkdirTemp("", "entente-bench"); err != nil {
			b.Fatal(err)
		}
		if shelf.s, err = Open(context.Background(), Config{Dir: shelf.dir}); err != nil {
			b.Fatal(err)
		}
		for i := 0; i < shelf.n; i += 1000 {
			puts := make([]store.Put, min(1000, shelf.n-i))
			for j := range puts {
				puts[j].Record = benchRecord(i+j, shelf.n)
			}
			start, busy := time.Now(), cpu()
			if _, err := shelf.s.Append(context.Background(), own(), store.Batch{Puts: puts, Collection: "c"}); err != nil {
				b.Fatal(err)
			}
			shelf.took += time.Since(start)
			if i >= shelf.n-shelf.n/10 {
				shelf.tail += time.Since(start)
				shelf.cpu += cpu() - busy
			}
		}
		if err := shelf.s.Close(); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if shelf.s, err = Open(context.Background(), Config{Dir: shelf.dir}); err != nil {
			b.Fatal(err)
		}
		shelf.opened = time.Since(start)
	})
	return shelf.s
}

// BenchmarkStock reports what filling the store cost, and opening it again.
func BenchmarkStock(b *testing.B) {
	s := stocked(b)
	for b.Loop() {
	}
	st, err := s.Stats(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(shelf.n)/shelf.took.Seconds(), "appended/s")
	b.ReportMetric(float64(shelf.n/10)/shelf.tail.Seconds(), "appended-last-tenth/s")
	b.ReportMetric(shelf.cpu.Seconds()*1e6/float64(shelf.n/10), "cpu-µs/append")
	b.ReportMetric(float64(shelf.opened.Milliseconds()), "open-ms")
	b.ReportMetric(float64(st.Bytes)/float64(shelf.n), "bytes/record")
	b.ReportMetric(rss(), "RSS-MiB")
}

// cpu is the time that this process has spent on all cores, user and system.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rss is the resident memory of this process in MiB.
func rss() float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.Fields(v)[0])
			return float64(n) / 1024
		}
	}
	return 0
}

func BenchmarkScan(b *testing.B) {
	s := stocked(b)
	n := 0
	start, busy := time.Now(), cpu()
	for b.Loop() {
		for q := (store.Query{Collection: "c", Limit: 1000}); ; {
			p, err := s.Page(context.Background(), own(), q)
			if err != nil {
				b.Fatal(err)
			}
			n += len(p.Items)
			if q.After = p.Next; !p.More {
				break
			}
		}
	}
	b.ReportMetric(float64(n)/time.Since(start).Seconds(), "records/s")
	b.ReportMetric((cpu()-busy).Seconds()*1e6/float64(n), "cpu-µs/record")
	b.ReportMetric(rss(), "RSS-MiB")
}

// timed runs f many times and reports the middle and the slow end.
func timed(b *testing.B, f func(i int)) {
	var took []time.Duration
	i := 0
	for b.Loop() {
		start := time.Now()
		f(i)
		took = append(took, time.Since(start))
		i++
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

func BenchmarkByID(b *testing.B) {
	s := stocked(b)
	timed(b, func(i int) {
		want := indicator((i*7919)%shelf.n, "cert", label.Red, 10).ID
		p, err := s.Page(context.Background(), own(), store.Query{Collection: "c", IDs: []string{want}, Limit: 100})
		if err != nil || len(p.Items) != 1 {
			b.Fatal(err, len(p.Items))
		}
	})
}

func BenchmarkByValue(b *testing.B) {
	s := stocked(b)
	timed(b, func(i int) {
		p, err := s.Page(context.Background(), own(), store.Query{Collection: "c", Lookups: indicator((i*7919)%shelf.n, "cert", label.Red, 10).Lookups[:1]})
		if err != nil || len(p.Items) != 1 {
			b.Fatal(err, len(p.Items))
		}
	})
}

// BenchmarkByPopularRef asks for the first records that name an identity which every record names.
func BenchmarkByPopularRef(b *testing.B) {
	s := stocked(b)
	timed(b, func(i int) {
		p, err := s.Page(context.Background(), own(), store.Query{Collection: "c", Lookups: indicator(1, "cert", label.Red, 10).Lookups[1:2], Limit: 100})
		if err != nil || len(p.Items) != 100 {
			b.Fatal(err, len(p.Items))
		}
	})
}

func BenchmarkRareViewer(b *testing.B) {
	s := stocked(b)
	for _, org := range []string{"rare", "many"} {
		scope := scopeOf("XXA", org)
		b.Run(org, func(b *testing.B) {
			timed(b, func(int) {
				p, err := s.Page(context.Background(), scope, store.Query{Collection: "c", Limit: 100})
				if err != nil || len(p.Items) < 10 {
					b.Fatal(err, len(p.Items))
				}
			})
		})
	}
}

// BenchmarkRelease hands pages of 1,000 records to a party that holds them already.
func BenchmarkRelease(b *testing.B) {
	s := stocked(b)
	p, err := s.Page(context.Background(), own(), store.Query{Collection: "c", Limit: 1000, Headers: true})
	if err != nil {
		b.Fatal(err)
	}
	r := store.Release{Party: "KWT/ncsc", Clause: "tlp:green"}
	for _, it := range p.Items {
		r.Recs = append(r.Recs, it.Rec)
	}
	timed(b, func(int) {
		if err := s.Release(context.Background(), r); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkAppend appends batches of 1,000 new records to the stocked store.
func BenchmarkAppend(b *testing.B) {
	s := stocked(b)
	next := shelf.n * 2
	n, took := 0, time.Duration(0)
	for b.Loop() {
		puts := make([]store.Put, 1000)
		for j := range puts {
			puts[j].Record = indicator(next, "cert", label.Red, 1500)
			next++
		}
		start := time.Now()
		if _, err := s.Append(context.Background(), own(), store.Batch{Puts: puts, Collection: "c"}); err != nil {
			b.Fatal(err)
		}
		took += time.Since(start)
		n += len(puts)
	}
	b.ReportMetric(float64(n)/took.Seconds(), "records/s")
	b.ReportMetric(rss(), "RSS-MiB")
}

// BenchmarkAppendOne appends single records from 32 callers at once, which share commits.
func BenchmarkAppendOne(b *testing.B) {
	s := stocked(b)
	var next, slowest atomic.Int64
	next.Store(int64(shelf.n) * 4)
	b.SetParallelism(16)
	start := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			began := time.Now()
			r := indicator(int(next.Add(1)), "cert", label.Red, 1500)
			if _, err := s.Append(context.Background(), own(), store.Batch{Puts: []store.Put{{Record: r}}, Collection: "c"}); err != nil {
				b.Error(err)
				return
			}
			for took := int64(time.Since(began)); took > slowest.Load(); {
				slowest.Store(took)
			}
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "records/s")
	b.ReportMetric(float64(slowest.Load())/1e6, "slowest-ms")
}
