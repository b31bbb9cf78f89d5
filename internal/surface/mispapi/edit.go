package mispapi

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/misp"
	"entente/stix"
)

func (s *Surface) editRoutes() map[string]route {
	read, write := gate.Action(gate.ObjectRead), gate.Action(gate.ObjectWrite)
	return map[string]route{
		"events/delete":            {"POST DELETE", write, s.deleteEvent},
		"events/publish":           {"POST", write, func(c *call) error { return s.publish(c, true) }},
		"events/unpublish":         {"POST", write, func(c *call) error { return s.publish(c, false) }},
		"attributes/add":           {"POST", write, s.addAttributes},
		"attributes/edit":          {"POST PUT", write, s.editAttribute},
		"attributes/view":          {"GET", read, s.viewAttribute},
		"attributes/delete":        {"POST DELETE", write, s.deleteAttribute},
		"objects/add":              {"POST", write, s.addObject},
		"objects/edit":             {"POST PUT", write, s.editObject},
		"objects/view":             {"GET", read, s.viewObject},
		"objects/delete":           {"POST DELETE", write, s.deleteObject},
		"object_references/add":    {"POST", write, s.addReference},
		"event_reports/add":        {"GET POST", write, s.addReport},
		"tags/attachTagToObject":   {"POST", write, func(c *call) error { return s.tagObject(c, true) }},
		"tags/removeTagFromObject": {"POST", write, func(c *call) error { return s.tagObject(c, false) }},
	}
}

// own finds an event that the viewer's organisation may change, with what it says of itself.
func (s *Surface) ownEvent(c *call, id string) (*store.Item, *misp.Event, error) {
	it, err := s.event(c, id)
	if err != nil {
		return nil, nil, err
	}
	h := headOf(&it)
	if err := s.editable(c.v, &h); err != nil {
		return nil, nil, err
	}
	o, err := stix.Parse(it.Record.Body)
	if err != nil {
		return nil, nil, err
	}
	r, ok := misp.OpenEvent(o)
	if !ok {
		return nil, nil, refusal("misp.foreign", "The report was not made as an event of MISP.").Try("extend it by an event of your own")
	}
	e := *r.Event()
	return &it, &e, nil
}

// change hands in an event that has just the elements that change. The event itself takes a new version, unless this second has one already.
func (s *Surface) change(c *call, old *store.Item, e *misp.Event, at time.Time) (taken, error) {
	h := headOf(old)
	if h.published && !e.Published.True() && !at.After(h.at) { // of two versions that are as late, the published one counts
		at = h.at.Add(time.Second)
	}
	e.Timestamp = misp.Unix(at)
	if !at.After(h.at) {
		e.Timestamp = misp.Unix(h.at)
	}
	in, err := s.intake(s.orgs(), elementsOf(e))
	if err != nil {
		return taken{}, err
	}
	if err := s.check(in); err != nil {
		return taken{}, err
	}
	t, err := s.put(c, in, old)
	t.refused = slices.DeleteFunc(t.refused, func(x exchangeOutcome) bool { return x.ID == old.Record.ID && !at.After(h.at) })
	return t, err
}

// save is change for an edit of which the answer is only whether it was taken; what names the thing for a refusal.
func (s *Surface) save(c *call, old *store.Item, e *misp.Event, at time.Time, what string) error {
	t, err := s.change(c, old, e, at)
	if err == nil && len(t.refused) > 0 {
		return s.unsaved(what, &t)
	}
	return err
}

// moment of a change is now, or just after what it changes.
func (s *Surface) changeTime(than string) time.Time {
	now := s.cfg.Now().Truncate(time.Second)
	if t, ok := misp.Time(than); ok && !now.After(t) {
		return t.Add(time.Second)
	}
	return now
}

