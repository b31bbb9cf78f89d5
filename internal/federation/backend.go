package federation

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/ledger"
	"entente/keylog"
	"entente/peer"
)

// Caller is who is at the other end of a connection, as the surface established it.
type Caller struct {
	Nation, Org string
	Still       func() bool // its key counts now; nil: as long as the connection lasts
}

type callerKey struct{}

// WithCaller gives the requests of a connection their caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf is the caller of a request.
func CallerOf(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// Backend is what partners' nodes are served from.
func (f *Federation) Backend() peer.Backend { return backend{f} }

type backend struct{ *Federation }

var errNone = &peer.Error{Code: peer.CodeNotFound, Message: "there is nothing of that name"}

// party is the caller as logs name it, as long as it is known and its key counts.
func (b backend) party(ctx context.Context) (Caller, string, error) {
	c, ok := CallerOf(ctx)
	if !ok || c.Still != nil && !c.Still() {
		return c, "", errNone
	}
	if _, known := b.partner(c.Nation); !known {
		return c, "", errNone
	}
	b.heard(c.Nation)
	return c, "org:" + c.Nation + "/" + c.Org, nil
}

func (b backend) Hello(ctx context.Context) (peer.Hello, error) {
	own := b.cfg.Partners.KeyLog()
	head := own.Head()
	return peer.Hello{Versions: []int{1}, Envelope: b.cfg.Limits.Envelope, Frames: b.cfg.Limits.Frames, Nation: b.cfg.Nation,
		KeyLog: peer.Head{Origin: "keylog:" + b.cfg.Nation, Size: uint64(head.Size), Root: head.Hash}, Time: b.stamp(), PQ: []string{"X25519MLKEM768", "ML-DSA-44"}}, nil
}

func (b backend) Logs(ctx context.Context) ([]peer.Head, error) {
	_, who, err := b.party(ctx)
	if err != nil {
		return nil, err
	}
	logs, err := b.cfg.Ledger.Logs(ctx, ledger.Filter{Own: true, Party: who})
	if err != nil {
		return nil, inWire(err)
	}
	out := []peer.Head{}
	for _, g := range logs {
		if !g.Retired && g.Note != nil {
			out = append(out, peer.Head{Origin: g.Origin, Size: g.Signed.Size, Root: g.Signed.Root, Time: g.Signed.Time})
		}
	}
	return out, nil
}

func (b backend) Log(ctx context.Context, origin string, p peer.Pull) (*peer.Batch, error) {
	_, who, err := b.party(ctx)
	if err != nil {
		return nil, err
	}
	g, err := b.cfg.Ledger.Log(ctx, origin)
	if err != nil || !g.Own || !slices.Contains(g.Parties, who) {
		return nil, inWire(err)
	}
	batch, err := b.cfg.Ledger.Frames(ctx, origin, p)
	if err != nil {
		return nil, inWire(err)
	}
	return batch, nil
}

// inWire gives a fault of the house the one form that tells nothing.
func inWire(err error) error {
	if fork := (*peer.Equivocation)(nil); errors.As(err, &fork) {
		return &peer.Error{Code: peer.CodeFork, Message: err.Error()}
	}
	switch fault.Of(err) {
	case fault.Unavailable, fault.Full:
		return &peer.Error{Code: peer.CodeUnavailable, Message: err.Error()}
	case fault.Internal:
		if err != nil {
			return &peer.Error{Code: peer.CodeInternal, Message: err.Error()}
		}
	case fault.Unprocessable, fault.Invalid, fault.Conflict, fault.Forbidden, fault.TooLarge:
		return &peer.Error{Code: peer.CodeRefused, Message: err.Error()}
	}
	return errNone
}

// pingEvery is how long a stream is silent at most.
const pingEvery = 15 * time.Second

func (b backend) Wait(ctx context.Context, since []peer.Position) ([]peer.Head, error) {
	return b.wait(ctx, since, b.cfg.Ledger.Grown, b.Logs)
}

// wait gives those of the heads that are beyond the positions as soon as there are any; none, when it was silent for long.
func (b backend) wait(ctx context.Context, since []peer.Position, grown func() <-chan struct{}, heads func(context.Context) ([]peer.Head, error)) ([]peer.Head, error) {
	at := make(map[string]peer.Position, len(since))
	for _, p := range since {
		at[p.Origin] = p
	}
	end := time.NewTimer(pingEvery)
	defer end.Stop()
	for {
		more, known := grown(), b.cfg.Partners.Changed()
		out, err := heads(ctx)
		if err != nil {
			return nil, err
		}
		out = slices.DeleteFunc(out, func(h peer.Head) bool {
			return h.Size <= at[h.Origin].Size && h.Size <= at[h.Origin].Known && !h.Time.After(at[h.Origin].Time)
		})
		if len(out) > 0 {
			return out, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-end.C:
			return nil, nil
		case <-known: // the caller may be known no more
		case <-more:
		}
	}
}

func (b backend) Ack(ctx context.Context, a peer.Ack) error {
	c, who, err := b.party(ctx)
	if err != nil {
		return err
	}
	p, ok := b.partner(c.Nation)
	if !ok {
		return errNone
	}
	for _, l := range a.Logs {
		g, err := b.cfg.Ledger.Log(ctx, l.Origin)
		if err != nil || !g.Own || !slices.Contains(g.Parties, who) {
			return inWire(err)
		}
		if err := b.acked(ctx, p, &g, &l); err != nil {
			return err
		}
	}
	return nil
}

// acked keeps what a partner says of one log, once its signatures hold.
func (b backend) acked(ctx context.Context, p Partner, g *ledger.Log, l *peer.LogAck) error {
	opener := peer.Opener{Realm: b.cfg.Realm, Limits: b.cfg.Limits, Keys: func(id string) *dsse.Key {
		if p.Keys.Valid(id, keylog.RoleNode, b.cfg.Now()) != nil {
			return nil
		}
		k, _ := p.Keys.Find(id)
		return k.Key
	}}
	var received []ledger.Received
	for _, e := range l.Receipts {
		r, _, err := opener.Receipt(e)
		if err != nil {
			return err
		}
		received = append(received, ledger.Received{Party: p.Nation, Receipt: r, Envelope: e})
	}
	if err := b.cfg.Ledger.Ack(ctx, l.Origin, received...); err != nil {
		return inWire(err)
	}
	b.declined(g.Accord, received)
	if len(l.Cosigned) == 0 {
		return nil
	}
	for _, k := range p.Keys.Keys(p.Org, keylog.RoleNode, b.cfg.Now()) {
		c, at, err := peer.OpenCosignature(l.Cosigned, peer.CosignerName(k.Key), k.Key)
		if err != nil || c.Origin != l.Origin {
			continue
		}
		b.pass(g, p.Nation, l.Cosigned)
		return inWireOrNil(b.cfg.Ledger.Cosign(ctx, l.Origin, ledger.Cosigned{Party: p.Nation, Size: c.Size, At: at, Note: l.Cosigned}))
	}
	return &peer.Error{Code: peer.CodeSignature, Message: "the checkpoint is not cosigned by the caller's node"}
}

func inWireOrNil(err error) error {
	if err == nil {
		return nil
	}
	return inWire(err)
}

func (b backend) Push(ctx context.Context, batch *peer.Batch) error {
	c, _, err := b.party(ctx)
	if err != nil {
		return err
	}
	one := b.turn(c.Nation)
	if !one.TryLock() {
		return &peer.Error{Code: peer.CodeThrottled, Message: "another batch of the caller is being taken"}
	}
	_, err = b.take(withWay(ctx, wayPush), c.Nation, batch)
	one.Unlock()
	if err != nil {
		var own *peer.Error
		if errors.As(err, &own) {
			return err
		}
		return inWire(err)
	}
	b.nudge(c.Nation)
	return nil
}

// maxStatements is how many statements of a key log go out at once.
const maxStatements = 200

func (b backend) KeyLog(ctx context.Context, nation string, from uint64) (peer.KeyLog, error) {
	l := b.cfg.Partners.KeyLog()
	if nation != "" && nation != b.cfg.Nation { // another's is shown to those who are bound with it
		c, _, err := b.party(ctx)
		if err != nil {
			return peer.KeyLog{}, err
		}
		if c.Nation != nation && !slices.Contains(b.together(c.Nation), nation) {
			return peer.KeyLog{}, errNone
		}
		if l, err = b.cfg.Partners.Log(nation); err != nil {
			return peer.KeyLog{}, errNone
		}
	}
	if from > uint64(l.Size()) {
		return peer.KeyLog{}, errNone
	}
	all := l.Since(int64(from))
	n := min(len(all), maxStatements)
	return peer.KeyLog{Nation: l.Nation(), From: from, Statements: all[:n], More: n < len(all)}, nil
}

func (b backend) Offer(ctx context.Context, what peer.Offered, document []byte) error {
	c, _, err := b.party(ctx)
	if err != nil {
		return err
	}
	switch what {
	case peer.OfferAccord:
		return inWireOrNil(b.cfg.Accords.Offer(ctx, c.Nation, document))
	case peer.OfferNotice:
		return inWireOrNil(b.cfg.Accords.Hear(ctx, c.Nation, document))
	case peer.OfferProof:
		return inWireOrNil(b.accused(ctx, c.Nation, document, time.Time{}))
	case peer.OfferKeys:
		var k peer.KeyLog
		if err := json.Unmarshal(document, &k); err != nil {
			return &peer.Error{Code: peer.CodeForm, Message: "the document is no part of a key log"}
		}
		return inWireOrNil(b.cfg.Partners.Learn(ctx, c.Nation, int64(k.From), k.Statements))
	}
	return errNone
}
