package federation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"entente/label"
	"entente/peer"
)

var errStopped = errors.New("the node has stopped")

// stopAt has the node stop at a step, and tells when it did. From then on nothing of it works.
func (n *nation) stopAt(step string) <-chan struct{} {
	stopped := make(chan struct{})
	gone := false
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	n.fail = func(at string) error {
		n.net.mu.Lock()
		defer n.net.mu.Unlock()
		if at == step && !gone {
			gone = true
			close(stopped)
		}
		if gone {
			return errStopped
		}
		return nil
	}
	return stopped
}

func (a *alliance) happens(what string, c <-chan struct{}) {
	a.t.Helper()
	select {
	case <-c:
	case <-time.After(3 * time.Minute):
		a.t.Fatalf("this did not happen: %s", what)
	}
}

// Wherever the giving node stops, nothing is lost and nothing goes out twice.
func TestTheGiverStops(t *testing.T) {
	for _, step := range []string{"before release", "after release", "before referrers", "after referrers", "before page"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			net := ally(t, "UTO", "RUR")
			uto, rur := net.nodes["UTO"], net.nodes["RUR"]
			net.agree(between("ut-ru", "malware, relationship", "UTO", "RUR"), "UTO", "RUR")
			stopped := uto.stopAt(step)
			uto.push(relation(12, 1, 2), to(label.Amber, "RUR")) // waits for what it names
			uto.push(malware(1, v1), to(label.Amber, "RUR"))
			uto.push(malware(2, v1), to(label.Amber, "RUR"))
			net.happens(step, stopped)
			uto.crash()
			ids := []string{id("malware", 1), id("malware", 2), id("relationship", 12)}
			net.eventually("everything arrives and is receipted", func() bool {
				for _, id := range ids {
					if !rur.sees(id) || uto.receipts(id, peer.DidStore) != 1 {
						return false
					}
				}
				return true
			})
			for _, id := range ids {
				if places, err := uto.ledger.Out(context.Background(), id); err != nil || len(places) != 1 {
					t.Errorf("%s went out %d times, %v", id, len(places), err)
				}
			}
		})
	}
}

// Wherever the taking node stops, what it is given is taken once, and each leaf is receipted once.
func TestTheTakerStops(t *testing.T) {
	for _, step := range []string{"before accept", "after accept", "before destroy", "after destroy", "before withdraw", "after withdraw"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			net, uto, rur := bound(t)
			uto.push(malware(9, v1), to(label.Amber, "RUR"))
			uto.push(malware(8, v1), to(label.Amber, "RUR"))
			net.eventually("the first arrive", func() bool { return rur.sees(id("malware", 9)) && rur.sees(id("malware", 8)) })
			stopped := rur.stopAt(step)
			for object, kind := range map[int]peer.Kind{9: peer.Purge, 8: peer.Retract} {
				if n, err := uto.TakeBack(context.Background(), id("malware", object), kind, ""); err != nil || n != 1 {
					t.Fatal(n, err)
				}
			}
			uto.push(malware(1, v1), to(label.Amber, "RUR"))
			net.happens(step, stopped)
			rur.crash()
			net.eventually("everything is done and receipted", func() bool {
				return rur.sees(id("malware", 1)) && !rur.sees(id("malware", 9)) && !rur.sees(id("malware", 8)) &&
					uto.receipts(id("malware", 1), peer.DidStore)+uto.receipts(id("malware", 1), peer.DidKnow) == 1 &&
					uto.receipts(id("malware", 9), peer.DidPurge) == 1 && uto.receipts(id("malware", 8), peer.DidRetract) == 1
			})
			for _, object := range []int{1, 8, 9} {
				places, err := uto.ledger.Out(context.Background(), id("malware", object))
				must(t, err)
				for _, p := range places {
					if acts, err := uto.ledger.Receipts(context.Background(), p.Origin, p.Index); err != nil || len(acts) != 1 {
						t.Errorf("leaf %d of %d has %d receipts, %v", p.Index, object, len(acts), err)
					}
				}
			}
		})
	}
}
