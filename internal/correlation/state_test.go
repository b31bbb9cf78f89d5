package correlation

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/state"
	"entente/sigma"

	"pgregory.net/rapid"
)

// together are correlations of all types, each with those it is about.
func together(t testing.TB) (*sigma.Collection, []*sigma.Correlation) {
	var all []string
	for _, name := range []string{"event_count", "value_count", "values", "temporal", "words", "ordered", "ordered words", "value_sum", "value_avg", "value_median", "percentile"} {
		all = append(all, kinds[name]...)
	}
	return collection(t, append(slices.Clone(kinds["over others"]), all...)...)
}

// events parts hits by events.
func events(hits []sigma.Hit) (out [][]sigma.Hit) {
	for len(hits) > 0 {
		n := 1
		for n < len(hits) && hits[n].Index == hits[0].Index {
			n++
		}
		out, hits = append(out, hits[:n]), hits[n:]
	}
	return out
}

// What comes out of order is found as if it had come in order, as long as it comes within the lateness; what is found comes in order.
func TestOutOfOrder(t *testing.T) {
	c, order := together(t)
	rapid.Check(t, func(t *rapid.T) {
		hits := stream(t, c)
		want := naive(order, hits)
		const lateness = 5 * time.Second
		type arrival struct {
			at   time.Time
			hits []sigma.Hit
		}
		var all []arrival
		for _, ev := range events(hits) {
			late := time.Duration(rapid.IntRange(0, int(lateness/time.Millisecond)).Draw(t, "late")) * time.Millisecond
			all = append(all, arrival{ev[0].Time.Add(late), ev})
		}
		slices.SortStableFunc(all, func(a, b arrival) int { return a.at.Compare(b.at) })
		var got collected
		e := New(order, Options{Lateness: lateness, Shards: rapid.SampledFrom([]int{1, 2, 7}).Draw(t, "shards")}, got.add)
		for _, a := range all {
			e.Add("", a.hits)
			if rapid.Bool().Draw(t, "another event") {
				e.Advance("", a.hits[0].Time)
			}
		}
		e.Flush()
		differ(t, "out of order", got, want)
		if s := e.Stats(); s.Late != 0 || s.Hits != uint64(len(hits)) || s.Found != uint64(len(want)) {
			t.Fatalf("%+v", s)
		}
	})
}

// Without a lateness all is put in order that comes before the end.
func TestAnyOrder(t *testing.T) {
	c, order := together(t)
	rapid.Check(t, func(t *rapid.T) {
		hits := stream(t, c)
		var got collected
		e := New(order, Options{Lateness: -1}, got.add)
		for _, ev := range rapid.Permutation(events(hits)).Draw(t, "arrival") {
			e.Add("", ev)
		}
		if len(got) > 0 {
			t.Fatal("something was found before the end")
		}
		e.Flush()
		differ(t, "any order", got, naive(order, hits))
	})
}

// A slow source holds the others back, until it rests.
func TestSources(t *testing.T) {
	c, order := collection(t, `{type: temporal_ordered, rules: [a, b], timespan: 10s}`)
	hit := func(rule, second int) []sigma.Hit {
		return []sigma.Hit{{Rule: &c.Rules[rule].Meta, Time: time.Unix(int64(second), 0), Index: uint64(second), Event: sigma.Fields{}}}
	}
	var got collected
	e := New(order, Options{}, got.add)
	e.Advance("slow", time.Unix(100, 0))
	e.Add("fast", hit(1, 205))
	e.Add("fast", hit(1, 250))
	e.Add("slow", hit(0, 200)) // a, 50 seconds after what is later
	e.Advance("slow", time.Unix(206, 0))
	if len(got) != 1 || !strings.Contains(got[0], "[200 205]") {
		t.Fatalf("found %q", got)
	}
	e.Add("fast", hit(0, 249))
	if e.Rest("slow"); e.Stats().Waiting != 1 {
		t.Fatalf("%+v: the last moment of the fast one alone must wait", e.Stats())
	}
	e.Flush()
	if len(got) != 2 || !strings.Contains(got[1], "[249 250]") {
		t.Fatalf("found %q", got)
	}
}

