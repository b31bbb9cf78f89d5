package indicator

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// What is collected in files on the way makes the same snapshot, and leaves nothing behind.
func TestSpillMakesTheSameSnapshot(t *testing.T) {
	for _, n := range []int{0, 1, 60_000} { // the last is more than stays in memory
		fill := func(b *Builder) {
			for i := range n {
				m := b.Meta(Meta{Source: fmt.Sprintf("indicator--%036d", i), Label: "red", Accord: "five", Confidence: 50})
				v, err := Of(fmt.Sprintf([]string{"evil%d.example", "http://evil.example/%d"}[i%2], i))
				if err == nil {
					err = b.Add(v, m)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		dir, key := t.TempDir(), NewKey()
		plain, spilled := NewBuilder(key), NewBuilder(key)
		if err := spilled.Spill(dir, n); err != nil {
			t.Fatal(err)
		}
		fill(plain)
		fill(spilled)
		if err := plain.Snapshot(7).WriteFile(filepath.Join(dir, "plain")); err != nil {
			t.Fatal(err)
		}
		if err := spilled.WriteFile(filepath.Join(dir, "spilled"), 7); err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(dir, "plain"))
		got, err2 := os.ReadFile(filepath.Join(dir, "spilled"))
		if err != nil || err2 != nil || !bytes.Equal(got, want) {
			t.Errorf("%d: %d octets are not the same as %d: %v %v", n, len(got), len(want), err, err2)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
			t.Errorf("%d: it left %v", n, left)
		}
	}
}
