// Package event reads telemetry: one event at a time, and of each only the fields that somebody asked for.
//
// A [Plan] holds the asked-for fields as paths and gives each a slot. [Plan.Scan] goes over one line of JSON once, keeps what stands at these paths, and skips the
// rest without looking into it. Texts are not copied where they stand unescaped in the line: an [Event] is valid until the line it was scanned from changes, or the
// next is scanned into it.
package event

import "iter"

// Kind says what a value is.
type Kind uint8

// Kinds of values.
const (
	Missing Kind = iota
	Null
	Text
	Number // its text is as it was written
	Bool   // its text is true or false
	Empty  // a list without elements, or an object: it is there, and has no text
)

// Value is what stands in a field.
type Value struct {
	Kind Kind
	Text []byte // unescaped; nil for Missing, Null and Empty
}

// Event is one event, and the values of the fields that its plan asks for. The zero value can be scanned into, again and again.
type Event struct {
	Line  []byte // as it came
	Index uint64 // counted from 0 over all inputs

	all   func(*Event, func(Value) bool) // calls with every value of the line
	vals  []first
	given []int32 // slots that have values
	plain bool    // see Plain
	ascii bool    // see ASCII
	epoch uint32
	more  []further
	arena []byte
}

// first is the first value of a slot. It counts only where its epoch is the event's.
type first struct {
	Value
	escaped bool // the text is as the line has it, and is written out when somebody asks for it
	epoch   uint32
	next    int32 // of the others, plus 1
}

// further is one more value of a slot: of a list, or of a name that stands twice.
type further struct {
	Value
	escaped bool
	next    int32
}

// Reset makes the event one without values, of a plan with so many slots.
func (e *Event) Reset(slots int) {
	if len(e.vals) < slots {
		e.vals = make([]first, slots)
		e.epoch = 0
	}
	if e.epoch++; e.epoch == 0 { // after 2^32 events
		clear(e.vals)
		e.epoch = 1
	}
	e.Line, e.all, e.plain, e.ascii, e.given, e.more, e.arena = nil, nil, false, false, e.given[:0], e.more[:0], e.arena[:0]
}

// Every calls f with every value of the event that has a text, asked for or not, until f says false. A text is valid until f returns.
func (e *Event) Every(f func(Value) bool) {
	if e.all != nil {
		e.all(e, f)
	}
}

// Plain tells whether every text that [Event.Every] gives stands in the line as it is, but for control characters, quotes and backslashes: what has none of them and is in a
// text is in the line.
func (e *Event) Plain() bool { return e.plain }

// ASCII tells whether the line was seen to have no other bytes.
func (e *Event) ASCII() bool { return e.ascii }

// Slots are those that have a value, in the order in which they were given the first.
func (e *Event) Slots() []int32 { return e.given }

// Kind is that of the first value of a slot; Missing where there is none.
func (e *Event) Kind(slot int) Kind {
	if slot < 0 || slot >= len(e.vals) || e.vals[slot].epoch != e.epoch {
		return Missing
	}
	return e.vals[slot].Kind
}

// Get is the first value of a slot; the kind is Missing where there is none.
func (e *Event) Get(slot int) Value {
	if slot < 0 || slot >= len(e.vals) || e.vals[slot].epoch != e.epoch {
		return Value{}
	}
	f := &e.vals[slot]
	if f.escaped {
		f.Text, f.escaped = e.unescape(f.Text), false
	}
	return f.Value
}

// Only is the value of a slot that has just one; false: it has none, or several.
func (e *Event) Only(slot int) (Value, bool) {
	v := e.Get(slot)
	return v, v.Kind != Missing && e.vals[slot].next == 0
}

// Raw is the first value of a slot as it was scanned: where it is escaped, its text is as the line has it. Only tells whether it has just one.
func (e *Event) Raw(slot int) (v Value, escaped, only bool) {
	if e.Kind(slot) == Missing {
		return Value{}, false, false
	}
	f := &e.vals[slot]
	return f.Value, f.escaped, f.next == 0
}

// All are the values of a slot: of a list, each element.
func (e *Event) All(slot int) iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if e.Kind(slot) == Missing || !yield(e.Get(slot)) {
			return
		}
		for i := e.vals[slot].next; i > 0; {
			f := &e.more[i-1]
			if f.escaped {
				f.Text, f.escaped = e.unescape(f.Text), false
			}
			i = f.next
			if !yield(f.Value) {
				return
			}
		}
	}
}

// Add gives a slot one more value, after those that it has. The text is not copied.
func (e *Event) Add(slot int, v Value) { e.add(slot, v, false) }

func (e *Event) add(slot int, v Value, escaped bool) {
	if slot < 0 || slot >= len(e.vals) {
		return
	}
	f := &e.vals[slot]
	if f.epoch != e.epoch {
		*f = first{Value: v, escaped: escaped, epoch: e.epoch}
		e.given = append(e.given, int32(slot))
		return
	}
	e.more = append(e.more, further{Value: v, escaped: escaped})
	at := &f.next
	for *at > 0 {
		at = &e.more[*at-1].next
	}
	*at = int32(len(e.more))
}
