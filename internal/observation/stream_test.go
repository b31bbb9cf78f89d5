package observation

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
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

// In the order of time nothing that is dropped as too old is missed.
func TestOrderNeedsNoLateness(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var list []*pattern.Pattern
		for range rapid.IntRange(1, 3).Draw(rt, "patterns") {
			src, _ := drawExpression(rt, 4)
			list = append(list, parse(t, "("+src+") WITHIN 2 SECONDS"))
		}
		obs := drawObservations(rt, 12)
		slices.SortStableFunc(obs, func(a, b pattern.Observation) int { return a.Last.Compare(b.Last) })
		got, s := fed(t, list, obs, Config{Lateness: 1, Steps: 1 << 30})
		if s.Stats().Late > 0 {
			return
		}
		for i, p := range list {
			if want := decided(p, obs); got[i] != want {
				rt.Fatalf("%s: %s, want %s", p, got[i], want)
			}
		}
		if st := s.Stats(); st.Evicted+st.Late+st.GivenUp > 0 {
			rt.Fatalf("%+v", st)
		}
	})
}

// run takes observations of one letter each, as many seconds after the beginning as its place says, or at the times that are given.
func run(t *testing.T, c Config, letters string, patterns []string, at ...int) (hits []string, s *Stream) {
	t.Helper()
	var list []Pattern
	for i, src := range patterns {
		list = append(list, Pattern{ID: fmt.Sprint(i), Pattern: parse(t, src)})
	}
	e, left := New(list, c)
	if len(left) > 0 {
		t.Fatal(left)
	}
	m, s := e.Matcher(), e.Stream()
	pour(e, m, s, 0, letters, &hits, at...)
	return hits, s
}

func pour(e *Engine, m *Matcher, s *Stream, from int, letters string, hits *[]string, at ...int) {
	for i, r := range letters {
		o := pattern.NewObservation("", time.Time{}, time.Time{}, 1, map[string]map[string]any{"0": {"type": "x", "k": string(r)}})
		seconds := from + i
		if at != nil {
			seconds = at[i]
		}
		when := time.Unix(int64(seconds), 0)
		s.Take(&Seen{First: when, Last: when, Count: 1, Ref: uint64(from + i), Met: m.Observation(&o)}, when, func(h Hit) {
			text := e.Pattern(h.Pattern).ID
			for _, p := range h.Parts {
				text += fmt.Sprint(" ", p.Ref)
			}
			*hits = append(*hits, text)
		})
	}
}

// Patterns hit again and again, each time on observations of their own.
func TestHits(t *testing.T) {
	const a, b = "[x:k = 'a']", "[x:k = 'b']"
	for _, c := range []struct {
		src, letters, want string
		at                 []int
	}{
		{a, "aba", "0 0,0 2", nil},
		{a + " AND " + a, "aaaaa", "0 0 1,0 2 3", nil},
		{a + " FOLLOWEDBY " + b, "baabbb", "0 1 3,0 2 4", nil},
		{"(" + a + " FOLLOWEDBY " + b + ") WITHIN 2 SECONDS", "acbab", "0 3 4", nil},
		{a + " REPEATS 3 TIMES WITHIN 4 SECONDS", "acacaaa", "0 2 4 5", nil},
		{a + " OR (" + b + " AND " + b + ")", "abb", "0 0,0 1 2", nil},
		{a + " FOLLOWEDBY " + b, "ba", "0 1 0", []int{5, 3}}, // late, and not too late
		{a + " START t'1970-01-01T00:00:01Z' STOP t'1970-01-01T00:00:02Z'", "aaa", "0 1", nil},
	} {
		hits, s := run(t, Config{}, c.letters, []string{c.src}, c.at...)
		if got := strings.Join(hits, ","); got != c.want {
			t.Errorf("%s on %s: %q, want %q", c.src, c.letters, got, c.want)
		}
		if st := s.Stats(); st.Late+st.Evicted+st.GivenUp > 0 || int(st.Hits) != len(hits) {
			t.Errorf("%+v", st)
		}
	}
}

