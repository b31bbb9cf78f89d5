package taxii

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Doer sends requests. It should not follow redirects by itself; of an *http.Client the Client makes sure.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Credentials puts who is asking on a request.
type Credentials func(*http.Request)

// Basic is HTTP Basic authentication (section 8.2.2).
func Basic(user, password string) Credentials {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

// Bearer is a bearer token (RFC 6750).
func Bearer(token string) Credentials {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// Client asks one TAXII 2.1 server. Its methods are safe for concurrent use while its fields are not changed.
type Client struct {
	// URL is the address of discovery, such as "https://taxii.example/taxii2/". Its origin (scheme, host and port) is the only one
	// that ever receives the credentials.
	URL  string
	Doer Doer
	// Auth is nil for servers that ask for nothing, or for a Doer with a client certificate.
	Auth Credentials
	// UserAgent is product and version (section 8.4.1); "entente-taxii/2.1" by default.
	UserAgent string
	// AllowPlaintext permits http: URLs. Only for tests and loopback.
	AllowPlaintext bool
	// Sleep waits, or returns early with the context's error. Without it nothing is waited for: a server that asks to come back later
	// is an error, and a status is not polled.
	Sleep func(context.Context, time.Duration) error
	// MaxResponse bounds a response's body, in bytes; 256 MiB by default.
	MaxResponse int64
	// Retries bounds how often a 429 or 503 is tried again, and MaxWait each wait; 3 and one minute by default.
	Retries int
	MaxWait time.Duration
}

// Errors that a *ResponseError is, by its status (errors.Is).
var (
	ErrUnauthorized   = errors.New("taxii: the credentials are missing or wrong")
	ErrForbidden      = errors.New("taxii: not allowed")
	ErrNotFound       = errors.New("taxii: not found")
	ErrNotAcceptable  = errors.New("taxii: the server does not answer in TAXII 2.1")
	ErrTooLarge       = errors.New("taxii: too large for the server")
	ErrMediaType      = errors.New("taxii: the server does not take TAXII 2.1")
	ErrUnprocessable  = errors.New("taxii: the server cannot process the content")
	ErrThrottled      = errors.New("taxii: too many requests")
	ErrUnavailable    = errors.New("taxii: the server is not available now")
	errStatusByNumber = map[int]error{401: ErrUnauthorized, 403: ErrForbidden, 404: ErrNotFound, 406: ErrNotAcceptable, 413: ErrTooLarge,
		415: ErrMediaType, 422: ErrUnprocessable, 429: ErrThrottled, 503: ErrUnavailable}
)

// Errors of an exchange that is no refusal.
var (
	// ErrAddress is a URL that is not asked: not https, of another origin, or not a URL.
	ErrAddress = errors.New("taxii: this address is not asked")
	// ErrProtocol is an answer that is not TAXII 2.1.
	ErrProtocol = errors.New("taxii: the answer is not TAXII 2.1")
	// ErrStalled is a list that says there is more and gives no way to reach it.
	ErrStalled = errors.New("taxii: the server says there is more and does not move on")
	// ErrPending is a status that did not become complete in the time allowed.
	ErrPending = errors.New("taxii: the server has not finished with the objects yet")
)

// ResponseError is an answer that is not a success.
type ResponseError struct {
	Method     string
	URL        string // without its query
	HTTPStatus int
	RetryAfter time.Duration // 0: not stated
	Err        *Error        // the TAXII error object; nil when the body was not one
}

func (e *ResponseError) Error() string {
	s := fmt.Sprintf("taxii: %s %s: %d %s", e.Method, e.URL, e.HTTPStatus, http.StatusText(e.HTTPStatus))
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is tells whether the status has the meaning of one of the errors of this package.
func (e *ResponseError) Is(target error) bool {
	known := errStatusByNumber[e.HTTPStatus]
	return known != nil && known == target
}

func (e *ResponseError) Unwrap() error {
	if e.Err == nil {
		return nil
	}
	return e.Err
}

// answer is a response that was read.
type answer struct {
	header http.Header
	body   []byte
}

const maxRedirects = 5

// send asks, follows redirects within the origin and comes back when the server asks for that.
func (c *Client) send(ctx context.Context, method string, u *url.URL, body []byte) (*answer, error) {
	retries, maxWait := c.Retries, c.MaxWait
	setDefault(&retries, 3)
	setDefault(&maxWait, time.Minute)
	for attempt := 0; ; attempt++ {
		a, err := c.follow(ctx, method, u, body)
		var refused *ResponseError
		if !errors.As(err, &refused) || (refused.HTTPStatus != http.StatusTooManyRequests && refused.HTTPStatus != http.StatusServiceUnavailable) {
			return a, err
		}
		wait := refused.RetryAfter
		if wait <= 0 {
			wait = min(time.Second<<min(attempt, 6), maxWait)
		}
		if c.Sleep == nil || attempt >= retries || wait > maxWait {
			return nil, err
		}
		if slept := c.Sleep(ctx, wait); slept != nil {
			return nil, errors.Join(err, slept)
		}
	}
}

func (c *Client) follow(ctx context.Context, method string, u *url.URL, body []byte) (*answer, error) {
	for range maxRedirects {
		to, a, err := c.once(ctx, method, u, body)
		if err != nil || to == nil {
			return a, err
		}
		if origin(to) != origin(u) {
			return nil, fmt.Errorf("%w: %s redirects to another origin, %s; configure that address if it is meant", ErrAddress, bare(u), origin(to))
		}
		u = to
	}
	return nil, fmt.Errorf("%w: %s redirects too often", ErrProtocol, bare(u))
}

// once sends one request. A redirect's target is returned as to.
func (c *Client) once(ctx context.Context, method string, u *url.URL, body []byte) (to *url.URL, a *answer, err error) {
	home, err := c.address(c.URL)
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	req.Header.Set("Accept", MediaType)
	agent := c.UserAgent
	setDefault(&agent, "entente-taxii/2.1")
	req.Header.Set("User-Agent", agent)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", MediaType)
	}
	if c.Auth != nil && origin(u) == origin(home) {
		c.Auth(req)
	}
	if c.Doer == nil {
		return nil, nil, fmt.Errorf("%w: the client has no Doer", ErrAddress)
	}
	resp, err := notFollowing(c.Doer).Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("taxii: %s %s: %w", method, bare(u), err)
	}
	defer resp.Body.Close()
	if location := resp.Header.Get("Location"); location != "" && redirects(method, resp.StatusCode) {
		to, err := u.Parse(location)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %s redirects to what is no URL", ErrProtocol, bare(u))
		}
		return to, nil, nil
	}
	limit := c.MaxResponse
	setDefault(&limit, 256<<20)
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, nil, refusal(method, u, resp, data)
	case err != nil:
		return nil, nil, fmt.Errorf("taxii: %s %s: the answer broke off: %w", method, bare(u), err)
	case int64(len(data)) > limit:
		return nil, nil, fmt.Errorf("%w: %s answers with more than %d bytes; ask for smaller pages", ErrProtocol, bare(u), limit)
	}
	return nil, &answer{resp.Header, data}, nil
}

