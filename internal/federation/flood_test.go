package federation_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"entente/dsse"
	"entente/internal/federation"
	"entente/internal/ledger"
	"entente/internal/store"
	"entente/keylog"
	"entente/label"
	"entente/peer"
)

// limited is an accord under which each party may give another so many objects of malware a day.
func limited(name string, objects int, codes ...string) string {
	return strings.Replace(between(name, "malware", codes...), "  suspend {", fmt.Sprintf("  limits {\n    objects-per-day = %d\n  }\n  suspend {", objects), 1)
}

// flood has a nation add objects to its log for a partner as no honest node would: past every limit. What went out first shows how they are to look.
func (n *nation) flood(from, to int) {
	t, ctx := n.net.t, context.Background()
	logs, err := n.ledger.Logs(ctx, own)
	must(t, err)
	origin := logs[0].Origin
	b, err := n.ledger.Envelope(ctx, origin, 1) // after the accord
	must(t, err)
	e, err := dsse.Parse(b)
	must(t, err)
	r, err := peer.ReadRendition(e.Payload)
	must(t, err)
	by, err := n.ring.Signer(keylog.RoleOriginate)
	must(t, err)
	node, err := n.ring.Signer(keylog.RoleNode)
	must(t, err)
	for ; from < to; from += 500 {
		var payloads [][]byte
		var entries []ledger.Entry
		for i := from; i < min(from+500, to); i++ {
			r.Object = []byte(malware(i, v1))
			p, err := r.Payload()
			must(t, err)
			payloads = append(payloads, p)
			entries = append(entries, ledger.Entry{Origin: origin, Object: id("malware", i), Version: "-", Leaf: peer.Leaf{Kind: peer.Put, Accord: r.Accord, Order: 1, Time: n.net.now().UTC(), NotAfter: r.Label.NotAfter}})
		}
		envelopes, err := peer.SignRenditions("operational", payloads, by)
		must(t, err)
		for i := range entries {
			entries[i].Envelope = envelopes[i]
		}
		_, err = n.ledger.AppendSigned(ctx, ledger.Cursor{}, ledger.Seal{Now: n.net.now(), Key: node.(federation.NodeKey)}, entries...)
		must(t, err)
	}
}

// kept is how much of a nation's logs a node keeps: places of what it gave, and objects in the store.
func (n *nation) kept(nation string) (places, objects int) {
	ctx := context.Background()
	for after := int64(0); ; {
		held, next, err := n.ledger.HeldAfter(ctx, nation, after, 1000)
		must(n.net.t, err)
		places += len(held)
		if after = next; next == 0 {
			break
		}
	}
	page, err := n.db.Page(ctx, house{n}.own(), store.Query{Nation: nation, Org: org(nation), Specs: []string{"2.1"}, Versions: all, Limit: 1000, Headers: true})
	must(n.net.t, err)
	return places, len(page.Items)
}

