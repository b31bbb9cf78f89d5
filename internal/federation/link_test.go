package federation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/federation"
	"entente/label"
)

const floor = 500 * time.Millisecond // between two attempts, always

// waits are the times that a node would wait, of a clock that a test has in hand: short ones have passed at once, long ones never do.
type waits chan time.Duration

func (w waits) after(d time.Duration) <-chan time.Time {
	passed := make(chan time.Time, 1)
	if d <= floor {
		passed <- time.Time{}
	} else {
		select {
		case w <- d:
		default:
		}
	}
	return passed
}

// restart has the federation of a node begin anew, with another clock between attempts.
func (n *nation) restart(after func(time.Duration) <-chan time.Time) {
	n.Federation.Close()
	n.after = after
	n.federate()
	n.Start()
}

func (n *nation) isUp(nation string) bool {
	links, err := n.Links(context.Background())
	must(n.net.t, err)
	for _, l := range links {
		if l.Nation == nation {
			return l.Up
		}
	}
	return false
}

// After a partition neither side comes back by itself here, as its clock stands still; a person says so at one of them, and its call at the other's door has that
// one call back at once.
func TestOneCallBringsBothBack(t *testing.T) {
	net, uto, rur := bound(t)
	net.part("UTO", "RUR", true)
	long := map[*nation]waits{uto: make(waits, 1), rur: make(waits, 1)}
	for n, w := range long {
		n.restart(w.after)
	}
	for n, w := range long {
		select {
		case <-w:
		case <-time.After(3 * time.Minute):
			t.Fatalf("%s never waits long", n.code)
		}
	}
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.part("UTO", "RUR", false)
	if uto.isUp("RUR") || rur.isUp("UTO") {
		t.Fatal("a link came back while time stood still")
	}
	must(t, uto.Retry("RUR"))
	net.eventually("both are back, and what waited is there", func() bool { return uto.isUp("RUR") && rur.isUp("UTO") && rur.sees(id("malware", 1)) })
	must(t, uto.Retry("RUR")) // which has no effect now
	var f *fault.Error
	if err := uto.Retry("KWT"); !errors.As(err, &f) || f.Kind != fault.NotFound {
		t.Error(err)
	}
}

// The waits between attempts grow from one to the next, are never the same on all nodes, and never long.
func TestAttemptsComeSoon(t *testing.T) {
	net := ally(t, "UTO", "RUR")
	net.part("UTO", "RUR", true)
	asked := make(chan time.Duration)
	done := make(chan struct{})
	defer close(done)
	net.nodes["UTO"].restart(func(d time.Duration) <-chan time.Time {
		select {
		case asked <- d:
		case <-done:
		}
		passed := make(chan time.Time, 1)
		passed <- time.Time{}
		return passed
	})
	different := map[time.Duration]bool{}
	for i, most := 0, floor; i < 30; i, most = i+1, min(2*most, federation.LastWait) {
		first, rest := <-asked, <-asked
		if total := first + max(0, rest); first != floor || total < most/2 || total > most {
			t.Errorf("wait %d is %v and %v, and should be up to %v", i, first, rest, most)
		}
		different[rest] = true
	}
	if len(different) < 10 {
		t.Errorf("only %d different waits", len(different))
	}
}
