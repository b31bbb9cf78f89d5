package sqlite

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/store"
)

// Purge implements store.Store. It destroys what the scope sees under the id, and then searches every file of the store's directory for
// pieces of it. A piece that a living record or document holds too is no trace; any other makes the whole file be rewritten. Nobody
// writes meanwhile.
func (s *Store) Purge(ctx context.Context, scope gate.Scope, p store.Purge) (report store.PurgeReport, err error) {
	if !wholeID(p.ID) {
		return report, fault.New(fault.Invalid, "store.purge", "a purge names its object by its whole id").At("id").Try("write it as type--UUID")
	}
	s.purging.Lock()
	defer s.purging.Unlock()
	if !s.copying.TryLock() {
		return report, fault.New(fault.Unavailable, "store.busy", "a backup reads what the purge would destroy").After(time.Minute).Try("purge again when the backup has ended")
	}
	defer s.copying.Unlock()
	secret := make([]byte, saltSize)
	rand.Read(secret)
	var gone lite.Traces
	var marks []uint32
	var unfinished int64
	j := &job{run: func(t *tx) (err error) {
		gone.Add([]byte(p.ID))
		if unfinished, err = pendingScrub(t.c); err != nil {
			return err
		}
		marks, err = t.purge(scope, p, secret, &report, &gone)
		if err == nil {
			err = lite.Exec(t.c, "INSERT OR REPLACE INTO meta VALUES('scrub', 1)", nil)
		}
		if err == nil && p.DryRun {
			return errDryRun
		}
		return err
	}}
	if p.DryRun {
		err = s.do(ctx, j)
		if report.Commit = ""; errors.Is(err, errDryRun) {
			err = nil
		}
		return report, err
	}
	j.first = (*writer).mergeAll // keys in memory and in runs could not be taken out one by one
	j.then = func(w *writer) error {
		for _, m := range marks {
			w.s.marks.forget(m)
		}
		return w.scrub(&gone, &report, unfinished != 0)
	}
	return report, s.do(ctx, j)
}

// wholeID tells whether id is one that nothing else holds by chance: a purge destroys every document, and masks every act, that names it,
// and a piece of a word would stand in those that have nothing to do with it.
func wholeID(id string) bool {
	typ, rest, ok := strings.Cut(id, "--")
	digits := 0
	for _, c := range []byte(rest) {
		switch {
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
			digits++
		case c != '-':
			return false
		}
	}
	for _, c := range []byte(typ) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return ok && typ != "" && digits == 32
}

// errDryRun undoes what a dry run has counted.
var errDryRun = fault.New(fault.Internal, "store.dry", "a dry run was taken back")

func (t *tx) purge(scope gate.Scope, p store.Purge, salt []byte, report *store.PurgeReport, gone *lite.Traces) (marks []uint32, err error) {
	v := t.sight(scope)
	found, err := t.versions(v, p.ID, 0)
	if err != nil {
		return nil, err
	}
	every := len(found)
	found = slices.DeleteFunc(found, func(f *version) bool {
		return !p.Concerns(f.rec.Origin.Nation, f.rec.Origin.Org) || p.Rec != 0 && f.row.seq != int64(p.Rec)
	})
	if p.Rec != 0 {
		every++ // others of the object may stay, and what names it with them
	}
	forgotten, err := t.forget(v, &p)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	sum.Write(salt)
	sum.Write([]byte(p.ID))
	labels := map[uint32]bool{}
	var recs []int64
	for _, f := range forgotten {
		labels[f.row.label] = true
	}
	for _, f := range found {
		err := lite.Exec(t.c, "SELECT body, envelope FROM record WHERE seq = ?", func(st *zs.Stmt) error {
			for col := range 2 {
				b := lite.Blob(st, col)
				sum.Write(b)
				gone.Add(b)
				report.Bytes += int64(len(b))
			}
			return nil
		}, f.row.seq)
		if err != nil {
			return nil, err
		}
		places, err := t.placesOf(f.row)
		if err != nil {
			return nil, err
		}
		for _, pl := range places {
			if pl.coll != 0 {
				report.Placements++
			}
		}
		if err := t.erase(f, places); err != nil {
			return nil, err
		}
		report.Records++
		recs = append(recs, f.row.seq)
		labels[f.row.label] = true
	}
	if len(found) == every {
		if report.Docs, err = t.purgeDocs(p.ID, gone); err != nil {
			return nil, err
		}
	}
	for id := range labels {
		lone, err := t.unused(id)
		if err != nil {
			return nil, err
		}
		if lone {
			marks = append(marks, id)
			if err := lite.Exec(t.c, "DELETE FROM label WHERE id = ?", nil, int64(id)); err != nil {
				return nil, err
			}
		}
	}
	if report.Records+report.Docs+len(forgotten) == 0 {
		return nil, nil
	}
	slices.Sort(recs)
	commit := sum.Sum(nil)
	report.Commit = hex.EncodeToString(commit)
	act, err := packAct(p.Act)
	if err != nil {
		return nil, err
	}
	if err := t.journal(t.draw(1)[0], entryPurge, 0, commit, act, packRecs(recs)); err != nil {
		return nil, err
	}
	if p.Rec != 0 {
		return marks, nil
	}
	return marks, t.maskActs(p.ID, report.Commit)
}

