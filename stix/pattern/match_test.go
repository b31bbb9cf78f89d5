package pattern_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"entente/stix/pattern"
)

// observed is one observed-data in JSON, with the deprecated objects so that it stands alone.
func observed(id, first, last string, count int, objects ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"type":"observed-data","id":"observed-data--%s","first_observed":%q,"last_observed":%q,"number_observed":%d,"objects":{`,
		id, first, last, count)
	for i, o := range objects {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%d":%s`, i, o)
	}
	return b.String() + "}}"
}

func observations(t testing.TB, data string) []pattern.Observation {
	t.Helper()
	obs, err := pattern.Observations([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return obs
}

// once is one observation of the objects.
func once(t testing.TB, objects ...string) []pattern.Observation {
	return observations(t, observed("x", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z", 1, objects...))
}

func TestComparisons(t *testing.T) {
	obs := once(t,
		`{"type":"file","name":"foo.dll","size":100,"ratio":1.5,"hashes":{"MD5":"79054025255fb1a26e4bc422aef54eb4"},"parent_directory_ref":"1",
		  "contains_refs":["2","3","gone"],"magic_number_hex":"FFd8","payload_bin":"AAEC","flag":true,"none":null,"list":["a","b"],"when":"2020-06-01T10:00:00.5Z",
		  "extensions":{"pdf-ext":{"version":"1.7"},"windows-pebinary-ext":{"sections":[{"entropy":1.5},{"entropy":7.5}]}},
		  "text":"one\ntwo","accent":"e\u0301"}`,
		`{"type":"directory","path":"C:\\Windows\\System32"}`,
		`{"type":"url","value":"http://a"}`,
		`{"type":"url","value":"http://b"}`,
		`{"type":"ipv4-addr","value":"198.51.100.0/27"}`,
		`{"type":"ipv6-addr","value":"2001:db8::1"}`)
	for _, c := range []struct {
		test string
		want bool
	}{
		{`file:size = 100`, true}, {`file:size = 100.0`, true}, {`file:size != 100.5`, true}, {`file:ratio = 1`, false}, {`file:ratio > 1`, true},
		{`file:name = 'foo.dll'`, true}, {`file:name = 'FOO.DLL'`, false}, {`file:name > 'foo'`, true}, {`file:name < 'foo.dll2'`, true},
		{`file:size = '100'`, false}, {`file:size != '100'`, true}, {`file:size NOT = '100'`, true}, {`file:size NOT != '100'`, false},
		{`file:size > 'a'`, false}, {`file:flag = true`, true}, {`file:flag != false`, true}, {`file:flag = 1`, false},
		{`file:absent = 1`, false}, {`file:absent != 1`, false}, {`file:absent NOT = 1`, false}, {`file:none != 'a'`, false}, {`file:none NOT IN ('a')`, false},
		{`EXISTS file:name`, true}, {`EXISTS file:none`, false}, {`EXISTS file:absent`, false}, {`NOT EXISTS file:absent`, true},
		{`NOT EXISTS file:name`, false}, {`EXISTS mutex:name`, false}, {`NOT EXISTS mutex:name`, false}, {`EXISTS file:hashes`, true},
		{`EXISTS file:list[1]`, true}, {`EXISTS file:list[2]`, false},
		{`file:list = 'a'`, false}, {`file:list != 'a'`, true}, {`file:list[0] = 'a'`, true}, {`file:list[1] = 'a'`, false}, {`file:list[9] = 'a'`, false},
		{`file:list[9] != 'a'`, false}, {`file:list[-1] = 'b'`, false}, {`file:list[*] = 'b'`, true}, {`file:list[*] = 'c'`, false}, {`file:name[0] = 'f'`, false},
		{`file:hashes.MD5 = '79054025255fb1a26e4bc422aef54eb4'`, true}, {`file:hashes.'MD5' = '79054025255fb1a26e4bc422aef54eb4'`, true},
		{`file:extensions.'pdf-ext'.version = '1.7'`, true}, {`file:extensions.'windows-pebinary-ext'.sections[*].entropy > 7.0`, true},
		{`file:extensions.'windows-pebinary-ext'.sections[0].entropy > 7.0`, false},
		{`file:parent_directory_ref.path = 'C:\\Windows\\System32'`, true}, {`file:parent_directory_ref.type = 'directory'`, true},
		{`file:parent_directory_ref = '1'`, true}, {`file:contains_refs[*].value = 'http://b'`, true}, {`file:contains_refs[1].value = 'http://a'`, false},
		{`file:contains_refs[2].value = 'http://a'`, false}, {`file:name.path = 'x'`, false},
		{`file:name IN ('a', 'foo.dll')`, true}, {`file:name NOT IN ('a', 'foo.dll')`, false}, {`file:name IN ()`, false}, {`file:name NOT IN ()`, true},
		{`file:size IN (1, 100.0)`, true}, {`file:size IN ('100')`, false},
		{`file:name LIKE 'foo%'`, true}, {`file:name LIKE '%.d_l'`, true}, {`file:name LIKE 'foo'`, false}, {`file:name LIKE '%'`, true}, {`file:name LIKE ''`, false},
		{`file:name LIKE 'f%o%d%l'`, true}, {`file:name LIKE 'foo.dll_'`, false}, {`file:name LIKE 'foo[.]dll'`, false}, {`file:text LIKE 'one%two'`, true},
		{`file:size LIKE '1%'`, false}, {`file:size NOT LIKE '1%'`, true},
		{`file:accent = 'é'`, false}, {`file:accent LIKE 'é'`, true}, {`file:accent LIKE '_'`, true}, {`file:accent MATCHES '^é$'`, true}, {`file:accent MATCHES '^.$'`, true},
		{`file:name MATCHES 'o\\.d'`, true}, {`file:name MATCHES '^oo'`, false}, {`file:text MATCHES 'one.two'`, true}, {`file:name NOT MATCHES 'x'`, true},
		{`file:magic_number_hex = h'ffD8'`, true}, {`file:magic_number_hex = b'/9g='`, true}, {`file:magic_number_hex = 'ÿØ'`, true}, {`file:magic_number_hex = 'FFd8'`, false},
		{`file:magic_number_hex != 'FFd8'`, true}, {`file:magic_number_hex != 'Ā'`, true}, {`file:magic_number_hex < h'ffd800'`, true},
		{`file:payload_bin = h'000102'`, true}, {`file:payload_bin MATCHES '^\\x00.\\x02$'`, true}, {`file:payload_bin LIKE '___'`, true},
		{`file:name = h'666f6f2e646c6c'`, true},
		{`file:when = t'2020-06-01T10:00:00.500Z'`, true}, {`file:when > t'2020-06-01T10:00:00.4999999999Z'`, true}, {`file:when IN (t'2020-06-01T10:00:00.5Z')`, true},
		{`file:when = '2020-06-01T10:00:00.5Z'`, true}, {`file:size = t'2020-06-01T10:00:00Z'`, false}, {`file:size != t'2020-06-01T10:00:00Z'`, true},
		{`ipv4-addr:value ISSUBSET '198.51.100.0/24'`, true}, {`ipv4-addr:value ISSUBSET '198.51.100.0/27'`, true}, {`ipv4-addr:value ISSUBSET '198.51.100.0/28'`, false},
		{`ipv4-addr:value ISSUPERSET '198.51.100.7'`, true}, {`ipv4-addr:value ISSUPERSET '198.51.101.7'`, false}, {`ipv4-addr:value ISSUBSET '::/0'`, false},
		{`ipv6-addr:value ISSUBSET '2001:0db8:0000::/32'`, true}, {`url:value ISSUBSET '0.0.0.0/0'`, false}, {`url:value NOT ISSUBSET '0.0.0.0/0'`, true},
		{`url:value = 'http://a' AND url:value = 'http://b'`, false}, {`url:value = 'http://a' OR url:value = 'nope'`, true},
		{`file:size = 100 AND url:value = 'http://a'`, false}, {`file:size = 1 OR url:value = 'http://a'`, true},
		{`file:size = 100 OR file:size = 1 AND file:size = 2`, true}, {`(file:size = 100 OR file:size = 1) AND file:size = 2`, false},
	} {
		r, err := mustParse(t, "["+c.test+"]").Match(obs)
		if err != nil || r.Matched != c.want {
			t.Errorf("%s: got %v, %v; want %v", c.test, r.Matched, err, c.want)
		}
	}
}

func TestRegexIsPCRESearch(t *testing.T) {
	for _, c := range []struct {
		regex, text string
		want        bool
	}{
		{`a$`, "a\n", true}, {`a$`, "a\nb", false}, {`a$\n`, "a\n", true}, {`(a$|b)\n`, "a\n", true}, {`(?m)a$`, "a\nb", true}, {`^a$|^b$`, "b", true},
		{`a\z`, "a\n", false}, {`a\Z`, "a\n", true}, {`\Aa`, "ba", false}, {`a.b`, "a\nb", true}, {`a\Nb`, "a\nb", false},
		{`\s`, "\v", true}, {`[\s]`, "\v", true}, {`\S`, "\v", false}, {`\h`, "\t", true}, {`[\h]`, "\u00a0", true}, {`\h`, "h", false}, {`\v`, "\n", true}, {`\R`, "\r\n", true},
		{`\d`, "٣", false}, {`\w`, "é", false}, {`\w`, "e", true}, {`\bfoo\b`, "a foo b", true},
		{`(?i)FOO`, "foo", true}, {`(?i:F)oo`, "foo", true}, {`(?i:F)OO`, "foo", false},
		{`(?<=a)b`, "ab", true}, {`(?<!a)b`, "ab", false}, {`a(?=b)`, "ab", true}, {`a(?!b)`, "ab", false}, {`(a)\1`, "aa", true}, {`(a)\1`, "ab", false},
		{`(?<x>a)\k<x>`, "aa", true}, {`(?P<x>a)b`, "ab", true}, {`a++a`, "aaa", false}, {`(ab)*+b`, "ababb", true}, {`[ab]++b`, "abab", false}, {`(?>a+)a`, "aa", false},
		{`\x41\x{42}\101`, "ABA", true}, {`\x41\x{42}`, "AB", true}, {`[\101\x{42}]{2}`, "AB", true}, {`\Qa.b\E`, "a.b", true}, {`\Qa.b\E`, "axb", false}, {`\cA`, "\x01", true}, {`\e`, "\x1b", true},
		{`[[:alpha:]]+`, "ab", true}, {`[]a]`, "]", true}, {`[^]a]`, "]", false}, {`[a-]`, "-", true}, {`[\w-[]`, "[", true}, {`[\b]`, "\b", true}, {`\p{Lu}`, "É", true},
		{`a{2}`, "aa", true}, {`a{2,3}?b`, "aab", true}, {`a{,3}`, "a{,3}", true}, {`{`, "{", true}, {`x{1500}`, strings.Repeat("x", 1500), true},
		{`foo\Kbar`, "foobar", true}, {`(?#note)a`, "a", true}, {`\/`, "/", true}, {`\_`, "_", true}, {`é`, "é", true}, {`\é`, "é", true},
	} {
		data := strings.NewReplacer("\n", `\n`, "\v", `\u000b`, "\t", `\t`, "\r", `\r`, "\b", `\b`, "\x01", `\u0001`, "\x1b", `\u001b`).Replace(c.text)
		obs := once(t, `{"type":"x","k":"`+data+`"}`)
		src := `[x:k MATCHES '` + strings.ReplaceAll(c.regex, `\`, `\\`) + `']`
		p, err := pattern.Parse(src)
		if err != nil {
			t.Errorf("%s: %v", c.regex, err)
			continue
		}
		r, err := p.Match(obs)
		if err != nil || r.Matched != c.want {
			t.Errorf("%s on %q: got %v, %v; want %v", c.regex, c.text, r.Matched, err, c.want)
		}
	}
}

func TestMatchErrors(t *testing.T) {
	long := strings.Repeat("a", 4000)
	obs := once(t, `{"type":"x","k":"`+long+`!","when":"yesterday"}`)
	for _, c := range []struct{ name, src, code string }{
		{"text for a timestamp", `[x:when = t'2020-01-01T00:00:00Z']`, pattern.CodeNotTimestamp},
		{"text for a timestamp, unequal", `[x:when != t'2020-01-01T00:00:00Z']`, pattern.CodeNotTimestamp},
		{"day of no calendar", `[x:when = t'2023-02-30T00:00:00Z']`, pattern.CodeUnsupported},
		{"STOP on a day of no calendar", `[x:k = 'b'] START t'2023-02-01T00:00:00Z' STOP t'2023-02-30T00:00:00Z'`, pattern.CodeUnsupported},
		{"regex that is none", `[x:k MATCHES '(']`, pattern.CodeUnsupported},
		{"recursive regex", `[x:k MATCHES '(a(?1)?)']`, pattern.CodeUnsupported},
		{"long regex", `[x:k MATCHES '` + strings.Repeat("a", 1<<16+1) + `']`, pattern.CodeUnsupported},
		{"deep regex", `[x:k MATCHES '` + strings.Repeat("(", 300) + strings.Repeat(")", 300) + `']`, pattern.CodeUnsupported},
		{"great repetition", `[x:k MATCHES 'a{70000}']`, pattern.CodeUnsupported},
		{"regex verb", `[x:k MATCHES 'a(*SKIP)b']`, pattern.CodeUnsupported},
		{"regex that explodes", `[x:k MATCHES '(?=a)(a+)+\\1$']`, pattern.CodeBudget},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := mustParse(t, c.src).Match(obs)
			var e *pattern.EvalError
			if !errors.As(err, &e) || e.Code != c.code || e.Message == "" {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
	if _, err := mustParse(t, `[x:k = 'b']`).Match(obs, pattern.Budget(1)); err == nil {
		t.Error("a budget that is used up must be an error")
	}
}

// timeline is a bundle with one observation per letter, a second apart.
func timeline(letters string) string {
	var list []string
	for i, r := range letters {
		when := fmt.Sprintf("2020-01-01T%02d:%02d:%02dZ", i/3600, i/60%60, i%60)
		list = append(list, observed(fmt.Sprint(i), when, when, 1, fmt.Sprintf(`{"type":"x","k":"%c"}`, r)))
	}
	return "[" + strings.Join(list, ",") + "]"
}

func letters(src string) string {
	for _, r := range "abc" {
		src = strings.ReplaceAll(src, " "+string(r), " [x:k = '"+string(r)+"']")
		src = strings.ReplaceAll(src, "("+string(r), "([x:k = '"+string(r)+"']")
	}
	return src
}

func TestObservationAlgebra(t *testing.T) {
	for _, c := range []struct {
		world, src string
		want       bool
	}{
		{"ab", ` a AND b`, true}, {"ab", ` a AND a`, false}, {"aa", ` a AND a`, true}, {"a", ` a OR b`, true}, {"c", ` a OR b`, false},
		{"ab", ` a FOLLOWEDBY b`, true}, {"ba", ` a FOLLOWEDBY b`, false}, {"a", ` a FOLLOWEDBY a`, false}, {"aa", ` a FOLLOWEDBY a`, true},
		{"bab", ` a FOLLOWEDBY b`, true}, {"cab", ` a FOLLOWEDBY b FOLLOWEDBY c`, false}, {"cabc", ` a FOLLOWEDBY b FOLLOWEDBY c`, true},
		{"cba", ` a FOLLOWEDBY (b OR c)`, false}, {"bac", ` a FOLLOWEDBY (b OR c)`, true},
		{"aaa", ` a REPEATS 3 TIMES`, true}, {"aa", ` a REPEATS 3 TIMES`, false},
		{"abab", `( a FOLLOWEDBY b) REPEATS 2 TIMES`, true}, {"abba", `( a FOLLOWEDBY b) REPEATS 2 TIMES`, false}, {"aabb", `( a FOLLOWEDBY b) REPEATS 2 TIMES`, true},
		{"abc", `( a AND b) REPEATS 2 TIMES`, false}, {"aabb", `( a AND b) REPEATS 2 TIMES`, true}, {"ac", `( a OR ( b AND c)) REPEATS 2 TIMES`, false},
		{"abc", `( a OR ( b AND c)) REPEATS 2 TIMES`, true},
		{"acccb", `( a AND b) WITHIN 4 SECONDS`, false}, {"acccb", `( a AND b) WITHIN 4.5 SECONDS`, true}, {"acccb", `( a AND b) WITHIN 5 SECONDS`, true},
		{"acccba", `( a AND b) WITHIN 2 SECONDS`, true}, {"a", ` a WITHIN 1 SECONDS`, true},
		{"aca", ` a REPEATS 2 TIMES WITHIN 2 SECONDS`, false}, {"acaa", ` a REPEATS 2 TIMES WITHIN 2 SECONDS`, true},
		{"abccab", `(( a FOLLOWEDBY b) WITHIN 2 SECONDS) REPEATS 2 TIMES WITHIN 6 SECONDS`, true},
		{"abccab", `(( a FOLLOWEDBY b) WITHIN 2 SECONDS) REPEATS 2 TIMES WITHIN 5 SECONDS`, false},
		{"ab", ` a START t'2020-01-01T00:00:00Z' STOP t'2020-01-01T00:00:01Z'`, true}, {"ba", ` a START t'2020-01-01T00:00:00Z' STOP t'2020-01-01T00:00:01Z'`, false},
		{"ba", ` a START t'2020-01-01T00:00:01Z' STOP t'2020-01-01T00:00:02Z'`, true}, {"ba", ` a START t'1500-01-01T00:00:00Z' STOP t'9999-01-01T00:00:00Z'`, true},
		{"ba", `( a AND b) START t'2020-01-01T00:00:01Z' STOP t'2020-01-01T00:00:02Z'`, false},
		{"", ` a`, false},
	} {
		r, err := mustParse(t, letters(c.src)).Match(observations(t, timeline(c.world)))
		if err != nil || r.Matched != c.want {
			t.Errorf("%s on %q: got %v, %v; want %v", c.src, c.world, r.Matched, err, c.want)
		}
	}
}

func TestResultNamesWhatMatched(t *testing.T) {
	p := mustParse(t, letters(` a FOLLOWEDBY b REPEATS 2 TIMES`))
	r, err := p.Match(observations(t, timeline("cabcb")))
	if err != nil || !r.Matched || !slices.Equal(r.Observations, []int{1, 2, 4}) {
		t.Fatalf("got %+v, %v", r, err)
	}
	if len(r.Bindings) != 3 || r.Bindings[0].Observation != 1 || r.Bindings[0].Expression != &p.Root().Operands[0] || r.Bindings[2].Count != 1 {
		t.Errorf("got %+v", r.Bindings)
	}
}

func TestNumberObservedCountsObservations(t *testing.T) {
	obs := observations(t, observed("x", "2020-01-01T00:00:00Z", "2020-01-01T00:10:00Z", 999_999_999, `{"type":"x","k":"a"}`))
	for _, c := range []struct {
		src  string
		want bool
	}{
		{` a REPEATS 999999999 TIMES`, true}, {` a REPEATS 1000000000 TIMES`, false}, {` a FOLLOWEDBY a`, true}, {`( a AND a) REPEATS 499999999 TIMES`, true},
		{` a REPEATS 5 TIMES WITHIN 1 SECONDS`, true}, {` a START t'2020-01-01T00:09:00Z' STOP t'2030-01-01T00:00:00Z'`, true},
		{` a START t'2020-01-01T00:00:00Z' STOP t'2020-01-01T00:01:00Z' FOLLOWEDBY a START t'2020-01-01T00:09:00Z' STOP t'2030-01-01T00:00:00Z'`, true},
	} {
		r, err := mustParse(t, letters(c.src)).Match(obs)
		if err != nil || r.Matched != c.want {
			t.Errorf("%s: got %v, %v; want %v", c.src, r.Matched, err, c.want)
		}
	}
}

func TestObservationsReads(t *testing.T) {
	const head = `{"type":"observed-data","id":"observed-data--1","first_observed":"2020-01-01T00:00:00Z","last_observed":"2020-01-01T00:00:00Z","number_observed":1`
	const sco = `{"type":"x","id":"x--1","k":"a"}`
	for _, c := range []struct {
		name, data string
		want       int
		matched    bool
	}{
		{"bundle", `{"type":"bundle","objects":[` + sco + `,` + head + `,"object_refs":["x--1"]}]}`, 1, true},
		{"envelope", `{"objects":[` + sco + `,` + head + `,"object_refs":["x--1"]}]}`, 1, true},
		{"array", `[` + head + `,"object_refs":["x--1"]},` + sco + `]`, 1, true},
		{"array of bundles", `[{"type":"bundle","objects":[` + head + `,"object_refs":["x--1"]},` + sco + `]},{"type":"bundle"}]`, 1, true},
		{"not referred to", `{"type":"bundle","objects":[` + sco + `,` + head + `,"object_refs":["x--2"]}]}`, 1, false},
		{"in another bundle", `[{"type":"bundle","objects":[` + head + `,"object_refs":["x--1"]}]},{"type":"bundle","objects":[` + sco + `]}]`, 1, false},
		{"later version", `[` + sco + `,` + head + `,"modified":"2020-01-01T00:00:00.029Z","object_refs":["x--1"]},` + head +
			`,"modified":"2020-01-01T00:00:00.029036Z","object_refs":["x--2"]}]`, 1, false},
		{"empty bundle", `{"type":"bundle","id":"bundle--1"}`, 0, false},
		{"another object", `{"type":"indicator"}`, 0, false},
	} {
		obs := observations(t, c.data)
		r, err := mustParse(t, `[x:k = 'a']`).Match(obs)
		if err != nil || len(obs) != c.want || r.Matched != c.matched {
			t.Errorf("%s: %d observations, matched %v, %v", c.name, len(obs), r.Matched, err)
		}
	}
	for _, c := range []struct{ name, data, pointer string }{
		{"not JSON", `{`, ""}, {"a number", `5`, ""}, {"no object", `{"x":1}`, ""}, {"twice the name", `{"type":"bundle","type":"bundle"}`, ""},
		{"objects of numbers", `{"objects":[5]}`, "/objects/0"},
		{"bad time", `[` + strings.Replace(head, "2020-01-01", "2020-02-30", 1) + `}]`, "/0/first_observed"},
		{"backwards", `[` + strings.Replace(head, "2020-01-01", "2021-01-01", 1) + `}]`, "/0/last_observed"},
		{"no count", strings.TrimSuffix(head, "1") + `0}`, "/number_observed"},
		{"half a count", strings.TrimSuffix(head, "1") + `1.5}`, "/number_observed"},
		{"objects a list", head + `,"objects":[]}`, "/objects"}, {"objects of numbers in a dictionary", head + `,"objects":{"0":1}}`, "/objects/0"},
		{"refs a string", head + `,"object_refs":"x"}`, "/object_refs"}, {"refs of numbers", head + `,"object_refs":[1]}`, "/object_refs/0"},
	} {
		_, err := pattern.Observations([]byte(c.data))
		var e *pattern.DataError
		if !errors.As(err, &e) || c.pointer != "" && e.Pointer != c.pointer {
			t.Errorf("%s: got %v, want an error at %s", c.name, err, c.pointer)
		}
	}
}
