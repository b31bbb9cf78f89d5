// Package relay remembers what this node carries for others: logs that it cannot read, in sealed batches, for readers whom their originators name; messages
// between nations; and the keys that one seals to. It verifies every log as a reader does, so that nobody uses it to show two pasts, and it is bounded
// for each originator. It is one SQLite file. What it acknowledged is durable, until its time is over.
package relay

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
	"entente/peer"
)

const (
	fileName = "relay.db"
	lockName = "relay.lock"
	busy     = 5 * time.Second
)

const room = lite.Room("relay")

// Bounds are of one originator, or of one recipient of messages. A zero field is its default.
type Bounds struct {
	Logs     int           // that one nation has here; 1000
	Bytes    int64         // of boxes that one nation has here; 1 GiB
	Age      time.Duration // after which boxes and messages are destroyed; 30 days
	Messages int           // that wait for one nation, of each other; 1000
}

// Values gives the bounds with defaults where nothing is set.
func (b Bounds) Values() Bounds {
	if b.Logs <= 0 {
		b.Logs = 1000
	}
	if b.Bytes <= 0 {
		b.Bytes = 1 << 30
	}
	if b.Age <= 0 {
		b.Age = 30 * 24 * time.Hour
	}
	if b.Messages <= 0 {
		b.Messages = 1000
	}
	return b
}

// Config is how a relay is opened. Dir must be set, and be there.
type Config struct {
	Dir    string
	Bounds Bounds
	Limits peer.Limits
	Now    func() time.Time
}

// Room is an open relay. It is safe for concurrent use.
type Room struct {
	cfg  Config
	lock *os.File

	turn   chan struct{} // held by who writes
	w      *zs.Conn
	traces bool // of what was replaced or destroyed are in the write-ahead log
	conns  chan *zs.Conn

	mu      sync.Mutex
	grown   chan struct{}
	said    time.Time // the last time that was given to be signed
	ahead   time.Time // until here times may be given without writing it down
	closing chan struct{}
	once    sync.Once
}

const readers = 4

const schema = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE log(id INTEGER PRIMARY KEY, nation TEXT NOT NULL, org TEXT NOT NULL, origin TEXT NOT NULL, readers TEXT NOT NULL, size INTEGER NOT NULL, edge BLOB, note BLOB,
	shown BLOB, bytes INTEGER NOT NULL, at INTEGER NOT NULL, UNIQUE(nation, origin));
