package misp

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed mapping.tab
var mappingTab string

// mapping is mapping.tab in memory.
type mapping struct {
	attributes map[string][]path
	objects    map[string]*objectMap
	domains    map[string]*domainMap
	rules      map[string]ruleMap // by object name
	languages  map[string]string  // pattern_type by attribute type
	galaxies   map[string]string  // STIX type by galaxy type
	byPath     map[string]string  // attribute type by the paths of its values, joined by spaces
}

type objectMap struct {
	relations map[string]path
	fixed     []fixedValue
}

type fixedValue struct {
	path  path
	value string
}

type domainMap struct {
	typ, class string
	properties map[string]string // by relation; a list ends in []
	order      []string          // relations
}

type ruleMap struct{ relation, language string }

// path is the place of a value in a cyber-observable object.
type path struct {
	typ   string
	steps []step
	text  string // as a pattern writes it
}

type step struct {
	key    string
	every  bool   // the property is a list
	target string // the type that a reference leads to; ip for either address
}

var mappings = sync.OnceValue(func() *mapping {
	m := &mapping{attributes: map[string][]path{}, objects: map[string]*objectMap{}, domains: map[string]*domainMap{}, rules: map[string]ruleMap{},
		languages: map[string]string{}, galaxies: map[string]string{}, byPath: map[string]string{}}
	var object *objectMap
	var domain *domainMap
	for line := range strings.Lines(mappingTab) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] == "#" {
			continue
		}
		switch {
		case line[0] == ' ' && object != nil:
			place := parsePath(strings.Join(f[1:], " "))
			if fixed, ok := strings.CutPrefix(f[0], "="); ok {
				object.fixed = append(object.fixed, fixedValue{place, fixed})
			} else {
				object.relations[f[0]] = place
			}
		case line[0] == ' ':
			domain.properties[f[0]] = f[1]
			domain.order = append(domain.order, f[0])
		case f[0] == "attribute":
			m.attribute(line)
		case f[0] == "object":
			object, domain = &objectMap{relations: map[string]path{}}, nil
			m.objects[f[1]] = object
		case f[0] == "domain":
			object, domain = nil, &domainMap{typ: f[2], properties: map[string]string{}}
			if len(f) > 3 {
				domain.class = f[3]
			}
			m.domains[f[1]] = domain
		case f[0] == "rule":
			m.rules[f[1]] = ruleMap{f[2], f[3]}
			if f[2] != "raw-rule" {
				m.languages[f[2]] = f[3]
			}
		case f[0] == "galaxy":
			for _, name := range f[2:] {
				m.galaxies[name] = f[1]
			}
		}
	}
	return m
})

// attribute reads one line for an attribute type. Names of types have no spaces in this table.
func (m *mapping) attribute(line string) {
	f := strings.Fields(line)
	var texts []string
	for _, p := range f[2:] {
		place := parsePath(p)
		m.attributes[f[1]] = append(m.attributes[f[1]], place)
		texts = append(texts, place.text)
	}
	key := strings.Join(texts, " ")
	if old, ok := m.byPath[key]; !ok || f[1] == "domain" || f[1] == "url" || (old != "domain" && old != "url" && old != "filename" && len(f[1]) < len(old)) {
		m.byPath[key] = f[1]
	}
}

// parsePath reads a path of the table: TYPE:STEP.STEP, a step being a key, perhaps quoted, perhaps with [*] and a target in braces.
func parsePath(s string) path {
	typ, rest, _ := strings.Cut(s, ":")
	p := path{typ: typ}
	var text strings.Builder
	text.WriteString(typ)
	text.WriteByte(':')
	for rest != "" {
		var st step
		if rest[0] == '\'' {
			end := strings.IndexByte(rest[1:], '\'') + 1
			st.key = rest[1:end]
			text.WriteString(rest[:end+1])
			rest = rest[end+1:]
		} else {
			end := strings.IndexAny(rest, ".[{")
			if end < 0 {
				end = len(rest)
			}
			st.key = rest[:end]
			text.WriteString(st.key)
			rest = rest[end:]
		}
		if after, ok := strings.CutPrefix(rest, "[*]"); ok {
			st.every, rest = true, after
			text.WriteString("[*]")
		}
		if after, ok := strings.CutPrefix(rest, "{"); ok {
			st.target, rest, _ = strings.Cut(after, "}")
		}
		p.steps = append(p.steps, st)
		if after, ok := strings.CutPrefix(rest, "."); ok {
			rest = after
			text.WriteByte('.')
		}
	}
	p.text = text.String()
	return p
}

// last is the key of the property that holds the value.
func (p *path) last() string { return p.steps[len(p.steps)-1].key }

// hash is the algorithm of a path to a hash, "" for any other.
func (p *path) hash() string {
	if n := len(p.steps); n >= 2 && p.steps[n-2].key == "hashes" {
		return p.last()
	}
	return ""
}

// target is the type that the last reference of the path leads to, "" where there is none.
func (p *path) target() string {
	for i := len(p.steps) - 1; i >= 0; i-- {
		if p.steps[i].target != "" {
			return p.steps[i].target
		}
	}
	return ""
}
