package stix

import (
	"bytes"
	"fmt"
	"strings"
)

// identity checks type and id against each other (2.9, 3.1).
func (c *checker) identity(root value) {
	o := c.o
	if o.def == nil && !isTypeName(o.typ) {
		c.atName(root, "type", "type.name", "", quote(o.typ)+" cannot be a type's name: 3 to 250 of a-z, 0-9 and single hyphens, a letter first")
	}
	if o.def == nil && c.opt.KnownTypes {
		c.atName(root, "type", "type.unknown", "", "the standard defines no type "+quote(o.typ))
	}
	typ, uuid, ok := splitID(o.id)
	if !ok {
		c.atName(root, "id", "id.format", "", quote(o.id)+" is not an identifier of the form type--UUID")
		return
	}
	if typ != o.typ {
		c.atName(root, "id", "id.type", "", "the id begins with "+quote(typ)+", but the type is "+quote(o.typ))
	}
	if o.Spec() == "2.0" {
		return
	}
	switch version := uuid[14]; {
	case !o.isSCO():
		if version != '4' && !o.isFixedTLP() {
			c.atName(root, "id", "id.version", "", "the id should have a UUIDv4, not version "+string(version))
		}
	case version == '5':
		c.deterministic(root)
	case o.typ != "process":
		if o.def == nil || len(idProperties[o.typ]) == 0 || hasContributing(root, o.typ) {
			c.atName(root, "id", "id.version", "", "the id should have a UUIDv5, not version "+string(version))
		}
	case version != '4':
		c.atName(root, "id", "id.random", "", "a process must have a UUIDv4")
	}
}

// deterministic checks a UUIDv5 of a cyber-observable object.
func (c *checker) deterministic(root value) {
	if c.o.def == nil {
		return
	}
	if !hasContributing(root, c.o.typ) {
		c.atName(root, "id", "id.random", "", "without any of its contributing properties the object must have a UUIDv4")
		return
	}
	if id, ok, err := DeterministicID(c.o); err == nil && ok && id != c.o.id {
		c.atName(root, "id", "id.deterministic", "", "the contributing properties give "+id+"; the id is from another namespace or wrong")
	}
}

// topLevel checks what lies between the properties of an object.
func (c *checker) topLevel(def *typeDef, root value, unknown bool) {
	c.notBefore(root, "created", "modified", false, "3.6")
	c.markings(root)
	if labels := root.get("labels"); labels.ok() {
		c.labels(def, labels)
	}
	if unknown {
		return
	}
	if check := typeChecks[def.name]; check != nil {
		check(c, root)
	}
}

// labels tells of labels that are terms of the vocabulary of the object's own types property (3.2).
func (c *checker) labels(def *typeDef, labels value) {
	p := def.props[strings.ReplaceAll(c.o.typ, "-", "_")+"_types"]
	if p == nil || p.vocab == nil {
		return
	}
	for _, label := range labels.items {
		if _, is := p.vocab.values[string(label.bytes())]; is {
			c.at(value{c.o, labels.at - 1}, "label.vocabulary", "", "the label "+quote(label.text())+" belongs into "+p.name)
		}
	}
}

// notBefore checks that the time in one property does not come before (strict: comes after) that of another.
func (c *checker) notBefore(v value, first, then string, strict bool, section string) {
	a, b := v.get(first).bytes(), v.get(then).bytes()
	if a == nil || b == nil || !isTimestamp(a) || !isTimestamp(b) || bytes.Equal(a, b) && !strict {
		return
	}
	x, y := order(string(a)), order(string(b))
	switch {
	case y < x:
		c.atName(v, then, "timestamp.order", section, then+" comes before "+first)
	case x == y && strict:
		c.atName(v, then, "timestamp.order", section, then+" must be later than "+first)
	}
}

func (c *checker) oneOf(v value, section string, names ...string) {
	for _, name := range names {
		if v.get(name).ok() {
			return
		}
	}
	c.report("constraint.one", section, "at least one of "+strings.Join(names, ", ")+" is required")
}

