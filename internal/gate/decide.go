package gate

import (
	"strings"
	"time"

	"entente/accord"
	"entente/internal/record"
	"entente/label"
)

// Decision is what the gate says on one record, with every reason for and against, and what a holder must observe.
type Decision struct {
	Permit      bool         `json:"permit"`
	Reasons     []Reason     `json:"reasons"`
	Obligations []Obligation `json:"obligations,omitempty"` // only of a permit
}

// Reason is one dimension's verdict. It is for the record's owner and the node's auditors: a refused viewer learns none of it.
type Reason struct {
	Code      string `json:"code"`      // "tlp.amber"
	Dimension string `json:"dimension"` // "tlp"
	Permit    bool   `json:"permit"`
	Sentence  string `json:"sentence"`
	Clause    string `json:"clause,omitempty"` // of the accord that it is about: "accord NAME vN give NAME"

	said, detail *accord.Phrase
}

// Obligation is a dimension that does not keep a record from a reader but binds what the reader does with it.
type Obligation struct {
	Dimension string `json:"dimension"`
	Value     string `json:"value"`
	Sentence  string `json:"sentence"`
}

// Decide judges a mark and its times, exactly as Admits and InForce do, and says why.
func (s Scope) Decide(m record.Mark, notBefore, notAfter time.Time) Decision {
	var d Decision
	switch {
	case s.own:
		d.say("scope.own", true, "the node itself follows its journal")
		d.Permit = true
		return d
	case s.facts == nil:
		d.say("scope.none", false, "no scope was given")
		return d
	}
	f, l := s.facts, &m.Label
	if f.alien {
		d.say("viewer.alien", false, "the viewer is of no organisation, of another realm than this node, or of an organisation that is given records under accords only")
	}
	d.sayMode(f, l)
	if f.originator(&m) {
		d.say("origin.own", true, "the record comes from the viewer's own organisation, which has its records whatever their label")
	} else {
		d.sayReach(f, l)
		d.sayConditions(f, l)
		d.sayTimes(s, notBefore, notAfter)
	}
	d.Permit = true
	for _, r := range d.Reasons {
		d.Permit = d.Permit && r.Permit
	}
	if d.Permit {
		d.Obligations = obligations(l, notAfter)
	}
	return d
}

func (d *Decision) say(code string, permit bool, english string, args ...any) {
	dimension, _, _ := strings.Cut(code, ".")
	r := Reason{Code: code, Dimension: dimension, Permit: permit, said: &accord.Phrase{Form: english, Args: args}}
	d.Reasons = append(d.Reasons, r.In(accord.Languages[0]))
}

func (d *Decision) sayMode(f *facts, l *label.Label) {
	switch {
	case f.mode(l):
		d.say("mode.realm", true, "the record's mode, %[1]s, is that of the realm %[2]s", l.Mode, f.realm)
	default:
		d.say("mode.other", false, "the record's mode, %[1]s, is not that of the realm %[2]s", l.Mode, f.realm)
	}
}

func (d *Decision) sayReach(f *facts, l *label.Label) {
	code := strings.ToLower(strings.Replace(l.TLP.String(), ":", ".", 1))
	switch reached := f.reached(l.TLP); {
	case f.isNamed(l) && !reached:
		d.say(code+".named", true, "%[1]s does not reach %[2]s, but the audience names it", l.TLP, f.party)
	case reached:
		d.say(code, true, "%[1]s reaches %[2]s here: %[3]s", l.TLP, f.party, f.reach(l.TLP))
	default:
		d.say(code, false, "%[1]s does not reach %[2]s here: it reaches %[3]s", l.TLP, f.party, f.reach(l.TLP))
	}
	switch {
	case l.Audience.IsAll():
		d.say("aud.all", true, "the audience is not restricted further")
	case f.audience(l):
		d.say("aud.inside", true, "the viewer is in the audience")
	default:
		d.say("aud.outside", false, "the viewer is not in the audience")
	}
}

// reach says whom a TLP reaches on this node.
func (f *facts) reach(t label.TLP) accord.Phrase {
	switch t {
	case label.Clear:
		return accord.Phrase{Form: "every authenticated viewer"}
	case label.Green:
		if f.community != "" {
			return accord.Phrase{Form: "the node's organisation, its clients and the community %[1]s", Args: []any{f.community}}
		}
		return accord.Phrase{Form: "the node's organisation and its clients, as no community is defined"}
	case label.Amber:
		return accord.Phrase{Form: "the node's organisation and its clients"}
	case label.AmberStrict:
		return accord.Phrase{Form: "the node's organisation"}
	}
	return accord.Phrase{Form: "only the originator and those whom it names"}
}

