package identity

import (
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/store"
)

// seals is a Sealer that hides nothing: the tests look at what a token is for.
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

// browser signs in and returns the text of the session.
func (h *house) browser(t testing.TB, name, password string) SignedIn {
	t.Helper()
	done, err := h.SignIn(ctx, name, password, Client{Remote: here, Agent: "Test/1.0"})
	ok(t, err)
	if done.State != StateDone {
		t.Fatalf("%+v", done)
	}
	return done
}

func (h *house) holds(t testing.TB, s SignedIn) {
	t.Helper()
	if _, _, err := h.AuthenticateSession(ctx, s.Cookie); err != nil {
		t.Fatal(err)
	}
}

func (h *house) gone(t testing.TB, s SignedIn) {
	t.Helper()
	_, _, err := h.AuthenticateSession(ctx, s.Cookie)
	wantCode(t, err, fault.Unauthenticated, "auth.session")
}

func TestASessionIsThePerson(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	s := h.browser(t, "Alice", secret1)
	v, got, err := h.AuthenticateSession(ctx, s.Cookie)
	ok(t, err)
	if v.Person != "alice" || v.Org != "Utopia CERT" || !slices.Equal(v.Roles, []string{"analyst"}) || got.ID != s.Session.ID || got.By != "password" || got.Remote != "192.0.2.1" || got.Agent != "Test/1.0" {
		t.Fatalf("%+v %+v", v, got)
	}
	for _, d := range h.mem.docs {
		if strings.Contains(string(d.Value), s.Cookie[len(s.Session.ID)+1:]) {
			t.Fatal("the store keeps the secret of a session")
		}
	}
	other := h.another(t)
	if _, _, err := other.AuthenticateSession(ctx, s.Cookie); err != nil {
		t.Fatal("a restart ends sessions:", err)
	}
}

func TestWrongSessionsAreAllTheSame(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	s := h.browser(t, "alice", secret1).Cookie
	other := []byte(s[len(s)-secretLength:])
	if last := &other[len(other)-1]; *last == 'Z' {
		*last = 'Y'
	} else {
		*last = 'Z'
	}
	for _, text := range []string{"", "~", "alice", s[:len(s)-1], s + "x", strings.ToUpper(s), "bob" + s[5:], "~" + s, strings.Repeat("x", 5000), "alice~" + strings.Repeat("0", 16) + "~" + strings.Repeat("0", 43),
		s[:len(s)-secretLength] + string(other), strings.Replace(s, "~", "/", 1), "Alice" + s[5:], s + "\x00", "alice~\xff"} {
		_, _, err := h.AuthenticateSession(ctx, text)
		wantCode(t, err, fault.Unauthenticated, "auth.session")
	}
	h.mem.mu.Lock()
	h.mem.broke = fault.New(fault.Unavailable, "", "no store")
	h.mem.mu.Unlock()
	_, _, err := h.another2(t).AuthenticateSession(ctx, s)
	if fault.Of(err) != fault.Unavailable {
		t.Errorf("without a store: %v", err)
	}
}

// another2 is a directory with nothing in memory, over a store that does not answer.
func (h *house) another2(t testing.TB) *Directory {
	t.Helper()
	h.mem.mu.Lock()
	broke := h.mem.broke
	h.mem.broke = nil
	h.mem.mu.Unlock()
	d := h.another(t)
	h.mem.mu.Lock()
	h.mem.broke = broke
	h.mem.mu.Unlock()
	return d
}

func TestEveryChangeOfAnAccountEndsItsSessions(t *testing.T) {
	for name, change := range map[string]func(h *house) error{
		"password": func(h *house) error { return h.SetPassword(ctx, "node", "alice", secret2, false) },
		"roles":    func(h *house) error { return h.SetRoles(ctx, "node", "alice", []string{"contributor"}) },
		"disabled": func(h *house) error { return h.SetDisabled(ctx, "node", "alice", true) },
		"closed and opened": func(h *house) error {
			if err := h.SetDisabled(ctx, "node", "alice", true); err != nil {
				return err
			}
			return h.SetDisabled(ctx, "node", "alice", false)
		},
		"deleted": func(h *house) error { return h.DeleteUser(ctx, "node", "alice") },
		"deleted and made again": func(h *house) error {
			if err := h.DeleteUser(ctx, "node", "alice"); err != nil {
				return err
			}
			_, err := h.AddUser(ctx, "node", NewUser{Name: "alice", Roles: []string{"analyst"}, Password: secret1})
			return err
		},
		"factors":      func(h *house) error { return h.ResetFactors(ctx, "node", "alice") },
		"own password": func(h *house) error { return h.ChangePassword(ctx, "alice", secret1, secret2, here, "") },
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.user(t, "alice", secret1, "analyst")
			h.user(t, "bob", secret1, "analyst")
			s, bob := h.browser(t, "alice", secret1), h.browser(t, "bob", secret1)
			stale, _, err := h.mem.raw(kindSession, s.Session.ID)
			ok(t, err)
			h.holds(t, s)
			ok(t, change(h))
			h.gone(t, s)
			h.holds(t, bob)
			// Also a session that was written at the same moment does not hold: it is of the account as it was.
			ok(t, h.mem.PutDocs(ctx, store.Act{}, store.Doc{Kind: kindSession, Key: s.Session.ID, Value: stale, Version: -1, Expires: h.now().Add(time.Hour)}))
			h.gone(t, s)
		})
	}
}

