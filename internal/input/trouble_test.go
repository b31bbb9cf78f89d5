package input

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// following is a source that follows files, whose lines are gathered by blocks as a sensor does.
type following struct {
	*reading
	s *Files
}

func follow(t *testing.T, checkpoints string, patterns ...string) *following {
	t.Helper()
	f := &following{reading: &reading{t: t, done: make(chan error, 1)}}
	if checkpoints != "" {
		var err error
		if f.marks, err = OpenCheckpoints(checkpoints); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	t.Cleanup(stop)
	f.s = &Files{Patterns: patterns, Follow: true, Poll: time.Millisecond, Marks: f.marks, Counts: func(change func(*Counts)) { f.mu.Lock(); change(&f.c); f.mu.Unlock() }}
	go func() { f.done <- f.s.Run(ctx, f.take) }()
	return f
}

func (r *reading) take(b *Batch) error {
	r.mu.Lock()
	for _, l := range b.Lines {
		r.lines = append(r.lines, string(l))
	}
	r.mu.Unlock()
	if b.Done != nil {
		return b.Done()
	}
	return nil
}

func (r *reading) counts() Counts { r.mu.Lock(); defer r.mu.Unlock(); return r.c }

// failing waits until the status says something, or nothing any more.
func (f *following) failing(what string) {
	f.t.Helper()
	until(f.t, fmt.Sprintf("%q fails, not %q", what, f.s.Failing()), func() bool {
		is := f.s.Failing()
		return (what == "") == (is == "") && strings.Contains(is, what)
	})
}

// has holds that just these lines came, in any order, and once.
func (f *following) has(want ...string) {
	f.t.Helper()
	f.wait(len(want))
	got := f.end()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		f.t.Errorf("%.300q, want %.300q", got, want)
	}
}

func make1(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What stands in a file is no line in every case: what is none is left out, and the lines around it come.
func TestWhatLinesMayBe(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		want  []string
		count Counts // but for lines and bytes
	}{
		"ends of lines":      {"one\r\ntwo\n\r\n\nthree\rfour\n", []string{"one", "two", "three\rfour"}, Counts{}},
		"invalid UTF-8":      {"a\xff\xfeb\n\xc3\n", []string{"a\xff\xfeb", "\xc3"}, Counts{}},
		"byte order mark":    {"\ufeffone\n\ufefftwo\n", []string{"one", "\ufefftwo"}, Counts{}},
		"NUL in a line":      {"a\x00b\n", []string{"a\x00b"}, Counts{}},
		"hole":               {strings.Repeat("\x00", 3<<20) + "one\ntwo\n", []string{"one", "two"}, Counts{}},
		"hole in between":    {"one\n" + strings.Repeat("\x00", 3<<20) + "two\n", []string{"one", "two"}, Counts{}},
		"nothing but a hole": {strings.Repeat("\x00", 3<<20) + "\nx\n", []string{"x"}, Counts{}},
		"100 MB":             {"one\n" + strings.Repeat("x", 100_000_000) + "\ntwo\n", []string{"one", "two"}, Counts{Long: 1}},
		"100 MB at the end":  {"one\n" + strings.Repeat("x", 100_000_000), []string{"one"}, Counts{Long: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			add(t, dir+"/log", c.text)
			f := follow(t, dir+"/marks", dir+"/log")
			f.wait(len(c.want))
			until(t, "all is read", func() bool { return f.s.Lag() == 0 })
			if cap(f.s.buf) > 2*MaxLine {
				t.Errorf("%d bytes are held", cap(f.s.buf))
			}
			f.has(c.want...)
			got := f.counts()
			if got.Lines, got.Bytes = 0, 0; got != c.count {
				t.Errorf("%+v", got)
			}
		})
	}
}

// What cannot be followed stands beside what can, and is told as long as it does.
func TestWhatStandsBesideFiles(t *testing.T) {
	for name, c := range map[string]struct {
		make  func(path string) error
		tells string
	}{
		"directory": {func(p string) error { return os.Mkdir(p, 0o700) }, ""},
		"pipe":      {func(p string) error { return syscall.Mkfifo(p, 0o600) }, "it is a pipe"},
		"loop":      {func(p string) error { return os.Symlink(p, p) }, "too many"},
		"loop of directories": {func(p string) error {
			return errors.Join(os.Mkdir(p, 0o700), os.Symlink(p, p+"/x"))
		}, ""},
		"link to nothing": {func(p string) error { return os.Symlink(p+"nothing", p) }, ""},
		"damaged gzip":    {func(p string) error { return os.WriteFile(p, []byte("\x1f\x8bno gzip"), 0o600) }, "unpacking"},
		"empty file":      {func(p string) error { return os.WriteFile(p, nil, 0o600) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := dir + "/b.log"
			add(t, dir+"/a.log", "one\n")
			add(t, dir+"/c.log", "two\n")
			make1(t, c.make(path))
			f := follow(t, "", dir+"/*.log")
			f.wait(2)
			if c.tells != "" {
				f.failing(c.tells)
				if f.counts().Errors == 0 {
					t.Error("it is not counted")
				}
			}
			make1(t, os.RemoveAll(path))
			f.failing("")
			add(t, path, "three\n")
			f.has("one", "two", "three")
		})
	}
}

// A link to a file is the file, and two are not two.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	add(t, dir+"/a.log", "one\n")
	make1(t, os.Symlink(dir+"/a.log", dir+"/b.log"))
	make1(t, os.Link(dir+"/a.log", dir+"/c.log"))
	f := follow(t, dir+"/marks", dir+"/*.log")
	f.wait(1)
	add(t, dir+"/b.log", "two\n")
	f.has("one", "two")
}

