package warninglist

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entente/internal/shareddata"
)

func lists(t testing.TB) []*List {
	t.Helper()
	files := shareddata.Files(t, "*/list.json*", "misp", "misp-warninglists", "lists")
	if len(files) < 100 {
		t.Fatalf("%d lists", len(files))
	}
	var out []*List
	for file, raw := range files {
		l, err := Parse(raw)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out = append(out, l)
	}
	return out
}

func names(hits []Hit) []string {
	var out []string
	for _, h := range hits {
		out = append(out, h.List)
	}
	slices.Sort(out)
	return out
}

func TestMatch(t *testing.T) {
	s, errs := New(
		&List{Name: "hashes", Type: TypeString, Entries: []string{"44D88612FEA8A8F36DE82E1278ABB02F"}, Attributes: []string{"md5", "filename|md5"}},
		&List{Name: "hosts", Type: TypeHostname, Entries: []string{"example.org", ".cloud.example"}},
		&List{Name: "parts", Type: TypeSubstring, Entries: []string{"0-mail.com", "sandbox"}},
		&List{Name: "private", Type: TypeCIDR, Entries: []string{"10.0.0.0/8", "10.1.0.0/16", "fc00::/7", "192.0.2.7"}},
		&List{Name: "narrow", Type: TypeCIDR, Entries: []string{"10.1.2.0/24", "10.1.0.0/16"}},
		&List{Name: "desks", Type: TypeRegex, Entries: []string{`/^(security|noc)\@.*\..*$/i`}, Attributes: []string{"email-src"}},
		&List{Name: "broken", Type: TypeCIDR, Entries: []string{"10.0.0.0/99", "nonsense"}},
	)
	if len(errs) != 2 || s.Len() != 12 {
		t.Fatalf("%d entries, errors %v", s.Len(), errs)
	}
	for _, c := range []struct{ typ, value, want string }{
		{"md5", "44d88612fea8a8f36de82e1278abb02f", "hashes"},
		{"filename|md5", "eicar.com|44d88612fea8a8f36de82e1278abb02f", "hashes"},
		{"sha1", "44d88612fea8a8f36de82e1278abb02f", ""},
		{"domain", "EXAMPLE.org.", "hosts"},
		{"hostname", "a.b.example.org", "hosts"},
		{"domain", "notexample.org", ""},
		{"url", "https://user@www.example.org:8443/x?y=//evil.test", "hosts"},
		{"url", "https://evil.test/example.org", ""},
		{"domain", "x.cloud.example", "hosts"},
		{"domain|ip", "evil.test|10.9.9.9", "private"},
		{"ip-dst", "10.1.2.3", "narrow private"},
		{"ip-dst", "10.1.9.3", "narrow private"},
		{"ip-dst", "10.1.2.0/25", "narrow private"},
		{"ip-dst", "10.0.0.0/9", "private"},
		{"ip-dst", "10.0.0.0/7", ""},
		{"ip-dst", "11.0.0.1", ""},
		{"ip-dst", "::ffff:10.3.3.3", "private"},
		{"ip-dst", "fd00::1", "private"},
		{"ip-dst", "192.0.2.7", "private"},
		{"url", "http://10.2.3.4:80/a", "private"},
		{"url", "http://[fd00::1]/a", "private"},
		{"domain", "x.0-mail.com.test", "parts"},
		{"text", "seen in a Sandbox", "parts"},
		{"email-src", "NOC@evil.test", "desks"},
		{"text", "NOC@evil.test", ""},
		{"text", "", ""},
		{"text", strings.Repeat("x", MaxEntry+1), ""},
	} {
		if got := strings.Join(names(s.Match(c.typ, c.value, nil)), " "); got != c.want {
			t.Errorf("%s %.60q is on %q, not on %q", c.typ, c.value, got, c.want)
		}
	}
}

