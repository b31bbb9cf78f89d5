package sqlite

import (
	"fmt"
	"strings"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
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
		case int:
			st.BindInt64(i+1, int64(v))
		case int64:
			st.BindInt64(i+1, v)
		case string:
			st.BindText(i+1, v)
		case []byte:
			st.BindBytes(i+1, v)
		default:
			return fmt.Errorf("no binding for %T", a)
		}
	}
	defer func() {
		if e := st.Reset(); err == nil {
			err = e
		}
	}()
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

func pragma(c *zs.Conn, name string) (int64, error) {
	st, _, err := c.PrepareTransient("PRAGMA " + name)
	if err != nil {
		return 0, err
	}
	defer st.Finalize()
	if _, err := st.Step(); err != nil {
		return 0, err
	}
	return st.ColumnInt64(0), nil
}

// script runs several statements one by one, outside any transaction of its own.
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
			if e := st.Finalize(); err == nil {
				err = e
			}
		}
		if err != nil {
			return err
		}
		text = text[len(text)-rest:]
	}
	return nil
}

// blob copies a column.
func blob(st *zs.Stmt, col int) []byte {
	n := st.ColumnLen(col)
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	st.ColumnBytes(col, b)
	return b
}

// openConn opens one connection. cache is in KiB.
func openConn(path string, write bool, cache int, maxPages int64) (*zs.Conn, error) {
	flags := zs.OpenReadWrite
	if write {
		flags |= zs.OpenCreate
	}
	c, err := zs.OpenConn(path, flags)
	if err != nil {
		return nil, err
	}
	c.SetBusyTimeout(busyTimeout)
	set := fmt.Sprintf("PRAGMA cache_size=-%d; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;", cache)
	if write {
		set += fmt.Sprintf("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=%d;", walKept)
		if maxPages > 0 {
			set += fmt.Sprintf("PRAGMA max_page_count=%d;", maxPages)
		}
	} else {
		set += "PRAGMA query_only=ON;"
	}
	if err := script(c, set); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// savepoint runs f so that its changes are undone when it fails.
func savepoint(c *zs.Conn, f func() error) (err error) {
	release := sqlitex.Save(c)
	defer release(&err)
	return f()
}
