package peer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// Doer sends requests. It follows no redirects: its connections are bound to one node's key.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Client asks one node. Its methods are safe for concurrent use.
type Client struct {
	URL    string // scheme, host and port: "https://node.example:8443"
	Doer   Doer
	Limits Limits
}

// Hello asks what the node speaks.
func (c *Client) Hello(ctx context.Context) (h Hello, err error) {
	err = c.json(ctx, "/fed/v1/hello", &h)
	return h, err
}

// Logs asks which logs the caller has part in, and how far they are. With the tag of an answer before, it tells by changed = false that nothing
// is new since: that is all a sync costs when there is nothing to do.
func (c *Client) Logs(ctx context.Context, tag string) (heads []Head, newTag string, changed bool, err error) {
	r, err := c.request(ctx, http.MethodGet, "/fed/v1/logs", "", nil)
	if err != nil {
		return nil, "", false, err
	}
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	w, err := c.do(r, tag != "")
	if err != nil {
		return nil, "", false, err
	}
	defer w.Body.Close()
	if w.StatusCode == http.StatusNotModified {
		return nil, tag, false, nil
	}
	var l logsBody
	if err := c.read(w, &l); err != nil {
		return nil, "", false, err
	}
	limits := c.Limits.Values()
	if len(l.Logs) > limits.Logs {
		return nil, "", false, refuse(CodeSize, "the node has more than %d logs for this caller", limits.Logs)
	}
	for _, h := range l.Logs {
		if !IsOrigin(h.Origin) || h.Size > maxSize {
			return nil, "", false, refuse(CodeForm, "the node names a log that is none")
		}
	}
	newTag = w.Header.Get("ETag")
	if len(newTag) > maxName {
		newTag = ""
	}
	return l.Logs, newTag, true, nil
}

// Pull asks for frames. limit 0 is as many as the node gives at once.
func (c *Client) Pull(ctx context.Context, p Position, limit int) (*Batch, error) {
	name, ok := strings.CutPrefix(p.Origin, OriginPrefix)
	if !ok || !IsOrigin(p.Origin) {
		return nil, errNotFound
	}
	q := "?from=" + strconv.FormatUint(p.Size, 10) + "&known=" + strconv.FormatUint(p.Known, 10)
	if limit > 0 {
		q += "&limit=" + strconv.Itoa(limit)
	}
	return batchOf(ctx, c, "/fed/v1/log/"+name+q, BatchMedia, ReadBatch, func(b *Batch) bool { return b.Origin == p.Origin && b.From == p.Size })
}

// batchOf asks for one batch of a form, which must be what was asked for.
func batchOf[B any](ctx context.Context, c *Client, path, media string, read func(*bufio.Reader, Limits) (*B, error), asked func(*B) bool) (*B, error) {
	in, err := c.open(ctx, path, media)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b, err := read(bufio.NewReader(in), c.Limits)
	switch {
	case err != nil:
		return nil, cut(err)
	case b == nil || !asked(b):
		return nil, refuse(CodeOrigin, "the node answers with another part than was asked for")
	}
	return b, nil
}

// streamOf asks for a stream of batches, and hands over each as it comes.
func streamOf[B any](ctx context.Context, c *Client, path, media string, read func(*bufio.Reader, Limits) (*B, error), each func(*B) error) error {
	body, err := c.open(ctx, path, media)
	if err != nil {
		return err
	}
	defer body.Close()
	for in := bufio.NewReader(body); ; {
		b, err := read(in, c.Limits)
		if err != nil {
			return cut(err)
		}
		if err := each(b); err != nil {
			return err
		}
	}
}

// open asks for what has a form.
func (c *Client) open(ctx context.Context, path, media string) (io.ReadCloser, error) {
	r, err := c.request(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return nil, err
	}
	w, err := c.do(r, false)
	if err != nil {
		return nil, err
	}
	if got := w.Header.Get("Content-Type"); got != media {
		return nil, errors.Join(refuse(CodeForm, "the node answers in another form"), w.Body.Close())
	}
	return w.Body, nil
}

