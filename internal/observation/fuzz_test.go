package observation

import (
	"math"
	"testing"
	"time"

	"entente/internal/event"
	"entente/stix/pattern"
)

// Whatever pattern the parser takes, with whatever events and whatever observations: nothing panics, what is kept stays within its bounds, and a pattern that the matcher of
// whole sets finds is found.
func FuzzEngine(f *testing.F) {
	f.Add(`[domain-name:value = 'a.example'] FOLLOWEDBY [process:command_line LIKE '%who%'] WITHIN 300 SECONDS`, `{"ts":1,"query":"a.example"}`, `{"CommandLine":"whoami","Hashes":"MD5=,="}`, int64(0), int64(1), int64(1))
	f.Add(`([x:a[*].b_ref.c = 1] AND [NOT EXISTS x:y]) REPEATS 2 TIMES START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'`, `{}`, `[`, int64(math.MinInt64), int64(math.MaxInt64), int64(9))
	f.Add(`[network-traffic:dst_ref.type = 'ipv4-addr' OR ipv4-addr:value ISSUBSET '::/0'] OR [file:name MATCHES 'a|b(?=c)' AND file:size IN (1, 2.5)]`,
		`{"dest_ip":"1.2.3.4","dst_ip":["::1","x"],"filename":"/a/","size":1}`, `{"TargetObject":"HKLM","Details":"\\","Image":"\\"}`, int64(-5), int64(5), int64(1<<40))
	f.Add(`[process:parent_ref.parent_ref.image_ref.parent_directory_ref.path = 'a']`, `{"ParentImage":"a\\b","User":"\\"}`, `{"query":":","QueryResults":";","subject":"=","host":"h","uri":"/"}`, int64(1), int64(2), int64(3))
	f.Fuzz(func(t *testing.T, src, one, two string, first, last, count int64) {
		p, err := pattern.Parse(src)
		if err != nil || len(src) > 4096 {
			return
		}
		if p, err = Canonical(p); err != nil {
			t.Fatal(err)
		}
		e, left := New([]Pattern{{ID: "a", Pattern: p}, {ID: "b", Pattern: p}}, Config{Lateness: ages, Each: 8, All: 32, Steps: 2000})
		plan := event.NewPlan()
		x := e.Events(plan)
		m, s := e.Matcher(), e.Stream()
		var obs []pattern.Observation
		hits := 0
		for i, line := range []string{one, two, one, one, two} {
			var ev event.Event
			if plan.Scan([]byte(line), &ev) != nil {
				continue
			}
			o := x.Observation(&ev)
			o.First, o.Last, o.Count = time.Unix(first%(1<<33), 0), time.Unix(last%(1<<33), 0), max(count%1000, 1)
			if o.Last.Before(o.First) {
				o.Last = o.First
			}
			obs = append(obs, o)
			met := m.Event(x, &ev)
			for _, c := range met {
				x.Fields(c, &ev)
			}
			s.Take(&Seen{First: o.First, Last: o.Last, Count: o.Count, Ref: uint64(i), Met: met}, time.Time{}, func(h Hit) {
				if len(h.Parts) == 0 {
					t.Error("a hit on nothing")
				}
				hits++
			})
			if kept := s.Stats().Kept; kept > 33 {
				t.Errorf("%d are kept", kept)
			}
			s = s.Move(e)
		}
		st := s.Stats()
		if len(left) > 0 || m.Failed > 0 || st.Evicted > 0 || st.GivenUp > 0 {
			return
		}
		if r, err := p.Match(obs, pattern.Budget(100_000)); err == nil && r.Matched && hits == 0 {
			t.Errorf("%s is not found in %q and %q", p, one, two)
		}
	})
}