// deleteEvent withdraws an event and everything in it. That is final: its uuid does not come back.
func (s *Surface) deleteEvent(c *call) error {
	if err := c.readParams(); err != nil {
		return err
	}
	it, _, err := s.ownEvent(c, c.arg(0, "id", "uuid"))
	if err != nil {
		return err
	}
	h := headOf(it)
	at := later(s.cfg.Now(), it)
	var items []misp.Item
	withdraw := func(it *store.Item) (bool, error) {
		if it.Record.Revoked || it.Record.Origin.Org != c.v.Org || it.Record.Origin.Nation != c.v.Nation {
			return true, nil
		}
		o, err := stix.Parse(it.Record.Body)
		if err != nil {
			return true, nil
		}
		when := at
		if t, err := time.Parse(time.RFC3339Nano, it.Record.Version); err == nil && !at.After(t) {
			when = t.Add(time.Second)
		}
		raw, err := misp.Withdrawn(o, when)
		if err != nil {
			return false, err
		}
		items = append(items, misp.Item{ID: it.Record.ID, Raw: raw, Label: it.Record.Label, Stated: true})
		if len(items) >= batchObjects {
			if _, err := s.submit(c.r.Context(), c.v, items); err != nil {
				return false, err
			}
			items = items[:0]
		}
		return true, nil
	}
	// The head goes first: from then on the event is not there.
	if err := pages(c.r.Context(), s.x, c.v, store.Query{IDs: []string{"report--" + h.uuid, "grouping--" + h.uuid}}, withdraw); err != nil {
		return err
	}
	if _, err := s.submit(c.r.Context(), c.v, items); err != nil {
		return err
	}
	items = nil
	if err := pages(c.r.Context(), s.x, c.v, members(h.uuid), withdraw); err != nil {
		return err
	}
	if _, err := s.submit(c.r.Context(), c.v, items); err != nil {
		return err
	}
	return c.saved("Event deleted.")
}

// publish makes an event a report, which others pull, or a grouping again.
func (s *Surface) publish(c *call, yes bool) error {
	it, e, err := s.ownEvent(c, c.arg(0, "id", "uuid"))
	if err != nil {
		return err
	}
	h := headOf(it)
	if h.published != yes {
		now := s.cfg.Now().Truncate(time.Second)
		e.Published, e.PublishTimestamp = misp.FlagOf(yes), misp.Unix(now)
		at := h.at
		if !yes { // of two versions that are as late, the published one counts
			at = h.at.Add(time.Second)
		}
		if now.After(at) {
			at = now
		}
		if err := s.save(c, it, e, at, "Event"); err != nil {
			return err
		}
	}
	if yes {
		return c.saved("Job queued")
	}
	return c.saved("Event unpublished.")
}

// element reads back one element of an event as the viewer has it.
func (s *Surface) element(c *call, id string, deleted bool) (*opened, *misp.Attribute, *misp.Object, error) {
	u := s.numbers.uuid(id)
	if u == "" {
		return nil, nil, nil, noSuch("no such element")
	}
	ids := make([]string, len(elementTypes))
	for i, t := range elementTypes {
		ids[i] = t + "--" + u
	}
	var a *misp.Attribute
	var ob *misp.Object
	var ev *opened
	best := ""
	o := s.orgs()
	events := map[string]*opened{}
	look := func(it *store.Item, want string) (bool, error) {
		obj, err := stix.Parse(it.Record.Body)
		if err != nil || it.Held || it.Record.Order <= best {
			return true, nil
		}
		event := misp.EventOf(obj)
		if event == "" {
			return true, nil
		}
		in := events[event]
		if in == nil {
			head, ok, err := s.find(c.r.Context(), c.v, event, false)
			if err != nil || !ok || head.Record.Revoked {
				return err == nil, err
			}
			if in, err = s.open(c.r.Context(), c.v, o, &head, elements{deleted: deleted, galaxies: true}); err != nil {
				return false, err
			}
			events[event] = in
		}
		if in.reading == nil || !in.mine(it) {
			return true, nil
		}
		el := in.reading.Element(obj)
		in.finish(&el, it.Record.Label)
		for i := range el.Attributes {
			if strings.EqualFold(el.Attributes[i].UUID, want) {
				a, ob, ev, best = &el.Attributes[i], nil, in, it.Record.Order
			}
		}
		for i := range el.Objects {
			if strings.EqualFold(el.Objects[i].UUID, want) {
				a, ob, ev, best = nil, &el.Objects[i], in, it.Record.Order
			}
			for j := range el.Objects[i].Attributes {
				if strings.EqualFold(el.Objects[i].Attributes[j].UUID, want) {
					a, ob, ev, best = &el.Objects[i].Attributes[j], &el.Objects[i], in, it.Record.Order
				}
			}
		}
		return true, nil
	}
	err := pages(c.r.Context(), s.x, c.v, store.Query{IDs: ids}, func(it *store.Item) (bool, error) { return look(it, u) })
	if err != nil {
		return nil, nil, nil, err
	}
	if ev == nil { // it may stand in an object
		q := store.Query{Lookups: []lookup{{Kind: external, Text: misp.AttributeSource + ":" + u}}}
		err = pages(c.r.Context(), s.x, c.v, q, func(it *store.Item) (bool, error) { return look(it, u) })
	}
	if err == nil && ev == nil {
		err = noSuch("no such element")
	}
	return ev, a, ob, err
}

