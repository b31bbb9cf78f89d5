package federation_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/internal/record"
	"entente/internal/store"
	"entente/internal/store/sqlite"
	"entente/label"
	"entente/peer"
)

// backup writes store and ledger down, and restore brings a nation that was lost back to them.
func (n *nation) backup() (db, logs bytes.Buffer) {
	n.net.t.Helper()
	must(n.net.t, n.db.Backup(context.Background(), &db, nil))
	must(n.net.t, n.ledger.Backup(context.Background(), &logs))
	return db, logs
}

func (n *nation) restore(db, logs bytes.Buffer) {
	n.net.t.Helper()
	n.close()
	must(n.net.t, os.RemoveAll(n.dir+"/store"))
	old, err := filepath.Glob(n.dir + "/ledger/ledger.db*")
	must(n.net.t, err)
	for _, name := range old {
		must(n.net.t, os.Remove(name))
	}
	must(n.net.t, os.MkdirAll(n.dir+"/store", 0o700))
	must(n.net.t, sqlite.Restore(context.Background(), &db, n.dir+"/store"))
	must(n.net.t, ledger.Restore(context.Background(), &logs, n.dir+"/ledger"))
	n.open()
}

// waits says for which reason an object is in quarantine; empty: it is not.
func (n *nation) waits(object string) string {
	q, err := n.exchange.Quarantine(context.Background(), n.as(gate.RoleOfficer), 0, 1000)
	must(n.net.t, err)
	for _, h := range q {
		if h.Record.ID == object {
			return h.Hold.Reasons[0].Code
		}
	}
	return ""
}

func (n *nation) acts(verb string) (out []store.Act) {
	for after := record.Seq(0); ; {
		entries, err := n.db.Follow(context.Background(), n.gate.Own(n.net.now()), after, 1000)
		must(n.net.t, err)
		if len(entries) == 0 {
			return out
		}
		for _, e := range entries {
			if after = e.Seq; e.Act != nil && e.Act.Verb == verb {
				out = append(out, *e.Act)
			}
		}
	}
}

// A node that was lost with what followed its backup gets from its partners what it had given since, for a person to look at; what it took back since is not
// given again; and no partner takes its new logs for another past of the old ones.
func TestALostOriginatorRecovers(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR", "FRE")
	net.agree(between("ut-ru-fr", "malware", "UTO", "RUR", "FRE"), "UTO", "RUR", "FRE")
	uto, rur, fre := net.nodes["UTO"], net.nodes["RUR"], net.nodes["FRE"]
	both := to(label.Amber, "RUR", "FRE")
	for n := 1; n <= 3; n++ {
		uto.push(malware(n, v1), both)
	}
	net.eventually("what is in the backup arrives", func() bool { return rur.sees(id("malware", 3)) && fre.sees(id("malware", 3)) })
	db, logs := uto.backup()

	net.part("UTO", "FRE", true) // it does not hear of what follows
	if _, err := uto.exchange.Purge(context.Background(), uto.as(gate.RoleOfficer), id("malware", 2), false); err != nil {
		t.Fatal(err)
	}
	if _, err := uto.TakeBack(context.Background(), id("malware", 3), peer.Retract, "wrong"); err != nil {
		t.Fatal(err)
	}
	uto.push(malware(4, v1), both)
	uto.push(malware(5, v1), to(label.Amber, "RUR")) // in a log of its own, which the backup does not know
	net.eventually("what is lost arrives at one partner", func() bool {
		return !rur.sees(id("malware", 2)) && !rur.sees(id("malware", 3)) && rur.sees(id("malware", 4)) && rur.sees(id("malware", 5))
	})
	uto.restore(db, logs)
	uto.Start()
	net.eventually("what was lost waits for a person, and what was taken back too", func() bool {
		return uto.waits(id("malware", 4)) == "restore.recovered" && uto.waits(id("malware", 5)) == "restore.recovered" && uto.waits(id("malware", 2)) == "restore.order" && uto.waits(id("malware", 3)) == "restore.order"
	})
	net.eventually("it is written down", func() bool { return len(uto.acts("recovered")) == 1 })
	if uto.receipts(id("malware", 1), peer.DidKnow) != 0 {
		t.Error("something is given before all were asked")
	}
	net.part("UTO", "FRE", false)
	uto.push(malware(6, v1), to(label.Amber, "RUR"))
	net.eventually("all go on", func() bool {
		return rur.sees(id("malware", 6)) && uto.receipts(id("malware", 1), peer.DidKnow) == 2
	})
	for _, a := range uto.acts("recovered") {
		if want := "leaves=5 recovered=2 present=0 ordered=2 reduced=0 lost=0 unproven=0"; a.Target == "RUR" && a.Detail != want || a.Target == "FRE" && !strings.HasPrefix(a.Detail, "leaves=0 ") {
			t.Errorf("%s: %s", a.Target, a.Detail)
		}
	}
	q, err := uto.exchange.Quarantine(context.Background(), uto.as(gate.RoleOfficer), 0, 1000)
	must(t, err)
	for _, h := range q {
		if h.Record.ID == id("malware", 4) || h.Record.ID == id("malware", 5) {
			must(t, uto.exchange.ReleaseHeld(context.Background(), uto.as(gate.RoleOfficer), h.Rec, nil))
		}
	}
	net.eventually("what is released reaches who did not have it, and is not stored twice where it is", func() bool {
		return fre.sees(id("malware", 4)) && uto.receipts(id("malware", 4), peer.DidKnow) == 1 && uto.receipts(id("malware", 5), peer.DidKnow) == 1 && len(rur.versions(id("malware", 4))) == 1
	})
	if rur.sees(id("malware", 2)) || rur.sees(id("malware", 3)) || fre.sees(id("malware", 5)) {
		t.Error("what was taken back is there again, or another's came along")
	}
	for _, n := range []*nation{rur, fre} {
		if a, err := n.Proofs(context.Background()); err != nil || len(a) != 0 {
			t.Errorf("%s accuses who was restored: %+v %v", n.code, a, err)
		}
	}
}

