package testnet_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entente/accord"
	"entente/decision"
	"entente/internal/decisions"
	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/internal/testnet"
	"entente/label"
	"entente/peer"
)

// TestAnAllianceOfMany has many nations share much, on lines that are cut and healed, with nodes that stop and start and clocks that differ, while some of them
// lie, each in another way, and a relay that is hostile carries between two that do not reach each other. In the end everybody has what it is to have and
// nothing else, and who was lied to has the proof, or the alarm, within the time in which what is heard counts as fresh. ENTENTE_NATIONS and ENTENTE_OBJECTS
// make it larger; the seed is told when it fails.
func TestAnAllianceOfMany(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a while")
	}
	a := newAlliance(t, number(t, "ENTENTE_NATIONS", 7), number(t, "ENTENTE_OBJECTS", 350))
	const rounds = 5
	for round := range rounds {
		cuts := a.cut()
		down := a.codes[a.r.IntN(len(a.codes))]
		if round == rounds-1 { // while the last is shared
			a.lie()
		}
		for a.made < a.objects*(round+1)/rounds {
			a.push(a.objects * (round + 1) / rounds)
		}
		a.net.As(down).Stop()
		time.Sleep(200 * time.Millisecond)
		a.net.As(down).Start()
		for _, c := range cuts {
			a.net.Heal(c[0], c[1])
		}
	}
	a.until("everybody has what it is to have", 0, a.codes, a.lacks)
	a.caught()
	a.overRelay()
	for _, c := range a.codes {
		if why := a.lacks(c); why != "" {
			t.Errorf("seed %d: at the end: %s: %s", a.seed, c, why)
		}
		a.nothingElse(c)
	}
}

// alliance is what the test knows of its alliance.
type alliance struct {
	t        *testing.T
	net      *testnet.Net
	r        *rand.Rand
	seed     int
	clock    *testnet.Clock
	rate     atomic.Int64 // of the clock, in thousandths of the time that passes
	codes    []string     // the honest
	far      []string     // of them, those for whom the relay carries; the first two do not reach each other
	hub      string
	hostile  *testnet.Hostile
	mode     atomic.Int32 // of the relay's hostility
	digest   [32]byte
	proposal decision.Proposal
	rogues   []rogue
	lied     time.Time // by the clock: when they lied

	objects, made, quota int
	sets                 map[string][][]string // whom each gives to: everybody, or one of a few sets of others
	given                map[string]int
	want                 map[string]map[string]string // what each is to have: what is its own, and what others give it
	mu                   sync.Mutex
	perhaps              map[string]bool // what liars gave before they were caught
	patience             time.Duration
}

