package sqlite

import (
	"context"
	"slices"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
)

// Caps of one page.
const (
	pageItems   = 10_000
	pageBytes   = 32 << 20
	pageScanned = 50_000 // records looked at
	rare        = 256    // places of a lookup that leads alone
	maxTerms    = 10_000 // ids, types, specs, lookups and versions of one query
)

// Page implements store.Store.
func (s *Store) Page(ctx context.Context, scope gate.Scope, q store.Query) (page store.Page, err error) {
	if n := len(q.IDs) + len(q.Types) + len(q.Specs) + len(q.Lookups) + len(q.TLPs) + len(q.Versions.At); n > maxTerms {
		return page, fault.New(fault.TooLarge, "store.query", "a query has at most %d terms and this has %d", maxTerms, n)
	}
	if q.Limit <= 0 || q.Limit > pageItems {
		q.Limit = pageItems
	}
	if q.MaxBytes <= 0 || q.MaxBytes > pageBytes {
		q.MaxBytes = pageBytes
	}
	err = s.read(ctx, scope, func(r *reader) error {
		coll, ok := s.colls.id(q.Collection)
		if !ok {
			return nil
		}
		p := &pager{reader: r, ctx: ctx, q: &q, coll: coll}
		page, err = p.page()
		return err
	})
	if err != nil {
		return store.Page{}, room.Wrap("reading a page", err)
	}
	return page, nil
}

// pager answers one query on one snapshot.
type pager struct {
	*reader
	ctx     context.Context
	q       *store.Query
	coll    int64
	keyed   bool               // places come from id or lookup keys, and not from the streams of the collection
	steps   int                // places looked at
	scanned int                // records looked at that the scope sees
	winners map[string][]int64 // chosen places of each object with several versions, ascending
	scratch []place
}

func (p *pager) page() (store.Page, error) {
	var page store.Page
	places, err := p.places(int64(max(p.q.After, p.q.AddedAfter)))
	if err != nil {
		return page, err
	}
	size := 0
	for {
		at, ok, err := places.next()
		if err != nil {
			return page, err
		}
		if !ok || p.q.Before > 0 && at.seq >= int64(p.q.Before) {
			return page, nil
		}
		if err := p.step(); err != nil {
			return page, err
		}
		item, ok, err := p.item(at)
		if err != nil {
			return page, err
		}
		if ok {
			if len(page.Items) == p.q.Limit || size >= p.q.MaxBytes {
				page.More, page.Next = true, page.Items[len(page.Items)-1].Seq
				return page, nil
			}
			if n := len(page.Items); n == cap(page.Items) { // items are large: a page must not be copied over and over
				page.Items = slices.Grow(page.Items, min(p.q.Limit-n, 64+3*n))
			}
			page.Items = append(page.Items, item)
			size += len(item.Record.Body) + len(item.Record.Envelope)
		}
		if p.scanned >= p.s.cfg.scan {
			page.More, page.Next = true, record.Seq(at.seq)
			return page, nil
		}
	}
}

// step ends a walk whose caller has gone.
func (p *pager) step() error {
	if p.steps++; p.steps&255 == 0 && p.ctx.Err() != nil {
		return fault.As(p.ctx.Err())
	}
	return nil
}

// places is the ascending walk over the places that may match.
func (p *pager) places(after int64) (walk, error) {
	switch {
	case len(p.q.IDs) > 0:
		p.keyed = true
		var m merged
		for _, h := range p.hashes(keyID, p.q.IDs) {
			m.add(&source{p: p, h: h, after: after, keyed: true, size: chunkFor(p.q.Limit, len(p.q.IDs))})
		}
		return &m, m.start()
	case len(p.q.Lookups) > 0:
		p.keyed = true
		return p.crossed(after)
	}
	var m merged
	types := p.q.Types
	if len(types) == 0 {
		types = []string{""}
	}
	var streams []int64
	for _, id := range p.seen.list {
		if !p.wants(p.s.marks.mark(id)) {
			continue
		}
		for _, t := range types {
			if t != "" || len(p.q.Types) == 0 {
				streams = append(streams, p.h.streamKey(p.coll, id, t))
			}
		}
	}
	slices.Sort(streams)
	streams = slices.Compact(streams)
	for _, h := range streams {
		m.add(&source{p: p, h: h, after: after, size: chunkFor(p.q.Limit, len(streams))})
	}
	return &m, m.start()
}

// crossed is the walk over what has all the lookups: the few places of one of them, when one is rare, as the records are verified
// anyway, or else the intersection.
func (p *pager) crossed(after int64) (walk, error) {
	c := crossed{p: p, seq: after}
	var rarest *source
	for _, l := range p.q.Lookups {
		s := &source{p: p, h: p.h.of(byte(l.Kind), l.Text), after: after, keyed: true, size: rare}
		if _, _, err := s.peek(); err != nil {
			return nil, err
		}
		if s.end && (rarest == nil || len(s.buf) < len(rarest.buf)) {
			rarest = s
		}
		c.sources = append(c.sources, s)
	}
	if rarest != nil {
		c.sources = []*source{rarest}
	}
	return &c, nil
}

