package observation

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entente/internal/shareddata"
	"entente/stix/pattern"
)

// ages is a lateness in which nothing is late.
const ages = 100 * 365 * 24 * time.Hour

// fed is the verdict of an engine of these patterns, each after all observations went through one by one.
func fed(t testing.TB, list []*pattern.Pattern, obs []pattern.Observation, c Config) (verdicts []string, s *Stream) {
	t.Helper()
	var patterns []Pattern
	for _, p := range list {
		patterns = append(patterns, Pattern{ID: p.Source(), Pattern: p})
	}
	e, left := New(patterns, c)
	verdicts = make([]string, len(list))
	for i := range verdicts {
		verdicts[i] = "false"
	}
	for _, l := range left {
		verdicts[l.Pattern] = "error"
	}
	m, s := e.Matcher(), e.Stream()
	for i := range obs {
		o := &obs[i]
		met := m.Observation(o)
		s.Take(&Seen{First: o.First, Last: o.Last, Count: o.Count, Ref: uint64(i), Met: met}, time.Time{}, func(h Hit) {
			verdicts[h.Pattern] = "true"
		})
	}
	if m.Failed > 0 && len(list) == 1 {
		verdicts[0] = "error"
	}
	return verdicts, s
}

// decided is what the matcher of whole sets says.
func decided(p *pattern.Pattern, obs []pattern.Observation, options ...pattern.Option) string {
	r, err := p.Match(obs, options...)
	switch {
	case err != nil:
		return "error"
	case r.Matched:
		return "true"
	}
	return "false"
}

// The public matching cases: one by one and with all patterns at once, in the order in which they stand, an engine says what the matcher of whole sets says.
func TestConformance(t *testing.T) {
	raw, err := os.ReadFile(shareddata.Dir(t, "stix", "conformance", "matcher-cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Test, Pattern string
		Observations  json.RawMessage
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	sets := map[string][]int{}
	parsed := make([]*pattern.Pattern, len(cases))
	for i, c := range cases {
		if parsed[i], err = pattern.Parse(c.Pattern); err != nil {
			continue
		}
		obs, err := pattern.Observations(c.Observations)
		if err != nil {
			continue
		}
		sets[string(c.Observations)] = append(sets[string(c.Observations)], i)
		for _, closed := range []bool{false, true} {
			var options []pattern.Option
			if closed {
				options = append(options, pattern.ClosedWithin())
			}
			want := decided(parsed[i], obs, options...)
			got, _ := fed(t, parsed[i:i+1], obs, Config{Lateness: ages, Closed: closed})
			if got[0] != want {
				t.Errorf("%s\n%s: %s, want %s", c.Test, c.Pattern, got[0], want)
			}
			count[want]++
		}
	}
	for data, which := range sets {
		obs, err := pattern.Observations([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		var list []*pattern.Pattern
		for _, i := range which {
			list = append(list, parsed[i])
		}
		got, s := fed(t, list, obs, Config{Lateness: ages})
		for k, i := range which {
			if want := decided(parsed[i], obs); got[k] != want && want != "error" {
				t.Errorf("%s among others: %s, want %s", cases[i].Pattern, got[k], want)
			}
		}
		if st := s.Stats(); st.Evicted+st.Late+st.GivenUp > 0 {
			t.Errorf("%+v", st)
		}
	}
	t.Logf("%d cases, %d sets of observations, %v", len(cases), len(sets), count)
	if len(cases) < 250 || count["true"] < 200 || count["false"] < 200 {
		t.Error("too few cases to tell")
	}
}

var letters = []string{"a", "b", "c"}

// drawExpression writes an expression with at most room brackets, repetitions counted.
func drawExpression(t *rapid.T, room int) (string, int) {
	shape := "leaf"
	if room > 1 {
		shape = rapid.SampledFrom([]string{"leaf", "AND", "OR", "FOLLOWEDBY", "AND", "FOLLOWEDBY"}).Draw(t, "shape")
	}
	src, size := "[x:k = '"+rapid.SampledFrom(letters).Draw(t, "letter")+"']", 1
	if shape != "leaf" {
		left, n := drawExpression(t, room-1)
		right, more := drawExpression(t, max(room-n, 1))
		src, size = "("+left+" "+shape+" "+right+")", n+more
	}
	for _, kind := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"REPEATS", "WITHIN", "START"}), 0, 2, rapid.ID[string]).Draw(t, "qualifiers") {
		switch kind {
		case "REPEATS":
			if n := rapid.IntRange(1, 3).Draw(t, "times"); n*size <= room {
				src, size = fmt.Sprintf("%s REPEATS %d TIMES", src, n), n*size
			}
		case "WITHIN":
			src += fmt.Sprintf(" WITHIN %s SECONDS", rapid.SampledFrom([]string{"1", "2", "3", "1.5"}).Draw(t, "seconds"))
		case "START":
			from := rapid.IntRange(0, 3).Draw(t, "from")
			src += fmt.Sprintf(" START t'2020-01-01T00:00:%02dZ' STOP t'2020-01-01T00:00:%02dZ'", from, from+rapid.IntRange(1, 4).Draw(t, "long"))
		}
	}
	return src, size
}

func drawObservations(t *rapid.T, most int) (obs []pattern.Observation) {
	origin := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range rapid.IntRange(1, most).Draw(t, "observations") {
		first := origin.Add(time.Duration(rapid.IntRange(0, 12).Draw(t, "first")) * 500 * time.Millisecond)
		last := first.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "length")) * time.Second)
		objects := map[string]map[string]any{}
		for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom(letters), 1, 2, rapid.ID[string]).Draw(t, "letters") {
			objects[k] = map[string]any{"type": "x", "k": k}
		}
		obs = append(obs, pattern.NewObservation(fmt.Sprint(i), first, last, int64(rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "count")), objects))
	}
	return obs
}

// With whatever patterns and whatever observations in whatever order, an engine has said of each beginning of them what the matcher of whole sets says of it.
func TestStreamAgreesWithMatcher(t *testing.T) {
	count := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		var list []*pattern.Pattern
		for range rapid.IntRange(1, 4).Draw(rt, "patterns") {
			src, _ := drawExpression(rt, 5)
			p, err := pattern.Parse(src)
			if err != nil {
				rt.Fatal(src, err)
			}
			list = append(list, p)
		}
		obs := drawObservations(rt, 9)
		for n := 1; n <= len(obs); n++ {
			got, s := fed(t, list, obs[:n], Config{Lateness: ages, Steps: 1 << 30})
			for i, p := range list {
				if want := decided(p, obs[:n]); got[i] != want {
					rt.Fatalf("%s after %d: %s, want %s", p, n, got[i], want)
				}
				if n == len(obs) {
					count[got[i]]++
				}
			}
			if st := s.Stats(); st.Evicted+st.Late+st.GivenUp+st.Untimed > 0 {
				rt.Fatalf("%+v", st)
			}
		}
	})
	t.Log(count)
	if count["true"] == 0 || count["false"] == 0 {
		t.Error("a one-sided test")
	}
}
