package keyring

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"entente/dsse"
	"entente/internal/fault"
	"entente/keylog"
)

// keyLife is how long a key of the ring counts at most: the organisation renews it before.
const keyLife = 2 * 365 * 24 * time.Hour

// own is a key of the ring, and the one that is to come in its place.
type own struct {
	key, next *dsse.Private
	turn      time.Time     // from when on next signs
	pending   *dsse.Private // one that no statement names yet
	made      time.Time     // when pending was
}

// ownFile holds one key. Next is written before any statement names it: after a crash in between, the log says whether it counts.
type ownFile struct {
	head
	Secret []byte `json:"secret"`
	Next   []byte `json:"next,omitempty"`
}

type logFile struct {
	head
	Log jsontext.Value `json:"log,omitempty"` // keylog.Log.Bytes; absent while the nation has not named the ring's keys
}

// purpose is one of the ring's own keys: the file that it stands in and what it is for.
type purpose struct {
	file   string
	hybrid bool
	roles  []keylog.Role // sorted
}

// purposes lists the ring's own keys. The originator's is that of the file that every ring has had, so that what it signed before verifies.
var purposes = []purpose{
	{"signing", false, []keylog.Role{keylog.RoleOriginate}},
	{"org", true, []keylog.Role{keylog.RoleAccord, keylog.RoleVote}},
	{"node", true, []keylog.Role{keylog.RoleNode, keylog.RoleRelay, keylog.RoleWitness}},
	{"release", true, []keylog.Role{keylog.RoleRelease}},
}

func purposeOf(role keylog.Role) (purpose, bool) {
	for _, p := range purposes {
		for _, r := range p.roles {
			if r == role {
				return p, true
			}
		}
	}
	return purpose{}, false
}

// entry is what the log says of a key of the ring.
func (r *Ring) entry(p purpose) keylog.Entry {
	e := keylog.Entry{Org: r.names.Org, Roles: p.roles, NotAfter: micro(r.now().Add(keyLife))}
	if p.file == "node" {
		e.Node = NodeName
	}
	return e
}

// NodeName is what a key log calls an organisation's node.
const NodeName = "node"

// request asks the nation for a key of the ring.
func (r *Ring) request(p purpose, key *dsse.Private) (keylog.Request, error) {
	e := r.entry(p)
	if before, ok := r.log.State().Find(r.own[p.file].key.Key().ID()); ok {
		e.Address = before.Address
	}
	q, err := keylog.Request{Nation: r.names.Nation, Realm: r.names.Realm, Entry: e}.Sign(key)
	return q, refusal(err)
}

// makeOwn makes those of the ring's own keys that are not there, the nation's root unless the ring is a member's, and the log that names them.
// The log's file is there first, and empty: a ring whose log has been lost is not taken for one that has none yet.
func (r *Ring) makeOwn() error {
	if err := r.save("keylog", logFile{head: r.head("keylog")}); err != nil {
		return err
	}
	return r.completeOwn()
}

