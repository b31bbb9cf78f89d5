package block

import (
	"cmp"
	"encoding/json"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"entente/internal/indicator"
)

// Edition is everything that is blocked from a moment on, until something changes.
type Edition struct {
	Serial      uint32 // grows with every edition
	Time        time.Time
	Entries     []Entry // by kind and value
	Nation, Org string
	Realm       string
	Config      Config

	next time.Time // when time changes it; zero: never
	sum  sum
}

// until notes a moment at which the edition changes.
func (e *Edition) until(t time.Time) {
	if !t.IsZero() && t.After(e.Time) && (e.next.IsZero() || t.Before(e.next)) {
		e.next = t
	}
}

func (e *Edition) find(k indicator.Kind, value string) (int, bool) {
	p := point{k, value}
	lo, hi := 0, len(e.Entries)
	for lo < hi {
		if mid := (lo + hi) / 2; e.Entries[mid].point().compare(p) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(e.Entries) && e.Entries[lo].point() == p
}

// same tells whether two entries say the same.
func same(a, b *Entry) bool {
	return a.Beneath == b.Beneath && a.Until.Equal(b.Until) && slices.EqualFunc(a.Sources, b.Sources, func(x, y Source) bool {
		ux, uy := x.Until, y.Until
		x.Until, y.Until = time.Time{}, time.Time{}
		return x == y && ux.Equal(uy)
	})
}

// change is what differs between one edition and the one before it.
type change struct {
	from, serial uint32 // of both
	keys         []key
	time         time.Time
}

// key names an entry; had tells whether it was there before.
type key struct {
	kind  indicator.Kind
	value string
	had   bool
}

// Bounds of what deltas can be asked for.
const (
	maxChanges    = 10_000
	maxChangeKeys = 1_000_000
)

// state is what is kept over restarts.
type state struct {
	Serial uint32    `json:"serial"`
	Digest string    `json:"digest"`
	Time   time.Time `json:"time"`
}

// publish puts an edition in the place of the last one, unless it says the same.
func (r *Room) publish(e *Edition, keys []key) {
	old := r.edition
	purged := r.purged
	r.purged = false
	if old == nil {
		r.resume(e, purged)
		r.edition, r.rendered = e, map[string]Rendering{}
		return
	}
	if len(keys) == 0 {
		if old.next = e.next; purged {
			r.history.begin(old, r.seq)
		}
		return
	}
	e.Serial = following(old.Serial, e.Time)
	c := change{old.Serial, e.Serial, keys, e.Time}
	if purged { // what is gone must not be written down
		r.history.begin(e, r.seq)
	} else {
		r.history.add(e, &c, r.seq)
	}
	r.keep(state{e.Serial, e.sum.String(), e.Time})
	r.remember(c)
	r.edition, r.rendered = e, map[string]Rendering{}
}

// resume begins with an edition where a life of the room before ended.
func (r *Room) resume(e *Edition, purged bool) {
	last, digest := r.load(), e.sum.String()
	changes, keys, seq, err := r.history.open(last, e, r.o.Now())
	sound := err == nil && !purged && !r.purgedSince(seq)
	if last.Digest == digest {
		e.Serial, e.Time = last.Serial, last.Time
	} else {
		e.Serial = following(last.Serial, e.Time)
		r.keep(state{e.Serial, digest, e.Time})
	}
	switch {
	case !sound:
		r.history.begin(e, r.seq)
		return
	case e.Serial != last.Serial:
		c := change{last.Serial, e.Serial, keys, e.Time}
		changes = append(changes, c)
		r.history.add(e, &c, r.seq)
	}
	for _, c := range changes {
		r.remember(c)
	}
}

// remember keeps a change for deltas, and forgets the oldest of what is too much or too old.
func (r *Room) remember(c change) {
	r.changes = append(r.changes, c)
	total := 0
	for i := len(r.changes) - 1; i >= 0; i-- {
		if total += len(r.changes[i].keys); total > maxChangeKeys || len(r.changes)-i > maxChanges || c.time.Sub(r.changes[i].time) > historyAge {
			r.changes = slices.Clone(r.changes[i+1:])
			break
		}
	}
}

// following is the serial number of an edition: its time in seconds, and always more than that before it, by the arithmetic of RFC 1982.
func following(last uint32, now time.Time) uint32 {
	s := uint32(now.Unix())
	if last != 0 && int32(s-last) <= 0 {
		s = last + 1
	}
	if s == 0 {
		s = 1
	}
	return s
}

func (r *Room) load() (s state) {
	if b, err := os.ReadFile(r.o.State); err == nil && json.Unmarshal(b, &s) != nil {
		return state{}
	}
	return s
}

// keep writes the serial number down. When that fails, the next start takes the time, which is later.
func (r *Room) keep(s state) {
	if r.o.State == "" {
		return
	}
	b, err := json.Marshal(s)
	if err != nil {
		return
	}
	if tmp := r.o.State + ".new"; os.WriteFile(tmp, append(b, '\n'), 0o600) == nil {
		os.Rename(tmp, r.o.State)
	}
}

// differ lists what two sorted lists do not have alike.
func differ(was, is []Entry) (out []key) {
	for i, k := 0, 0; i < len(was) || k < len(is); {
		c := 0
		switch {
		case i == len(was):
			c = 1
		case k == len(is):
			c = -1
		default:
			c = was[i].point().compare(is[k].point())
		}
		switch {
		case c < 0:
			out = append(out, key{was[i].Kind, was[i].Value, true})
			i++
		case c > 0:
			out = append(out, key{is[k].Kind, is[k].Value, false})
			k++
		default:
			if !same(&was[i], &is[k]) {
				out = append(out, key{is[k].Kind, is[k].Value, true})
			}
			i, k = i+1, k+1
		}
	}
	return out
}

// Delta is what changed since a cursor.
type Delta struct {
	Cursor  string `json:"cursor"`
	Serial  uint32 `json:"serial"`
	Reset   bool   `json:"reset"`   // the cursor is too old, or none of here: added is everything, and what was had before is to be forgotten
	Added   []View `json:"added"`   // and changed
	Removed []Gone `json:"removed"` // no longer blocked
}

// Gone is a value that is no longer blocked.
type Gone struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Cursor names the edition.
func (e *Edition) Cursor() string { return strconv.FormatUint(uint64(e.Serial), 10) }

// delta is what changed since a cursor of what a selection takes.
func (r *Room) delta(e *Edition, s Selection, cursor string) Delta {
	d := Delta{Cursor: e.Cursor(), Serial: e.Serial, Added: []View{}, Removed: []Gone{}}
	if cursor == d.Cursor {
		return d
	}
	from := slices.IndexFunc(r.changes, func(c change) bool { return strconv.FormatUint(uint64(c.from), 10) == cursor })
	if from < 0 {
		d.Reset = true
		for i := range e.Entries {
			if x := &e.Entries[i]; s.takes(x) {
				d.Added = append(d.Added, x.View())
			}
		}
		return d
	}
	had := map[key]bool{}
	for _, c := range r.changes[from:] {
		for _, k := range c.keys {
			name := key{kind: k.kind, value: k.value}
			if _, seen := had[name]; !seen {
				had[name] = k.had
			}
		}
	}
	names := make([]key, 0, len(had))
	for k := range had {
		names = append(names, k)
	}
	slices.SortFunc(names, func(a, b key) int { return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.value, b.value)) })
	for _, k := range names {
		at, is := e.find(k.kind, k.value)
		switch {
		case is && s.takes(&e.Entries[at]):
			d.Added = append(d.Added, e.Entries[at].View())
		case had[k] && slices.Contains(s.Kinds, k.kind):
			d.Removed = append(d.Removed, Gone{k.kind.String(), k.value})
		}
	}
	return d
}

func (x *Entry) point() point { return point{x.Kind, x.Value} }

// byPoint is the order of an edition.
type byPoint []Entry

func (b byPoint) Len() int           { return len(b) }
func (b byPoint) Less(i, k int) bool { return b[i].point().compare(b[k].point()) < 0 }
func (b byPoint) Swap(i, k int)      { b[i], b[k] = b[k], b[i] }

// sortEntries puts entries in the order of an edition.
func sortEntries(all []Entry) {
	sort.Sort(byPoint(all))
}