// notFollowing makes sure that redirects come back to be judged.
func notFollowing(d Doer) Doer {
	h, ok := d.(*http.Client)
	if !ok {
		return d
	}
	own := *h
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

func redirects(method string, status int) bool {
	switch status {
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		return method == http.MethodGet
	}
	return false
}

func refusal(method string, u *url.URL, resp *http.Response, body []byte) error {
	e := &ResponseError{Method: method, URL: bare(u), HTTPStatus: resp.StatusCode, RetryAfter: retryAfter(resp.Header)}
	var r struct {
		Title           string         `json:"title"`
		Description     string         `json:"description"`
		ErrorID         string         `json:"error_id"`
		ErrorCode       string         `json:"error_code"`
		ExternalDetails string         `json:"external_details"`
		Details         map[string]any `json:"details"`
	}
	// What can be read is taken, for example when http_status is a number or a property has the wrong type.
	err := json.Unmarshal(body, &r)
	if r.Title == "" && err != nil {
		return e
	}
	e.Err = &Error{HTTPStatus: resp.StatusCode, Title: r.Title, Description: r.Description, ErrorID: r.ErrorID, ErrorCode: r.ErrorCode,
		ExternalDetails: r.ExternalDetails, RetryAfter: e.RetryAfter, Challenge: resp.Header["Www-Authenticate"]}
	for k, v := range r.Details {
		if e.Err.Details == nil {
			e.Err.Details = map[string]string{}
		}
		e.Err.Details[k] = fmt.Sprint(v)
	}
	return e
}

// retryAfter reads seconds, or a date, which is measured from the server's own Date.
func retryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := time.ParseDuration(v + "s"); err == nil && n > 0 {
		return n
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}

// address checks a URL that is about to be asked.
func (c *Client) address(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: not a URL", ErrAddress)
	case u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return nil, fmt.Errorf("%w: want an https URL", ErrAddress)
	case u.User != nil:
		return nil, fmt.Errorf("%w: credentials do not belong in a URL; use Auth", ErrAddress)
	case u.Scheme == "http" && !c.AllowPlaintext:
		return nil, fmt.Errorf("%w: %s is not https (TAXII 2.1 section 8.2.2)", ErrAddress, bare(u))
	}
	u.Fragment = ""
	return u, nil
}

