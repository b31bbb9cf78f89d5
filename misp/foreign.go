package misp

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/stix"
	"entente/stix/pattern"
)

// object converts a STIX object that is not our own: to an attribute or object of MISP where one says it, to a galaxy cluster, or as text.
func (b *back) object(e *Event, o *stix.Object) {
	b.done[o.ID()] = true
	switch typ := o.Type(); {
	case typ == "indicator":
		if b.indicator(e, o) {
			return
		}
	case typ == "observed-data":
		if b.observation(e, o) {
			return
		}
	case typ == "note":
		if b.note(e, o) {
			return
		}
	case mappings().galaxies["stix-2.1-"+typ] != "":
		b.knowledge(e, o)
		return
	case stix.IsSCO(typ):
		if a, ok := b.observable(o); ok {
			e.Attributes = append(e.Attributes, a)
			return
		}
	}
	e.Objects = append(e.Objects, held(o))
}

// indicator converts an indicator whose pattern an attribute type or object template says, or keeps the pattern as text.
func (b *back) indicator(e *Event, o *stix.Object) bool {
	source, language := o.Text("/pattern"), o.Text("/pattern_type")
	_, id, _ := strings.Cut(o.ID(), "--")
	a := Attribute{UUID: id, ToIDs: True, Value: source, Timestamp: unixText(o.Version()), Comment: o.Text("/description"), FirstSeen: o.Text("/valid_from"),
		Distribution: DistributionInherit, Tags: b.tags(o)}
	if o.Revoked() {
		a.Deleted = True
	}
	switch language {
	case "yara", "sigma", "snort", "suricata":
		a.Type = language
	case "stix":
		p, err := pattern.Parse(source)
		if err != nil {
			return false
		}
		tests, simple := equalities(p)
		if simple {
			if typ, value, ok := attributeOf(tests); ok {
				a.Type, a.Value = typ, value
				break
			}
			if m, ok := templateOf(tests); ok && len(a.Tags) == 0 {
				b.templated(e, o, m, tests)
				return true
			}
		}
		a.Type = "stix2-pattern"
		b.lose(LossPattern, o.ID()+"#/pattern", "no attribute type says this pattern: it is kept as text")
	default:
		return false
	}
	a.Category = defaultCategory(a.Type)
	e.Attributes = append(e.Attributes, a)
	return true
}

func defaultCategory(typ string) string {
	t, ok := TypeByName(typ)
	if !ok {
		return "Other"
	}
	return t.Category
}

// equality is one comparison of a pattern that only compares values joined by AND.
type equality struct{ path, value string }

// equalities takes such a pattern apart. Tests of an address's type are left out, because the value shows it.
func equalities(p *pattern.Pattern) ([]equality, bool) {
	root := p.Root()
	if root.Op != pattern.Observe || len(root.Qualifiers) > 0 {
		return nil, false
	}
	conditions := []pattern.Condition{root.Condition}
	if root.Condition.Join == pattern.All {
		conditions = root.Condition.Operands
	}
	var out []equality
	for i := range conditions {
		c := &conditions[i]
		if c.Join != pattern.Single || c.Test.Not {
			return nil, false
		}
		value := c.Test.Value.Text
		switch {
		case c.Test.Op == pattern.IsSubset:
		case c.Test.Op != pattern.Equal:
			return nil, false
		case c.Test.Value.Kind == pattern.Integer:
			value = strconv.FormatInt(c.Test.Value.Int, 10)
		case c.Test.Value.Kind == pattern.Boolean:
			value = strconv.FormatBool(c.Test.Value.Bool)
		case c.Test.Value.Kind != pattern.String:
			return nil, false
		}
		text := c.Test.Path.String()
		if strings.HasSuffix(text, "_ref.type") {
			continue
		}
		out = append(out, equality{text, value})
	}
	return out, len(out) > 0
}

// aliases is paths that mean the same as one of the table.
var aliases = map[string]string{
	"ipv4-addr:value":                "ip-dst",
	"ipv6-addr:value":                "ip-dst",
	"email-message:sender_ref.value": "email-src",
}

