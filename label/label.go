// Package label is the lattice of everything that restricts a record: TLP 2.0, class, audience, purpose, PAP, onward rule,
// attribution, embargo, retention, purge, mode, sector, authority, caveat and access. Joining two labels never permits more than
// either. It is pure: no network, no disk, no clock.
//
// Labels come from people (New and the fields), from their canonical JSON, and from STIX marking definitions (FromMarking, Combine).
package label

import (
	"strings"
	"time"
)

// Label is one point of the lattice. An audience only restricts, unless it is Named: then whoever stated it let the named ones have the record
// beyond the TLP's own reach, as the source of a TLP label may. A joined label is Named only when every part is, so that no audience that one
// part states widens the TLP of another. A TLP that reaches less than everybody is Named only together with an explicit audience.
//
// The zero value admits nobody but the originator: begin with Bottom or For and restrict, or begin with
// the zero value and permit. Labels without times (see Timeless) are comparable with ==; others with Equal.
type Label struct {
	TLP         TLP
	PAP         PAP
	Onward      Onward
	Attribution Attribution
	Purge       Purge
	Access      Access
	Purpose     Purposes
	Class       Class
	Mode        Mode
	Audience    Set       // principals that may hold it (see CheckPrincipal); all: whoever the TLP reaches
	Named       bool      // the organisations and persons in Audience are reached by name, also beyond whom the TLP reaches
	Sector      Set       // sectors a recipient may serve it to
	Authority   Set       // legal bases that must all be in force; all: none that could be named suffices
	Caveat      Set       // warnings that go with it
	NotBefore   time.Time // embargo: zero means none
	NotAfter    time.Time // retention: zero means for ever
}

// Times have microseconds and stay between these two.
var (
	earliest = time.Unix(1, 0).UTC()
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
)

// Bottom restricts nothing: joined with any label it changes nothing.
func Bottom() Label {
	return Label{
		TLP: Clear, PAP: PAPClear, Onward: OnwardFree, Attribution: May, Purge: PurgeNone, Access: Copy,
		Purpose: EveryPurpose, Class: Unclassified(), Mode: AnyMode, Audience: All(), Named: true, Sector: All(),
	}
}

// Top permits nothing: joined with any label it is what comes out. It is never in force.
func Top() Label {
	return Label{Mode: MixedMode, Authority: All(), Caveat: All(), NotBefore: latest, NotAfter: earliest}
}

// For is Bottom under the given TLP.
func For(t TLP) Label {
	l := Bottom()
	l.TLP = t
	return l.normal()
}

// To is the label with an explicit audience, reached by name.
func (l Label) To(audience Set) Label {
	l.Audience, l.Named = audience, true
	return l.normal()
}

// Timeless is the label without its embargo and retention times: what stores intern. Timeless labels are equal exactly when they are ==.
func (l Label) Timeless() Label {
	l.NotBefore, l.NotAfter = time.Time{}, time.Time{}
	return l.normal()
}

// Mode keeps exercises and operations apart: AnyMode < OperationalMode and every "exercise:NAME" < MixedMode. The zero value is AnyMode, the
// bottom, because a record takes the mode of the realm that it comes in by.
type Mode string

const (
	AnyMode         Mode = ""
	OperationalMode Mode = "operational"
	MixedMode       Mode = "mixed" // belongs to no realm
)

const exercisePrefix = "exercise:"

// Exercise is the mode of one exercise's records.
func Exercise(name string) Mode { return Mode(exercisePrefix + name) }

// Exercise is the name of the exercise whose mode it is, if it is one.
func (m Mode) Exercise() (name string, ok bool) {
	if name, ok = strings.CutPrefix(string(m), exercisePrefix); !ok {
		return "", false
	}
	return name, true
}

// ParseMode reads "any", "operational", "mixed" or "exercise:NAME".
func ParseMode(s string) (Mode, error) {
	if s == "any" {
		return AnyMode, nil
	}
	if m := Mode(s); m != AnyMode && m.valid() {
		return m, nil
	}
	return MixedMode, invalid("", "%s is no mode: write any, operational, mixed or exercise:NAME", quote(s))
}

func (m Mode) valid() bool {
	switch m {
	case AnyMode, OperationalMode, MixedMode:
		return true
	}
	name, ok := m.Exercise()
	return ok && checkMember(name) == nil
}

func (m Mode) String() string {
	if m == AnyMode {
		return "any"
	}
	return string(m)
}

func joinMode(a, b Mode) Mode {
	switch {
	case a == b, b == AnyMode:
		return a
	case a == AnyMode:
		return b
	}
	return MixedMode
}

func meetMode(a, b Mode) Mode {
	switch {
	case a == b, b == MixedMode:
		return a
	case a == MixedMode:
		return b
	}
	return AnyMode
}

// CheckPrincipal tells whether s can stand in an audience: "nation:KWT", "org:KWT/kw.ncsc", "person:KWT/kw.ncsc/alice", "node:NAME" or
// "community:NAME".
func CheckPrincipal(s string) error {
	if err := checkMember(s); err != nil {
		return err
	}
	kind, name, _ := strings.Cut(s, ":")
	nation, rest, _ := strings.Cut(name, "/")
	org, person, isPerson := strings.Cut(rest, "/")
	var ok bool
	switch kind {
	case "nation":
		ok = IsNation(name)
	case "org":
		ok = IsNation(nation) && org != "" && !isPerson
	case "person":
		ok = IsNation(nation) && org != "" && person != "" && !strings.Contains(person, "/")
	case "node", "community":
		ok = name != ""
	}
	if !ok {
		return invalid("", "%s is no principal: write nation:KWT, org:KWT/name, person:KWT/org/name, node:name or community:name", quote(s))
	}
	return nil
}

// NewAudience makes a set of principals.
func NewAudience(principals ...string) (Set, error) {
	for _, p := range principals {
		if err := CheckPrincipal(p); err != nil {
			return Set{}, err
		}
	}
	return NewSet(principals...)
}

// Nation, Org, Person and Community are the principals of that name.
func Nation(code string) string              { return "nation:" + code }
func Org(nation, org string) string          { return "org:" + nation + "/" + org }
func Person(nation, org, name string) string { return "person:" + nation + "/" + org + "/" + name }
func Community(name string) string           { return "community:" + name }
