package observation

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/internal/event"
	"entente/internal/shareddata"
	"entente/stix/pattern"
)

func parse(t testing.TB, src string) *pattern.Pattern {
	t.Helper()
	p, err := pattern.Parse(src)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return p
}

// Patterns hold on the events of every producer.
func TestEvents(t *testing.T) {
	const (
		eve = `{"timestamp":"2026-01-05T10:00:07Z","event_type":"http","src_ip":"10.0.0.1","src_port":1234,"dest_ip":"2001:DB8:0::1","dest_port":80,"proto":"TCP","app_proto":"http",` +
			`"http":{"hostname":"Drop.Example","url":"/a.exe","http_user_agent":"curl/8","http_method":"GET"},"fileinfo":{"filename":"/x/a.exe","sha256":"CA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB","size":77},"flow":{"bytes_toserver":900}}`
		dns = `{"ts":1767607209.25,"id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","query":"www.bad.example","answers":["c.example","203.0.113.2"]}`
		one = `{"UtcTime":"2026-01-05 10:00:00","EventID":1,"Image":"C:\\Windows\\cmd.exe","CommandLine":"cmd /c whoami","ParentImage":"C:\\Office\\WINWORD.EXE","ParentCommandLine":"winword /q",` +
			`"User":"CORP\\anna","ProcessId":17,"Hashes":"MD5=0CC175B9C0F1B6A831C399E269772661","CurrentDirectory":"C:\\tmp"}`
		seven = `{"EventID":7,"Image":"C:\\a.exe","ImageLoaded":"C:\\b.dll","Hashes":"MD5=0CC175B9C0F1B6A831C399E269772661"}`
		reg   = `{"EventID":13,"Image":"C:\\a.exe","TargetObject":"HKLM\\Software\\Run\\evil","Details":"c:\\evil.exe"}`
		mail  = `{"mailfrom":"<m@bad.example>","rcptto":["a@x.example","b@x.example"],"subject":"Invoice","from":"M <m@bad.example>"}`
		cert  = `{"subject":"CN=bad.example","issuer":"CN=CA","certificate.serial":"0A","fingerprint":"86:f7:e4:37:fa:a5:a7:fc:e1:5d:1d:dc:b9:ea:ea:ea:37:76:67:b8"}`
		ecs   = `{"@timestamp":"2026-01-05T10:00:00Z","source":{"ip":"192.0.2.1","port":5},"destination":{"ip":"192.0.2.9","port":443},"network":{"transport":"tcp"},"process":{"executable":"/usr/bin/curl","command_line":"curl x","pid":3,"parent":{"name":"bash"}},"user":{"name":"root"}}`
	)
	for _, c := range []struct {
		line, src string
		want      string // the fields; "no": it does not hold
	}{
		{eve, `[ipv4-addr:value = '10.0.0.1']`, "src_ip"},
		{eve, `[ipv6-addr:value = '2001:db8::1']`, "dest_ip"},
		{eve, `[ipv4-addr:value ISSUBSET '10.0.0.0/8']`, "src_ip"},
		{eve, `[ipv4-addr:value ISSUBSET '10.1.0.0/16']`, "no"},
		{eve, `[network-traffic:src_ref.value = '10.0.0.1' AND network-traffic:dst_port = 80]`, "src_ip dest_port"},
		{eve, `[network-traffic:dst_ref.value = '10.0.0.1']`, "no"},
		{eve, `[network-traffic:dst_ref.type = 'ipv6-addr' AND network-traffic:src_ref.value LIKE '10.%']`, "src_ip"},
		{eve, `[network-traffic:protocols[*] = 'tcp' AND network-traffic:protocols[*] = 'http']`, "proto app_proto"},
		{eve, `[network-traffic:protocols[0] = 'http']`, "no"},
		{eve, `[network-traffic:dst_port IN (22, 80)]`, "dest_port"},
		{eve, `[network-traffic:dst_port > 100]`, "no"},
		{eve, `[network-traffic:src_byte_count >= 900]`, "flow.bytes_toserver"},
		{eve, `[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' LIKE 'curl%']`, "http.http_user_agent"},
		{eve, `[network-traffic:extensions.'http-request-ext'.request_value MATCHES '\\.exe$' AND network-traffic:src_port != 1]`, "http.url src_port"},
		{eve, `[EXISTS network-traffic:extensions.'http-request-ext']`, "http.http_user_agent http.hostname http.url http.http_method"},
		{eve, `[NOT EXISTS network-traffic:end AND network-traffic:src_port = 1234]`, "src_port"},
		{eve, `[NOT EXISTS network-traffic:dst_port]`, "no"},
		{eve, `[NOT EXISTS network-traffic:end]`, ""},
		{eve, `[domain-name:value = 'drop.example']`, "http.hostname"},
		{eve, `[url:value = 'http://Drop.Example/a.exe']`, "http.url"},
		{eve, `[url:value MATCHES 'rop\\.Ex.*\\.exe$']`, "http.url"},
		{eve, `[file:hashes.'SHA-256' = 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb' AND file:size = 77]`, "fileinfo.sha256 fileinfo.size"},
		{eve, `[file:name = 'a.exe' AND file:parent_directory_ref.path = '/x']`, "fileinfo.filename"},
		{dns, `[domain-name:value LIKE '%.bad.example']`, "query"},
		{dns, `[domain-name:value = 'www.bad.example' AND domain-name:resolves_to_refs[*].value = '203.0.113.2']`, "query answers"},
		{dns, `[domain-name:resolves_to_refs[*].value = '203.0.113.3']`, "no"},
		{one, `[process:command_line LIKE '%whoami%']`, "CommandLine"},
		{one, `[process:command_line LIKE '%whoami%' AND process:parent_ref.image_ref.name = 'WINWORD.EXE']`, "CommandLine ParentImage"},
		{one, `[process:parent_ref.command_line MATCHES '^winword' AND process:image_ref.parent_directory_ref.path = 'C:\\Windows']`, "ParentCommandLine Image"},
		{one, `[process:image_ref.hashes.MD5 = '0cc175b9c0f1b6a831c399e269772661']`, "Hashes"},
		{one, `[process:binary_ref.name = 'cmd.exe' AND process:creator_user_ref.account_login = 'anna']`, "Image User"},
		{one, `[process:name = 'cmd.exe' AND process:pid = 17 AND process:cwd = 'C:\\tmp']`, "Image ProcessId CurrentDirectory"},
		{one, `[file:name IN ('cmd.exe', 'x')]`, "Image"},
		{seven, `[process:image_ref.hashes.MD5 = '0cc175b9c0f1b6a831c399e269772661']`, "no"},
		{seven, `[file:name = 'b.dll' AND file:hashes.MD5 = '0cc175b9c0f1b6a831c399e269772661']`, "ImageLoaded Hashes"},
		{reg, `[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\Software\\Run' AND windows-registry-key:values[*].data LIKE '%evil.exe']`, "TargetObject Details"},
		{reg, `[windows-registry-key:values[0].name = 'evil']`, "TargetObject"},
		{reg, `[windows-registry-key:key LIKE '%\\Run\\evil']`, "TargetObject"},
		{mail, `[email-message:from_ref.value = 'm@bad.example' AND email-message:to_refs[*].value = 'b@x.example' AND email-message:subject LIKE '%voice']`, "mailfrom from rcptto subject"},
		{mail, `[email-addr:value = 'a@x.example']`, "rcptto"},
		{mail, `[x509-certificate:subject LIKE '%']`, "no"},
		{cert, `[x509-certificate:subject = 'CN=bad.example' AND x509-certificate:hashes.'SHA-1' = '86f7e437faa5a7fce15d1ddcb9eaeaea377667b8']`, "subject fingerprint"},
		{cert, `[email-message:subject LIKE '%']`, "no"},
		{ecs, `[network-traffic:dst_ref.value = '192.0.2.9' AND network-traffic:dst_port = 443]`, "destination.ip destination.port"},
		{ecs, `[process:image_ref.name = 'curl' AND process:parent_ref.name = 'bash']`, "process.executable process.parent.name"},
		{ecs, `[process:opened_connection_refs[*].dst_port = 443 AND process:pid = 3]`, "destination.port process.pid"},
		{ecs, `[user-account:account_login = 'root' AND process:pid = 3]`, "no"},
		{ecs, `[user-account:account_login = 'root' OR process:pid = 4]`, "user.name"},
	} {
		e, left := New([]Pattern{{Pattern: parse(t, c.src)}}, Config{})
		if len(left) > 0 {
			t.Fatal(left)
		}
		plan := event.NewPlan()
		x := e.Events(plan)
		var ev event.Event
		if err := plan.Scan([]byte(c.line), &ev); err != nil {
			t.Fatal(err)
		}
		got := "no"
		if met := e.Matcher().Event(x, &ev); len(met) > 0 {
			var names []string
			for _, f := range x.Fields(met[0], &ev) {
				names = append(names, f.Name)
			}
			got = strings.Join(names, " ")
		}
		if got != c.want {
			t.Errorf("%s\n%s\n%q, want %q", c.line, c.src, got, c.want)
		}
	}
}

