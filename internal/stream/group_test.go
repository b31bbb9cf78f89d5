package stream

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/internal/input"
)

// Sensors come, die after some batches and come again, some slow, some that report late and are done with blocks late or never, while messages come: the sums are exact.
func TestWhoeverDiesEverythingCountsOnce(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			each(t, func(t *testing.T, _ string, _ []string, produce func(...string), src func() source) {
				t.Parallel()
				r := rand.New(rand.NewPCG(seed, 6))
				n := newNode()
				lives := make([][]*sensor, 3)
				for w := range lives {
					for range 2 + r.IntN(3) {
						lives[w] = append(lives[w], &sensor{report: n.report, limit: 1 + r.IntN(12), late: r.IntN(12), blind: r.IntN(3) == 0, slow: time.Duration(r.IntN(4)) * time.Millisecond})
					}
				}
				var working sync.WaitGroup
				for _, life := range lives {
					working.Go(func() {
						for _, s := range life {
							run := start(src(), s)
							select {
							case <-run.done:
							case <-time.After(3 * time.Second): // there is nothing for it: it may live no longer
							}
							run.stop()
						}
					})
				}
				want := map[string]int{}
				for from := 0; from < 30_000; {
					lines, sums := events(from, 1+r.IntN(6000))
					produce(lines...)
					want, from = add(want, sums), from+len(lines)
				}
				working.Wait()
				last := []*running{start(src(), &sensor{report: n.report}), start(src(), &sensor{report: n.report, late: 2})}
				n.exactly(t, want)
				for _, run := range last {
					run.end(t, nil)
				}
				run := start(src(), &sensor{report: n.report}) // what is read once more counts no more
				until(t, "the rest", func() bool { return run.source.Counts().Lag == 0 })
				run.end(t, nil)
				n.exactly(t, want)
			})
		})
	}
}

// What takes the lines refuses them, and the source ends with that error; the next one is given them again.
func TestARefusalEndsTheSource(t *testing.T) {
	each(t, func(t *testing.T, _ string, _ []string, produce func(...string), src func() source) {
		lines, want := events(0, 3000)
		produce(lines...)
		n := newNode()
		start(src(), &sensor{report: n.report, limit: 1}).end(t, errDead)
		run := start(src(), &sensor{report: n.report})
		n.exactly(t, want)
		run.end(t, nil)
	})
}

// What one sensor does not do another does, at the same time.
func TestTwoSensorsShareAStream(t *testing.T) {
	each(t, func(t *testing.T, _ string, _ []string, produce func(...string), src func() source) {
		lines, want := events(0, 40_000)
		produce(lines...)
		n := newNode()
		hold := make(chan struct{})
		a, b := &sensor{report: n.report, hold: hold}, &sensor{report: n.report, hold: hold}
		runs := []*running{start(src(), a), start(src(), b)}
		// Both wait with a batch of their own before either may go on.
		until(t, "both are at work", func() bool { return a.waits.Load() && b.waits.Load() })
		close(hold)
		n.exactly(t, want)
		for _, r := range runs {
			r.end(t, nil)
		}
		if a.lines == 0 || b.lines == 0 {
			t.Errorf("%d and %d lines", a.lines, b.lines)
		}
	})
}

// Messages that cannot be lines are counted: too long ones are left out, what is not UTF-8 is passed on, empty ones are nothing.
func TestPoisonedMessages(t *testing.T) {
	each(t, func(t *testing.T, _ string, _ []string, produce func(...string), src func() source) {
		produce("a 1", "\xff\xfe 2", "a "+strings.Repeat("x", input.MaxLine), "", "\n\n", "b 1\nb 2\r\nb 3\n", "a 2")
		n := newNode()
		run := start(src(), &sensor{report: n.report})
		n.exactly(t, map[string]int{"a": 2, "b": 3, "\xff\xfe": 1})
		until(t, "all are counted", func() bool { return run.source.Counts().Messages == 7 })
		run.end(t, nil)
		if c := run.source.Counts(); c.Lines != 6 || c.Long != 1 || c.Binary != 1 {
			t.Errorf("%+v", c)
		}
	})
}

// The broker goes away in the middle and comes back: the source finds it again.
func TestTheBrokerGoesAndComes(t *testing.T) {
	away := func(t *testing.T, src source, produce func(...string), down, up func()) {
		lines, want := events(0, 12_000)
		produce(lines...)
		n := newNode()
		s := &sensor{report: n.report, hold: make(chan struct{})}
		run := start(src, s)
		for range 3 {
			s.hold <- struct{}{}
		}
		down()
		close(s.hold)
		until(t, "it notices", func() bool { return run.source.Counts().Errors > 0 })
		up()
		n.exactly(t, want)
		more, sums := events(12_000, 5000)
		produce(more...)
		n.exactly(t, add(want, sums))
		until(t, "it is well again", func() bool { // whatever connection it noticed last is made anew when there is more to read
			produce(more[0])
			return run.source.Counts().Error == ""
		})
		run.end(t, nil)
	}
	t.Run("kafka", func(t *testing.T) {
		k := newKafka(t).produces()
		away(t, k.source(), k.produce, k.down, k.up)
	})
	t.Run("nats", func(t *testing.T) {
		b := newBroker(t, nil).produces()
		away(t, b.source(), func(lines ...string) { b.produce("eve.x", lines...) }, b.down, b.up)
	})
}
