package testnet_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entente/decision"
	"entente/dsse"
	"entente/internal/decisions"
	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/internal/store"
	"entente/internal/testnet"
	"entente/peer"
)

type kept = decisions.Docs

// brittle are documents of which one act cannot be written down, as when the node stops just before.
type brittle struct {
	kept
	verb   string
	failed *sync.Once
	hit    chan struct{}
}

var errCut = errors.New("the node has stopped")

func (f brittle) PutDocs(ctx context.Context, act store.Act, docs ...store.Doc) error {
	cut := false
	if act.Verb == f.verb {
		f.failed.Do(func() { cut = true; close(f.hit) })
	}
	if cut {
		return errCut
	}
	return f.kept.PutDocs(ctx, act, docs...)
}

// spoken counts what a nation said about a proposal in its own log, by kind.
func spoken(t *testing.T, n *testnet.Nation, id string) map[string]int {
	t.Helper()
	out := map[string]int{}
	places, err := n.Ledger.Out(t.Context(), "decision/"+id)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range places {
		out[kindOf(t, n, p)]++
	}
	return out
}

func kindOf(t *testing.T, n *testnet.Nation, p ledger.Place) string {
	t.Helper()
	b, err := n.Ledger.Frames(t.Context(), p.Origin, peer.Pull{From: p.Index, Frames: 1})
	if err != nil || len(b.Frames) != 1 {
		t.Fatal(err)
	}
	e, err := dsse.Parse(b.Frames[0].Envelope)
	if err != nil {
		t.Fatal(err)
	}
	kind, _, _ := strings.Cut(strings.TrimPrefix(e.PayloadType, "application/vnd.entente."), "+")
	return kind
}

// What stands in the own log and was not written down is found again: nothing is said twice, whether the node stopped or only the writing failed.
func TestNothingIsSaidTwice(t *testing.T) {
	for _, stops := range []bool{false, true} {
		for _, verb := range []string{"decision.propose", "decision.ack", "decision.position", "decision.report"} {
			name := verb
			if stops {
				name += " and the node stops"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				codes := []string{"ARC", "BAL"}
				var once sync.Once
				hit := make(chan struct{})
				run := func(context.Context, *decision.Result, []byte) (string, error) { return "done", nil }
				net := testnet.New(t, testnet.Options{Execute: map[string]decisions.Executor{"block": run}, Docs: func(n *testnet.Nation, d decisions.Docs) decisions.Docs {
					if n.Code != "ARC" {
						return d
					}
					return brittle{d, verb, &once, hit}
				}}, codes...)
				net.Agree(deciding(unanimous, codes...), codes...)
				arc, bal := net.As("ARC"), net.As("BAL")
				signatory := arc.Viewer(gate.RoleSignatory)
				again := func() { // at once: whoever stops it later may cut short what it carries out, which nobody does again
					if stops {
						arc.Stop()
						arc.Start()
					}
				}
				cut := func(err error) {
					if err != nil && !errors.Is(err, errCut) {
						t.Fatal(err)
					}
					if err != nil {
						again()
					}
				}
				_, err := arc.Decisions.Propose(t.Context(), signatory, decisions.Wish{Accord: "all", Rule: "block", Title: "x", Action: &decision.Action{Type: "block", Do: "block"}})
				cut(err)
				var id string
				net.Eventually("it is there", func() bool {
					all, err := arc.Decisions.List(signatory)
					if err == nil && len(all) == 1 {
						id = all[0].ID
					}
					return id != ""
				})
				if verb == "decision.ack" && stops {
					await(t, hit)
					again()
				}
				_, err = arc.Decisions.Say(t.Context(), signatory, id, decision.Consent, "yes")
				cut(err)
				if err != nil { // the person tries again; that it is final already says that it was said
					if _, err := arc.Decisions.Say(t.Context(), signatory, id, decision.Consent, "yes"); err != nil && !strings.Contains(err.Error(), "final") {
						t.Fatal(err)
					}
				}
				net.Eventually("it arrives", func() bool { return state(t, bal, id).State == decisions.Open })
				if _, err := bal.Decisions.Say(t.Context(), bal.Viewer(gate.RoleSignatory), id, decision.Consent, ""); err != nil {
					t.Fatal(err)
				}
				await(t, hit)
				if verb == "decision.report" {
					again()
				}
				net.Eventually("all of it is done and said", func() bool {
					n := 0
					for _, s := range state(t, arc, id).Said {
						if s.Nation == "ARC" {
							n++
						}
					}
					return state(t, arc, id).State == decisions.Executed && n == 4
				})
				for kind, n := range spoken(t, arc, id) {
					if n != 1 {
						t.Errorf("%d times in the own log: %s", n, kind)
					}
				}
			})
		}
	}
}

func await(t *testing.T, hit <-chan struct{}) {
	t.Helper()
	select {
	case <-hit:
	case <-time.After(3 * time.Minute):
		t.Fatal("it never came to where the node was to stop")
	}
}

// What was begun and cut short is never begun again: a person says what became of it.
func TestWhatWasCutShortIsNotDoneAgain(t *testing.T) {
	codes := []string{"ARC", "BAL"}
	var once sync.Once
	var ran atomic.Int32
	hit := make(chan struct{})
	run := func(context.Context, *decision.Result, []byte) (string, error) {
		ran.Add(1)
		return "done", nil
	}
	net := testnet.New(t, testnet.Options{Execute: map[string]decisions.Executor{"block": run}, Docs: func(n *testnet.Nation, d decisions.Docs) decisions.Docs {
		if n.Code != "ARC" {
			return d
		}
		return brittle{d, "decision.executed", &once, hit}
	}}, codes...)
	net.Agree(deciding(unanimous, codes...), codes...)
	arc := net.As("ARC")
	signatory := arc.Viewer(gate.RoleSignatory)
	v, err := arc.Decisions.Propose(t.Context(), signatory, decisions.Wish{Accord: "all", Rule: "block", Title: "x", Action: &decision.Action{Type: "block", Do: "block"}})
	if err != nil {
		t.Fatal(err)
	}
	net.Eventually("BAL has it", func() bool { return state(t, net.As("BAL"), v.ID).State == decisions.Open })
	if _, err := arc.Decisions.Say(t.Context(), signatory, v.ID, decision.Consent, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := net.As("BAL").Decisions.Say(t.Context(), net.As("BAL").Viewer(gate.RoleSignatory), v.ID, decision.Consent, ""); err != nil {
		t.Fatal(err)
	}
	await(t, hit)
	arc.Stop()
	arc.Start()
	for range 3 {
		if err := arc.Decisions.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s := state(t, arc, v.ID); s.State != decisions.Started || ran.Load() > 2 {
		t.Errorf("after the crash it is %s, and ran %d times", s.State, ran.Load())
	}
	if _, err := arc.Decisions.Report(t.Context(), signatory, v.ID, "perhaps", ""); err == nil {
		t.Error("a report of nothing known is taken")
	}
	if s, err := arc.Decisions.Report(t.Context(), signatory, v.ID, decision.Executed, "looked: it is blocked"); err != nil || s.State != decisions.Executed {
		t.Errorf("%s %v", s.State, err)
	}
	if _, err := arc.Decisions.Report(t.Context(), signatory, v.ID, decision.Aborted, ""); err == nil {
		t.Error("it is reported twice")
	}
}
