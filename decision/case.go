package decision

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"time"

	"entente/accord"
	"entente/dsse"
	"entente/keylog"
	"entente/label"
	"entente/peer"
)

// Case is a proposal under the rule of its accord: what every word about it is judged by.
type Case struct {
	Accord   *accord.Accord
	Proposal Proposal
	Digest   peer.Digest
	Topic    [16]byte
	Rule     Rule

	o      *Opener
	voters []voter // who has a right to vote, by nation
}

type voter struct {
	nation, org string
	weight      int64
	affected    bool
}

// Case opens a proposal and judges it by the accord that it names: whether its rule is there and kept, and whether enough parties propose it. Weights is the
// table that the rule names, if it names one. Opener.Nations becomes the accord's parties.
func (o *Opener) Case(b *accord.Bundle, weights, proposal []byte) (*Case, error) {
	a, err := o.accord(b)
	if err != nil {
		return nil, err
	}
	if b.Realm != o.Realm || a.Mode != label.Mode(o.Realm) {
		return nil, refuse(CodeAccord, "accord %s binds %s, and this is realm %s", a.Name, a.Mode, clip(o.Realm))
	}
	if len(a.Parties) < 2 || len(a.Parties) > maxParties {
		return nil, refuse(CodeAccord, "an accord has 2 to %d parties", maxParties)
	}
	o.Nations = make([]string, len(a.Parties))
	for i := range a.Parties {
		o.Nations[i] = a.Parties[i].Nation
	}
	slices.Sort(o.Nations)
	p, signers, err := o.Proposal(proposal)
	if err != nil {
		return nil, err
	}
	c := &Case{Accord: a, Proposal: *p, o: o, Digest: p.Digest()}
	c.Topic = Topic(c.Digest)
	if c.Rule, err = RuleOf(a, p.Rule); err != nil {
		return nil, err
	}
	if p.Accord != sha256.Sum256([]byte(b.Text)) {
		return nil, refuse(CodeAccord, "the proposal is under another accord than %s, or another version of it", a.Name)
	}
	if err := c.keeps(); err != nil {
		return nil, err
	}
	table, err := c.table(weights)
	if err != nil {
		return nil, err
	}
	if err := c.enroll(table); err != nil {
		return nil, err
	}
	if err := c.proposed(signers); err != nil {
		return nil, err
	}
	return c, nil
}

// keeps holds the proposal to its rule and the accord's term.
func (c *Case) keeps() error {
	p, r, a := &c.Proposal, &c.Rule, c.Accord
	switch {
	case p.Deadline.Sub(p.Opens) > r.Deadline:
		return refuse(CodeRule, "under rule %s a decision is taken within %s, and the proposal leaves longer", r.Name, r.Deadline)
	case p.Opens.Before(a.Effective) || !a.Expires.IsZero() && !p.Opens.Before(a.Expires):
		return refuse(CodeRule, "accord %s was not in force when the proposal opened", a.Name)
	case r.Evidence && len(p.Evidence) == 0:
		return refuse(CodeRule, "under rule %s a proposal names its evidence", r.Name)
	case r.Basis == AllButSubject && len(p.Subject) == 0:
		return refuse(CodeRule, "under rule %s a proposal names whom it is about", r.Name)
	case p.Weights != r.Weights:
		return refuse(CodeRule, "the proposal names another table of weights than rule %s", r.Name)
	}
	for _, n := range slices.Concat(p.Subject, p.Affected) {
		if !slices.Contains(c.o.Nations, n) && (r.Basis == AllButSubject || r.AffectedVeto) {
			return refuse(CodeRule, "%s is no party of accord %s", n, a.Name)
		}
	}
	return nil
}

// table reads the weights that the rule names.
func (c *Case) table(weights []byte) (Weights, error) {
	if c.Rule.Weights == (peer.Digest{}) {
		if len(weights) > 0 {
			return nil, refuse(CodeRule, "rule %s names no table of weights", c.Rule.Name)
		}
		return nil, nil
	}
	if sha256.Sum256(weights) != c.Rule.Weights {
		return nil, refuse(CodeRule, "the table of weights that rule %s names is not there", c.Rule.Name)
	}
	return ParseWeights(weights)
}

// enroll lists who has a right to vote.
func (c *Case) enroll(table Weights) error {
	total := int64(0)
	for i := range c.Accord.Parties {
		p := &c.Accord.Parties[i]
		if c.Rule.Basis == AllButSubject && slices.Contains(c.Proposal.Subject, p.Nation) {
			continue
		}
		v := voter{p.Nation, c.org(p), 1, slices.Contains(c.Proposal.Affected, p.Nation)}
		if table != nil {
			v.weight = table[p.Nation]
		}
		total += v.weight
		c.voters = append(c.voters, v)
	}
	slices.SortFunc(c.voters, func(v, w voter) int { return cmp.Compare(v.nation, w.nation) })
	if len(c.voters) == 0 || total == 0 {
		return refuse(CodeRule, "under rule %s nobody has a right to vote on this", c.Rule.Name)
	}
	return nil
}

