package match

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"entente/internal/event"
	"entente/sigma"
)

// Matcher puts events to an engine's rules, one after the other. It belongs to one goroutine.
type Matcher struct {
	e     *Engine
	ev    *event.Event
	hit   func(int)
	epoch uint32

	answers  []answer // by leaf
	met      []uint32 // by leaf: the epoch in which it was met as a witness
	asked    []uint32 // by rule: the epoch in which it was a candidate
	values   []values // by slot
	automata []*dfa   // of regular expressions, those that were asked
	arena    []byte
	route    []byte
	known    map[string]*table // by the values that decide about routes

	t     *table
	memo  memo
	noted []*entry // by note
	could []int32  // rules, see look

	some bool // by meetSome, see one

	note, meetWord, meetSome func(*entry) // see noting, worded and one
	word                     event.Value  // which worded is about
	text                     []byte       // and its folded text
	found                    []*entry     // by worded
	lastText                 []byte       // see address
	last                     netip.Addr
	searched                 *words // what all values of the event were searched for
}

// answer counts only in its epoch.
type answer struct {
	epoch uint32
	yes   bool
}

// values are what is known about the values of a field. What counts is of the event's epoch.
type values struct {
	folded uint32 // an epoch
	at     [][]byte
	sought uint32 // an epoch
	cell   *cell  // see value
	stamp  uint64 // of the cell, as long as it is the value's
}

// maxKnown bounds the values of route fields whose table is remembered.
const maxKnown = 10_000

// Matcher makes one.
func (e *Engine) Matcher() *Matcher {
	m := &Matcher{e: e, answers: make([]answer, len(e.leaves)), met: make([]uint32, len(e.leaves)), asked: make([]uint32, len(e.rules)), values: make([]values, e.plan.Slots()),
		automata: make([]*dfa, e.regexes), known: map[string]*table{}, memo: newMemo(e.plan.Slots(), memoCells, memoJudged)}
	m.note, m.meetWord, m.meetSome = m.noting, m.worded, func(*entry) { m.some = true }
	return m
}

// Match calls with every rule that the event matches: its place in what was given to New. Until the next call the matcher is the event as rules see it, and
// [sigma.Query.Eval] says why.
func (m *Matcher) Match(ev *event.Event, hit func(rule int)) {
	m.ev, m.hit = ev, hit
	if m.epoch++; m.epoch == 0 {
		clear(m.answers)
		clear(m.met)
		clear(m.asked)
		clear(m.values)
		m.epoch = 1
	}
	m.arena = m.arena[:0]
	t := m.table()
	m.t = t
	if m.searched = nil; t.words != nil {
		m.words(t.words)
	}
	plain := ev.ASCII() && ev.Plain()
	for _, slot := range ev.Slots() {
		if int(slot) >= len(t.at) || t.at[slot] == 0 {
			continue
		}
		m.look(&t.fields[t.at[slot]-1], plain)
	}
	for _, r := range t.always {
		m.try(r, -1)
	}
	if t.learner != nil {
		m.learn(t)
	}
}

// look asks the rules that have a witness in a field.
func (m *Matcher) look(f *field, plain bool) {
	c := m.value(f.slot)
	if c != nil && c.found {
		for _, r := range c.rules {
			m.try(r, f.slot)
		}
		return
	}
	m.noted = m.noted[:0]
	for _, text := range m.texts(f.slot) {
		f.find(text, plain, m.note)
	}
	m.could = m.could[:0]
	for _, x := range append(m.noted, f.asked...) {
		if m.witnessed(x) {
			for _, r := range x.rules {
				if m.alone(&m.e.rules[r].expr, f.slot) {
					m.could = append(m.could, r)
				}
			}
		}
	}
	if c != nil && len(m.could) <= memoRules {
		c.rules, c.found = append(c.rules[:0], m.could...), true
	}
	for _, r := range m.could {
		m.try(r, f.slot)
	}
}

// value is where the value of a field is remembered; nil: it has several, or is not.
func (m *Matcher) value(slot int) *cell {
	v := &m.values[slot]
	if v.sought != m.epoch {
		v.sought, v.cell = m.epoch, nil
		if value, escaped, one := m.ev.Raw(slot); one {
			v.cell = m.memo.cell(m.t.id, slot, value, escaped)
		}
		if v.cell != nil {
			v.stamp = v.cell.stamp
		}
	}
	if v.cell != nil && v.cell.stamp != v.stamp { // another value of the event has taken its place
		v.cell = nil
	}
	return v.cell
}

// alone tells whether a rule holds as far as a field alone says, and what is slow to answer left out.
func (m *Matcher) alone(x *expr, slot int) bool {
	if x.op != sigma.ExprAnd {
		return !x.about(slot) || m.holds(x)
	}
	for i := range x.args {
		if a := &x.args[i]; a.about(slot) && !m.holds(a) {
			return false
		}
	}
	return true
}

// noting notes an entry, once for an event.
func (m *Matcher) noting(x *entry) {
	if m.met[x.leaf] != m.epoch {
		m.met[x.leaf] = m.epoch
		m.noted = append(m.noted, x)
	}
}

