package index

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// bitmap is a set of record numbers.
type bitmap []uint64

func newBitmap(n int) bitmap { return make(bitmap, (n+63)/64) }

func (b bitmap) has(n uint32) bool {
	i := int(n / 64)
	return i < len(b) && b[i]&(1<<(n%64)) != 0
}

// set adds a number; one beyond the set's bound is left out.
func (b bitmap) set(n uint32) {
	if i := int(n / 64); i < len(b) {
		b[i] |= 1 << (n % 64)
	}
}

func (b bitmap) and(o bitmap) {
	for i := range b {
		b[i] &= o[i]
	}
}

func (b bitmap) or(o bitmap) {
	for i := range b {
		b[i] |= o[i]
	}
}

func (b bitmap) andNot(o bitmap) {
	for i := range b {
		b[i] &^= o[i]
	}
}

func (b bitmap) clone() bitmap { return slices.Clone(b) }

func (b bitmap) count() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// each visits the numbers in ascending order until visit says stop.
func (b bitmap) each(visit func(uint32) bool) {
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			if !visit(uint32(i*64 + bits.TrailingZeros64(w))) {
				return
			}
		}
	}
}

// down visits the numbers below a bound in descending order until visit says stop.
func (b bitmap) down(below uint32, visit func(uint32) bool) {
	top := min(int((below+63)/64), len(b))
	for i := top - 1; i >= 0; i-- {
		w := b[i]
		if rest := int(below) - i*64; rest < 64 {
			w &= 1<<max(rest, 0) - 1
		}
		for w != 0 {
			bit := 63 - bits.LeadingZeros64(w)
			if !visit(uint32(i*64 + bit)) {
				return
			}
			w &^= 1 << bit
		}
	}
}

// Forms of a list of postings: differences, or one bit for each number of the segment, whichever is shorter.
const (
	formList = iota
	formBits
)

// appendPostings writes ascending numbers of a segment from lo to hi.
func appendPostings(dst []byte, ns []uint32, lo, hi uint32) []byte {
	base := lo &^ 63
	if dense := int(hi-base)/64*8 + 8; len(ns) > dense {
		dst = append(dst, formBits)
		at := len(dst)
		dst = append(dst, make([]byte, dense)...)
		for _, n := range ns {
			dst[at+int(n-base)/8] |= 1 << ((n - base) % 8)
		}
		return dst
	}
	dst = append(dst, formList)
	last := base
	for _, n := range ns {
		dst = binary.AppendUvarint(dst, uint64(n-last))
		last = n
	}
	return dst
}

// postings reads what appendPostings wrote. Damaged ones end early.
func postings(data []byte, lo uint32, to []uint32) []uint32 {
	base := lo &^ 63
	if len(data) == 0 {
		return to
	}
	form, data := data[0], data[1:]
	if form == formBits {
		for i, b := range data {
			for ; b != 0; b &= b - 1 {
				to = append(to, base+uint32(i*8+bits.TrailingZeros8(b)))
			}
		}
		return to
	}
	for n := base; len(data) > 0; {
		d, w := binary.Uvarint(data)
		if w <= 0 {
			return to
		}
		n += uint32(d)
		to, data = append(to, n), data[w:]
	}
	return to
}

// gather adds postings to the set.
func (b bitmap) gather(data []byte, lo uint32) {
	base := lo &^ 63
	if len(data) == 0 {
		return
	}
	form, data := data[0], data[1:]
	if form == formBits {
		for at := int(base / 64); len(data) >= 8 && at < len(b); at++ {
			b[at] |= binary.LittleEndian.Uint64(data)
			data = data[8:]
		}
		return
	}
	n := base
	for i := 0; i < len(data); {
		d := uint32(data[i])
		i++
		if d >= 0x80 {
			d &= 0x7f
			for shift := 7; i < len(data) && shift < 35; shift += 7 {
				c := data[i]
				i++
				d |= uint32(c&0x7f) << shift
				if c < 0x80 {
					break
				}
			}
		}
		n += d
		b.set(n)
	}
}

// common is how many postings are in the set.
func (b bitmap) common(data []byte, lo uint32) (count int) {
	base := lo &^ 63
	if len(data) > 0 && data[0] == formBits {
		data = data[1:]
		for at := int(base / 64); len(data) >= 8 && at < len(b); at++ {
			count += bits.OnesCount64(b[at] & binary.LittleEndian.Uint64(data))
			data = data[8:]
		}
		return count
	}
	n := base
	for data = data[min(1, len(data)):]; len(data) > 0; {
		d, w := binary.Uvarint(data)
		if w <= 0 {
			return count
		}
		n += uint32(d)
		if b.has(n) {
			count++
		}
		data = data[w:]
	}
	return count
}
