package federation_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/accord"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/keyring"
	"entente/internal/ledger"
	"entente/keylog"
	"entente/label"
	"entente/peer"
)

// keyOf is the id of the nation's key for a role.
func (n *nation) keyOf(role keylog.Role) string {
	s, err := n.ring.Signer(role)
	must(n.net.t, err)
	return s.Key().ID()
}

func (n *nation) held(object string) bool {
	q, err := n.exchange.Quarantine(context.Background(), n.as(gate.RoleOfficer), 0, 1000)
	must(n.net.t, err)
	for _, h := range q {
		if h.Record.ID == object {
			return h.Hold.Reasons[0].Code == "key.compromised" && h.Hold.Intended.TLP == label.Amber
		}
	}
	return false
}

// What a key signed since it was in other hands goes to quarantine wherever it went; what it signed before stays (threat 8).
func TestACompromisedKeyIsNotTrustedSince(t *testing.T) {
	t.Parallel()
	net, uto, rur := bound(t)
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.eventually("the first arrives", func() bool { return rur.sees(id("malware", 1)) })
	net.wait(time.Hour)
	since := net.now()
	net.wait(time.Hour)
	uto.push(malware(2, v1), to(label.Amber, "RUR"))
	net.eventually("the second arrives", func() bool { return rur.sees(id("malware", 2)) })

	must(t, uto.ring.CompromiseKey(uto.keyOf(keylog.RoleOriginate), since, "stolen"))
	net.eventually("the second is held, the first is not", func() bool {
		return !rur.sees(id("malware", 2)) && rur.held(id("malware", 2)) && rur.sees(id("malware", 1))
	})
	uto.push(malware(3, v1), to(label.Amber, "RUR")) // with the key in its place
	net.eventually("what the next key signs arrives", func() bool { return rur.sees(id("malware", 3)) })
	if rur.sees(id("malware", 2)) || !rur.sees(id("malware", 1)) {
		t.Error("what was judged does not stay so")
	}
}

// A nation that shows two key logs is not listened to any more, and people see it (threats 1, 33).
func TestAForkStopsEverything(t *testing.T) {
	t.Parallel()
	net, uto, rur := bound(t)
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.eventually("the first arrives", func() bool { return rur.sees(id("malware", 1)) })

	size := uto.ring.KeyLog().Size()
	dir := t.TempDir() // the same keys in other hands, which state something else
	must(t, os.CopyFS(dir+"/keys", os.DirFS(uto.dir+"/keys")))
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		mode := os.FileMode(0o600)
		if err == nil && d.IsDir() {
			mode = 0o700
		}
		return errors.Join(err, os.Chmod(path, mode))
	}))
	other, err := keyring.Open(dir, "operational", net.now)
	must(t, err)
	_, err = other.RotateKey(keylog.RoleOriginate, time.Hour)
	must(t, err)
	_, err = uto.ring.RotateKey(keylog.RoleOriginate, 2*time.Hour)
	must(t, err)
	net.eventually("the log goes on", func() bool { return rur.peers.Keys("UTO").Head.Size > size })
	if _, err := rur.peers.Extend(context.Background(), "UTO", size, other.KeyLog().Since(size)); fault.Of(err) != fault.Conflict {
		t.Fatalf("the fork was not seen: %v", err)
	}
	net.eventually("the link is down, with the reason", func() bool {
		links, err := rur.Links(context.Background())
		return err == nil && len(links) == 1 && links[0].Fork && !links[0].Up
	})
	uto.push(malware(2, v1), to(label.Amber, "RUR"))
	rur.push(malware(3, v1), to(label.Amber, "UTO"))
	time.Sleep(200 * time.Millisecond)
	if rur.sees(id("malware", 2)) || uto.sees(id("malware", 3)) {
		t.Error("something passed")
	}
	b := uto.dial(rur)
	if _, _, _, err := b.Logs(context.Background(), ""); err == nil {
		t.Error("the nation is still served")
	}
}

func (n *nation) dial(to *nation) *peer.Client {
	return &peer.Client{URL: to.servers[n.code].URL, Doer: line{n, to.code}}
}

