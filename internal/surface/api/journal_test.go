package api

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"entente/internal/identity"
)

// TestJournalIsSought reads the journal in both orders, page by page, and by who and what.
func TestJournalIsSought(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"ann", "bea", "cid"} {
		w.must(errOf(w.client(admin).AddUser(t.Context(), AddUser{Name: name, Roles: []string{"reader"}, Password: "a long enough phrase"})))
		w.must(errOf(w.client(admin).AddOrg(t.Context(), identity.Org{Name: "Org " + name, Nation: "UTO"})))
	}
	read := func(query string) (out []string) {
		t.Helper()
		q, err := url.ParseQuery(query)
		w.must(err)
		w.must(w.client(admin).Journal(t.Context(), q, func(a Act) error {
			out = append(out, a.Actor+" "+a.Verb+" "+a.Target)
			return nil
		}))
		return out
	}
	up, down := read("limit=2"), read("sort=newest&limit=2")
	slices.Reverse(down)
	if len(up) < 6 || !slices.Equal(up, down) {
		t.Errorf("the orders differ:\n%q\n%q", up, down)
	}
	users := read("sort=newest&verb=user&actor=local&limit=1")
	if len(users) != 3 || !strings.Contains(users[0], "user.add cid") || !strings.Contains(users[2], "user.add ann") {
		t.Errorf("%q", users)
	}
	if got := append(read("actor=nobody"), read("until=2020-01-01")...); len(got) != 0 {
		t.Errorf("%q", got)
	}
	// A place is good for the query that it was given for.
	_, body := w.ask(admin, "GET", "/journal?sort=newest&limit=1", "")
	_, next, _ := strings.Cut(body, `"next":"`)
	next, _, _ = strings.Cut(next, `"`)
	if status, body := w.ask(admin, "GET", "/journal?sort=newest&limit=2&next="+next, ""); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if status, body := w.ask(admin, "GET", "/journal?verb=user&next="+next, ""); status != 400 || !strings.Contains(body, "next.invalid") {
		t.Errorf("%d %s", status, body)
	}
}
