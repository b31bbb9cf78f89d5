package testnet_test

import (
	"bytes"
	"testing"
	"time"

	"entente/internal/testnet"
	"entente/keylog"
	"entente/label"
	"entente/peer"
)

// What a partner claims in its own logs is held against its keys, the text that both signed, and the clock; what does not hold is refused, and the log goes on.
func TestClaimsOfAPartner(t *testing.T) {
	clock := testnet.NewClock(time.Now().UTC().Truncate(time.Minute).Add(time.Hour))
	net := testnet.New(t, testnet.Options{Now: clock.Now, Known: []string{"MEX"}, Deaf: true}, "CAN", "USA")
	treaty := testnet.Treaty{Name: "border", Parties: []string{"CAN", "USA"}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Amber}}}
	net.Agree(treaty.Text(), "CAN", "USA")
	wider := treaty
	wider.Gives = []testnet.Give{{Kinds: []string{"malware", "campaign"}, Ceiling: label.Red}}
	can, usa := net.As("CAN"), net.As("USA")

	n := 0
	leaf := func(change func(l *testnet.Leaf)) testnet.Leaf {
		n++
		l := testnet.Leaf{At: clock.Now(), Signer: keylog.RoleOriginate, Realm: testnet.Realm, What: peer.Rendition{Accord: digest(t, treaty.Text()), Audience: []string{label.Org("CAN", testnet.Org("CAN"))}, Class: peer.Full,
			Nation: "USA", Org: testnet.Org("USA"), Object: []byte(testnet.Malware(n, 1, "one", "of USA")), Label: handled(clock.Now())}}
		change(&l)
		return l
	}
	cases := []struct {
		name, did, code string
		leaf            testnet.Leaf
	}{
		{"honest", peer.DidStore, "", leaf(func(*testnet.Leaf) {})},
		{"ahead of the clock", peer.DidRefuse, "accept.time", leaf(func(l *testnet.Leaf) { l.At = clock.Now().Add(6 * time.Minute) })},
		{"before what was signed already", peer.DidRefuse, "accept.time", leaf(func(l *testnet.Leaf) { l.At = clock.Now().Add(-6 * time.Minute) })},
		{"as far as clocks may differ", peer.DidStore, "", leaf(func(l *testnet.Leaf) { l.At = clock.Now().Add(-4 * time.Minute) })},
		{"by the key of the node", peer.DidRefuse, "accept.signature", leaf(func(l *testnet.Leaf) { l.Signer = keylog.RoleNode })},
		{"in another realm", peer.DidRefuse, "signature", leaf(func(l *testnet.Leaf) { l.Realm = "exercise:autumn" })},
		{"changed after it was signed", peer.DidRefuse, "signature", leaf(func(l *testnet.Leaf) {
			l.Tampers = func(b []byte) []byte { return bytes.Replace(b, []byte(`"sig":"`), []byte(`"sig":"AAAA`), 1) }
		})},
		{"under a text that it widened alone", peer.DidRefuse, "accept.accord", leaf(func(l *testnet.Leaf) { l.What.Accord = digest(t, wider.Text()) })},
		{"of a kind that nobody agreed on", peer.DidRefuse, "accord.kind", leaf(func(l *testnet.Leaf) { l.What.Object = []byte(testnet.Campaign(1, 1, "one", "of USA")) })},
		{"in the name of another nation", peer.DidRefuse, "accept.origin", leaf(func(l *testnet.Leaf) { l.What.Nation, l.What.Org = "MEX", testnet.Org("MEX") })},
		{"for somebody else", peer.DidRefuse, "accept.envelope", leaf(func(l *testnet.Leaf) { l.What.Audience = []string{label.Org("MEX", testnet.Org("MEX"))} })},
		{"under less than the accord asks for", peer.DidRefuse, "accept.handle", leaf(func(l *testnet.Leaf) { l.What.Label.PAP = label.PAPClear })},
		{"honest again", peer.DidStore, "", leaf(func(*testnet.Leaf) {})},
	}
	var leaves []testnet.Leaf
	for _, c := range cases {
		leaves = append(leaves, c.leaf)
	}
	for i, did := range usa.Claim(can, leaves...) {
		if c := cases[i]; did != [2]string{c.did, c.code} {
			t.Errorf("%s: %v, want %s %s", c.name, did, c.did, c.code)
		}
		if kept := can.Sees(testnet.ID("malware", i+1)); kept != (cases[i].did == peer.DidStore) {
			t.Errorf("%s: kept is %v", cases[i].name, kept)
		}
	}
}

// handled is a label for CAN from USA as strict as the treaties of tests ask.
func handled(now time.Time) label.Label {
	l := testnet.To(label.Amber, "CAN", "USA")
	l.Mode, l.Purpose, l.PAP, l.Onward, l.Attribution, l.Purge = label.OperationalMode, label.NetDefence, label.PAPGreen, label.OnwardNone, label.Withhold, label.PurgeOnTermination
	l.NotAfter = now.Add(300 * 24 * time.Hour).Truncate(time.Second)
	return l
}
