package api

import (
	"context"
	"io"
	"net/url"

	"entente/internal/asset"
	"entente/register"
)

// Constituents calls fn for every constituent that the query finds: q, sector, value, all.
func (c *Client) Constituents(ctx context.Context, q url.Values, fn func(asset.View) error) error {
	return each(ctx, c, "/constituents", q, fn)
}

// Constituent is one constituent.
func (c *Client) Constituent(ctx context.Context, id string) (asset.View, error) {
	return ask[asset.View](ctx, c, get, "/constituents/"+seg(id), nil, nil)
}

// AddConstituent takes a constituent in.
func (c *Client) AddConstituent(ctx context.Context, d *register.Constituent) (asset.View, error) {
	return ask[asset.View](ctx, c, post, "/constituents", nil, d)
}

// PutConstituent makes another version of a constituent; its modified names the version that it was made from.
func (c *Client) PutConstituent(ctx context.Context, id string, d *register.Constituent) (asset.View, error) {
	return ask[asset.View](ctx, c, put, "/constituents/"+seg(id), nil, d)
}

// RemoveConstituent removes a constituent; its versions stay.
func (c *Client) RemoveConstituent(ctx context.Context, id string) error {
	_, err := ask[nothing](ctx, c, remove, "/constituents/"+seg(id), nil, nil)
	return err
}

// ConstituentVersions are all versions of a constituent, the oldest first.
func (c *Client) ConstituentVersions(ctx context.Context, id string) ([]asset.View, error) {
	l, err := ask[List[asset.View]](ctx, c, get, "/constituents/"+seg(id)+"/versions", nil, nil)
	return l.Items, err
}

// MatchConstituents says whom values concern.
func (c *Client) MatchConstituents(ctx context.Context, values []string) ([]asset.Match, error) {
	l, err := ask[List[asset.Match]](ctx, c, get, "/constituents/match", url.Values{"value": values}, nil)
	return l.Items, err
}

// VerifyConstituents checks every version of every constituent.
func (c *Client) VerifyConstituents(ctx context.Context) (asset.Verification, error) {
	return ask[asset.Verification](ctx, c, get, "/constituents/verify", nil, nil)
}

// ImportConstituents takes in what r says. The query is that of Routes: format, dry_run, replace, constituent.
func (c *Client) ImportConstituents(ctx context.Context, r io.Reader, q url.Values) (asset.Review, error) {
	return upload[asset.Review](ctx, c, "/constituents/import", q, r)
}

// ExportConstituents copies every constituent to w, as json or csv.
func (c *Client) ExportConstituents(ctx context.Context, format string, w io.Writer) error {
	_, err := c.copy(ctx, "/constituents/export", url.Values{"format": {format}}, w)
	return err
}
