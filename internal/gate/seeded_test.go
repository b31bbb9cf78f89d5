package gate

import (
	"math/rand/v2"
	"testing"

	"entente/accord"
	"entente/label"
)

// seeded are leaks of sharing platforms, made anew: each is what a world would be with a rule that failed elsewhere. docs/leaks.md says where.
var seeded = map[string]func(s *system){
	"hop-decrement": func(s *system) {
		s.offers = func(w *world, _ *Standing, a *accord.Terms, from, to, object int, _ bool) (*held, bool) {
			h := w.has[from][object]
			return h, h.hops > 0 && w.bound(a, from) && w.bound(a, to)
		}
		s.accepts = trusting
	},
	"link-ceiling": func(s *system) {
		s.offers = func(w *world, st *Standing, a *accord.Terms, from, to, object int, _ bool) (*held, bool) {
			h := w.has[from][object]
			fits := func(i int) bool { return h.label.TLP >= a.Clauses[i].Ceiling }
			clauses := a.ByKind[w.objects[object].kind]
			return h, w.bound(a, from) && w.bound(a, to) && len(clauses) > 0 && fits(clauses[0])
		}
		s.accepts = trusting
	},
	"local-group-id": func(s *system) { // the group's number at the sender means another group at the receiver
		s.offers = relabelled(func(w *world, l label.Label) label.Label {
			for i, a := range w.accords {
				if l.Audience.Has(label.Community(a.Name)) {
					next := w.accords[(i+1)%len(w.accords)]
					other, _ := label.NewAudience(label.Community(next.Name))
					l.Audience = l.Audience.Union(other)
				}
			}
			return l
		})
	},
	"all-orgs-flag": func(s *system) { // one flag on a group, and everybody on the server is in it
		s.offers = relabelled(func(w *world, l label.Label) label.Label {
			for _, a := range w.accords {
				if l.Audience.Has(label.Community(a.Name)) {
					l.Audience = everyNation(w)
				}
			}
			return l
		})
	},
	"empty-group-reaches-all": func(s *system) {
		s.offers = relabelled(func(w *world, l label.Label) label.Label {
			if l.Audience.IsEmpty() {
				l.Audience, l.Named = everyNation(w), true
			}
			return l
		})
	},
	"not-named-reaches-all": func(s *system) { // no audience is taken for every audience
		s.offers = relabelled(func(w *world, l label.Label) label.Label {
			if l.Audience.IsAll() {
				l.Audience, l.Named = everyNation(w), true
			}
			return l
		})
	},
	"references-not-projected": func(s *system) { s.offers = permitted(s.effective, false) },
	"tightening-not-propagated": func(s *system) {
		s.offers = permitted(func(w *world, object int, _ bool) label.Label { return entente.effective(w, object, false) }, true)
	},
	"any-marking-suffices": func(s *system) { // of two labels of one object the less strict decides
		s.offers = permitted(func(w *world, object int, late bool) label.Label {
			return label.Meet(entente.effective(w, object, late), label.For(label.Green).To(everyNation(w)))
		}, true)
	},
	"unsigned-audience": func(s *system) { // a forwarder's word is taken for the originator's
		s.accepts = func(w *world, st *Standing, to, object int, h *held) bool {
			forged := *h
			forged.signed = true
			return entente.accepts(w, st, to, object, &forged)
		}
	},
	"owner-becomes-forwarder": func(s *system) { // what is pulled belongs to whoever pulled it, and goes on as its own
		s.offers = func(w *world, st *Standing, a *accord.Terms, from, to, object int, late bool) (*held, bool) {
			o := w.objects[object]
			if from == o.origin {
				return entente.offers(w, st, a, from, to, object, late)
			}
			w.objects[object].origin = from
			w.objects[object].label = label.For(o.label.TLP).To(everyNation(w))
			h, ok := entente.offers(w, st, a, from, to, object, false)
			w.objects[object] = o
			return h, ok
		}
	},
	"filter-after-transfer": func(s *system) { // everything is sent, and the receiver is trusted not to look
		s.offers = func(w *world, st *Standing, a *accord.Terms, from, to, object int, late bool) (*held, bool) {
			if h, ok := entente.offers(w, st, a, from, to, object, late); ok {
				return h, true
			}
			return w.has[from][object], w.bound(a, from) && w.bound(a, to)
		}
	},
}

func trusting(*world, *Standing, int, int, *held) bool { return true }

func everyNation(w *world) label.Set {
	var names []string
	for _, p := range w.parties {
		names = append(names, label.Nation(p.Nation), label.Org(p.Nation, p.Org))
	}
	set, _ := label.NewAudience(names...)
	return set
}

// relabelled is the project's system but for what a fault makes of the originator's label.
func relabelled(change func(*world, label.Label) label.Label) func(*world, *Standing, *accord.Terms, int, int, int, bool) (*held, bool) {
	return permitted(func(w *world, object int, late bool) label.Label {
		return change(w, entente.effective(w, object, late))
	}, true)
}

// TestSeededLeaks: the worlds find every leak that is put into them.
func TestSeededLeaks(t *testing.T) {
	for name, fault := range seeded {
		t.Run(name, func(t *testing.T) {
			sys := entente
			fault(&sys)
			for seed := range 3000 {
				w := drawWorld(rand.New(rand.NewPCG(uint64(seed), 4)))
				if w.run(sys); w.unsound != "" {
					t.Logf("found in world %d: %s", seed, w.unsound)
					return
				}
			}
			t.Error("no world shows the leak")
		})
	}
}
