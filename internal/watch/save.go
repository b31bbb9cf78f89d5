package watch

import (
	"slices"
	"time"

	"entente/internal/event"
	"entente/internal/state"
)

// version is what a saved stream begins with.
const version = "watch 1"

// Several tells whether any pattern asks for several events; else there is nothing to save.
func (s *Stream) Several() bool {
	return slices.ContainsFunc(s.streams, func(x stream) bool { return x.of.engine.Several() })
}

// Save writes down what the stream has seen.
func (s *Stream) Save(w *state.Writer) {
	w.Text(version)
	w.Uint(uint64(len(s.streams)))
	for _, x := range s.streams {
		var one state.Writer
		texts := writtenTexts{}
		x.s.Save(&one, func(w *state.Writer, note any) {
			why, _ := note.([]met)
			texts.notes(w, why)
		})
		w.Data(one.Bytes())
	}
}

// Load takes what another stream saved into one that has not begun: what it kept for a pattern of the same source and text. After an error the stream is of no use.
func (s *Stream) Load(r *state.Reader) error {
	r.Expect(version)
	for i := range r.Count() {
		one := state.NewReader(r.Data())
		if i >= len(s.streams) {
			continue
		}
		texts := readTexts{}
		err := s.streams[i].s.Load(one, func(r *state.Reader) any { return texts.notes(r) })
		if one.End(); err == nil {
			err = one.Err()
		}
		if err != nil {
			return err
		}
	}
	return r.Err()
}

// Log writes events down for [Stream.TakeAgain].
func (s *Stream) Log(w *state.Writer, list []*Parts) {
	texts := writtenTexts{}
	n := 0
	for _, p := range list {
		if s.at(p) >= 0 {
			n++
		}
	}
	w.Uint(uint64(n))
	for _, p := range list {
		at := s.at(p)
		if at < 0 {
			continue
		}
		w.Uint(uint64(at))
		writeTime(w, p.seen.First)
		writeTime(w, p.now)
		w.Word(p.seen.Ref)
		why, _ := p.seen.Note.([]met)
		texts.notes(w, why)
	}
}

// Again says that what comes from now on came before, to the stream whose state was loaded: patterns that were not there then do not see it.
func (s *Stream) Again(on bool) {
	for _, x := range s.streams {
		x.s.Again(on)
	}
}

// TakeAgain takes what Log wrote down, as Take does. After an error some of it may be taken.
func (s *Stream) TakeAgain(r *state.Reader, f func(*Finding)) error {
	texts := readTexts{}
	for n := r.Count(); n > 0 && r.Err() == nil; n-- {
		at := r.Uint()
		p := &Parts{}
		p.seen.First, p.now, p.seen.Ref = readTime(r), readTime(r), r.Word()
		p.seen.Last, p.seen.Count, p.seen.Told = p.seen.First, 1, true
		why := texts.notes(r)
		if p.seen.Note = why; r.Err() != nil || at >= uint64(len(s.streams)) {
			continue
		}
		p.of = s.streams[at].of
		for _, m := range why {
			if cond, ok := p.of.engine.Known(m.cond); ok {
				p.seen.Met = append(p.seen.Met, cond)
			}
		}
		s.Take(p, f)
	}
	return r.Err()
}

// writeTime writes a moment; of one that is unknown, 0.
func writeTime(w *state.Writer, t time.Time) {
	if t.IsZero() {
		w.Uint(0)
		return
	}
	w.Uint(uint64(t.Nanosecond()) + 1)
	w.Int(t.Unix())
}

func readTime(r *state.Reader) time.Time {
	n := r.Uint()
	if n == 0 {
		return time.Time{}
	}
	if n > 1e9 {
		r.Fail("a moment is none")
	}
	return time.Unix(r.Int(), int64(n-1)).UTC()
}

// writtenTexts are texts that stand in what is written, by their number: each stands there once, where it is needed first.
type writtenTexts map[string]uint64

func (t writtenTexts) text(w *state.Writer, s string) {
	n, known := t[s]
	if known {
		w.Uint(n)
		return
	}
	w.Uint(uint64(len(t)))
	w.Text(s)
	t[s] = uint64(len(t))
}

// notes writes by what conditions are met.
func (t writtenTexts) notes(w *state.Writer, why []met) {
	w.Uint(uint64(len(why)))
	for _, m := range why {
		t.text(w, m.cond)
		w.Uint(uint64(len(m.fields)))
		for _, f := range m.fields {
			t.text(w, f.Name)
			if f.Value == nil {
				w.Uint(0)
				continue
			}
			w.Uint(1)
			w.Data(f.Value)
		}
	}
}

// readTexts are those that were read, in the order of their numbers.
type readTexts struct{ all []string }

func (t *readTexts) text(r *state.Reader) string {
	n := r.Uint()
	if n == uint64(len(t.all)) {
		t.all = append(t.all, r.Text())
	}
	if n >= uint64(len(t.all)) {
		r.Fail("a text is named that does not stand there")
		return ""
	}
	return t.all[n]
}

func (t *readTexts) notes(r *state.Reader) (why []met) {
	for n := r.Count(); n > 0 && r.Err() == nil; n-- {
		m := met{cond: t.text(r)}
		for k := r.Count(); k > 0 && r.Err() == nil; k-- {
			f := event.Field{Name: t.text(r)}
			if r.Uint() != 0 {
				f.Value = append([]byte{}, r.Data()...)
			}
			m.fields = append(m.fields, f)
		}
		why = append(why, m)
	}
	return why
}
