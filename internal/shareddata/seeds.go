package shareddata

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// maxSeeds bounds what Seeds returns: enough shapes to start from, few enough to try them all in every test run.
const maxSeeds = 60

// Seeds are real inputs for fuzz targets: the values under a key of a recorded file of cases, or the files that a pattern below the
// data sets matches when key is empty. Without the data sets there are none.
func Seeds(key string, elem ...string) [][]byte {
	root, ok := Find()
	if !ok {
		return nil
	}
	pattern := filepath.Join(append([]string{root}, elem...)...)
	if key == "" {
		return files(pattern)
	}
	b, err := os.ReadFile(pattern)
	if err != nil {
		return nil
	}
	var cases []map[string]json.RawMessage
	if json.Unmarshal(b, &cases) != nil {
		return nil
	}
	var out [][]byte
	step := max(1, len(cases)/maxSeeds)
	for i := 0; i < len(cases) && len(out) < maxSeeds; i += step {
		v := []byte(cases[i][key])
		var text string
		if json.Unmarshal(v, &text) == nil {
			v = []byte(text)
		}
		if len(v) > 0 {
			out = append(out, v)
		}
	}
	return out
}

func files(pattern string) (out [][]byte) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	for _, name := range names {
		if b, err := os.ReadFile(name); err == nil && len(b) < 64<<10 && len(out) < maxSeeds {
			out = append(out, b)
		}
	}
	return out
}
