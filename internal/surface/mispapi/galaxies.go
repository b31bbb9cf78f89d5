package mispapi

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
	"entente/misp"
)

func (s *Surface) galaxyRoutes() map[string]route {
	read, write := gate.Action(gate.ObjectRead), gate.Action(gate.ObjectWrite)
	return map[string]route{
		"galaxies/index":             {"GET POST", read, s.galaxies},
		"galaxies/pushCluster":       {"POST", write, s.pushClusters},
		"galaxy_clusters/restSearch": {"POST", read, s.clusters},
		"galaxy_clusters/view":       {"GET", read, s.cluster},
	}
}

const kindCluster = "cluster"

// pushClusters takes clusters that are not the published ones.
func (s *Surface) pushClusters(c *call) error {
	raw, err := items(c.body, "GalaxyCluster")
	if err != nil {
		return err
	}
	o := s.orgs()
	p := s.policy(o, c.v, true)
	var list []misp.Loose
	for _, v := range raw {
		var k misp.Cluster
		if err := misp.Decode(v, &k); err != nil {
			return err
		}
		u := misp.UUID(k.UUID)
		if u == "" || k.Value == "" {
			return fault.New(fault.Invalid, "misp.cluster", "a cluster needs a uuid and a value").At("GalaxyCluster")
		}
		if k.Default.True() {
			continue // everybody has it
		}
		if err := s.cfg.Rules.cluster(&k); err != nil {
			return err
		}
		lab, stated := p.Within(label.Bottom(), false, k.Orgc, downgraded(k.Distribution), k.SharingGroup, nil)
		at, ok := misp.Time(k.Version)
		if !ok {
			at = time.Unix(0, 0)
		}
		list = append(list, misp.Loose{Kind: kindCluster, UUID: u, At: at, Label: lab, TLP: stated, Text: v})
	}
	t, err := s.putLoose(c, list)
	if err != nil {
		return err
	}
	if len(t.refused) > 0 {
		return s.unsaved("Galaxy cluster", &t)
	}
	return c.saved(strconv.Itoa(len(list)) + " imported, " + strconv.Itoa(len(raw)-len(list)) + " ignored, 0 failed.")
}

// clusters lists the clusters that are not the published ones.
func (s *Surface) clusters(c *call) error {
	if err := c.readParams(); err != nil {
		return err
	}
	uuids := c.params.list("uuid")
	value := strings.ToLower(c.params.get("value"))
	minimal := c.params.flag("minimal")
	o := s.orgs()
	out := []map[string]any{}
	err := s.eachLoose(c.r.Context(), c.v, store.Query{Types: []string{misp.LooseType(kindCluster)}}, func(l *loose) (bool, error) {
		if len(uuids) > 0 && !slices.Contains(uuids, l.uuid) || s.clusterRuled(c, l) != nil {
			return true, nil
		}
		m, err := s.out(c, o, l, kindCluster)
		if err != nil {
			return false, err
		}
		if v, _ := texts(m["value"], nil, 0); value != "" && (len(v) == 0 || !matchText(value, v[0])) {
			return true, nil
		}
		if minimal {
			m = map[string]jsontext.Value{"uuid": m["uuid"], "version": m["version"]}
		}
		out = append(out, map[string]any{"GalaxyCluster": m})
		return len(out) < maxElements, nil
	})
	if err != nil {
		return err
	}
	return c.answer(map[string]any{"response": out})
}

func (s *Surface) clusterRuled(c *call, l *loose) error {
	if s.cfg.Rules.empty() || l.it.Record.Origin.Org == c.v.Org && l.it.Record.Origin.Nation == c.v.Nation {
		return nil
	}
	var k misp.Cluster
	if err := misp.Decode(l.text, &k); err != nil {
		return err
	}
	return s.cfg.Rules.cluster(&k)
}

func (s *Surface) cluster(c *call) error {
	l, err := s.looseOf(c, kindCluster, c.arg(0))
	if err != nil {
		return err
	}
	if err := s.clusterRuled(c, l); err != nil {
		return err
	}
	m, err := s.out(c, s.orgs(), l, kindCluster)
	if err != nil {
		return err
	}
	return c.answer(map[string]any{"GalaxyCluster": m})
}

// galaxies lists the galaxies that are loaded, and those of the clusters that are here.
func (s *Surface) galaxies(c *call) error {
	seen := map[string]bool{}
	out := []map[string]any{}
	if s.cfg.Lists != nil {
		for _, g := range s.cfg.Lists.Galaxies() {
			seen[g.Type] = true
			out = append(out, map[string]any{"Galaxy": misp.Galaxy{ID: s.numbers.give("galaxy", g.UUID), UUID: g.UUID, Name: g.Name, Type: g.Type, Description: g.Description,
				Version: strconv.FormatInt(g.Version, 10), Namespace: "misp"}})
		}
	}
	err := s.eachLoose(c.r.Context(), c.v, store.Query{Types: []string{misp.LooseType(kindCluster)}}, func(l *loose) (bool, error) {
		var k struct {
			Galaxy jsontext.Value `json:"Galaxy"`
			Type   string         `json:"type"`
		}
		if json.Unmarshal(l.text, &k) == nil && k.Galaxy.Kind() == '{' && !seen[k.Type] {
			seen[k.Type] = true
			out = append(out, map[string]any{"Galaxy": k.Galaxy})
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return c.answer(out)
}
