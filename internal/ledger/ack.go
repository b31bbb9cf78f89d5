package ledger

import (
	"context"
	"crypto/sha256"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
	"entente/peer"
)

// Sending is a receipt that another is owed.
type Sending struct {
	ID      int64
	Origin  string
	Nation  string
	Receipt []byte
}

// Outbox gives receipts that are to be sent to a nation, the oldest first; limit 0: 100.
func (l *Ledger) Outbox(ctx context.Context, nation string, limit int) (out []Sending, err error) {
	if limit <= 0 {
		limit = 100
	}
	err = l.read(ctx, "reading receipts", func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT b.id, g.origin, g.nation, b.receipt FROM outbox b JOIN log g ON g.id = b.log WHERE g.nation = ? ORDER BY b.id LIMIT ?", func(st *zs.Stmt) error {
			out = append(out, Sending{st.ColumnInt64(0), st.ColumnText(1), st.ColumnText(2), lite.Blob(st, 3)})
			return nil
		}, nation, limit)
	})
	return out, err
}

// Sent forgets receipts that arrived.
func (l *Ledger) Sent(ctx context.Context, ids ...int64) error {
	return l.write(ctx, "forgetting receipts", func(c *zs.Conn) error {
		for _, id := range ids {
			if err := lite.Exec(c, "DELETE FROM outbox WHERE id = ?", nil, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Received is a receipt whose signature was verified, with the party that signed it.
type Received struct {
	Party    string // nation
	Receipt  peer.Receipt
	Envelope []byte
}

// maxSaid bounds what one party says of one leaf.
const maxSaid = 32

// Ack keeps receipts for an own log: all of them or none. Each act must be about a leaf of the log as it is.
func (l *Ledger) Ack(ctx context.Context, origin string, received ...Received) error {
	return l.write(ctx, "keeping receipts", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil {
			return err
		}
		for _, r := range received {
			if !g.Own || r.Receipt.Origin != origin || r.Receipt.Party != r.Party {
				return fault.New(fault.Invalid, "ledger.receipt", "the receipt is for another log, or another party's").At(origin)
			}
			digest := sha256.Sum256(r.Envelope)
			if known, err := lite.Number(c, "SELECT 1 FROM receipt WHERE digest = ? AND log = ? AND party = ?", digest[:], g.id, r.Party); err != nil {
				return err
			} else if known != 0 {
				continue // it was sent again because the answer was lost
			}
			if err := lite.Exec(c, "INSERT INTO receipt(log, party, digest, envelope) VALUES(?,?,?,?)", nil, g.id, r.Party, digest[:], r.Envelope); err != nil {
				return err
			}
			id := c.LastInsertRowID()
			for _, a := range r.Receipt.Acts {
				if a.Index >= g.Size && g.Retired {
					continue // it was in the log before the ledger was restored from a backup
				}
				if a.Index >= g.Size {
					return fault.New(fault.Invalid, "ledger.receipt", "the receipt is about a leaf that is not there").At(origin)
				}
				pos, commit := position(g.id, a.Index), peer.Digest{}
				err := lite.Exec(c, "SELECT leaf FROM leaf WHERE pos = ?", func(st *zs.Stmt) error {
					leaf, err := peer.ParseLeaf(lite.Blob(st, 0))
					commit = leaf.Commit
					return err
				}, pos)
				if err != nil {
					return err
				}
				if commit != a.Commit {
					return fault.New(fault.Invalid, "ledger.receipt", "the receipt is about other bytes").At(origin)
				}
				if said, err := lite.Number(c, "SELECT count(*) FROM act WHERE pos = ? AND party = ?", pos, r.Party); err != nil {
					return err
				} else if said >= maxSaid {
					return fault.New(fault.Invalid, "ledger.receipt", "%s has said %d things of one leaf, and no more are kept", r.Party, said).At(origin)
				}
				if err := lite.Exec(c, "INSERT OR IGNORE INTO act VALUES(?,?,?,?,?,?)", nil, pos, r.Party, id, a.Did, a.Code, lite.PackTime(a.At)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Act is what a party says it did with a leaf of an own log.
type Act struct {
	Party    string
	Did      string
	Code     string
	At       time.Time
	Envelope []byte // of the receipt, as it was signed
}

// Receipts gives all that parties said about a leaf of an own log, by party, in the order it came.
func (l *Ledger) Receipts(ctx context.Context, origin string, index uint64) (out []Act, err error) {
	err = l.read(ctx, "reading receipts", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil {
			return err
		}
		return lite.Exec(c, "SELECT a.party, a.did, a.code, a.at, r.envelope FROM act a JOIN receipt r ON r.id = a.receipt WHERE a.pos = ? ORDER BY a.party, a.receipt", func(st *zs.Stmt) error {
			out = append(out, Act{st.ColumnText(0), st.ColumnText(1), st.ColumnText(2), lite.UnpackTime(st.ColumnInt64(3)), lite.Blob(st, 4)})
			return nil
		}, position(g.id, min(index, maxIndex)))
	})
	return out, err
}

// Unanswered is an order of an own log that not every party answered.
type Unanswered struct {
	Place
	Object string   // as the log knows it: after a purge it tells nothing
	About  [32]byte // commit of the leaf that it is about
}

// Unanswered gives the orders of an own log that not every party answered, in their order.
func (l *Ledger) Unanswered(ctx context.Context, origin string) (out []Unanswered, err error) {
	err = l.read(ctx, "reading orders", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil {
			return err
		}
		err = lite.Exec(c, "SELECT f.pos, f.leaf, coalesce(o.object, ''), coalesce(o.version, '') FROM leaf f LEFT JOIN out o ON o.pos = f.pos WHERE f.pos >= ?1 AND f.pos < ?2 AND f.envelope IS NOT NULL AND "+
			"substr(f.leaf, 1, 1) IN (x'02', x'03', x'04') AND (SELECT count(DISTINCT a.party) FROM act a WHERE a.pos = f.pos) < ?3 ORDER BY f.pos", func(st *zs.Stmt) (err error) {
			u := Unanswered{Place: Place{Origin: origin, Version: st.ColumnText(3)}, Object: st.ColumnText(2)}
			_, u.Index = split(st.ColumnInt64(0))
			u.Leaf, err = peer.ParseLeaf(lite.Blob(st, 1))
			out = append(out, u)
			return err
		}, position(g.id, 0), position(g.id, g.Size), len(g.Parties))
		for i := 0; i < len(out) && err == nil; i++ {
			err = lite.Exec(c, "SELECT leaf FROM leaf WHERE pos = ?", func(st *zs.Stmt) error {
				about, err := peer.ParseLeaf(lite.Blob(st, 0))
				out[i].About = about.Commit
				return err
			}, position(g.id, out[i].Leaf.Target-1))
		}
		return err
	})
	return out, err
}

// Cosigned is a checkpoint that a party cosigned.
type Cosigned struct {
	Party string
	Size  uint64
	At    time.Time
	Note  []byte
}

// Cosign keeps checkpoints of a log that parties cosigned, which were verified, each if it is of more leaves than the one that is kept of the party, or later.
func (l *Ledger) Cosign(ctx context.Context, origin string, all ...Cosigned) error {
	if len(all) == 0 {
		return nil
	}
	return l.write(ctx, "keeping a cosignature", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil {
			return err
		}
		for _, k := range all {
			if err := lite.Exec(c, `INSERT INTO cosigned VALUES(?,?,?,?,?) ON CONFLICT(log, party) DO UPDATE SET size = excluded.size, at = excluded.at, note = excluded.note
			WHERE (excluded.size, excluded.at) > (size, at)`, nil, g.id, k.Party, int64(k.Size), lite.PackTime(k.At), k.Note); err != nil {
				return err
			}
		}
		return nil
	})
}

// Cosignatures gives the newest of each party, by party.
func (l *Ledger) Cosignatures(ctx context.Context, origin string) (out []Cosigned, err error) {
	err = l.read(ctx, "reading cosignatures", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil {
			return err
		}
		return lite.Exec(c, "SELECT party, size, at, note FROM cosigned WHERE log = ? ORDER BY party", func(st *zs.Stmt) error {
			out = append(out, Cosigned{st.ColumnText(0), uint64(st.ColumnInt64(1)), lite.UnpackTime(st.ColumnInt64(2)), lite.Blob(st, 3)})
			return nil
		}, g.id)
	})
	return out, err
}

// Seen is how much of an own log a party cosigned.
func (l *Ledger) Seen(ctx context.Context, origin, party string) (size uint64, err error) {
	err = l.read(ctx, "reading what a party has seen", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err == nil {
			size, err = seen(c, g.id, party)
		}
		return err
	})
	return size, err
}

func seen(c *zs.Conn, log int64, party string) (uint64, error) {
	n, err := lite.Number(c, "SELECT size FROM cosigned WHERE log = ? AND party = ?", log, party)
	return uint64(n), err
}

// Bytes is how many bytes the envelopes of a part of a log have.
func (l *Ledger) Bytes(ctx context.Context, origin string, from, to uint64) (n int64, err error) {
	if from >= to {
		return 0, nil
	}
	err = l.read(ctx, "counting the bytes of a log", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err == nil {
			n, err = lite.Number(c, "SELECT coalesce(sum(length(envelope)), 0) FROM leaf WHERE pos >= ? AND pos < ?", position(g.id, from), position(g.id, to))
		}
		return err
	})
	return n, err
}

// Unseen says since when an own log waits for a party: the time of the first leaf under no checkpoint that it cosigned. Zero: it cosigned all of them.
func (l *Ledger) Unseen(ctx context.Context, origin, party string) (since time.Time, err error) {
	err = l.read(ctx, "reading what a party has not seen", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil {
			return err
		}
		size, err := seen(c, g.id, party)
		if err != nil {
			return err
		}
		return lite.Exec(c, "SELECT leaf FROM leaf WHERE pos = ?", func(st *zs.Stmt) error {
			leaf, err := peer.ParseLeaf(lite.Blob(st, 0))
			since = leaf.Time
			return err
		}, position(g.id, size))
	})
	return since, err
}

// Unreceipted says since when a party owes a receipt for an order to retract, relabel or purge: the time of the first order in an own log of which it has
// said nothing. Zero: it has said what it did with all of them.
func (l *Ledger) Unreceipted(ctx context.Context, origin, party string) (since time.Time, err error) {
	err = l.read(ctx, "reading which orders a party has not receipted", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err != nil {
			return err
		}
		return lite.Exec(c, "SELECT leaf FROM leaf WHERE pos >= ?1 AND pos < ?2 AND "+isOrder+" AND envelope IS NOT NULL AND NOT EXISTS (SELECT 1 FROM act a WHERE a.pos = leaf.pos AND a.party = ?3) ORDER BY pos LIMIT 1",
			func(st *zs.Stmt) error {
				leaf, err := peer.ParseLeaf(lite.Blob(st, 0))
				since = leaf.Time
				return err
			}, position(g.id, 0), position(g.id, g.Size), party)
	})
	return since, err
}
