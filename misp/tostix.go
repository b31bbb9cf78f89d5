package misp

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"entente/label"
	"entente/stix"
)

// Options say how events become STIX.
type Options struct {
	// Observables adds to every indicator an observed-data of the same values, the cyber-observable objects, and a based-on relationship.
	Observables bool
	Policy      Policy
}

// Item is one STIX object with its label.
type Item struct {
	ID     string
	Raw    []byte
	Label  label.Label
	Stated bool // a tag states a TLP
}

// maxCarried bounds the MISP text in one STIX object, so that the object stays within what a STIX reader takes.
const maxCarried = 6 << 20

// ToSTIX converts an event. The first items are those of Definitions; the last is the report, or the grouping where the event is not
// published. The same event gives the same bytes. The pointers of the losses lead into the event.
func ToSTIX(e *Event, o Options) ([]Item, []Loss) {
	s := NewStream(e, o)
	for i := range e.Attributes {
		s.c.attribute(&e.Attributes[i], i)
	}
	for i := range e.Objects {
		s.c.object(&e.Objects[i], i)
	}
	s.objects = e.Objects
	s.end()
	return s.c.items, s.c.losses
}

type converter struct {
	e      *Event
	o      Options
	w      writer
	items  []Item
	losses []Loss

	used     map[string]bool   // STIX ids given out
	byUUID   map[string]string // STIX id by MISP uuid
	scos     map[string]int    // place in items by id
	markings map[string]bool
	refs     []ref  // what the report may refer to
	external string // an external reference of the object at hand, as JSON

	key               string // names the event in derived ids
	created, modified time.Time
	author            string       // id of the creator's identity
	head              string       // id of the report
	kept              List[Object] // MISP objects that hold a STIX object, which goes out in their place
	outer             level
}

// ref is an object of the event, with the place of its item.
type ref struct {
	id string
	at int // -1: it went out before, and the report may name it
}

// level is what restricts an element.
type level struct {
	label  label.Label
	stated bool
}

func (c *converter) lose(code, pointer, format string, args ...any) {
	c.losses = append(c.losses, Loss{Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...)})
}

func (c *converter) begin() {
	for _, raw := range Definitions() {
		id := authorID
		if len(c.items) > 0 {
			id = extensionID
		}
		c.items = append(c.items, Item{ID: id, Raw: raw, Label: label.For(label.Clear), Stated: true})
	}
	c.used[authorID], c.used[extensionID] = true, true
	e := c.e
	l, stated, sound := c.o.Policy.event(e)
	c.outer = level{l, stated}
	if !sound {
		c.lose(LossTags, "/Tag", "the TLP or PAP tags of the event contradict each other or are not understood: RED is stated")
	}
	var ok bool
	if c.modified, ok = unixTime(e.Timestamp); !ok {
		if day, sound := seenTime(e.Date); sound && day.Year() >= 1970 {
			c.modified = day
		} else {
			c.modified = time.Unix(0, 0).UTC()
		}
		c.lose(LossTime, "/timestamp", "%q is no time: the date of the event stands for it", clip(e.Timestamp))
	}
	c.created = c.modified
	if day, sound := seenTime(e.Date); sound && day.Before(c.modified) && day.Year() >= 1970 {
		c.created = day
	}
	c.key = strings.ToLower(e.UUID)
	if c.key == "" {
		c.key = derived("event", e.Info, e.Date, e.Timestamp)
	}
	typ := "grouping"
	if e.Published.True() {
		typ = "report"
	}
	c.head = c.claim(typ, e.UUID, "")
	delete(c.byUUID, strings.ToLower(e.UUID)) // nothing in an event refers to the event itself
	if e.Orgc != nil && (e.Orgc.Name != "" || e.Orgc.UUID != "") {
		c.author = c.identity(e.Orgc)
	}
}

// identity gives the id of an organisation's identity, and makes it when it is new.
func (c *converter) identity(org *Org) string {
	id := "identity--" + stixUUID(org.UUID, "org", org.UUID, org.Name)
	if c.used[id] {
		return id
	}
	c.used[id] = true
	c.w.begin("identity", id)
	c.w.times(time.Unix(0, 0).UTC(), time.Unix(0, 0).UTC())
	name := org.Name
	if name == "" {
		name = org.UUID
	}
	c.w.text("name", name)
	c.w.text("identity_class", "organization")
	c.w.extension("property-extension", kindDerived, nil)
	c.put(id, c.w.end(), level{label.Bottom(), false})
	return id
}

