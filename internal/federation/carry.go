package federation

import (
	"context"
	"errors"
	"slices"
	"time"

	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/relay"
	"entente/keylog"
	"entente/peer"
	"entente/seal"
)

// Carrier is what this node does as a relay; nil: it carries for nobody.
func (f *Federation) Carrier() peer.Carrier {
	if f.cfg.Relay == nil {
		return nil
	}
	return carrier{backend{f}, f.cfg.Relay}
}

// carrier serves those whose logs are carried, and those for whom they are.
type carrier struct {
	backend
	room *relay.Room
}

func (c carrier) who(ctx context.Context) (relay.Party, Partner, error) {
	caller, _, err := c.party(ctx)
	if err != nil {
		return relay.Party{}, Partner{}, err
	}
	p, ok := c.partner(caller.Nation)
	if !ok {
		return relay.Party{}, p, errNone
	}
	return relay.Party{Nation: caller.Nation, Org: caller.Org}, p, nil
}

// Carry implements peer.Carrier.
func (c carrier) Carry(ctx context.Context, readers []string, b *peer.SealedBatch) ([]byte, error) {
	of, p, err := c.who(ctx)
	if err != nil || c.cfg.Carries == nil || !c.cfg.Carries(of.Nation) {
		return nil, errNone
	}
	if err := c.trusted(of.Nation); err != nil {
		return nil, err
	}
	l, err := c.room.Take(ctx, of, readers, b, c.nodeKeys(&p, c.cfg.Now())...)
	if err != nil {
		err = c.caughtLive(ctx, of.Nation, err)
		var own *peer.Error
		var fork *peer.Equivocation
		if errors.As(err, &own) || errors.As(err, &fork) {
			return nil, err
		}
		return nil, orFull(err)
	}
	k, err := c.cfg.Node()
	if err != nil {
		return nil, inWire(err)
	}
	at, err := c.room.Stamp(ctx) // after it was kept
	if err != nil {
		return nil, inWire(err)
	}
	return peer.SignCustody(c.cfg.Realm, peer.Custody{Origin: l.Origin, Of: l.Nation, Nation: c.cfg.Nation, Org: c.cfg.Org, Size: l.Shown.Size, Root: l.Root(), Time: at}, k)
}

// orFull tells that no more is kept for the caller; else it is inWire.
func orFull(err error) error {
	if fault.Of(err) == fault.Full {
		return &peer.Error{Code: peer.CodeFull, Message: err.Error()}
	}
	return inWireOrNil(err)
}

// Done implements peer.Carrier.
func (c carrier) Done(ctx context.Context, origin string, before uint64) error {
	of, _, err := c.who(ctx)
	if err != nil {
		return err
	}
	return inWireOrNil(c.room.Done(ctx, of.Nation, origin, before))
}

// Carried implements peer.Carrier.
func (c carrier) Carried(ctx context.Context, of string) ([]peer.CarriedLog, error) {
	who, _, err := c.who(ctx)
	if err != nil {
		return nil, err
	}
	at, err := c.room.Stamp(ctx) // before it is read
	if err != nil {
		return nil, inWire(err)
	}
	var nations []string
	if of != "" {
		nations = []string{of}
	}
	logs, err := c.room.Logs(ctx, "org:"+who.Nation+"/"+who.Org, nations...)
	if err != nil {
		return nil, inWire(err)
	}
	k, err := c.cfg.Node()
	if err != nil {
		return nil, inWire(err)
	}
	out := []peer.CarriedLog{}
	for _, l := range logs {
		head, err := peer.SignRelayHead(c.cfg.Realm, peer.RelayHead{Origin: l.Origin, Of: l.Nation, Nation: c.cfg.Nation, Org: c.cfg.Org, Size: l.Shown.Size, Root: l.Root(), Time: at}, k)
		if err != nil {
			return nil, err
		}
		out = append(out, peer.CarriedLog{Nation: l.Nation, Org: l.Org, Head: head})
	}
	return out, nil
}

// Sealed implements peer.Carrier.
func (c carrier) Sealed(ctx context.Context, of []string, origin string, p peer.Pull) (*peer.SealedBatch, error) {
	who, _, err := c.who(ctx)
	if err != nil {
		return nil, err
	}
	b, err := c.room.Batch(ctx, of, origin, who, p)
	return b, inWireOrNil(err)
}

// errMail ends a wait: a message came.
var errMail = errors.New("a message came")

