package node

import (
	"context"

	"entente/internal/build"
	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/notify"
	"entente/internal/record"
	"entente/internal/store"
)

// openDesk makes the desk of alerts and notifications.
func (n *Node) openDesk(ctx context.Context) (err error) {
	names := n.ring.Names()
	channels, err := n.channels()
	if err != nil {
		return err
	}
	n.desk, err = notify.New(ctx, notify.Options{Nation: names.Nation, Org: names.Org, Realm: names.Realm, Config: n.cfg.Notify, Channels: channels, Journal: journal{n}, Door: n.exchange,
		Docs: n.store, Recipient: n.recipient, Base: n.cfg.Data, Now: n.cfg.Now, Log: n.cfg.Log})
	return err
}

// channels is every way on which notifications leave.
func (n *Node) channels() (out []notify.Channel, err error) {
	s := notify.Setting{Org: n.ring.Names().Org, Config: n.cfg.Notify, Base: n.cfg.Data, Agent: "entente/" + build.Read().Version, Now: n.cfg.Now}
	for _, c := range n.cfg.Notify.SMTP {
		ch, err := notify.NewSMTP(c, s)
		if err != nil {
			return nil, err
		}
		out = append(out, ch)
	}
	for _, c := range n.cfg.Notify.Webhooks {
		ch, err := notify.NewHook(c, s)
		if err != nil {
			return nil, err
		}
		out = append(out, ch)
	}
	return out, nil
}

// recipient is who a constituent is to the gate: the organisation that it is in the register of organisations, else a client of the own one.
// A name alone does not make it another organisation.
func (n *Node) recipient(org, name string) exchange.Recipient {
	if o, ok := n.ids.Register().Find(org); ok && org != "" {
		return exchange.Recipient{Party: partyOf(o)}
	}
	nation := n.ring.Names().Nation
	if _, taken := n.ids.Register().Find(name); taken {
		name += " (constituent)"
	}
	return exchange.Recipient{Party: gate.Party{Nation: nation, Org: name}, Client: true}
}

func partyOf(o identity.Org) gate.Party { return gate.Party{Nation: o.Nation, Org: o.Name} }

// Headers reads the journal as Follow does, without the bytes of records.
func (j journal) Headers(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error) {
	return j.n.store.Watch(ctx, j.n.gate().Own(j.n.cfg.Now()), after, limit)
}

// Page reads records under the node's own scope, for its followers.
func (j journal) Page(ctx context.Context, q store.Query) (store.Page, error) {
	return j.n.store.Page(ctx, j.n.gate().Own(j.n.cfg.Now()), q)
}

// Scrub destroys what was written of an object after its purge.
func (j journal) Scrub(ctx context.Context, id string) error {
	_, err := j.n.store.Purge(ctx, j.n.gate().Own(j.n.cfg.Now()), store.Purge{ID: id, Act: store.Act{Actor: "node", Verb: "object.purge"}})
	return err
}
