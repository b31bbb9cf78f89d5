package identity

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apps "github.com/pquerna/otp/totp"

	"entente/internal/fault"
	"entente/internal/store"
	"entente/outside"
)

// code is what the app of the secret's owner shows.
func (h *house) code(t testing.TB, secret string, off time.Duration) string {
	t.Helper()
	var c string
	var err error
	outside.Run(func() { c, err = apps.GenerateCode(secret, h.now().Add(off)) })
	ok(t, err)
	return c
}

// enrol gives an account one-time codes and returns their secret, the recovery codes and the session.
func (h *house) enrol(t testing.TB, name string) (string, []string, SignedIn) {
	t.Helper()
	s := h.browser(t, name, secret1)
	made, err := h.BeginTOTP(ctx, s.Session)
	ok(t, err)
	codes, err := h.ConfirmTOTP(ctx, s.Session, h.code(t, made.Secret, 0), here)
	ok(t, err)
	h.pass(time.Minute)
	h.apart(t, made.Secret)
	return made.Secret, codes, s
}

// none is a code that no app shows, where apart has seen to that.
const none = "000000"

// apart lets time pass until the codes around it differ from each other and from none: no code is right by chance, which one in some hundred thousand would be.
func (h *house) apart(t testing.TB, secret string) {
	t.Helper()
	for {
		seen := map[string]bool{none: true}
		const steps = 4 // either way
		for n := range 2*steps + 1 {
			seen[h.code(t, secret, time.Duration(n-steps)*30*time.Second)] = true
		}
		if len(seen) == 2*steps+2 {
			return
		}
		h.pass(30 * time.Second)
	}
}

// ask is the first step of a sign-in that asks for a code.
func (h *house) ask(t testing.TB, name string) string {
	t.Helper()
	got, err := h.SignIn(ctx, name, secret1, Client{Remote: here})
	ok(t, err)
	if got.State != StateTOTP || got.Cookie != "" {
		t.Fatalf("%+v", got)
	}
	return got.Ticket
}

// The test vectors of RFC 6238 appendix B for SHA-1, in six digits.
func TestCodesAreThoseOfTheStandard(t *testing.T) {
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // 12345678901234567890
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		step, ok := matchCode(secret, want, time.Unix(at, 0), 0)
		if !ok || step != at/30 {
			t.Errorf("at %d: %d %v", at, step, ok)
		}
		for _, off := range []int64{-30, 30} {
			if _, ok := matchCode(secret, want, time.Unix(at+off, 0), 0); !ok {
				t.Errorf("at %d a clock that differs by %d s is not tolerated", at, off)
			}
		}
		for _, off := range []int64{-90, 90} {
			if _, ok := matchCode(secret, want, time.Unix(at+off, 0), 0); ok {
				t.Errorf("at %d a code is taken %d s off", at, off)
			}
		}
		if _, ok := matchCode(secret, want, time.Unix(at, 0), at/30); ok {
			t.Errorf("at %d a code is taken again", at)
		}
	}
}

