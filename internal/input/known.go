package input

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A file is known again by its device and number and by its first bytes; under another name or packed, in its directory or in an archive, by the beginning of its name, its first bytes and
// those before the place up to which it was read.

// likeness is what a file and what was made from it have in common.
type likeness struct {
	kin  string
	head edge
}

// index finds marks by how their files begin.
type index struct {
	sizes map[string]map[int64]bool // of heads, by kin
	ids   map[likeness][]string     // the newest last
	of    map[string]likeness       // by ID
}

func newIndex() *index {
	return &index{map[string]map[int64]bool{}, map[likeness][]string{}, map[string]likeness{}}
}

func (x *index) put(m *mark) {
	is := likeness{kin(m.Path), m.Head}
	if x.of[m.ID] == is || m.Head.Size == 0 {
		return
	}
	x.drop(m.ID)
	if x.sizes[is.kin] == nil {
		x.sizes[is.kin] = map[int64]bool{}
	}
	x.sizes[is.kin][m.Head.Size] = true
	x.ids[is], x.of[m.ID] = append(x.ids[is], m.ID), is
}

func (x *index) drop(id string) {
	was, ok := x.of[id]
	if !ok {
		return
	}
	delete(x.of, id)
	if x.ids[was] = slices.DeleteFunc(x.ids[was], func(s string) bool { return s == id }); len(x.ids[was]) == 0 {
		delete(x.ids, was)
	}
}

// maxAlike is how many files that begin alike are compared with one: where there are more, their beginnings do not say which is which.
const maxAlike = 100

// like gives the IDs of files of which one that begins so may have been made, the newest first.
func (x *index) like(kin string, head []byte) (ids []string) {
	for size := range x.sizes[kin] {
		if size <= int64(len(head)) {
			all := x.ids[likeness{kin, edgeOf(head[:size])}]
			ids = append(ids, all[max(0, len(all)-maxAlike):]...)
		}
	}
	slices.Reverse(ids)
	return ids
}

// kin is what the names of a file have in common wherever it is moved and however it is packed: conn of current/conn.log, of conn.2026-11-22-00-00-00.log and of
// 2026-11-22/conn.00:00:00-01:00:00.log.gz.
func kin(path string) string {
	base := strings.TrimSuffix(filepath.Base(path), ".gz")
	short, _, _ := strings.Cut(base, ".")
	for i := range len(short) - 1 {
		if strings.IndexByte("-_:", short[i]) >= 0 && short[i+1] >= '0' && short[i+1] <= '9' {
			short = short[:i]
			break
		}
	}
	if short = strings.TrimRight(short, "0123456789-_:"); short == "" {
		return base
	}
	return short
}

// stem is what the names of a file have in common when it is rotated in its directory: without the numbers and dates at their ends, and the ending of packed files.
func stem(path string) string {
	short := strings.TrimRight(strings.TrimSuffix(path, ".gz"), "0123456789.-_:")
	if short == "" || strings.HasSuffix(short, "/") {
		return path
	}
	return short
}

