package watch

import (
	"strings"
	"testing"
	"time"

	"entente/internal/event"
	"entente/internal/indicator"
)

// What met nothing is looked up again after the table changed, what met something dead is told of each time, and values that differ in their end or in their field are others.
func TestWhatMetNothingIsForgottenInTime(t *testing.T) {
	table, err := indicator.NewTable(nil, indicator.Decay{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := New(nil, table)
	if err != nil {
		t.Fatal(err)
	}
	w := set.Watcher()
	w.Now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	look := func(line string) (found int) {
		t.Helper()
		var ev event.Event
		if err := set.Plan().Scan([]byte(line), &ev); err != nil {
			t.Fatal(err)
		}
		return len(w.Look(&ev))
	}
	value := func(k indicator.Kind, text string) indicator.Value {
		t.Helper()
		v, err := indicator.New(k, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	long := strings.Repeat("a", memoText)
	name := `{"dns":{"rrname":"a.bad.example"}}`
	agent := func(text string) string { return `{"user_agent":"` + text + `"}` }
	both := `{"host":"bad.example","uri":"/x"}`
	for range 3 {
		for _, line := range []string{name, agent(long), agent(long + "b"), agent("bad.example"), both} {
			if look(line) != 0 {
				t.Fatalf("%s is met in an empty table", line)
			}
		}
	}
	change := func(d indicator.Delta) {
		t.Helper()
		if err := table.Apply(&d); err != nil {
			t.Fatal(err)
		}
	}
	var d indicator.Delta
	d.Add(indicator.Meta{Source: "one"}, value(indicator.Domain, "bad.example"), value(indicator.UserAgent, long+"b"))
	change(d)
	for _, c := range []struct {
		line string
		want int
	}{{name, 1}, {agent(long), 0}, {agent(long + "b"), 1}, {agent("bad.example"), 0}, {both, 1}} {
		for range 3 {
			if got := look(c.line); got != c.want {
				t.Errorf("%s: %d, want %d", c.line, got, c.want)
			}
		}
	}
	d = indicator.Delta{}
	d.Drop("one")
	d.Add(indicator.Meta{Source: "two", Until: w.Now.Add(-time.Hour)}, value(indicator.Domain, "bad.example"))
	change(d)
	dead := func() (n uint64) {
		for _, k := range w.Dead {
			n += k
		}
		return n
	}
	for range 3 {
		before := dead()
		if look(name) != 0 || dead() != before+1 {
			t.Errorf("%v, with one more that is not valid any more", w.Dead)
		}
	}
	w.Now = w.Now.Add(-2 * time.Hour)
	if look(name) != 1 {
		t.Error("it is not met at a moment at which it is valid")
	}
}
