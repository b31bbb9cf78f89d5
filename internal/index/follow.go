package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
)

// follow is the follower: it looks at the journal, indexes what is new, and merges segments when there is nothing else to do.
func (x *Index) follow(ctx context.Context) {
	defer close(x.done)
	for wait := x.cfg.Poll; ; {
		busy, err := x.advance(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait = min(2*wait, 30*time.Second)
			x.fail(err)
		default:
			wait = x.cfg.Poll
			x.failed.Store(nil)
		}
		pause := time.After(wait)
		if busy && err == nil {
			pause = time.After(0)
		}
		select {
		case <-ctx.Done():
			return
		case r := <-x.asked:
			r.done <- r.do(ctx)
		case <-pause:
		}
	}
}

// fail keeps why the index does not get on.
func (x *Index) fail(err error) {
	x.failed.Store(&err)
	x.cfg.Logger.Warn("indexing the journal", "error", err)
}

// advance indexes one batch, or does one slice of merging. It tells whether there may be more to do at once.
func (x *Index) advance(ctx context.Context) (busy bool, err error) {
	if x.w == nil {
		err := x.open(ctx)
		if err != nil && ctx.Err() == nil {
			x.cfg.Logger.Warn("the index is made anew", "cause", err)
			err = x.anew(ctx)
		}
		if err != nil {
			return false, errors.Join(err, x.shut())
		}
	}
	entries, err := x.source.Follow(ctx, x.w.cursor, x.cfg.Batch)
	if err != nil {
		return false, err
	}
	defer func() {
		if err != nil && ctx.Err() == nil { // what is in memory may be ahead of the file
			err = errors.Join(err, x.shut())
		}
	}()
	x.note(entries)
	if len(entries) > 0 {
		if err := x.apply(ctx, entries); err != nil {
			return false, err
		}
		if len(x.cols.segments) > maxSegments {
			_, err = x.merges()
		}
		return true, err
	}
	if x.w.scrub {
		return true, x.scrub()
	}
	return x.merges()
}

// note tells how far the index is behind.
func (x *Index) note(waiting []store.Entry) {
	l := Lag{Cursor: x.w.cursor, Entries: len(waiting), Caught: len(waiting) == 0}
	if len(waiting) > 0 {
		l.Behind = max(x.cfg.Now().Sub(waiting[0].Seq.Time()), 0)
	}
	x.lag.Store(&l)
	x.metrics.behind.Set(l.Behind.Seconds())
}

