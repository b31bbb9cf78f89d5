package stix

import (
	"bytes"
	"fmt"
	"math/bits"
)

// Validate checks an object by every rule that applies to it and returns the breaches, sorted by pointer. An object of STIX 2.0 (no
// spec_version where 2.1 needs one) is only lightly checked and gets an info finding that says so; Upgrade makes 2.1 of it.
func Validate(o *Object, opt Options) []Finding {
	c := checker{o: o, opt: &opt}
	c.run()
	sortFindings(c.out)
	return c.out
}

// A checker walks one object. path is where it stands.
type checker struct {
	o       *Object
	opt     *Options
	path    []pathStep
	pathBuf [16]pathStep
	out     []Finding

	topChecked, topDeclared bool // whether an extension declares properties of the top level, once it is known
	selectors               int  // of granular markings, seen so far
}

// report notes a breach at the place where the checker stands. The section is that of the rule unless one is given.
func (c *checker) report(code, section, message string) {
	r := ruleByCode()[code]
	if r == nil || !c.opt.enabled(r) {
		return
	}
	if section == "" {
		section = r.Section
	}
	if len(c.out) >= maxFindings {
		return
	}
	c.out = append(c.out, Finding{code, r.Level, pointer(c.o, c.path), section, message})
}

// maxFindings bounds the findings of one object: a hostile one could have millions.
const maxFindings = 1000

// at reports a breach at a property of the value the checker stands on.
func (c *checker) at(key value, code, section, message string) {
	c.path = append(c.path, pathStep{key: key.at})
	c.report(code, section, message)
	c.path = c.path[:len(c.path)-1]
}

// atName is at for a property by name; where there is none it reports at the value itself.
func (c *checker) atName(v value, name, code, section, message string) {
	if p := v.get(name); p.ok() {
		c.at(value{c.o, p.at - 1}, code, section, message)
		return
	}
	c.report(code, section, message)
}

func (c *checker) run() {
	c.path = c.pathBuf[:0]
	o := c.o
	root := o.root()
	if o.Spec() == "2.0" && !root.get("spec_version").ok() {
		c.old(root)
		return
	}
	def := o.def
	unknown := def == nil
	if unknown {
		def = c.customDef(root)
	}
	c.identity(root)
	c.object(def, root, unknown)
	c.topLevel(def, root, unknown)
}

// customDef is the table's common properties for a type that the standard does not define: of the class an extension declares, else
// those of cyber-observable objects where the object has no versions, else those of domain objects (11.2, 11.3).
func (c *checker) customDef(root value) *typeDef {
	t := types()
	switch c.o.class() {
	case classSCO:
		return t.commonSCO
	case classSDO, classSRO:
		return t.commonSDO
	}
	c.atName(root, "type", "custom.extension", "", "the type "+quote(c.o.typ)+" is not one of the standard and no extension declares it")
	if !root.get("created").ok() && !root.get("modified").ok() {
		return t.commonSCO
	}
	return t.commonSDO
}

// object checks the members of a value against the table.
func (c *checker) object(def *typeDef, v value, open bool) {
	var seen uint64
	for key, val := range v.members {
		name := key.bytes()
		c.path = append(c.path, pathStep{key: key.at})
		if p := def.props[string(name)]; p != nil {
			seen |= p.bit
			c.property(p, val)
		} else {
			c.unknown(def, name, val, v.at == 0, open)
		}
		c.path = c.path[:len(c.path)-1]
	}
	for missing := def.required &^ seen; missing != 0; missing &= missing - 1 {
		p := def.ordered[bits.TrailingZeros64(missing)]
		c.report("property.required", def.section, "the property "+p.name+" is required")
	}
}

func (c *checker) property(p *prop, v value) {
	if p.deprecated {
		c.report("property.deprecated", "", "the property "+p.name+" is deprecated")
	}
	if !p.list {
		c.value(p, v)
		return
	}
	if v.kind() != kindList {
		c.report("property.kind", "", "the property "+p.name+" must be a list, not "+v.kind().String())
		return
	}
	if v.count() == 0 {
		c.report("property.empty", "2.12", "a list must not be empty; leave the property out")
		return
	}
	for i, item := range v.items {
		c.path = append(c.path, pathStep{index: i})
		c.value(p, item)
		c.path = c.path[:len(c.path)-1]
	}
}

