package stix

import (
	"bytes"
	"strings"
)

// extensions checks the property extensions (3.2, 7.3) of the object or observable the checker stands in.
func (c *checker) extensions(v value) {
	c.extensionsOf(c.o.typ, v)
}

func (c *checker) extensionsOf(typ string, v value) {
	if !c.wants(v, kindObject, "a dictionary of extensions") {
		return
	}
	if v.count() == 0 {
		c.report("property.empty", "3.2", "extensions must not be empty; leave the property out")
	}
	for key, ext := range v.members {
		c.path = append(c.path, pathStep{key: key.at})
		c.extension(typ, key.text(), ext)
		c.path = c.path[:len(c.path)-1]
	}
}

func (c *checker) extension(typ, name string, ext value) {
	if !c.wants(ext, kindObject, "an object") {
		return
	}
	if def := types().exts[name]; def != nil {
		switch {
		case def.of != typ:
			c.report("extension.place", def.section, "the extension "+name+" belongs to the type "+def.of)
		case ext.count() == 0:
			c.report("extension.empty", def.section, "the extension "+name+" needs at least one property")
		}
		c.object(def, ext, false)
		c.structure(def, ext)
		return
	}
	kind := ext.get("extension_type")
	if id, _, ok := splitID(name); ok && id == "extension-definition" {
		c.declared(ext, kind)
		return
	}
	switch {
	case !isTypeName(name) || !strings.HasSuffix(name, "-ext") || strings.HasPrefix(name, "extension-definition-"):
		c.report("extension.key", "", quote(name)+" is neither the id of an extension definition nor a name that ends in -ext")
	default:
		c.custom("extension", name, "x-", "-", false)
	}
	if ext.count() == 0 {
		c.report("property.empty", "3.2", "an extension must not be empty")
	}
	c.nested(ext)
}

// declared checks an extension that an extension definition describes: what it holds is for the definition's schema to say.
func (c *checker) declared(ext, kind value) {
	switch {
	case !kind.ok():
		c.report("extension.type", "", "extension_type is required in an extension of an extension definition")
	case kind.kind() != kindString:
		c.at(value{c.o, kind.at - 1}, "property.kind", "", "the value must be a string, not "+kind.kind().String())
	default:
		if _, ok := types().vocabs["extension-type-enum"].values[string(kind.bytes())]; !ok {
			c.at(value{c.o, kind.at - 1}, "extension.type", "", quote(kind.text())+" is not a value of extension-type-enum")
		}
	}
	for key, val := range ext.members {
		name := key.bytes()
		c.path = append(c.path, pathStep{key: key.at})
		if !isPropertyName(name) && !isDictKey(name) {
			c.report("property.name", "", quote(string(name))+" cannot be a property's name")
		}
		c.suffix(name, val)
		c.nested(val)
		c.path = c.path[:len(c.path)-1]
	}
}

// structure checks what lies between the properties of a sub-type or predefined extension.
func (c *checker) structure(def *typeDef, v value) {
	switch def.name {
	case "external-reference":
		c.externalReference(v)
	case "kill-chain-phase":
		for _, name := range []string{"kill_chain_name", "phase_name"} {
			if p := v.get(name); p.isString() && !isHyphenated(p.bytes()) {
				c.at(value{c.o, p.at - 1}, "killchain.name", "", quote(p.text())+" should be in lower case with hyphens between words")
			}
		}
	case "granular-marking":
		c.granular(v)
	case "email-mime-part":
		c.oneOf(v, def.section, "body", "body_raw_ref")
		c.notBoth(v, def.section, "body", "body_raw_ref")
	case "http-request-ext":
		c.httpRequest(v)
	case "socket-ext":
		c.socket(v)
	case "pdf-ext":
		info := v.get("document_info_dict")
		for key := range info.members {
			if _, known := pdfKeys[key.text()]; !known {
				c.at(value{c.o, info.at - 1}, "pdf.key", "", quote(key.text())+" is not a key of a document information dictionary")
			}
		}
	case "windows-pebinary-ext":
		if v.count() == 1 && v.get("pe_type").ok() {
			c.report("extension.empty", def.section, "the extension needs a property beside pe_type")
		}
	case "windows-process-ext":
		if p := v.get("priority"); p.isString() && !hasSuffix(p.bytes(), "_CLASS") {
			c.at(value{c.o, p.at - 1}, "process.priority", "", quote(p.text())+" should end in _CLASS")
		}
	case "windows-registry-value":
		if v.count() == 0 {
			c.report("constraint.one", def.section, "a registry value needs a name, data or data_type")
		}
	}
}

func (c *checker) externalReference(v value) {
	c.oneOfRule(v, "external.content", "description", "url", "external_id")
	if url := v.get("url"); url.ok() && !v.get("hashes").ok() {
		c.at(value{c.o, url.at - 1}, "external.hash", "", "hashes should stand beside a url, so that what was meant can be told from what is there now")
	}
	source, id := v.get("source_name"), v.get("external_id")
	if !id.isString() || !source.isString() {
		return
	}
	s, x := source.bytes(), id.bytes()
	switch {
	case string(s) == "cve" && !isCVE(x):
		c.at(value{c.o, id.at - 1}, "external.id", "", quote(string(x))+" is not a CVE id, as CVE-2026-1234 is")
	case string(s) != "cve" && isCVE(x) && bytes.EqualFold(s, []byte("cve")):
		c.at(value{c.o, source.at - 1}, "external.id", "", "the source of a CVE id is written cve")
	case string(s) == "capec" && !isCAPEC(x):
		c.at(value{c.o, id.at - 1}, "external.id", "", quote(string(x))+" is not a CAPEC id, as CAPEC-163 is")
	}
}

func (c *checker) oneOfRule(v value, code string, names ...string) {
	for _, name := range names {
		if v.get(name).ok() {
			return
		}
	}
	c.report(code, "", "at least one of "+strings.Join(names, ", ")+" is required")
}

func isCVE(id []byte) bool {
	rest, found := bytes.CutPrefix(id, []byte("CVE-"))
	return found && len(rest) >= 9 && rest[4] == '-' && digits(rest[:4]) && digits(rest[5:])
}

func isCAPEC(id []byte) bool {
	rest, found := bytes.CutPrefix(id, []byte("CAPEC-"))
	return found && len(rest) > 0 && digits(rest)
}

func digits(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

func (c *checker) extensionDefinition(v value) {
	toplevel := false
	for _, t := range v.get("extension_types").items {
		toplevel = toplevel || string(t.bytes()) == "toplevel-property-extension"
	}
	properties := v.get("extension_properties")
	switch {
	case properties.ok() && !toplevel:
		c.at(value{c.o, properties.at - 1}, "extension.properties", "", "extension_properties must only stand beside toplevel-property-extension")
	case toplevel && !properties.ok():
		c.report("extension.listed", "", "a toplevel-property-extension should list its properties in extension_properties")
	}
	for _, p := range properties.items {
		if p.isString() && !isPropertyName(p.bytes()) {
			c.at(value{c.o, properties.at - 1}, "property.name", "", quote(p.text())+" cannot be a property's name")
		}
	}
	if !v.get("description").ok() {
		c.report("extension.described", "", "an extension definition should have a description")
	}
}
