package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"entente/internal/input"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(childKind); kind != "" {
		child(kind)
		return
	}
	code := m.Run()
	err := goleak.Find()
	for end := time.Now().Add(patience); err != nil && time.Now().Before(end); { // what has been told to end is given the time to
		err = goleak.Find()
	}
	if code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// node keeps reports as a node does: of two of one id the larger.
type node struct {
	mu      sync.Mutex
	reports map[string]map[string]int // by block and value
}

func newNode() *node { return &node{reports: map[string]map[string]int{}} }

func (n *node) report(block, value string, count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.reports[block] == nil {
		n.reports[block] = map[string]int{}
	}
	n.reports[block][value] = max(n.reports[block][value], count)
}

// sums are the counts of each value.
func (n *node) sums() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	sums := map[string]int{}
	for _, b := range n.reports {
		for v, c := range b {
			sums[v] += c
		}
	}
	return sums
}

func (n *node) total() (t int) {
	for _, c := range n.sums() {
		t += c
	}
	return t
}

// sensor counts values in blocks and reports them to a node, as a sensor does: all of it when it was given a batch, and that a block is done with some time after its end.
type sensor struct {
	report func(block, value string, count int)
	open   map[string]map[string]int
	done   []func() error
	late   int           // blocks that are done with later
	limit  int           // batches after which it dies; 0: never
	slow   time.Duration // for each batch
	blind  bool          // it reports at ends of blocks only
	hold   chan struct{} // if it is not nil, it waits there for each batch
	waits  atomic.Bool   // it waited there
	lines  int
}

var errDead = errors.New("the sensor is dead")

// value is what a line is counted under: its first word.
func value(line []byte) string {
	v, _, _ := strings.Cut(string(line), " ")
	return v
}

func (s *sensor) take(b *input.Batch) error {
	if s.hold != nil {
		s.waits.Store(true)
		<-s.hold
	}
	if s.limit--; s.limit == 0 {
		return errDead
	}
	if s.slow > 0 {
		time.Sleep(s.slow)
	}
	if b.Block == "" || b.Source == "" || len(b.Lines) > maxLines || b.Done != nil && !b.Last {
		return fmt.Errorf("no batch: %q %q %d lines", b.Source, b.Block, len(b.Lines))
	}
	counts := s.open[b.Block]
	if counts == nil || b.First {
		if s.open == nil {
			s.open = map[string]map[string]int{}
		}
		counts = map[string]int{}
		s.open[b.Block] = counts
	}
	for _, l := range b.Lines {
		counts[value(l)]++
		s.lines++
	}
	if !s.blind || b.Last {
		for v, c := range counts {
			s.report(b.Block, v, c)
		}
	}
	if b.Last {
		delete(s.open, b.Block)
		if b.Done != nil {
			s.done = append(s.done, b.Done)
		}
		for len(s.done) > s.late {
			if err := s.done[0](); err != nil {
				return err
			}
			s.done = s.done[1:]
		}
	}
	return nil
}

// source is what is tested.
type source interface {
	input.Source
	Counts() Counts
}

// running is a sensor that reads a source.
type running struct {
	sensor *sensor
	source source
	stop   context.CancelFunc
	done   chan error
}

func start(src source, s *sensor) *running {
	ctx, stop := context.WithCancel(context.Background())
	r := &running{s, src, stop, make(chan error, 1)}
	go func() { r.done <- src.Run(ctx, s.take) }()
	return r
}

// end stops it, or waits for its death.
func (r *running) end(t testing.TB, want error) {
	t.Helper()
	if want == nil {
		r.stop()
	}
	select {
	case err := <-r.done:
		if !errors.Is(err, want) {
			t.Fatalf("it ended with %v, want %v", err, want)
		}
	case <-time.After(patience):
		t.Fatalf("it does not end: %+v", r.source.Counts())
	}
	r.stop()
}

// until waits for what must come.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	untilOr(t, what, ok, func() any { return nil })
}

// untilOr says how things are when it does not come.
func untilOr(t testing.TB, what string, ok func() bool, or func() any) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come: %s; %+v", what, or())
		}
	}
}

// patience is for machines that have much else to do.
const patience = 2 * time.Minute

// exactly waits until everything is counted, and says whether anything is counted that was not there.
func (n *node) exactly(t testing.TB, want map[string]int) {
	t.Helper()
	total := 0
	for _, c := range want {
		total += c
	}
	for deadline := time.Now().Add(patience); n.total() < total; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d are counted", n.total(), total)
		}
	}
	if got := n.sums(); !maps.Equal(got, want) {
		t.Fatalf("counted %v, want %v", got, want)
	}
}

// events are lines with some values, and how many there are of each.
func events(from, n int) (lines []string, sums map[string]int) {
	sums = map[string]int{}
	for i := from; i < from+n; i++ {
		v := "v" + strconv.Itoa(i*i%7)
		lines = append(lines, fmt.Sprintf("%s event %d", v, i))
		sums[v]++
	}
	return lines, sums
}

func add(sums, more map[string]int) map[string]int {
	sums = maps.Clone(sums)
	for v, c := range more {
		sums[v] += c
	}
	return sums
}

func TestMessagesBecomeLines(t *testing.T) {
	var got []string
	var c counter
	g := giver{count: c.count, take: func(b *input.Batch) error {
		for _, l := range b.Lines {
			got = append(got, string(l))
		}
		if b.Last {
			got = append(got, "/")
		}
		return nil
	}}
	g.open("s", "b")
	for _, m := range []string{"one", "two\r\nthree\n\n", "", "\n", "\xff", strings.Repeat("x", input.MaxLine+1) + "\nfour", strings.Repeat("y", input.MaxLine)} {
		if err := g.message([]byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(g.flush(), g.flush(), g.end(nil)); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(got, " "); text != "one two three \xff four "+strings.Repeat("y", input.MaxLine)+" /" {
		t.Errorf("%.100q", text)
	}
	if k := c.Counts(); k.Messages != 7 || k.Lines != 6 || k.Long != 1 || k.Binary != 1 || k.Last.IsZero() {
		t.Errorf("%+v", k)
	}
}
