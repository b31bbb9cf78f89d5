package recall

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The vector that stands in the paper: a key of 00 to 0f, a message of 00 to 0e. The kind is its first byte.
func TestHashIsSipHash(t *testing.T) {
	var key [16]byte
	var message [64]byte
	for i := range message {
		message[i] = byte(i)
	}
	copy(key[:], message[:])
	if got := NewHash(key)(message[0], message[1:15]); got != 0xa129ca6149be45e5 {
		t.Errorf("the hash is %x", got)
	}
	seen := map[uint64]bool{}
	for n := range 64 { // every length tells its values apart
		seen[NewHash(key)(7, message[:n])] = true
	}
	if len(seen) != 64 {
		t.Errorf("64 values have %d hashes", len(seen))
	}
}

// A stage counts the events with a value, answers by itself, and puts into the memory what it has.
func TestStage(t *testing.T) {
	m := open(t, t.TempDir())
	defer m.Close()
	s := m.Stage()
	r := rand.New(rand.NewPCG(3, 4))
	want, days := map[byte]Seen{}, map[byte]map[int64]Seen{}
	net := netip.MustParsePrefix("10.0.0.0/24")
	var in Seen
	for range 2000 {
		when := noon.Add(-time.Duration(r.IntN(5*86400)) * time.Second)
		s.Event(when)
		had := map[byte]bool{}
		for range 1 + r.IntN(5) { // some of them twice in the event
			v := byte(r.IntN(6))
			s.See(m.Key(3, []byte{v}))
			if !had[v] {
				had[v] = true
				want[v] = want[v].add1(when)
				if days[v] == nil {
					days[v] = map[int64]Seen{}
				}
				days[v][when.Unix()/daySeconds] = days[v][when.Unix()/daySeconds].add1(when)
			}
		}
		a := make([]byte, 4)
		binary.BigEndian.PutUint32(a, 10<<24|uint32(r.IntN(1024)))
		addr, _ := netip.AddrFromSlice(a)
		s.See(m.AddrKeys(nil, addr)...)
		if net.Contains(addr) {
			in = in.add1(when)
		}
	}
	for v, w := range want {
		if got := s.Seen(3, []byte{v}); got != w {
			t.Errorf("the stage says of %d %+v, not %+v", v, got, w)
		}
	}
	if got, err := s.SeenIn(net); err != nil || got != in {
		t.Errorf("the stage says of the network %+v, not %+v: %v", got, in, err)
	}
	if got, err := m.Seen(3, []byte{1}); err != nil || got.Count != 0 {
		t.Errorf("the memory has what is not committed: %+v, %v", got, err)
	}
	s.Commit()
	if s.Len() != 0 || s.Seen(3, []byte{1}).Count != 0 {
		t.Error("the stage is not empty")
	}
	for range 2 { // before it is flushed, and after
		for v, w := range want {
			got, err := m.Seen(3, []byte{v})
			if err != nil || got != w {
				t.Errorf("the memory says of %d %+v, not %+v: %v", v, got, w, err)
			}
			each, err := m.Days(3, []byte{v})
			if err != nil || len(each) != len(days[v]) {
				t.Errorf("%d days of %d, not %d: %v", len(each), v, len(days[v]), err)
			}
			for i, d := range each {
				if diff := cmp.Diff(days[v][d.First.Unix()/daySeconds], d); diff != "" || i > 0 && !each[i-1].First.Before(d.First) {
					t.Errorf("a day of %d: %s", v, diff)
				}
			}
		}
		if err := m.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	var sum uint64
	each, err := m.DaysIn(net)
	for _, d := range each {
		sum += d.Count
	}
	if err != nil || sum != in.Count {
		t.Errorf("the days of the network have %d, not %d: %v", sum, in.Count, err)
	}
	s.Event(noon.Add(100 * 24 * time.Hour)) // by a clock that is wrong
	s.See(m.Key(3, []byte{1}))
	s.See(m.AddrKeys(nil, net.Addr())...)
	if s.Len() != 0 {
		t.Error("what was seen at no time that is remembered was staged")
	}
}
