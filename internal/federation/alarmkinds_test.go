package federation_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"entente/internal/federation"
)

// A kind of alarm that is missing from the list would have no words on any screen.
func TestAllKindsOfAlarmsAreListed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "alarm.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	ast.Inspect(file, func(n ast.Node) bool {
		if c, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(c.Names[0].Name, "Alarm") && len(c.Values) == 1 {
			if v, ok := c.Values[0].(*ast.BasicLit); ok {
				text, err := strconv.Unquote(v.Value)
				if err != nil {
					t.Fatal(err)
				}
				named = append(named, text)
			}
		}
		return true
	})
	if len(named) == 0 || !slices.Equal(named, federation.AlarmKinds) {
		t.Errorf("the kinds are %q, and the list is %q", named, federation.AlarmKinds)
	}
}
