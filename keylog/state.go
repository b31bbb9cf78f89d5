package keylog

import (
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Head is a log in 40 bytes: how long it is, and the hash over all of it.
type Head struct {
	Size int64
	Hash tlog.Hash
}

// Key is one key of the log and what has been said of it.
type Key struct {
	Entry
	Index       int64     // of the statement that brought it
	Since       time.Time // it counts from then on
	Until       time.Time // revoked or replaced: it counts before then; zero: neither
	Reason      string    // why it was revoked or compromised
	Replaced    string    // the id of the key in its place
	Compromised time.Time // zero: it is not
}

// State is what a log says, up to one length of it. It does not change, and any number of goroutines may read it.
type State struct {
	Nation, Realm string
	Head          Head
	Root          Root
	Time          time.Time // of the last statement

	keys  map[string]Key
	order []string // ids as they came
}

// Find gives what is known of a key.
func (s *State) Find(id string) (Key, bool) {
	k, ok := s.keys[id]
	return k, ok
}

// All lists every key that the log ever named, as they came.
func (s *State) All() []Key {
	out := make([]Key, len(s.order))
	for i, id := range s.order {
		out[i] = s.keys[id]
	}
	return out
}

// Keys lists the keys that count for the role at the time, as they came. An empty org is every one, an empty role any.
func (s *State) Keys(org string, role Role, at time.Time) []Key {
	var out []Key
	for _, id := range s.order {
		if k := s.keys[id]; (org == "" || k.Org == org) && s.Valid(id, role, at) == nil {
			out = append(out, k)
		}
	}
	return out
}

// Valid tells why what the key signed at the time does not count for the role: nil means that it does. An empty role is any.
func (s *State) Valid(id string, role Role, at time.Time) error {
	k, ok := s.keys[id]
	switch {
	case !ok:
		return refuse("key.unknown", "the key log of ", s.Nation, " has no key ", clip(id))
	case role != "" && !slices.Contains(k.Roles, role):
		return refuse("key.role", "the key log of ", s.Nation, " does not give key ", id, " the role ", clip(string(role)))
	case at.Before(k.Since):
		return refuse("key.early", "the key ", id, " counts from ", stamp(k.Since), " on")
	case !k.Compromised.IsZero() && !at.Before(k.Compromised):
		return refuse("key.compromised", "the key ", id, " is compromised since ", stamp(k.Compromised), ": ", k.Reason)
	case !k.Until.IsZero() && !at.Before(k.Until):
		return refuse("key.revoked", "the key ", id, " is revoked from ", stamp(k.Until), " on")
	case !k.NotAfter.IsZero() && !at.Before(k.NotAfter):
		return refuse("key.expired", "the key ", id, " counts until ", stamp(k.NotAfter))
	}
	return nil
}

// Compromised gives since when a key is in other hands: what it signed from then on is to be quarantined.
func (s *State) Compromised(id string) (since time.Time, ok bool) {
	k := s.keys[id]
	return k.Compromised, !k.Compromised.IsZero()
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// apply takes over a statement whose signatures hold, and refuses it when it does not follow from what is there.
func (s *State) apply(st *Statement) error {
	if st.Root != nil {
		for _, k := range st.Root.Keys {
			if _, used := s.keys[k.ID()]; used {
				return refuse("keylog.order", "a key of the root is a key of an organisation already")
			}
		}
		s.Root = *st.Root
		return nil
	}
	var old Key
	if st.Key != "" {
		var ok bool
		if old, ok = s.keys[st.Key]; !ok {
			return refuse("keylog.order", "the statement is about a key that the log has not named")
		}
	}
	switch st.Kind {
	case KindRotate:
		if err := s.Valid(st.Key, "", st.Time); err != nil {
			return refuse("keylog.order", "only a key that counts can be replaced: ", err.Error())
		}
		if st.Entry.Org != old.Org || st.Entry.Node != old.Node || st.Entry.Holder != old.Holder {
			return refuse("keylog.order", "a key replaces one of the same organisation, node and person")
		}
		old.Until, old.Replaced = earliest(old.Until, st.From), st.Entry.Key.ID()
		if err := s.add(st); err != nil {
			return err
		}
	case KindAdd:
		return s.add(st)
	case KindRevoke:
		if !old.Until.IsZero() && !st.From.Before(old.Until) {
			return refuse("keylog.order", "the key is revoked already, and from an earlier time on")
		}
		old.Until, old.Reason = st.From, st.Reason
	case KindCompromise:
		if !old.Compromised.IsZero() && !st.From.Before(old.Compromised) {
			return refuse("keylog.order", "the key is compromised already, and since an earlier time")
		}
		old.Compromised, old.Reason = st.From, st.Reason
	case KindAddress:
		if !slices.Contains(old.Roles, RoleNode) {
			return refuse("keylog.order", "only a node has an address")
		}
		old.Address = st.Address
	}
	s.keys[st.Key] = old
	return nil
}

func (s *State) add(st *Statement) error {
	e := st.Entry
	id := e.Key.ID()
	if _, twice := s.keys[id]; twice || s.Root.find(id) != nil {
		return refuse("keylog.order", "a key is named once in a log")
	}
	if !e.NotAfter.IsZero() && !e.NotAfter.After(st.Time) {
		return refuse("keylog.order", "the key has expired when it is added")
	}
	if e.Holder != "" {
		for _, k := range s.keys {
			if k.Holder == e.Holder && k.Org != e.Org {
				return refuse("keylog.order", "the number of the person is that of somebody of another organisation")
			}
		}
	}
	s.keys[id] = Key{Entry: *e, Index: st.Index, Since: st.Time}
	s.order = append(s.order, id)
	return nil
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
