package indicator

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func mustNew(t testing.TB, k Kind, text string) Value {
	t.Helper()
	v, err := New(k, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func hits(table *Table, k Kind, value string, now time.Time) (out []string) {
	table.Lookup(k, []byte(value), now, func(h Hit) { out = append(out, h.Value.Kind.String()+" "+h.Value.Text()+" "+h.Meta.Source) })
	slices.Sort(out)
	return out
}

// An oracle is what a Table should be, in the simplest way: a list of all entries.
type oracle map[Value]map[string]Meta // value, source

func (o oracle) add(m Meta, values ...Value) {
	for _, v := range values {
		if o[v] == nil {
			o[v] = map[string]Meta{}
		}
		delete(o[Value{v.Kind, v.key, !v.alone}], m.Source)
		o[v][m.Source] = m
	}
}

func (o oracle) drop(source string) {
	for _, metas := range o {
		delete(metas, source)
	}
}

func (o oracle) remove(source string, values ...Value) {
	for _, v := range values {
		delete(o[v], source)
		delete(o[Value{v.Kind, v.key, !v.alone}], source)
	}
}

// meets says in the words of the documentation whether an indicator is met by a value.
func (o oracle) meets(v Value, k Kind, text string) bool {
	switch v.Kind {
	case IPv4, IPv6, CIDR:
		a, err := netip.ParseAddr(text)
		if err != nil || k != IPv4 && k != IPv6 {
			return false
		}
		if v.Kind == CIDR {
			return netip.MustParsePrefix(v.Text()).Contains(a.Unmap())
		}
		return v.Text() == a.Unmap().String()
	case Domain:
		text = strings.ToLower(strings.TrimSuffix(text, "."))
		return k == Domain && (text == v.key || !v.alone && strings.HasSuffix(text, "."+v.key))
	}
	w, err := New(k, text)
	return err == nil && w == v
}

func (o oracle) hits(k Kind, text string, now time.Time) (out []string) {
	for v, metas := range o {
		if !o.meets(v, k, text) {
			continue
		}
		for source, m := range metas {
			if !m.Revoked && !now.Before(m.From) && (m.Until.IsZero() || now.Before(m.Until)) {
				out = append(out, v.Kind.String()+" "+v.Text()+" "+source)
			}
		}
	}
	slices.Sort(out)
	return out
}

// a world makes values that meet each other often.
type world struct{ *rand.Rand }

func (w world) value() (Kind, string) {
	label := func() string { return string(rune('a'+w.IntN(4))) + string(rune('a'+w.IntN(3))) }
	switch k := []Kind{IPv4, IPv6, CIDR, Domain, Domain, Domain, SHA256, MD5, JA3, FileName, Mutex, ASN, Email, RegistryKey}[w.IntN(14)]; k {
	case IPv4:
		return k, fmt.Sprintf("192.0.%d.%d", w.IntN(2), 1+w.IntN(40))
	case IPv6:
		return k, fmt.Sprintf("2001:db8::%d:%d", w.IntN(2), 1+w.IntN(40))
	case CIDR:
		if w.IntN(3) == 0 {
			return k, fmt.Sprintf("2001:db8::%d:%d/%d", w.IntN(2), w.IntN(40), 90+w.IntN(39))
		}
		return k, fmt.Sprintf("192.0.%d.%d/%d", w.IntN(2), w.IntN(40), 20+w.IntN(13))
	case Domain:
		d := []string{"example", "no-ip", "co"}[w.IntN(3)] + []string{".org", ".biz", ".uk", ".com"}[w.IntN(4)]
		for range w.IntN(3) {
			d = label() + "." + d
		}
		if w.IntN(10) == 0 {
			d = "*." + d
		}
		return k, d
	case SHA256:
		return k, fmt.Sprintf("%064x", w.IntN(40))
	case MD5, JA3:
		return k, fmt.Sprintf("%032x", w.IntN(40))
	case FileName, Mutex:
		return k, label() + label()
	case Email:
		return k, label() + "@example.org"
	case RegistryKey:
		return k, `HKLM\Software\` + label()
	default:
		return k, fmt.Sprint(64500 + w.IntN(40))
	}
}

func (w world) meta(source string) Meta {
	m := Meta{Source: source, Label: fmt.Sprint("label", w.IntN(3)), Accord: fmt.Sprint("accord", w.IntN(2)), Seq: w.Int64N(99), Confidence: w.IntN(101)}
	switch w.IntN(8) {
	case 0:
		m.Revoked = true
	case 1:
		m.Until = noon
	case 2:
		m.Until = noon.Add(time.Microsecond)
	case 3:
		m.From = noon.Add(time.Microsecond)
	case 4:
		m.From = noon
	}
	return m
}

func (w world) values(t testing.TB, n int) (out []Value) {
	for range n {
		k, text := w.value()
		out = append(out, mustNew(t, k, text))
	}
	return out
}

func compare(t *testing.T, w world, table *Table, o oracle, n int) {
	t.Helper()
	for range n {
		k, text := w.value()
		switch k {
		case CIDR:
			continue
		case Domain:
			text = strings.TrimPrefix(text, "*.")
			if w.IntN(2) == 0 {
				text = "Www." + strings.ToUpper(text) + "."
			}
		}
		got, want := hits(table, k, text, noon), o.hits(k, text, noon)
		if !slices.Equal(got, want) {
			t.Fatalf("%s %s hits\n%q, and the oracle says\n%q", k, text, got, want)
		}
	}
}

// Whatever is changed, merged, written and opened, in whatever order: a lookup finds what a list of all entries holds.
func TestATableIsAListOfEntries(t *testing.T) {
	for seed := range uint64(6) {
		w := world{rand.New(rand.NewPCG(seed, 6))}
		o := oracle{}
		b := NewBuilder(NewKey())
		b.few = int(seed%2) * b.few
		for i := range w.IntN(60) {
			m, values := w.meta(fmt.Sprint("indicator--", i)), w.values(t, 1+w.IntN(5))
			id := b.Meta(m)
			for _, v := range values {
				if v.Kind == Domain && !v.alone && strings.HasPrefix(v.Text(), "*.") {
					continue // a builder keeps both marks of one name, a table the later one
				}
				if err := b.Add(v, id); err != nil {
					t.Fatal(err)
				}
				o.add(m, v)
			}
		}
		table, err := NewTable(b.Snapshot(0), Decay{})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "index")
		for step := range 60 {
			var d Delta
			for range w.IntN(6) {
				m, values := w.meta(fmt.Sprint("indicator--", w.IntN(90))), w.values(t, w.IntN(4))
				switch w.IntN(5) {
				case 0:
					d.Drop(m.Source)
					o.drop(m.Source)
				case 1:
					d.Remove(m.Source, values...)
					o.remove(m.Source, values...)
				case 2:
					d.Add(m, values...)
					o.add(m, values...)
				default:
					d.Replace(m, values...)
					o.drop(m.Source)
					o.add(m, values...)
				}
			}
			if err := table.Apply(&d); err != nil {
				t.Fatal(err)
			}
			compare(t, w, table, o, 40)
			if step%20 == 19 {
				if err := table.Merge(t.Context(), path, int64(step)); err != nil {
					t.Fatal(err)
				}
				if n, _ := table.Pending(); n != 0 || table.Base().Cursor() != int64(step) {
					t.Fatalf("%d changes wait after a merge at %d", n, table.Base().Cursor())
				}
				compare(t, w, table, o, 40)
			}
		}
	}
}
