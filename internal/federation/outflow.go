package federation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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

// follow takes what the journal brings, and judges everything anew when accords change.
func (f *Federation) follow(ctx context.Context) {
	defer f.save()
	for ctx.Err() == nil {
		_, more := f.cfg.House.Newest()
		changed := f.cfg.Accords.Changed()
		err := f.Settle(ctx)
		switch {
		case err == nil:
			select {
			case <-ctx.Done():
			case <-more:
			case <-changed:
			case <-f.recovered:
			case <-f.tooSoon:
			case <-time.After(f.pauseTo(f.cfg.Tick)): // accords begin, days and shortages end
			}
		case ctx.Err() == nil:
			f.cfg.Log.Warn("giving to partners; it will be tried again", "error", err)
			pause(ctx, 2*time.Second)
		}
	}
}

// catchUp brings the own logs to where the journal is. As long as no accord ever stood, nobody was given anything, and nothing is read or kept.
func (f *Federation) catchUp(ctx context.Context) error {
	standings := f.cfg.Accords.Standings()
	if len(standings) == 0 {
		return nil
	}
	if err := f.awaiting(ctx); err != nil {
		return err
	}
	if err := f.resume(ctx); err != nil {
		return err
	}
	if err := f.tellAccords(ctx, standings); err != nil {
		return err
	}
	for {
		done, err := f.reconsider(ctx, standings)
		if err == nil {
			err = f.journal(ctx)
		}
		if err != nil || done {
			return err
		}
		standings = f.cfg.Accords.Standings()
	}
}

// resume finds where the node stopped, and completes what it had begun.
func (f *Federation) resume(ctx context.Context) error {
	if f.resumed {
		return nil
	}
	b, err := f.cfg.Ledger.Cursor(ctx, cursorName)
	if err != nil {
		return err
	}
	if len(b) == 8 {
		f.at = record.Seq(binary.BigEndian.Uint64(b))
	} else { // what is there already is judged as a whole
		f.at, _ = f.cfg.House.Newest()
		if err := f.cfg.Ledger.SetCursor(ctx, cursor(f.at)); err != nil {
			return err
		}
	}
	f.saved, f.savedAt = f.at, f.cfg.Now()
	f.out.Lock()
	defer f.out.Unlock()
	if err := f.complete(ctx); err != nil {
		return err
	}
	for origin := range f.earlier {
		if err := f.orderAgain(ctx, origin); err != nil {
			return err
		}
	}
	f.resumed = true
	return nil
}

// orderAgain gives once more, in the log that there is now for the same parties, the orders of a log that had ended which not every party answered: nobody can
// read them there any more. The caller holds out.
func (f *Federation) orderAgain(ctx context.Context, origin string) error {
	name := againName + origin
	if done, err := f.cfg.Ledger.Cursor(ctx, name); err != nil || done != nil {
		return err
	}
	open, err := f.cfg.Ledger.Unanswered(ctx, origin)
	if err != nil {
		return err
	}
	done := ledger.Cursor{Name: name, Value: []byte{1}}
	if len(open) == 0 {
		return f.cfg.Ledger.SetCursor(ctx, done)
	}
	l, ok, err := f.speaking(ctx, origin)
	if err != nil || !ok {
		return err
	}
	var w writing
	for i := range open {
		u := &open[i]
		payload, err := f.payload(ctx, u.Place)
		if err != nil {
			return err
		}
		var o peer.Order
		if err := json.Unmarshal(payload, &o); err != nil {
			return fmt.Errorf("reading an order of the log %s: %w", origin, err)
		}
		about := ledger.Place{Origin: origin, Index: u.Leaf.Target - 1, Leaf: peer.Leaf{Accord: u.Leaf.Accord, Commit: u.About}}
		version := u.Version
		if o.Log != "" { // it was given again before
			about.Origin, about.Index, about.Leaf.Commit = o.Log, o.Index, o.Target
			version = parseMark(u.Version).String()
		}
		if err := f.order(l, about, u.Object, version, peer.Order{Do: o.Do, Label: o.Label, Reason: o.Reason}, u.Leaf.Kind, &w); err != nil {
			return err
		}
	}
	return f.add(ctx, done, w.orders...)
}

