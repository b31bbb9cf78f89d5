package api

import (
	"context"

	"entente/internal/federation"
	"entente/internal/gate"
)

var relayRoutes = []Route{
	{get, "/relay", "What this node carries for others, by sizes and ages alone, and how the relays are that carry for it.", gate.AccordRead, nil, gives(federation.RelayState{}), (*API).relay},
}

func (a *API) relay(c *call) error {
	s, err := a.ops.Federation().RelayState(c.ctx())
	if err != nil {
		return err
	}
	return c.answer(s)
}

// Relay is what the node carries, and what carries for it.
func (c *Client) Relay(ctx context.Context) (federation.RelayState, error) {
	return ask[federation.RelayState](ctx, c, get, "/relay", nil, nil)
}
