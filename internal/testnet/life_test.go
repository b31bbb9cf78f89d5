package testnet_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"entente/accord"
	"entente/internal/gate"
	"entente/internal/rendition"
	"entente/internal/testnet"
	"entente/label"
	"entente/peer"
)

// pair stands up two nations under an accord, with a clock that stands still.
func pair(t *testing.T, gives ...testnet.Give) (net *testnet.Net, clock *testnet.Clock, can, usa *testnet.Nation) {
	t.Helper()
	clock = testnet.NewClock(time.Now().UTC().Truncate(time.Minute).Add(time.Hour)) // after the keys were made
	net = testnet.New(t, testnet.Options{Now: clock.Now}, "CAN", "USA")
	if len(gives) == 0 {
		gives = []testnet.Give{{Kinds: []string{"malware", "identity"}, Ceiling: label.Amber}}
	}
	net.Agree(testnet.Treaty{Name: "border", Parties: []string{"CAN", "USA"}, Gives: gives}.Text(), "CAN", "USA")
	return net, clock, net.As("CAN"), net.As("USA")
}

// went counts the leaves of a kind that a nation's logs have about an object.
func went(t *testing.T, n *testnet.Nation, id string, kind peer.Kind) (count int) {
	t.Helper()
	places, err := n.Ledger.Out(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range places {
		if p.Leaf.Kind == kind {
			count++
		}
	}
	return count
}

// with gives an object further properties.
func with(object, properties string) string { return object[:len(object)-1] + "," + properties + "}" }

// What is under embargo goes out in the minute in which that ends, not before, and once, whether or not the node is stopped in between.
func TestAnEmbargoEnds(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		t.Run(fmt.Sprintf("stopped=%v", stopped), func(t *testing.T) {
			net, clock, can, usa := pair(t)
			id := testnet.ID("malware", 1)
			keep := func() {
				t.Helper()
				if err := can.Exchange.KeepTime(context.Background()); err != nil {
					t.Fatal(err)
				}
				net.Settle()
			}
			l := testnet.To(label.Amber, "USA")
			l.NotBefore = clock.Now().Add(2 * time.Hour)
			can.Push(l, testnet.Malware(1, 1, "early", "bird"))
			clock.Move(2*time.Hour - time.Second)
			keep()
			if usa.Sees(id) || went(t, can, id, peer.Put) != 0 {
				t.Fatal("it went out before its time")
			}
			if stopped {
				can.Stop()
			}
			clock.Move(time.Second)
			if stopped {
				can.Start()
				net.Eventually("the node looks at the time when it starts", func() bool { return usa.Sees(id) })
			} else {
				keep()
			}
			clock.Move(time.Minute)
			keep()
			can.Stop()
			can.Start()
			keep()
			if !usa.Sees(id) || went(t, can, id, peer.Put) != 1 || went(t, can, id, peer.Relabel) != 0 {
				t.Errorf("it is there: %v; it went out %d times, and was relabelled %d times", usa.Sees(id), went(t, can, id, peer.Put), went(t, can, id, peer.Relabel))
			}
		})
	}
}

// A version that says that its object is revoked reaches every holder of it, who has it as the latest.
func TestRevocationReachesEveryHolder(t *testing.T) {
	net := testnet.New(t, testnet.Options{}, "CAN", "MEX", "USA")
	net.Agree(testnet.Treaty{Name: "border", Parties: []string{"CAN", "USA"}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Amber}}}.Text(), "CAN", "USA")
	net.Agree(testnet.Treaty{Name: "south", Parties: []string{"CAN", "MEX"}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Amber, Strip: []string{"malware.description"}}}}.Text(), "CAN", "MEX")
	can, id := net.As("CAN"), testnet.ID("malware", 1)
	l := testnet.To(label.Amber, "MEX", "USA")
	can.Push(l, testnet.Malware(1, 1, "one", "of CAN"))
	net.Settle()
	can.Push(l, with(testnet.Malware(1, 2, "one", "of CAN"), `"revoked":true`))
	net.Settle()
	if v := net.As("USA").Version(id); v != testnet.Modified(2) {
		t.Errorf("USA has %q", v)
	}
	revoked := 0
	for _, it := range net.As("MEX").Held() {
		if it.Record.Revoked && it.Record.ID != id {
			revoked++
		}
	}
	if revoked != 1 {
		t.Errorf("MEX has %d reduced copies that are revoked", revoked)
	}
	if n := went(t, can, id, peer.Retract); n != 0 {
		t.Errorf("%d orders retract what was told to be revoked", n)
	}
}

