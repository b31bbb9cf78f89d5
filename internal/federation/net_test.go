package federation_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entente/dsse"
	"entente/internal/accords"
	"entente/internal/exchange"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/keyring"
	"entente/internal/ledger"
	"entente/internal/peers"
	"entente/internal/record"
	"entente/internal/store"
	"entente/internal/store/sqlite"
	"entente/keylog"
	"entente/label"
	"entente/peer"
)

// alliance is nations in one process: each with keys, a store, a ledger, its accords and its federation, and lines between them that can be cut.
type alliance struct {
	t     testing.TB
	nodes map[string]*nation

	mu      sync.Mutex
	cut     map[string]bool // "from>to"
	on      map[*call]bool  // requests under way
	ahead   atomic.Int64    // of the true time, in nanoseconds
	revoked string          // a nation whose connections are of a key that counts no more
}

func (a *alliance) now() time.Time { return time.Now().Add(time.Duration(a.ahead.Load())) }

// wait lets time pass.
func (a *alliance) wait(d time.Duration) { a.ahead.Add(int64(d)) }

// morning lets time pass until a day begins: what is counted by days is counted on one, whenever the test runs.
func (a *alliance) morning() {
	now := a.now().UTC()
	a.wait(now.Truncate(24 * time.Hour).Add(24*time.Hour + time.Minute).Sub(now))
}

type nation struct {
	*federation.Federation
	net      *alliance
	code     string
	dir      string
	ring     *keyring.Ring
	db       *sqlite.Store
	ledger   *ledger.Ledger
	peers    *peers.Room
	accords  *accords.Accords
	exchange *exchange.Exchange
	gate     *gate.Gate
	servers  map[string]*httptest.Server // by the nation that calls
	fail     func(step string) error     // nil: everything works
	after    func(time.Duration) <-chan time.Time

	door      sync.Mutex
	handler   http.Handler
	answering sync.WaitGroup
}

func org(code string) string { return strings.ToLower(code) + ".cert" }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ally stands up nations that know each other.
func ally(t testing.TB, codes ...string) *alliance {
	net := &alliance{t: t, nodes: map[string]*nation{}, cut: map[string]bool{}, on: map[*call]bool{}}
	for _, code := range codes {
		n := &nation{net: net, code: code, dir: t.TempDir(), servers: map[string]*httptest.Server{}}
		var err error
		n.ring, err = keyring.Create(n.dir, keyring.Names{Nation: code, Org: org(code)}, net.now)
		must(t, err)
		net.nodes[code] = n
		n.open()
		t.Cleanup(func() { n.close() })
	}
	for _, a := range net.nodes {
		for _, b := range net.nodes {
			if a != b {
				a.meet(b)
			}
		}
	}
	for _, n := range net.nodes {
		n.Start()
	}
	return net
}

func (n *nation) open() {
	t, ctx := n.net.t, context.Background()
	var err error
	must(t, os.MkdirAll(n.dir+"/store", 0o700))
	must(t, os.MkdirAll(n.dir+"/ledger", 0o700))
	n.db, err = sqlite.Open(ctx, sqlite.Config{Dir: n.dir + "/store", Now: n.net.now})
	must(t, err)
	n.ledger, err = ledger.Open(ctx, ledger.Config{Dir: n.dir + "/ledger"})
	must(t, err)
	n.gate = gate.New(gate.Rules{Nation: n.code, Org: org(n.code), Realm: "operational"})
	g := func() *gate.Gate { return n.gate }
	n.exchange, err = exchange.New(ctx, exchange.Config{Nation: n.code, Org: org(n.code), Realm: "operational", Gate: g, Now: n.net.now,
		Recall: func(ctx context.Context, id string) error {
			_, err := n.TakeBack(ctx, id, peer.Purge, "purged")
			return err
		},
		Forget: func(ctx context.Context, id string) error { return n.Forget(ctx, id) }}, n.db)
	must(t, err)
	n.peers, err = peers.Open(ctx, peers.Config{Nation: n.code, Realm: "operational", Docs: n.db, Now: n.net.now})
	must(t, err)
	n.accords, err = accords.New(ctx, accords.Config{Nation: n.code, Org: org(n.code), Realm: "operational", Docs: n.db, Gate: g, OrgOf: org, Keys: n.keys, Now: n.net.now,
		Signer: func() (dsse.Signer, error) { return n.ring.Signer(keylog.RoleAccord) }})
	must(t, err)
	n.federate()
	for code := range n.net.nodes { // whoever is there already, and is met later
		n.serve(code)
	}
	for _, o := range n.net.nodes {
		o.serve(n.code)
	}
}

