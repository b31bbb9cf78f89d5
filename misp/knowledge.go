package misp

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"entente/stix"
)

// sightings says as STIX which attributes were seen, and by whom; a false positive is an opinion. All of them travel with the attribute too.
func (c *converter) sightings(a *Attribute, of, pointer string, l level) {
	if typ, _, _ := strings.Cut(of, "--"); !stix.IsSDO(typ) && !strings.HasPrefix(typ, "x-misp-") {
		return // of another's object, which nothing can have seen
	}
	for i := range a.Sightings {
		s := &a.Sightings[i]
		seen, ok := unixTime(s.Date)
		if s.Type != "" && s.Type != "0" && s.Type != "1" || !ok {
			continue
		}
		by := ""
		if s.Organisation != nil && (s.Organisation.Name != "" || s.Organisation.UUID != "") {
			by = c.identity(s.Organisation)
		}
		typ := "sighting"
		if s.Type == "1" {
			typ = "opinion"
		}
		id := typ + "--" + stixUUID(s.UUID, c.key, pointer, strconv.Itoa(i))
		if c.used[id] {
			continue
		}
		c.used[id] = true
		refs := c.markingRefs(l)
		c.w.begin(typ, id)
		c.w.text("created_by_ref", by)
		c.w.times(seen, seen)
		c.w.list("object_marking_refs", refs)
		if typ == "opinion" {
			c.w.text("opinion", "strongly-disagree")
			c.w.text("explanation", "false positive")
			c.w.list("object_refs", []string{of})
		} else {
			c.w.time("first_seen", seen)
			c.w.time("last_seen", seen)
			c.w.raw("count", "1")
			c.w.text("description", s.Source)
			c.w.text("sighting_of_ref", of)
			if by != "" {
				c.w.list("where_sighted_refs", []string{by})
			}
		}
		c.externals()
		c.w.extension("property-extension", kindDerived, nil)
		c.put(id, c.w.end(), l)
		c.refer(id)
	}
}

// report converts an event report to a note about the event's creator, or about the author of the extension where there is none.
func (c *converter) report(r *EventReport, i int) {
	pointer := "/EventReport/" + strconv.Itoa(i)
	l := c.within(c.outer, r.Distribution, r.SharingGroup, r.Tags, nil, pointer)
	id := c.claim("note", r.UUID, pointer)
	c.common("note", id, r.Timestamp, pointer, l)
	if r.Deleted.True() {
		c.w.raw("revoked", "true")
	}
	c.w.text("abstract", r.Name)
	c.w.text("content", cmp.Or(r.Content, r.Name, "empty"))
	c.w.list("labels", labelsOf(r.Tags))
	c.w.list("object_refs", []string{cmp.Or(c.author, authorID)})
	c.carry(kindReport, id, pointer, r, l)
}

// galaxies converts clusters to domain objects, and relates them to the attribute they are attached to.
func (c *converter) galaxies(galaxies []Galaxy, l level, of string) {
	for g := range galaxies {
		typ := mappings().galaxies[galaxies[g].Type]
		for i := range galaxies[g].Clusters {
			cluster := &galaxies[g].Clusters[i]
			if typ == "" || cluster.Value == "" {
				continue // it travels with its element; STIX has no type for it
			}
			id := c.cluster(typ, &galaxies[g], cluster, l)
			switch {
			case of == "" || id == "":
			case strings.HasPrefix(of, "indicator--"):
				c.relate("indicates", of, id, l)
			default:
				c.relate("related-to", of, id, l)
			}
		}
	}
}

func (c *converter) cluster(typ string, g *Galaxy, k *Cluster, l level) string {
	if raw, id := k.original(); raw != nil {
		if !c.used[id] {
			c.used[id] = true
			c.put(id, raw, l)
			c.refer(id)
		}
		return id
	}
	id := typ + "--" + stixUUID(k.UUID, "cluster", g.Type, k.Value)
	if c.used[id] {
		return id
	}
	c.used[id] = true
	at, ok := unixTime(k.Version)
	if !ok || at.Year() < 2000 {
		at = time.Unix(0, 0).UTC()
	}
	refs := c.markingRefs(l)
	meta := k.meta()
	name, technique := clusterName(k.Value)
	c.w.begin(typ, id)
	c.w.times(at, at)
	c.w.list("object_marking_refs", refs)
	c.w.text("name", name)
	c.w.text("description", k.Description)
	switch typ {
	case "malware":
		c.w.raw("is_family", "true")
	case "identity":
		c.w.text("identity_class", "class")
	case "location":
		if iso := meta["ISO"]; len(iso) == 1 && len(iso[0]) == 2 {
			c.w.text("country", strings.ToUpper(iso[0]))
		} else {
			c.w.text("region", strings.ToLower(strings.ReplaceAll(name, " ", "-")))
		}
	}
	if typ != "location" && typ != "identity" && typ != "course-of-action" && typ != "vulnerability" {
		c.w.list("aliases", unrepeated(nonEmpty(meta["synonyms"])))
	}
	if technique == "" && len(meta["external_id"]) > 0 {
		technique = meta["external_id"][0]
	}
	if technique != "" {
		c.w.raw("external_references", `[{"source_name":"`+sourceOf(g.Type)+`","external_id":`)
		c.w.quote(technique)
		c.w.b = append(c.w.b, "}]"...)
	}
	if k.TagName != "" {
		c.w.list("labels", []string{k.TagName})
	}
	c.w.extension("property-extension", kindDerived, nil)
	c.put(id, c.w.end(), l)
	c.refer(id)
	return id
}

func nonEmpty(in []string) []string {
	var out []string
	for _, s := range in {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func sourceOf(galaxy string) string {
	if strings.HasPrefix(galaxy, "mitre-") {
		return "mitre-attack"
	}
	return "misp-galaxy:" + strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '-'
		}
		return r
	}, galaxy)
}

// clusterName takes the id off a value such as "Data Encrypted - T1022".
func clusterName(value string) (name, id string) {
	i := strings.LastIndex(value, " - ")
	if i <= 0 || i+4 > len(value) || strings.IndexByte("TSGMC", value[i+3]) < 0 || len(value) < i+5 {
		return value, ""
	}
	if strings.Trim(value[i+4:], "0123456789.") != "" {
		return value, ""
	}
	return value[:i], value[i+3:]
}
