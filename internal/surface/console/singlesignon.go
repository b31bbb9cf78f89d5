package console

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"entente/internal/fault"
	"entente/internal/identity"
	"entente/internal/surface"
)

// SingleSignOn are the providers that people may come from.
type SingleSignOn interface {
	// Each calls fn for every provider.
	Each(fn func(id, title string))
	// Begin is where the browser is sent, and what it must bring back.
	Begin(ctx context.Context, id, redirect string) (address, keep string, err error)
	// Finish is the person that the provider vouches for.
	Finish(ctx context.Context, id, redirect, keep string, q url.Values) (identity.Federated, error)
}

const ssoLife = 10 * time.Minute

// ssoCookie keeps a sign-in while the browser is at the provider. It is Lax: the provider's page leads back, so that the browser would
// not bring a strict one.
func (s *signIn) ssoCookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{Name: s.Cookie.Name(r, "entente-sso"), Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.Cookie.Secure(r)}
}

// redirect is where the provider sends the browser back to, as it is registered there.
func (s *signIn) redirect(r *http.Request, id string) string {
	origin := s.Origin
	if origin == "" {
		origin = "http://" + r.Host
		if s.Cookie.Secure(r) {
			origin = "https://" + r.Host
		}
	}
	return origin + "/auth/oidc/" + id + "/callback"
}

func (s *signIn) beginSSO(w http.ResponseWriter, r *http.Request, _ []byte) error {
	id := r.PathValue("id")
	address, keep, err := s.SSO.Begin(r.Context(), id, s.redirect(r, id))
	if err != nil {
		return s.explain(w, r, err)
	}
	http.SetCookie(w, s.ssoCookie(r, keep, int(ssoLife/time.Second)))
	s.lead(w, http.StatusFound, address)
	return nil
}

func (s *signIn) finishSSO(w http.ResponseWriter, r *http.Request, _ []byte) error {
	id, keep := r.PathValue("id"), ""
	if k, err := r.Cookie(s.ssoCookie(r, "", 0).Name); err == nil {
		keep = k.Value
	}
	http.SetCookie(w, s.ssoCookie(r, "", -1))
	if len(r.URL.RawQuery) > maxForm*2 {
		return s.explain(w, r, fault.New(fault.TooLarge, "sso.state", "the answer is too long"))
	}
	person, err := s.SSO.Finish(r.Context(), id, s.redirect(r, id), keep, r.URL.Query())
	if err != nil {
		return s.explain(w, r, err)
	}
	done, err := s.Directory.SignInFederated(r.Context(), person, s.client(r))
	if err != nil {
		return s.explain(w, r, err)
	}
	s.Cookie.Set(w, r, done.Cookie)
	s.lead(w, http.StatusSeeOther, "/")
	return nil
}

// explain leads a browser that follows links to the console, which says in words what the code means. Nothing of the cause is told.
func (s *signIn) explain(w http.ResponseWriter, r *http.Request, err error) error {
	e := fault.As(err)
	if e.Kind == fault.NotFound {
		return err
	}
	s.Log.InfoContext(r.Context(), "refused", "id", surface.RequestID(r.Context()), "remote", surface.Remote(r), "reason", err)
	s.lead(w, http.StatusSeeOther, "/?problem="+url.QueryEscape(e.MachineCode()))
	return nil
}

func (s *signIn) lead(w http.ResponseWriter, status int, address string) {
	h := w.Header()
	h.Set("Location", address)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
}