// Ranges answer as a walk through all of them does.
func TestRangesAgreeWithAWalk(t *testing.T) {
	prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(rapid.IntRange(0, 3).Draw(t, "b")), byte(rapid.IntRange(0, 255).Draw(t, "c")), byte(rapid.IntRange(0, 255).Draw(t, "d"))}), rapid.IntRange(6, 32).Draw(t, "bits")).Masked()
	})
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(prefix, 0, 60).Draw(t, "ranges")
		var r ranges
		for i, p := range all {
			r.add(p, uint16(i))
		}
		r.finish()
		asked := prefix.Draw(t, "asked")
		want, got := map[netip.Prefix]bool{}, map[netip.Prefix]bool{}
		for _, p := range all {
			if holds(p, asked) {
				want[p] = true
			}
		}
		r.each(asked, func(p netip.Prefix, _ uint16) { got[p] = true })
		if fmt.Sprint(want) != fmt.Sprint(got) {
			t.Fatalf("%v lies within %v, not %v", asked, want, got)
		}
	})
}

// Every entry of the published lists is known to its own list.
func TestPublishedLists(t *testing.T) {
	all := lists(t)
	s, errs := New(all...)
	if len(errs) > 20 {
		t.Errorf("%d entries are not understood, such as %v", len(errs), errs[0])
	}
	if s.Len() < 528_000 {
		t.Errorf("%d entries", s.Len())
	}
	missed := 0
	for _, l := range all {
		if l.Type == TypeRegex {
			continue
		}
		typ := ""
		for i, e := range l.Entries {
			if i%7 != 0 {
				continue
			}
			if !slices.ContainsFunc(s.Match(typ, e, nil), func(h Hit) bool { return h.List == l.Name }) {
				missed++
				t.Logf("%s does not know its entry %q", l.Name, e)
			}
		}
	}
	if missed > len(errs) {
		t.Errorf("%d entries are not known to their own list, and only %d were refused", missed, len(errs))
	}
}

func TestParseRefuses(t *testing.T) {
	for _, raw := range []string{``, `[]`, `{"name":"x","type":"bloom","list":[]}`, `{"type":"string","list":[]}`, `{"name":"x","type":"string","list":[1]}`, `{"name":"x","type":"string","list":["a"`} {
		if _, err := Parse([]byte(raw)); err == nil {
			t.Errorf("%q was taken for a list", raw)
		}
	}
}

func FuzzMatch(f *testing.F) {
	s, _ := New(&List{Name: "h", Type: TypeHostname, Entries: []string{"a.b"}}, &List{Name: "c", Type: TypeCIDR, Entries: []string{"10.0.0.0/8"}}, &List{Name: "p", Type: TypeSubstring, Entries: []string{"x"}})
	f.Add("url", "http://[::1]/")
	f.Add("domain|ip", "a|b|c")
	f.Fuzz(func(t *testing.T, typ, value string) {
		for _, h := range s.Match(typ, value, nil) {
			if h.List == "p" && !strings.Contains(strings.ToLower(value), "x") {
				t.Errorf("%q has no x", value)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	s, _ := New(lists(b)...)
	values := [][2]string{{"domain", "malware-delivery.example-host.net"}, {"ip-dst", "185.220.101.4"}, {"sha256", strings.Repeat("ab12", 16)},
		{"url", "https://login.microsoftonline.com.evil.test/a/b/c"}, {"md5", strings.Repeat("0f", 16)}, {"hostname", "www.google.com"}, {"ip-dst", "8.8.8.8"}}
	b.ReportAllocs()
	var hits []Hit
	for i := 0; b.Loop(); i++ {
		v := values[i%len(values)]
		hits = s.Match(v[0], v[1], hits[:0])
	}
}

func BenchmarkNew(b *testing.B) {
	all := lists(b)
	b.ReportAllocs()
	for b.Loop() {
		New(all...)
	}
}

func TestInside(t *testing.T) {
	s, _ := New(&List{Name: "resolvers", Type: TypeCIDR, Entries: []string{"8.8.8.8", "9.9.9.0/24", "2001:4860::/32"}})
	for in, want := range map[string]string{"8.8.8.0/24": "8.8.8.8/32", "8.0.0.0/8": "8.8.8.8/32", "9.9.0.0/16": "9.9.9.0/24", "9.9.9.0/24": "9.9.9.0/24", "9.9.9.128/25": "", "8.8.9.0/24": "", "2001::/16": "2001:4860::/32", "7.0.0.0/8": "", "10.0.0.0/8": ""} {
		hit, ok := s.Inside(netip.MustParsePrefix(in))
		if hit.Entry != want || ok != (want != "") {
			t.Errorf("%s: %+v %v", in, hit, ok)
		}
	}
}
