package testnet_test

import (
	"strings"
	"testing"
	"time"

	"entente/internal/gate"
	"entente/internal/testnet"
	"entente/label"
	"entente/peer"
)

// When the days of an exercise are over nothing flows any more. When its purge is over, too, what came under it is destroyed at each receiver, with receipts; what a nation made
// itself stays with it, until somebody removes the node.
func TestAnExerciseEnds(t *testing.T) {
	const drill, day = "exercise:storm", 24 * time.Hour
	clock := testnet.NewClock(time.Now().UTC().Truncate(time.Minute).Add(time.Hour)) // after the keys were made
	net := testnet.New(t, testnet.Options{Realm: drill, Now: clock.Now}, "CAN", "USA")
	text := testnet.Treaty{Name: "storm-1", Parties: []string{"CAN", "USA"}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Amber}}}.Text()
	last := clock.Now().Add(3 * day).Truncate(day)
	for old, changed := range map[string]string{
		"mode = operational":       `mode = "` + drill + `"`,
		`expires = "2060-01-01"`:   `expires = "` + last.Format(time.DateOnly) + `"`,
		`purge = "` + purged(text): `purge = "14d`,
	} {
		if !strings.Contains(text, old) {
			t.Fatalf("the accord does not say %s", old)
		}
		text = strings.Replace(text, old, changed, 1)
	}
	net.Agree(text, "CAN", "USA")
	can, usa := net.As("CAN"), net.As("USA")
	const word = "taintofastormthatwas"
	can.Push(testnet.To(label.Amber, "USA"), testnet.Malware(1, 1, word, word))
	usa.Push(testnet.To(label.Amber, "CAN"), testnet.Malware(2, 1, "of", "USA"))
	net.Eventually("what is played with arrives", func() bool { return usa.Sees(testnet.ID("malware", 1)) && can.Sees(testnet.ID("malware", 2)) })
	net.Settle()

	clock.Move(last.Sub(clock.Now()) + time.Hour)
	can.Push(testnet.To(label.Amber, "USA"), testnet.Malware(3, 1, "too", "late"))
	for _, n := range []*testnet.Nation{can, usa} {
		if err := n.Federation.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v, err := n.Accords.Get(n.Viewer(gate.RoleOfficer), "storm-1", 0); err != nil || v.Phase != "ended" {
			t.Errorf("after its last day it is %s at %s: %v", v.Phase, n.Code, err)
		}
	}
	net.Settle()
	if went(t, can, testnet.ID("malware", 3), peer.Put) != 0 {
		t.Error("it goes on after its last day")
	}
	if !usa.Sees(testnet.ID("malware", 1)) {
		t.Error("it is destroyed before its purge is over")
	}

	clock.Move(14 * day)
	net.Eventually("what came is destroyed", func() bool { return !usa.Sees(testnet.ID("malware", 1)) && !can.Sees(testnet.ID("malware", 2)) })
	receipt := func(of *testnet.Nation, id, party string) bool {
		places, err := of.Ledger.Out(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range places {
			acts, err := of.Ledger.Receipts(t.Context(), p.Origin, p.Index)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range acts {
				if a.Party == party && a.Did == peer.DidPurge {
					return true
				}
			}
		}
		return false
	}
	net.Eventually("both have receipts", func() bool {
		return receipt(can, testnet.ID("malware", 1), "USA") && receipt(usa, testnet.ID("malware", 2), "CAN")
	})
	if what, err := onDisk(usa.Dir(), []string{word}); what != "" || err != nil {
		t.Errorf("it is still in %s: %v", what, err)
	}
	for _, id := range []string{testnet.ID("malware", 1), testnet.ID("malware", 3)} {
		if !can.Sees(id) {
			t.Errorf("%s, which it made itself, is gone", id)
		}
	}
}

// purged is for how long an accord lets what came under it stay.
func purged(text string) string {
	_, after, _ := strings.Cut(text, `purge = "`)
	days, _, _ := strings.Cut(after, `"`)
	return days
}