func (r *Ring) completeOwn() error {
	r.log = keylog.New(r.names.Nation, r.names.Realm)
	for _, p := range purposes {
		if err := r.loadOwn(p); fault.Of(err) == fault.NotFound {
			key, err := dsse.Generate(p.hybrid)
			if err != nil {
				return fault.New(fault.Internal, "", "cannot make a key").Because(err)
			}
			if err := r.saveOwn(p, &own{key: key}); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
	}
	if r.member {
		return nil
	}
	root, err := r.rootKey()
	if !r.exists("root") {
		if root, err = dsse.Generate(true); err != nil {
			return fault.New(fault.Internal, "", "cannot make a root key").Because(err)
		}
		err = r.save("root", secretFile{head: r.head("root"), Secret: root.Seed()})
	}
	if err != nil {
		return err
	}
	l := r.log.Clone()
	if err := r.state(l, keylog.Statement{Kind: keylog.KindRoot, Root: &keylog.Root{Need: 1, Keys: []*dsse.Key{root.Key()}}}, root); err != nil {
		return err
	}
	for _, p := range purposes {
		q, err := r.request(p, r.own[p.file].key)
		if err != nil {
			return err
		}
		if err := r.state(l, keylog.Statement{Kind: keylog.KindAdd, Entry: &q.Entry}, root); err != nil {
			return err
		}
	}
	return r.keep(l)
}

// openOwn reads the own keys and the nation's log. A ring from before there were any gets them.
func (r *Ring) openOwn() error {
	if !r.exists("keylog") && !r.exists("root") && !r.exists("org") {
		if err := r.loadOwn(purposes[0]); err != nil { // there has always been one: it is lost, not new
			return err
		}
		return r.makeOwn()
	}
	if r.exists("root") {
		if _, err := r.rootFile(); err != nil {
			return err
		}
	}
	var f logFile
	if err := r.load("keylog", r.names.Realm, &f); err != nil {
		return err
	}
	if len(f.Log) == 0 && !r.member {
		return r.completeOwn()
	}
	r.log = keylog.New(r.names.Nation, r.names.Realm)
	if len(f.Log) > 0 {
		l, err := keylog.Parse(f.Log)
		if err != nil || l.Nation() != r.names.Nation || l.Realm() != r.names.Realm {
			return damaged(r.path("keylog"), err)
		}
		r.log = l
	}
	for _, p := range purposes {
		if err := r.loadOwn(p); err != nil {
			return err
		}
	}
	return nil
}

func (r *Ring) exists(purpose string) bool {
	_, err := os.Lstat(r.path(purpose))
	return !errors.Is(err, fs.ErrNotExist)
}

func (r *Ring) loadOwn(p purpose) error {
	var f ownFile
	if err := r.load(p.file, r.names.Realm, &f); err != nil {
		return err
	}
	o := &own{}
	var err error
	if o.key, err = dsse.FromSeed(f.Secret); err != nil || o.key.Key().Hybrid() != p.hybrid {
		return damaged(r.path(p.file), nil)
	}
	if len(f.Next) > 0 {
		if o.next, err = dsse.FromSeed(f.Next); err != nil || o.next.Key().Hybrid() != p.hybrid {
			return damaged(r.path(p.file), nil)
		}
	}
	o.made = f.Created
	r.hold(p, o)
	return nil
}

func (r *Ring) saveOwn(p purpose, o *own) error {
	f := ownFile{head: r.head(p.file), Secret: o.key.Seed()}
	if o.next != nil {
		f.Next = o.next.Seed()
	}
	if err := r.save(p.file, f); err != nil {
		return err
	}
	r.hold(p, o)
	return nil
}

// hold takes over a key, and from the log when its successor takes its place: in the middle of their overlap, when partners have had time to learn of
// the new one. A successor that the log does not name does not count yet.
func (r *Ring) hold(p purpose, o *own) {
	if r.own == nil {
		r.own = map[string]*own{}
	}
	if o.next != nil {
		state := r.log.State()
		next, named := state.Find(o.next.Key().ID())
		old, _ := state.Find(o.key.Key().ID())
		switch {
		case !named:
			o.next, o.pending = nil, o.next
		case old.Replaced == o.next.Key().ID() && old.Compromised.IsZero() && old.Until.After(next.Since):
			o.turn = next.Since.Add(old.Until.Sub(next.Since) / 2)
		default:
			o.turn = next.Since
		}
	}
	r.own[p.file] = o
}

// current is the key that signs at the time.
func (o *own) current(at time.Time) *dsse.Private {
	if o.next != nil && !at.Before(o.turn) {
		return o.next
	}
	return o.key
}

// state appends a statement to the log, dated now.
func (r *Ring) state(l *keylog.Log, s keylog.Statement, by ...dsse.Signer) error {
	s.Time = r.stamp(l)
	if (s.Kind == keylog.KindRotate || s.Kind == keylog.KindRevoke) && s.From.Before(s.Time) {
		s.From = s.Time
	}
	e, err := l.Draft(s)
	if err != nil {
		return refusal(err)
	}
	for _, k := range by {
		if err := e.Add(k); err != nil {
			return refusal(err)
		}
	}
	return refusal(l.Append(e.Bytes()))
}

// stamp is the time of the next statement: a clock that went backwards does not stop the log.
func (r *Ring) stamp(l *keylog.Log) time.Time {
	if at := micro(r.now()); at.After(l.State().Time) {
		return at
	}
	return l.State().Time
}

func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// keep makes a longer log durable and takes it.
func (r *Ring) keep(l *keylog.Log) error {
	b, err := l.Bytes()
	if err != nil {
		return refusal(err)
	}
	if len(b) > maxFile/2 {
		return fault.New(fault.TooLarge, "keylog.full", "the key log has grown beyond what this node keeps").By("at most 8 MiB")
	}
	if err := r.save("keylog", logFile{head: r.head("keylog"), Log: b}); err != nil {
		return err
	}
	r.log = l
	return nil
}

// refusal gives an error of the languages as one of the house.
func refusal(err error) error {
	var k *keylog.Error
	var d *dsse.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &k) && k.Code == "keylog.order":
		return fault.New(fault.Conflict, k.Code, "%s", k.Message)
	case errors.As(err, &k):
		return fault.New(fault.Invalid, k.Code, "%s", k.Message)
	case errors.As(err, &d):
		return fault.New(fault.Invalid, d.Code, "%s", d.Message)
	}
	return err
}
