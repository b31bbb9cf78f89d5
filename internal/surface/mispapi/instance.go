package mispapi

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/misp"
)

func (s *Surface) instanceRoutes() map[string]route {
	anyone := gate.Action(gate.ObjectRead)
	return map[string]route{
		"servers/getVersion":                     {"GET", anyone, s.version},
		"servers/getPyMISPVersion":               {"GET", anyone, func(c *call) error { return c.answer(map[string]string{"version": Version}) }},
		"servers/postTest":                       {"POST", anyone, s.postTest},
		"servers/getAvailableSyncFilteringRules": {"GET", anyone, s.filteringRules},
		"servers/createSync":                     {"GET", anyone, s.createSync},
		"users/view":                             {"GET", anyone, s.me},
		"attributes/describeTypes":               {"GET", anyone, s.describeTypes},
		"organisations/index":                    {"GET POST", anyone, s.organisations},
		"organisations/view":                     {"GET", anyone, s.organisation},
		"sharing_groups/index":                   {"GET POST", anyone, s.sharingGroups},
		"sharing_groups/view":                    {"GET", anyone, s.sharingGroup},
	}
}

// version says what a peer may ask of this instance, as this viewer.
func (s *Surface) version(c *call) error {
	write := s.x.Gate().Can(c.v, gate.ObjectWrite)
	return c.answer(map[string]any{"version": Version, "pymisp_recommended_version": Version, "perm_sync": write, "perm_sighting": write, "perm_galaxy_editor": write,
		"perm_analyst_data": write, "uuid": misp.Derived("instance", s.cfg.Nation, s.cfg.Org), "request_encoding": []string{"gzip"}, "filter_sightings": true})
}

// postTest tells a peer what arrives of its requests.
func (s *Surface) postTest(c *call) error {
	if err := c.readParams(); err != nil {
		return err
	}
	if c.params.get("testString") == "" {
		return fault.New(fault.Invalid, "misp.param", "there is no testString in the body").At("testString")
	}
	headers := map[string]string{"Authorization": "OK"}
	for _, name := range []string{"Content-type", "Accept"} {
		headers[name] = clip(c.r.Header.Get(name))
	}
	return c.answer(map[string]any{"body": map[string]string{"testString": clip(c.params.get("testString"))}, "headers": headers})
}

// filteringRules is what a peer can filter a pull by: the organisations of the register.
func (s *Surface) filteringRules(c *call) error {
	o := s.orgs()
	names := make([]string, 0, len(o.list))
	for _, org := range o.list {
		names = append(names, org.Name)
	}
	return c.answer(map[string]any{"organisations": names, "tags": []string{}})
}

// createSync is what the administrator of a peer pastes into its form for a new server. The key in it is the one of this request.
func (s *Surface) createSync(c *call) error {
	key, _ := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	if len(key) != 40 {
		return fault.New(fault.Unprocessable, "misp.key", "a peer needs a key of exactly 40 characters, which this request did not come with").
			Try("ask with the token that the peer is to use: entente token add --misp NAME --role analyst --org ORGANISATION")
	}
	own := s.orgs().uuid(s.cfg.Nation, s.cfg.Org)
	return c.answer(map[string]any{"Server": map[string]any{"url": c.base(), "uuid": misp.Derived("instance", s.cfg.Nation, s.cfg.Org), "authkey": key,
		"Organisation": map[string]string{"name": s.cfg.Org, "uuid": own}}})
}

// base is the address of the instance as this client knows it.
func (c *call) base() string {
	scheme := "https"
	if c.r.TLS == nil {
		scheme = "http"
	}
	return scheme + "://" + c.r.Host + strings.TrimSuffix(Prefix, "/")
}

// me is who asks.
func (s *Surface) me(c *call) error {
	if who := c.arg(0); who != "me" && who != c.v.Person {
		return fault.New(fault.NotFound, "", "no such user")
	}
	g := s.x.Gate()
	read, write := g.Can(c.v, gate.ObjectRead), g.Can(c.v, gate.ObjectWrite)
	org := s.viewerOrg(s.orgs(), c.v)
	org.Unknown = nil
	number := s.numbers.give("user", c.v.Org+"/"+c.v.Person)
	return c.answer(map[string]any{
		"User": map[string]any{"id": number, "org_id": org.ID, "email": c.v.Person, "autoalert": false, "invited_by": "0", "disabled": false, "change_pw": "0", "role_id": "1"},
		"Role": map[string]any{"id": "1", "name": strings.Join(c.v.Roles, ", "), "perm_auth": true, "perm_add": write, "perm_modify": write, "perm_modify_org": write, "perm_publish": write,
			"perm_sync": write, "perm_tagger": write, "perm_sighting": write, "perm_object_template": false, "perm_galaxy_editor": write, "perm_analyst_data": write,
			"perm_sharing_group": false, "perm_admin": false, "perm_site_admin": false, "perm_audit": false, "perm_read": read},
		"UserSetting":  []any{},
		"Organisation": org,
	})
}

