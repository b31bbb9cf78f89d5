package match

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// dfa says whether a regular expression is found in a text, in one step for each code point: a state is the set of places in the expression that what was read so far
// may have led to, and states are made when they are first reached. It answers what package regexp answers, bytes that are not UTF-8 included. It belongs to one
// goroutine.
type dfa struct {
	*program
	anchored bool   // a match begins where the text begins
	bounds   []rune // where the classes of code points begin, rising; the first is 0
	ascii    [utf8.RuneSelf]uint8
	low      bool      // the classes of ASCII fit into ascii
	idle     [256]bool // bytes of ASCII that do not lead out of the first state
	classes  int       // the end of the text is the last of them

	states []dfaState
	next   []int32          // by state and class: where the row of the state that follows begins; -1: not known yet
	known  map[string]int32 // the rows of states, by what they hold
	key    []byte
	stack  []uint32
	seen   []uint32 // by place: when it was last visited
	turn   uint32
	set    []uint32
	from   []uint32 // the places of the state that is left
}

// dfaState is the places that are waited in, before what asks for no code point there is answered, and what stands before.
type dfaState struct {
	places []uint32
	before rune // -1: the text begins; otherwise one like it: '\n', 'a' for part of a word, ' '
}

const (
	dfaMatch = 0 // states: those that end it, and the first
	dfaFail  = 1
	dfaStart = 2

	maxCells = 1 << 18 // of the table of an automaton, in entries: it is begun anew when it is full
)

func newDFA(p *program) *dfa {
	d := &dfa{program: p, anchored: p.prog.StartCond()&syntax.EmptyBeginText != 0, seen: make([]uint32, len(p.prog.Inst))}
	d.classify()
	d.reset()
	return d
}

// classify parts the code points into classes that the expression treats alike.
func (d *dfa) classify() {
	cut := []rune{0, '\n', '\n' + 1, '0', '9' + 1, 'A', 'Z' + 1, '_', '_' + 1, 'a', 'z' + 1} // the letters are what \b tells apart
	for i := range d.prog.Inst {
		in := &d.prog.Inst[i]
		if in.Op != syntax.InstRune && in.Op != syntax.InstRune1 {
			continue
		}
		if len(in.Rune) == 1 { // one code point, and under (?i) those that are equal to it
			first := in.Rune[0]
			cut = append(cut, first, first+1)
			if syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
				for r := unicode.SimpleFold(first); r != first; r = unicode.SimpleFold(r) {
					cut = append(cut, r, r+1)
				}
			}
			continue
		}
		for j := 0; j+1 < len(in.Rune); j += 2 {
			cut = append(cut, in.Rune[j], in.Rune[j+1]+1)
		}
	}
	slices.Sort(cut)
	d.bounds = slices.Compact(cut)
	d.classes = len(d.bounds) + 1
	d.low = true
	for r := range rune(utf8.RuneSelf) {
		c := d.class(r)
		d.ascii[r] = uint8(c)
		d.low = d.low && c < 256
	}
}

// class is the class of a code point.
func (d *dfa) class(r rune) int {
	i, there := slices.BinarySearch(d.bounds, r)
	if !there {
		i--
	}
	return i
}

// reset forgets the states but those that every automaton has.
func (d *dfa) reset() {
	d.states, d.next, d.known = d.states[:0], d.next[:0], map[string]int32{}
	d.state(dfaState{before: -2})
	d.state(dfaState{before: -3})
	first := rune(' ')
	if d.asserts {
		first = -1
	}
	d.state(dfaState{places: []uint32{uint32(d.prog.Start)}, before: first})
}

// state is the row of a state.
func (d *dfa) state(s dfaState) int32 {
	d.key = binary.AppendVarint(d.key[:0], int64(s.before))
	for _, p := range s.places {
		d.key = binary.AppendUvarint(d.key, uint64(p))
	}
	row, ok := d.known[string(d.key)]
	if !ok {
		row = int32(len(d.next))
		s.places = slices.Clone(s.places)
		d.known[string(d.key)] = row
		d.states = append(d.states, s)
		for range d.classes {
			d.next = append(d.next, -1)
		}
	}
	return row
}

