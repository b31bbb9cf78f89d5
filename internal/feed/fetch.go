package feed

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"entente/internal/fault"
)

// conditions make a request conditional.
type conditions struct{ etag, modified string }

// fetch brings a document of the feed's host into the spool. No document and no error: it has not changed.
func (l *line) fetch(ctx context.Context, u *url.URL, cond conditions, dir string) (*Document, error) {
	for range maxRedirects {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, bad("url", "this is no URL")
		}
		req.Header.Set("Accept", "*/*")
		if cond.etag != "" {
			req.Header.Set("If-None-Match", cond.etag)
		}
		if cond.modified != "" {
			req.Header.Set("If-Modified-Since", cond.modified)
		}
		resp, err := l.http.Do(req)
		if err != nil {
			return nil, wireFault(err)
		}
		switch resp.StatusCode {
		case http.StatusOK:
			d, err := spool(dir, resp.Body, l.c.Limits.Bytes)
			resp.Body.Close()
			if err != nil {
				return nil, err
			}
			d.ETag, d.LastModified = resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
			d.ContentType, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
			return d, nil
		case http.StatusNotModified:
			resp.Body.Close()
			return nil, nil
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
			resp.Body.Close()
			to, err := u.Parse(resp.Header.Get("Location"))
			if err != nil {
				return nil, fault.New(fault.Unavailable, "feed.redirect", "the server redirects to what is no URL")
			}
			if !sameOrigin(to, l.c.url) {
				return nil, fault.New(fault.Forbidden, "feed.redirect", "the server redirects to another host, %s, which was not asked", to.Host).
					Try("if that is where the feed is now, change its url")
			}
			u = to
		default:
			resp.Body.Close()
			return nil, statusFault(resp)
		}
	}
	return nil, fault.New(fault.Unavailable, "feed.redirect", "the server redirects more than %d times", maxRedirects)
}

// wireFault says in words why there was no answer.
func wireFault(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // without the URL, which may hold a key
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fault.New(fault.Unavailable, "feed.timeout", "the server does not answer in time").Because(err)
	}
	return fault.New(fault.Unavailable, "feed.connect", "no answer from the server: %v", err)
}

func statusFault(resp *http.Response) error {
	said := fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	switch c := resp.StatusCode; {
	case c == http.StatusUnauthorized || c == http.StatusForbidden || c == http.StatusProxyAuthRequired:
		return fault.New(fault.Forbidden, "feed.refused", "the server answers %s", said).Try("look at the feed's credential")
	case c == http.StatusNotFound || c == http.StatusGone:
		return fault.New(fault.NotFound, "feed.missing", "the server answers %s", said).Try("look at the feed's url")
	case c == http.StatusTooManyRequests || c == http.StatusServiceUnavailable:
		return fault.New(fault.Throttled, "feed.throttled", "the server answers %s", said).After(retryAfter(resp.Header))
	}
	return fault.New(fault.Unavailable, "feed.status", "the server answers %s", said)
}

// retryAfter reads seconds, or a date, which is measured from the server's own.
func retryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseInt(v, 10, 32); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(v)
	now, nerr := http.ParseTime(h.Get("Date"))
	if err != nil || nerr != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}
