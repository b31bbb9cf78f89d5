package detect

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/sensor"
)

// lookedVersion changes with everything that stands in the file: one of another version is made anew.
const lookedVersion = 2

// A row of look is what a source has for the sensors of an organisation, at the place of its last change: so the rows in their order are the changes, each source once. One that is gone has neither
// change nor rule. How many there are stands in party and leftsum, since nobody may wait until millions are counted. rec leads from records to their objects, for when a record is gone.
const lookedSchema = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE word(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, uses INTEGER NOT NULL);
CREATE TABLE party(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch TEXT NOT NULL, key BLOB NOT NULL, seq INTEGER NOT NULL, rules INTEGER NOT NULL, floor INTEGER NOT NULL,
	sources INTEGER NOT NULL, ruled INTEGER NOT NULL, ended INTEGER NOT NULL);
CREATE TABLE look(party INTEGER NOT NULL, seq INTEGER NOT NULL, source BLOB NOT NULL, change BLOB, rule BLOB, until INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(party, seq)) WITHOUT ROWID;
CREATE UNIQUE INDEX look_source ON look(party, source);
CREATE INDEX look_until ON look(until) WHERE until > 0;
CREATE INDEX look_rule ON look(party) WHERE rule IS NOT NULL;
CREATE INDEX look_gone ON look(at) WHERE change IS NULL AND rule IS NULL;
CREATE TABLE left(party INTEGER NOT NULL, source TEXT NOT NULL, code TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY(party, source, code, kind, value)) WITHOUT ROWID;
CREATE TABLE leftsum(party INTEGER NOT NULL, code TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(party, code)) WITHOUT ROWID;
CREATE TABLE rec(rec INTEGER PRIMARY KEY, source BLOB NOT NULL);
`

// looked is the file of what is looked for.
type looked struct {
	file
	dir   string
	words *words
}

func openLooked(dir string) (*looked, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	l := &looked{file: file{path: filepath.Join(dir, "looked.db")}, dir: dir, words: newWords()}
	err := l.open("NORMAL", lookedSchema, lookedVersion)
	if err != nil && !errors.Is(err, errWriting) { // it can be made anew, whatever is wrong with it
		for _, ending := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(l.path + ending); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
		}
		err = l.open("NORMAL", lookedSchema, lookedVersion)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// do runs f alone, in a transaction. What is known of words does not outlive one that fails.
func (l *looked) do(f func(c *zs.Conn) error) error {
	return l.read(func(c *zs.Conn) error {
		err := lite.Transact(c, func() error { return f(c) })
		if err != nil {
			l.words.forget()
		}
		return err
	})
}

// table is how the table of an organisation stands.
type table struct {
	id    int64
	party gate.Party
	epoch string
	key   []byte
	seq   int64 // of the newest change
	rules int64 // of the newest change of a rule
	floor int64 // changes up to here may have been forgotten

	sources, ruled int64 // that stand in it
}

func (t *table) cursor() sensor.Cursor { return sensor.Cursor{Epoch: t.epoch, Seq: t.seq} }
func (t *table) etag() string          { return t.epoch + "." + number(t.rules) }

// tables lists those that there are.
func (l *looked) tables() (out []table, err error) {
	err = l.read(func(c *zs.Conn) error { out, err = tablesIn(c, ""); return err })
	return out, err
}

func tablesIn(c *zs.Conn, only string) (out []table, err error) {
	err = lite.Exec(c, "SELECT id, name, epoch, key, seq, rules, floor, sources, ruled FROM party WHERE (?1 = '' OR name = ?1) AND ended = 0 ORDER BY id", func(st *zs.Stmt) error {
		p, _ := gate.ParseParty(st.ColumnText(1))
		out = append(out, table{st.ColumnInt64(0), p, st.ColumnText(2), lite.Blob(st, 3), st.ColumnInt64(4), st.ColumnInt64(5), st.ColumnInt64(6), st.ColumnInt64(7), st.ColumnInt64(8)})
		return nil
	}, only)
	return out, err
}

// tableOf is the table of an organisation; NotFound before it has one.
func tableOf(c *zs.Conn, p gate.Party) (table, error) {
	found, err := tablesIn(c, p.String())
	if err == nil && len(found) == 0 {
		err = unknown("table")
	}
	if err != nil {
		return table{}, err
	}
	return found[0], nil
}

// begin makes sure that an organisation has a table, and tells whether it is new.
func (l *looked) begin(p gate.Party) (isNew bool, err error) {
	err = l.do(func(c *zs.Conn) error {
		_, err := tableOf(c, p)
		if fault.Of(err) != fault.NotFound {
			return err
		}
		var epoch [8]byte
		var key [32]byte
		rand.Read(epoch[:])
		rand.Read(key[:])
		isNew = true
		return lite.Exec(c, "INSERT INTO party(name, epoch, key, seq, rules, floor, sources, ruled, ended) VALUES(?, ?, ?, 0, 0, 0, 0, 0, 0)", nil, p.String(), hex.EncodeToString(epoch[:]), key[:])
	})
	return isNew, err
}

// end takes a table away, when nobody is left who uses it. What is in it is destroyed little by little.
func (l *looked) end(t *table) error {
	if err := os.Remove(l.snapshotPath(t)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return l.do(func(c *zs.Conn) error {
		return errors.Join(lite.Exec(c, "UPDATE party SET ended = 1, name = ? WHERE id = ?", nil, "ended "+number(t.id), t.id), lite.Exec(c, "DELETE FROM left WHERE party = ?", nil, t.id),
			lite.Exec(c, "DELETE FROM leftsum WHERE party = ?", nil, t.id))
	})
}

// clear destroys some of what is in tables that were taken away, and tells whether there is more.
func (l *looked) clear() (more bool, err error) {
	err = l.do(func(c *zs.Conn) error {
		id, err := lite.Number(c, "SELECT id FROM party WHERE ended = 1 LIMIT 1")
		if err != nil || id == 0 {
			return err
		}
		more = true
		last, rows := int64(0), 0
		err = lite.Exec(c, "SELECT seq, change FROM look WHERE party = ? ORDER BY seq LIMIT 5000", func(st *zs.Stmt) error {
			last, rows = st.ColumnInt64(0), rows+1
			return l.words.count(lite.Blob(st, 1), -1)
		}, id)
		switch {
		case err != nil:
			return err
		case rows == 0:
			return lite.Exec(c, "DELETE FROM party WHERE id = ?", nil, id)
		}
		return errors.Join(lite.Exec(c, "DELETE FROM look WHERE party = ? AND seq <= ?", nil, id, last), l.words.flush(c))
	})
	return more, err
}

// place is a number that the room keeps: how far it followed the journal, and the like.
func (l *looked) place(name string) (n int64, err error) {
	err = l.read(func(c *zs.Conn) error {
		n, err = lite.Number(c, "SELECT value FROM meta WHERE name = ?", name)
		return err
	})
	return n, err
}

func setPlace(c *zs.Conn, name string, v any) error {
	return lite.Exec(c, "INSERT INTO meta(name, value) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET value = ?2", nil, name, v)
}

// word is a text that the room keeps.
func (l *looked) word(name string) (s string, err error) {
	err = l.read(func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT value FROM meta WHERE name = ?", func(st *zs.Stmt) error { s = st.ColumnText(0); return nil }, name)
	})
	return s, err
}

// row is what one source has for one organisation. Neither change nor rule: it is gone.
type row struct {
	source string
	change *sensor.Change
	rule   *sensor.Rule
	left   []left
}

// left is what is not looked for, and why. Without a value it is all of the source.
type left struct{ code, kind, value, why string }

// put writes rows of a table as far as they are others than those that are there, and says how many were.
func (l *looked) put(c *zs.Conn, t *table, rows []row, now int64) (changed int, err error) {
	lefts := map[string]int64{}
	sources, ruled := t.sources, t.ruled
	for i := range rows {
		w := &rows[i]
		var change, rule []byte
		var until int64
		if w.change != nil {
			if change, err = l.words.pack(c, w.change); err != nil {
				return changed, err
			}
			until = lite.PackTime(w.change.Until)
		}
		if w.rule != nil {
			if rule, err = json.Marshal(w.rule, json.Deterministic(true)); err != nil {
				return changed, err
			}
			until = lite.PackTime(w.rule.Until)
		}
		if err := leave(c, t, w, lefts); err != nil {
			return changed, err
		}
		source := packSource(w.source)
		var was, wasRule []byte
		there := int64(0)
		err = lite.Exec(c, "SELECT seq, change, rule FROM look WHERE party = ? AND source = ?", func(st *zs.Stmt) error {
			there, was, wasRule = st.ColumnInt64(0), lite.Blob(st, 1), lite.Blob(st, 2)
			return nil
		}, t.id, source)
		if err != nil {
			return changed, err
		}
		if string(was) == string(change) && string(wasRule) == string(rule) { // also: it was not there, and is nothing
			continue
		}
		changed++
		t.seq++
		if wasRule != nil || rule != nil {
			t.rules = t.seq
		}
		t.sources += one(change) - one(was)
		t.ruled += one(rule) - one(wasRule)
		if err := errors.Join(l.words.count(was, -1), l.words.count(change, 1)); err != nil {
			return changed, err
		}
		if there != 0 {
			if err := lite.Exec(c, "DELETE FROM look WHERE party = ? AND seq = ?", nil, t.id, there); err != nil {
				return changed, err
			}
		}
		err = lite.Exec(c, "INSERT INTO look(party, seq, source, change, rule, until, at) VALUES(?, ?, ?, ?, ?, ?, ?)", nil, t.id, t.seq, source, blob(change), blob(rule), until, now)
		if err != nil {
			return changed, err
		}
	}
	for code, n := range lefts {
		if err := lite.Exec(c, "INSERT INTO leftsum(party, code, n) VALUES(?1, ?2, ?3) ON CONFLICT(party, code) DO UPDATE SET n = n + ?3", nil, t.id, code, n); err != nil {
			return changed, err
		}
	}
	if changed == 0 && sources == t.sources && ruled == t.ruled {
		return 0, nil
	}
	return changed, errors.Join(l.words.flush(c), lite.Exec(c, "UPDATE party SET seq = ?, rules = ?, sources = ?, ruled = ? WHERE id = ?", nil, t.seq, t.rules, t.sources, t.ruled, t.id))
}

// leave writes down what of a source is not looked for, in the place of what was, and counts it.
func leave(c *zs.Conn, t *table, w *row, sums map[string]int64) error {
	had := false
	err := lite.Exec(c, "SELECT code FROM left WHERE party = ? AND source = ?", func(st *zs.Stmt) error {
		had = true
		sums[st.ColumnText(0)]--
		return nil
	}, t.id, w.source)
	if err == nil && had {
		err = lite.Exec(c, "DELETE FROM left WHERE party = ? AND source = ?", nil, t.id, w.source)
	}
	if err != nil {
		return err
	}
	for _, l := range w.left {
		if err := lite.Exec(c, "INSERT OR IGNORE INTO left(party, source, code, kind, value, why) VALUES(?, ?, ?, ?, ?, ?)", nil, t.id, w.source, l.code, l.kind, l.value, l.why); err != nil {
			return err
		}
		sums[l.code] += int64(c.Changes())
	}
	return nil
}

// one counts what is there.
func one(b []byte) int64 {
	if b == nil {
		return 0
	}
	return 1
}

// blob is NULL where there is nothing.
func blob(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// note remembers which object a record is a version of.
func note(c *zs.Conn, rec record.Seq, source string) error {
	return lite.Exec(c, "INSERT OR REPLACE INTO rec(rec, source) VALUES(?, ?)", nil, int64(rec), packSource(source))
}

// sourceOf is the object that a record is a version of; empty: one that nobody looks for.
func (l *looked) sourceOf(rec record.Seq) (source string, err error) {
	err = l.read(func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT source FROM rec WHERE rec = ?", func(st *zs.Stmt) error { source = sourceAt(st, 0); return nil }, int64(rec))
	})
	return source, err
}

// given are those of some sources that the sensors of an organisation were given to look for, now or lately.
func (l *looked) given(p gate.Party, sources map[string]bool) error {
	return l.read(func(c *zs.Conn) error {
		t, err := tableOf(c, p)
		if fault.Of(err) == fault.NotFound {
			return nil
		}
		for id := range sources {
			if err != nil {
				return err
			}
			var n int64
			n, err = lite.Number(c, "SELECT EXISTS(SELECT 1 FROM look WHERE party = ? AND source = ?)", t.id, packSource(id))
			sources[id] = n > 0
		}
		return err
	})
}
