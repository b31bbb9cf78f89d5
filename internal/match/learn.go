package match

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"

	"entente/sigma"
)

// course says how a table learns what is rare: of every so many events of its route it keeps one, until there are enough. Then it is made anew from how often these events
// answered questions with yes, and which sequences of bytes stood in them. It finds the same either way.
type course struct{ every, events int }

// courses are those of a table, one after the other.
var courses = []course{{4, 256}, {16, 512}}

// maxLearnt bounds the texts that a course keeps, in bytes.
const maxLearnt = 4 << 20

// learner keeps events for a course.
type learner struct {
	course
	accepted string // the table's routes, as bits
	then     []course
	seen     atomic.Int64

	mu   sync.Mutex
	kept [][]keptText // by event
	size int
	over bool
}

// keptText is a folded text of a field.
type keptText struct {
	slot int
	text []byte
}

// learnt is what events were like.
type learnt struct {
	events int
	yes    map[int]int            // by leaf: in how many it was true, or could be
	grams  map[int]map[uint32]int // by slot, and by sequence of four bytes: how many there were
}

// learn keeps an event of the table's route, if it is its turn, and makes the table anew when there are enough.
func (m *Matcher) learn(t *table) {
	l := t.learner
	if n := l.seen.Add(1); n%int64(l.every) != 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	kept := []keptText{}
	for _, slot := range m.ev.Slots() {
		if int(slot) < len(t.wanted) && t.wanted[slot] {
			for _, text := range m.texts(int(slot)) {
				kept = append(kept, keptText{int(slot), slices.Clone(text)})
				l.size += len(text)
			}
		}
	}
	l.kept = append(l.kept, kept)
	if len(l.kept) < l.events && l.size < maxLearnt {
		return
	}
	better := m.e.taught(t, l)
	t.better.Store(better)
	l.over, l.kept = true, nil
}

// taught makes a table anew from what was kept.
func (e *Engine) taught(t *table, l *learner) *table {
	know := e.lesson(t, l.kept)
	better := e.table(t.rules, know)
	if len(l.then) > 0 {
		better.learner = &learner{course: l.then[0], then: l.then[1:], accepted: l.accepted}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tables[l.accepted] == t {
		e.tables[l.accepted] = better
	}
	return better
}

// lesson counts what stands in events.
func (e *Engine) lesson(t *table, events [][]keptText) *learnt {
	know := &learnt{events: len(events), yes: map[int]int{}, grams: map[int]map[uint32]int{}}
	all := map[int][]*entry{} // of every question that could be a witness, by slot
	known := map[int]bool{}
	for _, r := range t.rules {
		e.possible(&e.rules[r].expr, func(leaf int) {
			if slot := e.leaves[leaf].slot; slot >= 0 && !known[leaf] {
				known[leaf] = true
				all[slot] = append(all[slot], &entry{leaf: leaf})
			}
		})
	}
	fields := map[int]*field{}
	for slot, entries := range all {
		f := e.field(slot, entries, nil)
		fields[slot] = &f
		know.grams[slot] = map[uint32]int{}
	}
	last := map[int]int{}
	for i, texts := range events {
		met := func(x *entry) {
			if last[x.leaf] != i+1 {
				last[x.leaf] = i + 1
				know.yes[x.leaf]++
			}
		}
		for _, kept := range texts {
			f, grams := fields[kept.slot], know.grams[kept.slot]
			if f == nil {
				continue
			}
			f.find(kept.text, false, met)
			for _, x := range f.asked {
				if e.leaves[x.leaf].Accepts(sigma.Value{Kind: sigma.KindText, Text: kept.text}) {
					met(x)
				}
			}
			for j := 0; j+4 <= len(kept.text); j++ {
				grams[binary.LittleEndian.Uint32(kept.text[j:])]++
			}
		}
	}
	return know
}

// possible calls with every leaf that may be a witness of an expression.
func (e *Engine) possible(x *expr, f func(leaf int)) {
	switch x.op {
	case sigma.ExprLeaf:
		if e.leaves[x.leaf].cost > 0 {
			f(x.leaf)
		}
	case sigma.ExprAnd, sigma.ExprOr:
		for i := range x.args {
			e.possible(&x.args[i], f)
		}
	}
}

// cost is what it costs to look for a leaf as a witness: how often it is found, and how long it then takes to answer. Without anything learnt that is a guess.
func (k *learnt) cost(n int, l *leaf) float64 {
	often := float64(l.cost) / 1000
	if k != nil && l.slot >= 0 {
		const guess = 4 // events that the guess counts for
		often = (float64(k.yes[n]) + guess*often) / (float64(k.events) + guess)
	}
	work := 1.0
	if !l.plain {
		work = 3
	}
	cost := often * work
	for _, text := range l.texts { // texts that are not there cost a little, too: short ones a search of their own, or one in shorter steps
		switch cost += 1e-5; {
		case l.Op == sigma.OpEqual || l.Op == sigma.OpPrefix || l.Op == sigma.OpSuffix:
		case len(text) < 4:
			cost += 0.05
		case len(text) < 7:
			cost += 0.002
		}
	}
	return cost
}

// count is how often a sequence of four bytes stood in a field, and a little more: as a guess has it.
func (k *learnt) count(slot int, gram string, guess float64) float64 {
	if k == nil || slot < 0 {
		return guess
	}
	return float64(k.grams[slot][uint32(word(gram))]) + guess
}
