package stix

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// renamed is the properties of observables that 2.1 calls otherwise.
var renamed = map[string]map[string]string{
	"directory":            {"created": "ctime", "modified": "mtime", "accessed": "atime"},
	"file":                 {"created": "ctime", "modified": "mtime", "accessed": "atime"},
	"process":              {"created": "created_time", "binary_ref": "image_ref"},
	"user-account":         {"password_last_changed": "credential_last_changed"},
	"windows-registry-key": {"modified": "modified_time"},
}

// removed is the properties of observables and extensions that 2.1 has no more.
var removed = map[string][]string{
	"file":             {"is_encrypted", "encryption_algorithm", "decryption_key"},
	"process":          {"name", "arguments"},
	"archive-ext":      {"version"},
	"raster-image-ext": {"image_compression_algorithm"},
	"socket-ext":       {"protocol_family"},
}

// containerUpgrade makes objects of the observables in one container.
type containerUpgrade struct {
	u     *upgrade
	all   container
	ids   map[string]string
	state map[string]bool // keys whose id is being made: a reference back to one does not count
}

func (u *upgrade) observedData() {
	all := u.o.root().get("objects")
	if !all.isObject() || all.count() == 0 || u.m.has("object_refs") {
		return
	}
	c := &containerUpgrade{u: u, all: containerOf(all), ids: map[string]string{}, state: map[string]bool{}}
	var refs []string
	made := map[string]bool{}
	for key, obj := range all.members {
		id := c.id(key.text())
		if id == "" {
			u.lose("/objects/"+pointerEscaper.Replace(key.text()), "upgrade.dropped", "not an object with a type; it is left out")
			continue
		}
		if made[id] {
			continue // the same observable twice in one container
		}
		made[id] = true
		refs = append(refs, id)
		u.out = append(u.out, c.object(key.text(), obj, id))
	}
	if len(refs) == 0 {
		return
	}
	u.m.set("objects", quotedList(refs))
	u.m.rename("objects", "object_refs")
	u.lose("/objects", "upgrade.objects", "the observables are objects of their own now, with deterministic ids")
}

// id is the id of the observable with a key, "" where the container has no such object with a type.
func (c *containerUpgrade) id(key string) string {
	if id, done := c.ids[key]; done {
		return id
	}
	obj := c.all[key]
	typ := obj.get("type").text()
	if !obj.isObject() || !isTypeName(typ) || c.state[key] {
		return ""
	}
	c.state[key] = true
	id := derivedID(typ, c.u.o.id, c.u.o.Modified(), key)
	if len(c.state) < 1000 && IsSCO(typ) { // the depth of references is bounded, as every depth is
		if v, err := parseTree(c.convert(key, obj, true).bytes(), bundleLimits); err == nil {
			if det, ok, err := deterministicID(typ, v.root()); err == nil && ok {
				id = det
			}
		}
	}
	delete(c.state, key)
	c.ids[key] = id
	return id
}

