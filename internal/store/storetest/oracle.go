package storetest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
)

// Oracle is the store as its documentation says it, in plain slices and loops without any index. It judges every record by the gate,
// one by one. It does not invent seqs: it is told those that the driver gave, and checks them.
type Oracle struct {
	Records []*Stored
	Entries []store.Entry // Seq, Kind, Rec
	Last    record.Seq
	held    []holding
	removed []*Stored // that somebody holds
}

// Stored is one record of the oracle.
type Stored struct {
	record.Record
	Rec    record.Seq
	Hold   *store.Hold
	Places map[string]record.Seq // by collection; "" is the whole store
}

type holding struct {
	party, clause string
	rec           record.Seq
	at            time.Time
}

// NewOracle is an empty store.
func NewOracle() *Oracle { return &Oracle{} }

func admitted(scope gate.Scope, s *Stored) bool {
	return scope.Admits(timeless(s.Mark())) && scope.InForce(timeless(s.Mark()), s.Label.NotBefore, s.Label.NotAfter)
}

// visible tells whether the scope sees a record: everything admitted is, until one by one goes what names something unseen.
func (o *Oracle) visible(scope gate.Scope, s *Stored) bool {
	if !admitted(scope, s) || !scope.Closes(s.Mark()) {
		return admitted(scope, s)
	}
	gone := map[*Stored]bool{}
	serves := func(id string, by *Stored) bool {
		return slices.ContainsFunc(o.Records, func(t *Stored) bool {
			return t.ID == id && admitted(scope, t) && !gone[t] && (scope.Closes(t.Mark()) || t.Rec < by.Rec)
		})
	}
	for n := -1; n < len(gone); {
		n = len(gone)
		for _, by := range o.Records {
			for _, l := range by.Lookups {
				author := l.Text == by.CreatedBy && gate.NamesAuthor(&by.Label)
				if l.Kind == record.Ref && !author && scope.Closes(by.Mark()) && !serves(l.Text, by) {
					gone[by] = true
				}
			}
		}
	}
	return !gone[s]
}

func timeless(m record.Mark) record.Mark {
	m.Label = m.Label.Timeless()
	return m
}

// order is what versions compare by.
func (s *Stored) order() string {
	if s.Order != "" {
		return s.Order
	}
	return strings.TrimRight(strings.TrimRight(s.Rec.Time().Format("2006-01-02T15:04:05.000000"), "0"), ".")
}

func (s *Stored) version() string {
	if s.Version != "" {
		return s.Version
	}
	return s.Rec.Time().Format("2006-01-02T15:04:05.000000Z")
}

// Append takes the outcomes of a driver for their seqs only, and tells what they should have been.
func (o *Oracle) Append(scope gate.Scope, b store.Batch, got []store.Outcome) (want []store.Outcome) {
	for i, p := range b.Puts {
		w := o.put(scope, b.Collection, p, got[i].Seq)
		want = append(want, w)
	}
	return want
}

func (o *Oracle) put(scope gate.Scope, coll string, p store.Put, seq record.Seq) store.Outcome {
	var twin *Stored
	rank := func(s *Stored) int {
		if s.Digest != p.Record.Digest {
			return 1
		}
		if _, in := s.Places[coll]; !in {
			return 2
		}
		return 3
	}
	for _, s := range o.Records {
		same := s.ID == p.Record.ID && s.Spec == p.Record.Spec && s.Order == p.Record.Order
		if s.Order == "" && s.Digest != p.Record.Digest {
			same = false
		}
		if same && o.visible(scope, s) && (twin == nil || rank(s) > rank(twin)) {
			twin = s
		}
	}
	if twin == nil {
		s := &Stored{Record: p.Record, Rec: seq, Hold: p.Hold, Places: map[string]record.Seq{"": seq, coll: seq}}
		o.judge(scope, p, s)
		o.Records = append(o.Records, s)
		o.entry(store.EntryPut, seq, seq)
		state := store.Added
		if s.Hold != nil {
			state = store.Held
		}
		return store.Outcome{State: state, Seq: seq, Version: s.version(), Hold: s.Hold}
	}
	out := store.Outcome{State: store.Present, Seq: twin.Places[coll], Version: twin.version()}
	switch {
	case twin.Digest != p.Record.Digest:
		out.State, out.Digest = store.Conflicting, twin.Digest
	case out.Seq == 0:
		twin.Places[coll], out.Seq = seq, seq
		o.entry(store.EntryPut, seq, twin.Rec)
	}
	return out
}

// judge asks the put's judge about a record that is to be stored.
func (o *Oracle) judge(scope gate.Scope, p store.Put, s *Stored) {
	var prior []record.Record
	for _, x := range o.Records {
		if x.ID == s.ID && x.Hold == nil && o.visible(scope, x) {
			prior = append(prior, x.header())
		}
	}
	if p.Judge == nil || len(prior) == 0 {
		return
	}
	judged := p.Judge(prior)
	if judged == nil {
		return
	}
	h := *judged
	if p.Hold == nil {
		h.Intended, s.Label = s.Label, p.HeldLabel
	} else {
		h = *p.Hold
		h.Reasons = slices.Concat(h.Reasons, judged.Reasons)
		h.Awaits = slices.Concat(h.Awaits, judged.Awaits)
	}
	s.Hold = &h
}

