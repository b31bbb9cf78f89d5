// Package peers is the nations that this node knows: for each the card of its node, the mirrored key log, and who compared its fingerprint. A nation
// is known once two people have compared it; from then on only its key log says which of its keys count.
package peers

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/fault"
	"entente/internal/keyring"
	"entente/internal/store"
	"entente/keylog"
)

// Bounds.
const (
	MaxPeers = 300
	maxDoc   = 15 << 20 // bytes of a nation's document
)

// kind is that of the documents: one for each nation, by its code.
const kind = "peer"

// Docs keeps the documents.
type Docs interface {
	PutDocs(ctx context.Context, act store.Act, docs ...store.Doc) error
	Docs(ctx context.Context, kind, after string, limit int) ([]store.Doc, error)
}

// Config is what the room needs of its node.
type Config struct {
	Nation string // the node's own, which is no peer
	Realm  string
	Docs   Docs
	Now    func() time.Time
}

// Peer is a nation that this node knows.
type Peer struct {
	Nation      string    `json:"nation"`
	Org         string    `json:"org"` // of the node whose card was taken
	Node        string    `json:"node"`
	Address     string    `json:"address,omitempty"`
	Fingerprint string    `json:"fingerprint"` // in hex
	Words       string    `json:"words"`
	Statements  int64     `json:"statements"` // of its key log
	Head        string    `json:"head"`       // hash of its key log, in hex
	Added       time.Time `json:"added,omitzero"`
	By          string    `json:"by,omitempty"` // organisation/person
	Forked      bool      `json:"forked"`       // it showed two key logs: nothing of it counts
}

// file is the document of a nation.
type file struct {
	Org     string         `json:"org"`
	Node    string         `json:"node"`
	Address string         `json:"address,omitempty"`
	Added   time.Time      `json:"added"`
	By      string         `json:"by"`
	Log     jsontext.Value `json:"log"`
	Fork    *keylog.Fork   `json:"fork,omitempty"`
}

// entry is a nation as it is held: whoever changes it puts another in its place.
type entry struct {
	file
	log     *keylog.Log
	state   *keylog.State
	version int64
	shown   Peer // as it is listed; of those that are known
}

// Room holds the nations that are known. Its methods are safe for concurrent use.
type Room struct {
	cfg Config

	change  sync.Mutex // one change at a time
	mu      sync.RWMutex
	known   map[string]*entry
	changed chan struct{} // closed when something changes
}

// Changed gives a channel that is closed when what is known changes.
func (r *Room) Changed() <-chan struct{} {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.changed
}

// touch tells that something changed. The caller holds mu.
func (r *Room) touch() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// Open reads what is known, and verifies every key log again.
func Open(ctx context.Context, cfg Config) (*Room, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	r := &Room{cfg: cfg, known: map[string]*entry{}, changed: make(chan struct{})}
	docs, err := cfg.Docs.Docs(ctx, kind, "", MaxPeers)
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		var f file
		if err := json.Unmarshal(d.Value, &f); err != nil {
			return nil, fault.New(fault.Internal, "peer.damaged", "what is stored of the nation %s cannot be read", d.Key).Because(err)
		}
		log, err := keylog.Parse(f.Log)
		if err != nil || log.Nation() != d.Key || log.Realm() != cfg.Realm {
			return nil, fault.New(fault.Internal, "peer.damaged", "the key log of the nation %s does not hold", d.Key).Because(err)
		}
		e := &entry{file: f, log: log, state: log.State(), version: d.Version}
		e.shown = e.peer()
		r.known[d.Key] = e
	}
	return r, nil
}

// Look verifies a card and says whose it is. Nothing is stored.
func (r *Room) Look(card []byte) (Peer, error) {
	e, err := r.read(card)
	if err != nil {
		return Peer{}, err
	}
	return e.peer(), nil
}

func (r *Room) read(b []byte) (*entry, error) {
	card, err := keylog.ParseCard(b)
	var refused *keylog.Error
	switch {
	case errors.As(err, &refused):
		return nil, fault.New(fault.Invalid, refused.Code, "%s", refused.Message).Try("ask the partner for the card once more: entente peer card")
	case err != nil:
		return nil, err
	case card.Log.Realm() != r.cfg.Realm:
		return nil, fault.New(fault.Invalid, "peer.realm", "the card is of the realm %s, and this node works in %s", card.Log.Realm(), r.cfg.Realm)
	case card.Log.Nation() == r.cfg.Nation:
		return nil, fault.New(fault.Invalid, "peer.own", "the card is of this node's own nation")
	case card.Time.After(r.cfg.Now().Add(24 * time.Hour)):
		return nil, fault.New(fault.Invalid, "peer.time", "the card is dated %s: one of the two clocks is wrong", card.Time.Format(time.RFC3339))
	}
	f := file{Org: card.Org, Node: card.Node, Address: card.Address}
	return &entry{file: f, log: card.Log, state: card.Log.State()}, nil
}

