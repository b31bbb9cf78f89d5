package correlation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/sigma"

	"pgregory.net/rapid"
)

// collection reads correlations, a line each, which are named c0, c1 …, over the rules a, b, c and d.
func collection(t testing.TB, correlations ...string) (*sigma.Collection, []*sigma.Correlation) {
	t.Helper()
	text := ""
	for _, name := range []string{"a", "b", "c", "d"} {
		text += "title: T\nname: " + name + "\nlogsource: {product: x}\ndetection: {s: {k: 1}, condition: s}\n---\n"
	}
	for i, body := range correlations {
		text += fmt.Sprintf("title: C\nname: c%d\ncorrelation: %s\n---\n", i, body)
	}
	c, err := sigma.Parse("", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	order, err := c.Link()
	if err != nil {
		t.Fatal(err)
	}
	return c, order
}

func said(h *sigma.Hit) string {
	return fmt.Sprintf("%s %d@%d %q=%s %v", h.Rule.Name, h.Index, h.Time.UnixNano(), h.Group, h.Value, h.Events)
}

// naive is what sigma.Correlate finds, in the order of an engine.
func naive(order []*sigma.Correlation, hits []sigma.Hit) (out []string) {
	found := sigma.Correlate(order, hits)
	slices.SortStableFunc(found, func(a, b sigma.Hit) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return int(int64(a.Index) - int64(b.Index))
	})
	for i := range found {
		out = append(out, said(&found[i]))
	}
	return out
}

// kinds are correlations of every type, with conditions that begin and stop to hold often.
var kinds = map[string][]string{
	"event_count":   {`{type: event_count, rules: [a, b], group-by: [u], timespan: 10s, condition: {gte: 3}}`},
	"range":         {`{type: event_count, rules: [a, b, c], timespan: 7s, condition: {gt: 1, lte: 3, neq: 2.5}}`},
	"at once":       {`{type: event_count, rules: [a], group-by: [u], timespan: 3s, condition: {gte: 1}}`},
	"few":           {`{type: event_count, rules: [a], timespan: 3s, condition: {lt: 3}}`},
	"value_count":   {`{type: value_count, rules: [a, b], group-by: [u], timespan: 10s, condition: {field: v, gte: 3}}`},
	"values":        {`{type: value_count, rules: [a, b], timespan: 5s, condition: {field: [u, v], gt: 2, lt: 5}}`},
	"values, eq":    {`{type: value_count, rules: [a, b], timespan: 9s, condition: {field: n, eq: 2}}`},
	"temporal":      {`{type: temporal, rules: [a, b, c], group-by: [u], timespan: 6s}`},
	"temporal, two": {`{type: temporal, rules: [a, b, c, d], timespan: 4s, condition: {gte: 2, lt: 4}}`},
	"words":         {`{type: temporal, group-by: [u], timespan: 8s, condition: a and not b}`},
	"more words":    {`{type: temporal, timespan: 4s, condition: (a or b) and not (c and not d)}`},
	"ordered":       {`{type: temporal_ordered, rules: [a, b, c], group-by: [u], timespan: 9s}`},
	"ordered, some": {`{type: temporal_ordered, rules: [d, b, c, a], timespan: 5s, condition: {gte: 2, neq: 3}}`},
	"ordered words": {`{type: temporal_ordered, rules: [a, b, c], group-by: [u], timespan: 9s, condition: a and b and not c}`},
	"ordered or":    {`{type: temporal_ordered, rules: [a, b, c, d], timespan: 6s, condition: (a or b) and c and not (d and not b)}`},
	"value_sum":     {`{type: value_sum, rules: [a, b], group-by: [u], timespan: 8s, condition: {field: n, gte: 3.5}}`},
	"sum, less":     {`{type: value_sum, rules: [a], timespan: 5s, condition: {field: n, lt: 0}}`},
	"value_avg":     {`{type: value_avg, rules: [a, b], timespan: 8s, condition: {field: n, gt: 1.25, lte: 1e3}}`},
	"value_median":  {`{type: value_median, rules: [a, b], group-by: [u], timespan: 9s, condition: {field: n, gte: 0.5}}`},
	"percentile":    {`{type: value_percentile, rules: [a, b], timespan: 20s, condition: {field: n, percentile: 90, gte: 2}}`},
	"33.3":          {`{type: value_percentile, rules: [a, b], timespan: 9s, condition: {field: n, percentile: 33.3, lt: 1}}`},
	"aliases":       {`{type: temporal, rules: [a, b], group-by: [x], timespan: 6s, aliases: {x: {a: u, b: v}}}`},
	"over others": {
		`{type: event_count, rules: [a], group-by: [u, v], timespan: 4s, condition: {gte: 2}}`,
		`{type: temporal_ordered, rules: [c0, b], group-by: [u], timespan: 20s}`,
		`{type: event_count, rules: [c0, c1, b], timespan: 10s, condition: {gte: 3}}`,
		`{type: value_count, rules: [c0, d], group-by: [u], timespan: 10s, condition: {field: v, gte: 2}}`,
		`{type: value_sum, rules: [c3, c], timespan: 10s, condition: {field: n, gte: 1}}`,
		`{type: temporal, rules: [c2, c3, c4], timespan: 15s, condition: {gte: 2}}`,
	},
}

