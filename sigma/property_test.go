package sigma_test

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entente/sigma"
)

// events are random events over few fields and values, so that rules match often.
func randomEvent(t *rapid.T) sigma.Fields {
	e := sigma.Fields{}
	for _, field := range []string{"a", "b", "c"} {
		n := rapid.IntRange(0, 3).Draw(t, "values")
		if n == 3 {
			continue
		}
		e[field] = []sigma.Value{}
		for range n {
			e[field] = append(e[field], rapid.SampledFrom([]sigma.Value{sigma.Null(), sigma.Text(""), sigma.Text("x"), sigma.Text("Xy"), sigma.Text("y x"),
				sigma.Number("1"), sigma.Number("2.0"), sigma.Bool(true)}).Draw(t, "value"))
		}
	}
	return e
}

var randomItems = []string{"a: x", "b: [x, 1]", "c|contains: y", "a|exists: true", "b: null", "c|neq: x", "'a|contains|all': [x, y]", "b|fieldref: a", "c|lt: 2", "a: 'x*'", "b|re: '^[xy]'", "c: ''"}

// twice evaluates two conditions over the same search identifiers.
func twice(t *testing.T, one, other func(a, b string) string) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := rapid.SampledFrom(randomItems).Draw(rt, "a"), rapid.SampledFrom(randomItems).Draw(rt, "b")
		text := "s1: {" + a + "}\ns2: {" + b + "}\ncondition: "
		e := randomEvent(rt)
		first, _ := compile(t, rule(text+one("s1", "s2"))).Eval(e)
		second, _ := compile(t, rule(text+other("s1", "s2"))).Eval(e)
		if first != second {
			rt.Errorf("%s: %v, %s: %v", one("s1", "s2"), first, other("s1", "s2"), second)
		}
	})
}

func TestDeMorgan(t *testing.T) {
	twice(t, func(a, b string) string { return "not (" + a + " or " + b + ")" }, func(a, b string) string { return "not " + a + " and not " + b })
	twice(t, func(a, b string) string { return "not all of s*" }, func(a, b string) string { return "not " + a + " or not " + b })
	twice(t, func(a, b string) string { return a + " or " + b + " and " + a }, func(a, b string) string { return "1 of " + a + " or (" + b + " and " + a + ")" })
}

// neq is the same item without it, under not.
func TestNeqIsNot(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.SampledFrom([]string{"a", "a|contains", "a|re", "a|startswith|cased", "a|contains|all"}).Draw(rt, "key")
		values := rapid.SampledFrom([]string{"x", "[x, y]", "[X, '1']"}).Draw(rt, "values")
		e := randomEvent(rt)
		with, _ := compile(t, rule("s: {'"+key+"|neq': "+values+"}\ncondition: s")).Eval(e)
		under, _ := compile(t, rule("s: {'"+key+"': "+values+"}\ncondition: not s")).Eval(e)
		if with != under {
			rt.Errorf("%s: %s: neq %v, not %v", key, values, with, under)
		}
	})
}

// What Eval says matched, matches by itself.
func TestMatchedHolds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := rapid.SampledFrom(randomItems).Draw(rt, "a"), rapid.SampledFrom(randomItems).Draw(rt, "b")
		e := randomEvent(rt)
		_, by := compile(t, rule("s1: {"+a+"}\ns2: {"+b+"}\ncondition: s1 or not s2")).Eval(e)
		for _, m := range by {
			x, err := m.Matcher()
			if err != nil {
				rt.Fatal(err)
			}
			if !x.Holds(e) {
				rt.Errorf("%v does not hold", m)
			}
			if m.Op != sigma.OpExists && m.Op < sigma.OpField && !x.Accepts(m.Value) {
				rt.Errorf("%v does not accept %q", m, m.Value.Text)
			}
		}
	})
}

// A text with wildcards is the regular expression that it looks like, and survives being written.
func TestPatternsAreRegularExpressions(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		pattern := rapid.StringMatching(`([ab*?\\é]|\\\*){0,8}`).Draw(rt, "pattern")
		text := rapid.StringMatching(`[abABéÉ*?\n\\]{0,8}`).Draw(rt, "text")
		var b strings.Builder
		b.WriteString(`(?is)\A`)
		for _, p := range sigma.ParsePattern(pattern) {
			switch p.Kind {
			case sigma.PartAny:
				b.WriteString(".*")
			case sigma.PartOne:
				b.WriteString(".")
			default:
				b.WriteString(regexp.QuoteMeta(p.Text))
			}
		}
		b.WriteString(`\z`)
		want := regexp.MustCompile(b.String()).MatchString(text)
		q := compile(t, rule("s: {a: '"+pattern+"'}\ncondition: s"))
		if got, _ := q.Eval(sigma.Fields{"a": {sigma.Text(text)}}); got != want {
			rt.Errorf("%q on %q: %v, expected %v (%v)", pattern, text, got, want, q.Leaves)
		}
	})
}

