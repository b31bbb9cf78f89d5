package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
	"entente/stix"
)

// definition is what a marking definition says, and who may know that it is here.
type definition struct {
	marking label.Marking
	err     error // label.ErrContradictory or label.ErrUnintelligible with their reason
	mark    record.Mark
}

// markings remembers the definitions that submissions name. A definition cannot change (STIX 2.1 section 7.2), so an entry stays true
// until a record is purged, relabelled or removed, when all are forgotten.
type markings struct {
	mu    sync.Mutex
	known map[string]definition
}

const maxMarkings = 10_000

func (m *markings) init() { m.known = map[string]definition{} }

func (m *markings) get(id string) (definition, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.known[id]
	return d, ok
}

func (m *markings) put(id string, d definition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.known) >= maxMarkings {
		clear(m.known)
	}
	m.known[id] = d
}

func (m *markings) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.known)
}

// defined collects the marking definitions of a submission, so that objects may stand before the markings they name.
func (x *Exchange) defined(drafts []draft) map[string]definition {
	out := map[string]definition{}
	for i := range drafts {
		if d := &drafts[i]; !d.refused && d.rec.Type == "marking-definition" {
			m, err := label.ReadMarking(d.rec.Body)
			out[d.rec.ID] = definition{marking: m, err: err}
		}
	}
	return out
}

var errUnresolved = errors.New("is not known here")

// definition finds what a marking says: by its well-known id, in the submission, or among the submitter's own records and those of the
// node's own organisation that it may see. What is found is noted in batch, which may be nil.
func (x *Exchange) definition(ctx context.Context, scope gate.Scope, id string, batch map[string]definition) (label.Marking, error) {
	if d, ok := batch[id]; ok {
		return d.marking, d.err
	}
	if m, ok := label.MarkingByID(id); ok {
		return m, nil
	}
	if d, ok := x.markings.get(id); ok && d.open(scope) && x.speaksFor(d.mark, scope) {
		return d.marking, d.err
	}
	page, err := x.store.Page(ctx, scope, store.Query{IDs: []string{id}, Versions: store.Versions{All: true}})
	if err != nil {
		return label.Marking{}, err
	}
	d := definition{err: errUnresolved}
	for i := range page.Items {
		rec := &page.Items[i].Record
		if page.Items[i].Held || !x.speaksFor(rec.Mark(), scope) {
			continue
		}
		m, err := label.ReadMarking(rec.Body)
		d = definition{marking: m, err: err, mark: rec.Mark()}
		x.markings.put(id, d)
		break
	}
	if batch != nil {
		batch[id] = d
	}
	return d.marking, d.err
}

// speaksFor tells whether a definition counts for the holder of the scope: its own organisation's does, and that of the node's own
// organisation. Anybody else's could say that a marking which an object waits for restricts nothing.
func (x *Exchange) speaksFor(m record.Mark, scope gate.Scope) bool {
	v := scope.Viewer()
	return m.Nation == v.Nation && m.Org == v.Org || x.isOwn(m.Nation, m.Org)
}

// open tells whether the holder of the scope may know the definition. Where that takes more than its label, the store must be asked.
func (d *definition) open(scope gate.Scope) bool {
	return scope.Admits(d.mark) && scope.InForce(d.mark, d.mark.Label.NotBefore, d.mark.Label.NotAfter) && !scope.Closes(d.mark)
}

// mark gives a draft its label and origin. An object without a TLP takes the default of its collection, and where none is set it is
// RED for the submitting organisation. Markings that contradict each other, cannot be understood or cannot be found make it RED and
// send it to quarantine, to be judged again when the marking arrives.
func (x *Exchange) mark(ctx context.Context, scope gate.Scope, v gate.Viewer, c Collection, s Submission, signed *label.Label, d *draft, batch map[string]definition) error {
	d.rec.Origin = record.Origin{Nation: v.Nation, Org: v.Org, Person: v.Person, Via: s.Via}
	fallback := s.Default
	if fallback == nil {
		fallback = c.Default
	}
	var err error
	if signed != nil {
		err = x.heed(ctx, scope, *signed, d, batch)
	} else {
		d.rec.Label, d.hold, err = x.judgeMarkings(ctx, scope, d.obj, fallback, s.Restrict, d.hold, batch)
	}
	if err != nil {
		return err
	}
	if d.hold == nil {
		x.checkTimes(d)
	}
	if d.hold != nil {
		d.hold.Intended = d.rec.Label
		d.rec.Label = x.held()
	}
	return nil
}

