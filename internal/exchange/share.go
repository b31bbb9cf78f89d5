package exchange

import (
	"context"
	"fmt"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
)

// Sharing asks to name organisations in the audience of an object of the own organisation, or to name them no more.
type Sharing struct {
	ID      string
	Version string   // empty: every version
	With    []string // org:NATION/ORG
	Not     bool     // they are named no more
	Reason  string   // for the journal; one line
	DryRun  bool
}

// Share names organisations as those who may have an object, beyond whom its TLP reaches: the explicit permission of its source, which accords let pass to
// their parties. Taking it back has what they were given destroyed.
func (x *Exchange) Share(ctx context.Context, v gate.Viewer, s Sharing) ([]Relabelled, error) {
	if err := x.may(v, gate.Share); err != nil {
		return nil, err
	}
	if !x.isOwn(v.Nation, v.Org) {
		return nil, fault.New(fault.Forbidden, "share.own", "the node shares what its own organisation has")
	}
	named, err := label.NewAudience(s.With...)
	if err != nil || named.IsEmpty() {
		return nil, fault.New(fault.Invalid, "share.with", "name the organisations that it is shared with").At("with").Because(err)
	}
	self, err := label.NewAudience(label.Org(x.cfg.Nation, x.cfg.Org))
	if err != nil {
		return nil, fault.New(fault.Internal, "", "the own organisation cannot be named").Because(err)
	}
	r := Relabelling{ID: s.ID, Version: s.Version, Reason: s.Reason, DryRun: s.DryRun}
	if err := r.check(); err != nil {
		return nil, err
	}
	verb := "object.share"
	if s.Not {
		verb = "object.unshare"
	}
	return x.put(ctx, v, r, verb, func(scope gate.Scope, it *store.Item) (label.Label, error) {
		l := it.Record.Label
		audience := l.Audience
		switch {
		case s.Not && audience.IsAll():
			return l, fault.New(fault.Conflict, "share.everybody", "the audience of the object names nobody: it goes as far as its TLP does").Try("relabel it")
		case s.Not:
			audience, err = without(audience, named)
		case audience.IsAll():
			audience = named.Union(self)
		default:
			audience = audience.Union(named).Union(self)
		}
		if err != nil {
			return l, err
		}
		l = l.To(audience)
		plain := l // what the object says by its markings does not name anybody: its source does
		plain.Named = false
		return l, x.aboveMarkings(ctx, scope, &it.Record, plain)
	})
}

// without is a set less some of its members.
func without(s, less label.Set) (label.Set, error) {
	var rest []string
	for m := range s.Members() {
		if !less.Has(m) {
			rest = append(rest, m)
		}
	}
	set, err := label.NewAudience(rest...)
	if err != nil {
		return set, fmt.Errorf("naming an audience: %w", err)
	}
	return set, nil
}
