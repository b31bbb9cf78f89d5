package ledger

import (
	"context"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
	"entente/peer"
)

// expires notes until when the bytes of a leaf may be kept.
func expires(c *zs.Conn, leaf *peer.Leaf, pos int64) error {
	if leaf.Kind != peer.Put || leaf.NotAfter.IsZero() {
		return nil
	}
	return lite.Exec(c, "INSERT OR IGNORE INTO due VALUES(?,?)", nil, lite.PackTime(leaf.NotAfter), pos)
}

// Expire destroys what may be kept no longer: envelopes and salts of own leaves, and which objects others' leaves were about. It says of how many;
// limit 0: 1000.
func (l *Ledger) Expire(ctx context.Context, now time.Time, limit int) (n int, err error) {
	if limit <= 0 {
		limit = 1000
	}
	type due struct{ at, pos int64 }
	var list []due
	find := func(c *zs.Conn) error {
		list = list[:0]
		return lite.Exec(c, "SELECT at, pos FROM due WHERE at <= ? ORDER BY at LIMIT ?", func(st *zs.Stmt) error {
			list = append(list, due{st.ColumnInt64(0), st.ColumnInt64(1)})
			return nil
		}, lite.PackTime(now), limit)
	}
	if err := l.read(ctx, "reading what has expired", find); err != nil || len(list) == 0 {
		return 0, err
	}
	err = l.write(ctx, "destroying what has expired", func(c *zs.Conn) error {
		err := find(c)
		for _, d := range list {
			for _, q := range [...]string{"UPDATE leaf SET salt = NULL, envelope = NULL WHERE pos = ?", "DELETE FROM out WHERE pos = ?", "UPDATE held SET object = '', version = '' WHERE pos = ?"} {
				if err == nil {
					err = lite.Exec(c, q, nil, d.pos)
				}
			}
			if err == nil {
				err = lite.Exec(c, "DELETE FROM due WHERE at = ? AND pos = ?", nil, d.at, d.pos)
			}
		}
		n = len(list)
		return err
	})
	return n, err
}

// Given counts the records that own logs of an accord took for a party since a time.
func (l *Ledger) Given(ctx context.Context, accord, party string, since time.Time, kinds func(object string) bool) (n int, err error) {
	return l.count(ctx, Filter{Own: true, Accord: accord, Party: party}, "SELECT f.leaf, coalesce((SELECT object FROM out WHERE pos = f.pos), '') FROM leaf f WHERE f.pos >= ? AND f.pos < ? ORDER BY f.pos DESC", since, func(leaf *peer.Leaf, object string) bool {
		return kinds == nil || kinds(object)
	})
}

// Taken counts the records that a nation's logs brought since a time, as far as take says.
func (l *Ledger) Taken(ctx context.Context, nation string, since time.Time, take func(leaf *peer.Leaf, object string) bool) (n int, err error) {
	return l.count(ctx, Filter{Nation: nation}, "SELECT leaf, object FROM held WHERE pos >= ? AND pos < ? ORDER BY pos DESC", since, take)
}

// count reads logs from their ends back to a time.
func (l *Ledger) count(ctx context.Context, logs Filter, query string, since time.Time, take func(leaf *peer.Leaf, object string) bool) (n int, err error) {
	list, err := l.Logs(ctx, logs)
	if err != nil {
		return 0, err
	}
	err = l.read(ctx, "counting records", func(c *zs.Conn) error {
		for _, g := range list {
			err := lite.Exec(c, query, func(st *zs.Stmt) error {
				leaf, err := peer.ParseLeaf(lite.Blob(st, 0))
				switch {
				case err != nil:
					return err
				case leaf.Time.Before(since):
					return errEnough
				case leaf.Kind == peer.Put && take(&leaf, st.ColumnText(1)):
					n++
				}
				return nil
			}, position(g.id, 0), position(g.id, g.Size))
			if err != nil && err != error(errEnough) {
				return err
			}
		}
		return nil
	})
	return n, err
}

// HeldAfter gives leaves of a nation's logs that brought a record, from a place on, in the order of logs and leaves; empty: of every nation. Next is
// where the following call goes on; 0: nothing follows.
func (l *Ledger) HeldAfter(ctx context.Context, nation string, after int64, limit int) (out []Held, next int64, err error) {
	err = l.read(ctx, "reading what came in", func(c *zs.Conn) error {
		return lite.Exec(c, heldQuery+"h.pos > ? AND (?2 = '' OR g.nation = ?2) AND h.object <> '' ORDER BY h.pos LIMIT ?3", func(st *zs.Stmt) error {
			h, err := scanHeld(st)
			out = append(out, h)
			next = st.ColumnInt64(2)
			return err
		}, after, nation, limit)
	})
	if len(out) < limit {
		next = 0
	}
	return out, next, err
}

// Dropped notes that what a leaf of another's log brought is here no more, and gives the receipt to send.
func (l *Ledger) Dropped(ctx context.Context, origin string, index uint64, did, code string, receipts ...[]byte) error {
	return l.write(ctx, "noting what was destroyed", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil {
			return err
		}
		if g.Own {
			return fault.New(fault.Conflict, "ledger.log", "this log is the node's own").At(origin)
		}
		if err := lite.Exec(c, "UPDATE held SET did = ?, code = ?, object = '', version = '' WHERE pos = ?", nil, did, code, position(g.id, min(index, maxIndex))); err != nil {
			return err
		}
		return put(c, g.id, receipts)
	})
}
