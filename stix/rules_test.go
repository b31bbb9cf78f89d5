package stix

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/stix-rules.md")

// rulesDocument is the page that documents every code.
func rulesDocument() string {
	var b strings.Builder
	b.WriteString("# Rules of the STIX checker\n\n" +
		"Every finding and every error of the package `stix` has one of these codes. An *error* breaks a MUST of STIX 2.1 (with errata 01) or a\n" +
		"limit of this node, a *warning* a SHOULD; *info* is worth knowing and neither. Sections are those of the standard. The table is made from\n" +
		"the rules themselves: `go test ./stix -run TestRulesDocument -update`.\n\n" +
		"| code | level | section | what holds where the rule is kept |\n|---|---|---|---|\n")
	for _, r := range Rules() {
		b.WriteString("| `" + r.Code + "` | " + r.Level.String() + " | " + r.Section + " | " + r.Summary + " |\n")
	}
	return b.String()
}

func TestRulesDocument(t *testing.T) {
	path := filepath.Join("..", "docs", "stix-rules.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(rulesDocument()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != rulesDocument() {
		t.Errorf("%s is not what the rules say: run the test with -update", path)
	}
}

// Every code in the package's source has its rule, and every rule is used.
func TestEveryCodeHasARule(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := regexp.MustCompile(`(?:report|\bat|atName|fail|oneOfRule|lose|enabled)\([^\n"]*(?:"\w+", )?"([a-z]+\.[a-z]+)"|Code: +"([a-z]+\.[a-z]+)"`)
	var source strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "rules.go" {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(raw)
		for _, m := range calls.FindAllStringSubmatch(string(raw), -1) {
			if code := m[1] + m[2]; ruleByCode()[code] == nil {
				t.Errorf("%s: no rule %s", file, code)
			}
		}
	}
	seen := map[string]bool{}
	for _, r := range Rules() {
		if seen[r.Code] {
			t.Errorf("rule %s twice", r.Code)
		}
		seen[r.Code] = true
		if !strings.Contains(source.String(), `"`+r.Code+`"`) {
			t.Errorf("rule %s is not used", r.Code)
		}
	}
}