// complete looks at what names the records that went out last: the node may have stopped before it did. The caller holds out.
func (f *Federation) complete(ctx context.Context) error {
	b, err := f.cfg.Ledger.Cursor(ctx, spreadName)
	if err != nil || len(b) == 0 {
		return err
	}
	items, err := f.referrers(ctx, strings.Fields(string(b)))
	if err != nil {
		return err
	}
	return f.spread(ctx, items, nil, nil)
}

// Places that are kept.
const (
	cursorName   = "journal"  // how far the journal was followed
	spreadName   = "spread"   // ids of the records that went out last, or were taken back
	againName    = "again/"   // and the origin of a log that had ended: its unanswered orders were given again
	judgedName   = "judged/"  // and the name of an accord: the state of it that every own record was judged by
	judgingName  = "judging"  // how far they are judged by others
	takenName    = "taken/"   // and what stands for an object: up to where in the journal it was taken back
	shortageName = "shortage" // and accord and party: since when it gives back too little
)

// step is how many lines of the journal or records are taken at once.
const step = 500

// journal follows the journal to its end.
func (f *Federation) journal(ctx context.Context) error {
	for {
		entries, err := f.cfg.House.Follow(ctx, f.at, step)
		if err != nil || len(entries) == 0 {
			return err
		}
		var items []store.Item
		relabelled := map[record.Seq]bool{}
		for i := range entries {
			e := &entries[i]
			if e.Record == nil || e.Held || e.Kind != store.EntryPut && e.Kind != store.EntryRelabel || !f.own(e.Record) {
				continue
			}
			was, known := relabelled[e.Rec]
			relabelled[e.Rec] = was || e.Kind == store.EntryRelabel
			if !known { // every line has the record as it is now: twice it would go out twice
				items = append(items, store.Item{Seq: e.Seq, Rec: e.Rec, Record: *e.Record})
			}
		}
		f.stir(items, relabelled)
		f.miss(entries)
		if len(items) > 0 {
			if err := f.give(ctx, items, relabelled, nil); err != nil {
				return err
			}
		}
		f.at = entries[len(entries)-1].Seq
		if f.cfg.Now().Sub(f.savedAt) > saveEvery || f.at-f.saved > 20*step {
			if err := f.cfg.Ledger.SetCursor(ctx, cursor(f.at)); err != nil {
				return err
			}
			f.saved, f.savedAt = f.at, f.cfg.Now()
		}
	}
}

// saveEvery is how long the place in the journal may be behind in the ledger: what is read again is found to have gone out.
const saveEvery = 5 * time.Second

// save keeps the place when the work ends.
func (f *Federation) save() {
	if f.resumed && f.at != f.saved {
		if err := f.cfg.Ledger.SetCursor(context.Background(), cursor(f.at)); err != nil {
			f.cfg.Log.Warn("the place in the journal was not kept; what follows it is read again", "error", err)
		}
	}
}

func (f *Federation) own(r *record.Record) bool {
	return r.Kind == record.STIX && r.Origin.Nation == f.cfg.Nation && r.Origin.Org == f.cfg.Org
}

func cursor(at record.Seq) ledger.Cursor {
	return ledger.Cursor{Name: cursorName, Value: binary.BigEndian.AppendUint64(nil, uint64(at))}
}

// stateOf is all that decides what an accord permits, beyond the records.
func (f *Federation) stateOf(s *accords.Standing) string {
	h := sha256.New()
	fmt.Fprintln(h, s.State, f.retired[s.Name])
	if n := f.attempt(s.Name); n > 0 {
		fmt.Fprintln(h, "attempt", n)
	}
	if f.asking.Load() {
		fmt.Fprintln(h, "asking") // what is not given meanwhile is judged again
	}
	now, bases := f.cfg.Now(), f.cfg.Bases()
	for _, name := range slices.Sorted(maps.Keys(bases)) {
		fmt.Fprintln(h, name, bases[name].IsZero() || now.Before(bases[name]))
	}
	newest := s.Versions[len(s.Versions)-1]
	if newest.Limits.ObjectsPerDay > 0 {
		fmt.Fprintln(h, now.UTC().Format(time.DateOnly)) // what was too much yesterday goes today
	}
	if newest.Reciprocity != nil {
		for _, p := range newest.Parties {
			fmt.Fprintln(h, p.Nation, !f.shortSince(s.Name, p.Nation).IsZero())
		}
	}
	return string(h.Sum(nil))
}

