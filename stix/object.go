package stix

import (
	"fmt"
	"strconv"
	"strings"
)

// An Object is one STIX object: the bytes it came in and an index into them. It does not change once parsed and may be read by many
// goroutines at once. The bytes given to Parse belong to it from then on.
type Object struct {
	raw  []byte
	tape []node
	def  *typeDef // nil for a type the standard does not define
	typ  string
	id   string
}

// Parse reads one STIX object: strict I-JSON (RFC 7493: UTF-8, no property twice, no half surrogates, no number a double cannot hold)
// that is an object with a type and an id, and not a bundle. Everything else is for Validate. The error is an *Error.
func Parse(raw []byte) (*Object, error) { return ParseLimits(raw, Limits{}) }

// ParseLimits is Parse with other limits.
func ParseLimits(raw []byte, l Limits) (*Object, error) {
	o, err := parseTree(raw, l)
	if err != nil {
		return nil, err
	}
	if o.def != nil && o.def.class == classBundle {
		return nil, &Error{Code: "object.bundle", Section: "8", Message: "a bundle is a container, not an object: split it first"}
	}
	id := o.root().get("id")
	if !id.isString() || id.node().start == id.node().end {
		return nil, &Error{Code: "object.id", Pointer: "/id", Section: "3.2", Message: "the object has no id"}
	}
	o.id = id.text()
	return o, nil
}

// parseTree reads an object or bundle with a type; an id is not asked for.
func parseTree(raw []byte, l Limits) (*Object, error) {
	tape, err := scan(raw, l)
	if err != nil {
		return nil, err
	}
	o := &Object{raw: raw, tape: tape}
	if tape[0].kind != kindObject {
		return nil, &Error{Code: "object.kind", Section: "3.2", Message: "a STIX object is a JSON object"}
	}
	typ := o.root().get("type")
	if !typ.isString() || typ.node().start == typ.node().end {
		return nil, &Error{Code: "object.type", Pointer: "/type", Section: "3.2", Message: "the object has no type"}
	}
	if o.def = types().byName[string(typ.bytes())]; o.def != nil {
		o.typ = o.def.name
	} else {
		o.typ = typ.text()
	}
	return o, nil
}

func (o *Object) root() value { return value{o, 0} }

func (o *Object) isSCO() bool { return o.class() == classSCO }

// class is the kind of the object: by its type, or of an unknown type by the extension that declares it (7.3).
func (o *Object) class() class {
	if o.def != nil {
		return o.def.class
	}
	for _, ext := range o.root().get("extensions").members {
		switch string(ext.get("extension_type").bytes()) {
		case "new-sdo":
			return classSDO
		case "new-sco":
			return classSCO
		case "new-sro":
			return classSRO
		}
	}
	return classUnknown
}

// Raw is the bytes the object was parsed from. They must not be changed.
func (o *Object) Raw() []byte { return o.raw }

// ID is the object's identifier.
func (o *Object) ID() string { return o.id }

// Type is the object's type.
func (o *Object) Type() string { return o.typ }

// Spec is the version of STIX the object is written in: its spec_version; where absent "2.1" for cyber-observable objects, which is
// their default, and "2.0" for all other (3.2).
func (o *Object) Spec() string {
	if v := o.root().get("spec_version"); v.isString() {
		return v.text()
	}
	if o.isSCO() {
		return "2.1"
	}
	return "2.0"
}

// Version is the verbatim text of modified, or of created where an object has no modified, or "" where it has neither, as most
// cyber-observable objects: such an object has no versions (3.6).
func (o *Object) Version() string {
	if m := o.Modified(); m != "" {
		return m
	}
	return o.Created()
}

// Order is Version as an instant, in the form of the function Order; "" where there is no version or it is not a timestamp.
func (o *Object) Order() string {
	if v := o.Version(); isTimestamp(v) {
		return order(v)
	}
	return ""
}

// Created is the text of the property created.
func (o *Object) Created() string { return o.root().get("created").text() }

// Modified is the text of the property modified.
func (o *Object) Modified() string { return o.root().get("modified").text() }

// CreatedBy is the id in created_by_ref.
func (o *Object) CreatedBy() string { return o.root().get("created_by_ref").text() }

// Revoked tells whether the object says that it is revoked.
func (o *Object) Revoked() bool { return o.root().get("revoked").isTrue() }

// Name is the text of the property name.
func (o *Object) Name() string { return o.root().get("name").text() }

// EachString visits every string in the object that is a value, at any depth and in document order, with the name of the property that it, or the
// list that it is in, stands under.
func (o *Object) EachString(visit func(property, text string)) { o.root().eachString("", visit) }

// MarkingRefs is the ids in object_marking_refs, in order.
func (o *Object) MarkingRefs() []string { return o.root().get("object_marking_refs").strings() }

// Granular is one entry of granular_markings: a marking or a language for the parts of the object that the selectors choose (7.2.3).
type Granular struct {
	MarkingRef string
	Lang       string
	Selectors  []string
}

// Granular is the entries of granular_markings, in order.
func (o *Object) Granular() []Granular {
	list := o.root().get("granular_markings")
	var out []Granular
	for _, m := range list.items {
		out = append(out, Granular{m.get("marking_ref").text(), m.get("lang").text(), m.get("selectors").strings()})
	}
	return out
}

// Extensions is the keys of the property extensions, in document order.
func (o *Object) Extensions() []string {
	var out []string
	for key := range o.root().get("extensions").members {
		out = append(out, key.text())
	}
	return out
}

// Property is the exact bytes of the value at a JSON pointer (RFC 6901) into the object, and whether there is one.
func (o *Object) Property(pointer string) ([]byte, bool) {
	v, ok := o.at(pointer)
	if !ok {
		return nil, false
	}
	return v.raw(), true
}

// Text is the string at a JSON pointer into the object, "" where there is none.
func (o *Object) Text(pointer string) string {
	v, _ := o.at(pointer)
	return v.text()
}

func (o *Object) at(pointer string) (value, bool) {
	v := o.root()
	if pointer == "" {
		return v, true
	}
	if pointer[0] != '/' {
		return value{}, false
	}
	for _, seg := range strings.Split(pointer[1:], "/") {
		if v.isList() {
			i, err := strconv.Atoi(seg)
			if err != nil || i < 0 || strconv.Itoa(i) != seg {
				return value{}, false
			}
			v = v.item(i)
		} else {
			v = v.get(pointerUnescaper.Replace(seg))
		}
		if !v.ok() {
			return value{}, false
		}
	}
	return v, true
}

// item is item i of a list, absent where there is none.
func (v value) item(i int) value {
	for n, item := range v.items {
		if n == i {
			return item
		}
	}
	return value{}
}

var (
	pointerEscaper   = strings.NewReplacer("~", "~0", "/", "~1")
	pointerUnescaper = strings.NewReplacer("~1", "/", "~0", "~")
)

// quote shows a text from outside in a message, short.
func quote(s string) string {
	if len(s) > 80 {
		cut := 80
		for cut > 0 && s[cut]&0xC0 == 0x80 {
			cut--
		}
		return fmt.Sprintf("%q…", s[:cut])
	}
	return strconv.Quote(s)
}
