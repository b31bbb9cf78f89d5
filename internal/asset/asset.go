// Package asset keeps the register of constituents: who is served, and which networks, domains, certificates and software are theirs.
// Every version is a record of the node's own organisation, signed by it, and names the version before it. Nobody else sees any of it.
package asset

import (
	"bytes"
	"context"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"
	_ "time/tzdata" // duty hours name time zones, and a machine may have no table of them

	"github.com/google/uuid"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
	"entente/register"
	"entente/stix"
)

// PayloadType is what the envelopes of constituents hold.
const PayloadType = "application/vnd.entente.constituent+json"

// marking states TLP:AMBER+STRICT in the object itself.
const marking = "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"

// Door is what the register needs of the exchange.
type Door interface {
	Accept(ctx context.Context, v gate.Viewer, s exchange.Submission) ([]exchange.Outcome, error)
	Read(ctx context.Context, v gate.Viewer, q store.Query) (store.Page, error)
}

// Signer signs what the register keeps.
type Signer interface {
	SignEnvelope(payloadType string, payload []byte) ([]byte, error)
	OpenEnvelope(payloadType string, envelope []byte, at time.Time) ([]byte, error) // of what it signed at the time, gives the payload
}

// Config is what the register needs of its node.
type Config struct {
	Nation string // the node's own nation
	Org    string // the node's own organisation
	Realm  string
	Door   Door
	Signer Signer
	Now    func() time.Time
	Log    *slog.Logger
}

// Register is the register of one node. Its methods are safe for concurrent use.
type Register struct {
	cfg   Config
	label label.Label // joined to that of every constituent

	write sync.Mutex // one change at a time, so that the versions of a constituent make one chain

	load   sync.Mutex
	loaded bool
	sum    uint64 // of the versions in the index
	index  *register.Index
	names  map[string]string // ids by folded name
}

// New makes the register. It reads nothing yet.
func New(cfg Config) *Register {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	l := label.For(label.AmberStrict)
	principal := "org:" + cfg.Nation + "/" + cfg.Org
	aud, err := label.NewSet(principal)
	if err != nil || label.CheckPrincipal(principal) != nil {
		l = label.For(label.Red) // a name that no audience can hold: the originator has its own records all the same
	} else {
		l.Audience = aud
	}
	l.Onward = label.OnwardNone
	return &Register{cfg: cfg, label: l, index: register.NewIndex(), names: map[string]string{}}
}

// View is one version of a constituent as the register has it.
type View struct {
	Constituent *register.Constituent `json:"constituent"`
	Version     string                `json:"version"` // its modified: the ETag, for If-Match
	Digest      string                `json:"digest"`  // SHA-256 of its canonical form, in hex: what the next version names as previous
	Verified    bool                  `json:"verified"`
	By          string                `json:"by"` // who handed it in
	Assets      int                   `json:"assets"`
}

// Query selects constituents. Fields combine by AND.
type Query struct {
	Text    string     // in the name, an alias, a domain or an id, in any case
	Sector  string     //
	Value   string     // that it concerns
	Revoked bool       // also those that were removed
	After   record.Seq // the place after which a page starts
	Limit   int
}

// List is one page of constituents, in the order of their last change, and where the next page starts; 0: this was the last.
func (r *Register) List(ctx context.Context, v gate.Viewer, q Query) ([]View, record.Seq, error) {
	if q.Sector != "" && !register.IsSector(q.Sector) {
		return nil, 0, fault.New(fault.Invalid, "sector.unknown", "there is no sector of that name").At("sector").By("STIX 2.1 section 10.11")
	}
	find := store.Query{Types: []string{register.Type}, After: q.After, Limit: 200}
	var wanted map[string]bool
	if q.Value != "" {
		found, err := r.find(ctx, q.Value)
		if err != nil {
			return nil, 0, err
		}
		wanted = map[string]bool{}
		for _, m := range found {
			wanted[m.Constituent.ID] = true
		}
		if len(wanted) == 0 {
			return nil, 0, nil
		}
	}
	text := fold(q.Text)
	var out []View
	for {
		page, err := r.cfg.Door.Read(ctx, v, find)
		if err != nil {
			return nil, 0, err
		}
		for i := range page.Items {
			it := &page.Items[i]
			if wanted != nil && !wanted[it.Record.ID] {
				continue
			}
			view, ok := r.view(it)
			if !ok || view.Constituent.Revoked && !q.Revoked || !matches(view.Constituent, text, q.Sector) {
				continue
			}
			if len(out) == q.Limit { // there is one more
				return out, find.After, nil
			}
			out = append(out, view)
			find.After = it.Seq
		}
		if !page.More {
			return out, 0, nil
		}
		find.After = max(page.Next, find.After)
	}
}