// An ally that gives far more than it may is refused the rest, with the reason, and nothing of that is kept. Its orders pass, and so does everything of others.
func TestAFloodIsRefused(t *testing.T) {
	const may, flooded = 5, 2000
	net := ally(t, "UTO", "RUR", "FRE")
	net.morning()
	uto, rur, fre := net.nodes["UTO"], net.nodes["RUR"], net.nodes["FRE"]
	ctx := context.Background()
	net.agree(limited("ut-ru", may, "UTO", "RUR"), "UTO", "RUR")
	net.agree(between("ut-fr", "malware", "UTO", "FRE"), "UTO", "FRE")
	rur.push(malware(1, v1), to(label.Amber, "UTO"))
	rur.push(malware(2, v1), to(label.Amber, "UTO"))
	net.eventually("the first arrive", func() bool { return uto.sees(id("malware", 1)) && uto.sees(id("malware", 2)) })

	rur.flood(1001, 1001+flooded)
	for i := range 20 {
		fre.push(malware(101+i, v1), to(label.Amber, "UTO"))
	}
	order := func(n int, kind peer.Kind) {
		t.Helper()
		if n, err := rur.TakeBack(ctx, id("malware", n), kind, ""); err != nil || n != 1 {
			t.Fatal(n, err)
		}
	}
	order(1, peer.Purge)
	order(2, peer.Retract)
	order(1000+flooded, peer.Purge) // of one that was refused
	net.eventually("orders behind the flood are carried out and receipted", func() bool {
		return !uto.sees(id("malware", 1)) && !uto.sees(id("malware", 2)) && rur.receipts(id("malware", 1), peer.DidPurge) == 1 && rur.receipts(id("malware", 2), peer.DidRetract) == 1 &&
			rur.receipts(id("malware", 1000+flooded), peer.DidPurge) == 1
	})
	net.eventually("everything of another ally is there", func() bool { _, n := uto.kept("FRE"); return n == 20 })
	if places, objects := uto.kept("RUR"); places > may || objects != may-2 {
		t.Errorf("of the flood %d places and %d objects are kept", places, objects)
	}
	net.eventually("all that was refused is receipted", func() bool { return rur.receipts(id("malware", 1000+flooded), peer.DidRefuse) == 1 })
	refused := 0
	for i := range flooded {
		places, err := rur.ledger.Out(ctx, id("malware", 1001+i))
		must(t, err)
		acts, err := rur.ledger.Receipts(ctx, places[0].Origin, places[0].Index)
		must(t, err)
		for _, a := range acts {
			if a.Did == peer.DidRefuse && a.Code == "accord.quota" {
				refused++
			}
		}
	}
	if refused != flooded-(may-2) {
		t.Errorf("%d were refused for the quota, and should be %d", refused, flooded-(may-2))
	}

	alarm := uto.alarmsOf("RUR", federation.AlarmRefused)
	if len(alarm) != 1 || !strings.HasPrefix(alarm[0].Text, fmt.Sprintf("%d records of RUR were refused with accord.quota", refused)) {
		t.Errorf("the alarm is %+v", alarm)
	}
	uto.close() // what came today is known after a restart too, and what was refused
	uto.open()
	uto.Start()
	net.eventually("the alarm is there again", func() bool { return reflect.DeepEqual(uto.alarmsOf("RUR", federation.AlarmRefused), alarm) })
	rur.flood(5001, 5011)
	net.eventually("it is refused", func() bool { return rur.receipts(id("malware", 5010), peer.DidRefuse) == 1 })
	if _, objects := uto.kept("RUR"); objects != may-2 {
		t.Errorf("%d objects", objects)
	}
}

// The many orders of one ally do not come before the few of another.
func TestOrdersTakeTurns(t *testing.T) {
	const many = 40
	net := ally(t, "UTO", "RUR", "FRE")
	uto, rur, fre := net.nodes["UTO"], net.nodes["RUR"], net.nodes["FRE"]
	ctx := context.Background()
	net.agree(between("all", "malware", "UTO", "RUR", "FRE"), "UTO", "RUR", "FRE")
	fre.load(1, many+1, to(label.Amber, "UTO")) // of whom orders are looked at first
	rur.push(malware(1001, v1), to(label.Amber, "UTO"))
	net.eventually("all is there", func() bool { return uto.got() == many+1 })
	stopped := uto.stopAt("before destroy") // orders wait from now on
	for i := range many {
		_, err := fre.TakeBack(ctx, id("malware", i+1), peer.Purge, "")
		must(t, err)
	}
	_, err := rur.TakeBack(ctx, id("malware", 1001), peer.Purge, "")
	must(t, err)
	net.happens("an order waits", stopped)
	net.eventually("all orders wait", func() bool { w, err := uto.ledger.Orders(ctx, "", 0); return err == nil && len(w) == many+1 })
	uto.Federation.Close() // or the orders of one may be tried before the stop ends, and those of the other after
	var left int
	net.mu.Lock()
	uto.fail = func(at string) error {
		if at == "after destroy" && !uto.sees(id("malware", 1001)) && left == 0 {
			w, err := uto.ledger.Orders(ctx, "FRE", 0)
			must(t, err)
			left = len(w)
		}
		return nil
	}
	net.mu.Unlock()
	uto.federate()
	uto.Start()
	net.eventually("all are carried out", func() bool { w, err := uto.ledger.Orders(ctx, "", 0); return err == nil && len(w) == 0 })
	if left < many/2 {
		t.Errorf("only %d orders of the other waited still", left)
	}
}
