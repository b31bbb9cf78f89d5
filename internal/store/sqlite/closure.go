package sqlite

import (
	zs "zombiezen.com/go/sqlite"

	"entente/internal/gate"
	"entente/internal/record"
)

// closure finds out, on one snapshot and for one scope, whether everything that a record names may be had, and everything that this
// names in turn. Records that name each other in a circle do not keep each other back.
//
// What is received from others counts only when it was here before the record that names it: else whoever guesses an id could hand in
// something under it, and see which records come forth.
type closure struct {
	c      *zs.Conn
	find   func(id string) ([]place, error) // places of everything under the hash of an id
	admits func(*row) bool                  // by label and time alone
	closes func(label uint32) bool          // gate.Scope.Closes
	mark   func(label uint32) record.Mark
	known  map[string]target
	row    row // scratch
}

// target is what is known of the records of one id that the scope admits.
type target struct {
	since   int64      // the oldest that is had whatever it names; 0: there is none
	ways    [][]naming // what each of the others names
	settled bool       // had is final
	had     bool       // one of the others may be had
}

// naming is the naming of an id by a record.
type naming struct {
	id  string
	rec int64
}

func (t target) serves(n naming) bool { return t.had || t.since != 0 && t.since < n.rec }

// maxClosure is how many ids one record may lead to. What leads to more is kept back.
const maxClosure = 10_000

// holds tells whether everything that a record names may be had.
func (k *closure) holds(w *row) (bool, error) {
	root, err := k.names(w)
	if err != nil {
		return false, err
	}
	var open []string // ids whose records wait for what they name
	todo := append([]naming(nil), root...)
	for i := 0; i < len(todo); i++ {
		n := todo[i]
		t, met := k.known[n.id]
		if !met {
			if t, err = k.target(n.id); err != nil {
				return false, err
			}
			if !t.settled {
				open = append(open, n.id)
				for _, names := range t.ways {
					todo = append(todo, names...)
				}
			}
			k.known[n.id] = t
		}
		if hopeless := t.settled && !t.serves(n); hopeless && i < len(root) || len(open) > maxClosure {
			for _, id := range open {
				delete(k.known, id) // not looked at to the end
			}
			return false, nil
		}
	}
	k.settle(open)
	for _, n := range root {
		if !k.known[n.id].serves(n) {
			return false, nil
		}
	}
	return true, nil
}

// settle takes back, from the assumption that all open ids may be had, what does not hold, until nothing more changes.
func (k *closure) settle(open []string) {
	for _, id := range open {
		t := k.known[id]
		t.had = true
		k.known[id] = t
	}
	for changed := true; changed; {
		changed = false
		for _, id := range open {
			if t := k.known[id]; t.had && !k.any(t.ways) {
				t.had, changed = false, true
				k.known[id] = t
			}
		}
	}
	for _, id := range open {
		k.known[id] = target{since: k.known[id].since, had: k.known[id].had, settled: true}
	}
}

// any tells whether one of the ways names only what may be had.
func (k *closure) any(ways [][]naming) bool {
next:
	for _, names := range ways {
		for _, n := range names {
			if !k.known[n.id].serves(n) {
				continue next
			}
		}
		return true
	}
	return false
}

// target reads the records of an id.
func (k *closure) target(id string) (t target, err error) {
	found, err := k.find(id)
	if err != nil {
		return t, err
	}
	places := append([]place(nil), found...)
	for i, at := range places {
		if seenBefore(places[:i], at.rec) {
			continue
		}
		ok, err := loadRow(k.c, at.rec, &k.row)
		if err != nil {
			return t, err
		}
		if !ok || !k.admits(&k.row) {
			continue
		}
		var have record.Record
		if err := unpackHead(k.row.head, &have); err != nil {
			return t, err
		}
		if have.ID != id {
			continue
		}
		if !k.closes(k.row.label) {
			if t.since == 0 || at.rec < t.since {
				t.since = at.rec
			}
			continue
		}
		names, err := k.names(&k.row)
		if err != nil {
			return t, err
		}
		if len(names) == 0 {
			t.had = true
		}
		t.ways = append(t.ways, names)
	}
	if t.settled = t.had || len(t.ways) == 0; t.settled {
		t.ways = nil
	}
	return t, nil
}

// names are the namings in a record; its author is one of them only where the label does not permit to name it.
func (k *closure) names(w *row) (list []naming, err error) {
	var head record.Record
	read := false
	eachLookup(w.lookups, func(kind record.LookupKind, text []byte) bool {
		if kind != record.Ref {
			return true
		}
		if !read {
			read, err = true, unpackHead(w.head, &head)
			if m := k.mark(w.label); !gate.NamesAuthor(&m.Label) {
				head.CreatedBy = ""
			}
		}
		if id := string(text); id != head.CreatedBy {
			list = append(list, naming{id, w.seq})
		}
		return err == nil
	})
	return list, err
}
