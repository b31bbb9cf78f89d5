package testnet_test

import (
	"testing"

	"entente/internal/testnet"
	"entente/label"
)

// The words of an alliance mean what they say, over the real rooms and the real wire.
func TestAnAllianceOfThree(t *testing.T) {
	net := testnet.New(t, testnet.Options{}, "CAN", "MEX", "USA")
	net.Agree(testnet.Treaty{Name: "border", Parties: []string{"CAN", "USA"}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Amber, Strip: []string{"malware.description"}}}}.Text(), "CAN", "USA")
	net.Agree(testnet.Treaty{Name: "continent", Parties: []string{"CAN", "MEX", "USA"}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Amber}}}.Text(), "CAN", "MEX", "USA")
	one, two := testnet.ID("malware", 1), testnet.ID("malware", 2)
	net.As("MEX").Push(testnet.To(label.Amber, "CAN"), testnet.Malware(1, 1, "one", "of MEX"))
	net.Settle()
	if !net.As("CAN").Sees(one) || net.As("USA").Sees(one) {
		t.Fatal("what MEX gives CAN is not where it is to be")
	}
	net.Part("CAN", "MEX")
	net.As("MEX").Push(testnet.To(label.Amber, "CAN", "USA"), testnet.Malware(2, 1, "two", "of MEX"))
	net.Settle()
	if net.As("CAN").Sees(two) || !net.As("USA").Sees(two) {
		t.Fatal("the line was not cut")
	}
	net.Heal("CAN", "MEX")
	net.As("USA").Stop()
	net.As("USA").Start()
	net.Settle()
	if !net.As("CAN").Sees(two) || !net.As("USA").Sees(two) {
		t.Fatal("the line was not healed")
	}
	net.As("MEX").Purge(two)
	net.Settle()
	if net.As("CAN").Sees(two) || net.As("USA").Sees(two) || net.As("MEX").Sees(two) {
		t.Fatal("the purge did not arrive")
	}
}
