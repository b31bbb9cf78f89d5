package indicator

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"entente/internal/fault"
)

// octets is a snapshot as a file has it.
func octets(t testing.TB, s *Snapshot) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "index")
	if err := s.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func small(t testing.TB, seed uint64, n int) *Snapshot {
	w := world{rand.New(rand.NewPCG(seed, 1))}
	b := NewBuilder(Key{9})
	b.few = int(seed%2) * b.few
	for i := range n {
		m := b.Meta(w.meta(fmt.Sprint("indicator--", i)))
		for _, v := range w.values(t, 3) {
			if err := b.Add(v, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.Snapshot(42)
}

func entries(s *Snapshot) (out []Hit) {
	s.Each(func(v Value, m Meta) bool {
		out = append(out, Hit{Value: v, Meta: m})
		return true
	})
	return out
}

func TestASnapshotIsReadAsItWasWritten(t *testing.T) {
	for n := range 40 {
		s := small(t, uint64(n), n)
		path := filepath.Join(t.TempDir(), "index")
		for range 2 { // the second replaces the first
			if err := s.WriteFile(path); err != nil {
				t.Fatal(err)
			}
		}
		o, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if o.Cursor() != 42 || o.Len() != s.Len() || o.Size() != s.Size() || !reflect.DeepEqual(entries(o), entries(s)) || len(entries(s)) != s.Len() {
			t.Fatalf("%d entries of %d came back", o.Len(), s.Len())
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
			t.Fatalf("%v was left", left)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("the key of the index can be read by others: %v %v", info.Mode(), err)
		}
	}
}

func TestASnapshotThatIsMissingOrDamagedIsRefused(t *testing.T) {
	whole := octets(t, small(t, 1, 50))
	refused := func(what string, data []byte) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "index")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind != fault.Invalid && f.Kind != fault.Unsupported || f.Do == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	for n := 0; n < len(whole); n += 1 + len(whole)/97 {
		refused(fmt.Sprintf("cut at %d", n), whole[:n])
	}
	refused("longer", append(bytes.Clone(whole), 0))
	for i := 0; i < len(whole); i += 1 + len(whole)/301 {
		if inPadding(whole, i) {
			continue
		}
		b := bytes.Clone(whole)
		b[i] ^= 0x10
		refused(fmt.Sprintf("octet %d", i), b)
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "none")} {
		if _, err := Open(path); fault.Of(err) != fault.NotFound {
			t.Error(err)
		}
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("a folder was opened")
	}
}

// inPadding tells whether an octet stands between sections.
func inPadding(b []byte, i int) bool {
	if i < headerSize {
		return false
	}
	for s := range sections {
		row := b[headerSecs+24*s:]
		if at, n := binary.LittleEndian.Uint64(row), binary.LittleEndian.Uint64(row[8:]); uint64(i) >= at && uint64(i) < at+n {
			return false
		}
	}
	return true
}

// reseal gives changed octets the checksums that they need to be looked at.
func reseal(b []byte) {
	if len(b) < headerSize {
		return
	}
	e := binary.LittleEndian
	for i := range sections {
		row := b[headerSecs+24*i:]
		at, n := e.Uint64(row), e.Uint64(row[8:])
		if at <= uint64(len(b)) && n <= uint64(len(b))-at {
			e.PutUint32(row[16:], crc32.Checksum(b[at:at+n], castagnoli))
		}
	}
	e.PutUint64(b[16:], uint64(len(b)))
	e.PutUint32(b[headerSums:], crc32.Checksum(b[:headerSums], castagnoli))
}

// use does all that a snapshot can be asked.
func use(s *Snapshot) {
	s.Each(func(v Value, m Meta) bool { _ = v.Text(); return true })
	table, err := NewTable(s, DefaultDecay())
	if err != nil {
		return
	}
	for _, q := range []struct {
		k Kind
		v string
	}{{IPv4, "192.0.0.1"}, {IPv4, "192.0.1.30"}, {IPv4, "255.255.255.255"}, {IPv6, "2001:db8::1:7"}, {Domain, "aa.bb.example.org"}, {MD5, "00000000000000000000000000000007"}, {Mutex, "aaaa"}, {URL, "http://a/b"}, {ASN, "64501"}} {
		table.Trace(q.k, []byte(q.v), noon, func(h Hit) { _ = h.Value.Text() })
	}
	var d Delta
	d.Drop("indicator--1")
	_ = table.Apply(&d)
	_, _ = table.Pending()
}

// A snapshot that somebody made to mislead, checksums and all, is refused or read without harm.
func TestASnapshotMadeToMislead(t *testing.T) {
	whole := [2][]byte{octets(t, small(t, 2, 40)), octets(t, small(t, 3, 40))}
	r := rand.New(rand.NewPCG(3, 3))
	taken := 0
	for i := range 3000 {
		b := bytes.Clone(whole[min(i%8, 1)])
		for range 1 + r.IntN(4) {
			i := r.IntN(len(b))
			switch r.IntN(3) {
			case 0:
				b[i] = byte(r.Uint32())
			case 1:
				b[i] = 0xff
			default:
				if i = i &^ 3; i+4 <= len(b) {
					binary.LittleEndian.PutUint32(b[i:], r.Uint32()>>r.IntN(32))
				}
			}
		}
		reseal(b)
		s, err := Read(b)
		if err != nil {
			continue
		}
		taken++
		use(s)
	}
	if taken == 0 {
		t.Error("every change was refused: the checksums were not made anew")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(octets(f, small(f, 1, 0)))
	f.Add(octets(f, small(f, 1, 2)))
	f.Add(octets(f, small(f, 3, 9)))
	f.Fuzz(func(t *testing.T, b []byte) {
		for range 2 {
			if s, err := Read(b); err == nil {
				use(s)
			}
			b = bytes.Clone(b)
			reseal(b)
		}
	})
}

func TestConfidenceFallsByHalfInEveryHalfLife(t *testing.T) {
	b := NewBuilder(Key{1})
	since := noon
	for k, text := range map[Kind]string{IPv4: "192.0.2.1", SHA256: fmt.Sprintf("%064x", 1)} {
		if err := b.Add(mustNew(t, k, text), b.Meta(Meta{Source: "s", Since: since, Confidence: 80})); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Add(mustNew(t, IPv4, "192.0.2.2"), b.Meta(Meta{Source: "s", Since: since, Confidence: -1})); err != nil {
		t.Fatal(err)
	}
	if err := b.Add(mustNew(t, IPv4, "192.0.2.3"), b.Meta(Meta{Source: "s", Confidence: 80})); err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	table, err := NewTable(b.Snapshot(0), Decay{HalfLife: map[Kind]time.Duration{IPv4: 10 * day}, Threshold: 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind  Kind
		value string
		age   time.Duration
		want  int // -1: no hit
	}{
		{IPv4, "192.0.2.1", -day, 80}, {IPv4, "192.0.2.1", 0, 80}, {IPv4, "192.0.2.1", 10 * day, 40}, {IPv4, "192.0.2.1", 20 * day, 20}, {IPv4, "192.0.2.1", 20*day + time.Hour, -1}, {IPv4, "192.0.2.1", 99999 * day, -1},
		{SHA256, fmt.Sprintf("%064x", 1), 99999 * day, 80}, {IPv4, "192.0.2.2", 0, 50}, {IPv4, "192.0.2.2", 10 * day, 25}, {IPv4, "192.0.2.2", 20 * day, -1}, {IPv4, "192.0.2.3", 99999 * day, 80},
	} {
		got := -1
		table.Lookup(c.kind, []byte(c.value), since.Add(c.age), func(h Hit) { got = h.Confidence })
		if got != c.want {
			t.Errorf("%s after %s has confidence %d, want %d", c.value, c.age, got, c.want)
		}
		if got < 0 {
			table.Trace(c.kind, []byte(c.value), since.Add(c.age), func(h Hit) {
				if h.State != Faded {
					t.Errorf("%s is %s", c.value, h.State)
				}
			})
		}
	}
	for _, d := range []Decay{{Threshold: 101}, {Threshold: -1}, {HalfLife: map[Kind]time.Duration{IPv4: time.Minute}}, {HalfLife: map[Kind]time.Duration{IPv4: -day}}, {HalfLife: map[Kind]time.Duration{99: day}}} {
		if _, err := NewTable(nil, d); fault.Of(err) != fault.Invalid {
			t.Errorf("%v: %v", d, err)
		}
	}
	if err := DefaultDecay().Validate(); err != nil {
		t.Error(err)
	}
}
