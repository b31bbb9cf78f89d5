package mispapi

import (
	"context"
	"strconv"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/misp"
	"entente/stix"
)

func (s *Surface) sightingRoutes() map[string]route {
	read, write := gate.Action(gate.ObjectRead), gate.Action(gate.ObjectWrite)
	return map[string]route{
		"sightings/restSearch":                 {"GET POST", read, s.sightings},
		"sightings/index":                      {"GET POST", read, s.sightings},
		"sightings/add":                        {"POST", write, s.addSighting},
		"sightings/filterSightingUuidsForPush": {"POST", write, s.filterSightings},
		"sightings/bulkSaveSightings":          {"POST", write, s.bulkSightings},
	}
}

const kindSighting = "sighting"

// seenAttribute is an attribute that was seen: where it stands, and who may know of it.
type seenAttribute struct {
	uuid, event string
	id          string // in STIX
	it          store.Item
}

// attributeObject finds the STIX object that holds an attribute, by the attribute's uuid.
func (s *Surface) attributeObject(ctx context.Context, v gate.Viewer, uuid string) (store.Item, *stix.Object, bool, error) {
	var ids []string
	for _, t := range elementTypes[:5] {
		ids = append(ids, t+"--"+uuid)
	}
	var found store.Item
	var obj *stix.Object
	look := func(it *store.Item) (bool, error) {
		o, err := stix.Parse(it.Record.Body)
		if err == nil && misp.EventOf(o) != "" && !it.Held && (obj == nil || it.Record.Order > found.Record.Order) {
			found, obj = *it, o
		}
		return true, nil
	}
	err := pages(ctx, s.x, v, store.Query{IDs: ids}, look)
	if err == nil && obj == nil { // it may stand in an object
		err = pages(ctx, s.x, v, store.Query{Lookups: []lookup{{Kind: external, Text: misp.AttributeSource + ":" + uuid}}}, look)
	}
	return found, obj, obj != nil, err
}

// sighting makes what is stored of one sighting.
func (s *Surface) sighting(c *call, o *orgs, a *seenAttribute, in misp.Sighting) (misp.Loose, error) {
	at, ok := misp.Time(in.Date)
	if !ok {
		at = s.cfg.Now().Truncate(time.Second)
	}
	switch in.Type {
	case "":
		in.Type = "0"
	case "0", "1", "2":
	default:
		return misp.Loose{}, fault.New(fault.Invalid, "misp.sighting", "%q is no type of a sighting", clip(in.Type)).At("type").Try("use 0 for seen, 1 for a false positive, 2 for an expiration")
	}
	if in.UUID = misp.UUID(in.UUID); in.UUID == "" {
		in.UUID = misp.Derived("sighting", a.uuid, c.v.Nation, c.v.Org, c.v.Person, in.Type, in.Source, strconv.FormatInt(at.Unix(), 10))
	}
	in.Date, in.AttributeUUID, in.ID, in.AttributeID, in.EventID, in.OrgID = misp.Unix(at), a.uuid, "", "", "", ""
	if in.Organisation == nil {
		mine := s.viewerOrg(o, c.v)
		in.Organisation = &misp.Org{Name: mine.Name, UUID: mine.UUID}
	}
	text, err := misp.Encode(&in)
	return misp.Loose{Kind: kindSighting, UUID: in.UUID, At: at, Of: a.uuid, Event: a.event, Label: a.it.Record.Label, TLP: true, Text: text}, err
}

