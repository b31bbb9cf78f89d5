package sqlite

import (
	"slices"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/lite"
)

const (
	mergeSlice = 16 << 10              // keys merged per transaction
	mergePause = 20 * time.Millisecond // between slices when nobody writes
	walHard    = 128 << 20             // bytes of log after which it begins anew, even if readers must be waited for; at a quarter it is written back
)

// merge is the frozen generation on its way into the key table, in hash order, slice by slice.
type merge struct {
	keys    []keyRow
	done    int
	lastRun int64
	dead    map[keyRow]struct{} // as writer.dead when it began
}

// bury keeps the merge from bringing back keys of places that are no more. They would lead nowhere, but take room.
func (w *writer) bury(ks []keyRow) {
	if len(ks) > 0 && w.dead == nil {
		w.dead = map[keyRow]struct{}{}
	}
	for _, k := range ks {
		w.dead[k] = struct{}{}
	}
}

// tend does the writer's housekeeping after a commit, or when idle.
func (w *writer) tend(idle bool) {
	w.freeze()
	if w.merge != nil {
		if err := w.mergeSlice(); err != nil {
			w.s.cfg.Logger.Warn("keys could not be merged and stay in memory", "error", err)
			w.pause()
		}
	}
	if err := w.checkpoint(); err != nil {
		w.s.cfg.Logger.Warn("the log could not be written back", "error", err)
	}
}

// pause waits a little after a failure, so that a full disk is not hammered.
func (w *writer) pause() {
	select {
	case <-time.After(mergePause):
	case <-w.s.stop:
	}
}

// freeze begins a merge when enough keys have gathered.
func (w *writer) freeze() {
	ks := w.s.keys.Load()
	if w.merge == nil && ks.active.len() >= w.s.cfg.freezeAt {
		w.startMerge(ks)
	}
}

func (w *writer) startMerge(ks *keys) {
	m := &merge{keys: ks.active.sorted(), lastRun: w.lastRun, dead: w.dead}
	w.dead = nil
	w.s.keys.Store(&keys{active: newRecent(), frozen: ks.active})
	w.merge = m
}

func (r *recent) sorted() []keyRow {
	r.mu.RLock()
	defer r.mu.RUnlock()
	ks := make([]keyRow, len(r.list))
	for i := range r.list {
		ks[i] = r.list[i].keyRow
	}
	slices.SortFunc(ks, compareKeys)
	return ks
}

// mergeSlice moves one slice; with the last one the runs go, and then the frozen generation.
func (w *writer) mergeSlice() error {
	m := w.merge
	end := min(m.done+w.s.cfg.slice, len(m.keys))
	t := &tx{w: w, s: w.s, c: w.c, h: w.h}
	slice := make([]keyRow, 0, end-m.done)
	err := t.transact(func() error {
		for _, k := range m.keys[m.done:end] {
			_, before := m.dead[k]
			if _, since := w.dead[k]; !before && !since {
				slice = append(slice, k)
			}
		}
		if err := insertKeys(w.c, keyTable, slice); err != nil {
			return err
		}
		if end < len(m.keys) {
			return nil
		}
		return lite.Exec(w.c, "DELETE FROM run WHERE id <= ?", nil, m.lastRun)
	})
	if err != nil {
		return err
	}
	if m.done = end; end == len(m.keys) {
		w.s.keys.Store(&keys{active: w.s.keys.Load().active})
		w.merge = nil
	}
	return nil
}

// mergeAll brings every key into the table.
func (w *writer) mergeAll() error {
	for {
		for w.merge != nil {
			if err := w.mergeSlice(); err != nil {
				return err
			}
		}
		ks := w.s.keys.Load()
		if ks.active.len() == 0 {
			return nil
		}
		w.startMerge(ks)
	}
}

// checkpoint writes the log back into the database once it has grown. Nobody waits for that; but the log begins anew only when no reader
// is in it, so under readers that never pause it would grow: then the writer waits for those at work, while new ones read the database.
func (w *writer) checkpoint() error {
	pages, _, err := pragmaCheckpoint(w.c, "NOOP")
	switch {
	case err != nil || pages < w.s.cfg.walHard/4/pageSize:
		return err
	case pages < w.s.cfg.walHard/pageSize:
		_, _, err = pragmaCheckpoint(w.c, "PASSIVE")
	default:
		_, _, err = pragmaCheckpoint(w.c, "RESTART")
	}
	return err
}

// pragmaCheckpoint tells how many pages the log has, and how many of them are written back.
func pragmaCheckpoint(c *zs.Conn, mode string) (pages, back int64, err error) {
	err = lite.Exec(c, "PRAGMA wal_checkpoint("+mode+")", func(st *zs.Stmt) error {
		pages, back = st.ColumnInt64(1), st.ColumnInt64(2)
		return nil
	})
	return pages, back, err
}

func (w *writer) close() error {
	_, _, err := pragmaCheckpoint(w.c, "TRUNCATE")
	if e := w.c.Close(); err == nil {
		err = e
	}
	return err
}
