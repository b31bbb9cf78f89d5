package federation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"entente/internal/ledger"
	"entente/peer"
)

// What an accord lets wait. No other node sees the accord or counts for it: the giver keeps to it.

// handing is an own log on its way to a relay.
type handing struct {
	*ledger.Log
	accord string
	at     handed
	queue  int64 // bytes that the accord lets the relay keep for its giver; 0: any number
}

// handings are the own logs that the relay is to have.
func (v *relayVisit) handings(ctx context.Context) (out []*handing, err error) {
	own, err := v.f.cfg.Ledger.Logs(ctx, ledger.Filter{Own: true})
	if err != nil {
		return nil, err
	}
	queues := map[string]int64{}
	for _, s := range v.f.cfg.Accords.Standings() {
		for _, r := range s.Versions[len(s.Versions)-1].Relays {
			if r.Name == v.relay.Org {
				queues[s.Name] = r.Queue
			}
		}
	}
	for i := range own {
		h := &handing{Log: &own[i], accord: strings.TrimSuffix(own[i].Accord, decided)}
		if h.Retired || h.Note == nil || !slices.Contains(v.accords, h.accord) {
			continue
		}
		if h.accord == h.Accord { // what is decided is little, and does not wait behind records
			h.queue = queues[h.accord]
		}
		b, err := v.f.cfg.Ledger.Cursor(ctx, v.cursor(h.Origin))
		if err == nil && len(b) > 0 {
			err = json.Unmarshal(b, &h.at)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}

// keep remembers how far the relay has a log.
func (v *relayVisit) keep(ctx context.Context, h *handing) error {
	value, err := json.Marshal(h.at)
	if err != nil {
		return err
	}
	return v.f.cfg.Ledger.SetCursor(ctx, ledger.Cursor{Name: v.cursor(h.Origin), Value: value})
}

// isFull tells that the relay keeps as much as the accord lets it.
func (h *handing) isFull(all []*handing) bool {
	var n int64
	for _, o := range all {
		if o.accord == h.accord {
			n += o.at.Bytes
		}
	}
	return h.queue > 0 && n >= h.queue
}

// isFull tells that a relay keeps no more: by its own bounds, or by an accord's.
func isFull(err error) bool {
	e, ok := errors.AsType[*peer.Error](err)
	return ok && e.Code == peer.CodeFull
}

// makeRoom has the relay destroy what all of its readers have, as they cosigned.
func (v *relayVisit) makeRoom(ctx context.Context, all []*handing) (made bool, err error) {
	for _, h := range all {
		done := h.at.Size
		for _, party := range h.at.Readers {
			nation, _, _ := strings.Cut(strings.TrimPrefix(party, "org:"), "/")
			n, err := v.f.cfg.Ledger.Seen(ctx, h.Origin, nation)
			if err != nil {
				return made, err
			}
			done = min(done, n)
		}
		if done <= h.at.Done {
			continue
		}
		if err := v.client.Done(ctx, h.Origin, done); err != nil && !isRefusal(err) {
			return made, err
		}
		n, err := v.f.cfg.Ledger.Bytes(ctx, h.Origin, h.at.Done, done)
		if err != nil {
			return made, err
		}
		made = true
		if h.at.Done, h.at.Bytes = done, max(0, h.at.Bytes-n); done == h.at.Size {
			h.at.Bytes = 0
		}
		if err := v.keep(ctx, h); err != nil {
			return made, err
		}
	}
	return made, nil
}

// overfull raises an alarm for each accord under which more waits for a partner than it says.
func (f *Federation) overfull(ctx context.Context, h *Health) (out []Alarm, err error) {
	for _, s := range f.cfg.Accords.Standings() {
		queue := s.Versions[len(s.Versions)-1].Limits.Queue
		if queue == 0 {
			continue
		}
		own, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Own: true, Party: "org:" + h.Nation + "/" + h.Org})
		if err != nil {
			return nil, err
		}
		var n int64
		for _, g := range own {
			if g.Retired || g.Accord != s.Name {
				continue
			}
			seen, err := f.cfg.Ledger.Seen(ctx, g.Origin, h.Nation)
			if err != nil {
				return nil, err
			}
			bytes, err := f.cfg.Ledger.Bytes(ctx, g.Origin, seen, g.Size)
			if err != nil {
				return nil, err
			}
			n += bytes
		}
		if n > queue {
			out = append(out, Alarm{Nation: h.Nation, Kind: AlarmQueue, Text: fmt.Sprintf("%d bytes wait for %s under %s, which lets %d wait: it does not confirm what it is given", n, h.Nation, s.Name, queue)})
		}
	}
	return out, nil
}
