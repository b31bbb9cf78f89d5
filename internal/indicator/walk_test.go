package indicator

import (
	"net/netip"
	"testing"
	"time"
)

// What a lookup looks for says which indicators would have met the value, had the table had them.
func TestKeysSayWhatWouldHaveMet(t *testing.T) {
	looked := []struct {
		kind Kind
		text string
	}{
		{IPv4, "192.0.2.7"}, {IPv4, "::ffff:192.0.2.8"}, {IPv6, "2001:db8::7"}, {Domain, "WWW.Bad.Example."}, {Domain, "bücher.example"}, {Domain, "co.uk"}, {Domain, "bbc.co.uk"}, {URL, "HTTP://Host.example:80/a/b?c=1#d"},
		{URL, "//host.example/x"}, {Email, "A@Bad.example"}, {SHA256, "00000000000000000000000000000000000000000000000000000000000003E7"}, {FilePath, `C:\Users\x\Evil.exe`},
		{RegistryKey, `HKLM\Software\x\y`}, {Mutex, "one"}, {UserAgent, "Mozilla/5.0"}, {ASN, "AS7"},
	}
	values := []Value{}
	for _, v := range []struct {
		kind Kind
		text string
	}{
		{IPv4, "192.0.2.7"}, {IPv4, "192.0.2.8"}, {IPv4, "192.0.2.9"}, {IPv6, "2001:db8::7"}, {CIDR, "192.0.2.0/29"}, {CIDR, "198.51.100.0/24"}, {Domain, "bad.example"}, {Domain, "www.bad.example"},
		{Domain, "d.example"}, {Domain, "xn--bcher-kva.example"}, {Domain, "co.uk"}, {Domain, "*.co.uk"}, {Domain, "*.com"}, {Domain, "*.example"}, {URL, "http://host.example/a/b?c=1"}, {URL, "https://host.example/x"}, {URL, "http://host.example/a"},
		{Email, "a@bad.example"}, {SHA256, "00000000000000000000000000000000000000000000000000000000000003e7"}, {FileName, "evil.exe"}, {FilePath, `c:\users\x\evil.exe`}, {FilePath, `c:\evil.exe`},
		{RegistryKey, `HKEY_LOCAL_MACHINE\software\x\y`}, {Mutex, "one"}, {Mutex, "two"}, {UserAgent, "Mozilla/5.0"}, {ASN, "7"},
	} {
		made, err := New(v.kind, v.text)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, made)
	}
	empty, err := NewTable(nil, Decay{})
	if err != nil {
		t.Fatal(err)
	}
	met := 0
	for _, v := range values {
		table, err := NewTable(nil, Decay{})
		if err != nil {
			t.Fatal(err)
		}
		var d Delta
		d.Add(Meta{Source: "s", Confidence: -1}, v)
		if err := table.Apply(&d); err != nil {
			t.Fatal(err)
		}
		for _, other := range values {
			if got := table.Has("s", other); got != (other == v || other.plain() == v.plain()) {
				t.Errorf("a table of %s %q says that it has %s %q: %t", v.Kind, v.Text(), other.Kind, other.Text(), got)
			}
			if table.Has("other", other) {
				t.Errorf("the table has %q of a source that has nothing", other.Text())
			}
		}
		for _, l := range looked {
			hit, would := false, false
			table.Lookup(l.kind, []byte(l.text), time.Unix(1, 0), func(Hit) { hit = true })
			empty.Walk(l.kind, []byte(l.text), time.Unix(1, 0), nil, &Keys{Tell: func(k Kind, key []byte, beneath bool) {
				if v.Kind == CIDR {
					a, ok := netip.AddrFromSlice(key)
					p, err := netip.ParsePrefix(v.Text())
					would = would || (k == IPv4 || k == IPv6) && ok && err == nil && p.Contains(a)
				}
				would = would || k == v.Kind && string(key) == v.Key() && !(beneath && v.Alone())
			}})
			if hit != would {
				t.Errorf("%s %q meets %s %q: %t, and by its keys: %t", l.kind, l.text, v.Kind, v.Text(), hit, would)
			}
			if hit {
				met++
			}
		}
	}
	if met < 15 {
		t.Errorf("only %d of the values were met", met)
	}
}
