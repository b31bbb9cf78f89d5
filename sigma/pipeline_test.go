package sigma_test

import (
	"fmt"
	"strings"
	"testing"

	"entente/sigma"
)

func pipeline(t testing.TB, text string) *sigma.Pipeline {
	t.Helper()
	p, err := sigma.ParsePipeline("p.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSteps(t *testing.T) {
	const windows = "title: t\nid: r1\ntags: [x.y]\nlogsource: {product: windows, category: process_creation}\ndetection:\n"
	for _, x := range []struct{ name, steps, detection, want string }{
		{"names", "type: field_name_mapping, mapping: {a: b}", "s: {a: 1, c: 2}", `[b is the number "1" c is the number "2"]`},
		{"a name to several", "type: field_name_mapping, mapping: {a: [b, c]}", "s: {a: 1}", `[b is the number "1" c is the number "1"]`},
		{"names in fieldref", "type: field_name_mapping, mapping: {a: b}", "s: {c|fieldref: a}", `[c equals field "b"]`},
		{"prefixes of names", "type: field_name_prefix_mapping, mapping: {win.: w., win.event.: e.}", "s: {win.event.a: 1, win.b: 2}", `[e.a is the number "1" w.b is the number "2"]`},
		{"a prefix", "type: field_name_prefix, prefix: x.", "s: {a: 1}", `[x.a is the number "1"]`},
		{"a suffix for some", "type: field_name_suffix, suffix: .k, field_name_conditions: [{type: include_fields, fields: [a]}]", "s: {a: 1, b: 2}", `[a.k is the number "1" b is the number "2"]`},
		{"dropped", "type: drop_detection_item, field_name_conditions: [{type: include_fields, fields: [a]}]", "s: {a: 1, b: 2}", `[b is the number "2"]`},
		{"dropped but some", "type: drop_detection_item, field_name_conditions: [{type: exclude_fields, fields: [a]}]", "s: {a: 1, b: 2}", `[a is the number "1"]`},
		{"a condition more", "type: add_condition, conditions: {Channel: [x, y]}", "s: {a: 1}", `[a is the number "1" Channel equals "x" Channel equals "y"]`},
		{"for a logsource", "type: add_condition, conditions: {b: 1}, rule_conditions: [{type: logsource, product: windows, category: process_creation}]", "s: {a: 1}", `[a is the number "1" b is the number "1"]`},
		{"for another logsource", "type: add_condition, conditions: {b: 1}, rule_conditions: [{type: logsource, product: linux}]", "s: {a: 1}", `[a is the number "1"]`},
		{"not for a logsource", "type: add_condition, conditions: {b: 1}, rule_cond_not: true, rule_conditions: [{type: logsource, product: linux}]", "s: {a: 1}", `[a is the number "1" b is the number "1"]`},
		{"for one of two", "type: add_condition, conditions: {b: 1}, rule_cond_op: or, rule_conditions: [{type: logsource, product: linux}, {type: tag, tag: x.y}]", "s: {a: 1}", `[a is the number "1" b is the number "1"]`},
		{"for both of two", "type: add_condition, conditions: {b: 1}, rule_conditions: [{type: logsource, product: linux}, {type: tag, tag: x.y}]", "s: {a: 1}", `[a is the number "1"]`},
		{"for a field", "type: add_condition, conditions: {b: 1}, rule_conditions: [{type: contains_field, field: a}]", "s: {a: 1}", `[a is the number "1" b is the number "1"]`},
		{"for rules by id", "type: add_condition, conditions: {b: 1}, rule_conditions: [{type: rule_id, ids: [r2]}]", "s: {a: 1}", `[a is the number "1"]`},
		{"placeholders", "type: value_placeholders", "s: {a|expand: '%hosts%x'}", `[a equals "srvx" a is like "db*x"]`},
		{"placeholders among others", "type: value_placeholders, include: [hosts]", `s: {'a|contains|expand|all': ['%hosts%', '\%hosts%', '100%']}`, `[a contains "srv" a contains "db" a contains "%hosts%" a contains "100%"]`},
		{"placeholders in re", "type: value_placeholders", "s: {a|re|expand: '^%hosts%$'}", `[a matches "^srv$" a matches "^db(?s:.*)$"]`},
		{"placeholders for networks", "type: value_placeholders", "s: {a|cidr|expand: '%nets%'}", `[a is in "10.0.0.0/8" a is in "fc00::/7"]`},
		{"placeholders for fields", "type: value_placeholders", "s: {a|fieldref|expand: '%field%'}", `[a equals field "b"]`},
		{"placeholders as stars", "type: wildcard_placeholders", "s: {a|expand: 'x%other%'}", `[a begins with "x"]`},
		{"texts by expression", `type: replace_string, regex: '^(\w+):', replacement: '\1='`, "s: {a: ['x:1', 7]}", `[a equals "x=1" a is the number "7"]`},
		{"texts by table", `type: map_string, mapping: {x: [y, z]}`, "s: {a: [x, w]}", `[a equals "y" a equals "z" a equals "w"]`},
		{"items by what they hold", "type: drop_detection_item, detection_item_conditions: [{type: match_string, cond: any, pattern: '^x'}]", "s: {a: [x1, y], b: y}", `[b equals "y"]`},
		{"items that are null", "type: drop_detection_item, detection_item_conditions: [{type: is_null}]", "s: {a: null, b: y}", `[b equals "y"]`},
		{"nothing", "type: set_custom_attribute, attribute: x, value: 1", "s: {a: 1}", `[a is the number "1"]`},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := pipeline(t, "name: p\nvars: {hosts: [srv, 'db*'], nets: [10.0.0.0/8, 'fc00::/7'], field: b}\ntransformations:\n  - {id: one, "+x.steps+"}\n")
			c, err := sigma.Parse("", []byte(windows+indent(x.detection+"\ncondition: s")))
			if err != nil {
				t.Fatal(err)
			}
			before := fmt.Sprintf("%+v", c.Rules[0].Detections)
			r, err := p.Apply(c.Rules[0])
			if err != nil {
				t.Fatal(err)
			}
			q, err := r.Compile()
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(q.Leaves); got != x.want {
				t.Errorf("%s, expected %s", got, x.want)
			}
			if fmt.Sprintf("%+v", c.Rules[0].Detections) != before {
				t.Error("the rule itself was changed")
			}
		})
	}
}

