package input

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// reading is one run of a source, whose lines are gathered.
type reading struct {
	t     *testing.T
	mu    sync.Mutex
	lines []string
	stop  context.CancelFunc
	done  chan error
	c     Counts
	marks *Checkpoints
	fail  int // after so many batches
}

func read(t *testing.T, checkpoints string, follow bool, fail int, patterns ...string) *reading {
	t.Helper()
	r := &reading{t: t, done: make(chan error, 1), fail: fail}
	var err error
	if checkpoints != "" {
		if r.marks, err = OpenCheckpoints(checkpoints); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	s := &Files{Patterns: patterns, Follow: follow, Poll: time.Millisecond, Marks: r.marks, Counts: func(f func(*Counts)) { r.mu.Lock(); f(&r.c); r.mu.Unlock() }}
	go func() {
		r.done <- s.Run(ctx, func(b *Batch) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.fail--; r.fail == 0 {
				return errFull
			}
			for _, l := range b.Lines {
				r.lines = append(r.lines, string(l))
			}
			if b.Done != nil {
				return b.Done()
			}
			return nil
		})
	}()
	return r
}

var errFull = errors.New("the spool is full")

// wait waits for so many lines, or the end of one that does not follow.
func (r *reading) wait(n int) []string {
	r.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		got := slices.Clone(r.lines)
		r.mu.Unlock()
		if len(got) >= n {
			return got
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d lines, want %d", len(got), n)
		}
	}
}

func (r *reading) end() []string {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Fatal(err)
	}
	return r.lines
}

func add(t *testing.T, path string, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFilesToTheirEnds(t *testing.T) {
	dir := t.TempDir()
	add(t, dir+"/a.log", "one\r\ntwo\n\nthree")
	add(t, dir+"/b.log", strings.Repeat("x", MaxLine+1)+"\nfour\n"+strings.Repeat("y", 3*MaxLine)+"\nfive\n"+strings.Repeat("z", MaxLine)+"\n")
	add(t, dir+"/c.txt", "not asked for\n")
	if err := os.Mkdir(dir+"/d.log", 0o700); err != nil {
		t.Fatal(err)
	}
	r := read(t, "", false, 0, dir+"/*.log", dir+"/a.log")
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.lines, " "); got != "one two three four five "+strings.Repeat("z", MaxLine) {
		t.Errorf("%.200s", got)
	}
	if r.c.Long != 2 || r.c.Partial != 1 || r.c.Lines != 6 {
		t.Errorf("%+v", r.c)
	}
	if r := read(t, "", false, 0, dir+"/none*"); <-r.done == nil {
		t.Error("no file matches")
	}
	if r := read(t, "", false, 0, "["); <-r.done == nil {
		t.Error("no pattern")
	}
	if got := read(t, "", false, 0, dir).wait(7); len(got) != 7 {
		t.Error("a directory stands for its files")
	}
}

// Rotation by renaming, with the writer going on for a while, and by copying and cutting off.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	log := dir + "/eve.json"
	add(t, log, "1\n")
	x := step(t, log) // what was renamed is left after some looks
	x.looks(3)
	old, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	if _, err := old.WriteString("2\n"); err != nil {
		t.Fatal(err)
	}
	x.looks(3).has("1", "2")
	add(t, log, "3\n")
	if _, err := old.WriteString("4\n"); err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	x.looks(3)
	if err := os.Truncate(log, 0); err != nil {
		t.Fatal(err)
	}
	x.looks(1) // it is seen to be short
	add(t, log, "5\n")
	x.looks(3)
	slices.Sort(x.lines)
	x.has("1", "2", "3", "4", "5")
}

func TestCheckpoints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "marks")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCheckpoints(path); err == nil {
		t.Error("half a file")
	}
}

// What waits is told while a file is read, and nothing waits when it was.
func TestLag(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	text := strings.Repeat("a line of sixteen bytes and more\n", 40_000)
	add(t, path, text)
	ctx, stop := context.WithCancel(t.Context())
	given, free := make(chan int64), make(chan struct{})
	s := &Files{Patterns: []string{path}, Follow: true, Poll: time.Millisecond}
	var once sync.Once
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, func(*Batch) error {
			once.Do(func() { given <- s.Lag(); <-free })
			return nil
		})
	}()
	if lag := <-given; lag != int64(len(text)-readSize) {
		t.Errorf("%d bytes wait, of %d", lag, len(text))
	}
	close(free)
	for deadline := time.Now().Add(3 * time.Minute); s.Lag() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes wait still", s.Lag())
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What was written before is read before: after a time without a reader, the rotated file comes before the one in its place.
func TestOlderFilesComeFirst(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "eve.json")
	for i, name := range []string{".2", ".1", ""} {
		add(t, path+name, strings.Repeat(string(rune('a'+i))+"\n", 3))
		when := time.Now().Add(time.Duration(i-5) * time.Minute)
		if err := os.Chtimes(path+name, when, when); err != nil {
			t.Fatal(err)
		}
	}
	r := read(t, "", true, 0, path+"*")
	if got := strings.Join(r.wait(9), ""); got != "aaabbbccc" {
		t.Error(got)
	}
	r.end()
}
