package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"entente/internal/surface/api"
)

// desk is a running node whose clock the tests move, and the browsers before it.
type desk struct {
	t     *testing.T
	n     *Node
	data  string
	admin *api.Client // over the administration socket
}

const lanterns = "seven lanterns on the hill"

func newDesk(t *testing.T, change func(*Config)) *desk {
	t.Helper()
	d := &desk{t: t, data: filepath.Join(t.TempDir(), "node")}
	must(t, Create(t.Context(), Init{Data: d.data, Nation: "UTO", Org: "Utopia CERT"}))
	d.start(change)
	return d
}

func (d *desk) start(change func(*Config)) {
	d.t.Helper()
	cfg := DefaultConfig(d.data)
	cfg.Listen = "127.0.0.1:0"
	if change != nil {
		change(&cfg)
	}
	n, err := New(d.t.Context(), cfg)
	must(d.t, err)
	must(d.t, n.Start(d.t.Context()))
	d.t.Cleanup(func() { n.Stop(d.t.Context()) })
	d.n, d.admin = n, api.NewClient("http://local", n.Local(), nil)
}

func (d *desk) account(name string, roles ...string) {
	d.t.Helper()
	must(d.t, errorOf(d.admin.AddUser(d.t.Context(), api.AddUser{Name: name, Roles: roles, Password: lanterns})))
}

// browser keeps cookies and says where its pages come from.
type browser struct {
	d    *desk
	c    *http.Client
	site string // Sec-Fetch-Site
	host string // in the address bar; empty: where the node listens
}

