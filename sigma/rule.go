package sigma

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Meta is what rules, filters and correlations say about themselves (Sigma rules specification 2.1, Components). Dates are kept as
// they are written.
type Meta struct {
	Title, ID, Name, Status, Level, Description, License, Author, Date, Modified, Taxonomy string

	Tags, References, FalsePositives, Fields, Scope []string

	Related []Related
	// Custom are the keys that the specification does not know.
	Custom map[string]any
	// File and Position say where the document begins.
	File string
	Position
}

// Related names another rule and what it is to this one: derived, obsolete, merged, renamed, similar or correlation.
type Related struct{ ID, Type string }

// Handle names a rule in messages: its id, else its name, else its title.
func (m *Meta) Handle() string {
	for _, s := range []string{m.ID, m.Name, m.Title} {
		if s != "" {
			return s
		}
	}
	return ""
}

// Logsource says of which logs a rule speaks. An empty member leaves it open.
type Logsource struct {
	Category, Product, Service, Definition string

	Custom map[string]any
	Position
}

// Covers says whether every log of the other source is one of this source: each member that is set here has the same value there.
func (l Logsource) Covers(other Logsource) bool {
	same := func(mine, theirs string) bool { return mine == "" || strings.EqualFold(mine, theirs) }
	return same(l.Category, other.Category) && same(l.Product, other.Product) && same(l.Service, other.Service)
}

// Rule is a Sigma rule as it is written, or as pipelines changed it.
type Rule struct {
	Meta
	Logsource Logsource
	Clause
	// Also must hold as well: filters, and what pipelines add.
	Also []Clause
	// Placeholders are the values that pipelines gave for the names between percent signs. They may hold wildcards.
	Placeholders map[string][]string
	// Source and When are the kind of events that a route puts the rule to; nil: every event.
	Source string
	When   *Clause
	names  []func(string) []string
}

// Clause is search identifiers and conditions over them, of which one must hold.
type Clause struct {
	From       string // what added it; empty for the rule's own
	Detections []Detection
	Conditions []*Condition
}

// Detection is what a search identifier stands for: any one of its selections.
type Detection struct {
	Name string
	Any  []Selection
	Position
}

// Selection is items that must all hold: a map of fields, or a single keyword list.
type Selection struct{ Items []Item }

// Item is one line of a selection: fields, modifiers and values.
type Item struct {
	// Fields are the names of the field, of which any may match: one as it is written, more after a mapping to several, none for
	// keywords, which are looked for in every value of an event.
	Fields []string
	// Modifiers are in their order, by their full names.
	Modifiers []string
	Values    []Scalar
	Position
}

// Scalar is a value as it is written in a rule. Text is empty for null.
type Scalar struct {
	Kind Kind
	Text string
	Position
}

// metaKeys are the keys that metadata reads, and what they are.
var metaKeys = map[string]func(*Meta, entry, *report){
	"title":          func(m *Meta, e entry, r *report) { m.Title = text(e, r) },
	"id":             func(m *Meta, e entry, r *report) { m.ID = text(e, r) },
	"name":           func(m *Meta, e entry, r *report) { m.Name = text(e, r) },
	"status":         func(m *Meta, e entry, r *report) { m.Status = text(e, r) },
	"level":          func(m *Meta, e entry, r *report) { m.Level = text(e, r) },
	"description":    func(m *Meta, e entry, r *report) { m.Description = text(e, r) },
	"license":        func(m *Meta, e entry, r *report) { m.License = text(e, r) },
	"author":         func(m *Meta, e entry, r *report) { m.Author = strings.Join(texts(e, r), ", ") },
	"date":           func(m *Meta, e entry, r *report) { m.Date = text(e, r) },
	"modified":       func(m *Meta, e entry, r *report) { m.Modified = text(e, r) },
	"taxonomy":       func(m *Meta, e entry, r *report) { m.Taxonomy = text(e, r) },
	"tags":           func(m *Meta, e entry, r *report) { m.Tags = texts(e, r) },
	"references":     func(m *Meta, e entry, r *report) { m.References = texts(e, r) },
	"falsepositives": func(m *Meta, e entry, r *report) { m.FalsePositives = texts(e, r) },
	"fields":         func(m *Meta, e entry, r *report) { m.Fields = texts(e, r) },
	"scope":          func(m *Meta, e entry, r *report) { m.Scope = texts(e, r) },
	"related":        func(m *Meta, e entry, r *report) { m.Related = related(e, r) },
}

