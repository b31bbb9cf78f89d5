package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/store"
)

// Client speaks to a node's interface. Every failure is a *fault.Error.
type Client struct {
	base string
	http *http.Client
	auth Auth
	lang string // of sentences; empty: as the node gives them
}

// Speaking is the client that asks for sentences in one of accord.Languages.
func (c *Client) Speaking(lang string) *Client {
	in := *c
	in.lang = lang
	return &in
}

// Auth puts a credential on a request; nil: none is needed.
type Auth func(*http.Request)

// Token is a bearer token.
func Token(text string) Auth {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+text) }
}

// Password is a name with a password.
func Password(name, password string) Auth {
	return func(r *http.Request) { r.SetBasicAuth(name, password) }
}

// NewClient makes a client of the node at base, for example "https://127.0.0.1:8443". It follows no redirects: a credential goes
// nowhere else.
func NewClient(base string, rt http.RoundTripper, auth Auth) *Client {
	return &Client{base: strings.TrimSuffix(base, "/") + Prefix, auth: auth, http: &http.Client{Transport: rt,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// importType is the media type of an import: whatever it is, the node finds out.
const importType = "application/octet-stream"

const maxAnswer = 512 << 20 // bytes of an answer that is read at once

// send makes a request and returns its answer, or the failure that the answer tells.
func (c *Client) send(ctx context.Context, method, path string, q url.Values, contentType string, body io.Reader) (*http.Response, error) {
	u := c.base + path
	if len(q) > 0 {
		u += "?" + q.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, u, body)
	if err != nil {
		return nil, fault.New(fault.Invalid, "server.url", "%v", err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if contentType == importType {
		r.Header.Set("Expect", "100-continue") // a refusal comes before the body is sent
	}
	if c.auth != nil {
		c.auth(r)
	}
	if c.lang != "" {
		r.Header.Set("Accept-Language", c.lang)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, unreachable(err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	var p Problem
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil || !strings.HasPrefix(resp.Header.Get("Content-Type"), problemType) || json.Unmarshal(b, &p) != nil {
		if resp.StatusCode == http.StatusNotFound {
			return nil, fault.New(fault.NotFound, "server.other", "there is no interface of a node at %s", c.base)
		}
		p = Problem{}
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	return nil, p.fault(resp.StatusCode, time.Duration(seconds)*time.Second)
}

func unreachable(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	e := fault.New(fault.Unavailable, "server.unreachable", "the node cannot be reached").Because(err)
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &unknown):
		e.Kind, e.Code, e.Message = fault.Unauthenticated, "server.certificate", "the node's certificate comes from an authority that is not trusted here"
		e.Do = "give the node's authority with --ca FILE; it stands in keys/ca.pem of its data directory"
	case errors.As(err, &host):
		e.Kind, e.Code, e.Message = fault.Unauthenticated, "server.certificate", "the node's certificate is for another name"
	}
	return e
}

// ask asks for one value.
func ask[T any](ctx context.Context, c *Client, method, path string, q url.Values, body any) (T, error) {
	var out T
	var in io.Reader
	contentType := ""
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return out, fmt.Errorf("writing the request: %w", err)
		}
		in, contentType = bytes.NewReader(b), "application/json"
	}
	resp, err := c.send(ctx, method, path, q, contentType, in)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return out, nil
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return out, unreachable(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return out, fault.New(fault.Internal, "server.answer", "the node's answer cannot be read").Because(err)
	}
	return out, nil
}

type nothing struct{}

func each[T any](ctx context.Context, c *Client, path string, q url.Values, fn func(T) error) error {
	q2 := url.Values{}
	for name, values := range q {
		q2[name] = values
	}
	for {
		page, err := ask[List[T]](ctx, c, get, path, q2, nil)
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			if err := fn(item); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		q2.Set("next", page.Next)
	}
}

func seg(name string) string { return url.PathEscape(name) }

// Me says who the caller is.
func (c *Client) Me(ctx context.Context) (Me, error) { return ask[Me](ctx, c, get, "/me", nil, nil) }

// Version says which build the node runs.
func (c *Client) Version(ctx context.Context) (json.RawMessage, error) {
	return ask[json.RawMessage](ctx, c, get, "/version", nil, nil)
}

// Stats is what the node's store knows about itself.
func (c *Client) Stats(ctx context.Context) (store.Stats, error) {
	return ask[store.Stats](ctx, c, get, "/stats", nil, nil)
}

// Settings is the configuration in force.
func (c *Client) Settings(ctx context.Context) (json.RawMessage, error) {
	return ask[json.RawMessage](ctx, c, get, "/config", nil, nil)
}

// Journal calls fn for every act that a query finds.
func (c *Client) Journal(ctx context.Context, q url.Values, fn func(Act) error) error {
	return each(ctx, c, "/journal", q, fn)
}

// Backup copies a backup to w.
func (c *Client) Backup(ctx context.Context, w io.Writer) (int64, error) {
	return c.copy(ctx, "/backup", nil, w)
}

func (c *Client) copy(ctx context.Context, path string, q url.Values, w io.Writer) (int64, error) {
	resp, err := c.send(ctx, get, path, q, "", nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(w, resp.Body)
	if err != nil && !isWriteError(err) {
		err = fault.New(fault.Unavailable, "server.cut", "the node's answer was cut off").Because(err)
	}
	return n, err
}

// isWriteError tells whether the receiving side failed: a full disk is not the node's fault.
func isWriteError(err error) bool {
	return strings.HasPrefix(err.Error(), "write ")
}

// Search calls fn for every object of a query, until fn returns an error. Filters are those of Routes.
func (c *Client) Search(ctx context.Context, filters url.Values, fn func(Object) error) error {
	return each(ctx, c, "/objects", filters, fn)
}

// Page is one page of Search.
func (c *Client) Page(ctx context.Context, filters url.Values) (List[Object], error) {
	return ask[List[Object]](ctx, c, get, "/objects", filters, nil)
}

// Object is one object.
func (c *Client) Object(ctx context.Context, id string, q url.Values) (Object, error) {
	return ask[Object](ctx, c, get, "/objects/"+seg(id), q, nil)
}

// Raw copies the exact bytes of one object to w.
func (c *Client) Raw(ctx context.Context, id string, q url.Values, w io.Writer) error {
	_, err := c.copy(ctx, "/objects/"+seg(id)+"/raw", q, w)
	return err
}

// Versions calls fn for every version of an object.
func (c *Client) Versions(ctx context.Context, id string, fn func(Object) error) error {
	return each(ctx, c, "/objects/"+seg(id)+"/versions", nil, fn)
}

// Why says what the gate decides on an object for somebody else.
func (c *Client) Why(ctx context.Context, id string, as url.Values) ([]exchange.Explanation, error) {
	l, err := ask[List[exchange.Explanation]](ctx, c, get, "/objects/"+seg(id)+"/why", as, nil)
	return l.Items, err
}

// Holders says who was given an object.
func (c *Client) Holders(ctx context.Context, id string) ([]store.Holding, error) {
	l, err := ask[List[store.Holding]](ctx, c, get, "/objects/"+seg(id)+"/holders", nil, nil)
	return l.Items, err
}

// Remove takes an object out of a collection and says how many versions went.
func (c *Client) Remove(ctx context.Context, id string, q url.Values) (int, error) {
	r, err := ask[Removed](ctx, c, remove, "/objects/"+seg(id), q, nil)
	return r.Removed, err
}

// Purge destroys every version of an object, or counts what it would destroy.
func (c *Client) Purge(ctx context.Context, id string, dryRun bool) (store.PurgeReport, error) {
	return ask[store.PurgeReport](ctx, c, post, "/objects/"+seg(id)+"/purge", url.Values{"dry_run": {strconv.FormatBool(dryRun)}}, nil)
}

// Export copies all objects of a query to w.
func (c *Client) Export(ctx context.Context, filters url.Values, w io.Writer) (int64, error) {
	return c.copy(ctx, "/export", filters, w)
}

// Import hands in everything that r holds. fn sees every event but the last one.
func (c *Client) Import(ctx context.Context, r io.Reader, q url.Values, fn func(Event)) (Summary, error) {
	resp, err := c.send(ctx, post, "/objects", q, importType, r)
	if err != nil {
		return Summary{}, err
	}
	defer resp.Body.Close()
	lines := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return Summary{}, fault.New(fault.Unavailable, "server.cut", "the node ended the import before its end").Because(err).
				Try("import again: what is stored already counts as present")
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return Summary{}, fault.New(fault.Internal, "server.answer", "the node's answer cannot be read").Because(err)
		}
		switch {
		case e.Summary != nil:
			return *e.Summary, nil
		case e.Error != nil:
			return Summary{}, e.Error.fault(e.Error.Status, 0)
		}
		fn(e)
	}
}

// Relabel puts an object of the caller's organisation under another label, or says what that would change.
func (c *Client) Relabel(ctx context.Context, id string, in PutLabel, dryRun bool) ([]exchange.Relabelled, error) {
	q := url.Values{}
	if dryRun {
		q.Set("dry_run", "true")
	}
	l, err := ask[List[exchange.Relabelled]](ctx, c, post, "/objects/"+seg(id)+"/label", q, in)
	return l.Items, err
}
