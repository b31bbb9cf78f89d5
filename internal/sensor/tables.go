package sensor

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/go-json-experiment/json"

	"entente/internal/disk"
	"entente/internal/fault"
	"entente/internal/indicator"
	wire "entente/sensor"
)

// The files of what is looked for: a snapshot, and the changes since.
const (
	tableFile = "table.json"
	maxLog    = 64 << 20 // bytes of changes, before they are merged into a snapshot
)

// tableState is what stands in the files.
type tableState struct {
	wire.Cursor `json:",inline"` // that the snapshot stands at
	File        string           `json:"file"`
	Previous    string           `json:"previous,omitempty"` // the snapshot that stood before, until what is new since then was looked back for
	All         bool             `json:"all,omitempty"`      // what the snapshot has is still to be looked back for
	Looked      int64            `json:"looked"`             // changes up to here were looked back for
}

// tables are the indicators that the sensor looks for, in memory and on disk.
type tables struct {
	dir   string
	decay indicator.Decay

	mu       sync.Mutex
	state    tableState
	cursor   wire.Cursor      // with the changes
	table    *indicator.Table // nil: nothing came yet
	previous *indicator.Table // what stood before the snapshot, until it was looked back
	log      *os.File
	logged   int64
	merging  bool
}

// fresh are values that a source did not have before.
type fresh struct {
	seq    int64
	meta   indicator.Meta
	values []indicator.Value
}

// openTables reads what is there. What was not looked back for yet is handed back.
func openTables(dir string, threshold int) (t *tables, back []fresh, err error) {
	t = &tables{dir: dir, decay: indicator.DefaultDecay()}
	t.decay.Threshold = threshold
	had, err := readJSON(t.path(tableFile), &t.state)
	if err != nil || !had {
		return t, nil, err
	}
	base, err := indicator.Open(t.path(t.state.File))
	if err != nil {
		if k := fault.Of(err); k != fault.Invalid && k != fault.NotFound {
			return nil, nil, err
		}
		return t, nil, t.drop() // it is damaged: the node has another
	}
	if t.table, err = indicator.NewTable(base, t.decay); err != nil {
		return nil, nil, err
	}
	if t.state.All && t.state.Previous != "" {
		if old, err := indicator.Open(t.path(t.state.Previous)); err == nil {
			if t.previous, err = indicator.NewTable(old, t.decay); err != nil {
				return nil, nil, err
			}
		}
	}
	t.cursor = t.state.Cursor
	back, err = t.replay()
	return t, back, err
}

func (t *tables) path(name string) string { return filepath.Join(t.dir, name) }

// short names an epoch in file names.
func short(epoch string) string {
	sum := sha256.Sum256([]byte(epoch))
	return hex.EncodeToString(sum[:6])
}

func (t *tables) logPath() string { return t.path("changes-" + short(t.state.Epoch) + ".log") }

// replay puts the changes that came since the snapshot into the table. An end that was not written whole is cut off: the node gives it again.
func (t *tables) replay() (back []fresh, err error) {
	if t.log, err = os.OpenFile(t.logPath(), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("opening the changes: %w", err)
	}
	r := bufio.NewReaderSize(t.log, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading the changes: %w", err)
		}
		var c wire.Changes
		if err != nil || json.Unmarshal(line, &c) != nil || c.To.Epoch != t.state.Epoch {
			break
		}
		news, err := t.put(c)
		if err != nil {
			return nil, err
		}
		for _, n := range news {
			if n.seq > t.state.Looked {
				back = append(back, n)
			}
		}
		t.logged += int64(len(line))
		if c.To.Seq > t.cursor.Seq {
			t.cursor = c.To
		}
	}
	if err := t.log.Truncate(t.logged); err != nil {
		return nil, fmt.Errorf("cutting off the changes: %w", err)
	}
	if _, err := t.log.Seek(t.logged, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading the changes: %w", err)
	}
	return back, nil
}

// put makes changes visible. It hands back what sources did not have before.
func (t *tables) put(c wire.Changes) (news []fresh, err error) {
	var d indicator.Delta
	for _, ch := range c.Changes {
		m := indicator.Meta{Source: ch.Source, Seq: ch.Version, Label: ch.Label, Accord: ch.Accord, From: ch.From, Until: ch.Until, Since: ch.Since, Confidence: ch.Confidence, Revoked: ch.Revoked}
		values, n := make([]indicator.Value, 0, len(ch.Values)), fresh{seq: ch.Seq, meta: m}
		for _, w := range ch.Values {
			kind, known := indicator.KindNamed(w.Kind)
			if !known {
				continue // of a newer node
			}
			v, err := indicator.New(kind, w.Text)
			if err != nil {
				continue
			}
			values = append(values, v)
			if !t.table.Has(ch.Source, v) {
				n.values = append(n.values, v)
			}
		}
		d.Replace(m, values...)
		if len(n.values) > 0 {
			news = append(news, n)
		}
	}
	if d.Len() == 0 {
		return nil, nil
	}
	err = t.table.Apply(&d)
	if fault.Of(err) == fault.Full && err != nil {
		if err = t.table.Merge(context.Background(), "", t.cursor.Seq); err == nil {
			err = t.table.Apply(&d)
		}
	}
	return news, err
}

