package stix

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"entente/internal/shareddata"
)

// A validatorCase is one recorded verdict of the OASIS validator.
type validatorCase struct {
	Test    string `json:"test"`
	Options struct {
		StrictTypes      bool   `json:"strict_types"`
		StrictProperties bool   `json:"strict_properties"`
		Disabled         string `json:"disabled"`
		Enabled          string `json:"enabled"`
		SchemaDir        string `json:"schema_dir"`
		Strict           *bool  `json:"strict"`
	} `json:"options"`
	StrictDefault  bool            `json:"strict_default"`
	Expected       bool            `json:"expected_valid"`
	ValidNonStrict bool            `json:"valid_non_strict"`
	Errors         []string        `json:"errors"`
	Input          json.RawMessage `json:"input"`
}

// validatorChecks maps the OASIS validator's names of checks to codes.
var validatorChecks = map[string][]string{
	"1":                        {"custom.prefix", "vocab.form", "killchain.name", "id.version"},
	"2":                        {"vocab.open", "hash.algorithm", "media.type"},
	"extensions-use":           {"custom.extension"},
	"custom-prefix":            {"custom.prefix"},
	"custom-prefix-lax":        {"custom.lax", "pattern.type"},
	"indicator-properties":     {"indicator.text"},
	"hash-algo":                {"hash.algorithm"},
	"attack-motivation":        {"vocab.open"},
	"attack-resource-level":    {"vocab.open"},
	"malware-types":            {"vocab.open"},
	"indicator-pattern-types":  {"vocab.open"},
	"indicator-types":          {"vocab.open"},
	"tool-types":               {"vocab.open"},
	"threat-actor-role":        {"vocab.open"},
	"region":                   {"vocab.open"},
	"account-type":             {"vocab.open"},
	"windows-pebinary-type":    {"vocab.open"},
	"extension-description":    {"extension.described"},
	"extension-properties":     {"extension.listed"},
	"malware-analysis-product": {"analysis.product"},
	"marking-definition-type":  {"marking.type"},
	"http-request-headers":     {"http.header"},
	"ipfix":                    {"protocol.ipfix"},
	"network-traffic-ports":    {"protocol.port"},
	"protocols":                {"protocol.name"},
	"socket-options":           {"socket.option"},
	"mime-type":                {"media.type"},
	"pdf-doc-info":             {"pdf.key"},
	"relationship-types":       {"relationship.known"},
	"kill-chain-names":         {"killchain.name"},
}

func checkCodes(names string) []string {
	var out []string
	for name := range strings.SplitSeq(names, ",") {
		out = append(out, validatorChecks[name]...)
	}
	return out
}

func (c validatorCase) options() Options {
	return Options{
		KnownTypes: c.Options.StrictTypes, KnownProperties: c.Options.StrictProperties,
		Disable: checkCodes(c.Options.Disabled), Only: checkCodes(c.Options.Enabled),
	}
}

// The recorded inputs are the states in which the tests left their objects, not always the states that were judged. Where the recorded
// messages name a value that the input has no more, the value is put back.
var (
	wrongValue = regexp.MustCompile(`(?:: |^)'?(\w+)'?: '([^']*)' (?:does not match|is not a valid timestamp|is not a 'uri'|is not one of)`)
	wrongOrder = regexp.MustCompile(`'(\w+)' \(([^)]*)\) must be later than (?:or equal to )?'(\w+)' \(([^)]*)\)`)
)

