package federation

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/proof"
)

// conflicted keeps both of two objects that a partner signed as one version: the first goes to quarantine, where no machine acts on it, the second stands in
// the proof. A person decides which one counts; the originator is told.
func (f *Federation) conflicted(ctx context.Context, p Partner, id, version string, a *arrival, second []byte) error {
	page, err := f.cfg.House.Page(ctx, store.Query{IDs: []string{id}, Versions: store.Versions{All: true}, Specs: specs, Nation: p.Nation, Org: p.Org, Held: true})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(page.Items, func(it store.Item) bool { return it.Record.Version == version && it.Record.Envelope != nil })
	if i < 0 {
		return nil // it came by a way on which nothing is signed
	}
	first := page.Items[i].Record
	l, err := f.cfg.Partners.Log(p.Nation)
	if err != nil {
		return err
	}
	made, err := proof.OfObjects(l, first.Envelope, second)
	if err != nil {
		return err
	}
	b, err := made.Bytes()
	if err != nil {
		return err
	}
	if _, err := proof.Verify(b); err != nil {
		f.cfg.Log.Info("a partner gave a version of an object twice, with another content; it proves nothing", "partner", p.Nation, "error", err)
		return nil
	}
	why := store.Reason{Code: "version.conflict", Message: "its originator signed two different objects as version " + version}
	order := exchange.Order{Origin: gate.Party{Nation: p.Nation, Org: p.Org}, ID: id, Version: version, Actor: "node", Detail: "version.conflict"}
	if _, err := f.cfg.Door.Suspect(ctx, order, why, func(envelope []byte) bool { return bytes.Equal(envelope, first.Envelope) }); err != nil {
		return err
	}
	return f.accused(ctx, f.cfg.Nation, b, sooner(first.Label.NotAfter, a.r.Label.NotAfter))
}

// sooner is the earlier of two ends, of which zero is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// forgetProofs destroys what proofs hold of objects that may be kept no longer. That there was a proof stays.
func (f *Federation) forgetProofs(ctx context.Context, ended func(a *accusationDoc) bool) error {
	f.judging.Lock()
	defer f.judging.Unlock()
	all, err := f.proofs(ctx)
	if err != nil {
		return err
	}
	for i := range all {
		a := &all[i]
		if a.Found.Object == "" || a.Gone || !ended(a) {
			continue
		}
		a.File, a.Gone = nil, true
		if err := f.putProof(ctx, store.Act{Actor: "node", Verb: "proof.forget", Target: a.ID, Detail: "nation=" + a.Found.Nation}, a); err != nil {
			return err
		}
	}
	return nil
}

// putProof writes a proof down, and has it weigh from then on. The caller holds judging.
func (f *Federation) putProof(ctx context.Context, act store.Act, a *accusationDoc) error {
	value, err := json.Marshal(a)
	if err != nil {
		return fault.New(fault.Internal, "", "a proof cannot be written down").Because(err)
	}
	if err := f.cfg.House.PutDocs(ctx, act, store.Doc{Kind: docProof, Key: a.ID, Value: value, Version: a.Version}); err != nil {
		return err
	}
	kept := *a
	kept.File = nil
	kept.Version++
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.IndexFunc(f.proved, func(k accusationDoc) bool { return k.ID == a.ID }); i >= 0 {
		f.proved[i] = kept
	} else {
		f.proved = append(f.proved, kept)
	}
	f.weighProofs(f.proved)
	return nil
}
