package block

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"entente/internal/indicator"
)

// million is how many values the figures are about.
const million = 1_000_000

// made is the n-th value of a kind.
func made(k indicator.Kind, n int) string {
	r := rand.New(rand.NewPCG(uint64(k), uint64(n)))
	var b [32]byte
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], r.Uint64())
	}
	switch k {
	case indicator.IPv4:
		return netip.AddrFrom4([4]byte{byte(16 + n>>20), byte(n >> 12), byte(n >> 4), byte(n<<4) | b[0]&15}).String()
	case indicator.IPv6:
		a := [16]byte{0x2a, 0x01}
		copy(a[2:], b[:14])
		return netip.AddrFrom16(a).String()
	case indicator.CIDR:
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(64 + n>>16), byte(n >> 8), byte(n), 0}), 24).String()
	case indicator.Domain:
		return fmt.Sprintf("%x.bad-zone-%d.com", b[:6], n)
	case indicator.URL:
		return fmt.Sprintf("http://bad-zone-%d.com/%x?a=%x", n, b[:8], b[8:10])
	case indicator.Email:
		return fmt.Sprintf("%x@bad-zone-%d.com", b[:6], n)
	case indicator.MD5, indicator.JA3, indicator.JA3S:
		return fmt.Sprintf("%x", b[:16])
	case indicator.SHA1:
		return fmt.Sprintf("%x", b[:20])
	case indicator.SHA512:
		return fmt.Sprintf("%x%x", b, b)
	case indicator.JA4:
		return fmt.Sprintf("t13d1516h2_%x_%x", b[:6], b[6:12])
	}
	return fmt.Sprintf("%x", b)
}

// large is an edition of n values of some kinds.
func large(kinds []indicator.Kind, n int) *Edition {
	e := &Edition{Serial: 7, Time: now, Nation: "UTO", Org: "uto.cert", Realm: "operational", Config: DefaultConfig(), Entries: make([]Entry, 0, n)}
	for i := range n {
		k := kinds[i%len(kinds)]
		e.Entries = append(e.Entries, Entry{Kind: k, Value: made(k, i/len(kinds)), Beneath: k == indicator.Domain, Until: now.Add(time.Duration(i%90+1) * 24 * time.Hour),
			Sources: []Source{{ID: fmt.Sprintf("indicator--00000000-0000-4000-8000-%012d", i), Version: "2026-11-01T00:00:00.000Z", Origin: "USA/us.cert", Via: "peer:USA", Accord: "five", TLP: "TLP:GREEN", PAP: "PAP:GREEN", Confidence: 80}}})
	}
	sortEntries(e.Entries)
	return e
}

// BenchmarkWrite is how long a million values take in each format.
func BenchmarkWrite(b *testing.B) {
	for _, f := range Formats() {
		b.Run(f.Name, func(b *testing.B) {
			e := large(f.Kinds, million)
			s, err := Select(f.Name, nil)
			if err != nil {
				b.Fatal(err)
			}
			c := &counter{w: io.Discard}
			b.ResetTimer()
			for range b.N {
				c.n = 0
				if n, err := render(c, e, s, e.Time); err != nil || n == 0 {
					b.Fatalf("%d, %v", n, err)
				}
			}
			b.ReportMetric(float64(c.n)/1e6, "MB")
		})
	}
}

// BenchmarkEdition is how long it takes to say of a million values which are blocked: at first, and after one indicator changed.
func BenchmarkEdition(b *testing.B) {
	r := New(Options{Nation: "UTO", Org: "uto.cert", Realm: "operational", Config: DefaultConfig(), Guard: &wardens{}, Now: func() time.Time { return now }})
	kinds := []indicator.Kind{indicator.IPv4, indicator.Domain, indicator.URL, indicator.SHA256}
	for i := range million {
		v, err := indicator.New(kinds[i%4], made(kinds[i%4], i/4))
		if err != nil {
			b.Fatal(err)
		}
		id := fmt.Sprintf("indicator--00000000-0000-4000-8000-%012d", i)
		r.set(id, &claim{src: Source{ID: id, Origin: "USA/us.cert", TLP: "TLP:GREEN", PAP: "PAP:GREEN", Confidence: 80}, values: []point{{v.Kind, v.Text()}}, until: now.Add(24 * time.Hour)})
	}
	var err error
	if r.wall, err = r.newWall(b.Context()); err != nil {
		b.Fatal(err)
	}
	make := func(b *testing.B) {
		e, changed, err := r.compile(now)
		if err != nil || len(e.Entries) < million*9/10 {
			b.Fatalf("%v", err)
		}
		r.publish(e, changed)
		r.all = false
		clear(r.dirty)
	}
	b.Run("first", func(b *testing.B) {
		for range b.N {
			r.edition = nil
			make(b)
		}
	})
	b.Run("change", func(b *testing.B) {
		id := fmt.Sprintf("indicator--00000000-0000-4000-8000-%012d", 17)
		for i := range b.N {
			c := *r.claims[id]
			c.src.Confidence = i % 100
			r.set(id, &c)
			make(b)
		}
	})
}
