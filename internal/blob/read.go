package blob

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"entente/internal/disk"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

const (
	listStep = 500   // documents read at once
	maxList  = 1_000 // blobs of one page
)

// Get is what is known of a blob that the scope sees.
func (s *Store) Get(ctx context.Context, scope gate.Scope, id string) (Blob, error) {
	defer s.lock(id)()
	e, err := s.see(ctx, scope, id)
	if err != nil {
		return Blob{}, err
	}
	return e.Blob, s.release(ctx, scope, e)
}

// List is up to limit blobs that the scope sees, in the order they were added, after the place that an earlier page named as next. Next is
// empty when there are no more.
func (s *Store) List(ctx context.Context, scope gate.Scope, after string, limit int) (page []Blob, next string, err error) {
	if limit <= 0 || limit > maxList {
		limit = maxList
	}
	found := s.index.page(scope, parseCursor(after), limit+1)
	for i, p := range found {
		if i == limit {
			return page, found[i-1].cursor(), nil
		}
		if page, err = s.gather(ctx, scope, page, p.id); err != nil {
			return nil, "", err
		}
	}
	return page, "", nil
}

// Having is up to limit blobs of that content that the scope sees: one for each organisation and label that it was sent by and under. digest is its
// SHA-256 in hexadecimal digits of either case.
func (s *Store) Having(ctx context.Context, scope gate.Scope, digest string, limit int) (found []Blob, err error) {
	for _, p := range s.index.having(scope, strings.ToLower(digest), limit) {
		if found, err = s.gather(ctx, scope, found, p.id); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// gather adds a blob to a list, unless it has gone meanwhile or is damaged: the others are still there.
func (s *Store) gather(ctx context.Context, scope gate.Scope, list []Blob, id string) ([]Blob, error) {
	b, err := s.Get(ctx, scope, id)
	switch k := fault.Of(err); {
	case err == nil:
		return append(list, b), nil
	case k == fault.NotFound, k == fault.Internal:
		return list, nil
	}
	return nil, err
}

// Files hands out every complete file, sealed as it stands, for a backup. A file that is removed meanwhile is left out.
func (s *Store) Files(ctx context.Context, each func(name string, content io.Reader) error) error {
	names, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return diskFault("reading the folder of blobs", err)
	}
	one := func(name string) error {
		f, err := os.Open(s.path(name))
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return diskFault("reading a file", err)
		}
		defer f.Close()
		return each(name, f)
	}
	for _, n := range names {
		if err := ctx.Err(); err != nil {
			return fault.As(err)
		}
		if !IsFile(n.Name()) {
			continue
		}
		if err := one(n.Name()); err != nil {
			return err
		}
	}
	return nil
}

// IsFile tells whether a file of a complete blob can have that name.
func IsFile(name string) bool { return fileForm.MatchString(name) }

// LargestFile is the most bytes that the file of one blob can have.
var LargestFile = sealedSize(Largest)

// Content is the bytes of one blob. Close it.
type Content struct {
	Blob
	crc  uint32
	file *os.File
	in   *opener
	read int64
}

