package misp

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"entente/label"
)

// Policy says who the organisations of MISP are in the terms of labels. The zero value knows nobody: what it labels stays with its originator.
type Policy struct {
	// Origin is the principal of the organisation whose instance an event came from, or goes to.
	Origin string
	// Principals is the principals of organisations by their MISP uuid, in lower case.
	Principals map[string]string
	// Reach is the audience agreed upon for the distributions 0 to 3. Where it is missing or empty, Origin alone is.
	Reach [4]label.Set
}

// The distributions of MISP.
const (
	DistributionOrganisation = "0"
	DistributionCommunity    = "1"
	DistributionConnected    = "2"
	DistributionAll          = "3"
	DistributionGroup        = "4"
	DistributionInherit      = "5"
)

// LabelOf is the label of an event: the join of what its distribution, its sharing group and its tags restrict. stated tells whether a tag
// states a TLP; otherwise the default of the feed or agreement is to be joined. Two different TLPs, and a TLP or PAP tag that is not
// understood, count as RED. The organisation in Orgc is the originator that an empty sharing group leaves.
func (p *Policy) LabelOf(e *Event) (l label.Label, stated bool) {
	l, stated, _ = p.event(e)
	return l, stated
}

// Within is the label of an element of an event with the label outer: never less than that. A distribution of 5, or none, inherits.
func (p *Policy) Within(outer label.Label, stated bool, orgc *Org, distribution string, group *SharingGroup, tags []Tag) (label.Label, bool) {
	own, says, _ := tagLabel(tags)
	l := label.Join(outer, own)
	if distribution != "" && distribution != DistributionInherit {
		l = label.Join(l, p.distribution(distribution, group, orgc))
	}
	return l, stated || says
}

func (p *Policy) event(e *Event) (label.Label, bool, bool) {
	l, stated, sound := tagLabel(e.Tags)
	for _, g := range e.Galaxies {
		for i := range g.Clusters {
			l = p.cluster(l, &g.Clusters[i])
		}
	}
	d := e.Distribution
	if d == DistributionInherit { // an event has nothing to inherit from
		d = DistributionOrganisation
	}
	return label.Join(l, p.distribution(cmp.Or(d, DistributionOrganisation), e.SharingGroup, e.Orgc)), stated, sound
}

// cluster joins the label of a cluster that is not one of the published ones, which everybody has.
func (p *Policy) cluster(l label.Label, c *Cluster) label.Label {
	if c.Default.True() || c.Distribution == "" || c.Distribution == DistributionInherit {
		return l
	}
	return label.Join(l, p.distribution(c.Distribution, c.SharingGroup, c.Orgc))
}

func (p *Policy) distribution(d string, group *SharingGroup, orgc *Org) label.Label {
	l := label.Bottom()
	switch {
	case len(d) == 1 && d[0] >= '0' && d[0] <= '3' && p.Reach[d[0]-'0'].Len() != 0:
		l.Audience = p.Reach[d[0]-'0']
	case d == DistributionGroup:
		l.Audience = p.members(group, orgc)
	case d == DistributionInherit:
		return l
	default:
		l.Audience = audience(p.Origin)
	}
	l.Named = false // it takes from whom the TLP reaches, and adds nobody
	return l
}

// members is the organisations of an active sharing group that are known here; of one without any, the originator alone. Servers and roaming
// would only widen it.
func (p *Policy) members(g *SharingGroup, orgc *Org) label.Set {
	var names []string
	if g != nil && g.Active != False {
		for _, m := range g.Orgs {
			if m.Organisation != nil {
				names = append(names, p.Principals[strings.ToLower(m.Organisation.UUID)])
			}
		}
	}
	if set := audience(names...); !set.IsEmpty() {
		return set
	}
	if orgc != nil {
		return audience(p.Principals[strings.ToLower(orgc.UUID)])
	}
	return label.Set{}
}

// audience is the set of the principals that are some; nobody rather than an error.
func audience(principals ...string) label.Set {
	principals = slices.DeleteFunc(principals, func(s string) bool { return label.CheckPrincipal(s) != nil })
	set, err := label.NewAudience(principals...)
	if err != nil {
		return label.Set{}
	}
	return set
}

// tagLabel is what TLP and PAP tags restrict. sound is false where two contradict each other or one is not understood.
func tagLabel(tags []Tag) (l label.Label, stated, sound bool) {
	l, sound = label.Bottom(), true
	var tlp label.TLP
	for i := range tags {
		name := tags[i].Name
		if len(name) < 4 || !strings.EqualFold(name[:4], "tlp:") && !strings.EqualFold(name[:4], "pap:") {
			continue
		}
		m, err := label.ParseTag(name)
		switch {
		case err != nil && errors.Is(err, label.ErrUnintelligible) && strings.EqualFold(name[:4], "pap:"), err != nil && strings.EqualFold(name[:4], "pap:"):
			l.PAP, sound = label.PAPRed, false
		case err != nil, m.StatesTLP && stated && m.Label.TLP != tlp:
			l.TLP, tlp, stated, sound = label.Red, label.Red, true, false
		default:
			l = label.Join(l, m.Label)
			if m.StatesTLP {
				stated, tlp = true, m.Label.TLP
			}
		}
	}
	return l, stated, sound
}

// Sharing is how a label is said in MISP.
type Sharing struct {
	Distribution string        // 0 or 4, never 1 to 3
	Group        *SharingGroup // of distribution 4
	Tags         []Tag
}

// SharingOf says a label in MISP as far as MISP can. Only an audience of named organisations whose MISP uuids the policy knows becomes a
// sharing group, without those it does not know. Everything else is distribution 0: where the audience is not explicit, where nobody in it is
// known, and where the label restricts by something MISP does not have, such as an embargo, a purpose, a caveat or an exercise.
func (p *Policy) SharingOf(l label.Label) Sharing {
	s := Sharing{Distribution: DistributionOrganisation, Tags: []Tag{{Name: strings.ToLower(l.TLP.String())}}}
	if l.PAP == label.PAPAsk {
		s.Tags = append(s.Tags, Tag{Name: label.PAPRed.String()})
	} else if l.PAP != label.PAPClear {
		s.Tags = append(s.Tags, Tag{Name: l.PAP.String()})
	}
	expressible := label.For(l.TLP)
	expressible.PAP, expressible.Audience, expressible.Named = l.PAP, l.Audience, l.Named
	if l.PAP == label.PAPAsk || l.TLP == label.Red || l.Audience.IsAll() || !label.LessEqual(l, expressible) {
		return s
	}
	var orgs List[SharingGroupOrg]
	var uuids []string
	for id, principal := range p.Principals {
		if l.Audience.Has(principal) {
			uuids = append(uuids, id)
		}
	}
	slices.Sort(uuids)
	for _, id := range uuids {
		orgs = append(orgs, SharingGroupOrg{Extend: False, Organisation: &Org{UUID: id, Name: p.Principals[id]}})
	}
	if len(orgs) == 0 {
		return s
	}
	s.Distribution = DistributionGroup
	s.Group = &SharingGroup{UUID: derived(append([]string{"sharing-group"}, uuids...)...), Name: "Entente " + strings.Join(l.Audience.List(), ", "),
		Releasability: strings.Join(l.Audience.List(), ", "), Active: True, Roaming: False, Orgs: orgs}
	return s
}