// reconsider judges every own record anew by the accords that may permit what they did not: one that begins, is amended or resumed. It takes some
// pages at a time, so that what is new need not wait, and says whether nothing is left.
func (f *Federation) reconsider(ctx context.Context, standings []accords.Standing) (done bool, err error) {
	states, err := f.unjudged(ctx, standings)
	if err != nil || len(states) == 0 {
		return err == nil, err
	}
	all := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(states)) {
		fmt.Fprintf(all, "%s %x\n", name, states[name])
	}
	key := string(all.Sum(nil))
	b, err := f.cfg.Ledger.Cursor(ctx, judgingName)
	if err != nil {
		return false, err
	}
	q := store.Query{Nation: f.cfg.Nation, Org: f.cfg.Org, Versions: store.Versions{All: true}, Specs: specs, Limit: step}
	if len(b) == len(key)+8 && string(b[:len(key)]) == key {
		q.After = record.Seq(binary.BigEndian.Uint64(b[len(key):]))
	} else {
		f.lost(states, false)
	}
	for range 20 {
		page, err := f.cfg.House.Page(ctx, q)
		if err != nil {
			return false, err
		}
		if err := f.give(ctx, page.Items, nil, states); err != nil {
			return false, err
		}
		q.After = page.Next
		if page.More {
			continue
		}
		return f.judgedAll(ctx, states)
	}
	at := ledger.Cursor{Name: judgingName, Value: []byte{}}
	if !f.lost(states, true) {
		at.Value = binary.BigEndian.AppendUint64([]byte(key), uint64(q.After))
	}
	return false, f.cfg.Ledger.SetCursor(ctx, at)
}

// judging is how far an accord was judged by.
type judging struct {
	all  string // the state of it by which every own record was judged; empty: none
	now  string // the one by which they are being judged
	lost bool   // some were judged by another state meanwhile
}

// unjudged are the accords by which not every own record was judged in the state that they are in, with that state.
func (f *Federation) unjudged(ctx context.Context, standings []accords.Standing) (map[string]string, error) {
	f.out.Lock()
	defer f.out.Unlock()
	states := map[string]string{}
	for i := range standings {
		s := &standings[i]
		j, known := f.judged[s.Name]
		if !known {
			b, err := f.cfg.Ledger.Cursor(ctx, judgedName+s.Name)
			if err != nil {
				return nil, err
			}
			j = &judging{all: string(b)}
			f.judged[s.Name] = j
		}
		if j.now = f.stateOf(s); j.all != j.now {
			states[s.Name] = j.now
		}
	}
	return states, nil
}

// overtaken notes accords that are in another state now than the one by which every own record was judged, or is being judged: what is judged in that state is judged
// once more when the accord comes back from it, however soon. The caller holds out.
func (f *Federation) overtaken(ctx context.Context, standings []accords.Standing) error {
	for name, j := range f.judged {
		i := slices.IndexFunc(standings, func(s accords.Standing) bool { return s.Name == name })
		if i >= 0 && f.stateOf(&standings[i]) == j.now {
			continue
		}
		if j.lost = true; j.all == "" {
			continue
		}
		if err := f.cfg.Ledger.SetCursor(ctx, ledger.Cursor{Name: judgedName + name, Value: []byte{}}); err != nil {
			return err
		}
		j.all = ""
	}
	return nil
}

// lost tells whether some records were judged by another state than the named one since it was last forgotten, or forgets it.
func (f *Federation) lost(states map[string]string, keep bool) (lost bool) {
	f.out.Lock()
	defer f.out.Unlock()
	for name := range states {
		lost = lost || f.judged[name].lost
		f.judged[name].lost = f.judged[name].lost && keep
	}
	return lost
}

// judgedAll keeps by which states every own record was judged. It is not done where one was in another state meanwhile.
func (f *Federation) judgedAll(ctx context.Context, states map[string]string) (done bool, err error) {
	f.out.Lock()
	defer f.out.Unlock()
	done = true
	for name, state := range states {
		j := f.judged[name]
		if j.lost {
			done = false
			continue
		}
		if err := f.cfg.Ledger.SetCursor(ctx, ledger.Cursor{Name: judgedName + name, Value: []byte(state)}); err != nil {
			return false, err
		}
		j.all = state
	}
	return done, f.cfg.Ledger.SetCursor(ctx, ledger.Cursor{Name: judgingName, Value: []byte{}})
}

