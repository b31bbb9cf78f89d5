package accord

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"entente/label"
)

// examples are the accords of the reference, as its reader sees them.
func examples(t testing.TB) [][]byte {
	t.Helper()
	page, err := os.ReadFile("../docs/accords.md")
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, m := range regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllSubmatch(page, -1) {
		out = append(out, m[1])
	}
	if len(out) != 3 {
		t.Fatalf("the reference has %d examples, not 3", len(out))
	}
	return out
}

// members stands for the signed registers and key logs of the examples.
func members(register string) ([]Party, error) {
	switch nation, ok := strings.CutPrefix(register, "keylog:"); {
	case ok:
		code := map[string]string{"us": "USA", "mx": "MEX", "ca": "CAN", "kw": "KWT"}[nation]
		return []Party{{Nation: code, Org: nation + ".cert", Node: "fed." + nation + ".example", Keys: nation}}, nil
	case register == "nato.members":
		var out []Party
		for i, n := range []string{"USA", "FRA", "NOR", "DEU"} {
			out = append(out, Party{Nation: n, Org: fmt.Sprintf("org%d", i), Keys: "k"})
		}
		return out, nil
	}
	return nil, errors.New("there is no such register")
}

func TestExamples(t *testing.T) {
	names := []string{}
	for _, src := range examples(t) {
		as, err := ParseAll("accords.md", src)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range as {
			names = append(names, a.Name)
			canonical := a.Bytes()
			again, err := Parse("again", canonical)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(a, again, cmpopts.IgnoreUnexported(Accord{}), cmp.Comparer(equalClass)); diff != "" {
				t.Errorf("%s: the canonical form says something else: %s", a.Name, diff)
			}
			terms, err := Compile(a, Digest(canonical), members)
			if err != nil {
				t.Fatal(err)
			}
			if len(terms.Clauses) != len(a.Gives) || len(terms.Parties) < 2 {
				t.Errorf("%s: %d clauses, %d parties", a.Name, len(terms.Clauses), len(terms.Parties))
			}
			if n := len(a.Explain("en")); n < 20 {
				t.Errorf("%s: %d sentences only", a.Name, n)
			}
		}
	}
	if got := strings.Join(names, " "); got != "us-kw-cip us-mx-exchange na-experts-2027 nato-cyber-share" {
		t.Error(got)
	}
}

const least = `accord "a" {
  version   = 1
  mode      = operational
  effective = "2026-01-01"
  expires   = never

  party "USA" {
    keys = "keylog:us"
    need = 1
  }
  party "KWT" {
    keys = "keylog:kw"
    need = 1
  }

  purpose = [net-defence]

  give "g" {
    from    = any
    kind    = [indicator]
    ceiling = AMBER
  }

  handle {
    default     = AMBER
    pap         = CLEAR
    onward      = none
    attribution = may
    access      = copy
  }
}
`

