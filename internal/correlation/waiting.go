package correlation

import (
	"cmp"
	"container/heap"
)

// waiting holds hits until none can come any more that stands before them. Those that come in order cost nothing, the others the logarithm of their number.
type waiting struct {
	order  []*record // those that came in order
	from   int       // the first of them that is still here
	others pile
	weight int64
}

// order compares where hits stand; those of one event are equal.
func (r *record) order(o *record) int {
	if c := cmp.Compare(r.time, o.time); c != 0 {
		return c
	}
	return cmp.Compare(r.index, o.index)
}

// compare also keeps those of one event as they came.
func (r *record) compare(o *record) int {
	if c := r.order(o); c != 0 {
		return c
	}
	return cmp.Compare(r.seq, o.seq)
}

type pile []*record

func (p pile) Len() int           { return len(p) }
func (p pile) Less(i, j int) bool { return p[i].compare(p[j]) < 0 }
func (p pile) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pile) Push(x any)        { *p = append(*p, x.(*record)) }
func (p *pile) Pop() any {
	last := len(*p) - 1
	r := (*p)[last]
	(*p)[last] = nil
	*p = (*p)[:last]
	return r
}

func (w *waiting) len() int { return len(w.order) - w.from + len(w.others) }

func (w *waiting) add(r *record) {
	w.weight += recordWeight + int64(len(r.values))
	if n := len(w.order); n == w.from || w.order[n-1].compare(r) < 0 {
		w.order = append(w.order, r)
		return
	}
	heap.Push(&w.others, r)
}

// first is the one that stands before all others; nil: there is none.
func (w *waiting) first() *record {
	switch {
	case w.from == len(w.order) && len(w.others) == 0:
		return nil
	case w.from == len(w.order):
		return w.others[0]
	case len(w.others) > 0 && w.others[0].compare(w.order[w.from]) < 0:
		return w.others[0]
	}
	return w.order[w.from]
}

// pop takes the first.
func (w *waiting) pop() *record {
	r := w.first()
	if len(w.others) > 0 && w.others[0] == r {
		heap.Pop(&w.others)
	} else {
		w.order[w.from] = nil
		if w.from++; w.from*2 > len(w.order) { // as many as were taken are moved
			n := copy(w.order, w.order[w.from:])
			clear(w.order[n:])
			w.order, w.from = w.order[:n], 0
		}
	}
	w.weight -= recordWeight + int64(len(r.values))
	return r
}
