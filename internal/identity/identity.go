// Package identity knows who may speak to the node: organisations and their communities, people with their passwords, second factors
// and sessions, API tokens and client certificates. It turns a credential into a gate.Viewer. Secrets are kept as hashes, the secrets
// of one-time codes sealed, and every change is journaled.
//
// Authorisation of the caller is not decided here: each change takes the actor for the journal.
package identity

import (
	"context"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sync/singleflight"
	"golang.org/x/text/unicode/norm"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

// Store is the part of the node's memory that identities live in.
type Store interface {
	PutDocs(ctx context.Context, act store.Act, docs ...store.Doc) error
	Doc(ctx context.Context, kind, key string) (store.Doc, error)
	Docs(ctx context.Context, kind, after string, limit int) ([]store.Doc, error)
}

// Config is what a directory needs.
type Config struct {
	Store     Store
	Nation    string // of the node's own organisation
	Org       string // the node's own organisation
	Realm     string // "operational" or "exercise:NAME"
	Pepper    []byte // at least 32 bytes; hashes of tokens and of cached credentials are keyed with it
	ValidRole func(string) bool
	AdminRole string           // default "admin": the role that must never be without an enabled account
	CacheFor  time.Duration    // default 60 s: how long a verified credential is trusted without being verified again
	Now       func() time.Time // default time.Now

	// Sealer hides the tickets of a sign-in and the secrets of one-time codes; without it nobody signs in with a browser.
	Sealer Sealer
	// SessionIdle ends a session that is not used, default 30 minutes; SessionLife ends it in any case, default 12 hours.
	SessionIdle, SessionLife time.Duration
	// FactorRoles are the roles whose people must have a second factor.
	FactorRoles []string
	// RPID is the name that passkeys are bound to, default localhost. Origins are the pages that may use them; none: those of that name.
	RPID    string
	Origins []string
	Log     *slog.Logger // default: discard
}

// Directory is the node's register of identities. Its methods are safe for concurrent use.
type Directory struct {
	store     Store
	nation    string
	org       string
	realm     string
	pepper    []byte
	validRole func(string) bool
	adminRole string
	cacheFor  time.Duration
	now       func() time.Time
	log       *slog.Logger

	sealer      Sealer
	idle, life  time.Duration
	factorRoles []string
	rpID        string
	origins     []string
	spent       *Spent
	codes       *codeGuard
	ended       atomic.Uint64 // grows with every session that ends

	change       sync.Mutex    // one change at a time on this node; the generation document orders those of several nodes
	stateVersion int64         // of the generation document; under change
	generation   atomic.Uint64 // grows with every change; what was cached before it no longer counts
	stored       atomic.Int64  // the generation document as last seen
	known        atomic.Pointer[snapshot]

	hashing  *hashing
	decoy    string // verified in place of an unknown account's hash
	throttle *throttle
	flights  singleflight.Group
	macs     sync.Pool
	creds    *cache[[32]byte]
	tokens   *cache[string]
	certs    *cache[[32]byte]
	sessions *cache[string]
	sleep    func(context.Context, time.Duration) error
}

// New opens the directory and makes sure that the node's own organisation is in it.
func New(ctx context.Context, c Config) (*Directory, error) {
	switch {
	case c.Store == nil, c.ValidRole == nil:
		return nil, fault.New(fault.Internal, "identity.config", "a directory needs a store and a list of roles")
	case len(c.Pepper) < 32:
		return nil, fault.New(fault.Internal, "identity.config", "the pepper must have at least 32 bytes")
	case c.Realm == "":
		return nil, fault.New(fault.Internal, "identity.config", "a directory belongs to a realm")
	}
	d := &Directory{
		store: c.Store, nation: c.Nation, org: norm.NFC.String(c.Org), realm: c.Realm, pepper: slices.Clone(c.Pepper), validRole: c.ValidRole, adminRole: c.AdminRole,
		cacheFor: c.CacheFor, now: c.Now, log: c.Log, hashing: newHashing(), sleep: sleep,
		sealer: c.Sealer, idle: c.SessionIdle, life: c.SessionLife, factorRoles: slices.Clone(c.FactorRoles), rpID: c.RPID, origins: slices.Clone(c.Origins), spent: NewSpent(), codes: newCodeGuard(), sessions: newCache[string](),
	}
	if d.idle <= 0 {
		d.idle = defaultIdle
	}
	if d.rpID == "" {
		d.rpID = "localhost"
	}
	if d.life <= 0 {
		d.life = defaultLife
	}
	if d.adminRole == "" {
		d.adminRole = "admin"
	}
	if d.cacheFor <= 0 {
		d.cacheFor = time.Minute
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	d.macs.New = func() any { return d.newMAC() }
	d.creds, d.tokens, d.certs = newCache[[32]byte](), newCache[string](), newCache[[32]byte]()
	d.throttle = newThrottle(d.now)
	d.decoy = decoy()
	if err := d.Refresh(ctx); err != nil {
		return nil, err
	}
	if _, ok := d.known.Load().orgs[fold(d.org)]; !ok {
		_, err := d.AddOrg(ctx, "node", Org{Name: d.org, Nation: d.nation})
		if fault.Of(err) == fault.Conflict && err != nil { // another node was faster
			err = d.Refresh(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Refresh takes in changes that other nodes of the same store have made. Without any it costs one read.
func (d *Directory) Refresh(ctx context.Context) error {
	d.change.Lock()
	defer d.change.Unlock()
	gen, _, err := d.readGeneration(ctx)
	if err != nil {
		return err
	}
	if d.known.Load() != nil && gen == d.stored.Load() {
		return nil
	}
	return d.reload(ctx, gen)
}

// account names: easy to type, safe in a journal line and in a certificate.
var nameForm = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)

// AccountName is the one form of a name: accounts differ by more than the case of their letters.
func AccountName(name string) (string, error) {
	lower := strings.ToLower(name)
	if !nameForm.MatchString(lower) {
		return "", fault.New(fault.Invalid, "name.invalid", "this is not a usable name").At("name").By("1 to 64 of the characters a-z 0-9 . _ -")
	}
	return lower, nil
}

var nationForm = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,15}$`)

// title checks the name of an organisation, a community, a sector or a purpose.
func title(where, s string) (string, error) {
	s = norm.NFC.String(s)
	if s == "" || len(s) > 128 || !utf8.ValidString(s) || strings.TrimSpace(s) != s ||
		strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) || c == '/' }) {
		return "", fault.New(fault.Invalid, "name.invalid", "this is not a usable name").At(where).
			By("1 to 128 bytes of printable text without / and without spaces at its ends")
	}
	return s, nil
}

// fold is the key under which a name is unique.
func fold(s string) string { return strings.ToLower(norm.NFC.String(s)) }

const maxRoles = 16

// roles checks, orders and dedups a set of roles.
func (d *Directory) roles(in []string) ([]string, error) {
	if len(in) == 0 || len(in) > maxRoles {
		return nil, fault.New(fault.Invalid, "role.count", "an account has 1 to %d roles", maxRoles).At("roles")
	}
	for _, r := range in {
		if !d.validRole(r) {
			return nil, fault.New(fault.Invalid, "role.unknown", "%q is not a role", r).At("roles")
		}
	}
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out), nil
}

// viewer is who a member of the organisation is; false when the organisation is not in the register.
func (d *Directory) viewer(org, person string, roles []string) (gate.Viewer, bool) {
	o, ok := d.known.Load().orgs[fold(org)]
	if !ok {
		return gate.Viewer{}, false
	}
	return gate.Viewer{Nation: o.Nation, Org: o.Name, Person: person, Roles: roles, Realm: d.realm}, true
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
