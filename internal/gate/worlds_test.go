package gate

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"entente/accord"
	"entente/label"
)

// A world is a few nations, the accords that bind some of them, the links that carry, and objects that name each other. Everybody is honest but one, who passes on whatever
// it has to whomever it knows.
type world struct {
	parties []Party
	accords []*accord.Terms
	objects []thing
	rogue   int
	up      [2][][]bool     // which links carry, in the first half of the day and in the second
	sends   []sent          // in the order in which they went
	has     []map[int]*held // by party and object
	unsound string          // the first thing that the transcript must not show
}

// thing is an object of the world: its label at first, and the stricter one that it has from the middle of the day on.
type thing struct {
	origin int
	kind   string
	label  label.Label
	later  label.Label
	refs   []int
}

// held is an object in somebody's hands: its label as signed by the originator, under an accord, for an audience.
type held struct {
	label    label.Label
	audience label.Set
	accord   [32]byte
	name     string // of the accord
	origin   int    // as it says
	signed   bool
	hops     int
}

type sent struct{ from, to, object int }

func nation(i int) string { return string([]byte{'A', 'A', byte('A' + i)}) }

func drawWorld(r *rand.Rand) *world {
	w := &world{}
	for i := range 3 + r.IntN(4) {
		w.parties = append(w.parties, Party{nation(i), "cert"})
		w.has = append(w.has, map[int]*held{})
	}
	w.rogue = r.IntN(len(w.parties))
	for half := range w.up {
		for range w.parties {
			row := make([]bool, len(w.parties))
			for i := range row {
				row[i] = r.IntN(3) > 0
			}
			w.up[half] = append(w.up[half], row)
		}
	}
	kinds := []string{"indicator", "report"}
	for i := range 2 + r.IntN(4) {
		t := &accord.Terms{Name: fmt.Sprintf("accord-%d", i), Version: 1, Mode: label.OperationalMode, Effective: day(1), Purpose: label.EveryPurpose, Sectors: label.All(), Community: r.IntN(3) == 0,
			ByKind: map[string][]int{}, Handle: accord.Handle{PAP: label.PAPAmber, Onward: label.Onward(r.IntN(5)), Attribution: label.May, Access: label.Copy}}
		t.Digest[0] = byte(i + 1)
		members := r.Perm(len(w.parties))[:2+r.IntN(len(w.parties)-1)]
		slices.Sort(members)
		for _, m := range members {
			t.Parties = append(t.Parties, accord.Party{Nation: w.parties[m].Nation, Org: w.parties[m].Org})
		}
		all := accord.Parties(1)<<len(members) - 1
		for range 1 + r.IntN(2) {
			c := accord.Clause{Give: accord.Give{Name: "g", Class: label.Unclassified(), Ceiling: label.TLP(r.IntN(4)), Subset: r.IntN(4) == 0}, Number: len(t.Clauses) + 1, FromSet: all, ToSet: all}
			if r.IntN(3) == 0 {
				c.FromSet = 1 << r.IntN(len(members))
			}
			for _, k := range kinds[:1+r.IntN(2)] {
				t.ByKind[k] = append(t.ByKind[k], len(t.Clauses))
			}
			t.Clauses = append(t.Clauses, c)
		}
		w.accords = append(w.accords, t)
	}
	for i := range 2 + r.IntN(5) {
		o := thing{origin: r.IntN(len(w.parties)), kind: kinds[r.IntN(2)], label: w.drawLabel(r)}
		o.later = label.Join(o.label, w.drawLabel(r))
		for j := range i {
			if r.IntN(4) == 0 {
				o.refs = append(o.refs, j)
			}
		}
		w.objects = append(w.objects, o)
	}
	return w
}

func (w *world) drawLabel(r *rand.Rand) label.Label {
	l := label.For(label.TLP(r.IntN(5)))
	var names []string
	for i, p := range w.parties {
		switch r.IntN(6) {
		case 0:
			names = append(names, label.Nation(p.Nation))
		case 1:
			names = append(names, label.Org(p.Nation, p.Org))
		case 2:
			names = append(names, label.Community(w.accords[i%len(w.accords)].Name))
		}
	}
	if r.IntN(8) == 0 {
		names = nil
	}
	if r.IntN(4) > 0 {
		l.Audience, _ = label.NewAudience(names...)
		l.Named = r.IntN(4) > 0
	}
	return l
}

