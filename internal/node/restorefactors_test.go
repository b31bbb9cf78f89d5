package node

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/pquerna/otp/totp"
)

// passkey is a device in the hands of a person.
type passkey struct {
	auth virtualwebauthn.Authenticator
	cred virtualwebauthn.Credential
	rp   virtualwebauthn.RelyingParty
}

const (
	passkeyHost   = "localhost:8443"
	passkeyOrigin = "https://" + passkeyHost
)

func newPasskey() *passkey {
	k := &passkey{auth: virtualwebauthn.NewAuthenticator(), rp: virtualwebauthn.RelyingParty{ID: "localhost", Origin: passkeyOrigin}}
	for len(k.cred.ID) == 0 || len(k.cred.Key.AttestationData()) != 77 { // the virtual authenticator leaves padding out, of which the node would complain
		k.cred = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	return k
}

// begun takes apart what a browser is asked.
func begun(t *testing.T, r reply) (ticket, options string) {
	t.Helper()
	var b struct {
		Ticket    string          `json:"ticket"`
		PublicKey json.RawMessage `json:"publicKey"`
	}
	must(t, json.Unmarshal([]byte(r.text), &b))
	return b.Ticket, string(b.PublicKey)
}

func (k *passkey) enrol(b *browser) {
	t := b.d.t
	t.Helper()
	ticket, options := begun(t, b.want(200, "POST", "/api/v1/me/passkeys/begin", form{}))
	asked, err := virtualwebauthn.ParseAttestationOptions(options)
	must(t, err)
	k.auth.Options.UserHandle = []byte(asked.UserID)
	b.want(200, "POST", "/api/v1/me/passkeys", form{"ticket": ticket, "name": "key", "credential": json.RawMessage(virtualwebauthn.CreateAttestationResponse(k.rp, k.auth, k.cred, *asked))})
}

func (k *passkey) signIn(b *browser) {
	t := b.d.t
	t.Helper()
	ticket, options := begun(t, b.want(200, "POST", "/auth/passkey/begin", form{}))
	asked, err := virtualwebauthn.ParseAssertionOptions(options)
	must(t, err)
	k.cred.Counter++
	got := b.want(200, "POST", "/auth/passkey/finish", form{"ticket": ticket, "credential": json.RawMessage(virtualwebauthn.CreateAssertionResponse(k.rp, k.auth, k.cred, *asked))})
	if got.body["state"] != "done" {
		t.Fatal(got.text)
	}
}

// Second factors come along with a backup and still bind: nobody gets in by the password alone, nor with a session or a code that was used before it.
func TestSecondFactorsSurviveARestore(t *testing.T) {
	at := time.Now()
	stands := func(c *Config) { c.Now = func() time.Time { return at } } // codes are of a time, which must not go on between two of them
	d := newDesk(t, stands)
	d.account("alice", "analyst")
	d.account("bob", "analyst")
	alice, bob := d.browser(), d.browser()
	alice.signIn("alice")
	secret := alice.want(200, "POST", "/api/v1/me/totp", nil).body["secret"].(string)
	code := func(later time.Duration) string {
		c, err := totp.GenerateCode(secret, at.Add(later))
		must(t, err)
		return c
	}
	var recovery struct {
		Codes []string `json:"recovery_codes"`
	}
	must(t, json.Unmarshal([]byte(alice.want(200, "POST", "/api/v1/me/totp/confirm", form{"code": code(-30 * time.Second)}).text), &recovery))
	if len(recovery.Codes) < 3 {
		t.Fatalf("%d recovery codes", len(recovery.Codes))
	}
	second := func(b *browser, status int, code string) {
		t.Helper()
		step := b.want(200, "POST", "/auth/password", form{"name": "alice", "password": lanterns})
		if step.body["state"] != "totp" || step.header.Get("Set-Cookie") != "" {
			t.Fatalf("a password alone: %s", step.text)
		}
		b.want(status, "POST", "/auth/totp", form{"ticket": step.body["ticket"], "code": code})
	}
	second(alice, 200, recovery.Codes[0])
	bob.host = passkeyHost
	bob.signIn("bob")
	key := newPasskey()
	key.enrol(bob)
	key.signIn(bob)

	f, err := os.Create(filepath.Join(t.TempDir(), "backup"))
	must(t, err)
	defer f.Close()
	must(t, d.n.Backup(t.Context(), f))
	info, err := f.Stat()
	must(t, err)
	must(t, d.n.Stop(t.Context()))
	d.data = filepath.Join(t.TempDir(), "restored")
	_, err = Restore(t.Context(), f, info.Size(), d.data, "")
	must(t, err)
	d.start(stands)

	for _, b := range []*browser{alice, bob} {
		b.c = d.sameJar(b)
		b.code(401, "auth.session", "GET", "/api/v1/me", nil)
	}
	second(d.browser(), 401, recovery.Codes[0])
	second(d.browser(), 401, code(-30*time.Second))
	second(d.browser(), 200, code(0))
	b := d.browser()
	second(b, 200, recovery.Codes[1])
	if me := b.want(200, "GET", "/api/v1/me", nil); me.body["has_totp"] != true || me.body["recovery_codes"] != float64(len(recovery.Codes)-2) {
		t.Error(me.text)
	}
	b = d.browser()
	b.host = passkeyHost
	b.code(403, "auth.passkey", "POST", "/auth/password", form{"name": "bob", "password": lanterns})
	key.signIn(b)
	if me := b.want(200, "GET", "/api/v1/me", nil); me.body["signed_in_by"] != "passkey" || me.body["passkeys"] != float64(1) {
		t.Error(me.text)
	}
}
