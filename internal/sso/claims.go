package sso

import (
	"context"
	"crypto/subtle"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"entente/internal/fault"
	"entente/internal/identity"
)

// claims are what an ID token says of a person (OpenID Connect Core 1.0 sections 2 and 5.1).
type claims struct {
	Nonce    string   `json:"nonce"`
	AZP      string   `json:"azp"`
	Email    string   `json:"email"`
	Verified any      `json:"email_verified"`
	AMR      []string `json:"amr"`
}

const (
	maxSubject = 255
	maxGroups  = 1000
)

// multi are the words of RFC 8176 that say that there was a second factor, or one that is as good.
var multi = []string{"mfa", "otp", "hwk", "sc", "fido"}

// person reads who the token is about, and whether that one may come in.
func (o *provider) person(ctx context.Context, found *oidc.Provider, token *oauth2.Token, t *oidc.IDToken, nonce string, now time.Time) (identity.Federated, error) {
	var c claims
	var all map[string]any
	if err := t.Claims(&c); err != nil {
		return identity.Federated{}, untrue("the ID token's claims cannot be read", err)
	}
	if err := t.Claims(&all); err != nil {
		return identity.Federated{}, untrue("the ID token's claims cannot be read", err)
	}
	switch {
	case c.Nonce == "" || subtle.ConstantTimeCompare([]byte(c.Nonce), []byte(nonce)) != 1:
		return identity.Federated{}, untrue("the ID token was not made for this sign-in", nil)
	case c.AZP != "" && c.AZP != o.cfg.ClientID, len(t.Audience) > 1 && c.AZP == "":
		return identity.Federated{}, untrue("the ID token was made for somebody else", nil)
	case t.IssuedAt.After(now.Add(skew)):
		return identity.Federated{}, untrue("the ID token is of the future", nil)
	case t.Subject == "" || len(t.Subject) > maxSubject:
		return identity.Federated{}, untrue("the ID token names nobody", nil)
	}
	if t.AccessTokenHash != "" && t.VerifyAccessToken(token.AccessToken) != nil {
		return identity.Federated{}, untrue("the ID token and the access token do not belong together", nil)
	}
	if err := o.complete(ctx, found, token, t.Subject, all); err != nil {
		return identity.Federated{}, err
	}
	c.Email, _ = all["email"].(string)
	c.Verified = all["email_verified"]
	if err := o.domain(c); err != nil {
		return identity.Federated{}, err
	}
	groups := texts(all[or(o.cfg.GroupsClaim, "groups")])
	if len(o.cfg.Groups) > 0 && !slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(o.cfg.Groups, g) }) {
		return identity.Federated{}, stranger("the person is in none of the groups that may sign in")
	}
	name, _ := all[or(o.cfg.NameClaim, "preferred_username")].(string)
	if local, domain, ok := strings.Cut(name, "@"); ok && o.named(domain) { // of a domain that nobody vouches for, "bob" would be anybody's
		name = local
	}
	return identity.Federated{
		Provider: o.cfg.ID, Issuer: t.Issuer, Subject: t.Subject, Name: strings.ToLower(name), Org: o.cfg.Org, Roles: o.roles(groups), Create: o.cfg.Create,
		SecondFactor: o.cfg.SecondFactor || slices.ContainsFunc(c.AMR, func(m string) bool { return slices.Contains(multi, m) }),
	}, nil
}

// complete asks the provider for what it does not write into ID tokens (OpenID Connect Core 1.0 section 5.3). What the token says stands.
func (o *provider) complete(ctx context.Context, found *oidc.Provider, token *oauth2.Token, subject string, all map[string]any) error {
	name, groups := or(o.cfg.NameClaim, "preferred_username"), or(o.cfg.GroupsClaim, "groups")
	lacks := func(claim string) bool { _, ok := all[claim]; return !ok }
	if found.UserInfoEndpoint() == "" ||
		!lacks(name) && (len(o.cfg.Domains) == 0 || !lacks("email")) && (len(o.cfg.Groups)+len(o.cfg.Roles) == 0 || !lacks(groups)) {
		return nil
	}
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return untrue("the provider does not say more of the person", err)
	}
	var more map[string]any
	if err := info.Claims(&more); err != nil || info.Subject != subject {
		return untrue("the provider says more of somebody else", err)
	}
	if lacks("email") { // the address and whether it is verified are of one source
		all["email"], all["email_verified"] = more["email"], more["email_verified"]
	}
	for _, claim := range []string{name, groups} {
		if lacks(claim) && claim != "email_verified" {
			all[claim] = more[claim]
		}
	}
	return nil
}

// domain makes sure of the e-mail address where the domain decides. One that the provider has not verified says nothing.
func (o *provider) domain(c claims) error {
	if len(o.cfg.Domains) == 0 {
		return nil
	}
	if c.Verified != true && c.Verified != "true" {
		return stranger("the provider has not verified the person's e-mail address")
	}
	at := strings.LastIndex(c.Email, "@")
	if at < 1 || !o.named(c.Email[at+1:]) {
		return stranger("the person's e-mail address is of none of the domains that may sign in")
	}
	return nil
}

func (o *provider) named(domain string) bool {
	return slices.ContainsFunc(o.cfg.Domains, func(d string) bool { return strings.EqualFold(d, domain) })
}

// roles are what the groups bring, and the default where they bring nothing: never one that the configuration does not name.
func (o *provider) roles(groups []string) []string {
	var out []string
	for _, g := range groups {
		out = append(out, o.cfg.Roles[g]...)
	}
	if len(out) == 0 {
		out = slices.Clone(o.cfg.DefaultRoles)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// texts is a claim that is a text or a list of texts.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, x := range v[:min(len(v), maxGroups)] {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func stranger(why string) error { return fault.New(fault.Forbidden, "sso.stranger", "%s", why) }
