package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"entente/internal/fault"
	"entente/internal/store"
)

// Federated is a person that a provider of single sign-on vouches for.
type Federated struct {
	Provider     string   // the id of its configuration
	Issuer       string   // with Subject: who it is, for ever
	Subject      string   // never given to another person (OpenID Connect Core 1.0 section 2)
	Name         string   // what the account is, or would be, called
	Org          string   // of an account that is made; empty: the node's own
	Roles        []string // of an account that is made, now
	Create       bool     // make an account where there is none
	SecondFactor bool     // the provider asked for a second factor
}

// link says by which provider an account's person signs in.
type link struct {
	Provider string `json:"provider"`
	Issuer   string `json:"issuer,omitempty"` // empty: nobody has come yet
	Subject  string `json:"subject,omitempty"`
	Made     bool   `json:"made,omitzero"` // the account was made by the provider's word, and its roles follow it
}

func (l *link) bound() bool { return l != nil && l.Subject != "" }

const kindLink = "sso"

// SignInFederated signs the person in that a provider vouches for: of an account that was made for it, or that is made now.
func (d *Directory) SignInFederated(ctx context.Context, f Federated, from Client) (SignedIn, error) {
	a, err := d.federated(ctx, f)
	if err != nil {
		return SignedIn{}, err
	}
	switch {
	case a.Disabled:
		return SignedIn{}, noAccount()
	case !f.SecondFactor && slices.ContainsFunc(a.Roles, func(r string) bool { return slices.Contains(d.factorRoles, r) }):
		return SignedIn{}, fault.New(fault.Forbidden, "sso.factor", "this account needs a second factor, and the provider does not say that it asked for one")
	}
	return d.advance(ctx, a, byOIDC+f.Provider, from)
}

func noAccount() error {
	return fault.New(fault.Forbidden, "sso.unknown", "there is no account for this person").Try("ask the node's administrators for one")
}

// federated finds the account, makes it, or gives it to the first who comes with its name where it was made to wait for that.
func (d *Directory) federated(ctx context.Context, f Federated) (account, error) {
	owner, _, err := read[ownerDoc](ctx, d.store, kindLink, linkKey(f.Issuer, f.Subject))
	switch {
	case err == nil:
		a, _, err := d.account(ctx, owner.User)
		if err != nil {
			return a, absent(err, fault.As(noAccount()))
		}
		if !a.SSO.bound() || a.SSO.Issuer != f.Issuer || a.SSO.Subject != f.Subject {
			return a, noAccount()
		}
		return d.follow(ctx, a, f)
	case fault.Of(err) != fault.NotFound:
		return account{}, err
	}
	name, err := AccountName(f.Name)
	if err != nil {
		return account{}, noAccount()
	}
	l := &link{Provider: f.Provider, Issuer: f.Issuer, Subject: f.Subject}
	a, _, err := d.account(ctx, name)
	switch {
	case err == nil && a.SSO != nil && !a.SSO.bound() && a.SSO.Provider == f.Provider && !a.Disabled:
		err = d.edit(ctx, a.Org+"/"+a.Name, "user.sso", a.Name, "provider="+f.Provider, "", func(now *account) error {
			if now.SSO == nil || now.SSO.bound() || now.Disabled {
				return noAccount()
			}
			now.SSO = l
			return nil
		})
	case fault.Of(err) == fault.NotFound && err != nil && f.Create && len(f.Roles) > 0:
		l.Made = true
		_, err = d.addAccount(ctx, "sso:"+f.Provider, NewUser{Name: name, Org: f.Org, Roles: f.Roles}, "", l)
	case err == nil || fault.Of(err) == fault.NotFound:
		return account{}, noAccount() // a name that is somebody's already opens nothing
	}
	if err != nil {
		return account{}, err
	}
	a, _, err = d.account(ctx, name)
	return a, err
}

// follow gives an account that was made by the provider's word the roles that the provider's word brings today.
func (d *Directory) follow(ctx context.Context, a account, f Federated) (account, error) {
	if !a.SSO.Made {
		return a, nil
	}
	roles, err := d.roles(f.Roles)
	if err != nil {
		return a, noAccount() // nothing that it is in brings a role any more
	}
	if slices.Equal(roles, a.Roles) {
		return a, nil
	}
	if err := d.edit(ctx, "sso:"+f.Provider, "user.roles", a.Name, "roles="+strings.Join(roles, ","), "", func(now *account) error {
		now.Roles = roles
		return nil
	}); err != nil {
		return a, err
	}
	a, _, err = d.account(ctx, a.Name)
	return a, err
}

// linked makes the documents by which persons of a provider find their account, for a change of it.
func linked(before, after account) (docs []store.Doc, err error) {
	same := before.SSO.bound() && after.SSO.bound() && *before.SSO == *after.SSO
	if before.SSO.bound() && !same {
		docs = append(docs, store.Doc{Kind: kindLink, Key: linkKey(before.SSO.Issuer, before.SSO.Subject), Version: -1})
	}
	if after.SSO.bound() && !same {
		doc, err := write(kindLink, linkKey(after.SSO.Issuer, after.SSO.Subject), ownerDoc{after.Name}, 0)
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

func linkKey(issuer, subject string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + subject))
	return hex.EncodeToString(sum[:])
}
