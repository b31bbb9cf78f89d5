package federation

import (
	"context"
	"slices"
	"strings"
	"time"

	"entente/accord"
	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/peer"
)

// codeQuota refuses a record beyond what the accord lets a party give in a day.
const codeQuota = "accord.quota"

// spending is what a nation gave under an accord on a day.
type spending struct {
	nation, accord string
	day            time.Time // its beginning, UTC
}

// maxSpendings bounds the counts that are kept in memory; those of days before yesterday go first.
const maxSpendings = 4096

// limitOf is how many objects a day an accord lets one party give another; 0: any number. Of versions that count together, the wider.
func limitOf(versions []*accord.Terms) (most int) {
	for _, t := range versions {
		if t.Limits.ObjectsPerDay == 0 {
			return 0
		}
		most = max(most, t.Limits.ObjectsPerDay)
	}
	return most
}

// spent counts the new records of a day. The ledger is asked once a day, and after a restart.
func (f *Federation) spent(ctx context.Context, s spending, versions []*accord.Terms) (int, error) {
	f.mu.Lock()
	n, ok := f.spends[s]
	f.mu.Unlock()
	if ok {
		return n, nil
	}
	end := s.day.Add(24 * time.Hour)
	n, err := f.cfg.Ledger.Taken(ctx, s.nation, s.day, func(leaf *peer.Leaf, object string) bool {
		return object != "" && leaf.Time.Before(end) && slices.ContainsFunc(versions, func(t *accord.Terms) bool { return t.Digest == leaf.Accord })
	})
	if err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.spends) >= maxSpendings {
		for k := range f.spends {
			if s.day.Sub(k.day) > 24*time.Hour || len(f.spends) >= 2*maxSpendings {
				delete(f.spends, k)
			}
		}
	}
	f.spends[s] = n
	return n, nil
}

// over tells whether a record is one more than the accord lets the partner give on the day that the leaf names. What is here already costs nothing. Around midnight, when
// the clocks of two nodes may name two days, both days together count.
func (t *taking) over(ctx context.Context, versions []*accord.Terms, s spending, at time.Time, id, version string) (bool, error) {
	limit := limitOf(versions)
	if limit == 0 {
		return false, nil
	}
	n, err := t.f.spent(ctx, s, versions)
	if n += t.fresh[s]; err != nil || n < limit {
		t.fresh[s]++
		return false, err
	}
	if at.Sub(s.day) < gate.Skew {
		before, err := t.f.spent(ctx, spending{s.nation, s.accord, s.day.Add(-24 * time.Hour)}, versions)
		if err != nil || n+before < 2*limit {
			t.fresh[s]++
			return false, err
		}
	}
	held, err := t.f.cfg.Ledger.HeldOf(ctx, id)
	return !slices.ContainsFunc(held, func(h ledger.Held) bool { return h.Nation == s.nation && h.Version == version && isHere(h.Did) }), err
}

// versionsOf are the versions of an accord that count together with one of them.
func (f *Federation) versionsOf(digest [32]byte) []*accord.Terms {
	for _, s := range f.cfg.Accords.Standings() {
		if slices.ContainsFunc(s.Versions, func(t *accord.Terms) bool { return t.Digest == digest }) {
			return s.Versions
		}
	}
	return nil
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// spend counts what was taken of a batch.
func (t *taking) spend() {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	for _, a := range t.puts {
		if did := t.taken[a.at].Did; did != peer.DidStore && did != peer.DidQuarantine {
			continue
		}
		if _, counted := t.f.spends[a.spending]; counted {
			t.f.spends[a.spending]++
		}
	}
}

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
	if l.day != dayOf(now) {
		l.day, l.n = dayOf(now), 0
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
