package mispapi

import (
	"cmp"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"entente/internal/fault"
	"entente/internal/store"
	"entente/misp"
)

// attributesIn reads the attributes of a body: one, a list, or in the wrapper of MISP. many: the answer is a list too.
func (c *call) attributesIn() (list []misp.Attribute, many bool, err error) {
	raw, err := items(c.body, "Attribute")
	if err != nil {
		return nil, false, err
	}
	for _, v := range raw {
		values, v, err := several(v)
		if err != nil {
			return nil, false, err
		}
		var a misp.Attribute
		if err := misp.Decode(v, &a); err != nil {
			return nil, false, asFault(err)
		}
		if values == nil {
			values = []string{a.Value}
		}
		for _, value := range values {
			a.Value = value
			if list = append(list, a); len(values) > 1 {
				list[len(list)-1].UUID = ""
			}
		}
	}
	return list, len(list) > 1 || len(c.body) > 0 && c.body[0] == '[', nil
}

// several takes a list of values out of an attribute that stands for one attribute for each.
func several(raw jsontext.Value) ([]string, jsontext.Value, error) {
	var m map[string]jsontext.Value
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, raw, fault.New(fault.Invalid, "misp.syntax", "an attribute is no JSON object: %v", err)
	}
	if m["value"].Kind() != '[' {
		return nil, raw, nil
	}
	values, ok := texts(m["value"], nil, 0)
	if !ok || len(values) == 0 {
		return nil, raw, fault.New(fault.Invalid, "misp.attribute", "the values of an attribute cannot be read").At("value")
	}
	delete(m, "value")
	out, err := json.Marshal(m, compact)
	return values, out, err
}

// valid says what is wrong with an attribute that a person enters, in the form of MISP.
func valid(a *misp.Attribute) error {
	t, ok := misp.TypeByName(a.Type)
	bad := func(field, message string) error {
		return fault.New(fault.Forbidden, "misp.attribute", "%s", message).At(field)
	}
	switch {
	case !ok:
		return bad("type", "Options depend on the selected category. "+clip(a.Type)+" is no type.")
	case strings.TrimSpace(a.Value) == "":
		return bad("value", "Value cannot be empty.")
	case a.Category != "" && !t.Fits(a.Category):
		return bad("category", a.Type+" does not stand in the category "+clip(a.Category)+".")
	case len(t.Parts) > 1 && !strings.Contains(a.Value, "|"):
		return bad("value", "Composite type, but value not in the form of two values divided by a |.")
	}
	return nil
}

// addable says why an attribute cannot stand in an event of this node.
func (s *Surface) addable(o *orgs, a *misp.Attribute) error {
	if err := valid(a); err != nil {
		return err
	}
	if err := s.attributeReach(o, a); err != nil || s.cfg.Rules.empty() {
		return err
	}
	return s.cfg.Rules.attribute(a)
}