// A directory that is taken away is told, and read anew when it is there again.
func TestDirectoryThatGoesAndComes(t *testing.T) {
	dir := t.TempDir() + "/logs"
	marks := t.TempDir() + "/marks"
	f := follow(t, marks, dir)
	f.failing("no such file")
	var want []string
	for i := range 3 {
		make1(t, os.Mkdir(dir, 0o700))
		want = append(want, fmt.Sprint("line ", i))
		add(t, dir+"/a.log", want[i]+"\n")
		f.wait(i + 1)
		f.failing("")
		make1(t, os.RemoveAll(dir))
		f.failing("no such file")
	}
	f.has(want...)
}

// A file that is cut off before all of it was read: what was cut off is counted, and what comes then is read.
func TestCutOffWhileRead(t *testing.T) {
	path := t.TempDir() + "/log"
	add(t, path, strings.Repeat("a line of thirty-two characters\n", 100_000))
	held, free := make(chan struct{}), make(chan struct{})
	var n atomic.Int64
	var c Counts
	change := counter(&c)
	ctx, stop := context.WithCancel(t.Context())
	s := &Files{Patterns: []string{path}, Follow: true, Poll: time.Millisecond, Counts: change}
	var last string
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, func(b *Batch) error {
			if n.Add(int64(len(b.Lines))) == int64(len(b.Lines)) {
				close(held)
				<-free
			}
			for _, l := range b.Lines {
				if last = string(l); last == "new" {
					stop()
				}
			}
			return nil
		})
	}()
	<-held
	make1(t, os.Truncate(path, 0))
	close(free)
	until(t, "the cut is counted", func() bool {
		lost := uint64(0)
		change(func(c *Counts) { lost = c.Lost })
		return lost == 1
	})
	add(t, path, "new\n")
	if err := <-done; err != nil || last != "new" || n.Load() >= 100_000 {
		t.Error(err, last, n.Load())
	}
}

// A disk without room: nothing is given that could not be named, the source fails, and begins where it was when there is room.
func TestDiskFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	dir := t.TempDir()
	marks := t.TempDir() + "/marks"
	full := func() { make1(t, os.Symlink("/dev/full", marks+".new")) }
	add(t, dir+"/a.log", "one\n")
	full()
	f := follow(t, marks, dir)
	if err := <-f.done; !errors.Is(err, syscall.ENOSPC) || len(f.lines) != 0 {
		t.Fatal(err, f.lines)
	}
	f = follow(t, marks, dir) // what failed left no link
	f.wait(1)
	long := strings.Repeat("x", 1<<19)
	full()
	for range 4 {
		add(t, dir+"/a.log", long+"\n")
	}
	if err := <-f.done; !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	f = follow(t, marks, dir)
	f.has("one", long, long, long, long) // the block is read again, and has the same name
}

// As somebody who may not do everything.
func asNobody(t *testing.T) (child bool) {
	t.Helper()
	if os.Geteuid() != 0 {
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "TMPDIR=/tmp")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	var no *exec.ExitError
	switch {
	case errors.As(err, &no):
		t.Fatalf("%.2000s", out)
	case err != nil:
		t.Skip("whoever runs this may read everything, and nobody else can run it: ", err)
	}
	return false
}

// A file that may not be read any more is told; when it may be again, it is read on.
func TestPermissionLostAndRegained(t *testing.T) {
	if !asNobody(t) {
		return
	}
	dir := t.TempDir()
	marks := t.TempDir() + "/marks"
	logs := dir + "/logs"
	make1(t, os.Mkdir(logs, 0o700))
	add(t, logs+"/a.log", "one\n")
	f := follow(t, marks, logs+"/*.log")
	f.wait(1)
	make1(t, os.Chmod(logs+"/a.log", 0)) // it is open
	add(t, logs+"/b.log", "two\n")
	f.wait(2)
	f.end()

	make1(t, os.Chmod(logs+"/b.log", 0))
	f = follow(t, marks, logs+"/*.log")
	f.failing("2 files cannot be read")
	make1(t, os.Chmod(logs+"/a.log", 0o600))
	f.wait(1) // its block was not done with
	f.failing("b.log: permission denied")
	make1(t, os.Chmod(logs+"/b.log", 0o600))
	f.wait(2)
	f.failing("")

	make1(t, os.Chmod(logs, 0))
	f.failing("permission denied")
	make1(t, os.Chmod(logs, 0o700))
	f.failing("")
	add(t, logs+"/a.log", "three\n")
	f.has("one", "two", "three")
	if f.counts().Lost != 0 {
		t.Errorf("%+v", f.c)
	}
}

// Very many small files: all are read, few are open at once, and what grows is read on.
func TestManySmallFiles(t *testing.T) {
	many := maxHandles + 1000
	if n, err := strconv.Atoi(os.Getenv("ENTENTE_FILES")); err == nil {
		many = n
	}
	dir, marks := t.TempDir(), t.TempDir()+"/marks"
	for i := range many {
		make1(t, os.WriteFile(fmt.Sprintf("%s/event-%06d.json", dir, i), fmt.Appendf(nil, "{\"n\":%d}\n", i), 0o600))
	}
	f := follow(t, marks, dir)
	f.wait(many)
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil && len(fds) > maxHandles+100 {
		t.Errorf("%d files are open", len(fds))
	}
	for _, i := range []int{0, many / 2, many - 1} {
		add(t, fmt.Sprintf("%s/event-%06d.json", dir, i), "{\"more\":1}\n")
	}
	got := f.wait(many + 3)
	f.end()
	slices.Sort(got)
	if got = slices.Compact(got); len(got) != many+1 {
		t.Errorf("%d lines", len(got))
	}
}
