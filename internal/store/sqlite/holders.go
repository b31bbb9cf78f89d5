package sqlite

import (
	"cmp"
	"context"
	"slices"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
)

// former is what is remembered of a record that was released and then removed.
type former struct {
	row     row // seq, label and notBefore only
	version string
}

// Holders implements store.Store. Retention does not bind here: it ends what may be read, not what others hold.
func (s *Store) Holders(ctx context.Context, scope gate.Scope, id string) (holdings []store.Holding, err error) {
	err = s.read(ctx, scope, func(r *reader) error {
		versions, err := r.known(id)
		if err != nil || len(versions) == 0 {
			return err
		}
		return parties(r.c, func(party int64, name store.Holding) error {
			for _, v := range versions {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				at, ok, err := holdsSince(r.c, party, v.row.seq)
				if err != nil {
					return err
				}
				if ok {
					name.ID, name.Version, name.At = id, v.version, record.Seq(at).Time()
					holdings = append(holdings, name)
				}
			}
			return nil
		})
	})
	return holdings, room.Wrap("reading who holds a record", err)
}

// parties visits every party and clause, in their order.
func parties(c *zs.Conn, visit func(id int64, name store.Holding) error) error {
	return lite.Exec(c, "SELECT id, party, clause FROM party ORDER BY party, clause", func(st *zs.Stmt) error {
		return visit(st.ColumnInt64(0), store.Holding{Party: st.ColumnText(1), Clause: st.ColumnText(2)})
	})
}

// known are the records of an id that the scope sees, or would but for their retention, with those that are no more, oldest first.
func (r *reader) known(id string) ([]former, error) {
	hash := r.h.of(keyID, id)
	places, err := r.keys.lookup(r.c, hash, 0, everything, nil)
	if err != nil {
		return nil, err
	}
	var found []former
	for i, at := range places {
		if seenBefore(places[:i], at.rec) {
			continue
		}
		w, rec, ok, err := r.whole(at.rec, true)
		if err != nil {
			return nil, err
		}
		if ok && rec.ID == id {
			found = append(found, former{row{seq: w.seq, label: w.label, notBefore: w.notBefore}, rec.Version})
		}
	}
	gone, err := formers(r.c, hash)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(append(found, gone...), func(f former) bool { return !r.admits(&f.row) })
	slices.SortFunc(found, func(a, b former) int { return cmp.Compare(a.row.seq, b.row.seq) })
	return found, nil
}

// formers are those of one id. There is no record left to verify the hash against: it has 62 bits and is keyed, so that no two ids that
// the store ever meets can be expected to share one.
func formers(c *zs.Conn, hash int64) (found []former, err error) {
	err = lite.Exec(c, "SELECT rec, label, notbefore, version FROM former WHERE h = ?", func(st *zs.Stmt) error {
		f := former{row{seq: st.ColumnInt64(0), label: uint32(st.ColumnInt64(1)), notBefore: st.ColumnInt64(2)}, st.ColumnText(3)}
		if f.version == "" {
			f.version, _ = dateVersion(record.Seq(f.row.seq))
		}
		found = append(found, f)
		return nil
	}, hash)
	return found, err
}

// remember makes a former of a record that is about to be erased, if anyone holds it.
func (t *tx) remember(f *version) error {
	err := parties(t.c, func(party int64, _ store.Holding) error {
		_, ok, err := holdsSince(t.c, party, f.row.seq)
		if err == nil && ok {
			err = errEnough
		}
		return err
	})
	if err != errEnough {
		return err
	}
	version := ""
	if f.row.flags&flagVersioned != 0 {
		version = f.rec.Version
	}
	return lite.Exec(t.c, "INSERT INTO former(h, rec, label, notbefore, version) VALUES(?,?,?,?,?)", nil,
		t.h.of(keyID, f.rec.ID), f.row.seq, int64(f.row.label), f.row.notBefore, version)
}

// forget takes the formers of an id away that the scope sees, and returns them.
func (t *tx) forget(v *sight, p *store.Purge) ([]former, error) {
	hash := t.h.of(keyID, p.ID)
	found, err := formers(t.c, hash)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(f former) bool {
		m := t.s.marks.mark(f.row.label)
		return !t.admits(v, &f.row) || !p.Concerns(m.Nation, m.Org) || p.Rec != 0 && f.row.seq != int64(p.Rec)
	})
	for _, f := range found {
		if err := lite.Exec(t.c, "DELETE FROM former WHERE h = ? AND rec = ?", nil, hash, f.row.seq); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// holdsSince tells whether and since when a party holds a record.
func holdsSince(c *zs.Conn, party, rec int64) (at int64, ok bool, err error) {
	var packed []byte
	err = lite.Exec(c, "SELECT recs FROM holding WHERE party = ? AND lo <= ? ORDER BY lo DESC LIMIT 1", func(st *zs.Stmt) error {
		packed = lite.Blob(st, 0)
		return nil
	}, party, rec)
	if err != nil || packed == nil {
		return 0, false, err
	}
	seg, err := unpackSegment(packed, nil)
	if err != nil {
		return 0, false, err
	}
	if i, found := slices.BinarySearchFunc(seg, held{rec: rec}, compareHeld); found {
		return seg[i].at, true, nil
	}
	return 0, false, nil
}
