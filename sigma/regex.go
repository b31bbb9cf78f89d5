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

// maxRequired bounds the texts that Required gives.
const maxRequired = 64

// Required are texts, in the form of Fold, of which at least one is in every text that the match accepts (put into the form of Fold as
// well); none when nothing can be said. It is there for OpRegex and OpWild, and true for the other texts.
func (m Match) Required() []string {
	switch m.Op {
	case OpEqual, OpPrefix, OpSuffix, OpContains:
		if m.Text != "" {
			return []string{foldString(m.Text)}
		}
	case OpWild:
		longest := ""
		for _, p := range ParsePattern(m.Text) {
			if len(p.Text) > len(longest) {
				longest = p.Text
			}
		}
		if longest != "" {
			return []string{foldString(longest)}
		}
	case OpRegex:
		if re, err := syntax.Parse(m.Text, syntax.Perl); err == nil {
			return required(re.Simplify())
		}
	}
	return nil
}

func required(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{foldString(string(re.Rune))}
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if s := required(sub); shortest(s) > shortest(best) {
				best = s
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			s := required(sub)
			if all = append(all, s...); len(s) == 0 || len(all) > maxRequired {
				return nil
			}
		}
		return all
	}
	return nil
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
