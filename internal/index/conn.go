package index

import (
	"errors"
	"fmt"
	"os"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/lite"
)

// schemaVersion changes with everything that is stored: an index of another one is made anew from the journal.
const schemaVersion = 2

// A record's row is in doc under a number of its own, ascending as the journal does. text has the hashes of its words in order, for
// phrases. Words and values lead to the numbers by the blocks of segments, see segment.
const schema = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE mark(id INTEGER PRIMARY KEY, mark BLOB NOT NULL);
CREATE TABLE name(id INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE object(num INTEGER PRIMARY KEY, hash INTEGER NOT NULL, id TEXT NOT NULL);
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
	err = lite.Script(c, fmt.Sprintf(`PRAGMA cache_size=-%d; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;
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
	if err := lite.Script(c, fmt.Sprintf("PRAGMA cache_size=-%d; PRAGMA trusted_schema=OFF; PRAGMA query_only=ON;", cacheKiB)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// transaction runs f, all or nothing.
func transaction(c *zs.Conn, f func() error) error {
	if err := lite.Exec(c, "BEGIN IMMEDIATE", nil); err != nil {
		return err
	}
	err := f()
	if err == nil {
		err = lite.Exec(c, "COMMIT", nil)
	}
	if err != nil && !c.AutocommitEnabled() {
		err = errors.Join(err, lite.Exec(c, "ROLLBACK", nil))
	}
	return err
}
