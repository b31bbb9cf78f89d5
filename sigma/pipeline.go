package sigma

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Pipeline is what fits rules to the logs at hand, as data: steps that change rules, values for placeholders, and routes that say what
// events of a logsource look like. The form is that of pySigma's processing pipelines, as far as it has a meaning where rules are
// evaluated and not translated, and routes besides.
type Pipeline struct {
	Name     string
	Priority int // the lower is done first
	// Vars are lists of values, for placeholders.
	Vars   map[string][]string
	Steps  []Step
	Routes []Route
}

// Step is one transformation, and the rules and items it is for.
type Step struct {
	ID, Type string
	Position
	rules  conditions[*Rule]
	items  conditions[*Item]
	fields conditions[string]
	change func(*change)
}

// conditions are tests joined by and, or by or.
type conditions[T any] struct {
	tests []func(T) bool
	or    bool
	not   bool
}

func (c conditions[T]) hold(v T) bool {
	if len(c.tests) == 0 {
		return true
	}
	met := slices.ContainsFunc(c.tests, func(test func(T) bool) bool { return test(v) == c.or }) == c.or
	return met != c.not
}

// change is a step at work on one rule, whose lists are its own.
type change struct {
	step *Step
	rule *Rule
	vars map[string][]string
	r    *report
}

// ParsePipeline reads a pipeline.
func ParsePipeline(file string, src []byte) (*Pipeline, error) {
	r := &report{file: file}
	docs := documents(src, r)
	if len(docs) != 1 && !r.failed() {
		r.fail(Position{1, 1}, CodeForm, "a pipeline is one YAML document, and there are %d", len(docs))
	}
	if r.failed() {
		return nil, r.sorted().err()
	}
	p := &Pipeline{Vars: map[string][]string{}}
	for _, e := range entries(docs[0], "the pipeline", r) {
		switch e.key {
		case "name":
			p.Name = text(e, r)
			r.rule = p.Name
		case "priority":
			n, err := strconv.Atoi(text(e, r))
			if err != nil {
				r.fail(at(e.value), CodeValue, "the priority %q is no whole number", e.value.Value)
			}
			p.Priority = n
		case "vars":
			for _, v := range entries(e.value, "vars", r) {
				p.Vars[v.key] = texts(v, r)
			}
		case "transformations":
			for _, n := range list(e, r) {
				if s := parseStep(n, r); s != nil {
					p.Steps = append(p.Steps, *s)
				}
			}
		case "routes":
			for _, n := range list(e, r) {
				p.Routes = append(p.Routes, parseRoute(n, r))
			}
		case "allowed_backends":
		default:
			r.fail(e.at, CodePipeline, "%q is not done here: a pipeline has name, priority, vars, transformations and routes", e.key)
		}
	}
	if r.failed() {
		return nil, r.sorted().err()
	}
	return p, nil
}

func list(e entry, r *report) []*yaml.Node {
	if e.value.Kind != yaml.SequenceNode {
		r.fail(at(e.value), CodeForm, "%s must be a list, and is %s", e.key, kindName(e.value))
		return nil
	}
	return e.value.Content
}

// Join makes one pipeline of several: what has the lower priority is done first, and a route of a later one replaces that of an
// earlier one for the same logsource.
func Join(pipelines ...*Pipeline) *Pipeline {
	sorted := slices.Clone(pipelines)
	slices.SortStableFunc(sorted, func(a, b *Pipeline) int { return cmp.Compare(a.Priority, b.Priority) })
	out := &Pipeline{Vars: map[string][]string{}}
	var names []string
	for _, p := range sorted {
		names = append(names, p.Name)
		for k, v := range p.Vars {
			out.Vars[k] = v
		}
		out.Steps = append(out.Steps, p.Steps...)
	}
	for _, p := range pipelines {
		for _, route := range p.Routes {
			if i := slices.IndexFunc(out.Routes, func(o Route) bool { return o.Logsource.same(route.Logsource) }); i >= 0 {
				out.Routes[i] = route
			} else {
				out.Routes = append(out.Routes, route)
			}
		}
	}
	out.Name = strings.Join(names, ", ")
	return out
}

