package syslog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func parse(t testing.TB, msg string) map[string]any {
	t.Helper()
	var p Parser
	b, ok := p.Append(nil, []byte(msg), now, "192.0.2.1")
	if !ok {
		return nil
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%q: %v\n%s", msg, err, b)
	}
	return m
}

func TestMessages(t *testing.T) {
	for _, c := range []struct{ in, want string }{ // want: time, host, program, number, text, and more
		// RFC 5424, section 6.5
		{"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed for lonvick on /dev/pts/8", "2003-10-11T22:14:15.003Z|mymachine.example.com|su||'su root' failed for lonvick on /dev/pts/8|auth critical"},
		{"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.", "2003-08-24T12:14:15.000003Z|192.0.2.1|myproc|8710|%% It's time to make the do-nuts.|local4 notice"},
		{`<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="App\"li\]ca\\tion\n" eventID="1011"][x@1 y="z"] text`, `2003-10-11T22:14:15.003Z|mymachine.example.com|evntslog||text|local4 notice`},
		{`<165>1 - - - - - -`, "2026-01-02T03:04:05Z|||||local4 notice"},
		{`<165>1 - - - - - [a@1]`, "2026-01-02T03:04:05Z|||||local4 notice"},
		// RFC 3164, section 5.4, and its variants
		{"<34>Oct 11 22:14:15 mymachine su: 'su root' failed", "2025-10-11T22:14:15Z|mymachine|su||'su root' failed|auth critical"},
		{"<13>Jan  1 00:00:01 host sshd[123]: Accepted publickey for root", "2026-01-01T00:00:01Z|host|sshd|123|Accepted publickey for root|user notice"},
		{"<13>Jan  1 00:00:01 sshd[123]: no host", "2026-01-01T00:00:01Z||sshd|123|no host|user notice"},
		{"<13>Jan  1 2024 00:00:01 host prog: year", "2024-01-01T00:00:01Z|host|prog||year|user notice"},
		{"<13>2024-05-06T07:08:09.123456+02:00 host prog[7]: iso", "2024-05-06T05:08:09.123456Z|host|prog|7|iso|user notice"},
		{"<189>000045: *Mar  1 18:46:11.123 UTC: %SYS-5-CONFIG_I: Configured from console", "2026-03-01T18:46:11.123Z||%SYS-5-CONFIG_I||Configured from console|local7 notice"},
		{"<166>Jan 02 2026 03:00:00 fw1 : %ASA-6-302013: Built outbound TCP", "2026-01-02T03:00:00Z|fw1|||: %ASA-6-302013: Built outbound TCP|local4 informational"},
		{"<13>Jan  1 00:00:01 host a line without a program", "2026-01-01T00:00:01Z|host|||a line without a program|user notice"},
		{"<13>prog[1]: no time", "2026-01-02T03:04:05Z||prog|1|no time|user notice"},
		{"no priority: at all", "2026-01-02T03:04:05Z||||no priority: at all|"},
		{"<999>Jan  1 00:00:01 host prog: x", "2026-01-02T03:04:05Z||||<999>Jan  1 00:00:01 host prog: x|"},
		{"<34>1 yesterday host app - - - text", "2026-01-02T03:04:05Z||||1 yesterday host app - - - text|auth critical"},
		{"<13>Jan  1 00:00:01 h\xe9te prog: caf\xe9", "2026-01-01T00:00:01Z|h\ufffdte|prog||caf\ufffd|user notice"},
	} {
		m := parse(t, c.in)
		s := func(k string) string {
			if v, ok := m[k].(string); ok {
				return v
			}
			return ""
		}
		pid := s("log.syslog.procid")
		if n, ok := m["process.pid"].(float64); ok && pid != fmt.Sprint(n) {
			t.Errorf("%q: two numbers", c.in)
		}
		got := strings.Join([]string{s("@timestamp"), s("host.name"), s("process.name"), pid, s("message"), strings.TrimSpace(s("log.syslog.facility.name") + " " + s("log.syslog.severity.name"))}, "|")
		if got != c.want || s("appname") != s("process.name") || s("log.source.address") != "192.0.2.1" {
			t.Errorf("%q:\n%s, want\n%s", c.in, got, c.want)
		}
	}
	m := parse(t, `<165>1 2003-10-11T22:14:15.003Z h a - ID47 [x@32473 iut="3" s="App\"li\]ca\\tion\n"][y@1 z="w"] t`)
	if m["log.syslog.structured_data.x@32473.s"] != `App"li]ca\tion\n` || m["log.syslog.structured_data.y@1.z"] != "w" || m["log.syslog.msgid"] != "ID47" {
		t.Error(m)
	}
	for _, empty := range []string{"", "\n", "\x00 \r\n"} {
		if parse(t, empty) != nil {
			t.Errorf("%q", empty)
		}
	}
}

