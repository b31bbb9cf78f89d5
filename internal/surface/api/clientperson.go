package api

import (
	"context"
	"net/url"

	"entente/internal/identity"
)

// Sessions calls fn for every session; with a user, for those of that account.
func (c *Client) Sessions(ctx context.Context, user string, fn func(identity.Session) error) error {
	q := url.Values{}
	if user != "" {
		q.Set("user", user)
	}
	return each(ctx, c, "/sessions", q, fn)
}

// RevokeSession ends a session.
func (c *Client) RevokeSession(ctx context.Context, id string) error {
	_, err := ask[nothing](ctx, c, remove, "/sessions/"+seg(id), nil, nil)
	return err
}

// ResetFactors takes the second factors of an account away.
func (c *Client) ResetFactors(ctx context.Context, name string) error {
	_, err := ask[nothing](ctx, c, remove, "/users/"+seg(name)+"/factors", nil, nil)
	return err
}
