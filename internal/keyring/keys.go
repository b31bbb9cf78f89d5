package keyring

import (
	"io"
	"os"
	"time"

	"entente/dsse"
	"entente/internal/fault"
	"entente/keylog"
)

// KeyLog is the nation's key log as this node holds it. It is the caller's own copy.
func (r *Ring) KeyLog() *keylog.Log {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.log.Clone()
}

// KeyState is what the nation's key log says now.
func (r *Ring) KeyState() *keylog.State {
	r.mu.Lock() // the log makes the state when it is first asked for
	defer r.mu.Unlock()
	return r.log.State()
}

// HasRoot tells whether the nation's root is at this node, so that it can sign statements.
func (r *Ring) HasRoot() bool { return r.exists("root") }

// Signer signs for a role with the key that counts for it now. It is to be asked for at each use: keys are replaced.
func (r *Ring) Signer(role keylog.Role) (dsse.Signer, error) {
	p, ok := purposeOf(role)
	if !ok {
		return nil, fault.New(fault.NotFound, "key.role", "this node has no key for the role %q", role)
	}
	r.mu.Lock()
	key, state := r.own[p.file].current(r.now()), r.log.State()
	r.mu.Unlock()
	at := r.now()
	if at.Before(state.Time) {
		at = state.Time // the node's clock went backwards; the log has been written at this time
	}
	if err := state.Valid(key.Key().ID(), role, at); err != nil {
		return nil, fault.New(fault.Conflict, "keyring.key", "this node cannot sign as %s: %v", role, err).
			Try("let the nation's root name the node's key, or replace it: entente key rotate " + string(role))
	}
	return key, nil
}

// Card is the file that another nation is given at a first contact. An empty address is the one in the key log.
func (r *Ring) Card(address string) ([]byte, error) {
	node, err := r.Signer(keylog.RoleNode)
	if err != nil {
		return nil, err
	}
	l := r.KeyLog()
	if k, ok := l.State().Find(node.Key().ID()); ok && address == "" {
		address = k.Address
	}
	b, err := keylog.Card{Org: r.names.Org, Node: NodeName, Address: address, Time: r.stamp(l), Log: l}.Sign(node)
	return b, refusal(err)
}

// RotateKey replaces the key for a role. The old one counts for the overlap still; in the middle of it the new one begins to sign. The new key's id is given.
func (r *Ring) RotateKey(role keylog.Role, overlap time.Duration) (string, error) {
	p, ok := purposeOf(role)
	if !ok || overlap < 0 || overlap > 90*24*time.Hour {
		return "", fault.New(fault.Invalid, "key.rotate", "a key has one of the roles of the key log, and overlaps with the next for 90 days at most")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	root, err := r.rootKey()
	if err != nil {
		return "", err
	}
	if err := r.settle(p); err != nil {
		return "", err
	}
	old := r.own[p.file].key
	next, err := r.prepare(p)
	if err != nil {
		return "", err
	}
	q, err := r.request(p, next)
	if err != nil {
		return "", err
	}
	l := r.log.Clone()
	at := r.stamp(l)
	if k, ok := l.State().Find(old.Key().ID()); ok {
		q.Entry.Address = k.Address // the proof is over who and what for, and holds
	}
	if err := r.state(l, keylog.Statement{Kind: keylog.KindRotate, From: at.Add(overlap), Key: old.Key().ID(), Entry: &q.Entry}, root, old); err != nil {
		return "", err
	}
	if err := r.keep(l); err != nil {
		return "", err
	}
	r.hold(p, &own{key: old, next: next})
	return next.Key().ID(), nil
}

// prepare writes down a new key beside the one that it is to replace, before any statement names it.
func (r *Ring) prepare(p purpose) (*dsse.Private, error) {
	next, err := dsse.Generate(p.hybrid)
	if err != nil {
		return nil, fault.New(fault.Internal, "", "cannot make a key").Because(err)
	}
	old := r.own[p.file].key
	f := ownFile{head: r.head(p.file), Secret: old.Seed(), Next: next.Seed()}
	return next, r.save(p.file, f)
}

// settle ends a rotation whose overlap is over. Before that another one is refused.
func (r *Ring) settle(p purpose) error {
	o := r.own[p.file]
	if o.next == nil {
		return nil
	}
	old, _ := r.log.State().Find(o.key.Key().ID())
	if old.Compromised.IsZero() && r.now().Before(old.Until) {
		return fault.New(fault.Conflict, "key.rotating", "the key is being replaced until %s", old.Until.Format(time.RFC3339)).Try("wait, or state a compromise")
	}
	return r.saveOwn(p, &own{key: o.next})
}

// RevokeKey states that a key of the nation counts no longer from a time on; the zero time is now.
func (r *Ring) RevokeKey(id string, from time.Time, reason string) error {
	return r.amend(keylog.Statement{Kind: keylog.KindRevoke, Key: id, From: micro(from), Reason: reason})
}

// MoveNode states where the node of a key is reached.
func (r *Ring) MoveNode(id, address string) error {
	return r.amend(keylog.Statement{Kind: keylog.KindAddress, Key: id, Address: address})
}

func (r *Ring) amend(s keylog.Statement) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	root, err := r.rootKey()
	if err != nil {
		return err
	}
	l := r.log.Clone()
	if err := r.state(l, s, root); err != nil {
		return err
	}
	return r.keep(l)
}

