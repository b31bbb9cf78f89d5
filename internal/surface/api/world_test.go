package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entente/internal/asset"
	"entente/internal/blob"
	"entente/internal/block"
	"entente/internal/build"
	"entente/internal/detect"
	"entente/internal/exchange"
	"entente/internal/feed"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/index"
	"entente/internal/keyring"
	"entente/internal/lists"
	"entente/internal/notify"
	"entente/internal/peers"
	"entente/internal/record"
	"entente/internal/store"
	"entente/internal/store/sqlite"
	"entente/internal/surface"
	"entente/internal/surface/api/apitest"
	"entente/internal/surface/mispapi"
	"entente/register"
)

// world is a node's waist with the interface over it.
type world struct {
	t         testing.TB
	dir       string
	x         *exchange.Exchange
	ids       *identity.Directory
	st        store.Store
	blobs     *blob.Store
	http      http.Handler
	feeds     *feed.Feeds
	lists     *lists.Lists
	peers     *peers.Room
	ring      *keyring.Ring
	gate      *gate.Gate
	reg       *asset.Register
	index     *index.Index
	desk      *notify.Desk
	detection *detect.Room
	block     *block.Room
	federated
	stopping chan struct{}
	met      time.Time    // when the sensor met something
	late     atomic.Int64 // nanoseconds that the store's clock is ahead
}

var (
	admin    = gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "local", Roles: []string{"admin", "analyst", "officer", "auditor", "signatory", "releaser"}, Realm: keyring.Operational}
	outsider = gate.Viewer{Nation: "XER", Org: "Erewhon CERT", Person: "eve", Roles: []string{"admin", "analyst", "officer", "auditor", "publisher", "reader", "signatory", "releaser"}, Realm: keyring.Operational}
)

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), stopping: make(chan struct{})}
	ring, err := keyring.Create(w.dir, keyring.Names{Nation: "UTO", Org: "Utopia CERT"}, time.Now)
	w.must(err)
	w.must(os.Mkdir(filepath.Join(w.dir, "store"), 0o700))
	db, err := sqlite.Open(t.Context(), sqlite.Config{Dir: filepath.Join(w.dir, "store"), Now: func() time.Time { return time.Now().Add(time.Duration(w.late.Load())) }})
	w.must(err)
	w.st = db
	t.Cleanup(func() { db.Close() })
	w.ids, err = identity.New(t.Context(), identity.Config{Store: db, Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational, Pepper: ring.Pepper(), ValidRole: gate.IsRole, Sealer: ring})
	w.must(err)
	_, err = w.ids.AddOrg(t.Context(), "node", identity.Org{Name: "Erewhon CERT", Nation: "XER"})
	w.must(err)
	g := gate.New(gate.Rules{Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational})
	w.x, err = exchange.New(t.Context(), exchange.Config{Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational, Gate: func() *gate.Gate { return g }, Signed: []string{register.Type}}, db)
	w.must(err)
	w.reg = asset.New(asset.Config{Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational, Door: w.x, Signer: ring})
	t.Cleanup(w.x.Close)
	w.gate = g
	w.index, err = index.Open(t.Context(), index.Config{Dir: filepath.Join(w.dir, "index"), Nation: "UTO", Org: "Utopia CERT"}, journal{w})
	w.must(err)
	t.Cleanup(func() { w.index.Close() })
	list := filepath.Join(w.dir, "list.txt")
	w.must(os.WriteFile(list, []byte("192.0.2.1\n"), 0o600))
	w.feeds, err = feed.New(feed.Options{Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational, Sources: []feed.Source{feed.List{}}, Exchange: w.x, Docs: db,
		Base: w.dir, Spool: w.SpoolDir(), Feeds: []feed.Config{{Name: "secret", Kind: "list", File: "list.txt", Label: "tlp:amber", Schedule: "manual"}}})
	w.must(err)
	w.blobs, err = blob.Open(t.Context(), blob.Config{Dir: filepath.Join(w.dir, "blobs"), Secret: ring.Secret("blob"), Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational}, db)
	w.must(err)
	w.lists = someLists(t)
	w.ring = ring
	w.peers, err = peers.Open(t.Context(), peers.Config{Nation: "UTO", Realm: keyring.Operational, Docs: db})
	w.must(err)
	w.openFederation()
	w.openDesk()
	w.openBlock()
	w.openDetection()
	w.http = New(w.x, w.ids, ring, w.blobs, w)
	return w
}

