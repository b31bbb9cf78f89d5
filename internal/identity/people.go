package identity

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
)

// The states in which a step of a sign-in ends.
const (
	StateDone       = "done"        // there is a session
	StateTOTP       = "totp"        // a code is asked for
	StateMustChange = "must_change" // another password is asked for
)

// SignedIn is what a step of a sign-in has come to.
type SignedIn struct {
	State   string
	Ticket  string  // for the next step; not of StateDone
	Cookie  string  // of StateDone: the text of the session, a secret
	Session Session // of StateDone
}

// Sealer hides and authenticates small texts that the node hands out and takes back.
type Sealer interface {
	Seal(context string, plaintext []byte) string
	Open(context, token string) ([]byte, error)
}

const (
	ticketContext = "auth.ticket"
	ticketLife    = 5 * time.Minute
)

// ticket is what one step of a sign-in hands to the next: sealed, so that the node keeps nothing for those who never come back.
type ticket struct {
	Kind  string    `json:"kind"`
	ID    string    `json:"id"`
	Until time.Time `json:"until"`
	User  string    `json:"user,omitempty"`
	Epoch string    `json:"epoch,omitempty"`
	By    string    `json:"by,omitempty"`   // the ways that have succeeded
	Data  []byte    `json:"data,omitempty"` // of the kind
}

func (d *Directory) seal(t ticket) (string, error) {
	if d.sealer == nil {
		return "", fault.New(fault.Internal, "identity.config", "this directory has no sealer: nobody can sign in with a browser")
	}
	t.ID, t.Until = base62(idLength), d.now().Add(ticketLife)
	b, err := json.Marshal(t)
	if err != nil {
		return "", fault.New(fault.Internal, "", "a ticket cannot be written").Because(err)
	}
	return d.sealer.Seal(ticketContext, b), nil
}

// unseal opens a ticket of a kind that is not spent.
func (d *Directory) unseal(kind, text string) (t ticket, err error) {
	gone := fault.New(fault.Unauthenticated, "auth.ticket", "this sign-in has taken too long, or was ended").Try("begin the sign-in again")
	if d.sealer == nil {
		return t, gone
	}
	b, err := d.sealer.Open(ticketContext, text)
	if err != nil || json.Unmarshal(b, &t) != nil || t.Kind != kind {
		return ticket{}, gone
	}
	if left := t.Until.Sub(d.now()); left <= 0 || left > ticketLife || d.spent.has(t.ID) {
		return ticket{}, gone
	}
	return t, nil
}

// spend makes sure that a ticket opens nothing again. It tells whether this was the first time.
func (d *Directory) spend(t ticket) bool { return d.spent.Add(t.ID, t.Until, d.now()) }

// holder is the account that a ticket was made for, unchanged since.
func (d *Directory) ticketHolder(ctx context.Context, kind, text string) (ticket, account, error) {
	t, err := d.unseal(kind, text)
	if err != nil {
		return t, account{}, err
	}
	a, _, err := d.account(ctx, t.User)
	if err != nil && fault.Of(err) != fault.NotFound {
		return t, account{}, err
	}
	if err != nil || a.Epoch != t.Epoch || a.Disabled {
		return t, account{}, fault.New(fault.Unauthenticated, "auth.ticket", "the account was changed during the sign-in").Try("begin the sign-in again")
	}
	return t, a, nil
}

// SignIn checks a name and a password, as Authenticate does, for a person with a browser.
func (d *Directory) SignIn(ctx context.Context, name, password string, from Client) (SignedIn, error) {
	a, err := d.verify(ctx, name, password, from.Remote)
	if err != nil {
		return SignedIn{}, err
	}
	return d.advance(ctx, a, byPassword, from)
}

// The ways of signing in.
const (
	byPassword = "password"
	byTOTP     = "password+totp"
	byRecovery = "password+recovery"
	byPasskey  = "passkey"
	byOIDC     = "oidc:"
)

