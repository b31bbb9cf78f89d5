package decision

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"entente/keylog"
)

// The explorer goes through every state of a small world: honest parties that acknowledge, speak, and let time pass at their own clocks, in every order and each at
// its own pace; and a combiner, itself a party and the proposer, that has whatever anybody ever said, leaves out what it likes, shows logs as they once were,
// amends the proposal in the middle, and makes every certificate that it can. Each is judged by Verify. What the parties truly did decides whether it may hold.

// Phases of a party's own clock.
const (
	early  = iota // there is notice in time
	middle        // the deadline is to come, and notice comes too late
	over          // the deadline has passed
)

var phaseTimes = [...]time.Time{opens.Add(time.Hour), opens.Add(13 * time.Hour), deadline}

// act is one thing that an honest party does.
type act struct {
	tick  bool
	round int    // of what it is about: 0 or 1
	say   Choice // empty: ack
}

// truth is what a party did about one proposal.
type truth struct {
	acked           int // phase; -1: not
	consent, veto   bool
	reserved, final bool
}

// history is a party's past.
type history struct {
	acts  []act
	phase int
	truth [2]truth
	can   [2]uint64 // classes of contributions that its messages make possible, by proposal
}

// histories lists every past of one party: spoken bounds what it says about one proposal.
func histories(rounds, spoken int) (all []history) {
	choices := []Choice{Consent, Veto, Reservation}
	var walk func(h history, said [2]int)
	walk = func(h history, said [2]int) {
		all = append(all, h)
		next := func(a act, change func(*history), round int) {
			n := h
			n.acts = append(slices.Clone(h.acts), a)
			change(&n)
			s := said
			if a.say != "" {
				s[round]++
			}
			walk(n, s)
		}
		if h.phase < over {
			next(act{tick: true}, func(n *history) { n.phase++ }, 0)
		}
		for r := range rounds {
			t := &h.truth[r]
			if t.acked < 0 {
				next(act{round: r}, func(n *history) { n.truth[r].acked = h.phase }, r)
				continue
			}
			if h.phase == over || t.final || said[r] == spoken {
				continue
			}
			for _, c := range choices {
				if c == Reservation && t.reserved {
					continue
				}
				next(act{round: r, say: c}, func(n *history) {
					n.truth[r].consent, n.truth[r].veto, n.truth[r].final = c == Consent, c == Veto, c.Final()
					n.truth[r].reserved = t.reserved || c == Reservation
				}, r)
			}
		}
	}
	h := history{}
	h.truth[0].acked, h.truth[1].acked = -1, -1
	walk(h, [2]int{})
	return all
}

// contribution is what the combiner takes of one party.
type contribution struct {
	name      string // the same for the same messages
	positions [][]byte
	silence   *Silence
}

// class is contributions that the real judgement of each finds to say the same.
type class struct {
	contribution
	foreign bool // it holds a position on another proposal
}

type explorer struct {
	t       *testing.T
	w       [2]*world // one proposal each: the second round, under the second version of the accord
	honest  []string
	rounds  int
	fault   fault
	cases   [2]*Case
	classes [2]map[string][]class // by nation; 0 is nothing
	index   [2]map[string]int     // by nation and what it says
	openers [2]*Opener
	known   map[string]int // what classify found
	memo    []*Result
	asked   []bool
	tried   int
}

func newExplorer(t *testing.T, rule string, honest []string, rounds int, f fault) *explorer {
	x := &explorer{t: t, honest: honest, rounds: rounds, fault: f, known: map[string]int{}, memo: make([]*Result, 4<<18), asked: make([]bool, 4<<18)}
	all := append(slices.Clone(honest), "ZMB")
	for r := range 2 {
		title := fmt.Sprintf("Text %d", r+1)
		x.w[r] = newWorld(t, rule+fmt.Sprintf("\nreview = \"%dd\"", r+10), func(p *Proposal) {
			p.Nation, p.Org, p.Title, p.Round, p.Affected = "ZMB", "zmb.cert", title, r+1, honest
		}, all...)
		x.w[r].envelope = x.w[r].propose(x.w[r].proposal, x.w[r].party("ZMB"))
		x.openers[r] = x.w[r].opener()
		x.openers[r].seeded = x.fault
		var err error
		if x.cases[r], err = x.openers[r].Case(x.w[r].bundle, nil, x.w[r].envelope); err != nil {
			t.Fatal(err)
		}
		x.classes[r], x.index[r] = map[string][]class{}, map[string]int{}
	}
	return x
}