// Add takes a card whose fingerprint two people have compared: the one that the other read out must be given. Of a nation that is known already the
// key log must go on from the one that is here.
func (r *Room) Add(ctx context.Context, actor string, card []byte, compared keylog.Fingerprint) (Peer, error) {
	e, err := r.read(card)
	if err != nil {
		return Peer{}, err
	}
	if e.log.Fingerprint() != compared {
		return Peer{}, fault.New(fault.Conflict, "peer.fingerprint", "the fingerprint is not that of the card").
			Try("do not use this card: compare once more, by a way that you trust")
	}
	r.change.Lock()
	defer r.change.Unlock()
	nation := e.log.Nation()
	if old := r.find(nation); old != nil {
		if old.log.Fingerprint() != compared {
			return Peer{}, fault.New(fault.Conflict, "peer.known", "the nation %s is known under another fingerprint", nation).
				Try("when the nation has begun a new key log, remove it first: entente peer remove " + nation)
		}
		longer := old.log.Clone()
		if _, err := longer.Extend(0, e.log.Since(0)); err != nil {
			return Peer{}, r.refused(ctx, old, err)
		}
		e.log, e.state, e.version, e.Fork = longer, longer.State(), old.version, old.Fork
	} else if len(r.List()) >= MaxPeers {
		return Peer{}, fault.New(fault.Full, "peer.full", "this node knows %d nations, and no more", MaxPeers)
	}
	e.Added, e.By = r.cfg.Now().UTC().Truncate(time.Second), actor
	err = r.put(ctx, e, store.Act{Actor: actor, Verb: "peer.add", Target: nation, Detail: "org=" + e.Org + " fingerprint=" + compared.String()})
	return e.shown, err
}

// Extend takes what a nation's node or a partner shows of its key log, from an index on. The proof of two key logs is kept, and from then on nothing of the nation
// counts until a person has removed it.
func (r *Room) Extend(ctx context.Context, nation string, first int64, statements [][]byte) (added int, err error) {
	r.change.Lock()
	defer r.change.Unlock()
	old := r.find(nation)
	if old == nil {
		return 0, unknown(nation)
	}
	longer := old.log.Clone()
	if added, err = longer.Extend(first, statements); err != nil {
		return 0, r.refused(ctx, old, err)
	}
	if added == 0 {
		return 0, nil
	}
	next := &entry{file: old.file, log: longer, state: longer.State(), version: old.version}
	return added, r.put(ctx, next, store.Act{Actor: "node", Verb: "peer.keys", Target: nation, Detail: fmt.Sprintf("statements=%d", longer.Size())})
}

// refused keeps the proof of a fork, and gives the error as one of the house.
func (r *Room) refused(ctx context.Context, old *entry, err error) error {
	var fork *keylog.Fork
	var refusal *keylog.Error
	switch {
	case errors.As(err, &fork):
		next := *old
		next.Fork = fork
		if err := r.put(ctx, &next, store.Act{Actor: "node", Verb: "peer.forked", Target: fork.Nation, Detail: fmt.Sprintf("index=%d", len(fork.Before))}); err != nil {
			return err
		}
		return fault.New(fault.Conflict, "peer.forked", "%v", fork).Try("speak with the nation by a way that you trust; nothing of it counts here until it is removed and added anew")
	case errors.As(err, &refusal):
		return fault.New(fault.Conflict, refusal.Code, "%s", refusal.Message)
	}
	return err
}

// Remove forgets a nation: none of its keys counts any more.
func (r *Room) Remove(ctx context.Context, actor, nation string) error {
	r.change.Lock()
	defer r.change.Unlock()
	old := r.find(nation)
	if old == nil {
		return unknown(nation)
	}
	if err := r.cfg.Docs.PutDocs(ctx, store.Act{Actor: actor, Verb: "peer.remove", Target: nation}, store.Doc{Kind: kind, Key: nation, Version: old.version}); err != nil {
		return err
	}
	r.mu.Lock()
	delete(r.known, nation)
	r.touch()
	r.mu.Unlock()
	return nil
}

func (r *Room) put(ctx context.Context, e *entry, act store.Act) error {
	b, err := e.log.Bytes()
	if err != nil {
		return err
	}
	e.Log = b
	value, err := json.Marshal(e.file)
	if err != nil {
		return fault.New(fault.Internal, "", "a nation cannot be written down").Because(err)
	}
	if len(value) > maxDoc {
		return fault.New(fault.TooLarge, "peer.size", "the key log of %s has more than %d bytes", e.log.Nation(), maxDoc)
	}
	if err := r.cfg.Docs.PutDocs(ctx, act, store.Doc{Kind: kind, Key: e.log.Nation(), Value: value, Version: e.version}); err != nil {
		return err
	}
	e.version++
	e.shown = e.peer()
	r.mu.Lock()
	r.known[e.log.Nation()] = e
	r.touch()
	r.mu.Unlock()
	return nil
}

