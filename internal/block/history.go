package block

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"time"

	"entente/internal/indicator"
	"entente/internal/record"
)

// history is what deltas are made of, on disk, so that a restart does not have every enforcement point fetch everything anew: what the edition of a moment had (the base), and what changed since, an
// edition on each line (the log). It can be lost: then there are deltas from now on only. It holds nothing of what was purged, but begins anew then.
type history struct {
	base, log string // files; empty: nothing is kept
	size      int64  // octets of the log
	begun     bool   // both files lead to the room's edition
}

// Bounds of what is kept.
const (
	historyBytes = 64 << 20           // of the log
	historyAge   = 7 * 24 * time.Hour // of a change
)

// stand names an edition, and the line of the journal up to which it is.
type stand struct {
	Serial uint32     `json:"serial"`
	Digest string     `json:"digest"`
	Seq    record.Seq `json:"seq"`
}

// baseHead is the first line of the base; a line for each entry follows.
type baseHead struct {
	stand
	Entries int `json:"entries"`
}

// baseEntry is what an entry is, and a hash of all that it says; empty: it is no longer there.
type baseEntry struct {
	Kind  string `json:"k"`
	Value string `json:"v"`
	Hash  string `json:"h"`
}

// logLine is a change of one edition into the next, which it names.
type logLine struct {
	stand
	From uint32     `json:"from"`
	Time time.Time  `json:"time"`
	Keys []logEntry `json:"keys"`

	size int64
}

type logEntry struct {
	baseEntry
	Had bool `json:"had"`
}

func shortHash(x *Entry) string {
	h := x.hash()
	return hex.EncodeToString(h[:8])
}

// lineOf is a change as the log has it.
func lineOf(e *Edition, c *change, seq record.Seq) logLine {
	l := logLine{stand: stand{e.Serial, e.sum.String(), seq}, From: c.from, Time: e.Time, Keys: make([]logEntry, len(c.keys))}
	for i, k := range c.keys {
		l.Keys[i] = logEntry{baseEntry{k.kind.String(), k.value, ""}, k.had}
		if at, is := e.find(k.kind, k.value); is {
			l.Keys[i].Hash = shortHash(&e.Entries[at])
		}
	}
	return l
}

// change is what a line says.
func (l *logLine) change() (change, error) {
	c := change{from: l.From, serial: l.Serial, time: l.Time, keys: make([]key, len(l.Keys))}
	for i, k := range l.Keys {
		kind, ok := indicator.KindNamed(k.Kind)
		if !ok {
			return c, errHistory
		}
		c.keys[i] = key{kind, k.Value, k.Had}
	}
	return c, nil
}

var errHistory = errors.New("the history of what was blocked is not of one piece")

// kept is what was read of a history.
type kept struct {
	stand                   // of the base
	values map[point]string // of the base, with their hashes
	lines  []logLine
}

// last is the edition that it leads to.
func (k *kept) last() stand {
	if n := len(k.lines); n > 0 {
		return k.lines[n-1].stand
	}
	return k.stand
}