// journal is what the index follows.
type journal struct{ w *world }

func (j journal) Follow(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error) {
	return j.w.x.Follow(ctx, j.w.gate.Own(time.Now()), after, limit)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) Stats(ctx context.Context) (store.Stats, error) { return w.st.Stats(ctx) }
func (w *world) Settings() any                                  { return map[string]any{"listen": "127.0.0.1:8443"} }
func (w *world) Build() any                                     { return build.Read() }
func (w *world) Docs() Docs                                     { return w.st }
func (w *world) SpoolDir() string                               { return filepath.Join(w.dir, "tmp") }
func (w *world) Logger() *slog.Logger                           { return slog.New(slog.DiscardHandler) }
func (w *world) Events() Events {
	return mispapi.New(mispapi.Config{Nation: "UTO", Org: "Utopia CERT", Register: w.ids.Register}, w.x)
}
func (w *world) Peers() *peers.Room        { return w.peers }
func (w *world) Lists() *lists.Lists       { return w.lists }
func (w *world) Register() *asset.Register { return w.reg }
func (w *world) Feeds() *feed.Feeds        { return w.feeds }
func (w *world) Stopping() <-chan struct{} { return w.stopping }
func (w *world) Desk() *notify.Desk        { return w.desk }
func (w *world) Index() *index.Index       { return w.index }
func (w *world) Backup(_ context.Context, out io.Writer) error {
	_, err := io.WriteString(out, "backup")
	return err
}

// documented is what every exchange of these tests is held to.
var documented = func() *apitest.Document {
	d, err := apitest.Read(Document())
	if err != nil {
		panic(err)
	}
	return d
}()

// as is a transport that asks as a viewer. Every exchange is held to the OpenAPI document.
func (w *world) as(v gate.Viewer) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		var asked bytes.Buffer
		if r.Body == nil {
			r.Body = http.NoBody
		}
		r.Body = io.NopCloser(io.TeeReader(r.Body, &asked))
		rec := httptest.NewRecorder()
		w.http.ServeHTTP(rec, r.WithContext(surface.WithViewer(r.Context(), v)))
		err := documented.Check(apitest.Exchange{Method: r.Method, URL: r.URL, Body: asked.Bytes(), Status: rec.Code, Header: rec.Header(), Answer: rec.Body.Bytes()})
		if err != nil {
			w.t.Errorf("not as the document has it: %v", err)
		}
		return rec.Result(), nil
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (w *world) client(v gate.Viewer) *Client { return NewClient("http://node", w.as(v), nil) }

// ask makes one request and returns the status and the body.
func (w *world) ask(v gate.Viewer, method, path, body string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, "http://node"+Prefix+path, strings.NewReader(body))
	w.must(err)
	resp, err := w.as(v).RoundTrip(r)
	w.must(err)
	b, err := io.ReadAll(resp.Body)
	w.must(err)
	return resp.StatusCode, string(b)
}

// importAll imports objects as a viewer and wants all of them stored in a state.
func (w *world) importAll(v gate.Viewer, query map[string][]string, body string) Summary {
	w.t.Helper()
	s, err := w.client(v).Import(w.t.Context(), strings.NewReader(body), query, func(e Event) {
		if e.Outcome != nil {
			w.t.Logf("%s %s %s", e.Outcome.State, e.Outcome.ID, e.Outcome.Message)
		}
	})
	w.must(err)
	return s
}

// object is an identity with a name and further members.
func object(uuid, name string, more string) string {
	return `{"type":"identity","spec_version":"2.1","id":"identity--` + uuid + `","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":` + quoted(name) + more + `}`
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

var errBroken = errors.New("broken")

// broken is a body that fails half-way.
func broken(head string) io.Reader {
	return io.MultiReader(strings.NewReader(head), readerFunc(func([]byte) (int, error) { return 0, errBroken }))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func errOf[T any](_ T, err error) error { return err }

func rootFor(path, party string) exchange.Root {
	return exchange.Root{Path: path, Title: path, Party: party}
}
