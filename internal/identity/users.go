package identity

import (
	"context"
	"slices"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

// User is an account of a person.
type User struct {
	Name       string    `json:"name"`
	Org        string    `json:"org"`
	Roles      []string  `json:"roles"`
	Disabled   bool      `json:"disabled,omitzero"`
	MustChange bool      `json:"must_change,omitzero"` // the password opens nothing but ChangePassword
	Created    time.Time `json:"created"`
}

// account is a User as it is stored.
type account struct {
	User
	PasswordHash string    `json:"password_hash"`
	Epoch        string    `json:"epoch,omitempty"` // another one with every change after which no earlier session counts
	TOTP         *totp     `json:"totp,omitempty"`
	SSO          *link     `json:"sso,omitempty"`
	Handle       []byte    `json:"handle,omitempty"` // by which passkeys know the account: random, it tells nothing
	Passkeys     []passkey `json:"passkeys,omitempty"`
}

// NewUser asks for an account.
type NewUser struct {
	Name       string
	Org        string // empty: the node's own organisation
	Roles      []string
	Password   string
	MustChange bool
	Provider   string // of single sign-on, whose person of this name gets the account when it first comes; it then needs no password
}

// AddUser makes an account. A name that is taken is a Conflict.
func (d *Directory) AddUser(ctx context.Context, actor string, n NewUser) (User, error) {
	if _, err := d.roles(n.Roles); err != nil { // before the cost of a hash
		return User{}, err
	}
	var hash string
	var l *link
	if n.Provider != "" {
		if !nameForm.MatchString(n.Provider) {
			return User{}, fault.New(fault.Invalid, "sso.provider", "this is no provider's id").At("sso")
		}
		l = &link{Provider: n.Provider}
	}
	if n.Password != "" || l == nil {
		name, err := AccountName(n.Name)
		if err != nil {
			return User{}, err
		}
		if hash, err = d.newHash(ctx, name, n.Password); err != nil {
			return User{}, err
		}
	}
	return d.addAccount(ctx, actor, n, hash, l)
}

func (d *Directory) addAccount(ctx context.Context, actor string, n NewUser, hash string, l *link) (User, error) {
	name, err := AccountName(n.Name)
	if err != nil {
		return User{}, err
	}
	roles, err := d.roles(n.Roles)
	if err != nil {
		return User{}, err
	}
	if err := d.enter(ctx); err != nil {
		return User{}, err
	}
	defer d.change.Unlock()
	org, err := d.memberOrg(n.Org)
	if err != nil {
		return User{}, err
	}
	switch _, _, err := read[account](ctx, d.store, kindUser, name); {
	case err == nil:
		return User{}, fault.New(fault.Conflict, "user.exists", "the name is taken").At("name")
	case fault.Of(err) != fault.NotFound:
		return User{}, err
	}
	a := account{User: User{Name: name, Org: org, Roles: roles, MustChange: n.MustChange, Created: d.now().UTC()}, PasswordHash: hash, Epoch: base62(idLength), SSO: l}
	docs, err := owned(account{}, a)
	if err != nil {
		return User{}, err
	}
	doc, err := write(kindUser, name, a, 0)
	if err != nil {
		return User{}, err
	}
	act := store.Act{Actor: actor, Verb: "user.add", Target: name, Detail: "org=" + org + " roles=" + strings.Join(roles, ",")}
	if l != nil {
		act.Detail += " sso=" + l.Provider
	}
	if err := d.commit(ctx, act, append(docs, doc)...); err != nil {
		return User{}, err
	}
	return a.User, nil
}

// User is one account.
func (d *Directory) User(ctx context.Context, name string) (User, error) {
	a, _, err := d.account(ctx, name)
	return a.User, err
}

// Users is a page of accounts in the order of their names, those after the given name. limit 0 is 500, the most is 1000.
func (d *Directory) Users(ctx context.Context, after string, limit int) ([]User, error) {
	accounts, err := list[account](ctx, d.store, kindUser, after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]User, len(accounts))
	for i, a := range accounts {
		out[i] = a.User
	}
	return out, nil
}

// SetPassword gives an account another password, on behalf of an administrator.
func (d *Directory) SetPassword(ctx context.Context, actor, name, password string, mustChange bool) error {
	hash, err := d.newHash(ctx, name, password)
	if err != nil {
		return err
	}
	return d.edit(ctx, actor, "user.password", name, "", "", func(a *account) error {
		a.PasswordHash, a.MustChange = hash, mustChange
		return nil
	})
}

// ChangePassword lets a person choose another password with the present one, under the same throttle as a sign-in. Its sessions end,
// but for the one to keep.
func (d *Directory) ChangePassword(ctx context.Context, name, present, next, remote, keep string) error {
	a, err := d.verify(ctx, name, present, remote)
	if err != nil {
		return err
	}
	if present == next {
		return presentPassword()
	}
	hash, err := d.newHash(ctx, a.Name, next)
	if err != nil {
		return err
	}
	return d.editOwn(ctx, "user.password", a, keep, func(now *account) { now.PasswordHash, now.MustChange = hash, false })
}

// SetRoles gives an account other roles, at once.
func (d *Directory) SetRoles(ctx context.Context, actor, name string, roles []string) error {
	roles, err := d.roles(roles)
	if err != nil {
		return err
	}
	return d.edit(ctx, actor, "user.roles", name, "roles="+strings.Join(roles, ","), "", func(a *account) error {
		a.Roles = roles
		return nil
	})
}

