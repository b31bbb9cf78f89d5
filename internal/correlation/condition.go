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
	op     string
	whole  *big.Int
	power  int
	floor  int64 // the greatest whole number that is not greater, as far as an int64 reaches
	broken bool  // it is not whole itself
}

func newBound(b sigma.Bound) bound {
	whole, power, _ := sigma.Scaled(b.Value) // checked when it was read
	out := bound{op: b.Op, power: power}
	out.whole, _ = new(big.Int).SetString(whole, 10)
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

func (b *bound) holds(c int) bool {
	switch b.op {
	case "lt":
		return c < 0
	case "lte":
		return c <= 0
	case "gt":
		return c > 0
	case "gte":
		return c >= 0
	case "eq":
		return c == 0
	}
	return c != 0
}

func (c *live) within(n int) bool {
	for i := range c.bounds {
		if b := &c.bounds[i]; !b.holds(b.compare(int64(n))) {
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
	for i := range c.bounds {
		b := &c.bounds[i]
		var d int
		switch c.Type {
		case sigma.ValuePercentile:
			n := s.nth(g.c, c.Rank(int(g.n))-1)
			d = s.compareBig(s.big(&s.x, n), int(n.power), s.y.Set(b.whole), b.power)
		case sigma.ValueMedian: // twice of both
			power := s.middle(g)
			d = s.compareBig(&s.x, power, s.y.Lsh(b.whole, 1), b.power)
		default:
			t, power := s.total(g)
			if s.y.Set(b.whole); c.Type == sigma.ValueAvg {
				s.y.Mul(&s.y, s.z.SetUint64(uint64(g.n)))
			}
			d = s.compareBig(s.x.Set(t), power, &s.y, b.power)
		}
		if !b.holds(d) {
			return false
		}
	}
	return true
}

var zero big.Int

func (s *shard) total(g *group) (*big.Int, int) {
	if g.n == 0 {
		return &zero, 0
	}
	t := s.totals.at(g.c)
	return &t.whole, t.power
}

// middle puts the sum of the two numbers in the middle, which may be the same, into s.x, and gives its power.
func (s *shard) middle(g *group) (power int) {
	low, high := s.nth(g.c, int(g.n-1)/2), s.nth(g.c, int(g.n)/2)
	x, y := s.big(&s.x, low), s.big(&s.y, high)
	power = int(min(low.power, high.power))
	s.shift(x, int(low.power)-power)
	s.shift(y, int(high.power)-power)
	x.Add(x, y)
	return power
}

// counted is what a correlation counted, as its hit says it.
func (s *shard) counted(c *live, g *group) string {
	var r *big.Rat
	switch {
	case c.Expression != nil:
		return ""
	case c.Type == sigma.ValuePercentile:
		n := s.nth(g.c, c.Rank(int(g.n))-1)
		r = rational(s.big(&s.x, n), int(n.power))
	case c.Type == sigma.ValueMedian:
		power := s.middle(g)
		r = rational(&s.x, power)
		r.Quo(r, big.NewRat(2, 1))
	case c.numeric:
		r = rational(s.total(g))
		if c.Type == sigma.ValueAvg {
			r.Quo(r, big.NewRat(int64(g.n), 1))
		}
	case c.slots == 0:
		return strconv.Itoa(int(g.n))
	case c.ordered:
		return strconv.Itoa(s.longest(c, g))
	default:
		return strconv.Itoa(bits.OnesCount64(s.present(c, g)))
	}
	if r.IsInt() {
		return r.Num().String()
	}
	return r.FloatString(6)
}
