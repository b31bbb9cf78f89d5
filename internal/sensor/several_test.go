package sensor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entente/internal/fault"
	"entente/internal/indicator"
	"entente/internal/input"
	"entente/internal/recall"
	"entente/internal/state"
	wire "entente/sensor"
)

// lookFor is what is looked for with rules alone.
func lookFor(t testing.TB, rules ...wire.Rule) *look {
	table, err := indicator.NewTable(nil, indicator.DefaultDecay())
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLook(compile(&keptRules{Rules: wire.Rules{Rules: rules}}, fit{}), table)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// lone makes sensors without a node and without inputs of their own.
type lone struct {
	memory *recall.Memory
	said   bytes.Buffer // what the sensors log
}

func newLone(t testing.TB) *lone {
	m, err := recall.Open(recall.Config{Dir: filepath.Join(t.TempDir(), "recall"), Hash: recall.NewHash([16]byte{1}), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return &lone{memory: m}
}

// sensor makes one that looks for something, and goes on with what is in a directory.
func (b *lone) sensor(t interface{ Fatal(...any) }, dir string, l *look) *Sensor {
	s := &Sensor{o: Options{Dir: dir, Now: time.Now, Log: slog.New(slog.NewTextHandler(&b.said, nil))}, workers: make(chan *worker, 1), gate: newGate(), live: map[*block]struct{}{}, errors: map[string]string{},
		telling: make(chan struct{}, 1), keeping: make(chan struct{}, 1), changed: make(chan struct{}, 1), ready: make(chan struct{}), memory: b.memory, id: &identity{}}
	s.o.Config.Limits.Reports = 1 << 30
	s.several.s = s
	s.id.who.Store(&Identity{Enrolled: wire.Enrolled{ID: "sensor--1"}})
	s.workers <- newWorker(s)
	var err error
	if s.mutes, err = openMutes(dir, s.o.Config.Limits, time.Now); err != nil {
		t.Fatal(err)
	}
	s.several.adopt(l)
	s.look.Store(l)
	return s
}

// tell makes durable what there is, and gives the names of what was found.
func (s *Sensor) names(t interface{ Fatal(...any) }, told map[string]bool) {
	found := s.loose.take()
	if err := s.several.sync(); err != nil {
		t.Fatal(err)
	}
	for _, r := range found {
		told[r.ID] = true
	}
	s.loose.told(len(found))
}

// A sensor that ends at whatever moment, with a journal that was not written whole, and is given again whatever was not marked as read and some of what was, tells what one tells that
// never ended.
func TestAnEndAnywhere(t *testing.T) {
	b, l := newLone(t), lookFor(t, severalRules()...)
	const size = 12 // lines of a block
	crashes, found := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		var lines [][]byte
		at := time.Now().Add(-time.Hour)
		for range rapid.IntRange(10, 150).Draw(rt, "lines") {
			at = at.Add(time.Duration(rapid.IntRange(1, 200).Draw(rt, "ms")) * time.Millisecond)
			late := time.Duration(rapid.SampledFrom([]int{0, 0, 0, 300}).Draw(rt, "late")) * time.Millisecond
			lines = append(lines, fmt.Appendf(nil, `{"ts":%q,"_path":"dns","query":"%s%d.r.example","id.orig_h":"10.0.0.%d"}`, at.Add(-late).UTC().Format(time.RFC3339Nano),
				rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "stream"), rapid.IntRange(1, 6).Draw(rt, "name"), rapid.IntRange(1, 2).Draw(rt, "host")))
		}
		take := func(s *Sensor, f *Feed, from, to int) {
			batch := &input.Batch{Source: "log", Block: fmt.Sprint(from / size), Last: to%size == 0, First: from%size == 0, Lines: lines[from:to]}
			if err := s.take(context.Background(), f, batch); err != nil {
				rt.Fatal(err)
			}
		}
		end := func(s *Sensor, told map[string]bool) {
			s.several.engine.Flush()
			s.names(rt, told)
			if err := s.several.journal.close(); err != nil {
				rt.Fatal(err)
			}
		}
		feed := func() *Feed { return &Feed{Opened: input.Opened{Name: "zeek", Format: "json"}} }
		dir := func() string {
			d, err := os.MkdirTemp(t.TempDir(), "")
			if err != nil {
				rt.Fatal(err)
			}
			return d
		}
		want, got := map[string]bool{}, map[string]bool{}
		whole, f := b.sensor(rt, dir(), l), feed()
		for at := 0; at < len(lines); at = min(at/size*size+size, len(lines)) {
			take(whole, f, at, min(at/size*size+size, len(lines)))
		}
		end(whole, want)

		place := dir()
		s, f, marked := b.sensor(rt, place, l), feed(), 0
		for at := 0; at < len(lines); {
			to := min(rapid.IntRange(at+1, at/size*size+size).Draw(rt, "batch"), len(lines))
			take(s, f, at, to)
			at = to
			switch rapid.SampledFrom([]string{"", "tell", "mark", "cut", "end"}).Draw(rt, "then") {
			case "tell":
				s.names(rt, got)
			case "mark":
				s.names(rt, got)
				if marked = at / size; marked > 0 {
					s.several.over([]*block{{name: fmt.Sprint(marked - 1)}})
				}
			case "cut":
				s.several.journal.stale = true
				s.names(rt, got)
			case "end":
				crashes++
				if rapid.Bool().Draw(rt, "half written") { // and not made durable
					if s.several.journal.f != nil {
						s.several.journal.write()
						if info, err := s.several.journal.f.Stat(); err == nil && info.Size() > 0 {
							s.several.journal.f.Truncate(info.Size() - 1)
						}
					}
				}
				s.several.journal.close()
				s, f = b.sensor(rt, place, l), feed()
				at = max(0, marked-rapid.IntRange(0, 2).Draw(rt, "marked before")) * size
			}
		}
		end(s, got)
		if !maps.Equal(got, want) {
			rt.Fatalf("%d told, %d by one that never ended", len(got), len(want))
		}
		found += len(want)
	})
	if crashes == 0 || found == 0 {
		t.Errorf("%d ends, %d found", crashes, found)
	}
}