// SetDisabled closes or opens an account, at once. Tokens and certificates that act for it follow.
func (d *Directory) SetDisabled(ctx context.Context, actor, name string, disabled bool) error {
	verb := "user.enable"
	if disabled {
		verb = "user.disable"
	}
	return d.edit(ctx, actor, verb, name, "", "", func(a *account) error {
		a.Disabled = disabled
		return nil
	})
}

// DeleteUser removes an account, and the tokens and certificates that act for it.
func (d *Directory) DeleteUser(ctx context.Context, actor, name string) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.change.Unlock()
	a, version, err := d.account(ctx, name)
	if err != nil {
		return err
	}
	if err := d.keepAdmin(ctx, a, account{}); err != nil {
		return err
	}
	docs, err := d.endAll(ctx, a, account{}, "")
	if err != nil {
		return err
	}
	docs = append(docs, store.Doc{Kind: kindUser, Key: a.Name, Version: version})
	if err := each(ctx, d.store, kindToken, func(doc store.Doc, t Token) {
		if t.User == a.Name {
			docs = append(docs, store.Doc{Kind: kindToken, Key: doc.Key, Version: -1})
		}
	}); err != nil {
		return err
	}
	var lost error
	now := d.now().UTC()
	if err := each(ctx, d.store, kindCert, func(doc store.Doc, c Certificate) {
		if c.User != a.Name || !c.Revoked.IsZero() {
			return
		}
		c.Revoked = now // kept: the revocation list needs it
		doc, err := c.doc(doc.Version)
		docs, lost = append(docs, doc), err
	}); err != nil {
		return err
	}
	if lost != nil {
		return lost
	}
	return d.commit(ctx, store.Act{Actor: actor, Verb: "user.delete", Target: a.Name}, docs...)
}

// edit changes an account and ends its sessions, but for the one to keep.
func (d *Directory) edit(ctx context.Context, actor, verb, name, detail, keep string, change func(*account) error) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.change.Unlock()
	a, version, err := d.account(ctx, name)
	if err != nil {
		return err
	}
	before := a
	if err := change(&a); err != nil {
		return err
	}
	if err := d.keepAdmin(ctx, before, a); err != nil {
		return err
	}
	a.Epoch = base62(idLength)
	docs, err := d.endAll(ctx, before, a, keep)
	if err != nil {
		return err
	}
	doc, err := write(kindUser, a.Name, a, version)
	if err != nil {
		return err
	}
	return d.commit(ctx, store.Act{Actor: actor, Verb: verb, Target: a.Name, Detail: detail}, append(docs, doc)...)
}

// account reads an account by its name in any case.
func (d *Directory) account(ctx context.Context, name string) (account, int64, error) {
	unknown := fault.New(fault.NotFound, "user.unknown", "there is no such account").At("name")
	name, err := AccountName(name)
	if err != nil {
		return account{}, 0, unknown
	}
	a, version, err := read[account](ctx, d.store, kindUser, name)
	if err != nil {
		return account{}, 0, absent(err, unknown)
	}
	return a, version, nil
}

// keepAdmin refuses a change after which nobody could administer the node. The caller holds d.change.
func (d *Directory) keepAdmin(ctx context.Context, before, after account) error {
	if !d.administers(before) || d.administers(after) {
		return nil
	}
	others, err := d.admins(ctx, before.Name)
	if err != nil || others > 0 {
		return err
	}
	return fault.New(fault.Conflict, "user.last_admin", "this is the last account that can administer the node").Try("give another account the role " + d.adminRole + " first")
}

func (d *Directory) administers(a account) bool {
	return !a.Disabled && a.PasswordHash != "" && slices.Contains(a.Roles, d.adminRole)
}

// admins counts the accounts that can administer the node, except one.
func (d *Directory) admins(ctx context.Context, except string) (n int, err error) {
	err = each(ctx, d.store, kindUser, func(_ store.Doc, a account) {
		if a.Name != except && d.administers(a) {
			n++
		}
	})
	return n, err
}

// memberOrg is the registered form of an organisation's name; empty is the node's own.
func (d *Directory) memberOrg(name string) (string, error) {
	if name == "" {
		return d.known.Load().register.Org, nil
	}
	o, ok := d.known.Load().orgs[fold(name)]
	if !ok {
		return "", noOrg()
	}
	return o.Name, nil
}

// newHash checks a password and hashes it, within the bound on concurrent hashes.
func (d *Directory) newHash(ctx context.Context, name, password string) (hash string, err error) {
	if err := CheckPassword(name, password); err != nil {
		return "", err
	}
	var failed error
	if err := d.hashing.do(ctx, true, func() { hash, failed = hashPassword(password) }); err != nil {
		return "", err
	}
	return hash, failed
}

// acting is the viewer of a credential that acts for an account or, without one, as itself. A credential never has more rights than
// the account it acts for has now.
func (d *Directory) acting(ctx context.Context, user, org, name string, roles []string) (gate.Viewer, bool, error) {
	if user != "" {
		a, _, err := d.account(ctx, user)
		if err != nil {
			if fault.Of(err) == fault.NotFound {
				return gate.Viewer{}, false, nil
			}
			return gate.Viewer{}, false, err
		}
		if a.Disabled {
			return gate.Viewer{}, false, nil
		}
		kept := make([]string, 0, len(roles))
		for _, r := range roles {
			if slices.Contains(a.Roles, r) {
				kept = append(kept, r)
			}
		}
		org, name, roles = a.Org, a.Name, kept
	}
	v, ok := d.viewer(org, name, roles)
	return v, ok && len(roles) > 0, nil
}
