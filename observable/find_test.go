package observable

import (
	"fmt"
	"strings"
	"testing"

	"entente/stix/pattern"

	"github.com/google/go-cmp/cmp"
)

func TestFind(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string // kind value doubt
	}{
		"a report": {"The group used hxxps://login[.]evil[.]example/a?b=1 and 198.51.100[.]7 (see CVE-2024-3400, T1566.001).",
			[]string{"url https://login.evil.example/a?b=1", "ipv4 198.51.100.7", "vulnerability CVE-2024-3400", "attack-pattern T1566.001"}},
		"a table":                  {"| SHA256 | " + strings.Repeat("AB", 32) + " |\n| dropper | C:\\Users\\Public\\update.exe |", []string{"sha256 " + strings.Repeat("ab", 32), "file-name update.exe"}},
		"behind a sign":            {"MD5:44d88612fea8a8f36de82e1278abb02f, c2=evil.example", []string{"md5 44d88612fea8a8f36de82e1278abb02f", "domain evil.example"}},
		"enclosed":                 {"(evil.example) [evil.example], <evil.example>; \"evil.example\".", []string{"domain evil.example"}},
		"an address with a port":   {"beacon to [2001:db8::1]:8443 and 198.51.100.7:443.", []string{"ip-port [2001:db8::1]:8443", "ip-port 198.51.100.7:443"}},
		"no domains":               {"e.g. self.value or main.go, i.e. not this. Version 3.4 of v1.2.3.", nil},
		"a file or a domain":       {"setup.py and install[.]sh", []string{"domain setup.py domain.file", "domain install.sh"}},
		"a version or an address":  {"OpenSSL 1.1.1.2", []string{"ipv4 1.1.1.2 address.version"}},
		"own network":              {"from 10.0.0.5 to 192.168.1.0/24", []string{"ipv4 10.0.0.5 address.special", "ipv4 192.168.1.0/24 address.special"}},
		"sources":                  {"https://www.virustotal.com/gui/file/x and attack.mitre.org but github[.]com", []string{"url https://www.virustotal.com/gui/file/x domain.reference", "domain attack.mitre.org domain.reference", "domain github.com"}},
		"a list of defanged names": {"evil[.]example\nbad(dot)example\nuser[at]evil[.]example", []string{"domain evil.example", "domain bad.example", "email user@evil.example"}},
		"nothing":                  {"Nothing to see here; move on!", nil},
	} {
		t.Run(name, func(t *testing.T) {
			found, _ := Find(c.text)
			var got []string
			for _, f := range found {
				got = append(got, strings.TrimSpace(f.Kind+" "+f.Value+" "+f.Doubt))
				if f.Doubt != "" && Doubts()[f.Doubt] == "" {
					t.Errorf("nobody says what %s means", f.Doubt)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestFindCounts(t *testing.T) {
	found, cut := Find("evil.example\n\nEVIL.example, evil[.]example")
	if len(found) != 1 || cut || found[0].Times != 3 || found[0].Line != 1 || found[0].Written != "evil.example" || found[0].Pattern != "[domain-name:value = 'evil.example']" {
		t.Errorf("%+v", found)
	}
	var many strings.Builder
	for i := range MaxFound + 10 {
		fmt.Fprintf(&many, "a%d.example\n", i)
	}
	if found, cut := Find(many.String()); len(found) != MaxFound || !cut {
		t.Errorf("%d, cut %v", len(found), cut)
	}
}

func FuzzFind(f *testing.F) {
	f.Add("The group used hxxps://login[.]evil[.]example/a?b=1 and 198.51.100[.]7 (see CVE-2024-3400, T1566.001).")
	f.Add("[[((a.example))]] [2001:db8::1]:8443 {x}: =a.example C:\\a\\b.exe \xff")
	f.Fuzz(func(t *testing.T, s string) {
		found, _ := Find(s)
		for _, v := range found {
			if v.Pattern == "" {
				continue
			}
			if _, err := pattern.Parse(v.Pattern); err != nil {
				t.Errorf("%q makes %s: %v", v.Written, v.Pattern, err)
			}
			if v.Times < 1 || v.Line < 1 {
				t.Errorf("%+v", v)
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	text := strings.Repeat("The group used hxxps://login[.]evil[.]example/a?b=1 and 198.51.100[.]7 (see CVE-2024-3400, T1566.001) in many words that are none.\n", 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Find(text)
	}
}
