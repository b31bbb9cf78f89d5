package gate

import (
	"fmt"
	"math/bits"
	"slices"
	"time"

	"entente/accord"
)

// grounds are the stable codes of the rules, by bit, and what they say of a record that keeps them and of one that breaks them.
var grounds = [...]struct{ code, kept, broken string }{
	{"accord.party", "the giver, the receiver and the originator are parties", "the giver, the receiver and the originator are not all parties, or the receiver has the record already"},
	{"accord.effective", "the accord is in effect", "the accord is not in effect now"},
	{"accord.suspended", "no suspension stops the flow", "the flow is suspended"},
	{"accord.ended", "the accord has not ended for any of them", "the accord has ended, or one of them has left it"},
	{"accord.audience", "the originator's audience reaches the receiver", "the originator's audience does not reach the receiver by name"},
	{"accord.relay", "the originator gives it, or its own signed bytes are passed on", "only the originator gives what it did not sign as it is"},
	{"accord.onward", "the label lets the giver pass it on", "the label does not let anybody but the originator pass it on"},
	{"accord.embargo", "the record is under no embargo", "the record is under embargo"},
	{"accord.retention", "the record is within its retention", "the record's retention has ended"},
	{"accord.purpose", "the record and the accord have a purpose in common", "the record is for none of the accord's purposes"},
	{"accord.sector", "the record and the accord have a sector in common", "the record is for none of the accord's sectors"},
	{"accord.mode", "the record, the node and the accord are of one realm", "the record, the node and the accord are not all of one realm"},
	{"accord.authority", "every legal basis is in force", "a legal basis is not known, or not in force any more"},
	{"accord.quota", "the day's limit is not reached", "the day's limit of objects is reached"},
	{"accord.size", "the record is within the limits of size", "the record is larger than the accord lets it be"},
	{"accord.reciprocity", "what was to come back came back, or need not", "too little has come back for too long"},
	{"accord.refs", "everything that it names may be had by the receiver", "it names what the receiver may not have"},
	{"accord.kind", "the give is for this kind", "no give is for this kind"},
	{"accord.give", "the give is from the originator to the receiver", "the give is not from the originator to the receiver"},
	{"accord.ceiling", "the TLP is within the ceiling", "the TLP is above the ceiling"},
	{"accord.class", "the classification is within the ceiling", "the classification is above the ceiling"},
	{"accord.strip", "the kind is not stripped", "the kind is one that is taken out"},
	{"accord.subset", "the originator chose the receiver for this record", "the originator did not choose the receiver for this record"},
	{"accord.persons", "the receiver has persons who may have it", "the receiver has no person who may have it"},
	{"accord.officer", "no release officer need sign, or one has", "a release officer has not signed the release"},
}

// Reasons is every reason for and against, of the accord and of each of its gives. They are for the owner of the record: who is refused learns none.
func (v Verdict) Reasons() []Reason {
	if !v.judged {
		none := Reason{Code: "accord.none", Dimension: "accord", said: &accord.Phrase{Form: "no accord stands"}}
		return []Reason{none.In(accord.Languages[0])}
	}
	var list []Reason
	for i := range v.standing.versions {
		t := &v.standing.versions[i]
		say := func(r rule, kept bool, clause int) {
			list = append(list, t.reason(r, kept, clause, &v.ask))
		}
		w := t.who(&v.ask)
		failed := v.standing.whole(t, &v.ask, w)
		for r := rule(1); r < firstOfGive; r <<= 1 {
			say(r, failed&r == 0, -1)
		}
		for c := range t.Clauses {
			if !slices.Contains(t.ranked[v.ask.offer.Kind], c) {
				say(ruleKind, false, c)
				continue
			}
			broken := t.give(c, &v.ask, w)
			for r := firstOfGive; r < endOfRules; r <<= 1 {
				if broken&r != 0 {
					say(r, false, c)
				}
			}
			if broken == 0 {
				say(ruleGive, true, c)
			}
		}
		if len(t.Clauses) == 0 {
			say(ruleKind, false, -1)
		}
	}
	return list
}

// Codes are the codes of the rules that stand against the record, of the clauses only of the one that comes nearest.
func (v Verdict) Codes() []string {
	if !v.judged {
		return []string{"accord.none"}
	}
	return v.failed.codes()
}

func (r rule) codes() []string {
	var list []string
	for i, g := range grounds {
		if r&(1<<i) != 0 {
			list = append(list, g.code)
		}
	}
	return list
}

func (t *version) reason(r rule, kept bool, clause int, q *ask) Reason {
	g := grounds[bits.TrailingZeros32(uint32(r))]
	reason := Reason{Code: g.code, Dimension: "accord", Permit: kept, Clause: fmt.Sprintf("accord %s v%d", t.Name, t.Version), said: &accord.Phrase{Form: g.broken}}
	if kept {
		reason.said = &accord.Phrase{Form: g.kept}
	}
	if clause >= 0 {
		reason.Clause += " give " + t.clauseName(clause)
	}
	if !kept {
		reason.detail = t.detail(r, clause, q)
	}
	return reason.In(accord.Languages[0])
}

// detail is what a broken rule says of this record.
func (t *version) detail(r rule, clause int, q *ask) *accord.Phrase {
	say := func(english string, args ...any) *accord.Phrase { return &accord.Phrase{Form: english, Args: args} }
	l := &q.offer.Label
	switch r {
	case ruleParty:
		return say("from %[1]s to %[2]s, of %[3]s", q.from, q.to, q.offer.Origin)
	case ruleEffective:
		if !t.Expires.IsZero() {
			return say("it is from %[1]s until %[2]s", t.Effective.Format(time.DateOnly), t.Expires.Format(time.DateOnly))
		}
		return say("it is from %[1]s", t.Effective.Format(time.DateOnly))
	case ruleAudience:
		return say("%[1]s, for %[2]s", l.TLP, l.Audience)
	case ruleEmbargo:
		return say("until %[1]s", l.NotBefore.UTC().Format(time.RFC3339))
	case ruleRetention:
		return say("at %[1]s", l.NotAfter.UTC().Format(time.RFC3339))
	case rulePurpose:
		return say("%[1]s, and the accord for %[2]s", l.Purpose, t.Purpose)
	case ruleMode:
		return say("%[1]s, %[2]s and %[3]s", l.Mode, q.offer.Realm, t.Mode)
	case ruleQuota:
		return say("%[1]d", t.Limits.ObjectsPerDay)
	case ruleRefs:
		if q.offer.Hidden != "" {
			return say("%[1]s", q.offer.Hidden)
		}
	case ruleKind:
		return say("%[1]s", q.offer.Kind)
	case ruleCeiling:
		return say("%[1]s, and the ceiling is %[2]s", l.TLP, t.Clauses[clause].Ceiling)
	case ruleClass:
		return say("%[1]s, and the ceiling is %[2]s", l.Class, ceiling(t.Clauses[clause].Class))
	}
	return nil
}
