package decision

import (
	"strings"

	"entente/accord"
)

// Outcome is what was decided.
type Outcome string

// Outcomes.
const (
	Open Outcome = "" // neither can be said yet
	Yes  Outcome = "yes"
	No   Outcome = "no"
)

// How is how a party counts.
type How string

// How a party counts.
const (
	Consented  How = "consent"
	Silent     How = "silence" // its own log shows that it had notice in time and took no position before the deadline
	Vetoed     How = "veto"
	Abstained  How = "abstain"
	Reserved   How = "reservation"
	Contradict How = "contradiction" // it signed two final positions: neither counts
	Unnoticed  How = "unnoticed"     // its own log shows no position, but that it had notice too late for its silence to tell anything
	Unknown    How = "unknown"       // nothing of it is there
)

// Voice is one party with a right to vote, and what is known of it.
type Voice struct {
	Nation  string `json:"nation"`
	How     How    `json:"how"`
	Weight  int64  `json:"weight"`
	Decides bool   `json:"decides,omitzero"` // its veto decides
	Clear   bool   `json:"clear,omitzero"`   // its own log shows that it had notice in time and cast no veto before the deadline
	Counts  bool   `json:"counts,omitzero"`  // it counts as consent
}

// Tally is the count of a decision.
type Tally struct {
	Outcome Outcome   `json:"outcome"`
	Voices  []Voice   `json:"voices"`
	Have    int64     `json:"have"`  // consent, by weight
	Need    int64     `json:"need"`  // of it
	Total   int64     `json:"total"` // weight of all that have a right to vote
	Own     int       `json:"own"`   // parties that consented themselves
	NeedOwn int       `json:"needOwn"`
	Missing []Missing `json:"missing,omitempty"` // what a yes still needs; empty once it is decided
	Reasons []string  `json:"reasons"`

	said []accord.Phrase // the reasons
}

// Missing is one thing that a yes still needs.
type Missing struct {
	Code   string `json:"code"`             // "consent", "own", "clear", "reach", "contradiction"
	Nation string `json:"nation,omitempty"` // empty: of any party
	Text   string `json:"text"`

	said accord.Phrase
}

// Tally counts. Who has a right to vote and is not heard of is there too, as Unknown: the denominator is fixed. It is a pure function of integers.
func (r *Rule) Tally(voices []Voice) Tally {
	t := Tally{Voices: append([]Voice(nil), voices...), NeedOwn: r.MinPositive}
	var lost int64 // weight that can never consent any more
	lostOwn, reached := 0, true
	for i := range t.Voices {
		v := &t.Voices[i]
		if r.Basis != Share {
			v.Weight = 1
		}
		v.Decides = v.Decides && r.AffectedVeto || r.Basis == All || r.Basis == AllButSubject
		v.Counts = v.How == Consented || v.How == Silent && r.Silence && v.Clear
		t.Total += v.Weight
		switch {
		case v.Counts:
			t.Have += v.Weight
		case v.How == Vetoed, v.How == Contradict:
			lost += v.Weight
			lostOwn++
		}
		if v.How == Consented {
			t.Own++
		}
		reached = reached && v.How != Unknown
	}
	switch r.Basis {
	case Number:
		t.Need = r.K
	case Share:
		t.Need = max((r.K*t.Total+r.N-1)/r.N, 1)
	default:
		t.Need = t.Total
	}
	t.because("Rule %[1]s: consent of %[2]d of %[3]d is needed, and there is %[4]d; %[5]d of the parties must consent themselves, and %[6]d did.", r.Name, t.Need, t.Total, t.Have, t.NeedOwn, t.Own)
	r.settle(&t, lost, lostOwn, reached)
	return t
}

// because adds a reason.
func (t *Tally) because(form string, args ...any) {
	p := accord.Phrase{Form: form, Args: args}
	t.said = append(t.said, p)
	t.Reasons = append(t.Reasons, phrases.Say("", p))
}

// settle says what the count means.
func (r *Rule) settle(t *Tally, lost int64, lostOwn int, reached bool) {
	var vetoes []string
	clear := true
	for i := range t.Voices {
		v := &t.Voices[i]
		if v.Decides && v.How == Vetoed {
			vetoes = append(vetoes, v.Nation)
		}
		clear = clear && (!v.Decides || v.How == Consented || v.Clear && v.How != Vetoed && v.How != Contradict)
	}
	switch {
	case len(vetoes) > 0:
		t.Outcome = No
		t.because("A veto decides under this rule, and it is there: %[1]s.", strings.Join(vetoes, ", "))
	case t.Total-lost < t.Need:
		t.Outcome = No
		t.because("Of %[1]d, %[2]d can never consent any more, so %[3]d cannot be reached.", t.Total, lost, t.Need)
	case len(t.Voices)-lostOwn < t.NeedOwn:
		t.Outcome = No
		t.because("So many parties vetoed that %[1]d cannot consent themselves any more.", t.NeedOwn)
	case t.Have >= t.Need && t.Own >= t.NeedOwn && clear && (reached || !r.Blocks):
		t.Outcome = Yes
		t.because("Consent is there, and no party that could stop it did.")
	default:
		t.Missing = r.missing(t)
	}
}

// missing says what a yes still needs.
func (r *Rule) missing(t *Tally) (out []Missing) {
	say := func(code, nation, format string, args ...any) {
		p := accord.Phrase{Form: format, Args: args}
		out = append(out, Missing{Code: code, Nation: nation, Text: phrases.Say("", p), said: p})
	}
	if t.Have < t.Need {
		say("consent", "", "Consent of %[1]d is still missing.", t.Need-t.Have)
	}
	if t.Own < t.NeedOwn {
		say("own", "", "%[1]d more of the parties must consent themselves: silence does not do.", t.NeedOwn-t.Own)
	}
	for i := range t.Voices {
		v := &t.Voices[i]
		switch {
		case v.How == Contradict && v.Decides:
			say("contradiction", v.Nation, "%[1]s signed two final positions that contradict each other, and nothing else that it says counts.", v.Nation)
		case v.Decides && v.How != Consented && !v.Clear:
			say("clear", v.Nation, "%[1]s could stop it: without its consent its own log must show that it had notice in time and cast no veto before the deadline (it is counted as: %[2]s).", v.Nation, accord.Phrase{Form: string(v.How)})
		case r.Blocks && v.How == Unknown:
			say("reach", v.Nation, "Nothing of %[1]s is there: a party that cannot be reached blocks under this rule.", v.Nation)
		case t.Have < t.Need && !v.Counts && v.How != Contradict && v.How != Vetoed:
			say("consent", v.Nation, "%[1]s has not consented (it is counted as: %[2]s).", v.Nation, accord.Phrase{Form: string(v.How)})
		}
	}
	return out
}
