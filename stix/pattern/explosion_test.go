package pattern_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"entente/stix/pattern"
)

// explosive are patterns over many observations whose bindings a listing matcher would multiply. Each is exact and finishes far
// inside the default budget.
var explosive = []struct {
	name, world, src string
	want             bool
}{
	{"REPEATS inside a window", strings.Repeat("a", 1000), ` a REPEATS 500 TIMES WITHIN 501 SECONDS`, true},
	{"REPEATS beyond a window", strings.Repeat("a", 1000), ` a REPEATS 500 TIMES WITHIN 499 SECONDS`, false},
	{"sparse REPEATS beyond a window", strings.Repeat("ac", 1000), ` a REPEATS 10 TIMES WITHIN 18 SECONDS`, false},
	{"one observation too few", strings.Repeat("a", 999), ` a REPEATS 1000 TIMES`, false},
	{"AND of many", strings.Repeat("a", 20), strings.Repeat(" a AND", 20) + ` a`, false},
	{"OR of many", strings.Repeat("c", 1000), strings.Repeat(" a OR", 100) + ` b`, false},
	{"FOLLOWEDBY of many", strings.Repeat("ba", 500), strings.Repeat(" a FOLLOWEDBY b FOLLOWEDBY", 20) + ` a`, true},
	{"FOLLOWEDBY the wrong way", strings.Repeat("b", 500) + strings.Repeat("a", 500), ` a FOLLOWEDBY b`, false},
	{"FOLLOWEDBY one too many", strings.Repeat("ab", 30), strings.Repeat(" b FOLLOWEDBY a FOLLOWEDBY", 30) + ` b`, false},
	{"REPEATS then FOLLOWEDBY", strings.Repeat("ab", 500), ` a REPEATS 500 TIMES FOLLOWEDBY b REPEATS 2 TIMES`, false},
	{"REPEATS of FOLLOWEDBY", strings.Repeat("ab", 50), `( a FOLLOWEDBY b) REPEATS 50 TIMES`, true},
	{"window of FOLLOWEDBY", strings.Repeat("acccb", 200), `( a FOLLOWEDBY b) WITHIN 4 SECONDS`, false},
	{"window of three", strings.Repeat("accccbccccc", 100), `( a AND b) WITHIN 4 SECONDS`, false},
	{"windows after windows", strings.Repeat("acb", 100), `( a FOLLOWEDBY b) WITHIN 3 SECONDS FOLLOWEDBY ( b AND a) WITHIN 2 SECONDS`, true},
	{"more than there are", strings.Repeat("ab", 50), `( a FOLLOWEDBY b) REPEATS 1000000000 TIMES`, false},
	{"far more than there are", strings.Repeat("ab", 50), `(( a FOLLOWEDBY b) REPEATS 9007199254740991 TIMES) REPEATS 9007199254740991 TIMES`, false},
	{"many windows", strings.Repeat("abc", 100), `((( a OR c) FOLLOWEDBY b) WITHIN 2 SECONDS) REPEATS 101 TIMES`, false},
	{"alternatives of pairs", strings.Repeat("a", 500), strings.Repeat(`( a AND b) OR `, 50) + ` b`, false},
}

func TestNoCombinatorialExplosion(t *testing.T) {
	for _, c := range explosive {
		t.Run(c.name, func(t *testing.T) {
			obs := observations(t, timeline(c.world))
			r, err := mustParse(t, letters(c.src)).Match(obs, pattern.Budget(2_000_000))
			if err != nil || r.Matched != c.want {
				t.Errorf("got %v, %v; want %v", r.Matched, err, c.want)
			}
		})
	}
}

func TestBudgetIsAnErrorAndNeverAnAnswer(t *testing.T) {
	obs := observations(t, timeline(strings.Repeat("abc", 100)))
	// Every copy needs one of 100 b's, but may choose which neighbour comes with it.
	src := `((( a FOLLOWEDBY b) WITHIN 2 SECONDS) OR (( b FOLLOWEDBY c) WITHIN 2 SECONDS)) REPEATS 101 TIMES`
	_, err := mustParse(t, letters(src)).Match(obs, pattern.Budget(1_000_000))
	var e *pattern.EvalError
	if !errors.As(err, &e) || e.Code != pattern.CodeBudget {
		t.Errorf("got %v, want the budget to be exceeded", err)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, c := range explosive {
		b.Run(strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
			obs := observations(b, timeline(c.world))
			p := mustParse(b, letters(c.src))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Match(obs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, c := range []struct{ name, src string }{
		{"one_equality", `[file:hashes.'SHA-256' = 'ef537f25c895bfa782526529a9b63d97aa631564d5d789c2b765448c8635fb6c']`},
		{"one_regex", `[file:name MATCHES '^invoice.+\\.exe$']`},
		{"one_like", `[file:name LIKE 'invoice%.exe']`},
	} {
		b.Run(c.name, func(b *testing.B) {
			obs := once(b, `{"type":"file","name":"invoice-`+fmt.Sprint(2026)+`.exe","hashes":{"SHA-256":"ef537f25c895bfa782526529a9b63d97aa631564d5d789c2b765448c8635fb6c"}}`)
			p := mustParse(b, c.src)
			b.ReportAllocs()
			for b.Loop() {
				if r, err := p.Match(obs); err != nil || !r.Matched {
					b.Fatal(r, err)
				}
			}
		})
	}
}
