package exchange

import (
	"context"
	"fmt"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
	"entente/stix"
)

// Quarantine lists held records from after on.
func (x *Exchange) Quarantine(ctx context.Context, v gate.Viewer, after record.Seq, limit int) ([]store.Quarantined, error) {
	if err := x.may(v, gate.QuarantineRead); err != nil {
		return nil, err
	}
	return x.store.Quarantined(ctx, x.holds(v), store.QuarantineQuery{After: after, Limit: limit})
}

// Held is one held record with its reasons.
func (x *Exchange) Held(ctx context.Context, v gate.Viewer, rec record.Seq) (store.Quarantined, error) {
	if err := x.may(v, gate.QuarantineRead); err != nil {
		return store.Quarantined{}, err
	}
	held, err := x.store.Quarantined(ctx, x.holds(v), store.QuarantineQuery{Rec: rec, Limit: 1})
	if err != nil {
		return store.Quarantined{}, err
	}
	if len(held) == 0 {
		return store.Quarantined{}, fault.New(fault.NotFound, "", "no such record in quarantine")
	}
	return held[0], nil
}

// holds is the scope over quarantine: who decides there for the node's own organisation judges every held record, everybody else
// sees its own organisation's.
func (x *Exchange) holds(v gate.Viewer) gate.Scope {
	if x.isOwn(v.Nation, v.Org) && x.Gate().Can(v, gate.QuarantineDecide) {
		return x.own()
	}
	return x.scope(v)
}

// ReleaseHeld lets a held record out under a label: the one given, else the one its markings intended.
func (x *Exchange) ReleaseHeld(ctx context.Context, v gate.Viewer, rec record.Seq, as *label.Label) error {
	h, err := x.decidable(ctx, v, rec)
	if err != nil {
		return err
	}
	l := h.Hold.Intended
	if as != nil {
		l = *as
	}
	return x.letOut(ctx, h, l, actor(v))
}

func (x *Exchange) letOut(ctx context.Context, h store.Quarantined, l label.Label, who string) error {
	_, err := x.store.Relabel(ctx, x.own(), store.Relabelling{Rec: h.Rec, Label: l, EndHold: true, Was: &h.Record.Label,
		Act: store.Act{Actor: who, Verb: "quarantine.release", Target: fmt.Sprint(int64(h.Rec))}})
	if err != nil {
		return fmt.Errorf("releasing a held record: %w", err)
	}
	x.metrics.released.Inc()
	x.markings.forget()
	return nil
}

// RefuseHeld destroys a held record.
func (x *Exchange) RefuseHeld(ctx context.Context, v gate.Viewer, rec record.Seq) error {
	h, err := x.decidable(ctx, v, rec)
	if err != nil {
		return err
	}
	return x.erase(ctx, h.Item, store.Act{Actor: actor(v), Verb: "quarantine.refuse", Target: fmt.Sprint(int64(h.Rec))})
}

func (x *Exchange) decidable(ctx context.Context, v gate.Viewer, rec record.Seq) (store.Quarantined, error) {
	if err := x.may(v, gate.QuarantineDecide); err != nil {
		return store.Quarantined{}, err
	}
	return x.Held(ctx, v, rec)
}

// arrived judges held records again when a marking they wait for has come in. A failure is logged: the next start judges again.
func (x *Exchange) arrived(ctx context.Context, drafts []draft, outcomes []Outcome) {
	for i := range drafts {
		if d := &drafts[i]; d.rec.Type == "marking-definition" && outcomes[i].State == Added {
			if err := x.rejudge(context.WithoutCancel(ctx), d.rec.ID); err != nil {
				x.cfg.Log.Warn("judging held records again", "error", err)
			}
		}
	}
}

// rejudge looks again at the records that wait for a marking; empty: at all that wait for any.
func (x *Exchange) rejudge(ctx context.Context, marking string) error {
	for after := record.Seq(0); ; {
		held, err := x.store.Quarantined(ctx, x.own(), store.QuarantineQuery{Awaits: marking, After: after, Limit: 200})
		if err != nil || len(held) == 0 {
			return err
		}
		for _, h := range held {
			after = h.Rec
			if len(h.Hold.Awaits) == 0 {
				continue
			}
			if err := x.rejudgeOne(ctx, h); err != nil {
				return err
			}
		}
	}
}

func (x *Exchange) rejudgeOne(ctx context.Context, h store.Quarantined) error {
	o, err := stix.Parse(h.Record.Body)
	if err != nil {
		return nil // held for more than its markings
	}
	for _, r := range h.Hold.Reasons {
		if r.Code != "marking.unresolved" {
			return nil // a person decides
		}
	}
	// The submitter's organisation is who may see the marking on its behalf.
	scope := x.Gate().Scope(gate.Viewer{Nation: h.Record.Origin.Nation, Org: h.Record.Origin.Org, Person: h.Record.Origin.Person, Realm: x.cfg.Realm}, x.cfg.Now())
	l, hold, err := x.judgeMarkings(ctx, scope, o, h.Hold.Default, h.Hold.Restrict, nil, nil)
	if err != nil || hold != nil {
		return err
	}
	return x.letOut(ctx, h, l, "node")
}