func TestEveryErrorTellsItsPlaceAndWhatToDo(t *testing.T) {
	for _, tc := range []struct{ old, new, at, rule, says string }{
		{"mode      = operational", "mode = opertional", "3:10", "value", "operational"},
		{"mode      = operational", "modus = operational", "3:3", "word", "no word of accord"},
		{"mode      = operational\n", "", "1:1", "missing", "write mode ="},
		{"mode      = operational", "mode = operational\n mode = operational", "4:2", "duplicate", ""},
		{"version   = 1", "version = 0", "2:13", "value", "whole number"},
		{"version   = 1", "version = 01", "2:13", "value", "whole number"},
		{"version   = 1", "version = 1e3", "2:13", "value", "whole number"},
		{"version   = 1", "version = -1", "2:13", "token", "no part of the language"},
		{"version   = 1", "version = 1 + 1", "2:15", "token", "no part of the language"},
		{"version   = 1", "version = a.b", "2:14", "token", "no part of the language"},
		{"version   = 1", "version = abs(1)", "2:16", "token", "function"},
		{"version   = 1", `version = "1"`, "2:13", "value", "whole number"},
		{`"2026-01-01"`, `"01.01.2026"`, "4:15", "value", "day in quotes"},
		{`"2026-01-01"`, `"2026-02-30"`, "4:15", "value", "day in quotes"},
		{`"2026-01-01"`, `2026`, "4:15", "value", "day in quotes"},
		{`"2026-01-01"`, `"${day}"`, "4:16", "token", "template"},
		{`"2026-01-01"`, "<<E\nx\nE", "4:15", "token", "several lines"},
		{`party "USA"`, `party USA`, "7:9", "label", `write party "USA"`},
		{`party "USA"`, `party "usa"`, "7:9", "label", "three capital letters"},
		{`party "USA"`, `party`, "7:3", "label", "one name in quotes"},
		{`party "USA"`, `party "USA" "x"`, "7:3", "label", "one name in quotes"},
		{`party "USA"`, `party "KWT"`, "11:3", "duplicate", "stands twice"},
		{`party "USA"`, `partner "USA"`, "7:3", "word", "its words are"},
		{`accord "a"`, `accord "A"`, "1:8", "label", "small letters"},
		{`accord "a"`, `accord`, "1:1", "label", "one name"},
		{`accord "a"`, `treaty "a"`, "1:1", "word", "outside of an accord"},
		{`keys = "keylog:us"`, `keys = "us"`, "8:12", "value", "keylog:NAME"},
		{"need = 1", "need = 17", "9:12", "value", "1 to 16"},
		{"[net-defence]", "[]", "16:13", "value", "one or more"},
		{"[net-defence]", "net-defence", "16:13", "value", "list"},
		{"[net-defence]", "[all]", "16:14", "value", "net-defence"},
		{"[net-defence]", "[net-defence, net-defence]", "16:27", "duplicate", "stands twice"},
		{"[indicator]", `["indicator"]`, "20:16", "value", "without quotes"},
		{"[indicator]", `[[indicator]]`, "20:16", "value", "without quotes"},
		{"[indicator]", `[[[[[[indicator]]]]]]`, "20:17", "token", "at most 4 deep"},
		{"= AMBER\n  }", "= AMBER+STRICT\n  }", "21:20", "token", "no part of the language"},
		{"= AMBER\n  }", "= WHITE\n  }", "21:15", "value", "CLEAR, GREEN"},
		{"from    = any", "from = all", "19:12", "value", "list"},
		{"from    = any", "from_ = any", "19:5", "word", "its words are"},
		{"from    = any", "release_officer = required", "19:5", "word", ": write release-officer"},
		{"onward      = none\n", "", "24:3", "missing", "handle does not say onward"},
		{"onward      = none", "onward = anybody", "27:14", "value", "audience-relay"},
		{"access      = copy", "access = true", "29:14", "value", "copy"},
		{"access      = copy", "retain = \"forever\"", "29:14", "value", "365d"},
		{"access      = copy", "retain = \"0d\"", "29:14", "value", "365d"},
		{"access      = copy", "retain-kind = {}", "29:19", "value", "sighting"},
		{"access      = copy", `retain-kind = { "a" = "9d" }`, "29:21", "value", "each key"},
		{"access      = copy", `retain-kind = { a: "9d" }`, "29:22", "token", "write ="},
		{"access      = copy", `give = 1`, "29:5", "word", "no word of handle"},
		{"handle {", `handle "x" {`, "24:10", "label", "has no name"},
		{"handle {", "scope {}\nhandle {", "24:3", "missing", "scope does not say organization"},
		{"handle {", "limits {}\nhandle {", "24:3", "missing", "leave it out"},
		{"handle {", "handle {\n inner {}", "25:2", "word", "attributes only"},
		{"handle {", "title {}\nhandle {", "24:3", "word", "write title ="},
		{"handle {", "scope = 1\nhandle {", "24:3", "word", "is a block"},
		{"handle {", "title = \"a\u202eb\"\nhandle {", "24:11", "value", "one line of text"},
		{"handle {", "exercise \"x\" {\n window = [\"2027-01-02\", \"2027-01-01\"]\n purge=\"9d\"\n}\nhandle {", "25:26", "value", "ends before it begins"},
		{"handle {", "decide \"x\" {\n propose = 65\n consent = \"3/2\"\n deadline = \"1h\"\n}\nhandle {", "25:12", "value", "number of parties"},
		{"handle {", "handle ", "24:3", "syntax", ""},
		{"\n}\n", "\n", "1:12", "syntax", ""},
	} {
		src := strings.Replace(least, tc.old, tc.new, 1)
		if src == least {
			t.Fatalf("%q is not in the text", tc.old)
		}
		_, err := Parse("f", []byte(src))
		var all Errors
		if !errors.As(err, &all) {
			t.Errorf("%q was taken: %v", tc.new, err)
			continue
		}
		e := all[0]
		if tc.rule != "missing" && e.Rule == "missing" && len(all) > 1 {
			e = all[1] // what is missing is told at the beginning of its block
		}
		if at := fmt.Sprintf("%d:%d", e.Line, e.Column); at != tc.at || e.Rule != tc.rule || !strings.Contains(e.Message, tc.says) {
			t.Errorf("%q:\n got %s %s %s\nwant %s %s …%s…", tc.new, at, e.Rule, e.Message, tc.at, tc.rule, tc.says)
		}
	}
}

