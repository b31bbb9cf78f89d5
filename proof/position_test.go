package proof

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"entente/accord"
	"entente/decision"
	"entente/dsse"
	"entente/keylog"
)

// voters are an organisation of persons who vote, and a proposal that they vote on.
type voters struct {
	*utopia
	text     string
	what     decision.Proposal
	proposal []byte
	persons  []*dsse.Private
}

// assemble names so many persons, under a rule that asks for the word of two of them.
func assemble(t testing.TB, count int) *voters {
	t.Helper()
	v := &voters{utopia: stand(t)}
	for range count {
		p := must[*dsse.Private](t)(dsse.Generate(true))
		e := keylog.Entry{Org: "uto.cert", Roles: []keylog.Role{keylog.RoleVote}, Holder: keylog.NewHolder(), Key: p.Key()}
		r := must[keylog.Request](t)(keylog.Request{Nation: "UTO", Realm: realm, Entry: e}.Sign(p))
		v.say(t, v.log, keylog.Statement{Kind: keylog.KindAdd, Time: start, Entry: &r.Entry})
		v.persons = append(v.persons, p)
	}
	text := must[[]byte](t)(accord.New(accord.Template{Kind: "bilateral", Name: "uto-arc", Nations: []string{"UTO", "ARC"}, Effective: start}))
	text = bytes.Replace(text, []byte("  suspend {"), []byte("  decide \"two\" {\n    propose = any\n    consent = all\n    persons = 2\n    deadline = \"1h\"\n  }\n  suspend {"), 1)
	v.text = string(must[[]byte](t)(accord.Format(text)))
	v.what = decision.Proposal{V: 1, ID: "p", Round: 1, Accord: sha256.Sum256([]byte(v.text)), Rule: "two", Nation: "ARC", Org: "arc.cert", Title: "block", Opens: after(10), Deadline: after(70)}
	v.proposal = must[[]byte](t)(v.what.Payload())
	return v
}

// says is the position of the organisation, signed by some of its persons.
func (v *voters) says(t testing.TB, c decision.Choice, at time.Time, by ...int) []byte {
	t.Helper()
	return v.saysOn(t, v.what, c, at, by...)
}

func (v *voters) saysOn(t testing.TB, what decision.Proposal, c decision.Choice, at time.Time, by ...int) []byte {
	t.Helper()
	var keys []dsse.Signer
	for _, i := range by {
		keys = append(keys, v.persons[i])
	}
	return must[[]byte](t)(decision.SignPosition(realm, decision.Position{V: 1, Proposal: what.Digest(), Round: what.Round, Accord: what.Accord, Choice: c, Nation: "UTO", Org: "uto.cert", Time: at}, keys...))
}

func (v *voters) file(t testing.TB, first, second []byte) []byte {
	t.Helper()
	return must[[]byte](t)(must[*Proof](t)(OfPositions(v.log, Positions{First: first, Second: second, Proposal: v.proposal, Accord: v.text})).Bytes())
}

