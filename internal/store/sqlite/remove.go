package sqlite

import (
	"context"
	"slices"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
)

// Remove implements store.Store. From the empty collection, which is the whole store, a record goes with all its places.
func (s *Store) Remove(ctx context.Context, scope gate.Scope, r store.Removal) (n int, err error) {
	act, err := packAct(r.Act)
	if err != nil {
		return 0, err
	}
	err = s.do(ctx, &job{run: func(t *tx) (err error) { n, err = t.remove(scope, r, act); return err }})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func (t *tx) remove(scope gate.Scope, r store.Removal, act []byte) (int, error) {
	coll, ok := t.s.colls.id(r.Collection)
	if !ok {
		return 0, nil
	}
	found, err := t.versions(t.sight(scope), r.ID, coll)
	if err != nil {
		return 0, err
	}
	var doomed []*version
	var first, last string
	for _, f := range found {
		if len(r.Specs) > 0 && !slices.Contains(r.Specs, f.rec.Spec) || r.Rec != 0 && int64(r.Rec) != f.row.seq {
			continue
		}
		if len(doomed) == 0 || f.rec.Order < first {
			first = f.rec.Order
		}
		if len(doomed) == 0 || f.rec.Order > last {
			last = f.rec.Order
		}
		doomed = append(doomed, f)
	}
	v := r.Versions
	v.All = v.All || !v.First && !v.Last && len(v.At) == 0
	n := 0
	for _, f := range doomed {
		if !picks(v, f.rec.Order, first, last) {
			continue
		}
		if err := t.takeOut(f, coll); err != nil {
			return 0, err
		}
		if err := t.journal(t.draw(1)[0], entryRemove, f.row.seq, nil, act, nil); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// version is a record that the writer works on.
type version struct {
	row *row
	rec record.Record
}

// versions are the records of an id that a collection holds and the scope sees, oldest first.
func (t *tx) versions(v *sight, id string, coll int64) ([]*version, error) {
	places, err := t.lookup(t.h.of(keyID, id))
	if err != nil {
		return nil, err
	}
	places = append([]place(nil), places...)
	var found []*version
	for i, at := range places {
		if seenBefore(places[:i], at.rec) {
			continue
		}
		f, err := t.version(v, at.rec)
		if err != nil {
			return nil, err
		}
		if f == nil || f.rec.ID != id {
			continue
		}
		if _, in, err := t.placeOf(f.row, coll); err != nil {
			return nil, err
		} else if in {
			found = append(found, f)
		}
	}
	return found, nil
}

// version loads one record, if it is there and the scope sees it.
func (t *tx) version(v *sight, seq int64) (*version, error) {
	ok, err := t.load(seq, &t.row)
	if err != nil || !ok {
		return nil, err
	}
	f := &version{row: t.row.clone()}
	if ok, err := t.sees(v, f.row); err != nil || !ok {
		return nil, err
	}
	f.rec, err = f.row.record(t.s.marks.mark(f.row.label))
	return f, err
}

// placed is a record's place in one collection.
type placed struct{ coll, seq int64 }

// placesOf are all places of a record, that in the whole store first.
func (t *tx) placesOf(r *row) (places []placed, err error) { return placesOf(t.c, r) }

func placesOf(c *zs.Conn, r *row) (places []placed, err error) {
	if r.flags&flagMoved == 0 {
		places = append(places, placed{0, r.seq})
		if r.home != 0 {
			places = append(places, placed{r.home, r.seq})
		}
	}
	err = lite.Exec(c, "SELECT coll, seq FROM placement WHERE rec = ? ORDER BY coll", func(st *zs.Stmt) error {
		places = append(places, placed{st.ColumnInt64(0), st.ColumnInt64(1)})
		return nil
	}, r.seq)
	return places, err
}

// takeOut takes a record out of a collection, and erases it when it is in no other or the collection is the whole store.
func (t *tx) takeOut(f *version, coll int64) error {
	places, err := t.placesOf(f.row)
	if err != nil {
		return err
	}
	if coll == 0 || len(places) <= 2 {
		if err := t.remember(f); err != nil {
			return err
		}
		return t.erase(f, places)
	}
	var seq int64
	shared := false // another collection has the record under the same seq
	for _, p := range places {
		if p.coll == coll {
			seq = p.seq
		}
	}
	for _, p := range places {
		shared = shared || p.coll != coll && p.seq == seq
	}
	if err := t.dropStreams(f, placed{coll, seq}); err != nil {
		return err
	}
	if !shared {
		if err := t.dropKeys(f, seq); err != nil {
			return err
		}
	}
	t.counts[coll]--
	if f.row.flags&flagMoved == 0 && f.row.home == coll {
		return lite.Exec(t.c, "UPDATE record SET home = 0 WHERE seq = ?", nil, f.row.seq)
	}
	return lite.Exec(t.c, "DELETE FROM placement WHERE rec = ? AND coll = ?", nil, f.row.seq, coll)
}

// erase destroys a record with its places, keys and hold.
func (t *tx) erase(f *version, places []placed) error {
	for i, p := range places {
		if err := t.dropStreams(f, p); err != nil {
			return err
		}
		if i == 0 || places[i-1].seq != p.seq {
			if err := t.dropKeys(f, p.seq); err != nil {
				return err
			}
		}
		t.counts[p.coll]--
	}
	if err := lite.Exec(t.c, "DELETE FROM placement WHERE rec = ?", nil, f.row.seq); err != nil {
		return err
	}
	if err := t.endHold(f.row.seq); err != nil {
		return err
	}
	return lite.Exec(t.c, "DELETE FROM record WHERE seq = ?", nil, f.row.seq)
}

func (t *tx) dropStreams(f *version, p placed) error {
	for _, typ := range [...]string{"", f.rec.Type} {
		if err := lite.Exec(t.c, "DELETE FROM stream WHERE h = ? AND seq = ?", nil, t.h.streamKey(p.coll, f.row.label, typ), p.seq); err != nil {
			return err
		}
	}
	return nil
}

// dropKeys takes the keys of one place out of the table. Those still in memory lead nowhere from now on, and the merge leaves them out.
func (t *tx) dropKeys(f *version, seq int64) error {
	for _, h := range hashesOf(t.h, f.rec.ID, f.row.lookups, nil) {
		if err := lite.Exec(t.c, "DELETE FROM key WHERE h = ? AND seq = ?", nil, h, seq); err != nil {
			return err
		}
		t.dead = append(t.dead, keyRow{h, seq, f.row.seq})
	}
	return nil
}

// endHold takes a record out of quarantine.
func (t *tx) endHold(rec int64) error {
	h, err := readHold(t.c, rec)
	if err != nil || h == nil {
		return err
	}
	for _, id := range h.Awaits {
		if err := lite.Exec(t.c, "DELETE FROM awaits WHERE h = ? AND rec = ?", nil, t.h.of(keyID, id), rec); err != nil {
			return err
		}
	}
	return lite.Exec(t.c, "DELETE FROM quarantine WHERE rec = ?", nil, rec)
}
