package sigma

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parameters are the keys of a step that its transformation reads.
type parameters struct {
	step  *Step
	pairs map[string]entry
	used  map[string]bool
	r     *report
}

func (p *parameters) get(key string) (entry, bool) {
	e, ok := p.pairs[key]
	p.used[key] = true
	return e, ok
}

// need is a parameter without which the step has no meaning.
func (p *parameters) need(key string) (entry, bool) {
	e, ok := p.get(key)
	if !ok {
		p.r.fail(p.step.Position, CodeMissing, "%s needs %s", p.step.Type, key)
	}
	return e, ok
}

func (p *parameters) text(key string) string {
	if e, ok := p.need(key); ok {
		return text(e, p.r)
	}
	return ""
}

func (p *parameters) bool(key string) bool {
	e, ok := p.get(key)
	return ok && strings.EqualFold(text(e, p.r), "true")
}

// logsource reads the members of a logsource that are there.
func (p *parameters) logsource() (l Logsource) {
	for key, member := range map[string]*string{"category": &l.Category, "product": &l.Product, "service": &l.Service} {
		if e, ok := p.get(key); ok {
			*member = text(e, p.r)
		}
	}
	return l
}

// mapping is a map from names to one name or several.
func (p *parameters) mapping(key string) map[string][]string {
	out := map[string][]string{}
	if e, ok := p.need(key); ok {
		for _, m := range entries(e.value, key, p.r) {
			if out[m.key] = texts(m, p.r); len(out[m.key]) == 0 {
				p.r.fail(at(m.value), CodeValue, "%s is mapped to nothing: use drop_detection_item to leave it out", m.key)
			}
		}
	}
	return out
}

// transformations make the change of a step out of its parameters.
var transformations map[string]func(*parameters) func(*change)

func init() { // adding a condition parses one, which would be a loop in a literal
	transformations = map[string]func(*parameters) func(*change){
		"field_name_mapping":        mapFields,
		"field_name_prefix_mapping": mapPrefixes,
		"field_name_prefix": func(p *parameters) func(*change) {
			prefix := p.text("prefix")
			return func(c *change) { c.rename(func(name string) []string { return []string{prefix + name} }) }
		},
		"field_name_suffix": func(p *parameters) func(*change) {
			suffix := p.text("suffix")
			return func(c *change) { c.rename(func(name string) []string { return []string{name + suffix} }) }
		},
		"drop_detection_item": func(*parameters) func(*change) {
			return func(c *change) { c.each(func(*Item) bool { return false }) }
		},
		"add_condition":         addCondition,
		"change_logsource":      changeLogsource,
		"value_placeholders":    valuePlaceholders,
		"wildcard_placeholders": valuePlaceholders,
		"replace_string":        replaceString,
		"map_string":            mapString,
		"set_custom_attribute":  setCustom,
		"set_taxonomy": func(p *parameters) func(*change) {
			taxonomy := p.text("taxonomy")
			return func(c *change) { c.rule.Taxonomy = taxonomy }
		},
		"rule_failure": func(p *parameters) func(*change) {
			message := p.text("message")
			return func(c *change) {
				c.r.fail(c.rule.Position, CodeDropped, "the pipeline refuses the rule: %s", message)
			}
		},
	}
}

func mapFields(p *parameters) func(*change) {
	names := p.mapping("mapping")
	return func(c *change) {
		c.rename(func(name string) []string {
			if to, ok := names[name]; ok {
				return to
			}
			return []string{name}
		})
	}
}

func mapPrefixes(p *parameters) func(*change) {
	prefixes := p.mapping("mapping")
	return func(c *change) {
		c.rename(func(name string) []string {
			longest := ""
			for prefix := range prefixes {
				if strings.HasPrefix(name, prefix) && len(prefix) > len(longest) {
					longest = prefix
				}
			}
			if longest == "" {
				return []string{name}
			}
			var out []string
			for _, to := range prefixes[longest] {
				out = append(out, to+strings.TrimPrefix(name, longest))
			}
			return out
		})
	}
}

