package api

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"entente/internal/asset"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/register"
)

var registrar = func() gate.Viewer {
	v := admin
	v.Person, v.Roles = "rita", []string{gate.RoleRegistrar}
	return v
}()

const hiddenConstituent = "constituent--8e2e2d2b-17d4-4cbf-938f-feb398cd0061"

// What the outsider asks of the register.
var _ = func() bool {
	maps.Copy(asks, map[string][]probe{
		"GET /constituents": {{"/constituents", ""}, {"/constituents?q=" + hiddenName, ""}, {"/constituents?value=192.0.2.7", ""}, {"/constituents?sector=energy&all=true", ""},
			{"/constituents?limit=0", ""}, {"/constituents?next=AAAA", ""}},
		"POST /constituents":              {{"/constituents", `{"name":"` + hiddenName[:4] + `"}`}, {"/constituents", "{"}},
		"GET /constituents/match":         {{"/constituents/match?value=192.0.2.7", ""}, {"/constituents/match", ""}},
		"GET /constituents/verify":        {{"/constituents/verify", ""}},
		"GET /constituents/export":        {{"/constituents/export?format=csv", ""}, {"/constituents/export", ""}, {"/constituents/export?format=xml", ""}},
		"POST /constituents/import":       {{"/constituents/import?format=csv", "constituent,value\nx,192.0.2.0/24\n"}, {"/constituents/import?dry_run=true&format=json", "[]"}},
		"GET /constituents/{id}":          {{"/constituents/" + hiddenConstituent, ""}, {"/constituents/nonsense", ""}},
		"PUT /constituents/{id}":          {{"/constituents/" + hiddenConstituent, `{"name":"x","modified":"2026-01-01T00:00:00.000Z"}`}},
		"DELETE /constituents/{id}":       {{"/constituents/" + hiddenConstituent, ""}},
		"GET /constituents/{id}/versions": {{"/constituents/" + hiddenConstituent + "/versions", ""}},
	})
	asks["GET /objects"] = append(asks["GET /objects"], probe{"/objects?type=constituent&version=all", ""}, probe{"/objects?id=" + hiddenConstituent, ""},
		probe{"/objects?id=" + register.DefinitionID + "," + register.AuthorID, ""}, probe{"/objects?name=stadtwerke+" + hiddenName, ""})
	asks["GET /objects/{id}"] = append(asks["GET /objects/{id}"], probe{"/objects/" + hiddenConstituent, ""}, probe{"/objects/" + register.DefinitionID, ""})
	return true
}()

// hideConstituents fills the register with what the outsider may not know of.
func (w *world) hideConstituents() {
	w.t.Helper()
	review, err := w.client(admin).ImportConstituents(w.t.Context(), strings.NewReader(`{"id":"`+hiddenConstituent+`","name":"Stadtwerke `+hiddenName+`","sectors":["energy"],"networks":[{"range":"192.0.2.0/24"}]}`),
		url.Values{"format": {"json"}})
	w.must(err)
	if review.Added != 1 {
		w.t.Fatalf("%+v", review)
	}
}

// registerRows asks the routes of the register for what they answer.
func registerRows(do func(route, path, body string), last *string) {
	kept := func() (v asset.View) {
		json.Unmarshal([]byte(*last), &v)
		return v
	}
	do("POST /constituents", "/constituents", `{"name":"Stadtwerke","sectors":["energy"],"criticality":"vital","languages":["de"],"contacts":[{"name":"Desk","email":"desk@stadtwerke.example","hours":{"zone":"Europe/Berlin","mon":"08:00-17:00"},"receives":["alerts"]}],`+
		`"networks":[{"range":"192.0.2.0/24"}],"domains":[{"name":"stadtwerke.example","include_subdomains":true}],"certificates":[{"serial":"0a","issuer":"CN=x"}],"software":[{"vendor":"Microsoft","product":"Exchange Server"}],"asns":[64496]}`)
	made := kept()
	id := "/constituents/" + made.Constituent.ID
	do("GET /constituents", "/constituents?q=stadt&sector=energy&value=192.0.2.9&limit=1&all=true", "")
	do("GET /constituents/{id}", id, "")
	do("PUT /constituents/{id}", id, `{"name":"Stadtwerke","modified":"`+made.Version+`"}`)
	do("GET /constituents/{id}/versions", id+"/versions", "")
	do("POST /constituents/import", "/constituents/import?format=csv", "constituent,value\nHarbour,203.0.113.0/24\nHarbour,203.0.113.1/24\nStadtwerke,AS64497\n")
	do("POST /constituents/import", "/constituents/import?format=csv&dry_run=true&replace=true&constituent=x", "constituent,value\nHarbour,203.0.113.0/25\n")
	do("GET /constituents/match", "/constituents/match?value=203.0.113.7&value=nothing", "")
	do("GET /constituents/verify", "/constituents/verify", "")
	do("GET /constituents/export", "/constituents/export", "")
	do("GET /constituents/export", "/constituents/export?format=csv", "")
	do("DELETE /constituents/{id}", id, "")
}

