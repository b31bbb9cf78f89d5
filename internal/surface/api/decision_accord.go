package api

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"entente/accord"
	"entente/decision"
	"entente/internal/accords"
	"entente/internal/decisions"
	"entente/internal/fault"
	"entente/peer"
)

// What is decided by signing the text of an accord: each party consents by its signatures, and the file with those of all is the certificate. Nothing of it is kept here: it
// is what the room of the accords says, in the words of decisions.
const (
	doRatify = "ratify" // the first version that a nation signs
	doAmend  = "amend"  // a later one
)

// textDecisions are the accords that somebody has signed or declined.
func (a *API) textDecisions(c *call) ([]decisions.View, error) {
	all, err := a.ops.Accords().List(c.v)
	if err != nil {
		return nil, err
	}
	out := []decisions.View{}
	for i := range all {
		if v := &all[i]; v.Phase != accords.Draft || slices.ContainsFunc(v.Notices, func(n accord.Notice) bool { return n.Verb == accord.Decline }) {
			out = append(out, a.textDecision(v, all))
		}
	}
	return out, nil
}

// textDecision is the text of an accord as a decision.
func (a *API) textDecision(v *accords.View, all []accords.View) decisions.View {
	digest, _ := accord.ParseDigest(v.Digest)
	do, title := doRatify, "Ratify"
	if v.Version > 1 {
		do, title = doAmend, "Amend"
	}
	d := decisions.View{ID: hex.EncodeToString(digest[:]), Accord: v.Name, Version: v.Version, Said: []decisions.Statement{}, Voters: []string{}, Executes: true, Rule: []string{"It binds once every party has signed it."},
		What: decision.Proposal{V: 1, ID: v.Digest, Round: 1, Accord: digest, Title: fmt.Sprintf("%s %s, version %d", title, v.Name, v.Version), Action: &decision.Action{Type: decisions.AboutAccord, Do: do, Digest: peer.Digest(digest)},
			Opens: v.Effective, Deadline: v.Expires}}
	t := &decision.Tally{Need: int64(len(v.Parties)), Total: int64(len(v.Parties)), NeedOwn: len(v.Parties), Voices: []decision.Voice{}, Reasons: []string{}}
	d.Count = t
	var declined []string
	for _, p := range v.Parties {
		d.Voters = append(d.Voters, p.Nation)
		if p.Need > 1 {
			d.Rule = append(d.Rule, fmt.Sprintf("%s is bound when %d of its organisations have signed.", p.Nation, p.Need))
		}
		voice := decision.Voice{Nation: p.Nation, How: decision.Unknown, Weight: 1}
		switch no := v.Declined(p.Nation); {
		case p.Have >= p.Need:
			voice.How, voice.Counts = decision.Consented, true
			t.Own++
			t.Have++
		case no != nil:
			voice.How, voice.Decides = decision.Vetoed, true
			declined = append(declined, p.Nation)
			d.Said = append(d.Said, decisions.Statement{Nation: p.Nation, Kind: "position", Choice: decision.Veto, Reason: no.Reason, At: no.At})
		default:
			t.Missing = append(t.Missing, decision.Missing{Code: "own", Nation: p.Nation, Text: fmt.Sprintf("%s: %d of %d signatures", p.Nation, p.Have, p.Need)})
		}
		t.Voices = append(t.Voices, voice)
	}
	slices.Sort(d.Voters)
	switch us := a.us.Nation; {
	case v.Declined(us) != nil:
		d.Own = decision.Veto
	case v.Signed(us, a.us.Org):
		d.Own = decision.Consent
	}
	d.State = stateOf(v, all, declined)
	d.Mine = v.Mine && d.State == decisions.Open
	switch d.State {
	case decisions.Decided, decisions.Executed:
		t.Outcome = decision.Yes
		d.Text = fmt.Sprintf("%s, version %d, binds its parties from %s.", v.Name, v.Version, v.Effective.Format("2006-01-02"))
		t.Reasons = append(t.Reasons, "every party has signed")
	case decisions.Rejected:
		t.Outcome, t.Missing = decision.No, nil
		t.Reasons = append(t.Reasons, strings.Join(declined, ", ")+" declined to sign")
	}
	return d
}

