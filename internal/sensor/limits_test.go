package sensor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entente/internal/event"
	"entente/internal/fault"
	"entente/internal/input"
	wire "entente/sensor"
)

// What meets too much is not heard any more, which is said with the reason, until its time is over or the node has something else to say about it. What the node mutes is not heard
// at once.
func TestMuting(t *testing.T) {
	n := newFakeNode(t)
	n.share("indicator--wide", domain("wide.example"))
	n.share("indicator--a", domain("a.example"))
	n.collapse("one")
	dir := enrolled(t, n)
	var ahead atomic.Int64
	log := newTape("zeek", 1)
	stop := running(t, dir, func(o *Options) {
		o.Config.Limits = LimitsConfig{Reports: 5, Minutes: 30}
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}, log)
	wide := func(n int) {
		for range n {
			log.write(query("wide.example"))
		}
	}
	wide(5)
	want := map[string]int64{"indicator--wide": 5}
	n.expect(want)
	wide(10)
	n.until("the muting", func() bool { m := n.last().Muted; return len(m) == 1 && m[0].Count == 9 }, func() any { return n.last().Muted })
	if m := n.last().Muted[0]; m.Source != "indicator--wide" || m.Why != "more than 5 reports in an hour" {
		t.Errorf("muted is %+v", m)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	stop = running(t, dir, func(o *Options) {
		o.Config.Limits = LimitsConfig{Reports: 5, Minutes: 30}
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}, log)
	wide(1) // it is still not heard
	log.write(query("a.example"))
	want["indicator--a"] = 1
	n.expect(want)
	ahead.Store(int64(31 * time.Minute))
	wide(1)
	want["indicator--wide"]++
	n.expect(want)
	wide(7) // and again too much
	want["indicator--wide"] = 10
	n.expect(want)
	n.until("the muting", func() bool { return len(n.last().Muted) == 1 }, func() any { return n.last().Muted })
	n.share("indicator--wide", domain("wide.example")) // another version of it
	n.until("the change", func() bool { return len(n.last().Muted) == 0 && n.last().Indicators.Seq == 3 }, func() any { return n.last().Muted })
	wide(1)
	want["indicator--wide"]++
	n.expect(want)
	before := n.version
	n.change(func() { n.state.Muted = []string{"indicator--a"} })
	n.until("the node's muting", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return n.asked > before }, func() any { return n.asked })
	log.write(query("a.example"))
	wide(1)
	want["indicator--wide"]++
	n.expect(want)
	n.change(func() { n.state.Muted = nil })
	n.until("the end of it", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return n.asked > before+1 }, func() any { return n.asked })
	log.write(query("a.example"))
	want["indicator--a"]++
	n.expect(want)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A spool without room lets the inputs wait that can; what comes by others is dropped and counted. When there is room again everything goes on, and nothing that could wait is missing.
