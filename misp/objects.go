package misp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"entente/label"
	"entente/stix"
	"entente/stix/pattern"
)

// object converts a MISP object with all its attributes to one STIX object, and the observables it speaks of.
func (c *converter) object(o *Object, i int) {
	pointer := "/Object/" + strconv.Itoa(i)
	l := c.within(c.outer, o.Distribution, o.SharingGroup, nil, nil, pointer)
	for j := range o.Attributes {
		// the attributes travel in one STIX object, so that the strictest counts for all
		a := &o.Attributes[j]
		l = c.within(l, a.Distribution, a.SharingGroup, a.Tags, a.Galaxies, pointer+"/Attribute/"+strconv.Itoa(j))
	}
	id := c.objectBody(o, pointer, l)
	for j := range o.Attributes {
		a := &o.Attributes[j]
		if key := strings.ToLower(a.UUID); key != "" && c.byUUID[key] == "" {
			c.byUUID[key] = id
		}
		c.sightings(a, id, pointer+"/Attribute/"+strconv.Itoa(j), l)
		c.galaxies(a.Galaxies, l, id)
	}
}

func (c *converter) objectBody(o *Object, pointer string, l level) string {
	m := mappings()
	if o.Name == stixObject {
		if id := c.foreign(o, pointer, l); id != "" {
			return id
		}
	}
	if rule, ok := m.rules[o.Name]; ok {
		if source := o.first(rule.relation); source != "" && len(source) <= maxText {
			_, err := pattern.Parse(source)
			if rule.language != "stix" || err == nil {
				id := c.claim("indicator", o.UUID, pointer)
				c.indicatorBody(id, rule.language, source, o.Timestamp, o.FirstSeen, o.Comment, pointer, l)
				c.objectTail(o, id, pointer, l)
				return id
			}
		}
	}
	if d, ok := m.domains[o.Name]; ok {
		if id := c.domain(o, d, pointer, l); id != "" {
			return id
		}
	}
	if om, ok := m.objects[o.Name]; ok {
		if id := c.observable(o, om, pointer, l); id != "" {
			return id
		}
	}
	id := c.claim("x-misp-object", o.UUID, pointer)
	c.common("x-misp-object", id, o.Timestamp, pointer, l)
	c.w.text("misp_name", o.Name)
	c.w.text("misp_meta_category", o.MetaCategory)
	c.w.text("description", o.Comment)
	c.objectTail(o, id, pointer, l)
	return id
}

func (c *converter) objectTail(o *Object, id, pointer string, l level) {
	if o.Deleted.True() {
		c.w.raw("revoked", "true")
	}
	own := []string{`misp:name="` + o.Name + `"`}
	if o.MetaCategory != "" {
		own = append(own, `misp:meta-category="`+o.MetaCategory+`"`)
	}
	c.w.list("labels", own)
	for i := range o.Attributes {
		if u := stixUUID(o.Attributes[i].UUID); u != "" && i < maxNamed {
			if c.external != "" {
				c.external += ","
			}
			c.external += `{"source_name":"` + AttributeSource + `","external_id":"` + u + `"}`
		}
	}
	c.carry(kindObject, id, pointer, o, l)
}

// AttributeSource is the source_name of the external references by which an object names the first maxNamed of its attributes.
const (
	AttributeSource = "misp-attribute"
	maxNamed        = 200
)

// first is the first value of a relation.
func (o *Object) first(relation string) string {
	for i := range o.Attributes {
		if o.Attributes[i].ObjectRelation == relation {
			return o.Attributes[i].Value
		}
	}
	return ""
}

// all is the values of a relation.
func (o *Object) all(relation string) []string {
	var out []string
	for i := range o.Attributes {
		if a := &o.Attributes[i]; a.ObjectRelation == relation && a.Value != "" && !slices.Contains(out, a.Value) {
			out = append(out, a.Value)
		}
	}
	return out
}

// maxParts bounds the values that one pattern or observation says.
const maxParts = 512

