package accords_test

import (
	"context"
	"testing"
	"time"

	"entente/accord"
	"entente/internal/accords"
	"entente/internal/fault"
	"entente/internal/gate"
)

// What the parties decided together about their accord stands for the word of each, once, and is remembered.
func TestWhatWasDecidedIsDoneOnce(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, "UTO", "RUR")
	uto := w.nodes["UTO"]
	_, err := uto.Add(ctx, uto.as(gate.RoleAnalyst), []byte(text(1, "")))
	must(t, err)
	seen := func() accords.View {
		t.Helper()
		v, err := uto.Get(uto.as(gate.RoleAnalyst), "ut-ru", 1)
		must(t, err)
		return v
	}
	d := accords.Decision{Proposal: "p1", Accord: seen().Digest, Verb: accord.Suspend, Nation: "RUR", At: w.now}
	if err := uto.Decided(ctx, d); fault.Of(err) != fault.Conflict {
		t.Errorf("a draft is suspended: %v", err)
	}
	for _, n := range []string{"UTO", "RUR"} {
		_, err := w.nodes[n].Sign(ctx, w.nodes[n].as(gate.RoleSignatory), "ut-ru", 1)
		if n == "UTO" {
			must(t, err)
			w.exchange()
			continue
		}
		must(t, err)
	}
	w.exchange()
	for name, bad := range map[string]accords.Decision{
		"of no accord":       {Proposal: "p", Accord: "sha256:00", Verb: accord.Suspend, Nation: "RUR", At: w.now},
		"a party leaves":     {Proposal: "p", Accord: d.Accord, Verb: accord.Withdraw, Nation: "RUR", At: w.now},
		"a party declines":   {Proposal: "p", Accord: d.Accord, Verb: accord.Decline, Nation: "RUR", At: w.now},
		"nothing is decided": {Proposal: "p", Accord: d.Accord, Nation: "RUR", At: w.now},
	} {
		if err := uto.Decided(ctx, bad); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	phase := func(want accords.Phase) {
		t.Helper()
		if got := seen().Phase; got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
	}
	phase(accords.Active)
	must(t, uto.Decided(ctx, d))
	phase("suspended")
	if uto.permits("indicator") {
		t.Error("it gives what it suspended")
	}
	w.now = w.now.Add(time.Hour)
	d.At = w.now
	must(t, uto.Decided(ctx, d)) // the same decision, later
	must(t, uto.Decided(ctx, accords.Decision{Proposal: "p2", Accord: d.Accord, Verb: accord.Resume, Nation: "UTO", At: w.now}))
	phase(accords.Active)
	w.now = w.now.Add(time.Hour)
	must(t, uto.Decided(ctx, d)) // and after another one
	phase(accords.Active)
	uto.restart()
	phase(accords.Active)
	must(t, uto.Decided(ctx, d))
	phase(accords.Active)
	if n := len(uto.Notices("UTO")); n != 0 {
		t.Errorf("%d notices of its own are told to others, which it did not sign", n)
	}
	must(t, uto.Decided(ctx, accords.Decision{Proposal: "p3", Accord: d.Accord, Verb: accord.Terminate, Nation: "RUR", At: w.now}))
	ends := 0
	for _, e := range uto.Endings() {
		if e.At.Before(w.now.Add(60*24*time.Hour)) && e.Of == "" {
			ends++
		}
	}
	if ends != 1 {
		t.Errorf("it ends %d times", ends)
	}
}
