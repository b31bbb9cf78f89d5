package observation

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entente/internal/fault"
	"entente/internal/state"
	"entente/stix/pattern"
)

func writeNote(w *state.Writer, note any) { w.Text(fmt.Sprint(note)) }
func readNote(r *state.Reader) any        { return r.Text() }

// again is a stream that was saved and loaded, into an engine made anew.
func again(t *rapid.T, s *Stream, e *Engine) *Stream {
	var saved, twice state.Writer
	s.Save(&saved, writeNote)
	to := e.Stream()
	r := state.NewReader(saved.Bytes())
	if err := to.Load(r, readNote); err != nil || r.Rest() > 0 {
		t.Fatal(err, r.Rest())
	}
	if to.Save(&twice, writeNote); !bytes.Equal(saved.Bytes(), twice.Bytes()) {
		t.Fatal("what is saved of a loaded stream is another")
	}
	return to
}

// A stream that goes on from what was saved, at whatever events, says what the one says that was never interrupted: also within bounds at which something is lost.
func TestSaveAndGoOn(t *testing.T) {
	hits, evicted, late := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		var list []Pattern
		for i := range rapid.IntRange(1, 6).Draw(rt, "patterns") {
			src, _ := drawExpression(rt, 4)
			list = append(list, Pattern{ID: fmt.Sprint(i), Pattern: parse(t, src)})
		}
		c := Config{Lateness: time.Duration(rapid.SampledFrom([]int{1, 1000, 100_000}).Draw(rt, "lateness")) * time.Millisecond, Each: rapid.IntRange(4, 20).Draw(rt, "each"),
			All: rapid.IntRange(5, 30).Draw(rt, "all"), Steps: int64(rapid.SampledFrom([]int{50, 20_000}).Draw(rt, "steps"))}
		e, _ := New(list, c)
		m := e.Matcher()
		whole, broken := e.Stream(), e.Stream()
		take := func(s *Stream, seen *Seen) (said []string) {
			s.Take(seen, seen.First, func(h Hit) {
				text := fmt.Sprint(h.Pattern)
				for _, p := range h.Parts {
					text += fmt.Sprint(" ", p.Ref, p.Note, p.First.UnixNano(), p.Last.UnixNano())
				}
				said = append(said, text)
			})
			return said
		}
		obs := drawObservations(rt, 30)
		for rapid.Bool().Draw(rt, "more") && len(obs) < 60 { // more than there is room for
			obs = append(obs, drawObservations(rt, 30)...)
		}
		for i, o := range obs {
			seen := &Seen{First: o.First, Last: o.Last, Count: o.Count, Ref: uint64(i), Note: fmt.Sprint("n", i), Met: slices.Clone(m.Observation(&o))}
			want := take(whole, seen)
			if got := take(broken, seen); !slices.Equal(got, want) {
				rt.Fatalf("after %d: %q, uninterrupted %q", i, got, want)
			}
			hits += len(want)
			if rapid.IntRange(0, 2).Draw(rt, "restart") == 0 {
				then, _ := New(list, c)
				broken = again(rt, broken, then)
				e = then
			}
		}
		if a, b := whole.Stats(), broken.Stats(); a != b {
			rt.Fatalf("%+v, uninterrupted %+v", b, a)
		}
		evicted, late = evicted+int(whole.Stats().Evicted), late+int(whole.Stats().Late)
	})
	if hits == 0 || evicted == 0 || late == 0 {
		t.Errorf("a one-sided test: %d hits, %d evicted, %d late", hits, evicted, late)
	}
}

// A stream is loaded into one of other patterns as it moves to them. What comes again is not for those that are new.
func TestLoadIntoOthers(t *testing.T) {
	stay := Pattern{ID: "stay", Pattern: parse(t, "[x:k = 'a'] FOLLOWEDBY [x:k = 'b']")}
	e, _ := New([]Pattern{{ID: "gone", Pattern: parse(t, "[x:k = 'a'] FOLLOWEDBY [x:k = 'c']")}, stay}, Config{})
	s := e.Stream()
	var hits []string
	pour(e, e.Matcher(), s, 0, "aa", &hits)
	var w state.Writer
	s.Save(&w, writeNote)
	e, _ = New([]Pattern{{ID: "other", Pattern: parse(t, "[x:k = 'a'] FOLLOWEDBY [x:k = 'd']")}, stay, {ID: "gone", Pattern: parse(t, "[x:k = 'a'] FOLLOWEDBY [x:k = 'e']")}}, Config{})
	s = e.Stream()
	if err := s.Load(state.NewReader(w.Bytes()), readNote); err != nil {
		t.Fatal(err)
	}
	s.Again(true)
	pour(e, e.Matcher(), s, 2, "abde", &hits)
	s.Again(false)
	pour(e, e.Matcher(), s, 6, "deade", &hits)
	if got, want := strings.Join(hits, ","), "stay 0 3,other 8 9,gone 8 10"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Whatever stands in what was saved: it is loaded or refused, what is kept stays within its bounds, and a stream that was loaded works.
func FuzzLoad(f *testing.F) {
	list := []Pattern{{ID: "0", Pattern: parse(f, "[x:k = 'a'] FOLLOWEDBY ([x:k = 'b'] REPEATS 2 TIMES) WITHIN 30 SECONDS")}, {ID: "1", Pattern: parse(f, "[x:k = 'a'] AND [x:k = 'c']")},
		{ID: "2", Pattern: parse(f, "[x:k = 'a' OR x:k = 'd'] REPEATS 9 TIMES")}}
	e, _ := New(list, Config{Each: 10, All: 15})
	var good state.Writer
	s := e.Stream()
	for i, r := range "abadadaa" {
		o := pattern.NewObservation("", time.Time{}, time.Time{}, 1, map[string]map[string]any{"0": {"type": "x", "k": string(r)}})
		s.Take(&Seen{First: time.Unix(int64(i), 0), Last: time.Unix(int64(i), 0), Count: 1, Met: e.Matcher().Observation(&o)}, time.Time{}, func(Hit) {})
	}
	s.Save(&good, writeNote)
	f.Add(good.Bytes())
	f.Add(good.Bytes()[:good.Len()/2])
	f.Fuzz(func(t *testing.T, body []byte) {
		s := e.Stream()
		if err := s.Load(state.NewReader(body), readNote); err != nil && fault.As(err) == nil {
			t.Fatal(err)
		}
		m := e.Matcher()
		for i, r := range "abcdbbcaaaaaaaaaaaaa" {
			o := pattern.NewObservation("", time.Time{}, time.Time{}, 1, map[string]map[string]any{"0": {"type": "x", "k": string(r)}})
			when := time.Unix(int64(7+i), 0)
			s.Take(&Seen{First: when, Last: when, Count: 1, Met: m.Observation(&o)}, when, func(Hit) {})
			if kept := s.Stats().Kept; kept > 15 || kept < 0 {
				t.Fatalf("%d are kept", kept)
			}
		}
		s.Save(new(state.Writer), writeNote)
	})
}
