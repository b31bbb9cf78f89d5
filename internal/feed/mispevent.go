package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/fault"
	"entente/internal/record"
	"entente/internal/store"
	"entente/misp"
	"entente/stix"
)

// elementsAtOnce is how many elements of an event are converted before they are stored: of a large event no more is held at once.
const elementsAtOnce = 2000

// mispEvent takes one event as it is now, whatever its size: its elements in several transactions, and in the last that it was taken.
func (r *Run) mispEvent(ctx context.Context, e indexed, known *taken) error {
	id := e.id.String()
	d, err := r.mispDocument(ctx, http.MethodGet, fmt.Sprintf(eventView, id), nil)
	if err != nil {
		return err
	}
	if d == nil {
		return fault.New(fault.Unavailable, "feed.status", "the server answers that nothing has changed, which was not asked")
	}
	defer d.Close()
	if err := r.sit(ctx); err != nil {
		return err
	}
	defer r.stand()
	head, err := eventHead(d, id)
	if err != nil {
		return err
	}
	before, err := r.listedBefore(ctx, id)
	if err != nil {
		return err
	}
	s := misp.NewStream(head, misp.Options{Policy: r.policy()})
	t := &taking{r: r, ctx: ctx, id: id, stream: s, gone: before}
	if _, err := d.Seek(0, io.SeekStart); err != nil {
		return fault.New(fault.Full, "feed.spool", "the download cannot be read").Because(err)
	}
	err = misp.Read(d, misp.Limits{}, misp.Handler{
		Attribute: func(a *misp.Attribute) error { cleanAttribute(a); s.Attribute(a); return t.step(1) },
		Object:    func(o *misp.Object) error { cleanObject(o); s.Object(o); return t.step(1 + len(o.Attributes)) },
	})
	if err != nil {
		return mispEventFault(err)
	}
	items, losses := s.Finish()
	t.lost(losses)
	t.kept(items)
	if err := t.revoke(); err != nil {
		return err
	}
	was := known.at(e.id)
	return r.labelled(ctx, items, func() []store.Doc {
		known.put(e.id, takenEvent{timestamp: e.timestamp, sightings: was.sightings})
		return []store.Doc{known.doc(r.c.Name, e.id[0])}
	})
}

// eventHead is everything of the event but its attributes and objects, all of which have been looked at.
func eventHead(d io.Reader, id string) (*misp.Event, error) {
	var head *misp.Event
	events := 0
	if err := misp.Read(d, misp.Limits{}, misp.Handler{Event: func(e *misp.Event) error { head, events = e, events+1; return nil }}); err != nil {
		return nil, mispEventFault(err)
	}
	if events != 1 || !strings.EqualFold(head.UUID, id) {
		return nil, fault.New(fault.Unprocessable, "misp.event", "the answer does not hold the event that was asked for")
	}
	cleanEvent(head)
	return head, nil
}

func mispEventFault(err error) error {
	if e, ok := errors.AsType[*misp.Error](err); ok {
		return fault.New(fault.Unprocessable, "misp.event", "%v", e)
	}
	return err
}

// taking is one event on its way in.
type taking struct {
	r      *Run
	ctx    context.Context
	id     string
	stream *misp.Stream
	n      int
	gone   map[string]bool // what the event listed when it was taken last, less what it has now; nil: it is new
}

// step stores what has been converted, every so many elements.
func (t *taking) step(n int) error {
	if t.n += n; t.n < elementsAtOnce {
		return nil
	}
	t.n = 0
	items, losses := t.stream.Take()
	t.lost(losses)
	t.kept(items)
	if len(items) == 0 {
		return nil
	}
	return t.r.labelled(t.ctx, items, nil)
}

func (t *taking) lost(losses []misp.Loss) {
	for _, l := range losses {
		t.r.report.problem("converted", l.Code, l.Message, t.id+l.Pointer)
	}
}

func (t *taking) kept(items []misp.Item) {
	if t.gone != nil {
		for i := range items {
			delete(t.gone, items[i].ID)
		}
	}
}

// eventIDs are those that the report or grouping of an event can have.
func eventIDs(id string) []string { return []string{"report--" + id, "grouping--" + id} }

// listedBefore is the elements of an event that this node has by feeds and that are not ended; nil where the event is new. One that came to this
// node another way is not touched.
func (r *Run) listedBefore(ctx context.Context, id string) (map[string]bool, error) {
	heads, err := r.stored(ctx, eventIDs(id), true)
	if err != nil || len(heads) == 0 {
		return nil, err
	}
	for i := range heads {
		o := &heads[i].Record.Origin
		if o.Nation != r.f.o.Nation || o.Org != r.f.o.Org || !strings.HasPrefix(o.Via, "feed:") {
			return nil, fault.New(fault.Conflict, "misp.local", "the event stands here already, and did not come by a feed: it is not overwritten")
		}
	}
	out := map[string]bool{}
	q := store.Query{Lookups: []record.Lookup{{Kind: record.External, Text: misp.EventSource + ":" + id}}, Headers: true, Limit: batchObjects}
	for {
		page, err := r.f.o.Exchange.Read(ctx, r.viewer, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			if rec := &page.Items[i].Record; !rec.Revoked && strings.HasPrefix(rec.Origin.Via, "feed:") {
				out[rec.ID] = true
			}
		}
		if q.After = page.Next; !page.More {
			return out, nil
		}
	}
}

