package node

import (
	"context"
	"crypto/tls"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/identity"
)

// world is a whole node behind its TLS listener, with the viewers that the rows of the TAXII checklist ask as.
type world struct {
	t      testing.TB
	cfg    Config
	n      *Node
	ahead  atomic.Int64 // nanoseconds that the node's clock is ahead of ours
	tokens map[string]string
	http   *http.Client
}

// The viewers. All but dave are of the node's own organisation. mallory's role is named by no collection.
const (
	alice   = "alice"   // reads and writes
	bob     = "bob"     // reads
	carol   = "carol"   // writes
	mallory = "mallory" // may neither
	dave    = "dave"    // reads and writes, for another organisation
	audrey  = "audrey"  // audits the node
)

const password = "correct-horse-battery-7"

// settings are those of the node that most rows run on: small limits are reached with small input.
func settings(c *Config) { c.Limits.PostBytes, c.Limits.PostObjects = 1<<16, 20 }

func newWorld(t testing.TB, set func(*Config)) *world {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "d")
	must(t, Create(t.Context(), Init{Data: dir, Nation: "UTO", Org: "Utopia CERT", AdminPassword: password}))
	w := &world{t: t, cfg: DefaultConfig(dir), tokens: map[string]string{}}
	w.cfg.Listen = "127.0.0.1:0"
	w.cfg.Now = func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
	set(&w.cfg)
	w.start()
	t.Cleanup(w.stop)
	_, err := w.n.ids.AddOrg(t.Context(), Local, identity.Org{Name: "Arcadia CERT", Nation: "ARC"})
	must(t, err)
	for name, role := range map[string]string{alice: gate.RoleAnalyst, bob: gate.RoleReader, carol: gate.RolePublisher, mallory: gate.RoleOfficer, dave: gate.RoleAnalyst, audrey: gate.RoleAuditor} {
		org := ""
		if name == dave {
			org = "Arcadia CERT"
		}
		text, _, err := w.n.ids.IssueToken(t.Context(), Local, identity.TokenSpec{Name: name, Org: org, Roles: []string{role}})
		must(t, err)
		w.tokens[name] = text
	}
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) start() {
	w.t.Helper()
	n, err := New(context.Background(), w.cfg)
	must(w.t, err)
	must(w.t, n.Start(context.Background()))
	w.n = n
	w.http = w.client(nil)
}

func (w *world) stop() {
	w.t.Helper()
	w.http.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := w.n.Stop(ctx); err != nil {
		w.t.Error(err)
	}
}

func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.start()
}

// client follows no redirect, decodes no coding, and speaks HTTP/2 where it can. change may set its TLS.
func (w *world) client(change func(*tls.Config)) *http.Client {
	conf := w.n.ClientTLS()
	if change != nil {
		change(conf)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: conf, DisableCompression: true, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 2 * time.Minute}
}

// oldClient speaks HTTP/1.1, and sends no body before the server asks for it where the request wants that.
func (w *world) oldClient() *http.Client {
	c := w.client(nil)
	t := c.Transport.(*http.Transport)
	t.ForceAttemptHTTP2, t.TLSNextProto, t.ExpectContinueTimeout = false, map[string]func(string, *tls.Conn) http.RoundTripper{}, 2*time.Minute
	return c
}

// admin is who makes collections and roots.
func (w *world) admin() gate.Viewer {
	names := w.n.ring.Names()
	return gate.Viewer{Nation: names.Nation, Org: names.Org, Person: Local, Roles: everyRole(), Realm: names.Realm}
}

// collection makes a collection for who reads and writes; roles narrow it.
func (w *world) collection(c exchange.Collection) string {
	w.t.Helper()
	if c.Title == "" {
		c.Title = "T"
	}
	if c.Read == nil {
		c.Read = []string{gate.RoleAnalyst, gate.RoleReader}
	}
	if c.Write == nil {
		c.Write = []string{gate.RoleAnalyst, gate.RolePublisher}
	}
	made, err := w.n.exchange.AddCollection(context.Background(), w.admin(), c)
	must(w.t, err)
	return made.ID
}

// withoutSocket is a directory without what is no file in it.
type withoutSocket struct{ fs.FS }

func (w withoutSocket) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(w.FS, name)
	return slices.DeleteFunc(all, func(e fs.DirEntry) bool { return !e.IsDir() && !e.Type().IsRegular() }), err
}
