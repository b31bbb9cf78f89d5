package register_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"entente/register"
	"entente/stix"
)

func constituent(id int, c register.Constituent) *register.Constituent {
	c.ID = fmt.Sprintf("constituent--8e2e2d2b-17d4-4cbf-938f-%012x", id)
	c.Name = fmt.Sprint("c", id)
	return &c
}

func says(found []register.Match) []string {
	var out []string
	for _, m := range found {
		out = append(out, fmt.Sprintf("%s %s %s", m.Constituent.Name, m.Asset.Value, m.How))
	}
	return out
}

func town() *register.Index {
	x := register.NewIndex()
	x.Put(constituent(1, register.Constituent{Criticality: register.High,
		Networks:     []register.Network{{Range: "192.0.2.0/24"}, {Range: "10.0.0.0/8", Shared: true}, {Range: "2001:db8::/32"}},
		ASNs:         []uint32{64496},
		Domains:      []register.Domain{{Name: "town.example", IncludeSubdomains: true}, {Name: "Bürgeramt.example"}},
		Certificates: []register.Certificate{{SHA256: strings.ToUpper(sum)}, {Serial: "00:0A:1B", Issuer: "CN=CA, O=Trust"}},
		Software: []register.Software{{CPE: "cpe:2.3:a:apache:http_server:2.4.49:*:*:*:*:*:*:*"}, {PURL: "pkg:npm/left-pad@1.3.0"},
			{Vendor: "Microsoft", Product: "Exchange Server"}, {CPE: "cpe:2.3:o:cisco:ios_xe:*:*:*:*:*:*:*:*", Criticality: register.Vital}},
	}))
	x.Put(constituent(2, register.Constituent{
		Networks: []register.Network{{Range: "192.0.2.64/26"}, {Range: "198.51.100.5-198.51.100.20"}},
		Domains:  []register.Domain{{Name: "mail.town.example"}},
	}))
	return x
}

