package match

import (
	"bytes"
	"encoding/binary"
	"slices"

	"entente/internal/event"
	"entente/sigma"
)

// Matcher puts events to an engine's rules, one after the other. It belongs to one goroutine.
type Matcher struct {
	e     *Engine
	ev    *event.Event
	epoch uint32

	answers []answer // by leaf
	asked   []uint32 // by rule: the epoch in which it was a candidate
	folded  []texts  // by slot
	arena   []byte
	route   []byte
	known   map[string]*table // by the values that decide about routes
}

// answer counts only in its epoch.
type answer struct {
	epoch uint32
	yes   bool
}

// texts are the folded texts of a field's values.
type texts struct {
	epoch uint32
	at    [][]byte
}

// maxKnown bounds the values of route fields whose table is remembered.
const maxKnown = 10_000

// Matcher makes one.
func (e *Engine) Matcher() *Matcher {
	return &Matcher{e: e, answers: make([]answer, len(e.leaves)), asked: make([]uint32, len(e.rules)), folded: make([]texts, e.plan.Slots()), known: map[string]*table{}}
}

// Match calls with every rule that the event matches: its place in what was given to New. Until the next call the matcher is the event as rules see it, and
// [sigma.Query.Eval] says why.
func (m *Matcher) Match(ev *event.Event, hit func(rule int)) {
	m.ev = ev
	if m.epoch++; m.epoch == 0 {
		clear(m.answers)
		clear(m.asked)
		clear(m.folded)
		m.epoch = 1
	}
	m.arena = m.arena[:0]
	t := m.table()
	found := func(x *entry) {
		if !m.yes(x.leaf) {
			return
		}
		for _, r := range x.rules {
			m.try(r, hit)
		}
	}
	for i := range t.fields {
		f := &t.fields[i]
		if ev.Get(f.slot).Kind == event.Missing {
			continue
		}
		for _, text := range m.texts(f.slot) {
			f.find(text, found)
		}
		for _, x := range f.asked {
			found(x)
		}
	}
	if t.words != nil {
		ev.Every(func(v event.Value) bool {
			mark := len(m.arena)
			m.arena = fold(m.arena, v.Text)
			t.words.find(m.arena[mark:], func(x *entry) {
				if l := &m.e.leaves[x.leaf]; m.answers[x.leaf].epoch != m.epoch && (l.plain && l.holds(m.arena[mark:]) || !l.plain && l.Accepts(valueOf(v))) {
					m.answers[x.leaf] = answer{m.epoch, true}
				}
			})
			m.arena = m.arena[:mark]
			return true
		})
		for _, x := range t.words.all {
			if m.answers[x.leaf].epoch == m.epoch {
				found(x)
			} else {
				m.answers[x.leaf] = answer{m.epoch, false}
			}
		}
	}
	for _, r := range t.always {
		m.try(r, hit)
	}
}

// try asks a rule in full, once for an event.
func (m *Matcher) try(n int32, hit func(int)) {
	if m.asked[n] == m.epoch {
		return
	}
	m.asked[n] = m.epoch
	if r := &m.e.rules[n]; m.holds(&r.expr) {
		hit(int(n))
	}
}

func (m *Matcher) holds(x *expr) bool {
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
		for i := range x.args {
			if m.holds(&x.args[i]) {
				return true
			}
		}
		return false
	}
	return !m.holds(&x.args[0])
}

// yes answers a question, once for an event.
func (m *Matcher) yes(n int) bool {
	a := &m.answers[n]
	if a.epoch != m.epoch {
		a.epoch, a.yes = m.epoch, m.ask(&m.e.leaves[n])
	}
	return a.yes
}

func (m *Matcher) ask(l *leaf) bool {
	switch l.Op {
	case sigma.OpExists, sigma.OpNull, sigma.OpField, sigma.OpFieldPrefix, sigma.OpFieldSuffix, sigma.OpFieldContains:
		return l.Holds(m)
	}
	if l.slot < 0 {
		yes := false
		m.ev.Every(func(v event.Value) bool {
			yes = l.Accepts(valueOf(v))
			return !yes
		})
		return yes
	}
	if m.ev.Get(l.slot).Kind == event.Missing {
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
	i := 0
	for v := range m.ev.All(l.slot) {
		if v.Text != nil && l.found != nil { // what must be in it is looked for first
			i++
			if text := m.texts(l.slot)[i-1]; !slices.ContainsFunc(l.found, func(need []byte) bool { return bytes.Contains(text, need) }) {
				continue
			}
		}
		if v.Kind != event.Empty && l.Accepts(valueOf(v)) {
			return true
		}
	}
	return false
}

// texts are the folded texts of a field, made once for an event.
func (m *Matcher) texts(slot int) [][]byte {
	f := &m.folded[slot]
	if f.epoch != m.epoch {
		f.epoch, f.at = m.epoch, f.at[:0]
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
	if !ok || m.ev.Get(slot).Kind == event.Missing {
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
		t = e.table(func(r int) bool { return accepted[r/8]&(1<<(r%8)) != 0 })
		e.tables[string(accepted)] = t
	}
	return t
}