// witnessed tells whether an entry that was found is true.
func (m *Matcher) witnessed(x *entry) bool {
	if x.text {
		m.answers[x.leaf] = answer{m.epoch, true}
		return true
	}
	return m.yes(x.leaf)
}

// words looks for what may stand in any value.
func (m *Matcher) words(w *words) {
	m.found = m.found[:0]
	if w.whole || !m.ev.Plain() || m.possible(w) {
		m.ev.Every(func(v event.Value) bool {
			mark := len(m.arena)
			m.arena = fold(m.arena, v.Text)
			m.word, m.text = v, m.arena[mark:]
			w.find(m.text, false, m.meetWord)
			m.arena = m.arena[:mark]
			return true
		})
	}
	m.searched = w
	for _, x := range append(m.found, w.asked...) {
		if m.witnessed(x) {
			for _, r := range x.rules {
				m.try(r, -1)
			}
		}
	}
}

// possible tells whether one of the words may stand in a value of a plain event, by its line as it is: a text of ASCII in its folded form is there as it is but for the case,
// or with one of the two letters beyond ASCII that fold into it.
func (m *Matcher) possible(w *words) bool {
	return w.raw.anyCaseless(m.ev.Line) || !m.ev.ASCII() && (bytes.Contains(m.ev.Line, []byte("\u017f")) || bytes.Contains(m.ev.Line, []byte("\u212a")))
}

// worded notes what is in a value.
func (m *Matcher) worded(x *entry) {
	if m.answers[x.leaf].epoch != m.epoch && (x.text || m.e.leaves[x.leaf].Accepts(valueOf(m.word))) {
		m.answers[x.leaf] = answer{m.epoch, true}
		m.found = append(m.found, x)
	}
}

// try asks a rule, once for an event, but for what is known to hold: see alone.
func (m *Matcher) try(n int32, known int) {
	if m.asked[n] == m.epoch {
		return
	}
	m.asked[n] = m.epoch
	x := &m.e.rules[n].expr
	if x.op != sigma.ExprAnd {
		if x.about(known) || m.holds(x) {
			m.hit(int(n))
		}
		return
	}
	for i := range x.args {
		if a := &x.args[i]; !a.about(known) && !m.holds(a) {
			return
		}
	}
	m.hit(int(n))
}

// holds answers an expression: from memory, where it is about one field and has been asked of its value before.
func (m *Matcher) holds(x *expr) bool {
	if x.part < 0 {
		return m.eval(x)
	}
	c := m.value(int(x.slot))
	if c == nil {
		return m.eval(x)
	}
	j := m.memo.judge(c, x.part)
	if j.stamp != c.stamp || j.part != x.part {
		*j = judged{c.stamp, x.part, m.eval(x)}
	}
	return j.yes
}

func (m *Matcher) eval(x *expr) bool {
	switch x.op {
	case sigma.ExprLeaf:
		return m.yes(x.leaf)
	case sigma.ExprAnd:
		for i := range x.args {
			if !m.holds(&x.args[i]) {
				return false
			}
		}
		return true
	case sigma.ExprOr:
		args := x.args
		if x.set != nil {
			if m.one(x) {
				return true
			}
			args = args[x.set.n:]
		}
		for i := range args {
			if m.holds(&args[i]) {
				return true
			}
		}
		return false
	}
	return !m.holds(&x.args[0])
}

// one tells whether a question of an expression's set is answered with yes.
func (m *Matcher) one(x *expr) bool {
	s := x.set
	s.once.Do(func() {
		var all []*entry
		for _, a := range x.args[:s.n] {
			all = append(all, &entry{leaf: a.leaf})
		}
		s.index = m.e.field(int(x.slot), all, nil)
	})
	m.some = false
	for _, text := range m.texts(int(x.slot)) {
		s.index.find(text, false, m.meetSome)
	}
	return m.some
}

// yes answers a question, once for an event.
func (m *Matcher) yes(n int) bool {
	a := &m.answers[n]
	if a.epoch != m.epoch {
		l := &m.e.leaves[n]
		a.epoch, a.yes = m.epoch, (l.slot >= 0 || m.searched == nil || !m.searched.in[n]) && m.ask(l)
	}
	return a.yes
}

func (m *Matcher) ask(l *leaf) bool {
	switch l.op {
	case sigma.OpExists:
		return m.ev.Kind(l.slot) != event.Missing
	case sigma.OpNull:
		return m.null(l.slot)
	case sigma.OpField, sigma.OpFieldPrefix, sigma.OpFieldSuffix, sigma.OpFieldContains:
		if l.Cased {
			return l.Holds(m)
		}
		return m.related(l)
	}
	if l.slot < 0 {
		yes := false
		m.ev.Every(func(v event.Value) bool {
			yes = l.Accepts(valueOf(v))
			return !yes
		})
		return yes
	}
	if m.ev.Kind(l.slot) == event.Missing {
		return false
	}
	if l.plain {
		for _, t := range m.texts(l.slot) {
			if l.holds(t) {
				return true
			}
		}
		return false
	}
	for v := range m.ev.All(l.slot) {
		if v.Kind != event.Empty && m.accepts(l, v) {
			return true
		}
	}
	return false
}

