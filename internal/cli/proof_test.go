package cli

import (
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

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
