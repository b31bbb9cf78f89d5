package asset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"entente/internal/fault"
	"entente/register"
)

func TestTablesAreReadRowByRow(t *testing.T) {
	w := newTown(t)
	r := w.bring("csv", "\xef\xbb\xbfConstituent,Kind,Value,Name,Include subdomains,Count,Hours,Receives,Email,Issuer\n"+
		"Harbour,,192.0.2.0/24,office,,,,,,\n"+
		"\n"+
		"Harbour,,192.0.2.7/24,,,,,,,\n"+ // 4: host bits
		",,192.0.2.7,,,,,,,\n"+ // 5: nobody
		"Harbour,ship,x,,,,,,,\n"+ // 6: no such kind
		"Harbour,domain,harbour.example,,perhaps,,,,,\n"+ // 7: neither yes nor no
		"Harbour,software,Radar,,,many,,,,\n"+ // 8: no number
		"Harbour,contact,,Desk,,,nine to five,,desk@harbour.example,\n"+ // 9: no hours
		"Harbour,contact,,Desk,,,Europe/Berlin mon-fri 08:00-12:00,alerts;reports,desk@harbour.example,\n"+
		"Harbour,contact,,Desk,,,always,,desk@harbour.example,\n"+ // the same desk: the last row counts
		"Harbour,,*.harbour.example,,,,,,,\n"+
		"Harbour,certificate,0A:1B,,,,,,,CN=CA\n")
	rows := []int{}
	for _, p := range r.Problems {
		rows = append(rows, p.Row)
	}
	if fmt.Sprint(rows) != "[4 5 6 7 8 9]" || r.Refused != 6 || r.Added != 1 || r.Rows != 11 {
		t.Fatalf("%+v", r)
	}
	v, err := w.reg.Get(t.Context(), officer, r.Items[0].ID)
	w.must(err)
	c := v.Constituent
	if len(c.Networks) != 1 || len(c.Contacts) != 1 || !c.Contacts[0].Hours.Always || len(c.Domains) != 1 || !c.Domains[0].IncludeSubdomains || c.Certificates[0].Serial != "a1b" {
		t.Errorf("%s", mustCanonical(t, c))
	}
}

func TestAnImportAddsToWhatIsThereUnlessItReplaces(t *testing.T) {
	w := newTown(t)
	w.bring("csv", "constituent,value,name\nHarbour,192.0.2.0/24,old\nHarbour,198.51.100.0/24,\nHarbour,harbour.example,\n")
	r := w.bring("csv", "constituent,value,name\nharbour,192.0.2.0/24,new\nharbour,203.0.113.0/24,\n")
	it := r.Items[0]
	if r.Changed != 1 || fmt.Sprint(it.Gained, it.Changed, it.Lost) != "[network 203.0.113.0/24] [network 192.0.2.0/24] []" {
		t.Errorf("%+v", r)
	}
	replace := Import{Format: "csv", Replace: true, DryRun: true}
	for _, dry := range []bool{true, false} {
		replace.DryRun = dry
		r, err := w.reg.Import(t.Context(), registrar, replace, strings.NewReader("constituent,value,name\nHarbour,192.0.2.0/24,new\n"))
		w.must(err)
		if r.Changed != 1 || r.Lost != 2 || fmt.Sprint(r.Items[0].Lost) != "[network 198.51.100.0/24 network 203.0.113.0/24]" {
			t.Errorf("dry %t: %+v", dry, r)
		}
	}
	if got := w.concerned(w.reg, "203.0.113.1") + w.concerned(w.reg, "harbour.example"); got != "Harbour exact" {
		t.Errorf("after replacing its networks: %s", got)
	}
}

