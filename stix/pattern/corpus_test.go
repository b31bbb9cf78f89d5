package pattern_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entente/internal/shareddata"
	"entente/stix/pattern"
)

func TestConformancePatterns(t *testing.T) {
	raw, err := os.ReadFile(shareddata.Dir(t, "stix", "conformance", "patterns-cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Test, Pattern string
		Errors        []string
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 58 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		p, err := pattern.Parse(c.Pattern)
		if valid := len(c.Errors) == 0; (err == nil) != valid {
			t.Errorf("%s\n%s\ngot %v, recorded %v", c.Test, c.Pattern, err, c.Errors)
			continue
		}
		if err == nil && !mustParse(t, p.String()).Equal(p) {
			t.Errorf("%s: printed %s", c.Pattern, p)
		}
	}
}

// realPatterns calls f with every STIX pattern of the indicators in the shared data.
func realPatterns(t testing.TB, f func(file, id, src string)) int {
	root := shareddata.Dir(t, "stix")
	n := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "conformance" {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.Contains(d.Name(), ".json") {
			return nil
		}
		raw, err := read(path)
		if err != nil {
			return err
		}
		if !strings.Contains(string(raw), `"pattern"`) {
			return nil
		}
		var doc any
		if json.Unmarshal(raw, &doc) != nil {
			return nil
		}
		n += indicators(doc, func(id, src string) { f(path, id, src) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func read(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil || filepath.Ext(path) != ".gz" {
		return raw, err
	}
	r, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func indicators(v any, f func(id, src string)) (n int) {
	switch v := v.(type) {
	case map[string]any:
		src, ok := v["pattern"].(string)
		kind, typed := v["pattern_type"].(string)
		if ok && v["type"] == "indicator" && (!typed || kind == "stix") {
			id, _ := v["id"].(string)
			f(id, src)
			n++
		}
		for _, item := range v {
			n += indicators(item, f)
		}
	case []any:
		for _, item := range v {
			n += indicators(item, f)
		}
	}
	return n
}

func TestRealPatterns(t *testing.T) {
	failed := 0
	n := realPatterns(t, func(file, id, src string) {
		p, err := pattern.Parse(src)
		if err != nil {
			if failed++; failed < 20 {
				t.Errorf("%s %s: %v\n%s", filepath.Base(file), id, err, src)
			}
			return
		}
		q, err := pattern.Parse(p.String())
		if err != nil || !q.Equal(p) {
			t.Errorf("%s: printed %s: %v", src, p, err)
		}
	})
	t.Logf("%d patterns, %d refused", n, failed)
	if n < 6500 {
		t.Errorf("only %d patterns found", n)
	}
}
