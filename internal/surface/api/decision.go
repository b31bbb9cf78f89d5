package api

import (
	"net/http"
	"slices"

	"entente/decision"
	"entente/dsse"
	"entente/internal/decisions"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/keylog"
	"entente/peer"
)

// PositionRequest is what the own organisation says about a proposal.
type PositionRequest struct {
	Choice decision.Choice `json:"choice"`
	Reason string          `json:"reason,omitempty"`
}

// ReportRequest says what a person did on a decision.
type ReportRequest struct {
	Did  decision.Did `json:"did"`
	Text string       `json:"text,omitempty"`
}

// Ballot is a position that a voter signs elsewhere.
type Ballot struct {
	Type     string            `json:"type"`    // of the payload, with the realm
	Payload  []byte            `json:"payload"` // the exact bytes to be signed
	Position decision.Position `json:"position"`
}

// WeightTable says under which digest a table of weights is kept.
type WeightTable struct {
	Digest peer.Digest `json:"digest"`
}

var decisionRoutes = []Route{
	{get, "/decisions", "Joint decisions under accords, the latest first, and accords that are signed: a party that signs consents, and one that declines vetoes.", gate.AccordRead, []Param{langParam}, pages[decisions.View](), (*API).decisionList},
	{post, "/decisions", "Propose something to be decided by a rule of an accord, by the key with which this node votes. All parties are told.", gate.Vote, nil,
		makes(decisions.View{}).of(decisions.Wish{}, "accord", "rule", "title"), (*API).propose},
	{post, "/decisions/review", "What a proposal would be and what it would take. Nothing is signed and nothing is said.", gate.Vote, nil,
		gives(decisions.Meaning{}).of(decisions.Wish{}, "accord", "rule", "title"), (*API).reviewDecision},
	{post, "/decisions/envelopes", "Say a proposal or a position that voters of the own organisation signed elsewhere.", gate.Vote, nil, gives(decisions.View{}).upload(bytesType), (*API).submitDecision},
	{post, "/decisions/verify", "What a certificate proves, whoever made it. Nothing is kept.", gate.AccordRead, []Param{langParam}, gives(decisions.Verdict{}).upload(bytesType), (*API).verifyDecision},
	{post, "/decisions/weights", "Keep a table of weights that the rule of an accord names by its digest.", gate.Vote, nil, gives(WeightTable{}).upload(bytesType), (*API).addWeights},
	{get, "/decisions/{id}", "One joint decision: what is proposed, what everybody said, how it counts, and what is missing; of an accord that is signed, also what its text says or changes, in sentences.", gate.AccordRead, []Param{langParam}, gives(decisions.View{}), (*API).decision},
	{get, "/decisions/{id}/proposal", "The signed envelope of a proposal, for who signs elsewhere.", gate.AccordRead, nil, copies(bytesType), (*API).decisionProposal},
	{get, "/decisions/{id}/ballot", "A position as it is to be signed elsewhere.", gate.Vote, []Param{
		{Name: "choice", Doc: "What is said.", Enum: []string{string(decision.Consent), string(decision.Veto), string(decision.Abstain), string(decision.Reservation)}},
		{Name: "reason", Doc: "Why; every party reads it."},
	}, gives(Ballot{}), (*API).ballot},
	{get, "/decisions/{id}/certificate", "The certificate of a decision that was taken; of an accord, the file with the signatures of all its parties.", gate.AccordRead, []Param{
		{Name: "alone", Doc: "With the signatures of the accord and the key logs of its parties, so that anyone verifies it without a node.", Kind: Flag, Default: false},
	}, copies(bytesType), (*API).certificate},
	{post, "/decisions/{id}/position", "Take a position for the own organisation, by the key with which this node votes. Consent and veto cannot be taken back. Consent to an accord signs it, and veto declines to.", gate.Vote, []Param{langParam},
		gives(decisions.View{}).of(PositionRequest{}, "choice"), (*API).position},
	{post, "/decisions/{id}/second", "Propose, too, what another party proposed.", gate.Vote, nil, gives(decisions.View{}), (*API).second},
	{post, "/decisions/{id}/report", "Say what a person did on a decision that no machine carries out, or that was cut short while one did.", gate.Vote, nil,
		gives(decisions.View{}).of(ReportRequest{}, "did"), (*API).reportDecision},
}

func (a *API) decisionList(c *call) error {
	all, err := a.ops.Decisions().List(c.v)
	if err != nil {
		return err
	}
	texts, err := a.textDecisions(c)
	if err != nil {
		return err
	}
	all = append(all, texts...)
	slices.SortStableFunc(all, func(x, y decisions.View) int { return y.What.Opens.Compare(x.What.Opens) })
	lang := c.lang()
	for i := range all {
		all[i] = all[i].In(lang)
	}
	return c.answer(list(all, ""))
}

