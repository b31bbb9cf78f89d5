package detect

import (
	"errors"
	"os"
	"sync"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
)

// file is an SQLite file of this room, with one connection, of which one uses it at a time.
type file struct {
	path string
	mu   sync.Mutex
	c    *zs.Conn
}

var errWriting = errors.New("the file cannot be written")

// open opens the file, and makes it where it is missing.
func (x *file) open(synchronous, schema string, version int64) error {
	f, err := os.OpenFile(x.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return errors.Join(errWriting, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	c, err := zs.OpenConn(x.path, zs.OpenReadWrite|zs.OpenCreate)
	if err != nil {
		return err
	}
	err = lite.Script(c, `PRAGMA cache_size=-65536; PRAGMA journal_mode=WAL; PRAGMA secure_delete=ON; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;
		PRAGMA wal_autocheckpoint=16384; PRAGMA journal_size_limit=67108864; PRAGMA synchronous=`+synchronous)
	var has int64
	if err == nil {
		has, err = lite.Number(c, "PRAGMA user_version")
	}
	switch {
	case err == nil && has == 0:
		err = lite.Transact(c, func() error { return lite.Script(c, schema+"PRAGMA user_version="+number(version)) })
	case err == nil && has != version:
		err = fault.New(fault.Unsupported, "detection.version", "%s is of version %d, and this program knows %d", x.path, has, version)
	}
	if err != nil {
		return errors.Join(err, c.Close())
	}
	x.c = c
	return nil
}

func (x *file) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.c == nil {
		return nil
	}
	err := x.c.Close()
	x.c = nil
	return err
}

// do runs f alone, in a transaction.
func (x *file) do(f func(c *zs.Conn) error) error {
	return x.read(func(c *zs.Conn) error { return lite.Transact(c, func() error { return f(c) }) })
}

// read runs f alone.
func (x *file) read(f func(c *zs.Conn) error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.c == nil {
		return room.Closed()
	}
	return f(x.c)
}