// A caller whose key counts no more has its stream ended, and gets nothing (threat 16).
func TestARevokedNodeIsCutOff(t *testing.T) {
	t.Parallel()
	net, uto, rur := bound(t)
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.eventually("the first arrives", func() bool { return rur.sees(id("malware", 1)) })
	ended := make(chan error, 1)
	go func() {
		ended <- rur.dial(uto).Stream(context.Background(), nil, func(*peer.Batch) error { return nil })
	}()
	net.mu.Lock()
	net.revoked = "RUR"
	net.mu.Unlock()
	must(t, rur.ring.RevokeKey(rur.keyOf(keylog.RoleNode), net.now(), "lost"))
	_, err := uto.peers.Extend(context.Background(), "RUR", uto.peers.Keys("RUR").Head.Size, rur.ring.KeyLog().Since(uto.peers.Keys("RUR").Head.Size))
	must(t, err)
	select {
	case <-ended:
	case <-time.After(3 * time.Minute):
		t.Fatal("the stream goes on")
	}
	uto.push(malware(2, v1), to(label.Amber, "RUR"))
	time.Sleep(300 * time.Millisecond)
	if rur.sees(id("malware", 2)) {
		t.Error("something passed")
	}
}

// When an accord has ended and its time for it has passed, what came under it alone is destroyed, and who gave it sees by receipts that it was. What is in
// flight at the end is refused (threat 26).
func TestAnAccordEnds(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR")
	uto, rur := net.nodes["UTO"], net.nodes["RUR"]
	net.agree(between("one", "malware", "UTO", "RUR"), "UTO", "RUR")
	net.agree(between("two", "malware", "UTO", "RUR"), "UTO", "RUR")
	suspended := func(n *nation, by *nation, verb accord.Verb) {
		if _, err := n.accords.Say(context.Background(), n.as(gate.RoleOfficer), "two", verb, ""); err != nil {
			t.Fatal(err)
		}
		net.eventually(string(verb), func() bool {
			a, _ := by.accords.Get(by.as(gate.RoleAnalyst), "two", 0)
			return (a.Phase == "suspended") == (verb == accord.Suspend)
		})
	}
	suspended(uto, rur, accord.Suspend)
	uto.push(malware(1, v1), to(label.Amber, "RUR")) // under the one
	net.eventually("the first arrives", func() bool { return rur.sees(id("malware", 1)) })
	suspended(uto, rur, accord.Resume)
	net.eventually("it is given under the other too", func() bool { return uto.receipts(id("malware", 1), peer.DidKnow) == 1 })
	uto.push(malware(2, v1), to(label.Amber, "RUR"))
	net.eventually("the second arrives, under both", func() bool {
		return uto.receipts(id("malware", 2), peer.DidStore)+uto.receipts(id("malware", 2), peer.DidKnow) == 2
	})
	suspended(uto, rur, accord.Suspend)
	uto.push(malware(3, v1), to(label.Amber, "RUR"))
	net.eventually("the third arrives under the one", func() bool { return rur.sees(id("malware", 3)) })

	_, err := uto.accords.Say(context.Background(), uto.as(gate.RoleOfficer), "one", accord.Terminate, "")
	must(t, err)
	net.eventually("the end is heard", func() bool {
		a, _ := rur.accords.Get(rur.as(gate.RoleAnalyst), "one", 0)
		return len(a.Notices) == 1
	})
	net.part("UTO", "RUR", true)
	uto.push(malware(4, v1), to(label.Amber, "RUR"))
	net.eventually("the fourth is in the log", func() bool {
		places, _ := uto.ledger.Out(context.Background(), id("malware", 4))
		return len(places) == 1
	})
	net.wait(30*24*time.Hour + time.Minute) // the notice
	net.part("UTO", "RUR", false)
	net.eventually("what was in flight is refused", func() bool { return uto.receipts(id("malware", 4), peer.DidRefuse) == 1 })
	if rur.sees(id("malware", 4)) || !rur.sees(id("malware", 3)) {
		t.Error("the end takes nothing back yet, and lets nothing in")
	}
	net.wait(30 * 24 * time.Hour) // the purge
	net.eventually("what came under the one alone is destroyed, and receipted", func() bool {
		return !rur.sees(id("malware", 3)) && uto.receipts(id("malware", 3), peer.DidPurge) == 1 && uto.receipts(id("malware", 1), peer.DidPurge) == 1
	})
	if !rur.sees(id("malware", 1)) || !rur.sees(id("malware", 2)) {
		t.Error("what came under the other accord too went with it")
	}
}

