package watch

import (
	"hash/maphash"

	"entente/internal/indicator"
)

// memo remembers values that meet nothing in a table, at whatever moment: telemetry says the same again and again. A value has two places, which it shares with others. It keeps its
// own while it comes again before others want it, so that addresses that come once do not drive out names that come often. All are forgotten when the table changes.
type memo struct {
	seed    maphash.Seed
	version uint64 // of the table
	cells   []cell
}

const (
	memoCells = 1 << 14
	memoText  = 252 // octets; longer values are not remembered
)

// cell is a value in a field of a form. It fills four lines of a cache.
type cell struct {
	form  form
	kind  indicator.Kind
	again bool  // it has come again since another wanted its place
	size  uint8 // 0: there is none
	text  [memoText]byte
}

func newMemo() memo { return memo{seed: maphash.MakeSeed(), cells: make([]cell, memoCells)} }

// of forgets what is about another version of the table.
func (m *memo) of(version uint64) {
	if m.version != version {
		clear(m.cells)
		m.version = version
	}
}

// cell is where a value of a field stands, known, or where it can be put; and the number of the cell. Nil: it is too long.
func (m *memo) cell(o *observable, text []byte) (c *cell, n uint64, known bool) {
	if len(text) > memoText {
		return nil, 0, false
	}
	hash := maphash.Bytes(m.seed, text)
	n = hash % memoCells
	for range 2 {
		if c = &m.cells[n]; c.holds(o, text) {
			c.again = true
			return c, n, true
		}
		n ^= 1
	}
	if m.cells[n].again {
		if m.cells[n].again = false; m.cells[n^1].again {
			m.cells[n^1].again = false
		} else {
			n ^= 1
		}
	}
	return &m.cells[n], n, false
}

func (c *cell) holds(o *observable, text []byte) bool {
	return c.form == o.form && c.kind == o.kind && string(c.text[:c.size]) == string(text)
}

func (c *cell) put(o *observable, text []byte) {
	c.form, c.kind, c.again, c.size = o.form, o.kind, false, uint8(copy(c.text[:], text))
}