// A sensor that stood still does not take for silent what it could not read meanwhile: what comes then is in its place.
func TestStandingStill(t *testing.T) {
	b := newLone(t)
	s := b.sensor(t, t.TempDir(), lookFor(t, severalRules()...))
	close(s.ready)
	clock := time.Now()
	s.o.Now = func() time.Time { return clock }
	f := &Feed{Opened: input.Opened{Name: "zeek", Format: "json"}}
	s.o.Feeds = []*Feed{f}
	told := map[string]bool{}
	pass := func(d time.Duration) { // as it looks from time to time
		for end := clock.Add(d); clock.Before(end); clock = clock.Add(tellEvery) {
			s.several.rest()
		}
		s.names(t, told)
	}
	began := clock.Add(-time.Hour)
	take := func(source string, after time.Duration, name string) {
		t.Helper()
		line := fmt.Appendf(nil, `{"ts":%q,"_path":"dns","query":"%s.r.example","id.orig_h":"10.0.0.1"}`, began.Add(after).UTC().Format(time.RFC3339Nano), name)
		if err := s.take(t.Context(), f, &input.Batch{Source: source, Block: source, Lines: [][]byte{line}}); err != nil {
			t.Fatal(err)
		}
	}
	take("one", 0, "x")
	take("other", 0, "x")
	pass(time.Second)
	take("one", 20*time.Second+500*time.Millisecond, "b2")
	clock = clock.Add(20 * time.Second) // in which it stood still
	pass(time.Second)
	take("other", 20*time.Second, "a1") // which was before
	pass(2 * restAfter)
	if len(told) != 1 {
		t.Errorf("%d found, where one event was after the other", len(told))
	}
	take("one", 40*time.Second+500*time.Millisecond, "b2")
	pass(2 * restAfter) // in which the other is silent
	take("other", 40*time.Second, "a1")
	if pass(2 * restAfter); len(told) != 1 {
		t.Errorf("%d found, where a source was not to be waited for", len(told))
	}
}

// Where nothing asks for several events nothing is written, and what is left of before goes.
func TestNothingToKeep(t *testing.T) {
	b, dir := newLone(t), t.TempDir()
	s := b.sensor(t, dir, lookFor(t, severalRules()...))
	s.names(t, map[string]bool{})
	if _, err := os.Stat(filepath.Join(dir, cutFile)); err != nil {
		t.Fatal(err)
	}
	s.several.adopt(lookFor(t, wire.Rule{Source: "indicator--one", Type: "stix", Pattern: "[domain-name:value = 'a.example']"}))
	f := &Feed{Opened: input.Opened{Name: "zeek", Format: "json"}}
	if err := s.take(t.Context(), f, &input.Batch{Source: "log", Block: "0", Lines: [][]byte{[]byte(query("a.example"))}}); err != nil {
		t.Fatal(err)
	}
	s.names(t, map[string]bool{})
	if list, err := os.ReadDir(dir); err != nil || len(list) > 0 || s.several.fed.lines("0") > 0 {
		t.Error(list, err)
	}
}

