package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/pquerna/otp/totp"

	"entente/internal/identity"
	"entente/internal/surface"
	"entente/internal/surface/api/apitest"
)

const lanterns = "seven lanterns on the hill"

func init() {
	maps.Copy(asks, map[string][]probe{
		"POST /me/password":            {{"/me/password", `{"present":"x","next":"y"}`}},
		"POST /me/totp":                {{"/me/totp", ""}},
		"POST /me/totp/confirm":        {{"/me/totp/confirm", `{"code":"123456"}`}},
		"DELETE /me/totp":              {{"/me/totp", ""}},
		"GET /me/passkeys":             {{"/me/passkeys", ""}},
		"POST /me/passkeys/begin":      {{"/me/passkeys/begin", ""}},
		"POST /me/passkeys":            {{"/me/passkeys", `{"ticket":"AAAA","name":"x","credential":{}}`}},
		"DELETE /me/passkeys/{id}":     {{"/me/passkeys/AAAA", ""}},
		"GET /me/sessions":             {{"/me/sessions", ""}},
		"DELETE /me/sessions/{id}":     {{"/me/sessions/spy~AAAAAAAAAAAAAAAA", ""}},
		"GET /sessions":                {{"/sessions", ""}, {"/sessions?user=spy", ""}},
		"DELETE /sessions/{id}":        {{"/sessions/spy~AAAAAAAAAAAAAAAA", ""}},
		"DELETE /users/{name}/factors": {{"/users/spy/factors", ""}},
	})
}

// person is somebody signed in with a browser.
type person struct {
	w      *world
	cookie string
	id     string
}

func (w *world) person(name string) *person {
	w.t.Helper()
	done, err := w.ids.SignIn(w.t.Context(), name, lanterns, identity.Client{Remote: "192.0.2.1"})
	w.must(err)
	return &person{w, done.Cookie, done.Session.ID}
}

func (w *world) account(name string, roles ...string) {
	w.t.Helper()
	w.must(errOf(w.ids.AddUser(w.t.Context(), "test", identity.NewUser{Name: name, Roles: roles, Password: lanterns})))
}

// ask makes one request; 0 is the status where the session does not hold.
func (p *person) ask(method, path, body string) (int, string) {
	p.w.t.Helper()
	v, s, err := p.w.ids.AuthenticateSession(p.w.t.Context(), p.cookie)
	if err != nil {
		return 0, err.Error()
	}
	r := httptest.NewRequest(method, Prefix+path, strings.NewReader(body))
	r.Host = "localhost"
	r = r.WithContext(surface.WithViewer(surface.WithSession(r.Context(), s, true), v))
	rec := httptest.NewRecorder()
	p.w.http.ServeHTTP(rec, r)
	if err := documented.Check(apitest.Exchange{Method: method, URL: r.URL, Body: []byte(body), Status: rec.Code, Header: rec.Header(), Answer: rec.Body.Bytes()}); err != nil {
		p.w.t.Errorf("not as the document has it: %v", err)
	}
	return rec.Code, rec.Body.String()
}

func (p *person) want(status int, method, path, body string) map[string]any {
	p.w.t.Helper()
	got, text := p.ask(method, path, body)
	if got != status {
		p.w.t.Fatalf("%s %s: %d %s, want %d", method, path, got, text, status)
	}
	var v map[string]any
	json.Unmarshal([]byte(text), &v) // nothing has no members
	return v
}

// enrolTOTP gives a person one-time codes and returns their secret and the recovery codes.
func (p *person) enrolTOTP() (secret string, recovery []any) {
	p.w.t.Helper()
	secret = p.want(200, post, "/me/totp", "")["secret"].(string)
	code, err := totp.GenerateCode(secret, time.Now())
	p.w.must(err)
	return secret, p.want(200, post, "/me/totp/confirm", `{"code":"`+code+`"}`)["recovery_codes"].([]any)
}

