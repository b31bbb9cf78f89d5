package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
)

// Flags of a record row.
const (
	flagMulti     = 1 << iota // another record with this id has been stored
	flagHeld                  // in quarantine
	flagRevoked               // record.Revoked
	flagVersioned             // has a version of its own
	flagMoved                 // all its places stand in placement
)

var errHead = errors.New("a record's header is damaged")

// packHead writes the strings of a record, each after its length, and then the digest.
func packHead(r *record.Record) []byte {
	parts := [...]string{r.ID, string(r.Kind), r.Type, r.Spec, r.Version, r.Order, r.CreatedBy, r.Origin.Nation, r.Origin.Org, r.Origin.Person, r.Origin.Via}
	n := len(r.Digest) + 2*len(parts)
	for _, p := range parts {
		n += len(p)
	}
	b := make([]byte, 0, n)
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return append(b, r.Digest[:]...)
}

// unpackHead is the way back. The strings share one allocation.
func unpackHead(b []byte, r *record.Record) error {
	if len(b) < len(r.Digest) {
		return errHead
	}
	copy(r.Digest[:], b[len(b)-len(r.Digest):])
	b = b[:len(b)-len(r.Digest)]
	text := string(b)
	for _, to := range [...]*string{&r.ID, (*string)(&r.Kind), &r.Type, &r.Spec, &r.Version, &r.Order, &r.CreatedBy,
		&r.Origin.Nation, &r.Origin.Org, &r.Origin.Person, &r.Origin.Via} {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			return errHead
		}
		*to = text[w : w+int(n)]
		b, text = b[w+int(n):], text[w+int(n):]
	}
	return nil
}

func packLookups(ls []record.Lookup) []byte {
	n := 0
	for _, l := range ls {
		n += len(l.Text) + 4
	}
	b := make([]byte, 0, n)
	for _, l := range ls {
		b = append(b, byte(l.Kind))
		b = binary.AppendUvarint(b, uint64(len(l.Text)))
		b = append(b, l.Text...)
	}
	return b
}

// eachLookup visits packed lookups until visit says stop.
func eachLookup(b []byte, visit func(record.LookupKind, []byte) bool) {
	for len(b) > 1 {
		n, w := binary.Uvarint(b[1:])
		if w <= 0 || n > uint64(len(b)-1-w) {
			return
		}
		if !visit(record.LookupKind(b[0]), b[1+w:1+w+int(n)]) {
			return
		}
		b = b[1+w+int(n):]
	}
}

func hasLookup(packed []byte, want record.Lookup) (found bool) {
	eachLookup(packed, func(k record.LookupKind, text []byte) bool {
		found = k == want.Kind && string(text) == want.Text
		return !found
	})
	return found
}

// dateVersion is the version of a record that has none, and its order: the date added, as TAXII writes it.
func dateVersion(seq record.Seq) (version, order string) {
	b := seq.Time().AppendFormat(make([]byte, 0, 27), "2006-01-02T15:04:05.000000Z")
	version = string(b)
	end := len(b) - 1
	for end > 19 && b[end-1] == '0' {
		end--
	}
	if end == 20 {
		end--
	}
	return version, version[:end]
}

// row is a stored record without its bytes.
type row struct {
	seq       int64
	label     uint32
	flags     int64
	notBefore int64
	notAfter  int64
	home      int64
	head      []byte
	lookups   []byte
}

// The columns that scanRow reads, in its order.
const rowColumns = "seq, label, flags, notbefore, notafter, home, head, lookups"

// Where body and envelope stand after them.
const (
	colBody     = 8
	colEnvelope = 9
)

// scanRow fills r from a statement over rowColumns, reusing its buffers.
func scanRow(st *zs.Stmt, r *row) {
	r.seq = st.ColumnInt64(0)
	r.label = uint32(st.ColumnInt64(1))
	r.flags = st.ColumnInt64(2)
	r.notBefore = st.ColumnInt64(3)
	r.notAfter = st.ColumnInt64(4)
	r.home = st.ColumnInt64(5)
	r.head = fill(st, 6, r.head)
	r.lookups = fill(st, 7, r.lookups)
}

func fill(st *zs.Stmt, col int, buf []byte) []byte {
	n := st.ColumnLen(col)
	if cap(buf) < n {
		buf = make([]byte, n, n+n/2)
	}
	buf = buf[:n]
	st.ColumnBytes(col, buf)
	return buf
}

// record unpacks the header under the given mark.
func (r *row) record(m record.Mark) (rec record.Record, err error) {
	if err = unpackHead(r.head, &rec); err != nil {
		return rec, err
	}
	if r.flags&flagVersioned == 0 {
		rec.Version, rec.Order = dateVersion(record.Seq(r.seq))
	}
	rec.Revoked = r.flags&flagRevoked != 0
	rec.Label = m.Label
	rec.Label.NotBefore, rec.Label.NotAfter = lite.UnpackTime(r.notBefore), lite.UnpackTime(r.notAfter)
	return rec, nil
}

// itemAt is a record at a place.
func itemAt(at int64, w *row, rec record.Record) store.Item {
	return store.Item{Seq: record.Seq(at), Rec: record.Seq(w.seq), Held: w.flags&flagHeld != 0, Record: rec}
}

func (r *row) clone() *row {
	c := *r
	c.head, c.lookups = bytes.Clone(r.head), bytes.Clone(r.lookups)
	return &c
}

// loadRow reads a record's row without its bytes.
func loadRow(c *zs.Conn, rec int64, r *row) (ok bool, err error) {
	st, err := c.Prepare("SELECT " + rowColumns + " FROM record WHERE seq = ?")
	if err != nil {
		return false, err
	}
	st.BindInt64(1, rec)
	if ok, err = st.Step(); err != nil || !ok {
		return false, err
	}
	scanRow(st, r)
	return true, st.Reset()
}

// placeOf is where a record stands in a collection.
func placeOf(c *zs.Conn, r *row, coll int64) (seq int64, in bool, err error) {
	if r.flags&flagMoved == 0 && (coll == 0 || coll == r.home) {
		return r.seq, true, nil
	}
	err = lite.Exec(c, "SELECT seq FROM placement WHERE rec = ? AND coll = ?", func(st *zs.Stmt) error {
		seq, in = st.ColumnInt64(0), true
		return nil
	}, r.seq, coll)
	return seq, in, err
}
