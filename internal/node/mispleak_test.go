package node

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"entente/internal/shareddata"
	"entente/internal/surface/mispapi"
	"entente/misp"
)

// Two worlds differ only in what a viewer may not see. Everything that it asks over MISP is answered with the same bytes.
func TestMISPAnswersDoNotDependOnWhatIsHidden(t *testing.T) {
	const hidden, open, secret, red, cluster, note, proposal = "5e7d6a5e-0000-4000-8000-0000000000f1", eventA, "5e7d6a5e-0000-4000-8000-0000000000f2", "5e7d6a5e-0000-4000-8000-0000000000f3",
		"5e7d6a5e-0000-4000-8000-0000000000f4", "5e7d6a5e-0000-4000-8000-0000000000f5", "5e7d6a5e-0000-4000-8000-0000000000f6"
	type step struct{ who, method, path, body string }
	fill := func(w *mispWorld, dark bool) {
		ask := func(s step) { t.Helper(); w.ask(s.who, s.method, s.path, s.body).want(t, 200) }
		inside := ""
		if dark {
			inside = `,{"uuid":"` + red + `","type":"domain","category":"Network activity","to_ids":true,"value":"hidden.example","timestamp":"1700000000","Tag":[{"name":"tlp:red"}]}`
			ask(step{rita, "POST", "/events/add/metadata:1", strings.NewReplacer(eventA, hidden, attrA, secret, "a.example", "hidden2.example").Replace(pushed("1700000000", "3", uuidRuritania, `,"Tag":[{"name":"tlp:red"},{"name":"covert:operation"}]`))})
			ask(step{rita, "POST", "/events/add", `{"Event":{"uuid":"5e7d6a5e-0000-4000-8000-0000000000f7","info":"unsent","timestamp":"1700000000","date":"2026-01-01","distribution":"0","Tag":[{"name":"tlp:clear"}]}}`})
		}
		raw := pushed("1700000000", "3", uuidRuritania, "")
		raw = strings.Replace(raw, `"distribution":"5"}]`, `"distribution":"5"}`+inside+`]`, 1)
		ask(step{rita, "POST", "/events/add/metadata:1", raw})
		if dark {
			ask(step{rita, "POST", "/sightings/bulkSaveSightings/" + hidden, `[{"uuid":"` + note + `","attribute_uuid":"` + secret + `","date_sighting":"1700000900","type":"0"}]`})
			ask(step{rita, "POST", "/sightings/add/" + red, `{"type":"0","timestamp":"1700000901"}`})
			ask(step{rita, "POST", "/galaxies/pushCluster", `[{"GalaxyCluster":{"uuid":"` + cluster + `","value":"hidden","type":"dark","version":"1","distribution":"0","Galaxy":{"name":"D","type":"dark"}}}]`})
			ask(step{rita, "POST", "/analyst_data/pushAnalystData", `{"Note":{"uuid":"` + note + `","object_uuid":"` + attrA + `","object_type":"Attribute","distribution":"0","modified":"2024-10-04 08:09:39","note":"hidden"}}`})
			ask(step{rita, "POST", "/events/pushProposals/" + hidden, `[{"uuid":"` + proposal + `","type":"domain","category":"Network activity","value":"hidden3.example","timestamp":"1700000600"}]`})
		}
	}
	script := []step{
		{"", "POST", "/events/index", `{}`},
		{"", "POST", "/events/index", `{"minimal":1,"published":1}`},
		{"", "POST", "/events/index", `{"minimal":1,"tag":["covert%"]}`},
		{"", "POST", "/events/index", `{"minimal":1,"org":["!somebody"]}`},
		{"", "POST", "/events/index", `{"limit":1,"page":1}`},
		{"", "GET", "/events/view/" + open + pullParams, ""},
		{"", "GET", "/events/view/" + hidden, ""},
		{"", "HEAD", "/events/view/" + hidden, ""},
		{"", "POST", "/events/filterEventIdsForPush", `[{"Event":{"uuid":"` + hidden + `","timestamp":"1"}},{"Event":{"uuid":"` + open + `","timestamp":"1"}}]`},
		{"", "POST", "/events/restSearch", `{"returnFormat":"json"}`},
		{"", "POST", "/events/restSearch", `{"returnFormat":"json","value":"hidden.example"}`},
		{"", "POST", "/attributes/restSearch", `{"returnFormat":"json"}`},
		{"", "POST", "/attributes/restSearch", `{"returnFormat":"json","limit":1,"page":2}`},
		{"", "POST", "/attributes/restSearch", `{"returnFormat":"text","value":"hidden%"}`},
		{"", "GET", "/attributes/view/" + red, ""},
		{"", "GET", "/attributes/view/" + secret, ""},
		{"", "GET", "/tags/index", ""},
		{"", "GET", "/tags/search/covert", ""},
		{"", "POST", "/sightings/restSearch/event", `{"uuid":["` + open + `","` + hidden + `"]}`},
		{"", "POST", "/sightings/restSearch/attribute", `{"uuid":"` + red + `"}`},
		{"", "POST", "/sightings/index", `{}`},
		{"", "POST", "/sightings/filterSightingUuidsForPush/" + open, `["` + note + `"]`},
		{"", "POST", "/sightings/bulkSaveSightings/" + hidden, `[{"attribute_uuid":"` + secret + `","date_sighting":"1"}]`},
		{"", "POST", "/sightings/bulkSaveSightings/" + open, `[{"uuid":"5e7d6a5e-0000-4000-8000-0000000000f9","attribute_uuid":"` + red + `","date_sighting":"1"}]`},
		{"", "POST", "/sightings/add", `{"value":"hidden.example"}`},
		{"", "POST", "/galaxy_clusters/restSearch", `{"custom":1}`},
		{"", "GET", "/galaxy_clusters/view/" + cluster, ""},
		{"", "GET", "/galaxies/index", ""},
		{"", "POST", "/analyst_data/indexMinimal", `{}`},
		{"", "GET", "/analyst_data/index/Note/uuid[]:" + note + ".json", ""},
		{"", "POST", "/analyst_data/filterAnalystDataForPush", `{"Note":{"` + note + `":"2020-01-01 00:00:00"}}`},
		{"", "GET", "/shadow_attributes/index/all:1/limit:1000/page:1.json", ""},
		{"", "GET", "/servers/getVersion", ""},
		{"", "GET", "/servers/getAvailableSyncFilteringRules", ""},
		{"", "GET", "/users/view/me", ""},
		{"", "GET", "/organisations/index", ""},
		{"", "GET", "/sharingGroups/index", ""},
		{"", "POST", "/events/edit/" + hidden + "/metadata:1", strings.ReplaceAll(pushed("1800000000", "3", uuidFreedonia, ""), eventA, hidden)},
		{"", "POST", "/events/delete/" + hidden, `{}`},
		{"", "POST", "/tags/attachTagToObject", `{"uuid":"` + red + `","tag":"x"}`},
		{"", "POST", "/attributes/edit/" + red, `{"value":"x.example"}`},
		{"", "POST", "/events/pushProposals/" + hidden, `[{"uuid":"` + proposal + `","type":"domain","value":"x.example","timestamp":"1"}]`},
		{"", "POST", "/events/add/metadata:1", strings.NewReplacer(eventA, hidden, attrA, secret).Replace(pushed("1700000300", "3", uuidFreedonia, ""))},
		{"", "GET", "/events/view/" + hidden, ""},
		{"", "POST", "/events/index", `{"minimal":1}`},
	}
	unsaid := len(script)                                                    // what follows hands in, and so may be told, what is hidden
	for _, action := range slices.Sorted(slices.Values(mispapi.Actions())) { // and whatever else there is, with what is hidden
		for _, id := range []string{hidden, red} {
			script = append(script, step{"", "GET", "/" + action + "/" + id, ""},
				step{"", "POST", "/" + action + "/" + id, `{"uuid":"` + id + `","value":"hidden.example","tag":"covert:operation"}`})
		}
		script = append(script, step{"", "GET", "/" + action, ""}, step{"", "POST", "/" + action, `{"value":"hidden.example","tags":["covert:operation"]}`})
	}
	for _, who := range []string{fred, alien, rita} {
		var answers [2][]string
		for i, dark := range []bool{true, false} {
			w := newMISPWorld(t, nil)
			fill(w, dark)
			for _, s := range script {
				a := w.ask(who, s.method, s.path, s.body)
				text := ofTheNode.ReplaceAllString(fmt.Sprintf("%d %s\n%s", a.status, headersOf(a.header), a.body), "<node>")
				answers[i] = append(answers[i], anyUUID.ReplaceAllStringFunc(text, func(id string) string { // what an action makes has an id of its own
					if strings.HasPrefix(id, "5e7d6a5e-") {
						return id
					}
					return "<id>"
				}))
			}
		}
		if who == rita { // who may see it is told: the script does look where it is
			for i, s := range script[:7] {
				if i != 3 && i != 4 && answers[0][i] == answers[1][i] && !strings.Contains(s.path, "org") {
					t.Errorf("%s %s shows nothing of what is hidden from others", s.path, s.body)
				}
			}
			continue
		}
		for i := range script {
			if answers[0][i] != answers[1][i] {
				t.Errorf("%s asks %s %s %.80s and is told of what is hidden:\n%.600s\nand\n%.600s", who, script[i].method, script[i].path, script[i].body, answers[0][i], answers[1][i])
			}
			if i < unsaid && strings.Contains(answers[0][i], "hidden.example") {
				t.Errorf("%s: %s", script[i].path, answers[0][i])
			}
		}
	}
}

