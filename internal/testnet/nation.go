package testnet

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"entente/accord"
	"entente/dsse"
	"entente/internal/accords"
	"entente/internal/decisions"
	"entente/internal/exchange"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/keyring"
	"entente/internal/ledger"
	"entente/internal/peers"
	"entente/internal/record"
	"entente/internal/relay"
	"entente/internal/store"
	"entente/internal/store/sqlite"
	"entente/keylog"
	"entente/label"
	"entente/peer"
	"entente/seal"
)

// Nation is one node of an alliance.
type Nation struct {
	Code       string
	Federation *federation.Federation
	Ledger     *ledger.Ledger
	Accords    *accords.Accords
	Decisions  *decisions.Room
	Exchange   *exchange.Exchange
	Relay      *relay.Room // nil: it carries for nobody

	net     *Net
	dir     string
	ring    *keyring.Ring
	db      *sqlite.Store
	peers   *peers.Room
	gate    *gate.Gate
	sealing *seal.Private
	running bool
}

// now is the time by the nation's clock.
func (n *Nation) now() time.Time { return n.net.o.Now().Add(n.net.o.Skew[n.Code]) }

// Of each nation: little memory, since many are in one process.
const (
	cacheKiB = 4096
	readers  = 2
)

func (n *Nation) open() {
	t, ctx := n.net.t, context.Background()
	var err error
	must(t, os.MkdirAll(n.dir+"/store", 0o700))
	n.db, err = sqlite.Open(ctx, sqlite.Config{Dir: n.dir + "/store", CacheKiB: cacheKiB, ReadConns: readers, Now: n.now})
	must(t, err)
	must(t, os.MkdirAll(n.dir+"/ledger", 0o700))
	conf := ledger.Config{Dir: n.dir + "/ledger", Readers: readers}
	if n.net.o.Rand != nil {
		conf.Rand = n.net.o.Rand()
	}
	n.Ledger, err = ledger.Open(ctx, conf)
	must(t, err)
	n.gate = gate.New(gate.Rules{Nation: n.Code, Org: Org(n.Code), Realm: n.net.o.Realm})
	g := func() *gate.Gate { return n.gate }
	n.Exchange, err = exchange.New(ctx, exchange.Config{Nation: n.Code, Org: Org(n.Code), Realm: n.net.o.Realm, Gate: g, Now: n.now,
		Recall: func(ctx context.Context, id string) error {
			_, err := n.Federation.TakeBack(ctx, id, peer.Purge, "purged")
			return err
		},
		Forget: func(ctx context.Context, id string) error { return n.Federation.Forget(ctx, id) }}, n.db)
	must(t, err)
	n.peers, err = peers.Open(ctx, peers.Config{Nation: n.Code, Realm: n.net.o.Realm, Docs: n.db, Now: n.now})
	must(t, err)
	n.Accords, err = accords.New(ctx, accords.Config{Nation: n.Code, Org: Org(n.Code), Realm: n.net.o.Realm, Docs: n.db, Gate: g, OrgOf: Org, Keys: n.keys, Signed: n.signed, Now: n.now,
		Signer: func() (dsse.Signer, error) { return n.ring.Signer(keylog.RoleAccord) },
		Awaits: func(ctx context.Context) (bool, error) { return n.Federation.Awaits(ctx) }})
	must(t, err)
	var docs decisions.Docs = n.db
	if f := n.net.o.Docs; f != nil {
		docs = f(n, docs)
	}
	n.Decisions, err = decisions.New(ctx, decisions.Config{Nation: n.Code, Org: Org(n.Code), Realm: n.net.o.Realm, Docs: docs, Gate: g, Keys: n.state, Log: decisionLog{n},
		Accord: func(d peer.Digest) (decisions.Accord, bool) {
			b, text, binds, goesOn := n.Accords.Signed(d)
			return decisions.Accord{Bundle: b, Text: text, Active: binds, GoesOn: goesOn}, b != nil
		},
		Named: func(name string) (peer.Digest, bool) { d, ok := n.Accords.Binding(name); return d, ok },
		Voter: func() (dsse.Signer, error) { return n.ring.Signer(keylog.RoleVote) },
		Node:  func() (dsse.Signer, error) { return n.ring.Signer(keylog.RoleNode) },
		Accuse: func(ctx context.Context, nation, accord string, proposal, first, second []byte) error {
			return n.Federation.Contradicts(ctx, nation, accord, proposal, first, second)
		},
		Execute: n.executors(), Now: n.now, Tick: n.net.o.Tick / 2, Slog: slog.New(slog.NewTextHandler(n.net.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))})
	must(t, err)
	var home federation.House = house{n}
	if f := n.net.o.House; f != nil {
		home = f(n, home)
	}
	var door federation.Door = n.Exchange
	if f := n.net.o.Door; f != nil {
		door = f(n, door)
	}
	n.Relay = nil
	if slices.Contains(n.net.o.Relays, n.Code) {
		must(t, os.MkdirAll(n.dir+"/relay", 0o700))
		n.Relay, err = relay.Open(ctx, relay.Config{Dir: n.dir + "/relay", Now: n.net.o.Now})
		must(t, err)
	}
	n.Federation, err = federation.New(ctx, federation.Config{Nation: n.Code, Org: Org(n.Code), Realm: n.net.o.Realm, House: home, Door: door, Ledger: n.Ledger, Accords: n.Accords, Decisions: n.Decisions, Leaves: n.net.o.Leaves,
		Relay: n.Relay, Carries: func(string) bool { return true }, Seals: seals{n.ring}, Partners: partners{n}, Originate: func() (dsse.Signer, error) { return n.ring.Signer(keylog.RoleOriginate) },
		Node: func() (federation.NodeKey, error) {
			s, err := n.ring.Signer(keylog.RoleNode)
			if err != nil {
				return nil, err
			}
			return steady{s.(federation.NodeKey), n.net.o.Deaf}, nil
		},
		Bundles: n.dir + "/bundles", SealKeys: n.sealKeys, SealKey: n.sealKey,
		Officer: func() (dsse.Signer, error) { return n.ring.Signer(keylog.RoleRelease) }, Gate: g, Secret: n.ring.Secret("audience"), Now: n.now, Tick: n.net.o.Tick,
		Log: slog.New(slog.NewTextHandler(n.net.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		Dial: func(p federation.Partner) (string, peer.Doer) {
			return "https://" + p.Nation, line{n, n.net.As(p.Nation)}
		}})
	must(t, err)
	n.net.mu.Lock()
	n.running = true
	n.net.mu.Unlock()
}

// Stop ends the nation's work and closes its files. Start goes on.
func (n *Nation) Stop() {
	n.net.mu.Lock()
	was := n.running
	n.running = false
	n.net.mu.Unlock()
	if !was {
		return
	}
	n.Decisions.Close()
	n.Federation.Close()
	n.net.hangUp(n.Code)
	n.Exchange.Close()
	if n.Relay != nil {
		if err := n.Relay.Close(); err != nil {
			n.net.t.Error(err)
		}
	}
	if err := n.Ledger.Close(); err != nil {
		n.net.t.Error(err)
	}
	if err := n.db.Close(); err != nil {
		n.net.t.Error(err)
	}
}

// Start opens a nation that was stopped.
func (n *Nation) Start() {
	n.open()
	n.start()
}

// sealKeys is the one key to which one seals for the nation. It is in memory, since the ring's folder is not there for longer than the test that made it.
// executors carry out what is decided about accords, and what the test says.
func (n *Nation) executors() map[string]decisions.Executor {
	out := maps.Clone(n.net.o.Execute)
	if out == nil {
		out = map[string]decisions.Executor{}
	}
	if out[decisions.AboutAccord] == nil {
		out[decisions.AboutAccord] = decisions.LifeOfAccords(n.now, func(ctx context.Context, l decisions.Life) error { return n.Accords.Decided(ctx, accords.Decision(l)) })
	}
	return out
}

func (n *Nation) sealKeys(time.Time) ([]*seal.Private, error) {
	if n.sealing == nil {
		k, err := seal.Generate()
		if err != nil {
			return nil, err
		}
		n.sealing = k
	}
	return []*seal.Private{n.sealing}, nil
}

func (n *Nation) sealKey(now time.Time) ([]byte, error) {
	by, err := n.ring.Signer(keylog.RoleNode)
	if err != nil {
		return nil, err
	}
	if _, err := n.sealKeys(now); err != nil {
		return nil, err
	}
	return seal.Statement{Nation: n.Code, Org: Org(n.Code), Epoch: 1, Key: n.sealing.Public(), NotBefore: Began, NotAfter: Began.AddDate(0, 1, 0)}.Sign(n.net.o.Realm, by)
}

// decisionLog is where the nation's decisions are said.
type decisionLog struct{ n *Nation }

func (l decisionLog) Say(ctx context.Context, accord [32]byte, topic [16]byte, about string, envelope []byte) (decisions.Place, error) {
	return l.n.Federation.Say(ctx, accord, topic, about, envelope)
}

func (l decisionLog) Spoken(ctx context.Context, from func(string) uint64, take func(decisions.Place, []byte) error) error {
	return l.n.Federation.Spoken(ctx, from, take)
}

func (l decisionLog) Awaits(ctx context.Context) (bool, error) { return l.n.Federation.Awaits(ctx) }

func (l decisionLog) Stretch(ctx context.Context, origin string, from uint64) (peer.Edge, []peer.Leaf, []byte, error) {
	return l.n.Federation.Stretch(ctx, origin, from)
}

// state is what a nation's key log says, as it is known here.
func (n *Nation) state(code string) *keylog.State {
	if code == n.Code {
		return n.ring.KeyState()
	}
	return n.peers.Keys(code)
}

// start sets the nation's workers to work. Where a test plays the partners, the test itself has them work, at times that it chooses.
func (n *Nation) start() {
	if !n.net.o.Deaf {
		n.Federation.Start()
		n.Decisions.Start()
	}
}

// meet takes the other's card, as two people do who compared its fingerprint.
func (n *Nation) meet(o *keyring.Ring) {
	card, err := o.Card("")
	must(n.net.t, err)
	_, err = n.peers.Add(context.Background(), "test", card, o.KeyLog().Fingerprint())
	must(n.net.t, err)
}

// keys are the keys with which an organisation signs accords.
func (n *Nation) keys(code, organisation string) []*dsse.Key {
	return n.keysIn(n.peers.Keys(code), code, organisation)
}

// signed are those with which it signed accords, whatever it showed since.
func (n *Nation) signed(code, organisation string) []*dsse.Key {
	return n.keysIn(n.peers.Mirrored(code), code, organisation)
}

func (n *Nation) keysIn(state *keylog.State, code, organisation string) []*dsse.Key {
	if code == n.Code {
		state = n.ring.KeyState()
	}
	var out []*dsse.Key
	if state != nil {
		for _, k := range state.Keys(organisation, keylog.RoleAccord, n.net.o.Now()) {
			out = append(out, k.Key)
		}
	}
	return out
}

func (n *Nation) caller() federation.Caller {
	return federation.Caller{Nation: n.Code, Org: Org(n.Code)}
}

// Dir is the nation's data directory, without its keys.
func (n *Nation) Dir() string { return n.dir }

// KeyLog is the nation's own key log.
func (n *Nation) KeyLog() *keylog.Log { return n.ring.KeyLog() }

// Viewer is a person of the nation in a role.
func (n *Nation) Viewer(role string) gate.Viewer {
	return gate.Viewer{Nation: n.Code, Org: Org(n.Code), Person: "pat", Roles: []string{role}, Realm: n.net.o.Realm}
}

// Push hands in objects of the nation's own, under one label.
func (n *Nation) Push(l label.Label, objects ...string) {
	n.net.t.Helper()
	s := exchange.Submission{}
	for _, o := range objects {
		s.Objects, s.Labels = append(s.Objects, []byte(o)), append(s.Labels, l)
	}
	n.Submit(s)
}

// Submit hands in what must be taken.
func (n *Nation) Submit(s exchange.Submission) {
	n.net.t.Helper()
	out, err := n.Exchange.Accept(context.Background(), n.Viewer(gate.RoleAnalyst), s)
	must(n.net.t, err)
	for _, o := range out {
		if o.State != exchange.Added {
			n.net.t.Fatalf("%+v", o)
		}
	}
}

// Sees tells whether an analyst of the nation finds an object.
func (n *Nation) Sees(id string) bool {
	_, err := n.Exchange.Get(context.Background(), n.Viewer(gate.RoleAnalyst), "", id, store.Versions{})
	return err == nil
}

// Version is the version of an object that an analyst finds; empty: none.
func (n *Nation) Version(id string) string {
	it, err := n.Exchange.Get(context.Background(), n.Viewer(gate.RoleAnalyst), "", id, store.Versions{})
	if err != nil {
		return ""
	}
	return it.Record.Version
}

// Held is everything that the nation's store has, whoever may see it, with what waits in quarantine.
func (n *Nation) Held() []store.Item {
	var out []store.Item
	q := store.Query{Versions: store.Versions{All: true}, Specs: []string{"2.0", "2.1"}, Held: true}
	for {
		page, err := n.db.Page(context.Background(), n.gate.Own(n.net.o.Now()), q)
		must(n.net.t, err)
		out = append(out, page.Items...)
		if !page.More {
			return out
		}
		q.After = page.Next
	}
}

// Relabel puts an own object under another label.
func (n *Nation) Relabel(id string, to label.Label) {
	n.net.t.Helper()
	v := n.Viewer(gate.RoleOfficer)
	v.Roles = append(v.Roles, gate.RoleAnalyst)
	_, err := n.Exchange.Relabel(context.Background(), v, exchange.Relabelling{ID: id, Label: to})
	must(n.net.t, err)
}

// Share names organisations of nations in the audience of an own object, or, with not, no more.
func (n *Nation) Share(id string, not bool, codes ...string) {
	n.net.t.Helper()
	s := exchange.Sharing{ID: id, Not: not}
	for _, c := range codes {
		s.With = append(s.With, label.Org(c, Org(c)))
	}
	_, err := n.Exchange.Share(context.Background(), n.Viewer(gate.RoleOfficer), s)
	must(n.net.t, err)
}

// Say states something about an accord in force.
func (n *Nation) Say(name string, verb accord.Verb) {
	n.net.t.Helper()
	_, err := n.Accords.Say(context.Background(), n.Viewer(gate.RoleOfficer), name, verb, "")
	must(n.net.t, err)
}

// Retract tells everybody who has an own object that it was wrong.
func (n *Nation) Retract(id string) {
	n.net.t.Helper()
	_, err := n.Federation.TakeBack(context.Background(), id, peer.Retract, "wrong")
	must(n.net.t, err)
}

// Purge destroys an own object here and wherever it went.
func (n *Nation) Purge(id string) {
	n.net.t.Helper()
	_, err := n.Exchange.Purge(context.Background(), n.Viewer(gate.RoleOfficer), id, false)
	must(n.net.t, err)
}

type partners struct{ n *Nation }

func (p partners) Partners() []federation.Partner {
	var out []federation.Partner
	for _, k := range p.n.peers.List() {
		if s := p.n.peers.Keys(k.Nation); s != nil {
			address := "line"
			if p.n.net.o.Deaf {
				address = ""
			}
			out = append(out, federation.Partner{Nation: k.Nation, Org: k.Org, Node: k.Node, Address: address, Keys: s})
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
		p.n.Accords.KeysChanged()
	}
	return err
}

func (p partners) Log(nation string) (*keylog.Log, error) { return p.n.peers.Log(nation) }
func (p partners) Fork(ctx context.Context, evidence []byte) error {
	return p.n.peers.TakeFork(ctx, evidence)
}
func (p partners) KeyLog() *keylog.Log      { return p.n.ring.KeyLog() }
func (p partners) Changed() <-chan struct{} { return p.n.peers.Changed() }

type house struct{ n *Nation }

func (h house) own() gate.Scope { return h.n.gate.Own(h.n.net.o.Now()) }
func (h house) Follow(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error) {
	return h.n.db.Follow(ctx, h.own(), after, limit)
}
func (h house) Page(ctx context.Context, q store.Query) (store.Page, error) {
	return h.n.db.Page(ctx, h.own(), q)
}
func (h house) Newest() (record.Seq, <-chan struct{})              { return h.n.db.Newest() }
func (h house) Release(ctx context.Context, r store.Release) error { return h.n.db.Release(ctx, r) }
func (h house) PutDocs(ctx context.Context, a store.Act, d ...store.Doc) error {
	return h.n.db.PutDocs(ctx, a, d...)
}
func (h house) Doc(ctx context.Context, kind, key string) (store.Doc, error) {
	return h.n.db.Doc(ctx, kind, key)
}
func (h house) Docs(ctx context.Context, kind, after string, limit int) ([]store.Doc, error) {
	return h.n.db.Docs(ctx, kind, after, limit)
}

// Clock is a clock that stands still until it is moved.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock is a clock that stands at a time.
func NewClock(at time.Time) *Clock { return &Clock{at: at} }

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Move moves the clock on.
func (c *Clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// seals are the keys that others seal to: one for each nation, which lasts as long as the process does.
type seals struct{ ring *keyring.Ring }

var (
	sealsMu sync.Mutex
	sealing = map[string]*seal.Private{}
)

func (s seals) SealKeys(time.Time) ([]*seal.Private, error) {
	sealsMu.Lock()
	defer sealsMu.Unlock()
	nation := s.ring.Names().Nation
	if sealing[nation] == nil {
		p, err := seal.Generate()
		if err != nil {
			return nil, err
		}
		sealing[nation] = p
	}
	return []*seal.Private{sealing[nation]}, nil
}

func (s seals) SealStatement(now time.Time) ([]byte, error) {
	keys, err := s.SealKeys(now)
	if err != nil {
		return nil, err
	}
	by, err := s.ring.Signer(keylog.RoleNode)
	if err != nil {
		return nil, err
	}
	names := s.ring.Names()
	return seal.Statement{Nation: names.Nation, Org: names.Org, Epoch: 1, Key: keys[0].Public(), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour)}.Sign(names.Realm, by)
}

// Follow gives what the nation's journal has after an entry, and is called again when what it gives beside is closed.
func (n *Nation) Follow(after record.Seq) ([]store.Entry, <-chan struct{}) {
	_, grown := n.db.Newest()
	all, err := house{n}.Follow(context.Background(), after, 1000)
	must(n.net.t, err)
	return all, grown
}
