package stix

import (
	"strings"
	"testing"
)

const (
	tlpGreen       = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
	sampleIdentity = "identity--f431f809-377b-45e0-aa1c-6a4751cae5ff"
	sampleV4       = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"
	sampleV5       = "28bb3599-77cd-5a82-a950-b5bc3caf07c4"
)

// sample makes an object of a type with the common properties of its class and the given ones; a later property replaces an earlier,
// and one whose value is empty is left out.
func sample(typ string, properties ...string) []byte {
	var m members
	m.set("type", quoted(typ))
	m.set("spec_version", quoted("2.1"))
	if IsSCO(typ) && typ != "process" {
		m.set("id", quoted(typ+"--"+sampleV5))
	} else {
		m.set("id", quoted(typ+"--"+sampleV4))
	}
	if !IsSCO(typ) {
		m.set("created", quoted("2026-04-06T20:03:48.000Z"))
		if typ != "marking-definition" {
			m.set("modified", quoted("2026-04-06T20:03:48.000Z"))
		}
	}
	for _, p := range properties {
		name, val, _ := strings.Cut(p, ":")
		if val == "" {
			m.remove(name)
		} else {
			m.set(name, []byte(val))
		}
	}
	return m.bytes()
}

// minimal is the least that each type needs beside the common properties.
var minimal = map[string][]string{
	"attack-pattern":       {`name:"Spear Phishing"`},
	"campaign":             {`name:"Green Group"`},
	"course-of-action":     {`name:"Block"`},
	"grouping":             {`context:"suspicious-activity"`, `object_refs:["` + sampleIdentity + `"]`},
	"identity":             {`name:"ACME"`},
	"incident":             {`name:"Breach"`},
	"indicator":            {`name:"n"`, `description:"d"`, `pattern:"[ipv4-addr:value = '198.51.100.1']"`, `pattern_type:"stix"`, `valid_from:"2026-01-01T00:00:00Z"`},
	"infrastructure":       {`name:"C2"`},
	"intrusion-set":        {`name:"Bobcat"`},
	"location":             {`country:"mx"`},
	"malware":              {`is_family:false`},
	"malware-analysis":     {`product:"anubis"`, `result:"malicious"`},
	"note":                 {`content:"text"`, `object_refs:["` + sampleIdentity + `"]`},
	"observed-data":        {`first_observed:"2026-01-01T00:00:00Z"`, `last_observed:"2026-01-01T00:00:00Z"`, `number_observed:1`, `object_refs:["ipv4-addr--` + sampleV5 + `"]`},
	"opinion":              {`opinion:"agree"`, `object_refs:["` + sampleIdentity + `"]`},
	"report":               {`name:"r"`, `published:"2026-01-01T00:00:00Z"`, `object_refs:["` + sampleIdentity + `"]`},
	"threat-actor":         {`name:"t"`},
	"tool":                 {`name:"VNC"`},
	"vulnerability":        {`name:"CVE-2026-1234"`},
	"relationship":         {`relationship_type:"related-to"`, `source_ref:"` + sampleIdentity + `"`, `target_ref:"` + sampleIdentity + `"`},
	"sighting":             {`sighting_of_ref:"indicator--` + sampleV4 + `"`},
	"artifact":             {`payload_bin:"AAAA"`},
	"autonomous-system":    {`number:15139`},
	"directory":            {`path:"/tmp"`},
	"domain-name":          {`value:"example.com"`},
	"email-addr":           {`value:"a@example.com"`},
	"email-message":        {`is_multipart:false`, `subject:"s"`},
	"file":                 {`name:"a"`},
	"ipv4-addr":            {`value:"198.51.100.3"`},
	"ipv6-addr":            {`value:"2001:db8::1"`},
	"mac-addr":             {`value:"d2:fb:49:24:37:18"`},
	"mutex":                {`name:"m"`},
	"network-traffic":      {`protocols:["ipv4","tcp"]`, `src_ref:"ipv4-addr--` + sampleV5 + `"`, `src_port:1`, `dst_port:2`},
	"process":              {`pid:1`},
	"software":             {`name:"Word"`},
	"url":                  {`value:"https://example.com/"`},
	"user-account":         {`user_id:"1001"`},
	"windows-registry-key": {`key:"HKEY_LOCAL_MACHINE\\System"`},
	"x509-certificate":     {`serial_number:"36:f7"`},
	"language-content":     {`object_ref:"` + sampleIdentity + `"`, `object_modified:"2026-01-01T00:00:00.000Z"`, `contents:{"de":{"name":"Bank"}}`},
	"marking-definition":   {`definition_type:"statement"`, `definition:{"statement":"Copyright"}`},
	"extension-definition": {`name:"e"`, `description:"d"`, `schema:"https://example.com/s"`, `version:"1.0"`, `extension_types:["new-sdo"]`, `created_by_ref:"` + sampleIdentity + `"`},
}

