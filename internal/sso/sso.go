package sso

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"entente/internal/fault"
	"entente/internal/identity"
	"entente/internal/outbound"
)

const (
	stateLife    = 10 * time.Minute
	timeout      = 15 * time.Second
	maxAnswer    = 1 << 20
	foundFor     = time.Hour // what a provider says of itself
	failedFor    = 5 * time.Second
	maxIDToken   = 64 << 10
	maxParameter = 8 << 10
	skew         = 2 * time.Minute
)

// algorithms are the signatures that count: all with a public key. A provider may offer fewer and never more.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// Options is what the providers need.
type Options struct {
	Providers []Config
	Sealer    identity.Sealer
	Agent     string // User-Agent
	Now       func() time.Time
}

// Providers are the ways of single sign-on. The methods are safe for concurrent use.
type Providers struct {
	list   []*provider
	sealer identity.Sealer
	now    func() time.Time
	spent  *identity.Spent // states that came back
}

type provider struct {
	cfg     Config
	origins []*url.URL
	line    *outbound.Line

	asking singleflight.Group

	mu     sync.Mutex
	found  *oidc.Provider
	failed error
	at     time.Time // of what is known
}

// New opens the lines to the providers. Nothing is connected yet.
func New(o Options) (*Providers, error) {
	p := &Providers{sealer: o.Sealer, now: o.Now, spent: identity.NewSpent()}
	if p.now == nil {
		p.now = time.Now
	}
	for _, c := range o.Providers {
		one := &provider{cfg: c}
		var networks []netip.Prefix
		for _, text := range append([]string{c.Issuer}, c.Hosts...) {
			u, err := origin(text)
			if err != nil {
				return nil, err
			}
			one.origins = append(one.origins, u)
		}
		for _, text := range c.Addresses {
			n, err := netip.ParsePrefix(text)
			if err != nil {
				return nil, err
			}
			networks = append(networks, n)
		}
		line, err := outbound.New(outbound.Config{Rules: "sso", Origins: one.origins, Networks: networks, CA: c.CA, Agent: o.Agent, Bytes: maxAnswer, Timeout: timeout})
		if err != nil {
			return nil, err
		}
		one.line = line
		p.list = append(p.list, one)
	}
	return p, nil
}

// Close ends idle connections.
func (p *Providers) Close() {
	for _, one := range p.list {
		one.line.Close()
	}
}

// Each calls fn for every provider with its id and title, in the order of the configuration.
func (p *Providers) Each(fn func(id, title string)) {
	for _, one := range p.list {
		title := one.cfg.Title
		if title == "" {
			title = one.cfg.ID
		}
		fn(one.cfg.ID, title)
	}
}

// begun is what the end of a sign-in must know of its begin. The browser keeps it, sealed.
type begun struct {
	Provider string    `json:"provider"`
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"` // RFC 7636
	Redirect string    `json:"redirect"`
	Until    time.Time `json:"until"`
}

const sealContext = "auth.sso"

// Begin is the address at the provider that the browser is sent to, and what it must bring back with the answer.
func (p *Providers) Begin(ctx context.Context, id, redirect string) (address, keep string, err error) {
	one, err := p.find(id)
	if err != nil {
		return "", "", err
	}
	found, err := one.discover(ctx, p.now)
	if err != nil {
		return "", "", err
	}
	b := begun{Provider: id, State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Redirect: redirect, Until: p.now().Add(stateLife)}
	text, err := json.Marshal(b)
	if err != nil {
		return "", "", fault.New(fault.Internal, "", "a sign-in cannot be written").Because(err)
	}
	conf := one.oauth(found, "", redirect)
	return conf.AuthCodeURL(b.State, oidc.Nonce(b.Nonce), oauth2.S256ChallengeOption(b.Verifier)), p.sealer.Seal(sealContext, text), nil
}

