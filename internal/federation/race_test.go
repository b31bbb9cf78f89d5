package federation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entente/accord"
	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
	"entente/peer"
)

// An object that is handed in and shared before the journal is followed goes out once, as does each word about it later.
func TestAnObjectGoesOutOnce(t *testing.T) {
	net, uto, rur := bound(t)
	uto.Close()
	uto.push(malware(1, v1), to(label.Amber, "UTO"))
	uto.relabel(id("malware", 1), v1, to(label.Amber, "UTO", "RUR"))
	uto.federate()
	uto.Start()
	net.eventually("it arrives", func() bool { return rur.sees(id("malware", 1)) })
	uto.Close()
	uto.relabel(id("malware", 1), v1, to(label.AmberStrict, "UTO", "RUR"))
	uto.relabel(id("malware", 1), v1, to(label.AmberStrict, "UTO"))
	uto.federate()
	uto.Start()
	net.eventually("it is destroyed", func() bool { return uto.receipts(id("malware", 1), peer.DidPurge) > 0 })
	places, err := uto.ledger.Out(context.Background(), id("malware", 1))
	must(t, err)
	if len(places) != 2 || places[0].Leaf.Kind != peer.Put || places[1].Leaf.Kind != peer.Purge {
		t.Errorf("%+v", places)
	}
}

// What is taken back before it went out does not go out after, whatever its label becomes; a new version does.
func TestTakenBackBeforeItWentOut(t *testing.T) {
	net, uto, rur := bound(t)
	uto.Close()
	uto.push(malware(1, v1), to(label.Amber, "UTO", "RUR"))
	if n, err := uto.TakeBack(context.Background(), id("malware", 1), peer.Retract, ""); err != nil || n != 0 {
		t.Fatal(n, err)
	}
	uto.federate()
	uto.Start()
	uto.relabel(id("malware", 1), v1, to(label.AmberStrict, "UTO", "RUR"))
	uto.push(malware(1, v2), to(label.Amber, "UTO", "RUR"))
	net.eventually("the new version arrives", func() bool { return rur.sees(id("malware", 1)) })
	if got := rur.versions(id("malware", 1)); !slices.Equal(got, []string{v2}) {
		t.Error(got)
	}
}

// A version that comes between the order to destroy an object and its end here goes with it.
func TestAVersionBetweenOrderAndPurge(t *testing.T) {
	net, uto, rur := bound(t)
	ctx := context.Background()
	uto.push(malware(1, v1), to(label.Amber, "UTO", "RUR"))
	net.eventually("it arrives", func() bool { return rur.sees(id("malware", 1)) })
	if n, err := uto.TakeBack(ctx, id("malware", 1), peer.Purge, ""); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	uto.push(malware(1, v2), to(label.Amber, "UTO", "RUR"))
	net.eventually("the new version arrives", func() bool { return slices.Equal(rur.versions(id("malware", 1)), []string{v2}) })
	must(t, uto.Forget(ctx, id("malware", 1)))
	net.eventually("nothing is left", func() bool { return len(rur.versions(id("malware", 1))) == 0 })
}

