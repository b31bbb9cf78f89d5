package api

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/keylog"
)

// logBytes bounds a file of keys that is handed in.
const logBytes = 8 << 20

// svgType is the media type of the QR code.
const svgType = "image/svg+xml"

// KeyAsk is one key that somebody asks the nation to name.
type KeyAsk struct {
	ID       string        `json:"id"`
	Nation   string        `json:"nation"`
	Realm    string        `json:"realm"`
	Org      string        `json:"org"`
	Node     string        `json:"node,omitempty"`
	Holder   string        `json:"holder,omitempty"`
	Address  string        `json:"address,omitempty"`
	Roles    []keylog.Role `json:"roles"`
	Kinds    []string      `json:"kinds,omitempty"`
	Hybrid   bool          `json:"hybrid"`
	NotAfter time.Time     `json:"not_after"`
	Known    bool          `json:"known"`
}

var keyJoinRoutes = []Route{
	{post, "/keys/requests", "Ask the nation for the keys that this node lacks: the answer is the file for whoever has the root.", gate.KeyManage, nil, copies(bytesType), (*API).requestKeys},
	{post, "/keys/requests/review", "Read requests for keys and say who asks for what. Nothing is stored.", gate.KeyManage, nil, pages[KeyAsk]().upload(bytesType), (*API).reviewRequests},
	{post, "/keys/admit", "Name the keys that are asked for in the key log: all of them or none. The nation's root must be at the node.", gate.KeyManage, nil,
		gives(KeyBook{}).upload(bytesType), (*API).admitKeys},
	{post, "/keys/join", "Take the nation's key log as it was signed where the root is. It must go on from the one that is here.", gate.KeyManage, nil,
		gives(KeyBook{}).upload(bytesType), (*API).joinLog},
	{post, "/keys/drafts", "Make a new key for a role and draft the statement that names it, for a root that is elsewhere.", gate.KeyManage, nil, copies(bytesType).of(KeyRotation{}, "role"), (*API).draftRotation},
	{get, "/keys/qr", "The fingerprint of the nation's key log as a QR code.", gate.AccordRead, nil, copies(svgType), (*API).keyCode},
}

func (a *API) requestKeys(c *call) error {
	list, err := a.ring.Requests()
	if err != nil {
		return err
	}
	b, err := keylog.EncodeRequests(list)
	if err != nil {
		return err
	}
	return c.bytes("request.json", b)
}

// file reads a file of keys that is handed in.
func (c *call) file(most int64) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, fault.New(fault.TooLarge, "body.size", "the file has at most %d bytes", most)
	case err != nil:
		return nil, fault.New(fault.Invalid, "body.read", "the body could not be read").Because(err)
	}
	return b, nil
}

func (a *API) reviewRequests(c *call) error {
	b, err := c.file(logBytes)
	if err != nil {
		return err
	}
	asked, err := a.ring.Asked(b)
	if err != nil {
		return err
	}
	state := a.ring.KeyState()
	out := []KeyAsk{}
	for _, q := range asked {
		e := q.Entry
		_, known := state.Find(e.Key.ID())
		out = append(out, KeyAsk{e.Key.ID(), q.Nation, q.Realm, e.Org, e.Node, e.Holder, e.Address, e.Roles, e.Kinds, e.Key.Hybrid(), e.NotAfter, known})
	}
	return c.answer(list(out, ""))
}

func (a *API) admitKeys(c *call) error {
	b, err := c.file(logBytes)
	if err != nil {
		return err
	}
	asked, err := a.ring.Asked(b)
	if err != nil {
		return err
	}
	if err := a.ring.Admit(b); err != nil {
		return err
	}
	var said []string
	for _, q := range asked {
		said = append(said, q.Entry.Key.ID()[:12]+" of "+q.Entry.Org)
	}
	return a.noted(c, http.StatusOK, "key.admit", asked[0].Entry.Key.ID(), strings.Join(said, ", "))
}

func (a *API) joinLog(c *call) error {
	b, err := c.file(logBytes)
	if err != nil {
		return err
	}
	l, err := keylog.Parse(b)
	if refused := (*keylog.Error)(nil); errors.As(err, &refused) {
		return fault.New(fault.Invalid, refused.Code, "%s", refused.Message).Try("hand in what entente key log, or entente key root combine, printed")
	} else if err != nil {
		return err
	}
	if err := a.ring.Join(l); err != nil {
		return err
	}
	return a.noted(c, http.StatusOK, "key.join", l.Fingerprint().String(), "")
}

func (a *API) draftRotation(c *call) error {
	in, err := c.rotation()
	if err != nil {
		return err
	}
	d, err := a.ring.DraftRotation(in.Role, time.Duration(in.Hours)*time.Hour)
	if err != nil {
		return err
	}
	b, err := d.Bytes()
	if err != nil {
		return err
	}
	return c.bytes("draft.json", b)
}

func (a *API) keyCode(c *call) error {
	l := a.ring.KeyLog()
	if l.Size() == 0 {
		return fault.New(fault.NotFound, "keylog.none", "the node has no key log yet").Try("entente key join FILE")
	}
	q, err := l.Fingerprint().QR(l.Nation())
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", svgType)
	_, err = c.w.Write(q.SVG())
	return err
}
