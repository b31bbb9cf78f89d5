package mispapi

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
	"entente/misp"
)

// analyst is a note, an opinion or a relationship: what analysts say of something of MISP.
type analyst struct {
	UUID           string             `json:"uuid"`
	ObjectUUID     string             `json:"object_uuid"`
	ObjectType     string             `json:"object_type"`
	Distribution   string             `json:"distribution"`
	SharingGroupID string             `json:"sharing_group_id"`
	SharingGroup   *misp.SharingGroup `json:"SharingGroup"`
	Modified       string             `json:"modified"`
	Created        string             `json:"created"`
	Orgc           *misp.Org          `json:"Orgc"`
	Locked         misp.Flag          `json:"locked"`
	Unknown        jsontext.Value     `json:",embed"`
}

// analystKinds are the kinds of analyst data, by the names of MISP.
var analystKinds = []string{"Note", "Opinion", "Relationship"}

// analystIn is the analyst data that stands in an element, nested too.
func analystIn(unknown []byte) []analyst {
	var out []analyst
	var walk func(raw []byte, depth int)
	walk = func(raw []byte, depth int) {
		var members map[string]jsontext.Value
		if depth > 8 || json.Unmarshal(raw, &members) != nil {
			return
		}
		for _, kind := range analystKinds {
			var list misp.List[analyst]
			if v := members[kind]; len(v) == 0 || misp.Decode(v, &list) != nil {
				continue
			}
			for i := range list {
				out = append(out, list[i])
				walk(list[i].Unknown, depth+1)
			}
		}
	}
	walk(unknown, 0)
	return out
}

// unknownFlag tells whether a member that the language does not name says yes.
func unknownFlag(unknown []byte, name string) bool {
	var members map[string]jsontext.Value
	if len(unknown) == 0 || json.Unmarshal(unknown, &members) != nil {
		return false
	}
	values, ok := texts(members[name], nil, 0)
	return ok && (params{name: values}).flag(name)
}

func (s *Surface) analystRoutes() map[string]route {
	read, write := gate.Action(gate.ObjectRead), gate.Action(gate.ObjectWrite)
	return map[string]route{
		"analyst_data/indexMinimal":             {"GET POST", read, s.analystMinimal},
		"analyst_data/index":                    {"GET POST", read, s.analystIndex},
		"analyst_data/filterAnalystDataForPush": {"POST", write, s.analystFilter},
		"analyst_data/pushAnalystData":          {"POST", write, s.analystPush},
	}
}

func analystKind(name string) (string, bool) {
	return strings.ToLower(name), slices.Contains(analystKinds, name)
}

