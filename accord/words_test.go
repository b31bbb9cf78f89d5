package accord

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/internal/phrasebook"
	"entente/label"
)

func TestSentences(t *testing.T) {
	all, err := ParseAll("f", examples(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string][]string{
		"en": {"3 This is version 3 of accord us-kw-cip.", "Each of USA and KWT may give every other party incident, up to TLP:AMBER+STRICT.", "By give incidents nothing goes before a release officer has signed for it.",
			"USA is bound when 2 of these have signed: us.state, us.cisa and us.dod.", "In TLP, the community is the parties: TLP:GREEN stays between them.", "It is kept for at most 365 days.",
			"Clients receive renditions of it, never the original.", "At least 10% must come back.", "Any party alone may suspend the accord at any time.", "The accord ends for all 90 days after a party gave notice."},
		"de": {"Jede von USA und KWT darf geben, an jede andere Partei: incident, bis zu TLP:AMBER+STRICT.", "Was von anderen kam, wird dann binnen 30 Tagen vernichtet.", "Es wird höchstens 365 Tage aufbewahrt.",
			"Entscheidung joint-block: sie muss binnen 24 Stunden fallen."},
		"es": {"El acuerdo termina para todos 90 días después de que una parte lo denuncie.", "La cláusula sightings quita: identity.name, email-addr y user-account."},
		"fr": {"L'accord prend fin pour tous 90 jours après qu'une partie l'a dénoncé.", "Sa source ne doit pas être nommée."},
		"xx": {"Its source must not be named."},
	} {
		var got []string
		for _, s := range all[0].Explain(lang) {
			got = append(got, s.Text)
		}
		for _, w := range want {
			if w = strings.TrimPrefix(w, "3 "); !slices.Contains(got, w) {
				t.Errorf("%s: no %q in\n%s", lang, w, strings.Join(got, "\n"))
			}
		}
	}
	lines := strings.Split(string(examples(t)[0]), "\n")
	for _, s := range all[0].Explain("en") {
		if line := lines[s.Line-1]; !strings.Contains(line, s.Attribute) && !strings.Contains(line, strings.Split(s.Clause, " ")[0]) {
			t.Errorf("%+v speaks of the line %q", s, line)
		}
	}
}

// In every language a sentence takes the same values.
func TestSentencesTakeTheSameInEveryLanguage(t *testing.T) {
	verbs := regexp.MustCompile(`%\[\d\][a-z]|%%`)
	for key, texts := range sentences {
		want := slices.Sorted(slices.Values(verbs.FindAllString(texts[0], -1)))
		for i, s := range texts {
			if got := slices.Sorted(slices.Values(verbs.FindAllString(s, -1))); !slices.Equal(got, want) || s == "" {
				t.Errorf("%s in %s: %q takes %v, not %v", key, Languages[i], s, got, want)
			}
		}
	}
}

// Whatever Check and Diff say is there in every language, with the same values, and nothing is there that nobody says.
func TestRemarksAreSaidInEveryLanguage(t *testing.T) {
	at := map[string]map[string]int{"check.go": {".say": 5, ".word": 0}, "diff.go": {".add": 1}, "flow.go": {".add": 1}}
	phrasebook.Check(t, remarks, func(file string, n ast.Node) ast.Expr { return phrasebook.Called(n, at[file]) }, "check.go", "diff.go", "flow.go")
}

func TestRemarksInGerman(t *testing.T) {
	old, now := parsed(t, least), parsed(t, strings.Replace(least, "[indicator]", "[indicator, note]", 1))
	if got, want := Diff(old, now)[0].In("de").Text, "mit dieser Änderung erhält zusätzlich KWT: note bis TLP:AMBER, von USA"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	var got []string
	for _, w := range old.Check(Context{Language: "de"}) {
		got = append(got, w.Text)
	}
	if want := "niemand darf die Vereinbarung aussetzen: schreiben Sie suspend { by = any-party }"; !slices.Contains(got, want) {
		t.Errorf("no %q in %q", want, got)
	}
}

func TestDiffSentences(t *testing.T) {
	incidents := "  give \"incidents\" {\n from = [USA]\n kind = [incident]\n ceiling = AMBER\n }\n  handle {"
	for _, tc := range []struct{ old, new, want string }{
		{"  handle {", incidents, "widen: this amendment lets KWT additionally receive incident up to TLP:AMBER from USA\n" +
			"widen: give incidents is new: from = [USA], kind = [incident], ceiling = AMBER"},
		{"ceiling = AMBER", "ceiling = AMBER-STRICT", "widen: this amendment lets KWT receive indicator from USA up to TLP:AMBER+STRICT, before up to TLP:AMBER\n" +
			"widen: this amendment lets USA receive indicator from KWT up to TLP:AMBER+STRICT, before up to TLP:AMBER\n" +
			"widen: give g: ceiling is now AMBER-STRICT, before AMBER"},
		{"from    = any", "from = [USA]", "narrow: after this amendment USA can no longer receive indicator from KWT\nnarrow: give g: from is now [USA], before any"},
		{"[indicator]", "[indicator, note]", "widen: this amendment lets KWT additionally receive note up to TLP:AMBER from USA\n" +
			"widen: this amendment lets USA additionally receive note up to TLP:AMBER from KWT\nwiden: give g: kind now also has note"},
		{"access      = copy", "access = view", "narrow: handle: access is now view, before copy"},
		{"access      = copy", "retain = \"90d\"", "narrow: handle: retain is now \"90d\", before nothing was said"},
		{"expires   = never", `expires = "2030-01-01"`, "narrow: expires is now \"2030-01-01\", before never"},
		{"[net-defence]", "[training]", "other: purpose now also has training and no longer has net-defence"},
		{"[net-defence]", "[net-defence, training]", "widen: purpose now also has training"},
		{"  handle {", "authority \"x\" { sunset = \"2030-01-01\" }\n  handle {", "narrow: authority x is new: sunset = \"2030-01-01\""},
		{"  handle {", "limits { object = \"1MiB\" }\n  handle {", "narrow: limits is new: object = \"1MiB\""},
		{"version   = 1", "version = 2\n supersedes = \"sha256:...\"", ""},
		{`accord "a"`, `accord "b"`, "other: the accord is b, before a"},
		{"from    = any", "from = any\n strip = [\"identity.name\"]", "narrow: give g: strip is now [\"identity.name\"], before nothing was said"},
		{"from    = any", "from = any\n class = \"NATO:NR\"", "widen: give g: class is now \"NATO:NR\", before nothing was said"},
	} {
		if !strings.Contains(least, tc.old) {
			t.Fatalf("%q is not in the text", tc.old)
		}
		var got []string
		for _, c := range Diff(parsed(t, least), parsed(t, strings.Replace(least, tc.old, tc.new, 1))) {
			got = append(got, fmt.Sprintf("%s: %s", c.Way, c.Text))
		}
		if s := strings.Join(got, "\n"); s != tc.want {
			t.Errorf("%q:\n got %s\nwant %s", tc.new, s, tc.want)
		}
	}
	// What holds for all is said once.
	third := "  party \"MEX\" {\n keys = \"keylog:mx\"\n }\n  purpose"
	a := strings.Replace(least, "  purpose", third, 1)
	var got []string
	for _, c := range Diff(parsed(t, a), parsed(t, strings.Replace(a, "[indicator]", "[indicator, note]", 1))) {
		got = append(got, c.Text)
	}
	if want := "this amendment lets every party additionally receive note up to TLP:AMBER from every other party"; got[0] != want {
		t.Errorf("%q", got)
	}
	// A party that joins receives, and is received from.
	got = nil
	for _, c := range Diff(parsed(t, least), parsed(t, a)) {
		got = append(got, c.Text)
	}
	for _, want := range []string{"this amendment lets MEX additionally receive indicator up to TLP:AMBER from every other party", "this amendment lets KWT, USA additionally receive indicator up to TLP:AMBER from MEX"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

func TestTemplates(t *testing.T) {
	now := time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)
	three := []string{"USA", "MEX", "CAN"}
	for kind, nations := range map[string][]string{"bilateral": {"USA", "KWT"}, "trilateral": three, "alliance": three, "meeting": three} {
		text, err := New(Template{Kind: kind, Name: "x", Title: "X", Nations: nations, Effective: now, Expires: now.AddDate(1, 0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		a := parsed(t, string(text))
		if string(a.Bytes()) != string(text) {
			t.Errorf("%s is not canonical", kind)
		}
		for _, w := range a.Check(Context{Now: now}) {
			if w.Severity > Information {
				t.Errorf("%s: %s", kind, w)
			}
		}
	}
	for _, give := range TemplateGives {
		text, err := New(Template{Kind: "bilateral", Name: "x", Nations: three[:2], Gives: []string{give}, Effective: now})
		if err != nil {
			t.Fatal(err)
		}
		if gives := parsed(t, string(text)).Gives; len(gives) != 1 || gives[0].Name != give {
			t.Errorf("%s: %+v", give, gives)
		}
	}
	named := map[string]string{"USA": "Cyber & \"Infrastructure\" ${Agency}", "KWT": "المركز"}
	text, err := New(Template{Kind: "bilateral", Name: "x", Nations: []string{"USA", "KWT"}, Orgs: named, Effective: now})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parsed(t, string(text)).Parties {
		if _, err := label.NewAudience(label.Org(p.Nation, p.Org)); p.Org != named[p.Nation] || err != nil {
			t.Errorf("%s: %q is not %q (%v)", p.Nation, p.Org, named[p.Nation], err)
		}
	}
	text, err = New(Template{Kind: "alliance", Name: "x", Register: "nato.members", Effective: now})
	if err != nil {
		t.Fatal(err)
	}
	ms, _ := members("nato.members")
	filled := parsed(t, string(text)).WithMembers(ms)
	if again := parsed(t, string(filled.Bytes())); len(again.Parties) != len(ms) || again.Register == "" {
		t.Errorf("%s", filled.Bytes())
	}
	for name, bad := range map[string]Template{
		"give":       {Kind: "meeting", Name: "x", Nations: three, Effective: now, Gives: []string{"everything"}},
		"give twice": {Kind: "meeting", Name: "x", Nations: three, Effective: now, Gives: []string{"papers", "papers"}},
		"kind":       {Kind: "treaty", Name: "x", Nations: three, Effective: now},
		"name":       {Kind: "meeting", Name: "X Y", Nations: three, Effective: now},
		"nations":    {Kind: "bilateral", Name: "x", Nations: three, Effective: now},
		"nation":     {Kind: "bilateral", Name: "x", Nations: []string{"USA", "us"}, Effective: now},
		"twice":      {Kind: "bilateral", Name: "x", Nations: []string{"USA", "USA"}, Effective: now},
		"no day":     {Kind: "bilateral", Name: "x", Nations: []string{"USA", "KWT"}},
		"slash":      {Kind: "bilateral", Name: "x", Nations: []string{"USA", "KWT"}, Orgs: map[string]string{"USA": "a/b"}, Effective: now},
		"blank":      {Kind: "bilateral", Name: "x", Nations: []string{"USA", "KWT"}, Orgs: map[string]string{"USA": " a"}, Effective: now},
		"hidden":     {Kind: "bilateral", Name: "x", Nations: []string{"USA", "KWT"}, Orgs: map[string]string{"USA": "a\u202eb"}, Effective: now},
		"long":       {Kind: "bilateral", Name: "x", Nations: []string{"USA", "KWT"}, Orgs: map[string]string{"USA": strings.Repeat("a", 129)}, Effective: now},
		"bad quotes": {Kind: "bilateral", Name: "x", Title: "a\nb", Nations: []string{"USA", "KWT"}, Effective: now},
	} {
		if text, err := New(bad); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}
