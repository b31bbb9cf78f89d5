package correlation

import (
	"cmp"
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

func (s *shard) compare(a, b *number) int {
	if !a.wide && !b.wide {
		if a.power == b.power {
			return cmp.Compare(a.whole, b.whole)
		}
		if c := cmp.Compare(sign(a.whole), sign(b.whole)); c != 0 || a.whole == 0 {
			return c
		}
		if d := int(a.power) - int(b.power); d < len(powers) && d > -len(powers) {
			ah, al := bits.Mul64(magnitude(a.whole), powers[max(d, 0)])
			bh, bl := bits.Mul64(magnitude(b.whole), powers[max(-d, 0)])
			return sign(a.whole) * cmp.Or(cmp.Compare(ah, bh), cmp.Compare(al, bl))
		}
	}
	return s.compareBig(s.big(&s.x, a), int(a.power), s.big(&s.y, b), int(b.power))
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

func sign(n int64) int {
	return cmp.Compare(n, 0)
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

// total is the sum of the numbers of a window: whole times ten to power.
type total struct {
	whole big.Int
	power int
}

// include adds a number to the total of n others, or takes it away.
func (s *shard) include(t *total, v *number, others uint32, away bool) {
	if others == 0 {
		if t.whole.SetInt64(0); !away {
			s.big(&t.whole, v)
		}
		t.power = int(v.power)
		return
	}
	x := s.big(&s.x, v)
	switch d := int(v.power) - t.power; {
	case d > 0:
		s.shift(x, d)
	case d < 0:
		s.shift(&t.whole, -d)
		t.power = int(v.power)
	}
	if away {
		t.whole.Sub(&t.whole, x)
	} else {
		t.whole.Add(&t.whole, x)
	}
}
