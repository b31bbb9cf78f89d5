package federation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/internal/ledger"
	"entente/peer"
	"entente/proof"
)

// Alarm is something in the alliance that a person must look at.
type Alarm struct {
	Nation string    `json:"nation"`
	Kind   string    `json:"kind"`
	Since  time.Time `json:"since,omitzero"`
	Proof  string    `json:"proof,omitempty"`  // the id of the proof
	Sensor string    `json:"sensor,omitempty"` // the name of the own sensor that says nothing, where it is one
	Text   string    `json:"text"`
}

// Kinds of alarms.
const (
	AlarmProof    = "proof"    // it signed what contradicts itself: nothing is taken from it
	AlarmForked   = "forked"   // it showed two key logs: nothing of it counts
	AlarmConflict = "conflict" // it signed two objects as one version: one is in quarantine, the other in the proof
	AlarmBehind   = "behind"   // others have more of its logs
	AlarmStale    = "stale"    // a log of it stands still unsigned
	AlarmRefused  = "refused"  // much of what it gives is refused
	AlarmClock    = "clock"    // its clock is wrong, or this node's
	AlarmOverdue  = "overdue"  // it does not say that it received something, or what it did with an order
	AlarmQueue    = "queue"    // more waits for it than an accord says
	AlarmAccused  = "accused"  // a partner shows a proof against this nation
)

// AlarmKinds are all of them.
var AlarmKinds = []string{AlarmProof, AlarmForked, AlarmConflict, AlarmBehind, AlarmStale, AlarmRefused, AlarmClock, AlarmOverdue, AlarmQueue, AlarmAccused}

// When something is an alarm.
const (
	offClock    = time.Minute      // clocks differ by so much: what they say of deadlines and of what is fresh is doubtful
	unseen      = 15 * time.Minute // a leaf waits so long to be cosigned, an order to be receipted
	manyRefused = 10               // leaves of one kind of refusal, within ledger.RefusedIn
)

// offset estimates how far a partner's clock is ahead: by the largest difference between what it signed and when that came, of about the last ten minutes. What is under
// way for some time makes the difference smaller and never larger.
type offset struct {
	since     time.Time
	now, past time.Duration // largest of this window, and of the one before
	has       bool          // of past
}

const offsetWindow = 5 * time.Minute

// clocked takes a time that a partner has just signed.
func (f *Federation) clocked(nation string, at time.Time) {
	now := f.cfg.Now()
	d := at.Sub(now)
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.clocks[nation]
	switch {
	case o == nil:
		f.clocks[nation] = &offset{since: now, now: d}
	case now.Sub(o.since) > offsetWindow:
		*o = offset{since: now, now: d, past: o.now, has: true}
	default:
		o.now = max(o.now, d)
	}
}

// ahead is the estimate. A second that is not whole is not counted: checkpoints tell whole ones.
func (o *offset) ahead(now time.Time) time.Duration {
	if o == nil || !o.has && now.Sub(o.since) < time.Minute { // what came first may have been under way
		return 0
	}
	d := o.now
	if o.has {
		d = max(d, o.past)
	}
	return d.Truncate(time.Second)
}

// refusing counts what was refused of a batch.
func (f *Federation) refusing(nation string, taken []ledger.Taken) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range taken {
		if taken[i].Did == peer.DidRefuse {
			f.refused[nation]++
		}
	}
}

// observe adds to a link what is known of the partner's clock, of receipts, and of what was refused.
func (f *Federation) observe(ctx context.Context, h *Health) error {
	f.mu.Lock()
	h.Ahead = int(f.clocks[h.Nation].ahead(f.cfg.Now()) / time.Second)
	h.Refused = f.refused[h.Nation]
	f.mu.Unlock()
	own, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Own: true, Party: "org:" + h.Nation + "/" + h.Org})
	if err != nil {
		return err
	}
	overdue := func(since time.Time, first *time.Time) {
		if !since.IsZero() && f.cfg.Now().Sub(since) > unseen && (first.IsZero() || since.Before(*first)) {
			*first = since
		}
	}
	for _, g := range own {
		if g.Retired {
			continue
		}
		since, err := f.cfg.Ledger.Unseen(ctx, g.Origin, h.Nation)
		if err != nil {
			return err
		}
		overdue(since, &h.Overdue)
		if since, err = f.cfg.Ledger.Unreceipted(ctx, g.Origin, h.Nation); err != nil {
			return err
		}
		overdue(since, &h.Unreceipted)
	}
	return nil
}

