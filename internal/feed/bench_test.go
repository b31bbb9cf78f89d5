package feed

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkList takes a list of 100,000 values end to end: fetched over HTTP, read, made STIX, durable. The second figure is the same list again, of which a
// tenth is new and a tenth has gone.
func BenchmarkList(b *testing.B) {
	const values = 100_000
	list := func(from int) string {
		var s strings.Builder
		for i := range values {
			fmt.Fprintf(&s, "host-%d.evil[.]example\n", from+i)
		}
		return s.String()
	}
	first, second := list(0), list(values/10)
	p := &page{}
	url := serve(b, p.ServeHTTP)
	var one, two float64
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b, b.TempDir(), Config{Name: "x", Kind: "list", URL: url, Label: "tlp:green", Expire: "30d", Gone: "expire"})
		run := func(body string, want int64) float64 {
			p.body = body
			b.StartTimer()
			began := b.Elapsed()
			r, err := w.f.Ask(b.Context(), own, "x", false)
			took := b.Elapsed() - began
			b.StopTimer()
			if err != nil || r.Counts.Added < want {
				b.Fatalf("%+v %v", r, err)
			}
			w.now = w.now.Add(1e9)
			return took.Seconds()
		}
		one += run(first, values)
		two += run(second, values/5)
		w.x.Close()
		w.st.Close()
		b.StartTimer()
	}
	n := float64(b.N)
	b.ReportMetric(values*n/one, "values/s")
	b.ReportMetric(values*n/two, "polled/s")
	b.ReportMetric(0, "ns/op")
}