func (c validatorCase) judged(t *testing.T, i int) []byte {
	t.Helper()
	var obj map[string]any
	if err := json.Unmarshal(c.Input, &obj); err != nil {
		t.Fatal(err)
	}
	for _, message := range c.Errors {
		if m := wrongOrder.FindStringSubmatch(message); m != nil {
			obj[m[1]], obj[m[3]] = m[2], m[4]
		}
		if m := wrongValue.FindStringSubmatch(message); m != nil && !strings.HasPrefix(m[1], "custom") {
			if _, is := obj[m[1]].(string); is {
				obj[m[1]] = m[2]
			}
		}
	}
	if edit := judgedEdits[i]; edit != nil {
		edit(obj)
	}
	out, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// judgedEdits puts back what the messages alone do not tell, by the number of the case.
var judgedEdits = map[int]func(map[string]any){
	0:   put("something", "some value"),
	1:   put("something", "some value"),
	2:   put("something", "some value"),
	25:  func(o map[string]any) { object(o, "objects", 1)["modified"] = "2016-08-22T14:09:00.123Z" },
	41:  put("extension_types", []string{"new-sdo"}),
	46:  drop("extension_properties"),
	76:  put("lang", "foo"),
	124: put("result", "foo"),
	146: put("end", "2016-04-06T20:06:37.000Z"),
	151: drop("src_port"),
	152: drop("src_port", "dst_port"),
	153: drop("src_port", "dst_port"),
	155: put("protocols", []string{"ipv4", "tcp", "foo_bar"}),
	168: put("path_enc", "bla.bla.bla"),
	173: put("name_enc", "bla.bla.bla"),
	183: put("object_refs", []string{"ipv4-addr--efcd5e80-570d-4131-b213-62cb18eaa6a8"}),
	191: put("foo", "bar"),
	195: put("x_foo_something", "some value"),
	196: put("x_foo_something", "some value"),
	207: func(o map[string]any) { object(o, "values", 0)["foo"] = "bar" },
	213: func(o map[string]any) {
		object(o, "extensions", "ntfs-ext", "alternate_data_streams", 0)["foo"] = "bar"
	},
	219: func(o map[string]any) { object(o, "extensions")["foobar-ext"] = map[string]any{"foo": "bar"} },
	220: func(o map[string]any) { object(o, "extensions")["x-foobar"] = map[string]any{"foo": "bar"} },
	227: put("id", "process--ff1e0780-358c-5808-a8c7-d0fca4ef6ef4"),
	230: put("languages", []string{"bbb"}),
	243: func(o map[string]any) {
		object(o, "extensions", "windows-pebinary-ext", "file_header_hashes")["foo"] = "1C19FC56AEF2048C1CD3A5E67B099350"
	},
	246: func(o map[string]any) {
		object(o, "extensions", "windows-pebinary-ext", "optional_header", "hashes")["foo"] = "1C19FC56AEF2048C1CD3A5E67B099350"
	},
	251: func(o map[string]any) { object(o, "extensions", "windows-process-ext")["priority"] = "HIGH_PRIORITY" },
	253: put("key", `HKLM\system\bar\foo`),
	294: func(o map[string]any) { delete(object(o, "external_references", 0), "hashes") },
}

func put(name string, v any) func(map[string]any) { return func(o map[string]any) { o[name] = v } }

func drop(names ...string) func(map[string]any) {
	return func(o map[string]any) {
		for _, name := range names {
			delete(o, name)
		}
	}
}

func object(o any, path ...any) map[string]any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			o = o.(map[string]any)[step]
		case int:
			o = o.([]any)[step]
		}
	}
	return o.(map[string]any)
}

// standardDecides lists the cases in which the standard, and not the recording, decides.
var standardDecides = map[int]string{
	57:  "not decided by the standard but by a JSON schema that is not part of the case",
	59:  "as 57",
	62:  "as 57",
	63:  "as 57",
	82:  "9: the grammar takes any object type; real feeds have [app:id = ...]: a warning (row 57)",
	84:  "9: as 82",
	89:  "9: the grammar takes any property name; real feeds have [app:id = ...] (row 57)",
	230: "3.2: bbb is a registered language subtag (RFC 5646), Barai",
	164: "6.1: one of payload_bin and url must be there",
}

func verdict(input []byte, opt Options) (strict, lenient bool, fs []Finding) {
	if bytes.Contains(input, []byte(`"type":"bundle"`)) {
		r, err := ValidateBundle(input, opt)
		if err != nil {
			return false, false, []Finding{{Message: err.Error()}}
		}
		fs = r.Findings
		for _, o := range r.Objects {
			fs = append(fs, o.Findings...)
		}
		return r.Valid(true), r.Valid(false), fs
	}
	o, err := Parse(input)
	if err != nil {
		return false, false, []Finding{{Message: err.Error()}}
	}
	fs = Validate(o, opt)
	return Valid(fs, true), Valid(fs, false), fs
}

func TestValidatorCases(t *testing.T) {
	raw, err := os.ReadFile(shareddata.Dir(t, "stix", "conformance", "validator-cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []validatorCase
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		if standardDecides[i] != "" {
			continue
		}
		input := c.judged(t, i)
		strict, lenient, fs := verdict(input, c.options())
		if c.Options.Strict != nil && !*c.Options.Strict {
			strict = lenient
		}
		if strict != c.Expected || lenient != c.ValidNonStrict {
			t.Errorf("%d %s: got strict %v lenient %v, want %v %v opt %+v || %.200v || %v || %s", i, c.Test[strings.LastIndex(c.Test, ":")+1:],
				strict, lenient, c.Expected, c.ValidNonStrict, c.Options, c.Errors, fs, input)
		}
	}
}
