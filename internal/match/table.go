package match

import (
	"bytes"
	"encoding/binary"

	"entente/sigma"
)

// table holds the indexes of the rules that a route accepts.
type table struct {
	fields []field
	words  *field  // of any value; nil: no rule looks for words anywhere
	always []int32 // rules without witnesses
}

// field is the index of one field.
type field struct {
	slot   int
	equal  map[string][]*entry
	prefix ends
	suffix ends
	within grams
	number map[string][]*entry // as sigma.Canonical writes it
	asked  []*entry            // put to every value
	all    []*entry
}

// entry is a witness, and the rules that it is one of.
type entry struct {
	leaf  int
	rules []int32
}

// ends finds texts by their first or last bytes, up to eight of them: a table for each number of bytes.
type ends [9]map[uint64][]*entry

func (e *ends) add(key []byte, x *entry) {
	n := len(key)
	if e[n] == nil {
		e[n] = map[uint64][]*entry{}
	}
	k := word(key)
	e[n][k] = append(e[n][k], x)
}

// word is up to eight bytes as a number.
func word(b []byte) (x uint64) {
	if len(b) == 8 {
		return binary.LittleEndian.Uint64(b)
	}
	for i, c := range b {
		x |= uint64(c) << (8 * i)
	}
	return x
}

// grams finds texts that stand anywhere by one of their four-byte sequences, and shorter ones as a whole.
type grams struct {
	bits  []uint64 // which sequences there may be, by their hash
	at    map[uint32][]*entry
	short [4]map[uint32][]*entry // by length
	few   [4][]uint64            // which of these there may be, by their hash
}

const gramBits = 16 // of the hash of a sequence

func gramHash(g uint32) uint32 { return g * 0x9E3779B1 >> (32 - gramBits) }

func (g *grams) add(text string, x *entry) {
	if len(text) < 4 {
		n := len(text)
		if g.short[n] == nil {
			g.short[n], g.few[n] = map[uint32][]*entry{}, make([]uint64, 1<<gramBits/64)
		}
		key := uint32(word([]byte(text)))
		h := gramHash(key)
		g.few[n][h/64] |= 1 << (h % 64)
		g.short[n][key] = append(g.short[n][key], x)
		return
	}
	if g.bits == nil {
		g.bits, g.at = make([]uint64, 1<<gramBits/64), map[uint32][]*entry{}
	}
	best, least := uint32(0), 1<<30
	for i := 0; i+4 <= len(text); i++ {
		if c := common(text[i : i+4]); c < least {
			best, least = binary.LittleEndian.Uint32([]byte(text[i:])), c
		}
	}
	h := gramHash(best)
	g.bits[h/64] |= 1 << (h % 64)
	g.at[best] = append(g.at[best], x)
}

// often are the bytes that stand often in paths, command lines and names, the most frequent first: sequences of others are rarer.
const often = "e0 stin\\orcaldmpw.1u2fyghvb3-k:x4856/97_\"=zjq"

func common(s string) (sum int) {
	for i := range len(s) {
		if at := bytes.IndexByte([]byte(often), s[i]); at >= 0 {
			sum += len(often) - at
		}
	}
	return sum
}

// table makes the indexes for the rules whose routes accept.
func (e *Engine) table(accepts func(route int) bool) *table {
	t := &table{}
	fields, entries := map[int]*field{}, map[int]*entry{}
	var slots []int
	for i := range e.rules {
		r := &e.rules[i]
		if r.route >= 0 && !accepts(r.route) {
			continue
		}
		leaves, _ := e.witnesses(&r.expr)
		if leaves == nil {
			t.always = append(t.always, int32(i))
			continue
		}
		for _, n := range leaves {
			x := entries[n]
			if x == nil {
				x = &entry{leaf: n}
				entries[n] = x
				f := fields[e.leaves[n].slot]
				if f == nil {
					f = &field{slot: e.leaves[n].slot, equal: map[string][]*entry{}}
					fields[f.slot] = f
					slots = append(slots, f.slot)
				}
				f.add(&e.leaves[n], x)
			}
			if k := len(x.rules); k == 0 || x.rules[k-1] != int32(i) {
				x.rules = append(x.rules, int32(i))
			}
		}
	}
	for _, s := range slots {
		if s < 0 {
			t.words = fields[s]
		} else {
			t.fields = append(t.fields, *fields[s])
		}
	}
	return t
}

func (f *field) add(l *leaf, x *entry) {
	f.all = append(f.all, x)
	switch {
	case l.Op == sigma.OpNumber && l.Part == sigma.NoPart:
		if f.number == nil {
			f.number = map[string][]*entry{}
		}
		f.number[l.Text] = append(f.number[l.Text], x)
		return
	case l.texts == nil:
		f.asked = append(f.asked, x)
		return
	}
	for _, t := range l.texts {
		switch l.Op {
		case sigma.OpEqual:
			f.equal[t] = append(f.equal[t], x)
		case sigma.OpPrefix:
			f.prefix.add([]byte(t[:min(8, len(t))]), x)
		case sigma.OpSuffix:
			f.suffix.add([]byte(t[max(0, len(t)-8):]), x)
		default:
			f.within.add(t, x)
		}
	}
}

// find calls with every entry that a folded text may be an answer to; with some more than once.
func (f *field) find(text []byte, hit func(*entry)) {
	if f.number != nil {
		if n, ok := sigma.Canonical(string(text)); ok {
			for _, x := range f.number[n] {
				hit(x)
			}
		}
	}
	for _, x := range f.equal[string(text)] {
		hit(x)
	}
	for n := range f.prefix {
		if f.prefix[n] != nil && len(text) >= n {
			for _, x := range f.prefix[n][word(text[:n])] {
				hit(x)
			}
		}
		if f.suffix[n] != nil && len(text) >= n {
			for _, x := range f.suffix[n][word(text[len(text)-n:])] {
				hit(x)
			}
		}
	}
	for n := 1; n < len(f.within.few); n++ {
		if few := f.within.few[n]; few != nil {
			mask := uint32(1)<<(8*n) - 1
			for i := 0; i+n <= len(text); i++ {
				var key uint32
				if i+4 <= len(text) {
					key = binary.LittleEndian.Uint32(text[i:]) & mask
				} else {
					key = uint32(word(text[i : i+n]))
				}
				h := gramHash(key)
				if few[h/64]&(1<<(h%64)) != 0 {
					for _, x := range f.within.short[n][key] {
						hit(x)
					}
				}
			}
		}
	}
	if bits := f.within.bits; bits != nil {
		for i := 0; i+4 <= len(text); i++ {
			g := binary.LittleEndian.Uint32(text[i:])
			h := gramHash(g)
			if bits[h/64]&(1<<(h%64)) != 0 {
				for _, x := range f.within.at[g] {
					hit(x)
				}
			}
		}
	}
}
