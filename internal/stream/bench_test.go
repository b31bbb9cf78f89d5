package stream

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"entente/internal/input"
)

// event is as large as one of Suricata's.
var event = `{"timestamp":"2026-11-22T10:00:00.000000+0000","event_type":"dns","src_ip":"192.0.2.1","dest_ip":"198.51.100.2","x":"` + strings.Repeat("a", 400) + `"}`

// consumed is the CPU time of this process, broker and all.
func consumed(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// shared reads 100,000 events with one or two sources that do some work for each, the broker being in the same process.
func shared(b *testing.B, sources int, work time.Duration, produce func(...string), src func() source) {
	lines := make([]string, 1000)
	for i := range lines {
		lines[i] = event
	}
	events := 100_000
	for range events / 1000 {
		produce(lines...)
	}
	var total atomic.Int64
	var sunk atomic.Int64
	take := func(g *input.Batch) error {
		for _, l := range g.Lines {
			sunk.Add(int64(bytes.Count(l, []byte("a"))))
		}
		if work > 0 {
			time.Sleep(time.Duration(len(g.Lines)) * work)
		}
		total.Add(int64(len(g.Lines)))
		if g.Done != nil {
			return g.Done()
		}
		return nil
	}
	cpu, begin := consumed(b), time.Now()
	var runs []*running
	for range sources {
		s := src()
		ctx, stop := context.WithCancel(context.Background())
		r := &running{source: s, stop: stop, done: make(chan error, 1)}
		go func() { r.done <- s.Run(ctx, take) }()
		runs = append(runs, r)
	}
	for total.Load() < int64(events) {
		time.Sleep(time.Millisecond)
	}
	took := time.Since(begin)
	for _, r := range runs {
		r.end(b, nil)
	}
	b.ReportMetric(float64(events)/took.Seconds(), "events/s")
	b.ReportMetric(float64(events)/(consumed(b)-cpu).Seconds(), "events/CPU-s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkStreams measures both brokers with one and two sensors of a group: reading alone, and with 20 µs of waiting for each event in place of the work of a sensor on a machine of its own.
func BenchmarkStreams(b *testing.B) {
	for _, work := range []time.Duration{0, 20 * time.Microsecond} {
		for _, n := range []int{1, 2} {
			name := strconv.Itoa(n) + fmt.Sprintf("/work=%v", work)
			b.Run("kafka/"+name, func(b *testing.B) {
				k := newKafka(b).produces()
				shared(b, n, work, k.produce, func() source { return k.source() })
			})
			b.Run("nats/"+name, func(b *testing.B) {
				s := newBroker(b, nil).produces()
				shared(b, n, work, func(lines ...string) { s.produce("eve.x", lines...) }, func() source { return s.source() })
			})
		}
	}
}
