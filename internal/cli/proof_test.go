package cli

import (
	"bytes"
	"crypto/sha256"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"entente/accord"
	"entente/decision"
	"entente/internal/keyring"
	"entente/keylog"
	"entente/label"
	"entente/peer"
	"entente/proof"
)

// accuse writes the proof that the nation of a node signed two objects under one version: its own keys sign them.
func accuse(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: accuse DIR FILE")
	}
	ring, err := keyring.Open(ts.MkAbs(args[0]), keyring.Operational, time.Now)
	ts.Check(err)
	s, err := ring.Signer(keylog.RoleOriginate)
	ts.Check(err)
	us := ring.Names()
	var signed [2][]byte
	for i, name := range []string{"one", "two"} {
		payload, err := (&peer.Rendition{Accord: [32]byte{1}, Audience: []string{"org:UTO/Utopia CERT"}, Class: peer.Full, Label: label.Label{TLP: label.Green}, Nation: us.Nation, Org: us.Org,
			Object: []byte(`{"type":"identity","spec_version":"2.1","id":"identity--00000000-0000-4000-8000-000000000001","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"` + name + `"}`)}).Payload()
		ts.Check(err)
		envelopes, err := peer.SignRenditions(us.Realm, [][]byte{payload}, s)
		ts.Check(err)
		signed[i] = envelopes[0]
	}
	p, err := proof.OfObjects(ring.KeyLog(), signed[0], signed[1])
	ts.Check(err)
	b, err := p.Bytes()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o600))
}

// sway writes the proof that the nation of a node consented to a proposal and vetoed it: its own key says both. A second file has it consent twice, which is no contradiction.
func sway(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: sway DIR FILE FILE")
	}
	ring, err := keyring.Open(ts.MkAbs(args[0]), keyring.Operational, time.Now)
	ts.Check(err)
	voter, err := ring.Signer(keylog.RoleVote)
	ts.Check(err)
	us, now := ring.Names(), time.Now().UTC().Truncate(time.Microsecond)
	text, err := accord.New(accord.Template{Kind: "bilateral", Name: "pact", Nations: []string{us.Nation, "FRE"}, Effective: now.Add(-time.Hour)})
	ts.Check(err)
	text = bytes.Replace(text, []byte("  suspend {"), []byte("  decide \"all\" {\n    propose = any\n    consent = all\n    deadline = \"1h\"\n  }\n  suspend {"), 1)
	text, err = accord.Format(text)
	ts.Check(err)
	what := decision.Proposal{V: 1, ID: "p", Round: 1, Accord: sha256.Sum256(text), Rule: "all", Nation: "FRE", Org: "Freedonia CERT", Title: "Block the network", Opens: now.Add(-time.Minute), Deadline: now.Add(time.Hour)}
	proposal, err := what.Payload()
	ts.Check(err)
	say := func(c decision.Choice, at time.Time) []byte {
		e, err := decision.SignPosition(us.Realm, decision.Position{V: 1, Proposal: what.Digest(), Round: 1, Accord: what.Accord, Choice: c, Nation: us.Nation, Org: us.Org, Time: at}, voter)
		ts.Check(err)
		return e
	}
	for i, second := range [][]byte{say(decision.Veto, now.Add(time.Second)), say(decision.Consent, now.Add(time.Second))} {
		p, err := proof.OfPositions(ring.KeyLog(), proof.Positions{First: say(decision.Consent, now), Second: second, Proposal: proposal, Accord: string(text)})
		ts.Check(err)
		b, err := p.Bytes()
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[1+i]), b, 0o600))
	}
}
