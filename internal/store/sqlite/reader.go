package sqlite

import (
	"context"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/record"
)

// reader is one read connection and, while it reads, the snapshot and the scope it reads for.
type reader struct {
	c     *zs.Conn
	s     *Store
	h     *hasher
	scope gate.Scope
	seen  *admitted
	keys  *keys
	rows  [2]row
	arena []byte
	named *closure
	walks [2]rowWalk // of fetch, whole and header
}

// rowWalk is a statement over records in the order of their seq, left on one of them: pages mostly want the next one.
type rowWalk struct {
	st *zs.Stmt
	on bool
	at int64 // seq of the row it is on
}

// read runs f on a snapshot, with the keys and marks that belong to it.
func (s *Store) read(ctx context.Context, scope gate.Scope, f func(*reader) error) (err error) {
	var r *reader
	select {
	case <-s.stop:
		return room.Closed()
	default:
	}
	select {
	case r = <-s.conns:
	case <-ctx.Done():
		return fault.As(ctx.Err())
	case <-s.stop:
		return room.Closed()
	}
	defer func() { s.conns <- r }()
	defer r.end(&err)
	for {
		// Keys leave memory only after they are in the table. When the generations are the same before and after the snapshot was
		// taken, every key that it holds is in its table or in them.
		r.keys = s.keys.Load()
		if err := r.begin(); err != nil {
			return err
		}
		if s.keys.Load() == r.keys {
			break
		}
		if err := lite.Exec(r.c, "ROLLBACK", nil); err != nil {
			return err
		}
	}
	r.scope, r.seen = scope, s.marks.admitted(scope) // after the snapshot: it may lack none of its marks
	return f(r)
}

func (r *reader) begin() error {
	if err := lite.Exec(r.c, "BEGIN", nil); err != nil {
		return err
	}
	_, err := lite.Number(r.c, "SELECT 1 FROM meta")
	return err
}

func (r *reader) end(err *error) {
	for i := range r.walks { // a statement on a row would keep the snapshot
		if w := &r.walks[i]; w.st != nil {
			w.on = false
			if e := w.st.Reset(); *err == nil {
				*err = e
			}
		}
	}
	if !r.c.AutocommitEnabled() {
		if e := lite.Exec(r.c, "ROLLBACK", nil); *err == nil {
			*err = e
		}
	}
	r.scope, r.seen, r.keys, r.arena, r.named = gate.Scope{}, nil, nil, nil, nil
}

// sees tells whether the holder of the scope may have the record now: by its label, and by what it names.
func (r *reader) sees(w *row) (bool, error) {
	if !r.admits(w) || !r.seen.closes(w.label) {
		return r.admits(w), nil
	}
	if r.named == nil {
		var found []place
		r.named = &closure{c: r.c, admits: r.admits, closes: r.seen.closes, mark: r.s.marks.mark, known: map[string]target{},
			find: func(id string) (_ []place, err error) {
				found, err = r.keys.lookup(r.c, r.h.of(keyID, id), 0, everything, found)
				return found, err
			}}
	}
	return r.named.holds(w)
}

// admits tells whether the scope admits the record now, by its label alone.
func (r *reader) admits(w *row) bool {
	return r.seen.admits(w.label) && (w.notBefore == 0 && w.notAfter == 0 ||
		r.scope.InForce(r.s.marks.mark(w.label), lite.UnpackTime(w.notBefore), lite.UnpackTime(w.notAfter)))
}

const (
	wholeQuery  = "SELECT " + rowColumns + ", body, envelope FROM record WHERE seq >= ? ORDER BY seq"
	headerQuery = "SELECT " + rowColumns + " FROM record WHERE seq >= ? ORDER BY seq"
	// maxSteps is how many rows are stepped over before a search from the root of the table is the shorter way.
	maxSteps = 3
)

// find leaves the walk on the record, if it is there.
func (w *rowWalk) find(seq int64) (bool, error) {
	for range maxSteps {
		if !w.on || w.at >= seq {
			break
		}
		if err := w.step(); err != nil {
			return false, err
		}
		if w.on && w.at > seq { // nothing lies between this row and the one before
			return false, nil
		}
	}
	if w.on && w.at == seq {
		return true, nil
	}
	w.on = false
	if err := w.st.Reset(); err != nil {
		return false, err
	}
	w.st.BindInt64(1, seq)
	if err := w.step(); err != nil {
		return false, err
	}
	return w.on && w.at == seq, nil
}

func (w *rowWalk) step() (err error) {
	if w.on, err = w.st.Step(); w.on {
		w.at = w.st.ColumnInt64(0)
	}
	return err
}

// whole reads a record with its bytes, or without them. The row is valid until the next call.
func (r *reader) whole(seq int64, headers bool) (*row, record.Record, bool, error) {
	w := &r.rows[0]
	ok, st, err := r.fetch(seq, w, headers)
	if err != nil || !ok {
		return nil, record.Record{}, false, err
	}
	rec, err := w.record(r.s.marks.mark(w.label))
	if err == nil && !headers {
		r.bytes(st, &rec)
	}
	return w, rec, true, err
}

// fetch reads a row, and leaves the statement on it.
func (r *reader) fetch(seq int64, into *row, headers bool) (bool, *zs.Stmt, error) {
	w, query := &r.walks[0], wholeQuery
	if headers {
		w, query = &r.walks[1], headerQuery
	}
	if w.st == nil {
		st, err := r.c.Prepare(query)
		if err != nil {
			return false, nil, err
		}
		w.st = st
	}
	ok, err := w.find(seq)
	if err != nil || !ok {
		return false, nil, err
	}
	scanRow(w.st, into)
	return true, w.st, nil
}

// bytes copies body and envelope from the statement that fetch left.
func (r *reader) bytes(st *zs.Stmt, rec *record.Record) {
	rec.Body = r.copy(st, colBody)
	if st.ColumnType(colEnvelope) != zs.TypeNull {
		rec.Envelope = r.copy(st, colEnvelope)
	}
}

// arenaSize is how many bytes of bodies share one allocation.
const arenaSize = 128 << 10

// copy copies a column; small ones share an allocation. It is never nil.
func (r *reader) copy(st *zs.Stmt, col int) []byte {
	n := st.ColumnLen(col)
	if n > arenaSize/8 {
		b := make([]byte, n)
		st.ColumnBytes(col, b)
		return b
	}
	if len(r.arena) < n {
		r.arena = make([]byte, arenaSize)
	}
	b := r.arena[:n:n]
	r.arena = r.arena[n:]
	st.ColumnBytes(col, b)
	return b
}
