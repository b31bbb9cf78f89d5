package feed

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entente/internal/store"
)

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

// hijack answers with bytes of its own and ends the connection.
func hijack(head string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", head)
		c.Write(body)
	}
}

// Whatever a source does wrong is told in words, is bounded, and nothing of it is taken.
func TestBrokenSources(t *testing.T) {
	bomb := gzipped(make([]byte, 3<<20))
	lines := strings.Repeat("192.0.2.1\n", 300)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "198.51.100.1\n") }))
	defer elsewhere.Close()
	for name, c := range map[string]struct {
		h     http.HandlerFunc
		kind  string
		code  string
		tweak func(*Config)
	}{
		"refused": {h: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, code: "feed.refused"},
		"missing": {h: http.NotFound, code: "feed.missing"},
		"broken":  {h: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, code: "feed.status"},
		"throttled": {h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(429)
		}, code: "feed.throttled"},
		"truncated":       {h: hijack("Content-Length: 100000", []byte(lines)), code: "feed.truncated"},
		"truncated chunk": {h: hijack("Transfer-Encoding: chunked", []byte("a\r\n192.0.2.1\n\r\n")), code: "feed.truncated"},
		"truncated gzip": {h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(gzipped([]byte(lines))[:30])
		},
			code: "feed.truncated"},
		"an exercise": {h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Entente-Exercise", "storm")
			fmt.Fprint(w, lines)
		}, code: "exercise.object"},
		"truncated file": {h: func(w http.ResponseWriter, _ *http.Request) { w.Write(gzipped([]byte(lines))[:30]) }, code: "feed.truncated"},
		"damaged gzip": {h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, lines)
		}, code: "feed.gzip"},
		"bomb": {h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb)
		}, code: "feed.size"},
		"bomb as file":   {h: func(w http.ResponseWriter, _ *http.Request) { w.Write(bomb) }, code: "feed.size"},
		"strange coding": {h: func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "br"); w.Write(bomb) }, code: "feed.encoding"},
		"endless": {h: func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				fmt.Fprint(w, lines)
			}
		}, code: "feed.size"},
		"stalled": {h: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, lines)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, code: "feed.stalled"},
		"slow": {h: func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				fmt.Fprint(w, "192.0.2.1\n")
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		}, code: "feed.timeout", tweak: func(c *Config) { c.Limits.Timeout = "5s" }},
		"another host": {h: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, code: "feed.redirect"},
		"inward": {h: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusTemporaryRedirect)
		}, code: "feed.redirect"},
		"no host": {h: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		}, code: "feed.redirect"},
		"in circles": {h: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) }, code: "feed.redirect"},
		"a web page": {h: func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "\n <!DOCTYPE html><html><body>sign in</body></html>")
		}, code: "feed.format"},
		"another form": {h: func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.Repeat("{\"now\":\"json\"}\n", 50)+"192.0.2.1\n")
		}, code: "feed.format"},
		"too many": {h: func(w http.ResponseWriter, _ *http.Request) {
			for i := range 200 {
				fmt.Fprintf(w, "192.0.2.%d\n", i)
			}
		}, code: "feed.entries", tweak: func(c *Config) { c.Limits.Entries = 100 }},
		"half a bundle": {kind: "stix", h: func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"type":"bundle","id":"bundle--1","objects":[`+identity("a")+`,{"type":"ident`)
		}, code: "feed.format"},
		"no bundle": {kind: "stix", h: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `not json`) }, code: "feed.format"},
		"half a catalogue": {kind: "kev", h: func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"count":2,"vulnerabilities":[{"cveID":"CVE-2026-0001"}]}`)
		}, code: "feed.truncated"},
		"no catalogue": {kind: "kev", h: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"entries":[]}`) }, code: "feed.format"},
		"columns gone": {kind: "csv", h: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "what,when\n192.0.2.1,now\n") }, code: "feed.format",
			tweak: func(c *Config) { c.CSV = CSV{Header: true, Columns: map[string]string{"value": "ioc"}} }},
		"no TAXII":      {kind: "taxii", h: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, code: "feed.format", tweak: func(c *Config) { c.Remote = "x" }},
		"TAXII refused": {kind: "taxii", h: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, code: "feed.refused", tweak: func(c *Config) { c.Remote = "x" }},
	} {
		t.Run(name, func(t *testing.T) {
			c2 := Config{Name: "bad", Kind: "list", URL: serve(t, c.h) + "/list?key=geheim", Label: "tlp:green", Limits: Limits{Bytes: 1 << 20, Timeout: "2m"}}
			if c.kind != "" {
				c2.Kind = c.kind
			}
			if c.tweak != nil {
				c.tweak(&c2)
			}
			w := newWorld(t, "", c2)
			if name == "stalled" {
				w.f.patience = 200 * time.Millisecond
			}
			r := w.run("bad")
			if r.Result != Failed || r.Error == nil || r.Error.Code != c.code {
				t.Fatalf("%+v", r.Error)
			}
			if strings.Contains(r.Error.Message, "geheim") {
				t.Errorf("the query is told: %s", r.Error.Message)
			}
			if got := w.objects(own, store.Query{}); len(got) != 0 {
				t.Errorf("something was taken: %s", got)
			}
			left, err := os.ReadDir(filepath.Join(w.dir, "tmp"))
			if err == nil && len(left) > 0 {
				t.Errorf("%d files are left in the spool", len(left))
			}
			v, err := w.f.Show(t.Context(), "bad")
			must(t, err)
			pause := v.Next.Sub(v.Runs[0].Ended)
			if v.Health != "failing" || v.Failures != 1 || pause < firstPause || c.code == "feed.throttled" && pause < 2*time.Hour {
				t.Errorf("%s after %d failures, next in %s", v.Health, v.Failures, pause)
			}
		})
	}
}

