package flow

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/shareddata"
)

var (
	exporter = netip.MustParseAddr("192.0.2.1")
	now      = time.Unix(1_700_000_000, 0)
)

// put writes numbers of the sizes that their types have.
func put(vs ...any) (b []byte) {
	for _, v := range vs {
		switch v := v.(type) {
		case string:
			b = append(b, v...)
		case []byte:
			b = append(b, v...)
		case netip.Addr:
			b = append(b, v.AsSlice()...)
		default:
			b, _ = binary.Append(b, binary.BigEndian, v)
		}
	}
	return b
}

// set is one part of a packet, with its length.
func set(id uint16, vs ...any) []byte {
	body := put(vs...)
	return put(id, uint16(4+len(body)), body)
}

func message(seq, domain uint32, sets ...[]byte) []byte {
	var body []byte
	for _, s := range sets {
		body = append(body, s...)
	}
	return put(uint16(10), uint16(16+len(body)), uint32(1_600_000_000), seq, domain, body)
}

func v9(seq uint32, sets ...[]byte) []byte {
	var body []byte
	for _, s := range sets {
		body = append(body, s...)
	}
	return put(uint16(9), uint16(len(sets)), uint32(60_000), uint32(1_600_000_000), seq, uint32(7), body)
}

func v5(seq uint32, n int) []byte {
	b := put(uint16(5), uint16(n), uint32(60_000), uint32(1_600_000_000), uint32(500_000_000), seq, uint16(0), uint16(0x4064))
	for i := range n {
		b = append(b, put(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("198.51.100.7"), uint32(0), uint16(1), uint16(2), uint32(5), uint32(1500+i), uint32(1_000), uint32(2_500), uint16(4711), uint16(443), uint8(0), uint8(0x1b), uint8(6), uint8(0), uint16(64512), uint16(64513), uint8(24), uint8(24), uint16(0))...)
	}
	return b
}

func collect(t testing.TB, c *Collector, b []byte) (out []map[string]any) {
	t.Helper()
	c.Read(b, exporter, now, func(line []byte) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		out = append(out, m)
	})
	return out
}

func shows(t *testing.T, m map[string]any, want string) {
	t.Helper()
	var wanted map[string]any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	for k, v := range wanted {
		if fmt.Sprint(m[k]) != fmt.Sprint(v) {
			t.Errorf("%s is %v, want %v", k, m[k], v)
		}
	}
}

func TestNetFlow5(t *testing.T) {
	var c Collector
	got := collect(t, &c, v5(100, 2))
	if len(got) != 2 {
		t.Fatal(got)
	}
	shows(t, got[1], `{"_path":"conn","ts":1599999941.5,"duration":1.5,"id.orig_h":"10.0.0.1","id.orig_p":4711,"id.resp_h":"198.51.100.7","id.resp_p":443,"proto":"tcp","orig_bytes":1501,"orig_pkts":5,"tcp_flags":27,"orig_as":64512,"flow.exporter":"192.0.2.1","flow.version":5,"flow.sampling":100}`)
	collect(t, &c, v5(105, 1))       // 102, 103 and 104 are missing
	collect(t, &c, v5(103, 2))       // two of them come late
	collect(t, &c, v5(4_000_000, 1)) // it began anew
	if c.Counts.Missing != 1 || c.Counts.Flows != 6 || c.Counts.Packets != 4 {
		t.Errorf("%+v", c.Counts)
	}
}

func TestNetFlow9(t *testing.T) {
	var c Collector
	data := set(300, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("198.51.100.7"), uint16(53), uint16(4711), uint8(17), uint32(99), uint32(1), uint32(10_000), uint32(10_500), []byte{0, 0})
	if got := collect(t, &c, v9(1, data)); len(got) != 0 || c.Counts.Early != 1 {
		t.Error("before its template", got)
	}
	template := set(0, uint16(300), uint16(9), uint16(8), uint16(4), uint16(12), uint16(4), uint16(7), uint16(2), uint16(11), uint16(2), uint16(4), uint16(1), uint16(1), uint16(4), uint16(2), uint16(4), uint16(22), uint16(4), uint16(21), uint16(4))
	options := set(1, uint16(301), uint16(4), uint16(8), uint16(1), uint16(4), uint16(34), uint16(4), uint16(35), uint16(1))
	got := collect(t, &c, v9(2, template, options, set(301, uint32(1), uint32(1000), uint8(2)), data))
	if len(got) != 1 {
		t.Fatal(got, c.Counts)
	}
	shows(t, got[0], `{"ts":1599999950,"duration":0.5,"id.orig_h":"10.0.0.1","id.resp_h":"198.51.100.7","id.orig_p":53,"id.resp_p":4711,"proto":"udp","orig_bytes":99,"orig_pkts":1,"flow.sampling":1000,"flow.version":9}`)
	collect(t, &c, v9(6, data))
	if c.Counts.Missing != 3 || c.Counts.Unread != 0 {
		t.Errorf("%+v", c.Counts)
	}
	c.Read(v9(7, data), exporter, now.Add(templateLife+time.Second), func([]byte) { t.Error("the template is too old") })
	c.Read(v9(7, data), netip.MustParseAddr("192.0.2.2"), now, func([]byte) { t.Error("another exporter's template") })
}

