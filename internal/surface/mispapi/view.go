package mispapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
	"entente/misp"
	"entente/stix"
)

// outHead is an event as this viewer gets it, without its elements. Its originator gets the distribution that it stated; everybody else what
// the label says.
func (s *Surface) outHead(v gate.Viewer, o *orgs, h *head, in *misp.Event) *misp.Event {
	e := *in
	e.UUID, e.ID = h.uuid, s.numbers.give("event", h.uuid)
	e.Timestamp = misp.Unix(h.at)
	e.Published = misp.FlagOf(h.published)
	holder := s.org(o.uuid(h.origin.Nation, h.origin.Org), h.origin.Org)
	e.Org, e.OrgID = holder, holder.ID
	if e.Orgc == nil {
		e.Orgc = holder
	}
	creator := *e.Orgc
	creator.ID, creator.Local = s.numbers.give("org", creator.UUID), misp.FlagOf(o.byParty[h.origin.Nation+"/"+creator.Name] != "")
	e.Orgc, e.OrgcID = &creator, creator.ID
	if e.ThreatLevel == "" {
		e.ThreatLevel = "4"
	}
	if e.Analysis == "" {
		e.Analysis = "0"
	}
	if e.Date == "" {
		e.Date = h.at.UTC().Format("2006-01-02")
	}
	if e.PublishTimestamp == "" {
		e.PublishTimestamp = "0"
		if h.published {
			e.PublishTimestamp = e.Timestamp
		}
	}
	if e.Locked == misp.Unset {
		e.Locked = misp.False
	}
	if e.DisableCorrelation == misp.Unset {
		e.DisableCorrelation = misp.False
	}
	own := v.Nation == h.origin.Nation && v.Org == h.origin.Org
	if !own {
		sh := s.sharing(o, *h.label)
		e.Distribution, e.SharingGroup, e.SharingGroupID = sh.Distribution, sh.Group, sh.groupID
		e.Tags = sh.tags(e.Tags)
		e.AttributeCount = "" // of attributes that this viewer may not have, too
	}
	if e.SharingGroup == nil {
		e.SharingGroupID = "0"
	} else {
		e.SharingGroupID = s.numbers.give("group", e.SharingGroup.UUID)
	}
	e.Tags = s.numberTags(e.Tags, own)
	return &e
}

// sharing is a label in MISP, with the number of its group.
type sharing struct {
	misp.Sharing
	groupID string
}

func (s *Surface) sharing(o *orgs, l label.Label) sharing {
	p := misp.Policy{Principals: make(map[string]string, len(o.byUUID))}
	for id, org := range o.byUUID {
		p.Principals[id] = label.Org(org.Nation, org.Name)
	}
	sh := sharing{p.SharingOf(l), "0"}
	if sh.Group != nil {
		sh.groupID = s.numbers.give("group", sh.Group.UUID)
		for i := range sh.Group.Orgs {
			if m := sh.Group.Orgs[i].Organisation; m != nil {
				m.Name = o.byUUID[m.UUID].Name
			}
		}
	}
	return sh
}

// tags is the tags of an element with those that the label says in place of its own TLP and PAP.
func (sh *sharing) tags(in misp.List[misp.Tag]) misp.List[misp.Tag] {
	out := make(misp.List[misp.Tag], 0, len(in)+2)
	for _, t := range in {
		if n := strings.ToLower(t.Name); !strings.HasPrefix(n, "tlp:") && !strings.HasPrefix(n, "pap:") {
			out = append(out, t)
		}
	}
	return append(out, sh.Tags...)
}

// numberTags gives tags their numbers, and keeps local ones at home.
func (s *Surface) numberTags(in misp.List[misp.Tag], own bool) misp.List[misp.Tag] {
	out := make(misp.List[misp.Tag], 0, len(in))
	for _, t := range in {
		if t.Local.True() && !own {
			continue
		}
		t.ID = s.tagNumber(t.Name)
		if t.Local == misp.Unset {
			t.Local = misp.False
		}
		out = append(out, t)
	}
	return out
}

func (s *Surface) tagNumber(name string) string { return s.numbers.give("tag", strings.ToLower(name)) }

// opened is an event that is being read for one viewer.
type opened struct {
	s       *Surface
	ctx     context.Context
	v       gate.Viewer
	o       *orgs
	h       head
	reading *misp.Reading // nil for what MISP did not make
	event   *misp.Event   // the head as it goes out
	own     bool          // the viewer is its originator
	foreign *misp.Event   // of what MISP did not make: the whole
	levels  map[label.Label]sharing
	want    elements
	only    []string // ids of the objects that are looked at; nil: all
}

// elements says which elements of an event are wanted.
type elements struct {
	deleted     bool // those too that are deleted
	onlyDeleted bool
	galaxies    bool
	toIDs       string // "", "0", "1"
	attribute   func(*misp.Attribute) bool
}

