package surface

import (
	"context"
	"net/http"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/identity"
)

// Cookie is where a browser keeps its session. Plain is for a listener without TLS, which stands on a loopback address: it may be
// behind a proxy that has TLS, and says so in X-Forwarded-Proto.
type Cookie struct{ Plain bool }

// Name is that of a cookie of the node. Where the browser speaks TLS it has the prefix that makes it take the cookie from this host only,
// so that no neighbour in the domain puts one of its own in its place (RFC 6265bis section 4.1.3).
func (c Cookie) Name(r *http.Request, name string) string {
	if c.Secure(r) {
		return "__Host-" + name
	}
	return name
}

const sessionCookie = "entente"

// Read is the session that a request brings; empty: none.
func (c Cookie) Read(r *http.Request) string {
	if k, err := r.Cookie(c.Name(r, sessionCookie)); err == nil {
		return k.Value
	}
	return ""
}

// Set hands a session to the browser, until that is closed.
func (c Cookie) Set(w http.ResponseWriter, r *http.Request, text string) {
	http.SetCookie(w, &http.Cookie{Name: c.Name(r, sessionCookie), Value: text, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: c.Secure(r)})
}

// Clear takes the session from the browser.
func (c Cookie) Clear(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: c.Name(r, sessionCookie), Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: c.Secure(r)})
}

// Secure tells whether the browser speaks TLS, to the node or to the proxy before it.
func (c Cookie) Secure(r *http.Request) bool {
	return !c.Plain || r.Header.Get("X-Forwarded-Proto") == "https"
}

type (
	sessionKey struct{}
	siteKey    struct{}
)

// Session is the session of a person with a browser; false when the request has another credential.
func Session(ctx context.Context) (identity.Session, bool) {
	s, ok := ctx.Value(sessionKey{}).(identity.Session)
	return s, ok
}

// WithSession is for requests that were found to be of a session, over TLS or not.
func WithSession(ctx context.Context, s identity.Session, secure bool) context.Context {
	return context.WithValue(context.WithValue(ctx, sessionKey{}, s), siteKey{}, secure)
}

// byCookie finds out who asks by the session of a browser. What changes something must come from a page of this node: a cookie goes
// along with whatever the browser asks, whoever made it ask.
func (h *Hall) byCookie(r *http.Request, text string) (gate.Viewer, context.Context, error) {
	v, s, err := h.cfg.Credentials.AuthenticateSession(r.Context(), text)
	if err != nil {
		return gate.Viewer{}, nil, err
	}
	if err := SameOrigin(r); err != nil {
		return gate.Viewer{}, nil, err
	}
	return v, WithSession(r.Context(), s, h.cfg.Cookie.Secure(r)), nil
}

var origins = http.NewCrossOriginProtection()

// SameOrigin refuses requests that change something and come from a page of another site.
func SameOrigin(r *http.Request) error {
	if err := origins.Check(r); err != nil {
		return fault.New(fault.Forbidden, "auth.cross_site", "this request came from another site").Because(err)
	}
	return nil
}

// Site is where the browser of a session speaks to the node.
func Site(r *http.Request) identity.Site {
	secure, _ := r.Context().Value(siteKey{}).(bool)
	return identity.Site{Host: r.Host, Secure: secure}
}

// Site is where a browser speaks to the node.
func (c Cookie) Site(r *http.Request) identity.Site {
	return identity.Site{Host: r.Host, Secure: c.Secure(r)}
}

// Remote is the address that a request comes from, without its port.
func Remote(r *http.Request) string { return remote(r) }
