package identity

import (
	"context"
	"encoding/hex"
	"time"

	"entente/internal/fault"
	"entente/internal/store"
)

const setupLife = time.Hour

type setup struct {
	Expires time.Time `json:"expires"`
}

// IssueSetup makes the secret of the first-run link: whoever opens it within an hour becomes the first administrator. It works once,
// survives a restart, and is refused as soon as there is an administrator. A new link ends the earlier ones.
func (d *Directory) IssueSetup(ctx context.Context, actor string) (secret string, expires time.Time, err error) {
	if err := d.enter(ctx); err != nil {
		return "", time.Time{}, err
	}
	defer d.change.Unlock()
	if err := d.unclaimed(ctx); err != nil {
		return "", time.Time{}, err
	}
	var docs []store.Doc
	if err := each(ctx, d.store, kindSetup, func(doc store.Doc, _ setup) {
		docs = append(docs, store.Doc{Kind: kindSetup, Key: doc.Key, Version: -1})
	}); err != nil {
		return "", time.Time{}, err
	}
	secret, expires = base62(secretLength), d.now().UTC().Add(setupLife)
	doc, err := write(kindSetup, d.setupKey(secret), setup{Expires: expires}, 0)
	if err != nil {
		return "", time.Time{}, err
	}
	doc.Expires = expires
	if err := d.commit(ctx, store.Act{Actor: actor, Verb: "setup.issue"}, append(docs, doc)...); err != nil {
		return "", time.Time{}, err
	}
	return secret, expires, nil
}

// CheckSetup tells whether the link still works, without using it.
func (d *Directory) CheckSetup(ctx context.Context, secret string) error {
	_, err := d.setup(ctx, secret)
	if err != nil {
		return err
	}
	return d.unclaimed(ctx)
}

// RedeemSetup uses the link: it makes the first administrator, in the node's own organisation.
func (d *Directory) RedeemSetup(ctx context.Context, secret, name, password string) (User, error) {
	if _, err := d.setup(ctx, secret); err != nil { // before the cost of a hash
		return User{}, err
	}
	name, err := AccountName(name)
	if err != nil {
		return User{}, err
	}
	hash, err := d.newHash(ctx, name, password)
	if err != nil {
		return User{}, err
	}
	if err := d.enter(ctx); err != nil {
		return User{}, err
	}
	defer d.change.Unlock()
	version, err := d.setup(ctx, secret)
	if err != nil {
		return User{}, err
	}
	if err := d.unclaimed(ctx); err != nil {
		return User{}, err
	}
	if _, _, err := read[account](ctx, d.store, kindUser, name); err == nil {
		return User{}, fault.New(fault.Conflict, "user.exists", "the name is taken").At("name")
	} else if fault.Of(err) != fault.NotFound {
		return User{}, err
	}
	a := account{User: User{Name: name, Org: d.Register().Org, Roles: []string{d.adminRole}, Created: d.now().UTC()}, PasswordHash: hash, Epoch: base62(idLength)}
	doc, err := write(kindUser, name, a, 0)
	if err != nil {
		return User{}, err
	}
	act := store.Act{Actor: a.Org + "/" + name, Verb: "setup.redeem", Target: name, Detail: "roles=" + d.adminRole}
	if err := d.commit(ctx, act, doc, store.Doc{Kind: kindSetup, Key: d.setupKey(secret), Version: version}); err != nil {
		return User{}, err
	}
	return a.User, nil
}

// setup finds the version of a link that still works.
func (d *Directory) setup(ctx context.Context, secret string) (int64, error) {
	gone := fault.New(fault.NotFound, "setup.invalid", "the link has been used, has expired, or never was").Try("start the node again for another link")
	if len(secret) != secretLength || !isBase62(secret) {
		return 0, gone
	}
	s, version, err := read[setup](ctx, d.store, kindSetup, d.setupKey(secret))
	if err != nil {
		return 0, absent(err, gone)
	}
	// The clock may have been set back: no link is further from its end than it was when it was made.
	if left := s.Expires.Sub(d.now()); left <= 0 || left > setupLife {
		return 0, gone
	}
	return version, nil
}

// unclaimed refuses when somebody can administer the node already.
func (d *Directory) unclaimed(ctx context.Context) error {
	n, err := d.admins(ctx, "")
	if err == nil && n > 0 {
		return fault.New(fault.Conflict, "setup.done", "the node has an administrator already")
	}
	return err
}

func (d *Directory) setupKey(secret string) string {
	sum := d.mac("setup", "", secret)
	return hex.EncodeToString(sum[:])
}
