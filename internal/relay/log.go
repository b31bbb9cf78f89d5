package relay

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
	zs "zombiezen.com/go/sqlite"

	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/lite"
	"entente/peer"
)

// A position is a leaf of a log as one number.
const (
	indexBits = 40
	maxIndex  = 1<<indexBits - 1
)

func position(log int64, index uint64) int64 { return log<<indexBits | int64(index) }

func joined(names []string) string {
	all := slices.Clone(names)
	slices.Sort(all)
	return strings.Join(slices.Compact(all), "\n")
}

func parted(names string) []string {
	if names == "" {
		return nil
	}
	return strings.Split(names, "\n")
}

// Take takes the next items of a log, all of them or none, once they lead to a checkpoint that one of the originator's keys signed. Items whose leaves are known
// get the boxes of the batch; what was in theirs is destroyed. What contradicts the past is the error of peer.Verifier.
func (r *Room) Take(ctx context.Context, of Party, readers []string, b *peer.SealedBatch, keys ...*dsse.Key) (l Log, err error) {
	if len(b.Items) > r.cfg.Limits.Frames || !peer.IsOrigin(b.Origin) || len(readers) == 0 || len(readers) > peer.MaxReaders {
		return l, fault.New(fault.Invalid, "relay.batch", "a log is handed over in batches, for readers")
	}
	err = r.write(ctx, "taking a part of a log", func(c *zs.Conn) error {
		l, err = r.begin(c, of, b.Origin)
		if err != nil {
			return err
		}
		now := lite.PackTime(r.cfg.Now())
		again := 0 // items that are known
		if b.From < l.Size {
			again = int(min(l.Size-b.From, uint64(len(b.Items))))
		}
		for i := range again {
			if err := r.replace(c, &l, b, i, now); err != nil {
				return err
			}
		}
		if again < len(b.Items) || b.End() == l.Size { // it brings something beside new boxes
			if err := r.extend(c, &l, b, again, now, keys); err != nil {
				return err
			}
		}
		for _, w := range b.Wraps {
			if err := lite.Exec(c, "INSERT OR REPLACE INTO wrap VALUES(?,?,?,?)", nil, l.id, int64(b.Epoch), w.Key[:], w.Data); err != nil {
				return err
			}
		}
		l.Readers, l.At = parted(joined(readers)), r.cfg.Now()
		if err := lite.Exec(c, "UPDATE log SET readers = ?, bytes = ?, at = ? WHERE id = ?", nil, joined(readers), l.Bytes, now, l.id); err != nil {
			return err
		}
		kept, err := lite.Number(c, "SELECT sum(bytes) FROM log WHERE nation = ?", of.Nation)
		if err == nil && kept > r.cfg.Bounds.Bytes {
			err = fault.New(fault.Full, "relay.full", "%s has %d bytes here, and no more than %d are carried for it", of.Nation, kept, r.cfg.Bounds.Bytes)
		}
		return err
	})
	if err == nil {
		r.wake()
	}
	return l, err
}

// Done destroys the boxes of a nation's log that stand before a leaf: so their originator says, whose readers all have them. How far the log was taken stays known.
func (r *Room) Done(ctx context.Context, nation, origin string, before uint64) error {
	return r.write(ctx, "destroying what nobody waits for", func(c *zs.Conn) error {
		l, err := find(c, nation, origin)
		if err != nil {
			return err
		}
		first, last := position(l.id, 0), position(l.id, min(before, l.Size))
		n, err := lite.Number(c, "SELECT coalesce(sum(length(box)), 0) FROM box WHERE pos >= ? AND pos < ?", first, last)
		if err != nil || n == 0 {
			return err
		}
		r.traces = true
		if err := lite.Exec(c, "DELETE FROM box WHERE pos >= ? AND pos < ?", nil, first, last); err != nil {
			return err
		}
		return lite.Exec(c, "UPDATE log SET bytes = bytes - ? WHERE id = ?", nil, n, l.id)
	})
}

// begin finds a log, and makes it when it is new.
func (r *Room) begin(c *zs.Conn, of Party, origin string) (l Log, err error) {
	l, err = find(c, of.Nation, origin)
	if fault.Of(err) != fault.NotFound {
		return l, err
	}
	n, err := lite.Number(c, "SELECT count(*) FROM log WHERE nation = ?", of.Nation)
	if err == nil && n >= int64(r.cfg.Bounds.Logs) {
		err = fault.New(fault.Full, "relay.logs", "%s has %d logs here, and no more are carried for it", of.Nation, n)
	}
	if err == nil {
		err = lite.Exec(c, "INSERT INTO log(nation, org, origin, readers, size, bytes, at) VALUES(?,?,?,'',0,0,0)", nil, of.Nation, of.Org, origin)
	}
	if err != nil {
		return l, err
	}
	return find(c, of.Nation, origin)
}

