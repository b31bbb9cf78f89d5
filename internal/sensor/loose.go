package sensor

import (
	"sync"
	"time"

	"entente/internal/event"
	wire "entente/sensor"
)

// loose are reports of what several events make together, which may be of several blocks, until they are in the spool.
type loose struct {
	mu      sync.Mutex
	reports []wire.Report
}

// combined tells that something was met by several events; origin names these.
func (s *Sensor) combined(origin, source string, first, last time.Time, fields []event.Field) {
	if !s.mutes.heard(source, 1) || !s.mutes.note(source) {
		return
	}
	s.loose.add(wire.Report{ID: wire.ReportID(origin, source, "", ""), Source: source, First: first, Last: last, Count: 1, Fields: s.evidence(fields)})
	s.wake(s.telling)
}

// add takes a report.
func (l *loose) add(r wire.Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reports = append(l.reports, r)
}

// take hands out what was found. It stays until it is told.
func (l *loose) take() []wire.Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reports[:len(l.reports):len(l.reports)]
}

// told forgets the first of what was handed out.
func (l *loose) told(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reports = l.reports[n:]
}
