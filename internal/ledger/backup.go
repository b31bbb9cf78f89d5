package ledger

import (
	"bufio"
	"context"
	"crypto/rand"
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

// Backup writes one consistent state of the ledger as a SQLite file, its secret too.
func (l *Ledger) Backup(ctx context.Context, w io.Writer) error {
	if !l.copying.TryRLock() {
		return fault.New(fault.Unavailable, "ledger.busy", "a purge is at work").After(time.Minute).Try("begin the backup when it has ended")
	}
	defer l.copying.RUnlock()
	out := bufio.NewWriterSize(w, 1<<20)
	var failed error // of w: not the ledger's
	err := l.read(ctx, "reading the ledger for a backup", func(c *zs.Conn) error {
		page := make([]byte, pageSize)
		return lite.Exec(c, "SELECT data FROM sqlite_dbpage ORDER BY pgno", func(st *zs.Stmt) error {
			if st.ColumnBytes(0, page) != pageSize {
				return fault.New(fault.Internal, "ledger.backup", "a page has another size than %d", pageSize)
			}
			if _, failed = out.Write(page); failed == nil {
				failed = ctx.Err()
			}
			return failed
		})
	})
	if failed == nil && err == nil {
		failed = out.Flush()
	}
	if failed != nil {
		return failed
	}
	return err
}

// Restore makes a ledger in dir from a backup, after checking it. It never overwrites one. Every own log is retired: partners may know leaves that the
// backup does not have, and a log that became smaller would look like one that lies. New epochs begin by themselves, under names that no
// log had: one that was begun after the backup is not known here, and must not begin again either.
func Restore(ctx context.Context, r io.Reader, dir string) (err error) {
	lock, err := lite.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return room.Wrap("restoring the ledger", err)
	}
	defer lock.Close()
	path := filepath.Join(dir, fileName)
	part := path + ".part"
	for _, name := range [...]string{path, path + "-wal", path + "-journal"} {
		if _, err := os.Lstat(name); err == nil {
			return fault.New(fault.Conflict, "ledger.exists", "there is a ledger already, or a part of one").At(name).Try("restore into an empty directory")
		}
	}
	defer func() {
		if err != nil {
			for _, name := range [...]string{part, part + "-wal", part + "-shm", part + "-journal"} {
				_ = os.Remove(name) // what is left is swept by the next attempt
			}
		}
	}()
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return room.Wrap("restoring the ledger", err)
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Sync(), f.Close(), ctx.Err()); err != nil {
		return room.Wrap("restoring the ledger", err)
	}
	if err := retireAll(part); err != nil {
		return fault.New(fault.Invalid, "ledger.backup", "this is no sound backup of a ledger").Try("use another backup").Because(err)
	}
	if err := os.Rename(part, path); err != nil {
		return room.Wrap("restoring the ledger", err)
	}
	return room.Wrap("restoring the ledger", disk.Sync(dir))
}

func retireAll(path string) (err error) {
	c, err := zs.OpenConn(path, zs.OpenReadWrite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	said := ""
	err = lite.Exec(c, "PRAGMA integrity_check(1)", func(st *zs.Stmt) error { said = st.ColumnText(0); return nil })
	if err != nil || said != "ok" {
		return errors.Join(err, errors.New(said))
	}
	version, err := lite.Number(c, "PRAGMA user_version")
	if err != nil || version < 1 || version > schemaVersion {
		return errors.Join(err, fault.New(fault.Invalid, "ledger.schema", "schema %d", version))
	}
	return lite.Script(c, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; UPDATE log SET retired = 1 WHERE own = 1; INSERT OR REPLACE INTO meta VALUES('restored', '"+rand.Text()+"');")
}
