package gate

import (
	"math/bits"
	"strings"
	"time"

	"entente/accord"
	"entente/label"
)

// Offer is what of a record matters for whether it may go to a party of an accord.
type Offer struct {
	Label      label.Label // joined with the labels of everything that the record names
	Origin     Party       // the originator
	Kind       string      // its STIX type, or a kind of another language
	Realm      label.Mode  // of the node that holds it; without one nothing goes
	Size       int64       // bytes of the object
	Attachment int64       // bytes of what is attached; 0: nothing is
	Source     string      // what the originator has it from, for legal bases ("private-sector"); empty: not known, every basis counts
	Released   bool        // a release officer signed this release
	Sealed     bool        // it is the originator's own signed bytes, and the signature holds: what others than the originator may pass on
	Closed     bool        // everything that it names may be had by the receiver
	Along      bool        // it is a marking definition, and goes along with a record that it marks: under any clause, and without an end
	Hidden     string      // where it is not closed: what the receiver may not have, for the owner's eyes
}

// Counters is what was there before this record.
type Counters struct {
	Today      int       // objects that went to the receiver under the accord today
	ShortSince time.Time // since when the receiver gives back less than the accord asks for; zero: it does not
}

// rule is a set of rules.
type rule uint32

// The rules in the order of the permit rule's clauses, P1 to P10. Those from firstOfGive on are judged for each give by itself, and a record goes
// under the first of them that keeps them all.
const (
	ruleParty rule = 1 << iota
	ruleEffective
	ruleSuspended
	ruleEnded
	ruleAudience
	ruleRelay
	ruleOnward
	ruleEmbargo
	ruleRetention
	rulePurpose
	ruleSector
	ruleMode
	ruleAuthority
	ruleQuota
	ruleSize
	ruleReciprocity
	ruleRefs
	ruleKind
	ruleGive
	ruleCeiling
	ruleClass
	ruleStrip
	ruleSubset
	rulePersons
	ruleOfficer

	firstOfGive = ruleKind
	endOfRules  = ruleOfficer << 1
)

// ask is one question.
type ask struct {
	from, to Party
	offer    *Offer
	now      time.Time
	counters Counters
	bases    map[string]time.Time
}

// Permit judges whether a record may go from one party to another now. It is pure and total: what is not known is not permitted. bases are the
// legal bases as Rules.Authorities has them.
func (s *Standing) Permit(from, to Party, o *Offer, now time.Time, c Counters, bases map[string]time.Time) Verdict {
	v := Verdict{ask: ask{from, to, o, now, c, bases}}
	if s == nil || o == nil || len(s.versions) == 0 {
		return v
	}
	v.standing, v.judged = s, true
	for i := range s.versions {
		failed, clause := s.judge(&s.versions[i], &v.ask)
		v.failed |= failed
		v.clauses[i] = int16(clause)
	}
	return v
}

// judge is the rules that a version of the accord finds broken, and the clause that it judged by: the first in rank that is kept, else the one of
// which the least is broken; -1: none is for the kind.
func (s *Standing) judge(t *version, q *ask) (failed rule, clause int) {
	w := t.who(q)
	failed = s.whole(t, q, w)
	nearest, clause := ruleKind, -1
	clauses := t.ranked[q.offer.Kind]
	if q.offer.Along {
		clauses = t.every
	}
	for _, i := range clauses {
		broken := t.give(i, q, w)
		if broken == 0 {
			return failed, i
		}
		if clause < 0 || bits.OnesCount32(uint32(broken)) < bits.OnesCount32(uint32(nearest)) {
			nearest, clause = broken, i
		}
	}
	return failed | nearest, clause
}

// who is the parties that a question is about, by number, and how the audience names the receiver.
type who struct {
	from, to, origin int
	how              naming
}

func (t *version) who(q *ask) who {
	w := who{from: t.number(q.from), to: t.number(q.to), origin: t.number(q.offer.Origin)}
	w.how = t.named(&q.offer.Label, w.to)
	return w
}

