package spool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"entente/internal/fault"
)

func open(t interface {
	Helper()
	Fatal(...any)
}, cfg Config) *Spool {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func texts(t interface{ Fatal(...any) }, s *Spool, most int) (got []string) {
	records, err := s.Next(most)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		if i > 0 && r.Seq <= records[i-1].Seq {
			t.Fatal("numbers do not count up", r.Seq, records[i-1].Seq)
		}
		got = append(got, string(r.Data))
	}
	return got
}

func group(lines ...string) (b [][]byte) {
	for _, l := range lines {
		b = append(b, []byte(l))
	}
	return b
}

func TestRecordsComeInOrderUntilTheyAreAcknowledged(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	if _, err := Open(Config{Dir: dir}); fault.Of(err) != fault.Conflict {
		t.Error("opened twice:", err)
	}
	if err := s.Append(group("one", "", "three")); err != nil {
		t.Fatal(err)
	}
	<-s.Wake()
	if got := texts(t, s, 2); !slices.Equal(got, []string{"one", ""}) {
		t.Error(got)
	}
	records, err := s.Next(2)
	if err != nil || records[0].Seq != 1 {
		t.Error(records, err)
	}
	if err := s.Ack(records[1].Seq); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, s, 100); !slices.Equal(got, []string{"three"}) {
		t.Error(got)
	}
	if st := s.Stats(); st.Records != 1 || st.Next != 4 {
		t.Errorf("%+v", st)
	}
	if err := s.Ack(3); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Records != 0 || st.Bytes != 0 {
		t.Errorf("what is acknowledged is removed: %+v", st)
	}
	if err := s.Append(group("four")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(group("x")); fault.Of(err) != fault.Unavailable {
		t.Error(err)
	}
	if _, err := s.Next(1); fault.Of(err) != fault.Unavailable {
		t.Error(err)
	}
	s = open(t, Config{Dir: dir})
	<-s.Wake()
	if got := texts(t, s, 100); !slices.Equal(got, []string{"four"}) {
		t.Error(got)
	}
}

func TestAFullSpoolKeepsWhatItHas(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir(), MaxBytes: MinBytes})
	kept := 0
	var err error
	for ; err == nil; kept++ {
		err = s.Append(group(strings.Repeat("x", 1000)))
	}
	kept--
	if fault.Of(err) != fault.Full || s.Stats().Refused != 1 || s.Stats().Bytes > MinBytes || kept < 50 {
		t.Fatalf("%v %+v", err, s.Stats())
	}
	if got := texts(t, s, 1000); len(got) != kept {
		t.Fatal(len(got), kept)
	}
	if err := s.Ack(uint64(kept / 2)); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(group(strings.Repeat("x", 1000))); err != nil {
		t.Fatal("there is room again:", err)
	}
	if got := texts(t, s, 1000); len(got) != kept-kept/2+1 {
		t.Fatal(len(got))
	}
	if err := s.Append(group(strings.Repeat("x", MaxRecord+1))); fault.Of(err) != fault.TooLarge {
		t.Error(err)
	}
	if err := s.Append(group(strings.Repeat("x", MinBytes))); fault.Of(err) != fault.TooLarge {
		t.Error(err)
	}
	if _, err := Open(Config{Dir: t.TempDir(), MaxBytes: 1}); fault.Of(err) != fault.Invalid {
		t.Error(err)
	}
}

// Whatever is done, what comes is what was appended and not acknowledged; after a restart also some that had been acknowledged, from the same segment.
func TestASpoolIsAQueue(t *testing.T) {
	base := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(base, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		cfg := Config{Dir: dir, MaxBytes: 2 * MinBytes}
		s := open(t, cfg)
		defer func() { s.Close() }()
		model := map[uint64][]byte{} // all that were kept
		acked := uint64(0)
		n := 0
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				var g [][]byte
				for range rapid.IntRange(0, 5).Draw(t, "records") {
					n++
					g = append(g, bytes.Repeat([]byte(strconv.Itoa(n)), rapid.IntRange(0, 2000).Draw(t, "times")))
				}
				next := s.Stats().Next
				switch err := s.Append(g); fault.Of(err) {
				case fault.Full:
				default:
					if err != nil {
						t.Fatal(err)
					}
					for i, r := range g {
						model[next+uint64(i)] = r
					}
				}
			},
			"take": func(t *rapid.T) {
				records, err := s.Next(rapid.IntRange(1, 20).Draw(t, "most"))
				if err != nil {
					t.Fatal(err)
				}
				for i, r := range records {
					if r.Seq != acked+1+uint64(i) || !bytes.Equal(r.Data, model[r.Seq]) {
						t.Fatalf("record %d is %d, want %d", i, r.Seq, acked+1+uint64(i))
					}
				}
				if len(records) == 0 && model[acked+1] != nil {
					t.Fatal("nothing comes, and something is there")
				}
				if k := rapid.IntRange(0, len(records)).Draw(t, "acknowledged"); k > 0 {
					acked = records[k-1].Seq
					if err := s.Ack(acked); err != nil {
						t.Fatal(err)
					}
				}
			},
			"again": func(t *rapid.T) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s = open(t, cfg); s.Stats().Damaged > 0 {
					t.Fatal("it is not damaged")
				}
				switch records, err := s.Next(1); {
				case err != nil:
					t.Fatal(err)
				case len(records) > 0 && records[0].Seq <= acked+1: // some of the same segment come again
					acked = records[0].Seq - 1
				case len(records) > 0 || model[acked+1] != nil:
					t.Fatal("what was not acknowledged is gone")
				default: // its numbers begin anew
					clear(model)
					acked = 0
				}
			},
			"": func(t *rapid.T) {
				onDisk := int64(0)
				names, _ := filepath.Glob(dir + "/*" + suffix)
				for _, name := range names {
					info, err := os.Stat(name)
					if err != nil {
						t.Fatal(err)
					}
					onDisk += info.Size()
				}
				if st := s.Stats(); st.Bytes != onDisk || onDisk > st.Max {
					t.Fatalf("%d bytes on disk, %+v", onDisk, st)
				}
			},
		})
	})
}

