package keyring

import (
	"slices"
	"time"

	"entente/dsse"
	"entente/internal/fault"
	"entente/keylog"
)

// NewPerson makes a person's key, for releases or votes, and its request to the nation. An empty holder is a person who has no number yet.
func NewPerson(nation, realm, org, holder string, now time.Time, roles ...keylog.Role) (Private, keylog.Request, error) {
	if holder == "" {
		holder = keylog.NewHolder()
	}
	return newPrivate(Private{Nation: nation, Realm: realm, Org: org, Holder: holder, Roles: roles}, now)
}

// Renew makes a key in place of a person's own, and drafts the statement that names it, signed by the old key: the root signs beside it. The old key counts for the
// overlap still.
func (p Private) Renew(l *keylog.Log, overlap time.Duration, now time.Time) (Private, *keylog.Draft, error) {
	if p.Holder == "" {
		return Private{}, nil, fault.New(fault.Conflict, "key.person", "this is not a person's key").Try("nodes replace their keys by themselves: entente key rotate")
	}
	if p.Nation != l.Nation() || p.Realm != l.Realm() {
		return Private{}, nil, fault.New(fault.Conflict, "key.realm", "the key log is that of %s in %s, the key is of %s in %s", l.Nation(), l.Realm(), p.Nation, p.Realm)
	}
	if overlap < 0 || overlap > 90*24*time.Hour {
		return Private{}, nil, fault.New(fault.Invalid, "key.overlap", "keys overlap for 90 days at most")
	}
	next, q, err := NewPerson(p.Nation, p.Realm, p.Org, p.Holder, now, p.Roles...)
	if err != nil {
		return Private{}, nil, err
	}
	at := micro(now)
	if before := l.State().Time; at.Before(before) {
		at = before
	}
	d, err := l.Prepare(keylog.Statement{Kind: keylog.KindRotate, Time: at, From: at.Add(overlap), Key: p.Key.Key().ID(), Entry: &q.Entry})
	if err != nil {
		return Private{}, nil, refusal(err)
	}
	return next, d, refusal(d.Sign(p.Key))
}

// SignPerson signs the exact bytes as what they are, for a role that the person's key is for, in the realm of the key, and gives them in a DSSE v1 envelope, which
// keylog.State.OpenPerson opens.
func (p Private) SignPerson(role keylog.Role, payloadType string, payload []byte) ([]byte, error) {
	if p.Holder == "" || !slices.Contains(p.Roles, role) {
		return nil, fault.New(fault.Conflict, "key.role", "this is not a person's key for the role %q", role).Try("make one: entente key person new --role " + string(role))
	}
	e, err := dsse.Sign(dsse.InRealm(payloadType, p.Realm), payload, p.Key)
	if err != nil {
		return nil, fault.New(fault.Internal, "", "an envelope cannot be signed").Because(err)
	}
	return e.Bytes(), nil
}
