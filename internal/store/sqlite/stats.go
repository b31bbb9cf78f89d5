package sqlite

import (
	"context"
	"os"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
)

// Stats implements store.Store.
func (s *Store) Stats(ctx context.Context) (st store.Stats, err error) {
	st = store.Stats{Collections: map[string]int64{}, Schema: s.schema}
	err = s.read(ctx, gate.Scope{}, func(r *reader) (err error) {
		err = lite.Exec(r.c, "SELECT name, n FROM collection", func(row *zs.Stmt) error {
			if name, n := row.ColumnText(0), row.ColumnInt64(1); name == "" {
				st.Records = n
			} else if n > 0 {
				st.Collections[name] = n
			}
			return nil
		})
		if err != nil {
			return err
		}
		if st.Held, err = lite.Number(r.c, "SELECT count(*) FROM quarantine"); err != nil {
			return err
		}
		if st.Labels, err = lite.Number(r.c, "SELECT count(*) FROM label"); err != nil {
			return err
		}
		last, err := lite.Number(r.c, "SELECT max(seq) FROM journal")
		st.Last = record.Seq(last)
		return err
	})
	if err != nil {
		return st, room.Wrap("reading the store's figures", err)
	}
	files, err := filesWith(s.cfg.Dir, fileName)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			st.Bytes += info.Size()
		}
	}
	return st, room.Wrap("reading the store's figures", err)
}