func (d *Decision) sayConditions(f *facts, l *label.Label) {
	switch {
	case f.purpose(l):
		d.say("purpose.shared", true, "the viewer's purposes meet the record's: %[1]s", l.Purpose&f.purposes)
	default:
		d.say("purpose.none", false, "the viewer's purposes (%[1]s) do not meet the record's (%[2]s)", f.purposes, l.Purpose)
	}
	switch {
	case l.Class == label.Unclassified():
		d.say("class.unclassified", true, "the record is not classified")
	case f.class(l):
		d.say("class.cleared", true, "%[1]s is cleared for %[2]s", f.party, l.Class)
	default:
		d.say("class.uncleared", false, "%[1]s is not cleared for %[2]s", f.party, l.Class)
	}
	switch {
	case l.Sector.IsAll():
		d.say("sector.all", true, "the record is for every sector")
	case f.sector(l):
		d.say("sector.shared", true, "%[1]s serves a sector that the record is for", f.party)
	default:
		d.say("sector.none", false, "%[1]s serves none of the sectors that the record is for", f.party)
	}
	switch {
	case l.Authority.IsEmpty():
		d.say("authority.none", true, "the record needs no legal basis")
	case f.authority(l):
		d.say("authority.in-force", true, "every legal basis of the record is in force")
	default:
		d.say("authority.lapsed", false, "not every legal basis of the record is in force")
	}
}

func (d *Decision) sayTimes(s Scope, notBefore, notAfter time.Time) {
	if !s.begun(notBefore) {
		d.say("time.embargo", false, "the record is under embargo until %[1]s", notBefore.UTC().Format(time.RFC3339))
	}
	if s.ended(notAfter) {
		d.say("time.expired", false, "the record's retention ended at %[1]s", notAfter.UTC().Format(time.RFC3339))
	}
	if s.begun(notBefore) && !s.ended(notAfter) {
		d.say("time.in-force", true, "the record is under no embargo and within its retention")
	}
}

// obligations are the dimensions that restrict a holder beyond reading.
func obligations(l *label.Label, notAfter time.Time) []Obligation {
	var list []Obligation
	add := func(binds bool, dimension, value, sentence string) {
		if binds {
			list = append(list, Obligation{dimension, value, sentence})
		}
	}
	add(l.PAP != label.PAPClear, "pap", l.PAP.String(), "act on it only as the PAP permits")
	add(l.Onward != label.OnwardFree, "onward", l.Onward.String(), "pass it on only as far as this goes")
	add(l.Attribution != label.May, "attrib", l.Attribution.String(), "name its source only as this permits")
	add(l.Purge != label.PurgeNone, "purge", l.Purge.String(), "destroy every copy when this comes about")
	add(l.Access != label.Copy, "access", l.Access.String(), "look at it, keep no copy")
	add(l.Purpose != label.EveryPurpose, "purpose", l.Purpose.String(), "use it for these purposes only")
	add(!l.Sector.IsAll(), "sector", l.Sector.String(), "serve it to these sectors only")
	add(!l.Caveat.IsEmpty(), "caveat", l.Caveat.String(), "observe these caveats")
	add(!notAfter.IsZero(), "notafter", notAfter.UTC().Format(time.RFC3339), "destroy every copy by then")
	return list
}

// Clause is the rule under which a record goes to the holder of the scope, for the release journal. It is not ok when the record may not go, or
// when that is no release: to the node's own organisation, and within the node. Times are InForce's.
func (s Scope) Clause(m record.Mark) (clause string, ok bool) {
	f, l := s.facts, &m.Label
	if !s.Admits(m) || f == nil || f.own {
		return "", false
	}
	if f.originator(&m) {
		return "originator", true
	}
	clause = strings.ToLower(l.TLP.String())
	switch {
	case !f.reached(l.TLP):
		return clause + " audience named", true
	case l.TLP == label.Green && f.community != "" && f.member:
		clause += " community " + f.community
	case l.TLP == label.Green, l.TLP == label.Amber:
		clause += " client"
	}
	if !l.Audience.IsAll() {
		clause += " audience"
	}
	return clause, true
}
