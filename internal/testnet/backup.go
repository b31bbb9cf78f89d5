package testnet

import (
	"bytes"
	"context"
	"os"
	"path/filepath"

	"entente/internal/ledger"
	"entente/internal/store/sqlite"
)

// Backup is what a nation has written down at one time, as a node's backup has it.
type Backup struct{ ledger, store []byte }

// Backup writes ledger and store down.
func (n *Nation) Backup() Backup {
	n.net.t.Helper()
	var logs, db bytes.Buffer
	must(n.net.t, n.Ledger.Backup(context.Background(), &logs))
	must(n.net.t, n.db.Backup(context.Background(), &db, nil))
	return Backup{logs.Bytes(), db.Bytes()}
}

// Restore stops the nation, loses all that it has, and brings it back to a backup. Start goes on.
func (n *Nation) Restore(b Backup) {
	n.net.t.Helper()
	n.Stop()
	for _, folder := range []string{"/store", "/ledger"} {
		must(n.net.t, os.RemoveAll(filepath.Join(n.dir, folder)))
		must(n.net.t, os.MkdirAll(filepath.Join(n.dir, folder), 0o700))
	}
	must(n.net.t, sqlite.Restore(context.Background(), bytes.NewReader(b.store), n.dir+"/store"))
	must(n.net.t, ledger.Restore(context.Background(), bytes.NewReader(b.ledger), n.dir+"/ledger"))
}
