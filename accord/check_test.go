package accord

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/label"
)

func parsed(t testing.TB, src string) *Accord {
	t.Helper()
	a, err := Parse("f", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestWarnings(t *testing.T) {
	scope := "  scope {\n    organization = receiving-org\n    community    = parties\n  }\n"
	for _, tc := range []struct {
		old, new, at, rule string
		severity           Severity
	}{
		{"expires   = never", `expires = "2025-12-31"`, "5:3", "term.order", Refusal},
		{"expires   = never", "expires = \"2027-01-01\"\n review = \"2027-01-01\"", "6:2", "term.review", Caution},
		{"expires   = never", `expires = "2026-06-01"`, "5:3", "term.over", Caution},
		{"version   = 1", "version = 2", "2:3", "version.supersedes", Caution},
		{"version   = 1", "version = 1\n supersedes = \"sha256:...\"", "3:2", "version.supersedes", Refusal},
		{"version   = 1", "version = 2\n supersedes = \"sha256:...\"", "3:2", "draft", Information},
		{"need = 1", "need = 2", "9:5", "party.need", Refusal},
		{"need = 1", "need = 3\n signers = [\"a\", \"b\"]", "9:5", "party.need", Refusal},
		{"need = 1", "org = \"a\"\n signers = [\"b\"]", "10:2", "party.signers", Information},
		{"  party \"KWT\" {\n    keys = \"keylog:kw\"\n    need = 1\n  }\n", "", "1:1", "party.alone", Refusal},
		{"from    = any", "from = [MEX]", "19:5", "party.unknown", Refusal},
		{"from    = any", "to = [MEX]", "19:5", "party.unknown", Refusal},
		{"from    = any", "from = [USA]\n to = [USA]", "20:2", "give.nobody", Refusal},
		{"from    = any", "from = [USA]", "7:3", "give.asymmetric", Information},
		{"[indicator]", "[indicator, meeting-paper]", "20:5", "kind.unknown", Caution},
		{"from    = any", "strip = [\"identidy.name\"]", "19:5", "kind.unknown", Caution},
		{"ceiling = AMBER", "ceiling = RED", "21:5", "give.red", Caution},
		{"  handle {", "  give \"h\" {\n kind = [indicator]\n ceiling = GREEN\n release-officer = required\n }\n  handle {", "24:3", "give.shadowed", Caution},
		{"  give \"g\"", "  give \"h\" {\n kind = [indicator]\n ceiling = AMBER\n release-officer = required\n }\n  give \"g\"", "18:3", "give.shadowed", Caution},
		{"  handle {", "authority \"x\" {\n sunset = \"2025-01-01\"\n}\n handle {", "25:2", "authority.sunset", Caution},
		{"expires   = never", "expires = \"2030-01-01\"\n authority \"x\" {\n sunset = \"2029-01-01\"\n}", "7:2", "authority.sunset", Caution},
		{"  handle {", "authority \"x\" {\n sunset = never\n covers = [note]\n}\n handle {", "26:2", "authority.covers", Caution},
		{"purpose = [net-defence]", "purpose = [net-defence]\n never = [net-defence]", "17:2", "purpose.none", Refusal},
		{"purpose = [net-defence]", "purpose = [net-defence, training]\n never = [net-defence]", "17:2", "purpose.never", Caution},
		{"= 1", "= 1", "1:1", "scope.community", Caution},
		{"= 1", "= 1", "1:1", "scope.organization", Information},
		{"default     = AMBER", "default = CLEAR", "25:5", "handle.default", Caution},
		{"default     = AMBER", "default = RED", "25:5", "handle.default", Information},
		{"= 1", "= 1", "24:3", "handle.retain", Information},
		{"access      = copy", "retain-kind = { note = \"9d\" }", "29:5", "handle.retain", Caution},
		{"access      = copy\n  }\n", "retain = \"20d\"\n }\n terminate {\n notice = \"9d\"\n purge = \"30d\"\n}\n", "29:5", "handle.purge", Caution},
		{"onward      = none", "onward = clients", "27:5", "handle.clients", Caution},
		{"onward      = none", "onward = consent", "27:5", "handle.consent", Information},
		{"onward      = none", "onward = none\n consent-timeout = \"3h\"", "28:2", "handle.consent", Caution},
		{"onward      = none", "onward = community", "27:5", "handle.onward", Caution},
		{"onward      = none", "onward = free", "27:5", "handle.onward", Caution},
		{"  handle {", "reciprocity {\n give-back = [sighting]\n for = [indicator]\n within = \"9d\"\n minimum = \"1%\"\n otherwise = suspend\n}\n handle {", "25:2", "reciprocity.kind", Caution},
		{"  handle {", "reciprocity {\n give-back = [indicator]\n for = [indicator]\n within = \"9d\"\n minimum = \"1%\"\n otherwise = suspend\n}\n handle {", "29:2", "reciprocity.suspend", Information},
		{"  handle {", "reciprocity {\n give-back = [indicator]\n for = [indicator]\n within = \"9d\"\n minimum = \"1%\"\n otherwise = notify\n suspend-after = \"5d\"\n}\n handle {", "30:2", "reciprocity.suspend", Caution},
		{"  handle {", "decide \"x\" {\n propose = 3\n consent = all\n deadline = \"9h\"\n}\n handle {", "25:2", "decide.nobody", Refusal},
		{"  handle {", "decide \"x\" {\n propose = any\n consent = 3\n deadline = \"9h\"\n}\n handle {", "26:2", "decide.nobody", Refusal},
		{"  handle {", "decide \"x\" {\n propose = any\n consent = all\n deadline = \"9h\"\n min-positive = 3\n}\n handle {", "28:2", "decide.nobody", Refusal},
		{"  handle {", "decide \"x\" {\n propose = any\n consent = all\n deadline = \"9h\"\n veto = affected-party\n}\n handle {", "28:2", "decide.veto", Information},
		{"  handle {", "decide \"x\" {\n propose = any\n consent = all\n deadline = \"9h\"\n unreachable = abstains\n}\n handle {", "28:2", "decide.unreachable", Caution},
		{"  handle {", "decide \"x\" {\n propose = any\n consent = all-but-subject\n deadline = \"9h\"\n}\n handle {", "26:2", "decide.one", Caution},
		{"  handle {", "decide \"x\" {\n propose = any\n consent = 2\n deadline = \"9h\"\n silence = allowed\n unreachable = abstains\n}\n handle {", "29:2", "decide.silence", Caution},
		{"  handle {", "decide \"x\" {\n propose = any\n consent = all\n deadline = \"9h\"\n weights = \"sha256:...\"\n}\n handle {", "28:2", "decide.weights", Caution},
		{"  handle {", "exercise \"x\" {\n window = [\"2025-01-01\", \"2025-01-02\"]\n purge = \"9d\"\n}\n handle {", "25:2", "exercise.term", Caution},
		{"mode      = operational\n", "mode = \"exercise:y\"\n exercise \"x\" {\n window = [\"2026-02-01\", \"2026-02-02\"]\n purge = \"9d\"\n}\n", "4:2", "exercise.mode", Caution},
		{"= 1", "= 1", "5:3", "leave.never", Caution},
		{"= 1", "= 1", "1:1", "suspend.nobody", Information},
	} {
		if !strings.Contains(least, tc.old) {
			t.Fatalf("%q is not in the text", tc.old)
		}
		a := parsed(t, strings.Replace(least, tc.old, tc.new, 1))
		ws := a.Check(Context{Now: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)})
		if !slices.ContainsFunc(ws, func(w Warning) bool {
			return fmt.Sprintf("%d:%d", w.Line, w.Column) == tc.at && w.Rule == tc.rule && w.Severity == tc.severity && w.Text != ""
		}) {
			t.Errorf("%q: no %s %s at %s among %v", tc.new, tc.severity, tc.rule, tc.at, ws)
		}
		_, err := Compile(a, Digest(a.Bytes()), members)
		var refused *Uncompiled
		if errors.As(err, &refused) != (tc.severity == Refusal) && tc.rule != "party.alone" {
			t.Errorf("%q: compiled: %v", tc.new, err)
		}
	}
	// What everybody would write brings no word.
	quiet := strings.Replace(least, "  purpose", scope+"  purpose", 1)
	quiet = strings.Replace(quiet, "pap         = CLEAR", "retain = \"90d\"\n pap = CLEAR", 1)
	quiet = strings.Replace(quiet, "access      = copy\n  }\n", "access = copy\n }\n suspend { by = any-party }\n terminate {\n notice = \"9d\"\n purge = \"9d\"\n}\n", 1)
	if ws := parsed(t, quiet).Check(Context{Now: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)}); len(ws) != 0 {
		t.Errorf("%v", ws)
	}
}