// replay puts a past into a party's log and gives every contribution that its messages allow.
func (x *explorer) replay(nation string, h *history) (out []contribution) {
	p := newParty(x.t, nation, realm)
	var acks [2]int
	acks[0], acks[1] = -1, -1
	var positions []contribution
	phase := early
	var heads []contribution
	past := ""
	show := func() {
		for r := range x.rounds {
			if acks[r] >= 0 {
				if s, err := NewSilence(nation, x.w[r].proposal.Topic(), p.edges[acks[r]], p.frames[acks[r]:], p.head(x.t, phaseTimes[phase])); err == nil {
					heads = append(heads, contribution{fmt.Sprint(past, " from ", r), nil, s})
				}
			}
		}
	}
	for _, a := range h.acts {
		at := phaseTimes[phase]
		w := x.w[a.round]
		switch {
		case a.tick:
			phase++
		case a.say == "":
			acks[a.round] = p.say(w.proposal.Topic(), once(fmt.Sprint("ack", nation, a.round, phase, w.proposal.Digest()), func() []byte {
				e, err := SignAck(realm, Ack{Proposal: w.proposal.Digest(), Round: w.proposal.Round, Nation: nation, Org: p.org, Time: at}, p.node)
				if err != nil {
					x.t.Fatal(err)
				}
				return e
			}), at)
		default:
			e := once(fmt.Sprint("say", nation, a.round, a.say, phase, w.proposal.Digest()), func() []byte { return w.position(nation, a.say, at) })
			p.say(w.proposal.Topic(), e, at)
			positions = append(positions, contribution{fmt.Sprint("say", nation, a.round, a.say, phase), [][]byte{e}, nil})
		}
		past += fmt.Sprint(a)
		show()
	}
	out = append(out, contribution{}, contribution{"asserted", nil, &Silence{Nation: nation}})
	out = append(append(out, positions...), heads...)
	for _, h := range heads {
		for _, p := range positions {
			out = append(out, contribution{h.name + p.name, p.positions, h.silence})
		}
	}
	return out
}

var made = map[string][]byte{}

// once makes what costs a signature once.
func once(name string, f func() []byte) []byte {
	if made[name] == nil {
		made[name] = f()
	}
	return made[name]
}

// head is checkpoint, signed once for the same log.
func (p *party) head(t testing.TB, at time.Time) []byte {
	root := p.edge.Root()
	return once(fmt.Sprint("head", p.nation, root, at), func() []byte { return p.checkpoint(t, at) })
}

// classify judges a contribution by itself and gives the number of its class; -1: it is refused.
func (x *explorer) classify(r int, nation string, c contribution) (number int) {
	name := fmt.Sprint(r, nation, c.name)
	if k, ok := x.known[name]; ok {
		return k
	}
	defer func() { x.known[name] = number }()
	if c.name == "" {
		return 0
	}
	foreign := false
	var h heard
	take := func(p *Position) {
		foreign = foreign || p.Proposal != x.cases[r].Digest
		h.take(p)
	}
	for _, e := range c.positions {
		p, err := x.cases[r].Position(e)
		if err != nil {
			return -1
		}
		take(p)
	}
	noticed := false
	if c.silence != nil {
		s, err := x.cases[r].silence(c.silence)
		if err != nil {
			return -1
		}
		h.shown, noticed = s, s.noticed
		for _, p := range s.positions {
			take(p)
		}
	}
	if len(x.classes[r][nation]) == 0 {
		x.classes[r][nation] = []class{{}}
	}
	key := fmt.Sprint(nation, h.how(), h.consent, h.veto, h.shown != nil, noticed, foreign)
	i, ok := x.index[r][key]
	if !ok {
		i = len(x.classes[r][nation])
		if i >= 64 {
			x.t.Fatal("more classes than a word has bits")
		}
		x.index[r][key] = i
		x.classes[r][nation] = append(x.classes[r][nation], class{c, foreign})
	}
	return i
}

