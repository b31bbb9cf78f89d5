package accords

import (
	"encoding/hex"
	"slices"
	"time"

	"entente/accord"
	"entente/internal/gate"
)

// Phase is where a version of an accord is on its way.
type Phase string

// Phases.
const (
	Draft      Phase = "draft"      // nobody signed
	Proposed   Phase = "proposed"   // somebody signed, not everybody who must
	Signed     Phase = "signed"     // everybody signed; it begins later
	Active     Phase = "active"     // it binds
	Suspended  Phase = "suspended"  // flows of at least one party stand still
	Superseded Phase = "superseded" // a later version binds
	Ended      Phase = "ended"      // it expired, or was terminated
)

// View is one version of an accord as people see it.
type View struct {
	Name      string          `json:"name"`
	Title     string          `json:"title,omitempty"`
	Version   int             `json:"version"`
	Digest    string          `json:"digest"`
	Phase     Phase           `json:"phase"`
	Effective time.Time       `json:"effective"`
	Expires   time.Time       `json:"expires,omitzero"`
	Parties   []PartyView     `json:"parties"`
	Notices   []accord.Notice `json:"notices,omitempty"`
	Meets     int             `json:"meets,omitempty"` // the version that counts together with this one until every party has it
	Mine      bool            `json:"mine"`            // the own organisation may sign it, or decline to, and has done neither
	Text      string          `json:"text,omitempty"`
}

// PartyView is how far a party of an accord is.
type PartyView struct {
	Nation string   `json:"nation"`
	Org    string   `json:"org,omitempty"`
	Have   int      `json:"have"` // signatures
	Need   int      `json:"need"`
	Who    []string `json:"who,omitempty"` // organisations that signed
	Held   bool     `json:"held"`          // its node has the version with every signature
}

// List is every version of every accord, by name and number, without texts.
func (a *Accords) List(v gate.Viewer) ([]View, error) {
	if err := a.may(v, gate.AccordRead); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	out := []View{}
	for _, x := range a.ordered() {
		out = append(out, a.view(x))
	}
	return out, nil
}

