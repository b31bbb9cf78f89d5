// Package index finds records: by words, values and filters, and along the graph of what names what. It follows the journal with a
// cursor into a file of its own, lags visibly behind, and can be thrown away and made again.
//
// # What it never tells
//
// Every query begins with a view: the records that the asker's scope admits at that moment, one for each object, judged by the gate by
// their marks. Matching, ranking, counting, facets, suggestions and the graph see nothing outside it, and no limit counts what lies
// outside. Ranks depend on the found record alone, and not on how often its words occur elsewhere. What a query returns are ids and
// records; bodies come from exchange.Read, which judges again and writes down what leaves.
//
// # Layout
//
// Words and values are terms of segments, sorted and immutable, that are merged as they gather. All other tables are written at their ends.
// What every query needs of each record, the hashes of ids, and the references between objects, are in memory: about 100 bytes for each
// record with two references.
package index

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
)

// Source is the journal, read with the node's own scope.
type Source interface {
	// Follow returns the entries after a place, at most limit; none at the end.
	Follow(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error)
}

// room is what the index is called in its faults.
const room = lite.Room("index")

// Config says where the index is and what it may use.
type Config struct {
	Dir    string // made if it is not there; the index's files are in it
	Nation string // the node's own
	Org    string
	Now    func() time.Time
	Logger *slog.Logger

	Poll     time.Duration // how often the journal is looked at; 0: 200 ms
	Batch    int           // entries of one commit; 0: 2,000
	CacheKiB int           // page cache of the writer, a quarter of it for each of three readers; 0: 16 MiB
	Readers  int           // queries at once; 0: 3
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Poll <= 0 {
		c.Poll = 200 * time.Millisecond
	}
	if c.Batch <= 0 {
		c.Batch = 2000
	}
	if c.CacheKiB <= 0 {
		c.CacheKiB = 16 << 10
	}
	if c.Readers <= 0 {
		c.Readers = 3
	}
	return c
}

const fileName = "index.db"

// fileSuffixes are what SQLite adds to the names of its files.
var fileSuffixes = []string{"", "-wal", "-shm"}

// Index is an open index. Its methods are safe for concurrent use.
type Index struct {
	cfg     Config
	path    string
	source  Source
	metrics metrics

	mu     sync.RWMutex // of what follows
	cols   *columns
	gen    uint64 // counts the changes of cols, but for those of segments, which change nothing that is found
	secret []byte // of the file

	views struct {
		mu   sync.Mutex
		kept map[string]*view
	}

	conns  chan *zs.Conn
	opened int // of the follower alone, as w
	w      *writer

	stop   context.CancelFunc
	done   chan struct{}
	asked  chan request
	lag    atomic.Pointer[Lag]
	failed atomic.Pointer[error]
}

// Lag is how far the index is behind the journal.
type Lag struct {
	Cursor  record.Seq
	Caught  bool          // the end of the journal was reached at the last look
	Entries int           // read and not yet indexed; there may be more behind them
	Behind  time.Duration // the age of the oldest entry that is not indexed
	Records int
	Error   string // why it does not get on
}

// Open begins to read the index in cfg.Dir and to follow; queries wait for it. An index that is damaged, of another version, or of another
// journal is made anew.
func Open(ctx context.Context, cfg Config, source Source) (*Index, error) {
	cfg = cfg.withDefaults()
	x := &Index{cfg: cfg, path: filepath.Join(cfg.Dir, fileName), source: source, metrics: newMetrics(), conns: make(chan *zs.Conn, cfg.Readers),
		done: make(chan struct{}), asked: make(chan request)}
	x.lag.Store(&Lag{})
	x.cols = newColumns()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, room.Wrap("opening the index", err)
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	x.stop = stop
	go x.follow(run)
	return x, nil
}