// attributeOf is the attribute type whose values stand at the places of the tests.
func attributeOf(tests []equality) (typ, value string, ok bool) {
	m := mappings()
	switch len(tests) {
	case 1:
		typ = cmp.Or(m.byPath[tests[0].path], aliases[tests[0].path])
		return typ, tests[0].value, typ != "" && tests[0].value != "" && fits(typ, tests[0].value)
	case 2:
		for _, order := range [][2]int{{0, 1}, {1, 0}} {
			x, y := tests[order[0]], tests[order[1]]
			if typ = m.byPath[x.path+" "+y.path]; typ != "" && !strings.Contains(x.value, "|") {
				return typ, x.value + "|" + y.value, fits(typ, x.value+"|"+y.value)
			}
		}
	}
	return "", "", false
}

// fits tells whether an attribute of the type can say the value openly.
func fits(typ, value string) bool {
	parts, err := attributeParts(mappings(), &Attribute{Type: typ, Value: value})
	return err == nil && parts != nil
}

// templates is the object templates that patterns of several tests may become, in the order of trying.
var templates = []string{"file", "domain-ip", "network-connection", "email", "registry-key", "x509", "process", "user-account", "pe", "http-request", "cpe-asset"}

func templateOf(tests []equality) (string, bool) {
	m := mappings()
	seen := map[string]bool{}
	for _, t := range tests {
		if seen[t.path] {
			return "", false
		}
		seen[t.path] = true
	}
	for _, name := range templates {
		if !slices.ContainsFunc(tests, func(t equality) bool { return m.objects[name].relation(t.path, t.value) == "" }) {
			return name, true
		}
	}
	return "", false
}

// relation is the relation of a template whose values stand at a path.
func (m *objectMap) relation(place, value string) string {
	var found string
	for name, p := range m.relations {
		if p.text != place || found != "" && found < name {
			continue
		}
		if _, err := fit(&p, value); err == nil {
			found = name
		}
	}
	return found
}

func (b *back) templated(e *Event, o *stix.Object, template string, tests []equality) {
	_, id, _ := strings.Cut(o.ID(), "--")
	m := Object{UUID: id, Name: template, MetaCategory: metaCategory(template), Comment: o.Text("/description"), Timestamp: unixText(o.Version()),
		FirstSeen: o.Text("/valid_from"), Distribution: DistributionInherit}
	if o.Revoked() {
		m.Deleted = True
	}
	om := mappings().objects[template]
	for i, t := range tests {
		a := Attribute{UUID: derived(id, strconv.Itoa(i)), ObjectRelation: om.relation(t.path, t.value), Value: t.value, ToIDs: True, Timestamp: m.Timestamp,
			Distribution: DistributionInherit, Type: "text"}
		place := om.relations[a.ObjectRelation]
		if typ := mappings().byPath[place.text]; typ != "" && fits(typ, t.value) {
			a.Type = typ
		}
		a.Category = defaultCategory(a.Type)
		m.Attributes = append(m.Attributes, a)
	}
	e.Objects = append(e.Objects, m)
}

func metaCategory(template string) string {
	switch template {
	case "domain-ip", "network-connection", "email", "x509", "http-request":
		return "network"
	case "user-account", stixObject:
		return "misc"
	}
	return "file"
}

// observation converts an observed-data of one observable that an attribute says.
func (b *back) observation(e *Event, o *stix.Object) bool {
	refs := refsOf(o, "object_refs")
	if len(refs) != 1 || b.byID[refs[0]] == nil {
		return false
	}
	a, ok := b.observable(b.byID[refs[0]])
	if !ok {
		return false
	}
	b.done[refs[0]] = true
	_, a.UUID, _ = strings.Cut(o.ID(), "--")
	a.Timestamp, a.FirstSeen, a.LastSeen = unixText(o.Version()), o.Text("/first_observed"), o.Text("/last_observed")
	a.Tags = b.tags(o)
	e.Attributes = append(e.Attributes, a)
	return true
}

// observable is the attribute that one cyber-observable object says.
func (b *back) observable(o *stix.Object) (Attribute, bool) {
	typ := o.Type()
	a := Attribute{UUID: derived("observable", o.ID()), ToIDs: False, Distribution: DistributionInherit, Tags: b.tags(o)}
	property := "value"
	switch typ {
	case "ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "mac-addr":
	case "mutex":
		property = "name"
	case "autonomous-system":
		property = "number"
	case "windows-registry-key":
		property = "key"
	case "file":
		return fileAttribute(o, a)
	default:
		return a, false
	}
	a.Value = o.Text("/" + property)
	if typ == "autonomous-system" {
		raw, _ := o.Property("/number")
		a.Value = string(raw)
	}
	if a.Value == "" {
		return a, false
	}
	a.Type = cmp.Or(mappings().byPath[typ+":"+property], aliases[typ+":"+property])
	a.Category = defaultCategory(a.Type)
	return a, fits(a.Type, a.Value)
}

