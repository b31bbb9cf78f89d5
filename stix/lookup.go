package stix

import (
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/text/cases"

	"entente/stix/pattern"
)

// Ref is one reference from an object to another: the JSON pointer of the property or list item, and the id it names.
type Ref struct {
	Path string
	ID   string
}

// Refs is every reference in the object, in document order: the values of all properties whose name ends in _ref or _refs (3.1), at any
// depth, extensions and unknown properties included, as far as they are identifiers. The local references of the deprecated
// observable container are none.
func (o *Object) Refs() []Ref {
	w := refWalk{o: o}
	w.object(o.root())
	return w.out
}

type refWalk struct {
	o    *Object
	path []pathStep
	out  []Ref
}

func (w *refWalk) object(v value) {
	for key, val := range v.members {
		w.path = append(w.path, pathStep{key: key.at})
		switch val.kind() {
		case kindString, kindList:
			name := key.bytes()
			if hasSuffix(name, "_ref") && val.kind() == kindString {
				w.ref(val)
			} else {
				w.list(val, hasSuffix(name, "_refs"))
			}
		case kindObject:
			w.object(val)
		}
		w.path = w.path[:len(w.path)-1]
	}
}

func (w *refWalk) list(v value, refs bool) {
	for i, item := range v.items {
		w.path = append(w.path, pathStep{index: i})
		switch item.kind() {
		case kindString:
			if refs {
				w.ref(item)
			}
		case kindList:
			w.list(item, false)
		case kindObject:
			w.object(item)
		}
		w.path = w.path[:len(w.path)-1]
	}
}

func (w *refWalk) ref(v value) {
	if id := v.text(); isIdentifier(id) {
		w.out = append(w.out, Ref{pointer(w.o, w.path), id})
	}
}

func hasSuffix(b []byte, suffix string) bool {
	return len(b) >= len(suffix) && string(b[len(b)-len(suffix):]) == suffix
}

// A pathStep is a property (the tape index of its key) or, where key is 0, an index in a list.
type pathStep struct {
	key   uint32
	index int
}

// maxPointer bounds a pointer in bytes: an object with one huge name must not make a huge pointer for each value below it. One that
// would be longer ends in an ellipsis and leads nowhere.
const maxPointer = 1024

// pointer writes a path as a JSON pointer.
func pointer(o *Object, path []pathStep) string {
	var b strings.Builder
	for _, step := range path {
		if n := o.tape[step.key]; step.key != 0 && b.Len()+int(n.end-n.start) > maxPointer {
			b.WriteString("/…")
			break
		}
		b.WriteByte('/')
		if step.key == 0 {
			b.WriteString(strconv.Itoa(step.index))
		} else {
			b.WriteString(pointerEscaper.Replace(unescape(o.raw, o.tape[step.key])))
		}
	}
	return b.String()
}

// Externals is the external references that have an id, as "source_name:external_id".
func (o *Object) Externals() []string {
	refs := o.root().get("external_references")
	var out []string
	for _, ref := range refs.items {
		if id := ref.get("external_id").text(); id != "" && len(out) < maxLookups {
			out = append(out, ref.get("source_name").text()+":"+id)
		}
	}
	return out
}

// maxLookups bounds the lists of Values, Names and Externals of one object.
const maxLookups = 256

// maxLookupLen bounds the bytes of one value or name; a longer one is not looked up by itself.
const maxLookupLen = 4096

// Names is the name and aliases of the object, case folded, without duplicates, at most 256.
func (o *Object) Names() []string {
	var l lookups
	root := o.root()
	l.add(fold(root.get("name").text()))
	for _, property := range []string{"aliases", "x_mitre_aliases"} {
		for _, alias := range root.get(property).strings() {
			l.add(fold(alias))
		}
	}
	return l.out
}

// fold is s in the form in which names are compared.
func fold(s string) string {
	s = strings.TrimSpace(s)
	for i := range len(s) {
		if s[i] >= 0x80 {
			return cases.Fold().String(s)
		}
	}
	return strings.ToLower(s)
}

type lookups struct{ out []string }