func (c *converter) put(id string, raw []byte, l level) {
	c.items = append(c.items, Item{ID: id, Raw: append([]byte(nil), raw...), Label: l.label, Stated: l.stated})
}

// claim gives the id of an element: its own uuid where STIX allows that and it is free, else a derived one.
func (c *converter) claim(typ, own, pointer string) string {
	id := typ + "--" + stixUUID(own)
	if strings.HasSuffix(id, "--") || c.used[id] {
		c.lose(LossUUID, pointer+"/uuid", "%q cannot be the id of a STIX object: one is derived", clip(own))
		id = typ + "--" + derived(c.key, pointer)
	}
	c.used[id] = true
	if own != "" {
		if _, known := c.byUUID[strings.ToLower(own)]; !known {
			c.byUUID[strings.ToLower(own)] = id
		}
	}
	return id
}

// stixUUID is a MISP uuid where STIX allows it, else a derived one, or "" where there is nothing to derive it from.
func stixUUID(own string, parts ...string) string {
	if len(own) == 36 {
		if u, err := uuid.Parse(own); err == nil && u.Variant() == uuid.RFC4122 && u.Version() >= 1 && u.Version() <= 5 {
			return u.String()
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return derived(parts...)
}

// timesOf is when an element came to be and last changed.
func (c *converter) timesOf(timestamp, pointer string) (created, modified time.Time) {
	modified, ok := unixTime(timestamp)
	if !ok {
		if timestamp != "" {
			c.lose(LossTime, pointer+"/timestamp", "%q is no time: that of the event stands for it", clip(timestamp))
		}
		return c.created, c.modified
	}
	if c.created.Before(modified) {
		return c.created, modified
	}
	return modified, modified
}

// common writes what every domain object of an element has.
func (c *converter) common(typ, id, timestamp, pointer string, l level) (created, modified time.Time) {
	refs := c.markingRefs(l)
	c.w.begin(typ, id)
	c.w.text("created_by_ref", c.author)
	created, modified = c.timesOf(timestamp, pointer)
	c.w.times(created, modified)
	c.w.list("object_marking_refs", refs)
	return created, modified
}

// carry writes our extension and ends the object.
func (c *converter) carry(kind, id, pointer string, element any, l level) {
	how := "property-extension"
	if strings.HasPrefix(id, "x-") {
		how = "new-sdo"
	}
	carried, err := text(element)
	if err != nil || len(carried) > maxCarried {
		c.lose(LossLarge, pointer, "the element has %d bytes, more than fit into one STIX object: only what STIX says of it travels", len(carried))
		carried = nil
	}
	if kind != kindEvent {
		c.externals()
	}
	c.w.extension(how, kind, carried)
	c.put(id, c.w.end(), l)
	c.refer(id)
}

// EventSource is the source_name of the external reference by which every element names the event that it is part of. Its external_id is the
// event's uuid as the id of its report or grouping has it.
const EventSource = "misp-event"

// externals writes the external references of an element: the event, and what it says of itself.
func (c *converter) externals() {
	own := c.external
	c.external = ""
	if _, event, ok := strings.Cut(c.head, "--"); ok {
		if own != "" {
			own += ","
		}
		own += `{"source_name":"` + EventSource + `","external_id":"` + event + `"}`
	}
	if own != "" {
		c.w.raw("external_references", "["+own+"]")
	}
}

// refer lets the report name the last item.
func (c *converter) refer(id string) { c.refs = append(c.refs, ref{id, len(c.items) - 1}) }

// observe adds cyber-observable objects. One that is there already takes the stricter markings of both.
func (c *converter) observe(objects []*stix.Object, l level) []string {
	ids := make([]string, len(objects))
	for i, o := range objects {
		ids[i] = o.ID()
		if at, known := c.scos[o.ID()]; known {
			c.items[at].Label = label.Join(c.items[at].Label, l.label)
			c.items[at].Stated = c.items[at].Stated || l.stated
			continue
		}
		if c.used[o.ID()] {
			continue // the event holds the object itself
		}
		c.scos[o.ID()] = len(c.items)
		c.items = append(c.items, Item{ID: o.ID(), Raw: o.Raw(), Label: l.label, Stated: l.stated})
		c.refer(o.ID())
	}
	return ids
}

// relate adds a relationship, which nothing comes of on the way back.
func (c *converter) relate(typ, from, to string, l level) {
	if !relatable(from) || !relatable(to) {
		return
	}
	id := "relationship--" + derived(c.key, typ, from, to)
	if c.used[id] {
		return
	}
	c.used[id] = true
	c.common("relationship", id, "", "", l)
	c.w.text("relationship_type", typ)
	c.w.text("source_ref", from)
	c.w.text("target_ref", to)
	c.externals()
	c.w.extension("property-extension", kindDerived, nil)
	c.put(id, c.w.end(), l)
	c.refer(id)
}

// relatable tells whether a relationship may name an object (STIX 2.1, 5.1).
func relatable(id string) bool {
	typ, _, _ := strings.Cut(id, "--")
	return stix.IsSDO(typ) || stix.IsSCO(typ) || strings.HasPrefix(typ, "x-misp-")
}

// finish marks the observables and writes the report.
func (c *converter) finish() {
	for i := 0; i < len(c.items); i++ {
		if at, ok := c.scos[c.items[i].ID]; !ok || at != i {
			continue
		}
		refs := c.markingRefs(level{c.items[i].Label, c.items[i].Stated})
		if len(refs) == 0 {
			continue
		}
		c.w.b = append(c.w.b[:0], c.items[i].Raw[:len(c.items[i].Raw)-1]...)
		c.w.list("object_marking_refs", refs)
		c.items[i].Raw = append([]byte(nil), c.w.end()...)
	}
	e := c.e
	head := *e
	head.Attributes, head.Objects, head.Reports, head.raw = nil, c.kept, nil, nil
	refs := c.listed()
	id := c.head
	typ, _, _ := strings.Cut(id, "--")
	c.common(typ, id, e.Timestamp, "", c.outer)
	name := e.Info
	if name == "" {
		name = "MISP event"
	}
	c.w.text("name", name)
	if typ == "report" {
		published, ok := unixTime(e.PublishTimestamp)
		if !ok || published.Unix() == 0 {
			published = c.modified
		}
		c.w.time("published", published)
		c.w.list("report_types", []string{"threat-report"})
	} else {
		c.w.text("context", "suspicious-activity")
	}
	if n, ok := confidence(e.Tags); ok {
		c.w.raw("confidence", strconv.Itoa(n))
	}
	var own []string
	if s, ok := threatLevels[e.ThreatLevel]; ok {
		own = append(own, `misp:threat-level="`+s+`"`)
	}
	if s, ok := analyses[e.Analysis]; ok {
		own = append(own, `misp:analysis="`+s+`"`)
	}
	c.w.list("labels", labelsOf(e.Tags, own...))
	c.w.list("object_refs", refs)
	c.carry(kindEvent, id, "", &head, c.outer)
}

// maxRefs bounds what one object lists, so that each stays of a size that readers take. Every element names its event besides.
const maxRefs = 4000

// listed is what the report refers to: of what is restricted no more than itself, so that naming it tells nobody of something hidden, the first
// maxRefs.
func (c *converter) listed() []string {
	seen := make(map[string]bool, min(len(c.refs), maxRefs))
	var ids []string
	for _, r := range c.refs {
		if len(ids) == maxRefs {
			break
		}
		if seen[r.id] || r.at >= 0 && !label.LessEqual(c.items[r.at].Label, c.outer.label) {
			continue
		}
		seen[r.id] = true
		ids = append(ids, r.id)
	}
	if len(ids) == 0 {
		ids = []string{authorID}
	}
	return ids
}

var (
	threatLevels = map[string]string{"1": "high-risk", "2": "medium-risk", "3": "low-risk", "4": "undefined"}
	analyses     = map[string]string{"0": "initial", "1": "ongoing", "2": "completed"}
)

func unrepeated(texts []string) []string {
	seen := make(map[string]bool, len(texts))
	out := texts[:0]
	for _, s := range texts {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// clip shortens a value for a message.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}