// recorded calls f with lines of recorded events, every so many.
func recorded(t testing.TB, each int, f func(line []byte)) {
	for _, name := range []string{"windows-mordor.ndjson.gz", "windows-mordor-winlogbeat.ndjson.gz", "evtx-attack.flat.ndjson.gz", "zeek-json/dns.json.gz", "zeek-json/x509.json.gz", "zeek-json/smtp.json.gz", "zeek-json/ssl.json.gz",
		"zeek-json/apt29-day1-combined.ndjson.gz", "eve/frankhassanabad-alerts.ndjson", "eve/surevego.eve.ndjson"} {
		file, err := os.Open(shareddata.Dir(t, append([]string{"telemetry"}, strings.Split(name, "/")...)...))
		if err != nil {
			t.Fatal(err)
		}
		var in io.Reader = file
		if strings.HasSuffix(name, ".gz") {
			if in, err = gzip.NewReader(file); err != nil {
				t.Fatal(err)
			}
		}
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, 1<<20)
		for n := 0; lines.Scan(); n++ {
			if n%each == 0 {
				f(lines.Bytes())
			}
		}
		file.Close()
	}
}

// drawn makes tests of what stands in events, and of what nearly does.
func drawn(r *rand.Rand, values map[string][]string, paths []string) string {
	path := paths[r.IntN(len(paths))]
	v := values[path][r.IntN(len(values[path]))]
	quote := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }
	runes := []rune(v)
	part := func() string {
		if len(runes) == 0 {
			return ""
		}
		from := r.IntN(len(runes))
		return string(runes[from : from+min(1+r.IntN(12), len(runes)-from)])
	}
	if strings.HasSuffix(path, "port") || strings.HasSuffix(path, "pid") || strings.HasSuffix(path, "size") || strings.HasSuffix(path, "count") {
		return path + " " + []string{"=", "!=", "<", ">=", "NOT ="}[r.IntN(5)] + " " + v
	}
	switch r.IntN(11) {
	case 0:
		return path + " != " + quote(v)
	case 1:
		return path + " LIKE " + quote("%"+part()+"%")
	case 2:
		return path + " LIKE " + quote(part()+"%")
	case 3:
		return path + " NOT LIKE " + quote("%"+part()+"_%")
	case 4:
		return path + " MATCHES " + quote("("+escape(part())+"|"+escape(part())+"x).*")
	case 5:
		return path + " IN (" + quote(v) + ", " + quote(part()) + ")"
	case 6:
		return "EXISTS " + path
	case 7:
		return "NOT EXISTS " + path
	case 8:
		return path + " < " + quote(v)
	}
	return path + " = " + quote(v)
}