func (k kind) String() string {
	return [...]string{"null", "false", "true", "a number", "a string", "a list", "an object"}[k]
}

// wants reports a value of the wrong JSON type; ok where it is right.
func (c *checker) wants(v value, k kind, what string) bool {
	if v.kind() == k {
		return true
	}
	c.report("property.kind", "", "the value must be "+what+", not "+v.kind().String())
	return false
}

func (c *checker) value(p *prop, v value) {
	switch p.kind {
	case propAny:
	case propBool:
		if k := v.kind(); k != kindTrue && k != kindFalse {
			c.report("property.kind", "2.2", "the value must be true or false, not "+k.String())
		}
	case propInt:
		c.integer(p, v)
	case propFloat:
		if f, ok := v.number(); c.wants(v, kindNumber, "a number") && ok && (f < p.lo || f > p.hi) {
			c.report("number.range", "", fmt.Sprintf("the number must lie within %v and %v", p.lo, p.hi))
		}
	case propDict:
		c.dictionary(p, v)
	case propHashes:
		c.hashes(v)
	case propStruct:
		if c.wants(v, kindObject, "an object") {
			if v.count() == 0 {
				c.report("property.empty", p.sub.section, "the object must not be empty")
			}
			c.object(p.sub, v, false)
			c.structure(p.sub, v)
		}
	case propObservables:
		c.observables(v)
	case propExtensions:
		c.extensions(v)
	case propContents:
		c.contents(v)
	default:
		if c.wants(v, kindString, "a string") {
			c.text(p, v)
		}
	}
}

func (c *checker) integer(p *prop, v value) {
	if !c.wants(v, kindNumber, "an integer") {
		return
	}
	n, ok := v.integer()
	if !ok {
		c.report("property.kind", "2.10", "the value must be an integer, without fraction or exponent")
		return
	}
	if f := float64(n); f < p.lo || f > p.hi {
		c.report("integer.range", "", fmt.Sprintf("the integer must lie within %v and %v", p.lo, p.hi))
	}
}

// text checks a string of the kinds that have a form.
func (c *checker) text(p *prop, v value) {
	b := v.bytes()
	switch p.kind {
	case propString, propID:
	case propTime, propTime3:
		c.timestamp(b, p.kind == propTime3)
	case propVocab:
		c.vocabulary(p.vocab, b)
	case propEnum:
		if _, ok := p.vocab.values[string(b)]; !ok {
			c.report("enum.value", p.vocab.section, quote(string(b))+" is not a value of "+p.vocab.name)
		}
	case propRef:
		c.reference(p, b)
	case propHex:
		if !isHex(b) {
			c.report("hex.format", "", "hexadecimal needs an even number of digits 0-9, a-f")
		}
	case propBin:
		if !isBase64(b) {
			c.report("binary.format", "", "the value is not base64 (RFC 4648, section 4)")
		}
	case propURI:
		if !IsURI(string(b)) {
			c.report("uri.format", "", quote(string(b))+" is not an absolute URI (RFC 3986)")
		}
	case propLang:
		if !isLanguage(string(b)) {
			c.report("language.tag", "", quote(string(b))+" is not a language tag (RFC 5646)")
		}
	case propSelector:
		c.selector(b)
	case propCPE:
		if !isCPE(string(b)) {
			c.report("cpe.format", "", quote(string(b))+" is not a CPE 2.3 formatted string")
		}
	case propCharset:
		if !isCharset(b) {
			c.report("charset.name", "", quote(string(b))+" is not a name of an IANA character set")
		}
	case propIPv4:
		if !isIPv4(string(b)) {
			c.report("address.format", "6.8", quote(string(b))+" is not an IPv4 address or CIDR block")
		}
	case propIPv6:
		if !isIPv6(string(b)) {
			c.report("address.format", "6.9", quote(string(b))+" is not an IPv6 address or CIDR block")
		}
	case propMAC:
		if !isMAC(b) {
			c.report("address.format", "6.10", quote(string(b))+" is not a MAC address in lower case with colons")
		}
	case propSpec:
		if string(b) != "2.1" {
			c.report("spec.value", "", "spec_version is "+quote(string(b))+"; it must be 2.1")
		}
	}
}