// describeTypes is what MISP knows of attribute types.
func (s *Surface) describeTypes(c *call) error {
	types, categories := misp.Types(), misp.Categories()
	defaults := map[string]any{}
	byCategory := map[string][]string{}
	for _, cat := range categories {
		byCategory[cat] = []string{}
	}
	for _, name := range types {
		t, _ := misp.TypeByName(name)
		ids := 0
		if t.ToIDs {
			ids = 1
		}
		defaults[name] = map[string]any{"default_category": t.Category, "to_ids": ids}
		for _, cat := range categories {
			if t.Fits(cat) {
				byCategory[cat] = append(byCategory[cat], name)
			}
		}
	}
	return c.answer(map[string]any{"result": map[string]any{"sane_defaults": defaults, "types": types, "categories": categories, "category_type_mappings": byCategory}})
}

type named map[string]any

// organisations lists the register.
func (s *Surface) organisations(c *call) error {
	if err := c.readParams(); err != nil {
		return err
	}
	o := s.orgs()
	list := []named{}
	search := strings.ToLower(c.params.get("searchall"))
	for _, org := range o.list {
		if search == "" || strings.Contains(strings.ToLower(org.Name), search) {
			list = append(list, named{"Organisation": s.orgPage(o, org.Nation, org.Name)})
		}
	}
	return c.answer(list)
}

func (s *Surface) orgPage(o *orgs, nation, name string) named {
	org := s.org(o.uuid(nation, name), name)
	return named{"id": org.ID, "name": name, "uuid": org.UUID, "nationality": nation, "local": true, "type": "", "sector": "", "description": ""}
}

func (s *Surface) organisation(c *call) error {
	o, want := s.orgs(), c.arg(0, "id", "uuid")
	for _, org := range o.list {
		id := o.uuid(org.Nation, org.Name)
		if strings.EqualFold(want, org.Name) || misp.UUID(want) == id || s.numbers.give("org", id) == want {
			return c.answer(named{"Organisation": s.orgPage(o, org.Nation, org.Name)})
		}
	}
	return noSuch("no such organisation")
}

// sharingGroups lists the communities that the viewer's organisation is in; the node's own knows all.
func (s *Surface) sharingGroups(c *call) error {
	o := s.orgs()
	list := []jsontext.Value{}
	for _, com := range o.groups {
		if !s.inGroup(c.v, com.Members) {
			continue
		}
		b, err := s.groupPage(s.group(o, com))
		if err != nil {
			return err
		}
		list = append(list, b)
	}
	return c.answer(map[string]any{"response": list})
}

func (s *Surface) inGroup(v gate.Viewer, members []string) bool {
	return v.Nation == s.cfg.Nation && v.Org == s.cfg.Org || slices.ContainsFunc(members, func(m string) bool { return strings.EqualFold(m, v.Org) })
}

func (s *Surface) groupPage(g *misp.SharingGroup) (jsontext.Value, error) {
	members, owner := g.Orgs, g.Organisation
	head := *g
	head.Orgs, head.Organisation = nil, nil
	a, err := misp.Encode(&head)
	if err != nil {
		return nil, err
	}
	b, err := misp.Encode(members)
	if err != nil {
		return nil, err
	}
	org, err := misp.Encode(owner)
	if err != nil {
		return nil, err
	}
	if members == nil {
		b = []byte("[]")
	}
	out := append([]byte(`{"SharingGroup":`), a...)
	out = append(append(out, `,"Organisation":`...), org...)
	out = append(append(out, `,"SharingGroupOrg":`...), b...)
	return append(out, `,"SharingGroupServer":[],"editable":false,"deletable":false}`...), nil
}

func (s *Surface) sharingGroup(c *call) error {
	o := s.orgs()
	g := s.groupOf(o, c.arg(0, "id", "uuid"))
	for _, com := range o.groups {
		if g != nil && com.Name == g.Name && s.inGroup(c.v, com.Members) {
			b, err := s.groupPage(g)
			if err != nil {
				return err
			}
			return c.answer(b)
		}
	}
	return noSuch("no such sharing group")
}