func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`\.+*?()|[]{}^$`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// standing are the paths that recorded events have values at, and these values.
func standing(t *testing.T) (paths []string, values map[string][]string) {
	asked := []string{"ipv4-addr:value", "ipv6-addr:value", "domain-name:value", "url:value", "file:name", "file:hashes.MD5", "file:hashes.'SHA-256'", "file:parent_directory_ref.path", "directory:path", "process:command_line",
		"process:image_ref.name", "process:parent_ref.command_line", "process:parent_ref.image_ref.name", "process:pid", "process:name", "network-traffic:src_ref.value", "network-traffic:dst_ref.value", "network-traffic:dst_port",
		"network-traffic:protocols[*]", "network-traffic:protocols[0]", "network-traffic:dst_ref.type", "windows-registry-key:key", "windows-registry-key:values[*].data", "user-account:account_login", "process:creator_user_ref.account_login",
		"x509-certificate:subject", "email-message:from_ref.value", "email-addr:value", "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'", "process:image_ref.hashes.'SHA-256'", "domain-name:resolves_to_refs[*].value",
		"process:opened_connection_refs[*].dst_ref.value", "network-traffic:type"}
	// What stands there, as an engine that asks for all of it finds it.
	var all []Pattern
	for _, path := range asked {
		all = append(all, Pattern{Pattern: parse(t, "[EXISTS "+path+"]")})
	}
	e, _ := New(all, Config{})
	plan := event.NewPlan()
	x := e.Events(plan)
	values = map[string][]string{}
	var ev event.Event
	recorded(t, 397, func(line []byte) {
		if plan.Scan(line, &ev) != nil {
			return
		}
		o := x.Observation(&ev)
		for i, path := range asked {
			test := all[i].Pattern.Root().Condition.Test
			o.Each(func(object map[string]any) {
				if object["type"] == test.Path.Type {
					o.Values(object, test.Path.Steps, func(v any) bool {
						if s := fmt.Sprint(v); len(values[path]) < 3000 && len(s) < 200 && !strings.ContainsRune(s, 0xfffd) {
							values[path] = append(values[path], s)
						}
						return true
					})
				}
			})
		}
	})
	for _, path := range asked {
		if len(values[path]) > 0 {
			paths = append(paths, path)
		}
	}
	t.Logf("values at %d of %d paths", len(paths), len(asked))
	if len(paths) < len(asked)-4 {
		t.Errorf("only %v", paths)
	}
	return paths, values
}

