package identity

import (
	"context"
	"crypto/fips140"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/store"
)

func TestAuthenticate(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	v, err := h.Authenticate(ctx, "Alice", secret1, here)
	ok(t, err)
	if v.Person != "alice" || v.Org != "Utopia CERT" || v.Nation != "UTO" || v.Realm != "operational" || !slices.Equal(v.Roles, []string{"analyst"}) {
		t.Fatalf("%+v", v)
	}
	h.user(t, "closed", secret1, "analyst")
	ok(t, h.SetDisabled(ctx, "node", "closed", true))
	var answers []string
	for _, c := range [][2]string{{"alice", secret2}, {"nobody", secret1}, {"closed", secret1}, {"", ""}, {"alice", ""}, {"a/b", secret1},
		{strings.Repeat("x", 5000), secret1}, {"alice", strings.Repeat("x", 5000)}, {"alice\x00", secret1}, {"\xff", "\xff"}} {
		_, err := h.Authenticate(ctx, c[0], c[1], there)
		wantCode(t, err, fault.Unauthenticated, "auth.invalid")
		answers = append(answers, err.Error())
	}
	if len(slices.Compact(answers)) != 1 {
		t.Fatalf("wrong credentials can be told apart: %q", answers)
	}
}

func TestAVerifiedCredentialIsCachedAndForgottenOnChange(t *testing.T) {
	for name, change := range map[string]func(h *house) error{
		"password": func(h *house) error { return h.SetPassword(ctx, "node", "alice", secret2, false) },
		"disabled": func(h *house) error { return h.SetDisabled(ctx, "node", "alice", true) },
		"deleted":  func(h *house) error { return h.DeleteUser(ctx, "node", "alice") },
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.user(t, "alice", secret1, "analyst")
			_, err := h.Authenticate(ctx, "alice", secret1, here)
			ok(t, err)
			reads := h.mem.reads
			_, err = h.Authenticate(ctx, "alice", secret1, here)
			ok(t, err)
			if h.mem.reads != reads {
				t.Fatal("the second sign-in read the store")
			}
			ok(t, change(h))
			_, err = h.Authenticate(ctx, "alice", secret1, here)
			wantCode(t, err, fault.Unauthenticated, "auth.invalid")
		})
	}
	t.Run("roles", func(t *testing.T) {
		h := open(t)
		h.user(t, "alice", secret1, "analyst")
		_, err := h.Authenticate(ctx, "alice", secret1, here)
		ok(t, err)
		ok(t, h.SetRoles(ctx, "node", "alice", []string{"contributor"}))
		v, err := h.Authenticate(ctx, "alice", secret1, here)
		ok(t, err)
		if !slices.Equal(v.Roles, []string{"contributor"}) {
			t.Fatalf("old roles still count: %v", v.Roles)
		}
	})
	t.Run("time, either way", func(t *testing.T) {
		for _, d := range []time.Duration{time.Minute, -time.Hour} {
			h := open(t)
			h.user(t, "alice", secret1, "analyst")
			_, err := h.Authenticate(ctx, "alice", secret1, here)
			ok(t, err)
			reads := h.mem.reads
			h.pass(d)
			_, err = h.Authenticate(ctx, "alice", secret1, here)
			ok(t, err)
			if h.mem.reads == reads {
				t.Fatalf("still cached after %s", d)
			}
		}
	})
}