func identity(suffix string) string {
	return `{"type":"identity","spec_version":"2.1","id":"identity--00000000-0000-4000-8000-00000000000` + suffix + `","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"x"}`
}

// A name that leads into the own network is not followed, a server that nobody vouches for is not believed.
func TestWhereFeedsLead(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "192.0.2.1\n") }))
	defer s.Close()
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	host, err := os.Hostname()
	must(t, err)
	for name, c := range map[string]struct {
		c    Config
		code string
		said string
	}{
		"unknown authority": {c: Config{URL: s.URL}, code: "feed.connect", said: "certificate"},
		"a name inward":     {c: Config{URL: "https://" + host + port}, code: "feed.address", said: "not a public address"},
	} {
		t.Run(name, func(t *testing.T) {
			c.c.Name, c.c.Kind = "x", "list"
			w := newWorld(t, "", c.c)
			r := w.run("x")
			if r.Error == nil || r.Error.Code != c.code && r.Error.Code != "feed.connect" || !strings.Contains(r.Error.Message, c.said) && r.Error.Code == c.code {
				t.Errorf("%+v", r.Error)
			}
			if len(w.objects(own, store.Query{})) != 0 {
				t.Error("something was taken")
			}
		})
	}
}

// A broken feed does not keep another one from running, and its pauses grow.
func TestBrokenFeedBlocksNobody(t *testing.T) {
	var served atomic.Int64
	hang := serve(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	fine := serve(t, func(w http.ResponseWriter, r *http.Request) { served.Add(1); fmt.Fprint(w, "192.0.2.1\n") })
	w := newWorld(t, "", Config{Name: "hangs", Kind: "list", URL: hang, Label: "tlp:green"}, Config{Name: "fine", Kind: "list", URL: fine, Label: "tlp:green", Jitter: "0s"})
	w.f.Start()
	deadline := time.Now().Add(2 * time.Minute)
	for served.Load() == 0 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	for v, err := w.f.Show(t.Context(), "fine"); err == nil && len(v.Runs) == 0 && time.Now().Before(deadline); v, err = w.f.Show(t.Context(), "fine") {
		time.Sleep(5 * time.Millisecond)
	}
	w.f.Close()
	if got := w.indicators(); len(got) != 1 {
		t.Errorf("the other feed brought %d", len(got))
	}
	last := time.Duration(0)
	for n := 1; n < 40; n++ {
		d := backoff(n, 0)
		if d < last || d > maxPause {
			t.Errorf("after %d failures: %s, before %s", n, d, last)
		}
		last = d
	}
	if last != maxPause || backoff(1, 100*time.Hour) != maxAsked || backoff(3, time.Hour) != time.Hour {
		t.Errorf("pauses: %s, %s, %s", last, backoff(1, 100*time.Hour), backoff(3, time.Hour))
	}
}

// A list that has lost most of its entries at once ends nothing.
func TestShrunkList(t *testing.T) {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "192.0.2.%d\n", i+1)
	}
	p := &page{body: b.String()}
	w := newWorld(t, "", Config{Name: "x", Kind: "list", URL: serve(t, p.ServeHTTP), Label: "tlp:green", Gone: "expire", Expire: "10d"})
	w.run("x")
	p.body = "192.0.2.1\n"
	if r := w.run("x"); r.Error == nil || r.Error.Code != "feed.shrunk" {
		t.Fatalf("%+v", r)
	}
	if n := count(w.indicators(), `"valid_until":"2026-11-30T12:00:00.000Z"`); n != 100 {
		t.Errorf("%d are as they were", n)
	}
	p.body = strings.Join(strings.SplitAfter(b.String(), "\n")[:60], "")
	if r := w.run("x"); r.Counts.Gone != 40 || r.Counts.Present != 60 {
		t.Fatalf("%+v", r)
	}
	if n := count(w.indicators(), `"valid_until":"2026-11-20T12:02`); n != 40 {
		t.Errorf("%d have ended", n)
	}
	p.body = b.String()
	if r := w.run("x"); r.Counts.Updated != 40 || len(w.indicators()) != 100 {
		t.Errorf("when they come back they are the same objects: %+v", r)
	}
}
