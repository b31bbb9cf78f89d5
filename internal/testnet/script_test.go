package testnet_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"entente/accord"
	"entente/internal/exchange"
	"entente/internal/testnet"
	"entente/label"
)

// act is something that happens at the giver. What is hidden leaves the observer no trace.
type act struct {
	hidden bool
	hastes bool // what follows comes before the giver's node is done with it
	name   string
	do     func(w *run)
}

// script is a world: what happens, of which the observer may know a part.
type script struct {
	seed   int
	place  int // among the worlds that the same nations live through
	acts   []act
	taints []string
	secret string // the name of the accord that the observer has no part in

	r *rand.Rand
}

func taint(r *rand.Rand) string { return fmt.Sprintf("taint%016x", r.Uint64()) }

// number makes the number of an object one of this world alone.
func (s *script) number(n int) int { return 1000*s.place + n }

// word is one that must not come to the observer.
func (s *script) word() string {
	w := taint(s.r)
	s.taints = append(s.taints, w)
	return w
}

func (s *script) add(hidden bool, name string, do func(w *run)) {
	s.acts = append(s.acts, act{hidden, s.r.IntN(2) == 0, name, do})
}

// draw makes a world.
func draw(seed, place int) *script {
	s := &script{seed: seed, place: place, r: rand.New(rand.NewPCG(uint64(seed), 9))}
	r := s.r
	open := testnet.Treaty{Name: fmt.Sprintf("open-%d", place), Parties: []string{giver, observer}, Community: r.IntN(2) == 0, Gives: s.openGives()}
	third := []string{giver, "OTH"}
	if r.IntN(2) == 0 {
		third = append(third, "THI")
	}
	slices.Sort(third)
	s.secret = s.word()
	secret := testnet.Treaty{Name: s.secret, Parties: third, Community: true, Gives: []testnet.Give{{Kinds: []string{"malware", "relationship", "campaign"}, Ceiling: label.Red, Officer: r.IntN(4) == 0}}}
	before := r.IntN(2) == 0
	if before {
		s.add(true, "a hidden accord before", agree(secret))
	}
	s.add(false, "an accord", agree(open))
	if !before {
		s.add(true, "a hidden accord after", agree(secret))
	}
	first := s.number(0)
	s.add(false, "the first", func(w *run) {
		w.giver.Push(testnet.To(label.Amber, observer), testnet.Malware(first, 1, "first", "of all"))
	}) // so that logs are there before anything is purged
	s.add(true, "the first for another", func(w *run) {
		w.giver.Push(testnet.To(label.Amber, "OTH"), testnet.Malware(first+99, 1, s.secret, s.secret))
	})
	openStands, secretStands := true, true
	for n := 1; n < 4+r.IntN(4); n++ {
		switch r.IntN(9) {
		case 0, 1:
			s.inCompany(n)
		case 2:
			s.inPart(n)
		case 3: // what names something hidden
			id, name, part := s.number(200+n), s.word(), s.word()
			s.add(true, "a hidden object", func(w *run) { w.giver.Push(testnet.To(label.Amber, giver), testnet.Malware(id, 1, name, name)) })
			s.add(true, "a relationship to it", func(w *run) {
				w.giver.Push(testnet.To(label.Amber, observer), testnet.Relationship(id, 1, testnet.ID("malware", first), testnet.ID("malware", id), part))
			})
		case 4, 5:
			s.life(n, true)
		case 6:
			s.life(n, false)
		case 7:
			open = s.amend(open, false)
			if r.IntN(2) == 0 {
				secret = s.amend(secret, true)
			}
		case 8:
			if r.IntN(2) == 0 {
				openStands = s.say(open.Name, openStands, false)
			} else {
				secretStands = s.say(secret.Name, secretStands, true)
			}
		}
	}
	return s
}

func agree(a testnet.Treaty) func(w *run) {
	return func(w *run) { w.net.Agree(a.Text(), a.Parties...) }
}

// openGives are the clauses of the accord with the observer. It never has the description of a campaign.
func (s *script) openGives() []testnet.Give {
	r := s.r
	ceiling := func() label.TLP {
		return []label.TLP{label.Amber, label.Amber, label.Amber, label.Green, label.Red}[r.IntN(5)]
	}
	gives := []testnet.Give{{Kinds: []string{"malware", "relationship"}, Ceiling: ceiling()}, {Kinds: []string{"campaign"}, Ceiling: ceiling(), Strip: []string{"campaign.description"}}}
	switch r.IntN(6) {
	case 0:
		gives = gives[:1]
	case 1:
		gives[0].Subset = true
	}
	return gives
}

