package mispapi

import (
	"context"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
	"entente/misp"
	"entente/stix"
)

// loose is something of MISP that stands by itself, as one viewer has it.
type loose struct {
	it   *store.Item
	uuid string
	at   time.Time
	text []byte // as MISP JSON, without a wrapper
}

// looseAbout selects what is about something: an event, an attribute.
func looseAbout(kind, uuid string) store.Query {
	return store.Query{Types: []string{misp.LooseType(kind)}, Lookups: []lookup{{Kind: external, Text: misp.AboutSource + ":" + strings.ToLower(uuid)}}}
}

// eachLoose reads those that a query selects and the viewer may have.
func (s *Surface) eachLoose(ctx context.Context, v gate.Viewer, q store.Query, fn func(*loose) (bool, error)) error {
	return pages(ctx, s.x, v, q, func(it *store.Item) (bool, error) {
		if it.Held || it.Record.Revoked {
			return true, nil
		}
		o, err := stix.Parse(it.Record.Body)
		if err != nil {
			return true, nil
		}
		text, ok := misp.LooseText(o)
		if !ok {
			return true, nil
		}
		_, id, _ := strings.Cut(it.Record.ID, "--")
		at, _ := time.Parse(time.RFC3339Nano, it.Record.Version)
		return fn(&loose{it, id, at, text})
	})
}

// looseOf is one of a kind by its uuid; NotFound where there is none for this viewer.
func (s *Surface) looseOf(c *call, kind, id string) (found *loose, err error) {
	u := s.numbers.uuid(id)
	if u == "" {
		return nil, noSuch("no such " + kind)
	}
	err = s.eachLoose(c.r.Context(), c.v, store.Query{IDs: []string{misp.LooseType(kind) + "--" + u}}, func(l *loose) (bool, error) {
		found = l
		return false, nil
	})
	if err == nil && found == nil {
		err = noSuch("no such " + kind)
	}
	return found, err
}

// here tells which of the uuids of a kind are here, and in which version.
func (s *Surface) here(ctx context.Context, v gate.Viewer, kind string, uuids []string) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	const most = 5000
	for len(uuids) > 0 {
		n := min(len(uuids), most)
		ids := make([]string, 0, n)
		for _, u := range uuids[:n] {
			if u = misp.UUID(u); u != "" {
				ids = append(ids, misp.LooseType(kind)+"--"+u)
			}
		}
		uuids = uuids[n:]
		if len(ids) == 0 {
			continue
		}
		err := pages(ctx, s.x, v, store.Query{IDs: ids, Headers: true}, func(it *store.Item) (bool, error) {
			_, id, _ := strings.Cut(it.Record.ID, "--")
			out[id], _ = time.Parse(time.RFC3339Nano, it.Record.Version)
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// put stores loose things. What is refused is in the outcome.
func (s *Surface) putLoose(c *call, list []misp.Loose) (taken, error) {
	items := make([]misp.Item, 0, len(list)+2)
	for _, raw := range misp.Definitions() {
		id := "definition"
		items = append(items, misp.Item{ID: id, Raw: raw, Label: label.For(label.Clear), Stated: true})
	}
	for i := range list {
		l := &list[i]
		if l.UUID == "" {
			l.UUID = uuid.NewString()
		}
		if l.At.IsZero() {
			l.At = s.cfg.Now().Truncate(time.Second)
		}
		it, ok := l.Item()
		if !ok {
			return taken{}, fault.New(fault.Invalid, "misp.uuid", "%q is no uuid that STIX allows", clip(l.UUID)).At("uuid")
		}
		items = append(items, it)
	}
	t, err := s.submit(c.r.Context(), c.v, items)
	t.stored = max(t.stored-2, 0) // the definitions
	return t, err
}

// out writes what a viewer gets of a loose thing: its numbers, and its distribution as the label says it.
func (s *Surface) out(c *call, o *orgs, l *loose, kind string) (map[string]jsontext.Value, error) {
	var m map[string]jsontext.Value
	if err := json.Unmarshal(l.text, &m); err != nil {
		return nil, fault.New(fault.Internal, "store.object", "a stored element cannot be read").Because(err)
	}
	set := func(name, value string) {
		if b, err := json.Marshal(value); err == nil {
			m[name] = b
		}
	}
	set("uuid", l.uuid)
	set("id", s.numbers.give(kind, l.uuid))
	origin := l.it.Record.Origin
	if origin.Nation == c.v.Nation && origin.Org == c.v.Org {
		return m, nil
	}
	if _, ok := m["distribution"]; ok {
		sh := s.sharing(o, l.it.Record.Label)
		set("distribution", sh.Distribution)
		set("sharing_group_id", sh.groupID)
		delete(m, "SharingGroup")
		if sh.Group != nil {
			b, err := misp.Encode(sh.Group)
			if err != nil {
				return nil, err
			}
			m["SharingGroup"] = b
		}
	}
	return m, nil
}

// items is the elements of a body: a list, or one, each with or without the wrapper of its kind.
func items(raw []byte, wrappers ...string) ([]jsontext.Value, error) {
	v := jsontext.Value(raw)
	var list []jsontext.Value
	switch v.Kind() {
	case '[':
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fault.New(fault.Invalid, "misp.syntax", "the body is not sound JSON: %v", err)
		}
	case '{':
		list = []jsontext.Value{v}
	default:
		return nil, fault.New(fault.Invalid, "misp.syntax", "the body is neither a list nor an object")
	}
	if len(list) > maxElements {
		return nil, fault.New(fault.TooLarge, "misp.elements", "at most %d elements are taken at once", maxElements)
	}
	for i := range list {
		var members map[string]jsontext.Value
		if err := json.Unmarshal(list[i], &members); err != nil {
			return nil, fault.New(fault.Invalid, "misp.syntax", "an element is no JSON object: %v", err)
		}
		for _, w := range wrappers {
			if inner, ok := members[w]; ok && inner.Kind() == '{' {
				list[i] = inner
			}
		}
	}
	return list, nil
}

const maxElements = 50_000
