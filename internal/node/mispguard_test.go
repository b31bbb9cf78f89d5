package node

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/shareddata"
	"entente/internal/surface/mispapi"
	"entente/label"
	"entente/misp"
)

// guardScenario is one recorded request between two MISP instances, and whether it was let through.
type guardScenario struct {
	Name    string
	Host    string
	URL     string
	Method  string
	Client  struct{ IP string }
	Fixture string   `json:"fixture_file"`
	Status  int      `json:"expected_status_code"`
	Logs    []string `json:"expected_logs"`
}

func (g *guardScenario) reason() string {
	if len(g.Logs) == 0 {
		return ""
	}
	_, reason, _ := strings.Cut(g.Logs[0], " - ")
	return reason
}

func guardScenarios(t *testing.T, name string) (list []guardScenario) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(shareddata.Dir(t, "misp", "misp-guard", "src", "test"), name))
	must(t, err)
	must(t, json.Unmarshal(raw, &list))
	return list
}

func (g *guardScenario) fixture(t testing.TB) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(shareddata.Dir(t, "misp", "misp-guard", "src"), g.Fixture))
	must(t, err)
	return raw
}

// rules are those of the instance that the data come from.
func (g *guardScenario) rules(push bool) mispapi.Rules {
	r := mispapi.Rules{Tags: []string{"tlp:red"}, Distributions: []string{"0"}, SharingGroups: []string{"b9e656ba-b9c0-4506-83ed-7b54b43a57cb"},
		Types: []string{"passport-number", "email"}, Categories: []string{"Person"}, Objects: []string{"person"}}
	if push && strings.HasPrefix(g.Client.IP, "40.") || !push && strings.Contains(g.Host, "comp4") {
		r.Tags = append(r.Tags, "tlp:rainbow")
		r.Require = []string{"tlp"}
		r.Allow = map[string][]string{"tlp": {"tlp:clear", "tlp:white", "tlp:green"}}
	}
	return r
}

const guardEvent = "385283a1-b5e0-4e10-a532-dce11c365a56"

// Every recorded push: what was let through is stored, what was blocked is refused for the recorded reason.
func TestMISPGuardPushes(t *testing.T) {
	base := `{"Event":{"uuid":"` + guardEvent + `","info":"earlier","date":"2022-01-01","timestamp":"1000000000","distribution":"3","published":true,"Tag":[{"name":"tlp:clear"}]}}`
	worlds := map[bool]*mispWorld{}
	world := func(t *testing.T, g *guardScenario) *mispWorld {
		fresh := func() *mispWorld {
			w := newMISPWorld(t, func(c *Config) { c.MISP.Rules = g.rules(true) })
			return w
		}
		if g.Status == 200 {
			return fresh()
		}
		strict := strings.HasPrefix(g.Client.IP, "40.")
		if worlds[strict] == nil {
			worlds[strict] = fresh()
		}
		return worlds[strict]
	}
	for _, g := range guardScenarios(t, "test_push_scenarios.json") {
		w := world(t, &g)
		who := rita
		if g.reason() == "cannot reach compartment" {
			who = reader // an account without the right to hand anything in
		}
		edit := strings.Contains(g.URL, "/events/edit/")
		if strings.Contains(g.URL, guardEvent) || strings.Contains(g.URL, "Sightings/") {
			uuid := g.URL[strings.LastIndex(strings.TrimSuffix(g.URL, "/metadata:1"), "/")+1:]
			uuid = strings.TrimSuffix(uuid, "/metadata:1")
			if w.ask(rita, "HEAD", "/events/view/"+uuid, nil).status == 404 {
				w.ask(rita, "POST", "/events/add", strings.ReplaceAll(base, guardEvent, uuid)).want(t, 200)
			}
		}
		body := g.fixture(t)
		if !edit && strings.Contains(g.URL, "/events/add") { // the place is taken by the edits
			body = bytes.ReplaceAll(body, []byte(guardEvent), []byte("385283a1-b5e0-4e10-a532-dce11c365a57"))
		}
		a := w.ask(who, g.Method, g.URL, body)
		if a.status != g.Status {
			t.Errorf("%s (%s): %d, not %d: %.300s", g.Name, filepath.Base(g.Fixture), a.status, g.Status, a.body)
			continue
		}
		if reason := g.reason(); reason != "" && who == rita && !bytes.Contains(a.body, []byte(reason)) {
			t.Errorf("%s: refused for another reason than %q: %s", g.Name, reason, a.body)
		}
		if g.Status != 200 && !edit && strings.Contains(g.URL, "/events/add") {
			if got := w.ask(rita, "HEAD", "/events/view/385283a1-b5e0-4e10-a532-dce11c365a57", nil).status; got != 404 {
				t.Errorf("%s: refused and stored: %d", g.Name, got)
			}
		}
	}
}

