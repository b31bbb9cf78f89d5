package mispapi

import (
	"strconv"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/misp"
)

func (s *Surface) proposalRoutes() map[string]route {
	read, write := gate.Action(gate.ObjectRead), gate.Action(gate.ObjectWrite)
	return map[string]route{
		"shadow_attributes/index": {"GET POST", read, s.proposals},
		"events/pushProposals":    {"POST", write, s.pushProposals},
	}
}

const kindProposal = "proposal"

// proposals lists proposals to change events, from a time on.
func (s *Surface) proposals(c *call) error {
	if err := c.readParams(); err != nil {
		return err
	}
	limit, err := c.params.count("limit", 1000)
	if err != nil {
		return err
	}
	page, err := c.params.count("page", 1)
	if err != nil {
		return err
	}
	limit = min(max(limit, 1), maxElements)
	from, _, err := window(c.params, s.cfg.Now(), "timestamp")
	if err != nil {
		return err
	}
	q := store.Query{Types: []string{misp.LooseType(kindProposal)}}
	if id := c.arg(0, "event_uuid"); id != "" {
		u, err := s.eventUUID(c, id)
		if err != nil {
			return err
		}
		q = looseAbout(kindProposal, u)
	}
	o := s.orgs()
	out := []map[string]any{}
	skip := max(page-1, 0) * limit
	err = s.eachLoose(c.r.Context(), c.v, q, func(l *loose) (bool, error) {
		if l.at.Before(from) || s.proposalRuled(c, l) != nil {
			return true, nil
		}
		if skip > 0 {
			skip--
			return true, nil
		}
		m, err := s.out(c, o, l, kindProposal)
		out = append(out, map[string]any{"ShadowAttribute": m})
		return len(out) < limit, err
	})
	if err != nil {
		return err
	}
	return c.answer(out)
}

// proposalRuled tells whether the rules keep a proposal back. It is left out of lists, which others are in.
func (s *Surface) proposalRuled(c *call, l *loose) error {
	if s.cfg.Rules.empty() || l.it.Record.Origin.Org == c.v.Org && l.it.Record.Origin.Nation == c.v.Nation {
		return nil
	}
	var a misp.Attribute
	if err := misp.Decode(l.text, &a); err != nil {
		return err
	}
	return s.cfg.Rules.attribute(&a)
}

// pushProposals takes proposals to change an event that the sender may have. They reach no further than the event does.
func (s *Surface) pushProposals(c *call) error {
	it, err := s.event(c, c.arg(0))
	if err != nil {
		return err
	}
	raw, err := items(c.body, "ShadowAttribute")
	if err != nil {
		return err
	}
	h := headOf(&it)
	o := s.orgs()
	p := s.policy(o, c.v, true)
	var list []misp.Loose
	for _, v := range raw {
		var a misp.ShadowAttribute
		if err := misp.Decode(v, &a); err != nil {
			return err
		}
		u := misp.UUID(a.UUID)
		at, ok := misp.Time(a.Timestamp)
		if u == "" || !ok || a.Type == "" {
			return fault.New(fault.Invalid, "misp.proposal", "a proposal needs a uuid, a timestamp and a type").At("ShadowAttribute")
		}
		var whole misp.Attribute
		if err := misp.Decode(v, &whole); err != nil {
			return err
		}
		if err := s.cfg.Rules.attribute(&whole); err != nil {
			return err
		}
		// A proposal may have the uuid of the attribute that it would change.
		lab, stated := p.Within(*h.label, true, a.Org, misp.DistributionInherit, nil, whole.Tags)
		list = append(list, misp.Loose{Kind: kindProposal, UUID: misp.Derived("proposal", u, c.v.Nation, c.v.Org), At: at, Of: h.uuid, Label: lab, TLP: stated, Text: v})
	}
	t, err := s.putLoose(c, list)
	if err != nil {
		return err
	}
	if len(t.refused) > 0 {
		return s.unsaved("Proposal", &t)
	}
	return c.saved(strconv.Itoa(len(list)) + " Proposal(s) added.")
}
