package feed

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entente/internal/shareddata"
	"entente/internal/store"
	"entente/observable"
	"entente/stix"
)

// The catalogue as it is published: every entry is a vulnerability with its references and the catalogue's fields, and an entry that changes is another
// version of it.
func TestCatalogue(t *testing.T) {
	path := shareddata.Dir(t, "vuln", "kev.json.gz")
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	var whole map[string]any
	must(t, json.NewDecoder(z).Decode(&whole))
	list := whole["vulnerabilities"].([]any)
	w := newWorld(t, "", Config{Name: "kev", Kind: "kev", File: path, Label: "tlp:clear", Source: "CISA"})
	r := w.run("kev")
	if r.Result != Done || int(r.Counts.Read) != len(list) || int(r.Counts.Added) != len(list)+2 || len(r.Problems) != 0 {
		t.Fatalf("%+v %+v", r, r.Error)
	}
	got := w.objects(ally, store.Query{Types: []string{"vulnerability"}})
	if len(got) != len(list) || count(got, `"source_name":"cve"`) != len(list) || count(got, `"required_action":`) != len(list) {
		t.Errorf("an ally has %d of %d", len(got), len(list))
	}
	if log4j := w.objects(own, store.Query{Types: []string{"vulnerability"}}); count(log4j, `"name":"CVE-2021-44228"`) != 1 {
		t.Error("the best known one is missing")
	}
	for _, o := range got {
		p, err := stix.Parse([]byte(o))
		must(t, err)
		for _, f := range stix.Validate(p, stix.Options{}) {
			if f.Level == stix.LevelError || f.Code == "extension.definition" {
				t.Fatalf("%s: %+v", o, f)
			}
		}
	}
	list[7].(map[string]any)["dueDate"] = "2031-01-01"
	b, err := json.Marshal(whole)
	must(t, err)
	changed := filepath.Join(t.TempDir(), "kev.json")
	write(t, changed, string(b))
	w.configure(Config{Name: "kev", Kind: "kev", File: changed, Label: "tlp:clear", Source: "CISA"})
	if r = w.run("kev"); r.Counts.Added != 1 || r.Counts.Updated != 1 || int(r.Counts.Present) != len(list)-1 {
		t.Errorf("with one entry changed: %+v %+v", r, r.Error)
	}
}

// Real bundles, as their publishers serve them, keep every byte of every object.
func TestRealBundles(t *testing.T) {
	dir := shareddata.Dir(t, "stix", "spyware-iocs")
	files, err := filepath.Glob(filepath.Join(dir, "*.json*"))
	must(t, err)
	if len(files) < 5 {
		t.Fatalf("only %d bundles", len(files))
	}
	var feeds []Config
	url := serve(t, http.FileServer(http.Dir(dir)).ServeHTTP)
	for i, f := range files {
		feeds = append(feeds, Config{Name: fmt.Sprintf("spy-%d", i), Kind: "stix", URL: url + "/" + filepath.Base(f), Label: "tlp:clear"})
	}
	w := newWorld(t, "", feeds...)
	for i, c := range feeds {
		want := 0
		f, err := os.Open(files[i])
		must(t, err)
		d, err := spool(w.dir, f, 1<<30)
		must(t, err)
		must(t, split(d, func([]byte) error { want++; return nil }))
		d.Close()
		f.Close()
		r := w.run(c.Name)
		took := r.Counts.Added + r.Counts.Present + r.Counts.Refused + r.Counts.Held + r.Counts.Different
		if r.Result != Done || int(r.Counts.Read) < want || took < int64(want) || r.Counts.Added == 0 {
			t.Errorf("%s: %+v %+v", filepath.Base(files[i]), r.Counts, r.Error)
		}
		if r = w.run(c.Name); r.Result != Unchanged {
			t.Errorf("%s again: %+v", filepath.Base(files[i]), r)
		}
	}
	raw, err := os.ReadFile(files[0])
	must(t, err)
	var b struct{ Objects []json.RawMessage }
	if filepath.Ext(files[0]) == ".json" {
		must(t, json.Unmarshal(raw, &b))
		all := w.objects(own, store.Query{})
		for _, o := range b.Objects {
			if count(all, string(o)) == 0 {
				t.Errorf("not as it was: %s", o)
			}
		}
	}
}

// A Zeek intelligence file is a table: titles in a comment, tabs between the columns.
func TestZeekIntel(t *testing.T) {
	path := shareddata.Dir(t, "indicators", "zeek-intel-all.intel.gz")
	part := filepath.Join(t.TempDir(), "intel")
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	var b strings.Builder
	n := 0
	for s := bufio.NewScanner(z); s.Scan() && n < 5000; n++ {
		b.WriteString(s.Text() + "\n")
	}
	write(t, part, b.String())
	w := newWorld(t, "", Config{Name: "zeek", Kind: "csv", File: part, Label: "tlp:green", Scheme: "http",
		CSV: CSV{Separator: "tab", Comment: "#", Header: true, Columns: map[string]string{"value": "indicator", "type": "indicator_type", "description": "meta.desc"}}})
	r := w.run("zeek")
	if r.Result != Done || r.Counts.Added < 4000 || r.Counts.Refused != 0 {
		t.Fatalf("%+v %+v", r, r.Error)
	}
	if got := w.indicators(); count(got, "domain-name:value") == 0 || count(got, "Amnesty_NSO_Domains") == 0 {
		t.Errorf("%s", got[:3])
	}
	t.Logf("%+v", r.Counts)
}

// Lists of every kind, as they are gathered from many sources.
func TestRealLists(t *testing.T) {
	for _, name := range []string{"domains", "ipv4", "ipv6", "cidr", "md5", "sha1", "sha256", "other"} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(shareddata.Dir(t, "indicators", name+".txt.gz"))
			must(t, err)
			defer f.Close()
			z, err := gzip.NewReader(f)
			must(t, err)
			unknown, n := 0, 0
			for s := bufio.NewScanner(z); s.Scan() && n < 200_000; n++ {
				k, v, code := observable.Read(observable.Kinds(""), lineValue(s.Text()), "")
				if k == nil {
					if unknown++; unknown < 4 {
						t.Logf("%s: %s", s.Text(), code)
					}
					continue
				}
				if name != "other" && (strings.Contains(name, "ip") || name == "cidr") != strings.HasPrefix(k.Name, "ip") {
					t.Errorf("%s is a %s", v, k.Name)
				}
			}
			if name != "other" && unknown*1000 > n {
				t.Errorf("%d of %d are not understood", unknown, n)
			}
		})
	}
}
