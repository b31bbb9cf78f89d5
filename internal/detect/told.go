package detect

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	zs "zombiezen.com/go/sqlite"

	"entente/internal/gate"
	"entente/internal/lite"
	"entente/sensor"
)

const (
	toldFile    = "told.db"
	toldVersion = 1
)

// A row of sum is what one sensor met of one source on one day; a row of report is what of it one stretch of telemetry gave. A sum that is dirty is not in its sighting yet.
// A row of gap is a time of which nobody knows what sensors reported: it begins when a backup was made, and ends when the node is opened that was restored from it. many is how many
// reports are known.
const toldSchema = `
CREATE TABLE party(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE report(party INTEGER NOT NULL, id BLOB NOT NULL, sum INTEGER NOT NULL, count INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(party, id)) WITHOUT ROWID;
CREATE INDEX report_at ON report(at);
CREATE TABLE sum(id INTEGER PRIMARY KEY, party INTEGER NOT NULL, sensor TEXT NOT NULL, source TEXT NOT NULL, day INTEGER NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
	first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL, fields BLOB, input TEXT NOT NULL, back INTEGER NOT NULL, at INTEGER NOT NULL,
	dirty INTEGER NOT NULL, due INTEGER NOT NULL, began INTEGER NOT NULL, sighting TEXT NOT NULL, modified INTEGER NOT NULL, UNIQUE(party, sensor, source, day));
CREATE INDEX sum_due ON sum(due) WHERE dirty = 1;
CREATE INDEX sum_at ON sum(at);
CREATE INDEX sum_days ON sum(source, day);
CREATE TABLE health(sensor TEXT PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE gap(began INTEGER PRIMARY KEY, ended INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE many(name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO many VALUES('report', 0);
`

// told is the file of what sensors reported. It is durable when its methods return.
type told struct{ file }

func openTold(dir string) (*told, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	t := &told{file{path: filepath.Join(dir, toldFile)}}
	if err := t.open("FULL", toldSchema, toldVersion); err != nil {
		return nil, err
	}
	return t, nil
}

// day is the number of a day since 1970 (UTC).
func day(at time.Time) int64 { return at.Unix() / 86400 }

// dayTime is the beginning of a day.
func dayTime(d int64) time.Time { return time.Unix(d*86400, 0).UTC() }

// partyOf is the number of an organisation, which is given where it has none.
func partyOf(c *zs.Conn, p gate.Party) (int64, error) {
	if err := lite.Exec(c, "INSERT OR IGNORE INTO party(name) VALUES(?)", nil, p.String()); err != nil {
		return 0, err
	}
	return lite.Number(c, "SELECT id FROM party WHERE name = ?", p.String())
}

// take adds reports to their sums, and says how many were new or larger than before.
func (t *told) take(s *Sensor, reports []sensor.Report, now time.Time) (taken int, err error) {
	err = t.do(func(c *zs.Conn) error {
		taken = 0
		party, err := partyOf(c, s.party())
		if err != nil {
			return err
		}
		first := 0
		for i := range reports {
			more, known, err := takeOne(c, party, s.ID, &reports[i], now)
			if err != nil {
				return err
			}
			if more {
				taken++
			}
			if !known {
				first++
			}
		}
		return count(c, first)
	})
	return taken, err
}

func takeOne(c *zs.Conn, party int64, of string, q *sensor.Report, now time.Time) (more, known bool, err error) {
	id, err := hex.DecodeString(q.ID)
	if err != nil {
		return false, false, err
	}
	at := lite.PackTime(now)
	var sum, before int64
	err = lite.Exec(c, "SELECT sum, count FROM report WHERE party = ? AND id = ?", func(st *zs.Stmt) error {
		sum, before = st.ColumnInt64(0), st.ColumnInt64(1)
		return nil
	}, party, id)
	if known = sum != 0; err != nil || q.Count <= before {
		return false, known, err
	}
	if known { // what it was of may have been forgotten since
		sum, err = lite.Number(c, "SELECT id FROM sum WHERE id = ? AND party = ? AND source = ?", sum, party, q.Source)
	}
	if err == nil && sum == 0 {
		sum, err = lite.Number(c, "SELECT id FROM sum WHERE party = ? AND sensor = ? AND source = ? AND day = ?", party, of, q.Source, day(q.First))
	}
	switch {
	case err != nil:
	case sum == 0:
		sum, err = beginSum(c, party, of, q, q.Count-before, at)
	default:
		err = lite.Exec(c, "UPDATE sum SET count = min(count + ?, 9007199254740991), first = min(first, ?), last = max(last, ?), at = ?, dirty = 1, back = min(back, ?) WHERE id = ?", nil,
			q.Count-before, lite.PackTime(q.First), lite.PackTime(q.Last), at, flag(q.Back), sum)
	}
	switch {
	case err != nil:
		return false, known, err
	case known:
		return true, true, lite.Exec(c, "UPDATE report SET sum = ?, count = ? WHERE party = ? AND id = ?", nil, sum, q.Count, party, id)
	}
	return true, false, lite.Exec(c, "INSERT INTO report(party, id, sum, count, at) VALUES(?, ?, ?, ?, ?)", nil, party, id, sum, q.Count, at)
}

