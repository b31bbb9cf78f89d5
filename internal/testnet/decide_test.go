package testnet_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entente/decision"
	"entente/internal/decisions"
	"entente/internal/gate"
	"entente/internal/testnet"
	"entente/keylog"
	"entente/label"
)

// deciding is an accord of three with a rule.
func deciding(rule string, parties ...string) string {
	text := testnet.Treaty{Name: "all", Parties: parties, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Green}}}.Text()
	return strings.Replace(text, "  suspend {", "  decide \"block\" {\n"+rule+"  }\n  suspend {", 1)
}

const unanimous = "    propose = any\n    consent = all\n    deadline = \"1h\"\n"

func state(t *testing.T, n *testnet.Nation, id string) decisions.View {
	t.Helper()
	v, err := n.Decisions.Get(n.Viewer(gate.RoleSignatory), id)
	if err != nil {
		return decisions.View{}
	}
	return v
}

// What three nations decide together, each node knows by itself, and whoever has the file and the nations' fingerprints.
func TestThreeNationsDecide(t *testing.T) {
	var done atomic.Int32
	run := func(_ context.Context, r *decision.Result, _ []byte) (string, error) {
		done.Add(1)
		return "blocked " + r.What.Title, nil
	}
	codes := []string{"ARC", "BAL", "COR"}
	net := testnet.New(t, testnet.Options{Execute: map[string]decisions.Executor{"block": run}}, codes...)
	net.Agree(deciding(unanimous, codes...), codes...)
	arc := net.As("ARC")
	v, err := arc.Decisions.Propose(t.Context(), arc.Viewer(gate.RoleSignatory), decisions.Wish{Accord: "all", Rule: "block", Title: "the network 192.0.2.0/24", Action: &decision.Action{Type: "block", Do: "block", Body: []byte("192.0.2.0/24"), Media: "text/plain"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range codes {
		n := net.As(code)
		net.Eventually(code+" has the proposal", func() bool { return state(t, n, v.ID).State == decisions.Open })
		if _, err := n.Decisions.Say(t.Context(), n.Viewer(gate.RoleAnalyst), v.ID, decision.Consent, ""); err == nil {
			t.Errorf("an analyst of %s votes", code)
		}
		if _, err := n.Decisions.Say(t.Context(), n.Viewer(gate.RoleSignatory), v.ID, decision.Consent, "agreed"); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Decisions.Say(t.Context(), n.Viewer(gate.RoleSignatory), v.ID, decision.Veto, "on second thought"); err == nil {
			t.Errorf("%s takes back its consent", code)
		}
	}
	for _, code := range codes {
		n := net.As(code)
		net.Eventually(code+" carried it out", func() bool { return state(t, n, v.ID).State == decisions.Executed })
	}
	if got := done.Load(); got != 3 {
		t.Errorf("it was carried out %d times by 3 nodes", got)
	}
	net.Eventually("each knows that the others did", func() bool {
		n := 0
		for _, s := range state(t, arc, v.ID).Said {
			if s.Did == decision.Executed {
				n++
			}
		}
		return n == 3
	})
	logs := func(nation string) (*keylog.Log, error) { return net.As(nation).KeyLog(), nil }
	file, err := net.As("COR").Decisions.Certificate(net.As("COR").Viewer(gate.RoleAuditor), v.ID, true, logs)
	if err != nil {
		t.Fatal(err)
	}
	r, unpinned, err := decision.VerifyAlone(file, func(nation string) (keylog.Fingerprint, bool) { return net.As(nation).KeyLog().Fingerprint(), true })
	if err != nil || r.Outcome != decision.Yes || len(unpinned) != 0 || r.What.Title != "the network 192.0.2.0/24" {
		t.Errorf("%+v %v %v", r, unpinned, err)
	}
	// Nobody does it again after a restart.
	for _, code := range codes {
		net.As(code).Stop()
		net.As(code).Start()
	}
	for _, code := range codes {
		net.Eventually(code+" remembers", func() bool { return state(t, net.As(code), v.ID).State == decisions.Executed })
	}
	if got := done.Load(); got != 3 {
		t.Errorf("after a restart it was carried out %d times", got)
	}
}

// One veto ends what all must agree to, and everybody knows.
func TestAVetoEndsIt(t *testing.T) {
	codes := []string{"ARC", "BAL", "COR"}
	net := testnet.New(t, testnet.Options{}, codes...)
	net.Agree(deciding(unanimous, codes...), codes...)
	arc, bal := net.As("ARC"), net.As("BAL")
	v, err := arc.Decisions.Propose(t.Context(), arc.Viewer(gate.RoleSignatory), decisions.Wish{Accord: "all", Rule: "block", Title: "x"})
	if err != nil {
		t.Fatal(err)
	}
	net.Eventually("it arrives", func() bool { return state(t, bal, v.ID).State == decisions.Open })
	if _, err := bal.Decisions.Say(t.Context(), bal.Viewer(gate.RoleSignatory), v.ID, decision.Veto, "not ours to block"); err != nil {
		t.Fatal(err)
	}
	for _, code := range codes {
		net.Eventually(code+" knows", func() bool { return state(t, net.As(code), v.ID).State == decisions.Rejected })
	}
}

// Silence is consent where the accord says so, and only of who had the proposal in time and shows by its own log that it said nothing. Who cannot be reached is not silent.
func TestSilenceIsShownByTheSilentPartysOwnLog(t *testing.T) {
	for _, cut := range []bool{false, true} {
		t.Run(fmt.Sprint("cut off: ", cut), func(t *testing.T) {
			clock := testnet.NewClock(time.Now())
			codes := []string{"ARC", "BAL", "COR"}
			net := testnet.New(t, testnet.Options{Now: clock.Now}, codes...)
			net.Agree(deciding("    propose = any\n    consent = all\n    deadline = \"1h\"\n    silence = allowed\n", codes...), codes...)
			arc, cor := net.As("ARC"), net.As("COR")
			if cut {
				net.Part("ARC", "COR")
				net.Part("BAL", "COR")
			}
			v, err := arc.Decisions.Propose(t.Context(), arc.Viewer(gate.RoleSignatory), decisions.Wish{Accord: "all", Rule: "block", Title: "x"})
			if err != nil {
				t.Fatal(err)
			}
			for _, code := range []string{"ARC", "BAL"} {
				n := net.As(code)
				net.Eventually(code+" has it", func() bool { return state(t, n, v.ID).State == decisions.Open })
				if _, err := n.Decisions.Say(t.Context(), n.Viewer(gate.RoleSignatory), v.ID, decision.Consent, ""); err != nil {
					t.Fatal(err)
				}
			}
			if !cut {
				net.Eventually("it is acknowledged", func() bool {
					for _, s := range state(t, arc, v.ID).Said {
						if s.Nation == "COR" && s.Kind == "ack" {
							return true
						}
					}
					return false
				})
			}
			clock.Move(61 * time.Minute)
			if cut {
				net.Eventually("it is counted", func() bool { return state(t, arc, v.ID).State == decisions.Counting })
				time.Sleep(500 * time.Millisecond)
				if s := state(t, arc, v.ID); s.State != decisions.Counting || s.Count == nil || len(s.Count.Missing) == 0 {
					t.Errorf("who cannot be reached is taken for silent: %s %+v", s.State, s.Count)
				}
				return
			}
			net.Eventually("silence is shown", func() bool { return state(t, arc, v.ID).State == decisions.Decided })
			net.Eventually("also to the silent one", func() bool { return state(t, cor, v.ID).State == decisions.Decided })
		})
	}
}
