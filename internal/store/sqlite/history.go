package sqlite

import (
	"context"

	"github.com/go-json-experiment/json"
	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
)

const maxHistory = 1000 // acts on one record that are told, the oldest first

// History implements store.Store.
func (s *Store) History(ctx context.Context, scope gate.Scope, rec record.Seq) (h store.History, err error) {
	err = s.read(ctx, scope, func(r *reader) error {
		row, _, ok, err := r.whole(int64(rec), true)
		if err == nil && ok {
			ok, err = r.sees(row)
		}
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.NotFound, "store.record", "there is no such record").At("rec")
		}
		places, err := placesOf(r.c, row)
		if err != nil {
			return err
		}
		for _, p := range places {
			if p.coll != 0 {
				h.Places = append(h.Places, store.Place{Collection: s.colls.name(p.coll), Seq: record.Seq(p.seq)})
			}
		}
		// Lines with an act are few and have an index of their own.
		return lite.Exec(r.c, `SELECT seq, kind, act FROM journal INDEXED BY journal_act WHERE act IS NOT NULL AND rec = ? ORDER BY seq LIMIT ?`, func(st *zs.Stmt) error {
			e := store.Entry{Seq: record.Seq(st.ColumnInt64(0)), Kind: entryKinds[st.ColumnInt64(1)], Rec: rec, Act: new(store.Act)}
			h.Acts = append(h.Acts, e)
			return json.Unmarshal(lite.Blob(st, 2), e.Act)
		}, int64(rec), maxHistory)
	})
	return h, room.Wrap("reading what became of a record", err)
}
