package gate

import (
	"fmt"
	"strings"
	"testing"

	"entente/accord"
	"entente/label"
)

// text is the accord as nations would write it.
func (a plainAccord) text() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say(`accord "%s" {`, a.name)
	say(`version = 1`)
	if name, isExercise := strings.CutPrefix(a.mode, "exercise:"); isExercise {
		say(`mode = "exercise:%s"`, name)
	} else {
		say(`mode = %s`, a.mode)
	}
	say(`effective = "2026-01-01"`)
	if a.expires == 0 {
		say(`expires = never`)
	} else {
		say(`expires = "%s"`, day(a.expires).Format("2006-01-02"))
	}
	for _, p := range a.parties {
		one, _ := ParseParty(p)
		say(`party "%s" {`+"\n"+`org = "%s"`+"\n"+`keys = "keylog:%s"`+"\n}", one.Nation, one.Org, strings.ToLower(one.Nation))
	}
	if a.basis != 0 {
		say(`authority "own" {`+"\n"+`sunset = "%s"`+"\n"+`covers = [indicator]`+"\n}", day(a.basis).Format("2006-01-02"))
	}
	say("scope {\norganization = receiving-org")
	if a.community {
		say(`community = parties`)
	}
	say("}")
	purpose, _ := label.ParsePurposes(a.purpose)
	say(`purpose = [%s]`, strings.Join(purpose.List(), ", "))
	for _, g := range a.gives {
		nations := func(list string) string {
			if list == "" {
				return "any"
			}
			return "[" + strings.Join(strings.Fields(list), ", ") + "]"
		}
		say(`give "%s" {`+"\n"+`from = %s`+"\n"+`to = %s`+"\n"+`kind = [%s]`+"\n"+`ceiling = %s`, g.name, nations(g.from), nations(g.to), strings.Join(strings.Fields(g.kinds), ", "), strings.Replace(g.tlp, "+", "-", 1))
		if g.class != "unclassified" {
			say(`class = "%s"`, g.class)
		}
		if g.officer {
			say(`release-officer = required`)
		}
		if g.subset {
			say(`audience = subset`)
		}
		say("}")
	}
	say("handle {\ndefault = AMBER\nretain = \"2d\"\npap = GREEN\nonward = audience-relay\n}")
	if a.quota > 0 {
		say("limits {\nobjects-per-day = %d\n}", a.quota)
	}
	say("terminate {\nnotice = \"30d\"\npurge = \"30d\"\n}\n}")
	return b.String()
}

// TestTextToVerdict: what nations wrote is what is judged: each accord of the small domain, written, read, compiled and asked, says what the naive interpreter
// of its words says.
func TestTextToVerdict(t *testing.T) {
	for i, a := range smallAccords() {
		a.name = "accord-a"
		if len(a.gives) == 0 {
			continue // an accord that gives nothing has no text
		}
		src := a.text()
		parsed, err := accord.Parse("a.hcl", []byte(src))
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		terms, err := accord.Compile(parsed, fmt.Sprintf("sha256:%064x", i+1), nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		s, err := NewStanding(State{Versions: []*accord.Terms{terms}})
		if err != nil {
			t.Fatal(err)
		}
		n, permitted := 0, 0
		eachOffer(func(o plainOffer) {
			if n++; n%3 != 0 {
				return
			}
			if len(o.aud) > 0 && o.aud[0] == "community:a" {
				o.aud = []string{"community:accord-a"}
			}
			offer := o.offer()
			for _, pair := range [][2]string{{"FRE/fr.cert", "KWT/kw.ncsc"}, {"KWT/kw.ncsc", "UTO/ut.cert"}} {
				from, _ := ParseParty(pair[0])
				to, _ := ParseParty(pair[1])
				want := naive(a, pair[0], pair[1], o, today)
				v := s.Permit(from, to, offer, day(today), Counters{Today: o.today}, smallBases)
				if v.Permit() != want {
					t.Fatalf("%s: %+v: permit is %v (%q)\n%s", pair, o, v.Permit(), v.Codes(), src)
				}
				if want {
					permitted++
					checkOutgoing(t, v, offer)
				}
			}
		})
		if permitted == 0 && a.mode == "operational" {
			t.Errorf("accord %d permits nothing", i)
		}
	}
}
