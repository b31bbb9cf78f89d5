package api

import (
	"bytes"
	"context"
	"io"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
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
	return upload[peers.Peer](ctx, c, "/peers/review", nil, bytes.NewReader(card))
}

// AddPeer takes a nation's card whose fingerprint two people have compared.
func (c *Client) AddPeer(ctx context.Context, nation, fingerprint string, card []byte) (peers.Peer, error) {
	return upload[peers.Peer](ctx, c, "/peers", url.Values{"nation": {nation}, "fingerprint": {fingerprint}}, bytes.NewReader(card))
}

// RemovePeer forgets a nation.
func (c *Client) RemovePeer(ctx context.Context, nation string) error {
	_, err := ask[nothing](ctx, c, remove, "/peers/"+seg(nation), nil, nil)
	return err
}

// RequestKeys writes the node's requests for the keys that it lacks.
func (c *Client) RequestKeys(ctx context.Context, w io.Writer) error {
	return c.download(ctx, "/keys/requests", "", nil, w)
}

// ReviewRequests says who asks for what.
func (c *Client) ReviewRequests(ctx context.Context, file []byte) ([]KeyAsk, error) {
	l, err := upload[List[KeyAsk]](ctx, c, "/keys/requests/review", nil, bytes.NewReader(file))
	return l.Items, err
}

// AdmitKeys names the keys that are asked for.
func (c *Client) AdmitKeys(ctx context.Context, file []byte) (KeyBook, error) {
	return upload[KeyBook](ctx, c, "/keys/admit", nil, bytes.NewReader(file))
}

// JoinLog brings the nation's key log as it was signed where the root is.
func (c *Client) JoinLog(ctx context.Context, log []byte) (KeyBook, error) {
	return upload[KeyBook](ctx, c, "/keys/join", nil, bytes.NewReader(log))
}

// DraftRotation makes a new key for a role and writes the draft of the statement that names it.
func (c *Client) DraftRotation(ctx context.Context, role keylog.Role, hours int, w io.Writer) error {
	b, err := json.Marshal(KeyRotation{role, hours})
	if err != nil {
		return fault.New(fault.Invalid, "body.form", "%v", err)
	}
	return c.download(ctx, "/keys/drafts", jsonType, b, w)
}

// KeyCode writes the fingerprint as a QR code, an SVG picture.
func (c *Client) KeyCode(ctx context.Context, w io.Writer) error {
	_, err := c.copy(ctx, "/keys/qr", nil, w)
	return err
}

// download posts and writes the file that is the answer.
func (c *Client) download(ctx context.Context, path, contentType string, body []byte, w io.Writer) error {
	resp, err := c.send(ctx, post, path, nil, contentType, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(w, resp.Body)
	return err
}
