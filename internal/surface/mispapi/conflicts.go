package mispapi

import (
	"slices"
	"strings"

	"entente/internal/store"
	"entente/misp"
	"entente/stix"
)

// elementTypes are the STIX types that an object can become, first those that an attribute can.
var elementTypes = []string{"indicator", "observed-data", "x-misp-attribute", "vulnerability", "campaign", "x-misp-object", "attack-pattern", "course-of-action", "intrusion-set",
	"identity", "location", "note", "tool", "malware", "threat-actor"}

// conflicts refuses an event whose elements are here as another organisation's, or as part of another event, and gives the ids of what was in the
// event and is something else in STIX from now on.
func (s *Surface) conflicts(c *call, event string, items []misp.Item, parts []part) (gone []string, err error) {
	becomes := make(map[string]string, len(parts))
	for i := range items {
		typ, id, _ := strings.Cut(items[i].ID, "--")
		if slices.Contains(elementTypes, typ) {
			becomes[id] = items[i].ID
		}
	}
	var ids []string
	for _, p := range parts {
		if u := misp.UUID(p.uuid); u != "" && becomes[u] != "" {
			for _, typ := range p.types {
				ids = append(ids, typ+"--"+u)
			}
		}
	}
	for chunk := range slices.Chunk(ids, 7500) {
		var there []string
		err := pages(c.r.Context(), s.x, c.v, store.Query{IDs: chunk, Headers: true}, func(it *store.Item) (bool, error) {
			if o := &it.Record.Origin; o.Nation != c.v.Nation || o.Org != c.v.Org {
				_, id, _ := strings.Cut(it.Record.ID, "--")
				return false, refusal("misp.owner", "Event could not be saved: %s came from %s, and no other organisation may change it.", id, o.Org)
			}
			if !it.Record.Revoked && !it.Held {
				there = append(there, it.Record.ID)
			}
			return true, nil
		})
		if err != nil {
			return nil, err
		}
		if len(there) == 0 {
			continue
		}
		q := members(event)
		q.IDs = there
		here := map[string]bool{}
		err = pages(c.r.Context(), s.x, c.v, q, func(it *store.Item) (bool, error) {
			here[it.Record.ID] = true
			_, id, _ := strings.Cut(it.Record.ID, "--")
			if becomes[id] == it.Record.ID {
				return true, nil
			}
			if o, err := stix.Parse(it.Record.Body); err == nil && misp.EventOf(o) == event {
				gone = append(gone, it.Record.ID)
			}
			return true, nil
		})
		if err != nil {
			return nil, err
		}
		for _, id := range there {
			if _, u, _ := strings.Cut(id, "--"); !here[id] && becomes[u] == id && !strings.HasPrefix(id, "identity--") {
				return nil, refusal("misp.elsewhere", "Event could not be saved: %s is part of another event here.", u)
			}
		}
	}
	return gone, nil
}
