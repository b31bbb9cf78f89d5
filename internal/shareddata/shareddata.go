// Package shareddata finds the real data sets that tests and benchmarks use when they are at hand. None of them is part of the
// project: without them the tests that need them skip.
package shareddata

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Dir is the path of a file or folder of the data sets: below $ENTENTE_SHARED_DATA, or below shared/data beside a parent of the
// working directory. The test skips when it is not there.
func Dir(t testing.TB, elem ...string) string {
	t.Helper()
	if _, ok := Find(); !ok {
		t.Skip("no shared data: set ENTENTE_SHARED_DATA to run this on real input")
	}
	path, ok := Find(elem...)
	if !ok {
		t.Skipf("shared data has no %s", filepath.Join(elem...))
	}
	return path
}

// Files are the contents of those files of a folder of the data sets that a pattern below it matches, by their paths; gzip is unpacked.
// The test skips when the folder is not there, and fails when nothing matches.
func Files(t testing.TB, pattern string, elem ...string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(Dir(t, elem...), pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files match %s: %v", len(names), pattern, err)
	}
	out := make(map[string][]byte, len(names))
	for _, name := range names {
		if out[name], err = contents(name); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return out
}

func contents(name string) ([]byte, error) {
	raw, err := os.ReadFile(name)
	if err != nil || !strings.HasSuffix(name, ".gz") {
		return raw, err
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// Find is Dir where there is no test, and tells whether the path is there.
func Find(elem ...string) (path string, ok bool) {
	root := os.Getenv("ENTENTE_SHARED_DATA")
	if root == "" {
		root = beside()
	}
	if root == "" {
		return "", false
	}
	path = filepath.Join(append([]string{root}, elem...)...)
	_, err := os.Stat(path)
	return path, err == nil
}

func beside() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if candidate := filepath.Join(dir, "shared", "data"); isDir(candidate) {
			return candidate
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
