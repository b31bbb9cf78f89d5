package mispapi

import (
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
	ids     []string           // of those that are stored, at most maxStored
	refused []exchange.Outcome // those that are not stored, at most maxRefused
	more    int
}

const (
	maxRefused = 50
	maxStored  = 4 * maxElements // an element and the observables of it
)

func (t *taken) add(outcomes []exchange.Outcome) {
	for _, o := range outcomes {
		switch {
		case o.Stored():
			t.stored++
			if len(t.ids) < maxStored {
				t.ids = append(t.ids, o.ID)
			}
		case len(t.refused) < maxRefused:
			t.refused = append(t.refused, o)
		default:
			t.more++
		}
	}
}

// join counts what became of others, too.
func (t *taken) join(u *taken) {
	t.stored += u.stored
	t.ids = append(t.ids, u.ids[:min(len(u.ids), maxStored-len(t.ids))]...)
	n := min(len(u.refused), maxRefused-len(t.refused))
	t.refused = append(t.refused, u.refused[:n]...)
	t.more += u.more + len(u.refused) - n
}

// submit hands objects in, each under its label: those of one label and one default together, the groups in the order in which they begin.
func (s *Surface) submit(ctx context.Context, v gate.Viewer, items []misp.Item) (taken, error) {
	var out taken
	collection, err := s.collection(v)
	if err != nil {
		return out, err
	}
	for _, g := range misp.ByLabel(items) {
		restrict, fallback := g.Label, s.cfg.fallback
		if g.Stated {
			fallback = &restrict
		}
		for batch := range slices.Chunk(g.Objects, batchObjects) {
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
	in, err := c.event()
	if err != nil {
		return err
	}
	e := in.head
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
	return s.take(c, in, nil)
}

func (s *Surface) editEvent(c *call) error {
	in, err := c.event()
	if err != nil {
		return err
	}
	e := in.head
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
	return s.take(c, in, &it)
}

// editable tells whether the viewer's organisation may change an event: only the one that handed it in may.
func (s *Surface) editable(v gate.Viewer, h *head) error {
	if h.origin.Nation == v.Nation && h.origin.Org == v.Org {
		return nil
	}
	return refusal("misp.owner", "Event could not be saved: it came from %s, and no other organisation may change it.", h.origin.Org).
		Try("send a proposal, or extend the event by one of your own")
}

// take stores an event that may be stored: new, or in a new version of what is here.
func (s *Surface) take(c *call, in *intake, old *store.Item) error {
	in.sync = c.params.flag("metadata")
	if err := s.prepare(c, in, old); err != nil {
		return err
	}
	t, err := s.put(c, in, old)
	if err != nil {
		return err
	}
	it, ok, err := s.find(c.r.Context(), c.v, in.head.UUID, false)
	if err != nil {
		return err
	}
	if !ok || it.Held {
		return s.unsaved("Event", &t)
	}
	ev, err := s.open(c.r.Context(), c.v, in.o, &it, wanted(c.params))
	if err != nil {
		return err
	}
	if len(t.refused) > 0 {
		c.w.Header().Set("X-Entente-Refused", clip(t.refused[0].ID+": "+t.refused[0].Message))
	}
	c.w.Header().Set("Content-Type", "application/json")
	return c.stream(func(w io.Writer) error { return ev.write(w, in.sync) })
}

// unsaved says why something is not stored, or held for an officer.
func (s *Surface) unsaved(what string, t *taken) error {
	if len(t.refused) > 0 {
		return refusal("misp.refused", "%s could not be saved: %s", what, t.refused[0].Message)
	}
	return refusal("misp.held", "%s could not be saved: it is kept in quarantine until an officer of this node has looked at it", what)
}

// prepare checks an event and adds what its sender left to this instance.
func (s *Surface) prepare(c *call, in *intake, old *store.Item) error {
	o, e := in.o, in.head
	now := s.cfg.Now()
	switch {
	case e.UUID == "" && in.sync:
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
	if err := s.check(in); err != nil {
		return err
	}
	if in.sync {
		e.Downgrade()
		e.Locked = misp.True
	}
	e.ID, e.OrgID, e.OrgcID, e.Org, e.AttributeCount = "", "", "", nil, ""
	return nil
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
	if e.Tags == nil && !e.Has("Tag") {
		e.Tags = have.Tags
	}
	if e.Galaxies == nil && !e.Has("Galaxy") {
		e.Galaxies = have.Galaxies
	}
	e.Orgc = have.Orgc
	return nil
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