// header is the record without its bytes, as a store gives it.
func (s *Stored) header() record.Record {
	r := s.Record
	r.Version, r.Order, r.Body, r.Envelope, r.Lookups = s.version(), s.order(), nil, nil, nil
	return r
}

// item is the record as a store gives it in a collection.
func (s *Stored) item(collection string, headers bool) store.Item {
	r := s.header()
	if !headers {
		r.Body, r.Envelope = s.Body, s.Envelope
	}
	return store.Item{Seq: s.Places[collection], Rec: s.Rec, Held: s.Hold != nil, Record: r}
}

// Due are the first records of each kind that time has made due.
func (o *Oracle) Due(scope gate.Scope, at time.Time, limit int) (due store.Due) {
	reached := func(of func(*Stored) time.Time) (items []store.Item) {
		var list []*Stored
		for _, s := range o.Records {
			if t := of(s); !t.IsZero() && !at.Before(t) && o.visible(scope, s) {
				list = append(list, s)
			}
		}
		slices.SortFunc(list, func(a, b *Stored) int { return cmp.Or(of(a).Compare(of(b)), cmp.Compare(a.Rec, b.Rec)) })
		for _, s := range list[:min(limit, len(list))] {
			items = append(items, s.item("", true))
		}
		return items
	}
	due.Lifted = reached(func(s *Stored) time.Time { return s.Label.NotBefore })
	due.Expired = reached(func(s *Stored) time.Time { return s.Label.NotAfter })
	return due
}

func (o *Oracle) entry(kind store.EntryKind, seq, rec record.Seq) {
	o.Last = max(o.Last, seq)
	o.Entries = append(o.Entries, store.Entry{Seq: seq, Kind: kind, Rec: rec})
}

// Select is everything a query matches, without its cursor and limits.
func (o *Oracle) Select(scope gate.Scope, q store.Query) []*Stored {
	var match []*Stored
	for _, s := range o.Records {
		seq, in := s.Places[q.Collection]
		if in && o.visible(scope, s) && seq > q.AddedAfter && (q.Before == 0 || seq < q.Before) &&
			(s.Hold == nil || q.Held || !scope.IsOwn()) &&
			any(q.IDs, s.ID) && any(q.Types, s.Type) && any(q.Specs, s.Spec) && any(q.TLPs, s.Label.TLP) && all(q.Lookups, s.Lookups) &&
			(q.Org == "" || s.Origin.Nation == q.Nation && s.Origin.Org == q.Org) {
			match = append(match, s)
		}
	}
	var chosen []*Stored
	for _, s := range match {
		if o.chosen(q, s, match) {
			chosen = append(chosen, s)
		}
	}
	slices.SortFunc(chosen, func(a, b *Stored) int { return int(a.Places[q.Collection] - b.Places[q.Collection]) })
	return chosen
}

// chosen applies the version filter to one record among all that match.
func (o *Oracle) chosen(q store.Query, s *Stored, match []*Stored) bool {
	var peers []*Stored
	for _, p := range match {
		if p.ID == s.ID {
			peers = append(peers, p)
		}
	}
	if len(q.Specs) == 0 {
		latest := s.Spec
		for _, p := range peers {
			latest = max(latest, p.Spec)
		}
		if s.Spec != latest {
			return false
		}
		peers = slices.DeleteFunc(peers, func(p *Stored) bool { return p.Spec != latest })
	}
	first, last := s.order(), s.order()
	for _, p := range peers {
		first, last = min(first, p.order()), max(last, p.order())
		if p.order() == s.order() && p.Spec == s.Spec && p.Places[q.Collection] < s.Places[q.Collection] {
			return false
		}
	}
	return wanted(q.Versions, s.order(), first, last)
}

func wanted(v store.Versions, order, first, last string) bool {
	if v.All || v.First && order == first || v.Last && order == last || slices.Contains(v.At, order) {
		return true
	}
	return !v.First && len(v.At) == 0 && order == last
}

