package surface

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/identity"
)

func TestTheLogKeepsNoSecrets(t *testing.T) {
	var log bytes.Buffer
	h := New(Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	render := func(w http.ResponseWriter, _ *http.Request, e *fault.Error, _ string) { w.WriteHeader(Status(e.Kind)) }
	open := h.Open("console", render, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			panic("a defect")
		}
	}))
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r := httptest.NewRequest(method, "/setup/QFn1qQqiGuCw?token=hushhush", nil)
		r.SetBasicAuth("alice", "hushhush")
		open.ServeHTTP(httptest.NewRecorder(), r)
	}
	for _, secret := range []string{"QFn1qQqiGuCw", "hushhush"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log tells %q:\n%s", secret, log.String())
		}
	}
	if strings.Count(log.String(), "path=/setup/…") != 3 { // two requests, one defect
		t.Errorf("the log:\n%s", log.String())
	}
}

// welcome takes every credential.
type welcome struct{}

func (welcome) Authenticate(context.Context, string, string, string) (gate.Viewer, error) {
	return gate.Viewer{Org: "us"}, nil
}

func (welcome) AuthenticateToken(context.Context, string) (gate.Viewer, error) {
	return gate.Viewer{Org: "us"}, nil
}

func (welcome) AuthenticateCertificate(context.Context, *x509.Certificate, ...*x509.Certificate) (gate.Viewer, error) {
	return gate.Viewer{Org: "us"}, nil
}

func (welcome) AuthenticateSession(context.Context, string) (gate.Viewer, identity.Session, error) {
	return gate.Viewer{Org: "us"}, identity.Session{}, nil
}

func (w welcome) CheckSession(ctx context.Context, text string) (gate.Viewer, identity.Session, error) {
	return w.AuthenticateSession(ctx, text)
}

// A page of another site changes nothing with what a browser sends along by itself: a cookie, a password or a certificate.
func TestOtherSitesChangeNothing(t *testing.T) {
	h := New(Config{Credentials: welcome{}})
	render := func(w http.ResponseWriter, _ *http.Request, e *fault.Error, _ string) { w.WriteHeader(Status(e.Kind)) }
	page := h.ProtectPeople("api", render, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for name, sign := range map[string]func(*http.Request){
		"cookie":   func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "__Host-entente", Value: "x"}) },
		"password": func(r *http.Request) { r.SetBasicAuth("alice", "x") },
		"certificate": func(r *http.Request) {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}, VerifiedChains: [][]*x509.Certificate{{{}}}}
		},
		"token": func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") },
	} {
		for _, c := range []struct {
			method, site string
			want         int
		}{
			{"POST", "cross-site", 403}, {"DELETE", "same-site", 403}, {"GET", "cross-site", 200}, {"POST", "same-origin", 200}, {"POST", "none", 200}, {"POST", "", 200},
		} {
			r := httptest.NewRequest(c.method, "https://node.example/api/v1/objects", nil)
			if sign(r); c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			w := httptest.NewRecorder()
			page.ServeHTTP(w, r)
			want := c.want
			if name == "token" {
				want = 200 // no browser sends it unless a page that knows it says so
			}
			if w.Code != want {
				t.Errorf("%s, %s of %q: %d, want %d", name, c.method, c.site, w.Code, want)
			}
		}
	}
}
