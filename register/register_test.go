package register_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"entente/register"
	"entente/stix"
)

const head = `"type":"constituent","spec_version":"2.1","id":"constituent--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","created":"2026-01-01T00:00:00.000Z",` +
	`"modified":"2026-01-01T00:00:00.000Z","extensions":{"extension-definition--7b1f2c0e-5d0b-4c55-9a37-6e7d0c4b9e21":{"extension_type":"new-sdo"}}`

func object(members string) []byte {
	return []byte(`{` + head + `,"name":"Stadtwerke",` + members + `}`)
}

const whole = `"aliases":["SW"],"description":"water and power","sectors":["energy","water","x-election"],"criticality":"vital","country":"DE","languages":["de","en"],` +
	`"org":"Stadtwerke","external_references":[{"source_name":"netbox","external_id":"tenant/7"}],` +
	`"contacts":[{"name":"Desk","role":"duty officer","email":"desk@stadtwerke.example","phone":"+49 30 1","hours":{"zone":"Europe/Berlin","mon":"08:00-12:00,13:00-17:00","sat":"22:00-06:00"},` +
	`"languages":["de"],"webhook":"sirens","receives":["alerts","vulnerabilities"],"purpose":"incidents"},{"name":"Always","hours":{"always":true}}],` +
	`"networks":[{"range":"192.0.2.0/24","name":"office","site":"Berlin","criticality":"high"},{"range":"198.51.100.5-198.51.100.20","shared":true},{"range":"2001:db8::/32"}],` +
	`"asns":[64496],"domains":[{"name":"stadtwerke.example","include_subdomains":true,"criticality":"high"}],` +
	`"certificates":[{"sha256":"` + sum + `","subject":"CN=x"},{"serial":"0A:1B","issuer":"CN=CA, O=Trust"}],` +
	`"software":[{"cpe":"cpe:2.3:a:apache:http_server:2.4.49:*:*:*:*:*:*:*","count":3},{"purl":"pkg:npm/left-pad@1.3.0"},{"vendor":"Microsoft","product":"Exchange Server","version":"2019"}]`

const sum = "aa11bb22cc33dd44ee55ff66aa11bb22cc33dd44ee55ff66aa11bb22cc33dd44"

func TestAConstituentIsReadWrittenAndIsSTIX(t *testing.T) {
	c, err := register.Parse(object(whole))
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	again, err := register.Parse(b)
	if err != nil {
		t.Fatalf("what was written is not read: %v", err)
	}
	if b2, _ := again.Canonical(); string(b2) != string(b) {
		t.Errorf("written twice:\n%s\n%s", b, b2)
	}
	for _, raw := range append(register.Definition(), b) {
		o, err := stix.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range stix.Validate(o, stix.Options{}) {
			t.Errorf("%s: %s %s: %s", o.ID(), f.Code, f.Pointer, f.Message)
		}
	}
	if c.Assets() != 3+1+1+2+3 {
		t.Errorf("assets: %d", c.Assets())
	}
}