// Finish takes what the browser brings back from the provider, and returns the person that the provider vouches for.
func (p *Providers) Finish(ctx context.Context, id, redirect, keep string, q url.Values) (identity.Federated, error) {
	one, err := p.find(id)
	if err != nil {
		return identity.Federated{}, err
	}
	b, err := p.open(id, redirect, keep, q)
	if err != nil {
		return identity.Federated{}, err
	}
	if q.Get("error") != "" {
		return identity.Federated{}, fault.New(fault.Forbidden, "sso.denied", "the provider did not sign the person in")
	}
	found, err := one.discover(ctx, p.now)
	if err != nil {
		return identity.Federated{}, err
	}
	if iss := q["iss"]; len(iss) > 0 && (len(iss) != 1 || iss[0] != one.cfg.Issuer) { // RFC 9207
		return identity.Federated{}, untrue("the answer is of another provider", nil)
	}
	code := q["code"]
	if len(code) != 1 || code[0] == "" || len(code[0]) > maxParameter {
		return identity.Federated{}, untrue("the answer has no code", nil)
	}
	secret, err := one.cfg.secret()
	if err != nil {
		return identity.Federated{}, err
	}
	ctx = oidc.ClientContext(ctx, one.line.Client())
	token, err := one.oauth(found, secret, redirect).Exchange(ctx, code[0], oauth2.VerifierOption(b.Verifier))
	if err != nil {
		return identity.Federated{}, untrue("the provider did not take the code", err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" || len(raw) > maxIDToken {
		return identity.Federated{}, untrue("the provider gave no ID token", nil)
	}
	verified, err := found.VerifierContext(oidc.ClientContext(context.WithoutCancel(ctx), one.line.Client()),
		&oidc.Config{ClientID: one.cfg.ClientID, SupportedSigningAlgs: algorithms, Now: p.now}).Verify(ctx, raw)
	if err != nil {
		return identity.Federated{}, untrue("the ID token does not hold", err)
	}
	return one.person(ctx, found, token, verified, b.Nonce, p.now())
}

// open reads what the browser kept, and makes sure that the answer is to what it asked, once.
func (p *Providers) open(id, redirect, keep string, q url.Values) (b begun, err error) {
	astray := fault.New(fault.Invalid, "sso.state", "this answer is to no sign-in of this browser, or came too late").Try("begin the sign-in again")
	text, err := p.sealer.Open(sealContext, keep)
	if err != nil || json.Unmarshal(text, &b) != nil {
		return b, astray
	}
	now, state := p.now(), q["state"]
	if left := b.Until.Sub(now); left <= 0 || left > stateLife || b.Provider != id || b.Redirect != redirect ||
		len(state) != 1 || subtle.ConstantTimeCompare([]byte(state[0]), []byte(b.State)) != 1 || !p.spent.Add(b.State, b.Until, now) {
		return b, astray
	}
	return b, nil
}

func (p *Providers) find(id string) (*provider, error) {
	i := slices.IndexFunc(p.list, func(one *provider) bool { return one.cfg.ID == id })
	if i < 0 {
		return nil, fault.New(fault.NotFound, "sso.provider", "there is no such provider")
	}
	return p.list[i], nil
}

// discover reads what the provider says of itself (OpenID Connect Discovery 1.0), and keeps it for a while. It must name itself as it is
// configured, and send nobody elsewhere.
func (o *provider) discover(ctx context.Context, now func() time.Time) (*oidc.Provider, error) {
	if found, err, ok := o.known(now()); ok {
		return found, err
	}
	asked := o.asking.DoChan("", func() (any, error) {
		if found, err, ok := o.known(now()); ok { // somebody else was faster
			return found, err
		}
		found, err := o.ask(context.WithoutCancel(ctx)) // the first to come may leave: the others still wait for the answer
		o.mu.Lock()
		defer o.mu.Unlock()
		o.found, o.failed, o.at = found, err, now()
		return found, err
	})
	select {
	case r := <-asked:
		found, _ := r.Val.(*oidc.Provider)
		return found, r.Err
	case <-ctx.Done():
		return nil, fault.As(ctx.Err())
	}
}

// known is what the provider said lately, or that it did not answer just now.
func (o *provider) known(now time.Time) (found *oidc.Provider, err error, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	age := now.Sub(o.at).Abs()
	return o.found, o.failed, o.found != nil && age < foundFor || o.failed != nil && age < failedFor
}

func (o *provider) ask(ctx context.Context) (*oidc.Provider, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, o.line.Client()), timeout)
	defer cancel()
	found, err := oidc.NewProvider(ctx, o.cfg.Issuer)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "sso.unavailable", "the provider cannot be reached, or does not say what it should").Because(err)
	}
	var says struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := found.Claims(&says); err != nil {
		return nil, untrue("the provider's description cannot be read", err)
	}
	for _, text := range []string{found.Endpoint().AuthURL, found.Endpoint().TokenURL, says.JWKS, or(found.UserInfoEndpoint(), o.cfg.Issuer)} {
		u, err := url.Parse(text)
		if err != nil || !slices.ContainsFunc(o.origins, func(known *url.URL) bool { return outbound.SameOrigin(u, known) }) {
			return nil, untrue("the provider names a server that the configuration does not", err).Try("name it in hosts if that is meant")
		}
	}
	return found, nil
}

func (o *provider) oauth(found *oidc.Provider, secret, redirect string) *oauth2.Config {
	scopes := o.cfg.Scopes
	if len(scopes) == 0 {
		scopes = []string{"profile", "email"}
	}
	return &oauth2.Config{ClientID: o.cfg.ClientID, ClientSecret: secret, Endpoint: found.Endpoint(), RedirectURL: redirect, Scopes: append([]string{oidc.ScopeOpenID}, scopes...)}
}

// untrue is an answer of a provider that does not hold. Why, only the log is told.
func untrue(why string, err error) *fault.Error {
	return fault.New(fault.Forbidden, "sso.untrue", "%s", why).Because(err)
}
