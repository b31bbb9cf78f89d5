package stix

import (
	"slices"
	"strings"
	"sync"
)

// Level is the weight of a finding.
type Level uint8

// The levels: an error breaks a MUST of the standard, a warning a SHOULD; info is worth knowing and neither.
const (
	LevelError Level = iota
	LevelWarning
	LevelInfo
)

func (l Level) String() string {
	switch l {
	case LevelError:
		return "error"
	case LevelWarning:
		return "warning"
	}
	return "info"
}

// MarshalText writes the level's name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// A Rule is one thing the package checks.
type Rule struct {
	Code    string // machine code, stable
	Level   Level
	Section string // of STIX 2.1 with errata 01; "" for a limit of this package
	Summary string // what holds where the rule is kept
}

// Rules is every rule, in the order of the code's first part as documented.
func Rules() []Rule { return slices.Clone(rules) }

var rules = []Rule{
	{"json.syntax", LevelError, "12", "the text is JSON"},
	{"json.utf8", LevelError, "12", "strings are UTF-8"},
	{"json.escape", LevelError, "12", "escapes are well formed, surrogates paired"},
	{"json.duplicate", LevelError, "12", "no object has one property twice"},
	{"json.number", LevelError, "2.10", "integers lie within ±(2^53-1), other numbers within the range of a double"},
	{"json.size", LevelError, "", "the text is within the limit of bytes"},
	{"json.depth", LevelError, "", "objects and lists are nested within the limit"},
	{"json.string", LevelError, "", "no string is longer than the limit"},
	{"json.items", LevelError, "", "there are no more values than the limit"},
	{"object.kind", LevelError, "3.2", "an object is a JSON object"},
	{"object.type", LevelError, "3.2", "an object has a type"},
	{"object.id", LevelError, "3.2", "an object has an id"},
	{"object.bundle", LevelError, "8", "a bundle is no object and does not stand where one is expected"},
	{"split.syntax", LevelError, "8", "objects stand in a bundle, a list, an envelope or one after another"},
	{"split.gzip", LevelError, "", "compressed input is sound"},
	{"split.size", LevelError, "", "no object is larger than the limit"},
	{"split.type", LevelError, "8", "only a bundle or an envelope has a list of objects"},
	{"upgrade.size", LevelError, "", "an object has not so many markings and observables that its upgrade would be huge"},
	{"upgrade.assumed", LevelInfo, "", "Upgrade: what STIX 2.0 does not say was not assumed"},
	{"upgrade.precision", LevelInfo, "", "Upgrade: times have the three digits that 2.1 asks for"},
	{"upgrade.moved", LevelInfo, "", "Upgrade: terms stay in labels"},
	{"upgrade.repaired", LevelInfo, "", "Upgrade: values have the kind of their property"},
	{"upgrade.pattern", LevelInfo, "", "Upgrade: the pattern is valid in 2.1 as it stands"},
	{"upgrade.objects", LevelInfo, "", "Upgrade: observables stay in their container"},
	{"upgrade.renamed", LevelInfo, "", "Upgrade: properties keep their names"},
	{"upgrade.kept", LevelInfo, "", "Upgrade: 2.1 has a place for the property"},
	{"upgrade.reference", LevelInfo, "", "Upgrade: references lead to an observable of the container"},
	{"upgrade.dropped", LevelInfo, "", "Upgrade: nothing is left out"},
	{"upgrade.marking", LevelInfo, "", "Upgrade: a marking applies to the same part as before"},
	{"type.name", LevelError, "3.1", "a type's name is 3 to 250 of a-z, 0-9 and single hyphens, a letter first"},
	{"type.unknown", LevelWarning, "11.2", "with KnownTypes: the type is one of the standard's"},
	{"id.format", LevelError, "2.9", "an identifier is type--UUID"},
	{"id.type", LevelError, "2.9", "an identifier begins with the type of its object"},
	{"id.version", LevelWarning, "2.9", "cyber-observable objects have a UUIDv5, process excepted, all others a UUIDv4"},
	{"id.random", LevelError, "2.9", "a cyber-observable object without contributing properties has a UUIDv4"},
	{"id.deterministic", LevelInfo, "2.9", "a UUIDv5 is the one that the contributing properties give"},
	{"spec.value", LevelError, "3.2", "spec_version is 2.1"},
	{"spec.old", LevelInfo, "3.2", "an object without spec_version is STIX 2.0 and only lightly checked"},
	{"property.required", LevelError, "3.2", "required properties are there"},
	{"property.kind", LevelError, "2", "a value has the JSON type of its property"},
	{"property.empty", LevelError, "2.12", "no list and no dictionary is empty"},
	{"property.name", LevelError, "3.1", "a property's name is 3 to 250 of a-z, 0-9 and underscores, a letter first"},
	{"property.reserved", LevelError, "3.9", "reserved names are not used for own properties"},
	{"property.forbidden", LevelError, "3.2", "a common property stands only where it applies"},
	{"property.deprecated", LevelWarning, "3.1", "deprecated properties are not used"},
	{"property.unknown", LevelWarning, "11.1", "with KnownProperties: properties are those of the standard"},
	{"custom.value", LevelWarning, "3.1", "own properties keep the standard's rules for values: no empty lists, and of the kind that a name ending in _ref, _refs, _hex or _bin promises"},
	{"custom.extension", LevelWarning, "7.3", "own types, properties and extensions are declared by an extension definition"},
	{"custom.prefix", LevelWarning, "11", "own names that are not declared begin with x_ or x- and a source"},
	{"custom.lax", LevelWarning, "11", "own names that are not declared begin with x_ or x-"},
	{"integer.range", LevelError, "2.10", "an integer lies in the range of its property"},
	{"number.range", LevelError, "2.6", "a number lies in the range of its property"},
	{"timestamp.format", LevelError, "2.16.1", "a timestamp is RFC 3339 in UTC with T and Z"},
	{"timestamp.precision", LevelError, "3.2", "created and modified have three digits of fraction or more"},
	{"timestamp.order", LevelError, "3.6", "a time that must come after another does"},
	{"hex.format", LevelError, "2.8", "hexadecimal has an even number of digits in lower case"},
	{"binary.format", LevelError, "2.1", "binary is base64"},
	{"uri.format", LevelError, "2.5", "a URL is an absolute URI"},
	{"language.tag", LevelError, "3.2", "a language is a tag of RFC 5646"},
	{"cpe.format", LevelError, "6.14", "a CPE is a formatted string of CPE 2.3"},
	{"charset.name", LevelError, "6.7", "an encoding is a name of the IANA character set registry"},
	{"encoding.original", LevelError, "3.1", "an encoding stands only beside the property it is of"},
	{"media.type", LevelWarning, "6.7", "a media type is one of the IANA registry"},
	{"address.format", LevelError, "6.8", "an address is of its family and form"},
	{"value.format", LevelWarning, "6.4", "a domain name, e-mail address or the like is of its form"},
	{"ref.format", LevelError, "2.9", "a reference is an identifier"},
	{"ref.uuid", LevelInfo, "2.9", "what an observable refers to ends in a UUID"},
	{"ref.type", LevelError, "3.2", "a reference names an object of a type it may name"},
	{"ref.creator", LevelInfo, "3.2", "created_by_ref names an identity"},
	{"hash.name", LevelError, "2.7", "the name of a hash algorithm is 3 to 250 of letters, digits, hyphen and underscore"},
	{"hash.algorithm", LevelWarning, "10.7", "a hash algorithm is of the vocabulary or begins with x_"},
	{"hash.value", LevelError, "2.7", "a hash has the form of its algorithm"},
	{"vocab.open", LevelWarning, "10", "a term is of its open vocabulary"},
	{"vocab.form", LevelWarning, "10", "a term is in lower case with hyphens"},
	{"enum.value", LevelError, "10", "a value is of its enumeration"},
	{"dictionary.key", LevelError, "2.3", "a dictionary key is 1 to 250 of letters, digits, hyphen and underscore"},
	{"dictionary.value", LevelError, "2.3", "the values of a dictionary are of their kind"},
	{"external.content", LevelError, "2.5", "an external reference has a description, url or external_id"},
	{"external.id", LevelError, "2.5", "a CVE or CAPEC id has its form, and its source its name"},
	{"external.hash", LevelWarning, "2.5", "an external reference with a url has hashes"},
	{"killchain.name", LevelWarning, "2.11", "kill chain names are in lower case with hyphens"},
	{"selector.format", LevelError, "7.2.3", "a selector has its form"},
	{"selector.target", LevelError, "7.2.3", "a selector chooses something that is in the object"},
	{"selector.many", LevelError, "7.2.3", "there are no more selectors than can be followed in an object of that size"},
	{"granular.one", LevelError, "7.2.3", "a granular marking has one of marking_ref and lang"},
	{"marking.circular", LevelError, "7.2", "a marking does not mark itself"},
	{"marking.content", LevelError, "7.2.1", "a marking has definition_type and definition, or an extension"},
	{"marking.tlp", LevelError, "7.2.1.4", "a TLP marking is one of the four of the standard, as it stands there"},
	{"marking.statement", LevelError, "7.2.1.3", "a statement marking has a statement"},
	{"marking.type", LevelWarning, "7.2.1", "a definition_type is statement or tlp"},
	{"extension.key", LevelError, "7.3", "an extension is named by an extension definition's id or by a predefined name"},
	{"extension.place", LevelError, "6", "a predefined extension stands in the type it belongs to"},
	{"extension.type", LevelError, "7.3.2", "an extension has an extension_type of the enumeration"},
	{"extension.empty", LevelError, "6", "a predefined extension has at least one property"},
	{"extension.properties", LevelError, "7.3.1", "extension_properties stand only beside toplevel-property-extension"},
	{"extension.described", LevelWarning, "7.3.1", "an extension definition has a description"},
	{"extension.listed", LevelWarning, "7.3.1", "a toplevel-property-extension lists its properties"},
	{"constraint.one", LevelError, "3", "at least one of a set of properties is there"},
	{"constraint.exclusive", LevelError, "3", "properties that exclude each other do not stand together"},
	{"constraint.together", LevelError, "3", "properties that need each other stand together"},
	{"pattern.syntax", LevelError, "9", "a STIX pattern is valid"},
	{"pattern.type", LevelWarning, "9.7", "a pattern names observable types of the standard"},
	{"pattern.property", LevelWarning, "9.7", "with KnownProperties: a pattern names properties of the standard"},
	{"indicator.text", LevelWarning, "4.7", "an indicator has a name and a description"},
	{"relationship.name", LevelError, "5.1", "a relationship_type is of a-z, 0-9 and hyphens"},
	{"relationship.known", LevelWarning, "B", "a relationship is one the standard defines for its ends"},
	{"location.country", LevelWarning, "4.10", "a country is a code of ISO 3166-1 alpha-2"},
	{"analysis.product", LevelWarning, "4.12", "a product is in lower case with hyphens"},
	{"protocol.name", LevelWarning, "6.12", "protocols are in lower case, by their names in the IANA registry"},
	{"protocol.port", LevelWarning, "6.12", "both ports are there"},
	{"protocol.ipfix", LevelWarning, "6.12", "IPFIX elements are of the IANA registry"},
	{"http.header", LevelWarning, "6.12.2", "header fields are of the IANA registry"},
	{"socket.option", LevelWarning, "6.12.4", "socket options have the names of the socket interface"},
	{"pdf.key", LevelWarning, "6.7.4", "document information has the keys of the PDF standard"},
	{"process.priority", LevelWarning, "6.13.2", "a priority ends in _CLASS"},
	{"registry.hive", LevelError, "6.17", "the hive of a registry key is written out"},
	{"language.reference", LevelError, "7.1", "the contents name languages, then properties"},
	{"label.vocabulary", LevelInfo, "3.2", "labels do not stand in place of a type's own vocabulary"},
	{"bundle.object", LevelError, "8", "a bundle's objects are objects"},
	{"bundle.property", LevelWarning, "8", "a bundle has no properties of its own beside those of the standard"},
	{"bundle.duplicate", LevelWarning, "3.6", "no version is twice in a bundle"},
	{"bundle.reference", LevelInfo, "8", "references lead to objects of the bundle"},
}