// Open opens the content of a blob that the scope sees. What is read from it is what was sent: any change of the file is an error.
func (s *Store) Open(ctx context.Context, scope gate.Scope, id string) (*Content, error) {
	defer s.lock(id)()
	e, err := s.see(ctx, scope, id)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(s.path(e.File))
	if err != nil {
		return nil, damaged(id, err)
	}
	in, err := newOpener(f, e.Key)
	if err == nil {
		err = s.release(ctx, scope, e)
	} else {
		err = damaged(id, err)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Content{Blob: e.Blob, crc: e.CRC32, file: f, in: in}, nil
}

func (c *Content) Read(b []byte) (n int, err error) {
	n, err = c.in.Read(b)
	c.read += int64(n)
	switch {
	case err == io.EOF && c.read != c.Size, err != nil && err != io.EOF:
		err = damaged(c.ID, err)
	}
	return n, err
}

// Close ends the reading.
func (c *Content) Close() error { return c.file.Close() }

// Holding says that a party was given a blob.
type Holding struct {
	Party  string    `json:"party"` // "NATION/organisation"
	Clause string    `json:"clause"`
	At     time.Time `json:"at"`
}

// release writes down, once and before it is given, that another organisation is given the blob.
func (s *Store) release(ctx context.Context, scope gate.Scope, e *entry) error {
	p := scope.Viewer().Party()
	if scope.IsOwn() || p == s.use.own || p == (gate.Party{Nation: e.Origin.Nation, Org: e.Origin.Org}) {
		return nil
	}
	key := e.ID + "/" + p.String()
	if _, err := s.db.Doc(ctx, docRelease, key); err == nil || fault.Of(err) != fault.NotFound {
		return err
	}
	clause, _ := scope.Clause(e.Mark())
	b, err := json.Marshal(Holding{Party: p.String(), Clause: clause, At: s.cfg.Now().UTC()})
	if err != nil {
		return fault.New(fault.Internal, "blob.release", "a release could not be written down").Because(err)
	}
	err = s.db.PutDocs(ctx, store.Act{Actor: actor(scope.Viewer()), Verb: docRelease, Target: e.ID, Detail: p.String() + " by " + clause},
		store.Doc{Kind: docRelease, Key: key, Value: b})
	if err != nil && fault.Of(err) == fault.Conflict { // somebody of the same organisation came first
		return nil
	}
	return err
}

// Holders says who else was given a blob that the scope sees.
func (s *Store) Holders(ctx context.Context, scope gate.Scope, id string) (held []Holding, err error) {
	if _, err := s.see(ctx, scope, id); err != nil {
		return nil, err
	}
	for after := id + "/"; ; {
		docs, err := s.db.Docs(ctx, docRelease, after, listStep)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if !strings.HasPrefix(d.Key, id+"/") {
				return held, nil
			}
			var h Holding
			if err := json.Unmarshal(d.Value, &h); err != nil {
				return nil, damaged(id, err)
			}
			held = append(held, h)
			after = d.Key
		}
		if len(docs) < listStep {
			return held, nil
		}
	}
}

// Remove destroys a blob of the viewer's own organisation: its key first, then its file. Who was given it stays known from the journal.
// A copy of the sealed key may stand in the store's write-ahead log until that is emptied; after Purge there is none.
func (s *Store) Remove(ctx context.Context, scope gate.Scope, id string) error {
	defer s.lock(id)()
	e, err := s.see(ctx, scope, id)
	if err != nil {
		return err
	}
	v := scope.Viewer()
	if v.Org != e.Origin.Org || v.Nation != e.Origin.Nation {
		return fault.New(fault.Forbidden, "blob.other", "only the organisation that sent a blob removes it").Try("ask it to, or have an officer purge it here")
	}
	s.changing.RLock()
	defer s.changing.RUnlock()
	s.cfg.step("removing")
	if err := s.db.PutDocs(ctx, store.Act{Actor: actor(v), Verb: "blob.remove", Target: id}, store.Doc{Kind: docBlob, Key: id, Version: e.version}); err != nil {
		return err
	}
	s.cfg.step("forgotten")
	return s.unlink(e)
}

// Purge destroys a blob that the scope sees: its document with the key, who was given it, then the file. The store's files are searched
// for traces, and the journal keeps only that something was purged.
func (s *Store) Purge(ctx context.Context, scope gate.Scope, id string) (store.PurgeReport, error) {
	defer s.lock(id)()
	e, err := s.see(ctx, scope, id)
	if err != nil {
		return store.PurgeReport{}, err
	}
	s.changing.RLock()
	defer s.changing.RUnlock()
	s.cfg.step("removing")
	report, err := s.db.Purge(ctx, scope, store.Purge{ID: id, Act: store.Act{Actor: actor(scope.Viewer()), Verb: "blob.purge", Target: id}})
	s.cfg.step("forgotten")
	if _, look := s.find(context.WithoutCancel(ctx), id); err != nil && (look == nil || fault.Of(look) != fault.NotFound) {
		return report, err
	}
	return report, errors.Join(err, s.unlink(e))
}

// unlink removes the file of a blob whose document is gone. What fails here, Sweep does again: without its key nobody can read it.
func (s *Store) unlink(e *entry) error {
	s.use.gone(&e.Blob)
	s.index.drop(&e.Blob)
	err := os.Remove(s.path(e.File))
	if err == nil {
		err = disk.Sync(s.cfg.Dir)
	}
	s.cfg.step("unlinked")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.cfg.Log.Warn("the file of a removed blob is still there", "file", e.File, "error", err)
	}
	return nil
}
