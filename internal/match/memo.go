package match

import (
	"hash/maphash"

	"entente/internal/event"
)

// memo remembers what values of fields met in their indexes: telemetry says the same again and again. It holds for single values, by their field's index, and as they stand in the
// line. A place is kept as long as its value comes again before others want it, so that values that come once do not drive out those that come often.
type memo struct {
	seed  maphash.Seed
	cells []cell
}

// Bounds of a memo: together 6 MB.
const (
	memoCells = 1 << 12
	memoText  = 1 << 10 // bytes of a value
	memoMet   = 32      // entries that it met
)

// cell is a value and what it met. It fills a line of a cache.
type cell struct {
	of      *field
	text    []byte
	met     []*entry // those that are true of it, but for what is slow to answer
	kind    event.Kind
	escaped bool
	again   bool // it has come again since another wanted the place
}

func newMemo() memo { return memo{maphash.MakeSeed(), make([]cell, memoCells)} }

// cell is the place of a value, if it is one to remember; known tells whether it stands there.
func (m *memo) cell(f *field, v event.Value, escaped bool) (c *cell, known bool) {
	if len(v.Text) > memoText {
		return nil, false
	}
	c = &m.cells[(maphash.Bytes(m.seed, v.Text)+uint64(f.slot)*mix)%memoCells]
	if c.of == f && c.kind == v.Kind && c.escaped == escaped && string(c.text) == string(v.Text) {
		c.again = true
		return c, true
	}
	if c.again {
		c.again = false
		return nil, false
	}
	return c, false
}

func (c *cell) put(f *field, v event.Value, escaped bool, met []*entry) {
	if c == nil || len(met) > memoMet {
		return
	}
	c.of, c.kind, c.escaped = f, v.Kind, escaped
	c.text, c.met = append(c.text[:0], v.Text...), append(c.met[:0], met...)
}
