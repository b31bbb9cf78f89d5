package node

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/shareddata"
	"entente/label"
	"entente/misp"
)

const (
	eventA = "5e7d6a5e-0000-4000-8000-0000000000a1"
	attrA  = "5e7d6a5e-0000-4000-8000-0000000000a2"
)

func pushed(timestamp, distribution, orgc, more string) string {
	return `{"Event":{"uuid":"` + eventA + `","info":"pushed","date":"2026-01-01","timestamp":"` + timestamp + `","distribution":"` + distribution + `","published":true,"Orgc":{"uuid":"` + orgc +
		`","name":"somebody"},"Attribute":[{"uuid":"` + attrA + `","type":"domain","category":"Network activity","to_ids":true,"value":"a.example","timestamp":"` + timestamp + `","distribution":"5"}]` + more + `}}`
}

// What a sync user may do with events that are here: renew its own, and nothing of others.
func TestMISPPushRules(t *testing.T) {
	w := newMISPWorld(t, nil)
	w.ask(rita, "POST", "/events/add/metadata:1", pushed("1700000000", "3", uuidRuritania, "")).want(t, 200)
	dup := w.ask(rita, "POST", "/events/add/metadata:1", pushed("1700000000", "3", uuidRuritania, "")).want(t, 404)
	if !strings.HasSuffix(dup.header.Get("Location"), "/misp/events/view/"+eventA) {
		t.Errorf("Location %q", dup.header.Get("Location"))
	}
	stale := w.ask(rita, "POST", "/events/edit/"+eventA+"/metadata:1", pushed("1700000000", "3", uuidRuritania, "")).want(t, 403).json(t)
	if at(t, stale, "errors") != "Event could not be saved: Event in the request not newer than the local copy." {
		t.Errorf("%v", stale)
	}
	w.ask(rita, "POST", "/events/edit/"+eventA+"/metadata:1", strings.ReplaceAll(pushed("1700000100", "3", uuidRuritania, ""), "a.example", "b.example")).want(t, 200)
	if a := w.ask(fred, "GET", "/events/view/"+eventA, nil).want(t, 200); !bytes.Contains(a.body, []byte("b.example")) || bytes.Contains(a.body, []byte("a.example")) || !bytes.Contains(a.body, []byte(`"locked":true`)) {
		t.Errorf("%s", a.body)
	}
	// others: not the event, not its attributes under another event
	owner := w.ask(fred, "POST", "/events/edit/"+eventA+"/metadata:1", pushed("1700000200", "3", uuidRuritania, "")).want(t, 403)
	if !bytes.Contains(owner.body, []byte("Ruritania CERT")) {
		t.Errorf("%s", owner.body)
	}
	other := strings.ReplaceAll(pushed("1700000200", "3", uuidFreedonia, ""), eventA, "5e7d6a5e-0000-4000-8000-0000000000b1")
	if a := w.ask(fred, "POST", "/events/add/metadata:1", other).want(t, 403); !bytes.Contains(a.body, []byte(attrA)) {
		t.Errorf("%s", a.body)
	}
	mine := strings.ReplaceAll(pushed("1700000200", "3", uuidRuritania, ""), eventA, "5e7d6a5e-0000-4000-8000-0000000000b2")
	if a := w.ask(rita, "POST", "/events/add/metadata:1", mine).want(t, 403); !bytes.Contains(a.body, []byte("another event")) {
		t.Errorf("%s", a.body)
	}
	if a := w.ask(fred, "POST", "/attributes/edit/"+attrA, `{"value":"c.example"}`).want(t, 403); !bytes.Contains(a.body, []byte("Ruritania CERT")) {
		t.Errorf("%s", a.body)
	}
	w.ask(fred, "POST", "/attributes/add/"+eventA, `{"type":"domain","value":"c.example"}`).want(t, 403)
	w.ask(fred, "POST", "/events/delete/"+eventA, `{}`).want(t, 403)
	// what is wanted of a peer
	asked := `[{"Event":{"uuid":"` + eventA + `","timestamp":"1700000100"}},{"Event":{"uuid":"5e7d6a5e-0000-4000-8000-0000000000c1","timestamp":"1"}}]`
	if a := w.ask(rita, "POST", "/events/filterEventIdsForPush", asked).want(t, 200); string(a.body) != `["5e7d6a5e-0000-4000-8000-0000000000c1"]` {
		t.Errorf("%s", a.body)
	}
	if a := w.ask(rita, "POST", "/events/filterEventIdsForPush", strings.Replace(asked, "1700000100", "1800000000", 1)).want(t, 200); !bytes.Contains(a.body, []byte(eventA)) {
		t.Errorf("%s", a.body)
	}
	if a := w.ask(fred, "POST", "/events/filterEventIdsForPush", strings.Replace(asked, "1700000100", "1800000000", 1)).want(t, 200); bytes.Contains(a.body, []byte(eventA)) {
		t.Errorf("%s", a.body)
	}
}

