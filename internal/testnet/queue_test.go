package testnet_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"entente/internal/federation"
	"entente/internal/testnet"
	"entente/label"
)

// An accord says how much a relay keeps for a giver, and how much waits for a party before somebody looks at it. When a reader is away, the relay gets no more than that, the giver is told
// and gives others on; when the reader is back, what he has makes room for what he has not, until he has all.
func TestQueuesOfAnAccord(t *testing.T) {
	const objects, size, keeps = 40, 4 << 10, 64 << 10
	net := testnet.New(t, testnet.Options{Relays: []string{"HUB"}}, "ARC", "BAL", "CAR", "HUB")
	net.Part("ARC", "BAL")
	parties := []string{"ARC", "BAL", "CAR"}
	net.Agree(testnet.Treaty{Name: "far", Parties: parties, Relays: []string{"HUB"}, Keeps: "64KiB", Waits: "64KiB", Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Green}}}.Text(), parties...)
	arc, bal, car, hub := net.As("ARC"), net.As("BAL"), net.As("CAR"), net.As("HUB")
	arc.Push(testnet.To(label.Green, "BAL", "CAR"), testnet.Malware(0, 1, "first", ""))
	net.Eventually("the first is there", func() bool { return bal.Sees(testnet.ID("malware", 0)) })
	full := func() string {
		for _, r := range arc.Federation.Relays() {
			if strings.Contains(r.Error, "lets it keep") && r.Up {
				return r.Error
			}
		}
		return ""
	}
	kept := func() (n int64) {
		t.Helper()
		all, err := hub.Relay.All(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range all {
			if l.Nation == "ARC" {
				n += l.Bytes
			}
		}
		return n
	}
	alarmed := func() bool {
		all, err := arc.Federation.Alarms(t.Context())
		return err == nil && slices.ContainsFunc(all, func(a federation.Alarm) bool { return a.Nation == "BAL" && a.Kind == federation.AlarmQueue })
	}
	took := func() (n uint64) {
		t.Helper()
		all, err := hub.Relay.All(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range all {
			if l.Nation == "ARC" {
				n = max(n, l.Size)
			}
		}
		return n
	}
	bal.Stop()
	net.Part("ARC", "CAR")
	text := strings.Repeat("0123456789abcdef", size/16)
	for i := 1; i <= objects; i++ {
		arc.Push(testnet.To(label.Green, "BAL", "CAR"), testnet.Malware(i, 1, fmt.Sprint(i), text))
		net.Eventually("the relay has it, or nothing more", func() bool { return full() != "" || took() > uint64(i) })
	}
	net.Eventually("the giver is told that the relay is full", func() bool { return full() != "" })
	if n := kept(); n < keeps || n > keeps*5/4 { // boxes are padded, and what began is handed over whole
		t.Errorf("the relay keeps %d bytes", n)
	}
	net.Eventually("somebody is to look at what waits", alarmed)
	net.Heal("ARC", "CAR")
	net.Eventually("others are given on", func() bool { return car.Sees(testnet.ID("malware", objects)) })
	bal.Start()
	net.Eventually("he who was away has all", func() bool {
		for i := range objects {
			if !bal.Sees(testnet.ID("malware", i+1)) {
				return false
			}
		}
		return true
	})
	net.Eventually("nobody is to look at it any more", func() bool { return full() == "" && !alarmed() })
}
