package input

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
