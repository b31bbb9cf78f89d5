package api

import (
	"context"
	"io"
	"net/url"
	"time"

	"entente/internal/peers"
	"entente/keylog"
)

// Keys is the nation's key log, as people read it.
func (c *Client) Keys(ctx context.Context) (KeyBook, error) {
	return ask[KeyBook](ctx, c, get, "/keys", nil, nil)
}

// KeyLog writes the nation's key log itself.
func (c *Client) KeyLog(ctx context.Context, w io.Writer) error {
	_, err := c.copy(ctx, "/keys/log", nil, w)
	return err
}

// RotateKey replaces the node's key for a role; the old one counts for so many hours still.
func (c *Client) RotateKey(ctx context.Context, role keylog.Role, hours int) (KeyBook, error) {
	return ask[KeyBook](ctx, c, post, "/keys/rotate", nil, KeyRotation{role, hours})
}

// RevokeKey states that a key counts no longer from a time on; the zero time is now.
func (c *Client) RevokeKey(ctx context.Context, id string, from time.Time, reason string) (KeyBook, error) {
	return ask[KeyBook](ctx, c, post, "/keys/"+seg(id)+"/revoke", nil, KeyEnd{from, reason})
}

// CompromiseKey states since when a key is in other hands.
func (c *Client) CompromiseKey(ctx context.Context, id string, since time.Time, reason string) (KeyBook, error) {
	return ask[KeyBook](ctx, c, post, "/keys/"+seg(id)+"/compromise", nil, KeyEnd{since, reason})
}

// MoveNode states where the node of a key is reached.
func (c *Client) MoveNode(ctx context.Context, id, address string) (KeyBook, error) {
	return ask[KeyBook](ctx, c, put, "/keys/"+seg(id)+"/address", nil, KeyPlace{address})
}

// Card writes the file that another nation is given at a first contact.
func (c *Client) Card(ctx context.Context, address string, w io.Writer) error {
	q := url.Values{}
	if address != "" {
		q.Set("address", address)
	}
	_, err := c.copy(ctx, "/card", q, w)
	return err
}

// Peers is the nations that the node knows.
func (c *Client) Peers(ctx context.Context) ([]peers.Peer, error) {
	l, err := ask[List[peers.Peer]](ctx, c, get, "/peers", nil, nil)
	return l.Items, err
}

// Peer is one nation that the node knows.
func (c *Client) Peer(ctx context.Context, nation string) (peers.Peer, error) {
	return ask[peers.Peer](ctx, c, get, "/peers/"+seg(nation), nil, nil)
}

// ReviewPeer verifies a card and says whose it is.
func (c *Client) ReviewPeer(ctx context.Context, card []byte) (peers.Peer, error) {
	return c.sendCard(ctx, "/peers/review", nil, card)
}

// AddPeer takes a nation's card whose fingerprint two people have compared.
func (c *Client) AddPeer(ctx context.Context, nation, fingerprint string, card []byte) (peers.Peer, error) {
	return c.sendCard(ctx, "/peers", url.Values{"nation": {nation}, "fingerprint": {fingerprint}}, card)
}

func (c *Client) sendCard(ctx context.Context, path string, q url.Values, card []byte) (p peers.Peer, err error) {
	return p, c.upload(ctx, path, q, card, &p)
}

// RemovePeer forgets a nation.
func (c *Client) RemovePeer(ctx context.Context, nation string) error {
	_, err := ask[nothing](ctx, c, remove, "/peers/"+seg(nation), nil, nil)
	return err
}