// resume opens the files that were being read when the checkpoints were kept and stand elsewhere now, beside their old names or where patterns name them, perhaps copied or packed: what they
// have more is not lost. What is not found is counted, and goes on should it come later.
func (s *Files) resume() error {
	missing := map[string]mark{}
	dirs := map[string]bool{}
	for _, m := range s.Marks.all() {
		if s.index.put(&m); m.since() == 0 {
			missing[m.ID] = m
			dirs[filepath.Dir(m.Path)] = true
		}
	}
	if len(missing) == 0 {
		return nil
	}
	paths, err := s.paths()
	if err != nil {
		return err
	}
	for dir := range dirs {
		list, err := os.ReadDir(dir)
		if err != nil {
			continue // it is not there any more
		}
		for _, d := range list {
			paths = append(paths, filepath.Join(dir, d.Name()))
		}
	}
	slices.Sort(paths)
	at, alike := map[[2]uint64]string{}, map[string][]string{}
	for _, path := range slices.Compact(paths) {
		if m, _, ok, _ := identify(path); ok {
			at[m.file()] = path
			alike[kin(path)] = append(alike[kin(path)], path)
		}
	}
	open := func(paths []string) error {
		var found []*file
		for _, path := range paths {
			f, _, err := s.one(path)
			if err != nil || f == nil || f.mark.ID != "" {
				continue // it is looked for again where patterns name it
			}
			f.stray, f.still = true, true
			found = append(found, f)
		}
		return s.name(found)
	}
	var same []string
	for _, m := range missing {
		if newest, _ := s.Marks.of(m.file()); newest.ID == m.ID && at[m.file()] != "" { // else it was cut off, and written anew
			same = append(same, at[m.file()])
		}
	}
	slices.Sort(same)
	if err := open(same); err != nil {
		return err
	}
	looked := map[string]bool{}
	for id, m := range missing {
		if k := kin(m.Path); s.named[id] == nil && !looked[k] {
			looked[k] = true
			if err := open(alike[k]); err != nil {
				return err
			}
		}
	}
	var gone []mark
	for id, m := range missing {
		if s.named[id] == nil {
			m.Gone = time.Now().Unix()
			gone = append(gone, m)
			s.missed[id] = true
			s.Counts(func(c *Counts) { c.Lost++ })
		}
	}
	return s.Marks.note(gone)
}