// heed gives a draft the label that its originator signed. Whatever markings of the object are not known here, it speaks for them; one that is known
// and says more contradicts it.
func (x *Exchange) heed(ctx context.Context, scope gate.Scope, signed label.Label, d *draft, batch map[string]definition) error {
	d.rec.Label = x.here(signed)
	if d.rec.Label.Mode == label.MixedMode {
		d.hold = hold("label.mode", "the record is of the mode %s, and this node is of the realm %s", signed.Mode, x.cfg.Realm)
		return nil
	}
	ids := d.obj.MarkingRefs()
	for _, g := range d.obj.Granular() {
		if g.MarkingRef != "" {
			ids = append(ids, g.MarkingRef)
		}
	}
	for _, id := range ids {
		m, err := x.definition(ctx, scope, id, batch)
		switch {
		case errors.Is(err, errUnresolved), errors.Is(err, label.ErrContradictory), errors.Is(err, label.ErrUnintelligible), errors.Is(err, label.ErrInvalid):
			continue
		case err != nil:
			return fmt.Errorf("looking for the marking %s: %w", id, err)
		}
		if m.Label.TLP < signed.TLP { // the chain counts down from its strictest value
			d.hold = hold("label.contradictory", "the object says %s by its marking %s, and the label that its originator signed says %s", m.Label.TLP, id, signed.TLP)
			return nil
		}
	}
	return nil
}

// judgeMarkings is the label that an object's markings, the default and an extra restriction make, and a hold when they make none.
func (x *Exchange) judgeMarkings(ctx context.Context, scope gate.Scope, o *stix.Object, fallback, restrict *label.Label, h *store.Hold, batch map[string]definition) (label.Label, *store.Hold, error) {
	trouble := func(code, id string, err error) {
		if h == nil {
			h = &store.Hold{}
		}
		h.Reasons = append(h.Reasons, store.Reason{Code: code, Message: fmt.Sprintf("the marking %s %v", id, err)})
		h.Awaits = append(h.Awaits, id)
	}
	named := o.MarkingRefs()
	var whole, part []label.Marking
	look := func(id string, into *[]label.Marking) error {
		m, err := x.definition(ctx, scope, id, batch)
		switch {
		case err == nil:
			*into = append(*into, m)
		case errors.Is(err, label.ErrContradictory):
			trouble("marking.contradictory", id, err)
		case errors.Is(err, label.ErrUnintelligible), errors.Is(err, label.ErrInvalid):
			trouble("marking.unintelligible", id, err)
		case errors.Is(err, errUnresolved):
			trouble("marking.unresolved", id, err)
		default:
			return fmt.Errorf("looking for the marking %s: %w", id, err)
		}
		return nil
	}
	for _, id := range named {
		if err := look(id, &whole); err != nil {
			return label.Label{}, nil, err
		}
	}
	for _, g := range o.Granular() {
		if g.MarkingRef != "" && !slices.Contains(named, g.MarkingRef) {
			if err := look(g.MarkingRef, &part); err != nil {
				return label.Label{}, nil, err
			}
		}
	}
	l, stated, err := label.Of(whole, part)
	if err != nil {
		if h == nil {
			h = &store.Hold{}
		}
		h.Reasons = append(h.Reasons, store.Reason{Code: "marking.contradictory", Message: err.Error()})
	}
	if h != nil && (len(h.Awaits) > 0 || err != nil) {
		h.Default, h.Restrict = fallback, restrict
		return label.Label{}, h, nil // RED for the submitting organisation
	}
	if !stated {
		if fallback != nil {
			l = label.Join(l, *fallback)
		} else {
			l = label.Join(l, label.For(label.Red))
		}
	}
	if restrict != nil {
		l = label.Join(l, *restrict)
	}
	return x.here(l), h, nil
}

// here is a label on this node: a record takes the mode of the realm that it comes in by.
func (x *Exchange) here(l label.Label) label.Label {
	realm := label.Bottom()
	realm.Mode = label.Mode(x.cfg.Realm)
	return label.Join(l, realm)
}

// held is the label of a record in quarantine: nobody but the submitting organisation.
func (x *Exchange) held() label.Label { return label.Label{Mode: label.Mode(x.cfg.Realm)} }

// checkTimes holds what claims to come from the future.
func (x *Exchange) checkTimes(d *draft) {
	limit := x.cfg.Now().Add(x.cfg.Skew)
	for _, t := range []string{d.obj.Created(), d.obj.Modified()} {
		if at, err := time.Parse(time.RFC3339Nano, t); t != "" && err == nil && at.After(limit) {
			d.hold = hold("time.future", "its time %s is more than %s ahead of this node's clock", t, x.cfg.Skew)
			return
		}
	}
}

func (x *Exchange) isOwn(nation, org string) bool { return nation == x.cfg.Nation && org == x.cfg.Org }
