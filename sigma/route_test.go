package sigma_test

import (
	"os"
	"testing"

	"entente/sigma"
)

func TestBuiltinRoutesAreRead(t *testing.T) {
	text, err := os.ReadFile("routes.yml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := sigma.ParsePipeline("routes.yml", text)
	if err != nil {
		t.Fatal(err)
	}
	if got := sigma.Builtin(); len(got.Routes) != len(p.Routes) || len(p.Routes) < 150 {
		t.Fatalf("%d routes, built in %d", len(p.Routes), len(got.Routes))
	}
	seen := map[string]bool{}
	for _, r := range p.Routes {
		if name := r.Logsource.String(); seen[name] {
			t.Errorf("two routes for %s", name)
		} else {
			seen[name] = true
		}
	}
}
