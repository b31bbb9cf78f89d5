package federation

import (
	"context"
	"slices"
	"time"

	"entente/accord"
	"entente/internal/accords"
	"entente/peer"
)

// day is one on which a nation gave something under an accord, by the time of its log.
type day struct{ nation, accord, date string }

// quotaDays is how far back days are told apart. What a partner says that it gave before counts as one day: it is given again on another day.
const quotaDays = 30

// full tells whether a partner has given as many objects as an accord lets it give on a day: then this one is not even looked at. An honest partner stops by
// itself before.
func (t *taking) full(ctx context.Context, fr *peer.Frame) (bool, error) {
	s := t.f.accordOf(fr.Leaf.Accord)
	if s == nil {
		return false, nil
	}
	most := 0
	for _, v := range s.Versions {
		if n := v.Limits.ObjectsPerDay; n > 0 && (most == 0 || n < most) {
			most = n
		}
	}
	if most == 0 {
		return false, nil
	}
	d := t.day(s, fr.Leaf.Time)
	before, err := t.f.given(ctx, s, d, t.now)
	if err != nil || before+t.came[d] >= most {
		return err == nil, err
	}
	t.came[d]++
	return false, nil
}

func (t *taking) day(s *accords.Standing, at time.Time) day {
	if from := horizon(t.now); at.Before(from) {
		at = from
	}
	return day{t.partner.Nation, s.Name, at.UTC().Format(time.DateOnly)}
}

// horizon is where days begin to be told apart.
func horizon(now time.Time) time.Time {
	return now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -quotaDays)
}

// given is how many objects came on a day. The ledger is asked once after a start. The caller has the nation's turn.
func (f *Federation) given(ctx context.Context, s *accords.Standing, d day, now time.Time) (int, error) {
	f.mu.Lock()
	days, known := f.came[[2]string{d.nation, d.accord}]
	f.mu.Unlock()
	if known {
		return days[d.date], nil
	}
	days = map[string]int{}
	_, err := f.cfg.Ledger.Taken(ctx, d.nation, horizon(now), func(leaf *peer.Leaf, _ string) bool {
		if slices.ContainsFunc(s.Versions, func(v *accord.Terms) bool { return v.Digest == leaf.Accord }) {
			days[leaf.Time.UTC().Format(time.DateOnly)]++
		}
		return false
	})
	if err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.came[[2]string{d.nation, d.accord}] = days
	return days[d.date], nil
}

// arrived counts what was taken, and forgets days that are over for long.
func (f *Federation) arrived(came map[day]int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := horizon(f.cfg.Now()).Format(time.DateOnly)
	for d, n := range came {
		days := f.came[[2]string{d.nation, d.accord}]
		days[d.date] += n
		for date := range days {
			if date < last {
				delete(days, date)
			}
		}
	}
}