// An organisation contradicts itself when as many of its persons as the rule asks for signed both; persons who think differently do not.
func TestWhoTookBothSides(t *testing.T) {
	v := assemble(t, 4)
	other := v.what
	other.Title = "block more"
	consent := v.says(t, decision.Consent, after(20), 0, 1)
	veto := v.says(t, decision.Veto, after(30), 2, 3)
	f, err := Verify(v.file(t, consent, veto))
	if err != nil || f.Kind != Position || f.Nation != "UTO" || f.Org != "uto.cert" || len(f.Keys) != 4 || len(f.Times) != 2 || f.Fingerprint != v.log.Fingerprint() || !strings.Contains(f.Text, "uto-arc") {
		t.Fatalf("%+v %v", f, err)
	}
	for name, c := range map[string][2][]byte{
		"two persons who think differently":      {v.says(t, decision.Consent, after(20), 0), v.says(t, decision.Veto, after(30), 1)},
		"one person of two changes its mind":     {v.says(t, decision.Consent, after(20), 0), v.says(t, decision.Veto, after(30), 0)},
		"one of them is not the organisation's":  {consent, v.says(t, decision.Veto, after(30), 3)},
		"the same person twice is one":           {consent, v.says(t, decision.Veto, after(30), 3, 3)},
		"twice the same":                         {consent, v.says(t, decision.Consent, after(30), 2, 3)},
		"who abstains does not contradict":       {consent, v.says(t, decision.Abstain, after(10), 2, 3)},
		"after the deadline it says nothing":     {consent, v.says(t, decision.Veto, after(70), 2, 3)},
		"before it opens it says nothing":        {consent, v.says(t, decision.Veto, after(9), 2, 3)},
		"on two proposals":                       {consent, v.saysOn(t, other, decision.Veto, after(30), 2, 3)},
		"both on another proposal than is shown": {v.saysOn(t, other, decision.Consent, after(30), 2, 3), v.saysOn(t, other, decision.Veto, after(30), 2, 3)},
		"no position":                            {consent, consent[:20]},
	} {
		f, err := Verify(v.file(t, c[0], c[1]))
		if e := (*Error)(nil); !errors.As(err, &e) || e.Code != "proof.evidence" {
			t.Errorf("%s: %+v %v", name, f, err)
		}
	}

	// A rule that one person's word is enough for is not to be put in its place, nor is another accord.
	lax := *v
	lax.text = regexp.MustCompile(`\n *persons *= 2`).ReplaceAllString(v.text, "")
	if lax.text == v.text {
		t.Fatal("the rule does not say how many persons sign:\n" + v.text)
	}
	one, two := v.says(t, decision.Consent, after(20), 0), v.says(t, decision.Veto, after(30), 1)
	if f, err := Verify(lax.file(t, one, two)); err == nil {
		t.Errorf("by another accord: %+v", f)
	}
	lax.what.Accord = sha256.Sum256([]byte(lax.text))
	lax.proposal = must[[]byte](t)(lax.what.Payload())
	if f, err := Verify(lax.file(t, one, two)); err == nil {
		t.Errorf("by another proposal under another accord: %+v", f)
	}
}

// A voter's key that its nation has revoked or called compromised before it signed shows nothing of the nation.
func TestVotesOfKeysThatDoNotCountAccuseNobody(t *testing.T) {
	for name, c := range map[string]struct {
		s      keylog.Statement
		proves bool
	}{
		"revoked before":           {keylog.Statement{Kind: keylog.KindRevoke, From: after(25), Reason: "gone"}, false},
		"revoked afterwards":       {keylog.Statement{Kind: keylog.KindRevoke, From: after(35), Reason: "gone"}, true},
		"compromised before":       {keylog.Statement{Kind: keylog.KindCompromise, From: after(25), Reason: "stolen"}, false},
		"compromised only later":   {keylog.Statement{Kind: keylog.KindCompromise, From: after(35), Reason: "stolen"}, true},
		"compromised in hindsight": {keylog.Statement{Kind: keylog.KindCompromise, From: after(5), Reason: "stolen"}, false},
	} {
		v := assemble(t, 2)
		file := [2][]byte{v.says(t, decision.Consent, after(20), 0, 1), v.says(t, decision.Veto, after(30), 0, 1)}
		c.s.Time, c.s.Key = after(40), v.persons[0].Key().ID()
		if c.s.Kind == keylog.KindRevoke && c.s.From.Before(c.s.Time) { // a key is revoked from a time on that has not passed
			c.s.Time = c.s.From
		}
		v.say(t, v.log, c.s)
		if _, err := Verify(v.file(t, file[0], file[1])); (err == nil) != c.proves {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A changed proof of two positions proves what it proved, or nothing.
func TestAChangedProofOfPositionsProvesNothingElse(t *testing.T) {
	v := assemble(t, 2)
	file := v.file(t, v.says(t, decision.Consent, after(20), 0, 1), v.says(t, decision.Veto, after(30), 0, 1))
	want := must[Finding](t)(Verify(file))
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range mutations() / 4 {
		b := bytes.Clone(file)
		switch i := r.IntN(len(b)); r.IntN(3) {
		case 0:
			b[i] ^= 1 << r.IntN(8)
		case 1:
			b = append(b[:i], b[min(len(b), i+1+r.IntN(8)):]...)
		case 2:
			b = append(b[:i:i], append([]byte{b[r.IntN(len(b))]}, b[i:]...)...)
		}
		f, err := Verify(b)
		if err == nil && (f.Kind != want.Kind || f.Nation != want.Nation || f.Org != want.Org || f.Text != want.Text || f.Fingerprint != want.Fingerprint || !f.Times[0].Equal(want.Times[0])) {
			t.Fatalf("seed %d: %+v", seed, f)
		}
	}
}
