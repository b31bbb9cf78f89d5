// Package sso lets people sign in where their organisation has its accounts: OpenID Connect Core 1.0, the authorization code flow with
// PKCE. It vouches for a person; which account that is, identity decides.
package sso

import (
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"entente/internal/fault"
)

// Config is one provider. The toml names are the keys of [[auth.oidc]].
type Config struct {
	ID               string   `toml:"id"`    // in paths: 1 to 32 of a-z 0-9 -
	Title            string   `toml:"title"` // as people read it
	Issuer           string   `toml:"issuer"`
	ClientID         string   `toml:"client_id"`
	ClientSecretFile string   `toml:"client_secret_file"` // none: a public client
	Scopes           []string `toml:"scopes"`             // besides openid; none: profile and email
	Hosts            []string `toml:"hosts"`              // further origins that the provider uses, https://host
	Addresses        []string `toml:"addresses"`          // networks that are not public in which it stands
	CA               string   `toml:"ca"`                 // PEM file of the authorities that vouch for it, instead of the system's

	NameClaim    string              `toml:"name_claim"`   // of the account's name; none: preferred_username
	GroupsClaim  string              `toml:"groups_claim"` // none: groups
	Domains      []string            `toml:"domains"`      // of verified e-mail addresses; none: any
	Groups       []string            `toml:"groups"`       // one of which a person must be in; none: any
	Create       bool                `toml:"create"`       // make accounts for those who are not known
	Org          string              `toml:"org"`          // of accounts that are made; none: the node's own
	Roles        map[string][]string `toml:"roles"`        // what a group brings, for accounts that are made
	DefaultRoles []string            `toml:"default_roles"`
	SecondFactor bool                `toml:"second_factor"` // the provider always asks for a second factor
}

const maxProviders = 16

var idForm = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// Validate says what cannot be. Whether a role exists, the caller knows.
func Validate(all []Config, isRole func(string) bool) error {
	seen := map[string]bool{}
	if len(all) > maxProviders {
		return fault.New(fault.Invalid, "config.value", "at most %d providers of single sign-on", maxProviders).At("auth.oidc")
	}
	for i := range all {
		c := &all[i]
		bad := func(key, format string, args ...any) error {
			return fault.New(fault.Invalid, "config.value", "provider %q: "+format, append([]any{c.ID}, args...)...).At("auth.oidc." + key)
		}
		if !idForm.MatchString(c.ID) || seen[c.ID] {
			return bad("id", "an id is 1 to 32 of a-z 0-9 -, and no other provider's")
		}
		seen[c.ID] = true
		if _, err := origin(c.Issuer); err != nil {
			return bad("issuer", "%q is not an https URL", c.Issuer)
		}
		for _, h := range c.Hosts {
			if u, err := origin(h); err != nil || u.Path != "" && u.Path != "/" {
				return bad("hosts", "%q is not like https://host", h)
			}
		}
		for _, a := range c.Addresses {
			if _, err := netip.ParsePrefix(a); err != nil {
				return bad("addresses", "%q is not a network like 10.0.0.0/8", a)
			}
		}
		switch {
		case c.ClientID == "":
			return bad("client_id", "it needs the id that the provider knows this node by")
		case len(c.Title) > 64:
			return bad("title", "a title has at most 64 bytes")
		case c.Create && len(c.Domains) == 0 && len(c.Groups) == 0:
			return bad("create", "accounts are made only for named domains or groups")
		case c.Create && len(c.Roles) == 0 && len(c.DefaultRoles) == 0:
			return bad("create", "accounts that are made need roles")
		}
		roles := slices.Clone(c.DefaultRoles)
		for _, r := range c.Roles {
			roles = append(roles, r...)
		}
		for _, r := range roles {
			if !isRole(r) {
				return bad("roles", "%q is not a role", r)
			}
		}
	}
	return nil
}

// origin reads a URL that a provider may have: https, or http on the machine itself.
func origin(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err == nil && (u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && local(u.Hostname()))) {
		err = fault.New(fault.Invalid, "sso.url", "not an https URL")
	}
	return u, err
}

func local(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// secret reads the client's secret, once for each use so that it may be renewed.
func (c *Config) secret() (string, error) {
	if c.ClientSecretFile == "" {
		return "", nil
	}
	b, err := os.ReadFile(c.ClientSecretFile)
	if err != nil || len(b) > 4096 {
		return "", fault.New(fault.Unavailable, "sso.secret", "the client secret cannot be read").Because(err)
	}
	return strings.TrimSpace(string(b)), nil
}

// Settings is the configuration under the names of its file. The secret stands in a file of its own.
func (c *Config) Settings() map[string]any {
	return map[string]any{"id": c.ID, "title": c.Title, "issuer": c.Issuer, "client_id": c.ClientID, "client_secret_file": c.ClientSecretFile, "scopes": c.Scopes, "hosts": c.Hosts,
		"addresses": c.Addresses, "ca": c.CA, "name_claim": c.NameClaim, "groups_claim": c.GroupsClaim, "domains": c.Domains, "groups": c.Groups, "create": c.Create, "org": c.Org,
		"roles": c.Roles, "default_roles": c.DefaultRoles, "second_factor": c.SecondFactor}
}
