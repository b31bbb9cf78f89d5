package mispapi

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/misp"
	"entente/stix"
)

// byValue gives the objects that have a value, among what events have. Values that patterns and observables state are found by the store's keys,
// the others among the attributes that STIX has no type for.
func (s *Surface) byValue(ctx context.Context, v gate.Viewer, value string, fn func(*store.Item, *stix.Object) (bool, error)) error {
	stop := false
	done := map[string]bool{}
	each := func(it *store.Item) (bool, error) {
		o, err := stix.Parse(it.Record.Body)
		if err != nil || it.Held || done[it.Record.ID] || misp.EventOf(o) == "" {
			return true, nil
		}
		done[it.Record.ID] = true
		more, err := fn(it, o)
		stop = !more
		return more, err
	}
	for _, form := range forms(value) {
		err := pages(ctx, s.x, v, store.Query{Lookups: []lookup{{Kind: valueKey, Text: form}}}, func(it *store.Item) (bool, error) {
			if it.Record.Type == "indicator" {
				return each(it)
			}
			more := true
			err := pages(ctx, s.x, v, store.Query{Lookups: []lookup{{Kind: refKey, Text: it.Record.ID}}, Types: []string{"observed-data"}}, func(it *store.Item) (bool, error) {
				var err error
				more, err = each(it)
				return more, err
			})
			return more, err
		})
		if err != nil || stop {
			return err
		}
	}
	for _, name := range []string{strings.ToLower(value)} {
		err := pages(ctx, s.x, v, store.Query{Lookups: []lookup{{Kind: nameKey, Text: name}}, Types: []string{"vulnerability", "campaign"}}, each)
		if err != nil || stop {
			return err
		}
	}
	return pages(ctx, s.x, v, store.Query{Types: []string{"x-misp-attribute", "x-misp-object"}}, func(it *store.Item) (bool, error) {
		if !strings.Contains(string(it.Record.Body), jsonEscaped(value)) {
			return true, nil
		}
		return each(it)
	})
}

// forms are the forms in which the store may know a value.
func forms(value string) []string {
	out := []string{value}
	if low := strings.ToLower(value); low != value {
		out = append(out, low)
	}
	if ip := net.ParseIP(value); ip != nil && ip.String() != value {
		out = append(out, ip.String())
	}
	for _, sep := range []string{"|"} { // composite values are stated one by one
		if a, b, ok := strings.Cut(value, sep); ok {
			out = append(out, a, b)
		}
	}
	return out
}

func (s *Surface) searchRoutes() map[string]route {
	read, write := gate.Action(gate.ObjectRead), gate.Action(gate.ObjectWrite)
	return map[string]route{
		"events/restSearch":     {"GET POST", read, s.searchEvents},
		"attributes/restSearch": {"GET POST", read, s.searchAttributes},
		"tags/index":            {"GET POST", read, s.tags},
		"tags/search":           {"GET POST", read, s.searchTags},
		"tags/add":              {"POST", write, s.addTag},
		"feeds/searchCaches":    {"GET POST", read, func(c *call) error { return c.answer([]int{}) }},
		"events/freeTextImport": {"POST", write, s.freeText},
	}
}

// attributeFilter is what a search asks of attributes.
type attributeFilter struct {
	values, types, categories, tags, uuids []string
	toIDs                                  string
	from, to                               time.Time
	comment                                string
}

func (s *Surface) attributeFilterOf(p params, attributes bool) (f attributeFilter, err error) {
	f = attributeFilter{values: split(p.list("value")), types: split(p.list("type", "type_attribute")), categories: split(p.list("category")), comment: p.get("comment")}
	if v := p.get("to_ids"); v == "0" || v == "1" {
		f.toIDs = v
	}
	if attributes {
		f.tags, f.uuids = split(p.list("tags", "tag")), split(p.list("uuid"))
		f.from, f.to, err = window(p, s.cfg.Now(), "attribute_timestamp", "timestamp", "last")
	} else {
		f.from, f.to, err = window(p, s.cfg.Now(), "attribute_timestamp")
	}
	return f, err
}

