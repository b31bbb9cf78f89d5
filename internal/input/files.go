package input

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"entente/internal/fault"
)

// Files follows the files that patterns name (path/filepath.Match; a directory stands for all files in it), as they grow and are rotated: renamed with a new file in their
// place, or copied and cut off. What was renamed is read to its end. A file that is found again under another name by its identity and its first bytes is not read again, nor is
// one that was copied or packed (gzip) from it, as far as it was read. Packed files and Windows event logs (EVTX)
// are read when they have stopped to grow, once.
//
// The blocks of a file are named by an ID that is drawn when it is first seen, and the MiB in which a line begins.
type Files struct {
	Patterns []string
	Follow   bool          // go on at the ends of files; else each is read to its end, once
	Poll     time.Duration // how often is looked for more; 250 ms
	Marks    *Checkpoints  // of this source alone; nil: begin at the beginning
	Counts   func(func(*Counts))

	lag     atomic.Int64           // as Lag says it
	failing atomic.Pointer[string] // as Failing says it
	open    map[[2]uint64]*file    // those that are followed, by device and inode
	named   map[string]*file       // of these those of which is known which they are, by ID
	handles int                    // how many of these are open
	index   *index                 // of what is known
	missed  map[string]bool        // IDs of files that were being read, and are not found
	ended   map[string]bool        // IDs of files that were left
	err     error                  // of this look
	buf     []byte
}

const (
	maxFiles   = 100_000 // that are followed at once
	maxHandles = 4000    // of them that are open
	readSize   = 1 << 18 // bytes at once
	blockBits  = 20      // of a place in a file, that do not count for the name of a block
)

