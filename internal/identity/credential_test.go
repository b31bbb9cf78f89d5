package identity

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entente/internal/fault"
	"entente/internal/keyring"
)

func TestTokens(t *testing.T) {
	h := open(t)
	text, token, err := h.IssueToken(ctx, "Utopia CERT/root", TokenSpec{Name: "Poller", Roles: []string{"analyst"}})
	ok(t, err)
	if !strings.HasPrefix(text, "entente_op_"+token.ID+"_") || strings.ContainsAny(text, "+/=- ") {
		t.Fatalf("token %s", text)
	}
	v, err := h.AuthenticateToken(ctx, text)
	ok(t, err)
	if v.Person != "poller" || v.Org != "Utopia CERT" || !slices.Equal(v.Roles, []string{"analyst"}) {
		t.Fatalf("%+v", v)
	}
	tokens, err := h.Tokens(ctx, "", 0)
	ok(t, err)
	if len(tokens) != 1 || tokens[0].LastUsed.IsZero() || tokens[0].LastUsed.After(h.now()) {
		t.Fatalf("%+v", tokens)
	}
	last := text[len(text)-1]
	for _, forged := range []string{"", "entente", text[:len(text)-1], text + "0", text[:len(text)-1] + string('A'+(last+1-'A')%26), strings.Replace(text, "_op_", "_ex_", 1),
		strings.ToUpper(text), " " + text, text + "\n"} {
		if forged == text {
			continue
		}
		_, err := h.AuthenticateToken(ctx, forged)
		wantCode(t, err, fault.Unauthenticated, "auth.invalid")
	}
	wantCode(t, h.RevokeToken(ctx, "node", "nosuchtokennosuc"), fault.NotFound, "token.unknown")
	ok(t, h.RevokeToken(ctx, "node", token.ID))
	ok(t, h.RevokeToken(ctx, "node", token.ID))
	_, err = h.AuthenticateToken(ctx, text)
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")
}

func TestATokenExpiresEvenWhileCached(t *testing.T) {
	h := open(t)
	text, _, err := h.IssueToken(ctx, "node", TokenSpec{Name: "brief", Roles: []string{"analyst"}, Life: time.Minute})
	ok(t, err)
	h.pass(30 * time.Second)
	_, err = h.AuthenticateToken(ctx, text)
	ok(t, err)
	h.pass(30 * time.Second)
	_, err = h.AuthenticateToken(ctx, text)
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")
}

func TestATokenNeverHasMoreRightsThanItsAccount(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst", "contributor")
	_, _, err := h.IssueToken(ctx, "node", TokenSpec{Name: "t", User: "alice", Roles: []string{"admin"}})
	wantCode(t, err, fault.Forbidden, "role.exceeds")
	text, _, err := h.IssueToken(ctx, "node", TokenSpec{Name: "t", User: "Alice", Roles: []string{"analyst", "contributor"}})
	ok(t, err)
	v, err := h.AuthenticateToken(ctx, text)
	ok(t, err)
	if v.Person != "alice" || len(v.Roles) != 2 {
		t.Fatalf("%+v", v)
	}
	ok(t, h.SetRoles(ctx, "node", "alice", []string{"analyst"}))
	v, err = h.AuthenticateToken(ctx, text)
	ok(t, err)
	if !slices.Equal(v.Roles, []string{"analyst"}) {
		t.Fatalf("kept %v", v.Roles)
	}
	ok(t, h.SetDisabled(ctx, "node", "alice", true))
	_, err = h.AuthenticateToken(ctx, text)
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")
	ok(t, h.SetDisabled(ctx, "node", "alice", false))
	ok(t, h.DeleteUser(ctx, "node", "alice"))
	h.user(t, "alice", secret2, "analyst") // the name comes back, the token does not
	_, err = h.AuthenticateToken(ctx, text)
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")
}

func TestTokensOfAnotherRealmAreUnknown(t *testing.T) {
	h := open(t)
	text, _, err := h.IssueToken(ctx, "node", TokenSpec{Name: "poller", Roles: []string{"analyst"}})
	ok(t, err)
	drill, err := New(ctx, Config{Store: h.mem, Nation: "UTO", Org: "Utopia CERT", Realm: "exercise:DRILL", Pepper: pepper, Now: h.now, ValidRole: func(string) bool { return true }})
	ok(t, err)
	for _, try := range []string{text, strings.Replace(text, "_op_", "_"+realmPrefix("exercise:DRILL")+"_", 1)} {
		_, err = drill.AuthenticateToken(ctx, try)
		wantCode(t, err, fault.Unauthenticated, "auth.invalid")
	}
}