func (f *attributeFilter) empty() bool {
	return len(f.values)+len(f.types)+len(f.categories)+len(f.tags)+len(f.uuids)+len(f.comment) == 0 && f.toIDs == "" && f.from.IsZero() && f.to.IsZero()
}

func (f *attributeFilter) match(a *misp.Attribute) bool {
	if f.toIDs != "" && (f.toIDs == "1") != a.ToIDs.True() {
		return false
	}
	if !f.from.IsZero() || !f.to.IsZero() {
		at, ok := misp.Time(a.Timestamp)
		if !ok || at.Before(f.from) || !f.to.IsZero() && at.After(f.to) {
			return false
		}
	}
	return pass(f.types, func(t string) bool { return matchText(t, a.Type) }) &&
		pass(f.categories, func(t string) bool { return matchText(t, a.Category) }) &&
		pass(f.uuids, func(t string) bool { return strings.EqualFold(t, a.UUID) }) &&
		pass(f.values, func(t string) bool {
			if matchText(t, a.Value) {
				return true
			}
			x, y, ok := strings.Cut(a.Value, "|")
			return ok && (matchText(t, x) || matchText(t, y))
		}) &&
		pass(f.tags, func(t string) bool {
			return slices.ContainsFunc(a.Tags, func(tag misp.Tag) bool { return matchText(t, tag.Name) })
		}) && (f.comment == "" || matchText(f.comment, a.Comment))
}

// candidates are the events that a search can find something in, in their order; where exact values are asked for, hits are the ids of the
// objects that have one, by event. byTags tells whether tags are asked of events.
func (s *Surface) candidates(c *call, byTags bool, values []string) (heads []head, hits map[string][]string, err error) {
	p := params{}
	for k, v := range c.params {
		p[k] = v
	}
	if !byTags {
		for _, name := range []string{"tags", "tag", "timestamp", "uuid", "last"} {
			delete(p, name)
		}
	}
	f, err := s.filterOf(p)
	if err != nil {
		return nil, nil, err
	}
	if !byTags {
		f.published = ""
	}
	exact := len(values) > 0
	for _, v := range values {
		if strings.HasPrefix(v, "!") || strings.Contains(v, "%") {
			exact = false
		}
	}
	if exact {
		hits = map[string][]string{}
		found := 0
		for _, v := range values {
			if err := s.byValue(c.r.Context(), c.v, v, func(it *store.Item, o *stix.Object) (bool, error) {
				event := misp.EventOf(o)
				hits[event] = append(hits[event], it.Record.ID)
				found++
				return found < maxElements, nil
			}); err != nil {
				return nil, nil, err
			}
		}
		if found == 0 {
			return nil, nil, nil
		}
	}
	heads, err = s.allHeads(c.r.Context(), c.v)
	if err != nil {
		return nil, nil, err
	}
	if hits != nil {
		heads = slices.DeleteFunc(heads, func(h head) bool { return hits[h.uuid] == nil })
	}
	if len(f.uuids)+len(f.orgs) > 0 || f.published != "" || !f.from.IsZero() || !f.to.IsZero() || f.needsBody() {
		o := s.orgs()
		var sums []*summary
		if f.needsBody() || len(f.orgs) > 0 {
			if sums, err = s.withSummaries(c.r.Context(), c.v, heads); err != nil {
				return nil, nil, err
			}
		}
		heads, _ = f.of(s, o, heads, sums)
	}
	return heads, hits, nil
}

// span is which of the things found are asked for.
type span struct{ skip, left int }

func (p params) span() (sp span, err error) {
	limit, err := p.count("limit", 0)
	if err != nil {
		return sp, err
	}
	page, err := p.count("page", 1)
	if err != nil {
		return sp, err
	}
	sp.left = -1 // everything
	if limit > 0 {
		sp = span{max(page-1, 0) * limit, limit}
	}
	return sp, nil
}

// take tells whether the next thing found is asked for, and whether more are.
func (sp *span) take() (this, more bool) {
	switch {
	case sp.left == 0:
		return false, false
	case sp.skip > 0:
		sp.skip--
		return false, true
	case sp.left > 0:
		sp.left--
	}
	return true, sp.left != 0
}

// search is what a request looks for, and where it may be.
type search struct {
	attributeFilter
	span
	heads []head
	hits  map[string][]string // as candidates gives them
}