func wanted(p params) elements {
	w := elements{galaxies: !p.flag("excludeGalaxy")}
	for _, d := range p["deleted"] {
		switch strings.ToLower(d) {
		case "1", "true", "only":
			w.deleted = true
		}
	}
	w.onlyDeleted = p.get("deleted") == "only"
	if v := p.get("to_ids"); v == "0" || v == "1" {
		w.toIDs = v
	}
	return w
}

// open begins to read an event.
func (s *Surface) open(ctx context.Context, v gate.Viewer, o *orgs, it *store.Item, want elements) (*opened, error) {
	obj, err := stix.Parse(it.Record.Body)
	if err != nil {
		return nil, fault.New(fault.Internal, "store.object", "a stored report cannot be read").Because(err)
	}
	ev := &opened{s: s, ctx: ctx, v: v, o: o, h: headOf(it), levels: map[label.Label]sharing{}, want: want}
	ev.own = v.Nation == ev.h.origin.Nation && v.Org == ev.h.origin.Org
	var in *misp.Event
	var ok bool
	if ev.reading, ok = misp.OpenEvent(obj); ok {
		in = ev.reading.Event()
	} else {
		if ev.foreign, err = ev.convert(obj); err != nil {
			return nil, err
		}
		in = ev.foreign
	}
	ev.event = s.outHead(v, o, &ev.h, in)
	if !want.galaxies {
		ev.event.Galaxies = nil
	}
	ev.event.Attributes, ev.event.Objects, ev.event.Reports = nil, nil, nil
	return ev, nil
}

// maxForeign is how many objects of a report that MISP did not make are converted.
const maxForeign = 20_000