// org is the organisation by which a nation is a party: the text names it, or it is the only one whose node the nation's key log names.
func (c *Case) org(p *accord.Party) string {
	if p.Org != "" {
		return p.Org
	}
	org := ""
	if s := c.o.state(p.Nation); s != nil {
		for _, k := range s.Keys("", keylog.RoleNode, c.Proposal.Opens) {
			if org != "" && org != k.Org {
				return "" // nobody's words count
			}
			org = k.Org
		}
	}
	return org
}

// proposed tells whether enough parties propose it, each by as many persons as the rule asks for.
func (c *Case) proposed(signers []Signer) error {
	p, n, first := &c.Proposal, 0, false
	for i := range c.Accord.Parties {
		party := &c.Accord.Parties[i]
		org := c.org(party)
		if c.o.Count(signers, party.Nation, org, keylog.RoleVote, p.Opens) < c.Rule.Persons {
			continue
		}
		n++
		first = first || party.Nation == p.Nation && org == p.Org
	}
	if !first || n < c.Rule.Proposers {
		return refuse(CodeSignature, "%s of %s proposes, and %d parties have to, each by %d voters: %d did", p.Org, p.Nation, c.Rule.Proposers, c.Rule.Persons, n)
	}
	return nil
}

func (c *Case) voter(nation string) *voter {
	i, ok := slices.BinarySearchFunc(c.voters, nation, func(v voter, n string) int { return cmp.Compare(v.nation, n) })
	if !ok {
		return nil
	}
	return &c.voters[i]
}

// Voters lists the nations that have a right to vote on it.
func (c *Case) Voters() []string {
	out := make([]string, len(c.voters))
	for i := range c.voters {
		out[i] = c.voters[i].nation
	}
	return out
}

// Position opens a position and judges whether it counts: it is about this proposal, of a party with a right to vote, by as many of its voters as the rule asks
// for, and in time. One that could be read and does not count comes with the error that says why.
func (c *Case) Position(envelope []byte) (*Position, error) {
	p, signers, err := c.o.Position(envelope)
	if err != nil {
		return nil, err
	}
	if (p.Proposal != c.Digest || p.Round != c.Proposal.Round || p.Accord != c.Proposal.Accord) && !c.o.seeded.unbound {
		return p, refuse(CodeBinding, "the position of %s is on another proposal, round or accord", p.Nation)
	}
	v := c.voter(p.Nation)
	switch {
	case v == nil || v.org == "" || v.org != p.Org:
		return p, refuse(CodeRule, "%s of %s has no right to vote on this", p.Org, p.Nation)
	case p.Time.Before(c.Proposal.Opens) || !p.Time.Before(c.Proposal.Deadline):
		return p, refuse(CodeTime, "the position of %s is of %s, and it had to be from %s on and before %s", p.Nation, stamp(p.Time), stamp(c.Proposal.Opens), stamp(c.Proposal.Deadline))
	}
	if n := c.o.Count(signers, v.nation, v.org, keylog.RoleVote, p.Time); n < c.Rule.Persons {
		return p, refuse(CodeSignature, "the position of %s is signed by %d voters who count, and %d have to", p.Nation, n, c.Rule.Persons)
	}
	return p, nil
}

// Notice is until when a party must have acknowledged the proposal for its silence to tell anything.
func (c *Case) Notice() time.Time { return c.Proposal.Deadline.Add(-c.Rule.Notice) }

// heard is what is known of one party.
type heard struct {
	consent, veto bool
	last          *Position // neither consent nor veto
	shown         *shown    // by its log
}

func (h *heard) take(p *Position) {
	switch p.Choice {
	case Consent:
		h.consent = true
	case Veto:
		h.veto = true
	default:
		if h.last == nil || h.last.Time.Before(p.Time) || h.last.Time.Equal(p.Time) && p.Choice == Reservation {
			h.last = p
		}
	}
}

// count counts what was heard of all that have a right to vote.
func (c *Case) count(positions []*Position, proofs []*shown) Tally {
	all := make(map[string]*heard, len(c.voters))
	for i := range c.voters {
		all[c.voters[i].nation] = &heard{}
	}
	for _, p := range positions {
		all[p.Nation].take(p)
	}
	for _, s := range proofs {
		h := all[s.nation]
		h.shown = s
		for _, p := range s.positions {
			h.take(p)
		}
	}
	voices := make([]Voice, len(c.voters))
	for i := range c.voters {
		v := &c.voters[i]
		h := all[v.nation]
		voices[i] = Voice{Nation: v.nation, How: h.how(), Weight: v.weight, Decides: v.affected, Clear: h.shown != nil && h.shown.noticed && !h.veto}
	}
	return c.Rule.Tally(voices)
}

func (h *heard) how() How {
	switch {
	case h.consent && h.veto:
		return Contradict
	case h.consent:
		return Consented
	case h.veto:
		return Vetoed
	case h.last != nil && h.last.Choice == Abstain:
		return Abstained
	case h.last != nil:
		return Reserved
	case h.shown != nil && h.shown.noticed:
		return Silent
	case h.shown != nil:
		return Unnoticed
	}
	return Unknown
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// payloadType tells what an envelope says it holds, before anything of it is verified.
func payloadType(e *dsse.Envelope, realm string) string {
	for _, t := range []string{ProposalType, PositionType, AckType, ReportType} {
		if e.PayloadType == dsse.InRealm(t, realm) {
			return t
		}
	}
	return ""
}
