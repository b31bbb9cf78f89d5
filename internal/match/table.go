package match

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"entente/sigma"
)

// table holds the indexes of the rules that a route accepts.
type table struct {
	id     uint32   // of no other table of the engine
	at     []uint16 // by slot: its index, plus 1
	fields []field
	words  *words  // nil: no rule looks for words anywhere
	always []int32 // rules without witnesses

	rules   []int32               // all that the route accepts
	wanted  []bool                // by slot: a question that could be a witness is about it
	learner *learner              // nil: it has learnt what it can
	better  atomic.Pointer[table] // made from what it has learnt
}

// entry is a witness, and the rules that it is one of.
type entry struct {
	leaf  int
	text  bool // that a text of it is found where it should be answers it with yes
	rules []int32
}

// field is the index of one field.
type field struct {
	slot   int
	equal  map[string][]*entry
	prefix ends
	suffix ends
	within grams
	number map[string][]*entry // as sigma.Canonical writes it
	asked  []*entry            // put to every value
}

// words is the index of what is looked for in every value.
type words struct {
	field
	raw   grams        // finds in the line as it is what could be in a value
	whole bool         // not all of it can be found so
	in    map[int]bool // leaves that are found by their texts
}

// ends finds texts by their first or last bytes, up to eight of them: a table for each number of bytes.
type ends struct{ of []end }

type end struct {
	n     int // bytes
	shift int // of a hash
	keys  []uint64
	lists [][]tail // empty: the key is none
}

// tail is a text of an entry.
type tail struct {
	x    *entry
	text string
}

func newEnds(all []tail, last bool) (e ends) {
	var by [9][]tail
	for _, t := range all {
		n := min(8, len(t.text))
		by[n] = append(by[n], t)
	}
	for n, all := range by {
		if len(all) == 0 {
			continue
		}
		size := 1 << bits.Len(uint(4*len(all)))
		d := end{n: n, shift: 64 - bits.Len(uint(size-1)), keys: make([]uint64, size), lists: make([][]tail, size)}
		for _, t := range all {
			key := word(t.text[:n])
			if last {
				key = word(t.text[len(t.text)-n:])
			}
			i := d.slot(key)
			d.keys[i] = key
			d.lists[i] = append(d.lists[i], t)
		}
		e.of = append(e.of, d)
	}
	return e
}

func (d *end) slot(key uint64) int {
	i := int(key * 0x9E3779B97F4A7C15 >> d.shift)
	for d.lists[i] != nil && d.keys[i] != key {
		i = (i + 1) & (len(d.keys) - 1)
	}
	return i
}

// findFirst calls with the entries whose text another begins with.
func (e *ends) findFirst(text []byte, met func(*entry)) {
	if len(e.of) == 0 {
		return
	}
	head := word(text)
	for i := range e.of {
		d := &e.of[i]
		if len(text) < d.n {
			return // the numbers of bytes rise
		}
		for _, t := range d.lists[d.slot(head<<(64-8*d.n)>>(64-8*d.n))] {
			if len(text) >= len(t.text) && string(text[:len(t.text)]) == t.text {
				met(t.x)
			}
		}
	}
}

// findLast calls with the entries whose text another ends with.
func (e *ends) findLast(text []byte, met func(*entry)) {
	if len(e.of) == 0 || len(text) == 0 {
		return
	}
	var last uint64
	if len(text) >= 8 {
		last = binary.LittleEndian.Uint64(text[len(text)-8:])
	} else {
		last = word(text) << (64 - 8*len(text))
	}
	for i := range e.of {
		d := &e.of[i]
		if len(text) < d.n {
			return
		}
		for _, t := range d.lists[d.slot(last>>(64-8*d.n))] {
			if n := len(text) - len(t.text); n >= 0 && string(text[n:]) == t.text {
				met(t.x)
			}
		}
	}
}

