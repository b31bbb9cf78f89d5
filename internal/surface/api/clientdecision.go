package api

import (
	"context"
	"io"
	"net/url"

	"entente/decision"
	"entente/internal/decisions"
)

// Decisions is every joint decision of the node.
func (c *Client) Decisions(ctx context.Context) ([]decisions.View, error) {
	l, err := ask[List[decisions.View]](ctx, c, get, "/decisions", nil, nil)
	return l.Items, err
}

// Decision is one, by its id or the beginning of it.
func (c *Client) Decision(ctx context.Context, id string) (decisions.View, error) {
	return ask[decisions.View](ctx, c, get, "/decisions/"+seg(id), nil, nil)
}

// Propose proposes something to be decided.
func (c *Client) Propose(ctx context.Context, w decisions.Wish) (decisions.View, error) {
	return ask[decisions.View](ctx, c, post, "/decisions", nil, w)
}

// ReviewDecision tells what a proposal would be and take.
func (c *Client) ReviewDecision(ctx context.Context, w decisions.Wish) (decisions.Meaning, error) {
	return ask[decisions.Meaning](ctx, c, post, "/decisions/review", nil, w)
}

// SayPosition takes a position for the own organisation.
func (c *Client) SayPosition(ctx context.Context, id string, choice decision.Choice, reason string) (decisions.View, error) {
	return ask[decisions.View](ctx, c, post, "/decisions/"+seg(id)+"/position", nil, PositionRequest{choice, reason})
}

// SecondDecision proposes, too, what another party proposed.
func (c *Client) SecondDecision(ctx context.Context, id string) (decisions.View, error) {
	return ask[decisions.View](ctx, c, post, "/decisions/"+seg(id)+"/second", nil, nil)
}

// ReportDecision says what a person did on a decision.
func (c *Client) ReportDecision(ctx context.Context, id string, did decision.Did, text string) (decisions.View, error) {
	return ask[decisions.View](ctx, c, post, "/decisions/"+seg(id)+"/report", nil, ReportRequest{did, text})
}

// Ballot is a position that a voter signs elsewhere.
func (c *Client) Ballot(ctx context.Context, id string, choice decision.Choice, reason string) (Ballot, error) {
	return ask[Ballot](ctx, c, get, "/decisions/"+seg(id)+"/ballot", url.Values{"choice": {string(choice)}, "reason": {reason}}, nil)
}

// SubmitDecision says what voters signed elsewhere.
func (c *Client) SubmitDecision(ctx context.Context, envelope []byte) (v decisions.View, err error) {
	return v, c.upload(ctx, "/decisions/envelopes", nil, envelope, &v)
}

// DecisionProposal writes the signed envelope of a proposal.
func (c *Client) DecisionProposal(ctx context.Context, id string, w io.Writer) error {
	_, err := c.copy(ctx, "/decisions/"+seg(id)+"/proposal", nil, w)
	return err
}

// DecisionCertificate writes the certificate of a decision.
func (c *Client) DecisionCertificate(ctx context.Context, id string, alone bool, w io.Writer) error {
	q := url.Values{}
	if alone {
		q.Set("alone", "true")
	}
	_, err := c.copy(ctx, "/decisions/"+seg(id)+"/certificate", q, w)
	return err
}

// VerifyDecision tells what a certificate proves to the node.
func (c *Client) VerifyDecision(ctx context.Context, certificate []byte) (v decisions.Verdict, err error) {
	return v, c.upload(ctx, "/decisions/verify", nil, certificate, &v)
}

// AddWeights keeps a table of weights.
func (c *Client) AddWeights(ctx context.Context, table []byte) (t WeightTable, err error) {
	return t, c.upload(ctx, "/decisions/weights", nil, table, &t)
}
