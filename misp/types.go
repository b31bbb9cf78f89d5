package misp

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

//go:embed types.tab
var typesTab string

// Type is what MISP knows of an attribute type.
type Type struct {
	Name       string
	Category   string // the default
	ToIDs      bool   // the default
	Categories []string
	Parts      []string // of a composite type, the types of its two values; nil for any other
}

type typeTable struct {
	order      []string
	types      map[string]Type
	categories []string
}

var knownTypes = sync.OnceValue(func() *typeTable {
	t := &typeTable{types: make(map[string]Type)}
	letter := make(map[byte]string)
	for line := range strings.Lines(typesTab) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch {
		case len(f) != 3:
		case f[0] == "category":
			letter[f[1][0]] = f[2]
			t.categories = append(t.categories, f[2])
		default:
			typ := Type{Name: f[0], Category: letter[f[1][0]], ToIDs: f[1][1] == '+'}
			for i := range len(f[2]) {
				typ.Categories = append(typ.Categories, letter[f[2][i]])
			}
			if strings.Contains(f[0], "|") {
				typ.Parts = strings.SplitN(f[0], "|", 2)
			}
			t.order = append(t.order, f[0])
			t.types[f[0]] = typ
		}
	}
	// malware-sample has two values without saying so in its name
	sample := t.types["malware-sample"]
	sample.Parts = []string{"filename", "md5"}
	t.types[sample.Name] = sample
	return t
})

// Types is the names of the attribute types of MISP 2.5, in its order.
func Types() []string { return slices.Clone(knownTypes().order) }

// Categories is the attribute categories of MISP 2.5, in its order.
func Categories() []string { return slices.Clone(knownTypes().categories) }

// TypeByName is what is known of an attribute type.
func TypeByName(name string) (Type, bool) {
	t, ok := knownTypes().types[name]
	return t, ok
}

// Fits tells whether the type may stand in the category.
func (t Type) Fits(category string) bool { return slices.Contains(t.Categories, category) }

// values splits the value of a composite type in two. The second may hold a bar itself.
func (t Type) values(value string) []string {
	if t.Parts == nil {
		return []string{value}
	}
	if first, second, ok := strings.Cut(value, "|"); ok {
		return []string{first, second}
	}
	return []string{value}
}
