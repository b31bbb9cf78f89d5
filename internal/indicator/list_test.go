package indicator

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"entente/internal/fault"
	"entente/stix"
	"entente/stix/pattern"
)

func readList(t *testing.T, text string, o ListOptions) (out []string, err error) {
	err = ReadList(strings.NewReader(text), o, func(v Value) error {
		out = append(out, v.Kind.String()+" "+v.Text())
		return nil
	}, func(line int, l Left) { out = append(out, fmt.Sprintf("left %d %s", line, l.Code)) })
	return out, err
}

func TestLists(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		o    ListOptions
		want []string
	}{
		"plain": {"\ufeff# a list\n\n192.0.2.1  # with a word\r\nhxxp://example[.]org/#x\nexample.org\nwhat is this\n2001:db8::/32\n; end\nroot@example.org", ListOptions{},
			[]string{"ipv4 192.0.2.1", "url http://example.org/", "domain example.org", "left 6 indicator.domain", "cidr 2001:db8::/32", "email root@example.org"}},
		"one kind":  {"a # b\n", ListOptions{Kind: Mutex}, []string{"mutex a # b"}},
		"long line": {"192.0.2.1\n" + strings.Repeat("x", 200_000) + "\n192.0.2.2\n" + strings.Repeat("x", 9000) + "\n", ListOptions{}, []string{"ipv4 192.0.2.1", "left 2 list.line", "ipv4 192.0.2.2", "left 4 indicator.domain"}},
		"zeek": {"#fields\tindicator\tindicator_type\tmeta.source\n192.0.2.0/24\tIntel::SUBNET\tx\nexample.org\tIntel::DOMAIN\tx\nexample.org/x\tIntel::URL\tx\nme\tIntel::USER_NAME\tx\nhalf\n" + strings.Repeat("a", 32) + "\tIntel::FILE_HASH\t-\n", ListOptions{},
			[]string{"cidr 192.0.2.0/24", "domain example.org", "url //example.org/x", "left 5 list.kind", "left 6 list.line", "md5 " + strings.Repeat("a", 32)}},
		"csv by name":   {"id,IOC,x\n1,192.0.2.1,\n2\n3,\"example.org\",\n", ListOptions{Format: CSV, Column: "ioc"}, []string{"ipv4 192.0.2.1", "left 3 list.line", "domain example.org"}},
		"csv by number": {"1;192.0.2.1\n#x;y\n", ListOptions{Format: CSV, Column: "2", Comma: ';'}, []string{"ipv4 192.0.2.1"}},
		"empty":         {"", ListOptions{}, nil},
	} {
		if got, err := readList(t, c.text, c.o); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v\ngot  %q\nwant %q", name, err, got, c.want)
		}
	}
	for _, o := range []ListOptions{{Format: "yaml"}, {Kind: 77}, {Format: CSV, Column: "none"}} {
		if _, err := readList(t, "a,b\n", o); fault.Of(err) != fault.Invalid {
			t.Errorf("%v: %v", o, err)
		}
	}
	full := fmt.Errorf("full")
	for _, f := range []string{Plain, CSV} {
		if err := ReadList(strings.NewReader("192.0.2.1\n"), ListOptions{Format: f}, func(Value) error { return full }, nil); err != full {
			t.Error(err)
		}
	}
}

// Whatever a list is, what is read of it are values, and its lines are counted.
func FuzzReadList(f *testing.F) {
	for _, s := range []string{"192.0.2.1\n#x\n\ufeffexample.org # y", "#fields\tindicator\tindicator_type\nx.org\tIntel::DOMAIN\n", "a,b\n\"x\n", "\"", ";;\n", "\x00\n\r\r"} {
		for n := range byte(3) {
			f.Add(s, n)
		}
	}
	f.Fuzz(func(t *testing.T, text string, form byte) {
		lines := strings.Count(text, "\n") + 1
		_ = ReadList(strings.NewReader(text), ListOptions{Format: []string{"", CSV, Zeek}[form%3]}, func(v Value) error {
			if again, err := New(v.Kind, v.Text()); err != nil || again != v {
				t.Fatalf("%s %q is %q %v", v.Kind, v.Text(), again.Text(), err)
			}
			return nil
		}, func(line int, l Left) {
			if line < 1 || line > lines+1 || l.Code == "" || l.Detail == "" {
				t.Fatalf("line %d of %d is left with %+v", line, lines, l)
			}
		})
	})
}