// What goes beyond the bounds is counted, and never more is kept.
func TestBounds(t *testing.T) {
	followed := "[x:k = 'a'] FOLLOWEDBY [x:k = 'b']"
	within := "(" + followed + ") WITHIN 100 SECONDS"
	triple := "([x:k = 'a'] AND [x:k = 'b'] AND [x:k = 'c']) WITHIN 100 SECONDS"
	_, s := run(t, Config{Each: 10}, strings.Repeat("a", 50), []string{triple})
	if st := s.Stats(); st.Kept != 10 || st.Evicted != 40 || s.Lost(0) != 40 {
		t.Errorf("for one pattern: %+v", st)
	}
	_, s = run(t, Config{All: 30}, strings.Repeat("a", 50), []string{within, within, "([x:k = 'a'] AND [x:k = 'c']) WITHIN 60 SECONDS"})
	if st := s.Stats(); st.Kept != 30 || st.Evicted != 120 || s.Lost(0) == 0 || s.Lost(1) == 0 || s.Lost(2) == 0 {
		t.Errorf("for all: %+v", st)
	}
	hits, s := run(t, Config{Each: 10}, strings.Repeat("a", 5000)+"bb", []string{followed})
	if st := s.Stats(); st.Evicted > 0 || st.Kept > 4 || len(hits) != 2 {
		t.Errorf("of many alike, as many as a match has are enough: %+v, %v", st, hits)
	}
	_, s = run(t, Config{Lateness: 10 * time.Second}, strings.Repeat("a", 300), []string{triple})
	if st := s.Stats(); st.Evicted > 0 || st.Kept > 112 || st.Kept < 100 {
		t.Errorf("what is too old for a window: %+v", st)
	}
	_, s = run(t, Config{Lateness: 10 * time.Second}, strings.Repeat("a", 300), []string{within})
	if st := s.Stats(); st.Evicted > 0 || st.Kept > 14 {
		t.Errorf("what nearer ones outdo: %+v", st)
	}
	_, s = run(t, Config{Lateness: 10 * time.Second}, "aab", []string{within}, 1000, 1001, 900)
	if st := s.Stats(); st.Late != 1 {
		t.Errorf("late: %+v", st)
	}
	hits, s = run(t, Config{Lateness: 10 * time.Second}, "aabab", []string{within}, 1000, 1_000_000_000, 1001, 1002, 1003)
	if st := s.Stats(); st.Late > 4 || len(hits) != 2 {
		t.Errorf("one wrong time does not end the others: %+v, %v", st, hits)
	}
	e, _ := New([]Pattern{{Pattern: parse(t, followed)}, {Pattern: parse(t, "[x:k = 'a']")}}, Config{})
	s = e.Stream()
	n := 0
	s.Take(&Seen{Met: []int32{0, 1}}, time.Time{}, func(h Hit) { n += 1 + h.Pattern })
	if st := s.Stats(); st.Untimed != 1 || n != 2 {
		t.Errorf("without a time: %+v, %d", st, n)
	}
	_, left := New([]Pattern{{Pattern: parse(t, "[x:k = 'a'] REPEATS 1000000 TIMES")}, {Pattern: parse(t, "[x:k MATCHES '(']")}, {Pattern: parse(t, strings.Repeat("[x:k = 'a'] OR ", 3000)+"[x:k = 'b']")}}, Config{})
	if len(left) != 2 || left[0].Code != LeftLarge || left[1].Code != LeftUnsupported {
		t.Errorf("%+v", left)
	}
}

// A stream goes on with other patterns: what was seen for those that stay is not forgotten.
func TestMove(t *testing.T) {
	stay := Pattern{ID: "stay", Pattern: parse(t, "[x:k = 'a'] FOLLOWEDBY [x:k = 'b']")}
	gone := Pattern{ID: "gone", Pattern: parse(t, "[x:k = 'a'] FOLLOWEDBY [x:k = 'c']")}
	other := Pattern{ID: "other", Pattern: parse(t, "[x:k = 'a'] FOLLOWEDBY [x:k = 'd']")}
	e, _ := New([]Pattern{gone, stay}, Config{})
	s := e.Stream()
	var hits []string
	pour(e, e.Matcher(), s, 0, "a", &hits)
	e, _ = New([]Pattern{other, stay, {ID: "gone", Pattern: parse(t, "[x:k = 'a'] FOLLOWEDBY [x:k = 'e']")}}, Config{})
	s = s.Move(e)
	if st := s.Stats(); st.Kept != 1 {
		t.Errorf("%+v", st)
	}
	pour(e, e.Matcher(), s, 1, "bcdeacbd", &hits)
	if got, want := strings.Join(hits, ","), "stay 0 1,stay 5 7,other 5 8"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
