package recall

import (
	"net/netip"
	"time"
)

// Stage is what was seen in a stretch of telemetry that may be read again: it is in the memory when it is committed, and until then asked by itself. It belongs to one goroutine.
type Stage struct {
	m     *Memory
	days  map[int64]map[uint64]staged
	n     int
	event uint32
	day   int64 // of the event; negative: its time is none that is remembered
	at    uint32
}

// staged is an entry, and the event that it was last seen in: a value counts once in an event.
type staged struct {
	entry
	event uint32
}

// Stage begins one.
func (m *Memory) Stage() *Stage { return &Stage{m: m, days: map[int64]map[uint64]staged{}, day: -1} }

// Event begins an event: what is seen from now on is of it.
func (s *Stage) Event(when time.Time) {
	s.event++
	second := when.Unix()
	s.day, s.at = second/daySeconds, uint32(second%daySeconds)
	if !s.m.remembers(second) {
		s.day = -1
	}
}

// See notes that a value stands in the event, by the keys that [Memory.Key] and [Memory.AddrKeys] give of it.
func (s *Stage) See(keys ...uint64) {
	if s.day < 0 {
		return
	}
	for _, key := range keys {
		s.see(key)
	}
}

func (s *Stage) see(key uint64) {
	d := s.days[s.day]
	if d == nil {
		d = map[uint64]staged{}
		s.days[s.day] = d
	}
	e, known := d[key]
	switch {
	case !known:
		e.entry = entry{1, s.at, s.at}
		s.n++
	case e.event == s.event:
		return
	default:
		e.add(entry{1, s.at, s.at})
	}
	e.event = s.event
	d[key] = e
}

// Len is how many values the stage holds.
func (s *Stage) Len() int { return s.n }

// Seen says how often a value was seen in the stage: in how many events.
func (s *Stage) Seen(kind uint8, value []byte) (out Seen) {
	key := s.m.Key(kind, value)
	for day, d := range s.days {
		if e, ok := d[key]; ok {
			out.add(day, e.entry)
		}
	}
	return out
}

// SeenIn says how often addresses of a network were seen in the stage.
func (s *Stage) SeenIn(p netip.Prefix) (out Seen, err error) {
	low, high, err := s.m.span(p)
	if err != nil {
		return out, err
	}
	for day, d := range s.days {
		for key, e := range d {
			if key >= low && key <= high {
				out.add(day, e.entry)
			}
		}
	}
	return out, nil
}

// Commit puts what was seen into the memory. The stage is empty after it.
func (s *Stage) Commit() {
	for day, d := range s.days {
		for key, e := range d {
			s.m.put(key, day, e.entry)
		}
	}
	s.days, s.n = map[int64]map[uint64]staged{}, 0
}