// analystMinimal lists what there is, by uuid and version.
func (s *Surface) analystMinimal(c *call) error {
	out := map[string][]map[string]string{}
	for _, name := range analystKinds {
		kind, _ := analystKind(name)
		out[name] = []map[string]string{}
		err := pages(c.r.Context(), s.x, c.v, store.Query{Types: []string{misp.LooseType(kind)}, Headers: true}, func(it *store.Item) (bool, error) {
			if !it.Held && !it.Record.Revoked {
				_, id, _ := strings.Cut(it.Record.ID, "--")
				at, _ := time.Parse(time.RFC3339Nano, it.Record.Version)
				out[name] = append(out[name], map[string]string{id: at.UTC().Format(time.DateTime)})
			}
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	return c.answer(out)
}

// analystIndex gives the ones of a kind that are asked for.
func (s *Surface) analystIndex(c *call) error {
	if err := c.readParams(); err != nil {
		return err
	}
	name := c.arg(0)
	kind, ok := analystKind(name)
	if !ok {
		return noSuch("no such kind of analyst data")
	}
	q := store.Query{Types: []string{misp.LooseType(kind)}}
	if ids := c.params.list("uuid"); len(ids) > 0 {
		q = store.Query{}
		for _, id := range ids[:min(len(ids), 5000)] {
			if u := misp.UUID(id); u != "" {
				q.IDs = append(q.IDs, misp.LooseType(kind)+"--"+u)
			}
		}
		if len(q.IDs) == 0 {
			return c.answer([]int{})
		}
	}
	o := s.orgs()
	out := []map[string]any{}
	err := s.eachLoose(c.r.Context(), c.v, q, func(l *loose) (bool, error) {
		if err := s.analystRuled(c, l.text, l.it.Record.Origin); err != nil {
			return false, err
		}
		m, err := s.out(c, o, l, kind)
		out = append(out, map[string]any{name: m})
		return len(out) < maxElements, err
	})
	if err != nil {
		return err
	}
	return c.answer(out)
}

// analystRuled tells whether the rules keep something back from everybody but its originator.
func (s *Surface) analystRuled(c *call, text []byte, from record.Origin) error {
	if s.cfg.Rules.empty() || from.Nation == c.v.Nation && from.Org == c.v.Org {
		return nil
	}
	var a analyst
	if err := misp.Decode(text, &a); err != nil {
		return err
	}
	return s.cfg.Rules.analystData(&a)
}

// analystFilter tells a peer which of its data are wanted: what is not here, and what is newer.
func (s *Surface) analystFilter(c *call) error {
	var in map[string]jsontext.Value
	if err := misp.Decode(c.body, &in); err != nil {
		return err
	}
	out := map[string][]string{}
	for _, name := range analystKinds {
		kind, _ := analystKind(name)
		out[name] = []string{}
		raw, ok := in[name]
		if !ok || raw.Kind() != '{' {
			continue
		}
		var asked map[string]string
		if err := misp.Decode(raw, &asked); err != nil {
			return err
		}
		ids := sorted(asked)
		if len(ids) > maxElements {
			return fault.New(fault.TooLarge, "misp.elements", "at most %d elements are asked for at once", maxElements)
		}
		have, err := s.here(c.r.Context(), c.v, kind, ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			at, ok := have[misp.UUID(id)]
			if newer, sound := misp.Time(asked[id]); misp.UUID(id) != "" && (!ok || sound && newer.After(at)) {
				out[name] = append(out[name], id)
			}
		}
	}
	return c.answer(out)
}

// analystPush takes analyst data: one object of a kind, or several.
func (s *Surface) analystPush(c *call) error {
	raw, err := items(c.body)
	if err != nil {
		return err
	}
	o := s.orgs()
	var list []misp.Loose
	for i := range raw {
		var members map[string]jsontext.Value
		if err := json.Unmarshal(raw[i], &members); err != nil {
			return err
		}
		for _, name := range analystKinds {
			if v, ok := members[name]; ok && v.Kind() == '{' {
				l, err := s.analystLoose(c, o, name, v)
				if err != nil {
					return err
				}
				list = append(list, l)
			}
		}
	}
	if len(list) == 0 {
		return fault.New(fault.Invalid, "misp.empty", "there is no Note, Opinion or Relationship in the body")
	}
	t, err := s.putLoose(c, list)
	if err != nil {
		return err
	}
	if len(t.refused) > 0 {
		return s.unsaved("Analyst data", &t)
	}
	return c.saved(strconv.Itoa(len(list)) + " imported, 0 ignored, 0 failed.")
}

func (s *Surface) analystLoose(c *call, o *orgs, name string, raw jsontext.Value) (l misp.Loose, err error) {
	var a analyst
	if err := misp.Decode(raw, &a); err != nil {
		return l, err
	}
	kind, _ := analystKind(name)
	at, ok := misp.Time(a.Modified)
	if !ok || misp.UUID(a.UUID) == "" || misp.UUID(a.ObjectUUID) == "" {
		return l, fault.New(fault.Invalid, "misp.analyst", "analyst data needs a uuid, an object_uuid and a modified time").At(name)
	}
	if err := s.cfg.Rules.analystData(&a); err != nil {
		return l, err
	}
	d := downgraded(a.Distribution)
	if d == misp.DistributionInherit {
		d = misp.DistributionOrganisation // what it inherits from may not be here
	}
	p := s.policy(o, c.v, true)
	lab, stated := p.Within(label.Bottom(), false, a.Orgc, d, a.SharingGroup, nil)
	return misp.Loose{Kind: kind, UUID: misp.UUID(a.UUID), At: at, Of: misp.UUID(a.ObjectUUID), Label: lab, TLP: stated, Text: raw}, nil
}

// downgraded is a distribution as an instance that receives it takes it; none is the narrowest.
func downgraded(d string) string {
	e := misp.Event{Distribution: d}
	e.Downgrade()
	return cmp.Or(e.Distribution, misp.DistributionOrganisation)
}

// analystData judges something that analysts say, and what it relates to.
func (r *Rules) analystData(a *analyst) error {
	if r.empty() {
		return nil
	}
	if err := r.reach("analyst data has blocked", a.Distribution, a.SharingGroup, a.SharingGroupID); err != nil {
		return err
	}
	if err := r.analyst(a.Unknown); err != nil || len(a.Unknown) == 0 {
		return err
	}
	var rel struct {
		Object struct {
			Event     *misp.Event     `json:"Event"`
			Attribute *misp.Attribute `json:"Attribute"`
			Of        *misp.Object    `json:"Object"`
		} `json:"related_object"`
	}
	if misp.Decode(a.Unknown, &rel) != nil {
		return nil // it relates to nothing that could be judged
	}
	rules := *r
	rules.Require = nil
	switch o := rel.Object; {
	case o.Event != nil:
		return rules.event(o.Event)
	case o.Attribute != nil:
		return rules.attribute(o.Attribute)
	case o.Of != nil:
		return rules.object(o.Of)
	}
	return nil
}