// A message that is an object of JSON is the event.
func TestObjectInside(t *testing.T) {
	for _, in := range []string{
		`<13>Jan  1 00:00:01 probe suricata[77]: {"timestamp":"2020-01-01T00:00:00.1+0000","event_type":"dns","dns":{"rrname":"a.example"}}`,
		`<13>1 2026-01-01T00:00:01Z probe suricata 77 - - @cee: {"timestamp":"2020-01-01T00:00:00.1+0000","event_type":"dns","dns":{"rrname":"a.example"} } `,
	} {
		m := parse(t, in)
		if m["event_type"] != "dns" || m["@timestamp"] != nil || m["appname"] != nil || m["log.syslog.appname"] != "suricata" || m["log.syslog.hostname"] != "probe" {
			t.Error(m)
		}
	}
	if m := parse(t, `<13>Jan  1 00:00:01 h p: {}`); m["@timestamp"] != "2026-01-01T00:00:01Z" || m["message"] != nil {
		t.Error(m)
	}
	if m := parse(t, `<13>Jan  1 00:00:01 h p: {"a":}`); m["message"] != `{"a":}` {
		t.Error(m)
	}
}

func TestFrames(t *testing.T) {
	long := strings.Repeat("x", 100)
	f := NewFrames(strings.NewReader("5 <1>ab\n<2>line\r\n\n<3>zero\x00\n101 <4>"+long[:98]+"3 <5>"+"<6>"+long+"\n6 <7>a\nb<8>the end"), 60)
	var got []string
	for {
		m, err := f.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			break
		}
		got = append(got, string(m))
	}
	if want := "<1>ab|<2>line|<3>zero|<5>|<7>a\nb|<8>the end"; strings.Join(got, "|") != want || f.Long != 2 {
		t.Errorf("%q, %d too long", got, f.Long)
	}
	for in, want := range map[string]error{"123456789012 <1>": ErrFrame, "12x <1>": ErrFrame, "12 <1>": io.ErrUnexpectedEOF, "1": io.ErrUnexpectedEOF, "9999 x": io.ErrUnexpectedEOF} {
		if _, err := NewFrames(strings.NewReader(in), 100).Next(); !errors.Is(err, want) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func FuzzParser(f *testing.F) {
	for _, s := range []string{"<34>1 2003-10-11T22:14:15.003Z h su - ID47 [a@1 b=\"c\"] x", "<34>Oct 11 22:14:15 mymachine su[1]: x", `<1>a: {"b":1}`, "<189>1: *Feb 29 18:46:11.123 UTC: %S: x", "<1>1 - - - - - [\\"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Parser
		line, ok := p.Append(nil, b, now, "")
		if ok && (!json.Valid(line) || strings.ContainsRune(string(line), '\n') && !strings.Contains(string(b), "{")) {
			t.Errorf("%q gives %s", b, line)
		}
		fr := NewFrames(strings.NewReader(string(b)), 50)
		for n := 0; ; n++ {
			m, err := fr.Next()
			if err != nil {
				break
			}
			if len(m) > 50+2 || n > len(b) {
				t.Fatalf("%d bytes, %d messages", len(m), n)
			}
		}
	})
}

func BenchmarkParser(b *testing.B) {
	msg := []byte("<13>Jan  1 00:00:01 host sshd[123]: Accepted publickey for root from 192.0.2.7 port 4711 ssh2: RSA SHA256:abc")
	var p Parser
	var out []byte
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		out, _ = p.Append(out[:0], msg, now, "192.0.2.1")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
