package galaxy

import (
	"testing"

	"entente/internal/shareddata"
	"entente/misp"
	"entente/stix"
)

// Every cluster of the published galaxies is found by its names, and what STIX has a type for becomes a sound object.
func TestPublished(t *testing.T) {
	clusters := 0
	for file, raw := range shareddata.Files(t, "*.json*", "misp", "misp-galaxy", "clusters") {
		g, err := Parse(raw)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		event := &misp.Event{UUID: "5e7d6a5e-0000-4000-8000-000000000001", Info: g.Name, Date: "2026-01-01", Timestamp: "1767225600"}
		for i := range g.Clusters {
			c := &g.Clusters[i]
			clusters++
			if found, ok := g.ByUUID(c.UUID); !ok || found.UUID != c.UUID {
				t.Errorf("%s is not found by its uuid", c.Value)
			}
			if _, ok := g.ByName(c.Value); !ok {
				t.Errorf("%s is not found by its name", c.Value)
			}
			event.Galaxies = append(event.Galaxies, g.Attach(c))
		}
		items, _ := misp.ToSTIX(event, misp.Options{})
		if len(items) < len(g.Clusters)/2 {
			t.Errorf("%s: %d objects of %d clusters", g.Name, len(items), len(g.Clusters))
		}
		for _, item := range items {
			o, err := stix.Parse(item.Raw)
			if err != nil {
				t.Fatalf("%s: %v", item.ID, err)
			}
			for _, f := range stix.Validate(o, stix.Options{}) {
				if f.Level == stix.LevelError {
					t.Errorf("%s: %s", o.Name(), f)
				}
			}
		}
	}
	if clusters < 5000 {
		t.Errorf("%d clusters", clusters)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, raw := range []string{``, `[]`, `{}`, `{"type":"x","values":[{}]}`, `{"type":"x","values":3}`} {
		if _, err := Parse([]byte(raw)); err == nil {
			t.Errorf("%q was taken for a galaxy", raw)
		}
	}
}
