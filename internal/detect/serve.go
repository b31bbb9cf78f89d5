package detect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/indicator"
	"entente/internal/lite"
	"entente/sensor"
)

// stale is how many changes a snapshot may be behind before another is made: a sensor takes as many in a second.
const stale = 20_000

// State is what a sensor should know now.
func (r *Room) State(ctx context.Context, s *Sensor) (sensor.State, error) {
	now, ok := r.sensors.find(s.ID)
	if !ok || !now.Revoked.IsZero() {
		return sensor.State{Revoked: true, Version: "revoked"}, nil
	}
	var t table
	err := r.looked.read(func(c *zs.Conn) (err error) { t, err = tableOf(c, s.party()); return err })
	if err != nil {
		return sensor.State{}, err
	}
	st := sensor.State{Indicators: t.cursor(), Rules: t.etag(), Muted: r.mutes.sources()}
	b, err := json.Marshal(st, json.Deterministic(true))
	if err != nil {
		return st, err
	}
	sum := sha256.Sum256(b)
	st.Version = hex.EncodeToString(sum[:8])
	return st, nil
}

// Await is State once it is another than the sensor knows, or when the wait is over.
func (r *Room) Await(ctx context.Context, s *Sensor, after string, wait time.Duration) (sensor.State, error) {
	over := time.NewTimer(min(max(wait, 0), sensor.MaxWait))
	defer over.Stop()
	for {
		stirred := r.stirred()
		st, err := r.State(ctx, s)
		if err != nil || st.Version != after || wait <= 0 {
			return st, err
		}
		select {
		case <-ctx.Done():
			return st, ctx.Err()
		case <-over.C:
			return st, nil
		case <-stirred:
		}
	}
}

// Changes are those after a cursor.
func (r *Room) Changes(ctx context.Context, s *Sensor, after sensor.Cursor) (sensor.Changes, error) {
	out := sensor.Changes{Changes: []sensor.Change{}}
	err := r.looked.read(func(c *zs.Conn) error {
		t, err := tableOf(c, s.party())
		if err != nil {
			return err
		}
		out.To = t.cursor()
		if after.Epoch != t.epoch || after.Seq < t.floor || after.Seq > t.seq || after.Seq < 0 {
			out.Again = true
			return nil
		}
		size := 0
		err = lite.Exec(c, "SELECT seq, source, change FROM look WHERE party = ? AND seq > ? ORDER BY seq LIMIT ?", func(st *zs.Stmt) error {
			if size += st.ColumnLen(2) + 1000; len(out.Changes) == sensor.MaxChanges || size > sensor.MaxBody/2 && len(out.Changes) > 0 {
				out.More = true
				return errEnough
			}
			ch, err := r.looked.words.unpack(c, sourceAt(st, 1), lite.Blob(st, 2))
			if err != nil {
				return fmt.Errorf("reading what %s has: %w", ch.Source, err)
			}
			ch.Seq = st.ColumnInt64(0)
			out.Changes = append(out.Changes, ch)
			return nil
		}, t.id, after.Seq, sensor.MaxChanges+1)
		if out.More {
			out.To.Seq, err = out.Changes[len(out.Changes)-1].Seq, nil
		}
		return err
	})
	return out, room.Wrap("reading changes", err)
}

var errEnough = errors.New("enough")

// Rules are all of a table, with the ETag of their state.
func (r *Room) Rules(ctx context.Context, s *Sensor) (out sensor.Rules, etag string, err error) {
	out.Rules = []sensor.Rule{}
	err = r.looked.read(func(c *zs.Conn) error {
		t, err := tableOf(c, s.party())
		if err != nil {
			return err
		}
		etag = t.etag()
		return lite.Exec(c, "SELECT rule FROM look INDEXED BY look_rule WHERE party = ? AND rule IS NOT NULL ORDER BY source", func(st *zs.Stmt) error {
			var rule sensor.Rule
			if err := json.Unmarshal(lite.Blob(st, 0), &rule); err != nil {
				return err
			}
			out.Rules = append(out.Rules, rule)
			return nil
		}, t.id)
	})
	return out, etag, room.Wrap("reading rules", err)
}

