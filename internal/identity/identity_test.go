package identity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/internal/fault"
)

// house is a directory over a memory with a clock that the test moves.
type house struct {
	*Directory
	mem    *memory
	log    *bytes.Buffer
	mu     sync.Mutex
	time   time.Time
	delays []time.Duration
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.time
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.time = h.time.Add(d)
}

func (h *house) slept() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.delays)
}

var (
	ctx      = context.Background()
	allRoles = []string{"admin", "analyst", "contributor"}
	pepper   = bytes.Repeat([]byte{7}, 32)
)

const (
	secret1 = "a quiet river at dawn"
	secret2 = "seven lanterns on the hill"
	here    = "192.0.2.1:4711"
	there   = "198.51.100.7:80"
)

func open(t testing.TB) *house {
	t.Helper()
	cheaply(t)
	h := &house{time: time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC), log: &bytes.Buffer{}}
	h.mem = newMemory(h.now)
	h.Directory = h.another(t)
	return h
}

// another opens one more directory on the same store, as another node or a restart does.
func (h *house) another(t testing.TB) *Directory {
	t.Helper()
	d, err := New(ctx, Config{Store: h.mem, Nation: "UTO", Org: "Utopia CERT", Realm: "operational", Pepper: pepper, Now: h.now, Sealer: seals{},
		ValidRole: func(r string) bool { return slices.Contains(allRoles, r) }, Log: slog.New(slog.NewTextHandler(h.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	d.sleep = func(_ context.Context, wait time.Duration) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.delays = append(h.delays, wait)
		return nil
	}
	return d
}

// cheaply lowers the cost of new hashes for one test.
func cheaply(t testing.TB) {
	argon, pb := argonNow, pbkdf2Now
	argonNow, pbkdf2Now = hashParams{memory: 64, time: 1, threads: 1}, hashParams{iterations: 1000}
	t.Cleanup(func() { argonNow, pbkdf2Now = argon, pb })
}

func (h *house) user(t testing.TB, name, password string, roles ...string) {
	t.Helper()
	if _, err := h.AddUser(ctx, "node", NewUser{Name: name, Roles: roles, Password: password}); err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, err error, kind fault.Kind, code string) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != kind || e.MachineCode() != code {
		t.Fatalf("got %v, want %s %s", err, kind, code)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAccountsKeepTheirRules(t *testing.T) {
	h := open(t)
	h.user(t, "Alice", secret1, "analyst", "admin", "analyst")
	u, err := h.User(ctx, "ALICE")
	ok(t, err)
	if u.Name != "alice" || u.Org != "Utopia CERT" || !slices.Equal(u.Roles, []string{"admin", "analyst"}) {
		t.Fatalf("stored %+v", u)
	}
	for _, c := range []struct {
		why  string
		user NewUser
		kind fault.Kind
		code string
	}{
		{"a name in another case is the same name", NewUser{Name: "aLICE", Roles: []string{"analyst"}, Password: secret1}, fault.Conflict, "user.exists"},
		{"no name", NewUser{Roles: []string{"analyst"}, Password: secret1}, fault.Invalid, "name.invalid"},
		{"a name that would break a journal line", NewUser{Name: "a/b", Roles: []string{"analyst"}, Password: secret1}, fault.Invalid, "name.invalid"},
		{"a look-alike letter", NewUser{Name: "\u0430lice", Roles: []string{"analyst"}, Password: secret1}, fault.Invalid, "name.invalid"},
		{"a name of 65 characters", NewUser{Name: strings.Repeat("a", 65), Roles: []string{"analyst"}, Password: secret1}, fault.Invalid, "name.invalid"},
		{"an unknown role", NewUser{Name: "bob", Roles: []string{"king"}, Password: secret1}, fault.Invalid, "role.unknown"},
		{"no role", NewUser{Name: "bob", Password: secret1}, fault.Invalid, "role.count"},
		{"an unknown organisation", NewUser{Name: "bob", Org: "Nobody", Roles: []string{"analyst"}, Password: secret1}, fault.NotFound, "org.unknown"},
		{"a short password", NewUser{Name: "bob", Roles: []string{"analyst"}, Password: "elevenchars"}, fault.Invalid, "password.weak"},
		{"the name as the password", NewUser{Name: "bartholomew-1", Roles: []string{"analyst"}, Password: "Bartholomew-1"}, fault.Invalid, "password.weak"},
	} {
		_, err := h.AddUser(ctx, "node", c.user)
		t.Run(c.why, func(t *testing.T) { wantCode(t, err, c.kind, c.code) })
	}
	users, err := h.Users(ctx, "", 0)
	ok(t, err)
	if len(users) != 1 {
		t.Fatalf("refused accounts were stored: %v", users)
	}
}

func TestPasswordRules(t *testing.T) {
	for password, good := range map[string]bool{
		secret1: true, strings.Repeat("äöü-", 3): true, "Tr0ub4dor&3-xyz": true, "test-password-1": true,
		"": false, "sh0rt": false, "aaaaaaaaaaaaaaaa": false, "abababababababab": false, "abcdefghijklmnop": false, "PassWord1234": false, "987654321987": true,
		"zyxwvutsrqponml": false, "changemechangeme": false, strings.Repeat("long phrase ", 90): false, "bad utf8 \xff\xff\xff\xff": false,
	} {
		err := CheckPassword("alice", password)
		if (err == nil) != good {
			t.Errorf("%q: %v", password, err)
		}
		if err != nil && password != "" && strings.Contains(err.Error(), password) {
			t.Errorf("the refusal repeats the password: %v", err)
		}
	}
}

func TestReadPasswordFile(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, content, want string
		mode                os.FileMode
		loose, fails        bool
	}{
		{"private", secret1 + "\n", secret1, 0o600, false, false},
		{"windows", secret1 + "\r\nsecond line", secret1, 0o600, false, false},
		{"no newline", secret1, secret1, 0o600, false, false},
		{"spaces are part of it", " " + secret1 + " \n", " " + secret1 + " ", 0o600, false, false},
		{"others may read", secret1, secret1, 0o644, true, false},
		{"empty", "", "", 0o600, false, true},
		{"empty first line", "\n" + secret1, "", 0o600, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, c.name)
			ok(t, os.WriteFile(path, []byte(c.content), c.mode))
			ok(t, os.Chmod(path, c.mode))
			got, loose, err := ReadPasswordFile(path)
			if got != c.want || loose != c.loose || (err != nil) != c.fails {
				t.Fatalf("%q %v %v", got, loose, err)
			}
		})
	}
	_, _, err := ReadPasswordFile(filepath.Join(dir, "nowhere"))
	wantCode(t, err, fault.Invalid, "password.file")
}

func TestTheLastAdministratorStays(t *testing.T) {
	h := open(t)
	h.user(t, "root", secret1, "admin")
	for name, change := range map[string]func() error{
		"delete":  func() error { return h.DeleteUser(ctx, "node", "root") },
		"disable": func() error { return h.SetDisabled(ctx, "node", "root", true) },
		"demote":  func() error { return h.SetRoles(ctx, "node", "root", []string{"analyst"}) },
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, change(), fault.Conflict, "user.last_admin") })
	}
	h.user(t, "second", secret2, "admin")
	ok(t, h.SetDisabled(ctx, "node", "second", true))
	wantCode(t, h.DeleteUser(ctx, "node", "root"), fault.Conflict, "user.last_admin")
	ok(t, h.SetDisabled(ctx, "node", "second", false))
	ok(t, h.DeleteUser(ctx, "node", "root"))
	if _, err := h.User(ctx, "root"); fault.Of(err) != fault.NotFound {
		t.Fatal(err)
	}
}