func TestSigningInWithACode(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	before := h.browser(t, "alice", secret1)
	secret, _, s := h.enrol(t, "alice")
	h.gone(t, before) // it was signed in without a second factor
	h.holds(t, s)

	_, err := h.Authenticate(ctx, "alice", secret1, here)
	wantCode(t, err, fault.Forbidden, "auth.factor")
	_, err = h.Authenticate(ctx, "alice", secret2, here)
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")

	ticket := h.ask(t, "alice")
	for _, wrong := range []string{"", none, "12345", "1234567", strings.Repeat("1", 5000), "абвгде"} {
		_, err := h.SignInCode(ctx, ticket, wrong, Client{Remote: there})
		if fault.Of(err) != fault.Unauthenticated && fault.Of(err) != fault.Throttled {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	code := h.code(t, secret, 0)
	done, err := h.SignInCode(ctx, ticket, " "+code[:3]+" "+code[3:]+" ", Client{Remote: here})
	ok(t, err)
	if done.State != StateDone || done.Session.By != "password+totp" {
		t.Fatalf("%+v", done)
	}
	h.holds(t, done)
	_, err = h.SignInCode(ctx, ticket, code, Client{Remote: here})
	wantCode(t, err, fault.Unauthenticated, "auth.code")
	_, err = h.SignInCode(ctx, h.ask(t, "alice"), code, Client{Remote: here})
	wantCode(t, err, fault.Unauthenticated, "auth.code")
	h.pass(30 * time.Second)
	_, err = h.SignInCode(ctx, h.ask(t, "alice"), code, Client{Remote: here}) // still within its time, and used
	wantCode(t, err, fault.Unauthenticated, "auth.code")
	for _, d := range h.mem.docs {
		if d.Kind == kindUser && strings.Contains(string(d.Value), secret) {
			t.Error("the secret stands open in the store")
		}
	}
}

func TestOneCodeOpensOnce(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	secret, recovery, _ := h.enrol(t, "alice")
	for _, name := range []string{"app", "recovery"} {
		code := recovery[3]
		if name == "app" {
			code = h.code(t, secret, 0)
		}
		ticket := h.ask(t, "alice")
		var wg sync.WaitGroup
		var opened atomic.Int64
		for i := range 8 {
			wg.Go(func() {
				if _, err := h.SignInCode(ctx, ticket, code, Client{Remote: "192.0.2." + string(rune('1'+i))}); err == nil {
					opened.Add(1)
				}
			})
		}
		wg.Wait()
		if opened.Load() != 1 {
			t.Errorf("%s: opened %d times", name, opened.Load())
		}
		h.pass(20 * time.Minute)
	}
}

func TestRecoveryCodes(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	h.user(t, "bob", secret1, "analyst")
	_, codes, _ := h.enrol(t, "alice")
	h.enrol(t, "bob")
	if len(codes) != recoveryCodes {
		t.Fatalf("%q", codes)
	}
	_, err := h.SignInCode(ctx, h.ask(t, "bob"), codes[0], Client{Remote: here})
	wantCode(t, err, fault.Unauthenticated, "auth.code")
	done, err := h.SignInCode(ctx, h.ask(t, "alice"), strings.ToUpper(strings.ReplaceAll(codes[0], "-", " ")), Client{Remote: here})
	ok(t, err)
	if done.Session.By != "password+recovery" {
		t.Errorf("%+v", done)
	}
	_, err = h.SignInCode(ctx, h.ask(t, "alice"), codes[0], Client{Remote: here})
	wantCode(t, err, fault.Unauthenticated, "auth.code")
	f, err := h.Factors(ctx, "alice")
	ok(t, err)
	if f != (Factors{TOTP: true, Recovery: recoveryCodes - 1, Password: true}) {
		t.Errorf("%+v", f)
	}
	for _, d := range h.mem.docs {
		if strings.Contains(string(d.Value), codes[1]) || strings.Contains(string(d.Value), recoveryText(codes[1])) {
			t.Error("a recovery code stands in the store")
		}
	}
	if !slices.ContainsFunc(h.mem.acts, func(a store.Act) bool { return a.Verb == "user.recovery" }) {
		t.Error("the use of a recovery code is not in the journal")
	}
}

// Whoever knows the password guesses codes from as many addresses as it likes, and gets nowhere; the person still signs in from where it
// has before.
func TestCodesAreNotGuessed(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	secret, _, _ := h.enrol(t, "alice")
	_, err := h.SignInCode(ctx, h.ask(t, "alice"), h.code(t, secret, 0), Client{Remote: here})
	ok(t, err)
	h.pass(time.Minute)
	ticket, tried := h.ask(t, "alice"), 0
	for i := range 200 {
		_, err := h.SignInCode(ctx, ticket, none, Client{Remote: "198.51.100." + string(rune('0'+i%10)) + string(rune('0'+i/10%10))})
		if fault.Of(err) == fault.Unauthenticated {
			tried++
		}
	}
	if tried != maxCodeFailures {
		t.Errorf("%d guesses were looked at", tried)
	}
	_, err = h.SignInCode(ctx, ticket, h.code(t, secret, 0), Client{Remote: "203.0.113.9"})
	wantCode(t, err, fault.Throttled, "auth.throttled")
	_, err = h.SignInCode(ctx, ticket, h.code(t, secret, 0), Client{Remote: here})
	ok(t, err)
}

func TestTicketsAreForOneStepOfOneAccountAndSoon(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	secret, _, _ := h.enrol(t, "alice")
	refused := func(why, ticket string) {
		t.Helper()
		if _, err := h.SignInCode(ctx, ticket, h.code(t, secret, 0), Client{Remote: here}); fault.Of(err) != fault.Unauthenticated || err == nil {
			t.Errorf("%s: %v", why, err)
		}
	}
	old := h.ask(t, "alice")
	h.pass(ticketLife)
	refused("too late", old)
	fresh := h.ask(t, "alice")
	h.pass(-time.Hour)
	refused("the clock was set back", fresh)
	h.pass(time.Hour)
	_, err := h.ChooseNew(ctx, fresh, secret2, Client{Remote: here})
	wantCode(t, err, fault.Unauthenticated, "auth.ticket")
	for _, text := range []string{"", "nonsense", seals{}.Seal(ticketContext, []byte("{}")), seals{}.Seal(ticketContext, []byte("[")), seals{}.Seal("other", []byte("{}"))} {
		refused("forged", text)
	}
	ok(t, h.SetPassword(ctx, "node", "alice", secret2, false))
	refused("the password was changed", fresh)
	ok(t, h.SetPassword(ctx, "node", "alice", secret1, false))
	closed := h.ask(t, "alice")
	ok(t, h.SetDisabled(ctx, "node", "alice", true))
	refused("the account was closed", closed)
}

func TestAPasswordThatMustBeChanged(t *testing.T) {
	h := open(t)
	if _, err := h.AddUser(ctx, "node", NewUser{Name: "alice", Roles: []string{"analyst"}, Password: secret1, MustChange: true}); err != nil {
		t.Fatal(err)
	}
	step, err := h.SignIn(ctx, "alice", secret1, Client{Remote: here})
	ok(t, err)
	if step.State != StateMustChange || step.Cookie != "" {
		t.Fatalf("%+v", step)
	}
	_, err = h.ChooseNew(ctx, step.Ticket, secret1, Client{Remote: here})
	wantCode(t, err, fault.Invalid, "password.weak")
	_, err = h.ChooseNew(ctx, step.Ticket, "short", Client{Remote: here})
	wantCode(t, err, fault.Invalid, "password.weak")
	done, err := h.ChooseNew(ctx, step.Ticket, secret2, Client{Remote: here})
	ok(t, err)
	h.holds(t, done)
	_, err = h.ChooseNew(ctx, step.Ticket, "another lantern on the hill", Client{Remote: here})
	wantCode(t, err, fault.Unauthenticated, "auth.ticket")

	// With codes: first the code, then the password.
	ok(t, h.SetPassword(ctx, "node", "alice", secret1, false))
	secret, _, _ := h.enrol(t, "alice")
	ok(t, h.SetPassword(ctx, "node", "alice", secret1, true))
	step, err = h.SignInCode(ctx, h.ask(t, "alice"), h.code(t, secret, 0), Client{Remote: here})
	ok(t, err)
	if step.State != StateMustChange {
		t.Fatalf("%+v", step)
	}
	done, err = h.ChooseNew(ctx, step.Ticket, secret2, Client{Remote: here})
	ok(t, err)
	if done.Session.By != "password+totp" {
		t.Errorf("%+v", done)
	}
}

func TestWhatTakesAFreshSession(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	s := h.browser(t, "alice", secret1)
	h.pass(freshFor + time.Second)
	_, err := h.BeginTOTP(ctx, s.Session)
	wantCode(t, err, fault.Forbidden, "auth.stale")
	_, _, err = h.BeginPasskey(ctx, s.Session, Site{Host: "localhost", Secure: true})
	wantCode(t, err, fault.Forbidden, "auth.stale")
	wantCode(t, h.RemovePasskey(ctx, s.Session, "x"), fault.Forbidden, "auth.stale")

	h.pass(-freshFor)
	secret, _, s := h.enrol(t, "alice")
	h.pass(freshFor)
	h.apart(t, secret)
	wantCode(t, h.RemoveTOTP(ctx, s.Session, "", "", here), fault.Forbidden, "auth.stale")
	wantCode(t, h.RemoveTOTP(ctx, s.Session, secret2, "", here), fault.Unauthenticated, "auth.invalid")
	wantCode(t, h.RemoveTOTP(ctx, s.Session, "", none, here), fault.Unauthenticated, "auth.code")
	ok(t, h.RemoveTOTP(ctx, s.Session, "", h.code(t, secret, 0), here))
	h.holds(t, s)
	if _, err := h.Authenticate(ctx, "alice", secret1, here); err != nil {
		t.Error(err)
	}
}

func TestASecretWaitsForItsFirstCode(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	s, other := h.browser(t, "alice", secret1), h.browser(t, "alice", secret1)
	_, err := h.ConfirmTOTP(ctx, s.Session, "123456", here)
	wantCode(t, err, fault.NotFound, "totp.pending")
	made, err := h.BeginTOTP(ctx, s.Session)
	ok(t, err)
	if !strings.HasPrefix(made.QR, "data:image/png;base64,iVBOR") || !strings.Contains(made.URI, "secret="+made.Secret) || !strings.HasPrefix(made.URI, "otpauth://totp/Entente%20Utopia%20CERT:alice?") || strings.Contains(made.URI, "+") {
		t.Errorf("%+v", made)
	}
	_, err = h.ConfirmTOTP(ctx, other.Session, h.code(t, made.Secret, 0), here)
	wantCode(t, err, fault.NotFound, "totp.pending")
	h.apart(t, made.Secret)
	_, err = h.ConfirmTOTP(ctx, s.Session, none, here)
	wantCode(t, err, fault.Invalid, "totp.code")
	h.browser(t, "alice", secret1) // nothing has changed yet
	h.pass(pendingLife)
	_, err = h.ConfirmTOTP(ctx, s.Session, h.code(t, made.Secret, 0), here)
	wantCode(t, err, fault.NotFound, "totp.pending")
}

func TestWhoMustHaveASecondFactor(t *testing.T) {
	h := open(t)
	h.Directory.factorRoles = []string{"admin"}
	h.user(t, "boss", secret1, "admin", "analyst")
	h.user(t, "alice", secret1, "analyst")
	if s := h.browser(t, "alice", secret1); s.Session.Enrol {
		t.Error("an analyst must enrol")
	}
	s := h.browser(t, "boss", secret1)
	v, now, err := h.AuthenticateSession(ctx, s.Cookie)
	ok(t, err)
	if !s.Session.Enrol || !now.Enrol || len(v.Roles) != 0 {
		t.Fatalf("%+v %+v", s, v)
	}
	made, err := h.BeginTOTP(ctx, s.Session)
	ok(t, err)
	_, err = h.ConfirmTOTP(ctx, s.Session, h.code(t, made.Secret, 0), here)
	ok(t, err)
	v, now, err = h.AuthenticateSession(ctx, s.Cookie)
	ok(t, err)
	if now.Enrol || !slices.Contains(v.Roles, "admin") {
		t.Errorf("who has enrolled: %+v %+v", now, v)
	}
	ok(t, h.ResetFactors(ctx, "Utopia CERT/other", "boss"))
	h.gone(t, s)
	if s := h.browser(t, "boss", secret1); !s.Session.Enrol {
		t.Error("who lost the factor need not enrol")
	}
}

func FuzzCode(f *testing.F) {
	h := open(f)
	h.user(f, "alice", secret1, "analyst")
	_, recovery, _ := h.enrol(f, "alice")
	f.Add("123456")
	f.Add(recovery[0])
	f.Fuzz(func(t *testing.T, code string) {
		by, err := h.consume(ctx, "alice", code)
		if err == nil && by != byTOTP && by != byRecovery {
			t.Fatalf("%q: %q", code, by)
		}
	})
}

func TestPersonsOfAProvider(t *testing.T) {
	h := open(t)
	h.factorRoles = []string{"admin"}
	person := Federated{Provider: "corp", Issuer: "https://id.example", Subject: "0815", Name: "Alice"}
	come := func(f Federated) (SignedIn, error) { return h.SignInFederated(ctx, f, Client{Remote: here}) }
	with := func(change func(*Federated)) Federated { f := person; change(&f); return f }
	refused := func(why string, f Federated, code string) {
		t.Helper()
		if _, err := come(f); fault.Of(err) != fault.Forbidden || err == nil || fault.As(err).MachineCode() != code {
			t.Errorf("%s: %v", why, err)
		}
	}
	refused("nobody is known", person, "sso.unknown")
	refused("no name", with(func(f *Federated) { f.Name = "" }), "sso.unknown")
	h.user(t, "alice", secret1, "admin")
	refused("the name of an account with a password", person, "sso.unknown")
	refused("the same, where accounts are made", with(func(f *Federated) { f.Create, f.Roles = true, []string{"analyst"} }), "sso.unknown")

	_, err := h.AddUser(ctx, "node", NewUser{Name: "bob", Roles: []string{"analyst"}, Provider: "a corp"})
	wantCode(t, err, fault.Invalid, "sso.provider")
	_, err = h.AddUser(ctx, "node", NewUser{Name: "bob", Roles: []string{"analyst"}, Provider: "corp"})
	ok(t, err)
	if _, err := h.SignIn(ctx, "bob", "", Client{Remote: there}); fault.Of(err) != fault.Unauthenticated {
		t.Errorf("an account without a password: %v", err)
	}
	bob := with(func(f *Federated) { f.Name = "bob" })
	refused("of another provider", with(func(f *Federated) { f.Name, f.Provider = "bob", "other" }), "sso.unknown")
	s, err := come(bob)
	ok(t, err)
	h.holds(t, s)
	if s.Session.By != "oidc:corp" {
		t.Errorf("%+v", s)
	}
	refused("another person of that name", with(func(f *Federated) { f.Name, f.Subject = "bob", "4711" }), "sso.unknown")
	refused("the same subject elsewhere", with(func(f *Federated) { f.Name, f.Issuer = "bob", "https://other.example" }), "sso.unknown")
	again, err := come(with(func(f *Federated) { f.Name = "called otherwise now" }))
	ok(t, err)
	if again.Session.User != "bob" {
		t.Errorf("%+v", again)
	}
	ok(t, h.SetRoles(ctx, "node", "bob", []string{"admin"}))
	refused("a role that takes a second factor", bob, "sso.factor")
	_, err = come(with(func(f *Federated) { f.Name, f.SecondFactor = "bob", true }))
	ok(t, err)
	ok(t, h.SetRoles(ctx, "node", "bob", []string{"analyst"}))
	ok(t, h.SetDisabled(ctx, "node", "bob", true))
	refused("a closed account", bob, "sso.unknown")
	ok(t, h.DeleteUser(ctx, "node", "bob"))
	refused("an account that is gone", bob, "sso.unknown")

	carol := with(func(f *Federated) { f.Name, f.Subject, f.Create, f.Roles = "carol", "c", true, []string{"analyst"} })
	s, err = come(carol)
	ok(t, err)
	carol.Roles = []string{"contributor"}
	next, err := come(carol)
	ok(t, err)
	h.gone(t, s)
	v, _, err := h.AuthenticateSession(ctx, next.Cookie)
	ok(t, err)
	if !slices.Equal(v.Roles, []string{"contributor"}) {
		t.Errorf("%v", v.Roles)
	}
	carol.Roles = nil
	refused("nothing brings a role any more", carol, "sso.unknown")
	refused("made without a role", with(func(f *Federated) { f.Name, f.Subject, f.Create = "dave", "d", true }), "sso.unknown")
}
