package match

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entente/sigma"
)

func agree(t *testing.T, expr string, texts ...string) {
	t.Helper()
	re, err := regexp.Compile(expr)
	if err != nil {
		return
	}
	p, err := newProgram(expr)
	if err != nil {
		t.Fatalf("%q: %v", expr, err)
	}
	d := newDFA(p)
	for range 2 { // with states made before as well
		for _, text := range texts {
			if got, want := d.match([]byte(text)), re.MatchString(text); got != want {
				t.Errorf("%q in %q: %v, want %v", expr, text, got, want)
			}
		}
	}
}

var trickyTexts = []string{"", "a", "\n", "ab", "ba", "aab\nab", "foo bar", "foo_bar", "\xff", "a\xffb", "\ufffd", "é", "É", "\u212a", "k", "ſ", "S", "日本", "a\nb\n", "\n\n", " a ",
	"powershell -enc AAAA", "cmd.exe /c \"set x=y\"", strings.Repeat("ab", 200), strings.Repeat("a", 300)}

// What the automaton finds is what package regexp finds.
func TestTheAutomatonAgreesWithRegexp(t *testing.T) {
	for _, expr := range []string{
		``, `a`, `^a`, `a$`, `^$`, `^a$`, `(?m)^a$`, `(?m)^$`, `\ba\b`, `\Ba`, `a\B`, `\bfoo\b`, `(?i)k`, `(?i)[a-k]`, `(?i)s`, `(?i)É`, `.`, `..`, `(?s).`, `(?s)a.b`, `a.b`, `[^a]`, `[^\n]$`,
		`a*b`, `(a|b)*ab$`, `(ab){3,5}`, `(?:a{1,50}){1,20}b`, `\x{fffd}`, `[^\x00-\x7f]`, `\p{L}+`, `\z`, `\A`, `\Aa\z`, `(?m)a$\n^b`, `a||b`, `(a|)b?`, `x*`, `(?i)[^k]`, `\W\w\W`, `[[:upper:]]`, `$^`, `(?:)`, `[a&&b]`,
		`日.`, `(^| )a( |$)`, `(?i:POWERSHELL).{1,10}A{3}`,
	} {
		agree(t, expr, trickyTexts...)
	}
}

// So it is with every regular expression of the public rules, over texts made of their own.
func TestTheAutomatonAgreesOnThePublicRules(t *testing.T) {
	n := 0
	seen := map[string]bool{}
	for _, q := range corpus(t) {
		for _, l := range q.Leaves {
			if l.Op == sigma.OpRegex && !seen[l.Text] {
				seen[l.Text] = true
				n++
				texts := append([]string{l.Text, strings.ToUpper(l.Text), "x" + l.Text + "\n"}, trickyTexts...)
				agree(t, l.Text, append(texts, l.Required()...)...)
			}
		}
	}
	if n < 100 {
		t.Fatal(n, "regular expressions")
	}
}

// drawExpr makes a regular expression that compiles.
func drawExpr(t *rapid.T, depth int) string {
	n := rapid.IntRange(0, 9).Draw(t, "form")
	if depth == 0 || n < 3 {
		return rapid.SampledFrom([]string{"a", "b", "k", "é", ".", "[ab]", "[^b]", `\b`, `\B`, "^", "$", `\n`, `\w`, `\x{fffd}`, `\A`, `\z`, "(?s:.)", ""}).Draw(t, "atom")
	}
	inner := drawExpr(t, depth-1)
	switch {
	case n < 6:
		return inner + drawExpr(t, depth-1)
	case n == 6:
		return "(?:" + inner + "|" + drawExpr(t, depth-1) + ")"
	case n == 7:
		return "(?:" + inner + ")" + rapid.SampledFrom([]string{"*", "+", "?", "{2,3}", "*?"}).Draw(t, "times")
	case n == 8:
		return "(?i:" + inner + ")"
	}
	return "(?m:" + inner + ")"
}

func TestTheAutomatonAgreesOnAnything(t *testing.T) {
	letter := rapid.SampledFrom([]string{"a", "b", "A", "k", "\u212a", "é", "\n", " ", "\xff", "\ufffd", "_"})
	rapid.Check(t, func(rt *rapid.T) {
		expr, texts := drawExpr(rt, 4), []string{""}
		for range 20 {
			texts = append(texts, strings.Join(rapid.SliceOfN(letter, 0, 12).Draw(rt, "text"), ""))
		}
		agree(t, expr, texts...)
	})
}

// A table that is full is begun anew, and the answer stays.
func TestTheAutomatonIsBounded(t *testing.T) {
	const expr = `(a|b)*a(a|b){14}c`
	p, err := newProgram(expr)
	if err != nil {
		t.Fatal(err)
	}
	d := newDFA(p)
	re := regexp.MustCompile(expr)
	var b strings.Builder
	for i := range uint32(40_000) {
		b.WriteByte("ab"[i*0x9E3779B1>>17&1])
	}
	text := b.String()
	for _, s := range []string{text, text + "c", text + "a" + text[:14] + "c" + text} {
		if got, want := d.match([]byte(s)), re.MatchString(s); got != want {
			t.Errorf("%v, want %v", got, want)
		}
		if len(d.next) > maxCells+d.classes {
			t.Errorf("%d entries", len(d.next))
		}
	}
}

func FuzzAutomaton(f *testing.F) {
	for _, expr := range []string{`^a+b$`, `(?i)\bk[^s]*\B`, `(?m)^x|y$`, `(a|ab)(c|bcd)`, `[^\x00-\x7f]{2}`} {
		f.Add(expr, "xab k\n\u212a\xff")
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		if len(expr) > 200 || len(text) > 2000 {
			return
		}
		agree(t, expr, text)
	})
}
