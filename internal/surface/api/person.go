package api

import (
	"encoding/json"
	"strings"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/surface"
)

// personRoutes are what a person does about its own account, and sessions.
var personRoutes = []Route{
	{post, "/me/password", "Choose another password. Other sessions of the person end.", 0, nil, ends().of(OwnPassword{}, "present", "next"), (*API).ownPassword},
	{post, "/me/totp", "Make a secret for one-time codes. It counts from the first code on.", 0, nil, gives(identity.TOTPSecret{}), (*API).ownTOTP},
	{post, "/me/totp/confirm", "Take the first code. Other sessions of the person end; the recovery codes are told once.", 0, nil, gives(RecoveryCodes{}).of(OwnCode{}, "code"), (*API).confirmTOTP},
	{remove, "/me/totp", "Take the one-time codes away. It takes the password, a code, or a session of the last 15 minutes.", 0, nil, ends().of(Proof{}).optional(), (*API).removeTOTP},
	{get, "/me/passkeys", "The person's passkeys, oldest first.", 0, nil, pages[identity.Passkey](), (*API).ownPasskeys},
	{post, "/me/passkeys/begin", "Begin to make a passkey.", 0, nil, gives(BegunPasskey{}), (*API).beginPasskey},
	{post, "/me/passkeys", "Keep the passkey that the browser has made. Other sessions of the person end.", 0, nil, gives(identity.Passkey{}).of(NewPasskey{}, "ticket", "name", "credential"), (*API).addPasskey},
	{remove, "/me/passkeys/{id}", "Take a passkey away. It takes a session of the last 15 minutes.", 0, nil, ends(), (*API).removePasskey},
	{get, "/me/sessions", "The person's sessions, the last used first.", 0, nil, pages[Session](), (*API).ownSessions},
	{remove, "/me/sessions/{id}", "End a session of the person's own.", 0, nil, ends(), (*API).endOwnSession},

	{get, "/sessions", "Sessions of people, by id; with user, those of one account, the last used first.", gate.UserManage,
		append([]Param{ofUser}, paging...), pages[identity.Session](), (*API).sessions},
	{remove, "/sessions/{id}", "End a session, at once.", gate.UserManage, nil, ends(), (*API).endSession},
	{remove, "/users/{name}/factors", "Take the second factors of an account away and end its sessions.", gate.UserManage, nil, ends(), (*API).resetFactors},
}

// Session is a session of the caller's own.
type Session struct {
	identity.Session
	Current bool `json:"current"` // the one that asks
}

// OwnPassword asks for another password.
type OwnPassword struct {
	Present string `json:"present"`
	Next    string `json:"next"`
}

// OwnCode is a one-time code.
type OwnCode struct {
	Code string `json:"code"`
}

// Proof shows that it is the person who asks.
type Proof struct {
	Password string `json:"password,omitempty"`
	Code     string `json:"code,omitempty"`
}

// RecoveryCodes open once each when the device is lost.
type RecoveryCodes struct {
	RecoveryCodes []string `json:"recovery_codes"`
}

// BegunPasskey is what navigator.credentials.create is asked with, by way of parseCreationOptionsFromJSON.
type BegunPasskey struct {
	Ticket    string          `json:"ticket"`
	PublicKey json.RawMessage `json:"publicKey"`
}

// NewPasskey is the RegistrationResponseJSON that it gave.
type NewPasskey struct {
	Ticket     string          `json:"ticket"`
	Name       string          `json:"name"`
	Credential json.RawMessage `json:"credential"`
}

// person is the session of the person who asks. Tokens, certificates and the machine itself have none: what belongs to a person, only
// the person changes.
func (c *call) person() (identity.Session, error) {
	if s, ok := surface.Session(c.ctx()); ok {
		return s, nil
	}
	return identity.Session{}, fault.New(fault.Forbidden, "auth.session_needed", "only a person who has signed in with a browser may do this").Try("sign in to the console")
}

// enrolled refuses what a session may not do before its account has a second factor.
func enrolled(c *call, route Route) error {
	if s, ok := surface.Session(c.ctx()); ok && s.Enrol && route.Path != "/me" && !strings.HasPrefix(route.Path, "/me/") {
		return fault.New(fault.Forbidden, "auth.enrol", "this account needs a second factor").Try("set up one-time codes or a passkey")
	}
	return nil
}

// signedIn adds what the person's own session tells.
func (a *API) signedIn(c *call, me *Me) error {
	s, ok := surface.Session(c.ctx())
	if !ok {
		return nil
	}
	f, err := a.ids.Factors(c.ctx(), s.User)
	if err != nil {
		return err
	}
	u, err := a.ids.User(c.ctx(), s.User)
	if err != nil {
		return err
	}
	me.Roles = u.Roles // also those that count only once a second factor is there
	me.Name = s.User
	me.SignedInBy, me.Session, me.Expires, me.Enrol = s.By, s.ID, s.Expires, s.Enrol
	me.HasPassword, me.HasTOTP, me.Passkeys, me.RecoveryCodes = f.Password, f.TOTP, f.Passkeys, f.Recovery
	return nil
}

