package sso

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"entente/internal/fault"
	"entente/internal/identity"
)

// issuer is a provider that really signs, and that lies where a test wants it to.
type issuer struct {
	t    testing.TB
	http *httptest.Server
	key  *ecdsa.PrivateKey

	mu     sync.Mutex
	codes  map[string]asked                   // that were given out
	lie    func(claims map[string]any)        // about the person
	sign   func(claims map[string]any) string // instead of the right way
	tell   func(discovery map[string]any)
	secret string
	more   map[string]any // that it says of the person when it is asked
}

type asked struct{ nonce, challenge, redirect string }

const (
	clientID = "node-1"
	redirect = "https://node.example/auth/oidc/corp/callback"
)

func newIssuer(t testing.TB) *issuer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key, codes: map[string]asked{}, secret: "a client secret"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		d := map[string]any{"issuer": i.http.URL, "authorization_endpoint": i.http.URL + "/authorize", "token_endpoint": i.http.URL + "/token", "jwks_uri": i.http.URL + "/keys", "userinfo_endpoint": i.http.URL + "/me",
			"id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"}}
		if i.tell != nil {
			i.tell(d)
		}
		json.NewEncoder(w).Encode(d)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer at" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(i.more)
	})
	i.http = httptest.NewTLSServer(mux)
	t.Cleanup(i.http.Close)
	return i
}

// authorize is the person agreeing at the provider: the answer that the browser brings back.
func (i *issuer) authorize(address string) url.Values {
	i.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		i.t.Fatal(err)
	}
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" || q.Get("client_id") != clientID || !strings.Contains(q.Get("scope"), "openid") {
		i.t.Fatalf("the provider is asked %v", q)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	code := rand.Text()
	i.codes[code] = asked{q.Get("nonce"), q.Get("code_challenge"), q.Get("redirect_uri")}
	return url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {i.http.URL}}
}

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	a, ok := i.codes[r.PostFormValue("code")]
	delete(i.codes, r.PostFormValue("code"))
	i.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	id, secret, _ := r.BasicAuth()
	if id == "" {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	s, _ := url.QueryUnescape(secret)
	if !ok || id != clientID || s != i.secret || a.redirect != r.PostFormValue("redirect_uri") || base64.RawURLEncoding.EncodeToString(sum[:]) != a.challenge {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
		return
	}
	now := time.Now()
	c := map[string]any{"iss": i.http.URL, "sub": "0815", "aud": clientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "nonce": a.nonce,
		"preferred_username": "Alice", "email": "alice@corp.example", "email_verified": true, "groups": []string{"threat-intel", "everybody"}}
	if i.lie != nil {
		i.lie(c)
	}
	sign := i.es256
	if i.sign != nil {
		sign = i.sign
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"access_token": "at", "token_type": "Bearer", "expires_in": 300, "id_token": sign(c)})
}

func (i *issuer) es256(c map[string]any) string { return i.signed(jose.ES256, i.key, c) }

func (i *issuer) signed(alg jose.SignatureAlgorithm, key any, c map[string]any) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k1"))
	if err != nil {
		i.t.Error(err)
		return ""
	}
	b, _ := json.Marshal(c)
	o, err := s.Sign(b)
	if err != nil {
		i.t.Error(err)
		return ""
	}
	text, err := o.CompactSerialize()
	if err != nil {
		i.t.Error(err)
	}
	return text
}

// seals hides nothing: the tests look at what a token is for, not at the cipher.
type seals struct{}

func (seals) Seal(context string, b []byte) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte(context+"\x00"), b...))
}

func (seals) Open(context, token string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	rest, ok := strings.CutPrefix(string(b), context+"\x00")
	if err != nil || !ok {
		return nil, fault.New(fault.Invalid, "seal.invalid", "not sealed here")
	}
	return []byte(rest), nil
}

// desk is the node's side, with a clock that the test moves.
type desk struct {
	*Providers
	i     *issuer
	cfg   Config
	ahead time.Duration
	at    time.Time // where its clock stands; zero: it goes
}

