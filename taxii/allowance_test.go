package taxii

import "testing"

// Pages become smaller when much is on its way to clients that are slow to take it, and never vanish.
func TestPagesShrinkUnderPressure(t *testing.T) {
	s := &server{Options: Options{PageBytes: 8 << 20, MaxBuffered: 100 << 20}}
	for _, c := range []struct{ sending, want int64 }{{0, 8 << 20}, {60 << 20, 8 << 20}, {80 << 20, 5 << 20}, {100 << 20, leastPage}, {200 << 20, leastPage}} {
		s.sending.Store(c.sending)
		if got := int64(s.allowance()); got != c.want {
			t.Errorf("with %d bytes on their way a page may have %d, want %d", c.sending, got, c.want)
		}
	}
}
