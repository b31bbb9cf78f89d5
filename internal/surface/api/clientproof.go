package api

import (
	"context"
	"io"

	"entente/internal/federation"
)

// Proofs are what was proved against partners, the latest first.
func (c *Client) Proofs(ctx context.Context) ([]federation.Accusation, error) {
	l, err := ask[List[federation.Accusation]](ctx, c, get, "/proofs", nil, nil)
	return l.Items, err
}

// Alarms is what people must look at in the alliance.
func (c *Client) Alarms(ctx context.Context) ([]federation.Alarm, error) {
	l, err := ask[List[federation.Alarm]](ctx, c, get, "/alarms", nil, nil)
	return l.Items, err
}

// SharedLogs are the logs that the node shares with a partner.
func (c *Client) SharedLogs(ctx context.Context, nation string) ([]federation.LogView, error) {
	l, err := ask[List[federation.LogView]](ctx, c, get, "/links/"+seg(nation)+"/logs", nil, nil)
	return l.Items, err
}

// Proof is one of them.
func (c *Client) Proof(ctx context.Context, id string) (federation.Accusation, error) {
	return ask[federation.Accusation](ctx, c, get, "/proofs/"+seg(id), nil, nil)
}

// ProofFile writes the file of a proof, which stands alone.
func (c *Client) ProofFile(ctx context.Context, id string, w io.Writer) error {
	_, err := c.copy(ctx, "/proofs/"+seg(id)+"/file", nil, w)
	return err
}

// SettleProof says that a proof does not weigh any more.
func (c *Client) SettleProof(ctx context.Context, id, reason string) (federation.Accusation, error) {
	return ask[federation.Accusation](ctx, c, post, "/proofs/"+seg(id)+"/settlement", nil, ProofSettlement{reason})
}

// VerifyProof says what a file proves.
func (c *Client) VerifyProof(ctx context.Context, file []byte) (f ProofFinding, err error) {
	return f, c.upload(ctx, "/proofs/verify", nil, file, &f)
}