// After the retention that its label says, a record is gone from stores and ledgers.
func TestRetentionEnds(t *testing.T) {
	t.Parallel()
	net, uto, rur := bound(t)
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.eventually("it arrives", func() bool { return rur.sees(id("malware", 1)) })
	net.wait(366 * 24 * time.Hour)
	must(t, rur.exchange.KeepTime(context.Background()))
	net.eventually("it is gone", func() bool {
		held, err := rur.ledger.HeldOf(context.Background(), id("malware", 1))
		places, err2 := uto.ledger.Out(context.Background(), id("malware", 1))
		return err == nil && err2 == nil && len(held) == 0 && len(places) == 0 && !rur.sees(id("malware", 1))
	})
}

// A version whose audience became narrower is destroyed where it may not be any more, though another version stays; and it comes again when it is shared again.
func TestVersionsAndAudiences(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR", "FRE")
	uto, rur, fre := net.nodes["UTO"], net.nodes["RUR"], net.nodes["FRE"]
	net.agree(between("all", "malware", "UTO", "RUR", "FRE"), "UTO", "RUR", "FRE")
	m := id("malware", 1)
	uto.push(malware(1, v1), to(label.Amber, "RUR", "FRE"))
	uto.push(malware(1, v2), to(label.Amber, "RUR"))
	net.eventually("each has what it may have", func() bool { return rur.version(m) == v2 && fre.version(m) == v1 })
	uto.relabel(m, v1, to(label.Amber, "FRE"))
	net.eventually("the first version goes where it may not be", func() bool {
		return len(rur.versions(m)) == 1 && rur.version(m) == v2 && fre.version(m) == v1
	})
	uto.relabel(m, "", to(label.Amber, "UTO"))
	net.eventually("everything goes", func() bool { return !rur.sees(m) && !fre.sees(m) })
	uto.relabel(m, "", to(label.Amber, "FRE", "RUR"))
	net.eventually("everything comes again", func() bool { return len(rur.versions(m)) == 2 && len(fre.versions(m)) == 2 })
	l := to(label.Amber, "FRE", "RUR")
	l.PAP = label.PAPRed
	uto.relabel(m, "", l)
	net.eventually("a stricter handling follows", func() bool {
		it, err := fre.exchange.Get(context.Background(), fre.as(gate.RoleAnalyst), "", m, all)
		return err == nil && it.Record.Label.PAP == label.PAPRed
	})
}

// After a restore the own logs begin anew, and partners have what they had, and what comes.
func TestARestoredNodeConverges(t *testing.T) {
	t.Parallel()
	net, uto, rur := bound(t)
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.eventually("the first arrives", func() bool { return rur.sees(id("malware", 1)) })
	var backup bytes.Buffer
	must(t, uto.ledger.Backup(context.Background(), &backup))
	uto.push(malware(2, v1), to(label.Amber, "RUR"))
	net.eventually("the second arrives", func() bool { return rur.sees(id("malware", 2)) })
	uto.close()
	for _, name := range []string{"ledger.db", "ledger.db-wal", "ledger.db-shm"} {
		_ = os.Remove(uto.dir + "/ledger/" + name)
	}
	must(t, ledger.Restore(context.Background(), &backup, uto.dir+"/ledger"))
	uto.open()
	uto.Start()
	uto.push(malware(3, v1), to(label.Amber, "RUR"))
	net.eventually("all is there, under the new logs", func() bool {
		return rur.sees(id("malware", 3)) && uto.receipts(id("malware", 1), peer.DidKnow) == 1 && uto.receipts(id("malware", 2), peer.DidKnow) == 1
	})
	if n, err := uto.TakeBack(context.Background(), id("malware", 2), peer.Purge, ""); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	net.eventually("what was given before the restore can be taken back", func() bool { return !rur.sees(id("malware", 2)) })
}

