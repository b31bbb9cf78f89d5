package cli

import (
	"fmt"
	"io"
	"slices"
	"time"

	"entente/accord"
	"entente/bundle"
	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/keyring"
	"entente/keylog"
	"entente/peer"
	"entente/seal"
)

// cardBytes bounds a card in a file.
const cardBytes = 16 << 20

// verifyOffline verifies a bundle with nothing but the node's keys and the card of the sender's nation: at a station where no node is. What the node holds of
// the sender is not known here, so that logs which do not begin with it are verified in their form alone, and named.
func (a *app) verifyOffline(path, cardPath string) (in federation.Imported, err error) {
	if a.conn.data == "" {
		return in, usage("--card verifies with the keys of a node: give --data DIR")
	}
	f, _, err := a.open(cardPath)
	if err != nil {
		return in, err
	}
	b, err := readUpTo(f, cardBytes)
	f.Close()
	if err != nil {
		return in, err
	}
	card, err := keylog.ParseCard(b)
	if err != nil {
		return in, fault.New(fault.Invalid, "card", "%v", err)
	}
	ring, err := keyring.Open(a.conn.data, card.Log.Realm(), time.Now)
	if err != nil {
		return in, err
	}
	keys, err := ring.SealKeys(time.Now())
	if err != nil {
		return in, err
	}
	log := card.Log.Clone()
	names := ring.Names()
	o := bundle.Options{Realm: ring.Realm(), To: bundle.Party{Nation: names.Nation, Org: names.Org},
		Open: func(id seal.KeyID) *seal.Private {
			if i := slices.IndexFunc(keys, func(k *seal.Private) bool { return k.ID() == id }); i >= 0 {
				return keys[i]
			}
			return nil
		},
		Keys: func(nation, org string) (out []*dsse.Key) {
			if nation != log.Nation() || org != card.Org {
				return nil
			}
			for _, k := range log.State().Keys(org, keylog.RoleNode, time.Now()) {
				out = append(out, k.Key)
			}
			return out
		}}
	known := bundle.Known{
		KeyLog: func(k *peer.KeyLog) (uint64, error) {
			if k.Nation != log.Nation() {
				return k.From, nil
			}
			have := uint64(log.Size())
			if have < k.From {
				return have, nil
			}
			_, err := log.Extend(int64(k.From), k.Statements)
			return have, err
		},
		Accord: func(b []byte) error { _, err := accord.ParseBundle(b); return err },
		Log:    func(origin string) (*peer.Verifier, error) { return &peer.Verifier{Origin: origin}, nil },
	}
	fingerprint := card.Log.Fingerprint()
	if err := a.tellFingerprint(card.Log.Nation(), fmt.Sprintf("%x", fingerprint[:]), false); err != nil {
		return in, err
	}
	return a.carried(path, func(r io.Reader) (federation.Imported, error) {
		report, err := bundle.Verify(r, o, known)
		if err != nil {
			return federation.Imported{}, fault.New(fault.Unprocessable, "bundle", "%v", err)
		}
		m := report.Manifest
		in := federation.Imported{State: federation.BundleHolds, Nation: m.From.Nation, Org: m.From.Org, Number: m.Number, Created: m.Created, Leaves: report.Frames, New: report.New}
		for _, g := range report.Gaps {
			if g.What != "bundle" {
				in.Missing = append(in.Missing, g.String()+" is not here: what follows it was verified in its form alone")
			}
		}
		return in, nil
	})
}
