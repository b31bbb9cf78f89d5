package index

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/label"
)

// Sort is the order of hits.
type Sort uint8

const (
	// Relevance puts what is called as the query first, then what has every word in its name or values, then the rest; each newest first.
	Relevance Sort = iota
	// Newest puts what was added last first.
	Newest
)

// Query is a search.
type Query struct {
	Text   string // see docs/search.md for its language; empty: everything
	Typing bool   // Text is being typed: the word at its end may go on
	Sort   Sort
	Limit  int    // hits; 0: 50, at most 1,000
	After  string // Result.Next of the page before: secret, it tells of the node's order
	Facets bool

	Filters []Filter // beside those of Text; all must hold
}

// Hit is one object that was found. The caller reads it through the exchange, which may hand out nothing when it has changed since.
type Hit struct {
	Rec  record.Seq
	ID   string
	Type string
	Held bool
	Rank int // 2: is called so; 1: every word is in its name or values; 0: in its text
}

// Place is Query.After for what follows the hit.
func (h Hit) Place() string {
	return string(binary.BigEndian.AppendUint64([]byte{byte(h.Rank)}, uint64(h.Rec)))
}

// Result is one page of hits.
type Result struct {
	Hits  []Hit
	Total int  // of all pages
	More  bool // Total is only a lower bound: a phrase was sought in so many objects and no more
	Next  string
	Types []Count // the facets, most frequent first
	TLPs  []Count
	Orgs  []Count // the organisations they came from, as far as their labels let the asker know
}

// Count is one value of a facet.
type Count struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

const (
	defaultHits  = 50
	maxHits      = 1000
	phraseChecks = 20_000 // objects that have all words of a phrase and are looked at for their order, newest first
	maxFacet     = 50
	patience     = 5 * time.Second // how long a query waits for its turn
	maxAuthors   = 1000            // identities that an author: may mean
)

// session is one query under way: a snapshot of the file, the columns, and what the asker may see.
type session struct {
	ctx  context.Context
	c    *zs.Conn
	m    *columns
	x    *Index
	segs []*segment
	v    *view
	s    gate.Scope
	from []byte // scratch
}

// read runs f for a scope. The columns stay as they are meanwhile.
func (x *Index) read(ctx context.Context, scope gate.Scope, kind string, f func(*session) error) (err error) {
	began := time.Now()
	var c *zs.Conn
	select {
	case c = <-x.conns:
	case <-ctx.Done():
		return fault.As(ctx.Err())
	case <-x.done:
		return room.Closed()
	case <-time.After(patience):
		return fault.New(fault.Unavailable, "index.busy", "the index is being opened, or has too much to do").After(patience)
	}
	defer func() { x.conns <- c }()
	c.SetInterrupt(ctx.Done())
	x.mu.RLock()
	defer x.mu.RUnlock()
	if err := lite.Exec(c, "BEGIN", nil); err != nil {
		c.SetInterrupt(nil)
		return room.Wrap("searching", err)
	}
	defer func() {
		c.SetInterrupt(nil)
		if e := lite.Exec(c, "ROLLBACK", nil); err == nil {
			err = e
		}
		err = room.Wrap("searching", err)
		x.metrics.query(kind, began)
	}()
	s := &session{ctx: ctx, c: c, m: x.cols, x: x, s: scope, v: x.view(scope)}
	if err := s.segments(); err != nil {
		return err
	}
	return f(s)
}

// segments finds those of the snapshot.
func (s *session) segments() error {
	known := make(map[int64]*segment, len(s.m.segments))
	for _, g := range s.m.segments {
		known[g.id] = g
	}
	var missing []int64
	err := lite.Exec(s.c, "SELECT id FROM segment ORDER BY lo", func(st *zs.Stmt) error {
		id := st.ColumnInt64(0)
		if known[id] == nil {
			missing = append(missing, id)
		}
		s.segs = append(s.segs, known[id])
		return nil
	})
	if err != nil || len(missing) == 0 {
		return err
	}
	s.segs = s.segs[:0] // just committed, and not yet in the columns
	return lite.Exec(s.c, segmentColumns+" ORDER BY lo", func(st *zs.Stmt) error {
		g, err := readSegment(st)
		s.segs = append(s.segs, g)
		return err
	})
}