// origin is scheme, host and port, in one spelling.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// bare is a URL for messages: without credentials, query and fragment.
func bare(u *url.URL) string {
	out := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return out.String()
}

// at joins a root's URL and path segments into an endpoint's URL, which ends in "/".
func (c *Client) at(root string, segments ...string) (*url.URL, error) {
	u, err := c.address(root)
	if err != nil {
		return nil, err
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/") + "/"
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return nil, fmt.Errorf("%w: %q is not an id", ErrAddress, s)
		}
		path += url.PathEscape(s) + "/"
	}
	u.RawQuery = ""
	if u.Path, err = url.PathUnescape(path); err != nil {
		return nil, fmt.Errorf("%w: not a URL", ErrAddress)
	}
	u.RawPath = path
	return u, nil
}

// fetch gets a resource. Unknown properties are ignored.
func fetch[T any](ctx context.Context, c *Client, u *url.URL, err error) (T, error) {
	var v T
	if err != nil {
		return v, err
	}
	a, err := c.send(ctx, http.MethodGet, u, nil)
	if err != nil {
		return v, err
	}
	return v, decode(u, a, &v)
}

func decode(u *url.URL, a *answer, into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return fmt.Errorf("%w: %s (%s): %w", ErrProtocol, bare(u), a.header.Get("Content-Type"), err)
	}
	return nil
}

// Discovery asks what the server offers. Relative API roots are resolved; those that are no URL are left out.
func (c *Client) Discovery(ctx context.Context) (Discovery, error) {
	u, err := c.address(c.URL)
	d, err := fetch[Discovery](ctx, c, u, err)
	if err != nil {
		return d, err
	}
	roots := d.APIRoots
	d.APIRoots = nil
	for _, r := range roots {
		if abs, err := u.Parse(r); err == nil {
			d.APIRoots = append(d.APIRoots, abs.String())
		}
	}
	if abs, err := u.Parse(d.Default); err == nil && d.Default != "" {
		d.Default = abs.String()
	}
	return d, nil
}

// Root asks for an API root by its URL.
func (c *Client) Root(ctx context.Context, root string) (Root, error) {
	u, err := c.at(root)
	return fetch[Root](ctx, c, u, err)
}

// Collections lists the collections of a root.
func (c *Client) Collections(ctx context.Context, root string) ([]Collection, error) {
	u, err := c.at(root, "collections")
	list, err := fetch[collections](ctx, c, u, err)
	return list.Collections, err
}

// Collection asks for one collection by its id or alias.
func (c *Client) Collection(ctx context.Context, root, collection string) (Collection, error) {
	u, err := c.at(root, "collections", collection)
	return fetch[Collection](ctx, c, u, err)
}

// Status asks what became of an Add.
func (c *Client) Status(ctx context.Context, root, id string) (Status, error) {
	u, err := c.at(root, "status", id)
	return fetch[Status](ctx, c, u, err)
}

// Delete removes the versions of an object that f selects by Versions and Specs; the zero filter removes all.
func (c *Client) Delete(ctx context.Context, root, collection, object string, f Filter) error {
	u, err := c.at(root, "collections", collection, "objects", object)
	if err != nil {
		return err
	}
	u.RawQuery = Select{Filter: Filter{Versions: f.Versions, Specs: f.Specs}}.values("").Encode()
	_, err = c.send(ctx, http.MethodDelete, u, nil)
	return err
}