func (l *lookups) add(v string) {
	if v == "" || len(v) > maxLookupLen || len(l.out) >= maxLookups {
		return
	}
	for _, have := range l.out {
		if have == v {
			return
		}
	}
	l.out = append(l.out, v)
}

// Values is what the object can be looked up by: the values that a cyber-observable object stands for, those of the objects in an
// observable container, and the constants that a STIX pattern compares for equality. Domain names, the domains of e-mail addresses,
// hashes and MAC addresses are in lower case, IP addresses in their shortest form. No value twice, at most 256.
func (o *Object) Values() []string {
	var l lookups
	switch {
	case o.isSCO():
		l.observable(o.typ, o.root())
	case o.typ == "indicator":
		root := o.root()
		if string(root.get("pattern_type").bytes()) == "stix" || !root.get("pattern_type").ok() && o.Spec() == "2.0" {
			l.pattern(root.get("pattern").text())
		}
	case o.typ == "observed-data":
		for _, obj := range o.root().get("objects").members {
			l.observable(obj.get("type").text(), obj)
		}
	}
	return l.out
}

func (l *lookups) pattern(src string) {
	p, err := pattern.Parse(src)
	if err != nil {
		return
	}
	for _, c := range p.Equalities() {
		l.add(canonicalValue(c.Type, c.Path, c.Value))
	}
}

// observableValues is the properties, beside hashes, that an observable is looked up by.
var observableValues = map[string][]string{
	"artifact":             {"url"},
	"autonomous-system":    {"number"},
	"directory":            {"path"},
	"domain-name":          {"value"},
	"email-addr":           {"value"},
	"email-message":        {"message_id", "subject"},
	"file":                 {"name"},
	"ipv4-addr":            {"value"},
	"ipv6-addr":            {"value"},
	"mac-addr":             {"value"},
	"mutex":                {"name"},
	"process":              {"command_line"},
	"software":             {"name", "cpe", "swid"},
	"url":                  {"value"},
	"user-account":         {"user_id", "account_login"},
	"windows-registry-key": {"key"},
	"x509-certificate":     {"serial_number"},
}

func (l *lookups) observable(typ string, v value) {
	for _, property := range observableValues[typ] {
		val := v.get(property)
		if typ == "autonomous-system" {
			if n, ok := val.integer(); ok {
				l.add(strconv.FormatInt(n, 10))
			}
			continue
		}
		l.add(canonicalValue(typ, property, val.text()))
	}
	l.hashes(v.get("hashes"))
	if typ != "file" {
		return
	}
	ext := v.get("extensions")
	for _, stream := range ext.get("ntfs-ext").get("alternate_data_streams").items {
		l.hashes(stream.get("hashes"))
	}
	pe := ext.get("windows-pebinary-ext")
	l.add(strings.ToLower(pe.get("imphash").text()))
	l.hashes(pe.get("file_header_hashes"))
	l.hashes(pe.get("optional_header").get("hashes"))
	for _, section := range pe.get("sections").items {
		l.hashes(section.get("hashes"))
	}
}

func (l *lookups) hashes(v value) {
	for _, hash := range v.members {
		l.add(strings.ToLower(hash.text()))
	}
}

// canonicalValue brings a value of a property into the form it is looked up in.
func canonicalValue(typ, path, v string) string {
	v = strings.TrimSpace(v)
	switch {
	case strings.HasPrefix(path, "hashes") || strings.Contains(path, ".hashes") || typ == "domain-name" || typ == "mac-addr":
		return strings.TrimSuffix(strings.ToLower(v), ".")
	case typ == "ipv4-addr" || typ == "ipv6-addr":
		if addr, err := netip.ParseAddr(v); err == nil {
			return addr.String()
		}
		if prefix, err := netip.ParsePrefix(v); err == nil {
			return prefix.String()
		}
		return strings.ToLower(v)
	case typ == "email-addr" || strings.HasSuffix(path, "from_ref.value") || strings.HasSuffix(path, "sender_ref.value"):
		if at := strings.LastIndexByte(v, '@'); at >= 0 {
			return v[:at] + strings.ToLower(v[at:])
		}
	}
	return v
}
