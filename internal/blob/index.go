package blob

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"entente/internal/gate"
	"entente/internal/record"
	"entente/label"
)

// index is what stands where in the order of adding, and who may see it, so that a page is found without opening every document. The
// documents are the truth.
type index struct {
	mu    sync.RWMutex
	list  []place
	marks map[markKey]*record.Mark
	same  map[string][]place // by digest: of each organisation and label one
}

type markKey struct {
	label       label.Label // without times: then it compares by ==
	nation, org string
}

type place struct {
	added               int64 // µs since 1970
	id                  string
	mark                *record.Mark // without times
	notBefore, notAfter time.Time
}

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.added, o.added), cmp.Compare(p.id, o.id))
}

func (x *index) place(b *Blob) place {
	k := markKey{b.Label.Timeless(), b.Origin.Nation, b.Origin.Org}
	m := x.marks[k]
	if m == nil {
		m = &record.Mark{Label: k.label, Nation: k.nation, Org: k.org}
		if x.marks == nil {
			x.marks = map[markKey]*record.Mark{}
		}
		x.marks[k] = m
	}
	return place{b.Added.UnixMicro(), b.ID, m, b.Label.NotBefore, b.Label.NotAfter}
}

func (x *index) put(b *Blob) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.place(b)
	if i, found := slices.BinarySearchFunc(x.list, p, place.compare); !found {
		x.list = slices.Insert(x.list, i, p)
		x.same[b.SHA256] = append(x.same[b.SHA256], p)
	}
}

func (x *index) drop(b *Blob) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if i, found := slices.BinarySearchFunc(x.list, place{added: b.Added.UnixMicro(), id: b.ID}, place.compare); found {
		x.list = slices.Delete(x.list, i, i+1)
		left := slices.DeleteFunc(x.same[b.SHA256], func(p place) bool { return p.id == b.ID })
		if x.same[b.SHA256] = left; len(left) == 0 {
			delete(x.same, b.SHA256)
		}
	}
}

// fill puts the given blobs in place of all.
func (x *index) fill(all []Blob) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.marks, x.list, x.same = nil, make([]place, 0, len(all)), make(map[string][]place, len(all))
	for i := range all {
		p := x.place(&all[i])
		x.list = append(x.list, p)
		x.same[all[i].SHA256] = append(x.same[all[i].SHA256], p)
	}
	slices.SortFunc(x.list, place.compare)
}

// page is up to limit places after the given one that the scope sees.
func (x *index) page(scope gate.Scope, after place, limit int) (out []place) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	admits := map[*record.Mark]bool{}
	i, found := slices.BinarySearchFunc(x.list, after, place.compare)
	if found {
		i++
	}
	for _, p := range x.list[i:] {
		ok, known := admits[p.mark]
		if !known {
			ok = scope.Admits(*p.mark)
			admits[p.mark] = ok
		}
		if !ok || !scope.InForce(*p.mark, p.notBefore, p.notAfter) {
			continue
		}
		if out = append(out, p); len(out) == limit {
			break
		}
	}
	return out
}

// having is up to limit places with content of that digest that the scope sees.
func (x *index) having(scope gate.Scope, digest string, limit int) (out []place) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, p := range x.same[digest] {
		if len(out) < limit && scope.Admits(*p.mark) && scope.InForce(*p.mark, p.notBefore, p.notAfter) {
			out = append(out, p)
		}
	}
	return out
}

// cursor is a place as List hands it out.
func (p place) cursor() string { return fmt.Sprintf("%016x %s", p.added, p.id) }

func parseCursor(s string) (p place) {
	fmt.Sscanf(s, "%x %s", &p.added, &p.id) // of what is none, the beginning
	return p
}
