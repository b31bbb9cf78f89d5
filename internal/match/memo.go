package match

import (
	"hash/maphash"
	"slices"

	"entente/internal/event"
)

// memo remembers values of fields: which rules they could match by the field's index, and how they answer what rules ask about that field alone. Telemetry says the same again and
// again. It holds for fields with one value, as that stands in the line. A value keeps its place as long as it comes again before another wants the place, so that values that come
// once do not drive out those that come often; what is not remembered is looked up and asked as ever.
type memo struct {
	seed   maphash.Seed
	cells  []cell
	stamp  uint64
	judged []judged
	luck   []uint8 // by slot: it rises when a value is there and falls when it is not; at 0 only few values are remembered, to see whether that gets better
}

const (
	maxLuck  = 64
	luckRise = 8  // it stays where a value comes again once in nine times
	luckFew  = 16 // one of so many values
)

// Bounds of a memo: together 6 MB at most.
const (
	memoCells  = 1 << 12
	memoText   = 1 << 10 // bytes of a value
	memoRules  = 64      // that a value could match
	memoJudged = 1 << 14
)

// cell is a value of a field in a table.
type cell struct {
	text    []byte
	rules   []int32 // those that it could match
	stamp   uint64  // of this value in this cell, and of no other
	table   uint32
	slot    int32
	kind    event.Kind
	escaped bool
	again   bool // it has come again since another wanted its place
	found   bool // rules says what was found
}

// judged is what a value answered to a part of a rule.
type judged struct {
	stamp uint64
	part  int32
	yes   bool
}

func newMemo(slots, cells, answers int) memo {
	return memo{seed: maphash.MakeSeed(), cells: make([]cell, cells), judged: make([]judged, answers), luck: slices.Repeat([]uint8{maxLuck}, slots)}
}

// cell is the place of a value; nil: it has none.
func (m *memo) cell(table uint32, slot int, v event.Value, escaped bool) *cell {
	if v.Text == nil || len(v.Text) > memoText {
		return nil
	}
	hash, luck := maphash.Bytes(m.seed, v.Text), &m.luck[slot]
	if *luck == 0 && hash>>32%luckFew > 0 {
		return nil
	}
	c := &m.cells[(hash+uint64(table)<<16+uint64(slot)*mix)%uint64(len(m.cells))]
	if c.slot == int32(slot) && c.table == table && c.kind == v.Kind && c.escaped == escaped && string(c.text) == string(v.Text) {
		c.again = true
		*luck = min(*luck+luckRise, maxLuck)
		return c
	}
	*luck = max(*luck, 1) - 1
	if c.again {
		c.again = false
		return nil
	}
	m.stamp++
	*c = cell{text: append(c.text[:0], v.Text...), rules: c.rules[:0], stamp: m.stamp, table: table, slot: int32(slot), kind: v.Kind, escaped: escaped}
	return c
}

// judged is where the answer of a value to a part of a rule stands, if it is there.
func (m *memo) judge(c *cell, part int32) *judged {
	return &m.judged[(c.stamp*0x9E3779B97F4A7C15+uint64(part)*0xD6E8FEB86659FD93)>>40%uint64(len(m.judged))]
}