// purgeDocs deletes the documents that name the id.
func (t *tx) purgeDocs(id string, gone *lite.Traces) (n int, err error) {
	type name struct{ kind, key string }
	var names []name
	err = lite.Exec(t.c, "SELECT kind, key, value FROM doc WHERE instr(value, ?1) OR instr(key, ?2)", func(st *zs.Stmt) error {
		names = append(names, name{st.ColumnText(0), st.ColumnText(1)})
		gone.Add(lite.Blob(st, 2))
		return nil
	}, []byte(id), id)
	for _, d := range names {
		if err == nil {
			err = lite.Exec(t.c, "DELETE FROM doc WHERE kind = ? AND key = ?", nil, d.kind, d.key)
		}
	}
	return len(names), err
}

// unused tells whether no record has the mark, and none that is remembered had it.
func (t *tx) unused(id uint32) (bool, error) {
	n, err := lite.Number(t.c, "SELECT 1 FROM stream WHERE h = ? LIMIT 1", t.h.streamKey(0, id, ""))
	if err == nil && n == 0 {
		n, err = lite.Number(t.c, "SELECT 1 FROM former WHERE label = ? LIMIT 1", int64(id))
	}
	return n == 0, err
}

// maskActs puts the commitment in place of the id wherever an act of the journal names it.
func (t *tx) maskActs(id, commit string) error {
	type act struct {
		seq  int64
		text []byte
	}
	var acts []act
	err := lite.Exec(t.c, "SELECT seq, act FROM journal WHERE act IS NOT NULL AND instr(act, ?)", func(st *zs.Stmt) error {
		acts = append(acts, act{st.ColumnInt64(0), lite.Blob(st, 1)})
		return nil
	}, []byte(id))
	for _, a := range acts {
		if err == nil {
			masked := strings.ReplaceAll(string(a.text), id, "purged:"+commit)
			err = lite.Exec(t.c, "UPDATE journal SET act = ? WHERE seq = ?", nil, []byte(masked), a.seq)
		}
	}
	return err
}

// pendingScrub is not 0 from the commit of a purge until no trace of what it destroyed is left.
func pendingScrub(c *zs.Conn) (int64, error) {
	return lite.Number(c, "SELECT value FROM meta WHERE name = 'scrub'")
}

// scrub makes sure that no file holds a trace of what is gone. Until it is done the store remembers that it must be: a purge that was
// cut short is completed, by rewriting the file, when the store is opened or at the next purge.
func (w *writer) scrub(gone *lite.Traces, report *store.PurgeReport, rewrite bool) error {
	for try := 0; ; try++ {
		if rewrite {
			if err := lite.Exec(w.c, "VACUUM", nil); err != nil {
				return err
			}
			report.Vacuumed = true
		}
		if err := w.truncateLog(); err != nil {
			return err
		}
		found, read, err := gone.Search(w.s.cfg.Dir, w.files)
		if err != nil {
			return err
		}
		report.Searched += read
		dead, err := gone.Lifeless(w.c, found, everyText)
		if err != nil {
			return err
		}
		if dead == 0 {
			return lite.Exec(w.c, "DELETE FROM meta WHERE name = 'scrub'", nil)
		}
		if rewrite || try > 0 {
			return fault.New(fault.Internal, "store.purge", "the object is purged, but traces of it remain in the files of %s", w.s.cfg.Dir).
				Try("look for copies beside the store's own files, and purge again")
		}
		rewrite = true
	}
}

// rescrub completes a purge that was cut short.
func rescrub(c *zs.Conn) error {
	pending, err := pendingScrub(c)
	if err != nil || pending == 0 {
		return err
	}
	if err := lite.Exec(c, "VACUUM", nil); err != nil {
		return err
	}
	if _, _, err := pragmaCheckpoint(c, "TRUNCATE"); err != nil {
		return err
	}
	return lite.Exec(c, "DELETE FROM meta WHERE name = 'scrub'", nil)
}

// truncateLog empties the write-ahead log. Readers wait meanwhile: those at work hold the log.
func (w *writer) truncateLog() error {
	readers := make([]*reader, 0, w.s.cfg.ReadConns)
	defer func() {
		for _, r := range readers {
			w.s.conns <- r
		}
	}()
	for range w.s.cfg.ReadConns {
		readers = append(readers, <-w.s.conns)
	}
	pages, _, err := pragmaCheckpoint(w.c, "TRUNCATE")
	if err == nil && pages > 0 {
		err = fault.New(fault.Unavailable, "store.busy", "the log could not be emptied while others read it").After(time.Minute).Try("purge again")
	}
	return err
}

// everyText are the columns that hold bytes from outside.
var everyText = []string{
	"SELECT head, lookups, body, envelope FROM record", "SELECT hold FROM quarantine", "SELECT kind, key, value FROM doc",
	"SELECT act FROM journal WHERE act IS NOT NULL", "SELECT mark FROM label", "SELECT party, clause FROM party", "SELECT name FROM collection",
	"SELECT version FROM former",
}
