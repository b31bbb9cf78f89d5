package sigma_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"entente/sigma"
)

const whole = `
title: Whoami
id: 929a690e-bef0-4204-a928-ef5e620d6fcc
name: whoami
related:
  - {id: 08fbc97d-0a2f-491c-ae21-8ffcfd3174e9, type: derived}
status: test
description: >
  Somebody asks
  who he is.
license: DRL-1.1
author: Ada, Bob
references: [https://example.org/a]
date: 2026-01-02
modified: 2026/02/03
tags: [attack.t1033, tlp.green]
logsource:
  product: windows
  category: process_creation
  definition: Turn it on.
  odd: 1
detection:
  selection:
    Image|endswith: '\whoami.exe'
  condition: selection
fields: [Image]
falsepositives: Admins
level: high
scope: [server]
mine: {a: [1, 2]}
`

func TestMetadata(t *testing.T) {
	c, err := sigma.Parse("w.yml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := sigma.Meta{Title: "Whoami", ID: "929a690e-bef0-4204-a928-ef5e620d6fcc", Name: "whoami", Status: "test", Level: "high",
		Description: "Somebody asks who he is.\n", License: "DRL-1.1", Author: "Ada, Bob", Date: "2026-01-02", Modified: "2026/02/03",
		Tags: []string{"attack.t1033", "tlp.green"}, References: []string{"https://example.org/a"}, FalsePositives: []string{"Admins"},
		Fields: []string{"Image"}, Scope: []string{"server"}, Related: []sigma.Related{{ID: "08fbc97d-0a2f-491c-ae21-8ffcfd3174e9", Type: "derived"}},
		Custom: map[string]any{"mine": map[string]any{"a": []any{1, 2}}}, File: "w.yml", Position: sigma.Position{Line: 2, Column: 1}}
	if got := c.Rules[0].Meta; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\n%+v", got, want)
	}
	l := c.Rules[0].Logsource
	if l.Product != "windows" || l.Category != "process_creation" || l.Definition != "Turn it on." || l.Custom["odd"] != 1 {
		t.Errorf("%+v", l)
	}
	if p := sigma.Check("w.yml", []byte(whole)); len(p) != 0 {
		t.Error(p)
	}
}

// A text with several documents is read whole, and what is wrong with one of them does not take the others with it.
func TestDocuments(t *testing.T) {
	text := rule("s: {a: 1}\ncondition: s") + "---\n" + rule("s: {a|foo: 1}\ncondition: s") + "---\n---\n" + strings.Replace(whole, "\n", "", 1)
	c, err := sigma.Parse("", []byte(text))
	if len(c.Rules) != 2 || err == nil || len(err.(sigma.Problems)) != 1 {
		t.Fatalf("%d rules, %v", len(c.Rules), err)
	}
	if p := err.(sigma.Problems)[0]; p.Line != 10 {
		t.Errorf("%v", p)
	}
}

