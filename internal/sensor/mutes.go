package sensor

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	wire "entente/sensor"
)

const (
	mutesFile  = "muted.json"
	maxMuted   = 1000    // sources that the node is told of
	maxWindows = 100_000 // sources whose reports of the last hour are counted one by one
)

// muted is a source that is not heard.
type muted struct {
	Why   string    `json:"why"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Count int64     `json:"count"`
}

// window counts the reports of one source in an hour.
type window struct {
	from time.Time
	n    int
}

// mutes says which sources are heard.
type mutes struct {
	path   string
	limits LimitsConfig
	now    func() time.Time

	mu    sync.Mutex
	node  map[string]bool // not heard because the node says so
	own   map[string]*muted
	hours map[string]*window
	dirty bool
}

func openMutes(dir string, limits LimitsConfig, now func() time.Time) (*mutes, error) {
	m := &mutes{path: filepath.Join(dir, mutesFile), limits: limits, now: now, own: map[string]*muted{}, hours: map[string]*window{}}
	_, err := readJSON(m.path, &m.own)
	return m, err
}

// heard tells whether a source is to be reported. What is met of one that is not is counted.
func (m *mutes) heard(source string, met int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.node[source] {
		return false
	}
	o := m.own[source]
	if o == nil {
		return true
	}
	if !m.now().Before(o.Until) {
		delete(m.own, source)
		m.dirty = true
		return true
	}
	o.Count += met
	return false
}

// silenced tells whether people at the node said that a source is not to be reported: also not what was met before they did.
func (m *mutes) silenced(source string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.node[source]
}

// note counts that a source has one more thing to report, and mutes it when that is too much. It tells whether the source is still heard.
func (m *mutes) note(source string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	w := m.hours[source]
	if w == nil || now.Sub(w.from) >= time.Hour {
		if w == nil && len(m.hours) >= maxWindows {
			maps.DeleteFunc(m.hours, func(_ string, w *window) bool { return now.Sub(w.from) >= time.Hour })
			if len(m.hours) >= maxWindows {
				clear(m.hours) // they begin anew
			}
		}
		w = &window{from: now}
		m.hours[source] = w
	}
	if w.n++; w.n <= m.limits.Reports {
		return true
	}
	delete(m.hours, source)
	m.own[source] = &muted{Why: fmt.Sprintf("more than %d reports in an hour", m.limits.Reports), Since: now, Until: now.Add(m.limits.quiet())}
	m.dirty = true
	return false
}

// told takes what the node says. What it had muted and has no more is heard, also if the sensor itself had muted it.
func (m *mutes) told(sources []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.node
	m.node = map[string]bool{}
	for _, s := range sources {
		m.node[s] = true
	}
	for s := range was {
		if _, own := m.own[s]; own && !m.node[s] {
			delete(m.own, s)
			m.dirty = true
		}
	}
}

// lift hears a source again: the node has something else to say about it.
func (m *mutes) lift(source string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.own[source]; ok {
		delete(m.own, source)
		m.dirty = true
	}
}

// list are the sources that the sensor does not hear by itself.
func (m *mutes) list() (out []wire.Muted) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for _, source := range slices.Sorted(maps.Keys(m.own)) {
		if o := m.own[source]; now.Before(o.Until) && len(out) < maxMuted {
			out = append(out, wire.Muted{Source: source, Why: o.Why, Since: o.Since, Count: o.Count})
		}
	}
	return out
}

// keep writes down what is muted, if that changed, and tells whether it did.
func (m *mutes) keep() (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirty {
		return false, nil
	}
	m.dirty = false
	return true, writeJSON(m.path, m.own)
}
