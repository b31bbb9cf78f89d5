package testnet_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"entente/internal/exchange"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/internal/store"
	"entente/internal/testnet"
	"entente/label"
	"entente/peer"
)

// faulty is a backend with a leak that others had, put in for the test. docs/leaks.md lists them.
type faulty struct {
	peer.Backend
	n     *testnet.Nation
	fault string
}

func (f faulty) all() []ledger.Log {
	logs, err := f.n.Ledger.Logs(context.Background(), ledger.Filter{Own: true})
	if err != nil {
		return nil
	}
	return logs
}

func (f faulty) Hello(ctx context.Context) (peer.Hello, error) {
	h, err := f.Backend.Hello(ctx)
	if f.fault == "size-of-all" {
		for _, g := range f.all() {
			h.KeyLog.Size += g.Size
		}
	}
	return h, err
}

func (f faulty) Logs(ctx context.Context) ([]peer.Head, error) {
	if f.fault != "every-log-listed" {
		return f.Backend.Logs(ctx)
	}
	var heads []peer.Head
	for _, g := range f.all() {
		heads = append(heads, peer.Head{Origin: g.Origin, Size: g.Signed.Size, Root: g.Signed.Root})
	}
	return heads, nil
}

func (f faulty) Log(ctx context.Context, origin string, p peer.Pull) (*peer.Batch, error) {
	b, err := f.Backend.Log(ctx, origin, p)
	if err == nil {
		return b, nil
	}
	switch f.fault {
	case "filter-after-transfer":
		return f.n.Ledger.Frames(ctx, origin, p)
	case "forbidden-for-missing":
		if g, known := f.n.Ledger.Log(ctx, origin); known == nil && g.Own {
			return nil, &peer.Error{Code: peer.CodeRefused, Message: "the log is another's"}
		}
	}
	return b, err
}

func (f faulty) Ack(ctx context.Context, a peer.Ack) error {
	err := f.Backend.Ack(ctx, a)
	if f.fault == "ack-of-anothers-log" && err != nil {
		if g, known := f.n.Ledger.Log(ctx, a.Logs[0].Origin); known == nil && g.Own {
			return nil
		}
	}
	return err
}

// TestSeededLeaks: two runs find every leak that is put into the wire.
func TestSeededLeaks(t *testing.T) {
	timeless(t)
	for _, fault := range []string{"size-of-all", "every-log-listed", "filter-after-transfer", "forbidden-for-missing", "ack-of-anothers-log"} {
		t.Run(fault, func(t *testing.T) {
			o := testnet.Options{Backend: func(n *testnet.Nation, b peer.Backend) peer.Backend { return faulty{b, n, fault} }}
			for seed := range 2 {
				if leak := two(t, o, seed*together, together); leak != "" {
					t.Logf("found in %.200s", leak)
					return
				}
			}
			t.Error("no world shows the leak")
		})
	}
}

// faultyDoor is the way in and out of a receiver's store, with a fault that others had.
type faultyDoor struct {
	federation.Door
	n     *testnet.Nation
	fault string
}

// Accept makes what is pulled the property of whoever pulled it.
func (d faultyDoor) Accept(ctx context.Context, v gate.Viewer, s exchange.Submission) ([]exchange.Outcome, error) {
	if d.fault == "owner-becomes-forwarder" {
		v.Nation, v.Org = d.n.Code, testnet.Org(d.n.Code)
	}
	return d.Door.Accept(ctx, v, s)
}

func (d faultyDoor) Withdraw(ctx context.Context, o exchange.Order) (int, error) {
	if d.fault == "deletions-not-propagated" {
		return 0, nil
	}
	return d.Door.Withdraw(ctx, o)
}

func (d faultyDoor) Mark(ctx context.Context, o exchange.Order, to label.Label) (int, error) {
	if d.fault == "tightening-not-followed" {
		return 0, nil
	}
	return d.Door.Mark(ctx, o, to)
}

func (d faultyDoor) Destroy(ctx context.Context, o exchange.Order) (store.PurgeReport, error) {
	switch d.fault {
	case "receipt-without-purge":
		return store.PurgeReport{}, nil
	case "hidden-and-not-destroyed":
		_, err := d.Door.Withdraw(ctx, o)
		return store.PurgeReport{}, err
	case "order-names-an-id":
		for _, it := range d.n.Held() {
			if of := (gate.Party{Nation: it.Record.Origin.Nation, Org: it.Record.Origin.Org}); it.Record.ID == o.ID && of != o.Origin {
				other := o
				other.Origin, other.Version = of, ""
				if _, err := d.Door.Destroy(ctx, other); err != nil {
					return store.PurgeReport{}, err
				}
			}
		}
	}
	return d.Door.Destroy(ctx, o)
}