// open opens the file and reads what is kept in memory.
func (x *Index) open(ctx context.Context) error {
	w, cols, err := openIndex(ctx, x.path, x.cfg)
	if err != nil {
		return err
	}
	x.w = w
	for range x.cfg.Readers {
		c, err := openReader(x.path, max(x.cfg.CacheKiB/4, 2048))
		if err != nil {
			return err
		}
		x.conns <- c
		x.opened++
	}
	if w.cursor != 0 { // a journal that was restored from a backup may be another one
		at, err := x.source.Follow(ctx, w.cursor-1, 1)
		if err != nil {
			return err
		}
		if len(at) == 0 || at[0].Seq != w.cursor {
			return errors.New("the journal is not the one that was indexed")
		}
	}
	x.mu.Lock()
	x.cols, x.secret = cols, w.secret
	x.gen++
	x.mu.Unlock()
	return nil
}

// shut closes the connections. Queries under way end first.
func (x *Index) shut() (err error) {
	for ; x.opened > 0; x.opened-- {
		select {
		case c := <-x.conns:
			err = errors.Join(err, c.Close())
		case <-time.After(shutPatience):
			err = errors.Join(err, errors.New("a query did not end"))
		}
	}
	if x.w != nil {
		err = errors.Join(err, x.w.c.Close())
		x.w = nil
	}
	return err
}

// shutPatience is how long a query may go on after the index is closed.
const shutPatience = 10 * time.Second

// anew begins with an empty file.
func (x *Index) anew(ctx context.Context) error {
	if err := x.shut(); err != nil {
		x.cfg.Logger.Warn("closing the old index", "error", err)
	}
	for _, suffix := range fileSuffixes {
		if err := os.Remove(x.path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return x.open(ctx)
}

// Close ends the follower and releases the files.
func (x *Index) Close() error {
	x.stop()
	<-x.done
	return room.Wrap("closing the index", x.shut())
}

// Lag tells how far the index is behind.
func (x *Index) Lag() Lag {
	l := *x.lag.Load()
	x.mu.RLock()
	l.Records = x.cols.living
	x.mu.RUnlock()
	if e := x.failed.Load(); e != nil {
		l.Error = fault.As(*e).Message
	}
	return l
}

// State is how the index is, for who runs the node.
type State struct {
	Caught   bool    `json:"caught_up"` // the end of the journal was reached at the last look
	Waiting  int     `json:"waiting"`   // entries that are read and not yet indexed; there may be more behind them
	Behind   float64 `json:"behind"`    // the age of the oldest entry that is not indexed, in seconds
	Records  int     `json:"records"`   // that can be found
	Segments int     `json:"segments"`
	Bytes    int64   `json:"bytes"`           // of its files
	Error    string  `json:"error,omitempty"` // why it does not get on
}

// State tells how the index is.
func (x *Index) State() State {
	l := x.Lag()
	s := State{Caught: l.Caught, Waiting: l.Entries, Behind: l.Behind.Seconds(), Records: l.Records, Error: l.Error}
	x.mu.RLock()
	s.Segments = len(x.cols.segments)
	x.mu.RUnlock()
	for _, suffix := range fileSuffixes {
		if at, err := os.Stat(x.path + suffix); err == nil {
			s.Bytes += at.Size()
		}
	}
	return s
}

// request is something that the follower is to do between two looks at the journal.
type request struct {
	do   func(context.Context) error
	done chan error
}

func (x *Index) ask(ctx context.Context, do func(context.Context) error) error {
	r := request{do, make(chan error, 1)}
	select {
	case x.asked <- r:
	case <-ctx.Done():
		return fault.As(ctx.Err())
	case <-x.done:
		return room.Closed()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return fault.As(ctx.Err())
	}
}

// Sync returns once everything that was in the journal at the call is indexed: after a purge, once no byte is left here either.
func (x *Index) Sync(ctx context.Context) error {
	return room.Wrap("waiting for the index", x.ask(ctx, x.catchUp))
}

// Rebuild throws the index away and begins again. Queries find what has been indexed so far.
func (x *Index) Rebuild(ctx context.Context) error {
	return room.Wrap("rebuilding the index", x.ask(ctx, x.rebuild))
}