// addSighting says that attributes were seen, by their uuid or by value.
func (s *Surface) addSighting(c *call) error {
	if err := c.readParams(); err != nil {
		return err
	}
	var targets []seenAttribute
	ctx := c.r.Context()
	add := func(it store.Item, o *stix.Object) {
		_, id, _ := strings.Cut(it.Record.ID, "--")
		targets = append(targets, seenAttribute{id, misp.EventOf(o), it.Record.ID, it})
	}
	if id := c.arg(0, "uuid", "id"); id != "" {
		it, o, ok, err := s.attributeObject(ctx, c.v, s.numbers.uuid(id))
		if err != nil {
			return err
		}
		if !ok {
			return noSuch("no such attribute")
		}
		add(it, o)
		targets[0].uuid = s.numbers.uuid(id)
	}
	for _, value := range append(c.params["value"], c.params["values"]...) {
		err := s.byValue(ctx, c.v, value, func(it *store.Item, o *stix.Object) (bool, error) {
			add(*it, o)
			return len(targets) < 1000, nil
		})
		if err != nil {
			return err
		}
	}
	if len(targets) == 0 {
		return noSuch("no attribute matches")
	}
	o := s.orgs()
	in := misp.Sighting{Type: c.params.get("type"), Source: c.params.get("source"), Date: c.params.get("timestamp")}
	var list []misp.Loose
	for i := range targets {
		l, err := s.sighting(c, o, &targets[i], in)
		if err != nil {
			return err
		}
		list = append(list, l)
	}
	t, err := s.putLoose(c, list)
	if err != nil {
		return err
	}
	if len(t.refused) > 0 {
		return s.unsaved("Sighting", &t)
	}
	l := loose{it: &targets[0].it, uuid: list[0].UUID, at: list[0].At, text: list[0].Text}
	m, err := s.sightingOut(c, o, &l)
	if err != nil {
		return err
	}
	return c.answer(named{"Sighting": m, "saved": true, "success": true, "message": strconv.Itoa(len(list)) + " sightings successfully added.", "name": "Sighting added"})
}

func (s *Surface) sightingOut(c *call, o *orgs, l *loose) (map[string]any, error) {
	var in misp.Sighting
	if err := misp.Decode(l.text, &in); err != nil {
		return nil, err
	}
	org := in.Organisation
	if org == nil {
		org = s.org(o.uuid(l.it.Record.Origin.Nation, l.it.Record.Origin.Org), l.it.Record.Origin.Org)
	}
	return map[string]any{"id": s.numbers.give("sighting", l.uuid), "uuid": l.uuid, "attribute_uuid": in.AttributeUUID, "attribute_id": s.numbers.give("attribute", in.AttributeUUID),
		"date_sighting": in.Date, "source": in.Source, "type": in.Type, "org_id": s.numbers.give("org", org.UUID), "Organisation": map[string]string{"uuid": org.UUID, "name": org.Name}}, nil
}

// bulkSightings takes the sightings that a peer has of the attributes of one event.
func (s *Surface) bulkSightings(c *call) error {
	raw, err := items(c.body, "Sighting")
	if err != nil {
		return err
	}
	event := misp.UUID(c.arg(0))
	if len(raw) == 0 || len(c.body) == 2 {
		return c.saved("0 sightings added.")
	}
	if _, err := s.event(c, c.arg(0)); err != nil {
		return err
	}
	o := s.orgs()
	known := map[string]*seenAttribute{}
	var list []misp.Loose
	for _, v := range raw {
		var in misp.Sighting
		if err := misp.Decode(v, &in); err != nil {
			return err
		}
		u := misp.UUID(in.AttributeUUID)
		if u == "" {
			continue
		}
		a, met := known[u]
		if !met {
			it, obj, ok, err := s.attributeObject(c.r.Context(), c.v, u)
			if err != nil {
				return err
			}
			if ok && misp.EventOf(obj) == event {
				a = &seenAttribute{u, event, it.Record.ID, it}
			}
			known[u] = a
		}
		if a == nil {
			continue
		}
		l, err := s.sighting(c, o, a, in)
		if err != nil {
			return err
		}
		list = append(list, l)
	}
	t, err := s.putLoose(c, list)
	if err != nil {
		return err
	}
	return c.saved(strconv.Itoa(t.stored) + " sightings added.")
}

// filterSightings tells a peer which of its sightings are not here.
func (s *Surface) filterSightings(c *call) error {
	var in []string
	if err := misp.Decode(c.body, &in); err != nil {
		return err
	}
	if len(in) > maxElements {
		return fault.New(fault.TooLarge, "misp.elements", "at most %d elements are asked for at once", maxElements)
	}
	have, err := s.here(c.r.Context(), c.v, kindSighting, in)
	if err != nil {
		return err
	}
	out := []string{}
	for _, id := range in {
		if u := misp.UUID(id); u != "" {
			if _, ok := have[u]; !ok {
				out = append(out, id)
			}
		}
	}
	return c.answer(out)
}

