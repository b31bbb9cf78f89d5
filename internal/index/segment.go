package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/lite"
)

// segment is an immutable sorted list of terms, each with the numbers of the records that have it. Its terms stand in blocks, every one
// after the length of what it shares with the one before; dir has the first term of each block.
type segment struct {
	id     int64
	level  int
	lo, hi uint32 // the numbers that it covers; those of two segments never overlap
	dir    [][]byte
	dead   int // records of it that are gone
}

const (
	blockBytes = 8 << 10 // a block is closed once it has so many
	blockBits  = 24      // of a block's id are its place in the segment
	maxTerm    = 240     // bytes of a term
)

var errSegment = errors.New("a block of the index is damaged")

// blockWriter writes the blocks of a new segment from terms in ascending order.
type blockWriter struct {
	c      *zs.Conn
	id     int64
	lo, hi uint32
	buf    []byte
	last   []byte
	dir    []byte
	first  [][]byte
	tmp    []byte
}

func (w *blockWriter) add(term []byte, ns []uint32) error {
	if len(w.buf) == 0 {
		w.dir = binary.AppendUvarint(w.dir, uint64(len(term)))
		w.dir = append(w.dir, term...)
		w.first = append(w.first, bytes.Clone(term))
		w.last = w.last[:0]
	}
	shared := 0
	for shared < len(term) && shared < len(w.last) && term[shared] == w.last[shared] {
		shared++
	}
	w.buf = binary.AppendUvarint(w.buf, uint64(shared))
	w.buf = binary.AppendUvarint(w.buf, uint64(len(term)-shared))
	w.buf = append(w.buf, term[shared:]...)
	w.tmp = appendPostings(w.tmp[:0], ns, w.lo, w.hi)
	w.buf = binary.AppendUvarint(w.buf, uint64(len(w.tmp)))
	w.buf = append(w.buf, w.tmp...)
	w.last = append(w.last[:0], term...)
	if len(w.buf) >= blockBytes {
		return w.flush()
	}
	return nil
}

func (w *blockWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	id := w.id<<blockBits | int64(len(w.first)-1)
	err := lite.Exec(w.c, "INSERT INTO block(id, data) VALUES(?,?)", nil, id, w.buf)
	w.buf = w.buf[:0]
	return err
}

// end makes the segment known.
func (w *blockWriter) end(level int) (*segment, error) {
	if err := w.flush(); err != nil {
		return nil, err
	}
	s := &segment{id: w.id, level: level, lo: w.lo, hi: w.hi, dir: w.first}
	return s, lite.Exec(w.c, "INSERT INTO segment(id, level, lo, hi, dir) VALUES(?,?,?,?,?)", nil, s.id, int64(level), s.lo, s.hi, w.dir)
}

func readSegment(st *zs.Stmt) (*segment, error) {
	s := &segment{id: st.ColumnInt64(0), level: int(st.ColumnInt64(1)), lo: uint32(st.ColumnInt64(2)), hi: uint32(st.ColumnInt64(3))}
	for dir := lite.Blob(st, 4); len(dir) > 0; {
		n, w := binary.Uvarint(dir)
		if w <= 0 || n > uint64(len(dir)-w) {
			return nil, errSegment
		}
		s.dir = append(s.dir, dir[w:w+int(n)])
		dir = dir[w+int(n):]
	}
	return s, nil
}

const segmentColumns = "SELECT id, level, lo, hi, dir FROM segment"

func dropSegment(c *zs.Conn, id int64) error {
	if err := lite.Exec(c, "DELETE FROM segment WHERE id = ?", nil, id); err != nil {
		return err
	}
	return lite.Exec(c, "DELETE FROM block WHERE id >= ? AND id < ?", nil, id<<blockBits, (id+1)<<blockBits)
}

// cursor walks the terms of a segment. term and data are valid until the next step.
type cursor struct {
	c     *zs.Conn
	s     *segment
	block int // the next one to read
	buf   []byte
	pos   int
	term  []byte
	data  []byte
}