func TestManyRightSignInsAtOnceAllSucceed(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	var wg sync.WaitGroup
	errs := make([]error, 64)
	for i := range errs {
		wg.Go(func() { _, errs[i] = h.Authenticate(ctx, "alice", secret1, here) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestChangesWhileOthersSignIn(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	text, token, err := h.IssueToken(ctx, "node", TokenSpec{Name: "poller", Roles: []string{"analyst"}})
	ok(t, err)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = h.Authenticate(ctx, "alice", secret1, here)
					_, _ = h.AuthenticateToken(ctx, text)
					_ = h.Register()
				}
			}
		})
	}
	for i := range 20 {
		ok(t, h.SetRoles(ctx, "node", "alice", []string{allRoles[1+i%2]}))
		v, err := h.Authenticate(ctx, "alice", secret1, here)
		ok(t, err)
		if v.Roles[0] != allRoles[1+i%2] {
			t.Fatalf("change %d does not count: %v", i, v.Roles)
		}
	}
	ok(t, h.RevokeToken(ctx, "node", token.ID))
	_, err = h.AuthenticateToken(ctx, text)
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")
	close(stop)
	wg.Wait()
}

func TestHashesAreRenewedOnSignIn(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	before, _, err := h.account(ctx, "alice")
	ok(t, err)
	argonNow.time, pbkdf2Now.iterations = 2, 2000
	_, err = h.Authenticate(ctx, "alice", secret1, here)
	ok(t, err)
	after, _, err := h.account(ctx, "alice")
	ok(t, err)
	if parsed, _ := parsePHC(after.PasswordHash); after.PasswordHash == before.PasswordHash || parsed.hashParams != preferred() {
		t.Fatalf("%s became %s", before.PasswordHash, after.PasswordHash)
	}
	h.pass(time.Hour)
	_, err = h.Authenticate(ctx, "alice", secret1, here)
	ok(t, err)
}

func TestBothHashesVerify(t *testing.T) {
	for _, p := range []hashParams{{memory: 64, time: 1, threads: 1}, {iterations: 1000}} {
		h := phc{hashParams: p, salt: []byte("saltsaltsaltsalt")}
		var computed bool
		if h.sum, computed = h.derive(secret1, 32); !computed {
			continue // Argon2 where it may not be computed
		}
		if good, _ := verifyPassword(h.String(), secret1); !good {
			t.Errorf("%s does not verify", h)
		}
		if good, _ := verifyPassword(h.String(), secret2); good {
			t.Errorf("%s verifies another password", h)
		}
	}
}

func TestAPasswordThatMustChangeOpensNothingElse(t *testing.T) {
	h := open(t)
	_, err := h.AddUser(ctx, "node", NewUser{Name: "alice", Roles: []string{"analyst"}, Password: secret1, MustChange: true})
	ok(t, err)
	_, err = h.Authenticate(ctx, "alice", secret1, here)
	wantCode(t, err, fault.Forbidden, "auth.must_change")
	_, err = h.Authenticate(ctx, "alice", secret2, here)
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")
	wantCode(t, h.ChangePassword(ctx, "alice", secret2, secret1, here, ""), fault.Unauthenticated, "auth.invalid")
	wantCode(t, h.ChangePassword(ctx, "alice", secret1, secret1, here, ""), fault.Invalid, "password.weak")
	ok(t, h.ChangePassword(ctx, "ALICE", secret1, secret2, here, ""))
	_, err = h.Authenticate(ctx, "alice", secret2, here)
	ok(t, err)
	_, err = h.Authenticate(ctx, "alice", secret1, here)
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")
}

func TestABrokenStoreIsNotAWrongPassword(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	h.mem.broke = fault.New(fault.Unavailable, "store.closing", "the store is closing")
	for range 2 * freeFailures {
		_, err := h.Authenticate(ctx, "alice", secret1, here)
		wantCode(t, err, fault.Unavailable, "store.closing")
	}
	h.mem.broke = nil
	_, err := h.Authenticate(ctx, "alice", secret1, here)
	ok(t, err)
}

func TestAnEndedRequestIsAnswered(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	for range cap(h.hashing.places) { // every place is taken
		h.hashing.places <- struct{}{}
	}
	ended, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	_, err := h.Authenticate(ended, "alice", secret1, here)
	wantCode(t, err, fault.Unavailable, "auth.busy")
	for range cap(h.hashing.places) {
		<-h.hashing.places
	}
	_, err = h.Authenticate(ctx, "alice", secret1, here)
	ok(t, err)
}