// apply makes changes durable and visible.
func (t *tables) apply(c wire.Changes) ([]fresh, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(c.Changes) > 0 {
		b, err := json.Marshal(c, json.Deterministic(true))
		if err != nil {
			return nil, fault.New(fault.Internal, "", "changes cannot be written").Because(err)
		}
		b = append(b, '\n')
		if _, err := t.log.WriteAt(b, t.logged); err != nil {
			return nil, fmt.Errorf("keeping changes: %w", err)
		}
		if err := t.log.Sync(); err != nil {
			return nil, fmt.Errorf("keeping changes: %w", err)
		}
		t.logged += int64(len(b))
	}
	news, err := t.put(c)
	if err == nil {
		t.cursor = c.To
	}
	return news, err
}

// at is what the sensor has.
func (t *tables) at() (*indicator.Table, wire.Cursor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.table, t.cursor
}

// install puts a snapshot that was taken whole in the place of everything.
func (t *tables) install(part string, c wire.Cursor) error {
	base, err := indicator.Open(part)
	if err != nil {
		return err
	}
	table, err := indicator.NewTable(base, t.decay)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	name := fmt.Sprintf("indicators-%s-%d.snapshot", short(c.Epoch), c.Seq)
	if err := errors.Join(os.Rename(part, t.path(name)), disk.Sync(t.dir)); err != nil {
		return fmt.Errorf("keeping a snapshot: %w", err)
	}
	was, wasLog := t.state, t.log
	next := tableState{Cursor: c, File: name, All: true, Looked: c.Seq}
	if was.File != name {
		next.Previous = was.File
	}
	var log *os.File
	state := t.state
	t.state = next
	if log, err = os.OpenFile(t.logPath(), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600); err == nil {
		err = writeJSON(t.path(tableFile), &next)
	}
	if err != nil {
		t.state = state
		return fmt.Errorf("keeping a snapshot: %w", err)
	}
	t.previous, t.table, t.cursor, t.log, t.logged = t.table, table, c, log, 0
	if wasLog != nil {
		err = wasLog.Close()
		if was.Epoch != c.Epoch {
			err = errors.Join(err, remove(t.path("changes-"+short(was.Epoch)+".log")))
		}
	}
	if was.Previous != "" && was.Previous != name {
		err = errors.Join(err, remove(t.path(was.Previous)))
	}
	return err
}

// pending says whether the whole snapshot is still to be looked back for, and what stood before it.
func (t *tables) pending() (all bool, base *indicator.Snapshot, previous *indicator.Table, c wire.Cursor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.table == nil || !t.state.All {
		return false, nil, nil, wire.Cursor{}
	}
	return true, t.table.Base(), t.previous, t.state.Cursor
}

// lookedAll notes that the snapshot of a cursor was looked back for.
func (t *tables) lookedAll(c wire.Cursor) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state.Cursor != c || !t.state.All {
		return nil
	}
	gone := t.state.Previous
	t.state.All, t.state.Previous, t.previous = false, "", nil
	if err := writeJSON(t.path(tableFile), &t.state); err != nil || gone == "" {
		return err
	}
	return remove(t.path(gone))
}

// looked notes that the changes up to a number were looked back for.
func (t *tables) looked(epoch string, seq int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state.Epoch != epoch || seq <= t.state.Looked {
		return nil
	}
	t.state.Looked = seq
	return writeJSON(t.path(tableFile), &t.state)
}

// merge makes a snapshot of everything when it is time for it. Lookups and changes go on meanwhile.
func (t *tables) merge(ctx context.Context) error {
	t.mu.Lock()
	var due bool
	if t.table != nil {
		_, due = t.table.Pending()
	}
	if !due && t.logged < maxLog || t.merging || t.state.All {
		t.mu.Unlock()
		return nil
	}
	t.merging = true
	table, c := t.table, t.cursor
	t.mu.Unlock()
	name := fmt.Sprintf("indicators-%s-%d-m.snapshot", short(c.Epoch), c.Seq)
	err := table.Merge(ctx, t.path(name), c.Seq)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.merging = false
	if err != nil {
		return err
	}
	if t.table != table { // another snapshot came meanwhile
		return remove(t.path(name))
	}
	gone := t.state.File
	t.state.Cursor, t.state.File = c, name
	if err := writeJSON(t.path(tableFile), &t.state); err != nil {
		return err
	}
	if gone != name {
		err = remove(t.path(gone))
	}
	return errors.Join(err, t.trim())
}

// trim leaves of the log what is not in the snapshot, or not looked back for yet. The caller holds mu.
func (t *tables) trim() error {
	b, err := os.ReadFile(t.logPath())
	if err != nil {
		return fmt.Errorf("reading the changes: %w", err)
	}
	var left []byte
	for line := range bytes.Lines(b[:min(int64(len(b)), t.logged)]) {
		var c wire.Changes
		if json.Unmarshal(line, &c) == nil && c.To.Seq > min(t.state.Seq, t.state.Looked) {
			left = append(left, line...)
		}
	}
	if err := write(t.logPath(), left); err != nil {
		return err
	}
	log, err := os.OpenFile(t.logPath(), os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("opening the changes: %w", err)
	}
	old := t.log
	t.log, t.logged = log, int64(len(left))
	return old.Close()
}

// drop forgets everything that is looked for.
func (t *tables) drop() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var err error
	if t.log != nil {
		err = t.log.Close()
	}
	files, _ := filepath.Glob(t.path("indicators-*")) // the pattern is sound
	logs, _ := filepath.Glob(t.path("changes-*"))
	t.state, t.cursor, t.table, t.previous, t.log, t.logged = tableState{}, wire.Cursor{}, nil, nil, nil, 0
	return errors.Join(err, remove(append(append(files, logs...), t.path(tableFile))...))
}

func (t *tables) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.log == nil {
		return nil
	}
	return t.log.Close()
}
