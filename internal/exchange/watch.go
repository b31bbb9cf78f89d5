package exchange

import (
	"context"

	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
)

// Change is one line of the journal as one viewer may have it. A line that says nothing to the viewer has none of its members.
type Change struct {
	Seq    record.Seq
	Item   *store.Item  // the header of what came, or of what has another label now
	Gone   []record.Seq // records that the viewer may not have now; only who was told of them before may learn that
	Purged bool         // something was destroyed, whoever may have had it
	Act    *store.Act   // for who reads the audit trail
}

// Watch reads the journal for a viewer, in order: the lines after a place, at most limit. None is its end.
func (x *Exchange) Watch(ctx context.Context, v gate.Viewer, after record.Seq, limit int) ([]Change, error) {
	if err := x.may(v, gate.ObjectRead); err != nil {
		return nil, err
	}
	entries, err := x.store.Watch(ctx, x.scope(v), after, limit)
	if err != nil {
		return nil, err
	}
	audits := x.may(v, gate.AuditRead) == nil
	out := make([]Change, len(entries))
	for i := range entries {
		e := &entries[i]
		c := Change{Seq: e.Seq}
		switch {
		case e.Kind == store.EntryPut && e.Seq != e.Rec: // it was here, and is in one more collection
		case (e.Kind == store.EntryPut || e.Kind == store.EntryRelabel) && e.Record != nil:
			c.Item = &store.Item{Seq: e.Seq, Rec: e.Rec, Held: e.Held, Record: *e.Record}
		case (e.Kind == store.EntryRelabel || e.Kind == store.EntryRemove) && e.Record == nil:
			c.Gone = []record.Seq{e.Rec}
		case e.Kind == store.EntryPurge:
			c.Gone, c.Purged = e.Recs, true
		}
		if audits {
			c.Act = e.Act
		}
		out[i] = c
	}
	return out, nil
}

// Newest is the journal's end, and a channel that is closed when there is more.
func (x *Exchange) Newest() (record.Seq, <-chan struct{}) { return x.store.Newest() }
