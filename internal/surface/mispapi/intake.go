package mispapi

import (
	"encoding/json"
	"slices"
	"strconv"

	"entente/internal/fault"
	"entente/internal/store"
	"entente/misp"
	"entente/stix"
)

// source gives the elements of an event, and then its head without them, whenever it is asked.
type source func(misp.Handler) error

// elementsOf is the source of an event that is in memory. What is added to its elements on the way stays with them.
func elementsOf(e *misp.Event) source {
	return func(h misp.Handler) error {
		for i := range e.Attributes {
			if h.Attribute != nil {
				if err := h.Attribute(&e.Attributes[i]); err != nil {
					return err
				}
			}
		}
		for i := range e.Objects {
			if h.Object != nil {
				if err := h.Object(&e.Objects[i]); err != nil {
					return err
				}
			}
		}
		if h.Event == nil {
			return nil
		}
		head := *e
		head.Attributes, head.Objects = nil, nil
		return h.Event(&head)
	}
}

// intake is an event on its way in. Its elements are read anew each time they are looked at, so that memory does not grow with them.
type intake struct {
	o     *orgs
	head  *misp.Event // without attributes and objects
	from  source
	mixed bool           // an attribute comes after an object
	sync  bool           // it comes from another instance
	alike map[string]int // how many elements without a uuid there were with what a derived one is made of

	reach, ruled, unsound error // what is wrong with its elements: of each kind the first
}

// intake looks at all of an event, without judging yet.
func (s *Surface) intake(o *orgs, from source) (*intake, error) {
	in := &intake{o: o, from: from}
	first := func(to *error, err error) {
		if *to == nil {
			*to = err
		}
	}
	rules := s.cfg.Rules
	ruled := !rules.empty()
	apart, objects := 0, false // elements outside of an event
	err := from(misp.Handler{
		Attribute: func(a *misp.Attribute) error {
			apart++
			in.mixed = in.mixed || objects
			first(&in.reach, s.attributeReach(o, a))
			if ruled {
				first(&in.ruled, rules.attribute(a))
			}
			first(&in.unsound, sound(a))
			return nil
		},
		Object: func(ob *misp.Object) error {
			apart++
			objects = true
			first(&in.reach, s.objectReach(o, ob))
			if ruled {
				first(&in.ruled, rules.object(ob))
			}
			for i := range ob.Attributes {
				first(&in.unsound, sound(&ob.Attributes[i]))
			}
			return nil
		},
		Event: func(e *misp.Event) error { in.head, apart = e, 0; return nil },
	})
	if err != nil {
		return nil, err
	}
	if in.head != nil && apart > 0 {
		return nil, fault.New(fault.Invalid, "misp.event", "one event at a time is taken, and there are 2")
	}
	if in.head == nil {
		in.head = &misp.Event{}
	}
	return in, nil
}

// reach checks a distribution, and finds the sharing group that is named by number.
func (s *Surface) reach(o *orgs, where string, d *string, g **misp.SharingGroup, id *string, inherit bool) error {
	switch *d {
	case "0", "1", "2", "3", "":
	case misp.DistributionInherit:
		if !inherit {
			return fault.New(fault.Invalid, "misp.distribution", "an event has nothing to inherit its distribution from").At(where)
		}
	case misp.DistributionGroup:
		if *g == nil && *id != "" && *id != "0" {
			*g = s.groupOf(o, *id)
		}
		if *g == nil {
			return fault.New(fault.Invalid, "misp.sharing_group", "distribution 4 names a sharing group, and this one is not known here").At(where)
		}
	default:
		return fault.New(fault.Invalid, "misp.distribution", "%q is no distribution", clip(*d)).At(where)
	}
	*id = ""
	return nil
}

func (s *Surface) attributeReach(o *orgs, a *misp.Attribute) error {
	return s.reach(o, "Attribute/distribution", &a.Distribution, &a.SharingGroup, &a.SharingGroupID, true)
}

func (s *Surface) objectReach(o *orgs, ob *misp.Object) error {
	if err := s.reach(o, "Object/distribution", &ob.Distribution, &ob.SharingGroup, &ob.SharingGroupID, true); err != nil {
		return err
	}
	for i := range ob.Attributes {
		if err := s.attributeReach(o, &ob.Attributes[i]); err != nil {
			return err
		}
	}
	return nil
}

