package node

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/label"
	"entente/misp"
)

// generated is an event of n attributes as JSON, by the commonest types of real events.
func generated(n int, uuid string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"Event":{"uuid":"%s","info":"generated","date":"2026-01-01","timestamp":"1700000000","distribution":"3","published":true,"Tag":[{"name":"tlp:green"}],"Attribute":[`, uuid)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		typ, value := "domain", fmt.Sprintf("h%d.example", i)
		switch i % 6 {
		case 1:
			typ, value = "sha1", fmt.Sprintf("%040x", i)
		case 2:
			typ, value = "md5", fmt.Sprintf("%032x", i)
		case 3:
			typ, value = "sha256", fmt.Sprintf("%064x", i)
		case 4:
			typ, value = "ip-dst", fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)
		case 5:
			typ, value = "url", fmt.Sprintf("http://h%d.example/a", i)
		}
		fmt.Fprintf(&b, `{"uuid":"%s-%04x-4000-8000-%012x","type":"%s","category":"Network activity","to_ids":true,"value":"%s","timestamp":"1700000000","distribution":"5"}`, uuid[:8], i>>16, i, typ, value)
	}
	b.WriteString("]}}")
	return b.Bytes()
}

// cpu is the time that this process has spent on all cores: what a request takes whatever else the machine does.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMISPPush pushes events of 10,000 attributes over HTTPS.
func BenchmarkMISPPush(b *testing.B) {
	w := newMISPWorld(b, nil)
	const n = 10_000
	took, spent := time.Duration(0), time.Duration(0)
	for i := range b.N {
		raw := generated(n, fmt.Sprintf("%08x-0000-4000-8000-000000000000", i+1))
		must(b, w.n.index.Sync(b.Context()))
		began, before := time.Now(), cpu()
		w.ask(rita, "POST", "/events/add/metadata:1", raw).want(b, 200)
		took, spent = took+time.Since(began), spent+cpu()-before
	}
	b.ReportMetric(float64(n*b.N)/took.Seconds(), "attributes/s")
	b.ReportMetric(spent.Seconds()*1e6/float64(n*b.N), "cpu-µs/attribute")
}

// BenchmarkMISPLargeEvent opens an event of 350,000 attributes: the first bytes of a view, a page of a search, and the whole view.
func BenchmarkMISPLargeEvent(b *testing.B) {
	w := newMISPWorld(b, func(c *Config) { c.Limits.PostBytes = 256 << 20 })
	const id = "00000001-0000-4000-8000-000000000000"
	began := time.Now()
	w.http.Timeout = 10 * time.Minute
	w.ask(rita, "POST", "/events/add/metadata:1", generated(350_000, id)).want(b, 200)
	b.Logf("pushed in %s", time.Since(began))
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			req, err := http.NewRequest("GET", w.n.URL()+"/misp/events/view/"+id, nil)
			must(b, err)
			req.Header.Set("Authorization", w.keys[fred])
			resp, err := w.http.Do(req)
			must(b, err)
			if _, err := io.ReadFull(resp.Body, make([]byte, 64<<10)); err != nil {
				b.Fatal(err)
			}
			resp.Body.Close()
		}
	})
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			w.ask(fred, "POST", "/attributes/restSearch", `{"returnFormat":"json","eventid":"`+id+`","limit":100}`).want(b, 200)
		}
	})
	b.Run("value", func(b *testing.B) {
		for b.Loop() {
			w.ask(fred, "POST", "/attributes/restSearch", `{"returnFormat":"json","value":"h600.example"}`).want(b, 200)
		}
	})
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			w.ask(fred, "GET", "/events/view/"+id, nil).want(b, 200)
		}
	})
	b.Run("add", func(b *testing.B) {
		for b.Loop() {
			w.ask(rita, "POST", "/attributes/add/"+id, `{"type":"comment","value":"one more"}`).want(b, 200)
		}
	})
}

// BenchmarkMISPAddMany adds 5,000 values to an event in one request of a script, each with a uuid, as PyMISP gives it.
func BenchmarkMISPAddMany(b *testing.B) {
	w := newMISPWorld(b, func(c *Config) { c.Limits.PostBytes = 64 << 20 })
	const id, n = "00000001-0000-4000-8000-000000000000", 5000
	w.ask(ursula, "POST", "/events/add", generated(10, id)).want(b, 200)
	took, spent, next := time.Duration(0), time.Duration(0), 100
	for b.Loop() {
		body := []byte{'['}
		for range n {
			body = fmt.Appendf(body, `{"uuid":"%08x-0001-4000-8000-000000000000","type":"domain","to_ids":true,"value":"h%d.example"},`, next, next)
			next++
		}
		body[len(body)-1] = ']'
		must(b, w.n.index.Sync(b.Context()))
		began, before := time.Now(), cpu()
		w.ask(ursula, "POST", "/attributes/add/"+id, body).want(b, 200)
		took, spent = took+time.Since(began), spent+cpu()-before
	}
	b.ReportMetric(took.Seconds()*1e3/float64(n*b.N), "ms/value")
	b.ReportMetric(spent.Seconds()*1e3/float64(n*b.N), "cpu-ms/value")
}

// BenchmarkMISPNoopPull asks for an index of 100,000 events that has not changed, as the first request after a start and later.
func BenchmarkMISPNoopPull(b *testing.B) {
	w := newMISPWorld(b, nil)
	own := w.admin()
	own.Roles = []string{gate.RoleAnalyst}
	green := label.For(label.Green)
	var batch [][]byte
	for i := range 100_000 {
		e := &misp.Event{UUID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", i+1), Info: fmt.Sprintf("event %d", i), Date: "2026-01-01", Timestamp: "1700000000", Distribution: "3", Published: misp.True}
		items, _ := misp.ToSTIX(e, misp.Options{})
		if i == 0 {
			batch = append(batch, misp.Definitions()...)
		}
		batch = append(batch, items[len(items)-1].Raw)
		if len(batch) >= 2000 || i == 99_999 {
			_, err := w.n.exchange.Accept(b.Context(), own, exchange.Submission{Objects: batch, Default: &green, Restrict: &green, Via: "test"})
			must(b, err)
			batch = nil
		}
	}
	var spent time.Duration
	pull := func(b *testing.B, etag string) string {
		b.Helper()
		before := cpu()
		defer func() { spent += cpu() - before }()
		if etag != "" {
			w.ask(fred, "POST", "/events/index", `{"minimal":1,"published":1}`, "If-None-Match", etag).want(b, 304)
			return etag
		}
		all := w.ask(fred, "POST", "/events/index", `{"minimal":1,"published":1}`).want(b, 200)
		if n := all.header.Get("X-Result-Count"); n != "100000" {
			b.Fatalf("%s events are listed", n)
		}
		return all.header.Get("ETag")
	}
	etag := pull(b, "")
	must(b, w.n.index.Sync(b.Context()))
	b.Run("first", func(b *testing.B) {
		spent = 0
		for b.Loop() {
			b.StopTimer()
			w.restart()
			must(b, w.n.index.Sync(b.Context()))
			b.StartTimer()
			pull(b, etag)
		}
		b.ReportMetric(spent.Seconds()*1e3/float64(b.N), "cpu-ms/op")
	})
	b.Run("again", func(b *testing.B) {
		spent = 0
		for b.Loop() {
			pull(b, etag)
		}
		b.ReportMetric(spent.Seconds()*1e3/float64(b.N), "cpu-ms/op")
	})
}
