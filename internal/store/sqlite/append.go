package sqlite

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
)

// Append implements store.Store.
func (s *Store) Append(ctx context.Context, scope gate.Scope, b store.Batch) ([]store.Outcome, error) {
	puts, size, err := s.prepare(b)
	if err != nil {
		return nil, err
	}
	var out []store.Outcome
	err = s.do(ctx, &job{bytes: size, run: func(t *tx) error {
		out, err = t.append(scope, b.Collection, puts)
		if err != nil || b.Then == nil {
			return err
		}
		return t.putDocs(b.Then(out))
	}})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// sight is how the writer sees stored records for one scope.
type sight struct {
	scope gate.Scope
	seen  *admitted
}

func (t *tx) sight(scope gate.Scope) *sight { return &sight{scope, t.s.marks.admitted(scope)} }

// sees tells whether the holder of the scope may have the stored record now: by its label, and by what it names.
func (t *tx) sees(v *sight, r *row) (bool, error) {
	if !t.admits(v, r) || !v.seen.closes(r.label) {
		return t.admits(v, r), nil
	}
	k := closure{c: t.c, admits: func(w *row) bool { return t.admits(v, w) }, closes: func(label uint32) bool { return v.seen.closes(label) }, mark: t.s.marks.mark,
		known: map[string]target{}, find: func(id string) ([]place, error) { return t.lookup(t.h.of(keyID, id)) }}
	return k.holds(r)
}

// admits tells whether the scope admits the stored record now, by its label alone.
func (t *tx) admits(v *sight, r *row) bool {
	if int(r.label) >= v.seen.n {
		v.seen = t.s.marks.admitted(v.scope)
	}
	return v.seen.admits(r.label) && (r.notBefore == 0 && r.notAfter == 0 ||
		v.scope.InForce(t.s.marks.mark(r.label), lite.UnpackTime(r.notBefore), lite.UnpackTime(r.notAfter)))
}

func (t *tx) append(scope gate.Scope, collection string, puts []put) ([]store.Outcome, error) {
	coll, err := t.collection(collection)
	if err != nil {
		return nil, err
	}
	v := t.sight(scope)
	out := make([]store.Outcome, len(puts))
	seqs := append([]int64(nil), t.draw(len(puts))...)
	t.streams = t.streams[:0]
	for i := range puts {
		if out[i], err = t.put(v, coll, &puts[i], seqs[i]); err != nil {
			return nil, err
		}
	}
	return out, t.insertStreams()
}

// collection interns a name.
func (t *tx) collection(name string) (int64, error) {
	if id, ok := t.s.colls.id(name); ok {
		return id, nil
	}
	return t.s.colls.add(name)
}

// put stores one record, or finds that what the scope sees already holds it.
func (t *tx) put(v *sight, coll int64, p *put, seq int64) (out store.Outcome, err error) {
	places, err := t.lookup(p.hashes[0])
	if err != nil {
		return out, err
	}
	twin, several, prior, err := t.twin(v, coll, p, places)
	if err != nil {
		return out, err
	}
	if twin != nil {
		return t.again(coll, p, twin, seq)
	}
	if len(prior) > 0 {
		p = judged(p, prior)
	}
	flags := int64(0)
	if several {
		flags |= flagMulti
	}
	if p.hold != nil {
		flags |= flagHeld
	}
	if p.rec.Revoked {
		flags |= flagRevoked
	}
	out = store.Outcome{State: store.Added, Seq: record.Seq(seq), Version: p.rec.Version}
	if p.rec.Version != "" {
		flags |= flagVersioned
	} else {
		out.Version, _ = dateVersion(record.Seq(seq))
	}
	mark, ok := t.s.marks.id(p.mark)
	if !ok {
		if mark, err = t.s.marks.add(p.mark); err != nil {
			return out, err
		}
	}
	if err := t.insertRecord(p, seq, mark, flags, coll); err != nil {
		return out, err
	}
	t.addStreams(0, mark, p.rec.Type, seq, seq)
	if coll != 0 {
		t.addStreams(coll, mark, p.rec.Type, seq, seq)
		t.counts[coll]++
	}
	t.counts[0]++
	t.addKeys(p.hashes, seq, seq)
	if p.hold != nil {
		out.State, out.Hold = store.Held, p.hold
		if err := t.hold(seq, p.hold); err != nil {
			return out, err
		}
	}
	return out, t.journal(seq, entryPut, seq, p.commit[:], nil, nil)
}

// judged is the put after its judge has seen the visible records of the same id: itself, or a copy that is held.
func judged(p *put, prior []record.Record) *put {
	h := p.judge(prior)
	if h == nil {
		return p
	}
	out, rec := *p, *p.rec
	out.rec = &rec
	if p.hold != nil { // held already, under a label as strict
		both := *p.hold
		both.Reasons, both.Awaits = slices.Concat(both.Reasons, h.Reasons), slices.Concat(both.Awaits, h.Awaits)
		out.hold = &both
		return &out
	}
	alone := *h
	alone.Intended, rec.Label = rec.Label, p.held
	out.hold, out.mark = &alone, timeless(rec.Mark())
	return &out
}

func (t *tx) insertRecord(p *put, seq int64, mark uint32, flags, coll int64) error {
	st, err := t.c.Prepare("INSERT INTO record(seq, label, flags, notbefore, notafter, home, head, lookups, salt, body, envelope) VALUES(?,?,?,?,?,?,?,?,?,?,?)")
	if err != nil {
		return err
	}
	st.BindInt64(1, seq)
	st.BindInt64(2, int64(mark))
	st.BindInt64(3, flags)
	st.BindInt64(4, lite.PackTime(p.rec.Label.NotBefore))
	st.BindInt64(5, lite.PackTime(p.rec.Label.NotAfter))
	st.BindInt64(6, coll)
	st.BindBytes(7, p.head)
	st.BindBytes(8, p.lookups)
	st.BindBytes(9, p.salt)
	st.BindBytes(10, p.rec.Body)
	if p.rec.Envelope != nil {
		st.BindBytes(11, p.rec.Envelope)
	}
	_, err = st.Step()
	return err
}

// addStreams keeps the entries of a place in the two page streams of its collection until insertStreams.
func (t *tx) addStreams(coll int64, mark uint32, typ string, seq, rec int64) {
	t.streams = append(t.streams, keyRow{t.h.streamKey(coll, mark, ""), seq, rec}, keyRow{t.h.streamKey(coll, mark, typ), seq, rec})
}

// insertStreams writes what addStreams has kept, stream by stream.
func (t *tx) insertStreams() error {
	slices.SortFunc(t.streams, compareKeys)
	err := insertKeys(t.c, streamTable, t.streams)
	t.streams = t.streams[:0]
	return err
}

// twin finds the record that the scope sees under the same id, version and specification: one with the same content if there is one,
// and of those one that is in the collection already, and of those the oldest. several tells whether any other record has the id; they
// are all marked. prior are the headers of those that the scope sees and that are not held, for the put's judge.
func (t *tx) twin(v *sight, coll int64, p *put, places []place) (best *row, several bool, prior []record.Record, err error) {
	places = append([]place(nil), places...)
	var rank int
	for i, pl := range places {
		if seenBefore(places[:i], pl.rec) {
			continue
		}
		r := &t.row
		ok, err := t.load(pl.rec, r)
		if err != nil {
			return nil, false, nil, err
		}
		if !ok {
			continue
		}
		var have record.Record
		if err := unpackHead(r.head, &have); err != nil {
			return nil, false, nil, err
		}
		if have.ID != p.rec.ID {
			continue
		}
		several = true
		if r.flags&flagMulti == 0 {
			if err := lite.Exec(t.c, "UPDATE record SET flags = flags | ? WHERE seq = ?", nil, flagMulti, r.seq); err != nil {
				return nil, false, nil, err
			}
		}
		if ok, err := t.sees(v, r); err != nil {
			return nil, false, nil, err
		} else if !ok {
			continue
		}
		if p.judge != nil && r.flags&flagHeld == 0 {
			full, err := r.record(t.s.marks.mark(r.label))
			if err != nil {
				return nil, false, nil, err
			}
			prior = append(prior, full)
		}
		same := have.Digest == p.rec.Digest
		if have.Spec != p.rec.Spec || have.Order != p.rec.Order || have.Order == "" && !same {
			continue
		}
		score := 1
		if same {
			score = 2
			if _, in, err := t.placeOf(r, coll); err != nil {
				return nil, false, nil, err
			} else if in {
				score = 3
			}
		}
		if score > rank || score == rank && r.seq < best.seq {
			rank, best = score, r.clone()
		}
	}
	return best, several, prior, nil
}

func seenBefore(places []place, rec int64) bool {
	for _, p := range places {
		if p.rec == rec {
			return true
		}
	}
	return false
}

// again answers a put whose record is there: the same, perhaps in a new place, or another content.
func (t *tx) again(coll int64, p *put, twin *row, seq int64) (out store.Outcome, err error) {
	var have record.Record
	if err := unpackHead(twin.head, &have); err != nil {
		return out, err
	}
	out = store.Outcome{State: store.Present, Version: have.Version}
	if have.Version == "" {
		out.Version, _ = dateVersion(record.Seq(twin.seq))
	}
	at, in, err := t.placeOf(twin, coll)
	if err != nil {
		return out, err
	}
	out.Seq = record.Seq(at)
	switch {
	case have.Digest != p.rec.Digest:
		out.State, out.Digest = store.Conflicting, have.Digest
	case !in:
		out.Seq = record.Seq(seq)
		return out, t.place(twin, have.ID, have.Type, coll, seq)
	}
	return out, nil
}

// place puts a stored record into one more collection.
func (t *tx) place(r *row, id, typ string, coll, seq int64) error {
	if err := lite.Exec(t.c, "INSERT INTO placement(rec, coll, seq) VALUES(?,?,?)", nil, r.seq, coll, seq); err != nil {
		return err
	}
	t.addStreams(coll, r.label, typ, seq, r.seq)
	t.counts[coll]++
	t.addKeys(hashesOf(t.h, id, r.lookups, nil), seq, r.seq)
	commit, err := t.commitOf(r.seq)
	if err != nil {
		return err
	}
	return t.journal(seq, entryPut, r.seq, commit, nil, nil)
}

// load reads a record's row without its bytes.
func (t *tx) load(rec int64, r *row) (bool, error) { return loadRow(t.c, rec, r) }

// placeOf is where a record stands in a collection.
func (t *tx) placeOf(r *row, coll int64) (seq int64, in bool, err error) {
	return placeOf(t.c, r, coll)
}

func (t *tx) hold(rec int64, h *store.Hold) error {
	packed, err := json.Marshal(h)
	if err != nil {
		return fault.New(fault.Invalid, "store.hold", "the hold cannot be written").Because(err)
	}
	if err := lite.Exec(t.c, "INSERT INTO quarantine(rec, hold) VALUES(?,?)", nil, rec, packed); err != nil {
		return err
	}
	for _, id := range h.Awaits {
		if err := lite.Exec(t.c, "INSERT OR IGNORE INTO awaits(h, rec) VALUES(?,?)", nil, t.h.of(keyID, id), rec); err != nil {
			return err
		}
	}
	return nil
}
