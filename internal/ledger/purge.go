package ledger

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
	"entente/peer"
)

// Purged is what a purge did.
type Purged struct {
	Leaves   []Place // of own logs, whose envelopes and salts are gone
	Held     int     // leaves of others' logs that no longer say which object they are about
	Bytes    int64   // destroyed
	Searched int64   // bytes of files that were searched for what is gone
	Vacuumed bool
}

// Purge destroys what the ledger holds of the objects: envelopes and salts of own logs, and the ids by which it finds them. The leaves stay, and every
// proof holds as before; and so do the orders to retract and to purge, which name nothing and which somebody may still have to read: whoever knows the id finds them
// by a keyed hash of it. It returns when no file of the ledger holds a piece of what is gone. Orders to others must be in the logs already.
func (l *Ledger) Purge(ctx context.Context, objects ...string) (p Purged, err error) {
	l.purging.Lock()
	defer l.purging.Unlock()
	if !l.copying.TryLock() {
		return p, fault.New(fault.Unavailable, "ledger.busy", "a backup reads what the purge would destroy").After(time.Minute).Try("purge again when the backup has ended")
	}
	defer l.copying.Unlock()
	for _, o := range objects {
		if len(o) < 8 {
			return p, fault.New(fault.Invalid, "ledger.purge", "a purge names its objects by their whole ids").At("objects")
		}
	}
	err = l.alone(ctx, "purging", func(c *zs.Conn) error {
		var gone lite.Traces
		unfinished, err := lite.Number(c, "SELECT value FROM meta WHERE name = 'scrub'")
		if err != nil {
			return err
		}
		err = lite.Transact(c, func() error {
			for _, o := range objects {
				if err := purge(c, o, l.blind(o), &gone, &p); err != nil {
					return err
				}
			}
			return lite.Exec(c, "INSERT OR REPLACE INTO meta VALUES('scrub', 1)", nil)
		})
		if err != nil {
			return err
		}
		return l.scrub(c, &gone, unfinished != 0, &p)
	})
	return p, err
}

// blind stands for the id of an object that was purged.
func (l *Ledger) blind(object string) string {
	h := hmac.New(sha256.New, l.secret)
	h.Write([]byte("purged\x00" + object))
	return "~" + hex.EncodeToString(h.Sum(nil)[:16])
}

func purge(c *zs.Conn, object, blind string, gone *lite.Traces, p *Purged) error {
	gone.Add([]byte(object))
	var out []int64
	err := lite.Exec(c, "SELECT g.origin, o.pos, o.version, f.salt, f.envelope, f.leaf FROM out o JOIN leaf f ON f.pos = o.pos JOIN log g ON g.id = o.pos >> 40 WHERE o.object = ? ORDER BY o.pos", func(st *zs.Stmt) error {
		leaf, err := peer.ParseLeaf(lite.Blob(st, 5))
		if err != nil || leaf.Kind == peer.Retract || leaf.Kind == peer.Purge {
			return err
		}
		pos := st.ColumnInt64(1)
		_, index := split(pos)
		for _, b := range [][]byte{lite.Blob(st, 3), lite.Blob(st, 4)} {
			gone.Add(b)
			p.Bytes += int64(len(b))
		}
		out = append(out, pos)
		p.Leaves = append(p.Leaves, Place{Origin: st.ColumnText(0), Index: index, Version: st.ColumnText(2), Gone: true})
		return nil
	}, object)
	for _, pos := range out {
		if err == nil {
			err = lite.Exec(c, "UPDATE leaf SET salt = NULL, envelope = NULL WHERE pos = ?", nil, pos)
		}
		if err == nil {
			err = lite.Exec(c, "UPDATE out SET version = '' WHERE object = ? AND pos = ?", nil, object, pos)
		}
	}
	if err == nil {
		err = lite.Exec(c, "UPDATE out SET object = ? WHERE object = ?", nil, blind, object)
	}
	if err == nil {
		err = lite.Exec(c, "UPDATE held SET object = '' WHERE object = ?", nil, object)
		p.Held += c.Changes()
	}
	return err
}

// scrub makes sure that no file holds a trace of what is gone. Until it is done the ledger remembers that it must be.
func (l *Ledger) scrub(c *zs.Conn, gone *lite.Traces, rewrite bool, p *Purged) error {
	for try := 0; ; try++ {
		if rewrite {
			if err := lite.Exec(c, "VACUUM", nil); err != nil {
				return err
			}
			p.Vacuumed = true
		}
		if err := l.truncate(c); err != nil {
			return err
		}
		found, read, err := gone.Search(l.cfg.Dir, l.files)
		p.Searched += read
		if err != nil {
			return err
		}
		dead, err := gone.Lifeless(c, found, everyText)
		if err != nil {
			return err
		}
		if dead == 0 {
			return lite.Exec(c, "DELETE FROM meta WHERE name = 'scrub'", nil)
		}
		if rewrite || try > 0 {
			return fault.New(fault.Internal, "ledger.purge", "the objects are purged, but traces of them remain in the files of %s", l.cfg.Dir).
				Try("look for copies beside the ledger's own files, and purge again")
		}
		rewrite = true
	}
}

// rescrub completes a purge that was cut short.
func (l *Ledger) rescrub() error {
	pending, err := lite.Number(l.w, "SELECT value FROM meta WHERE name = 'scrub'")
	if err != nil || pending == 0 {
		return err
	}
	if err := lite.Exec(l.w, "VACUUM", nil); err != nil {
		return err
	}
	if err := lite.Exec(l.w, "PRAGMA wal_checkpoint(TRUNCATE)", nil); err != nil {
		return err
	}
	return lite.Exec(l.w, "DELETE FROM meta WHERE name = 'scrub'", nil)
}

// truncate empties the write-ahead log. Readers wait meanwhile.
func (l *Ledger) truncate(c *zs.Conn) error {
	var readers []*zs.Conn
	defer func() {
		for _, r := range readers {
			l.conns <- r
		}
	}()
	for range l.cfg.Readers {
		readers = append(readers, <-l.conns)
	}
	blocked := int64(0)
	err := lite.Exec(c, "PRAGMA wal_checkpoint(TRUNCATE)", func(st *zs.Stmt) error { blocked = st.ColumnInt64(0); return nil })
	if err == nil && blocked != 0 {
		err = fault.New(fault.Unavailable, "ledger.busy", "the log could not be emptied while others read it").After(time.Minute).Try("purge again")
	}
	return err
}

// everyText are the columns that hold bytes from outside.
var everyText = []string{"SELECT salt, envelope FROM leaf WHERE salt IS NOT NULL", "SELECT object FROM out", "SELECT object FROM held WHERE object <> ''", "SELECT envelope FROM pending",
	"SELECT receipt FROM outbox", "SELECT envelope FROM receipt", "SELECT note FROM cosigned", "SELECT org, accord, parties, note FROM log", "SELECT name, value FROM cursor"}
