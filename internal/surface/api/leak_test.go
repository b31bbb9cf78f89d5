package api

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const (
	hiddenUUID    = "0c7b5b88-8ff7-4a4d-aa9d-feb398cd0061"
	hiddenID      = "identity--" + hiddenUUID
	heldUUID      = "1c7b5b88-8ff7-4a4d-aa9d-feb398cd0061"
	hiddenName    = "Unmentionable"
	hiddenContent = "what is hidden from the outsider, and what it sends itself"
	hiddenValue   = "hidden.example"
	visibleUUID   = "2c7b5b88-8ff7-4a4d-aa9d-feb398cd0061"
	unknownMark   = `,"object_marking_refs":["marking-definition--11111111-2222-4333-8444-555555555555"]`
)

// probe is one request that the outsider makes.
type probe struct{ path, body string }

// asks has, for every route, what the outsider asks of it. A route without a row fails the test.
var asks = map[string][]probe{
	"GET /me":           {{"/me", ""}},
	"GET /version":      {{"/version", ""}},
	"GET /openapi.json": {{"/openapi.json", ""}, {"/openapi.json?all=true", ""}},
	"GET /stats":        {{"/stats", ""}},
	"GET /config":       {{"/config", ""}},
	"GET /journal":      {{"/journal", ""}, {"/journal?limit=1", ""}, {"/journal?sort=newest&limit=1", ""}, {"/journal?actor=local&verb=root&since=2020-01-01", ""}, {"/journal?sort=odd", ""}},
	"GET /backup":       {{"/backup", ""}},
	"GET /objects": {{"/objects", ""}, {"/objects?limit=1", ""}, {"/objects?headers=true", ""}, {"/objects?id=" + hiddenID, ""}, {"/objects?name=" + hiddenName, ""},
		{"/objects?type=identity&version=all&spec=2.1", ""}, {"/objects?ref=" + hiddenID, ""}, {"/objects?tlp=red", ""}, {"/objects?collection=secret", ""},
		{"/objects?added_after=2020-01-01", ""}, {"/objects?nonsense=1", ""}},
	"GET /objects/{id}":          {{"/objects/" + hiddenID, ""}, {"/objects/" + hiddenID + "?version=all", ""}, {"/objects/identity--" + heldUUID, ""}, {"/objects/" + hiddenID + "?collection=secret", ""}},
	"DELETE /objects/{id}":       {{"/objects/" + hiddenID + "?collection=open", ""}, {"/objects/" + hiddenID + "?collection=secret", ""}, {"/objects/" + hiddenID, ""}},
	"GET /objects/{id}/raw":      {{"/objects/" + hiddenID + "/raw", ""}, {"/objects/" + hiddenID + "/raw?version=2026-01-01T00:00:00.000Z", ""}},
	"GET /objects/{id}/versions": {{"/objects/" + hiddenID + "/versions", ""}},
	"GET /objects/{id}/why":      {{"/objects/" + hiddenID + "/why", ""}, {"/objects/" + hiddenID + "/why?org=Erewhon+CERT&lang=de", ""}},
	"GET /objects/{id}/holders":  {{"/objects/" + hiddenID + "/holders", ""}},
	"POST /objects/{id}/purge":   {{"/objects/" + hiddenID + "/purge?dry_run=true", ""}, {"/objects/" + hiddenID + "/purge", ""}},
	"GET /export":                {{"/export?format=ndjson", ""}, {"/export?format=ndjson&id=" + hiddenID, ""}, {"/export?format=ndjson&collection=secret", ""}, {"/export?format=misp", ""}, {"/export?format=misp&collection=secret", ""}},
	"GET /blobs":                 {{"/blobs", ""}, {"/blobs?limit=1", ""}, {"/blobs?limit=0", ""}, {"/blobs?next=AAAA", ""}},
	"GET /blobs/{id}":            {{"/blobs/HIDDEN", ""}, {"/blobs/nonsense", ""}},
	"DELETE /blobs/{id}":         {{"/blobs/HIDDEN", ""}},
	"GET /blobs/{id}/content":    {{"/blobs/HIDDEN/content", ""}, {"/blobs/HIDDEN/content?zip=true", ""}},
	"GET /blobs/{id}/holders":    {{"/blobs/HIDDEN/holders", ""}},
	"POST /blobs/{id}/purge":     {{"/blobs/HIDDEN/purge", ""}},
	"GET /objects/{id}/blobs":    {{"/objects/" + artifactID(hiddenContent) + "/blobs", ""}, {"/objects/" + hiddenID + "/blobs", ""}, {"/objects/identity--" + heldUUID + "/blobs?version=all", ""}},
	"POST /objects/{id}/label":   {{"/objects/" + hiddenID + "/label", `{"label":"tlp:red"}`}, {"/objects/" + hiddenID + "/label?dry_run=true", `{"label":"tlp:clear"}`}, {"/objects/identity--" + visibleUUID + "/label", `{"label":"tlp:red"}`}},
	"POST /review":               {{"/review", object(hiddenUUID, "mine", "")}, {"/review", "see " + hiddenValue}},
	// The content that is hidden here must be taken as new, once.
	"POST /blobs":                     {{"/blobs?name=mine&label=tlp:red", hiddenContent}, {"/blobs?name=mine&label=tlp:red", hiddenContent}, {"/blobs?label=tlp:blue", "x"}, {"/blobs?name=open&label=tlp:clear", hiddenContent}},
	"GET /collections":                {{"/collections", ""}, {"/collections?all=true", ""}, {"/collections?root=hidden", ""}},
	"POST /collections":               {{"/collections", `{"title":"x","alias":"secret","read":[],"write":[]}`}},
	"GET /collections/{name}":         {{"/collections/secret", ""}},
	"PUT /collections/{name}":         {{"/collections/secret", `{"title":"x","read":[],"write":[]}`}},
	"DELETE /collections/{name}":      {{"/collections/secret", ""}},
	"GET /roots":                      {{"/roots", ""}, {"/roots?all=true", ""}},
	"POST /roots":                     {{"/roots", `{"path":"hidden","title":"x"}`}},
	"GET /users":                      {{"/users", ""}},
	"POST /users":                     {{"/users", `{"name":"spy","roles":["reader"],"password":"a long enough phrase"}`}},
	"PATCH /users/{name}":             {{"/users/spy", `{"disabled":true}`}},
	"DELETE /users/{name}":            {{"/users/spy", ""}},
	"GET /tokens":                     {{"/tokens", ""}},
	"POST /tokens":                    {{"/tokens", `{"name":"t","roles":["reader"]}`}},
	"DELETE /tokens/{id}":             {{"/tokens/x", ""}},
	"GET /certificates":               {{"/certificates", ""}},
	"POST /certificates":              {{"/certificates", `{"name":"c","roles":["reader"]}`}},
	"DELETE /certificates/{id}":       {{"/certificates/x", ""}},
	"GET /keys":                       {{"/keys", ""}},
	"GET /keys/log":                   {{"/keys/log", ""}},
	"POST /keys/rotate":               {{"/keys/rotate", `{"role":"node"}`}},
	"POST /keys/{id}/revoke":          {{"/keys/x/revoke", `{"reason":"r"}`}},
	"POST /keys/{id}/compromise":      {{"/keys/x/compromise", `{"from":"2026-01-01T00:00:00Z","reason":"r"}`}},
	"PUT /keys/{id}/address":          {{"/keys/x/address", `{"address":"x:1"}`}},
	"GET /card":                       {{"/card", ""}},
	"POST /keys/requests":             {{"/keys/requests", ""}},
	"POST /keys/requests/review":      {{"/keys/requests/review", "{}"}},
	"POST /keys/admit":                {{"/keys/admit", "{}"}},
	"POST /keys/join":                 {{"/keys/join", "{}"}},
	"POST /keys/drafts":               {{"/keys/drafts", `{"role":"node"}`}},
	"GET /keys/qr":                    {{"/keys/qr", ""}},
	"GET /peers":                      {{"/peers", ""}},
	"POST /peers":                     {{"/peers?nation=XER&fingerprint=x", "{}"}},
	"POST /peers/review":              {{"/peers/review", "{}"}},
	"GET /peers/{nation}":             {{"/peers/XER", ""}},
	"DELETE /peers/{nation}":          {{"/peers/XER", ""}},
	"GET /accords":                    {{"/accords", ""}},
	"POST /accords":                   {{"/accords", "x"}},
	"POST /accords/review":            {{"/accords/review", "x"}, {"/accords/review", "{}"}},
	"GET /accords/{name}":             {{"/accords/secret-pact", ""}, {"/accords/secret-pact?version=1&lang=de", ""}},
	"GET /accords/{name}/file":        {{"/accords/secret-pact/file", ""}},
	"POST /accords/{name}/sign":       {{"/accords/secret-pact/sign", ""}},
	"POST /accords/{name}/notice":     {{"/accords/secret-pact/notice", `{"verb":"suspend"}`}},
	"GET /objects/{id}/simulation":    {{"/objects/" + hiddenID + "/simulation", ""}, {"/objects/" + hiddenID + "/simulation?accord=secret-pact", ""}, {"/objects/identity--" + visibleUUID + "/simulation", ""}},
	"POST /objects/{id}/share":        {{"/objects/" + hiddenID + "/share", `{"accord":"secret-pact"}`}, {"/objects/" + hiddenID + "/share", `{"with":["RUR"],"not":true,"dry_run":true}`}},
	"POST /objects/{id}/retract":      {{"/objects/" + hiddenID + "/retract", `{"reason":"mine"}`}, {"/objects/identity--" + visibleUUID + "/retract", `{}`}},
	"GET /objects/{id}/given":         {{"/objects/" + hiddenID + "/given", ""}, {"/objects/identity--" + visibleUUID + "/given", ""}},
	"GET /releases":                   {{"/releases", ""}},
	"POST /releases/review":           {{"/releases/review", `{"key":"secret-pact|` + hiddenID + `"}`}, {"/releases/review", `{"key":"none","hours":1}`}},
	"GET /releases/file":              {{"/releases/file?key=secret-pact|" + hiddenID, ""}},
	"POST /releases/decide":           {{"/releases/decide", `{"key":"secret-pact|` + hiddenID + `","sign":true}`}},
	"GET /links":                      {{"/links", ""}},
	"GET /orgs":                       {{"/orgs", ""}},
	"POST /orgs":                      {{"/orgs", `{"name":"Secret Org","nation":"UTO"}`}},
	"PUT /orgs/{name}":                {{"/orgs/Secret%20Org", `{"nation":"UTO"}`}},
	"DELETE /orgs/{name}":             {{"/orgs/Secret%20Org", ""}},
	"GET /communities":                {{"/communities", ""}},
	"PUT /communities/{name}":         {{"/communities/x", `{"members":["Secret Org"]}`}},
	"DELETE /communities/{name}":      {{"/communities/x", ""}},
	"POST /accords/new":               {{"/accords/new", `{"kind":"bilateral","name":"secret-pact","parties":["UTO","XER"],"from":"2026-01-01"}`}, {"/accords/new", `{"kind":"treaty","name":"x"}`}},
	"POST /objects/{id}/simulation":   {{"/objects/" + hiddenID + "/simulation", "x"}, {"/objects/identity--" + visibleUUID + "/simulation", "x"}},
	"POST /links/{nation}/retry":      {{"/links/XER/retry", ""}},
	"GET /alarms":                     {{"/alarms", ""}},
	"GET /links/{nation}/logs":        {{"/links/RUR/logs", ""}},
	"GET /proofs":                     {{"/proofs", ""}},
	"GET /proofs/{id}":                {{"/proofs/x", ""}},
	"GET /proofs/{id}/file":           {{"/proofs/x/file", ""}},
	"POST /proofs/{id}/settlement":    {{"/proofs/x/settlement", `{"reason":"r"}`}},
	"POST /proofs/verify":             {{"/proofs/verify", "{}"}},
	"GET /decisions":                  {{"/decisions", ""}},
	"POST /decisions":                 {{"/decisions", `{"accord":"secret-pact","rule":"block","title":"x"}`}},
	"POST /decisions/review":          {{"/decisions/review", `{"accord":"secret-pact","rule":"block","title":"x"}`}},
	"POST /decisions/envelopes":       {{"/decisions/envelopes", "{}"}},
	"POST /decisions/verify":          {{"/decisions/verify", "{}"}},
	"POST /decisions/weights":         {{"/decisions/weights", "UTO = 1\n"}},
	"GET /decisions/{id}":             {{"/decisions/" + noDecision, ""}},
	"GET /decisions/{id}/proposal":    {{"/decisions/" + noDecision + "/proposal", ""}},
	"GET /decisions/{id}/ballot":      {{"/decisions/" + noDecision + "/ballot?choice=veto", ""}},
	"GET /decisions/{id}/certificate": {{"/decisions/" + noDecision + "/certificate?alone=true", ""}},
	"POST /decisions/{id}/position":   {{"/decisions/" + noDecision + "/position", `{"choice":"veto"}`}},
	"POST /decisions/{id}/second":     {{"/decisions/" + noDecision + "/second", ""}},
	"POST /decisions/{id}/report":     {{"/decisions/" + noDecision + "/report", `{"did":"executed"}`}},
	"GET /relay":                      {{"/relay", ""}},
	"GET /bundles":                    {{"/bundles", ""}},
	"POST /bundles":                   {{"/bundles", `{"nation":"XER"}`}, {"/bundles", `{"nation":"NON","dry_run":true}`}},
	"GET /bundles/key":                {{"/bundles/key?x=1", ""}},
	"POST /bundles/key":               {{"/bundles/key", "x"}},
	"POST /bundles/verify":            {{"/bundles/verify", "x"}},
	"POST /bundles/import":            {{"/bundles/import", "x"}},
	"POST /bundles/ack":               {{"/bundles/ack", `{"words":"x"}`}},
	"GET /bundles/{nation}/file":      {{"/bundles/XER/file", ""}, {"/bundles/NON/file", ""}},

	"GET /feeds":             {{"/feeds", ""}},
	"GET /feeds/{name}":      {{"/feeds/secret", ""}, {"/feeds/none", ""}},
	"POST /feeds/{name}/run": {{"/feeds/secret/run", ""}, {"/feeds/secret/run?dry_run=true", ""}},

	"GET /quarantine":               {{"/quarantine", ""}},
	"GET /quarantine/{id}":          {{"/quarantine/identity--" + heldUUID, ""}, {"/quarantine/AAAA", ""}},
	"POST /quarantine/{id}/release": {{"/quarantine/identity--" + heldUUID + "/release", `{}`}},
	"POST /quarantine/{id}/refuse":  {{"/quarantine/identity--" + heldUUID + "/refuse", ""}},
	// Last: it changes what the outsider itself has. The object that is hidden here must be taken as a new one.
	"POST /objects": {{"/objects?collection=secret", object(hiddenUUID, "mine", "")}, {"/objects?collection=open", object(hiddenUUID, "mine", "")},
		{"/objects", object(hiddenUUID, "mine", "")}, {"/objects", object("3c7b5b88-8ff7-4a4d-aa9d-feb398cd0061", "mine", `,"created_by_ref":"`+hiddenID+`"`)},
		{"/objects", object("4c7b5b88-8ff7-4a4d-aa9d-feb398cd0061", "mine", unknownMark)}},
}