func (d *desk) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(d.t, err)
	return &browser{d: d, site: "same-origin", c: &http.Client{Jar: jar, Timeout: 2 * time.Minute, Transport: &http.Transport{TLSClientConfig: d.n.ClientTLS()},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

type reply struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (b *browser) ask(method, path string, body any) reply {
	b.d.t.Helper()
	var send io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		must(b.d.t, err)
		send = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(b.d.t.Context(), method, b.d.n.URL()+path, send)
	must(b.d.t, err)
	r.Host = b.host
	r.Header.Set("Sec-Fetch-Site", b.site)
	r.Header.Set("User-Agent", "Test/1.0")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := b.c.Do(r)
	must(b.d.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(b.d.t, err)
	out := reply{status: resp.StatusCode, header: resp.Header, text: string(text)}
	json.Unmarshal(text, &out.body) // a page or nothing has no members
	return out
}

func (b *browser) want(status int, method, path string, body any) reply {
	b.d.t.Helper()
	got := b.ask(method, path, body)
	if got.status != status {
		b.d.t.Fatalf("%s %s: %d %s, want %d", method, path, got.status, got.text, status)
	}
	return got
}

func (b *browser) code(status int, code, method, path string, body any) reply {
	b.d.t.Helper()
	got := b.want(status, method, path, body)
	if got.body["code"] != code {
		b.d.t.Fatalf("%s %s: %s, want the code %s", method, path, got.text, code)
	}
	return got
}

type form map[string]any

// signIn signs in with a password alone.
func (b *browser) signIn(name string) reply {
	b.d.t.Helper()
	got := b.want(200, "POST", "/auth/password", form{"name": name, "password": lanterns})
	if got.body["state"] != "done" {
		b.d.t.Fatalf("%s", got.text)
	}
	return got
}

func TestAPersonSignsInAndOut(t *testing.T) {
	d := newDesk(t, nil)
	d.account("alice", "analyst")
	b := d.browser()
	if o := b.want(200, "GET", "/auth/options", nil); o.body["org"] != "Utopia CERT" || o.body["password"] != true {
		t.Fatal(o.text)
	}
	b.code(401, "auth.missing", "GET", "/api/v1/me", nil)
	cookie := b.signIn("alice").header.Get("Set-Cookie")
	for _, part := range []string{"__Host-entente=alice~", "Path=/", "HttpOnly", "Secure", "SameSite=Strict"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("%s lacks %s", cookie, part)
		}
	}
	me := b.want(200, "GET", "/api/v1/me", nil)
	if me.body["person"] != "alice" || me.body["name"] != "alice" || me.body["signed_in_by"] != "password" || me.body["session"] == "" {
		t.Fatal(me.text)
	}
	b.want(204, "POST", "/auth/out", nil)
	b.code(401, "auth.missing", "GET", "/api/v1/me", nil)
	if acts := verbs(t, d); !strings.Contains(acts, "session.begin session.end") {
		t.Error(acts)
	}
}

// wrongCode is a code that is none of those of these minutes.
func wrongCode(t *testing.T, secret string) string {
	t.Helper()
	right := map[string]bool{}
	for at := -5 * time.Minute; at <= 5*time.Minute; at += 30 * time.Second {
		code, err := totp.GenerateCode(secret, time.Now().Add(at))
		must(t, err)
		right[code] = true
	}
	for n := 918273; ; n++ {
		if code := fmt.Sprint(n); !right[code] {
			return code
		}
	}
}

// enrol sets up one-time codes and returns their secret.
func (b *browser) enrol() string {
	b.d.t.Helper()
	secret := b.want(200, "POST", "/api/v1/me/totp", nil).body["secret"].(string)
	code, err := totp.GenerateCode(secret, time.Now())
	must(b.d.t, err)
	b.want(200, "POST", "/api/v1/me/totp/confirm", form{"code": code})
	return secret
}

func TestTheFirstAdministratorEnrols(t *testing.T) {
	d := newDesk(t, nil)
	d.account("boss", "admin")
	d.account("alice", "analyst")
	b := d.browser()
	if got := b.signIn("boss"); got.body["enrol"] != true {
		t.Fatal(got.text)
	}
	b.code(403, "auth.enrol", "GET", "/api/v1/users", nil)
	b.want(403, "GET", "/metrics", nil)
	secret := b.enrol()
	b.want(200, "GET", "/api/v1/users", nil)

	b = d.browser()
	step := b.want(200, "POST", "/auth/password", form{"name": "boss", "password": lanterns})
	if step.body["state"] != "totp" || step.header.Get("Set-Cookie") != "" {
		t.Fatal(step.text)
	}
	b.code(401, "auth.code", "POST", "/auth/totp", form{"ticket": step.body["ticket"], "code": wrongCode(t, secret)})
	code, err := totp.GenerateCode(secret, time.Now().Add(30*time.Second)) // the one before was used to enrol
	must(t, err)
	b.want(200, "POST", "/auth/totp", form{"ticket": step.body["ticket"], "code": code})
	b.want(200, "GET", "/api/v1/users", nil)

	// A password alone is no way around, for no surface; a token is for machines.
	for _, path := range []string{"/api/v1/me", "/taxii2/"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", d.n.URL()+path, nil)
		must(t, err)
		r.SetBasicAuth("boss", lanterns)
		resp, err := d.browser().c.Do(r)
		must(t, err)
		text, err := io.ReadAll(resp.Body)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != 403 || !strings.Contains(string(text), "token") {
			t.Errorf("%s with a password alone: %d %s", path, resp.StatusCode, text)
		}
	}

	// The administrator sees and ends sessions, and takes lost factors away.
	alice := d.browser()
	alice.signIn("alice")
	alice.enrol()
	id := alice.want(200, "GET", "/api/v1/me", nil).body["session"].(string)
	if got := b.want(200, "GET", "/api/v1/sessions?user=alice", nil); !strings.Contains(got.text, id) || strings.Contains(got.text, "hash") {
		t.Error(got.text)
	}
	b.want(204, "DELETE", "/api/v1/sessions/"+id, nil)
	alice.code(401, "auth.session", "GET", "/api/v1/me", nil)
	b.want(204, "DELETE", "/api/v1/users/alice/factors", nil)
	alice.signIn("alice")
	alice.code(403, "role.missing", "GET", "/api/v1/sessions", nil)
	acts := verbs(t, d)
	for _, verb := range []string{"user.totp.add", "session.revoke", "user.factors"} {
		if !strings.Contains(acts, verb) {
			t.Errorf("the journal lacks %s: %s", verb, acts)
		}
	}
}

// What another site makes a browser send, or what is no page's doing, changes nothing.
func TestOtherSitesDoNothing(t *testing.T) {
	d := newDesk(t, nil)
	d.account("alice", "analyst")
	b := d.browser()
	b.signIn("alice")
	for _, site := range []string{"cross-site", "same-site"} {
		b.site = site
		b.code(403, "auth.cross_site", "POST", "/auth/password", form{"name": "alice", "password": lanterns})
		b.code(403, "auth.cross_site", "POST", "/auth/out", nil)
		b.code(403, "auth.cross_site", "POST", "/api/v1/objects", form{})
		b.code(403, "auth.cross_site", "POST", "/api/v1/me/totp", nil)
		b.code(403, "auth.cross_site", "DELETE", "/api/v1/me/sessions/x", nil)
	}
	b.site = ""
	for origin, want := range map[string]int{"https://elsewhere.example": 403, "null": 403, d.n.URL(): 200} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", d.n.URL()+"/api/v1/me/totp", nil)
		must(t, err)
		r.Header.Set("Origin", origin)
		resp, err := b.c.Do(r)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("from %s: %d", origin, resp.StatusCode)
		}
	}
	b.site = "same-origin"
	r, err := http.NewRequestWithContext(t.Context(), "GET", d.n.URL()+"/api/v1/me", nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer nonsense")
	resp, err := b.c.Do(r)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("a session makes up for a bad token: %d", resp.StatusCode)
	}
	b.want(401, "GET", "/taxii2/", nil) // a browser's session is nothing to machines
	if got := b.want(401, "GET", "/taxii2/", nil); got.header.Get("WWW-Authenticate") == "" {
		t.Error("TAXII does not say what it takes")
	}
	fresh := d.browser()
	for _, h := range fresh.want(401, "GET", "/api/v1/me", nil).header.Values("WWW-Authenticate") {
		if strings.HasPrefix(h, "Basic") {
			t.Error("a script's request makes the browser ask for a password itself")
		}
	}
}

