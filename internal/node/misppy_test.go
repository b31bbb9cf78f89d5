package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"entente/internal/shareddata"
)

// at follows a path of names and indexes into an answer.
func at(t testing.TB, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok || m[p] == nil {
				t.Fatalf("no %q in %v", p, v)
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || p >= len(l) {
				t.Fatalf("no item %d in %v", p, v)
			}
			v = l[p]
		}
	}
	return v
}

func text(v any) string { return fmt.Sprint(v) }

// A script makes the requests of PyMISP in the order in which a user of the library comes to them.
func TestPyMISPScript(t *testing.T) {
	w := newMISPWorld(t, nil)
	post := func(path string, body any) any {
		t.Helper()
		return w.ask(ursula, "POST", path, body).want(t, 200).json(t)
	}
	get := func(path string) any { t.Helper(); return w.ask(ursula, "GET", path, nil).want(t, 200).json(t) }
	// PyMISP() itself
	at(t, get("/servers/getVersion"), "version")
	at(t, get("/users/view/me"), "Role", "perm_add")
	types := at(t, get("/attributes/describeTypes.json"), "result", "types").([]any)
	if len(types) < 190 {
		t.Errorf("%d types", len(types))
	}
	var published struct {
		Result struct{ Types []string } `json:"result"`
	}
	raw, err := os.ReadFile(shareddata.Dir(t, "misp", "pymisp", "pymisp", "data") + "/describeTypes.json")
	must(t, err)
	must(t, json.Unmarshal(raw, &published))
	if len(types) != len(published.Result.Types) {
		t.Errorf("%d types, and PyMISP knows %d", len(types), len(published.Result.Types))
	}
	// add_event, get_event
	ev := post("/events/add", `{"info":"From a script","distribution":1,"threat_level_id":2,"analysis":1,"Tag":[{"name":"tlp:green"}],"Attribute":[{"type":"ip-dst","value":"192.0.2.7","to_ids":true}]}`)
	uuid, number := text(at(t, ev, "Event", "uuid")), text(at(t, ev, "Event", "id"))
	if at(t, ev, "Event", "distribution") != "1" || at(t, ev, "Event", "Orgc", "name") != "Utopia CERT" || at(t, ev, "Event", "published") != false {
		t.Errorf("%v", ev)
	}
	if again := get("/events/view/" + number); at(t, again, "Event", "uuid") != uuid {
		t.Errorf("%v", again)
	}
	// add_attribute: one, several, several values, a bad one
	attr := at(t, post("/attributes/add/"+uuid, `{"type":"domain","value":"evil.example","comment":"c"}`), "Attribute")
	domain := text(at(t, attr, "uuid"))
	if at(t, attr, "category") != "Network activity" || at(t, attr, "to_ids") != true {
		t.Errorf("%v", attr)
	}
	if list := at(t, post("/attributes/add/"+uuid, `[{"type":"md5","value":"d41d8cd98f00b204e9800998ecf8427e"},{"type":"comment","value":"said"}]`), "Attribute").([]any); len(list) != 2 {
		t.Errorf("%v", list)
	}
	if list := at(t, post("/attributes/add/"+uuid, `{"type":"url","value":["http://a.example/1","http://a.example/2"]}`), "Attribute").([]any); len(list) != 2 {
		t.Errorf("%v", list)
	}
	bad := w.ask(ursula, "POST", "/attributes/add/"+uuid, `{"type":"no-such-type","value":"x"}`).want(t, 403).json(t)
	at(t, bad, "errors", "type")
	w.ask(ursula, "POST", "/attributes/add/"+uuid, `{"type":"domain","value":"evil.example","uuid":"`+domain+`"}`).want(t, 403)
	// update_attribute changes what it is in STIX too
	edited := at(t, post("/attributes/edit/"+domain, `{"uuid":"`+domain+`","type":"domain","value":"evil2.example","to_ids":false}`), "Attribute")
	if at(t, edited, "value") != "evil2.example" || at(t, edited, "to_ids") != false || at(t, edited, "comment") != "c" {
		t.Errorf("%v", edited)
	}
	whole := get("/events/view/" + uuid)
	if n := strings.Count(fmt.Sprint(whole), domain); n != 1 {
		t.Errorf("the changed attribute is there %d times", n)
	}
	// objects and references
	ob := at(t, post("/objects/add/"+uuid, `{"Object":{"name":"domain-ip","meta-category":"network","template_uuid":"43b3b146-77eb-4931-b4cc-b66c60f28734","template_version":"9",
		"Attribute":[{"object_relation":"domain","type":"domain","value":"c2.example","to_ids":true},{"object_relation":"ip","type":"ip-dst","value":"198.51.100.9","to_ids":true}]}}`), "Object")
	object, inner := text(at(t, ob, "uuid")), text(at(t, ob, "Attribute", 0, "uuid"))
	ref := post("/objectReferences/add", `{"object_uuid":"`+object+`","referenced_uuid":"`+domain+`","relationship_type":"related-to"}`)
	if at(t, ref, "ObjectReference", "referenced_uuid") != domain {
		t.Errorf("%v", ref)
	}
	if v := at(t, get("/attributes/view/"+inner), "Attribute", "value"); v != "c2.example" {
		t.Errorf("%v", v)
	}
	post("/objects/edit/"+object, `{"Object":{"name":"domain-ip","comment":"seen twice"}}`)
	// tags
	post("/tags/attachTagToObject", `{"uuid":"`+uuid+`","tag":"type:OSINT","local":false}`)
	post("/tags/attachTagToObject", `{"uuid":"`+domain+`","tag":"phish"}`)
	if tags := fmt.Sprint(at(t, get("/tags/index"), "Tag")); !strings.Contains(tags, "type:OSINT") {
		t.Error(tags)
	}
	if found := fmt.Sprint(post("/tags/search", `{"tag":"osint"}`)); !strings.Contains(found, "type:OSINT") {
		t.Error(found)
	}
	at(t, post("/tags/add", `{"Tag":{"name":"mine"}}`), "Tag", "id")
	post("/tags/removeTagFromObject", `{"uuid":"`+uuid+`","tag":"type:OSINT"}`)
	if s := fmt.Sprint(get("/events/view/" + uuid)); strings.Contains(s, "type:OSINT") || !strings.Contains(s, "phish") {
		t.Errorf("the tags are not as they were set: %s", s)
	}
	// sightings
	seen := post("/sightings/add/"+domain, `{"type":"0","source":"script"}`)
	at(t, seen, "Sighting", "uuid")
	if list := at(t, post("/sightings/restSearch/attribute", `{"uuid":"`+domain+`","returnFormat":"json"}`), "response").([]any); len(list) != 1 {
		t.Errorf("%v", list)
	}
	if list := at(t, post("/sightings/restSearch/event", `{"uuid":["`+uuid+`"],"last":0,"includeUuid":true}`), "response").([]any); len(list) != 1 {
		t.Errorf("%v", list)
	}
	// search
	for body, want := range map[string]string{
		`{"returnFormat":"json","value":"192.0.2.7"}`:                   uuid,
		`{"returnFormat":"json","value":"c2.example"}`:                  uuid,
		`{"returnFormat":"json","value":"%2.example"}`:                  uuid,
		`{"returnFormat":"json","eventinfo":"from a"}`:                  uuid,
		`{"returnFormat":"json","tags":["tlp:green"],"limit":1}`:        uuid,
		`{"returnFormat":"json","tags":{"NOT":["tlp:green"]}}`:          "",
		`{"returnFormat":"json","tags":["tlp:amber"]}`:                  "",
		`{"returnFormat":"json","value":"nowhere.example"}`:             "",
		`{"returnFormat":"json","org":"Utopia CERT","metadata":true}`:   uuid,
		`{"returnFormat":"json","org":"!Utopia CERT"}`:                  "",
		`{"returnFormat":"json","uuid":"` + uuid + `"}`:                 uuid,
		`{"returnFormat":"json","last":"1d","type_attribute":"ip-dst"}`: uuid,
		`{"returnFormat":"json","type_attribute":"yara"}`:               "",
	} {
		list := at(t, post("/events/restSearch", body), "response").([]any)
		switch {
		case want == "" && len(list) > 0:
			t.Errorf("%s finds %v", body, list)
		case want != "" && (len(list) != 1 || at(t, list[0], "Event", "uuid") != want):
			t.Errorf("%s finds %d", body, len(list))
		}
	}
	for body, want := range map[string]int{
		`{"returnFormat":"json","value":"evil2.example"}`: 1, `{"returnFormat":"json","type":["domain","ip-dst"]}`: 4, `{"returnFormat":"json","to_ids":1,"type":"domain"}`: 1,
		`{"returnFormat":"json","category":"Network activity","limit":2}`: 2, `{"returnFormat":"json","tags":"phish"}`: 1, `{"returnFormat":"json","eventid":"` + number + `","type":"comment"}`: 1,
	} {
		if list := at(t, post("/attributes/restSearch", body), "response", "Attribute").([]any); len(list) != want {
			t.Errorf("%s finds %d, not %d: %v", body, len(list), want, list)
		}
	}
	if a := w.ask(ursula, "POST", "/attributes/restSearch", `{"returnFormat":"text","type":"ip-dst"}`).want(t, 200); string(a.body) != "192.0.2.7\n198.51.100.9\n" {
		t.Errorf("%q", a.body)
	}
	// free text
	if list := post("/events/freeTextImport/"+uuid, `{"value":"beacon to hxxps://x[.]example/a and 203.0.113.4, CVE-2024-3400"}`).([]any); len(list) != 3 {
		t.Errorf("%v", list)
	}
	// publish, and who sees it
	w.ask(fred, "GET", "/events/view/"+uuid, nil).want(t, 200)
	if rows := w.ask(fred, "POST", "/events/index", `{"minimal":1,"published":1}`).want(t, 200); string(rows.body) != "[]" {
		t.Errorf("unpublished and listed: %s", rows.body)
	}
	post("/events/publish/"+uuid, `{}`)
	if rows := w.ask(fred, "POST", "/events/index", `{"minimal":1,"published":1}`).want(t, 200); !bytes.Contains(rows.body, []byte(uuid)) {
		t.Errorf("published and not listed: %s", rows.body)
	}
	post("/events/unpublish/"+uuid, `{}`)
	if at(t, get("/events/view/"+uuid), "Event", "published") != false {
		t.Error("it is still published")
	}
	post("/events/publish/"+uuid, `{}`)
	if at(t, get("/events/view/"+uuid), "Event", "published") != true {
		t.Error("it is not published")
	}
	// update_event
	changed := post("/events/edit/"+uuid, `{"info":"By another name"}`)
	if at(t, changed, "Event", "info") != "By another name" || len(at(t, changed, "Event", "Attribute").([]any)) < 5 {
		t.Errorf("%v", changed)
	}
	// delete
	post("/attributes/delete/"+domain, `{}`)
	if s := fmt.Sprint(get("/events/view/" + uuid)); strings.Contains(s, domain+" ") && strings.Contains(s, "evil2") {
		t.Error("the deleted attribute is still there")
	}
	if s := fmt.Sprint(post("/events/view/"+uuid, `{"deleted":"1"}`)); !strings.Contains(s, "evil2.example") {
		t.Error("the deleted attribute is not told of where that is asked for")
	}
	post("/objects/delete/"+object, `{}`)
	post("/events/delete/"+uuid, `{}`)
	w.ask(ursula, "GET", "/events/view/"+uuid, nil).want(t, 404)
	w.ask(ursula, "POST", "/events/add", `{"info":"back","uuid":"`+uuid+`"}`).want(t, 403)
	// the rest of what the library's users call
	for _, path := range []string{"/sharingGroups/index", "/organisations/index/scope:local", "/organisations/view/" + uuidFreedonia, "/warninglists/index", "/taxonomies/index", "/galaxies/index",
		"/events/index", "/servers/getAvailableSyncFilteringRules", "/servers/createSync", "/eventReports/add"} {
		get(path)
	}
	groups := get("/sharingGroups/index")
	if at(t, groups, "response", 0, "SharingGroup", "name") != "allies" || len(at(t, groups, "response", 0, "SharingGroupOrg").([]any)) != 3 {
		t.Errorf("%v", groups)
	}
	w.ask(ursula, "POST", "/warninglists/checkValue", `["8.8.8.8"]`).want(t, 200)
	w.ask(ursula, "GET", "/users/index", nil).want(t, 404)
	w.ask(ursula, "GET", "/events/publish/"+uuid, nil).want(t, 405)
	w.ask(reader, "POST", "/events/add", `{"info":"x"}`).want(t, 403)
}
