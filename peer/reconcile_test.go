package peer

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// dialogue compares two sets, and says how many messages and bytes went both ways.
func dialogue(t testing.TB, mine, theirs *Set, limit int) (c *Comparison, messages, size int) {
	t.Helper()
	c, m := mine.Compare(limit, 1<<21)
	for m != nil {
		a, err := theirs.Answer(m, limit)
		if err != nil {
			t.Fatal(err)
		}
		messages, size = messages+2, size+len(m)+len(a)
		if len(m) > limit+1024 || len(a) > limit+2048 {
			t.Fatalf("messages of %d and %d bytes, with a limit of %d", len(m), len(a), limit)
		}
		if m, err = c.Next(a); err != nil {
			t.Fatal(err)
		}
	}
	return c, messages, size
}

func someItems(r *rand.Rand, n int) []Item {
	out := make([]Item, n)
	for i := range out {
		l := Leaf{Time: time.UnixMicro(1_795_000_000_000_000 + r.Int64N(1<<40))}
		for k := 0; k < len(l.Commit); k += 8 {
			binary.BigEndian.PutUint64(l.Commit[k:], r.Uint64())
		}
		out[i] = ItemOf(&l)
	}
	return out
}

// Whatever two sets hold, and however short messages are, exactly the differences are found.
func TestReconcileFindsTheDifferences(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		item := rapid.Custom(func(t *rapid.T) (it Item) { // few values, so that much is shared and bounds are close
			copy(it[:], rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 255}), 3, 6).Draw(t, "item"))
			it[39] = rapid.SampledFrom([]byte{0, 1}).Draw(t, "end")
			return it
		})
		both := rapid.SliceOfN(item, 0, 300).Draw(t, "both")
		a := NewSet(append(slices.Clone(both), rapid.SliceOfN(item, 0, 200).Draw(t, "a")...))
		b := NewSet(append(slices.Clone(both), rapid.SliceOfN(item, 0, 200).Draw(t, "b")...))
		c, m := a.Compare(rapid.IntRange(64, 4096).Draw(t, "limit"), 1<<20)
		for limit := rapid.IntRange(64, 4096).Draw(t, "other's limit"); m != nil; {
			answer, err := b.Answer(m, limit)
			if err == nil {
				m, err = c.Next(answer)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		less := func(x, y *Set) (out []Item) {
			for _, it := range x.items {
				if !slices.Contains(y.items, it) {
					out = append(out, it)
				}
			}
			return out
		}
		if !slices.Equal(c.Have, less(a, b)) || !slices.Equal(c.Need, less(b, a)) {
			t.Fatalf("have %d, need %d; right are %d and %d", len(c.Have), len(c.Need), len(less(a, b)), len(less(b, a)))
		}
	})
}

// A million items with a hundred differences take few messages, and two equal sets one each way.
func TestReconcileIsSmall(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	items := someItems(r, 1_000_050)
	a, b := NewSet(slices.Clone(items[:1_000_000])), NewSet(slices.Clone(items[50:]))
	c, messages, size := dialogue(t, a, b, 1<<19)
	t.Logf("1,000,000 items, 100 differences: %d messages, %d bytes", messages, size)
	if len(c.Have) != 50 || len(c.Need) != 50 || messages > 6 || size > 200_000 {
		t.Errorf("have %d, need %d in %d messages of %d bytes", len(c.Have), len(c.Need), messages, size)
	}
	c, messages, size = dialogue(t, a, a, 1<<19)
	t.Logf("no difference: %d messages, %d bytes", messages, size)
	if len(c.Have)+len(c.Need) != 0 || messages != 2 || size > 36 {
		t.Errorf("no difference took %d messages of %d bytes", messages, size)
	}
	// A node that lost the newest tenth is told all of it, and no more.
	slices.SortFunc(items, func(x, y Item) int { return bytes.Compare(x[:], y[:]) })
	c, messages, size = dialogue(t, NewSet(slices.Clone(items[:900_000])), NewSet(items[:1_000_000]), 1<<19)
	t.Logf("100,000 lost: %d messages, %d bytes", messages, size)
	if len(c.Have) != 0 || len(c.Need) != 100_000 || size > 100_000*len(Item{})*6/5 {
		t.Errorf("have %d, need %d, %d bytes", len(c.Have), len(c.Need), size)
	}
}

// What one side may say has an end, whatever the other answers.
func TestReconcileHasBounds(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	mine, theirs := NewSet(someItems(r, 10)), NewSet(someItems(r, 1000))
	c, m := mine.Compare(1<<19, 100)
	a, err := theirs.Answer(m, 1<<19)
	for err == nil && m != nil {
		if m, err = c.Next(a); err == nil && m != nil {
			a, err = theirs.Answer(m, 1<<19)
		}
	}
	if e, ok := err.(*Error); !ok || e.Code != CodeSize {
		t.Errorf("more differences than wanted: %v", err)
	}
	c, m = NewSet(someItems(r, 500)).Compare(1<<19, 100)
	lie := appendSpans(nil, []span{{mode: rangePrint, end: bound{last: true}}}) // it never agrees
	for err = nil; err == nil && m != nil; {
		m, err = c.Next(lie)
	}
	if e, ok := err.(*Error); !ok || e.Code != CodeSize || c.Rounds > maxRounds {
		t.Errorf("%d messages: %v", c.Rounds, err)
	}
}

// A message has one form, and any other bytes are an error.
func FuzzReconcile(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	s := NewSet(someItems(r, 100))
	_, m := NewSet(someItems(r, 90)).Compare(4096, 1000)
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Add([]byte{1, 1, 0, 0})
	f.Add([]byte{1, 255, 2, 255, 255, 255, 255})
	f.Add(m)
	for range 3 {
		m, _ = s.Answer(m, 4096)
		f.Add(m)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := parseSpans(b)
		if err != nil {
			return
		}
		if !bytes.Equal(appendSpans(nil, in), b) {
			t.Fatal("another form of the same message")
		}
		a, err := s.Answer(b, 4096)
		if err == nil {
			_, err = parseSpans(a)
		}
		if err != nil || len(a) > 4096+2048 {
			t.Fatalf("%d bytes: %v", len(a), err)
		}
		c, _ := s.Compare(4096, 1<<20)
		if m, err := c.Next(b); err == nil && m != nil {
			if _, err := parseSpans(m); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkReconcile(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	items := someItems(r, 1_000_050)
	x, y := NewSet(slices.Clone(items[:1_000_000])), NewSet(slices.Clone(items[50:]))
	b.Run("set", func(b *testing.B) {
		for b.Loop() {
			NewSet(slices.Clone(items))
		}
	})
	b.Run("compare", func(b *testing.B) {
		for b.Loop() {
			_, messages, size := dialogue(b, x, y, 1<<19)
			b.ReportMetric(float64(messages), "messages")
			b.ReportMetric(float64(size), "bytes")
		}
	})
}