// An accord's daily limit counts over restarts, and what was too much goes the next day.
func TestTheDailyLimit(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR")
	net.morning()
	uto, rur := net.nodes["UTO"], net.nodes["RUR"]
	text := strings.Replace(between("ut-ru", "malware", "UTO", "RUR"), "  suspend {", "  limits {\n    objects-per-day = 3\n  }\n  suspend {", 1)
	net.agree(text, "UTO", "RUR")
	seen := func() (n int) {
		for i := range 6 {
			if rur.sees(id("malware", i+1)) {
				n++
			}
		}
		return n
	}
	for n := range 2 {
		uto.push(malware(n+1, v1), to(label.Amber, "RUR"))
	}
	net.eventually("two arrive", func() bool { return seen() == 2 })
	uto.close()
	uto.open()
	uto.Start()
	for n := range 4 {
		uto.push(malware(n+3, v1), to(label.Amber, "RUR"))
	}
	net.eventually("one more arrives", func() bool { return seen() == 3 })
	time.Sleep(300 * time.Millisecond)
	if n := seen(); n != 3 {
		t.Errorf("%d went out, three may", n)
	}
	net.wait(24 * time.Hour)
	net.eventually("the rest goes the next day", func() bool { return seen() == 6 })
}

// Who gives back nothing is given nothing more after the accord's time, until something comes back.
func TestReciprocity(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR")
	uto, rur := net.nodes["UTO"], net.nodes["RUR"]
	text := strings.Replace(between("ut-ru", "malware, tool", "UTO", "RUR"), "  suspend {", `  reciprocity {
    give-back     = [tool]
    for           = [malware]
    within        = "30d"
    minimum       = "10%"
    otherwise     = suspend
    suspend-after = "10d"
  }
  suspend {`, 1)
	net.agree(text, "UTO", "RUR")
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.eventually("the first arrives", func() bool { return rur.sees(id("malware", 1)) })
	net.eventually("the shortage is noted", func() bool {
		since, err := uto.ledger.Cursor(context.Background(), "shortage/ut-ru/RUR")
		return err == nil && len(since) > 0
	})
	net.wait(11 * 24 * time.Hour)
	uto.push(malware(2, v1), to(label.Amber, "RUR"))
	time.Sleep(300 * time.Millisecond)
	if rur.sees(id("malware", 2)) {
		t.Error("it is given though nothing came back")
	}
	rur.push(fmt.Sprintf(`{"type":"tool","spec_version":"2.1","id":%q,"created":%q,"modified":%q,"name":"t"}`, id("tool", 5), v1, v1), to(label.Amber, "UTO"))
	net.eventually("what comes back opens the flow", func() bool { return uto.sees(id("tool", 5)) && rur.sees(id("malware", 2)) })
}

// A partner that is silent, and signs nothing, is shown as stale; one that signs is not.
func TestStaleness(t *testing.T) {
	t.Parallel()
	net, uto, rur := bound(t)
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.eventually("the first arrives", func() bool { return rur.sees(id("malware", 1)) })
	is := func() bool {
		links, err := rur.Links(context.Background())
		return err == nil && len(links) == 1 && !links[0].Stale.IsZero()
	}
	net.eventually("a log that is idle is signed every 30 seconds", func() bool {
		logs, err := rur.ledger.Logs(context.Background(), ledger.Filter{Nation: "UTO"})
		return err == nil && len(logs) == 1 && net.now().Sub(logs[0].Signed.Time) <= 30*time.Second
	})
	net.part("UTO", "RUR", true)
	logs, err := rur.ledger.Logs(context.Background(), ledger.Filter{Nation: "UTO"})
	must(t, err)
	net.wait(50 * time.Second)
	if is() && net.now().Sub(logs[0].Signed.Time) < 90*time.Second { // a slow machine may be beyond that by now
		t.Error("it is stale too early")
	}
	net.wait(40*time.Second + time.Second)
	if !is() {
		t.Error("after 90 seconds it is not stale")
	}
	alarms, err := rur.Alarms(context.Background())
	if err != nil || !slices.ContainsFunc(alarms, func(a federation.Alarm) bool { return a.Nation == "UTO" && a.Kind == federation.AlarmStale }) {
		t.Errorf("no alarm: %+v %v", alarms, err)
	}
	net.part("UTO", "RUR", false)
	net.eventually("a new checkpoint says that nothing is missing", func() bool { return !is() })
}

