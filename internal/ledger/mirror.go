package ledger

import (
	"context"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
	"entente/peer"
)

// maxMirrors bounds the logs of one nation, which names them.
const maxMirrors = 10_000

// Mirror gives the verifier of another's log as it was left, and begins to remember the log when it is new. About says whose it is; Parties, Accord
// and Org may be empty until its first leaf tells them.
func (l *Ledger) Mirror(ctx context.Context, origin, nation string, about Identity) (v *peer.Verifier, err error) {
	if !peer.IsOrigin(origin) || nation == "" {
		return nil, fault.New(fault.Invalid, "ledger.log", "another's log has an origin and a nation").At(origin)
	}
	if g, e := l.Log(ctx, origin); e == nil && !g.Own && g.Nation == nation && (about.Accord == "" || g.Accord != "") { // nothing is to be written
		return peer.Resume(origin, peer.Memory{Edge: g.edge, Note: g.Note}, l.cfg.Limits)
	}
	err = l.write(ctx, "following a log", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if fault.Of(err) == fault.NotFound {
			n, e := lite.Number(c, "SELECT count(*) FROM log WHERE own = 0 AND nation = ?", nation)
			if e != nil {
				return e
			}
			if n >= maxMirrors {
				return fault.New(fault.TooLarge, "ledger.logs", "%s has %d logs here, and no more are followed", nation, n)
			}
			if err = lite.Exec(c, "INSERT INTO log(origin, own, nation, org, accord, parties, epoch, retired, size) VALUES(?, 0, ?, ?, ?, ?, 0, 0, 0)", nil, origin, nation, about.Org, about.Accord, joined(about.Parties)); err == nil {
				g, err = findLog(c, origin)
			}
		}
		switch {
		case err != nil:
			return err
		case g.Own || g.Nation != nation:
			return fault.New(fault.Conflict, "ledger.log", "this log is another's").At(origin)
		case about.Accord != "" && g.Accord == "":
			if err := lite.Exec(c, "UPDATE log SET org = ?, accord = ?, parties = ? WHERE id = ?", nil, about.Org, about.Accord, joined(about.Parties), g.id); err != nil {
				return err
			}
		}
		v, err = peer.Resume(origin, peer.Memory{Edge: g.edge, Note: g.Note}, l.cfg.Limits)
		return err
	})
	return v, err
}

// Taken is what became of one new frame of another's log.
type Taken struct {
	Frame   peer.Frame
	Object  string // id, so that orders find it; empty: none
	Version string // of the object; empty: it has none
	Did     string // peer.DidStore and so on
	Code    string // of a refusal or quarantine
	Wait    bool   // it is an order that is not carried out yet: see Orders
	Bare    bool   // nothing of it is kept, not even what became of it: only the log counts it
	Way     string // by which it came; empty: not known
	At      time.Time
}

// Extend keeps what a verifier took, with what became of it and the receipts to send: all of it or nothing. From is the size of the log before. When
// another has extended the log meanwhile it is a fault.Conflict, and the verifier is to be asked for anew.
func (l *Ledger) Extend(ctx context.Context, v *peer.Verifier, from uint64, taken []Taken, receipts ...[]byte) error {
	return l.write(ctx, "keeping a part of a log", func(c *zs.Conn) error {
		g, err := findLog(c, v.Origin)
		if err != nil {
			return err
		}
		m := v.Memory()
		if g.Own || g.Retired || g.Size != from || from+uint64(len(taken)) != m.Edge.Size || m.Edge.Size > maxIndex {
			return fault.New(fault.Conflict, "ledger.size", "the log has %d leaves, not %d", g.Size, from).At(v.Origin)
		}
		var raw [peer.LeafSize]byte
		for i := range taken {
			t := &taken[i]
			if t.Bare {
				continue
			}
			pos := position(g.id, from+uint64(i))
			if err := lite.Exec(c, "INSERT INTO held VALUES(?,?,?,?,?,?,?,?)", nil, pos, t.Frame.Leaf.Append(raw[:0]), t.Object, t.Version, t.Did, t.Code, t.Way, lite.PackTime(t.At)); err != nil {
				return err
			}
			if t.Object != "" {
				if err := expires(c, &t.Frame.Leaf, pos); err != nil {
					return err
				}
			}
			if t.Wait {
				if err := lite.Exec(c, "INSERT INTO pending VALUES(?,?)", nil, pos, t.Frame.Envelope); err != nil {
					return err
				}
			}
		}
		if err := refuse(c, &g, from, taken); err != nil {
			return err
		}
		if err := put(c, g.id, receipts); err != nil {
			return err
		}
		return lite.Exec(c, "UPDATE log SET size = ?, edge = ?, note = ? WHERE id = ?", nil, int64(m.Edge.Size), packEdge(&m.Edge), m.Note, g.id)
	})
}