func encoded(v any) jsontext.Value {
	b, err := misp.Encode(v)
	if err != nil {
		return jsontext.Value("null")
	}
	return b
}

func (s *Surface) viewAttribute(c *call) error {
	ev, a, _, err := s.element(c, c.arg(0, "id", "uuid"), true)
	if err != nil {
		return err
	}
	if a == nil {
		return noSuch("no such attribute")
	}
	out := *a
	var m map[string]jsontext.Value
	if err := json.Unmarshal(encoded(&out), &m); err != nil {
		return err
	}
	m["event_uuid"] = jsontext.Value(`"` + ev.h.uuid + `"`)
	return c.answer(named{"Attribute": m})
}

// rewrite stores an element anew in its event.
func (s *Surface) rewrite(c *call, ev *opened, a *misp.Attribute, ob *misp.Object, at time.Time) error {
	it, e, err := s.ownEvent(c, ev.h.uuid)
	if err != nil {
		return err
	}
	e.Published = misp.False
	if ob != nil {
		e.Objects = append(e.Objects, *ob)
	} else {
		e.Attributes = misp.List[misp.Attribute]{*a}
	}
	return s.save(c, it, e, at, "Attribute")
}

func (s *Surface) editAttribute(c *call) error {
	list, _, err := c.attributesIn()
	if err != nil {
		return err
	}
	if len(list) != 1 {
		return fault.New(fault.Invalid, "misp.empty", "one attribute at a time is changed")
	}
	ev, a, ob, err := s.attributeToEdit(c, c.arg(0, "id", "uuid"))
	if err != nil {
		return err
	}
	in := &list[0]
	if in.Timestamp != "" && in.Timestamp != a.Timestamp {
		if t, ok := misp.Time(in.Timestamp); ok {
			if old, _ := misp.Time(a.Timestamp); !t.After(old) {
				return refusal("misp.stale", "Attribute could not be saved: Attribute in the request not newer than the local copy.")
			}
		}
	}
	given := string(c.body)
	for _, f := range []struct {
		name     string
		to, from *string
	}{{"value", &a.Value, &in.Value}, {"type", &a.Type, &in.Type}, {"category", &a.Category, &in.Category}, {"comment", &a.Comment, &in.Comment}, {"first_seen", &a.FirstSeen, &in.FirstSeen},
		{"last_seen", &a.LastSeen, &in.LastSeen}, {"distribution", &a.Distribution, &in.Distribution}, {"data", &a.Data, &in.Data}} {
		if strings.Contains(given, `"`+f.name+`"`) {
			*f.to = *f.from
		}
	}
	if in.SharingGroupID != "" && in.SharingGroupID != "0" || in.SharingGroup != nil {
		a.SharingGroup, a.SharingGroupID = in.SharingGroup, in.SharingGroupID
	}
	for _, f := range []struct{ to, from *misp.Flag }{{&a.ToIDs, &in.ToIDs}, {&a.DisableCorrelation, &in.DisableCorrelation}, {&a.Deleted, &in.Deleted}} {
		if *f.from != misp.Unset {
			*f.to = *f.from
		}
	}
	if strings.Contains(given, `"Tag"`) {
		a.Tags = in.Tags
	}
	if err := valid(a); err != nil {
		return err
	}
	at := s.changeTime(a.Timestamp)
	a.Timestamp = misp.Unix(at)
	if ob != nil {
		ob.Timestamp = a.Timestamp
	}
	if err := s.rewrite(c, ev, a, ob, at); err != nil {
		return err
	}
	return s.viewAttribute(c)
}

// attributeToEdit finds an attribute that the viewer may change, with its event and the object that it stands in, if any.
func (s *Surface) attributeToEdit(c *call, id string) (*opened, *misp.Attribute, *misp.Object, error) {
	ev, a, ob, err := s.element(c, id, true)
	switch {
	case err != nil:
		return nil, nil, nil, err
	case a == nil:
		return nil, nil, nil, noSuch("no such attribute")
	}
	return ev, a, ob, s.editable(c.v, &ev.h)
}

// deleteAttribute marks an attribute as deleted. It stays for those who have it already, and does not come back.
func (s *Surface) deleteAttribute(c *call) error {
	ev, a, ob, err := s.attributeToEdit(c, c.arg(0, "id", "uuid"))
	if err != nil {
		return err
	}
	at := s.changeTime(a.Timestamp)
	a.Timestamp, a.Deleted = misp.Unix(at), misp.True
	if ob != nil {
		ob.Timestamp = a.Timestamp
	}
	if err := s.rewrite(c, ev, a, ob, at); err != nil {
		return err
	}
	return c.saved("Attribute deleted.")
}

