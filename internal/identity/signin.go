package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"strings"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

// wrong is the one answer to every credential that does not hold.
func wrong() error {
	return fault.New(fault.Unauthenticated, "auth.invalid", "the credentials are not valid")
}

// Authenticate checks a name and a password presented from a remote address (with or without port). Every wrong combination is
// Unauthenticated with one message and one cost; too many are Throttled. A verified credential is trusted for Config.CacheFor without
// being hashed again, until an identity changes. The viewer is shared: read only.
func (d *Directory) Authenticate(ctx context.Context, name, password, remote string) (gate.Viewer, error) {
	generation := d.generation.Load()
	name = strings.ToLower(name)
	if len(name) > 64 || len(password) > maxPassword {
		return gate.Viewer{}, wrong() // never an account: the length of the input alone tells
	}
	if err := d.throttle.check(pairKey{name, address(remote)}); err != nil {
		return gate.Viewer{}, err
	}
	key := d.credentialKey(name, password)
	if hit, ok := d.creds.get(key, d.now(), generation); ok {
		return hit.viewer, nil
	}
	a, err := d.verify(ctx, name, password, remote)
	if err != nil {
		return gate.Viewer{}, err
	}
	if a.MustChange {
		return gate.Viewer{}, fault.New(fault.Forbidden, "auth.must_change", "the password must be changed before it can be used").Try("choose your own password")
	}
	if a.secured() {
		return gate.Viewer{}, fault.New(fault.Forbidden, "auth.factor", "this account has a second factor, and its password alone opens nothing").
			Try("sign in with a browser, or use an API token")
	}
	v, ok := d.viewer(a.Org, a.Name, a.Roles)
	if !ok {
		return gate.Viewer{}, wrong()
	}
	now := d.now()
	d.creds.put(key, verified{viewer: v, since: now, until: now.Add(d.cacheFor), generation: generation})
	return v, nil
}

// verify checks a password against the account, under the throttle. Equal attempts at the same time are one, but none joins an
// attempt that began before the last change of identities.
func (d *Directory) verify(ctx context.Context, name, password, remote string) (account, error) {
	name = strings.ToLower(name)
	if len(name) > 64 || len(password) > maxPassword {
		return account{}, wrong()
	}
	where := pairKey{name, address(remote)}
	key := d.credentialKey(name, password)
	flight := d.flights.DoChan(fmt.Sprintf("%x %d %s", key, d.generation.Load(), where.address), func() (any, error) {
		// The first to come may leave: the others still wait for the answer.
		return d.attempt(context.WithoutCancel(ctx), where, password)
	})
	select {
	case r := <-flight:
		if r.Err != nil {
			return account{}, r.Err
		}
		return r.Val.(account), nil
	case <-ctx.Done():
		return account{}, fault.New(fault.Unavailable, "auth.busy", "the sign-in was ended before it was answered").Because(ctx.Err())
	}
}

func (d *Directory) attempt(ctx context.Context, where pairKey, password string) (account, error) {
	try, err := d.throttle.begin(where)
	if err != nil {
		return account{}, err
	}
	if try.delay > 0 {
		err := d.sleep(ctx, try.delay)
		try.slept()
		if err != nil {
			try.abandoned()
			return account{}, fault.New(fault.Unavailable, "auth.busy", "the sign-in was ended before it was answered").Because(err)
		}
	}
	a, version, err := d.account(ctx, where.account)
	exists := err == nil
	if err != nil && fault.Of(err) != fault.NotFound {
		try.abandoned()
		return account{}, err
	}
	stored := d.decoy
	switch {
	case exists && !computable(a.PasswordHash):
		d.log.WarnContext(ctx, "the password hash of an account cannot be verified in FIPS 140-3 only mode: set its password again", "account", a.Name)
	case exists && a.PasswordHash != "":
		stored = a.PasswordHash
	}
	var ok, stale bool
	if err := d.hashing.do(ctx, try.known, func() { ok, stale = verifyPassword(stored, password) }); err != nil {
		try.abandoned()
		return account{}, err
	}
	if !ok || !exists || a.Disabled {
		try.failed()
		return account{}, wrong()
	}
	try.succeeded()
	if stale {
		d.rehash(ctx, &a, version, password)
	}
	return a, nil
}

// rehash stores a hash of today's costs. It is no change of rights: when it does not succeed now, the next sign-in tries again.
func (d *Directory) rehash(ctx context.Context, a *account, version int64, password string) {
	var hash string
	var err error
	if busy := d.hashing.do(ctx, true, func() { hash, err = hashPassword(password) }); busy != nil || err != nil {
		return
	}
	d.change.Lock() // so that an administrator's change never meets a conflict with it
	defer d.change.Unlock()
	next := *a
	next.PasswordHash = hash
	doc, err := write(kindUser, a.Name, next, version)
	if err == nil {
		err = d.store.PutDocs(ctx, store.Act{Actor: "node", Verb: "user.rehash", Target: a.Name}, doc)
	}
	if err != nil {
		d.log.WarnContext(ctx, "the password hash could not be renewed", "account", a.Name, "error", err)
		return
	}
	*a = next
}

// credentialKey stands for a name and a password in the cache: nothing can be learnt from it without the pepper.
func (d *Directory) credentialKey(name, password string) [32]byte {
	return d.mac("credential", name, password)
}

// mac is HMAC-SHA-256 under the pepper over a purpose, the realm and two texts, told apart by their lengths.
func (d *Directory) mac(purpose, a, b string) (sum [32]byte) {
	m := d.macs.Get().(*keyed)
	m.Reset()
	m.buf = m.buf[:0]
	for _, s := range [...]string{purpose, d.realm, a, b} {
		m.buf = binary.BigEndian.AppendUint32(m.buf, uint32(len(s)))
		m.buf = append(m.buf, s...)
	}
	m.Write(m.buf)
	m.Sum(sum[:0])
	clear(m.buf)
	d.macs.Put(m)
	return sum
}

type keyed struct {
	hash.Hash
	buf []byte
}

func (d *Directory) newMAC() *keyed {
	return &keyed{Hash: hmac.New(sha256.New, d.pepper), buf: make([]byte, 0, 256)}
}
