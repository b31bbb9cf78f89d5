package pattern_test

import (
	"strings"
	"testing"

	"entente/stix/pattern"
)

func mustParse(t testing.TB, src string) *pattern.Pattern {
	t.Helper()
	p, err := pattern.Parse(src)
	if err != nil {
		t.Fatalf("Parse(%q): %v", src, err)
	}
	return p
}

func TestPrintIsCanonical(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{`[file:size=1280]`, `[file:size = 1280]`},
		{` [ file:size == +5 ] `, `[file:size = 5]`},
		{`[a:b <> 1]`, `[a:b != 1]`},
		{`[a:b = .5]`, `[a:b = 0.5]`},
		{`[a:b = -12.50]`, `[a:b = -12.5]`},
		{`[a:b = 7.0]`, `[a:b = 7.0]`},
		{`[a:b = true OR a:b = false]`, `[a:b = true OR a:b = false]`},
		{`[a:b = h'FFd8']`, `[a:b = h'ffd8']`},
		{"[a:b = b'QU\nJD']", `[a:b = b'QUJD']`},
		{`[a:b = t'2020-01-01T00:00:00.10Z']`, `[a:b = t'2020-01-01T00:00:00.10Z']`},
		{`[a:b = 'it\'s a \\ path']`, `[a:b = 'it\'s a \\ path']`},
		{`[a:'b'.'c-d'[*].e[3] = 1]`, `[a:b.'c-d'[*].e[3] = 1]`},
		{`[a:'AND' = 1]`, `[a:'AND' = 1]`},
		{`[a:b NOT IN('x','y')]`, `[a:b NOT IN ('x', 'y')]`},
		{`[a:b IN ()]`, `[a:b IN ()]`},
		{`[NOT EXISTS a:b AND EXISTS a:c[0]]`, `[NOT EXISTS a:b AND EXISTS a:c[0]]`},
		{`[((a:b = 1))]`, `[a:b = 1]`},
		{`[a:b = 1 OR a:b = 2 AND a:c = 3]`, `[a:b = 1 OR a:b = 2 AND a:c = 3]`},
		{`[(a:b = 1 OR a:b = 2) AND a:c = 3]`, `[(a:b = 1 OR a:b = 2) AND a:c = 3]`},
		{`(([a:b = 1]))`, `[a:b = 1]`},
		{`([a:b=1] AND [a:b=2]) OR [a:b=3]`, `[a:b = 1] AND [a:b = 2] OR [a:b = 3]`},
		{`[a:b=1] AND ([a:b=2] OR [a:b=3])`, `[a:b = 1] AND ([a:b = 2] OR [a:b = 3])`},
		{`([a:b=1] FOLLOWEDBY [a:b=2]) WITHIN 5.5 SECONDS REPEATS 2 TIMES`, `([a:b = 1] FOLLOWEDBY [a:b = 2]) WITHIN 5.5 SECONDS REPEATS 2 TIMES`},
		{`[a:b=1] FOLLOWEDBY ([a:b=2] FOLLOWEDBY [a:b=3])`, `[a:b = 1] FOLLOWEDBY ([a:b = 2] FOLLOWEDBY [a:b = 3])`},
		{`[a:b=1] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'`, `[a:b = 1] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'`},
		{"// first\n[a:b /* inner */ = 1]\u00a0", `[a:b = 1]`},
	} {
		p := mustParse(t, c.src)
		if got := p.String(); got != c.want {
			t.Errorf("Parse(%q).String() = %q, want %q", c.src, got, c.want)
		}
		if !mustParse(t, p.String()).Equal(p) {
			t.Errorf("%q does not parse to what was printed", p.String())
		}
	}
}

func TestPrecedence(t *testing.T) {
	root := mustParse(t, `[a:b=1] AND [a:b=2] OR [a:b=3] FOLLOWEDBY [a:b=4]`).Root()
	if root.Op != pattern.FollowedBy || root.Operands[0].Op != pattern.Or || root.Operands[0].Operands[0].Op != pattern.And {
		t.Errorf("FOLLOWEDBY must bind loosest and AND tightest: %v, %v", root.Op, root.Operands[0].Op)
	}
	root = mustParse(t, `[a:b=1] FOLLOWEDBY [a:b=2] REPEATS 5 TIMES`).Root()
	if root.Op != pattern.FollowedBy || len(root.Operands[1].Qualifiers) != 1 {
		t.Error("a qualifier must bind to the nearest expression")
	}
	condition := mustParse(t, `[a:b=1 OR a:b=2 AND a:b=3]`).Root().Condition
	if condition.Join != pattern.Any || condition.Operands[1].Join != pattern.All {
		t.Error("AND must bind tighter than OR in brackets")
	}
}