func TestCollectionsOfOld(t *testing.T) {
	c, err := sigma.Parse("", []byte(`
action: global
title: Both
id: x
detection:
  s: {a: 1}
  condition: s
---
logsource: {product: one}
---
logsource: {product: two}
detection:
  s: {b: 2}
---
action: repeat
logsource: {product: three}
---
action: reset
---
title: Alone
logsource: {product: four}
detection: {s: {c: 1}, condition: s}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range c.Rules {
		q, err := r.Compile()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s %v", r.Title, r.Logsource, q.Leaves))
	}
	want := []string{`Both product one [a is the number "1"]`, `Both product two [b is the number "2" a is the number "1"]`,
		`Both product three [b is the number "2" a is the number "1"]`, `Alone product four [c is the number "1"]`}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}

func TestRefusedDocuments(t *testing.T) {
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	laugh := "a: &a [1,2,3,4,5,6,7,8,9]\n"
	for i := 'b'; i < 'k'; i++ {
		laugh += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	for _, c := range []struct{ text, code, words string }{
		{"title: [", sigma.CodeYAML, "not YAML"},
		{"title: \xff", sigma.CodeYAML, "UTF-8"},
		{"- a", sigma.CodeForm, "map"},
		{"x: " + deep, sigma.CodeSize, "nested"},
		{laugh, sigma.CodeSize, "50000"},
		{"a: &a [*a]", sigma.CodeSize, "nested"},
		{strings.Repeat("#", sigma.MaxBytes+1), sigma.CodeSize, "bytes"},
		{"title: t\nlogsource: {product: x}", sigma.CodeForm, "exactly one"},
		{"title: t\ndetection: {s: {a: 1}, condition: s}", sigma.CodeMissing, "logsource"},
		{"title: t\ntitle: u", sigma.CodeDuplicate, "twice"},
		{"title: [t]\nlogsource: {product: x}\ndetection: {s: {a: 1}, condition: s}", sigma.CodeForm, "text"},
		{"<<: {a: 1}", sigma.CodeForm, "text"},
		{"action: dance\ntitle: t", sigma.CodeValue, "dance"},
		{"action: repeat\ntitle: t", sigma.CodeReference, "repeat"},
		{"title: t\nlogsource: x\ndetection: {s: {a: 1}, condition: s}", sigma.CodeForm, "logsource"},
		{"title: t\ntaxonomy: ecs\nlogsource: {product: x}\ndetection: {s: {a: 1}, condition: s}", sigma.CodeTaxonomy, "ecs"},
		{"title: t\nlogsource: {product: x}\nfilter: {s: {a: 1}, condition: not s}", sigma.CodeMissing, "rules: any"},
		{"title: t\nlogsource: {product: x}\ndetection: {s: {a: !!binary aGk=}, condition: s}", sigma.CodeValue, "binary"},
	} {
		problems := sigma.Check("", []byte(c.text))
		found := false
		for _, p := range problems {
			found = found || p.Code == c.code && strings.Contains(p.Message, c.words)
		}
		if !found {
			t.Errorf("%.60q: expected %s with %q, got %v", c.text, c.code, c.words, problems)
		}
	}
}

// An alias stands for what it names.
func TestAliases(t *testing.T) {
	q := compile(t, "title: t\nlogsource: {product: x}\ndetection: {s: {a: &v [x, y]}, u: {b: *v}, condition: s and u}")
	if ok, _ := q.Eval(event(t, `{"a":"x","b":"y"}`)); !ok {
		t.Error("does not match")
	}
}

func TestFilters(t *testing.T) {
	c, err := sigma.Parse("", []byte(`
title: Rule
id: r1
name: rule_one
logsource: {product: windows, category: process_creation}
detection: {selection: {a: 1}, condition: selection}
---
title: Other
id: r2
logsource: {product: linux, category: process_creation}
detection: {selection: {a: 1}, condition: selection}
---
title: By name
logsource: {product: windows}
filter: {rules: [rule_one], selection: {User|startswith: adm_}, condition: not selection}
---
title: For all of a category
logsource: {category: process_creation}
filter: {rules: any, s: {b: 2}, condition: not s}
---
title: Another service
logsource: {product: windows, service: security}
filter: {rules: [], s: {a: 1}, condition: not s}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		rule  int
		event string
		want  bool
	}{
		{0, `{"a":1}`, true}, {0, `{"a":1,"User":"ADM_x"}`, false}, {0, `{"a":1,"b":2}`, false}, {0, `{"a":2}`, false},
		{1, `{"a":1,"User":"adm_x"}`, true}, {1, `{"a":1,"b":2}`, false},
	} {
		q, err := c.Rules[x.rule].Narrow(c.Filters).Compile()
		if err != nil {
			t.Fatal(err)
		}
		if ok, _ := q.Eval(event(t, x.event)); ok != x.want {
			t.Errorf("rule %d, %s: %v", x.rule, x.event, ok)
		}
	}
	if len(c.Rules[0].Also) != 0 {
		t.Error("narrowing changed the rule itself")
	}
	problems := sigma.Check("", []byte("title: t\nlogsource: {product: x}\nfilter: {rules: any, s: {a: 1}, condition: s}"))
	if len(problems) != 1 || problems[0].Code != sigma.CodeDoubtful || !strings.Contains(problems[0].Message, "write not") {
		t.Error(problems)
	}
}

func TestCorrelationIsRead(t *testing.T) {
	c, err := sigma.Parse("", []byte(`
title: Many names
correlation:
  type: value_count
  rules: [a, b]
  group-by: [host]
  timespan: 90m
  aliases:
    host: {a: Computer, b: hostname}
  generate: true
  condition: {field: User, gt: 100, lte: 200}
---
title: Order
correlation: {type: temporal_ordered, rules: [a, b], timespan: 1h}
---
title: Words
correlation: {type: temporal, timespan: 10s, condition: a and not (b or c)}
---
title: Rank
correlation: {type: value_percentile, rules: a, timespan: 1d, condition: {field: bytes, percentile: 95, gte: 1e6}}
`))
	if err != nil {
		t.Fatal(err)
	}
	x := c.Correlations[0]
	if x.Type != sigma.ValueCount || x.Timespan != 90*time.Minute || !x.Generate || !reflect.DeepEqual(x.Bounds, []sigma.Bound{{Op: "gt", Value: "100"}, {Op: "lte", Value: "200"}}) ||
		x.Aliases["host"]["b"] != "hostname" || x.Fields[0] != "User" {
		t.Errorf("%+v", x)
	}
	if x := c.Correlations[1]; !reflect.DeepEqual(x.Bounds, []sigma.Bound{{Op: "gte", Value: "2"}}) {
		t.Errorf("%+v", x)
	}
	if x := c.Correlations[2]; !reflect.DeepEqual(x.Rules, []string{"a", "b", "c"}) || x.Expression == nil {
		t.Errorf("%+v", x)
	}
	if x := c.Correlations[3]; x.Percentile != 95 || x.Bounds[0].Value != "1000000" {
		t.Errorf("%+v", x)
	}
}

func TestRefusedCorrelations(t *testing.T) {
	for body, words := range map[string]string{
		"{type: magic, rules: [a], timespan: 1m, condition: {gte: 1}}":                                      "magic",
		"{rules: [a], timespan: 1m, condition: {gte: 1}}":                                                   "type",
		"{type: event_count, rules: [a], condition: {gte: 1}}":                                              "timespan",
		"{type: event_count, rules: [a], timespan: 1x, condition: {gte: 1}}":                                "no timespan",
		"{type: event_count, rules: [a], timespan: 0s, condition: {gte: 1}}":                                "no timespan",
		"{type: event_count, rules: [a], timespan: 99999999999y, condition: {gte: 1}}":                      "no timespan",
		"{type: event_count, rules: [a], timespan: 1m}":                                                     "condition is missing",
		"{type: event_count, timespan: 1m, condition: {gte: 1}}":                                            "what it is about",
		"{type: event_count, rules: [a, a], timespan: 1m, condition: {gte: 1}}":                             "twice",
		"{type: event_count, rules: [a], timespan: 1m, condition: {gte: x}}":                                "no number",
		"{type: event_count, rules: [a], timespan: 1m, condition: {field: x, gte: 1}}":                      "counts no field",
		"{type: event_count, rules: [a], timespan: 1m, condition: {near: 1}}":                               "near",
		"{type: event_count, rules: [a], timespan: 1m, condition: a}":                                       "temporal",
		"{type: event_count, rules: [a], timespan: 1m, condition: {}}":                                      "no number",
		"{type: value_count, rules: [a], timespan: 1m, condition: {gte: 1}}":                                "needs field",
		"{type: value_sum, rules: [a], timespan: 1m, condition: {field: [x, y], gte: 1}}":                   "one field",
		"{type: value_avg, rules: [a], timespan: 1m, condition: {field: x, percentile: 5, gte: 1}}":         "value_percentile alone",
		"{type: value_percentile, rules: [a], timespan: 1m, condition: {field: x, percentile: 101, gt: 1}}": "percentile",
		"{type: temporal, rules: [a], timespan: 1m, condition: a and b}":                                    `"b"`,
		"{type: temporal, rules: [a, b], timespan: 1m, condition: a}":                                       `"b"`,
		"{type: temporal, timespan: 1m, condition: not a}":                                                  "nothing matched",
		"{type: temporal, timespan: 1m, condition: 1 of a}":                                                 "not expected",
		"{type: event_count, rules: [a], timespan: 1m, generate: maybe, condition: {gte: 1}}":               "generate",
		"{type: event_count, rules: [a], timespan: 1m, window: 5, condition: {gte: 1}}":                     "window",
		"{type: event_count, rules: [a], timespan: 1m, aliases: {x: {a: }}, condition: {gte: 1}}":           "names no field",
	} {
		_, err := sigma.Parse("", []byte("title: t\ncorrelation: "+body))
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: expected %q, got %v", body, words, err)
		}
	}
	warned := sigma.Check("", []byte("title: t\ncorrelation: {type: event_count, rules: [a], timespan: 1m, condition: {lt: 5}}"))
	if len(warned) != 1 || warned[0].Code != sigma.CodeDoubtful {
		t.Error(warned)
	}
}