func newAlliance(t *testing.T, nations, objects int) *alliance {
	a := &alliance{t: t, objects: objects, seed: number(t, "ENTENTE_SEED", int(time.Now().UnixNano()&0xffffff)), quota: max(100, 2*objects/nations), hub: "HUB", hostile: &testnet.Hostile{},
		sets: map[string][][]string{}, given: map[string]int{}, want: map[string]map[string]string{}, perhaps: map[string]bool{}, patience: time.Duration(number(t, "ENTENTE_PATIENCE", 300)) * time.Second}
	a.r = rand.New(rand.NewPCG(uint64(a.seed), 1))
	a.codes = make([]string, nations)
	skew := map[string]time.Duration{}
	for i := range a.codes {
		a.codes[i] = fmt.Sprintf("A%c%c", 'A'+i/26, 'A'+i%26)
		skew[a.codes[i]] = time.Duration(a.r.IntN(2*int(mostSkew/time.Second)+1))*time.Second - mostSkew
	}
	a.far = a.codes[:4]
	all := slices.Clone(a.codes)
	for _, l := range lies {
		a.rogues = append(a.rogues, rogue{lie: l, code: testnet.Unused()})
		all = append(all, a.rogues[len(a.rogues)-1].code)
	}
	t.Logf("seed %d: %d nations, %d that lie, %d objects", a.seed, nations, len(a.rogues), objects)
	a.clock = testnet.NewClock(time.Now().Add(5 * time.Minute)) // all keys count, whatever a clock says
	a.run()
	a.hostility()
	a.net = testnet.New(t, testnet.Options{Now: a.clock.Now, Skew: skew, Tick: time.Duration(max(1, nations/8)) * time.Second, Relays: []string{a.hub},
		Carrier: func(n *testnet.Nation, c peer.Carrier) peer.Carrier { return n.Hostile(c, a.hostile) }}, append(slices.Clone(all), a.hub)...)
	text := testnet.Treaty{Name: "all", Parties: all, PerDay: a.quota, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Amber, Subset: true}}}.Text()
	text = strings.Replace(text, "  suspend {", "  decide \"block\" {\n"+unanimous+"  }\n  suspend {", 1)
	a.net.Agree(text, all...)
	b, err := accord.NewBundle([]byte(text), testnet.Realm)
	if err == nil {
		a.digest, err = accord.ParseDigest(b.Digest())
	}
	if err != nil {
		t.Fatal(err)
	}
	a.net.Agree(testnet.Treaty{Name: "far", Parties: a.far, Relays: []string{a.hub}, Gives: []testnet.Give{{Kinds: []string{"campaign"}, Ceiling: label.Green}}}.Text(), a.far...)
	a.net.Part(a.far[0], a.far[1])
	for _, r := range a.rogues {
		a.net.As(r.code).Stop() // the test speaks for them
	}
	for _, of := range a.codes {
		a.want[of] = map[string]string{}
		others := slices.DeleteFunc(slices.Clone(a.codes), func(c string) bool { return c == of })
		if i := slices.Index(a.far[:2], of); i >= 0 { // what no relay carries under this accord does not get there
			others = slices.DeleteFunc(others, func(c string) bool { return c == a.far[1-i] })
		}
		a.sets[of] = [][]string{slices.Clone(others)}
		for range 5 {
			a.r.Shuffle(len(others), func(i, k int) { others[i], others[k] = others[k], others[i] })
			a.sets[of] = append(a.sets[of], slices.Clone(others[:1+a.r.IntN(min(4, len(others)))]))
		}
	}
	proposer := a.net.As(a.codes[2])
	v, err := proposer.Decisions.Propose(t.Context(), proposer.Viewer(gate.RoleSignatory), decisions.Wish{Accord: "all", Rule: "block", Title: "the network 192.0.2.0/24"})
	if err != nil {
		t.Fatal(err)
	}
	a.proposal = v.What
	for i := range 4 { // over the relay, while it is honest
		for k, x := range a.far[:2] {
			a.carry(x, a.far[1-k], 10*i+k)
		}
	}
	return a
}

// mostSkew is how far a clock is from the true time.
const mostSkew = time.Minute

// run has the clock go, as fast as the test wants.
func (a *alliance) run() {
	a.rate.Store(1000)
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for last := time.Now(); ; {
			select {
			case <-end:
				return
			case <-time.After(20 * time.Millisecond):
			}
			now := time.Now()
			a.clock.Move(now.Sub(last) * time.Duration(a.rate.Load()) / 1000)
			last = now
		}
	}()
	a.t.Cleanup(func() { close(end); <-done })
}

// cut cuts some lines, which are to be healed.
func (a *alliance) cut() (cuts [][2]string) {
	for range len(a.codes) / 2 {
		x, y := a.codes[a.r.IntN(len(a.codes))], a.codes[a.r.IntN(len(a.codes))]
		if x != y && !(slices.Contains(a.far[:2], x) && slices.Contains(a.far[:2], y)) {
			a.net.Part(x, y)
			cuts = append(cuts, [2]string{x, y})
		}
	}
	return cuts
}

