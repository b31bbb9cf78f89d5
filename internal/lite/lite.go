// Package lite is the little that every room with an SQLite file of its own needs: statements, scripts, columns, times.
package lite

import (
	"errors"
	"fmt"
	"strings"
	"time"

	zs "zombiezen.com/go/sqlite"
)

// Exec runs a prepared statement with integer, string, byte or nil arguments and hands every row to each, which may be nil.
func Exec(c *zs.Conn, query string, each func(*zs.Stmt) error, args ...any) (err error) {
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

// Transact runs f between BEGIN IMMEDIATE and COMMIT, and takes everything back when either fails.
func Transact(c *zs.Conn, f func() error) error {
	err := Exec(c, "BEGIN IMMEDIATE", nil)
	if err != nil {
		return err
	}
	if err = f(); err == nil {
		err = Exec(c, "COMMIT", nil)
	}
	if err != nil && !c.AutocommitEnabled() {
		err = errors.Join(err, Exec(c, "ROLLBACK", nil))
	}
	return err
}

// Number is the first column of the first row, or 0.
func Number(c *zs.Conn, query string, args ...any) (n int64, err error) {
	err = Exec(c, query, func(st *zs.Stmt) error { n = st.ColumnInt64(0); return nil }, args...)
	return n, err
}

// Script runs several statements one by one, outside any transaction of its own.
func Script(c *zs.Conn, text string) error {
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

// Blob copies a column; nil when it is empty.
func Blob(st *zs.Stmt, col int) []byte {
	n := st.ColumnLen(col)
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	st.ColumnBytes(col, b)
	return b
}

// PackTime is a time in microseconds since 1970; 0 is the zero time.
func PackTime(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// UnpackTime is the time that PackTime wrote.
func UnpackTime(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
