package feed

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"entente/internal/gate"
	"entente/label"
)

// Rules say how a feed speaks with MISP.
type Rules struct {
	// Orgs and Tags choose the events that are pulled, as MISP's pull rules do: names (organisations also by uuid), any of them; with '!' before it, none of them.
	Orgs []string `toml:"orgs"`
	Tags []string `toml:"tags"`
	// Block is uuids of events that are never taken.
	Block []string `toml:"block"`
	// Own is the uuid by which MISP knows this node's organisation: its own events are not taken back.
	Own string `toml:"own"`
	// Organisations says who the members of sharing groups are here: their MISP uuid, and "NATION/organisation".
	Organisations map[string]string `toml:"organisations"`
	// Without is what is left out besides events: "sightings", "proposals", "clusters", "analyst".
	Without []string `toml:"without"`
}

// maxRules bounds each list of a feed's rules.
const maxRules = 1000

// checkMISP reads what feeds of MISP have in common.
func (c *Config) checkMISP() error {
	switch c.Distribution {
	case "", "event", "feed":
	default:
		return bad("distribution", "%q is not event or feed", c.Distribution)
	}
	m := &c.MISP
	for _, list := range []struct {
		at    string
		words []string
	}{{"misp.orgs", m.Orgs}, {"misp.tags", m.Tags}, {"misp.block", m.Block}, {"misp.without", m.Without}} {
		if len(list.words) > maxRules {
			return bad(list.at, "there are more than %d", maxRules)
		}
		for _, w := range list.words {
			if strings.TrimPrefix(w, "!") == "" || len(w) > 255 {
				return bad(list.at, "%q is empty or too long", cut(w))
			}
		}
	}
	for _, id := range append(m.Block[:len(m.Block):len(m.Block)], m.Own) {
		if _, err := uuid.Parse(id); err != nil && id != "" {
			return bad("misp", "%q is no uuid", cut(id))
		}
	}
	for _, w := range m.Without {
		if !slices.Contains([]string{"sightings", "proposals", "clusters", "analyst"}, w) {
			return bad("misp.without", "%q is none of sightings, proposals, clusters, analyst", cut(w))
		}
	}
	if len(m.Organisations) > maxRules {
		return bad("misp.organisations", "there are more than %d", maxRules)
	}
	c.principals = map[string]string{}
	for id, name := range m.Organisations {
		u, err := uuid.Parse(id)
		if err != nil {
			return bad("misp.organisations", "%q is no uuid", cut(id))
		}
		party, ok := gate.ParseParty(name)
		if !ok {
			return bad("misp.organisations", "%q is no party: write NATION/organisation", cut(name))
		}
		c.principals[u.String()] = label.Org(party.Nation, party.Org)
	}
	return nil
}