func TestWarningsAboutWhatIsAround(t *testing.T) {
	before := parsed(t, least)
	digest := Digest(before.Bytes())
	next := parsed(t, strings.Replace(least, "version   = 1", "version = 2\n supersedes = "+quoted(digest), 1))
	has := func(a *Accord, ctx Context, rule string) bool {
		return slices.ContainsFunc(a.Check(ctx), func(w Warning) bool { return w.Rule == rule })
	}
	for _, rule := range []string{"version.number", "version.supersedes", "version.name"} {
		if has(next, Context{Before: before, BeforeDigest: digest}, rule) {
			t.Errorf("%s is said of the next version", rule)
		}
	}
	if !has(next, Context{Before: next, BeforeDigest: Digest(next.Bytes())}, "version.number") || !has(next, Context{Before: before, BeforeDigest: Digest(nil)}, "version.supersedes") {
		t.Error("a version that does not follow is not noticed")
	}
	other := *before
	other.Name = "b"
	if !has(next, Context{Before: &other}, "version.name") {
		t.Error("another accord's version is taken for the one before")
	}
	loose := parsed(t, strings.Replace(least, "onward      = none", "onward = consent", 1))
	if !has(loose, Context{Sources: []*Accord{&other}}, "handle.onward") || has(before, Context{Sources: []*Accord{loose}}, "handle.onward") {
		t.Error("onward is not compared with that of the source")
	}
	secret := parsed(t, strings.Replace(least, "ceiling = AMBER", "ceiling = AMBER\n class = \"NATO:NS\"", 1))
	restricted, _ := label.ParseClass("NATO:NR")
	if !has(secret, Context{Clearance: map[string]label.Class{"KWT": restricted}}, "give.clearance") || has(secret, Context{Clearance: map[string]label.Class{"KWT": label.Mixed()}}, "give.clearance") {
		t.Error("clearances are not looked at")
	}
	if has(before, Context{Kinds: func(string) bool { return true }}, "kind.unknown") || !has(before, Context{Kinds: func(string) bool { return false }}, "kind.unknown") {
		t.Error("kinds are not those that were given")
	}
}

