package gate

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"entente/accord"
)

// Whatever the gate says is there in every language, with the same values, and nothing is there that it does not say.
func TestPhrasesAreSaidInEveryLanguage(t *testing.T) {
	said := map[string]bool{"no accord stands": true}
	for _, g := range grounds {
		said[g.kept], said[g.broken] = true, true
	}
	for _, file := range []string{"decide.go", "grounds.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			var e ast.Expr
			switch n := n.(type) {
			case *ast.CallExpr:
				name := ""
				switch f := n.Fun.(type) {
				case *ast.Ident:
					name = f.Name
				case *ast.SelectorExpr:
					name = "d." + f.Sel.Name
				}
				if at, ok := map[string]int{"say": 0, "d.say": 2, "add": 3}[name]; ok && at < len(n.Args) {
					e = n.Args[at]
				}
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Form" {
					e = n.Value
				}
			}
			if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if s, err := strconv.Unquote(l.Value); err == nil && strings.ContainsAny(regexp.MustCompile(`%\[\d\].`).ReplaceAllString(s, ""), "abcdefghijklmnopqrstuvwxyz,") {
					said[s] = true
				}
			}
			return true
		})
	}
	for s := range said {
		if phrases[s] == [3]string{} {
			t.Errorf("%q is said in English only", s)
		}
	}
	verbs := regexp.MustCompile(`%\[\d\][a-z]`)
	for english, texts := range phrases {
		if !said[english] {
			t.Errorf("nobody says %q", english)
		}
		want := slices.Sorted(slices.Values(verbs.FindAllString(english, -1)))
		for i, s := range texts {
			if got := slices.Sorted(slices.Values(verbs.FindAllString(s, -1))); !slices.Equal(got, want) || s == "" {
				t.Errorf("%s: %q takes %v, not %v", accord.Languages[i+1], s, got, want)
			}
		}
	}
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