// push has a nation give some objects to some others, up to a number of all.
func (a *alliance) push(most int) {
	of := a.codes[a.r.IntN(len(a.codes))]
	n := min(1+a.r.IntN(20), most-a.made)
	if a.given[of]+n > a.quota { // it would wait until tomorrow
		return
	}
	a.given[of] += n
	to := a.sets[of][a.r.IntN(len(a.sets[of]))]
	var batch []string
	for range n {
		a.made++
		batch = append(batch, testnet.Malware(a.made, 1, fmt.Sprintf("object %d", a.made), "of "+of))
		for _, c := range append(slices.Clone(to), of) {
			a.want[c][testnet.ID("malware", a.made)] = of
		}
	}
	a.net.As(of).Push(testnet.To(label.Amber, to...), batch...)
}

// carry has one of those for whom the relay carries give something to another, and to a third that reaches both and hears what the relay says to each.
func (a *alliance) carry(from, to string, n int) {
	third := a.far[2]
	a.net.As(from).Push(testnet.To(label.Green, to, third), testnet.Campaign(n, 1, fmt.Sprintf("campaign %d", n), "of "+from))
	for _, c := range []string{from, to, third} {
		a.want[c][testnet.ID("campaign", n)] = from + " over the relay"
	}
}

// lacks says what a nation has not that it is to have; empty: nothing.
func (a *alliance) lacks(c string) string {
	has := a.nothingElse(c)
	lacks := map[string]int{}
	for id, of := range a.want[c] {
		if !has[id] {
			lacks[of]++
		}
	}
	if len(lacks) == 0 {
		return ""
	}
	return fmt.Sprintf("of %d objects it lacks, by who gave them: %v", len(a.want[c]), lacks)
}

// state says how the lines of a nation to the honest are, and how much of their logs is here.
func (a *alliance) state(c string) (out string) {
	ctx := a.t.Context()
	links, err := a.net.As(c).Federation.Links(ctx)
	for _, l := range links {
		if !slices.Contains(a.codes, l.Nation) {
			continue
		}
		out += fmt.Sprintf("\n%s: up %v since %v, refused %d, %s %s %v", l.Nation, l.Up, l.Since.Format(time.TimeOnly), l.Refused, l.Code, l.Error, l.Alarms)
		theirs, err := a.net.As(l.Nation).Ledger.Logs(ctx, ledger.Filter{Own: true, Party: label.Org(c, testnet.Org(c))})
		if err != nil {
			return err.Error()
		}
		for _, g := range theirs {
			here, err := a.net.As(c).Ledger.Log(ctx, g.Origin)
			out += fmt.Sprintf("\n  %s for %d: %d of %d signed at %s, here %d signed at %s %v", g.Accord, len(g.Parties), g.Signed.Size, g.Size, g.Signed.Time.Format(time.TimeOnly), here.Size, here.Signed.Time.Format(time.TimeOnly), err)
		}
	}
	return fmt.Sprint(out, " ", err)
}

// nothingElse holds what a nation has against what it may have.
func (a *alliance) nothingElse(c string) map[string]bool {
	a.t.Helper()
	has := map[string]bool{}
	for _, it := range a.net.As(c).Held() {
		has[it.Record.ID] = true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for id := range has {
		if a.want[c][id] == "" && !a.perhaps[id] {
			a.t.Fatalf("seed %d: %s has %s, which is not for it", a.seed, c, id)
		}
	}
	return has
}

// until waits until something holds for each of some nations. By the clock it must hold within a limit after the lies, if there is one: where the machine is slow,
// the clock goes slower.
func (a *alliance) until(what string, limit time.Duration, codes []string, holds func(c string) string) {
	a.t.Helper()
	defer a.rate.Store(a.rate.Load())
	began := time.Now()
	for _, c := range codes {
		for why := holds(c); why != ""; why = holds(c) {
			since := a.clock.Now().Sub(a.lied)
			if limit > 0 && since > limit-10*time.Second {
				a.rate.Store(100)
			}
			if time.Since(began) > a.patience || limit > 0 && since > limit {
				a.t.Log(a.state(c))
				a.t.Fatalf("seed %d: %s: %s: %s (after %v; by the clock %v after the lies)", a.seed, what, c, why, time.Since(began), since)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	a.t.Logf("%s after %v; by the clock %v after the lies", what, time.Since(began).Round(time.Millisecond), a.clock.Now().Sub(a.lied).Round(time.Second))
}
