package observable

import (
	"strings"
	"testing"

	"entente/stix/pattern"
)

func TestValues(t *testing.T) {
	for _, c := range []struct{ word, in, kind, out string }{
		{"", "192.0.2.1", "ipv4", "192.0.2.1"},
		{"", "192[.]0[.]2[.]1", "ipv4", "192.0.2.1"},
		{"", "192.0.2.77/24", "ipv4", "192.0.2.0/24"},
		{"", "192.0.2.1/32", "ipv4", "192.0.2.1"},
		{"", "2001:DB8::1", "ipv6", "2001:db8::1"},
		{"ip", "2001:db8::/32", "ipv6", "2001:db8::/32"},
		{"", "192.0.2.1:8080", "ip-port", "192.0.2.1:8080"},
		{"", "[2001:db8::1]:443", "ip-port", "[2001:db8::1]:443"},
		{"", "Evil.EXAMPLE.", "domain", "evil.example"},
		{"", "evil(dot)example[.]com", "domain", "evil.example.com"},
		{"", "_dmarc.evil.example", "domain", "_dmarc.evil.example"},
		{"", "*.evil.example", "domain", "evil.example"},
		{"", "bücher.example", "domain", "xn--bcher-kva.example"},
		{"", "hxxps://Evil.example/A?b=C#d", "url", "https://evil.example/A?b=C#d"},
		{"", "hXXp[:]//evil[.]example/x", "url", "http://evil.example/x"},
		{"url", "ftp://files.example/a b", "", "value.url"},
		{"", "bad.guy[at]evil[.]example", "email", "bad.guy@evil.example"},
		{"", "44D88612FEA8A8F36DE82E1278ABB02F", "md5", "44d88612fea8a8f36de82e1278abb02f"},
		{"sha256_hash", strings.Repeat("ab", 32), "sha256", strings.Repeat("ab", 32)},
		{"", strings.Repeat("0", 40), "sha1", strings.Repeat("0", 40)},
		{"", "00-11-22-AA-BB-CC", "mac", "00:11:22:aa:bb:cc"},
		{"filename", "it's\\here.exe", "file-name", "it's\\here.exe"},
		{"", "nonsense", "", "value.unknown"},
		{"", "1.2.3", "", "value.unknown"},
		{"", "0.0.0.0", "", "value.unknown"},
		{"", "0.0.0.0/0", "", "value.unknown"},
		{"", "a..b", "", "value.unknown"},
		{"", "-a.example", "", "value.unknown"},
		{"sha1", "44d88612fea8a8f36de82e1278abb02f", "", "value.sha1"},
		{"", " ", "", "value.empty"},
		{"", "a\x01.example", "", "value.control"},
		{"", "\xff\xfe", "", "value.utf8"},
		{"", strings.Repeat("a", maxValue+1), "", "value.long"},
	} {
		k, out, code := Read(Kinds(c.word), c.in, "")
		if c.kind == "" && (k != nil || code != c.out) || c.kind != "" && (k == nil || k.Name != c.kind || out != c.out) {
			t.Errorf("%q as %q: %v %q %s", c.in, c.word, k, out, code)
		}
	}
	if k, out, _ := Read(Kinds("url"), "evil.example/a", "http"); k == nil || out != "http://evil.example/a" {
		t.Errorf("a URL with the feed's scheme: %q", out)
	}
}

func FuzzValue(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "hxxp://a[.]b/c", "a@b.example", "[::1]:80", "it's \\ here", "::ffff:1.2.3.4", "%zz://", "xn--", "1.2.3.4/99"} {
		f.Add("", s)
		f.Add("file-name", s)
	}
	f.Fuzz(func(t *testing.T, word, s string) {
		k, v, code := Read(Kinds(word), s, "http")
		if k == nil {
			if code == "" {
				t.Errorf("%q is unusable and nobody says why", s)
			}
			return
		}
		if _, err := pattern.Parse(k.Pattern(v)); err != nil {
			t.Errorf("%q makes the pattern %s: %v", s, k.Pattern(v), err)
		}
		if again, ok := k.parse(v); !ok || again != v {
			t.Errorf("%q becomes %q, which becomes %q", s, v, again)
		}
	})
}