// What may differ between any two answers: times, error ids, random ids and sealed tokens. Their lengths may not.
var differing = regexp.MustCompile(`"(added|since|at|last|succeeded|failed|created|seconds|error_id|next|version)":("[^"]*"|[0-9.e-]+)|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|blob--[0-9a-f]{32}`)

func normal(body string) string {
	return differing.ReplaceAllStringFunc(body, func(s string) string {
		name, value, ok := strings.Cut(s, ":")
		if !ok {
			if strings.HasSuffix(s, "feb398cd0061") {
				return s // an id of this test
			}
			return "UUID"
		}
		if name == `"next"` || name == `"error_id"` {
			return name + ":" + strings.Repeat("x", len(value))
		}
		return name + ":…"
	})
}

// TestTwoViewers asks every route as an outsider in two worlds that differ only in what is hidden from it: every answer must be the
// same.
func TestTwoViewers(t *testing.T) {
	worlds := [2]*world{newWorld(t), newWorld(t)}
	for i, w := range worlds {
		open, err := w.client(admin).AddCollection(t.Context(), PutCollection{Title: "Open", Alias: "open", Read: []string{}, Write: []string{}})
		w.must(err)
		clear := `,"object_marking_refs":["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"]`
		if s := w.importAll(admin, map[string][]string{"collection": {open.ID}}, object(visibleUUID, "Open to all", clear)); s.Added != 1 {
			t.Fatalf("%+v", s)
		}
		importArtifact(w, hiddenContent)
		if i == 0 {
			continue
		}
		// Hidden: a RED object, alone and in a collection that both know, a held one, a collection for nobody, a root for somebody else,
		// an account, an organisation.
		w.importAll(admin, map[string][]string{"collection": {open.ID}}, object(hiddenUUID, hiddenName, ""))
		w.importAll(admin, nil, `{"type":"domain-name","spec_version":"2.1","id":"domain-name--dd686e37-6889-53bd-8ae1-b1a503452613","value":"`+hiddenValue+`"}`)
		w.importAll(admin, nil, object(heldUUID, "held "+hiddenName, unknownMark))
		w.hideConstituents()
		w.setSensor()
		w.befriend()
		w.must(errOf(w.client(admin).AddAccord(t.Context(), []byte(strings.Replace(pact, "uto-rur", "secret-pact", 1)))))
		w.must(errOf(w.client(admin).AddRoot(t.Context(), rootFor("hidden", "UTO/Utopia CERT"))))
		w.must(errOf(w.client(admin).AddCollection(t.Context(), PutCollection{Title: hiddenName, Alias: "secret", Root: "hidden", Read: []string{}, Write: []string{}})))
		w.must(errOf(w.client(admin).AddUser(t.Context(), AddUser{Name: "spy", Org: "Secret Org", Roles: []string{"reader"}, Password: "a long enough phrase"})))
	}

	// A hidden blob, with the content that the outsider will send, and the id that it will try to guess in both worlds.
	hidden, err := worlds[1].client(admin).AddBlob(t.Context(), strings.NewReader(hiddenContent), url.Values{"name": {hiddenName}, "label": {"tlp:red"}})
	worlds[1].must(err)
	twin, err := worlds[1].client(admin).AddBlob(t.Context(), strings.NewReader(hiddenContent), url.Values{"name": {hiddenName}, "label": {"tlp:amber+strict"}})
	worlds[1].must(err)
	for _, w := range worlds {
		w.must(errOf(w.client(admin).AddBlob(t.Context(), strings.NewReader("open"), url.Values{"name": {"Open blob"}, "label": {"tlp:clear"}})))
	}

	for _, w := range worlds {
		w.must(w.index.Sync(t.Context()))
	}
	last := Route{}
	for _, r := range append(Routes(), last) {
		key := r.Method + " " + r.Path
		switch {
		case key == "POST /objects": // changes what the outsider has: asked last
			last = r
			continue
		case r.Method == "":
			key, r = last.Method+" "+last.Path, last
		}
		list := asks[key]
		if len(list) == 0 {
			t.Errorf("%s: nobody looks whether it leaks; give it a row in asks", key)
		}
		for _, q := range list {
			q.path = strings.ReplaceAll(q.path, "HIDDEN", hidden.Blob.ID)
			s0, b0 := worlds[0].ask(outsider, r.Method, q.path, q.body)
			s1, b1 := worlds[1].ask(outsider, r.Method, q.path, q.body)
			if s0 != s1 || normal(b0) != normal(b1) {
				t.Errorf("%s %s: what is hidden changes the answer:\n%d %s\n%d %s", r.Method, q.path, s0, normal(b0), s1, normal(b1))
			}
			if s0 >= 500 {
				t.Errorf("%s %s: %d %s", r.Method, q.path, s0, b0)
			}
			if strings.Contains(b1, hiddenName) || strings.Contains(b1, "Secret Org") || strings.Contains(b1, "Ruritania") {
				t.Errorf("%s %s: %s", r.Method, q.path, b1)
			}
		}
	}
	for key := range asks {
		if !routeExists(key) {
			t.Errorf("%s is no route", key)
		}
	}
	// The outsider did see something, and could store something: the answers were not equal because all were refusals.
	for i, w := range worlds {
		if _, body := w.ask(outsider, "GET", "/objects", ""); !strings.Contains(body, "Open to all") || strings.Count(body, `"name":"mine"`) < 2 {
			t.Errorf("world %d: the outsider sees %s", i, body)
		}
	}
	for i, w := range worlds {
		if _, body := w.ask(outsider, "GET", "/blobs", ""); strings.Count(body, `"id"`) != 3 || !strings.Contains(body, "Open blob") {
			t.Errorf("world %d: the outsider sees the blobs %s", i, body)
		}
	}
	for _, id := range []string{hidden.Blob.ID, twin.Blob.ID} {
		if status, body := worlds[1].ask(admin, "GET", "/blobs/"+id+"/content", ""); status != 200 || body != hiddenContent {
			t.Errorf("the hidden blob: %d %s", status, body)
		}
	}
	// The hidden object is there, and is what it was.
	if status, body := worlds[1].ask(admin, "GET", "/objects/"+hiddenID+"/raw?version=first", ""); status != 200 || !strings.Contains(body, hiddenName) {
		t.Errorf("the hidden object: %d %s", status, body)
	}
}

func routeExists(key string) bool {
	for _, r := range Routes() {
		if key == r.Method+" "+r.Path {
			return true
		}
	}
	return false
}

// TestNobodyMayNothing asks every route as a viewer without a role: nothing that needs a right is answered.
func TestNobodyMayNothing(t *testing.T) {
	w := newWorld(t)
	nobody := admin
	nobody.Roles = nil
	for _, r := range Routes() {
		for _, q := range asks[r.Method+" "+r.Path] {
			status, body := w.ask(nobody, r.Method, q.path, q.body)
			if r.Needs != 0 && status != 403 {
				t.Errorf("%s %s: %d %s", r.Method, q.path, status, body)
			}
		}
	}
}