// replace puts another box in the place of a known item.
func (r *Room) replace(c *zs.Conn, l *Log, b *peer.SealedBatch, i int, now int64) error {
	index := b.From + uint64(i)
	var leaf tlog.Hash
	err := lite.Exec(c, "SELECT hash FROM hash WHERE pos = ?", func(st *zs.Stmt) error { st.ColumnBytes(0, leaf[:]); return nil }, position(l.id, uint64(tlog.StoredHashIndex(0, int64(index)))))
	if err != nil {
		return err
	}
	if leaf != b.Items[i].Leaf {
		return &peer.Error{Code: peer.CodeFork, Message: "an item is of another leaf than the one that stands there"}
	}
	before, err := lite.Number(c, "SELECT length(box) FROM box WHERE pos = ?", position(l.id, index))
	if err != nil {
		return err
	}
	l.Bytes -= before
	r.traces = r.traces || before > 0
	return r.keep(c, l, b, i, now)
}

func (r *Room) keep(c *zs.Conn, l *Log, b *peer.SealedBatch, i int, now int64) error {
	l.Bytes += int64(len(b.Items[i].Box))
	return lite.Exec(c, "INSERT OR REPLACE INTO box VALUES(?,?,?,?)", nil, position(l.id, b.From+uint64(i)), int64(b.Epoch), now, b.Items[i].Box)
}

// extend witnesses what is new, and keeps it.
func (r *Room) extend(c *zs.Conn, l *Log, b *peer.SealedBatch, known int, now int64, keys []*dsse.Key) error {
	if b.End() >= maxIndex/2 {
		return fault.New(fault.TooLarge, "relay.size", "the log is longer than can be carried")
	}
	v, err := peer.Resume(l.Origin, peer.Memory{Edge: peer.Edge{Size: l.edge.Size, Nodes: slices.Clone(l.edge.Nodes)}, Note: l.newest}, r.cfg.Limits)
	if err != nil {
		return err
	}
	if _, err := v.Witness(b, keys...); err != nil {
		return err
	}
	for i := known; i < len(b.Items); i++ {
		at := tlog.StoredHashIndex(0, int64(b.From)+int64(i))
		l.edge.Add(b.Items[i].Leaf, func(h tlog.Hash) {
			if err == nil {
				err = lite.Exec(c, "INSERT INTO hash VALUES(?,?)", nil, position(l.id, uint64(at)), h[:])
			}
			at++
		})
		if err == nil {
			err = r.keep(c, l, b, i, now)
		}
		if err != nil {
			return err
		}
	}
	m := v.Memory()
	l.Size, l.newest = m.Edge.Size, m.Note
	if newest, _ := v.Last(); newest.Size == l.Size { // until then, readers could not be shown that what is here leads to it
		l.Shown, l.Note = newest, m.Note
	}
	nodes := make([]byte, 0, len(m.Edge.Nodes)*tlog.HashSize)
	for _, h := range m.Edge.Nodes {
		nodes = append(nodes, h[:]...)
	}
	return lite.Exec(c, "UPDATE log SET size = ?, edge = ?, note = ?, shown = ? WHERE id = ?", nil, int64(l.Size), nodes, l.newest, l.Note, l.id)
}

// Logs gives the logs that are carried for a reader, as far as there is anything to read: those of nations; none: of all. Those that came first are first.
func (r *Room) Logs(ctx context.Context, reader string, of ...string) (out []Log, err error) {
	err = r.read(ctx, "listing logs", func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT "+columns+" FROM log WHERE (?1 = '' OR instr(?1, nation)) AND shown IS NOT NULL ORDER BY id", func(st *zs.Stmt) error {
			l, err := scan(st)
			if err == nil && slices.Contains(l.Readers, reader) {
				out = append(out, l)
			}
			return err
		}, strings.Join(of, "\n"))
	})
	return out, err
}

// All gives everything that is carried.
func (r *Room) All(ctx context.Context) (out []Log, err error) {
	err = r.read(ctx, "listing logs", func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT "+columns+" FROM log ORDER BY nation, origin", func(st *zs.Stmt) error {
			l, err := scan(st)
			out = append(out, l)
			return err
		})
	})
	return out, err
}

