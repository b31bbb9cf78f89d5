package notify

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"entente/internal/fault"
	"entente/internal/store"
)

const (
	// patience is how long a notification is tried before it has failed.
	patience = 48 * time.Hour
	// maxSend bounds one attempt, whatever a channel does.
	maxSend = 10 * time.Minute
	tick    = time.Second
)

// deliver sends what people have let go: on each channel one after the other, and no channel waits for another. What is approved is in its
// document: a node that is killed goes on here. A notification that was handed over in the moment of a kill is handed over once more, under the
// same id.
func (d *Desk) deliver(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	var work sync.WaitGroup
	defer work.Wait()
	var mu sync.Mutex
	busy := map[string]bool{}
	for {
		for channel, ids := range d.due() {
			mu.Lock()
			free := !busy[channel]
			busy[channel] = true
			mu.Unlock()
			if !free {
				continue
			}
			work.Go(func() {
				for _, id := range ids {
					if ctx.Err() != nil {
						break
					}
					if err := d.send(ctx, id); err != nil && ctx.Err() == nil {
						d.o.Log.Warn("a notification was not sent", "id", id, "error", err)
					}
				}
				mu.Lock()
				busy[channel] = false
				mu.Unlock()
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-t.C:
		}
	}
}

// due are the notifications to send now, by channel, the oldest first: those whose contact is there, and urgent ones at any time.
func (d *Desk) due() map[string][]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stale {
		return nil
	}
	now := d.o.Now()
	out := map[string][]string{}
	for id, n := range d.notes {
		if n.State == Approved && !n.Next.After(now) && !d.sending[id] && d.onDuty(n, now) {
			out[n.Channel] = append(out[n.Channel], id)
		}
	}
	for _, ids := range out {
		slices.SortFunc(ids, func(a, b string) int { return d.notes[a].Approved.Compare(d.notes[b].Approved) })
	}
	return out
}

// onDuty tells whether a notification may reach its contact now. Hours that are unknown keep nothing back.
func (d *Desk) onDuty(n *notification, now time.Time) bool {
	k := d.contact(n)
	return n.Urgent || k == nil || k.Hours == nil || k.Hours.Open(now, d.zone(k))
}

// send makes one attempt. What leaves is written down as a release before it does.
func (d *Desk) send(ctx context.Context, id string) error {
	ch, m, err := d.take(ctx, id)
	if m == nil && err == nil {
		return nil
	}
	var of trouble
	if err == nil {
		try, cancel := context.WithTimeout(ctx, maxSend)
		err = ch.Send(try, m)
		cancel()
		if ctx.Err() != nil && err != nil {
			d.release(id)
			return ctx.Err()
		}
		if err != nil && Temporary(err) { // what is wrong with one message says nothing of the channel
			of = trouble{d.now(), ch.Name(), said(err)}
		}
	}
	return d.ended(context.WithoutCancel(ctx), id, ch, err, of)
}

// take makes a notification ready to leave, and keeps others from changing it meanwhile. Without a message there is nothing to send.
func (d *Desk) take(ctx context.Context, id string) (Channel, *Message, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.notes[id]
	if d.stale || n == nil || n.State != Approved || d.sending[id] {
		return nil, nil, nil
	}
	// A purge may have taken it away before the follower got to know.
	if doc, err := d.o.Docs.Doc(ctx, docNote, id); err != nil || doc.Version != n.version {
		if fault.Of(err) == fault.NotFound || err == nil {
			return nil, nil, d.undo(ctx, errors.New("the notification is no more as it was"))
		}
		return nil, nil, err
	}
	d.sending[id] = true
	items, err := d.cleared(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	ch, err := d.channel(n, n.Channel)
	if err != nil {
		return nil, nil, err
	}
	if d.contact(n) == nil {
		return ch, nil, final("contact", "the contact is no longer in the register")
	}
	if len(items) > 0 {
		c := d.index.Get(n.Constituent)
		if err := d.o.Door.Hand(ctx, d.o.Recipient(c.Org, c.Name), items); err != nil {
			if fault.Of(err) == fault.Withheld {
				err = final("label", "the constituent may no longer be told of this").Because(err)
			}
			return ch, nil, err
		}
	}
	return ch, d.message(n), nil
}

func (d *Desk) release(id string) {
	d.mu.Lock()
	delete(d.sending, id)
	d.mu.Unlock()
}

// ended writes down how an attempt went, and what was wrong with its channel.
func (d *Desk) ended(ctx context.Context, id string, ch Channel, failed error, of trouble) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	sending := d.sending[id]
	delete(d.sending, id)
	n := d.notes[id]
	if !sending || n == nil || n.State != Approved {
		return failed
	}
	name := n.Channel
	if ch != nil {
		name = ch.Name()
	}
	now := d.now()
	n.Attempts++
	n.Edition++
	act, result := store.Act{Actor: "node", Target: id, Detail: name}, "sent"
	if of.Channel != "" {
		n.Trouble = of
	}
	switch {
	case failed == nil:
		n.State, n.Sent, n.Error, n.Next = Sent, now, "", time.Time{}
		n.step(now, "node", "sent by "+name)
		act.Verb = "notification.sent"
	case Temporary(failed) && now.Sub(n.Approved) < patience:
		result = "deferred"
		wait := min(time.Minute<<min(n.Attempts-1, 20), maxBackoff)
		var f *fault.Error
		if errors.As(failed, &f) && f.RetryAfter > 0 {
			wait = f.RetryAfter
		}
		n.Error, n.Next = said(failed), now.Add(wait)
	default:
		result = "failed"
		n.State, n.Reason, n.Error, n.Next = Failed, said(failed), said(failed), time.Time{}
		n.step(now, "node", "failed: "+n.Reason)
		act.Verb = "notification.failed"
	}
	d.metrics.delivered.WithLabelValues(name, result).Inc()
	d.dirtyNote[id] = true
	if err := d.commit(ctx, act); err != nil {
		return err
	}
	return failed
}

// said is what a failure says to people, without its private cause.
func said(err error) string {
	e := *fault.As(err)
	e.Err, e.Do = nil, ""
	return clip(e.Error(), 1000)
}
