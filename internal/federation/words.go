package federation

import (
	"bytes"
	"context"
	"slices"

	"entente/internal/decisions"
	"entente/internal/fault"
	"entente/peer"
)

// What a nation says for itself in a decision or about an accord can be final. A node that was restored from a backup has forgotten what it said since, and would contradict itself
// before everybody, who could prove it. So it says nothing before it has asked its partners what they heard from it, and takes that for its own word again by its own signatures.

// Awaits tells whether nothing may be said yet in decisions. Where nobody could be asked in time, it goes on waiting for one of those that have an address here: before one of them
// is reached, what is said reaches nobody.
func (f *Federation) Awaits(ctx context.Context) (bool, error) {
	restored := f.cfg.Ledger.Restored()
	if restored == "" || f.speaks.Load() {
		return false, nil
	}
	done, err := f.cfg.Ledger.Cursor(ctx, recoveredName+restored)
	if err != nil || done == nil {
		return err == nil, err
	}
	if string(done) == recoveredLate {
		bound, reachable := f.together(f.cfg.Nation), false
		for _, p := range f.cfg.Partners.Partners() {
			if p.Address == "" || !slices.Contains(bound, p.Nation) {
				continue
			}
			reachable = true
			if asked, err := f.cfg.Ledger.Cursor(ctx, recoveredName+restored+"/"+p.Nation); err != nil {
				return false, err
			} else if asked != nil {
				reachable = false
				break
			}
		}
		if reachable {
			return true, nil
		}
	}
	f.speaks.Store(true)
	return false, nil
}

// word takes back what this node said in a decision, or an accord that it told of. It counts by the signatures in it, wherever it stood.
func (r *recovery) word(ctx context.Context, k *peer.Known, leaf *peer.Leaf) error {
	fresh, err := false, error(nil)
	switch {
	case k.Envelope == nil:
		r.Lost++
		return nil
	case leaf.Kind == peer.Accord:
		had, _ := r.f.cfg.Accords.BundleOf(leaf.Accord)
		err = r.f.cfg.Accords.Offer(ctx, r.Nation, k.Envelope)
		has, _ := r.f.cfg.Accords.BundleOf(leaf.Accord)
		fresh = !bytes.Equal(had, has)
	case r.f.cfg.Decisions != nil:
		fresh, err = r.f.cfg.Decisions.Remember(ctx, decisions.Place{Origin: k.Origin, Index: k.Index, Leaf: *leaf}, k.Envelope)
	}
	return r.counted(fresh, err)
}

// counted counts a word that was taken back or refused; that a room does not work now is for all that was asked.
func (r *recovery) counted(fresh bool, err error) error {
	switch {
	case err == nil && fresh:
		r.Words++
	case err == nil:
	case slices.Contains([]fault.Kind{fault.Unavailable, fault.Full, fault.Internal}, fault.Of(err)):
		return err
	default:
		r.f.cfg.Log.Warn("after the restore, a word that a partner shows as this node's does not count", "partner", r.Nation, "error", err)
		r.Unproven++
	}
	return nil
}

// notices takes back what the own nation stated about accords.
func (r *recovery) notices(ctx context.Context, c *peer.Client) error {
	had := r.f.cfg.Accords.Notices(r.f.cfg.Nation)
	got, err := c.Reconcile(ctx, peer.Reconcile{Notices: true})
	if err != nil {
		if isRefusal(err) { // by a node of before, which does not know the question
			return nil
		}
		return err
	}
	for _, n := range got.Notices {
		if slices.ContainsFunc(had, func(h []byte) bool { return bytes.Equal(h, n) }) {
			continue
		}
		if err := r.counted(true, r.f.cfg.Accords.Hear(ctx, r.f.cfg.Nation, n)); err != nil {
			return err
		}
	}
	return nil
}

// noticesOf are a caller's notices as they are here, as many as an answer holds.
func (f *Federation) noticesOf(nation string) (out [][]byte) {
	room := f.cfg.Limits.Body / 2 // base64 and the rest take a third
	for _, n := range f.cfg.Accords.Notices(nation) {
		if room -= int64(len(n) + 8); room < 0 {
			break
		}
		out = append(out, n)
	}
	return out
}