func (a *API) decision(c *call) error {
	v, err := a.ops.Decisions().Get(c.v, c.path("id"))
	if err != nil {
		if v, err = a.textOf(c, err); err == nil {
			v, err = a.means(c, v)
		}
	}
	return c.answered(v.In(c.lang()), err)
}

// answered answers with what an act gave.
func (c *call) answered(v any, err error) error {
	if err != nil {
		return err
	}
	return c.answer(v)
}

func (a *API) propose(c *call) error {
	var in decisions.Wish
	if err := c.body(&in); err != nil {
		return err
	}
	v, err := a.ops.Decisions().Propose(c.ctx(), c.v, in)
	if err != nil {
		return err
	}
	return c.answerStatus(http.StatusCreated, v)
}

func (a *API) reviewDecision(c *call) error {
	var in decisions.Wish
	if err := c.body(&in); err != nil {
		return err
	}
	m, err := a.ops.Decisions().Means(c.v, in)
	return c.answered(m, err)
}

// whole reads a body of bytes.
func (c *call) whole(most int64) ([]byte, error) {
	if c.read != nil {
		return c.read, nil
	}
	return c.upTo(most)
}

func (a *API) submitDecision(c *call) error {
	b, err := c.whole(1 << 20)
	if err != nil {
		return err
	}
	v, err := a.ops.Decisions().Submit(c.ctx(), c.v, b, nil)
	return c.answered(v, err)
}

func (a *API) verifyDecision(c *call) error {
	b, err := c.whole(decision.MaxAlone)
	if err != nil {
		return err
	}
	v, err := a.ops.Decisions().Verify(c.v, b, a.logOf)
	v.Tally = v.Tally.In(c.lang())
	return c.answered(v, err)
}

// logOf is the key log of a nation that the node knows, or its own.
func (a *API) logOf(nation string) (*keylog.Log, error) {
	if nation == a.us.Nation {
		return a.ring.KeyLog(), nil
	}
	return a.ops.Peers().Log(nation)
}

func (a *API) addWeights(c *call) error {
	b, err := c.whole(1 << 20)
	if err != nil {
		return err
	}
	d, err := a.ops.Decisions().AddWeights(c.ctx(), c.v, b)
	return c.answered(WeightTable{d}, err)
}

func (a *API) decisionProposal(c *call) error {
	b, err := a.ops.Decisions().Proposal(c.v, c.path("id"))
	if err != nil {
		d, err := a.textOf(c, err)
		if err != nil {
			return err
		}
		return a.bundleOf(c, d)
	}
	return c.bytes("proposal.json", b)
}

func (a *API) ballot(c *call) error {
	p, err := a.ops.Decisions().Ballot(c.v, c.path("id"), decision.Choice(c.q.get("choice")), c.q.get("reason"))
	if err != nil {
		return a.toSign(c, err)
	}
	b, err := p.Payload()
	if err != nil {
		return fault.New(fault.Invalid, "decision.form", "%v", err).At("choice")
	}
	return c.answer(Ballot{dsse.InRealm(decision.PositionType, a.us.Realm), b, *p})
}

func (a *API) certificate(c *call) error {
	alone, err := c.q.flag("alone")
	if err != nil {
		return err
	}
	b, err := a.ops.Decisions().Certificate(c.v, c.path("id"), alone, a.logOf)
	if err != nil {
		d, err := a.textOf(c, err)
		if err != nil {
			return err
		}
		if d.Count.Outcome != decision.Yes {
			return fault.New(fault.Conflict, "decision.open", "the decision is not taken yet")
		}
		return a.bundleOf(c, d)
	}
	return c.bytes("certificate.json", b)
}

func (a *API) position(c *call) error {
	var in PositionRequest
	if err := c.body(&in); err != nil {
		return err
	}
	v, err := a.ops.Decisions().Say(c.ctx(), c.v, c.path("id"), in.Choice, in.Reason)
	if err != nil {
		if v, err = a.textOf(c, err); err == nil {
			v, err = a.signText(c, v, &in)
		}
	}
	return c.answered(v, err)
}

func (a *API) second(c *call) error {
	v, err := a.ops.Decisions().Second(c.ctx(), c.v, c.path("id"))
	if err != nil {
		err = a.toSign(c, err)
	}
	return c.answered(v, err)
}

func (a *API) reportDecision(c *call) error {
	var in ReportRequest
	if err := c.body(&in); err != nil {
		return err
	}
	v, err := a.ops.Decisions().Report(c.ctx(), c.v, c.path("id"), in.Did, in.Text)
	if err != nil {
		err = a.toSign(c, err)
	}
	return c.answered(v, err)
}
