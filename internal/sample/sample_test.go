package sample

import (
	"bytes"
	"testing"

	"entente/label"
	"entente/stix"
)

func TestObjectsAreValidAndNew(t *testing.T) {
	s := New(1)
	seen := map[string]bool{}
	types := map[string]int{}
	size := 0
	for _, o := range append(s.Head(), take(s, 2000)...) {
		parsed, err := stix.Parse(o.Raw)
		if err != nil {
			t.Fatalf("%v in %s", err, o.Raw)
		}
		if findings := stix.Validate(parsed, stix.Options{}); !stix.Valid(findings, false) {
			t.Fatalf("%v in %s", findings, o.Raw)
		}
		if parsed.ID() != o.ID || parsed.Type() != o.Type || seen[o.ID] {
			t.Fatalf("%s: id or type is not what the object says, or came before: %s", o.ID, o.Raw)
		}
		if n := bytes.Count(o.Raw, []byte(Mark)); n != 1 {
			t.Fatalf("%d times %s in %s", n, Mark, o.Raw)
		}
		seen[o.ID] = true
		if types[o.Type]++; o.Type == "indicator" {
			size += len(o.Raw)
		}
	}
	if mean := size / types["indicator"]; mean < 1200 || mean > 1900 {
		t.Errorf("an indicator has %d bytes on average", mean)
	}
	if types["relationship"] < 150 || types["file"] < 150 {
		t.Errorf("the mix is %v", types)
	}
}

func TestTheSameSeedMakesTheSameObjects(t *testing.T) {
	a, b, c := New(7), New(7), New(8)
	for i := range 100 {
		x, y, z := a.Mixed(), b.Mixed(), c.Mixed()
		if !bytes.Equal(x.Raw, y.Raw) {
			t.Fatalf("object %d differs: %s %s", i, x.Raw, y.Raw)
		}
		if x.ID == z.ID {
			t.Fatalf("two seeds made %s", x.ID)
		}
	}
}

func TestIndicatorsBearTheirLabel(t *testing.T) {
	o := New(1).Indicator(label.Amber)
	if !bytes.Contains(o.Raw, []byte(label.TLPMarkingID(label.Amber, false))) {
		t.Fatalf("no amber marking in %s", o.Raw)
	}
}

func take(s *Source, n int) (out []Object) {
	for range n {
		out = append(out, s.Mixed())
	}
	return out
}
