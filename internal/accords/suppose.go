package accords

import (
	"slices"

	"entente/accord"
	"entente/internal/fault"
	"entente/internal/gate"
)

// Supposed is one version of an accord as if it were in force now at every party, for whoever wants to see what it would let pass.
type Supposed struct {
	Standing
	Phase  Phase            // that it is in
	Stands bool             // it is what applies now, alone
	Text   *accord.Accord   // of the version
	Before []*accord.Accord // the versions that apply now, the newest last; none: the accord does not stand yet
}

// Suppose is a version that is here: by its digest, or by its name and number; number 0 is the highest.
func (a *Accords) Suppose(v gate.Viewer, name string, number int) (Supposed, error) {
	if err := a.may(v, gate.AccordRead); err != nil {
		return Supposed{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	x, err := a.find(name, number)
	if err != nil {
		return Supposed{}, err
	}
	return a.suppose(x)
}

// SupposeText is an accord that is given as a text, or as a bundle with signatures. Nothing is kept.
func (a *Accords) SupposeText(v gate.Viewer, src []byte) (Supposed, error) {
	if err := a.may(v, gate.AccordRead); err != nil {
		return Supposed{}, err
	}
	b, err := a.read(src)
	if err != nil {
		return Supposed{}, err
	}
	x, err := newVersion(b)
	if err != nil {
		return Supposed{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if here := a.versions[x.digest]; here != nil { // with what was said about it
		x = here
	}
	return a.suppose(x)
}

// suppose puts a version in the place of those that apply. What parties said about earlier ones, as that they suspend the accord, goes on. The caller
// holds mu.
func (a *Accords) suppose(v *version) (Supposed, error) {
	if v.party(a.cfg.Nation) < 0 {
		return Supposed{}, fault.New(fault.Unprocessable, "accord.party", "%s is no party of %s", a.cfg.Nation, v.accord.Name)
	}
	for _, p := range v.accord.Parties {
		if p.Org == "" && a.cfg.OrgOf(p.Nation) == "" {
			return Supposed{}, fault.New(fault.Unprocessable, "accord.party", "it is not known which organisation takes part for %s: its key log is not here", p.Nation).
				Try("write org in its party block, or meet its node: entente peer add")
		}
	}
	now := a.cfg.Now()
	t, err := a.terms(v)
	if err != nil {
		return Supposed{}, asFault(err)
	}
	if now.Before(t.Effective) {
		t.Effective = now
	}
	standing, _ := a.standing(v)
	out := Supposed{Text: v.accord}
	out.Phase = a.phase(v, accord.Complete(standing), slices.ContainsFunc(standing, func(s accord.Standing) bool { return s.Have > 0 }), now)
	out.Stands = (out.Phase == Active || out.Phase == Suspended) && a.everywhere(v)
	state := gate.State{Versions: []*accord.Terms{t}}
	var chain []*version
	for _, o := range a.ordered() {
		if o.accord.Name == v.accord.Name && o != v && a.complete(o) && !now.Before(o.accord.Effective) {
			chain = append(chain, o)
			out.Before = append(out.Before, o.accord)
		}
	}
	for _, o := range append(chain, v) {
		state.Suspended = append(state.Suspended, suspensions(o)...)
		state.Ended = append(state.Ended, ends(o)...)
	}
	s, err := gate.NewStanding(state)
	if err != nil {
		return Supposed{}, fault.New(fault.Unprocessable, "accord.text", "%s", err.Error())
	}
	out.Standing = Standing{Standing: s, Name: s.Name(), Versions: state.Versions, Digest: t.Digest}
	return out, nil
}
