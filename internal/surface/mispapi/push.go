package mispapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
	"entente/misp"
	"entente/stix"
)

func (s *Surface) eventRoutes() map[string]route {
	read, write := gate.Action(gate.ObjectRead), gate.Action(gate.ObjectWrite)
	return map[string]route{
		"events/index":                 {"GET POST", read, s.index},
		"events/view":                  {"GET POST", read, s.view},
		"events/add":                   {"POST", write, s.addEvent},
		"events/edit":                  {"POST PUT", write, s.editEvent},
		"events/filterEventIdsForPush": {"POST", write, s.filterEvents},
	}
}

// stale is what MISP says of an event that is not newer; peers compare the text.
const stale = "Event could not be saved: Event in the request not newer than the local copy."

// batchObjects is how many objects become durable together.
const batchObjects = 2000

// taken is what became of the objects that were handed in.
type taken struct {
	stored  int
	refused []exchange.Outcome // those that are not stored, at most maxRefused
	more    int
}

const maxRefused = 50

func (t *taken) add(outcomes []exchange.Outcome) {
	for _, o := range outcomes {
		switch {
		case o.Stored():
			t.stored++
		case len(t.refused) < maxRefused:
			t.refused = append(t.refused, o)
		default:
			t.more++
		}
	}
}

// submit hands objects in, each under its label: those of one label and one default together, the groups in the order in which they begin.
func (s *Surface) submit(ctx context.Context, v gate.Viewer, items []misp.Item) (taken, error) {
	type group struct {
		label  label.Label
		stated bool
	}
	var out taken
	collection, err := s.collection(v)
	if err != nil {
		return out, err
	}
	batches := map[group][][]byte{}
	var order []group
	for i := range items {
		g := group{items[i].Label, items[i].Stated}
		if _, ok := batches[g]; !ok {
			order = append(order, g)
		}
		batches[g] = append(batches[g], items[i].Raw)
	}
	for _, g := range order {
		restrict := g.label
		fallback := s.cfg.fallback
		if g.stated {
			fallback = &restrict
		}
		for batch := range slices.Chunk(batches[g], batchObjects) {
			outcomes, err := s.x.Accept(ctx, v, exchange.Submission{Collection: collection, Objects: batch, Via: "misp", Restrict: &restrict, Default: fallback})
			if err != nil {
				return out, err
			}
			out.add(outcomes)
		}
	}
	return out, nil
}

// collection is where what is handed in is placed.
func (s *Surface) collection(v gate.Viewer) (string, error) {
	if s.cfg.Collection == "" {
		return "", nil
	}
	c, err := s.x.Collection(v, "", s.cfg.Collection)
	return c.ID, err
}

func (s *Surface) addEvent(c *call) error {
	e, err := c.event()
	if err != nil {
		return err
	}
	if e.UUID != "" {
		if it, ok, err := s.find(c.r.Context(), c.v, misp.UUID(e.UUID), true); err != nil {
			return err
		} else if ok && !it.Record.Revoked {
			c.w.Header().Set("Location", c.base()+"/events/view/"+misp.UUID(e.UUID))
			message := "Event already exists, if you would like to edit it, use the url in the location header."
			return c.answerStatus(http.StatusNotFound, named{"name": message, "message": message, "url": c.r.URL.Path, "saved": false, "errors": message})
		} else if ok {
			return refusal("misp.deleted", "Event could not be saved: it was deleted here, and that is final.")
		}
	}
	return s.take(c, e, nil)
}

func (s *Surface) editEvent(c *call) error {
	e, err := c.event()
	if err != nil {
		return err
	}
	it, err := s.event(c, c.arg(0, "id", "uuid"))
	if err != nil {
		return err
	}
	h := headOf(&it)
	if e.UUID != "" && misp.UUID(e.UUID) != h.uuid {
		return fault.New(fault.Invalid, "misp.uuid", "the event in the body has another uuid than the one in the path").At("uuid")
	}
	e.UUID = h.uuid
	if err := s.editable(c.v, &h); err != nil {
		return err
	}
	if e.Timestamp != "" {
		if at, ok := misp.Time(e.Timestamp); !ok || !at.After(h.at) {
			return refusal("misp.stale", "%s", stale)
		}
	}
	return s.take(c, e, &it)
}

