package match

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"entente/internal/event"
	"entente/internal/shareddata"
	"entente/internal/sigmatest"
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

func eachLine(t testing.TB, every int, f func([]byte), path ...string) {
	s := bufio.NewScanner(unzipped(t, path...))
	s.Buffer(nil, 16<<20)
	i := 0
	for ; s.Scan(); i++ {
		if i%every == 0 {
			f(s.Bytes())
		}
	}
	if s.Err() != nil || i == 0 {
		t.Fatal(s.Err(), i)
	}
}

// corpus are the public rules that compile, for the events of their logsources.
func corpus(t testing.TB) (out []*sigma.Query) {
	for _, f := range sigmatest.Corpus(t) {
		c, _ := sigma.Parse(f.Name, f.Text)
		for _, rule := range c.Rules {
			routed, err := sigma.Builtin().Route(rule)
			if err != nil {
				continue
			}
			for _, r := range routed {
				if q, err := r.Compile(); err == nil {
					out = append(out, q)
				}
			}
		}
	}
	return out
}

// sample is every how many events are looked at, of those that are many; ENTENTE_EVENTS_EVERY says otherwise: 1 for all of them.
func sample(every int) int {
	if n, err := strconv.Atoi(os.Getenv("ENTENTE_EVENTS_EVERY")); err == nil && n > 0 {
		return min(every, n)
	}
	return every
}

// naive asks every rule, one after the other, by its plain meaning.
type naive struct {
	rules  []*sigma.Query
	routes []*sigma.Query
	of     []int // by rule, its route; -1: all events
}

func newNaive(t testing.TB, rules []*sigma.Query) *naive {
	n := &naive{rules: rules}
	known := map[*sigma.Clause]int{}
	for _, q := range rules {
		if q.Rule.When == nil {
			n.of = append(n.of, -1)
			continue
		}
		at, ok := known[q.Rule.When]
		if !ok {
			r := sigma.Rule{Clause: *q.Rule.When}
			route, err := r.Compile()
			if err != nil {
				t.Fatal(err)
			}
			at = len(n.routes)
			n.routes, known[q.Rule.When] = append(n.routes, route), at
		}
		n.of = append(n.of, at)
	}
	return n
}

func (n *naive) match(e sigma.Event) (out []int) {
	open := make([]bool, len(n.routes))
	for i, r := range n.routes {
		open[i], _ = r.Eval(e)
	}
	for i, q := range n.rules {
		if r := n.of[i]; r >= 0 && !open[r] {
			continue
		}
		if ok, _ := q.Eval(e); ok {
			out = append(out, i)
		}
	}
	return out
}

// Every rule of the public corpus finds in real events of its logsource just what its plain meaning finds.
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
	e.course = []course{{2, 4}, {4, 8}, {8, 16}} // so that tables learn while they are looked at
	m, tight, plain := e.Matcher(), e.Matcher(), newNaive(t, rules)
	tight.memo = newMemo(plan.Slots(), 3, 5) // in which values drive each other out while they are looked at
	var ev event.Event
	hits, events := 0, 0
	for _, file := range []struct {
		every int
		path  []string
	}{
		{1, []string{"regression", "sigmahq-regression.flat.ndjson"}},
		{sample(500), []string{"windows-mordor.ndjson.gz"}},
		{sample(50), []string{"evtx-attack.flat.ndjson.gz"}},
		{sample(20), []string{"windows-mordor-winlogbeat.ndjson.gz"}},
		{sample(20), []string{"eve", "surevego.eve.ndjson"}},
		{sample(100), []string{"zeek-json", "apt29-day1-combined.ndjson.gz"}},
	} {
		eachLine(t, file.every, func(l []byte) {
			if err := plan.Scan(l, &ev); err != nil {
				t.Fatal(err)
			}
			events++
			want := []int(nil)
			for _, m := range []*Matcher{m, tight} {
				var got []int
				m.Match(&ev, func(rule int) { got = append(got, rule) })
				slices.Sort(got)
				if want == nil {
					want = plain.match(m)
				}
				if !slices.Equal(got, want) {
					for i := range rules {
						if slices.Contains(got, i) != slices.Contains(want, i) {
							t.Errorf("%s: %v, want %v\n%.600s", rules[i].Rule.Handle(), slices.Contains(got, i), slices.Contains(want, i), l)
						}
					}
				}
			}
			hits += len(want)
		}, file.path...)
	}
	t.Logf("%d rules, %d routes, %d leaves, %d tables, %d events, %d hits", len(rules), len(e.routes), len(e.leaves), len(e.tables), events, hits)
	if hits < 200 {
		t.Error("too few hits to tell")
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
