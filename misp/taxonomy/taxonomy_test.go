package taxonomy

import (
	"testing"

	"entente/internal/shareddata"
)

const sample = `{"namespace":"colour","version":2,"exclusive":false,"description":"","predicates":[{"value":"hue","exclusive":true},{"value":"plain"}],
	"values":[{"predicate":"hue","entry":[{"value":"red"},{"value":"Blue green"}]}]}`

func TestJudge(t *testing.T) {
	x, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	l := NewLibrary(x)
	for tag, want := range map[string]Verdict{
		`colour:hue="red"`: Known, `COLOUR:hue="blue GREEN"`: Known, `colour:plain`: Known, `colour:hue="pink"`: UnknownValue, `colour:hue`: UnknownValue,
		`colour:shape="x"`: UnknownPredicate, `other:hue="red"`: UnknownNamespace, `just a tag`: Free, ``: Free, `a:`: Free, `colour:plain="x"`: UnknownValue,
	} {
		if got := l.Judge(tag); got != want {
			t.Errorf("%s is %s, not %s", tag, got, want)
		}
	}
	if c := l.Conflicts([]string{`colour:hue="red"`, `colour:plain`, `colour:hue="blue green"`}); len(c) != 1 {
		t.Errorf("conflicts %v", c)
	}
	if c := l.Conflicts([]string{`colour:hue="red"`, `COLOUR:hue="red"`}); len(c) != 0 {
		t.Errorf("conflicts %v", c)
	}
	for _, raw := range []string{``, `{}`, `{"namespace":"x","predicates":[]}`, `{"namespace":"x","predicates":[{"value":"a"}],"values":[{"predicate":"b","entry":[]}]}`} {
		if _, err := Parse([]byte(raw)); err == nil {
			t.Errorf("%s was taken for a taxonomy", raw)
		}
	}
}

// Every published taxonomy is read, and knows its own tags.
func TestPublished(t *testing.T) {
	var all []*Taxonomy
	for file, raw := range shareddata.Files(t, "*/machinetag.json*", "misp", "misp-taxonomies") {
		x, err := Parse(raw)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, x)
	}
	if len(all) != 183 {
		t.Errorf("%d taxonomies", len(all))
	}
	l, tags := NewLibrary(all...), 0
	for _, x := range all {
		for _, tag := range x.Tags() {
			tags++
			if v := l.Judge(tag); v != Known {
				t.Errorf("%s is %s", tag, v)
			}
		}
	}
	if tags < 12_000 {
		t.Errorf("%d tags", tags)
	}
	if l.Judge("tlp:amber+strict") != Known || l.Judge(`PAP:RED`) != Known {
		t.Error("TLP and PAP are not known")
	}
}

func FuzzParseTag(f *testing.F) {
	f.Add(`a:b="c"`)
	f.Fuzz(func(t *testing.T, s string) {
		tag, ok := ParseTag(s)
		if !ok {
			return
		}
		if again, ok := ParseTag(tag.String()); ok && again != tag {
			t.Errorf("%q gives %+v, then %+v", s, tag, again)
		}
	})
}