func sound(a *misp.Attribute) error {
	if a.Type == "" || a.Value == "" {
		return fault.New(fault.Invalid, "misp.attribute", "an attribute needs a type and a value").At("Attribute")
	}
	return nil
}

// check refuses an event for the distributions, rules and elements of it, before anything of it is stored, and completes its reports.
func (s *Surface) check(in *intake) error {
	e := in.head
	if err := s.reach(in.o, "Event/distribution", &e.Distribution, &e.SharingGroup, &e.SharingGroupID, false); err != nil {
		return err
	}
	if in.reach != nil {
		return in.reach
	}
	for i := range e.Reports {
		r := &e.Reports[i]
		if err := s.reach(in.o, "EventReport/distribution", &r.Distribution, &r.SharingGroup, &r.SharingGroupID, true); err != nil {
			return err
		}
	}
	if rules := s.cfg.Rules; !rules.empty() {
		if err := rules.head(e); err != nil {
			return err
		}
		if in.ruled != nil {
			return in.ruled
		}
		for i := range e.Reports {
			if err := rules.report(&e.Reports[i]); err != nil {
				return err
			}
		}
	}
	for i := range e.Reports {
		r := &e.Reports[i]
		in.fresh(&r.UUID, &r.Timestamp, "report", r.Name, r.Content)
		r.ID, r.EventID = "", ""
	}
	return in.unsound
}

// fresh gives an element what it needs to be told apart: a time, and a uuid. The uuid is of version 5, made of that of the event and of what MISP
// itself tells elements apart by, so that the same element handed in again, after a push that was cut off, is the same here. of begins with the kind
// of the element. The second of two that are alike in one event is told apart by its number.
func (in *intake) fresh(id, stamp *string, of ...string) {
	if *id == "" {
		u := misp.Derived(append([]string{in.head.UUID}, of...)...)
		n := in.alike[u]
		if in.alike == nil {
			in.alike = map[string]int{}
		}
		if in.alike[u]++; n > 0 {
			u = misp.Derived(u, strconv.Itoa(n))
		}
		*id = u
	}
	if *stamp == "" {
		*stamp = in.head.Timestamp
	}
}

func (in *intake) down(distribution *string) {
	if in.sync {
		*distribution = misp.Downgraded(*distribution)
	}
}

// attribute adds what the sender of an attribute left to this instance. Numbers of another instance mean nothing here. object is the uuid of what it
// stands in; empty: it stands in no object.
func (in *intake) attribute(a *misp.Attribute, object string) {
	if a.Category == "" || a.ToIDs == misp.Unset {
		t, _ := misp.TypeByName(a.Type)
		if a.Category == "" {
			a.Category = t.Category
		}
		if a.ToIDs == misp.Unset {
			a.ToIDs = misp.FlagOf(t.ToIDs)
		}
	}
	in.fresh(&a.UUID, &a.Timestamp, "attribute", object, a.ObjectRelation, a.Category, a.Type, a.Value)
	a.ID, a.EventID, a.ObjectID = "", "", ""
	in.down(&a.Distribution)
}

func (in *intake) object(o *misp.Object) {
	of := []string{"object", o.TemplateUUID, o.Name}
	for i := range o.Attributes {
		of = append(of, o.Attributes[i].ObjectRelation, o.Attributes[i].Type, o.Attributes[i].Value)
	}
	in.fresh(&o.UUID, &o.Timestamp, of...)
	o.ID, o.EventID = "", ""
	for i := range o.References {
		r := &o.References[i]
		in.fresh(&r.UUID, &r.Timestamp, "reference", o.UUID, r.ReferencedUUID, r.RelationshipType)
		r.ID, r.ObjectID, r.ObjectUUID = "", "", o.UUID
	}
	for i := range o.Attributes {
		in.attribute(&o.Attributes[i], o.UUID)
	}
	in.down(&o.Distribution)
}

// part is an element of an event that is converted, with the STIX types that it may have been before.
type part struct {
	uuid  string
	types []string
}

// batchBytes of values are converted before they are handed over, if there are not batchObjects before.
const batchBytes = 8 << 20