// Where the version that revokes may not go, holders of earlier versions are told to retract them, and those do not come again.
func TestWhatIsRevokedOutOfReachIsRetracted(t *testing.T) {
	ctx := context.Background()
	for name, out := range map[string]struct {
		first func(can *testnet.Nation)
		label label.Label
		after func(can *testnet.Nation)
		has   string // in the end
	}{
		"its label names them no more": {first: func(*testnet.Nation) {}, label: testnet.To(label.Amber, "CAN"), after: func(*testnet.Nation) {}},
		"the accord is suspended": {first: func(can *testnet.Nation) {
			if _, err := can.Accords.Say(ctx, can.Viewer(gate.RoleOfficer), "border", accord.Suspend, ""); err != nil {
				t.Fatal(err)
			}
		}, label: testnet.To(label.Amber, "USA"), after: func(can *testnet.Nation) {
			if _, err := can.Accords.Say(ctx, can.Viewer(gate.RoleOfficer), "border", accord.Resume, ""); err != nil {
				t.Fatal(err)
			}
		}, has: testnet.Modified(2)},
	} {
		t.Run(name, func(t *testing.T) {
			net, clock, can, usa := pair(t)
			id := testnet.ID("malware", 1)
			can.Push(testnet.To(label.Amber, "USA"), testnet.Malware(1, 1, "one", "of CAN"))
			can.Push(testnet.To(label.Amber, "USA"), testnet.Malware(2, 1, "two", "of CAN"))
			net.Settle()
			out.first(can)
			net.Settle()
			can.Push(out.label, with(testnet.Malware(1, 2, "one", "of CAN"), `"revoked":true`))
			net.Settle()
			if usa.Sees(id) || went(t, can, id, peer.Retract) != 1 {
				t.Errorf("it is still there, as %q, after %d orders", usa.Version(id), went(t, can, id, peer.Retract))
			}
			if !usa.Sees(testnet.ID("malware", 2)) {
				t.Error("another went, too")
			}
			out.after(can)
			net.Eventually("what may come after that comes", func() bool {
				clock.Move(time.Second) // what overtook the word that it may come is given again after a while
				net.Settle()
				return usa.Version(id) == out.has
			})
			if n := went(t, can, id, peer.Retract); n != 1 {
				t.Errorf("%d orders", n)
			}
		})
	}
}

// Of versions that wait together, one that revokes the others goes alone.
func TestWhatIsRevokedBeforeItWentOut(t *testing.T) {
	net, _, can, usa := pair(t)
	net.Part("CAN", "USA")
	can.Stop()
	can.Start()
	can.Push(testnet.To(label.Amber, "USA"), testnet.Malware(1, 1, "one", "of CAN"), with(testnet.Malware(1, 2, "one", "of CAN"), `"revoked":true`))
	net.Heal("CAN", "USA")
	net.Settle()
	if id := testnet.ID("malware", 1); usa.Version(id) != testnet.Modified(2) || went(t, can, id, peer.Put) != 1 {
		t.Errorf("USA has %q of %d that went out", usa.Version(id), went(t, can, id, peer.Put))
	}
}

