package testnet_test

import (
	"strings"
	"sync"
	"testing"

	"entente/accord"
	"entente/decision"
	"entente/internal/accords"
	"entente/internal/decisions"
	"entente/internal/gate"
	"entente/internal/testnet"
	"entente/label"
	"entente/proof"
)

// agreed has all nations consent to what the first proposes, and gives its id.
func agreed(t *testing.T, net *testnet.Net, w decisions.Wish, codes ...string) string {
	t.Helper()
	first := net.As(codes[0])
	v, err := first.Decisions.Propose(t.Context(), first.Viewer(gate.RoleSignatory), w)
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range codes {
		n := net.As(code)
		net.Eventually(code+" has the proposal", func() bool { return state(t, n, v.ID).State == decisions.Open })
		if _, err := n.Decisions.Say(t.Context(), n.Viewer(gate.RoleSignatory), v.ID, decision.Consent, ""); err != nil {
			t.Fatal(err)
		}
	}
	return v.ID
}

func phase(t *testing.T, n *testnet.Nation, name string, number int) accords.View {
	t.Helper()
	v, err := n.Accords.Get(n.Viewer(gate.RoleSignatory), name, number)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// An accord is suspended and resumed at every party by what they decided together, once: a node that stops after it did so and before it wrote that down does not do it again.
func TestAnAccordIsSuspendedByDecisionOnce(t *testing.T) {
	codes := []string{"ARC", "BAL", "COR"}
	var once sync.Once
	hit := make(chan struct{})
	net := testnet.New(t, testnet.Options{Docs: func(n *testnet.Nation, d decisions.Docs) decisions.Docs {
		if n.Code != "ARC" {
			return d
		}
		return brittle{d, "decision.executed", &once, hit}
	}}, codes...)
	net.Agree(deciding(unanimous, codes...), codes...)
	arc := net.As("ARC")
	id := agreed(t, net, decisions.Wish{Accord: "all", Rule: "block", Title: "suspend", Action: &decision.Action{Type: decisions.AboutAccord, Do: "suspend"}}, codes...)
	for _, code := range codes {
		net.Eventually(code+" suspends", func() bool { return phase(t, net.As(code), "all", 0).Phase == accords.Suspended })
	}
	await(t, hit)
	arc.Stop()
	arc.Start()
	for range 3 {
		if err := arc.Decisions.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s := state(t, arc, id); s.State != decisions.Started {
		t.Errorf("after the crash it is %s", s.State)
	}
	net.Eventually("it has heard the others", func() bool { return len(phase(t, arc, "all", 0).Notices) >= len(codes) })
	if v := phase(t, arc, "all", 0); v.Phase != accords.Suspended || len(v.Notices) != len(codes) {
		t.Errorf("after the crash the accord is %s by %+v", v.Phase, v.Notices)
	}
	if s, err := arc.Decisions.Report(t.Context(), arc.Viewer(gate.RoleSignatory), id, decision.Executed, "looked: it is suspended"); err != nil || s.State != decisions.Executed {
		t.Errorf("%s %v", s.State, err)
	}
	agreed(t, net, decisions.Wish{Accord: "all", Rule: "block", Title: "resume", Action: &decision.Action{Type: decisions.AboutAccord, Do: "resume"}}, codes...)
	for _, code := range codes {
		net.Eventually(code+" resumes", func() bool { return phase(t, net.As(code), "all", 0).Phase == accords.Active })
	}
	// What is decided about another accord than the rule's own, and what cannot be decided about one, is refused by every node.
	for _, x := range []*decision.Action{{Type: decisions.AboutAccord, Do: "withdraw"}, {Type: decisions.AboutAccord, Do: "suspend", Media: "application/json", Body: []byte(`{"accord":"sha256:00"}`)}} {
		id := agreed(t, net, decisions.Wish{Accord: "all", Rule: "block", Title: "refused", Action: x}, codes...)
		for _, code := range codes {
			net.Eventually(code+" refuses", func() bool { return state(t, net.As(code), id).State == decisions.Refused })
			if v := phase(t, net.As(code), "all", 0); v.Phase != accords.Active {
				t.Errorf("%s: %s", code, v.Phase)
			}
		}
	}
}

// A decision goes on under the version that it was proposed under, whatever the parties know of a later one: the older is decided by until every party has the newer, and what was begun
// is ended by all.
func TestADecisionOutlivesItsVersion(t *testing.T) {
	codes := []string{"ARC", "BAL"}
	net := testnet.New(t, testnet.Options{}, codes...)
	first := testnet.Treaty{Name: "all", Parties: codes, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Green}}}
	ruled := func(text, rule string) string {
		return strings.Replace(text, "  suspend {", "  decide \"block\" {\n"+rule+"  }\n  suspend {", 1)
	}
	one := ruled(first.Text(), unanimous)
	net.Agree(one, codes...)
	arc, bal := net.As("ARC"), net.As("BAL")
	old, err := arc.Decisions.Propose(t.Context(), arc.Viewer(gate.RoleSignatory), decisions.Wish{Accord: "all", Rule: "block", Title: "begun under the first"})
	if err != nil {
		t.Fatal(err)
	}
	net.Eventually("it arrives", func() bool { return state(t, bal, old.ID).State == decisions.Open })

	// The amendment is signed by both, and only ARC has all signatures.
	net.Part("ARC", "BAL")
	second := first
	second.Amends = &first
	two := strings.Replace(ruled(second.Text(), "    propose = any\n    consent = 1\n    deadline = \"1h\"\n    unreachable = abstains\n"), accord.Digest([]byte(mustFormat(t, first.Text()))), accord.Digest([]byte(mustFormat(t, one))), 1)
	if _, err := arc.Accords.Add(t.Context(), arc.Viewer(gate.RoleAnalyst), testnet.Bundle(t, two, codes...).Bytes()); err != nil {
		t.Fatal(err)
	}
	if v := phase(t, arc, "all", 2); v.Phase != accords.Active || v.Meets != 1 {
		t.Fatalf("%s, together with %d", v.Phase, v.Meets)
	}
	skew, err := arc.Decisions.Propose(t.Context(), arc.Viewer(gate.RoleSignatory), decisions.Wish{Accord: "all", Rule: "block", Title: "while one has both"})
	if err != nil || skew.Version != 1 {
		t.Fatalf("by version %d is decided, and BAL has only the first: %v", skew.Version, err)
	}
	if _, err := arc.Decisions.Say(t.Context(), arc.Viewer(gate.RoleSignatory), skew.ID, decision.Consent, ""); err != nil {
		t.Fatal(err)
	}
	if err := arc.Decisions.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := state(t, arc, skew.ID); s.State != decisions.Open {
		t.Errorf("it is %s by the rule of a version that BAL does not have", s.State)
	}

	// Both have it: from now on is decided by it, and what was begun under the first is ended under the first.
	net.Heal("ARC", "BAL")
	for _, code := range codes {
		net.Eventually(code+" has the second version alone", func() bool {
			v, err := net.As(code).Accords.Get(net.As(code).Viewer(gate.RoleSignatory), "all", 2)
			return err == nil && v.Phase == accords.Active && v.Meets == 0
		})
	}
	next, err := arc.Decisions.Propose(t.Context(), arc.Viewer(gate.RoleSignatory), decisions.Wish{Accord: "all", Rule: "block", Title: "under the second"})
	if err != nil || next.Version != 2 {
		t.Fatalf("by version %d: %v", next.Version, err)
	}
	for _, id := range []string{old.ID, skew.ID} {
		net.Eventually("BAL has it", func() bool { return state(t, bal, id).State == decisions.Open })
		if _, err := bal.Decisions.Say(t.Context(), bal.Viewer(gate.RoleSignatory), id, decision.Consent, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := arc.Decisions.Say(t.Context(), arc.Viewer(gate.RoleSignatory), old.ID, decision.Consent, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := bal.Decisions.Say(t.Context(), bal.Viewer(gate.RoleSignatory), next.ID, decision.Consent, ""); err == nil {
		net.Eventually("one is enough under the second", func() bool { return state(t, bal, next.ID).State == decisions.Decided })
	}
	for _, code := range codes {
		for _, id := range []string{old.ID, skew.ID} {
			net.Eventually(code+" has it decided under the first", func() bool {
				s := state(t, net.As(code), id)
				return s.State == decisions.Decided && s.Version == 1
			})
		}
	}
}

func mustFormat(t *testing.T, text string) string {
	t.Helper()
	b, err := accord.Format([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Who tells the others both is proved to have done so: each makes the file, it verifies alone, and neither position counts.
func TestWhoTakesBothSidesIsProved(t *testing.T) {
	codes := []string{"ARC", "BAL", "COR"}
	net := testnet.New(t, testnet.Options{}, codes...)
	net.Agree(deciding(unanimous, codes...), codes...)
	arc, bal := net.As("ARC"), net.As("BAL")
	v, err := arc.Decisions.Propose(t.Context(), arc.Viewer(gate.RoleSignatory), decisions.Wish{Accord: "all", Rule: "block", Title: "x"})
	if err != nil {
		t.Fatal(err)
	}
	net.Eventually("it arrives", func() bool { return state(t, bal, v.ID).State == decisions.Open })
	if _, err := bal.Decisions.Say(t.Context(), bal.Viewer(gate.RoleSignatory), v.ID, decision.Consent, "yes"); err != nil {
		t.Fatal(err)
	}
	p, err := bal.Decisions.Ballot(bal.Viewer(gate.RoleSignatory), v.ID, decision.Veto, "no")
	if err != nil {
		t.Fatal(err)
	}
	e, err := decision.SignPosition(testnet.Realm, *p, testnet.Voter(t, "BAL"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bal.Decisions.Submit(t.Context(), bal.Viewer(gate.RoleSignatory), e, nil); err == nil {
		t.Fatal("the own node says a second final position")
	}
	if _, err := bal.Federation.Say(t.Context(), p.Accord, decision.Topic(p.Proposal), "decision/"+v.ID, e); err != nil { // a node that lies does
		t.Fatal(err)
	}
	for _, code := range []string{"ARC", "COR"} {
		n := net.As(code)
		var file []byte
		net.Eventually(code+" has the proof", func() bool {
			all, err := n.Federation.Proofs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range all {
				if x.Found.Kind == proof.Position && x.Found.Nation == "BAL" {
					file = x.File
				}
			}
			return file != nil
		})
		f, err := proof.Verify(file)
		if err != nil || f.Nation != "BAL" || f.Fingerprint != bal.KeyLog().Fingerprint() {
			t.Errorf("%+v %v", f, err)
		}
		net.Eventually("neither counts", func() bool {
			c := state(t, n, v.ID).Count
			return c != nil && howOf(c, "BAL") == decision.Contradict
		})
	}
}

func howOf(c *decision.Tally, nation string) decision.How {
	for _, v := range c.Voices {
		if v.Nation == nation {
			return v.How
		}
	}
	return ""
}
