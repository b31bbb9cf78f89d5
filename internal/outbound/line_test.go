package outbound

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"entente/internal/fault"
)

func origin(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A public name that resolves into somebody's own network is not followed there.
func TestAddresses(t *testing.T) {
	l, err := New(Config{Rules: "feed", Origins: []*url.URL{origin(t, "https://feeds.example/")}})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{"8.8.8.8": true, "2a00:1450::1": true, "10.0.0.1": false, "127.0.0.1": false, "169.254.169.254": false, "100.64.0.1": false, "::1": false,
		"fe80::1": false, "fd00::1": false, "0.0.0.0": false, "224.0.0.1": false, "64:ff9b::a00:1": false, "2002:a00:1::": false, "::ffff:10.0.0.1": false, "192.168.1.1": false} {
		full := addr + ":443"
		if strings.Contains(addr, ":") {
			full = "[" + addr + "]:443"
		}
		if got := l.permitted("feeds.example", full) == nil; got != want {
			t.Errorf("feeds.example at %s is reached: %v", addr, got)
		}
	}
}

// A line leads to its origins: not to another host, port or scheme, neither by a request, a connection nor a redirect.
func TestOrigins(t *testing.T) {
	reached := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer elsewhere.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		}
	}))
	defer s.Close()
	l, err := New(Config{Rules: "hook", Origins: []*url.URL{origin(t, s.URL)}, Bytes: 100, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	resp, err := l.Client().Get(s.URL + "/away")
	if err != nil || resp.StatusCode != http.StatusFound {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	for _, other := range []string{elsewhere.URL, strings.Replace(s.URL, "http:", "https:", 1)} {
		_, err := l.Client().Get(other)
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != "hook.host" {
			t.Errorf("%s: %v", other, err)
		}
	}
	if c, err := l.Dial(context.Background(), "tcp", strings.TrimPrefix(elsewhere.URL, "http://")); err == nil {
		c.Close()
		t.Error("a connection elsewhere")
	}
	if reached != 0 {
		t.Error("another host was reached")
	}
}
