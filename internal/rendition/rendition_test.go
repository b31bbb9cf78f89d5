package rendition

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"entente/stix"
)

var key = []byte("0123456789abcdef")

const (
	amber   = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
	secret  = "marking-definition--11111111-1111-4111-8111-111111111111"
	author  = "identity--22222222-2222-4222-8222-222222222222"
	victim  = "identity--33333333-3333-4333-8333-333333333333"
	seen    = "indicator--44444444-4444-4444-8444-444444444444"
	hidden  = "malware--55555555-5555-4555-8555-555555555555"
	copied  = "malware--66666666-6666-4666-8666-666666666666"
	itself  = "incident--77777777-7777-4777-8777-777777777777"
	domain  = "domain-name--cccccccc-cccc-5ccc-8ccc-cccccccccccc"
	address = "email-addr--88888888-8888-5888-8888-888888888888"
)

// plan of an audience that has everything but hidden and secret, and has copied as a copy.
func plan(change func(*Plan)) Plan {
	p := Plan{Key: key, Author: true, May: func(id string) bool { return id != secret }, Sees: func(id string) Class {
		switch id {
		case hidden:
			return Withheld
		case copied:
			return Reduced
		}
		return Full
	}}
	if change != nil {
		change(&p)
	}
	return p
}

func object(typ, rest string) string {
	head := `{"type":"` + typ + `","spec_version":"2.1","id":"` + typ + itself[len("incident"):] + `","created":"2026-03-04T05:06:07.000Z","modified":"2026-03-05T05:06:07.000Z"`
	if rest == "" {
		return head + "}"
	}
	return head + "," + rest + "}"
}

