package proof

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
	"entente/keylog"
	"entente/peer"
)

// carries stands up a nation whose node is a relay, and a proof that it withheld what a change makes of its two words: that it took a log up to 9, and that there are 4.
func carries(t testing.TB) (*utopia, func(change func(custody, head *peer.Carried), by ...*dsse.Private) []byte) {
	u := stand(t)
	relay := must[*dsse.Private](t)(dsse.Generate(true))
	u.say(t, u.log, keylog.Statement{Kind: keylog.KindAdd, Time: start, Entry: u.entry(t, relay, keylog.RoleRelay)})
	return u, func(change func(custody, head *peer.Carried), by ...*dsse.Private) []byte {
		t.Helper()
		by = append(by, relay, relay)
		custody := peer.Carried{Origin: peer.OriginPrefix + "AAAAAAAAAAAAAAAAAAAA", Of: "ARC", Nation: "UTO", Org: "uto.cert", Size: 9, Root: tlog.Hash{9}, Time: after(1)}
		head := custody
		head.Size, head.Root, head.Time = 4, tlog.Hash{4}, after(2)
		change(&custody, &head)
		first := must[[]byte](t)(peer.SignCustody(realm, peer.Custody(custody), by[0]))
		second := must[[]byte](t)(peer.SignRelayHead(realm, peer.RelayHead(head), by[1]))
		return must[[]byte](t)(must[*Proof](t)(OfRelay(u.log, first, second)).Bytes())
	}
}

// A relay's receipt and what it tells a reader later accuse it when the later is less, or another log. What was true when it was said accuses nobody.
func TestWithholdingIsProved(t *testing.T) {
	u, file := carries(t)
	stranger := stand(t).node
	for name, c := range map[string]struct {
		change func(custody, head *peer.Carried)
		by     []*dsse.Private
		holds  bool
	}{
		"less than it took":                         {func(_, _ *peer.Carried) {}, nil, true},
		"nothing of what it took":                   {func(_, h *peer.Carried) { h.Size, h.Root = 0, must[tlog.Hash](t)(tlog.TreeHash(0, nil)) }, nil, true},
		"as much of another log":                    {func(c, h *peer.Carried) { h.Size = c.Size }, nil, true},
		"as much of another log, said before":       {func(c, h *peer.Carried) { h.Size, h.Time = c.Size, after(0) }, nil, true},
		"all that it took":                          {func(c, h *peer.Carried) { h.Size, h.Root = c.Size, c.Root }, nil, false},
		"more than it took":                         {func(c, h *peer.Carried) { h.Size = c.Size + 1 }, nil, false},
		"less, before it took more":                 {func(c, h *peer.Carried) { h.Time = c.Time.Add(-time.Nanosecond) }, nil, false},
		"less, at the moment in which it took":      {func(c, h *peer.Carried) { h.Time = c.Time }, nil, false},
		"less of another log":                       {func(_, h *peer.Carried) { h.Origin = peer.OriginPrefix + "BBBBBBBBBBBBBBBBBBBB" }, nil, false},
		"less of another nation's log":              {func(_, h *peer.Carried) { h.Of = "BAL" }, nil, false},
		"less, by another relay of the nation":      {func(_, h *peer.Carried) { h.Org = "uto.agency" }, nil, false},
		"less, by another nation's relay":           {func(_, h *peer.Carried) { h.Nation = "BAL" }, nil, false},
		"words of another nation's relay":           {func(c, h *peer.Carried) { c.Nation, h.Nation = "BAL", "BAL" }, nil, false},
		"words of another organisation's relay":     {func(c, h *peer.Carried) { c.Org, h.Org = "uto.agency", "uto.agency" }, nil, false},
		"a receipt that a stranger signed":          {func(_, _ *peer.Carried) {}, []*dsse.Private{stranger}, false},
		"a receipt that its originating key signed": {func(_, _ *peer.Carried) {}, []*dsse.Private{u.voice}, false},
		"words before its key counted":              {func(c, _ *peer.Carried) { c.Time = after(-1) }, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Verify(file(c.change, c.by...))
			if !c.holds {
				if e := (*Error)(nil); !errors.As(err, &e) || e.Code != "proof.evidence" {
					t.Fatalf("%+v %v", f, err)
				}
				return
			}
			if err != nil || f.Kind != Withheld || f.Nation != "UTO" || f.Org != "uto.cert" || f.Realm != realm || f.Fingerprint != u.log.Fingerprint() || len(f.Times) != 2 || len(f.Keys) != 1 {
				t.Fatalf("%+v %v", f, err)
			}
		})
	}
	t.Run("the words in the place of each other", func(t *testing.T) {
		var p Pair
		whole := must[*Proof](t)(Parse(file(func(_, _ *peer.Carried) {})))
		if err := whole.evidence(&p); err != nil {
			t.Fatal(err)
		}
		turned := must[*Proof](t)(OfRelay(u.log, p.Second, p.First))
		if f, err := Verify(must[[]byte](t)(turned.Bytes())); err == nil {
			t.Fatalf("%+v", f)
		}
	})
}

func TestAChangedFileProvesNothingElseOfARelay(t *testing.T) {
	_, file := carries(t)
	provesNothingElse(t, file(func(_, _ *peer.Carried) {}))
}