// Run implements Source.
func (s *Files) Run(ctx context.Context, take func(*Batch) error) (err error) {
	if s.Poll <= 0 {
		s.Poll = 250 * time.Millisecond
	}
	defer func() { err = errors.Join(err, s.end()) }()
	if err := s.begin(); err != nil {
		return err
	}
	for first := true; ; first = false {
		began := time.Now()
		found, err := s.look(take)
		if err != nil {
			return err
		}
		if first && len(found) == 0 && !s.Follow {
			return fault.New(fault.NotFound, "input.files", "no file matches %q", s.Patterns)
		}
		pause := 4 * time.Since(began) // looking at very many files takes its time, too
		more, err := s.round(ctx, found, take)
		if err != nil || !s.Follow {
			return err
		}
		if !more {
			pause = max(pause, s.Poll)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

func (s *Files) begin() error {
	if s.Counts == nil {
		s.Counts = counter(new(Counts))
	}
	s.open, s.named, s.ended, s.missed, s.index, s.handles = map[[2]uint64]*file{}, map[string]*file{}, map[string]bool{}, map[string]bool{}, newIndex(), 0
	if s.Marks == nil || !s.Follow {
		return nil
	}
	return s.resume()
}

func (s *Files) end() (err error) {
	for _, f := range s.open {
		err = errors.Join(err, s.shut(f))
	}
	return errors.Join(err, s.Marks.settle(true))
}

// round reads what the files that were found have more. More: something came.
func (s *Files) round(ctx context.Context, found []*file, take func(*Batch) error) (more bool, err error) {
	if err := s.name(found); err != nil {
		return false, err
	}
	s.measure()
	for _, f := range found {
		n, err := s.drain(ctx, f, take)
		if err != nil {
			return false, err
		}
		if more = more || n > 0; f.current || n > 0 {
			f.quiet = 0
		} else {
			f.quiet++
		}
		if f.idle++; n > 0 {
			f.idle = 0
		}
		if !s.Follow && f.form == plain && ctx.Err() == nil {
			if err := s.finish(f, take, false); err != nil {
				return false, err
			}
		}
		if err := s.spare(f); err != nil {
			return false, err
		}
	}
	if !s.Follow {
		return more, nil
	}
	if err := errors.Join(s.leave(take), s.Marks.settle(false)); err != nil {
		return false, err
	}
	s.tell()
	return more, nil
}

// Lag is how many bytes of the files, as long as they were at the last look, are not read yet. Packed files and event logs count as a whole, until something of them is read.
func (s *Files) Lag() int64 { return max(0, s.lag.Load()) }

// measure says how much is not read.
func (s *Files) measure() {
	sum := int64(0)
	for _, f := range s.open {
		switch {
		case f.mark.Left != 0 || f.over:
		case f.form == plain:
			sum += max(0, f.size-f.read)
		case f.read == 0:
			sum += f.size
		}
	}
	s.lag.Store(sum)
}

func counter(c *Counts) func(func(*Counts)) {
	var mu sync.Mutex
	return func(f func(*Counts)) { mu.Lock(); defer mu.Unlock(); f(c) }
}

// look finds the files that there are now, in the order in which they were written to, or of their names.
func (s *Files) look(take func(*Batch) error) (found []*file, err error) {
	for _, f := range s.open {
		f.current = false
	}
	paths, err := s.paths()
	if err != nil {
		return nil, err
	}
	over := 0
	for _, path := range paths {
		f, cut, err := s.one(path)
		switch {
		case errors.Is(err, errMany):
			over++
			continue
		case errors.Is(err, os.ErrNotExist): // it was renamed meanwhile
			continue
		case err != nil && !s.Follow && errors.Is(err, errForm):
			continue
		case err != nil:
			s.trouble(nil, err)
			if !s.Follow {
				return nil, err
			}
			continue
		case cut:
			if err := s.cut(f, take); err != nil {
				return nil, err
			}
		}
		if f != nil && !f.current {
			f.current, f.stray = true, false
			found = append(found, f)
		}
	}
	if over > 0 {
		err := fault.New(fault.Full, "input.files", "at most %d files are followed at once: %d are not", maxFiles, over)
		if s.trouble(nil, err); !s.Follow {
			return nil, err
		}
	}
	for _, f := range s.open { // those without a name any more have their ends read too
		if f.current {
			continue
		}
		if f.f != nil {
			info, err := f.f.Stat()
			if err != nil {
				return nil, fmt.Errorf("looking at an input: %w", err)
			}
			f.size, f.changed = info.Size(), info.ModTime()
		}
		found = append(found, f)
	}
	if s.Follow { // what was written before is read before: rotated files come before those in their place
		slices.SortStableFunc(found, func(a, b *file) int { return a.changed.Compare(b.changed) })
	}
	return found, nil
}

// paths are those that patterns name now.
func (s *Files) paths() (paths []string, err error) {
	for _, p := range s.Patterns {
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			p = filepath.Join(p, "*")
		}
		match, err := filepath.Glob(p)
		if err != nil {
			return nil, fault.New(fault.Unprocessable, "input.files", "%q is no pattern of files: %v", p, err)
		}
		if len(match) == 0 && s.Follow { // which is what Glob says of directories that cannot be read, too
			if d, err := os.Open(fixed(p)); err != nil {
				s.trouble(nil, fmt.Errorf("looking for inputs: %w", err))
			} else if err := d.Close(); err != nil {
				return nil, fmt.Errorf("looking for inputs: %w", err)
			}
		}
		paths = append(paths, match...)
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// fixed is as much of a pattern as must be there before anything is that it names.
func fixed(pattern string) string {
	for strings.ContainsAny(pattern, `*?[\`) {
		pattern = filepath.Dir(pattern)
	}
	return pattern
}

var (
	errMany = errors.New("too many files")
	errForm = errors.New("it is a pipe, a socket or a device: it cannot be followed")
)

// one finds one file, as it is now; nil: it is none that can be followed. Cut: it is shorter than what was read of it.
func (s *Files) one(path string) (f *file, cut bool, err error) {
	m, info, ok, err := identify(path)
	if err != nil || !ok {
		return nil, false, err
	}
	size, changed := info.Size(), info.ModTime()
	if f := s.open[m.file()]; f != nil {
		f.mark.Path, f.changed = path, changed
		f.still = !s.Follow || size == f.size
		if cut = f.form == plain && size < f.read; cut {
			f.behind = f.read < f.size && f.mark.Left == 0
		}
		f.size = size
		return f, cut, nil
	}
	if len(s.open) >= maxFiles {
		return nil, false, errMany
	}
	f = &file{mark: m, size: size, changed: changed, still: !s.Follow}
	s.open[m.file()] = f
	return f, false, nil
}

// identify says which file stands at a path. Ok: it is one that can be followed.
func identify(path string) (m mark, info os.FileInfo, ok bool, err error) {
	if info, err = os.Stat(path); err != nil {
		return mark{}, nil, false, fmt.Errorf("looking at an input: %w", err)
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		return mark{}, nil, false, fmt.Errorf("looking at an input: %s: %w", path, errForm)
	}
	m, ok = identityOf(path, info)
	return m, info, ok, nil
}

func identityOf(path string, info os.FileInfo) (mark, bool) {
	id, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return mark{}, false
	}
	return mark{Path: path, Device: uint64(id.Dev), Inode: id.Ino}, true
}

// trouble counts what could not be read, and says so until it can; f: of one file.
func (s *Files) trouble(f *file, err error) {
	s.Counts(func(c *Counts) { c.Errors++ })
	if f != nil {
		f.err = err
	} else if s.err == nil {
		s.err = err
	}
}

// Failing says what cannot be read now.
func (s *Files) Failing() string {
	if text := s.failing.Load(); text != nil {
		return *text
	}
	return ""
}

// tell says what could not be read at this look.
func (s *Files) tell() {
	n, text := 0, ""
	for _, f := range s.open {
		if f.err != nil {
			n++
			if t := f.err.Error(); text == "" || t < text {
				text = t
			}
		}
	}
	if n > 1 {
		text = fmt.Sprintf("%d files cannot be read, among them: %s", n, text)
	}
	if s.err != nil {
		text = s.err.Error()
	}
	s.err = nil
	s.failing.Store(&text)
}

// cut begins a file anew whose text was cut off, and is written anew.
func (s *Files) cut(f *file, take func(*Batch) error) error {
	if len(f.rest) > 0 || f.long || f.behind {
		s.Counts(func(c *Counts) { c.Lost++ })
	}
	f.rest, f.long, f.behind = nil, false, false
	if err := s.finish(f, take, true); err != nil {
		return err
	}
	delete(s.named, f.mark.ID)
	f.mark = mark{Path: f.mark.Path, Device: f.mark.Device, Inode: f.mark.Inode}
	f.read, f.begin, f.tail, f.titles, f.failed = 0, 0, nil, nil, 0
	return nil
}

// patience is at how many looks nothing comes before a file is left that was renamed to what no pattern names: its writer may not know yet.
const patience = 20

// leave closes files that were renamed to what no pattern names, or removed, and have nothing more.
func (s *Files) leave(take func(*Batch) error) error {
	for k, f := range s.open {
		if f.current && f.idle > patience && f.text == nil && s.handles > maxHandles*3/4 { // it is opened again when it grows
			if err := s.shut(f); err != nil {
				return err
			}
		}
		if f.current || f.quiet < patience {
			continue
		}
		if f.f == nil && f.form == plain && f.mark.Left == 0 && f.read < f.size {
			s.Counts(func(c *Counts) { c.Lost++ }) // it was moved before it could be opened
		}
		if err := errors.Join(s.finish(f, take, true), s.shut(f)); err != nil {
			return err
		}
		delete(s.open, k)
		delete(s.named, f.mark.ID)
	}
	return nil
}
