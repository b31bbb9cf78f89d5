package index

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/lite"
	"entente/internal/record"
)

// doc is what every query needs of a record, in memory: 40 bytes.
type doc struct {
	rec   int64
	obj   uint32 // the number of its object; 0: the record is gone
	next  uint32 // the next of the same object, in the order in which versions are preferred; 0: none
	mark  uint32
	typ   uint32 // names
	rel   uint32 // names: relationship_type
	refs  uint32 // where its edges begin; they end where those of the next record begin
	flags uint32
}

// Flags of a record.
const (
	flagHeld = 1 << iota
	flagRevoked
	flagTimed // times has its embargo and retention
)

// edge is one reference of a record to an object.
type edge struct {
	doc  uint32
	to   uint32 // object
	kind uint32 // names: the property
	next uint32 // one more than the place of the next edge to the same object; 0: none
}

// object is where the records of an id begin, and the edges that lead to it.
type object struct {
	best uint32 // the preferred record; 0: none is here
	in   uint32 // one more than the place of the first edge
	hash uint32 // of its id; 0: it has none
	next uint32 // the next object of the same head; 0: none
}

// span is when a record may be had.
type span struct{ from, to time.Time }

// columns is the part of the index that is in memory. Record 0, object 0, mark 0 and name 0 are unused.
type columns struct {
	docs  []doc
	objs  []object
	heads []uint32 // objects by the hash of their id: where a chain begins
	edges []edge
	times map[uint32]span

	marks   []record.Mark
	markIDs map[record.Mark]uint32
	using   []int // by mark: living records
	names   []string
	nameIDs map[string]uint32
	living  int

	segments []*segment // ascending by lo
}

func newColumns() *columns {
	return &columns{docs: make([]doc, 1), objs: make([]object, 1), heads: make([]uint32, 1024), times: map[uint32]span{}, marks: make([]record.Mark, 1),
		markIDs: map[record.Mark]uint32{}, using: make([]int, 1), names: make([]string, 1), nameIDs: map[string]uint32{"": 0}}
}

// find is the number of a record; 0 when it is not here. Numbers ascend as records do.
func (m *columns) find(rec int64) uint32 {
	i, ok := slices.BinarySearchFunc(m.docs[1:], rec, func(d doc, rec int64) int { return cmp.Compare(d.rec, rec) })
	if !ok || m.docs[i+1].obj == 0 {
		return 0
	}
	return uint32(i + 1)
}

// edgesOf are the references of a record.
func (m *columns) edgesOf(n uint32) []edge {
	end := len(m.edges)
	if int(n)+1 < len(m.docs) {
		end = int(m.docs[n+1].refs)
	}
	return m.edges[m.docs[n].refs:end]
}

// row is a record as the table holds it.
type row struct {
	n         uint32
	doc       doc
	place     int64
	spec, ord string
	span      span
	refs      []byte // packed edges
}

const docColumns = "n, rec, obj, mark, type, rel, flags, notbefore, notafter, place, spec, ord, refs"

func scanRow(st *zs.Stmt, r *row) {
	r.n = uint32(st.ColumnInt64(0))
	r.doc = doc{rec: st.ColumnInt64(1), obj: uint32(st.ColumnInt64(2)), mark: uint32(st.ColumnInt64(3)), typ: uint32(st.ColumnInt64(4)),
		rel: uint32(st.ColumnInt64(5)), flags: uint32(st.ColumnInt64(6))}
	r.span = span{lite.UnpackTime(st.ColumnInt64(7)), lite.UnpackTime(st.ColumnInt64(8))}
	r.place, r.spec, r.ord = st.ColumnInt64(9), st.ColumnText(10), st.ColumnText(11)
	r.refs = lite.Blob(st, 12)
}

func insertRow(c *zs.Conn, r *row) error {
	return lite.Exec(c, "INSERT INTO doc("+docColumns+") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)", nil, r.n, r.doc.rec, r.doc.obj, r.doc.mark, r.doc.typ, r.doc.rel,
		r.doc.flags, lite.PackTime(r.span.from), lite.PackTime(r.span.to), r.place, r.spec, r.ord, r.refs)
}

// packEdges writes references as numbers of object and name.
func packEdges(es []edge) []byte {
	b := make([]byte, 0, 6*len(es))
	for _, e := range es {
		b = binary.AppendUvarint(b, uint64(e.to))
		b = binary.AppendUvarint(b, uint64(e.kind))
	}
	return b
}

func unpackEdges(b []byte) (es []edge) {
	for len(b) > 0 {
		to, w := binary.Uvarint(b)
		kind, v := binary.Uvarint(b[max(w, 0):])
		if w <= 0 || v <= 0 {
			return es
		}
		es, b = append(es, edge{to: uint32(to), kind: uint32(kind)}), b[w+v:]
	}
	return es
}