func TestPatternsThatAreListsOfValues(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for text, want := range map[string]string{
		"[ipv4-addr:value = '192.0.2.1']":                                                           "ipv4 192.0.2.1",
		"[ipv4-addr:value = '192.0.2.0/24' OR ipv6-addr:value = '2001:db8::1']":                     "cidr 192.0.2.0/24, ipv6 2001:db8::1",
		"[ipv4-addr:value ISSUBSET '192.0.2.0/24']":                                                 "cidr 192.0.2.0/24",
		"[domain-name:value IN ('a.example.org', 'b.example.org')] OR [url:value = 'http://x.org']": "domain a.example.org, domain b.example.org, url http://x.org/",
		"([email-addr:value = 'a@x.org'] OR [mutex:name = 'm'])":                                    "email a@x.org, mutex m",
		"[file:hashes.'SHA-256' = '" + hash + "' OR file:hashes.MD5 = '" + hash[:32] + "']":         "sha256 " + hash + ", md5 " + hash[:32],
		"[file:name = 'a.exe']": "file-name a.exe",
		"[file:parent_directory_ref.path = 'C:\\\\Temp' AND file:name = 'a.exe']":                              "file-path c:/temp/a.exe",
		"[windows-registry-key:key = 'HKLM\\\\x' OR windows-registry-key:values[*].data = 'D']":                "registry-key hkey_local_machine\\x, registry-data d",
		"[network-traffic:dst_ref.value = '192.0.2.1' OR network-traffic:src_ref.value = 'x.org']":             "ipv4 192.0.2.1, domain x.org",
		"[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '192.0.2.9']":         "ipv4 192.0.2.9",
		"[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'evil/1']":               "user-agent evil/1",
		"[autonomous-system:number = 64500]":                                                                   "asn AS64500",
		"[network-traffic:extensions.'x-tls-ext'.ja3s_hash = '" + hash[:32] + "']":                             "ja3s " + hash[:32],
		"[x-ja3:hash = '" + hash[:32] + "' OR network-traffic:x_ja4 = 't13d1516h2_8daaf6152771_02713d6af862']": "ja3 " + hash[:32] + ", ja4 t13d1516h2_8daaf6152771_02713d6af862",
		"[domain-name:value = 'not a name' OR domain-name:value = 'x.org']":                                    "domain x.org, left indicator.domain",
		"[domain-name:value = 'x.org' AND ipv4-addr:value = '192.0.2.1']":                                      "left pattern",
		"[domain-name:value LIKE '%.org']":                                                                     "left pattern",
		"[domain-name:value NOT = 'x.org']":                                                                    "left pattern",
		"[domain-name:value != 'x.org']":                                                                       "left pattern",
		"[domain-name:value = 'x.org'] FOLLOWEDBY [domain-name:value = 'y.org']":                               "left pattern",
		"[domain-name:value = 'x.org'] REPEATS 5 TIMES":                                                        "left pattern",
		"[email-message:to_refs[0].value = 'a@x.org']":                                                         "left pattern",
		"[process:command_line = 'x']":                                                                         "left pattern",
		"[file:hashes.SSDEEP = 'x']":                                                                           "left pattern",
		"[domain-name:value = 'x.org' OR process:pid = 5]":                                                     "left pattern",
		"[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:src_ref.value = '192.0.2.9']":         "left pattern",
	} {
		p, err := pattern.Parse(text)
		if err != nil {
			t.Fatal(text, err)
		}
		values, left := fromPattern(p)
		var got []string
		for _, v := range values {
			got = append(got, v.Kind.String()+" "+v.Text())
		}
		for _, l := range left {
			got = append(got, "left "+l.Code)
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%s\ngives %s\nwant  %s", text, s, want)
		}
	}
}

func TestObjects(t *testing.T) {
	const id = "--11111111-1111-4111-8111-111111111111"
	for text, want := range map[string]string{
		`{"type":"indicator","pattern_type":"stix","pattern":"[url:value = 'http://x.org/']","valid_from":"2026-11-22T12:00:00Z","valid_until":"2026-11-23T12:00:00Z","modified":"2026-11-22T11:00:00Z","confidence":70`: "url http://x.org/",
		`{"type":"indicator","pattern_type":"sigma","pattern":"x"`:                                        "left pattern.language",
		`{"type":"indicator","pattern_type":"stix","pattern":"[x"`:                                        "left pattern.syntax",
		`{"type":"ipv4-addr","value":"192.0.2.0/24"`:                                                      "cidr 192.0.2.0/24",
		`{"type":"ipv6-addr","value":"2001:db8::1"`:                                                       "ipv6 2001:db8::1",
		`{"type":"domain-name","value":"X.org"`:                                                           "domain x.org",
		`{"type":"url","value":"http://x.org"`:                                                            "url http://x.org/",
		`{"type":"email-addr","value":"a@x.org"`:                                                          "email a@x.org",
		`{"type":"mutex","name":"m"`:                                                                      "mutex m",
		`{"type":"windows-registry-key","key":"HKCU\\x"`:                                                  "registry-key hkey_current_user\\x",
		`{"type":"autonomous-system","number":64500`:                                                      "asn AS64500",
		`{"type":"file","name":"a.exe","hashes":{"MD5":"00000000000000000000000000000001","SHA-1":"bad"}`: "md5 00000000000000000000000000000001, left indicator.sha1",
		`{"type":"file","name":"a.exe"`:                                                                   "file-name a.exe",
		`{"type":"file","size":4`:                                                                         "left empty",
		`{"type":"network-traffic","protocols":["tcp"],"extensions":{"http-request-ext":{"request_header":{"User-Agent":"evil/1"}}}`: "user-agent evil/1",
		`{"type":"malware","name":"x"`: "left type",
	} {
		typ, _, _ := strings.Cut(strings.TrimPrefix(text, `{"type":"`), `"`)
		o, err := stix.Parse([]byte(text + `,"id":"` + typ + id + `","spec_version":"2.1"}`))
		if err != nil {
			t.Fatal(text, err)
		}
		m, values, left := FromObject(o)
		var got []string
		for _, v := range values {
			got = append(got, v.Kind.String()+" "+v.Text())
		}
		for _, l := range left {
			got = append(got, "left "+l.Code)
		}
		if s := strings.Join(got, ", "); s != want || m.Source != typ+id {
			t.Errorf("%s\ngives %s\nwant  %s", text, s, want)
		}
		if strings.Contains(text, "valid_from") && (m.Confidence != 70 || !m.From.Equal(noon) || !m.Since.Equal(noon) || m.Until.Sub(m.From).Hours() != 24) {
			t.Errorf("%+v", m)
		}
	}
}
