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
	if t.blocks == nil {
		t.blocks, t.clash, t.sieve = map[uint64]int{}, map[uint64][]int{}, make([]uint64, 1<<blockBits/64)
	}
	h := blockHash(piece)
	first, there := t.blocks[h]
	switch {
	case !there:
		t.blocks[h] = len(t.list)
	case bytes.Equal(t.list[first], piece):
		return
	default:
		t.clash[h] = append(t.clash[h], len(t.list))
	}
	t.list = append(t.list, piece)
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
	if t.byHash == nil {
		t.byHash, t.filter = map[uint64][]int{}, make([]uint64, 1<<filterBits/64)
	}
	h := hashOf(piece)
	for _, i := range t.byHash[h] {
		if bytes.Equal(t.list[i], piece) {
			return
		}
	}
	i := len(t.list)
	t.list = append(t.list, bytes.Clone(piece))
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

// in are the numbers of the traces in b.
func (t *Traces) in(b []byte) (found []int) {
	for _, i := range t.short {
		if bytes.Contains(b, t.list[i]) {
			found = append(found, i)
		}
	}
	for i := 0; len(t.blocks) > 0 && i+shingle <= len(b); i += shingleStep {
		piece := b[i : i+shingle]
		h := blockHash(piece)
		if bit := h >> (64 - blockBits); t.sieve[bit/64]&(1<<(bit%64)) == 0 {
			continue
		}
		n, there := t.blocks[h]
		if there && bytes.Equal(t.list[n], piece) {
			found = append(found, n)
		}
		for _, n := range t.clash[h] {
			if bytes.Equal(t.list[n], piece) {
				found = append(found, n)
			}
		}
	}
	if t.filter == nil || len(b) < shingle {
		return found
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
		for _, n := range t.byHash[h] {
			if bytes.Equal(t.list[n], b[i+1-shingle:i+1]) {
				found = append(found, n)
			}
		}
	}
	return found
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
	seen := map[int]bool{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var n int64
			n, err = t.searchFile(path, files, seen)
			read += n
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	for i := range t.list {
		if seen[i] {
			found = append(found, i)
		}
	}
	return found, read, err
}

func (t *Traces) searchFile(path string, files OpenFiles, seen map[int]bool) (read int64, err error) {
	f, err := files.open(path)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 1<<20)
	for kept := 0; ; {
		n, err := f.ReadAt(buf[kept:], read)
		read += int64(n)
		for _, i := range t.in(buf[:kept+n]) {
			seen[i] = true
		}
		if err == io.EOF {
			return read, nil
		}
		if err != nil {
			return read, err
		}
		kept = copy(buf, buf[kept+n-shingle+1:kept+n])
	}
}

// Lifeless leaves out of the found traces those that rows hold too: of every row of the queries, all columns are looked at.
func (t *Traces) Lifeless(c *zs.Conn, found []int, queries []string) ([]int, error) {
	only := t.only(found)
	alive := map[int]bool{}
	for _, query := range queries {
		err := Exec(c, query, func(st *zs.Stmt) error {
			for col := range st.ColumnCount() {
				for _, i := range only.in(Blob(st, col)) {
					alive[i] = true
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var dead []int
	for i := range only.list {
		if !alive[i] {
			dead = append(dead, i)
		}
	}
	return dead, nil
}
