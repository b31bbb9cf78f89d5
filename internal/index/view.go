package index

import (
	"slices"
	"time"

	"entente/internal/gate"
	"entente/internal/record"
)

// view is the set of records that a scope may have now, one for each object: the record that a reader of the object would be given.
// Everything that a query says comes from it alone: what is hidden is neither counted, ranked, suggested nor walked over.
type view struct {
	is   bitmap
	gen  uint64
	from time.Time // when it holds
	to   time.Time // zero: for ever
}

const keptViews = 16

// view finds the scope's view. The columns must be locked for reading.
func (x *Index) view(scope gate.Scope) *view {
	key, now := scope.Key(), scope.Now()
	x.views.mu.Lock()
	v := x.views.kept[key]
	x.views.mu.Unlock()
	if v != nil && v.gen == x.gen && !now.Before(v.from) && (v.to.IsZero() || now.Before(v.to)) {
		return v
	}
	v = x.look(scope)
	v.gen = x.gen
	x.views.mu.Lock()
	defer x.views.mu.Unlock()
	if x.views.kept == nil {
		x.views.kept = map[string]*view{}
	}
	if len(x.views.kept) >= keptViews {
		for k := range x.views.kept {
			delete(x.views.kept, k)
			break
		}
	}
	x.views.kept[key] = v
	return v
}

func (x *Index) look(scope gate.Scope) *view {
	m := x.cols
	v := &view{is: newBitmap(len(m.docs)), from: scope.Now()}
	admitted, closes := make([]bool, len(m.marks)), make([]bool, len(m.marks))
	for i := 1; i < len(m.marks); i++ {
		admitted[i] = m.using[i] > 0 && scope.Admits(m.marks[i])
		closes[i] = admitted[i] && scope.Closes(m.marks[i])
	}
	has := func(n uint32) bool {
		d := &m.docs[n]
		return admitted[d.mark] && (d.flags&flagTimed == 0 || v.during(scope, m.marks[d.mark], m.times[n]))
	}
	held := newBitmap(0)
	if slices.Contains(closes, true) {
		held = v.closure(m, has, closes)
	}
	for i := range m.objs {
		for n := m.objs[i].best; n != 0; n = m.docs[n].next {
			if has(n) && !held.has(n) {
				v.is.set(n)
				break
			}
		}
	}
	return v
}

// closure is what is kept back because it names something that the viewer may not have, or something that is kept back in turn. Records
// that name each other in a circle do not keep each other back. What others handed in counts only for what came after it.
func (v *view) closure(m *columns, has func(uint32) bool, closes []bool) (held bitmap) {
	held = newBitmap(len(m.docs))
	since := make([]int64, len(m.objs)) // by object: the oldest record that is had whatever it names
	ways := make([]uint32, len(m.objs)) // by object: how many of the others may be had
	var open []uint32
	for n := uint32(1); int(n) < len(m.docs); n++ {
		d := &m.docs[n]
		switch {
		case d.obj == 0 || !has(n):
		case !closes[d.mark]:
			if since[d.obj] == 0 {
				since[d.obj] = d.rec
			}
		default:
			open = append(open, n)
			ways[d.obj]++
		}
	}
	for changed := true; changed; {
		changed = false
		left := open[:0]
		for _, n := range open {
			if m.complete(n, since, ways) {
				left = append(left, n)
				continue
			}
			held.set(n)
			ways[m.docs[n].obj]--
			changed = true
		}
		open = left
	}
	return held
}

// complete tells whether everything that a record names may be had. Its author is none of it where its label permits to name it.
func (m *columns) complete(n uint32, since []int64, ways []uint32) bool {
	d := &m.docs[n]
	edges := m.edgesOf(n)
	for _, e := range edges {
		if ways[e.to] == 0 && (since[e.to] == 0 || since[e.to] >= d.rec) &&
			!(gate.NamesAuthor(&m.marks[d.mark].Label) && m.isAuthor(edges, e.to)) {
			return false
		}
	}
	return true
}

// during tells whether a record may be had now, and notes until when that holds.
func (v *view) during(scope gate.Scope, mark record.Mark, s span) bool {
	now := scope.Now()
	for _, t := range [...]time.Time{s.from, s.to} {
		if t.After(now) && (v.to.IsZero() || t.Before(v.to)) {
			v.to = t
		}
	}
	return scope.InForce(mark, s.from, s.to)
}

func (m *columns) isAuthor(edges []edge, obj uint32) bool {
	for _, e := range edges {
		if e.to == obj && m.names[e.kind] == createdBy {
			return true
		}
	}
	return false
}

// object is the record of an object that the viewer would be given; 0: none.
func (v *view) object(m *columns, obj uint32) uint32 {
	for n := m.objs[obj].best; n != 0; n = m.docs[n].next {
		if v.is.has(n) {
			return n
		}
	}
	return 0
}