func (a *API) ownPassword(c *call) error {
	s, err := c.person()
	if err != nil {
		return err
	}
	var in OwnPassword
	if err := c.body(&in); err != nil {
		return err
	}
	if err := a.ids.ChangePassword(c.ctx(), s.User, in.Present, in.Next, surface.Remote(c.r), s.ID); err != nil {
		return notTheCaller(err, "present")
	}
	return c.done()
}

// notTheCaller: a wrong password or code of a person who is signed in does not mean that it is not.
func notTheCaller(err error, at string) error {
	if fault.Of(err) != fault.Unauthenticated {
		return err
	}
	return fault.New(fault.Forbidden, "auth.proof", "this is not the present password, or not a valid code").At(at)
}

func (a *API) ownTOTP(c *call) error {
	s, err := c.person()
	if err != nil {
		return err
	}
	secret, err := a.ids.BeginTOTP(c.ctx(), s)
	if err != nil {
		return err
	}
	return c.answer(secret)
}

func (a *API) confirmTOTP(c *call) error {
	s, err := c.person()
	if err != nil {
		return err
	}
	var in OwnCode
	if err := c.body(&in); err != nil {
		return err
	}
	codes, err := a.ids.ConfirmTOTP(c.ctx(), s, in.Code, surface.Remote(c.r))
	if err != nil {
		return err
	}
	return c.answer(RecoveryCodes{codes})
}

func (a *API) removeTOTP(c *call) error {
	s, err := c.person()
	if err != nil {
		return err
	}
	in, err := c.proof()
	if err != nil {
		return err
	}
	if err := a.ids.RemoveTOTP(c.ctx(), s, in.Password, in.Code, surface.Remote(c.r)); err != nil {
		return notTheCaller(err, "password")
	}
	return c.done()
}

// proof reads a body that may be left out.
func (c *call) proof() (in Proof, err error) {
	b, err := readBody(c)
	if err == nil && len(b) > 0 {
		err = decode(b, &in)
	}
	return in, err
}

func (a *API) ownPasskeys(c *call) error {
	s, err := c.person()
	if err != nil {
		return err
	}
	all, err := a.ids.Passkeys(c.ctx(), s.User)
	if err != nil {
		return err
	}
	return c.answer(list(all, ""))
}

func (a *API) beginPasskey(c *call) error {
	s, err := c.person()
	if err != nil {
		return err
	}
	ticket, options, err := a.ids.BeginPasskey(c.ctx(), s, surface.Site(c.r))
	if err != nil {
		return err
	}
	return c.answer(BegunPasskey{ticket, options})
}

func (a *API) addPasskey(c *call) error {
	s, err := c.person()
	if err != nil {
		return err
	}
	var in NewPasskey
	if err := c.body(&in); err != nil {
		return err
	}
	p, err := a.ids.AddPasskey(c.ctx(), s, in.Ticket, in.Name, in.Credential, surface.Site(c.r))
	if err != nil {
		return err
	}
	return c.answer(p)
}

func (a *API) removePasskey(c *call) error {
	s, err := c.person()
	if err != nil {
		return err
	}
	if err := a.ids.RemovePasskey(c.ctx(), s, c.path("id")); err != nil {
		return err
	}
	return c.done()
}

func (a *API) ownSessions(c *call) error {
	s, err := c.person()
	if err != nil {
		return err
	}
	all, err := a.ids.Sessions(c.ctx(), s.User)
	if err != nil {
		return err
	}
	out := make([]Session, len(all))
	for i, x := range all {
		out[i] = Session{x, x.ID == s.ID}
	}
	return c.answer(list(out, ""))
}

func (a *API) endOwnSession(c *call) error {
	s, err := c.person()
	if err != nil {
		return err
	}
	if err := a.ids.RevokeSession(c.ctx(), actor(c.v), s.User, c.path("id")); err != nil {
		return err
	}
	return c.done()
}

func (a *API) sessions(c *call) error {
	name := c.q.get("user")
	if name == "" {
		return listed(a, c, func(after string, limit int) ([]identity.Session, error) {
			return a.ids.AllSessions(c.ctx(), after, limit)
		},
			func(s identity.Session) string { return s.ID })
	}
	all, err := a.ids.Sessions(c.ctx(), name)
	if err != nil {
		return err
	}
	return c.answer(list(all, ""))
}

func (a *API) endSession(c *call) error {
	if err := a.ids.RevokeSession(c.ctx(), actor(c.v), "", c.path("id")); err != nil {
		return err
	}
	return c.done()
}

func (a *API) resetFactors(c *call) error {
	if err := a.ids.ResetFactors(c.ctx(), actor(c.v), c.path("name")); err != nil {
		return err
	}
	return c.done()
}
