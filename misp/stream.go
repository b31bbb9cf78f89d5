package misp

import (
	"entente/label"
	"entente/stix"
)

// Stream is ToSTIX for an event that is too large to be held whole: its elements are given one at a time, and what they become is taken
// in between. It keeps the ids of everything, and the observables, which later elements may mark more strictly.
type Stream struct {
	c          *converter
	attributes int
	objects    []Object // of a Stream, only what their references need
	kept       int      // of the converter's items, the observables that came before the last Take
}

// NewStream begins with everything of the event but its attributes and objects.
func NewStream(head *Event, o Options) *Stream {
	c := &converter{e: head, o: o, used: map[string]bool{}, byUUID: map[string]string{}, scos: map[string]int{}, markings: map[string]bool{}}
	c.begin()
	return &Stream{c: c}
}

// Attribute adds the next attribute that stands in no object. It is not kept.
func (s *Stream) Attribute(a *Attribute) {
	s.c.attribute(a, s.attributes)
	s.attributes++
}

// Object adds the next object. Objects come after all attributes where the bytes are to be those of ToSTIX.
func (s *Stream) Object(o *Object) {
	s.c.object(o, len(s.objects))
	s.objects = append(s.objects, Object{UUID: o.UUID, References: o.References})
}

// Take hands over what has been made so far and will not change any more.
func (s *Stream) Take() ([]Item, []Loss) {
	c := s.c
	var out []Item
	kept := c.items[:s.kept] // observables, which stay until the end
	for _, it := range c.items[s.kept:] {
		if _, ok := c.scos[it.ID]; ok {
			c.scos[it.ID] = len(kept)
			kept = append(kept, it)
			continue
		}
		out = append(out, it)
	}
	s.refer(out)
	clear(c.items[len(kept):])
	losses := c.losses
	c.items, c.losses, s.kept = kept, nil, len(kept)
	return out, losses
}

// refer settles which of the items that go may be named by the report, and where those that stay are now.
func (s *Stream) refer(gone []Item) {
	c := s.c
	open := make(map[string]bool, len(gone))
	for i := range gone {
		open[gone[i].ID] = label.LessEqual(gone[i].Label, c.outer.label)
	}
	refs, sure := c.refs[:0], make(map[string]bool)
	for _, r := range c.refs {
		if at, stays := c.scos[r.id]; stays {
			r.at = at
		} else if r.at >= 0 {
			if !open[r.id] {
				continue
			}
			r.at = -1
		}
		if refs = append(refs, r); r.at < 0 {
			if sure[r.id] = true; len(sure) == maxRefs {
				break // nothing after it is named
			}
		}
	}
	c.refs = refs
}

// Finish hands over the rest; its last item is the report or grouping.
func (s *Stream) Finish() ([]Item, []Loss) {
	s.end()
	return s.c.items, s.c.losses
}

func (s *Stream) end() {
	c, e := s.c, s.c.e
	for i := range e.Reports {
		c.report(&e.Reports[i], i)
	}
	c.galaxies(e.Galaxies, c.outer, "")
	for i := range s.objects {
		c.references(&s.objects[i], i)
	}
	c.finish()
}

// SightingsToSTIX converts sightings that came without their event: of is the id of the object that was seen, l its label.
func SightingsToSTIX(of string, sightings []Sighting, l label.Label) []Item {
	c := &converter{e: &Event{}, used: map[string]bool{}, markings: map[string]bool{}}
	c.sightings(&Attribute{Sightings: sightings}, of, of, level{l, true})
	return c.items
}

// Kind says what element of MISP an object that ToSTIX made stands for: "event", "attribute", "object", "event-report", "derived"
// for what another object says too; empty: ToSTIX did not make it.
func Kind(o *stix.Object) string {
	kind, _ := ours(o)
	return kind
}