func (c *checker) notBoth(v value, section, a, b string) {
	if v.get(a).ok() && v.get(b).ok() {
		c.atName(v, b, "constraint.exclusive", section, a+" and "+b+" exclude each other")
	}
}

func (c *checker) needs(v value, section, a, b string) {
	if v.get(a).ok() && !v.get(b).ok() {
		c.atName(v, a, "constraint.together", section, a+" needs "+b+" beside it")
	}
}

// typeChecks is the constraints between properties, by type.
var typeChecks map[string]func(c *checker, v value)

func init() {
	seen := func(section string) func(c *checker, v value) {
		return func(c *checker, v value) { c.notBefore(v, "first_seen", "last_seen", false, section) }
	}
	typeChecks = map[string]func(c *checker, v value){
		"campaign":             seen("4.2"),
		"indicator":            (*checker).indicator,
		"infrastructure":       seen("4.8"),
		"intrusion-set":        seen("4.9"),
		"location":             (*checker).location,
		"malware":              (*checker).malware,
		"malware-analysis":     (*checker).malwareAnalysis,
		"observed-data":        (*checker).observedData,
		"threat-actor":         seen("4.17"),
		"relationship":         (*checker).relationship,
		"sighting":             seen("5.2"),
		"artifact":             (*checker).artifact,
		"directory":            (*checker).directory,
		"domain-name":          (*checker).domainName,
		"email-addr":           (*checker).emailAddr,
		"email-message":        (*checker).emailMessage,
		"file":                 (*checker).file,
		"network-traffic":      (*checker).networkTraffic,
		"process":              (*checker).process,
		"user-account":         (*checker).userAccount,
		"windows-registry-key": (*checker).registryKey,
		"x509-certificate":     (*checker).certificate,
		"language-content":     (*checker).languageContent,
		"marking-definition":   (*checker).markingDefinition,
		"extension-definition": (*checker).extensionDefinition,
	}
}

func (c *checker) location(v value) {
	if !v.get("region").ok() && !v.get("country").ok() && !(v.get("latitude").ok() && v.get("longitude").ok()) {
		c.report("constraint.one", "4.10", "a location needs a region, a country, or latitude and longitude")
	}
	c.needs(v, "4.10", "latitude", "longitude")
	c.needs(v, "4.10", "longitude", "latitude")
	c.needs(v, "4.10", "precision", "latitude")
	c.needs(v, "4.10", "precision", "longitude")
	if country := v.get("country"); country.isString() && !isCountry(country.bytes()) {
		c.at(value{c.o, country.at - 1}, "location.country", "", quote(country.text())+" is not a country code of ISO 3166-1 alpha-2")
	}
}

func (c *checker) malware(v value) {
	if v.get("is_family").isTrue() && !v.get("name").ok() {
		c.report("constraint.together", "4.11", "a malware family needs a name")
	}
	c.notBefore(v, "first_seen", "last_seen", false, "4.11")
}

func (c *checker) malwareAnalysis(v value) {
	c.oneOf(v, "4.12", "result", "analysis_sco_refs")
	if p := v.get("product"); p.isString() && !isHyphenated(p.bytes()) {
		c.at(value{c.o, p.at - 1}, "analysis.product", "", quote(p.text())+" should be in lower case with hyphens between words")
	}
}

func (c *checker) observedData(v value) {
	c.oneOf(v, "4.14", "objects", "object_refs")
	c.notBoth(v, "4.14", "objects", "object_refs")
	c.notBefore(v, "first_observed", "last_observed", false, "4.14")
}

func (c *checker) relationship(v value) {
	c.notBefore(v, "start_time", "stop_time", true, "5.1")
	typ := v.get("relationship_type")
	if !typ.isString() {
		return
	}
	name := typ.bytes()
	for _, b := range name {
		if !isLower(b) && !isDigit(b) && b != '-' {
			c.at(value{c.o, typ.at - 1}, "relationship.name", "", quote(string(name))+" must be of a-z, 0-9 and hyphens")
			return
		}
	}
	source, _, ok1 := splitID(v.get("source_ref").bytes())
	target, _, ok2 := splitID(v.get("target_ref").bytes())
	if ok1 && ok2 && !isKnownRelationship(string(source), string(name), string(target)) {
		c.at(value{c.o, typ.at - 1}, "relationship.known", "",
			fmt.Sprintf("%s %s %s is not a relationship that the standard defines", source, name, target))
	}
}

