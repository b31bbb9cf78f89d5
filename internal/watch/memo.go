package watch

import (
	"hash/maphash"

	"entente/internal/indicator"
)

// memo remembers values that meet nothing in a table, at whatever moment: telemetry says the same again and again. A value is forgotten when another takes its place, and all
// are when the table changes.
type memo struct {
	seed    maphash.Seed
	version uint64 // of the table
	cells   []cell
}

const (
	memoCells = 1 << 13
	memoText  = 253 // octets; longer values are not remembered
)

// cell is a value in a field of a form. It fills four lines of a cache.
type cell struct {
	form form
	kind indicator.Kind
	size uint8 // 0: there is none
	text [memoText]byte
}

func newMemo() memo { return memo{seed: maphash.MakeSeed(), cells: make([]cell, memoCells)} }

// of forgets what is about another version of the table.
func (m *memo) of(version uint64) {
	if m.version != version {
		clear(m.cells)
		m.version = version
	}
}

// cell is where a value stands, if it does, and the number of the cell; nil: it is too long.
func (m *memo) cell(text []byte) (*cell, int) {
	if len(text) > memoText {
		return nil, 0
	}
	i := maphash.Bytes(m.seed, text) % memoCells
	return &m.cells[i], int(i)
}

func (c *cell) holds(f form, k indicator.Kind, text []byte) bool {
	return c != nil && c.form == f && c.kind == k && string(c.text[:c.size]) == string(text)
}

func (c *cell) put(f form, k indicator.Kind, text []byte) {
	if c != nil {
		c.form, c.kind, c.size = f, k, uint8(copy(c.text[:], text))
	}
}
