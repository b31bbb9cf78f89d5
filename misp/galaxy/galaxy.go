// Package galaxy reads the clusters that MISP publishes: actors, techniques, sectors, countries.
package galaxy

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/misp"
)

// MaxSize bounds the bytes of one file, MaxClusters its clusters.
const (
	MaxSize     = 128 << 20
	MaxClusters = 200_000
)

// Galaxy is one file of clusters.
type Galaxy struct {
	Name        string    `json:"name"`
	Type        string    `json:"type"`
	UUID        string    `json:"uuid"`
	Description string    `json:"description"`
	Source      string    `json:"source"`
	Category    string    `json:"category"`
	Authors     []string  `json:"authors"`
	Version     int64     `json:"version"`
	Clusters    []Cluster `json:"values"`

	byName map[string]int
	byUUID map[string]int
}

// Cluster is one entry.
type Cluster struct {
	UUID        string         `json:"uuid"`
	Value       string         `json:"value"`
	Description string         `json:"description"`
	Revoked     bool           `json:"revoked"`
	Meta        jsontext.Value `json:"meta"`
	Related     []Relation     `json:"related"`
}

// Relation leads to a cluster of this or another galaxy.
type Relation struct {
	UUID string   `json:"dest-uuid"`
	Type string   `json:"type"`
	Tags []string `json:"tags"`
}

// Parse reads a file of clusters. The error is a *misp.Error.
func Parse(raw []byte) (*Galaxy, error) {
	if len(raw) > MaxSize {
		return nil, &misp.Error{Code: misp.CodeSize, Offset: -1, Rule: rule, Message: "the galaxy is larger than 128 MiB"}
	}
	g := &Galaxy{byName: map[string]int{}, byUUID: map[string]int{}}
	if err := json.Unmarshal(raw, g); err != nil {
		return nil, &misp.Error{Code: misp.CodeSyntax, Offset: -1, Rule: rule, Message: "this is no galaxy: " + err.Error(), Err: err}
	}
	if g.Type == "" || len(g.Clusters) > MaxClusters {
		return nil, &misp.Error{Code: misp.CodeSyntax, Pointer: "/type", Offset: -1, Rule: rule, Message: "a galaxy needs a type, and at most 200,000 clusters"}
	}
	for i := range g.Clusters {
		c := &g.Clusters[i]
		if c.Value == "" {
			return nil, &misp.Error{Code: misp.CodeSyntax, Pointer: fmt.Sprintf("/values/%d/value", i), Offset: -1, Rule: rule, Message: "a cluster needs a value"}
		}
		// a name counts before the synonym of another
		g.byName[strings.ToLower(c.Value)] = i
		g.byUUID[strings.ToLower(c.UUID)] = i
	}
	for i := range g.Clusters {
		for _, s := range g.Clusters[i].Synonyms() {
			if _, taken := g.byName[strings.ToLower(s)]; !taken {
				g.byName[strings.ToLower(s)] = i
			}
		}
	}
	return g, nil
}

const rule = "MISP galaxy format"

// Synonyms is the other names of a cluster.
func (c *Cluster) Synonyms() []string {
	var m struct {
		Synonyms []string `json:"synonyms"`
	}
	if len(c.Meta) == 0 || json.Unmarshal(c.Meta, &m) != nil {
		return nil
	}
	return m.Synonyms
}

// ByName is the cluster of a value or synonym, in any case.
func (g *Galaxy) ByName(name string) (*Cluster, bool) {
	i, ok := g.byName[strings.ToLower(name)]
	if !ok {
		return nil, false
	}
	return &g.Clusters[i], true
}

// ByUUID is the cluster of a uuid.
func (g *Galaxy) ByUUID(uuid string) (*Cluster, bool) {
	i, ok := g.byUUID[strings.ToLower(uuid)]
	if !ok {
		return nil, false
	}
	return &g.Clusters[i], true
}

// Tag is the tag by which an event or attribute names a cluster.
func (g *Galaxy) Tag(c *Cluster) string { return `misp-galaxy:` + g.Type + `="` + c.Value + `"` }

// Attach is the galaxy with one cluster, as an event or attribute holds it.
func (g *Galaxy) Attach(c *Cluster) misp.Galaxy {
	return misp.Galaxy{UUID: g.UUID, Name: g.Name, Type: g.Type, Description: g.Description, Version: fmt.Sprint(g.Version),
		Clusters: misp.List[misp.Cluster]{{UUID: c.UUID, Type: g.Type, Value: c.Value, TagName: g.Tag(c), Description: c.Description, Source: g.Source,
			Authors: misp.List[string](g.Authors), Version: fmt.Sprint(g.Version), Default: misp.True, Meta: c.Meta}}}
}
