package correlation

import (
	"cmp"
	"math"
	"math/big"
	"math/bits"
	"strconv"

	"entente/sigma"
)

// number is a number of a window, exactly: whole times ten to power. One whose whole number needs more than 64 bits is wide: whole is the number of it in the slab.
type number struct {
	time                    int64
	whole                   int64
	power                   int16
	wide                    bool
	next, left, right, size uint32 // by age, and in the tree of its group
}

var powers = func() (out [20]uint64) {
	out[0] = 1
	for i := 1; i < len(out); i++ {
		out[i] = 10 * out[i-1]
	}
	return out
}()

var ten = big.NewInt(10)

// parseNumber reads a number as correlations count it.
func (s *shard) parseNumber(text []byte) (n number, ok bool) {
	whole, power, ok := sigma.Scaled(string(text))
	if !ok {
		return number{}, false
	}
	return s.number(whole, power), true
}

// number is a whole number, in digits, times ten to power.
func (s *shard) number(whole string, power int) number {
	if small, err := strconv.ParseInt(whole, 10, 64); err == nil {
		return number{whole: small, power: int16(power)}
	}
	id := s.wides.take()
	s.wides.at(id).SetString(whole, 10)
	return number{whole: int64(id), power: int16(power), wide: true}
}

// big puts the whole number into z.
func (s *shard) big(z *big.Int, n *number) *big.Int {
	if n.wide {
		return z.Set(s.wides.at(uint32(n.whole)))
	}
	return z.SetInt64(n.whole)
}

// compare compares exactly.
func (s *shard) compare(a, b *number) int {
	if a.wide || b.wide {
		return s.compareBig(s.big(&s.x, a), int(a.power), s.big(&s.y, b), int(b.power))
	}
	if a.power == b.power {
		return cmp.Compare(a.whole, b.whole)
	}
	negative := cmp.Compare(a.whole, 0)
	if c := cmp.Compare(negative, cmp.Compare(b.whole, 0)); c != 0 || a.whole == 0 {
		return c
	}
	d := int(a.power) - int(b.power)
	switch { // ten to 20 is more than any whole number here
	case d >= len(powers):
		return negative
	case -d >= len(powers):
		return -negative
	}
	ah, al := bits.Mul64(magnitude(a.whole), powers[max(d, 0)])
	bh, bl := bits.Mul64(magnitude(b.whole), powers[max(-d, 0)])
	return negative * cmp.Or(cmp.Compare(ah, bh), cmp.Compare(al, bl))
}

// compareBig compares a times ten to pa with b times ten to pb. It may change both.
func (s *shard) compareBig(a *big.Int, pa int, b *big.Int, pb int) int {
	switch {
	case pa > pb:
		s.shift(a, pa-pb)
	case pb > pa:
		s.shift(b, pb-pa)
	}
	return a.Cmp(b)
}

// shift multiplies with ten to n.
func (s *shard) shift(a *big.Int, n int) {
	if n < len(powers) {
		s.z.SetUint64(powers[n])
	} else {
		s.z.Exp(ten, s.z.SetInt64(int64(n)), nil)
	}
	a.Mul(a, &s.z)
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return uint64(-n)
	}
	return uint64(n)
}

// rational is a times ten to power.
func rational(a *big.Int, power int) *big.Rat {
	r := new(big.Rat).SetInt(a)
	scale := new(big.Int).Exp(ten, big.NewInt(int64(max(power, -power))), nil)
	if power < 0 {
		return r.Quo(r, new(big.Rat).SetInt(scale))
	}
	return r.Mul(r, new(big.Rat).SetInt(scale))
}

// plus adds whole numbers; ok is false when the sum needs more than 64 bits.
func plus(a, b int64) (sum int64, ok bool) {
	sum = a + b
	return sum, (sum > a) == (b > 0)
}

// times multiplies whole numbers; ok is false when the product needs more than 64 bits.
func times(a int64, b uint64) (product int64, ok bool) {
	hi, lo := bits.Mul64(magnitude(a), b)
	if hi != 0 || lo > math.MaxInt64 {
		return 0, false
	}
	if product = int64(lo); a < 0 {
		product = -product
	}
	return product, true
}

// scaled is the whole number of a number with a power that is not greater; ok is false when it needs more than 64 bits.
func (n *number) scaled(power int16) (whole int64, ok bool) {
	d := int(n.power) - int(power)
	if n.wide || d >= len(powers) {
		return 0, n.whole == 0 && !n.wide
	}
	return times(n.whole, powers[d])
}

// sum adds two numbers, or takes the second from the first. What comes out is the first one from now on, with all it needs.
func (s *shard) sum(a, b *number, away bool) {
	power := min(a.power, b.power)
	x, ok := a.scaled(power)
	y, fits := b.scaled(power)
	if away {
		y = -y
	}
	if ok && fits {
		if whole, fits := plus(x, y); fits {
			a.whole, a.power = whole, power
			return
		}
	}
	if !a.wide {
		id := s.wides.take()
		s.wides.at(id).SetInt64(a.whole)
		a.whole, a.wide = int64(id), true
	}
	wide, other := s.wides.at(uint32(a.whole)), s.big(&s.y, b)
	s.shift(wide, int(a.power-power))
	s.shift(other, int(b.power-power))
	if a.power = power; away {
		wide.Sub(wide, other)
	} else {
		wide.Add(wide, other)
	}
}

// include adds a number to the total of n others, or takes it away.
func (s *shard) include(t *total, v *number, others uint32, away bool) {
	if others == 0 {
		s.release(t)
		*t = total{power: v.power}
		if away {
			return
		}
	}
	sum := number{whole: t.whole, power: t.power, wide: t.wide}
	s.sum(&sum, v, away)
	*t = total{sum.whole, sum.power, sum.wide}
}

func (s *shard) release(t *total) {
	if t.wide {
		s.wides.give(uint32(t.whole))
	}
}

// total is the sum of the numbers of a window, as a number has it.
type total struct {
	whole int64
	power int16
	wide  bool
}
