package federation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"entente/internal/accords"
	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/internal/record"
	"entente/internal/rendition"
	"entente/internal/store"
	"entente/label"
	"entente/peer"
	"entente/stix"
)

// Shelf keeps what one party is given that runs no node and fetches it by TAXII. Its methods are those of a store that holds nothing else, under the scope
// of its keeper.
type Shelf interface {
	Party() gate.Party
	// Collection is where the party finds what it is given under an accord. It is made when it is not there.
	Collection(ctx context.Context, accord string) (id string, err error)

	Append(ctx context.Context, b store.Batch) ([]store.Outcome, error)
	Page(ctx context.Context, q store.Query) (store.Page, error)
	History(ctx context.Context, rec record.Seq) (store.History, error)
	Remove(ctx context.Context, r store.Removal) (int, error)
	Relabel(ctx context.Context, r store.Relabelling) (record.Seq, error)
	Purge(ctx context.Context, p store.Purge) (store.PurgeReport, error)
}

// shelf is one of them, and how far it was filled since the start: then everything on it is looked at once.
type shelf struct {
	Shelf
	filled map[string]filled     // by log
	places map[string]string     // collections by accord
	lies   map[record.Seq]string // the object of each own record of which something lies there
}

// filled is how far a shelf follows a log, and under what the log was judged: when either changes, there is something to do.
type filled struct {
	size  uint64
	under string
}

// byShelf is how the journal of a shelf names who fills it.
var byShelf = store.Act{Actor: "node", Verb: "shelf.arrange"}

func shelves(list []Shelf) []*shelf {
	var out []*shelf
	for _, s := range list {
		out = append(out, &shelf{s, map[string]filled{}, map[string]string{}, map[record.Seq]string{}})
	}
	return out
}

