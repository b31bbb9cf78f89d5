package accord

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/label"
)

// Template is what a new accord is made from.
type Template struct {
	Kind      string            // one of TemplateKinds
	Name      string            // "us-kw-cip"
	Title     string            // may be empty
	Nations   []string          // of the parties, 2 or more
	Orgs      map[string]string // by nation: the organisation by which it takes part; without it the one that its key log names
	Register  string            // of the parties of an alliance, instead of Nations
	Gives     []string          // of TemplateGives; empty: those that are usual for the kind
	Effective time.Time         // its day
	Expires   time.Time         // zero: never
}

// TemplateKinds are the accords that New can begin: for two, for three, for an alliance, and for a meeting of experts.
var TemplateKinds = []string{"bilateral", "trilateral", "alliance", "meeting"}

// TemplateGives are the clauses that New can begin with: what is given, up to a usual ceiling.
var TemplateGives = []string{"indicators", "sightings", "incidents", "papers"}

// New gives the text of an accord to be edited, in its canonical form. It is complete, and stricter than most will want it.
func New(t Template) ([]byte, error) {
	a := &Accord{Name: t.Name, Title: t.Title, Version: 1, Mode: label.OperationalMode, Effective: startOfDay(t.Effective), Expires: startOfDay(t.Expires),
		Register: t.Register, Scope: Scope{Organization: "receiving-org", Community: "parties"},
		Purpose: label.NetDefence | label.IncidentResponse, Never: label.LawEnforcement | label.Military | label.Sanctions, SuspendBy: "any-party"}
	least, most := 2, MaxParties
	indicators := Give{Name: "indicators", Kinds: []string{"indicator", "malware", "attack-pattern", "vulnerability", "course-of-action", "infrastructure", "relationship"}, Ceiling: label.Amber}
	sightings := Give{Name: "sightings", Kinds: []string{"sighting", "observed-data", "opinion"}, Ceiling: label.Amber}
	incidents := Give{Name: "incidents", Kinds: []string{"incident"}, Ceiling: label.AmberStrict, ReleaseOfficer: true, Anonymise: []string{"victim"}}
	papers := Give{Name: "papers", Kinds: []string{"report", "note", "attack-pattern", "campaign", "course-of-action"}, Ceiling: label.Green}
	a.Handle = Handle{Default: label.AmberStrict, Retain: 365 * day, PAP: label.PAPAmber, Onward: label.OnwardNone, Attribution: label.MustNot, EmbargoMax: 30 * day, Access: label.Copy}
	leave := &Leave{Notice: 90 * day, Purge: 30 * day, Receipts: true}
	block := Decide{Name: "joint-block", Propose: "any", Consent: "all", Deadline: day, Unreachable: "blocks"}
	switch t.Kind {
	case "bilateral", "trilateral":
		if least, most = 2, 2; t.Kind == "trilateral" {
			least, most = 3, 3
		}
		a.Gives, a.Decides, a.Terminate = []Give{indicators, sightings, incidents}, []Decide{block}, leave
		if t.Kind == "trilateral" {
			a.Withdraw = leave
		}
	case "alliance":
		incidents.Subset = true
		block.Consent, block.Veto = "2/3", "affected-party"
		suspend := Decide{Name: "member-suspension", Propose: "any", Consent: "all-but-subject", Deadline: 7 * day, Unreachable: "blocks"}
		a.Gives, a.Decides, a.Withdraw = []Give{indicators, sightings, incidents}, []Decide{block, suspend}, leave
	case "meeting":
		a.Purpose, a.Never = label.NetDefence|label.Training|label.Research, 0
		a.Gives = []Give{papers}
		a.Handle = Handle{Default: label.Green, Retain: 90 * day, PAP: label.PAPAmber, Onward: label.OnwardNone, Attribution: label.MustNot, Access: label.Copy}
		a.Terminate = &Leave{Notice: 7 * day, Purge: 30 * day, Receipts: true}
	default:
		return nil, fmt.Errorf("%s is no kind of accord to begin with: it is %s", cited(t.Kind), oneOf(TemplateKinds))
	}
	if len(t.Gives) > 0 {
		a.Gives = nil
	}
	for _, name := range t.Gives {
		i := slices.Index(TemplateGives, name)
		if i < 0 || slices.ContainsFunc(a.Gives, func(g Give) bool { return g.Name == name }) {
			return nil, fmt.Errorf("%s is nothing that a new accord gives, or stands twice: it is %s", cited(name), oneOf(TemplateGives))
		}
		a.Gives = append(a.Gives, []Give{indicators, sightings, incidents, papers}[i])
	}
	for i := range a.Gives {
		a.Gives[i].Class = label.Unclassified()
	}
	if n := len(t.Nations); t.Register == "" && (n < least || n > most) {
		return nil, fmt.Errorf("an accord of the kind %s has %d to %d parties, not %d", t.Kind, least, most, n)
	}
	for _, n := range t.Nations {
		if !label.IsNation(n) || slices.ContainsFunc(a.Parties, func(p Party) bool { return p.Nation == n }) {
			return nil, fmt.Errorf("%s is no nation's code, or stands twice: write USA, KWT, …, each once", cited(n))
		}
		a.Parties = append(a.Parties, Party{Nation: n, Org: t.Orgs[n], Keys: strings.ToLower(n), Need: 1})
	}
	return Format(a.Bytes()) // names and titles are judged where all texts are
}

func startOfDay(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
