package pattern_test

import (
	"fmt"

	"entente/stix/pattern"
)

func Example() {
	p, err := pattern.Parse(`([domain-name:value = 'update.example.com'] FOLLOWEDBY [file:name LIKE '%.exe']) WITHIN 60 SECONDS`)
	if err != nil {
		fmt.Println(err)
		return
	}
	obs, err := pattern.Observations([]byte(`{"type": "bundle", "objects": [
		{"type": "observed-data", "id": "observed-data--1", "number_observed": 1, "object_refs": ["domain-name--1"],
		 "first_observed": "2026-01-01T10:00:00Z", "last_observed": "2026-01-01T10:00:00Z"},
		{"type": "domain-name", "id": "domain-name--1", "value": "update.example.com"},
		{"type": "observed-data", "id": "observed-data--2", "number_observed": 1, "object_refs": ["file--1"],
		 "first_observed": "2026-01-01T10:00:20Z", "last_observed": "2026-01-01T10:00:20Z"},
		{"type": "file", "id": "file--1", "name": "setup.exe"}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := p.Match(obs)
	fmt.Println(r.Matched, r.Observations, err)
	for _, c := range p.Equalities() {
		fmt.Println(c.Type, c.Path, c.Value)
	}
	// Output:
	// true [0 1] <nil>
	// domain-name value update.example.com
}

func ExampleParse_invalid() {
	_, err := pattern.Parse(`[file:size = ]`)
	fmt.Println(err)
	// Output: line 1, column 14: found "]" where a constant must stand (STIX 2.1, section 9.5)
}
