package stix

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

//go:embed relationships.tab
var relationshipsTab string

var relationships = sync.OnceValue(func() map[[2]string][]string {
	m := map[[2]string][]string{}
	for line := range strings.Lines(relationshipsTab) {
		source, rest, found := strings.Cut(line, ":")
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		for entry := range strings.SplitSeq(rest, ";") {
			f := strings.Fields(entry)
			m[[2]string{source, f[0]}] = f[1:]
		}
	}
	return m
})

// isKnownRelationship tells whether the standard defines a relationship between two types (appendix B). Of types that it does not
// define it says nothing.
func isKnownRelationship(source, name, target string) bool {
	switch name {
	case "derived-from", "duplicate-of", "related-to":
		return true
	}
	t := types()
	if t.byName[source] == nil || t.byName[target] == nil {
		return true
	}
	targets := relationships()[[2]string{source, name}]
	return slices.Contains(targets, target) || slices.Contains(targets, "@sco") && IsSCO(target)
}
