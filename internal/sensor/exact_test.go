package sensor

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	wire "entente/sensor"
)

// severalRules are correlations over both streams of a story, and patterns over each, whose events come in one order only.
func severalRules() (rules []wire.Rule) {
	add := func(source, kind, text string) {
		rules = append(rules, wire.Rule{Source: "indicator--" + source, Type: kind, Pattern: text})
	}
	named := func(name, detection string) string {
		return strings.Replace(sigmaRule(name, detection), "title: "+name, "title: "+name+"\nname: "+name, 1)
	}
	add("named", "sigma", named("named", "query|endswith: .r.example"))
	add("first", "sigma", named("first", "query: a1.r.example"))
	add("second", "sigma", named("second", "query: b2.r.example"))
	correlation := func(title, text string) {
		add(title, "sigma", "title: "+title+"\ncorrelation:\n  timespan: 1s\n"+text+"level: high\n")
	}
	correlation("count", "  type: event_count\n  rules: named\n  group-by: [query]\n  condition:\n    gte: 9\n")
	correlation("values", "  type: value_count\n  rules: named\n  group-by: [id.orig_h]\n  condition:\n    field: query\n    gte: 6\n")
	correlation("ordered", "  type: temporal_ordered\n  rules: [first, second]\n  group-by: [id.orig_h]\n")
	for _, s := range []string{"a", "b"} {
		is := func(n int) string { return fmt.Sprintf("[domain-name:value = '%s%d.r.example']", s, n) }
		add("followed-"+s, "stix", is(1)+" FOLLOWEDBY "+is(2)+" WITHIN 300 SECONDS")
		add("repeats-"+s, "stix", is(3)+" REPEATS 3 TIMES WITHIN 1 SECONDS")
		add("both-"+s, "stix", "("+is(4)+" AND "+is(5)+") FOLLOWEDBY "+is(6))
	}
	return rules
}

// told is what a node was told of several events, and how often under how many names.
func (n *fakeNode) told() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := map[string]int{}
	for id, r := range n.reports {
		if strings.HasPrefix(r.Source, "indicator--mark") {
			continue
		}
		key := fmt.Sprint(r.Source, r.First.UnixNano(), r.Last.UnixNano(), r.Count)
		for _, name := range slices.Sorted(maps.Keys(r.Fields)) {
			key += " " + name + "=" + r.Fields[name]
		}
		if r.Fields["value"] != "" { // of a correlation, whose name does not depend on which blocks its events are of
			key += " " + id
		}
		out[key]++
	}
	return out
}