// whole is the rules that are broken whatever the clause.
func (s *Standing) whole(t *version, q *ask, w who) (failed rule) {
	o, l := q.offer, &q.offer.Label
	if w.from < 0 || w.to < 0 || w.origin < 0 || w.from == w.to || w.to == w.origin {
		failed |= ruleParty
	}
	if t.Effective.IsZero() || q.now.Before(t.Effective) || !t.Expires.IsZero() && !q.now.Before(t.Expires) {
		failed |= ruleEffective
	}
	if s.suspendedFor(q.from.Nation, q.to.Nation, o.Origin.Nation, q.now) {
		failed |= ruleSuspended
	}
	if s.endedFor(q.from.Nation, q.to.Nation, o.Origin.Nation, q.now) {
		failed |= ruleEnded
	}
	if !t.reaches(l, w.how) {
		failed |= ruleAudience
	}
	if q.from != o.Origin {
		if !o.Sealed {
			failed |= ruleRelay
		}
		if l.Onward < label.OnwardAudience {
			failed |= ruleOnward
		}
	}
	if !l.NotBefore.IsZero() && q.now.Before(l.NotBefore) {
		failed |= ruleEmbargo
	}
	if !l.NotAfter.IsZero() && !q.now.Before(l.NotAfter) {
		failed |= ruleRetention
	}
	if l.Purpose&t.Purpose&label.EveryPurpose == 0 {
		failed |= rulePurpose
	}
	if !l.Sector.Meets(t.Sectors) {
		failed |= ruleSector
	}
	if !t.mode(l.Mode, o.Realm) {
		failed |= ruleMode
	}
	if !inForce(l.Authority, q.bases, q.now) || !t.basesInForce(q) {
		failed |= ruleAuthority
	}
	if t.Limits.ObjectsPerDay > 0 && q.counters.Today >= t.Limits.ObjectsPerDay {
		failed |= ruleQuota
	}
	if exceeds(o.Size, t.Limits.Object) || exceeds(o.Attachment, t.Limits.Attachment) {
		failed |= ruleSize
	}
	if t.owes(q) {
		failed |= ruleReciprocity
	}
	if !o.Closed {
		failed |= ruleRefs
	}
	return failed
}

// give is the rules that one clause, which is for the record's kind, finds broken.
func (t *version) give(i int, q *ask, w who) (failed rule) {
	c, o, l := &t.Clauses[i], q.offer, &q.offer.Label
	if !c.FromSet.Has(w.origin) || !c.ToSet.Has(w.to) {
		failed |= ruleGive
	}
	if l.TLP < c.Ceiling || l.TLP > label.Clear {
		failed |= ruleCeiling
	}
	if !l.Class.LessEqual(ceiling(c.Class)) {
		failed |= ruleClass
	}
	if strips(c.Strip, o.Kind) {
		failed |= ruleStrip
	}
	if c.Subset && (!l.Named || w.how < byNation) { // whom nobody named nobody chose, whatever the TLP
		failed |= ruleSubset
	}
	if c.Persons != "" && !t.anyPerson(l, i, w) {
		failed |= rulePersons
	}
	if c.ReleaseOfficer && !o.Released {
		failed |= ruleOfficer
	}
	return failed
}

// number is the number of a party by its nation and organisation, or -1.
func (t *version) number(p Party) int {
	if p.Org == "" || p.Nation == "" {
		return -1
	}
	return t.Number(p.Nation, p.Org)
}

// naming is how an audience names a party.
type naming uint8

const (
	notNamed naming = iota
	byEverybody
	byCommunity
	byNation
	byOrg
	byPerson
)