// withheld are the pulls that end in another way than at a filter between two instances, and why.
var withheld = map[string]string{
	"test_event_blocked_tags.json":                          "RED reaches nobody but its originator: the event is not there (404)",
	"test_event_blocked_attribute_tags.json":                "RED reaches nobody but its originator: the event comes without the attribute",
	"test_event_blocked_object_attribute_tags.json":         "RED reaches nobody but its originator: the event comes without the object",
	"test_event_blocked_event_distribution.json":            "distribution 0 reaches nobody but its originator: the event is not there (404)",
	"test_event_blocked_attribute_distribution.json":        "distribution 0: the event comes without the attribute",
	"test_event_blocked_object_distribution.json":           "distribution 0: the event comes without the object",
	"test_event_blocked_object_attribute_distribution.json": "distribution 0: the event comes without the object",
	"test_event_blocked_event_report_distribution.json":     "distribution 0: the event comes without the report",
	"test_galaxy_cluster_blocked_distribution.json":         "distribution 0: the cluster is not there (404)",
	"test_analyst_note_blocked_distribution.json":           "distribution 0: the note is not there, and the list is empty",
	"test_analyst_opinion_blocked_distribution.json":        "distribution 0: the opinion is not there, and the list is empty",
	"test_analyst_relationship_blocked_distribution.json":   "distribution 0: the relationship is not there, and the list is empty",
	"test_shadow_attributes_blocked_tag.json":               "RED: the proposal is left out of the list, which has those of everybody",
	"test_shadow_attributes_blocked_distribution.json":      "a rule leaves the proposal out of the list, which has those of everybody",
	"test_shadow_attributes_blocked_sharing_group.json":     "a rule leaves the proposal out of the list, which has those of everybody",
	"test_shadow_attributes_blocked_type.json":              "a rule leaves the proposal out of the list, which has those of everybody",
	"test_shadow_attributes_blocked_category.json":          "a rule leaves the proposal out of the list, which has those of everybody",
	"test_event_blocked_required_blocked_tag.json":          "a TLP tag that is not understood counts as RED: the event is not there (404)",
	"test_event_blocked_required_allowed_tag.json":          "AMBER does not reach the community: the event is not there (404)",
}

// blocked are the uuids of what a fixture blocks: the elements of distribution 0, or with a tag.
func blocked(raw []byte, tag string) (ids []string) {
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			id, _ := v["uuid"].(string)
			if tags, _ := json.Marshal(v["Tag"]); id != "" && (tag == "" && v["distribution"] == "0" || tag != "" && bytes.Contains(tags, []byte(tag))) {
				ids = append(ids, id)
			}
			for _, item := range v {
				walk(item)
			}
		}
	}
	var v any
	if json.Unmarshal(raw, &v) == nil {
		walk(v)
	}
	return ids
}