func TestCompile(t *testing.T) {
	a := parsed(t, least)
	digest := Digest(a.Bytes())
	terms, err := Compile(a, digest, members)
	if err != nil {
		t.Fatal(err)
	}
	if terms.Parties[0].Nation != "KWT" || terms.Parties[1].Org != "us.cert" || terms.Parties[1].Signers[0] != "us.cert" || terms.Number("USA", "us.cert") != 1 || terms.Number("USA", "x") != -1 {
		t.Errorf("%+v", terms.Parties)
	}
	if c := terms.Clauses[0]; c.FromSet != 3 || c.ToSet != 3 || c.Number != 1 {
		t.Errorf("%+v", c)
	}
	register := parsed(t, strings.Replace(strings.Replace(least, "effective", "parties = \"register:r\"\n effective", 1), least[strings.Index(least, "  party \"USA\""):strings.Index(least, "  purpose")], "", 1))
	for name, tc := range map[string]struct {
		a       *Accord
		digest  string
		members func(string) ([]Party, error)
	}{
		"no digest":            {a, "sha256:...", members},
		"no key logs":          {a, digest, nil},
		"another nation's log": {a, digest, func(string) ([]Party, error) { return []Party{{Nation: "NOR", Org: "o"}}, nil }},
		"unknown register":     {register, digest, func(string) ([]Party, error) { return nil, errors.New("unknown") }},
		"one member":           {register, digest, func(string) ([]Party, error) { return []Party{{Nation: "NOR", Org: "o"}}, nil }},
		"the same twice": {register, digest, func(string) ([]Party, error) {
			return []Party{{Nation: "NOR", Org: "o"}, {Nation: "NOR", Org: "p"}}, nil
		}},
		"no nation": {register, digest, func(string) ([]Party, error) {
			return []Party{{Nation: "NOR", Org: "o"}, {Nation: "no", Org: "p"}}, nil
		}},
		"too many": {register, digest, func(string) ([]Party, error) { return make([]Party, MaxParties+1), nil }},
	} {
		if _, err := Compile(tc.a, tc.digest, tc.members); err == nil {
			t.Errorf("%s: it was compiled", name)
		}
	}
}

func TestExerciseDays(t *testing.T) {
	d := func(s string) time.Time { x, _ := time.Parse(time.RFC3339, s); return x }
	e := Exercise{From: d("2027-03-01T00:00:00Z"), To: d("2027-03-05T00:00:00Z")}
	for s, want := range map[string]bool{"2027-02-28T23:59:59Z": false, "2027-03-01T00:00:00Z": true, "2027-03-05T23:59:59Z": true, "2027-03-06T00:00:00Z": false} {
		if e.At(d(s)) != want {
			t.Errorf("%s: %t", s, !want)
		}
	}
}