// alarm says of every link what a person must look at.
func (f *Federation) alarm(ctx context.Context, links []Health) error {
	all, err := f.proofs(ctx)
	if err != nil {
		return err
	}
	for i := range links {
		h := &links[i]
		raise := func(kind string, since time.Time, proof, format string, args ...any) {
			h.Alarms = append(h.Alarms, Alarm{Nation: h.Nation, Kind: kind, Since: since, Proof: proof, Text: fmt.Sprintf(format, args...)})
		}
		for _, a := range all {
			switch {
			case a.Found.Nation != h.Nation || a.Settled != "":
			case a.Found.Kind == proof.KeyLogFork:
				raise(AlarmForked, a.At, a.ID, "%s; nothing of it counts until it is removed and added anew", a.Found.Text)
			case a.Found.Kind == proof.Conflict:
				raise(AlarmConflict, a.At, a.ID, "%s; the one is in quarantine, the other in the proof", a.Found.Text)
			default:
				raise(AlarmProof, a.At, a.ID, "%s; nothing is taken from it until this is settled", a.Found.Text)
			}
		}
		if !h.Behind.IsZero() {
			raise(AlarmBehind, h.Behind, "", "others have more of the logs of %s than came here: it, or who carries it, keeps something back", h.Nation)
		}
		if !h.Stale.IsZero() {
			raise(AlarmStale, h.Stale, "", "%s signed a log last at %s: something may be kept from this node", h.Nation, h.Stale.UTC().Format(time.RFC3339))
		}
		if off := time.Duration(h.Ahead) * time.Second; off.Abs() >= offClock {
			raise(AlarmClock, time.Time{}, "", "the clock of %s differs from that of this node by %s", h.Nation, off)
		}
		if !h.Overdue.IsZero() {
			raise(AlarmOverdue, h.Overdue, "", "%s has not confirmed that it received what it was given at %s", h.Nation, h.Overdue.UTC().Format(time.RFC3339))
		} else if !h.Unreceipted.IsZero() {
			raise(AlarmOverdue, h.Unreceipted, "", "%s received an order to take back or destroy at %s, and gives no receipt for it", h.Nation, h.Unreceipted.UTC().Format(time.RFC3339))
		}
		waiting, err := f.overfull(ctx, h)
		if err != nil {
			return err
		}
		h.Alarms = append(h.Alarms, waiting...)
		refused, err := f.cfg.Ledger.Refused(ctx, h.Nation, f.cfg.Now())
		if err != nil {
			return err
		}
		for _, r := range refused {
			if r.Count >= manyRefused {
				raise(AlarmRefused, r.Since, "", "%d records of %s were refused with %s, from leaf %d of %s on", r.Count, h.Nation, r.Code, r.Index, r.Origin)
			}
		}
		slices.SortStableFunc(h.Alarms, func(a, b Alarm) int { return strings.Compare(a.Kind, b.Kind) })
	}
	return nil
}

// Alarms is all that people must look at, by nation.
func (f *Federation) Alarms(ctx context.Context) ([]Alarm, error) {
	links, err := f.Links(ctx)
	if err != nil {
		return nil, err
	}
	all, err := f.proofs(ctx)
	if err != nil {
		return nil, err
	}
	out := []Alarm{}
	for _, a := range all {
		if a.Found.Nation == f.cfg.Nation && a.Settled == "" {
			out = append(out, Alarm{Nation: a.Found.Nation, Kind: AlarmAccused, Since: a.At, Proof: a.ID, Text: a.From + " shows a proof against this nation: " + a.Found.Text})
		}
	}
	for _, h := range links {
		out = append(out, h.Alarms...)
	}
	return out, nil
}

// freshEvery is how often idle logs are looked at, and alarms told.
const freshEvery = 10 * time.Second

// watching signs idle logs in time, and writes into the node's log which alarms begin and end.
func (f *Federation) watching(ctx context.Context) {
	for pause(ctx, min(f.cfg.Tick, freshEvery)) {
		if err := f.Watch(ctx); err != nil && ctx.Err() == nil {
			f.cfg.Log.Warn("watching over the logs; it will be tried again", "error", err)
		}
	}
}

// Watch does once what watching does.
func (f *Federation) Watch(ctx context.Context) error {
	if err := f.signIdle(ctx); err != nil {
		return err
	}
	all, err := f.Alarms(ctx)
	if err != nil {
		return err
	}
	now := map[string]bool{}
	for _, a := range all {
		now[a.Nation+" "+a.Kind+" "+a.Proof] = true
	}
	f.mu.Lock()
	was := f.raised
	f.raised = now
	f.mu.Unlock()
	for _, a := range all {
		if !was[a.Nation+" "+a.Kind+" "+a.Proof] {
			f.cfg.Log.Warn("an alarm: "+a.Text, "partner", a.Nation, "kind", a.Kind, "proof", a.Proof)
		}
	}
	for key := range was {
		if !now[key] {
			f.cfg.Log.Info("an alarm ended", "alarm", key)
		}
	}
	if f.cfg.Alarmed == nil {
		return nil
	}
	return f.cfg.Alarmed(ctx, all)
}
