package sigma_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"entente/sigma"
)

// hits are written as "second:rule:JSON", one a line; the same second and event may stand for several rules: "5:a,b:{}".
func hits(t *testing.T, c *sigma.Collection, text string) (out []sigma.Hit) {
	t.Helper()
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		var second int
		if _, err := fmt.Sscan(parts[0], &second); err != nil {
			t.Fatal(err)
		}
		for _, name := range strings.Split(parts[1], ",") {
			var meta *sigma.Meta
			for _, r := range c.Rules {
				if r.Name == name {
					meta = &r.Meta
				}
			}
			out = append(out, sigma.Hit{Rule: meta, Time: time.Unix(int64(second), 0), Index: uint64(i), Event: event(t, parts[2])})
		}
	}
	return out
}

func collection(t *testing.T, correlations string) *sigma.Collection {
	t.Helper()
	text := ""
	for _, name := range []string{"a", "b", "c"} {
		text += "title: T\nname: " + name + "\nlogsource: {product: x}\ndetection: {s: {k: 1}, condition: s}\n---\n"
	}
	for i, body := range strings.Split(strings.TrimSpace(correlations), "\n") {
		text += fmt.Sprintf("title: C\nname: c%d\ncorrelation: %s\n---\n", i, body)
	}
	c, err := sigma.Parse("", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCorrelate(t *testing.T) {
	for _, x := range []struct {
		name, correlations, hits string
		want                     string // the indexes at which the last correlation hits, and what was counted
	}{
		{"event_count hits once while it holds", `{type: event_count, rules: [a], timespan: 10s, condition: {gte: 3}}`,
			"0:a:{}\n1:a:{}\n2:a:{}\n3:a:{}\n4:b:{}\n20:a:{}\n21:a:{}\n22:a:{}", "2=3 7=3"},
		{"the window has both its ends", `{type: event_count, rules: [a], timespan: 10s, condition: {gte: 2}}`, "0:a:{}\n10:a:{}\n30:a:{}\n41:a:{}", "1=2"},
		{"groups are apart, and without case", `{type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 2}}`,
			`0:a:{"u":"x"}
			 1:a:{"u":"y"}
			 2:a:{"z":1}
			 3:a:{"u":null}
			 4:a:{"u":"X"}`, "4=2"},
		{"two fields group together", `{type: event_count, rules: [a], group-by: [u, v], timespan: 10s, condition: {gte: 2}}`,
			`0:a:{"u":"x","v":1}
			 1:a:{"u":"x","v":2}
			 2:a:{"u":"x"}
			 3:a:{"u":"x","v":2}`, "3=2"},
		{"an event that two rules found is one event", `{type: event_count, rules: [a, b], timespan: 10s, condition: {gte: 2}}`, "0:a,b:{}\n1:b:{}", "1=2"},
		{"a range is left and entered", `{type: event_count, rules: [a], timespan: 100s, condition: {gt: 1, lte: 2}}`, "0:a:{}\n1:a:{}\n2:a:{}\n200:a:{}\n201:a:{}", "1=2 4=2"},
		{"eq and neq", `{type: event_count, rules: [a], timespan: 100s, condition: {eq: 2}}`, "0:a:{}\n1:a:{}\n2:a:{}", "1=2"},
		{"value_count counts each value once", `{type: value_count, rules: [a], timespan: 10s, condition: {field: u, gte: 3}}`,
			`0:a:{"u":"x"}
			 1:a:{"u":"X"}
			 2:a:{"u":null}
			 3:a:{}
			 4:a:{"u":["x","y"]}
			 5:a:{"u":"z"}`, "5=3"},
		{"value_count over two fields", `{type: value_count, rules: [a], timespan: 10s, condition: {field: [u, v], gte: 2}}`,
			`0:a:{"u":"x","v":"y"}
			 1:a:{"u":"x"}
			 2:a:{"u":"xy","v":""}`, "2=2"},
		{"values leave with the window", `{type: value_count, rules: [a], timespan: 10s, condition: {field: u, gte: 2}}`,
			`0:a:{"u":"x"}
			 11:a:{"u":"y"}
			 20:a:{"u":"x"}`, "2=2"},
		{"value_sum is exact", `{type: value_sum, rules: [a], timespan: 10s, condition: {field: n, eq: 0.3}}`,
			`0:a:{"n":0.1}
			 1:a:{"n":"0.2"}
			 2:a:{"n":"x"}`, "1=0.300000"},
		{"value_avg", `{type: value_avg, rules: [a], timespan: 10s, condition: {field: n, lt: 2}}`,
			`0:a:{}
			 1:a:{"n":3}
			 2:a:{"n":0}`, "2=1.500000"},
		{"value_median", `{type: value_median, rules: [a], timespan: 10s, condition: {field: n, gte: 2.5}}`,
			`0:a:{"n":1}
			 1:a:{"n":4}
			 2:a:{"n":100}`, "1=2.500000"},
		{"value_percentile takes the nearest rank", `{type: value_percentile, rules: [a], timespan: 99s, condition: {field: n, percentile: 90, gte: 7}}`,
			"0:a:{\"n\":1}\n1:a:{\"n\":1}\n2:a:{\"n\":1}\n3:a:{\"n\":1}\n4:a:{\"n\":1}\n5:a:{\"n\":1}\n6:a:{\"n\":1}\n7:a:{\"n\":1}\n8:a:{\"n\":1}\n9:a:{\"n\":6}\n10:a:{\"n\":9}\n11:a:{\"n\":9}", "11=9"},
		{"temporal in any order", `{type: temporal, rules: [a, b, c], timespan: 10s}`, "0:c:{}\n1:a:{}\n2:a:{}\n3:b:{}\n4:b:{}", "3=3"},
		{"temporal not in time", `{type: temporal, rules: [a, b], timespan: 10s}`, "0:a:{}\n11:b:{}", ""},
		{"temporal of one event", `{type: temporal, rules: [a, b], timespan: 10s}`, "0:a,b:{}", "0=2"},
		{"temporal of some", `{type: temporal, rules: [a, b, c], timespan: 10s, condition: {gte: 2}}`, "0:c:{}\n1:a:{}", "1=2"},
		{"temporal_ordered", `{type: temporal_ordered, rules: [a, b, c], timespan: 10s}`, "0:c:{}\n1:b:{}\n2:a:{}\n3:b:{}\n4:c:{}", "4=3"},
		{"temporal_ordered needs an event for each", `{type: temporal_ordered, rules: [a, b], timespan: 10s}`, "0:a,b:{}\n1:a:{}\n1:b:{}", "2=2"},
		{"temporal_ordered leaves the window", `{type: temporal_ordered, rules: [a, b], timespan: 10s}`, "0:a:{}\n5:a:{}\n14:b:{}\n30:b:{}", "2=2"},
		{"aliases", `{type: temporal, rules: [a, b], group-by: [ip], timespan: 10s, aliases: {ip: {a: src, b: dst}}}`,
			`0:a:{"src":"1","dst":"2"}
			 1:b:{"src":"1","dst":"2"}
			 2:b:{"src":"3","dst":"1"}`, "2=2"},
		{"in words", `{type: temporal, timespan: 10s, condition: a and not b}`, "0:a:{}\n1:b:{}\n2:b:{}\n20:a:{}\n40:b:{}\n41:a:{}", "0= 3="},
		{"in words with or", `{type: temporal, timespan: 10s, condition: a and (b or c)}`, "0:a:{}\n1:c:{}", "1="},
		{"in words and in order", `{type: temporal_ordered, rules: [a, b, c], timespan: 10s, condition: a and b and not c}`, "0:b:{}\n1:a:{}\n2:b:{}\n3:c:{}", "2="},
		{"over correlations", `{type: event_count, rules: [a], group-by: [u, h], timespan: 10s, condition: {gte: 2}}
			{type: temporal_ordered, rules: [c0, b], group-by: [u], timespan: 60s}`,
			`0:a:{"u":"x","h":1}
			 1:b:{"u":"x"}
			 2:a:{"u":"x","h":1}
			 3:b:{"u":"y"}
			 4:b:{"u":"x"}`, "4=2"},
		{"correlations of the same event are counted each", `{type: event_count, rules: [a], timespan: 10s, condition: {gte: 1}}
			{type: event_count, rules: [b], timespan: 10s, condition: {gte: 1}}
			{type: event_count, rules: [c0, c1], timespan: 10s, condition: {gte: 2}}`, "0:a,b:{}", "0=2"},
		{"order of arrival does not matter", `{type: temporal_ordered, rules: [a, b], timespan: 10s}`, "5:b:{}\n1:a:{}", "0=2"},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := collection(t, x.correlations)
			order, err := c.Link()
			if err != nil {
				t.Fatal(err)
			}
			last := c.Correlations[len(c.Correlations)-1]
			var got []string
			for _, h := range sigma.Correlate(order, hits(t, c, x.hits)) {
				if h.Correlation == last {
					got = append(got, fmt.Sprintf("%d=%s", h.Index, h.Value))
				}
			}
			if s := strings.Join(got, " "); s != x.want {
				t.Errorf("hits %q, expected %q", s, x.want)
			}
		})
	}
}

// A correlation says which events it is about, through others as well.
func TestCorrelationSaysItsEvents(t *testing.T) {
	c := collection(t, "{type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 2}}\n{type: temporal, rules: [c0, b], group-by: [u], timespan: 60s}")
	order, err := c.Link()
	if err != nil {
		t.Fatal(err)
	}
	found := sigma.Correlate(order, hits(t, c, "0:a:{\"u\":\"X\"}\n1:c:{\"u\":\"x\"}\n2:a:{\"u\":\"x\"}\n3:b:{\"u\":\"x\"}"))
	last := found[len(found)-1]
	if fmt.Sprint(last.Events, last.Group) != "[0 2 3] [x]" {
		t.Errorf("%v %v", last.Events, last.Group)
	}
}