// each visits the terms from a beginning on, as long as while holds, in every segment.
func (s *session) each(from []byte, while func(term []byte) bool, visit func(g *segment, term, data []byte)) error {
	for _, g := range s.segs {
		if s.ctx.Err() != nil {
			return fault.As(s.ctx.Err())
		}
		k := cursor{c: s.c, s: g}
		ok, err := k.seek(from)
		for ; err == nil && ok && while(k.term); ok, err = k.next() {
			visit(g, k.term, k.data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// exactly adds what has a term.
func (s *session) exactly(out bitmap, kind byte, text string) error {
	term := append(append(s.from[:0], kind), cut(text, maxTerm)...)
	s.from = term
	return s.each(term, func(t []byte) bool { return bytes.Equal(t, term) }, func(g *segment, _, data []byte) { out.gather(data, g.lo) })
}

// beginning adds what has a term with the beginning.
func (s *session) beginning(out bitmap, kind byte, text string) error {
	term := append(append(s.from[:0], kind), cut(text, maxTerm)...)
	s.from = term
	return s.each(term, func(t []byte) bool { return bytes.HasPrefix(t, term) }, func(g *segment, _, data []byte) { out.gather(data, g.lo) })
}

func (s *session) term(out bitmap, kind byte, text string, prefix bool) error {
	if prefix && utf8.RuneCountInString(text) >= minPrefix {
		return s.beginning(out, kind, text)
	}
	return s.exactly(out, kind, text)
}

func (s *session) empty() bitmap { return newBitmap(len(s.m.docs)) }

// found is what a query leaves of the view.
type found struct {
	all    bitmap
	rank   [3]bitmap // rank[2] ⊂ rank[1] ⊂ rank[0] = all
	capped bool
}

// Search finds objects.
func (x *Index) Search(ctx context.Context, scope gate.Scope, q Query) (res Result, err error) {
	parts, err := parse(q.Text, q.Typing)
	if err != nil {
		return res, err
	}
	for _, f := range q.Filters {
		p, err := f.part()
		if err != nil {
			return res, err
		}
		parts = append(parts, p)
	}
	if q.Limit <= 0 {
		q.Limit = defaultHits
	}
	q.Limit = min(q.Limit, maxHits)
	err = x.read(ctx, scope, "search", func(s *session) error {
		f, err := s.find(parts)
		if err != nil {
			return err
		}
		res.Total, res.More = f.all.count(), f.capped
		if q.Facets {
			s.facets(f.all, &res)
		}
		return s.page(f, q, &res)
	})
	return res, err
}

// find applies the parts of a query one after the other. Phrases come last: they are looked for in the texts themselves.
func (s *session) find(parts []part) (found, error) {
	f := found{all: s.v.is.clone()}
	var words []part
	for _, p := range parts {
		if p.field == "" {
			words = append(words, p)
			continue
		}
		keep := s.empty()
		for _, text := range append([]string{p.text}, p.or...) {
			if err := s.filter(keep, part{field: p.field, text: text}); err != nil {
				return f, p.at(err)
			}
		}
		f.keep(keep, p.not)
	}
	named := f.all.clone()
	ranked := false
	var phrases [][]uint32
	var nots []part
	for _, p := range words {
		any, name, phrase, err := s.words(p)
		if err != nil {
			return f, err
		}
		switch {
		case p.not && len(phrase) > 0:
			nots = append(nots, p)
		case p.not:
			f.all.andNot(any)
		default:
			ranked = true
			f.all.and(any)
			named.and(name)
			if len(phrase) > 0 {
				phrases = append(phrases, phrase)
			}
		}
	}
	for _, ph := range phrases {
		if err := s.checkPhrase(&f, ph, true); err != nil {
			return f, err
		}
	}
	for _, p := range nots {
		any, _, phrase, err := s.words(p)
		if err != nil {
			return f, err
		}
		has := found{all: f.all.clone()}
		has.all.and(any)
		if err := s.checkPhrase(&has, phrase, true); err != nil {
			return f, err
		}
		f.capped = f.capped || has.capped
		f.all.andNot(has.all)
	}
	f.rank[0] = f.all
	if !ranked {
		return f, nil
	}
	named.and(f.all)
	exact := s.empty()
	if err := s.exactly(exact, termExact, fold(joined(words))); err != nil {
		return f, err
	}
	exact.and(f.all)
	named.or(exact)
	f.rank[1], f.rank[2] = named, exact
	return f, nil
}

func (f *found) keep(b bitmap, not bool) {
	if not {
		f.all.andNot(b)
	} else {
		f.all.and(b)
	}
}

// joined is the text that the words of a query make.
func joined(words []part) string {
	var b strings.Builder
	for _, p := range words {
		if p.not {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strings.TrimSpace(p.text))
	}
	return b.String()
}

// words finds what has a word, or all words of several that are written together or in quotes. name is where they are all in names or
// values. What must follow each other comes back as phrase: that is for the caller to check.
func (s *session) words(p part) (any, name bitmap, phrase []uint32, err error) {
	text := fold(p.text)
	type unit struct {
		text string
		open bool // may go on
	}
	var units []unit
	runs(text, func(r run) {
		if !p.phrase && len(r.parts) > 1 && len(r.whole) <= maxRun {
			units = append(units, unit{text: r.whole}) // written as one, found as one
			phrase = append(phrase, 0)
			return
		}
		for _, w := range r.parts {
			units = append(units, unit{text: w})
			phrase = append(phrase, wordHash(w))
		}
	})
	if p.prefix && len(units) > 0 {
		units[len(units)-1].open = true
		phrase = phrase[:len(phrase)-1]
	}
	if len(phrase) < 2 || slices.Contains(phrase, 0) {
		phrase = nil
	}
	any, name = s.v.is.clone(), s.v.is.clone()
	for _, u := range units {
		inName := s.empty()
		if err = s.term(inName, termName, u.text, u.open); err != nil {
			return nil, nil, nil, err
		}
		all := inName.clone()
		if err = s.term(all, termWord, u.text, u.open); err != nil {
			return nil, nil, nil, err
		}
		any.and(all)
		name.and(inName)
	}
	if p.phrase {
		return any, name, phrase, nil
	}
	if v := refang(p.text); len(v) > 2 && strings.ContainsFunc(v, func(r rune) bool { return !isWord(r) }) || len(units) == 0 {
		values := s.empty()
		if err = s.term(values, termValue, valueKey(v), p.prefix); err != nil {
			return nil, nil, nil, err
		}
		values.and(s.v.is)
		if len(phrase) > 0 { // the order of the words is of no matter where the whole is a value
			return s.either(values, any, name, phrase)
		}
		if len(units) == 0 {
			return values, values.clone(), nil, nil
		}
		any.or(values)
		name.or(values)
	}
	return any, name, phrase, nil
}

// either joins what has a value with what has the words in their order.
func (s *session) either(values, any, name bitmap, phrase []uint32) (bitmap, bitmap, []uint32, error) {
	f := found{all: any}
	f.all.andNot(values)
	if err := s.checkPhrase(&f, phrase, true); err != nil {
		return nil, nil, nil, err
	}
	name.and(f.all)
	f.all.or(values)
	name.or(values)
	return f.all, name, nil, nil
}

// checkPhrase keeps what has the words one after the other, of the newest phraseChecks objects.
func (s *session) checkPhrase(f *found, phrase []uint32, keep bool) error {
	if len(phrase) == 0 {
		return nil
	}
	out := s.empty()
	left := phraseChecks
	var err error
	f.all.down(uint32(len(s.m.docs)), func(n uint32) bool {
		if left == 0 {
			f.capped = true
			return false
		}
		left--
		if left%256 == 0 && s.ctx.Err() != nil {
			err = fault.As(s.ctx.Err())
			return false
		}
		err = lite.Exec(s.c, "SELECT words FROM text WHERE n = ?", func(st *zs.Stmt) error {
			if follows(lite.Blob(st, 0), phrase) == keep {
				out.set(n)
			}
			return nil
		}, n)
		return err == nil
	})
	f.all = out
	return err
}

// follows tells whether the words of a phrase stand one after the other.
func follows(words []byte, phrase []uint32) bool {
next:
	for i := 0; i+4*len(phrase) <= len(words); i += 4 {
		for j, h := range phrase {
			if binary.LittleEndian.Uint32(words[i+4*j:]) != h {
				continue next
			}
		}
		return true
	}
	return false
}

// at says of a failure in which filter it is, where that stands beside the text.
func (p *part) at(err error) error {
	var f *fault.Error
	if p.beside && errors.As(err, &f) {
		f.Pointer = p.field
	}
	return err
}

// filter adds what a field:value means.
func (s *session) filter(out bitmap, p part) error {
	text := strings.TrimSpace(p.text)
	switch p.field {
	case fieldType:
		id, ok := s.m.nameIDs[strings.ToLower(text)]
		s.where(out, func(d *doc) bool { return ok && d.typ == id })
	case fieldTLP:
		t, err := readTLP(text)
		if err != nil {
			return err
		}
		s.where(out, func(d *doc) bool { return s.m.marks[d.mark].Label.TLP == t })
	case fieldRevoked:
		yes, err := readBool(text)
		if err != nil {
			return err
		}
		s.where(out, func(d *doc) bool { return d.flags&flagRevoked != 0 == yes })
	case fieldSince, fieldUntil:
		t, err := when(text, s.s.Now())
		if err != nil {
			return err
		}
		us := t.UnixMicro()
		s.where(out, func(d *doc) bool { return d.rec >= us == (p.field == fieldSince) })
	case fieldLabel:
		return s.exactly(out, termLabel, fold(text))
	case fieldSource:
		return s.source(out, text)
	case fieldAuthor:
		return s.author(out, p)
	case fieldID:
		num, err := s.m.object(s.c, s.x.secret, text)
		if err == nil && num != 0 && int(num) < len(s.m.objs) {
			if n := s.v.object(s.m, num); n != 0 {
				out.set(n)
			}
		}
		return err
	case fieldValue:
		return s.value(out, text)
	}
	return nil
}

// where adds what the asker may see and the condition lets through.
func (s *session) where(out bitmap, is func(*doc) bool) {
	s.v.is.each(func(n uint32) bool {
		if is(&s.m.docs[n]) {
			out.set(n)
		}
		return true
	})
}

// knows tells whether the asker may know where records with a mark came from.
func (s *session) knows(m *record.Mark) bool {
	v := s.s.Viewer()
	return s.s.IsOwn() || s.isOwn() || v.Nation == m.Nation && v.Org == m.Org || m.Label.Attribution == label.May
}

func (s *session) isOwn() bool {
	v := s.s.Viewer()
	return s.s.IsOwn() || v.Nation == s.x.cfg.Nation && v.Org == s.x.cfg.Org
}

// source finds what came from an organisation or nation, or, for the own organisation, by a way: "feed:NAME".
func (s *session) source(out bitmap, text string) error {
	want := fold(text)
	hit := make([]bool, len(s.m.marks))
	for i := range s.m.marks {
		m := &s.m.marks[i]
		hit[i] = (fold(m.Org) == want || fold(m.Nation) == want) && s.knows(m)
	}
	s.where(out, func(d *doc) bool { return hit[d.mark] })
	if !s.isOwn() {
		return nil
	}
	return s.exactly(out, termSource, "v:"+want)
}

// author finds what was made by an identity: its id, or the words of its name.
func (s *session) author(out bitmap, p part) error {
	who := map[uint32]bool{}
	if num, err := s.m.object(s.c, s.x.secret, strings.TrimSpace(p.text)); err != nil {
		return err
	} else if num != 0 {
		who[num] = true
	} else {
		_, name, _, err := s.words(part{text: p.text, phrase: true})
		if err != nil {
			return err
		}
		identity := s.m.nameIDs["identity"]
		name.and(s.v.is)
		name.each(func(n uint32) bool {
			if s.m.docs[n].typ == identity && identity != 0 {
				who[s.m.docs[n].obj] = true
			}
			return len(who) < maxAuthors
		})
	}
	if len(who) == 0 {
		return nil
	}
	by := s.m.nameIDs[createdBy]
	for num := range who {
		if int(num) >= len(s.m.objs) {
			continue
		}
		for e := s.m.objs[num].in; e != 0; e = s.m.edges[e-1].next {
			if s.m.edges[e-1].kind == by {
				out.set(s.m.edges[e-1].doc)
			}
		}
	}
	return nil
}

// value finds a value wherever it stands: an address also in the networks that hold it, a network also the addresses and networks in
// it, a domain name also its subdomains and parents and the URLs and mail addresses under them, a URL also what is known of its host.
func (s *session) value(out bitmap, text string) error {
	v := refang(text)
	if err := s.exactly(out, termValue, valueKey(v)); err != nil {
		return err
	}
	if a, err := netip.ParseAddr(strings.Trim(v, "[]")); err == nil {
		return s.address(out, a)
	}
	if p, ok := prefixOf(v); ok {
		return s.network(out, p)
	}
	host, is := v, false
	if h := hostOf(v); h != "" {
		host, is = h, true
		if a, err := netip.ParseAddr(h); err == nil {
			return s.address(out, a)
		}
	}
	d, ok := domainOf(host)
	if !ok {
		return nil
	}
	if !is {
		if err := s.beginning(out, termDomain, domainKey(d)); err != nil {
			return err
		}
	}
	for ; strings.Contains(d, "."); d = d[strings.IndexByte(d, '.')+1:] {
		if err := s.exactly(out, termDomain, domainKey(d)); err != nil {
			return err
		}
	}
	return nil
}

// address finds an address and the networks that hold it.
func (s *session) address(out bitmap, a netip.Addr) error {
	if err := s.exactly(out, termAddr, addrKey(a)); err != nil {
		return err
	}
	return s.holding(out, netip.PrefixFrom(netip.AddrFrom16(a.WithZone("").As16()), 128))
}

// holding finds the networks that a network is in, itself included.
func (s *session) holding(out bitmap, p netip.Prefix) error {
	for bits := p.Bits(); bits >= 0; bits-- {
		q, err := p.Addr().Prefix(bits)
		if err != nil {
			return err
		}
		if err := s.exactly(out, termNet, netKey(q)); err != nil {
			return err
		}
		if bits == 96 && p.Addr().Is4In6() {
			return nil
		}
	}
	return nil
}

// network finds the addresses and networks in a network, and those that it is in.
func (s *session) network(out bitmap, p netip.Prefix) error {
	for _, kind := range []byte{termAddr, termNet} {
		from, to := []byte(string(kind)+addrKey(p.Addr())), []byte(string(kind)+addrKey(last(p)))
		err := s.each(from, func(t []byte) bool { return len(t) > 16 && bytes.Compare(t[:17], to) <= 0 }, func(g *segment, t, data []byte) {
			if kind == termAddr || len(t) == 18 && int(t[17]) >= p.Bits() {
				out.gather(data, g.lo)
			}
		})
		if err != nil {
			return err
		}
	}
	return s.holding(out, p)
}

// page lists hits in order.
func (s *session) page(f found, q Query, res *Result) error {
	rank, below := 2, uint32(len(s.m.docs))
	if q.Sort == Newest {
		rank = 0
	}
	if q.After != "" {
		b := []byte(q.After)
		if len(b) != 9 || b[0] > 2 {
			return fault.New(fault.Invalid, "search.next", "this next is none of this search").At("next").Try("start again without it")
		}
		rank = int(b[0])
		rec := int64(binary.BigEndian.Uint64(b[1:]))
		at, _ := slices.BinarySearchFunc(s.m.docs, rec, func(d doc, rec int64) int {
			if d.rec < rec {
				return -1
			}
			return 1
		})
		below = uint32(at)
	}
	var ns []uint32
	var ranks []int
	for ; rank >= 0 && len(ns) <= q.Limit; rank-- {
		set := f.rank[rank]
		if set == nil {
			continue
		}
		var above bitmap
		if q.Sort == Relevance && rank < 2 {
			above = f.rank[rank+1]
		}
		set.down(below, func(n uint32) bool {
			if above == nil || !above.has(n) {
				ns, ranks = append(ns, n), append(ranks, rank)
			}
			return len(ns) <= q.Limit
		})
		below = uint32(len(s.m.docs))
	}
	more := false
	if len(ns) > q.Limit {
		ns, more = ns[:q.Limit], true
	}
	for i, n := range ns {
		d := &s.m.docs[n]
		id, err := objectID(s.c, d.obj)
		if err != nil {
			return err
		}
		res.Hits = append(res.Hits, Hit{Rec: record.Seq(d.rec), ID: id, Type: s.m.names[d.typ], Held: d.flags&flagHeld != 0, Rank: ranks[i]})
	}
	if more {
		res.Next = res.Hits[len(res.Hits)-1].Place()
	}
	return nil
}

// facets counts what was found.
func (s *session) facets(all bitmap, res *Result) {
	types, marks := make([]int, len(s.m.names)), make([]int, len(s.m.marks))
	all.each(func(n uint32) bool {
		d := &s.m.docs[n]
		types[d.typ]++
		marks[d.mark]++
		return true
	})
	byType, byTLP, byOrg := map[string]int{}, map[string]int{}, map[string]int{}
	for i, n := range types {
		if n > 0 {
			byType[s.m.names[i]] += n
		}
	}
	for i, n := range marks {
		if m := &s.m.marks[i]; n > 0 {
			byTLP[m.Label.TLP.String()] += n
			if s.knows(m) {
				byOrg[m.Org] += n
			}
		}
	}
	res.Types, res.TLPs, res.Orgs = counts(byType), counts(byTLP), counts(byOrg)
}

// counts lists the most frequent first.
func counts(by map[string]int) []Count {
	out := make([]Count, 0, len(by))
	for v, n := range by {
		out = append(out, Count{v, n})
	}
	slices.SortFunc(out, func(a, b Count) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Value, b.Value)
	})
	return out[:min(len(out), maxFacet)]
}
