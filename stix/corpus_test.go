package stix

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entente/internal/shareddata"
)

// corpus calls f with each file of STIX content below a folder of the shared data, decompressed.
func corpus(t testing.TB, f func(name string, raw []byte), elem ...string) {
	t.Helper()
	root := shareddata.Dir(t, append([]string{"stix"}, elem...)...)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "conformance") || d.Name() == "index.json" ||
			!strings.HasSuffix(strings.TrimSuffix(path, ".gz"), ".json") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(raw))
			if err != nil {
				return err
			}
			if raw, err = io.ReadAll(z); err != nil {
				return err
			}
		}
		name, _ := filepath.Rel(root, path)
		f(name, raw)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A part of the data that is not STIX: schemas and contexts of the extensions.
func isStix(raw []byte) bool {
	return bytes.Contains(raw, []byte(`"type"`)) && !bytes.Contains(raw, []byte(`"$schema"`))
}

// Every object of the shared data comes out of Split byte-equal to what encoding/json finds in the file, and parses.
func TestSplitRoundTrip(t *testing.T) {
	total := 0
	corpus(t, func(name string, raw []byte) {
		if !isStix(raw) {
			return
		}
		var bundle struct {
			Type    string            `json:"type"`
			Objects []json.RawMessage `json:"objects"`
		}
		if json.Unmarshal(raw, &bundle) != nil || bundle.Type != "bundle" {
			bundle.Objects = nil
		}
		n := 0
		info, err := Split(bytes.NewReader(raw), func(obj []byte) error {
			if bundle.Objects != nil && !bytes.Equal(obj, bundle.Objects[n]) {
				t.Fatalf("%s: object %d differs", name, n)
			}
			n++
			if _, err := Parse(obj); err != nil {
				t.Logf("%s: object %d: %v", name, n, err)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if info.Count != n || bundle.Objects != nil && n != len(bundle.Objects) {
			t.Errorf("%s: %d objects, want %d", name, n, len(bundle.Objects))
		}
		total += n
	})
	t.Logf("%d objects", total)
}

// brokenContent is the errors that published content really has, by file: missing required properties, UUIDs of no RFC 4122 variant,
// references that are no identifiers, URLs with a space, markings that mark themselves.
var brokenContent = map[string]string{
	"capec/stix-capec-2.1.json.gz":                                 "uri.format",
	"elevator-2.1/Appendix_G_IOCs_Full.json":                       "property.required",
	"elevator-2.1/Mandiant_APT1_Report.json":                       "property.required ref.format",
	"elevator-2.1/account_indicator.json":                          "property.required",
	"elevator-2.1/command-and-control-ip-list.json":                "ref.type id.format",
	"elevator-2.1/file-and-directory-pattern.json":                 "property.required",
	"elevator-2.1/file-and-directory.json":                         "property.name id.format",
	"elevator-2.1/incident-malware.json":                           "id.format ref.format",
	"elevator-2.1/indicator-for-c2-ip-address.json":                "property.required",
	"elevator-2.1/indicator-for-malicious-url.json":                "id.format",
	"elevator-2.1/issue-162.json":                                  "property.required external.id",
	"elevator-2.1/issue62.json":                                    "property.required ref.type",
	"elevator-2.1/malicious-email-indicator-with-addresses.json":   "property.required",
	"elevator-2.1/malicious-email-indicator-with-attachment.json":  "property.required",
	"elevator-2.1/malware-characterization-using-maec.json":        "id.format",
	"elevator-2.1/malware-indicator-for-file-hash.json":            "id.format ref.format",
	"elevator-2.1/multiple-reports-in-package.json":                "ref.format",
	"elevator-2.1/network-socket-observable.json":                  "constraint.one",
	"elevator-2.1/observable-with-networkconnection-instance.json": "property.required",
	"elevator-2.1/victim-targeting.json":                           "id.format ref.format",
	"extensions/objects/bundles/marking-definitions-bundle.json":   "marking.circular",
	"extensions/objects/marking-definition/stix4doge.json":         "marking.circular",
}

// Published content keeps every MUST, but for errors that are really there.
func TestPublishedContentIsValid(t *testing.T) {
	corpus(t, func(name string, raw []byte) {
		if !isStix(raw) || strings.HasPrefix(name, "unit42") {
			return
		}
		broken := strings.Fields(brokenContent[name])
		found := map[string]bool{}
		_, err := Split(bytes.NewReader(raw), func(obj []byte) error {
			o, err := Parse(obj)
			if err != nil {
				t.Errorf("%s: %v: %.100s", name, err, obj)
				return nil
			}
			for _, f := range Validate(o, Options{}) {
				if f.Level == LevelError {
					found[f.Code] = true
					if !slices.Contains(broken, f.Code) {
						t.Errorf("%s: %s: %v", name, o.ID(), f)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, code := range broken {
			if !found[code] {
				t.Errorf("%s: expected to find %s", name, code)
			}
		}
	})
}