// stateOf is how far the signing of a text is.
func stateOf(v *accords.View, all []accords.View, declined []string) decisions.State {
	switch {
	case v.Phase == accords.Signed:
		return decisions.Decided
	case v.Phase != accords.Proposed && v.Phase != accords.Draft:
		return decisions.Executed
	case len(declined) > 0:
		return decisions.Rejected
	}
	// Every party signed another text of this version, or a later one.
	for i := range all {
		if o := &all[i]; o.Name == v.Name && o.Version >= v.Version && o.Phase != accords.Proposed && o.Phase != accords.Draft {
			return decisions.Replaced
		}
	}
	return decisions.Open
}

// textOf is the accord whose signing a decision is, and its digest; the error of the other room stays where there is none.
func (a *API) textOf(c *call, other error) (decisions.View, error) {
	if f := fault.As(other); f == nil || f.Code != "decision.none" {
		return decisions.View{}, other
	}
	all, err := a.textDecisions(c)
	if err != nil {
		return decisions.View{}, err
	}
	id := strings.TrimPrefix(strings.ToLower(c.path("id")), "sha256:")
	var found []decisions.View
	for _, d := range all {
		if len(id) >= 8 && strings.HasPrefix(d.ID, id) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 0:
		return decisions.View{}, other
	case 1:
		return found[0], nil
	}
	return decisions.View{}, fault.New(fault.Conflict, "decision.several", "several decisions begin with %s", id)
}

// toSign refuses what is not done with an accord that is to be signed.
func (a *API) toSign(c *call, other error) error {
	if _, err := a.textOf(c, other); err != nil {
		return err
	}
	return fault.New(fault.Conflict, "decision.text", "this is the text of an accord: a party signs it, or declines to").Try("entente decision say ID consent, or entente decision say ID veto; without a node entente key sign-accord")
}

// means says of one text what it says, or what it changes.
func (a *API) means(c *call, d decisions.View) (decisions.View, error) {
	v, err := a.ops.Accords().Get(c.v, d.What.ID, 0)
	if err != nil {
		return d, err
	}
	page, err := a.pageOf(c, v)
	if err != nil {
		return d, err
	}
	for _, x := range page.Changes {
		d.Means = append(d.Means, x.Text)
	}
	if v.Version == 1 || len(d.Means) == 0 {
		for _, s := range page.Sentences {
			d.Means = append(d.Means, s.Text)
		}
	}
	return d, nil
}

// bundleOf answers with the file of an accord: its text and the signatures that are here.
func (a *API) bundleOf(c *call, d decisions.View) error {
	b, err := a.ops.Accords().Bundle(c.v, d.What.ID, 0)
	if err != nil {
		return err
	}
	return c.bytes("accord.json", b)
}

// signText signs the text of an accord, or declines to.
func (a *API) signText(c *call, d decisions.View, in *PositionRequest) (decisions.View, error) {
	var err error
	switch in.Choice {
	case decision.Consent:
		_, err = a.ops.Accords().Sign(c.ctx(), c.v, d.What.ID, 0)
	case decision.Veto:
		_, err = a.ops.Accords().Decline(c.ctx(), c.v, d.What.ID, 0, in.Reason)
	default:
		err = fault.New(fault.Invalid, "decision.choice", "the text of an accord is signed (consent) or declined (veto), not met with %q", in.Choice).At("choice").Try("to change the text, propose another one: entente accord add")
	}
	if err != nil {
		return d, err
	}
	if d, err = a.textOf(c, fault.New(fault.NotFound, "decision.none", "no such decision")); err != nil {
		return d, err
	}
	return a.means(c, d)
}
