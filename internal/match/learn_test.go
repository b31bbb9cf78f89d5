package match

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"entente/internal/event"
	"entente/sigma"
)

// Matchers that run side by side and teach the same tables find the same, before and after.
func TestMatchersLearnTogether(t *testing.T) {
	c, err := sigma.Parse("rules.yml", []byte(`
title: A
logsource: {product: windows}
detection:
  selection: {CommandLine|contains: [" -enc ", "whoami"], Image|endswith: '\powershell.exe'}
  filter: {User|re: '^SYSTEM\d*$'}
  condition: selection and not filter
---
title: B
logsource: {product: windows}
detection:
  selection: {Image|startswith: 'C:\Users\', EventID: 1, CommandLine|re: '[a-z]{3}\d{2,}$'}
  condition: selection
---
title: C
logsource: {product: windows}
detection:
  selection: {SourceIp|cidr: 10.0.0.0/8, CommandLine|contains: '<'}
  condition: selection
---
title: D
logsource: {product: windows}
detection:
  selection: {EventID: [0, 2]}
  many: {CommandLine|contains: [a0, 11, 22, 33, '44', '55', '66', '77', '88'], Image|endswith: [\a.exe, \b.exe, \c.exe, \d.exe, \e.exe, \f.exe, \g.exe, \cmd.exe]}
  like: {CommandLine|re: 'x.*abc.*[02468]$', User: ann}
  not_that: {CommandLine: ['*who?mi*1', 'x<7']}
  condition: selection and (many or like) and not not_that
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
	var lines [][]byte
	for i := range 400 {
		lines = append(lines, fmt.Appendf(nil, `{"EventID":%d,"Image":"C:\\%s\\%s.exe","CommandLine":"x%s%d","User":"%s","SourceIp":"%s"}`, i%3,
			[]string{"Users", "Windows"}[i%2], []string{"PowerShell", "cmd", "a"}[i/2%3], []string{" -ENC ", "abc", "<", "whoami /all abc"}[i/5%4], i*7,
			[]string{"SYSTEM", "ann", "SYSTEM7"}[i/3%3], []string{"10.1.2.3", "192.0.2.1", "::ffff:10.0.0.1", "x"}[i/7%4]))
	}
	plan := event.NewPlan()
	e, err := New(plan, queries)
	if err != nil {
		t.Fatal(err)
	}
	e.course = []course{{2, 8}, {3, 30}, {1, 100}}
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			m := e.Matcher()
			if i%2 == 0 {
				m.memo = newMemo(plan.Slots(), 2, 3) // in which values drive each other out while they are looked at
			}
			var ev event.Event
			hits := 0
			for i, l := range lines {
				if err := plan.Scan(l, &ev); err != nil {
					t.Error(err)
					return
				}
				var got, want []int
				m.Match(&ev, func(rule int) { got = append(got, rule) })
				for r, q := range queries {
					if ok, _ := q.Eval(m); ok {
						want = append(want, r)
					}
				}
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("event %d: %v, want %v: %s", i, got, want, l)
				}
				hits += len(want)
			}
			if hits == 0 {
				t.Error("nothing was found: the test tells nothing")
			}
		})
	}
	wait.Wait()
	for _, table := range e.tables {
		if table.learner != nil {
			t.Error("a table has not learnt all it can")
		}
	}
}
