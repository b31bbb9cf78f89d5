package federation

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Why something is withheld is there in every language, and nothing is there that nobody says.
func TestWhyIsSaidInEveryLanguage(t *testing.T) {
	said := map[string]bool{}
	for _, pattern := range []string{"*.go", "../rendition/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || file == "phrases.go" {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.BasicLit:
					if s, err := strconv.Unquote(n.Value); err == nil {
						said[s] = true
					}
				case *ast.CallExpr:
					f, ok := n.Fun.(*ast.SelectorExpr)
					if !ok || f.Sel.Name != "withhold" && f.Sel.Name != "review" {
						break
					}
					l, ok := n.Args[len(n.Args)-1].(*ast.BasicLit)
					if !ok {
						if _, ok := n.Args[len(n.Args)-1].(*ast.BinaryExpr); ok {
							t.Errorf("%s: a sentence is put together, and cannot be said in other languages", file)
						}
						break
					}
					if s, _ := strconv.Unquote(l.Value); phrases[s] == [3]string{} {
						t.Errorf("%s says %q in English only", file, s)
					}
				}
				return true
			})
		}
	}
	for english, texts := range phrases {
		if !said[english] {
			t.Errorf("nobody says %q", english)
		}
		for i, s := range texts {
			if s == "" {
				t.Errorf("%q is not said in language %d", english, i+1)
			}
		}
	}
	for why, want := range map[string]string{"identities are taken out": "Identitäten werden entfernt", invalid + "x": "was übrig bleibt, ist kein gültiges STIX: x", "other": "other", "": ""} {
		if got := (Judged{Why: why}).In("de").Why; got != want {
			t.Errorf("%q is %q, not %q", why, got, want)
		}
	}
}
