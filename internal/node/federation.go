package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"entente/dsse"
	"entente/internal/accords"
	"entente/internal/decisions"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/keyring"
	"entente/internal/ledger"
	"entente/internal/notify"
	"entente/internal/record"
	"entente/internal/store"
	"entente/internal/surface/peerapi"
	"entente/keylog"
	"entente/peer"
)

// ledgerFolder is where the audience logs stand below the data directory.
const ledgerFolder = "ledger"

// bundleFolder is where bundles stand that were made, or wait.
const bundleFolder = "bundles"

// openFederation opens what joins the node to those of its partners.
func (n *Node) openFederation(ctx context.Context) error {
	dir := filepath.Join(n.cfg.Data, ledgerFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.New(fault.Internal, "ledger.dir", "cannot make %s", dir).Because(err)
	}
	var err error
	if n.ledger, err = ledger.Open(ctx, ledger.Config{Dir: dir}); err != nil {
		return err
	}
	names := n.ring.Names()
	authorised, err := n.cfg.authorities(names)
	if err != nil {
		return err
	}
	if n.accords, err = accords.New(ctx, accords.Config{Nation: names.Nation, Org: names.Org, Realm: names.Realm, Docs: n.store, Gate: n.gate, Keys: n.accordKeys, Signed: n.signedKeys, OrgOf: n.orgOf, Authorised: authorised,
		Signer: func() (dsse.Signer, error) { return n.ring.Signer(keylog.RoleAccord) }, Awaits: func(ctx context.Context) (bool, error) { return n.federation.Awaits(ctx) }, Now: n.cfg.Now, Log: n.cfg.Log}); err != nil {
		return err
	}
	if err = n.openShelves(ctx); err != nil {
		return err
	}
	var shelves []federation.Shelf
	for _, s := range n.shelves {
		shelves = append(shelves, s)
	}
	_, client := n.ring.PeerTLS(n.peers.Know)
	doer := peerapi.Client(client, n.cfg.Dial)
	if n.decisions, err = decisions.New(ctx, decisions.Config{Nation: names.Nation, Org: names.Org, Realm: names.Realm, Docs: n.store, Gate: n.gate, Keys: n.keysOf, Log: decisionLog{n},
		Accord: func(d peer.Digest) (decisions.Accord, bool) {
			b, text, binds, goesOn := n.accords.Signed(d)
			return decisions.Accord{Bundle: b, Text: text, Active: binds, GoesOn: goesOn}, b != nil
		},
		Named:   func(name string) (peer.Digest, bool) { d, ok := n.accords.Binding(name); return d, ok },
		Voter:   n.voter,
		Execute: map[string]decisions.Executor{decisions.AboutAccord: decisions.LifeOfAccords(n.cfg.Now, func(ctx context.Context, l decisions.Life) error { return n.accords.Decided(ctx, accords.Decision(l)) })},
		Accuse: func(ctx context.Context, nation, accord string, proposal, first, second []byte) error {
			return n.federation.Contradicts(ctx, nation, accord, proposal, first, second)
		},
		Node: func() (dsse.Signer, error) { return n.ring.Signer(keylog.RoleNode) },
		Now:  n.cfg.Now, Slog: n.cfg.Log}); err != nil {
		return err
	}
	if err = n.openRelay(ctx); err != nil {
		return err
	}
	n.federation, err = federation.New(ctx, federation.Config{Nation: names.Nation, Org: names.Org, Realm: names.Realm, House: house{n}, Door: n.exchange, Ledger: n.ledger, Accords: n.accords, Decisions: n.decisions,
		Partners: partners{n}, Relay: n.relay, Carries: n.cfg.Relay.carries, Seals: n.ring, Shelves: shelves, Gate: n.gate, Secret: n.ring.Secret("audience"), Extensions: n.cfg.Federation.Extensions, Recover: federation.Recover{Trusted: n.cfg.Federation.Recover}, Bases: n.bases,
		Originate: func() (dsse.Signer, error) { return n.ring.Signer(keylog.RoleOriginate) },
		Officer:   func() (dsse.Signer, error) { return n.ring.Signer(keylog.RoleRelease) },
		Node:      n.nodeKey,
		Dial:      func(p federation.Partner) (string, peer.Doer) { return "https://" + p.Address, doer },
		Bundles:   filepath.Join(n.cfg.Data, bundleFolder), SealKeys: n.ring.SealKeys, SealKey: n.ring.SealStatement,
		Alarmed: n.alarmed, Now: n.cfg.Now, Log: n.cfg.Log})
	return err
}

