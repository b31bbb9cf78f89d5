package lite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"slices"

	zs "zombiezen.com/go/sqlite"
)

const (
	shingle     = 32      // bytes of a trace
	shingleStep = 16      // so any 47 consecutive bytes hold one
	maxShingles = 1 << 16 // of one purge; longer texts are sampled more thinly
	maxWindows  = 1 << 17
	hashBase    = 0x9e3779b97f4a7c15
	filterBits  = 20
	blockBits   = 22
)

// Traces are pieces of purged texts, and a search for them. Of texts that are not long all pieces are known, and files are looked at every few bytes; of
// longer ones a piece every few bytes is known, and files are looked at everywhere.
type Traces struct {
	list   [][]byte // each of shingle bytes, or the whole of a shorter text
	byHash map[uint64][]int
	filter []uint64
	blocks map[uint64]int // pieces of texts of which all are known, by blockHash; of two with one hash the first
	clash  map[uint64][]int
	sieve  []uint64
	short  []int
}

// Add takes pieces of a text.
func (t *Traces) Add(text []byte) {
	if len(text) < 8 {
		return // too short to tell anything
	}
	if len(text) < shingle {
		t.put(text)
		return
	}
	if len(t.blocks)+len(text) <= maxWindows {
		text = bytes.Clone(text)
		for i := 0; i+shingle <= len(text); i++ {
			t.window(text[i : i+shingle])
		}
		return
	}
	step := max(shingleStep, len(text)/4096)
	for i := 0; i+shingle <= len(text) && len(t.list) < maxShingles; i += step {
		t.put(text[i : i+shingle])
	}
	t.put(text[len(text)-shingle:])
}

// window takes one of all pieces of a text.
func (t *Traces) window(piece []byte) {
	h := blockHash(piece)
	if first, there := t.blocks[h]; there && (bytes.Equal(t.list[first], piece) || slices.ContainsFunc(t.clash[h], func(i int) bool { return bytes.Equal(t.list[i], piece) })) {
		return
	}
	t.block(h, len(t.list))
	t.list = append(t.list, piece)
}

// block has the trace of a number found by its blockHash.
func (t *Traces) block(h uint64, i int) {
	if t.blocks == nil {
		t.blocks, t.clash, t.sieve = map[uint64]int{}, map[uint64][]int{}, make([]uint64, 1<<blockBits/64)
	}
	if _, there := t.blocks[h]; there {
		t.clash[h] = append(t.clash[h], i)
		return
	}
	t.blocks[h] = i
	bit := h >> (64 - blockBits)
	t.sieve[bit/64] |= 1 << (bit % 64)
}

// blockHash is of shingle bytes.
func blockHash(b []byte) uint64 {
	_ = b[shingle-1]
	h := binary.LittleEndian.Uint64(b)*hashBase ^ bits.RotateLeft64(binary.LittleEndian.Uint64(b[8:])*0xc2b2ae3d27d4eb4f, 17) ^
		bits.RotateLeft64(binary.LittleEndian.Uint64(b[16:])*0x165667b19e3779f9, 31) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(b[24:])*0xd6e8feb86659fd93, 47)
	h ^= h >> 29
	return h * hashBase
}

func (t *Traces) put(piece []byte) {
	if len(piece) < shingle {
		for _, i := range t.short {
			if bytes.Equal(t.list[i], piece) {
				return
			}
		}
		t.short = append(t.short, len(t.list))
		t.list = append(t.list, bytes.Clone(piece))
		return
	}
	h := hashOf(piece)
	for _, i := range t.byHash[h] {
		if bytes.Equal(t.list[i], piece) {
			return
		}
	}
	t.hashed(h, len(t.list))
	t.list = append(t.list, bytes.Clone(piece))
}

// hashed has the trace of a number found by its hashOf.
func (t *Traces) hashed(h uint64, i int) {
	if t.byHash == nil {
		t.byHash, t.filter = map[uint64][]int{}, make([]uint64, 1<<filterBits/64)
	}
	t.byHash[h] = append(t.byHash[h], i)
	bit := h >> (64 - filterBits)
	t.filter[bit/64] |= 1 << (bit % 64)
}

// only are the traces with the given numbers.
func (t *Traces) only(which []int) *Traces {
	var o Traces
	for _, i := range which {
		o.put(t.list[i])
	}
	return &o
}

func hashOf(b []byte) (h uint64) {
	for _, c := range b {
		h = h*hashBase + uint64(c) + 1
	}
	return h
}

// leaving is hashBase to the power of shingle: what the byte that leaves the window weighs.
var leaving = func() uint64 {
	p := uint64(1)
	for range shingle {
		p *= hashBase
	}
	return p
}()

// in marks those of the traces that are in b and were not marked before, and says how many.
func (t *Traces) in(b []byte, seen []bool) (n int) {
	mark := func(i int, piece []byte) {
		if !seen[i] && bytes.Equal(t.list[i], piece) {
			seen[i] = true
			n++
		}
	}
	for _, i := range t.short {
		if !seen[i] && bytes.Contains(b, t.list[i]) {
			seen[i] = true
			n++
		}
	}
	for i := 0; len(t.blocks) > 0 && i+shingle <= len(b); i += shingleStep {
		piece := b[i : i+shingle]
		h := blockHash(piece)
		if bit := h >> (64 - blockBits); t.sieve[bit/64]&(1<<(bit%64)) == 0 {
			continue
		}
		if k, there := t.blocks[h]; there {
			mark(k, piece)
			for _, k := range t.clash[h] {
				mark(k, piece)
			}
		}
	}
	if t.filter == nil || len(b) < shingle {
		return n
	}
	var h uint64
	for i, c := range b {
		h = h*hashBase + uint64(c) + 1
		if i >= shingle {
			h -= (uint64(b[i-shingle]) + 1) * leaving
		}
		if bit := h >> (64 - filterBits); i < shingle-1 || t.filter[bit/64]&(1<<(bit%64)) == 0 {
			continue
		}
		for _, k := range t.byHash[h] {
			mark(k, b[i+1-shingle:i+1])
		}
	}
	return n
}