// observable converts an object of values: to an indicator of those that are to_ids, where some are, else to what was observed.
func (c *converter) observable(o *Object, om *objectMap, pointer string, l level) string {
	var watched, all []part
	for j := range o.Attributes {
		a := &o.Attributes[j]
		place, ok := om.relations[a.ObjectRelation]
		if !ok || a.Value == "" || a.Deleted.True() {
			continue
		}
		f, err := fit(&place, a.Value)
		if err != nil {
			c.lose(LossValue, pointer+"/Attribute/"+strconv.Itoa(j)+"/value", "%s %q cannot be said openly: %v", a.ObjectRelation, clip(a.Value), err)
			continue
		}
		all = append(all, part{&place, f})
		if a.ToIDs.True() {
			watched = append(watched, part{&place, f})
		}
	}
	if len(all) == 0 {
		return ""
	}
	if len(all) > maxParts {
		c.lose(LossValue, pointer, "the object has %d values, more than one pattern or observation says", len(all))
		return ""
	}
	var fixed []part
	for i := range om.fixed {
		fixed = append(fixed, part{&om.fixed[i].path, fitting{text: om.fixed[i].value}})
	}
	all = append(fixed, all...)
	if len(watched) > 0 {
		source := testsOf(append(fixed, watched...))
		if len(source) > pattern.MaxLength {
			c.lose(LossValue, pointer, "the values are longer than a pattern may be")
			return ""
		}
		id := c.claim("indicator", o.UUID, pointer)
		c.indicatorBody(id, "stix", source, o.Timestamp, o.FirstSeen, o.Comment, pointer, l)
		c.objectTail(o, id, pointer, l)
		if c.o.Observables {
			c.based(id, all, o.FirstSeen, o.LastSeen, o.Timestamp, pointer, l)
		}
		return id
	}
	objects := objectsOf(all)
	if objects == nil {
		return ""
	}
	ids := c.observe(objects, l)
	id := c.claim("observed-data", o.UUID, pointer)
	c.observedBody(id, ids, o.FirstSeen, o.LastSeen, o.Timestamp, pointer, l)
	c.objectTail(o, id, pointer, l)
	return id
}

// domain converts an object that is a domain object of STIX; "" where what that requires is missing.
func (c *converter) domain(o *Object, d *domainMap, pointer string, l level) string {
	values := map[string][]string{}
	var order []string
	for _, relation := range d.order {
		property := d.properties[relation]
		if found := o.all(relation); len(found) > 0 && values[property] == nil {
			values[property] = found
			order = append(order, property)
		}
	}
	typ, class := d.typ, d.class
	switch typ {
	case "note":
		if values["content"] == nil {
			return ""
		}
	case "location":
		if values["country"] == nil && values["region"] == nil || len(o.first("countrycode")) != 2 && values["region"] == nil {
			return ""
		}
	case "identity":
		if values["name"] == nil {
			return ""
		}
		if class == "class" {
			class = strings.ToLower(o.first("identity_class"))
			if class == "" {
				class = "unknown"
			}
		} else if o.Name == "person" || o.Name == "employee" {
			if first := o.first("first-name"); first != "" && o.first("full-name") == "" {
				values["name"] = []string{first + " " + values["name"][0]}
			}
		}
	default:
		if values["name"] == nil {
			return ""
		}
	}
	malicious := o.Name == "script" && o.first("state") == "Malicious"
	if malicious {
		typ = "malware"
	}
	id := c.claim(typ, o.UUID, pointer)
	c.common(typ, id, o.Timestamp, pointer, l)
	for _, property := range order {
		if list, ok := strings.CutSuffix(property, "[]"); ok {
			c.w.list(list, values[property])
		} else {
			c.w.text(property, values[property][0])
		}
	}
	switch {
	case typ == "identity":
		c.w.text("identity_class", class)
	case malicious:
		c.w.raw("is_family", "false")
	case typ == "note":
		c.w.list("object_refs", []string{c.noted(o)})
	case typ == "vulnerability" && isCVE(o.first("id")):
		c.external = `{"source_name":"cve","external_id":"` + strings.ToUpper(o.first("id")) + `"}`
	}
	c.objectTail(o, id, pointer, l)
	return id
}

