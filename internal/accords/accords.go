// Package accords keeps the accords of one node: their texts, who signed them, and what parties said about them since. What the gate judges by comes
// from here. Everything stands in documents of the store, and every change is an act in the journal.
package accords

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"entente/accord"
	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

// Docs is the part of the store that the room needs.
type Docs interface {
	PutDocs(ctx context.Context, act store.Act, docs ...store.Doc) error
	Docs(ctx context.Context, kind, after string, limit int) ([]store.Doc, error)
}

// Config is what the room needs to know of its node.
type Config struct {
	Nation string
	Org    string
	Realm  string
	Docs   Docs
	Gate   func() *gate.Gate
	Keys   accord.Keys                // with which organisations may sign, the own nation's and its partners'
	Signed accord.Keys                // with which they signed accords: also those of a nation of which nothing counts any more, or it would end the accords of all others; nil: Keys
	OrgOf  func(nation string) string // the organisation whose node the nation's key log names; empty: not known
	// Authorised says why an accord of an exercise is not authorised by one of operations; nil: nothing is asked for.
	Authorised func(of *accord.Accord) error
	Signer     func() (dsse.Signer, error) // the own organisation's key for accords
	// Awaits tells whether the node has yet to ask what it said before it was restored: until then no text is signed or declined. nil: it never has.
	Awaits func(context.Context) (bool, error)
	Now    func() time.Time
	Log    *slog.Logger
}

// Accords are the accords of a node. Its methods are safe for concurrent use.
type Accords struct {
	cfg Config

	mu       sync.Mutex
	versions map[string]*version // by digest
	changes  uint64
	changed  chan struct{} // closed when something changes
	made     made          // what Standings gave last
	told     told          // what Outgoing did
}

// version is one text and all that was said about it.
type version struct {
	bundle  *accord.Bundle
	accord  *accord.Accord
	digest  string
	notices []notice
	held    map[string]bool // nations that have the text with every signature
	signed  signed
	at      int64 // version of the document, for writing it again
}

// signed is what the signatures of a bundle are worth, as long as the keys that were asked for are the same.
type signed struct {
	standing []accord.Standing
	err      error
	bundle   *accord.Bundle // nil: not known
	bytes    []byte         // of the bundle
	asked    []asked
}

// asked are the keys of an organisation.
type asked struct {
	nation, org string
	keys        []*dsse.Key
}

// standing is what the signatures of a version are worth now. The caller holds mu.
func (a *Accords) standing(v *version) ([]accord.Standing, error) {
	others := func(k asked) bool { return !slices.Equal(k.keys, a.cfg.Signed(k.nation, k.org)) }
	if v.signed.bundle != v.bundle || slices.ContainsFunc(v.signed.asked, others) {
		s := signed{bundle: v.bundle, bytes: v.signed.bytes}
		if v.signed.bundle != v.bundle {
			s.bytes = v.bundle.Bytes()
		}
		s.standing, s.err = v.bundle.Signed(func(nation, org string) []*dsse.Key {
			keys := a.cfg.Signed(nation, org)
			s.asked = append(s.asked, asked{nation, org, keys})
			return keys
		})
		v.signed = s
	}
	return v.signed.standing, v.signed.err
}

type notice struct {
	accord.Notice
	envelope []byte // nil: it was decided by all
}

// Kinds of documents.
const (
	docAccord  = "accord"         // key: digest; value: the bundle
	docNotice  = "accord.notice"  // key: digest/hash; value: the envelope
	docDecided = "accord.decided" // key: digest/proposal; value: Decision
	docHeld    = "accord.held"    // key: digest/nation
)

// maxAccords bounds the versions of accords at one node.
const maxAccords = 4096

