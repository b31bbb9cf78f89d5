package ledger

import (
	"context"
	"maps"
	"slices"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/lite"
	"entente/peer"
)

// refusedTable counts what was refused of partners, also where nothing else is kept of it. A ledger of before gets it when it is opened, and programs of before keep it
// without knowing of it.
const refusedTable = `CREATE TABLE IF NOT EXISTS refused(nation TEXT NOT NULL, code TEXT NOT NULL, since INTEGER NOT NULL, count INTEGER NOT NULL, pos INTEGER NOT NULL,
	PRIMARY KEY(nation, code)) WITHOUT ROWID`

// RefusedIn is the time in which refusals are counted together, from the first on.
const RefusedIn = time.Hour

// maxCodes bounds the codes that are counted for one nation: some are its own words.
const maxCodes = 32

// Refusals are the leaves of a nation that were refused for one reason, within RefusedIn of the first of them.
type Refusals struct {
	Code   string
	Count  int
	Since  time.Time // when the first came
	Origin string    // of its log
	Index  uint64    // of it there
}

// Refused gives what was refused of a nation in the last RefusedIn before a time, by code.
func (l *Ledger) Refused(ctx context.Context, nation string, at time.Time) (out []Refusals, err error) {
	err = l.read(ctx, "reading what was refused", func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT r.code, r.count, r.since, r.pos, g.origin FROM refused r JOIN log g ON g.id = r.pos >> 40 WHERE r.nation = ? AND r.since >= ? ORDER BY r.code", func(st *zs.Stmt) error {
			r := Refusals{Code: st.ColumnText(0), Count: int(st.ColumnInt64(1)), Since: lite.UnpackTime(st.ColumnInt64(2)), Origin: st.ColumnText(4)}
			_, r.Index = split(st.ColumnInt64(3))
			out = append(out, r)
			return nil
		}, nation, lite.PackTime(at.Add(-RefusedIn)))
	})
	return out, err
}

// refuse counts what was refused of a part of a log.
func refuse(c *zs.Conn, g *Log, from uint64, taken []Taken) error {
	first, counts := map[string]int{}, map[string]int{}
	for i := range taken {
		if t := &taken[i]; t.Did == peer.DidRefuse {
			if counts[t.Code]++; counts[t.Code] == 1 {
				first[t.Code] = i
			}
		}
	}
	for _, code := range slices.Sorted(maps.Keys(counts)) {
		i := first[code]
		at := taken[i].At
		if err := lite.Exec(c, "DELETE FROM refused WHERE nation = ? AND since < ?", nil, g.Nation, lite.PackTime(at.Add(-RefusedIn))); err != nil {
			return err
		}
		err := lite.Exec(c, "INSERT INTO refused SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS(SELECT 1 FROM refused WHERE nation = ?1 AND code = ?2) OR (SELECT COUNT(*) FROM refused WHERE nation = ?1) < ?6"+
			" ON CONFLICT DO UPDATE SET count = count + excluded.count", nil, g.Nation, code, lite.PackTime(at), counts[code], position(g.id, from+uint64(i)), maxCodes)
		if err != nil {
			return err
		}
	}
	return nil
}