func TestMake(t *testing.T) {
	nobody := Plan{Key: key}
	for _, c := range []struct {
		name, body string
		plan       Plan
		class      Class
		code       string   // of what is withheld
		has, not   []string // of a reduced body
	}{
		{name: "nothing to take out", body: object("incident", `"name":"a","created_by_ref":"`+author+`","object_marking_refs":["`+amber+`"]`), plan: plan(nil), class: Full},
		{name: "nobody has anything", body: object("incident", `"name":"a"`), plan: nobody, code: "rendition.hidden"},
		{name: "an author who is not named", body: object("incident", `"name":"a","created_by_ref":"`+author+`"`), plan: plan(func(p *Plan) { p.Author = false }), class: Reduced,
			has: []string{`"name":"a"`}, not: []string{"created_by_ref", author, itself}},
		{name: "a reference to what is hidden", body: object("report", `"name":"a","published":"2026-03-04T05:06:07Z","object_refs":["`+hidden+`","`+seen+`","`+copied+`"]`), plan: plan(nil), class: Reduced,
			has: []string{`"object_refs":["` + seen + `","` + ID(key, copied) + `"]`}, not: []string{hidden, copied}},
		{name: "a report left empty", body: object("report", `"name":"a","published":"2026-03-04T05:06:07Z","object_refs":["`+hidden+`"]`), plan: plan(nil), code: "rendition.empty"},
		{name: "a relationship without its end", body: object("relationship", `"relationship_type":"indicates","source_ref":"`+seen+`","target_ref":"`+hidden+`"`), plan: plan(nil), code: "rendition.end"},
		{name: "a relationship to a copy", body: object("relationship", `"relationship_type":"indicates","source_ref":"`+seen+`","target_ref":"`+copied+`"`), plan: plan(nil), class: Reduced,
			has: []string{`"target_ref":"` + ID(key, copied) + `"`}, not: []string{copied}},
		{name: "a sighting of what is hidden", body: object("sighting", `"sighting_of_ref":"`+hidden+`"`), plan: plan(nil), code: "rendition.end"},
		{name: "a stripped property", body: object("incident", `"name":"a","description":"who it was","confidence":5`), plan: plan(func(p *Plan) { p.Strip = []string{"incident.description"} }), class: Reduced,
			has: []string{`"name":"a","confidence":5}`}, not: []string{"who", "description"}},
		{name: "a required property", body: object("incident", `"name":"a"`), plan: plan(func(p *Plan) { p.Strip = []string{"incident.name"} }), code: "rendition.required"},
		{name: "its id", body: object("incident", `"name":"a"`), plan: plan(func(p *Plan) { p.Strip = []string{"incident.id"} }), code: "rendition.required"},
		{name: "a stripped type", body: object("incident", `"name":"a"`), plan: plan(func(p *Plan) { p.Strip = []string{"incident"} }), code: "rendition.stripped"},
		{name: "a stripped type that is named", body: object("observed-data", `"first_observed":"2026-03-04T05:06:07Z","last_observed":"2026-03-04T05:06:07Z","number_observed":1,"object_refs":["`+address+`","`+domain+`"]`),
			plan: plan(func(p *Plan) { p.Strip = []string{"email-addr"} }), class: Reduced, has: []string{`"object_refs":["` + domain + `"]`}, not: []string{"email-addr"}},
		{name: "a pattern about a stripped type", body: object("indicator", `"pattern":"[email-addr:value = 'a@b.example']","pattern_type":"stix","valid_from":"2026-03-04T05:06:07Z"`),
			plan: plan(func(p *Plan) { p.Strip = []string{"email-addr"} }), code: "rendition.stripped"},
		{name: "stripped from the old container", body: object("observed-data", `"first_observed":"2026-03-04T05:06:07Z","last_observed":"2026-03-04T05:06:07Z","number_observed":1,"object_refs":["`+domain+`"],"objects":{"0":{"type":"email-addr","value":"a@b.example"}}`),
			plan: plan(func(p *Plan) { p.Strip = []string{"email-addr"} }), class: Reduced, not: []string{`"objects"`, "b.example"}},
		{name: "granular, re-indexed", body: object("incident", `"name":"a","labels":["one","two","three"],"granular_markings":[{"marking_ref":"`+secret+`","selectors":["labels.[0]"]},{"marking_ref":"`+amber+`","selectors":["labels.[0]","labels.[2]","name"]}]`),
			plan: plan(nil), class: Reduced, has: []string{`"labels":["two","three"]`, `"selectors":["labels.[1]","name"]`}, not: []string{secret, "labels.[0]", "labels.[2]"}},
		{name: "granular, the only item", body: object("incident", `"name":"a","labels":["one"],"granular_markings":[{"marking_ref":"`+secret+`","selectors":["labels.[0]"]},{"marking_ref":"`+amber+`","selectors":["labels"]}]`),
			plan: plan(nil), class: Reduced, not: []string{"labels", "granular", "one"}},
		{name: "granular, what chooses nothing", body: object("incident", `"name":"a","granular_markings":[{"marking_ref":"`+secret+`","selectors":["labels.[0]"]}]`), plan: plan(nil), code: "rendition.selector"},
		{name: "granular, a language", body: object("incident", `"name":"a","description":"b","granular_markings":[{"lang":"de","selectors":["description"]},{"marking_ref":"`+secret+`","selectors":["name"]}]`), plan: plan(nil), code: "rendition.required"},
		{name: "an unknown extension", body: object("incident", `"name":"a","extensions":{"extension-definition--99999999-9999-4999-8999-999999999999":{"extension_type":"property-extension","note":"ours"}}`), plan: plan(nil), class: Reduced,
			not: []string{"extension", "ours"}},
		{name: "a known extension", body: object("incident", `"name":"a","extensions":{"extension-definition--99999999-9999-4999-8999-999999999999":{"extension_type":"property-extension","note":"ours"}}`),
			plan: plan(func(p *Plan) { p.Extensions = []string{"extension-definition--99999999*"} }), class: Full},
		{name: "an own property", body: object("incident", `"name":"a","x_note":"ours"`), plan: plan(nil), class: Reduced, not: []string{"x_note", "ours"}},
		{name: "an own property below", body: object("incident", `"name":"a","external_references":[{"source_name":"b","url":"https://a.example/","x_note":"ours"}]`), plan: plan(nil), class: Reduced,
			has: []string{`{"source_name":"b","url":"https://a.example/"}`}, not: []string{"ours"}},
		{name: "an own property that may leave", body: object("incident", `"name":"a","x_note":"ours"`), plan: plan(func(p *Plan) { p.Extensions = []string{"x_note"} }), class: Full},
		{name: "an internal reference", body: object("incident", `"name":"a","external_references":[{"source_name":"Desk","external_id":"77"},{"source_name":"b","external_id":"c"}]`),
			plan: plan(func(p *Plan) { p.Internal = []string{"desk"} }), class: Reduced, has: []string{`"external_references":[{"source_name":"b","external_id":"c"}]`}, not: []string{"77", "Desk"}},
		{name: "a victim", body: object("sighting", `"sighting_of_ref":"`+seen+`","where_sighted_refs":["`+victim+`"],"created_by_ref":"`+author+`","first_seen":"2026-03-04T05:06:07.123Z"`),
			plan: plan(func(p *Plan) { p.Anonymise = []string{"victim"} }), class: Reduced,
			has: []string{`"first_seen":"2026-03-04T05:00:00.000Z"`, `"created":"2026-03-04T05:00:00.000Z"`, `"created_by_ref":"` + author}, not: []string{victim, "where_sighted"}},
		{name: "a victim is the end", body: object("relationship", `"relationship_type":"targets","source_ref":"`+seen+`","target_ref":"`+victim+`"`), plan: plan(func(p *Plan) { p.Anonymise = []string{"victim"} }), code: "rendition.end"},
		{name: "an identity", body: object("identity", `"name":"a"`), plan: plan(func(p *Plan) { p.Anonymise = []string{"victim"} }), code: "rendition.anonymous"},
		{name: "a text that names what is hidden", body: object("incident", `"name":"a","description":"see (`+strings.ToUpper(hidden)+`)."`), plan: plan(nil), code: "rendition.text"},
		{name: "a text that names a copy", body: object("incident", `"name":"a","description":"see `+copied+`"`), plan: plan(nil), code: "rendition.text"},
		{name: "a text that names what is seen", body: object("incident", `"name":"a","description":"see `+seen+`"`), plan: plan(nil), class: Full},
		{name: "a text with a hidden name", body: object("incident", `"name":"a","description":"with the Blue HERON accord"`), plan: plan(func(p *Plan) { p.Names = []string{"blue heron"} }), code: "rendition.text"},
		{name: "a text with what was taken out", body: object("incident", `"name":"by Purple Otter","description":"purple otter","granular_markings":[{"marking_ref":"`+secret+`","selectors":["description"]}]`), plan: plan(nil), code: "rendition.text"},
		{name: "its own id in a text", body: object("incident", `"name":"a","description":"`+itself+`","created_by_ref":"`+author+`"`), plan: plan(func(p *Plan) { p.Author = false }), code: "rendition.text"},
		{name: "STIX 2.0", body: old(`"name":"a","created_by_ref":"` + author + `"`), plan: plan(nil), class: Full},
		{name: "STIX 2.0 that is hidden", body: old(`"name":"a"`), plan: nobody, code: "rendition.hidden"},
		{name: "STIX 2.0 that names what is hidden", body: old(`"name":"a","object_marking_refs":["` + amber + `"],"external_references":[{"source_name":"b","url":"https://a.example/"}],"created_by_ref":"` + hidden + `"`), plan: plan(nil), code: "rendition.spec"},
		{name: "STIX 2.0 with an own property", body: old(`"name":"a","x_note":"ours"`), plan: plan(nil), code: "rendition.spec"},
		{name: "STIX 2.0 with a stripped property", body: old(`"name":"a","description":"b"`), plan: plan(func(p *Plan) { p.Strip = []string{"incident.description"} }), code: "rendition.spec"},
		{name: "STIX 2.0 with a part that is marked", body: old(`"name":"a","labels":["one","two"],"granular_markings":[{"marking_ref":"` + secret + `","selectors":["labels.[0]"]}]`), plan: plan(nil), code: "rendition.spec"},
		{name: "STIX 2.0 with an own property of what was observed", body: strings.ReplaceAll(old(seenOnce+`{"0":{"type":"file","name":"a","x_note":"ours"}}`), "incident", "observed-data"), plan: plan(nil), code: "rendition.spec"},
		{name: "STIX 2.0, what was observed", body: strings.ReplaceAll(old(seenOnce+`{"0":{"type":"file","name":"a","contains_refs":["1"]},"1":{"type":"domain-name","value":"a.example"}}`), "incident", "observed-data"), plan: plan(nil), class: Full},
		{name: "an own property in the old container", body: object("observed-data", seenOnce+`{"0":{"type":"file","name":"a","x_note":"ours","extensions":{"pdf-ext":{"version":"1.7","x_more":"ours"},"own-ext":{"a":"ours"}}}}`), plan: plan(nil), class: Reduced,
			has: []string{`{"0":{"type":"file","name":"a","extensions":{"pdf-ext":{"version":"1.7"}}}}`}, not: []string{"ours"}},
		{name: "an own type in the old container", body: object("observed-data", `"object_refs":["`+domain+`"],`+seenOnce+`{"0":{"type":"file","name":"a"},"1":{"type":"x-desk","note":"ours"}}`), plan: plan(nil), class: Reduced,
			not: []string{"ours", `"objects"`}},
		{name: "a version of STIX that there is not", body: strings.Replace(old(`"name":"a"`), `"name"`, `"spec_version":"2.0","name"`, 1), plan: plan(nil), code: "rendition.spec"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Make([]byte(c.body), c.plan)
			if err != nil {
				t.Fatal(err)
			}
			if r.Class != c.class || r.Why.Code != c.code {
				t.Fatalf("%s %+v\n%s", r.Class, r.Why, r.Body)
			}
			if r.Class == Full && string(r.Body) != c.body {
				t.Error("the bytes were touched")
			}
			if r.Why.Review != (c.code == "rendition.text") {
				t.Error("only a text is for a person to look at")
			}
			for _, word := range c.has {
				if !strings.Contains(string(r.Body), word) {
					t.Errorf("%s is not in %s", word, r.Body)
				}
			}
			for _, word := range c.not {
				if strings.Contains(string(r.Body), word) {
					t.Errorf("%s is in %s", word, r.Body)
				}
			}
			if r.Class == Reduced {
				checkValid(t, r)
			}
		})
	}
	if _, err := Make([]byte(object("incident", `"name":"a"`)), Plan{Key: []byte("short")}); err == nil {
		t.Error("a short key is taken")
	}
	if _, err := Make([]byte(`{"type":"bundle"}`), plan(nil)); err == nil {
		t.Error("a bundle is taken")
	}
}