func TestWhatBreaksARuleIsRefusedWithItsPlace(t *testing.T) {
	for _, tc := range []struct{ members, code, pointer string }{
		{`"nam":"x"`, "constituent.member", "/nam"},
		{`"sectors":["energi"]`, "constituent.word", "/sectors/0"},
		{`"sectors":"energy"`, "constituent.kind", "/sectors"},
		{`"criticality":"huge"`, "constituent.criticality", "/criticality"},
		{`"country":"Germany"`, "constituent.country", "/country"},
		{`"languages":["de","english please"]`, "constituent.word", "/languages/1"},
		{`"contacts":[{"name":"a"},{"name":"b","email":"nobody"}]`, "constituent.email", "/contacts/1/email"},
		{`"contacts":[{"name":""}]`, "constituent.word", "/contacts/0/name"},
		{`"contacts":[{"name":"a","hours":{"zone":"Europe/Berlin","mon":"8-17"}}]`, "constituent.hours", "/contacts/0/hours/mon"},
		{`"contacts":[{"name":"a","hours":{"mon":"08:00-17:00"}}]`, "constituent.hours", "/contacts/0/hours/zone"},
		{`"contacts":[{"name":"a","hours":{"zone":"../../etc/passwd","mon":"08:00-17:00"}}]`, "constituent.hours", "/contacts/0/hours/zone"},
		{`"contacts":[{"name":"a","receives":["everything"]}]`, "constituent.receives", "/contacts/0/receives/0"},
		{`"contacts":[{"name":"a","pgp_key":"hello"}]`, "constituent.key", "/contacts/0/pgp_key"},
		{`"contacts":[{"name":"a","pgp_key":"-----BEGIN PGP PRIVATE KEY BLOCK-----"}]`, "constituent.key", "/contacts/0/pgp_key"},
		{`"contacts":[{"name":"a","smime_certificate":"-----BEGIN X-----"}]`, "constituent.key", "/contacts/0/smime_certificate"},
		{`"networks":[{"range":"192.0.2.1/24"}]`, "constituent.range", "/networks/0/range"},
		{`"networks":[{"range":"192.0.2.9-192.0.2.1"}]`, "constituent.range", "/networks/0/range"},
		{`"networks":[{"range":"192.0.2.9-2001:db8::1"}]`, "constituent.range", "/networks/0/range"},
		{`"networks":[{"range":"192.0.2.0/24"},{"range":"192.0.2.0-192.0.2.255"}]`, "constituent.twice", "/networks/1"},
		{`"asns":[0]`, "constituent.asn", "/asns/0"},
		{`"asns":[-1]`, "constituent.kind", "/asns/0"},
		{`"domains":[{"name":"*.example.org"}]`, "constituent.domain", "/domains/0/name"},
		{`"domains":[{"name":"org","include_subdomains":true}]`, "constituent.domain", "/domains/0/name"},
		{`"domains":[{"name":"a b"}]`, "constituent.domain", "/domains/0/name"},
		{`"domains":[{"name":"192.0.2.1"}]`, "constituent.domain", "/domains/0/name"},
		{`"certificates":[{"serial":"01"}]`, "constituent.certificate", "/certificates/0"},
		{`"certificates":[{"sha256":"zz"}]`, "constituent.certificate", "/certificates/0/sha256"},
		{`"software":[{"cpe":"cpe:2.3:a:b"}]`, "constituent.cpe", "/software/0/cpe"},
		{`"software":[{"purl":"npm/x"}]`, "constituent.purl", "/software/0/purl"},
		{`"software":[{"product":"--"}]`, "constituent.software", "/software/0"},
		{`"software":[{"vendor":"x"}]`, "constituent.software", "/software/0"},
		{`"software":[{"cpe":"cpe:2.3:a:b:c:*:*:*:*:*:*:*:*","product":"c"}]`, "constituent.software", "/software/0"},
		{`"software":[{"product":"c","count":-1}]`, "constituent.count", "/software/0/count"},
		{`"previous":"abc"`, "constituent.previous", "/previous"},
		{`"name":"twice"`, "constituent.json", "/name"},
	} {
		raw := object(tc.members)
		_, err := register.Parse(raw)
		var e *register.Error
		if !errors.As(err, &e) || e.Code != tc.code || e.Pointer != tc.pointer {
			t.Errorf("%s: got %v, want %s at %s", tc.members, err, tc.code, tc.pointer)
			continue
		}
		if e.Offset < int64(len(head)) || e.Offset >= int64(len(raw)) {
			t.Errorf("%s: offset %d is not in the members", tc.members, e.Offset)
		}
	}
}

func TestAnErrorPointsAtTheByte(t *testing.T) {
	raw := object(`"networks":[{"range":"192.0.2.0/24"}, {"name":"x", "range" : "nonsense"}]`)
	_, err := register.Parse(raw)
	var e *register.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if got := string(raw[e.Offset:]); !strings.HasPrefix(got, `"nonsense"`) {
		t.Errorf("the offset leads to %.30q", got)
	}
}

