package match

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strings"
)

// grams finds texts that stand anywhere in another. Of each text a few neighbouring four-byte sequences are indexed, the rarest it has, as many as bytes are stepped over in
// the search: one of them is met wherever the text stands. A bitmap keeps most places of what is searched away from the table, and what the table has is compared.
type grams struct {
	step  int // bytes from one look to the next
	shift int // of a hash, to a bit
	bits  []uint64
	mask  uint32 // of the table
	keys  []uint32
	lists [][]place // empty: the key is none
	short [4]short  // of texts of one, two and three bytes
}

// place is a text of an entry, and where in it a sequence stands.
type place struct {
	x    *entry
	text string
	at   int
}

// short finds texts of the same length below four.
type short struct {
	bits []uint64 // by hash
	at   map[uint32][]place
}

// maxStep bounds how many sequences of a text are indexed.
const maxStep = 8

const mix = 0x9E3779B1

// word is up to eight bytes as a number.
func word[T string | []byte](b T) (x uint64) {
	for i := range min(len(b), 8) {
		x |= uint64(b[i]) << (8 * i)
	}
	return x
}

// newGrams makes the index of texts. Where caseless is set, the sequences are what asCaseless makes of them.
func newGrams(all []place, caseless bool) (g grams) {
	if len(all) == 0 {
		return g
	}
	shortest, long := math.MaxInt, 0
	for _, p := range all {
		if len(p.text) >= 4 {
			shortest = min(shortest, len(p.text))
			long++
			continue
		}
		g.short[len(p.text)].add(p)
	}
	if long == 0 {
		return g
	}
	g.step = min(shortest-3, maxStep)
	size := 1 << max(9, bits.Len(uint(long*g.step*32)))
	size = min(size, 1<<18)
	g.shift = 32 - bits.Len(uint(size-1))
	g.bits = make([]uint64, size/64)
	slots := 1 << bits.Len(uint(long*g.step*2))
	g.mask, g.keys, g.lists = uint32(slots-1), make([]uint32, slots), make([][]place, slots)
	for _, p := range all {
		if len(p.text) < 4 {
			continue
		}
		for p.at = range rarest(p.text, g.step) {
			key := uint32(word(p.text[p.at : p.at+4]))
			if caseless {
				key = asCaseless(key)
			}
			h := key * mix >> g.shift
			g.bits[h/64] |= 1 << (h % 64)
			i := g.slot(key)
			g.keys[i] = key
			g.lists[i] = append(g.lists[i], p)
		}
	}
	return g
}

// asCaseless makes sequences equal that differ by the case of ASCII letters, and some others.
func asCaseless(key uint32) uint32 { return key | 0x20202020 }

// slot is where a key stands in the table, or could.
func (g *grams) slot(key uint32) uint32 {
	i := key * mix >> 7 & g.mask
	for g.lists[i] != nil && g.keys[i] != key {
		i = (i + 1) & g.mask
	}
	return i
}

// rarest are the places of as many neighbouring four-byte sequences as are stepped over, the rarest of a text.
func rarest(text string, step int) func(func(int) bool) {
	best, least := 0, math.Inf(1)
	for from := 0; from+3+step <= len(text); from++ {
		sum := 0.0
		for i := from; i < from+step; i++ {
			sum += math.Exp2(float64(-rarity(text[i : i+4])))
		}
		if sum < least {
			best, least = from, sum
		}
	}
	return func(yield func(int) bool) {
		for i := best; i < best+step && yield(i); i++ {
		}
	}
}

func (s *short) add(p place) {
	if s.at == nil {
		s.bits, s.at = make([]uint64, 1<<10/64), map[uint32][]place{}
	}
	key := uint32(word(p.text))
	h := key * mix >> 22
	s.bits[h/64] |= 1 << (h % 64)
	s.at[key] = append(s.at[key], p)
}

// find calls with the entries whose text stands in another; with some more than once.
func (g *grams) find(text []byte, met func(*entry)) {
	if g.step > 0 {
		step, shift, bitmap := g.step, g.shift&31, g.bits
		for i := 0; i+4 <= len(text); i += step {
			key := binary.LittleEndian.Uint32(text[i:])
			if h := key * mix >> shift; bitmap[h/64]>>(h%64)&1 != 0 {
				g.compare(text, i, key, met)
			}
		}
	}
	for n := 1; n < len(g.short); n++ {
		s := &g.short[n]
		if s.at == nil {
			continue
		}
		for i := 0; i+n <= len(text); i++ {
			key := uint32(word(text[i : i+n]))
			if h := key * mix >> 22; s.bits[h/64]>>(h%64)&1 != 0 {
				for _, p := range s.at[key] {
					met(p.x)
				}
			}
		}
	}
}

// compare calls with the entries whose text stands around a sequence that was found.
func (g *grams) compare(text []byte, i int, key uint32, met func(*entry)) {
	for _, p := range g.lists[g.slot(key)] {
		if from := i - p.at; from >= 0 && len(text)-from >= len(p.text) && string(text[from:from+len(p.text)]) == p.text {
			met(p.x)
		}
	}
}

// anyCaseless tells whether one of the texts, of small letters, stands in another, whatever the case of ASCII letters there.
func (g *grams) anyCaseless(text []byte) bool {
	step, shift, bitmap := g.step, g.shift&31, g.bits
	for i := 0; i+4 <= len(text); i += step {
		key := asCaseless(binary.LittleEndian.Uint32(text[i:]))
		if h := key * mix >> shift; bitmap[h/64]>>(h%64)&1 != 0 {
			for _, p := range g.lists[g.slot(key)] {
				if from := i - p.at; from >= 0 && len(text)-from >= len(p.text) && equalFold(text[from:from+len(p.text)], p.text) {
					return true
				}
			}
		}
	}
	return false
}

// equalFold compares with a text of small letters.
func equalFold(text []byte, small string) bool {
	for i := range small {
		c := text[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != small[i] {
			return false
		}
	}
	return true
}

// runs are the longest stretches of a folded text that stand in every line of JSON as they are, if the text does and no character in the line is written as a number: those
// without quotes, backslashes, control characters and what is not ASCII.
func runs(text string) (out []string) {
	return strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r >= 0x7f })
}
