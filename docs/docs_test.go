package docs_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// keys are the keys of the configuration file, as the source of the node's Config has them.
func keys(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/node/config.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	structs := map[string]*ast.StructType{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if s, ok := spec.Type.(*ast.StructType); ok {
				structs[spec.Name.Name] = s
			}
		}
		return true
	})
	var out []string
	var walk func(prefix string, s *ast.StructType)
	walk = func(prefix string, s *ast.StructType) {
		for _, f := range s.Fields.List {
			if f.Tag == nil {
				continue
			}
			name := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("toml")
			if name == "" || name == "-" {
				continue
			}
			if id, ok := f.Type.(*ast.Ident); ok && structs[id.Name] != nil {
				walk(prefix+name+".", structs[id.Name])
				continue
			}
			out = append(out, prefix+name)
		}
	}
	walk("", structs["Config"])
	slices.Sort(out)
	return out
}

var row = regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\|")

func TestEveryKeyIsDocumented(t *testing.T) {
	page, err := os.ReadFile("configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		documented = append(documented, m[1])
	}
	slices.Sort(documented)
	known := keys(t)
	if len(known) < 10 {
		t.Fatalf("only %d keys were found in the source: %q", len(known), known)
	}
	for _, k := range known {
		if !slices.Contains(documented, k) {
			t.Errorf("configuration.md does not tell of %s", k)
		}
	}
	for _, k := range documented {
		if !slices.Contains(known, k) {
			t.Errorf("configuration.md tells of %s, which is no key", k)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#:]+\.md|[^):#]+/)?(#[^)]+)?\)`)

// Links between the pages lead somewhere, and so do their anchors.
func TestLinksLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, "../README.md", "../ARCHITECTURE.md", "../SECURITY.md", "../starter/README.md", "../packaging/README.md")
	seen := 0
	for _, page := range pages {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, m := range link.FindAllStringSubmatch(string(raw), -1) {
			seen++
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			info, err := os.Stat(target)
			if err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
				continue
			}
			if m[2] == "" || info.IsDir() {
				continue
			}
			there, err := os.ReadFile(target)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(anchors(string(there)), m[2][1:]) {
				t.Errorf("%s links to %s%s, which has no such heading", page, m[1], m[2])
			}
		}
	}
	if seen < 10 {
		t.Fatalf("only %d links were looked at", seen)
	}
}

// anchors are the names of a page's headings as links write them.
func anchors(page string) (out []string) {
	for line := range strings.Lines(page) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			keep := func(r rune) rune {
				switch {
				case r == ' ':
					return '-'
				case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
					return r
				}
				return -1
			}
			out = append(out, strings.Map(keep, strings.ToLower(strings.TrimSpace(title))))
		}
	}
	return out
}

var required = regexp.MustCompile(`(?m)^\t([a-z][^ ]+) v`)

// Every module that the build may link stands in ARCHITECTURE.md, with its reason and licence.
func TestEveryModuleIsAccountedFor(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(page), "\n## Dependencies\n")
	if !ok {
		t.Fatal("ARCHITECTURE.md has no chapter Dependencies")
	}
	modules := required.FindAllStringSubmatch(string(mod), -1)
	if len(modules) < 10 {
		t.Fatalf("only %d modules were found in go.mod", len(modules))
	}
	version := regexp.MustCompile(`/v\d+$`)
	for _, m := range modules {
		path := version.ReplaceAllString(m[1], "")
		name := path[strings.LastIndex(path, "/")+1:]
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).MatchString(list) {
			t.Errorf("ARCHITECTURE.md does not say why %s is needed", m[1])
		}
	}
}

// What the console is made of stands in ARCHITECTURE.md too.
func TestEveryPackageOfTheConsoleIsNamed(t *testing.T) {
	raw, err := os.ReadFile("../web/package.json")
	if err != nil {
		t.Fatal(err)
	}
	var pack struct{ Dependencies, DevDependencies map[string]string }
	if err := json.Unmarshal(raw, &pack); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, list := range []map[string]string{pack.Dependencies, pack.DevDependencies} {
		for name, version := range list {
			seen++
			if !strings.HasPrefix(name, "@types/") && !strings.Contains(string(page), name) {
				t.Errorf("ARCHITECTURE.md does not say what %s is for", name)
			}
			if strings.ContainsAny(version, "^~*><") {
				t.Errorf("web/package.json leaves the version of %s open: %s", name, version)
			}
		}
	}
	if seen < 5 {
		t.Fatalf("only %d packages were found", seen)
	}
}

var (
	madeMetric = regexp.MustCompile(`"(entente_[a-z]+(?:_[a-z]+)*)"`)
	toldMetric = regexp.MustCompile("(?m)^\\| `(entente_[a-z_]+)")
)

// Every figure that the node makes has its row, and every row its figure.
func TestEveryMetricIsDocumented(t *testing.T) {
	made := map[string]bool{}
	err := filepath.WalkDir("../internal", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range madeMetric.FindAllSubmatch(source, -1) {
			made[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range toldMetric.FindAllSubmatch(page, -1) {
		if !made[string(m[1])] {
			t.Errorf("operations.md tells of %s, which nothing makes", m[1])
		}
		delete(made, string(m[1]))
	}
	for name := range made {
		t.Errorf("operations.md does not tell of %s", name)
	}
}

// Every test that a page names is there.
func TestEveryDefenceIsTested(t *testing.T) {
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "node_modules" {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, "_test.go") {
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range declared.FindAllStringSubmatch(string(raw), -1) {
				there[m[1]] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"threats.md", "leaks.md"} {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(string(raw), -1)
		if len(named) == 0 {
			t.Errorf("%s names no test", page)
		}
		for _, m := range named {
			if !there[m[1]] {
				t.Errorf("%s names %s, which is no test", page, m[1])
			}
		}
	}
}

// TestEveryThreatHasItsDefence holds the table of threats to its form: 38 rows without a gap, each by one of those who attack, with a defence and a test that shows it.
func TestEveryThreatHasItsDefence(t *testing.T) {
	raw, err := os.ReadFile("threats.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\d+) \|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$`).FindAllStringSubmatch(string(raw), -1)
	const threats = 38
	if len(rows) != threats {
		t.Errorf("the table has %d rows of five cells, and there are %d threats", len(rows), threats)
	}
	for i, row := range rows {
		who, attack, defence, tests := strings.TrimSpace(row[2]), strings.TrimSpace(row[3]), strings.TrimSpace(row[4]), row[5]
		if row[1] != strconv.Itoa(i+1) {
			t.Errorf("row %d has the number %s", i+1, row[1])
		}
		if !regexp.MustCompile(`^([A-E]|all)$`).MatchString(who) || attack == "" {
			t.Errorf("threat %s: who %q does what %q?", row[1], who, attack)
		}
		if defence == "" || strings.HasPrefix(defence, "not yet") || !regexp.MustCompile("`(Test|Fuzz)\\w+`").MatchString(tests) {
			t.Errorf("threat %s (%s) has no defence with a test", row[1], attack)
		}
	}
}
