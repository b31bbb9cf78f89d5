package api

import (
	"context"
	"net/url"

	"entente/internal/lists"
)

// Lists is what of the published lists is loaded.
func (c *Client) Lists(ctx context.Context) (lists.Summary, error) {
	return ask[lists.Summary](ctx, c, get, "/lists", nil, nil)
}

// ReloadLists reads the files of the lists anew, and says what is loaded from then on.
func (c *Client) ReloadLists(ctx context.Context) (lists.Summary, error) {
	return ask[lists.Summary](ctx, c, post, "/lists/reload", nil, nil)
}

// CheckLists is the warning lists that a value stands on. typ is its MISP attribute type, or empty.
func (c *Client) CheckLists(ctx context.Context, typ, value string) ([]lists.Hit, error) {
	l, err := ask[List[lists.Hit]](ctx, c, get, "/lists/check", url.Values{"type": {typ}, "value": {value}}, nil)
	return l.Items, err
}

// Terms finds tags of taxonomies by a text, or explains one tag.
func (c *Client) Terms(ctx context.Context, text, tag string) ([]lists.Term, error) {
	l, err := ask[List[lists.Term]](ctx, c, get, "/lists/taxonomies", url.Values{"q": {text}, "tag": {tag}}, nil)
	return l.Items, err
}

// Clusters finds clusters of galaxies by a text, or explains one tag.
func (c *Client) Clusters(ctx context.Context, text, tag string) ([]lists.Cluster, error) {
	l, err := ask[List[lists.Cluster]](ctx, c, get, "/lists/galaxies", url.Values{"q": {text}, "tag": {tag}}, nil)
	return l.Items, err
}

// Warnings is the warning lists that the values of an object stand on.
func (c *Client) Warnings(ctx context.Context, id string) ([]Warning, error) {
	l, err := ask[List[Warning]](ctx, c, get, "/objects/"+seg(id)+"/warnings", nil, nil)
	return l.Items, err
}
