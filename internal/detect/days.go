package detect

import (
	"context"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/lite"
)

const (
	mostDays   = 366 // that are counted at once
	usualDays  = 30
	mostInJSON = 1<<53 - 1 // that every reader of it knows exactly
)

// DayCount is what sensors met on one day.
type DayCount struct {
	Day     string `json:"day"`
	Count   int64  `json:"count"`
	Back    int64  `json:"back"` // of Count, by looking back
	Sources int64  `json:"sources"`
	Sensors int64  `json:"sensors"`
}

// Days are the sums of what sensors met on each day (UTC) from one to another, both included and days without any among them, the first first. Without a last day
// it is today, without a first one there are 30 days. A viewer has the sums of those detections that it may have, by source, value and sensor.
func (r *Room) Days(ctx context.Context, v gate.Viewer, f DetectionFilter, from, to time.Time) ([]DayCount, error) {
	last := day(r.o.Now())
	if !to.IsZero() {
		last = day(to)
	}
	first := last - usualDays + 1
	if !from.IsZero() {
		first = day(from)
	}
	switch {
	case first > last:
		return nil, fault.New(fault.Invalid, "days.order", "the first day is after the last one").At("from")
	case last-first >= mostDays:
		return nil, fault.New(fault.TooLarge, "days.many", "there are %d days, and at most %d are counted at once", last-first+1, mostDays).At("from").Try("ask for some of them, then for others")
	}
	out := make([]DayCount, last-first+1)
	for i := range out {
		out[i].Day = dayTime(first + int64(i)).Format(time.DateOnly)
	}
	if ok := r.stored(&f); !ok {
		return out, nil
	}
	low, high := f.Source, f.Source
	if f.Source == "" {
		high = "\U0010ffff" // behind every id
	}
	type onDay struct {
		sensor string
		day    int64
	}
	sensors := map[onDay]bool{}
	var at sum // the row that was looked at last, in the order of source, day and id
	at.source, at.day = low, -1<<62
	counted := sum{day: at.day} // the source and day that were counted last
	for ctx.Err() == nil {
		var page []sum
		err := r.told.read(func(c *zs.Conn) error {
			return lite.Exec(c, `SELECT id, source, sensor, day, count, back FROM sum WHERE (source, day, id) > (?1, ?2, ?3) AND source <= ?4 AND day BETWEEN ?5 AND ?6
				AND (?7 = '' OR sensor = ?7) AND (?8 = '' OR value = ?8) ORDER BY source, day, id LIMIT 2000`, func(st *zs.Stmt) error {
				page = append(page, sum{id: st.ColumnInt64(0), source: st.ColumnText(1), sensor: st.ColumnText(2), day: st.ColumnInt64(3), count: st.ColumnInt64(4), back: st.ColumnInt64(5) != 0})
				return nil
			}, at.source, at.day, at.id, high, first, last, f.Sensor, f.Value)
		})
		if err != nil || len(page) == 0 {
			return out, err
		}
		may, err := r.mayHave(ctx, v, page)
		if err != nil {
			return nil, err
		}
		for i := range page {
			s := &page[i]
			if !may[s.source] {
				continue
			}
			d := &out[s.day-first]
			d.Count = min(d.Count+s.count, mostInJSON)
			if s.back {
				d.Back = min(d.Back+s.count, mostInJSON)
			}
			if s.source != counted.source || s.day != counted.day {
				counted = *s
				d.Sources++
			}
			if who := (onDay{s.sensor, s.day}); !sensors[who] {
				sensors[who] = true
				d.Sensors++
			}
		}
		at = page[len(page)-1]
	}
	return nil, ctx.Err()
}

// stored brings a filter to the forms that are stored. It is false where nothing can be met by it.
func (r *Room) stored(f *DetectionFilter) bool {
	if f.Sensor != "" {
		s, ok := r.Find(f.Sensor)
		if !ok {
			return false
		}
		f.Sensor = s.ID
	}
	if f.Value != "" {
		f.Value = canonical(f.Value)
	}
	return true
}