// Apply gives a rule as the steps change it; the rule itself stays as it is. The error is Problems: a step that refuses the rule, or
// would change what it means without a trace.
func (p *Pipeline) Apply(rule *Rule) (*Rule, error) {
	out := rule.deepClone()
	rep := &report{file: rule.File, rule: rule.Handle()}
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.rules.hold(out) {
			s.change(&change{s, out, p.Vars, rep})
		}
	}
	if rep.failed() {
		return nil, rep.sorted().err()
	}
	return out, nil
}

// deepClone is a rule of which every item can be changed.
func (r *Rule) deepClone() *Rule {
	out := *r
	out.Clause = r.Clause.clone()
	out.Also = make([]Clause, len(r.Also))
	for i := range r.Also {
		out.Also[i] = r.Also[i].clone()
	}
	out.names = slices.Clone(r.names)
	out.Placeholders = make(map[string][]string, len(r.Placeholders))
	for k, v := range r.Placeholders {
		out.Placeholders[k] = v
	}
	if r.Custom != nil {
		out.Custom = make(map[string]any, len(r.Custom))
		for k, v := range r.Custom {
			out.Custom[k] = v
		}
	}
	return &out
}

func (c Clause) clone() Clause {
	c.Detections = slices.Clone(c.Detections)
	for i := range c.Detections {
		d := &c.Detections[i]
		d.Any = slices.Clone(d.Any)
		for j := range d.Any {
			items := slices.Clone(d.Any[j].Items)
			for k := range items {
				items[k].Fields = slices.Clone(items[k].Fields)
				items[k].Values = slices.Clone(items[k].Values)
			}
			d.Any[j].Items = items
		}
	}
	return c
}

// each visits the items that the step is for; those for which keep is false are taken out.
func (c *change) each(visit func(*Item) (keep bool)) {
	clauses := append([]*Clause{&c.rule.Clause}, pointers(c.rule.Also)...)
	for _, cl := range clauses {
		for i := range cl.Detections {
			d := &cl.Detections[i]
			for j := range d.Any {
				s := &d.Any[j]
				before := len(s.Items)
				kept := s.Items[:0]
				for k := range s.Items {
					if it := s.Items[k]; !c.step.matches(&it) || visit(&it) {
						kept = append(kept, it)
					}
				}
				if s.Items = kept; len(kept) == 0 && before > 0 {
					c.r.fail(d.Position, CodePipeline, "the pipeline drops all of %s, which would then match everything: drop less, or refuse the rule", d.Name)
				}
			}
		}
	}
}

func pointers[T any](list []T) []*T {
	out := make([]*T, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

// matches says whether the step is for an item.
func (s *Step) matches(it *Item) bool {
	if !s.items.hold(it) {
		return false
	}
	if len(s.fields.tests) == 0 {
		return true
	}
	return slices.ContainsFunc(it.Fields, s.fields.hold)
}

// rename changes the names of fields, and remembers it for the names that correlations use.
func (c *change) rename(f func(string) []string) {
	only := func(name string) []string {
		if !c.step.fields.hold(name) {
			return []string{name}
		}
		return f(name)
	}
	c.each(func(it *Item) bool {
		it.Fields = renamed(it.Fields, only)
		if slices.Contains(it.Modifiers, "fieldref") {
			for i := range it.Values {
				if names := only(it.Values[i].Text); len(names) == 1 {
					it.Values[i].Text = names[0]
				} else {
					c.r.fail(it.Position, CodePipeline, "the field %s that fieldref names stands for %d fields: map it to one", it.Values[i].Text, len(names))
				}
			}
		}
		return true
	})
	c.rule.names = append(c.rule.names, only)
}

func renamed(fields []string, f func(string) []string) (out []string) {
	for _, field := range fields {
		for _, name := range f(field) {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// Names are what a field is called in the events that the rule is for, after what pipelines changed.
func (r *Rule) Names(field string) []string {
	names := []string{field}
	for _, f := range r.names {
		names = renamed(names, f)
	}
	return names
}