// hunt looks for traces, and no more for those that it has seen: most of them are what all texts of a kind have in common, and are everywhere.
type hunt struct {
	*Traces
	seen []bool // by the number of the trace
	left int    // that were not seen
	stay int    // that were not seen when the traces were last thinned out
}

func (t *Traces) hunt() *hunt {
	return &hunt{t, make([]bool, len(t.list)), len(t.list), len(t.list)}
}

// look looks at b, and says whether anything is left to look for.
func (h *hunt) look(b []byte) bool {
	if h.left -= h.in(b, h.seen); h.left < h.stay/2 {
		h.Traces, h.stay = h.but(h.seen), h.left
	}
	return h.left > 0
}

// which are the numbers of the traces that were seen, or were not.
func (h *hunt) which(seen bool) (out []int) {
	for i, s := range h.seen {
		if s == seen {
			out = append(out, i)
		}
	}
	return out
}

// but are the traces under the same numbers, without some.
func (t *Traces) but(some []bool) *Traces {
	o := &Traces{list: t.list}
	for _, i := range t.short {
		if !some[i] {
			o.short = append(o.short, i)
		}
	}
	for h, first := range t.blocks {
		for _, i := range append([]int{first}, t.clash[h]...) {
			if !some[i] {
				o.block(h, i)
			}
		}
	}
	for h, list := range t.byHash {
		for _, i := range list {
			if !some[i] {
				o.hashed(h, i)
			}
		}
	}
	return o
}

// OpenFiles are files kept open until the store closes: closing any descriptor of a database file would take this process's POSIX locks
// on it away from SQLite.
type OpenFiles map[string]*os.File

// open opens a file, or finds the one that is open already if it is still the same.
func (o OpenFiles) open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if f := o[path]; f != nil {
		if have, err := f.Stat(); err == nil && os.SameFile(info, have) {
			return f, nil
		}
		f.Close()
		delete(o, path)
	}
	f, err := os.Open(path)
	if err == nil {
		o[path] = f
	}
	return f, err
}

// Close closes them all.
func (o OpenFiles) Close() (err error) {
	for _, f := range o {
		err = errors.Join(err, f.Close())
	}
	return err
}

// Search gives the numbers of the traces in any file below dir, and how many bytes were read.
func (t *Traces) Search(dir string, files OpenFiles) (found []int, read int64, err error) {
	if len(t.list) == 0 {
		return nil, 0, nil
	}
	h := t.hunt()
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var n int64
			n, err = h.file(path, files)
			read += n
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return h.which(true), read, err
}

func (h *hunt) file(path string, files OpenFiles) (read int64, err error) {
	f, err := files.open(path)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 1<<20)
	for kept := 0; ; {
		n, err := f.ReadAt(buf[kept:], read)
		read += int64(n)
		h.look(buf[:kept+n])
		if err == io.EOF {
			return read, nil
		}
		if err != nil {
			return read, err
		}
		kept = copy(buf, buf[kept+n-shingle+1:kept+n])
	}
}

// errEnough ends the reading of rows.
var errEnough = errors.New("nothing is left to look for")

// beside is how many bytes at one end of a piece may come from what stands beside a text by chance: the last of a salt, or a number.
const beside = 4

// Lifeless says how many of the found traces no row holds: of every row of the queries, all columns are looked at, until all traces are found alive. A piece of which
// rows hold all but a few bytes at one of its ends is alive as well: with many rows, some stand beside just these bytes, and of a text that is still there more
// would be found.
func (t *Traces) Lifeless(c *zs.Conn, found []int, queries []string) (dead int, err error) {
	if len(found) == 0 {
		return 0, nil
	}
	h := t.only(found).hunt()
	if err := h.rows(c, queries); err != nil {
		return 0, err
	}
	var ends Traces
	for _, i := range h.which(false) {
		if piece := h.list[i]; len(piece) < shingle {
			dead++
		} else {
			ends.short = append(ends.short, len(ends.list), len(ends.list)+1)
			ends.list = append(ends.list, piece[beside:], piece[:shingle-beside])
		}
	}
	if dead > 0 || len(ends.list) == 0 {
		return dead, nil
	}
	e := ends.hunt()
	err = e.rows(c, queries)
	for i := 0; i < len(e.seen); i += 2 {
		if !e.seen[i] && !e.seen[i+1] {
			dead++
		}
	}
	return dead, err
}

// rows looks at all columns of all rows of the queries.
func (h *hunt) rows(c *zs.Conn, queries []string) error {
	for _, query := range queries {
		err := Exec(c, query, func(st *zs.Stmt) error {
			for col := range st.ColumnCount() {
				if !h.look(Blob(st, col)) {
					return errEnough
				}
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
