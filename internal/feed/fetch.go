package feed

import (
	"context"
	"mime"
	"net/http"
	"net/url"

	"entente/internal/fault"
	"entente/internal/outbound"
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
		resp, err := l.Client().Do(req)
		if err != nil {
			return nil, rules.Wire(err)
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
			if !outbound.SameOrigin(to, l.c.url) {
				return nil, fault.New(fault.Forbidden, "feed.redirect", "the server redirects to another host, %s, which was not asked", to.Host).
					Try("if that is where the feed is now, change its url")
			}
			u = to
		default:
			resp.Body.Close()
			return nil, rules.Status(resp)
		}
	}
	return nil, fault.New(fault.Unavailable, "feed.redirect", "the server redirects more than %d times", maxRedirects)
}
