package node

import (
	"fmt"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/surface/api"
	"entente/label"
)

// TestSignInTellsNothing tries accounts, tokens and roles that are there in one world only: no answer, and no delay, may tell.
func TestSignInTellsNothing(t *testing.T) {
	worlds := [2]*leakWorld{}
	sessions := [2]*session{}
	for i := range worlds {
		w := newLeakWorld(t, func(string) bool { return i == 0 })
		w.secret("partner", func() {
			w.must(errorOf(w.admin.AddUser(t.Context(), api.AddUser{Name: hiddenAccount, Org: freedonia, Roles: []string{"analyst"}, Password: leakPassword})))
			w.must(errorOf(w.admin.AddUser(t.Context(), api.AddUser{Name: hiddenAccount + "2", Org: freedonia, Roles: []string{"analyst"}, Password: leakPassword})))
			disabled := true
			w.must(errorOf(w.admin.ChangeUser(t.Context(), hiddenAccount+"2", api.ChangeUser{Disabled: &disabled})))
			token, err := w.admin.AddToken(t.Context(), api.AddToken{Name: "gone", Org: freedonia, Roles: []string{"analyst"}})
			w.must(err)
			w.must(w.admin.RevokeToken(t.Context(), token.Token.ID))
			w.names["gone"] = token.Text
		})
		if i == 0 {
			w.names["gone"] = "entente_0000000000000000_0000000000000000000000000000000000000000000"
		}
		s := w.asAccount(hiddenAccount, "not the password")
		for _, name := range []string{hiddenAccount, hiddenAccount + "2", "nobody"} {
			wrong := w.asAccount(name, "not the password")
			for range 3 {
				wrong.get("/api/v1/me")
			}
			wrong.get("/taxii2/")
			wrong.get("/taxii2/freedonia/")
			s.lines = append(s.lines, wrong.lines...)
		}
		revoked := w.as("")
		for _, token := range []string{"{gone}", "entente_x", ""} {
			revoked.get("/api/v1/me Authorization: Bearer " + w.fill(token))
		}
		for _, l := range revoked.lines {
			s.lines = append(s.lines, exchanged{"a token", l.answer})
		}
		worlds[i], sessions[i] = w, s
	}
	compareTranscripts(t, sessions[0], sessions[1])
}

// TestLargePostTellsNothing hands so much in at once that it is stored after it was answered.
func TestLargePostTellsNothing(t *testing.T) {
	a, b := leakWorlds(t, func(string) bool { return true }, func(string) bool { return false })
	var sessions []*session
	for _, w := range []*leakWorld{a, b} {
		s := w.as("rita")
		objects := ""
		for i, o := range written() {
			if i > 0 {
				objects += ","
			}
			objects += o
		}
		for i := range w.n.cfg.Limits.PostObjects {
			objects += "," + sdo("indicator", 0x5000+i%40, fmt.Sprint("Many ", i), marked(label.Green), first)
		}
		got := s.ask("POST", "/taxii2/api/collections/open/objects/", `{"objects":[`+objects+`]}`)
		id := firstID(got.Body.String())
		for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(2 * time.Millisecond) {
			poll := w.as("rita")
			poll.get("/taxii2/api/status/" + id + "/")
			if p := poll.lines[0].answer; len(p) > 3 && !pending.MatchString(p) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the post is never done")
			}
		}
		w.clock.Store(clockOfLeaks*1_000_000 + int64(12*time.Hour/time.Microsecond)) // as many polls in both
		s.get("/taxii2/api/status/" + id + "/")
		s.limits = []int{7}
		s.page("/taxii2/api/collections/open/objects/?match%5Bversion%5D=all")
		sessions = append(sessions, s)
	}
	compareTranscripts(t, sessions[0], sessions[1])
	searchTaints(t, sessions[1], b.taints)
}

// TestAuditorsReadTheirOwnStatuses: what another organisation's post was about is for that organisation, also before an auditor.
func TestAuditorsReadTheirOwnStatuses(t *testing.T) {
	w := newLeakWorld(t, func(string) bool { return true })
	w.collections()
	token, err := w.admin.AddToken(t.Context(), api.AddToken{Name: "aud", Roles: []string{"auditor"}})
	w.must(err)
	w.tokens["aud"] = token.Text
	for by, want := range map[string]int{"fred": 404, "ursula": 200} {
		got := w.as(by).ask("POST", "/taxii2/api/collections/open/objects/", `{"objects":[`+sdo("tool", 1, "Of "+by, marked(label.Red), first)+`]}`)
		if status := w.as("aud").get("/taxii2/api/status/" + firstID(got.Body.String()) + "/").Code; status != want {
			t.Errorf("an auditor reads a status of %s: %d, want %d", by, status, want)
		}
	}
}

// TestNobodyOpensARecordByHandingInWhatItNames: a deterministic id is easily guessed, and a record must not come forth because somebody
// stores something under it.
func TestNobodyOpensARecordByHandingInWhatItNames(t *testing.T) {
	w := newLeakWorld(t, func(string) bool { return true })
	w.collections()
	green := marked(label.Green)
	target := "ipv4-addr--" + addressUUID
	w.submit("own", "{open}", nil, exchange.Added, sdo("indicator", 1, "Of it", green, first), relationship(2, fixedID("indicator", 1), target, green))
	finds := func(want int) {
		t.Helper()
		if got := w.as("rita").get("/api/v1/objects/" + fixedID("relationship", 2)).Code; got != want {
			t.Errorf("the partner asks for the relationship: %d, want %d", got, want)
		}
	}
	finds(404)
	for _, by := range []string{"rita", "fred"} {
		w.submit(by, "{open}", nil, exchange.Added, address("198.51.100.3", []string{green, marked(label.Clear)}[len(by)%2]))
		finds(404)
	}
	w.submit("own", "{open}", nil, exchange.Added, relationship(3, fixedID("indicator", 1), target, green))
	if got := w.as("rita").get("/api/v1/objects/" + fixedID("relationship", 3)).Code; got != 200 {
		t.Errorf("a record about what the partner handed in before is kept from it: %d", got)
	}
	w.submit("own", "{open}", nil, exchange.Present, address("198.51.100.3", green))
}