// After a restore, what went out before and may not go out any more is taken back by an order in a new log, which names the old one.
func TestARestoredNodeTakesBackWhatItMayNotGive(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	net, uto, rur := bound(t)
	for n := range 3 {
		uto.push(malware(n+1, v1), to(label.Amber, "RUR"))
	}
	net.eventually("all arrive", func() bool {
		return rur.sees(id("malware", 1)) && rur.sees(id("malware", 2)) && rur.sees(id("malware", 3)) && uto.receipts(id("malware", 3), peer.DidStore) == 1
	})
	var backup bytes.Buffer
	must(t, uto.ledger.Backup(ctx, &backup))
	net.part("UTO", "RUR", true)
	uto.close()
	for _, name := range []string{"ledger.db", "ledger.db-wal", "ledger.db-shm"} {
		_ = os.Remove(uto.dir + "/ledger/" + name)
	}
	must(t, ledger.Restore(ctx, &backup, uto.dir+"/ledger"))
	uto.open()
	_, err := uto.accords.Say(ctx, uto.as(gate.RoleOfficer), "ut-ru", accord.Suspend, "") // nothing goes out anew
	must(t, err)
	uto.relabel(id("malware", 1), v1, to(label.Amber, "UTO")) // which takes it back by itself
	must(t, uto.Settle(ctx))
	for n, want := range map[string]int{id("malware", 1): 0, id("malware", 2): 1} {
		if got, err := uto.TakeBack(ctx, n, peer.Retract, "wrong"); err != nil || got != want {
			t.Fatal(n, got, err)
		}
	}
	given, err := uto.Given(ctx, uto.as(gate.RoleAnalyst), id("malware", 2))
	must(t, err)
	if last := given[len(given)-1]; last.Kind != "retract" || last.AboutLog != given[0].Log || *last.About != given[0].Index || last.Log == last.AboutLog {
		t.Errorf("%+v", given)
	}
	uto.Start()
	net.part("UTO", "RUR", false)
	net.eventually("it is gone there, and receipted", func() bool {
		return !rur.sees(id("malware", 1)) && !rur.sees(id("malware", 2)) && uto.receipts(id("malware", 1), peer.DidPurge) == 1 && uto.receipts(id("malware", 2), peer.DidRetract) == 1
	})
	if !rur.sees(id("malware", 3)) {
		t.Error("what was not taken back is gone, too")
	}
}

// An order reaches what its own nation gave, and nothing else, whatever log it names.
func TestAnOrderReachesOnlyItsOwnNationsLogs(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	net := ally(t, "UTO", "RUR", "FRE")
	uto, rur, fre := net.nodes["UTO"], net.nodes["RUR"], net.nodes["FRE"]
	net.agree(between("all", "malware", "UTO", "RUR", "FRE"), "UTO", "RUR", "FRE")
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	fre.push(malware(2, v1), to(label.Amber, "RUR"))
	net.eventually("both arrive", func() bool { return rur.sees(id("malware", 1)) && rur.sees(id("malware", 2)) })
	theirs, err := uto.ledger.Out(ctx, id("malware", 1))
	must(t, err)
	mine, err := fre.ledger.Out(ctx, id("malware", 2))
	must(t, err)
	s, err := fre.ring.Signer(keylog.RoleOriginate)
	must(t, err)
	node, err := fre.ring.Signer(keylog.RoleNode)
	must(t, err)
	leaf := theirs[0].Leaf
	at := net.now().UTC().Truncate(time.Microsecond)
	order, err := peer.SignOrder("operational", peer.Order{Do: "purge", Accord: leaf.Accord, Target: leaf.Commit, Log: theirs[0].Origin, Index: theirs[0].Index, Time: at}, s)
	must(t, err)
	placed, err := fre.ledger.AppendSigned(ctx, ledger.Cursor{}, ledger.Seal{Now: net.now(), Key: node.(federation.NodeKey)},
		ledger.Entry{Origin: mine[0].Origin, Envelope: order, Leaf: peer.Leaf{Kind: peer.Purge, Accord: leaf.Accord, Time: at, Target: 1}})
	must(t, err)
	net.eventually("it is refused", func() bool {
		acts, err := fre.ledger.Receipts(ctx, placed[0].Origin, placed[0].Index)
		return err == nil && len(acts) == 1 && acts[0].Did == peer.DidRefuse && acts[0].Code == "order.target"
	})
	if !rur.sees(id("malware", 1)) {
		t.Error("one nation destroyed what another gave")
	}
}