// CompromiseKey states that a key of the nation has been in other hands since a time: what it signed from then on is put into quarantine wherever it is. When
// it is the key that this node signs with, a new one takes its place at once, by the root alone.
func (r *Ring) CompromiseKey(id string, since time.Time, reason string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	root, err := r.rootKey()
	if err != nil {
		return err
	}
	l := r.log.Clone()
	s := keylog.Statement{Kind: keylog.KindCompromise, Key: id, From: micro(since), Reason: reason}
	if err := r.state(l, s, root); err != nil {
		return err
	}
	for _, p := range purposes {
		o := r.own[p.file]
		lost := o.key.Key().ID() == id
		if !lost && (o.next == nil || o.next.Key().ID() != id) {
			continue
		}
		if lost && o.next != nil && l.State().Valid(o.next.Key().ID(), "", r.stamp(l)) == nil {
			if err := r.keep(l); err != nil { // its successor is there already
				return err
			}
			return r.saveOwn(p, &own{key: o.next})
		}
		next, err := r.prepare(p)
		if err != nil {
			return err
		}
		q, err := r.request(p, next)
		if err != nil {
			return err
		}
		if k, ok := l.State().Find(id); ok {
			q.Entry.Address = k.Address
		}
		if err := r.state(l, keylog.Statement{Kind: keylog.KindAdd, Entry: &q.Entry}, root); err != nil {
			return err
		}
		if err := r.keep(l); err != nil {
			return err
		}
		return r.saveOwn(p, &own{key: next})
	}
	return r.keep(l)
}

// Requests asks the nation to name the keys of this ring, for a node whose root is elsewhere.
func (r *Ring) Requests() ([]keylog.Request, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var out []keylog.Request
	for _, p := range purposes {
		q, err := r.request(p, r.own[p.file].current(r.now()))
		if err != nil {
			return nil, err
		}
		out = append(out, q)
	}
	return out, nil
}

// Admit names a key that another node of the nation asked for.
func (r *Ring) Admit(request []byte) error {
	q, err := keylog.ParseRequest(request)
	if err != nil {
		return refusal(err)
	}
	if q.Nation != r.names.Nation || q.Realm != r.names.Realm {
		return fault.New(fault.Invalid, "keylog.request", "the request is for %s in the realm %s", q.Nation, q.Realm)
	}
	return r.amend(keylog.Statement{Kind: keylog.KindAdd, Entry: &q.Entry})
}

// Join takes statements that were signed where the root is: the whole log, or one that is longer than the log here and goes on from it.
func (r *Ring) Join(l *keylog.Log) error {
	if l.Nation() != r.names.Nation || l.Realm() != r.names.Realm {
		return fault.New(fault.Invalid, "keylog.order", "the key log is that of %s in the realm %s", l.Nation(), l.Realm())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	longer := r.log.Clone()
	if _, err := longer.Extend(0, l.Since(0)); err != nil {
		return refusal(err)
	}
	return r.keep(longer)
}

// ExportRoot moves the nation's root out of the node: it is written to the file, which must not be there, read back, and only then removed here.
func (r *Ring) ExportRoot(path string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.rootKey(); err != nil {
		return err
	}
	b, err := readPrivate(r.path("root"))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return broken(err, "write", path)
	}
	defer f.Close()
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	var again []byte
	if err == nil {
		again, err = io.ReadAll(f)
	}
	if err != nil || string(again) != string(b) {
		return broken(err, "write", path)
	}
	if err := os.Remove(r.path("root")); err != nil {
		return broken(err, "remove", r.path("root"))
	}
	return syncDir(r.dir)
}