// hashes are the distinct hashes of texts.
func (p *pager) hashes(kind byte, texts []string) []int64 {
	hs := make([]int64, len(texts))
	for i, t := range texts {
		hs[i] = p.h.of(kind, t)
	}
	slices.Sort(hs)
	return slices.Compact(hs)
}

// item is the record at a place, if the query wants it there.
func (p *pager) item(at place) (item store.Item, ok bool, err error) {
	w, rec, ok, err := p.whole(at.rec, p.q.Headers || p.keyed)
	if err != nil || !ok {
		return item, false, err
	}
	if p.keyed {
		seq, in, err := placeOf(p.c, w, p.coll)
		if err != nil || !in || seq != at.seq {
			return item, false, err
		}
	}
	if ok, err := p.matches(w, &rec); err != nil || !ok {
		return item, false, err
	}
	switch v := &p.q.Versions; {
	case w.flags&flagMulti != 0:
		chosen, err := p.chosen(rec.ID)
		if err != nil {
			return item, false, err
		}
		if _, ok := slices.BinarySearch(chosen, at.seq); !ok {
			return item, false, nil
		}
	case len(v.At) > 0 && !v.All && !v.First && !v.Last && !slices.Contains(v.At, rec.Order):
		return item, false, nil
	}
	if p.keyed && !p.q.Headers {
		ok, st, err := p.fetch(at.rec, &p.rows[1], false)
		if err != nil || !ok {
			return item, false, err
		}
		p.bytes(st, &rec)
	}
	return itemAt(at.seq, w, rec), true, nil
}

// matches tells whether the scope and every filter but those of place and version let a record through.
// What the scope does not see does not count for how far a page goes: where a page ends must tell nothing of it.
func (p *pager) matches(w *row, rec *record.Record) (bool, error) {
	if ok, err := p.sees(w); err != nil || !ok {
		return false, err
	}
	p.scanned++
	q := p.q
	if !p.holds(w) ||
		len(q.Types) > 0 && !slices.Contains(q.Types, rec.Type) ||
		len(q.IDs) > 0 && !slices.Contains(q.IDs, rec.ID) ||
		len(q.Specs) > 0 && !slices.Contains(q.Specs, rec.Spec) ||
		(len(q.TLPs) > 0 || q.Org != "") && !p.wants(rec.Mark()) {
		return false, nil
	}
	for _, l := range q.Lookups {
		if !hasLookup(w.lookups, l) {
			return false, nil
		}
	}
	return true, nil
}

// wants tells whether the query is for records of this mark.
func (p *pager) wants(m record.Mark) bool {
	return (len(p.q.TLPs) == 0 || slices.Contains(p.q.TLPs, m.Label.TLP)) && (p.q.Org == "" || m.Org == p.q.Org && m.Nation == p.q.Nation)
}

// holds tells whether quarantine leaves the record to this query: submitters have their own by its label, the node's own followers
// only on demand.
func (p *pager) holds(w *row) bool {
	return w.flags&flagHeld == 0 || p.q.Held || !p.scope.IsOwn()
}

// chosen are the places that the version filter leaves of one object, among all that matches.
func (p *pager) chosen(id string) ([]int64, error) {
	if seqs, ok := p.winners[id]; ok {
		return seqs, nil
	}
	found, err := p.keys.lookup(p.c, p.h.of(keyID, id), int64(p.q.AddedAfter), everything, p.scratch)
	if err != nil {
		return nil, err
	}
	p.scratch = found
	var cands []candidate
	for _, at := range found {
		if p.q.Before > 0 && at.seq >= int64(p.q.Before) {
			continue
		}
		w := &p.rows[1]
		ok, _, err := p.fetch(at.rec, w, true)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if seq, in, err := placeOf(p.c, w, p.coll); err != nil {
			return nil, err
		} else if !in || seq != at.seq {
			continue
		}
		rec, err := w.record(p.s.marks.mark(w.label))
		if err != nil {
			return nil, err
		}
		if rec.ID != id {
			continue
		}
		if ok, err := p.matches(w, &rec); err != nil {
			return nil, err
		} else if ok {
			cands = append(cands, candidate{at.seq, at.rec, rec.Order, rec.Spec})
		}
	}
	p.scanned-- // the record that is asked for was counted before
	if p.winners == nil {
		p.winners = map[string][]int64{}
	}
	seqs := resolve(cands, p.q.Versions, len(p.q.Specs) > 0)
	p.winners[id] = seqs
	return seqs, nil
}
