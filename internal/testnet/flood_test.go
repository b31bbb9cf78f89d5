package testnet_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"entente/accord"
	"entente/internal/federation"
	"entente/internal/ledger"
	"entente/internal/testnet"
	"entente/label"
	"entente/peer"
)

// A nation that gives a hundred times what the accord lets it give gets in what it may, and no more; what it takes back is taken back though it floods; the
// others get in all that they give meanwhile; and the receiver keeps nothing of what it refused but the receipts that say so.
func TestARogueAtAHundredTimesItsQuota(t *testing.T) {
	const quota, flood = 5, 500
	net, digest := flooded(t, quota, testnet.Options{})
	arc, bal, rog := net.As("ARC"), net.As("BAL"), net.As("ROG")
	objects := make([]string, flood)
	for i := range objects {
		objects[i] = testnet.Malware(100+i, 1, "flood", "")
	}
	pushed := make(chan int, 1)
	go func() {
		pushed <- rog.TellIn("flood", arc, digest, strict("ARC"), parties("ARC"), append(slices.Clone(objects), testnet.Retraction)...)
	}()
	for i := range quota {
		bal.Push(testnet.To(label.Green, "ARC"), testnet.Malware(1+i, 1, fmt.Sprint("honest ", i), ""))
	}
	net.Eventually("all that the honest nation gives arrives", func() bool {
		for i := range quota {
			if !arc.Sees(testnet.ID("malware", 1+i)) {
				return false
			}
		}
		return true
	})
	if s := <-pushed; s != 204 {
		t.Fatal(s)
	}
	net.Eventually("what the rogue takes back is taken back, and that is written down", func() bool {
		waiting, err := arc.Ledger.Orders(t.Context(), "ROG", 0)
		return err == nil && len(waiting) == 0 && !arc.Sees(testnet.ID("malware", 100))
	})
	in := 0
	for i := range flood {
		if arc.Sees(testnet.ID("malware", 100+i)) {
			in++
		}
	}
	if in != quota-1 { // the first was retracted
		t.Errorf("%d records of the rogue are in, want %d", in, quota-1)
	}
	if held := arc.Held(); len(held) > 2*quota {
		t.Errorf("the store has %d records", len(held))
	}
	if owed, err := arc.Ledger.Outbox(t.Context(), "ROG", 1000); err != nil || len(owed) > 4 {
		t.Errorf("%d receipts for a flood of %d, %v", len(owed), flood, err)
	}
	links, err := arc.Federation.Links(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range links {
		raised := slices.ContainsFunc(h.Alarms, func(a federation.Alarm) bool { return a.Kind == federation.AlarmRefused })
		if h.Nation == "ROG" && (h.Refused != flood-quota || !raised) || h.Nation == "BAL" && (h.Refused != 0 || raised) {
			t.Errorf("%+v", h)
		}
	}
	logs, err := arc.Ledger.Logs(t.Context(), ledger.Filter{Nation: "ROG"})
	if err != nil || len(logs) != 1 {
		t.Fatal(logs, err)
	}
	for i, want := range map[uint64]string{0: peer.DidRetract, 1: peer.DidStore, quota: "", flood - 1: ""} {
		if h, err := arc.Ledger.Held(t.Context(), logs[0].Origin, i); h.Did != want || (err == nil) != (want != "") {
			t.Errorf("leaf %d: %+v %v", i, h, err)
		}
	}
}

// Beyond the leaves of a day nothing more of a nation's records is taken at all, so that what it costs has a bound; it is told that it is throttled, and others are not.
func TestAFloodOfLeavesHasABound(t *testing.T) {
	clock := testnet.NewClock(time.Now().UTC().Truncate(24 * time.Hour).Add(36 * time.Hour)) // or the day might end meanwhile
	net, digest := flooded(t, 0, testnet.Options{Leaves: 20, Now: clock.Now})
	arc, bal, rog := net.As("ARC"), net.As("BAL"), net.As("ROG")
	objects := make([]string, 21)
	for i := range objects {
		objects[i] = testnet.Malware(100+i, 1, "flood", "")
	}
	if s := rog.TellIn("flood", arc, digest, strict("ARC"), parties("ARC"), objects[:15]...); s != 204 {
		t.Fatal(s)
	}
	for _, n := range []int{6, 21} {
		if s := rog.TellIn(fmt.Sprint("more", n), arc, digest, strict("ARC"), parties("ARC"), objects[:n]...); s != 429 {
			t.Errorf("%d leaves more: %d", n, s)
		}
	}
	bal.Push(testnet.To(label.Green, "ARC"), testnet.Malware(1, 1, "honest", ""))
	net.Eventually("what the honest nation gives arrives", func() bool { return arc.Sees(testnet.ID("malware", 1)) })
}

// flooded stands up two honest nations and one that floods, under an accord with a limit for the day.
func flooded(t *testing.T, quota int, o testnet.Options) (net *testnet.Net, digest [32]byte) {
	t.Helper()
	net = testnet.New(t, o, "ARC", "BAL", "ROG")
	text := testnet.Treaty{Name: "all", Parties: []string{"ARC", "BAL", "ROG"}, PerDay: quota, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Green}}}.Text()
	net.Agree(text, "ARC", "BAL", "ROG")
	net.As("ROG").Stop()
	b, err := accord.NewBundle([]byte(text), testnet.Realm)
	if err == nil {
		digest, err = accord.ParseDigest(b.Digest())
	}
	if err != nil {
		t.Fatal(err)
	}
	return net, digest
}
