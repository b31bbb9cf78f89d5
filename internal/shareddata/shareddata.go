// Package shareddata finds the real data sets that tests and benchmarks use when they are at hand. None of them is part of the
// project: without them the tests that need them skip.
package shareddata

import (
	"os"
	"path/filepath"
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