func TestIPFIX(t *testing.T) {
	var c Collector
	template := set(2, uint16(400), uint16(10), uint16(27), uint16(16), uint16(28), uint16(16), uint16(7), uint16(2), uint16(11), uint16(2), uint16(4), uint16(1), uint16(1), uint16(8), uint16(0x8001), uint16(8), uint32(reverse),
		uint16(152), uint16(8), uint16(153), uint16(8), uint16(460), uint16(65535))
	record := func(host string) []byte {
		length := []byte{byte(len(host))}
		if len(host) > 254 {
			length = put(uint8(255), uint16(len(host)))
		}
		return put(netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), uint16(5000), uint16(80), uint8(6), uint64(1000), uint64(70000), uint64(1_600_000_000_250), uint64(1_600_000_001_000), length, host)
	}
	long := strings.Repeat("h", 300)
	got := collect(t, &c, message(10, 1, template, set(400, record("a.example"), record(""), record(long))))
	if len(got) != 3 {
		t.Fatal(got, c.Counts)
	}
	shows(t, got[0], `{"ts":1600000000.25,"duration":0.75,"id.orig_h":"2001:db8::1","id.resp_h":"2001:db8::2","id.resp_p":80,"orig_bytes":1000,"resp_bytes":70000,"host":"a.example","flow.version":10}`)
	if got[1]["host"] != nil || got[2]["host"] != long {
		t.Error(got[1]["host"], got[2]["host"])
	}
	collect(t, &c, message(15, 1, set(400, record("x")))) // 13 and 14 are missing
	collect(t, &c, message(15, 2, set(400, record("x")))) // another domain does not know the template
	if c.Counts.Missing != 2 || c.Counts.Early != 1 || c.Counts.Unread != 0 {
		t.Errorf("%+v", c.Counts)
	}
	collect(t, &c, message(16, 1, set(2, uint16(400), uint16(0)))) // it is withdrawn
	if collect(t, &c, message(16, 1, set(400, record("x")))); c.Counts.Early != 2 {
		t.Errorf("%+v", c.Counts)
	}
}

// What cannot be is counted, and nothing of it remains.
func TestUnread(t *testing.T) {
	for _, b := range [][]byte{nil, {0}, put(uint16(7), uint16(1)), put(uint16(5), uint16(1)), v5(1, 1)[:60], v9(1)[:10], message(1, 1)[:12], message(1, 1, put(uint16(2), uint16(3))), message(1, 1, put(uint16(2), uint16(300))),
		message(1, 1, set(2, uint16(400), uint16(3), uint16(1), uint16(4))), message(1, 1, set(2, uint16(400), uint16(1), uint16(1), uint16(0))), message(1, 1, set(2, uint16(40), uint16(1), uint16(1), uint16(4))), v9(1, set(1, uint16(400), uint16(4)))} {
		var c Collector
		if got := collect(t, &c, b); len(got) != 0 || c.Counts.Unread != 1 {
			t.Errorf("%x: %+v", b, c.Counts)
		}
	}
	var c Collector
	for i := range uint32(maxDomains + 10) {
		collect(t, &c, message(1, i, set(2, uint16(400), uint16(1), uint16(1), uint16(4))))
	}
	if len(c.domains) > maxDomains || c.Counts.Evicted != 10 {
		t.Errorf("%d domains, %+v", len(c.domains), c.Counts)
	}
	c = Collector{}
	for i := range uint16(maxTemplates + 10) {
		collect(t, &c, message(1, 1, set(2, 256+i, uint16(1), uint16(1), uint16(4))))
	}
	if c.Counts.Evicted != 10 {
		t.Errorf("%+v", c.Counts)
	}
}

func TestArgus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shareddata.Dir(t, "telemetry", "netflow"), "*.binetflow"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		a, err := NewArgus(f)
		if err != nil {
			t.Fatal(err)
		}
		n, addresses := 0, 0
		for lines := bufio.NewScanner(a); lines.Scan(); n++ {
			var m map[string]any
			if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
				t.Fatalf("%v\n%s", err, lines.Bytes())
			}
			if ts, ok := m["ts"].(float64); !ok || ts < 0 || m["proto"] == nil {
				t.Fatal(lines.Text())
			}
			if m["id.orig_h"] != nil && m["id.resp_h"] != nil {
				addresses++
			}
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if want := len(strings.Split(strings.TrimSpace(string(text)), "\n")) - 1; n+int(a.Unread) != want || addresses < want*8/10 {
			t.Errorf("%s: %d flows, %d with addresses, and %d lines that are none, of %d", filepath.Base(name), n, addresses, a.Unread, want)
		}
	}
}

func FuzzCollector(f *testing.F) {
	f.Add(v5(1, 3), v9(1, set(0, uint16(300), uint16(1), uint16(8), uint16(4))))
	f.Add(message(1, 1, set(2, uint16(400), uint16(1), uint16(460), uint16(65535))), message(2, 1, set(400, []byte{3, 'a', 'b', 'c', 255, 0, 1, 'x'})))
	f.Add(v9(1, set(1, uint16(301), uint16(4), uint16(4), uint16(1), uint16(4), uint16(34), uint16(4))), v9(2, set(301, uint64(1))))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		var c Collector
		n := 0
		for _, b := range [][]byte{one, two, two} {
			c.Read(b, exporter, now, func(line []byte) {
				if n++; !json.Valid(line) || n > 3*len(b) {
					t.Fatalf("%d %s", n, line)
				}
			})
		}
	})
}

func BenchmarkCollector(b *testing.B) {
	var c Collector
	p := v5(1, 30)
	n := 0
	for b.Loop() {
		c.Read(p, exporter, now, func([]byte) { n++ })
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "flows/s")
}
