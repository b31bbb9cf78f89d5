package console

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"entente/web"
)

type noSetup struct{}

func (noSetup) CheckSetup(context.Context, string) error                  { return nil }
func (noSetup) RedeemSetup(context.Context, string, string, string) error { return nil }

var built = fstest.MapFS{
	"index.html":          {Data: []byte("<!doctype html><title>app</title>")},
	"placeholder.html":    {Data: []byte("not built")},
	"NOTICES.txt":         {Data: []byte("licences")},
	"assets/a-1.js":       {Data: []byte("let a")},
	"assets/a-1.js.gz":    {Data: []byte("\x1f\x8bpacked")},
	"assets/font-1.woff2": {Data: []byte("wOF2")},
}

func TestTheApplicationIsServed(t *testing.T) {
	h := New("Utopia CERT", noSetup{}, built)
	for _, c := range []struct {
		name, method, path, accept string
		status                     int
		typ, cache, encoding, body string
	}{
		{"the front page", "GET", "/", "", 200, "text/html; charset=utf-8", "no-cache", "", "<title>app"},
		{"a screen", "GET", "/app/objects/tool--1?tab=raw", "gzip", 200, "text/html; charset=utf-8", "no-cache", "", "<title>app"},
		{"an asset", "GET", "/assets/a-1.js", "", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "", "let a"},
		{"an asset, compressed", "GET", "/assets/a-1.js", "br, gzip", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "gzip", "packed"},
		{"an asset that is not compressed", "GET", "/assets/font-1.woff2", "gzip", 200, "font/woff2", "public, max-age=31536000, immutable", "", "wOF2"},
		{"a head", "HEAD", "/assets/a-1.js", "", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "", ""},
		{"licences", "GET", "/NOTICES.txt", "", 200, "text/plain; charset=utf-8", "no-cache", "", "licences"},
		{"an asset that is not there", "GET", "/assets/b.js", "", 404, "text/html; charset=utf-8", "no-store", "", "No such page"},
		{"a compressed copy by its name", "GET", "/assets/a-1.js.gz", "", 404, "text/html; charset=utf-8", "no-store", "", "No such page"},
		{"a file that is no asset", "GET", "/assets/..%2Findex.html", "", 404, "text/html; charset=utf-8", "no-store", "", "No such page"},
		{"a folder", "GET", "/assets/", "", 404, "text/html; charset=utf-8", "no-store", "", "No such page"},
		{"an address of nothing", "GET", "/admin.php", "", 404, "text/html; charset=utf-8", "no-store", "", "No such page"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.path, nil)
			if c.accept != "" {
				r.Header.Set("Accept-Encoding", c.accept)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			got := w.Result()
			body, _ := io.ReadAll(got.Body)
			if got.StatusCode != c.status || !strings.Contains(string(body), c.body) {
				t.Fatalf("got %d %q", got.StatusCode, body)
			}
			for name, want := range map[string]string{"Content-Type": c.typ, "Cache-Control": c.cache, "Content-Encoding": c.encoding} {
				if is := got.Header.Get(name); is != want {
					t.Errorf("%s is %q, not %q", name, is, want)
				}
			}
			csp := got.Header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
				if !strings.Contains(csp, want) {
					t.Errorf("the policy lacks %s: %s", want, csp)
				}
			}
			if strings.Contains(csp, "unsafe") || got.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers: %v", got.Header)
			}
		})
	}
}

func TestWithoutABundleThePlaceholderIsShown(t *testing.T) {
	h := New("Utopia CERT", noSetup{}, fstest.MapFS{"placeholder.html": {Data: []byte("not built")}})
	for path, status := range map[string]int{"/": 200, "/app/search": 200, "/assets/a-1.js": 404, "/NOTICES.txt": 404} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != status || (status == http.StatusOK) != strings.Contains(w.Body.String(), "not built") {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
}

// Whatever was built, the program has a page to show.
func TestTheProgramCarriesAFrontPage(t *testing.T) {
	w := httptest.NewRecorder()
	New("Utopia CERT", noSetup{}, web.Dist()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<title>Entente</title>") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}
