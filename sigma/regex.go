package sigma

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// notRE2 is what PCRE has and RE2 has not, by how it is written.
var notRE2 = []struct{ text, name string }{
	{"(?=", "look-ahead"}, {"(?!", "look-ahead"}, {"(?<=", "look-behind"}, {"(?<!", "look-behind"}, {"(?>", "an atomic group"}, {"(?|", "a branch reset"},
	{"(?(", "a condition"}, {"(?R)", "recursion"}, {"(?#", "a comment"},
}

// compileRegex compiles a regular expression, and says in words why it cannot.
func compileRegex(s string) (*regexp.Regexp, error) {
	if len(s) > maxRegex {
		return nil, fmt.Errorf("it is longer than %d bytes; split it", maxRegex)
	}
	tree, err := syntax.Parse(s, syntax.Perl)
	if err == nil {
		if weight(tree) > maxWeight {
			return nil, errors.New("its repetitions make it too large; repeat less")
		}
		return regexp.Compile(s)
	}
	for _, n := range notRE2 {
		if strings.Contains(s, n.text) {
			return nil, fmt.Errorf("it has %s, which needs unbounded time and is not part of RE2; say it with and, or and not in the condition", n.name)
		}
	}
	var bad *syntax.Error
	if errors.As(err, &bad) {
		switch {
		case bad.Code == syntax.ErrInvalidEscape && len(bad.Expr) > 1 && '1' <= bad.Expr[1] && bad.Expr[1] <= '9':
			return nil, errors.New("it has a back-reference, which needs unbounded time and is not part of RE2; say it without")
		case bad.Code == syntax.ErrInvalidRepeatOp && strings.HasSuffix(bad.Expr, "+"):
			return nil, errors.New("it has a possessive quantifier, which is not part of RE2; leave the second + out")
		}
		return nil, fmt.Errorf("%s: %s", bad.Code, bad.Expr)
	}
	return nil, err
}

// maxWeight bounds how large the repetitions in a regular expression make it, in about its characters.
const maxWeight = 50_000

// weight is about how many instructions a regular expression has.
func weight(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n = min(n+weight(sub), maxWeight+1)
	}
	if re.Op == syntax.OpRepeat {
		n = min(n*max(re.Min, re.Max, 1), maxWeight+1)
	}
	return n
}

// maxRequired bounds the texts of a list that Needs gives.
const maxRequired = 64

// Required are texts, in the form of Fold, of which at least one is in every text that the match accepts (put into the form of Fold as
// well); none when nothing can be said. Of what [Match.Needs] says it is what is likely the rarest.
func (m Match) Required() []string { return best(m.Needs()) }

// Needs are lists of texts, in the form of Fold: of each list at least one is in every text that the match accepts (put into the form of
// Fold as well). It is there for OpRegex and OpWild, and true for the other texts.
func (m Match) Needs() (all [][]string) {
	switch m.Op {
	case OpEqual, OpPrefix, OpSuffix, OpContains:
		if m.Text != "" {
			return [][]string{{foldString(m.Text)}}
		}
	case OpWild:
		for _, p := range ParsePattern(m.Text) {
			if p.Text != "" {
				all = append(all, []string{foldString(p.Text)})
			}
		}
	case OpRegex:
		if re, err := syntax.Parse(m.Text, syntax.Perl); err == nil {
			return needs(re.Simplify())
		}
	}
	return all
}

func needs(re *syntax.Regexp) (all [][]string) {
	switch re.Op {
	case syntax.OpLiteral:
		return [][]string{{foldString(string(re.Rune))}}
	case syntax.OpCapture, syntax.OpPlus:
		return needs(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needs(re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			all = append(all, needs(sub)...)
		}
		return all
	case syntax.OpAlternate:
		var any []string
		for _, sub := range re.Sub {
			s := best(needs(sub))
			if any = append(any, s...); len(s) == 0 || len(any) > maxRequired {
				return nil
			}
		}
		return [][]string{any}
	}
	return nil
}

// best is the list whose shortest text is the longest.
func best(all [][]string) (out []string) {
	for _, s := range all {
		if shortest(s) > shortest(out) {
			out = s
		}
	}
	return out
}

// shortest is the length of the shortest of the texts: the more, the rarer they are.
func shortest(texts []string) int {
	if len(texts) == 0 {
		return 0
	}
	n := len(texts[0])
	for _, t := range texts {
		n = min(n, len(t))
	}
	return n
}