const seenOnce = `"first_observed":"2026-03-04T05:06:07Z","last_observed":"2026-03-04T05:06:07Z","number_observed":1,"objects":`

// old is an object of STIX 2.0.
func old(rest string) string {
	return `{"type":"incident","id":"` + itself + `","created":"2026-03-04T05:06:07.000Z","modified":"2026-03-05T05:06:07.000Z",` + rest + `}`
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func checkValid(t fataler, r Result) {
	t.Helper()
	o, err := stix.Parse(r.Body)
	if err != nil {
		t.Fatalf("%v\n%s", err, r.Body)
	}
	if f := stix.Validate(o, stix.Options{}); !stix.Valid(f, false) {
		t.Fatalf("%v\n%s", f, r.Body)
	}
	if o.ID() != r.ID {
		t.Fatalf("the id is %s, not %s", o.ID(), r.ID)
	}
	if strings.Contains(string(r.Body), "null") || strings.Contains(string(r.Body), "[]") || strings.Contains(string(r.Body), "{}") {
		t.Fatalf("a hole: %s", r.Body)
	}
}

// TestHostile: objects that would take for ever are withheld, at once.
func TestHostile(t *testing.T) {
	selectors := strings.TrimSuffix(strings.Repeat(`"labels.[1]",`, 10_000), ",")
	labels := make([]string, 10_000)
	for i := range labels {
		labels[i] = `"label number ` + strconv.Itoa(i) + `"`
	}
	list := `"name":"a","labels":[` + strings.Join(labels, ",") + `]`
	for name, c := range map[string]struct{ body, code string }{
		"selectors": {object("incident", list+`,"granular_markings":[{"marking_ref":"`+amber+`","selectors":[`+selectors+`]}]`), "rendition.selector"},
		"words":     {object("incident", list+`,"description":"`+strings.Repeat("x ", 10_000)+`","granular_markings":[{"marking_ref":"`+secret+`","selectors":["labels"]}]`), "rendition.text"},
	} {
		if r, err := Make([]byte(c.body), plan(nil)); err != nil || r.Why.Code != c.code {
			t.Errorf("%s: %v %+v", name, err, r.Why)
		}
	}
}

// TestID: ids are UUIDs in the form of version 4, of the object's type, another for every audience and every object.
func TestID(t *testing.T) {
	a, b, c := ID(key, hidden), ID([]byte("another key 0000"), hidden), ID(key, copied)
	if a == b || a == c || a != ID(key, hidden) || !strings.HasPrefix(a, "malware--") || a[len("malware--")+14] != '4' || !strings.Contains("89ab", a[len("malware--")+19:len("malware--")+20]) {
		t.Error(a, b, c)
	}
}

// TestChain: an edit that the audience does not see gives nothing new; one that it sees has the time of that edit.
func TestChain(t *testing.T) {
	version := func(modified, name, note string) []byte {
		return []byte(`{"type":"incident","spec_version":"2.1","id":"` + itself + `","created":"2026-03-04T05:06:07.000Z","modified":"` + modified + `","name":"` + name + `","x_note":"` + note + `"}`)
	}
	var before []byte
	p := plan(func(p *Plan) { p.Previous = func(string) []byte { return before } })
	for i, step := range []struct {
		modified, name, note, shown string
		same                        bool
	}{
		{"2026-03-05T00:00:00.000Z", "a", "one", "2026-03-05T00:00:00.000Z", false},
		{"2026-03-06T00:00:00.000Z", "a", "two", "2026-03-05T00:00:00.000Z", true},
		{"2026-03-07T00:00:00.000Z", "b", "two", "2026-03-07T00:00:00.000Z", false},
	} {
		r, err := Make(version(step.modified, step.name, step.note), p)
		if err != nil || r.Class != Reduced {
			t.Fatal(r, err)
		}
		var o struct{ Modified string }
		if err := json.Unmarshal(r.Body, &o); err != nil || o.Modified != step.shown || r.Same != step.same || step.same && string(r.Body) != string(before) {
			t.Errorf("step %d: same is %v, modified %s: %s", i, r.Same, o.Modified, r.Body)
		}
		before = r.Body
	}
}

// TestAll: what becomes a copy or nothing makes copies, or nothing, of what leads to it.
func TestAll(t *testing.T) {
	one := strings.Replace(object("malware", `"is_family":true,"name":"a","x_note":"ours"`), "malware"+itself[8:], seenMalware, 1)
	two := object("relationship", `"relationship_type":"indicates","source_ref":"`+seen+`","target_ref":"`+seenMalware+`"`)
	three := strings.Replace(object("relationship", `"relationship_type":"indicates","source_ref":"`+seen+`","target_ref":"`+hidden+`"`), "7777", "aaaa", 1)
	four := object("report", `"name":"r","published":"2026-03-04T05:06:07Z","object_refs":["relationship`+strings.Replace(itself[8:], "7777", "aaaa", 1)+`"]`)
	five := object("note", `"content":"c","object_refs":["relationship`+itself[8:]+`","`+seen+`"]`)
	bodies := [][]byte{[]byte(five), []byte(four), []byte(three), []byte(two), []byte(one)}
	results, err := All(bodies, plan(nil))
	if err != nil {
		t.Fatal(err)
	}
	var classes []string
	for _, r := range results {
		classes = append(classes, r.Class.String()+r.Why.Code)
	}
	if !slices.Equal(classes, []string{"reduced", "withheldrendition.empty", "withheldrendition.end", "reduced", "reduced"}) {
		t.Error(classes)
	}
	if !strings.Contains(string(results[0].Body), results[3].ID) || !strings.Contains(string(results[3].Body), results[4].ID) {
		t.Error("references do not lead to the copies")
	}
	if _, err := All([][]byte{[]byte("{")}, plan(nil)); err == nil {
		t.Error("half an object is taken")
	}
}

const seenMalware = "malware--bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
