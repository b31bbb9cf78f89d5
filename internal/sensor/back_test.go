package sensor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	wire "entente/sensor"
)

// visit is a line with everything that can be remembered.
func visit(day time.Time, n int) string {
	return fmt.Sprintf(`{"ts":%q,"_path":"http","id.orig_h":"10.0.0.%d","id.resp_h":"198.51.100.%d","host":"www.deep.bad.example","uri":"/drop/%d?x=1","sha256":"%064x","path":"c:\\x","id":"2001:db8::%d",`+
		`"dest_ip":"2001:db8:0:1::%d","filename":"evil.exe"}`, day.UTC().Format(time.RFC3339Nano), n, n, n, n, n, n)
}

// What an indicator would have met before it came is told when it comes: of blocks that are marked as read by the memory, by day, and of those that are not as if it had been there.
func TestLookingBack(t *testing.T) {
	n := newFakeNode(t)
	n.share("indicator--old", domain("deep.bad.example"))
	n.collapse("one")
	dir := enrolled(t, n)
	log := newTape("zeek", 10)
	today := time.Now().UTC().Truncate(24 * time.Hour)
	if time.Now().UTC().Sub(today) < time.Hour {
		today = today.Add(-24 * time.Hour) // no event is of tomorrow, however long the test takes
	}
	stop := running(t, dir, nil, log)
	var lines []string
	for i := range 25 {
		lines = append(lines, visit(today.Add(-time.Duration(i/5*24)*time.Hour).Add(time.Minute), i%5+1))
	}
	log.write(lines...)
	n.expect(map[string]int64{"indicator--old": 25})
	kept := func() bool { log.mu.Lock(); defer log.mu.Unlock(); return log.done == 20 }
	n.until("the end of two blocks", kept, func() any { return log.done })
	want := map[string]int64{"indicator--old": 25}
	for _, c := range []struct {
		source string
		value  wire.Value
		back   int64 // of the 20 events that are marked as read
		open   int64 // of the 5 that are not
	}{
		{"indicator--name", domain("bad.example"), 20, 5},
		{"indicator--whole", domain("www.deep.bad.example"), 20, 5},
		{"indicator--beneath", domain("beneath.www.deep.bad.example"), 0, 0},
		{"indicator--ip", wire.Value{Kind: "ipv4", Text: "198.51.100.2"}, 4, 1},
		{"indicator--net", wire.Value{Kind: "cidr", Text: "198.51.100.2/31"}, 8, 2},
		{"indicator--ip6", wire.Value{Kind: "ipv6", Text: "2001:db8:0:1::3"}, 4, 1},
		{"indicator--net6", wire.Value{Kind: "cidr", Text: "2001:db8:0:1::/64"}, 20, 5},
		{"indicator--url", wire.Value{Kind: "url", Text: "http://www.deep.bad.example/drop/4?x=1"}, 4, 1},
		{"indicator--hash", wire.Value{Kind: "sha256", Text: fmt.Sprintf("%064X", 5)}, 4, 1},
		{"indicator--file", wire.Value{Kind: "file-name", Text: "EVIL.exe"}, 20, 5},
		{"indicator--none", wire.Value{Kind: "md5", Text: strings.Repeat("0", 32)}, 0, 0},
	} {
		n.share(c.source, c.value)
		if c.back > 0 {
			want["back "+c.source] = c.back
		}
		if c.open > 0 {
			want[c.source] = c.open
		}
		n.expect(want)
	}
	n.mu.Lock()
	days := map[string]int64{}
	for _, r := range n.reports {
		if r.Back && r.Source == "indicator--ip" {
			days[r.First.Format(time.DateOnly)] += r.Count
			if r.First.Format(time.DateOnly) != r.Last.Format(time.DateOnly) {
				t.Errorf("a report is of two days: %+v", r)
			}
		}
	}
	n.mu.Unlock()
	if len(days) != 4 || days[today.Format(time.DateOnly)] != 1 {
		t.Errorf("the days of an address are %v", days)
	}
	// What is read again is told under the ids that it has: nothing grows.
	if err := stop(); err != nil {
		t.Error(err)
	}
	stop = running(t, dir, nil, log)
	log.write(visit(today.Add(2*time.Minute), 2))
	for source, n := range map[string]int64{"indicator--old": 1, "indicator--name": 1, "indicator--whole": 1, "indicator--ip": 1, "indicator--net": 1, "indicator--net6": 1, "indicator--file": 1} {
		want[source] += n
	}
	n.expect(want)
	// A source that comes again with what it had is not looked back for; with one value more, for that one.
	n.share("indicator--ip", wire.Value{Kind: "ipv4", Text: "198.51.100.2"}, wire.Value{Kind: "ipv4", Text: "198.51.100.3"})
	want["back indicator--ip"] += 4
	want["indicator--ip"]++
	n.expect(want)
	// Another snapshot is looked back for where it has what the one before had not.
	n.change(func() {
		n.changes = append(n.changes, wire.Change{Source: "indicator--new", Confidence: -1, Values: []wire.Value{{Kind: "ipv4", Text: "198.51.100.5"}}})
	})
	n.collapse("two")
	want["back indicator--new"], want["indicator--new"] = 4, 1
	n.expect(want)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// What was to be looked back for when the sensor died is looked back for when it lives again.
func TestLookingBackIsNotForgotten(t *testing.T) {
	n := newFakeNode(t)
	n.collapse("one")
	dir := enrolled(t, n)
	log := newTape("zeek", 1)
	stop := running(t, dir, nil, log)
	log.write(visit(time.Now(), 1), visit(time.Now(), 2))
	n.until("the end of the blocks", func() bool { log.mu.Lock(); defer log.mu.Unlock(); return log.done == 2 }, func() any { return log.done })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// As if it had died between keeping the change and looking back.
	tables, _, err := openTables(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	news, err := tables.apply(wire.Changes{To: wire.Cursor{Epoch: "one", Seq: 1}, Changes: []wire.Change{{Seq: 1, Source: "indicator--x", Confidence: -1,
		Values: []wire.Value{{Kind: "ipv4", Text: "198.51.100.2"}}}}})
	if err != nil || len(news) != 1 {
		t.Fatalf("the change brings %v, %v", news, err)
	}
	if err := tables.close(); err != nil {
		t.Fatal(err)
	}
	n.change(func() { n.state.Indicators.Seq = 1 })
	stop = running(t, dir, nil, log)
	n.expect(map[string]int64{"back indicator--x": 1})
	if err := stop(); err != nil {
		t.Error(err)
	}
}