// name says which files those are that were not seen yet, or whose beginnings have grown, and makes it durable.
func (s *Files) name(found []*file) error {
	var marks []mark
	for _, known := range []bool{true, false} { // a file comes before its copies
		for _, f := range found {
			if _, is := s.Marks.of(f.mark.file()); is != known || s.open[f.mark.file()] != f {
				continue
			}
			changed, err := s.who(f)
			if err != nil && !errors.Is(err, os.ErrNotExist) { // else it was moved meanwhile: the next look says where to
				if f.f != nil {
					f.failed = f.size
				}
				if s.trouble(f, err); !s.Follow {
					return err
				}
			}
			if changed {
				s.index.put(&f.mark)
				marks = append(marks, f.mark)
			}
			if f.stray && f.mark.ID == "" { // only patterns bring it
				delete(s.open, f.mark.file())
				err = s.shut(f)
			} else {
				err = s.spare(f)
			}
			if err != nil {
				return err
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
			delete(s.named, f.mark.ID)
			f.mark.ID, f.mark.Left = rand.Text(), 0
			s.named[f.mark.ID] = f
			return true, nil
		case f.form == plain && f.mark.Left == 0 && f.mark.Head.Size < min(edgeBytes, f.size):
			if err := s.reach(f); err != nil {
				return false, err
			}
			head, err := f.head()
			f.mark.Head = edgeOf(head)
			return err == nil, err
		}
		return false, nil
	}
	if f.size < 2 && s.Follow || f.size == 0 || f.failed == f.size {
		return false, nil
	}
	if !f.still {
		f.waits = ""
	}
	if err := s.reach(f); err != nil {
		return false, err
	}
	f.err = nil
	if err := f.sniff(); err != nil || f.form != plain && !f.still {
		return false, err
	}
	head, err := f.head()
	if err != nil {
		return false, err
	}
	m, known := s.Marks.of(f.mark.file())
	if known {
		if known, err = s.same(f, head, &m); err != nil {
			return false, err
		}
	}
	if !known && s.Marks != nil && s.Follow {
		wait := false
		if m, known, wait, err = s.again(f, head); err != nil || wait {
			return false, err
		}
	}
	if !known {
		if f.stray {
			return false, nil
		}
		m = mark{ID: rand.Text()}
	}
	if s.missed[m.ID] { // it came late
		delete(s.missed, m.ID)
		s.Counts(func(c *Counts) { c.Lost-- })
	}
	f.mark.ID, f.mark.Offset, f.mark.Tail, f.mark.Left, f.mark.Head = m.ID, m.Offset, m.Tail, m.Left, edgeOf(head)
	f.read, f.begin, f.over = m.Offset, m.Offset, f.form != plain && m.Left != 0
	s.named[m.ID] = f
	return m.Left == 0, nil
}

// same tells whether a file of that device and number is the one that a mark speaks of: not one that was written anew in its place.
func (s *Files) same(f *file, head []byte, m *mark) (bool, error) {
	switch {
	case !m.Head.of(head), s.named[m.ID] != nil, f.form == plain && m.Offset > f.size:
		return false, nil
	case f.form != plain:
		return true, nil
	}
	return f.goesOn(m)
}

// goesOn tells whether a file has the text that was read, up to where that ended.
func (f *file) goesOn(m *mark) (bool, error) {
	if m.Offset == 0 {
		return true, nil
	}
	tail, n, err := f.before(m.Offset)
	return err == nil && n == m.Offset && m.Tail.of(tail[max(0, int64(len(tail))-m.Tail.Size):]), err
}

// again finds the file that another was made from, by copying, moving or packing it. Wait: that one is still being read itself, or what was read of it is not done with.
func (s *Files) again(f *file, head []byte) (m mark, known, wait bool, err error) {
	if f.form != plain && s.named[f.waits] != nil {
		return mark{}, false, true, nil
	}
	if f.waits = ""; f.still {
		f.waited++
	} else {
		f.waited = 0
	}
	near := stem(f.mark.Path)
	ids := s.index.like(kin(f.mark.Path), head)
	for _, id := range ids {
		o := s.named[id]
		if o == nil || o.form != plain {
			continue
		}
		if f.form == plain && o.current && f.waited > patience && stem(o.mark.Path) != near { // two files with the same text, neither of which takes the other's place
			continue
		}
		copied, err := s.copied(f, o)
		if err != nil {
			return mark{}, false, false, err
		}
		if copied {
			f.waits = id
			return mark{}, false, true, nil
		}
	}
	for _, id := range ids {
		o, ok := s.Marks.get(id)
		if !ok {
			s.index.drop(id)
			continue
		}
		few := o.Offset == 0 && o.Head.Size < edgeBytes // many files begin alike
		switch {
		case s.named[id] != nil, !o.Head.of(head), o.Path == f.mark.Path && f.form == plain:
			continue
		case known && (o.Offset < m.Offset || o.Offset == m.Offset && o.Head.Size <= m.Head.Size):
			continue
		case (few || stem(o.Path) != near) && !s.gone(&o):
			continue
		}
		is, err := f.goesOn(&o)
		if err != nil {
			return mark{}, false, false, err
		}
		if is {
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

// copied tells whether the text of a file is, as far as it goes, that of another which is being read.
func (s *Files) copied(f, o *file) (bool, error) {
	if s.reach(o) != nil {
		return false, nil
	}
	defer func() { _ = s.spare(o) }() // it is only read
	info, err := o.f.Stat()
	if err != nil {
		return false, nil
	}
	if info.Size() < o.read {
		return true, nil // it was just cut off: the next look says more
	}
	mine, n, err := f.before(info.Size() + 1)
	if err != nil || n > info.Size() {
		return false, err
	}
	theirs := make([]byte, len(mine))
	_, err = o.f.ReadAt(theirs, n-int64(len(mine)))
	return err == nil && bytes.Equal(mine, theirs), nil
}

// gone tells whether a file does not stand any more where it stood.
func (s *Files) gone(m *mark) bool {
	is, _, ok, err := identify(m.Path)
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	if !ok || is.file() != m.file() {
		return true
	}
	if newest, _ := s.Marks.of(m.file()); newest.ID != m.ID {
		return true // it was cut off, or another took its number
	}
	f := s.open[m.file()]
	if f == nil || f.mark.ID == m.ID || s.reach(f) != nil {
		return false
	}
	head, err := f.head()
	return err == nil && !m.Head.of(head)
}
