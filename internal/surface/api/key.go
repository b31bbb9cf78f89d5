package api

import (
	"encoding/hex"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/keyring"
	"entente/internal/store"
	"entente/keylog"
)

// KeyBook is the nation's key log, as people read it.
type KeyBook struct {
	Nation      string    `json:"nation"`
	Realm       string    `json:"realm"`
	Fingerprint string    `json:"fingerprint"` // in hex
	Words       string    `json:"words"`       // the same, to read out
	Statements  int64     `json:"statements"`
	Head        string    `json:"head"` // hash of the whole log, in hex
	Need        int       `json:"need"` // keys of the root that must sign
	Roots       []string  `json:"roots"`
	HasRoot     bool      `json:"has_root"` // the root is at this node
	Keys        []KeyItem `json:"keys"`
}

// KeyItem is one key of the log.
type KeyItem struct {
	ID          string        `json:"id"`
	Org         string        `json:"org"`
	Node        string        `json:"node,omitempty"`
	Holder      string        `json:"holder,omitempty"` // of a person's key
	Address     string        `json:"address,omitempty"`
	Roles       []keylog.Role `json:"roles"`
	Hybrid      bool          `json:"hybrid"`
	Since       time.Time     `json:"since"`
	NotAfter    time.Time     `json:"not_after,omitzero"`
	Until       time.Time     `json:"until,omitzero"`
	Compromised time.Time     `json:"compromised,omitzero"`
	Reason      string        `json:"reason,omitempty"`
	Replaced    string        `json:"replaced,omitempty"`
	Counts      bool          `json:"counts"` // now
	Due         bool          `json:"due"`    // it ends within 30 days, and nothing has taken its place
}

// KeyRotation asks for a new key.
type KeyRotation struct {
	Role  keylog.Role `json:"role"`
	Hours int         `json:"hours,omitempty"` // for which the old key counts beside it
}

// KeyEnd says that a key counts no longer.
type KeyEnd struct {
	From   time.Time `json:"from,omitzero"`
	Reason string    `json:"reason"`
}

// KeyPlace says where a node is reached.
type KeyPlace struct {
	Address string `json:"address"`
}

var keyRoutes = []Route{
	{get, "/keys", "The keys of the nation, as its key log has them.", gate.AccordRead, nil, gives(KeyBook{}), (*API).keys},
	{get, "/keys/log", "The nation's key log itself, signed statement by statement.", gate.AccordRead, nil, copies(bytesType), (*API).keyLog},
	{post, "/keys/rotate", "Replace the node's key for a role. The nation's root must be at the node.", gate.KeyManage, nil, makes(KeyBook{}).of(KeyRotation{}, "role"), (*API).rotateKey},
	{post, "/keys/{id}/revoke", "State that a key counts no longer, from now or a later time on.", gate.KeyManage, nil, gives(KeyBook{}).of(KeyEnd{}, "reason"), (*API).revokeKey},
	{post, "/keys/{id}/compromise", "State since when a key is in other hands. The node's own key is replaced at once.", gate.KeyManage, nil,
		gives(KeyBook{}).of(KeyEnd{}, "from", "reason"), (*API).compromiseKey},
	{put, "/keys/{id}/address", "State where the node of a key is reached.", gate.KeyManage, nil, gives(KeyBook{}).of(KeyPlace{}, "address"), (*API).moveNode},
	{get, "/card", "The file that another nation is given at a first contact.", gate.AccordRead, []Param{
		{Name: "address", Doc: "Where the node is reached, as host:port, when the key log does not say it."},
	}, copies(bytesType), (*API).card},
}

func (a *API) keyBook() KeyBook {
	log := a.ring.KeyLog()
	s, f := log.State(), log.Fingerprint()
	now := time.Now()
	if now.Before(s.Time) {
		now = s.Time
	}
	b := KeyBook{Nation: s.Nation, Realm: s.Realm, Fingerprint: f.String(), Words: f.Words(), Statements: s.Head.Size, Head: hex.EncodeToString(s.Head.Hash[:]),
		Need: s.Root.Need, Roots: []string{}, HasRoot: a.ring.HasRoot(), Keys: []KeyItem{}}
	if b.Statements == 0 { // a member that has joined no log yet
		b.Fingerprint, b.Words = "", ""
	}
	for _, k := range s.Root.Keys {
		b.Roots = append(b.Roots, k.ID())
	}
	for _, k := range s.All() {
		b.Keys = append(b.Keys, KeyItem{k.Key.ID(), k.Org, k.Node, k.Holder, k.Address, k.Roles, k.Key.Hybrid(), k.Since, k.NotAfter, k.Until, k.Compromised, k.Reason, k.Replaced,
			s.Valid(k.Key.ID(), "", now) == nil, keyring.Due(s, k, now)})
	}
	return b
}

func (a *API) keys(c *call) error { return c.answer(a.keyBook()) }

func (a *API) keyLog(c *call) error {
	b, err := a.ring.KeyLog().Bytes()
	if err != nil {
		return err
	}
	return c.bytes("keylog.json", b)
}

func (a *API) card(c *call) error {
	address := c.q.get("address")
	if address != "" {
		if err := keylog.CheckAddress(address); err != nil {
			return fault.New(fault.Invalid, "keylog.address", "%v", err).At("address")
		}
	}
	b, err := a.ring.Card(address)
	if err != nil {
		return err
	}
	return c.bytes("card.json", b)
}

// bytes answers with a file.
func (c *call) bytes(name string, b []byte) error {
	h := c.w.Header()
	h.Set("Content-Type", bytesType)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, err := c.w.Write(b)
	return err
}

// noted journals what was done with a key and answers with the keys as they are.
func (a *API) noted(c *call, status int, verb, target, detail string) error {
	if err := a.ops.Docs().PutDocs(c.ctx(), store.Act{Actor: actor(c.v), Verb: verb, Target: target, Detail: detail}); err != nil {
		return err
	}
	return c.answerStatus(status, a.keyBook())
}

// rotation reads which key is to be replaced.
func (c *call) rotation() (in KeyRotation, err error) {
	if err = c.body(&in); err == nil && (in.Hours < 0 || in.Hours > 90*24) {
		err = fault.New(fault.Invalid, "key.overlap", "keys overlap for 0 to 2160 hours").At("hours")
	}
	return in, err
}

func (a *API) rotateKey(c *call) error {
	in, err := c.rotation()
	if err != nil {
		return err
	}
	id, err := a.ring.RotateKey(in.Role, time.Duration(in.Hours)*time.Hour)
	if err != nil {
		return err
	}
	return a.noted(c, 201, "key.rotate", id, "role="+string(in.Role))
}

func (a *API) revokeKey(c *call) error {
	var in KeyEnd
	if err := c.body(&in); err != nil {
		return err
	}
	if err := a.ring.RevokeKey(c.path("id"), in.From, in.Reason); err != nil {
		return err
	}
	return a.noted(c, 200, "key.revoke", c.path("id"), in.Reason)
}

func (a *API) compromiseKey(c *call) error {
	var in KeyEnd
	if err := c.body(&in); err != nil {
		return err
	}
	if err := a.ring.CompromiseKey(c.path("id"), in.From, in.Reason); err != nil {
		return err
	}
	return a.noted(c, 200, "key.compromise", c.path("id"), in.Reason)
}

func (a *API) moveNode(c *call) error {
	var in KeyPlace
	if err := c.body(&in); err != nil {
		return err
	}
	if err := a.ring.MoveNode(c.path("id"), in.Address); err != nil {
		return err
	}
	return a.noted(c, 200, "key.address", c.path("id"), in.Address)
}
