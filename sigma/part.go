package sigma

import (
	"math/big"
	"math/bits"
	"slices"
	"strconv"
)

// What follows are the parts of what a correlation means, for those who evaluate it as hits come in and not over all of them.

// maxCounted bounds the exponents of numbers that are counted, in powers of ten: those of a float64. maxDigits bounds their digits.
const (
	maxCounted = 310
	maxDigits  = 400
)

// counted says whether a correlation counts a number; one that is beyond all measure is none.
func (d decimal) counted() bool {
	return d.exp <= maxCounted && d.exp >= -maxCounted && len(d.digits) <= maxDigits
}

// Scaled is a number as a whole number, of 400 digits at most, times ten to a power from -710 to 310. A text that is no number as JSON writes it, and
// one that correlations do not count because it is too large, too small or too long, is none.
func Scaled(number string) (whole string, power int, ok bool) {
	d, ok := parseDecimal(number)
	if !ok || !d.counted() {
		return "", 0, false
	}
	if d.digits == "" {
		return "0", 0, true
	}
	if whole = d.digits; d.negative {
		whole = "-" + whole
	}
	return whole, d.exp - len(d.digits), true
}

// Place is where a rule stands in the list, -1 when it is not there.
func (c *Correlation) Place(m *Meta) int {
	return slices.IndexFunc(c.Rules, func(ref string) bool { return ref != "" && (ref == m.ID || ref == m.Name) })
}

// Field is what an alias means for a rule; what is no alias is a field.
func (c *Correlation) Field(m *Meta, name string) string {
	for _, ref := range []string{m.Name, m.ID} {
		if field, ok := c.Aliases[name][ref]; ok && ref != "" {
			return field
		}
	}
	return name
}

// Rank is the least rank, from 1, of n values at which at least Percentile per cent of them are not greater.
func (c *Correlation) Rank(n int) int {
	if p := uint64(c.Percentile); float64(p) == c.Percentile {
		hi, lo := bits.Mul64(p, uint64(n))
		if hi == 0 && lo <= 1<<63 {
			return min(max(int((lo+99)/100), 1), n)
		}
	}
	exact, ok := new(big.Rat).SetString(strconv.FormatFloat(c.Percentile, 'f', -1, 64))
	if !ok {
		return 1
	}
	exact.Mul(exact, big.NewRat(int64(n), 100))
	rank := new(big.Int).Quo(exact.Num(), exact.Denom())
	if !exact.IsInt() {
		rank.Add(rank, big.NewInt(1))
	}
	return min(max(int(rank.Int64()), 1), n)
}

// Holds evaluates Expression over sets of rules, a bit for each place of the list: chain are those that hit, with temporal_ordered one after the other, and
// present all that hit at all.
func (c *Correlation) Holds(chain, present uint64) bool {
	return c.expressionOver(c.Expression.root, chain, present, false)
}

// Chained are the places, a bit for each, that Holds looks for in the chain.
func (c *Correlation) Chained() (places uint64) {
	var walk func(n *node, negated bool)
	walk = func(n *node, negated bool) {
		if n.kind == nodeNot {
			negated = !negated
		}
		if n.kind == nodeName && !negated {
			places |= 1 << slices.Index(c.Rules, n.name)
		}
		for _, a := range n.args {
			walk(a, negated)
		}
	}
	walk(c.Expression.root, false)
	return places
}

func (c *Correlation) expressionOver(n *node, chain, present uint64, negated bool) bool {
	switch n.kind {
	case nodeNot:
		return !c.expressionOver(n.args[0], chain, present, !negated)
	case nodeAnd:
		return !slices.ContainsFunc(n.args, func(a *node) bool { return !c.expressionOver(a, chain, present, negated) })
	case nodeOr:
		return slices.ContainsFunc(n.args, func(a *node) bool { return c.expressionOver(a, chain, present, negated) })
	}
	set := chain
	if negated {
		set = present
	}
	return set>>slices.Index(c.Rules, n.name)&1 == 1
}
