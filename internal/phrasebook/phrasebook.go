// Package phrasebook holds tests of what is said in several languages: a book leads from an English form to those in the other languages.
package phrasebook

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	values  = regexp.MustCompile(`%\[\d\][a-z]|%%`)
	letters = regexp.MustCompile(`\pL`)
)

// Check fails the test where an English form that code says is not in the book, where nobody says what is in it, and where a form takes other values in another
// language. Files are patterns of the code's; those of tests, and phrases.go, are left out. Form gives what a node of a file says in English, or nil.
func Check(t testing.TB, book map[string][3]string, form func(file string, n ast.Node) ast.Expr, files ...string) {
	t.Helper()
	said := map[string]bool{}
	for _, pattern := range files {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no code is at %s: %v", pattern, err)
		}
		for _, file := range found {
			if strings.HasSuffix(file, "_test.go") || filepath.Base(file) == "phrases.go" {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					s, _ := strconv.Unquote(l.Value)
					said[s] = true
				}
				switch e := form(filepath.Base(file), n).(type) {
				case *ast.BasicLit:
					if s, _ := strconv.Unquote(e.Value); book[s] == [3]string{} && letters.MatchString(values.ReplaceAllString(s, "")) {
						t.Errorf("%s says %q in English only", file, s)
					}
				case *ast.BinaryExpr:
					t.Errorf("%s: a sentence is put together, and cannot be said in other languages", file)
				}
				return true
			})
		}
	}
	for english, texts := range book {
		if !said[english] {
			t.Errorf("nobody says %q", english)
		}
		want := takes(english)
		for i, s := range texts {
			if got := takes(s); !slices.Equal(got, want) || s == "" {
				t.Errorf("language %d: %q takes %v, not %v", i+1, s, got, want)
			}
		}
	}
}

// takes are the values that a form takes, in the order of their names.
func takes(s string) []string { return slices.Sorted(slices.Values(values.FindAllString(s, -1))) }

// Called gives the argument of calls that says something: at is its place by the name of what is called; a negative one counts from the end.
func Called(n ast.Node, at map[string]int) ast.Expr {
	c, ok := n.(*ast.CallExpr)
	if !ok {
		return nil
	}
	name := ""
	switch f := c.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = "." + f.Sel.Name
	}
	i, ok := at[name]
	if i < 0 {
		i += len(c.Args)
	}
	if !ok || i < 0 || i >= len(c.Args) {
		return nil
	}
	return c.Args[i]
}