// apply indexes entries, in one transaction together with the cursor.
func (x *Index) apply(ctx context.Context, entries []store.Entry) error {
	began := time.Now()
	w, m := x.w, x.cols
	cursor := entries[len(entries)-1].Seq
	var objs []uint32
	reading, stop := context.WithCancel(ctx)
	defer stop()
	ahead, terms := extracted(reading, entries)
	b := w.begin(m, terms)
	err := x.commit(func() error {
		for i := range entries {
			var e *extract
			if isNew(&entries[i]) {
				if e = <-ahead; e == nil {
					return fault.As(ctx.Err())
				}
			}
			if err := x.entry(ctx, b, &entries[i], e); err != nil {
				return err
			}
		}
		return b.end(cursor)
	}, func() error {
		x.gen++
		for _, do := range b.order {
			if err := do(); err != nil {
				return err
			}
		}
		m.grow(w.nextOb)
		for len(m.docs) < int(w.next) {
			m.docs = append(m.docs, doc{rec: m.docs[len(m.docs)-1].rec, refs: uint32(len(m.edges))})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("indexing %d entries: %w", len(entries), err)
	}
	w.cursor = cursor
	w.scrub = w.scrub || b.purge
	if objs = append(objs, b.touched()...); len(objs) > 0 {
		if err := transaction(w.c, func() error { return w.tidy(m, objs) }); err != nil {
			return err
		}
	}
	x.metrics.entries.Add(float64(len(entries)))
	x.metrics.commits.Observe(time.Since(began).Seconds())
	x.metrics.records.Set(float64(m.living))
	return nil
}

// entry indexes one line of the journal. Records come as they are now, and not as they were at the line.
func (x *Index) entry(ctx context.Context, b *batch, e *store.Entry, read *extract) error {
	switch e.Kind {
	case store.EntryPut, store.EntryRelabel:
		if e.Record != nil {
			return b.put(e, read)
		}
		return b.killRecs(e.Rec)
	case store.EntryPurge:
		b.purge = true
		return b.killRecs(e.Recs...)
	case store.EntryRemove:
		n := b.find(e.Rec)
		if n == 0 {
			return nil
		}
		there, err := x.remains(ctx, e.Rec)
		if err != nil || there {
			return err
		}
		return b.kill(n)
	}
	return nil
}

func (b *batch) killRecs(recs ...record.Seq) error {
	for _, rec := range recs {
		if n := b.find(rec); n != 0 {
			if err := b.kill(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// remains tells whether a record that was taken out of a collection is still in the store: the line of its first place has it then.
func (x *Index) remains(ctx context.Context, rec record.Seq) (bool, error) {
	at, err := x.source.Follow(ctx, rec-1, 1)
	return err == nil && len(at) == 1 && at[0].Rec == rec && at[0].Record != nil, err
}

// commit makes a transaction durable and then changes the columns. Queries meet either both or neither; those between see nothing that
// the columns do not have.
func (x *Index) commit(write func() error, change func() error) error {
	if err := transaction(x.w.c, write); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return change()
}

// catchUp indexes all that is in the journal now, and scrubs.
func (x *Index) catchUp(ctx context.Context) error {
	for {
		if _, err := x.advance(ctx); err != nil {
			return err
		}
		if x.w != nil && x.lag.Load().Caught && !x.w.scrub {
			return nil
		}
	}
}

func (x *Index) rebuild(ctx context.Context) error { return x.anew(ctx) }

// merges does one slice of merging.
func (x *Index) merges() (more bool, err error) {
	w, m := x.w, x.cols
	if w.merge == nil {
		from, level := due(m.segments)
		if from == nil {
			return false, nil
		}
		w.nextSg++
		if w.merge, err = newMerge(w.c, w.nextSg, from, level); err != nil {
			return false, err
		}
	}
	return true, x.mergeSome(mergeBlocks)
}

// mergeSome goes on with the merge under way.
func (x *Index) mergeSome(blocks int) error {
	w, m := x.w, x.cols
	var s *segment
	return x.commit(func() error {
		more, err := w.merge.step(blocks, func(n uint32) bool { return m.docs[n].obj == 0 })
		if err != nil || more {
			return err
		}
		s, err = w.merge.end()
		return err
	}, func() error {
		if s != nil {
			s.dead = w.merge.died()
			i := slices.Index(m.segments, w.merge.from[0])
			m.segments = slices.Replace(m.segments, i, i+len(w.merge.from), s)
			w.merge = nil
		}
		return nil
	})
}

const (
	fanIn       = 8
	maxSegments = 40  // with more, merging does not wait for the journal's end
	mergeBlocks = 256 // about 2 MiB at once: the journal is not kept waiting
)

// due are segments to merge: eight of one level that follow each other, or one of which a good part is gone.
func due(segments []*segment) (from []*segment, level int) {
	for i := 0; i+fanIn <= len(segments); i++ {
		same := segments[i : i+fanIn]
		if !slices.ContainsFunc(same, func(s *segment) bool { return s.level != same[0].level }) {
			return slices.Clone(same), same[0].level + 1
		}
	}
	for _, s := range segments {
		if s.dead > 0 && s.dead*4 > int(s.hi-s.lo+1) {
			return []*segment{s}, s.level
		}
	}
	return nil, 0
}

// scrub makes sure that no byte of what was purged is left: the segments that may hold some are written anew, names and marks that
// nobody has any more are deleted, and the log is emptied. What is deleted is overwritten (secure_delete).
func (x *Index) scrub() error {
	w, m := x.w, x.cols
	if w.merge != nil { // it may have written what is purged since
		id := w.merge.out.id
		w.merge = nil
		if err := lite.Exec(w.c, "DELETE FROM block WHERE id >= ? AND id < ?", nil, id<<blockBits, (id+1)<<blockBits); err != nil {
			return err
		}
	}
	for _, s := range slices.Clone(m.segments) {
		if s.dead == 0 {
			continue
		}
		w.nextSg++
		var err error
		if w.merge, err = newMerge(w.c, w.nextSg, []*segment{s}, s.level); err != nil {
			return err
		}
		for w.merge != nil {
			if err := x.mergeSome(mergeBlocks); err != nil {
				return err
			}
		}
	}
	if err := x.commit(func() error { return w.sweep(m) }, func() error { x.gen++; m.forget(); return nil }); err != nil {
		return err
	}
	if err := x.truncateLog(); err != nil {
		return err
	}
	w.scrub = false
	return lite.Exec(w.c, "DELETE FROM meta WHERE name = 'scrub'", nil)
}

// unused are the names, marks and objects that nothing living has.
func (m *columns) unused() (names, marks, objs []uint32) {
	used := make([]bool, len(m.names))
	seen := newBitmap(len(m.objs))
	for n := range m.docs {
		d := &m.docs[n]
		if d.obj == 0 {
			continue
		}
		used[d.typ], used[d.rel] = true, true
		seen.set(d.obj)
		for _, e := range m.edgesOf(uint32(n)) {
			used[e.kind] = true
			seen.set(e.to)
		}
	}
	for i := 1; i < len(used); i++ {
		if !used[i] && m.names[i] != "" {
			names = append(names, uint32(i))
		}
	}
	for i := 1; i < len(m.marks); i++ {
		if m.using[i] == 0 {
			marks = append(marks, uint32(i))
		}
	}
	for i := 1; i < len(m.objs); i++ {
		if !seen.has(uint32(i)) {
			objs = append(objs, uint32(i))
		}
	}
	return names, marks, objs
}

// sweep deletes what is unused.
func (w *writer) sweep(m *columns) error {
	names, marks, objs := m.unused()
	for _, list := range []struct {
		query string
		ids   []uint32
	}{{"DELETE FROM name WHERE id = ?", names}, {"DELETE FROM mark WHERE id = ?", marks}, {"DELETE FROM object WHERE num = ?", objs}} {
		for _, id := range list.ids {
			if err := lite.Exec(w.c, list.query, nil, id); err != nil {
				return err
			}
		}
	}
	clear(w.nums)
	return nil
}

// forget lets go of unused names and marks. Their numbers are not given again before the next start.
func (m *columns) forget() {
	names, marks, _ := m.unused()
	for _, id := range names {
		delete(m.nameIDs, m.names[id])
		m.names[id] = ""
	}
	for _, id := range marks {
		delete(m.markIDs, m.marks[id])
		m.marks[id] = record.Mark{}
	}
}

// truncateLog empties the write-ahead log. Queries wait meanwhile: those at work hold it.
func (x *Index) truncateLog() error {
	held := make([]*zs.Conn, 0, x.opened)
	defer func() {
		for _, c := range held {
			x.conns <- c
		}
	}()
	for range x.opened {
		select {
		case c := <-x.conns:
			held = append(held, c)
		case <-time.After(shutPatience):
			return errors.New("a query holds the log")
		}
	}
	busy, err := lite.Number(x.w.c, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err == nil && busy != 0 {
		err = errors.New("the log is in use")
	}
	return err
}