// editable tells whether the viewer's organisation may change an event: only the one that handed it in may.
func (s *Surface) editable(v gate.Viewer, h *head) error {
	if h.origin.Nation == v.Nation && h.origin.Org == v.Org {
		return nil
	}
	return refusal("misp.owner", "Event could not be saved: it came from %s, and no other organisation may change it.", h.origin.Org).
		Try("send a proposal, or extend the event by one of your own")
}

// event is the one event of a body.
func (c *call) event() (*misp.Event, error) {
	raw := c.body
	if len(raw) == 0 {
		return nil, fault.New(fault.Invalid, "misp.empty", "there is no event in the body")
	}
	limits := misp.Limits{Size: c.s.cfg.MaxBytes, Events: 1}
	events, err := misp.ParseLimits(raw, limits)
	if err != nil {
		return nil, asFault(err)
	}
	if len(events) != 1 {
		return nil, fault.New(fault.Invalid, "misp.event", "one event at a time is taken, and there are %d", len(events))
	}
	return events[0], nil
}

// take stores an event that may be stored: new, or in a new version of what is here.
func (s *Surface) take(c *call, e *misp.Event, old *store.Item) error {
	sync := c.params.flag("metadata")
	o := s.orgs()
	if err := s.prepare(c, o, e, old, sync); err != nil {
		return err
	}
	t, err := s.put(c, o, e, old, sync)
	if err != nil {
		return err
	}
	it, ok, err := s.find(c.r.Context(), c.v, e.UUID, false)
	if err != nil {
		return err
	}
	if !ok || it.Held {
		return s.unsaved("Event", &t)
	}
	ev, err := s.open(c.r.Context(), c.v, o, &it, wanted(c.params))
	if err != nil {
		return err
	}
	if len(t.refused) > 0 {
		c.w.Header().Set("X-Entente-Refused", clip(t.refused[0].ID+": "+t.refused[0].Message))
	}
	c.w.Header().Set("Content-Type", "application/json")
	return c.stream(func(w io.Writer) error { return ev.write(w, sync) })
}

// unsaved says why something is not stored, or held for an officer.
func (s *Surface) unsaved(what string, t *taken) error {
	if len(t.refused) > 0 {
		return refusal("misp.refused", "%s could not be saved: %s", what, t.refused[0].Message)
	}
	return refusal("misp.held", "%s could not be saved: it is kept in quarantine until an officer of this node has looked at it", what)
}

// prepare checks an event and adds what its sender left to this instance.
func (s *Surface) prepare(c *call, o *orgs, e *misp.Event, old *store.Item, sync bool) error {
	now := s.cfg.Now()
	switch {
	case e.UUID == "" && sync:
		return fault.New(fault.Invalid, "misp.uuid", "an event that is synchronised has a uuid").At("uuid")
	case e.UUID == "":
		e.UUID = uuid.NewString()
	}
	id := misp.UUID(e.UUID)
	if id == "" {
		return fault.New(fault.Invalid, "misp.uuid", "%q is no uuid that STIX allows", clip(e.UUID)).At("uuid")
	}
	e.UUID = id
	if e.Info == "" && old == nil {
		return fault.New(fault.Invalid, "misp.info", "an event needs an info").At("info")
	}
	if unknownFlag(e.Unknown, "protected") {
		return refusal("misp.protected", "Event could not be saved: it is protected, and signatures of MISP instances are not verified here.").
			Try("send it unprotected, or hand it in over TAXII")
	}
	own := o.uuid(s.cfg.Nation, s.cfg.Org)
	mine := s.viewerOrg(o, c.v)
	if e.Orgc == nil || e.Orgc.UUID == "" {
		e.Orgc = &misp.Org{Name: mine.Name, UUID: mine.UUID}
	}
	if strings.EqualFold(e.Orgc.UUID, own) && mine.UUID != own {
		return refusal("misp.orgc", "Event could not be saved: it claims to be of %s, whose node this is, and only that organisation makes events in its name here.", s.cfg.Org)
	}
	if err := s.merge(c, e, old); err != nil {
		return err
	}
	if e.Timestamp == "" {
		e.Timestamp = misp.Unix(later(now, old))
	}
	if _, ok := misp.Time(e.Timestamp); !ok {
		return fault.New(fault.Invalid, "misp.timestamp", "%q is no time", clip(e.Timestamp)).At("timestamp")
	}
	if e.Date == "" {
		e.Date = now.UTC().Format(time.DateOnly)
	}
	if err := s.groups(o, e); err != nil {
		return err
	}
	if err := s.cfg.Rules.event(e); err != nil {
		return err
	}
	if sync {
		e.Downgrade()
		e.Locked = misp.True
	}
	e.ID, e.OrgID, e.OrgcID, e.Org, e.AttributeCount = "", "", "", nil, ""
	return s.elements(e)
}

