package testnet_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"entente/accord"
	"entente/internal/accords"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/internal/testnet"
	"entente/label"
	"entente/peer"
)

// A world is a few whole nodes, accords with random clauses between them, objects that name each other, and what their originators do with them. Who may have what is
// said by an oracle of its own, in the words of the rule: it asks neither the gate nor the renditions.

// thing is an object of a world. Every word of it is told from all others.
type thing struct {
	id, kind    string
	number      int
	origin      string
	label       label.Label
	tlp         label.TLP
	to          []string // whom the audience names; nil: nobody, everybody whom the TLP reaches
	refs        []int
	versions    int
	name, extra string // extra is the description, which some clauses take out
	gone        bool   // retracted or purged
	purged      bool
}

// treaty is an accord of a world.
type treaty struct {
	testnet.Treaty
	by string // who suspended what flows to it and from it; empty: nobody
}

type world struct {
	t       *testing.T
	r       *rand.Rand
	net     *testnet.Net
	nations []string
	rogue   string
	things  []*thing
	accords []*treaty
	may     map[string]bool // "nation thing": may have it now, as far as it was given it at any time since it was pushed
	ever    map[string]bool // at any time
	whole   map[string]bool // with what some clauses take out, at any time
	said    []string
}

func (w *world) say(format string, args ...any) {
	w.said = append(w.said, fmt.Sprintf(format, args...))
}

func key(nation string, thing int) string { return fmt.Sprint(nation, " ", thing) }

// permits tells whether an accord lets a nation have a thing, and whether all of it.
func (a *treaty) permits(o *thing, nation string) (ok, whole bool) {
	if !slices.Contains(a.Parties, o.origin) || !slices.Contains(a.Parties, nation) || o.origin == nation {
		return false, false
	}
	named := slices.Contains(o.to, nation)
	if !named && (o.to != nil || o.tlp != label.Clear && (o.tlp != label.Green || !a.Community)) {
		return false, false
	}
	for _, g := range a.Gives {
		if !slices.Contains(g.Kinds, o.kind) || len(g.From) > 0 && !slices.Contains(g.From, o.origin) || len(g.To) > 0 && !slices.Contains(g.To, nation) {
			continue
		}
		if strictness(o.tlp) > strictness(g.Ceiling) || g.Subset && !named {
			continue
		}
		ok, whole = true, whole || len(g.Strip) == 0
	}
	return ok, whole
}

func strictness(t label.TLP) int {
	return slices.Index([]label.TLP{label.Clear, label.Green, label.Amber, label.AmberStrict, label.Red}, t)
}

// judge brings the oracle up to date: what is permitted now joins what a nation has, what was taken back or names what was taken back leaves it.
func (w *world) judge() {
	for changed := true; changed; {
		changed = false
		for i, o := range w.things {
			for _, n := range w.nations {
				now, stays, whole := false, false, false
				for _, a := range w.accords {
					for v := a.Amends; v != nil && !o.gone; v = v.Amends { // so does what an earlier version gave
						ok, _ := (&treaty{Treaty: *v}).permits(o, n)
						stays = stays || ok
					}
					if ok, all := a.permits(o, n); ok && !o.gone {
						stays = true // what a suspended accord gave stays
						if a.by == "" || a.by != o.origin && a.by != n {
							now, whole = true, whole || all
						}
					}
				}
				for _, ref := range o.refs {
					if w.things[ref].origin != n && !w.may[key(n, ref)] {
						now, stays = false, false
					}
				}
				k := key(n, i)
				is := stays && (now || w.may[k])
				changed = changed || is != w.may[k]
				w.may[k] = is
				if now {
					w.ever[k], w.whole[k] = true, w.whole[k] || whole
				}
			}
		}
	}
}

// drawWorld makes a world of three to five nations.
func drawWorld(t *testing.T, seed int, o testnet.Options) *world {
	r := rand.New(rand.NewPCG(uint64(seed), 11))
	w := &world{t: t, r: r, may: map[string]bool{}, ever: map[string]bool{}, whole: map[string]bool{}}
	w.nations = []string{"ALF", "BRA", "CHA", "DEL", "ECH"}[:3+r.IntN(3)]
	w.rogue = w.nations[r.IntN(len(w.nations))]
	w.net = testnet.New(t, o, w.nations...)
	for i := range 2 + r.IntN(3) {
		a := &treaty{Treaty: testnet.Treaty{Name: fmt.Sprintf("accord-%d", i), Community: r.IntN(3) == 0}}
		for _, p := range r.Perm(len(w.nations))[:2+r.IntN(len(w.nations)-1)] {
			a.Parties = append(a.Parties, w.nations[p])
		}
		slices.Sort(a.Parties)
		a.Gives = w.gives(a.Parties)
		w.accords = append(w.accords, a)
		w.say("%s: %v community %v gives %+v", a.Name, a.Parties, a.Community, a.Gives)
		w.net.Agree(a.Text(), a.Parties...)
	}
	return w
}

