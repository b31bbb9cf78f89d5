package gate

import (
	"go/ast"
	"testing"

	"entente/internal/phrasebook"
)

// Whatever the gate says is there in every language, with the same values, and nothing is there that it does not say.
func TestPhrasesAreSaidInEveryLanguage(t *testing.T) {
	for _, g := range grounds {
		for _, s := range []string{g.kept, g.broken} {
			if s != "" && phrases[s] == [3]string{} {
				t.Errorf("%q is said in English only", s)
			}
		}
	}
	phrasebook.Check(t, phrases, func(file string, n ast.Node) ast.Expr {
		if file != "decide.go" && file != "grounds.go" {
			return nil
		}
		if n, ok := n.(*ast.KeyValueExpr); ok {
			if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Form" {
				return n.Value
			}
		}
		return phrasebook.Called(n, map[string]int{"say": 0, ".say": 2, "add": 3})
	}, "*.go")
}

func TestReasonsInOtherLanguages(t *testing.T) {
	none := Verdict{}.Reasons()
	for lang, want := range map[string]string{"en": "no accord stands", "de": "keine Vereinbarung besteht", "fr": "aucun accord n'existe", "xx": "no accord stands"} {
		if got := ReasonsIn(lang, none)[0].Sentence; got != want {
			t.Errorf("%s: %q, not %q", lang, got, want)
		}
	}
	if read := (Reason{Sentence: "as it was read"}); read.In("de").Sentence != "as it was read" {
		t.Error("a reason that was read says something else")
	}
}