// What nobody may hand in.
func TestMISPRefusals(t *testing.T) {
	w := newMISPWorld(t, nil)
	malformed, err := filepath.Glob(filepath.Join(shareddata.Dir(t, "misp", "eset-malware-ioc"), "*", "*.json"))
	must(t, err)
	var broken []byte
	for _, f := range malformed {
		raw, err := os.ReadFile(f)
		must(t, err)
		if _, err := misp.Parse(raw); err != nil {
			broken = raw
		}
	}
	if broken == nil {
		broken = []byte(`{"Event":{"uuid":`)
	}
	for name, c := range map[string]struct {
		body   any
		status int
		in     string
	}{
		"malformed":             {broken, 400, "errors"},
		"nothing":               {"", 400, "errors"},
		"no event":              {`{"a":1}`, 400, "errors"},
		"no uuid":               {`{"Event":{"info":"x","date":"2026-01-01","timestamp":"1700000000"}}`, 400, "uuid"},
		"not a uuid":            {strings.ReplaceAll(pushed("1700000000", "3", uuidRuritania, ""), eventA, "../../etc"), 400, "uuid"},
		"unknown distribution":  {pushed("1700000000", "9", uuidRuritania, ""), 400, "distribution"},
		"inheriting event":      {pushed("1700000000", "5", uuidRuritania, ""), 400, "distribution"},
		"group that is missing": {pushed("1700000000", "4", uuidRuritania, ""), 400, "sharing group"},
		"in our name":           {pushed("1700000000", "3", uuidUtopia, ""), 403, "Utopia CERT"},
		"protected":             {pushed("1700000000", "3", uuidRuritania, `,"protected":true`), 403, "protected"},
		"two events":            {`[` + pushed("1700000000", "3", uuidRuritania, "") + `,` + pushed("1700000000", "3", uuidRuritania, "") + `]`, 413, "errors"},
		"attribute of nothing":  {`{"Event":{"uuid":"` + eventA + `","info":"x","timestamp":"1700000000","Attribute":[{"type":"domain"}]}}`, 400, "value"},
	} {
		a := w.ask(rita, "POST", "/events/add/metadata:1", c.body)
		var v map[string]any
		if json.Unmarshal(a.body, &v) != nil || v["name"] == nil || v["message"] == nil || v["url"] == nil || v["errors"] == nil {
			t.Errorf("%s: not an error of MISP: %s", name, a.body)
		}
		if a.status != c.status || !bytes.Contains(a.body, []byte(c.in)) {
			t.Errorf("%s: %d, not %d: %.300s", name, a.status, c.status, a.body)
		}
	}
	w.ask(rita, "HEAD", "/events/view/"+eventA, nil).want(t, 404)
	w.ask(rita, "POST", "/events/add/metadata:1", []byte("not gzip"), "Content-Encoding", "gzip").want(t, 400)
	w.ask(rita, "POST", "/events/add/metadata:1", []byte("x"), "Content-Encoding", "br").want(t, 415)
}