func TestSecretsStayOut(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	var said []string
	note := func(err error) {
		if err != nil {
			said = append(said, err.Error())
		}
	}
	text, _, err := h.IssueToken(ctx, "node", TokenSpec{Name: "poller", Roles: []string{"analyst"}})
	ok(t, err)
	_, err = h.AuthenticateToken(ctx, text[:len(text)-1]+"~")
	note(err)
	for range freeFailures + 2 {
		_, err = h.Authenticate(ctx, "alice", secret2, here)
		note(err)
	}
	note(h.ChangePassword(ctx, "alice", secret2, secret1, there, ""))
	_, err = h.AddUser(ctx, "node", NewUser{Name: "bob", Org: "Nobody", Roles: []string{"analyst"}, Password: secret1})
	note(err)
	argonNow.time, pbkdf2Now.iterations = 2, 2000
	h.mem.broke = nil
	_, err = h.Authenticate(ctx, "alice", secret1, there)
	note(err)
	all := h.mem.everything() + h.log.String() + strings.Join(said, "\n")
	secret := text[strings.LastIndexByte(text, '_')+1:]
	for _, s := range []string{secret1, secret2, secret, text, string(pepper)} {
		if strings.Contains(all, s) {
			t.Errorf("a secret got out: %q", s)
		}
	}
	key := h.credentialKey("alice", secret1)
	if strings.Contains(string(key[:]), secret1) {
		t.Error("the cache's key holds the password")
	}
}

func BenchmarkAuthenticateCached(b *testing.B) {
	h := open(b)
	h.user(b, "alice", secret1, "analyst")
	for b.Loop() {
		if _, err := h.Authenticate(ctx, "alice", secret1, here); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateTokenCached(b *testing.B) {
	h := open(b)
	text, _, err := h.IssueToken(ctx, "node", TokenSpec{Name: "poller", Roles: []string{"analyst"}})
	ok(b, err)
	for b.Loop() {
		if _, err := h.AuthenticateToken(ctx, text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	for b.Loop() {
		if _, err := hashPassword(secret1); err != nil {
			b.Fatal(err)
		}
	}
}

// TestUnderFIPSOnly runs the tests of credentials in a process in which only FIPS 140-3 algorithms work: PBKDF2 takes Argon2's place.
func TestUnderFIPSOnly(t *testing.T) {
	if testing.Short() || os.Getenv("IDENTITY_FIPS_CHILD") != "" {
		t.Skip("runs once, in full runs")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self, "-test.v", "-test.run=TestAuthenticate|TestAVerified|TestTokens|TestHashes|TestBothHashes|TestSetup|TestClientCert|TestAHashOfTheOther")
	child.Env = append(os.Environ(), "GODEBUG=fips140=only", "IDENTITY_FIPS_CHILD=1")
	if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestAuthenticate") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestAHashOfTheOtherKindIsReplacedOrRefused(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	other := phc{hashParams: pbkdf2Now, salt: []byte("saltsaltsaltsalt")}
	if fips140.Enabled() {
		other.hashParams = argonNow
	}
	other.sum = make([]byte, 32)
	sum, computed := other.derive(secret1, 32)
	if computed {
		other.sum = sum
	}
	a, version, err := h.account(ctx, "alice")
	ok(t, err)
	a.PasswordHash = other.String()
	doc, err := write(kindUser, "alice", a, version)
	ok(t, err)
	ok(t, h.mem.PutDocs(ctx, store.Act{}, doc))
	_, err = h.Authenticate(ctx, "alice", secret1, here)
	if !computed {
		wantCode(t, err, fault.Unauthenticated, "auth.invalid")
		return
	}
	ok(t, err)
	a, _, err = h.account(ctx, "alice")
	ok(t, err)
	if parsed, _ := parsePHC(a.PasswordHash); parsed.hashParams != preferred() {
		t.Fatalf("still %s", a.PasswordHash)
	}
}
