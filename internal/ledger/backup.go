package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"path/filepath"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
)

// Backup writes one consistent state of the ledger as a SQLite file, its secret too.
func (l *Ledger) Backup(ctx context.Context, w io.Writer) error {
	if !l.copying.TryRLock() {
		return fault.New(fault.Unavailable, "ledger.busy", "a purge is at work").After(time.Minute).Try("begin the backup when it has ended")
	}
	defer l.copying.RUnlock()
	var err error // what w says is no failure of the ledger's
	if failed := l.read(ctx, "reading the ledger for a backup", func(c *zs.Conn) error { err = room.Backup(ctx, c, w, nil); return nil }); failed != nil {
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
	return room.Restore(ctx, r, filepath.Join(dir, fileName), retireAll)
}

func retireAll(c *zs.Conn) error {
	version, err := lite.Number(c, "PRAGMA user_version")
	if err != nil || version < 1 || version > schemaVersion {
		return errors.Join(err, fault.New(fault.Invalid, "ledger.schema", "schema %d", version))
	}
	return lite.Script(c, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; UPDATE log SET retired = 1 WHERE own = 1; INSERT OR REPLACE INTO meta VALUES('restored', '"+rand.Text()+"');")
}