func TestEveryIssuedTokenParses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		realm := rapid.SampledFrom([]string{"operational", "exercise:A", "exercise:B.2"}).Draw(t, "realm")
		id, secret := base62(idLength), base62(secretLength)
		text := "entente_" + realmPrefix(realm) + "_" + id + "_" + secret
		gotID, gotSecret, good := parseToken(text, realm)
		if !good || gotID != id || gotSecret != secret {
			t.Fatalf("%s does not parse", text)
		}
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		broken := text[:at] + rapid.SampledFrom([]string{"", "-", "é", "\x00", "__"}).Draw(t, "in place") + text[at+1:]
		if _, _, good := parseToken(broken, realm); good {
			t.Fatalf("%q parses", broken)
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add("entente_op_" + base62(idLength) + "_" + base62(secretLength))
	f.Add("entente_op__")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if id, secret, good := parseToken(text, "operational"); good && text != "entente_op_"+id+"_"+secret {
			t.Fatalf("%q is read as %q and %q", text, id, secret)
		}
	})
}

func FuzzPHC(f *testing.F) {
	f.Add(decoy())
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$pbkdf2-sha512$i=220000$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$AAAA")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, s string) {
		h, good := parsePHC(s)
		if !good {
			return
		}
		if h.String() != s {
			t.Fatalf("%q is written as %q", s, h)
		}
		if h.memory > 256<<10 || h.time > 16 || h.threads > 8 || h.iterations > 10_000_000 || len(h.sum) > 64 {
			t.Fatalf("%q is beyond the bounds", s)
		}
	})
}

