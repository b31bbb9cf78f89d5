package sensor

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"entente/internal/build"
	"entente/internal/indicator"
	wire "entente/sensor"
)

const (
	statusFile  = "status.json"
	healthEvery = 30 * time.Second
	statusEvery = 2 * time.Second
)

// Status is how a sensor is, as its own files say it.
type Status struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Org     string            `json:"org"`
	Nation  string            `json:"nation"`
	Realm   string            `json:"realm"`
	Node    string            `json:"node"`
	Until   time.Time         `json:"certificate_until"`
	Running bool              `json:"running"`
	Process int               `json:"process,omitempty"`         // its number in the system
	Heard   time.Time         `json:"node_heard,omitzero"`       // when the node last answered
	Given   int64             `json:"reports_given"`             // since it started
	Errors  map[string]string `json:"errors,omitempty"`          // what fails now, by what does
	Dead    map[string]uint64 `json:"not_valid,omitempty"`       // times that an indicator was met that does not count, by why, since it started
	Missed  map[string]uint64 `json:"patterns_missed,omitempty"` // events that patterns of several may have missed, by why, since it started
	Health  wire.Health       `json:"health"`
}

// ReadStatus says how the sensor of a data directory is, whether it runs or not.
func ReadStatus(dir string) (*Status, error) {
	id, err := openIdentity(dir)
	if err != nil {
		return nil, err
	}
	st := &Status{}
	if _, err := readJSON(filepath.Join(dir, statusFile), st); err != nil {
		return nil, err
	}
	st.name(id)
	if st.Running {
		p, err := os.FindProcess(st.Process)
		st.Running = err == nil && !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
	}
	return st, nil
}

// name says who it is.
func (st *Status) name(id *identity) {
	who := id.who.Load()
	st.ID, st.Name, st.Org, st.Nation, st.Realm, st.Node, st.Until = who.ID, who.Name, who.Org, who.Nation, who.Realm, who.Node, id.cert.Load().Leaf.NotAfter
}

// health is how the sensor is.
func (s *Sensor) health() wire.Health {
	h := wire.Health{Time: s.o.Now().UTC(), Started: s.started, Build: build.Version(), Inputs: []wire.Input{}, Muted: s.mutes.list()}
	table, at := s.tables.at()
	h.Indicators = at
	if table != nil {
		h.Entries = table.Len()
	}
	if l := s.look.Load(); l != nil {
		h.Rules, h.RulesReady, h.Left, h.LeftCount = l.rules.etag, l.rules.count, l.rules.left, l.rules.leftCount
	}
	for _, f := range s.o.Feeds {
		in := f.status()
		if _, shut := s.gate.state(); shut && in.Error == "" {
			in.Error = "the spool is full: what is met cannot be kept, and the input waits"
			if f.Lossy {
				in.Error = "the spool is full: what comes is dropped"
			}
		}
		h.Inputs = append(h.Inputs, in)
	}
	sp := s.spool.Stats()
	h.Spooled, h.Refused = sp.Records, int64(sp.Refused)+s.refused.Load()
	m := s.memory.Stats()
	h.Recall = wire.Recall{Days: s.o.Config.Recall.Days, Stored: m.Stored + uint64(m.Held), Bytes: m.Bytes, Dropped: m.Dropped}
	return h
}

// report tells the node how the sensor is: every half minute, and soon when something changed.
func (s *Sensor) reportHealth(ctx context.Context) {
	every(ctx, healthEvery, s.changed, func() {
		h := s.health()
		_, err := post[wire.State](ctx, s.client, wire.PathHealth, &h)
		if ctx.Err() == nil {
			s.failed("health", err)
		}
		pause(ctx, time.Second) // changes in between come together
	})
}

// keepStatus writes down how the sensor is.
func (s *Sensor) keepStatus(running bool) error {
	st := Status{Running: running, Process: os.Getpid(), Given: s.given.Load(), Missed: s.several.missed(), Health: s.health()}
	if at := s.seenNode.Load(); at != 0 {
		st.Heard = time.Unix(0, at).UTC()
	}
	st.name(s.id)
	s.mu.Lock()
	st.Errors, st.Dead = maps.Clone(s.errors), maps.Clone(s.dead)
	s.mu.Unlock()
	return writeJSON(s.path(statusFile), &st)
}

// buried counts indicators that were met and do not count.
func (s *Sensor) buried(dead map[indicator.State]uint64) {
	if len(dead) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for state, n := range dead {
		s.dead[strings.ToLower(state.String())] += n
	}
	clear(dead)
}

// failed notes that a part of the sensor fails, or does not any more.
func (s *Sensor) failed(part string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || errors.Is(err, context.Canceled) {
		delete(s.errors, part)
		return
	}
	s.errors[part] = cmp.Or(err.Error(), "failed")
}

// wake has a part of the sensor do its round now.
func (s *Sensor) wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// poke has the node told soon how the sensor is.
func (s *Sensor) poke() { s.wake(s.changed) }

// every does something again and again, and at once when it is woken.
func every(ctx context.Context, d time.Duration, woken <-chan struct{}, do func()) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-woken:
		}
	}
}

// pause waits; false: the work ends.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
