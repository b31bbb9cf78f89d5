package ledger

import (
	"context"
	"io"
	"time"

	zs "zombiezen.com/go/sqlite"

	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/lite"
	"entente/peer"
)

// Cursor is how far a follower is.
type Cursor struct {
	Name  string
	Value []byte
}

// Entry is one leaf to add to an own log. Of the leaf, the commitment and the bucket are made here.
type Entry struct {
	Origin   string
	Leaf     peer.Leaf
	Envelope []byte
	Object   string // id, so that orders and a purge find it; empty: none
	Version  string
}

// Place is where something stands.
type Place struct {
	Origin  string
	Index   uint64
	Version string
	Leaf    peer.Leaf
	Gone    bool // envelope and salt were destroyed
	Refused bool // by a party
}

// Append adds entries to own logs, in their order, and moves the cursor with them: all of it or nothing. The name of the cursor may be empty.
func (l *Ledger) Append(ctx context.Context, cursor Cursor, entries ...Entry) (places []Place, err error) {
	return l.grow(ctx, cursor, nil, entries)
}

// Seal is what a checkpoint is signed with.
type Seal struct {
	Now time.Time
	Key dsse.Notary
}

// AppendSigned is Append and Sign in one: what was added is never there without a checkpoint.
func (l *Ledger) AppendSigned(ctx context.Context, cursor Cursor, seal Seal, entries ...Entry) (places []Place, err error) {
	if places, err = l.grow(ctx, cursor, &seal, entries); err == nil {
		l.wake()
	}
	return places, err
}

func (l *Ledger) grow(ctx context.Context, cursor Cursor, seal *Seal, entries []Entry) (places []Place, err error) {
	err = l.write(ctx, "adding to logs", func(c *zs.Conn) error {
		places = make([]Place, 0, len(entries))
		logs := map[string]*Log{}
		for i := range entries {
			e := &entries[i]
			g := logs[e.Origin]
			if g == nil {
				found, err := findLog(c, e.Origin)
				if err != nil {
					return err
				}
				if !found.Own || found.Retired {
					return fault.New(fault.Conflict, "ledger.closed", "nothing can be added to this log").At(e.Origin)
				}
				g = &found
				logs[e.Origin] = g
			}
			p, err := l.add(c, g, e)
			if err != nil {
				return err
			}
			places = append(places, p)
		}
		for _, g := range logs {
			if err := lite.Exec(c, "UPDATE log SET size = ?, edge = ? WHERE id = ?", nil, int64(g.edge.Size), packEdge(&g.edge), g.id); err != nil {
				return err
			}
			if seal != nil {
				if _, err := signOwn(c, g.Origin, *seal); err != nil {
					return err
				}
			}
		}
		return setCursor(c, cursor)
	})
	if err != nil {
		places = nil
	}
	return places, err
}

func (l *Ledger) add(c *zs.Conn, g *Log, e *Entry) (p Place, err error) {
	f := peer.Frame{Leaf: e.Leaf, Envelope: e.Envelope}
	if len(e.Envelope) > l.cfg.Limits.Envelope {
		return p, fault.New(fault.TooLarge, "ledger.envelope", "an envelope has %d bytes, more than %d", len(e.Envelope), l.cfg.Limits.Envelope)
	}
	if _, err := io.ReadFull(l.cfg.Rand, f.Salt[:]); err != nil {
		return p, err
	}
	f.Leaf.Commit, f.Leaf.Bucket = peer.Commit(f.Salt, e.Envelope), peer.Padme(uint64(len(e.Envelope)))
	raw := f.Leaf.Append(nil)
	if _, err := peer.ParseLeaf(raw); err != nil {
		return p, fault.New(fault.Invalid, "ledger.leaf", "this is no leaf").Because(err)
	}
	index := g.edge.Size
	if err := f.Check(); err != nil || f.Leaf.Target > index || index >= maxIndex/2 {
		return p, fault.New(fault.Invalid, "ledger.leaf", "this leaf cannot follow").At(g.Origin).Because(err)
	}
	pos := position(g.id, index)
	if err := lite.Exec(c, "INSERT INTO leaf VALUES(?,?,?,?)", nil, pos, raw, f.Salt[:], e.Envelope); err != nil {
		return p, err
	}
	at := tlog.StoredHashIndex(0, int64(index))
	g.edge.Add(f.Leaf.Hash(), func(h tlog.Hash) {
		if err == nil {
			err = lite.Exec(c, "INSERT INTO hash VALUES(?,?)", nil, position(g.id, uint64(at)), h[:])
		}
		at++
	})
	if err == nil && e.Object != "" {
		err = lite.Exec(c, "INSERT INTO out VALUES(?,?,?)", nil, e.Object, pos, e.Version)
	}
	if err == nil {
		err = expires(c, &f.Leaf, pos)
	}
	return Place{Origin: g.Origin, Index: index, Version: e.Version, Leaf: f.Leaf}, err
}

