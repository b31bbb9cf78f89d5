package watch

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/internal/event"
	"entente/internal/shareddata"
	"entente/internal/sigmatest"
	"entente/sigma"
)

// The public regression tests: with all the public rules looked for at once, each rule finds its events, as often as its test says.
func TestRegressions(t *testing.T) {
	all := &sigma.Collection{}
	for _, f := range sigmatest.Corpus(t) {
		c, err := sigma.Parse(f.Name, f.Text)
		if err != nil {
			t.Fatal(err)
		}
		all.Add(c)
	}
	rules := Compile(all)
	set, err := New(rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(shareddata.Dir(t, "telemetry", "regression", "sigmahq-regression.flat.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	w := set.Watcher()
	var ev event.Event
	found := map[string][]int{}
	n := 0
	for ; lines.Scan(); n++ {
		if err := set.Plan().Scan(lines.Bytes(), &ev); err != nil {
			t.Fatal(err)
		}
		for _, x := range w.Look(&ev) {
			found[x.Rule.ID] = append(found[x.Rule.ID], n)
			if len(x.Fields) == 0 {
				t.Errorf("%s matches event %d for nothing", x.Rule.ID, n)
			}
		}
	}
	cases, _ := sigmatest.Regressions(t)
	for _, c := range cases {
		for _, id := range c.Rules {
			got := 0
			for _, at := range found[id] {
				if at >= c.FirstToLast[0] && at <= c.FirstToLast[1] {
					got++
				}
			}
			switch {
			case c.Count == nil && got == 0, c.Count != nil && got != *c.Count && id != alikeEvents:
				t.Errorf("%s: rule %s matches %d of its events", c.Path, id, got)
			case id == alikeEvents && got != 3:
				t.Errorf("%s: rule %s matches %d of its three events", c.Path, id, got)
			}
		}
	}
	t.Logf("%d rules, %d of them ready, %d cases, %d events", rules.Read, rules.Ready, len(cases), n)
	if len(cases) < 100 || n < 100 {
		t.Error("too few cases to tell")
	}
}

// alikeEvents is a rule of which the public tests expect one match in three events, that differ in nothing the rule asks about.
const alikeEvents = "45e112d0-7759-4c2a-aa36-9f8fb79d3393"

// looked is what is found in a line, by the fields in which it is.
func looked(t *testing.T, w *Watcher, line string) (out []string) {
	t.Helper()
	var ev event.Event
	if err := w.s.Plan().Scan([]byte(line), &ev); err != nil {
		t.Fatal(err)
	}
	for _, f := range w.Look(&ev) {
		name := ""
		if f.Rule != nil {
			name = "rule " + f.Rule.Handle()
		} else {
			name = f.Indicator.Value.Kind.String() + " " + f.Indicator.Value.Text()
		}
		for _, x := range f.Fields {
			name += " " + x.Name
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Indicators are found in the fields of every producer that hold what they are.
func TestFieldsOfProducers(t *testing.T) {
	const list = `192.0.2.1
198.51.100.0/24
2001:db8::1
evil.example
http://bad.example/drop.exe
mallory@mail.example
0cc175b9c0f1b6a831c399e269772661
86f7e437faa5a7fce15d1ddcb9eaeaea377667b8
ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb
`
	x := NewIndicators()
	if err := x.Read("list", strings.NewReader(list)); err != nil || x.Gone != 0 {
		t.Fatal(err, x.Left)
	}
	table, err := x.Table()
	if err != nil {
		t.Fatal(err)
	}
	set, err := New(nil, table)
	if err != nil {
		t.Fatal(err)
	}
	w := set.Watcher()
	w.Now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct{ line, want string }{
		{`{"src_ip":"10.0.0.1","dest_ip":"192.0.2.1"}`, "ipv4 192.0.2.1 dest_ip"},
		{`{"src_ip":"192.0.2.1","dest_ip":"192.0.2.1"}`, "ipv4 192.0.2.1 src_ip dest_ip"},
		{`{"id.orig_h":"10.0.0.1","id.resp_h":"198.51.100.9"}`, "cidr 198.51.100.0/24 id.resp_h"},
		{`{"id":{"orig_h":"2001:db8:0::1"}}`, "ipv6 2001:db8::1 id.orig_h"},
		{`{"event_data":{"DestinationIp":"::ffff:192.0.2.1"}}`, "ipv4 192.0.2.1 DestinationIp"},
		{`{"source":{"ip":"192.0.2.1"}}`, "ipv4 192.0.2.1 source.ip"},
		{`{"query":"a.b.EVIL.example.","answers":["x.example","192.0.2.1"]}`, "domain evil.example query,ipv4 192.0.2.1 answers"},
		{`{"event_type":"dns","dns":{"rrname":"evil.example"}}`, "domain evil.example dns.rrname"},
		{`{"dns":{"queries":[{"rrname":"evil.example"}]}}`, "domain evil.example dns.queries.rrname"},
		{`{"tls":{"sni":"www.evil.example"}}`, "domain evil.example tls.sni"},
		{`{"QueryName":"evil.example","QueryResults":"type:  5 c.evil.example;::ffff:192.0.2.1;"}`, "domain evil.example QueryName QueryResults,ipv4 192.0.2.1 QueryResults"},
		{`{"http":{"hostname":"bad.example","url":"/drop.exe"}}`, "url http://bad.example/drop.exe http.url"},
		{`{"host":"bad.example","uri":"/drop.exe"}`, "url http://bad.example/drop.exe uri"},
		{`{"url":{"full":"https://evil.example:8443/x?y"}}`, "domain evil.example url.full"},
		{`{"mailfrom":"<mallory@mail.example>"}`, "email mallory@mail.example mailfrom"},
		{`{"from":"Mallory <Mallory@mail.example>"}`, "email mallory@mail.example from"},
		{`{"EventData":{"Hashes":"SHA1=86F7E437FAA5A7FCE15D1DDCB9EAEAEA377667B8,MD5=00,SHA256=CA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB"}}`,
			"sha1 86f7e437faa5a7fce15d1ddcb9eaeaea377667b8 Hashes,sha256 ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb Hashes"},
		{`{"tls":{"fingerprint":"86:f7:e4:37:fa:a5:a7:fc:e1:5d:1d:dc:b9:ea:ea:ea:37:76:67:b8"}}`, "sha1 86f7e437faa5a7fce15d1ddcb9eaeaea377667b8 tls.fingerprint"},
		{`{"fileinfo":{"md5":"0cc175b9c0f1b6a831c399e269772661"}}`, "md5 0cc175b9c0f1b6a831c399e269772661 fileinfo.md5"},
		{`{"comment":"192.0.2.1","src_ip":"192.0.2.10","query":"notevil.example","md5":7,"host":null}`, ""},
	} {
		if got := strings.Join(looked(t, w, c.line), ","); got != c.want {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
	}
}

// What stands in bundles is found while it is valid, and what is met and is not is counted by why.
func TestBundles(t *testing.T) {
	object := func(id, more string) string {
		return `{"type":"indicator","spec_version":"2.1","id":"indicator--` + id + `","created":"2025-01-01T00:00:00.000Z","modified":"2025-01-01T00:00:00.000Z","pattern_type":"stix",` + more + `}`
	}
	bundle := `{"type":"bundle","id":"bundle--0d1a6a9e-5b3a-4f7e-8f2f-6a7b8c9d0e1f","objects":[` + strings.Join([]string{
		object("11111111-1111-4111-8111-111111111111", `"valid_from":"2025-01-01T00:00:00Z","confidence":70,"pattern":"[domain-name:value = 'one.example']"`),
		object("22222222-2222-4222-8222-222222222222", `"valid_from":"2024-01-01T00:00:00Z","valid_until":"2025-02-01T00:00:00Z","pattern":"[domain-name:value = 'two.example']"`),
		object("33333333-3333-4333-8333-333333333333", `"valid_from":"2025-01-01T00:00:00Z","revoked":true,"pattern":"[domain-name:value = 'three.example']"`),
		object("44444444-4444-4444-8444-444444444444", `"valid_from":"2025-01-01T00:00:00Z","pattern":"[domain-name:value = 'four.example'] FOLLOWEDBY [ipv4-addr:value = '192.0.2.1']"`),
		`{"type":"domain-name","spec_version":"2.1","id":"domain-name--55555555-5555-5555-8555-555555555555","value":"five.example"}`,
	}, ",") + `]}`
	x := NewIndicators()
	if err := x.Read("b.json", strings.NewReader(bundle)); err != nil {
		t.Fatal(err)
	}
	if len(x.Left) != 1 || x.Left[0].Code != "observables" || x.Values() != 3 || x.Len() != 4 {
		t.Errorf("%+v", x.Left)
	}
	table, err := x.Table()
	if err != nil {
		t.Fatal(err)
	}
	set, err := New(nil, table)
	if err != nil {
		t.Fatal(err)
	}
	w := set.Watcher()
	w.Now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{"one": "domain one.example query", "two": "", "three": "", "four": "", "five": ""} {
		if got := strings.Join(looked(t, w, `{"ts":1737000000.5,"query":"`+name+`.example"}`), ","); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if len(w.Dead) != 2 {
		t.Errorf("met without counting: %v", w.Dead)
	}
	w.Now = time.Time{} // each event's own, of which one has none
	if got := looked(t, w, `{"ts":1737000000.5,"query":"two.example"}`); len(got) != 1 {
		t.Errorf("at the time of the event: %q", got)
	}
	if got := looked(t, w, `{"query":"one.example"}`); got != nil {
		t.Errorf("at no time: %q", got)
	}
}

// What cannot be used says why, and what is about it is not used either.
func TestWhatIsLeft(t *testing.T) {
	const text = `title: no logs
id: 00000000-0000-4000-8000-000000000001
logsource: {product: nobody_knows}
detection: {s: {A: b}, condition: s}
---
title: a placeholder
id: 00000000-0000-4000-8000-000000000002
logsource: {product: windows, service: security}
detection: {s: {'TargetUserName|expand': '%admins%'}, condition: s}
---
title: many
id: 00000000-0000-4000-8000-000000000003
correlation: {type: event_count, rules: [00000000-0000-4000-8000-000000000001], group-by: [A], timespan: 1m, condition: {gte: 2}}
`
	c, err := sigma.Parse("rules.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r := Compile(c)
	var codes []string
	for _, p := range r.Left {
		codes = append(codes, p.Code)
	}
	if want := []string{sigma.CodeLogsource, sigma.CodePlaceholder, sigma.CodeReference}; !slices.Equal(codes, want) || r.Ready != 0 || r.Read != 3 {
		t.Errorf("%v, %d of %d ready", r.Left, r.Ready, r.Read)
	}
	p, err := sigma.ParsePipeline("p.yml", []byte("name: mine\npriority: 10\nvars: {admins: [root]}\ntransformations:\n  - type: value_placeholders\nroutes:\n  - logsource: {product: nobody_knows}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if r := Compile(c, p); len(r.Left) != 0 || r.Ready != 3 {
		t.Errorf("with a pipeline: %v, %d ready", r.Left, r.Ready)
	}
}

// Anything can stand in a field.
func FuzzLook(f *testing.F) {
	x := NewIndicators()
	if err := x.Read("list", strings.NewReader("192.0.2.1\n198.51.100.0/24\nevil.example\nhttp://evil.example/a?b=c\nd41d8cd98f00b204e9800998ecf8427e\nbad@evil.example\n")); err != nil {
		f.Fatal(err)
	}
	table, err := x.Table()
	if err != nil {
		f.Fatal(err)
	}
	set, err := New(nil, table)
	if err != nil {
		f.Fatal(err)
	}
	w := set.Watcher()
	w.Now = time.Now()
	f.Add([]byte(`{"host":":","url":"http://[","Hashes":"=,SHA1=","QueryResults":"; ;","mailfrom":">,<","query":"evil.example"}`))
	f.Add([]byte(`{"host":"a","uri":"/b","md5":"aa:bb","src_ip":"198.51.100.255","id.resp_h":"::ffff:192.0.2.1"}`))
	f.Add([]byte(`{"http":{"hostname":"EVIL.example","url":"/a?b=c"},"Hashes":"MD5=D41D8CD98F00B204E9800998ECF8427E,IMPHASH=00"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var ev event.Event
		if set.Plan().Scan(line, &ev) != nil {
			return
		}
		for _, x := range w.Look(&ev) {
			if x.Indicator == nil || len(x.Fields) == 0 {
				t.Errorf("%+v", x)
			}
		}
	})
}
