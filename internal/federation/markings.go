package federation

import (
	"context"
	"fmt"
	"slices"

	"entente/internal/accords"
	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/internal/record"
	"entente/internal/rendition"
	"entente/internal/store"
	"entente/label"
	"entente/stix"
)

const markingPrefix = gate.MarkingKind + "--"

// definition is that of a marking that a record is under. It goes along to whoever is given the record, whatever its own label: a marking is for
// those who have what it marks.
type definition struct {
	item   store.Item
	object *stix.Object
	offer  gate.Offer
}

// maxDefinitions is how many definitions go along with a record.
const maxDefinitions = 64

// definitions are those of the markings that an object is under, and of the markings that these are under; not those of the TLP, which everybody has.
// Lost is one that this organisation never handed in.
func (f *Federation) definitions(ctx context.Context, o *stix.Object) (defs []definition, lost string, err error) {
	known := map[string]bool{}
	for todo := []*stix.Object{o}; len(todo) > 0; {
		var ids []string
		for _, o := range todo {
			for _, id := range o.MarkingRefs() {
				if _, tlp := label.ByID(id); !tlp && !known[id] {
					known[id] = true
					ids = append(ids, id)
				}
			}
		}
		if todo = nil; len(ids) == 0 {
			break
		}
		if len(known) > maxDefinitions {
			return nil, ids[0], nil
		}
		page, err := f.cfg.House.Page(ctx, store.Query{IDs: ids, Nation: f.cfg.Nation, Org: f.cfg.Org, Versions: store.Versions{All: true}, Specs: specs})
		if err != nil {
			return nil, "", err
		}
		for _, id := range ids {
			i := slices.IndexFunc(page.Items, func(it store.Item) bool { return it.Record.ID == id })
			if i < 0 {
				return nil, id, nil
			}
			d := definition{item: page.Items[i]}
			r := &d.item.Record
			if d.object, err = stix.Parse(r.Body); err != nil {
				return nil, id, nil
			}
			d.offer = f.offerAlong(r)
			defs, todo = append(defs, d), append(todo, d.object)
		}
	}
	slices.Reverse(defs) // what marks a definition is before it
	return defs, "", nil
}

func (f *Federation) offerAlong(r *record.Record) gate.Offer {
	return gate.Offer{Origin: f.self, Kind: r.Type, Realm: f.mode(), Size: int64(len(r.Body)), Closed: true, Released: true, Along: true}
}

// goesOn tells whether the accord still lets a party have a definition that went along.
func (f *Federation) goesOn(s *accords.Standing, it *store.Item, to gate.Party) (ok bool, err error) {
	o := f.offerAlong(&it.Record)
	if o.Label, err = labelFor([]string{orgOf(to)}); err != nil {
		return false, err
	}
	return s.Permit(f.self, to, &o, f.cfg.Now(), gate.Counters{}, f.cfg.Bases()).Permit(), nil
}

// Sentences that end in what they are about, and may go on with another sentence after it.
const (
	invalid   = "what is left is no valid STIX: " // the rules of STIX are English
	undefined = "the definition of its marking is not here, so that no party could read it: "
	barring   = "the accord does not let the definition of its marking go along: "
	lacking   = "the definition of its marking cannot go along: "
)

const unsaid = "what a release officer signed is not this, or counts no longer"

// labelFor is the label of a definition before the accord's handling is added: it is for all parties.
func labelFor(parties []string) (label.Label, error) {
	audience, err := label.NewAudience(parties...)
	return label.For(label.Clear).To(audience), err
}

// accompany notes how the party is given the definitions of a record's markings; why says which of them it cannot be given.
func (f *Federation) accompany(accord string, defs []definition, needs gate.Needs, j *Judged) (why string, err error) {
	for i := range defs {
		r, err := f.define(&defs[i], f.recipe(accord, []string{orgOf(j.party)}, needs, j.classes), j.classes)
		if err != nil {
			return "", err
		}
		id := defs[i].item.Record.ID
		switch {
		case !j.along[i].Permit():
			return barring + id, nil
		case r.Class == rendition.Withheld:
			return lacking + id + ": " + r.Why.Sentence, nil
		}
	}
	j.defs = defs
	return "", nil
}

