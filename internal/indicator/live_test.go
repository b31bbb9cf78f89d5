package indicator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"entente/internal/fault"
)

// Lookups go on while changes, merges and resets happen. What no change touches is found by every one of them, and of a source that is
// replaced as a whole a lookup sees one version or the other.
func TestLookupsGoOnWhileTheTableChanges(t *testing.T) {
	b := NewBuilder(NewKey())
	fixed := b.Meta(Meta{Source: "fixed"})
	for i := range 2000 {
		for _, v := range []Value{mustNew(t, Domain, fmt.Sprintf("d%d.example.org", i)), mustNew(t, IPv4, fmt.Sprintf("10.0.%d.%d", i/250, i%250))} {
			if err := b.Add(v, fixed); err != nil {
				t.Fatal(err)
			}
		}
	}
	table, err := NewTable(b.Snapshot(0), Decay{})
	if err != nil {
		t.Fatal(err)
	}
	toggled := []Value{mustNew(t, Domain, "a.example.net"), mustNew(t, CIDR, "192.0.2.0/24")}
	var d Delta
	d.Replace(Meta{Source: "toggled", Seq: 1}, toggled[0])
	if err := table.Apply(&d); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var readers, writer sync.WaitGroup
	for n := range 4 {
		readers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(n), 0))
			for !stop.Load() {
				i := r.IntN(2000)
				for k, text := range map[Kind]string{Domain: fmt.Sprintf("www.d%d.example.org", i), IPv4: fmt.Sprintf("10.0.%d.%d", i/250, i%250)} {
					met := 0
					table.Lookup(k, []byte(text), noon, func(h Hit) {
						if h.Meta.Source == "fixed" {
							met++
						}
					})
					if met != 1 {
						t.Errorf("%s is met %d times", text, met)
						return
					}
				}
				met := 0
				table.Lookup(Domain, []byte("a.example.net"), noon, func(h Hit) { met++ })
				if met != 1 {
					t.Errorf("a source that is replaced is met %d times", met)
					return
				}
			}
		})
	}
	path := filepath.Join(t.TempDir(), "index")
	writer.Go(func() {
		for i := range 6 {
			if err := table.Merge(t.Context(), path, int64(i)); err != nil && fault.Of(err) != fault.Conflict {
				t.Error(err)
			}
		}
	})
	for i := range 150 {
		var d Delta
		d.Replace(Meta{Source: "toggled", Seq: int64(i)}, toggled...)
		for n := range 20 {
			d.Replace(Meta{Source: fmt.Sprint("other", i%7, n)}, mustNew(t, IPv4, fmt.Sprintf("172.16.%d.%d", i, n)))
		}
		if err := table.Apply(&d); err != nil {
			t.Error(err)
		}
	}
	writer.Wait()
	stop.Store(true)
	readers.Wait()
	if err := table.Merge(t.Context(), "", 0); err != nil {
		t.Fatal(err)
	}
	if want := 4000 + 2 + 7*20; table.Len() != want {
		t.Errorf("%d entries at the end, want %d", table.Len(), want)
	}
}

func TestAMergeThatIsGivenUpChangesNothing(t *testing.T) {
	b := NewBuilder(Key{1})
	m := b.Meta(Meta{Source: "s"})
	for i := range 70_000 {
		if err := b.Add(mustNew(t, ASN, fmt.Sprint(i+1)), m); err != nil {
			t.Fatal(err)
		}
	}
	table, _ := NewTable(b.Snapshot(7), Decay{})
	var d Delta
	d.Add(Meta{Source: "t"}, mustNew(t, ASN, "5"))
	if err := table.Apply(&d); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := table.Merge(ctx, "", 8); err == nil || table.Base().Cursor() != 7 {
		t.Errorf("%v at %d", err, table.Base().Cursor())
	}
	if err := table.Merge(t.Context(), filepath.Join(t.TempDir(), "none", "index"), 8); fault.Of(err) != fault.Full {
		t.Error(err)
	}
	if err := table.Merge(t.Context(), "", 8); err != nil || len(hits(table, ASN, "AS5", noon)) != 2 {
		t.Error(err)
	}
	if err := table.Reset(NewBuilder(Key{2}).Snapshot(9)); err != nil || table.Len() != 0 || len(hits(table, ASN, "AS5", noon)) != 0 {
		t.Error(err)
	}
}

// There are few layers, whatever the sizes of the changes: a lookup asks each of them.
func TestLayersStayFew(t *testing.T) {
	table, _ := NewTable(nil, Decay{})
	n := 0
	for i := range 400 {
		var d Delta
		for range 1 + i*7%50 {
			n++
			d.Add(Meta{Source: "s"}, mustNew(t, ASN, fmt.Sprint(n)))
		}
		if err := table.Apply(&d); err != nil {
			t.Fatal(err)
		}
		if layers := len(table.view.Load().layers); layers > 9 {
			t.Fatalf("%d layers after %d changes", layers, i)
		}
	}
	if len(hits(table, ASN, "1", noon)) != 1 || len(hits(table, ASN, fmt.Sprint(n), noon)) != 1 || table.Len() != n {
		t.Errorf("%d of %d are left", table.Len(), n)
	}
	count := 0
	table.Each(noon, func(Hit) bool { count++; return count < 100 })
	if count != 100 {
		t.Errorf("%d visited", count)
	}
}

func TestWhatMeetsNothingAllocatesNothing(t *testing.T) {
	table, err := NewTable(small(t, 5, 300), DefaultDecay())
	if err != nil {
		t.Fatal(err)
	}
	var d Delta
	d.Add(Meta{Source: "s"}, mustNew(t, ASN, "1"))
	if err := table.Apply(&d); err != nil {
		t.Fatal(err)
	}
	for _, q := range []struct {
		k Kind
		v string
	}{{IPv4, "198.51.100.7"}, {IPv6, "2001:db9::7"}, {Domain, "www.mail.example.test"}, {URL, "https://example.test:443/a/b?c=%7e"}, {Email, "a@example.test"}, {SHA256, fmt.Sprintf("%064x", 999)},
		{JA4, "t13d1516h2_8daaf6152771_02713d6af862"}, {FilePath, `C:\Windows\notepad.exe`}, {RegistryKey, `HKLM\Software\x\y`}, {Mutex, "none"}, {UserAgent, "Mozilla/5.0"}, {ASN, "7"}} {
		value, met := []byte(q.v), 0
		if n := testing.AllocsPerRun(100, func() { table.Lookup(q.k, value, noon, func(Hit) { met++ }) }); n > 0 || met > 0 {
			t.Errorf("a lookup of %s allocates %v times and meets %d", q.v, n, met)
		}
	}
}