// What is not counted in is told.
func TestNotCounted(t *testing.T) {
	c, order := collection(t, `{type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 2}}`)
	e := New(order, Options{Now: func() time.Time { return time.Unix(2000, 0) }, Waiting: 1000}, func(*sigma.Hit) {})
	add := func(rule int, when time.Time) {
		e.Add("", []sigma.Hit{{Rule: &c.Rules[rule].Meta, Time: when, Event: sigma.Fields{"u": {sigma.Text("x")}}}})
	}
	add(0, time.Time{})
	add(0, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
	add(0, time.Unix(1_000_000, 0))
	add(0, time.Unix(1000, 0))
	add(0, time.Unix(999, 0))
	add(1, time.Unix(1001, 0)) // no correlation is about it
	for range 20 {             // of one moment, so that all wait
		add(0, time.Unix(1500, 0))
	}
	s := e.Stats()
	if s.Untimed != 2 || s.Ahead != 1 || s.Late != 1 || s.Hits != 25 || s.Hurried == 0 || s.Waiting+int(s.Hurried) != 20 {
		t.Errorf("%+v", s)
	}
}

// Too many groups: the same ones are forgotten however many parts there are, and each is counted.
func TestEvictionIsCountedAndTheSame(t *testing.T) {
	c, order := together(t)
	evicted := uint64(0)
	rapid.Check(t, func(t *rapid.T) {
		hits := stream(t, c)
		o := Options{Groups: rapid.IntRange(5, 60).Draw(t, "groups")}
		if rapid.Bool().Draw(t, "by bytes") {
			o.Bytes = int64(rapid.IntRange(1000, 20000).Draw(t, "bytes"))
		}
		var first collected
		var stats Stats
		for i, shards := range []int{1, 2, 7} {
			var got collected
			o.Shards = shards
			e := New(order, o, got.add)
			for _, ev := range events(hits) {
				e.Add("", ev)
				if s := e.Stats(); s.Groups > o.Groups || o.Bytes > 0 && s.Bytes > o.Bytes {
					t.Fatalf("more is kept than may be: %+v", s)
				}
			}
			e.Flush()
			if i == 0 {
				first, stats = got, e.Stats()
				continue
			}
			differ(t, fmt.Sprint(shards, " shards"), got, first)
			if s := e.Stats(); s.Evicted != stats.Evicted {
				t.Fatalf("%d groups evicted, with one shard %d", s.Evicted, stats.Evicted)
			}
		}
		evicted += stats.Evicted
	})
	if evicted == 0 {
		t.Error("nothing was ever evicted")
	}
}

// An engine that goes on from a saved state finds what the one that was never interrupted finds.
func TestSaveAndGoOn(t *testing.T) {
	c, order := together(t)
	rapid.Check(t, func(t *rapid.T) {
		all := events(stream(t, c))
		o := Options{Groups: 40, Lateness: 2 * time.Second, Events: 5, Shards: rapid.SampledFrom([]int{1, 2, 7}).Draw(t, "shards")}
		var got, want collected
		whole, parts := New(order, o, want.add), New(order, o, got.add)
		for _, ev := range all {
			whole.Add("", ev)
			if parts.Add("", ev); rapid.IntRange(0, 3).Draw(t, "restart") > 0 {
				continue
			}
			var saved, again state.Writer
			parts.Save(&saved)
			o.Shards = rapid.SampledFrom([]int{1, 2, 7}).Draw(t, "shards then")
			parts = New(order, o, got.add)
			if err := parts.Load(state.NewReader(saved.Bytes())); err != nil {
				t.Fatal(err)
			}
			if parts.Save(&again); !bytes.Equal(saved.Bytes(), again.Bytes()) {
				t.Fatal("what is saved of a loaded state is another")
			}
		}
		whole.Flush()
		parts.Flush()
		differ(t, "with restarts", got, want)
		a, b := whole.Stats(), parts.Stats()
		a.Groups, a.Bytes, b.Groups, b.Bytes = 0, 0, 0, 0 // groups whose window is over may still be there, by parts
		if a != b {
			t.Fatalf("%+v, uninterrupted %+v", b, a)
		}
	})
}

// What was saved of correlations that changed is left out, and the others go on.
func TestLoadWithOtherRules(t *testing.T) {
	lines := []string{`{type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 2}}`, `{type: temporal_ordered, rules: [a, b], timespan: 60s}`}
	c, order := collection(t, lines...)
	hit := func(rule, second int) []sigma.Hit {
		return []sigma.Hit{{Rule: &c.Rules[rule].Meta, Time: time.Unix(int64(second), 0), Index: uint64(second), Event: sigma.Fields{"u": {sigma.Text("x")}, "v": {sigma.Text("y")}}}}
	}
	before := New(order, Options{}, func(*sigma.Hit) {})
	before.Add("", hit(0, 1))
	before.Add("", hit(3, 2))
	before.Add("", hit(0, 3)) // waits
	var saved state.Writer
	before.Save(&saved)
	lines[1] = `{type: temporal, rules: [a, b, d], group-by: [v], timespan: 60s}`
	_, order = collection(t, lines...)
	var got collected
	after := New(order, Options{}, got.add)
	if err := after.Load(state.NewReader(saved.Bytes())); err != nil {
		t.Fatal(err)
	}
	after.Add("", hit(1, 4))
	if after.Flush(); len(got) != 1 || !strings.HasPrefix(got[0], "c0 3@") {
		t.Errorf("found %q", got)
	}
}

// savedState is a state with something of everything in it.
func savedState(t testing.TB, order []*sigma.Correlation, c *sigma.Collection) []byte {
	e := New(order, Options{Lateness: 3 * time.Second, Shards: 3}, func(*sigma.Hit) {})
	for i := range 60 {
		ev := sigma.Fields{"u": {sigma.Text(fmt.Sprint(i % 3))}, "v": {sigma.Text(fmt.Sprint(i % 5)), sigma.Text("x")}, "n": {sigma.Number(fmt.Sprintf("%d.5", i-7)), sigma.Number("1" + strings.Repeat("0", 30))}}
		e.Add(fmt.Sprint("source", i%2), []sigma.Hit{{Rule: &c.Rules[i%4].Meta, Time: time.Unix(int64(1000+i/2), 0), Index: uint64(i), Event: ev}})
	}
	var w state.Writer
	e.Save(&w)
	return w.Bytes()
}

// A state that is cut off anywhere is refused, and the engine is as it was.
func TestDamagedState(t *testing.T) {
	c, order := together(t)
	good := savedState(t, order, c)
	e := New(order, Options{}, func(*sigma.Hit) {})
	step := 1 + len(good)/500
	for i := 0; i < len(good); i += step {
		if err := e.Load(state.NewReader(good[:i])); fault.As(err) == nil {
			t.Fatalf("cut off at %d: %v", i, err)
		}
		if s := e.Stats(); s != (Stats{}) {
			t.Fatalf("cut off at %d: the engine took something: %+v", i, s)
		}
	}
	r := state.NewReader(append(bytes.Clone(good), 0))
	if err := e.Load(r); err != nil || r.Rest() != 1 {
		t.Fatal(err, r.Rest())
	}
}

// What was logged is added again to an engine that was loaded, which finds what was found; a correlation that was not there does not see it.
func TestAddAgain(t *testing.T) {
	lines := []string{`{type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 3}}`, `{type: event_count, rules: [a], timespan: 10s, condition: {gte: 2}}`}
	c, order := collection(t, lines...)
	now := time.Unix(1000, 0)
	hit := func(second int) []sigma.Hit {
		return []sigma.Hit{{Rule: &c.Rules[0].Meta, Time: time.Unix(int64(second), 0), Index: uint64(second), Event: sigma.Fields{"u": {sigma.Text("x")}}}}
	}
	var saved, log state.Writer
	var got, again collected
	o := Options{Now: func() time.Time { return now }}
	_, old := collection(t, lines[:1]...)
	e := New(old, o, got.add)
	e.Add("", hit(995))
	e.Save(&saved)
	for _, s := range []int{996, 9000, 997, 998} { // one of them is not believed
		e.AddLogged(&log, "", hit(s))
	}
	e.Flush()
	o.Now = func() time.Time { return now.Add(24 * time.Hour) }
	e = New(order, o, again.add)
	if err := e.Load(state.NewReader(saved.Bytes())); err != nil {
		t.Fatal(err)
	}
	e.Again(true)
	for r := state.NewReader(log.Bytes()); r.Rest() > 0; {
		if err := e.AddAgain(r, ""); err != nil {
			t.Fatal(err)
		}
	}
	e.Again(false)
	if e.Flush(); len(got) != 1 || !slices.Equal(got, again) {
		t.Fatalf("found %q, and again %q", got, again)
	}
	if err := e.AddAgain(state.NewReader(log.Bytes()[:20]), ""); err == nil {
		t.Error("what was not logged whole is added")
	}
}

// Whatever stands in a state: it is loaded or refused, and a loaded one works.
func FuzzLoad(f *testing.F) {
	c, order := together(f)
	f.Add(savedState(f, order, c))
	f.Add([]byte("\x0d" + version))
	f.Fuzz(func(t *testing.T, body []byte) {
		e := New(order, Options{Lateness: time.Second, Shards: 2}, func(*sigma.Hit) {})
		if err := e.Load(state.NewReader(body)); err != nil && fault.As(err) == nil {
			t.Fatal(err)
		}
		for i, r := range c.Rules {
			ev := sigma.Fields{"u": {sigma.Text("1")}, "v": {sigma.Text("x")}, "n": {sigma.Number("3")}}
			e.Add("", []sigma.Hit{{Rule: &r.Meta, Time: time.Unix(int64(1029+10*i), 0), Index: uint64(100 + i), Event: ev}})
		}
		e.Flush()
		e.Save(new(state.Writer))
	})
}
