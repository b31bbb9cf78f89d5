package sensor

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"entente/internal/correlation"
	"entente/internal/event"
	"entente/sigma"
)

const (
	correlationFile = "correlations.state"
	lateness        = 2 * time.Second // by which events of several inputs may be out of order
	restAfter       = 2 * time.Second // without a line the others do not wait for an input any more
	saveShare       = 20              // of the time that passes, one part at most goes into saving
)

// correlator finds correlations over all inputs. What its engine has seen is saved before blocks are marked as read: what is read again is of before the moment that it has reached,
// and not counted again.
type correlator struct {
	s *Sensor

	mu    sync.Mutex
	e     *correlation.Engine // nil: there are no correlations
	rules *ruleset
	last  map[string]time.Time // when lines came, by source
	waits bool                 // hits came since the engine was flushed
	dirty bool                 // it has seen something since it was saved
	next  time.Time            // not to be saved before
}

// adopt takes the correlations of what is looked for from now on. What those that stay have seen stays.
func (c *correlator) adopt(l *look) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var state []byte
	if c.e != nil {
		var b bytes.Buffer
		if err := c.e.Save(&b); err != nil {
			return err
		}
		state = b.Bytes()
	} else if b, err := os.ReadFile(c.s.path(correlationFile)); err == nil {
		state = b
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.rules, c.last = l.rules, map[string]time.Time{}
	c.e = l.set.Correlations(correlation.Options{Lateness: lateness, Now: c.s.o.Now}, c.found)
	if c.e == nil || state == nil {
		return nil
	}
	if err := c.e.Load(bytes.NewReader(state)); err != nil {
		c.s.o.Log.Warn("what correlations have seen cannot be used: they begin anew", "error", err)
	}
	return nil
}

// add takes the hits of a batch, and how far its source is.
func (c *correlator) add(source string, hits []sigma.Hit, newest time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.e == nil {
		return
	}
	if len(c.last) < 4096 {
		c.last[source] = c.s.o.Now()
	}
	if len(hits) > 0 {
		c.waits, c.dirty = true, true
		c.e.Add(source, hits)
	}
	if !newest.IsZero() {
		c.e.Advance(source, newest)
	}
}

// found takes what the engine found. The caller of the engine holds mu.
func (c *correlator) found(h *sigma.Hit) {
	source := h.Rule.File
	if !c.rules.counts(source, c.s.o.Now()) {
		return
	}
	fields := []event.Field{{Name: "value", Value: []byte(h.Value)}}
	for i, name := range h.Correlation.GroupBy {
		fields = append(fields, event.Field{Name: name, Value: []byte(h.Group[i])})
	}
	origin := strings.Join(append([]string{"correlation", c.s.id.who.Load().ID, h.Time.UTC().Format(time.RFC3339Nano)}, h.Group...), "\x00")
	c.s.combined(origin, source, h.Time, h.Time, fields)
}

// rest evaluates what waits for inputs from which nothing comes.
func (c *correlator) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.e == nil {
		return
	}
	now := c.s.o.Now()
	for source, at := range c.last {
		if now.Sub(at) >= restAfter {
			delete(c.last, source)
			c.e.Rest(source)
		}
	}
	if c.waits && len(c.last) == 0 {
		c.e.Flush()
		c.waits = false
	}
}

// save writes down what the engine has seen, if that is due. All: even if it is not.
func (c *correlator) save(all bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	began := time.Now()
	if c.e == nil || !c.dirty || !all && began.Before(c.next) {
		return nil
	}
	var b bytes.Buffer
	if err := c.e.Save(&b); err != nil {
		return err
	}
	if err := write(c.s.path(correlationFile), b.Bytes()); err != nil {
		return err
	}
	c.dirty, c.next = false, time.Now().Add(saveShare*time.Since(began))
	return nil
}