// Snapshot opens the file of a snapshot that is new enough, and says where it stands. The caller closes it.
func (r *Room) Snapshot(ctx context.Context, s *Sensor) (*os.File, sensor.Cursor, error) {
	r.snapshots.Lock()
	defer r.snapshots.Unlock()
	var t table
	if err := r.looked.read(func(c *zs.Conn) (err error) { t, err = tableOf(c, s.party()); return err }); err != nil {
		return nil, sensor.Cursor{}, err
	}
	path := r.looked.snapshotPath(&t)
	if f, err := os.Open(path); err == nil {
		if at, ok := r.made[t.epoch]; ok {
			behind := t.seq - at.seq
			if at.seq >= t.floor && behind >= 0 && (behind == 0 || behind <= stale && behind*10 < at.entries) {
				return f, sensor.Cursor{Epoch: t.epoch, Seq: at.seq}, nil
			}
		}
		f.Close()
	}
	cursor, entries, err := r.looked.snapshot(ctx, &t)
	if err != nil {
		return nil, cursor, room.Wrap("making a snapshot", err)
	}
	r.made[t.epoch] = made{cursor.Seq, entries}
	f, err := os.Open(path)
	return f, cursor, room.Wrap("opening a snapshot", err)
}

// made says where a snapshot stands, and how many values are in it.
type made struct{ seq, entries int64 }

// findSnapshots looks at the snapshots that are there. What was left of others is taken away.
func (r *Room) findSnapshots() error {
	tables, err := r.looked.tables()
	if err != nil {
		return err
	}
	r.made = map[string]made{}
	files, err := os.ReadDir(r.looked.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(r.looked.dir, f.Name())
		epoch, whole := strings.CutSuffix(f.Name(), snapshotEnding)
		switch {
		case whole && slices.ContainsFunc(tables, func(t table) bool { return t.epoch == epoch }):
			if s, err := indicator.Open(path); err == nil {
				r.made[epoch] = made{s.Cursor(), int64(s.Len())}
				continue
			}
		case !whole && !strings.HasPrefix(f.Name(), "."): // what is being made begins with a dot
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

const snapshotEnding = ".snapshot"

func (l *looked) snapshotPath(t *table) string { return filepath.Join(l.dir, t.epoch+snapshotEnding) }

// snapshot makes the file anew, of one moment, while changes go on.
func (l *looked) snapshot(ctx context.Context, t *table) (sensor.Cursor, int64, error) {
	c, err := zs.OpenConn(l.path, zs.OpenReadWrite)
	if err != nil {
		return sensor.Cursor{}, 0, err
	}
	defer c.Close()
	if err := lite.Script(c, "PRAGMA query_only=ON; PRAGMA cache_size=-8192; BEGIN"); err != nil {
		return sensor.Cursor{}, 0, err
	}
	now, err := tableOf(c, t.party)
	if err != nil {
		return sensor.Cursor{}, 0, err
	}
	b, words := indicator.NewBuilder(indicator.Key(now.key)), newWords()
	if err := b.Spill(l.dir, int(now.sources)); err != nil {
		return sensor.Cursor{}, 0, err
	}
	defer b.Close()
	err = lite.Exec(c, "SELECT source, change FROM look WHERE party = ? AND change IS NOT NULL ORDER BY seq", func(st *zs.Stmt) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		ch, err := words.unpack(c, sourceAt(st, 0), lite.Blob(st, 1))
		if err != nil {
			return err
		}
		m := b.Meta(indicator.Meta{Source: ch.Source, Seq: ch.Version, Label: ch.Label, Accord: ch.Accord, From: ch.From, Until: ch.Until, Since: ch.Since, Confidence: ch.Confidence})
		for _, v := range ch.Values {
			kind, ok := indicator.KindNamed(v.Kind)
			if !ok {
				continue
			}
			value, err := indicator.New(kind, v.Text)
			if err != nil {
				continue // it was one when it was written
			}
			if err := b.Add(value, m); err != nil {
				return err
			}
		}
		return nil
	}, now.id)
	if err != nil {
		return sensor.Cursor{}, 0, err
	}
	entries := int64(b.Len())
	return now.cursor(), entries, b.WriteFile(l.snapshotPath(&now), now.seq)
}

// scrub makes sure that no byte of what was taken out is left in the files: what is deleted is overwritten, the log is emptied, and snapshots are made anew when one is asked for.
func (r *Room) scrub() error {
	r.snapshots.Lock()
	defer r.snapshots.Unlock()
	files, err := os.ReadDir(r.looked.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), snapshotEnding) {
			if err := os.Remove(filepath.Join(r.looked.dir, f.Name())); err != nil {
				return err
			}
		}
	}
	clear(r.made)
	return r.looked.read(truncateLog)
}

// truncateLog empties the write-ahead log.
func truncateLog(c *zs.Conn) error {
	busy, err := lite.Number(c, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err == nil && busy != 0 {
		err = fault.New(fault.Unavailable, "detection.busy", "the log is in use")
	}
	return err
}