CREATE TABLE hash(pos INTEGER PRIMARY KEY, hash BLOB NOT NULL);
CREATE TABLE box(pos INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, at INTEGER NOT NULL, box BLOB NOT NULL);
CREATE INDEX box_at ON box(at);
CREATE TABLE wrap(log INTEGER NOT NULL, epoch INTEGER NOT NULL, key BLOB NOT NULL, data BLOB NOT NULL, PRIMARY KEY(log, epoch, key)) WITHOUT ROWID;
CREATE TABLE mail(id INTEGER PRIMARY KEY AUTOINCREMENT, recipient TEXT NOT NULL, sender TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX mail_recipient ON mail(recipient, id);
CREATE TABLE statement(nation TEXT NOT NULL, org TEXT NOT NULL, epoch INTEGER NOT NULL, recipients TEXT NOT NULL, key BLOB NOT NULL, ends INTEGER NOT NULL, envelope BLOB NOT NULL,
	PRIMARY KEY(nation, org, epoch)) WITHOUT ROWID;
PRAGMA user_version=1;
`

// Open opens the relay in cfg.Dir and makes one when there is none.
func Open(ctx context.Context, cfg Config) (_ *Room, err error) {
	cfg.Bounds, cfg.Limits = cfg.Bounds.Values(), cfg.Limits.Values()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := ctx.Err(); err != nil {
		return nil, fault.As(err)
	}
	r := &Room{cfg: cfg, turn: make(chan struct{}, 1), conns: make(chan *zs.Conn, readers), grown: make(chan struct{}), closing: make(chan struct{})}
	if r.lock, err = lite.Lock(filepath.Join(cfg.Dir, lockName)); err != nil {
		return nil, room.Wrap("opening the relay", err)
	}
	defer func() {
		if err != nil {
			err = room.Wrap("opening the relay", errors.Join(err, r.release()))
		}
	}()
	path := filepath.Join(cfg.Dir, fileName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	if r.w, err = open(path, true); err != nil {
		return nil, err
	}
	version, err := lite.Number(r.w, "PRAGMA user_version")
	switch {
	case err != nil:
		return nil, err
	case version > 1:
		return nil, fault.New(fault.Conflict, "relay.schema", "the relay was written by a later program (schema %d)", version).Try("run that program")
	case version == 0:
		if err := lite.Transact(r.w, func() error { return lite.Script(r.w, schema) }); err != nil {
			return nil, err
		}
	}
	if err := lite.Exec(r.w, "PRAGMA wal_checkpoint(TRUNCATE)", nil); err != nil { // of a node that was stopped in between
		return nil, err
	}
	said, err := lite.Number(r.w, "SELECT value FROM meta WHERE name = 'said'")
	if err != nil {
		return nil, err
	}
	r.said = lite.UnpackTime(said)
	r.ahead = r.said
	for range readers {
		c, err := open(path, false)
		if err != nil {
			return nil, err
		}
		r.conns <- c
	}
	return r, nil
}

func open(path string, write bool) (*zs.Conn, error) {
	flags := zs.OpenReadWrite
	if write {
		flags |= zs.OpenCreate
	}
	c, err := zs.OpenConn(path, flags)
	if err != nil {
		return nil, err
	}
	c.SetBusyTimeout(busy)
	set := "PRAGMA cache_size=-8192; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
	if write { // what was replaced or forgotten is overwritten
		set += "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA journal_size_limit=4194304;"
	} else {
		set += "PRAGMA query_only=ON;"
	}
	if err := lite.Script(c, set); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close waits for what is at work and releases the files.
func (r *Room) Close() (err error) {
	r.once.Do(func() {
		close(r.closing)
		r.turn <- struct{}{}
		err = r.release()
	})
	return room.Wrap("closing the relay", err)
}

func (r *Room) release() (err error) {
	if r.w != nil {
		for range cap(r.conns) {
			select {
			case c := <-r.conns:
				err = errors.Join(err, c.Close())
			case <-time.After(busy):
			}
		}
		err = errors.Join(err, r.w.Close())
	}
	return errors.Join(err, r.lock.Close())
}

func (r *Room) write(ctx context.Context, doing string, f func(*zs.Conn) error) error {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return fault.As(ctx.Err())
	case <-r.closing:
		return room.Closed()
	}
	err := lite.Transact(r.w, func() error { return f(r.w) })
	if err == nil && r.traces {
		err = r.truncate()
	}
	return room.Wrap(doing, err)
}

// truncate empties the write-ahead log, in which what was replaced or destroyed still stands. Readers wait meanwhile. The caller has the turn.
func (r *Room) truncate() error {
	var held []*zs.Conn
	defer func() {
		for _, c := range held {
			r.conns <- c
		}
	}()
	for range cap(r.conns) {
		held = append(held, <-r.conns)
	}
	blocked, err := lite.Number(r.w, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err == nil && blocked != 0 {
		err = fault.New(fault.Unavailable, "relay.busy", "what was replaced could not be overwritten yet").After(time.Second)
	}
	if err == nil {
		r.traces = false
	}
	return err
}

func (r *Room) read(ctx context.Context, doing string, f func(*zs.Conn) error) error {
	select {
	case c := <-r.conns:
		defer func() { r.conns <- c }()
		err := lite.Exec(c, "BEGIN", nil)
		if err == nil {
			err = errors.Join(f(c), lite.Exec(c, "ROLLBACK", nil))
		}
		return room.Wrap(doing, err)
	case <-ctx.Done():
		return fault.As(ctx.Err())
	case <-r.closing:
		return room.Closed()
	}
}

// Grown is closed when something next came: whoever waits takes it, then looks, then waits.
func (r *Room) Grown() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.grown
}

func (r *Room) wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.grown)
	r.grown = make(chan struct{})
}

// lead is how far ahead of what was signed the time may be written down that a new start begins with.
const lead = 10 * time.Second

// Stamp is a time for what is signed: it never goes back, whatever the clock does and whenever the node stops. Two statements of a relay are judged by
// their times, and one that went back would accuse itself. A receipt is stamped after what it is about is kept, a head before what it is about is read.
func (r *Room) Stamp(ctx context.Context) (time.Time, error) {
	r.mu.Lock()
	at := r.cfg.Now().UTC()
	if at.Before(r.said) {
		at = r.said
	}
	r.said = at
	known := !at.After(r.ahead)
	r.mu.Unlock()
	if known {
		return at, nil
	}
	err := r.write(ctx, "keeping the time", func(c *zs.Conn) error {
		return lite.Exec(c, "INSERT OR REPLACE INTO meta VALUES('said', ?)", nil, lite.PackTime(at.Add(lead)))
	})
	if err == nil {
		r.mu.Lock()
		if until := at.Add(lead); until.After(r.ahead) {
			r.ahead = until
		}
		r.mu.Unlock()
	}
	return at, err
}

// Log is a log that is carried.
type Log struct {
	Nation  string // whose it is
	Org     string
	Origin  string
	Readers []string  // org:NATION/ORG
	Size    uint64    // leaves that are witnessed
	Bytes   int64     // of boxes that are kept
	At      time.Time // something last came

	Shown peer.Checkpoint // the newest that all leaves are here of: what readers are given
	Note  []byte          // Shown, as it is signed; nil: none yet

	id     int64
	edge   peer.Edge
	newest []byte // checkpoint
}

// Party is who hands over a log.
type Party struct{ Nation, Org string }

const columns = "id, nation, org, origin, readers, size, edge, note, shown, bytes, at"

func scan(st *zs.Stmt) (l Log, err error) {
	l = Log{id: st.ColumnInt64(0), Nation: st.ColumnText(1), Org: st.ColumnText(2), Origin: st.ColumnText(3), Readers: parted(st.ColumnText(4)), Size: uint64(st.ColumnInt64(5)),
		newest: lite.Blob(st, 7), Note: lite.Blob(st, 8), Bytes: st.ColumnInt64(9), At: lite.UnpackTime(st.ColumnInt64(10))}
	l.edge.Size = l.Size
	for e := lite.Blob(st, 6); len(e) >= tlog.HashSize; e = e[tlog.HashSize:] {
		l.edge.Nodes = append(l.edge.Nodes, tlog.Hash(e[:tlog.HashSize]))
	}
	if l.Note != nil {
		l.Shown, err = peer.PeekCheckpoint(l.Note)
	}
	return l, err
}

var errNone = fault.New(fault.NotFound, "relay.log", "there is no such log")

func find(c *zs.Conn, nation, origin string) (l Log, err error) {
	found := false
	err = lite.Exec(c, "SELECT "+columns+" FROM log WHERE nation = ? AND origin = ?", func(st *zs.Stmt) error {
		found = true
		l, err = scan(st)
		return err
	}, nation, origin)
	if err == nil && !found {
		err = errNone
	}
	return l, err
}
