package watch

import "hash/maphash"

// memo remembers values that meet nothing in a table, at whatever moment: telemetry says the same again and again. A value has two places, which it shares with others. It keeps its
// own while it comes again before others want it, so that addresses that come once do not drive out names that come often. All are forgotten when the table changes.
type memo struct {
	seed    maphash.Seed
	version uint64 // of the table
	short   shelf
	long    shelf
}

const (
	shortCells = 1 << 13 // each fills a line of a cache: most values are short, and what is seldom at hand is slow to look at
	longCells  = 1 << 12
	shortCell  = 64  // octets
	longCell   = 256 // octets
	cellHead   = 4
	memoCells  = shortCells + longCells
	memoText   = longCell - cellHead // octets; longer values are not remembered
)

// shelf holds cells of a size.
type shelf struct {
	size   int
	octets []byte
}

// cell is a value in a field of a form: the form, the kind, whether the value has come again since another wanted its place, the length of the text (0: there is none), the text.
type cell []byte

func newMemo() memo {
	return memo{seed: maphash.MakeSeed(), short: shelf{shortCell, make([]byte, shortCells*shortCell)}, long: shelf{longCell, make([]byte, longCells*longCell)}}
}

func (s *shelf) cell(n int) cell { return s.octets[n*s.size : (n+1)*s.size] }

// of forgets what is about another version of the table.
func (m *memo) of(version uint64) {
	if m.version != version {
		m.forget()
		m.version = version
	}
}

func (m *memo) forget() {
	clear(m.short.octets)
	clear(m.long.octets)
}

// cell is where a value of a field stands, known, or where it can be put; and the number of the cell. Nil: it is too long.
func (m *memo) cell(o *observable, text []byte) (c cell, number int, known bool) {
	s, n, first := &m.short, maphash.Bytes(m.seed, text), 0
	switch {
	case len(text) > memoText:
		return nil, 0, false
	case len(text) > shortCell-cellHead:
		s, n, first = &m.long, n%longCells, shortCells
	default:
		n %= shortCells
	}
	one, other := s.cell(int(n)), s.cell(int(n^1))
	switch {
	case one.holds(o, text):
		one[2] = 1
		return one, first + int(n), true
	case other.holds(o, text):
		other[2] = 1
		return other, first + int(n^1), true
	case one[2] > 0 && other[2] == 0:
		one[2] = 0
		return other, first + int(n^1), false
	case one[2] > 0:
		one[2], other[2] = 0, 0
	}
	return one, first + int(n), false
}

func (c cell) holds(o *observable, text []byte) bool {
	return int(c[3]) == len(text) && c[0] == byte(o.form) && c[1] == byte(o.kind) && string(c[cellHead:cellHead+len(text)]) == string(text)
}

func (c cell) put(o *observable, text []byte) {
	c[0], c[1], c[2], c[3] = byte(o.form), byte(o.kind), 0, byte(len(text))
	copy(c[cellHead:], text)
}
