package federation

import (
	"slices"
	"time"

	"entente/internal/ledger"
	"entente/peer"
)

// early is about what a party refused for a reason that may be gone when it has heard what this node has: that an accord is resumed, or began. Notices and
// what they permit come on different ways, so that the one may overtake the other. What was refused so is given once more, a few times at longer intervals.
type early struct {
	wait     time.Duration // before the next attempt
	due      time.Time     // of the next attempt; zero: nothing was refused since the last
	attempts int
}

// Waits before what came too early is given once more: the first, and the longest. Each is four times the one before.
const (
	firstAttempt = time.Second
	lastAttempt  = time.Hour
)

// passing codes are those of refusals that what the receiver hears next may end.
var passingCodes = []string{"accord.suspended", "accord.effective"}

// declined notes what a party refused too early.
func (f *Federation) declined(accord string, received []ledger.Received) {
	soon := slices.ContainsFunc(received, func(r ledger.Received) bool {
		return slices.ContainsFunc(r.Receipt.Acts, func(a peer.Act) bool { return a.Did == peer.DidRefuse && slices.Contains(passingCodes, a.Code) })
	})
	if !soon {
		return
	}
	f.mu.Lock()
	e := f.early[accord]
	if e == nil {
		e = &early{wait: firstAttempt}
		f.early[accord] = e
	}
	if e.due.IsZero() {
		e.due = f.cfg.Now().Add(e.wait)
		e.wait = min(4*e.wait, lastAttempt)
	}
	f.mu.Unlock()
	signal(f.tooSoon)
}

// attempt counts how often what an accord's parties refused too early is to have been given once more by now.
func (f *Federation) attempt(accord string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.early[accord]
	if e == nil {
		return 0
	}
	if !e.due.IsZero() && !f.cfg.Now().Before(e.due) {
		e.due = time.Time{}
		e.attempts++
	}
	return e.attempts
}

// pauseTo is how long nothing need be looked at: at most for that long.
func (f *Federation) pauseTo(most time.Duration) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.early {
		if !e.due.IsZero() {
			most = max(min(most, e.due.Sub(f.cfg.Now())), 10*time.Millisecond)
		}
	}
	return most
}