// match says whether the expression is found in the text.
func (d *dfa) match(text []byte) bool {
	ends := int32(dfaFail * d.classes)
	first := int32(dfaStart * d.classes)
	row := first
	i := 0
	if d.lead != nil {
		if i = d.ahead(text, 0); i < 0 {
			return false
		}
	}
	for i < len(text) {
		var class int
		if c := text[i]; c < utf8.RuneSelf && d.low {
			class = int(d.ascii[c])
			i++
		} else {
			r, n := utf8.DecodeRune(text[i:])
			class = d.class(r)
			i += n
		}
		to := d.next[int(row)+class]
		if to <= ends {
			if to < 0 {
				to = d.step(row, class)
			}
			if to <= ends {
				return to == dfaMatch
			}
		}
		if to == first { // nothing has begun: on to where something may
			switch {
			case d.lead != nil:
				if i = d.ahead(text, i); i < 0 {
					return false
				}
			case row == first:
				for i < len(text) && d.idle[text[i]] {
					i++
				}
			}
		}
		row = to
	}
	to := d.next[int(row)+d.classes-1]
	if to < 0 {
		to = d.step(row, d.classes-1)
	}
	return to == dfaMatch
}

// step makes the state that follows.
func (d *dfa) step(row int32, class int) int32 {
	if len(d.next) >= maxCells {
		left := d.states[int(row)/d.classes]
		d.reset()
		row = d.state(left)
	}
	r := rune(-1)
	if class < len(d.bounds) {
		r = d.bounds[class]
	}
	from := &d.states[int(row)/d.classes]
	d.turn++
	d.from = d.from[:0]
	matched := false
	flags := syntax.EmptyOpContext(from.before, r)
	for _, p := range from.places {
		if d.walk(p, flags) {
			matched = true
			break
		}
	}
	to := int32(dfaFail * d.classes)
	switch {
	case matched:
		to = dfaMatch
	case r >= 0:
		d.set = d.set[:0]
		for _, p := range d.from {
			if in := &d.prog.Inst[p]; takes(in, r) {
				d.set = append(d.set, in.Out)
			}
		}
		if !d.anchored {
			d.set = append(d.set, uint32(d.prog.Start))
		}
		slices.Sort(d.set)
		if d.set = slices.Compact(d.set); len(d.set) > 0 {
			before := rune(' ')
			if d.asserts {
				before = like(r)
			}
			to = d.state(dfaState{places: d.set, before: before})
		}
	}
	d.next[int(row)+class] = to
	if row == to && row == int32(dfaStart*d.classes) {
		for c := range d.ascii {
			d.idle[c] = d.idle[c] || int(d.ascii[c]) == class && d.low
		}
	}
	return to
}

// takes tells whether an instruction takes a code point.
func takes(in *syntax.Inst, r rune) bool {
	switch in.Op {
	case syntax.InstRuneAny:
		return true
	case syntax.InstRuneAnyNotNL:
		return r != '\n'
	}
	return in.MatchRune(r)
}

// like is a code point that assertions treat as they do r.
func like(r rune) rune {
	switch {
	case r == '\n':
		return '\n'
	case syntax.IsWordChar(r):
		return 'a'
	}
	return ' '
}

// walk goes from a place over what takes no code point, and gathers what takes one in from; true: the expression is found.
func (d *dfa) walk(p uint32, flags syntax.EmptyOp) bool {
	d.stack = append(d.stack[:0], p)
	for len(d.stack) > 0 {
		p := d.stack[len(d.stack)-1]
		d.stack = d.stack[:len(d.stack)-1]
		if d.seen[p] == d.turn {
			continue
		}
		d.seen[p] = d.turn
		switch in := &d.prog.Inst[p]; in.Op {
		case syntax.InstMatch:
			return true
		case syntax.InstAlt, syntax.InstAltMatch:
			d.stack = append(d.stack, in.Out, in.Arg)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^flags == 0 {
				d.stack = append(d.stack, in.Out)
			}
		case syntax.InstCapture, syntax.InstNop:
			d.stack = append(d.stack, in.Out)
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			d.from = append(d.from, p)
		}
	}
	return false
}
