package pattern_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"entente/stix/pattern"
	"pgregory.net/rapid"
)

// The oracle decides a pattern by listing every binding of every expression, with every time on a grid that is finer than the
// times and windows of its small worlds.

const grid = 250 * time.Millisecond

// slot is one observation at one moment: the copy-th of an observed-data.
type slot struct {
	observation, copy int
	at                time.Time
}

type binding []slot

func oracle(t testing.TB, p *pattern.Pattern, e *pattern.Expression, obs []pattern.Observation) []binding {
	var out []binding
	switch e.Op {
	case pattern.Observe:
		for i := range obs {
			ok, err := p.Holds(&e.Condition, &obs[i])
			if err != nil {
				t.Fatal(err)
			}
			for at := obs[i].First; ok && !at.After(obs[i].Last); at = at.Add(grid) {
				for c := range int(obs[i].Count) {
					out = append(out, binding{{i, c, at}})
				}
			}
		}
	case pattern.Or:
		for i := range e.Operands {
			out = append(out, oracle(t, p, &e.Operands[i], obs)...)
		}
	default:
		out = oracle(t, p, &e.Operands[0], obs)
		for i := range e.Operands[1:] {
			out = product(out, oracle(t, p, &e.Operands[1+i], obs), e.Op == pattern.FollowedBy)
		}
	}
	for _, q := range e.Qualifiers {
		switch q.Kind {
		case pattern.Repeats:
			one := out
			for range q.Times - 1 {
				out = product(out, one, false)
			}
		case pattern.Within:
			out = keep(out, func(b binding) bool {
				first, last := extent(b)
				return last.Sub(first) < time.Duration(q.Seconds.Int)*time.Second
			})
		case pattern.StartStop:
			start, _ := q.Start.Time()
			stop, _ := q.Stop.Time()
			out = keep(out, func(b binding) bool {
				first, last := extent(b)
				return !first.Before(start) && last.Before(stop)
			})
		}
	}
	return out
}

func extent(b binding) (first, last time.Time) {
	first, last = b[0].at, b[0].at
	for _, s := range b {
		if s.at.Before(first) {
			first = s.at
		}
		if s.at.After(last) {
			last = s.at
		}
	}
	return first, last
}

func keep(list []binding, f func(binding) bool) (out []binding) {
	for _, b := range list {
		if f(b) {
			out = append(out, b)
		}
	}
	return out
}

func product(left, right []binding, ordered bool) (out []binding) {
	for _, l := range left {
		_, latest := extent(l)
		for _, r := range right {
			earliest, _ := extent(r)
			if ordered && latest.After(earliest) || overlap(l, r) {
				continue
			}
			out = append(out, append(append(binding(nil), l...), r...))
		}
	}
	return out
}

func overlap(l, r binding) bool {
	for _, a := range l {
		for _, b := range r {
			if a.observation == b.observation && a.copy == b.copy {
				return true
			}
		}
	}
	return false
}

// drawExpression writes an expression of at most room brackets, repetitions counted, and returns how many it has.
func drawExpression(t *rapid.T, room int) (string, int) {
	shape := "leaf"
	if room > 1 {
		shape = rapid.SampledFrom([]string{"leaf", "AND", "OR", "FOLLOWEDBY", "AND", "FOLLOWEDBY"}).Draw(t, "shape")
	}
	src, size := "[x:k = '"+rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "letter")+"']", 1
	if shape != "leaf" {
		var left, right string
		var n int
		left, size = drawExpression(t, room-1)
		right, n = drawExpression(t, room-size)
		src, size = "("+left+" "+shape+" "+right+")", size+n
	}
	for _, kind := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"REPEATS", "WITHIN", "START"}), 0, 2, rapid.ID[string]).Draw(t, "qualifiers") {
		switch kind {
		case "REPEATS":
			if n := rapid.IntRange(1, 3).Draw(t, "times"); n*size <= room {
				src, size = fmt.Sprintf("%s REPEATS %d TIMES", src, n), n*size
			}
		case "WITHIN":
			src += fmt.Sprintf(" WITHIN %d SECONDS", rapid.IntRange(1, 3).Draw(t, "seconds"))
		case "START":
			from := rapid.IntRange(0, 3).Draw(t, "from")
			src += fmt.Sprintf(" START t'2020-01-01T00:00:%02dZ' STOP t'2020-01-01T00:00:%02dZ'", from, from+rapid.IntRange(1, 4).Draw(t, "long"))
		}
	}
	return src, size
}

func drawWorld(t *rapid.T) string {
	var list []string
	places := 4
	for i := range rapid.IntRange(1, 4).Draw(t, "observations") {
		first := rapid.IntRange(0, 5).Draw(t, "first")
		last := first + rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "length")
		count := 1
		if places > 4-i && rapid.IntRange(0, 3).Draw(t, "count") == 0 {
			count, places = 2, places-1
		}
		var objects []string
		for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 2, rapid.ID[string]).Draw(t, "letters") {
			objects = append(objects, `{"type":"x","k":"`+k+`"}`)
		}
		list = append(list, observed(fmt.Sprint(i), fmt.Sprintf("2020-01-01T00:00:%02dZ", first), fmt.Sprintf("2020-01-01T00:00:%02dZ", last), count, objects...))
	}
	return "[" + strings.Join(list, ",") + "]"
}

func TestMatchAgreesWithOracle(t *testing.T) {
	decided := map[bool]int{}
	rapid.Check(t, func(rt *rapid.T) {
		src, _ := drawExpression(rt, 4)
		world := drawWorld(rt)
		p, obs := mustParse(t, src), observations(t, world)
		want := len(oracle(t, p, p.Root(), obs)) > 0
		r, err := p.Match(obs)
		if err != nil || r.Matched != want {
			rt.Fatalf("%s\non %s\ngot %v, %v; want %v", src, world, r.Matched, err, want)
		}
		decided[want]++
		if again := mustParse(t, p.String()); !again.Equal(p) {
			rt.Fatalf("%s printed %s", src, p)
		}
		bound := map[int]int64{}
		for _, b := range r.Bindings {
			bound[b.Observation] += b.Count
			if ok, err := p.Holds(&b.Expression.Condition, &obs[b.Observation]); !ok || err != nil {
				rt.Fatalf("%s: observation %d is bound to %v, which it does not meet", src, b.Observation, b.Expression.Offset)
			}
		}
		for i, n := range bound {
			if n > obs[i].Count {
				rt.Fatalf("%s: observation %d is bound %d times", src, i, n)
			}
		}
	})
	if decided[true] == 0 || decided[false] == 0 {
		t.Errorf("a one-sided test: %v", decided)
	}
	t.Log(decided)
}