// judge asks Verify about the certificate that the classes make, for both outcomes.
func (x *explorer) judge(r int, outcome Outcome, pick []int) *Result {
	key := r
	if outcome == Yes {
		key += 2
	}
	for i := range 3 {
		key <<= 6
		if i < len(pick) {
			key += pick[i]
		}
	}
	if x.asked[key] {
		return x.memo[key]
	}
	x.asked[key] = true
	w := x.w[r]
	type raw struct {
		p *Position
		b []byte
	}
	var positions []raw
	c := Certificate{V: 1, Realm: realm, Outcome: outcome, Accord: *w.bundle, Proposal: w.envelope, KeyHeads: []KeyHead{}}
	add := func(b []byte) {
		p, _, err := x.openers[r].Position(b)
		if err != nil {
			x.t.Fatal(err)
		}
		positions = append(positions, raw{p, b})
	}
	add(once(fmt.Sprint("say ZMB", r, w.proposal.Digest()), func() []byte { return w.position("ZMB", Consent, phaseTimes[early]) }))
	for i, n := range x.honest {
		if pick[i] == 0 {
			continue
		}
		k := x.classes[r][n][pick[i]]
		for _, b := range k.positions {
			add(b)
		}
		if k.silence != nil {
			c.Silences = append(c.Silences, *k.silence)
		}
	}
	slices.SortFunc(positions, func(a, b raw) int { return compare(a.p, a.b, b.p, b.b) })
	for _, p := range positions {
		c.Positions = append(c.Positions, p.b)
	}
	parsed, err := Parse(c.Bytes())
	if err != nil {
		x.t.Fatal(err)
	}
	x.tried++
	got, err := parsed.verify(x.openers[r], known)
	if err != nil {
		got = nil
	}
	x.memo[key] = got
	return got
}

// explore gives how many states there are and how often each invariant is violated.
func (x *explorer) explore(spoken int) (states int, violated map[string]int) {
	violated = map[string]int{}
	all := make([][]history, len(x.honest))
	for i, n := range x.honest {
		all[i] = histories(x.rounds, spoken)
		for j := range all[i] {
			h := &all[i][j]
			for _, c := range x.replay(n, h) {
				for r := range x.rounds {
					if k := x.classify(r, n, c); k >= 0 {
						h.can[r] |= 1 << k
					}
				}
			}
		}
	}
	pick := make([]int, len(x.honest))
	joint := make([]*history, len(x.honest))
	// What can be made of the same sets of contributions, and whether it may be, is the same wherever the truth is.
	type situation struct {
		can   [3]uint64
		truth [3]truth
		over  [3]bool
		round int
	}
	seen := map[situation]map[string]bool{}
	var walk func(i int)
	walk = func(i int) {
		if i < len(joint) {
			for j := range all[i] {
				joint[i] = &all[i][j]
				walk(i + 1)
			}
			return
		}
		states++
		for r := range x.rounds {
			var s situation
			s.round = r
			for i, h := range joint {
				s.can[i], s.truth[i], s.over[i] = h.can[r], h.truth[r], h.phase == over
			}
			wrong, ok := seen[s]
			if !ok {
				wrong = map[string]bool{}
				outcomes := map[Outcome]bool{}
				var choose func(i int)
				choose = func(i int) {
					if i < len(pick) {
						for k := range 64 {
							if joint[i].can[r]&(1<<k) != 0 {
								pick[i] = k
								choose(i + 1)
							}
						}
						return
					}
					for _, outcome := range []Outcome{Yes, No} {
						if got := x.judge(r, outcome, pick); got != nil {
							outcomes[outcome] = true
							x.hold(r, joint, pick, got, wrong)
						}
					}
				}
				choose(0)
				if outcomes[Yes] && outcomes[No] {
					wrong["I5"] = true
				}
				seen[s] = wrong
			}
			for k := range wrong {
				violated[k]++
			}
		}
	}
	walk(0)
	return states, violated
}

// hold compares a certificate that was taken with what the parties truly did.
func (x *explorer) hold(r int, joint []*history, pick []int, got *Result, wrong map[string]bool) {
	if got.Proposal != x.w[r].proposal.Digest() || got.Accord != x.w[r].proposal.Accord {
		wrong["I6"] = true // executed under another name
	}
	for i, n := range x.honest {
		h, t := joint[i], &joint[i].truth[r]
		v := got.Voices[slices.IndexFunc(got.Voices, func(v Voice) bool { return v.Nation == n })]
		if got.Outcome == Yes && t.veto {
			wrong["I1"] = true
		}
		if v.How == Consented && !t.consent || v.How == Vetoed && !t.veto {
			wrong["I2"] = true
		}
		if pick[i] > 0 && x.classes[r][n][pick[i]].foreign {
			wrong["I3"] = true
		}
		if v.How == Silent && (h.phase != over || t.acked != early || t.reserved || t.final) {
			wrong["I4"] = true
		}
	}
}