// What is damaged, or of something else, is left with a warning, and the sensor begins anew.
func TestDamagedCut(t *testing.T) {
	b, l := newLone(t), lookFor(t, severalRules()...)
	at := time.Now().Add(-time.Hour) // however long it takes, all is within a second
	dir := t.TempDir()
	s := b.sensor(t, dir, l)
	f := &Feed{Opened: input.Opened{Name: "zeek", Format: "json"}}
	give := func(block string, names ...int) {
		t.Helper()
		batch := &input.Batch{Source: "log", Block: block}
		for i, n := range names {
			when := at.Add(time.Duration(10*int(block[0]-'0')+i) * time.Millisecond)
			batch.Lines = append(batch.Lines, fmt.Appendf(nil, `{"ts":%q,"_path":"dns","query":"a%d.r.example","id.orig_h":"10.0.0.1"}`, when.UTC().Format(time.RFC3339Nano), n))
		}
		if err := s.take(t.Context(), f, batch); err != nil {
			t.Fatal(err)
		}
	}
	give("0", 1)
	s.names(t, map[string]bool{}) // a cut
	give("1", 3, 3)
	s.names(t, map[string]bool{}) // and its journal
	s.several.journal.close()
	cut, log := read1(t, filepath.Join(dir, cutFile)), read1(t, filepath.Join(dir, journalFile))
	sealed := func(b []byte) []byte {
		var w state.Writer
		for _, c := range b {
			w.Uint(uint64(c & 0x7f))
		}
		return w.Seal()
	}
	flip := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 0x10
		return b
	}
	for _, x := range []struct {
		name     string
		cut, log []byte
		warns    string
		covered  [2]uint64
	}{
		{"whole", cut, log, "", [2]uint64{1, 2}},
		{"cut changed", flip(cut, len(cut)/2), log, "begin anew", [2]uint64{}},
		{"cut off", cut[:len(cut)/2], log, "begin anew", [2]uint64{}},
		{"empty", nil, log, "begin anew", [2]uint64{}},
		{"of something else", sealed([]byte("something else")), log, "begin anew", [2]uint64{}},
		{"no journal", cut, nil, "", [2]uint64{1, 0}},
		{"journal of another cut", cut, flip(log, len(logVersion)+1), "", [2]uint64{1, 0}},
		{"journal changed", cut, flip(log, len(log)-1), "not written whole", [2]uint64{1, 0}},
		{"journal longer", cut, append(bytes.Clone(log), 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5), "not written whole", [2]uint64{1, 2}},
	} {
		t.Run(x.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, b := range map[string][]byte{cutFile: x.cut, journalFile: x.log} {
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			b.said.Reset()
			s = b.sensor(t, dir, l)
			f = &Feed{Opened: input.Opened{Name: "zeek", Format: "json"}}
			if said := b.said.String(); (said == "") != (x.warns == "") || !strings.Contains(said, x.warns) {
				t.Errorf("it says %q", said)
			}
			if got := [2]uint64{s.several.covered("0"), s.several.covered("1")}; got != x.covered {
				t.Errorf("%v lines are covered, expected %v", got, x.covered)
			}
			give("2", 2, 3)
			told := map[string]bool{}
			s.names(t, told)
			if want := x.covered[0] + x.covered[1]/2; uint64(len(told)) != want {
				t.Errorf("%d found, expected %d", len(told), want)
			}
			s.several.journal.close()
		})
	}
}

// Another cut is made when the journal has become too large, and a directory that cannot be written is told.
func TestCutsAreMade(t *testing.T) {
	b, dir := newLone(t), t.TempDir()
	s := b.sensor(t, dir, lookFor(t, severalRules()...))
	s.names(t, map[string]bool{})
	first := read1(t, filepath.Join(dir, cutFile))
	entry := func() {
		for range 9 { // larger together than a journal may be
			s.several.journal.begin(opOver).Text(strings.Repeat("x", minJournal/8))
			s.several.journal.end()
		}
		s.several.journal.next = time.Time{}
	}
	entry()
	s.names(t, map[string]bool{})
	if second := read1(t, filepath.Join(dir, cutFile)); bytes.Equal(first, second) || s.several.journal.size > 1000 {
		t.Errorf("no other cut was made: the journal has %d bytes", s.several.journal.size)
	}
	s.several.journal.begin(opOver).Text(strings.Repeat("x", maxEntry))
	if s.several.journal.end(); !s.several.journal.due() {
		t.Error("what has no place in the journal needs a cut")
	}
	s.o.Dir = filepath.Join(dir, "missing")
	if err := s.several.sync(); err == nil {
		t.Error("what cannot be kept is kept")
	}
}

