package input

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

// pack writes a file packed to another, in two parts.
func pack(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	half := packed.Len() / 2
	add(t, to, packed.String()[:half])
	add(t, to, packed.String()[half:])
}

// archive is a log as Zeek keeps it: current/conn.log, which goes to a directory of its day from time to time.
type archive struct {
	t     *testing.T
	r     *rand.Rand
	dir   string
	total int
	turn  int
}

func newArchive(t *testing.T, r *rand.Rand) *archive {
	a := &archive{t: t, r: r, dir: t.TempDir()}
	for _, d := range []string{"current", "2026-11-22"} {
		if err := os.Mkdir(filepath.Join(a.dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	add(t, a.log(), "")
	return a
}

func (a *archive) log() string { return a.dir + "/current/conn.log" }

func (a *archive) patterns() []string {
	return []string{a.dir + "/current/*.log", a.dir + "/20*/*.log*"}
}

// grow writes to the log: much, a little, or a line in two parts.
func (a *archive) grow() {
	lines, width := a.r.IntN(600), 4000
	if a.r.IntN(2) == 0 {
		lines, width = a.r.IntN(6), 60
	}
	var b strings.Builder
	for range lines {
		a.total++
		fmt.Fprintf(&b, "%d %s\n", a.total, strings.Repeat("x", a.r.IntN(width)))
	}
	text := b.String()
	cut := 0
	if len(text) > 0 {
		cut = a.r.IntN(len(text))
	}
	add(a.t, a.log(), text[:cut])
	add(a.t, a.log(), text[cut:])
}

// rotate moves the log to the archive in one of three ways, and begins a new one.
func (a *archive) rotate(way string) {
	a.turn++
	rotated := fmt.Sprintf("%s/current/conn.2026-11-22-%02d-00-00.log", a.dir, a.turn)
	kept := fmt.Sprintf("%s/2026-11-22/conn.%02d:00:00-%02d:00:00.log", a.dir, a.turn-1, a.turn)
	rename := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			a.t.Fatal(err)
		}
	}
	rename(a.log(), rotated)
	add(a.t, a.log(), "")
	switch way {
	case "renamed":
		rename(rotated, kept)
		return
	case "packed":
		pack(a.t, rotated, kept+".gz")
	case "copied":
		b, err := os.ReadFile(rotated)
		if err != nil {
			a.t.Fatal(err)
		}
		add(a.t, kept, string(b))
	}
	if err := os.Remove(rotated); err != nil {
		a.t.Fatal(err)
	}
}

var ways = []string{"renamed", "packed", "copied"}

// A log that goes to an archive while nobody reads, before it was read to its end: every line counts, and once.
func TestArchivesWhileStopped(t *testing.T) {
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 12))
		a := newArchive(t, r)
		marks := t.TempDir() + "/marks"
		k := &taker{t: t, blocks: map[string][]string{}, lines: map[string]bool{}, r: r}
		all := func() bool { return len(k.lines) >= a.total }
		way := ways[seed%3]
		for range 10 {
			a.grow()
			if r.IntN(2) == 0 {
				a.rotate(way)
				a.grow()
			}
			if r.IntN(4) > 0 {
				k.run(marks, 1+r.IntN(12), all, a.patterns()...)
			}
		}
		a.grow()
		k.run(marks, -1, all, a.patterns()...)
		k.once(a.total, fmt.Sprintf("seed %d, %s", seed, way))
	}
}

// The same while it is read, by a reader that is cut off again and again.
func TestArchivesWhileRead(t *testing.T) {
	for seed, way := range []string{"renamed", "packed"} {
		r := rand.New(rand.NewPCG(uint64(seed), 13))
		a := newArchive(t, rand.New(rand.NewPCG(uint64(seed), 14)))
		marks := t.TempDir() + "/marks"
		k := &taker{t: t, blocks: map[string][]string{}, lines: map[string]bool{}, r: r}
		written := make(chan struct{})
		go func() {
			defer close(written)
			for range 40 {
				a.grow()
				if a.r.IntN(3) == 0 {
					a.rotate(way)
				}
			}
		}()
		over := func() bool {
			select {
			case <-written:
				return len(k.lines) >= a.total
			default:
				return false
			}
		}
		for writing := true; writing; {
			k.run(marks, 1+r.IntN(12), func() bool {
				select {
				case <-written:
					writing = false
					return true
				default:
					return false
				}
			}, a.patterns()...)
		}
		k.run(marks, -1, over, a.patterns()...)
		k.once(a.total, way)
	}
}