var ruleByCode = sync.OnceValue(func() map[string]*Rule {
	m := make(map[string]*Rule, len(rules))
	for i := range rules {
		m[rules[i].Code] = &rules[i]
	}
	return m
})

// A Finding is one breach of a rule.
type Finding struct {
	Code    string `json:"code"`
	Level   Level  `json:"level"`
	Pointer string `json:"pointer"` // JSON pointer (RFC 6901) into the object
	Section string `json:"section"`
	Message string `json:"message"`
}

func (f Finding) String() string {
	return f.Level.String() + " " + f.Code + " " + f.Pointer + ": " + f.Message + " (section " + f.Section + ")"
}

// Valid tells whether an object with these findings is acceptable: no errors, and with strict no warnings either.
func Valid(fs []Finding, strict bool) bool {
	for _, f := range fs {
		if f.Level == LevelError || strict && f.Level == LevelWarning {
			return false
		}
	}
	return true
}

// Options say what Validate looks at.
type Options struct {
	Strict          bool     // for the callers of Valid: warnings count as errors
	KnownTypes      bool     // warn of types, also in patterns, that the standard does not define
	KnownProperties bool     // warn of properties that the standard does not define
	Disable         []string // codes of warnings not to give
	Only            []string // where not empty: the codes of the warnings to give, and no others
}

// enabled tells whether a rule is to be checked. Errors cannot be switched off.
func (o *Options) enabled(r *Rule) bool {
	if r.Level == LevelError {
		return true
	}
	if len(o.Only) > 0 && r.Level == LevelWarning && !slices.Contains(o.Only, r.Code) {
		return false
	}
	return !slices.Contains(o.Disable, r.Code)
}

func sortFindings(fs []Finding) {
	slices.SortStableFunc(fs, func(a, b Finding) int { return strings.Compare(a.Pointer, b.Pointer) })
}
