package label_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entente/internal/shareddata"
	"entente/label"
)

// TestSharedMarkings reads every marking definition of the shared STIX data, whatever producer wrote it.
func TestSharedMarkings(t *testing.T) {
	read, refs := 0, 0
	for _, folder := range []string{"attack", "capec", "disarm", "elevator-2.1", "extensions", "misp-stix-tests", "oasis-examples", "oasis-schema-examples", "unit42-playbooks"} {
		eachObject(t, shareddata.Dir(t, "stix", folder), func(file string, o map[string]any) {
			if o["type"] == "marking-definition" {
				raw, _ := json.Marshal(o)
				m, err := label.ReadMarking(raw)
				if err != nil {
					t.Errorf("%s: %s: %v", file, raw, err)
				}
				if m.Model == "statement" && m.Label != label.Bottom() {
					t.Errorf("%s: a statement restricts: %s", file, raw)
				}
				read++
			}
			list, _ := o["object_marking_refs"].([]any)
			for _, ref := range list {
				if id, _ := ref.(string); strings.HasPrefix(id, "marking-definition--") {
					if _, ok := label.ByID(id); ok {
						refs++
					}
				}
			}
		})
	}
	if read < 50 || refs < 10 {
		t.Errorf("read %d marking definitions and %d references to well-known ones", read, refs)
	}
	t.Logf("%d marking definitions, %d references to well-known ones", read, refs)
}

// TestConformanceMarkings reads those of the recorded validator cases. Some carry a well-known id with another content on purpose.
func TestConformanceMarkings(t *testing.T) {
	verdicts := map[string]int{}
	eachObject(t, shareddata.Dir(t, "stix", "conformance"), func(file string, o map[string]any) {
		if o["type"] != "marking-definition" {
			return
		}
		raw, _ := json.Marshal(o)
		m, err := label.ReadMarking(raw)
		switch {
		case err == nil:
			verdicts[m.Model]++
		case errors.Is(err, label.ErrContradictory):
			verdicts["contradictory"]++
		case errors.Is(err, label.ErrUnintelligible):
			verdicts["unintelligible"]++
		default:
			verdicts["invalid"]++
		}
		if id, _ := o["id"].(string); err == nil {
			if l, known := label.ByID(id); known && l != m.Label {
				t.Errorf("%s: %s is read as %s", file, raw, m.Label.TLP)
			}
		}
	})
	for _, v := range []string{"tlp", "statement", "contradictory", "unintelligible"} {
		if verdicts[v] == 0 {
			t.Errorf("no marking definition of the cases is %s: %v", v, verdicts)
		}
	}
	t.Log(verdicts)
}

// eachObject visits every JSON object with a type, however deep, of every JSON file below a folder.
func eachObject(t *testing.T, folder string, visit func(file string, o map[string]any)) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		packed := strings.HasSuffix(path, ".json.gz")
		if err != nil || entry.IsDir() || !packed && !strings.HasSuffix(path, ".json") {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		var in io.Reader = file
		if packed {
			if in, err = gzip.NewReader(file); err != nil {
				return err
			}
		}
		raw, err := io.ReadAll(in)
		if err != nil || !strings.Contains(string(raw), "marking-definition") {
			return err
		}
		var v any
		if json.Unmarshal(raw, &v) == nil {
			walk(v, func(o map[string]any) { visit(filepath.Base(path), o) })
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func walk(v any, visit func(o map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		if v["type"] != nil {
			visit(v)
		}
		for _, e := range v {
			walk(e, visit)
		}
	case []any:
		for _, e := range v {
			walk(e, visit)
		}
	}
}