// Objects are handed in, amended, shared, kept back, retracted and purged, all at once. When it is quiet, the partner has what its logs say that it has, which
// is nothing that a label keeps from it, and what was done was said once.
func TestEverythingAtOnce(t *testing.T) {
	const objects, hands, acts = 8, 4, 40
	net, uto, rur := bound(t)
	ctx := context.Background()
	officer := uto.as(gate.RoleOfficer)
	officer.Roles = append(officer.Roles, gate.RoleAnalyst)
	audiences := []label.Label{to(label.Amber, "UTO"), to(label.Amber, "UTO", "RUR"), to(label.AmberStrict, "UTO", "RUR")}
	version := func(k int64) string {
		return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(k) * time.Second).Format("2006-01-02T15:04:05.000Z")
	}
	var latest [objects]atomic.Int64
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var all sync.WaitGroup
	for hand := range hands {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(hand)))
			for range acts {
				n := r.IntN(objects)
				var err error
				switch act := r.IntN(10); {
				case act < 4:
					object := malware(n+1, version(latest[n].Add(1)))
					_, err = uto.exchange.Accept(ctx, officer, exchange.Submission{Objects: [][]byte{[]byte(object)}, Labels: []label.Label{audiences[r.IntN(3)]}})
				case act < 8:
					v := version(1 + r.Int64N(latest[n].Load()+1))
					_, err = uto.exchange.Relabel(ctx, officer, exchange.Relabelling{ID: id("malware", n+1), Version: v, Label: audiences[r.IntN(3)]})
				case act < 9:
					_, err = uto.TakeBack(ctx, id("malware", n+1), peer.Retract, "")
				default:
					_, err = uto.exchange.Purge(ctx, officer, id("malware", n+1), false)
				}
				// Whose label has changed since it was read is told so, and looks again.
				if err != nil && fault.Of(err) != fault.NotFound && fault.As(err).Code != "record.relabelled" {
					t.Errorf("hand %d: %v", hand, err)
				}
			}
		})
	}
	all.Wait()
	must(t, uto.Settle(ctx))
	for n := range objects {
		object := id("malware", n+1)
		places, err := uto.ledger.Out(ctx, object)
		must(t, err)
		var want []string
		for _, p := range federation.Live(places) {
			v, _, _ := strings.Cut(p.Version, " ")
			want = append(want, v)
		}
		slices.Sort(want)
		if len(slices.Compact(slices.Clone(want))) != len(want) {
			t.Errorf("%s: a version is out twice: %v", object, want)
		}
		ends := map[string]int{}
		for _, p := range places {
			if p.Leaf.Kind == peer.Retract || p.Leaf.Kind == peer.Purge {
				ends[fmt.Sprint(p.Origin, p.Leaf.Target)]++
			}
		}
		for target, n := range ends {
			if n != 1 {
				t.Errorf("%s: %d orders take back leaf %s", object, n, target)
			}
		}
		page, err := uto.db.Page(ctx, house{uto}.own(), store.Query{IDs: []string{object}, Versions: store.Versions{All: true}})
		must(t, err)
		may := map[string]bool{}
		for _, it := range page.Items {
			may[it.Record.Version] = it.Record.Label.Audience.Has(label.Org("RUR", org("RUR")))
		}
		for _, v := range want {
			if !may[v] {
				t.Errorf("%s: %s is out, and its label keeps it back or it is gone", object, v)
			}
		}
		net.eventually(fmt.Sprintf("RUR has of %s just %v", object, want), func() bool {
			got := rur.versions(object)
			slices.Sort(got)
			return slices.Equal(got, want)
		})
	}
}

// An accord that is suspended after every record was judged by it, and resumed before that is looked at again, still lets pass what came between.
func TestASuspensionThatWasNotLookedAt(t *testing.T) {
	net, uto, rur := bound(t)
	ctx := context.Background()
	uto.Close()
	uto.federate()
	must(t, uto.Settle(ctx))
	say := func(verb accord.Verb) {
		_, err := uto.accords.Say(ctx, uto.as(gate.RoleOfficer), "ut-ru", verb, "")
		must(t, err)
	}
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	uto.fail = func(step string) error {
		if step == "before follow" {
			uto.fail = nil
			say(accord.Suspend)
		}
		return nil
	}
	must(t, uto.Settle(ctx))
	if places, err := uto.ledger.Out(ctx, id("malware", 1)); err != nil || len(places) > 0 {
		t.Fatalf("it went out under a suspended accord: %v %v", places, err)
	}
	say(accord.Resume)
	uto.Start()
	net.eventually("what came while the accord was suspended arrives", func() bool { return rur.sees(id("malware", 1)) })
}
