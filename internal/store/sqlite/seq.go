package sqlite

import (
	"math/rand/v2"
	"slices"
)

// seqWindow is how far back from now seqs are drawn, in µs.
const seqWindow = 100_000

// draw appends n distinct seqs after last, ascending, drawn at random from the microseconds up to now, or further where the clock has
// not moved on far enough. Both are µs since 1970.
func draw(last, now int64, n int, to []int64) []int64 {
	if n == 0 {
		return to
	}
	high := max(now, last+2*int64(n))
	low := max(last, high-max(seqWindow, 2*int64(n))) // exclusive
	width := high - low
	start := len(to)
	if width < 4*int64(n) { // dense: choose while walking
		left := int64(n)
		for x := low + 1; left > 0; x++ {
			if rand.Int64N(high-x+1) < left {
				to = append(to, x)
				left--
			}
		}
		return to
	}
	for len(to)-start < n {
		for len(to)-start < n {
			to = append(to, low+1+rand.Int64N(width))
		}
		slices.Sort(to[start:])
		to = to[:start+len(slices.Compact(to[start:]))]
	}
	return to
}