// count notes that so many reports more are known.
func count(c *zs.Conn, more int) error {
	return lite.Exec(c, "UPDATE many SET n = n + ? WHERE name = 'report'", nil, more)
}

// beginSum makes the sum of what a sensor met of a source on the day of a report.
func beginSum(c *zs.Conn, party int64, of string, q *sensor.Report, count, at int64) (id int64, err error) {
	var fields []byte
	if len(q.Fields) > 0 {
		if fields, err = json.Marshal(q.Fields, json.Deterministic(true)); err != nil {
			return 0, err
		}
	}
	err = lite.Exec(c, `INSERT INTO sum(party, sensor, source, day, kind, value, first, last, count, fields, input, back, at, dirty, due, began, sighting, modified)
		VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 0, ?, '', 0)`, nil, party, of, q.Source, day(q.First), q.Kind, q.Value, lite.PackTime(q.First), lite.PackTime(q.Last), count, blob(fields), q.Input,
		flag(q.Back), at, at)
	return c.LastInsertRowID(), err
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sum is what one sensor met of one source on one day.
type sum struct {
	id          int64
	party       gate.Party
	sensor      string
	source      string
	day         int64
	kind, value string
	first, last time.Time
	count       int64
	fields      map[string]string
	input       string
	back        bool
	at          time.Time // of the newest report
	began       time.Time // of the first
	sighting    string    // the STIX object that says so; empty: none yet
	modified    time.Time // of its newest version
}

const sumColumns = `sum.id, party.name, sensor, source, day, kind, value, first, last, count, fields, input, back, at, began, sighting, modified FROM sum JOIN party ON party.id = sum.party`

func readSum(st *zs.Stmt) (s sum, err error) {
	p, _ := gate.ParseParty(st.ColumnText(1))
	s = sum{id: st.ColumnInt64(0), party: p, sensor: st.ColumnText(2), source: st.ColumnText(3), day: st.ColumnInt64(4), kind: st.ColumnText(5), value: st.ColumnText(6),
		first: lite.UnpackTime(st.ColumnInt64(7)), last: lite.UnpackTime(st.ColumnInt64(8)), count: st.ColumnInt64(9), input: st.ColumnText(11), back: st.ColumnInt64(12) != 0,
		at: lite.UnpackTime(st.ColumnInt64(13)), began: lite.UnpackTime(st.ColumnInt64(14)), sighting: st.ColumnText(15), modified: lite.UnpackTime(st.ColumnInt64(16))}
	if b := lite.Blob(st, 10); b != nil {
		err = json.Unmarshal(b, &s.fields)
	}
	return s, err
}

// due are sums whose sighting must be made or made anew.
func (t *told) due(now time.Time, limit int) (out []sum, err error) {
	err = t.read(func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT "+sumColumns+" WHERE dirty = 1 AND due <= ? ORDER BY due, sum.id LIMIT ?", func(st *zs.Stmt) error {
			s, err := readSum(st)
			out = append(out, s)
			return err
		}, lite.PackTime(now), limit)
	})
	return out, err
}

// said is what became of a sum whose sighting was due: the sighting that says what it was, with the time of its version, or nothing, and when it is looked at again.
type said struct {
	of       *sum
	sighting string // empty: it could not be said
	modified time.Time
	due      time.Time
}

