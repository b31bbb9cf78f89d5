package sqlite

import (
	"fmt"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/lite"
	"zombiezen.com/go/sqlite/sqlitex"
)

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
	if err := lite.Script(c, set); err != nil {
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
