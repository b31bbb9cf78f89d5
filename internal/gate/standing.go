package gate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"entente/accord"
	"entente/label"
)

// State is what stands of an accord at a node.
type State struct {
	// Versions are the versions that apply together: one, or, while an amendment is on its way, two. What they permit is what each of them
	// permits, and what goes out goes out under the join of their terms.
	Versions  []*accord.Terms
	Suspended []Suspension
	Ended     []End
	// Persons are the registers of persons that gives name, as person:NATION/org/name. A register that is not there has nobody in it.
	Persons map[string]label.Set
}

// Suspension stops flows from a time on. It only narrows, so that the word of whoever stated it is enough.
type Suspension struct {
	By    string    // the nation that stated it
	Of    string    // the nation whose flows stop, both ways; empty: all flows of the accord
	From  time.Time // zero: always
	Until time.Time // zero: until it is lifted
}

// End is when the accord ends.
type End struct {
	Of string    // the nation that leaves; empty: the accord ends for all
	At time.Time // zero: always
}

// Standing is an accord as it stands: what may go from whom to whom now. It does not change; when something of it does, another is made. Its zero
// value permits nothing.
type Standing struct {
	name      string
	versions  []version
	suspended []Suspension
	ended     []End
}

// maxVersions is how many versions apply together: the one in force and the one that is to follow.
const maxVersions = 2

// version is one version with what the rule looks up in it.
type version struct {
	*accord.Terms
	community string // the principal that means all parties
	names     []names
	persons   []label.Set // by clause: the persons who alone may have what it gives
	ranked    map[string][]int
	every     []int // all clauses, ranked
}

type names struct{ nation, org, person string } // principals; person is what those of its persons begin with

// NewStanding makes the standing of an accord. The terms must not change any more.
func NewStanding(s State) (*Standing, error) {
	if len(s.Versions) == 0 || len(s.Versions) > maxVersions {
		return nil, fmt.Errorf("an accord stands in one or two versions, not in %d", len(s.Versions))
	}
	st := &Standing{name: s.Versions[0].Name, suspended: slices.Clone(s.Suspended), ended: slices.Clone(s.Ended)}
	for _, t := range s.Versions {
		if t.Name != st.name {
			return nil, fmt.Errorf("versions of two accords, %s and %s, do not stand together", st.name, t.Name)
		}
		if len(t.Parties) > accord.MaxParties {
			return nil, fmt.Errorf("%s v%d has more than %d parties", t.Name, t.Version, accord.MaxParties)
		}
		st.versions = append(st.versions, compile(t, s.Persons))
	}
	slices.SortStableFunc(st.versions, func(a, b version) int { return cmp.Compare(a.Version, b.Version) })
	return st, nil
}

// Name is the name of the accord.
func (s *Standing) Name() string { return s.name }

func compile(t *accord.Terms, registers map[string]label.Set) version {
	v := version{Terms: t, community: label.Community(t.Name), ranked: make(map[string][]int, len(t.ByKind))}
	for _, p := range t.Parties {
		org := label.Org(p.Nation, p.Org)
		v.names = append(v.names, names{label.Nation(p.Nation), org, "person:" + p.Nation + "/" + p.Org + "/"})
	}
	for i := range t.Clauses {
		v.every = append(v.every, i)
		var persons label.Set
		if register := t.Clauses[i].Persons; register == "" {
			persons = label.All()
		} else if r, ok := registers[register]; ok && !r.IsAll() {
			persons = r
		}
		v.persons = append(v.persons, persons)
	}
	for kind, clauses := range t.ByKind {
		ranked := slices.DeleteFunc(slices.Clone(clauses), func(i int) bool { return i < 0 || i >= len(t.Clauses) })
		slices.SortStableFunc(ranked, func(a, b int) int { return v.rank(a, b) })
		v.ranked[kind] = ranked
	}
	slices.SortStableFunc(v.every, func(a, b int) int { return v.rank(a, b) })
	return v
}

// rank orders the clauses for one kind: of several that permit, the first here is the one under which a record goes. That is the one that
// binds the receiver least: a copy before a view, the organisation before some of its persons, the whole before a rendition, without an officer
// before with one, and else the one that stands first in the text.
func (v *version) rank(a, b int) int {
	x, y := &v.Clauses[a], &v.Clauses[b]
	return cmp.Or(
		cmp.Compare(number(views(x)), number(views(y))),
		cmp.Compare(number(x.Persons != ""), number(y.Persons != "")),
		cmp.Compare(len(x.Strip)+len(x.Anonymise), len(y.Strip)+len(y.Anonymise)),
		cmp.Compare(number(x.ReleaseOfficer), number(y.ReleaseOfficer)),
		cmp.Compare(a, b))
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// suspendedFor tells whether flows between the two stand still.
func (s *Standing) suspendedFor(from, to, origin string, now time.Time) bool {
	for _, x := range s.suspended {
		if concerns(x.Of, from, to, origin) && !now.Before(x.From) && (x.Until.IsZero() || now.Before(x.Until)) {
			return true
		}
	}
	return false
}

// Holds tells whether a nation may use now what it was given by another under the accord: nothing between the two is suspended or has ended.
func (s *Standing) Holds(to, origin string, now time.Time) bool {
	return !s.suspendedFor(origin, to, origin, now) && !s.endedFor(origin, to, origin, now)
}

func (s *Standing) endedFor(from, to, origin string, now time.Time) bool {
	for _, x := range s.ended {
		if concerns(x.Of, from, to, origin) && !now.Before(x.At) {
			return true
		}
	}
	return false
}

func concerns(of string, nations ...string) bool { return of == "" || slices.Contains(nations, of) }

func views(c *accord.Clause) bool { return c.HasAccess && c.Access == label.View }
