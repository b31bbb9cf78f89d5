package mispapi

import (
	"strings"

	"entente/internal/gate"
	"entente/internal/identity"
	"entente/label"
	"entente/misp"
)

// orgs is the organisations of the node as MISP names them.
type orgs struct {
	byUUID  map[string]identity.Org
	byParty map[string]string // uuid
	names   map[string]string // uuid by name, folded
	list    []identity.Org
	groups  []identity.Community
}

// orgs is the present register.
func (s *Surface) orgs() *orgs {
	reg := s.cfg.Register()
	o := &orgs{byUUID: map[string]identity.Org{}, byParty: map[string]string{}, names: map[string]string{}, list: reg.Orgs, groups: reg.Communities}
	for _, org := range reg.Orgs {
		party := gate.Party{Nation: org.Nation, Org: org.Name}.String()
		id := s.cfg.uuids[party]
		if id == "" {
			id = misp.Derived("organisation", org.Nation, org.Name)
		}
		o.byUUID[id], o.byParty[party], o.names[strings.ToLower(org.Name)] = org, id, id
	}
	return o
}

// uuid is the uuid in MISP of an organisation.
func (o *orgs) uuid(nation, org string) string {
	if id := o.byParty[gate.Party{Nation: nation, Org: org}.String()]; id != "" {
		return id
	}
	return misp.Derived("organisation", nation, org)
}

// policy says whom the distributions reach of what a viewer hands in. What a peer's instance sends has been for that instance: beyond the
// organisation that sends it, its lowest distributions let only this node's own organisation have it.
func (s *Surface) policy(o *orgs, v gate.Viewer, sync bool) misp.Policy {
	p := misp.Policy{Origin: label.Org(v.Nation, v.Org), Principals: make(map[string]string, len(o.byUUID))}
	for id, org := range o.byUUID {
		p.Principals[id] = label.Org(org.Nation, org.Name)
	}
	all := label.All()
	p.Reach = [4]label.Set{{}, all, all, all}
	if sync {
		if set, err := label.NewAudience(p.Origin, label.Org(s.cfg.Nation, s.cfg.Org)); err == nil {
			p.Reach[0] = set
		}
	}
	return p
}

// org is an organisation as MISP writes it.
func (s *Surface) org(uuid, name string) *misp.Org {
	return &misp.Org{ID: s.numbers.give("org", uuid), Name: name, UUID: uuid, Local: misp.True}
}

func (s *Surface) viewerOrg(o *orgs, v gate.Viewer) *misp.Org {
	return s.org(o.uuid(v.Nation, v.Org), v.Org)
}

// group is a community of the register as a sharing group.
func (s *Surface) group(o *orgs, c identity.Community) *misp.SharingGroup {
	id := misp.Derived("community", c.Name)
	own := s.org(o.uuid(s.cfg.Nation, s.cfg.Org), s.cfg.Org)
	g := &misp.SharingGroup{ID: s.numbers.give("group", id), UUID: id, Name: c.Name, Releasability: c.Name, OrganisationUUID: own.UUID, OrgID: own.ID, Active: misp.True,
		Roaming: misp.False, Local: misp.True, Organisation: own}
	for _, m := range c.Members {
		mid := o.names[strings.ToLower(m)]
		if mid == "" {
			continue
		}
		org := s.org(mid, m)
		g.Orgs = append(g.Orgs, misp.SharingGroupOrg{OrgID: org.ID, SharingGroupID: g.ID, Extend: misp.False, Organisation: org})
	}
	return g
}

// groupOf finds a sharing group of the register by uuid or number.
func (s *Surface) groupOf(o *orgs, id string) *misp.SharingGroup {
	for _, c := range o.groups {
		u := misp.Derived("community", c.Name)
		if u == misp.UUID(id) || s.numbers.give("group", u) == id {
			return s.group(o, c)
		}
	}
	return nil
}
