package api

import (
	"context"
	"net/url"
	"strconv"

	"entente/internal/exchange"
	"entente/internal/feed"
	"entente/internal/identity"
)

// Collections lists collections; all: also those the caller may not use.
func (c *Client) Collections(ctx context.Context, root string, all bool) ([]exchange.CollectionView, error) {
	q := url.Values{"all": {strconv.FormatBool(all)}}
	if root != "" {
		q.Set("root", root)
	}
	l, err := ask[List[exchange.CollectionView]](ctx, c, get, "/collections", q, nil)
	return l.Items, err
}

// Collection finds a collection by id or alias.
func (c *Client) Collection(ctx context.Context, name string) (exchange.CollectionView, error) {
	return ask[exchange.CollectionView](ctx, c, get, "/collections/"+seg(name), nil, nil)
}

// AddCollection makes a collection.
func (c *Client) AddCollection(ctx context.Context, p PutCollection) (exchange.Collection, error) {
	return ask[exchange.Collection](ctx, c, post, "/collections", nil, p)
}

// ChangeCollection gives a collection another state.
func (c *Client) ChangeCollection(ctx context.Context, name string, p PutCollection) (exchange.Collection, error) {
	return ask[exchange.Collection](ctx, c, put, "/collections/"+seg(name), nil, p)
}

// RemoveCollection removes an empty collection.
func (c *Client) RemoveCollection(ctx context.Context, name string) error {
	_, err := ask[nothing](ctx, c, remove, "/collections/"+seg(name), nil, nil)
	return err
}

// Roots lists API roots; all: also those of other parties.
func (c *Client) Roots(ctx context.Context, all bool) ([]exchange.Root, error) {
	l, err := ask[List[exchange.Root]](ctx, c, get, "/roots", url.Values{"all": {strconv.FormatBool(all)}}, nil)
	return l.Items, err
}

// AddRoot makes an API root.
func (c *Client) AddRoot(ctx context.Context, r exchange.Root) (exchange.Root, error) {
	return ask[exchange.Root](ctx, c, post, "/roots", nil, r)
}

// Users calls fn for every account.
func (c *Client) Users(ctx context.Context, fn func(identity.User) error) error {
	return each(ctx, c, "/users", nil, fn)
}

// AddUser makes an account.
func (c *Client) AddUser(ctx context.Context, u AddUser) (identity.User, error) {
	return ask[identity.User](ctx, c, post, "/users", nil, u)
}

// ChangeUser changes an account.
func (c *Client) ChangeUser(ctx context.Context, name string, ch ChangeUser) (identity.User, error) {
	return ask[identity.User](ctx, c, patch, "/users/"+seg(name), nil, ch)
}

// RemoveUser removes an account.
func (c *Client) RemoveUser(ctx context.Context, name string) error {
	_, err := ask[nothing](ctx, c, remove, "/users/"+seg(name), nil, nil)
	return err
}

// Tokens calls fn for every token.
func (c *Client) Tokens(ctx context.Context, fn func(identity.Token) error) error {
	return each(ctx, c, "/tokens", nil, fn)
}

// AddToken makes a token.
func (c *Client) AddToken(ctx context.Context, t AddToken) (NewToken, error) {
	return ask[NewToken](ctx, c, post, "/tokens", nil, t)
}

// RevokeToken ends a token.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	_, err := ask[nothing](ctx, c, remove, "/tokens/"+seg(id), nil, nil)
	return err
}

// Certificates calls fn for every client certificate.
func (c *Client) Certificates(ctx context.Context, fn func(identity.Certificate) error) error {
	return each(ctx, c, "/certificates", nil, fn)
}

// AddCertificate issues a client certificate.
func (c *Client) AddCertificate(ctx context.Context, a AddCertificate) (NewCertificate, error) {
	return ask[NewCertificate](ctx, c, post, "/certificates", nil, a)
}

// RevokeCertificate ends a client certificate.
func (c *Client) RevokeCertificate(ctx context.Context, id string) error {
	_, err := ask[nothing](ctx, c, remove, "/certificates/"+seg(id), nil, nil)
	return err
}

// Orgs lists the organisations that the node knows.
func (c *Client) Orgs(ctx context.Context) ([]identity.Org, error) {
	l, err := ask[List[identity.Org]](ctx, c, get, "/orgs", nil, nil)
	return l.Items, err
}

// AddOrg registers an organisation.
func (c *Client) AddOrg(ctx context.Context, o identity.Org) (identity.Org, error) {
	return ask[identity.Org](ctx, c, post, "/orgs", nil, o)
}

// ChangeOrg changes an organisation.
func (c *Client) ChangeOrg(ctx context.Context, o identity.Org) (identity.Org, error) {
	return ask[identity.Org](ctx, c, put, "/orgs/"+seg(o.Name), nil, o)
}

// RemoveOrg removes an organisation that nothing names.
func (c *Client) RemoveOrg(ctx context.Context, name string) error {
	_, err := ask[nothing](ctx, c, remove, "/orgs/"+seg(name), nil, nil)
	return err
}

// Communities lists communities.
func (c *Client) Communities(ctx context.Context) ([]identity.Community, error) {
	l, err := ask[List[identity.Community]](ctx, c, get, "/communities", nil, nil)
	return l.Items, err
}

// PutCommunity makes a community, or changes its members.
func (c *Client) PutCommunity(ctx context.Context, m identity.Community) (identity.Community, error) {
	return ask[identity.Community](ctx, c, put, "/communities/"+seg(m.Name), nil, m)
}

// RemoveCommunity removes a community.
func (c *Client) RemoveCommunity(ctx context.Context, name string) error {
	_, err := ask[nothing](ctx, c, remove, "/communities/"+seg(name), nil, nil)
	return err
}

// Feeds lists feeds with how they are.
func (c *Client) Feeds(ctx context.Context) ([]feed.View, error) {
	l, err := ask[List[feed.View]](ctx, c, get, "/feeds", nil, nil)
	return l.Items, err
}

// Feed is one feed with its last runs.
func (c *Client) Feed(ctx context.Context, name string) (feed.View, error) {
	return ask[feed.View](ctx, c, get, "/feeds/"+seg(name), nil, nil)
}

// RunFeed runs a feed now and waits until it has ended. A dry run stores nothing.
func (c *Client) RunFeed(ctx context.Context, name string, dry bool) (feed.Report, error) {
	return ask[feed.Report](ctx, c, post, "/feeds/"+seg(name)+"/run", url.Values{"dry_run": {strconv.FormatBool(dry)}}, nil)
}

// Quarantine calls fn for every record in quarantine.
func (c *Client) Quarantine(ctx context.Context, fn func(Held) error) error {
	return each(ctx, c, "/quarantine", nil, fn)
}

// Held is one record in quarantine.
func (c *Client) Held(ctx context.Context, id string) (Held, error) {
	return ask[Held](ctx, c, get, "/quarantine/"+seg(id), nil, nil)
}

// Release lets a record out of quarantine.
func (c *Client) Release(ctx context.Context, id string, r ReleaseHeld) error {
	_, err := ask[nothing](ctx, c, post, "/quarantine/"+seg(id)+"/release", nil, r)
	return err
}

// Refuse destroys a record in quarantine.
func (c *Client) Refuse(ctx context.Context, id string) error {
	_, err := ask[nothing](ctx, c, post, "/quarantine/"+seg(id)+"/refuse", nil, nil)
	return err
}