// objectIn reads the one object of a body.
func (c *call) objectIn() (*misp.Object, error) {
	raw, err := items(c.body, "Object")
	if err != nil {
		return nil, err
	}
	if len(raw) != 1 {
		return nil, fault.New(fault.Invalid, "misp.empty", "one object at a time is taken")
	}
	o := new(misp.Object)
	if err := misp.Decode(raw[0], o); err != nil {
		return nil, asFault(err)
	}
	return o, nil
}

func (s *Surface) addObject(c *call) error {
	it, e, err := s.ownEvent(c, c.arg(0, "event_id"))
	if err != nil {
		return err
	}
	ob, err := c.objectIn()
	if err != nil {
		return err
	}
	if ob.Name == "" || len(ob.Attributes) == 0 {
		return fault.New(fault.Forbidden, "misp.object", "Could not save the object: it needs a name and attributes.").At("Object")
	}
	for i := range ob.Attributes {
		if err := valid(&ob.Attributes[i]); err != nil {
			return err
		}
	}
	if ob.UUID == "" {
		ob.UUID = uuid.NewString()
	} else if _, _, _, err := s.element(c, ob.UUID, true); err == nil {
		return fault.New(fault.Forbidden, "misp.exists", "Could not save the object: one with this UUID already exists.").At("uuid")
	}
	at := s.changeTime("")
	e.Published = misp.False
	e.Objects = append(e.Objects, *ob)
	if err := s.save(c, it, e, at, "Object"); err != nil {
		return err
	}
	return s.answerObject(c, ob.UUID)
}

func (s *Surface) answerObject(c *call, id string) error {
	_, _, ob, err := s.element(c, id, true)
	if err != nil {
		return err
	}
	if ob == nil {
		return noSuch("no such object")
	}
	return c.answer(named{"Object": encoded(ob)})
}

func (s *Surface) viewObject(c *call) error { return s.answerObject(c, c.arg(0, "id", "uuid")) }

// object finds an object that the viewer's organisation may change.
func (s *Surface) ownObject(c *call, id string) (*opened, *misp.Object, error) {
	ev, _, ob, err := s.element(c, id, true)
	if err != nil {
		return nil, nil, err
	}
	if ob == nil {
		return nil, nil, noSuch("no such object")
	}
	return ev, ob, s.editable(c.v, &ev.h)
}

func (s *Surface) editObject(c *call) error {
	in, err := c.objectIn()
	if err != nil {
		return err
	}
	ev, ob, err := s.ownObject(c, c.arg(0, "id", "uuid"))
	if err != nil {
		return err
	}
	at := s.changeTime(ob.Timestamp)
	stamp := misp.Unix(at)
	if in.Comment != "" {
		ob.Comment = in.Comment
	}
	if in.Distribution != "" {
		ob.Distribution, ob.SharingGroup, ob.SharingGroupID = in.Distribution, in.SharingGroup, in.SharingGroupID
	}
	for i := range in.Attributes {
		a := in.Attributes[i]
		if err := valid(&a); err != nil {
			return err
		}
		j := slices.IndexFunc(ob.Attributes, func(have misp.Attribute) bool { return a.UUID != "" && strings.EqualFold(have.UUID, a.UUID) })
		a.Timestamp = stamp
		if j < 0 {
			ob.Attributes = append(ob.Attributes, a)
		} else {
			ob.Attributes[j] = a
		}
	}
	ob.Timestamp = stamp
	if err := s.rewrite(c, ev, nil, ob, at); err != nil {
		return err
	}
	return s.answerObject(c, ob.UUID)
}

func (s *Surface) deleteObject(c *call) error {
	ev, ob, err := s.ownObject(c, c.arg(0, "id", "uuid"))
	if err != nil {
		return err
	}
	at := s.changeTime(ob.Timestamp)
	ob.Timestamp, ob.Deleted = misp.Unix(at), misp.True
	for i := range ob.Attributes {
		ob.Attributes[i].Deleted = misp.True
	}
	if err := s.rewrite(c, ev, nil, ob, at); err != nil {
		return err
	}
	return c.saved("Object deleted")
}

