package api

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/accord"
	"entente/dsse"
	"entente/internal/accords"
	"entente/internal/decisions"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/keyring"
	"entente/internal/ledger"
	"entente/internal/record"
	"entente/internal/store"
	"entente/internal/store/sqlite"
	"entente/keylog"
	"entente/peer"
)

// federated is what joins the world's node to others. It works once it is started.
type federated struct {
	accords    *accords.Accords
	decisions  *decisions.Room
	federation *federation.Federation
}

func (w *world) Accords() *accords.Accords          { return w.accords }
func (w *world) Decisions() *decisions.Room         { return w.decisions }
func (w *world) Federation() *federation.Federation { return w.federation }

func (w *world) openFederation() {
	w.must(os.Mkdir(filepath.Join(w.dir, "ledger"), 0o700))
	l, err := ledger.Open(w.t.Context(), ledger.Config{Dir: filepath.Join(w.dir, "ledger")})
	w.must(err)
	w.t.Cleanup(func() { _ = l.Close() })
	theGate := func() *gate.Gate { return w.gate }
	w.accords, err = accords.New(w.t.Context(), accords.Config{Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational, Docs: w.st, Gate: theGate, Keys: w.signers, OrgOf: w.orgOf,
		Signer: func() (dsse.Signer, error) { return w.ring.Signer(keylog.RoleAccord) }})
	w.must(err)
	w.decisions, err = decisions.New(w.t.Context(), decisions.Config{Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational, Docs: w.st, Gate: theGate, Keys: w.keysOf, Log: tongue{w},
		Accord: func(d peer.Digest) (decisions.Accord, bool) {
			b, text, binds, goesOn := w.accords.Signed(d)
			return decisions.Accord{Bundle: b, Text: text, Active: binds, GoesOn: goesOn}, b != nil
		},
		Named: func(name string) (peer.Digest, bool) { d, ok := w.accords.Binding(name); return d, ok },
		Voter: func() (dsse.Signer, error) { return w.ring.Signer(keylog.RoleVote) },
		Node:  func() (dsse.Signer, error) { return w.ring.Signer(keylog.RoleNode) }})
	w.must(err)
	w.federation, err = federation.New(w.t.Context(), federation.Config{Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational, House: house{w.st.(*sqlite.Store), w}, Door: w.x,
		Ledger: l, Accords: w.accords, Decisions: w.decisions, Partners: partners{w}, Gate: theGate, Secret: w.ring.Secret("audience"),
		Originate: func() (dsse.Signer, error) { return w.ring.Signer(keylog.RoleOriginate) },
		Officer:   func() (dsse.Signer, error) { return w.ring.Signer(keylog.RoleRelease) },
		Node: func() (federation.NodeKey, error) {
			return w.signer(keylog.RoleNode).(federation.NodeKey), nil
		},
		Bundles: filepath.Join(w.dir, "bundles"), SealKeys: w.ring.SealKeys, SealKey: w.ring.SealStatement,
		Dial: func(federation.Partner) (string, peer.Doer) { return "https://nobody", nobody{} }, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil))})
	w.must(err)
	w.t.Cleanup(w.federation.Close)
}

func (w *world) signer(role keylog.Role) dsse.Signer {
	s, err := w.ring.Signer(role)
	w.must(err)
	return s
}

func (w *world) keysOf(nation string) *keylog.State {
	if nation == "UTO" {
		return w.ring.KeyState()
	}
	return w.peers.Keys(nation)
}

func (w *world) signers(nation, org string) (out []*dsse.Key) {
	if s := w.keysOf(nation); s != nil {
		for _, k := range s.Keys(org, keylog.RoleAccord, time.Now()) {
			out = append(out, k.Key)
		}
	}
	return out
}

func (w *world) orgOf(nation string) string {
	if nation == "UTO" {
		return "Utopia CERT"
	}
	p, _ := w.peers.Find(nation)
	return p.Org
}

// nobody answers no call.
type nobody struct{}

func (nobody) Do(*http.Request) (*http.Response, error) { return nil, errBroken }

// house is the store as the federation reads it.
type house struct {
	*sqlite.Store
	w *world
}

func (h house) own() gate.Scope { return h.w.gate.Own(time.Now()) }

func (h house) Follow(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error) {
	return h.Store.Follow(ctx, h.own(), after, limit)
}

func (h house) Page(ctx context.Context, q store.Query) (store.Page, error) {
	return h.Store.Page(ctx, h.own(), q)
}

type partners struct{ w *world }