func any[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

func all(want, have []record.Lookup) bool {
	for _, l := range want {
		if !slices.Contains(have, l) {
			return false
		}
	}
	return true
}

// Remove takes places out and tells how many.
func (o *Oracle) Remove(scope gate.Scope, r store.Removal) (n int) {
	var match []*Stored
	for _, s := range o.Records {
		if _, in := s.Places[r.Collection]; in && s.ID == r.ID && (r.Rec == 0 || s.Rec == r.Rec) && o.visible(scope, s) && any(r.Specs, s.Spec) {
			match = append(match, s)
		}
	}
	v := r.Versions
	if !v.First && !v.Last && len(v.At) == 0 {
		v.All = true
	}
	for _, s := range match {
		first, last := s.order(), s.order()
		for _, p := range match {
			first, last = min(first, p.order()), max(last, p.order())
		}
		if !v.All && !(v.First && s.order() == first) && !(v.Last && s.order() == last) && !slices.Contains(v.At, s.order()) {
			continue
		}
		n++
		o.entry(store.EntryRemove, 0, s.Rec)
		delete(s.Places, r.Collection)
		if r.Collection == "" || len(s.Places) == 1 {
			o.erase(s)
			if slices.ContainsFunc(o.held, func(h holding) bool { return h.rec == s.Rec }) {
				o.removed = append(o.removed, s)
			}
		}
	}
	return n
}

func (o *Oracle) erase(s *Stored) {
	o.Records = slices.DeleteFunc(o.Records, func(x *Stored) bool { return x == s })
}

// Relabel moves a record to the seq that the driver gave, if the scope sees it.
func (o *Oracle) Relabel(scope gate.Scope, r store.Relabelling, seq record.Seq) bool {
	s := o.find(scope, r.Rec)
	if s == nil {
		return false
	}
	s.Label = r.Label
	if r.EndHold {
		s.Hold = nil
	}
	for c := range s.Places {
		s.Places[c] = seq
	}
	o.entry(store.EntryRelabel, seq, s.Rec)
	return true
}

func (o *Oracle) find(scope gate.Scope, rec record.Seq) *Stored {
	for _, s := range o.Records {
		if s.Rec == rec && o.visible(scope, s) {
			return s
		}
	}
	return nil
}

// Purge destroys what the scope sees under an id, and the purge is for.
func (o *Oracle) Purge(scope gate.Scope, p store.Purge) int {
	var recs []record.Seq
	for _, s := range slices.Clone(o.Records) {
		if s.ID == p.ID && o.visible(scope, s) && p.Concerns(s.Origin.Nation, s.Origin.Org) {
			o.erase(s)
			recs = append(recs, s.Rec)
		}
	}
	remembered := len(o.removed)
	o.removed = slices.DeleteFunc(o.removed, func(s *Stored) bool {
		return s.ID == p.ID && known(scope, s) && p.Concerns(s.Origin.Nation, s.Origin.Org)
	})
	if len(recs)+remembered-len(o.removed) > 0 {
		slices.Sort(recs)
		o.entry(store.EntryPurge, 0, 0)
		o.Entries[len(o.Entries)-1].Recs = recs
	}
	return len(recs)
}

// known tells whether a viewer may know of a record, even when its retention has ended.
func known(scope gate.Scope, s *Stored) bool {
	m := timeless(s.Mark())
	return scope.Admits(m) && scope.InForce(m, s.Label.NotBefore, time.Time{})
}

// Quarantined are the held records that a query selects, oldest first.
func (o *Oracle) Quarantined(scope gate.Scope, q store.QuarantineQuery) []*Stored {
	var held []*Stored
	for _, s := range o.Records {
		if s.Hold != nil && o.visible(scope, s) && s.Rec > q.After && (q.Rec == 0 || q.Rec == s.Rec) && (q.Awaits == "" || slices.Contains(s.Hold.Awaits, q.Awaits)) {
			held = append(held, s)
		}
	}
	slices.SortFunc(held, func(a, b *Stored) int { return int(a.Rec - b.Rec) })
	if q.Limit > 0 {
		held = held[:min(q.Limit, len(held))]
	}
	return held
}

// Release notes what a party holds from now on, unless a record that it does not hold is no more.
func (o *Oracle) Release(r store.Release, at time.Time) bool {
	var fresh []holding
	for _, rec := range slices.Compact(slices.Sorted(slices.Values(r.Recs))) {
		h := holding{r.Party, r.Clause, rec, at}
		if slices.ContainsFunc(o.held, func(x holding) bool { return x.party == h.party && x.clause == h.clause && x.rec == h.rec }) {
			continue
		}
		if !slices.ContainsFunc(o.Records, func(s *Stored) bool { return s.Rec == rec }) {
			return false
		}
		fresh = append(fresh, h)
	}
	o.held = append(o.held, fresh...)
	if len(fresh) > 0 {
		o.entry(store.EntryRelease, 0, 0)
	}
	return true
}

// Holders are everyone who was given a version of the id that the viewer may know of.
func (o *Oracle) Holders(scope gate.Scope, id string) (list []store.Holding) {
	held := slices.SortedFunc(slices.Values(o.held), func(a, b holding) int {
		return cmp.Or(cmp.Compare(a.party, b.party), cmp.Compare(a.clause, b.clause), cmp.Compare(a.rec, b.rec))
	})
	for _, h := range held {
		for _, s := range slices.Concat(o.Records, o.removed) {
			if s.Rec == h.rec && s.ID == id && known(scope, s) {
				list = append(list, store.Holding{Party: h.party, Clause: h.clause, ID: id, Version: s.version(), At: h.at})
			}
		}
	}
	return list
}
