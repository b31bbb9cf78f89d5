package feed

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/internal/store/sqlite"
)

const realm = "operational"

var (
	own  = gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "ada", Roles: []string{"admin", "analyst", "officer", "auditor"}, Realm: realm}
	ally = gate.Viewer{Nation: "ARC", Org: "Arcadia CERT", Person: "bob", Roles: []string{"reader"}, Realm: realm}
)

// allSources is every kind of feed.
var allSources = []Source{TAXII{}, Bundle{}, List{}, Table{}, KEV{}, MISP{}, Push{}, MISPServer{}, MISPPush{}}

// world is a node's waist with feeds over it, on a clock that tests move.
type world struct {
	t   testing.TB
	dir string
	st  store.Store
	x   *exchange.Exchange
	now time.Time
	f   *Feeds
}

func newWorld(t testing.TB, dir string, feeds ...Config) *world {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	w := &world{t: t, dir: dir, now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	var err error
	w.st, err = sqlite.Open(context.Background(), sqlite.Config{Dir: dir, Now: time.Now})
	must(t, err)
	t.Cleanup(func() { w.st.Close() })
	g := gate.New(gate.Rules{Nation: "UTO", Org: "Utopia CERT", Realm: realm, Communities: map[string][]gate.Party{"allies": {{Nation: "ARC", Org: "Arcadia CERT"}}}, Community: "allies"})
	w.x, err = exchange.New(context.Background(), exchange.Config{Nation: "UTO", Org: "Utopia CERT", Realm: realm, Gate: func() *gate.Gate { return g }, Now: w.clock}, w.st)
	must(t, err)
	t.Cleanup(w.x.Close)
	w.configure(feeds...)
	return w
}

func (w *world) clock() time.Time { return w.now }

// configure gives the node other feeds, as a restart with another configuration file does.
func (w *world) configure(feeds ...Config) {
	w.t.Helper()
	var err error
	w.f, err = New(Options{Nation: "UTO", Org: "Utopia CERT", Realm: realm, Feeds: feeds, Sources: allSources, Exchange: w.x, Docs: w.st, Base: w.dir,
		Spool: filepath.Join(w.dir, "tmp"), UserAgent: "entente/test", Now: w.clock})
	must(w.t, err)
}

// run runs a feed and returns what it did.
func (w *world) run(name string) Report {
	w.t.Helper()
	r, err := w.f.Ask(w.t.Context(), own, name, false)
	must(w.t, err)
	w.now = w.now.Add(time.Minute)
	return r
}

// objects are the bodies that a viewer may have, in order.
func (w *world) objects(v gate.Viewer, q store.Query) []string {
	w.t.Helper()
	var out []string
	for {
		p, err := w.x.Read(context.Background(), v, q)
		must(w.t, err)
		for _, it := range p.Items {
			out = append(out, string(it.Record.Body))
		}
		if q.After = p.Next; !p.More {
			return out
		}
	}
}

func (w *world) indicators() []string {
	return w.objects(own, store.Query{Types: []string{"indicator"}})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve answers every request with h.
func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// page is a document that tests change.
type page struct {
	body string
	kind string
	etag string
	hits int
	full int // answers that were not 304
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.hits++
	if p.etag != "" {
		w.Header().Set("ETag", p.etag)
		if r.Header.Get("If-None-Match") == p.etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	p.full++
	if p.kind != "" {
		w.Header().Set("Content-Type", p.kind)
	}
	w.Write([]byte(p.body))
}

func count(objects []string, part string) int {
	n := 0
	for _, o := range objects {
		if strings.Contains(o, part) {
			n++
		}
	}
	return n
}

func write(t testing.TB, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}
