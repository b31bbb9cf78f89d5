package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/keyring"
	"entente/keylog"
)

// keyRows asks for the keys and the nations that are known.
func keyRows(w *world, do func(route, path, body string)) {
	partner, err := keyring.Create(w.t.TempDir(), keyring.Names{Nation: "XER", Org: "Erewhon CERT"}, time.Now)
	w.must(err)
	card, err := partner.Card("node.xer.example:7443")
	w.must(err)
	words := partner.KeyLog().Fingerprint().Words()
	do("GET /keys", "/keys", "")
	do("GET /keys/log", "/keys/log", "")
	do("GET /card", "/card?address=node.example:7443", "")
	do("POST /keys/rotate", "/keys/rotate", `{"role":"accord"}`)
	do("GET /keys/qr", "/keys/qr", "")
	_, asked, err := keyring.NewPrivate("UTO", keyring.Operational, "ut.mofa", time.Now(), keylog.RoleAccord)
	w.must(err)
	request, err := keylog.EncodeRequests([]keylog.Request{asked})
	w.must(err)
	do("POST /keys/requests/review", "/keys/requests/review", string(request))
	do("POST /keys/admit", "/keys/admit", string(request))
	var log bytes.Buffer
	w.must(w.client(admin).KeyLog(w.t.Context(), &log))
	do("POST /keys/join", "/keys/join", log.String())
	do("POST /keys/drafts", "/keys/drafts", `{"role":"originate"}`)
	signer := func(role keylog.Role) string {
		s, err := w.ring.Signer(role)
		w.must(err)
		return s.Key().ID()
	}
	do("PUT /keys/{id}/address", "/keys/"+signer(keylog.RoleNode)+"/address", `{"address":"node.example:7443"}`)
	do("POST /keys/{id}/compromise", "/keys/"+signer(keylog.RoleNode)+"/compromise", `{"from":"2026-01-01T00:00:00Z","reason":"stolen"}`)
	do("POST /keys/{id}/revoke", "/keys/"+signer(keylog.RoleRelease)+"/revoke", `{"reason":"closed"}`)
	do("POST /keys/requests", "/keys/requests", "")
	do("POST /peers/review", "/peers/review", string(card))
	do("POST /peers", "/peers?nation=XER&fingerprint="+url.QueryEscape(words), string(card))
	do("POST /peers", "/peers?nation=XER&fingerprint="+url.QueryEscape(words), string(card))
	do("GET /peers", "/peers", "")
	do("GET /peers/{nation}", "/peers/XER", "")
	do("DELETE /peers/{nation}", "/peers/XER", "")
}

func TestKeysOverTheInterface(t *testing.T) {
	w := newWorld(t)
	c := w.client(admin)
	before, err := c.Keys(t.Context())
	w.must(err)
	if before.Nation != "UTO" || !before.HasRoot || len(before.Keys) != 4 || before.Statements != 5 || len(strings.Fields(before.Words)) != 24 {
		t.Fatalf("%+v", before)
	}
	after, err := c.RotateKey(t.Context(), keylog.RoleNode, 24)
	w.must(err)
	if len(after.Keys) != 5 || after.Fingerprint != before.Fingerprint || after.Head == before.Head {
		t.Errorf("%+v", after)
	}
	moved, err := c.MoveNode(t.Context(), after.Keys[4].ID, "node.example:7443")
	w.must(err)
	if moved.Keys[4].Address != "node.example:7443" {
		t.Errorf("%+v", moved.Keys[4])
	}
	lost, err := c.CompromiseKey(t.Context(), before.Keys[2].ID, time.Now().Add(-time.Hour), "stolen")
	w.must(err)
	if lost.Keys[2].Counts || lost.Keys[2].Compromised.IsZero() {
		t.Errorf("%+v", lost.Keys[2])
	}
	revoked, err := c.RevokeKey(t.Context(), before.Keys[3].ID, time.Time{}, "closed")
	w.must(err)
	if revoked.Keys[3].Counts {
		t.Errorf("%+v", revoked.Keys[3])
	}
	var log bytes.Buffer
	w.must(c.KeyLog(t.Context(), &log))
	if l, err := keylog.Parse(log.Bytes()); err != nil || l.Fingerprint().String() != before.Fingerprint {
		t.Errorf("%v", err)
	}
	var card bytes.Buffer
	w.must(c.Card(t.Context(), "", &card))
	if got, err := keylog.ParseCard(card.Bytes()); err != nil || got.Address != "node.example:7443" {
		t.Errorf("%+v %v", got, err)
	}
	_, journal := w.ask(admin, "GET", "/journal", "")
	for _, verb := range []string{"key.rotate", "key.address", "key.compromise", "key.revoke"} {
		if !strings.Contains(journal, verb) {
			t.Errorf("%s is not in the journal", verb)
		}
	}
}

