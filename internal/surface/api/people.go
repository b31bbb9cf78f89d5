package api

import (
	"time"

	"entente/internal/fault"
	"entente/internal/identity"
	"entente/internal/keyring"
	"entente/internal/record"
)

// AddUser asks for an account. An organisation that is not known yet is registered with the nation, or the node's own.
type AddUser struct {
	Name       string   `json:"name"`
	Org        string   `json:"org,omitempty"` // empty: the node's own
	Nation     string   `json:"nation,omitempty"`
	Roles      []string `json:"roles"`
	Password   string   `json:"password,omitempty"`
	MustChange bool     `json:"must_change,omitempty"`
	SSO        string   `json:"sso,omitempty"` // the id of a provider of single sign-on, whose person of this name gets the account
}

// ChangeUser changes what is set.
type ChangeUser struct {
	Roles      []string `json:"roles,omitempty"`
	Disabled   *bool    `json:"disabled,omitempty"`
	Password   string   `json:"password,omitempty"`
	MustChange bool     `json:"must_change,omitempty"`
}

func (a *API) users(c *call) error {
	return listed(a, c, func(after string, limit int) ([]identity.User, error) { return a.ids.Users(c.ctx(), after, limit) },
		func(u identity.User) string { return u.Name })
}

// listed answers a list in the order of a key.
func listed[T any](a *API, c *call, read func(after string, limit int) ([]T, error), key func(T) string) error {
	limit, err := c.q.limit()
	if err != nil {
		return err
	}
	after, err := a.afterKey(c)
	if err != nil {
		return err
	}
	items, err := read(after, limit)
	if err != nil {
		return err
	}
	next := ""
	if len(items) == limit {
		next = a.nextKey(c, key(items[len(items)-1]))
	}
	return c.answer(list(items, next))
}

// placed answers a list in the order of the journal.
func placed[In, Out any](a *API, c *call, read func(after record.Seq, limit int) ([]In, error), place func(*In) record.Seq, show func(*In) Out) error {
	limit, err := c.q.limit()
	if err != nil {
		return err
	}
	after, err := a.after(c)
	if err != nil {
		return err
	}
	in, err := read(after, limit)
	if err != nil {
		return err
	}
	out := make([]Out, len(in))
	for i := range in {
		out[i] = show(&in[i])
	}
	next := ""
	if len(in) == limit {
		next = a.next(c, place(&in[len(in)-1]))
	}
	return c.answer(list(out, next))
}

// member makes sure that an organisation is in the register.
func (a *API) member(c *call, org, nation string) error {
	if org == "" {
		return nil
	}
	if o, ok := a.ids.Register().Find(org); ok {
		if nation != "" && nation != o.Nation {
			return fault.New(fault.Conflict, "org.nation", "%s is registered with the nation %s", o.Name, o.Nation).At("nation")
		}
		return nil
	}
	if nation == "" {
		nation = a.us.Nation
	}
	_, err := a.ids.AddOrg(c.ctx(), actor(c.v), identity.Org{Name: org, Nation: nation})
	if fault.Of(err) == fault.Conflict {
		return nil // somebody else was faster
	}
	return err
}

func (a *API) addUser(c *call) error {
	var in AddUser
	if err := c.body(&in); err != nil {
		return err
	}
	if in.Password != "" || in.SSO == "" {
		if err := identity.CheckPassword(in.Name, in.Password); err != nil {
			return err
		}
	}
	if err := a.member(c, in.Org, in.Nation); err != nil {
		return err
	}
	u, err := a.ids.AddUser(c.ctx(), actor(c.v), identity.NewUser{Name: in.Name, Org: in.Org, Roles: in.Roles, Password: in.Password, MustChange: in.MustChange, Provider: in.SSO})
	if err != nil {
		return err
	}
	return c.answerStatus(201, u)
}

func (a *API) changeUser(c *call) error {
	var in ChangeUser
	if err := c.body(&in); err != nil {
		return err
	}
	name := c.path("name")
	if in.Roles != nil {
		if err := a.ids.SetRoles(c.ctx(), actor(c.v), name, in.Roles); err != nil {
			return err
		}
	}
	if in.Password != "" {
		if err := a.ids.SetPassword(c.ctx(), actor(c.v), name, in.Password, in.MustChange); err != nil {
			return err
		}
	}
	if in.Disabled != nil {
		if err := a.ids.SetDisabled(c.ctx(), actor(c.v), name, *in.Disabled); err != nil {
			return err
		}
	}
	u, err := a.ids.User(c.ctx(), name)
	if err != nil {
		return err
	}
	return c.answer(u)
}

func (a *API) removeUser(c *call) error {
	if err := a.ids.DeleteUser(c.ctx(), actor(c.v), c.path("name")); err != nil {
		return err
	}
	return c.done()
}

