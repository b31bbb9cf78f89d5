package api

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/keyring"
	"entente/keylog"
)

const assaultID = "incident--7c7b5b88-8ff7-4a4d-aa9d-feb398cd0061"

// officer names a release officer's key in the nation's key log.
func (w *world) officer() keyring.Private {
	w.t.Helper()
	names := w.ring.Names()
	p, q, err := keyring.NewPerson(names.Nation, names.Realm, names.Org, "", time.Now(), keylog.RoleRelease)
	w.must(err)
	b, err := keylog.EncodeRequests([]keylog.Request{q})
	w.must(err)
	w.must(w.ring.Admit(b))
	return p
}

// releaseRows has an officer look at what waits, and sign it with a key of its own.
func releaseRows(w *world, do func(route, path, body string), last *string) {
	officer := w.officer()
	w.importAll(admin, nil, strings.ReplaceAll(strings.SplitAfter(sharedObjects(), "\n")[0], incidentID, assaultID))
	do("POST /objects/{id}/share", "/objects/"+assaultID+"/share", `{"accord":"uto-rur"}`)
	var waiting federation.Release
	w.until("another incident waits, for a person", func() bool {
		do("GET /releases", "/releases", "")
		var all List[federation.Release]
		w.must(json.Unmarshal([]byte(*last), &all))
		for _, r := range all.Items {
			if r.ID == assaultID {
				waiting = r
			}
		}
		return waiting.Signing == federation.ByPerson
	})
	if status, body := w.ask(admin, post, "/releases/decide", `{"key":"`+waiting.Key+`","sign":true}`); status != 409 || !strings.Contains(body, "release.person") {
		w.t.Errorf("the node's key signs for a person: %d %s", status, body)
	}
	key := url.QueryEscape(waiting.Key)
	do("POST /releases/review", "/releases/review", `{"key":"`+waiting.Key+`","hours":24}`)
	var review federation.ReleaseReview
	w.must(json.Unmarshal([]byte(*last), &review))
	st, err := federation.ParseStatement(review.Statement)
	w.must(err)
	if review.Signing != federation.ByPerson || st.Object != federation.ObjectDigest(review.Body) || st.NotAfter.Sub(st.Time) != 24*time.Hour {
		w.t.Errorf("%+v", st)
	}
	envelope, err := officer.SignPerson(keylog.RoleRelease, federation.StatementType, review.Statement)
	w.must(err)
	decision, err := json.Marshal(ReleaseDecision{Key: waiting.Key, Sign: true, Envelope: envelope})
	w.must(err)
	do("POST /releases/decide", "/releases/decide", string(decision))
	do("GET /releases/file", "/releases/file?key="+key, "")
	if _, by, _, err := federation.OpenRelease([]byte(*last), w.ring.KeyLog()); err != nil || by[0].Holder != officer.Holder {
		w.t.Errorf("the file of the release: %v", err)
	}
	if _, journal := w.ask(admin, "GET", "/journal?limit=1000", ""); !strings.Contains(journal, "signed by person "+officer.Holder) {
		w.t.Error("the journal does not say who signed")
	}
}

// Who may not release looks at nothing, and nobody learns of a release that is not there.
func TestReviewingReleases(t *testing.T) {
	w := newWorld(t)
	c := w.client(admin)
	var file bytes.Buffer
	for what, err := range map[string]error{"a review": errOf(c.ReviewRelease(t.Context(), "none", 0)), "a file": c.ReleaseFile(t.Context(), "none", &file)} {
		if fault.Of(err) != fault.NotFound {
			t.Errorf("%s of no release: %v", what, err)
		}
	}
	if err := errOf(c.ReviewRelease(t.Context(), "none", 99_999)); fault.Of(err) != fault.Invalid {
		t.Errorf("a signature for years: %v", err)
	}
	analyst := admin
	analyst.Roles = []string{gate.RoleAnalyst}
	if status, body := w.ask(analyst, post, "/releases/review", `{"key":"none"}`); status != 403 {
		t.Errorf("an analyst reviews: %d %s", status, body)
	}
}
