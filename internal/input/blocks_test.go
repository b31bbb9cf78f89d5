package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"entente/internal/shareddata"
)

// taker is who takes batches as a sensor does: what it was told of a block it holds until the block is read again, which then counts instead.
type taker struct {
	t      *testing.T
	blocks map[string][]string // durable: what is known of a block, the most there was
	now    map[string][]string // of this run
	closed map[string]bool     // in this run
	undone []func() error
	lines  map[string]bool // all that came and was not lost
	fresh  []string        // of these, what is not durable yet
	die    int             // at so many batches
	r      *rand.Rand
}

var errDead = errors.New("killed")

func (k *taker) take(b *Batch) error {
	if k.die--; k.die == 0 {
		return errDead
	}
	if (b.Done != nil) && !b.Last {
		k.t.Error("a checkpoint within a block")
	}
	if k.closed[b.Block] {
		k.now[b.Block] = nil
	}
	k.closed[b.Block] = b.Last
	for _, l := range b.Lines {
		k.now[b.Block] = append(k.now[b.Block], string(l))
		if !k.lines[string(l)] {
			k.lines[string(l)] = true
			k.fresh = append(k.fresh, string(l))
		}
	}
	if k.r.IntN(4) == 0 {
		k.flush()
	}
	if b.Done != nil {
		k.undone = append(k.undone, b.Done)
	}
	for len(k.undone) > 0 && k.r.IntN(3) > 0 {
		k.flush()
		if err := k.undone[0](); err != nil {
			return err
		}
		k.undone = k.undone[1:]
	}
	return nil
}

// flush makes durable what was told.
func (k *taker) flush() {
	for b, lines := range k.now {
		if len(lines) > len(k.blocks[b]) {
			k.blocks[b] = slices.Clone(lines)
		}
	}
	k.fresh = nil
}

// run reads until what is wanted came, or somebody dies.
func (k *taker) run(marks string, die int, enough func() bool, patterns ...string) {
	k.t.Helper()
	if enough() {
		return
	}
	c, err := OpenCheckpoints(marks)
	if err != nil {
		k.t.Fatal(err)
	}
	k.now, k.closed, k.undone, k.die = map[string][]string{}, map[string]bool{}, nil, die
	ctx, stop := context.WithTimeout(context.Background(), 3*time.Minute)
	defer stop()
	s := &Files{Patterns: patterns, Follow: true, Poll: 200 * time.Microsecond, Marks: c}
	err = s.Run(ctx, func(b *Batch) error {
		if err := k.take(b); err != nil {
			return err
		}
		if enough() {
			stop()
		}
		return nil
	})
	if errors.Is(err, errDead) {
		for _, l := range k.fresh {
			delete(k.lines, l)
		}
		k.fresh = nil
	} else if k.flush(); err != nil || !enough() {
		k.t.Fatal("not everything came", err)
	}
}

// count says how often each line is counted at the end.
func (k *taker) count() map[string]int {
	n := map[string]int{}
	for _, lines := range k.blocks {
		for _, l := range lines {
			n[l]++
		}
	}
	return n
}

// once holds that every line counts, and once.
func (k *taker) once(total int, what string) {
	k.t.Helper()
	n := k.count()
	if len(n) != total {
		k.t.Fatalf("%s: %d lines count, want %d", what, len(n), total)
	}
	for l, times := range n {
		if times != 1 {
			k.t.Fatalf("%s: the line %.20s counts %d times", what, l, times)
		}
	}
}

// However often the reading is cut off, and however files are rotated meanwhile, every line counts, and once.
func TestEveryLineCountsOnce(t *testing.T) {
	for seed := range uint64(16) {
		r := rand.New(rand.NewPCG(seed, 11))
		dir := t.TempDir()
		log, marks := dir+"/log", t.TempDir()+"/marks"
		k := &taker{t: t, blocks: map[string][]string{}, lines: map[string]bool{}, r: r}
		total, turn := 0, 0
		grow := func() {
			var b strings.Builder
			for range r.IntN(1200) {
				total++
				fmt.Fprintf(&b, "%d %s\n", total, strings.Repeat("x", r.IntN(4000)))
			}
			text := b.String()
			cut := 0
			if len(text) > 0 {
				cut = r.IntN(len(text))
			}
			add(t, log, text[:cut])
			add(t, log, text[cut:])
		}
		all := func() bool { return len(k.lines) >= total }
		kind := int(seed % 4)
		rotate := func() {
			turn++
			old := fmt.Sprintf("%s.%d", log, turn)
			switch kind {
			case 0:
				return
			case 1, 2:
				if err := os.Rename(log, old); err != nil {
					t.Fatal(err)
				}
				add(t, log, "")
			case 3: // copied, and cut off
				b, err := os.ReadFile(log)
				if err != nil {
					t.Fatal(err)
				}
				add(t, old, string(b))
				if err := os.Truncate(log, 0); err != nil {
					t.Fatal(err)
				}
			}
			if kind == 2 && turn > 1 { // the one before is packed
				old := fmt.Sprintf("%s.%d", log, turn-1)
				pack(t, old, old+".gz")
				if err := os.Remove(old); err != nil {
					t.Fatal(err)
				}
			}
		}
		add(t, log, "")
		for range 8 {
			grow()
			if r.IntN(2) == 0 && turn < 9 {
				rotate()
				grow()
			}
			if r.IntN(4) > 0 {
				k.run(marks, 1+r.IntN(12), all, log+"*")
			}
		}
		k.run(marks, -1, all, log+"*")
		k.once(total, fmt.Sprintf("seed %d (rotation %d)", seed, kind))
	}
}

