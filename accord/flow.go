package accord

import (
	"maps"
	"slices"
	"strings"

	"entente/label"
)

// flow is from whom to whom.
type flow struct{ from, to string }

// given is up to which ceiling each kind goes along each flow; of two clauses the one that goes further counts.
func (a *Accord) given(nations []string) map[flow]map[string]label.TLP {
	out := map[flow]map[string]label.TLP{}
	has := func(list []string, n string) bool { return len(list) == 0 || slices.Contains(list, n) }
	for _, p := range a.Parties {
		for _, q := range a.Parties {
			if p.Nation == q.Nation || !slices.Contains(nations, p.Nation) || !slices.Contains(nations, q.Nation) {
				continue
			}
			for i := range a.Gives {
				g := &a.Gives[i]
				if !has(g.From, p.Nation) || !has(g.To, q.Nation) {
					continue
				}
				f := flow{p.Nation, q.Nation}
				if out[f] == nil {
					out[f] = map[string]label.TLP{}
				}
				for _, k := range g.Kinds {
					if t, ok := out[f][k]; !ok || g.Ceiling < t {
						out[f][k] = g.Ceiling
					}
				}
			}
		}
	}
	return out
}

// turn is one thing that a flow gets or loses.
type turn struct {
	was, is       label.TLP
	before, after bool // whether it was given, and is
}

func (t turn) way() Way {
	switch {
	case !t.before, t.after && t.is < t.was:
		return Widen
	}
	return Narrow
}

// flows tells what each party receives more or less from which others.
func (d *difference) flows(old, new *Accord) {
	var nations []string
	for _, p := range slices.Concat(old.Parties, new.Parties) {
		if !slices.Contains(nations, p.Nation) {
			nations = append(nations, p.Nation)
		}
	}
	slices.Sort(nations)
	was, is := old.given(nations), new.given(nations)
	type group struct {
		turn
		from, to string
	}
	kinds := map[group][]string{}
	for _, p := range nations {
		for _, q := range nations {
			f := flow{p, q}
			all := maps.Clone(was[f])
			if all == nil {
				all = map[string]label.TLP{}
			}
			maps.Copy(all, is[f])
			for _, k := range slices.Sorted(maps.Keys(all)) {
				var t turn
				t.was, t.before = was[f][k]
				t.is, t.after = is[f][k]
				if t.was != t.is || t.before != t.after {
					kinds[group{t, p, q}] = append(kinds[group{t, p, q}], k)
				}
			}
		}
	}
	// Senders of the same, then receivers of the same, are told together.
	type same struct {
		turn
		kinds, from, to string
	}
	senders := map[same][]string{}
	for g, ks := range kinds {
		s := same{turn: g.turn, kinds: strings.Join(ks, ", "), to: g.to}
		senders[s] = append(senders[s], g.from)
	}
	receivers := map[same][]string{}
	for s, from := range senders {
		slices.Sort(from)
		all := append(slices.Clone(from), s.to)
		slices.Sort(all)
		to := s.to
		if s.to = ""; len(all) == len(nations) && len(all) > 2 {
			s.from = ""
		} else {
			s.from = strings.Join(from, ", ")
		}
		receivers[s] = append(receivers[s], to)
	}
	begin := len(d.out)
	for s, to := range receivers {
		slices.Sort(to)
		var who, whom any = strings.Join(to, ", "), s.from
		if len(to) == len(nations) {
			who = Phrase{Form: "every party"}
		}
		if s.from == "" {
			whom = Phrase{Form: "every other party"}
		}
		d.tell(s.turn, who, s.kinds, whom)
	}
	slices.SortFunc(d.out[begin:], func(a, b Change) int { return strings.Compare(a.Text, b.Text) })
}

// tell adds what a turn means for those who receive.
func (d *difference) tell(t turn, who any, kinds string, from any) {
	c := Change{Way: t.way()}
	switch {
	case !t.before:
		d.add(c, "this amendment lets %[1]s additionally receive %[2]s up to %[3]s from %[4]s", who, kinds, t.is, from)
	case !t.after:
		d.add(c, "after this amendment %[1]s can no longer receive %[2]s from %[3]s", who, kinds, from)
	case t.is < t.was:
		d.add(c, "this amendment lets %[1]s receive %[2]s from %[3]s up to %[4]s, before up to %[5]s", who, kinds, from, t.is, t.was)
	default:
		d.add(c, "after this amendment %[1]s can receive %[2]s from %[3]s only up to %[4]s, before up to %[5]s", who, kinds, from, t.is, t.was)
	}
}
