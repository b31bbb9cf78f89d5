package testnet_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"entente/internal/testnet"
	"entente/label"
	"entente/peer"
	"entente/proof"
)

// carried stands up two nations with no line between them, and a third that carries for them.
func carried(t testing.TB, o testnet.Options) *testnet.Net {
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

// Each way in which a relay can be hostile is noticed within the time in which its readers must have heard something new, and nothing that it made up is taken.
// Where it signed what contradicts itself, everybody has the proof.
func TestAHostileRelayIsNoticed(t *testing.T) {
	const limit = 4 * time.Minute // of the clock: a checkpoint is three minutes old at most
	other := func(r tlog.Hash) tlog.Hash { r[0] ^= 1; return r }
	for name, c := range map[string]struct {
		h     *testnet.Hostile
		proof bool // it signed what contradicts itself
	}{
		"it shows readers less than it took": {&testnet.Hostile{Mute: true, Head: func(h peer.RelayHead) (peer.RelayHead, bool) {
			h.Size--
			h.Root = other(h.Root)
			return h, true
		}}, true},
		"it shows readers another log": {&testnet.Hostile{Mute: true, Head: func(h peer.RelayHead) (peer.RelayHead, bool) {
			h.Root = other(h.Root)
			return h, true
		}}, true},
		"it shows readers nothing":                    {&testnet.Hostile{Mute: true, Head: func(h peer.RelayHead) (peer.RelayHead, bool) { return h, false }}, false},
		"it says that it took what it throws away":    {&testnet.Hostile{Mute: true, Taken: func() bool { return false }}, false},
		"it says that it took something else":         {&testnet.Hostile{Custody: func(c peer.Custody) peer.Custody { c.Root = other(c.Root); return c }}, true},
		"it turns the order of two items around":      {&testnet.Hostile{Batch: turned(func(b *peer.SealedBatch) { b.Items[0], b.Items[1] = b.Items[1], b.Items[0] })}, false},
		"it puts one item in the place of another":    {&testnet.Hostile{Batch: turned(func(b *peer.SealedBatch) { b.Items[0].Box = b.Items[1].Box })}, false},
		"it changes what it carries":                  {&testnet.Hostile{Batch: turned(func(b *peer.SealedBatch) { b.Items[1].Box[40] ^= 1 })}, false},
		"it gives the end of a log without its start": {&testnet.Hostile{Batch: turned(func(b *peer.SealedBatch) { b.Items = b.Items[1:] })}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := testnet.NewClock(time.Now().UTC().Truncate(time.Minute).Add(time.Hour))
			net := testnet.New(t, testnet.Options{Now: clock.Now, Relays: []string{"HUB"}, Carrier: func(n *testnet.Nation, p peer.Carrier) peer.Carrier { return n.Hostile(p, c.h) }}, "ARC", "BAL", "CAR", "HUB")
			net.Agree(testnet.Treaty{Name: "far", Parties: []string{"ARC", "BAL", "CAR"}, Relays: []string{"HUB"}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Green}}}.Text(), "ARC", "BAL", "CAR")
			net.Part("ARC", "BAL") // CAR reaches both
			arc, bal := net.As("ARC"), net.As("BAL")
			c.h.Begin()
			for i := range 3 {
				arc.Push(testnet.To(label.Green, "BAL", "CAR"), testnet.Malware(i, 1, "one", ""))
			}
			began := clock.Now()
			net.Eventually("it is noticed", func() bool {
				clock.Move(min(2*time.Second, (limit-clock.Now().Sub(began))/50)) // slower and slower near the limit: a slow machine is no slow alliance
				time.Sleep(50 * time.Millisecond)
				for _, n := range []string{"ARC", "CAR"} { // as they do by themselves, every few seconds
					_ = net.As(n).Federation.Compare(t.Context()) // one of the lines is cut
				}
				if c.proof {
					return len(proofs(t, arc, "HUB")) > 0 && len(proofs(t, bal, "HUB")) > 0
				}
				for _, r := range bal.Federation.Relays() {
					if !r.Behind.IsZero() || strings.Contains(r.Error, "not taken") {
						return true
					}
				}
				return false
			})
			if took := clock.Now().Sub(began); took > limit {
				t.Errorf("it was noticed after %s", took)
			}
			if c.proof {
				for _, n := range []*testnet.Nation{arc, bal} {
					f, err := proof.Verify(proofs(t, n, "HUB")[0].File)
					if err != nil || f.Kind != proof.Withheld || f.Org != testnet.Org("HUB") {
						t.Errorf("%s: %+v %v", n.Code, f, err)
					}
				}
			}
			if c.h.Batch != nil && bal.Sees(testnet.ID("malware", 0)) {
				t.Error("what it made up was taken")
			}
			if len(proofs(t, bal, "ARC")) > 0 {
				t.Error("the originator is accused of what the relay did")
			}
		})
	}
}

// turned changes batches that have something to change.
func turned(change func(*peer.SealedBatch)) func(*peer.SealedBatch) *peer.SealedBatch {
	return func(b *peer.SealedBatch) *peer.SealedBatch {
		if len(b.Items) > 1 {
			change(b)
		}
		return b
	}
}