// One of the texts that a match requires is in every text that it accepts, and of each list that it needs.
func TestRequired(t *testing.T) {
	for pattern, want := range map[string]string{
		`foo(bar|baz)+x`: "[foo]", `x(one|two)y`: "[one two]", `(?i)InVoke`: "[invoke]", `a.*longer.*b`: "[longer]", `a|.*`: "[]", `(abc){2,}`: "[abc]", `x?`: "[]", `[Ii][Ee][Xx]`: "[iex]",
	} {
		if got := fmt.Sprint(sigma.Match{Field: "a", Op: sigma.OpRegex, Text: pattern}.Required()); got != want {
			t.Errorf("%s requires %s, expected %s", pattern, got, want)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		m := sigma.Match{Field: "a", Op: sigma.OpRegex, Text: rapid.SampledFrom([]string{`(?i)ab+c`, `a(bc|cb)`, `[ab]c`, `(abc)+|cba`, `^a.c$`, `K`, `(a|b)c?(?:bc|(?i)ac){1,2}`}).Draw(rt, "regex")}
		x, err := m.Matcher()
		if err != nil {
			rt.Fatal(err)
		}
		text := rapid.StringMatching(`[abcABCK\x{212a}]{0,6}`).Draw(rt, "text")
		folded := string(sigma.Fold(nil, []byte(text)))
		for _, any := range append(m.Needs(), m.Required()) {
			if x.Accepts(sigma.Text(text)) && len(any) > 0 && !slices.ContainsFunc(any, func(r string) bool { return strings.Contains(folded, r) }) {
				rt.Errorf("%s accepts %q, which has none of %q", m.Text, text, any)
			}
		}
	})
}

func TestFoldIsEqualFold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := rapid.StringMatching(`[aAkK\x{212a}sSſßẞéÉiıİǅǆ]{0,4}`).Draw(rt, "a"), rapid.StringMatching(`[aAkK\x{212a}sSſßẞéÉiıİǅǆ]{0,4}`).Draw(rt, "b")
		if got, want := string(sigma.Fold(nil, []byte(a))) == string(sigma.Fold(nil, []byte(b))), strings.EqualFold(a, b); got != want {
			rt.Errorf("%q and %q: %v, expected %v", a, b, got, want)
		}
	})
}

func TestNumbersAreExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func() (string, *big.Rat) {
			s := rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,5})?([eE][+-]?[0-9])?`).Draw(rt, "number")
			r, ok := new(big.Rat).SetString(s)
			if !ok {
				rt.Fatal(s)
			}
			return s, r
		}
		a, x := draw()
		b, y := draw()
		if c, ok := sigma.CompareNumbers(a, b); !ok || c != x.Cmp(y) {
			rt.Errorf("%s and %s: %d %v, expected %d", a, b, c, ok, x.Cmp(y))
		}
		canonical, ok := sigma.Canonical(a)
		if z, _ := new(big.Rat).SetString(canonical); !ok || z == nil || z.Cmp(x) != 0 {
			rt.Errorf("%s is not %s", a, canonical)
		}
		if again, _ := sigma.Canonical(canonical); again != canonical {
			rt.Errorf("%s is written %s", canonical, again)
		}
	})
	for _, s := range []string{"", "-", "01", "+1", "1.", ".5", "1e", "1e+", "1e+-5", "0x1", "1_000", "NaN", "1e99999999", " 1"} {
		if _, ok := sigma.Canonical(s); ok {
			t.Errorf("%q is a number", s)
		}
	}
}

// base64offset finds a text wherever it stands in what was encoded.
func TestBase64OffsetFindsEverywhere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		value := rapid.StringMatching(`[a-z]{2,9}`).Draw(rt, "value")
		text := rapid.StringMatching(`[A-Z]{0,5}`).Draw(rt, "before") + value + rapid.StringMatching(`[A-Z]{0,5}`).Draw(rt, "after")
		q := compile(t, rule("s: {a|base64offset|contains: '"+value+"'}\ncondition: s"))
		if ok, _ := q.Eval(sigma.Fields{"a": {sigma.Text(base64.StdEncoding.EncodeToString([]byte(text)))}}); !ok {
			rt.Errorf("%s is not found in %s", value, text)
		}
	})
}
