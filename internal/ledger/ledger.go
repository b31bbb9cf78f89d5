// Package ledger remembers audience logs: this node's own, with what went out in them, and those of partners, as far as they were verified; who cosigned
// them, which receipts came, which orders wait. It is one SQLite file. What it acknowledged is durable.
package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
	"entente/peer"
)

const (
	fileName = "ledger.db"
	lockName = "ledger.lock"
	pageSize = 4096
	logKept  = 4 << 20
	busy     = 5 * time.Second
)

// room is what the ledger is called in its faults.
const room = lite.Room("ledger")

// Config is how a ledger is opened. Only Dir must be set.
type Config struct {
	Dir      string // is there already
	MaxBytes int64  // of the file; 0: what the disk holds
	Readers  int    // that read at once; 4
	Queue    int    // writers that may wait; 64
	Limits   peer.Limits
	Rand     io.Reader // of salts and the secret; crypto/rand
}

// Ledger is an open ledger. It is safe for concurrent use.
type Ledger struct {
	cfg      Config
	path     string
	lock     *os.File
	secret   []byte
	restored string         // names the last restore; empty: there was none
	files    lite.OpenFiles // of searches: they stay open, see lite.OpenFiles

	turn  chan struct{} // held by who writes
	queue chan struct{} // by those who wait for it
	w     *zs.Conn
	conns chan *zs.Conn

	mu      sync.Mutex
	grown   chan struct{} // closed and replaced whenever a checkpoint is signed
	closing chan struct{}
	once    sync.Once
	purging sync.Mutex   // held by a purge, which others wait for; taken before copying
	copying sync.RWMutex // held by backups to read, and by a purge, which they exclude
}

