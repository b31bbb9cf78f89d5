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
	scope := x.scope(v)
	page, err := x.store.Page(ctx, scope, q)
	if err != nil {
		return store.Page{}, err
	}
	if !q.Headers {
		if err := x.release(ctx, scope, page.Items); err != nil {
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
	c, err := x.usable(v, id)
	if err == nil && !c.CanRead {
		err = fault.New(fault.Forbidden, "collection.read", "you may write to this collection but not read it").Try("ask the node's administrators for a role that may read")
	}
	return err
}

// firstHidden is the first object that a record names and the holder of the scope may not have; empty when there is none. The author
// is none of them where the record's label permits to name it: that is attribution, whether an identity of that id is here or not.
func (x *Exchange) firstHidden(ctx context.Context, scope gate.Scope, rec *record.Record) (string, error) {
	if !scope.Closes(rec.Mark()) {
		return "", nil
	}
	for _, id := range named(rec) {
		if id == rec.CreatedBy && gate.NamesAuthor(&rec.Label) {
			continue
		}
		found, err := x.store.Page(ctx, scope, store.Query{IDs: []string{id}, Limit: 1, Headers: true, Specs: []string{"2.0", "2.1"}})
		if err != nil {
			return "", err
		}
		if len(found.Items) == 0 {
			return id, nil
		}
	}
	return "", nil
}

// release writes down what another organisation is given, before it is given: under the scope that let it have it.
func (x *Exchange) release(ctx context.Context, scope gate.Scope, items []store.Item) error {
	v := scope.Viewer()
	if x.isOwn(v.Nation, v.Org) || len(items) == 0 {
		return nil
	}
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
