package identity

import (
	"context"
	"crypto/subtle"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

// Session is a person signed in with a browser, without the secret that the browser holds.
type Session struct {
	ID      string    `json:"id"`
	User    string    `json:"user"`
	By      string    `json:"by"` // how it was signed in: password, password+totp, password+recovery, passkey or oidc:ID
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`    // to the minute
	Expires time.Time `json:"expires"` // at the latest; it ends before when it stands idle
	Remote  string    `json:"remote,omitempty"`
	Agent   string    `json:"agent,omitempty"`
	// Enrol: the account must have a second factor and has none. The session opens nothing but the person's own account.
	Enrol bool `json:"enrol,omitzero"`
}

type storedSession struct {
	Session
	Hash  []byte `json:"hash"`            // HMAC-SHA-256 of id and secret under the pepper
	Epoch string `json:"epoch,omitempty"` // of the account when it signed in
}

// Client is where a sign-in comes from.
type Client struct {
	Remote  string // address, with or without port
	Agent   string // what the browser says it is
	Session string // the text of the session that it holds already, which a new one replaces
}

const (
	defaultIdle     = 30 * time.Minute
	defaultLife     = 12 * time.Hour
	maxSessions     = 32 // of one account; one more ends the one that was used longest ago
	seenEvery       = time.Minute
	maxAgent        = 160
	sessionMark     = "~" // stands in no account's name
	freshFor        = 15 * time.Minute
	maxSessionBytes = 64 + 1 + idLength + 1 + secretLength
)

// live is a session in memory, shared by all of its requests.
type live struct {
	Session
	seen    atomic.Int64 // µs since 1970
	written atomic.Int64 // what of it the store knows
}

func (s storedSession) doc(version int64) (store.Doc, error) {
	doc, err := write(kindSession, s.ID, s, version)
	doc.Expires = s.Expires
	return doc, err
}

// ended is the one answer to every session that does not hold.
func ended() error {
	return fault.New(fault.Unauthenticated, "auth.session", "the session has ended").Try("sign in again")
}

// begin makes the session of an account that has signed in.
func (d *Directory) begin(ctx context.Context, a account, by string, from Client) (SignedIn, error) {
	now := d.now().UTC()
	key, secret := a.Name+sessionMark+base62(idLength), base62(secretLength)
	hash := d.mac("session", key, secret)
	s := storedSession{Session: Session{ID: key, User: a.Name, By: by, Created: now, Seen: now, Expires: now.Add(d.life), Remote: place(from.Remote), Agent: agent(from.Agent)},
		Hash: hash[:], Epoch: a.Epoch}
	doc, err := s.doc(0)
	if err != nil {
		return SignedIn{}, err
	}
	d.change.Lock()
	defer d.change.Unlock()
	docs := []store.Doc{doc}
	old, err := d.sessionsOf(ctx, a.Name)
	if err != nil {
		return SignedIn{}, err
	}
	held, _, _ := parseSession(from.Session)
	slices.SortFunc(old, func(a, b storedSession) int { return b.Seen.Compare(a.Seen) })
	kept := 0
	for _, o := range old {
		if kept++; o.ID == held || kept >= maxSessions || !d.holds(o, a, now) {
			docs = append(docs, store.Doc{Kind: kindSession, Key: o.ID, Version: -1})
		}
	}
	if err := d.store.PutDocs(ctx, store.Act{Actor: a.Org + "/" + a.Name, Verb: "session.begin", Target: key, Detail: "by=" + by}, docs...); err != nil {
		return SignedIn{}, err
	}
	if len(docs) > 1 {
		d.ended.Add(1)
	}
	s.Enrol = d.mustEnrol(a, by)
	return SignedIn{State: StateDone, Cookie: key + sessionMark + secret, Session: s.Session}, nil
}

// AuthenticateSession finds the viewer of a session. Whatever is wrong with it, the answer is the same. The viewer is shared: read only.
func (d *Directory) AuthenticateSession(ctx context.Context, text string) (gate.Viewer, Session, error) {
	return d.session(ctx, text, true)
}

// CheckSession is AuthenticateSession for what goes on by itself: it is no use of the session, which ends all the same when its person
// leaves it idle.
func (d *Directory) CheckSession(ctx context.Context, text string) (gate.Viewer, Session, error) {
	return d.session(ctx, text, false)
}

func (d *Directory) session(ctx context.Context, text string, used bool) (gate.Viewer, Session, error) {
	key, secret, ok := parseSession(text)
	if !ok {
		return gate.Viewer{}, Session{}, ended()
	}
	generation, now := d.sessionGeneration(), d.now()
	sum := d.mac("session", key, secret)
	hit, ok := d.sessions.get(key, now, generation)
	if !ok {
		var err error
		if hit, err = d.openSession(ctx, key, sum, now, generation); err != nil {
			return gate.Viewer{}, Session{}, err
		}
	} else if subtle.ConstantTimeCompare(sum[:], hit.secret[:]) != 1 {
		return gate.Viewer{}, Session{}, ended()
	}
	l := hit.live
	seen := time.UnixMicro(l.seen.Load())
	if !now.Before(l.Expires) || now.Sub(seen) > d.idle {
		return gate.Viewer{}, Session{}, ended()
	}
	if !used {
		s := l.Session
		s.Seen = seen.UTC()
		return hit.viewer, s, nil
	}
	l.seen.Store(now.UnixMicro())
	if written := l.written.Load(); now.UnixMicro()-written >= seenEvery.Microseconds() && l.written.CompareAndSwap(written, now.UnixMicro()) {
		d.sessionSeen(ctx, key, now)
	}
	s := l.Session
	s.Seen = now.UTC()
	return hit.viewer, s, nil
}

// openSession reads a session that is not in memory.
func (d *Directory) openSession(ctx context.Context, key string, sum [32]byte, now time.Time, generation uint64) (verified, error) {
	s, _, err := read[storedSession](ctx, d.store, kindSession, key)
	if err != nil {
		return verified{}, absent(err, fault.As(ended()))
	}
	if subtle.ConstantTimeCompare(sum[:], s.Hash) != 1 {
		return verified{}, ended()
	}
	a, _, err := d.account(ctx, s.User)
	if err != nil {
		return verified{}, absent(err, fault.As(ended()))
	}
	if !d.holds(s, a, now) {
		return verified{}, ended()
	}
	s.Enrol = d.mustEnrol(a, s.By)
	roles := a.Roles
	if s.Enrol {
		roles = nil
	}
	v, ok := d.viewer(a.Org, a.Name, roles)
	if !ok {
		return verified{}, ended()
	}
	l := &live{Session: s.Session}
	l.seen.Store(s.Seen.UnixMicro())
	l.written.Store(s.Seen.UnixMicro())
	hit := verified{viewer: v, secret: sum, since: now, until: now.Add(d.cacheFor), generation: generation, live: l}
	return d.sessions.share(key, hit), nil
}

// holds tells whether a session still counts for the account as it is now. A clock that was set back does not make it live longer.
func (d *Directory) holds(s storedSession, a account, now time.Time) bool {
	left := s.Expires.Sub(now)
	return s.User == a.Name && s.Epoch == a.Epoch && !a.Disabled && left > 0 && left <= d.life && now.Sub(s.Seen) <= d.idle
}

// sessionSeen notes the minute of use.
func (d *Directory) sessionSeen(ctx context.Context, key string, now time.Time) {
	d.change.Lock() // so that it never brings back what is being ended
	defer d.change.Unlock()
	s, version, err := read[storedSession](ctx, d.store, kindSession, key)
	if err != nil {
		return
	}
	s.Seen = now.UTC()
	doc, err := s.doc(version)
	if err == nil {
		err = d.store.PutDocs(context.WithoutCancel(ctx), store.Act{}, doc)
	}
	if err != nil && fault.Of(err) != fault.Conflict {
		d.log.WarnContext(ctx, "the use of a session could not be noted", "session", key, "error", err)
	}
}

// EndSession is a person signing out. A session that has ended already is no failure.
func (d *Directory) EndSession(ctx context.Context, text string) error {
	_, s, err := d.AuthenticateSession(ctx, text)
	if err != nil {
		if fault.Of(err) == fault.Unauthenticated {
			return nil
		}
		return err
	}
	a, _, err := d.account(ctx, s.User)
	if err != nil {
		return err
	}
	return d.dropSession(ctx, a.Org+"/"+a.Name, "session.end", s.ID)
}

// RevokeSession ends a session, at once. With a user it must be one of that account's.
func (d *Directory) RevokeSession(ctx context.Context, actor, user, id string) error {
	unknown := fault.New(fault.NotFound, "session.unknown", "there is no such session").At("id")
	name, _, ok := strings.Cut(id, sessionMark)
	if !ok || len(id) > maxSessionBytes || user != "" && name != user {
		return unknown
	}
	return absent(d.dropSession(ctx, actor, "session.revoke", id), unknown)
}

func (d *Directory) dropSession(ctx context.Context, actor, verb, id string) error {
	d.change.Lock()
	defer d.change.Unlock()
	_, version, err := read[storedSession](ctx, d.store, kindSession, id)
	if err != nil {
		return err
	}
	defer d.ended.Add(1) // it may have been written also where it failed
	return d.store.PutDocs(ctx, store.Act{Actor: actor, Verb: verb, Target: id}, store.Doc{Kind: kindSession, Key: id, Version: version})
}

// Sessions are those of an account that have not ended, the last used first.
func (d *Directory) Sessions(ctx context.Context, name string) ([]Session, error) {
	a, _, err := d.account(ctx, name)
	if err != nil {
		return nil, err
	}
	stored, err := d.sessionsOf(ctx, a.Name)
	if err != nil {
		return nil, err
	}
	now := d.now()
	out := []Session{}
	for _, s := range stored {
		if d.holds(s, a, now) {
			s.Enrol = d.mustEnrol(a, s.By)
			out = append(out, s.Session)
		}
	}
	slices.SortStableFunc(out, func(a, b Session) int { return b.Seen.Compare(a.Seen) })
	return out, nil
}

// AllSessions is a page of what is known of sessions, in the order of their ids, those after the given one. Some may have ended.
// limit 0 is 500, the most is 1000.
func (d *Directory) AllSessions(ctx context.Context, after string, limit int) ([]Session, error) {
	stored, err := list[storedSession](ctx, d.store, kindSession, after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]Session, len(stored))
	for i, s := range stored {
		out[i] = s.Session
	}
	return out, nil
}

// sessionsOf reads the sessions of an account, ended ones included.
func (d *Directory) sessionsOf(ctx context.Context, name string) ([]storedSession, error) {
	stored, err := list[storedSession](ctx, d.store, kindSession, name+sessionMark, 4*maxSessions)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(stored, func(s storedSession) bool { return s.User != name }), nil
}

// endAll makes the documents that end every session of an account, and those that go with its passkeys. The session to keep is bound to
// the account as it will be.
func (d *Directory) endAll(ctx context.Context, before, after account, keep string) ([]store.Doc, error) {
	stored, err := d.sessionsOf(ctx, before.Name)
	if err != nil {
		return nil, err
	}
	docs, err := owned(before, after)
	if err != nil {
		return nil, err
	}
	for _, s := range stored {
		doc := store.Doc{Kind: kindSession, Key: s.ID, Version: -1}
		if s.ID == keep && d.holds(s, before, d.now()) {
			s.Epoch = after.Epoch
			if doc, err = s.doc(-1); err != nil {
				return nil, err
			}
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// fresh refuses what a person may do only soon after it has signed in, so that an unattended browser is no way to keep an account.
func (d *Directory) fresh(s Session) error {
	if age := d.now().Sub(s.Created); age.Abs() > freshFor {
		return fault.New(fault.Forbidden, "auth.stale", "this needs a session of the last %d minutes", int(freshFor/time.Minute)).Try("sign in again")
	}
	return nil
}

// sessionGeneration grows with every change after which a session may no longer hold.
func (d *Directory) sessionGeneration() uint64 { return d.generation.Load() + d.ended.Load() }

// parseSession reads NAME~ID~SECRET.
func parseSession(text string) (key, secret string, ok bool) {
	if len(text) > maxSessionBytes {
		return "", "", false
	}
	name, rest, ok := strings.Cut(text, sessionMark)
	if !ok || !nameForm.MatchString(name) || len(rest) != idLength+1+secretLength || rest[idLength] != sessionMark[0] {
		return "", "", false
	}
	id, secret := rest[:idLength], rest[idLength+1:]
	return name + sessionMark + id, secret, isBase62(id) && isBase62(secret)
}

// place is an address without its port, as people are shown it.
func place(remote string) string { return strings.TrimSuffix(address(remote), "/64") }

// agent is what is kept of a browser's own description: short, and of printable characters.
func agent(s string) string {
	s = printable(s)
	cut := min(len(s), maxAgent)
	for cut < len(s) && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// DropSessions ends every session of a store that no directory has open, as after a restore: a copy of a node must not know who was
// signed in to the node.
func DropSessions(ctx context.Context, s Store) error {
	for {
		docs, err := s.Docs(ctx, kindSession, "", page)
		if err != nil || len(docs) == 0 {
			return err
		}
		for i := range docs {
			docs[i] = store.Doc{Kind: kindSession, Key: docs[i].Key, Version: -1}
		}
		if err := s.PutDocs(ctx, store.Act{Actor: "node", Verb: "session.drop"}, docs...); err != nil {
			return err
		}
	}
}