// specs are the versions of the language that are given.
var specs = []string{"2.0", "2.1"}

// give adds to the own logs what the accords permit of some own records: all accords, or those that are named.
func (f *Federation) give(ctx context.Context, items []store.Item, relabelled map[record.Seq]bool, only map[string]string) error {
	f.out.Lock()
	defer f.out.Unlock()
	return f.spread(ctx, items, relabelled, only)
}

// spread considers records, then what names those that somebody sees in another way now, until nothing changes: it may have been waiting for them. The
// caller holds out.
func (f *Federation) spread(ctx context.Context, items []store.Item, relabelled map[record.Seq]bool, only map[string]string) error {
	for todo := items; len(todo) > 0; only = nil {
		standings := f.cfg.Accords.Standings() // as they are now: a suspension binds at once
		if err := f.overtaken(ctx, standings); err != nil {
			return err
		}
		w := writing{given: map[string]int{}, again: only != nil}
		for i := range todo {
			it := &todo[i]
			if it.Held || !f.own(&it.Record) {
				continue
			}
			if err := f.consider(ctx, standings, only, it, relabelled[it.Rec], &w); err != nil {
				return err
			}
		}
		if err := f.complement(ctx, &w); err != nil {
			return err
		}
		changed, err := f.write(ctx, &w)
		if err != nil {
			return err
		}
		if todo, err = f.referrers(ctx, changed); err != nil {
			return err
		}
	}
	return nil
}

// referrers are the own records that name one of the ids.
func (f *Federation) referrers(ctx context.Context, ids []string) ([]store.Item, error) {
	var out []store.Item
	have := map[record.Seq]bool{}
	for _, id := range ids {
		q := store.Query{Lookups: []record.Lookup{{Kind: record.Ref, Text: id}}, Nation: f.cfg.Nation, Org: f.cfg.Org, Versions: store.Versions{All: true}, Specs: specs}
		for {
			page, err := f.cfg.House.Page(ctx, q)
			if err != nil {
				return nil, err
			}
			for _, it := range page.Items {
				if !have[it.Rec] {
					have[it.Rec] = true
					out = append(out, it)
				}
			}
			if !page.More {
				break
			}
			q.After = page.Next
		}
	}
	return out, nil
}

// writing is what is to be added to own logs in one transaction.
type writing struct {
	revoked map[string]string // by object: the order of the version that revokes it. None before it goes out with it

	puts   []putting
	orders []ledger.Entry
	ids    []string       // whose visibility changes by it
	given  map[string]int // puts, by accord and party
	again  bool           // what a party refused is given once more

	suppose gate.Party // for whom a release officer is taken to have signed
}

// order is the number of the next put of an object in a log.
func (w *writing) order(origin, id string, places []ledger.Place) uint64 {
	n := uint64(1)
	for _, p := range places {
		if p.Origin == origin && p.Leaf.Kind == peer.Put {
			n++
		}
	}
	for i := range w.puts {
		if w.puts[i].origin == origin && w.puts[i].item.Record.ID == id {
			n++
		}
	}
	return n
}

type putting struct {
	group  group
	item   *store.Item
	origin string
	order  uint64
}

// consider adds to w what one record calls for.
func (f *Federation) consider(ctx context.Context, standings []accords.Standing, only map[string]string, it *store.Item, relabelled bool, w *writing) error {
	went, err := f.past(ctx, it.Record.ID)
	if err != nil {
		return err
	}
	for i := range standings {
		s := &standings[i]
		if _, ok := only[s.Name]; only != nil && !ok {
			continue
		}
		judged, groups, err := f.plan(ctx, s, it, went, w)
		if err != nil {
			return err
		}
		f.await(ctx, s.Name, it, judged, went.live)
		if relabelled || len(went.live) > 0 {
			if err := f.narrow(ctx, s, it, judged, groups, alone(went.live), w, relabelled); err != nil {
				return err
			}
		}
		for i := range groups {
			if err := f.put(ctx, &groups[i], it, went.places, w); err != nil {
				return err
			}
		}
	}
	if it.Record.Revoked {
		return f.recall(it, went.live, w)
	}
	return nil
}

