package node

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// leakWorlds are a world without what is hidden, and one with it.
func leakWorlds(t *testing.T, withoutHidden, withHidden func(from string) bool) (a, b *leakWorld) {
	a, b = newLeakWorld(t, withoutHidden), newLeakWorld(t, withHidden)
	both(t, a, b, (*leakWorld).build)
	return a, b
}

// both does the same in the two worlds side by side: neither knows of the other.
func both[W any](t *testing.T, a, b W, do func(W)) {
	t.Helper()
	var worlds sync.WaitGroup
	for _, w := range []W{a, b} {
		worlds.Go(func() { do(w) })
	}
	worlds.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// run asks everything of a script in one order, and deletes at its end.
func run(s *session, script leakScript) {
	keys := slices.Collect(maps.Keys(script))
	slices.SortFunc(keys, func(a, b string) int {
		last := func(key string) int { return strings.Count(key, " DELETE ") }
		return cmp.Or(last(a)-last(b), strings.Compare(a, b))
	})
	for _, key := range keys {
		script[key](s)
	}
}

// TestNothingHiddenLeaks asks every route as a partner in two worlds, by token and by certificate, as one who may only deliver, and as
// nobody.
func TestNothingHiddenLeaks(t *testing.T) {
	reading, changing := leakScripts()
	a, b := leakWorlds(t, func(string) bool { return true }, func(string) bool { return false })
	for _, who := range []string{"rita", "cert", "rosa", ""} { // rita also writes and deletes, and then looks again
		sa, sb := a.as(who), b.as(who)
		both(t, sa, sb, func(s *session) {
			run(s, reading)
			if who == "rita" {
				run(s, changing)
				run(s, reading)
			}
		})
		compareTranscripts(t, sa, sb)
		searchTaints(t, sb, b.taints)
		t.Logf("%q: %d requests in each world", who, len(sa.lines))
		if who == "rita" {
			showsSomething(t, sb)
		}
		if t.Failed() {
			return // what follows has been changed differently
		}
	}
	stillThere(t, b)
}

// showsSomething makes sure that the answers were not equal because all were refusals.
func showsSomething(t *testing.T, s *session) {
	seen := map[string]int{}
	for _, l := range s.lines {
		seen[l.answer[:3]]++
		for _, word := range []string{"Shared 23", "Two findings", "Second version", "The last one", "In a circle", "Of Ruritania", "Mine under a hidden id", `"more":true`, "event: object"} {
			if strings.Contains(l.answer, word) {
				seen[word]++
			}
		}
	}
	for _, want := range []string{"200", "202", "400", "403", "404", "Shared 23", "Two findings", "Second version", "The last one", "In a circle", "Of Ruritania", "Mine under a hidden id", `"more":true`, "event: object"} {
		if seen[want] == 0 {
			t.Errorf("the partner never met %q", want)
		}
	}
}

// stillThere makes sure that what was hidden was there all the time, and that nothing the partner did has touched it.
func stillThere(t *testing.T, w *leakWorld) {
	all := w.as("ursula").get("/api/v1/export?format=ndjson&version=all").Body.String()
	for _, n := range []int{0, 1, 2, 3, 200, 310 + 70, 320 + 80, 402, 500, 501, 502, 603} {
		if !strings.Contains(all, w.taint("name", n)) {
			t.Errorf("the own organisation has lost %s", w.taint("name", n))
		}
	}
}

// TestNothingHiddenLeaksAtHome does the same for a member of the node's own organisation, from whom the RED records of others are hidden.
func TestNothingHiddenLeaksAtHome(t *testing.T) {
	reading, changing := leakScripts()
	a, b := leakWorlds(t, func(from string) bool { return from == "everybody" }, func(string) bool { return false })
	sa, sb := a.as("ursula"), b.as("ursula")
	both(t, sa, sb, func(s *session) {
		run(s, changing)
		run(s, reading)
	})
	compareTranscripts(t, sa, sb)
}
