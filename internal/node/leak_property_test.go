package node

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entente/internal/surface/api"
	"entente/label"
)

// handed is one object that somebody hands in.
type handed struct {
	by      string // "own", "fred" or "rita"
	id      int    // the first half are tools, the others reports
	version int
	tlp     label.TLP
	names   []int // ids in a report
	content int
	held    bool // what became of it: it is in quarantine
}

const leakIDs = 6

func genHanded(t *rapid.T) handed {
	h := handed{by: rapid.SampledFrom([]string{"own", "own", "own", "fred", "rita"}).Draw(t, "by"), id: rapid.IntRange(0, leakIDs-1).Draw(t, "id"),
		version: rapid.IntRange(1, 3).Draw(t, "version"), content: rapid.IntRange(0, 1).Draw(t, "content"),
		tlp: rapid.SampledFrom([]label.TLP{label.Red, label.Amber, label.Green, label.Green, label.Clear}).Draw(t, "tlp")}
	if h.id >= leakIDs/2 {
		h.names = rapid.SliceOfNDistinct(rapid.IntRange(0, leakIDs-1), 1, 2, rapid.ID).Draw(t, "names")
	}
	return h
}

func (h *handed) objectID(base, id int) string {
	if id >= leakIDs/2 {
		return fixedID("report", base+id)
	}
	return fixedID("tool", base+id)
}

func (h *handed) object(base int) string {
	name, modified := fmt.Sprintf("content %d by %s", h.content, h.by), fmt.Sprintf("2026-01-%02dT00:00:00.000Z", h.version)
	if h.names == nil {
		return sdo("tool", base+h.id, name, marked(h.tlp), modified)
	}
	var refs []string
	for _, id := range h.names {
		refs = append(refs, h.objectID(base, id))
	}
	return report(base+h.id, name, marked(h.tlp), modified, refs...)
}

// partnerSees are, of what has been stored in this order, the things that Ruritania may have: what its label lets reach it, less, of
// the own organisation's, whatever names something that it may not have; of what is in quarantine, its own.
func partnerSees(stored []handed) []bool {
	sees := make([]bool, len(stored))
	for i, h := range stored {
		sees[i] = h.by == "rita" || !h.held && (h.tlp == label.Green || h.tlp == label.Clear)
	}
	serves := func(id, by int) bool {
		for i, h := range stored {
			if h.id == id && sees[i] && (h.by == "own" || i < by) {
				return true
			}
		}
		return false
	}
	for changed := true; changed; {
		changed = false
		for i, h := range stored {
			if sees[i] && h.by == "own" && slices.ContainsFunc(h.names, func(id int) bool { return !serves(id, i) }) {
				sees[i], changed = false, true
			}
		}
	}
	return sees
}

// TestRandomWorlds hands random objects in, then hands those of them that a partner may see in again in another world, and compares what
// the partner gets.
func TestRandomWorlds(t *testing.T) {
	nothing := func(string) bool { return true }
	with, without := newLeakWorld(t, nothing), newLeakWorld(t, nothing)
	with.collections()
	without.collections()
	base := 0x10000
	rapid.Check(t, func(rt *rapid.T) {
		base += 16
		list := rapid.SliceOfN(rapid.Custom(genHanded), 1, 14).Draw(rt, "handed")
		begun := max(with.clock.Load(), without.clock.Load())
		with.clock.Store(begun)
		without.clock.Store(begun)
		since := "added_after=" + with.now().Format("2006-01-02T15:04:05.000000Z")
		var stored []handed
		times := make([]int, 0, len(list)) // when each of stored was handed in
		for i, h := range list {
			with.tick()
			var ok bool
			if ok, h.held = with.hand(rt, h, base); ok {
				stored, times = append(stored, h), append(times, i)
			}
		}
		sees := partnerSees(stored)
		seen := 0
		for i, next := 0, 0; i < len(list); i++ {
			without.tick()
			if next < len(stored) && times[next] == i {
				if sees[next] {
					seen++
					if ok, held := without.hand(rt, stored[next], base); !ok || held != stored[next].held {
						rt.Fatalf("something else became of %+v where what is hidden is not", stored[next])
					}
				}
				next++
			}
		}
		a, b := without.as("rita"), with.as("rita")
		a.t, b.t = t, t
		for _, s := range []*session{a, b} {
			askRandomWorld(s, base, since)
		}
		x, y := a.evened(), b.evened()
		if i := firstDifference(x, y); i >= 0 {
			rt.Fatalf("after %+v\nof which are seen %v:\nasked: %s\n%d answers without what is hidden, such as: %s\n%d with it: %s", stored, sees, x[i].asked, len(x), x[i].answer, len(y), y[i].answer)
		}
		all := b.get("/api/v1/objects?limit=1000&version=all&headers=true&" + since).Body.String()
		if n := strings.Count(all, `"id":"`); n < seen-seenTwice(stored, sees) || n > seen {
			rt.Fatalf("the partner finds %d things of %d\n%s", n, seen, all)
		}
	})
}

// seenTwice counts the things that are another content of a version that is seen, of which one is shown.
func seenTwice(stored []handed, sees []bool) (n int) {
	met := map[[2]int]bool{}
	for i, h := range stored {
		if key := [2]int{h.id, h.version}; sees[i] {
			if met[key] {
				n++
			}
			met[key] = true
		}
	}
	return n
}

func askRandomWorld(s *session, base int, since string) {
	var h handed
	open := "/taxii2/api/collections/open/"
	for _, list := range []string{"objects/", "manifest/"} {
		for _, q := range []string{"", "&match%5Bversion%5D=all", "&match%5Bversion%5D=first", "&match%5Bversion%5D=2026-01-02T00:00:00Z", "&match%5Btype%5D=report"} {
			s.limits = []int{2}
			s.page(open + list + "?" + since + q)
		}
	}
	for id := range leakIDs {
		path := open + "objects/" + h.objectID(base, id) + "/"
		s.get(path)
		s.page(path + "versions/?" + since)
		s.get("/api/v1/objects?ref=" + h.objectID(base, id) + "&version=all")
	}
}

// hand tells whether the object was stored, and whether it is in quarantine.
func (w *leakWorld) hand(t *rapid.T, h handed, base int) (stored, held bool) {
	client := w.admin
	if h.by != "own" {
		client = api.NewClient("http://public", inProcess{w.n.public}, api.Token(w.tokens[h.by]))
	}
	sum, err := client.Import(w.t.Context(), strings.NewReader("["+h.object(base)+"]"), url.Values{"collection": {w.names["open"]}}, func(api.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	return sum.Added+sum.Held == 1, sum.Held == 1
}