func TestAValueFindsWhomItConcerns(t *testing.T) {
	x := town()
	for value, want := range map[string][]string{
		"192.0.2.70":                           {"c2 192.0.2.64/26 inside", "c1 192.0.2.0/24 inside"},
		"192.0.2.1":                            {"c1 192.0.2.0/24 inside"},
		"192.0.2.64/26":                        {"c2 192.0.2.64/26 exact", "c1 192.0.2.0/24 inside"},
		"192.0.0.0/16":                         {"c1 192.0.2.0/24 contains", "c2 192.0.2.64/26 contains"},
		"198.51.100.7":                         {"c2 198.51.100.5-198.51.100.20 inside"},
		"198.51.100.16/28":                     {"c2 198.51.100.5-198.51.100.20 overlaps"},
		"198.51.100.0/24":                      {"c2 198.51.100.5-198.51.100.20 contains"},
		"198.51.100.5-198.51.100.20":           {"c2 198.51.100.5-198.51.100.20 exact"},
		"198.51.100.4":                         nil,
		"::ffff:192.0.2.1":                     {"c1 192.0.2.0/24 inside"},
		"2001:db8::1":                          {"c1 2001:db8::/32 inside"},
		"[2001:db8::1]:443":                    {"c1 2001:db8::/32 inside"},
		"AS64496":                              {"c1 AS64496 exact"},
		"as1":                                  nil,
		"town.example":                         {"c1 town.example exact"},
		"WWW.Town.Example.":                    {"c1 town.example parent"},
		"mail.town.example":                    {"c2 mail.town.example exact", "c1 town.example parent"},
		"x.mail.town.example":                  {"c1 town.example parent"},
		"nottown.example":                      nil,
		"example":                              nil,
		"bürgeramt.example":                    {"c1 xn--brgeramt-65a.example exact"},
		"xn--brgeramt-65a.example":             {"c1 xn--brgeramt-65a.example exact"},
		"www.bürgeramt.example":                nil,
		"https://user@www.town.example:8443/x": {"c1 town.example parent"},
		"http://192.0.2.1/a?b":                 {"c1 192.0.2.0/24 inside"},
		"http://[2001:db8::1]:80/":             {"c1 2001:db8::/32 inside"},
		"http://www.town.example/%zz":          {"c1 town.example parent"},
		"mayor@town.example":                   {"c1 town.example exact"},
		sum:                                    {"c1 " + sum + " exact"},
		"cpe:2.3:a:apache:http_server:2.4.49:*:*:*:*:*:*:*": {"c1 cpe:2.3:a:apache:http_server:2.4.49:*:*:*:*:*:*:* exact"},
		"cpe:2.3:a:apache:http_server:*:*:*:*:*:*:*:*":      {"c1 cpe:2.3:a:apache:http_server:2.4.49:*:*:*:*:*:*:* contains"},
		"cpe:2.3:a:apache:http_server:2.4.*:*:*:*:*:*:*:*":  {"c1 cpe:2.3:a:apache:http_server:2.4.49:*:*:*:*:*:*:* contains"},
		"cpe:2.3:a:apache:http_server:2.4.50:*:*:*:*:*:*:*": nil,
		"cpe:/o:cisco:ios_xe:17.3":                          {"c1 cpe:2.3:o:cisco:ios_xe:*:*:*:*:*:*:*:* inside"},
		"cpe:2.3:o:cisco:ios_xe:-:*:*:*:*:*:*:*":            {"c1 cpe:2.3:o:cisco:ios_xe:*:*:*:*:*:*:*:* inside"},
		"cpe:2.3:*:apache:*:*:*:*:*:*:*:*:*":                {"c1 cpe:2.3:a:apache:http_server:2.4.49:*:*:*:*:*:*:* contains"},
		"pkg:npm/left-pad":                                  {"c1 pkg:npm/left-pad@1.3.0 contains"},
		"pkg:npm/left-pad@1.3.0?x=y":                        {"c1 pkg:npm/left-pad@1.3.0 exact"},
		"pkg:npm/left-pad@1.4.0":                            nil,
		"pkg:pypi/left-pad":                                 nil,
		"":                                                  nil,
		"hello world":                                       nil,
	} {
		if diff := cmp.Diff(want, says(x.Value(value))); diff != "" {
			t.Errorf("%s:\n%s", value, diff)
		}
	}
}

func TestSoftwareByVendorProductAndVersions(t *testing.T) {
	x := town()
	http := "c1 cpe:2.3:a:apache:http_server:2.4.49:*:*:*:*:*:*:* contains"
	for _, tc := range []struct {
		p    register.Product
		want []string
	}{
		{register.Product{Vendor: "Apache", Product: "HTTP Server"}, []string{http}},
		{register.Product{Product: "HTTP Server"}, []string{http}},
		{register.Product{Vendor: "Nginx", Product: "HTTP Server"}, nil},
		{register.Product{Vendor: "microsoft", Product: "exchange_server", Version: "2019"}, []string{"c1 Microsoft Exchange Server inside"}},
		{register.Product{Vendor: "Apache", Product: "HTTP Server", Versions: register.Versions{From: "2.4.0", Before: "2.4.50"}}, []string{http}},
		{register.Product{Vendor: "Apache", Product: "HTTP Server", Versions: register.Versions{Before: "2.4.49"}}, nil},
		{register.Product{CPE: "cpe:2.3:a:apache:http_server:*:*:*:*:*:*:*:*", Versions: register.Versions{After: "2.4.49"}}, nil},
		{register.Product{Vendor: "Microsoft", Product: "Exchange Server", Versions: register.Versions{Until: "15"}}, []string{"c1 Microsoft Exchange Server inside"}},
	} {
		if diff := cmp.Diff(tc.want, says(x.Software(tc.p))); diff != "" {
			t.Errorf("%+v:\n%s", tc.p, diff)
		}
	}
}

