package sqlite

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
)

const (
	everything  = 1 << 40 // a limit that does not bind
	queueLength = 256     // callers that may wait for the writer
	groupJobs   = 128     // callers that share one commit
	groupBytes  = 8 << 20 // bytes after which a commit takes no further caller
)

// job is a caller's work for the writer. It is claimed either by the writer, which then answers, or by its caller giving up.
type job struct {
	run     func(*tx) error
	bytes   int
	first   func(*writer) error // with then: a job of its own transaction, and what comes before and after it
	then    func(*writer) error
	claimed atomic.Bool
	done    chan error
}

// do hands work to the writer and waits until it is durable or has failed.
func (s *Store) do(ctx context.Context, j *job) error {
	j.done = make(chan error, 1)
	select {
	case <-s.stop:
		return room.Closed()
	default:
	}
	select {
	case s.jobs <- j:
	case <-ctx.Done():
		return fault.As(ctx.Err())
	case <-s.stop:
		return room.Closed()
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		if j.claimed.CompareAndSwap(false, true) {
			return fault.As(ctx.Err())
		}
	case <-s.done: // the writer ended without taking it, or just after answering
		if j.claimed.CompareAndSwap(false, true) {
			return room.Closed()
		}
	}
	return <-j.done
}

// writer is the one goroutine that changes the database.
type writer struct {
	s       *Store
	c       *zs.Conn
	h       *hasher
	last    int64 // newest seq given out
	lastRun int64
	merge   *merge
	dead    map[keyRow]struct{} // keys in memory that the merge leaves out
	seqs    []int64
	files   lite.OpenFiles
}

func (w *writer) run() {
	defer close(w.s.done)
	w.freeze()
	for {
		var idle <-chan time.Time
		if w.merge != nil {
			idle = time.After(mergePause)
		}
		select {
		case j := <-w.s.jobs:
			w.group(j)
			w.tend(false)
		case <-idle:
			w.tend(true)
		case <-w.s.stop:
			for {
				select {
				case j := <-w.s.jobs:
					w.group(j)
				default:
					return
				}
			}
		}
	}
}

// group commits the first job together with those that already wait.
func (w *writer) group(first *job) {
	var jobs []*job
	size := 0
	take := func(j *job) {
		if j.claimed.CompareAndSwap(false, true) {
			jobs = append(jobs, j)
			size += j.bytes
		}
	}
	take(first)
	var next *job
	for first.then == nil && next == nil && len(jobs) < groupJobs && size < groupBytes {
		select {
		case j := <-w.s.jobs:
			if j.then != nil {
				next = j
			} else {
				take(j)
			}
			continue
		default:
		}
		break
	}
	if len(jobs) > 0 {
		w.commit(jobs)
	}
	if next != nil && next.claimed.CompareAndSwap(false, true) {
		w.commit([]*job{next})
	}
}

// commit runs the jobs in one transaction. A job that fails undoes its own changes only; a commit that fails fails them all.
func (w *writer) commit(jobs []*job) {
	if first := jobs[0].first; first != nil {
		if err := first(w); err != nil {
			jobs[0].done <- room.Wrap("preparing the store", err)
			return
		}
	}
	results := make([]error, len(jobs))
	t := &tx{w: w, s: w.s, c: w.c, h: w.h}
	err := t.transact(func() error {
		for i, j := range jobs {
			results[i] = t.job(j.run, len(jobs) > 1)
			if results[i] != nil && (len(jobs) == 1 || w.c.AutocommitEnabled()) {
				return results[i]
			}
		}
		return t.flush()
	})
	if err == nil {
		w.s.grown(w.last)
	}
	for i, j := range jobs {
		e := results[i]
		if err != nil && e == nil {
			e = err
		}
		if e == nil && j.then != nil {
			e = j.then(w)
		}
		j.done <- room.Wrap("writing to the store", e)
	}
}

// tx is one transaction of the writer.
type tx struct {
	w       *writer
	s       *Store
	c       *zs.Conn
	h       *hasher
	pending []keyRow          // keys of this transaction, not yet among the recent ones
	ids     map[int64][]place // those of them that are id keys, by hash
	counts  map[int64]int64   // change of placements by collection
	dead    []keyRow          // keys of places that are no more
	marks   int               // marks when it began: later ones are written by flush
	colls   int64             // the same for collections
	streams []keyRow          // stream entries of the job, see addStreams
	row     row               // scratch
	places  []place           // scratch
}