// fileAttribute is the attribute of a file with a name, a hash, or one of each.
func fileAttribute(o *stix.Object, a Attribute) (Attribute, bool) {
	var hashes map[string]string
	if raw, ok := o.Property("/hashes"); ok && json.Unmarshal(raw, &hashes) != nil || len(hashes) > 1 {
		return a, false
	}
	var places []string
	if name := o.Name(); name != "" {
		places = append(places, "file:name")
		a.Value = name
	}
	for algorithm, hash := range hashes {
		place := "file:hashes." + algorithm
		if strings.ContainsAny(algorithm, "-/") {
			place = "file:hashes.'" + algorithm + "'"
		}
		places = append(places, place)
		if a.Value != "" {
			a.Value += "|"
		}
		a.Value += hash
	}
	a.Type = mappings().byPath[strings.Join(places, " ")]
	a.Category = defaultCategory(a.Type)
	return a, a.Type != "" && fits(a.Type, a.Value)
}

// note converts a note to an event report.
func (b *back) note(e *Event, o *stix.Object) bool {
	_, id, _ := strings.Cut(o.ID(), "--")
	content := o.Text("/content")
	if content == "" {
		return false
	}
	e.Reports = append(e.Reports, EventReport{UUID: id, Name: o.Text("/abstract"), Content: content, Timestamp: unixText(o.Version()), Distribution: DistributionInherit,
		Deleted: FlagOf(o.Revoked()), Tags: b.tags(o)})
	return true
}

// knowledge converts a domain object to a cluster of the galaxy for its type. The cluster's meta holds the object, so that it comes back as it is.
func (b *back) knowledge(e *Event, o *stix.Object) {
	typ := o.Type()
	galaxy := "stix-2.1-" + typ
	at := slices.IndexFunc(e.Galaxies, func(g Galaxy) bool { return g.Type == galaxy })
	if at < 0 {
		at = len(e.Galaxies)
		e.Galaxies = append(e.Galaxies, Galaxy{UUID: derived("galaxy", galaxy), Name: "STIX 2.1 " + strings.ReplaceAll(typ, "-", " "), Type: galaxy,
			Description: "Objects of the type " + typ + " that came as STIX 2.1", Namespace: "stix", Version: "1"})
	}
	_, id, _ := strings.Cut(o.ID(), "--")
	value := o.Name()
	if value == "" {
		value = o.ID()
	}
	meta := map[string][]string{stixMeta: {string(o.Raw())}}
	var aliases []string
	if raw, ok := o.Property("/aliases"); ok && json.Unmarshal(raw, &aliases) == nil && len(aliases) > 0 {
		meta["synonyms"] = aliases
	}
	for _, external := range o.Externals() {
		meta["external_id"] = append(meta["external_id"], external[strings.IndexByte(external, ':')+1:])
	}
	written, err := json.Marshal(meta, writing)
	if err != nil {
		written = nil
	}
	e.Galaxies[at].Clusters = append(e.Galaxies[at].Clusters, Cluster{UUID: id, Type: galaxy, Value: value, TagName: "misp-galaxy:" + galaxy + "=\"" + strings.ReplaceAll(value, `"`, "'") + `"`,
		Description: o.Text("/description"), Version: unixText(o.Version()), Distribution: DistributionInherit, Meta: jsontext.Value(written)})
}

// held is a MISP object that holds a STIX object as text.
func held(o *stix.Object) Object {
	m := Object{UUID: derived(stixObject, o.ID()), Name: stixObject, MetaCategory: metaCategory(stixObject), Description: "A STIX 2.1 object of a kind that MISP does not have",
		TemplateUUID: derived("template", stixObject), TemplateVersion: "1", Timestamp: unixText(o.Version()), Distribution: DistributionInherit}
	for _, pair := range [][2]string{{"type", o.Type()}, {"id", o.ID()}, {"raw", string(o.Raw())}} {
		m.Attributes = append(m.Attributes, Attribute{UUID: derived(m.UUID, pair[0]), Type: "text", Category: "Other", ObjectRelation: pair[0], Value: pair[1],
			ToIDs: False, DisableCorrelation: True, Distribution: DistributionInherit, Timestamp: m.Timestamp})
	}
	return m
}