func TestSignInRefusesBadInput(t *testing.T) {
	d := newDesk(t, nil)
	d.account("alice", "analyst")
	b := d.browser()
	send := func(path, kind, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", d.n.URL()+path, strings.NewReader(body))
		must(t, err)
		r.Header.Set("Content-Type", kind)
		resp, err := b.c.Do(r)
		must(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp.StatusCode, string(text)
	}
	const good = "application/json"
	for _, c := range []struct {
		path, kind, body string
		status           int
	}{
		{"/auth/password", good, "", 400}, {"/auth/password", good, "{", 400}, {"/auth/password", good, "[]", 400}, {"/auth/password", good, `{"name":1}`, 400},
		{"/auth/password", good, `{"name":"alice","password":"` + lanterns + `","admin":true}`, 400}, {"/auth/password", good, `{"name":"a","name":"b"}`, 400},
		{"/auth/password", "text/plain", `{"name":"alice","password":"x"}`, 415}, {"/auth/password", "application/x-www-form-urlencoded", "name=alice", 415},
		{"/auth/password", good, `{"name":"` + strings.Repeat("x", 10<<10) + `"}`, 413}, {"/auth/password", good, `{}`, 401}, {"/auth/password", good, `{"name":"alice","password":"no"}`, 401},
		{"/auth/totp", good, `{}`, 401}, {"/auth/totp", good, `{"ticket":"` + strings.Repeat("A", 5000) + `"}`, 401}, {"/auth/change", good, `{"ticket":"x","password":"y"}`, 401},
		{"/auth/passkey/finish", good, `{"ticket":"x","credential":{}}`, 422}, {"/auth/passkey/begin", good, `{}`, 422}, {"/auth/nothing", good, "{}", 404}, {"/auth/oidc/none", good, "{}", 404},
	} {
		status, text := send(c.path, c.kind, c.body)
		if status != c.status || strings.Contains(text, lanterns) {
			t.Errorf("%s %.60s: %d %s, want %d", c.path, c.body, status, text, c.status)
		}
	}
	var answers []string
	for _, name := range []string{"nobody", "Alice", "local", strings.Repeat("x", 100)} {
		got := b.want(401, "POST", "/auth/password", form{"name": name, "password": "wrong all along"})
		delete(got.body, "error_id")
		answers = append(answers, fmt.Sprint(got.body))
	}
	if len(slices.Compact(answers)) != 1 {
		t.Errorf("wrong sign-ins can be told apart: %q", answers)
	}
}

func TestSessionsSurviveAKillAndNoRestore(t *testing.T) {
	d := newDesk(t, nil)
	d.account("alice", "analyst")
	b := d.browser()
	b.signIn("alice")
	backup := filepath.Join(t.TempDir(), "backup")
	f, err := os.Create(backup)
	must(t, err)
	must(t, d.n.Backup(t.Context(), f))
	info, err := f.Stat()
	must(t, err)
	must(t, d.n.Stop(t.Context()))
	d.start(nil)
	b.want(200, "GET", "/api/v1/me", nil)
	must(t, d.n.Stop(t.Context()))
	d.data = filepath.Join(t.TempDir(), "restored")
	_, err = Restore(t.Context(), f, info.Size(), d.data, "")
	must(t, err)
	d.start(nil)
	b.c = d.sameJar(b)
	b.code(401, "auth.session", "GET", "/api/v1/me", nil)
	b.signIn("alice")
}

// sameJar is a client with the cookies of a browser that trusts the node as it is now.
func (d *desk) sameJar(b *browser) *http.Client {
	c := d.browser().c
	c.Jar = b.c.Jar
	return c
}

// Nothing that opens anything stands in the log.
func TestTheLogOfSignInsKeepsNoSecrets(t *testing.T) {
	var log lockedBuffer
	d := newDesk(t, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	d.account("alice", "analyst")
	b := d.browser()
	b.signIn("alice")
	secret := b.enrol()
	step := b.want(200, "POST", "/auth/password", form{"name": "alice", "password": lanterns})
	wrong := wrongCode(t, secret)
	b.want(401, "POST", "/auth/totp", form{"ticket": step.body["ticket"], "code": wrong})
	b.want(401, "POST", "/auth/password", form{"name": "alice", "password": "a wrong lantern on the hill"})
	b.want(404, "GET", "/auth/oidc/corp/callback?code=c0dec0de&state=x", nil)
	u, err := url.Parse(d.n.URL())
	must(t, err)
	secrets := []string{lanterns, secret, wrong, "a wrong lantern", step.body["ticket"].(string), "c0dec0de"}
	for _, c := range b.c.Jar.Cookies(u) {
		secrets = append(secrets, c.Value)
	}
	for _, s := range secrets {
		if strings.Contains(log.String(), s) {
			t.Errorf("the log tells %q", s)
		}
	}
	if !strings.Contains(log.String(), "/auth/password") {
		t.Error("the log tells nothing of sign-ins")
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Without TLS, on the machine itself, the cookie is plain; behind a proxy with TLS it is not.
func TestSignInWithoutTLS(t *testing.T) {
	d := newDesk(t, func(c *Config) { c.TLS.Mode = "off" })
	d.account("alice", "analyst")
	b := d.browser()
	if got := b.signIn("alice").header.Get("Set-Cookie"); !strings.HasPrefix(got, "entente=") || strings.Contains(got, "Secure") {
		t.Error(got)
	}
	b.want(200, "GET", "/api/v1/me", nil)
	r, err := http.NewRequestWithContext(t.Context(), "POST", d.n.URL()+"/auth/password", strings.NewReader(`{"name":"alice","password":"`+lanterns+`"}`))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Forwarded-Proto", "https")
	resp, err := d.browser().c.Do(r)
	must(t, err)
	resp.Body.Close()
	if got := resp.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "__Host-entente=") || !strings.Contains(got, "Secure") {
		t.Error(got)
	}
}

// verbs are the acts of the journal.
func verbs(t *testing.T, d *desk) string {
	t.Helper()
	var out []string
	must(t, d.admin.Journal(t.Context(), nil, func(a api.Act) error { out = append(out, a.Verb); return nil }))
	return strings.Join(out, " ")
}