func (c *checker) timestamp(b []byte, precise bool) {
	if !isTimestamp(b) {
		c.report("timestamp.format", "", quote(string(b))+" is not a timestamp of the form 2026-01-31T12:00:00.000Z on a day that exists")
		return
	}
	if precise && len(b) < len("2026-01-31T12:00:00.000Z") {
		c.report("timestamp.precision", "", "at least three digits of fraction are required here")
	}
}

func (c *checker) vocabulary(vocab *vocabulary, b []byte) {
	if _, ok := vocab.values[string(b)]; ok {
		return
	}
	if !isHyphenated(b) {
		c.report("vocab.form", vocab.section, quote(string(b))+" should be in lower case with hyphens between words")
	}
	c.report("vocab.open", vocab.section, quote(string(b))+" is not a value of "+vocab.name)
}

func (c *checker) reference(p *prop, b []byte) {
	typ, _, ok := splitID(b)
	if prefix, rest, cut := bytes.Cut(b, []byte("--")); !ok && cut && IsSCO(c.o.Type()) && p.refs.allows(string(prefix)) && isHexOrHyphen(rest) {
		// The recorded verdicts of the OASIS validator let an observable name an id that no object can have: it leads nowhere.
		c.report("ref.uuid", "", quote(string(b))+" does not end in a UUID and can lead nowhere")
		return
	}
	if !ok {
		c.report("ref.format", "", quote(string(b))+" is not an identifier of the form type--UUID")
		return
	}
	if p.refs.any {
		switch {
		case p.name == "created_by_ref" && string(typ) != "identity":
			c.report("ref.creator", "", "created_by_ref names an object of type "+string(typ)+", not an identity")
		case string(typ) == "bundle":
			c.report("ref.type", "8", "nothing may refer to a bundle")
		}
		return
	}
	if !p.refs.allows(string(typ)) {
		c.report("ref.type", "", p.name+" may not name an object of type "+string(typ))
	}
}

func isHexOrHyphen(b []byte) bool {
	for _, c := range b {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || c == '-') {
			return false
		}
	}
	return len(b) > 0
}

func (c *checker) hashes(v value) {
	if !c.wants(v, kindObject, "an object of hashes") {
		return
	}
	if v.count() == 0 {
		c.report("property.empty", "2.7", "hashes must not be empty")
	}
	vocab := types().vocabs["hash-algorithm-ov"]
	for key, val := range v.members {
		name := key.bytes()
		c.path = append(c.path, pathStep{key: key.at})
		if !isDictKey(name) || len(name) < 3 {
			c.report("hash.name", "", quote(string(name))+" cannot name a hash algorithm")
		}
		if _, ok := vocab.values[string(name)]; !ok && !bytes.HasPrefix(name, []byte("x_")) {
			c.report("hash.algorithm", "", quote(string(name))+" is not a value of hash-algorithm-ov")
		}
		if c.wants(val, kindString, "a string") && !isHashValue(string(name), val.bytes()) {
			c.report("hash.value", "", "the value has not the form of a hash of "+quote(string(name)))
		}
		c.path = c.path[:len(c.path)-1]
	}
}

func (c *checker) dictionary(p *prop, v value) {
	if !c.wants(v, kindObject, "a dictionary") {
		return
	}
	if v.count() == 0 {
		c.report("property.empty", "2.3", "a dictionary must not be empty; leave the property out")
	}
	for key, val := range v.members {
		c.path = append(c.path, pathStep{key: key.at})
		if name := key.bytes(); !isDictKey(name) {
			c.report("dictionary.key", "", quote(string(name))+" cannot be a key: letters, digits, hyphen and underscore, at most 250")
		}
		if !dictValueFits(p.arg, val) {
			c.report("dictionary.value", "", "the values of "+p.name+" must be "+dictValues[p.arg])
		}
		c.path = c.path[:len(c.path)-1]
	}
}

var dictValues = map[string]string{"string": "strings", "strings": "lists of strings", "int": "integers", "scalar": "integers or strings"}

func dictValueFits(arg string, v value) bool {
	switch arg {
	case "string":
		return v.kind() == kindString
	case "strings": // errata 01 has lists where the standard had strings and lists
		return v.kind() == kindString || v.kind() == kindList && v.count() > 0
	case "int":
		_, ok := v.integer()
		return ok
	case "scalar":
		return v.kind() == kindString || v.kind() == kindNumber
	}
	return true
}
