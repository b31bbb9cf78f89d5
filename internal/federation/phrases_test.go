package federation

import (
	"go/ast"
	"testing"

	"entente/internal/phrasebook"
)

// Why something is withheld is there in every language, and nothing is there that nobody says.
func TestWhyIsSaidInEveryLanguage(t *testing.T) {
	phrasebook.Check(t, phrases, func(_ string, n ast.Node) ast.Expr {
		return phrasebook.Called(n, map[string]int{".withhold": -1, ".review": -1})
	}, "*.go", "../rendition/*.go")
	for why, want := range map[string]string{"identities are taken out": "Identitäten werden entfernt", invalid + "x": "was übrig bleibt, ist kein gültiges STIX: x", "other": "other", "": ""} {
		if got := (Judged{Why: why}).In("de").Why; got != want {
			t.Errorf("%q is %q, not %q", why, got, want)
		}
	}
}