// federate makes the room that joins the node to the others.
func (n *nation) federate() {
	t, ctx := n.net.t, context.Background()
	g := func() *gate.Gate { return n.gate }
	var err error
	n.Federation, err = federation.New(ctx, federation.Config{Nation: n.code, Org: org(n.code), Realm: "operational", House: house{n}, Door: door{n.exchange, n}, Now: n.net.now, After: n.after, Tick: 100 * time.Millisecond, Ledger: n.ledger, Accords: n.accords,
		Partners: partners{n}, Originate: func() (dsse.Signer, error) { return n.ring.Signer(keylog.RoleOriginate) },
		Node: func() (federation.NodeKey, error) {
			s, err := n.ring.Signer(keylog.RoleNode)
			if err != nil {
				return nil, err
			}
			return s.(federation.NodeKey), nil
		},
		Officer: func() (dsse.Signer, error) { return n.ring.Signer(keylog.RoleRelease) }, Gate: g, Secret: n.ring.Secret("audience"),
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Dial: func(p federation.Partner) (string, peer.Doer) {
			return n.net.nodes[p.Nation].servers[n.code].URL, line{n, p.Nation}
		}})
	must(t, err)
	n.answer(peer.NewServer(n.Backend(), peer.Options{Failed: func(ctx context.Context, err error) {
		c, _ := federation.CallerOf(ctx)
		t.Logf("%s answers %s: %v", n.code, c.Nation, err)
	}, Caller: func(ctx context.Context) string { c, _ := federation.CallerOf(ctx); return c.Nation }}))
}

// serve opens the door for one caller. Who calls is known by the door, as it would be by the key.
func (n *nation) serve(caller string) {
	if caller == n.code || n.servers[caller] != nil {
		return
	}
	n.servers[caller] = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.door.Lock()
		h := n.handler
		if h != nil {
			n.answering.Add(1)
		}
		n.door.Unlock()
		if h == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		defer n.answering.Done()
		h.ServeHTTP(w, r.WithContext(federation.WithCaller(r.Context(), federation.Caller{Nation: caller, Org: org(caller), Still: func() bool { return n.net.trusts(caller) }})))
	}))
	n.net.t.Cleanup(n.servers[caller].Close)
}

// answer has the door answer by a handler, or not at all; what is being answered ends first.
func (n *nation) answer(h http.Handler) {
	n.door.Lock()
	n.handler = h
	n.door.Unlock()
	for _, s := range n.servers {
		s.CloseClientConnections()
	}
	n.answering.Wait()
}

func (n *nation) close() {
	n.answer(nil)
	n.Federation.Close()
	n.exchange.Close()
	if err := n.ledger.Close(); err != nil {
		n.net.t.Error(err)
	}
	if err := n.db.Close(); err != nil {
		n.net.t.Error(err)
	}
}

// meet takes the other's card, as two people do who compared its fingerprint.
func (n *nation) meet(o *nation) {
	card, err := o.ring.Card("")
	must(n.net.t, err)
	_, err = n.peers.Add(context.Background(), "test", card, o.ring.KeyLog().Fingerprint())
	must(n.net.t, err)
}

// keys are the keys with which an organisation signs accords.
func (n *nation) keys(code, organisation string) []*dsse.Key {
	state := n.peers.Keys(code)
	if code == n.code {
		state = n.ring.KeyState()
	}
	var out []*dsse.Key
	if state != nil {
		for _, k := range state.All() {
			if k.Org == organisation && slices.Contains(k.Roles, keylog.RoleAccord) && k.Compromised.IsZero() {
				out = append(out, k.Key)
			}
		}
	}
	return out
}

type partners struct{ n *nation }

func (p partners) Partners() []federation.Partner {
	var out []federation.Partner
	for _, k := range p.n.peers.List() {
		if s := p.n.peers.Keys(k.Nation); s != nil {
			out = append(out, federation.Partner{Nation: k.Nation, Org: k.Org, Node: k.Node, Address: "line", Keys: s})
		}
	}
	return out
}

func (p partners) Forked() []federation.Partner {
	var out []federation.Partner
	for _, k := range p.n.peers.List() {
		if k.Forked {
			out = append(out, federation.Partner{Nation: k.Nation, Org: k.Org, Fork: p.n.peers.Fork(k.Nation)})
		}
	}
	return out
}

func (p partners) Learn(ctx context.Context, code string, from int64, statements [][]byte) error {
	added, err := p.n.peers.Extend(ctx, code, from, statements)
	if added > 0 {
		p.n.accords.KeysChanged()
	}
	return err
}

func (p partners) Log(nation string) (*keylog.Log, error) { return p.n.peers.Log(nation) }
func (p partners) Fork(ctx context.Context, evidence []byte) error {
	return p.n.peers.TakeFork(ctx, evidence)
}
func (p partners) KeyLog() *keylog.Log      { return p.n.ring.KeyLog() }
func (p partners) Changed() <-chan struct{} { return p.n.peers.Changed() }