// besideOne runs two sensors over the same two streams: one is killed at any moment, and the other is not. Both tell the same.
func besideOne(t *testing.T, rounds int, conf func(which string) string, write func(stream int, lines []string), killed func()) {
	if testing.Short() {
		t.Skip("it builds the program and kills it many times")
	}
	t.Parallel()
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	nodes, dirs := map[string]*fakeNode{}, map[string]string{}
	for _, which := range []string{"whole", "killed"} {
		n := newFakeNode(t)
		n.share("indicator--mark-a", domain("mark.a.example"))
		n.share("indicator--mark-b", domain("mark.b.example"))
		n.collapse("one")
		n.rule(severalRules()...)
		dir := enrolled(t, n)
		if err := os.WriteFile(filepath.Join(dir, ConfigFile), []byte("[limits]\nreports = 1000000\n"+conf(which)), 0o600); err != nil {
			t.Fatal(err)
		}
		nodes[which], dirs[which] = n, dir
	}
	started(t, bin, dirs["whole"])
	p := started(t, bin, dirs["killed"])
	r := rand.New(rand.NewPCG(11, uint64(time.Now().UnixNano())))
	at := time.Now().Add(-time.Hour)
	reads := func(n *fakeNode, times int64) { // all that was written by then
		n.until("the marks", func() bool {
			c := n.counts()
			return c["indicator--mark-a"] == times && c["indicator--mark-b"] == times
		}, func() any { return n.counts() })
	}
	round := func(n int, some func(s int) string) {
		lines := [2][]string{}
		for range n {
			s := r.IntN(2)
			at = at.Add(time.Duration(1+r.IntN(int(800*time.Millisecond)/n)) * time.Nanosecond)
			lines[s] = append(lines[s], fmt.Sprintf(`{"ts":%q,"_path":"dns","query":%q,"id.orig_h":"10.0.0.%d"}`, at.UTC().Format(time.RFC3339Nano), some(s), r.IntN(9)))
		}
		for s := range lines {
			lines[s] = append(lines[s], fmt.Sprintf(`{"ts":%q,"_path":"dns","query":"mark.%c.example"}`, at.UTC().Format(time.RFC3339Nano), 'a'+s))
			write(s, lines[s])
		}
	}
	mixed := func(s int) string { return fmt.Sprintf("%c%d.r.example", 'a'+s, r.IntN(12)) }
	for i := range rounds {
		round(100+r.IntN(900), mixed)
		reads(nodes["whole"], int64(i+1)) // else what comes later is not in its time
		if i%3 == 2 {
			reads(nodes["killed"], int64(i+1))
		}
		time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond)
		p.kill()
		killed()
		p = started(t, bin, dirs["killed"])
	}
	reads(nodes["killed"], int64(rounds))
	at = at.Add(10 * time.Second) // behind all that is open
	round(60, func(s int) string { return fmt.Sprintf("%c1.r.example", 'a'+s) })
	ends := func(n *fakeNode) bool { // what is found at the end is told last
		n.mu.Lock()
		defer n.mu.Unlock()
		last := time.Time{}
		for _, r := range n.reports {
			if r.Source == "indicator--count" && r.Last.After(last) {
				last = r.Last
			}
		}
		return last.After(at.Add(-2 * time.Second))
	}
	for which, n := range nodes {
		n.until("the end of "+which, func() bool { return ends(n) }, func() any { return len(n.told()) })
	}
	n := nodes["killed"]
	n.until("what the other sensor told", func() bool { return maps.Equal(n.told(), nodes["whole"].told()) }, func() any {
		var differs []string
		got, want := n.told(), nodes["whole"].told()
		for k := range want {
			if got[k] != want[k] {
				differs = append(differs, fmt.Sprint("missing ", want[k]-got[k], ": ", k))
			}
		}
		for k := range got {
			if want[k] == 0 {
				differs = append(differs, fmt.Sprint("too much: ", k))
			}
		}
		slices.Sort(differs)
		return strings.Join(differs[:min(len(differs), 20)], "\n")
	})
	by := map[string]int{}
	for k, times := range n.told() {
		source, _, _ := strings.Cut(strings.TrimPrefix(k, "indicator--"), "1")
		if by[source]++; times != 1 {
			t.Errorf("%d reports of %s", times, k)
		}
	}
	t.Log(by)
	if len(by) != 9 {
		t.Errorf("not everything was found: %v", by)
	}
}

// inMemory is a directory on no disk, where there is one: what is written to one stream and then to the other is not to stand still in between for longer than a sensor waits.
func inMemory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "entente-logs")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// What several events make together is told exactly once, whenever the sensor is killed: over files that are written and rotated.
func TestKilledWithFiles(t *testing.T) {
	logs, rotated := inMemory(t), 0
	besideOne(t, 8, func(string) string {
		return fmt.Sprintf("[[input]]\nname = \"zeek\"\nkind = \"files\"\npaths = [%q]\n", filepath.Join(logs, "*.log*"))
	}, func(stream int, lines []string) {
		path := filepath.Join(logs, fmt.Sprintf("%c.log", 'a'+stream))
		if rotated++; rotated%3 == 0 {
			if err := os.Rename(path, fmt.Sprint(path, ".", rotated)); err != nil {
				t.Fatal(err)
			}
		}
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(strings.Join(lines, "\n") + "\n")
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}, func() {})
}

// And over two partitions of a topic of Kafka.
func TestKilledWithKafka(t *testing.T) {
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "zeek"), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableClientMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	besideOne(t, 7, func(which string) string {
		return fmt.Sprintf("[[input]]\nname = \"zeek\"\nkind = \"kafka\"\nbrokers = [%q]\ntopics = [\"zeek\"]\ngroup = %q\ntls = \"off\"\n", k.ListenAddrs()[0], which)
	}, func(stream int, lines []string) {
		var records []*kgo.Record
		for _, l := range lines {
			records = append(records, &kgo.Record{Topic: "zeek", Partition: int32(stream), Value: []byte(l)})
		}
		if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}, func() { leave(t, cl, "killed") })
}

// leave takes the members of a group out of it, as the broker does when it has not heard of them for long.
func leave(t *testing.T, cl *kgo.Client, group string) {
	q := kmsg.NewPtrDescribeGroupsRequest()
	q.Groups = []string{group}
	described, err := q.RequestWith(context.Background(), cl)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range described.Groups {
		for _, m := range g.Members {
			q := kmsg.NewPtrLeaveGroupRequest()
			q.Group, q.MemberID = group, m.MemberID
			member := kmsg.NewLeaveGroupRequestMember()
			member.MemberID = m.MemberID
			q.Members = append(q.Members, member)
			if _, err := q.RequestWith(context.Background(), cl); err != nil {
				t.Fatal(err)
			}
		}
	}
}
