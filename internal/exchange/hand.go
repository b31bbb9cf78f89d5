package exchange

import (
	"context"
	"fmt"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

// Recipient is an organisation that is told of records without asking for them.
type Recipient struct {
	gate.Party
	Client bool // it stands in no register: the gate takes it for a client of the own organisation
}

// scopeOf is what a recipient may have now.
func (x *Exchange) scopeOf(to Recipient) gate.Scope {
	g := x.Gate()
	if to.Client {
		g = g.WithClient(to.Party)
	}
	return g.Scope(gate.Viewer{Nation: to.Nation, Org: to.Org, Realm: x.cfg.Realm}, x.cfg.Now())
}

// Judge says whether a recipient may have a record, and every reason. It is for the own organisation: the reasons tell of the record. One that
// is in quarantine nobody may have.
func (x *Exchange) Judge(ctx context.Context, to Recipient, it *store.Item) (Explanation, error) {
	scope, r := x.scopeOf(to), &it.Record
	e := Explanation{ID: r.ID, Version: r.Version, Label: r.Label, Origin: r.Origin, Held: it.Held, Decision: scope.Decide(r.Mark(), r.Label.NotBefore, r.Label.NotAfter)}
	if e.Decision.Permit = e.Decision.Permit && !it.Held; !e.Decision.Permit {
		return e, nil
	}
	var err error
	if e.Hidden, err = x.firstHidden(ctx, scope, r); err != nil {
		return e, err
	}
	e.Decision.Permit = e.Hidden == ""
	return e, nil
}

// Hand judges records once more and writes down that the recipient is given them: it is called right before they go. When one of them may not
// go, none may: Withheld.
func (x *Exchange) Hand(ctx context.Context, to Recipient, items []store.Item) error {
	for i := range items {
		e, err := x.Judge(ctx, to, &items[i])
		if err != nil {
			return err
		}
		if !e.Decision.Permit {
			return fault.New(fault.Withheld, "recipient.withheld", "%s may not have %s", to.Party, e.ID)
		}
	}
	if err := x.release(ctx, x.scopeOf(to), items); err != nil {
		return fmt.Errorf("handing over records: %w", err)
	}
	return nil
}