func (w *world) bound(a *accord.Terms, p int) bool {
	return a.Number(w.parties[p].Nation, w.parties[p].Org) >= 0
}

// inAudience is whom the originator lets have an object, from the words of its label and not from the gate: whoever it names, the parties of the accords that it
// names, everybody for CLEAR, and those who share an accord that makes them a community for GREEN.
func (w *world) inAudience(l label.Label, origin, who int) bool {
	if origin == who {
		return true
	}
	p := w.parties[who]
	if !l.Audience.IsAll() {
		if l.Audience.Has("org:"+p.Nation+"/"+p.Org) || l.Audience.Has("nation:"+p.Nation) && l.TLP != label.Red {
			return true
		}
		return l.TLP != label.Red && slices.ContainsFunc(w.accords, func(a *accord.Terms) bool {
			return l.Audience.Has("community:"+a.Name) && w.bound(a, origin) && w.bound(a, who)
		})
	}
	return l.TLP == label.Clear || l.TLP == label.Green && slices.ContainsFunc(w.accords, func(a *accord.Terms) bool {
		return a.Community && w.bound(a, origin) && w.bound(a, who)
	})
}

// system is how the nodes of a world behave.
type system struct {
	// effective is the label of an object that names others.
	effective func(w *world, object int, late bool) label.Label
	// offers tells whether an honest party gives what it has to another under an accord, and what with.
	offers func(w *world, s *Standing, a *accord.Terms, from, to, object int, late bool) (*held, bool)
	// accepts tells whether an honest party keeps what it gets.
	accepts func(w *world, s *Standing, to, object int, h *held) bool
}

// entente is the system of the project: Permit, Together and Accept.
var entente = system{
	effective: func(w *world, object int, late bool) label.Label {
		l := w.objects[object].label
		if late {
			l = w.objects[object].later
		}
		return l
	},
	accepts: func(w *world, s *Standing, to, object int, h *held) bool {
		p := &Parcel{Label: h.label, Origin: w.parties[h.origin], Signed: h.signed, Accord: h.accord, Audience: h.audience, Kind: w.objects[object].kind, Realm: label.OperationalMode}
		return s.Accept(w.parties[to], p, day(today)).OK()
	},
}

func init() { entente.offers = permitted(entente.effective, true) }

// permitted gives what Permit lets go. The originator gives to all at once who are permitted; others pass on what they have as it is.
func permitted(effective func(*world, int, bool) label.Label, closes bool) func(*world, *Standing, *accord.Terms, int, int, int, bool) (*held, bool) {
	return func(w *world, s *Standing, a *accord.Terms, from, to, object int, late bool) (*held, bool) {
		have, o := w.has[from][object], w.objects[object]
		offer := &Offer{Origin: w.parties[o.origin], Kind: o.kind, Realm: label.OperationalMode}
		judge := func(to int) Verdict {
			offer.Closed = !closes || w.closed(object, to)
			return s.Permit(w.parties[from], w.parties[to], offer, day(today), Counters{}, nil)
		}
		if from != o.origin {
			offer.Label, offer.Sealed = have.label, have.signed
			v := judge(to)
			return have, v.Permit()
		}
		offer.Label = effective(w, object, late)
		if !judge(to).Permit() {
			return nil, false
		}
		var verdicts []Verdict
		var names []string
		for q := range w.parties {
			if v := judge(q); v.Permit() {
				verdicts = append(verdicts, v)
				names = append(names, label.Org(w.parties[q].Nation, w.parties[q].Org))
			}
		}
		offer.Closed = true
		l, ok := Together(verdicts...)
		audience, _ := label.NewAudience(names...)
		return &held{label: l, audience: audience, accord: a.Digest, name: a.Name, origin: from, signed: true}, ok
	}
}

// closed tells whether somebody has everything that an object names.
func (w *world) closed(object, who int) bool {
	for _, ref := range w.objects[object].refs {
		if _, ok := w.has[who][ref]; !ok && w.objects[ref].origin != who {
			return false
		}
	}
	return true
}

