// Package blob keeps attachments and malware samples: files of any content, each encrypted at rest under a random key of its own, with
// labels as any record. The key stands only in the blob's document in the node's store, sealed under a key of the keyring, so that a blob
// is gone for good when its document is.
//
// A file is durable in its place before its document is committed, and its document is gone before it is removed. What a crash leaves
// between is a file without a document, which nobody can read any more: the next Sweep takes it away.
package blob

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"entente/internal/disk"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

// Config is what a blob store needs to know.
type Config struct {
	Dir    string // where the files stand; made when it is not there
	Secret []byte // 32 bytes that belong to nothing else
	Nation string // the node's own organisation: its quota is the whole, and what goes to others is written down
	Org    string
	Realm  string
	Now    func() time.Time
	Log    *slog.Logger

	MaxBytes   int64 // of one blob; 0: 256 MiB, at most 2 GiB
	TotalBytes int64 // of all; 0: 64 GiB
	TotalCount int64 // of all; 0: 100,000
	Share      int64 // what one other organisation may hold is a Share-th of the totals; 0: a tenth

	step func(string) // tests: called between the steps of a change
}

// Largest is the most that one blob can have: what the plain ZIP format still says.
const Largest = 2 << 30

func (c *Config) defaults() error {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.step == nil {
		c.step = func(string) {}
	}
	for _, d := range []struct {
		v    *int64
		none int64
	}{{&c.MaxBytes, 256 << 20}, {&c.TotalBytes, 64 << 30}, {&c.TotalCount, 100_000}, {&c.Share, 10}} {
		if *d.v == 0 {
			*d.v = d.none
		}
		if *d.v < 0 {
			return fault.New(fault.Invalid, "blob.config", "a limit of blobs is negative")
		}
	}
	if c.MaxBytes > Largest {
		return fault.New(fault.Invalid, "blob.config", "a blob cannot have more than %d bytes", int64(Largest))
	}
	if len(c.Secret) < 32 {
		return fault.New(fault.Invalid, "blob.config", "the secret of blobs is too short")
	}
	return nil
}

// Store is a node's blobs. Its methods are safe for concurrent use. Failures are *fault.Error; what a scope does not admit is NotFound,
// in the same words as what is not there.
type Store struct {
	cfg   Config
	db    store.Store
	vault vault

	// changing is held shared while a file is put in its place and its document committed, and alone by Sweep.
	changing sync.RWMutex
	locks    [64]sync.Mutex // by id: one change of a blob at a time
	use      usage
	index    index
}

// Open opens the blobs of a node beside its store, and clears away what a crash has left.
func Open(ctx context.Context, cfg Config, db store.Store) (*Store, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	v, err := newVault(cfg.Secret)
	if err != nil {
		return nil, fault.New(fault.Internal, "blob.key", "the key of blobs cannot be made").Because(err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, diskFault("opening the blobs", err)
	}
	s := &Store{cfg: cfg, db: db, vault: v}
	s.use.init(cfg)
	return s, s.Sweep(ctx)
}

func (s *Store) lock(id string) (unlock func()) {
	var h uint
	for i := range len(id) {
		h = h*31 + uint(id[i])
	}
	m := &s.locks[h%uint(len(s.locks))]
	m.Lock()
	return m.Unlock
}

func (s *Store) path(name string) string { return filepath.Join(s.cfg.Dir, name) }

// find is the entry of an id, whoever asks.
func (s *Store) find(ctx context.Context, id string) (*entry, error) {
	if !idForm.MatchString(id) {
		return nil, notFound()
	}
	d, err := s.db.Doc(ctx, docBlob, id)
	if fault.Of(err) == fault.NotFound && err != nil {
		return nil, notFound()
	}
	if err != nil {
		return nil, err
	}
	e, err := s.vault.open(id, d.Value, d.Version)
	if err != nil {
		return nil, damaged(id, err)
	}
	return e, nil
}

// see is find for the holder of a scope.
func (s *Store) see(ctx context.Context, scope gate.Scope, id string) (*entry, error) {
	e, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if !sees(scope, &e.Blob) {
		return nil, notFound()
	}
	return e, nil
}

func sees(scope gate.Scope, b *Blob) bool {
	m := b.Mark()
	return scope.Admits(m) && scope.InForce(m, b.Label.NotBefore, b.Label.NotAfter)
}

func notFound() error { return fault.New(fault.NotFound, "", "no such blob") }

func damaged(id string, err error) error {
	return fault.New(fault.Internal, "blob.damaged", "the blob %s is damaged", id).Because(err)
}

func actor(v gate.Viewer) string { return v.Org + "/" + v.Person }

// diskFault turns what the file system says into a fault.
func diskFault(doing string, err error) error {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EIO} {
		if errors.Is(err, full) {
			return noRoom("the disk has no room or fails: nothing of this was stored").Because(err)
		}
	}
	return fault.New(fault.Internal, "blob.disk", "%s failed", doing).Because(err)
}

func noRoom(message string) *fault.Error {
	return fault.New(fault.Full, "blob.full", "%s", message).Try("remove blobs that are no longer needed, or ask for more room").After(30 * time.Second)
}

func randomName() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

const partial = ".part" // ends the name of a file that is being written

// Sweep removes files that no document knows, and counts anew. Uploads wait meanwhile; only those whose file is not complete go on.
func (s *Store) Sweep(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	known := map[string]bool{}
	held := map[gate.Party]amount{}
	var all []Blob
	sure := true
	for after := ""; ; {
		docs, err := s.db.Docs(ctx, docBlob, after, listStep)
		if err != nil {
			return err
		}
		if len(docs) == 0 {
			break
		}
		after = docs[len(docs)-1].Key
		for _, d := range docs {
			e, err := s.vault.open(d.Key, d.Value, d.Version)
			if err != nil { // which file is its own cannot be told: then none is removed
				s.cfg.Log.Error("the document of a blob cannot be read", "blob", d.Key, "error", err)
				sure = false
				continue
			}
			known[e.File] = true
			all = append(all, e.Blob)
			p := gate.Party{Nation: e.Origin.Nation, Org: e.Origin.Org}
			held[p] = held[p].plus(amount{1, e.Size})
		}
	}
	files, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return diskFault("reading the folder of blobs", err)
	}
	for _, f := range files {
		name, part := strings.CutSuffix(f.Name(), partial)
		if !fileForm.MatchString(name) || !part && (known[name] || !sure) || part && s.use.writing(name) {
			continue
		}
		if err := os.Remove(s.path(f.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return diskFault("removing a file without a document", err)
		}
		s.cfg.Log.Info("a file that no blob needs was removed", "file", f.Name())
	}
	s.use.recount(held)
	s.index.fill(all)
	return disk.Sync(s.cfg.Dir)
}

// Now is the store's clock.
func (s *Store) Now() time.Time { return s.cfg.Now() }

// MaxBytes is the most that one blob may have.
func (s *Store) MaxBytes() int64 { return s.cfg.MaxBytes }

// Usage is how many blobs there are and how many bytes they have.
func (s *Store) Usage() (count, bytes int64) { return s.use.sum() }
