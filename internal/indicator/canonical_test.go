package indicator

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"
)

func TestOneValueHasOneForm(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		want string // "": it is none
		text []string
	}{
		{IPv4, "203.0.113.7", []string{"203.0.113.7", " 203.0.113.7\t", "203[.]0[.]113[.]7", "::ffff:203.0.113.7", "::FFFF:cb00:7107", "203.0.113.7/32"}},
		{IPv4, "", []string{"203.0.113", "203.0.113.07", "203.0.113.256", "203.0.113.7.1", "0.0.0.0", "2001:db8::1", "", "1.2.3.4.", "fe80::1%eth0"}},
		{IPv6, "2001:db8::1", []string{"2001:DB8:0:0:0:0:0:1", "2001:db8::1", "2001:db8::0001", "2001:db8::0.0.0.1", "2001:db8::1/128"}},
		{IPv6, "", []string{"2001:db8:::1", "2001:db8", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8:9", "::", "fe80::1%1", ":1", "1:"}},
		{CIDR, "192.0.2.0/24", []string{"192.0.2.0/24", "192.0.2.99/24", "::ffff:192.0.2.0/120"}},
		{CIDR, "", []string{"0.0.0.0/0", "::/0", "192.0.2.0/33", "192.0.2.0/", "::ffff:0:0/95"}},
		{Domain, "example.org", []string{"example.org", "Example.ORG.", "*.example.org", ".example.org", "example[.]org", "example(dot)org"}},
		{Domain, "xn--mnchen-3ya.example.org", []string{"münchen.example.org", "MÜNCHEN.example.org", "xn--mnchen-3ya.example.org", "mu\u0308nchen.example.org"}},
		{Domain, "_dmarc.example.org", []string{"_dmarc.example.org"}},
		{Domain, "", []string{"localhost", "example..org", "-a.example.org", "a b.example.org", "192.0.2.1", "exa$mple.org", strings.Repeat("a.", 130) + "org", strings.Repeat("a", 64) + ".org", "."}},
		{Domain, "*.co.uk", []string{"*.co.uk", ".co.uk"}},
		{Domain, "co.uk", []string{"co.uk"}},
		{Domain, "*.tk", []string{".tk"}},
		{URL, "http://example.org/", []string{"http://example.org", "HTTP://EXAMPLE.org:80/", "http://user:secret@example.org./#top", "hxxp://example[.]org/", "http://example.org/a/..", `http://example.org\`}},
		{URL, "https://example.org:8443/a%20b/~c?q=%2F", []string{"https://example.org:08443/a b/%7ec?q=%2f", "https://EXAMPLE.org:8443/./x/../a%20b/~c?q=%2f#x"}},
		{URL, "http://[2001:db8:0:0:0:0:0:1]:8080/", []string{"http://[2001:DB8::1]:8080", "http://[2001:db8::0:1]:8080/"}},
		{URL, "//example.org/gate.php", []string{"example.org/gate.php", "//example.org/gate.php", "example.org:443/gate.php", "example[.]org/gate.php"}},
		{URL, "/gate.php?id=1", []string{"/gate.php?id=1", "/x/../gate.php?id=1"}},
		{URL, "http://example.org/a[.]b", []string{"http://example[.]org/a[.]b"}},
		{URL, "http://example.org/%C3%BC", []string{"http://example.org/ü", "http://example.org/%c3%bc"}},
		{URL, "http://example.org/100%25", []string{"http://example.org/100%", "http://example.org/100%25"}},
		{URL, "", []string{"http://", "http:///x", "http://exa mple.org/", "http://example.org:0/", "http://example.org:70000/", "http://example.org:8o/", "http://[::1/", "/", "///x", "mailto:a@example.org"}},
		{Email, "root@example.org", []string{"Root@Example.ORG", "<root@example.org>", "root[at]example[.]org", "root@example.org."}},
		{Email, "", []string{"root", "@example.org", "root@", "ro ot@example.org"}},
		{MD5, "d41d8cd98f00b204e9800998ecf8427e", []string{"D41D8CD98F00B204E9800998ECF8427E", "d41d8cd98f00b204e9800998ecf8427e "}},
		{MD5, "", []string{"d41d8cd98f00b204e9800998ecf8427", "g41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e00"}},
		{JA4, "t13d1516h2_8daaf6152771_02713d6af862", []string{"T13D1516H2_8daaf6152771_02713d6af862"}},
		{JA4, "", []string{"t13d1516h2", "t13d1516h2_8daaf615277!"}},
		{FileName, "evil.exe", []string{"EVIL.exe", "evil.EXE"}},
		{FileName, "kσσ", []string{"\u212aΣς"}},
		{FilePath, "c:/windows/temp/a.exe", []string{`C:\Windows\Temp\a.exe`, `c:\\windows\\temp\\a.exe`, `\\?\C:\Windows\Temp\a.exe`, "C:/Windows/Temp/a.exe", `\??\C:\windows\temp\a.exe`}},
		{RegistryKey, `hkey_local_machine\software\run`, []string{`HKLM\Software\Run`, `HKEY_LOCAL_MACHINE\SOFTWARE\Run\`, `\REGISTRY\MACHINE\Software\Run`, `hklm\\software\\run`}},
		{RegistryKey, "hkey_users", []string{`HKU\`, "HKEY_USERS", `\Registry\User`}},
		{RegistryKey, "hklmx", []string{"HKLMX"}},
		{Mutex, `Global\Mtx`, []string{`Global\Mtx`, ` Global\Mtx `}},
		{ASN, "AS64500", []string{"64500", "AS64500", "as64500", "0064500"}},
		{ASN, "", []string{"AS", "AS0", "4294967296", "99999999999999999999", "-1", "64500x"}},
		{0, "", []string{"x"}},
		{99, "", []string{"x"}},
	} {
		for _, text := range c.text {
			v, err := New(c.kind, text)
			switch {
			case (err != nil) != (c.want == ""):
				t.Errorf("%s %q: %v, %v", c.kind, text, v.Text(), err)
			case err == nil && v.Text() != c.want:
				t.Errorf("%s %q is %q, want %q", c.kind, text, v.Text(), c.want)
			}
		}
	}
}

func TestAPublicSuffixIsMeantAloneUnlessItIsSaid(t *testing.T) {
	b := NewBuilder(Key{3})
	for _, d := range []string{"co.uk", "no-ip.biz", "*.com.br", ".tk", "evil.no-ip.biz", "example.org"} {
		if err := b.Add(mustNew(t, Domain, d), b.Meta(Meta{Source: d})); err != nil {
			t.Fatal(err)
		}
	}
	table, err := NewTable(b.Snapshot(0), Decay{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"co.uk": "co.uk", "bank.co.uk": "", "no-ip.biz": "no-ip.biz", "me.no-ip.biz": "", "x.EVIL.no-ip.biz.": "evil.no-ip.biz", "shop.com.br": "*.com.br", "free.tk": "*.tk", "a.b.example.org": "example.org",
		"notexample.org": "", "example.org.evil.test": "", "org": "", "we!rd\x00.example.org": "example.org", strings.Repeat("x", 5000) + ".example.org": "example.org", "": "", ".": "", "..": "",
		"ü\xff.example.org": "example.org", "example。org": "example.org", "ex\u00adample.org": "example.org",
	} {
		got := ""
		table.Lookup(Domain, []byte(name), noon, func(h Hit) { got += h.Value.Text() })
		if got != want {
			t.Errorf("%.40q meets %q, want %q", name, got, want)
		}
	}
	if _, icann := publicsuffix.PublicSuffix("no-ip.biz"); icann {
		t.Error("the test wants a suffix that is a company's")
	}
}

func TestAURLStandsForWhatItSays(t *testing.T) {
	b := NewBuilder(Key{4})
	for _, u := range []string{"https://example.org/a", "example.org/b", "/gate.php", "http://example.net:8080/", "ftp://example.org/a"} {
		if err := b.Add(mustNew(t, URL, u), b.Meta(Meta{Source: u})); err != nil {
			t.Fatal(err)
		}
	}
	table, err := NewTable(b.Snapshot(0), Decay{})
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"https://EXAMPLE.org/a": "https://example.org/a", "http://example.org/a": "", "example.org/a": "https://example.org/a", "https://example.org/b#x": "//example.org/b", "gopher://example.org/b": "//example.org/b",
		"http://any.test/gate.php?id=7": "/gate.php", "/gate.php": "/gate.php", "http://any.test/x/gate.php": "", "http://any.test//example.org/b": "", "http://example.net:8080": "http://example.net:8080/", "http://example.net/": "", "//example.org/b": "//example.org/b",
	} {
		got := ""
		table.Lookup(URL, []byte(url), noon, func(h Hit) { got += h.Value.Text() })
		if got != want {
			t.Errorf("%q meets %q, want %q", url, got, want)
		}
	}
}

func TestAPathMeetsItsFilesName(t *testing.T) {
	b := NewBuilder(Key{5})
	for _, v := range []Value{mustNew(t, FileName, "evil.exe"), mustNew(t, FileName, `C:\Temp\a.dll`)} {
		if err := b.Add(v, b.Meta(Meta{Source: "s"})); err != nil {
			t.Fatal(err)
		}
	}
	table, _ := NewTable(b.Snapshot(0), Decay{})
	for path, want := range map[string]int{`C:\Users\x\EVIL.exe`: 1, "/tmp/evil.exe": 1, "evil.exe": 1, "notevil.exe": 0, `c:\temp\A.DLL`: 1, "a.dll": 0, `D:\temp\a.dll`: 0, `C:\evil.exe\x`: 0} {
		for _, k := range []Kind{FileName, FilePath} {
			if got := len(hits(table, k, path, noon)); got != want {
				t.Errorf("%s %q meets %d, want %d", k, path, got, want)
			}
		}
	}
}

// What New makes of a text it makes of its own text again, and a lookup of either finds it.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "::ffff:192.0.2.1", "2001:db8::/32", "*.co.uk", "münchen.example", "hxxp://a[.]b/../%7E?%zz#f", "//h/p", "/p/./..//x", "A@B.example", `\\?\C:\x\\y`, `HKLM\\x\`, "\u212a", "AS1", "(%2E)@x.org", "http://[[.].]/", "a.\u3002"} {
		for k := range kinds {
			f.Add(byte(k), s)
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, text string) {
		k := Kind(kind) % Kind(kinds)
		v, err := New(k, text)
		if guess, e := Of(text); e == nil && guess.Kind == k && err == nil && guess != v {
			t.Fatalf("%s %q is guessed as %q and read as %q", k, text, guess.Text(), v.Text())
		}
		if err != nil {
			return
		}
		again, err := New(v.Kind, v.Text())
		if err != nil || again != v {
			t.Fatalf("%s %q is %q, which is %q %v", k, text, v.Text(), again.Text(), err)
		}
		if v.Kind == CIDR {
			return
		}
		b := NewBuilder(Key{7})
		if err := b.Add(v, b.Meta(Meta{})); err != nil {
			t.Fatal(err)
		}
		table, _ := NewTable(b.Snapshot(0), Decay{})
		name := v.Text()
		if v.Kind == Domain {
			name = strings.TrimPrefix(name, "*.")
		}
		for _, seen := range []string{name, v.key} {
			if seen == v.key && (v.Kind == IPv4 || v.Kind == IPv6 || v.Kind.hashSize() > 0 || v.Kind == ASN) {
				continue // octets, no text
			}
			found := false
			table.Lookup(v.Kind, []byte(seen), noon, func(h Hit) { found = h.Value == v })
			if !found {
				t.Fatalf("a lookup of %s %q does not find it", v.Kind, seen)
			}
		}
	})
}

// The address reader agrees with net/netip about everything but zones.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "01.2.3.4", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1::1.2.3.4:5", "12345::", "fe80::1%x", ":::", "1:::2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var a [16]byte
		four, ok := parseAddr(&a, []byte(s))
		want, err := netip.ParseAddr(s)
		if valid := err == nil && want.Zone() == ""; valid != ok {
			t.Fatalf("%q: %v, and net/netip says %v %v", s, ok, want, err)
		}
		if !ok {
			return
		}
		got := netip.AddrFrom16(a)
		if four {
			got = netip.AddrFrom4([4]byte(a[:4]))
		}
		if got != want.Unmap() {
			t.Fatalf("%q is %v, and net/netip says %v", s, got, want)
		}
	})
}
