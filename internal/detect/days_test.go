package detect

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/sensor"
)

// veiled is a house of which a viewer has some objects only.
type veiled struct {
	*house
	may []string
}

func (h veiled) Visible(_ context.Context, _ gate.Viewer, ids []string) (out []store.Item, err error) {
	for _, id := range ids {
		if slices.Contains(h.may, id) {
			it := store.Item{}
			it.Record.ID = id
			out = append(out, it)
		}
	}
	return out, nil
}

func give(t *testing.T, r *Room, s *Sensor, reports []sensor.Report) {
	t.Helper()
	if _, err := r.told.take(s, reports, r.o.Now()); err != nil {
		t.Fatal(err)
	}
}

// The sums of days are those of the detections that the viewer may have, by whatever they are chosen, and nothing else.
func TestDaysSumWhatTheViewerMayHave(t *testing.T) {
	rapid.Check(t, func(d *rapid.T) {
		h := newHouse()
		r := open(t, t.TempDir(), h)
		sensors := []*Sensor{enrol(t, r, "east"), enrol(t, r, "west")}
		sources := []string{"indicator--a", "indicator--b", "malware--c"}
		var may []string
		for _, id := range sources {
			if rapid.Bool().Draw(d, "may") {
				may = append(may, id)
			}
		}
		r.o.World = veiled{h, may}
		var reports []sensor.Report
		for i := range rapid.IntRange(0, 40).Draw(d, "reports") {
			at := h.now.AddDate(0, 0, -rapid.IntRange(0, 9).Draw(d, "ago"))
			n := rapid.IntRange(0, 2).Draw(d, "source")
			reports = append(reports, sensor.Report{ID: sensor.ReportID(fmt.Sprint(i), sources[n], "", ""), Source: sources[n], Kind: "domain", Value: fmt.Sprintf("v%d.example", n), First: at, Last: at, Count: rapid.Int64Range(1, 9).Draw(d, "count"), Back: rapid.Bool().Draw(d, "back")})
		}
		cut := rapid.IntRange(0, len(reports)).Draw(d, "by the first")
		give(t, r, sensors[0], reports[:cut])
		give(t, r, sensors[1], reports[cut:])
		f := DetectionFilter{Source: rapid.SampledFrom([]string{"", sources[0], "indicator--none"}).Draw(d, "of"), Sensor: rapid.SampledFrom([]string{"", "west", "none"}).Draw(d, "by"), Value: rapid.SampledFrom([]string{"", "V1.Example"}).Draw(d, "value")}
		from, to := h.now.AddDate(0, 0, -rapid.IntRange(4, 12).Draw(d, "from")), h.now.AddDate(0, 0, -rapid.IntRange(0, 4).Draw(d, "to"))
		got, err := r.Days(t.Context(), gate.Viewer{}, f, from, to)
		if err != nil {
			d.Fatal(err)
		}

		var want []DayCount
		for at := from; !at.After(to); at = at.AddDate(0, 0, 1) {
			want = append(want, DayCount{Day: at.Format(time.DateOnly)})
		}
		met, _, err := r.Detections(t.Context(), gate.Viewer{}, f, "", 1000)
		if err != nil {
			d.Fatal(err)
		}
		seen := map[string]bool{}
		if len(may) == len(sources) && f == (DetectionFilter{}) && len(reports) > 0 && len(met) == 0 {
			d.Fatal("nothing was met")
		}
		for i := range met {
			for j := range want {
				w, m := &want[j], &met[i]
				if w.Day != m.Day {
					continue
				}
				w.Count += m.Count
				if m.Back {
					w.Back += m.Count
				}
				if key := m.Day + m.Source; !seen[key] {
					seen[key] = true
					w.Sources++
				}
				if key := m.Day + m.Sensor; !seen[key] {
					seen[key] = true
					w.Sensors++
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			d.Fatal(diff)
		}
	})
}

func TestDaysHaveBounds(t *testing.T) {
	h := newHouse()
	r := open(t, t.TempDir(), h)
	date := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 13, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		name     string
		from, to time.Time
		days     int
		first    string
		is       fault.Kind
	}{
		{"the last thirty days", time.Time{}, time.Time{}, 30, "2026-04-02", 0},
		{"thirty days up to one", time.Time{}, date(2026, 1, 30), 30, "2026-01-01", 0},
		{"one day", date(2026, 1, 5), date(2026, 1, 5), 1, "2026-01-05", 0},
		{"a leap year", date(2024, 1, 1), date(2024, 12, 31), 366, "2024-01-01", 0},
		{"more than a year", date(2024, 1, 1), date(2025, 1, 1), 0, "", fault.TooLarge},
		{"an end before the beginning", date(2026, 1, 6), date(2026, 1, 5), 0, "", fault.Invalid},
		{"all of time", date(1, 1, 1), date(9999, 1, 1), 0, "", fault.TooLarge},
	} {
		got, err := r.Days(t.Context(), gate.Viewer{}, DetectionFilter{}, c.from, c.to)
		if len(got) != c.days || (err != nil) != (c.is != 0) || err != nil && fault.Of(err) != c.is || len(got) > 0 && got[0].Day != c.first {
			t.Errorf("%s: %d days, %v", c.name, len(got), err)
		}
	}
}

// What a viewer may not have does not end its list, however much of it is newer.
func TestHiddenDetectionsDoNotEndTheList(t *testing.T) {
	h := newHouse()
	r := open(t, t.TempDir(), h)
	s := enrol(t, r, "east")
	at := h.now
	for i := range 5 {
		var reports []sensor.Report
		for j := range 500 {
			source := fmt.Sprintf("indicator--%d-%d", i, j)
			reports = append(reports, sensor.Report{ID: sensor.ReportID(source, source, "", ""), Source: source, First: at, Last: at, Count: 1})
		}
		give(t, r, s, reports)
		h.now = h.now.Add(time.Second)
	}
	r.o.World = veiled{h, []string{"indicator--0-7"}}
	got, more, err := r.Detections(t.Context(), gate.Viewer{}, DetectionFilter{}, "", 10)
	if err != nil || more || len(got) != 1 || got[0].Source != "indicator--0-7" {
		t.Fatalf("%v %v %v", got, more, err)
	}
	for on, n := range map[time.Time]int{at: 1, at.AddDate(0, 0, 1): 0, time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC): 0} {
		if got, _, err := r.Detections(t.Context(), gate.Viewer{}, DetectionFilter{Day: on}, "", 10); err != nil || len(got) != n {
			t.Errorf("on %s: %v %v", on, got, err)
		}
	}
	days, err := r.Days(t.Context(), gate.Viewer{}, DetectionFilter{}, at, at)
	if diff := cmp.Diff([]DayCount{{Day: "2026-05-01", Count: 1, Sources: 1, Sensors: 1}}, days); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
}
