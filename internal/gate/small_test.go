package gate

import (
	"os"
	"testing"

	"entente/accord"
)

// smallClauses are all accords of one clause over the words of the small domain.
func smallClauses() (out []plainAccord) {
	parties := []string{"FRE/fr.cert", "KWT/kw.ncsc", "UTO/ut.cert"}
	both := []bool{false, true}
	for _, tlp := range tlpOrder {
		for _, class := range []string{"unclassified", "NATO:NR"} {
			for _, kinds := range []string{"indicator", "indicator report"} {
				for _, from := range []string{"", "FRE"} {
					for _, to := range []string{"", "KWT"} {
						for _, officer := range both {
							for _, subset := range both {
								for _, community := range both {
									out = append(out, plainAccord{name: "a", parties: parties, mode: "operational", purpose: "all", community: community,
										gives: []plainGive{{"g", from, to, kinds, tlp, class, officer, subset}}})
								}
							}
						}
					}
				}
			}
		}
	}
	return out
}

// TestEverySmallWorld compares the compiled rule with the naive interpreter for every accord of one clause and every offer of the small domain. In CI each accord is
// asked one question in 401; with ENTENTE_SMALL_WORLDS=all every one.
func TestEverySmallWorld(t *testing.T) {
	step := 401
	if os.Getenv("ENTENTE_SMALL_WORLDS") == "all" {
		step = 1
	}
	worlds := smallClauses()
	asked, permitted, n := 0, 0, 0
	for i, a := range worlds {
		s, err := NewStanding(State{Versions: []*accord.Terms{a.terms(1)}})
		if err != nil {
			t.Fatal(err)
		}
		eachOffer(func(o plainOffer) {
			if n++; n%step != 0 {
				return
			}
			offer := o.offer()
			for _, pair := range [][2]string{{"FRE/fr.cert", "KWT/kw.ncsc"}, {"KWT/kw.ncsc", "UTO/ut.cert"}} {
				from, _ := ParseParty(pair[0])
				to, _ := ParseParty(pair[1])
				want := naive(a, pair[0], pair[1], o, today)
				v := s.Permit(from, to, offer, day(today), Counters{Today: o.today}, smallBases)
				if asked++; v.Permit() != want {
					t.Fatalf("accord %d %+v, %s: %+v: permit is %v (%q)", i, a, pair, o, v.Permit(), v.Codes())
				}
				if want {
					permitted++
				}
			}
		})
	}
	t.Logf("%d accords, %d questions, %d permits", len(worlds), asked, permitted)
	if permitted < asked/1000 {
		t.Error("hardly anything is permitted: the domain shows nothing")
	}
}