func TestTwoPeopleDoNotOverwriteEachOther(t *testing.T) {
	w := newWorld(t)
	made, err := w.client(registrar).AddConstituent(t.Context(), &register.Constituent{Name: "Harbour", Networks: []register.Network{{Range: "192.0.2.0/24"}}})
	w.must(err)
	first, second := *made.Constituent, *made.Constituent
	first.Description, second.Description = "first", "second"
	changed, err := w.client(registrar).PutConstituent(t.Context(), first.ID, &first)
	w.must(err)
	if _, err := w.client(registrar).PutConstituent(t.Context(), second.ID, &second); fault.Of(err) != fault.Conflict {
		t.Errorf("the second change: %v", err)
	}
	if changed.Constituent.Previous != made.Digest || changed.Constituent.Created != made.Constituent.Created || changed.Version <= made.Version {
		t.Errorf("the new version does not follow the old: %+v", changed)
	}
	put := func(match, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "PUT", "http://node"+Prefix+"/constituents/"+first.ID, strings.NewReader(body))
		w.must(err)
		if match != "" {
			r.Header.Set("If-Match", match)
		}
		resp, err := w.as(registrar).RoundTrip(r)
		w.must(err)
		b, err := io.ReadAll(resp.Body)
		w.must(err)
		return resp.StatusCode, resp.Header.Get("ETag") + string(b)
	}
	for _, tc := range []struct {
		match, body string
		status      int
	}{
		{"", `{"name":"Harbour"}`, 400},
		{"2026", `{"name":"Harbour"}`, 400},
		{`"` + made.Version + `"`, `{"name":"Harbour"}`, 409},
		{`"` + changed.Version + `"`, `{"name":"Harbour","networks":[{"range":"192.0.2.1/24"}]}`, 400},
		{`"` + changed.Version + `"`, `{"name":"Harbour"}`, 200},
	} {
		if status, body := put(tc.match, tc.body); status != tc.status {
			t.Errorf("If-Match %s, %s: %d %s", tc.match, tc.body, status, body)
		} else if status == 200 && !strings.HasPrefix(body, `"20`) {
			t.Errorf("no ETag: %s", body)
		}
	}
}

func TestTheRegisterHasOneDoor(t *testing.T) {
	w := newWorld(t)
	made, err := w.client(registrar).AddConstituent(t.Context(), &register.Constituent{Name: "Harbour"})
	w.must(err)
	body, err := made.Constituent.Canonical()
	w.must(err)
	forged := strings.Replace(string(body), `"modified":"20`, `"modified":"29`, 1)
	var outcome string
	_, err = w.client(admin).Import(t.Context(), strings.NewReader(forged), nil, func(e Event) {
		if e.Outcome != nil {
			outcome = e.Outcome.Code
		}
	})
	w.must(err)
	if outcome != "object.unsigned" {
		t.Errorf("a version by the ordinary door: %s", outcome)
	}
	reader := admin
	reader.Roles = []string{gate.RoleReader, gate.RoleAnalyst}
	if _, err := w.client(reader).AddConstituent(t.Context(), &register.Constituent{Name: "x"}); fault.Of(err) != fault.Forbidden {
		t.Errorf("an analyst adds: %v", err)
	}
	if v, err := w.client(reader).VerifyConstituents(t.Context()); err != nil || !v.Sound || v.Versions != 1 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestAConstituentIsAddedOnceUnderAKey(t *testing.T) {
	w := newWorld(t)
	add := func() (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://node"+Prefix+"/constituents", strings.NewReader(`{"name":"Harbour"}`))
		w.must(err)
		r.Header.Set("Idempotency-Key", "k1")
		resp, err := w.as(registrar).RoundTrip(r)
		w.must(err)
		b, err := io.ReadAll(resp.Body)
		w.must(err)
		return resp.StatusCode, string(b)
	}
	s1, b1 := add()
	s2, b2 := add()
	if s1 != 201 || s2 != 201 || b1 != b2 {
		t.Errorf("%d %s\n%d %s", s1, b1, s2, b2)
	}
	if status, body := w.ask(registrar, "POST", "/constituents", `{"name":"harbour"}`); status != 409 {
		t.Errorf("the same name again: %d %s", status, body)
	}
}