// search reads a request for attributes, or for events that have such. forms are those in which the answer can be.
func (s *Surface) search(c *call, attributes bool, forms ...string) (q search, err error) {
	if err = c.readParams(); err != nil {
		return q, err
	}
	if err = s.format(c, forms...); err != nil {
		return q, err
	}
	if q.attributeFilter, err = s.attributeFilterOf(c.params, attributes); err != nil {
		return q, err
	}
	if q.span, err = c.params.span(); err != nil {
		return q, err
	}
	q.heads, q.hits, err = s.candidates(c, !attributes, q.values)
	return q, err
}

// searchEvents finds events, and gives them whole.
func (s *Surface) searchEvents(c *call) error {
	q, err := s.search(c, false, "json")
	if err != nil {
		return err
	}
	o := s.orgs()
	metadata := c.params.flag("metadata")
	c.w.Header().Set("Content-Type", "application/json")
	return c.stream(func(w io.Writer) error {
		text := `{"response":[`
		for i := range q.heads {
			ev, err := s.found(c, o, q.heads[i].uuid)
			if err != nil {
				return err
			}
			if ev == nil {
				continue
			}
			if !q.empty() {
				ev.only = q.hits[ev.h.uuid]
				found, err := ev.has(&q.attributeFilter)
				ev.only = nil
				if err != nil {
					return err
				} else if !found {
					continue
				}
			}
			this, more := q.take()
			if this {
				if _, err := io.WriteString(w, text); err != nil {
					return err
				}
				text = ","
				if err := ev.write(w, metadata); err != nil {
					return err
				}
			}
			if !more {
				break
			}
		}
		if text != "," {
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, "]}")
		return err
	})
}

var errFound = errors.New("found")

