package input

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
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

	lag   atomic.Int64        // as Lag says it
	open  map[[2]uint64]*file // by device and inode
	stems map[string][]mark   // what is known, by what a name has in common with those of rotated files
	ended map[string]bool     // IDs of files that were left
	buf   []byte
}

const (
	maxFiles  = 10_000  // that are followed at once
	readSize  = 1 << 18 // bytes at once
	blockBits = 20      // of a place in a file, that do not count for the name of a block
)

// Run implements Source.
func (s *Files) Run(ctx context.Context, take func(*Batch) error) (err error) {
	if s.Poll <= 0 {
		s.Poll = 250 * time.Millisecond
	}
	if s.Counts == nil {
		s.Counts = counter(new(Counts))
	}
	s.open, s.ended = map[[2]uint64]*file{}, map[string]bool{}
	defer func() {
		for _, f := range s.open {
			err = errors.Join(err, f.close())
		}
	}()
	if err := s.renamed(); err != nil {
		return err
	}
	tick := time.NewTicker(s.Poll)
	defer tick.Stop()
	for first := true; ; first = false {
		found, err := s.look(take)
		if err != nil {
			return err
		}
		if first && len(found) == 0 && !s.Follow {
			return fault.New(fault.NotFound, "input.files", "no file matches %q", s.Patterns)
		}
		if err := s.name(found); err != nil {
			return err
		}
		s.measure()
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
			if !s.Follow && f.form == plain && ctx.Err() == nil {
				if err := s.finish(f, take, false); err != nil {
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

// look finds the files that there are now, in the order of their names, and opens those that are new.
func (s *Files) look(take func(*Batch) error) (found []*file, err error) {
	for _, f := range s.open {
		f.current = false
	}
	s.stems = nil
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
		f, cut, err := s.one(path)
		if err == nil && cut {
			if err := s.cut(f, take); err != nil {
				return nil, err
			}
		}
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
			f.current, f.stray = true, false
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

// one finds or opens one file; nil: it is none that can be followed. Cut: it is shorter than what was read of it.
func (s *Files) one(path string) (f *file, cut bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, false, fmt.Errorf("looking at an input: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, false, nil
	}
	id, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, false, fault.New(fault.Internal, "input.files", "files have no identity on this system")
	}
	m := mark{Path: path, Device: uint64(id.Dev), Inode: id.Ino}
	if f := s.open[m.file()]; f != nil {
		f.mark.Path = path
		f.still = !s.Follow || info.Size() == f.size
		f.size = info.Size()
		return f, f.form == plain && f.size < f.read, nil
	}
	if len(s.open) >= maxFiles {
		return nil, false, fault.New(fault.Full, "input.files", "at most %d files are followed at once", maxFiles)
	}
	h, err := os.Open(path)
	if err != nil {
		return nil, false, fmt.Errorf("opening an input: %w", err)
	}
	f = &file{f: h, mark: m, size: info.Size(), still: !s.Follow}
	s.open[m.file()] = f
	return f, false, nil
}

// renamed opens the files that were being read when the checkpoints were kept, and stand beside their old names now, perhaps packed: what they have more is not lost.
func (s *Files) renamed() error {
	if s.Marks == nil || !s.Follow {
		return nil
	}
	type there struct {
		path string
		file [2]uint64
	}
	dirs := map[string][]there{}
	var gone []mark
	for _, m := range s.Marks.all() {
		dir := filepath.Dir(m.Path)
		beside, ok := dirs[dir]
		if !ok {
			list, err := os.ReadDir(dir)
			if err != nil {
				dirs[dir] = nil
				continue // it is not there any more
			}
			beside = []there{}
			for _, d := range list {
				info, err := d.Info()
				if err != nil || !info.Mode().IsRegular() {
					continue
				}
				if id, ok := info.Sys().(*syscall.Stat_t); ok {
					beside = append(beside, there{filepath.Join(dir, d.Name()), [2]uint64{uint64(id.Dev), id.Ino}})
				}
			}
			dirs[dir] = beside
		}
		if m.Left != 0 || beside == nil {
			continue
		}
		at := -1
		if newest, _ := s.Marks.of(m.file()); newest.ID == m.ID { // else it was cut off, and written anew
			at = slices.IndexFunc(beside, func(t there) bool { return t.file == m.file() })
		}
		want := beside[:0:0]
		if at >= 0 {
			want = append(want, beside[at])
		} else {
			for _, t := range beside {
				if stem(t.path) == stem(m.Path) {
					want = append(want, t)
				}
			}
			gone = append(gone, m)
		}
		for _, t := range want {
			if s.open[t.file] != nil {
				continue
			}
			f, _, err := s.one(t.path)
			if err != nil || f == nil {
				continue // it is looked for again where patterns name it
			}
			f.stray, f.still = true, true
		}
	}
	var found []*file
	for _, f := range s.open {
		found = append(found, f)
	}
	if err := s.name(found); err != nil {
		return err
	}
	for i := range gone { // those that came again have their mark's name, and are being read
		if !slices.ContainsFunc(found, func(f *file) bool { return f.mark.ID == gone[i].ID }) {
			gone[i].Left = time.Now().Unix()
		}
	}
	return s.Marks.note(slices.DeleteFunc(gone, func(m mark) bool { return m.Left == 0 }))
}

// name says which files those are that were not seen yet, or whose beginnings have grown, and makes it durable.
func (s *Files) name(found []*file) error {
	var marks []mark
	for _, known := range []bool{true, false} { // a file comes before its copies
		for _, f := range found {
			if _, is := s.Marks.of(f.mark.file()); is != known {
				continue
			}
			changed, err := s.who(f)
			if err != nil {
				f.failed = f.size
				s.Counts(func(c *Counts) { c.Errors++ })
				if !s.Follow {
					return err
				}
				continue
			}
			if changed {
				marks = append(marks, f.mark)
			}
			if f.stray && f.mark.ID == "" { // only patterns bring it
				delete(s.open, f.mark.file())
				if err := f.close(); err != nil {
					return err
				}
			}
		}
	}
	return s.Marks.note(marks)
}

// who says which file one is. Without an ID after it, nobody knows yet.
func (s *Files) who(f *file) (changed bool, err error) {
	if f.mark.ID != "" {
		switch {
		case f.form == plain && f.mark.Left != 0 && f.size > f.read: // it goes on though it was left: what comes is no part of the block that ended there
			f.mark.ID, f.mark.Left = rand.Text(), 0
			return true, nil
		case f.form == plain && f.mark.Left == 0 && f.mark.Head.Size < min(edgeBytes, f.size):
			head, err := f.head()
			f.mark.Head = edgeOf(head)
			return err == nil, err
		}
		return false, nil
	}
	if f.size < 2 && s.Follow || f.size == 0 || f.failed == f.size {
		return false, nil
	}
	if err := f.sniff(); err != nil || f.form != plain && !f.still {
		return false, err
	}
	head, err := f.head()
	if err != nil {
		return false, err
	}
	m, known := s.Marks.of(f.mark.file())
	wait := false
	if known = known && m.Head.of(head) && (f.form != plain || m.Offset <= f.size); !known && s.Marks != nil && s.Follow {
		m, known, wait, err = s.again(f, head)
		if err != nil || wait {
			return false, err
		}
	}
	if !known {
		if f.stray {
			return false, nil
		}
		m = mark{ID: rand.Text()}
	}
	f.mark.ID, f.mark.Offset, f.mark.Tail, f.mark.Left, f.mark.Head = m.ID, m.Offset, m.Tail, m.Left, edgeOf(head)
	f.read, f.begin, f.over = m.Offset, m.Offset, f.form != plain && m.Left != 0
	return m.Left == 0, nil
}

// again finds the file that another was made from, by copying or packing it. Wait: that one is still being read itself, or what was read of it is not done with.
func (s *Files) again(f *file, head []byte) (m mark, known, wait bool, err error) {
	name := stem(f.mark.Path)
	for _, o := range s.open {
		if o == f || o.mark.ID == "" || o.form != plain || stem(o.mark.Path) != name || !o.mark.Head.of(head) {
			continue
		}
		mine, n, err := f.before(o.begin)
		if err != nil {
			return mark{}, false, false, err
		}
		theirs := make([]byte, len(mine))
		if _, err := o.f.ReadAt(theirs, n-int64(len(mine))); err == nil && bytes.Equal(mine, theirs) {
			return mark{}, false, true, nil
		}
	}
	if s.stems == nil {
		s.stems = map[string][]mark{}
		for _, m := range s.Marks.all() {
			s.stems[stem(m.Path)] = append(s.stems[stem(m.Path)], m)
		}
	}
	for _, o := range s.stems[name] {
		switch {
		case o.Path == f.mark.Path && f.form == plain, known && o.Offset <= m.Offset, !o.Head.of(head):
			continue
		case o.Offset == 0 && o.Head.Size < edgeBytes: // many files begin alike
			continue
		case slices.ContainsFunc(slices.Collect(maps.Values(s.open)), func(x *file) bool { return x.mark.ID == o.ID }):
			continue
		}
		tail, n, err := f.before(o.Offset)
		if err != nil {
			return mark{}, false, false, err
		}
		if n == 0 && o.Offset == 0 || n == o.Offset && o.Tail.of(tail[max(0, int64(len(tail))-o.Tail.Size):]) {
			m, known = o, true
		}
	}
	if known && m.Left == 0 && s.ended[m.ID] {
		return mark{}, false, true, nil
	}
	if known && m.Left != 0 {
		m.ID, m.Left = rand.Text(), 0
	}
	return m, known, false, nil
}

// cut begins a file anew whose text was cut off, and is written anew.
func (s *Files) cut(f *file, take func(*Batch) error) error {
	if len(f.rest) > 0 || f.long {
		s.Counts(func(c *Counts) { c.Lost++ })
	}
	f.rest, f.long = nil, false
	if err := s.finish(f, take, true); err != nil {
		return err
	}
	f.mark = mark{Path: f.mark.Path, Device: f.mark.Device, Inode: f.mark.Inode}
	f.read, f.begin, f.tail = 0, 0, nil
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
		if err := s.finish(f, take, true); err != nil {
			return err
		}
		if err := f.close(); err != nil {
			return err
		}
		delete(s.open, k)
	}
	return nil
}

// stem is what the names of a file have in common when it is rotated: without the numbers and dates at their ends, and the ending of packed files.
func stem(path string) string {
	short := strings.TrimRight(strings.TrimSuffix(path, ".gz"), "0123456789.-_:")
	if short == "" || strings.HasSuffix(short, "/") {
		return path
	}
	return short
}