func TestInvalidPatterns(t *testing.T) {
	for _, c := range []struct {
		name, src, code string
		offset          int
	}{
		{"empty", ``, pattern.CodeSyntax, 0},
		{"no brackets", `file:size = 1`, pattern.CodeSyntax, 0},
		{"no constant", `[file:size = ]`, pattern.CodeSyntax, 13},
		{"bare word", `[a:b = word]`, pattern.CodeSyntax, 7},
		{"dot for colon", `[file.size = 1]`, pattern.CodeSyntax, 5},
		{"lower-case keyword", `[a:b=1] within 2 seconds`, pattern.CodeSyntax, 8},
		{"lower-case and", `[a:b=1 and a:b=2]`, pattern.CodeSyntax, 7},
		{"hyphen without quotes", `[a:needs-quotes = 1]`, pattern.CodePath, 3},
		{"unclosed string", `[a:b = 'x]`, pattern.CodeString, 7},
		{"lone backslash", `[a:b = 'C:\Windows']`, pattern.CodeString, 10},
		{"unclosed bracket", `[a:b = 1`, pattern.CodeSyntax, 8},
		{"two patterns", `[a:b = 1] [a:b = 2]`, pattern.CodeSyntax, 10},
		{"odd hex", `[a:b = h'abc']`, pattern.CodeHex, 7},
		{"not hex", `[a:b = h'zz']`, pattern.CodeHex, 7},
		{"not base64", `[a:b = b'====']`, pattern.CodeBinary, 7},
		{"no padding", `[a:b = b'QQ']`, pattern.CodeBinary, 7},
		{"month 13", `[a:b = t'2020-13-01T00:00:00Z']`, pattern.CodeTimestamp, 7},
		{"no zone", `[a:b = t'2020-01-01T00:00:00']`, pattern.CodeTimestamp, 7},
		{"dangling point", `[a:b = t'2020-01-01T00:00:00.Z']`, pattern.CodeTimestamp, 7},
		{"leading zero", `[a:b = 007]`, pattern.CodeNumber, 7},
		{"integer beyond 2^53", `[a:b = 9007199254740992]`, pattern.CodeNumber, 7},
		{"integer beyond 2^64", `[a:b = 99999999999999999999999]`, pattern.CodeNumber, 7},
		{"float beyond range", `[a:b = 1` + strings.Repeat("0", 400) + `.5]`, pattern.CodeNumber, 7},
		{"null", `[a:b = null]`, pattern.CodeSyntax, 7},
		{"order of booleans", `[a:b > true]`, pattern.CodeSyntax, 7},
		{"mixed set", `[a:b IN (1, true)]`, pattern.CodeSet, 12},
		{"trailing comma", `[a:b IN (1,)]`, pattern.CodeSyntax, 11},
		{"LIKE a number", `[a:b LIKE 5]`, pattern.CodeSyntax, 10},
		{"not an address", `[ipv4-addr:value ISSUBSET 'x/3']`, pattern.CodeAddress, 26},
		{"not a hash", `[file:hashes.'SHA-256' = 'f00']`, pattern.CodeHash, 25},
		{"WITHIN 0", `[a:b=1] WITHIN 0 SECONDS`, pattern.CodeQualifier, 15},
		{"WITHIN negative", `[a:b=1] WITHIN -5 SECONDS`, pattern.CodeSyntax, 15},
		{"REPEATS 0", `[a:b=1] REPEATS 0 TIMES`, pattern.CodeQualifier, 16},
		{"REPEATS a fraction", `[a:b=1] REPEATS 1.5 TIMES`, pattern.CodeSyntax, 16},
		{"two REPEATS", `[a:b=1] REPEATS 2 TIMES REPEATS 3 TIMES`, pattern.CodeQualifierTwice, 24},
		{"START a string", `[a:b=1] START '2020-01-01T00:00:00Z' STOP '2021-01-01T00:00:00Z'`, pattern.CodeSyntax, 14},
		{"deep", strings.Repeat("(", 65) + "[a:b=1]" + strings.Repeat(")", 65), pattern.CodeTooDeep, 64},
		{"deep in brackets", "[" + strings.Repeat("(", 100000), pattern.CodeTooDeep, 65},
		{"long", strings.Repeat(" ", pattern.MaxLength) + "[a:b=1]", pattern.CodeTooLong, 0},
		{"not UTF-8", "[a:b = '\xff']", pattern.CodeEncoding, 8},
		{"comment without end", "[a:b = 1] /* x", pattern.CodeSyntax, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := pattern.Parse(c.src)
			e, ok := err.(*pattern.Error)
			if !ok {
				t.Fatalf("Parse = %v, want an *Error", err)
			}
			if e.Code != c.code || e.Offset != c.offset {
				t.Errorf("got %s at %d (%s), want %s at %d", e.Code, e.Offset, e.Message, c.code, c.offset)
			}
			if e.Section == "" || e.Message == "" || e.Line < 1 || e.Col < 1 {
				t.Errorf("an error must say where and by which rule: %+v", e)
			}
		})
	}
}

