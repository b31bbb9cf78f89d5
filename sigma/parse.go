package sigma

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// Collection is what stands in one text or several, in their order.
type Collection struct {
	Rules        []*Rule
	Filters      []*Filter
	Correlations []*Correlation
}

// Parse reads every document of a text: rules, filters and correlations, and the collections of old, in which a document with action
// global gives the keys of those after it. File names the text in what is told. What can be read is given back also when something
// else could not be; the error is then Problems. A rule that was read may still not compile: see Rule.Compile.
func Parse(file string, src []byte) (*Collection, error) {
	c, problems := parse(file, src)
	return c, problems.err()
}

// Check is everything that is wrong or doubtful in a text, also of what Rule.Compile would say without a pipeline.
func Check(file string, src []byte) Problems {
	c, problems := parse(file, src)
	for _, r := range c.Rules {
		problems = append(problems, r.Problems()...)
	}
	for _, f := range c.Filters {
		problems = append(problems, f.problems()...)
	}
	rep := report{list: problems}
	return rep.sorted()
}

func parse(file string, src []byte) (*Collection, Problems) {
	c := &Collection{}
	all := &report{file: file}
	var global, previous *yaml.Node
	for _, doc := range documents(src, all) {
		r := &report{file: file}
		action, rest := takeAction(doc, r)
		switch action {
		case "global":
			global = merge(global, rest)
		case "reset":
			global = nil
		case "repeat":
			if previous == nil {
				r.fail(at(doc), CodeReference, "there is nothing before this document to repeat: leave action out")
				break
			}
			previous = merge(previous, rest)
			c.add(previous, r)
		case "":
			previous = merge(global, rest)
			c.add(previous, r)
		default:
			r.fail(at(doc), CodeValue, "there is no action %q: there are global, reset and repeat", action)
		}
		all.list = append(all.list, r.sorted()...)
	}
	if len(all.list) > MaxProblems {
		all.list = all.list[:MaxProblems]
	}
	return c, all.list
}

// takeAction splits a document into its action and the rest.
func takeAction(doc *yaml.Node, r *report) (action string, rest *yaml.Node) {
	doc = plain(doc)
	if doc.Kind != yaml.MappingNode {
		return "", doc
	}
	for i := 0; i+1 < len(doc.Content); i += 2 {
		if plain(doc.Content[i]).Value == "action" {
			out := *doc
			out.Content = slices.Concat(doc.Content[:i], doc.Content[i+2:])
			return text(entry{"action", at(doc.Content[i]), plain(doc.Content[i+1])}, r), &out
		}
	}
	return "", doc
}

// merge puts a document over another: maps are joined, and anything else is replaced.
func merge(under, over *yaml.Node) *yaml.Node {
	if under == nil || under.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return over
	}
	out := *over
	out.Content = slices.Clone(over.Content)
	for i := 0; i+1 < len(under.Content); i += 2 {
		key, value := under.Content[i], plain(under.Content[i+1])
		j := 0
		for j+1 < len(out.Content) && plain(out.Content[j]).Value != plain(key).Value {
			j += 2
		}
		if j+1 < len(out.Content) {
			out.Content[j+1] = merge(value, plain(out.Content[j+1]))
		} else {
			out.Content = append(out.Content, key, value)
		}
	}
	return &out
}

// add reads one document.
func (c *Collection) add(doc *yaml.Node, r *report) {
	pairs := entries(doc, "the document", r)
	if pairs == nil {
		return
	}
	meta := Meta{File: r.file, Position: at(doc)}
	if plain(doc).Line > 0 && len(pairs) > 0 {
		meta.Position = pairs[0].at
	}
	own := map[string]*entry{"logsource": nil, "detection": nil, "filter": nil, "correlation": nil}
	for i, p := range pairs {
		if p.key == "id" || p.key == "name" && r.rule == "" || p.key == "title" && r.rule == "" {
			r.rule = p.value.Value
		}
		if _, ok := own[p.key]; ok {
			own[p.key] = &pairs[i]
		}
	}
	for _, p := range pairs {
		if _, mine := own[p.key]; mine {
			continue
		}
		if f := metaKeys[p.key]; f != nil {
			f(&meta, p, r)
		} else {
			custom(p, &meta.Custom, r)
		}
	}
	checkMeta(&meta, r)
	var source Logsource
	if own["logsource"] != nil {
		source = parseLogsource(*own["logsource"], r)
	} else if own["correlation"] == nil {
		r.fail(meta.Position, CodeMissing, "the logsource is missing: say of which logs the rule speaks by category, product and service")
	}
	kinds := 0
	for _, key := range []string{"detection", "filter", "correlation"} {
		if own[key] != nil {
			kinds++
		}
	}
	if kinds != 1 {
		r.fail(meta.Position, CodeForm, "a document has exactly one of detection, filter and correlation, and this one has %d of them", kinds)
		return
	}
	switch {
	case own["detection"] != nil:
		rule := &Rule{Meta: meta, Logsource: source}
		e := own["detection"]
		rule.Clause = parseClause(entries(e.value, "detection", r), e.at, nil, r)
		if !r.failed() {
			c.Rules = append(c.Rules, rule)
		}
	case own["filter"] != nil:
		f := parseFilter(meta, source, *own["filter"], r)
		if !r.failed() {
			c.Filters = append(c.Filters, f)
		}
	default:
		f := parseCorrelation(meta, *own["correlation"], r)
		if !r.failed() {
			c.Correlations = append(c.Correlations, f)
		}
	}
}
