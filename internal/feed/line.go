package feed

import (
	"net/http"
	"net/url"
	"time"

	"entente/internal/exchange"
	"entente/internal/outbound"
)

const (
	maxRedirects = 5
	// rules are those under which failures on the way to a feed are told.
	rules = outbound.Rules("feed")
)

// line is the way to a feed's server: it leads to the configured host and nowhere else.
type line struct {
	*outbound.Line
	c *Config
}

func newLine(c *Config, realm, agent string, patience time.Duration) (*line, error) {
	auth, err := c.signIn()
	if err != nil {
		return nil, err
	}
	o := outbound.Config{Rules: rules, Origins: []*url.URL{c.url}, Networks: c.nets, Auth: auth, Agent: agent, Check: func(h http.Header) error { return exchange.FromRealm(realm, h.Get(exchange.ExerciseHeader)) }, Bytes: c.Limits.Bytes, Timeout: c.times.timeout, Stall: patience}
	if c.CA != "" {
		o.CA = c.path(c.CA)
	}
	if c.CertFile != "" {
		o.Cert, o.Key = c.path(c.CertFile), c.path(c.KeyFile)
	}
	l, err := outbound.New(o)
	return &line{l, c}, err
}

// signIn reads the secrets anew for every run, so that they can be changed.
func (c *Config) signIn() (func(*http.Request), error) {
	var password, token string
	var err error
	if c.User != "" {
		if password, err = c.secret("password_file", c.PasswordFile); err != nil {
			return nil, err
		}
	}
	if c.TokenFile != "" {
		if token, err = c.secret("token_file", c.TokenFile); err != nil {
			return nil, err
		}
	}
	return func(r *http.Request) {
		if c.User != "" {
			r.SetBasicAuth(c.User, password)
		}
		switch {
		case token == "":
		case c.Header != "":
			r.Header.Set(c.Header, token)
		default:
			r.Header.Set("Authorization", "Bearer "+token)
		}
	}, nil
}
