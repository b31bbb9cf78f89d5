package exchange

import (
	"context"
	"fmt"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
)

// Order is what the originator of a record may tell its holders to do with it. It concerns only what came from that originator.
type Order struct {
	Origin  gate.Party
	ID      string
	Version string // empty: every version
	Actor   string // for the journal: "peer:NATION"
	Detail  string
}

// ofOriginator are the records that an order is about, whatever their label.
func (x *Exchange) ofOriginator(ctx context.Context, o Order) ([]store.Item, error) {
	var out []store.Item
	q := store.Query{IDs: []string{o.ID}, Versions: store.Versions{All: true}, Specs: []string{"2.0", "2.1"}, Nation: o.Origin.Nation, Org: o.Origin.Org, Headers: true, Held: true}
	for {
		page, err := x.store.Page(ctx, x.own(), q)
		if err != nil {
			return nil, fmt.Errorf("looking for what an order is about: %w", err)
		}
		for _, it := range page.Items {
			if o.Version == "" || it.Record.Version == o.Version {
				out = append(out, it)
			}
		}
		if !page.More {
			return out, nil
		}
		q.After = page.Next
	}
}

// Withdraw takes out what its originator retracts, and says how many versions went. The journal keeps that it was here.
func (x *Exchange) Withdraw(ctx context.Context, o Order) (int, error) {
	items, err := x.ofOriginator(ctx, o)
	if err != nil {
		return 0, err
	}
	defer x.markings.forget()
	n := 0
	for i := range items {
		one, err := x.store.Remove(ctx, x.own(), store.Removal{Rec: items[i].Rec, ID: o.ID, Versions: store.Versions{All: true},
			Act: store.Act{Actor: o.Actor, Verb: "object.retract", Detail: o.Detail}})
		if err != nil {
			return n, fmt.Errorf("retracting an object: %w", err)
		}
		n += one
	}
	return n, nil
}

// Mark puts what its originator relabels under the label that it signed, stricter or wider: the label of a record is its originator's word.
func (x *Exchange) Mark(ctx context.Context, o Order, to label.Label) (int, error) {
	items, err := x.ofOriginator(ctx, o)
	if err != nil {
		return 0, err
	}
	defer x.markings.forget()
	if to = x.here(to); to.Mode == label.MixedMode {
		return 0, fault.New(fault.Unprocessable, "label.mode", "the label is not of the realm %s", x.cfg.Realm)
	}
	n := 0
	for i := range items {
		r := &items[i].Record
		if _, err := x.store.Relabel(ctx, x.own(), store.Relabelling{Rec: items[i].Rec, Label: to, Was: &r.Label,
			Act: store.Act{Actor: o.Actor, Verb: "object.relabel", Detail: o.Detail}}); err != nil {
			return n, fmt.Errorf("relabelling an object: %w", err)
		}
		n++
	}
	return n, nil
}

// Destroy purges what its originator orders to purge: of what came from it, no file of the store holds a byte afterwards.
func (x *Exchange) Destroy(ctx context.Context, o Order) (store.PurgeReport, error) {
	defer x.markings.forget()
	done, err := x.purging()
	if err != nil {
		return store.PurgeReport{}, err
	}
	defer done()
	p := store.Purge{ID: o.ID, Nation: o.Origin.Nation, Org: o.Origin.Org, Act: store.Act{Actor: o.Actor, Verb: "object.purge", Detail: o.Detail}}
	if o.Version != "" {
		items, err := x.ofOriginator(ctx, o)
		if err != nil || len(items) == 0 {
			return store.PurgeReport{}, err
		}
		p.Rec = items[0].Rec // a store keeps one record of a version
	}
	report, err := x.store.Purge(ctx, x.own(), p)
	if err != nil {
		return report, fmt.Errorf("purging an object by its originator's order: %w", err)
	}
	if x.cfg.Purged != nil {
		x.cfg.Purged()
	}
	return report, nil
}

// Suspect puts into quarantine what came from an originator and cannot be trusted any more: of its records that the order is about, those whose
// signed envelope the test picks. A person releases or refuses them. It says how many it held.
func (x *Exchange) Suspect(ctx context.Context, o Order, why store.Reason, test func(envelope []byte) bool) (int, error) {
	q := store.Query{IDs: []string{o.ID}, Versions: store.Versions{All: true}, Specs: []string{"2.0", "2.1"}, Nation: o.Origin.Nation, Org: o.Origin.Org, Held: true}
	n := 0
	for {
		page, err := x.store.Page(ctx, x.own(), q)
		if err != nil {
			return n, fmt.Errorf("looking for what cannot be trusted: %w", err)
		}
		for i := range page.Items {
			it := &page.Items[i]
			if it.Held || o.Version != "" && it.Record.Version != o.Version || !test(it.Record.Envelope) {
				continue
			}
			_, err := x.store.Relabel(ctx, x.own(), store.Relabelling{Rec: it.Rec, Label: x.held(), Was: &it.Record.Label, Hold: &store.Hold{Reasons: []store.Reason{why}, Intended: it.Record.Label},
				Act: store.Act{Actor: o.Actor, Verb: "object.suspect", Detail: o.Detail}})
			if err != nil {
				return n, fmt.Errorf("putting what cannot be trusted into quarantine: %w", err)
			}
			n++
			x.markings.forget()
		}
		if !page.More {
			return n, nil
		}
		q.After = page.Next
	}
}
