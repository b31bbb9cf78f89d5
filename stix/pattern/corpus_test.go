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
	"time"

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

// TestRealPatternsMatchWhatTheyDescribe builds, for every real pattern that is one bracket of plain equalities, an object with
// just these values: it must match, and no longer once a value that the pattern needs is another.
func TestRealPatternsMatchWhatTheyDescribe(t *testing.T) {
	tried := 0
	realPatterns(t, func(file, id, src string) {
		p := mustParse(t, src)
		c := &p.Root().Condition
		if p.Root().Op != pattern.Observe || len(p.Root().Qualifiers) > 0 {
			return
		}
		plain, first := true, (*pattern.Test)(nil)
		object := map[string]any{}
		p.EachTest(func(test *pattern.Test) {
			if first == nil {
				first, object["type"] = test, test.Path.Type
			}
			plain = plain && test.Op == pattern.Equal && !test.Not && test.Path.Type == first.Path.Type && place(object, test)
		})
		if !plain {
			return
		}
		tried++
		match := func() bool {
			o := pattern.NewObservation("x", time.Unix(0, 0), time.Unix(0, 0), 1, map[string]map[string]any{"0": object})
			r, err := p.Match([]pattern.Observation{o})
			if err != nil {
				t.Fatalf("%s: %v", src, err)
			}
			return r.Matched
		}
		if !match() {
			t.Errorf("%s does not match %v", src, object)
		}
		if c.Join == pattern.Single || c.Join == pattern.All && c.Operands[0].Join == pattern.Single {
			delete(object, first.Path.Steps[0].Key)
			if match() {
				t.Errorf("%s matches %v, which lacks what it needs", src, object)
			}
		}
	})
	if tried < 5000 {
		t.Errorf("only %d patterns tried", tried)
	}
	t.Logf("%d patterns", tried)
}

// place sets the value of a test in an object. False: its path is not made of keys alone, or it is taken by another value.
func place(object map[string]any, test *pattern.Test) bool {
	for i, step := range test.Path.Steps {
		if step.Kind != pattern.Key || strings.HasSuffix(step.Key, "_ref") || strings.HasSuffix(step.Key, "_bin") || strings.HasSuffix(step.Key, "_hex") {
			return false
		}
		if i == len(test.Path.Steps)-1 {
			_, taken := object[step.Key]
			switch test.Value.Kind {
			case pattern.String:
				object[step.Key] = test.Value.Text
			case pattern.Integer:
				object[step.Key] = float64(test.Value.Int)
			case pattern.Boolean:
				object[step.Key] = test.Value.Bool
			default:
				return false
			}
			return !taken
		}
		child, ok := object[step.Key].(map[string]any)
		if !ok {
			child = map[string]any{}
			object[step.Key] = child
		}
		object = child
	}
	return true
}