// A ministry without a node asks for a key: it is seen who asks for what, and the nation names it once.
func TestAKeyIsAdmittedAfterAReview(t *testing.T) {
	w := newWorld(t)
	c := w.client(admin)
	_, asked, err := keyring.NewPrivate("UTO", keyring.Operational, "ut.mofa", time.Now(), keylog.RoleAccord)
	w.must(err)
	request, err := keylog.EncodeRequests([]keylog.Request{asked})
	w.must(err)
	seen, err := c.ReviewRequests(t.Context(), request)
	w.must(err)
	if len(seen) != 1 || seen[0].Org != "ut.mofa" || seen[0].Roles[0] != keylog.RoleAccord || seen[0].Known || seen[0].ID != asked.Entry.Key.ID() {
		t.Errorf("%+v", seen)
	}
	book, err := c.AdmitKeys(t.Context(), request)
	w.must(err)
	if k := book.Keys[4]; !k.Counts || k.Due || k.Org != "ut.mofa" {
		t.Errorf("%+v", k)
	}
	if _, err := c.AdmitKeys(t.Context(), request); fault.Of(err) != fault.Conflict {
		t.Errorf("admitted twice: %v", err)
	}
	for name, bad := range map[string]string{"another nation": strings.ReplaceAll(string(request), "UTO", "RUR"), "another organisation": strings.ReplaceAll(string(request), "ut.mofa", "ut.mofb"), "nothing": "{}"} {
		if _, err := c.AdmitKeys(t.Context(), []byte(bad)); fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.RequestKeys(t.Context(), io.Discard); fault.Of(err) != fault.Conflict {
		t.Errorf("a node that lacks nothing asks: %v", err)
	}
	var picture bytes.Buffer
	w.must(c.KeyCode(t.Context(), &picture))
	if !strings.HasPrefix(picture.String(), "<svg") {
		t.Error(picture.String())
	}
	var draft bytes.Buffer
	w.must(c.DraftRotation(t.Context(), keylog.RoleNode, 24, &draft))
	d, err := keylog.ParseDraft(draft.Bytes())
	w.must(err)
	if s := d.Statements(); len(s) != 1 || s[0].Kind != keylog.KindRotate || len(d.Signers()) != 1 {
		t.Errorf("%+v", s)
	}
}

// Who lets nations in does not sign with them.
func TestWhoMayDoWhatWithKeysAndNations(t *testing.T) {
	w := newWorld(t)
	for role, want := range map[string][3]int{ // see, rotate, remove a nation
		gate.RoleAdmin: {200, 201, 404}, gate.RoleOfficer: {200, 403, 403}, gate.RoleSignatory: {200, 403, 403}, gate.RoleReader: {403, 403, 403},
	} {
		v := admin
		v.Roles = []string{role}
		see, _ := w.ask(v, "GET", "/peers", "")
		rotate, _ := w.ask(v, "POST", "/keys/rotate", `{"role":"release"}`)
		forget, _ := w.ask(v, "DELETE", "/peers/XER", "")
		if got := [3]int{see, rotate, forget}; got != want {
			t.Errorf("%s: %v, want %v", role, got, want)
		}
	}
}

func TestANationIsAddedByWhatWasCompared(t *testing.T) {
	w := newWorld(t)
	partner, err := keyring.Create(t.TempDir(), keyring.Names{Nation: "XER", Org: "Erewhon CERT"}, time.Now)
	w.must(err)
	card, err := partner.Card("")
	w.must(err)
	f := partner.KeyLog().Fingerprint()
	wrong := f
	wrong[0] ^= 1
	for name, q := range map[string]url.Values{
		"nothing compared":    {"nation": {"XER"}},
		"other words":         {"nation": {"XER"}, "fingerprint": {wrong.Words()}},
		"a slip":              {"nation": {"XER"}, "fingerprint": {"abandom " + f.Words()}},
		"another nation":      {"nation": {"RUR"}, "fingerprint": {f.Words()}},
		"a card that is none": {"nation": {"XER"}, "fingerprint": {f.Words()}, "x": nil},
	} {
		body := string(card)
		if strings.HasPrefix(name, "a card") {
			body = "{}"
		}
		if status, answer := w.ask(admin, "POST", "/peers?"+q.Encode(), body); status < 400 || status >= 500 {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	p, err := w.client(admin).AddPeer(t.Context(), "XER", f.String(), card)
	w.must(err)
	if b, _ := json.Marshal(p); p.Org != "Erewhon CERT" || p.By != "Utopia CERT/local" {
		t.Errorf("%s", b)
	}
}
