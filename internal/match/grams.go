package match

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strings"
)

// grams finds texts that stand anywhere in another. Of each text a few neighbouring four-byte sequences are indexed, the rarest it has, as many as bytes are stepped over in
// the search: one of them is met wherever the text stands. A bitmap keeps most places of what is searched away from the table, and what the table has is compared.
type grams struct {
	step  int             // bytes from one look to the next
	loud  *[1 << 9]uint64 // of sequences made caseless, by the first bits of their hash: whether there may be one; nil elsewhere
	shift int             // of a hash, to a bit
	bits  []uint64
	mask  uint32 // of the table
	keys  []uint32
	lists [][]place // empty: the key is none
	short [4]short  // of texts of one, two and three bytes
	far   [4]short  // of those of them that are not ASCII
}

// place is a text of an entry, and where in it a sequence stands.
type place struct {
	x    *entry
	text string
	at   int
}

// short finds texts of the same length below four.
type short struct {
	texts []string // each once
	of    [][]*entry
	bits  []uint64       // which there may be, by hash
	at    map[uint32]int // among the texts
}

// maxSingle is how many short texts are looked for one by one: that is quicker, up to a number of them.
const maxSingle = 8

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

// rawLine stands for a slot where what is searched is a line as it is: there the sequences are what asCaseless makes of them.
const rawLine = -2

// newGrams makes the index of texts that are looked for in a field.
func newGrams(all []place, slot int, know *learnt) (g grams) {
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
		if ascii(p.text) {
			g.short[len(p.text)].add(p)
		} else {
			g.far[len(p.text)].add(p)
		}
	}
	if long == 0 {
		return g
	}
	g.step = min(shortest-3, maxStep)
	if slot == rawLine {
		g.loud = new([1 << 9]uint64)
	}
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
		first := rarest(p.text, g.step, slot, know)
		for p.at = first; p.at < first+g.step; p.at++ {
			key := uint32(word(p.text[p.at : p.at+4]))
			if slot == rawLine {
				key = asCaseless(key)
				h := key * mix >> 17
				g.loud[h/64] |= 1 << (h % 64)
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

// rarest is where so many neighbouring sequences of a text begin that are the rarest it has.
func rarest(text string, step, slot int, know *learnt) (best int) {
	least := math.Inf(1)
	for from := 0; from+3+step <= len(text); from++ {
		sum := 0.0
		for i := from; i < from+step; i++ {
			sum += know.count(slot, text[i:i+4], math.Exp2(float64(-rarity(text[i:i+4]))))
		}
		if sum < least {
			best, least = from, sum
		}
	}
	return best
}

func (s *short) add(p place) {
	if s.at == nil {
		s.bits, s.at = make([]uint64, 1<<10/64), map[uint32]int{}
	}
	key := uint32(word(p.text))
	i, ok := s.at[key]
	if !ok {
		i = len(s.texts)
		s.at[key] = i
		s.texts, s.of = append(s.texts, p.text), append(s.of, nil)
		h := key * mix >> 22
		s.bits[h/64] |= 1 << (h % 64)
	}
	s.of[i] = append(s.of[i], p.x)
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// find calls with the entries whose text stands in another; with some more than once. Where plain is set, that is known to be ASCII.
func (g *grams) find(text []byte, plain bool, met func(*entry)) {
	if g.step > 0 && len(text) >= 4 {
		step, shift, bitmap := uint(g.step), g.shift&31, g.bits
		for i, end := uint(0), uint(len(text)-3); i < end; i += step {
			key := binary.LittleEndian.Uint32(text[i : i+4])
			if h := key * mix >> shift; bitmap[h/64]>>(h%64)&1 != 0 {
				g.compare(text, int(i), key, met)
			}
		}
	}
	for n := 1; n < len(g.short); n++ {
		if s := &g.short[n]; len(s.texts) > 0 {
			s.find(text, n, met)
		}
		if s := &g.far[n]; len(s.texts) > 0 && !plain {
			s.find(text, n, met)
		}
	}
}

// find calls with the entries whose text of n bytes stands in another.
func (s *short) find(text []byte, n int, met func(*entry)) {
	if len(s.texts) <= maxSingle {
		for i, t := range s.texts {
			if bytes.Contains(text, []byte(t)) {
				s.met(i, met)
			}
		}
		return
	}
	i, drop := 0, 32-8*n
	for ; i+4 <= len(text); i++ {
		key := binary.LittleEndian.Uint32(text[i:]) << drop >> drop
		if h := key * mix >> 22; s.bits[h/64]>>(h%64)&1 != 0 {
			if at, ok := s.at[key]; ok {
				s.met(at, met)
			}
		}
	}
	for ; i+n <= len(text); i++ {
		if at, ok := s.at[uint32(word(text[i:i+n]))]; ok {
			s.met(at, met)
		}
	}
}

func (s *short) met(i int, met func(*entry)) {
	for _, x := range s.of[i] {
		met(x)
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
	step, loud := uint(g.step), g.loud
	if loud == nil || len(text) < 4 {
		return false
	}
	for i, end := uint(0), uint(len(text)-3); i < end; i += step {
		key := asCaseless(binary.LittleEndian.Uint32(text[i : i+4]))
		if h := key * mix >> 17; loud[h/64]>>(h%64)&1 != 0 {
			for _, p := range g.lists[g.slot(key)] {
				if from := int(i) - p.at; from >= 0 && len(text)-from >= len(p.text) && equalFold(text[from:from+len(p.text)], p.text) {
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