// addCondition adds a clause: the selection that conditions is, which must hold, or with negated must not.
func addCondition(p *parameters) func(*change) {
	e, ok := p.need("conditions")
	if !ok {
		return nil
	}
	clause := selectionClause("pipeline "+p.step.ID, e, p.r)
	if p.bool("negated") {
		root := clause.Conditions[0].root
		clause.Conditions[0] = &Condition{Text: "not " + clause.Conditions[0].Text, Position: e.at, root: &node{kind: nodeNot, args: []*node{root}}}
	}
	return func(c *change) { c.rule.Also = append(c.rule.Also, clause.clone()) }
}

// selectionClause is a clause of one selection.
func selectionClause(from string, e entry, r *report) Clause {
	d := parseDetection(e, r)
	d.Name = "selection"
	return Clause{From: from, Detections: []Detection{d}, Conditions: []*Condition{{Text: d.Name, Position: e.at, root: &node{name: d.Name}}}}
}

func changeLogsource(p *parameters) func(*change) {
	to := p.logsource()
	return func(c *change) {
		l := &c.rule.Logsource
		l.Category, l.Product, l.Service = to.Category, to.Product, to.Service
	}
}

// valuePlaceholders gives placeholders their values: those of vars, or a star.
func valuePlaceholders(p *parameters) func(*change) {
	names := func(key string) []string {
		if e, ok := p.get(key); ok {
			return texts(e, p.r)
		}
		return nil
	}
	include, exclude := names("include"), names("exclude")
	star := p.step.Type == "wildcard_placeholders"
	return func(c *change) {
		c.each(func(it *Item) bool {
			if !slices.Contains(it.Modifiers, "expand") {
				return true
			}
			for _, v := range it.Values {
				for _, m := range anyPlaceholder.FindAllStringSubmatch(v.Text, -1) {
					name := m[1]
					if len(include) > 0 && !slices.Contains(include, name) || slices.Contains(exclude, name) || len(c.rule.Placeholders[name]) > 0 {
						continue
					}
					if star {
						c.rule.Placeholders[name] = []string{"*"}
					} else if values := c.vars[name]; len(values) > 0 {
						c.rule.Placeholders[name] = values
					}
				}
			}
			return true
		})
	}
}

var anyPlaceholder = regexp.MustCompile(`%([A-Za-z0-9_.-]{1,100})%`)

func replaceString(p *parameters) func(*change) {
	re, err := compileRegex(p.text("regex"))
	if err != nil {
		p.r.fail(p.step.Position, CodeRegex, "the regular expression cannot be used: %s", err)
		return nil
	}
	// \1 and \g<1>, as pySigma writes groups
	to := groupReference.ReplaceAllString(strings.ReplaceAll(p.text("replacement"), "$", "$$"), "$${$1$2}")
	return func(c *change) {
		c.eachText(func(s string) []string { return []string{re.ReplaceAllString(s, to)} })
	}
}

var groupReference = regexp.MustCompile(`\\(?:g<(\w+)>|(\d))`)

func mapString(p *parameters) func(*change) {
	names := p.mapping("mapping")
	return func(c *change) {
		c.eachText(func(s string) []string {
			if to, ok := names[s]; ok {
				return to
			}
			return []string{s}
		})
	}
}

// eachText changes the texts of the items that the step is for.
func (c *change) eachText(f func(string) []string) {
	c.each(func(it *Item) bool {
		var out []Scalar
		for _, v := range it.Values {
			if v.Kind != KindText {
				out = append(out, v)
				continue
			}
			for _, s := range f(v.Text) {
				out = append(out, Scalar{KindText, s, v.Position})
			}
		}
		it.Values = out
		return true
	})
}

func setCustom(p *parameters) func(*change) {
	name := p.text("attribute")
	var values map[string]any
	if e, ok := p.need("value"); ok {
		custom(e, &values, p.r)
	}
	return func(c *change) {
		if c.rule.Custom == nil {
			c.rule.Custom = map[string]any{}
		}
		c.rule.Custom[name] = values["value"]
	}
}