func (m *memory) raw(kind, key string) ([]byte, int64, error) {
	d, err := m.Doc(ctx, kind, key)
	return d.Value, d.Version, err
}

func TestTheOwnPasswordKeepsTheSessionThatChangesIt(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	mine, other := h.browser(t, "alice", secret1), h.browser(t, "alice", secret1)
	ok(t, h.ChangePassword(ctx, "alice", secret1, secret2, here, mine.Session.ID))
	h.holds(t, mine)
	h.gone(t, other)
	wantCode(t, h.ChangePassword(ctx, "alice", secret1, secret2, here, mine.Session.ID), fault.Unauthenticated, "auth.invalid")
	h.user(t, "bob", secret1, "analyst")
	bob := h.browser(t, "bob", secret1)
	ok(t, h.ChangePassword(ctx, "alice", secret2, secret1, here, bob.Session.ID)) // another's session is no session of hers
	h.gone(t, mine)
	h.holds(t, bob)
}

func TestSessionsEndByTime(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(map[bool]string{false: "in memory", true: "from the store"}[restart], func(t *testing.T) {
			h := open(t)
			at := func() *Directory {
				if restart {
					return h.another(t)
				}
				return h.Directory
			}
			h.user(t, "alice", secret1, "analyst")
			idle, busy := h.browser(t, "alice", secret1), h.browser(t, "alice", secret1)
			var err error
			for passed := time.Duration(0); passed < 12*time.Hour-20*time.Minute; passed += 20 * time.Minute {
				h.pass(20 * time.Minute)
				if _, _, err = at().AuthenticateSession(ctx, busy.Cookie); err != nil {
					t.Fatalf("a session in use ends after %s: %v", passed, err)
				}
			}
			_, _, err = at().AuthenticateSession(ctx, idle.Cookie)
			wantCode(t, err, fault.Unauthenticated, "auth.session")
			h.pass(20 * time.Minute)
			_, _, err = at().AuthenticateSession(ctx, busy.Cookie)
			wantCode(t, err, fault.Unauthenticated, "auth.session")
		})
	}
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	s := h.browser(t, "alice", secret1)
	h.pass(-time.Hour)
	if _, _, err := h.another(t).AuthenticateSession(ctx, s.Cookie); err == nil {
		t.Error("a clock that was set back makes sessions live longer")
	}
}

func TestTheUseOfASessionIsNotedOnceAMinute(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	s := h.browser(t, "alice", secret1)
	_, before, err := h.mem.raw(kindSession, s.Session.ID)
	ok(t, err)
	for range 90 {
		h.pass(2 * time.Second)
		h.holds(t, s)
	}
	_, after, err := h.mem.raw(kindSession, s.Session.ID)
	ok(t, err)
	if writes := after - before; writes < 2 || writes > 3 {
		t.Errorf("90 uses within three minutes were written %d times", writes)
	}
	list, err := h.Sessions(ctx, "alice")
	ok(t, err)
	if len(list) != 1 || h.now().Sub(list[0].Seen) > time.Minute {
		t.Errorf("%+v at %s", list, h.now())
	}
}

func TestSigningInAgainReplacesTheSession(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	h.user(t, "bob", secret1, "analyst")
	first := h.browser(t, "alice", secret1)
	second, err := h.SignIn(ctx, "alice", secret1, Client{Remote: here, Session: first.Cookie})
	ok(t, err)
	if first.Cookie == second.Cookie {
		t.Fatal("the session was kept over a sign-in")
	}
	h.gone(t, first)
	h.holds(t, second)
	planted := "alice~" + strings.Repeat("0", idLength) + "~" + strings.Repeat("0", secretLength)
	third, err := h.SignIn(ctx, "alice", secret1, Client{Remote: here, Session: planted})
	ok(t, err)
	if third.Cookie == planted {
		t.Fatal("a planted session was taken")
	}
	bob, err := h.SignIn(ctx, "bob", secret1, Client{Remote: there, Session: third.Cookie})
	ok(t, err)
	h.holds(t, bob)
	h.holds(t, third) // another person's sign-in ends nobody else's
}

