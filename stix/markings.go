package stix

import (
	"bytes"
	"strconv"
	"strings"
)

// selector checks the form of a granular marking's selector (7.2.3): names and [n], joined by points.
func (c *checker) selector(b []byte) {
	ok := len(b) > 0
	for i, seg := range bytes.Split(b, []byte(".")) {
		if index, is := selectorIndex(seg); is {
			ok = ok && i > 0 && index >= 0
			continue
		}
		ok = ok && (i > 0 && isDictKey(seg) || isPropertyName(seg) || isDictKey(seg) && len(seg) >= 3)
	}
	if !ok {
		c.report("selector.format", "", quote(string(b))+" is not a selector, as external_references.[0].url is")
	}
}

// selectorIndex is the index of a segment of the form [n]; is tells whether it is one, a wrong one being -1.
func selectorIndex(seg []byte) (index int, is bool) {
	if len(seg) < 2 || seg[0] != '[' {
		return 0, false
	}
	n, err := strconv.Atoi(string(bytes.TrimSuffix(seg[1:], []byte("]"))))
	if err != nil || seg[len(seg)-1] != ']' || n < 0 {
		return -1, true
	}
	return n, true
}

// Select is the exact bytes of what a granular marking's selector (7.2.3) chooses in the object, and whether that is anything.
func (o *Object) Select(selector string) ([]byte, bool) {
	v := o.root()
	for _, seg := range strings.Split(selector, ".") {
		if n, is := selectorIndex([]byte(seg)); is {
			if n < 0 {
				return nil, false
			}
			v = v.item(n)
		} else {
			v = v.get(seg)
		}
		if !v.ok() {
			return nil, false
		}
	}
	return v.raw(), true
}

// maxSelectors is the number of selectors that are followed in an object: each may cost a walk over all of it.
func maxSelectors(o *Object) int { return max(16, 20_000_000/len(o.tape)) }

// granular checks one granular marking (7.2.3).
func (c *checker) granular(v value) {
	lang, ref := v.get("lang").ok(), v.get("marking_ref").ok()
	if lang == ref {
		c.report("granular.one", "", "exactly one of marking_ref and lang is required")
	}
	selectors := v.get("selectors")
	for i, s := range selectors.items {
		if !s.isString() {
			continue
		}
		if c.selectors++; c.selectors > maxSelectors(c.o) {
			c.report("selector.many", "", "more selectors than can be followed in an object of this size")
			return
		}
		if _, found := c.o.Select(s.text()); !found {
			c.path = append(c.path, pathStep{key: selectors.at - 1}, pathStep{index: i})
			c.report("selector.target", "", "the selector "+quote(s.text())+" chooses nothing that is in the object")
			c.path = c.path[:len(c.path)-2]
		}
	}
}

// markings checks that a marking does not mark itself (7.2).
func (c *checker) markings(root value) {
	if c.o.typ != "marking-definition" {
		return
	}
	refs := root.get("object_marking_refs")
	for _, ref := range refs.items {
		if ref.text() == c.o.id {
			c.at(value{c.o, refs.at - 1}, "marking.circular", "", "a marking must not refer to itself")
		}
	}
	granular := root.get("granular_markings")
	for _, m := range granular.items {
		if m.get("marking_ref").text() == c.o.id {
			c.at(value{c.o, granular.at - 1}, "marking.circular", "", "a marking must not refer to itself")
		}
	}
}

// tlpMarkings is the four TLP 1.0 markings (7.2.1.4): they exist once, by these ids.
var tlpMarkings = map[string]string{
	"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": "white",
	"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": "green",
	"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": "amber",
	"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "red",
}

const tlpCreated = "2017-01-20T00:00:00.000Z"

func (o *Object) isFixedTLP() bool { return tlpMarkings[o.id] != "" }

func (c *checker) markingDefinition(v value) {
	typ, definition := v.get("definition_type"), v.get("definition")
	if !v.get("extensions").ok() {
		switch {
		case !typ.ok() || !definition.ok():
			c.report("marking.content", "", "definition_type and definition are required where there are no extensions")
			return
		case typ.isString():
			if name := string(typ.bytes()); name != "statement" && name != "tlp" {
				c.at(value{c.o, typ.at - 1}, "marking.type", "", quote(name)+" should be statement or tlp, or the marking an extension")
			}
		}
	}
	switch string(typ.bytes()) {
	case "statement":
		if s := definition.get("statement"); !s.isString() {
			c.report("marking.statement", "", "a statement marking needs definition.statement")
		}
	case "tlp":
		c.tlp(v, definition)
	}
	if !typ.ok() && tlpMarkings[c.o.id] != "" {
		c.report("marking.tlp", "", "the id is that of TLP:"+strings.ToUpper(tlpMarkings[c.o.id])+", but the content is not")
	}
}

// tlp checks that a marking of type tlp is one of the four, as it stands in the standard: a tool may add spec_version and name, and
// nothing else.
func (c *checker) tlp(v, definition value) {
	colour := definition.get("tlp").text()
	order := c.o.Order()
	want, _ := Order(tlpCreated)
	if tlpMarkings[c.o.id] != colour || colour == "" || order != want || definition.count() != 1 {
		c.report("marking.tlp", "", "a TLP marking must be one of the four that the standard defines, as it stands there")
		return
	}
	for key := range v.members {
		switch name := string(key.bytes()); name {
		case "type", "spec_version", "id", "created", "definition_type", "definition", "name":
		default:
			c.at(key, "marking.tlp", "", "the TLP markings of the standard have no property "+quote(name))
		}
	}
}