// On recorded events the index names every condition that holds: what it gives is what all conditions give that are put to the event's objects one by one.
func TestIndexMissesNothing(t *testing.T) {
	paths, values := standing(t)
	r := rand.New(rand.NewPCG(1, 2))
	var patterns []Pattern
	for range 1500 {
		src := drawn(r, values, paths)
		for range r.IntN(3) {
			src += []string{" AND ", " OR "}[r.IntN(2)] + drawn(r, values, paths)
		}
		p, err := pattern.Parse("[" + src + "]")
		if err != nil {
			continue
		}
		patterns = append(patterns, Pattern{Pattern: p})
	}
	e, left := New(patterns, Config{})
	plan := event.NewPlan()
	x := e.Events(plan)
	m := e.Matcher()
	var ev event.Event
	events, met, named := 0, 0, 0
	recorded(t, 997, func(line []byte) {
		if plan.Scan(line, &ev) != nil {
			return
		}
		events++
		got := slices.Clone(m.Event(x, &ev))
		slices.Sort(got)
		met, named = met+len(got), named+len(m.named)
		o := x.Observation(&ev)
		var want []int32
		for i := range e.conds {
			if ok, err := e.conds[i].of.Holds(e.conds[i].is, &o); ok && err == nil {
				want = append(want, int32(i))
			}
		}
		if !slices.Equal(got, want) {
			for _, n := range want {
				if !slices.Contains(got, n) {
					t.Errorf("%s\nmisses %s", bytes.TrimSpace(line), e.Condition(n))
				}
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	})
	t.Logf("%d conditions of %d patterns (%d left), %d events, %.1f conditions met and %.1f looked at for each", len(e.conds), len(patterns), len(left), events, float64(met)/float64(events), float64(named)/float64(events))
	if events < 200 || met < 1000 {
		t.Error("too little to tell")
	}
}

// On recorded events patterns of several observations are found where the matcher of whole sets finds them.
func TestRecordedStream(t *testing.T) {
	paths, values := standing(t)
	r := rand.New(rand.NewPCG(5, 6))
	var patterns []Pattern
	one := func() string { return "[" + drawn(r, values, paths) + "]" }
	for range 400 {
		src := "(" + one() + []string{" AND ", " FOLLOWEDBY "}[r.IntN(2)] + one() + ")"
		switch r.IntN(4) {
		case 0:
			src += fmt.Sprintf(" WITHIN %d SECONDS", 1+r.IntN(100))
		case 1:
			src = one() + fmt.Sprintf(" REPEATS %d TIMES WITHIN %d SECONDS", 2+r.IntN(4), 1+r.IntN(200))
		case 2:
			src += " FOLLOWEDBY " + one()
		}
		if p, err := pattern.Parse(src); err == nil {
			patterns = append(patterns, Pattern{ID: src, Pattern: p})
		}
	}
	e, left := New(patterns, Config{Lateness: ages})
	plan := event.NewPlan()
	x := e.Events(plan)
	m, s := e.Matcher(), e.Stream()
	var ev event.Event
	var obs []pattern.Observation
	found := make([]bool, len(patterns))
	recorded(t, 1499, func(line []byte) {
		if plan.Scan(line, &ev) != nil {
			return
		}
		o := x.Observation(&ev)
		o.First = time.Unix(int64(len(obs)), 0)
		o.Last = o.First
		s.Take(&Seen{First: o.First, Last: o.Last, Count: 1, Ref: uint64(len(obs)), Met: m.Event(x, &ev)}, o.First, func(h Hit) { found[h.Pattern] = true })
		obs = append(obs, o)
	})
	hits := 0
	for i := range patterns {
		r, err := patterns[i].Pattern.Match(obs)
		if err == nil && r.Matched != found[i] {
			t.Errorf("%s: %v, and the matcher says %v", patterns[i].ID, found[i], r.Matched)
		}
		if r.Matched {
			hits++
		}
	}
	st := s.Stats()
	t.Logf("%d of %d patterns (%d left) on %d events, %+v", hits, len(patterns), len(left), len(obs), st)
	if hits < 50 || len(obs) < 100 || st.Evicted+st.Late+st.GivenUp > 0 {
		t.Error("too little to tell")
	}
}
