package detect

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
	"entente/sensor"
)

// flood is a store of very many indicators, made when they are asked for. One of them may have been changed.
type flood struct {
	*house
	n       int
	changed atomic.Int64 // its number, from 1; 0: none
}

// floodID is the id of an indicator by its number: in no order, as ids are.
func floodID(i int) string {
	return fmt.Sprintf("indicator--%08x-0000-4000-8000-%012d", uint32(i)*2_654_435_761, i)
}

func (f *flood) item(i int) store.Item {
	value, modified := fmt.Sprintf("[ipv4-addr:value = '%d.%d.%d.%d']", 16+i>>24, i>>16&255, i>>8&255, i&255), "2026-01-01T00:00:00.000Z"
	switch i % 4 {
	case 1:
		value = fmt.Sprintf("[domain-name:value = 'c%x.bad-zone-%d.example']", i*7919, i%100_000)
	case 2:
		value = fmt.Sprintf("[file:hashes.'SHA-256' = '%064x']", i)
	case 3:
		value = fmt.Sprintf("[url:value = 'http://bad-zone-%d.example/%x/login.php']", i%100_000, i*104_729)
	}
	if int64(i) == f.changed.Load() {
		modified = "2026-02-01T00:00:00.000Z"
	}
	id := floodID(i)
	return store.Item{Seq: record.Seq(i), Rec: record.Seq(i), Record: record.Record{ID: id, Type: "indicator", Label: label.For(label.Amber), Origin: record.Origin{Nation: self.Nation, Org: self.Org},
		Body: fmt.Appendf(nil, `{"type":"indicator","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":%q,"confidence":%d,"pattern_type":"stix","pattern":%q,"valid_from":"2026-01-01T00:00:00Z","valid_until":"2027-01-01T00:00:00Z"}`,
			id, modified, 50+i%50, value)}}
}

func (f *flood) All(_ context.Context, _ []string, after record.Seq, limit int) (p store.Page, err error) {
	for i := int(after) + 1; i <= f.n; i++ {
		if len(p.Items) == limit {
			p.More = true
			break
		}
		it := f.item(i)
		it.Record.Body = nil
		p.Items, p.Next = append(p.Items, it), it.Seq
	}
	return p, nil
}

func (f *flood) For(_ context.Context, _ gate.Party, ids []string) (out []store.Item, err error) {
	for _, id := range ids {
		if i, err := strconv.Atoi(id[max(len(id)-12, 0):]); err == nil && i <= f.n {
			out = append(out, f.item(i))
		}
	}
	return out, nil
}

func (f *flood) Held(ctx context.Context, ids []string) (map[string]bool, error) {
	out := make(map[string]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out, nil
}

// change is a new version of an indicator.
func (f *flood) change(i int) {
	f.changed.Store(int64(i))
	it := f.item(i)
	h := f.house
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq += 1
	h.lines = append(h.lines, store.Entry{Seq: h.seq, Rec: record.Seq(f.n) + h.seq, Kind: store.EntryPut, Record: &it.Record})
	close(h.changed)
	h.changed = make(chan struct{})
}

// resident is the memory of this process in MiB as the system counts it: without the pages of files, which it takes back when it needs them.
func resident() (mib float64) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0 // not told on this system
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			fmt.Sscanf(rest, "%f", &mib)
		}
	}
	return mib / 1024
}

// peak watches the memory until the context ends.
func peak(ctx context.Context) *atomic.Int64 {
	var most atomic.Int64
	go func() {
		for pause(ctx, 20*time.Millisecond) {
			most.Store(max(most.Load(), int64(resident())))
		}
	}()
	return &most
}

func sizeOf(b *testing.B, dir, pattern string) (total float64) {
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			total += float64(info.Size())
		}
	}
	return total
}

// BenchmarkNode has one organisation's sensors look for very many sources: how long the table takes to be made, what it needs, how soon a change is with a sensor, and how many reports are taken, each
// durable: of sources that are met again and again, and each of another. BENCH_SOURCES says how many; 1,000,000 otherwise.
func BenchmarkNode(b *testing.B) {
	n := 1_000_000
	if text := os.Getenv("BENCH_SOURCES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1000 {
			b.Fatalf("BENCH_SOURCES is %q", text)
		}
	}
	f := &flood{house: newHouse(), n: n}
	dir := b.TempDir()
	r, err := Open(b.Context(), Options{Dir: dir, Nation: self.Nation, Org: self.Org, Realm: "operational", World: f, Docs: f, Authority: newNotary(b), Now: f.clock})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	s := enrol(b, r, "edge")
	most := peak(b.Context())
	began := time.Now()
	b.ResetTimer()
	work(b, r)
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "sources/s")
	b.ReportMetric(sizeOf(b, dir, "looked.db*")/float64(n), "B/source")
	b.ReportMetric(float64(most.Swap(0)), "MiB-made")

	began = time.Now()
	file, cursor, err := r.Snapshot(b.Context(), s)
	if err != nil {
		b.Fatal(err)
	}
	info, err := file.Stat()
	file.Close()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(began).Seconds(), "s-snapshot")
	b.ReportMetric(float64(info.Size())/float64(n), "B/source-snapshot")
	b.ReportMetric(float64(most.Swap(0)), "MiB-snapshot")

	r.Start()
	var slowest time.Duration
	for i := range 20 {
		st, err := r.State(b.Context(), s)
		if err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		f.change(1 + (i*7919)%n)
		if _, err = r.Await(b.Context(), s, st.Version, 30*time.Second); err != nil {
			b.Fatal(err)
		}
		c, err := r.Changes(b.Context(), s, cursor)
		if err != nil || len(c.Changes) != 1 {
			b.Fatalf("%+v %v", c, err)
		}
		cursor, slowest = c.To, max(slowest, time.Since(began))
	}
	b.ReportMetric(slowest.Seconds()*1000, "ms-change")
	began = time.Now()
	all := make(chan prometheus.Metric, 100)
	r.metrics.standing.Collect(all)
	if _, err := r.Tables(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(began).Seconds()*1000, "ms-asked")

	most.Store(0)
	const reports = 200_000
	began = time.Now()
	report(b, f, r, s, 0, reports, 2000)
	b.ReportMetric(reports/time.Since(began).Seconds(), "reports/s")
	began = time.Now()
	report(b, f, r, s, reports, 2*reports, n)
	b.ReportMetric(reports/time.Since(began).Seconds(), "reports/s-new")
	b.ReportMetric(sizeOf(b, dir, "told.db")/2/reports, "B/report")
	b.ReportMetric(float64(most.Load()), "MiB-reports")
}

// report gives reports from one number to another, of so many sources, as four sensors that are quick.
func report(b *testing.B, f *flood, r *Room, s *Sensor, from, to, sources int) {
	var sensors sync.WaitGroup
	var next atomic.Int64
	next.Store(int64(from))
	for range 4 {
		sensors.Go(func() {
			for {
				from := int(next.Add(sensor.MaxReports)) - sensor.MaxReports
				if from >= to {
					return
				}
				list := make([]sensor.Report, sensor.MaxReports)
				for k := range list {
					source := floodID(1 + (from+k)*31%sources)
					list[k] = sensor.Report{ID: sensor.ReportID(strconv.Itoa(from+k), source, "ipv4", "198.51.100.7"), Source: source, Kind: "ipv4", Value: "198.51.100.7", First: f.now, Last: f.now, Count: 1,
						Fields: map[string]string{"dest_ip": "198.51.100.7"}, Input: "eve"}
				}
				if _, err := r.Take(b.Context(), s, list); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	sensors.Wait()
}
