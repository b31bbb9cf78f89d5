package exchange

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
	"entente/stix"
)

// Provenance is where one version of an object came from, and how it got its label, as far as a viewer may know.
type Provenance struct {
	Item     store.Item
	Places   []store.Place // of collections that the viewer may read
	Markings []MarkingSaid
	Stated   label.Label // what its markings make of it; the record's label may be stricter
	TLP      bool        // its markings state a TLP, so that no default was needed
	Acts     []store.Entry
}

// MarkingSaid is one marking of an object and what it says.
type MarkingSaid struct {
	ID        string       `json:"id"`
	Selectors []string     `json:"selectors,omitempty"` // the parts that it is for; none: the whole
	Label     *label.Label `json:"label,omitempty"`
	Problem   string       `json:"problem,omitempty"` // why it says nothing
}

// Provenance tells where the versions of an object came from, oldest first. What the viewer may not have has none.
func (x *Exchange) Provenance(ctx context.Context, v gate.Viewer, q store.Query) ([]Provenance, store.Page, error) {
	q.Headers, q.Versions, q.Specs = false, store.Versions{All: true}, []string{"2.0", "2.1"}
	page, err := x.Read(ctx, v, q)
	if err != nil {
		return nil, page, err
	}
	out := make([]Provenance, 0, len(page.Items))
	for i := range page.Items {
		p := Provenance{Item: page.Items[i]}
		if err := x.history(ctx, v, &p); err != nil {
			return nil, page, err
		}
		if err := x.saidMarkings(ctx, x.scope(v), &p); err != nil {
			return nil, page, err
		}
		out = append(out, p)
	}
	return out, page, nil
}

// history adds where the record lies, and for the node's own organisation what was done to it.
func (x *Exchange) history(ctx context.Context, v gate.Viewer, p *Provenance) error {
	h, err := x.store.History(ctx, x.scope(v), p.Item.Rec)
	if err != nil {
		return err
	}
	for _, at := range h.Places {
		if c, err := x.usable(v, at.Collection); err == nil && c.CanRead {
			p.Places = append(p.Places, at)
		}
	}
	slices.SortFunc(p.Places, func(a, b store.Place) int { return cmp.Compare(a.Seq, b.Seq) })
	if !x.isOwn(v.Nation, v.Org) {
		return nil
	}
	for _, e := range h.Acts {
		// The target is the record itself, by its place in the node's order, or the collection that it was removed from.
		if _, err := x.usable(v, e.Act.Target); e.Kind != store.EntryRemove || err != nil {
			e.Act.Target = ""
		}
		p.Acts = append(p.Acts, e)
	}
	return nil
}

// saidMarkings looks up what each marking says, by what the viewer may know.
func (x *Exchange) saidMarkings(ctx context.Context, scope gate.Scope, p *Provenance) error {
	o, err := stix.Parse(p.Item.Record.Body)
	if err != nil {
		p.Stated = label.Bottom() // only what the standard lets through has markings to follow
		return nil
	}
	var whole, part []label.Marking
	say := func(id string, selectors []string, into *[]label.Marking) error {
		m, err := x.definition(ctx, scope, id, nil)
		said := MarkingSaid{ID: id, Selectors: selectors}
		switch {
		case err == nil:
			l, _, err := label.Of([]label.Marking{m}, nil)
			if err != nil {
				said.Problem = err.Error()
				break
			}
			said.Label = &l
			*into = append(*into, m)
		case errors.Is(err, label.ErrContradictory), errors.Is(err, label.ErrUnintelligible), errors.Is(err, label.ErrInvalid), errors.Is(err, errUnresolved):
			said.Problem = err.Error()
		default:
			return err
		}
		p.Markings = append(p.Markings, said)
		return nil
	}
	for _, id := range o.MarkingRefs() {
		if err := say(id, nil, &whole); err != nil {
			return err
		}
	}
	for _, g := range o.Granular() {
		if g.MarkingRef != "" {
			if err := say(g.MarkingRef, g.Selectors, &part); err != nil {
				return err
			}
		}
	}
	p.Stated, p.TLP, err = label.Of(whole, part)
	if err != nil {
		p.Markings = append(p.Markings, MarkingSaid{Problem: err.Error()})
		p.Stated = label.Top()
	}
	return nil
}