func withDoor(fault string) testnet.Options {
	return testnet.Options{Door: func(n *testnet.Nation, d federation.Door) federation.Door { return faultyDoor{d, n, fault} }}
}

// TestSeededFaultsOfReceivers: the worlds of nodes find what a receiver of the project's own would do wrong, whatever its receipts say.
func TestSeededFaultsOfReceivers(t *testing.T) {
	timeless(t)
	for _, fault := range []string{"owner-becomes-forwarder", "deletions-not-propagated", "receipt-without-purge", "hidden-and-not-destroyed"} {
		t.Run(fault, func(t *testing.T) {
			for seed := range 40 {
				if _, leak, _, _ := live(t, seed, withDoor(fault)); leak != "" {
					t.Logf("found in world %d: %.200s", seed, leak)
					return
				}
			}
			t.Error("no world shows the fault")
		})
	}
	t.Run("tightening-not-followed", func(t *testing.T) {
		if laxer := tightened(t, withDoor("tightening-not-followed")); len(laxer) != 2 {
			t.Errorf("of two stricter labels %v are seen not to be followed", laxer)
		}
	})
	t.Run("order-names-an-id", func(t *testing.T) {
		if lost := anothers(t, withDoor("order-names-an-id")); len(lost) == 0 {
			t.Error("nothing shows the fault")
		}
	})
}

// TestNobodyTakesBackWhatAnotherGave: of two objects with one id, each originator's orders are about its own.
func TestNobodyTakesBackWhatAnotherGave(t *testing.T) {
	timeless(t)
	if lost := anothers(t, testnet.Options{}); len(lost) > 0 {
		t.Errorf("%v have lost what another gave", lost)
	}
}

// TestStricterLabelsAreFollowed: whatever of a label becomes stricter is so wherever the object is.
func TestStricterLabelsAreFollowed(t *testing.T) {
	timeless(t)
	if laxer := tightened(t, testnet.Options{}); len(laxer) > 0 {
		t.Errorf("%v did not become stricter", laxer)
	}
}

// tightened has a nation give two objects to another, and make the label of each stricter in another way. It gives those that the other has under a laxer label.
func tightened(t *testing.T, o testnet.Options) (laxer []int) {
	synctest.Test(t, func(t *testing.T) {
		o.Now = clock()
		all := []string{"ALF", "BRA", "CHA"}
		net := testnet.New(t, o, all...)
		defer net.Close()
		net.Agree(testnet.Treaty{Name: "all", Parties: all, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Red}}}.Text(), all...)
		red, pap := testnet.To(label.Red, all...), testnet.To(label.Green, all...)
		pap.PAP = label.PAPRed
		strict := []label.Label{red, pap}
		for n := range strict {
			net.As("ALF").Push(testnet.To(label.Green, all...), testnet.Malware(n+1, 1, "a", "b"))
		}
		net.Settle()
		for n, l := range strict {
			net.As("ALF").Relabel(testnet.ID("malware", n+1), l)
		}
		net.Settle()
		held := net.As("CHA").Held()
		for n, l := range strict {
			i := slices.IndexFunc(held, func(it store.Item) bool { return it.Record.ID == testnet.ID("malware", n+1) })
			if i < 0 {
				t.Errorf("object %d did not come, or is gone", n+1)
			} else if !label.LessEqual(l.To(label.All()), held[i].Record.Label.To(label.All())) {
				laxer = append(laxer, n+1)
			}
		}
	})
	return laxer
}

// anothers has two nations give objects of one id to a third, and one of them purge its own. It gives who does not have the other's any more.
func anothers(t *testing.T, o testnet.Options) (lost []string) {
	synctest.Test(t, func(t *testing.T) {
		o.Now = clock()
		all := []string{"ALF", "BRA", "CHA"}
		net := testnet.New(t, o, all...)
		defer net.Close()
		net.Agree(testnet.Treaty{Name: "all", Parties: all, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Amber}}}.Text(), all...)
		for _, code := range all[:2] {
			net.As(code).Push(testnet.To(label.Amber, "CHA"), testnet.Malware(1, 1, "of "+code, "of "+code))
			net.Settle() // what comes second, under an id that is known, waits in quarantine
		}
		net.As("BRA").Purge(testnet.ID("malware", 1))
		net.Settle()
		for _, code := range []string{"ALF", "CHA"} {
			if !slices.ContainsFunc(net.As(code).Held(), func(it store.Item) bool { return bytes.Contains(it.Record.Body, []byte("of ALF")) }) {
				lost = append(lost, code)
			}
		}
		if slices.ContainsFunc(net.As("CHA").Held(), func(it store.Item) bool { return bytes.Contains(it.Record.Body, []byte("of BRA")) }) {
			t.Error("what was purged is still there")
		}
	})
	return lost
}
