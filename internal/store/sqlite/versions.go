package sqlite

import (
	"cmp"
	"slices"

	"entente/internal/store"
)

// candidate is one place of one version of an object.
type candidate struct {
	seq, rec    int64
	order, spec string
}

// resolve chooses among the candidates of one object (TAXII 2.1 section 3.4.1): without asked-for specifications those of the latest one,
// then the versions that v names, and of several copies of one version the oldest. The result is ascending.
func resolve(cands []candidate, v store.Versions, anySpec bool) []int64 {
	if len(cands) == 0 {
		return nil
	}
	if !anySpec {
		latest := slices.MaxFunc(cands, func(a, b candidate) int { return cmp.Compare(a.spec, b.spec) }).spec
		cands = slices.DeleteFunc(cands, func(c candidate) bool { return c.spec != latest })
	}
	slices.SortFunc(cands, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.spec, b.spec), cmp.Compare(a.seq, b.seq))
	})
	cands = slices.CompactFunc(cands, func(a, b candidate) bool { return a.order == b.order && a.spec == b.spec })
	first, last := cands[0].order, cands[len(cands)-1].order
	var seqs []int64
	for _, c := range cands {
		if picks(v, c.order, first, last) {
			seqs = append(seqs, c.seq)
		}
	}
	slices.Sort(seqs)
	return seqs
}

// picks tells whether v names the version of that order, where first and last are the ends.
func picks(v store.Versions, order, first, last string) bool {
	none := !v.All && !v.First && len(v.At) == 0
	return v.All || v.First && order == first || (v.Last || none) && order == last || slices.Contains(v.At, order)
}