// Stream asks for what is new since the positions, and hands over each batch as it comes; nil is a ping. It ends with the error of each or of
// the connection; that the node ended it is io.EOF. Batches of logs that no position is of begin at 0.
func (c *Client) Stream(ctx context.Context, since []Position, each func(*Batch) error) error {
	return streamOf(ctx, c, "/fed/v1/stream?since="+url.QueryEscape(formatPositions(since)), StreamMedia, ReadBatch, each)
}

// Ack says what became of what was read.
func (c *Client) Ack(ctx context.Context, a Ack) error {
	b, err := json.Marshal(a)
	if err != nil {
		return refuse(CodeForm, "the acknowledgement cannot be written: %v", err)
	}
	return c.post(ctx, "/fed/v1/ack", jsonMedia, b)
}

// Push hands over frames of one's own log.
func (c *Client) Push(ctx context.Context, b *Batch) error {
	return c.post(ctx, "/fed/v1/push", BatchMedia, b.Append(nil))
}

// KeyLog asks for statements of a nation's key log; an empty nation is the node's own.
func (c *Client) KeyLog(ctx context.Context, nation string, from uint64) (k KeyLog, err error) {
	q := url.Values{"from": {strconv.FormatUint(from, 10)}}
	if nation != "" {
		q.Set("nation", nation)
	}
	if err = c.json(ctx, "/fed/v1/keylog?"+q.Encode(), &k); err == nil && k.From != from {
		err = refuse(CodeForm, "the node answers with another part than was asked for")
	}
	return k, err
}

// Offer hands over a document.
func (c *Client) Offer(ctx context.Context, what Offered, document []byte) error {
	return c.post(ctx, "/fed/v1/"+string(what), rawMedia, document)
}

func (c *Client) request(ctx context.Context, method, path, media string, content []byte) (*http.Request, error) {
	var in io.Reader
	if content != nil {
		in = bytes.NewReader(content)
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, in)
	if err != nil {
		return nil, refuse(CodeForm, "the node's address is none: %v", err)
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	return r, nil
}

// do sends the request. What is not a success is an *Error with the node's code.
func (c *Client) do(r *http.Request, unchanged bool) (*http.Response, error) {
	w, err := c.Doer.Do(r)
	if err != nil {
		return nil, err
	}
	if w.StatusCode == http.StatusOK || w.StatusCode == http.StatusNoContent || unchanged && w.StatusCode == http.StatusNotModified {
		return w, nil
	}
	defer w.Body.Close()
	var said struct {
		Code string `json:"code"`
	}
	b, _ := io.ReadAll(io.LimitReader(w.Body, 1024))
	_ = json.Unmarshal(b, &said) // an answer that is not ours has no code
	code := CodeRefused
	for _, known := range [...]string{CodeForm, CodeSize, CodeOrigin, CodeCheckpoint, CodeRollback, CodeFork, CodeGap, CodeProof, CodeCommitment, CodeSealed, CodeSignature,
		CodeRendition, CodeNotFound, CodeThrottled, CodeUnavailable, CodeFull, CodeInternal} {
		if said.Code == known {
			code = known
		}
	}
	return nil, refuse(code, "%s %s: %d", r.Method, r.URL.Path, w.StatusCode)
}

func (c *Client) read(w *http.Response, v any) error {
	limit := c.Limits.Values().Body
	b, err := io.ReadAll(io.LimitReader(w.Body, limit+1))
	switch {
	case err != nil:
		return err
	case int64(len(b)) > limit:
		return refuse(CodeSize, "the answer has more than %d bytes", limit)
	}
	if err := json.Unmarshal(b, v); err != nil { // members of later versions are passed over
		return refuse(CodeForm, "the answer cannot be read: %v", err)
	}
	return nil
}

func (c *Client) json(ctx context.Context, path string, v any) error {
	r, err := c.request(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return err
	}
	w, err := c.do(r, false)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	return c.read(w, v)
}

func (c *Client) post(ctx context.Context, path, media string, content []byte) error {
	r, err := c.request(ctx, http.MethodPost, path, media, content)
	if err != nil {
		return err
	}
	w, err := c.do(r, false)
	if err == nil {
		err = w.Body.Close()
	}
	return err
}

// cut says of an answer that ended too early what it is.
func cut(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return refuse(CodeUnavailable, "the node's answer was cut short")
	}
	return err
}
