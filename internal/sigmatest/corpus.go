package sigmatest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entente/internal/shareddata"
	"entente/sigma"
)

// File is one file of the corpus.
type File struct {
	Name string
	Text []byte
}

// Corpus is every rule file of the public corpus, in its order. The test skips when it is not at hand.
func Corpus(t testing.TB) (files []File) {
	t.Helper()
	f, err := os.Open(shareddata.Dir(t, "telemetry", "sigma-rules.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(z); ; {
		h, err := archive.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || !strings.HasSuffix(h.Name, ".yml") {
			continue
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{h.Name, text})
	}
}

// Rules are the rules of the corpus by their ids.
func Rules(t testing.TB) map[string]*sigma.Rule {
	t.Helper()
	out := map[string]*sigma.Rule{}
	for _, f := range Corpus(t) {
		c, err := sigma.Parse(f.Name, f.Text)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range c.Rules {
			out[r.ID] = r
		}
	}
	return out
}

// Regression is one case of the public regression tests: the rules that match, and in how many of the events from First to Last.
type Regression struct {
	Rules       []string `json:"rule_ids"`
	Path        string   `json:"path"`
	Count       *int     `json:"match_count"` // nil: at least one
	FirstToLast [2]int   `json:"events"`
}

// Regressions are the public regression tests and their events.
func Regressions(t testing.TB) (cases []Regression, events []sigma.Fields) {
	t.Helper()
	dir := shareddata.Dir(t, "telemetry", "regression")
	text, err := os.ReadFile(filepath.Join(dir, "sigmahq-regression.expect.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	text, err = os.ReadFile(filepath.Join(dir, "sigmahq-regression.flat.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		e, err := Event(bytes.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return cases, events
}
