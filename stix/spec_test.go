package stix

import (
	"encoding/json"
	"os"
	"testing"

	"entente/internal/shareddata"
)

type specExample struct {
	Section string          `json:"section"`
	Object  json.RawMessage `json:"object"`
}

func specExamples(t *testing.T, file string) []specExample {
	t.Helper()
	raw, err := os.ReadFile(shareddata.Dir(t, "stix", "conformance", file))
	if err != nil {
		t.Fatal(err)
	}
	var examples []specExample
	if err := json.Unmarshal(raw, &examples); err != nil {
		t.Fatal(err)
	}
	return examples
}

// Rows 15-19: the ids of the standard's own examples that two other implementations reproduce.
func TestRow19DeterministicIDs(t *testing.T) {
	for _, e := range specExamples(t, "sco-deterministic-id-vectors.json") {
		o, err := Parse(e.Object)
		if err != nil {
			t.Errorf("%s: %v", e.Section, err)
			continue
		}
		id, ok, err := DeterministicID(o)
		if err != nil || !ok || id != o.ID() {
			t.Errorf("%s: got %s %v %v, want %s", e.Section, id, ok, err, o.ID())
		}
	}
}

// exampleErrors is the rules that examples of the standard break themselves, by their number.
var exampleErrors = map[int]string{
	16:  "property.kind",     // latitude and longitude as strings
	33:  "binary.format",     // a payload cut off with dots
	93:  "property.required", // created and modified left out
	118: "binary.format",     // as 33
	122: "extension.type",    // property_extension with an underscore
}

// The examples of the standard parse, and keep its rules but for what they abbreviate.
func TestSpecExamples(t *testing.T) {
	for i, e := range specExamples(t, "spec-errata01-examples.json") {
		o, err := Parse(e.Object)
		if err != nil {
			if r, err := ValidateBundle(e.Object, Options{}); err != nil || len(r.Objects) == 0 {
				t.Errorf("%d %s: %v: %s", i, e.Section, err, e.Object)
			}
			continue
		}
		broken := false
		for _, f := range Validate(o, Options{}) {
			broken = broken || f.Level == LevelError
			if f.Level == LevelError && f.Code != exampleErrors[i] {
				t.Errorf("%d %s %s: %v", i, e.Section, o.Type(), f)
			}
		}
		if !broken && exampleErrors[i] != "" {
			t.Errorf("%d %s: expected %s", i, e.Section, exampleErrors[i])
		}
	}
}
