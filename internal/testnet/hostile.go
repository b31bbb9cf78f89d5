package testnet

import (
	"context"
	"sync"

	"entente/dsse"
	"entente/internal/federation"
	"entente/keylog"
	"entente/peer"
)

// Hostile is a relay that does not do what it says. All that it signs, it signs with its own key.
type Hostile struct {
	peer.Carrier
	n *Nation

	mu    sync.Mutex
	begun bool // until then it is honest

	// Of what it is hostile in. Nil: it is honest there.
	Custody func(peer.Custody) peer.Custody             // what it tells the originator
	Taken   func() bool                                 // whether it takes what it is given
	Head    func(peer.RelayHead) (peer.RelayHead, bool) // what it tells a reader; false: nothing
	Batch   func(*peer.SealedBatch) *peer.SealedBatch
	Mute    bool // it keeps messages
}

// Hostile is what stands before the nation's own relay.
func (n *Nation) Hostile(c peer.Carrier, h *Hostile) *Hostile {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Carrier, h.n = c, n
	return h
}

// Begin ends its honesty.
func (h *Hostile) Begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun = true
}

func (h *Hostile) is() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.begun
}

// Carry implements peer.Carrier.
func (h *Hostile) Carry(ctx context.Context, readers []string, b *peer.SealedBatch) ([]byte, error) {
	if !h.is() || h.Taken == nil && h.Custody == nil {
		return h.Carrier.Carry(ctx, readers, b)
	}
	said := peer.Custody{Origin: b.Origin, Nation: h.n.Code, Org: Org(h.n.Code), Time: h.n.net.o.Now()}
	if h.Taken == nil || h.Taken() {
		receipt, err := h.Carrier.Carry(ctx, readers, b)
		if err != nil || h.Custody == nil {
			return receipt, err
		}
	}
	caller, _ := federation.CallerOf(ctx)
	said.Of = caller.Nation
	if c, err := peer.PeekCheckpoint(b.Checkpoint); err == nil {
		said.Size, said.Root = c.Size, c.Root
	}
	if h.Custody != nil {
		said = h.Custody(said)
	}
	k, err := h.n.ring.Signer(keylog.RoleRelay)
	if err != nil {
		return nil, err
	}
	return peer.SignCustody(Realm, said, k)
}

// Carried implements peer.Carrier.
func (h *Hostile) Carried(ctx context.Context, of string) ([]peer.CarriedLog, error) {
	logs, err := h.Carrier.Carried(ctx, of)
	if err != nil || !h.is() || h.Head == nil {
		return logs, err
	}
	k, err := h.n.ring.Signer(keylog.RoleRelay)
	if err != nil {
		return nil, err
	}
	opener := peer.Opener{Realm: Realm, Keys: func(id string) *dsse.Key { k, _ := h.n.ring.KeyState().Find(id); return k.Key }}
	out := []peer.CarriedLog{}
	for _, l := range logs {
		head, _, err := opener.RelayHead(l.Head)
		if err != nil {
			return nil, err
		}
		changed, ok := h.Head(head)
		if !ok {
			continue
		}
		if l.Head, err = peer.SignRelayHead(Realm, changed, k); err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// Sealed implements peer.Carrier.
func (h *Hostile) Sealed(ctx context.Context, of []string, origin string, p peer.Pull) (*peer.SealedBatch, error) {
	b, err := h.Carrier.Sealed(ctx, of, origin, p)
	if err == nil && h.is() && h.Batch != nil {
		b = h.Batch(b)
	}
	return b, err
}

// Send implements peer.Carrier.
func (h *Hostile) Send(ctx context.Context, to string, message []byte) error {
	if h.is() && h.Mute {
		return nil
	}
	return h.Carrier.Send(ctx, to, message)
}
