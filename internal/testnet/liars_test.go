package testnet_test

import (
	"slices"
	"strings"
	"sync"
	"time"

	"entente/decision"
	"entente/internal/federation"
	"entente/internal/testnet"
	"entente/keylog"
	"entente/label"
	"entente/peer"
	"entente/proof"
)

// rogue is a nation of an alliance that lies.
type rogue struct {
	lie
	code string
}

// fresh is how long something may be kept from a nation until it sees that: the newest checkpoint of a log is no older.
const fresh = 90 * time.Second

// lie is a way to lie, and how it shows: by a proof, or by an alarm.
type lie struct {
	name  string
	tell  func(a *alliance, n *testnet.Nation, i int)
	proof proof.Kind
	alarm string
	seen  func(a *alliance) []string // who sees it; nil: everybody
	limit time.Duration              // fresh, where it is not said
}

func first(a *alliance) []string { return a.codes[:1] }

// lies are the ways to lie. The objects of the ith are -1000*i-1 and so on.
var lies = []lie{
	{name: "it shows each half another past", proof: proof.LogFork, tell: func(a *alliance, n *testnet.Nation, i int) {
		for k, x := range a.codes {
			a.told(n, x, a.codes, a.malware(i, 1, []string{"one", "two"}[k%2]))
		}
	}},
	{name: "it shows two key logs", proof: proof.KeyLogFork, tell: func(a *alliance, n *testnet.Nation, _ int) {
		n.Twice(a.net.As(a.codes[0]), a.net.As(a.codes[1]))
	}},
	{name: "it takes back what it showed", proof: proof.LogFork, tell: func(a *alliance, n *testnet.Nation, i int) {
		for _, x := range a.codes {
			a.told(n, x, a.codes, a.malware(i, 1, "one"), a.malware(i, 2, "two"))
		}
		for at := a.clock.Now(); a.clock.Now().Sub(at) < 1100*time.Millisecond; { // a checkpoint tells whole seconds
			time.Sleep(10 * time.Millisecond)
		}
		a.told(n, a.codes[0], a.codes, a.malware(i, 1, "one"))
	}},
	{name: "it signs two objects as one version", proof: proof.Conflict, seen: first, tell: func(a *alliance, n *testnet.Nation, i int) {
		a.told(n, a.codes[0], a.codes, a.malware(i, 1, "one"))
		n.TellIn("other", a.net.As(a.codes[0]), a.digest, strictFrom(a.lied, n.Code, a.codes[0]), parties(a.codes[0]), a.malware(i, 1, "two"))
	}},
	{name: "it says yes and no", proof: proof.Position, tell: func(a *alliance, n *testnet.Nation, _ int) {
		for _, x := range a.codes[1:3] {
			n.Sway(a.net.As(x), "all", &a.proposal, parties(append(slices.Clone(a.codes), a.hub)...), decision.Consent, decision.Veto)
		}
	}},
	{name: "it gives some more than others, and then nothing more", alarm: federation.AlarmBehind, seen: func(a *alliance) []string { return a.codes[1:] }, tell: func(a *alliance, n *testnet.Nation, i int) {
		a.told(n, a.codes[0], a.codes, a.malware(i, 1, "one"), a.malware(i, 2, "two"))
		for _, x := range a.codes[1 : len(a.codes)/2] { // the others hear nothing at all
			a.told(n, x, a.codes, a.malware(i, 1, "one"))
		}
	}},
	{name: "it falls silent", alarm: federation.AlarmStale, limit: fresh + mostSkew + 30*time.Second, tell: func(a *alliance, n *testnet.Nation, i int) {
		for _, x := range a.codes {
			a.told(n, x, a.codes, a.malware(i, 1, "one"))
		}
	}},
	{name: "it gives what it may not", alarm: federation.AlarmRefused, seen: first, tell: func(a *alliance, n *testnet.Nation, i int) {
		to := a.codes[0]
		say := func(change func(l *testnet.Leaf)) testnet.Leaf {
			l := testnet.Leaf{At: a.clock.Now(), Signer: keylog.RoleOriginate, Realm: testnet.Realm, What: peer.Rendition{Accord: a.digest, Audience: parties(to), Class: peer.Full, Nation: n.Code, Org: testnet.Org(n.Code),
				Object: []byte(testnet.Malware(smuggled(i), 1, "smuggled", "")), Label: strictFrom(a.lied, n.Code, to)}}
			change(&l)
			return l
		}
		var all []testnet.Leaf
		for k := range 12 {
			all = append(all, say(func(l *testnet.Leaf) {
				l.What.Object = []byte(testnet.Campaign(smuggled(i)-k, 1, "of another kind", ""))
			}))
		}
		all = append(all, say(func(l *testnet.Leaf) { l.What.Nation, l.What.Org = a.codes[3], testnet.Org(a.codes[3]) }),
			say(func(l *testnet.Leaf) { l.What.Audience = parties(a.codes[2]) }),
			say(func(l *testnet.Leaf) { l.What.Label.PAP = label.PAPClear }),
			say(func(l *testnet.Leaf) { l.Signer = keylog.RoleNode }))
		for k, did := range n.Claim(a.net.As(to), all...) {
			if did[0] != peer.DidRefuse {
				a.t.Errorf("seed %d: leaf %d of what may not be given: %v", a.seed, k, did)
			}
		}
	}},
	{name: "it floods", alarm: federation.AlarmRefused, seen: first, tell: func(a *alliance, n *testnet.Nation, i int) {
		var flood []string
		for k := range a.quota + 20 {
			flood = append(flood, a.malware(i, k, "flood"))
		}
		a.told(n, a.codes[0], a.codes[:1], flood...)
	}},
}

