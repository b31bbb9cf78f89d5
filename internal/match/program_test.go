package match

import "testing"

// An expression needs no more than what it is found by, and says where a match can begin.
func TestWhatStandsWhereAnExpressionIsFound(t *testing.T) {
	for expr, want := range map[string]struct {
		lead string
		back int
	}{
		`abc`:                 {"abc", 0},
		`\w+abc`:              {"abc", 1},
		`.*abc.*`:             {"abc", 0},
		`.abc`:                {"abc", 4},
		`(x|yz)?abc`:          {"abc", 0},
		`q(x|yz)?abc`:         {"q", 0},
		`[0-9]{2,5}abc`:       {"abc", 2},
		`"(\{\d\}){2,}"`:      {`"{`, 0},
		`(ab)+c`:              {"abc", 0},
		`(?i)1-k`:             {"1-", 0},
		`(?i)kab`:             {"", 0},
		`[ab]+?(?:x|y)z`:      {"z", 2},
		`a\x{fffd}b`:          {"a", 0},
		`[^\x{fffd}]b`:        {"b", 4},
		`x\b`:                 {"", 0},
		`^x`:                  {"", 0},
		`a|b`:                 {"", 0},
		`x(ab)+c`:             {"xab", 0},
		`.+-k`:                {"-k", 4},
		`a.{0,300}b`:          {"a", 0},
		`[ab].{0,300}b`:       {"", 0},
		`[^\x00-\x{10ffff}]b`: {"b", 1},
	} {
		p, err := newProgram(expr)
		if err != nil {
			t.Fatalf("%q: %v", expr, err)
		}
		if string(p.lead) != want.lead || want.lead != "" && p.back != want.back {
			t.Errorf("%q: %q, %d bytes behind; want %q, %d", expr, p.lead, p.back, want.lead, want.back)
		}
	}
}