func setCursor(c *zs.Conn, cursor Cursor) error {
	if cursor.Name == "" {
		return nil
	}
	return lite.Exec(c, "INSERT OR REPLACE INTO cursor VALUES(?,?)", nil, cursor.Name, cursor.Value)
}

// Cursor gives a follower's cursor; nil when it has none.
func (l *Ledger) Cursor(ctx context.Context, name string) (value []byte, err error) {
	err = l.read(ctx, "reading a cursor", func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT value FROM cursor WHERE name = ?", func(st *zs.Stmt) error { value = lite.Blob(st, 0); return nil }, name)
	})
	return value, err
}

// SetCursor moves a cursor when there is nothing else to keep with it.
func (l *Ledger) SetCursor(ctx context.Context, cursor Cursor) error {
	return l.write(ctx, "moving a cursor", func(c *zs.Conn) error { return setCursor(c, cursor) })
}

// Sign signs the state of an own log. Its time never goes back, whatever the clock does.
func (l *Ledger) Sign(ctx context.Context, origin string, now time.Time, s dsse.Notary) (out peer.Checkpoint, err error) {
	err = l.write(ctx, "signing a checkpoint", func(c *zs.Conn) (err error) { out, err = signOwn(c, origin, Seal{now, s}); return err })
	if err == nil {
		l.wake()
	}
	return out, err
}

func signOwn(c *zs.Conn, origin string, seal Seal) (out peer.Checkpoint, err error) {
	g, err := findLog(c, origin)
	if err != nil {
		return out, err
	}
	if !g.Own {
		return out, fault.New(fault.Conflict, "ledger.closed", "another's log is not signed here").At(origin)
	}
	out = peer.Checkpoint{Origin: origin, Size: g.Size, Root: g.Root, Time: seal.Now.Truncate(time.Second)}
	if out.Time.Before(g.Signed.Time) {
		out.Time = g.Signed.Time
	}
	note, err := peer.SignCheckpoint(out, seal.Key)
	if err == nil {
		err = lite.Exec(c, "UPDATE log SET note = ? WHERE id = ?", nil, note, g.id)
	}
	return out, err
}

// SignIdle signs anew every own log that is in use and was signed before a time: that its readers know that nothing was kept from them.
func (l *Ledger) SignIdle(ctx context.Context, before time.Time, seal Seal) (n int, err error) {
	err = l.write(ctx, "signing checkpoints", func(c *zs.Conn) error {
		var idle []string
		err := lite.Exec(c, "SELECT "+logColumns+" FROM log WHERE own = 1 AND retired = 0 AND size > 0", func(st *zs.Stmt) error {
			g, err := scanLog(st)
			if err == nil && (g.Signed.Time.Before(before) || g.Signed.Size < g.Size) {
				idle = append(idle, g.Origin)
			}
			return err
		})
		for _, origin := range idle {
			if err == nil {
				_, err = signOwn(c, origin, seal)
			}
		}
		n = len(idle)
		return err
	})
	if err == nil && n > 0 {
		l.wake()
	}
	return n, err
}

