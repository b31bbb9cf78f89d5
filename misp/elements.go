package misp

import (
	"fmt"
	"strconv"
	"strings"

	"entente/stix"
	"entente/stix/pattern"
)

// attribute converts an attribute that stands in no object.
func (c *converter) attribute(a *Attribute, i int) {
	pointer := "/Attribute/" + strconv.Itoa(i)
	l := c.within(c.outer, a.Distribution, a.SharingGroup, a.Tags, a.Galaxies, pointer)
	id := c.attributeObject(a, pointer, l)
	c.sightings(a, id, pointer, l)
	c.galaxies(a.Galaxies, l, id)
}

// attributeObject writes what an attribute is in STIX and gives its id.
func (c *converter) attributeObject(a *Attribute, pointer string, l level) string {
	m := mappings()
	switch {
	case a.Type == "vulnerability" && a.Value != "":
		return c.named("vulnerability", a, pointer, l)
	case a.Type == "campaign-name" && a.Value != "":
		return c.named("campaign", a, pointer, l)
	}
	if language, ok := m.languages[a.Type]; ok && a.Value != "" && len(a.Value) <= maxText {
		if language != "stix" {
			return c.indicator(a, pointer, language, a.Value, l)
		}
		if _, err := pattern.Parse(a.Value); err == nil {
			return c.indicator(a, pointer, language, a.Value, l)
		}
		c.lose(LossValue, pointer+"/value", "it is no STIX pattern")
	}
	parts, err := attributeParts(m, a)
	switch {
	case err != nil:
		c.lose(LossValue, pointer+"/value", "%s %q cannot be said openly: %v", a.Type, clip(a.Value), err)
	case parts == nil:
	case a.ToIDs.True():
		id := c.indicator(a, pointer, "stix", testsOf(parts), l)
		if c.o.Observables {
			c.based(id, parts, a.FirstSeen, a.LastSeen, a.Timestamp, pointer, l)
		}
		return id
	default:
		if id := c.observed(a, parts, pointer, l); id != "" {
			return id
		}
	}
	return c.custom(a, pointer, l)
}

// part is one value at its place.
type part struct {
	path *path
	fit  fitting
}

// attributeParts is the values of an attribute at their places; nil where its type has none.
func attributeParts(m *mapping, a *Attribute) ([]part, error) {
	paths := m.attributes[a.Type]
	if paths == nil {
		return nil, nil
	}
	values := []string{a.Value}
	if len(paths) > 1 {
		t, _ := TypeByName(a.Type)
		values = t.values(a.Value)
	}
	if len(values) != len(paths) {
		if a.Type != "malware-sample" || len(values) != 1 {
			return nil, fmt.Errorf("it has not the two values of its type")
		}
		paths = paths[:1]
	}
	var parts []part
	if a.Type == "github-username" {
		place := parsePath("user-account:account_type")
		parts = append(parts, part{&place, fitting{text: "github"}})
	}
	for i := range values {
		f, err := fit(&paths[i], values[i])
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{&paths[i], f})
	}
	return parts, nil
}

// testsOf is the pattern that looks for all values; of several for one place any.
func testsOf(parts []part) string {
	b := []byte{'['}
	done := make([]bool, len(parts))
	for i := range parts {
		if done[i] {
			continue
		}
		same := 1
		for j := i + 1; j < len(parts); j++ {
			if parts[j].path.text == parts[i].path.text {
				same++
			}
		}
		if i > 0 {
			b = append(b, " AND "...)
		}
		if same == 1 {
			b = appendTest(b, parts[i].path, parts[i].fit)
			continue
		}
		b = append(b, '(')
		for j := i; j < len(parts); j++ {
			if parts[j].path.text != parts[i].path.text {
				continue
			}
			if j > i {
				b = append(b, " OR "...)
			}
			done[j] = true
			b = append(b, '(')
			b = append(appendTest(b, parts[j].path, parts[j].fit), ')')
		}
		b = append(b, ')')
	}
	return string(append(b, ']'))
}