// amend draws the next version of an accord, which gives more, or less, or other things.
func (s *script) amend(before testnet.Treaty, hidden bool) testnet.Treaty {
	next := before
	next.Amends = &before
	next.Community = s.r.IntN(2) == 0
	if hidden {
		next.Gives = []testnet.Give{{Kinds: [][]string{{"malware"}, {"malware", "campaign"}, {"malware", "relationship"}}[s.r.IntN(3)], Ceiling: []label.TLP{label.Green, label.Amber, label.Red}[s.r.IntN(3)]}}
	} else {
		next.Gives = s.openGives()
	}
	s.add(hidden, "an amendment", agree(next))
	return next
}

// say suspends an accord, or resumes it.
func (s *script) say(name string, stands, hidden bool) bool {
	verb := accord.Suspend
	if !stands {
		verb = accord.Resume
	}
	s.add(hidden, string(verb), func(w *run) { w.giver.Say(name, verb) })
	return !stands
}

// forObserver is a label of what the observer may have, alone, with another, or as everybody may whom the TLP reaches.
func (s *script) forObserver() label.Label {
	switch s.r.IntN(8) {
	case 0, 1:
		return testnet.To(label.Amber, observer, "OTH")
	case 2:
		return label.For(label.Green)
	case 3:
		return label.For(label.Clear)
	}
	return testnet.To([]label.TLP{label.Green, label.Amber, label.Amber, label.Red}[s.r.IntN(4)], observer)
}

// inCompany hands in an object for the observer with others that are not, before and after it.
func (s *script) inCompany(n int) {
	id, other, l := s.number(n), s.word(), s.forObserver()
	companions, first := s.r.IntN(4), s.r.IntN(2) == 0
	s.add(false, "shared in company", func(w *run) {
		sub := exchange.Submission{}
		put := func(o string, l label.Label) {
			sub.Objects, sub.Labels = append(sub.Objects, []byte(o)), append(sub.Labels, l)
		}
		hide := func() {
			for i := range companions {
				if w.hidden {
					put(testnet.Malware(s.number(100+10*n+i), 1, other, other), testnet.To(label.Amber, "OTH"))
				}
			}
		}
		if first {
			hide()
		}
		put(testnet.Malware(id, 1, fmt.Sprintf("shared %d", n), "all of it"), l)
		if !first {
			hide()
		}
		w.giver.Submit(sub)
	})
}

// inPart gives a copy without what the accord takes out, then edits that alone.
func (s *script) inPart(n int) {
	id, part, l := s.number(20+n), s.word(), testnet.To(label.Amber, observer)
	name := fmt.Sprintf("in part %d", n)
	s.add(false, "shared in part", func(w *run) {
		hide := part
		if !w.hidden {
			hide = "plain"
		}
		w.giver.Push(l, testnet.Campaign(id, 1, name, hide))
	})
	for v := range s.r.IntN(3) {
		edited := s.word()
		s.add(true, "a hidden edit", func(w *run) { w.giver.Push(l, testnet.Campaign(id, v+2, name, edited)) })
	}
}

// life is an object, and what its originator does with it until it is gone: for another nation, or for the observer.
func (s *script) life(n int, hidden bool) {
	r := s.r
	number, name, part, l, to := s.number(n), fmt.Sprintf("shared %d", n), "all of it", s.forObserver(), observer
	if hidden {
		number, name, part, l, to = s.number(300+n), s.word(), s.word(), testnet.To(label.Amber, "OTH"), "OTH"
	}
	id, v := testnet.ID("malware", number), 1
	named := !l.Audience.IsAll()
	put := func(what string) {
		at, as := v, l
		s.add(hidden, what, func(w *run) { w.giver.Push(as, testnet.Malware(number, at, fmt.Sprint(name, at), part)) })
		v++
	}
	put("pushed")
	for range 1 + r.IntN(3) {
		switch r.IntN(7) {
		case 0:
			if named {
				put("a new version")
			}
		case 1:
			s.add(hidden, "retracted", func(w *run) { w.giver.Retract(id) })
			return
		case 2:
			s.add(hidden, "purged", func(w *run) { w.giver.Purge(id) })
			return
		case 3:
			tlp := []label.TLP{label.Green, label.Amber, label.AmberStrict, label.Red}[r.IntN(4)]
			l, named = testnet.To(tlp, to), true
			as := l
			s.add(hidden, "relabelled", func(w *run) { w.giver.Relabel(id, as) })
		case 4:
			l, named = testnet.To(label.Amber, giver), true
			s.add(hidden, "kept", func(w *run) { w.giver.Relabel(id, testnet.To(label.Amber, giver)) })
		case 5:
			s.add(hidden, "shared", func(w *run) { w.giver.Share(id, false, to) })
			if named {
				s.add(hidden, "shared no more", func(w *run) { w.giver.Share(id, true, to) })
				s.add(hidden, "shared again", func(w *run) { w.giver.Share(id, false, to) })
			}
			named = true
		case 6:
			if hidden {
				s.add(true, "another's load", func(w *run) {
					for range 20 {
						ask(w.giver.Handler("OTH"), "GET", "/fed/v1/logs", "", nil)
					}
				})
			}
		}
	}
}
