package index

import (
	"errors"
	"fmt"
	"os"
	"strings"

	zs "zombiezen.com/go/sqlite"
)

// exec runs a prepared statement with integer, string, byte or nil arguments and hands every row to each, which may be nil.
func exec(c *zs.Conn, query string, each func(*zs.Stmt) error, args ...any) (err error) {
	st, err := c.Prepare(query)
	if err != nil {
		return err
	}
	for i, a := range args {
		switch v := a.(type) {
		case nil:
			st.BindNull(i + 1)
		case int64:
			st.BindInt64(i+1, v)
		case uint32:
			st.BindInt64(i+1, int64(v))
		case string:
			st.BindText(i+1, v)
		case []byte:
			st.BindBytes(i+1, v)
		default:
			return fmt.Errorf("no binding for %T", a)
		}
	}
	defer func() { err = errors.Join(err, st.Reset()) }()
	for {
		row, err := st.Step()
		if err != nil || !row {
			return err
		}
		if each != nil {
			if err := each(st); err != nil {
				return err
			}
		}
	}
}

// number is the first column of the first row, or 0.
func number(c *zs.Conn, query string, args ...any) (n int64, err error) {
	err = exec(c, query, func(st *zs.Stmt) error { n = st.ColumnInt64(0); return nil }, args...)
	return n, err
}

// script runs statements one by one, outside any transaction of its own.
func script(c *zs.Conn, text string) error {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		st, rest, err := c.PrepareTransient(text)
		if err != nil {
			return err
		}
		if st != nil {
			for row := true; row && err == nil; {
				row, err = st.Step()
			}
			if err = errors.Join(err, st.Finalize()); err != nil {
				return err
			}
		}
		text = text[len(text)-rest:]
	}
	return nil
}

// blob copies a column.
func blob(st *zs.Stmt, col int) []byte {
	b := make([]byte, st.ColumnLen(col))
	st.ColumnBytes(col, b)
	return b
}

// schemaVersion changes with everything that is stored: an index of another one is made anew from the journal.
const schemaVersion = 1

// A record's row is in doc under a number of its own, ascending as the journal does. text has the hashes of its words in order, for
// phrases. Words and values lead to the numbers by the blocks of segments, see segment.
const schema = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE mark(id INTEGER PRIMARY KEY, mark BLOB NOT NULL);
CREATE TABLE name(id INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE object(num INTEGER PRIMARY KEY, h INTEGER NOT NULL, id TEXT NOT NULL);
CREATE INDEX object_h ON object(h);
CREATE TABLE doc(n INTEGER PRIMARY KEY, rec INTEGER NOT NULL, obj INTEGER NOT NULL, mark INTEGER NOT NULL, type INTEGER NOT NULL,
	rel INTEGER NOT NULL, flags INTEGER NOT NULL, notbefore INTEGER NOT NULL, notafter INTEGER NOT NULL, place INTEGER NOT NULL,
	spec TEXT NOT NULL, ord TEXT NOT NULL, refs BLOB NOT NULL);
CREATE TABLE text(n INTEGER PRIMARY KEY, words BLOB NOT NULL);
CREATE TABLE segment(id INTEGER PRIMARY KEY, level INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL, dir BLOB NOT NULL);
CREATE TABLE block(id INTEGER PRIMARY KEY, data BLOB NOT NULL);
`

// openWriter opens the file for writing. Losing the last commits in a power failure is no loss: they are read again from the journal.
func openWriter(path string, cacheKiB int) (*zs.Conn, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // only the node's own account; SQLite gives its log the same mode
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	c, err := zs.OpenConn(path, zs.OpenReadWrite|zs.OpenCreate)
	if err != nil {
		return nil, err
	}
	err = script(c, fmt.Sprintf(`PRAGMA cache_size=-%d; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;
		PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA wal_autocheckpoint=8192; PRAGMA journal_size_limit=33554432;`, cacheKiB))
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func openReader(path string, cacheKiB int) (*zs.Conn, error) {
	c, err := zs.OpenConn(path, zs.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	if err := script(c, fmt.Sprintf("PRAGMA cache_size=-%d; PRAGMA trusted_schema=OFF; PRAGMA query_only=ON;", cacheKiB)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// transaction runs f, all or nothing.
func transaction(c *zs.Conn, f func() error) error {
	if err := exec(c, "BEGIN IMMEDIATE", nil); err != nil {
		return err
	}
	err := f()
	if err == nil {
		err = exec(c, "COMMIT", nil)
	}
	if err != nil && !c.AutocommitEnabled() {
		err = errors.Join(err, exec(c, "ROLLBACK", nil))
	}
	return err
}
