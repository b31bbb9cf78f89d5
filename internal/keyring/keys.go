package keyring

import (
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
		return nil, fault.New(fault.Conflict, "keyring.key", "this node cannot sign as %s: %v", role, err).By("a key signs while its nation's key log says that it counts").
			Try("with the nation's root at this node: entente key rotate " + string(role) + "; else ask where it is: entente key request")
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

// RotateKey replaces the key for a role. The old one counts for the overlap still; in the middle of it the new one begins to sign. A key that counts no longer
// gets a successor that signs at once. The new key's id is given.
func (r *Ring) RotateKey(role keylog.Role, overlap time.Duration) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	root, err := r.rootKey()
	if err != nil {
		return "", err
	}
	p, s, by, err := r.rotation(role, overlap)
	if err != nil {
		return "", err
	}
	l := r.log.Clone()
	if err := r.state(l, s, append(by, root)...); err != nil {
		return "", err
	}
	if err := r.keep(l); err != nil {
		return "", err
	}
	return s.Entry.Key.ID(), r.loadOwn(p)
}

// DraftRotation makes a new key for a role and the statement that names it, signed by the old key as RotateKey's is, for a root that is elsewhere. It counts once Join
// brings the statement back.
func (r *Ring) DraftRotation(role keylog.Role, overlap time.Duration) (*keylog.Draft, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, s, by, err := r.rotation(role, overlap)
	if err != nil {
		return nil, err
	}
	d, err := r.log.Prepare(s)
	if err != nil {
		return nil, refusal(err)
	}
	for _, k := range by {
		if err := d.Sign(k); err != nil {
			return nil, refusal(err)
		}
	}
	return d, nil
}

// rotation prepares a successor for the key of a role, and gives the statement that names it and who must sign it beside the root.
func (r *Ring) rotation(role keylog.Role, overlap time.Duration) (p purpose, s keylog.Statement, by []dsse.Signer, err error) {
	p, ok := purposeOf(role)
	if !ok || overlap < 0 || overlap > 90*24*time.Hour {
		return p, s, nil, fault.New(fault.Invalid, "key.rotate", "a key has one of the roles of the key log, and overlaps with the next for 90 days at most")
	}
	if err = r.settle(p); err != nil {
		return p, s, nil, err
	}
	old := r.own[p.file].key
	next, err := r.prepare(p)
	if err != nil {
		return p, s, nil, err
	}
	q, err := r.request(p, next)
	if err != nil {
		return p, s, nil, err
	}
	at := r.stamp(r.log)
	if r.log.State().Valid(old.Key().ID(), "", at) != nil {
		return p, keylog.Statement{Kind: keylog.KindAdd, Time: at, Entry: &q.Entry}, nil, nil
	}
	return p, keylog.Statement{Kind: keylog.KindRotate, Time: at, From: at.Add(overlap), Key: old.Key().ID(), Entry: &q.Entry}, []dsse.Signer{old}, nil
}

// prepare writes down a new key beside the one that it is to replace, before any statement names it. One that waits already is kept as long as the log stays
// as it is, so that what was asked for can still be answered.
func (r *Ring) prepare(p purpose) (*dsse.Private, error) {
	o := r.own[p.file]
	if o.pending != nil && o.made.After(r.log.State().Time) {
		return o.pending, nil
	}
	return r.successor(p)
}

// successor is prepare, and always another key.
func (r *Ring) successor(p purpose) (*dsse.Private, error) {
	next, err := dsse.Generate(p.hybrid)
	if err != nil {
		return nil, fault.New(fault.Internal, "", "cannot make a key").Because(err)
	}
	o := r.own[p.file]
	f := ownFile{head: r.head(p.file), Secret: o.current(r.now()).Seed(), Next: next.Seed()}
	if err := r.save(p.file, f); err != nil {
		return nil, err
	}
	r.own[p.file] = &own{key: o.current(r.now()), pending: next, made: f.Created}
	return next, nil
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

func (r *Ring) amend(statements ...keylog.Statement) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	root, err := r.rootKey()
	if err != nil {
		return err
	}
	l := r.log.Clone()
	for _, s := range statements {
		if err := r.state(l, s, root); err != nil {
			return err
		}
	}
	if err := r.keep(l); err != nil {
		return err
	}
	return r.reload()
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
		next, err := r.successor(p)
		if err != nil {
			return err
		}
		q, err := r.request(p, next)
		if err != nil {
			return err
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

// Requests asks the nation for the keys that this node lacks: those that the key log does not name, and successors of those that count no longer.
func (r *Ring) Requests() ([]keylog.Request, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []keylog.Request
	for _, p := range purposes {
		key := r.own[p.file].current(r.now())
		if _, named := r.log.State().Find(key.Key().ID()); named {
			if r.log.State().Valid(key.Key().ID(), "", r.stamp(r.log)) == nil {
				continue
			}
			var err error
			if key, err = r.prepare(p); err != nil {
				return nil, err
			}
		}
		q, err := r.request(p, key)
		if err != nil {
			return nil, err
		}
		out = append(out, q)
	}
	if out == nil {
		return nil, fault.New(fault.Conflict, "keyring.complete", "the key log names every key of this node, and all of them count").Try("to replace one before its end: entente key rotate ROLE")
	}
	return out, nil
}

// Asked reads requests for keys of this nation, in this realm.
func (r *Ring) Asked(file []byte) ([]keylog.Request, error) {
	return Asked(file, r.names.Nation, r.names.Realm, r.now())
}

// Asked reads requests for keys of a nation in a realm. No key counts for longer than two years from now.
func Asked(file []byte, nation, realm string, now time.Time) ([]keylog.Request, error) {
	list, err := keylog.ParseRequests(file)
	if err != nil {
		return nil, refusal(err)
	}
	for i := range list {
		q := &list[i]
		if q.Nation != nation || q.Realm != realm {
			return nil, fault.New(fault.Invalid, "keylog.request", "the request is for %s in the realm %s", q.Nation, q.Realm)
		}
		if most := micro(now.Add(keyLife)); q.Entry.NotAfter.IsZero() || q.Entry.NotAfter.After(most) {
			q.Entry.NotAfter = most
		}
	}
	return list, nil
}

// Admit names the keys that were asked for: all of them or none.
func (r *Ring) Admit(file []byte) error {
	list, err := r.Asked(file)
	if err != nil {
		return err
	}
	var statements []keylog.Statement
	for i := range list {
		statements = append(statements, keylog.Statement{Kind: keylog.KindAdd, Entry: &list[i].Entry})
	}
	return r.amend(statements...)
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
	if err := r.keep(longer); err != nil {
		return err
	}
	return r.reload()
}

// reload takes the own keys as a log that has become longer has them.
func (r *Ring) reload() error {
	for _, p := range purposes {
		if err := r.loadOwn(p); err != nil {
			return err
		}
	}
	return nil
}