func (p partners) Partners() (out []federation.Partner) {
	for _, k := range p.w.peers.List() {
		out = append(out, federation.Partner{Nation: k.Nation, Org: k.Org, Node: k.Node, Address: k.Address, Keys: p.w.peers.Keys(k.Nation)})
	}
	return out
}

func (p partners) Forked() []federation.Partner { return nil }

func (p partners) Learn(ctx context.Context, nation string, from int64, statements [][]byte) error {
	return errOf(p.w.peers.Extend(ctx, nation, from, statements))
}

func (p partners) Log(nation string) (*keylog.Log, error) { return p.w.peers.Log(nation) }
func (p partners) Fork(ctx context.Context, evidence []byte) error {
	return p.w.peers.TakeFork(ctx, evidence)
}
func (p partners) KeyLog() *keylog.Log      { return p.w.ring.KeyLog() }
func (p partners) Changed() <-chan struct{} { return p.w.peers.Changed() }

// befriend makes Ruritania known to the node, and gives its keys.
func (w *world) befriend() *keyring.Ring {
	w.t.Helper()
	ring, err := keyring.Create(w.t.TempDir(), keyring.Names{Nation: "RUR", Org: "Ruritania CERT"}, time.Now)
	w.must(err)
	card, err := ring.Card("node.rur.example:7443")
	w.must(err)
	w.must(errOf(w.peers.Add(w.t.Context(), "test", card, ring.KeyLog().Fingerprint())))
	return ring
}

