package index

import (
	"strings"
	"testing"
)

// TestIDsOfOneHash lets two objects be told apart whose ids have the same hash, also after a start.
func TestIDsOfOneHash(t *testing.T) {
	w := newWorld(t)
	w.take(us, malware(1, "green", "first", "an index has its secret once something is in it"))
	met, a, b := map[uint32]int{}, 0, 0
	for n := 2; b == 0; n++ {
		hash := hashID(w.x.secret, id("malware", n))
		if a = met[hash]; a != 0 {
			b = n
		}
		met[hash] = n
	}
	w.take(us, malware(a, "green", "alpha", "x"))
	for _, c := range []struct{ object, other string }{{id("malware", b), ""}, {id("malware", a), short(id("malware", a))}} {
		if got := w.finds(us, "id:"+c.object); got != c.other {
			t.Errorf("with one of the two: %s finds %q", c.object, got)
		}
	}
	w.take(us, malware(b, "green", "beta", "x"))
	for range 2 {
		for _, n := range []int{a, b} {
			if got := w.finds(us, "id:"+id("malware", n)); got != short(id("malware", n)) {
				t.Errorf("%d finds %q", n, got)
			}
		}
		if got := w.finds(us, "alpha"); !strings.Contains(got, short(id("malware", a))) {
			t.Errorf("alpha is %q", got)
		}
		w.must(w.x.Close())
		w.open()
		w.sync()
	}
}