// trees is the observables of the values: one object for each type, and further ones for values that do not fit into the first.
func trees(parts []part) []*node {
	var nodes []*node
	for _, p := range parts {
		placed := false
		for _, n := range nodes {
			if n.typ == p.path.typ && n.put(p.path.steps, p.fit) {
				placed = true
				break
			}
		}
		if !placed {
			n := &node{typ: p.path.typ, props: map[string]any{}}
			n.put(p.path.steps, p.fit)
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// objectsOf is the cyber-observable objects of the values, those left out that would break a rule of STIX; nil where none is left.
func objectsOf(parts []part) []*stix.Object {
	var out []*stix.Object
	sound := false
	for _, n := range trees(parts) {
		if n.observables(&out) != "" {
			sound = true
		}
	}
	if !sound {
		return nil
	}
	return out
}

func (c *converter) indicator(a *Attribute, pointer, language, source string, l level) string {
	id := c.claim("indicator", a.UUID, pointer)
	c.indicatorBody(id, language, source, a.Timestamp, a.FirstSeen, a.Comment, pointer, l)
	c.tail(a, kindAttribute, id, pointer, l)
	return id
}

func (c *converter) indicatorBody(id, language, source, timestamp, firstSeen, comment, pointer string, l level) {
	_, modified := c.common("indicator", id, timestamp, pointer, l)
	c.w.text("description", comment)
	c.w.text("pattern", source)
	c.w.text("pattern_type", language)
	if language == "stix" {
		c.w.text("pattern_version", "2.1")
	}
	from, ok := seenTime(firstSeen)
	if !ok {
		if firstSeen != "" {
			c.lose(LossTime, pointer+"/first_seen", "%q is no time", clip(firstSeen))
		}
		from = modified
	}
	c.w.time("valid_from", from)
}

// tail writes what the object of every attribute ends with.
func (c *converter) tail(a *Attribute, kind, id, pointer string, l level) {
	if a.Deleted.True() {
		c.w.raw("revoked", "true")
	}
	if n, ok := confidence(a.Tags); ok {
		c.w.raw("confidence", strconv.Itoa(n))
	}
	own := []string{`misp:type="` + a.Type + `"`}
	if a.Category != "" {
		own = append(own, `misp:category="`+a.Category+`"`)
	}
	c.w.list("labels", labelsOf(a.Tags, own...))
	c.carry(kind, id, pointer, a, l)
}

// named writes a vulnerability or campaign.
func (c *converter) named(typ string, a *Attribute, pointer string, l level) string {
	id := c.claim(typ, a.UUID, pointer)
	c.common(typ, id, a.Timestamp, pointer, l)
	c.w.text("name", a.Value)
	c.w.text("description", a.Comment)
	if typ == "vulnerability" && isCVE(a.Value) {
		c.external = `{"source_name":"cve","external_id":"` + strings.ToUpper(a.Value) + `"}`
	}
	c.tail(a, kindAttribute, id, pointer, l)
	return id
}

func isCVE(s string) bool {
	if len(s) < 13 || len(s) > 24 || !strings.EqualFold(s[:4], "CVE-") || s[8] != '-' {
		return false
	}
	return strings.Trim(s[4:8]+s[9:], "0123456789") == ""
}

// observed writes an observed-data with the observables of an attribute; "" where they cannot be made.
func (c *converter) observed(a *Attribute, parts []part, pointer string, l level) string {
	objects := objectsOf(parts)
	if objects == nil {
		if a.Type != "port" && a.Type != "http-method" && a.Type != "user-agent" && a.Type != "size-in-bytes" {
			c.lose(LossValue, pointer+"/value", "%s %q makes no sound observable", a.Type, clip(a.Value))
		}
		return ""
	}
	ids := c.observe(objects, l)
	id := c.claim("observed-data", a.UUID, pointer)
	c.observedBody(id, ids, a.FirstSeen, a.LastSeen, a.Timestamp, pointer, l)
	c.tail(a, kindAttribute, id, pointer, l)
	return id
}

func (c *converter) observedBody(id string, refs []string, firstSeen, lastSeen, timestamp, pointer string, l level) {
	_, modified := c.common("observed-data", id, timestamp, pointer, l)
	first, ok := seenTime(firstSeen)
	if !ok {
		first = modified
	}
	last, ok := seenTime(lastSeen)
	if !ok || last.Before(first) {
		last = first
	}
	c.w.time("first_observed", first)
	c.w.time("last_observed", last)
	c.w.raw("number_observed", "1")
	c.w.list("object_refs", refs)
}

// based adds what an indicator is based on.
func (c *converter) based(indicator string, parts []part, first, last, timestamp, pointer string, l level) {
	objects := objectsOf(parts)
	if objects == nil {
		return
	}
	ids := c.observe(objects, l)
	id := "observed-data--" + strings.TrimPrefix(indicator, "indicator--")
	if c.used[id] {
		id = "observed-data--" + derived(c.key, pointer, "based-on")
	}
	c.used[id] = true
	c.observedBody(id, ids, first, last, timestamp, pointer, l)
	c.externals()
	c.w.extension("property-extension", kindDerived, nil)
	c.put(id, c.w.end(), l)
	c.refer(id)
	c.relate("based-on", indicator, id, l)
}

// custom writes what STIX has no type for.
func (c *converter) custom(a *Attribute, pointer string, l level) string {
	id := c.claim("x-misp-attribute", a.UUID, pointer)
	c.common("x-misp-attribute", id, a.Timestamp, pointer, l)
	c.w.text("misp_type", a.Type)
	c.w.text("misp_category", a.Category)
	c.w.text("value", clipTo(a.Value, 1<<16))
	c.w.text("description", a.Comment)
	c.tail(a, kindAttribute, id, pointer, l)
	return id
}

func clipTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// within is the level of an element, its own clusters counted in.
func (c *converter) within(outer level, distribution string, group *SharingGroup, tags []Tag, galaxies []Galaxy, pointer string) level {
	if _, _, sound := tagLabel(tags); !sound {
		c.lose(LossTags, pointer+"/Tag", "the TLP or PAP tags contradict each other or are not understood: the strictest is stated")
	}
	l, stated := c.o.Policy.Within(outer.label, outer.stated, c.e.Orgc, distribution, group, tags)
	for _, g := range galaxies {
		for i := range g.Clusters {
			l = c.o.Policy.cluster(l, &g.Clusters[i])
		}
	}
	return level{l, stated}
}