// advance leads to the next step of a sign-in: the code, another password, or the session.
func (d *Directory) advance(ctx context.Context, a account, by string, from Client) (SignedIn, error) {
	next := ""
	switch {
	case by == byPassword && a.TOTP != nil:
		next = StateTOTP
	case by == byPassword && len(a.Passkeys) > 0:
		return SignedIn{}, fault.New(fault.Forbidden, "auth.passkey", "this account signs in with its passkey").Try("choose the passkey instead of the password")
	case a.MustChange && (by == byPassword || by == byTOTP || by == byRecovery):
		next = StateMustChange
	default:
		return d.begin(ctx, a, by, from)
	}
	text, err := d.seal(ticket{Kind: next, User: a.Name, Epoch: a.Epoch, By: by})
	return SignedIn{State: next, Ticket: text}, err
}

// ChooseNew is the step of a sign-in in which the person chooses another password.
func (d *Directory) ChooseNew(ctx context.Context, text, password string, from Client) (SignedIn, error) {
	t, a, err := d.ticketHolder(ctx, StateMustChange, text)
	if err != nil {
		return SignedIn{}, err
	}
	if same, err := d.samePassword(ctx, a, password); err != nil {
		return SignedIn{}, err
	} else if same {
		return SignedIn{}, presentPassword()
	}
	hash, err := d.newHash(ctx, a.Name, password)
	if err != nil {
		return SignedIn{}, err
	}
	if err := d.editOwn(ctx, "user.password", a, "", func(now *account) { now.PasswordHash, now.MustChange = hash, false }); err != nil {
		return SignedIn{}, err
	}
	if a, _, err = d.account(ctx, a.Name); err != nil {
		return SignedIn{}, err
	}
	return d.advance(ctx, a, t.By, from)
}

// samePassword tells whether a password is the present one of an account.
func (d *Directory) samePassword(ctx context.Context, a account, password string) (same bool, err error) {
	if a.PasswordHash == "" || len(password) > maxPassword {
		return false, nil
	}
	err = d.hashing.do(ctx, true, func() { same, _ = verifyPassword(a.PasswordHash, password) })
	return same, err
}

func presentPassword() error {
	return fault.New(fault.Invalid, "password.weak", "the new password is the present one").At("password")
}

// editOwn changes an account on behalf of its own person, where it is still as it was. Its other sessions end.
func (d *Directory) editOwn(ctx context.Context, verb string, was account, keep string, change func(*account)) error {
	return d.edit(ctx, was.Org+"/"+was.Name, verb, was.Name, "", keep, func(now *account) error {
		if now.Epoch != was.Epoch || now.PasswordHash != was.PasswordHash || now.Disabled {
			return fault.New(fault.Conflict, "user.changed", "the account was changed at the same time").Try("sign in again")
		}
		change(now)
		return nil
	})
}

// Factors is what a person signs in with besides a password.
type Factors struct {
	TOTP     bool `json:"totp"`
	Passkeys int  `json:"passkeys"`
	Recovery int  `json:"recovery_codes"` // that are left
	Password bool `json:"password"`
}

// Factors are those of an account.
func (d *Directory) Factors(ctx context.Context, name string) (Factors, error) {
	a, _, err := d.account(ctx, name)
	if err != nil {
		return Factors{}, err
	}
	f := Factors{TOTP: a.TOTP != nil, Passkeys: len(a.Passkeys), Password: a.PasswordHash != ""}
	if a.TOTP != nil {
		f.Recovery = len(a.TOTP.Recovery)
	}
	return f, nil
}

// ResetFactors takes the second factors of an account away, on behalf of an administrator, and ends its sessions. The person signs in
// with the password alone and, where its roles ask for it, must enrol anew.
func (d *Directory) ResetFactors(ctx context.Context, actor, name string) error {
	return d.edit(ctx, actor, "user.factors", name, "reset", "", func(a *account) error {
		a.TOTP, a.Passkeys = nil, nil
		return nil
	})
}

// secured tells whether an account has a second factor.
func (a account) secured() bool { return a.TOTP != nil || len(a.Passkeys) > 0 }

// mustEnrol tells whether a session opens nothing but the person's own account, until that has a second factor.
func (d *Directory) mustEnrol(a account, by string) bool {
	return by == byPassword && !a.secured() && slices.ContainsFunc(a.Roles, func(r string) bool { return slices.Contains(d.factorRoles, r) })
}
