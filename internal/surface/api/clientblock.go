package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"entente/internal/block"
	"entente/internal/fault"
)

// Blocking is what is blocked, in numbers, and the formats.
func (c *Client) Blocking(ctx context.Context) (Blocking, error) {
	return ask[Blocking](ctx, c, get, "/block", nil, nil)
}

// Blocked is what an answer says besides its bytes.
type Blocked struct {
	ETag     string
	Cursor   string
	Envelope []byte // signs the bytes
	Size     int64
}

// Block writes what is blocked in a format, of some types or, without any, of all that the format has.
func (c *Client) Block(ctx context.Context, format string, types []string, w io.Writer) (b Blocked, err error) {
	resp, err := c.send(ctx, get, "/block/"+seg(format), typeQuery(types), "", nil)
	if err != nil {
		return b, err
	}
	defer resp.Body.Close()
	b = Blocked{ETag: resp.Header.Get("ETag"), Cursor: resp.Header.Get(BlockCursor)}
	if b.Envelope, err = base64.StdEncoding.DecodeString(resp.Header.Get(BlockSignature)); err != nil || resp.StatusCode != http.StatusOK {
		return b, fault.New(fault.Internal, "server.answer", "the node's answer has no signature")
	}
	if b.Size, err = io.Copy(w, resp.Body); err != nil && !isWriteError(err) {
		err = fault.New(fault.Unavailable, "server.cut", "the node's answer was cut off").Because(err)
	}
	return b, err
}

// BlockSince is what of a format has changed since a cursor; an empty one is everything.
func (c *Client) BlockSince(ctx context.Context, format string, types []string, cursor string) (block.Delta, error) {
	q := typeQuery(types)
	q.Set("since", cursor)
	return ask[block.Delta](ctx, c, get, "/block/"+seg(format), q, nil)
}

// BlockSignature is the envelope over what is blocked in a format.
func (c *Client) BlockSignature(ctx context.Context, format string, types []string) (json.RawMessage, error) {
	return ask[json.RawMessage](ctx, c, get, "/block/"+seg(format)+"/signature", typeQuery(types), nil)
}

// BlockLeft calls fn for everything that is not blocked in a format, with the reason.
func (c *Client) BlockLeft(ctx context.Context, format string, only block.LeftFilter, fn func(block.Spared) error) error {
	q := url.Values{"limit": {"1000"}}
	for name, v := range map[string]string{"value": only.Value, "code": only.Code} {
		if v != "" {
			q.Set(name, v)
		}
	}
	return each(ctx, c, "/block/"+seg(format)+"/left", q, fn)
}

func typeQuery(types []string) url.Values {
	q := url.Values{}
	if len(types) > 0 {
		q["type"] = types
	}
	return q
}
