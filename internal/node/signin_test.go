package node

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
}

func (d *desk) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(d.t, err)
	return &browser{d: d, site: "same-origin", c: &http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: d.n.ClientTLS()},
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

// verbs are the acts of the journal.
func verbs(t *testing.T, d *desk) string {
	t.Helper()
	var out []string
	must(t, d.admin.Journal(t.Context(), func(a api.Act) error { out = append(out, a.Verb); return nil }))
	return strings.Join(out, " ")
}
