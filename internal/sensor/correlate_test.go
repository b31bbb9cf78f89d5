package sensor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	wire "entente/sensor"
)

const many = `title: Many
correlation:
  type: event_count
  rules: named
  group-by: [query]
  timespan: 1h
  condition:
    gte: 4
level: high
`

func asked(at time.Time, name string) string {
	return fmt.Sprintf(`{"ts":%q,"_path":"dns","query":%q,"id.orig_h":"10.0.0.1"}`, at.UTC().Format(time.RFC3339Nano), name)
}

// A correlation is found over several inputs, and over an end of the sensor: what its engine has seen counts on, and what is read again does not count twice.
func TestCorrelations(t *testing.T) {
	n := newFakeNode(t)
	n.collapse("one")
	n.rule(wire.Rule{Source: "indicator--named", Type: "sigma", Pattern: strings.Replace(sigmaRule("n", "query|endswith: .r.example"), "title: n", "title: n\nname: named", 1)},
		wire.Rule{Source: "indicator--many", Type: "sigma", Pattern: many})
	dir := enrolled(t, n)
	one, two := newTape("one", 2), newTape("two", 100)
	stop := running(t, dir, nil, one, two)
	at := time.Now().Add(-30 * time.Minute)
	one.write(asked(at, "a.r.example"), asked(at.Add(time.Second), "a.r.example"))
	n.expect(map[string]int64{}) // the rule is only there for the correlation
	two.write(asked(at.Add(2*time.Second), "b.r.example"), asked(at.Add(3*time.Second), "a.r.example"))
	n.until("the lines", func() bool {
		st, err := ReadStatus(dir)
		return err == nil && len(st.Health.Inputs) == 2 && st.Health.Inputs[0].Events == 2 && st.Health.Inputs[1].Events == 2
	}, func() any { st, err := ReadStatus(dir); return fmt.Sprint(st, err) })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(n.counts()) != 0 {
		t.Fatalf("the node was told %v", n.counts())
	}
	stop = running(t, dir, nil, one, two)
	one.write(asked(at.Add(time.Minute), "a.r.example"))
	n.expect(map[string]int64{"indicator--many": 1})
	for i := range 3 { // with the one from before
		one.write(asked(at.Add(time.Duration(2+i)*time.Minute), "b.r.example"))
	}
	n.expect(map[string]int64{"indicator--many": 2})
	if err := stop(); err != nil {
		t.Error(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.reports {
		if !strings.HasSuffix(r.Fields["query"], ".r.example") || r.Fields["value"] == "" || r.Kind != "" {
			t.Errorf("a report is %+v", r)
		}
	}
}
