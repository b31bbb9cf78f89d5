package misp

import "entente/label"

// Batch is objects that go under one label.
type Batch struct {
	Label   label.Label
	Stated  bool // a tag states a TLP
	Objects [][]byte
}

// ByLabel puts items together that have one label and of which alike a tag states it or not, the batches in the order in which they begin.
func ByLabel(items []Item) []Batch {
	type key struct {
		label  label.Label
		stated bool
	}
	var out []Batch
	at := map[key]int{}
	for i := range items {
		k := key{items[i].Label, items[i].Stated}
		n, ok := at[k]
		if !ok {
			n = len(out)
			at[k] = n
			out = append(out, Batch{Label: k.label, Stated: k.stated})
		}
		out[n].Objects = append(out[n].Objects, items[i].Raw)
	}
	return out
}