// filled is a directory with three segments of 5 records each, and the bytes of the last.
func filled(t *testing.T) (dir string, names []string) {
	dir = t.TempDir()
	s := open(t, Config{Dir: dir, MaxBytes: MinBytes})
	for i := range 3 {
		for j := range 5 {
			if err := s.Append(group(fmt.Sprintf("record %d%d", i, j))); err != nil {
				t.Fatal(err)
			}
		}
		s.mu.Lock()
		if err := s.end(i); err != nil {
			t.Fatal(err)
		}
		s.mu.Unlock()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(dir + "/*" + suffix)
	if err != nil || len(names) != 3 {
		t.Fatal(names, err)
	}
	return dir, names
}

// A file that is cut off anywhere, or in which one byte is another, loses what stands from there to its end, and nothing else.
func TestDamageEndsItsSegmentOnly(t *testing.T) {
	dir, names := filled(t)
	frame := frameBytes + len("record 00")
	for i, name := range names {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := range len(whole) {
			for _, how := range []string{"cut", "flip"} {
				b := slices.Clone(whole)
				if how == "cut" {
					b = b[:at]
				} else {
					b[at] ^= 0x10
				}
				if err := os.WriteFile(name, b, 0o600); err != nil {
					t.Fatal(err)
				}
				left := max(0, at-headerBytes) / frame
				if at < headerBytes {
					left = 0
				}
				var want []string
				for k := range 3 {
					for j := range 5 {
						if k != i || j < left {
							want = append(want, fmt.Sprintf("record %d%d", k, j))
						}
					}
				}
				s, err := Open(Config{Dir: dir, MaxBytes: MinBytes})
				if err != nil {
					t.Fatal(how, at, err)
				}
				if got := texts(t, s, 100); !slices.Equal(got, want) {
					t.Fatalf("%s at %d of segment %d: %q", how, at, i, got)
				}
				clean := how == "cut" && (at == 0 || at >= headerBytes && (at-headerBytes)%frame == 0)
				if st := s.Stats(); (st.Damaged == 0) != clean || st.Records != int64(len(want)) {
					t.Fatalf("%s at %d of segment %d: %+v", how, at, i, st)
				}
				if err := s.Append(group("after")); err != nil {
					t.Fatal(err)
				}
				if got := texts(t, s, 100); !slices.Equal(got, append(want, "after")) {
					t.Fatalf("%s at %d of segment %d, after: %q", how, at, i, got)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				after, _ := filepath.Glob(dir + "/*" + suffix)
				for _, a := range after {
					if !slices.Contains(names, a) {
						if err := os.Remove(a); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// What goes bad while it is open is left out and counted too, and what was acknowledged of it is not missed.
func TestDamageWhileItIsOpen(t *testing.T) {
	for _, first := range []string{"acknowledged", "damaged"} {
		for acked := range 6 {
			dir, names := filled(t)
			s := open(t, Config{Dir: dir, MaxBytes: MinBytes})
			ack := func() {
				if err := s.Ack(uint64(acked)); err != nil {
					t.Fatal(err)
				}
			}
			if first == "acknowledged" {
				ack()
			}
			if b, err := os.ReadFile(names[0]); err == nil {
				b[headerBytes+3*(frameBytes+9)+frameBytes] ^= 1 // of the fourth
				if err := os.WriteFile(names[0], b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if first == "damaged" {
				ack()
			}
			want, met := 10+max(0, 3-acked), acked < 5 // whether it is met at all
			if first == "acknowledged" && acked == 4 {
				want, met = 11, false
			}
			if got := texts(t, s, 100); len(got) != want {
				t.Errorf("%s first, %d acknowledged: %q", first, acked, got)
			}
			if st := s.Stats(); st.Records != int64(want) || (st.Damaged == 1) != met {
				t.Errorf("%s first, %d acknowledged: %+v", first, acked, st)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAForeignFileIsNotTouched(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/mine"+suffix, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); fault.Of(err) != fault.Unprocessable {
		t.Error(err)
	}
}

// failing is a file whose disk becomes full after so many bytes, or that cannot be made durable.
type failing struct {
	file
	room *int
	sync error
}

func (f *failing) Write(b []byte) (int, error) {
	if len(b) > *f.room {
		n, _ := f.file.Write(b[:*f.room])
		*f.room = 0
		return n, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	*f.room -= len(b)
	return f.file.Write(b)
}

func (f *failing) Sync() error { return errors.Join(f.sync, f.file.Sync()) }

// However far the disk lets a group be written: it is refused as a whole, what was kept stays, and when there is room again it goes on.
func TestADiskWithoutRoom(t *testing.T) {
	for room := range 200 {
		dir := t.TempDir()
		left := room
		var broken error
		cfg := Config{Dir: dir, create: func(path string) (file, error) {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
			return &failing{f, &left, broken}, err
		}}
		s := open(t, cfg)
		var want []string
		for i := range 10 {
			err := s.Append(group(fmt.Sprint("a", i), fmt.Sprint("b", i)))
			if err == nil {
				want = append(want, fmt.Sprint("a", i), fmt.Sprint("b", i))
			} else if fault.Of(err) != fault.Full {
				t.Fatal(err)
			}
			if i == 7 {
				left = 1 << 20
			}
		}
		if got := texts(t, s, 100); !slices.Equal(got, want) || len(got) < 4 {
			t.Fatalf("room for %d bytes: %q, want %q", room, got, want)
		}
		broken = syscall.EIO
		s.mu.Lock()
		s.each = 0 // the next group begins another segment
		s.mu.Unlock()
		if err := s.Append(group("not durable")); fault.Of(err) != fault.Internal {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, Config{Dir: dir})
		if got := texts(t, s, 100); !slices.Equal(got, want) {
			t.Fatalf("room for %d bytes, read again: %q, want %q", room, got, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

const childDir = "ENTENTE_SPOOL_DIR"

// TestChild is the process that TestKill kills: it appends from several goroutines, says what was made durable, and acknowledges now and then.
func TestChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("for TestKill alone")
	}
	s := open(t, Config{Dir: dir, MaxBytes: 1 << 20})
	start, _ := strconv.Atoi(os.Getenv("ENTENTE_SPOOL_FROM"))
	var mu sync.Mutex
	say := func(what string, n int) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("%s %d\n", what, n)
	}
	for w := range 3 {
		go func() {
			for n := start + w; ; n += 3 {
				if err := s.Append(group(strconv.Itoa(n) + strings.Repeat(" ", n%3000))); err == nil {
					say("kept", n)
				}
			}
		}()
	}
	for {
		records, err := s.Next(20)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) < 20 {
			continue
		}
		for _, r := range records {
			n, err := strconv.Atoi(strings.TrimSpace(string(r.Data)))
			if err != nil {
				t.Fatal(err)
			}
			say("given", n)
		}
		if err := s.Ack(records[len(records)-1].Seq); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKill kills a process that appends and acknowledges: what it said was kept was given before, or is there.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[int]string{}
	for round := range 8 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
		cmd.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprint("ENTENTE_SPOOL_FROM=", round*1_000_000))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for said, until := 0, 50+r.IntN(300); lines.Scan(); {
			what, num, _ := strings.Cut(lines.Text(), " ")
			n, err := strconv.Atoi(num)
			if err != nil || what != "kept" && what != "given" {
				continue
			}
			if seen[n] != "given" {
				seen[n] = what
			}
			if said++; said == until {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("it ended by itself")
		}
	}
	s := open(t, Config{Dir: dir, MaxBytes: 1 << 20})
	for {
		records, err := s.Next(1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			break
		}
		for _, r := range records {
			n, err := strconv.Atoi(strings.TrimSpace(string(r.Data)))
			if err != nil {
				t.Fatal(err)
			}
			seen[n] = "given"
		}
		if err := s.Ack(records[len(records)-1].Seq); err != nil {
			t.Fatal(err)
		}
	}
	for n, what := range seen {
		if what != "given" {
			t.Errorf("%d was kept and is gone", n)
		}
	}
	if len(seen) < 100 {
		t.Error("only", len(seen), "records")
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := open(b, Config{Dir: b.TempDir(), MaxBytes: 1 << 30})
			g := make([][]byte, n)
			for i := range g {
				g[i] = bytes.Repeat([]byte("x"), 400)
			}
			for b.Loop() {
				if err := s.Append(g); err != nil {
					b.Fatal(err)
				}
				if s.Stats().Records >= 10_000 {
					if err := s.Ack(s.Stats().Next - 1); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