func TestCertificatesBySerialAndIssuer(t *testing.T) {
	x := town()
	for _, tc := range []struct{ serial, issuer, want string }{
		{"a1b", "cn=ca,o=trust", "c1 a1b exact"},
		{"0A1B", "", "c1 a1b overlaps"},
		{"a1b", "CN=Other", ""},
		{"a1c", "CN=CA,O=Trust", ""},
	} {
		if got := strings.Join(says(x.Certificate(tc.serial, tc.issuer)), "; "); got != tc.want {
			t.Errorf("%s of %s: %q", tc.serial, tc.issuer, got)
		}
	}
}

func TestAssetsSayTheirOwnCriticalityOrTheConstituents(t *testing.T) {
	x := town()
	if m := x.Value("cpe:2.3:o:cisco:ios_xe:17:*:*:*:*:*:*:*"); len(m) != 1 || m[0].Asset.Criticality != register.Vital {
		t.Errorf("%+v", m)
	}
	if m := x.Value("10.1.1.1"); len(m) != 1 || m[0].Asset.Criticality != register.High || !m[0].Asset.Shared || m[0].Asset.Position != 1 {
		t.Errorf("%+v", m)
	}
}

func TestObjectsFindWhomTheyConcern(t *testing.T) {
	x := town()
	sdo := `"spec_version":"2.1","created":"2026-01-01T00:00:00Z","modified":"2026-01-01T00:00:00Z"`
	for _, tc := range []struct{ object, want string }{
		{`{"type":"ipv4-addr","id":"ipv4-addr--cc7fa653-c35f-43db-afdd-dce4c3a241d5","value":"192.0.2.1"}`, "192.0.2.1: c1 192.0.2.0/24 inside"},
		{`{"type":"url","id":"url--cc7fa653-c35f-53db-afdd-dce4c3a241d5","value":"http://www.town.example/login"}`, "http://www.town.example/login: c1 town.example parent"},
		{`{"type":"autonomous-system","id":"autonomous-system--cc7fa653-c35f-53db-afdd-dce4c3a241d5","number":64496}`, "AS64496: c1 AS64496 exact"},
		{`{"type":"software","id":"software--cc7fa653-c35f-53db-afdd-dce4c3a241d5","name":"HTTP Server","vendor":"Apache","version":"2.4.49"}`,
			"Apache HTTP Server 2.4.49: c1 cpe:2.3:a:apache:http_server:2.4.49:*:*:*:*:*:*:* exact"},
		{`{"type":"indicator","id":"indicator--cc7fa653-c35f-43db-afdd-dce4c3a241d5",` + sdo + `,"pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z",` +
			`"pattern":"[ipv4-addr:value ISSUBSET '198.51.100.0/24' OR domain-name:value IN ('a.example','mail.town.example') OR domain-name:value NOT = 'town.example']"}`,
			"198.51.100.0/24: c2 198.51.100.5-198.51.100.20 contains; mail.town.example: c2 mail.town.example exact; mail.town.example: c1 town.example parent"},
		{`{"type":"indicator","id":"indicator--cc7fa653-c35f-43db-afdd-dce4c3a241d5",` + sdo + `,"pattern_type":"sigma","valid_from":"2026-01-01T00:00:00Z","pattern":"192.0.2.1"}`, ""},
		{`{"type":"vulnerability","id":"vulnerability--cc7fa653-c35f-43db-afdd-dce4c3a241d5",` + sdo + `,"name":"CVE-2026-0001","extensions":{"extension-definition--cc7fa653-c35f-43db-afdd-dce4c3a241d5":` +
			`{"extension_type":"property-extension","vendor_project":"Microsoft","product":"Exchange Server"}}}`, "Microsoft Exchange Server: c1 Microsoft Exchange Server exact"},
	} {
		o, err := stix.Parse([]byte(tc.object))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range x.Object(o) {
			got = append(got, f.Value+": "+says([]register.Match{f.Match})[0])
		}
		if strings.Join(got, "; ") != tc.want {
			t.Errorf("%s\n got %s\nwant %s", tc.object, strings.Join(got, "; "), tc.want)
		}
	}
}