// A reader that was restored asks again from where its backup was: nothing is there twice, and what was taken back meanwhile does not come back.
func TestARestoredReaderReadsOn(t *testing.T) {
	t.Parallel()
	net, uto, rur := bound(t)
	for n := 1; n <= 3; n++ {
		uto.push(malware(n, v1), to(label.Amber, "RUR"))
	}
	net.eventually("what is in the backup arrives", func() bool { return uto.receipts(id("malware", 3), peer.DidStore) == 1 }) // store and ledger have it
	db, logs := rur.backup()
	uto.push(malware(4, v1), to(label.Amber, "RUR"))
	uto.push(malware(5, v1), to(label.Amber, "RUR"))
	net.eventually("what is lost arrives", func() bool { return rur.sees(id("malware", 4)) && rur.sees(id("malware", 5)) })
	for _, n := range []int{2, 5} { // one from before the backup, one from after it
		if _, err := uto.exchange.Purge(context.Background(), uto.as(gate.RoleOfficer), id("malware", n), false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := uto.TakeBack(context.Background(), id("malware", 3), peer.Retract, "wrong"); err != nil {
		t.Fatal(err)
	}
	net.eventually("it is gone", func() bool {
		return !rur.sees(id("malware", 2)) && !rur.sees(id("malware", 5)) && !rur.sees(id("malware", 3))
	})
	rur.restore(db, logs)
	if !rur.sees(id("malware", 2)) || rur.sees(id("malware", 4)) {
		t.Fatal("this is not the backup")
	}
	rur.Start()
	net.eventually("all is as it was", func() bool {
		return rur.sees(id("malware", 1)) && rur.sees(id("malware", 4)) && !rur.sees(id("malware", 2)) && !rur.sees(id("malware", 3)) && !rur.sees(id("malware", 5))
	})
	for n := 1; n <= 5; n++ {
		held, err := rur.ledger.HeldOf(context.Background(), id("malware", n))
		must(t, err)
		if v := rur.versions(id("malware", n)); len(v) > 1 || len(held) > 1 {
			t.Errorf("malware %d is there %d times, from %d leaves", n, len(v), len(held))
		}
	}
	if token := id("malware", 2); rur.onDisk(token) != "" {
		t.Errorf("%s is in %s", token, rur.onDisk(token))
	}
	if a, err := rur.Proofs(context.Background()); err != nil || len(a) != 0 {
		t.Errorf("the other is accused: %+v %v", a, err)
	}
}

// A backup whose store was ahead of its ledger has records that no leaf names. One that was purged meanwhile is not read on: its leaf comes without content.
func TestAPurgedRecordThatNoLeafNamesIsNotReadOn(t *testing.T) {
	t.Parallel()
	net, uto, rur := bound(t)
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.eventually("what is in both arrives", func() bool { return uto.receipts(id("malware", 1), peer.DidStore) == 1 })
	var logs bytes.Buffer
	must(t, rur.ledger.Backup(context.Background(), &logs))
	for n := 2; n <= 3; n++ {
		uto.push(malware(n, v1), to(label.Amber, "RUR"))
	}
	net.eventually("what is in the store alone arrives", func() bool { return uto.receipts(id("malware", 3), peer.DidStore) == 1 })
	db, _ := rur.backup()
	_, err := uto.exchange.Purge(context.Background(), uto.as(gate.RoleOfficer), id("malware", 2), false)
	must(t, err)
	net.eventually("it is gone", func() bool { return uto.receipts(id("malware", 2), peer.DidPurge) == 1 })
	rur.restore(db, logs)
	if !rur.sees(id("malware", 2)) {
		t.Fatal("this is not the backup")
	}
	rur.Start()
	net.eventually("it waits for a person", func() bool { return rur.waits(id("malware", 2)) == "restore.unnamed" })
	if rur.sees(id("malware", 2)) || !rur.sees(id("malware", 1)) || rur.waits(id("malware", 1)) != "" {
		t.Error("it is read, or what stands in a log is suspected")
	}
	net.eventually("what stands is known again", func() bool {
		held, err := rur.ledger.HeldOf(context.Background(), id("malware", 3))
		must(t, err)
		return len(held) == 1
	})
}

// liar says of an order that it was about another record, and of a record that it was another.
type liar struct{ peer.Backend }

func (l liar) Reconcile(ctx context.Context, q peer.Reconcile) (peer.Reconciled, error) {
	out, err := l.Backend.Reconcile(ctx, q)
	for i := range out.Held {
		k := &out.Held[i]
		if leaf, err := peer.ParseLeaf(k.Leaf); err == nil && leaf.Target > 0 {
			leaf.Target--
			k.Leaf = leaf.Append(nil)
		}
		k.Envelope = bytes.Replace(k.Envelope, []byte("signatures"), []byte("signaturez"), 1)
	}
	return out, err
}

// What a partner says and this node did not sign counts for nothing.
func TestALyingPartnerRecoversNothing(t *testing.T) {
	t.Parallel()
	net, uto, rur := bound(t)
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	uto.push(malware(2, v1), to(label.Amber, "RUR"))
	net.eventually("what is in the backup arrives", func() bool { return rur.sees(id("malware", 2)) })
	db, logs := uto.backup()
	uto.push(malware(3, v1), to(label.Amber, "RUR"))
	if _, err := uto.TakeBack(context.Background(), id("malware", 2), peer.Retract, "wrong"); err != nil {
		t.Fatal(err)
	}
	net.eventually("what is lost arrives", func() bool { return rur.sees(id("malware", 3)) && !rur.sees(id("malware", 2)) })
	rur.answer(peer.NewServer(liar{rur.Backend()}, peer.Options{}))
	uto.restore(db, logs)
	uto.Start()
	net.eventually("the partner was asked", func() bool { return len(uto.acts("recovered")) == 1 })
	if d := uto.acts("recovered")[0].Detail; d != "leaves=2 recovered=0 present=0 ordered=0 reduced=0 lost=0 unproven=2" {
		t.Error(d)
	}
	if uto.waits(id("malware", 1)) != "" || uto.waits(id("malware", 3)) != "" {
		t.Error("a lie was believed")
	}
}

// Nobody is waited for without end.
func TestARestoredNodeDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR", "FRE")
	net.agree(between("ut-ru-fr", "malware", "UTO", "RUR", "FRE"), "UTO", "RUR", "FRE")
	uto, rur := net.nodes["UTO"], net.nodes["RUR"]
	db, logs := uto.backup()
	net.part("UTO", "FRE", true)
	uto.restore(db, logs)
	uto.Start()
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.eventually("one was asked", func() bool { return len(uto.acts("recovered")) == 1 })
	must(t, uto.CatchUp(context.Background()))
	if rur.sees(id("malware", 1)) {
		t.Error("it is given before all were asked")
	}
	net.wait(16 * time.Minute)
	net.eventually("it is given", func() bool { return rur.sees(id("malware", 1)) })
}
