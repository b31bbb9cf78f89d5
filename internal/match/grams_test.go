package match

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"entente/sigma"
)

// letter is of few, so that texts meet.
var letter = rapid.SampledFrom([]string{"a", "b", "c", "\\", ".", " ", "é", "K", "\xff"})

func drawText(t *rapid.T, name string, least, most int) string {
	return strings.Join(rapid.SliceOfN(letter, least, most).Draw(t, name), "")
}

// The index of texts finds just those that stand in another, whatever was learnt before, and those at its ends.
func TestTheIndexFindsWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		least := rapid.SampledFrom([]int{1, 1, 4, 6, 9}).Draw(t, "least")
		var all []place
		var ends []tail
		var texts []string
		for range rapid.IntRange(1, 20).Draw(t, "texts") {
			text := drawText(t, "text", least, 14)
			x := &entry{leaf: len(texts)}
			texts, all, ends = append(texts, text), append(all, place{x: x, text: text}), append(ends, tail{x, text})
		}
		var know *learnt
		if rapid.Bool().Draw(t, "learnt") {
			know = &learnt{events: 1, grams: map[int]map[uint32]int{0: {uint32(word("aaaa")): 9, uint32(word("abca")): 2}}}
		}
		within, first, last := newGrams(all, 0, know), newEnds(ends, false), newEnds(ends, true)
		in := []byte(drawText(t, "in", 0, 60))
		if rapid.Bool().Draw(t, "one in it") {
			in = slices.Concat(in, []byte(texts[0]), []byte(drawText(t, "behind it", 0, 5)))
		}
		plain := !slices.ContainsFunc(in, func(c byte) bool { return c >= 0x80 })
		for _, c := range []struct {
			name string
			find func(func(*entry))
			is   func(a, b []byte) bool
		}{
			{"within", func(met func(*entry)) { within.find(in, plain, met) }, bytes.Contains},
			{"first", func(met func(*entry)) { first.findFirst(in, met) }, bytes.HasPrefix},
			{"last", func(met func(*entry)) { last.findLast(in, met) }, bytes.HasSuffix},
		} {
			got := map[int]bool{}
			c.find(func(x *entry) { got[x.leaf] = true })
			for i, text := range texts {
				if want := c.is(in, []byte(text)); got[i] != want {
					t.Errorf("%s: %q in %q: %v, want %v", c.name, text, in, got[i], want)
				}
			}
		}
	})
}

// What is looked for in a line as it is, is found in any case of its letters.
func TestTheRawLineIsSearchedInAnyCase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []place
		var texts []string
		for range rapid.IntRange(1, 5).Draw(t, "texts") {
			text := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "k", "@", "_", "1"}), 4, 12).Draw(t, "text"), "")
			texts, all = append(texts, text), append(all, place{x: &entry{}, text: text})
		}
		g := newGrams(all, rawLine, nil)
		in := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "A", "b", "B", "K", "@", "`", "_", "1"}), 0, 40).Draw(t, "in"), "")
		want := slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(strings.ToLower(in), text) })
		if got := g.anyCaseless([]byte(in)); got != want {
			t.Errorf("%q in %q: %v, want %v", texts, in, got, want)
		}
	})
}

// Only two letters beyond ASCII fold into it: on that stands the search in the line as it is.
func TestWhatFoldsIntoASCII(t *testing.T) {
	for r := rune(utf8.RuneSelf); r <= unicode.MaxRune; r++ {
		if folded := sigma.Fold(nil, utf8.AppendRune(nil, r)); folded[0] < utf8.RuneSelf && r != '\u017f' && r != '\u212a' {
			t.Errorf("%U folds into %q", r, folded)
		}
	}
}
