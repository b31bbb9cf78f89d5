package exchange

import (
	"context"
	"fmt"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/stix"
)

// Remove takes an object out of a collection and says how many versions went. Nothing there for this viewer is NotFound.
func (x *Exchange) Remove(ctx context.Context, v gate.Viewer, collection, id string, versions store.Versions, specs []string) (int, error) {
	if collection == "" {
		return 0, fault.New(fault.Invalid, "collection.missing", "an object is removed from a collection").Try("to destroy it altogether, purge it")
	}
	if _, err := x.writable(v, collection); err != nil {
		return 0, err
	}
	if err := x.readable(v, collection); err != nil {
		return 0, err
	}
	if err := x.removable(ctx, v, collection, id); err != nil {
		return 0, err
	}
	n, err := x.store.Remove(ctx, x.scope(v), store.Removal{Collection: collection, ID: id, Versions: versions, Specs: specs,
		Act: store.Act{Actor: actor(v), Verb: "object.remove", Target: collection}})
	if err != nil {
		return 0, fmt.Errorf("removing an object: %w", err)
	}
	if n == 0 {
		return 0, fault.New(fault.NotFound, "", "no such object")
	}
	x.markings.forget()
	return n, nil
}

// removable refuses to let one organisation remove what another contributed. The node's own organisation keeps its collections itself.
func (x *Exchange) removable(ctx context.Context, v gate.Viewer, collection, id string) error {
	if x.isOwn(v.Nation, v.Org) {
		return nil
	}
	page, err := x.store.Page(ctx, x.scope(v), store.Query{Collection: collection, IDs: []string{id}, Versions: store.Versions{All: true}, Specs: []string{"2.0", "2.1"}, Headers: true})
	if err != nil {
		return err
	}
	for i := range page.Items {
		if o := &page.Items[i].Record.Origin; o.Nation != v.Nation || o.Org != v.Org {
			return fault.New(fault.Forbidden, "object.origin", "the object came from another organisation").Try("ask its originator, or the node's own organisation, to remove it")
		}
	}
	return nil
}

// Purge destroys every version of an object, whoever's it is, so that no file of the node holds a byte of it. The journal keeps that
// something was purged, by whom and when, and a commitment that nobody can turn back.
func (x *Exchange) Purge(ctx context.Context, v gate.Viewer, id string, dryRun bool) (store.PurgeReport, error) {
	if err := x.may(v, gate.Purge); err != nil {
		return store.PurgeReport{}, err
	}
	if !dryRun {
		done, err := x.purging() // before partners are told
		if err != nil {
			return store.PurgeReport{}, err
		}
		defer done()
	}
	if !dryRun && x.cfg.Recall != nil {
		if err := x.cfg.Recall(ctx, id); err != nil {
			return store.PurgeReport{}, fmt.Errorf("telling partners to destroy an object: %w", err)
		}
	}
	report, err := x.store.Purge(ctx, x.own(), store.Purge{ID: id, DryRun: dryRun, Act: store.Act{Actor: actor(v), Verb: "object.purge"}})
	if err == nil && !dryRun && x.cfg.Purged != nil {
		x.cfg.Purged()
	}
	if err == nil && !dryRun && x.cfg.Forget != nil {
		err = x.cfg.Forget(ctx, id)
	}
	if err != nil {
		return report, fmt.Errorf("purging an object: %w", err)
	}
	x.markings.forget()
	return report, nil
}

// Holders says which organisations were given an object, and under which clause. Only the own organisation may ask.
func (x *Exchange) Holders(ctx context.Context, v gate.Viewer, id string) ([]store.Holding, error) {
	if err := x.may(v, gate.AuditRead); err != nil {
		return nil, err
	}
	return x.store.Holders(ctx, x.scope(v), id)
}

// Explanation says what the gate decides on one record for one viewer, and every reason.
type Explanation struct {
	ID       string        `json:"id"`
	Version  string        `json:"version"`
	Label    any           `json:"label"`
	Origin   record.Origin `json:"origin"`
	Held     bool          `json:"held,omitempty"`
	Decision gate.Decision `json:"decision"`
	Hidden   string        `json:"hidden,omitempty"` // the object it names that the viewer may not have, by which it is withheld
}

// Explain says why a viewer may or may not have an object. It answers only for records that the asker may have.
func (x *Exchange) Explain(ctx context.Context, asker gate.Viewer, id string, as gate.Viewer) ([]Explanation, error) {
	if err := x.may(asker, gate.ObjectRead); err != nil {
		return nil, err
	}
	page, err := x.store.Page(ctx, x.scope(asker), store.Query{IDs: []string{id}, Versions: store.Versions{All: true}, Specs: []string{"2.0", "2.1"}})
	if err != nil {
		return nil, err
	}
	if len(page.Items) == 0 {
		return nil, fault.New(fault.NotFound, "", "no such object")
	}
	scope := x.scope(as)
	var out []Explanation
	for i := range page.Items {
		it := &page.Items[i]
		r := &it.Record
		e := Explanation{ID: r.ID, Version: r.Version, Label: r.Label, Origin: r.Origin, Held: it.Held,
			Decision: scope.Decide(r.Mark(), r.Label.NotBefore, r.Label.NotAfter)}
		if e.Decision.Permit {
			if e.Hidden, err = x.firstHidden(ctx, scope, r); err != nil {
				return nil, err
			}
			e.Decision.Permit = e.Hidden == ""
		}
		out = append(out, e)
	}
	return out, nil
}

// Acts lists what the journal keeps of administrative and personal acts; of what they were done to, the headers that the viewer may have. It
// goes on at next, and ends where that is 0.
func (x *Exchange) Acts(ctx context.Context, v gate.Viewer, q store.ActQuery) (entries []store.Entry, next record.Seq, err error) {
	if err := x.may(v, gate.AuditRead); err != nil {
		return nil, 0, err
	}
	return x.store.Acts(ctx, x.scope(v), q)
}

// named are the ids that a stored record names, its markings aside.
func named(r *record.Record) []string {
	o, err := stix.Parse(r.Body)
	if err != nil {
		return nil // only what the standard lets through has references to follow
	}
	return targets(o)
}