// has tells whether one of the event's attributes passes.
func (ev *opened) has(f *attributeFilter) (bool, error) {
	err := ev.eachAttribute(func(a *misp.Attribute) error {
		if f.match(a) {
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}

// eachAttribute calls fn with every attribute, those in objects too.
func (ev *opened) eachAttribute(fn func(*misp.Attribute) error) error {
	return ev.each(func(el *misp.Element) error {
		for i := range el.Attributes {
			if err := fn(&el.Attributes[i]); err != nil {
				return err
			}
		}
		for i := range el.Objects {
			for j := range el.Objects[i].Attributes {
				if err := fn(&el.Objects[i].Attributes[j]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// format tells in which form an answer is wanted, if it is one of those spoken.
func (s *Surface) format(c *call, spoken ...string) error {
	f := c.params.get("returnFormat")
	if f == "" {
		f = "json"
	}
	if !slices.Contains(spoken, f) {
		return fault.New(fault.NotAcceptable, "misp.format", "%q is not given here", clip(f)).At("returnFormat").Try("ask for " + strings.Join(spoken, ", "))
	}
	c.params["returnFormat"] = []string{f}
	return nil
}

// searchAttributes finds attributes.
func (s *Surface) searchAttributes(c *call) error {
	q, err := s.search(c, true, "json", "csv", "text")
	if err != nil {
		return err
	}
	form := c.params.get("returnFormat")
	o := s.orgs()
	c.w.Header().Set("Content-Type", map[string]string{"json": "application/json", "csv": "text/csv; charset=utf-8", "text": "text/plain; charset=utf-8"}[form])
	return c.stream(func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 32<<10)
		switch form {
		case "json":
			b.WriteString(`{"response":{"Attribute":[`)
		case "csv":
			b.WriteString("uuid,event_id,category,type,value,comment,to_ids,date\n")
		}
		first, end := true, false
		for i := range q.heads {
			ev, err := s.found(c, o, q.heads[i].uuid)
			if err != nil {
				return err
			}
			if ev == nil {
				continue
			}
			ev.only = q.hits[ev.h.uuid]
			err = ev.eachAttribute(func(a *misp.Attribute) error {
				if !q.match(a) {
					return nil
				}
				this, more := q.take()
				if this {
					switch form {
					case "text":
						b.WriteString(a.Value)
						b.WriteByte('\n')
					case "csv":
						row := csv.NewWriter(b)
						row.Write([]string{a.UUID, a.EventID, a.Category, a.Type, a.Value, a.Comment, map[bool]string{true: "1", false: "0"}[a.ToIDs.True()], a.Timestamp})
						row.Flush()
					default:
						raw, err := misp.Encode(a)
						if err != nil {
							return err
						}
						if !first {
							b.WriteByte(',')
						}
						b.Write(raw[:len(raw)-1])
						b.WriteString(`,"event_uuid":"` + ev.h.uuid + `","Event":{"id":"` + ev.event.ID + `","uuid":"` + ev.h.uuid + `","org_id":"` + ev.event.OrgID + `","orgc_id":"` + ev.event.OrgcID + `","info":`)
						info, err := json.Marshal(ev.event.Info, compact)
						if err != nil {
							return err
						}
						b.Write(info)
						b.WriteString("}}")
					}
					first = false
				}
				if !more {
					end = true
					return errFound
				}
				return nil
			})
			if err != nil && !errors.Is(err, errFound) {
				return err
			}
			if end {
				break
			}
		}
		if form == "json" {
			b.WriteString("]}}")
		}
		return b.Flush()
	})
}

// tagList is the tags of the events that the viewer may have.
func (s *Surface) tagList(c *call) ([]misp.Tag, error) {
	heads, err := s.allHeads(c.r.Context(), c.v)
	if err != nil {
		return nil, err
	}
	sums, err := s.withSummaries(c.r.Context(), c.v, heads)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var out []misp.Tag
	for i, sum := range sums {
		own := heads[i].origin.Nation == c.v.Nation && heads[i].origin.Org == c.v.Org
		for _, t := range s.numberTags(sum.event.Tags, own) {
			if key := strings.ToLower(t.Name); !seen[key] {
				seen[key] = true
				out = append(out, t)
			}
		}
	}
	slices.SortFunc(out, func(a, b misp.Tag) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (s *Surface) tagPage(t *misp.Tag) named {
	colour := t.Colour
	if colour == "" {
		colour = "#000000"
	}
	return named{"id": s.tagNumber(t.Name), "name": t.Name, "colour": colour, "exportable": true, "hide_tag": false, "local_only": false, "is_galaxy": false}
}

func (s *Surface) tags(c *call) error {
	list, err := s.tagList(c)
	if err != nil {
		return err
	}
	out := []named{}
	for i := range list {
		out = append(out, s.tagPage(&list[i]))
	}
	return c.answer(named{"Tag": out})
}

func (s *Surface) searchTags(c *call) error {
	if err := c.readParams(); err != nil {
		return err
	}
	term := c.arg(0, "tag", "name")
	list, err := s.tagList(c)
	if err != nil {
		return err
	}
	out := []named{}
	for i := range list {
		if matchInfo(strings.ToLower(term), list[i].Name) {
			out = append(out, named{"Tag": s.tagPage(&list[i])})
		}
	}
	return c.answer(out)
}

// addTag gives a tag its number. A tag is there as soon as something has it: there is nothing to store.
func (s *Surface) addTag(c *call) error {
	raw, err := items(c.body, "Tag")
	if err != nil {
		return err
	}
	var t misp.Tag
	if len(raw) != 1 {
		return fault.New(fault.Invalid, "misp.empty", "one tag at a time is taken")
	}
	if err := misp.Decode(raw[0], &t); err != nil {
		return asFault(err)
	}
	if t.Name == "" || len(t.Name) > 255 {
		return fault.New(fault.Forbidden, "misp.tag", "The tag could not be saved: its name has 1 to 255 bytes.").At("name")
	}
	return c.answer(named{"Tag": s.tagPage(&t)})
}

// found opens an event that a search came upon; nil where it is gone by now, or where the rules let it not go.
func (s *Surface) found(c *call, o *orgs, uuid string) (*opened, error) {
	ctx := c.r.Context()
	it, ok, err := s.find(ctx, c.v, uuid, false)
	if err != nil || !ok || it.Record.Revoked {
		return nil, err
	}
	ev, err := s.open(ctx, c.v, o, &it, wanted(c.params))
	if err != nil || ev.ruled() != nil {
		return nil, err
	}
	return ev, nil
}
