package detect

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
)

const (
	settleWait = time.Minute
	slack      = time.Minute // by which times of versions and of copies may differ
)

// Backup writes what sensors reported, at one moment, as an SQLite file, while reports are taken. It is to be called after the store was copied: a sighting that the store has must be of reports
// that the copy knows. Nothing may be purged meanwhile; what was purged before is out of the copy.
func (r *Room) Backup(ctx context.Context, w io.Writer) error {
	if err := r.settle(ctx); err != nil {
		return err
	}
	c, err := zs.OpenConn(r.told.path, zs.OpenReadWrite)
	if err != nil {
		return room.Wrap("opening a backup", err)
	}
	defer c.Close()
	if err := lite.Script(c, "PRAGMA query_only=ON; PRAGMA cache_size=-2048; BEGIN"); err != nil {
		return room.Wrap("beginning a backup", err)
	}
	return room.Backup(ctx, c, w, nil)
}

// settle waits until all that was purged is forgotten here too.
func (r *Room) settle(ctx context.Context) error {
	if any, err := r.told.any(); err != nil || !any {
		return err
	}
	at, err := r.looked.place(placeJournal)
	if err != nil {
		return err
	}
	var last record.Seq // of a purge
	for after := record.Seq(at); ; {
		entries, err := r.o.World.Lines(ctx, after, lines)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			break
		}
		for i := range entries {
			if after = entries[i].Seq; entries[i].Kind == store.EntryPurge {
				last = after
			}
		}
	}
	for over := time.Now().Add(settleWait); record.Seq(at) < last; {
		if time.Now().After(over) {
			return fault.New(fault.Unavailable, "detection.behind", "what was purged is not yet forgotten in what sensors reported").After(settleWait).Try("begin the backup again")
		}
		if !pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
		if at, err = r.looked.place(placeJournal); err != nil {
			return err
		}
	}
	return nil
}

// Restore makes the file of what sensors reported in dir from a backup, after checking it. It never overwrites one. The store beside it was copied at a time; what sightings said since then is
// said anew, and what sensors reported since is not known: the first who opens the file says so.
func Restore(ctx context.Context, in io.Reader, dir string, copied time.Time) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return room.Wrap("restoring what sensors reported", err)
	}
	return room.Restore(ctx, in, filepath.Join(dir, toldFile), func(c *zs.Conn) error { return revive(c, copied) })
}

func revive(c *zs.Conn, copied time.Time) error {
	version, err := lite.Number(c, "PRAGMA user_version")
	if err != nil || version != toldVersion {
		return errors.Join(err, fault.New(fault.Invalid, "detection.version", "version %d", version))
	}
	if err := lite.Script(c, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL"); err != nil {
		return err
	}
	return lite.Transact(c, func() error {
		return errors.Join(lite.Exec(c, "UPDATE sum SET dirty = 1, due = 0 WHERE modified >= ?", nil, lite.PackTime(copied.Add(-slack))),
			lite.Exec(c, "INSERT INTO gap(began, ended) VALUES(?, 0)", nil, lite.PackTime(copied)))
	})
}

// gap is a time of which it is not known what sensors reported, since the node was restored from a backup.
type gap struct{ from, to time.Time }

// gaps are those that began after a time. One that ends with this node's beginning is closed, and told of as new.
func (t *told) gaps(now, since time.Time) (all, opened []gap, err error) {
	err = t.do(func(c *zs.Conn) error {
		all, opened = nil, nil
		err := lite.Exec(c, "SELECT began, ended FROM gap WHERE began >= ? ORDER BY began", func(st *zs.Stmt) error {
			g := gap{lite.UnpackTime(st.ColumnInt64(0)), lite.UnpackTime(st.ColumnInt64(1))}
			if g.to.IsZero() {
				g.to = now
				opened = append(opened, g)
			}
			all = append(all, g)
			return nil
		}, lite.PackTime(since))
		return errors.Join(err, lite.Exec(c, "UPDATE gap SET ended = ? WHERE ended = 0", nil, lite.PackTime(now)))
	})
	return all, opened, err
}

// tellGaps says of what time it is not known what sensors reported.
func (r *Room) tellGaps() error {
	now := r.o.Now()
	all, opened, err := r.told.gaps(now, now.Add(-r.o.Config.kept()))
	if err != nil {
		return err
	}
	for _, g := range opened {
		r.o.Log.Warn("the node was restored: what sensors reported between the backup and now, and do not report again, is not known", "from", g.from, "to", g.to,
			"do", "see docs: entente docs sensor")
	}
	for _, g := range all {
		r.metrics.unknown += max(g.to.Sub(g.from), 0)
	}
	return nil
}

// forgetGone destroys what was reported of some sources that the store holds nothing of any more, and gives the last that was looked at; empty: there are no more.
func (r *Room) forgetGone(ctx context.Context, after string) (last string, err error) {
	sources, err := r.told.sources(after, lines)
	if err != nil || len(sources) == 0 {
		return "", err
	}
	there, err := r.o.World.Held(ctx, sources)
	if err != nil {
		return "", err
	}
	var gone []string
	for _, id := range sources {
		if !there[id] {
			gone = append(gone, id)
		}
	}
	if len(gone) > 0 {
		r.o.Log.Info("what sensors reported of objects that are gone is forgotten", "objects", len(gone), "first", strings.ToValidUTF8(gone[0], ""))
	}
	return sources[len(sources)-1], r.told.forget(gone)
}