// accepts puts a question to a value.
func (m *Matcher) accepts(l *leaf, v event.Value) bool {
	switch {
	case v.Kind == event.Null:
	case l.op == sigma.OpRegex:
		d := m.automata[l.regex]
		if d == nil {
			d = newDFA(l.program)
			m.automata[l.regex] = d
		}
		return d.match(v.Text)
	case l.op == sigma.OpCIDR:
		return l.network.Contains(m.address(v.Text))
	case l.whole && wholeNumber(v.Text):
		return string(v.Text) == l.Text
	}
	return l.Accepts(valueOf(v))
}

// address is that of a text, the last one that was asked for at hand: rules ask for many networks of the same field. The zero one, which is in no network, where it is none.
func (m *Matcher) address(text []byte) netip.Addr {
	if string(text) != string(m.lastText) {
		a, err := netip.ParseAddr(string(text))
		if err != nil {
			a = netip.Addr{}
		}
		m.lastText, m.last = append(m.lastText[:0], text...), a.WithZone("").Unmap()
	}
	return m.last
}

// null tells whether a field is null, or not there, or without values.
func (m *Matcher) null(slot int) bool {
	values := false
	for v := range m.ev.All(slot) {
		if v.Kind == event.Null {
			return true
		}
		values = values || v.Kind != event.Empty
	}
	return !values
}

// related answers a question about two fields.
func (m *Matcher) related(l *leaf) bool {
	for _, a := range m.texts(l.slot) {
		for _, b := range m.texts(l.other) {
			switch {
			case l.op == sigma.OpField && bytes.Equal(a, b), l.op == sigma.OpFieldPrefix && bytes.HasPrefix(a, b), l.op == sigma.OpFieldSuffix && bytes.HasSuffix(a, b),
				l.op == sigma.OpFieldContains && bytes.Contains(a, b):
				return true
			}
		}
	}
	return false
}

// texts are the folded texts of a field, made once for an event.
func (m *Matcher) texts(slot int) [][]byte {
	f := &m.values[slot]
	if f.folded != m.epoch {
		f.folded, f.at = m.epoch, f.at[:0]
		for v := range m.ev.All(slot) {
			if v.Text == nil {
				continue
			}
			mark := len(m.arena)
			m.arena = fold(m.arena, v.Text)
			f.at = append(f.at, m.arena[mark:len(m.arena):len(m.arena)])
		}
	}
	return f.at
}

var kinds = [...]sigma.Kind{event.Null: sigma.KindNull, event.Text: sigma.KindText, event.Number: sigma.KindNumber, event.Bool: sigma.KindBool}

func valueOf(v event.Value) sigma.Value { return sigma.Value{Kind: kinds[v.Kind], Text: v.Text} }

// Values implements sigma.Event.
func (m *Matcher) Values(field string) []sigma.Value {
	slot, ok := m.e.slots[field]
	if !ok || m.ev.Kind(slot) == event.Missing {
		return nil
	}
	out := make([]sigma.Value, 0, 1)
	for v := range m.ev.All(slot) {
		if v.Kind != event.Empty {
			out = append(out, valueOf(v))
		}
	}
	return out
}

// Keywords implements sigma.Event.
func (m *Matcher) Keywords(f func([]byte) bool) {
	m.ev.Every(func(v event.Value) bool { return f(v.Text) })
}

// table finds the indexes for the event's route.
func (m *Matcher) table() *table {
	m.route = m.route[:0]
	for _, slot := range m.e.asked {
		for v := range m.ev.All(slot) {
			m.route = append(m.route, byte(v.Kind))
			m.route = binary.AppendUvarint(m.route, uint64(len(v.Text)))
			m.route = append(m.route, v.Text...)
		}
		m.route = append(m.route, 255)
	}
	if t := m.known[string(m.route)]; t != nil {
		if better := t.better.Load(); better != nil {
			t = better
			m.known[string(m.route)] = t
		}
		return t
	}
	accepted := make([]byte, (len(m.e.routes)+7)/8)
	for i := range m.e.routes {
		if m.holds(&m.e.routes[i]) {
			accepted[i/8] |= 1 << (i % 8)
		}
	}
	t := m.e.route(accepted)
	if len(m.known) >= maxKnown {
		clear(m.known)
	}
	m.known[string(m.route)] = t
	return t
}

// maxTables bounds the indexes that are kept.
const maxTables = 1000

// route gives the indexes for the routes that accept, and makes them where they are new.
func (e *Engine) route(accepted []byte) *table {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tables[string(accepted)]
	if t == nil {
		if len(e.tables) >= maxTables {
			clear(e.tables)
		}
		var rules []int32
		for i := range e.rules {
			if r := e.rules[i].route; r < 0 || accepted[r/8]&(1<<(r%8)) != 0 {
				rules = append(rules, int32(i))
			}
		}
		t = e.table(rules, nil)
		if len(e.course) > 0 {
			t.learner = &learner{course: e.course[0], then: e.course[1:], accepted: string(accepted)}
		}
		e.tables[string(accepted)] = t
	}
	return t
}