// add puts a record into the columns, at the end. key reads how versions of an object are preferred.
func (m *columns) add(r *row, key keyer) error {
	for len(m.docs) < int(r.n) { // numbers of records that are gone
		m.docs = append(m.docs, doc{rec: m.docs[len(m.docs)-1].rec, refs: uint32(len(m.edges))})
	}
	d := r.doc
	d.refs = uint32(len(m.edges))
	for _, e := range unpackEdges(r.refs) {
		m.grow(e.to)
		e.doc, e.next = r.n, m.objs[e.to].in
		m.edges = append(m.edges, e)
		m.objs[e.to].in = uint32(len(m.edges))
	}
	m.docs = append(m.docs, d)
	m.grow(d.obj)
	m.living++
	m.using[d.mark]++
	m.setTimes(r.n, r.span)
	return m.link(r.n, key)
}

func (m *columns) grow(obj uint32) {
	for len(m.objs) <= int(obj) {
		m.objs = append(m.objs, object{})
	}
}

// know makes an object findable by its id.
func (m *columns) know(num, hash uint32) {
	m.grow(num)
	m.objs[num].hash = hash
	if len(m.objs) <= len(m.heads) {
		m.chain(num)
		return
	}
	m.heads = make([]uint32, 2*len(m.heads))
	for i := range m.objs {
		if m.objs[i].hash != 0 {
			m.chain(uint32(i))
		}
	}
}

func (m *columns) chain(num uint32) {
	head := &m.heads[m.objs[num].hash&uint32(len(m.heads)-1)]
	m.objs[num].next, *head = *head, num
}

// object is the number of an id; 0 when it was never met. c is where ids are read: several may have the same hash.
func (m *columns) object(c *zs.Conn, secret []byte, id string) (uint32, error) {
	hash := hashID(secret, id)
	for num := m.heads[hash&uint32(len(m.heads)-1)]; num != 0; num = m.objs[num].next {
		if m.objs[num].hash != hash {
			continue
		}
		if have, err := objectID(c, num); err != nil || have == id {
			return num, err
		}
	}
	return 0, nil
}

func (m *columns) setTimes(n uint32, s span) {
	d := &m.docs[n]
	if s.from.IsZero() && s.to.IsZero() {
		delete(m.times, n)
		d.flags &^= flagTimed
		return
	}
	m.times[n] = s
	d.flags |= flagTimed
}

// versionKey is what decides which of an object's records is preferred among those that a viewer may have: the latest language version,
// then the latest version, then the oldest place.
type versionKey struct {
	spec, ord string
	place     int64
}

// keyer finds a record's key.
type keyer func(n uint32) (versionKey, error)

func (k versionKey) before(o versionKey) bool {
	return cmp.Or(cmp.Compare(o.spec, k.spec), cmp.Compare(o.ord, k.ord), cmp.Compare(k.place, o.place)) < 0
}

// link puts a record among those of its object.
func (m *columns) link(n uint32, key keyer) error {
	at := &m.objs[m.docs[n].obj].best
	if *at != 0 {
		mine, err := key(n)
		if err != nil {
			return err
		}
		for *at != 0 {
			other, err := key(*at)
			if err != nil {
				return err
			}
			if mine.before(other) {
				break
			}
			at = &m.docs[*at].next
		}
	}
	m.docs[n].next, *at = *at, n
	return nil
}

func (m *columns) unlink(n uint32) {
	for at := &m.objs[m.docs[n].obj].best; *at != 0; at = &m.docs[*at].next {
		if *at == n {
			*at = m.docs[n].next
			m.docs[n].next = 0
			return
		}
	}
}

// remark gives a record another label and place.
func (m *columns) remark(n uint32, mark, flags uint32, s span, key keyer) error {
	m.unlink(n)
	d := &m.docs[n]
	m.using[d.mark]--
	m.using[mark]++
	d.mark, d.flags = mark, flags
	m.setTimes(n, s)
	return m.link(n, key)
}

// kill takes a record out. What it said of others stays in edges, and is passed over because the record is gone.
func (m *columns) kill(n uint32) {
	m.unlink(n)
	d := &m.docs[n]
	m.using[d.mark]--
	m.living--
	delete(m.times, n)
	*d = doc{rec: d.rec, refs: d.refs}
	for _, s := range m.segments {
		if s.lo <= n && n <= s.hi {
			s.dead++
		}
	}
}

// isNamed tells whether an object has a record, or a living record names it.
func (m *columns) isNamed(obj uint32) bool {
	if m.objs[obj].best != 0 {
		return true
	}
	for e := m.objs[obj].in; e != 0; e = m.edges[e-1].next {
		if m.docs[m.edges[e-1].doc].obj != 0 {
			return true
		}
	}
	return false
}
