package testnet_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"entente/internal/federation"
	"entente/internal/store"
	"entente/internal/testnet"
	"entente/label"
	"entente/peer"
	"entente/proof"
)

// Two objects that one originator signed under one version are both kept: the first in quarantine, the second in the proof, which shows the originator's own signatures. The
// originator goes on being listened to, and is told; nobody else sees what the proof holds.
func TestTwoObjectsUnderOneVersionAreBothKept(t *testing.T) {
	net, digest := three(t, "ROG")
	arc, bal, rog := net.As("ARC"), net.As("BAL"), net.As("ROG")
	one, both := parties("ARC"), parties("ARC", "BAL")
	if s := rog.Tell(arc, digest, strict("ARC", "BAL"), both, testnet.Malware(1, 1, "one", "")); s != 204 {
		t.Fatal(s)
	}
	if !arc.Sees(testnet.ID("malware", 1)) {
		t.Fatal("the first did not arrive")
	}
	if s := rog.TellIn("other", arc, digest, strict("ARC"), one, testnet.Malware(1, 1, "two", ""), testnet.Malware(2, 1, "more", "")); s != 204 {
		t.Fatal(s)
	}
	got := proofs(t, arc, "ROG")
	if len(got) != 1 || got[0].Found.Kind != proof.Conflict || got[0].Found.Object != testnet.ID("malware", 1) {
		t.Fatalf("%+v", got)
	}
	if f, err := proof.Verify(got[0].File); err != nil || f.Text != got[0].Found.Text {
		t.Errorf("%+v %v", f, err)
	}
	if arc.Sees(testnet.ID("malware", 1)) {
		t.Error("machines still act on the first")
	}
	if !slices.ContainsFunc(arc.Held(), func(it store.Item) bool { return it.Held && it.Record.ID == testnet.ID("malware", 1) }) {
		t.Error("the first is not in quarantine")
	}
	if !arc.Sees(testnet.ID("malware", 2)) {
		t.Error("what else the originator gives is not taken")
	}
	rog.TellIn("third", arc, digest, strict("ARC"), one, testnet.Malware(1, 1, "three", ""))
	if got := proofs(t, arc, "ROG"); len(got) != 1 {
		t.Errorf("%d proofs of one contradiction", len(got))
	}
	rog.Start()
	net.Eventually("the originator is told", func() bool { return len(proofs(t, rog, "ROG")) == 1 })
	if got := proofs(t, bal, "ROG"); len(got) != 0 {
		t.Errorf("another nation is shown what the proof holds: %+v", got)
	}
	// Nobody hands such a proof on: it holds what its reader may not have.
	offered := bal.Federation.Backend().Offer(federation.WithCaller(context.Background(), federation.Caller{Nation: "ARC", Org: testnet.Org("ARC")}), peer.OfferProof, got[0].File)
	if offered == nil || len(proofs(t, bal, "ROG")) != 0 {
		t.Errorf("a conflict that another shows is taken: %v", offered)
	}
	// A purge of the object takes the evidence too; that there was a proof stays.
	if err := arc.Federation.Forget(t.Context(), testnet.ID("malware", 1)); err != nil {
		t.Fatal(err)
	}
	if left := proofs(t, arc, "ROG"); len(left) != 1 || !left[0].Gone || len(left[0].File) != 0 {
		t.Errorf("after a purge: %+v", left)
	}
}

// strict is a label for some from ROG as strict as the treaties of tests ask.
func strict(to ...string) label.Label { return strictFrom(time.Now(), "ROG", to...) }

func strictFrom(now time.Time, of string, to ...string) label.Label {
	l := testnet.To(label.Green, append(slices.Clone(to), of)...)
	l.Mode, l.Purpose, l.PAP, l.Onward, l.Attribution, l.Purge = label.OperationalMode, label.NetDefence, label.PAPGreen, label.OnwardNone, label.Withhold, label.PurgeOnTermination
	l.NotAfter = now.Add(300 * 24 * time.Hour).Truncate(time.Second)
	return l
}
