package api

import (
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
)

// Me is who the caller is here.
type Me struct {
	Nation string   `json:"nation"`
	Org    string   `json:"org"`
	Person string   `json:"person"`
	Roles  []string `json:"roles"`
	Realm  string   `json:"realm"`
	Own    bool     `json:"own"` // of the node's own organisation
	May    []string `json:"may"`

	// Of a person who has signed in with a browser.
	Name          string    `json:"name,omitempty"`
	SignedInBy    string    `json:"signed_in_by,omitempty"`
	Session       string    `json:"session,omitempty"`
	Expires       time.Time `json:"expires,omitzero"`
	Enrol         bool      `json:"enrol,omitempty"`
	HasPassword   bool      `json:"has_password,omitempty"`
	HasTOTP       bool      `json:"has_totp,omitempty"`
	Passkeys      int       `json:"passkeys,omitempty"`
	RecoveryCodes int       `json:"recovery_codes,omitempty"`
}

// actions are the names of what a caller may do.
var actions = []struct {
	name   string
	action gate.Action
}{
	{"object.read", gate.ObjectRead}, {"object.write", gate.ObjectWrite}, {"object.purge", gate.Purge},
	{"collection.manage", gate.CollectionManage}, {"user.manage", gate.UserManage}, {"token.manage", gate.TokenManage},
	{"quarantine.read", gate.QuarantineRead}, {"quarantine.decide", gate.QuarantineDecide},
	{"backup", gate.Backup}, {"audit.read", gate.AuditRead}, {"config.read", gate.ConfigRead},
	{"feed.read", gate.FeedRead}, {"feed.run", gate.FeedRun},
	{"register.read", gate.RegisterRead}, {"register.write", gate.RegisterWrite},
	{"alert.read", gate.AlertRead}, {"alert.write", gate.AlertWrite}, {"notification.send", gate.NotifySend}, {"label.loosen", gate.Downgrade},
	{"accord.read", gate.AccordRead}, {"peer.manage", gate.PeerManage}, {"key.manage", gate.KeyManage},
}

func (a *API) me(c *call) error {
	out := Me{Nation: c.v.Nation, Org: c.v.Org, Person: c.v.Person, Roles: c.v.Roles, Realm: c.v.Realm, Own: a.isOwn(c.v), May: []string{}}
	for _, x := range actions {
		if a.may(c.v, x.action) == nil {
			out.May = append(out.May, x.name)
		}
	}
	if err := a.signedIn(c, &out); err != nil {
		return err
	}
	return c.answer(out)
}

func (a *API) version(c *call) error { return c.answer(a.ops.Build()) }

func (a *API) config(c *call) error { return c.answer(a.ops.Settings()) }

func (a *API) stats(c *call) error {
	s, err := a.ops.Stats(c.ctx())
	if err != nil {
		return err
	}
	return c.answer(s)
}

// Act is one line of the journal about what somebody did.
type Act struct {
	At time.Time `json:"at"`
	store.Act
}

func (a *API) journal(c *call) error {
	return placed(a, c, func(after record.Seq, limit int) ([]store.Entry, error) { return a.x.Acts(c.ctx(), c.v, after, limit) },
		func(e *store.Entry) record.Seq { return e.Seq }, func(e *store.Entry) Act {
			act := Act{At: e.Seq.Time(), Act: *e.Act}
			if e.Record != nil && act.Target == "" { // while it is there, and not for ever in the journal
				act.Target = e.Record.ID
			}
			return act
		})
}

// backup streams. A backup that fails half-way is cut off, and its end is missing: restore refuses it.
func (a *API) backup(c *call) error {
	headers(c.w, bytesType)
	c.w.Header().Set("Content-Disposition", `attachment; filename="entente.backup"`)
	w := &counted{c: c}
	if err := a.ops.Backup(c.ctx(), w); err != nil {
		if w.n == 0 {
			return err
		}
		return started(err)
	}
	if w.n == 0 {
		return fault.New(fault.Internal, "backup.empty", "the backup is empty")
	}
	return nil
}

type counted struct {
	c *call
	n int64
}

func (w *counted) Write(b []byte) (int, error) {
	n, err := w.c.w.Write(b)
	w.n += int64(n)
	return n, err
}
