package node

import (
	"fmt"
	"strings"
	"testing"

	"entente/internal/shareddata"
)

// Of many attributes each is judged by itself, and the answer says of each what is wrong with it.
func TestMISPAddManyAttributes(t *testing.T) {
	w := newMISPWorld(t, nil)
	event := text(at(t, w.ask(ursula, "POST", "/events/add", `{"info":"many","distribution":1,"Tag":[{"name":"tlp:green"}],"Object":[{"name":"domain-ip","Attribute":[
		{"object_relation":"domain","type":"domain","value":"c2.example","uuid":"0a0a0a0a-0000-4000-8000-0000000000aa"}]}]}`).want(t, 200).json(t), "Event", "uuid"))
	const first = "0a0a0a0a-0000-4000-8000-000000000001"
	w.ask(ursula, "POST", "/attributes/add/"+event, `{"type":"domain","value":"one.example","uuid":"`+first+`"}`).want(t, 200)
	answer := w.ask(ursula, "POST", "/attributes/add/"+event, `[
		{"type":"domain","value":"two.example"},
		{"type":"domain","value":"one.example","uuid":"`+first+`"},
		{"type":"no-such-type","value":"x"},
		{"type":"md5","value":""},
		{"type":"domain","value":"c2.example","uuid":"0a0a0a0a-0000-4000-8000-0000000000aa"},
		{"type":"domain","value":"three.example","uuid":"0A0A0A0A-0000-4000-8000-000000000003"},
		{"type":"domain","value":"three again.example","uuid":"0a0a0a0a-0000-4000-8000-000000000003"},
		{"type":"domain","value":"four.example","distribution":"9"},
		{"type":"domain","value":"five.example","uuid":"five"},
		{"type":"comment","value":"last"}]`).want(t, 200).json(t)
	var values []string
	for _, a := range at(t, answer, "Attribute").([]any) {
		values = append(values, text(at(t, a, "value")))
		if at(t, a, "event_id") == "0" {
			t.Errorf("%v", a)
		}
	}
	if got := strings.Join(values, " "); got != "two.example three.example last" {
		t.Errorf("stored are %s", got)
	}
	wrong := at(t, answer, "errors").(map[string]any)
	for i, field := range map[int]string{1: "uuid", 2: "type", 3: "value", 4: "uuid", 6: "uuid", 7: "distribution", 8: "uuid"} {
		at(t, wrong, fmt.Sprintf("attribute_%d", i), field, 0)
	}
	if len(wrong) != 7 {
		t.Errorf("%v", wrong)
	}
	none := w.ask(ursula, "POST", "/attributes/add/"+event, `{"type":"domain","value":["","  "]}`).want(t, 403).json(t)
	at(t, none, "errors", "attribute_1", "value")
	if s := fmt.Sprint(w.ask(ursula, "GET", "/events/view/"+event, nil).want(t, 200).json(t)); strings.Count(s, "value:one.example") != 1 || strings.Contains(s, "four.example") {
		t.Errorf("%s", s)
	}
}

// What comes without a uuid is the same when it comes again; two that are alike in one event stay two.
func TestMISPElementsWithoutUUID(t *testing.T) {
	w := newMISPWorld(t, nil)
	const id = "0a0a0a0a-0000-4000-8000-00000000000b"
	body := func(stamp string) string {
		return `{"Event":{"uuid":"` + id + `","info":"x","date":"2026-01-01","timestamp":"` + stamp + `","distribution":"3","Tag":[{"name":"tlp:green"}],
			"Attribute":[{"type":"domain","value":"a.example","to_ids":true,"distribution":"5"},{"type":"comment","value":"twice"},{"type":"comment","value":"twice"}],
			"Object":[{"name":"domain-ip","Attribute":[{"object_relation":"domain","type":"domain","value":"c2.example"},{"object_relation":"ip","type":"ip-dst","value":"192.0.2.1"}]}],
			"EventReport":[{"name":"r","content":"c"}]}}`
	}
	uuids := func() string {
		e := at(t, w.ask(rita, "GET", "/events/view/"+id, nil).want(t, 200).json(t), "Event")
		var list []string
		for _, kind := range []string{"Attribute", "Object", "EventReport"} {
			for _, x := range at(t, e, kind).([]any) {
				list = append(list, text(at(t, x, "uuid")))
				if kind == "Object" {
					for _, a := range at(t, x, "Attribute").([]any) {
						list = append(list, text(at(t, a, "uuid")))
					}
				}
			}
		}
		if len(list) != 7 {
			t.Fatalf("%d elements: %v", len(list), list)
		}
		seen := map[string]bool{}
		for _, u := range list {
			if seen[u] || u[14] != '5' {
				t.Errorf("%s in %v", u, list)
			}
			seen[u] = true
		}
		return strings.Join(list, " ")
	}
	w.ask(rita, "POST", "/events/add/metadata:1", body("1700000000")).want(t, 200)
	before := uuids()
	w.ask(rita, "POST", "/events/edit/"+id+"/metadata:1", body("1700000001")).want(t, 200)
	if after := uuids(); after != before {
		t.Errorf("%s became %s", before, after)
	}
}

// A script is told which published lists this node has.
func TestMISPVocabularies(t *testing.T) {
	w := newMISPWorld(t, func(c *Config) { c.Lists.Files = shareddata.Dir(t, "misp") })
	list := func(path string) []any {
		t.Helper()
		return w.ask(reader, "GET", path, nil).want(t, 200).json(t).([]any)
	}
	find := func(all []any, kind, member, want string) map[string]any {
		t.Helper()
		for _, x := range all {
			if one, ok := at(t, x, kind).(map[string]any); ok && one[member] == want {
				return one
			}
		}
		t.Fatalf("no %s has the %s %s", kind, member, want)
		return nil
	}
	taxonomies := list("/taxonomies/index")
	if tlp := find(taxonomies, "Taxonomy", "namespace", "tlp"); tlp["enabled"] != true || tlp["exclusive"] != true || tlp["description"] == "" || len(taxonomies) < 180 {
		t.Errorf("%d taxonomies, and %v", len(taxonomies), tlp)
	}
	galaxies := list("/galaxies/index")
	if actors := find(galaxies, "Galaxy", "type", "threat-actor"); actors["uuid"] == "" || actors["name"] == "" || len(galaxies) != 7 {
		t.Errorf("%d galaxies, and %v", len(galaxies), actors)
	}
	if all := at(t, w.ask(reader, "GET", "/warninglists/index", nil).want(t, 200).json(t), "Warninglists").([]any); len(all) < 100 {
		t.Errorf("%d warning lists", len(all))
	}
	if all := list("/noticelists/index"); len(all) != 0 {
		t.Errorf("%v", all)
	}
}
