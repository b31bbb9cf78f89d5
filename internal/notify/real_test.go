package notify

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/shareddata"
	"entente/label"
	"entente/register"
)

// TestRealCatalogue lets the published catalogue of exploited vulnerabilities come in at once: every entry about a product that the constituent
// uses raises an alert, and the flood is a handful of drafts.
func TestRealCatalogue(t *testing.T) {
	f, err := os.Open(shareddata.Dir(t, "vuln", "kev.json.gz"))
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	var catalogue struct {
		Vulnerabilities []struct {
			CVE     string `json:"cveID"`
			Vendor  string `json:"vendorProject"`
			Product string `json:"product"`
			Due     string `json:"dueDate"`
		} `json:"vulnerabilities"`
	}
	must(t, json.NewDecoder(z).Decode(&catalogue))
	w := newWorld(t, "")
	c := water()
	c.Software = []register.Software{{Vendor: "Microsoft", Product: "Exchange Server"}, {Vendor: "Fortinet", Product: "FortiOS"}}
	c.Languages = []string{"uk"}
	w.serve(c)
	want := map[string]bool{}
	var objects []string
	for i, v := range catalogue.Vulnerabilities {
		objects = append(objects, kev(10_000+i, v.CVE, v.Vendor, v.Product, v.Due))
		if v.Vendor == "Microsoft" && v.Product == "Exchange Server" || v.Vendor == "Fortinet" && v.Product == "FortiOS" {
			want[v.CVE] = true
		}
	}
	for len(objects) > 0 {
		n := min(1000, len(objects))
		w.give(local, "tlp:clear", objects[:n]...)
		objects = objects[n:]
	}
	w.catchUp()
	got := map[string]bool{}
	for _, a := range w.alerts(ada) {
		got[a.Title] = true
		if a.Severity != Critical {
			t.Errorf("%s is %s", a.Title, a.Severity)
		}
	}
	for cve := range want {
		if !got[cve] {
			t.Errorf("%s raised nothing", cve)
		}
	}
	for cve := range got {
		if !want[cve] {
			t.Logf("%s was raised too: its product covers what is in use", cve)
		}
	}
	notes := w.notes(ada)
	if len(want) < 20 || len(notes) != w.cfg.DigestAfter+1 || notes[0].Language != "uk" {
		t.Errorf("%d entries, %d notifications", len(want), len(notes))
	}
	t.Logf("%d of %d entries concern the constituent: %d alerts, %d drafts", len(want), len(catalogue.Vulnerabilities), len(got), len(notes))
}

// BenchmarkFollow is how fast the journal is followed: 10,000 indicators, 1,000 constituents with 10 assets each; one in a hundred concerns one.
func BenchmarkFollow(b *testing.B) {
	w := newWorld(b, "")
	w.cfg.LookBack = "0s"
	w.open()
	w.serve()
	var list []string
	for i := range 1000 {
		c := &register.Constituent{ID: fmt.Sprintf("constituent--%s", uuid(i+1)), Name: fmt.Sprintf("Constituent %d", i), Contacts: []register.Contact{{Name: "SOC", Email: "soc@water.example"}}}
		for k := range 5 {
			c.Networks = append(c.Networks, register.Network{Range: fmt.Sprintf("10.%d.%d.0/28", i%250, i/250*10+k)})
			c.Domains = append(c.Domains, register.Domain{Name: fmt.Sprintf("c%d-%d.example", i, k), IncludeSubdomains: true})
		}
		c.Type, c.SpecVersion, c.Created, c.Modified = register.Type, "2.1", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"
		c.Extensions = map[string]register.Extension{register.DefinitionID: {Type: "new-sdo"}}
		raw, err := c.Canonical()
		must(b, err)
		list = append(list, string(raw))
	}
	w.give(local, "tlp:red", list...)
	w.catchUp()
	const objects = 10_000
	for round := 0; b.Loop(); round++ {
		b.StopTimer()
		l := label.For(label.Green)
		for part := range 10 {
			var raw [][]byte
			for i := range objects / 10 {
				n := part*1000 + i
				value := address(fmt.Sprintf("198.18.%d.%d", n/250, n%250))
				if n%100 == 0 {
					value = "[domain-name:value = '" + fmt.Sprintf("www.c%d-1.example", n/10) + "']"
				}
				raw = append(raw, []byte(strings.Replace(indicator(n, 0, value, ""), "00000000-0000-4000", fmt.Sprintf("%08d-0000-4000", round+1), 1)))
			}
			_, err := w.x.Accept(context.Background(), local, exchange.Submission{Objects: raw, Default: &l, Via: "feed:test"})
			must(b, err)
		}
		w.now = w.now.Add(time.Hour)
		b.StartTimer()
		w.catchUp()
	}
	b.ReportMetric(float64(objects)*float64(b.N)/b.Elapsed().Seconds(), "objects/s")
}