// line carries requests to a partner, unless it is cut.
type line struct {
	n  *nation
	to string
}

// call is a request under way, until its answer is closed.
type call struct {
	io.ReadCloser
	net *alliance
	way string
	end context.CancelFunc
}

func (c *call) Close() error {
	c.net.mu.Lock()
	delete(c.net.on, c)
	c.net.mu.Unlock()
	c.end()
	return c.ReadCloser.Close()
}

func (l line) Do(r *http.Request) (*http.Response, error) {
	net, way := l.n.net, l.n.code+">"+l.to
	ctx, end := context.WithCancel(r.Context())
	c := &call{ReadCloser: http.NoBody, net: net, way: way, end: end}
	net.mu.Lock()
	cut := net.cut[way] || net.cut[way+r.URL.Path]
	if !cut {
		net.on[c] = true // whoever cuts the line from now on ends it
	}
	net.mu.Unlock()
	if cut {
		end()
		return nil, fmt.Errorf("the line from %s to %s is cut", l.n.code, l.to)
	}
	a, err := http.DefaultClient.Do(r.WithContext(ctx))
	if err != nil {
		c.Close()
		return nil, err
	}
	c.ReadCloser, a.Body = a.Body, c
	return a, nil
}

// part cuts the lines between two nations both ways, or heals them.
func (a *alliance) part(x, y string, cut bool) {
	a.mu.Lock()
	a.cut[x+">"+y], a.cut[y+">"+x] = cut, cut
	for c := range a.on {
		if cut && (c.way == x+">"+y || c.way == y+">"+x) {
			c.end()
		}
	}
	a.mu.Unlock()
	if cut {
		a.nodes[x].servers[y].CloseClientConnections()
		a.nodes[y].servers[x].CloseClientConnections()
	}
}

// do does one step, unless the node is to stop before or after it.
func (n *nation) do(step string, f func() error) error {
	n.net.mu.Lock()
	fail := n.fail
	n.net.mu.Unlock()
	if fail != nil {
		if err := fail("before " + step); err != nil {
			return err
		}
	}
	err := f()
	if err == nil && fail != nil {
		err = fail("after " + step)
	}
	return err
}

// door is the exchange as the federation uses it.
type door struct {
	*exchange.Exchange
	n *nation
}

func (d door) Accept(ctx context.Context, v gate.Viewer, s exchange.Submission) (out []exchange.Outcome, err error) {
	err = d.n.do("accept", func() (err error) { out, err = d.Exchange.Accept(ctx, v, s); return err })
	return out, err
}

func (d door) Withdraw(ctx context.Context, o exchange.Order) (count int, err error) {
	err = d.n.do("withdraw", func() (err error) { count, err = d.Exchange.Withdraw(ctx, o); return err })
	return count, err
}

func (d door) Destroy(ctx context.Context, o exchange.Order) (r store.PurgeReport, err error) {
	err = d.n.do("destroy", func() (err error) { r, err = d.Exchange.Destroy(ctx, o); return err })
	return r, err
}

// crash ends the node as a power cut does: what its files hold at that moment is all that the next start finds.
func (n *nation) crash() {
	t := n.net.t
	dir := t.TempDir()
	for _, sub := range []string{"", "/store", "/ledger"} {
		must(t, os.MkdirAll(dir+sub, 0o700))
		files, err := os.ReadDir(n.dir + sub)
		must(t, err)
		for _, f := range files {
			if f.Type().IsRegular() && !strings.HasSuffix(f.Name(), ".lock") && !strings.HasSuffix(f.Name(), "-shm") {
				b, err := os.ReadFile(n.dir + sub + "/" + f.Name())
				must(t, err)
				must(t, os.WriteFile(dir+sub+"/"+f.Name(), b, 0o600))
			}
		}
	}
	n.close()
	n.net.mu.Lock()
	n.fail = nil
	n.net.mu.Unlock()
	n.dir = dir
	n.open()
	n.Start()
}

type house struct{ n *nation }

