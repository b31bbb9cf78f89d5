package stix

import (
	"bytes"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/shareddata"
)

func seed(f *testing.F) {
	for _, name := range Types() {
		f.Add(sample(name, minimal[name]...))
	}
	for _, s := range []string{`{"type":"bundle","id":"bundle--x","objects":[{"type":"tool","id":"x"}]}`, `[{}]`, `{"type":"x","id":"\ud83d\ude00"}`, `{"type":"x","id":"y","a":[1e5,-0,[]]}`,
		`{"type":"observed-data","id":"observed-data--b67d30ff-02ac-498a-92f9-32f845f448cf","created":"2016-04-06T19:58:16Z","objects":{"0":{"type":"file","contains_refs":["1"]},"1":{"type":"file","parent_directory_ref":"0"}}}`} {
		f.Add([]byte(s))
	}
	for _, raw := range slices.Concat(shareddata.Seeds("input", "stix", "conformance", "validator-cases.json"), shareddata.Seeds("object", "stix", "conformance", "spec-errata01-examples.json")) {
		f.Add(raw)
	}
}

// What Parse accepts is JSON to another strict reader too, and has the same canonical form there.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := Parse(raw)
		if err != nil {
			if _, ok := err.(*Error); !ok {
				t.Fatalf("not an *Error: %v", err)
			}
			return
		}
		if !jsontext.Value(raw).IsValid() {
			t.Fatalf("jsontext refuses %q", raw)
		}
		compareCanonical(t, raw)
		if o.ID() == "" || o.Type() == "" || !bytes.Equal(o.Raw(), raw) {
			t.Fatal("no id, no type or other bytes")
		}
	})
}

// Every object that Split finds is balanced: what Parse then says of it does not concern its end.
func FuzzSplit(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		n := 0
		info, err := SplitLimits(bytes.NewReader(raw), Limits{Size: 1 << 16}, func(obj []byte) error {
			n++
			if len(obj) < 2 || obj[0] != '{' || obj[len(obj)-1] != '}' && obj[len(obj)-1] != ']' || len(obj) > 1<<16 {
				t.Fatalf("not an object: %q", obj)
			}
			return nil
		})
		if err == nil && info.Count != n {
			t.Fatalf("count %d, want %d", info.Count, n)
		}
		if v := jsontext.Value(raw); err != nil && v.IsValid() && v.Kind() == '{' && len(raw) < 1<<16 {
			if e, ok := err.(*Error); !ok || e.Code != "split.type" && e.Code != "split.syntax" {
				t.Fatalf("%q: %v", raw, err)
			}
		}
	})
}

// Nothing that Parse accepts makes any part of the package panic, and every finding points at something.
func FuzzValidate(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _ = ValidateBundle(raw, Options{})
		o, err := Parse(raw)
		if err != nil {
			return
		}
		for _, finding := range Validate(o, Options{KnownTypes: true, KnownProperties: true}) {
			if _, found := o.Property(finding.Pointer); !found && len(finding.Pointer) < maxPointer/2 {
				t.Fatalf("%v leads nowhere in %q", finding, raw)
			}
			if ruleByCode()[finding.Code] == nil {
				t.Fatalf("no rule %s", finding.Code)
			}
		}
		o.Values()
		o.Names()
		o.Externals()
		o.Refs()
		o.Granular()
		_, _, _ = DeterministicID(o)
		out, _, err := Upgrade(raw)
		if err != nil {
			t.Fatalf("upgrade of what Parse accepts: %v", err)
		}
		for _, up := range out {
			if _, err := ParseLimits(up, Limits{Depth: 100}); err != nil {
				t.Fatalf("upgrade of %q: %v: %q", raw, err, up)
			}
		}
	})
}