func TestTextsAsAWhole(t *testing.T) {
	for name, tc := range map[string]struct{ src, rule string }{
		"empty":                {"", "missing"},
		"two accords":          {least + strings.Replace(least, `"a"`, `"b"`, 1), "count"},
		"the same twice":       {least + least, "duplicate"},
		"too long":             {strings.Repeat("#", MaxBytes+1), "size"},
		"not UTF-8":            {"accord \"a\" { title = \"\xff\" }", "token"},
		"a byte order mark":    {"\ufeff" + least, "token"},
		"an attribute outside": {"version = 1\n" + least, "word"},
		"deep":                 {strings.Repeat("[", 200000), "token"},
	} {
		_, err := Parse("f", []byte(tc.src))
		var all Errors
		if !errors.As(err, &all) || all[0].Rule != tc.rule {
			t.Errorf("%s: %v, want %s", name, err, tc.rule)
		}
	}
	_, err := Parse("f", []byte(strings.Replace(least, "mode ", strings.Repeat("x = 1\n", 1)+"y=[]\n"+strings.Repeat("z {}\n", 50)+"mode ", 1)))
	var all Errors
	if !errors.As(err, &all) || len(all) != MaxErrors {
		t.Errorf("%d errors are told", len(all))
	}
}

func TestFormat(t *testing.T) {
	canonical, err := Format([]byte(least))
	if err != nil || string(canonical) != least {
		t.Errorf("%v\n%s", err, canonical)
	}
	for name, change := range map[string][2]string{
		"comments":      {"version", "# why\n /* so */ version"},
		"another order": {"  version   = 1\n  mode      = operational\n", "mode=operational\nversion=1\n"},
		"no alignment":  {"attribution = may", "attribution=may"},
		"defaults":      {"    attribution = may\n", ""},
		"need":          {"    need = 1\n", ""},
		"from":          {"    from    = any\n", ""},
		"to":            {"    from    = any\n", "to = any\n"},
		"class":         {"    from    = any\n", "class = unclassified\n"},
		"line ends":     {"\n", "\r\n"},
	} {
		changed := strings.Replace(least, change[0], change[1], 1)
		if name == "line ends" {
			changed = strings.ReplaceAll(least, "\n", "\r\n")
		}
		got, err := Format([]byte(changed))
		if err != nil || string(got) != least {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
	if d := Digest(canonical); len(d) != 71 || Digest(canonical[1:]) == d {
		t.Error(d)
	}
}

func TestValues(t *testing.T) {
	for in, out := range map[string]string{"1y": "365d", "365d": "365d", "1d": "24h", "3d": "72h", "4d": "4d", "96h": "4d", "90m": "90m", "60m": "1h", "100y": "36500d"} {
		d, ok := parseDuration(in)
		if got := printDuration(d); !ok || got != out {
			t.Errorf("%s is %s, want %s", in, got, out)
		}
	}
	for _, bad := range []string{"", "d", "0d", "-1d", "1.5d", "101y", "01d", "1s", "1w", "9999999999999999999d", " 1d"} {
		if _, ok := parseDuration(bad); ok {
			t.Errorf("%q is taken for a time", bad)
		}
	}
	for in, out := range map[string]string{"1024KiB": "1MiB", "256KiB": "256KiB", "1B": "1B", "1024TiB": "1024TiB", "1025B": "1025B"} {
		n, ok := parseSize(in)
		if got := printSize(n); !ok || got != out {
			t.Errorf("%s is %s, want %s", in, got, out)
		}
	}
	for _, bad := range []string{"", "1", "1KB", "0B", "1025TiB", "-1B", "1.5MiB"} {
		if _, ok := parseSize(bad); ok {
			t.Errorf("%q is taken for a size", bad)
		}
	}
}

// Each word of the language stands in the reference, and each word of the reference in the language.
func TestTheReferenceHasEveryWord(t *testing.T) {
	page, err := os.ReadFile("../docs/accords.md")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(page), "## Words")
	body, _, _ = strings.Cut(body, "## Before you sign")
	documented := map[string]bool{}
	for section := range strings.SplitSeq(body, "\n### ") {
		title, _, _ := strings.Cut(section, "\n")
		for _, block := range strings.Split(strings.Split(title, ` "`)[0], ", ") {
			for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(section, -1) {
				documented[block+"."+m[1]] = true
			}
		}
	}
	var a Accord
	known := 0
	for _, p := range a.schema() {
		if p.field != nil {
			if known++; !documented["The accord."+p.field.word] {
				t.Errorf("%s is not documented", p.field.word)
			}
			continue
		}
		for _, f := range p.block.add("x") {
			if known++; !documented[p.block.word+"."+f.word] {
				t.Errorf("%s of %s is not documented", f.word, p.block.word)
			}
		}
	}
	// The three ways out share one table, of which suspend has one word and the others three.
	if want := known + 5; len(documented) != want {
		t.Errorf("%d words are documented, the language has %d", len(documented), known)
	}
}

func equalClass(a, b label.Class) bool { return a == b }
