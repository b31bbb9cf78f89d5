package input

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"entente/internal/fault"
)

// Files follows the files that patterns name (path/filepath.Match; a directory stands for all files in it), as they grow and are rotated: renamed with a new file in their
// place, or copied and cut off. What was renamed is read to its end. A file that is found again under another name by its identity and its first bytes is not read again.
type Files struct {
	Patterns []string
	Follow   bool          // go on at the ends of files; else each is read to its end, once
	Poll     time.Duration // how often is looked for more; 250 ms
	Marks    *Checkpoints  // nil: begin at the beginning
	Counts   func(func(*Counts))

	open map[string]*file // by device and inode
}

const (
	headBytes = 1024    // of a file, by which it is known again
	maxFiles  = 10_000  // that are followed at once
	readSize  = 1 << 18 // bytes at once
)

// file is one that is read.
type file struct {
	f       *os.File
	mark    mark
	rest    []byte // of a line that has not ended
	read    int64  // bytes, the rest among them
	long    bool   // the line that is being read is too long: it is left out up to its end
	current bool   // it still stands where a pattern names it
	quiet   int    // looks at which nothing more came, since it does not
}

// Run implements Source.
func (s *Files) Run(ctx context.Context, take func(*Batch) error) (err error) {
	if s.Poll <= 0 {
		s.Poll = 250 * time.Millisecond
	}
	if s.Counts == nil {
		var mu sync.Mutex
		var c Counts
		s.Counts = func(f func(*Counts)) { mu.Lock(); f(&c); mu.Unlock() }
	}
	s.open = map[string]*file{}
	defer func() {
		for _, f := range s.open {
			err = errors.Join(err, f.f.Close())
		}
	}()
	if err := s.renamed(); err != nil {
		return err
	}
	tick := time.NewTicker(s.Poll)
	defer tick.Stop()
	for first := true; ; first = false {
		found, err := s.look()
		if err != nil {
			return err
		}
		if first && len(found) == 0 && !s.Follow {
			return fault.New(fault.NotFound, "input.files", "no file matches %q", s.Patterns)
		}
		more := false
		for _, f := range found {
			n, err := s.drain(ctx, f, take)
			if err != nil {
				return err
			}
			if more = more || n > 0; f.current || n > 0 {
				f.quiet = 0
			} else {
				f.quiet++
			}
			if !s.Follow {
				if err := s.end(f, take); err != nil {
					return err
				}
			}
		}
		if !s.Follow {
			return nil
		}
		if err := s.leave(take); err != nil {
			return err
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look finds the files that there are now, in the order of their names, and opens those that are new.
func (s *Files) look() (found []*file, err error) {
	for _, f := range s.open {
		f.current = false
	}
	var paths []string
	for _, p := range s.Patterns {
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			p = filepath.Join(p, "*")
		}
		match, err := filepath.Glob(p)
		if err != nil {
			return nil, fault.New(fault.Unprocessable, "input.files", "%q is no pattern of files: %v", p, err)
		}
		paths = append(paths, match...)
	}
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		f, err := s.one(path)
		if err != nil {
			if errors.Is(err, os.ErrNotExist) { // it was renamed meanwhile
				continue
			}
			s.Counts(func(c *Counts) { c.Errors++ })
			if !s.Follow {
				return nil, err
			}
			continue
		}
		if f != nil && !f.current {
			f.current = true
			found = append(found, f)
		}
	}
	for _, f := range s.open { // those without a name any more have their ends read too
		if !f.current {
			found = append(found, f)
		}
	}
	return found, nil
}

// one finds or opens one file; nil: it is none that can be followed.
func (s *Files) one(path string) (*file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("looking at an input: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil
	}
	id, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, fault.New(fault.Internal, "input.files", "files have no identity on this system")
	}
	m := mark{Path: path, Device: uint64(id.Dev), Inode: id.Ino}
	if f := s.open[m.key()]; f != nil {
		f.mark.Path = path
		if info.Size() < f.read { // it was cut off, and is written anew
			lost := f.read-int64(len(f.rest)) > info.Size()
			s.Counts(func(c *Counts) {
				if lost {
					c.Lost++
				}
			})
			f.reset()
		}
		return f, nil
	}
	if len(s.open) >= maxFiles {
		return nil, fault.New(fault.Full, "input.files", "at most %d files are followed at once", maxFiles)
	}
	h, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening an input: %w", err)
	}
	f := &file{f: h, mark: m}
	if s.Marks != nil {
		if kept, ok := s.Marks.of(m.Device, m.Inode); ok && kept.Offset <= info.Size() {
			head, err := headOf(h, kept.Size)
			if err != nil {
				return nil, errors.Join(err, h.Close())
			}
			if head == kept.Head { // else another file has the number now
				f.mark.Offset, f.mark.Head, f.mark.Size = kept.Offset, kept.Head, kept.Size
				f.read = kept.Offset
			}
		}
	}
	s.open[m.key()] = f
	return f, nil
}

func (f *file) reset() {
	f.mark.Offset, f.mark.Head, f.mark.Size, f.read, f.rest, f.long = 0, "", 0, 0, nil, false
}