func TestEveryCertificateOfASmallWorldIsTrue(t *testing.T) {
	const everybody = "consent = all\nsilence = allowed"
	const some = "consent = 2\nsilence = allowed\nveto = affected-party\nunreachable = abstains"
	type row struct {
		name           string
		rule           string
		honest, rounds int
		spoken         int
		fault          fault
		violates       []string
	}
	rows := []row{
		{"two parties, two rounds", everybody, 2, 2, 1, fault{}, nil},
		{"two parties, two rounds, a veto of the affected", some, 2, 2, 1, fault{}, nil},
		{"three parties, one round", everybody, 3, 1, 2, fault{}, nil},
		{"three parties, one round, a veto of the affected", some, 3, 1, 2, fault{}, nil},
		{"nothing is bound, and the inbox is the truth", everybody, 2, 2, 1, fault{unbound: true, inbox: true}, []string{"I1", "I2", "I3", "I4"}},
		{"silence by the inbox", everybody, 2, 1, 1, fault{inbox: true}, []string{"I1", "I4"}},
		{"silence before the deadline", everybody, 2, 1, 1, fault{early: true}, []string{"I1", "I4"}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			x := newExplorer(t, r.rule, []string{"KWT", "MEX", "OMN"}[:r.honest], r.rounds, r.fault)
			states, violated := x.explore(r.spoken)
			t.Logf("%d states, %d certificates judged, violated: %v", states, x.tried, violated)
			for _, i := range r.violates {
				if violated[i] == 0 {
					t.Errorf("%s is not violated by a verifier that leaves this out: the explorer would not see it", i)
				}
			}
			if len(r.violates) == 0 && len(violated) > 0 {
				t.Errorf("violated: %v", violated)
			}
			yes, no := false, false
			for _, got := range x.memo {
				yes = yes || got != nil && got.Outcome == Yes
				no = no || got != nil && got.Outcome == No
			}
			if !yes || !no {
				t.Error("nothing was decided in any state: the explorer tells nothing")
			}
		})
	}
}

// I7 and I8: what was said in an exercise, and what is said by a nation that is no party, never counts.
func TestWordsOfAnotherRealmAndOfStrangersNeverCount(t *testing.T) {
	w := newWorld(t, "consent = 2\nunreachable = abstains", nil, nations...)
	usa := w.party("USA")
	p := Position{Proposal: w.proposal.Digest(), Round: 1, Accord: w.proposal.Accord, Choice: Consent, Nation: "USA", Org: usa.org, Time: opens}
	exercise, err := SignPosition("exercise:x", p, usa.voters[0])
	if err != nil {
		t.Fatal(err)
	}
	stranger := newParty(t, "ZMB", realm)
	p.Nation, p.Org = "ZMB", stranger.org
	foreign, _ := SignPosition(realm, p, stranger.voters[0])
	p.Nation, p.Org = "USA", usa.org
	borrowed, _ := SignPosition(realm, p, stranger.voters[0])
	byNode, _ := SignPosition(realm, p, usa.node)
	keys := func(n string) *keylog.State {
		if n == "ZMB" {
			return stranger.log.State()
		}
		return w.keys(n)
	}
	for name, e := range map[string][]byte{"in an exercise": exercise, "of a stranger": foreign, "by a stranger's key": borrowed, "by a node's key": byNode} {
		c, r, err := (&Opener{Realm: realm, Keys: keys}).Combine(Parts{Accord: w.bundle, Proposal: w.envelope, Positions: [][]byte{w.position("KWT", Consent, opens), e}})
		if err != nil || c != nil || r.Have != 1 || len(r.LeftOut) != 1 {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
	}
	if _, _, err := (&Opener{Realm: "exercise:x", Keys: keys}).Combine(Parts{Accord: w.bundle, Proposal: w.envelope}); code(err) != CodeAccord {
		t.Errorf("an operational accord in an exercise: %v", err)
	}
}