// addAttributes adds one attribute to an event, or many at once. Of many each is judged by itself: those that are sound are stored together, and the
// answer says what is wrong with each of the others.
func (s *Surface) addAttributes(c *call) error {
	it, e, err := s.ownEvent(c, c.arg(0, "event_id"))
	if err != nil {
		return err
	}
	list, many, err := c.attributesIn()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fault.New(fault.Invalid, "misp.empty", "there is no attribute in the body")
	}
	if len(list) > maxElements {
		return fault.New(fault.TooLarge, "misp.elements", "at most %d attributes are added at once", maxElements)
	}
	there, err := s.existing(c, list)
	if err != nil {
		return err
	}
	o, at := s.orgs(), s.changeTime("")
	faults := make([]*fault.Error, len(list))
	e.Attributes, e.Published = nil, misp.False
	for i := range list {
		a := &list[i]
		switch u := misp.UUID(a.UUID); {
		case a.UUID == "":
			a.UUID = uuid.NewString()
		case u == "":
			faults[i] = fault.New(fault.Forbidden, "misp.uuid", "The UUID is none that STIX allows.").At("uuid")
		case there[u]:
			faults[i] = fault.New(fault.Forbidden, "misp.exists", "An attribute with this UUID already exists.").At("uuid")
		default:
			there[u] = true
		}
		if err := s.addable(o, a); faults[i] == nil && err != nil {
			faults[i] = fault.As(err)
		}
		if a.Timestamp == "" {
			a.Timestamp = misp.Unix(at)
		}
		if faults[i] == nil {
			e.Attributes = append(e.Attributes, *a)
		}
	}
	var t taken
	added := map[string]jsontext.Value{}
	if len(e.Attributes) > 0 {
		if t, err = s.change(c, it, e, at); err != nil {
			return err
		}
		if slices.ContainsFunc(t.refused, func(x exchangeOutcome) bool { return x.ID == it.Record.ID }) {
			return s.unsaved("Attribute", &t)
		}
		if added, err = s.added(c, e, t.ids); err != nil {
			return err
		}
	}
	out, wrong := []jsontext.Value{}, named{}
	for i := range list {
		a := added[list[i].UUID]
		switch {
		case faults[i] == nil && a != nil:
			out = append(out, a)
			continue
		case faults[i] == nil:
			faults[i] = fault.As(s.unsaved("Attribute", t.of(list[i].UUID)))
		}
		if !many {
			return faults[i]
		}
		wrong["attribute_"+strconv.Itoa(i)] = map[string][]string{path.Base(cmp.Or(faults[i].Pointer, "value")): {faults[i].Message}}
	}
	switch {
	case !many:
		return c.answer(named{"Attribute": out[0]})
	case len(wrong) == 0:
		return c.answer(named{"Attribute": out})
	case len(out) == 0:
		return c.answerStatus(http.StatusForbidden, named{"saved": false, "name": "Could not add Attribute", "message": "Could not add Attribute", "url": c.r.URL.Path, "errors": wrong})
	}
	return c.answer(named{"Attribute": out, "errors": wrong})
}

// of is what became of the objects with a uuid.
func (t *taken) of(id string) *taken {
	var one taken
	for _, x := range t.refused {
		if _, u, _ := strings.Cut(x.ID, "--"); strings.EqualFold(u, id) {
			one.refused = append(one.refused, x)
		}
	}
	return &one
}

// existing tells which of the uuids of attributes an element has that the viewer may have.
func (s *Surface) existing(c *call, list []misp.Attribute) (map[string]bool, error) {
	there := map[string]bool{}
	var uuids []string
	for i := range list {
		if u := misp.UUID(list[i].UUID); u != "" {
			uuids = append(uuids, u)
		}
	}
	for some := range slices.Chunk(uuids, pageItems/len(elementTypes)) {
		var ids []string
		for _, u := range some {
			for _, t := range elementTypes {
				ids = append(ids, t+"--"+u)
			}
		}
		err := pages(c.r.Context(), s.x, c.v, store.Query{IDs: ids, Headers: true}, func(it *store.Item) (bool, error) {
			_, u, _ := strings.Cut(it.Record.ID, "--")
			there[u] = true
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, u := range uuids { // it may stand in an object
		if there[u] {
			continue
		}
		p, err := s.x.Read(c.r.Context(), c.v, store.Query{Lookups: []lookup{{Kind: external, Text: misp.AttributeSource + ":" + u}}, Headers: true, Limit: 1})
		if err != nil {
			return nil, err
		}
		there[u] = len(p.Items) > 0
	}
	return there, nil
}

// added reads back the attributes of an event that were handed in, as the viewer has them, by the uuids that they were handed in with. ids are those
// of the objects that they may have become.
func (s *Surface) added(c *call, e *misp.Event, ids []string) (map[string]jsontext.Value, error) {
	it, ok, err := s.find(c.r.Context(), c.v, e.UUID, false)
	if err != nil || !ok || len(ids) == 0 {
		return nil, err
	}
	ev, err := s.open(c.r.Context(), c.v, s.orgs(), &it, elements{deleted: true, galaxies: true})
	if err != nil {
		return nil, err
	}
	given := map[string]string{}
	for i := range e.Attributes {
		given[misp.UUID(e.Attributes[i].UUID)] = e.Attributes[i].UUID
	}
	ev.only = slices.DeleteFunc(ids, func(id string) bool { // the event itself is among them
		typ, _, _ := strings.Cut(id, "--")
		return !slices.Contains(elementTypes[:5], typ)
	})
	out := map[string]jsontext.Value{}
	err = ev.eachAttribute(func(a *misp.Attribute) error {
		if u, ok := given[misp.UUID(a.UUID)]; ok {
			out[u] = encoded(a)
		}
		return nil
	})
	return out, err
}
