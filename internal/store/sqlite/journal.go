package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"math"

	"github.com/go-json-experiment/json"
	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
)

// Kinds of journal entry as the table holds them.
const (
	entryPut = 1 + iota
	entryRemove
	entryRelabel
	entryPurge
	entryRelease
	entryAct
)

var entryKinds = map[int64]store.EntryKind{entryPut: store.EntryPut, entryRemove: store.EntryRemove, entryRelabel: store.EntryRelabel,
	entryPurge: store.EntryPurge, entryRelease: store.EntryRelease, entryAct: store.EntryAct}

const (
	maxAct      = 4096 // bytes of each member
	followLimit = 10_000
	followBytes = 32 << 20
)

func (t *tx) journal(seq int64, kind int, rec int64, commit, act, recs []byte) error {
	st, err := t.c.Prepare(`INSERT INTO journal(seq, kind, rec, "commit", act, recs) VALUES(?,?,?,?,?,?)`)
	if err != nil {
		return err
	}
	st.BindInt64(1, seq)
	st.BindInt64(2, int64(kind))
	st.BindInt64(3, rec)
	for i, b := range [...][]byte{commit, act, recs} {
		if b != nil {
			st.BindBytes(4+i, b)
		}
	}
	_, err = st.Step()
	return err
}

// commitOf is the commitment of a stored record, from its bytes.
func (t *tx) commitOf(rec int64) (commit []byte, err error) {
	err = lite.Exec(t.c, "SELECT salt, body, envelope FROM record WHERE seq = ?", func(st *zs.Stmt) error {
		var envelope []byte
		if st.ColumnType(2) != zs.TypeNull {
			envelope = append([]byte{}, lite.Blob(st, 2)...)
		}
		c := commitment(lite.Blob(st, 0), lite.Blob(st, 1), envelope)
		commit = c[:]
		return nil
	}, rec)
	return commit, err
}

func packAct(a store.Act) ([]byte, error) {
	for at, text := range map[string]string{"actor": a.Actor, "verb": a.Verb, "target": a.Target, "detail": a.Detail} {
		if len(text) > maxAct {
			return nil, fault.New(fault.Invalid, "store.act", "longer than %d bytes", maxAct).At("act." + at)
		}
	}
	b, err := json.Marshal(a)
	if err != nil {
		return nil, fault.New(fault.Invalid, "store.act", "the act is not valid UTF-8").At("act").Because(err)
	}
	return b, nil
}

// act writes an act as an entry of its own. An act without a verb is none.
func (t *tx) act(a store.Act) error {
	if a.Verb == "" {
		return nil
	}
	packed, err := packAct(a)
	if err != nil {
		return err
	}
	return t.journal(t.draw(1)[0], entryAct, 0, nil, packed, nil)
}

// Follow implements store.Store. Scopes other than gate.Own meet only entries whose record they may have.
func (s *Store) Follow(ctx context.Context, scope gate.Scope, after record.Seq, limit int) (entries []store.Entry, err error) {
	if limit <= 0 || limit > followLimit {
		limit = followLimit
	}
	size := 0
	for more := true; more && len(entries) < limit && size < followBytes; {
		if ctx.Err() != nil {
			return nil, fault.As(ctx.Err())
		}
		err := s.read(ctx, scope, func(r *reader) error {
			lines, err := r.journal(int64(after), limit)
			more = len(lines) == limit
			for _, line := range lines {
				after = line.entry.Seq
				e, err := r.entry(&line)
				if err != nil {
					return err
				}
				if e.Record == nil && !scope.IsOwn() {
					continue
				}
				entries = append(entries, e)
				if e.Record != nil {
					size += len(e.Record.Body) + len(e.Record.Envelope)
				}
				if len(entries) == limit || size >= followBytes {
					break
				}
			}
			return err
		})
		if err != nil {
			return nil, room.Wrap("reading the journal", err)
		}
	}
	return entries, nil
}

// Watch implements store.Store.
func (s *Store) Watch(ctx context.Context, scope gate.Scope, after record.Seq, limit int) (entries []store.Entry, err error) {
	if limit <= 0 || limit > followLimit {
		limit = followLimit
	}
	err = s.read(ctx, scope, func(r *reader) error {
		lines, err := r.journal(int64(after), limit)
		for i := 0; err == nil && i < len(lines); i++ {
			if i%256 == 255 && ctx.Err() != nil {
				return fault.As(ctx.Err())
			}
			var e store.Entry
			e, err = r.header(&lines[i])
			entries = append(entries, e)
		}
		return err
	})
	if err != nil {
		return nil, room.Wrap("reading the journal", err)
	}
	return entries, nil
}

// actsLooked is how many entries one question for acts looks at.
const actsLooked = 20_000

