package pattern_test

import (
	"strings"
	"testing"

	"entente/internal/shareddata"
	"entente/stix/pattern"
)

func seedPatterns(f *testing.F, add func(string)) {
	for _, src := range []string{
		`[file:hashes.'SHA-256' = 'ef537f25c895bfa782526529a9b63d97aa631564d5d789c2b765448c8635fb6c' OR file:size NOT IN (1, 2.5)]`,
		`([x:k = 'a'] FOLLOWEDBY [x:k LIKE '%b_' AND EXISTS x:l[*].'m-n'[0]]) WITHIN 5.5 SECONDS REPEATS 2 TIMES`,
		`[x:k MATCHES '(?i)^(a|b)+$' OR x:k = b'QUI=' OR x:k > h'00ff'] START t'2020-01-01T00:00:00Z' STOP t'2020-01-02T00:00:00.5Z'`,
		`[x:k ISSUBSET '10.0.0.0/8' AND x:k_ref.k_hex ISSUPERSET '::1'] AND ([x:b = true] OR [x:i <= -5]) // end`,
		`[x:k MATCHES '(?<=a)b\\1[[:alpha:]\\h]{2,}+(?>c)\\x{41}$']`,
	} {
		add(src)
		add(strings.ReplaceAll(src, "'", ""))
	}
	for _, src := range shareddata.Seeds("pattern", "stix", "conformance", "patterns-cases.json") {
		add(string(src))
	}
	for _, src := range shareddata.Seeds("pattern", "stix", "conformance", "matcher-cases.json") {
		add(string(src))
	}
}

func FuzzParse(f *testing.F) {
	seedPatterns(f, func(src string) { f.Add(src) })
	f.Fuzz(func(t *testing.T, src string) {
		p, err := pattern.Parse(src)
		invalid := false
		for _, problem := range pattern.Check(src) {
			invalid = invalid || problem.Level == pattern.LevelError
			if problem.Code == "" || problem.Message == "" || problem.Line < 1 || problem.Col < 1 || problem.Offset > len(src) {
				t.Fatalf("%q: %+v", src, problem)
			}
		}
		if invalid != (err != nil) {
			t.Fatalf("%q: Check and Parse disagree: %v", src, err)
		}
		if err != nil {
			return
		}
		q, err := pattern.Parse(p.String())
		if err != nil || !q.Equal(p) || q.String() != p.String() {
			t.Fatalf("%q printed %q: %v", src, p, err)
		}
		if a, b := len(p.Equalities()), len(q.Equalities()); a != b {
			t.Fatalf("%q: %d equalities, printed %d", src, a, b)
		}
	})
}

func FuzzMatch(f *testing.F) {
	world := `[` + observed("1", "2020-01-01T00:00:00Z", "2020-01-01T00:00:03Z", 2, `{"type":"x","k":"ab","i":-5,"b":true,"l":[{"m-n":["z"]}],"k_ref":"1"}`,
		`{"type":"x","k":"10.1.0.0","k_hex":"ffd8"}`) + `,` + observed("2", "2020-01-01T00:00:02Z", "2020-01-01T00:00:02Z", 1, `{"type":"x","k":"a"}`) + `]`
	seedPatterns(f, func(src string) { f.Add(src, world) })
	f.Fuzz(func(t *testing.T, src, data string) {
		obs, err := pattern.Observations([]byte(data))
		p, wrong := pattern.Parse(src)
		if err != nil || wrong != nil {
			return
		}
		first, err := p.Match(obs, pattern.Budget(100_000))
		if err != nil {
			return
		}
		printed, err := pattern.Parse(p.String())
		if err != nil {
			t.Fatal(err)
		}
		again, err := printed.Match(obs, pattern.Budget(200_000))
		if err != nil || first.Matched != again.Matched {
			t.Fatalf("%q: %v, and printed %v, %v", src, first.Matched, again.Matched, err)
		}
		for _, b := range first.Bindings {
			if ok, err := p.Holds(&b.Expression.Condition, &obs[b.Observation]); err != nil || !ok {
				t.Fatalf("%q: bound to what does not meet it", src)
			}
		}
	})
}