// Root is the root that a log has here, whole: what a receipt says.
func (l *Log) Root() tlog.Hash {
	if l.Note == nil {
		return (&peer.Edge{}).Root()
	}
	return l.Shown.Root
}

// Batch gives a part of a log to a reader: items of one epoch, with the epoch's key as it was wrapped for him. Where several of the nations have a log of that
// name for him, it is of the one that came first.
func (r *Room) Batch(ctx context.Context, of []string, origin string, reader Party, p peer.Pull) (b *peer.SealedBatch, err error) {
	err = r.read(ctx, "reading a part of a log", func(c *zs.Conn) error {
		var l Log
		err := lite.Exec(c, "SELECT "+columns+" FROM log WHERE instr(?1, nation) AND origin = ?2 AND shown IS NOT NULL ORDER BY id", func(st *zs.Stmt) error {
			one, err := scan(st)
			if err == nil && l.Note == nil && slices.Contains(one.Readers, "org:"+reader.Nation+"/"+reader.Org) {
				l = one
			}
			return err
		}, strings.Join(of, "\n"), origin)
		if err != nil {
			return err
		}
		if l.Note == nil || p.From > l.Shown.Size || p.Known > l.Shown.Size {
			return errNone
		}
		b = &peer.SealedBatch{Origin: origin, From: p.From, Checkpoint: l.Note, Epoch: 1}
		last := min(l.Shown.Size, p.From+uint64(min(max(p.Frames, 1), r.cfg.Limits.Frames)))
		if err := r.boxes(c, &l, b, last, p.Bytes); err != nil {
			return err
		}
		if last > p.From && len(b.Items) == 0 { // its time was over
			return errNone
		}
		stored := hashes(c, l.id)
		if b.Leads, err = peer.Prove(b.End(), l.Shown.Size, stored); err == nil && p.Known > 0 {
			b.Grows, err = peer.Prove(p.Known, l.Shown.Size, stored)
		}
		if err != nil || len(b.Items) == 0 {
			return err
		}
		return lite.Exec(c, "SELECT wrap.key, wrap.data FROM wrap JOIN statement s ON s.key = wrap.key AND s.nation = ? AND s.org = ? WHERE wrap.log = ? AND wrap.epoch = ? LIMIT 8", func(st *zs.Stmt) error {
			w := peer.Wrap{Data: lite.Blob(st, 1)}
			st.ColumnBytes(0, w.Key[:])
			b.Wraps = append(b.Wraps, w)
			return nil
		}, reader.Nation, reader.Org, l.id, int64(b.Epoch))
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// boxes reads items without a gap, of one epoch.
func (r *Room) boxes(c *zs.Conn, l *Log, b *peer.SealedBatch, last uint64, most int64) error {
	if most <= 0 {
		most = r.cfg.Limits.BatchBytes / 2
	}
	ended, total := false, int64(0)
	return lite.Exec(c, "SELECT pos, epoch, box FROM box WHERE pos >= ? AND pos < ? ORDER BY pos LIMIT ?", func(st *zs.Stmt) error {
		epoch, size := uint32(st.ColumnInt64(1)), int64(st.ColumnLen(2))
		total += size
		if ended = ended || st.ColumnInt64(0) != position(l.id, b.End()) || len(b.Items) > 0 && (epoch != b.Epoch || total > most); ended {
			return nil
		}
		b.Epoch = epoch
		item := peer.SealedItem{Box: lite.Blob(st, 2)}
		if err := lite.Exec(c, "SELECT hash FROM hash WHERE pos = ?", func(st *zs.Stmt) error { st.ColumnBytes(0, item.Leaf[:]); return nil },
			position(l.id, uint64(tlog.StoredHashIndex(0, int64(b.End()))))); err != nil {
			return err
		}
		b.Items = append(b.Items, item)
		return nil
	}, position(l.id, b.From), position(l.id, last), int64(r.cfg.Limits.Frames))
}

// hashes reads the stored hashes of a log.
func hashes(c *zs.Conn, log int64) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, n := range indexes {
			found := false
			err := lite.Exec(c, "SELECT hash FROM hash WHERE pos = ?", func(st *zs.Stmt) error { found = st.ColumnBytes(0, out[i][:]) == tlog.HashSize; return nil }, position(log, uint64(n)))
			if err == nil && !found {
				err = fault.New(fault.Internal, "relay.hash", "a hash of the log is missing")
			}
			if err != nil {
				return nil, err
			}
		}
		return out, nil
	})
}
