package identity

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"entente/internal/fault"
)

// device is an authenticator in the hands of a person.
type device struct {
	h    *house
	auth virtualwebauthn.Authenticator
	cred virtualwebauthn.Credential
	rp   virtualwebauthn.RelyingParty
}

var console = Site{Host: "localhost:8443", Secure: true}

func (h *house) device() *device {
	d := &device{h: h, auth: virtualwebauthn.NewAuthenticator(), cred: newCredential()}
	d.rp = virtualwebauthn.RelyingParty{ID: "localhost", Origin: "https://localhost:8443"}
	return d
}

// newCredential is one whose coordinates need no padding: the virtual authenticator leaves that out, of which the node would complain.
func newCredential() virtualwebauthn.Credential {
	for {
		if c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(c.Key.AttestationData()) == 77 {
			return c
		}
	}
}

// make answers what a browser is asked to make.
func (d *device) make(t testing.TB, options json.RawMessage) []byte {
	t.Helper()
	asked, err := virtualwebauthn.ParseAttestationOptions(string(options))
	ok(t, err)
	d.auth.Options.UserHandle = []byte(asked.UserID)
	return []byte(virtualwebauthn.CreateAttestationResponse(d.rp, d.auth, d.cred, *asked))
}

// enrol registers the device for the person of a session.
func (d *device) enrol(t testing.TB, s SignedIn) Passkey {
	t.Helper()
	ticket, options, err := d.h.BeginPasskey(ctx, s.Session, console)
	ok(t, err)
	p, err := d.h.AddPasskey(ctx, s.Session, ticket, "my key", d.make(t, options), console)
	ok(t, err)
	return p
}

// begin asks for a passkey, and answers.
func (d *device) begin(t testing.TB) (ticket string, answer []byte) {
	t.Helper()
	ticket, options, err := d.h.BeginPasskeySignIn(console)
	ok(t, err)
	asked, err := virtualwebauthn.ParseAssertionOptions(string(options))
	ok(t, err)
	d.cred.Counter++
	return ticket, []byte(virtualwebauthn.CreateAssertionResponse(d.rp, d.auth, d.cred, *asked))
}

func TestSigningInWithAPasskey(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	s, other := h.browser(t, "alice", secret1), h.browser(t, "alice", secret1)
	d := h.device()
	p := d.enrol(t, s)
	h.holds(t, s)
	h.gone(t, other)
	_, err := h.SignIn(ctx, "alice", secret1, Client{Remote: here})
	wantCode(t, err, fault.Forbidden, "auth.passkey")
	_, err = h.Authenticate(ctx, "alice", secret1, here)
	wantCode(t, err, fault.Forbidden, "auth.factor")

	h.pass(time.Minute)
	ticket, answer := d.begin(t)
	done, err := h.SignInPasskey(ctx, ticket, answer, console, Client{Remote: here})
	ok(t, err)
	if done.State != StateDone || done.Session.By != "passkey" || done.Session.User != "alice" {
		t.Fatalf("%+v", done)
	}
	h.holds(t, done)
	_, err = h.SignInPasskey(ctx, ticket, answer, console, Client{Remote: here})
	if fault.Of(err) != fault.Unauthenticated || err == nil {
		t.Errorf("an answer is taken twice: %v", err)
	}
	list, err := h.Passkeys(ctx, "alice")
	ok(t, err)
	if len(list) != 1 || list[0].Name != "my key" || !list[0].Used.Equal(h.now()) || list[0].ID != p.ID {
		t.Errorf("%+v", list)
	}
	ok(t, h.RemovePasskey(ctx, done.Session, p.ID))
	ticket, answer = d.begin(t)
	_, err = h.SignInPasskey(ctx, ticket, answer, console, Client{Remote: here})
	wantCode(t, err, fault.Unauthenticated, "auth.passkey_invalid")
	h.browser(t, "alice", secret1)
	for _, doc := range h.mem.docs {
		if doc.Kind == kindPasskey {
			t.Error("a passkey that was removed still finds its account")
		}
	}
	d.enrol(t, h.browser(t, "alice", secret1)) // the same device may come again
}