func (c *checker) artifact(v value) {
	c.oneOf(v, "6.1", "payload_bin", "url")
	c.notBoth(v, "6.1", "payload_bin", "url")
	c.needs(v, "6.1", "url", "hashes")
	c.needs(v, "6.1", "decryption_key", "encryption_algorithm")
	c.mediaType(v, "6.1")
}

func (c *checker) mediaType(v value, section string) {
	if m := v.get("mime_type"); m.isString() && !isMediaType(m.text()) {
		c.at(value{c.o, m.at - 1}, "media.type", section, quote(m.text())+" is not a media type of the IANA registry")
	}
}

func (c *checker) encoding(v value, section, name string) {
	enc := name + "_enc"
	if e := v.get(enc); e.ok() && !v.get(name).ok() {
		c.at(value{c.o, e.at - 1}, "encoding.original", section, enc+" must not stand without "+name)
	}
}

func (c *checker) directory(v value) { c.encoding(v, "6.3", "path") }

func (c *checker) domainName(v value) {
	if d := v.get("value"); d.isString() && !isDomain(d.text()) {
		c.at(value{c.o, d.at - 1}, "value.format", "6.4", quote(d.text())+" is not a domain name (RFC 1034, RFC 5890)")
	}
}

func (c *checker) emailAddr(v value) {
	if d := v.get("value"); d.isString() && !isEmail(d.text()) {
		c.at(value{c.o, d.at - 1}, "value.format", "6.5", quote(d.text())+" is not an e-mail address (RFC 5322 addr-spec)")
	}
}

func (c *checker) emailMessage(v value) {
	multi := v.get("is_multipart")
	switch {
	case multi.isTrue():
		if body := v.get("body"); body.ok() {
			c.at(value{c.o, body.at - 1}, "constraint.exclusive", "6.6", "body must not stand in a multipart message")
		}
	case multi.ok() && multi.kind() == kindFalse:
		if body := v.get("body_multipart"); body.ok() {
			c.at(value{c.o, body.at - 1}, "constraint.exclusive", "6.6", "body_multipart must not stand in a message that is not multipart")
		}
	}
}

func (c *checker) file(v value) {
	c.oneOf(v, "6.7", "hashes", "name")
	c.encoding(v, "6.7", "name")
	c.mediaType(v, "6.7")
}

func (c *checker) process(v value) {
	for key := range v.members {
		switch name := string(key.bytes()); name {
		case "type", "id", "spec_version", "object_marking_refs", "granular_markings", "defanged":
		default:
			return
		}
	}
	c.report("constraint.one", "6.13", "at least one property of a process is required")
}

func (c *checker) userAccount(v value) {
	c.oneOf(v, "6.16", userAccountProperties...)
}

var userAccountProperties = []string{
	"user_id", "credential", "account_login", "account_type", "display_name", "is_service_account", "is_privileged", "can_escalate_privs",
	"is_disabled", "account_created", "account_expires", "credential_last_changed", "account_first_login", "account_last_login", "extensions",
}

func (c *checker) registryKey(v value) {
	c.oneOf(v, "6.17", "key", "values", "modified_time", "creator_user_ref", "number_of_subkeys")
	key := v.get("key")
	hive, _, _ := strings.Cut(key.text(), `\`)
	switch strings.ToUpper(hive) {
	case "HKLM", "HKCC", "HKCR", "HKCU", "HKU":
		c.at(value{c.o, key.at - 1}, "registry.hive", "", "the hive "+hive+" must be written out, as HKEY_LOCAL_MACHINE is")
	}
}

func (c *checker) certificate(v value) {
	for key := range v.members {
		switch name := string(key.bytes()); name {
		case "type", "id", "spec_version", "object_marking_refs", "granular_markings", "defanged":
		default:
			c.notBefore(v, "validity_not_before", "validity_not_after", false, "6.18")
			return
		}
	}
	c.report("constraint.one", "6.18", "at least one property of a certificate is required")
}