// smuggled is what nobody may have.
func smuggled(i int) int { return -1_000_000 - 1000*i }

// malware is an object of who lies in the ith way, which may be somewhere.
func (a *alliance) malware(i, k int, name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := -1000*i - k - 1
	a.perhaps[testnet.ID("malware", n)] = true
	return testnet.Malware(n, 1, name, "")
}

// told has a nation tell objects, in a log for some, to one of them.
func (a *alliance) told(n *testnet.Nation, to string, parts []string, objects ...string) {
	// Who knows already that it lies takes nothing.
	if status := n.Tell(a.net.As(to), a.digest, strictFrom(a.lied, n.Code, parts...), parties(parts...), objects...); status != 204 && status != 422 {
		a.t.Logf("%s tells %s: %d", n.Code, to, status)
	}
}

// lie has all who lie do it, at the same time.
func (a *alliance) lie() {
	a.lied = a.clock.Now()
	var all sync.WaitGroup
	for i, r := range a.rogues {
		all.Go(func() { r.tell(a, a.net.As(r.code), i) })
	}
	all.Wait()
}

// caught waits until every lie shows where it is to show, and nowhere else.
func (a *alliance) caught() {
	a.t.Helper()
	a.until("who was lied to has the proof", fresh, a.codes, func(c string) string {
		kept := a.proofs(c)
		for _, r := range a.rogues {
			if r.proof != "" && (r.seen == nil || slices.Contains(r.seen(a), c)) && !slices.ContainsFunc(kept[r.code], func(f proof.Finding) bool { return f.Kind == r.proof }) {
				return r.name + ": no proof against " + r.code
			}
		}
		return ""
	})
	for _, l := range []time.Duration{fresh, fresh + mostSkew + 30*time.Second} {
		a.rate.Store(4000)
		for _, r := range a.rogues {
			if r.alarm != "" && max(r.limit, fresh) == l {
				codes := a.codes
				if r.seen != nil {
					codes = r.seen(a)
				}
				a.until(r.name+": it shows", l, codes, func(c string) string {
					if !a.alarmed(c, r.code, r.alarm) {
						return "no alarm about " + r.code
					}
					return ""
				})
			}
		}
	}
	a.rate.Store(1000)
	for _, c := range a.codes {
		for code, found := range a.proofs(c) {
			if slices.Contains(a.codes, code) {
				a.t.Errorf("seed %d: %s accuses %s, which keeps to everything: %+v", a.seed, c, code, found)
			}
		}
	}
	all, err := a.net.As(a.codes[0]).Federation.Proofs(a.t.Context())
	for _, p := range all {
		if f, err := proof.Verify(p.File); err != nil || f.Nation != p.Found.Nation || f.Kind != p.Found.Kind {
			a.t.Errorf("seed %d: the file alone does not show it: %+v %v", a.seed, f, err)
		}
	}
	if err != nil || len(all) < 5 {
		a.t.Errorf("seed %d: %d proofs, %v", a.seed, len(all), err)
	}
}