func TestPHCBounds(t *testing.T) {
	sum := "$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for s, want := range map[string]bool{
		"$argon2id$v=19$m=19456,t=2,p=1" + sum: true, "$pbkdf2-sha512$i=210000" + sum: true,
		"$argon2id$v=16$m=19456,t=2,p=1" + sum: false, "$argon2i$v=19$m=19456,t=2,p=1" + sum: false, "$argon2id$v=19$m=999999999,t=2,p=1" + sum: false,
		"$argon2id$v=19$m=19456,t=0,p=1" + sum: false, "$argon2id$v=19$m=19456,t=2,p=99" + sum: false, "$argon2id$v=19$m=019456,t=2,p=1" + sum: false,
		"$argon2id$v=19$m=+19456,t=2,p=1" + sum: false, "$argon2id$v=19$t=2,m=19456,p=1" + sum: false, "$pbkdf2-sha512$i=1" + sum: false,
		"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$": false, "": false, secret1: false,
	} {
		if _, good := parsePHC(s); good != want {
			t.Errorf("%s: %v", s, good)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	h := open(t)
	ring, err := keyring.Create(t.TempDir(), keyring.Names{Nation: "UTO", Org: "Utopia CERT"}, h.now)
	ok(t, err)
	issue := func(ring *keyring.Ring, person string) *x509.Certificate {
		t.Helper()
		out, err := ring.IssueClient(keyring.ClientRequest{Nation: "UTO", Org: "Utopia CERT", Person: person})
		ok(t, err)
		return out.Certificate
	}
	leaf := issue(ring, "feeder")
	_, err = h.AuthenticateCertificate(ctx, leaf, ring.CA())
	wantCode(t, err, fault.Unauthenticated, "auth.invalid") // trusted by TLS is not yet known
	c, err := h.RegisterCertificate(ctx, "node", leaf, CertificateSpec{Name: "feeder", Roles: []string{"contributor"}})
	ok(t, err)
	v, err := h.AuthenticateCertificate(ctx, leaf, ring.CA())
	ok(t, err)
	if v.Person != "feeder" || !slices.Equal(v.Roles, []string{"contributor"}) {
		t.Fatalf("%+v", v)
	}
	_, err = h.AuthenticateCertificate(ctx, issue(ring, "feeder"), ring.CA()) // the same names in another certificate
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")

	_, err = h.RegisterSubject(ctx, "node", leaf, ring.CA(), CertificateSpec{Name: "feeder", Roles: []string{"contributor"}})
	ok(t, err)
	_, err = h.AuthenticateCertificate(ctx, issue(ring, "feeder"), ring.CA()) // now its subject counts
	ok(t, err)
	rogue, err := keyring.Create(t.TempDir(), keyring.Names{Nation: "UTO", Org: "Utopia CERT"}, h.now)
	ok(t, err)
	for _, chain := range [][]*x509.Certificate{{rogue.CA()}, {ring.CA()}, {rogue.CA(), ring.CA()}, nil} {
		_, err = h.AuthenticateCertificate(ctx, issue(rogue, "feeder"), chain...)
		wantCode(t, err, fault.Unauthenticated, "auth.invalid")
	}

	if h.CertificateRevoked(leaf) {
		t.Fatal("revoked too early")
	}
	ok(t, h.RevokeCertificate(ctx, "node", c.ID))
	if !h.CertificateRevoked(leaf) {
		t.Fatal("not revoked")
	}
	_, err = h.AuthenticateCertificate(ctx, leaf, ring.CA()) // although its subject is still registered
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")
	_, err = h.RegisterCertificate(ctx, "node", leaf, CertificateSpec{Name: "feeder", Roles: []string{"contributor"}})
	wantCode(t, err, fault.Conflict, "certificate.exists")
	if !h.another(t).CertificateRevoked(leaf) {
		t.Fatal("forgotten by a restart")
	}
	h.pass(2 * 365 * 24 * time.Hour)
	_, err = h.AuthenticateCertificate(ctx, issue(ring, "feeder"), ring.CA())
	ok(t, err)
	_, err = h.AuthenticateCertificate(ctx, leaf, ring.CA())
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")
	_, err = h.AuthenticateCertificate(ctx, nil)
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")
}

func TestCertificatesFollowTheirAccount(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	ring, err := keyring.Create(t.TempDir(), keyring.Names{Nation: "UTO", Org: "Utopia CERT"}, h.now)
	ok(t, err)
	out, err := ring.IssueClient(keyring.ClientRequest{Nation: "UTO", Org: "Utopia CERT", Person: "alice"})
	ok(t, err)
	_, err = h.RegisterCertificate(ctx, "node", out.Certificate, CertificateSpec{Name: "laptop", User: "alice", Roles: []string{"analyst"}})
	ok(t, err)
	_, err = h.AuthenticateCertificate(ctx, out.Certificate, ring.CA())
	ok(t, err)
	ok(t, h.DeleteUser(ctx, "node", "alice"))
	_, err = h.AuthenticateCertificate(ctx, out.Certificate, ring.CA())
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")
	if !h.CertificateRevoked(out.Certificate) {
		t.Fatal("the certificate outlives its account")
	}
}

// A token in the form of a MISP key is 40 letters and digits, and otherwise as good as any.
func TestTokensInTheFormOfMISP(t *testing.T) {
	h := open(t)
	text, token, err := h.IssueToken(ctx, "node", TokenSpec{Name: "peer", Roles: []string{"analyst"}, Form: FormMISP})
	ok(t, err)
	if len(text) != 40 || !isBase62(text) || token.Form != FormMISP || !strings.HasPrefix(text, token.ID) {
		t.Fatalf("%s of %+v", text, token)
	}
	v, err := h.AuthenticateToken(ctx, text)
	ok(t, err)
	if v.Person != "peer" {
		t.Fatalf("%+v", v)
	}
	other, _, err := h.IssueToken(ctx, "node", TokenSpec{Name: "other", Roles: []string{"analyst"}, Form: FormMISP})
	ok(t, err)
	for _, forged := range []string{text[:39], text + "0", text[:16] + other[16:], "entente_op_" + text[:16] + "_" + text[16:]} {
		_, err := h.AuthenticateToken(ctx, forged)
		wantCode(t, err, fault.Unauthenticated, "auth.invalid")
	}
	_, _, err = h.IssueToken(ctx, "node", TokenSpec{Name: "odd", Roles: []string{"analyst"}, Form: "odd"})
	wantCode(t, err, fault.Invalid, "token.form")
	ok(t, h.RevokeToken(ctx, "node", token.ID))
	_, err = h.AuthenticateToken(ctx, text)
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")
}
