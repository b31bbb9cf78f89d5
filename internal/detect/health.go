package detect

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
	"entente/sensor"
)

const (
	maxHealth = 1 << 20 // bytes of what a sensor says of itself
	maxInputs = 1000
)

// Hear keeps what a sensor says of itself.
func (r *Room) Hear(ctx context.Context, s *Sensor, h sensor.Health) error {
	if len(h.Left) > 100 || len(h.Inputs) > maxInputs || len(h.Muted) > maxMutes {
		return fault.New(fault.TooLarge, "health.size", "at most 100 rules left out, %d inputs and %d muted sources are told", maxInputs, maxMutes)
	}
	b, err := json.Marshal(&h)
	if err != nil {
		return fault.New(fault.Invalid, "health", "what the sensor says cannot be kept").Because(err)
	}
	if len(b) > maxHealth {
		return fault.New(fault.TooLarge, "health.size", "%d bytes are more than %d", len(b), maxHealth)
	}
	return room.Wrap("keeping what a sensor says", r.told.setHealth(s.ID, r.o.Now(), b))
}

// watch looks for sensors that say nothing until the context ends.
func (r *Room) watch(ctx context.Context) {
	for pause(ctx, time.Second) {
		if r.o.Silent == nil {
			return
		}
		silent, err := r.Silent()
		if err == nil {
			err = r.o.Silent(ctx, silent)
		}
		if err != nil && ctx.Err() == nil {
			r.o.Log.Warn("nobody was told which sensors say nothing", "error", err)
			if !pause(ctx, 10*time.Second) {
				return
			}
		}
	}
}

// Silent are the sensors that said nothing for so long that somebody must look, counted from when the node began where it said nothing since.
func (r *Room) Silent() (out []Silence, err error) {
	now := r.o.Now()
	for _, s := range r.sensors.all() {
		if !s.Revoked.IsZero() {
			continue
		}
		since, err := r.heard(s.ID)
		if err != nil {
			return nil, err
		}
		for _, t := range []time.Time{s.Added, r.opened} {
			if t.After(since) {
				since = t
			}
		}
		if now.Sub(since) >= r.o.Config.silent() {
			out = append(out, Silence{Sensor: s.ID, Name: s.Name, Since: since, Text: "the sensor " + s.Name + " says nothing: entente sensor show " + s.Name})
		}
	}
	return out, nil
}

// heard is when a sensor said last how it is.
func (r *Room) heard(id string) (time.Time, error) {
	at, _, err := r.told.health(id)
	return at, err
}
