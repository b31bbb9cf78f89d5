package block

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"entente/internal/indicator"
)

// held is who stands by a value, and whether it may be hit.
type held struct {
	claims  []*claim
	verdict verdict
	judged  bool
}

// set puts a claim in the place of what an object said before; nil: it says nothing any more.
func (r *Room) set(id string, c *claim) {
	if old := r.claims[id]; old != nil {
		for _, p := range old.values {
			r.dirty[p] = true
			h := r.held[p]
			if h == nil {
				continue
			}
			h.claims = slices.DeleteFunc(h.claims, func(x *claim) bool { return x == old })
			if len(h.claims) == 0 {
				delete(r.held, p)
			}
		}
	}
	delete(r.claims, id)
	if c == nil {
		return
	}
	r.claims[id] = c
	for _, p := range c.values {
		r.dirty[p] = true
		h := r.held[p]
		if h == nil {
			h = &held{}
			r.held[p] = h
		}
		h.claims = append(h.claims, c)
	}
}

// judge says why a value must not be blocked; the zero verdict: it may.
func (r *Room) judge(p point) verdict {
	h := r.held[p]
	if h != nil && h.judged {
		return h.verdict
	}
	v := r.wall.ask(p.kind, p.text)
	if h != nil && r.wall.err == nil {
		h.verdict, h.judged = v, true
	}
	return v
}

// compile makes the edition of a moment from the one before it, and lists what differs.
func (r *Room) compile(now time.Time) (*Edition, []key, error) {
	e := &Edition{Time: now, Nation: r.o.Nation, Org: r.o.Org, Realm: r.o.Realm, Config: r.o.Config}
	old := r.edition
	all := r.all || old == nil
	for _, c := range r.claims {
		if len(c.values) == 0 {
			continue
		}
		for _, t := range [...]time.Time{c.from, c.until} {
			switch {
			case t.IsZero():
			case t.After(now):
				e.until(t)
			case !all && t.After(r.asOf):
				for _, p := range c.values {
					r.dirty[p] = true
				}
			}
		}
	}
	if all {
		e.Entries = make([]Entry, 0, len(r.held))
		for p := range r.held {
			if x, ok := r.entry(p, now); ok {
				e.Entries = append(e.Entries, x)
			}
		}
		if r.wall.err != nil {
			return nil, nil, r.wall.err
		}
		sortEntries(e.Entries)
		for i := range e.Entries {
			e.sum.add(&e.Entries[i])
		}
		if old == nil {
			return e, nil, nil
		}
		return e, differ(old.Entries, e.Entries), nil
	}
	points := make([]point, 0, len(r.dirty))
	for p := range r.dirty {
		points = append(points, p)
	}
	slices.SortFunc(points, point.compare)
	var changed []key
	e.Entries, e.sum = make([]Entry, 0, len(old.Entries)+len(points)), old.sum
	from := 0
	for _, p := range points {
		at, was := old.find(p.kind, p.text)
		x, is := r.entry(p, now)
		if !was && !is || was && is && same(&old.Entries[at], &x) {
			continue
		}
		changed = append(changed, key{p.kind, p.text, was})
		e.Entries = append(e.Entries, old.Entries[from:at]...)
		from = at
		if was {
			e.sum.remove(&old.Entries[at])
			from++
		}
		if is {
			e.sum.add(&x)
			e.Entries = append(e.Entries, x)
		}
	}
	if r.wall.err != nil {
		return nil, nil, r.wall.err
	}
	e.Entries = append(e.Entries, old.Entries[from:]...)
	return e, changed, nil
}

// entry is what is blocked of a value at a moment.
func (r *Room) entry(p point, now time.Time) (Entry, bool) {
	h := r.held[p]
	if h == nil || !slices.Contains(Kinds, p.kind) {
		return Entry{}, false
	}
	var room [4]*claim
	by := room[:0]
	for _, c := range h.claims {
		if code, _, _ := c.state(now); code != "" {
			continue
		}
		if c.benign {
			return Entry{}, false
		}
		if !c.whole {
			by = append(by, c)
		}
	}
	if len(by) == 0 || r.judge(p).code != "" {
		return Entry{}, false
	}
	slices.SortFunc(by, byTerm)
	x := Entry{Kind: p.kind, Value: p.text, Until: by[0].until, Sources: make([]Source, min(len(by), maxSources))}
	for i, c := range by {
		if i < maxSources {
			x.Sources[i] = c.src
		}
		x.Beneath = x.Beneath || p.kind == indicator.Domain && !slices.Contains(c.alone, p.text)
	}
	return x, true
}

// byTerm puts what counts longest first.
func byTerm(a, b *claim) int {
	switch {
	case a.until.Equal(b.until):
		return cmp.Compare(a.src.ID, b.src.ID)
	case a.until.IsZero():
		return -1
	case b.until.IsZero():
		return 1
	}
	return b.until.Compare(a.until)
}

// sum says what is in an edition, in whatever order it came there: the hashes of all entries, added up.
type sum [4]uint64

func (s *sum) add(x *Entry) {
	h := x.hash()
	for i := range s {
		s[i] += binary.BigEndian.Uint64(h[8*i:])
	}
}

func (s *sum) remove(x *Entry) {
	h := x.hash()
	for i := range s {
		s[i] -= binary.BigEndian.Uint64(h[8*i:])
	}
}

func (s *sum) String() string {
	var b []byte
	for _, lane := range s {
		b = binary.BigEndian.AppendUint64(b, lane)
	}
	return hex.EncodeToString(b)
}

// hash is of everything that an entry says.
func (x *Entry) hash() [32]byte {
	b := make([]byte, 0, 512)
	text := func(all ...string) {
		for _, t := range all {
			b = binary.BigEndian.AppendUint32(b, uint32(len(t)))
			b = append(b, t...)
		}
	}
	text(x.Value, strconv.FormatBool(x.Beneath))
	b = append(b, byte(x.Kind))
	b = binary.BigEndian.AppendUint64(b, uint64(x.Until.UnixNano()))
	for i := range x.Sources {
		s := &x.Sources[i]
		text(s.ID, s.Version, s.Origin, s.Via, s.Accord, s.TLP, s.PAP)
		b = binary.BigEndian.AppendUint64(b, uint64(s.Confidence))
		b = binary.BigEndian.AppendUint64(b, uint64(s.Until.UnixNano()))
	}
	return sha256.Sum256(b)
}