// gives draws the clauses of an accord.
func (w *world) gives(parties []string) (out []testnet.Give) {
	r := w.r
	ceilings := []label.TLP{label.Clear, label.Green, label.Amber, label.AmberStrict, label.Red}
	kinds := [][]string{{"malware"}, {"campaign"}, {"malware", "campaign"}, {"relationship"}, {"malware", "relationship"}}
	for range 1 + r.IntN(3) {
		g := testnet.Give{Kinds: kinds[r.IntN(len(kinds))], Ceiling: ceilings[r.IntN(5)], Subset: r.IntN(4) == 0}
		if r.IntN(3) == 0 {
			p := r.Perm(len(parties))
			g.From, g.To = []string{parties[p[0]]}, []string{parties[p[1]]}
		}
		if !slices.Contains(g.Kinds, "relationship") && r.IntN(3) == 0 {
			for _, k := range g.Kinds {
				g.Strip = append(g.Strip, k+".description")
			}
		}
		out = append(out, g)
	}
	return out
}

// relabel draws a label for a thing.
func (w *world) relabel(o *thing) {
	o.tlp = []label.TLP{label.Clear, label.Green, label.Amber, label.AmberStrict, label.Red}[w.r.IntN(5)]
	o.to = nil
	if w.r.IntN(4) > 0 {
		o.to = []string{o.origin}
		for _, n := range w.nations {
			if n != o.origin && w.r.IntN(2) == 0 {
				o.to = append(o.to, n)
			}
		}
	}
	o.label = label.For(o.tlp)
	if o.to != nil {
		o.label = testnet.To(o.tlp, o.to...)
	}
}

func (o *thing) body(w *world) string {
	switch o.kind {
	case "malware":
		return testnet.Malware(o.number, o.versions, o.name, o.extra)
	case "campaign":
		return testnet.Campaign(o.number, o.versions, o.name, o.extra)
	}
	return testnet.Relationship(o.number, o.versions, w.things[o.refs[0]].id, w.things[o.refs[1]].id, o.name)
}

// act does something at random.
func (w *world) act(n int) {
	r := w.r
	if len(w.things) < 3 || r.IntN(2) == 0 {
		o := &thing{number: n + 1, origin: w.nations[r.IntN(len(w.nations))], kind: []string{"malware", "campaign"}[r.IntN(2)], versions: 1, name: taint(r), extra: taint(r)}
		var own []int
		for i, x := range w.things {
			if !x.gone && x.origin == o.origin && x.kind != "relationship" {
				own = append(own, i)
			}
		}
		if len(own) > 1 && r.IntN(2) == 0 {
			o.kind, o.refs, o.extra = "relationship", []int{own[0], own[len(own)-1]}, taint(r)
		}
		o.id = testnet.ID(o.kind, o.number)
		w.relabel(o)
		w.things = append(w.things, o)
		w.say("%d: %s pushes %s %s to %v, naming %v", len(w.things)-1, o.origin, o.kind, o.tlp, o.to, o.refs)
		w.net.As(o.origin).Push(o.label, o.body(w))
		return
	}
	i := r.IntN(len(w.things))
	o := w.things[i]
	if o.gone {
		return
	}
	switch r.IntN(7) {
	case 0, 1:
		before := label.Label(o.label)
		w.relabel(o)
		w.say("%s relabels %d: %s to %v", o.origin, i, o.tlp, o.to)
		if !label.Equal(before, o.label) {
			w.net.As(o.origin).Relabel(o.id, o.label)
		}
	case 2:
		w.say("%s retracts %d", o.origin, i)
		w.net.As(o.origin).Retract(o.id)
		o.gone = true
	case 3:
		w.say("%s purges %d", o.origin, i)
		w.net.As(o.origin).Purge(o.id)
		o.gone, o.purged = true, true
	case 4:
		w.suspend(w.accords[r.IntN(len(w.accords))])
	case 5:
		w.amend(w.accords[r.IntN(len(w.accords))])
	case 6:
		w.forward()
	}
}

// suspend has a party suspend an accord, or take that back.
func (w *world) suspend(a *treaty) {
	by, verb, phase := a.by, accord.Resume, accords.Active
	a.by = ""
	if by == "" {
		by, verb, phase = a.Parties[w.r.IntN(len(a.Parties))], accord.Suspend, accords.Suspended
		a.by = by
	}
	w.say("%s: %s %s", by, verb, a.Name)
	w.net.As(by).Say(a.Name, verb)
	w.net.Eventually("what was said is heard", func() bool {
		return !slices.ContainsFunc(a.Parties, func(p string) bool {
			v, err := w.net.As(p).Accords.Get(w.net.As(p).Viewer(gate.RoleAnalyst), a.Name, 0)
			return err != nil || v.Phase != phase
		})
	})
}

// amend makes a new version of an accord, which gives more, or less, or other things.
func (w *world) amend(a *treaty) {
	if a.by != "" {
		return
	}
	before := a.Treaty
	a.Amends, a.Community, a.Gives = &before, w.r.IntN(3) == 0, w.gives(a.Parties)
	w.say("%s is amended: community %v gives %+v", a.Name, a.Community, a.Gives)
	w.net.Agree(a.Text(), a.Parties...)
}

