package testnet_test

import (
	"context"
	"testing"
	"time"

	"entente/accord"
	"entente/decision"
	"entente/internal/accords"
	"entente/internal/decisions"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/testnet"
)

// voiced are the choices of a nation as another has them.
func voiced(t *testing.T, n *testnet.Nation, id, of string) (out []decision.Choice) {
	t.Helper()
	for _, s := range state(t, n, id).Said {
		if s.Nation == of && s.Choice != "" {
			out = append(out, s.Choice)
		}
	}
	return out
}

// A nation that was restored to before its consent has forgotten it, and says nothing until its partners have shown what it had said. Then it cannot contradict itself, and who
// had not heard it hears it.
func TestARestoredNationKeepsItsWord(t *testing.T) {
	codes := []string{"ARC", "BAL", "COR"}
	net := testnet.New(t, testnet.Options{}, codes...)
	net.Agree(deciding(unanimous, codes...), codes...)
	arc, bal, cor := net.As("ARC"), net.As("BAL"), net.As("COR")
	say := func(n *testnet.Nation, id string, c decision.Choice) error {
		_, err := n.Decisions.Say(t.Context(), n.Viewer(gate.RoleSignatory), id, c, "so be it")
		return err
	}
	propose := func(n *testnet.Nation, title string) string {
		t.Helper()
		v, err := n.Decisions.Propose(t.Context(), n.Viewer(gate.RoleSignatory), decisions.Wish{Accord: "all", Rule: "block", Title: title})
		if err != nil {
			t.Fatal(err)
		}
		return v.ID
	}
	id := propose(arc, "x")
	net.Eventually("the proposal is everywhere", func() bool {
		return state(t, bal, id).State == decisions.Open && state(t, cor, id).State == decisions.Open
	})
	backup := bal.Backup()
	net.Part("BAL", "COR")
	if err := say(bal, id, decision.Consent); err != nil {
		t.Fatal(err)
	}
	lost := propose(bal, "y") // this, too
	net.Eventually("one has heard it", func() bool { return len(voiced(t, arc, id, "BAL")) == 1 && state(t, arc, lost).State == decisions.Open })

	net.Part("ARC", "BAL")
	bal.Restore(backup)
	bal.Start()
	if got := voiced(t, bal, id, "BAL"); len(got) != 0 {
		t.Fatalf("this is not the backup: %v", got)
	}
	before := len(spokenIn(t, bal, id))
	for range 3 {
		if err := bal.Decisions.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := say(bal, id, decision.Veto); fault.Of(err) != fault.Unavailable {
		t.Fatalf("it speaks before it knows what it said: %v", err)
	}
	for what, do := range map[string]func() (accords.View, error){
		"signs": func() (accords.View, error) {
			return bal.Accords.Sign(t.Context(), bal.Viewer(gate.RoleSignatory), "all", 1)
		},
		"declines": func() (accords.View, error) {
			return bal.Accords.Decline(t.Context(), bal.Viewer(gate.RoleSignatory), "all", 1, "no")
		},
	} {
		if _, err := do(); fault.Of(err) != fault.Unavailable {
			t.Errorf("it %s before it knows what it said: %v", what, err)
		}
	}
	if got := len(spokenIn(t, bal, id)); got != before {
		t.Errorf("%d statements were made meanwhile", got-before)
	}
	net.Heal("ARC", "BAL")
	net.Heal("BAL", "COR")
	net.Eventually("it knows again what it said", func() bool {
		got := voiced(t, bal, id, "BAL")
		return len(got) > 0 && got[0] == decision.Consent && state(t, bal, lost).State == decisions.Open
	})
	if err := say(bal, id, decision.Veto); err == nil {
		t.Error("it contradicts itself")
	}
	net.Eventually("who had not heard it hears it", func() bool { return len(voiced(t, cor, id, "BAL")) > 0 && state(t, cor, lost).State == decisions.Open })
	for _, n := range []*testnet.Nation{arc, cor} {
		if err := say(n, id, decision.Consent); err != nil {
			t.Fatal(err)
		}
	}
	if err := say(bal, id, decision.Veto); fault.As(err).MachineCode() != "decision.final" {
		t.Errorf("a veto after the consent: %v", err)
	}
	for _, code := range codes {
		n := net.As(code)
		net.Eventually(code+" knows that it is decided", func() bool { return state(t, n, id).State == decisions.Decided })
		if proofs, err := n.Federation.Proofs(context.Background()); err != nil || len(proofs) != 0 {
			t.Errorf("%s accuses somebody: %+v %v", code, proofs, err)
		}
		for _, c := range voiced(t, n, id, "BAL") {
			if c != decision.Consent {
				t.Errorf("%s has heard %s", code, c)
			}
		}
	}
}

// spokenIn are the statements about a proposal in a nation's own logs.
func spokenIn(t *testing.T, n *testnet.Nation, id string) (out []string) {
	t.Helper()
	for kind, many := range spoken(t, n, id) {
		for range many {
			out = append(out, kind)
		}
	}
	return out
}

// What a nation said of an accord after its backup comes back to it as well: it does not go on giving what it had stopped.
func TestARestoredNationKnowsWhatItStopped(t *testing.T) {
	net, clock, can, usa := pair(t)
	backup := can.Backup()
	can.Say("border", accord.Suspend)
	phase := func(n *testnet.Nation) string {
		v, err := n.Accords.Get(n.Viewer(gate.RoleOfficer), "border", 0)
		if err != nil {
			t.Fatal(err)
		}
		return string(v.Phase)
	}
	net.Eventually("the other hears it", func() bool { return phase(usa) == "suspended" })
	can.Restore(backup)
	can.Start()
	net.Eventually("it knows it again", func() bool { clock.Move(time.Second); return phase(can) == "suspended" })
}