// seek stands on the first term that is not before from. It tells whether there is one.
func (k *cursor) seek(from []byte) (bool, error) {
	k.block, _ = slices.BinarySearchFunc(k.s.dir, from, func(first, from []byte) int {
		if bytes.Compare(first, from) <= 0 {
			return -1
		}
		return 1
	})
	k.block = max(k.block-1, 0)
	k.buf, k.pos, k.term = k.buf[:0], 0, k.term[:0]
	for {
		ok, err := k.next()
		if err != nil || !ok || bytes.Compare(k.term, from) >= 0 {
			return ok, err
		}
	}
}

func (k *cursor) next() (bool, error) {
	if k.pos >= len(k.buf) {
		if k.block >= len(k.s.dir) {
			return false, nil
		}
		found := false
		err := lite.Exec(k.c, "SELECT data FROM block WHERE id = ?", func(st *zs.Stmt) error {
			found = true
			n := st.ColumnLen(0)
			if cap(k.buf) < n {
				k.buf = make([]byte, n, n+n/2)
			}
			k.buf = k.buf[:n]
			st.ColumnBytes(0, k.buf)
			return nil
		}, k.s.id<<blockBits|int64(k.block))
		if err == nil && !found {
			err = errSegment
		}
		if err != nil {
			return false, err
		}
		k.block++
		k.pos, k.term = 0, k.term[:0]
	}
	var n [2]uint64
	for i := range n {
		v, w := binary.Uvarint(k.buf[k.pos:])
		if w <= 0 {
			return false, errSegment
		}
		n[i] = v
		k.pos += w
	}
	if n[0] > uint64(len(k.term)) || n[1] > uint64(len(k.buf)-k.pos) {
		return false, errSegment
	}
	k.term = append(k.term[:n[0]], k.buf[k.pos:k.pos+int(n[1])]...)
	k.pos += int(n[1])
	size, w := binary.Uvarint(k.buf[k.pos:])
	if w <= 0 || size > uint64(len(k.buf)-k.pos-w) {
		return false, errSegment
	}
	k.pos += w
	k.data = k.buf[k.pos : k.pos+int(size)]
	k.pos += int(size)
	return true, nil
}

// merge makes one segment of several that follow each other, without the records that are gone.
type merge struct {
	from    []*segment
	cursors []*cursor
	live    []bool // of cursors: not at the end
	out     *blockWriter
	ns      []uint32
	term    []byte
	level   int
	dead    []int // of from, when the merge began
}

func newMerge(c *zs.Conn, id int64, from []*segment, level int) (*merge, error) {
	m := &merge{from: from, level: level, out: &blockWriter{c: c, id: id, lo: from[0].lo, hi: from[len(from)-1].hi}}
	for _, s := range from {
		k := &cursor{c: c, s: s}
		ok, err := k.next()
		if err != nil {
			return nil, err
		}
		m.cursors, m.live, m.dead = append(m.cursors, k), append(m.live, ok), append(m.dead, s.dead)
	}
	return m, nil
}

// step writes about so many blocks, and tells whether more are to come.
func (m *merge) step(blocks int, gone func(uint32) bool) (more bool, err error) {
	for end := len(m.out.first) + blocks; len(m.out.first) < end; {
		least := -1
		for i, k := range m.cursors {
			if m.live[i] && (least < 0 || bytes.Compare(k.term, m.cursors[least].term) < 0) {
				least = i
			}
		}
		if least < 0 {
			return false, nil
		}
		m.term = append(m.term[:0], m.cursors[least].term...)
		m.ns = m.ns[:0]
		for i := least; i < len(m.cursors); i++ {
			k := m.cursors[i]
			if !m.live[i] || i != least && !bytes.Equal(k.term, m.term) {
				continue
			}
			m.ns = postings(k.data, k.s.lo, m.ns)
			if m.live[i], err = k.next(); err != nil {
				return false, err
			}
		}
		m.ns = slices.DeleteFunc(m.ns, gone)
		if len(m.ns) > 0 {
			if err := m.out.add(m.term, m.ns); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// end puts the new segment in the place of the old ones.
func (m *merge) end() (*segment, error) {
	for _, s := range m.from {
		if err := dropSegment(m.out.c, s.id); err != nil {
			return nil, err
		}
	}
	return m.out.end(m.level)
}

// died is how many records of the merged segments have gone since the merge began: their terms may have been written already.
func (m *merge) died() (n int) {
	for i, s := range m.from {
		n += s.dead - m.dead[i]
	}
	return n
}
