package sigma_test

import (
	"errors"
	"strings"
	"testing"

	"entente/sigma"
)

// Whatever the text, it is read or refused with a place in it, and what was read can be compiled or says why not.
func FuzzParse(f *testing.F) {
	f.Add(whole)
	for _, x := range features {
		d := x.detection
		if !strings.Contains(d, "condition:") {
			d += "\ncondition: s"
		}
		f.Add(rule(d))
	}
	f.Add("title: C\ncorrelation: {type: temporal_ordered, timespan: 1h, condition: a and not b}")
	f.Add("title: F\nlogsource: {product: x}\nfilter: {rules: any, s: {a: 1}, condition: not s}")
	f.Add("action: global\nid: x\n---\ntitle: &a [*a]")
	e := sigma.Fields{"a": {sigma.Text("x\xff"), sigma.Number("1e5"), sigma.Null()}, "b": {}}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := sigma.Parse("", []byte(text))
		check(t, text, err)
		for _, r := range c.Rules {
			q, err := r.Narrow(c.Filters).Compile()
			if err != nil {
				check(t, text, err)
				continue
			}
			q.Eval(e)
			for _, m := range q.Leaves {
				m.Required()
				if _, err := m.Matcher(); err != nil {
					t.Errorf("%v: %v", m, err)
				}
			}
		}
		order, err := c.Link()
		check(t, text, err)
		var hits []sigma.Hit
		for _, r := range c.Rules {
			hits = append(hits, sigma.Hit{Rule: &r.Meta, Event: e})
		}
		sigma.Correlate(order, hits)
	})
}

func FuzzParsePipeline(f *testing.F) {
	f.Add("name: p\npriority: 3\nvars: {x: [y]}\ntransformations:\n  - {id: a, type: field_name_mapping, mapping: {a: [b, c]}, rule_conditions: [{type: logsource, product: x}]}\n")
	f.Add("routes:\n  - logsource: {product: x}\n    sources: [{name: a, when: [{a: 1}, {b|exists: true}], fields: {c: d}}]\n")
	f.Add("transformations: [{type: replace_string, regex: '(a)', replacement: '\\1'}, {type: add_condition, conditions: {a: 1}, negated: true}]")
	c, err := sigma.Parse("", []byte(rule("s: {a: x, b|expand: '%x%'}\ncondition: s")))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := sigma.ParsePipeline("", []byte(text))
		if err != nil {
			check(t, text, err)
			return
		}
		r, err := p.Apply(c.Rules[0])
		if err != nil {
			return
		}
		routed, err := p.Route(r)
		if err != nil {
			return
		}
		for _, r := range routed {
			if q, err := r.Compile(); err == nil {
				q.Eval(sigma.Fields{})
			}
		}
	})
}

// check holds an error to its form: problems with words, and places that are in the text.
func check(t *testing.T, text string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var problems sigma.Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("%T: %v", err, err)
	}
	lines := strings.Count(text, "\n") + strings.Count(text, "\r") + strings.Count(text, "\u0085") + strings.Count(text, "\u2028") + strings.Count(text, "\u2029") + 2
	for _, p := range problems {
		if p.Message == "" || p.Code == "" || p.Line < 0 || p.Line > lines || p.Level != sigma.LevelError {
			t.Errorf("%+v in %d lines", p, lines)
		}
	}
}