// table makes the indexes of rules, from what is known about the events of their route; nil: nothing is.
func (e *Engine) table(rules []int32, know *learnt) *table {
	t := &table{id: e.made.Add(1), at: make([]uint16, e.plan.Slots()), rules: rules, wanted: make([]bool, e.plan.Slots())}
	entries := map[int]*entry{}
	fields := map[int][]*entry{}
	var slots []int
	for _, i := range rules {
		r := &e.rules[i]
		e.possible(&r.expr, func(leaf int) {
			if slot := e.leaves[leaf].slot; slot >= 0 {
				t.wanted[slot] = true
			}
		})
		leaves, _ := e.witnesses(&r.expr, know)
		if leaves == nil {
			t.always = append(t.always, i)
			continue
		}
		for _, n := range leaves {
			x := entries[n]
			if x == nil {
				l := &e.leaves[n]
				x = &entry{leaf: n, text: l.plain}
				entries[n] = x
				if fields[l.slot] == nil {
					slots = append(slots, l.slot)
				}
				fields[l.slot] = append(fields[l.slot], x)
			}
			if k := len(x.rules); k == 0 || x.rules[k-1] != i {
				x.rules = append(x.rules, i)
			}
		}
	}
	for _, s := range slots {
		if s < 0 {
			t.words = e.words(fields[s])
			continue
		}
		t.fields = append(t.fields, e.field(s, fields[s], know))
		t.at[s] = uint16(len(t.fields))
	}
	return t
}

// field makes the index of a field.
func (e *Engine) field(slot int, entries []*entry, know *learnt) field {
	f := field{slot: slot}
	var first, last []tail
	var within []place
	for _, x := range entries {
		l := &e.leaves[x.leaf]
		switch {
		case l.Op == sigma.OpNumber && l.Part == sigma.NoPart:
			if f.number == nil {
				f.number = map[string][]*entry{}
			}
			f.number[l.Text] = append(f.number[l.Text], x)
			continue
		case l.texts == nil:
			f.asked = append(f.asked, x)
			continue
		}
		for _, text := range l.texts {
			switch l.Op {
			case sigma.OpEqual:
				if f.equal == nil {
					f.equal = map[string][]*entry{}
				}
				f.equal[text] = append(f.equal[text], x)
			case sigma.OpPrefix:
				first = append(first, tail{x, text})
			case sigma.OpSuffix:
				last = append(last, tail{x, text})
			default:
				within = append(within, place{x: x, text: text})
			}
		}
	}
	f.prefix, f.suffix, f.within = newEnds(first, false), newEnds(last, true), newGrams(within, slot, know)
	return f
}

// words makes the index of what is looked for in every value.
func (e *Engine) words(entries []*entry) *words {
	w := &words{field: e.field(-1, entries, nil), in: map[int]bool{}}
	var raw []place
	for _, x := range entries {
		l := &e.leaves[x.leaf]
		if l.texts != nil {
			w.in[x.leaf] = true
		}
		for _, text := range l.texts {
			longest := ""
			for _, run := range runs(text) {
				if len(run) > len(longest) {
					longest = run
				}
			}
			if len(longest) < 4 {
				w.whole = true
				continue
			}
			raw = append(raw, place{x: x, text: longest})
		}
	}
	w.raw = newGrams(raw, rawLine, nil)
	return w
}

// find calls with every entry that a folded text may be an answer to; with some more than once. Where plain is set, the text is known to be ASCII.
func (f *field) find(text []byte, plain bool, met func(*entry)) {
	if f.number != nil {
		if n, ok := canonical(text); ok {
			for _, x := range f.number[string(n)] {
				met(x)
			}
		}
	}
	if f.equal != nil {
		for _, x := range f.equal[string(text)] {
			met(x)
		}
	}
	f.prefix.findFirst(text, met)
	f.suffix.findLast(text, met)
	f.within.find(text, plain, met)
}

// canonical is sigma.Canonical, quick for the numbers that are already so.
func canonical(text []byte) ([]byte, bool) {
	if len(text) == 0 || text[0] > '9' || text[0] < '-' {
		return nil, false // no number begins so
	}
	if wholeNumber(text) {
		return text, true
	}
	s, ok := sigma.Canonical(string(text))
	return []byte(s), ok
}

// wholeNumber tells whether a text is a number without sign, fraction and exponent, as sigma.Canonical writes it.
func wholeNumber[T string | []byte](text T) bool {
	if len(text) == 0 || len(text) > 40 || text[0] == '0' && len(text) > 1 {
		return false
	}
	for i := range len(text) {
		if c := text[i]; c < '0' || c > '9' {
			return false
		}
	}
	return true
}