// Distributions of a peer only ever restrict here.
func TestMISPDistributions(t *testing.T) {
	group := func(orgs ...string) string {
		var members []string
		for _, o := range orgs {
			members = append(members, `{"extend":false,"Organisation":{"uuid":"`+o+`","name":"x"}}`)
		}
		return `,"SharingGroup":{"uuid":"5e7d6a5e-0000-4000-8000-0000000000d1","name":"g","active":true,"roaming":true,"SharingGroupOrg":[` + strings.Join(members, ",") + `]}`
	}
	for name, c := range map[string]struct {
		distribution, more string
		sees               string
	}{
		"organisation":           {"0", "", rita + " " + ursula},
		"community there":        {"1", "", rita + " " + ursula},
		"connected there":        {"2", "", rita + " " + ursula + " " + fred},
		"everybody":              {"3", "", rita + " " + ursula + " " + fred}, // GREEN: the community
		"clear":                  {"3", `,"Tag":[{"name":"tlp:clear"}]`, rita + " " + ursula + " " + fred + " " + alien},
		"red":                    {"3", `,"Tag":[{"name":"tlp:red"}]`, rita},
		"group with us":          {"4", group(uuidUtopia), rita + " " + ursula},
		"group with others":      {"4", group(uuidFreedonia), rita + " " + fred},
		"group of unknown":       {"4", group("5e7d6a5e-0000-4000-8000-0000000000d2"), rita},
		"contradicting tags":     {"3", `,"Tag":[{"name":"tlp:clear"},{"name":"tlp:amber"}]`, rita},
		"a tag nobody knows":     {"3", `,"Tag":[{"name":"tlp:rainbow"}]`, rita},
		"amber reaches the node": {"3", `,"Tag":[{"name":"tlp:amber"}]`, rita + " " + ursula},
	} {
		t.Run(name, func(t *testing.T) {
			w := newMISPWorld(t, nil)
			w.ask(rita, "POST", "/events/add/metadata:1", pushed("1700000000", c.distribution, uuidRuritania, c.more)).want(t, 200)
			for _, who := range []string{rita, ursula, fred, alien} {
				a := w.ask(who, "GET", "/events/view/"+eventA, nil)
				if want := strings.Contains(c.sees, who); (a.status == 200) != want {
					t.Errorf("%s gets %d", who, a.status)
				}
				if a.status == 200 && who != rita && !bytes.Contains(a.body, []byte(`"distribution":"0"`)) && !bytes.Contains(a.body, []byte(`"distribution":"4"`)) {
					t.Errorf("%s is told a distribution that the label does not say: %s", who, a.body)
				}
			}
		})
	}
}