// derivedID is an id with a UUIDv4 that depends on where an observable stands.
func derivedID(typ string, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	sum[6] = sum[6]&0x0f | 0x40
	sum[8] = sum[8]&0x3f | 0x80
	h := hex.EncodeToString(sum[:16])
	return typ + "--" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// convert writes an observable as 2.1 does: names changed, local references replaced by ids. With identity only what contributes to the
// id is looked at, and nothing is reported.
func (c *containerUpgrade) convert(key string, obj value, identity bool) members {
	typ := obj.get("type").text()
	pointer := "/objects/" + pointerEscaper.Replace(key)
	lose := func(code, message string) {
		if !identity {
			c.u.lose(pointer, code, message)
		}
	}
	refs := refMap{c.id, func(name, key string) {
		lose("upgrade.reference", name+" names "+quote(key)+", which is not in the container")
	}}
	var m members
	for k, val := range obj.members {
		name := k.text()
		if to := renamed[typ][name]; to != "" && !obj.get(to).ok() {
			lose("upgrade.renamed", name+" is now "+to)
			name = to
		} else if slices.Contains(removed[typ], name) {
			lose("upgrade.kept", name+" has no place in STIX 2.1 and is kept as x_stix20_"+name)
			name = "x_stix20_" + name
		}
		if identity && name != "type" && !slices.Contains(idProperties[typ], name) {
			continue
		}
		m = append(m, member{refs.name(name, val), refs.append(nil, name, val)})
	}
	c.headers(&m, typ, obj)
	c.extensions(&m, lose)
	return m
}

// headers makes lists of the single values that 2.0 has where 2.1 wants lists.
func (c *containerUpgrade) headers(m *members, typ string, obj value) {
	headers := obj.get("additional_header_fields")
	if typ != "email-message" || !headers.isObject() || !m.has("additional_header_fields") {
		return
	}
	lists := membersOf(headers)
	for i := range lists {
		if lists[i].val[0] == '"' {
			lists[i].val = slices.Concat([]byte{'['}, lists[i].val, []byte{']'})
		}
	}
	m.set("additional_header_fields", lists.bytes())
}

func (c *containerUpgrade) extensions(m *members, lose func(code, message string)) {
	i := m.index("extensions")
	if i < 0 {
		return
	}
	holder := &Object{raw: (*m)[i].val}
	tape, err := scan(holder.raw, bundleLimits)
	if err != nil {
		return
	}
	holder.tape = tape
	var out members
	for key, ext := range holder.root().members {
		name := key.text()
		if len(removed[name]) == 0 || !ext.isObject() {
			out = append(out, member{name, ext.raw()})
			continue
		}
		inner := membersOf(ext)
		for _, gone := range removed[name] {
			if inner.rename(gone, "x_stix20_"+gone) {
				lose("upgrade.kept", gone+" of "+name+" has no place in STIX 2.1 and is kept as x_stix20_"+gone)
			}
		}
		out = append(out, member{name, inner.bytes()})
	}
	(*m)[i].val = out.bytes()
}

// object is the 2.1 object of an observable, marked as its observed-data is.
func (c *containerUpgrade) object(key string, obj value, id string) []byte {
	m := c.convert(key, obj, false)
	m.after("type", "spec_version", quoted("2.1"))
	m.remove("id")
	m.after("spec_version", "id", quoted(id))
	refs := c.u.o.MarkingRefs()
	var granular []members
	for _, g := range c.u.o.Granular() {
		var inner []string
		for _, s := range g.Selectors {
			rest, here := strings.CutPrefix(s, "objects."+key)
			switch {
			case s == "objects" || here && rest == "":
				if g.MarkingRef != "" && !slices.Contains(refs, g.MarkingRef) {
					refs = append(refs, g.MarkingRef)
				}
			case here && rest[0] == '.':
				inner = append(inner, rest[1:])
			}
		}
		inner, outer := followable(m, inner)
		if outer && g.MarkingRef != "" && !slices.Contains(refs, g.MarkingRef) {
			refs = append(refs, g.MarkingRef)
		}
		if len(inner) > 0 {
			granular = append(granular, granularMembers(g.MarkingRef, g.Lang, inner))
		}
	}
	if len(refs) > 0 {
		m.set("object_marking_refs", quotedList(refs))
	}
	if len(granular) > 0 {
		m.set("granular_markings", listOf(granular))
	}
	return m.bytes()
}

// followable divides selectors into those that still choose something and, as outer, whether there are others.
func followable(m members, selectors []string) (inner []string, outer bool) {
	if len(selectors) == 0 {
		return nil, false
	}
	probe := &Object{raw: m.bytes()}
	tape, err := scan(probe.raw, bundleLimits)
	if err != nil {
		return nil, true
	}
	probe.tape = tape
	for _, s := range selectors {
		if _, found := probe.Select(s); found {
			inner = append(inner, s)
		} else {
			outer = true
		}
	}
	return inner, outer
}