// fed forgets blocks that are over, and keeps those that are not.
func TestFedIsBounded(t *testing.T) {
	var f fed
	f.take("open", 7)
	for i := range 3 * maxOver {
		f.take(fmt.Sprint(i), 1)
		f.done(fmt.Sprint(i))
	}
	f.prune(maxTaken)
	if len(f.order) != maxOver+1 || len(f.of) != maxOver+1 || f.lines("open") != 7 || f.lines("0") != 0 || f.lines(fmt.Sprint(3*maxOver-1)) != 1 {
		t.Errorf("%d blocks are known", len(f.order))
	}
	for i := range maxTaken + 10 {
		f.take(fmt.Sprint("o", i), 1)
	}
	if len(f.order) > maxTaken || len(f.of) != len(f.order) {
		t.Errorf("%d blocks are known", len(f.order))
	}
	if f.take("", 3); f.lines("") != 0 {
		t.Error("what has no name is known again")
	}
}

// story is what a cut and an entry of a journal may be: of a sensor that was given some lines.
func story(t testing.TB, b *lone, l *look) (cut, entry []byte) {
	s := b.sensor(t, t.TempDir(), l)
	batch := &input.Batch{Source: "log", Block: "0"}
	for i := range 40 {
		batch.Lines = append(batch.Lines, fmt.Appendf(nil, `{"ts":%d,"_path":"dns","query":"a%d.r.example","id.orig_h":"10.0.0.1"}`, 1_700_000_000+i, i%7))
	}
	s.several.journal.stale = false
	if err := s.take(t.Context(), &Feed{Opened: input.Opened{Name: "zeek", Format: "json"}}, batch); err != nil {
		t.Fatal(err)
	}
	entry = bytes.Clone(s.several.journal.buf[8:])
	w, err := s.several.save(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	return w.Bytes(), entry
}

// takes has a sensor take a cut and an entry that may say anything, and go on with an entry that is sound.
func (b *lone) takes(t testing.TB, dir string, l *look, cut, more, sound []byte) (err error) {
	sum := sha256.Sum256(cut)
	v := &b.sensor(t, dir, l).several
	if _, err = v.load(append(bytes.Clone(cut), sum[:]...)); err == nil {
		v.again(true)
		err = v.takeAgain(state.NewReader(more))
		v.again(false)
	}
	if err != nil && fault.As(err) == nil {
		t.Errorf("it is refused with %v", err)
	}
	for range 2 {
		if err := v.takeAgain(state.NewReader(sound)); err != nil {
			t.Error(err)
		}
	}
	if _, err := v.save(make([]byte, 16)); err != nil {
		t.Error(err)
	}
	return err
}

// A cut whose seal is right and that says what cannot be is refused or taken, and so is an entry.
func TestUnsoundCut(t *testing.T) {
	b, l, dir := newLone(t), lookFor(t, severalRules()...), t.TempDir()
	cut, entry := story(t, b, l)
	if err := b.takes(t, dir, l, cut, entry, entry); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range 400 {
		bad, more := bytes.Clone(cut), bytes.Clone(entry)
		if at, to := i*len(bad)/400, byte(0xff-i%3*0x7f); i%2 == 0 {
			bad[at] = to
		} else {
			more[at*len(more)/len(bad)] = to
		}
		if b.takes(t, dir, l, bad, more, entry) != nil {
			refused++
		}
	}
	if refused < 50 || refused == 400 {
		t.Errorf("%d of 400 are refused", refused)
	}
}

// Whatever stands in a cut and in an entry of its journal: it is taken or refused, and what takes it works.
func FuzzRestore(f *testing.F) {
	b, l, dir := newLone(f), lookFor(f, severalRules()...), f.TempDir()
	cut, entry := story(f, b, l)
	f.Add(cut, entry)
	f.Add(cut[:len(cut)/2], entry[:len(entry)/2])
	f.Fuzz(func(t *testing.T, cut, more []byte) { b.takes(t, dir, l, cut, more, entry) })
}
