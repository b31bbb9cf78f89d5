package lists

import (
	"encoding/json"
	"strings"

	"entente/misp/galaxy"
	"entente/misp/taxonomy"
)

// Term is a taxonomy, or a tag of one.
type Term struct {
	Tag         string `json:"tag"` // of a taxonomy: its namespace
	Taxonomy    string `json:"taxonomy"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
	Colour      string `json:"colour,omitempty"`
	Tags        int    `json:"tags,omitempty"` // of a taxonomy: how many it has
}

// Cluster is a galaxy, or a cluster of one.
type Cluster struct {
	Tag         string   `json:"tag"` // of a galaxy: its type
	Galaxy      string   `json:"galaxy"`
	UUID        string   `json:"uuid,omitempty"`
	Name        string   `json:"name"`
	Synonyms    []string `json:"synonyms,omitempty"`
	Description string   `json:"description,omitempty"`
	Clusters    int      `json:"clusters,omitempty"` // of a galaxy: how many it has
}

// Terms finds tags: those whose tag, name or description has the text, in any case; without a text the taxonomies. tag, where given, is the one tag to
// explain.
func (l *Lists) Terms(text, tag string, limit int) []Term {
	out, taxonomies := []Term{}, l.now.Load().taxonomies
	if text == "" && tag == "" {
		for _, t := range taxonomies[:min(len(taxonomies), limit)] {
			out = append(out, Term{Tag: t.Namespace, Taxonomy: t.Namespace, Name: t.Expanded, Description: t.Description, Tags: len(t.Tags())})
		}
		return out
	}
	text = strings.ToLower(text)
	for _, t := range taxonomies {
		if tag != "" && !hasNamespace(tag, t.Namespace) {
			continue
		}
		done := terms(t, func(n Term) bool {
			if tag != "" && !strings.EqualFold(n.Tag, canonical(tag)) {
				return true
			}
			if text == "" || contains(text, n.Tag, n.Name, n.Description) {
				out = append(out, n)
			}
			return len(out) < limit
		})
		if done {
			break
		}
	}
	return out
}

func hasNamespace(tag, namespace string) bool {
	return len(tag) > len(namespace) && tag[len(namespace)] == ':' && strings.EqualFold(tag[:len(namespace)], namespace)
}

func canonical(tag string) string {
	if t, ok := taxonomy.ParseTag(tag); ok {
		return t.String()
	}
	return tag
}

// terms calls f for each tag of a taxonomy until it says no, and tells whether it did.
func terms(t *taxonomy.Taxonomy, f func(Term) bool) bool {
	for i := range t.Predicates {
		p := &t.Predicates[i]
		values := 0
		for j := range t.Values {
			if !strings.EqualFold(t.Values[j].Predicate, p.Value) {
				continue
			}
			for k := range t.Values[j].Entries {
				e := &t.Values[j].Entries[k]
				values++
				n := Term{Tag: taxonomy.Tag{Namespace: t.Namespace, Predicate: p.Value, Value: e.Value}.String(), Taxonomy: t.Namespace, Name: e.Expanded, Description: e.Description, Colour: e.Colour}
				if n.Description == "" {
					n.Description = p.Expanded
				}
				if !f(n) {
					return true
				}
			}
		}
		if values == 0 && !f(Term{Tag: taxonomy.Tag{Namespace: t.Namespace, Predicate: p.Value}.String(), Taxonomy: t.Namespace, Name: p.Expanded, Description: p.Description, Colour: p.Colour}) {
			return true
		}
	}
	return false
}

// Clusters finds clusters: those whose name, synonym or uuid is the text or has it, in any case; without a text the galaxies. tag, where given, is the one
// tag to explain.
func (l *Lists) Clusters(text, tag string, limit int) []Cluster {
	out, galaxies := []Cluster{}, l.now.Load().galaxies
	if text == "" && tag == "" {
		for _, g := range galaxies[:min(len(galaxies), limit)] {
			out = append(out, Cluster{Tag: g.Type, Galaxy: g.Type, UUID: g.UUID, Name: g.Name, Description: g.Description, Clusters: len(g.Clusters)})
		}
		return out
	}
	if tag != "" {
		typ, name, ok := galaxyTag(tag)
		for _, g := range galaxies {
			if ok && strings.EqualFold(g.Type, typ) {
				if c, found := g.ByName(name); found {
					return append(out, cluster(g, c))
				}
			}
		}
		return out
	}
	text = strings.ToLower(text)
	for _, g := range galaxies {
		for i := range g.Clusters {
			c := &g.Clusters[i]
			if !contains(text, c.Value, c.UUID) && !contains(text, string(synonyms(c))) {
				continue
			}
			if out = append(out, cluster(g, c)); len(out) >= limit {
				return out
			}
		}
	}
	return out
}

// galaxyTag takes a tag such as misp-galaxy:threat-actor="Name" apart.
func galaxyTag(tag string) (typ, name string, ok bool) {
	t, ok := taxonomy.ParseTag(tag)
	return t.Predicate, t.Value, ok && strings.EqualFold(t.Namespace, "misp-galaxy")
}

func cluster(g *galaxy.Galaxy, c *galaxy.Cluster) Cluster {
	return Cluster{Tag: g.Tag(c), Galaxy: g.Type, UUID: c.UUID, Name: c.Value, Synonyms: c.Synonyms(), Description: c.Description}
}

// synonyms is the text in which the synonyms of a cluster stand.
func synonyms(c *galaxy.Cluster) json.RawMessage {
	var m struct {
		Synonyms json.RawMessage `json:"synonyms"`
	}
	if len(c.Meta) == 0 || json.Unmarshal(c.Meta, &m) != nil {
		return nil
	}
	return m.Synonyms
}

func contains(text string, in ...string) bool {
	for _, s := range in {
		if strings.Contains(strings.ToLower(s), text) {
			return true
		}
	}
	return false
}