// Acts implements store.Store.
func (s *Store) Acts(ctx context.Context, scope gate.Scope, q store.ActQuery) (entries []store.Entry, next record.Seq, err error) {
	if q.Limit <= 0 || q.Limit > followLimit {
		q.Limit = followLimit
	}
	from, to := int64(0), int64(math.MaxInt64) // both inclusive
	if !q.Since.IsZero() {
		from = max(from, q.Since.UnixMicro())
	}
	if !q.Until.IsZero() {
		to = q.Until.UnixMicro() - 1
	}
	order := "ASC"
	switch {
	case q.Newest:
		order = "DESC"
		if q.After != 0 {
			to = min(to, int64(q.After)-1)
		}
	case q.After != 0:
		from = max(from, int64(q.After)+1)
	}
	const chunk = 1000
	for looked := 0; ; looked += chunk {
		if looked >= actsLooked || len(entries) == q.Limit {
			return entries, next, nil
		}
		if ctx.Err() != nil {
			return nil, 0, fault.As(ctx.Err())
		}
		lines := 0
		err := s.read(ctx, scope, func(r *reader) error {
			found, err := r.lines(`WHERE act IS NOT NULL AND seq BETWEEN ? AND ? ORDER BY seq `+order+` LIMIT ?`, from, to, chunk)
			for i := 0; err == nil && i < len(found) && len(entries) < q.Limit; i++ {
				lines++
				next = found[i].entry.Seq
				var act store.Act
				if err = json.Unmarshal(found[i].act, &act); err == nil && q.Takes(&act) {
					var e store.Entry
					e, err = r.header(&found[i])
					entries = append(entries, e)
				}
			}
			return err
		})
		if err != nil {
			return nil, 0, room.Wrap("reading the journal", err)
		}
		if lines < chunk && len(entries) < q.Limit {
			return entries, 0, nil
		}
		if q.Newest {
			to = int64(next) - 1
		} else {
			from = int64(next) + 1
		}
	}
}

// header completes a line with the header of its record, as far as the scope may have it, and with the rest of it whatever the scope.
func (r *reader) header(l *line) (store.Entry, error) {
	e := l.entry
	if l.act != nil {
		e.Act = new(store.Act)
		if err := json.Unmarshal(l.act, e.Act); err != nil {
			return e, err
		}
	}
	if l.recs != nil {
		var err error
		if e.Recs, err = unpackRecs(l.recs); err != nil {
			return e, err
		}
	}
	if e.Rec == 0 {
		return e, nil
	}
	row, rec, ok, err := r.whole(int64(e.Rec), true)
	if err != nil || !ok {
		return e, err
	}
	if ok, err = r.sees(row); err == nil && ok {
		e.Record, e.Held = &rec, row.flags&flagHeld != 0
	}
	return e, err
}

// newest is the journal's end and what is closed when it moves on.
type newest struct {
	seq  int64
	more chan struct{}
}

// Newest implements store.Store.
func (s *Store) Newest() (record.Seq, <-chan struct{}) {
	n := s.newest.Load()
	return record.Seq(n.seq), n.more
}

// grown tells who waits that there is more in the journal.
func (s *Store) grown(seq int64) {
	if old := s.newest.Load(); old == nil || old.seq < seq {
		s.newest.Store(&newest{seq, make(chan struct{})})
		if old != nil {
			close(old.more)
		}
	}
}

type line struct {
	entry store.Entry
	act   []byte
	recs  []byte
}

// packRecs writes the records that a purge destroyed, as differences.
func packRecs(recs []int64) (b []byte) {
	last := int64(0)
	for _, r := range recs {
		b = binary.AppendVarint(b, r-last)
		last = r
	}
	return b
}

func unpackRecs(b []byte) (recs []record.Seq, err error) {
	last := int64(0)
	for len(b) > 0 {
		d, n := binary.Varint(b)
		if n <= 0 {
			return nil, errors.New("a journal entry is damaged")
		}
		last += d
		recs, b = append(recs, record.Seq(last)), b[n:]
	}
	return recs, nil
}

func (r *reader) journal(after int64, limit int) (lines []line, err error) {
	return r.lines(`WHERE seq > ? ORDER BY seq LIMIT ?`, after, limit)
}

func (r *reader) lines(where string, args ...any) (lines []line, err error) {
	err = lite.Exec(r.c, `SELECT seq, kind, rec, "commit", act, recs FROM journal `+where, func(st *zs.Stmt) error {
		l := line{entry: store.Entry{Seq: record.Seq(st.ColumnInt64(0)), Kind: entryKinds[st.ColumnInt64(1)], Rec: record.Seq(st.ColumnInt64(2))}}
		st.ColumnBytes(3, l.entry.Commit[:])
		l.act = lite.Blob(st, 4)
		if l.entry.Kind == store.EntryPurge {
			l.recs = lite.Blob(st, 5)
		}
		lines = append(lines, l)
		return nil
	}, args...)
	return lines, err
}

// entry completes a line with its record and act, as far as the scope may have them.
func (r *reader) entry(l *line) (store.Entry, error) {
	e := l.entry
	if l.act != nil && r.scope.IsOwn() {
		e.Act = new(store.Act)
		if err := json.Unmarshal(l.act, e.Act); err != nil {
			return e, err
		}
	}
	if l.recs != nil && r.scope.IsOwn() {
		var err error
		if e.Recs, err = unpackRecs(l.recs); err != nil {
			return e, err
		}
	}
	if e.Kind != store.EntryPut && e.Kind != store.EntryRelabel {
		return e, nil
	}
	row, rec, ok, err := r.whole(int64(e.Rec), false)
	if err != nil || !ok {
		return e, err
	}
	if ok, err = r.sees(row); err == nil && ok {
		e.Record, e.Held = &rec, row.flags&flagHeld != 0
	}
	return e, err
}