// convert makes an event of a report or grouping of others, with whatever it names that the viewer may have.
func (ev *opened) convert(report *stix.Object) (*misp.Event, error) {
	raw, _ := report.Property("/object_refs")
	var p params = params{}
	if list, ok := texts(jsontext.Value(raw), nil, 0); ok {
		p["refs"] = list
	}
	ids := p["refs"]
	ids = append(ids[:min(len(ids), maxForeign):min(len(ids), maxForeign)], report.CreatedBy())
	objects := []*stix.Object{report}
	for chunk := range slices.Chunk(ids, pageItems) {
		err := pages(ev.ctx, ev.s.x, ev.v, store.Query{IDs: chunk}, func(it *store.Item) (bool, error) {
			if o, err := stix.Parse(it.Record.Body); err == nil && !it.Held {
				objects = append(objects, o)
			}
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	events, _, err := misp.FromSTIX(objects)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if strings.EqualFold(e.UUID, ev.h.uuid) {
			return e, nil
		}
	}
	return &misp.Event{UUID: ev.h.uuid, Info: report.Name()}, nil
}

// members selects the elements of an event: what names it, handed in by the same organisation.
func members(uuid string) store.Query {
	return store.Query{Lookups: []lookup{{Kind: external, Text: misp.EventSource + ":" + uuid}}}
}

// mine tells whether a record counts as part of the event: only what its originator handed in does.
func (ev *opened) mine(it *store.Item) bool {
	return it.Record.Origin.Nation == ev.h.origin.Nation && it.Record.Origin.Org == ev.h.origin.Org && !it.Held
}

// each calls fn with each element of the event that the viewer may have. Memory does not grow with the event.
func (ev *opened) each(fn func(*misp.Element) error) error {
	if ev.foreign != nil {
		el := misp.Element{Attributes: ev.foreign.Attributes, Objects: ev.foreign.Objects, Reports: ev.foreign.Reports}
		ev.finish(&el, *ev.h.label)
		return fn(&el)
	}
	each := func(it *store.Item) (bool, error) {
		if !ev.mine(it) {
			return true, nil
		}
		o, err := stix.Parse(it.Record.Body)
		if err != nil || misp.EventOf(o) != ev.h.uuid {
			return true, nil // it was stored under another rule than that of the standard
		}
		el := ev.reading.Element(o)
		if len(el.Attributes)+len(el.Objects)+len(el.Reports) == 0 {
			return true, nil
		}
		ev.finish(&el, it.Record.Label)
		return true, fn(&el)
	}
	if ev.only != nil {
		for chunk := range slices.Chunk(ev.only, pageItems) {
			if err := pages(ev.ctx, ev.s.x, ev.v, store.Query{IDs: chunk}, each); err != nil {
				return err
			}
		}
		return nil
	}
	if err := ev.heldObjects(fn); err != nil {
		return err
	}
	return pages(ev.ctx, ev.s.x, ev.v, members(ev.h.uuid), each)
}

// heldObjects gives the objects of the event that hold STIX objects of others: where the viewer may have those.
func (ev *opened) heldObjects(fn func(*misp.Element) error) error {
	kept := ev.reading.Event().Objects
	if len(kept) == 0 {
		return nil
	}
	at := map[string]int{}
	var ids []string
	for i := range kept {
		if id := misp.HeldID(&kept[i]); id != "" {
			at[id] = i
			ids = append(ids, id)
		}
	}
	for chunk := range slices.Chunk(ids, pageItems) {
		err := pages(ev.ctx, ev.s.x, ev.v, store.Query{IDs: chunk}, func(it *store.Item) (bool, error) {
			i, ok := at[it.Record.ID]
			if !ok || !ev.mine(it) {
				return true, nil
			}
			el := misp.Element{Objects: []misp.Object{kept[i]}}
			ev.finish(&el, it.Record.Label)
			return true, fn(&el)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// finish leaves out what is not wanted, and says numbers and distributions as this viewer gets them.
func (ev *opened) finish(el *misp.Element, l label.Label) {
	keep := ev.reach(l)
	el.Attributes = slices.DeleteFunc(el.Attributes, func(a misp.Attribute) bool { return !ev.wants(&a) })
	for i := range el.Attributes {
		ev.attribute(&el.Attributes[i], keep, "0")
	}
	el.Objects = slices.DeleteFunc(el.Objects, func(o misp.Object) bool {
		return o.Deleted.True() && !ev.want.deleted || !o.Deleted.True() && ev.want.onlyDeleted
	})
	objects := el.Objects[:0]
	for i := range el.Objects {
		o := el.Objects[i]
		o.ID, o.EventID = ev.s.numbers.give("object", o.UUID), ev.event.ID
		if !ev.own {
			o.Distribution, o.SharingGroup = keep.distribution, keep.group
		} else if o.Distribution == "" {
			o.Distribution = misp.DistributionInherit
		}
		o.SharingGroupID = ev.groupID(o.SharingGroup)
		if o.Deleted == misp.Unset {
			o.Deleted = misp.False
		}
		for j := range o.References {
			r := &o.References[j]
			r.ObjectUUID, r.ObjectID = o.UUID, o.ID
			r.ID = ev.s.numbers.give("reference", r.UUID)
		}
		before := len(o.Attributes)
		o.Attributes = slices.DeleteFunc(o.Attributes, func(a misp.Attribute) bool { return !ev.wants(&a) })
		if ev.want.attribute != nil && len(o.Attributes) == 0 && before > 0 {
			continue
		}
		for j := range o.Attributes {
			ev.attribute(&o.Attributes[j], reach{distribution: misp.DistributionInherit, tags: nil}, o.ID)
		}
		objects = append(objects, o)
	}
	el.Objects = objects
	for i := range el.Reports {
		r := &el.Reports[i]
		r.ID, r.EventID = ev.s.numbers.give("report", r.UUID), ev.event.ID
		if !ev.own {
			r.Distribution, r.SharingGroup = keep.distribution, keep.group
		}
		r.SharingGroupID = ev.groupID(r.SharingGroup)
		if r.Deleted == misp.Unset {
			r.Deleted = misp.False
		}
	}
}

func (ev *opened) wants(a *misp.Attribute) bool {
	switch {
	case a.Deleted.True() && !ev.want.deleted, !a.Deleted.True() && ev.want.onlyDeleted:
		return false
	case ev.want.toIDs != "" && (ev.want.toIDs == "1") != a.ToIDs.True():
		return false
	}
	return ev.want.attribute == nil || ev.want.attribute(a)
}

// reach is how far an element goes, as its viewer is told.
type reach struct {
	distribution string
	group        *misp.SharingGroup
	tags         *sharing
}

// reach is what the label of an element says in MISP: nothing of its own where it is that of the event.
func (ev *opened) reach(l label.Label) reach {
	if label.Equal(l, *ev.h.label) {
		return reach{distribution: misp.DistributionInherit}
	}
	key := l.Timeless()
	sh, ok := ev.levels[key]
	if !ok {
		sh = ev.s.sharing(ev.o, l)
		ev.levels[key] = sh
	}
	return reach{sh.Distribution, sh.Group, &sh}
}

func (ev *opened) groupID(g *misp.SharingGroup) string {
	if g == nil {
		return "0"
	}
	return ev.s.numbers.give("group", g.UUID)
}

func (ev *opened) attribute(a *misp.Attribute, r reach, object string) {
	a.ID, a.EventID, a.ObjectID = ev.s.numbers.give("attribute", a.UUID), ev.event.ID, object
	if !ev.own {
		a.Distribution, a.SharingGroup = r.distribution, r.group
		if r.tags != nil {
			a.Tags = r.tags.tags(a.Tags)
		}
	} else if a.Distribution == "" {
		a.Distribution = misp.DistributionInherit
	}
	a.SharingGroupID = ev.groupID(a.SharingGroup)
	if a.Deleted == misp.Unset {
		a.Deleted = misp.False
	}
	if a.ToIDs == misp.Unset {
		a.ToIDs = misp.False
	}
	if a.DisableCorrelation == misp.Unset {
		a.DisableCorrelation = misp.False
	}
	if len(a.Tags) > 0 {
		a.Tags = ev.s.numberTags(a.Tags, ev.own)
	}
	if !ev.want.galaxies {
		a.Galaxies = nil
	}
}

// buffered is how many bytes of objects wait while the attributes are written; beyond that the event is read once more.
const buffered = 32 << 20

// write writes the event: its head, its attributes, its objects, its reports.
func (ev *opened) write(w io.Writer, metadata bool) error {
	raw, err := misp.Encode(ev.event)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString(`{"Event":`)
	b.Write(raw[:len(raw)-1])
	if metadata {
		b.WriteString(`,"Attribute":[],"Object":[],"EventReport":[]}}`)
		_, err := w.Write(b.Bytes())
		return err
	}
	var objects, reports []byte
	again := false
	list := func(to []byte, item any) ([]byte, error) {
		raw, err := misp.Encode(item)
		if err != nil {
			return to, err
		}
		if len(to) > 0 {
			to = append(to, ',')
		}
		return append(to, raw...), nil
	}
	b.WriteString(`,"Attribute":[`)
	first := true
	flush := func(limit int) error {
		if b.Len() <= limit {
			return nil
		}
		_, err := b.WriteTo(w)
		b.Reset()
		return err
	}
	put := func(item any) error {
		raw, err := misp.Encode(item)
		if err != nil {
			return err
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.Write(raw)
		return flush(64 << 10)
	}
	err = ev.each(func(el *misp.Element) error {
		for i := range el.Attributes {
			if err := put(&el.Attributes[i]); err != nil {
				return err
			}
		}
		if len(objects)+len(reports) > buffered {
			again = true
			return nil
		}
		for i := range el.Objects {
			if objects, err = list(objects, &el.Objects[i]); err != nil {
				return err
			}
		}
		for i := range el.Reports {
			if reports, err = list(reports, &el.Reports[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.WriteString(`],"Object":[`)
	if !again {
		b.Write(objects)
	} else {
		first = true
		err = ev.each(func(el *misp.Element) error {
			for i := range el.Objects {
				if err := put(&el.Objects[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	b.WriteString(`],"EventReport":[`)
	if !again {
		b.Write(reports)
	} else {
		first = true
		err = ev.each(func(el *misp.Element) error {
			for i := range el.Reports {
				if err := put(&el.Reports[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	b.WriteString(`]}}`)
	return flush(0)
}

// view answers with one event, or with whether there is one.
func (s *Surface) view(c *call) error {
	if err := c.readParams(); err != nil {
		return err
	}
	it, err := s.event(c, c.arg(0, "id", "uuid", "eventid"))
	if err != nil {
		return err
	}
	o := s.orgs()
	ev, err := s.open(c.r.Context(), c.v, o, &it, wanted(c.params))
	if err != nil {
		return err
	}
	if err := ev.ruled(); err != nil {
		return err
	}
	if c.r.Method == http.MethodHead {
		c.w.Header().Set("Content-Type", "application/json")
		return nil
	}
	c.w.Header().Set("Content-Type", "application/json")
	return c.stream(func(w io.Writer) error { return ev.write(w, c.params.flag("metadata")) })
}

// ruled tells whether the rules keep the event back.
func (ev *opened) ruled() error {
	r := &ev.s.cfg.Rules
	if r.empty() || ev.own {
		return nil
	}
	var in *misp.Event
	if ev.foreign != nil {
		return r.event(ev.foreign)
	}
	in = ev.reading.Event()
	if err := r.head(in); err != nil {
		return err
	}
	return pages(ev.ctx, ev.s.x, ev.v, members(ev.h.uuid), func(it *store.Item) (bool, error) {
		o, err := stix.Parse(it.Record.Body)
		if err != nil || !ev.mine(it) {
			return true, nil
		}
		el := ev.reading.Element(o)
		e := misp.Event{Attributes: el.Attributes, Objects: el.Objects, Reports: el.Reports}
		rules := *r
		rules.Require = nil
		return true, rules.event(&e)
	})
}

// stream writes an answer piece by piece. What fails after the first byte cuts the answer off, so that nobody takes it for whole.
func (c *call) stream(fn func(io.Writer) error) error {
	w := &begun{w: c.w}
	err := fn(w)
	if err != nil && w.wrote {
		c.s.cfg.Log.Warn("an answer was cut off", "path", c.r.URL.Path, "cause", err)
		panic(http.ErrAbortHandler)
	}
	return err
}

type begun struct {
	w     io.Writer
	wrote bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.wrote = true
	return b.w.Write(p)
}
