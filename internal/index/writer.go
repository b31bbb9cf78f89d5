package index

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	zs "zombiezen.com/go/sqlite"

	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

// writer changes the file and, after each commit, the columns. Only the follower has it.
type writer struct {
	c      *zs.Conn
	cursor record.Seq
	next   uint32 // record number
	nextOb uint32
	nextSg int64
	secret []byte
	nums   map[string]uint32 // numbers of objects that were met again lately
	keys   map[uint32]versionKey
	merge  *merge
	scrub  bool // something purged may still have bytes here
}

const keptNums = 1 << 16 // objects and version keys that a writer remembers

func openIndex(ctx context.Context, path string, cfg Config) (w *writer, m *columns, err error) {
	c, err := openWriter(path, cfg.CacheKiB)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	version, err := lite.Number(c, "PRAGMA user_version")
	if err != nil {
		return nil, nil, err
	}
	if version == 0 {
		err = lite.Script(c, fmt.Sprintf("BEGIN IMMEDIATE; %s PRAGMA user_version=%d; COMMIT;", schema, schemaVersion))
	} else if version != schemaVersion {
		err = fmt.Errorf("the index has schema %d and this program %d", version, schemaVersion)
	}
	if err != nil {
		return nil, nil, err
	}
	c.SetInterrupt(ctx.Done()) // a large index takes a second or two to read
	defer c.SetInterrupt(nil)
	w = &writer{c: c, nums: map[string]uint32{}, keys: map[uint32]versionKey{}}
	m = newColumns()
	return w, m, w.load(m, cfg)
}