var ofTheNode = regexp.MustCompile(`127\.0\.0\.1:[0-9]+|"authkey":"[0-9A-Za-z]{40}"`) // and the asker's own key

func headersOf(h http.Header) string {
	var out []string
	for name, v := range h {
		if name != "Date" {
			out = append(out, name+"="+strings.Join(v, ","))
		}
	}
	slices.Sort(out)
	return strings.Join(out, ";")
}

// Every event of the shared feed comes back as it was pushed, but for what this instance says itself: numbers, distributions, defaults.
func TestMISPFeedReturns(t *testing.T) {
	w := newMISPWorld(t, nil)
	files, err := filepath.Glob(filepath.Join(shareddata.Dir(t, "misp", "feed-sample"), "*-*.json"))
	must(t, err)
	attributes := 0
	for _, f := range files {
		raw, err := os.ReadFile(f)
		must(t, err)
		in, err := misp.Parse(raw)
		must(t, err)
		if misp.UUID(in[0].UUID) == "" {
			w.ask(rita, "POST", "/events/add", raw).want(t, 400)
			continue
		}
		pushedAs := w.ask(rita, "POST", "/events/add", raw)
		if pushedAs.status != 200 {
			t.Errorf("%s: %d %.300s", filepath.Base(f), pushedAs.status, pushedAs.body)
			continue
		}
		refused := pushedAs.header.Get("X-Entente-Refused")
		view := w.ask(rita, "GET", "/events/view/"+in[0].UUID+"/deleted[]:0/deleted[]:1", nil).want(t, 200)
		out, err := misp.Parse(view.body)
		must(t, err)
		a, b := plainEvent(in[0]), plainEvent(out[0])
		for id, text := range a {
			if b[id] != text && !strings.Contains(refused, id) {
				t.Errorf("%s: %s differs:\n%.700s\nand\n%.700s", filepath.Base(f), id, text, b[id])
			}
			attributes++
		}
		if len(b) > len(a) {
			t.Errorf("%s: %d elements became %d", filepath.Base(f), len(a), len(b))
		}
	}
	if attributes < 3000 {
		t.Errorf("only %d elements were compared", attributes)
	}
}

