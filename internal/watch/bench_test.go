package watch

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"entente/internal/event"
	"entente/internal/indicator"
	"entente/internal/shareddata"
)

// loaded is how many indicators the benchmark loads; ENTENTE_BENCH_INDICATORS says otherwise.
const loaded = 10_000_000

// rounds is how often each lane is run.
const rounds = 11

// turn is after how many events it is the next lane's.
const turn = 200

// seldom is of how many events the simplest way gets one: it is slow.
const seldom = 10

// Indicators of every kind over recorded events of Zeek and Suricata, from JSON: beside the scan alone, which reads every value that is asked for, and
// beside the simplest way to do it.
func BenchmarkIndicators(b *testing.B) {
	n := loaded
	if s := os.Getenv("ENTENTE_BENCH_INDICATORS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	zeek := zeekEvents(b)
	sets := map[string][][]byte{"zeek": zeek, "eve": eveEvents(b)}
	build, naive := indicator.NewBuilder(indicator.Key{1}), make(map[string]uint32, n)
	r := rand.New(rand.NewPCG(1, 2))
	meta := indicator.MetaID(0)
	add := func(k indicator.Kind, text string) {
		v, err := indicator.New(k, text)
		if err != nil {
			return // a name in a log that is none
		}
		if err := build.Add(v, meta); err != nil {
			b.Fatal(err)
		}
		naive[text] = uint32(build.Len())
	}
	for i := range n {
		if i%100 == 0 {
			meta = build.Meta(indicator.Meta{Source: fmt.Sprint("indicator--", i), Label: "TLP:GREEN", Confidence: 60})
		}
		switch {
		case i%6 < 2:
			a := r.Uint32()
			add(indicator.IPv4, fmt.Sprintf("%d.%d.%d.%d", 1+a>>24%223, a>>16&255, a>>8&255, a&255))
		case i%6 < 5:
			add(indicator.Domain, fmt.Sprintf("%x.example-%x.org", r.Uint32(), r.Uint32()))
		case i%600 == 5:
			a := r.Uint32()
			add(indicator.CIDR, fmt.Sprintf("198.%d.%d.0/24", a>>8&255, a&255))
		default:
			add(indicator.SHA256, fmt.Sprintf("%016x%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()))
		}
	}
	for _, name := range rare(zeek) { // some are met
		add(indicator.Domain, name)
	}
	for i := range 4 {
		add(indicator.IPv4, fmt.Sprintf("203.0.113.%d", i))
	}
	table, err := indicator.NewTable(build.Snapshot(0), indicator.DefaultDecay())
	if err != nil {
		b.Fatal(err)
	}
	set, err := New(nil, table)
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"zeek", "eve"} {
		b.Run(name, func(b *testing.B) {
			events := sets[name]
			w := set.Watcher()
			w.Now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			var ev event.Event
			hits, plain := 0, 0
			scan := func(l []byte) {
				if err := set.Plan().Scan(l, &ev); err != nil {
					b.Fatal(err)
				}
			}
			octets := 0
			read := func(l []byte) { // every value that is asked for
				scan(l)
				for _, slot := range ev.Slots() {
					for v := range ev.All(int(slot)) {
						octets += len(v.Text)
					}
				}
			}
			look := func(l []byte) {
				scan(l)
				hits += len(w.Look(&ev))
			}
			at := 0
			simple := func(l []byte) {
				if at++; at%seldom > 0 {
					return
				}
				var e map[string]any
				if err := json.Unmarshal(l, &e); err != nil {
					b.Fatal(err)
				}
				plain += simply(e, naive)
			}
			for b.Loop() {
				cost := race(b, events, read, look)
				slow := race(b, events, simple)[0] // alone: what it does to the caches is not for the others to bear
				b.ReportMetric(1/cost[1], "events/cpu-s")
				b.ReportMetric(1/cost[0], "scans/cpu-s")
				b.ReportMetric(cost[1]/cost[0], "of-the-scan")
				b.ReportMetric(seldom*slow/cost[1], "times-the-simplest")
			}
			of := float64(len(events) * (rounds + 1))
			b.Logf("%d indicators, %d events of %d bytes, %.3f hits an event, %.3f the simple way", table.Len(), len(events), size(events)/len(events), float64(hits)/of, seldom*float64(plain)/of)
		})
	}
}

// race runs lanes over events, turn by turn, and gives what each costs for an event, in seconds of the processor. Of every few events that round counts in which all lanes together
// cost the least: what else the machine does only ever adds to the cost, for longer than a turn of all lanes, and so to all of them.
func race(b *testing.B, events [][]byte, lanes ...func([]byte)) []float64 {
	turns := slices.Collect(slices.Chunk(events, turn))
	costs := make([][]float64, len(turns)) // of the best round, by lane
	for round := range rounds + 1 {
		runtime.GC() // what the last round left is not for this one to clear away
		for i, part := range turns {
			took := make([]float64, len(lanes))
			for n, run := range lanes {
				before := processor(b)
				for _, e := range part {
					run(e)
				}
				took[n] = processor(b) - before
			}
			if round > 0 && (costs[i] == nil || sum(took) < sum(costs[i])) { // the first warms up
				costs[i] = took
			}
		}
	}
	out := make([]float64, len(lanes))
	for _, took := range costs {
		for n := range lanes {
			out[n] += took[n] / float64(len(events))
		}
	}
	return out
}

func sum(all []float64) (s float64) {
	for _, x := range all {
		s += x
	}
	return s
}

// processor is the time that the process has used of processors, in seconds.
func processor(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// rare are names that are asked for once or twice: of every fourth that is, one.
func rare(events [][]byte) (out []string) {
	times := map[string]int{}
	for _, l := range events {
		var e struct{ Query string }
		if json.Unmarshal(l, &e) == nil && strings.Contains(e.Query, ".") {
			times[e.Query]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(times)) {
		if times[name] <= 2 {
			out = append(out, name)
		}
	}
	return slices.DeleteFunc(out, func(name string) bool { return len(name)%4 > 0 })
}

// simply looks up every text in an event, and the parents of names.
func simply(v any, known map[string]uint32) (hits int) {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			hits += simply(inner, known)
		}
	case []any:
		for _, inner := range v {
			hits += simply(inner, known)
		}
	case string:
		for name, more := strings.ToLower(v), true; more; _, name, more = strings.Cut(name, ".") {
			if _, ok := known[name]; ok {
				hits++
			}
		}
	}
	return hits
}

func size(events [][]byte) (n int) {
	for _, e := range events {
		n += len(e)
	}
	return n
}

// read gives every so many lines of a file.
func read(b *testing.B, every int, path ...string) (out [][]byte) {
	f, err := os.Open(shareddata.Dir(b, append([]string{"telemetry"}, path...)...))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	in := io.Reader(f)
	if strings.HasSuffix(path[len(path)-1], ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			b.Fatal(err)
		}
	}
	s := bufio.NewScanner(in)
	s.Buffer(nil, 16<<20)
	for i := 0; s.Scan(); i++ {
		if i%every == 0 {
			out = append(out, slices.Clone(s.Bytes()))
		}
	}
	if s.Err() != nil {
		b.Fatal(s.Err())
	}
	return out
}

func zeekEvents(b *testing.B) [][]byte {
	return slices.Concat(read(b, 5, "zeek-json", "dns.json.gz"), read(b, 5, "zeek-json", "ssl.json.gz"), read(b, 1, "zeek-json", "apt29-day1-combined.ndjson.gz"))
}

var address = regexp.MustCompile(`"(src_ip|dest_ip)":"[0-9.]+"`)

// eveEvents are the recorded ones, which are few, again and again between other addresses: of a million, a few of them often and most of them seldom.
func eveEvents(b *testing.B) (out [][]byte) {
	recorded := slices.Concat(read(b, 1, "eve", "surevego.eve.ndjson"), read(b, 1, "eve", "frankhassanabad-alerts.ndjson"))
	r := rand.New(rand.NewPCG(3, 4))
	host := rand.NewZipf(r, 1.1, 10, 1<<20)
	for range 30 {
		for _, l := range recorded {
			out = append(out, address.ReplaceAllFunc(l, func(m []byte) []byte {
				name, _, _ := strings.Cut(string(m), ":")
				if r.IntN(100) == 0 {
					return fmt.Appendf(nil, `%s:"203.0.113.%d"`, name, r.IntN(4))
				}
				a := host.Uint64()
				return fmt.Appendf(nil, `%s:"10.%d.%d.%d"`, name, a>>16&255, a>>8&255, a&255)
			}))
		}
	}
	return out
}
