package sensor_test

import (
	"strings"
	"testing"
	"time"

	"entente/sensor"
)

func TestAReportIsKnownByWhatItIsOf(t *testing.T) {
	id := sensor.ReportID("eve/3", "indicator--1", "domain", "evil.example")
	if id != sensor.ReportID("eve/3", "indicator--1", "domain", "evil.example") {
		t.Error("the same stretch has two ids")
	}
	for _, other := range []string{
		sensor.ReportID("eve/4", "indicator--1", "domain", "evil.example"), sensor.ReportID("eve/3", "indicator--2", "domain", "evil.example"),
		sensor.ReportID("eve/3", "indicator--1", "url", "evil.example"), sensor.ReportID("eve/3indicator--1", "", "domain", "evil.example"),
	} {
		if other == id {
			t.Error("two stretches have one id")
		}
	}
}

func TestReportsAreChecked(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	good := sensor.Report{ID: sensor.ReportID("a", "b", "c", "d"), Source: "indicator--1", First: now, Last: now, Count: 1}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for at, spoil := range map[string]func(*sensor.Report){
		"id":     func(r *sensor.Report) { r.ID = strings.ToUpper(r.ID) },
		"source": func(r *sensor.Report) { r.Source = "" },
		"count":  func(r *sensor.Report) { r.Count = 0 },
		"last":   func(r *sensor.Report) { r.Last = now.Add(-1) },
		"fields": func(r *sensor.Report) { r.Fields = map[string]string{"a": strings.Repeat("x", sensor.MaxValue+1)} },
		"value":  func(r *sensor.Report) { r.Value = strings.Repeat("x", 4*sensor.MaxValue+1) },
	} {
		bad := good
		spoil(&bad)
		if err := bad.Check(); err == nil || !strings.HasPrefix(err.Error(), at) {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`[{"id":"00000000000000000000000000000000","source":"indicator--1","first":"2026-01-01T00:00:00Z","last":"2026-01-01T00:00:00Z","count":1}]`))
	f.Add([]byte(`[{"id":"","unknown":1}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if all, err := sensor.Decode[[]sensor.Report](b); err == nil {
			for i := range all {
				_ = all[i].Check()
			}
		}
	})
}