// pact is the text of an accord between Utopia and Ruritania.
var pact = func() string {
	text, err := accord.New(accord.Template{Kind: "bilateral", Name: "uto-rur", Title: "Utopia and Ruritania", Nations: []string{"UTO", "RUR"},
		Orgs: map[string]string{"UTO": "Utopia CERT", "RUR": "Ruritania CERT"}, Effective: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		panic(err)
	}
	return string(text)
}()

// countersigned is the file of the pact, signed by the other side.
func (w *world) countersigned(text string, other *keyring.Ring) string {
	w.t.Helper()
	b, err := accord.NewBundle([]byte(text), keyring.Operational)
	w.must(err)
	s, err := other.Signer(keylog.RoleAccord)
	w.must(err)
	w.must(b.Sign(s))
	return string(b.Bytes())
}

const (
	incidentID  = "incident--6c7b5b88-8ff7-4a4d-aa9d-feb398cd0061"
	indicatorID = "indicator--6c7b5b88-8ff7-4a4d-aa9d-feb398cd0061"
	amber       = `,"object_marking_refs":["marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"]`
)

func sharedObjects() string {
	at := `"spec_version":"2.1","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z"`
	return `{"type":"incident","id":"` + incidentID + `",` + at + `,"name":"a breach"` + amber + `}
{"type":"indicator","id":"` + indicatorID + `",` + at + `,"name":"a loader","pattern":"[domain-name:value = 'evil.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"` + amber + `}`
}

// accordRows asks for accords, what goes out under them, and what becomes of it.
func accordRows(w *world, do func(route, path, body string), last *string) {
	other := w.befriend()
	text := pact
	do("POST /accords/new", "/accords/new", `{"kind":"bilateral","name":"uto-rur","title":"Utopia and Ruritania","parties":["UTO","RUR"],"gives":["indicators","sightings","incidents"],"from":"2026-01-01"}`)
	if b, _ := json.Marshal(text); !strings.Contains(*last, string(b)) {
		w.t.Errorf("a template: %s", *last)
	}
	do("POST /accords/review", "/accords/review?lang=de", text)
	do("POST /accords/review", "/accords/review", w.countersigned(text, other))
	if !strings.Contains(*last, `"nation":"RUR","org":"Ruritania CERT","have":1`) {
		w.t.Errorf("a signature that holds: %s", *last)
	}
	do("POST /accords/review", "/accords/review", `{"accord":"x"}`)
	do("POST /accords/review", "/accords/review", `accord "x" { nonsense = 1 }`)
	do("POST /accords", "/accords", text)
	do("POST /accords", "/accords", w.countersigned(text, other))
	do("GET /accords", "/accords", "")
	do("GET /accords/{name}", "/accords/uto-rur?version=1&lang=fr", "")
	do("POST /accords/{name}/sign", "/accords/uto-rur/sign?version=1", "")
	if !strings.Contains(*last, `"phase":"active"`) {
		w.t.Errorf("signed by both: %s", *last)
	}
	do("GET /accords/{name}/file", "/accords/uto-rur/file?version=1", "")
	amended := strings.Replace(strings.Replace(text, "version    = 1", "version    = 2", 1), "AMBER\n", "GREEN\n", 1)
	do("POST /accords/review", "/accords/review", amended)

	w.federation.Start()
	w.importAll(admin, nil, sharedObjects())
	do("GET /objects/{id}/simulation", "/objects/"+indicatorID+"/simulation?accord=uto-rur&lang=de", "")
	if !strings.Contains(*last, "der Empfängerkreis des Urhebers erreicht den Empfänger nicht namentlich") {
		w.t.Errorf("reasons in German: %s", *last)
	}
	do("GET /objects/{id}/simulation", "/objects/"+indicatorID+"/simulation?accord=uto-rur", "")
	do("GET /objects/{id}/simulation", "/objects/"+indicatorID+"/simulation?accord=uto-rur&version=1", "")
	do("POST /objects/{id}/simulation", "/objects/"+indicatorID+"/simulation", amended)
	if !strings.Contains(*last, `"supposed":true`) || !strings.Contains(*last, `"before":{`) || !strings.Contains(*last, `"phase":"draft"`) {
		w.t.Errorf("a draft is not told from what is in force: %s", *last)
	}
	if strings.Contains(*last, `"permit":true,"clause"`) {
		w.t.Errorf("nobody is named, and somebody would be given it: %s", *last)
	}
	for _, id := range []string{indicatorID, incidentID} {
		do("POST /objects/{id}/share", "/objects/"+id+"/share", `{"accord":"uto-rur","with":["RUR"],"reason":"agreed","dry_run":true}`)
		do("POST /objects/{id}/share", "/objects/"+id+"/share", `{"accord":"uto-rur"}`)
	}
	do("GET /objects/{id}/simulation", "/objects/"+indicatorID+"/simulation", "")
	if !strings.Contains(*last, `"permit":true`) || !strings.Contains(*last, `"body":"`) {
		w.t.Errorf("what is shared would not be given: %s", *last)
	}
	do("GET /objects/{id}/simulation", "/objects/"+incidentID+"/simulation", "")
	w.until("the indicator is given, and the incident waits", func() bool {
		do("GET /objects/{id}/given", "/objects/"+indicatorID+"/given", "")
		given := strings.Contains(*last, `"kind":"put"`)
		do("GET /releases", "/releases", "")
		return given && strings.Contains(*last, `"state":"waiting"`)
	})
	var waiting List[federation.Release]
	w.must(json.Unmarshal([]byte(*last), &waiting))
	decision, err := json.Marshal(ReleaseDecision{Key: waiting.Items[0].Key, Sign: true, Reason: "looked at"})
	w.must(err)
	do("POST /releases/decide", "/releases/decide", string(decision))
	do("GET /objects/{id}/given", "/objects/"+incidentID+"/given", "")
	if !strings.Contains(*last, `"kind":"put"`) {
		w.t.Errorf("released, and not given: %s", *last)
	}
	releaseRows(w, do, last)
	do("POST /objects/{id}/retract", "/objects/"+indicatorID+"/retract", `{"reason":"a mistake"}`)
	if strings.Contains(*last, `{"orders":0}`) { // one for each leaf that gave it
		w.t.Errorf("%s", *last)
	}
	_, err = w.x.Purge(w.t.Context(), admin, incidentID, false)
	w.must(err)
	for _, q := range []struct {
		role, id string
		want     int
	}{{gate.RoleOfficer, incidentID, 200}, {gate.RoleAnalyst, incidentID, 404}, {gate.RoleOfficer, hiddenID, 404}} { // purged, or never was
		v := admin
		v.Roles = []string{q.role}
		if status, body := w.ask(v, get, "/objects/"+q.id+"/given", ""); status != q.want {
			w.t.Errorf("%s: %d %s", q.role, status, body)
		}
	}
	w.until("the line to the partner was tried", func() bool {
		do("GET /links", "/links", "")
		return strings.Contains(*last, `"nation":"RUR"`)
	})
	do("GET /relay", "/relay", "")
	do("POST /links/{nation}/retry", "/links/RUR/retry", "")
	do("POST /accords/{name}/notice", "/accords/uto-rur/notice", `{"verb":"suspend","reason":"a leak"}`)
	if !strings.Contains(*last, `"phase":"suspended"`) {
		w.t.Errorf("%s", *last)
	}
	w.must(w.peers.Remove(w.t.Context(), "test", "RUR"))
}

// until waits for what other workers bring about.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("this did not come about: %s", what)
		}
	}
}

