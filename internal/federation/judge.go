package federation

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"entente/accord"
	"entente/internal/accords"
	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/internal/rendition"
	"entente/internal/store"
	"entente/label"
	"entente/peer"
	"entente/stix"
)

// Judged is what one accord makes of one record for one party.
type Judged struct {
	Accord  string        `json:"accord"`
	Version int           `json:"version"`            // of the accord
	Phase   accords.Phase `json:"phase"`              // in which that version is
	Suppose bool          `json:"supposed,omitempty"` // as if that version were in force now at every party
	Party   string        `json:"party"`
	Permit  bool          `json:"permit"`
	Waits   bool          `json:"waits,omitempty"` // all that is missing is a release officer's signature
	Clause  string        `json:"clause,omitempty"`
	Reasons []gate.Reason `json:"reasons"`
	Class   string        `json:"class"` // "full", "reduced" or "withheld"
	Label   *label.Label  `json:"label,omitempty"`
	Body    []byte        `json:"body,omitempty"`    // exactly what the party would be given
	Removed []string      `json:"removed,omitempty"` // what was taken out of it
	Why     string        `json:"why,omitempty"`     // of what is withheld though the clauses permit it
	Has     bool          `json:"has,omitempty"`     // it went out already, and stands so there: nothing goes out now

	Before  *Judged         `json:"before,omitempty"`  // of a version that is supposed: by what is in force now
	Changes []accord.Change `json:"changes,omitempty"` // where that differs: what of the text differs that can be why

	defs  []definition   // of its markings, which go along
	along []gate.Verdict // what the accord says to each of them

	party   gate.Party
	verdict gate.Verdict
	result  rendition.Result
	plan    string                     // two parties with the same plan get the same bytes
	classes map[string]rendition.Class // how the party has what the record names, and the record itself
	copies  []string                   // logs in which it has reduced copies of that
	apart   bool                       // it is permitted, and cannot be made for those whom it is for
	word    *Statement                 // that a release officer signed, under which it goes
	signed  bool                       // it goes because an officer signed, with whatever key
	lapsed  bool                       // that word is about something else than what would go now, or counts no longer
	refused bool                       // an officer refused it, after it was signed
}

// mode is that of the node's realm, as labels have it.
func (f *Federation) mode() label.Mode { return label.Mode(f.cfg.Realm) }

// judge asks for every other party of an accord what it may have of an own record, alone. What w will add counts as given already.
func (f *Federation) judge(ctx context.Context, s *accords.Standing, it *store.Item, w *writing) ([]Judged, error) {
	now, bases := f.cfg.Now(), f.cfg.Bases()
	newest := s.Versions[len(s.Versions)-1]
	offer := gate.Offer{Label: it.Record.Label, Origin: gate.Party{Nation: it.Record.Origin.Nation, Org: it.Record.Origin.Org}, Kind: it.Record.Type, Realm: f.mode(),
		Size: int64(len(it.Record.Body)), Closed: true}
	signed := offer
	signed.Released = true
	out := make([]Judged, 0, len(newest.Parties))
	any := false
	for _, p := range newest.Parties {
		to := gate.Party{Nation: p.Nation, Org: p.Org}
		if to == f.self {
			continue
		}
		counters := gate.Counters{ShortSince: f.shortSince(s.Name, to.Nation)}
		if newest.Limits.ObjectsPerDay > 0 {
			today, err := f.count(ctx, s.Name, to, now)
			if err != nil {
				return nil, err
			}
			counters.Today = today + w.given[counter(s.Name, to)]
		}
		v := s.Permit(f.self, to, &offer, now, counters, bases)
		j := Judged{Accord: s.Name, Version: newest.Version, Party: to.String(), Class: rendition.Withheld.String(), party: to}
		if v.Waits() && f.released(ctx, it, w, &j) {
			v, j.signed = s.Permit(f.self, to, &signed, now, counters, bases), true
		}
		j.Permit, j.Waits, j.Clause, j.verdict = v.Permit(), v.Waits(), v.Clause(), v
		out = append(out, j)
		any = any || v.Permit() || v.Waits()
	}
	if !any {
		return out, nil
	}
	obj, err := stix.Parse(it.Record.Body)
	if err != nil {
		for i := range out {
			if j := &out[i]; j.Permit || j.Waits {
				j.withhold("it is kept here in spite of its errors, and such goes nowhere")
				j.apart = true
			}
		}
		return out, nil
	}
	defs, lost, err := f.definitions(ctx, obj)
	if err != nil {
		return nil, err
	}
	parties := make([]string, len(newest.Parties))
	for i, p := range newest.Parties {
		parties[i] = label.Org(p.Nation, p.Org)
	}
	for k := range defs {
		if defs[k].offer.Label, err = labelFor(parties); err != nil {
			return nil, err
		}
	}
	refs := references(obj, defs)
	seen, made := map[string]sight{}, map[string]rendition.Result{}
	for i := range out {
		if j := &out[i]; j.Permit || j.Waits {
			if lost != "" {
				j.Permit, j.Why = false, undefined+lost
				continue
			}
			for k := range defs {
				j.along = append(j.along, s.Permit(f.self, j.party, &defs[k].offer, now, gate.Counters{}, bases))
			}
			if err := f.render(ctx, s.Name, it, refs, defs, seen, made, j); err != nil {
				return nil, err
			}
			if j.Permit && (j.lapsed || j.word != nil && !j.word.covers(s.Digest, j)) {
				j.Permit, j.Waits, j.lapsed, j.Clause, j.Label, j.Why = false, true, true, "", nil, unsaid
			}
		}
	}
	return out, nil
}

