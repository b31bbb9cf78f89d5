package stix

import "testing"

// Row 9: each number has one term on each scale, and each term stands for a number that is shown as it.
func TestRow9Confidence(t *testing.T) {
	for s := ScaleLevels; s <= ScaleDNI; s++ {
		for n := 0; n <= 100; n++ {
			term := s.Term(n)
			back, ok := s.Confidence(term)
			if term == "" || !ok || s.Term(back) != term {
				t.Errorf("scale %d: %d is %q is %d", s, n, term, back)
			}
		}
		if s.Term(101) != "" || s.Term(-1) != "" {
			t.Errorf("scale %d goes beyond 100", s)
		}
	}
	if _, ok := ScaleAdmiralty.Confidence("6 - Truth cannot be judged"); ok {
		t.Error("what cannot be judged has a confidence")
	}
	if n, ok := mustParse(t, string(sample("tool", `confidence:85`))).Confidence(); n != 85 || !ok || ScaleLevels.Term(n) != "High" {
		t.Errorf("confidence %d %v", n, ok)
	}
}
