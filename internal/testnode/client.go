package testnode

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Media is the media type of TAXII 2.1.
const Media = "application/taxii+json;version=2.1"

// Client is a light TAXII client: it holds answers as bytes and decodes only what is asked for. One is for one goroutine at a time.
type Client struct {
	// ReadBuffer is how many bytes the system takes in ahead of the client, on connections made from then on; 0: as it likes.
	ReadBuffer int

	url      string
	user     string
	password string
	http     *http.Client
	buf      bytes.Buffer
}

// NewClient speaks to the node at url as one of its accounts; an empty name sends no credential.
func NewClient(url, user, password string, conf *tls.Config) *Client {
	c := &Client{url: url, user: user, password: password}
	c.http = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{TLSClientConfig: conf, MaxIdleConnsPerHost: 64, DisableCompression: true, ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10,
			DialContext: c.dial},
	}
	return c
}

func (c *Client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: time.Minute}).DialContext(ctx, network, addr)
	if tcp, ok := conn.(*net.TCPConn); ok && c.ReadBuffer > 0 {
		err = tcp.SetReadBuffer(c.ReadBuffer)
	}
	return conn, err
}

// Answer is what the node answered. Body is good until the client's next request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Close ends the client's connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Open asks for path and returns the body of the answer, of which nothing is taken yet.
func (c *Client) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, &Refusal{Answer{Status: resp.StatusCode, Header: resp.Header}}
	}
	return resp.Body, nil
}

// Do makes one request, with the header of TAXII unless it says otherwise.
func (c *Client) Do(ctx context.Context, method, path string, header http.Header, body io.Reader) (Answer, error) {
	resp, err := c.send(ctx, method, path, header, body)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	c.buf.Reset()
	if resp.ContentLength > 0 && resp.ContentLength < 1<<28 {
		c.buf.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	if _, err := c.buf.ReadFrom(resp.Body); err != nil {
		return Answer{}, err
	}
	return Answer{resp.StatusCode, resp.Header, c.buf.Bytes()}, nil
}

func (c *Client) send(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", Media)
	if body != nil {
		r.Header.Set("Content-Type", Media)
	}
	if c.user != "" {
		r.SetBasicAuth(c.user, c.password)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	return c.http.Do(r)
}

// Objects is the path of the collection's objects.
const Objects = "/taxii2/api/collections/" + Collection + "/objects/"

const manifest = "/taxii2/api/collections/" + Collection + "/manifest/"

// Status is a status resource (TAXII 2.1 section 4.3).
type Status struct {
	ID        string   `json:"id"`
	Status    string   `json:"status"`
	Total     int      `json:"total_count"`
	Success   int      `json:"success_count"`
	Failure   int      `json:"failure_count"`
	Pending   int      `json:"pending_count"`
	Successes []Detail `json:"successes"`
	Failures  []Detail `json:"failures"`
}

// Detail is what became of one object of a post.
type Detail struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Message string `json:"message"`
}

// Complete tells whether nothing of the post is pending any more.
func (s *Status) Complete() bool { return s.Status == "complete" }

// Envelope joins objects to an envelope.
func Envelope(raws ...[]byte) []byte {
	size := 16
	for _, r := range raws {
		size += len(r) + 1
	}
	b := append(make([]byte, 0, size), `{"objects":[`...)
	for i, r := range raws {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, r...)
	}
	return append(b, `]}`...)
}

// Post hands in an envelope and returns the status that the node answered 202 with. Another answer is a *Refusal.
func (c *Client) Post(ctx context.Context, envelope []byte) (Status, error) {
	a, err := c.Do(ctx, http.MethodPost, Objects, nil, bytes.NewReader(envelope))
	if err != nil {
		return Status{}, err
	}
	return readStatus(a, http.StatusAccepted)
}

// Status asks for the status of an earlier post.
func (c *Client) Status(ctx context.Context, id string) (Status, error) {
	a, err := c.Do(ctx, http.MethodGet, "/taxii2/api/status/"+id+"/", nil, nil)
	if err != nil {
		return Status{}, err
	}
	return readStatus(a, http.StatusOK)
}

// Settle asks for a status until nothing is pending.
func (c *Client) Settle(ctx context.Context, id string, patience time.Duration) (Status, error) {
	for end := time.Now().Add(patience); ; {
		s, err := c.Status(ctx, id)
		if err != nil || s.Complete() {
			return s, err
		}
		if time.Now().After(end) {
			return s, fmt.Errorf("the post %s still has %d objects pending after %s", id, s.Pending, patience)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Refusal is an answer that is not the one hoped for.
type Refusal struct{ Answer }

func (r *Refusal) Error() string {
	return fmt.Sprintf("the node answered %d: %s", r.Status, clip(r.Body))
}

func clip(b []byte) []byte { return b[:min(len(b), 600)] }

func readStatus(a Answer, want int) (s Status, err error) {
	if a.Status != want {
		a.Body = bytes.Clone(a.Body)
		return s, &Refusal{a}
	}
	if err := json.Unmarshal(a.Body, &s); err != nil {
		return s, fmt.Errorf("reading a status: %w in %s", err, clip(a.Body))
	}
	return s, nil
}

// Pages reads a whole collection page by page and hands every body to each. filters is a query without limit and next.
func (c *Client) Pages(ctx context.Context, filters string, limit int, each func(page []byte) error) error {
	return c.pages(ctx, Objects, filters, limit, each)
}

func (c *Client) pages(ctx context.Context, path, filters string, limit int, each func(page []byte) error) error {
	next := ""
	for {
		q := filters
		if limit > 0 {
			q += "&limit=" + strconv.Itoa(limit)
		}
		if next != "" {
			q += "&next=" + url.QueryEscape(next)
		}
		a, err := c.Do(ctx, http.MethodGet, path+"?"+q, nil, nil)
		if err != nil {
			return err
		}
		if a.Status != http.StatusOK {
			a.Body = bytes.Clone(a.Body)
			return &Refusal{a}
		}
		if err := each(a.Body); err != nil {
			return err
		}
		if next = Next(a.Body); next == "" {
			return nil
		}
	}
}

// Next is the token of a page that has more, which the node writes first; empty for the last page.
func Next(page []byte) string {
	rest, ok := bytes.CutPrefix(page, []byte(`{"more":true,"next":"`))
	if !ok {
		return ""
	}
	token, _, _ := bytes.Cut(rest, []byte{'"'})
	return string(token)
}

// Manifest reads the ids of everything that the account may read, in the order of the pages.
func (c *Client) Manifest(ctx context.Context) (ids []string, err error) {
	err = c.pages(ctx, manifest, "", 10_000, func(page []byte) error {
		var env struct {
			Objects []struct {
				ID string `json:"id"`
			} `json:"objects"`
		}
		if err := json.Unmarshal(page, &env); err != nil {
			return fmt.Errorf("a page cannot be read: %w", err)
		}
		for _, o := range env.Objects {
			ids = append(ids, o.ID)
		}
		return nil
	})
	return ids, err
}