// addReference relates an object to an element of its event.
func (s *Surface) addReference(c *call) error {
	raw, err := items(c.body, "ObjectReference")
	if err != nil {
		return err
	}
	var in misp.ObjectReference
	if len(raw) != 1 {
		return fault.New(fault.Invalid, "misp.empty", "one reference at a time is taken")
	}
	if err := misp.Decode(raw[0], &in); err != nil {
		return asFault(err)
	}
	of := c.arg(0)
	if of == "" {
		of = in.ObjectUUID
	}
	ev, ob, err := s.ownObject(c, of)
	if err != nil {
		return err
	}
	if in.ReferencedUUID = s.numbers.uuid(in.ReferencedUUID); in.ReferencedUUID == "" || in.RelationshipType == "" {
		return fault.New(fault.Forbidden, "misp.reference", "Object reference could not be saved: it needs a referenced_uuid and a relationship_type.").At("referenced_uuid")
	}
	if in.UUID == "" {
		in.UUID = uuid.NewString()
	}
	at := s.changeTime(ob.Timestamp)
	ob.Timestamp = misp.Unix(at)
	in.Timestamp, in.ObjectUUID = ob.Timestamp, ob.UUID
	ob.References = append(ob.References, in)
	if err := s.rewrite(c, ev, nil, ob, at); err != nil {
		return err
	}
	in.ID, in.ObjectID = s.numbers.give("reference", in.UUID), s.numbers.give("object", ob.UUID)
	return c.answer(named{"ObjectReference": encoded(&in)})
}

// addReport takes a report on an event. Without a body it says that reports are taken, which peers ask before they send any.
func (s *Surface) addReport(c *call) error {
	if c.r.Method == http.MethodGet {
		return c.answer(named{"name": "/eventReports/add/[event_id]", "description": "POST a report: name, content, distribution.",
			"mandatory": []string{"name"}, "optional": []string{"uuid", "content", "distribution", "sharing_group_id"}})
	}
	it, e, err := s.ownEvent(c, c.arg(0))
	if err != nil {
		return err
	}
	raw, err := items(c.body, "EventReport")
	if err != nil {
		return err
	}
	var r misp.EventReport
	if len(raw) != 1 {
		return fault.New(fault.Invalid, "misp.empty", "one report at a time is taken")
	}
	if err := misp.Decode(raw[0], &r); err != nil {
		return asFault(err)
	}
	if r.Name == "" {
		return fault.New(fault.Forbidden, "misp.report", "Event report could not be saved: it needs a name.").At("name")
	}
	if r.UUID == "" {
		r.UUID = uuid.NewString()
	}
	if r.Distribution == "" {
		r.Distribution = misp.DistributionInherit
	}
	at := s.changeTime("")
	r.Timestamp = misp.Unix(at)
	e.Published = misp.False
	e.Reports = misp.List[misp.EventReport]{r}
	if err := s.save(c, it, e, at, "Event report"); err != nil {
		return err
	}
	r.ID, r.EventID = s.numbers.give("report", r.UUID), s.numbers.give("event", e.UUID)
	return c.answer(named{"EventReport": encoded(&r)})
}

// tagObject puts a tag on an event or attribute, or takes it off.
func (s *Surface) tagObject(c *call, on bool) error {
	if err := c.readParams(); err != nil {
		return err
	}
	id, name := c.arg(0, "uuid"), c.arg(1, "tag")
	if known := s.numbers.uuid(name); known != "" {
		name = known
	}
	if name == "" || len(name) > 255 {
		return fault.New(fault.Invalid, "misp.tag", "there is no tag of 1 to 255 bytes in the request").At("tag")
	}
	retag := func(tags misp.List[misp.Tag]) misp.List[misp.Tag] {
		tags = slices.DeleteFunc(slices.Clone(tags), func(t misp.Tag) bool { return strings.EqualFold(t.Name, name) })
		if on {
			tags = append(tags, misp.Tag{Name: name, Local: misp.FlagOf(c.params.flag("local")), Exportable: misp.True})
		}
		return tags
	}
	verb := map[bool]string{true: "attached to", false: "removed from"}[on]
	if it, e, err := s.ownEvent(c, id); err == nil {
		h := headOf(it)
		at := s.changeTime(misp.Unix(h.at))
		e.Tags, e.Published = retag(e.Tags), misp.False
		if err := s.save(c, it, e, at, "Tag"); err != nil {
			return err
		}
		return c.saved("Global tag " + clip(name) + " successfully " + verb + " Event(" + s.numbers.give("event", h.uuid) + ").")
	} else if fault.Of(err) != fault.NotFound {
		return err
	}
	ev, a, ob, err := s.attributeToEdit(c, id)
	if err != nil {
		return err
	}
	at := s.changeTime(a.Timestamp)
	a.Timestamp, a.Tags = misp.Unix(at), retag(a.Tags)
	if ob != nil {
		ob.Timestamp = a.Timestamp
	}
	if err := s.rewrite(c, ev, a, ob, at); err != nil {
		return err
	}
	return c.saved("Global tag " + clip(name) + " successfully " + verb + " Attribute(" + a.ID + ").")
}
