package federation

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"entente/accord"
	"entente/internal/accords"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/rendition"
	"entente/internal/store"
	"entente/label"
)

// Simulate says what each party of an accord, or of every accord, is or would be given of an own record now, byte for byte, and why. Of what stands in a
// party's log already it shows what stands there.
func (f *Federation) Simulate(ctx context.Context, v gate.Viewer, it *store.Item, name string) ([]Judged, error) {
	if err := f.maySimulate(v, it); err != nil {
		return nil, err
	}
	f.out.Lock()
	defer f.out.Unlock()
	out := []Judged{}
	for _, s := range f.cfg.Accords.Standings() {
		if name != "" && s.Name != name {
			continue
		}
		judged, err := f.simulated(ctx, v, &s, it)
		if err != nil {
			return nil, err
		}
		out = append(out, judged...)
	}
	return out, nil
}

// Suppose says what each party would be given of an own record if a version of an accord were in force now, beside what it is given by what is in force.
func (f *Federation) Suppose(ctx context.Context, v gate.Viewer, it *store.Item, s *accords.Supposed) ([]Judged, error) {
	if err := f.maySimulate(v, it); err != nil {
		return nil, err
	}
	f.out.Lock()
	defer f.out.Unlock()
	out, err := f.show(ctx, &s.Standing, it)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].Phase, out[i].Suppose = s.Phase, true
	}
	for _, now := range f.cfg.Accords.Standings() {
		if now.Name != s.Name || len(s.Before) == 0 {
			continue
		}
		before, err := f.simulated(ctx, v, &now, it)
		if err != nil {
			return nil, err
		}
		changes := accord.Diff(s.Before[len(s.Before)-1], s.Text)
		for i := range before {
			was := &before[i]
			at := slices.IndexFunc(out, func(j Judged) bool { return j.party == was.party })
			if at < 0 { // it leaves
				at = len(out)
				out = append(out, Judged{Accord: s.Name, Version: s.Text.Version, Phase: s.Phase, Suppose: true, Party: was.Party, Reasons: []gate.Reason{},
					Class: rendition.Withheld.String(), Why: "it is no party of this version", party: was.party})
			}
			out[at].Before = was
		}
		for i := range out {
			if j := &out[i]; j.Before == nil || differ(j.Before, j) {
				j.Changes = slices.DeleteFunc(slices.Clone(changes), func(c accord.Change) bool {
					return !matters(c, it.Record.Type, j.party.Nation, s.Before[len(s.Before)-1], s.Text)
				})
			}
		}
	}
	return out, nil
}

func (f *Federation) maySimulate(v gate.Viewer, it *store.Item) error {
	if !f.cfg.Gate().Can(v, gate.AccordRead) {
		return fault.RoleMissing(gate.AccordRead)
	}
	if !f.own(&it.Record) {
		return fault.New(fault.Invalid, "object.origin", "only what comes from the own organisation is given under accords")
	}
	return nil
}

// simulated is show of what is in force. The caller holds out.
func (f *Federation) simulated(ctx context.Context, v gate.Viewer, s *accords.Standing, it *store.Item) ([]Judged, error) {
	view, err := f.cfg.Accords.Get(v, fmt.Sprintf("sha256:%x", s.Digest), 0)
	if err != nil {
		return nil, err
	}
	out, err := f.show(ctx, s, it)
	for i := range out {
		out[i].Phase = view.Phase
	}
	return out, err
}

// show is the plan for every party, with every reason, and with what stands in its log. The caller holds out.
func (f *Federation) show(ctx context.Context, s *accords.Standing, it *store.Item) ([]Judged, error) {
	went, err := f.past(ctx, it.Record.ID)
	if err != nil {
		return nil, err
	}
	out, err := f.planned(ctx, s, it, went, &writing{})
	if err != nil {
		return nil, err
	}
	for i := range out {
		j := &out[i]
		j.Reasons = j.verdict.Reasons()
		if !j.Waits || j.Class == rendition.Withheld.String() {
			continue
		}
		signed, err := f.planned(ctx, s, it, went, &writing{suppose: j.party}) // what an officer would let go
		if err != nil {
			return nil, err
		}
		if k := &signed[i]; k.Permit {
			j.Class, j.Body, j.Removed = k.Class, k.Body, k.Removed
		} else {
			j.Class, j.Body, j.Removed, j.Why = k.Class, nil, nil, k.Why
		}
	}
	return out, nil
}

// planned is a plan as its parties see it: where something stands in their log it is that.
func (f *Federation) planned(ctx context.Context, s *accords.Standing, it *store.Item, went past, w *writing) ([]Judged, error) {
	out, groups, err := f.plan(ctx, s, it, went, w)
	if err != nil {
		return nil, err
	}
	for i := range groups {
		g := &groups[i]
		l, body := g.label, g.result.Body
		switch g.due {
		case send:
			continue
		case barred:
			for _, j := range g.judged {
				j.withhold("its originator took it back: what was taken back does not go out again")
			}
			continue
		}
		r, err := f.sent(ctx, g.at)
		if err != nil {
			return nil, err
		}
		if r != nil {
			body = r.Object
			if g.due == keep {
				if l, err = f.labelOf(ctx, g.at, went.places, r.Label); err != nil {
					return nil, err
				}
			}
		}
		for _, j := range g.judged {
			j.Body, j.Label, j.Has = body, &l, g.due == keep
		}
	}
	return out, nil
}

// differ tells whether a party would have something else: the time when its copy ends moves with the time of asking, and does not count.
func differ(a, b *Judged) bool {
	return a.Permit != b.Permit || a.Waits != b.Waits || a.Class != b.Class || !bytes.Equal(a.Body, b.Body) || timeless(a.Label) != timeless(b.Label)
}

func timeless(l *label.Label) string {
	if l == nil {
		return ""
	}
	b, _ := l.Timeless().MarshalJSON() // a label that was judged has a text
	return string(b)
}

// matters tells whether a change of a text can be why a party is given something else of one kind.
func matters(c accord.Change, kind, nation string, texts ...*accord.Accord) bool {
	block, name, _ := strings.Cut(c.Clause, " ")
	switch block {
	case "":
		return c.Attribute != "" && c.Attribute != "title" && c.Attribute != "review" // without an attribute it says in words what clauses say
	case "give":
		return slices.ContainsFunc(texts, func(a *accord.Accord) bool {
			return slices.ContainsFunc(a.Gives, func(g accord.Give) bool { return g.Name == name && slices.Contains(g.Kinds, kind) })
		})
	case "party":
		return name == nation
	case "handle", "scope", "limits", "authority", "reciprocity":
		return true
	}
	return false
}
