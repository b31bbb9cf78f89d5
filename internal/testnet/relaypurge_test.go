package testnet_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"entente/internal/relay"
	"entente/internal/testnet"
	"entente/label"
	"entente/peer"
)

// What is purged at its origin is destroyed at a reader that only a relay reaches: the order and its receipt go the same way. No byte of it stays at the reader, and none of
// the box at the relay, which could not read it.
func TestAPurgeGoesOverARelay(t *testing.T) {
	net := carried(t, testnet.Options{})
	arc, bal, hub := net.As("ARC"), net.As("BAL"), net.As("HUB")
	const word, other = "taintpurgedoverarelay", "taintthatmayremainhere"
	gone, stays := testnet.ID("malware", 1), testnet.ID("malware", 2)
	arc.Push(testnet.To(label.Green, "BAL"), testnet.Malware(1, 1, word, word+" is what it is called"), testnet.Malware(2, 1, other, other))
	net.Eventually("it goes over", func() bool { return bal.Sees(gone) && bal.Sees(stays) })
	if what, err := onDisk(bal.Dir(), []string{word}); what == "" || err != nil {
		t.Fatalf("what is looked for would not be found at the reader: %v", err)
	}
	places, err := arc.Ledger.Out(t.Context(), gone)
	if err != nil || len(places) != 1 {
		t.Fatal(places, err)
	}
	at := places[0]
	box := func() []byte {
		t.Helper()
		b, err := hub.Relay.Batch(t.Context(), []string{"ARC"}, at.Origin, relay.Party{Nation: "BAL", Org: testnet.Org("BAL")}, peer.Pull{From: at.Index, Frames: 1})
		if err != nil || len(b.Items) != 1 {
			t.Fatal(b, err)
		}
		return b.Items[0].Box
	}
	before := box()
	if what, err := onDisk(hub.Dir(), []string{word, other}); what != "" || err != nil {
		t.Fatalf("the relay has it in clear: %s %v", what, err)
	}
	if !boxed(t, hub, before) {
		t.Fatal("what is looked for would not be found at the relay")
	}

	arc.Purge(gone)
	net.Eventually("it is gone at the reader", func() bool { return !bal.Sees(gone) })
	net.Eventually("the receipt comes back", func() bool {
		places, err := arc.Ledger.Out(t.Context(), gone) // the receipt is of the order
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range places {
			acts, err := arc.Ledger.Receipts(t.Context(), p.Origin, p.Index)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range acts {
				if a.Party == "BAL" && a.Did == peer.DidPurge {
					return true
				}
			}
		}
		return false
	})
	net.Eventually("its box is replaced, and nothing of it is left", func() bool { return !bytes.Equal(box(), before) && !boxed(t, hub, before) })
	for _, n := range []*testnet.Nation{arc, bal, hub} {
		if what, err := onDisk(n.Dir(), []string{word}); what != "" || err != nil {
			t.Errorf("%s: %s %v", n.Code, what, err)
		}
	}
	if !bal.Sees(stays) {
		t.Error("something else is gone")
	}
}

// boxed tells whether a piece of a box is in one of the relay's files. What is long is spread over pages, and begins in one of them.
func boxed(t *testing.T, n *testnet.Nation, box []byte) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(n.Dir(), "relay", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, box[:64]) || bytes.Contains(b, box[len(box)-64:]) {
			return true
		}
	}
	return false
}
