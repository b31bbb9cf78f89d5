package testnet_test

import (
	"testing"

	"entente/internal/testnet"
	"entente/label"
)

// carried stands up two nations with no line between them, and a third that carries for them.
func carried(t *testing.T, o testnet.Options) *testnet.Net {
	t.Helper()
	o.Relays = []string{"HUB"}
	net := testnet.New(t, o, "ARC", "BAL", "HUB")
	net.Part("ARC", "BAL")
	net.Agree(testnet.Treaty{Name: "far", Parties: []string{"ARC", "BAL"}, Relays: []string{"HUB"}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Green}}}.Text(), "ARC", "BAL")
	return net
}

// What two nations give each other goes over a relay when they do not reach each other, and what they say of it comes back; the relay has nothing of it in clear.
func TestARelayCarriesWhatItCannotRead(t *testing.T) {
	net := carried(t, testnet.Options{})
	arc, bal, hub := net.As("ARC"), net.As("BAL"), net.As("HUB")
	one, two := testnet.ID("malware", 1), testnet.ID("malware", 2)
	arc.Push(testnet.To(label.Green, "BAL"), testnet.Malware(1, 1, "one", "words that the hub must not have"))
	bal.Push(testnet.To(label.Green, "ARC"), testnet.Malware(2, 1, "two", ""))
	net.Eventually("both have what the other gave", func() bool { return bal.Sees(one) && arc.Sees(two) })
	net.Eventually("the receipt came back", func() bool {
		places, err := arc.Ledger.Out(t.Context(), one)
		if err != nil || len(places) == 0 {
			return false
		}
		acts, err := arc.Ledger.Receipts(t.Context(), places[0].Origin, places[0].Index)
		return err == nil && len(acts) == 1 && acts[0].Party == "BAL"
	})
	for _, it := range bal.Held() {
		if it.Record.ID == one && it.Record.Origin.Via != "peer:ARC relay:hub.cert" {
			t.Errorf("it came by %q", it.Record.Origin.Via)
		}
	}
	if hub.Sees(one) || len(hub.Held()) > 0 {
		t.Error("the relay has what it carries")
	}
	arc.Retract(one)
	net.Eventually("an order goes the same way", func() bool { return !bal.Sees(one) })

	net.Heal("ARC", "BAL") // now it comes twice, and is there once
	arc.Push(testnet.To(label.Green, "BAL"), testnet.Malware(3, 1, "three", ""))
	net.Settle()
	n := 0
	for _, it := range bal.Held() {
		if it.Record.ID == testnet.ID("malware", 3) {
			n++
		}
	}
	if n != 1 {
		t.Errorf("it is there %d times", n)
	}
}