func TestAccordsOverTheInterface(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client(admin), t.Context()
	other, text := w.befriend(), pact

	review, err := c.ReviewAccord(ctx, []byte(text), "de")
	w.must(err)
	if len(review.Errors) > 0 || review.Text != text || review.Digest != accord.Digest([]byte(text)) || len(review.Sentences) < 10 || !strings.Contains(review.Sentences[0].Text, "Fassung") {
		t.Errorf("%+v", review)
	}
	bad, err := c.ReviewAccord(ctx, []byte("accord \"x\" {\n  tpl = 1\n}\n"), "")
	w.must(err)
	if len(bad.Errors) == 0 || bad.Errors[0].Line != 1 || bad.Errors[0].Column != 1 || bad.Text != "" {
		t.Errorf("%+v", bad)
	}
	v, err := c.AddAccord(ctx, []byte(text))
	w.must(err)
	if v.Phase != accords.Draft || v.Parties[1].Org != "Ruritania CERT" {
		t.Errorf("%+v", v)
	}
	if v, err = c.SignAccord(ctx, "uto-rur", 0); err != nil || v.Phase != accords.Proposed {
		t.Errorf("%+v %v", v, err)
	}
	if v, err = c.AddAccord(ctx, []byte(w.countersigned(text, other))); err != nil || v.Phase != accords.Active {
		t.Errorf("%+v %v", v, err)
	}
	var file bytes.Buffer
	w.must(c.AccordFile(ctx, v.Digest, 0, &file))
	if b, err := accord.ParseBundle(file.Bytes()); err != nil || len(b.Signatures) != 2 {
		t.Errorf("%s %v", file.Bytes(), err)
	}
	amended := strings.Replace(text, "version   = 1", "version   = 2\n  supersedes = "+quoted(v.Digest), 1)
	amended = strings.Replace(amended, `"tlp:amber"`, `"tlp:green"`, 1)
	if amended == text {
		t.Fatal("the text was not amended")
	}
	page, err := c.Accord(ctx, "uto-rur", 1, "")
	w.must(err)
	if page.Text != text || len(page.Changes) != 0 || page.Sentences[0].Text == "" {
		t.Errorf("%+v", page)
	}
	list, err := c.Accords(ctx)
	if err != nil || len(list) != 1 || list[0].Text != "" {
		t.Errorf("%+v %v", list, err)
	}
	if v, err = c.NotifyAccord(ctx, "uto-rur", accord.Suspend, "a leak"); err != nil || v.Phase != accords.Suspended || v.Notices[0].Reason != "a leak" {
		t.Errorf("%+v %v", v, err)
	}
	if v, err = c.NotifyAccord(ctx, "uto-rur", accord.Resume, ""); err != nil || v.Phase != accords.Active {
		t.Errorf("%+v %v", v, err)
	}
	_, journal := w.ask(admin, get, "/journal", "")
	for _, verb := range []string{"accord.add", "accord.sign", "accord.suspend", "accord.resume"} {
		if !strings.Contains(journal, `"`+verb+`"`) {
			t.Errorf("%s is not in the journal", verb)
		}
	}
}

// Who drafts an accord does not sign it, who shares does not release, and whoever is of another organisation may nothing.
func TestWhoMayDoWhatWithAccords(t *testing.T) {
	w := newWorld(t)
	w.befriend()
	w.must(errOf(w.client(admin).AddAccord(t.Context(), []byte(pact))))
	w.importAll(admin, nil, sharedObjects())
	asked := []struct{ method, path, body string }{
		{get, "/accords", ""}, {post, "/accords", pact}, {post, "/accords/uto-rur/sign", ""}, {post, "/accords/uto-rur/notice", `{"verb":"suspend"}`},
		{post, "/objects/" + indicatorID + "/share", `{"accord":"uto-rur"}`}, {post, "/releases/decide", `{"key":"none","sign":true}`},
	}
	for role, want := range map[string]string{ // what each may: see, draft, sign, suspend, share, release
		gate.RoleAdmin: "y-----", gate.RoleAnalyst: "yy--y-", gate.RoleOfficer: "yy-yy-", gate.RoleSignatory: "y-yy--", gate.RoleReleaser: "y----y", gate.RoleAuditor: "y-----", gate.RoleReader: "------",
	} {
		v := admin
		v.Roles = []string{role}
		got := ""
		for _, q := range asked {
			if status, _ := w.ask(v, q.method, q.path, q.body); status == 403 {
				got += "-"
			} else {
				got += "y"
			}
		}
		if got != want {
			t.Errorf("%s may %s, want %s", role, got, want)
		}
	}
}