func TestRangesAreTheirNetworks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyRange(t)
		at := r.From
		for _, p := range r.Prefixes() {
			if p.Addr() != at {
				t.Fatalf("%s: %s does not go on at %s", r, p, at)
			}
			pr, err := register.ParseRange(p.String())
			if err != nil {
				t.Fatal(err)
			}
			at = pr.To.Next()
		}
		if r.To.Next() != at {
			t.Fatalf("%s: the networks end before %s", r, at)
		}
		if again, err := register.ParseRange(r.String()); err != nil || again != r {
			t.Fatalf("%s is read as %s, %v", r, again, err)
		}
	})
}

func anyRange(t *rapid.T) register.Range {
	a, b := anyAddr(t), anyAddr(t)
	for a.BitLen() != b.BitLen() {
		b = anyAddr(t)
	}
	if b.Less(a) {
		a, b = b, a
	}
	return register.Range{From: a, To: b}
}

// anyAddr draws from few addresses, at the ends of both families too, so that ranges meet.
func anyAddr(t *rapid.T) netip.Addr {
	b := byte(rapid.IntRange(0, 40).Draw(t, "low"))
	switch rapid.IntRange(0, 3).Draw(t, "family") {
	case 0:
		return netip.AddrFrom4([4]byte{192, 0, 2, b})
	case 1:
		return netip.AddrFrom4([4]byte{255, 255, 255, 255 - b})
	case 2:
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: b})
	}
	return netip.AddrFrom4([4]byte{0, 0, 0, b})
}

// The index says of any ranges and domains what looking at every asset of every constituent says, while constituents come, change and go.
func TestTheIndexIsTheNaiveSearch(t *testing.T) {
	names := []string{"a.example", "b.a.example", "c.b.a.example", "example", "x.example", "xa.example"}
	rapid.Check(t, func(t *rapid.T) {
		x, all := register.NewIndex(), map[int]*register.Constituent{}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			id := rapid.IntRange(1, 4).Draw(t, "id")
			if rapid.IntRange(0, 3).Draw(t, "step") == 0 {
				if x.Remove(constituent(id, register.Constituent{}).ID) != (all[id] != nil) {
					t.Fatal("remove does not say whether it was there")
				}
				delete(all, id)
				continue
			}
			var c register.Constituent
			for range rapid.IntRange(0, 4).Draw(t, "networks") {
				c.Networks = append(c.Networks, register.Network{Range: anyRange(t).String()})
			}
			for range rapid.IntRange(0, 3).Draw(t, "domains") {
				c.Domains = append(c.Domains, register.Domain{Name: rapid.SampledFrom(names).Draw(t, "name"), IncludeSubdomains: rapid.Bool().Draw(t, "below")})
			}
			all[id] = constituent(id, c)
			x.Put(all[id])
		}
		q, name := anyRange(t), rapid.SampledFrom(names).Draw(t, "asked")
		var networks, domains []string
		for _, c := range all {
			for _, n := range c.Networks {
				r, err := register.ParseRange(n.Range)
				if err != nil {
					t.Fatal(err)
				}
				if how := naively(q, r); how != "" {
					networks = append(networks, fmt.Sprintf("%s %s %s", c.Name, r, how))
				}
			}
			for _, d := range c.Domains {
				switch {
				case d.Name == name:
					domains = append(domains, c.Name+" "+d.Name+" exact")
				case d.IncludeSubdomains && strings.HasSuffix(name, "."+d.Name):
					domains = append(domains, c.Name+" "+d.Name+" parent")
				}
			}
		}
		for _, tc := range []struct{ got, want []string }{{says(x.Range(q)), networks}, {says(x.Domain(name)), domains}} {
			slices.Sort(tc.got)
			slices.Sort(tc.want)
			if diff := cmp.Diff(tc.want, tc.got); diff != "" {
				t.Fatalf("%s, %s:\n%s", q, name, diff)
			}
		}
	})
}