// Get is one version with its text: by its digest, or by its name and number; number 0 is the highest.
func (a *Accords) Get(v gate.Viewer, name string, number int) (View, error) {
	if err := a.may(v, gate.AccordRead); err != nil {
		return View{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	x, err := a.find(name, number)
	if err != nil {
		return View{}, err
	}
	out := a.view(x)
	out.Text = x.bundle.Text
	return out, nil
}

// Bundle is the file of a version: its text and the signatures that are here.
func (a *Accords) Bundle(v gate.Viewer, name string, number int) ([]byte, error) {
	if err := a.may(v, gate.AccordRead); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	x, err := a.find(name, number)
	if err != nil {
		return nil, err
	}
	return x.bundle.Bytes(), nil
}

// Review reads an accord as a text or as a bundle with signatures, and tells how far each party has signed it. Nothing is kept.
func (a *Accords) Review(v gate.Viewer, src []byte) (*accord.Bundle, []PartyView, error) {
	if err := a.may(v, gate.AccordRead); err != nil {
		return nil, nil, err
	}
	b, err := a.read(src)
	if err != nil {
		return nil, nil, err
	}
	x, err := newVersion(b)
	if err != nil {
		return nil, nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return b, a.view(x).Parties, nil
}

// Outgoing is what partners are to be told.
type Outgoing struct {
	Digest   string
	Parties  []string // the other nations
	Bundle   []byte   // nil: the own nation declines to sign it, and shows its notices alone
	Complete bool
	Held     map[string]bool
	Notices  [][]byte // of the own nation
}

// Outgoing lists the texts that the own nation signed or declines to sign, for the nodes of their other parties.
func (a *Accords) Outgoing() []Outgoing {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []Outgoing
	for _, v := range a.ordered() {
		standing, err := a.standing(v)
		if err != nil {
			continue
		}
		o := Outgoing{Digest: v.digest, Bundle: v.signed.bytes, Complete: accord.Complete(standing), Held: map[string]bool{}}
		signed := false
		for _, s := range standing {
			if s.Nation == a.cfg.Nation {
				signed = s.Have > 0
				continue
			}
			o.Parties = append(o.Parties, s.Nation)
			o.Held[s.Nation] = v.held[s.Nation]
		}
		for _, n := range v.notices {
			if n.Party == a.cfg.Nation && n.envelope != nil {
				o.Notices = append(o.Notices, n.envelope)
			}
		}
		if !signed {
			o.Bundle = nil
		}
		if signed || len(o.Notices) > 0 {
			out = append(out, o)
		}
	}
	return out
}

// view is a version as people see it. The caller holds mu.
func (a *Accords) view(v *version) View {
	out := View{Name: v.accord.Name, Title: v.accord.Title, Version: v.accord.Version, Digest: v.digest, Effective: v.accord.Effective, Expires: v.accord.Expires}
	standing, _ := a.standing(v)
	any := false
	for i, s := range standing {
		p := v.accord.Parties[i]
		if p.Org == "" {
			p.Org = a.cfg.OrgOf(p.Nation)
		}
		out.Parties = append(out.Parties, PartyView{Nation: s.Nation, Org: p.Org, Have: s.Have, Need: s.Need, Who: s.Who, Held: v.held[s.Nation] || s.Nation == a.cfg.Nation})
		any = any || s.Have > 0
	}
	for _, n := range v.notices {
		out.Notices = append(out.Notices, n.Notice)
	}
	out.Mine = a.mine(v) == nil && !out.said(a.cfg.Nation, a.cfg.Org)
	out.Phase = a.phase(v, accord.Complete(standing), any, a.cfg.Now())
	if out.Phase == Active && !a.everywhere(v) {
		for _, o := range a.versions {
			if o.accord.Name == v.accord.Name && o.accord.Version < v.accord.Version && o.accord.Version > out.Meets && a.complete(o) {
				out.Meets = o.accord.Version
			}
		}
	}
	return out
}

// Signed tells whether an organisation of a nation signed.
func (v *View) Signed(nation, org string) bool {
	return slices.ContainsFunc(v.Parties, func(p PartyView) bool {
		return p.Nation == nation && slices.ContainsFunc(p.Who, func(who string) bool { return who == org || who == "" && p.Org == org })
	})
}

// Declined is the word of a party that does not sign the text, as long as it is not bound by it; nil: there is none.
func (v *View) Declined(nation string) *accord.Notice {
	if slices.ContainsFunc(v.Parties, func(p PartyView) bool { return p.Nation == nation && p.Have >= p.Need }) {
		return nil
	}
	for i := range v.Notices {
		if n := &v.Notices[i]; n.Verb == accord.Decline && n.Party == nation {
			return n
		}
	}
	return nil
}

func (v *View) said(nation, org string) bool {
	return v.Signed(nation, org) || v.Declined(nation) != nil
}

func (a *Accords) phase(v *version, complete, any bool, now time.Time) Phase {
	switch {
	case !complete && any:
		return Proposed
	case !complete:
		return Draft
	case !v.accord.Expires.IsZero() && !now.Before(v.accord.Expires):
		return Ended
	}
	for _, e := range ends(v) {
		if e.Of == "" && !now.Before(e.At) || e.Of == a.cfg.Nation && !now.Before(e.At) {
			return Ended
		}
	}
	if now.Before(v.accord.Effective) {
		return Signed
	}
	for _, o := range a.versions {
		if o.accord.Name == v.accord.Name && o.accord.Version > v.accord.Version && !now.Before(o.accord.Effective) && a.complete(o) {
			return Superseded
		}
	}
	if len(suspensions(v)) > 0 {
		return Suspended
	}
	return Active
}

// BundleOf is the bundle of a version, for the room that tells partners of it.
func (a *Accords) BundleOf(digest [32]byte) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.versions["sha256:"+hex.EncodeToString(digest[:])]
	if v == nil {
		return nil, none()
	}
	return v.bundle.Bytes(), nil
}

// Signed is a version that every party has signed, and whether it binds now, or a later one that took its place, under which goes on what was begun; nil: there is none of
// that digest.
func (a *Accords) Signed(digest [32]byte) (b *accord.Bundle, text *accord.Accord, binds, goesOn bool) {
	standings := a.Standings()
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.versions["sha256:"+hex.EncodeToString(digest[:])]
	if v == nil || !a.complete(v) {
		return nil, nil, false, false
	}
	for _, s := range standings {
		switch {
		case slices.ContainsFunc(s.Versions, func(t *accord.Terms) bool { return t.Digest == digest }):
			binds, goesOn = true, true
		case s.Name == v.accord.Name && s.Versions[len(s.Versions)-1].Version > v.accord.Version:
			goesOn = true
		}
	}
	return v.bundle, v.accord, binds, goesOn
}

// Binding is the version of an accord by whose rules is decided now: of two that apply together the older one, which every party has.
func (a *Accords) Binding(name string) (digest [32]byte, ok bool) {
	for _, s := range a.Standings() {
		if s.Name == name && len(s.Versions) > 0 {
			return s.Versions[0].Digest, true
		}
	}
	return digest, false
}
