package misp

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
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
	order  []*stix.Object // one for each id, the latest version
	byID   map[string]*stix.Object
	done   map[string]bool
	whole  map[string]bool // known to come back as it is
	events []*Event
	losses []Loss
}

func newBack(objects []*stix.Object) *back {
	b := &back{byID: make(map[string]*stix.Object, len(objects)), done: make(map[string]bool, len(objects)), whole: make(map[string]bool)}
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
	return b
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

// own takes a report that ToSTIX made back, with the elements that it refers to.
func (b *back) own(report *stix.Object, carried []byte) {
	e := new(Event)
	if json.Unmarshal(carried, e, lenient) != nil {
		b.lose(LossChanged, report.ID()+"#/extensions", "the MISP event that it carries cannot be read: it is converted as any other")
		return
	}
	e.Attributes, e.Reports = nil, nil
	kept := e.Objects
	e.Objects = nil
	b.done[report.ID()] = true
	refs := b.listed(report)
	held := make(map[string]int, len(kept))
	for i := range kept {
		held[heldID(&kept[i])] = i
	}
	var taken []element
	var how Options // how it was converted
	for _, ref := range refs {
		o := b.byID[ref]
		if o == nil || b.done[ref] {
			continue
		}
		kind, text := ours(o)
		how.Observables = how.Observables || kind == kindDerived && o.Type() == "observed-data"
		if kind == "" || kind == kindEvent || kind == kindDerived || text == nil {
			if at, ok := held[ref]; ok {
				taken = append(taken, element{o: o, object: &kept[at], held: true})
				b.done[ref] = true
			}
			continue
		}
		b.done[ref] = true
		taken = append(taken, read(o, kind, text))
	}
	made := fill(e, taken, how)
	changed := 0
	for i := range taken {
		if t := &taken[i]; !t.held && !t.says(made[t.o.ID()]) {
			t.changed = true
			changed++
		}
	}
	if changed > 0 {
		made = fill(e, taken, how)
	}
	if raw := made[report.ID()]; !bytes.Equal(raw, report.Raw()) && !sameSubstance(report, parsed(raw)) {
		b.renamed(report, e)
	}
	b.settle(refs, made)
	for i := range taken {
		if o := taken[i].o; taken[i].changed {
			b.lose(LossChanged, o.ID()+"#", "it was changed since it was made of a MISP element: it is converted as any other")
			b.object(e, o)
		}
	}
	b.events = append(b.events, e)
}

// renamed takes the name and markings of a report of ours that was changed.
func (b *back) renamed(report *stix.Object, e *Event) {
	b.lose(LossChanged, report.ID()+"#", "it was changed since it was made of a MISP event: its name and markings are taken as they are now")
	if name := report.Name(); name != "" {
		e.Info = name
	}
	for _, tag := range b.tags(report) {
		if !slices.ContainsFunc(e.Tags, func(t Tag) bool { return strings.EqualFold(t.Name, tag.Name) }) && !strings.HasPrefix(tag.Name, "misp:") {
			e.Tags = append(e.Tags, tag)
		}
	}
}

// element is what one object of ours carries; nothing where that cannot be read.
type element struct {
	o         *stix.Object
	attribute *Attribute
	object    *Object
	report    *EventReport
	held      bool // the object is another's, which a MISP object holds
	changed   bool // the object says something else than what it carries
}

func read(o *stix.Object, kind string, text []byte) element {
	t := element{o: o}
	var into any
	switch kind {
	case kindAttribute:
		t.attribute = new(Attribute)
		into = t.attribute
	case kindObject:
		t.object = new(Object)
		into = t.object
	case kindReport:
		t.report = new(EventReport)
		into = t.report
	}
	if into == nil || json.Unmarshal(text, into, lenient) != nil {
		return element{o: o, changed: true}
	}
	return t
}

// fill places the elements that stand as they were into the event, and gives what the event becomes in STIX, by id.
func fill(e *Event, taken []element, how Options) map[string][]byte {
	e.Attributes, e.Objects, e.Reports = nil, nil, nil
	for i := range taken {
		switch t := &taken[i]; {
		case t.changed:
		case t.attribute != nil:
			e.Attributes = append(e.Attributes, *t.attribute)
		case t.object != nil:
			e.Objects = append(e.Objects, *t.object)
		case t.report != nil:
			e.Reports = append(e.Reports, *t.report)
		}
	}
	return raws(e, how)
}

func raws(e *Event, o Options) map[string][]byte {
	items, _ := ToSTIX(e, o)
	made := make(map[string][]byte, len(items))
	for i := range items {
		made[items[i].ID] = items[i].Raw
	}
	return made
}

// says tells whether the object says what its element gives.
func (t *element) says(made []byte) bool {
	if t.changed {
		return false
	}
	return bytes.Equal(made, t.o.Raw()) || sameSubstance(t.o, parsed(made))
}

func sameDigest(raw []byte, o *stix.Object) bool {
	again := parsed(raw)
	return again != nil && again.Digest() == o.Digest()
}

func parsed(raw []byte) *stix.Object {
	o, err := stix.Parse(raw)
	if err != nil {
		return nil
	}
	return o
}

// substantial is the properties by which a change by others shows.
var substantial = []string{"/name", "/description", "/pattern", "/pattern_type", "/content", "/abstract", "/value", "/revoked", "/valid_until", "/country", "/confidence",
	"/object_marking_refs"}

func sameSubstance(a, b *stix.Object) bool {
	if a == nil || b == nil || a.Type() != b.Type() {
		return false
	}
	places := substantial
	if a.Type() == "observed-data" {
		places = append(slices.Clone(places), "/object_refs") // the values are in the ids
	}
	for _, p := range places {
		x, _ := a.Property(p)
		y, _ := b.Property(p)
		if (x == nil) != (y == nil) || !sameValue(x, y) {
			return false
		}
	}
	return true
}

// settle marks as done what stands around an event that came back: its derived objects, observables, definitions, markings and clusters.
func (b *back) settle(refs []string, made map[string][]byte) {
	for id, raw := range made {
		o := b.byID[id]
		if o == nil || b.whole[id] {
			continue
		}
		if bytes.Equal(raw, o.Raw()) || sameDigest(raw, o) {
			b.done[id], b.whole[id] = true, true
		}
	}
	for _, ref := range refs {
		if o := b.byID[ref]; o != nil {
			if kind, _ := ours(o); kind == kindDerived {
				b.done[ref] = true
			}
		}
	}
}

// listed is what a report of ours refers to, through the groupings that list the parts of a large event.
func (b *back) listed(report *stix.Object) []string {
	var refs []string
	for _, ref := range refsOf(report, "object_refs") {
		part := b.byID[ref]
		if part == nil {
			continue
		}
		if kind, _ := ours(part); kind != kindPart {
			refs = append(refs, ref)
			continue
		}
		b.done[ref] = true
		refs = append(refs, refsOf(part, "object_refs")...)
	}
	return refs
}

func heldID(o *Object) string {
	if o.Name != stixObject {
		return ""
	}
	held, err := stix.Parse([]byte(o.first("raw")))
	if err != nil {
		return ""
	}
	return held.ID()
}

// refsOf is the ids in a list of references.
func refsOf(o *stix.Object, property string) []string {
	raw, ok := o.Property("/" + property)
	if !ok {
		return nil
	}
	var ids []string
	if json.Unmarshal(raw, &ids) != nil {
		return nil
	}
	return ids
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
		if !b.done[o.ID()] && !isDefinition(o.ID()) {
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
