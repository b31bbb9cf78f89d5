package pattern_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"entente/internal/shareddata"
	"entente/stix/pattern"
)

// decidedByTheStandard are the recorded cases, by the end of their name, that STIX 2.1 decides otherwise than the recorder did.
var decidedByTheStandard = map[string]struct{ want, section string }{
	// Observations exactly x seconds apart do not meet WITHIN x: the latest must not be equal to the earliest plus x.
	"[[person:name > 'aaron'] REPEATS 5 TIMES WITHIN 1 SECONDS]":               {"false", "9.5.1"},
	"[([person:name = 'alice'] AND [person:name < 'carol']) WITHIN 5 SECONDS]": {"false", "9.5.1"},
	"test_within_match[interval17-interval27-2]":                               {"false", "9.5.1"},
	// One kind of qualifier twice makes a pattern invalid, and an invalid pattern matches nothing.
	"[[person:age < 20] REPEATS 2 TIMES REPEATS 3 TIMES]": {"error", "9.5.1, 9.4"},
	"[[person:age < 20] REPEATS 5 TIMES REPEATS 2 TIMES]": {"error", "9.5.1, 9.4"},
	// Observed data outside of a bundle, with the deprecated objects, is observed data (the recorder failed with a TypeError).
	"[[person:age < 20] REPEATS 10 TIMES WITHIN 10 SECONDS]":                 {"true", "4.14, 9.5.1"},
	"[[person:age < 20] REPEATS 10 TIMES AND [person:age < 20]]":             {"true", "4.14, 9.5.2"},
	"[[person:age < 20] REPEATS 10 TIMES OR [person:age < 20]]":              {"true", "4.14, 9.5.2"},
	"[[person:age < 20] REPEATS 10 TIMES FOLLOWEDBY [person:age < 20]]":      {"true", "4.14, 9.5.2"},
	"[" + strings.Repeat("[person:age < 20] AND ", 9) + "[person:age < 20]]": {"true", "4.14, 9.5.2"},
	"[" + strings.Repeat("[person:age < 20] OR ", 9) + "[person:age < 20]]":  {"true", "4.14, 9.5.2"},
	"[[person:age < 20] REPEATS 10 TIMES WITHIN 8 SECONDS]":                  {"false", "4.14, 9.5.1"},
}

// recordedTimes restores first_observed and last_observed of the first two observations of the temporal cases: the recorder wrote
// its observations down after later cases had changed them, so that equal inputs stand there with different results.
var recordedTimes = map[string][4]string{
	"test_temp_qual_": {"1994-11-29T13:37:52Z", "1994-11-29T13:37:52Z", "1994-11-29T13:37:57Z", "1994-11-29T13:37:57Z"},
	"test_within_match[interval10-interval20-1]":   seconds(0, 0, 0, 0),
	"test_within_match[interval11-interval21-1]":   seconds(0, 0, 0, 1),
	"test_within_match[interval13-interval23-1]":   seconds(0, 1, 1, 2),
	"test_within_match[interval16-interval26-1]":   seconds(0, 2, 1, 3),
	"test_within_match[interval17-interval27-2]":   seconds(0, 1, 3, 4),
	"test_within_nomatch[interval10-interval20-1]": seconds(0, 1, 3, 4),
	"test_within_nomatch[interval11-interval21-2]": seconds(0, 0, 3, 4),
	"test_within_nomatch[interval12-interval22-2]": seconds(0, 1, 4, 4),
}

func seconds(s ...int) (out [4]string) {
	for i := range out {
		out[i] = "2000-01-01T00:00:0" + string(rune('0'+s[i])) + "Z"
	}
	return out
}

func TestConformanceMatching(t *testing.T) {
	raw, err := os.ReadFile(shareddata.Dir(t, "stix", "conformance", "matcher-cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Test, Pattern string
		Observations  []map[string]any
		Result        any
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, c := range cases {
		name := c.Test[strings.Index(c.Test, "::")+2:]
		for key, times := range recordedTimes {
			if strings.Contains(name, key) {
				restore(c.Observations, times)
			}
		}
		want := "error"
		if b, ok := c.Result.(bool); ok {
			want = map[bool]string{true: "true", false: "false"}[b]
		}
		for key, decided := range decidedByTheStandard {
			if strings.HasSuffix(name, key) {
				want, used[key] = decided.want, true
			}
		}
		data, err := json.Marshal(c.Observations)
		if err != nil {
			t.Fatal(err)
		}
		if got, why := decide(c.Pattern, data); got != want {
			t.Errorf("%s: got %s (%v), want %s", name, got, why, want)
		}
	}
	for key := range decidedByTheStandard {
		if !used[key] {
			t.Errorf("no recorded case is called %s", key)
		}
	}
	t.Logf("%d cases", len(cases))
}

func restore(observations []map[string]any, times [4]string) {
	for i, o := range observations[:2] {
		observed := o["objects"].([]any)[0].(map[string]any)
		observed["first_observed"], observed["last_observed"] = times[2*i], times[2*i+1]
	}
}

func decide(src string, data []byte) (string, error) {
	p, err := pattern.Parse(src)
	if err != nil {
		return "error", err
	}
	obs, err := pattern.Observations(data)
	if err != nil {
		return "error", err
	}
	r, err := p.Match(obs)
	switch {
	case err != nil:
		return "error", err
	case r.Matched:
		return "true", nil
	}
	return "false", nil
}

func TestClosedWithinAgreesWithTheReferenceMatcher(t *testing.T) {
	obs := observations(t, `[`+observed("a", "2000-01-01T00:00:00Z", "2000-01-01T00:00:00Z", 1, `{"type":"x","k":"a"}`)+`,`+
		observed("b", "2000-01-01T00:00:05Z", "2000-01-01T00:00:05Z", 1, `{"type":"x","k":"b"}`)+`]`)
	p := mustParse(t, `([x:k = 'a'] AND [x:k = 'b']) WITHIN 5 SECONDS`)
	open, err := p.Match(obs)
	if err != nil || open.Matched {
		t.Errorf("section 9.5.1 excludes what is exactly 5 seconds apart: %v, %v", open, err)
	}
	closed, err := p.Match(obs, pattern.ClosedWithin())
	if err != nil || !closed.Matched {
		t.Errorf("ClosedWithin includes it: %v, %v", closed, err)
	}
}
