package sqlite

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json"
	zs "zombiezen.com/go/sqlite"

	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/store"
)

const quarantineLimit = 1000

// readHold is why a record is in quarantine, or nil.
func readHold(c *zs.Conn, rec int64) (h *store.Hold, err error) {
	err = lite.Exec(c, "SELECT hold FROM quarantine WHERE rec = ?", func(st *zs.Stmt) error {
		h = new(store.Hold)
		return json.Unmarshal(lite.Blob(st, 0), h)
	}, rec)
	return h, err
}

// Quarantined implements store.Store. Item.Seq is the place in the whole store.
func (s *Store) Quarantined(ctx context.Context, scope gate.Scope, q store.QuarantineQuery) (held []store.Quarantined, err error) {
	if q.Limit <= 0 || q.Limit > quarantineLimit {
		q.Limit = quarantineLimit
	}
	err = s.read(ctx, scope, func(r *reader) error {
		for after, more := int64(q.After), true; more && len(held) < q.Limit && ctx.Err() == nil; {
			recs, err := r.heldAfter(q, after)
			if err != nil {
				return err
			}
			more = len(recs) == q.Limit
			for _, rec := range recs {
				after = rec
				one, ok, err := r.quarantined(rec, q.Awaits)
				if err != nil {
					return err
				}
				if ok && len(held) < q.Limit {
					held = append(held, one)
				}
			}
		}
		return ctx.Err()
	})
	return held, room.Wrap("reading the quarantine", err)
}

// heldAfter are the next records in quarantine that may match.
func (r *reader) heldAfter(q store.QuarantineQuery, after int64) (recs []int64, err error) {
	each := func(st *zs.Stmt) error { recs = append(recs, st.ColumnInt64(0)); return nil }
	switch {
	case q.Rec != 0:
		if int64(q.Rec) > after {
			recs = []int64{int64(q.Rec)}
		}
	case q.Awaits != "":
		err = lite.Exec(r.c, "SELECT rec FROM awaits WHERE h = ? AND rec > ? ORDER BY rec LIMIT ?", each, r.h.of(keyID, q.Awaits), after, q.Limit)
	default:
		err = lite.Exec(r.c, "SELECT rec FROM quarantine WHERE rec > ? ORDER BY rec LIMIT ?", each, after, q.Limit)
	}
	return recs, err
}

func (r *reader) quarantined(seq int64, awaits string) (one store.Quarantined, ok bool, err error) {
	h, err := readHold(r.c, seq)
	if err != nil || h == nil || awaits != "" && !slices.Contains(h.Awaits, awaits) {
		return one, false, err
	}
	w, rec, ok, err := r.whole(seq, false)
	if err != nil || !ok {
		return one, false, err
	}
	if ok, err := r.sees(w); err != nil || !ok {
		return one, false, err
	}
	at, _, err := placeOf(r.c, w, 0)
	one = store.Quarantined{Item: itemAt(at, w, rec), Hold: *h}
	return one, err == nil, err
}