// convert makes STIX of an event and hands it over in batches, with the parts that each is of; the report or grouping of it comes back.
func (s *Surface) convert(c *call, in *intake, each func([]misp.Item, []part) error) (misp.Item, error) {
	in.alike = nil
	st := misp.NewStream(in.head, misp.Options{Policy: s.policy(in.o, c.v, in.sync)})
	var parts []part
	n, size := 0, 0
	step := func(attributes []misp.Attribute) error {
		for i := range attributes {
			size += len(attributes[i].Value) + len(attributes[i].Data)
		}
		if n += max(1, len(attributes)); n < batchObjects && size < batchBytes {
			return nil
		}
		n, size = 0, 0
		items, _ := st.Take()
		err := each(items, parts)
		parts = parts[:0]
		return err
	}
	one := make([]misp.Attribute, 1)
	both := misp.Handler{
		Attribute: func(a *misp.Attribute) error {
			if err := s.attributeReach(in.o, a); err != nil {
				return err
			}
			in.attribute(a, "")
			parts = append(parts, part{a.UUID, elementTypes[:5]})
			st.Attribute(a)
			one[0] = *a
			return step(one)
		},
		Object: func(o *misp.Object) error {
			if err := s.objectReach(in.o, o); err != nil {
				return err
			}
			in.object(o)
			parts = append(parts, part{o.UUID, elementTypes})
			st.Object(o)
			return step(o.Attributes)
		},
	}
	passes := []misp.Handler{both}
	if in.mixed { // the conversion has all attributes first
		passes = []misp.Handler{{Attribute: both.Attribute}, {Object: both.Object}}
	}
	for _, h := range passes {
		if err := in.from(h); err != nil {
			return misp.Item{}, err
		}
	}
	for i := range in.head.Reports {
		parts = append(parts, part{in.head.Reports[i].UUID, []string{"note"}})
	}
	items, _ := st.Finish()
	last := len(items) - 1
	return items[last], each(items[:last:last], parts)
}

// heldBytes of STIX are kept between looking at an event and storing it; a larger one is converted anew.
const heldBytes = 16 << 20

// put converts an event and hands it in, its elements first: without its head an event is not there. Nothing is stored of one that has conflicts.
func (s *Surface) put(c *call, in *intake, old *store.Item) (taken, error) {
	var t taken
	var held []misp.Item
	var gone []string
	whole, size := true, 0
	head, err := s.convert(c, in, func(items []misp.Item, parts []part) error {
		others, err := s.conflicts(c, in.head.UUID, items, parts)
		if err != nil {
			return err
		}
		gone = append(gone, others...)
		for i := range items {
			size += len(items[i].Raw)
		}
		if whole = whole && size <= heldBytes; whole {
			held = append(held, items...)
		} else {
			held = nil
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	var earlier *stix.Object
	made := map[string]bool{} // of what the earlier version names
	if old != nil {
		if earlier, err = stix.Parse(old.Record.Body); err == nil {
			for _, id := range refsOf(earlier) {
				made[id] = false
			}
		}
	}
	accept := func(items []misp.Item, _ []part) error {
		for i := range items {
			if _, named := made[items[i].ID]; named {
				made[items[i].ID] = true
			}
		}
		u, err := s.submit(c.r.Context(), c.v, items)
		t.join(&u)
		return err
	}
	if whole {
		err = accept(held, nil)
	} else {
		head, err = s.convert(c, in, accept)
	}
	if err != nil {
		return t, err
	}
	at, _ := misp.Time(in.head.Timestamp)
	for chunk := range slices.Chunk(gone, batchObjects) {
		var last []misp.Item
		err := pages(c.r.Context(), s.x, c.v, store.Query{IDs: chunk}, func(it *store.Item) (bool, error) {
			o, err := stix.Parse(it.Record.Body)
			if err != nil {
				return true, nil
			}
			raw, err := misp.Withdrawn(o, at)
			last = append(last, misp.Item{ID: it.Record.ID, Raw: raw, Label: it.Record.Label, Stated: true})
			return err == nil, err
		})
		if err != nil {
			return t, err
		}
		if err := accept(last, nil); err != nil {
			return t, err
		}
	}
	if earlier != nil {
		if head.Raw, err = misp.KeepRefs(head.Raw, earlier, made); err != nil {
			return t, err
		}
	}
	last, err := s.submit(c.r.Context(), c.v, []misp.Item{head})
	t.stored += last.stored
	t.refused = append(last.refused, t.refused...)
	return t, err
}

// refsOf is what a report or grouping names.
func refsOf(o *stix.Object) []string {
	raw, _ := o.Property("/object_refs")
	var ids []string
	if json.Unmarshal(raw, &ids) != nil {
		return nil
	}
	return ids
}