// alarmed has the desk tell people of alarms.
func (n *Node) alarmed(ctx context.Context, stand []federation.Alarm) error {
	out := make([]notify.Alarm, len(stand))
	for i, a := range stand {
		out[i] = notify.Alarm{Nation: a.Nation, Kind: a.Kind, Ref: a.Proof, Since: a.Since}
	}
	return n.tell(ctx, alarmsOfPartners, out)
}

// alarms are those that stand, by who raises them: the desk is told of all of them together.
type alarms struct {
	mu    sync.Mutex
	stand [2][]notify.Alarm
	said  [2]bool // since the node began: before all have, the desk would take what nobody spoke of yet for over
}

// Who raises alarms.
const (
	alarmsOfPartners = iota
	alarmsOfSensors
)

func (n *Node) tell(ctx context.Context, of int, stand []notify.Alarm) error {
	n.alarms.mu.Lock()
	defer n.alarms.mu.Unlock()
	n.alarms.stand[of], n.alarms.said[of] = stand, true
	if !n.alarms.said[alarmsOfPartners] || !n.alarms.said[alarmsOfSensors] {
		return nil
	}
	return n.desk.Alarmed(ctx, slices.Concat(n.alarms.stand[:]...))
}

// decisionLog is where decisions are said: the federation's logs, which are opened after the decisions are.
type decisionLog struct{ n *Node }

func (l decisionLog) Say(ctx context.Context, accord [32]byte, topic [16]byte, about string, envelope []byte) (decisions.Place, error) {
	return l.n.federation.Say(ctx, accord, topic, about, envelope)
}

func (l decisionLog) Spoken(ctx context.Context, from func(string) uint64, take func(decisions.Place, []byte) error) error {
	return l.n.federation.Spoken(ctx, from, take)
}

func (l decisionLog) Awaits(ctx context.Context) (bool, error) { return l.n.federation.Awaits(ctx) }

func (l decisionLog) Stretch(ctx context.Context, origin string, from uint64) (peer.Edge, []peer.Leaf, []byte, error) {
	return l.n.federation.Stretch(ctx, origin, from)
}

// voter is the key that votes for the organisation from this node: none, where the key log says that persons vote with their own.
func (n *Node) voter() (dsse.Signer, error) {
	if org := n.ring.Names().Org; n.ring.KeyState().NamesPersons(org, keylog.RoleVote) {
		return nil, fault.New(fault.Conflict, "decision.person", "persons of %s vote with keys of their own, and this node's key does not vote for them", org).
			Try("give the person's key: entente decision say|propose|second --signing-key FILE; without a node entente decision ballot, sign and submit")
	}
	return n.ring.Signer(keylog.RoleVote)
}

func (n *Node) nodeKey() (federation.NodeKey, error) {
	s, err := n.ring.Signer(keylog.RoleNode)
	if err != nil {
		return nil, err
	}
	k, ok := s.(federation.NodeKey)
	if !ok {
		return nil, fault.New(fault.Internal, "key.node", "the node's key cannot sign checkpoints")
	}
	return k, nil
}

// accordKeys are the keys whose signatures under accords count for an organisation: those it has now, and those it replaced. A signature says nothing
// of its time, so that of what is compromised none counts. An accord that names no organisation leaves it to the key log: any of the nation signs.
func (n *Node) accordKeys(nation, org string) []*dsse.Key {
	return n.accordKeysIn(n.keysOf(nation), nation, org)
}

// signedKeys are those whose signatures stand under accords, also of a nation that showed two key logs: it is cut off, and its partners go on with each other.
func (n *Node) signedKeys(nation, org string) []*dsse.Key {
	if nation == n.ring.Names().Nation {
		return n.accordKeys(nation, org)
	}
	return n.accordKeysIn(n.peers.Mirrored(nation), nation, org)
}

func (n *Node) accordKeysIn(state *keylog.State, nation, org string) []*dsse.Key {
	if state == nil {
		return nil
	}
	if org == "" { // the text leaves it to the key log
		org = n.orgOf(nation)
	}
	return accordKeysOf(state, org)
}

// accordKeysOf are the keys of a key log that an organisation signs accords with; every organisation where none is named.
func accordKeysOf(state *keylog.State, org string) []*dsse.Key {
	var out []*dsse.Key
	for _, k := range state.All() {
		if (org == "" || k.Org == org) && slices.Contains(k.Roles, keylog.RoleAccord) && k.Compromised.IsZero() {
			out = append(out, k.Key)
		}
	}
	return out
}

func (n *Node) keysOf(nation string) *keylog.State {
	if nation == n.ring.Names().Nation {
		return n.ring.KeyState()
	}
	return n.peers.Keys(nation)
}

