package stix

import (
	"slices"
	"strings"

	"entente/stix/pattern"
)

// A Loss is something of a STIX 2.0 object that its 2.1 form does not say in exactly the same way.
type Loss struct {
	Pointer string // into the 2.0 object
	Code    string // one of the rules that begin with upgrade.
	Message string
}

// Upgrade makes STIX 2.1 of one STIX 2.0 object: the object itself with spec_version, and of observed-data the cyber-observable objects
// of its container, with deterministic ids and the markings of the observed-data, before the object that refers to them. An object that
// is 2.1 already comes back as it is. Everything that is assumed, renamed or rewritten on the way is in losses; what 2.1 has no place for
// is kept in properties that begin with x_stix20_. Markings are never weakened: one whose selector cannot follow is put on the whole object.
// The error, an *Error, tells that raw is no object, or one with too many markings and observables.
//
// The result depends on raw alone: a process, whose UUIDv4 should be random, gets one that is derived from its observed-data.
func Upgrade(raw []byte) (out [][]byte, losses []Loss, err error) {
	o, err := Parse(raw)
	if err != nil {
		return nil, nil, err
	}
	if o.isSCO() || o.root().get("spec_version").ok() {
		return [][]byte{raw}, nil, nil
	}
	if err := upgradable(o); err != nil {
		return nil, nil, err
	}
	u := &upgrade{o: o, m: membersOf(o.root())}
	u.m.after("type", "spec_version", quoted("2.1"))
	u.precise("created")
	u.precise("modified")
	u.types()
	u.single()
	switch o.typ {
	case "malware":
		if !u.m.has("is_family") {
			u.m.set("is_family", []byte("true"))
			u.lose("", "upgrade.assumed", "STIX 2.0 does not tell whether malware is a family: is_family is set to true")
		}
	case "indicator":
		u.pattern()
	case "observed-data":
		u.observedData()
	}
	u.selectors()
	return append(u.out, u.m.bytes()), u.losses, nil
}

// upgradable refuses objects whose markings, copied onto each of their observables, would become many times as large as they are.
func upgradable(o *Object) error {
	marks := 1 + o.root().get("object_marking_refs").count()
	for _, g := range o.root().get("granular_markings").items {
		marks += 1 + g.get("selectors").count()
	}
	if marks > 1000 && marks > maxSelectors(o) || marks*(1+o.root().get("objects").count()) > 1_000_000 {
		return &Error{Code: "upgrade.size", Message: "too many markings and observables in one object to upgrade it"}
	}
	return nil
}

type upgrade struct {
	o      *Object
	m      members
	out    [][]byte
	losses []Loss
}

func (u *upgrade) lose(pointer, code, message string) {
	if len(u.losses) < maxFindings {
		u.losses = append(u.losses, Loss{pointer, code, message})
	}
}

// precise gives a timestamp the three digits of fraction that 2.1 asks for.
func (u *upgrade) precise(name string) {
	t := u.o.root().get(name).text()
	if !isTimestamp(t) || len(t) >= len("2026-01-31T12:00:00.000Z") {
		return
	}
	whole, fraction, _ := strings.Cut(t[:len(t)-1], ".")
	u.m.set(name, quoted(whole+"."+(fraction + "000")[:3]+"Z"))
	u.lose("/"+name, "upgrade.precision", "the time is written with three digits of fraction")
}

// types moves the labels that are terms of the type's vocabulary into its own property, which 2.1 has for them.
func (u *upgrade) types() {
	property := strings.ReplaceAll(u.o.typ, "-", "_") + "_types"
	if u.o.def == nil || u.o.def.props[property] == nil || u.m.has(property) {
		return
	}
	vocab := u.o.def.props[property].vocab
	var terms, rest []string
	for _, label := range u.o.root().get("labels").strings() {
		if _, is := vocab.values[label]; is {
			if !slices.Contains(terms, label) {
				terms = append(terms, label)
			}
		} else {
			rest = append(rest, label)
		}
	}
	if len(terms) == 0 {
		return
	}
	u.m.after("labels", property, quotedList(terms))
	if len(rest) == 0 {
		u.m.remove("labels")
	} else {
		u.m.set("labels", quotedList(rest))
	}
	u.lose("/labels", "upgrade.moved", "the labels "+strings.Join(terms, ", ")+" are now in "+property)
}

