package recall

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"entente/internal/fault"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func hash(kind uint8, value []byte) uint64 {
	h := fnv.New64a()
	h.Write([]byte{'k', kind})
	h.Write(value)
	return h.Sum64() * 0x9E3779B97F4A7C15
}

func open(t testing.TB, dir string, change ...func(*Config)) *Memory {
	t.Helper()
	c := Config{Dir: dir, Hash: hash, Now: func() time.Time { return noon }}
	for _, f := range change {
		f(&c)
	}
	m, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (s Seen) add1(at time.Time) Seen {
	at = at.Truncate(time.Second)
	if s.Count == 0 || at.Before(s.First) {
		s.First = at
	}
	if at.After(s.Last) {
		s.Last = at
	}
	s.Count++
	return s
}

// What is remembered is what was seen: across days, flushes, merges and new beginnings.
func TestWhatWasSeen(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir)
	r := rand.New(rand.NewPCG(1, 2))
	want := map[string]Seen{}
	for round := range 40 {
		for range 500 {
			v := fmt.Sprint("v", r.IntN(3000))
			at := noon.Add(-time.Duration(r.IntN(12*24)) * time.Hour).Add(time.Duration(r.IntN(3600e9)))
			m.See(1, []byte(v), at)
			want[v] = want[v].add1(at)
		}
		switch round % 4 {
		case 1:
			if err := m.Flush(); err != nil {
				t.Fatal(err)
			}
		case 3:
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			m = open(t, dir)
		}
	}
	for i := range 3100 {
		v := fmt.Sprint("v", i)
		got, err := m.Seen(1, []byte(v))
		if err != nil || got != want[v] {
			t.Fatalf("%s: %+v, want %+v %v", v, got, want[v], err)
		}
		if got, _ := m.Seen(2, []byte(v)); got.Count != 0 {
			t.Errorf("%s is of another kind", v)
		}
	}
	s := m.Stats()
	if s.Segments > 13*maxSegments || s.Stored == 0 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestNetworks(t *testing.T) {
	m := open(t, t.TempDir())
	defer m.Close()
	for _, a := range []string{"10.1.2.3", "10.1.2.3", "10.1.3.4", "::ffff:10.2.0.1", "2001:db8:1:2::5", "2001:db8:1:3::5", "255.255.255.255"} {
		m.SeeAddr(netip.MustParseAddr(a), noon)
	}
	for range 2 {
		for p, want := range map[string]uint64{"10.1.2.3/32": 2, "10.1.2.0/24": 2, "10.1.0.0/16": 3, "10.0.0.0/8": 4, "0.0.0.0/0": 5, "11.0.0.0/8": 0, "255.255.255.255/32": 1, "255.0.0.0/8": 1,
			"2001:db8:1:2::5/128": 1, "2001:db8:1:2::/64": 1, "2001:db8:1::/48": 2, "2001:db8:2::/48": 0} {
			if got, err := m.SeenIn(netip.MustParsePrefix(p)); err != nil || got.Count != want {
				t.Errorf("%s: %+v, want %d %v", p, got, want, err)
			}
		}
		if err := m.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.SeenIn(netip.MustParsePrefix("2001:db8::/33")); fault.Of(err) != fault.Unprocessable {
		t.Error(err)
	}
	if _, err := m.SeenIn(netip.Prefix{}); fault.Of(err) != fault.Unprocessable {
		t.Error(err)
	}
}

// What is older than is remembered ends, and so does the oldest where there is too much: that is counted.
func TestTheMemoryIsBounded(t *testing.T) {
	dir := t.TempDir()
	now := noon
	m := open(t, dir, func(c *Config) { c.Days, c.Bytes, c.Now = 10, minBytes, func() time.Time { return now } })
	m.See(1, []byte("old"), noon.Add(-11*24*time.Hour))
	m.See(1, []byte("future"), noon.Add(48*time.Hour))
	m.See(1, []byte("1969"), time.Unix(-5, 0))
	m.See(1, []byte("here"), noon)
	for v, want := range map[string]uint64{"old": 0, "future": 0, "1969": 0, "here": 1} {
		if got, err := m.Seen(1, []byte(v)); err != nil || got.Count != want {
			t.Errorf("%s: %+v %v", v, got, err)
		}
	}
	for day := range 5 {
		for i := range 20_000 {
			m.See(1, fmt.Append(nil, day, i), noon.Add(-time.Duration(day)*24*time.Hour))
		}
	}
	if err := m.Flush(); err != nil {
		t.Fatal(err)
	}
	s := m.Stats()
	if s.Bytes > minBytes || s.Dropped == 0 || s.Dropped%20_000 != 0 || s.Held != 0 {
		t.Errorf("%+v", s)
	}
	if got, _ := m.Seen(1, fmt.Append(nil, 0, 7)); got.Count != 1 {
		t.Error("the newest is kept")
	}
	if got, _ := m.Seen(1, fmt.Append(nil, 4, 7)); got.Count != 0 {
		t.Error("the oldest ended")
	}
	now = noon.Add(10 * 24 * time.Hour)
	if got, _ := m.Seen(1, []byte("here")); got.Count != 0 {
		t.Error("it is older than is remembered")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v", left)
	}
}

// Whoever sees and flushes at once loses nothing.
func TestSeeingWhileFlushing(t *testing.T) {
	m := open(t, t.TempDir())
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 5000 {
				m.See(1, fmt.Append(nil, i%50), noon.Add(time.Duration(g)*time.Second))
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for more := true; more; {
		select {
		case <-done:
			more = false
		default:
		}
		if err := m.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		if got, err := m.Seen(1, fmt.Append(nil, i)); err != nil || got.Count != 400 {
			t.Fatalf("%d: %+v %v", i, got, err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

// Any change of a file is found where it matters: at opening, or when all of it is read.
func TestADamagedFile(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir)
	for i := range 1500 {
		m.See(1, fmt.Append(nil, i), noon)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if len(files) != 1 {
		t.Fatal(files)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		b := append([]byte(nil), whole...)
		if r.IntN(3) == 0 {
			b = b[:r.IntN(len(b))]
		} else {
			b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		}
		path := filepath.Join(t.TempDir(), "x"+suffix)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := openSegment(path, m.check())
		if err == nil {
			err = s.all(map[uint64]entry{})
			if err := s.within(0, ^uint64(0), func(entry) {}); err != nil {
				t.Error(err)
			}
			s.file.Close()
		}
		if err == nil {
			t.Fatal("a damaged file is taken")
		}
	}
	if _, err := Open(Config{Dir: dir, Now: time.Now, Hash: func(uint8, []byte) uint64 { return 1 }}); err == nil {
		t.Error("with another key")
	}
	if err := os.WriteFile(filepath.Join(dir, "x"+suffix+".new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir).Close()
	if _, err := os.Stat(filepath.Join(dir, "x"+suffix+".new")); !errors.Is(err, os.ErrNotExist) {
		t.Error("what was not written whole stays")
	}
}

func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	m := open(f, dir)
	m.See(1, []byte("x"), noon)
	if err := m.Close(); err != nil {
		f.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"+suffix))
	b, err := os.ReadFile(files[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(binary.LittleEndian.AppendUint64([]byte(magic), m.check()))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "x"+suffix)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := openSegment(path, m.check())
		if err != nil {
			return
		}
		defer s.file.Close()
		if s.within(0, ^uint64(0), func(entry) {}) != nil || s.all(map[uint64]entry{}) != nil {
			return
		}
	})
}

// BenchmarkSee notes values of which most were seen before.
func BenchmarkSee(b *testing.B) {
	m := open(b, b.TempDir())
	values := make([][]byte, 100_000)
	for i := range values {
		values[i] = fmt.Append(nil, "host", i, ".example.org")
	}
	i := 0
	for b.Loop() {
		m.See(1, values[i%len(values)], noon)
		i += 7
	}
}

// BenchmarkAsk asks for 10,000 indicators in 90 days of 100,000 values each.
func BenchmarkAsk(b *testing.B) {
	m := open(b, b.TempDir(), func(c *Config) { c.Bytes = 1 << 40 })
	for day := range 90 {
		values := map[uint64]entry{}
		for i := range 100_000 {
			values[hash(1, fmt.Append(nil, day, i))&^tag4] = entry{1, 0, 0}
		}
		s, err := m.write(noon.Unix()/daySeconds-int64(day), values)
		if err != nil {
			b.Fatal(err)
		}
		m.segments = append(m.segments, s)
	}
	m.sort()
	for b.Loop() {
		for i := range 10_000 {
			if _, err := m.Seen(1, fmt.Append(nil, i%90, i)); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(m.Stats().Bytes)/float64(m.Stats().Stored), "B/value")
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/10000")
}