func TestLink(t *testing.T) {
	head := "title: A\nname: a\nid: 1\nlogsource: {product: x}\ndetection: {s: {a: 1}, condition: s}\n---\n"
	over := func(name, about string) string {
		return fmt.Sprintf("title: T\nname: %s\ncorrelation: {type: event_count, rules: [%s], timespan: 1m, condition: {gte: 1}}\n---\n", name, about)
	}
	c, err := sigma.Parse("", []byte(over("outer", "inner")+over("inner", "a")+head))
	if err != nil {
		t.Fatal(err)
	}
	order, err := c.Link()
	if err != nil || len(order) != 2 || order[0].Name != "inner" || order[1].Name != "outer" {
		t.Fatalf("%v %v", order, err)
	}
	if !c.Silent(&c.Rules[0].Meta) || !c.Silent(&c.Correlations[1].Meta) || c.Silent(&c.Correlations[0].Meta) {
		t.Error("what a correlation is about is silent, and nothing else")
	}
	for text, words := range map[string]string{
		over("x", "nothing") + head:                  "no such rule",
		over("x", "y") + over("y", "x") + head:       "about itself",
		head + head:                                  "also stands",
		over("x", "y") + over("y", "nothing") + head: "no such rule",
		strings.Replace(over("x", "a"), "timespan", "aliases: {h: {b: c}}, timespan", 1) + head: "alias",
	} {
		c, err := sigma.Parse("", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		order, err := c.Link()
		var problems sigma.Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", text, err)
		}
		if len(order) != 0 {
			t.Errorf("%s: %d correlations are left", text, len(order))
		}
	}
}