func TestWrongPasskeysAreAllTheSame(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	h.user(t, "bob", secret1, "analyst")
	for name, c := range map[string]struct {
		device func(d *device)
		answer func(b []byte) []byte
		site   Site
		code   string
	}{
		"another page":             {device: func(d *device) { d.rp.Origin = "https://localhost.example" }},
		"another port":             {device: func(d *device) { d.rp.Origin = "https://localhost:1" }},
		"without TLS":              {device: func(d *device) { d.rp.Origin = "http://localhost:8443" }},
		"another node":             {device: func(d *device) { d.rp.ID = "elsewhere.example" }},
		"nobody there":             {device: func(d *device) { d.auth.Options.UserNotPresent = true }},
		"not verified":             {device: func(d *device) { d.auth.Options.UserNotVerified = true }},
		"another key":              {device: func(d *device) { d.cred.Key = newCredential().Key }},
		"an unknown passkey":       {device: func(d *device) { d.cred = newCredential() }},
		"another's handle":         {device: func(d *device) { d.auth.Options.UserHandle = bytes.Repeat([]byte{1}, 32) }},
		"no handle":                {device: func(d *device) { d.auth.Options.UserHandle = nil }},
		"suddenly synced":          {device: func(d *device) { d.auth.Options.BackupEligible = true }},
		"a counter gone back":      {device: func(d *device) { d.cred.Counter = 3 }},
		"nothing":                  {answer: func([]byte) []byte { return nil }},
		"no JSON":                  {answer: func([]byte) []byte { return []byte("{") }},
		"empty":                    {answer: func([]byte) []byte { return []byte("{}") }},
		"very long":                {answer: func(b []byte) []byte { return append(b, bytes.Repeat([]byte{' '}, maxCredential)...) }},
		"another page of the node": {site: Site{Host: "127.0.0.1:8443", Secure: true}, code: "passkey.host"},
	} {
		t.Run(name, func(t *testing.T) {
			d := h.device()
			ok(t, h.ResetFactors(ctx, "node", "alice"))
			d.cred.Counter = 7
			d.enrol(t, h.browser(t, "alice", secret1))
			if c.device != nil {
				c.device(d)
			}
			ticket, answer := d.begin(t)
			if c.answer != nil {
				answer = c.answer(answer)
			}
			site, kind := console, fault.Unauthenticated
			if c.site.Host != "" {
				site, kind = c.site, fault.Unprocessable
			}
			if c.code == "" {
				c.code = "auth.passkey_invalid"
			}
			_, err := h.SignInPasskey(ctx, ticket, answer, site, Client{Remote: here})
			wantCode(t, err, kind, c.code)
		})
	}
	d := h.device()
	ok(t, h.ResetFactors(ctx, "node", "alice"))
	d.enrol(t, h.browser(t, "alice", secret1))
	ticket, _ := d.begin(t)
	_, answer := d.begin(t)
	_, err := h.SignInPasskey(ctx, ticket, answer, console, Client{Remote: here})
	wantCode(t, err, fault.Unauthenticated, "auth.passkey_invalid") // the answer to another challenge
	ticket, answer = d.begin(t)
	h.pass(ticketLife)
	_, err = h.SignInPasskey(ctx, ticket, answer, console, Client{Remote: here})
	wantCode(t, err, fault.Unauthenticated, "auth.ticket")
	ok(t, h.SetDisabled(ctx, "node", "alice", true))
	ticket, answer = d.begin(t)
	_, err = h.SignInPasskey(ctx, ticket, answer, console, Client{Remote: here})
	wantCode(t, err, fault.Unauthenticated, "auth.passkey_invalid")
}

func TestAnAnswerOpensOnce(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	d := h.device()
	d.enrol(t, h.browser(t, "alice", secret1))
	ticket, answer := d.begin(t)
	var wg sync.WaitGroup
	var opened atomic.Int64
	for range 8 {
		wg.Go(func() {
			if _, err := h.SignInPasskey(ctx, ticket, answer, console, Client{Remote: here}); err == nil {
				opened.Add(1)
			}
		})
	}
	wg.Wait()
	if opened.Load() != 1 {
		t.Errorf("opened %d times", opened.Load())
	}
}

func TestACopyOfAPasskeyIsNoticed(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	d := h.device()
	d.enrol(t, h.browser(t, "alice", secret1))
	copied := *d
	for range 3 {
		ticket, answer := d.begin(t)
		_, err := h.SignInPasskey(ctx, ticket, answer, console, Client{Remote: here})
		ok(t, err)
	}
	ticket, answer := copied.begin(t)
	_, err := h.SignInPasskey(ctx, ticket, answer, console, Client{Remote: there})
	wantCode(t, err, fault.Unauthenticated, "auth.passkey_invalid")
	if last := h.mem.acts[len(h.mem.acts)-1]; last.Verb != "passkey.regressed" || last.Target != "alice" {
		t.Errorf("%+v", last)
	}
}