// Section 1: every type has a table entry, a minimal form that is valid by every SHOULD too, and none of its required properties may be
// missing.
func TestRow1EveryType(t *testing.T) {
	names := Types()
	if len(names) != 19+2+18+3 || len(minimal) != len(names) {
		t.Fatalf("%d types, %d samples", len(names), len(minimal))
	}
	for _, name := range names {
		raw := sample(name, minimal[name]...)
		o, err := Parse(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if fs := Validate(o, Options{KnownTypes: true, KnownProperties: true}); !Valid(fs, true) {
			t.Errorf("%s: %v", name, fs)
		}
		for _, p := range o.def.ordered {
			if !p.required || p.name == "type" || p.name == "id" || p.name == "spec_version" {
				continue
			}
			o, err := Parse(sample(name, append(minimal[name], p.name+":")...))
			if err != nil {
				t.Fatal(err)
			}
			if fs := Validate(o, Options{}); !has(fs, "property.required") {
				t.Errorf("%s without %s: %v", name, p.name, fs)
			}
		}
	}
	if n := len(types().exts); n != 12 {
		t.Errorf("%d predefined extensions", n)
	}
}

func has(fs []Finding, code string) bool {
	for _, f := range fs {
		if f.Code == code {
			return true
		}
	}
	return false
}

// One breach of each rule by row of the checklist; the code must be among the findings, and must not be where code begins with "!".
func TestRows(t *testing.T) {
	granular := func(g string) string { return `granular_markings:[` + g + `]` }
	cases := []struct {
		row, code, typ string
		properties     []string
	}{
		{"1 id prefix", "id.type", "tool", []string{`id:"malware--` + sampleV4 + `"`}},
		{"1 id uuid", "id.format", "tool", []string{`id:"tool--1234"`}},
		{"1 id variant", "id.format", "tool", []string{`id:"tool--8e2e2d2b-17d4-4cbf-138f-98ee46b3cd3f"`}},
		{"2 uuid version", "id.version", "tool", []string{`id:"tool--` + sampleV5 + `"`}},
		{"3 lower-case t", "timestamp.format", "tool", []string{`modified:"2026-04-06t20:03:48.000Z"`}},
		{"3 offset", "timestamp.format", "tool", []string{`modified:"2026-04-06T20:03:48.000+00:00"`}},
		{"3 dangling point", "timestamp.format", "tool", []string{`modified:"2026-04-06T20:03:48.Z"`}},
		{"3 no such day", "timestamp.format", "tool", []string{`modified:"2026-02-29T20:03:48.000Z"`}},
		{"3 precision", "timestamp.precision", "tool", []string{`modified:"2026-04-06T20:03:48.12Z"`}},
		{"3 more precision", "!timestamp.precision", "tool", []string{`modified:"2026-04-06T20:03:48.123456789012Z"`}},
		{"4 integer", "property.kind", "autonomous-system", []string{`number:1.0`}},
		{"4 boolean", "property.kind", "malware", []string{`is_family:"true"`}},
		{"5 empty list", "property.empty", "tool", []string{`aliases:[]`}},
		{"5 empty dictionary", "property.empty", "file", []string{`extensions:{}`}},
		{"5 dictionary key", "dictionary.key", "process", []string{`environment_variables:{"a b":"c"}`}},
		{"6 algorithm", "hash.algorithm", "file", []string{`hashes:{"SHA256":"` + strings.Repeat("a", 64) + `"}`}},
		{"6 own algorithm", "!hash.algorithm", "file", []string{`hashes:{"x_foo":"abc"}`}},
		{"6 length", "hash.value", "file", []string{`hashes:{"SHA-256":"abc"}`}},
		{"6 short name", "hash.name", "file", []string{`hashes:{"MD":"abc"}`}},
		{"7 hex case", "hex.format", "file", []string{`magic_number_hex:"AB"`}},
		{"7 hex length", "hex.format", "file", []string{`magic_number_hex:"abc"`}},
		{"7 base64", "binary.format", "artifact", []string{`payload_bin:"a b="`}},
		{"7 suffix", "custom.value", "tool", []string{`x_a_ref:"not an id"`}},
		{"8 content", "external.content", "tool", []string{`external_references:[{"source_name":"a"}]`}},
		{"8 hash", "external.hash", "tool", []string{`external_references:[{"source_name":"a","url":"https://example.com/"}]`}},
		{"8 cve", "external.id", "tool", []string{`external_references:[{"source_name":"cve","external_id":"2026-1"}]`}},
		{"8 capec", "external.id", "tool", []string{`external_references:[{"source_name":"capec","external_id":"163"}]`}},
		{"9 confidence", "integer.range", "tool", []string{`confidence:101`}},
		{"10 language", "language.tag", "tool", []string{`lang:"english!"`}},
		{"10 labels", "label.vocabulary", "tool", []string{`labels:["remote-access"]`}},
		{"11 defanged", "property.forbidden", "tool", []string{`defanged:true`}},
		{"11 marking modified", "property.forbidden", "marking-definition", []string{`modified:"2026-04-06T20:03:48.000Z"`}},
		{"11 language-content lang", "property.forbidden", "language-content", []string{`lang:"de"`}},
		{"12 version", "spec.value", "tool", []string{`spec_version:"2.2"`}},
		{"12 absent", "spec.old", "tool", []string{`spec_version:`}},
		{"12 absent on observable", "!spec.old", "url", []string{`spec_version:`}},
		{"14 open vocabulary", "vocab.open", "tool", []string{`tool_types:["hammer"]`}},
		{"14 form", "vocab.form", "tool", []string{`tool_types:["Remote Access"]`}},
		{"14 enumeration", "enum.value", "opinion", []string{`opinion:"maybe"`}},
		{"14 errata value", "!vocab.open", "malware", []string{`implementation_languages:["rust"]`}},
		{"17 process", "id.random", "process", []string{`id:"process--` + sampleV5 + `"`}},
		{"17 nothing contributes", "id.random", "email-message", []string{`subject:`}},
		{"18 other namespace", "id.deterministic", "domain-name", nil},
		{"18 versions of an observable", "timestamp.format", "url", []string{`created:"yesterday"`}},
		{"20 modified first", "timestamp.order", "tool", []string{`modified:"2026-04-06T20:03:47.999Z"`}},
		{"20 sub-second order", "timestamp.order", "tool", []string{`created:"2026-04-06T20:03:48.029036Z"`, `modified:"2026-04-06T20:03:48.029Z"`}},
		{"26 both", "granular.one", "tool", []string{granular(`{"marking_ref":"` + tlpGreen + `","lang":"de","selectors":["name"]}`)}},
		{"26 neither", "granular.one", "tool", []string{granular(`{"selectors":["name"]}`)}},
		{"27 form", "selector.format", "tool", []string{granular(`{"lang":"de","selectors":["[0]"]}`)}},
		{"27 nothing there", "selector.target", "tool", []string{granular(`{"lang":"de","selectors":["aliases.[0]"]}`)}},
		{"27 list item", "!selector.target", "tool", []string{`aliases:["a"]`, granular(`{"lang":"de","selectors":["aliases.[0]"]}`)}},
		{"28 itself", "marking.circular", "marking-definition", []string{`object_marking_refs:["marking-definition--` + sampleV4 + `"]`}},
		{"29 other tlp", "marking.tlp", "marking-definition", []string{`definition_type:"tlp"`, `definition:{"tlp":"red"}`}},
		{"29 the tlp", "!marking.tlp", "marking-definition", []string{`id:"` + tlpGreen + `"`, `created:"2017-01-20T00:00:00.000Z"`, `definition_type:"tlp"`, `definition:{"tlp":"green"}`}},
		{"29 changed tlp", "marking.tlp", "marking-definition", []string{`id:"` + tlpGreen + `"`, `created:"2017-01-20T00:00:00.000Z"`, `definition_type:"tlp"`, `definition:{"tlp":"red"}`}},
		{"30 nothing", "marking.content", "marking-definition", []string{`definition:`}},
		{"30 statement", "marking.statement", "marking-definition", []string{`definition:{"text":"x"}`}},
		{"30 extension", "!marking.content", "marking-definition", []string{`definition:`, `definition_type:`, `extensions:{"extension-definition--` + sampleV4 + `":{"extension_type":"property-extension","a_b":1}}`}},
		{"32 properties", "extension.properties", "extension-definition", []string{`extension_properties:["abc"]`}},
		{"32 listed", "extension.listed", "extension-definition", []string{`extension_types:["toplevel-property-extension"]`}},
		{"33 type", "extension.type", "tool", []string{`extensions:{"extension-definition--` + sampleV4 + `":{"extension_type":"other"}}`}},
		{"34 no type", "extension.type", "tool", []string{`extensions:{"extension-definition--` + sampleV4 + `":{"a_b":1}}`}},
		{"34 key", "extension.key", "tool", []string{`extensions:{"Other":{"a_b":1}}`}},
		{"34 property name", "property.name", "tool", []string{`Abc:1`}},
		{"34 place", "extension.place", "file", []string{`extensions:{"tcp-ext":{"src_flags_hex":"00"}}`}},
		{"34 empty", "extension.empty", "file", []string{`extensions:{"ntfs-ext":{}}`}},
		{"35 reserved", "property.reserved", "tool", []string{`severity:"high"`}},
		{"36 undeclared", "custom.extension", "tool", []string{`x_foo_bar:1`}},
		{"36 declared", "!custom.extension", "tool", []string{`foo_bar:1`, `extensions:{"extension-definition--` + sampleV4 + `":{"extension_type":"toplevel-property-extension"}}`}},
		{"37 name", "relationship.name", "relationship", []string{`relationship_type:"Uses"`}},
		{"37 end", "ref.type", "relationship", []string{`target_ref:"relationship--` + sampleV4 + `"`}},
		{"37 marking end", "ref.type", "relationship", []string{`target_ref:"` + tlpGreen + `"`}},
		{"37 own end", "!ref.type", "relationship", []string{`target_ref:"x-mitre-tactic--` + sampleV4 + `"`}},
		{"37 table", "relationship.known", "relationship", []string{`relationship_type:"uses"`}},
		{"38 creator", "ref.creator", "tool", []string{`created_by_ref:"tool--` + sampleV4 + `"`}},
		{"38 marking", "ref.type", "tool", []string{`object_marking_refs:["` + sampleIdentity + `"]`}},
		{"38 observed", "ref.type", "sighting", []string{`observed_data_refs:["` + sampleIdentity + `"]`}},
		{"38 where", "ref.type", "sighting", []string{`where_sighted_refs:["tool--` + sampleV4 + `"]`}},
		{"38 of", "ref.type", "sighting", []string{`sighting_of_ref:"url--` + sampleV5 + `"`}},
		{"40 start and stop", "timestamp.order", "relationship", []string{`start_time:"2026-01-01T00:00:00Z"`, `stop_time:"2026-01-01T00:00:00.0Z"`}},
		{"40 seen", "timestamp.order", "campaign", []string{`first_seen:"2026-01-02T00:00:00Z"`, `last_seen:"2026-01-01T00:00:00Z"`}},
		{"40 same moment", "!timestamp.order", "campaign", []string{`first_seen:"2026-01-01T00:00:00Z"`, `last_seen:"2026-01-01T00:00:00Z"`}},
		{"40 observed", "timestamp.order", "observed-data", []string{`first_observed:"2026-01-02T00:00:00Z"`}},
		{"40 valid", "timestamp.order", "indicator", []string{`valid_until:"2026-01-01T00:00:00Z"`}},
		{"41 pattern", "pattern.syntax", "indicator", []string{`pattern:"[file:name ="`}},
		{"41 sigma", "!pattern.syntax", "indicator", []string{`pattern_type:"sigma"`, `pattern:"title: x"`}},
		{"41 text", "indicator.text", "indicator", []string{`name:`}},
		{"42 family", "constraint.together", "malware", []string{`is_family:true`}},
		{"42 analysis", "constraint.one", "malware-analysis", []string{`result:`}},
		{"43 nowhere", "constraint.one", "location", []string{`country:`, `latitude:1.5`}},
		{"43 latitude alone", "constraint.together", "location", []string{`latitude:1.5`}},
		{"43 range", "number.range", "location", []string{`latitude:90.5`, `longitude:0`}},
		{"43 precision", "constraint.together", "location", []string{`precision:10.0`}},
		{"43 country", "location.country", "location", []string{`country:"xx"`}},
		{"44 both", "constraint.exclusive", "observed-data", []string{`objects:{"0":{"type":"url","value":"https://example.com"}}`}},
		{"44 neither", "constraint.one", "observed-data", []string{`object_refs:`}},
		{"44 local reference", "ref.format", "observed-data", []string{`object_refs:`, `objects:{"0":{"type":"network-traffic","src_ref":"1","protocols":["tcp"]}}`}},
		{"44 local type", "ref.type", "observed-data", []string{`object_refs:`, `objects:{"0":{"type":"network-traffic","src_ref":"1"},"1":{"type":"url","value":"x:y"}}`}},
		{"44 deprecated", "property.deprecated", "observed-data", []string{`object_refs:`, `objects:{"0":{"type":"url","value":"https://example.com"}}`}},
		{"44 number", "integer.range", "observed-data", []string{`number_observed:1000000000`}},
		{"44 count", "integer.range", "sighting", []string{`count:-1`}},
		{"45 both", "constraint.exclusive", "artifact", []string{`url:"https://example.com/"`}},
		{"45 hashes", "constraint.together", "artifact", []string{`payload_bin:`, `url:"https://example.com/"`}},
		{"45 key", "constraint.together", "artifact", []string{`decryption_key:"k"`}},
		{"45 body", "constraint.exclusive", "email-message", []string{`body_multipart:[{"body":"x"}]`}},
		{"45 multipart", "constraint.exclusive", "email-message", []string{`is_multipart:true`, `body:"x"`}},
		{"45 mime part", "constraint.one", "email-message", []string{`is_multipart:true`, `body_multipart:[{"content_type":"text/plain"}]`}},
		{"45 file", "constraint.one", "file", []string{`name:`, `size:1`}},
		{"45 process", "constraint.one", "process", []string{`pid:`}},
		{"45 account", "constraint.one", "user-account", []string{`user_id:`}},
		{"45 registry", "constraint.one", "windows-registry-key", []string{`key:`}},
		{"46 ends", "constraint.one", "network-traffic", []string{`src_ref:`}},
		{"46 active", "constraint.exclusive", "network-traffic", []string{`is_active:true`, `end:"2026-01-01T00:00:00Z"`}},
		{"46 port", "integer.range", "network-traffic", []string{`src_port:65536`}},
		{"46 mac", "address.format", "mac-addr", []string{`value:"D2-FB-49-24-37-18"`}},
		{"46 ipv4", "address.format", "ipv4-addr", []string{`value:"198.51.100.300"`}},
		{"46 ipv4 block", "!address.format", "ipv4-addr", []string{`value:"198.51.100.0/24"`}},
		{"46 ipv6", "address.format", "ipv6-addr", []string{`value:"2001::db8::1"`}},
		{"46 ipv6 block", "!address.format", "ipv6-addr", []string{`value:"2001:db8::/96"`}},
		{"48 language", "language.tag", "language-content", []string{`contents:{"not a tag":{"name":"x"}}`}},
		{"48 kind", "language.reference", "language-content", []string{`contents:{"de":{"name":1}}`}},
		{"49 hive", "registry.hive", "windows-registry-key", []string{`key:"HKLM\\System"`}},
		{"49 cpe", "cpe.format", "software", []string{`cpe:"cpe:/a:x"`}},
		{"49 good cpe", "!cpe.format", "software", []string{`cpe:"cpe:2.3:a:micro\\:soft:word:2000:*:*:*:*:*:*:*"`}},
		{"49 url", "uri.format", "url", []string{`value:"example"`}},
		{"49 domain", "value.format", "domain-name", []string{`value:"-a.com"`}},
		{"49 idn", "!value.format", "domain-name", []string{`value:"bücher.example"`}},
		{"53 bad constant", "pattern.syntax", "indicator", []string{`pattern:"[file:created = t'2026-13-01T00:00:00Z']"`}},
		{"57 own type", "pattern.type", "indicator", []string{`pattern:"[app:id = 'com.x']"`}},
		{"57 no error", "!pattern.syntax", "indicator", []string{`pattern:"[configuration-profile:id = 'x']"`}},
	}
	for _, c := range cases {
		raw := sample(c.typ, append(append([]string(nil), minimal[c.typ]...), c.properties...)...)
		o, err := Parse(raw)
		if err != nil {
			t.Errorf("row %s: %v: %s", c.row, err, raw)
			continue
		}
		fs := Validate(o, Options{})
		code, absent := strings.CutPrefix(c.code, "!")
		if has(fs, code) == absent {
			t.Errorf("row %s: %s: %v: %s", c.row, c.code, fs, raw)
		}
		for _, f := range fs {
			if _, found := o.Property(f.Pointer); !found {
				t.Errorf("row %s: the pointer %s leads nowhere", c.row, f.Pointer)
			}
		}
	}
}

// Rows 4, 13 and 64: what is not I-JSON, or beyond a limit, is refused with its place.
func TestRow13NotIJSON(t *testing.T) {
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	cases := []struct{ code, src string }{
		{"json.syntax", ``},
		{"json.syntax", `{"type":"tool"`},
		{"json.syntax", `{"type":"tool",}`},
		{"json.syntax", `{"type":tool}`},
		{"json.syntax", `{"a":01}`},
		{"json.syntax", `{"a":1.}`},
		{"json.syntax", `{"a":NaN}`},
		{"json.syntax", `{"a":"` + "\n" + `"}`},
		{"json.syntax", `{} {}`},
		{"json.utf8", "{\"a\":\"\xff\"}"},
		{"json.utf8", "{\"a\":\"\xed\xa0\x80\"}"},
		{"json.escape", `{"a":"\ud800"}`},
		{"json.escape", `{"a":"\udc00\ud800"}`},
		{"json.escape", `{"a":"\x"}`},
		{"json.duplicate", `{"a":1,"b":2,"a":3}`},
		{"json.duplicate", `{"a":1,"\u0061":3}`},
		{"json.number", `{"a":9007199254740992}`},
		{"json.number", `{"a":1e999}`},
		{"json.depth", `{"a":` + deep + `}`},
		{"object.kind", `[]`},
		{"object.type", `{"id":"a"}`},
		{"object.type", `{"type":1}`},
		{"object.id", `{"type":"tool"}`},
		{"object.bundle", `{"type":"bundle","id":"bundle--` + sampleV4 + `"}`},
	}
	for _, c := range cases {
		_, err := Parse([]byte(c.src))
		e, ok := err.(*Error)
		if !ok || e.Code != c.code {
			t.Errorf("%.60s: got %v, want %s", c.src, err, c.code)
		}
	}
	var many strings.Builder
	for i := range 40 {
		many.WriteString(`,"k` + strings.Repeat("x", i) + `":1`)
	}
	if _, err := Parse([]byte(`{"type":"tool","id":"x"` + many.String() + `,"kxx":1}`)); err == nil || err.(*Error).Code != "json.duplicate" {
		t.Errorf("many properties: %v", err)
	}
	limits := []struct {
		code string
		l    Limits
	}{{"json.size", Limits{Size: 10}}, {"json.string", Limits{String: 3}}, {"json.items", Limits{Items: 1}}, {"json.depth", Limits{Depth: 1}}}
	for _, c := range limits {
		_, err := ParseLimits([]byte(`{"type":"tool","a":{"b":[1,2,3]}}`), c.l)
		if e, ok := err.(*Error); !ok || e.Code != c.code {
			t.Errorf("%s: %v", c.code, err)
		}
	}
}

// Row 16: one hash by preference, whatever the order and the spelling; else the name that sorts first.
func TestRow16OneHash(t *testing.T) {
	id := func(hashes string) string {
		o, err := Parse(sample("file", `hashes:`+hashes))
		if err != nil {
			t.Fatal(err)
		}
		id, ok, err := DeterministicID(o)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		return id
	}
	if id(`{"SHA-256":"a","MD5":"b"}`) != id(`{"MD5":"b","SHA-512":"c"}`) {
		t.Error("MD5 is not preferred")
	}
	if id(`{"SHA256":"a"}`) != id(`{"SHA-256":"a","x_foo":"b"}`) {
		t.Error("spellings differ")
	}
	if id(`{"TLSH":"a","SSDEEP":"b"}`) != id(`{"SSDEEP":"b","TLSH":"a"}`) {
		t.Error("the order matters")
	}
	if _, _, err := DeterministicID(mustParse(t, string(sample("tool", `name:"x"`)))); err == nil {
		t.Error("a tool has an id of its own")
	}
}

// Row 48 against the object that is translated.
func TestRow48Language(t *testing.T) {
	original := mustParse(t, string(sample("tool", `name:"Bank"`, `aliases:["a","b"]`)))
	content := func(contents string) *Object {
		return mustParse(t, string(sample("language-content", `object_ref:"tool--`+sampleV4+`"`, `object_modified:"2026-04-06T20:03:48.000Z"`, `contents:`+contents)))
	}
	if fs := ValidateLanguage(content(`{"de":{"name":"Bank","aliases":["a",""]}}`), original, Options{}); len(fs) != 0 {
		t.Errorf("%v", fs)
	}
	for _, wrong := range []string{`{"de":{"aliases":["a"]}}`, `{"de":{"other":"x"}}`, `{"de":{"name":["x"]}}`} {
		if fs := ValidateLanguage(content(wrong), original, Options{}); !has(fs, "language.reference") {
			t.Errorf("%s: %v", wrong, fs)
		}
	}
}

func mustParse(t testing.TB, src string) *Object {
	t.Helper()
	o, err := Parse([]byte(src))
	if err != nil {
		t.Fatalf("%v: %s", err, src)
	}
	return o
}
