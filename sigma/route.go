package sigma

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Route says what the events of a logsource look like: those of any of its sources.
type Route struct {
	Logsource Logsource
	Sources   []Source
}

// Source is one kind of event.
type Source struct {
	Name string
	// When is what tells these events from others; nil: every event is one.
	When *Clause
	// Fields are what the fields of rules are called in these events, where that is not the same.
	Fields map[string][]string
}

//go:embed routes.yml
var routes []byte

// Builtin is the pipeline that knows the logsources of Windows, Sysmon, Linux, Zeek, Suricata and others.
var Builtin = sync.OnceValue(func() *Pipeline {
	p, err := ParsePipeline("routes.yml", routes)
	if err != nil { // the file is part of the package, and its test reads it
		return &Pipeline{}
	}
	return p
})

func (l Logsource) same(o Logsource) bool { return l.Covers(o) && o.Covers(l) }

// members says which members are set.
func (l Logsource) members() (set [3]bool) {
	return [3]bool{l.Category != "", l.Product != "", l.Service != ""}
}

func (l Logsource) String() string {
	var parts []string
	for _, p := range [][2]string{{"category", l.Category}, {"product", l.Product}, {"service", l.Service}} {
		if p[1] != "" {
			parts = append(parts, p[0]+" "+p[1])
		}
	}
	return strings.Join(parts, ", ")
}

func parseRoute(n *yaml.Node, r *report) (route Route) {
	var short Source
	whole := false
	for _, e := range entries(n, "a route", r) {
		switch e.key {
		case "logsource":
			route.Logsource = parseLogsource(e, r)
		case "sources":
			for _, s := range list(e, r) {
				var source Source
				for _, p := range entries(s, "a source", r) {
					parseSource(&source, p, r)
				}
				route.Sources = append(route.Sources, source)
			}
		default:
			whole = true
			parseSource(&short, e, r)
		}
	}
	if route.Logsource.members() == [3]bool{} {
		r.fail(at(n), CodeMissing, "the route does not say for which logsource it is")
	}
	if whole || len(route.Sources) == 0 {
		route.Sources = append(route.Sources, short)
	}
	for i := range route.Sources {
		if s := &route.Sources[i]; s.Name == "" {
			s.Name = route.Logsource.String()
		}
	}
	return route
}

func parseSource(s *Source, e entry, r *report) {
	switch e.key {
	case "name":
		s.Name = text(e, r)
	case "when":
		c := selectionClause("route", e, r)
		probe := Rule{Clause: c}
		for _, p := range probe.Problems().Errors() {
			p.File, p.Rule = r.file, r.rule
			r.list = append(r.list, p)
		}
		s.When = &c
	case "fields":
		s.Fields = map[string][]string{}
		for _, p := range entries(e.value, "fields", r) {
			s.Fields[p.key] = texts(p, r)
		}
	default:
		r.fail(e.at, CodePipeline, "a route takes logsource and sources, and a source name, when and fields; not %q", e.key)
	}
}

// Sources are what events of a logsource look like, and whether that is known. Of the routes that cover it the most precise count: for
// a category and a service both, an event must be of both. A logsource that is wider than every route is all that are in it.
func (p *Pipeline) Sources(l Logsource) (sources []Source, known bool) {
	var cover []Route
	for _, route := range p.Routes {
		if route.Logsource.Covers(l) {
			cover = append(cover, route)
		}
	}
	cover = slices.DeleteFunc(slices.Clone(cover), func(a Route) bool {
		return slices.ContainsFunc(cover, func(b Route) bool { return a.Logsource.Covers(b.Logsource) && !b.Logsource.Covers(a.Logsource) })
	})
	var said [3]bool
	for _, route := range cover {
		for i, set := range route.Logsource.members() {
			said[i] = said[i] || set
		}
	}
	if len(cover) > 0 && said == l.members() {
		sources = cover[0].Sources
		for _, route := range cover[1:] {
			sources = both(sources, route.Sources)
		}
		return sources, true
	}
	if len(cover) > 0 { // a member that no route knows
		return nil, false
	}
	for _, route := range p.Routes {
		if l.Covers(route.Logsource) {
			sources = append(sources, route.Sources...)
		}
	}
	return sources, len(sources) > 0
}

// both are the events that are of one of the first and one of the second.
func both(first, second []Source) (out []Source) {
	for _, a := range first {
		for _, b := range second {
			s := Source{Name: a.Name + " and " + b.Name, When: a.When, Fields: map[string][]string{}}
			for _, fields := range []map[string][]string{a.Fields, b.Fields} {
				for k, v := range fields {
					s.Fields[k] = v
				}
			}
			switch {
			case a.When == nil:
				s.When = b.When
			case b.When != nil:
				s.When = joined(*a.When, *b.When)
			}
			out = append(out, s)
		}
	}
	return out
}

// joined is a clause that asks for the selections of two.
func joined(a, b Clause) *Clause {
	out := Clause{From: "route"}
	root := &node{kind: nodeAnd}
	for i, d := range slices.Concat(a.Detections, b.Detections) {
		d.Name = "selection_" + strconv.Itoa(i)
		out.Detections = append(out.Detections, d)
		root.args = append(root.args, &node{name: d.Name})
	}
	out.Conditions = []*Condition{{Text: "all of them", root: root}}
	return &out
}

// Route gives a rule once for each kind of event that its logsource means: with When set, and its fields called as they are there.
// Run the steps before (Apply). The error is Problems: a logsource that no route knows.
func (p *Pipeline) Route(rule *Rule) ([]*Rule, error) {
	sources, known := p.Sources(rule.Logsource)
	if !known {
		rep := &report{file: rule.File, rule: rule.Handle()}
		rep.fail(rule.Logsource.Position, CodeLogsource, "no route says what events of %s look like: add one to a pipeline, as routes with logsource and when", rule.Logsource)
		return nil, rep.list.err()
	}
	out := make([]*Rule, 0, len(sources))
	for _, s := range sources {
		routed := rule
		if len(s.Fields) > 0 {
			routed = rule.deepClone()
			rep := &report{file: rule.File, rule: rule.Handle()}
			c := &change{step: &Step{}, rule: routed, r: rep}
			c.rename(func(name string) []string {
				if to := s.Fields[name]; len(to) > 0 {
					return to
				}
				return []string{name}
			})
			if rep.failed() {
				return nil, rep.list.err()
			}
		} else {
			shallow := *rule
			routed = &shallow
		}
		routed.Source, routed.When = s.Name, s.When
		out = append(out, routed)
	}
	return out, nil
}
