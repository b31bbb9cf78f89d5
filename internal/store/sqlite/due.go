package sqlite

import (
	"context"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
)

// Due implements store.Store. The items come without their bytes.
func (s *Store) Due(ctx context.Context, scope gate.Scope, now time.Time, limit int) (due store.Due, err error) {
	if limit <= 0 || limit > pageItems {
		limit = pageItems
	}
	err = s.read(ctx, scope, func(r *reader) error {
		if due.Lifted, err = r.reached("notbefore", now, limit); err != nil {
			return err
		}
		due.Expired, err = r.reached("notafter", now, limit)
		return err
	})
	return due, wrap("reading what is due", err)
}

// reached are the records whose time in the column has come.
func (r *reader) reached(column string, now time.Time, limit int) (items []store.Item, err error) {
	var seqs []int64
	err = exec(r.c, "SELECT seq FROM record WHERE "+column+" > 0 AND "+column+" <= ? ORDER BY "+column+", seq LIMIT ?", func(st *zs.Stmt) error {
		seqs = append(seqs, st.ColumnInt64(0))
		return nil
	}, now.UnixMicro(), limit)
	if err != nil {
		return nil, err
	}
	for _, seq := range seqs {
		w, rec, ok, err := r.whole(seq, true)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if ok, err = r.sees(w); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		at, _, err := placeOf(r.c, w, 0)
		if err != nil {
			return nil, err
		}
		items = append(items, store.Item{Seq: record.Seq(at), Rec: record.Seq(seq), Held: w.flags&flagHeld != 0, Record: rec})
	}
	return items, nil
}
