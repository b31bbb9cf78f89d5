package api

import (
	"context"
	"encoding/json"
	"io"
	"net/url"

	"entente/internal/blob"
	"entente/internal/fault"
	"entente/internal/store"
)

// AddBlob sends what r holds. The query is that of Routes: name, media_type, label, sample.
func (c *Client) AddBlob(ctx context.Context, r io.Reader, q url.Values) (AddedBlob, error) {
	return upload[AddedBlob](ctx, c, "/blobs", q, r)
}

// upload sends what r holds and reads the answer.
func upload[T any](ctx context.Context, c *Client, path string, q url.Values, r io.Reader) (out T, err error) {
	resp, err := c.send(ctx, post, path, q, importType, r)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return out, unreachable(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return out, fault.New(fault.Internal, "server.answer", "the node's answer cannot be read").Because(err)
	}
	return out, nil
}

// ObjectBlobs is the files whose SHA-256 an object has.
func (c *Client) ObjectBlobs(ctx context.Context, id string) ([]Blob, error) {
	l, err := ask[List[Blob]](ctx, c, get, "/objects/"+seg(id)+"/blobs", nil, nil)
	return l.Items, err
}

// Review says what a text or a file contains. Nothing of it is stored.
func (c *Client) Review(ctx context.Context, r io.Reader) (Review, error) {
	return upload[Review](ctx, c, "/review", nil, r)
}

// Blobs calls fn for every blob that the caller may have.
func (c *Client) Blobs(ctx context.Context, fn func(Blob) error) error {
	return each(ctx, c, "/blobs", nil, fn)
}

// Blob is what is known of one.
func (c *Client) Blob(ctx context.Context, id string) (Blob, error) {
	return ask[Blob](ctx, c, get, "/blobs/"+seg(id), nil, nil)
}

// BlobContent copies the bytes of a blob to w. A sample comes as a ZIP with the password "infected"; with zip, everything does.
func (c *Client) BlobContent(ctx context.Context, id string, zip bool, w io.Writer) (int64, error) {
	q := url.Values{}
	if zip {
		q.Set("zip", "true")
	}
	return c.copy(ctx, "/blobs/"+seg(id)+"/content", q, w)
}

// BlobHolders says who was given a blob.
func (c *Client) BlobHolders(ctx context.Context, id string) ([]blob.Holding, error) {
	l, err := ask[List[blob.Holding]](ctx, c, get, "/blobs/"+seg(id)+"/holders", nil, nil)
	return l.Items, err
}

// RemoveBlob destroys a blob of the caller's organisation.
func (c *Client) RemoveBlob(ctx context.Context, id string) error {
	_, err := ask[nothing](ctx, c, remove, "/blobs/"+seg(id), nil, nil)
	return err
}

// PurgeBlob destroys a blob, so that no file of the store holds a byte of its key.
func (c *Client) PurgeBlob(ctx context.Context, id string) (store.PurgeReport, error) {
	return ask[store.PurgeReport](ctx, c, post, "/blobs/"+seg(id)+"/purge", nil, nil)
}