// put adds what a group calls for.
func (f *Federation) put(ctx context.Context, g *group, it *store.Item, places []ledger.Place, w *writing) error {
	if g.due != send && g.due != relabel || f.asking.Load() {
		return nil
	}
	l, err := f.open(ctx, g.accord, g.parties)
	if err != nil {
		return err
	}
	if g.due == relabel {
		return f.relabel(l, g.at, it, g.label, g.mark, w)
	}
	if word := g.judged[0].word; word != nil && f.cfg.Now().After(word.NotAfter) {
		return f.askAgain(ctx, word.Key, "the signature of "+stampText(word.Time)+" was to be used before "+stampText(word.NotAfter))
	}
	w.puts = append(w.puts, putting{*g, it, l.origin, w.order(l.origin, it.Record.ID, places)})
	w.ids = append(w.ids, it.Record.ID)
	for _, j := range g.judged {
		w.given[counter(g.accord.Name, j.party)]++
	}
	return nil
}

// relabel tells those who have a record that it has another label.
func (f *Federation) relabel(l openLog, p ledger.Place, it *store.Item, to label.Label, m mark, w *writing) error {
	return f.order(l, p, it.Record.ID, m.String(), peer.Order{Do: peer.Relabel.String(), Label: &to}, peer.Relabel, w)
}

// narrow has destroyed what a party has and may not have any more, because of the record itself: its label became stricter, or something that it names
// went. That an accord is suspended or has ended takes nothing back: the accord says what happens then.
func (f *Federation) narrow(ctx context.Context, s *accords.Standing, it *store.Item, judged []Judged, groups []group, given []ledger.Place, w *writing, relabelled bool) error {
	denied := map[string]bool{}
	for _, j := range judged {
		denied[orgOf(j.party)] = !j.Permit && (!j.apart && byRecord(j, relabelled) || j.refused)
	}
	for _, p := range given {
		l, ok := f.logs[p.Origin]
		if !ok {
			l, ok = f.earlier[p.Origin]
		}
		if !ok || l.accord != s.Name || parseMark(p.Version).rec != int64(it.Rec) {
			continue
		}
		if slices.ContainsFunc(l.parties, func(party string) bool { return denied[party] }) {
			if l, ok, err := f.speaking(ctx, p.Origin); err != nil || !ok {
				return err
			} else if err := f.order(l, p, it.Record.ID, p.Version, peer.Order{Do: peer.Purge.String(), Reason: "audience"}, peer.Purge, w); err != nil {
				return err
			}
			w.ids = append(w.ids, it.Record.ID)
			continue
		}
		if relabelled {
			if err := f.tighten(l, p, it, judged, groups, w); err != nil {
				return err
			}
		}
	}
	return nil
}

// tighten tells of a stricter label those who have a record in another way than it would go now, and keep what they have: one party has it by an officer's word, and what
// the record would be today waits for another word; or they have a reduced copy, and what would go now is one for others, too.
func (f *Federation) tighten(l openLog, p ledger.Place, it *store.Item, judged []Judged, groups []group, w *writing) error {
	m := parseMark(p.Version)
	var labels []label.Label
	for i := range judged {
		if j := &judged[i]; j.lapsed && len(l.parties) == 1 && l.parties[0] == orgOf(j.party) {
			labels = append(labels, whole(j.label()))
		}
	}
	for i := range groups {
		if g := &groups[i]; m.class == rendition.Reduced && !slices.Equal(g.parties, l.parties) && slices.ContainsFunc(l.parties, func(p string) bool { return slices.Contains(g.parties, p) }) {
			labels = append(labels, g.label)
		}
	}
	if len(labels) == 0 {
		return nil
	}
	to := label.JoinAll(labels...)
	timeless, err := to.Timeless().MarshalJSON()
	if err != nil || m.label == short(timeless) {
		return err
	}
	m.label = short(timeless)
	return f.relabel(l, p, it, to, m, w)
}