func newDesk(t testing.TB, i *issuer, change func(*Config)) *desk {
	t.Helper()
	dir := t.TempDir()
	ca, secret := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "secret")
	for path, b := range map[string][]byte{ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.http.Certificate().Raw}), secret: []byte(i.secret + "\n")} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := &desk{i: i, cfg: Config{ID: "corp", Title: "Corporate", Issuer: i.http.URL, ClientID: clientID, ClientSecretFile: secret, CA: ca,
		Create: true, Domains: []string{"corp.example"}, Roles: map[string][]string{"threat-intel": {"analyst"}}, DefaultRoles: []string{"reader"}}}
	if change != nil {
		change(&d.cfg)
	}
	if err := Validate([]Config{d.cfg}, func(r string) bool { return slices.Contains([]string{"admin", "analyst", "reader"}, r) }); err != nil {
		t.Fatal(err)
	}
	p, err := New(Options{Providers: []Config{d.cfg}, Sealer: seals{}, Now: d.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	d.Providers = p
	return d
}

func (d *desk) now() time.Time {
	at := d.at
	if at.IsZero() {
		at = time.Now()
	}
	return at.Add(d.ahead)
}

func (d *desk) begin() (url.Values, string) {
	d.i.t.Helper()
	address, keep, err := d.Begin(d.i.t.Context(), "corp", redirect)
	if err != nil {
		d.i.t.Fatal(err)
	}
	return d.i.authorize(address), keep
}

func (d *desk) signIn() (identity.Federated, error) {
	d.i.t.Helper()
	q, keep := d.begin()
	return d.Finish(d.i.t.Context(), "corp", redirect, keep, q)
}

func TestAPersonComesFromTheProvider(t *testing.T) {
	i := newIssuer(t)
	got, err := newDesk(t, i, nil).signIn()
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Federated{Provider: "corp", Issuer: i.http.URL, Subject: "0815", Name: "alice", Roles: []string{"analyst"}, Create: true}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Whatever is wrong with the ID token, nobody comes in.
func TestLyingTokensAreRefused(t *testing.T) {
	hour := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	for name, lie := range map[string]func(map[string]any){
		"another nonce":          func(c map[string]any) { c["nonce"] = "another" },
		"no nonce":               func(c map[string]any) { delete(c, "nonce") },
		"another issuer":         func(c map[string]any) { c["iss"] = "https://elsewhere.example" },
		"no issuer":              func(c map[string]any) { delete(c, "iss") },
		"another audience":       func(c map[string]any) { c["aud"] = "somebody" },
		"no audience":            func(c map[string]any) { delete(c, "aud") },
		"audiences, for another": func(c map[string]any) { c["aud"], c["azp"] = []string{clientID, "other"}, "other" },
		"audiences, for nobody":  func(c map[string]any) { c["aud"] = []string{clientID, "other"} },
		"for another":            func(c map[string]any) { c["azp"] = "other" },
		"expired":                func(c map[string]any) { c["exp"] = hour(-time.Minute) },
		"no expiry":              func(c map[string]any) { delete(c, "exp") },
		"of the future":          func(c map[string]any) { c["iat"] = hour(time.Hour) },
		"not yet":                func(c map[string]any) { c["nbf"] = hour(time.Hour) },
		"nobody":                 func(c map[string]any) { delete(c, "sub") },
		"an endless subject":     func(c map[string]any) { c["sub"] = strings.Repeat("x", 256) },
		"another access token":   func(c map[string]any) { c["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" },
		"an unverified address":  func(c map[string]any) { c["email_verified"] = false },
		"address unknown":        func(c map[string]any) { delete(c, "email_verified") },
		"no address":             func(c map[string]any) { delete(c, "email") },
		"another domain":         func(c map[string]any) { c["email"] = "alice@elsewhere.example" },
		"a domain below":         func(c map[string]any) { c["email"] = "alice@sub.corp.example" },
		"two addresses":          func(c map[string]any) { c["email"] = "alice@corp.example@elsewhere.example" },
		"only a domain":          func(c map[string]any) { c["email"] = "@corp.example" },
		"claims of other types":  func(c map[string]any) { c["nonce"] = 7 },
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.lie = lie
			got, err := newDesk(t, i, nil).signIn()
			if fault.Of(err) != fault.Forbidden || err == nil || got.Subject != "" {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
}

func TestForgedSignaturesAreRefused(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	for name, sign := range map[string]func(i *issuer, c map[string]any) string{
		"none": func(i *issuer, c map[string]any) string {
			b, _ := json.Marshal(c)
			return b64([]byte(`{"alg":"none"}`)) + "." + b64(b) + "."
		},
		"HS256 with the client secret": func(i *issuer, c map[string]any) string {
			return i.signed(jose.HS256, []byte("a client secret that is long enough for the library"), c)
		},
		"HS256 with the public key": func(i *issuer, c map[string]any) string {
			k, _ := i.key.PublicKey.Bytes()
			return i.signed(jose.HS256, k, c)
		},
		"another key": func(i *issuer, c map[string]any) string { return i.signed(jose.ES256, other, c) },
		"changed afterwards": func(i *issuer, c map[string]any) string {
			parts := strings.Split(i.es256(c), ".")
			c = maps.Clone(c)
			c["sub"] = "somebody else"
			b, _ := json.Marshal(c)
			return parts[0] + "." + b64(b) + "." + parts[2]
		},
		"nothing":   func(*issuer, map[string]any) string { return "" },
		"nonsense":  func(*issuer, map[string]any) string { return "a.b.c" },
		"very long": func(i *issuer, c map[string]any) string { return strings.Repeat("x", maxIDToken+1) },
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.sign = func(c map[string]any) string { return sign(i, c) }
			if got, err := newDesk(t, i, nil).signIn(); fault.Of(err) != fault.Forbidden || err == nil {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
}

// An answer counts for the browser that asked, for what it asked, once and soon.
func TestAnswersAreForWhoAsked(t *testing.T) {
	i := newIssuer(t)
	d := newDesk(t, i, nil)
	type answer struct {
		id, redirect, keep string
		q                  url.Values
	}
	for name, change := range map[string]func(a *answer){
		"another state":       func(a *answer) { a.q.Set("state", "another") },
		"no state":            func(a *answer) { a.q.Del("state") },
		"two states":          func(a *answer) { a.q.Add("state", "another") },
		"no cookie":           func(a *answer) { a.keep = "" },
		"another's cookie":    func(a *answer) { _, a.keep = d.begin() },
		"a cookie of another": func(a *answer) { a.keep = seals{}.Seal("auth.ticket", []byte("{}")) },
		"a cookie of nothing": func(a *answer) { a.keep = seals{}.Seal(sealContext, []byte("[]")) },
		"another redirect":    func(a *answer) { a.redirect = "https://elsewhere.example/auth/oidc/corp/callback" },
		"no code":             func(a *answer) { a.q.Del("code") },
		"another code":        func(a *answer) { a.q.Set("code", "x") },
		"two codes":           func(a *answer) { a.q.Add("code", "x") },
		"a code for another": func(a *answer) {
			q, _ := d.begin()
			a.q.Set("code", q.Get("code"))
		},
		"an endless code":  func(a *answer) { a.q.Set("code", strings.Repeat("x", maxParameter+1)) },
		"another issuer":   func(a *answer) { a.q.Set("iss", "https://elsewhere.example") },
		"an error":         func(a *answer) { a.q.Set("error", "access_denied") },
		"another provider": func(a *answer) { a.id = "none" },
	} {
		q, keep := d.begin()
		a := &answer{"corp", redirect, keep, q}
		change(a)
		if got, err := d.Finish(t.Context(), a.id, a.redirect, a.keep, a.q); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	q, keep := d.begin()
	d.ahead = stateLife + time.Second
	if _, err := d.Finish(t.Context(), "corp", redirect, keep, q); err == nil {
		t.Error("an answer that took too long was taken")
	}
	d.ahead = 0
	q, keep = d.begin()
	if _, err := d.Finish(t.Context(), "corp", redirect, keep, q); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Finish(t.Context(), "corp", redirect, keep, q); err == nil {
		t.Error("an answer was taken twice")
	}
}

// Also where the provider takes a code twice, the node does not.
func TestACodeIsTakenOnce(t *testing.T) {
	i := newIssuer(t)
	d := newDesk(t, i, nil)
	q, keep := d.begin()
	saved := i.codes[q.Get("code")]
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	for range 8 {
		wg.Go(func() {
			_, err := d.Finish(t.Context(), "corp", redirect, keep, q)
			mu.Lock()
			defer mu.Unlock()
			i.mu.Lock()
			i.codes[q.Get("code")] = saved
			i.mu.Unlock()
			if err == nil {
				taken++
			}
		})
	}
	wg.Wait()
	if taken != 1 {
		t.Errorf("%d of 8 answers were taken", taken)
	}
}

// A provider cannot lead the node, or a person, to a server that the configuration does not name.
func TestAProviderLeadsNowhereElse(t *testing.T) {
	strangers := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another server was asked") }))
	defer strangers.Close()
	for name, tell := range map[string]func(map[string]any){
		"the page of sign-in": func(d map[string]any) { d["authorization_endpoint"] = strangers.URL + "/authorize" },
		"a script":            func(d map[string]any) { d["authorization_endpoint"] = "javascript:alert(1)" },
		"the tokens":          func(d map[string]any) { d["token_endpoint"] = strangers.URL + "/token" },
		"the keys":            func(d map[string]any) { d["jwks_uri"] = strangers.URL + "/keys" },
		"the person":          func(d map[string]any) { d["userinfo_endpoint"] = strangers.URL + "/me" },
		"no keys":             func(d map[string]any) { delete(d, "jwks_uri") },
		"another name":        func(d map[string]any) { d["issuer"] = strangers.URL },
	} {
		i := newIssuer(t)
		i.tell = tell
		if address, _, err := newDesk(t, i, nil).Begin(t.Context(), "corp", redirect); err == nil {
			t.Errorf("%s: the browser is sent to %s", name, address)
		}
	}
}

// What is not in the token, the provider is asked for; what it then says must be of the same person.
func TestAPersonOfWhomTheTokenSaysLittle(t *testing.T) {
	little := func(c map[string]any) {
		for _, claim := range []string{"preferred_username", "email", "email_verified", "groups"} {
			delete(c, claim)
		}
	}
	good := map[string]any{"sub": "0815", "preferred_username": "alice", "email": "alice@corp.example", "email_verified": true, "groups": []string{"threat-intel"}}
	for name, c := range map[string]struct {
		change func(c, more map[string]any)
		want   string
	}{
		"all of it":              {func(c, more map[string]any) {}, "alice"},
		"of somebody else":       {func(c, more map[string]any) { more["sub"] = "4711" }, ""},
		"of nobody":              {func(c, more map[string]any) { delete(more, "sub") }, ""},
		"not verified":           {func(c, more map[string]any) { more["email_verified"] = false }, ""},
		"verified elsewhere":     {func(c, more map[string]any) { c["email"] = "alice@corp.example" }, ""},
		"the token's own stands": {func(c, more map[string]any) { c["preferred_username"] = "bob" }, "bob"},
	} {
		i := newIssuer(t)
		i.more = maps.Clone(good)
		i.lie = func(claims map[string]any) { little(claims); c.change(claims, i.more) }
		got, err := newDesk(t, i, nil).signIn()
		if got.Name != c.want || (err == nil) != (c.want != "") || c.want != "" && !slices.Equal(got.Roles, []string{"analyst"}) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

func TestRolesAreNeverMoreThanTheConfigurationNames(t *testing.T) {
	for name, c := range map[string]struct {
		groups any
		change func(*Config)
		want   []string
	}{
		"mapped":           {[]string{"threat-intel"}, nil, []string{"analyst"}},
		"default":          {[]string{"everybody"}, nil, []string{"reader"}},
		"none":             {nil, nil, []string{"reader"}},
		"a text":           {"threat-intel", nil, []string{"analyst"}},
		"a number":         {7, nil, []string{"reader"}},
		"called as a role": {[]string{"admin"}, nil, []string{"reader"}},
		"admin by name":    {[]string{"ops"}, func(c *Config) { c.Roles["ops"] = []string{"admin", "reader"} }, []string{"admin", "reader"}},
		"no default":       {[]string{"ops"}, func(c *Config) { c.DefaultRoles = nil }, nil},
		"another claim": {nil, func(c *Config) {
			c.GroupsClaim = "preferred_username"
			c.Roles = map[string][]string{"Alice": {"analyst"}}
		}, []string{"analyst"}},
	} {
		i := newIssuer(t)
		i.lie = func(claims map[string]any) { claims["groups"] = c.groups }
		got, err := newDesk(t, i, c.change).signIn()
		if err != nil || !slices.Equal(got.Roles, c.want) {
			t.Errorf("%s: %v %v, want %v", name, got.Roles, err, c.want)
		}
	}
	i := newIssuer(t)
	i.lie = func(c map[string]any) { c["groups"] = []string{"everybody"} }
	if _, err := newDesk(t, i, func(c *Config) { c.Groups = []string{"staff"} }).signIn(); fault.Of(err) != fault.Forbidden {
		t.Errorf("who is in no group: %v", err)
	}
	i.lie = func(c map[string]any) { c["amr"], c["preferred_username"] = []string{"pwd", "mfa"}, "bob@corp.example" }
	if got, err := newDesk(t, i, nil).signIn(); err != nil || !got.SecondFactor || got.Name != "bob" {
		t.Errorf("%+v %v", got, err)
	}
	// Where no domain is named, an address is nobody's account: bob of anywhere is not our bob.
	i.lie = func(c map[string]any) { c["preferred_username"] = "bob@elsewhere.example" }
	if got, err := newDesk(t, i, func(c *Config) { c.Domains, c.Groups = nil, []string{"threat-intel"} }).signIn(); err == nil && got.Name == "bob" {
		t.Errorf("a stranger came as %+v", got)
	}
}

func TestConfigurationsThatCannotBe(t *testing.T) {
	good := Config{ID: "corp", Issuer: "https://id.example", ClientID: "x"}
	isRole := func(r string) bool { return r == "reader" }
	if err := Validate([]Config{good}, isRole); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no id":                    func(c *Config) { c.ID = "" },
		"an id with a slash":       func(c *Config) { c.ID = "a/b" },
		"no issuer":                func(c *Config) { c.Issuer = "" },
		"plain HTTP":               func(c *Config) { c.Issuer = "http://id.example" },
		"a password in the issuer": func(c *Config) { c.Issuer = "https://a:b@id.example" },
		"a query in the issuer":    func(c *Config) { c.Issuer = "https://id.example?x" },
		"no client":                func(c *Config) { c.ClientID = "" },
		"a host with a path":       func(c *Config) { c.Hosts = []string{"https://id.example/x"} },
		"no network":               func(c *Config) { c.Addresses = []string{"10.0.0.1"} },
		"everybody":                func(c *Config) { c.Create, c.DefaultRoles = true, []string{"reader"} },
		"without roles":            func(c *Config) { c.Create, c.Domains = true, []string{"corp.example"} },
		"an unknown role":          func(c *Config) { c.Roles = map[string][]string{"x": {"king"}} },
	} {
		c := good
		change(&c)
		if err := Validate([]Config{c}, isRole); fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Validate([]Config{good, good}, isRole); fault.Of(err) != fault.Invalid {
		t.Errorf("twice: %v", err)
	}
}

// No answer of a browser, whatever it holds, brings anybody in.
func FuzzAnswer(f *testing.F) {
	i := newIssuer(f)
	d := newDesk(f, i, nil)
	q, keep := d.begin()
	f.Add(q.Encode(), "")
	f.Add("code=x&state=y", keep)
	f.Add("error=%00", seals{}.Seal(sealContext, []byte(`{"provider":"corp"}`)))
	f.Fuzz(func(t *testing.T, query, cookie string) {
		v, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if got, err := d.Finish(t.Context(), "corp", redirect, cookie, v); err == nil {
			t.Fatalf("%+v", got)
		}
	})
}

// Who waits for a provider that does not answer may leave, and the provider is not asked again for every one who comes.
func TestAProviderThatDoesNotAnswer(t *testing.T) {
	i := newIssuer(t)
	asked, answer := make(chan struct{}, 10), make(chan struct{})
	i.tell = func(d map[string]any) {
		asked <- struct{}{}
		<-answer
		d["issuer"] = "https://elsewhere.example"
	}
	d := newDesk(t, i, nil)
	d.at = time.Now()
	begin := func(ctx context.Context) error {
		_, _, err := d.Begin(ctx, "corp", redirect)
		return err
	}
	first := make(chan error)
	go func() { first <- begin(t.Context()) }()
	<-asked
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := begin(gone); err == nil {
		t.Error("an answer to who has left")
	}
	close(answer)
	if err := <-first; fault.Of(err) != fault.Unavailable {
		t.Error(err)
	}
	for range 3 {
		if err := begin(t.Context()); fault.Of(err) != fault.Unavailable {
			t.Error(err)
		}
	}
	if len(asked) != 0 {
		t.Errorf("the provider was asked %d times more", len(asked))
	}
	d.ahead = failedFor
	if err := begin(t.Context()); fault.Of(err) != fault.Unavailable || len(asked) != 1 {
		t.Errorf("later: %v, asked %d times more", err, len(asked))
	}
}
