package feed

import (
	"entente/internal/exchange"
	"entente/internal/record"
	"entente/internal/store"
)

// watch notes which values of a batch stand on warning lists. nil: nobody looks.
type watch struct {
	lists Lists
	hold  bool
	hits  []hit // by object
}

// hit is what was found in one object.
type hit struct {
	values      int
	list, value string // the first
}

func (r *Run) watch(objects int) *watch {
	if r.f.o.Lists == nil || r.c.Warninglists == "ignore" || objects == 0 {
		return nil
	}
	return &watch{r.f.o.Lists, r.c.Warninglists == "hold", make([]hit, objects)}
}

// look is what the exchange calls for each object.
func (w *watch) look() func(int, *record.Record) *store.Reason {
	if w == nil {
		return nil
	}
	return func(i int, rec *record.Record) *store.Reason {
		h := &w.hits[i]
		*h = hit{}
		for _, l := range rec.Lookups {
			if l.Kind != record.Value {
				continue
			}
			if list := w.lists.Known(l.Text); list != "" {
				if h.values++; h.values == 1 {
					h.list, h.value = list, l.Text
				}
			}
		}
		if h.values == 0 || !w.hold {
			return nil
		}
		return &store.Reason{Code: "warninglist.hit", Message: cut(h.value) + " stands on the warning list " + h.list}
	}
}

// tell counts what was found in what is new.
func (w *watch) tell(r *Report, outcomes []exchange.Outcome) {
	if w == nil {
		return
	}
	for i := range outcomes {
		if h := &w.hits[i]; h.values > 0 && (outcomes[i].State == exchange.Added || outcomes[i].State == exchange.Held) {
			r.Counts.Listed += int64(h.values)
			r.problem("listed", "warninglist.hit", "the value stands on a warning list, such as "+h.list, h.value)
		}
	}
}