// personSucceeds asks what only a person with a session is answered.
func personSucceeds(w *world, met map[string]bool) {
	w.t.Helper()
	w.account("pat", "analyst")
	w.account("boss", "admin")
	p, boss := w.person("pat"), w.person("boss")
	do := func(by *person, status int, route, path, body string) map[string]any {
		w.t.Helper()
		met[route] = true
		method, _, _ := strings.Cut(route, " ")
		return by.want(status, method, path, body)
	}
	do(p, 200, "GET /me", "/me", "")
	do(p, 200, "POST /me/totp", "/me/totp", "")
	_, recovery := p.enrolTOTP()
	met["POST /me/totp/confirm"] = true
	do(p, 204, "DELETE /me/totp", "/me/totp", `{"code":"`+recovery[0].(string)+`"}`)
	p.enrolTOTP()
	do(p, 204, "DELETE /me/totp", "/me/totp", "")
	begun := do(p, 200, "POST /me/passkeys/begin", "/me/passkeys/begin", "")
	options, err := json.Marshal(begun["publicKey"])
	w.must(err)
	asked, err := virtualwebauthn.ParseAttestationOptions(string(options))
	w.must(err)
	key := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	for len(key.Key.AttestationData()) != 77 { // it pads no coordinates
		key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	made := virtualwebauthn.CreateAttestationResponse(virtualwebauthn.RelyingParty{ID: "localhost", Origin: "https://localhost"}, virtualwebauthn.NewAuthenticator(), key, *asked)
	passkey := do(p, 200, "POST /me/passkeys", "/me/passkeys", `{"ticket":"`+begun["ticket"].(string)+`","name":"key","credential":`+made+`}`)
	do(p, 200, "GET /me/passkeys", "/me/passkeys", "")
	do(p, 204, "DELETE /me/passkeys/{id}", "/me/passkeys/"+passkey["id"].(string), "")
	other := w.person("pat")
	if n := len(do(p, 200, "GET /me/sessions", "/me/sessions", "")["items"].([]any)); n != 2 {
		w.t.Errorf("%d sessions", n)
	}
	do(p, 204, "DELETE /me/sessions/{id}", "/me/sessions/"+other.id, "")
	do(p, 204, "POST /me/password", "/me/password", `{"present":"`+lanterns+`","next":"nine lanterns on the hill"}`)

	do(boss, 200, "GET /sessions", "/sessions?user=pat", "")
	do(boss, 200, "GET /sessions", "/sessions?limit=1", "")
	do(boss, 204, "DELETE /sessions/{id}", "/sessions/"+p.id, "")
	do(boss, 204, "DELETE /users/{name}/factors", "/users/pat/factors", "")
}

// What belongs to a person, nobody else changes: not with a token, not on the machine itself, whatever its rights.
func TestOnlyThePersonManagesItsAccount(t *testing.T) {
	w := newWorld(t)
	for _, r := range personRoutes {
		if !strings.HasPrefix(r.Path, "/me/") {
			continue
		}
		for _, q := range asks[r.Method+" "+r.Path] {
			if status, body := w.ask(admin, r.Method, q.path, q.body); status != 403 || !strings.Contains(body, "auth.session_needed") {
				t.Errorf("%s %s: %d %s", r.Method, q.path, status, body)
			}
		}
	}
}

// A session of somebody who must have a second factor opens nothing but the own account.
func TestASessionToEnrolOpensNothingElse(t *testing.T) {
	w := newWorld(t)
	ids, err := identity.New(t.Context(), identity.Config{Store: w.st, Nation: "UTO", Org: "Utopia CERT", Realm: "operational", Pepper: bytes.Repeat([]byte{1}, 32),
		ValidRole: func(string) bool { return true }, FactorRoles: []string{"admin"}})
	w.must(err)
	w.account("boss", "admin")
	w.account("pat", "analyst")
	w.ids = ids
	boss, pat := w.person("boss"), w.person("pat")
	for _, r := range Routes() {
		own := r.Path == "/me" || strings.HasPrefix(r.Path, "/me/")
		for _, q := range asks[r.Method+" "+r.Path] {
			status, body := boss.ask(r.Method, strings.ReplaceAll(q.path, "HIDDEN", "x"), q.body)
			if enrol := strings.Contains(body, "auth.enrol"); enrol == own || enrol && status != 403 {
				t.Errorf("%s %s: %d %s", r.Method, q.path, status, body)
			}
		}
	}
	if status, body := pat.ask(get, "/objects", ""); status != 200 {
		t.Errorf("who need not have a second factor: %d %s", status, body)
	}
	if me := boss.want(200, get, "/me", ""); me["enrol"] != true || !slices.Contains(me["roles"].([]any), any("admin")) || len(me["may"].([]any)) != 0 {
		t.Errorf("%v", me)
	}
}