// A block is the ID of a file and the MiB in which its lines begin, however they are read.
func TestBlocksOfAFile(t *testing.T) {
	dir := t.TempDir()
	where := map[string]int{}
	var text strings.Builder
	for i := range 3000 {
		line := fmt.Sprintf("%d %s", i, strings.Repeat("y", i%2500))
		where[line] = text.Len() >> 20
		if text.WriteString(line + "\n"); i == 1500 {
			text.WriteString(strings.Repeat("z", 3<<20) + "\n\n")
		}
	}
	add(t, dir+"/log", text.String())
	var last string
	ended := map[string]bool{}
	err := (&Files{Patterns: []string{dir + "/log"}}).Run(t.Context(), func(b *Batch) error {
		id, n, _ := strings.Cut(b.Block, "/")
		if last != "" && last != id {
			t.Error("another ID")
		}
		if last = id; ended[n] {
			t.Error("a block goes on after its end")
		}
		for _, l := range b.Lines {
			if fmt.Sprint(where[string(l)]) != n {
				t.Fatalf("line %.10s in block %s, want %d", l, n, where[string(l)])
			}
			delete(where, string(l))
		}
		ended[n] = b.Last
		return nil
	})
	if err != nil || len(where) > 0 {
		t.Error(err, len(where))
	}
	open := 0
	for _, e := range ended {
		if !e {
			open++
		}
	}
	if open != 1 {
		t.Errorf("%d blocks have no end, want the last alone: %v", open, ended)
	}
}

// A Windows event log, and a packed file, are read as what is in them, and once.
func TestFilesOfOtherForms(t *testing.T) {
	dir := t.TempDir()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte("one\ntwo\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	add(t, dir+"/a.gz", packed.String())
	add(t, dir+"/b.binetflow", "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport\n2019/04/04 16:24:47.672448,63.8,tcp,10.8.0.69,56101,   ->,14.1.11.113,999\nno flow\n")
	want := 3
	if path, ok := shareddata.Find("forensics", "evtx", "omer__sysmon.evtx"); ok {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		add(t, dir+"/c.evtx", string(b))
		want += 358
	}
	marks := t.TempDir() + "/marks"
	for again := range 2 {
		r := read(t, marks, again == 0, 0, dir+"/*")
		if again == 1 {
			if err := <-r.done; err != nil || len(r.lines) != 0 {
				t.Error(err, len(r.lines), "lines are read again")
			}
			return
		}
		got := r.wait(want)
		until(t, "a line that is no flow is counted", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.c.Unread == 1 })
		if r.end(); got[0] != "one" || !strings.Contains(got[2], `"id.resp_h":"14.1.11.113"`) || len(got) != want {
			t.Error(got[:3], len(got))
		}
	}
}

// A packed file that is cut off is told, and read on when the rest of it is there.
func TestPackedFileThatIsCutOff(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	r := rand.New(rand.NewPCG(1, 1))
	var text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&text, "%d %x\n", i, r.Uint64())
	}
	if _, err := z.Write([]byte(text.String())); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	name := t.TempDir() + "/log.gz"
	add(t, name, packed.String()[:packed.Len()/2])
	run := read(t, "", true, 0, name)
	until(t, "the cut is counted", func() bool { run.mu.Lock(); defer run.mu.Unlock(); return run.c.Errors > 0 })
	add(t, name, packed.String()[packed.Len()/2:])
	run.wait(20_000)
	if got := run.end(); strings.Join(got, "\n")+"\n" != text.String() {
		t.Errorf("%d lines", len(got))
	}
}
