package api

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/keyring"
	"entente/keylog"
	"entente/peer"
	"entente/proof"
)

// accuse has a partner's node sign two roots of one log, and the partner itself show the proof of it. It gives the file.
func (w *world) accuse(other *keyring.Ring) []byte {
	w.t.Helper()
	s, err := other.Signer(keylog.RoleNode)
	w.must(err)
	var notes [2][]byte
	for i := range notes {
		notes[i], err = peer.SignCheckpoint(peer.Checkpoint{Origin: peer.OriginPrefix + strings.Repeat("A", 20), Size: 1, Root: tlog.Hash{byte(i)}, Time: time.Now()}, s.(dsse.Notary))
		w.must(err)
	}
	p, err := proof.OfLog(other.KeyLog(), &peer.Equivocation{First: notes[0], Second: notes[1]})
	w.must(err)
	b, err := p.Bytes()
	w.must(err)
	w.must(w.federation.Backend().Offer(federation.WithCaller(w.t.Context(), federation.Caller{Nation: "RUR", Org: "Ruritania CERT"}), peer.OfferProof, b))
	return b
}

// proofRows asks for what was proved.
func proofRows(w *world, do func(route, path, body string), last *string) {
	file := w.accuse(w.befriend())
	do("GET /proofs", "/proofs", "")
	var l List[federation.Accusation]
	w.must(json.Unmarshal([]byte(*last), &l))
	if len(l.Items) != 1 {
		w.t.Fatalf("%s", *last)
	}
	at := "/proofs/" + l.Items[0].ID
	do("GET /proofs/{id}", at, "")
	do("GET /proofs/{id}/file", at+"/file", "")
	if *last != string(file) {
		w.t.Error("the file is another than the one that came")
	}
	do("GET /alarms", "/alarms", "")
	do("GET /links/{nation}/logs", "/links/RUR/logs", "")
	do("POST /proofs/verify", "/proofs/verify", string(file))
	do("POST /proofs/{id}/settlement", at+"/settlement", `{"reason":"they explained it"}`)
	w.must(w.peers.Remove(w.t.Context(), "test", "RUR"))
}

// A proof is seen by who sees accords, and settled by who may, once and with a reason; its file says the same to anybody.
func TestProofsOverTheInterface(t *testing.T) {
	w := newWorld(t)
	other := w.befriend()
	w.accuse(other)
	c, ctx := w.client(admin), t.Context()
	all, err := c.Proofs(ctx)
	w.must(err)
	if len(all) != 1 || all[0].Found.Nation != "RUR" || all[0].Found.Kind != proof.LogFork || all[0].Settled != "" {
		t.Fatalf("%+v", all)
	}
	id := all[0].ID
	var file bytes.Buffer
	w.must(c.ProofFile(ctx, id, &file))
	v, err := c.VerifyProof(ctx, file.Bytes())
	if err != nil || !v.Known || v.Text != all[0].Found.Text || v.Fingerprint != other.KeyLog().Fingerprint().String() {
		t.Errorf("%+v %v", v, err)
	}
	w.must(w.peers.Remove(ctx, "test", "RUR"))
	if v, err = c.VerifyProof(ctx, file.Bytes()); err != nil || v.Known {
		t.Errorf("of a nation that is not known: %+v %v", v, err)
	}
	for name, tc := range map[string]struct {
		err  error
		kind fault.Kind
	}{
		"a file that is none": {errOf(c.VerifyProof(ctx, []byte("{}"))), fault.Unprocessable},
		"a changed file":      {errOf(c.VerifyProof(ctx, bytes.Replace(file.Bytes(), []byte(`"log-fork"`), []byte(`"conflict"`), 1))), fault.Unprocessable},
		"no such proof":       {errOf(c.Proof(ctx, "none")), fault.NotFound},
		"no reason":           {errOf(c.SettleProof(ctx, id, " ")), fault.Invalid},
		"too long a reason":   {errOf(c.SettleProof(ctx, id, strings.Repeat("x", maxReason+1))), fault.Invalid},
	} {
		if fault.Of(tc.err) != tc.kind {
			t.Errorf("%s: %v", name, tc.err)
		}
	}
	for role, want := range map[string]string{gate.RoleOfficer: "yy", gate.RoleAnalyst: "y-", gate.RoleSignatory: "y-", gate.RoleReader: "--"} {
		v := admin
		v.Roles = []string{role}
		got := ""
		for _, q := range [][3]string{{get, "/proofs", ""}, {post, "/proofs/" + id + "/settlement", `{"reason":""}`}} {
			if status, _ := w.ask(v, q[0], q[1], q[2]); status == 403 {
				got += "-"
			} else {
				got += "y"
			}
		}
		if got != want {
			t.Errorf("%s may %s, want %s", role, got, want)
		}
	}
	p, err := c.SettleProof(ctx, id, "they explained it")
	if err != nil || p.Settled != "Utopia CERT/local" || p.Reason != "they explained it" || time.Since(p.At) > time.Hour {
		t.Errorf("%+v %v", p, err)
	}
	if _, err := c.SettleProof(ctx, id, "again"); fault.Of(err) != fault.Conflict {
		t.Errorf("settled twice: %v", err)
	}
}