// AddToken asks for a token.
type AddToken struct {
	Name    string   `json:"name"`
	Org     string   `json:"org,omitempty"`
	Nation  string   `json:"nation,omitempty"` // of an organisation that is not known yet
	User    string   `json:"user,omitempty"`   // an account to act for
	Roles   []string `json:"roles"`
	Seconds int64    `json:"seconds,omitempty"` // how long it is good; 0: one year
	Form    string   `json:"form,omitempty"`    // "misp": 40 letters and digits, for a MISP instance or PyMISP
}

// NewToken is a token with its text, which is told once.
type NewToken struct {
	Text  string         `json:"text"`
	Token identity.Token `json:"token"`
}

func (a *API) tokens(c *call) error {
	return listed(a, c, func(after string, limit int) ([]identity.Token, error) { return a.ids.Tokens(c.ctx(), after, limit) },
		func(t identity.Token) string { return t.ID })
}

func (a *API) addToken(c *call) error {
	var in AddToken
	if err := c.body(&in); err != nil {
		return err
	}
	life, err := life(in.Seconds)
	if err != nil {
		return err
	}
	if err := a.member(c, in.Org, in.Nation); err != nil {
		return err
	}
	text, t, err := a.ids.IssueToken(c.ctx(), actor(c.v), identity.TokenSpec{Name: in.Name, Org: in.Org, User: in.User, Roles: in.Roles, Life: life, Form: in.Form})
	if err != nil {
		return err
	}
	return c.answerStatus(201, NewToken{text, t})
}

// life is a number of seconds as a duration; the bounds that matter are the identities'.
func life(seconds int64) (time.Duration, error) {
	if seconds < 0 || seconds > int64(100*365*24*time.Hour/time.Second) {
		return 0, fault.New(fault.Invalid, "life", "%d seconds is no time that a credential can be good", seconds).At("seconds")
	}
	return time.Duration(seconds) * time.Second, nil
}

func (a *API) removeToken(c *call) error {
	if err := a.ids.RevokeToken(c.ctx(), actor(c.v), c.path("id")); err != nil {
		return err
	}
	return c.done()
}

// AddCertificate asks for a client certificate.
type AddCertificate struct {
	Name    string   `json:"name"`
	Org     string   `json:"org,omitempty"`
	Nation  string   `json:"nation,omitempty"`
	User    string   `json:"user,omitempty"`
	Roles   []string `json:"roles"`
	CSR     []byte   `json:"csr,omitempty"` // PKCS #10, PEM or DER; empty: a new key is made
	Seconds int64    `json:"seconds,omitempty"`
}

// NewCertificate is a certificate with its key, which is told once; a key that was requested for stays with its holder.
type NewCertificate struct {
	Certificate identity.Certificate `json:"certificate"`
	CertPEM     string               `json:"cert_pem"`
	KeyPEM      string               `json:"key_pem,omitempty"`
	CAPEM       string               `json:"ca_pem"` // the node's authority, to trust
}

func (a *API) certificates(c *call) error {
	return listed(a, c, func(after string, limit int) ([]identity.Certificate, error) {
		return a.ids.Certificates(c.ctx(), after, limit)
	},
		func(t identity.Certificate) string { return t.ID })
}

func (a *API) addCertificate(c *call) error {
	var in AddCertificate
	if err := c.body(&in); err != nil {
		return err
	}
	life, err := life(in.Seconds)
	if err != nil {
		return err
	}
	if err := a.member(c, in.Org, in.Nation); err != nil {
		return err
	}
	org, nation := a.us.Org, a.us.Nation
	if in.User != "" && in.Org == "" {
		u, err := a.ids.User(c.ctx(), in.User)
		if err != nil {
			return err
		}
		in.Org = u.Org
	}
	if o, ok := a.ids.Register().Find(in.Org); ok {
		org, nation = o.Name, o.Nation
	}
	issued, err := a.ring.IssueClient(keyring.ClientRequest{Nation: nation, Org: org, Person: in.Name, CSR: in.CSR, Life: life})
	if err != nil {
		return err
	}
	reg, err := a.ids.RegisterCertificate(c.ctx(), actor(c.v), issued.Certificate, identity.CertificateSpec{Name: in.Name, Org: in.Org, User: in.User, Roles: in.Roles})
	if err != nil {
		return err
	}
	return c.answerStatus(201, NewCertificate{reg, string(issued.CertPEM), string(issued.KeyPEM), string(a.ring.CAPEM())})
}

func (a *API) removeCertificate(c *call) error {
	if err := a.ids.RevokeCertificate(c.ctx(), actor(c.v), c.path("id")); err != nil {
		return err
	}
	return c.done()
}
