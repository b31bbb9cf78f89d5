package lite

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	zs "zombiezen.com/go/sqlite"
)

const (
	shingle     = 32      // bytes of a trace
	shingleStep = 16      // so any 47 consecutive bytes hold one
	maxShingles = 1 << 16 // of one purge; longer texts are sampled more thinly
	hashBase    = 0x9e3779b97f4a7c15
	filterBits  = 20
)

// Traces are pieces of purged texts, and a search for them.
type Traces struct {
	list   [][]byte // each of shingle bytes, or the whole of a shorter text
	byHash map[uint64][]int
	filter []uint64
	short  []int
}

// Add takes pieces of a text: its last bytes and one every few bytes.
func (t *Traces) Add(text []byte) {
	if len(text) < 8 {
		return // too short to tell anything
	}
	if len(text) < shingle {
		t.put(text)
		return
	}
	step := max(shingleStep, len(text)/4096)
	for i := 0; i+shingle <= len(text) && len(t.list) < maxShingles; i += step {
		t.put(text[i : i+shingle])
	}
	t.put(text[len(text)-shingle:])
}

func (t *Traces) put(piece []byte) {
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
	if len(piece) < shingle {
		t.short = append(t.short, i)
		return
	}
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