func TestRefusedPipelines(t *testing.T) {
	for text, words := range map[string]string{
		"transformations: [{type: dance}]":                                                         "dance",
		"transformations: [{type: field_name_mapping}]":                                            "needs mapping",
		"transformations: [{type: field_name_prefix, prefix: x, colour: red}]":                     "colour",
		"transformations: [{type: field_name_prefix, prefix: x, rule_conditions: [{type: moon}]}]": "moon",
		"transformations: [{type: field_name_prefix, prefix: x, rule_cond_op: xor}]":               "xor",
		"transformations: [{type: replace_string, regex: '(?=x)', replacement: y}]":                "look-ahead",
		"postprocessing: []":       "postprocessing",
		"priority: high":           "whole number",
		"routes: [{when: {a: 1}}]": "does not say",
		"routes: [{logsource: {product: x}, when: {a|foo: 1}}]": "foo",
		"routes: [{logsource: {product: x}, how: 1}]":           "how",
		"name: a\n---\nname: b":                                 "one YAML document",
		"a: [":                                                  "not YAML",
	} {
		if _, err := sigma.ParsePipeline("", []byte(text)); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: expected %q, got %v", text, words, err)
		}
	}
	c, err := sigma.Parse("", []byte(rule("s: {a: 1, c|fieldref: b}\ncondition: s")))
	if err != nil {
		t.Fatal(err)
	}
	for text, words := range map[string]string{
		"transformations: [{type: drop_detection_item}]":                      "match everything",
		"transformations: [{type: rule_failure, message: not here}]":          "not here",
		"transformations: [{type: field_name_mapping, mapping: {b: [d, e]}}]": "map it to one",
	} {
		if _, err := pipeline(t, text).Apply(c.Rules[0]); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: expected %q, got %v", text, words, err)
		}
	}
}