// read reads what is kept; the entries of the base only where they are wanted.
func (h *history) read(wanted bool) (*kept, error) {
	f, err := os.Open(h.base)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := json.NewDecoder(bufio.NewReaderSize(f, 1<<20))
	var head baseHead
	if err := d.Decode(&head); err != nil {
		return nil, err
	}
	k := &kept{stand: head.stand, values: map[point]string{}}
	for range head.Entries {
		var x baseEntry
		if !wanted {
			break
		}
		if err := d.Decode(&x); err != nil {
			return nil, err
		}
		if err := k.set(&x); err != nil {
			return nil, err
		}
	}
	b, err := os.ReadFile(h.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for serial := k.Serial; len(b) > 0; {
		at := bytes.IndexByte(b, '\n')
		if at < 0 {
			return nil, errHistory // power was lost while it was written
		}
		l := logLine{size: int64(at + 1)}
		if err := json.Unmarshal(b[:at], &l); err != nil || l.From != serial {
			return nil, errors.Join(err, errHistory)
		}
		k.lines, b, serial = append(k.lines, l), b[at+1:], l.Serial
	}
	return k, nil
}

func (k *kept) set(x *baseEntry) error {
	kind, ok := indicator.KindNamed(x.Kind)
	if !ok {
		return errHistory
	}
	if p := (point{kind, x.Value}); x.Hash == "" {
		delete(k.values, p)
	} else {
		k.values[p] = x.Hash
	}
	return nil
}

// drop works the oldest lines into the base.
func (k *kept) drop(n int) error {
	for i := range k.lines[:n] {
		l := &k.lines[i]
		for j := range l.Keys {
			if err := k.set(&l.Keys[j].baseEntry); err != nil {
				return err
			}
		}
		k.stand = l.stand
	}
	k.lines = k.lines[n:]
	return nil
}

// differ lists what an edition has otherwise than what is kept leads to.
func (k *kept) differ(e *Edition) ([]key, error) {
	if err := k.drop(len(k.lines)); err != nil {
		return nil, err
	}
	var out []key
	for i := range e.Entries {
		x := &e.Entries[i]
		hash, had := k.values[x.point()]
		if !had || hash != shortHash(x) {
			out = append(out, key{x.Kind, x.Value, had})
		}
		delete(k.values, x.point())
	}
	for p := range k.values {
		out = append(out, key{p.kind, p.text, true})
	}
	return out, nil
}

// open gives the changes that led to the edition of a state, and what differs in the edition of now, which may be the same. Lines that are too old, or too many, go into the base.
func (h *history) open(last state, e *Edition, now time.Time) (changes []change, keys []key, seq record.Seq, err error) {
	other := last.Digest != e.sum.String()
	k, err := h.read(other)
	if err != nil {
		return nil, nil, 0, err
	}
	if at := k.last(); at.Serial != last.Serial || at.Digest != last.Digest {
		return nil, nil, 0, errHistory
	}
	seq = k.last().Seq
	h.begun, h.size = true, 0
	old := 0
	for i := range k.lines {
		h.size += k.lines[i].size
		if now.Sub(k.lines[i].Time) > historyAge {
			old = i + 1
			continue
		}
		c, err := k.lines[i].change()
		if err != nil {
			return nil, nil, 0, err
		}
		changes = append(changes, c)
	}
	if old > 0 {
		if err := h.shorten(old); err != nil {
			return nil, nil, 0, err
		}
	}
	if other {
		keys, err = k.differ(e)
	}
	return changes, keys, seq, err
}

// shorten works the oldest lines of the log into the base; fewer than none: as many as leave half of the room free.
func (h *history) shorten(n int) error {
	k, err := h.read(true)
	if err != nil {
		return err
	}
	if n < 0 {
		size := h.size
		for n = 0; n < len(k.lines) && size > historyBytes/2; n++ {
			size -= k.lines[n].size
		}
	}
	if err := k.drop(n); err != nil {
		return err
	}
	h.forget()
	err = h.write(k.stand, len(k.values), func(put *json.Encoder) error {
		for p, hash := range k.values {
			if err := put.Encode(baseEntry{p.kind.String(), p.text, hash}); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range k.lines {
		if err == nil {
			err = h.append(&k.lines[i])
		}
	}
	h.begun = err == nil
	return err
}

// begin makes the base of an edition. When that fails nothing is kept, and the next start resets.
func (h *history) begin(e *Edition, seq record.Seq) {
	if h.base == "" {
		return
	}
	h.forget()
	err := h.write(stand{e.Serial, e.sum.String(), seq}, len(e.Entries), func(put *json.Encoder) error {
		for i := range e.Entries {
			x := &e.Entries[i]
			if err := put.Encode(baseEntry{x.Kind.String(), x.Value, shortHash(x)}); err != nil {
				return err
			}
		}
		return nil
	})
	if h.begun = err == nil; err != nil {
		h.forget()
	}
}

// write writes a base, which is there as a whole or not at all.
func (h *history) write(at stand, entries int, all func(*json.Encoder) error) error {
	f, err := os.OpenFile(h.base+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	put := json.NewEncoder(w)
	if err = put.Encode(baseHead{at, entries}); err == nil {
		err = all(put)
	}
	if err = errors.Join(err, w.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(h.base+".new", h.base)
}

// add writes a change of an edition down.
func (h *history) add(e *Edition, c *change, seq record.Seq) {
	switch {
	case h.base == "":
		return
	case !h.begun:
		h.begin(e, seq)
		return
	}
	l := lineOf(e, c, seq)
	err := h.append(&l)
	if err == nil && h.size > historyBytes {
		err = h.shorten(-1)
	}
	if err != nil {
		h.forget()
	}
}

func (h *history) append(l *logLine) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(h.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	n, err := f.Write(append(b, '\n'))
	h.size += int64(n)
	return errors.Join(err, f.Close())
}

// forget takes all that is kept away.
func (h *history) forget() {
	if h.base == "" {
		return
	}
	h.begun, h.size = false, 0
	for _, path := range []string{h.log, h.base, h.base + ".new"} { // the log first: without its base it says nothing
		_ = os.Remove(path) // what cannot be removed leads to no edition, and is written over
	}
}
