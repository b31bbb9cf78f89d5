package api

import (
	"context"
	"io"

	"entente/internal/federation"
)

// Bundles is what the node knows of bundles.
func (c *Client) Bundles(ctx context.Context) (federation.BundleBook, error) {
	return ask[federation.BundleBook](ctx, c, get, "/bundles", nil, nil)
}

// MakeBundle has the node make a bundle, which BundleFile fetches.
func (c *Client) MakeBundle(ctx context.Context, q federation.BundleRequest) (federation.Bundle, error) {
	return ask[federation.Bundle](ctx, c, post, "/bundles", nil, q)
}

// BundleFile copies the last bundle for a nation to w.
func (c *Client) BundleFile(ctx context.Context, nation string, w io.Writer) (int64, error) {
	return c.copy(ctx, "/bundles/"+seg(nation)+"/file", nil, w)
}

// BundleKey copies the statement of the node's key to w.
func (c *Client) BundleKey(ctx context.Context, w io.Writer) (int64, error) {
	return c.copy(ctx, "/bundles/key", nil, w)
}

// AddBundleKey hands in the statement of a partner's key.
func (c *Client) AddBundleKey(ctx context.Context, r io.Reader) (federation.SealKey, error) {
	return upload[federation.SealKey](ctx, c, "/bundles/key", nil, r)
}

// VerifyBundle says what a bundle is.
func (c *Client) VerifyBundle(ctx context.Context, r io.Reader) (federation.Imported, error) {
	return upload[federation.Imported](ctx, c, "/bundles/verify", nil, r)
}

// ImportBundle has the node take a bundle.
func (c *Client) ImportBundle(ctx context.Context, r io.Reader) (federation.Imported, error) {
	return upload[federation.Imported](ctx, c, "/bundles/import", nil, r)
}

// AckBundle says that a bundle arrived.
func (c *Client) AckBundle(ctx context.Context, in BundleWords) (federation.Bundle, error) {
	return ask[federation.Bundle](ctx, c, post, "/bundles/ack", nil, in)
}
