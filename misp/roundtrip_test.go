package misp

import (
	"bytes"
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