// stream draws hits of events whose times do not fall.
func stream(t *rapid.T, c *sigma.Collection) (hits []sigma.Hit) {
	now := time.Unix(1_700_000_000, 0)
	n := rapid.IntRange(1, 80).Draw(t, "events")
	numbers := []string{"0", "1", "2", "-3", "0.5", "1.25", "1e2", "2E-3", "123456789012345678901234567890", "-0.000000000000000000000001", "x", "7e305", "9223372036854775807", "-9223372036854775808"}
	texts := []string{"x", "X", "y", "z", "ß", ""}
	for i := range n {
		now = now.Add(rapid.SampledFrom([]time.Duration{0, 0, time.Second, time.Second, 2 * time.Second, 500 * time.Millisecond, 12 * time.Second}).Draw(t, "step"))
		ev := sigma.Fields{}
		for _, name := range []string{"u", "v"} {
			for range rapid.SampledFrom([]int{0, 1, 1, 1, 1, 2}).Draw(t, "values of "+name) {
				ev[name] = append(ev[name], sigma.Text(rapid.SampledFrom(texts).Draw(t, name)))
			}
		}
		for range rapid.SampledFrom([]int{0, 1, 1, 2}).Draw(t, "numbers") {
			ev["n"] = append(ev["n"], sigma.Number(rapid.SampledFrom(numbers).Draw(t, "n")))
		}
		if rapid.IntRange(0, 9).Draw(t, "null") == 0 {
			ev["v"] = append(ev["v"], sigma.Null())
		}
		for place, r := range c.Rules {
			if rapid.IntRange(0, 2).Draw(t, "hits") == 0 || place == i%len(c.Rules) {
				hits = append(hits, sigma.Hit{Rule: &r.Meta, Time: now, Index: uint64(i), Event: ev})
			}
		}
	}
	return hits
}

type collected []string

func (c *collected) add(h *sigma.Hit) { *c = append(*c, said(h)) }

func differ(t *rapid.T, what string, got, want []string) {
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\n%s\nexpected\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// An engine finds what the naive evaluation over everything finds, of every type, in however many parts it works.
func TestSameAsNaive(t *testing.T) {
	for name, correlations := range kinds {
		t.Run(name, func(t *testing.T) {
			c, order := collection(t, correlations...)
			rapid.Check(t, func(t *rapid.T) {
				hits := stream(t, c)
				want := naive(order, hits)
				for _, shards := range []int{1, 2, 7} {
					var got collected
					e := New(order, Options{Shards: shards}, got.add)
					for rest := hits; len(rest) > 0; {
						n := rapid.IntRange(1, len(rest)).Draw(t, "at once")
						for n < len(rest) && rest[n].Index == rest[n-1].Index {
							n++
						}
						e.Add("", rest[:n])
						rest = rest[n:]
					}
					e.Flush()
					differ(t, fmt.Sprint(shards, " shards"), got, want)
				}
			})
		})
	}
}

// Where many hits come at once, the parts work side by side: what is found, and its order, are the same.
func TestSideBySide(t *testing.T) {
	c, order := together(t)
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1_700_000_000, 0)
	var hits []sigma.Hit
	for i := range 4000 {
		now = now.Add(time.Duration(random.IntN(300)) * time.Millisecond)
		ev := sigma.Fields{"u": {sigma.Text(fmt.Sprint(random.IntN(40)))}, "v": {sigma.Text(fmt.Sprint(random.IntN(3)))}, "n": {sigma.Number(fmt.Sprint(random.IntN(9) - 4))}}
		for _, r := range c.Rules {
			if random.IntN(3) == 0 {
				hits = append(hits, sigma.Hit{Rule: &r.Meta, Time: now, Index: uint64(i), Event: ev})
			}
		}
	}
	want := naive(order, hits)
	if len(want) < 1000 {
		t.Fatalf("only %d are found", len(want))
	}
	for _, shards := range []int{1, 2, 7} {
		var got collected
		e := New(order, Options{Shards: shards, Lateness: -1}, got.add)
		e.Add("", hits)
		if e.Flush(); !slices.Equal(got, want) {
			t.Errorf("%d shards find %d, and not the %d of the naive evaluation", shards, len(got), len(want))
		}
	}
}

// A hit names the latest events of a large window, and says that there were more. The bound of a window is told when it is met.
func TestLargeWindows(t *testing.T) {
	c, order := collection(t, `{type: temporal, rules: [a, b], timespan: 1h}`, `{type: value_sum, rules: [a], timespan: 1h, condition: {field: n, gte: 1000}}`)
	var found []*sigma.Hit
	e := New(order, Options{Events: 10, Window: 100}, func(h *sigma.Hit) { found = append(found, h) })
	for i := range 201 {
		rule := c.Rules[i/200]
		e.Add("", []sigma.Hit{{Rule: &rule.Meta, Time: time.Unix(int64(i), 0), Index: uint64(i), Event: sigma.Fields{"n": {sigma.Number("1")}}}})
	}
	e.Flush()
	if len(found) != 1 || fmt.Sprint(found[0].Events) != "[191 192 193 194 195 196 197 198 199 200]" || !found[0].Cut {
		t.Errorf("found %+v", found)
	}
	if s := e.Stats(); s.Shortened != 100 {
		t.Errorf("%+v", s)
	}
}
