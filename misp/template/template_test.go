package template

import (
	"slices"
	"testing"

	"entente/internal/shareddata"
	"entente/misp"
)

const sample = `{"name":"box","meta-category":"misc","uuid":"5e7d6a5e-0000-4000-8000-000000000001","version":3,"description":"","required":["lid"],"requiredOneOf":["side","floor"],
	"attributes":{"lid":{"misp-attribute":"text","ui-priority":0,"values_list":["open","shut"]},"side":{"misp-attribute":"text","multiple":true},"floor":{"misp-attribute":"sha1"}}}`

func TestCheck(t *testing.T) {
	x, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	a := func(relation, typ, value string) misp.Attribute {
		return misp.Attribute{ObjectRelation: relation, Type: typ, Value: value}
	}
	for name, c := range map[string]struct {
		attributes []misp.Attribute
		want       []string
	}{
		"sound":         {[]misp.Attribute{a("lid", "text", "open"), a("side", "text", "a"), a("side", "text", "b")}, nil},
		"no lid":        {[]misp.Attribute{a("side", "text", "a")}, []string{ProblemRequired}},
		"neither":       {[]misp.Attribute{a("lid", "text", "shut")}, []string{ProblemOneOf}},
		"another value": {[]misp.Attribute{a("lid", "text", "ajar"), a("side", "text", "a")}, []string{ProblemValue}},
		"another type":  {[]misp.Attribute{a("lid", "text", "open"), a("floor", "md5", "a")}, []string{ProblemType}},
		"twice":         {[]misp.Attribute{a("lid", "text", "open"), a("floor", "sha1", "a"), a("floor", "sha1", "b")}, []string{ProblemMultiple}},
		"unknown":       {[]misp.Attribute{a("lid", "text", "open"), a("side", "text", "a"), a("roof", "text", "b")}, []string{ProblemUnknown}},
		"deleted":       {[]misp.Attribute{a("side", "text", "a"), {ObjectRelation: "lid", Type: "text", Value: "open", Deleted: misp.True}}, []string{ProblemRequired}},
	} {
		var got []string
		for _, p := range x.Check(&misp.Object{Attributes: c.attributes}) {
			got = append(got, p.Code)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
	if o := x.New(); o.TemplateVersion != "3" || o.Name != "box" {
		t.Errorf("%+v", o)
	}
}

// Every published template is read, and its attribute types are known.
func TestPublished(t *testing.T) {
	files := shareddata.Files(t, "*/definition.json", "misp", "misp-objects", "objects")
	if len(files) != 424 {
		t.Errorf("%d templates", len(files))
	}
	for file, raw := range files {
		x, err := Parse(raw)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for relation, a := range x.Attributes {
			if _, ok := misp.TypeByName(a.Type); !ok {
				t.Errorf("%s: %s has the unknown type %q", x.Name, relation, a.Type)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if x, err := Parse(raw); err == nil {
			o := x.New()
			x.Check(&o)
		}
	})
}