// stepped is a source that looks when it is told to.
type stepped struct {
	*reading
	s *Files
}

func step(t *testing.T, patterns ...string) *stepped {
	t.Helper()
	marks, err := OpenCheckpoints(t.TempDir() + "/marks")
	if err != nil {
		t.Fatal(err)
	}
	x := &stepped{reading: &reading{t: t}}
	x.s = &Files{Patterns: patterns, Follow: true, Marks: marks, Counts: counter(&x.c)}
	make1(t, x.s.begin())
	t.Cleanup(func() { make1(t, x.s.end()) })
	return x
}

func (x *stepped) looks(n int) *stepped {
	x.t.Helper()
	for range n {
		found, err := x.s.look(x.take)
		if err == nil {
			_, err = x.s.round(x.t.Context(), found, x.take)
		}
		if err != nil {
			x.t.Fatal(err)
		}
	}
	return x
}

func (x *stepped) has(want ...string) {
	x.t.Helper()
	if !slices.Equal(x.lines, want) {
		x.t.Errorf("%.300q, want %.300q", x.lines, want)
	}
}

// A log that is copied or packed to an archive, and removed, while it is read, is read once.
func TestCopyWhileRead(t *testing.T) {
	for _, way := range []string{"copied", "packed"} {
		for _, size := range []int{10, 1000, 3000, 200_000} { // shorter and longer than what a file is known by
			t.Run(fmt.Sprint(way, " ", size), func(t *testing.T) {
				a := newArchive(t, rand.New(rand.NewPCG(1, 1)))
				x := step(t, a.patterns()...)
				one, two, three := "1 "+strings.Repeat("x", size), "2 "+strings.Repeat("y", size), "3"
				add(t, a.log(), one+"\n")
				x.looks(3).has(one)
				add(t, a.log(), two+"\n")
				b, err := os.ReadFile(a.log())
				make1(t, err)
				kept := a.dir + "/2026-11-22/conn.00:00:00-01:00:00.log"
				if way == "packed" {
					pack(t, a.log(), kept+".gz")
				} else {
					begun := min(len(b), 128<<10) // which is written at once
					add(t, kept, string(b[:begun]))
					x.looks(patience/2).has(one, two)
					add(t, kept, string(b[begun:]))
				}
				x.looks(patience/2).has(one, two)
				make1(t, os.Remove(a.log()))
				x.looks(3)
				add(t, a.log(), three+"\n")
				x.looks(3*patience).has(one, two, three)
				if len(x.s.named) != 2 || x.c.Lost+x.c.Errors+x.c.Partial != 0 {
					t.Errorf("%d files, %+v", len(x.s.named), x.c)
				}
			})
		}
	}
}

// The rest of a log that went where nobody looks is counted as lost, once; when it comes after all it is read on, and nothing is lost.
func TestLogThatIsNotFound(t *testing.T) {
	a := newArchive(t, rand.New(rand.NewPCG(1, 1)))
	marks := t.TempDir() + "/marks"
	add(t, a.log(), "one\n")
	f := follow(t, marks, a.patterns()...)
	f.has("one")
	add(t, a.log(), "two\n")
	away := t.TempDir() + "/conn.log"
	make1(t, os.Rename(a.log(), away))
	for i := range 2 {
		f = follow(t, marks, a.patterns()...)
		if f.end(); f.c.Lost != uint64(1-i) {
			t.Errorf("at start %d: %+v", i, f.c)
		}
	}
	f = follow(t, marks, a.patterns()...)
	pack(t, away, a.dir+"/2026-11-22/conn.00:00:00-01:00:00.log.gz")
	f.has("one", "two") // under the name of the block that was begun
	if c := f.counts(); c.Lost != 0 {
		t.Errorf("%+v", c)
	}
}