// Await implements peer.Carrier.
func (c carrier) Await(ctx context.Context, of []string, since []peer.Position) ([]peer.Head, error) {
	at := make(map[string]peer.Position, len(since))
	for _, p := range since {
		at[p.Origin] = p
	}
	first := int64(-1)
	heads, err := c.wait(ctx, since, c.room.Grown, func(ctx context.Context) ([]peer.Head, error) {
		who, _, err := c.who(ctx)
		if err != nil {
			return nil, err
		}
		newest, err := c.room.Newest(ctx, who.Nation)
		if err != nil {
			return nil, inWire(err)
		}
		if first < 0 {
			first = newest
		}
		if newest > first {
			return nil, errMail
		}
		logs, err := c.room.Logs(ctx, "org:"+who.Nation+"/"+who.Org, of...)
		if err != nil {
			return nil, inWire(err)
		}
		var heads []peer.Head
		seen := map[string]bool{}
		for _, l := range logs {
			p := at[l.Origin]
			if !seen[l.Origin] && l.Shown.Size >= p.Size && l.Shown.Size >= p.Known { // else the reader has more
				heads = append(heads, peer.Head{Origin: l.Origin, Size: l.Shown.Size, Root: l.Shown.Root, Time: l.Shown.Time})
			}
			seen[l.Origin] = true
		}
		return heads, nil
	})
	if errors.Is(err, errMail) {
		return nil, nil
	}
	return heads, err
}

// Send implements peer.Carrier. Whether somebody of that name is known here is not told.
func (c carrier) Send(ctx context.Context, to string, message []byte) error {
	who, _, err := c.who(ctx)
	if err != nil {
		return err
	}
	if _, ok := c.partner(to); !ok {
		return nil
	}
	return orFull(c.room.Send(ctx, who.Nation, to, message))
}

// Mail implements peer.Carrier.
func (c carrier) Mail(ctx context.Context, after int64) ([]peer.Message, error) {
	who, _, err := c.who(ctx)
	if err != nil {
		return nil, err
	}
	m, err := c.room.Mail(ctx, who.Nation, after)
	return m, inWireOrNil(err)
}

// State implements peer.Carrier.
func (c carrier) State(ctx context.Context, to []string, statement []byte) error {
	who, p, err := c.who(ctx)
	if err != nil {
		return err
	}
	s, err := c.statement(&p, statement)
	if err != nil {
		return err
	}
	return inWireOrNil(c.room.State(ctx, who, to, relay.Statement{Epoch: s.Epoch, Key: s.ID(), Ends: s.NotAfter, Envelope: statement}))
}

// statement opens what a partner's node says of the key that one seals to.
func (f *Federation) statement(p *Partner, envelope []byte) (*seal.Statement, error) {
	now := f.cfg.Now()
	s, by, err := seal.OpenStatement(envelope, f.cfg.Realm, func(id string) *dsse.Key {
		if p.Keys.Valid(id, keylog.RoleNode, now) != nil {
			return nil
		}
		k, _ := p.Keys.Find(id)
		return k.Key
	})
	if err == nil && s.Nation == p.Nation && s.Org == p.Org && s.At(now) == nil {
		if k, _ := p.Keys.Find(by.ID()); k.Org == p.Org {
			return s, nil
		}
	}
	return nil, &peer.Error{Code: peer.CodeSignature, Message: "this is no statement of a key of " + p.Org + " that one may seal to now"}
}

// Statements implements peer.Carrier.
func (c carrier) Statements(ctx context.Context, nation string) ([][]byte, error) {
	who, _, err := c.who(ctx)
	if err != nil {
		return nil, err
	}
	out, err := c.room.Statements(ctx, nation, who.Nation)
	return slices.Clip(out), inWireOrNil(err)
}

// RelayState is what this node carries for others, and what carries for it.
type RelayState struct {
	On      bool          `json:"on"`
	Carried []Carried     `json:"carried"`
	Relays  []RelayHealth `json:"relays"`
}

// Carried is a log that this node carries.
type Carried struct {
	Nation  string    `json:"nation"`
	Org     string    `json:"org"`
	Log     string    `json:"log"`
	Readers []string  `json:"readers"`
	Size    uint64    `json:"size"`
	Bytes   int64     `json:"bytes"`
	At      time.Time `json:"at"`
}

// RelayState says what is carried, and how the relays are.
func (f *Federation) RelayState(ctx context.Context) (RelayState, error) {
	s := RelayState{On: f.cfg.Relay != nil, Carried: []Carried{}, Relays: append([]RelayHealth{}, f.Relays()...)}
	if !s.On {
		return s, nil
	}
	logs, err := f.cfg.Relay.All(ctx)
	for _, l := range logs {
		s.Carried = append(s.Carried, Carried{Nation: l.Nation, Org: l.Org, Log: l.Origin, Readers: l.Readers, Size: l.Size, Bytes: l.Bytes, At: l.At})
	}
	return s, err
}