func related(e entry, r *report) (out []Related) {
	if e.value.Kind != yaml.SequenceNode {
		r.fail(at(e.value), CodeForm, "related must be a list of maps with id and type, and is %s", kindName(e.value))
		return nil
	}
	for _, n := range e.value.Content {
		var rel Related
		for _, p := range entries(n, "related", r) {
			switch p.key {
			case "id":
				rel.ID = text(p, r)
			case "type":
				rel.Type = text(p, r)
			}
		}
		out = append(out, rel)
	}
	return out
}

var (
	levels   = []string{"informational", "low", "medium", "high", "critical"}
	statuses = []string{"stable", "test", "experimental", "deprecated", "unsupported"}
)

// checkMeta looks at what has a closed list of words.
func checkMeta(m *Meta, r *report) {
	if m.Title == "" {
		r.warn(m.Position, CodeMissing, "the title is missing: say in a line what is found")
	}
	if m.Level != "" && !slices.Contains(levels, m.Level) {
		r.warn(m.Position, CodeValue, "the level %q is none of %s", m.Level, strings.Join(levels, ", "))
	}
	if m.Status != "" && !slices.Contains(statuses, m.Status) {
		r.warn(m.Position, CodeValue, "the status %q is none of %s", m.Status, strings.Join(statuses, ", "))
	}
}

func parseLogsource(e entry, r *report) Logsource {
	l := Logsource{Position: e.at}
	for _, p := range entries(e.value, "logsource", r) {
		switch p.key {
		case "category":
			l.Category = text(p, r)
		case "product":
			l.Product = text(p, r)
		case "service":
			l.Service = text(p, r)
		case "definition":
			l.Definition = text(p, r)
		default:
			custom(p, &l.Custom, r)
		}
	}
	return l
}

// parseClause reads search identifiers and their condition: the detection of a rule, or a filter. Keys that own names belong to the
// one who calls.
func parseClause(pairs []entry, where Position, own []string, r *report) (c Clause) {
	var condition *entry
	for i, p := range pairs {
		switch {
		case p.key == "condition":
			condition = &pairs[i]
		case slices.Contains(own, p.key):
		case p.key == "timeframe":
			r.warn(p.at, CodeDoubtful, "a timeframe means nothing without an aggregation, and aggregations are correlations today: write a correlation with a timespan")
		default:
			c.Detections = append(c.Detections, parseDetection(p, r))
		}
	}
	if len(c.Detections) == 0 {
		r.fail(where, CodeMissing, "there is no search identifier: say what is looked for")
	}
	if condition == nil {
		r.fail(where, CodeMissing, "the condition is missing: say which search identifiers must hold")
		return c
	}
	list := []*yaml.Node{condition.value}
	if condition.value.Kind == yaml.SequenceNode {
		list = condition.value.Content
	}
	for _, n := range list {
		if n = plain(n); n.Kind != yaml.ScalarNode || isNull(n) {
			r.fail(at(n), CodeForm, "a condition must be a text, or a list of texts of which one must hold")
			continue
		}
		if parsed := parseCondition(n, r); parsed != nil {
			c.Conditions = append(c.Conditions, parsed)
		}
	}
	if len(list) == 0 {
		r.fail(at(condition.value), CodeMissing, "the condition is missing: say which search identifiers must hold")
	}
	return c
}

