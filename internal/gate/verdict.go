package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/accord"
	"entente/label"
)

// Verdict is whether a record may go, why, and how. Its zero value is a denial.
type Verdict struct {
	standing *Standing
	ask      ask
	judged   bool
	failed   rule
	clauses  [maxVersions]int16 // of each version, the one that it was judged by
}

// Permit tells whether the record may go now.
func (v Verdict) Permit() bool { return v.judged && v.failed == 0 }

// Waits tells whether all that is missing is the signature of a release officer.
func (v Verdict) Waits() bool { return v.judged && v.failed == ruleOfficer }

// Clause is the rule under which the record goes, for the journal of releases: "accord NAME vN give NAME". It is empty for a denial.
func (v Verdict) Clause() string {
	if !v.Permit() {
		return ""
	}
	var b strings.Builder
	b.WriteString("accord " + v.standing.name)
	for i := range v.standing.versions {
		if i > 0 {
			b.WriteString(" and")
		}
		t := &v.standing.versions[i]
		fmt.Fprintf(&b, " v%d give %s", t.Version, t.clauseName(int(v.clauses[i])))
	}
	return b.String()
}

func (t *version) clauseName(i int) string {
	if name := t.Clauses[i].Name; name != "" {
		return name
	}
	return fmt.Sprintf("%d", t.Clauses[i].Number)
}

// Needs is what must be done with a record before it goes. Of a relay there are none: it passes on the originator's bytes.
type Needs struct {
	Officer   bool     // a release officer signs
	Strip     []string // "type" or "type.property", taken out
	Anonymise []string // roles whose identity is taken out
	Author    bool     // who made it may be named
}

// Needs is what must be done with the record before it goes under the clauses that it was judged by.
func (v Verdict) Needs() Needs {
	n := Needs{Author: true}
	if !v.judged || v.ask.from != v.ask.offer.Origin {
		return n
	}
	l := v.ask.offer.Label
	for i := range v.standing.versions {
		t := &v.standing.versions[i]
		l = label.Join(l, t.handle(nil))
		if c := int(v.clauses[i]); c >= 0 {
			n.Officer = n.Officer || t.Clauses[c].ReleaseOfficer
			n.Strip = append(n.Strip, t.Clauses[c].Strip...)
			n.Anonymise = append(n.Anonymise, t.Clauses[c].Anonymise...)
		}
	}
	slices.Sort(n.Strip)
	slices.Sort(n.Anonymise)
	n.Strip, n.Anonymise = slices.Compact(n.Strip), slices.Compact(n.Anonymise)
	n.Author = NamesAuthor(&l)
	return n
}

// Label is the label that the record goes out with: its own, joined with how the accord says that it must be handled, for the receiver and the
// originator by name. Of a denial it is Top. What a relay passes on has the originator's label, whatever this says.
func (v Verdict) Label() label.Label {
	if !v.Permit() {
		return label.Top()
	}
	o := v.ask.offer
	l := o.Label
	audience := label.All()
	for i := range v.standing.versions {
		t := &v.standing.versions[i]
		c := int(v.clauses[i])
		l = label.Join(l, t.handle(&t.Clauses[c]))
		if retain := t.retain(o.Kind); retain > 0 && !o.Along {
			ends := label.Bottom()
			ends.NotAfter = v.ask.now.Add(retain)
			l = label.Join(l, ends)
		}
		audience = audience.Intersect(t.recipients(&o.Label, c, t.number(v.ask.to)))
	}
	origin, _ := label.NewAudience(label.Org(o.Origin.Nation, o.Origin.Org)) // a party's name was checked
	return l.To(audience.Union(origin))
}

// Together is the label of one record that goes to several receivers at once: the strictest of theirs, for all of them. It is not ok when not all
// are permitted, or they are not about one record from one party.
func Together(verdicts ...Verdict) (l label.Label, ok bool) {
	l = label.Bottom()
	var audience label.Set
	for _, v := range verdicts {
		if !v.Permit() || v.ask.offer != verdicts[0].ask.offer || v.ask.from != verdicts[0].ask.from || v.standing != verdicts[0].standing {
			return label.Top(), false
		}
		one := v.Label()
		audience = audience.Union(one.Audience)
		one.Audience, one.Named = label.All(), false
		l = label.Join(l, one)
	}
	if len(verdicts) == 0 || audience.IsAll() {
		return label.Top(), false
	}
	return l.To(audience), true
}

// recipients are those at the receiver whom a clause gives to: the organisation, or the persons of a register or of the audience.
func (t *version) recipients(l *label.Label, clause, to int) label.Set {
	persons := t.persons[clause]
	if t.named(l, to) == byPerson {
		persons = persons.Intersect(l.Audience)
	}
	if persons.IsAll() {
		one, _ := label.NewAudience(t.names[to].org)
		return one
	}
	var list []string
	for p := range persons.Members() {
		if strings.HasPrefix(p, t.names[to].person) {
			list = append(list, p)
		}
	}
	set, err := label.NewAudience(list...)
	if err != nil {
		return label.Set{}
	}
	return set
}

// handle is how the accord says that what it gives must be handled, as a label to join; under a clause, where one is given.
func (t *version) handle(c *accord.Clause) label.Label {
	h := &t.Handle
	l := label.Bottom()
	l.PAP, l.Onward, l.Attribution, l.Access = h.PAP, h.Onward, h.Attribution, h.Access
	l.Purpose, l.Mode, l.Sector = t.Purpose, t.Mode, t.Sectors
	if c != nil && c.HasAccess {
		l.Access = min(l.Access, c.Access)
	}
	if t.Terminate != nil && t.Terminate.Purge > 0 || t.Withdraw != nil && t.Withdraw.Purge > 0 {
		l.Purge = label.PurgeOnTermination
	}
	return l
}

// retain is how long what was received may be kept; 0: no limit.
func (t *version) retain(kind string) time.Duration {
	if d, ok := t.Handle.RetainKind[kind]; ok {
		return d
	}
	return t.Handle.Retain
}