// named is the way that an audience names a party, the most general but for its nation and organisation, which go before the community.
func (t *version) named(l *label.Label, to int) naming {
	if to < 0 {
		return notNamed
	}
	n := &t.names[to]
	switch {
	case l.Audience.IsAll():
		return byEverybody
	case l.Audience.IsEmpty():
		return notNamed
	case l.Audience.Has(n.org):
		return byOrg
	case l.Audience.Has(n.nation):
		return byNation
	case l.Audience.Has(t.community):
		return byCommunity
	case len(n.person) > 0 && hasPrefix(l.Audience, n.person):
		return byPerson
	}
	return notNamed
}

// reaches tells whether the originator's audience reaches a party. TLP:CLEAR reaches whoever the audience holds, and so does TLP:GREEN where the
// accord says that the parties are the community. All else reaches only those whom the audience names, and TLP:RED only organisations and persons.
func (t *version) reaches(l *label.Label, how naming) bool {
	switch {
	case how == notNamed:
		return false
	case l.TLP == label.Clear, l.TLP == label.Green && t.Community:
		return true
	case how == byEverybody, !l.Named, l.TLP > label.Clear:
		return false
	case l.TLP == label.Red:
		return how == byOrg || how == byPerson
	}
	return true
}

// mode: the record is of the realm that the accord is for, and the node, too.
func (t *version) mode(m, realm label.Mode) bool {
	return t.Mode != label.AnyMode && t.Mode != label.MixedMode && realm == t.Mode && (m == label.AnyMode || m == t.Mode)
}

// anyPerson tells whether a give to persons has one at the party whom the audience reaches.
func (t *version) anyPerson(l *label.Label, clause int, w who) bool {
	if w.to < 0 {
		return false
	}
	for p := range t.persons[clause].Members() {
		if strings.HasPrefix(p, t.names[w.to].person) && (w.how != byPerson || l.Audience.Has(p)) {
			return true
		}
	}
	return false
}

func hasPrefix(s label.Set, prefix string) bool {
	for m := range s.Members() {
		if strings.HasPrefix(m, prefix) {
			return true
		}
	}
	return false
}

// ceiling is the highest class of a clause: where none is said, what is not classified.
func ceiling(c label.Class) label.Class {
	if c == label.Mixed() {
		return label.Unclassified()
	}
	return c
}

func strips(strip []string, kind string) bool {
	for _, s := range strip {
		if s == kind {
			return true
		}
	}
	return false
}

func exceeds(size, limit int64) bool { return size < 0 || limit > 0 && size > limit }

// inForce tells whether all legal bases of a record are known and not past their sunset.
func inForce(needed label.Set, bases map[string]time.Time, now time.Time) bool {
	if needed.IsAll() {
		return false
	}
	for name := range needed.Members() {
		if until, known := bases[name]; !known || !until.IsZero() && !now.Before(until) {
			return false
		}
	}
	return true
}

// basesInForce tells whether the accord's own bases that cover the record are in force: before their sunset in the text, and before the earlier one that the node
// knows of.
func (t *version) basesInForce(q *ask) bool {
	for i := range t.Bases {
		b := &t.Bases[i]
		if !covers(b, q.offer) {
			continue
		}
		until, known := q.bases[b.Name]
		if !b.Sunset.IsZero() && !q.now.Before(b.Sunset) || known && !until.IsZero() && !q.now.Before(until) {
			return false
		}
	}
	return true
}

func covers(b *accord.Basis, o *Offer) bool {
	return (b.Kinds == nil || b.Kinds[o.Kind]) && (b.Origin == "" || o.Source == "" || b.Origin == o.Source)
}

// owes tells whether the flow is suspended because too little came back for too long.
func (t *version) owes(q *ask) bool {
	r := t.Reciprocity
	if r == nil || q.counters.ShortSince.IsZero() || !among(r.For, q.offer.Kind) {
		return false
	}
	if r.Otherwise == "notify" && r.SuspendAfter == 0 {
		return false
	}
	return !q.now.Before(q.counters.ShortSince.Add(r.SuspendAfter))
}

func among(list []string, word string) bool {
	for _, w := range list {
		if w == word {
			return true
		}
	}
	return false
}