// An order that was on its way when the node was lost is given again after the restore, though what it is about is gone here.
func TestARestoredNodeOrdersAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	net, uto, rur := bound(t)
	for n := range 2 {
		uto.push(malware(n+1, v1), to(label.Amber, "RUR"))
	}
	net.eventually("all arrive", func() bool { return rur.sees(id("malware", 1)) && rur.sees(id("malware", 2)) })
	net.part("UTO", "RUR", true)
	_, err := uto.exchange.Purge(ctx, uto.as(gate.RoleOfficer), id("malware", 1), false)
	must(t, err)
	for range 2 { // the restored node is lost, too
		var backup bytes.Buffer
		must(t, uto.ledger.Backup(ctx, &backup))
		uto.close()
		for _, name := range []string{"ledger.db", "ledger.db-wal", "ledger.db-shm"} {
			_ = os.Remove(uto.dir + "/ledger/" + name)
		}
		must(t, ledger.Restore(ctx, &backup, uto.dir+"/ledger"))
		uto.open()
		must(t, uto.Settle(ctx))
	}
	uto.Start()
	net.part("UTO", "RUR", false)
	net.eventually("the order arrives, and its receipt comes back", func() bool {
		return !rur.sees(id("malware", 1)) && uto.receipts(id("malware", 1), peer.DidPurge) == 1
	})
	if !rur.sees(id("malware", 2)) {
		t.Error("what nobody took back is gone, too")
	}
}

// What is signed by a key that a partner has not heard of yet is taken, and done, as what comes after: it asks for the key log first.
func TestANewKeySignsAtOnce(t *testing.T) {
	t.Parallel()
	net, uto, rur := bound(t)
	net.wait(time.Hour)
	since := net.now()
	net.wait(time.Hour)
	for n := 1; n <= 3; n++ {
		uto.push(malware(n, v1), to(label.Amber, "RUR"))
	}
	quiet := func() { // nothing is to be told, and so no key log is asked for before the next look at it
		net.eventually("all is receipted", func() bool {
			links, err := rur.Links(context.Background())
			return err == nil && len(links) == 1 && links[0].Owed == 0 && uto.receipts(id("malware", 3), peer.DidStore) == 1
		})
	}
	for n, change := range map[int]func() error{
		10: func() error { return uto.ring.CompromiseKey(uto.keyOf(keylog.RoleOriginate), since, "stolen") },
		11: func() error { _, err := uto.ring.RotateKey(keylog.RoleOriginate, 0); return err },
	} {
		quiet()
		must(t, change())
		uto.push(malware(n, v1), to(label.Amber, "RUR"))
		net.eventually("what the next key signs arrives", func() bool { return rur.sees(id("malware", n)) })
		quiet()
	}
	must(t, func() error { _, err := uto.ring.RotateKey(keylog.RoleOriginate, 0); return err }())
	if n, err := uto.TakeBack(context.Background(), id("malware", 10), peer.Purge, ""); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	net.eventually("what the next key orders is done", func() bool { return uto.receipts(id("malware", 10), peer.DidPurge) == 1 })
}
