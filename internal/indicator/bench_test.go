//go:build linux

package indicator

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// entriesEnv says how many indicators the benchmarks load; 1,000,000 without it.
const entriesEnv = "ENTENTE_BENCH_INDICATORS"

func benchSize(b *testing.B) int {
	if n, err := strconv.Atoi(os.Getenv(entriesEnv)); err == nil && n > 0 {
		return n
	}
	return 1_000_000
}

// made is indicators as the recorded lists have them: a third addresses, half names, the rest hashes and networks.
func made(r *rand.Rand, n int) Value {
	switch {
	case n%6 < 2:
		return Value{Kind: IPv4, key: string(binary.BigEndian.AppendUint32(nil, r.Uint32()))}
	case n%6 < 5:
		return Value{Kind: Domain, key: fmt.Sprintf("%x.example-%x.org", r.Uint32(), r.Uint32())}
	case n%600 == 5:
		return Value{Kind: CIDR, key: string(append(binary.BigEndian.AppendUint32(nil, r.Uint32()&^255), 24))}
	}
	key := make([]byte, 32)
	for i := 0; i < 32; i += 8 {
		binary.LittleEndian.PutUint64(key[i:], r.Uint64())
	}
	return Value{Kind: SHA256, key: string(key)}
}

func benchTable(b *testing.B) (*Table, string) {
	n, r := benchSize(b), rand.New(rand.NewPCG(1, 2))
	build := NewBuilder(Key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32})
	m := MetaID(0)
	for i := range n {
		if i%100 == 0 {
			m = build.Meta(Meta{Source: fmt.Sprint("indicator--", i), Label: "TLP:GREEN", Confidence: 60})
		}
		if err := build.Add(made(r, i), m); err != nil {
			b.Fatal(err)
		}
	}
	path := filepath.Join(b.TempDir(), "index")
	start := time.Now()
	if err := build.Snapshot(0).WriteFile(path); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d indicators sorted and written in %s", n, time.Since(start))
	s, err := Open(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%.2f octets each in the index, %.2f with ids, %.2f with values and metas", float64(s.IndexBytes())/float64(n), float64(s.IndexBytes()+s.IDBytes())/float64(n), float64(s.Size())/float64(n))
	table, err := NewTable(s, DefaultDecay())
	if err != nil {
		b.Fatal(err)
	}
	return table, path
}

// cpu reports the processor's time of what follows until the function that it gives is called: on a machine with other work the clock says little.
func cpu(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	return func() { b.ReportMetric(float64(used()-start)/float64(b.N), "cpu-ns/op") }
}

// Lookups of which one in fifty hits, by kind; the load of a snapshot; a change of 10,000.
func BenchmarkIndex(b *testing.B) {
	table, path := benchTable(b)
	r := rand.New(rand.NewPCG(1, 2))
	var known [kinds][]string
	for i := range 60_000 {
		v := made(r, i)
		known[v.Kind] = append(known[v.Kind], v.Text())
	}
	r = rand.New(rand.NewPCG(3, 4)) // others than those in the table
	for _, k := range []Kind{IPv4, Domain, SHA256} {
		values := make([][]byte, 1<<16)
		for i := range values {
			text := made(r, map[Kind]int{IPv4: 0, Domain: 2, SHA256: 11}[k]).Text()
			if i%50 == 0 {
				text = known[k][i%len(known[k])]
			}
			values[i] = []byte(text)
		}
		b.Run(k.String(), func(b *testing.B) {
			b.ReportAllocs()
			met := 0
			defer cpu(b)()
			for i := range b.N {
				table.Lookup(k, values[i&(1<<16-1)], noon, func(Hit) { met++ })
			}
			b.ReportMetric(100*float64(met)/float64(b.N), "%hits")
		})
	}
	if benchSize(b) <= 1_000_000 {
		b.Run("domain-in-a-map", func(b *testing.B) { benchMap(b, known[Domain]) })
	}
	b.Run("load", func(b *testing.B) {
		defer cpu(b)()
		for range b.N {
			if _, err := Open(path); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("change-10000", func(b *testing.B) {
		n := 0
		defer cpu(b)()
		for range b.N {
			var d Delta
			for range 10_000 {
				n++
				d.Replace(Meta{Source: fmt.Sprint("indicator--", n%50_000), Label: "TLP:GREEN"}, made(r, n))
			}
			if err := table.Apply(&d); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// benchMap is the simplest way to look up a name and its parents, to compare with.
func benchMap(b *testing.B, known []string) {
	r := rand.New(rand.NewPCG(1, 2))
	all := map[string]int{}
	for i := range benchSize(b) {
		if v := made(r, i); v.Kind == Domain {
			all[v.key] = i
		}
	}
	r = rand.New(rand.NewPCG(3, 4))
	values := make([]string, 1<<16)
	for i := range values {
		values[i] = made(r, 2).Text()
		if i%50 == 0 {
			values[i] = known[i%len(known)]
		}
	}
	b.ResetTimer()
	defer cpu(b)()
	met := 0
	for i := range b.N {
		for name, ok := values[i&(1<<16-1)], true; ok; _, name, ok = strings.Cut(name, ".") {
			if _, in := all[name]; in {
				met++
			}
		}
	}
	b.ReportMetric(100*float64(met)/float64(b.N), "%hits")
}
