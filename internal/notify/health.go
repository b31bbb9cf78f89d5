package notify

import (
	"context"
	"sync"
	"time"

	"entente/internal/gate"
)

// ChannelView is a channel as people see it.
type ChannelView struct {
	Name      string    `json:"name"`
	Kind      Route     `json:"kind"`
	State     string    `json:"state"` // "new", "ok" or "failing"
	Last      time.Time `json:"last,omitzero"`
	Succeeded time.Time `json:"succeeded,omitzero"`
	Failed    time.Time `json:"failed,omitzero"`
	Error     string    `json:"error,omitempty"` // of the last failure
	Waiting   int       `json:"waiting"`         // maxWaiting: that many or more
}

const maxWaiting = 1000

func (c *ChannelView) good(at time.Time) {
	if at.After(c.Succeeded) {
		c.Succeeded = at
	}
}

func (c *ChannelView) bad(at time.Time, why string) {
	if at.After(c.Failed) {
		c.Failed, c.Error = at, why
	}
}

// trouble is a failure of a channel that another attempt may mend.
type trouble struct {
	At      time.Time `json:"at"`
	Channel string    `json:"channel"`
	Why     string    `json:"why"`
}

// checks are how the last questions to each channel went, by its name.
type checks struct {
	mu   sync.Mutex
	last map[string]ChannelView
}

func (h *checks) note(name string, err error, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil {
		h.last = map[string]ChannelView{}
	}
	v := h.last[name]
	if err != nil {
		v.bad(now, said(err))
	} else {
		v.good(now)
	}
	h.last[name] = v
}

func (h *checks) view(name string) ChannelView {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last[name]
}

// Channels lists the channels and how they are: by the notifications that the viewer may see, so that nothing tells of the others, and by
// what the channels said when they were asked. With check, each is asked now.
func (d *Desk) Channels(ctx context.Context, v gate.Viewer, check bool) ([]ChannelView, error) {
	if check {
		for _, ch := range d.o.Channels {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			d.checks.note(ch.Name(), ch.Check(ctx), d.now())
			cancel()
		}
	}
	if err := d.fresh(ctx); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	out := []ChannelView{}
	for _, ch := range d.o.Channels {
		c := d.checks.view(ch.Name())
		c.Name, c.Kind, c.State = ch.Name(), ch.Kind(), "new"
		if err := d.traffic(ctx, v, &c); err != nil {
			return nil, err
		}
		switch {
		case c.Failed.After(c.Succeeded):
			c.State, c.Last = "failing", c.Failed
		case !c.Succeeded.IsZero():
			c.State, c.Last = "ok", c.Succeeded
		}
		out = append(out, c)
	}
	return out, nil
}

// traffic adds what became of the notifications on a channel that a viewer may see. It is called with the lock.
func (d *Desk) traffic(ctx context.Context, v gate.Viewer, c *ChannelView) error {
	var waiting, sent, failed []place
	for id, n := range d.notes {
		if n.Channel == c.Name && n.State == Approved {
			waiting = append(waiting, place{at: n.Approved, id: id})
		}
		if n.Channel == c.Name && !n.Sent.IsZero() {
			sent = append(sent, place{at: n.Sent, id: id})
		}
		if n.Trouble.Channel == c.Name {
			failed = append(failed, place{at: n.Trouble.At, id: id})
		}
	}
	notes, _, err := cut(ctx, d, v, waiting, "", maxWaiting, d.notes)
	if err != nil {
		return err
	}
	c.Waiting = len(notes)
	if notes, _, err = cut(ctx, d, v, sent, "", 1, d.notes); err != nil {
		return err
	}
	for _, n := range notes {
		c.good(n.Sent)
	}
	if notes, _, err = cut(ctx, d, v, failed, "", 1, d.notes); err != nil {
		return err
	}
	for _, n := range notes {
		c.bad(n.Trouble.At, n.Trouble.Why)
	}
	return nil
}