// revoke ends what the event does not have any more: elements that were removed for good, changed their kind, or are not for us any more. What
// several events may share, such as clusters and observables, stays.
func (t *taking) revoke() error {
	if len(t.gone) == 0 || t.r.report.DryRun {
		return nil
	}
	ids := make([]string, 0, len(t.gone))
	for id := range t.gone {
		ids = append(ids, id)
	}
	items, err := t.r.stored(t.ctx, ids, false)
	if err != nil {
		return err
	}
	for i := range items {
		rec := &items[i].Record
		if rec.Revoked || rec.Origin.Via != "feed:"+t.r.c.Name || items[i].Held {
			continue
		}
		o, err := stix.Parse(rec.Body)
		if err != nil {
			continue
		}
		if k := misp.Kind(o); k != "attribute" && k != "object" && k != "event-report" {
			continue
		}
		modified, err := time.Parse(time.RFC3339Nano, rec.Version)
		if err != nil {
			continue
		}
		last, err := misp.Withdrawn(o, later(t.r.now, modified))
		if err != nil {
			continue
		}
		l := rec.Label
		outcomes, err := t.r.submit(t.ctx, [][]byte{last}, &l, &l, nil)
		if err != nil {
			return err
		}
		t.r.report.count(outcomes)
		t.r.report.Counts.Gone++
	}
	return nil
}

// cleanEvent takes off what belongs to the instance that the event came from, and downgrades its distribution by one step: what was for the
// communities next to that instance is for this one, and what was for its community is for us alone.
func cleanEvent(e *misp.Event) {
	e.ID, e.OrgID, e.OrgcID, e.AttributeCount, e.SharingGroupID = "", "", "", "", ""
	e.Org, e.Locked, e.ProposalEmailLock = nil, misp.Unset, misp.Unset
	e.Shadows = nil
	e.Tags = globalTags(e.Tags)
	e.Unknown = without(e.Unknown, "RelatedEvent", "Feed", "event_creator_email", "user_id", "sighting_timestamp", "warnings", "Note", "Opinion", "Relationship", "RelationshipInbound")
	e.Distribution = misp.Downgraded(e.Distribution)
	cleanOrg(e.Orgc)
	cleanGroup(e.SharingGroup)
	for i := range e.Reports {
		p := &e.Reports[i]
		p.ID, p.EventID, p.SharingGroupID = "", "", ""
		p.Tags = globalTags(p.Tags)
		p.Distribution = misp.Downgraded(p.Distribution)
		cleanGroup(p.SharingGroup)
	}
}

func cleanAttribute(a *misp.Attribute) {
	a.ID, a.EventID, a.ObjectID, a.SharingGroupID = "", "", "", ""
	a.Sightings, a.Shadows = nil, nil // sightings are asked for by themselves
	a.Tags = globalTags(a.Tags)
	a.Unknown = without(a.Unknown, "RelatedAttribute", "warnings", "Note", "Opinion", "Relationship", "RelationshipInbound", "Feed", "Server")
	a.Distribution = misp.Downgraded(a.Distribution)
	cleanGroup(a.SharingGroup)
}

func cleanObject(o *misp.Object) {
	o.ID, o.EventID, o.SharingGroupID = "", "", ""
	o.Unknown = without(o.Unknown, "Note", "Opinion", "Relationship", "RelationshipInbound")
	o.Distribution = misp.Downgraded(o.Distribution)
	cleanGroup(o.SharingGroup)
	for i := range o.Attributes {
		cleanAttribute(&o.Attributes[i])
	}
	for i := range o.References {
		o.References[i].ID, o.References[i].ObjectID = "", ""
		o.References[i].Unknown = without(o.References[i].Unknown, "event_id", "source_uuid", "referenced_id", "Attribute", "Object")
	}
}

func cleanOrg(o *misp.Org) {
	if o != nil {
		o.ID, o.Local = "", misp.Unset
	}
}

func cleanGroup(g *misp.SharingGroup) {
	if g == nil {
		return
	}
	g.ID, g.OrgID, g.SyncUserID, g.Local = "", "", "", misp.Unset
	cleanOrg(g.Organisation)
	for i := range g.Orgs {
		m := &g.Orgs[i]
		m.ID, m.SharingGroupID, m.OrgID = "", "", ""
		cleanOrg(m.Organisation)
	}
	for i := range g.Servers {
		g.Servers[i].ID, g.Servers[i].SharingGroupID, g.Servers[i].ServerID = "", "", ""
	}
}

// globalTags are those that leave their instance.
func globalTags(tags misp.List[misp.Tag]) misp.List[misp.Tag] {
	out := tags[:0]
	for _, t := range tags {
		if t.Local.True() {
			continue
		}
		t.ID = ""
		t.Unknown = without(t.Unknown, "user_id", "org_id", "relationship_type", "inherited", "local_only", "is_galaxy", "is_custom_galaxy", "numerical_value")
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// without is a JSON object less some of its members.
func without(object jsontext.Value, names ...string) jsontext.Value {
	if len(object) == 0 {
		return object
	}
	found := false
	for _, n := range names {
		found = found || bytes.Contains(object, []byte(`"`+n+`"`))
	}
	var m map[string]json.RawMessage
	if !found || json.Unmarshal(object, &m) != nil {
		return object
	}
	for _, n := range names {
		delete(m, n)
	}
	if len(m) == 0 {
		return nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil
	}
	return b
}