// run lets everybody give what it has until nothing new goes; from the middle on, under the labels of later.
func (w *world) run(sys system) {
	standings := make([]*Standing, len(w.accords))
	for i, a := range w.accords {
		standings[i], _ = NewStanding(State{Versions: []*accord.Terms{a}})
	}
	for i, o := range w.objects {
		w.has[o.origin][i] = &held{label: o.label, origin: o.origin, hops: 2}
	}
	for _, late := range []bool{false, true} {
		for moved := true; moved; {
			moved = false
			for i, a := range w.accords {
				for from := range w.parties {
					for to := range w.parties {
						if from != to && w.up[number(late)][from][to] && w.step(sys, standings[i], a, from, to, late) {
							moved = true
						}
					}
				}
			}
		}
	}
}

// step is everything that one party gives to another under an accord.
func (w *world) step(sys system, s *Standing, a *accord.Terms, from, to int, late bool) (moved bool) {
	for object := range w.objects {
		have := w.has[from][object]
		if _, there := w.has[to][object]; have == nil || there {
			continue
		}
		var parcels []*held
		if from == w.rogue {
			parcels = w.forged(have, from, to, a)
		}
		if h, ok := sys.offers(w, s, a, from, to, object, late); ok && h != nil {
			parcels = append(parcels, h)
			if from != w.rogue {
				w.check(from, to, object, late)
			}
		}
		for _, h := range parcels {
			if to == w.rogue || sys.accepts(w, s, to, object, h) {
				kept := *h
				kept.hops = have.hops - 1
				w.has[to][object] = &kept
				w.sends = append(w.sends, sent{from, to, object})
				moved = true
				if to != w.rogue {
					w.check(from, to, object, false)
				}
				break
			}
		}
	}
	return moved
}

// forged is what a rogue makes of what it has: as it is, as it is under another accord, for others, and with a label of its own.
func (w *world) forged(h *held, from, to int, a *accord.Terms) []*held {
	names := []string{label.Org(w.parties[to].Nation, w.parties[to].Org)}
	audience, _ := label.NewAudience(names...)
	under, addressed, loosened, unsigned := *h, *h, *h, *h
	under.accord, under.name, under.signed = a.Digest, a.Name, false
	addressed.audience, addressed.signed = audience, false
	version := version{Terms: a}
	loosened.label, loosened.audience, loosened.signed, loosened.accord = version.handle(nil).To(audience), audience, false, a.Digest
	unsigned.label, unsigned.audience, unsigned.signed = label.For(label.Clear), audience, false
	return []*held{h, &under, &addressed, &loosened, &unsigned}
}

// check notes what goes to, or is kept by, an honest party that is not in the originator's audience or that learns of what it has not.
func (w *world) check(from, to, object int, late bool) {
	o := w.objects[object]
	l := o.label
	if late && from == o.origin {
		l = o.later
	}
	switch {
	case w.unsound != "":
	case !w.inAudience(l, o.origin, to):
		w.unsound = fmt.Sprintf("object %d of %d went from %d to %d, who is not in its audience (%s, %s, late %v)", object, o.origin, from, to, l.TLP, l.Audience, late)
	case !w.closed(object, to):
		w.unsound = fmt.Sprintf("object %d went from %d to %d and names what it has not", object, from, to)
	}
}

// worlds is how many worlds are tried: ENTENTE_WORLDS, or enough for every run.
func worlds(t *testing.T) int {
	n := 10_000
	if s := os.Getenv("ENTENTE_WORLDS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatalf("ENTENTE_WORLDS: %v", err)
		}
	}
	return n
}

// TestWorlds: in no world does anything reach an honest party outside the originator's audience, or name what that party has not.
func TestWorlds(t *testing.T) {
	began := time.Now()
	n, went, relayed := worlds(t), 0, 0
	for seed := range n {
		w := drawWorld(rand.New(rand.NewPCG(uint64(seed), 4)))
		w.run(entente)
		if w.unsound != "" {
			t.Fatalf("world %d: %s", seed, w.unsound)
		}
		for _, s := range w.sends {
			if went++; s.from != w.objects[s.object].origin {
				relayed++
			}
		}
	}
	t.Logf("%d worlds in %s: %d objects went, %d of them relayed", n, time.Since(began).Round(time.Millisecond), went, relayed)
	if went < n || relayed < n/50 {
		t.Errorf("%d objects went in %d worlds, %d relayed: they show nothing", went, n, relayed)
	}
}
