package sqlite

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/disk"
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
	total, err := pragma(c, "page_count")
	if err != nil {
		return room.Wrap("beginning a backup", err)
	}
	out := bufio.NewWriterSize(w, 1<<20)
	page, done := make([]byte, pageSize), int64(0)
	var failed error // of w: not the store's
	err = lite.Exec(c, "SELECT data FROM sqlite_dbpage ORDER BY pgno", func(st *zs.Stmt) error {
		if st.ColumnBytes(0, page) != pageSize {
			return fault.New(fault.Internal, "store.backup", "a page has another size than %d", pageSize)
		}
		if _, failed = out.Write(page); failed != nil {
			return failed
		}
		if done++; done%256 == 0 || done == total {
			if failed = ctx.Err(); failed != nil {
				return failed
			}
			if progress != nil {
				progress(done*pageSize, total*pageSize)
			}
		}
		return nil
	})
	if err == nil {
		failed = out.Flush()
	}
	switch {
	case failed != nil:
		return failed
	case err == nil && done != total:
		return fault.New(fault.Internal, "store.backup", "read %d pages of %d", done, total)
	}
	return room.Wrap("reading the store for a backup", err)
}

// Restore makes a store in dir from a backup, after checking the whole of it. It never overwrites a store.
func Restore(ctx context.Context, r io.Reader, dir string) (err error) {
	lock, err := lite.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return room.Wrap("restoring", err)
	}
	defer lock.Close()
	path, part := filepath.Join(dir, fileName), filepath.Join(dir, fileName+".part-restore")
	for _, name := range [...]string{path, path + "-wal", path + "-journal"} { // a log that was left would be played into the restored file
		if _, err := os.Lstat(name); err == nil {
			return fault.New(fault.Conflict, "store.exists", "there is a store already, or a part of one").At(name).Try("restore into an empty directory")
		}
	}
	if err := sweep(dir); err != nil {
		return room.Wrap("restoring", err)
	}
	defer func() { err = errors.Join(err, sweep(dir)) }()
	if err := write(part, &reading{ctx, r}); err != nil {
		return room.Wrap("restoring", err)
	}
	if err := verify(part); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return room.Wrap("restoring", err)
	}
	return room.Wrap("restoring", disk.Sync(dir))
}

// reading ends with its context.
type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r *reading) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

func write(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}

// verify checks a backup: that it is a whole database of a schema this program knows.
func verify(path string) error {
	damaged := func(err error) error {
		return fault.New(fault.Invalid, "store.backup", "this is no sound backup of a store").Try("use another backup").Because(err)
	}
	c, err := zs.OpenConn(path, zs.OpenReadWrite)
	if err != nil {
		return damaged(err)
	}
	defer c.Close()
	version, err := pragma(c, "user_version")
	if err != nil {
		return damaged(err)
	}
	if version < 1 || int(version) > len(migrations)+1 {
		return damaged(fault.New(fault.Invalid, "store.schema", "schema %d", version))
	}
	var said []string
	err = lite.Exec(c, "PRAGMA integrity_check(5)", func(st *zs.Stmt) error { said = append(said, st.ColumnText(0)); return nil })
	if err != nil {
		return damaged(err)
	}
	if len(said) != 1 || said[0] != "ok" {
		return damaged(fault.New(fault.Invalid, "store.backup", "%q", said))
	}
	return nil
}