// parseDetection reads what a search identifier stands for: a map, a list of maps, a list of keywords, or one keyword.
func parseDetection(e entry, r *report) Detection {
	d := Detection{Name: e.key, Position: e.at}
	switch e.value.Kind {
	case yaml.MappingNode:
		d.Any = []Selection{parseMap(e.value, e.key, r)}
	case yaml.ScalarNode:
		d.Any = []Selection{keywords([]*yaml.Node{e.value}, r)}
	case yaml.SequenceNode:
		var words []*yaml.Node
		for _, n := range e.value.Content {
			switch n = plain(n); n.Kind {
			case yaml.MappingNode:
				d.Any = append(d.Any, parseMap(n, e.key, r))
			case yaml.ScalarNode:
				words = append(words, n)
			default:
				r.fail(at(n), CodeForm, "a list in a list has no meaning in %s: write one list", e.key)
			}
		}
		if len(words) > 0 {
			d.Any = append(d.Any, keywords(words, r))
		}
		if len(e.value.Content) == 0 {
			r.fail(at(e.value), CodeMissing, "%s is an empty list, which would never match: say what is looked for, or leave it out", e.key)
		}
	}
	return d
}

func keywords(nodes []*yaml.Node, r *report) Selection {
	it := Item{Position: at(nodes[0])}
	for _, n := range nodes {
		it.Values = append(it.Values, parseScalar(n, r))
	}
	return Selection{[]Item{it}}
}

func parseMap(n *yaml.Node, name string, r *report) (s Selection) {
	pairs := entries(n, name, r)
	if len(n.Content) == 0 {
		r.fail(at(n), CodeMissing, "%s is an empty map: say what is looked for, or leave it out", name)
	}
	for _, p := range pairs {
		parts := strings.Split(p.key, "|")
		it := Item{Position: p.at}
		switch field := parts[0]; {
		case field != "":
			it.Fields = []string{field}
		case len(parts) == 1:
			r.fail(p.at, CodeField, "the name of the field is empty: name it, or write a list for keywords")
		}
		for _, m := range parts[1:] {
			if full, ok := modifiers[m]; ok {
				it.Modifiers = append(it.Modifiers, full)
			} else {
				r.fail(p.at, CodeModifier, "there is no modifier %q: there are %s", m, strings.Join(modifierNames(), ", "))
			}
		}
		switch p.value.Kind {
		case yaml.ScalarNode:
			it.Values = []Scalar{parseScalar(p.value, r)}
		case yaml.SequenceNode:
			for _, v := range p.value.Content {
				if v = plain(v); v.Kind != yaml.ScalarNode {
					r.fail(at(v), CodeForm, "a value of %s must be a single one, and is %s", p.key, kindName(v))
					continue
				}
				it.Values = append(it.Values, parseScalar(v, r))
			}
			if len(p.value.Content) == 0 {
				r.fail(at(p.value), CodeMissing, "%s has an empty list, which would never match: give a value, null, or leave it out", p.key)
			}
		default:
			r.fail(at(p.value), CodeForm, "the value of %s must be a single one or a list, and is a map: write the name of a nested field with dots", p.key)
		}
		s.Items = append(s.Items, it)
	}
	return s
}

// parseScalar reads a value. Numbers are numbers where they are written as JSON writes them; 0x1f, 1_000, .inf and the like are the
// text that stands there, since that is what stands in logs.
func parseScalar(n *yaml.Node, r *report) Scalar {
	s := Scalar{Kind: KindText, Text: n.Value, Position: at(n)}
	switch n.ShortTag() {
	case "!!null":
		s.Kind, s.Text = KindNull, ""
	case "!!bool":
		s.Kind, s.Text = KindBool, strings.ToLower(n.Value)
	case "!!int", "!!float":
		if _, ok := parseDecimal(n.Value); ok {
			s.Kind = KindNumber
		} else {
			r.warn(s.Position, CodeDoubtful, "%s is read as the text it is and not as a number: put it in quotation marks", n.Value)
		}
	case "!!binary":
		r.fail(s.Position, CodeValue, "a binary value has no meaning: write a text, and base64 or utf16le as a modifier")
	}
	return s
}
