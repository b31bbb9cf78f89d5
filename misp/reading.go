package misp

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json"

	"entente/stix"
)

// Reading gives the elements of one event back one object at a time, however many there are. It is for one goroutine.
type Reading struct {
	head *Event
	c    converter
}

// Element is what one object gives back: at most one of each.
type Element struct {
	Attributes []Attribute
	Objects    []Object
	Reports    []EventReport
}

// OpenEvent begins with the report or grouping that ToSTIX made of an event; ok is false for any other. Objects of others that MISP objects of the
// event hold are not among its elements: the event itself has them.
func OpenEvent(o *stix.Object) (r *Reading, ok bool) {
	kind, carried := ours(o)
	if kind != kindEvent || carried == nil {
		return nil, false
	}
	e := new(Event)
	if json.Unmarshal(carried, e, lenient) != nil {
		return nil, false
	}
	_, e.UUID, _ = strings.Cut(o.ID(), "--")
	if name := o.Name(); name != "" && name != clipTo(e.Info, maxText) && e.Info != "" {
		e.Info = name // changed since
	}
	e.Timestamp = unixText(o.Version())
	e.Published = FlagOf(o.Type() == "report")
	r = &Reading{head: e, c: converter{e: e, used: map[string]bool{}, byUUID: map[string]string{}, scos: map[string]int{}, markings: map[string]bool{}}}
	r.c.begin()
	return r, true
}

// Event is the event without its elements. Its objects are those that hold STIX objects of others; HeldID tells which.
func (r *Reading) Event() *Event { return r.head }

// HeldID is the id of the STIX object that a MISP object holds; empty where it holds none.
func HeldID(o *Object) string { return heldID(o) }

// Element is what an object of the event was in MISP. Where the object was changed since, it is converted as any other. What another object
// says already gives nothing.
func (r *Reading) Element(o *stix.Object) Element {
	kind, text := ours(o)
	if !isElement(kind) || text == nil {
		return Element{}
	}
	t := read(o, kind, text)
	if t.changed || !r.says(&t) {
		var e Event
		newBack([]*stix.Object{o}).object(&e, o)
		return Element{e.Attributes, e.Objects, e.Reports}
	}
	switch {
	case t.attribute != nil:
		return Element{Attributes: []Attribute{*t.attribute}}
	case t.object != nil:
		return Element{Objects: []Object{*t.object}}
	}
	return Element{Reports: []EventReport{*t.report}}
}

func isElement(kind string) bool {
	return kind == kindAttribute || kind == kindObject || kind == kindReport
}

// says tells whether the object is what its element gives.
func (r *Reading) says(t *element) bool {
	c := &r.c
	delete(c.used, t.o.ID())
	clear(c.scos)
	clear(c.byUUID)
	c.items, c.refs, c.losses = c.items[:0], c.refs[:0], c.losses[:0]
	switch {
	case t.attribute != nil:
		c.attribute(t.attribute, 0)
	case t.object != nil:
		c.object(t.object, 0)
	case t.report != nil:
		c.report(t.report, 0)
	}
	for i := range c.items {
		if c.items[i].ID == t.o.ID() {
			return bytes.Equal(c.items[i].Raw, t.o.Raw()) || sameSubstance(t.o, parsed(c.items[i].Raw))
		}
	}
	return t.o.Revoked() || strings.HasPrefix(t.o.ID(), "x-misp-") // an id that was derived from a place in the event
}
