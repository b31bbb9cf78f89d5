package stix

import (
	"slices"
	"strings"
)

// reservedProperties are the names kept for later versions (3.9).
var reservedProperties = []string{"severity", "username", "phone_numbers", "action"}

// unknown checks a property that the table does not have for its type.
func (c *checker) unknown(def *typeDef, name []byte, v value, top, open bool) {
	if !isPropertyName(name) {
		c.report("property.name", "", quote(string(name))+" cannot be a property's name: 3 to 250 of a-z, 0-9 and underscore, a letter first")
	}
	c.suffix(name, v)
	c.nested(v)
	if top && c.common(def, name, v) {
		return
	}
	if top && slices.Contains(reservedProperties, string(name)) {
		c.report("property.reserved", "", "the name "+string(name)+" is reserved")
		return
	}
	if open {
		return
	}
	if c.opt.KnownProperties {
		c.report("property.unknown", "", "the standard defines no property "+quote(string(name))+" here")
	}
	c.custom("property", string(name), "x_", "_", top && c.toplevelExtension())
}

// common checks a common property that the object's type has not got; true where it is one.
func (c *checker) common(def *typeDef, name []byte, v value) bool {
	p := types().commonSDO.props[string(name)]
	if p == nil {
		if string(name) == "defanged" {
			c.report("property.forbidden", "", "only cyber-observable objects may be defanged")
			return true
		}
		return false
	}
	if def.class == classSCO || def == types().commonSCO {
		switch p.name {
		case "created_by_ref", "created", "modified", "revoked": // 3.6 lets an object without versions take part in versioning
			c.property(p, v)
			return true
		}
		return false
	}
	c.report("property.forbidden", "", "the property "+p.name+" does not apply to the type "+quote(c.o.typ))
	return true
}

// suffix checks what the name of an own property says of its value (3.1). Published content breaks this rule often, and what such a
// property means is not the standard's, so that it is a warning.
func (c *checker) suffix(name []byte, v value) {
	ok := true
	switch {
	case hasSuffix(name, "_ref"):
		ok = v.isString() && isIdentifier(v.text())
	case hasSuffix(name, "_refs"):
		ok = v.isList()
		for _, item := range v.items {
			ok = ok && item.isString() && isIdentifier(item.text())
		}
	case hasSuffix(name, "_hex"):
		ok = v.isString() && isHex(v.bytes())
	case hasSuffix(name, "_bin"):
		ok = v.isString() && isBase64(v.bytes())
	}
	if !ok {
		c.report("custom.value", "", "the name "+quote(string(name))+" promises another kind of value")
	}
}

// nested looks for empty lists in a value that the table says nothing of.
func (c *checker) nested(v value) {
	switch v.kind() {
	case kindList:
		if v.count() == 0 {
			c.report("custom.value", "2.12", "a list should not be empty; leave the property out")
		}
		for i, item := range v.items {
			c.path = append(c.path, pathStep{index: i})
			c.nested(item)
			c.path = c.path[:len(c.path)-1]
		}
	case kindObject:
		for key, val := range v.members {
			c.path = append(c.path, pathStep{key: key.at})
			c.nested(val)
			c.path = c.path[:len(c.path)-1]
		}
	}
}

// toplevelExtension tells whether an extension of the object declares properties of its top level.
func (c *checker) toplevelExtension() bool {
	if c.topChecked {
		return c.topDeclared
	}
	c.topChecked = true
	for _, ext := range c.o.root().get("extensions").members {
		if string(ext.get("extension_type").bytes()) == "toplevel-property-extension" {
			c.topDeclared = true
		}
	}
	return c.topDeclared
}

// custom reports own content that no extension definition declares, by the first of the three rules for it that is enabled. prefix
// and sep are what the older ways of naming it ask for (11).
func (c *checker) custom(what, name, prefix, sep string, declared bool) {
	enabled := func(code string) bool { return c.opt.enabled(ruleByCode()[code]) }
	rest, prefixed := strings.CutPrefix(name, prefix)
	sourced := prefixed && strings.Contains(strings.Trim(strings.TrimSuffix(rest, "-ext"), sep), sep)
	switch {
	case enabled("custom.extension"):
		if !declared {
			c.report("custom.extension", "", "the "+what+" "+quote(name)+" should be declared by an extension definition")
		}
	case enabled("custom.prefix"):
		if !sourced {
			c.report("custom.prefix", "", "the "+what+" "+quote(name)+" should begin with "+prefix+" and the name of its source")
		}
	case !prefixed || rest == "":
		c.report("custom.lax", "", "the "+what+" "+quote(name)+" should begin with "+prefix)
	}
}
