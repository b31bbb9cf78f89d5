package ledger

import (
	"context"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
)

// Envelope is what a leaf of an own log stands for; nil: it was destroyed.
func (l *Ledger) Envelope(ctx context.Context, origin string, index uint64) (envelope []byte, err error) {
	err = l.read(ctx, "reading a log", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil {
			return err
		}
		if !g.Own || index >= g.Size {
			return fault.New(fault.NotFound, "ledger.log", "there is no such leaf").At(origin)
		}
		return lite.Exec(c, "SELECT envelope FROM leaf WHERE pos = ?", func(st *zs.Stmt) error { envelope = lite.Blob(st, 0); return nil }, position(g.id, index))
	})
	return envelope, err
}