// Sightings, clusters, analyst data and proposals go from one peer through the node to another.
func TestMISPSideData(t *testing.T) {
	w := newMISPWorld(t, nil)
	w.ask(rita, "POST", "/events/add/metadata:1", pushed("1700000000", "3", uuidRuritania, "")).want(t, 200)
	const seen, note, cluster, proposal = "5e7d6a5e-0000-4000-8000-0000000000e1", "5e7d6a5e-0000-4000-8000-0000000000e2", "5e7d6a5e-0000-4000-8000-0000000000e3", "5e7d6a5e-0000-4000-8000-0000000000e4"
	if a := w.ask(fred, "POST", "/sightings/filterSightingUuidsForPush/"+eventA, `["`+seen+`"]`).want(t, 200); !bytes.Contains(a.body, []byte(seen)) {
		t.Errorf("%s", a.body)
	}
	w.ask(fred, "POST", "/sightings/bulkSaveSightings/"+eventA, `[{"uuid":"`+seen+`","attribute_uuid":"`+attrA+`","date_sighting":"1700000500","type":"0","source":"ids","Organisation":{"uuid":"`+uuidFreedonia+`","name":"Freedonia CERT"}}]`).want(t, 200)
	if a := w.ask(fred, "POST", "/sightings/filterSightingUuidsForPush/"+eventA, `["`+seen+`"]`).want(t, 200); string(a.body) != "[]" {
		t.Errorf("%s", a.body)
	}
	if a := w.ask(rita, "POST", "/events/index", `{"minimal":1}`).want(t, 200); !bytes.Contains(a.body, []byte(`"sighting_timestamp":"1700000500"`)) {
		t.Errorf("%s", a.body)
	}
	if a := w.ask(rita, "POST", "/sightings/restSearch/event", `{"returnFormat":"json","last":0,"includeUuid":true,"uuid":["`+eventA+`"],"org_id":["!`+uuidRuritania+`"]}`).want(t, 200); !bytes.Contains(a.body, []byte(attrA)) {
		t.Errorf("%s", a.body)
	}
	if a := w.ask(rita, "POST", "/sightings/restSearch/event", `{"uuid":["`+eventA+`"],"org_id":["!`+uuidFreedonia+`"]}`).want(t, 200); string(a.body) != `{"response":[]}` {
		t.Errorf("%s", a.body)
	}
	w.ask(rita, "POST", "/analyst_data/pushAnalystData", `{"Note":{"uuid":"`+note+`","object_uuid":"`+attrA+`","object_type":"Attribute","distribution":"3","modified":"2024-10-04 08:09:39","note":"n"}}`).want(t, 200)
	if a := w.ask(fred, "POST", "/analyst_data/indexMinimal", `{}`).want(t, 200); !bytes.Contains(a.body, []byte(`{"`+note+`":"2024-10-04 08:09:39"}`)) {
		t.Errorf("%s", a.body)
	}
	if a := w.ask(fred, "GET", "/analyst_data/index/Note/uuid[]:"+note+".json", nil).want(t, 200); !bytes.Contains(a.body, []byte(`"note":"n"`)) {
		t.Errorf("%s", a.body)
	}
	if a := w.ask(fred, "POST", "/analyst_data/filterAnalystDataForPush", `{"Note":{"`+note+`":"2024-10-04 08:09:39","`+seen+`":"2024-10-04 08:09:39"}}`).want(t, 200); bytes.Contains(a.body, []byte(note)) || !bytes.Contains(a.body, []byte(seen)) {
		t.Errorf("%s", a.body)
	}
	w.ask(rita, "POST", "/galaxies/pushCluster", `[{"GalaxyCluster":{"uuid":"`+cluster+`","value":"v","type":"t","version":"1","distribution":"3","default":false,"Galaxy":{"name":"T","type":"t","uuid":"`+seen+`"}}}]`).want(t, 200)
	if a := w.ask(fred, "POST", "/galaxy_clusters/restSearch", `{"published":1,"minimal":1,"custom":1}`).want(t, 200); string(a.body) != `{"response":[{"GalaxyCluster":{"uuid":"`+cluster+`","version":"1"}}]}` {
		t.Errorf("%s", a.body)
	}
	if a := w.ask(fred, "GET", "/galaxy_clusters/view/"+cluster, nil).want(t, 200); !bytes.Contains(a.body, []byte(`"value":"v"`)) {
		t.Errorf("%s", a.body)
	}
	w.ask(fred, "POST", "/events/pushProposals/"+eventA, `[{"uuid":"`+proposal+`","type":"domain","category":"Network activity","value":"p.example","timestamp":"1700000600","event_uuid":"`+eventA+`"}]`).want(t, 200)
	if a := w.ask(rita, "GET", "/shadow_attributes/index/all:1/timestamp:1690000000/limit:1000/page:1/deleted[]:0/deleted[]:1.json", nil).want(t, 200); !bytes.Contains(a.body, []byte("p.example")) {
		t.Errorf("%s", a.body)
	}
	if a := w.ask(alien, "GET", "/shadow_attributes/index/all:1.json", nil).want(t, 200); string(a.body) != "[]" {
		t.Errorf("%s", a.body)
	}
}

