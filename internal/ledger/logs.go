package ledger

import (
	"context"
	"slices"
	"strconv"
	"strings"

	zs "zombiezen.com/go/sqlite"

	"golang.org/x/mod/sumdb/tlog"

	"entente/internal/fault"
	"entente/internal/lite"
	"entente/peer"
)

// Identity is what a log is for: the records of an organisation under an accord for a set of recipients.
type Identity struct {
	Org     string
	Accord  string
	Parties []string // "org:NATION/ORG" of every recipient
}

// Log is a log that the ledger knows.
type Log struct {
	Origin   string
	Own      bool
	Nation   string // whose log it is; empty for an own one
	Identity        // of another's log as far as it was told
	Epoch    int    // own logs of one identity are counted: a restored one begins anew
	Retired  bool   // nothing is added to it any more
	Size     uint64
	Root     tlog.Hash       // of Size leaves
	Signed   peer.Checkpoint // newest; of another's log it may be of more leaves than were read
	Note     []byte          // Signed, as it is signed; nil: none yet

	id   int64
	edge peer.Edge
}

const logColumns = "id, origin, own, nation, org, accord, parties, epoch, retired, size, edge, note"

func scanLog(st *zs.Stmt) (l Log, err error) {
	l = Log{id: st.ColumnInt64(0), Origin: st.ColumnText(1), Own: st.ColumnInt64(2) != 0, Nation: st.ColumnText(3), Epoch: int(st.ColumnInt64(7)),
		Retired: st.ColumnInt64(8) != 0, Size: uint64(st.ColumnInt64(9)), Note: lite.Blob(st, 11)}
	l.Org, l.Accord, l.Parties = st.ColumnText(4), st.ColumnText(5), parted(st.ColumnText(6))
	l.edge.Size = l.Size
	for e := lite.Blob(st, 10); len(e) >= tlog.HashSize; e = e[tlog.HashSize:] {
		l.edge.Nodes = append(l.edge.Nodes, tlog.Hash(e[:tlog.HashSize]))
	}
	l.Root = l.edge.Root()
	if l.Note != nil {
		l.Signed, err = peer.PeekCheckpoint(l.Note)
	}
	return l, err
}

func packEdge(e *peer.Edge) []byte {
	b := make([]byte, 0, len(e.Nodes)*tlog.HashSize)
	for _, h := range e.Nodes {
		b = append(b, h[:]...)
	}
	return b
}

func findLog(c *zs.Conn, origin string) (l Log, err error) {
	found := false
	err = lite.Exec(c, "SELECT "+logColumns+" FROM log WHERE origin = ?", func(st *zs.Stmt) error {
		found = true
		l, err = scanLog(st)
		return err
	}, origin)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "ledger.log", "there is no such log").At(origin)
	}
	return l, err
}

// OpenLog gives the own log of that identity, and makes it when there is none that is not retired.
func (l *Ledger) OpenLog(ctx context.Context, id Identity) (g Log, err error) {
	parties := slices.Clone(id.Parties)
	slices.Sort(parties)
	parties = slices.Compact(parties)
	for _, p := range parties {
		if p == "" || strings.Contains(p, between) {
			return g, fault.New(fault.Invalid, "ledger.party", "a recipient is named in one line").At("parties")
		}
	}
	if id.Org == "" || id.Accord == "" || len(parties) == 0 {
		return g, fault.New(fault.Invalid, "ledger.log", "a log has an organisation, an accord and recipients")
	}
	err = l.write(ctx, "opening a log", func(c *zs.Conn) error {
		epoch, found := int64(0), false
		err := lite.Exec(c, "SELECT "+logColumns+" FROM log WHERE own = 1 AND org = ? AND accord = ? AND parties = ? ORDER BY epoch DESC LIMIT 1", func(st *zs.Stmt) (err error) {
			g, err = scanLog(st)
			epoch, found = int64(g.Epoch)+1, !g.Retired
			return err
		}, id.Org, id.Accord, joined(parties))
		if err != nil || found {
			return err
		}
		name := id.Accord + " " + strconv.FormatInt(epoch, 10)
		if l.restored != "" {
			name += " " + l.restored
		}
		origin := peer.Origin(l.secret, id.Org, name, parties)
		err = lite.Exec(c, "INSERT INTO log(origin, own, nation, org, accord, parties, epoch, retired, size) VALUES(?, 1, '', ?, ?, ?, ?, 0, 0)", nil, origin, id.Org, id.Accord, joined(parties), epoch)
		if err == nil {
			g, err = findLog(c, origin)
		}
		return err
	})
	return g, err
}

// Log gives a log by its origin.
func (l *Ledger) Log(ctx context.Context, origin string) (g Log, err error) {
	err = l.read(ctx, "reading a log", func(c *zs.Conn) (err error) { g, err = findLog(c, origin); return err })
	return g, err
}

// Filter selects logs; an empty field selects all.
type Filter struct {
	Own    bool   // own ones; else those of others
	Party  string // a recipient, as far as it is known of others' logs
	Nation string // of the others: whose
	Accord string
}

// Logs gives logs, sorted by origin.
func (l *Ledger) Logs(ctx context.Context, f Filter) (out []Log, err error) {
	err = l.read(ctx, "reading the logs", func(c *zs.Conn) error {
		own := 0
		if f.Own {
			own = 1
		}
		return lite.Exec(c, "SELECT "+logColumns+" FROM log WHERE own = ? AND (? = '' OR nation = ?) AND (? = '' OR accord = ?) AND (? = '' OR instr(parties, ?) > 0) ORDER BY origin", func(st *zs.Stmt) error {
			g, err := scanLog(st)
			if err == nil && (f.Party == "" || slices.Contains(g.Parties, f.Party)) {
				out = append(out, g)
			}
			return err
		}, own, f.Nation, f.Nation, f.Accord, f.Accord, f.Party, f.Party)
	})
	return out, err
}

// Retire ends a log: nothing is added to it any more. An own one of the same identity begins a new epoch.
func (l *Ledger) Retire(ctx context.Context, origin string) error {
	return l.write(ctx, "retiring a log", func(c *zs.Conn) error {
		g, err := findLog(c, origin)
		if err == nil {
			err = lite.Exec(c, "UPDATE log SET retired = 1 WHERE id = ?", nil, g.id)
		}
		return err
	})
}

// Grown is closed when the next checkpoint is signed: whoever waits for news takes it, then looks, then waits.
func (l *Ledger) Grown() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grown
}

func (l *Ledger) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.grown)
	l.grown = make(chan struct{})
}
