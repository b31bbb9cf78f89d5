package match

import (
	"slices"
	"syscall"
	"testing"

	"entente/internal/event"
	"entente/sigma"
)

// rounds is how often each lane of a benchmark is run.
const rounds = 11

// turn is after how many events it is the next lane's.
const turn = 200

// warm is how often events are seen before it is measured.
const warm = 4

// lane is something that is measured beside others, in the same run.
type lane struct {
	name string
	run  func([]byte)
}

// race runs lanes over events, turn by turn, and gives what each costs for an event, in seconds of the processor. Of every few events that round counts in which all lanes together
// cost the least. What else the machine does only ever adds to the cost: it takes caches and the other half of a core away. It does so for seconds, which a turn of all lanes is too
// short to notice, so that they are compared as they ran beside each other; medians of whole rounds move with how often the machine was busy.
func race(b *testing.B, events [][]byte, lanes ...*lane) map[string]float64 {
	for range warm { // until what tables learn from is seen
		for _, l := range lanes {
			for _, e := range events {
				l.run(e)
			}
		}
	}
	turns := slices.Collect(slices.Chunk(events, turn))
	costs := make([][]float64, len(turns)) // of the best round, by lane
	for range rounds {
		for i, part := range turns {
			took := make([]float64, len(lanes))
			for n, l := range lanes {
				before := processor(b)
				for _, e := range part {
					l.run(e)
				}
				took[n] = processor(b) - before
			}
			if costs[i] == nil || sum(took) < sum(costs[i]) {
				costs[i] = took
			}
		}
	}
	out := map[string]float64{}
	for _, took := range costs {
		for n, l := range lanes {
			out[l.name] += took[n] / float64(len(events))
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
func processor(t testing.TB) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// windows are the rules of the public corpus for Windows.
func windows(b testing.TB) (out []*sigma.Query) {
	for _, q := range corpus(b) {
		if q.Rule.Logsource.Product == "windows" {
			out = append(out, q)
		}
	}
	return out
}

// All rules for Windows over recorded events, from JSON: beside the scan alone, which reads every value that is asked for, and beside half of the rules, the one and the other.
func BenchmarkSigma(b *testing.B) {
	rules := windows(b)
	var halves [2][]*sigma.Query // every other rule, each for all its kinds of logs
	n := 0
	for i, q := range rules {
		if i == 0 || q.Rule.ID != rules[i-1].Rule.ID {
			n++
		}
		halves[n%2] = append(halves[n%2], q)
	}
	for _, set := range []struct {
		name  string
		every int
		path  string
	}{{"mixed", 7, "windows-mordor.ndjson.gz"}, {"attack", 1, "evtx-attack.flat.ndjson.gz"}} {
		b.Run(set.name, func(b *testing.B) {
			events := sampled(b, set.every, set.path)
			hits := 0
			all, plan := engine(b, rules, func() { hits++ })
			one, _ := engine(b, halves[0], func() {})
			other, _ := engine(b, halves[1], func() {})
			var ev event.Event
			octets := 0
			scan := func(l []byte) {
				if err := plan.Scan(l, &ev); err != nil {
					b.Fatal(err)
				}
				for _, slot := range ev.Slots() {
					for v := range ev.All(int(slot)) {
						octets += len(v.Text)
					}
				}
			}
			runs := 0
			for b.Loop() {
				runs++
				cost := race(b, events, &lane{name: "scan", run: scan}, &lane{name: "all", run: all}, &lane{name: "one", run: one}, &lane{name: "other", run: other})
				b.ReportMetric(1/cost["all"], "events/cpu-s")
				b.ReportMetric(1/cost["scan"], "scans/cpu-s")
				b.ReportMetric(cost["all"]/cost["scan"], "of-the-scan")
				b.ReportMetric(2*cost["all"]/(cost["one"]+cost["other"]), "of-half-the-rules")
			}
			b.Logf("%d rules, %d events, %.2f hits an event", n, len(events), float64(hits)/float64(len(events)*(warm+rounds)*runs))
		})
	}
}

// engine gives what puts a line to rules.
func engine(b *testing.B, rules []*sigma.Query, hit func()) (run func([]byte), plan *event.Plan) {
	plan = event.NewPlan()
	e, err := New(plan, rules)
	if err != nil {
		b.Fatal(err)
	}
	m := e.Matcher()
	var ev event.Event
	return func(l []byte) {
		if err := plan.Scan(l, &ev); err != nil {
			b.Fatal(err)
		}
		m.Match(&ev, func(int) { hit() })
	}, plan
}

// sampled are some of the events of a file.
func sampled(t testing.TB, every int, path ...string) (out [][]byte) {
	eachLine(t, every, func(l []byte) { out = append(out, slices.Clone(l)) }, path...)
	return out
}