// What cannot be done is refused with a reason that helps.
func TestAccordRefusals(t *testing.T) {
	w := newWorld(t)
	w.befriend()
	c, ctx := w.client(admin), t.Context()
	w.must(errOf(c.AddAccord(ctx, []byte(pact))))
	w.importAll(admin, nil, sharedObjects())
	foreign, err := accord.New(accord.Template{Kind: "bilateral", Name: "others", Nations: []string{"XER", "RUR"}, Effective: time.Now()})
	w.must(err)
	draft, err := accord.New(accord.Template{Kind: "alliance", Name: "all", Register: "x.members", Effective: time.Now()})
	w.must(err)
	share := func(s SharingRequest) error { return errOf(c.Share(ctx, indicatorID, s)) }
	const nothing = "no such thing"
	for name, tc := range map[string]struct {
		err  error
		kind fault.Kind
		says string
	}{
		"a text that is none":         {errOf(c.AddAccord(ctx, []byte("hello"))), fault.Unprocessable, "1:1"},
		"of others":                   {errOf(c.AddAccord(ctx, foreign)), fault.Unprocessable, "UTO is no party"},
		"without parties":             {errOf(c.AddAccord(ctx, draft)), fault.Unprocessable, "register"},
		"an accord that is none":      {errOf(c.Accord(ctx, "none", 0, "")), fault.NotFound, nothing},
		"a version that is none":      {errOf(c.Accord(ctx, "uto-rur", 7, "")), fault.NotFound, nothing},
		"a notice on a draft":         {errOf(c.NotifyAccord(ctx, "uto-rur", accord.Suspend, "")), fault.NotFound, nothing},
		"a version of no accord":      {errOf(c.Simulate(ctx, indicatorID, "", 2)), fault.Invalid, "name that, too"},
		"a version that is not there": {errOf(c.Simulate(ctx, indicatorID, "uto-rur", 9)), fault.NotFound, nothing},
		"supposing what is no accord": {errOf(c.Suppose(ctx, indicatorID, []byte("accord"))), fault.Unprocessable, ""},
		"supposing of what is hidden": {errOf(c.Suppose(ctx, hiddenID, []byte("accord"))), fault.NotFound, nothing},
		"sharing with no party":       {share(SharingRequest{Accord: "uto-rur", With: []string{"XER"}}), fault.Invalid, "XER"},
		"sharing under no accord":     {share(SharingRequest{Accord: "none"}), fault.NotFound, nothing},
		"sharing with a stranger":     {share(SharingRequest{With: []string{"XER"}}), fault.NotFound, nothing},
		"an object that is none":      {errOf(c.Simulate(ctx, hiddenID, "", 0)), fault.NotFound, nothing},
		"simulating no accord":        {errOf(c.Simulate(ctx, indicatorID, "none", 0)), fault.NotFound, nothing},
		"deciding on no release":      {errOf(c.DecideRelease(ctx, ReleaseDecision{Key: "none", Sign: true})), fault.NotFound, nothing},
		"too long a reason":           {errOf(c.Retract(ctx, indicatorID, strings.Repeat("x", 501))), fault.Invalid, "reason"},
		"retracting what is not here": {errOf(c.Retract(ctx, hiddenID, "")), fault.NotFound, nothing},
	} {
		if fault.Of(tc.err) != tc.kind || !strings.Contains(tc.err.Error(), tc.says) {
			t.Errorf("%s: %v, %v", name, fault.Of(tc.err), tc.err)
		}
	}
	if n, err := c.Retract(ctx, indicatorID, "given to nobody"); err != nil || n != 0 {
		t.Errorf("%d orders, %v", n, err)
	}
	if status, body := w.ask(admin, get, "/accords/uto-rur?version=x", ""); status != 400 || !strings.Contains(body, "version") {
		t.Errorf("%d %s", status, body)
	}
}

func TestSharingNamesParties(t *testing.T) {
	w := newWorld(t)
	w.befriend()
	c, ctx := w.client(admin), t.Context()
	w.must(errOf(c.AddAccord(ctx, []byte(pact))))
	w.importAll(admin, nil, sharedObjects())
	named := func() bool {
		o, err := c.Object(ctx, indicatorID, nil)
		w.must(err)
		return !o.Label.Audience.IsAll() && o.Label.Audience.Has("org:RUR/Ruritania CERT")
	}
	for _, step := range []struct {
		in    SharingRequest
		named bool
	}{
		{SharingRequest{Accord: "uto-rur", DryRun: true}, false},
		{SharingRequest{Accord: "uto-rur", Reason: "agreed"}, true},
		{SharingRequest{With: []string{"RUR"}, Not: true}, false},
		{SharingRequest{With: []string{"RUR"}}, true},
	} {
		done, err := c.Share(ctx, indicatorID, step.in)
		w.must(err)
		if len(done) != 1 || named() != step.named {
			t.Errorf("%+v: %+v", step.in, done)
		}
	}
}
