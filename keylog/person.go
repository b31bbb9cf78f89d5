package keylog

import (
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"slices"
	"time"

	"entente/dsse"
)

// A key with a holder is a person's: what it signs was decided by that person, and not by whoever has a node in hand. Partners read key logs, so a holder
// is a number and no name; the organisation knows whose it is.

// PersonRoles are what a person's key may be for.
func PersonRoles() []Role { return []Role{RoleRelease, RoleVote} }

var holderForm = regexp.MustCompile(`^[0-9a-f]{16}$`)

// NewHolder is the number of a person who has none yet.
func NewHolder() string {
	b := make([]byte, 8)
	rand.Read(b) // never fails: the process ends when the system has no randomness
	return hex.EncodeToString(b)
}

func (e *Entry) checkHolder() error {
	switch {
	case e.Holder == "":
		return nil
	case !holderForm.MatchString(e.Holder):
		return refuse("statement.form", "the number of a person is 16 digits in hex")
	case slices.ContainsFunc(e.Roles, func(r Role) bool { return !slices.Contains(PersonRoles(), r) }):
		return refuse("statement.form", "a person's key is for release or vote, and nothing else")
	}
	return nil
}

// Person gives the person's key that counts for the role at the time, and tells why one does not: keys of nodes and organisations do not.
func (s *State) Person(role Role, id string, at time.Time) (Key, error) {
	if err := s.Valid(id, role, at); err != nil {
		return Key{}, err
	}
	k := s.keys[id]
	if k.Holder == "" {
		return Key{}, refuse("key.person", "the key ", id, " is not a person's")
	}
	return k, nil
}

// NamesPersons tells whether the log ever named a person's key for the role in an organisation. From then on no other key stands in for persons there: not
// even when none of theirs counts any more.
func (s *State) NamesPersons(org string, role Role) bool {
	return slices.ContainsFunc(s.order, func(id string) bool {
		k := s.keys[id]
		return k.Org == org && k.Holder != "" && slices.Contains(k.Roles, role)
	})
}

// OpenPerson checks that persons signed the envelope's payload, as this type, in this realm, with keys that counted for the role at the time, and gives the
// payload and their keys, one for each person. The payload may say when it was signed: that its keys counted then, too, is for the caller to ask Person.
func (s *State) OpenPerson(role Role, payloadType string, envelope []byte, at time.Time) ([]byte, []Key, error) {
	e, err := dsse.Parse(envelope)
	if err != nil {
		return nil, nil, refuse("statement.form", err.Error())
	}
	var refused error
	held, err := e.Verify(dsse.InRealm(payloadType, s.Realm), func(id string) *dsse.Key {
		k, err := s.Person(role, id, at)
		if err != nil {
			refused = err
			return nil
		}
		return k.Key
	})
	switch {
	case err != nil && refused != nil:
		return nil, nil, refused
	case err != nil:
		return nil, nil, refuse("statement.signature", "no person of ", s.Nation, " signed this: ", err.Error())
	}
	var by []Key
	for _, h := range held {
		k := s.keys[h.ID()]
		if !slices.ContainsFunc(by, func(o Key) bool { return o.Org == k.Org && o.Holder == k.Holder }) {
			by = append(by, k)
		}
	}
	return e.Payload, by, nil
}