func TestTwoNodesNeverRemoveBothAdministrators(t *testing.T) {
	h := open(t)
	h.user(t, "one", secret1, "admin")
	h.user(t, "two", secret2, "admin")
	other := h.another(t)
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.DeleteUser(ctx, "node", "one") })
	wg.Go(func() { _ = other.DeleteUser(ctx, "node", "two") })
	wg.Wait()
	if n, err := h.admins(ctx, ""); err != nil || n < 1 {
		t.Fatalf("%d administrators are left, %v", n, err)
	}
}

func TestOrganisationsAndCommunities(t *testing.T) {
	h := open(t)
	if r := h.Register(); len(r.Orgs) != 1 || r.Org != "Utopia CERT" || r.Orgs[0].Nation != "UTO" {
		t.Fatalf("the own organisation is missing: %+v", r)
	}
	_, err := h.AddOrg(ctx, "Utopia CERT/root", Org{Name: "Water Works", Nation: "UTO", Client: true, Sectors: []string{"water", "water"}})
	ok(t, err)
	if a := h.mem.lastAct(); a.Actor != "Utopia CERT/root" || a.Verb != "org.add" || a.Target != "Water Works" {
		t.Fatalf("journaled %+v", a)
	}
	_, err = h.AddOrg(ctx, "node", Org{Name: "WATER works", Nation: "UTO"})
	wantCode(t, err, fault.Conflict, "org.exists")
	for _, bad := range []Org{{Name: "a/b", Nation: "UTO"}, {Name: " x", Nation: "UTO"}, {Name: "x", Nation: "utopia"}, {Name: "x\ny", Nation: "UTO"}, {Nation: "UTO"}} {
		if _, err := h.AddOrg(ctx, "node", bad); fault.Of(err) != fault.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	_, err = h.SetCommunity(ctx, "node", Community{Name: "coast", Members: []string{"utopia cert", "Water Works", "water works"}})
	ok(t, err)
	_, err = h.SetCommunity(ctx, "node", Community{Name: "coast", Members: []string{"Nobody"}})
	wantCode(t, err, fault.NotFound, "org.unknown")
	r := h.Register()
	if !slices.Equal(r.Clients(), []string{"Water Works"}) || !slices.Equal(r.Communities[0].Members, []string{"Utopia CERT", "Water Works"}) {
		t.Fatalf("%+v", r)
	}
	if o, found := r.Find("WATER WORKS"); !found || !slices.Equal(o.Sectors, []string{"water"}) {
		t.Fatalf("%+v", o)
	}
	wantCode(t, h.DeleteOrg(ctx, "node", "Water Works"), fault.Conflict, "org.used")
	ok(t, h.DeleteCommunity(ctx, "node", "COAST"))
	ok(t, h.DeleteOrg(ctx, "node", "water works"))
	wantCode(t, h.DeleteOrg(ctx, "node", "Utopia CERT"), fault.Forbidden, "org.own")
	_, err = h.SetOrg(ctx, "node", Org{Name: "Utopia CERT", Nation: "RUR"})
	wantCode(t, err, fault.Forbidden, "org.own")
}

func TestEnsureOrgRegistersOnce(t *testing.T) {
	h := open(t)
	other := h.another(t)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			d := h.Directory
			if i%2 == 1 {
				d = other
			}
			_, errs[i] = d.EnsureOrg(ctx, "node", Org{Name: []string{"Water Works", "WATER WORKS"}[i%2]})
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	ok(t, h.Refresh(ctx))
	if r := h.Register(); len(r.Orgs) != 2 {
		t.Fatalf("%+v", r.Orgs)
	}
	if o, _ := h.Register().Find("water works"); o.Nation != "UTO" {
		t.Fatalf("%+v", o)
	}
}

func TestAnotherNodeSeesChangesAfterRefresh(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	other := h.another(t)
	if _, err := other.Authenticate(ctx, "alice", secret1, here); err != nil {
		t.Fatal(err)
	}
	ok(t, h.SetDisabled(ctx, "node", "alice", true))
	ok(t, other.Refresh(ctx))
	_, err := other.Authenticate(ctx, "alice", secret1, here)
	wantCode(t, err, fault.Unauthenticated, "auth.invalid")
}

func TestSetupLink(t *testing.T) {
	h := open(t)
	first, _, err := h.IssueSetup(ctx, "node")
	ok(t, err)
	link, expires, err := h.IssueSetup(ctx, "node")
	ok(t, err)
	if got := expires.Sub(h.now()); got != time.Hour {
		t.Fatalf("valid for %s", got)
	}
	if strings.Contains(h.mem.everything(), link) {
		t.Fatal("the secret is stored")
	}
	wantCode(t, h.CheckSetup(ctx, first), fault.NotFound, "setup.invalid") // ended by the second
	for _, forged := range []string{"", "x", link + "0", strings.Repeat("0", len(link))} {
		_, err := h.RedeemSetup(ctx, forged, "root", secret1)
		wantCode(t, err, fault.NotFound, "setup.invalid")
	}
	_, err = h.RedeemSetup(ctx, link, "root", "short")
	wantCode(t, err, fault.Invalid, "password.weak")
	restarted := h.another(t)
	ok(t, restarted.CheckSetup(ctx, link))

	results := make([]error, 8) // many at once: one wins
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { _, results[i] = restarted.RedeemSetup(ctx, link, fmt.Sprint("root", i), secret1) })
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		}
	}
	if n, err := restarted.admins(ctx, ""); won != 1 || n != 1 || err != nil {
		t.Fatalf("%d redeemed, %d administrators, %v", won, n, err)
	}
	_, _, err = restarted.IssueSetup(ctx, "node")
	wantCode(t, err, fault.Conflict, "setup.done")
}

func TestSetupLinkExpires(t *testing.T) {
	h := open(t)
	link, _, err := h.IssueSetup(ctx, "node")
	ok(t, err)
	h.pass(time.Hour)
	_, err = h.RedeemSetup(ctx, link, "root", secret1)
	wantCode(t, err, fault.NotFound, "setup.invalid")
	h.pass(-2 * time.Hour) // a clock set back does not bring it to a longer life
	_, err = h.RedeemSetup(ctx, link, "root", secret1)
	wantCode(t, err, fault.NotFound, "setup.invalid")
}
