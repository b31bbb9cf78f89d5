package testnet_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"entente/accord"
	"entente/internal/testnet"
	"entente/label"
	"entente/proof"
)

// TestAnAllianceOfMany has many nations share much, on lines that are cut and healed, with nodes that stop and start and clocks that differ, and with some that
// lie. In the end everybody has what it is to have and nothing else, and everybody who was lied to has the proof. ENTENTE_NATIONS and ENTENTE_OBJECTS make it
// larger; the seed is told when it fails.
func TestAnAllianceOfMany(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a while")
	}
	nations, objects := number(t, "ENTENTE_NATIONS", 7), number(t, "ENTENTE_OBJECTS", 350)
	seed := uint64(number(t, "ENTENTE_SEED", int(time.Now().UnixNano()&0xffffff)))
	r := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d: %d nations, %d objects", seed, nations, objects)
	const liars = 3 // and three times as many in a large alliance
	codes, rogues := make([]string, nations), []string(nil)
	for i := range codes {
		codes[i] = fmt.Sprintf("A%c%c", 'A'+i/26, 'A'+i%26)
	}
	for range liars * max(1, nations/16) {
		rogues = append(rogues, testnet.Unused())
	}
	skew := map[string]time.Duration{}
	for _, c := range codes {
		skew[c] = time.Duration(r.IntN(121)-60) * time.Second
	}
	all := slices.Concat(codes, rogues)
	clock := func() time.Time { return time.Now().Add(5 * time.Minute) } // all keys count, whatever a clock says
	net := testnet.New(t, testnet.Options{Now: clock, Skew: skew, Tick: time.Second}, all...)
	text := testnet.Treaty{Name: "all", Parties: all, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Amber, Subset: true}}}.Text()
	net.Agree(text, all...)
	b, err := accord.NewBundle([]byte(text), testnet.Realm)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := accord.ParseDigest(b.Digest())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range rogues {
		net.As(c).Stop() // the test speaks for them
	}

	// What each is to have: what is its own, and what others give it.
	want := map[string]map[string]bool{}
	for _, c := range codes {
		want[c] = map[string]bool{}
	}
	// Whom each gives to: everybody, or one of a few sets of others.
	sets := map[string][][]string{}
	for _, of := range codes {
		others := slices.DeleteFunc(slices.Clone(codes), func(c string) bool { return c == of })
		sets[of] = [][]string{slices.Clone(others)}
		for range 5 {
			r.Shuffle(len(others), func(i, k int) { others[i], others[k] = others[k], others[i] })
			sets[of] = append(sets[of], slices.Clone(others[:1+r.IntN(min(4, nations-1))]))
		}
	}
	made := 0
	push := func(of string, n int) {
		to := sets[of][r.IntN(len(sets[of]))]
		var batch []string
		for range n {
			made++
			batch = append(batch, testnet.Malware(made, 1, fmt.Sprintf("object %d", made), "of "+of))
			for _, c := range append(slices.Clone(to), of) {
				want[c][testnet.ID("malware", made)] = true
			}
		}
		net.As(of).Push(testnet.To(label.Amber, to...), batch...)
	}
	const rounds = 5
	for round := range rounds {
		var cuts [][2]string
		for range nations / 2 {
			x, y := codes[r.IntN(nations)], codes[r.IntN(nations)]
			if x != y {
				net.Part(x, y)
				cuts = append(cuts, [2]string{x, y})
			}
		}
		down := codes[r.IntN(nations)]
		for made < objects*(round+1)/rounds {
			push(codes[r.IntN(nations)], min(1+r.IntN(20), objects*(round+1)/rounds-made))
		}
		net.As(down).Stop()
		time.Sleep(200 * time.Millisecond)
		net.As(down).Start()
		for _, c := range cuts {
			net.Heal(c[0], c[1])
		}
	}

	// Those who lie, while the others share.
	to := testnet.To(label.Amber, codes...)
	parties := parties(codes...)
	liesOf := map[string]proof.Kind{}
	var lies sync.WaitGroup
	for i, c := range rogues {
		rogue := net.As(c)
		switch i % liars {
		case 0: // shows each half another past
			liesOf[c] = proof.LogFork
			lies.Go(func() {
				for k, x := range codes {
					rogue.Tell(net.As(x), digest, to, parties, testnet.Malware(-1-i, 1, []string{"one", "two"}[k%2], ""))
				}
			})
		case 1: // two key logs
			liesOf[c] = proof.KeyLogFork
			rogue.Twice(net.As(codes[0]), net.As(codes[1]))
		case 2: // takes back what it showed
			liesOf[c] = proof.LogFork
			lies.Go(func() {
				for _, x := range codes {
					rogue.Tell(net.As(x), digest, to, parties, testnet.Malware(-1-i, 1, "one", ""), testnet.Malware(-1000-i, 1, "two", ""))
				}
				time.Sleep(1100 * time.Millisecond) // a checkpoint tells whole seconds
				rogue.Tell(net.As(codes[0]), digest, to, parties, testnet.Malware(-1-i, 1, "one", ""))
			})
		}
	}
	lies.Wait()
	began := time.Now()

	wait := time.Duration(number(t, "ENTENTE_PATIENCE", 120)) * time.Second
	until := func(what string, holds func(c string) string) {
		t.Helper()
		for _, c := range codes {
			why := ""
			for time.Since(began) < wait {
				if why = holds(c); why == "" {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			if why != "" {
				t.Fatalf("seed %d: %s: %s: %s", seed, what, c, why)
			}
		}
	}
	until("everybody has what it is to have, and nothing else", func(c string) string {
		has := map[string]bool{}
		for _, it := range net.As(c).Held() {
			has[it.Record.ID] = true
		}
		for id := range has {
			if !want[c][id] && !lied(id, len(rogues)) {
				t.Fatalf("seed %d: %s has %s, which is not for it", seed, c, id)
			}
		}
		for id := range want[c] {
			if !has[id] {
				return fmt.Sprintf("it has %d of %d", len(has), len(want[c]))
			}
		}
		return ""
	})
	t.Logf("all have what is theirs after %v", time.Since(began))
	until("whoever was lied to has the proof", func(c string) string {
		for _, rogue := range slices.Sorted(maps.Keys(liesOf)) {
			kept := proofs(t, net.As(c), rogue)
			if len(kept) == 0 {
				return "nothing against " + rogue + " (" + string(liesOf[rogue]) + ")"
			}
			if f, err := proof.Verify(kept[0].File); err != nil || f.Kind != liesOf[rogue] {
				t.Fatalf("%s: %+v %v", c, f, err)
			}
		}
		return ""
	})
	t.Logf("all have every proof after %v", time.Since(began))
	for _, c := range codes {
		for _, honest := range codes {
			if got := proofs(t, net.As(c), honest); len(got) > 0 {
				t.Errorf("seed %d: %s accuses %s, which keeps to everything: %+v", seed, c, honest, got[0].Found)
			}
		}
	}
}

// lied tells whether an object is one that those who lie told.
func lied(id string, rogues int) bool {
	for i := range rogues {
		if id == testnet.ID("malware", -1-i) || id == testnet.ID("malware", -1000-i) {
			return true
		}
	}
	return false
}
