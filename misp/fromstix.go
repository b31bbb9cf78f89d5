package misp

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"entente/label"
	"entente/stix"
)

// FromSTIX converts STIX 2.1 objects to events: one for each report and grouping, with what it refers to, and one for whatever no report
// names. Objects that ToSTIX made come back as the MISP elements they were, unless they were changed since: then the change is converted and
// named. The losses are found by converting back: each property that does not return is named by the object's id and the pointer into it.
// The error, an *Error, tells of objects that cannot be converted at all.
func FromSTIX(objects []*stix.Object) ([]*Event, []Loss, error) {
	if len(objects) == 0 {
		return nil, nil, &Error{Code: CodeEmpty, Offset: -1, Rule: "STIX 2.1", Message: "there is no object to convert"}
	}
	b := newBack(objects)
	for _, o := range b.order {
		if kind, carried := ours(o); kind == kindEvent && carried != nil {
			b.own(o, carried)
		}
	}
	for _, o := range b.order {
		if (o.Type() == "report" || o.Type() == "grouping") && !b.done[o.ID()] {
			b.container(o)
		}
	}
	b.rest()
	b.compare()
	return b.events, b.losses, nil
}

type back struct {
	order   []*stix.Object // one for each id, the latest version
	byID    map[string]*stix.Object
	done    map[string]bool
	whole   map[string]bool     // known to come back as it is
	members map[string][]string // ids of the elements that name an event, by its uuid
	events  []*Event
	losses  []Loss
}

func newBack(objects []*stix.Object) *back {
	b := &back{byID: make(map[string]*stix.Object, len(objects)), done: make(map[string]bool, len(objects)), whole: make(map[string]bool), members: map[string][]string{}}
	at := make(map[string]int, len(objects))
	for _, o := range objects {
		i, again := at[o.ID()]
		if !again {
			at[o.ID()] = len(b.order)
			b.order = append(b.order, o)
			b.byID[o.ID()] = o
			continue
		}
		older := b.order[i]
		if o.Order() > older.Order() {
			b.order[i], b.byID[o.ID()] = o, o
		} else {
			o = older
		}
		if o.Digest() != older.Digest() {
			b.lose(LossObject, o.ID()+"#", "there are several versions of it: the latest is converted")
		}
	}
	for _, o := range b.order {
		if kind, _ := ours(o); isElement(kind) || kind == kindDerived {
			if event := EventOf(o); event != "" {
				b.members[event] = append(b.members[event], o.ID())
			}
		}
	}
	return b
}

// EventOf is the uuid of the event that an element made by ToSTIX is part of; empty where it names none.
func EventOf(o *stix.Object) string {
	for _, x := range o.Externals() {
		if event, ok := strings.CutPrefix(x, EventSource+":"); ok {
			return event
		}
	}
	return ""
}

func (b *back) lose(code, pointer, format string, args ...any) {
	b.losses = append(b.losses, Loss{Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...)})
}

// ours is what our own extension says of an object.
func ours(o *stix.Object) (kind string, carried []byte) {
	kind = o.Text("/extensions/" + extensionID + "/kind")
	if kind == "" {
		return "", nil
	}
	if _, has := o.Property("/extensions/" + extensionID + "/text"); has {
		carried = []byte(o.Text("/extensions/" + extensionID + "/text"))
	}
	return kind, carried
}

// container converts a report or grouping of others.
func (b *back) container(o *stix.Object) {
	e := b.event(o)
	b.done[o.ID()] = true
	b.events = append(b.events, e)
	for _, ref := range refsOf(o, "object_refs") {
		if member := b.byID[ref]; member != nil && !b.done[ref] && !isDefinition(ref) {
			b.object(e, member)
		}
	}
}

// event begins the event of a report or grouping.
func (b *back) event(o *stix.Object) *Event {
	_, id, _ := strings.Cut(o.ID(), "--")
	e := &Event{UUID: id, Info: cmp.Or(o.Name(), o.Text("/description"), o.ID()), Distribution: DistributionOrganisation, ThreatLevel: "4", Analysis: "2",
		Published: FlagOf(o.Type() == "report"), Date: day(o.Created()), Timestamp: unixText(o.Version())}
	if p := o.Text("/published"); p != "" {
		e.PublishTimestamp = unixText(p)
	}
	if who := b.byID[o.CreatedBy()]; who != nil && who.Name() != "" {
		_, org, _ := strings.Cut(who.ID(), "--")
		e.Orgc = &Org{UUID: org, Name: who.Name()}
	}
	e.Tags = b.tags(o)
	return e
}

// rest makes one event of everything that no report names.
func (b *back) rest() {
	var left []*stix.Object
	for _, o := range b.order {
		if kind, _ := ours(o); !b.done[o.ID()] && !isDefinition(o.ID()) && kind != kindDerived {
			left = append(left, o)
		}
	}
	if len(left) == 0 {
		return
	}
	// the event has the latest time of its objects and an id that names them all
	var last string
	parts := []string{"rest"}
	for _, o := range left {
		last = max(last, o.Order())
		parts = append(parts, o.ID())
	}
	e := &Event{UUID: derived(parts...), Info: fmt.Sprintf("STIX objects (%d)", len(left)), Distribution: DistributionOrganisation, ThreatLevel: "4", Analysis: "2",
		Published: False, Date: day(last + "Z"), Timestamp: cmp.Or(unixText(last+"Z"), "0")}
	if e.Date == "" {
		e.Date = "1970-01-01"
	}
	b.events = append(b.events, e)
	for _, o := range left {
		if !b.done[o.ID()] {
			b.object(e, o)
		}
	}
}

// isDefinition tells of the objects that every conversion adds by itself.
func isDefinition(id string) bool {
	if id == extensionID || id == authorID {
		return true
	}
	_, known := label.MarkingByID(id)
	return known
}

func day(timestamp string) string {
	t, ok := seenTime(timestamp)
	if !ok {
		return ""
	}
	return t.Format("2006-01-02")
}

func unixText(timestamp string) string {
	t, ok := seenTime(timestamp)
	if !ok || t.Unix() < 0 {
		return ""
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// tags is the markings and labels of an object as tags. A marking that is at hand and says TLP or PAP counts; of others nothing can be said.
func (b *back) tags(o *stix.Object) List[Tag] {
	var tags List[Tag]
	for _, ref := range o.MarkingRefs() {
		m, ok := label.MarkingByID(ref)
		if !ok && b.byID[ref] != nil {
			var err error
			m, err = label.ReadMarking(b.byID[ref].Raw())
			ok = err == nil
		}
		switch {
		case ok && m.StatesTLP:
			tags = append(tags, Tag{Name: strings.ToLower(m.Label.TLP.String())})
		case ok && m.Model == "pap":
			tags = append(tags, Tag{Name: m.Label.PAP.String()})
		case !ok:
			// what it restricts is not known: nobody may take it for less than RED
			tags = append(tags, Tag{Name: "tlp:red"})
			b.lose(LossTags, o.ID()+"#/object_marking_refs", "what the marking %s restricts is not known: the strictest tag stands for it", ref)
		}
	}
	var labels []string
	if raw, ok := o.Property("/labels"); ok && json.Unmarshal(raw, &labels) == nil {
		for _, l := range labels {
			if len(l) >= 4 && (strings.EqualFold(l[:4], "tlp:") || strings.EqualFold(l[:4], "pap:")) {
				continue // a label marks nothing
			}
			tags = append(tags, Tag{Name: l})
		}
	}
	return tags
}