func TestBoundsHold(t *testing.T) {
	many := strings.Repeat(`{"name":"a"},`, register.MaxContacts) + `{"name":"a"}`
	if _, err := register.Parse(object(`"contacts":[` + many + `]`)); err == nil || !strings.Contains(err.Error(), "constituent.many") {
		t.Error(err)
	}
	if _, err := register.Parse(object(`"description":"` + strings.Repeat("x", register.MaxBytes) + `"`)); err == nil || !strings.Contains(err.Error(), "constituent.size") {
		t.Error(err)
	}
}

func TestDutyHours(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("this machine has no table of time zones")
	}
	h := &register.Hours{Zone: "Europe/Berlin", Mon: "08:00-12:00,13:00-17:00", Sun: "22:00-06:00"}
	for at, want := range map[string]bool{
		"2026-11-23T08:00:00+01:00": true,  // Monday
		"2026-11-23T07:30:00Z":      true,  // 08:30 there
		"2026-11-23T12:30:00+01:00": false, // lunch
		"2026-11-23T05:59:00+01:00": true,  // Sunday's night
		"2026-11-23T06:00:00+01:00": false,
		"2026-11-22T23:00:00+01:00": true,
		"2026-11-24T09:00:00+01:00": false,
		"2026-07-20T06:30:00Z":      true, // summer time: 08:30 there
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.Open(when, berlin); got != want {
			t.Errorf("%s: %v", at, got)
		}
	}
	if !(&register.Hours{Always: true}).Open(time.Time{}, nil) || (*register.Hours)(nil).Open(time.Now(), berlin) {
		t.Error("always is always, and unknown is never")
	}
}

func TestNormalisedDraftsThatSayTheSameAreEqual(t *testing.T) {
	a, err := register.ParseDraft([]byte(`{"name":"A","networks":[{"range":"192.0.2.0-192.0.2.255"},{"range":"10.0.0.1"}],"domains":[{"name":"B.Example."},{"name":"a.example"}],"asns":[2,1]}`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := register.ParseDraft([]byte(`{"name":"A","networks":[{"range":"10.0.0.1/32"},{"range":"192.0.2.0/24"}],"domains":[{"name":"a.example"},{"name":"b.example"}],"asns":[1,2]}`))
	if err != nil {
		t.Fatal(err)
	}
	a.Normalise()
	b.Normalise()
	ca, _ := a.Canonical()
	cb, _ := b.Canonical()
	if string(ca) != string(cb) {
		t.Errorf("\n%s\n%s", ca, cb)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(object(whole))
	f.Add([]byte(`{"name":"x"}`))
	f.Add([]byte(`{"networks":[{"range":"::/0"}],"software":[{"cpe":"cpe:2.3:a:*x:y??:*:*:*:*:*:*:*:*"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, parse := range []func([]byte) (*register.Constituent, error){register.Parse, register.ParseDraft} {
			c, err := parse(raw)
			if err != nil {
				var e *register.Error
				if !errors.As(err, &e) || e.Code == "" || e.Offset < 0 || e.Offset > int64(len(raw)) {
					t.Fatalf("an error without code or place: %#v", err)
				}
				continue
			}
			c.Normalise()
			if err := c.CheckDraft(); err != nil {
				t.Fatalf("normalising broke it: %v", err)
			}
			b, err := c.Canonical()
			if err != nil {
				continue // larger than what was read
			}
			if _, err := parse(b); err != nil {
				t.Fatalf("what was written is not read: %v\n%s", err, b)
			}
			x := register.NewIndex()
			x.Put(c)
			for _, n := range c.Networks {
				if len(x.Value(n.Range)) == 0 {
					t.Fatalf("%s is not found by itself", n.Range)
				}
			}
			for _, d := range c.Domains {
				if len(x.Domain(d.Name)) == 0 {
					t.Fatalf("%s is not found by itself", d.Name)
				}
			}
			for _, s := range c.Software {
				p := register.Product{CPE: s.CPE, PURL: s.PURL, Vendor: s.Vendor, Product: s.Product, Version: s.Version}
				if len(x.Software(p)) == 0 {
					t.Fatalf("%+v is not found by itself", s)
				}
			}
			x.Remove(c.ID)
			if n, a := x.Len(); n != 0 || a != 0 {
				t.Fatal("the index is not empty after the only constituent was removed")
			}
		}
	})
}
