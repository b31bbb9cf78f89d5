package exchange

import (
	"context"
	"fmt"
	"slices"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
)

// Read is the door out: one page of what the viewer may have. Query.Collection is an id; empty reads the whole store. Whatever is
// handed with its body to another organisation than the node's own is written down as a release before it leaves.
func (x *Exchange) Read(ctx context.Context, v gate.Viewer, q store.Query) (store.Page, error) {
	if err := x.readable(v, q.Collection); err != nil {
		return store.Page{}, err
	}
	page, err := x.visible(ctx, v, q)
	if err != nil {
		return store.Page{}, err
	}
	if !q.Headers {
		if err := x.release(ctx, v, page.Items); err != nil {
			return store.Page{}, err
		}
		x.metrics.read(len(page.Items))
	}
	return page, nil
}

func (x *Exchange) readable(v gate.Viewer, id string) error {
	if id == "" {
		return x.may(v, gate.ObjectRead)
	}
	x.shelf.mu.RLock()
	defer x.shelf.mu.RUnlock()
	c, ok := x.shelf.collections[id]
	if !ok {
		return noCollection()
	}
	switch a := x.access(v, c); {
	case a.Read:
		return nil
	case a.Write:
		return fault.New(fault.Forbidden, "collection.read", "you may write to this collection but not read it").Try("ask the node's administrators for a role that may read")
	}
	return noCollection()
}

// visible is a page of what the gate admits, less the own organisation's records that name something this viewer may not see.
// Closure is the originator's duty: records received from others are served by their own label only.
func (x *Exchange) visible(ctx context.Context, v gate.Viewer, q store.Query) (store.Page, error) {
	scope := x.scope(v)
	page, err := x.store.Page(ctx, scope, q)
	if err != nil {
		return page, err
	}
	if x.isOwn(v.Nation, v.Org) {
		return page, nil
	}
	seen := map[string]bool{}
	page.Items, err = filter(page.Items, func(it *store.Item) (bool, error) {
		if it.Closed || !x.isOwn(it.Record.Origin.Nation, it.Record.Origin.Org) {
			return true, nil
		}
		hidden, err := x.firstHidden(ctx, scope, it, seen)
		return hidden == "", err
	})
	return page, err
}

// firstHidden is the first object that a record names and the holder of the scope may not have; empty when there is none. An unknown
// target counts as hidden, but for the author: naming an identity that was never stored here is attribution, which the label governs.
func (x *Exchange) firstHidden(ctx context.Context, scope gate.Scope, it *store.Item, seen map[string]bool) (string, error) {
	rec := &it.Record
	if rec.Body == nil {
		page, err := x.store.Page(ctx, scope, store.Query{IDs: []string{rec.ID}, Specs: []string{rec.Spec}, Versions: store.Versions{At: []string{rec.Order}}, Limit: 1})
		if err != nil || len(page.Items) == 0 {
			return rec.ID, err
		}
		rec = &page.Items[0].Record
	}
	for _, id := range named(rec) {
		admitted, ok := seen[id]
		if !ok {
			found, err := x.store.Page(ctx, scope, store.Query{IDs: []string{id}, Limit: 1, Headers: true})
			if err != nil {
				return "", err
			}
			admitted = len(found.Items) > 0
			if !admitted && id == rec.CreatedBy {
				any, err := x.store.Page(ctx, x.own(), store.Query{IDs: []string{id}, Limit: 1, Headers: true})
				if err != nil {
					return "", err
				}
				admitted = len(any.Items) == 0
			}
			seen[id] = admitted
		}
		if !admitted {
			return id, nil
		}
	}
	return "", nil
}

// release writes down what another organisation is given, before it is given.
func (x *Exchange) release(ctx context.Context, v gate.Viewer, items []store.Item) error {
	if x.isOwn(v.Nation, v.Org) || len(items) == 0 {
		return nil
	}
	scope := x.scope(v)
	byClause := map[string][]record.Seq{}
	var last record.Mark
	var clause string
	for i := range items {
		m := items[i].Record.Mark()
		if m.Org == v.Org && m.Nation == v.Nation {
			continue // it is theirs
		}
		if clause == "" || !m.Equal(last) {
			last = m
			clause, _ = scope.Clause(m)
		}
		byClause[clause] = append(byClause[clause], items[i].Rec)
	}
	for clause, recs := range byClause {
		slices.Sort(recs)
		if err := x.store.Release(ctx, store.Release{Party: v.Party().String(), Clause: clause, Recs: recs}); err != nil {
			return fmt.Errorf("writing down what %s is given: %w", v.Org, err)
		}
	}
	return nil
}

// Get is one object: the version that is asked for, else the latest.
func (x *Exchange) Get(ctx context.Context, v gate.Viewer, collection, id string, versions store.Versions) (store.Item, error) {
	page, err := x.Read(ctx, v, store.Query{Collection: collection, IDs: []string{id}, Versions: versions, Limit: 1})
	if err != nil {
		return store.Item{}, err
	}
	if len(page.Items) == 0 {
		return store.Item{}, fault.New(fault.NotFound, "", "no such object")
	}
	return page.Items[0], nil
}

func filter(items []store.Item, keep func(*store.Item) (bool, error)) ([]store.Item, error) {
	out := items[:0]
	for i := range items {
		ok, err := keep(&items[i])
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, items[i])
		}
	}
	return out, nil
}
