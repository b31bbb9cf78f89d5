package sensor

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/input"
	wire "entente/sensor"
)

// Somebody who has no good code, or who stands between, gets nothing, and leaves nothing behind that looks like a sensor.
func TestEnrolling(t *testing.T) {
	n, other := newFakeNode(t), newFakeNode(t)
	good := n.code.String()
	for _, c := range []struct{ name, url, code, want string }{
		{"no URL", "node.example", good, "sensor.url"},
		{"not https", strings.Replace(n.url(), "https", "http", 1), good, "sensor.url"},
		{"a path", n.url() + "/x", good, "sensor.url"},
		{"no code", n.url(), "xyz", "sensor.code"},
		{"half a code", n.url(), good[:40], "sensor.code"},
		{"another node's code", other.url(), good, "sensor.connect"},
		{"a code that is not known", n.url(), wire.NewCode(n.ca).String(), "sensor.refused"},
		{"nobody there", "https://127.0.0.1:1", good, "sensor.connect"},
	} {
		dir := filepath.Join(t.TempDir(), "sensor")
		_, err := Enrol(t.Context(), dir, c.url, c.code, false)
		var f *fault.Error
		if !errors.As(err, &f) || f.MachineCode() != c.want {
			t.Errorf("%s: %v, not %s", c.name, err, c.want)
		}
		if exists(filepath.Join(dir, identityFile)) {
			t.Errorf("%s: there is a sensor", c.name)
		}
		if _, err := ReadStatus(dir); fault.Of(err) != fault.NotFound {
			t.Errorf("%s: its status is %v", c.name, err)
		}
	}
	dir := enrolled(t, n)
	if info, err := os.Stat(filepath.Join(dir, keyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file is %v, %v", info, err)
	}
	key := read1(t, filepath.Join(dir, keyFile))
	if _, err := Enrol(t.Context(), dir, n.url(), n.code.String(), false); fault.Of(err) != fault.Conflict {
		t.Errorf("it is enrolled twice: %v", err)
	}
	if _, err := Enrol(t.Context(), dir, n.url(), good, true); fault.Of(err) != fault.Forbidden {
		t.Errorf("a code counts twice: %v", err)
	}
	if _, err := Enrol(t.Context(), dir, n.url(), n.code.String(), true); err != nil || string(read1(t, filepath.Join(dir, keyFile))) != string(key) {
		t.Errorf("it is not enrolled again with its key: %v", err)
	}
	if st, err := ReadStatus(dir); err != nil || st.Name != "first" || st.Running {
		t.Errorf("its status is %+v, %v", st, err)
	}
	if cfg, err := LoadConfig(dir); err != nil || len(cfg.Inputs) != 0 || cfg.Recall.Days != 90 {
		t.Errorf("the example is %+v, %v", cfg, err)
	}
}

// A snapshot that broke off is gone on with; one that came damaged is taken again; one of another epoch takes the place of everything.
func TestTakingASnapshot(t *testing.T) {
	n := newFakeNode(t)
	for i := range 50 {
		n.share(fmt.Sprintf("indicator--%d", i), domain(fmt.Sprintf("bad%d.example", i)))
	}
	n.collapse("one")
	dir := enrolled(t, n)
	n.change(func() { n.cut = 1000 })
	log := newTape("zeek", 4)
	stop := running(t, dir, nil, log)
	log.write(query("bad7.example"))
	n.expect(map[string]int64{"indicator--7": 1})
	n.mu.Lock()
	if !slices.Contains(n.ranges, "bytes=1000-") {
		t.Errorf("it did not go on: %q", n.ranges)
	}
	n.mu.Unlock()
	n.change(func() {
		n.tampered = true
		n.changes = append(n.changes, wire.Change{Source: "indicator--7", Confidence: -1})
	})
	n.collapse("two")
	n.until("the other epoch", func() bool { return n.last().Indicators.Epoch == "two" }, func() any { return n.last() })
	log.write(query("bad7.example"), query("bad8.example"))
	n.expect(map[string]int64{"indicator--7": 1, "indicator--8": 1})
	if err := stop(); err != nil {
		t.Error(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "indicators-*"))
	rest, _ := filepath.Glob(filepath.Join(dir, "snapshot.part*"))
	if len(files) != 1 || len(rest) != 0 {
		t.Errorf("the directory has %v %v", files, rest)
	}
}

// A sensor that begins while its node is away looks for all that it had, and gives what it met when the node is back.
func TestOffline(t *testing.T) {
	n := newFakeNode(t)
	n.share("indicator--a", domain("a.example"))
	n.collapse("one")
	dir := enrolled(t, n)
	log := newTape("zeek", 2)
	stop := running(t, dir, nil, log)
	n.share("indicator--b", domain("b.example"))
	n.share("indicator--c", domain("c.example"))
	n.share("indicator--c")
	n.rule(wire.Rule{Source: "indicator--r", Type: "sigma", Pattern: sigmaRule("r", "query|endswith: .r.example"), Version: 1})
	n.until("the rule", func() bool { return n.last().RulesReady == 1 && n.last().Indicators.Seq == 4 }, func() any { return n.last() })
	if err := stop(); err != nil {
		t.Error(err)
	}
	n.change(func() { n.down = true })
	f, err := os.OpenFile(filepath.Join(dir, "changes-"+short("one")+".log"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(`{"to":{"epoch":"one","seq":`) // as if the power had been lost
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	stop = running(t, dir, nil, log)
	log.write(query("a.example"), query("b.example"), query("c.example"), query("x.r.example"))
	n.until("what is met", func() bool {
		st, err := ReadStatus(dir)
		return err == nil && st.Health.Spooled == 3 && st.Errors["reports"] != "" && st.Errors["node"] != ""
	}, func() any { st, err := ReadStatus(dir); return fmt.Sprint(st, err) })
	if len(n.counts()) != 0 {
		t.Errorf("the node was told %v", n.counts())
	}
	n.change(func() { n.down = false })
	n.expect(map[string]int64{"indicator--a": 1, "indicator--b": 1, "indicator--r": 1})
	n.share("indicator--d", domain("d.example"))
	n.until("the change", func() bool { return n.last().Indicators.Seq == 5 }, func() any { return n.last() })
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func sigmaRule(id, selection string) string {
	return fmt.Sprintf("title: %s\nid: 00000000-0000-4000-8000-%012x\nlogsource:\n  category: dns\n  product: zeek\ndetection:\n  s:\n    %s\n  condition: s\nlevel: high\n", id, len(id)+int(id[0]), selection)
}

// Rules are put to events while they are valid; those that cannot be used are named, with the reason.
func TestRules(t *testing.T) {
	n := newFakeNode(t)
	n.collapse("one")
	dir := enrolled(t, n)
	n.rule(wire.Rule{Source: "indicator--r", Type: "sigma", Pattern: sigmaRule("r", "query|endswith: .r.example")},
		wire.Rule{Source: "indicator--early", Type: "sigma", Pattern: sigmaRule("e", "query|endswith: .r.example"), From: time.Now().Add(time.Hour)},
		wire.Rule{Source: "indicator--late", Type: "sigma", Pattern: sigmaRule("l", "query|endswith: .r.example"), Until: time.Now().Add(-time.Hour)},
		wire.Rule{Source: "indicator--broken", Type: "sigma", Pattern: "title: ["},
		wire.Rule{Source: "indicator--nowhere", Type: "sigma", Pattern: strings.Replace(sigmaRule("n", "x: y"), "product: zeek", "product: nowhere", 1)},
		wire.Rule{Source: "indicator--yara", Type: "yara", Pattern: "rule x {}"})
	log := newTape("zeek", 2)
	stop := running(t, dir, func(o *Options) { o.Config.Evidence = []string{"query"} }, log)
	log.write(query("a.r.example"), query("b.r.example"), query("c.example"))
	n.expect(map[string]int64{"indicator--r": 2})
	n.until("the health", func() bool { return n.last().LeftCount == 3 }, func() any { return n.last() })
	left := map[string]bool{}
	for _, l := range n.last().Left {
		left[l.Source] = l.Code != "" && l.Why != ""
	}
	if !maps.Equal(left, map[string]bool{"indicator--broken": true, "indicator--nowhere": true, "indicator--yara": true}) || n.last().RulesReady != 3 {
		t.Errorf("left are %v, and ready %d", left, n.last().RulesReady)
	}
	for _, r := range n.reports {
		if r.Kind != "" || r.Value != "" || r.Fields["query"] != "a.r.example" {
			t.Errorf("a report is %+v", r)
		}
	}
	n.rule(wire.Rule{Source: "indicator--other", Type: "sigma", Pattern: sigmaRule("o", "query|startswith: c.")})
	n.until("the other rule", func() bool { return n.last().RulesReady == 1 }, func() any { return n.last() })
	log.write(query("a.r.example"), query("c.example"))
	n.expect(map[string]int64{"indicator--r": 2, "indicator--other": 1})
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A certificate is renewed by itself, and the sensor goes on under the new one.
func TestRenewing(t *testing.T) {
	n := newFakeNode(t)
	n.collapse("one")
	n.life = -time.Hour
	dir := enrolled(t, n)
	n.life = time.Hour
	var before, after Identity
	json.Unmarshal(read1(t, filepath.Join(dir, identityFile)), &before)
	stop := running(t, dir, nil)
	n.until("another certificate", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.renewed == 1
	}, func() any { return n.renewed })
	n.share("indicator--a", domain("a.example"))
	n.until("the change", func() bool { return n.last().Indicators.Seq == 1 }, func() any { return n.last() })
	if err := stop(); err != nil {
		t.Error(err)
	}
	json.Unmarshal(read1(t, filepath.Join(dir, identityFile)), &after)
	if after.Certificate == before.Certificate || after.Name != "first" || after.Node != n.url() {
		t.Errorf("the certificate is %q", after.Certificate)
	}
}

// A sensor that its node has revoked ends, and what it looked for is not there any more.
func TestRevoked(t *testing.T) {
	n := newFakeNode(t)
	n.share("indicator--a", domain("a.example"))
	n.collapse("one")
	dir := enrolled(t, n)
	log := newTape("zeek", 4)
	cfg, err := LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- Run(t.Context(), Options{Dir: dir, Config: cfg, Feeds: []*Feed{{Opened: input.Opened{Name: "zeek", Source: log}}}})
	}()
	log.write(query("a.example"))
	n.expect(map[string]int64{"indicator--a": 1})
	n.change(func() { n.state.Revoked = true })
	var f *fault.Error
	if err := <-ended; !errors.As(err, &f) || f.MachineCode() != "sensor.revoked" {
		t.Errorf("it ends with %v", err)
	}
	for _, pattern := range []string{"indicators-*", "changes-*", tableFile, rulesFile} {
		if left, _ := filepath.Glob(filepath.Join(dir, pattern)); len(left) > 0 {
			t.Errorf("there are still %v", left)
		}
	}
}