func TestAnAccountHasSoManySessions(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	first := h.browser(t, "alice", secret1)
	h.pass(time.Second)
	var last SignedIn
	for range maxSessions {
		last = h.browser(t, "alice", secret1)
		h.pass(time.Millisecond)
	}
	h.gone(t, first)
	h.holds(t, last)
	list, err := h.Sessions(ctx, "alice")
	ok(t, err)
	if len(list) != maxSessions {
		t.Errorf("%d sessions", len(list))
	}
}

func TestSessionsAreRevoked(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	h.user(t, "al", secret1, "analyst")
	one, two, al := h.browser(t, "alice", secret1), h.browser(t, "alice", secret1), h.browser(t, "al", secret1)
	wantCode(t, h.RevokeSession(ctx, "x", "al", one.Session.ID), fault.NotFound, "session.unknown")
	for _, id := range []string{"", "x", "alice~", "alice~AAAAAAAAAAAAAAAA", strings.Repeat("~", 5000), one.Cookie} {
		wantCode(t, h.RevokeSession(ctx, "x", "", id), fault.NotFound, "session.unknown")
	}
	ok(t, h.RevokeSession(ctx, "Utopia CERT/boss", "", one.Session.ID))
	h.gone(t, one)
	h.holds(t, two)
	ok(t, h.EndSession(ctx, two.Cookie))
	ok(t, h.EndSession(ctx, two.Cookie))
	ok(t, h.EndSession(ctx, "nonsense"))
	h.gone(t, two)
	h.holds(t, al)
	all, err := h.AllSessions(ctx, "", 0)
	ok(t, err)
	if len(all) != 1 || all[0].User != "al" {
		t.Errorf("%+v", all)
	}
	var acts []string
	for _, a := range h.mem.acts {
		if strings.HasPrefix(a.Verb, "session.") {
			acts = append(acts, a.Actor+" "+a.Verb)
		}
	}
	want := []string{"Utopia CERT/alice session.begin", "Utopia CERT/alice session.begin", "Utopia CERT/al session.begin", "Utopia CERT/boss session.revoke", "Utopia CERT/alice session.end"}
	if !slices.Equal(acts, want) {
		t.Errorf("the journal has %q", acts)
	}
}

// However the reading, noting and ending of sessions fall together, one that was ended stays so.
func TestRevocationHoldsAgainstEverythingAtOnce(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	for range 20 {
		s := h.browser(t, "alice", secret1)
		var wg sync.WaitGroup
		var revoked atomic.Bool
		for range 4 {
			wg.Go(func() {
				for range 50 {
					was := revoked.Load()
					_, _, err := h.AuthenticateSession(ctx, s.Cookie)
					if was && err == nil {
						t.Error("a revoked session opens")
					}
				}
			})
		}
		wg.Go(func() {
			for range 5 {
				h.pass(15 * time.Second) // so that uses are noted
			}
		})
		wg.Go(func() {
			if err := h.RevokeSession(ctx, "x", "", s.Session.ID); err != nil {
				t.Error(err)
			}
			revoked.Store(true)
		})
		wg.Wait()
		h.gone(t, s)
		if _, err := h.mem.Doc(ctx, kindSession, s.Session.ID); fault.Of(err) != fault.NotFound {
			t.Fatal("a revoked session came back")
		}
	}
}

func TestWhatABrowserSaysOfItself(t *testing.T) {
	for in, want := range map[string]string{"Test/1.0": "Test/1.0", "a\nb\x00c": "abc", "\xffx": "x", strings.Repeat("é", 200): strings.Repeat("é", 80), "": ""} {
		if got := agent(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func FuzzSession(f *testing.F) {
	h := open(f)
	h.user(f, "alice", secret1, "analyst")
	s := h.browser(f, "alice", secret1).Cookie
	f.Add(s[:len(s)-1])
	f.Add("alice~~")
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, err := h.AuthenticateSession(ctx, text); err == nil && text != s {
			t.Fatalf("%q opens", text)
		}
		h.RevokeSession(ctx, "x", "alice", text)
	})
}

func BenchmarkAuthenticateSession(b *testing.B) {
	h := open(b)
	if _, err := h.AddUser(ctx, "node", NewUser{Name: "alice", Roles: []string{"analyst"}, Password: secret1}); err != nil {
		b.Fatal(err)
	}
	s := h.browser(b, "alice", secret1)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := h.AuthenticateSession(ctx, s.Cookie); err != nil {
			b.Fatal(err)
		}
	}
}
