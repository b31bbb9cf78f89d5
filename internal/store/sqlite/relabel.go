package sqlite

import (
	"context"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

// Relabel implements store.Store. All places of the record take one new seq, which is returned.
func (s *Store) Relabel(ctx context.Context, scope gate.Scope, r store.Relabelling) (seq record.Seq, err error) {
	act, err := packAct(r.Act)
	if err != nil {
		return 0, err
	}
	err = s.do(ctx, &job{run: func(t *tx) (err error) { seq, err = t.relabel(scope, r, act); return err }})
	if err != nil {
		return 0, err
	}
	return seq, nil
}

func (t *tx) relabel(scope gate.Scope, r store.Relabelling, act []byte) (record.Seq, error) {
	f, err := t.version(t.sight(scope), int64(r.Rec))
	if err != nil {
		return 0, err
	}
	if f == nil {
		return 0, fault.New(fault.NotFound, "store.record", "there is no such record").At("rec")
	}
	if r.Was != nil && !label.Equal(f.rec.Label, *r.Was) {
		return 0, fault.New(fault.Conflict, "record.relabelled", "the record was put under another label at the same time").Try("look at it again")
	}
	places, err := t.placesOf(f.row)
	if err != nil {
		return 0, err
	}
	m := record.Mark{Label: r.Label.Timeless(), Nation: f.rec.Origin.Nation, Org: f.rec.Origin.Org}
	mark, ok := t.s.marks.id(m)
	if !ok {
		if mark, err = t.s.marks.add(m); err != nil {
			return 0, err
		}
	}
	seq := t.draw(1)[0]
	t.streams = t.streams[:0]
	for i, p := range places {
		if err := t.dropStreams(f, p); err != nil {
			return 0, err
		}
		if i == 0 || places[i-1].seq != p.seq {
			if err := t.dropKeys(f, p.seq); err != nil {
				return 0, err
			}
		}
		if err := lite.Exec(t.c, "INSERT OR REPLACE INTO placement(rec, coll, seq) VALUES(?,?,?)", nil, f.row.seq, p.coll, seq); err != nil {
			return 0, err
		}
		t.addStreams(p.coll, mark, f.rec.Type, seq, f.row.seq)
	}
	if err := t.insertStreams(); err != nil {
		return 0, err
	}
	t.addKeys(hashesOf(t.h, f.rec.ID, f.row.lookups, nil), seq, f.row.seq)
	flags := f.row.flags | flagMoved
	if r.EndHold && flags&flagHeld != 0 {
		flags &^= flagHeld
		if err := t.endHold(f.row.seq); err != nil {
			return 0, err
		}
	}
	if r.Hold != nil && flags&flagHeld == 0 {
		flags |= flagHeld
		if err := t.hold(f.row.seq, r.Hold); err != nil {
			return 0, err
		}
	}
	err = lite.Exec(t.c, "UPDATE record SET label = ?, flags = ?, notbefore = ?, notafter = ? WHERE seq = ?", nil,
		int64(mark), flags, lite.PackTime(r.Label.NotBefore), lite.PackTime(r.Label.NotAfter), f.row.seq)
	if err != nil {
		return 0, err
	}
	commit, err := t.commitOf(f.row.seq)
	if err != nil {
		return 0, err
	}
	return record.Seq(seq), t.journal(seq, entryRelabel, f.row.seq, commit, act, nil)
}
