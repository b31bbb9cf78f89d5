package keyring

import (
	"slices"
	"time"

	"entente/internal/fault"
	"entente/keylog"
	"entente/seal"
)

// Times of the keys that others seal to.
const (
	sealLife  = 30 * 24 * time.Hour // for so long one may seal to a key
	sealKept  = 30 * 24 * time.Hour // and for so long after that it still opens: a bundle may be on its way
	sealRenew = 7 * 24 * time.Hour  // before the end of a key its successor is there, so that partners learn of it in time
)

const sealFile = "recipient"

// recipientFile holds the keys that open what was sealed to this node, the newest last.
type recipientFile struct {
	head
	Epoch uint32         `json:"epoch"` // of the newest, also when none is left
	Keys  []recipientKey `json:"keys,omitempty"`
}

type recipientKey struct {
	Epoch     uint32    `json:"epoch"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	Secret    []byte    `json:"secret"`
}

// SealKeys are the keys that open what was sealed to this node, the newest first. Each is sealed to for thirty days; a week before that its successor is
// made, and thirty days after it the key is destroyed: nobody opens from then on what was sealed to it, unless a backup of the ring still has it.
func (r *Ring) SealKeys(now time.Time) ([]*seal.Private, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, err := r.recipients(now)
	if err != nil {
		return nil, err
	}
	var out []*seal.Private
	for _, k := range slices.Backward(f.Keys) {
		p, err := seal.FromSeed(k.Secret)
		if err != nil {
			return nil, damaged(r.path(sealFile), nil)
		}
		out = append(out, p)
	}
	return out, nil
}

// SealStatement says which key one seals to now, in an envelope that the node's key signs: seal.OpenStatement reads it.
func (r *Ring) SealStatement(now time.Time) ([]byte, error) {
	by, err := r.Signer(keylog.RoleNode)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	f, err := r.recipients(now)
	r.mu.Unlock()
	if err != nil {
		return nil, err
	}
	k := f.Keys[len(f.Keys)-1]
	p, err := seal.FromSeed(k.Secret)
	if err != nil {
		return nil, damaged(r.path(sealFile), nil)
	}
	b, err := seal.Statement{Nation: r.names.Nation, Org: r.names.Org, Epoch: k.Epoch, Key: p.Public(), NotBefore: k.NotBefore, NotAfter: k.NotAfter}.Sign(r.names.Realm, by)
	if err != nil {
		return nil, fault.New(fault.Internal, "", "the statement of a key cannot be signed").Because(err)
	}
	return b, nil
}

// recipients reads the keys, destroys those whose time is over and makes the one that is due. A new key is durable before anybody learns of it. The caller holds mu.
func (r *Ring) recipients(now time.Time) (*recipientFile, error) {
	f := &recipientFile{}
	if r.exists(sealFile) {
		if err := r.load(sealFile, r.names.Realm, f); err != nil {
			return nil, err
		}
	}
	before := len(f.Keys)
	f.Keys = slices.DeleteFunc(f.Keys, func(k recipientKey) bool { return !now.Before(k.NotAfter.Add(sealKept)) })
	changed := len(f.Keys) != before
	if n := len(f.Keys); n == 0 || !now.Before(f.Keys[n-1].NotAfter.Add(-sealRenew)) {
		p, err := seal.Generate()
		if err != nil {
			return nil, fault.New(fault.Internal, "", "a key to seal to cannot be made").Because(err)
		}
		secret, err := p.Seed()
		if err != nil {
			return nil, fault.New(fault.Internal, "", "a key to seal to cannot be kept").Because(err)
		}
		f.Epoch++
		from := now.UTC().Add(-backdate).Truncate(time.Second) // partners' clocks differ
		f.Keys = append(f.Keys, recipientKey{Epoch: f.Epoch, NotBefore: from, NotAfter: from.Add(backdate + sealLife), Secret: secret})
		changed = true
	}
	if !changed {
		return f, nil
	}
	f.head = r.head(sealFile)
	return f, r.save(sealFile, f)
}
