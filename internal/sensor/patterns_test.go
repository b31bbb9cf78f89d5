package sensor

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"entente/internal/input"
	wire "entente/sensor"
)

func reached(at time.Time, address string) string {
	return fmt.Sprintf(`{"ts":%q,"_path":"conn","id.orig_h":"10.0.0.1","id.resp_h":%q,"id.resp_p":443,"proto":"tcp"}`, at.UTC().Format(time.RFC3339Nano), address)
}

const followed = "[domain-name:value = 'a.example'] FOLLOWEDBY [ipv4-addr:value = '203.0.113.5'] WITHIN 300 SECONDS"

// seen waits until the sensor's inputs brought so many events.
func (n *fakeNode) seen(dir string, want ...uint64) {
	n.t.Helper()
	n.until("the events", func() bool {
		st, err := ReadStatus(dir)
		if err != nil || len(st.Health.Inputs) != len(want) {
			return false
		}
		for i, in := range st.Health.Inputs {
			if in.Events != want[i] {
				return false
			}
		}
		return true
	}, func() any { st, err := ReadStatus(dir); return fmt.Sprint(st, err) })
}

// A pattern is met by events of several inputs, one event alone meets one that asks for no more, and what was seen stays when the rules change around it.
func TestPatterns(t *testing.T) {
	n := newFakeNode(t)
	n.collapse("one")
	followedBy := wire.Rule{Source: "indicator--followed", Type: "stix", Pattern: followed}
	single := wire.Rule{Source: "indicator--single", Type: "stix", Pattern: "[network-traffic:dst_port = 443 AND network-traffic:dst_ref.value LIKE '198.51.100.%']"}
	n.rule(followedBy, single, wire.Rule{Source: "indicator--broken", Type: "stix", Pattern: "[domain-name:value = "}, wire.Rule{Source: "indicator--other", Type: "yara", Pattern: "rule x {}"},
		wire.Rule{Source: "indicator--past", Type: "stix", Pattern: single.Pattern, Until: time.Now().Add(-time.Hour)})
	dir := enrolled(t, n)
	one, two := newTape("one", 2), newTape("two", 100)
	stop := running(t, dir, nil, one, two)
	at := time.Now().Add(-30 * time.Minute)
	one.write(asked(at, "a.example"), reached(at, "198.51.100.7"), reached(at.Add(time.Second), "198.51.100.8"), reached(at, "198.51.10.1"))
	n.expect(map[string]int64{"indicator--single": 2})
	n.until("the health", func() bool { return n.last().LeftCount == 2 && n.last().RulesReady == 3 }, func() any { return n.last() })
	n.rule(wire.Rule{Source: "indicator--new", Type: "stix", Pattern: "[domain-name:value = 'new.example'] REPEATS 2 TIMES"}, followedBy)
	n.until("the new rules", func() bool { return n.last().LeftCount == 0 && n.last().RulesReady == 2 }, func() any { return n.last() })
	two.write(reached(at.Add(time.Minute), "203.0.113.5"), asked(at.Add(time.Minute), "new.example"))
	n.expect(map[string]int64{"indicator--single": 2, "indicator--followed": 1})
	two.write(asked(at.Add(2*time.Minute), "new.example"), reached(at.Add(20*time.Minute), "203.0.113.5")) // which is too late
	n.expect(map[string]int64{"indicator--single": 2, "indicator--followed": 1, "indicator--new": 1})
	if err := stop(); err != nil {
		t.Error(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.reports {
		if r.Source == "indicator--followed" && (r.Fields["query"] != "a.example" || r.Fields["id.resp_h"] != "203.0.113.5" || !r.First.Equal(at) || !r.Last.Equal(at.Add(time.Minute))) {
			t.Errorf("the report is %+v", r)
		}
	}
}

// What is read again meets a pattern once: in a block that its source gives anew, and after an end in the middle of a block.
func TestPatternsReadAgain(t *testing.T) {
	n := newFakeNode(t)
	n.collapse("one")
	n.rule(wire.Rule{Source: "indicator--followed", Type: "stix", Pattern: followed}, wire.Rule{Source: "indicator--twice", Type: "stix", Pattern: "[domain-name:value = 'b.example'] REPEATS 2 TIMES"})
	dir := enrolled(t, n)
	at := time.Now().Add(-30 * time.Minute)
	lines := [][]byte{[]byte(asked(at, "a.example")), []byte(asked(at, "b.example")), []byte(reached(at.Add(time.Second), "203.0.113.5"))}
	source := func(batches ...*input.Batch) func(*Options) {
		return func(o *Options) {
			o.Feeds = []*Feed{{Opened: input.Opened{Name: "stream", Kind: "given", Format: "json", Source: given(batches)}}}
		}
	}
	stop := running(t, dir, source(&input.Batch{Source: "s", Block: "s/0", First: true, Lines: lines}, &input.Batch{Source: "s", Block: "s/0", First: true, Lines: lines}))
	n.seen(dir, 6)
	n.expect(map[string]int64{"indicator--followed": 1})
	if err := stop(); err != nil {
		t.Error(err)
	}
	stop = running(t, dir, source(&input.Batch{Source: "s", Block: "s/0", First: true, Lines: lines}, &input.Batch{Source: "s", Block: "s/0", Lines: [][]byte{[]byte(asked(at.Add(time.Minute), "b.example"))}, Last: true}))
	n.expect(map[string]int64{"indicator--followed": 1, "indicator--twice": 1})
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Fields that are called otherwise than in any known form are found by a mapping.
func TestMapping(t *testing.T) {
	n := newFakeNode(t)
	n.share("indicator--a", domain("a.example"))
	n.collapse("one")
	dir := enrolled(t, n)
	if err := os.WriteFile(filepath.Join(dir, "names.toml"), []byte(`query = "asked.for"`), 0o600); err != nil {
		t.Fatal(err)
	}
	log := newTape("own", 1)
	stop := running(t, dir, func(o *Options) { o.Config.Mapping = "names.toml" }, log)
	log.write(`{"asked":{"for":"a.example"}}`, `{"other":{"for":"a.example"}}`)
	n.expect(map[string]int64{"indicator--a": 1})
	n.seen(dir, 2)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := Run(t.Context(), Options{Dir: dir, Config: Config{Mapping: "missing.toml"}}); err == nil {
		t.Error("a mapping that is missing is none that is used")
	}
}