func naively(q, r register.Range) register.How {
	inside := func(a netip.Addr, r register.Range) bool {
		return a.BitLen() == r.From.BitLen() && a.Compare(r.From) >= 0 && a.Compare(r.To) <= 0
	}
	switch {
	case q == r:
		return register.Exact
	case inside(q.From, r) && inside(q.To, r):
		return register.Inside
	case inside(r.From, q) && inside(r.To, q):
		return register.Contains
	case inside(q.From, r) || inside(q.To, r):
		return register.Overlaps
	}
	return ""
}

func TestVersionsAreOrdered(t *testing.T) {
	order := []string{"0.9", "1.0-rc1", "1.0", "1.0.1", "1.2", "1.10", "1.10a", "2", "10.0"}
	for i := range order {
		for j := range order {
			got := register.CompareVersions(order[i], order[j])
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s and %s: %d", order[i], order[j], got)
			}
		}
	}
	if register.CompareVersions("1.0", "1.0.0") != 0 || register.CompareVersions("v2.04", "v2.4") != 0 {
		t.Error("zeros make a difference")
	}
}

func FuzzCPE(f *testing.F) {
	f.Add("cpe:2.3:a:apache:http_server:2.4.49:*:*:*:*:*:*:*", "cpe:/a:apache:http_server")
	f.Add(`cpe:2.3:a:foo\\bar:big\$money:2010:*:*:*:special:ipod_touch:80gb:*`, "cpe:/a:foo%5cbar:big%24money_2010:9.%02")
	f.Fuzz(func(t *testing.T, a, b string) {
		c, err := register.ParseCPE(a)
		if err != nil {
			return
		}
		again, err := register.ParseCPE(c.String())
		if err != nil || again != c {
			t.Fatalf("%q is written as %q and read as %v, %v", a, c, again, err)
		}
		x := register.NewIndex()
		x.Put(constituent(1, register.Constituent{Software: []register.Software{{CPE: a}}}))
		x.Software(register.Product{CPE: b})
		if len(x.Software(register.Product{CPE: a})) != 1 {
			t.Fatalf("%q is not found by itself", a)
		}
	})
}

// crowd is an index of 100,000 assets, and addresses of which half concern somebody.
func crowd(b *testing.B) (*register.Index, []netip.Addr) {
	x := register.NewIndex()
	r := rand.New(rand.NewPCG(1, 2))
	var ask []netip.Addr
	for id := range 1000 {
		var c register.Constituent
		for i := range 70 {
			a := netip.AddrFrom4([4]byte{byte(11 + r.IntN(180)), byte(r.IntN(256)), byte(r.IntN(256)), 0})
			p, _ := a.Prefix(20 + r.IntN(9))
			c.Networks = append(c.Networks, register.Network{Range: p.String()})
			if i%10 == 0 {
				ask = append(ask, p.Addr().Next(), netip.AddrFrom4([4]byte{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), 1}))
			}
		}
		for i := range 20 {
			c.Domains = append(c.Domains, register.Domain{Name: fmt.Sprintf("d%d.c%d.example", i, id), IncludeSubdomains: i%2 == 0})
		}
		for i := range 10 {
			c.Software = append(c.Software, register.Software{Vendor: fmt.Sprint("v", id%50), Product: fmt.Sprint("p", id%500, i)})
		}
		x.Put(constituent(id, c))
	}
	if _, n := x.Len(); n != 100_000 {
		b.Fatal(n)
	}
	return x, ask
}

func BenchmarkAddr(b *testing.B) {
	x, ask := crowd(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		x.Addr(ask[i%len(ask)])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lookups/s")
}

func BenchmarkDomain(b *testing.B) {
	x, _ := crowd(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		x.Domain("www.d2.c77.example")
	}
}

func BenchmarkPut(b *testing.B) {
	x, _ := crowd(b)
	c := x.All()[500]
	for b.Loop() {
		x.Put(c)
	}
}
