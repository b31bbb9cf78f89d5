package match

import (
	"testing"

	"entente/internal/event"
	"entente/sigma"
)

// Words that may stand in any value are found however JSON writes it, and not in names.
func TestWordsInAnyForm(t *testing.T) {
	c, err := sigma.Parse("rules.yml", []byte(`
title: Words
logsource: {product: windows}
detection:
  keywords: ["Mimi\\katz", "skeleton key", "tab\there"]
  condition: keywords
---
title: Anything
logsource: {product: windows}
detection:
  keywords: ["*"]
  condition: keywords
---
title: Ends
logsource: {product: windows}
detection:
  keywords: {"|endswith": "kiwi.sys"}
  condition: keywords
`))
	if err != nil {
		t.Fatal(err)
	}
	var queries []*sigma.Query
	for _, r := range c.Rules {
		q, err := r.Compile()
		if err != nil {
			t.Fatal(err)
		}
		queries = append(queries, q)
	}
	plan := event.NewPlan()
	e, err := New(plan, queries)
	if err != nil {
		t.Fatal(err)
	}
	m := e.Matcher()
	for _, line := range []string{
		`{"a":"x MIMI\\KATZ y"}`, `{"a":"mimi\u005ckatz"}`, `{"a":"\u006dimi\\katz"}`, `{"a":"mimi/katz"}`, `{"mimi\\katz":"x"}`, `{"a":{"b":["x","mimi\\katz"]}}`, `{"a":"Mimi\\Katz"}`, `{"a":"mimi\\\u212aatz"}`,
		"{\"a\":\"mimi\\\\\u212aatz\"}", "{\"a\":\"\u017feleton key \u017fkeleton key\"}", `{"a":"SKELETON KEY"}`, `{"skeleton key":1}`, `{"a":"skeleton  key"}`, `{"a":"tab\tHERE"}`, `{"a":"tab here"}`,
		`{"a":"\\driver\\KIWI.sys"}`, `{"a":"kiwi.sys "}`, `{"a":"kiwi.\u0073ys"}`, `{"a":null}`, `{}`, `{"a":[]}`, `{"a":true}`, `{"a":"é skeleton key"}`, `{"kiwi.sys":"a"}`, `{"a":""}`,
	} {
		var ev event.Event
		if err := plan.Scan([]byte(line), &ev); err != nil {
			t.Fatal(err)
		}
		got := make([]bool, len(queries))
		m.Match(&ev, func(rule int) { got[rule] = true })
		for i, q := range queries {
			if want, _ := q.Eval(m); got[i] != want {
				t.Errorf("%s in %s: %v, want %v", q.Rule.Title, line, got[i], want)
			}
		}
	}
}