// byRecord tells whether a denial is because of the record's label or what it names, and not of the state of the accord.
func byRecord(j Judged, relabelled bool) bool {
	if j.verdict.Permit() || j.verdict.Waits() {
		return j.Class == rendition.Withheld.String()
	}
	if !relabelled {
		return false
	}
	for _, r := range j.verdict.Reasons() {
		if !r.Permit {
			switch r.Code {
			case "accord.audience", "accord.ceiling", "accord.class", "accord.purpose", "accord.sector", "accord.subset", "accord.persons":
				return true
			}
		}
	}
	return false
}

// order adds an order about a leaf of an own log.
func (f *Federation) order(l openLog, p ledger.Place, id, version string, o peer.Order, kind peer.Kind, w *writing) error {
	s, err := f.cfg.Originate()
	if err != nil {
		return err
	}
	o.Accord, o.Target, o.Time = peer.Digest(p.Leaf.Accord), peer.Digest(p.Leaf.Commit), f.stamp()
	target := p.Index + 1
	if p.Origin != l.origin { // the ledger was restored since
		o.Log, o.Index, target = p.Origin, p.Index, 1
		version += fmt.Sprintf(" %s %d", p.Origin, p.Index)
	}
	envelope, err := peer.SignOrder(f.cfg.Realm, o, s)
	if err != nil {
		return err
	}
	w.orders = append(w.orders, ledger.Entry{Origin: l.origin, Envelope: envelope, Object: id, Version: version,
		Leaf: peer.Leaf{Kind: kind, Accord: p.Leaf.Accord, Time: o.Time, Target: target}})
	return nil
}

// speaking is the log in which something is said about what went out in a log: that one, or where it had ended when the node started, the one for the same
// parties now. It is not ok when there can be none: their accord is not here any more, or ended, and all that came under it was to be destroyed.
func (f *Federation) speaking(ctx context.Context, origin string) (l openLog, ok bool, err error) {
	if l, ok = f.logs[origin]; ok {
		return l, true, nil
	}
	old, ok := f.earlier[origin]
	if !ok {
		return l, false, nil
	}
	now := f.cfg.Now()
	if slices.ContainsFunc(f.cfg.Accords.Endings(), func(e accords.Ending) bool { return !now.Before(e.Purge) && leaves(&e, &old, f.cfg.Nation) }) {
		return l, false, nil
	}
	for _, s := range f.cfg.Accords.Standings() {
		if s.Name == old.accord {
			l, err = f.open(ctx, &s, old.parties)
			return l, err == nil, err
		}
	}
	return l, false, nil
}

func (f *Federation) stamp() time.Time { return f.cfg.Now().UTC().Truncate(time.Microsecond) }

// open is the own log for some parties of an accord. It begins with the accord itself.
func (f *Federation) open(ctx context.Context, s *accords.Standing, parties []string) (openLog, error) {
	origin, ok := f.ids[identity(s.Name, parties)]
	if !ok {
		g, err := f.cfg.Ledger.OpenLog(ctx, ledger.Identity{Org: f.cfg.Org, Accord: s.Name, Parties: parties})
		if err != nil {
			return openLog{}, err
		}
		f.remember(g)
		origin = g.Origin
	}
	l := f.logs[origin]
	return l, f.tell(ctx, l, s)
}

// tell adds the versions of the accord that stand to a log, before anything that they permit.
func (f *Federation) tell(ctx context.Context, l openLog, s *accords.Standing) error {
	for _, t := range s.Versions {
		if l.digests[t.Digest] {
			continue
		}
		name := fmt.Sprintf("accord/%s/%x", l.origin, t.Digest)
		if told, err := f.cfg.Ledger.Cursor(ctx, name); err != nil {
			return err
		} else if told == nil {
			b, err := f.cfg.Accords.BundleOf(t.Digest)
			if err != nil {
				return err
			}
			told := ledger.Entry{Origin: l.origin, Envelope: b, Leaf: peer.Leaf{Kind: peer.Accord, Accord: t.Digest, Time: f.stamp()}}
			if err := f.add(ctx, ledger.Cursor{Name: name, Value: []byte{1}}, told); err != nil {
				return err
			}
		}
		l.digests[t.Digest] = true
	}
	return nil
}

