package correlation

import (
	"cmp"
	"math"
	"math/big"
	"math/bits"
	"strconv"

	"entente/sigma"
)

// bound is one comparison of a condition, exactly: with whole times ten to power.
type bound struct {
	sigma.Bound
	number number // wide: it is in whole
	whole  *big.Int
	floor  int64 // the greatest whole number that is not greater, as far as an int64 reaches
	broken bool  // it is not whole itself
}

func newBound(b sigma.Bound) bound {
	whole, power, _ := sigma.Scaled(b.Value) // checked when it was read
	out := bound{Bound: b, number: number{power: int16(power)}}
	out.whole, _ = new(big.Int).SetString(whole, 10)
	if out.number.wide = !out.whole.IsInt64(); !out.number.wide {
		out.number.whole = out.whole.Int64()
	}
	exact := rational(out.whole, power)
	floor := new(big.Int).Div(exact.Num(), exact.Denom())
	out.broken = !exact.IsInt()
	switch {
	case floor.IsInt64():
		out.floor = floor.Int64()
	case floor.Sign() > 0:
		out.floor = math.MaxInt64
	default:
		out.floor = math.MinInt64
	}
	return out
}

// compare compares a whole number with the bound.
func (b *bound) compare(n int64) int {
	if n == b.floor && b.broken {
		return -1
	}
	return cmp.Compare(n, b.floor)
}

func (c *live) within(n int) bool {
	for i := range c.bounds {
		if b := &c.bounds[i]; !b.Allows(b.compare(int64(n))) {
			return false
		}
	}
	return true
}

// holds says whether the condition holds for a group at its last hit.
func (s *shard) holds(c *live, g *group) bool {
	switch {
	case c.numeric:
		return s.numbersHold(c, g)
	case c.slots == 0:
		return c.within(int(g.n))
	case c.Expression != nil:
		present := s.present(c, g)
		if !c.ordered {
			return c.Holds(present, present)
		}
		return s.anyChain(c, g, present)
	case c.ordered:
		return c.within(s.longest(c, g))
	}
	return c.within(bits.OnesCount64(s.present(c, g)))
}

// present are the rules that hit in the window, by the last time that each did.
func (s *shard) present(c *live, g *group) (mask uint64) {
	for i, time := range s.slots[c.at].row(g.a)[:len(c.Rules)] {
		if time != never && !c.over(time, g.last) {
			mask |= 1 << i
		}
	}
	return mask
}

func (s *shard) numbersHold(c *live, g *group) bool {
	if g.n == 0 && c.Type != sigma.ValueSum {
		return false
	}
	n, wide, often := s.statistic(c, g)
	for i := range c.bounds {
		if b := &c.bounds[i]; !b.Allows(s.against(&n, wide, b, often)) {
			return false
		}
	}
	return true
}

// against compares a number with a bound as often as it says.
func (s *shard) against(n *number, wide *big.Int, b *bound, often uint64) int {
	if whole, ok := times(b.number.whole, often); ok && wide == nil && !b.number.wide {
		return s.compare(n, &number{whole: whole, power: b.number.power})
	}
	if wide == nil {
		wide = s.big(&s.m, n)
	}
	return s.compareBig(s.x.Set(wide), int(n.power), s.y.Mul(b.whole, s.z.SetUint64(often)), int(b.number.power))
}

// statistic is what a type makes of the numbers of a window, as often as it says: a sum is the mean as often as there are numbers. Where wide is not nil, it is the whole
// number; it is valid until the next call.
func (s *shard) statistic(c *live, g *group) (n number, wide *big.Int, often uint64) {
	switch c.Type {
	case sigma.ValuePercentile:
		return *s.nth(g.c, c.Rank(int(g.n))-1), nil, 1
	case sigma.ValueMedian:
		low, high := s.nth(g.c, int(g.n-1)/2), s.nth(g.c, int(g.n)/2)
		n.power = min(low.power, high.power)
		x, ok := low.scaled(n.power)
		y, fits := high.scaled(n.power)
		if ok && fits {
			if n.whole, ok = plus(x, y); ok {
				return n, nil, 2
			}
		}
		wide = s.big(&s.m, low)
		s.shift(wide, int(low.power-n.power))
		other := s.big(&s.y, high)
		s.shift(other, int(high.power-n.power))
		return n, wide.Add(wide, other), 2
	}
	if g.n > 0 {
		t := s.totals.at(g.c)
		n = number{whole: t.whole, power: t.power, wide: t.wide}
	}
	if c.Type == sigma.ValueAvg {
		return n, nil, uint64(g.n)
	}
	return n, nil, 1
}

// counted is what a correlation counted, as its hit says it.
func (s *shard) counted(c *live, g *group) string {
	switch {
	case c.Expression != nil:
		return ""
	case c.numeric:
		n, wide, often := s.statistic(c, g)
		if wide == nil {
			wide = s.big(&s.m, &n)
		}
		r := rational(wide, int(n.power))
		if r.Quo(r, new(big.Rat).SetInt(s.y.SetUint64(often))); r.IsInt() {
			return r.Num().String()
		}
		return r.FloatString(6)
	case c.slots == 0:
		return strconv.Itoa(int(g.n))
	case c.ordered:
		return strconv.Itoa(s.longest(c, g))
	}
	return strconv.Itoa(bits.OnesCount64(s.present(c, g)))
}
