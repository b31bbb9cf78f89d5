package testnet_test

import (
	"slices"
	"testing"

	"entente/accord"
	"entente/internal/federation"
	"entente/internal/testnet"
	"entente/label"
	"entente/proof"
)

// proofs are what a nation keeps against another.
func proofs(t *testing.T, n *testnet.Nation, against string) (out []federation.Accusation) {
	t.Helper()
	all, err := n.Federation.Proofs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(a federation.Accusation) bool { return a.Found.Nation != against })
}

// three stands up two honest nations and one that lies, which are bound together, and a fourth that only one of them is bound with.
func three(t *testing.T, rogue string) (net *testnet.Net, digest [32]byte) {
	t.Helper()
	net = testnet.New(t, testnet.Options{}, "ARC", "BAL", rogue, "OUT")
	text := testnet.Treaty{Name: "all", Parties: []string{"ARC", "BAL", rogue}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Green}}}.Text()
	net.Agree(text, "ARC", "BAL", rogue)
	net.Agree(testnet.Treaty{Name: "two", Parties: []string{"ARC", "OUT"}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Green}}}.Text(), "ARC", "OUT")
	net.As(rogue).Stop() // the test speaks for it
	b, err := accord.NewBundle([]byte(text), testnet.Realm)
	if err == nil {
		digest, err = accord.ParseDigest(b.Digest())
	}
	if err != nil {
		t.Fatal(err)
	}
	return net, digest
}

func parties(codes ...string) (out []string) {
	for _, c := range codes {
		out = append(out, label.Org(c, testnet.Org(c)))
	}
	return out
}

// Who shows two partners two different logs is caught by his own signatures as soon as they compare, and nothing more is taken from him until a person has settled it.
func TestTwoPastsAreCaughtByThoseWhoWereShownThem(t *testing.T) {
	net, digest := three(t, "ROG")
	arc, bal, rog, out := net.As("ARC"), net.As("BAL"), net.As("ROG"), net.As("OUT")
	both, to := parties("ARC", "BAL"), testnet.To(label.Green, "ARC", "BAL")
	if s := rog.Tell(arc, digest, to, both, testnet.Malware(1, 1, "one", "")); s != 204 {
		t.Fatal(s)
	}
	if s := rog.Tell(bal, digest, to, both, testnet.Malware(1, 1, "two", "")); s != 204 {
		t.Fatal(s)
	}
	net.Eventually("both have a proof", func() bool { return len(proofs(t, arc, "ROG")) == 1 && len(proofs(t, bal, "ROG")) == 1 })
	for _, n := range []*testnet.Nation{arc, bal} {
		a := proofs(t, n, "ROG")[0]
		if f, err := proof.Verify(a.File); err != nil || f.Kind != proof.LogFork || f.Org != testnet.Org("ROG") {
			t.Errorf("%s: %+v %v", n.Code, f, err)
		}
		if s := rog.Tell(n, digest, to, both, testnet.Malware(1, 1, "one", ""), testnet.Malware(2, 1, "more", "")); s == 204 {
			t.Errorf("%s goes on taking from who was caught", n.Code)
		}
	}
	if got := proofs(t, out, "ROG"); len(got) != 0 {
		t.Errorf("who is not bound with the accused was told: %+v", got)
	}
	// What was found weighs after a restart too, until a person has settled it.
	arc.Stop()
	arc.Start()
	id := proofs(t, arc, "ROG")[0].ID
	more := func() int {
		return rog.Tell(arc, digest, to, both, testnet.Malware(1, 1, "one", ""), testnet.Malware(2, 1, "more", ""))
	}
	if s := more(); s == 204 {
		t.Error("after a restart it is taken from again")
	}
	if err := arc.Federation.SettleProof(t.Context(), id, "ARC/officer", "their restore went wrong"); err != nil {
		t.Fatal(err)
	}
	for _, a := range proofs(t, arc, "ROG") { // both of those who compared may have proved it
		if a.ID != id {
			if err := arc.Federation.SettleProof(t.Context(), a.ID, "ARC/officer", "the same"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s := more(); s != 204 {
		t.Errorf("after it was settled nothing is taken: %d", s)
	}
	if err := arc.Federation.SettleProof(t.Context(), id, "ARC/officer", "again"); err == nil {
		t.Error("a proof is settled twice")
	}
}

// The same when the two logs differ in what one of them has more: whoever was shown more finds the difference.
func TestAnotherPastOfALongerLogIsCaught(t *testing.T) {
	net, digest := three(t, "ROG")
	arc, bal, rog := net.As("ARC"), net.As("BAL"), net.As("ROG")
	both, to := parties("ARC", "BAL"), testnet.To(label.Green, "ARC", "BAL")
	rog.Tell(arc, digest, to, both, testnet.Malware(1, 1, "one", ""))
	rog.Tell(bal, digest, to, both, testnet.Malware(1, 1, "two", ""), testnet.Malware(2, 1, "more", ""), testnet.Malware(3, 1, "more", ""))
	net.Eventually("both have a proof", func() bool { return len(proofs(t, arc, "ROG")) == 1 && len(proofs(t, bal, "ROG")) == 1 })
}

// Growth that one has seen and another not yet is no lie, and is not taken for one.
func TestWhoSawMoreAccusesNobody(t *testing.T) {
	net, digest := three(t, "ROG")
	arc, bal, rog := net.As("ARC"), net.As("BAL"), net.As("ROG")
	both, to := parties("ARC", "BAL"), testnet.To(label.Green, "ARC", "BAL")
	a := rog.Tell(arc, digest, to, both, testnet.Malware(1, 1, "one", ""))
	b := rog.Tell(bal, digest, to, both, testnet.Malware(1, 1, "one", ""), testnet.Malware(2, 1, "more", ""))
	if a != 204 || b != 204 {
		t.Fatal(a, b)
	}
	for _, n := range []*testnet.Nation{arc, bal} {
		_ = n.Federation.Compare(t.Context()) // the one that lies cannot be reached
		if got := proofs(t, n, "ROG"); len(got) != 0 {
			t.Errorf("%s accuses: %+v", n.Code, got)
		}
	}
}

// A nation that shows two key logs is caught by whoever compares, and every partner of it has the proof.
func TestTwoKeyLogsAreCaught(t *testing.T) {
	code := testnet.Unused()
	net, _ := three(t, code)
	arc, bal, rog := net.As("ARC"), net.As("BAL"), net.As(code)
	rog.Twice(arc, bal)
	net.Eventually("both have a proof", func() bool { return len(proofs(t, arc, code)) == 1 && len(proofs(t, bal, code)) == 1 })
	a := proofs(t, bal, code)[0]
	if f, err := proof.Verify(a.File); err != nil || f.Kind != proof.KeyLogFork {
		t.Errorf("%+v %v", f, err)
	}
	if err := bal.Federation.SettleProof(t.Context(), a.ID, "BAL/officer", "fine"); err == nil {
		t.Error("two key logs are settled by word")
	}
	// The others go on with each other, under the accord that it had signed too.
	bal.Stop()
	bal.Start()
	arc.Push(testnet.To(label.Green, "BAL"), testnet.Malware(1, 1, "one", ""))
	net.Eventually("what the others share arrives", func() bool { return bal.Sees(testnet.ID("malware", 1)) })
}
