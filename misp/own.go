package misp

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"entente/stix"
)

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
	held := make(map[string]int, len(kept))
	for i := range kept {
		held[heldID(&kept[i])] = i
	}
	refs := b.listed(report, held)
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

// listed is what a report of ours refers to, the elements that name it as their event, and the objects that it holds.
func (b *back) listed(report *stix.Object, held map[string]int) []string {
	refs := refsOf(report, "object_refs")
	missing := 0
	known := make(map[string]bool, len(refs))
	for _, ref := range refs {
		known[ref] = true
		if b.byID[ref] == nil {
			missing++
		}
	}
	_, event, _ := strings.Cut(report.ID(), "--")
	for _, id := range b.members[event] {
		if !known[id] {
			refs = append(refs, id)
		}
	}
	for id := range held {
		if b.byID[id] != nil && !known[id] {
			refs = append(refs, id)
		}
	}
	if len(refs) > len(known) { // those that it does not list have no place in the list
		at := make(map[string]int, len(b.order))
		for i, o := range b.order {
			at[o.ID()] = i
		}
		slices.SortStableFunc(refs, func(x, y string) int { return at[x] - at[y] })
	}
	if missing > 0 {
		b.lose(LossRef, report.ID()+"#/object_refs", "%d of the objects that it refers to are not there: the event lacks what they carry", missing)
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
