package testnet_test

import (
	"testing"

	"entente/internal/testnet"
	"entente/label"
)

// Each recipient of a log comes to see that the others were shown the same, by their own signatures, which the originator hands on; and the originator sees who has what.
func TestRecipientsWitnessForEachOther(t *testing.T) {
	net := testnet.New(t, testnet.Options{}, "ARC", "BAL", "CYR")
	net.Agree(testnet.Treaty{Name: "all", Parties: []string{"ARC", "BAL", "CYR"}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Green}}}.Text(), "ARC", "BAL", "CYR")
	arc, bal := net.As("ARC"), net.As("BAL")
	arc.Push(testnet.To(label.Green, "BAL", "CYR"), testnet.Malware(1, 1, "one", ""))
	net.Eventually("BAL sees that CYR saw the same", func() bool {
		logs, err := bal.Federation.Shared(t.Context(), "ARC")
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range logs {
			if !l.Own && l.Of == 1 && len(l.Witnesses) == 1 && l.Witnesses[0].Nation == "CYR" && l.Witnesses[0].Size == l.Size && l.Size >= 2 && l.Oldest.Equal(l.Witnesses[0].At) {
				return true
			}
		}
		return false
	})
	net.Eventually("ARC sees that both saw it", func() bool {
		logs, err := arc.Federation.Shared(t.Context(), "BAL")
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range logs {
			if l.Own && l.Of == 2 && len(l.Witnesses) == 2 {
				return true
			}
		}
		return false
	})
	if _, err := arc.Federation.Shared(t.Context(), "OUT"); err == nil {
		t.Error("logs are shared with a nation that is not known")
	}
	if alarms, err := bal.Federation.Alarms(t.Context()); err != nil || len(alarms) != 0 {
		t.Errorf("an alarm among honest nations: %+v %v", alarms, err)
	}
}
