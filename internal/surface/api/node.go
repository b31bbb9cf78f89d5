package api

import (
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
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
	{"accord.read", gate.AccordRead}, {"accord.write", gate.AccordWrite}, {"accord.sign", gate.AccordSign}, {"accord.suspend", gate.AccordSuspend},
	{"object.share", gate.Share}, {"release.sign", gate.ReleaseSign}, {"peer.manage", gate.PeerManage}, {"key.manage", gate.KeyManage},
	{"proof.settle", gate.ProofSettle}, {"vote", gate.Vote}, {"block.read", gate.BlockRead},
	{"sensor.read", gate.SensorRead}, {"sensor.manage", gate.SensorManage}, {"sensor.detect", gate.Detect},
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

var journalParams = append([]Param{
	{Name: "sort", Doc: "The oldest first, or the newest.", Enum: []string{"oldest", "newest"}, Default: "oldest"},
	{Name: "actor", Doc: "Who did it, any of them: as the journal has it, or the person alone.", Kind: Texts},
	{Name: "verb", Doc: "What was done, any of them: a verb such as user.add, or user for all that begin so.", Kind: Words},
	{Name: "since", Doc: "Only what was done at this time or later.", Kind: Time},
	{Name: "until", Doc: "Only what was done before this time.", Kind: Time},
}, paging...)

// journal answers acts. What they were done to is no filter: not everybody may know of it. A page may be short, because the node looks at a
// bounded part of the journal for each.
func (a *API) journal(c *call) (err error) {
	q := store.ActQuery{Actors: c.q.all("actor"), Verbs: c.q.words("verb")}
	if q.Newest, err = c.q.sort("oldest", "newest"); err != nil {
		return err
	}
	if q.Since, err = c.q.time("since"); err != nil {
		return err
	}
	if q.Until, err = c.q.time("until"); err != nil {
		return err
	}
	if q.Limit, err = c.q.limit(); err != nil {
		return err
	}
	if q.After, err = a.after(c); err != nil {
		return err
	}
	entries, after, err := a.x.Acts(c.ctx(), c.v, q)
	if err != nil {
		return err
	}
	acts := make([]Act, len(entries))
	for i, e := range entries {
		acts[i] = Act{At: e.Seq.Time(), Act: *e.Act}
		if e.Record != nil && acts[i].Target == "" { // while it is there, and not for ever in the journal
			acts[i].Target = e.Record.ID
		}
	}
	next := ""
	if after != 0 {
		next = a.next(c, after)
	}
	return c.answer(list(acts, next))
}

// backup streams. A backup that fails half-way is cut off, and its end is missing: restore refuses it.
func (a *API) backup(c *call) error {
	headers(c.w, bytesType)
	c.w.Header().Set("Content-Disposition", `attachment; filename="`+c.fileName("entente.backup")+`"`)
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
