package ledger

import (
	"context"

	zs "zombiezen.com/go/sqlite"

	"golang.org/x/mod/sumdb/tlog"

	"entente/internal/lite"
	"entente/peer"
)

// Restored names the restore from a backup that this ledger began with; empty: it began with none.
func (l *Ledger) Restored() string { return l.restored }

// Items are the leaves of logs as they are compared with what another node has: of the logs of a filter, or of the one that origin names.
func (l *Ledger) Items(ctx context.Context, f Filter, origin string) (out []peer.Item, err error) {
	logs, err := l.Logs(ctx, f)
	for i := range logs {
		if g := &logs[i]; err == nil && (origin == "" || g.Origin == origin) {
			err = l.leaves(ctx, g, g.Size, func(_ uint64, leaf *peer.Leaf) { out = append(out, peer.ItemOf(leaf)) })
		}
	}
	return out, err
}

// leaves reads the first leaves of a log, in their order.
func (l *Ledger) leaves(ctx context.Context, g *Log, size uint64, each func(index uint64, leaf *peer.Leaf)) error {
	table := "held"
	if g.Own {
		table = "leaf"
	}
	return l.read(ctx, "reading the leaves of a log", func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT pos, leaf FROM "+table+" WHERE pos >= ? AND pos < ? ORDER BY pos", func(st *zs.Stmt) error {
			leaf, err := peer.ParseLeaf(lite.Blob(st, 1))
			if err == nil {
				_, index := split(st.ColumnInt64(0))
				each(index, &leaf)
				err = ctx.Err()
			}
			return err
		}, position(g.id, 0), position(g.id, size))
	})
}

// Proven is a leaf of another's log with the proof that its originator had it there.
type Proven struct {
	Held
	Note  []byte // the newest checkpoint, as it was signed; nil: the log was not read as far as that is, and nothing is proven
	Proof []tlog.Hash
}

// HeldItems gives the leaves of a nation's logs that are wanted, at most limit of them.
func (l *Ledger) HeldItems(ctx context.Context, nation string, want []peer.Item, limit int) (out []Proven, err error) {
	wanted := make(map[peer.Item]bool, len(want))
	for _, w := range want {
		wanted[w] = true
	}
	logs, err := l.Logs(ctx, Filter{Nation: nation})
	if err != nil {
		return nil, err
	}
	for i := range logs {
		g := &logs[i]
		var found []uint64
		err := l.leaves(ctx, g, g.Size, func(index uint64, leaf *peer.Leaf) {
			if len(out)+len(found) < limit && wanted[peer.ItemOf(leaf)] {
				found = append(found, index)
			}
		})
		if err == nil && len(found) > 0 {
			out, err = l.prove(ctx, g, found, out)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (l *Ledger) prove(ctx context.Context, g *Log, found []uint64, out []Proven) ([]Proven, error) {
	var tree []tlog.Hash // all hashes of the log, each once
	whole := g.Note != nil && g.Signed.Size == g.Size
	reader := tlog.HashReaderFunc(func(at []int64) (got []tlog.Hash, err error) {
		for _, i := range at {
			got = append(got, tree[i])
		}
		return got, nil
	})
	if whole {
		var e peer.Edge
		if err := l.leaves(ctx, g, g.Size, func(_ uint64, leaf *peer.Leaf) { e.Add(leaf.Hash(), func(h tlog.Hash) { tree = append(tree, h) }) }); err != nil {
			return nil, err
		}
		whole = e.Size == g.Size // leaves may be kept no more
	}
	for _, index := range found {
		h, err := l.Held(ctx, g.Origin, index)
		if err != nil {
			return nil, err
		}
		p := Proven{Held: h}
		if whole {
			p.Note = g.Note
			if p.Proof, err = tlog.ProveRecord(int64(g.Size), int64(index), reader); err != nil {
				return nil, err
			}
		}
		out = append(out, p)
	}
	return out, nil
}