func TestBounds(t *testing.T) {
	for _, x := range []struct {
		op, value, number string
		want              bool
	}{
		{"lt", "3", "2.9", true}, {"lt", "3", "3", false}, {"lte", "3", "3.0", true}, {"gt", "3", "3", false}, {"gte", "3", "3", true},
		{"eq", "3", "30e-1", true}, {"neq", "3", "3", false}, {"neq", "3", "4", true}, {"gte", "3", "many", false},
	} {
		if got := (sigma.Bound{Op: x.op, Value: x.value}).Holds(x.number); got != x.want {
			t.Errorf("%s %s %s: %v", x.number, x.op, x.value, got)
		}
	}
}

// A problem is an error of its own, one among others, and says where it is.
func TestProblemsAreErrors(t *testing.T) {
	_, err := sigma.Parse("f.yml", []byte("title: t\nid: i\nlogsource: x\ndetection: []\nlevel: [high]\n"))
	var one *sigma.Problem
	if !errors.As(err, &one) || one.Code != sigma.CodeForm || one.Error() != "f.yml:3:12: rule i: logsource must be a map of names and values, and is a single value" {
		t.Errorf("%v", one)
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 5 {
		t.Errorf("%q", lines)
	}
}

func TestWordsWithAClosedList(t *testing.T) {
	problems := sigma.Check("", []byte("level: bad\nstatus: odd\nlogsource: {product: x}\ndetection: {s: {a: 1}, condition: s}"))
	if len(problems) != 3 || len(problems.Errors()) != 0 {
		t.Error(problems)
	}
}

// What a rule may ask is bounded, however it is written.
func TestBounded(t *testing.T) {
	many := func(n int, value string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(value+",", n), ",") + "]"
	}
	numbers := make([]string, 20_000)
	for i := range numbers {
		numbers[i] = fmt.Sprint("v", i)
	}
	list := "[" + strings.Join(numbers, ",") + "]"
	for _, c := range []struct{ words, detection string }{
		{"stand for", "s: {a|windash: " + many(200, "-a -b -c -d") + "}\ncondition: s"},
		{"repetitions", "s: {a|re: '(" + strings.Repeat("a", 100) + "){1000}'}\ncondition: s"},
		{"longer than", "s: {a|re: '" + strings.Repeat("a", 9000) + "'}\ncondition: s"},
		{"same over", "s: {a: " + list + "}\ncondition: s" + strings.Repeat(" and (s or s)", 100)},
		{"words", "s: {a: 1}\ncondition: s" + strings.Repeat(" or s", 2000)},
		{"words", "s: {a: 1}\ncondition: " + strings.Repeat("(", 2001)},
	} {
		problems := sigma.Check("", []byte(rule(c.detection)))
		if len(problems.Errors()) == 0 || !strings.Contains(problems.Error(), c.words) {
			t.Errorf("%s: %.300s", c.words, problems.Error())
		}
	}
	regexes := make([]string, sigma.MaxRegexes+1)
	for i := range regexes {
		regexes[i] = fmt.Sprint("r", i)
	}
	if p := sigma.Check("", []byte(rule("s: {a|re: ["+strings.Join(regexes, ",")+"]}\ncondition: s"))); len(p) == 0 || p[0].Code != sigma.CodeSize {
		t.Errorf("%.300s", p.Error())
	}
}