func (h house) own() gate.Scope { return h.n.gate.Own(h.n.net.now()) }
func (h house) Follow(ctx context.Context, after record.Seq, limit int) (e []store.Entry, err error) {
	err = h.n.do("follow", func() (err error) { e, err = h.n.db.Follow(ctx, h.own(), after, limit); return err })
	return e, err
}
func (h house) Page(ctx context.Context, q store.Query) (p store.Page, err error) {
	step := "page"
	if len(q.Lookups) > 0 {
		step = "referrers"
	}
	err = h.n.do(step, func() (err error) { p, err = h.n.db.Page(ctx, h.own(), q); return err })
	return p, err
}
func (h house) Newest() (record.Seq, <-chan struct{}) { return h.n.db.Newest() }
func (h house) Release(ctx context.Context, r store.Release) error {
	return h.n.do("release", func() error { return h.n.db.Release(ctx, r) })
}
func (h house) PutDocs(ctx context.Context, a store.Act, d ...store.Doc) error {
	return h.n.db.PutDocs(ctx, a, d...)
}
func (h house) Doc(ctx context.Context, kind, key string) (store.Doc, error) {
	return h.n.db.Doc(ctx, kind, key)
}
func (h house) Docs(ctx context.Context, kind, after string, limit int) ([]store.Doc, error) {
	return h.n.db.Docs(ctx, kind, after, limit)
}

func (n *nation) as(role string) gate.Viewer {
	return gate.Viewer{Nation: n.code, Org: org(n.code), Person: "pat", Roles: []string{role}, Realm: "operational"}
}

// bound stands up two nations whose accord lets malware pass.
func bound(t *testing.T) (net *alliance, uto, rur *nation) {
	net = ally(t, "UTO", "RUR")
	net.agree(between("ut-ru", "malware", "UTO", "RUR"), "UTO", "RUR")
	return net, net.nodes["UTO"], net.nodes["RUR"]
}

// agree signs an accord between nations at each of them, and waits until it binds everywhere.
func (a *alliance) agree(text string, codes ...string) {
	a.t.Helper()
	ctx := context.Background()
	var digest string
	for _, code := range codes {
		n := a.nodes[code]
		v, err := n.accords.Add(ctx, n.as(gate.RoleAnalyst), []byte(text))
		must(a.t, err)
		digest = v.Digest
		_, err = n.accords.Sign(ctx, n.as(gate.RoleSignatory), digest, 0)
		must(a.t, err)
	}
	a.eventually("the accord binds everywhere", func() bool {
		for _, code := range codes {
			v, err := a.nodes[code].accords.Get(a.nodes[code].as(gate.RoleAnalyst), digest, 0)
			if err != nil || v.Phase != accords.Active || v.Meets != 0 {
				return false
			}
		}
		return true
	})
}

func (a *alliance) eventually(what string, holds func() bool) {
	a.t.Helper()
	a.within(3*time.Minute, what, holds)
}

// patient is eventually, for loads.
func (a *alliance) patient(what string, holds func() bool) {
	a.t.Helper()
	a.within(5*time.Minute, what, holds)
}

func (a *alliance) within(most time.Duration, what string, holds func() bool) {
	a.t.Helper()
	for deadline := time.Now().Add(most); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			for _, n := range a.nodes {
				links, _ := n.Links(context.Background())
				a.t.Logf("%s: %+v", n.code, links)
			}
			a.t.Fatalf("this did not come about: %s", what)
		}
	}
}

// push hands in an object of the nation's own, under a label.
func (n *nation) push(object string, l label.Label) {
	n.net.t.Helper()
	out, err := n.exchange.Accept(context.Background(), n.as(gate.RoleAnalyst), exchange.Submission{Objects: [][]byte{[]byte(object)}, Labels: []label.Label{l}})
	must(n.net.t, err)
	if out[0].State != exchange.Added {
		n.net.t.Fatalf("%+v", out)
	}
}

func (a *alliance) trusts(code string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.revoked != code
}

var (
	all = store.Versions{All: true}
	own = ledger.Filter{Own: true}
)

// versions are those of an object that an analyst finds.
func (n *nation) versions(id string) (out []string) {
	page, err := n.db.Page(context.Background(), n.gate.Scope(n.as(gate.RoleAnalyst), n.net.now()), store.Query{IDs: []string{id}, Versions: all})
	must(n.net.t, err)
	for _, it := range page.Items {
		out = append(out, it.Record.Version)
	}
	return out
}

func (n *nation) relabel(id, version string, l label.Label) {
	n.net.t.Helper()
	who := n.as(gate.RoleOfficer)
	who.Roles = append(who.Roles, gate.RoleAnalyst)
	_, err := n.exchange.Relabel(context.Background(), who, exchange.Relabelling{ID: id, Version: version, Label: l})
	must(n.net.t, err)
}

// sees tells whether an analyst of the nation finds an object.
func (n *nation) sees(id string) bool {
	_, err := n.exchange.Get(context.Background(), n.as(gate.RoleAnalyst), "", id, store.Versions{})
	return err == nil
}

// to is a label that names nations.
func to(tlp label.TLP, codes ...string) label.Label {
	var names []string
	for _, c := range codes {
		names = append(names, label.Org(c, org(c)))
	}
	s, err := label.NewAudience(names...)
	if err != nil {
		panic(err)
	}
	return label.For(tlp).To(s)
}