// What came as STIX is an event too: a report with what it names and the viewer may have.
func TestMISPServesReportsOfOthers(t *testing.T) {
	w := newMISPWorld(t, nil)
	green := label.For(label.Green)
	const report, shown, kept = "5e7d6a5e-0000-4000-8000-00000000ab01", "5e7d6a5e-0000-4000-8000-00000000ab02", "5e7d6a5e-0000-4000-8000-00000000ab03"
	head := `"spec_version":"2.1","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-02T00:00:00.000Z"`
	v := w.admin()
	v.Org, v.Nation, v.Roles = ruritania, "RUR", []string{gate.RoleAnalyst}
	out, err := w.n.exchange.Accept(t.Context(), v, exchange.Submission{Via: "taxii", Default: &green, Objects: [][]byte{
		[]byte(`{"type":"indicator","id":"indicator--` + shown + `",` + head + `,"pattern":"[domain-name:value = 'c2.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"}`),
		[]byte(`{"type":"indicator","id":"indicator--` + kept + `",` + head + `,"pattern":"[domain-name:value = 'kept.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","object_marking_refs":["` + label.TLPMarkingID(label.Red, false) + `"]}`),
		[]byte(`{"type":"report","id":"report--` + report + `",` + head + `,"name":"As STIX","published":"2026-01-02T00:00:00Z","object_refs":["indicator--` + shown + `","indicator--` + kept + `"]}`),
	}})
	must(t, err)
	for _, o := range out {
		if !o.Stored() {
			t.Fatal(o)
		}
	}
	if a := w.ask(fred, "POST", "/events/index", `{"minimal":1,"published":1}`).want(t, 200); !bytes.Contains(a.body, []byte(report)) || !bytes.Contains(a.body, []byte(`"timestamp":"1767312000"`)) {
		t.Errorf("%s", a.body)
	}
	a := w.ask(fred, "GET", "/events/view/"+report+pullParams, nil).want(t, 200)
	if !bytes.Contains(a.body, []byte(`"value":"c2.example"`)) || bytes.Contains(a.body, []byte("kept.example")) || !bytes.Contains(a.body, []byte(`"info":"As STIX"`)) {
		t.Errorf("%s", a.body)
	}
	w.ask(rita, "POST", "/attributes/add/"+report, `{"type":"domain","value":"x.example"}`).want(t, 403)
}

// Elements of others that claim to be part of an event are not.
func TestMISPEventsTakeNothingFromOthers(t *testing.T) {
	w := newMISPWorld(t, nil)
	w.ask(rita, "POST", "/events/add/metadata:1", pushed("1700000000", "3", uuidRuritania, "")).want(t, 200)
	e := &misp.Event{UUID: eventA, Info: "x", Date: "2026-01-01", Timestamp: "1700000000", Distribution: "3", Published: misp.True,
		Attributes: misp.List[misp.Attribute]{{UUID: "5e7d6a5e-0000-4000-8000-00000000ac01", Type: "domain", Value: "planted.example", ToIDs: misp.True, Timestamp: "1700000000"}}}
	items, _ := misp.ToSTIX(e, misp.Options{})
	v := w.admin()
	v.Org, v.Nation, v.Roles = freedonia, "FRE", []string{gate.RoleAnalyst}
	green := label.For(label.Green)
	for _, it := range items[:len(items)-1] { // all but a report of its own
		_, err := w.n.exchange.Accept(t.Context(), v, exchange.Submission{Via: "taxii", Default: &green, Objects: [][]byte{it.Raw}})
		must(t, err)
	}
	if a := w.ask(ursula, "GET", "/events/view/"+eventA, nil).want(t, 200); bytes.Contains(a.body, []byte("planted.example")) || !bytes.Contains(a.body, []byte("a.example")) {
		t.Errorf("%s", a.body)
	}
	if a := w.ask(ursula, "POST", "/attributes/restSearch", `{"returnFormat":"json","value":"planted.example"}`).want(t, 200); bytes.Contains(a.body, []byte("planted.example")) {
		t.Errorf("%s", a.body)
	}
}