// Frames gives a part of an own log under its newest checkpoint: what a pull asks for.
func (l *Ledger) Frames(ctx context.Context, origin string, p peer.Pull) (b *peer.Batch, err error) {
	err = l.read(ctx, "reading a log", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil {
			return err
		}
		if !g.Own || g.Note == nil || p.From > g.Signed.Size || p.Known > g.Signed.Size {
			return fault.New(fault.NotFound, "ledger.log", "there is no such part of the log").At(origin)
		}
		frames := uint64(min(p.Frames, l.cfg.Limits.Frames))
		if p.Frames <= 0 {
			frames = uint64(l.cfg.Limits.Frames)
		}
		most := p.Bytes
		if most <= 0 {
			most = l.cfg.Limits.BatchBytes / 2
		}
		b = &peer.Batch{Origin: origin, From: p.From, Checkpoint: g.Note}
		last := min(p.From+frames, g.Signed.Size)
		total, full := int64(0), false
		err = lite.Exec(c, "SELECT leaf, salt, envelope FROM leaf WHERE pos >= ? AND pos < ? ORDER BY pos", func(st *zs.Stmt) error {
			f, err := scanFrame(st)
			if err != nil {
				return err
			}
			if total += int64(peer.LeafSize + 20 + len(f.Envelope)); full || total > most && len(b.Frames) > 0 {
				full = true
				return errEnough
			}
			b.Frames = append(b.Frames, f)
			return nil
		}, position(g.id, p.From), position(g.id, last))
		if err != nil && !full {
			return err
		}
		r := hashes(c, g.id)
		if b.Leads, err = peer.Prove(b.End(), g.Signed.Size, r); err == nil && p.Known > 0 {
			b.Grows, err = peer.Prove(p.Known, g.Signed.Size, r)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// errEnough ends a scan.
var errEnough = fault.New(fault.Internal, "ledger", "the scan was ended")

func scanFrame(st *zs.Stmt) (f peer.Frame, err error) {
	if f.Leaf, err = peer.ParseLeaf(lite.Blob(st, 0)); err != nil {
		return f, err
	}
	copy(f.Salt[:], lite.Blob(st, 1))
	f.Envelope = lite.Blob(st, 2)
	return f, nil
}

// hashes reads the stored hashes of a log.
func hashes(c *zs.Conn, log int64) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, n := range indexes {
			found := false
			err := lite.Exec(c, "SELECT hash FROM hash WHERE pos = ?", func(st *zs.Stmt) error { found = st.ColumnBytes(0, out[i][:]) == tlog.HashSize; return nil }, position(log, uint64(n)))
			if err == nil && !found {
				err = fault.New(fault.Internal, "ledger.hash", "a hash of the log is missing")
			}
			if err != nil {
				return nil, err
			}
		}
		return out, nil
	})
}

// Inclusion proves that a leaf of an own log stands under its newest checkpoint.
func (l *Ledger) Inclusion(ctx context.Context, origin string, index uint64) (c peer.Checkpoint, proof []tlog.Hash, err error) {
	err = l.read(ctx, "proving a leaf", func(conn *zs.Conn) error {
		g, err := findLog(conn, origin)
		if err != nil {
			return err
		}
		if !g.Own || index >= g.Signed.Size {
			return fault.New(fault.NotFound, "ledger.log", "there is no such leaf under a checkpoint").At(origin)
		}
		c = g.Signed
		proof, err = tlog.ProveRecord(int64(c.Size), int64(index), hashes(conn, g.id))
		return err
	})
	return c, proof, err
}

// Out says where an object went out, in all own logs, in the order of logs and leaves.
func (l *Ledger) Out(ctx context.Context, object string) (out []Place, err error) {
	err = l.read(ctx, "reading what went out", func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT g.origin, o.pos, o.version, f.leaf, f.salt IS NULL, EXISTS(SELECT 1 FROM act a WHERE a.pos = o.pos AND a.did = ?2) FROM out o JOIN leaf f ON f.pos = o.pos JOIN log g ON g.id = o.pos >> 40 WHERE o.object IN (?1, ?3) ORDER BY o.pos", func(st *zs.Stmt) error {
			leaf, err := peer.ParseLeaf(lite.Blob(st, 3))
			_, index := split(st.ColumnInt64(1))
			out = append(out, Place{Origin: st.ColumnText(0), Index: index, Version: st.ColumnText(2), Leaf: leaf, Gone: st.ColumnInt64(4) != 0, Refused: st.ColumnInt64(5) != 0})
			return err
		}, object, peer.DidRefuse, l.blind(object))
	})
	return out, err
}

// Object says which object a leaf of an own log is about; empty: none, or it was destroyed.
func (l *Ledger) Object(ctx context.Context, origin string, index uint64) (object string, err error) {
	if index > maxIndex {
		return "", nil
	}
	err = l.read(ctx, "reading what went out", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil {
			return err
		}
		return lite.Exec(c, "SELECT object FROM out WHERE pos = ?", func(st *zs.Stmt) error { object = st.ColumnText(0); return nil }, position(g.id, index))
	})
	return object, err
}
