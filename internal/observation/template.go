package observation

import (
	"fmt"
	"slices"
	"strings"

	"entente/stix/pattern"
)

// property is one property of one object that events may hold.
type property struct {
	role  string // empty: of an object of its own
	typ   string
	steps []pattern.Step // every item of a list
	num   bool
}

// template is all properties there are, by what rows and forms give.
type template struct {
	props []property
	at    map[string]int // by role and path
}

var objects = makeTemplate()

// makeTemplate lists the properties of [Rows].
func makeTemplate() *template {
	t := &template{at: map[string]int{}}
	for i := range Rows {
		r := &Rows[i]
		for role := range strings.SplitSeq(r.Role, "|") {
			for _, p := range r.given(role) {
				t.property(p.role, p.path, r.Form == Number)
			}
		}
	}
	t.property("", "url:value", false) // of two fields
	return t
}

// given is what one value of a row may be.
type given struct{ role, path string }

func (r *Row) given(role string) []given {
	under := func(name string) string {
		if role == "" {
			return ""
		}
		return role + "." + name
	}
	switch r.Form {
	case Address:
		return []given{{role, "ipv4-addr:value"}, {role, "ipv6-addr:value"}}
	case Host, Answers:
		return []given{{role, "ipv4-addr:value"}, {role, "ipv6-addr:value"}, {role, "domain-name:value"}}
	case Digest, Digests:
		var list []given
		for _, name := range sums {
			list = append(list, given{role, r.Property + ".'" + name + "'"})
		}
		return list
	case File:
		return []given{{role, r.Property}, {under("folder"), "directory:path"}}
	case Image:
		process := "process"
		if role == "parent.image" {
			process = "parent"
		}
		return []given{{role, r.Property}, {under("folder"), "directory:path"}, {process, "process:name"}}
	case Registry:
		return []given{{"", r.Property}, {role, r.Property}, {role, "windows-registry-key:values[*].name"}}
	}
	return []given{{role, r.Property}}
}

// sums are the names of hashes, in the order of their lengths.
var sums = [...]string{"MD5", "SHA-1", "SHA-256", "SHA-512"}

// property is the number of a property, which is made where there is none.
func (t *template) property(role, path string, num bool) int {
	k := role + "\x00" + path
	n, ok := t.at[k]
	if !ok {
		p := mustPath(path)
		n = len(t.props)
		t.at[k] = n
		t.props = append(t.props, property{role, p.Type, p.Steps, num})
	}
	return n
}

// mustPath reads a path as patterns write it. Paths stand in tables alone, which the tests go through.
func mustPath(text string) pattern.Path {
	p, err := pattern.Parse("[" + text + " = 1]")
	if err != nil {
		panic(fmt.Sprintf("%s is no path: %v", text, err))
	}
	return p.Root().Condition.Test.Path
}

// feed is a property that a path leads to.
type feed struct {
	prop  int
	there bool // its value is not that of the path: it only says that something is there
	typ   bool // the value of the path is the type of the object
}

// feeds are the properties that a path leads to, and those without which an object on the way to them is not there.
func (t *template) feeds(typ string, steps []pattern.Step) (list []feed) {
	roles := map[string]bool{}
	for i := range t.props {
		if t.props[i].typ == typ {
			roles[t.props[i].role] = true
		}
	}
	for _, r := range references { // an object may have nothing but a reference
		if r.typ == typ {
			roles[r.from] = true
		}
	}
	for role := range roles {
		list = t.from(list, role, typ, steps)
	}
	slices.SortFunc(list, func(a, b feed) int {
		if a.prop != b.prop {
			return a.prop - b.prop
		}
		return rank(a) - rank(b)
	})
	return slices.CompactFunc(list, func(a, b feed) bool { return a == b })
}

func rank(f feed) int {
	n := 0
	if f.there {
		n++
	}
	if f.typ {
		n += 2
	}
	return n
}

// from adds what steps lead to from the object of a role; with an empty type of any type.
func (t *template) from(list []feed, role, typ string, steps []pattern.Step) []feed {
	for i := range t.props {
		p := &t.props[i]
		if p.role != role || typ != "" && p.typ != typ {
			continue
		}
		switch rest, ok := after(p.steps, steps); {
		case len(steps) == 0 || ok && len(rest) > 0: // an object, or something in it
			list = append(list, feed{prop: i, there: true})
		case ok:
			list = append(list, feed{prop: i})
		case len(steps) == 1 && steps[0].Key == "type":
			list = append(list, feed{prop: i, typ: true})
		}
	}
	for _, r := range references {
		if r.from != role || typ != "" && r.typ != typ {
			continue
		}
		way := mustPath(r.typ + ":" + r.property).Steps
		rest, ok := after(steps, way)
		if !ok {
			if longer, is := after(way, steps); !is || len(longer) == 0 {
				continue
			}
			rest = nil
		}
		list = t.from(list, r.to, "", rest)
		for i := range t.props { // what makes the object that refers
			if t.props[i].role == role {
				list = append(list, feed{prop: i, there: true})
			}
		}
	}
	return list
}

// after is what follows other steps. False: they do not begin with these.
func after(steps, first []pattern.Step) ([]pattern.Step, bool) {
	if len(first) > len(steps) {
		return nil, false
	}
	for i := range first {
		a, b := &steps[i], &first[i]
		if (a.Kind == pattern.Key) != (b.Kind == pattern.Key) || a.Key != b.Key {
			return nil, false
		}
	}
	return steps[len(first):], true
}
