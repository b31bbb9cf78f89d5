package rendition

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
)

// seeded are leaks of sharing platforms, made anew: each is what a rendition would be with a rule that failed elsewhere. docs/leaks.md says where.
var seeded = map[string]maker{
	"index-shift": kept(func(was, is members) { // what a marking chose is counted as before, whatever went before it
		var marks []json.RawMessage
		for _, m := range list(was["granular_markings"]) {
			for _, left := range list(is["granular_markings"]) {
				if string(member(m, "marking_ref")) == string(member(left, "marking_ref")) && len(list(member(m, "selectors"))) == len(list(member(left, "selectors"))) {
					marks = append(marks, m)
					break
				}
			}
		}
		if len(marks) > 0 {
			is["granular_markings"], _ = json.Marshal(marks)
		}
	}),
	"leftover-marking":    keeps("granular_markings"),
	"references-kept":     keeps("object_refs"),
	"author-kept":         keeps("created_by_ref"),
	"hidden-marking-kept": keeps("object_marking_refs"),
	"one-id-for-all":      keeps("id"),
	"exact-times":         keeps("created"),
	"reverse-patch": kept(func(was, is members) { // the old value goes along with the new
		is["x_reverse_patch"], _ = json.Marshal(map[string]any{"op": "replace", "value": was})
	}),
	"hole": kept(func(was, is members) {
		for name := range was {
			if _, ok := is[name]; !ok {
				is[name] = json.RawMessage("null")
			}
		}
	}),
	"any-marking-suffices": planned(func(p *Plan) { // who may have what one marking covers may have it, whatever the others say
		sees := p.Sees
		p.May = func(string) bool { return true }
		p.Sees = func(id string) Class {
			if typeOf(id) == "marking-definition" {
				return Full
			}
			return sees(id)
		}
	}),
	"extensions-unknown":  planned(func(p *Plan) { p.Extensions = []string{"*"} }),
	"strip-ignored":       planned(func(p *Plan) { p.Strip = nil }),
	"internal-references": planned(func(p *Plan) { p.Internal = nil }),
	"everything-visible":  planned(func(p *Plan) { p.Sees = func(string) Class { return Full } }),
}

type members = map[string]json.RawMessage

// kept is the project's rendition with something of the original put back.
func kept(put func(was, is members)) maker {
	return func(body []byte, p Plan) (Result, error) {
		r, err := Make(body, p)
		if err != nil || r.Class != Reduced {
			return r, err
		}
		var was, is members
		if err := json.Unmarshal(body, &was); err != nil {
			return r, err
		}
		if err := json.Unmarshal(r.Body, &is); err != nil {
			return r, err
		}
		put(was, is)
		r.Body, err = json.Marshal(is)
		return r, err
	}
}

func keeps(name string) maker {
	return kept(func(was, is members) {
		if v, ok := was[name]; ok {
			is[name] = v
		}
	})
}

// planned is the project's rendition of a plan that is not followed to the letter.
func planned(change func(*Plan)) maker {
	return func(body []byte, p Plan) (Result, error) {
		change(&p)
		return Make(body, p)
	}
}

func list(raw json.RawMessage) (out []json.RawMessage) {
	_ = json.Unmarshal(raw, &out)
	return out
}

func member(raw json.RawMessage, name string) json.RawMessage {
	var m members
	_ = json.Unmarshal(raw, &m)
	return bytes.TrimSpace(m[name])
}

// TestSeededLeaks: the laws find every leak that is put into a rendition, and none where there is none.
func TestSeededLeaks(t *testing.T) {
	search := func(makes maker) error {
		r := rand.New(rand.NewPCG(4, 4))
		for range 2000 {
			d := draw(r)
			p := drawMay(r, d)
			one, err := makes([]byte(d.body), p.plan())
			if err != nil {
				return err
			}
			if err := alone(d, p, one); err != nil { // the laws of two would be broken by the order alone in which things are put back
				return err
			}
		}
		return nil
	}
	if err := search(Make); err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(seeded))
	for name := range seeded {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			err := search(seeded[name])
			if err == nil {
				t.Fatal("no law is broken")
			}
			t.Logf("found: %.120s", err)
		})
	}
}
