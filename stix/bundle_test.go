package stix

import (
	"strings"
	"testing"
)

// Section 8 and row 39: what a bundle may hold, and what is only worth knowing.
func TestValidateBundle(t *testing.T) {
	tool := string(sample("tool", `name:"VNC"`))
	other := string(sample("tool", `name:"Other"`))
	later := string(sample("tool", `name:"VNC"`, `modified:"2027-01-01T00:00:00.000Z"`))
	relation := string(sample("relationship", append(minimal["relationship"], `source_ref:"tool--`+sampleV4+`"`)...))
	bundle := func(rest string) string { return `{"type":"bundle","id":"bundle--` + sampleV4 + `"` + rest + `}` }
	cases := []struct {
		name, src, code string
		strict, lenient bool
	}{
		{"empty", bundle(``), "", true, true},
		{"versions in any order", bundle(`,"objects":[` + later + `,` + tool + `]`), "", true, true},
		{"dangling reference", bundle(`,"objects":[` + relation + `]`), "bundle.reference", true, true},
		{"same version twice", bundle(`,"objects":[` + tool + `,` + other + `]`), "bundle.duplicate", false, true},
		{"no list", bundle(`,"objects":{}`), "property.kind", false, false},
		{"empty list", bundle(`,"objects":[]`), "property.empty", false, false},
		{"not an object", bundle(`,"objects":[1]`), "bundle.object", false, false},
		{"a bundle inside", bundle(`,"objects":[` + bundle(``) + `]`), "object.bundle", false, false},
		{"own property", bundle(`,"created":"x"`), "bundle.property", false, true},
		{"a bundle of 2.0", bundle(`,"spec_version":"2.0"`), "spec.old", true, true},
		{"wrong version", bundle(`,"spec_version":"2.1"`), "bundle.property", false, true},
		{"wrong id", strings.Replace(bundle(``), `"bundle--`, `"tool--`, 1), "id.format", false, false},
		{"no id", `{"type":"bundle"}`, "property.required", false, false},
		{"row 59: an observable without id", bundle(`,"objects":[{"type":"ipv4-addr","value":"198.51.100.2"}]`), "object.id", false, false},
		{"a translation that does not fit", bundle(`,"objects":[` + tool + `,` + string(sample("language-content", `object_ref:"tool--`+sampleV4+`"`,
			`object_modified:"2026-04-06T20:03:48.000Z"`, `contents:{"de":{"goals":["x"]}}`)) + `]`), "language.reference", false, false},
	}
	for _, c := range cases {
		r, err := ValidateBundle([]byte(c.src), Options{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		found := c.code == "" || has(r.Findings, c.code)
		for _, o := range r.Objects {
			found = found || has(o.Findings, c.code)
		}
		if !found || r.Valid(true) != c.strict || r.Valid(false) != c.lenient {
			t.Errorf("%s: strict %v lenient %v %v %+v", c.name, r.Valid(true), r.Valid(false), r.Findings, r.Objects)
		}
	}
	for _, src := range []string{tool, `[]`, `{`, `{"type":"bundle"`} {
		if _, err := ValidateBundle([]byte(src), Options{}); err == nil {
			t.Errorf("%.30s is taken for a bundle", src)
		}
	}
}
