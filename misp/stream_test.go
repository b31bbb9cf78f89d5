package misp

import (
	"bytes"
	"slices"
	"testing"
)

// A Stream makes of an event what ToSTIX makes of it, wherever what it has made is taken in between.
func TestStream(t *testing.T) {
	compared := 0
	for _, list := range events(t) {
		e := list[0]
		for _, every := range []int{1, 7, 1 << 20} {
			want, losses := ToSTIX(e, Options{Observables: every == 7})
			head := *e
			head.Attributes, head.Objects = nil, nil
			s := NewStream(&head, Options{Observables: every == 7})
			var got []Item
			lost, n := 0, 0
			step := func() {
				if n++; n%every == 0 {
					items, l := s.Take()
					got, lost = append(got, items...), lost+len(l)
				}
			}
			for i := range e.Attributes {
				s.Attribute(&e.Attributes[i])
				step()
			}
			for i := range e.Objects {
				s.Object(&e.Objects[i])
				step()
			}
			items, l := s.Finish()
			got, lost = append(got, items...), lost+len(l)
			if !bytes.Equal(got[len(got)-1].Raw, want[len(want)-1].Raw) {
				t.Errorf("%s: the report differs:\n%s\n%s", e.UUID, got[len(got)-1].Raw, want[len(want)-1].Raw)
			}
			byID := func(a, b Item) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) }
			slices.SortFunc(got, byID)
			slices.SortFunc(want, byID)
			same := func(a, b Item) bool { return a.ID == b.ID && bytes.Equal(a.Raw, b.Raw) && a.Stated == b.Stated }
			if !slices.EqualFunc(got, want, same) || lost != len(losses) {
				t.Errorf("%s: %d items and %d losses, not %d and %d", e.UUID, len(got), lost, len(want), len(losses))
			}
			compared++
		}
	}
	if compared < 60 {
		t.Errorf("%d comparisons", compared)
	}
}

// Answers of an instance are read in the forms that it gives them.
func TestAnswers(t *testing.T) {
	const one = `{"Sighting":{"id":1,"uuid":"00000000-cccc-4000-8000-000000000001","attribute_uuid":"00000000-aaaa-4000-8000-000000000001","date_sighting":1767225600,"type":"0"}}`
	for _, text := range []string{`{"response":[` + one + `]}`, `[` + one + `]`, `{"response":{"0":` + one + `}}`} {
		s, err := ParseSightings([]byte(text))
		if err != nil || len(s) != 1 || s[0].Date != "1767225600" {
			t.Errorf("%s: %+v %v", text, s, err)
		}
	}
	for _, text := range []string{`{"response":[`, `7`, ``} {
		if s, err := ParseSightings([]byte(text)); err == nil && len(s) > 0 {
			t.Errorf("%s: %+v", text, s)
		}
	}
	g, err := ParseCluster([]byte(`{"GalaxyCluster":{"uuid":"8faab056-4212-4e80-8b54-b7eadec6b739","value":"X","type":"threat-actor","version":"3","Galaxy":{"uuid":"c5f2dfb4-21a1-42d8-a452-1d3c36a204ff","type":"threat-actor"},"GalaxyElement":[{"key":"synonyms","value":"Y"}]}}`))
	if err != nil || g.Type != "threat-actor" || len(g.Clusters) != 1 || string(g.Clusters[0].Meta) != `{"synonyms":["Y"]}` {
		t.Errorf("%+v %v", g, err)
	}
	if _, err := ParseCluster([]byte(`{"GalaxyCluster":[]}`)); err == nil {
		t.Error("a cluster was read where there is none")
	}
}
