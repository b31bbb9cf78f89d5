package decision

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"entente/accord"
)

// Whatever a count says is there in every language, with the same values, and nothing is there that no count says.
func TestCountsAreSaidInEveryLanguage(t *testing.T) {
	said := map[string]bool{}
	note := func(p accord.Phrase) {
		said[p.Form] = true
		for _, a := range p.Args {
			if inner, ok := a.(accord.Phrase); ok {
				said[inner.Form] = true
			}
		}
	}
	hows := []How{Consented, Silent, Vetoed, Abstained, Reserved, Contradict, Unnoticed, Unknown}
	for _, r := range []Rule{{Name: "all", Basis: All}, {Name: "two", Basis: Number, K: 2, MinPositive: 1, Blocks: true}, {Name: "own", Basis: Number, K: 1, MinPositive: 2}, {Name: "one", Basis: Number, K: 1}} {
		for _, a := range hows {
			for _, b := range hows {
				for _, decides := range []bool{false, true} {
					r.AffectedVeto = decides
					count := r.Tally([]Voice{{Nation: "KWT", How: a, Decides: decides}, {Nation: "USA", How: b, Decides: decides, Clear: b == Silent}})
					for _, p := range count.said {
						note(p)
					}
					for _, m := range count.Missing {
						note(m.said)
					}
					if got := count.In("en"); !slices.Equal(got.Reasons, count.Reasons) || fmt.Sprint(got.Missing) != fmt.Sprint(count.Missing) {
						t.Fatalf("in English: %+v, not %+v", got, count)
					}
					for _, lang := range accord.Languages[1:] {
						other := count.In(lang)
						for i := range other.Reasons {
							if other.Reasons[i] == count.Reasons[i] || strings.Contains(other.Reasons[i], "%!") {
								t.Errorf("%s: %s", lang, other.Reasons[i])
							}
						}
						for i := range other.Missing {
							if m := other.Missing[i]; m.Text == count.Missing[i].Text || strings.Contains(m.Text, "%!") || m.Code != count.Missing[i].Code {
								t.Errorf("%s: %+v", lang, m)
							}
						}
					}
				}
			}
		}
	}
	value := regexp.MustCompile(`%\[\d\][a-z]`)
	for english, texts := range phrases {
		if !said[english] && !slices.Contains(hows, How(english)) {
			t.Errorf("no count says %q", english)
		}
		want := value.FindAllString(english, -1)
		slices.Sort(want)
		for i, s := range texts {
			got := value.FindAllString(s, -1)
			slices.Sort(got)
			if s == "" || !slices.Equal(got, want) {
				t.Errorf("%s: %q says %v, not %v", accord.Languages[i+1], s, got, want)
			}
		}
	}
	for form := range said {
		if phrases[form] == [3]string{} {
			t.Errorf("%q is English only", form)
		}
	}
	if kept := (Tally{Reasons: []string{"as it is"}, Missing: []Missing{{Text: "so"}}}).In("de"); kept.Reasons[0] != "as it is" || kept.Missing[0].Text != "so" {
		t.Errorf("%+v", kept)
	}
}
