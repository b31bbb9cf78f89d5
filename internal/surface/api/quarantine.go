package api

import (
	"encoding/binary"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

// Held is a record in quarantine.
type Held struct {
	ID       string         `json:"id"` // here, for this caller
	Object   Object         `json:"object"`
	Reasons  []store.Reason `json:"reasons"`
	Intended label.Label    `json:"intended"` // the label its markings make
	Awaits   []string       `json:"awaits,omitempty"`
	Since    time.Time      `json:"since"`
}

// ReleaseHeld asks to let a record out.
type ReleaseHeld struct {
	Label *label.Label `json:"label,omitempty"` // nil: the one that its markings intend
}

func (a *API) held(c *call, h *store.Quarantined) Held {
	return Held{ID: a.heldID(c, h.Rec), Object: a.view(c.v, &h.Item), Reasons: h.Hold.Reasons, Intended: h.Hold.Intended, Awaits: h.Hold.Awaits, Since: h.Rec.Time()}
}

// A held record is named by a sealed token: its place in the journal would tell how much else there is.
func (a *API) heldID(c *call, rec record.Seq) string {
	return a.ring.Seal("api/held\x00"+who(c.v), binary.BigEndian.AppendUint64(nil, uint64(rec)))
}

// heldRec finds the record that a path names, by its id in quarantine or by the object's.
func (a *API) heldRec(c *call) (record.Seq, error) {
	id := c.path("id")
	none := fault.New(fault.NotFound, "", "no such record in quarantine")
	if !strings.Contains(id, "--") {
		b, err := a.ring.Open("api/held\x00"+who(c.v), id)
		if err != nil || len(b) != 8 {
			return 0, none
		}
		return record.Seq(binary.BigEndian.Uint64(b)), nil
	}
	found := record.Seq(0)
	for after := record.Seq(0); ; {
		held, err := a.x.Quarantine(c.ctx(), c.v, after, 500)
		if err != nil {
			return 0, err
		}
		if len(held) == 0 {
			break
		}
		for i := range held {
			after = held[i].Rec
			if held[i].Record.ID != id {
				continue
			}
			if found != 0 {
				return 0, fault.New(fault.Conflict, "quarantine.several", "several versions of %s are in quarantine", id).Try("list them and name one by its id there")
			}
			found = after
		}
	}
	if found == 0 {
		return 0, none
	}
	return found, nil
}

func (a *API) quarantine(c *call) error {
	return placed(a, c, func(after record.Seq, limit int) ([]store.Quarantined, error) {
		return a.x.Quarantine(c.ctx(), c.v, after, limit)
	},
		func(h *store.Quarantined) record.Seq { return h.Rec }, func(h *store.Quarantined) Held { return a.held(c, h) })
}

func (a *API) heldRecord(c *call) error {
	rec, err := a.heldRec(c)
	if err != nil {
		return err
	}
	h, err := a.x.Held(c.ctx(), c.v, rec)
	if err != nil {
		return err
	}
	return c.answer(a.held(c, &h))
}

func (a *API) releaseHeld(c *call) error {
	var in ReleaseHeld
	if c.r.ContentLength != 0 {
		if err := c.body(&in); err != nil {
			return err
		}
	}
	rec, err := a.heldRec(c)
	if err != nil {
		return err
	}
	if err := a.x.ReleaseHeld(c.ctx(), c.v, rec, in.Label); err != nil {
		return err
	}
	return c.done()
}

func (a *API) refuseHeld(c *call) error {
	rec, err := a.heldRec(c)
	if err != nil {
		return err
	}
	if err := a.x.RefuseHeld(c.ctx(), c.v, rec); err != nil {
		return err
	}
	return c.done()
}