// orgOf is the organisation of the node that is known of a nation.
func (n *Node) orgOf(nation string) string {
	if names := n.ring.Names(); nation == names.Nation {
		return names.Org
	}
	p, err := n.peers.Find(nation)
	if err != nil {
		return ""
	}
	return p.Org
}

// bases are the legal bases, with the dates on which they lapse.
func (n *Node) bases() map[string]time.Time { return n.cfg.Gate.bases() }

// serveFederation opens the door for partners' nodes, and sets the federation to work.
func (n *Node) serveFederation() error {
	defer n.decisions.Start()
	defer n.federation.Start()
	if n.cfg.Federation.Listen == "" {
		return nil
	}
	l, err := net.Listen("tcp", n.cfg.Federation.Listen)
	if err != nil {
		return fault.New(fault.Unavailable, "listen", "cannot listen on %s for partners: %v", n.cfg.Federation.Listen, err).Because(err)
	}
	server, _ := n.ring.PeerTLS(n.peers.Know)
	n.door = peerapi.New(peerapi.Config{Backend: n.federation.Backend(), Carrier: n.federation.Carrier(), TLS: server, Know: func(k ed25519.PublicKey) (keyring.Peer, bool) { return n.peers.Know(k) }, Log: n.cfg.Log})
	n.partnerAddr = l.Addr().String()
	go func() {
		if err := n.door.Serve(l); !errors.Is(err, net.ErrClosed) {
			n.cfg.Log.Debug("the door for partners was closed", "error", err)
		}
	}()
	return nil
}

// PartnerAddr is where partners' nodes are answered; empty where they are not.
func (n *Node) PartnerAddr() string { return n.partnerAddr }

// closeFederation ends what openFederation began.
func (n *Node) closeFederation() {
	if n.door != nil {
		_ = n.door.Close()
	}
	if n.federation != nil {
		n.decisions.Close()
		n.federation.Close()
	}
	for _, s := range n.shelves {
		if err := s.close(); err != nil {
			n.cfg.Log.Warn("what lies here for a partner was not closed as it should be", "partner", s.party.String(), "error", err)
		}
	}
	n.closeRelay()
	if n.ledger != nil {
		if err := n.ledger.Close(); err != nil {
			n.cfg.Log.Warn("the ledger was not closed as it should be", "error", err)
		}
	}
}

// Accords, Federation and Ledger are the rooms, for the surface.
func (n *Node) Accords() *accords.Accords          { return n.accords }
func (n *Node) Decisions() *decisions.Room         { return n.decisions }
func (n *Node) Federation() *federation.Federation { return n.federation }

// recall tells those who were given an object that they must destroy it.
func (n *Node) recall(ctx context.Context, id string) error {
	if n.federation == nil {
		return nil
	}
	if _, err := n.federation.TakeBack(ctx, id, peer.Purge, "purged"); err != nil {
		return err
	}
	return n.federation.Arrange(ctx)
}

func (n *Node) forget(ctx context.Context, id string) error {
	if n.federation == nil {
		return nil
	}
	return n.federation.Forget(ctx, id)
}

// house is the store as the federation reads it: all of it, under the node's own scope.
type house struct{ n *Node }

func (h house) Follow(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error) {
	return journal(h).Follow(ctx, after, limit)
}

func (h house) Page(ctx context.Context, q store.Query) (store.Page, error) {
	return h.n.store.Page(ctx, h.n.gate().Own(h.n.cfg.Now()), q)
}

func (h house) Newest() (record.Seq, <-chan struct{}) { return h.n.store.Newest() }

func (h house) Release(ctx context.Context, r store.Release) error { return h.n.store.Release(ctx, r) }

func (h house) PutDocs(ctx context.Context, act store.Act, docs ...store.Doc) error {
	return h.n.store.PutDocs(ctx, act, docs...)
}

func (h house) Doc(ctx context.Context, kind, key string) (store.Doc, error) {
	return h.n.store.Doc(ctx, kind, key)
}

func (h house) Docs(ctx context.Context, kind, after string, limit int) ([]store.Doc, error) {
	return h.n.store.Docs(ctx, kind, after, limit)
}

// partners are the nations that the node knows, as the federation meets them.
type partners struct{ n *Node }

func (p partners) Partners() []federation.Partner {
	var out []federation.Partner
	for _, k := range p.n.peers.List() {
		if s := p.n.peers.Keys(k.Nation); s != nil {
			out = append(out, federation.Partner{Nation: k.Nation, Org: k.Org, Node: k.Node, Address: k.Address, Keys: s})
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

func (p partners) Learn(ctx context.Context, nation string, from int64, statements [][]byte) error {
	added, err := p.n.peers.Extend(ctx, nation, from, statements)
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