// single takes the one text out of a list where a property has no list.
func (u *upgrade) single() {
	if u.o.def == nil {
		return
	}
	for i := range u.m {
		p := u.o.def.props[u.m[i].key]
		if p == nil || p.list || p.kind != propString && p.kind != propVocab && p.kind != propEnum {
			continue
		}
		v := u.o.root().get(p.name)
		if v.count() != 1 || !v.item(0).isString() {
			continue
		}
		u.m[i].val = v.item(0).raw()
		u.lose("/"+p.name, "upgrade.repaired", "the one value of the list stands alone, as the property has no list")
	}
}

// pattern names the language of the pattern. One that 2.1 does not accept keeps its text and is named for what it is.
func (u *upgrade) pattern() {
	src := u.o.root().get("pattern")
	if u.m.has("pattern_type") || !src.isString() {
		return
	}
	text := src.text()
	language := "stix"
	if _, err := pattern.Parse(text); err != nil {
		if fixed := timestampLiterals(text); fixed != text {
			if _, err := pattern.Parse(fixed); err == nil {
				u.m.set("pattern", quoted(fixed))
				u.m.after("pattern", "pattern_type", quoted(language))
				u.lose("/pattern", "upgrade.pattern", "the times after START and STOP are written as timestamps")
				return
			}
		}
		language = "stix-2.0"
		u.lose("/pattern", "upgrade.pattern", "the pattern is not valid in STIX 2.1 and is kept as of type stix-2.0: "+err.Error())
	}
	u.m.after("pattern", "pattern_type", quoted(language))
}

// timestampLiterals writes START '...' STOP '...' of STIX 2.0 as START t'...' STOP t'...'.
func timestampLiterals(src string) string {
	return strings.NewReplacer("START '", "START t'", "STOP '", "STOP t'").Replace(src)
}

// selectors drops the granular markings that choose nothing any more and puts what they say on the whole object.
func (u *upgrade) selectors() {
	granular := u.o.root().get("granular_markings")
	if granular.count() == 0 {
		return
	}
	probe := &Object{raw: u.m.bytes()}
	tape, err := scan(probe.raw, bundleLimits)
	if err != nil {
		return
	}
	probe.tape = tape
	refs := u.o.MarkingRefs()
	var kept []members
	for _, g := range u.o.Granular() {
		var still []string
		for _, s := range g.Selectors {
			_, found := probe.Select(s)
			head, _, _ := strings.Cut(s, ".")
			if found && (head != "labels" || len(u.o.root().get("labels").raw()) == len(probe.root().get("labels").raw())) {
				still = append(still, s)
				continue
			}
			if g.MarkingRef != "" && !slices.Contains(refs, g.MarkingRef) {
				refs = append(refs, g.MarkingRef)
			}
			u.lose("/granular_markings", "upgrade.marking", "the marking of "+quote(s)+" now applies to the whole object")
		}
		if len(still) == 0 {
			continue
		}
		kept = append(kept, granularMembers(g.MarkingRef, g.Lang, still))
	}
	if len(refs) > 0 {
		u.m.set("object_marking_refs", quotedList(refs))
	}
	if len(kept) == 0 {
		u.m.remove("granular_markings")
		return
	}
	u.m.set("granular_markings", listOf(kept))
}

func granularMembers(ref, lang string, selectors []string) members {
	var m members
	if ref != "" {
		m.set("marking_ref", quoted(ref))
	}
	if lang != "" {
		m.set("lang", quoted(lang))
	}
	m.set("selectors", quotedList(selectors))
	return m
}

func listOf(list []members) []byte {
	out := []byte{'['}
	for i, m := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, m.bytes()...)
	}
	return append(out, ']')
}