// New reads the accords of a node.
func New(ctx context.Context, cfg Config) (*Accords, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Signed == nil {
		cfg.Signed = cfg.Keys
	}
	a := &Accords{cfg: cfg, versions: map[string]*version{}, changed: make(chan struct{})}
	for _, read := range []struct {
		kind string
		take func(store.Doc) error
	}{{docAccord, a.loadBundle}, {docNotice, a.loadNotice}, {docDecided, a.loadDecided}, {docHeld, a.loadHeld}} {
		if err := a.each(ctx, read.kind, read.take); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *Accords) each(ctx context.Context, kind string, take func(store.Doc) error) error {
	for after := ""; ; {
		docs, err := a.cfg.Docs.Docs(ctx, kind, after, 1000)
		if err != nil || len(docs) == 0 {
			return err
		}
		for _, d := range docs {
			after = d.Key
			if err := take(d); err != nil {
				return fmt.Errorf("reading the document %s %s: %w", kind, d.Key, err)
			}
		}
	}
}

func (a *Accords) loadBundle(d store.Doc) error {
	b, err := accord.ParseBundle(d.Value)
	if err != nil {
		return err
	}
	v, err := newVersion(b)
	if err == nil {
		v.at = d.Version
		a.versions[v.digest] = v
	}
	return err
}

func newVersion(b *accord.Bundle) (*version, error) {
	text, err := b.Accord()
	if err != nil {
		return nil, asFault(err)
	}
	return &version{bundle: b, accord: text, digest: b.Digest(), held: map[string]bool{}}, nil
}

func (a *Accords) loadNotice(d store.Doc) error {
	v := a.versions[d.Key[:min(len(d.Key), digestLength)]]
	if v == nil {
		return nil
	}
	n, err := a.open(v, d.Value)
	if err != nil { // its key may have been revoked since
		a.cfg.Log.Warn("a notice about an accord does not count any more", "accord", v.accord.Name, "error", err)
		return nil
	}
	v.add(notice{n, d.Value})
	return nil
}

func (a *Accords) loadDecided(d store.Doc) error {
	var x Decision
	if err := json.Unmarshal(d.Value, &x); err != nil {
		return err
	}
	if v := a.versions[x.Accord]; v != nil {
		v.add(x.notices(v)...)
	}
	return nil
}

const digestLength = len("sha256:") + 64

func (a *Accords) loadHeld(d store.Doc) error {
	if v := a.versions[d.Key[:min(len(d.Key), digestLength)]]; v != nil && len(d.Key) > digestLength {
		v.held[d.Key[digestLength+1:]] = true
	}
	return nil
}

// open reads a notice about a version.
func (a *Accords) open(v *version, envelope []byte) (accord.Notice, error) {
	e, err := dsse.Parse(envelope)
	if err != nil {
		return accord.Notice{}, asFault(err)
	}
	n, err := accord.ReadNotice(&e, a.cfg.Realm, v.accord, v.digest, a.cfg.Keys)
	return n, asFault(err)
}

// asFault renders what the language of accords refuses.
func asFault(err error) error {
	var misfit *accord.Misfit
	var several accord.Errors
	var envelope *dsse.Error
	var uncompiled *accord.Uncompiled
	var unauthorised *accord.Unauthorised
	switch {
	case err == nil:
		return nil
	case errors.As(err, &misfit):
		return fault.New(fault.Unprocessable, misfit.Code, "%s", misfit.Message)
	case errors.As(err, &unauthorised):
		return fault.New(fault.Unprocessable, unauthorised.Code, "%s", unauthorised.Message).Try("see docs/exercises.md")
	case errors.As(err, &envelope):
		return fault.New(fault.Unprocessable, envelope.Code, "%s", envelope.Message)
	case errors.As(err, &several), errors.As(err, &uncompiled):
		return fault.New(fault.Unprocessable, "accord.text", "%s", err.Error())
	}
	return err
}

// touch tells followers that something changed. The caller holds mu.
func (a *Accords) touch() {
	a.changes++
	close(a.changed)
	a.changed = make(chan struct{})
}

// Changed gives a channel that is closed when something changes.
func (a *Accords) Changed() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changed
}

// KeysChanged tells the room that other keys count now: signatures are judged again.
func (a *Accords) KeysChanged() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.touch()
}

func (a *Accords) may(v gate.Viewer, action gate.Action) error {
	if a.cfg.Gate().Can(v, action) {
		return nil
	}
	return fault.RoleMissing(action)
}

func none() error { return fault.New(fault.NotFound, "", "no such accord") }

// find is a version by its digest, or by its name and number; number 0 is the highest. The caller holds mu.
func (a *Accords) find(name string, number int) (*version, error) {
	if v := a.versions[name]; v != nil {
		return v, nil
	}
	var found *version
	for _, v := range a.ordered() {
		if v.accord.Name == name && (number == 0 || v.accord.Version == number) {
			if found != nil && found.accord.Version == v.accord.Version {
				return nil, fault.New(fault.Conflict, "accord.several", "there are several texts of %s version %d", name, v.accord.Version).Try("name it by its digest")
			}
			found = v
		}
	}
	if found == nil {
		return nil, none()
	}
	return found, nil
}

// ordered lists the versions by name and number. The caller holds mu.
func (a *Accords) ordered() []*version {
	out := make([]*version, 0, len(a.versions))
	for _, v := range a.versions {
		out = append(out, v)
	}
	slices.SortFunc(out, func(x, y *version) int {
		return cmp.Or(cmp.Compare(x.accord.Name, y.accord.Name), cmp.Compare(x.accord.Version, y.accord.Version), cmp.Compare(x.digest, y.digest))
	})
	return out
}

// party is the number of a nation's party in the text, or -1.
func (v *version) party(nation string) int {
	return slices.IndexFunc(v.accord.Parties, func(p accord.Party) bool { return p.Nation == nation })
}