// tellAccords adds new versions to the logs that are there.
func (f *Federation) tellAccords(ctx context.Context, standings []accords.Standing) error {
	f.out.Lock()
	defer f.out.Unlock()
	for i := range standings {
		for _, l := range f.logs {
			if l.accord == standings[i].Name {
				if err := f.tell(ctx, l, &standings[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// write signs what goes out, notes who is given what, and adds it to the logs, under checkpoints. It gives the ids that somebody sees in another way now.
func (f *Federation) write(ctx context.Context, w *writing) ([]string, error) {
	if len(w.puts)+len(w.orders) == 0 {
		return nil, nil
	}
	entries, err := f.seal(w.puts)
	if err != nil {
		return nil, err
	}
	if err := f.note(ctx, w.puts); err != nil {
		return nil, err
	}
	slices.Sort(w.ids)
	ids := slices.Compact(w.ids)
	entries = append(entries, w.orders...) // what remains is there before what goes
	if err := f.add(ctx, ledger.Cursor{Name: spreadName, Value: []byte(strings.Join(ids, " "))}, entries...); err != nil {
		return nil, err
	}
	for key, n := range w.given {
		if _, counted := f.today[key]; counted {
			f.today[key] += n
		}
	}
	return ids, nil
}

// add adds to own logs and signs them.
func (f *Federation) add(ctx context.Context, at ledger.Cursor, entries ...ledger.Entry) error {
	k, err := f.cfg.Node()
	if err != nil {
		return err
	}
	_, err = f.cfg.Ledger.AppendSigned(ctx, at, ledger.Seal{Now: f.cfg.Now(), Key: k}, entries...)
	return err
}

// seal makes the signed renditions, those of one log under one signature. What is signed together shows how much it is, and hashes of the rest: so
// nothing is signed together that is not for the same parties.
func (f *Federation) seal(puts []putting) ([]ledger.Entry, error) {
	if len(puts) == 0 {
		return nil, nil
	}
	s, err := f.cfg.Originate()
	if err != nil {
		return nil, err
	}
	entries := make([]ledger.Entry, len(puts))
	payloads, places := map[string][][]byte{}, map[string][]int{}
	now := f.stamp()
	for i := range puts {
		p := &puts[i]
		digest := p.group.accord.Digest
		r := peer.Rendition{Accord: digest, Audience: p.group.parties, Class: peer.Class(p.group.result.Class.String()), Label: p.group.label, Nation: f.cfg.Nation, Org: f.cfg.Org,
			Object: p.group.result.Body}
		payload, err := r.Payload()
		if err != nil {
			return nil, fmt.Errorf("writing the rendition of %s: %w", p.item.Record.ID, err)
		}
		payloads[p.origin], places[p.origin] = append(payloads[p.origin], payload), append(places[p.origin], i)
		entries[i] = ledger.Entry{Origin: p.origin, Object: p.item.Record.ID, Version: p.group.mark.String(),
			Leaf: peer.Leaf{Kind: peer.Put, Accord: digest, Order: p.order, Time: now, NotAfter: p.group.label.NotAfter}}
	}
	for origin, list := range payloads {
		envelopes, err := peer.SignRenditions(f.cfg.Realm, list, s)
		if err != nil {
			return nil, err
		}
		for j, i := range places[origin] {
			entries[i].Envelope = envelopes[j]
		}
	}
	return entries, nil
}

// note writes down who is given what under which clause, before it can be had.
func (f *Federation) note(ctx context.Context, puts []putting) error {
	type release struct{ party, clause string }
	recs := map[release][]record.Seq{}
	for i := range puts {
		for _, j := range puts[i].group.judged {
			r := release{j.party.String(), j.verdict.Clause()}
			recs[r] = append(recs[r], puts[i].item.Rec)
		}
	}
	for r, list := range recs {
		slices.Sort(list)
		if err := f.cfg.House.Release(ctx, store.Release{Party: r.party, Clause: r.clause, Recs: slices.Compact(list)}); err != nil {
			return fmt.Errorf("writing down what %s is given: %w", r.party, err)
		}
	}
	return nil
}

// TakeBack tells everybody who has an own object to retract or to destroy it, and lets nothing of it go out that is here by now: what the journal was not
// followed to yet neither. It says how many orders that takes, one for each time that a version went out, and returns when they are durable; receipts follow.
func (f *Federation) TakeBack(ctx context.Context, id string, kind peer.Kind, reason string) (int, error) {
	f.out.Lock()
	defer f.out.Unlock()
	return f.takeBack(ctx, id, kind, reason)
}

// takeBack is TakeBack. The caller holds out.
func (f *Federation) takeBack(ctx context.Context, id string, kind peer.Kind, reason string) (int, error) {
	newest, _ := f.cfg.House.Newest()
	err := f.cfg.Ledger.SetCursor(ctx, ledger.Cursor{Name: f.takenKey(id), Value: binary.BigEndian.AppendUint64(nil, uint64(newest))})
	if err != nil {
		return 0, err
	}
	places, err := f.cfg.Ledger.Out(ctx, id)
	if err != nil {
		return 0, err
	}
	var w writing
	for _, p := range live(places) {
		l, ok, err := f.speaking(ctx, p.Origin)
		if err != nil {
			return 0, err
		}
		if !ok {
			continue
		}
		m := parseMark(p.Version)
		m.label = taken
		if err := f.order(l, p, id, m.String(), peer.Order{Do: kind.String(), Reason: reason}, kind, &w); err != nil {
			return 0, err
		}
	}
	w.ids = append(w.ids, id)
	if _, err := f.write(ctx, &w); err != nil {
		return 0, err
	}
	items, err := f.referrers(ctx, w.ids) // even when nothing was to be said: the node may have stopped here
	if err == nil {
		err = f.spread(ctx, items, nil, nil)
	}
	return len(w.orders), err
}

// takenKey names the place in the journal up to which an object was taken back. It does not name the object, which a purge would leave behind.
func (f *Federation) takenKey(id string) string { return takenName + f.keyed([]byte(id)) }

// isTaken tells whether a record was there when its object was taken back.
func (f *Federation) isTaken(ctx context.Context, it *store.Item) (bool, error) {
	b, err := f.cfg.Ledger.Cursor(ctx, f.takenKey(it.Record.ID))
	return len(b) == 8 && it.Rec <= record.Seq(binary.BigEndian.Uint64(b)), err
}

// taken stands for the label of what its originator took back: that version does not go out again, whatever its label says.
const taken = "taken"

func takenBack(places []ledger.Place, m mark) bool {
	return slices.ContainsFunc(places, func(p ledger.Place) bool {
		old := parseMark(p.Version)
		same := old.version == m.version || old.class == rendition.Reduced && m.class == rendition.Reduced && old.body == m.body // of a version that was not given for itself
		return p.Leaf.Target > 0 && old.label == taken && same
	})
}

// shown is what an audience sees of a rendition: of a reduced copy, all but the time of its last edit, which may be one that the audience is not to know of.
func shown(r *rendition.Result) []byte {
	if r.Class != rendition.Reduced {
		return r.Body
	}
	o, err := stix.Parse(r.Body)
	if err != nil || o.Modified() == "" {
		return r.Body
	}
	return bytes.ReplaceAll(r.Body, []byte(`"modified":"`+o.Modified()+`"`), []byte(`"modified":""`))
}

// Forget destroys what the ledger holds of an object, after it was purged here. What went out of it since it was taken back, a version that came between the
// two, is taken back as well.
func (f *Federation) Forget(ctx context.Context, id string) error {
	f.out.Lock()
	defer f.out.Unlock()
	for {
		late, err := f.takeBack(ctx, id, peer.Purge, "purged")
		if err != nil {
			return err
		}
		if late == 0 { // and nothing comes as long as out is held
			break
		}
		f.out.Unlock()
		err = f.Arrange(ctx)
		f.out.Lock()
		if err != nil {
			return err
		}
	}
	if err := f.complete(ctx); err != nil {
		return err
	}
	if err := f.cfg.Ledger.SetCursor(ctx, ledger.Cursor{Name: spreadName, Value: []byte{}}); err != nil {
		return err
	}
	if err := f.forgetProofs(ctx, func(a *accusationDoc) bool { return a.Found.Object == id }); err != nil {
		return err
	}
	places, err := f.cfg.Ledger.Out(ctx, id)
	if err != nil {
		return err
	}
	if err := f.unbox(ctx, places); err != nil { // before: nobody else remembers where it stood
		return err
	}
	_, err = f.cfg.Ledger.Purge(ctx, id)
	return err
}