func parseStep(n *yaml.Node, r *report) *Step {
	s := &Step{Position: at(n)}
	p := &parameters{step: s, pairs: map[string]entry{}, used: map[string]bool{}, r: r}
	pairs := entries(n, "a transformation", r)
	for _, e := range pairs {
		p.pairs[e.key] = e
	}
	if e, ok := p.get("id"); ok {
		s.ID = text(e, r)
	}
	s.Type = p.text("type")
	make := transformations[s.Type]
	if make == nil {
		r.fail(s.Position, CodePipeline, "the transformation %q is not done here: there are %s", s.Type, strings.Join(transformationNames(), ", "))
		return nil
	}
	s.rules = parseConditions(p, "rule", ruleTest)
	s.items = parseConditions(p, "detection_item", itemTest)
	s.fields = parseConditions(p, "field_name", fieldTest)
	if s.change = make(p); s.change == nil {
		return nil
	}
	for _, e := range pairs {
		if !p.used[e.key] {
			r.fail(e.at, CodePipeline, "%s takes no %q", s.Type, e.key)
		}
	}
	return s
}

func transformationNames() (names []string) {
	for name := range transformations {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// parseConditions reads the conditions of one kind, how they are joined, and whether they are turned.
func parseConditions[T any](p *parameters, kind string, test func(string, *parameters) func(T) bool) (c conditions[T]) {
	if e, ok := p.get(kind + "_conditions"); ok {
		for _, n := range list(e, p.r) {
			inner := &parameters{step: &Step{Position: at(n)}, pairs: map[string]entry{}, used: map[string]bool{}, r: p.r}
			for _, pair := range entries(n, e.key, p.r) {
				inner.pairs[pair.key] = pair
			}
			inner.step.Type = inner.text("type")
			t := test(inner.step.Type, inner)
			if t == nil {
				p.r.fail(at(n), CodePipeline, "the condition %q is not done here for %s_conditions", inner.step.Type, kind)
				continue
			}
			c.tests = append(c.tests, t)
		}
	}
	if e, ok := p.get(kind + "_cond_op"); ok {
		switch op := text(e, p.r); strings.ToLower(op) {
		case "or":
			c.or = true
		case "and":
		default:
			p.r.fail(at(e.value), CodeValue, "conditions are joined by and or or, not by %q", op)
		}
	}
	c.not = p.bool(kind + "_cond_not")
	return c
}

func ruleTest(kind string, p *parameters) func(*Rule) bool {
	switch kind {
	case "logsource":
		l := p.logsource()
		return func(r *Rule) bool { return l.Covers(r.Logsource) }
	case "contains_field", "contains_detection_item":
		field := p.text("field")
		return func(r *Rule) bool {
			return slices.ContainsFunc(r.Detections, func(d Detection) bool {
				return slices.ContainsFunc(d.Any, func(s Selection) bool {
					return slices.ContainsFunc(s.Items, func(it Item) bool { return slices.Contains(it.Fields, field) })
				})
			})
		}
	case "tag":
		tag := p.text("tag")
		return func(r *Rule) bool { return slices.Contains(r.Tags, tag) }
	case "rule_id":
		ids, _ := p.need("ids")
		list := texts(ids, p.r)
		return func(r *Rule) bool { return slices.Contains(list, r.ID) }
	}
	return nil
}

func itemTest(kind string, p *parameters) func(*Item) bool {
	switch kind {
	case "match_string":
		re, err := compileRegex(p.text("pattern"))
		if err != nil {
			p.r.fail(p.step.Position, CodeRegex, "the regular expression cannot be used: %s", err)
			return nil
		}
		any := strings.EqualFold(p.text("cond"), "any")
		negate := p.bool("negate")
		return func(it *Item) bool {
			hit := func(v Scalar) bool { return re.MatchString(v.Text) != negate }
			if any {
				return slices.ContainsFunc(it.Values, hit)
			}
			return !slices.ContainsFunc(it.Values, func(v Scalar) bool { return !hit(v) })
		}
	case "is_null":
		return func(it *Item) bool {
			return !slices.ContainsFunc(it.Values, func(v Scalar) bool { return v.Kind != KindNull })
		}
	}
	return nil
}

func fieldTest(kind string, p *parameters) func(string) bool {
	if kind != "include_fields" && kind != "exclude_fields" {
		return nil
	}
	e, ok := p.need("fields")
	if !ok {
		return func(string) bool { return false }
	}
	fields := texts(e, p.r)
	return func(field string) bool { return slices.Contains(fields, field) == (kind == "include_fields") }
}
