package observation

import (
	"entente/stix/pattern"
)

// Matcher says which conditions observations meet. It belongs to one goroutine.
type Matcher struct {
	// Failed counts conditions that could not be decided on an observation, as pattern.EvalError says why. They are not met by it.
	Failed uint64

	e      *Engine
	stamp  []uint32 // by condition: the epoch in which it was named
	epoch  uint32
	named  []int32
	met    []int32
	hit    func([]int32)
	taken  extraction
	of     func(*Events, *source, item)
	groups []int
}

// Matcher makes one.
func (e *Engine) Matcher() *Matcher {
	m := &Matcher{e: e, stamp: make([]uint32, len(e.conds))}
	m.hit, m.of = m.name, m.take
	return m
}

// begin forgets what was named.
func (m *Matcher) begin() {
	if m.epoch++; m.epoch == 0 { // after 2^32 observations
		clear(m.stamp)
		m.epoch = 1
	}
	m.named, m.met = m.named[:0], m.met[:0]
}

// name notes conditions that may be met, each once.
func (m *Matcher) name(conds []int32) {
	for _, c := range conds {
		if m.stamp[c] != m.epoch {
			m.stamp[c] = m.epoch
			m.named = append(m.named, c)
		}
	}
}

// Observation gives the conditions that an observation meets. They are valid until the next call.
func (m *Matcher) Observation(o *pattern.Observation) []int32 {
	m.begin()
	o.Each(func(object map[string]any) {
		typ, _ := object["type"].(string)
		m.name(m.e.kinds[typ])
		for _, at := range m.e.types[typ] {
			p := m.e.list[at]
			o.Values(object, p.steps, func(v any) bool {
				p.value(v, m.hit)
				return true
			})
		}
	})
	for _, n := range m.named {
		m.decide(n, o)
	}
	return m.met
}

// decide puts an observation to a condition that was named.
func (m *Matcher) decide(n int32, o *pattern.Observation) {
	c := &m.e.conds[n]
	switch ok, err := c.of.Holds(c.is, o); {
	case err != nil:
		m.Failed++
	case ok:
		m.met = append(m.met, n)
	}
}
