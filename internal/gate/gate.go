// Package gate decides: may this viewer have this record now, and why. The decision is pure and total, and returns every reason.
// The gate is a key and not a guard: every read of a store takes a Scope, and only this package makes one that admits anything.
package gate

import (
	"time"

	"entente/internal/record"
	"entente/label"
)

// Viewer is who asks: everything a decision may depend on.
type Viewer struct {
	Nation  string   // of the viewer's organisation
	Org     string   // the viewer's organisation; empty: nobody
	Person  string   // the account's name
	Roles   []string // see Roles
	Purpose []string // what the viewer asks for; empty: every purpose its organisation holds
	Realm   string   // "operational" or "exercise:NAME"
}

// Party is the viewer's organisation.
func (v Viewer) Party() Party { return Party{v.Nation, v.Org} }

// Gate makes scopes under one unchanging set of rules. When the register changes, make another.
type Gate struct{ rules Rules }

// New makes a gate. It keeps a copy of the rules.
func New(r Rules) *Gate { return &Gate{r.clone()} }

// WithClient is the gate with one more client of the own organisation: for somebody who stands in no register and is served all the same.
func (g *Gate) WithClient(p Party) *Gate {
	r := g.rules.clone()
	r.Clients = append(r.Clients, p)
	return &Gate{r}
}

// Scope is the key without which no store can be read. Its zero value admits nothing.
type Scope struct {
	own    bool // the node's own followers
	facts  *facts
	viewer Viewer
	now    time.Time
}

// facts is what a decision needs to know of a viewer, found once for all records.
type facts struct {
	party       Party
	node        Party // whose node it is
	realm       label.Mode
	alien       bool // the viewer is nobody, of another realm than the node, or apart
	principals  []string
	named       []string // those principals that stand for the organisation or the person alone
	own         bool     // of the node's own organisation
	client      bool     // of a client of it
	community   string   // the default community; empty: none is defined
	member      bool     // of the default community
	purposes    label.Purposes
	sectors     label.Set
	clearances  []label.Class
	authorities label.Set // in force
	key         string
}

// Scope is the key of a viewer at a time.
func (g *Gate) Scope(v Viewer, now time.Time) Scope {
	return Scope{facts: g.rules.facts(v, now), viewer: v, now: now}
}

// Own is the key of the node's own followers, which admits everything at any time. Only exchange and node may call it.
func (g *Gate) Own(now time.Time) Scope { return Scope{own: true, now: now} }

// Viewer is who holds the scope; of the node's own followers it is the zero value.
func (s Scope) Viewer() Viewer { return s.viewer }

// Now is the time that the scope was made for.
func (s Scope) Now() time.Time { return s.now }

// IsOwn tells whether the scope is that of the node's own followers.
func (s Scope) IsOwn() bool { return s.own }

// Key identifies what the scope admits: two scopes with equal keys admit the same marks, so a store may keep the admitted set.
func (s Scope) Key() string {
	switch {
	case s.own:
		return "own"
	case s.facts == nil:
		return "nothing"
	}
	return s.facts.key
}

// Admits tells whether the holder of the scope may have records with this mark; embargo and retention are InForce's.
func (s Scope) Admits(m record.Mark) bool {
	f := s.facts
	if s.own || f == nil || f.alien {
		return s.own
	}
	l := &m.Label
	if !f.mode(l) {
		return false
	}
	return f.originator(&m) || f.tlp(l) && f.audience(l) && f.purpose(l) && f.class(l) && f.sector(l) && f.authority(l)
}

// InForce tells whether a record with these label times may be had now: notBefore ≤ now < notAfter; zero times do not bind. The
// originator has its own records at any time.
func (s Scope) InForce(m record.Mark, notBefore, notAfter time.Time) bool {
	if s.own {
		return true
	}
	if s.facts == nil || s.facts.alien {
		return false
	}
	return s.facts.originator(&m) || s.begun(notBefore) && !s.ended(notAfter)
}

// Closes tells whether records with this mark are had by the holder of the scope only together with everything they name: those of the
// node's own organisation, for everybody else. What is received from others goes by its own label only.
func (s Scope) Closes(m record.Mark) bool {
	f := s.facts
	return f != nil && !f.own && m.Nation == f.node.Nation && m.Org == f.node.Org
}

// NamesAuthor tells whether naming its author is something that a record's label permits: then the author is not one of the things
// without which the record is kept back.
func NamesAuthor(l *label.Label) bool {
	return l.Attribution == label.May || l.Attribution == label.Must
}

func (s Scope) begun(notBefore time.Time) bool { return notBefore.IsZero() || !s.now.Before(notBefore) }
func (s Scope) ended(notAfter time.Time) bool  { return !notAfter.IsZero() && !s.now.Before(notAfter) }

func (f *facts) originator(m *record.Mark) bool {
	return m.Org == f.party.Org && m.Nation == f.party.Nation
}

func (f *facts) mode(l *label.Label) bool { return l.Mode == label.AnyMode || l.Mode == f.realm }

// tlp: whom the TLP reaches on this node, or whoever is named to have it.
func (f *facts) tlp(l *label.Label) bool { return f.reached(l.TLP) || f.isNamed(l) }

func (f *facts) reached(t label.TLP) bool {
	switch t {
	case label.Clear:
		return true
	case label.Green:
		// Whom TLP:AMBER reaches, TLP:GREEN reaches too: a stricter label never goes further.
		return f.own || f.client || f.community != "" && f.member
	case label.Amber:
		return f.own || f.client
	case label.AmberStrict:
		return f.own
	}
	return false
}

func (f *facts) isNamed(l *label.Label) bool {
	return l.Named && !l.Audience.IsAll() && hasAny(l.Audience, f.named)
}

func (f *facts) audience(l *label.Label) bool {
	return l.Audience.IsAll() || hasAny(l.Audience, f.principals)
}

func hasAny(s label.Set, words []string) bool {
	if s.IsEmpty() {
		return false
	}
	for _, w := range words {
		if s.Has(w) {
			return true
		}
	}
	return false
}

func (f *facts) purpose(l *label.Label) bool { return l.Purpose&f.purposes&label.EveryPurpose != 0 }

func (f *facts) class(l *label.Label) bool {
	if l.Class == label.Unclassified() {
		return true
	}
	for _, c := range f.clearances {
		if l.Class.LessEqual(c) && c != label.Mixed() {
			return true
		}
	}
	return false
}

func (f *facts) sector(l *label.Label) bool { return l.Sector.IsAll() || l.Sector.Meets(f.sectors) }

func (f *facts) authority(l *label.Label) bool {
	return l.Authority.IsEmpty() || !l.Authority.IsAll() && l.Authority.Within(f.authorities)
}
