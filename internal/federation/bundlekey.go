package federation

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/store"
	"entente/keylog"
	"entente/seal"
)

// docSealKey is the kind of the documents of keys to seal to; their key is the nation.
const docSealKey = "bundle.key"

// SealKey is the key to which one seals what is for a nation.
type SealKey struct {
	Nation    string    `json:"nation"`
	Org       string    `json:"org"`
	Epoch     uint32    `json:"epoch"`
	ID        string    `json:"id"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"` // nothing is sealed to it from then on
	Added     time.Time `json:"added"`
	By        string    `json:"by"`
}

type sealKeyDoc struct {
	Statement []byte    `json:"statement"` // envelope
	Added     time.Time `json:"added"`
	By        string    `json:"by"`
}

// OwnSealKey is the statement of the key to which partners seal now, in its envelope: no secret.
func (f *Federation) OwnSealKey() ([]byte, error) { return f.cfg.SealKey(f.stamp()) }

// LearnSealKey takes the statement of the key of a partner's node, once its key log says that this node signed it. An older one than is here, and another of
// the same epoch, are refused.
func (f *Federation) LearnSealKey(ctx context.Context, by string, envelope []byte) (SealKey, error) {
	now := f.stamp()
	s, p, err := f.openSealKey(envelope, now)
	if err != nil {
		return SealKey{}, err
	}
	k := SealKey{s.Nation, s.Org, s.Epoch, s.ID().String(), s.NotBefore, s.NotAfter, now, by}
	if err := s.At(now); err != nil {
		return SealKey{}, fault.New(fault.Unprocessable, "bundle.key", "%v", err)
	}
	old, at, version, err := f.sealKey(ctx, p.Nation)
	if err != nil {
		return SealKey{}, err
	}
	switch {
	case old == nil:
	case old.ID() == s.ID():
		k.Added, k.By = at.Added, at.By
		return k, nil
	case old.Epoch >= s.Epoch:
		return SealKey{}, fault.New(fault.Conflict, "bundle.key", "a key of %s of epoch %d is here, and this is another of epoch %d", s.Nation, old.Epoch, s.Epoch).Try("ask its node for the statement of today: entente bundle key")
	}
	value, err := json.Marshal(sealKeyDoc{envelope, now, by})
	if err != nil {
		return SealKey{}, fault.New(fault.Internal, "", "a key cannot be written down").Because(err)
	}
	return k, f.cfg.House.PutDocs(ctx, store.Act{Actor: by, Verb: "bundle.key", Target: s.Nation, Detail: "key=" + k.ID}, store.Doc{Kind: docSealKey, Key: s.Nation, Value: value, Version: version})
}

// openSealKey verifies a statement: the node that its nation's key log names signed it, with a key that counted at the time.
func (f *Federation) openSealKey(envelope []byte, at time.Time) (*seal.Statement, Partner, error) {
	all := f.cfg.Partners.Partners()
	s, by, err := seal.OpenStatement(envelope, f.cfg.Realm, func(id string) *dsse.Key {
		for i := range all {
			if k, ok := all[i].Keys.Find(id); ok && k.Org == all[i].Org && k.Compromised.IsZero() && all[i].Keys.Valid(id, keylog.RoleNode, at) == nil {
				return k.Key
			}
		}
		return nil
	})
	if err != nil {
		return nil, Partner{}, fault.New(fault.Unprocessable, "bundle.key", "no node that is known here signed this in the realm %s: %v", f.cfg.Realm, err).Try("first take the nation's card: entente peer add FILE")
	}
	i := slices.IndexFunc(all, func(p Partner) bool {
		_, ok := p.Keys.Find(by.ID())
		return ok && p.Nation == s.Nation && p.Org == s.Org
	})
	if i < 0 {
		return nil, Partner{}, fault.New(fault.Unprocessable, "bundle.key", "the key is stated for %s, %s, and another node signed it", s.Nation, s.Org)
	}
	return s, all[i], nil
}

// sealKey is the key that was learned of a nation; nil: none. One that a key signed which turned out to be in other hands is none.
func (f *Federation) sealKey(ctx context.Context, nation string) (*seal.Statement, sealKeyDoc, int64, error) {
	var k sealKeyDoc
	d, err := f.cfg.House.Doc(ctx, docSealKey, nation)
	if err != nil {
		return nil, k, 0, ignoreMissing(err)
	}
	if err := json.Unmarshal(d.Value, &k); err != nil {
		return nil, k, 0, fault.New(fault.Internal, "bundle.damaged", "the stored key of %s cannot be read", nation).Because(err)
	}
	s, _, err := f.openSealKey(k.Statement, k.Added)
	if fault.Of(err) == fault.Unprocessable {
		err = nil
	}
	return s, k, d.Version, err
}