func TestNoRoom(t *testing.T) {
	n := newFakeNode(t)
	n.share("indicator--a", domain("bad.example"))
	n.collapse("one")
	dir := enrolled(t, n)
	patient, hasty := newTape("patient", 1), newTape("hasty", 1)
	stop := running(t, dir, func(o *Options) {
		o.Config.Spool.Size = minSpool
		o.Config.Limits.Reports = 1 << 30
		o.Feeds[1].Lossy = true
	}, patient, hasty)
	patient.write(query("bad.example"))
	n.expect(map[string]int64{"indicator--a": 1})
	n.change(func() { n.down = true })
	const lines = 10_000
	long := strings.Repeat("x", 50) + ".bad.example"
	for range lines {
		patient.write(query(long))
	}
	status := func() *Status {
		st, err := ReadStatus(dir)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	n.until("the end of the room", func() bool { return status().Errors["spool"] != "" }, func() any { return status() })
	hasty.write(query("bad.example"), query("bad.example"))
	n.until("the drops", func() bool { return status().Health.Inputs[1].Dropped == 2 }, func() any { return status() })
	if st := status(); st.Health.Inputs[0].Error == "" || st.Health.Spooled == 0 {
		t.Errorf("the status is %+v", st.Health)
	}
	n.change(func() { n.down = false })
	n.expect(map[string]int64{"indicator--a": 1 + lines})
	hasty.write(query("bad.example"))
	n.expect(map[string]int64{"indicator--a": 2 + lines})
	n.until("the end of the failure", func() bool { return status().Errors["spool"] == "" && n.last().Inputs[0].Error == "" }, func() any { return status() })
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// An input that fails begins again where it was marked as read, and what it gives again counts once. A report that the node does not take does not hold up the others.
func TestFailures(t *testing.T) {
	n := newFakeNode(t)
	n.share("indicator--a", domain("a.example"))
	n.share("indicator--refused", domain("refused.example"))
	n.collapse("one")
	n.refuse = func(r *wire.Report) bool { return r.Source == "indicator--refused" }
	dir := enrolled(t, n)
	log := newTape("zeek", 3)
	stop := running(t, dir, nil, log)
	log.write(query("a.example"), query("a.example"), query("refused.example"), query("a.example"), query("nothing"), "no event", "{")
	n.expect(map[string]int64{"indicator--a": 3})
	log.mu.Lock()
	log.fail = errors.New("the disk is gone")
	log.mu.Unlock()
	log.write(query("a.example"))
	n.until("the next beginning", func() bool { return n.last().Refused == 1 && n.last().Inputs[0].Restarts == 1 }, func() any { return n.last() })
	log.write(query("a.example"))
	n.expect(map[string]int64{"indicator--a": 5})
	if in := n.last().Inputs[0]; in.Unread == 0 || in.Name != "zeek" || in.Kind != "tape" {
		t.Errorf("the input is %+v", in)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// What a report may say is what the configuration lets it, and never more than the language has room for.
func TestEvidence(t *testing.T) {
	many := []event.Field{}
	for i := range 30 {
		many = append(many, event.Field{Name: fmt.Sprint("f", i), Value: []byte("v")})
	}
	for _, c := range []struct {
		allowed []string
		fields  []event.Field
		want    map[string]string
	}{
		{[]string{"*"}, []event.Field{{Name: "a", Value: []byte("1")}, {Name: "", Value: []byte("word")}, {Name: "b"}, {Name: "a", Value: []byte("2")}}, map[string]string{"a": "1", "keywords": "word"}},
		{[]string{"b"}, []event.Field{{Name: "a", Value: []byte("1")}, {Name: "b", Value: []byte("2")}}, map[string]string{"b": "2"}},
		{nil, []event.Field{{Name: "a", Value: []byte("1")}}, nil},
		{[]string{"*"}, []event.Field{{Name: strings.Repeat("n", 300), Value: []byte("1")}, {Name: "bytes", Value: []byte("a\xff\xfeb")}}, map[string]string{"bytes": "a?b"}},
		{[]string{"*"}, []event.Field{{Name: "long", Value: []byte(strings.Repeat("ä", 1000) + "x")}}, map[string]string{"long": strings.Repeat("ä", 512)}},
	} {
		s := &Sensor{o: Options{Config: Config{Evidence: c.allowed}}}
		got := s.evidence(c.fields)
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("of %v are told %v, not %v", c.fields, got, c.want)
		}
	}
	s := &Sensor{o: Options{Config: Config{Evidence: []string{"*"}}}}
	if got := s.evidence(many); len(got) != wire.MaxFields {
		t.Errorf("%d fields are told", len(got))
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{Example, ""},
		{"unknown = 1", "unknown"},
		{"[limits]\nmany = 1", "many"},
		{"workers = 100000", "workers"},
		{"workers = \"two\"", "line 1"},
		{"[spool]\nsize = 10", "spool.size"},
		{"[limits]\nreports = -1", "limits.reports"},
		{"[limits]\nminutes = 1000000000", "limits.minutes"},
		{"[recall]\ndays = -1", "days"},
		{"[[input]]\nkind = \"files\"\npaths = [\"x\"]", ""},
		{"[[input]]\nname = \"a\"\npaths = [\"x\"]", "it is one of files, netflow, stdin, syslog, kafka, nats"},
		{"[[input]]\nkind = \"carrier pigeon\"", "pigeon"},
		{"[[input]]\nkind = \"files\"", "paths"},
		{"[[input]]\nkind = \"files\"\npaths = [\"x\"]\npath = \"y\"", "path"},
		{"[[input]]\nkind = \"kafka\"\nbrokers = [\"k:9092\"]\ntopics = [\"t\"]\ngroup = \"g\"", ""},
		{"[[input]]\nkind = \"kafka\"\nbrokers = [\"k:9092\"]\ntopics = [\"t\"]\ngroup = \"g\"\nca_file = \"missing\"", "missing"},
		{"[[input]]\nkind = \"nats\"\nservers = [\"n:4222\"]\nstream = \"s\"\ngroup = \"g\"\ntls = \"off\"", ""},
		{"[[input]]\nkind = \"nats\"\nbrokers = [\"n:4222\"]", "brokers"},
		{"[[input]]\nkind = \"kafka\"", "input[0].brokers"},
		{"[[input]]\nkind = \"syslog\"\nlisten = \"127.0.0.1:5514\"", ""},
		{"[[input]]\nkind = \"syslog\"\nprotocol = \"tls\"\nlisten = \"127.0.0.1:5514\"", "cert_file"},
		{"[[input]]\nkind = \"netflow\"", "listen"},
		{"[[input]]\nkind = \"files\"\nformat = \"xml\"\npaths = [\"x\"]", "format"},
		{"[[input]]\nkind = \"files\"\npaths = [\"x\"]\n[[input]]\nkind = \"files\"\npaths = [\"x\"]", "two inputs"},
		{"[[input]]\nkind = \"stdin\"\n[[input]]\nkind = \"stdin\"\nname = \"b\"", "one standard input"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ConfigFile), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := LoadConfig(dir)
		if err == nil {
			_, err = NewFeeds(dir, nil, cfg.Inputs)
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
	if _, err := LoadConfig(t.TempDir()); fault.Of(err) != fault.NotFound {
		t.Errorf("without a file: %v", err)
	}
}

// What the page on inputs shows is what they take.
func TestDocumentedInputs(t *testing.T) {
	text := string(read1(t, "../../docs/inputs.md"))
	kinds := map[string]bool{}
	for text != "" {
		var block string
		_, block, _ = strings.Cut(text, "```toml\n")
		block, text, _ = strings.Cut(block, "```")
		if !strings.Contains(block, "[[input]]") {
			continue
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ConfigFile), []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := LoadConfig(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range cfg.Inputs {
			kinds[fmt.Sprint(table["kind"])] = true
		}
		if _, err := NewFeeds(dir, nil, cfg.Inputs); err != nil && !strings.Contains(err.Error(), "_file") && !strings.Contains(err.Error(), "/etc/entente/") {
			t.Errorf("%v:\n%s", err, block)
		}
	}
	for _, kind := range []string{"files", "stdin", "syslog", "netflow", "nats", "kafka"} {
		if !kinds[kind] {
			t.Errorf("no example has an input of kind %s", kind)
		}
	}
}

// given is a source that gives some batches and then nothing.
type given []*input.Batch

func (g given) Run(ctx context.Context, take func(*input.Batch) error) error {
	for _, b := range g {
		if err := take(b); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// A block that a source gives anew from its beginning, as a stream does that came back from another sensor, counts once.
func TestABlockGivenAnew(t *testing.T) {
	n := newFakeNode(t)
	n.share("indicator--a", domain("a.example"))
	n.collapse("one")
	dir := enrolled(t, n)
	line := []byte(query("a.example"))
	stop := running(t, dir, func(o *Options) {
		o.Feeds = []*Feed{{Opened: input.Opened{Name: "stream", Kind: "given", Format: "json", Source: given{
			{Source: "s", Block: "s/0", First: true, Lines: [][]byte{line, line}},
			{Source: "s", Block: "s/0", First: true, Lines: [][]byte{line, line}},
			{Source: "s", Block: "s/0", Lines: [][]byte{line}, Last: true},
			{Source: "s", Block: "s/1", First: true, Lines: [][]byte{line}},
		}}}}
	})
	n.expect(map[string]int64{"indicator--a": 4})
	if err := stop(); err != nil {
		t.Error(err)
	}
}
