package federation_test

import (
	"context"
	"testing"
	"time"

	"entente/accord"
	"entente/internal/gate"
	"entente/label"
	"entente/peer"
)

// What comes before its receiver has heard that the accord is resumed is refused, and given once more; what a suspension of the receiver's own stops is not.
func TestWhatOvertakesANoticeIsGivenAgain(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR")
	uto, rur := net.nodes["UTO"], net.nodes["RUR"]
	net.agree(between("one", "malware", "UTO", "RUR"), "UTO", "RUR")
	m := id("malware", 1)
	say := func(n *nation, verb accord.Verb) {
		if _, err := n.accords.Say(context.Background(), n.as(gate.RoleOfficer), "one", verb, ""); err != nil {
			t.Fatal(err)
		}
	}
	phase := func(n *nation) string {
		a, _ := n.accords.Get(n.as(gate.RoleAnalyst), "one", 0)
		return string(a.Phase)
	}
	say(uto, accord.Suspend)
	net.eventually("it is suspended at both", func() bool { return phase(rur) == "suspended" })
	notices := func(cut bool) {
		net.mu.Lock()
		net.cut["UTO>RUR/fed/v1/notice"] = cut
		net.mu.Unlock()
	}
	notices(true)
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	say(uto, accord.Resume)
	net.eventually("it comes too early", func() bool { return uto.receipts(m, peer.DidRefuse) > 0 })
	if rur.sees(m) {
		t.Error("it is taken while the accord is suspended")
	}
	notices(false)
	net.eventually("it comes again", func() bool { net.wait(time.Second); return rur.sees(m) }) // the later the word, the longer until then
	if n := len(rur.versions(m)); n != 1 {
		t.Errorf("%d versions", n)
	}
}