// noted is what an annotation speaks of: the first thing it refers to that is converted already, else the creator of the event.
func (c *converter) noted(o *Object) string {
	for i := range o.References {
		if id := c.byUUID[strings.ToLower(o.References[i].ReferencedUUID)]; id != "" {
			return id
		}
	}
	if c.author != "" {
		return c.author
	}
	return authorID
}

// references converts what an object refers to. The references travel with the object too.
func (c *converter) references(o *Object, i int) {
	from := c.byUUID[strings.ToLower(o.UUID)]
	for j := range o.References {
		r := &o.References[j]
		to := c.byUUID[strings.ToLower(r.ReferencedUUID)]
		if from == "" || to == "" || to == from {
			if to == "" && r.ReferencedUUID != "" {
				c.lose(LossRef, "/Object/"+strconv.Itoa(i)+"/ObjectReference/"+strconv.Itoa(j)+"/referenced_uuid", "the event has nothing with the uuid %q: no relationship states the reference", clip(r.ReferencedUUID))
			}
			continue
		}
		c.relate(relationshipType(r.RelationshipType), from, to, c.outer)
	}
}

func relationshipType(s string) string {
	s = strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, s), "-")
	for strings.Contains(s, "--") {
		s = strings.ReplaceAll(s, "--", "-")
	}
	if s == "" {
		return "related-to"
	}
	return s
}

// stixObject is the name of MISP objects that hold a STIX object of a kind that MISP does not have, as text.
const stixObject = "stix-object"

// foreign gives back the STIX object that such a MISP object holds.
func (c *converter) foreign(o *Object, pointer string, l level) string {
	raw := []byte(o.first("raw"))
	object, err := stix.Parse(raw)
	if err != nil || c.used[object.ID()] || !isIdentifier(object.ID()) || isOwn(object.ID()) {
		return ""
	}
	if _, taken := c.scos[object.ID()]; taken {
		return ""
	}
	id := object.ID()
	c.used[id] = true
	c.byUUID[strings.ToLower(o.UUID)] = id
	c.put(id, raw, l)
	c.refer(id)
	c.kept = append(c.kept, *o)
	return id
}

// isIdentifier tells whether other objects may refer to an id (STIX 2.1, 2.9).
func isIdentifier(id string) bool {
	_, u, ok := strings.Cut(id, "--")
	return ok && stixUUID(u) == u
}

// isOwn tells of the ids of objects that only a conversion itself may write.
func isOwn(id string) bool {
	for p := label.PAPAsk; p <= label.PAPClear; p++ {
		if own, _ := papMarking(p); own == id {
			return true
		}
	}
	return isDefinition(id)
}

// original is the STIX object that a cluster was made of, where its meta has it and it still names what the cluster names.
func (k *Cluster) original() (raw []byte, id string) {
	kept := k.meta()[stixMeta]
	if len(kept) != 1 {
		return nil, ""
	}
	o, err := stix.Parse([]byte(kept[0]))
	if err != nil || o.Name() != "" && o.Name() != k.Value || !isIdentifier(o.ID()) {
		return nil, ""
	}
	return []byte(kept[0]), o.ID()
}

// stixMeta is the key of a cluster's meta under which the STIX object stands that the cluster was made of.
const stixMeta = "stix-object"

// meta is the meta of a cluster: lists of texts. MISP also writes one text for a list of one.
func (k *Cluster) meta() map[string][]string {
	if len(k.Meta) == 0 || k.Meta.Kind() != '{' {
		return nil
	}
	var loose map[string]any
	if json.Unmarshal(k.Meta, &loose) != nil {
		return nil
	}
	out := make(map[string][]string, len(loose))
	for key, v := range loose {
		switch v := v.(type) {
		case string:
			out[key] = []string{v}
		case []any:
			for _, item := range v {
				if s, ok := item.(string); ok {
					out[key] = append(out[key], s)
				}
			}
		}
	}
	return out
}
