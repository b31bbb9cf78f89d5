package federation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"entente/bundle"
	"entente/internal/fault"
	"entente/internal/ledger"
	"entente/peer"
)

// beside is what a bundle says besides what its manifest names: docs/bundles.md. One of it may stand in several parts.
type beside struct {
	peer.Heads
	Key     []byte        `json:"key,omitempty"`     // to which the sender wants to be sealed, in its envelope
	Took    *bundle.Chain `json:"took,omitzero"`     // the last bundle of the receiver that was taken
	Notices [][]byte      `json:"notices,omitempty"` // of accords
	Proofs  [][]byte      `json:"proofs,omitempty"`
	Acks    []peer.LogAck `json:"acks,omitempty"` // of the receiver's logs
}

// loadSaid gathers it, in parts that fit into an item each.
func (f *Federation) loadSaid(ctx context.Context, p Partner, c *cargo) (err error) {
	var first beside
	if first.Heads, err = f.seen(ctx, p, func(peer.Head) bool { return true }); err != nil {
		return err
	}
	if first.Key, err = f.OwnSealKey(); err != nil {
		return err
	}
	t, err := f.taken(ctx, p.Nation)
	if err != nil {
		return err
	}
	if t.Number > 0 {
		first.Took = &bundle.Chain{Number: t.Number, Digest: t.Digest}
	}
	k := parts{all: []beside{first}}
	for _, o := range f.cfg.Accords.Outgoing() {
		for _, n := range o.Notices {
			if key := short(n); slices.Contains(o.Parties, p.Nation) && !slices.Contains(c.sent.Told, key) {
				c.sent.Told = append(c.sent.Told, key)
				last := k.next(len(n))
				last.Notices = append(last.Notices, n)
			}
		}
	}
	if err := f.loadProofs(ctx, p, c, &k); err != nil {
		return err
	}
	if err := f.loadReceipts(ctx, p, c, &k); err != nil {
		return err
	}
	for i := range k.all {
		b, err := json.Marshal(&k.all[i])
		if err != nil {
			return fault.New(fault.Internal, "", "a bundle cannot be written").Because(err)
		}
		c.said = append(c.said, b)
	}
	return nil
}

// parts are as many as are needed.
type parts struct {
	all  []beside
	size int // of the last, besides heads
}

// next is the part that so many bytes still fit into.
func (k *parts) next(n int) *beside {
	if k.size += n; k.size > partBytes && k.size > n {
		k.all, k.size = append(k.all, beside{}), n
	}
	return &k.all[len(k.all)-1]
}

func (f *Federation) loadProofs(ctx context.Context, p Partner, c *cargo, k *parts) error {
	all, err := f.readProofs(ctx)
	bound := f.together(p.Nation)
	for _, a := range all {
		if len(a.File) <= partBytes && f.concerns(&a, p.Nation, bound) && !slices.Contains(c.sent.Told, a.ID) {
			c.sent.Told = append(c.sent.Told, a.ID)
			last := k.next(len(a.File))
			last.Proofs = append(last.Proofs, a.File)
		}
	}
	return err
}

func (f *Federation) loadReceipts(ctx context.Context, p Partner, c *cargo, k *parts) error {
	owed, err := f.cfg.Ledger.Outbox(ctx, p.Nation, maxReceipts)
	if err != nil {
		return err
	}
	slices.SortStableFunc(owed, func(a, b ledger.Sending) int {
		switch {
		case a.Origin < b.Origin:
			return -1
		case a.Origin > b.Origin:
			return 1
		}
		return 0
	})
	cosigned := ""
	for _, s := range owed {
		if len(s.Receipt) > partBytes {
			continue
		}
		last := k.next(len(s.Receipt))
		if n := len(last.Acks); n == 0 || last.Acks[n-1].Origin != s.Origin {
			l := peer.LogAck{Origin: s.Origin}
			if cosigned != s.Origin {
				if l.Cosigned, err = f.cosign(ctx, s.Origin); err != nil {
					return err
				}
				cosigned = s.Origin
			}
			last.Acks = append(last.Acks, l)
		}
		a := &last.Acks[len(last.Acks)-1]
		a.Receipts = append(a.Receipts, s.Receipt)
		c.sent.Owed = append(c.sent.Owed, s.ID)
	}
	return nil
}

// readSaid reads one part.
func readSaid(b []byte) (*beside, error) {
	var s beside
	if err := json.Unmarshal(b, &s, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("it is not of its form: %w", err)
	}
	return &s, nil
}

// hearSaid takes what a bundle of a partner says besides. What is refused of it keeps nothing else from being taken, and is named.
func (f *Federation) hearSaid(ctx context.Context, p Partner, b []byte, in *Imported) error {
	s, err := readSaid(b)
	if err != nil {
		return err
	}
	refusal := func(what string, err error) error {
		if err == nil {
			return nil
		}
		switch asFault(err).Kind {
		case fault.Unavailable, fault.Full, fault.Internal:
			return err
		}
		in.refuse(what + ": " + err.Error())
		return nil
	}
	if len(s.Key) > 0 {
		if _, err := f.LearnSealKey(ctx, "peer:"+p.Nation, s.Key); refusal("its key", err) != nil {
			return err
		}
	}
	if s.Took != nil {
		if err := f.took(ctx, p, s.Took, in); refusal("which bundle it took", err) != nil {
			return err
		}
	}
	for _, n := range s.Notices {
		if err := f.cfg.Accords.Hear(ctx, p.Nation, n); refusal("a notice", err) != nil {
			return err
		}
	}
	for _, e := range s.Proofs {
		if err := f.accused(ctx, p.Nation, e, time.Time{}); refusal("a proof", err) != nil {
			return err
		}
	}
	for i := range s.Acks {
		l := &s.Acks[i]
		g, err := f.cfg.Ledger.Log(ctx, l.Origin)
		if err == nil && (!g.Own || !slices.Contains(g.Parties, "org:"+p.Nation+"/"+p.Org)) {
			err = fault.New(fault.NotFound, "", "no such log")
		}
		if err == nil {
			err = backend{f}.acked(ctx, p, &g, l)
		}
		if refusal("receipts", err) != nil {
			return err
		}
		in.Receipts += len(l.Receipts)
	}
	return f.compareLogs(ctx, s.Logs)
}

// took hears which bundle a partner took last.
func (f *Federation) took(ctx context.Context, p Partner, c *bundle.Chain, in *Imported) error {
	b, err := f.AckBundle(ctx, "peer:"+p.Nation, p.Nation, c.Digest)
	if err == nil {
		in.Acknowledged = b.Number
	} else if s, e := f.sender(ctx, p.Nation); e == nil && c.Number < s.Acked {
		return nil // a later one has arrived
	}
	return err
}