// load reads what is kept in memory, and drops what an interrupted merge left.
func (w *writer) load(m *columns, cfg Config) error {
	err := lite.Exec(w.c, "SELECT name, value FROM meta", func(st *zs.Stmt) error {
		switch st.ColumnText(0) {
		case "cursor":
			w.cursor = record.Seq(st.ColumnInt64(1))
		case "next":
			w.next = uint32(st.ColumnInt64(1))
		case "object":
			w.nextOb = uint32(st.ColumnInt64(1))
		case "secret":
			w.secret = lite.Blob(st, 1)
		case "scrub":
			w.scrub = true
		case "owner":
			if st.ColumnText(1) != cfg.Nation+"/"+cfg.Org {
				return errors.New("the index is of another organisation")
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if w.secret == nil {
		w.next, w.nextOb, w.secret = 1, 1, make([]byte, 16)
		rand.Read(w.secret)
		if err := lite.Exec(w.c, "INSERT INTO meta VALUES('secret', ?1), ('owner', ?2), ('next', 1), ('object', 1)", nil, w.secret, cfg.Nation+"/"+cfg.Org); err != nil {
			return err
		}
	}
	err = lite.Exec(w.c, "SELECT id, mark FROM mark ORDER BY id", func(st *zs.Stmt) error {
		mark, err := unpackMark(lite.Blob(st, 1))
		if err != nil {
			return err
		}
		m.setMark(uint32(st.ColumnInt64(0)), mark)
		return nil
	})
	if err != nil {
		return err
	}
	err = lite.Exec(w.c, "SELECT id, text FROM name ORDER BY id", func(st *zs.Stmt) error {
		m.setName(uint32(st.ColumnInt64(0)), st.ColumnText(1))
		return nil
	})
	if err != nil {
		return err
	}
	err = lite.Exec(w.c, segmentColumns+" ORDER BY lo", func(st *zs.Stmt) error {
		s, err := readSegment(st)
		m.segments = append(m.segments, s)
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range m.segments {
		w.nextSg = max(w.nextSg, s.id)
	}
	if err := lite.Exec(w.c, "DELETE FROM block WHERE (id >> 24) NOT IN (SELECT id FROM segment)", nil); err != nil {
		return err
	}
	m.grow(w.nextOb)
	err = lite.Exec(w.c, "SELECT num, hash FROM object", func(st *zs.Stmt) error {
		num, hash := st.ColumnInt64(0), st.ColumnInt64(1)
		if num <= 0 || num >= int64(w.nextOb) || hash <= 0 || hash > math.MaxUint32 {
			return errors.New("an object of the index is damaged")
		}
		m.know(uint32(num), uint32(hash))
		return nil
	})
	if err != nil {
		return err
	}
	var r row
	err = lite.Exec(w.c, "SELECT "+docColumns+" FROM doc ORDER BY n", func(st *zs.Stmt) error {
		scanRow(st, &r)
		if int(r.doc.mark) >= len(m.marks) || int(r.doc.typ) >= len(m.names) || int(r.n) < len(m.docs) {
			return errSegment
		}
		return m.add(&r, w.key)
	})
	for len(m.docs) < int(w.next) {
		m.docs = append(m.docs, doc{rec: m.docs[len(m.docs)-1].rec, refs: uint32(len(m.edges))})
	}
	if w.scrub {
		for _, s := range m.segments {
			s.dead = 1 // which ones hold something purged is not known any more
		}
	}
	return err
}

type storedMark struct {
	Label  label.Label `json:"label"`
	Nation string      `json:"nation"`
	Org    string      `json:"org"`
}

func packMark(m record.Mark) ([]byte, error) { return json.Marshal(storedMark(m)) }

func unpackMark(b []byte) (record.Mark, error) {
	var s storedMark
	err := json.Unmarshal(b, &s)
	return record.Mark(s), err
}

func (m *columns) setMark(id uint32, mark record.Mark) {
	for len(m.marks) <= int(id) {
		m.marks = append(m.marks, record.Mark{})
		m.using = append(m.using, 0)
	}
	m.marks[id], m.markIDs[mark] = mark, id
}

func (m *columns) setName(id uint32, name string) {
	for len(m.names) <= int(id) {
		m.names = append(m.names, "")
	}
	m.names[id], m.nameIDs[name] = name, id
}

// key reads how a record is preferred among those of its object.
func (w *writer) key(n uint32) (k versionKey, err error) {
	if k, ok := w.keys[n]; ok {
		return k, nil
	}
	err = lite.Exec(w.c, "SELECT spec, ord, place FROM doc WHERE n = ?", func(st *zs.Stmt) error {
		k = versionKey{st.ColumnText(0), st.ColumnText(1), st.ColumnInt64(2)}
		return nil
	}, n)
	if len(w.keys) >= keptNums {
		clear(w.keys)
	}
	w.keys[n] = k
	return k, err
}

// hashID is a keyed hash of an id, and not 0: nobody outside can make many collide.
func hashID(secret []byte, id string) uint32 {
	var buf [320]byte
	sum := sha256.Sum256(append(append(buf[:0], secret...), id...))
	return max(binary.BigEndian.Uint32(sum[:]), 1)
}

func objectID(c *zs.Conn, num uint32) (id string, err error) {
	err = lite.Exec(c, "SELECT id FROM object WHERE num = ?", func(st *zs.Stmt) error { id = st.ColumnText(0); return nil }, num)
	return id, err
}

// batch is the changes of one transaction: the rows are written as it is filled, and then, once they are durable, the columns.
type batch struct {
	w     *writer
	m     *columns // read only
	lo    uint32
	terms *dictionary // complete at the end
	found []finding
	rows  map[uint32]*row // as they are after this batch
	recs  map[int64]uint32
	gone  map[uint32]bool
	dead  []uint32
	marks map[record.Mark]uint32
	names map[string]uint32
	ids   map[string]uint32 // objects
	order []func() error    // what to do to the columns
	purge bool
}

// finding is a term and a record that has it.
type finding struct{ term, n uint32 }

func (w *writer) begin(m *columns, terms *dictionary) *batch {
	return &batch{w: w, m: m, lo: w.next, terms: terms, rows: map[uint32]*row{}, recs: map[int64]uint32{}, gone: map[uint32]bool{},
		marks: map[record.Mark]uint32{}, names: map[string]uint32{}, ids: map[string]uint32{}}
}

// find is the number of a living record.
func (b *batch) find(rec record.Seq) uint32 {
	n := b.recs[int64(rec)]
	if n == 0 {
		n = b.m.find(int64(rec))
	}
	if b.gone[n] {
		return 0
	}
	return n
}

// put indexes a record, or notes that its label is another one.
func (b *batch) put(e *store.Entry, x *extract) error {
	r := e.Record
	if n := b.find(e.Rec); n != 0 {
		return b.remark(n, e)
	}
	if x == nil {
		return fmt.Errorf("record %d comes out of its order", e.Rec)
	}
	w := b.w
	n := w.next
	w.next++
	out := &row{n: n, place: int64(e.Seq), spec: r.Spec, ord: r.Order, span: span{r.Label.NotBefore, r.Label.NotAfter}}
	out.doc = doc{rec: int64(e.Rec), flags: flagsOf(e)}
	var err error
	if out.doc.obj, err = b.object(r.ID); err != nil {
		return err
	}
	if out.doc.mark, err = b.mark(r.Mark()); err != nil {
		return err
	}
	if out.doc.typ, err = b.name(r.Type); err != nil {
		return err
	}
	if out.doc.rel, err = b.name(x.rel); err != nil {
		return err
	}
	edges := make([]edge, len(x.refs))
	for i, at := range x.refs {
		if edges[i].to, err = b.object(at.id); err != nil {
			return err
		}
		if edges[i].kind, err = b.name(at.kind); err != nil {
			return err
		}
	}
	out.refs = packEdges(edges)
	if err := insertRow(w.c, out); err != nil {
		return err
	}
	if err := lite.Exec(w.c, "INSERT INTO text(n, words) VALUES(?,?)", nil, n, x.words); err != nil {
		return err
	}
	for _, t := range x.terms {
		b.found = append(b.found, finding{t, n})
	}
	b.rows[n], b.recs[int64(e.Rec)] = out, n
	first := *out
	b.order = append(b.order, func() error { return b.m.add(&first, w.key) })
	return nil
}

func flagsOf(e *store.Entry) (flags uint32) {
	if e.Held {
		flags |= flagHeld
	}
	if e.Record.Revoked {
		flags |= flagRevoked
	}
	return flags
}

// remark gives a record the label, the times and the place that it has now.
func (b *batch) remark(n uint32, e *store.Entry) error {
	w, l := b.w, &e.Record.Label
	mark, err := b.mark(e.Record.Mark())
	if err != nil {
		return err
	}
	flags, at := flagsOf(e), span{l.NotBefore, l.NotAfter}
	place := "place"
	if e.Kind == store.EntryRelabel {
		place = "?6"
	}
	err = lite.Exec(w.c, "UPDATE doc SET mark = ?2, flags = ?3, notbefore = ?4, notafter = ?5, place = "+place+" WHERE n = ?1 AND ?6 > 0", nil,
		n, mark, flags, lite.PackTime(at.from), lite.PackTime(at.to), int64(e.Seq))
	b.order = append(b.order, func() error {
		delete(w.keys, n)
		return b.m.remark(n, mark, flags, at, w.key)
	})
	return err
}

// kill takes a record out of the tables. Its terms stay in the segments until they are merged or scrubbed.
func (b *batch) kill(n uint32) error {
	b.gone[n] = true
	b.dead = append(b.dead, n)
	b.order = append(b.order, func() error {
		delete(b.w.keys, n)
		b.m.kill(n)
		return nil
	})
	if err := lite.Exec(b.w.c, "DELETE FROM text WHERE n = ?", nil, n); err != nil {
		return err
	}
	return lite.Exec(b.w.c, "DELETE FROM doc WHERE n = ?", nil, n)
}

// object is the number of an id, a new one when it was never met.
func (b *batch) object(id string) (uint32, error) {
	w := b.w
	if num, ok := b.ids[id]; ok {
		return num, nil
	}
	if num, ok := w.nums[id]; ok {
		return num, nil
	}
	num, err := b.m.object(w.c, w.secret, id)
	if err != nil {
		return 0, err
	}
	if num != 0 {
		if len(w.nums) >= keptNums {
			clear(w.nums)
		}
		w.nums[id] = num
		return num, nil
	}
	num = w.nextOb
	w.nextOb++
	b.ids[id] = num
	hash := hashID(w.secret, id)
	b.order = append(b.order, func() error { b.m.know(num, hash); return nil })
	return num, lite.Exec(w.c, "INSERT INTO object(num, hash, id) VALUES(?,?,?)", nil, num, hash, id)
}

func (b *batch) mark(m record.Mark) (uint32, error) {
	m.Label = m.Label.Timeless()
	if id, ok := b.m.markIDs[m]; ok {
		return id, nil
	}
	if id, ok := b.marks[m]; ok {
		return id, nil
	}
	packed, err := packMark(m)
	if err != nil {
		return 0, err
	}
	id := uint32(len(b.m.marks) + len(b.marks))
	b.marks[m] = id
	b.order = append(b.order, func() error { b.m.setMark(id, m); return nil })
	return id, lite.Exec(b.w.c, "INSERT INTO mark(id, mark) VALUES(?,?)", nil, id, packed)
}

func (b *batch) name(text string) (uint32, error) {
	if id, ok := b.m.nameIDs[text]; ok {
		return id, nil
	}
	if id, ok := b.names[text]; ok {
		return id, nil
	}
	id := uint32(len(b.m.names) + len(b.names))
	b.names[text] = id
	b.order = append(b.order, func() error { b.m.setName(id, text); return nil })
	return id, lite.Exec(b.w.c, "INSERT INTO name(id, text) VALUES(?,?)", nil, id, text)
}

// postings are, of every term, the records that have it, ascending, and the order of the terms.
func (b *batch) postings() (records [][]uint32, order []uint32) {
	terms := b.terms.terms
	records, order = make([][]uint32, len(terms)), make([]uint32, len(terms))
	counts := make([]int, len(terms))
	for _, f := range b.found {
		counts[f.term]++
	}
	all := make([]uint32, 0, len(b.found))
	for t, n := range counts {
		records[t], order[t] = all[len(all):len(all):len(all)+n], uint32(t)
		all = all[:len(all)+n]
	}
	for _, f := range b.found {
		records[f.term] = append(records[f.term], f.n)
	}
	slices.SortFunc(order, func(x, y uint32) int { return strings.Compare(terms[x], terms[y]) })
	return records, order
}

// end writes the terms as a new segment, and where the journal was left.
func (b *batch) end(cursor record.Seq) error {
	w := b.w
	if len(b.found) > 0 {
		w.nextSg++
		out := &blockWriter{c: w.c, id: w.nextSg, lo: b.lo, hi: w.next - 1}
		records, order := b.postings()
		for _, t := range order {
			if ns := records[t]; len(ns) > 0 {
				if err := out.add([]byte(b.terms.terms[t]), ns); err != nil {
					return err
				}
			}
		}
		s, err := out.end(0)
		if err != nil {
			return err
		}
		b.order = append([]func() error{func() error { b.m.segments = append(b.m.segments, s); return nil }}, b.order...)
	}
	if b.purge {
		if err := lite.Exec(w.c, "INSERT OR REPLACE INTO meta VALUES('scrub', 1)", nil); err != nil {
			return err
		}
	}
	return lite.Exec(w.c, "INSERT OR REPLACE INTO meta VALUES('cursor', ?1), ('next', ?2), ('object', ?3)", nil, int64(cursor), w.next, w.nextOb)
}

// tidy forgets the ids that neither a record nor a reference has any more, of the objects of the batch's dead and what those named.
func (w *writer) tidy(m *columns, objs []uint32) error {
	slices.Sort(objs)
	for _, num := range slices.Compact(objs) {
		if m.isNamed(num) {
			continue
		}
		if err := lite.Exec(w.c, "DELETE FROM object WHERE num = ?", nil, num); err != nil {
			return err
		}
	}
	clear(w.nums)
	return nil
}

// object numbers of what dies: its own, and what it names.
func (b *batch) touched() (objs []uint32) {
	for _, n := range b.dead {
		if r := b.rows[n]; r != nil {
			objs = append(objs, r.doc.obj)
			for _, e := range unpackEdges(r.refs) {
				objs = append(objs, e.to)
			}
			continue
		}
		objs = append(objs, b.m.docs[n].obj)
		for _, e := range b.m.edgesOf(n) {
			objs = append(objs, e.to)
		}
	}
	return objs
}