const schema = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE cursor(name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE log(id INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE, own INTEGER NOT NULL, nation TEXT NOT NULL, org TEXT NOT NULL, accord TEXT NOT NULL, parties TEXT NOT NULL,
	epoch INTEGER NOT NULL, retired INTEGER NOT NULL, size INTEGER NOT NULL, edge BLOB, note BLOB);
CREATE INDEX log_identity ON log(own, org, accord, parties);
CREATE TABLE leaf(pos INTEGER PRIMARY KEY, leaf BLOB NOT NULL, salt BLOB, envelope BLOB);
CREATE TABLE hash(pos INTEGER PRIMARY KEY, hash BLOB NOT NULL);
CREATE TABLE out(object TEXT NOT NULL, pos INTEGER NOT NULL, version TEXT NOT NULL, PRIMARY KEY(object, pos)) WITHOUT ROWID;
CREATE INDEX out_pos ON out(pos);
CREATE TABLE due(at INTEGER NOT NULL, pos INTEGER NOT NULL, PRIMARY KEY(at, pos)) WITHOUT ROWID;
CREATE TABLE held(pos INTEGER PRIMARY KEY, leaf BLOB NOT NULL, object TEXT NOT NULL, version TEXT NOT NULL, did TEXT NOT NULL, code TEXT NOT NULL,
	way TEXT NOT NULL DEFAULT '', at INTEGER NOT NULL DEFAULT 0);
CREATE INDEX held_object ON held(object) WHERE object <> '';
CREATE TABLE pending(pos INTEGER PRIMARY KEY, envelope BLOB NOT NULL);
CREATE TABLE outbox(id INTEGER PRIMARY KEY, log INTEGER NOT NULL, receipt BLOB NOT NULL);
CREATE TABLE cosigned(log INTEGER NOT NULL, party TEXT NOT NULL, size INTEGER NOT NULL, at INTEGER NOT NULL, note BLOB NOT NULL, PRIMARY KEY(log, party)) WITHOUT ROWID;
CREATE TABLE receipt(id INTEGER PRIMARY KEY, log INTEGER NOT NULL, party TEXT NOT NULL, digest BLOB NOT NULL, envelope BLOB NOT NULL);
CREATE UNIQUE INDEX receipt_digest ON receipt(digest, log, party);
CREATE TABLE act(pos INTEGER NOT NULL, party TEXT NOT NULL, receipt INTEGER NOT NULL, did TEXT NOT NULL, code TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(pos, party, receipt)) WITHOUT ROWID;
PRAGMA user_version=2;
`

// schema2 is what version 2 added to version 1: by which way a leaf came, and when.
const schema2 = "ALTER TABLE held ADD COLUMN way TEXT NOT NULL DEFAULT ''; ALTER TABLE held ADD COLUMN at INTEGER NOT NULL DEFAULT 0; PRAGMA user_version=2;"

const schemaVersion = 2

// isOrder tells whether a leaf is an order to retract, relabel or purge. Orders are few: they have an index of their own, which a ledger of before gets when
// it is opened, and which programs of before keep without knowing of it.
const (
	isOrder    = "substr(leaf, 1, 1) IN (x'02', x'03', x'04')"
	orderIndex = "CREATE INDEX IF NOT EXISTS leaf_order ON leaf(pos) WHERE " + isOrder
)

// Open opens the ledger in cfg.Dir and makes one when there is none. A purge that was cut short is completed first.
func Open(ctx context.Context, cfg Config) (_ *Ledger, err error) {
	if cfg.Readers <= 0 {
		cfg.Readers = 4
	}
	if cfg.Queue <= 0 {
		cfg.Queue = 64
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	cfg.Limits = cfg.Limits.Values()
	if err := ctx.Err(); err != nil {
		return nil, fault.As(err)
	}
	if info, err := os.Stat(cfg.Dir); err != nil || !info.IsDir() {
		return nil, fault.New(fault.Invalid, "ledger.dir", "the ledger's directory is not there").At(cfg.Dir).Because(err)
	}
	l := &Ledger{cfg: cfg, path: filepath.Join(cfg.Dir, fileName), files: lite.OpenFiles{}, turn: make(chan struct{}, 1), queue: make(chan struct{}, cfg.Queue),
		conns: make(chan *zs.Conn, cfg.Readers), grown: make(chan struct{}), closing: make(chan struct{})}
	if l.lock, err = lite.Lock(filepath.Join(cfg.Dir, lockName)); err != nil {
		return nil, room.Wrap("opening the ledger", err)
	}
	defer func() {
		if err != nil {
			err = room.Wrap("opening the ledger", errors.Join(err, l.release()))
		}
	}()
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	if l.w, err = open(l.path, true, cfg.MaxBytes/pageSize); err != nil {
		return nil, err
	}
	if err := l.prepare(); err != nil {
		return nil, err
	}
	for range cfg.Readers {
		c, err := open(l.path, false, 0)
		if err != nil {
			return nil, err
		}
		l.conns <- c
	}
	return l, nil
}

func open(path string, write bool, maxPages int64) (*zs.Conn, error) {
	flags := zs.OpenReadWrite
	if write {
		flags |= zs.OpenCreate
	}
	c, err := zs.OpenConn(path, flags)
	if err != nil {
		return nil, err
	}
	c.SetBusyTimeout(busy)
	set := "PRAGMA cache_size=-16384; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
	if write {
		set += fmt.Sprintf("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA journal_size_limit=%d;", logKept)
		if maxPages > 0 {
			set += fmt.Sprintf("PRAGMA max_page_count=%d;", maxPages)
		}
	} else {
		set += "PRAGMA query_only=ON;"
	}
	if err := lite.Script(c, set); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// prepare brings the file to this program's form.
func (l *Ledger) prepare() error {
	version, err := lite.Number(l.w, "PRAGMA user_version")
	switch {
	case err != nil:
		return err
	case version > schemaVersion:
		return fault.New(fault.Conflict, "ledger.schema", "the ledger was written by a later program (schema %d)", version).Try("run that program")
	case version == 0:
		if err := lite.Transact(l.w, func() error { return lite.Script(l.w, schema) }); err != nil {
			return err
		}
	case version == 1:
		if err := lite.Transact(l.w, func() error { return lite.Script(l.w, schema2) }); err != nil {
			return err
		}
	}
	if err := lite.Script(l.w, orderIndex+";"+refusedTable+";"); err != nil {
		return err
	}
	if err := l.rescrub(); err != nil {
		return err
	}
	err = lite.Exec(l.w, "SELECT name, value FROM meta WHERE name IN ('secret', 'restored')", func(st *zs.Stmt) error {
		if st.ColumnText(0) == "secret" {
			l.secret = lite.Blob(st, 1)
		} else {
			l.restored = st.ColumnText(1)
		}
		return nil
	})
	if err == nil && l.secret == nil {
		l.secret = make([]byte, 32)
		if _, err = io.ReadFull(l.cfg.Rand, l.secret); err == nil {
			err = lite.Exec(l.w, "INSERT INTO meta VALUES('secret', ?)", nil, l.secret)
		}
	}
	return err
}

// Close waits for what is at work and releases the files.
func (l *Ledger) Close() (err error) {
	l.once.Do(func() {
		close(l.closing)
		l.turn <- struct{}{}
		err = l.release()
	})
	return room.Wrap("closing the ledger", err)
}

func (l *Ledger) release() (err error) {
	if l.w != nil { // the readers are open
		for range cap(l.conns) {
			select {
			case c := <-l.conns:
				err = errors.Join(err, c.Close())
			case <-time.After(busy):
			}
		}
		err = errors.Join(err, l.w.Close())
	}
	return errors.Join(err, l.files.Close(), l.lock.Close())
}

// write runs f in a transaction, one at a time.
func (l *Ledger) write(ctx context.Context, doing string, f func(*zs.Conn) error) error {
	return l.alone(ctx, doing, func(c *zs.Conn) error { return lite.Transact(c, func() error { return f(c) }) })
}

// alone runs f when nobody else writes.
func (l *Ledger) alone(ctx context.Context, doing string, f func(*zs.Conn) error) error {
	select {
	case l.queue <- struct{}{}:
		defer func() { <-l.queue }()
	default:
		return fault.New(fault.Unavailable, "ledger.busy", "too many wait for the ledger").After(time.Second)
	}
	select {
	case <-l.closing:
		return room.Closed()
	default:
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return fault.As(ctx.Err())
	case <-l.closing:
		return room.Closed()
	}
	return room.Wrap(doing, f(l.w))
}

// read runs f on one state of the ledger.
func (l *Ledger) read(ctx context.Context, doing string, f func(*zs.Conn) error) error {
	select {
	case <-l.closing:
		return room.Closed()
	default:
	}
	select {
	case c := <-l.conns:
		defer func() { l.conns <- c }()
		err := lite.Exec(c, "BEGIN", nil)
		if err == nil {
			err = errors.Join(f(c), lite.Exec(c, "ROLLBACK", nil))
		}
		return room.Wrap(doing, err)
	case <-ctx.Done():
		return fault.As(ctx.Err())
	case <-l.closing:
		return room.Closed()
	}
}

// A position is a leaf of a log as one number.
const (
	indexBits = 40
	maxIndex  = 1<<indexBits - 1
)

func position(log int64, index uint64) int64 { return log<<indexBits | int64(index) }

func split(pos int64) (log int64, index uint64) { return pos >> indexBits, uint64(pos & maxIndex) }

// between stands between recipients, whose names may have spaces.
const between = "\n"

func joined(parties []string) string { return strings.Join(parties, between) }

func parted(parties string) []string {
	if parties == "" {
		return nil
	}
	return strings.Split(parties, between)
}