// later is now, or just after what is here: a version in whole seconds that is newer.
func later(now time.Time, old *store.Item) time.Time {
	now = now.Truncate(time.Second)
	if old != nil {
		if h := headOf(old); !now.After(h.at) {
			return h.at.Truncate(time.Second).Add(time.Second)
		}
	}
	return now
}

// merge takes what an edit leaves out from what is here.
func (s *Surface) merge(c *call, e *misp.Event, old *store.Item) error {
	if old == nil {
		return nil
	}
	obj, err := stix.Parse(old.Record.Body)
	if err != nil {
		return nil
	}
	r, ok := misp.OpenEvent(obj)
	if !ok {
		return refusal("misp.foreign", "Event could not be saved: it was not made as an event of MISP.").Try("change the report over TAXII, or extend it by an event of your own")
	}
	have := r.Event()
	for _, f := range []struct{ to, from *string }{{&e.Info, &have.Info}, {&e.Date, &have.Date}, {&e.ThreatLevel, &have.ThreatLevel}, {&e.Analysis, &have.Analysis},
		{&e.Distribution, &have.Distribution}, {&e.ExtendsUUID, &have.ExtendsUUID}, {&e.PublishTimestamp, &have.PublishTimestamp}} {
		if *f.to == "" {
			*f.to = *f.from
		}
	}
	if e.Distribution == misp.DistributionGroup && e.SharingGroup == nil && e.SharingGroupID == "" {
		e.SharingGroup = have.SharingGroup
	}
	if e.Tags == nil && !bytes.Contains(e.Raw(), []byte(`"Tag"`)) {
		e.Tags = have.Tags
	}
	if e.Galaxies == nil && !bytes.Contains(e.Raw(), []byte(`"Galaxy"`)) {
		e.Galaxies = have.Galaxies
	}
	e.Orgc = have.Orgc
	return nil
}