func statement(n int, properties string) string {
	return fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":%q,"created":"2024-03-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"Of number %d, handle with care"}%s}`,
		testnet.ID("marking-definition", n), n, properties)
}

func marked(object string, ids ...string) string {
	return with(object, `"object_marking_refs":["`+strings.Join(ids, `","`)+`"]`)
}

// The definitions of an organisation's own markings go along with what they mark, before it and once, whatever their label; those of the TLP do not.
func TestMarkingsGoAlong(t *testing.T) {
	net, _, can, usa := pair(t)
	care, outer := testnet.ID("marking-definition", 1), testnet.ID("marking-definition", 2)
	amber := label.TLPMarkingID(label.Amber, false)
	can.Push(label.For(label.Red), statement(2, ""), statement(1, `,"object_marking_refs":["`+outer+`"]`), statement(3, ""))
	net.Settle()
	if usa.Sees(care) {
		t.Fatal("a definition went out alone")
	}
	l := testnet.To(label.Amber, "USA")
	can.Push(l, marked(testnet.Malware(1, 1, "one", "of CAN"), amber, care), marked(testnet.Malware(2, 1, "two", "of CAN"), care))
	net.Settle()
	can.Push(l, marked(testnet.Malware(3, 1, "three", "of CAN"), label.TLPMarkingID(label.Amber, true), outer))
	net.Settle()
	for _, id := range []string{testnet.ID("malware", 1), testnet.ID("malware", 2), testnet.ID("malware", 3), care, outer} {
		if !usa.Sees(id) || went(t, can, id, peer.Put) != 1 {
			t.Errorf("%s is there: %v, and went out %d times", id, usa.Sees(id), went(t, can, id, peer.Put))
		}
	}
	for _, id := range []string{amber, label.TLPMarkingID(label.Amber, true), testnet.ID("marking-definition", 3)} {
		if went(t, can, id, peer.Put) != 0 {
			t.Errorf("%s went out", id)
		}
	}
	// What they mark goes, and nothing of what they are.
	can.Purge(testnet.ID("malware", 1))
	can.Relabel(testnet.ID("malware", 2), testnet.To(label.Amber, "CAN"))
	net.Settle()
	if usa.Sees(testnet.ID("malware", 1)) || usa.Sees(testnet.ID("malware", 2)) || !usa.Sees(care) || !usa.Sees(testnet.ID("malware", 3)) {
		t.Error("the wrong things went")
	}
	// One whose definition is taken back is not given under it.
	can.Purge(outer)
	net.Settle()
	can.Push(l, marked(testnet.Malware(4, 1, "four", "of CAN"), care))
	net.Settle()
	if usa.Sees(outer) || usa.Sees(testnet.ID("malware", 4)) {
		t.Error("something is given under a marking that nobody can read")
	}
}

// A definition whose author may not be had goes along as a copy, by whose id it is named.
func TestAMarkingGoesAlongInPart(t *testing.T) {
	net, _, can, usa := pair(t)
	care, author := testnet.ID("marking-definition", 1), testnet.ID("identity", 1)
	l := testnet.To(label.Amber, "USA")
	identity := fmt.Sprintf(`{"type":"identity","spec_version":"2.1","id":%q,"created":"2024-03-01T00:00:00.000Z","modified":"2024-03-01T00:00:00.000Z","name":"an office"}`, author)
	can.Push(testnet.To(label.Amber, "CAN"), identity, statement(1, `,"created_by_ref":"`+author+`"`))
	can.Push(l, marked(testnet.Malware(1, 1, "one", "of CAN"), care))
	net.Settle()
	definitions := map[string]bool{}
	var body string
	for _, it := range usa.Held() {
		switch it.Record.Type {
		case "marking-definition":
			definitions[it.Record.ID] = true
		case "malware":
			body = string(it.Record.Body)
		}
		if strings.Contains(string(it.Record.Body), author) || strings.Contains(string(it.Record.Body), care) {
			t.Errorf("USA has %s", it.Record.Body)
		}
	}
	_, rest, _ := strings.Cut(body, `"object_marking_refs":["`)
	named, _, _ := strings.Cut(rest, `"`)
	if len(definitions) != 1 || !definitions[named] {
		t.Errorf("%s is not one of %v", named, definitions)
	}
}

// Who made an object is named to those who have the author, too, and then the object goes as it is.
func TestTheAuthorIsNamed(t *testing.T) {
	net, _, can, usa := pair(t)
	author, id := testnet.ID("identity", 1), testnet.ID("malware", 1)
	l := testnet.To(label.Amber, "USA")
	identity := fmt.Sprintf(`{"type":"identity","spec_version":"2.1","id":%q,"created":"2024-03-01T00:00:00.000Z","modified":"2024-03-01T00:00:00.000Z","name":"an office"}`, author)
	can.Push(l, identity, with(testnet.Malware(1, 1, "one", "of CAN"), `"created_by_ref":"`+author+`"`))
	net.Settle()
	if !usa.Sees(author) || !usa.Sees(id) {
		t.Error("the object does not go as it is")
	}
}

// An object of STIX 2.0 goes as it is, to the byte, or not at all, and then the owner is told why.
func TestTheOldLanguage(t *testing.T) {
	net, _, can, usa := pair(t, testnet.Give{Kinds: []string{"malware", "campaign"}, Ceiling: label.Amber, Strip: []string{"campaign.description"}})
	old := func(object string) string { return strings.Replace(object, `"spec_version":"2.1",`, "", 1) }
	whole, part, bare := old(testnet.Malware(1, 1, "one", "of CAN")), old(testnet.Campaign(1, 1, "one", "of CAN")), old(strings.Replace(testnet.Campaign(2, 1, "two", ""), `,"description":""`, "", 1))
	can.Push(testnet.To(label.Amber, "USA"), whole, part, bare)
	net.Settle()
	got := map[string]string{}
	for _, it := range usa.Held() {
		got[it.Record.ID] = string(it.Record.Body)
	}
	if len(got) != 2 || got[testnet.ID("malware", 1)] != whole || got[testnet.ID("campaign", 2)] != bare {
		t.Errorf("USA has %q", got)
	}
	for _, it := range can.Held() {
		if it.Record.ID != testnet.ID("campaign", 1) {
			continue
		}
		said, err := can.Federation.Simulate(context.Background(), can.Viewer(gate.RoleAnalyst), &it, "border")
		if err != nil || len(said) != 1 || said[0].Permit || said[0].Class != rendition.Withheld.String() || !strings.Contains(said[0].Why, "STIX 2.0") {
			t.Errorf("%+v %v", said, err)
		}
	}
}