// What a rule says of itself is changed by steps too, and later steps see it.
func TestStepsChangeTheRule(t *testing.T) {
	p := pipeline(t, `
transformations:
  - {type: change_logsource, product: linux}
  - {type: set_taxonomy, taxonomy: sigma}
  - {type: set_custom_attribute, attribute: x, value: 7}
  - id: no
    type: add_condition
    negated: true
    conditions: {b: 1}
    rule_conditions: [{type: logsource, product: linux}]
`)
	c, err := sigma.Parse("", []byte("title: t\ntaxonomy: ours\nlogsource: {product: windows, category: x, definition: d}\ndetection: {s: {a: 1}, condition: s}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Rules[0].Compile(); err == nil {
		t.Error("a taxonomy that nobody translated was used")
	}
	r, err := p.Apply(c.Rules[0])
	if err != nil {
		t.Fatal(err)
	}
	if l := r.Logsource; l.Product != "linux" || l.Category != "" || l.Definition != "d" || r.Custom["x"] != 7 || c.Rules[0].Logsource.Product != "windows" || c.Rules[0].Custom != nil {
		t.Errorf("%+v %v", l, r.Custom)
	}
	q, err := r.Compile()
	if err != nil {
		t.Fatal(err)
	}
	for e, want := range map[string]bool{`{"a":1}`: true, `{"a":1,"b":1}`: false} {
		if ok, _ := q.Eval(event(t, e)); ok != want {
			t.Errorf("%s: %v", e, ok)
		}
	}
}

func TestPipelinesAreJoinedByPriority(t *testing.T) {
	late := pipeline(t, "name: late\npriority: 20\nvars: {x: [late]}\ntransformations: [{type: field_name_suffix, suffix: .late}]")
	early := pipeline(t, "name: early\npriority: 10\nvars: {x: [early]}\ntransformations: [{type: field_name_suffix, suffix: .early}]")
	both := sigma.Join(late, early)
	c, err := sigma.Parse("", []byte(rule("s: {a: 1}\ncondition: s")))
	if err != nil {
		t.Fatal(err)
	}
	r, err := both.Apply(c.Rules[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Names("a"); both.Name != "early, late" || got[0] != "a.early.late" || both.Vars["x"][0] != "late" {
		t.Errorf("%s %v %v", both.Name, got, both.Vars)
	}
}

func TestNamesFollowTheSteps(t *testing.T) {
	p := pipeline(t, "transformations:\n  - {type: field_name_mapping, mapping: {User: [user.name, user.id]}}\n  - {type: field_name_prefix, prefix: x.}\n")
	c, err := sigma.Parse("", []byte(rule("s: {a: 1}\ncondition: s")))
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Apply(c.Rules[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.Names("User"), c.Rules[0].Names("User")); got != "[x.user.name x.user.id] [User]" {
		t.Error(got)
	}
}

func TestRoutes(t *testing.T) {
	detect := func(source, detection, e string) (by []string) {
		t.Helper()
		c, err := sigma.Parse("", []byte("title: t\nlogsource: {"+source+"}\ndetection: {s: {"+detection+"}, condition: s}"))
		if err != nil {
			t.Fatal(err)
		}
		routed, err := sigma.Builtin().Route(c.Rules[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range routed {
			q, err := r.Compile()
			if err != nil {
				t.Fatal(err)
			}
			if ok, _ := q.Eval(event(t, e)); ok {
				by = append(by, r.Source)
			}
		}
		return by
	}
	const sysmon = `"Channel":"Microsoft-Windows-Sysmon/Operational"`
	for _, x := range []struct{ source, detection, event, want string }{
		{"product: windows, category: process_creation", "Image: x", `{` + sysmon + `,"EventID":1,"Image":"x"}`, "[sysmon]"},
		{"product: windows, category: process_creation", "Image: x", `{` + sysmon + `,"EventID":"1","Image":"x"}`, "[sysmon]"},
		{"product: windows, category: process_creation", "Image: x", `{` + sysmon + `,"EventID":7,"Image":"x"}`, "[]"},
		{"product: windows, category: process_creation", "Image: x", `{"Channel":"Security","EventID":4688,"NewProcessName":"x"}`, "[security]"},
		{"product: windows, category: process_creation, service: sysmon", "Image: x", `{` + sysmon + `,"EventID":1,"Image":"x"}`, "[product windows, service sysmon and sysmon]"},
		{"product: windows, service: security", "EventID: 4624", `{"Channel":"security","EventID":4624}`, "[product windows, service security]"},
		{"product: windows", "'a': 1", `{"Channel":"anything","a":1}`, "[product windows]"},
		{"product: windows", "'a': 1", `{"_path":"dns","a":1}`, "[]"},
		{"category: dns", "query: x, record_type: A", `{"_path":"dns","query":"x","qtype_name":"A"}`, "[zeek]"},
		{"category: dns", "query: x", `{"event_type":"dns","flow_id":1,"dns":{"queries":[{"rrname":"x"}]}}`, "[suricata]"},
		{"product: zeek, service: http", "uri: x", `{"_path":"http","uri":"x"}`, "[product zeek, service http]"},
		{"category: proxy", "c-useragent: x", `{"event_type":"http","flow_id":1,"http":{"http_user_agent":"x"}}`, "[suricata]"},
		{"product: linux, service: sshd", "message|contains: x", `{"appname":"sshd","message":"axb"}`, "[product linux, service sshd]"},
		{"product: linux, service: auditd", "type: EXECVE, a0: x", `{"type":"EXECVE","a0":"x"}`, "[product linux, service auditd]"},
		{"category: process_creation", "Image: x", `{"Channel":"Linux-Sysmon/Operational","EventID":1,"Image":"x"}`, "[sysmon]"},
		{"product: macos, category: process_creation", "Image: x", `{"host":{"os":{"type":"macos"}},"event":{"category":["process"],"type":["start"]},"process":{"executable":"x"}}`, "[category process_creation, product macos]"},
	} {
		if got := fmt.Sprint(detect(x.source, x.detection, x.event)); got != x.want {
			t.Errorf("%s: %s gives %s, expected %s", x.source, x.event, got, x.want)
		}
	}
	c, err := sigma.Parse("f.yml", []byte("title: t\nlogsource:\n  product: windows\n  service: unheard\ndetection: {s: {a: 1}, condition: s}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sigma.Builtin().Route(c.Rules[0]); err == nil || !strings.HasPrefix(err.Error(), "f.yml:2:1: rule t: no route") {
		t.Error(err)
	}
	own := sigma.Join(sigma.Builtin(), pipeline(t, "routes: [{logsource: {product: windows, service: unheard}, when: {Channel: X}}, {logsource: {product: zeek}, when: {log: zeek}}]"))
	routed, err := own.Route(c.Rules[0])
	if err != nil || len(routed) != 1 {
		t.Fatal(routed, err)
	}
	if sources, _ := own.Sources(sigma.Logsource{Product: "zeek"}); len(sources) != 1 {
		t.Errorf("the own route does not replace the one before: %v", sources)
	}
}
