package misp

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entente/internal/shareddata"
	"entente/stix"
)

// corpus is every document of MISP events in the shared data, by its path there.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	root := shareddata.Dir(t, "misp")
	docs := map[string][]byte{}
	for _, dir := range []string{"eset-malware-ioc", "citizenlab", "feed-sample", "pymisp/tests", "misp-core", "misp-stix/tests", "misp-guard"} {
		err := filepath.Walk(filepath.Join(root, filepath.FromSlash(dir)), func(path string, info os.FileInfo, err error) error {
			name, _ := filepath.Rel(root, path)
			if err != nil || info.IsDir() || !strings.Contains(name, ".json") || notEvents(name) {
				return err
			}
			docs[filepath.ToSlash(name)] = load(t, path)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(docs) < 150 {
		t.Fatalf("only %d documents", len(docs))
	}
	return docs
}

// notEvents tells of JSON that is not MISP events: schemas, settings, STIX, scenarios of HTTP requests, templates.
func notEvents(name string) bool {
	for _, part := range []string{"stix2", "stix20", "stix21", "schema", "setup.json", "defaults.json", "manifest.json", "scenarios", "test_config", "invalid_config", "definition.json", "sharing_groups", "search_index", "analyst", "galaxy_cluster", "shadow_attributes", "empty.json", "git-vuln-finder", "mispevent_testfiles/sighting", "mispevent_testfiles/simple"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

func load(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if raw, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return raw
}

// truncated is the one file whose source is broken.
const truncated = "eset-malware-ioc/pypi_backdoor/malicious_pypi_packages.misp-event.json.gz"

// events is every event of the corpus; a document with several gives several.
func events(t testing.TB) map[string][]*Event {
	t.Helper()
	all := map[string][]*Event{}
	n := 0
	for name, raw := range corpus(t) {
		if name == truncated {
			continue
		}
		found, err := Parse(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		all[name] = found
		n += len(found)
	}
	if n < 200 {
		t.Fatalf("only %d events", n)
	}
	return all
}

func TestTruncatedEventIsRefused(t *testing.T) {
	_, err := Parse(corpus(t)[truncated])
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != CodeSyntax || e.Offset < 1_000_000 {
		t.Fatalf("the truncated file gives %v", err)
	}
}

func TestWritingKeepsEvents(t *testing.T) {
	attributes := 0
	for name, list := range events(t) {
		for _, e := range list {
			first, err := Marshal(e)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			again, err := Parse(first)
			if err != nil || len(again) != 1 {
				t.Fatalf("%s: what was written is not read: %v", name, err)
			}
			second, err := Marshal(again[0])
			if err != nil || !bytes.Equal(first, second) {
				t.Errorf("%s: the written form is not canonical: %v", name, err)
			}
			attributes += len(e.Attributes)
		}
	}
	if attributes < 6000 {
		t.Errorf("only %d attributes", attributes)
	}
}

func TestEveryEventGivesValidSTIX(t *testing.T) {
	objects := 0
	for name, list := range events(t) {
		for _, e := range list {
			for _, o := range []Options{{}, {Observables: true}} {
				items, _ := ToSTIX(e, o)
				known := map[string]bool{}
				for _, item := range items {
					objects++
					parsed, err := stix.Parse(item.Raw)
					if err != nil {
						t.Fatalf("%s: %s: %v\n%.500s", name, item.ID, err, item.Raw)
					}
					if parsed.ID() != item.ID || known[item.ID] {
						t.Errorf("%s: %s stands under %s, or twice", name, parsed.ID(), item.ID)
					}
					known[item.ID] = true
					for _, f := range stix.Validate(parsed, stix.Options{}) {
						if f.Level == stix.LevelError {
							t.Errorf("%s: %s: %s\n%.700s", name, item.ID, f, item.Raw)
						}
					}
				}
				for _, item := range items {
					parsed, _ := stix.Parse(item.Raw)
					for _, ref := range parsed.Refs() {
						if !known[ref.ID] && !strings.HasPrefix(ref.ID, "extension-definition") && !hasOriginals(e) {
							t.Errorf("%s: %s refers to %s, which is not there", name, item.ID, ref.ID)
						}
					}
				}
			}
		}
	}
	t.Logf("%d STIX objects", objects)
}

// hasOriginals tells whether an event holds STIX objects of others, whose references may lead anywhere.
func hasOriginals(e *Event) bool {
	for i := range e.Objects {
		if e.Objects[i].Name == stixObject {
			return true
		}
	}
	return false
}