// forward lets the rogue put into a log of its own what others signed, for nations that it was not for: as it is, and signed anew in the originator's name.
func (w *world) forward() {
	rogue := w.net.As(w.rogue)
	for _, it := range rogue.Held() {
		if it.Record.Origin.Nation == w.rogue || len(it.Record.Envelope) == 0 {
			continue
		}
		for _, n := range w.nations {
			if n == w.rogue || n == it.Record.Origin.Nation {
				continue
			}
			for _, a := range w.accords {
				if slices.Contains(a.Parties, n) && slices.Contains(a.Parties, w.rogue) {
					r := peer.Rendition{Accord: digest(w.t, a.Text()), Audience: []string{label.Org(n, testnet.Org(n))}, Class: peer.Full, Nation: it.Record.Origin.Nation, Org: it.Record.Origin.Org,
						Label: testnet.To(label.Clear, n), Object: it.Record.Body}
					rogue.Smuggle(w.net.As(n), it.Record.Envelope, r)
				}
			}
		}
	}
	w.say("%s forwards what it has", w.rogue)
}

// digest is that by which an accord is named.
func digest(t *testing.T, text string) [32]byte {
	b, err := accord.NewBundle([]byte(text), testnet.Realm)
	if err != nil {
		t.Fatal(err)
	}
	d, err := accord.ParseDigest(b.Digest())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// leak compares what everybody has with what the oracle says. It gives the first thing that somebody has and must not have; empty: none. Lacks is how many of those
// that may be had are not there.
func (w *world) leak() (leak string, has, lacks int) {
	for _, n := range w.nations {
		held := w.net.As(n).Held()
		var never []string
		for i, o := range w.things {
			if o.purged {
				never = append(never, o.name, o.extra)
			}
			if o.origin == n {
				continue
			}
			there := slices.ContainsFunc(held, func(it store.Item) bool { return bytes.Contains(it.Record.Body, []byte(o.name)) })
			switch k := key(n, i); {
			case there && !w.may[k]:
				return fmt.Sprintf("%s has %d", n, i), has, lacks
			case there:
				has++
				for _, it := range held {
					if it.Record.ID == o.id && !label.LessEqual(o.label.To(label.All()), it.Record.Label.To(label.All())) {
						return fmt.Sprintf("%s has %d under %v, which is laxer than %v", n, i, it.Record.Label, o.label), has, lacks
					}
				}
			case w.may[k]:
				lacks++
			}
			if !w.ever[key(n, i)] {
				never = append(never, o.name, o.extra)
			} else if !w.whole[key(n, i)] {
				never = append(never, o.extra)
			}
		}
		where, err := onDisk(w.net.As(n).Dir(), never)
		if err != nil {
			w.t.Error(err)
		}
		if where != "" {
			about := ""
			for i, o := range w.things {
				if strings.Contains(where, o.name) || strings.Contains(where, o.extra) {
					about = fmt.Sprintf(" (of %d, purged %v, ever %v, whole %v)", i, o.purged, w.ever[key(n, i)], w.whole[key(n, i)])
				}
			}
			return n + " has on its disk what it must not have: " + where + about, has, lacks
		}
	}
	return "", has, lacks
}

// live makes a world and lets it live, in virtual time.
func live(t *testing.T, seed int, o testnet.Options) (w *world, leak string, has, lacks int) {
	synctest.Test(t, func(t *testing.T) {
		o := o
		o.Now = clock()
		w = drawWorld(t, seed, o)
		defer w.net.Close()
		w.judge()
		for n := range 8 + w.r.IntN(8) {
			w.act(n)
			w.judge()
			w.net.Settle()
		}
		leak, has, lacks = w.leak()
	})
	return w, leak, has, lacks
}

// clock is one that begins when the keys of the nations are in force, and goes as virtual time does.
func clock() func() time.Time {
	began := time.Now()
	return func() time.Time { return testnet.Began.Add(time.Hour).Add(time.Since(began)) }
}

// TestWorldsOfNodes: in no world of whole nodes has anybody what it may not have, in its store or in any file.
func TestWorldsOfNodes(t *testing.T) {
	timeless(t)
	n := number(t, "ENTENTE_FEDERATION_WORLDS", 50)
	var has, lacks atomic.Int64
	each(n, func(seed int) bool {
		w, leak, h, l := live(t, seed, testnet.Options{})
		has.Add(int64(h))
		lacks.Add(int64(l))
		if leak != "" {
			t.Errorf("world %d: %s", seed, leak)
			for _, line := range w.said {
				t.Log(line)
			}
		}
		return !t.Failed()
	})
	t.Logf("%d worlds: %d objects are where they may be, %d are not there", n, has.Load(), lacks.Load())
	if has.Load() < 2*lacks.Load() || has.Load() == 0 {
		t.Error("nothing leaks where nothing goes")
	}
}