// sightings finds sightings, of events or attributes.
func (s *Surface) sightings(c *call) error {
	if err := c.readParams(); err != nil {
		return err
	}
	context := c.arg(0)
	from, to, err := window(c.params, s.cfg.Now(), "timestamp", "date")
	if err != nil {
		return err
	}
	if last := c.params.get("last"); last != "" && last != "0" {
		t, ok := moment(last, s.cfg.Now())
		if !ok {
			return badParam("last", last)
		}
		from = t
	}
	if from.IsZero() {
		if v := c.params.get("from"); v != "" {
			from, _ = moment(v, s.cfg.Now())
		}
		if v := c.params.get("to"); v != "" {
			to, _ = moment(v, s.cfg.Now())
		}
	}
	ids := c.params.list("uuid", "id")
	if len(ids) > 1000 {
		return fault.New(fault.TooLarge, "misp.params", "at most 1000 events or attributes are asked for at once").At("uuid")
	}
	orgTerms, typ, source := c.params.list("org_id", "org", "org_uuid"), c.params.get("type"), c.params.get("source")
	o := s.orgs()
	out := []map[string]any{}
	each := func(l *loose) (bool, error) {
		m, err := s.sightingOut(c, o, l)
		if err != nil {
			return true, nil
		}
		org := m["Organisation"].(map[string]string)
		if l.at.Before(from) || !to.IsZero() && l.at.After(to) || typ != "" && m["type"] != typ || source != "" && m["source"] != source ||
			!pass(orgTerms, func(t string) bool { return t == org["uuid"] || matchText(t, org["name"]) || t == m["org_id"] }) {
			return true, nil
		}
		out = append(out, map[string]any{"Sighting": m})
		return len(out) < maxElements, nil
	}
	if len(ids) == 0 && (context == "event" || context == "attribute") || len(ids) > 0 {
		for _, id := range ids {
			u := s.numbers.uuid(id)
			if u == "" {
				continue
			}
			q := looseAbout(kindSighting, u)
			if context == "event" {
				q.Lookups = members(u).Lookups
			}
			if err := s.eachLoose(c.r.Context(), c.v, q, each); err != nil {
				return err
			}
		}
	} else if err := s.eachLoose(c.r.Context(), c.v, store.Query{Types: []string{misp.LooseType(kindSighting)}}, each); err != nil {
		return err
	}
	return c.answer(map[string]any{"response": out})
}

// lastSeen is when attributes of events were last seen, by the events' uuids: what a peer pulls sightings by.
func (s *Surface) lastSeen(ctx context.Context, v gate.Viewer) (map[string]int64, error) {
	out := map[string]int64{}
	type wantedItem struct {
		id string
		at int64
	}
	want := map[record.Seq]wantedItem{}
	var ids []string
	err := pages(ctx, s.x, v, store.Query{Types: []string{misp.LooseType(kindSighting)}, Headers: true, Limit: 10_000}, func(it *store.Item) (bool, error) {
		at, _ := time.Parse(time.RFC3339Nano, it.Record.Version)
		if event, ok := s.seen.get(it.Rec); ok {
			out[event] = max(out[event], at.Unix())
			return true, nil
		}
		want[it.Rec] = wantedItem{it.Record.ID, at.Unix()}
		ids = append(ids, it.Record.ID)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	for len(ids) > 0 {
		n := min(len(ids), pageItems)
		err := pages(ctx, s.x, v, store.Query{IDs: ids[:n]}, func(it *store.Item) (bool, error) {
			if o, err := stix.Parse(it.Record.Body); err == nil {
				event := misp.EventOf(o)
				s.seen.put(it.Rec, event)
				if w, ok := want[it.Rec]; ok {
					out[event] = max(out[event], w.at)
				}
			}
			return true, nil
		})
		if err != nil {
			return nil, err
		}
		ids = ids[n:]
	}
	return out, nil
}
