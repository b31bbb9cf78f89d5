package sqlite

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
)

// Backup implements store.Store. It writes one consistent state as a SQLite file, with everything in it, the store's secret too.
func (s *Store) Backup(ctx context.Context, w io.Writer, progress func(done, total int64)) (err error) {
	if !s.copying.TryRLock() {
		return fault.New(fault.Unavailable, "store.busy", "a purge is at work").After(time.Minute).Try("begin the backup when it has ended")
	}
	defer s.copying.RUnlock()
	select {
	case <-s.stop:
		return room.Closed()
	default:
	}
	c, err := openConn(s.path, false, 2048, 0)
	if err != nil {
		return room.Wrap("opening a backup", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := lite.Exec(c, "BEGIN", nil); err != nil {
		return room.Wrap("beginning a backup", err)
	}
	return room.Backup(ctx, c, w, progress)
}

// Restore makes a store in dir from a backup, after checking the whole of it. It never overwrites a store.
func Restore(ctx context.Context, r io.Reader, dir string) (err error) {
	lock, err := lite.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return room.Wrap("restoring", err)
	}
	defer lock.Close()
	if err := sweep(dir); err != nil {
		return room.Wrap("restoring", err)
	}
	return room.Restore(ctx, r, filepath.Join(dir, fileName), known)
}

// known tells whether a database has a schema that this program knows.
func known(c *zs.Conn) error {
	version, err := pragma(c, "user_version")
	if err != nil {
		return err
	}
	if version < 1 || int(version) > len(migrations)+1 {
		return fault.New(fault.Invalid, "store.schema", "schema %d", version)
	}
	return nil
}
