package mispapi

import (
	"strconv"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/lists"
	"entente/misp"
)

func (s *Surface) vocabularyRoutes() map[string]route {
	read := gate.Action(gate.ObjectRead)
	return map[string]route{
		"warninglists/index":      {"GET POST", read, s.warninglists},
		"warninglists/checkValue": {"POST", read, s.checkValue},
		"taxonomies/index":        {"GET POST", read, s.taxonomies},
		"noticelists/index":       {"GET POST", read, func(c *call) error { return c.answer([]int{}) }}, // none are loaded
	}
}

// taxonomies lists the taxonomies that are loaded.
func (s *Surface) taxonomies(c *call) error {
	out := []named{}
	if s.cfg.Lists != nil {
		for _, t := range s.cfg.Lists.Taxonomies() {
			out = append(out, named{"Taxonomy": named{"id": s.numbers.give("taxonomy", t.Namespace), "namespace": t.Namespace, "description": t.Description,
				"version": strconv.FormatInt(t.Version, 10), "enabled": true, "exclusive": t.Exclusive, "required": false, "highlighted": false},
				"total_count": len(t.Tags())})
		}
	}
	return c.answer(out)
}

// warninglists lists the warning lists that are loaded.
func (s *Surface) warninglists(c *call) error {
	out := []named{}
	if s.cfg.Lists != nil {
		for _, w := range s.cfg.Lists.Summary().Warnings {
			out = append(out, named{"Warninglist": named{"id": s.numbers.give("warninglist", w.Name), "name": w.Name, "type": w.Type, "description": w.Description,
				"version": strconv.FormatInt(w.Version, 10), "enabled": true, "default": true, "category": w.Category, "warninglist_entry_count": strconv.Itoa(w.Entries)}})
		}
	}
	return c.answer(named{"Warninglists": out})
}

const maxChecked = 10_000

// checkValue tells which warning lists values stand on.
func (s *Surface) checkValue(c *call) error {
	var values []string
	if err := misp.Decode(c.body, &values); err != nil {
		return err
	}
	if len(values) > maxChecked {
		return fault.New(fault.TooLarge, "misp.values", "at most %d values are looked for at once", maxChecked)
	}
	out := map[string][]named{}
	for _, v := range values {
		for _, h := range s.hits(v) {
			out[v] = append(out[v], named{"id": s.numbers.give("warninglist", h.List), "name": h.List, "matched": h.Entry})
		}
	}
	if len(out) == 0 {
		return c.answer([]int{}) // as PHP writes it
	}
	return c.answer(out)
}

func (s *Surface) hits(value string) []lists.Hit {
	if s.cfg.Lists == nil {
		return nil
	}
	return s.cfg.Lists.Check("", value)
}