// groups checks every distribution of an event, and finds the sharing groups that it names by number.
func (s *Surface) groups(o *orgs, e *misp.Event) error {
	check := func(where string, d *string, g **misp.SharingGroup, id *string, inherit bool) error {
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
	if err := check("Event/distribution", &e.Distribution, &e.SharingGroup, &e.SharingGroupID, false); err != nil {
		return err
	}
	attributes := func(list []misp.Attribute) error {
		for i := range list {
			a := &list[i]
			if err := check("Attribute/distribution", &a.Distribution, &a.SharingGroup, &a.SharingGroupID, true); err != nil {
				return err
			}
		}
		return nil
	}
	if err := attributes(e.Attributes); err != nil {
		return err
	}
	for i := range e.Objects {
		ob := &e.Objects[i]
		if err := check("Object/distribution", &ob.Distribution, &ob.SharingGroup, &ob.SharingGroupID, true); err != nil {
			return err
		}
		if err := attributes(ob.Attributes); err != nil {
			return err
		}
	}
	for i := range e.Reports {
		r := &e.Reports[i]
		if err := check("EventReport/distribution", &r.Distribution, &r.SharingGroup, &r.SharingGroupID, true); err != nil {
			return err
		}
	}
	return nil
}

// elements gives every element what it needs to be told apart: a uuid and a time. Numbers of another instance mean nothing here.
func (s *Surface) elements(e *misp.Event) error {
	fresh := func(id, stamp *string) {
		if *id == "" {
			*id = uuid.NewString()
		}
		if *stamp == "" {
			*stamp = e.Timestamp
		}
	}
	attribute := func(a *misp.Attribute) error {
		if a.Type == "" || a.Value == "" {
			return fault.New(fault.Invalid, "misp.attribute", "an attribute needs a type and a value").At("Attribute")
		}
		fresh(&a.UUID, &a.Timestamp)
		if a.Category == "" {
			t, _ := misp.TypeByName(a.Type)
			a.Category = t.Category
		}
		if a.ToIDs == misp.Unset {
			t, _ := misp.TypeByName(a.Type)
			a.ToIDs = misp.FlagOf(t.ToIDs)
		}
		a.ID, a.EventID, a.ObjectID = "", "", ""
		return nil
	}
	for i := range e.Attributes {
		if err := attribute(&e.Attributes[i]); err != nil {
			return err
		}
	}
	for i := range e.Objects {
		o := &e.Objects[i]
		fresh(&o.UUID, &o.Timestamp)
		o.ID, o.EventID = "", ""
		for j := range o.References {
			r := &o.References[j]
			fresh(&r.UUID, &r.Timestamp)
			r.ID, r.ObjectID, r.ObjectUUID = "", "", o.UUID
		}
		for j := range o.Attributes {
			if err := attribute(&o.Attributes[j]); err != nil {
				return err
			}
		}
	}
	for i := range e.Reports {
		r := &e.Reports[i]
		fresh(&r.UUID, &r.Timestamp)
		r.ID, r.EventID = "", ""
	}
	return nil
}

// put converts an event and hands it in, its elements first: without its head an event is not there.
func (s *Surface) put(c *call, o *orgs, e *misp.Event, old *store.Item, sync bool) (taken, error) {
	items, _ := misp.ToSTIX(e, misp.Options{Policy: s.policy(o, c.v, sync)})
	withdrawn, err := s.conflicts(c, e, items)
	if err != nil {
		return taken{}, err
	}
	if sync { // a large event is not held twice
		e.Attributes, e.Objects, c.body = nil, nil, nil
	}
	head := items[len(items)-1]
	if old != nil {
		made := make(map[string]bool, len(items))
		for i := range items {
			made[items[i].ID] = true
		}
		for i := range withdrawn {
			made[withdrawn[i].ID] = true
		}
		if earlier, err := stix.Parse(old.Record.Body); err == nil {
			if head.Raw, err = misp.KeepRefs(head.Raw, earlier, made); err != nil {
				return taken{}, err
			}
		}
	}
	t, err := s.submit(c.r.Context(), c.v, append(items[:len(items)-1:len(items)-1], withdrawn...))
	if err != nil {
		return t, err
	}
	last, err := s.submit(c.r.Context(), c.v, []misp.Item{head})
	t.stored += last.stored
	t.refused = append(last.refused, t.refused...)
	return t, err
}

// elementTypes are the STIX types that an object can become, first those that an attribute can.
var elementTypes = []string{"indicator", "observed-data", "x-misp-attribute", "vulnerability", "campaign", "x-misp-object", "attack-pattern", "course-of-action", "intrusion-set",
	"identity", "location", "note", "tool", "malware", "threat-actor"}

// conflicts refuses an event whose elements are here as another organisation's, or as part of another event, and gives the last versions of
// those that are something else in STIX from now on.
func (s *Surface) conflicts(c *call, e *misp.Event, items []misp.Item) ([]misp.Item, error) {
	becomes := make(map[string]string, len(e.Attributes)+len(e.Objects))
	for i := range items {
		typ, id, _ := strings.Cut(items[i].ID, "--")
		if slices.Contains(elementTypes, typ) {
			becomes[id] = items[i].ID
		}
	}
	var ids []string
	note := func(id string, types ...string) {
		if u := misp.UUID(id); u != "" && becomes[u] != "" {
			for _, typ := range types {
				ids = append(ids, typ+"--"+u)
			}
		}
	}
	for i := range e.Attributes {
		note(e.Attributes[i].UUID, elementTypes[:5]...)
	}
	for i := range e.Objects {
		note(e.Objects[i].UUID, elementTypes...)
	}
	for i := range e.Reports {
		note(e.Reports[i].UUID, "note")
	}
	var out []misp.Item
	at, _ := misp.Time(e.Timestamp)
	for chunk := range slices.Chunk(ids, 7500) {
		var there []string
		err := pages(c.r.Context(), s.x, c.v, store.Query{IDs: chunk, Headers: true}, func(it *store.Item) (bool, error) {
			if o := &it.Record.Origin; o.Nation != c.v.Nation || o.Org != c.v.Org {
				_, id, _ := strings.Cut(it.Record.ID, "--")
				return false, refusal("misp.owner", "Event could not be saved: %s came from %s, and no other organisation may change it.", id, o.Org)
			}
			if !it.Record.Revoked && !it.Held {
				there = append(there, it.Record.ID)
			}
			return true, nil
		})
		if err != nil {
			return nil, err
		}
		if len(there) == 0 {
			continue
		}
		q := members(e.UUID)
		q.IDs = there
		here := map[string]bool{}
		err = pages(c.r.Context(), s.x, c.v, q, func(it *store.Item) (bool, error) {
			here[it.Record.ID] = true
			_, id, _ := strings.Cut(it.Record.ID, "--")
			if becomes[id] == it.Record.ID {
				return true, nil
			}
			if o, err := stix.Parse(it.Record.Body); err == nil && misp.EventOf(o) == e.UUID {
				raw, err := misp.Withdrawn(o, at)
				if err != nil {
					return false, err
				}
				out = append(out, misp.Item{ID: it.Record.ID, Raw: raw, Label: it.Record.Label, Stated: true})
			}
			return true, nil
		})
		if err != nil {
			return nil, err
		}
		for _, id := range there {
			if _, u, _ := strings.Cut(id, "--"); !here[id] && becomes[u] == id && !strings.HasPrefix(id, "identity--") {
				return nil, refusal("misp.elsewhere", "Event could not be saved: %s is part of another event here.", u)
			}
		}
	}
	return out, nil
}

// filterEvents tells a peer which of its events are wanted: those that are not here, and those that are newer than what it sent before.
func (s *Surface) filterEvents(c *call) error {
	var list []struct {
		Event misp.Event `json:"Event"`
	}
	if err := misp.Decode(c.body, &list); err != nil {
		return err
	}
	if len(list) > 100_000 {
		return fault.New(fault.TooLarge, "misp.events", "at most 100000 events are asked for at once")
	}
	have := map[string]head{}
	var ids []string
	for i := range list {
		if u := misp.UUID(list[i].Event.UUID); u != "" {
			ids = append(ids, "report--"+u, "grouping--"+u)
		}
	}
	for chunk := range slices.Chunk(ids, 8000) {
		err := pages(c.r.Context(), s.x, c.v, store.Query{IDs: chunk, Headers: true}, func(it *store.Item) (bool, error) {
			h := headOf(it)
			if old, ok := have[h.uuid]; !ok || h.newer(&old) {
				have[h.uuid] = h
			}
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	out := []string{}
	for i := range list {
		u := misp.UUID(list[i].Event.UUID)
		if u == "" {
			continue
		}
		if h, ok := have[u]; ok {
			at, sound := misp.Time(list[i].Event.Timestamp)
			if !sound || h.revoked || !at.After(h.at) || s.editable(c.v, &h) != nil {
				continue
			}
		}
		out = append(out, u)
	}
	return c.answer(out)
}
