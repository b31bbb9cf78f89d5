package sigma_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"entente/internal/sigmatest"
	"entente/sigma"
)

// rule puts a detection into a rule.
func rule(detection string) string {
	return "title: t\nlogsource: {product: test}\ndetection:\n" + indent(detection)
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.Trim(s, "\n"), "\n", "\n  ") + "\n"
}

func compile(t testing.TB, text string) *sigma.Query {
	t.Helper()
	c, err := sigma.Parse("", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	q, err := c.Rules[0].Compile()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return q
}

func event(t testing.TB, text string) sigma.Fields {
	t.Helper()
	e, err := sigmatest.Event([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return e
}

// features are what rules mean: each detection matches the first events and none of the second.
var features = []struct {
	name, detection string
	yes, no         []string
}{
	{"text without case", `s: {a: FoO}`, []string{`{"a":"foo"}`, `{"a":"FOO"}`}, []string{`{"a":"foo "}`, `{"b":"foo"}`, `{"a":null}`, `{}`}},
	{"case beyond ASCII", `s: {a: 'STRAẞE Ünïcode'}`, []string{`{"a":"straße üNÏCODE"}`}, []string{`{"a":"strasse Ünïcode"}`}},
	{"the Kelvin sign is a k", `s: {a: 'K9'}`, []string{`{"a":"k9"}`, `{"a":"\u212a9"}`}, []string{`{"a":"x9"}`}},
	{"cased", `s: {a|cased: FoO}`, []string{`{"a":"FoO"}`}, []string{`{"a":"foo"}`}},
	{"cased contains", `s: {a|contains|cased: oO}`, []string{`{"a":"FoOl"}`}, []string{`{"a":"fool"}`}},
	{"list is or", `s: {a: [x, y]}`, []string{`{"a":"x"}`, `{"a":"Y"}`}, []string{`{"a":"z"}`}},
	{"map is and", `s: {a: x, b: y}`, []string{`{"a":"x","b":"y"}`}, []string{`{"a":"x"}`, `{"a":"x","b":"x"}`}},
	{"list of maps is or", "s:\n  - {a: x, b: y}\n  - c: z", []string{`{"a":"x","b":"y"}`, `{"c":"z"}`}, []string{`{"a":"x"}`}},
	{"a list in an event is any", `s: {a: x}`, []string{`{"a":["y","x"]}`}, []string{`{"a":["y"]}`, `{"a":[]}`}},
	{"all over a list in an event", `s: {'a|contains|all': [x, y]}`, []string{`{"a":["ax","ay"]}`, `{"a":"x y"}`}, []string{`{"a":["ax","bx"]}`}},
	{"nested fields have dots", `s: {a.b: x}`, []string{`{"a":{"b":"x"}}`, `{"a.b":"x"}`, `{"a":[{"b":"y"},{"b":"x"}]}`}, []string{`{"a":"x"}`}},
	{"names of EventData without spaces", `s: {ThreatName: x}`, []string{`{"Threat Name":"x"}`}, nil},
	{"names of fields have case", `s: {Image: x}`, []string{`{"Image":"x"}`}, []string{`{"image":"x"}`}},

	{"startswith", `s: {a|startswith: 'C:\'}`, []string{`{"a":"c:\\x"}`, `{"a":"C:\\"}`}, []string{`{"a":"xc:\\x"}`}},
	{"endswith", `s: {a|endswith: '\cmd.exe'}`, []string{`{"a":"C:\\CMD.EXE"}`}, []string{`{"a":"C:\\cmd.exe "}`, `{"a":"cmd.exe"}`}},
	{"contains", `s: {a|contains: 'b?d'}`, []string{`{"a":"xbadx"}`, `{"a":"b?d"}`, `{"a":"b\nd"}`}, []string{`{"a":"bd"}`}},
	{"contains with a star inside", `s: {a|contains: 'b*d'}`, []string{`{"a":"xbd"}`, `{"a":"xb\n\n d."}`}, []string{`{"a":"db"}`}},
	{"startswith and endswith", `s: {a|startswith|endswith: x}`, []string{`{"a":"axa"}`}, []string{`{"a":"y"}`}},
	{"wildcards cross lines", `s: {a: 'a*d'}`, []string{`{"a":"a\nb\nd"}`, `{"a":"ad"}`}, []string{`{"a":"ad\n"}`}},
	{"a question mark is one character", `s: {a: 'a?c'}`, []string{`{"a":"aéc"}`, `{"a":"a😀c"}`, `{"a":"a?c"}`}, []string{`{"a":"ac"}`, `{"a":"abbc"}`}},
	{"stars look on", `s: {a: '*ab*ab?'}`, []string{`{"a":"ababx"}`, `{"a":"xabyabababz"}`}, []string{`{"a":"abx"}`, `{"a":"abab"}`}},
	{"a star alone is any value", `s: {a: '*'}`, []string{`{"a":"x"}`, `{"a":""}`, `{"a":0}`, `{"a":false}`}, []string{`{"a":null}`, `{}`, `{"a":[]}`}},
	{"at least one character", `s: {a: '?*'}`, []string{`{"a":"x"}`}, []string{`{"a":""}`, `{}`}},

	{"backslash before a letter", `s: {a: 'a\b'}`, []string{`{"a":"a\\b"}`}, []string{`{"a":"a\\\\b"}`}},
	{"two backslashes are one", `s: {a: 'a\\b'}`, []string{`{"a":"a\\b"}`}, []string{`{"a":"a\\\\b"}`}},
	{"three backslashes are two", `s: {a: 'a\\\b'}`, []string{`{"a":"a\\\\b"}`}, []string{`{"a":"a\\b"}`}},
	{"four backslashes are two", `s: {a: 'a\\\\b'}`, []string{`{"a":"a\\\\b"}`}, []string{`{"a":"a\\b"}`}},
	{"a star as it is", `s: {a: 'a\*b'}`, []string{`{"a":"a*b"}`}, []string{`{"a":"axb"}`, `{"a":"a\\b"}`}},
	{"a question mark as it is", `s: {a: 'a\?b'}`, []string{`{"a":"a?b"}`}, []string{`{"a":"axb"}`}},
	{"backslash and a star", `s: {a: 'a\\*b'}`, []string{`{"a":"a\\b"}`, `{"a":"a\\xb"}`}, []string{`{"a":"a*b"}`, `{"a":"axb"}`}},
	{"backslash and a star as it is", `s: {a: 'a\\\*b'}`, []string{`{"a":"a\\*b"}`}, []string{`{"a":"a\\xb"}`, `{"a":"a*b"}`}},
	{"backslash at the end", `s: {a|contains: '\'}`, []string{`{"a":"x\\y"}`}, []string{`{"a":"x*y"}`}},

	{"number is number", `s: {a: 4688}`, []string{`{"a":4688}`, `{"a":"4688"}`, `{"a":4688.0}`, `{"a":46.88e2}`}, []string{`{"a":46880}`, `{"a":"04688"}`, `{"a":"0x1250"}`, `{"a":true}`}},
	{"text of digits is text", `s: {a: '4688'}`, []string{`{"a":4688}`, `{"a":"4688"}`}, []string{`{"a":4688.0}`}},
	{"large numbers are exact", `s: {a: 9007199254740993}`, []string{`{"a":9007199254740993}`}, []string{`{"a":9007199254740992}`}},
	{"wildcards on numbers", `s: {a: '8???'}`, []string{`{"a":8123}`, `{"a":"8xyz"}`}, []string{`{"a":812}`, `{"a":81234}`, `{"a":9123}`}},
	{"contains on numbers", `s: {a|contains: 12}`, []string{`{"a":8123}`, `{"a":"x12"}`}, []string{`{"a":21}`}},
	{"bool", `s: {a: true}`, []string{`{"a":true}`, `{"a":"True"}`}, []string{`{"a":false}`, `{"a":1}`}},
	{"hexadecimal is text", `s: {a: 0x17}`, []string{`{"a":"0x17"}`}, []string{`{"a":23}`}},

	{"null is null or not there", `s: {a: null}`, []string{`{"a":null}`, `{}`, `{"a":[]}`, `{"a":["x",null]}`}, []string{`{"a":""}`, `{"a":"-"}`, `{"a":0}`}},
	{"nothing written is null", `s: {a: }`, []string{`{}`}, []string{`{"a":""}`}},
	{"an empty text is an empty text", `s: {a: ''}`, []string{`{"a":""}`}, []string{`{}`, `{"a":null}`, `{"a":" "}`}},
	{"null in a list", `s: {a: [null, '']}`, []string{`{}`, `{"a":""}`}, []string{`{"a":"x"}`}},
	{"not null", "s: {b: 1}\nf: {a: null}\ncondition: s and not f", []string{`{"b":1,"a":"x"}`, `{"b":1,"a":""}`}, []string{`{"b":1}`}},
	{"exists", `s: {a|exists: true}`, []string{`{"a":null}`, `{"a":""}`, `{"a":[]}`}, []string{`{"b":1}`}},
	{"exists not", `s: {a|exists: false}`, []string{`{"b":1}`}, []string{`{"a":null}`}},

	{"neq", `s: {a|neq: x}`, []string{`{"a":"y"}`, `{}`, `{"a":null}`}, []string{`{"a":"X"}`, `{"a":["y","x"]}`}},
	{"neq of a list is none of them", `s: {a|neq: [x, 2]}`, []string{`{"a":"y"}`}, []string{`{"a":"x"}`, `{"a":2}`}},
	{"neq contains", `s: {a|contains|neq: x}`, []string{`{"a":"y"}`}, []string{`{"a":"axa"}`}},
	{"neq fieldref", `s: {a|fieldref|neq: b}`, []string{`{"a":"x","b":"y"}`}, []string{`{"a":"x","b":"X"}`}},
	{"orders", "s:\n  - {a|lt: 5}\n  - {a|gte: 7.5}", []string{`{"a":4.999}`, `{"a":-3}`, `{"a":"7.50"}`, `{"a":1e3}`}, []string{`{"a":5}`, `{"a":7.4}`, `{"a":"x"}`, `{}`, `{"a":"0x1"}`}},
	{"orders of negatives", `s: {a|gt: -2}`, []string{`{"a":-1.5}`, `{"a":0}`, `{"a":-0}`}, []string{`{"a":-2}`, `{"a":-10}`}},
	{"lte", `s: {a|lte: 5}`, []string{`{"a":5}`, `{"a":"5.0"}`}, []string{`{"a":5.01}`}},

	{"re is a search with case", `s: {a|re: 'b[0-9]+$'}`, []string{`{"a":"xb12"}`}, []string{`{"a":"xB12"}`, `{"a":"b12x"}`}},
	{"re i", `s: {a|re|i: '^ab'}`, []string{`{"a":"ABx"}`}, []string{`{"a":"xab"}`}},
	{"re m", `s: {a|re|m: '^b$'}`, []string{`{"a":"a\nb\nc"}`}, []string{`{"a":"a\nbc"}`}},
	{"re s", `s: {a|re|s: 'a.b'}`, []string{`{"a":"a\nb"}`}, nil},
	{"re without s", `s: {a|re: 'a.b'}`, []string{`{"a":"axb"}`}, []string{`{"a":"a\nb"}`}},
	{"re by the long names", `s: {a|re|ignorecase|multiline|dotall: '^a.b$'}`, []string{`{"a":"x\nA\nB"}`}, []string{`{"a":"xA\nB"}`}},
	{"re on numbers", `s: {a|re: '^4[0-9]$'}`, []string{`{"a":42}`}, []string{`{"a":142}`}},
	{"re startswith", `s: {a|re|startswith: 'a|b'}`, []string{`{"a":"bx"}`}, []string{`{"a":"xb"}`}},
	{"re endswith", `s: {a|re|endswith: 'a|b'}`, []string{`{"a":"xb"}`}, []string{`{"a":"bx"}`}},
	{"re all", `s: {'a|re|all': ['^x', 'y$']}`, []string{`{"a":"x..y"}`}, []string{`{"a":"x"}`}},
	{"re neq", `s: {a|re|neq: '^x'}`, []string{`{"a":"y"}`, `{}`}, []string{`{"a":"x"}`}},
	{"backslashes in re are its own", `s: {a|re: '\\\*\d'}`, []string{`{"a":"\\*1"}`}, []string{`{"a":"\\1"}`}},

	{"windash from a dash", `s: {a|windash|contains: ' -f'}`, []string{`{"a":"x -f"}`, `{"a":"x /f"}`, `{"a":"x –f"}`, `{"a":"x —f"}`, `{"a":"x ―f"}`}, []string{`{"a":"x f"}`, `{"a":"x +f"}`}},
	{"windash from a slash", `s: {a|contains|windash: ' /accepteula'}`, []string{`{"a":"psexec -accepteula"}`, `{"a":"psexec /AcceptEula"}`}, []string{`{"a":"accepteula"}`}},
	{"windash from a long dash", `s: {a|contains|windash: ' –f'}`, []string{`{"a":"x -f"}`}, nil},
	{"windash changes each by itself", `s: {a|windash|contains: '-a -b'}`, []string{`{"a":"-a /b"}`, `{"a":"/a -b"}`, `{"a":"–a ―b"}`}, []string{`{"a":"a b"}`}},
	{"windash keeps dashes in words", `s: {a|windash|contains: ' -foo-bar'}`, []string{`{"a":" /foo-bar"}`}, []string{`{"a":" /foo/bar"}`}},
	{"windash keeps lone dashes", `s: {a|windash|contains: ' - '}`, []string{`{"a":"a - b"}`}, []string{`{"a":"a / b"}`}},
	{"windash all", `s: {'a|windash|contains|all': [' -a', ' -b']}`, []string{`{"a":"x /a -b"}`}, []string{`{"a":"x /a"}`}},
	{"windash with wildcards", `s: {a|windash: '*x* -a'}`, []string{`{"a":"xx /a"}`}, []string{`{"a":"x a"}`}},

	{"base64", `s: {a|base64: foobar}`, []string{`{"a":"Zm9vYmFy"}`}, []string{`{"a":"zm9vymfy"}`, `{"a":"xZm9vYmFy"}`}},
	{"base64offset", `s: {a|base64offset|contains: foobar}`, []string{`{"a":"Zm9vYmFy"}`, `{"a":"IGZvb2Jhcg=="}`, `{"a":"ICBmb29iYXI="}`, `{"a":"eHh4Zm9vYmFyeHh4"}`}, []string{`{"a":"foobar"}`, `{"a":"ZM9VYMFY"}`}},
	{"wide base64offset", `s: {a|wide|base64offset|contains: 'http'}`, []string{`{"a":"aAB0AHQAcAA="}`, `{"a":"IABoAHQAdABwAA=="}`}, []string{`{"a":"aHR0cA=="}`}},
	{"utf16le", `s: {a|utf16le|contains: 'cmd'}`, []string{`{"a":"c\u0000m\u0000d\u0000"}`, `{"a":"C\u0000M\u0000D\u0000"}`}, []string{`{"a":"cmd"}`}},
	{"utf16be base64", `s: {a|utf16be|base64: 'hi'}`, []string{`{"a":"AGgAaQ=="}`}, nil},
	{"utf16 base64 has the mark", `s: {a|utf16|base64: 'hi'}`, []string{`{"a":"//5oAGkA"}`}, nil},
	{"wide beyond ASCII", `s: {a|wide|base64: 'é😀'}`, []string{`{"a":"6QA92ADe"}`}, nil},
	{"encoding takes escaped stars", `s: {a|base64: '\*x'}`, []string{`{"a":"Kng="}`}, nil},

	{"cidr", `s: {a|cidr: [10.0.0.0/8, 'fe80::/10']}`, []string{`{"a":"10.255.0.1"}`, `{"a":"fe80::1%eth0"}`, `{"a":"::ffff:10.1.2.3"}`}, []string{`{"a":"11.0.0.1"}`, `{"a":"x"}`, `{"a":"10.0.0.1/32"}`, `{"a":10}`}},
	{"cidr of one address", `s: {a|cidr: '2001:db8::1'}`, []string{`{"a":"2001:DB8:0:0::1"}`}, []string{`{"a":"2001:db8::2"}`}},
	{"cidr with bits of the host", `s: {a|cidr: 192.168.7.9/16}`, []string{`{"a":"192.168.0.1"}`}, []string{`{"a":"192.169.0.1"}`}},

	{"fieldref", `s: {a|fieldref: b}`, []string{`{"a":"x","b":"X"}`, `{"a":["y","x"],"b":["z","x"]}`, `{"a":1,"b":"1"}`}, []string{`{"a":"x"}`, `{"b":"x"}`, `{}`, `{"a":null,"b":null}`, `{"a":"x","b":"y"}`}},
	{"fieldref cased", `s: {a|fieldref|cased: b}`, []string{`{"a":"x","b":"x"}`}, []string{`{"a":"x","b":"X"}`}},
	{"fieldref endswith", `s: {a|fieldref|endswith: b}`, []string{`{"a":"C:\\x.exe","b":"\\X.exe"}`}, []string{`{"a":"x","b":"C:\\x"}`}},
	{"fieldref startswith", `s: {a|fieldref|startswith: b}`, []string{`{"a":"xyz","b":"XY"}`}, []string{`{"a":"zxy","b":"xy"}`}},
	{"fieldref contains", `s: {a|fieldref|contains: b}`, []string{`{"a":"axyz","b":"XY"}`}, []string{`{"a":"x","b":"xy"}`}},

	{"hour", "s:\n  - {t|hour|gte: 22}\n  - {t|hour|lt: 6}", []string{`{"t":"2026-01-02T23:10:00Z"}`, `{"t":"2026-01-02 05:59:59.123"}`, `{"t":"2026-01-02T22:00:00+05:00"}`}, []string{`{"t":"2026-01-02T12:00:00Z"}`, `{"t":"x"}`, `{}`}},
	{"minute day month year", `s: {t|minute: 7, t|day: 9, t|month: 3, t|year: [2025, 2026]}`, []string{`{"t":"2026-03-09T23:07:00Z"}`}, []string{`{"t":"2026-03-09T23:08:00Z"}`, `{"t":"2024-03-09T23:07:00Z"}`}},
	{"week", `s: {t|week: 53}`, []string{`{"t":"2021-01-01"}`}, []string{`{"t":"2021-01-04"}`}},
	{"times in numbers", `s: {t|year: 2018}`, []string{`{"t":1521911720.865716}`, `{"t":1521911720865}`}, []string{`{"t":1}`, `{"t":-5}`}},
	{"hour neq", `s: {t|hour|neq: 3}`, []string{`{"t":"2026-01-02T04:00:00Z"}`}, []string{`{"t":"2026-01-02T03:00:00Z"}`}},

	{"keywords are in any value", `s: [evil, 'a*z']`, []string{`{"x":"very EVIL thing"}`, `{"x":{"y":["b","1a2z3"]}}`}, []string{`{"evil":"x"}`, `{"x":"ev","y":"il"}`}},
	{"keywords see what is escaped in JSON", `s: ['C:\x "y"']`, []string{`{"a":"C:\\x \"y\""}`}, nil},
	{"one keyword", `s: evil`, []string{`{"x":"evil"}`}, []string{`{"x":"good"}`}},
	{"keywords all", "s:\n  '|all': [one, two]", []string{`{"x":"one","y":"two"}`, `{"x":"two one"}`}, []string{`{"x":"one"}`}},
	{"keywords are found in numbers", `s: [4688]`, []string{`{"a":4688}`, `{"a":"x4688"}`}, []string{`{"a":4689}`}},
	{"keywords re", "s:\n  '|re': '^ev[i1]l$'", []string{`{"a":"ev1l"}`}, []string{`{"a":"ev1l."}`}},
	{"keywords startswith", "s:\n  '|startswith': ev", []string{`{"a":"evil"}`}, []string{`{"a":"devil"}`}},
	{"keywords cased", "s:\n  '|cased': Evil", []string{`{"a":"Evil!"}`}, []string{`{"a":"evil!"}`}},
	{"maps and keywords", "s:\n  - {a: x}\n  - evil", []string{`{"a":"x"}`, `{"b":"evil"}`}, []string{`{"b":"x"}`}},

	{"precedence", "s1: {a: 1}\ns2: {b: 1}\ns3: {c: 1}\ncondition: s1 or s2 and not s3", []string{`{"a":1,"c":1}`, `{"b":1}`}, []string{`{"b":1,"c":1}`, `{"c":1}`}},
	{"brackets", "s1: {a: 1}\ns2: {b: 1}\ns3: {c: 1}\ncondition: (s1 or s2) and not s3", []string{`{"a":1}`}, []string{`{"a":1,"c":1}`}},
	{"not binds tighter than and", "s1: {a: 1}\ns2: {b: 1}\ncondition: not s1 and s2", []string{`{"b":1}`}, []string{`{"a":1,"b":1}`, `{}`}},
	{"not not", "s1: {a: 1}\ncondition: not not s1", []string{`{"a":1}`}, []string{`{}`}},
	{"operators without case", "s1: {a: 1}\ns2: {b: 1}\ncondition: s1 AND NOT s2", []string{`{"a":1}`}, []string{`{"a":1,"b":1}`}},
	{"1 of", "sel_a: {a: 1}\nsel_b: {b: 1}\nf: {c: 1}\ncondition: 1 of sel_* and not f", []string{`{"b":1}`}, []string{`{"b":1,"c":1}`, `{}`}},
	{"digit before the star", "set1a: {a: 1}\nset12: {b: 1}\nset2: {c: 1}\ncondition: all of set1*", []string{`{"a":1,"b":1}`}, []string{`{"a":1}`, `{"a":1,"c":1}`}},
	{"star in the middle", "sel_a_x: {a: 1}\nsel_b_x: {b: 1}\nsel_b_y: {c: 1}\ncondition: all of sel_*_x", []string{`{"a":1,"b":1}`}, []string{`{"a":1,"c":1}`}},
	{"any of", "sel_a: {a: 1}\nsel_b: {b: 1}\ncondition: any of sel_*", []string{`{"b":1}`}, []string{`{}`}},
	{"of a name", "sel: {a: 1}\ncondition: 1 of sel", []string{`{"a":1}`}, []string{`{}`}},
	{"1 of them skips _", "a: {a: 1}\n_b: {b: 1}\ncondition: 1 of them", []string{`{"a":1}`}, []string{`{"b":1}`}},
	{"all of them skips _", "a: {a: 1}\nb: {b: 1}\n_c: {c: 1}\ncondition: all of them", []string{`{"a":1,"b":1}`}, []string{`{"a":1}`}},
	{"_ by name", "a: {a: 1}\n_b: {b: 1}\ncondition: a and _b", []string{`{"a":1,"b":1}`}, []string{`{"a":1}`}},
	{"conditions in a list are or", "a: {a: 1}\nb: {b: 1}\ncondition: [a, b]", []string{`{"a":1}`, `{"b":1}`}, []string{`{}`}},
	{"not of", "a_1: {a: 1}\na_2: {b: 1}\ncondition: not 1 of a_*", []string{`{}`}, []string{`{"b":1}`}},
	{"names with a bar and dashes", "a|x: {a: 1}\nb-c.d: {b: 1}\ncondition: a|x or b-c.d", []string{`{"a":1}`, `{"b":1}`}, []string{`{}`}},
}

func TestFeatures(t *testing.T) {
	for _, f := range features {
		t.Run(f.name, func(t *testing.T) {
			d := f.detection
			if !strings.Contains(d, "condition:") {
				d += "\ncondition: s"
			}
			q := compile(t, rule(d))
			for _, e := range f.yes {
				ok, by := q.Eval(event(t, e))
				if !ok {
					t.Errorf("does not match %s\n%v", e, q.Leaves)
				}
				if len(by) == 0 && len(q.Leaves) > 0 && q.Expr.Op == sigma.ExprLeaf {
					t.Errorf("%s matched by nothing", e)
				}
			}
			for _, e := range f.no {
				if ok, by := q.Eval(event(t, e)); ok {
					t.Errorf("matches %s by %v", e, by)
				}
			}
		})
	}
}

// What cannot mean what it says is refused, with its place and the reason, and never left out.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ detection, code, place, words string }{
		{"s: {a|foo: x}\ncondition: s", sigma.CodeModifier, "4:7", "foo"},
		{"s: {a|re: '(?=x)y'}\ncondition: s", sigma.CodeRegex, "4:13", "look-ahead"},
		{"s: {a|re: '(?<!x)y'}\ncondition: s", sigma.CodeRegex, "4:13", "look-behind"},
		{`s: {a|re: '(x)\1'}` + "\ncondition: s", sigma.CodeRegex, "4:13", "back-reference"},
		{"s: {a|re: '(?>x)y'}\ncondition: s", sigma.CodeRegex, "4:13", "atomic"},
		{"s: {a|re: 'x++'}\ncondition: s", sigma.CodeRegex, "4:13", "possessive"},
		{"s: {a|re: '('}\ncondition: s", sigma.CodeRegex, "4:13", "missing closing"},
		{"s: {a|contains|re: x}\ncondition: s", sigma.CodeModifier, "4:7", "first"},
		{"s: {a|contains|fieldref: b}\ncondition: s", sigma.CodeModifier, "4:7", "before it"},
		{"s: {a|cidr|contains: 10.0.0.0/8}\ncondition: s", sigma.CodeModifier, "4:7", "texts"},
		{"s: {a|re|windash: x}\ncondition: s", sigma.CodeModifier, "4:7", "texts"},
		{"s: {a|hour|day: 1}\ncondition: s", sigma.CodeModifier, "4:7", "one part"},
		{"s: {a|wide|lt: 1}\ncondition: s", sigma.CodeModifier, "4:7", "before it"},
		{"s: {a|utf16|contains: x}\nt: {a|contains|utf16: x}\ncondition: s or t", sigma.CodeModifier, "5:25", "utf16le"},
		{"s: {a|fieldref: 'b*'}\ncondition: s", sigma.CodeValue, "4:19", "field"},
		{"s: {a|cidr: '10.*'}\ncondition: s", sigma.CodeValue, "4:15", "network"},
		{"s: {a|re|expand: 'x%y%'}\ncondition: s", sigma.CodePlaceholder, "4:20", "%y%"},
		{"s: {a|i: x}\ncondition: s", sigma.CodeModifier, "4:7", "re|i"},
		{"s: {a|expand: '%x%'}\ncondition: s", sigma.CodePlaceholder, "4:17", "%x%"},
		{"s: {a|lt: x}\ncondition: s", sigma.CodeValue, "4:13", "digits"},
		{"s: {a|hour: x}\ncondition: s", sigma.CodeValue, "4:15", "digits"},
		{"s: {a|hour|contains: 1}\ncondition: s", sigma.CodeModifier, "4:7", "hour"},
		{"s: {a|exists: x}\ncondition: s", sigma.CodeValue, "4:17", "true or false"},
		{"s: {a|exists: [true, false]}\ncondition: s", sigma.CodeValue, "4:7", "one value"},
		{"s: {a|cidr: 10.0.0.0/33}\ncondition: s", sigma.CodeValue, "4:15", "network"},
		{"s: {a|base64: 'x*'}\ncondition: s", sigma.CodeModifier, "4:17", "wildcard"},
		{"s: {a|contains|base64: x}\ncondition: s", sigma.CodeModifier, "4:26", "contains after"},
		{"s: {a|base64offset|contains: x}\ncondition: s", sigma.CodeValue, "4:32", "too short"},
		{"s: {a|windash: '-a -b -c -d -e -f'}\ncondition: s", sigma.CodeModifier, "4:18", "split"},
		{"s: {a|contains: null}\ncondition: s", sigma.CodeModifier, "4:19", "null"},
		{"s: {a|fieldref: 5}\ncondition: s", sigma.CodeValue, "4:19", "field"},
		{"s: {a: {b: c}}\ncondition: s", sigma.CodeForm, "4:10", "map"},
		{"s: {a: [[b]]}\ncondition: s", sigma.CodeForm, "4:11", "list"},
		{"s: {a: []}\ncondition: s", sigma.CodeMissing, "4:10", "empty list"},
		{"s: []\ncondition: s", sigma.CodeMissing, "4:6", "empty list"},
		{"s: {}\ncondition: s", sigma.CodeMissing, "4:6", "empty map"},
		{"s: [[a]]\ncondition: s", sigma.CodeForm, "4:7", "list"},
		{"s: ['']\ncondition: s", sigma.CodeValue, "4:7", "empty keyword"},
		{"s: {'': x}\ncondition: s", sigma.CodeField, "4:7", "empty"},
		{"s: {'|exists': true}\ncondition: s", sigma.CodeModifier, "4:7", "field"},
		{"s: {'|cidr': 10.0.0.0/8}\ncondition: s", sigma.CodeModifier, "4:7", "field"},
		{"s: {a: 1, a: 2}\ncondition: s", sigma.CodeDuplicate, "4:13", "twice"},
		{"s: {a: 1}\ns: {b: 1}\ncondition: s", sigma.CodeDuplicate, "5:3", "twice"},
		{"s: {a: 1}", sigma.CodeMissing, "3:1", "condition"},
		{"condition: s", sigma.CodeMissing, "3:1", "search identifier"},
		{"s: {a: 1}\ncondition: t", sigma.CodeReference, "5:14", `"t"`},
		{"s: {a: 1}\ncondition: 1 of t*", sigma.CodeReference, "5:14", `"t*"`},
		{"s: {a: 1}\ncondition: 2 of s*", sigma.CodeCondition, "5:14", "1 of"},
		{"s: {a: 1}\ncondition: s and", sigma.CodeCondition, "5:19", "too early"},
		{"s: {a: 1}\ncondition: s s", sigma.CodeCondition, "5:16", "and or or"},
		{"s: {a: 1}\ncondition: (s", sigma.CodeCondition, "5:16", "not closed"},
		{"s: {a: 1}\ncondition: 's | count() > 5'", sigma.CodeCondition, "5:17", "correlation"},
		{"s: {a: 1}\ncondition: 1 of", sigma.CodeCondition, "5:18", "of what"},
		{"s: {a: 1}\ncondition: {s: 1}", sigma.CodeForm, "5:14", "text"},
	} {
		t.Run(c.detection, func(t *testing.T) {
			col, err := sigma.Parse("f.yml", []byte(rule(c.detection)))
			if err == nil {
				_, err = col.Rules[0].Compile()
			}
			var all sigma.Problems
			if !errors.As(err, &all) || len(all) == 0 {
				t.Fatalf("was not refused: %v", err)
			}
			for _, p := range all {
				if p.Code == c.code && fmt.Sprintf("%d:%d", p.Line, p.Column) == c.place && strings.Contains(p.Message, c.words) && p.File == "f.yml" && p.Rule == "t" {
					return
				}
			}
			t.Errorf("expected %s at %s with %q:\n%v", c.code, c.place, c.words, err)
		})
	}
}

// What is doubtful is told, and does not keep the rule from being used.
func TestDoubtful(t *testing.T) {
	for detection, code := range map[string]string{
		"s: {a: 0x17}\ncondition: s":                sigma.CodeDoubtful,
		"s: {a|contains|all: x}\ncondition: s":      sigma.CodeDoubtful,
		"s: {a|base64offset: xyz}\ncondition: s":    sigma.CodeDoubtful,
		"s: {a|expand: x}\ncondition: s":            sigma.CodeDoubtful,
		"s: {a: x}\nu: {b: 1}\ncondition: s":        sigma.CodeUnused,
		"s: {a: x}\ntimeframe: 5m\ncondition: s":    sigma.CodeDoubtful,
		"s: {a: x}\n_u: {b: [1_000]}\ncondition: s": sigma.CodeDoubtful,
	} {
		problems := sigma.Check("", []byte(rule(detection)))
		if len(problems) != 1 || problems[0].Code != code || problems[0].Level != sigma.LevelWarning {
			t.Errorf("%s: %v", detection, problems)
		}
		compile(t, rule(detection))
	}
}