// define makes what an audience is given of a definition, and notes how it has it then.
func (f *Federation) define(d *definition, plan rendition.Plan, classes map[string]rendition.Class) (rendition.Result, error) {
	classes[d.item.Record.ID] = rendition.Full // as far as the rest of the plan lets it be
	r, err := rendition.Make(d.item.Record.Body, plan)
	if err != nil {
		return r, fmt.Errorf("making a rendition of %s: %w", d.item.Record.ID, err)
	}
	classes[d.item.Record.ID] = r.Class
	return r, nil
}

// goesAlong stands for the label of a definition that went along: it has that of whatever it marks.
const goesAlong = "along"

// alone are the places of what was given for itself, and not along with what it marks.
func alone(places []ledger.Place) []ledger.Place {
	return slices.DeleteFunc(slices.Clone(places), func(p ledger.Place) bool { return parseMark(p.Version).label == goesAlong })
}

// complement adds the definitions of markings to what is to go out, and takes out what is revoked by a version that goes with it.
func (f *Federation) complement(ctx context.Context, w *writing) error {
	puts := w.puts
	w.puts = make([]putting, 0, len(puts))
	out := map[[2]string]uint64{} // by log and object: how many versions were taken out
	for i := range puts {
		p := &puts[i]
		of := [2]string{p.origin, p.item.Record.ID}
		p.order -= out[of]
		ok := p.item.Record.Order >= w.revoked[p.item.Record.ID]
		if ok {
			var err error
			if ok, err = f.along(ctx, &p.group, p.origin, w); err != nil {
				return err
			}
		}
		if ok {
			w.puts = append(w.puts, *p)
			continue
		}
		out[of]++
		for _, j := range p.group.judged {
			w.given[counter(p.group.accord.Name, j.party)]--
		}
	}
	return nil
}

// along adds the definitions of a record's markings before it, as far as the log has them not. It is not ok where one was taken back: then the record
// stays, too.
func (f *Federation) along(ctx context.Context, g *group, origin string, w *writing) (ok bool, err error) {
	first := g.judged[0]
	for i := range first.defs {
		d := &first.defs[i]
		r, err := f.define(d, f.recipe(g.accord.Name, g.parties, first.verdict.Needs(), first.classes), first.classes)
		if err != nil {
			return false, err
		}
		places, err := f.cfg.Ledger.Out(ctx, d.item.Record.ID)
		if err != nil {
			return false, err
		}
		m := mark{version: or(d.item.Record.Version), class: r.Class, body: f.keyed(shown(&r)), label: goesAlong, rec: int64(d.item.Rec)}
		if takenBack(places, m) {
			return false, nil
		}
		if w.has(origin, d.item.Rec) || slices.ContainsFunc(live(places), func(p ledger.Place) bool {
			old := parseMark(p.Version)
			return p.Origin == origin && old.class == m.class && old.body == m.body && !(p.Refused && w.again)
		}) {
			continue
		}
		along := group{accord: g.accord, parties: g.parties, judged: make([]*Judged, len(g.judged)), result: r, mark: m}
		verdicts := make([]gate.Verdict, len(g.judged))
		for k, j := range g.judged {
			verdicts[k] = j.along[i]
			own := *j
			own.verdict = verdicts[k]
			along.judged[k] = &own
		}
		if along.label, ok = gate.Together(verdicts...); !ok {
			return false, nil
		}
		w.puts = append(w.puts, putting{along, &d.item, origin, w.order(origin, d.item.Record.ID, places)})
		for _, j := range g.judged {
			w.given[counter(g.accord.Name, j.party)]++
		}
	}
	return true, nil
}

// has tells whether a record is on its way into a log.
func (w *writing) has(origin string, rec record.Seq) bool {
	return slices.ContainsFunc(w.puts, func(p putting) bool { return p.origin == origin && p.item.Rec == rec })
}
