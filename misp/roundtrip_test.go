package misp

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"entente/stix"
)

func parseItems(t failer, items []Item) []*stix.Object {
	t.Helper()
	objects := make([]*stix.Object, len(items))
	for i := range items {
		o, err := stix.Parse(bytes.Clone(items[i].Raw))
		if err != nil {
			t.Fatalf("%s: %v", items[i].ID, err)
		}
		objects[i] = o
	}
	return objects
}

// returns converts an event to STIX and back, and tells what came back.
func returns(t testing.TB, e *Event, o Options) (*Event, []Loss) {
	t.Helper()
	items, losses := ToSTIX(e, o)
	list, more, err := FromSTIX(parseItems(t, items))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("%d events came back", len(list))
	}
	return list[0], append(losses, more...)
}

func TestEventsReturnFromSTIX(t *testing.T) {
	for name, list := range events(t) {
		for _, e := range list {
			for _, o := range []Options{{}, {Observables: true}} {
				again, losses := returns(t, e, o)
				for _, l := range losses {
					if l.Code == LossChanged || l.Code == LossMissing || l.Code == LossObject || l.Code == LossDiffers {
						t.Errorf("%s: %v", name, l)
					}
				}
				before, _ := Marshal(e)
				after, _ := Marshal(again)
				if !bytes.Equal(before, after) {
					t.Errorf("%s: the event differs: %s", name, firstDifference(before, after))
				}
			}
		}
	}
}

func firstDifference(a, b []byte) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return strings.ToValidUTF8(string(a[max(0, i-150):min(len(a), i+100)])+"\n  and\n"+string(b[max(0, i-150):min(len(b), i+100)]), "?")
}

// An event of more elements than one report lists comes back whole, and each object stays of a size that readers take.
func TestLargeEventReturns(t *testing.T) {
	raw, err := io.ReadAll(&endless{n: maxRefs + 1})
	if err != nil {
		t.Fatal(err)
	}
	list, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	again, losses := returns(t, list[0], Options{})
	before, _ := Marshal(list[0])
	after, _ := Marshal(again)
	if !bytes.Equal(before, after) || len(losses) > 0 {
		t.Errorf("%d attributes came back; losses %v", len(again.Attributes), losses[:min(3, len(losses))])
	}
}

// What is too large for STIX to say openly still travels, or is named.
func TestExcessIsNamed(t *testing.T) {
	long := strings.Repeat("a", maxValue+1)
	e := &Event{UUID: orgA, Info: strings.Repeat("i", maxText+5), Date: "2026-01-01", Timestamp: "1767225600",
		Attributes: List[Attribute]{{UUID: orgB, Type: "domain", Value: long, ToIDs: True}, {UUID: orgC, Type: "comment", Value: "c", Data: strings.Repeat("A", maxCarried)}, {Type: "yara", Value: strings.Repeat("y", maxText+1)}}}
	var many Object
	many.Name, many.UUID = "domain-ip", "5e7d6a5e-0000-4000-8000-00000000000d"
	for range maxParts + 1 {
		many.Attributes = append(many.Attributes, Attribute{ObjectRelation: "domain", Type: "domain", Value: "a.example", ToIDs: True})
	}
	e.Objects = List[Object]{many}
	items, losses := ToSTIX(e, Options{})
	codes := map[string]string{}
	for _, l := range losses {
		codes[l.Pointer] = l.Code
	}
	for pointer, code := range map[string]string{"/Attribute/0/value": LossValue, "/Attribute/1": LossLarge, "/Object/0": LossValue} {
		if codes[pointer] != code {
			t.Errorf("%s: %q, not %q", pointer, codes[pointer], code)
		}
	}
	for _, o := range parseItems(t, items) {
		for _, f := range stix.Validate(o, stix.Options{}) {
			if f.Level == stix.LevelError {
				t.Errorf("%s: %s", o.ID(), f)
			}
		}
	}
}
