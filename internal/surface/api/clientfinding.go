package api

import (
	"context"
	"net/url"

	"entente/internal/index"
)

// Find calls fn for every object that a search finds, best first, until fn returns an error. The parameters are those of /search.
func (c *Client) Find(ctx context.Context, q url.Values, fn func(Found) error) error {
	return each(ctx, c, "/search", q, fn)
}

// Finds is one page of Find, with its total and, when the parameters ask for them, facets.
func (c *Client) Finds(ctx context.Context, q url.Values) (Finds, error) {
	return ask[Finds](ctx, c, get, "/search", q, nil)
}

// Suggest lists words that begin as the text does.
func (c *Client) Suggest(ctx context.Context, text string) ([]index.Count, error) {
	l, err := ask[List[index.Count]](ctx, c, get, "/search/words", url.Values{"q": {text}}, nil)
	return l.Items, err
}

// Neighbours is one page of what an object is connected with.
func (c *Client) Neighbours(ctx context.Context, id string, q url.Values) (Around, error) {
	return ask[Around](ctx, c, get, "/objects/"+seg(id)+"/neighbours", q, nil)
}

// EachNeighbour calls fn for everything that an object is connected with, newest first.
func (c *Client) EachNeighbour(ctx context.Context, id string, q url.Values, fn func(Neighbour) error) error {
	return each(ctx, c, "/objects/"+seg(id)+"/neighbours", q, fn)
}

// Paths are the shortest ways from an object to another.
func (c *Client) Paths(ctx context.Context, from, to string, q url.Values) (Ways, error) {
	with := url.Values{"to": {to}}
	for name, values := range q {
		with[name] = values
	}
	return ask[Ways](ctx, c, get, "/objects/"+seg(from)+"/paths", with, nil)
}

// Index is how the node's index is.
func (c *Client) Index(ctx context.Context) (index.State, error) {
	return ask[index.State](ctx, c, get, "/index", nil, nil)
}

// Provenance is where the versions of an object came from, oldest first.
func (c *Client) Provenance(ctx context.Context, id string) (out []Provenance, err error) {
	err = each(ctx, c, "/objects/"+seg(id)+"/provenance", nil, func(p Provenance) error { out = append(out, p); return nil })
	return out, err
}
