package sqlite

import (
	zs "zombiezen.com/go/sqlite"

	"entente/internal/gate"
	"entente/internal/record"
)

// closure finds out, on one snapshot and for one scope, whether everything that a record names may be had, and everything that this
// names in turn. Records that name each other in a circle do not keep each other back.
type closure struct {
	c      *zs.Conn
	find   func(id string) ([]place, error) // places of everything under the hash of an id
	admits func(*row) bool                  // by label and time alone
	closes func(label uint32) bool          // gate.Scope.Closes
	mark   func(label uint32) record.Mark
	known  map[string]bool // whether a record of this id may be had, of ids that are settled
	row    row             // scratch
}

// maxClosure is how many ids one record may lead to. What leads to more is kept back.
const maxClosure = 10_000

// holds tells whether everything that a record names may be had.
func (k *closure) holds(w *row) (bool, error) {
	root, err := k.names(w)
	if err != nil {
		return false, err
	}
	// open are ids that may be had if, of one of their records, all that it names may be had.
	open := map[string][][]string{}
	todo := append([]string(nil), root...)
	for i := 0; i < len(todo); i++ {
		id := todo[i]
		if _, met := open[id]; met {
			continue
		}
		if had, settled := k.known[id]; settled {
			if !had && i < len(root) {
				return false, nil
			}
			continue
		}
		ways, had, err := k.ways(id)
		switch {
		case err != nil:
			return false, err
		case had:
			k.known[id] = true
		case len(ways) == 0:
			k.known[id] = false
			if i < len(root) {
				return false, nil
			}
		case len(open) == maxClosure:
			return false, nil
		default:
			open[id] = ways
			for _, names := range ways {
				todo = append(todo, names...)
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for id, ways := range open {
			if !k.any(ways, open) {
				delete(open, id)
				k.known[id], changed = false, true
			}
		}
	}
	for id := range open {
		k.known[id] = true
	}
	for _, id := range root {
		if !k.known[id] {
			return false, nil
		}
	}
	return true, nil
}

// any tells whether one of the ways names only what may be had or is still open.
func (k *closure) any(ways [][]string, open map[string][][]string) bool {
next:
	for _, names := range ways {
		for _, id := range names {
			if _, ok := open[id]; !ok && !k.known[id] {
				continue next
			}
		}
		return true
	}
	return false
}

// ways are what each admitted record of an id names; had tells that one of them may be had whatever it names.
func (k *closure) ways(id string) (ways [][]string, had bool, err error) {
	places, err := k.find(id)
	if err != nil {
		return nil, false, err
	}
	places = append([]place(nil), places...)
	for i, at := range places {
		if seenBefore(places[:i], at.rec) {
			continue
		}
		ok, err := loadRow(k.c, at.rec, &k.row)
		if err != nil {
			return nil, false, err
		}
		if !ok || !k.admits(&k.row) {
			continue
		}
		var have record.Record
		if err := unpackHead(k.row.head, &have); err != nil {
			return nil, false, err
		}
		if have.ID != id {
			continue
		}
		if !k.closes(k.row.label) {
			return nil, true, nil
		}
		names, err := k.names(&k.row)
		if err != nil || len(names) == 0 {
			return nil, err == nil, err
		}
		ways = append(ways, names)
	}
	return ways, false, nil
}

// names are the ids that a record names; its author only where the label does not permit to name it.
func (k *closure) names(w *row) (ids []string, err error) {
	var head record.Record
	eachLookup(w.lookups, func(kind record.LookupKind, text []byte) bool {
		if kind != record.Ref {
			return true
		}
		if ids == nil {
			err = unpackHead(w.head, &head)
			if m := k.mark(w.label); !gate.NamesAuthor(&m.Label) {
				head.CreatedBy = ""
			}
			ids = []string{}
		}
		if id := string(text); id != head.CreatedBy {
			ids = append(ids, id)
		}
		return err == nil
	})
	return ids, err
}
