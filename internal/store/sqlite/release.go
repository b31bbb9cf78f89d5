package sqlite

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/store"
)

const (
	segmentSize = 1024   // records of one holding row
	maxRelease  = 10_000 // records of one release
	maxParties  = 65_536 // parties and clauses
	maxParty    = 1024   // bytes of a party's name and of a clause
)

// held is a record that a party holds, and since when, both in µs.
type held struct{ rec, at int64 }

// packSegment writes records as differences: usually 2–3 bytes for each record and one for its time.
func packSegment(hs []held) []byte {
	b := make([]byte, 0, 4*len(hs)+16)
	var last held
	for _, h := range hs {
		b = binary.AppendUvarint(b, uint64(h.rec-last.rec))
		b = binary.AppendVarint(b, h.at-last.at)
		last = h
	}
	return b
}

var errSegment = errors.New("a holding is damaged")

func unpackSegment(b []byte, to []held) ([]held, error) {
	var last held
	for len(b) > 0 {
		rec, n := binary.Uvarint(b)
		if n <= 0 {
			return to, errSegment
		}
		at, m := binary.Varint(b[n:])
		if m <= 0 {
			return to, errSegment
		}
		last.rec += int64(rec)
		last.at += at
		to, b = append(to, last), b[n+m:]
	}
	return to, nil
}

func compareHeld(a, b held) int { return cmp.Compare(a.rec, b.rec) }

// missing are those of recs, which ascend, that the party does not hold.
func missing(c *zs.Conn, party int64, recs []int64) (left []int64, err error) {
	var seg []held
	for i := 0; i < len(recs); {
		lo, next, packed, err := segmentOf(c, party, recs[i])
		if err != nil {
			return nil, err
		}
		if lo < 0 {
			end := i
			for end < len(recs) && (next < 0 || recs[end] < next) {
				end++
			}
			left = append(left, recs[i:end]...)
			i = end
			continue
		}
		if seg, err = unpackSegment(packed, seg[:0]); err != nil {
			return nil, err
		}
		for j := 0; i < len(recs) && (next < 0 || recs[i] < next); i++ {
			for j < len(seg) && seg[j].rec < recs[i] {
				j++
			}
			if j == len(seg) || seg[j].rec != recs[i] {
				left = append(left, recs[i])
			}
		}
	}
	return left, nil
}

// segmentOf is the row that holds or would hold a record, and where the row after it begins. They are -1 when there is none.
func segmentOf(c *zs.Conn, party, rec int64) (lo, next int64, packed []byte, err error) {
	lo, next = -1, -1
	err = lite.Exec(c, "SELECT lo, recs FROM holding WHERE party = ? AND lo <= ? ORDER BY lo DESC LIMIT 1", func(st *zs.Stmt) error {
		lo, packed = st.ColumnInt64(0), lite.Blob(st, 1)
		return nil
	}, party, rec)
	if err == nil {
		err = lite.Exec(c, "SELECT lo FROM holding WHERE party = ? AND lo > ? ORDER BY lo LIMIT 1", func(st *zs.Stmt) error { next = st.ColumnInt64(0); return nil }, party, rec)
	}
	return lo, next, packed, err
}

// Release implements store.Store.
func (s *Store) Release(ctx context.Context, r store.Release) error {
	if r.Party == "" || len(r.Party) > maxParty || len(r.Clause) > maxParty {
		return fault.New(fault.Invalid, "store.release", "a release names its party; party and clause have at most %d bytes", maxParty).At("party")
	}
	if len(r.Recs) > maxRelease {
		return fault.New(fault.TooLarge, "store.release", "at most %d records are released at once", maxRelease).At("recs")
	}
	recs := make([]int64, len(r.Recs))
	for i, rec := range r.Recs {
		if recs[i] = int64(rec); rec <= 0 {
			return fault.New(fault.Invalid, "store.release", "not a record").At("recs")
		}
	}
	slices.Sort(recs)
	recs = slices.Compact(recs)
	var left []int64
	err := s.read(ctx, gate.Scope{}, func(rd *reader) (err error) {
		id, err := partyID(rd.c, r)
		if err != nil {
			return err
		}
		left, err = missing(rd.c, id, recs)
		return err
	})
	if err != nil || len(left) == 0 {
		return room.Wrap("reading what a party holds", err)
	}
	return s.do(ctx, &job{bytes: 4 * len(recs), run: func(t *tx) error { return t.release(r, recs) }})
}

func partyID(c *zs.Conn, r store.Release) (int64, error) {
	return lite.Number(c, "SELECT id FROM party WHERE party = ? AND clause = ?", r.Party, r.Clause)
}

func (t *tx) release(r store.Release, recs []int64) error {
	id, err := partyID(t.c, r)
	if err != nil {
		return err
	}
	if id == 0 {
		n, err := lite.Number(t.c, "SELECT count(*) FROM party")
		if err != nil {
			return err
		}
		if n >= maxParties {
			return fault.New(fault.Full, "store.parties", "the store already keeps releases for %d parties and clauses", maxParties)
		}
		if err := lite.Exec(t.c, "INSERT INTO party(id, party, clause) VALUES(?,?,?)", nil, n+1, r.Party, r.Clause); err != nil {
			return err
		}
		id = n + 1
	}
	left, err := missing(t.c, id, recs)
	if err != nil || len(left) == 0 {
		return err
	}
	for _, rec := range left {
		if n, err := lite.Number(t.c, "SELECT 1 FROM record WHERE seq = ?", rec); err != nil {
			return err
		} else if n == 0 {
			return fault.New(fault.Unavailable, "store.gone", "a record has gone since it was read").After(time.Second).Try("read again")
		}
	}
	now := t.s.cfg.Now().UnixMicro()
	fresh := make([]held, len(left))
	for i, rec := range left {
		fresh[i] = held{rec, now}
	}
	act, err := packAct(store.Act{Actor: "node", Verb: "record.release", Target: r.Party, Detail: r.Clause})
	if err != nil {
		return err
	}
	if err := t.journal(t.draw(1)[0], entryRelease, 0, nil, act, packSegment(fresh)); err != nil {
		return err
	}
	for len(fresh) > 0 {
		if fresh, err = t.extend(id, fresh); err != nil {
			return err
		}
	}
	return nil
}

// extend adds the first records of fresh to the row that they belong in, and returns the others.
func (t *tx) extend(party int64, fresh []held) ([]held, error) {
	lo, next, packed, err := segmentOf(t.c, party, fresh[0].rec)
	if err != nil {
		return nil, err
	}
	n := len(fresh)
	if next >= 0 {
		n, _ = slices.BinarySearchFunc(fresh, next, func(h held, x int64) int { return cmp.Compare(h.rec, x) })
	}
	var seg []held
	if lo >= 0 {
		if seg, err = unpackSegment(packed, nil); err != nil {
			return nil, err
		}
		if len(seg) >= segmentSize && seg[len(seg)-1].rec < fresh[0].rec {
			seg = nil // full, and all that is new lies behind it: leave it as it is
		} else if err := lite.Exec(t.c, "DELETE FROM holding WHERE party = ? AND lo = ?", nil, party, lo); err != nil {
			return nil, err
		}
	}
	seg = append(seg, fresh[:n]...)
	slices.SortFunc(seg, compareHeld)
	for part := range slices.Chunk(seg, segmentSize) {
		if err := lite.Exec(t.c, "INSERT INTO holding(party, lo, recs) VALUES(?,?,?)", nil, party, part[0].rec, packSegment(part)); err != nil {
			return nil, err
		}
	}
	return fresh[n:], nil
}