func TestConstituentsAsJSON(t *testing.T) {
	w := newTown(t)
	r := w.bring("json", `{"items":[{"name":"Harbour","networks":[{"range":"192.0.2.0/24"}]},{"name":"Broken","networks":[{"range":"x"}]},{"name":"harbour"}]} {"name":"Hospital"}`)
	if r.Added != 2 || r.Refused != 2 || r.Problems[0].Row != 2 || r.Problems[0].Pointer != "/networks/0/range" || r.Problems[1].Code != "import.twice" {
		t.Fatalf("%+v", r)
	}
	id := r.Items[0].ID
	if r := w.bring("json", `[{"id":"`+id+`","name":"Harbour Authority"}]`); r.Changed != 1 || r.Lost != 1 {
		t.Errorf("a whole object says everything: %+v", r)
	}
	if r := w.bring("json", `[{"id":"`+id+`","name":"Hospital"}]`); r.Refused != 1 || r.Problems[0].Code != "constituent.name" {
		t.Errorf("another's name: %+v", r)
	}
	w.must(w.reg.Remove(t.Context(), registrar, id, ""))
	if r := w.bring("json", `[{"id":"`+id+`","name":"Harbour Authority"}]`); r.Refused != 1 || r.Problems[0].Code != "constituent.removed" {
		t.Errorf("a removed one: %+v", r)
	}
	if r := w.bring("json", `[{"name":"Hospital","contacts":[{"name":"desk","phone":"1"},{"name":"desk","phone":"2"}]}]`); r.Changed != 1 || r.Gained != 2 {
		t.Errorf("two contacts of one name: %+v", r)
	}
	if r := w.bring("json", `[{"name":"Hospital","contacts":[{"name":"desk","phone":"3"},{"name":"desk","phone":"2"}]}]`); r.Changed != 1 {
		t.Errorf("the first of them has another number: %+v", r)
	}
	if r := w.bring("json", `[{"name":"Harbour Authority"}]`); r.Added != 1 {
		t.Errorf("anew, without its id: %+v", r)
	}
}

func TestExportsOfNetBox(t *testing.T) {
	w := newTown(t)
	r := w.bring("netbox", `{"tenants":{"results":[{"name":"Harbour","slug":"harbour"}]},
		"sites":[{"name":"Quay","slug":"quay","region":null,"facility":"","tenant":{"name":"Harbour"}}],
		"prefixes":[{"prefix":"192.0.2.0/24","scope":{"name":"Quay"},"description":"cranes"},{"prefix":"10.0.0.0/8","description":"nobody's"}],
		"ip_addresses":[{"address":"198.51.100.7/24","tenant":{"name":"Harbour"},"dns_name":"Gate.Harbour.example"}],
		"devices":[{"name":"r1","tenant":{"name":"Harbour"},"device_type":{"manufacturer":{"name":"Cisco"},"model":"Catalyst 9300"},"platform":{"name":"IOS XE"}},
			{"name":"r2","site":{"name":"Quay"},"device_type":{"manufacturer":{"name":"Cisco"},"model":"Catalyst 9300"},"platform":null}],
		"asns":[{"asn":64500,"rir":{"name":"RFC 6996"},"tenant":{"name":"Harbour"}}]}`)
	if r.Added != 1 || r.Refused != 1 || r.Problems[0].Code != "netbox.tenant" {
		t.Fatalf("%+v", r)
	}
	for value, want := range map[string]string{"192.0.2.9": "Harbour inside", "198.51.100.7": "Harbour exact", "198.51.100.8": "", "gate.harbour.example": "Harbour exact",
		"AS64500": "Harbour exact", "cpe:2.3:o:cisco:ios_xe:*:*:*:*:*:*:*:*": "Harbour exact"} {
		if got := w.concerned(w.reg, value); got != want {
			t.Errorf("%s: %q", value, got)
		}
	}
	v, err := w.reg.Get(t.Context(), officer, r.Items[0].ID)
	w.must(err)
	if c := v.Constituent; c.ExternalRefs[0] != (register.Source{Name: "netbox", ID: "tenant/harbour"}) || c.Software[0].Product != "Catalyst 9300" || c.Software[0].Count != 2 || c.Networks[0].Site != "Quay" {
		t.Errorf("%s", mustCanonical(t, v.Constituent))
	}
	// The tenant has got another name there, and is the same here.
	if r := w.bring("netbox", `[{"name":"Harbour Authority","slug":"harbour","group":null}]`); r.Added != 0 || r.Unchanged != 1 {
		t.Errorf("%+v", r)
	}
	if r := w.bring("netbox", "Address,VRF,Tenant,Status,DNS name\n198.51.100.9/24,,Harbour,active,\n"); r.Changed != 1 {
		t.Errorf("the table of addresses: %+v", r)
	}
}