// note writes down what was said. What came since leaves a sum dirty.
func (t *told) note(all []said) error {
	if len(all) == 0 {
		return nil
	}
	return t.do(func(c *zs.Conn) error {
		for _, x := range all {
			err := lite.Exec(c, "UPDATE sum SET due = ? WHERE id = ?", nil, lite.PackTime(x.due), x.of.id)
			if x.sighting != "" && err == nil {
				err = lite.Exec(c, "UPDATE sum SET sighting = ?, modified = ?, dirty = CASE WHEN count = ? THEN 0 ELSE 1 END WHERE id = ?", nil, x.sighting, lite.PackTime(x.modified), x.of.count, x.of.id)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// raise adds to a sum what its sighting says beyond it, and has it begin and end as s does.
func (t *told) raise(s *sum, more int64) error {
	return t.do(func(c *zs.Conn) error {
		return lite.Exec(c, "UPDATE sum SET count = min(count + ?, 9007199254740991), first = min(first, ?), last = max(last, ?), began = ? WHERE id = ?", nil, more, lite.PackTime(s.first), lite.PackTime(s.last),
			lite.PackTime(s.began), s.id)
	})
}

// any tells whether anything was reported.
func (t *told) any() (found bool, err error) {
	err = t.read(func(c *zs.Conn) error {
		n, err := lite.Number(c, "SELECT EXISTS(SELECT 1 FROM sum)")
		found = n > 0
		return err
	})
	return found, err
}

// sources are some of those that reports are of, in order.
func (t *told) sources(after string, limit int) (out []string, err error) {
	err = t.read(func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT DISTINCT source FROM sum WHERE source > ? ORDER BY source LIMIT ?", func(st *zs.Stmt) error { out = append(out, st.ColumnText(0)); return nil }, after, limit)
	})
	return out, err
}

// tidy forgets some of what is older than it need be known, and some of the oldest of what is too much. It tells whether there is more.
func (t *told) tidy(now time.Time, keep time.Duration, most int) (forgot int64, more bool, err error) {
	err = t.do(func(c *zs.Conn) error {
		forgot, more = 0, false
		before := lite.PackTime(now.Add(-keep))
		drop := func(where string, args ...any) (int, error) {
			err := lite.Exec(c, "DELETE FROM report WHERE (party, id) IN (SELECT party, id FROM report WHERE "+where+")", nil, args...)
			n := c.Changes()
			if err == nil && n > 0 {
				err = count(c, -n)
			}
			return n, err
		}
		old, err := drop("at < ? ORDER BY at LIMIT ?", before, step)
		if err != nil {
			return err
		}
		has, err := lite.Number(c, "SELECT n FROM many WHERE name = 'report'")
		if err != nil {
			return err
		}
		if over := has - int64(most); over > 0 {
			n, err := drop("TRUE ORDER BY at LIMIT ?", min(over, step))
			if err != nil {
				return err
			}
			forgot = int64(n)
		}
		err = lite.Exec(c, "DELETE FROM sum WHERE id IN (SELECT id FROM sum WHERE at < ? ORDER BY at LIMIT ?)", nil, before, step)
		more = old == step || forgot == step || c.Changes() == step
		return err
	})
	return forgot, more, err
}

// forget destroys what was reported of sources.
func (t *told) forget(sources []string) error {
	if len(sources) == 0 {
		return nil
	}
	err := t.do(func(c *zs.Conn) error {
		for _, id := range sources {
			if err := lite.Exec(c, "DELETE FROM sum WHERE source = ?", nil, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.read(truncateLog)
}

// setHealth keeps what a sensor said of itself.
func (t *told) setHealth(of string, at time.Time, body []byte) error {
	return t.do(func(c *zs.Conn) error {
		return lite.Exec(c, "INSERT INTO health(sensor, at, body) VALUES(?1, ?2, ?3) ON CONFLICT(sensor) DO UPDATE SET at = ?2, body = ?3", nil, of, lite.PackTime(at), body)
	})
}

// health is what a sensor said of itself last, and when; the zero time: nothing yet.
func (t *told) health(of string) (at time.Time, h sensor.Health, err error) {
	err = t.read(func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT at, body FROM health WHERE sensor = ?", func(st *zs.Stmt) error {
			at = lite.UnpackTime(st.ColumnInt64(0))
			return json.Unmarshal(lite.Blob(st, 1), &h)
		}, of)
	})
	return at, h, err
}