// Get is the current version of a constituent.
func (r *Register) Get(ctx context.Context, v gate.Viewer, id string) (View, error) {
	views, err := r.read(ctx, v, id, store.Versions{})
	if err != nil {
		return View{}, err
	}
	if len(views) == 0 {
		return View{}, missing()
	}
	return views[0], nil
}

// Versions are all versions of a constituent, the oldest first.
func (r *Register) Versions(ctx context.Context, v gate.Viewer, id string) ([]View, error) {
	views, err := r.read(ctx, v, id, store.Versions{All: true})
	if err == nil && len(views) == 0 {
		return nil, missing()
	}
	return views, err
}

func missing() error { return fault.New(fault.NotFound, "", "no such constituent") }

func (r *Register) read(ctx context.Context, v gate.Viewer, id string, versions store.Versions) ([]View, error) {
	q := store.Query{Types: []string{register.Type}, IDs: []string{id}, Versions: versions}
	var out []View
	for {
		page, err := r.cfg.Door.Read(ctx, v, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			if view, ok := r.view(&page.Items[i]); ok {
				out = append(out, view)
			}
		}
		if !page.More || len(out) >= maxVersions {
			return inOrder(out), nil
		}
		q.After = page.Next
	}
}

// maxVersions bounds the versions of one constituent that are looked at together.
const maxVersions = 100_000

// view reads a record. What another organisation sent, or is in quarantine, is not of this register.
func (r *Register) view(it *store.Item) (View, bool) {
	rec := &it.Record
	if it.Held || rec.Origin.Nation != r.cfg.Nation || rec.Origin.Org != r.cfg.Org {
		return View{}, false
	}
	c, err := register.Parse(rec.Body)
	if err != nil {
		r.cfg.Log.Warn("a constituent cannot be read", "id", rec.ID, "version", rec.Version, "error", err)
		return View{}, false
	}
	return View{Constituent: c, Version: rec.Version, Digest: digest(rec.Body), Verified: r.signed(it) == nil && names(c, rec), By: rec.Origin.Org + "/" + rec.Origin.Person, Assets: c.Assets()}, true
}

// signed checks that the own organisation signed exactly the bytes of the record, with a key that counted when it came.
func (r *Register) signed(it *store.Item) error {
	rec := &it.Record
	if len(rec.Envelope) == 0 {
		return fault.New(fault.Invalid, "signature.missing", "the version is not signed")
	}
	payload, err := r.cfg.Signer.OpenEnvelope(PayloadType, rec.Envelope, it.Rec.Time())
	if err != nil {
		return err
	}
	if !bytes.Equal(payload, rec.Body) {
		return fault.New(fault.Invalid, "signature.bytes", "what was signed is not what is stored")
	}
	return nil
}

// names tells whether a version stands where it says: a version that is signed is nobody else's, and no later one than it was.
func names(c *register.Constituent, rec *record.Record) bool {
	return c.ID == rec.ID && c.Modified == rec.Version
}

// digest is the SHA-256 by which a version names the one before it; "" of what is no STIX object.
func digest(body []byte) string {
	o, err := stix.Parse(body)
	if err != nil {
		return ""
	}
	sum := o.Digest()
	return hex.EncodeToString(sum[:])
}

// newID is the id of a constituent that is new.
func newID() string { return register.Type + "--" + uuid.NewString() }
