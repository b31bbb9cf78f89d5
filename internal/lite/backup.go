package lite

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/disk"
	"entente/internal/fault"
)

// Backup writes a database as a file, page by page, as the transaction sees it that c has begun. What w says is returned as it is: it is no failure of the room's. Progress, which
// may be nil, is told of bytes.
func (r Room) Backup(ctx context.Context, c *zs.Conn, w io.Writer, progress func(done, total int64)) error {
	size, err := Number(c, "PRAGMA page_size")
	if err != nil {
		return r.Wrap("beginning a backup", err)
	}
	total, err := Number(c, "PRAGMA page_count")
	if err != nil {
		return r.Wrap("beginning a backup", err)
	}
	out := bufio.NewWriterSize(w, 1<<20)
	page, done := make([]byte, size), int64(0)
	var failed error // of w, or the context's end
	err = Exec(c, "SELECT data FROM sqlite_dbpage ORDER BY pgno", func(st *zs.Stmt) error {
		if int64(st.ColumnBytes(0, page)) != size {
			return fault.New(fault.Internal, string(r)+".backup", "a page has another size than %d", size)
		}
		if _, failed = out.Write(page); failed != nil {
			return failed
		}
		if done++; done%256 == 0 || done == total {
			if failed = ctx.Err(); failed != nil {
				return failed
			}
			if progress != nil {
				progress(done*size, total*size)
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
		return fault.New(fault.Internal, string(r)+".backup", "read %d pages of %d", done, total)
	}
	return r.Wrap("reading the "+string(r)+" for a backup", err)
}

// Restore puts what Backup wrote in the place of path, durably, after checking all of it; sound is shown it, and may change it or refuse it. Nothing is overwritten: where there is
// a database already, or its log, it is [fault.Conflict]. What is no backup is [fault.Invalid].
func (r Room) Restore(ctx context.Context, in io.Reader, path string, sound func(*zs.Conn) error) (err error) {
	for _, ending := range []string{"", "-wal", "-journal"} { // a log that was left would be played into the restored file
		if _, err := os.Lstat(path + ending); err == nil {
			return fault.New(fault.Conflict, string(r)+".exists", "the %s is there already, or a part of it", r).At(path + ending).Try("restore into an empty directory")
		}
	}
	part := path + ".part-restore"
	defer func() {
		if err != nil {
			for _, ending := range []string{"", "-wal", "-shm", "-journal"} {
				_ = os.Remove(part + ending) // what is left is no database, and the next attempt begins it anew
			}
		}
	}()
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return r.Wrap("restoring", err)
	}
	_, err = io.Copy(f, &reading{ctx, in})
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return r.Wrap("restoring", err)
	}
	if err := check(part, sound); err != nil {
		return fault.New(fault.Invalid, string(r)+".backup", "this is no sound backup of the %s", r).Try("use another backup").Because(err)
	}
	if err := os.Rename(part, path); err != nil {
		return r.Wrap("restoring", err)
	}
	return r.Wrap("restoring", disk.Sync(filepath.Dir(path)))
}

func check(path string, sound func(*zs.Conn) error) (err error) {
	c, err := zs.OpenConn(path, zs.OpenReadWrite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	var said []string
	err = Exec(c, "PRAGMA integrity_check(5)", func(st *zs.Stmt) error { said = append(said, st.ColumnText(0)); return nil })
	if err != nil {
		return err
	}
	if len(said) != 1 || said[0] != "ok" {
		return fault.New(fault.Invalid, "backup.damaged", "%q", said)
	}
	return sound(c)
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