// proofs are the findings that a nation keeps, by the accused.
func (a *alliance) proofs(c string) map[string][]proof.Finding {
	a.t.Helper()
	out := map[string][]proof.Finding{}
	all, err := a.net.As(c).Federation.Proofs(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	for _, p := range all {
		out[p.Found.Nation] = append(out[p.Found.Nation], p.Found)
	}
	return out
}

func (a *alliance) alarmed(c, about, kind string) bool {
	a.t.Helper()
	all, err := a.net.As(c).Federation.Alarms(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	return slices.ContainsFunc(all, func(x federation.Alarm) bool { return x.Nation == about && x.Kind == kind })
}

// What the relay does, one after the other.
const (
	tampering = iota + 1
	withholding
)

// hostility prepares what the relay does once it begins.
func (a *alliance) hostility() {
	var old *peer.SealedBatch
	a.hostile.Mute = true // it drops all messages
	a.hostile.Batch = func(b *peer.SealedBatch) *peer.SealedBatch {
		if a.mode.Load() != tampering || len(b.Items) == 0 {
			return b
		}
		if old != nil && old.Origin == b.Origin && a.r.IntN(2) == 0 { // what it gave before, once more
			return old
		}
		old = &peer.SealedBatch{}
		*old = *b
		b.Items[0].Box[40] ^= 1
		return b
	}
	a.hostile.Head = func(h peer.RelayHead) (peer.RelayHead, bool) {
		if a.mode.Load() == withholding && h.Size > 0 {
			h.Size--
			h.Root[0] ^= 1
		}
		return h, true
	}
}

// overRelay has the relay become hostile: what it changes is not taken, what it keeps back is proved, and when the line is there again all is.
func (a *alliance) overRelay() {
	a.t.Helper()
	bad := func(c string) bool {
		return slices.ContainsFunc(a.net.As(c).Federation.Relays(), func(r federation.RelayHealth) bool {
			return !r.Behind.IsZero() || strings.Contains(r.Error, "not taken")
		})
	}
	x, y := a.far[0], a.far[1]
	a.until("the relay is as it is to be", 0, []string{x, y}, func(c string) string {
		if bad(c) {
			return "it is not"
		}
		return ""
	})
	a.mode.Store(tampering)
	a.hostile.Begin()
	a.lied = a.clock.Now()
	for n := 100; n < 103; n++ {
		a.carry(x, y, n)
		a.carry(y, x, n+100)
	}
	a.until("what the relay changed is noticed", fresh, []string{x, y}, func(c string) string {
		if bad(c) {
			return ""
		}
		return "it is not"
	})
	for n := 100; n < 103; n++ {
		if a.net.As(y).Sees(testnet.ID("campaign", n)) {
			a.t.Errorf("seed %d: what the relay made up is taken", a.seed)
		}
	}
	a.lied = a.clock.Now()
	a.mode.Store(withholding)
	a.until("what the relay keeps back is proved", fresh, a.far, func(c string) string {
		for _, f := range a.proofs(c)[a.hub] {
			if f.Kind == proof.Withheld {
				return ""
			}
		}
		return "no proof"
	})
	if got := a.net.As(a.hub).Held(); len(got) > 0 {
		a.t.Errorf("seed %d: the relay has %d records of what it carries", a.seed, len(got))
	}
	a.net.Heal(x, y)
	a.until("what it kept back came straight", 0, a.codes, a.lacks)
}
