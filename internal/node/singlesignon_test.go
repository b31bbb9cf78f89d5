package node

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"entente/internal/sso"
	"entente/internal/surface/api"
)

// certified runs a certified OpenID provider (npm oidc-provider) until the test ends. open tells it where it may send people back to.
func certified(t *testing.T) (issuer string, open func(redirect string)) {
	t.Helper()
	dir, err := filepath.Abs("../../web/e2e/oidc")
	must(t, err)
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Node.js is not installed: the story with a certified provider is not told")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "oidc-provider")); err != nil {
		t.Skip("oidc-provider is not installed: run npm ci in web/e2e/oidc to have the story with a certified provider told")
	}
	c := exec.Command(node, "provider.mjs")
	c.Dir = dir
	in, err := c.StdinPipe()
	must(t, err)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { in.Close(); c.Process.Kill(); c.Wait() })
	lines := bufio.NewScanner(out)
	next := func() string {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("the provider ended")
		}
		return lines.Text()
	}
	issuer = next()
	return issuer, func(redirect string) {
		t.Helper()
		line, err := json.Marshal(map[string]string{"redirect": redirect, "secret": "a client secret"})
		must(t, err)
		_, err = in.Write(append(line, '\n'))
		must(t, err)
		for deadline := time.Now().Add(90 * time.Second); next() != "ready"; {
			if time.Now().After(deadline) {
				t.Fatal("the provider is not ready")
			}
		}
	}
}

var action = regexp.MustCompile(`action="([^"]+)"`)

// walk follows a browser from the node to the provider, signs in there and agrees, and comes back to the address that it returns.
func (b *browser) walk(login string) string {
	b.d.t.Helper()
	at := b.d.n.URL() + "/auth/oidc/corp"
	for range 12 {
		r, err := http.NewRequestWithContext(b.d.t.Context(), "GET", at, nil)
		must(b.d.t, err)
		resp, err := b.c.Do(r)
		must(b.d.t, err)
		page, err := io.ReadAll(resp.Body)
		must(b.d.t, err)
		resp.Body.Close()
		if m := action.FindSubmatch(page); resp.StatusCode == 200 && m != nil {
			form := url.Values{"prompt": {"consent"}}
			if strings.Contains(string(page), `name="login"`) {
				form = url.Values{"prompt": {"login"}, "login": {login}, "password": {"any"}}
			}
			here, err := url.Parse(at)
			must(b.d.t, err)
			to, err := here.Parse(string(m[1]))
			must(b.d.t, err)
			r, err := http.NewRequestWithContext(b.d.t.Context(), "POST", to.String(), strings.NewReader(form.Encode()))
			must(b.d.t, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			resp, err = b.c.Do(r)
			must(b.d.t, err)
			resp.Body.Close()
			at = to.String()
		}
		location := resp.Header.Get("Location")
		if location == "" {
			b.d.t.Fatalf("%s: %d %s", at, resp.StatusCode, page)
		}
		here, err := url.Parse(at)
		must(b.d.t, err)
		next, err := here.Parse(location)
		must(b.d.t, err)
		if at = next.String(); strings.HasPrefix(at, b.d.n.URL()+"/") && !strings.Contains(at, "/auth/") {
			return location
		}
	}
	b.d.t.Fatal("the browser is led in circles")
	return ""
}

// TestSingleSignOnWithACertifiedProvider plays the whole way through a provider that others have made and certified.
func TestSingleSignOnWithACertifiedProvider(t *testing.T) {
	issuer, open := certified(t)
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte("a client secret\n"), 0o600))
	d := newDesk(t, func(c *Config) {
		c.Auth.OIDC = []sso.Config{{ID: "corp", Title: "Corporate", Issuer: issuer, ClientID: "entente", ClientSecretFile: secret, Create: true, Domains: []string{"corp.example"},
			Roles: map[string][]string{"threat-intel": {"analyst"}}}}
	})
	open(d.n.URL() + "/auth/oidc/corp/callback")
	b := d.browser()
	if got := b.want(200, "GET", "/auth/options", nil); !strings.Contains(got.text, `"oidc":[{"id":"corp","title":"Corporate"}]`) {
		t.Fatal(got.text)
	}
	if at := b.walk("alice"); at != "/" {
		t.Fatal(at)
	}
	me := b.want(200, "GET", "/api/v1/me", nil)
	if me.body["name"] != "alice" || me.body["signed_in_by"] != "oidc:corp" || !strings.Contains(me.text, `"roles":["analyst"]`) {
		t.Error(me.text)
	}
	if at := d.browser().walk("mallory"); at != "/?problem=sso.stranger" {
		t.Errorf("an address that is not verified leads to %s", at)
	}
	d.account("bob", "analyst")
	if at := d.browser().walk("bob"); at != "/?problem=sso.unknown" {
		t.Errorf("the name of an account with a password leads to %s", at)
	}
	must(t, errorOf(d.admin.ChangeUser(t.Context(), "alice", api.ChangeUser{Disabled: new(true)})))
	b.code(401, "auth.session", "GET", "/api/v1/me", nil)
	if at := d.browser().walk("alice"); at != "/?problem=sso.unknown" {
		t.Errorf("a closed account leads to %s", at)
	}
	if got := d.browser().want(303, "GET", "/auth/oidc/corp/callback?code=x&state=y", nil); got.header.Get("Location") != "/?problem=sso.state" {
		t.Errorf("an answer that nobody asked for leads to %s", got.header.Get("Location"))
	}
}

// TestAProviderThatDoesNotAnswer: people are told, and sign in otherwise.
func TestAProviderThatDoesNotAnswer(t *testing.T) {
	d := newDesk(t, func(c *Config) {
		c.Auth.OIDC = []sso.Config{{ID: "corp", Issuer: "http://127.0.0.1:1", ClientID: "entente"}}
	})
	d.account("alice", "analyst")
	b := d.browser()
	if got := b.want(303, "GET", "/auth/oidc/corp", nil); got.header.Get("Location") != "/?problem=sso.unavailable" {
		t.Errorf("%s", got.header.Get("Location"))
	}
	b.signIn("alice")
}
