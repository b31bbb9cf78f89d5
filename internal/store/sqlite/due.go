package sqlite

import (
	"context"
	"errors"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/gate"
	"entente/internal/lite"
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
	return due, room.Wrap("reading what is due", err)
}

// reached are the first records whose time in the column has come.
func (r *reader) reached(column string, now time.Time, limit int) (items []store.Item, err error) {
	query := "SELECT seq FROM record WHERE " + column + " > 0 AND " + column + " <= ? ORDER BY " + column + ", seq"
	err = lite.Exec(r.c, query, func(st *zs.Stmt) error {
		w, rec, ok, err := r.whole(st.ColumnInt64(0), true)
		if err != nil || !ok {
			return err
		}
		if ok, err = r.sees(w); err != nil || !ok {
			return err
		}
		at, _, err := placeOf(r.c, w, 0)
		if err != nil {
			return err
		}
		if items = append(items, itemAt(at, w, rec)); len(items) == limit {
			return errEnough
		}
		return nil
	}, now.UnixMicro())
	if err == errEnough {
		err = nil
	}
	return items, err
}

// errEnough ends a query early.
var errEnough = errors.New("enough")