func TestWhatIsNoImportIsRefusedAsAWhole(t *testing.T) {
	w := newTown(t)
	many := strings.Repeat("x,192.0.2.1\n", MaxRows+1)
	for _, tc := range []struct {
		format string
		body   io.Reader
		kind   fault.Kind
		code   string
	}{
		{"xml", strings.NewReader("x"), fault.Invalid, "import.format"},
		{"csv", strings.NewReader(""), fault.Unprocessable, "import.empty"},
		{"csv", strings.NewReader("name,value\nx,y\n"), fault.Unprocessable, "import.columns"},
		{"csv", strings.NewReader("constituent,ip\nx,y\n"), fault.Unprocessable, "import.columns"},
		{"csv", strings.NewReader("constituent,value,value\nx,y,z\n"), fault.Unprocessable, "import.columns"},
		{"csv", strings.NewReader("constituent,value\nx,\"y\n"), fault.Unprocessable, "import.table"},
		{"csv", strings.NewReader("constituent,value\n" + many), fault.TooLarge, "import.rows"},
		{"csv", io.LimitReader(zeros{}, MaxImport+2), fault.TooLarge, "import.size"},
		{"csv", io.MultiReader(strings.NewReader("constituent,value\nx,192.0.2.1\n"), broken{}), fault.Invalid, "body.read"},
		{"json", strings.NewReader(`[{"name":"x"}`), fault.Unprocessable, "import.json"},
		{"json", strings.NewReader(``), fault.Unprocessable, "import.empty"},
		{"netbox", strings.NewReader(`{"results":[`), fault.Unprocessable, "import.json"},
	} {
		_, err := w.reg.Import(t.Context(), registrar, Import{Format: tc.format}, tc.body)
		if fault.Of(err) != tc.kind || fault.As(err).MachineCode() != tc.code {
			t.Errorf("%s %s: %v", tc.format, tc.code, err)
		}
	}
	if list, _, err := w.reg.List(t.Context(), officer, Query{Limit: 1}); err != nil || len(list) != 0 {
		t.Errorf("something was taken of it: %+v, %v", list, err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("cut off") }

// What an export says, an import finds unchanged; and says again.
func TestExportsAreReadAgain(t *testing.T) {
	w := newTown(t)
	w.bring("json", `{"name":"Harbour; \"Authority\", north","aliases":["H, A","x"],"description":"two\nlines","sectors":["energy"],"criticality":"high","country":"DE","languages":["de","en"],"org":"Harbour",
		"contacts":[{"name":"a","role":"r","email":"a@h.example","phone":"1","hours":{"zone":"Europe/Berlin","mon":"08:00-12:00,13:00-17:00","wed":"22:00-06:00"},"languages":["fr"],"webhook":"w","receives":["alerts"],"purpose":"p"},
			{"name":"b","hours":{"always":true}}],
		"networks":[{"range":"192.0.2.0/24","name":"n","site":"s","criticality":"low","shared":true},{"range":"2001:db8::5-2001:db8::9"}],"asns":[1,4294967295],
		"domains":[{"name":"bürger.example","include_subdomains":true,"shared":true}],"certificates":[{"sha256":"`+strings.Repeat("ab", 32)+`"},{"serial":"0a","issuer":"CN=x, O=y","subject":"CN=z"}],
		"software":[{"cpe":"cpe:2.3:a:b:c:*:*:*:*:*:*:*:*","count":2},{"purl":"pkg:npm/x@1"},{"vendor":"v","product":"p","version":"1","criticality":"vital"}]}`)
	w.bring("json", `{"name":"Empty"}`)
	var table, again, list bytes.Buffer
	w.must(w.reg.ExportCSV(t.Context(), officer, &table))
	w.must(w.reg.ExportJSON(t.Context(), officer, &list))
	for format, text := range map[string]string{"csv": table.String(), "json": list.String()} {
		if r := w.bring(format, text); r.Unchanged != 2 || r.Refused+r.Added+r.Changed != 0 {
			t.Errorf("%s: %+v\n%s", format, r, text)
		}
	}
	other := newTown(t)
	if r := other.bring("csv", table.String()); r.Added != 2 || r.Refused != 0 {
		t.Errorf("%+v", r)
	}
	other.must(other.reg.ExportCSV(t.Context(), officer, &again))
	if table.String() != again.String() {
		t.Errorf("\n%s\n%s", table.String(), again.String())
	}
}

func FuzzImport(f *testing.F) {
	f.Add("csv", "constituent,kind,value,hours\nx,contact,a@b.example,Europe/Berlin mon-fri 08:00-17:00; sat 09:00-12:00\n")
	f.Add("csv", "constituent;value\nx;10.0.0.0/8\n\"x\"\"\";as1\n")
	f.Add("json", `{"items":[{"name":"x","networks":[{"range":"::/0"}]}]}`)
	f.Add("netbox", `{"results":[{"prefix":"10.0.0.0/8","tenant":{"name":"x","slug":"x"}},{"address":"10.0.0.1/8","tenant":"x"}]}`)
	f.Add("netbox", "prefix,tenant\n10.0.0.0/8,x\n")
	f.Fuzz(func(t *testing.T, format, text string) {
		p := newPlan(&Review{})
		var err error
		switch format {
		case "csv":
			err = readTable([]byte(text), p)
		case "json":
			err = readJSON([]byte(text), p)
		default:
			err = readNetBox([]byte(text), p, "")
		}
		if err != nil && fault.Of(err) == fault.Internal {
			t.Fatalf("an internal error: %v", err)
		}
		for _, d := range p.drafts {
			c, err := merged(d, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			c.Normalise()
			if err := c.CheckDraft(); err != nil {
				var e *register.Error
				if !errors.As(err, &e) {
					t.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkImport(b *testing.B) {
	var text strings.Builder
	text.WriteString("constituent,value\n")
	for i := range 100_000 {
		fmt.Fprintf(&text, "c%d,10.%d.%d.0/24\n", i%500, i/256%256, i%256)
	}
	for b.Loop() {
		w := newTown(b)
		if r := w.bring("csv", text.String()); r.Added != 500 || r.Refused != 0 {
			b.Fatalf("%+v", r)
		}
	}
	b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// The examples of docs/register.md are taken as they stand there.
func TestTheExamplesOfTheManualAreTaken(t *testing.T) {
	page, err := os.ReadFile("../../docs/register.md")
	if err != nil {
		t.Fatal(err)
	}
	w := newTown(t)
	for _, tc := range []struct{ format, fence string }{{"csv", "   ```csv\n"}, {"json", "```json\n"}} {
		_, rest, ok := strings.Cut(string(page), tc.fence)
		example, _, ended := strings.Cut(rest, "```")
		if !ok || !ended {
			t.Fatalf("the manual has no example of %s", tc.format)
		}
		var lines []string
		for line := range strings.Lines(example) {
			lines = append(lines, strings.TrimPrefix(line, "   "))
		}
		if r := w.bring(tc.format, strings.Join(lines, "")); r.Added+r.Changed != 1 || r.Refused != 0 {
			t.Errorf("%s: %+v", tc.format, r)
		}
	}
	for _, c := range Columns() {
		if !strings.Contains(string(page), "`"+c+"`") {
			t.Errorf("the manual does not tell of the column %s", c)
		}
	}
}
