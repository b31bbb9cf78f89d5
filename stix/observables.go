package stix

// observables checks the deprecated observable container of observed-data (2.13): cyber-observable objects by local keys, whose
// references are keys of the same container. They may be written as STIX 2.0 does, without ids.
func (c *checker) observables(v value) {
	if !c.wants(v, kindObject, "an observable container") {
		return
	}
	if v.count() == 0 {
		c.report("property.empty", "2.13", "the container must not be empty")
	}
	container := containerOf(v)
	for key, obj := range v.members {
		c.path = append(c.path, pathStep{key: key.at})
		if c.wants(obj, kindObject, "an object") {
			c.observable(container, obj)
		}
		c.path = c.path[:len(c.path)-1]
	}
}

// A container is the observables of a container by their keys.
type container map[string]value

func containerOf(v value) container {
	m := make(container, v.count())
	for key, obj := range v.members {
		m[key.text()] = obj
	}
	return m
}

func (c *checker) observable(in container, v value) {
	typ := v.get("type")
	if !typ.isString() {
		c.report("property.required", "2.13", "the property type is required")
		return
	}
	def := types().byName[typ.text()]
	known := def != nil && def.class == classSCO
	if !known && c.opt.KnownProperties {
		c.report("property.unknown", "", "the standard defines no cyber-observable object of the type "+quote(typ.text()))
	}
	for key, val := range v.members {
		name := key.text()
		c.path = append(c.path, pathStep{key: key.at})
		var p *prop
		if known {
			if p = def.props[name]; p == nil {
				c.unknownLocal(name)
			}
		}
		switch {
		case hasSuffix([]byte(name), "_ref") && val.isString():
			c.local(in, val, p)
		case hasSuffix([]byte(name), "_refs") && val.isList() && name != "object_marking_refs":
			for i, item := range val.items {
				c.path = append(c.path, pathStep{index: i})
				c.local(in, item, p)
				c.path = c.path[:len(c.path)-1]
			}
		case name == "extensions":
			c.localExtensions(val)
		case p == nil:
			c.nested(val)
		case p.kind != propID && p.kind != propStruct && p.kind != propSpec:
			c.property(p, val)
		}
		c.path = c.path[:len(c.path)-1]
	}
}

// unknownLocal reports a property of an observable, or of an extension of it, that the standard does not define.
func (c *checker) unknownLocal(name string) {
	if c.opt.KnownProperties {
		c.report("property.unknown", "", "the standard defines no property "+quote(name)+" here")
	}
}

// localExtensions only looks for timestamps and empty lists: the references in an observable's extensions are local too.
func (c *checker) localExtensions(v value) {
	if !c.wants(v, kindObject, "a dictionary of extensions") {
		return
	}
	for key, ext := range v.members {
		c.path = append(c.path, pathStep{key: key.at})
		if def := types().exts[key.text()]; def != nil && ext.isObject() {
			for k, val := range ext.members {
				p := def.props[k.text()]
				if p == nil {
					c.path = append(c.path, pathStep{key: k.at})
					c.unknownLocal(k.text())
					c.path = c.path[:len(c.path)-1]
				}
				if p == nil || p.kind == propRef || p.kind == propStruct {
					continue
				}
				c.path = append(c.path, pathStep{key: k.at})
				c.property(p, val)
				c.path = c.path[:len(c.path)-1]
			}
		} else {
			c.unknownLocal(key.text())
			c.nested(ext)
		}
		c.path = c.path[:len(c.path)-1]
	}
}

// local checks a reference within a container: it must lead to an object there, of a type the property may name.
func (c *checker) local(in container, ref value, p *prop) {
	if !c.wants(ref, kindString, "a string") {
		return
	}
	target := in[ref.text()]
	if !target.ok() {
		c.report("ref.format", "2.13", "the container has no object "+quote(ref.text()))
		return
	}
	if p == nil || p.refs == nil {
		return
	}
	if typ := target.get("type").text(); typ != "" && !p.refs.allows(typ) {
		c.report("ref.type", "2.13", p.name+" may not name an object of type "+quote(typ))
	}
}
