// Package sqlite is the embedded driver of the store: one SQLite file in write-ahead mode, one writer that commits the work of many
// callers at once, and a few readers that never wait for it.
//
// # Layout
//
// A record is one row under the Seq of its first place. Every mark has a small number, and a page merges the streams of the numbers that
// the scope admits, so that it costs the same however rare the visible records are. Ids, values and references are keyed hashes in one
// integer table; every hit is verified against the record. New keys gather in memory, with a run of them on disk in the same
// transaction as their records, and are merged into the table in order, because random inserts into a large table would cost a page each.
package sqlite

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
	"entente/internal/store"
)

const (
	fileName    = "store.db"
	lockName    = "LOCK"
	pageSize    = 4096
	walKept     = 64 << 20 // bytes of the log that stay allocated
	busyTimeout = 5 * time.Second
	secretSize  = 32
)

// room is what the store is called in its faults.
const room = lite.Room("store")

// Config says where the store is and what it may use. The zero value of every field but Dir is a working default.
type Config struct {
	Dir       string           // must exist; the store's files are in it
	Now       func() time.Time // the clock
	Logger    *slog.Logger
	ReadConns int   // pages read at once; 4
	CacheKiB  int   // page cache of the writer, a quarter of it for each reader, so that four readers double it; 64 MiB
	MaxBytes  int64 // quota of the database file; 0: the disk

	freezeAt int // keys that gather before a merge
	slice    int // keys merged per transaction
	walHard  int64
	scan     int // records that a page looks at
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.ReadConns <= 0 {
		c.ReadConns = 4
	}
	if c.CacheKiB <= 0 {
		c.CacheKiB = 64 << 10
	}
	if c.walHard <= 0 {
		c.walHard = walHard
	}
	if c.scan == 0 {
		c.scan = pageScanned
	}
	if c.freezeAt <= 0 {
		c.freezeAt, c.slice = freezeAt, mergeSlice
	}
	return c
}

// Store is an open store. It implements store.Store.
type Store struct {
	cfg    Config
	path   string
	lock   *os.File
	secret []byte
	schema int
	marks  *marks
	colls  collections
	keys   atomic.Pointer[keys]
	newest atomic.Pointer[newest]

	conns chan *reader
	stop  chan struct{} // closed when Close begins
	once  sync.Once
	jobs  chan *job
	done  chan struct{} // closed when the writer has ended
	w     *writer

	purging sync.Mutex   // one purge at a time
	copying sync.RWMutex // held by backups to read, and by a purge, which they exclude
}

var _ store.Store = (*Store)(nil)

// Open opens the store in cfg.Dir, creating it when there is none. Another process that has it open makes it fail with a
// fault.Conflict that names the process.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s, err := open(ctx, cfg.withDefaults(), migrations)
	if err != nil {
		return nil, room.Wrap("opening the store", err)
	}
	return s, nil
}

func open(ctx context.Context, cfg Config, steps []migration) (_ *Store, err error) {
	if info, err := os.Stat(cfg.Dir); err != nil || !info.IsDir() {
		return nil, fault.New(fault.Invalid, "store.dir", "the store's directory is not there").At(cfg.Dir).Because(err)
	}
	s := &Store{cfg: cfg, path: filepath.Join(cfg.Dir, fileName), marks: newMarks(), stop: make(chan struct{}),
		jobs: make(chan *job, queueLength), done: make(chan struct{}), conns: make(chan *reader, cfg.ReadConns)}
	if s.lock, err = lite.Lock(filepath.Join(cfg.Dir, lockName)); err != nil {
		return nil, err
	}
	var c *zs.Conn
	defer func() {
		if err == nil {
			return
		}
		for len(s.conns) > 0 {
			(<-s.conns).c.Close()
		}
		if c != nil {
			c.Close()
		}
		s.lock.Close()
	}()
	if err := sweep(cfg.Dir); err != nil {
		return nil, err
	}
	if err := private(s.path); err != nil {
		return nil, err
	}
	if c, err = openConn(s.path, true, cfg.CacheKiB, cfg.MaxBytes/pageSize); err != nil {
		return nil, err
	}
	if s.schema, err = migrate(c, steps); err != nil {
		return nil, err
	}
	if err := rescrub(c); err != nil {
		return nil, err
	}
	if err := s.load(c); err != nil {
		return nil, err
	}
	for range cfg.ReadConns {
		rc, err := openConn(s.path, false, max(cfg.CacheKiB/4, 2048), 0)
		if err != nil {
			return nil, err
		}
		s.conns <- &reader{c: rc, s: s, h: newHasher(s.secret)}
	}
	go s.w.run()
	return s, nil
}

// load reads what the store keeps in memory: secret, marks, collections, recent keys, the last seq.
func (s *Store) load(c *zs.Conn) error {
	err := lite.Exec(c, "SELECT value FROM meta WHERE name = 'secret'", func(st *zs.Stmt) error { s.secret = lite.Blob(st, 0); return nil })
	if err != nil {
		return err
	}
	if len(s.secret) == 0 {
		s.secret = make([]byte, secretSize)
		rand.Read(s.secret)
		if err := lite.Exec(c, "INSERT INTO meta VALUES('secret', ?)", nil, s.secret); err != nil {
			return err
		}
	}
	if err := s.marks.load(c); err != nil {
		return err
	}
	if err := s.colls.load(c); err != nil {
		return err
	}
	w := &writer{s: s, c: c, h: newHasher(s.secret), files: lite.OpenFiles{}}
	ks := &keys{active: newRecent()}
	var run []keyRow
	err = lite.Exec(c, "SELECT id, keys FROM run ORDER BY id", func(st *zs.Stmt) (err error) {
		w.lastRun = st.ColumnInt64(0)
		run, err = unpackRun(lite.Blob(st, 1), run[:0])
		ks.active.add(run)
		return err
	})
	if err != nil {
		return err
	}
	s.keys.Store(ks)
	if w.last, err = lite.Number(c, "SELECT max(seq) FROM journal"); err != nil {
		return err
	}
	s.w = w
	s.grown(w.last)
	return nil
}

// private makes sure that the file is there and that only the node's own account reads it and what was left beside it. SQLite gives
// new files there the same mode.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("create the store's file: %w", err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	left, err := filesWith(filepath.Dir(path), fileName)
	for _, name := range left {
		err = errors.Join(err, os.Chmod(name, 0o600))
	}
	return err
}

// filesWith are the paths of the files in dir whose names begin so.
func filesWith(dir, prefix string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, err
}

// sweep removes what an interrupted backup or restore left.
func sweep(dir string) error {
	left, err := filesWith(dir, fileName+".part")
	if err != nil {
		return err
	}
	for _, f := range left {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an unfinished file: %w", err)
		}
	}
	return nil
}

// Close finishes the work in hand, refuses the rest, and releases the files.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		close(s.stop)
		<-s.done
		for range s.cfg.ReadConns {
			err = errors.Join(err, (<-s.conns).c.Close())
		}
		err = errors.Join(err, s.w.close(), s.w.files.Close(), s.lock.Close())
	})
	return room.Wrap("closing the store", err)
}
