package federation_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/accord"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/label"
	"entente/peer"
)

// ways are the notes of how an object came, without what differs from run to run.
func (n *nation) ways(object string) (out []string) {
	came, err := n.Came(context.Background(), n.as(gate.RoleAnalyst), object)
	must(n.net.t, err)
	for _, c := range came {
		if c.At.IsZero() || n.net.now().Before(c.At) || c.Version != v1 {
			n.net.t.Errorf("%+v", c)
		}
		out = append(out, c.Nation+"/"+c.Org+" "+c.Accord+" "+c.Way+" "+c.Did)
	}
	slices.Sort(out)
	return out
}

// What comes under several accords and by several ways is one record, with a note of each; and it stays when one of them ends.
func TestOneRecordBySeveralWays(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR")
	uto, rur := net.nodes["UTO"], net.nodes["RUR"]
	for _, name := range []string{"one", "two", "three"} {
		net.agree(between(name, "malware", "UTO", "RUR"), "UTO", "RUR")
	}
	suspend := func(verb accord.Verb) {
		if _, err := uto.accords.Say(context.Background(), uto.as(gate.RoleOfficer), "three", verb, ""); err != nil {
			t.Fatal(err)
		}
	}
	suspend(accord.Suspend)
	m := id("malware", 1)
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.eventually("it comes under two accords", func() bool { return len(rur.ways(m)) == 2 })

	// Asked for, it comes by the stream; so it is brought by the other's node while the line is cut, and so is the word that the accord counts again.
	net.part("UTO", "RUR", true)
	suspend(accord.Resume)
	caller := federation.WithCaller(context.Background(), federation.Caller{Nation: "UTO", Org: org("UTO")})
	for _, o := range uto.accords.Outgoing() {
		for _, n := range o.Notices {
			must(t, rur.Backend().Offer(caller, peer.OfferNotice, n))
		}
	}
	if a, _ := rur.accords.Get(rur.as(gate.RoleAnalyst), "three", 0); a.Phase != "active" {
		t.Fatal(a.Phase)
	}
	net.eventually("it is in the third log, or came", func() bool {
		places, err := uto.ledger.Out(context.Background(), m)
		return err == nil && len(places) == 3
	})
	logs, err := uto.ledger.Logs(context.Background(), own)
	must(t, err)
	for _, g := range logs {
		if g.Accord == "three" {
			for range 2 { // once more: the same leaf is the same way
				net.eventually("it is signed for, and brought", func() bool {
					b, err := uto.ledger.Frames(context.Background(), g.Origin, peer.Pull{})
					return err == nil && len(b.Frames) > 0 && rur.Backend().Push(caller, b) == nil
				})
			}
		}
	}
	net.eventually("whose logs they are is known", func() bool { w := rur.ways(m); return len(w) == 3 && strings.HasPrefix(w[0], "UTO/uto.cert one ") })
	notes := rur.ways(m)
	if len(notes) != 3 || len(rur.versions(m)) != 1 {
		t.Fatalf("%d versions by %q", len(rur.versions(m)), notes)
	}
	stored := 0
	for i, want := range []string{"UTO/uto.cert one stream ", "UTO/uto.cert three ", "UTO/uto.cert two stream "} {
		if notes[i][:len(want)] != want {
			t.Errorf("%q", notes)
		}
		if notes[i][len(notes[i])-len(peer.DidStore):] == peer.DidStore {
			stored++
		}
	}
	if stored != 1 {
		t.Errorf("it was stored %d times: %q", stored, notes)
	}
	if came, err := rur.Came(context.Background(), gate.Viewer{Nation: "RUR", Org: "another", Person: "x"}, m); err != nil || len(came) != 0 {
		t.Errorf("who may not know of accords is told %+v %v", came, err)
	}

	net.part("UTO", "RUR", false)
	if _, err := uto.accords.Say(context.Background(), uto.as(gate.RoleOfficer), "one", accord.Terminate, ""); err != nil {
		t.Fatal(err)
	}
	net.eventually("the end is heard", func() bool {
		a, _ := rur.accords.Get(rur.as(gate.RoleAnalyst), "one", 0)
		return len(a.Notices) == 1
	})
	net.wait(61 * 24 * time.Hour)
	net.eventually("one way is gone, and what came by the others stays", func() bool {
		return len(rur.ways(m)) == 2 && rur.sees(m) && len(rur.versions(m)) == 1
	})
}
