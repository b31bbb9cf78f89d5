package federation

import (
	"context"
	"strings"
	"time"

	"entente/peer"
)

// codeQuota refuses a record beyond what the accord lets a party give in a day.
const codeQuota = "accord.quota"

// throttled refuses a batch of who gave more leaves today than any honest nation does, all its logs together. Its decisions have their own logs, which pass, as do
// its keys, accords and notices.
func (f *Federation) throttled(ctx context.Context, nation, origin string, leaves int) error {
	g, err := f.cfg.Ledger.Log(ctx, origin)
	if err != nil || strings.HasSuffix(g.Accord, decided) {
		return err
	}
	now := f.cfg.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.leaves[nation]
	if l.day != now.UTC().Truncate(24*time.Hour) {
		l.day, l.n = now.UTC().Truncate(24*time.Hour), 0
	}
	if l.n+leaves > f.cfg.Leaves {
		return &peer.Error{Code: peer.CodeThrottled, Message: "the caller has given as much today as is taken in a day"}
	}
	l.n += leaves
	f.leaves[nation] = l
	return nil
}

// leafCount is how many leaves of a nation were taken on a day.
type leafCount struct {
	day time.Time
	n   int
}
