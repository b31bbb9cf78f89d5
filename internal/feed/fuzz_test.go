package feed

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzDocuments reads any bytes as every kind of document. Whatever they are, the run ends, and says what was wrong where nothing was taken.
func FuzzDocuments(f *testing.F) {
	for _, s := range []string{
		"192.0.2.1\nhxxp://a[.]b/c # x\n", "# \"a\",\"ioc\",\"type\"\n1,192.0.2.1,ip\n\"2,\"\"x,y\n", "ioc,type,when\nevil.example,domain,2030-01-01\n",
		`{"count":1,"vulnerabilities":[{"cveID":"CVE-2026-0001","notes":"https://a.example/ ; x","cwes":["CWE-1"]}]}`, `{"vulnerabilities":[null]}`,
		`{"type":"bundle","id":"bundle--1","objects":[` + identity("1") + `]}`, identity("1") + "\n" + identity("2"), "\x1f\x8b\x08\x00", "<html>", "",
		`{"type":"indicator","id":"indicator--1","created":"2017-01-01T00:00:00.000Z","pattern":"[a:b=1]"}`,
	} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	feeds := []Config{{Name: "list", Kind: "list"}, {Name: "stix", Kind: "stix"}, {Name: "kev", Kind: "kev"},
		{Name: "number", Kind: "csv", CSV: CSV{Columns: map[string]string{"value": "2", "type": "3", "valid_until": "4", "labels": "1"}}},
		{Name: "title", Kind: "csv", CSV: CSV{Header: true, Comment: "#", Columns: map[string]string{"value": "ioc", "type": "type"}}}}
	for i := range feeds {
		feeds[i].File, feeds[i].Label, feeds[i].Limits.Bytes = "document", "tlp:green", 1<<20
	}
	w := newWorld(f, dir, feeds...)
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, "document"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, c := range feeds {
			r, err := w.f.Ask(t.Context(), own, c.Name, true)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case r.Error != nil && (r.Error.Code == "internal" || r.Error.Message == ""):
				t.Errorf("%s: %+v", c.Name, r.Error)
			case c.Kind != "stix" && r.Counts.Refused > 0:
				t.Errorf("%s made what the standard refuses: %+v %s", c.Name, r.Problems, strings.Join(r.Samples, "\n"))
			}
		}
	})
}

func FuzzLine(f *testing.F) {
	f.Add("# x\n192.0.2.1 # y\n")
	f.Fuzz(func(t *testing.T, s string) {
		if v := lineValue(s); strings.TrimSpace(v) != v {
			t.Errorf("%q", v)
		}
	})
}