// Every recorded pull: the node has what the recorded instance had, and gives it or not.
func TestMISPGuardPulls(t *testing.T) {
	for _, g := range guardScenarios(t, "test_pull_scenarios.json") {
		name := filepath.Base(g.Fixture)
		t.Run(g.Name, func(t *testing.T) {
			w := newMISPWorld(t, func(c *Config) { c.MISP.Rules = g.rules(false) })
			w.hold(&g, name)
			who := fred
			if g.reason() == "cannot reach compartment" {
				who = alien // in no community, so that GREEN does not reach it
			}
			var body any
			if g.Method == "POST" {
				body = "{}"
			}
			a := w.ask(who, g.Method, g.URL, body)
			why, differs := withheld[name]
			switch {
			case g.Status == 200:
				a.want(t, 200)
				if strings.Contains(g.URL, "/events/view/") && !bytes.Contains(a.body, []byte(guardEvent)) {
					t.Errorf("%.300s", a.body)
				}
			case who == alien:
				a.want(t, 404)
			case differs && strings.Contains(why, "404"):
				a.want(t, 404)
			case differs:
				a.want(t, 200)
				if !strings.Contains(g.URL, "/events/view/") {
					if string(a.body) != "[]" {
						t.Errorf("%s: %s", why, a.body)
					}
					return
				}
				tag := ""
				if strings.Contains(name, "_tags") {
					tag = "tlp:red"
				}
				ids := blocked(g.fixture(t), tag)
				if len(ids) == 0 {
					t.Error("the fixture blocks nothing")
				}
				for _, id := range ids {
					if bytes.Contains(a.body, []byte(id)) {
						t.Errorf("%s: %s is in %s", why, id, a.body)
					}
				}
			default:
				a.want(t, 403)
				if !bytes.Contains(a.body, []byte(g.reason())) {
					t.Errorf("blocked for another reason than %q: %s", g.reason(), a.body)
				}
			}
		})
	}
}

// hold stores what a fixture answers with, as the node's own organisation's, under the labels of its distributions.
func (w *mispWorld) hold(g *guardScenario, name string) {
	w.t.Helper()
	raw := g.fixture(w.t)
	own := w.admin()
	own.Roles = []string{gate.RoleAnalyst}
	p := misp.Policy{Origin: label.Org(own.Nation, own.Org), Reach: [4]label.Set{{}, label.All(), label.All(), label.All()}}
	green := label.For(label.Green)
	store := func(it misp.Item) {
		out, err := w.n.exchange.Accept(w.t.Context(), own, exchange.Submission{Objects: [][]byte{it.Raw}, Restrict: &it.Label, Default: &green, Via: "test"})
		must(w.t, err)
		if !out[0].Stored() {
			w.t.Fatalf("%s: %v", name, out)
		}
	}
	loose := func(kind, id string, l label.Label, text []byte) {
		it, ok := (&misp.Loose{Kind: kind, UUID: id, At: time.Unix(1_700_000_000, 0), Label: l, Text: text}).Item()
		if !ok {
			w.t.Fatal(id)
		}
		store(it)
	}
	var list []map[string]json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		var one map[string]json.RawMessage
		must(w.t, json.Unmarshal(raw, &one))
		list = append(list, one)
	}
	for _, m := range list {
		for kind, v := range m {
			var e struct {
				UUID         string
				Distribution string
				SharingGroup *misp.SharingGroup
				Tag          []misp.Tag
			}
			json.Unmarshal(v, &e)
			lab, _ := p.Within(label.Bottom(), false, nil, e.Distribution, nil, e.Tag)
			switch kind {
			case "Event":
				events, err := misp.Parse(raw)
				must(w.t, err)
				items, _ := misp.ToSTIX(events[0], misp.Options{Policy: p})
				for _, it := range items {
					store(it)
				}
			case "Note", "Opinion", "Relationship":
				if strings.HasPrefix(string(v), "{") {
					loose(strings.ToLower(kind), e.UUID, lab, v)
				}
			case "GalaxyCluster":
				loose("cluster", e.UUID, lab, v)
			case "ShadowAttribute":
				if e.Distribution == "0" || e.SharingGroup != nil {
					lab, _ = p.Within(label.Bottom(), false, nil, "3", nil, e.Tag) // proposals reach as far as their event: a rule alone tells
				}
				loose("proposal", e.UUID, lab, v)
			}
		}
	}
}
