package correlation

import (
	"math/bits"

	"entente/sigma"
)

// Of temporal_ordered the events need not be kept: of every chain of rules that may matter, what counts is the latest moment at which one of them began. It is in the
// window as long as that moment is.
//
// Without an expression a chain is its last rule and its length: a row has for each place p of the list p+1 moments. With one it is the set of the rules in it that the
// expression asks for: a row has a moment for each rule (when it last hit), and one for each set.

func (c *live) chainSlots() int {
	n := len(c.Rules)
	if c.Expression == nil {
		return n * (n + 1) / 2
	}
	return n + 1<<len(c.chained)
}

// chains are the moments of the chains that end at a place, by their length from 1.
func chains(row []int64, place int) []int64 {
	at := place * (place + 1) / 2
	return row[at : at+place+1]
}

// commit takes the last event into the chains. Its rules wait for this in the mask, since a chain has another event for each rule.
func (s *shard) commit(c *live, g *group) {
	if g.mask == 0 {
		return
	}
	row := s.slots[c.at].row(g.a)
	if c.Expression != nil {
		sets := row[len(c.Rules):]
		for j := len(c.chained) - 1; j >= 0; j-- {
			if g.mask>>c.chained[j]&1 == 0 {
				continue
			}
			for set, began := range sets[:1<<j] {
				if set == 0 {
					began = g.last
				}
				sets[set|1<<j] = max(sets[set|1<<j], began)
			}
		}
		g.mask = 0
		return
	}
	for ; g.mask != 0; g.mask &^= 1 << (bits.Len64(g.mask) - 1) {
		place := bits.Len64(g.mask) - 1
		mine := chains(row, place)
		mine[0] = max(mine[0], g.last)
		for before := range place {
			for i, began := range chains(row, before) {
				mine[i+1] = max(mine[i+1], began)
			}
		}
	}
}

// longest is how many rules hit one after the other in the window.
func (s *shard) longest(c *live, g *group) (most int) {
	row := s.slots[c.at].row(g.a)
	before := 0 // the longest chain that ends with an earlier rule
	for place := range c.Rules {
		if g.mask>>place&1 == 1 {
			most = max(most, before+1)
		}
		mine := chains(row, place)
		for n := len(mine); n > before; n-- {
			if began := mine[n-1]; began != never && !c.over(began, g.last) {
				before = n
			}
		}
		most = max(most, before)
	}
	return most
}

// anyChain says whether the expression holds for one of the chains in the window.
func (s *shard) anyChain(c *live, g *group, present uint64) bool {
	sets := s.slots[c.at].row(g.a)[len(c.Rules):]
	for set, began := range sets {
		if set != 0 && (began == never || c.over(began, g.last)) {
			continue
		}
		chain := c.spread(set)
		if c.Holds(chain, present) {
			return true
		}
		for j, place := range c.chained { // the last event may end it
			if g.mask>>place&1 == 1 && set>>j == 0 && c.Holds(chain|1<<place, present) {
				return true
			}
		}
	}
	return false
}

// spread turns a set over the rules that the expression asks for into one over all.
func (c *live) spread(set int) (places uint64) {
	for ; set != 0; set &= set - 1 {
		places |= 1 << c.chained[bits.TrailingZeros(uint(set))]
	}
	return places
}

func chainedPlaces(c *sigma.Correlation) (places []int) {
	for mask := c.Chained(); mask != 0; mask &= mask - 1 {
		places = append(places, bits.TrailingZeros64(mask))
	}
	return places
}