func put(c *zs.Conn, log int64, receipts [][]byte) error {
	for _, r := range receipts {
		if err := lite.Exec(c, "INSERT INTO outbox(log, receipt) VALUES(?,?)", nil, log, r); err != nil {
			return err
		}
	}
	return nil
}

// Past is the root of another's log when it had a size, and the proof that the log as it was read since began with it.
func (l *Ledger) Past(ctx context.Context, origin string, size uint64) (root tlog.Hash, proof []tlog.Hash, err error) {
	err = l.read(ctx, "reading the past of a log", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil {
			return err
		}
		if g.Own || size == 0 || size > g.Size {
			return fault.New(fault.NotFound, "ledger.size", "the log was not read at %d leaves", size).At(origin)
		}
		tree := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) { // complete subtrees, each from its leaves
			for _, index := range at {
				level, n := tlog.SplitStoredHashIndex(index)
				var e peer.Edge
				first, last := uint64(n)<<level, uint64(n+1)<<level-1
				err = lite.Exec(c, "SELECT leaf FROM held WHERE pos BETWEEN ? AND ? ORDER BY pos", func(st *zs.Stmt) error {
					e.Add(tlog.RecordHash(lite.Blob(st, 0)), nil)
					return nil
				}, position(g.id, first), position(g.id, last))
				if err == nil && e.Size != last-first+1 {
					err = fault.New(fault.Internal, "ledger.leaf", "leaves of the log are missing").At(origin)
				}
				if err != nil {
					return nil, err
				}
				out = append(out, e.Root())
			}
			return out, nil
		})
		if root, err = peer.Root(size, tree); err == nil {
			proof, err = peer.Prove(size, g.Size, tree)
		}
		return err
	})
	return root, proof, err
}

// Stretch gives an own log or another's from an index to its newest checkpoint: the edge before the index, the leaves, and the signed note. It is fault.NotFound
// where the log was not read as far as it is signed, or does not reach the index.
func (l *Ledger) Stretch(ctx context.Context, origin string, from uint64, limit int) (before peer.Edge, leaves []peer.Leaf, note []byte, err error) {
	err = l.read(ctx, "reading a stretch of a log", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil {
			return err
		}
		if g.Note == nil || from >= g.Signed.Size || g.Signed.Size > g.Size || g.Signed.Size-from > uint64(limit) {
			return fault.New(fault.NotFound, "ledger.size", "the log cannot be shown from %d leaves on", from).At(origin)
		}
		table := "held"
		if g.Own {
			table = "leaf"
		}
		note = g.Note
		return lite.Exec(c, "SELECT leaf FROM "+table+" WHERE pos BETWEEN ? AND ? ORDER BY pos", func(st *zs.Stmt) error {
			leaf, err := peer.ParseLeaf(lite.Blob(st, 0))
			if before.Size < from {
				before.Add(leaf.Hash(), nil)
			} else {
				leaves = append(leaves, leaf)
			}
			return err
		}, position(g.id, 0), position(g.id, g.Signed.Size-1))
	})
	return before, leaves, note, err
}

// Held is a leaf of another's log and what became of it.
type Held struct {
	Origin  string
	Nation  string
	Index   uint64
	Leaf    peer.Leaf
	Object  string
	Version string
	Did     string
	Code    string
	Way     string    // by which it came; empty: not known
	At      time.Time // when it came; zero: not known
}

const heldColumns = "g.origin, g.nation, h.pos, h.leaf, h.object, h.version, h.did, h.code, h.way, h.at"

const heldQuery = "SELECT " + heldColumns + " FROM held h JOIN log g ON g.id = h.pos >> 40 WHERE "