func TestWrongEnrolmentsAreRefused(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	h.user(t, "bob", secret1, "analyst")
	s, bob := h.browser(t, "alice", secret1), h.browser(t, "bob", secret1)
	for name, change := range map[string]func(d *device){
		"another page": func(d *device) { d.rp.Origin = "https://elsewhere.example" },
		"another node": func(d *device) { d.rp.ID = "elsewhere.example" },
		"nobody there": func(d *device) { d.auth.Options.UserNotPresent = true },
		"not verified": func(d *device) { d.auth.Options.UserNotVerified = true },
	} {
		d := h.device()
		change(d)
		ticket, options, err := h.BeginPasskey(ctx, s.Session, console)
		ok(t, err)
		_, err = h.AddPasskey(ctx, s.Session, ticket, "x", d.make(t, options), console)
		if fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	d := h.device()
	ticket, options, err := h.BeginPasskey(ctx, s.Session, console)
	ok(t, err)
	made := d.make(t, options)
	for _, c := range []struct {
		s            SignedIn
		ticket, name string
		made         []byte
		code         string
	}{
		{s, ticket, "", made, "passkey.name"}, {s, ticket, strings.Repeat("x", 65), made, "passkey.name"}, {s, ticket, "a\nb", made, "passkey.name"},
		{s, "", "x", made, "passkey.ticket"}, {bob, ticket, "x", made, "passkey.ticket"}, {h.browser(t, "alice", secret1), ticket, "x", made, "passkey.ticket"},
		{s, ticket, "x", nil, "passkey.invalid"}, {s, ticket, "x", []byte("{}"), "passkey.invalid"}, {s, ticket, "x", bytes.Repeat([]byte{' '}, maxCredential+1), "passkey.invalid"},
	} {
		_, err := h.AddPasskey(ctx, c.s.Session, c.ticket, c.name, c.made, console)
		wantCode(t, err, fault.Invalid, c.code)
	}
	_, err = h.AddPasskey(ctx, s.Session, ticket, "Schlüssel 🔑", made, console)
	ok(t, err)
	if _, err := h.AddPasskey(ctx, s.Session, ticket, "again", made, console); err == nil {
		t.Error("a passkey is kept twice")
	}
	ticket, options, err = h.BeginPasskey(ctx, bob.Session, console)
	ok(t, err)
	_, err = h.AddPasskey(ctx, bob.Session, ticket, "x", d.make(t, options), console)
	wantCode(t, err, fault.Conflict, "passkey.exists")

	for range maxPasskeys - 1 {
		h.device().enrol(t, s)
	}
	_, _, err = h.BeginPasskey(ctx, s.Session, console)
	wantCode(t, err, fault.Conflict, "passkey.count")
}

func TestWherePasskeysCanBeUsed(t *testing.T) {
	h := open(t)
	for _, c := range []struct {
		site Site
		rp   string
		want bool
	}{
		{Site{"localhost", true}, "localhost", true}, {Site{"localhost:8443", true}, "localhost", true}, {Site{"localhost:8080", false}, "localhost", true},
		{Site{"127.0.0.1:8443", true}, "localhost", false}, {Site{"[::1]:8443", true}, "localhost", false}, {Site{"", true}, "localhost", false},
		{Site{"node.example", true}, "node.example", true}, {Site{"NODE.example:443", true}, "node.example", true}, {Site{"a.node.example", true}, "node.example", true},
		{Site{"evilnode.example", true}, "node.example", false}, {Site{"node.example", false}, "node.example", false}, {Site{"node.example.evil", true}, "node.example", false},
	} {
		h.rpID = c.rp
		if got := h.PasskeysAt(c.site); got != c.want {
			t.Errorf("%+v for %s: %v", c.site, c.rp, got)
		}
	}
}

func FuzzPasskey(f *testing.F) {
	h := open(f)
	h.user(f, "alice", secret1, "analyst")
	d := h.device()
	d.enrol(f, h.browser(f, "alice", secret1))
	ticket, answer := d.begin(f)
	f.Add(answer[:len(answer)-2])
	f.Add([]byte(`{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{"authenticatorData":"","clientDataJSON":"e30","signature":""}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Equal(b, answer) {
			return
		}
		var v any
		if _, err := h.SignInPasskey(ctx, ticket, b, console, Client{Remote: here}); err == nil && json.Unmarshal(b, &v) != nil {
			t.Fatalf("%q opens", b)
		}
		h.spent = NewSpent()
	})
}