// What comes late while somebody runs who missed it is not lost.
func TestLogThatComesLate(t *testing.T) {
	a := newArchive(t, rand.New(rand.NewPCG(1, 1)))
	marks := t.TempDir() + "/marks"
	add(t, a.log(), "one\n")
	follow(t, marks, a.patterns()...).has("one")
	away := t.TempDir() + "/conn.log"
	make1(t, os.Rename(a.log(), away))
	f := follow(t, marks, a.patterns()...)
	until(t, "it is counted", func() bool { return f.counts().Lost == 1 })
	pack(t, away, a.dir+"/2026-11-22/conn.00:00:00-01:00:00.log.gz")
	f.has("one")
	if c := f.counts(); c.Lost != 0 {
		t.Errorf("%+v", c)
	}
}

// Files of the same name and the same text in other directories are files of their own, as long as both are there.
func TestTwins(t *testing.T) {
	dir := t.TempDir()
	head := "#fields\tts\tuid\n" + strings.Repeat("#comment\n", 300)
	for _, host := range []string{"a", "b", "c"} {
		make1(t, os.Mkdir(dir+"/"+host, 0o700))
		add(t, dir+"/"+host+"/conn.log", head)
	}
	x := step(t, dir+"/*/conn.log")
	lines := strings.Count(head, "\n")
	for _, same := range []string{"", "the same\n"} {
		for _, host := range []string{"a", "b", "c"} {
			add(t, dir+"/"+host+"/conn.log", same)
		}
		if x.looks(3 * patience); len(x.lines) != 3*lines {
			t.Errorf("%d lines, want %d", len(x.lines), 3*lines)
		}
		lines++
	}
}

// What names have in common.
func TestKin(t *testing.T) {
	for path, want := range map[string]string{
		"/logs/current/conn.log": "conn", "/logs/2026-11-22/conn.00:00:00-01:00:00.log.gz": "conn", "/logs/current/conn.2026-11-22-00-00-00.log": "conn",
		"/logs/current/conn-26-11-22_00.00.00.log": "conn", "conn-summary.00:00:00-01:00:00.log.gz": "conn-summary", "capture_loss.log": "capture_loss", "eve.json": "eve",
		"eve.json.1": "eve", "eve-2026-11-22.json": "eve", "messages-20261122": "messages", "log": "log", "log.3.gz": "log", "log1": "log", "1.log": "1.log", "/a/2026-11-22.log.gz": "2026-11-22.log",
		"-": "-", ".gz": "", "a.gz": "a", "": ".",
	} {
		if got := kin(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

// Whoever reads the rest of a log is told what its columns are, wherever the rest stands.
func TestTitles(t *testing.T) {
	titles := []string{"#separator \\x09", "#fields\tts\tuid"}
	for _, way := range []string{"", "renamed", "packed", "copied"} {
		a := newArchive(t, rand.New(rand.NewPCG(1, 1)))
		marks := t.TempDir() + "/marks"
		add(t, a.log(), strings.Join(titles, "\r\n")+"\r\n"+strings.Repeat("x\n", 1<<20)) // more than a block
		run := func(n int) (heads [][]byte) {
			c, err := OpenCheckpoints(marks)
			make1(t, err)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			s := &Files{Patterns: a.patterns(), Follow: true, Poll: time.Millisecond, Marks: c}
			make1(t, s.Run(ctx, func(b *Batch) error {
				if len(b.Lines) > 0 {
					heads = b.Head
				}
				if n -= len(b.Lines); n <= 0 {
					stop()
				}
				if b.Done != nil {
					return b.Done()
				}
				return nil
			}))
			return heads
		}
		run(2 + 1<<20)
		add(t, a.log(), "rest\n")
		if way != "" {
			a.rotate(way)
		}
		var got []string
		for _, line := range run(1) {
			got = append(got, string(line))
		}
		if !slices.Equal(got, titles) {
			t.Errorf("%q: %q", way, got)
		}
	}
}