func (r *Room) find(nation string) *entry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.known[nation]
}

// List gives every nation that is known, by its code.
func (r *Room) List() []Peer {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := []Peer{}
	for _, nation := range slices.Sorted(maps.Keys(r.known)) {
		out = append(out, r.known[nation].shown)
	}
	return out
}

// Find gives one nation.
func (r *Room) Find(nation string) (Peer, error) {
	e := r.find(nation)
	if e == nil {
		return Peer{}, unknown(nation)
	}
	return e.shown, nil
}

// Keys is what a nation's key log says, as it is mirrored here; nil of one that is not known or showed two key logs.
func (r *Room) Keys(nation string) *keylog.State {
	if e := r.find(nation); e != nil && e.Fork == nil {
		return e.state
	}
	return nil
}

// Mirrored is what a nation's key log says as far as it is here, also of one that showed two: what it bound itself to before goes on binding the others.
func (r *Room) Mirrored(nation string) *keylog.State {
	if e := r.find(nation); e != nil {
		return e.state
	}
	return nil
}

// Log is what is mirrored of a nation's key log.
func (r *Room) Log(nation string) (*keylog.Log, error) {
	e := r.find(nation)
	if e == nil {
		return nil, unknown(nation)
	}
	return e.log.Clone(), nil
}

// Fork is the proof that a nation showed two key logs, or nil.
func (r *Room) Fork(nation string) *keylog.Fork {
	if e := r.find(nation); e != nil {
		return e.Fork
	}
	return nil
}

// TakeFork takes the proof that a nation showed two key logs, a keylog.Fork as JSON, from whoever shows it.
func (r *Room) TakeFork(ctx context.Context, evidence []byte) error {
	var f keylog.Fork
	if err := json.Unmarshal(evidence, &f, json.RejectUnknownMembers(true)); err != nil {
		return fault.New(fault.Invalid, "peer.proof", "this is no proof of two key logs").Because(err)
	}
	r.change.Lock()
	defer r.change.Unlock()
	old := r.find(f.Nation)
	if old == nil {
		return unknown(f.Nation)
	}
	if old.Fork != nil {
		return nil
	}
	if err := f.Check(old.log.Fingerprint()); err != nil {
		return fault.New(fault.Invalid, "peer.proof", "%v", err)
	}
	if err := r.refused(ctx, old, &f); fault.As(err).MachineCode() != "peer.forked" {
		return err
	}
	return nil
}

// Know finds the node whose key this is, among the nations that are known and at this time. It is what connections between nodes are held to.
func (r *Room) Know(public ed25519.PublicKey) (keyring.Peer, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	now := r.cfg.Now()
	for _, e := range r.known {
		if e.Fork != nil {
			continue
		}
		if p, ok := keyring.PeerIn(e.state, public, now); ok {
			return p, true
		}
	}
	return keyring.Peer{}, false
}

func (e *entry) peer() Peer {
	f, head := e.log.Fingerprint(), e.state.Head
	p := Peer{Nation: e.log.Nation(), Org: e.Org, Node: e.Node, Address: e.Address, Fingerprint: f.String(), Words: f.Words(), Statements: head.Size,
		Head: hex.EncodeToString(head.Hash[:]), Added: e.Added, By: e.By, Forked: e.Fork != nil}
	for _, k := range e.state.All() { // the log may have said since where the node is
		if k.Org == e.Org && k.Node == e.Node && k.Address != "" {
			p.Address = k.Address
		}
	}
	return p
}

// ParseFingerprint reads what people compare: 24 words, the text of a QR code of the nation, or 64 digits in hex.
func ParseFingerprint(nation, text string) (f keylog.Fingerprint, err error) {
	text = strings.TrimSpace(text)
	if of, f, err := keylog.ParseQR(text); err == nil {
		if of != nation {
			return f, fault.New(fault.Invalid, "peer.fingerprint", "the code is that of %s", of)
		}
		return f, nil
	}
	if b, err := hex.DecodeString(text); err == nil && len(b) == len(f) {
		return keylog.Fingerprint(b), nil
	}
	f, err = keylog.ParseWords(text)
	if refused := (*keylog.Error)(nil); errors.As(err, &refused) {
		return f, fault.New(fault.Invalid, refused.Code, "%s", refused.Message).At("fingerprint")
	}
	return f, err
}

func unknown(nation string) error {
	if len(nation) > 32 {
		nation = nation[:32]
	}
	return fault.New(fault.NotFound, "peer.unknown", "this node does not know a nation %q", nation).Try("entente peer list names those that it knows")
}
