package relay

import (
	"context"
	"slices"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
	"entente/peer"
)

// Send keeps a message for a nation.
func (r *Room) Send(ctx context.Context, from, to string, body []byte) error {
	if len(body) == 0 || len(body) > peer.MaxMessage {
		return fault.New(fault.TooLarge, "relay.message", "a message has 1 to %d bytes", peer.MaxMessage)
	}
	err := r.write(ctx, "keeping a message", func(c *zs.Conn) error {
		n, err := lite.Number(c, "SELECT count(*) FROM mail WHERE recipient = ? AND sender = ?", to, from)
		if err == nil && n >= int64(r.cfg.Bounds.Messages) {
			err = fault.New(fault.Full, "relay.mail", "%d messages of %s wait for %s, and no more are kept", n, from, to)
		}
		if err != nil {
			return err
		}
		return lite.Exec(c, "INSERT INTO mail(recipient, sender, at, body) VALUES(?,?,?,?)", nil, to, from, lite.PackTime(r.cfg.Now()), body)
	})
	if err == nil {
		r.wake()
	}
	return err
}

// atOnce bounds the messages of one answer, and their bytes.
const (
	atOnce      = 100
	bytesAtOnce = 2 << 20
)

// Mail gives messages for a nation that come after one, and forgets those up to it.
func (r *Room) Mail(ctx context.Context, to string, after int64) (out []peer.Message, err error) {
	if after > 0 {
		if err := r.write(ctx, "forgetting messages", func(c *zs.Conn) error {
			return lite.Exec(c, "DELETE FROM mail WHERE recipient = ? AND id <= ?", nil, to, after)
		}); err != nil {
			return nil, err
		}
	}
	err = r.read(ctx, "reading messages", func(c *zs.Conn) error {
		total := 0
		return lite.Exec(c, "SELECT id, sender, at, body FROM mail WHERE recipient = ? AND id > ? ORDER BY id LIMIT ?", func(st *zs.Stmt) error {
			if total += st.ColumnLen(3); total <= bytesAtOnce || len(out) == 0 {
				out = append(out, peer.Message{ID: st.ColumnInt64(0), From: st.ColumnText(1), At: lite.UnpackTime(st.ColumnInt64(2)), Body: lite.Blob(st, 3)})
			}
			return nil
		}, to, after, atOnce)
	})
	return out, err
}

// Newest is the number of the newest message that waits for a nation; 0: none does.
func (r *Room) Newest(ctx context.Context, to string) (n int64, err error) {
	err = r.read(ctx, "looking for messages", func(c *zs.Conn) error {
		n, err = lite.Number(c, "SELECT max(id) FROM mail WHERE recipient = ?", to)
		return err
	})
	return n, err
}

// Statement is a key that somebody seals to, as its holder states it.
type Statement struct {
	Epoch    uint32
	Key      [32]byte // id
	Ends     time.Time
	Envelope []byte
}

// maxStatements is how many statements of one organisation are kept: of keys that ended, what was sealed to them may be here still.
const maxStatements = 8

// State keeps the statement of a party, for nations to see.
func (r *Room) State(ctx context.Context, of Party, to []string, s Statement) error {
	return r.write(ctx, "keeping a key", func(c *zs.Conn) error {
		err := lite.Exec(c, "INSERT OR REPLACE INTO statement VALUES(?,?,?,?,?,?,?)", nil, of.Nation, of.Org, int64(s.Epoch), joined(to), s.Key[:], lite.PackTime(s.Ends), s.Envelope)
		if err == nil {
			err = lite.Exec(c, "UPDATE statement SET recipients = ? WHERE nation = ? AND org = ?", nil, joined(to), of.Nation, of.Org)
		}
		if err == nil {
			err = lite.Exec(c, "DELETE FROM statement WHERE nation = ?1 AND org = ?2 AND epoch NOT IN (SELECT epoch FROM statement WHERE nation = ?1 AND org = ?2 ORDER BY epoch DESC LIMIT ?3)", nil, of.Nation, of.Org, maxStatements)
		}
		return err
	})
}

// Statements gives those of a nation that one may seal to now, as far as they are for another to see.
func (r *Room) Statements(ctx context.Context, nation, reader string) (out [][]byte, err error) {
	err = r.read(ctx, "reading keys", func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT recipients, envelope FROM statement WHERE nation = ? AND ends > ? ORDER BY org, epoch", func(st *zs.Stmt) error {
			if slices.Contains(parted(st.ColumnText(0)), reader) {
				out = append(out, lite.Blob(st, 1))
			}
			return nil
		}, nation, lite.PackTime(r.cfg.Now()))
	})
	return out, err
}

// Expire destroys boxes and messages whose time is over. How far a log was taken stays known.
func (r *Room) Expire(ctx context.Context) (n int, err error) {
	before := lite.PackTime(r.cfg.Now().Add(-r.cfg.Bounds.Age))
	err = r.write(ctx, "destroying what is old", func(c *zs.Conn) error {
		sizes := map[int64]int64{}
		if err := lite.Exec(c, "SELECT pos, length(box) FROM box WHERE at < ? LIMIT 10000", func(st *zs.Stmt) error {
			n++
			sizes[st.ColumnInt64(0)>>indexBits] += st.ColumnInt64(1)
			return nil
		}, before); err != nil {
			return err
		}
		if err := lite.Exec(c, "DELETE FROM box WHERE pos IN (SELECT pos FROM box WHERE at < ? LIMIT 10000)", nil, before); err != nil {
			return err
		}
		r.traces = r.traces || n > 0
		for log, bytes := range sizes {
			if err := lite.Exec(c, "UPDATE log SET bytes = bytes - ? WHERE id = ?", nil, bytes, log); err != nil {
				return err
			}
			if err := lite.Exec(c, "DELETE FROM wrap WHERE log = ?1 AND epoch NOT IN (SELECT DISTINCT epoch FROM box WHERE pos >= ?2 AND pos < ?3)", nil, log, log<<indexBits, (log+1)<<indexBits); err != nil {
				return err
			}
		}
		return lite.Exec(c, "DELETE FROM mail WHERE at < ?", nil, before)
	})
	return n, err
}