func scanHeld(st *zs.Stmt) (h Held, err error) {
	h = Held{Origin: st.ColumnText(0), Nation: st.ColumnText(1), Object: st.ColumnText(4), Version: st.ColumnText(5), Did: st.ColumnText(6), Code: st.ColumnText(7), Way: st.ColumnText(8), At: lite.UnpackTime(st.ColumnInt64(9))}
	_, h.Index = split(st.ColumnInt64(2))
	h.Leaf, err = peer.ParseLeaf(lite.Blob(st, 3))
	return h, err
}

// Held gives one leaf of another's log.
func (l *Ledger) Held(ctx context.Context, origin string, index uint64) (h Held, err error) {
	found := false
	err = l.read(ctx, "reading a log", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil || index > maxIndex {
			return err
		}
		return lite.Exec(c, heldQuery+"h.pos = ?", func(st *zs.Stmt) (err error) {
			found = true
			h, err = scanHeld(st)
			return err
		}, position(g.id, index))
	})
	if err == nil && !found {
		err = fault.New(fault.NotFound, "ledger.leaf", "there is no such leaf").At(origin)
	}
	return h, err
}

// HeldOf gives every leaf of others' logs that is about the object.
func (l *Ledger) HeldOf(ctx context.Context, object string) (out []Held, err error) {
	if object == "" {
		return nil, nil
	}
	err = l.read(ctx, "reading what came in", func(c *zs.Conn) error {
		return lite.Exec(c, heldQuery+"h.object = ? ORDER BY h.pos", func(st *zs.Stmt) error {
			h, err := scanHeld(st)
			out = append(out, h)
			return err
		}, object)
	})
	return out, err
}

// Waiting is an order that is not carried out yet.
type Waiting struct {
	Held
	Envelope []byte
}

// Orders gives orders of a nation that wait, in the order of logs and leaves; empty: of every nation; limit 0: 1000.
func (l *Ledger) Orders(ctx context.Context, nation string, limit int) (out []Waiting, err error) {
	if limit <= 0 {
		limit = 1000
	}
	err = l.read(ctx, "reading orders", func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT "+heldColumns+", p.envelope FROM pending p JOIN held h ON h.pos = p.pos JOIN log g ON g.id = p.pos >> 40 WHERE ?1 = '' OR g.nation = ?1 ORDER BY p.pos LIMIT ?2",
			func(st *zs.Stmt) error {
				h, err := scanHeld(st)
				out = append(out, Waiting{h, lite.Blob(st, 10)})
				return err
			}, nation, limit)
	})
	return out, err
}

// Done says that an order was carried out, and gives the receipt to send. What became of its target is written beside that too; earlier is the target where
// that is in an earlier log of the same nation.
func (l *Ledger) Done(ctx context.Context, origin string, index uint64, earlier *Held, did, code string, receipts ...[]byte) error {
	return l.write(ctx, "closing an order", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil {
			return err
		}
		var leaf peer.Leaf
		pos := position(g.id, min(index, maxIndex))
		err = lite.Exec(c, "SELECT h.leaf FROM pending p JOIN held h ON h.pos = p.pos WHERE p.pos = ?", func(st *zs.Stmt) (err error) { leaf, err = peer.ParseLeaf(lite.Blob(st, 0)); return err }, pos)
		if err != nil {
			return err
		}
		if leaf.Target == 0 {
			return fault.New(fault.NotFound, "ledger.order", "no order waits there").At(origin)
		}
		target := position(g.id, leaf.Target-1)
		if earlier != nil {
			e, err := findLog(c, earlier.Origin)
			if err != nil || e.Nation != g.Nation || earlier.Index > maxIndex {
				return errors.Join(err, fault.New(fault.Invalid, "ledger.order", "an order is about leaves of its own nation").At(origin))
			}
			target = position(e.id, earlier.Index)
		}
		for _, p := range []int64{pos, target} {
			if err := lite.Exec(c, "UPDATE held SET did = ?, code = ? WHERE pos = ?", nil, did, code, p); err != nil {
				return err
			}
		}
		if err := lite.Exec(c, "DELETE FROM pending WHERE pos = ?", nil, pos); err != nil {
			return err
		}
		return put(c, g.id, receipts)
	})
}