// released asks what a release officer said of a record for a party. It tells whether the record is to be judged as one that was released: so is one whose
// signature counts no longer, for the sake of what went out by it.
func (f *Federation) released(ctx context.Context, it *store.Item, w *writing, j *Judged) bool {
	if w.suppose == j.party {
		return true
	}
	r := f.release(ctx, releaseKey(j.Accord, it, j.party))
	switch {
	case r.State == Signed:
		j.word = r.statement()
		return true
	case r.State == Refused:
		j.refused = len(r.Earlier) > 0
	case len(r.Earlier) > 0:
		j.word, j.lapsed = wordOf(r.Earlier[len(r.Earlier)-1]), true
		return true
	}
	return false
}

// references are the ids that a record and the definitions of its markings name, but for markings.
func references(o *stix.Object, defs []definition) []string {
	var ids []string
	add := func(o *stix.Object) {
		for _, r := range o.Refs() {
			if !strings.HasPrefix(r.ID, markingPrefix) {
				ids = append(ids, r.ID)
			}
		}
	}
	add(o)
	for i := range defs {
		add(defs[i].object)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// render makes what the party would be given. What was seen of other objects and made by the same plan serves the next party, too.
func (f *Federation) render(ctx context.Context, accord string, it *store.Item, refs []string, defs []definition, seen map[string]sight, made map[string]rendition.Result, j *Judged) error {
	needs := j.verdict.Needs()
	j.classes = make(map[string]rendition.Class, len(refs)+1)
	j.classes[it.Record.ID] = rendition.Full // as far as the rest of the plan lets it be
	var plan strings.Builder
	fmt.Fprintf(&plan, "%v %q %q", needs.Author, needs.Strip, needs.Anonymise)
	for _, id := range refs {
		at, ok := seen[id]
		if !ok {
			var err error
			if at, err = f.look(ctx, id); err != nil {
				return err
			}
			seen[id] = at
		}
		c, by := f.sees(&at, accord, j.party)
		j.classes[id] = c
		if by != "" {
			j.copies = append(j.copies, by)
		}
		fmt.Fprintf(&plan, " %s=%d%s", id, c, by)
	}
	if j.signed { // for this party alone, whoever else is signed for later
		plan.WriteString(" " + j.Party)
	}
	j.plan = plan.String()
	if why, err := f.accompany(accord, defs, needs, j); err != nil || why != "" {
		j.Permit, j.Why = false, why
		return err
	}
	// A reduced copy of what it names has an id of the set of recipients that it was made for. That set is known only when all parties were judged: see plan.
	r, ok := made[j.plan]
	if !ok || r.Class == rendition.Reduced {
		var err error
		if r, err = rendition.Make(it.Record.Body, f.recipe(accord, []string{orgOf(j.party)}, needs, j.classes)); err != nil {
			return fmt.Errorf("making a rendition of %s: %w", it.Record.ID, err)
		}
		made[j.plan] = r
	}
	j.result, j.Class, j.Removed = r, r.Class.String(), r.Removed
	if r.Class == rendition.Withheld {
		j.Permit, j.Why = false, r.Why.Sentence
		return nil
	}
	j.Body = r.Body
	if j.Permit {
		l := j.label()
		if l.Access < label.Copy && f.plain(j.party) {
			j.Permit, j.Class, j.Body, j.Why = false, rendition.Withheld.String(), nil, "it is to be looked at and not kept, and the party fetches by TAXII, where whoever fetches keeps"
			return nil
		}
		j.Label = &l
	}
	return nil
}

// label is the label that the party would be given the record with: never a looser one than an officer signed.
func (j *Judged) label() label.Label {
	if j.word != nil {
		return label.Join(j.verdict.Label(), j.word.Label)
	}
	return j.verdict.Label()
}

// recipe says what a copy for some parties is made by.
func (f *Federation) recipe(accord string, parties []string, needs gate.Needs, classes map[string]rendition.Class) rendition.Plan {
	return rendition.Plan{Key: f.audienceKey(accord, parties), Strip: needs.Strip, Anonymise: needs.Anonymise, Author: needs.Author, Extensions: f.cfg.Extensions,
		Sees: func(id string) rendition.Class { return classes[id] }}
}

func orgOf(p gate.Party) string { return label.Org(p.Nation, p.Org) }

// sight is where an object is.
type sight struct {
	out   []ledger.Place // it went out from here
	items []store.Item   // it is in the store
}

func (f *Federation) look(ctx context.Context, id string) (s sight, err error) {
	places, err := f.cfg.Ledger.Out(ctx, id)
	if err != nil {
		return s, err
	}
	page, err := f.cfg.House.Page(ctx, store.Query{IDs: []string{id}, Versions: store.Versions{All: true}, Specs: specs, Headers: true})
	return sight{live(places), page.Items}, err
}

// sees tells how a party has an object: as it gave it itself, as another gave it to both, or as it went out from here; by says in which log. Of several
// reduced copies it is the last under the accord, which whoever else is given that one has, too.
func (f *Federation) sees(s *sight, accord string, p gate.Party) (c rendition.Class, by string) {
	same := false
	for _, at := range slices.Backward(s.out) {
		l, ok := f.logs[at.Origin]
		if !ok || !slices.Contains(l.parties, orgOf(p)) {
			continue
		}
		if v := parseMark(at.Version); v.class == rendition.Full {
			return rendition.Full, ""
		} else if c == rendition.Withheld || !same && l.accord == accord {
			c, by, same = v.class, at.Origin, l.accord == accord
		}
	}
	for i := range s.items {
		r := &s.items[i].Record
		from := gate.Party{Nation: r.Origin.Nation, Org: r.Origin.Org}
		if from == p || from != f.self && !r.Label.Audience.IsAll() && r.Label.Audience.Has(orgOf(p)) {
			return rendition.Full, ""
		}
	}
	return c, by
}

// live are the puts that no later order of their log took back, the oldest first, each as its last relabelling left it.
func live(places []ledger.Place) []ledger.Place {
	type leaf struct {
		origin string
		index  uint64
	}
	puts := map[leaf]int{}
	var out []ledger.Place
	ended := map[leaf]bool{}
	for _, p := range places { // orders come after what they are about
		target := leaf{p.Origin, p.Leaf.Target - 1}
		if m := parseMark(p.Version); m.log != "" {
			target = leaf{m.log, m.index}
		}
		switch p.Leaf.Kind {
		case peer.Put:
			puts[leaf{p.Origin, p.Index}] = len(out)
			out = append(out, p)
		case peer.Relabel:
			if i, ok := puts[target]; ok {
				out[i].Version = p.Version
			}
		default:
			ended[target] = true
		}
	}
	return slices.DeleteFunc(out, func(p ledger.Place) bool { return p.Gone || ended[leaf{p.Origin, p.Index}] })
}

// mark is what the ledger keeps of a put, to know whether what would go out now went out already.
type mark struct {
	version string
	class   rendition.Class
	body    string // of what went out, but for the label
	label   string // without times
	rec     int64

	// Of an order about what went out in a log that had ended: where.
	log   string
	index uint64
}

func (m mark) String() string {
	return fmt.Sprintf("%s %d %s %s %d", or(m.version), m.class, m.body, m.label, m.rec)
}

func or(version string) string {
	if version == "" {
		return "-"
	}
	return version
}

func parseMark(s string) (m mark) {
	class := 0
	if _, err := fmt.Sscanf(s, "%s %d %s %s %d", &m.version, &class, &m.body, &m.label, &m.rec); err != nil {
		return mark{}
	}
	m.class = rendition.Class(class)
	if w := strings.Fields(s); len(w) == 7 {
		m.log = w[5]
		m.index, _ = strconv.ParseUint(w[6], 10, 64) // as order wrote it
	}
	return m
}

// keyed stands for what went out, and tells nothing of it: it outlives a purge, so that what was taken back does not come again.
func (f *Federation) keyed(b []byte) string {
	h := hmac.New(sha256.New, f.cfg.Secret)
	h.Write([]byte("body\x00"))
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil)[:12])
}

func short(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

func counter(accord string, to gate.Party) string { return accord + " " + orgOf(to) }

// count is how many objects went to the party under the accord today. The ledger is asked once a day, and after a restart. The caller holds out.
func (f *Federation) count(ctx context.Context, accord string, to gate.Party, now time.Time) (int, error) {
	now = now.UTC()
	if day := now.Format(time.DateOnly); day != f.day {
		f.day = day
		clear(f.today)
	}
	key := counter(accord, to)
	n, ok := f.today[key]
	if !ok {
		var err error
		if n, err = f.cfg.Ledger.Given(ctx, accord, orgOf(to), now.Truncate(24*time.Hour), nil); err != nil {
			return 0, err
		}
		f.today[key] = n
	}
	return n, nil
}
