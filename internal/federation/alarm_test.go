package federation_test

import (
	"context"
	"testing"
	"time"

	"entente/internal/federation"
	"entente/internal/gate"
	"entente/label"
	"entente/peer"
)

// deaf hears that a partner saw a log, and none of its receipts: to this node the partner is one that signs what it saw and never says what it did.
type deaf struct{ peer.Backend }

func (d deaf) Ack(ctx context.Context, a peer.Ack) error {
	for i := range a.Logs {
		a.Logs[i].Receipts = nil
	}
	return d.Backend.Ack(ctx, a)
}

func (n *nation) alarmsOf(partner, kind string) (out []federation.Alarm) {
	all, err := n.Alarms(context.Background())
	must(n.net.t, err)
	for _, a := range all {
		if a.Nation == partner && a.Kind == kind {
			out = append(out, a)
		}
	}
	return out
}

// A partner that receives an order to destroy and never says that it did is overdue, even when it goes on signing that it sees everything.
func TestAPurgeWithoutAReceiptIsOverdue(t *testing.T) {
	t.Parallel()
	net, uto, rur := bound(t)
	for n := 1; n <= 2; n++ {
		uto.push(malware(n, v1), to(label.Amber, "RUR"))
	}
	net.eventually("both arrive, and are receipted", func() bool {
		return uto.receipts(id("malware", 1), peer.DidStore) == 1 && uto.receipts(id("malware", 2), peer.DidStore) == 1
	})
	purge := func(object string) {
		_, err := uto.exchange.Purge(context.Background(), uto.as(gate.RoleOfficer), object, false)
		must(t, err)
		net.eventually("it is gone there", func() bool { return !rur.sees(object) })
	}
	health := func() federation.Health {
		links, err := uto.Links(context.Background())
		must(t, err)
		return links[0]
	}
	purge(id("malware", 1))
	net.eventually("the order is receipted", func() bool { return uto.receipts(id("malware", 1), peer.DidPurge) == 1 })
	net.wait(time.Hour)
	net.eventually("the log is seen as it is", func() bool { return health().Overdue.IsZero() })
	if a := uto.alarmsOf("RUR", federation.AlarmOverdue); len(a) != 0 {
		t.Fatalf("a partner that said what it did is accused: %+v", a)
	}
	uto.answer(peer.NewServer(deaf{uto.Backend()}, peer.Options{}))
	purge(id("malware", 2))
	if !health().Unreceipted.IsZero() {
		t.Fatal("it has a quarter of an hour")
	}
	net.wait(16 * time.Minute)
	net.eventually("it signs that it saw the order, and owes a receipt", func() bool {
		h := health()
		return h.Overdue.IsZero() && !h.Unreceipted.IsZero()
	})
	if a := uto.alarmsOf("RUR", federation.AlarmOverdue); len(a) != 1 || a[0].Since.IsZero() {
		t.Errorf("%+v", a)
	}
}