// transact runs f between BEGIN IMMEDIATE and COMMIT and takes everything back, also in memory, when either fails.
func (t *tx) transact(f func() error) (err error) {
	marks, colls := t.s.marks.len(), t.s.colls.size()
	t.marks, t.colls = marks, colls
	t.pending, t.dead, t.ids, t.counts = t.pending[:0], nil, map[int64][]place{}, map[int64]int64{}
	if err := lite.Exec(t.c, "BEGIN IMMEDIATE", nil); err != nil {
		return err
	}
	if err = f(); err == nil {
		err = lite.Exec(t.c, "COMMIT", nil)
	}
	if err == nil {
		t.w.bury(t.dead)
		return nil
	}
	if !t.c.AutocommitEnabled() {
		if e := lite.Exec(t.c, "ROLLBACK", nil); e != nil {
			err = errors.Join(err, e)
		}
	}
	t.s.marks.truncate(marks)
	t.s.colls.truncate(colls)
	return err
}

// job runs one caller's work, in a savepoint when others share the transaction.
func (t *tx) job(run func(*tx) error, shared bool) error {
	if !shared {
		return run(t)
	}
	n, dead, counts := len(t.pending), len(t.dead), make(map[int64]int64, len(t.counts))
	for k, v := range t.counts {
		counts[k] = v
	}
	err := savepoint(t.c, func() error { return run(t) })
	if err != nil {
		t.counts = counts
		t.pending, t.dead = t.pending[:n], t.dead[:dead]
		clear(t.ids)
		for _, k := range t.pending {
			t.ids[k.h] = append(t.ids[k.h], place{k.seq, k.rec})
		}
	}
	return err
}

// addKeys keeps the keys of one place, whose first is that of the id, until the transaction ends.
func (t *tx) addKeys(hashes []int64, seq, rec int64) {
	for _, h := range hashes {
		t.pending = append(t.pending, keyRow{h, seq, rec})
	}
	t.ids[hashes[0]] = append(t.ids[hashes[0]], place{seq, rec})
}

// flush writes what has gathered: new marks and collections, the counts, and the keys as one sorted run.
func (t *tx) flush() error {
	for ; t.marks < t.s.marks.len(); t.marks++ {
		packed, err := packMark(t.s.marks.mark(uint32(t.marks)))
		if err != nil {
			return err
		}
		if err := lite.Exec(t.c, "INSERT INTO label(id, mark) VALUES(?, ?)", nil, t.marks, packed); err != nil {
			return err
		}
	}
	for ; t.colls < t.s.colls.size(); t.colls++ {
		if err := lite.Exec(t.c, "INSERT INTO collection(id, name, n) VALUES(?, ?, 0)", nil, t.colls, t.s.colls.name(t.colls)); err != nil {
			return err
		}
	}
	for coll, n := range t.counts {
		if err := lite.Exec(t.c, "UPDATE collection SET n = n + ? WHERE id = ?", nil, n, coll); err != nil {
			return err
		}
	}
	clear(t.counts)
	if len(t.pending) == 0 {
		return nil
	}
	slices.SortFunc(t.pending, compareKeys)
	if err := lite.Exec(t.c, "INSERT INTO run(id, keys) VALUES(?, ?)", nil, t.w.lastRun+1, packRun(t.pending)); err != nil {
		return err
	}
	t.w.lastRun++
	// Readers may meet these keys before the commit, or after a failed one: no record answers to them, so they lead nowhere.
	t.s.keys.Load().active.add(t.pending)
	t.pending = t.pending[:0]
	clear(t.ids)
	return nil
}

// draw gives n seqs.
func (t *tx) draw(n int) []int64 {
	t.w.seqs = draw(t.w.last, t.s.cfg.Now().UnixMicro(), n, t.w.seqs[:0])
	if n > 0 {
		t.w.last = t.w.seqs[n-1]
	}
	return t.w.seqs
}

// lookup is every place of a hash, with those of this transaction.
func (t *tx) lookup(h int64) ([]place, error) {
	var err error
	t.places, err = t.s.keys.Load().lookup(t.c, h, 0, everything, t.places)
	if more := t.ids[h]; err == nil && len(more) > 0 {
		t.places = append(t.places, more...)
	}
	return t.places, err
}