func TestErrorPlaceCountsLinesAndCodePoints(t *testing.T) {
	_, err := pattern.Parse("[a:b = 'é'\nOR a:'ü' = ]")
	e := err.(*pattern.Error)
	if e.Line != 2 || e.Col != 12 {
		t.Errorf("got line %d, column %d; want 2, 12", e.Line, e.Col)
	}
}

func TestCheckListsErrorsThenWarnings(t *testing.T) {
	want := []string{pattern.CodeSet, pattern.CodeQualifier, pattern.CodeUnknownType, pattern.CodeUnknownType}
	got := pattern.Check(`[app:id = 'x' AND app:id IN (1, true)] REPEATS 0 TIMES`)
	if len(got) != len(want) {
		t.Fatalf("got %+v, want %v", got, want)
	}
	for i, p := range got {
		if isError := i < 2; p.Code != want[i] || (p.Level == pattern.LevelError) != isError {
			t.Errorf("%d: got %+v, want %s", i, p, want[i])
		}
	}
	if got := pattern.Check(`[file:size = 1]`); len(got) != 0 {
		t.Errorf("a good pattern has no problems: %+v", got)
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct{ name, src, code string }{
		{"unknown type", `[app:id = 'com.x']`, pattern.CodeUnknownType},
		{"unknown property", `[file:file_name = 'x']`, pattern.CodeUnknownProperty},
		{"two types under AND", `[file:size = 1 AND url:value = 'x']`, pattern.CodeMixedTypes},
		{"two types under AND after OR", `[(file:size = 1 OR url:value = 'y') AND mutex:name = 'x']`, pattern.CodeMixedTypes},
		{"two WITHIN on a group", `([file:size = 1]) WITHIN 5 SECONDS WITHIN 6 SECONDS`, pattern.CodeQualifierTwice},
		{"empty set", `[file:size IN ()]`, pattern.CodeNever},
		{"STOP before START", `[file:size = 1] START t'2021-01-01T00:00:00Z' STOP t'2020-01-01T00:00:00Z'`, pattern.CodeNever},
		{"negative index", `[network-traffic:protocols[-1] = 'tcp']`, pattern.CodeNever},
		{"no such day", `[file:ctime = t'2023-02-29T12:00:00Z']`, pattern.CodeTimestamp},
		{"plus sign", `[file:size = +1]`, pattern.CodeNumber},
		{"broken regex", `[file:name MATCHES '(']`, pattern.CodeRegex},
		{"recursive regex", `[file:name MATCHES '(a(?1)?b)']`, pattern.CodeRegex},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := mustParse(t, c.src).Warnings()
			if len(w) != 1 || w[0].Code != c.code || w[0].Level != pattern.LevelWarning || w[0].Line != 1 || w[0].Section == "" {
				t.Errorf("got %+v, want one %s", w, c.code)
			}
		})
	}
	for _, src := range []string{
		`[file:name = 'x' OR url:value = 'y']`,
		`[(file:size = 1 OR url:value = 'x') AND (file:name = 'a' OR url:value = 'b')]`,
		`[file:extensions.'pdf-ext'.version = '1.7' AND file:type = 'file']`,
		`[process:command_line MATCHES '(?<!a)b++(?=c)']`,
	} {
		if w := mustParse(t, src).Warnings(); len(w) != 0 {
			t.Errorf("%s: unexpected %+v", src, w)
		}
	}
}

func TestEqualities(t *testing.T) {
	p := mustParse(t, `[file:hashes.'SHA-256' = 'ef537f25c895bfa782526529a9b63d97aa631564d5d789c2b765448c8635fb6c' AND file:size IN (1, 2.5) AND `+
		`file:name != 'a' AND file:name NOT = 'b' AND file:name LIKE 'c'] FOLLOWEDBY [artifact:payload_bin = b'QUI=' OR url:defanged = true]`)
	want := []pattern.Comparison{
		{"file", "hashes.'SHA-256'", "ef537f25c895bfa782526529a9b63d97aa631564d5d789c2b765448c8635fb6c"},
		{"file", "size", "1"}, {"file", "size", "2.5"}, {"artifact", "payload_bin", "4142"}, {"url", "defanged", "true"},
	}
	got := p.Equalities()
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%d: got %v, want %v", i, got[i], want[i])
		}
	}
	many := mustParse(t, `[a:b IN (0`+strings.Repeat(",0", pattern.MaxEqualities)+`)]`)
	if n := len(many.Equalities()); n != pattern.MaxEqualities {
		t.Errorf("%d values, want the bound %d", n, pattern.MaxEqualities)
	}
}
