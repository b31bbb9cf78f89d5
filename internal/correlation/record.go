package correlation

import (
	"encoding/binary"
	"slices"
	"time"

	"entente/sigma"
)

// target is a correlation that is about a rule, and what it asks of the rule's events.
type target struct {
	at            int // the correlation
	place         uint8
	group, fields []string // by the names that they have for the rule
}

// subject is a rule that correlations are about.
type subject struct {
	name    subjectName
	targets []target
	fields  []string // all that are asked for, through other correlations as well
}

type subjectName struct{ id, name string }

// record is a hit, with what correlations may ask of it and no more.
type record struct {
	time   int64
	index  uint64
	seq    uint64 // of its coming
	from   *subject
	values []byte // of each of the fields: how many there are, and of each its length and its text in the form of sigma.Fold
	// of a correlation alone
	by     *live
	group  []string
	events []uint64
}

// recordWeight is what a record weighs besides its values, in bytes.
const recordWeight = 144

// targets are the correlations after one (-1: all) that are about a rule.
func (e *Engine) targets(m *sigma.Meta, after int) (out []target) {
	for _, i := range slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(e.refs[m.ID]), e.refs[m.Name]...)))) {
		c := e.live[i]
		place := c.Place(m)
		if i <= after || place < 0 {
			continue
		}
		t := target{at: i, place: uint8(place)}
		for _, name := range c.GroupBy {
			t.group = append(t.group, c.Field(m, name))
		}
		for _, name := range c.Fields {
			t.fields = append(t.fields, c.Field(m, name))
		}
		out = append(out, t)
	}
	return out
}

// asks are the fields that are asked of the events of hits with these targets.
func (e *Engine) asks(targets []target) (fields []string) {
	for _, t := range targets {
		fields = slices.Concat(fields, t.group, t.fields, e.live[t.at].asks)
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// subject is what is known of a rule; nil: no correlation is about it.
func (e *Engine) subject(m *sigma.Meta) *subject {
	if len(e.refs[m.ID]) == 0 && len(e.refs[m.Name]) == 0 {
		return nil
	}
	name := subjectName{m.ID, m.Name}
	s, known := e.subjects[name]
	if !known {
		s = &subject{name: name, targets: e.targets(m, -1)}
		s.fields = e.asks(s.targets)
		e.subjects[name] = s
	}
	if len(s.targets) == 0 {
		return nil
	}
	return s
}

// record takes what matters of a hit. ok is false when its time is unknown, or beyond what 64 bits hold as nanoseconds.
func (e *Engine) record(h *sigma.Hit, from *subject) (r *record, ok bool) {
	if h.Time.Before(earliest) || h.Time.After(latest) {
		return nil, false
	}
	e.text = e.text[:0]
	for i := range from.fields {
		names := from.fields[i : i+1]
		if h.Names != nil {
			names = h.Names(names[0])
		}
		n, at := 0, len(e.text)
		e.text = append(e.text, 0) // how many, mostly below 128
		for _, name := range names {
			for _, v := range h.Event.Values(name) {
				if v.Kind == sigma.KindNull {
					continue
				}
				n++
				e.fold = sigma.Fold(e.fold[:0], v.Text)
				e.text = binary.AppendUvarint(e.text, uint64(len(e.fold)))
				e.text = append(e.text, e.fold...)
			}
		}
		if e.text[at] = byte(n); n > 127 {
			e.text = slices.Replace(e.text, at, at+1, binary.AppendUvarint(nil, uint64(n))...)
		}
	}
	return &record{time: h.Time.UnixNano(), index: h.Index &^ unit, from: from, values: slices.Clone(e.text)}, true
}

var earliest, latest = time.Unix(0, -1<<63+1), time.Unix(0, 1<<63-1)

// texts calls f with each value of a field, in the form of sigma.Fold.
func (r *record) texts(name string, f func(text []byte)) {
	if r.by != nil {
		if i := slices.Index(r.by.GroupBy, name); i >= 0 {
			f([]byte(r.group[i]))
			return
		}
	}
	rest := r.values
	for _, field := range r.from.fields {
		n, size := binary.Uvarint(rest)
		rest = rest[size:]
		for ; n > 0; n-- {
			length, size := binary.Uvarint(rest)
			if rest = rest[size:]; field == name {
				f(rest[:length])
			}
			rest = rest[length:]
		}
		if field == name {
			return
		}
	}
}

// join appends the values of fields as one text, as sigma.Correlate joins them; ok is false when one has none.
func (r *record) join(to []byte, fields []string) (text []byte, ok bool) {
	for i, name := range fields {
		if i > 0 {
			to = append(to, 0)
		}
		n := 0
		r.texts(name, func(text []byte) {
			if n++; n > 1 {
				to = append(to, 1)
			}
			to = append(to, text...)
		})
		if n == 0 {
			return to, false
		}
	}
	return to, true
}

// groupTexts are the values of a group, each by itself.
func (r *record) groupTexts(fields []string) (out []string) {
	for i := range fields {
		text, _ := r.join(nil, fields[i:i+1])
		out = append(out, string(text))
	}
	return out
}