// plainEvent is the elements of an event by uuid, without what an instance adds.
func plainEvent(e *misp.Event) map[string]string {
	out := map[string]string{}
	put := func(id string, v any) {
		if id == "" {
			return // its uuid is given here
		}
		raw, _ := misp.Encode(v)
		raw = bytes.ReplaceAll(raw, []byte(`,"local":false`), nil)
		out[strings.ToLower(id)] = string(raw)
	}
	attribute := func(a misp.Attribute) misp.Attribute {
		a.ID, a.EventID, a.ObjectID, a.SharingGroupID, a.SharingGroup, a.Distribution = "", "", "", "", nil, ""
		if a.Category == "" {
			t, _ := misp.TypeByName(a.Type)
			a.Category = t.Category
		}
		if a.ToIDs == misp.Unset {
			t, _ := misp.TypeByName(a.Type)
			a.ToIDs = misp.FlagOf(t.ToIDs)
		}
		a.DisableCorrelation, a.Timestamp = misp.FlagOf(a.DisableCorrelation.True()), strings.TrimSpace(a.Timestamp)
		a.Deleted = misp.FlagOf(a.Deleted.True())
		a.UUID = strings.ToLower(a.UUID)
		a.Tags = slices.Clone(a.Tags)
		for i := range a.Tags {
			a.Tags[i].ID, a.Tags[i].Local = "", misp.FlagOf(a.Tags[i].Local.True())
		}
		return a
	}
	for _, a := range e.Attributes {
		if a.Timestamp != "" {
			put(a.UUID, attribute(a))
		}
	}
	for _, o := range e.Objects {
		o.ID, o.EventID, o.SharingGroupID, o.SharingGroup, o.Distribution = "", "", "", nil, ""
		o.Deleted = misp.FlagOf(o.Deleted.True())
		refs := slices.Clone(o.References)
		for i := range refs {
			refs[i].ID, refs[i].ObjectID, refs[i].ObjectUUID = "", "", ""
		}
		o.References = refs
		whole := o.Timestamp != "" && !slices.ContainsFunc(refs, func(r misp.ObjectReference) bool { return r.UUID == "" || r.Timestamp == "" })
		inner := o.Attributes
		o.Attributes = nil
		for _, a := range inner {
			whole = whole && a.UUID != "" && a.Timestamp != ""
			o.Attributes = append(o.Attributes, attribute(a))
		}
		if whole {
			put(o.UUID, o)
		}
	}
	return out
}
