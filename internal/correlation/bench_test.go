package correlation

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"entente/sigma"
)

// measured are correlations of each type whose windows never saturate: %d seconds of one hit each.
var measured = []struct{ name, text string }{
	{"event_count", `{type: event_count, rules: [a, b], group-by: [u], timespan: %ds, condition: {gte: 1000000}}`},
	{"value_count", `{type: value_count, rules: [a, b], group-by: [u], timespan: %ds, condition: {field: v, gte: 1000000}}`},
	{"value_count10", `{type: value_count, rules: [a, b], group-by: [u], timespan: %ds, condition: {field: v, gte: 10}}`},
	{"temporal", `{type: temporal, rules: [a, b, c], group-by: [u], timespan: %ds}`},
	{"temporal_ordered", `{type: temporal_ordered, rules: [a, b, c], group-by: [u], timespan: %ds}`},
	{"words", `{type: temporal, rules: [a, b, c], group-by: [u], timespan: %ds, condition: a and not b and c}`},
	{"ordered_words", `{type: temporal_ordered, rules: [a, b, c], group-by: [u], timespan: %ds, condition: a and b and not c}`},
	{"value_sum", `{type: value_sum, rules: [a, b], group-by: [u], timespan: %ds, condition: {field: n, gte: 1e20}}`},
	{"value_avg", `{type: value_avg, rules: [a, b], group-by: [u], timespan: %ds, condition: {field: n, gte: 1e20}}`},
	{"value_median", `{type: value_median, rules: [a, b], group-by: [u], timespan: %ds, condition: {field: n, gte: 1e20}}`},
	{"value_percentile", `{type: value_percentile, rules: [a, b], group-by: [u], timespan: %ds, condition: {field: n, percentile: 99, gte: 1e20}}`},
}

// source makes hits of a rule, one a second, without making anything else.
type source struct {
	hit  []sigma.Hit
	u, v []byte
	n    int
}

func newSource(c *sigma.Collection) *source {
	s := &source{u: make([]byte, 0, 32), v: make([]byte, 0, 32)}
	s.hit = []sigma.Hit{{Rule: &c.Rules[0].Meta}}
	return s
}

// next is a hit in one of a number of groups, with one of a number of values, which come in no order.
func (s *source) next(groups, values int) []sigma.Hit {
	s.n++
	s.u = strconv.AppendInt(append(s.u[:0], "user-"...), int64(s.n%groups), 10)
	s.v = strconv.AppendInt(s.v[:0], int64(s.n*7919%values), 10)
	h := &s.hit[0]
	h.Time, h.Index = time.Unix(1_700_000_000+int64(s.n), 0), uint64(s.n)
	h.Event = (*given)(s)
	return s.hit
}

// given is the event of a source.
type given source

func (g *given) Values(field string) []sigma.Value {
	switch field {
	case "u":
		return []sigma.Value{{Kind: sigma.KindText, Text: g.u}}
	case "v", "n":
		return []sigma.Value{{Kind: sigma.KindNumber, Text: g.v}}
	}
	return nil
}

func (g *given) Keywords(func([]byte) bool) {}

// BenchmarkTypes is what one hit costs, with as many different values in the window as the name says. It must not grow with them; with median and percentile as the
// logarithm does.
func BenchmarkTypes(b *testing.B) {
	for _, m := range measured {
		for _, window := range []int{1800, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", m.name, window), func(b *testing.B) {
				c, order := collection(b, fmt.Sprintf(m.text, window-1))
				e := New(order, Options{}, func(*sigma.Hit) {})
				s := newSource(c)
				for range 2 * window {
					e.Add("", s.next(1, window))
				}
				b.ReportAllocs()
				b.ResetTimer()
				began := processor(b)
				for range b.N {
					e.Add("", s.next(1, window))
				}
				b.ReportMetric(float64(processor(b)-began)/float64(b.N), "cpu-ns/op")
				if e.Stats().Evicted+e.Stats().Shortened > 0 {
					b.Fatalf("%+v", e.Stats())
				}
			})
		}
	}
}

// BenchmarkShards is what one hit costs of many groups, when many come at once.
func BenchmarkShards(b *testing.B) {
	for _, shards := range []int{1, 2, 4} {
		b.Run(strconv.Itoa(shards), func(b *testing.B) {
			c, order := collection(b, fmt.Sprintf(measured[1].text, 100_000))
			e := New(order, Options{Shards: shards, Lateness: time.Hour}, func(*sigma.Hit) {})
			s := newSource(c)
			hits := make([]sigma.Hit, 1000)
			for range b.N/len(hits) + 1 {
				for i := range hits {
					hits[i] = s.next(10_000, 100)[0]
					hits[i].Event = sigma.Fields{"u": {sigma.Text(string(s.u))}, "v": {sigma.Text(string(s.v))}}
				}
				e.Add("", hits)
			}
		})
	}
}

// processor is the time that the program took of the processor, which other programs do not change as they do the time on the wall.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// inUse are the bytes of all that is reachable.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

const million = 1_000_000

// fillGroups makes a million groups with a number of hits each.
func fillGroups(tb testing.TB, text string, each int) (e *Engine, took int64) {
	c, order := collection(tb, fmt.Sprintf(text, 10*million))
	before := inUse()
	e = New(order, Options{}, func(*sigma.Hit) {})
	s := newSource(c)
	for range each * million {
		e.Add("", s.next(million, 1<<40))
	}
	e.Flush()
	return e, inUse() - before
}

// BenchmarkMillionGroups is what a million groups take in memory.
func BenchmarkMillionGroups(b *testing.B) {
	for _, m := range measured {
		if strings.Contains(m.name, "words") || m.name == "value_count10" || m.name == "value_avg" || m.name == "value_percentile" {
			continue // as others
		}
		for _, each := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/%d", m.name, each), func(b *testing.B) {
				for range b.N {
					e, took := fillGroups(b, m.text, each)
					s := e.Stats()
					b.ReportMetric(float64(took)/(1<<20), "MiB")
					b.ReportMetric(float64(took)/float64(s.Groups), "B/group")
					b.ReportMetric(float64(s.Bytes)/float64(took), "said/taken")
					b.ReportMetric(float64(s.Evicted), "evicted")
				}
			})
		}
	}
}

// A million groups take 256 MiB at most, and none has to go for it.
func TestMillionGroups(t *testing.T) {
	if testing.Short() {
		t.Skip("a million groups of each type")
	}
	for _, name := range []string{"value_count", "value_sum"} {
		for _, m := range measured {
			if m.name != name {
				continue
			}
			e, took := fillGroups(t, m.text, 1)
			if s := e.Stats(); s.Groups != million || s.Evicted > 0 || took > 256<<20 || s.Bytes < took*3/4 {
				t.Errorf("%s: %d MiB are taken: %+v", name, took>>20, s)
			}
		}
	}
}