// renamed opens the files that were being read when the checkpoints were kept, and stand beside their old names now: what they have more is not lost.
func (s *Files) renamed() error {
	if s.Marks == nil || !s.Follow {
		return nil
	}
	for _, m := range s.Marks.all() {
		beside, err := os.ReadDir(filepath.Dir(m.Path))
		if err != nil {
			continue // it is not there any more
		}
		for _, d := range beside {
			info, err := d.Info()
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			if id, ok := info.Sys().(*syscall.Stat_t); !ok || uint64(id.Dev) != m.Device || id.Ino != m.Inode {
				continue
			}
			f, err := s.one(filepath.Join(filepath.Dir(m.Path), d.Name()))
			if err != nil {
				return err
			}
			if f != nil && f.mark.Head != m.Head { // another file has the number now: only patterns bring it
				delete(s.open, m.key())
				if err := f.f.Close(); err != nil {
					return fmt.Errorf("closing an input: %w", err)
				}
			}
		}
	}
	return nil
}

// headOf is the hash of the first n bytes.
func headOf(f *os.File, n int) (string, error) {
	b := make([]byte, n)
	if n, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading an input: %w", err)
	} else if n < len(b) {
		return "", nil
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// drain gives what a file has, as far as lines end, and how many those are.
func (s *Files) drain(ctx context.Context, f *file, take func(*Batch) error) (lines int, err error) {
	buf := make([]byte, readSize)
	for ctx.Err() == nil {
		n, err := f.f.ReadAt(buf, f.read)
		if n == 0 {
			if err != nil && !errors.Is(err, io.EOF) {
				s.Counts(func(c *Counts) { c.Errors++ })
				if !s.Follow {
					return lines, fmt.Errorf("reading an input: %w", err)
				}
			}
			return lines, nil
		}
		f.read += int64(n)
		got, err := s.split(f, buf[:n], take)
		lines += got
		if err != nil {
			return lines, err
		}
	}
	return lines, nil
}

// split gives the lines that end in what was read.
func (s *Files) split(f *file, b []byte, take func(*Batch) error) (lines int, err error) {
	b = append(f.rest, b...)
	start := f.read - int64(len(b)) // in the file
	batch, size, at := &Batch{Source: f.mark.Path}, 0, 0
	give := func() error {
		if err := s.mark(f, start+int64(at)); err != nil {
			return err
		}
		batch.mark = f.mark
		if len(batch.Lines) > 0 {
			n := len(batch.Lines)
			if err := take(batch); err != nil {
				return err
			}
			lines += n
			s.Counts(func(c *Counts) { c.Lines += uint64(n); c.Bytes += uint64(size) })
		}
		batch, size = &Batch{Source: f.mark.Path}, 0
		return nil
	}
	for {
		end := bytes.IndexByte(b[at:], '\n')
		if end < 0 {
			break
		}
		line := bytes.TrimSuffix(b[at:at+end], []byte{'\r'})
		at += end + 1
		switch {
		case f.long:
			f.long = false
		case len(line) > MaxLine:
			s.Counts(func(c *Counts) { c.Long++ })
		case len(line) > 0:
			batch.Lines = append(batch.Lines, line)
			size += len(line)
		}
		if len(batch.Lines) >= maxBatch || size >= maxBytes {
			if err := give(); err != nil {
				return lines, err
			}
		}
	}
	if at > 0 {
		if err := give(); err != nil {
			return lines, err
		}
	}
	if f.rest = append([]byte(nil), b[at:]...); len(f.rest) > MaxLine {
		if !f.long {
			s.Counts(func(c *Counts) { c.Long++ })
		}
		f.rest, f.long = nil, true
	}
	return lines, nil
}

// mark notes how far a file is done with, and by what it is known again.
func (s *Files) mark(f *file, offset int64) error {
	f.mark.Offset = offset
	if n := int(min(offset, headBytes)); n > f.mark.Size {
		head, err := headOf(f.f, n)
		if err != nil {
			return err
		}
		f.mark.Head, f.mark.Size = head, n
	}
	return nil
}

// end gives the last line of a file that does not go on, where it has no end.
func (s *Files) end(f *file, take func(*Batch) error) error {
	if len(f.rest) == 0 || f.long {
		return nil
	}
	b := &Batch{Source: f.mark.Path, Lines: [][]byte{f.rest}}
	size := uint64(len(f.rest))
	f.rest = nil
	if err := s.mark(f, f.read); err != nil {
		return err
	}
	b.mark = f.mark
	if err := take(b); err != nil {
		return err
	}
	s.Counts(func(c *Counts) { c.Lines++; c.Bytes += size; c.Partial++ })
	return nil
}

// patience is at how many looks nothing comes before a file is left that was renamed to what no pattern names: its writer may not know yet.
const patience = 20

// leave closes files that were renamed to what no pattern names, or removed, and have nothing more.
func (s *Files) leave(take func(*Batch) error) error {
	for k, f := range s.open {
		if f.current || f.quiet < patience {
			continue
		}
		if err := s.end(f, take); err != nil {
			return err
		}
		if err := f.f.Close(); err != nil {
			return fmt.Errorf("closing an input: %w", err)
		}
		delete(s.open, k)
		if s.Marks != nil {
			if err := s.Marks.forget(func(m mark) bool { return m.Device == f.mark.Device && m.Inode == f.mark.Inode }); err != nil {
				return err
			}
		}
	}
	return nil
}
