package stix

import (
	"fmt"
	"strings"
	"testing"
)

// Objects that are made to cost much: each is megabytes of one thing. None may take more than the size of its input allows; a test that
// does not end says so.
func TestHostileObjects(t *testing.T) {
	const n = 50_000
	repeat := func(s string) string { return strings.TrimSuffix(strings.Repeat(s+",", n), ",") }
	numbered := func(format string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	objects := map[string][]byte{
		"unknown properties": append(append([]byte(`{"type":"tool","id":"tool--`+sampleV4+`","spec_version":"2.1",`), numbered(`"x_p%d":[]`)...), '}'),
		"selectors":          sample("tool", `aliases:[`+repeat(`"a"`)+`]`, `granular_markings:[{"lang":"de","selectors":[`+repeat(`"aliases.[49999]"`)+`]}]`),
		"granular":           sample("tool", `granular_markings:[`+repeat(`{"lang":"de","selectors":["name"]}`)+`]`),
		"extensions":         sample("tool", `extensions:{`+numbered(`"x-%d-ext":{}`)+`}`),
		"long name":          sample("tool", strings.Repeat("k", 4<<20)+`_refs:[`+repeat(`"`+sampleIdentity+`"`)+`]`),
		"observables":        sample("observed-data", `spec_version:`, `objects:{`+numbered(`"%d":{"type":"file","contains_refs":["x","y"]}`)+`}`),
		"local references":   sample("observed-data", `objects:{"0":{"type":"file","contains_refs":[`+numbered(`"x%d"`)+`]}}`),
		"chain":              sample("observed-data", `spec_version:`, `objects:{`+numbered(`"%d":{"type":"file","name":"a","parent_directory_ref":"1"}`)+`}`),
		"markings":           sample("observed-data", `spec_version:`, `object_marking_refs:[`+repeat(`"`+tlpGreen+`"`)+`]`, `objects:{`+numbered(`"%d":{"type":"mutex","name":"m"}`)+`}`),
		"aliases":            sample("tool", `aliases:[`+numbered(`"a%d"`)+`]`),
		"headers":            sample("email-message", `additional_header_fields:{`+numbered(`"h%d":["x"]`)+`}`),
	}
	for name, raw := range objects {
		o, err := ParseLimits(raw, Limits{Size: 64 << 20, Items: 10_000_000})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if fs := Validate(o, Options{}); len(fs) > maxFindings {
			t.Errorf("%s: %d findings", name, len(fs))
		}
		for _, ref := range o.Refs() {
			if len(ref.Path) > 2*maxPointer {
				t.Fatalf("%s: a pointer of %d bytes", name, len(ref.Path))
			}
		}
		o.Values()
		o.Names()
		o.Digest()
		if len(raw) < 16<<20 {
			_, losses, _ := Upgrade(raw)
			if len(losses) > maxFindings {
				t.Errorf("%s: %d losses", name, len(losses))
			}
		}
	}
}
