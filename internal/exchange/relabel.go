package exchange

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
	"entente/stix"
)

// Relabelling asks to put an object of the viewer's own organisation under another label.
type Relabelling struct {
	ID      string
	Version string // empty: every version
	Label   label.Label
	Reason  string // for the journal; one line
	DryRun  bool
}

// Relabelled is what a relabelling did, or would do, to one version.
type Relabelled struct {
	ID      string      `json:"id"`
	Version string      `json:"version"`
	From    label.Label `json:"from"`
	To      label.Label `json:"to"`
	Looser  bool        `json:"looser"` // somebody may have it now who might not before
}

const (
	maxReason     = 500
	maxRelabelled = 1000 // versions at once
)

// Relabel puts an object under another label. Who may write may make it stricter; making it looser in any way takes Downgrade. It never goes below
// what the object itself says by its markings: that takes a new version. Objects of other organisations keep the label that their originator gave.
// Versions that have the label already are passed over.
func (x *Exchange) Relabel(ctx context.Context, v gate.Viewer, r Relabelling) ([]Relabelled, error) {
	if err := x.may(v, gate.ObjectWrite); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	to := x.here(r.Label)
	return x.put(ctx, v, r, "object.relabel", func(scope gate.Scope, it *store.Item) (label.Label, error) {
		if label.Equal(it.Record.Label, to) {
			return to, nil
		}
		if err := x.aboveMarkings(ctx, scope, &it.Record, to); err != nil {
			return to, err
		}
		if !label.LessEqual(it.Record.Label, to) && !x.Gate().Can(v, gate.Downgrade) {
			return to, fault.New(fault.Forbidden, "relabel.looser", "the new label permits something that the present one does not, and your roles do not allow that").At("label").
				Try("ask an officer, or choose a label that only restricts")
		}
		return to, nil
	})
}

// check holds the reason to its form.
func (r *Relabelling) check() error {
	if r.Reason = strings.TrimSpace(r.Reason); len(r.Reason) > maxReason || strings.ContainsFunc(r.Reason, unicode.IsControl) {
		return fault.New(fault.Invalid, "relabel.reason", "a reason is one line of at most %d bytes", maxReason).At("reason")
	}
	return nil
}

// put puts the versions that are meant under the labels that choose gives, after all of them were judged. Those that have the label are passed over.
func (x *Exchange) put(ctx context.Context, v gate.Viewer, r Relabelling, verb string, choose func(gate.Scope, *store.Item) (label.Label, error)) ([]Relabelled, error) {
	scope := x.scope(v)
	items, err := x.relabelled(ctx, scope, v, r)
	if err != nil {
		return nil, err
	}
	out := []Relabelled{}
	var todo []store.Relabelling
	for i := range items {
		it := &items[i]
		to, err := choose(scope, it)
		if err != nil {
			return nil, err
		}
		if label.Equal(it.Record.Label, to) {
			continue
		}
		out = append(out, Relabelled{ID: it.Record.ID, Version: it.Record.Version, From: it.Record.Label, To: to, Looser: !label.LessEqual(it.Record.Label, to)})
		todo = append(todo, store.Relabelling{Rec: it.Rec, Label: to, Was: &it.Record.Label, Act: store.Act{Actor: actor(v), Verb: verb, Detail: r.Reason}})
	}
	if r.DryRun {
		return out, nil
	}
	defer x.markings.forget()
	for i := range todo {
		if _, err := x.store.Relabel(ctx, scope, todo[i]); err != nil {
			return nil, fmt.Errorf("relabelling version %d of %d: %w", i+1, len(todo), err)
		}
	}
	return out, nil
}

// relabelled are the versions that a relabelling is for. Who may not have the object learns nothing.
func (x *Exchange) relabelled(ctx context.Context, scope gate.Scope, v gate.Viewer, r Relabelling) ([]store.Item, error) {
	q := store.Query{IDs: []string{r.ID}, Versions: store.Versions{All: true}, Specs: []string{"2.0", "2.1"}}
	if r.Version != "" {
		order, err := stix.Order(r.Version)
		if err != nil {
			return nil, fault.New(fault.Invalid, "version.form", "this is no version").At("version")
		}
		q.Versions = store.Versions{At: []string{order}}
	}
	var items []store.Item
	for {
		page, err := x.store.Page(ctx, scope, q)
		if err != nil {
			return nil, err
		}
		if items = append(items, page.Items...); len(items) > maxRelabelled {
			return nil, fault.New(fault.TooLarge, "relabel.versions", "the object has more than %d versions", maxRelabelled).At("version").Try("name the version")
		}
		if !page.More {
			break
		}
		q.After = page.Next
	}
	if len(items) == 0 {
		return nil, fault.New(fault.NotFound, "", "no such object")
	}
	for i := range items {
		if o := items[i].Record.Origin; o.Nation != v.Nation || o.Org != v.Org {
			return nil, fault.New(fault.Forbidden, "object.origin", "the object came from another organisation, and keeps the label that its originator gave").Try("ask its originator to relabel it")
		}
		if items[i].Held {
			return nil, fault.New(fault.Conflict, "object.held", "the object is in quarantine").Try("release it under the label that you mean")
		}
	}
	return items, nil
}

// aboveMarkings refuses a label that permits what the object's own markings do not.
func (x *Exchange) aboveMarkings(ctx context.Context, scope gate.Scope, rec *record.Record, to label.Label) error {
	obj, err := stix.Parse(rec.Body)
	if err != nil {
		return fault.New(fault.Internal, "store.object", "a stored object cannot be read").Because(err)
	}
	none := label.Bottom()
	said, hold, err := x.judgeMarkings(ctx, scope, obj, &none, nil, nil, nil)
	if err != nil {
		return err
	}
	if hold != nil || !label.LessEqual(said, to) {
		return fault.New(fault.Conflict, "relabel.markings", "the object itself says more by its markings than the new label does").At("label").By("STIX 2.1 section 7.2").
			Try("make a new version of it with other markings")
	}
	return nil
}