// Settle brings the own logs, and the shelves with them, to where the journal, the accords and the clock are. Who reads a shelf settles before: then it has
// nothing that the accords would not give at that moment, however busy the node is.
func (f *Federation) Settle(ctx context.Context) error {
	select {
	case f.settles <- struct{}{}:
		defer func() { <-f.settles }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := f.catchUp(ctx); err != nil {
		return err
	}
	if err := f.arrange(ctx, f.stirred); err != nil {
		return err
	}
	clear(f.stirred)
	return nil
}

// stir notes own objects with another label: what lies on shelves of them is judged again, whether a log tells of it or not.
func (f *Federation) stir(items []store.Item, relabelled map[record.Seq]bool) {
	for i := range items {
		if len(f.shelves) > 0 && relabelled[items[i].Rec] {
			f.stirred[items[i].Record.ID] = true
		}
	}
}

// miss notes own objects of which a record that lies on a shelf is in no collection any more, and with that no more here.
func (f *Federation) miss(entries []store.Entry) {
	if len(f.shelves) == 0 {
		return
	}
	f.shelving.Lock()
	defer f.shelving.Unlock()
	for i := range entries {
		e := &entries[i]
		for _, s := range f.shelves {
			if id := s.lies[e.Rec]; id != "" && e.Kind == store.EntryRemove {
				f.stirred[id] = true
			}
			for _, rec := range e.Recs { // of a purge, which has emptied the shelf of them
				delete(s.lies, rec)
			}
		}
	}
}

// Arrange brings the shelves to what the own logs hold: after a purge was ordered they hold nothing of its object.
func (f *Federation) Arrange(ctx context.Context) error { return f.arrange(ctx, nil) }

func (f *Federation) arrange(ctx context.Context, stirred map[string]bool) error {
	if len(f.shelves) == 0 {
		return nil
	}
	f.shelving.Lock()
	defer f.shelving.Unlock()
	standings := f.cfg.Accords.Standings()
	for _, s := range f.shelves {
		if err := f.fill(ctx, s, standings, stirred); err != nil {
			return fmt.Errorf("putting on its shelf what %s is given: %w", s.Party(), err)
		}
	}
	return nil
}

// fill lays on a shelf what the logs for its party hold and the accords give now, and takes off the rest. The caller holds shelving. What is arranged
// holds out for one object at a time, so that a long list keeps nobody else waiting.
func (f *Federation) fill(ctx context.Context, s *shelf, standings []accords.Standing, stirred map[string]bool) error {
	to := s.Party()
	w := filling{f: f, shelf: s, standings: map[string]*accords.Standing{}, puts: map[string][]store.Put{}}
	for i := range standings {
		if a := &standings[i]; a.Versions[len(a.Versions)-1].Number(to.Nation, to.Org) >= 0 {
			w.standings[a.Name] = a
			if err := w.welcome(ctx, a); err != nil {
				return err
			}
		}
	}
	logs, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Own: true, Party: orgOf(to)})
	if err != nil {
		return err
	}
	touched := map[string]bool{}
	for _, g := range logs {
		if err := w.follow(ctx, g, touched); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(stirred)) {
		if err := w.touch(ctx, id, touched, false); err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// touch arranges an object that was not arranged just now.
func (w *filling) touch(ctx context.Context, id string, touched map[string]bool, fresh bool) error {
	if id == "" || touched[id] {
		return nil
	}
	touched[id] = true
	return w.arrange(ctx, id, fresh)
}

// follow arranges what a log told since it was followed last, or all that it ever told where the accord gives something else now.
func (w *filling) follow(ctx context.Context, g ledger.Log, touched map[string]bool) error {
	was := w.shelf.filled[g.Origin]
	now := filled{g.Size, w.f.under(w.standings[g.Accord], w.shelf.Party())}
	if was == now {
		return nil
	}
	from := was.size
	if was.under != now.under {
		from = 0
	}
	for i := from; i < g.Size; i++ {
		id, err := w.f.cfg.Ledger.Object(ctx, g.Origin, i)
		if err == nil {
			err = w.touch(ctx, id, touched, was.size > 0 && i >= was.size)
		}
		if err != nil {
			return err
		}
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	w.shelf.filled[g.Origin] = now
	return nil
}

// under tells apart the states of an accord between which what it gives to a party may differ: its versions, whether anything passes, and the legal bases
// that lapsed.
func (f *Federation) under(a *accords.Standing, to gate.Party) string {
	if a == nil {
		return ""
	}
	now, bases := f.cfg.Now(), f.cfg.Bases()
	var b strings.Builder
	lapsed := 0
	for _, t := range a.Versions {
		fmt.Fprintf(&b, "%x ", t.Digest[:8])
		for i := range t.Bases {
			if s := t.Bases[i].Sunset; !s.IsZero() && !now.Before(s) {
				lapsed++
			}
		}
	}
	for _, until := range bases {
		if !until.IsZero() && !now.Before(until) {
			lapsed++
		}
	}
	probe := gate.Offer{Label: label.Bottom(), Origin: f.self, Realm: f.mode(), Closed: true}
	fmt.Fprintf(&b, "%d %s", lapsed, a.Permit(f.self, to, &probe, now, gate.Counters{}, bases).Codes())
	return b.String()
}

// filling is what is to be laid on a shelf.
type filling struct {
	f         *Federation
	shelf     *shelf
	standings map[string]*accords.Standing
	puts      map[string][]store.Put // by collection
	waiting   int
}

// welcome makes the collection of an accord, with the definitions of the TLP, which objects name. The party has no node that could say that it holds the
// text: it holds the one that it signed.
func (w *filling) welcome(ctx context.Context, a *accords.Standing) error {
	if len(a.Versions) > 1 {
		if err := w.f.cfg.Accords.Held(ctx, fmt.Sprintf("sha256:%x", a.Digest), w.shelf.Party().Nation); err != nil {
			return err
		}
	}
	if w.shelf.places[a.Name] != "" {
		return nil
	}
	id, err := w.shelf.Collection(ctx, a.Name)
	if err != nil {
		return err
	}
	for _, t := range []label.TLP{label.Clear, label.Green, label.Amber, label.AmberStrict, label.Red} {
		for _, body := range [][]byte{label.ToTLPMarking(t), label.ToLegacyTLPMarking(t)} {
			if err := w.put(ctx, id, body, w.shelved(label.Bottom())); err != nil {
				return err
			}
		}
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	w.shelf.places[a.Name] = id
	return nil
}

// shelved is the label of a rendition on the shelf: whom it is for, on what legal bases, and until when. The accord has judged everything else.
func (w *filling) shelved(l label.Label) label.Label {
	out := label.For(label.AmberStrict)
	if out.Mode = w.f.mode(); l.Audience.IsAll() {
		to := w.shelf.Party()
		out.Audience, _ = label.NewAudience(orgOf(to)) // a party's name was checked
	} else {
		out.Audience = l.Audience
	}
	out.Authority, out.NotBefore, out.NotAfter = l.Authority, l.NotBefore, l.NotAfter
	return out.To(out.Audience)
}

// rendered is one rendition that a party may have now.
type rendered struct {
	body   []byte
	label  label.Label
	places []string // collections
}

// key tells the contents of one object apart.
type key struct {
	id     string
	digest [32]byte
}

// arrange makes the shelf hold of one own object what the accords give now. A purge of which the log tells afresh finds also what was taken off before.
func (w *filling) arrange(ctx context.Context, id string, fresh bool) error {
	w.f.out.Lock()
	defer w.f.out.Unlock()
	places, err := w.f.cfg.Ledger.Out(ctx, id)
	if err != nil {
		return err
	}
	places = slices.DeleteFunc(places, func(p ledger.Place) bool {
		l, ok := w.f.logs[p.Origin]
		return !ok || !slices.Contains(l.parties, orgOf(w.shelf.Party()))
	})
	var ids []string // under which it went out
	purged := false
	for _, p := range places {
		purged = purged || p.Leaf.Kind == peer.Purge
		if l := w.f.logs[p.Origin]; parseMark(p.Version).class == rendition.Reduced {
			ids = append(ids, rendition.ID(w.f.audienceKey(l.accord, l.parties), id))
		} else {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id string) bool { _, known := label.ByID(id); return known }) // the definitions of the TLP lie there anyway
	wanted, err := w.wanted(ctx, id, places)
	if err != nil {
		return err
	}
	left := map[string]bool{}
	for k := range wanted {
		left[k.id] = true
	}
	for _, out := range ids {
		there, err := w.there(ctx, out)
		switch {
		case err != nil:
			return err
		case purged && !left[out]:
			if fresh || len(there) > 0 {
				_, err = w.shelf.Purge(ctx, store.Purge{ID: out, Act: byShelf})
			}
		default:
			err = w.adjust(ctx, out, there, wanted)
		}
		if err != nil {
			return err
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(wanted), func(a, b key) int { return strings.Compare(a.id, b.id) }) {
		r := wanted[k]
		for _, place := range r.places {
			if err := w.put(ctx, place, r.body, r.label); err != nil {
				return err
			}
		}
	}
	return nil
}

// wanted is what the party may have of an object now, of what went out in its logs.
func (w *filling) wanted(ctx context.Context, id string, places []ledger.Place) (map[key]*rendered, error) {
	out := map[key]*rendered{}
	newest := map[[2]string]key{} // of one version of one object, the last content counts
	judged := judgements{f: w.f, to: w.shelf.Party(), id: id}
	for _, p := range places {
		delete(w.shelf.lies, record.Seq(parseMark(p.Version).rec))
	}
	for _, p := range live(places) {
		accord := w.f.logs[p.Origin].accord
		a := w.standings[accord]
		if a == nil {
			continue
		}
		mark := parseMark(p.Version)
		rec := record.Seq(mark.rec)
		if ok, err := judged.keeps(ctx, a, mark); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		w.shelf.lies[rec] = id
		given, obj, err := w.open(ctx, p)
		if err != nil {
			return nil, err
		}
		if given == nil {
			continue
		}
		l, err := w.f.labelOf(ctx, p, places, given.Label)
		if err != nil {
			return nil, err
		}
		if !l.NotAfter.IsZero() && !w.f.cfg.Now().Before(l.NotAfter) {
			continue
		}
		k, version := key{obj.ID(), obj.Digest()}, [2]string{obj.ID(), obj.Version()}
		if old, ok := newest[version]; ok && old != k && obj.Version() != "" {
			delete(out, old)
		}
		newest[version] = k
		to := w.shelved(l)
		r := out[k]
		if r == nil {
			r = &rendered{body: given.Object, label: to}
			out[k] = r
		}
		r.label = wider(r.label, to)
		if place := w.shelf.places[accord]; !slices.Contains(r.places, place) {
			r.places = append(r.places, place)
		}
	}
	return out, nil
}

// wider is the label of what is given twice: who may have it by either, as long as by either.
func wider(a, b label.Label) label.Label {
	if label.Equal(a, b) {
		return a
	}
	out := a
	if !a.NotAfter.IsZero() && (b.NotAfter.IsZero() || b.NotAfter.After(a.NotAfter)) {
		out.NotAfter = b.NotAfter
	}
	if b.Authority.IsEmpty() {
		out.Authority = b.Authority
	}
	return out.To(a.Audience.Union(b.Audience))
}

// judgements asks the accords once more about the versions of one own object.
type judgements struct {
	f     *Federation
	to    gate.Party
	id    string
	items map[record.Seq]*store.Item
}

// keeps tells whether a party may still have what it was given of a record. Only what counters stop stays.
func (j *judgements) keeps(ctx context.Context, a *accords.Standing, m mark) (bool, error) {
	if j.items == nil {
		j.items = map[record.Seq]*store.Item{}
		q := store.Query{IDs: []string{j.id}, Nation: j.f.cfg.Nation, Org: j.f.cfg.Org, Versions: store.Versions{All: true}, Specs: specs}
		for {
			page, err := j.f.cfg.House.Page(ctx, q)
			if err != nil {
				return false, err
			}
			for i := range page.Items {
				j.items[page.Items[i].Rec] = &page.Items[i]
			}
			if !page.More {
				break
			}
			q.After = page.Next
		}
	}
	it := j.items[record.Seq(m.rec)]
	if it == nil || it.Held {
		return false, nil
	}
	if m.label == goesAlong {
		return j.f.goesOn(a, it, j.to)
	}
	all, err := j.f.judge(ctx, a, it, &writing{})
	if err != nil {
		return false, err
	}
	for i := range all {
		if v := all[i].verdict; all[i].party == j.to {
			return all[i].Permit || !v.Permit() && !v.Waits() && onlyCounted(v.Codes()), nil
		}
	}
	return false, nil
}

func onlyCounted(codes []string) bool {
	return !slices.ContainsFunc(codes, func(c string) bool { return c != "accord.quota" && c != "accord.reciprocity" })
}

// open reads what went out at a place; nil: it was destroyed.
func (w *filling) open(ctx context.Context, p ledger.Place) (*peer.Rendition, *stix.Object, error) {
	r, err := w.f.sent(ctx, p)
	if err != nil || r == nil {
		return nil, nil, err
	}
	o, err := stix.Parse(r.Object)
	return r, o, err
}

// there is what lies on the shelf under an id.
func (w *filling) there(ctx context.Context, id string) (out []store.Item, err error) {
	q := store.Query{IDs: []string{id}, Versions: store.Versions{All: true}, Specs: specs, Headers: true, Held: true}
	for {
		page, err := w.shelf.Page(ctx, q)
		if err != nil {
			return nil, err
		}
		if out = append(out, page.Items...); !page.More {
			return out, nil
		}
		q.After = page.Next
	}
}

// adjust takes off what is not wanted under an id, and puts right what is: what lies where it should, under the label that it should have, is taken out of
// wanted.
func (w *filling) adjust(ctx context.Context, id string, there []store.Item, wanted map[key]*rendered) error {
	for i := range there {
		it := &there[i]
		r := wanted[key{id, it.Record.Digest}]
		if r == nil {
			if _, err := w.shelf.Remove(ctx, store.Removal{Rec: it.Rec, ID: id, Versions: store.Versions{All: true}, Act: byShelf}); err != nil {
				return err
			}
			continue
		}
		if !label.Equal(it.Record.Label, r.label) {
			if _, err := w.shelf.Relabel(ctx, store.Relabelling{Rec: it.Rec, Label: r.label, Act: byShelf}); err != nil {
				return err
			}
		}
		h, err := w.shelf.History(ctx, it.Rec)
		if err != nil {
			return err
		}
		for _, at := range h.Places {
			if at.Collection == "" {
				continue
			}
			if n := slices.Index(r.places, at.Collection); n >= 0 {
				r.places = slices.Delete(r.places, n, n+1)
			} else if _, err := w.shelf.Remove(ctx, store.Removal{Collection: at.Collection, Rec: it.Rec, ID: id, Versions: store.Versions{All: true}, Act: byShelf}); err != nil {
				return err
			}
		}
	}
	return nil
}

// put lays one object into a collection, with others.
func (w *filling) put(ctx context.Context, collection string, body []byte, l label.Label) error {
	o, err := stix.Parse(body)
	if err != nil {
		return err
	}
	w.puts[collection] = append(w.puts[collection], store.Put{Record: record.Record{ID: o.ID(), Kind: record.STIX, Type: o.Type(), Spec: o.Spec(), Version: o.Version(), Order: o.Order(),
		Digest: o.Digest(), CreatedBy: o.CreatedBy(), Revoked: o.Revoked(), Label: l, Origin: record.Origin{Nation: w.f.cfg.Nation, Org: w.f.cfg.Org, Via: "accord"}, Body: body}})
	if w.waiting++; w.waiting >= step {
		return w.flush(ctx)
	}
	return nil
}

// flush lays down what waits.
func (w *filling) flush(ctx context.Context) error {
	for _, collection := range slices.Sorted(maps.Keys(w.puts)) {
		if _, err := w.shelf.Append(ctx, store.Batch{Puts: w.puts[collection], Collection: collection}); err != nil {
			return err
		}
		delete(w.puts, collection)
	}
	w.waiting = 0
	return nil
}

// plain tells whether a party fetches by TAXII: its client keeps what it fetches.
func (f *Federation) plain(to gate.Party) bool {
	return slices.ContainsFunc(f.shelves, func(s *shelf) bool { return s.Party() == to })
}
