package sigma

import (
	"math/big"
	"slices"
	"strings"
	"time"
)

// Hit is that a rule, or a correlation, found an event.
type Hit struct {
	Rule  *Meta
	Time  time.Time
	Index uint64 // of the event; of a correlation the last one
	Event Event
	// Names are what fields are called in the event (Rule.Names); nil: as they are written.
	Names func(field string) []string

	// of a correlation alone
	Correlation *Correlation
	Group       []string // the values of GroupBy, in the form of Fold
	Value       string   // what was counted
	Events      []uint64 // the events of the window, once each
	Cut         bool     // Events are only the latest of them; never of Correlate
}

// Correlate evaluates correlations over the hits of rules, all of them, and gives the hits of the correlations in their order. The
// correlations must be in the order of Link. This is what a correlation means:
//
// At each hit, the window is what came up to it, in its group and not longer ago than the timespan. A correlation hits when its
// condition holds there and did not at the hit before it in the window: once for as long as it goes on, and anew when nothing of what
// was before is left. Nothing is found by the mere passing of time.
func Correlate(correlations []*Correlation, hits []Hit) (found []Hit) {
	all := slices.Clone(hits)
	for _, c := range correlations {
		slices.SortStableFunc(all, func(a, b Hit) int {
			if d := a.Time.Compare(b.Time); d != 0 {
				return d
			}
			if a.Index != b.Index {
				if a.Index < b.Index {
					return -1
				}
				return 1
			}
			return 0
		})
		groups := map[string]*correlating{}
		var mine []Hit
		for _, h := range all {
			if c.Place(h.Rule) < 0 {
				continue
			}
			group, ok := c.group(h)
			if !ok {
				continue
			}
			key := strings.Join(group, "\x00")
			g := groups[key]
			if g == nil {
				g = &correlating{}
				groups[key] = g
			}
			if hit, ok := g.next(c, h, group); ok {
				mine = append(mine, hit)
			}
		}
		all = append(all, mine...)
		found = append(found, mine...)
	}
	return found
}

// group are the values that keep a hit's events apart; an event that has no value for one of them is in no group. A list is one value.
func (c *Correlation) group(h Hit) (values []string, ok bool) {
	for _, name := range c.GroupBy {
		var texts []string
		for _, v := range c.values(h, name) {
			texts = append(texts, foldString(string(v.Text)))
		}
		if len(texts) == 0 {
			return nil, false
		}
		values = append(values, strings.Join(texts, "\x01"))
	}
	return values, true
}

// values are those of a field or an alias in a hit's event, without null.
func (c *Correlation) values(h Hit, name string) (out []Value) {
	if h.Correlation != nil {
		if i := slices.Index(h.Correlation.GroupBy, c.Field(h.Rule, name)); i >= 0 {
			return []Value{Text(h.Group[i])}
		}
	}
	names := []string{c.Field(h.Rule, name)}
	if h.Names != nil {
		names = h.Names(names[0])
	}
	for _, n := range names {
		for _, v := range h.Event.Values(n) {
			if v.Kind != KindNull {
				out = append(out, v)
			}
		}
	}
	return out
}

// correlating is one group of a correlation.
type correlating struct {
	window []Hit
	held   bool
}

func (g *correlating) next(c *Correlation, h Hit, group []string) (Hit, bool) {
	g.window = slices.DeleteFunc(g.window, func(o Hit) bool { return h.Time.Sub(o.Time) > c.Timespan })
	g.held = g.held && len(g.window) > 0
	g.window = append(g.window, h)
	value, holds := c.holds(g.window)
	before := g.held
	if g.held = holds; !holds || before {
		return Hit{}, false
	}
	var events []uint64
	for _, o := range g.window {
		if o.Correlation != nil {
			events = append(events, o.Events...)
		} else {
			events = append(events, o.Index)
		}
	}
	slices.Sort(events)
	return Hit{Rule: &c.Meta, Time: h.Time, Index: h.Index, Event: h.Event, Names: h.Names, Correlation: c, Group: group, Value: value,
		Events: slices.Compact(events)}, true
}

// holds evaluates the condition over a window.
func (c *Correlation) holds(window []Hit) (value string, ok bool) {
	if c.Expression != nil {
		return "", c.expressionHolds(window)
	}
	n, ok := c.count(window)
	if !ok {
		return "", false
	}
	for _, b := range c.Bounds {
		limit, _ := new(big.Rat).SetString(b.Value) // checked
		if d := n.Cmp(limit); !b.Allows(d) {
			return "", false
		}
	}
	if n.IsInt() {
		return n.Num().String(), true
	}
	return n.FloatString(6), true
}

// count is what the type counts; ok is false when there is nothing to count.
func (c *Correlation) count(window []Hit) (n *big.Rat, ok bool) {
	switch c.Type {
	case EventCount:
		seen := map[uint64]bool{}
		more := 0
		for _, h := range window {
			if h.Correlation != nil {
				more++
			} else {
				seen[h.Index] = true
			}
		}
		return big.NewRat(int64(len(seen)+more), 1), true
	case ValueCount:
		seen := map[string]bool{}
		for _, h := range window {
			for _, v := range c.tuples(h) {
				seen[v] = true
			}
		}
		return big.NewRat(int64(len(seen)), 1), true
	case Temporal:
		seen := map[int]bool{}
		for _, h := range window {
			seen[c.Place(h.Rule)] = true
		}
		return big.NewRat(int64(len(seen)), 1), true
	case TemporalOrdered:
		return big.NewRat(int64(c.longestChain(window)), 1), true
	}
	return c.statistic(c.numbers(window))
}

// tuples are the values that are counted: of one field each value, of several fields one value of all together.
func (c *Correlation) tuples(h Hit) (out []string) {
	if len(c.Fields) == 1 {
		for _, v := range c.values(h, c.Fields[0]) {
			out = append(out, foldString(string(v.Text)))
		}
		return out
	}
	var all []string
	for _, f := range c.Fields {
		var texts []string
		for _, v := range c.values(h, f) {
			texts = append(texts, foldString(string(v.Text)))
		}
		if len(texts) == 0 {
			return nil
		}
		all = append(all, strings.Join(texts, "\x01"))
	}
	return []string{strings.Join(all, "\x00")}
}

// numbers are those of the field in the window, once for each event, the least first.
func (c *Correlation) numbers(window []Hit) (out []*big.Rat) {
	seen := map[uint64]bool{}
	for _, h := range window {
		if h.Correlation == nil {
			if seen[h.Index] {
				continue
			}
			seen[h.Index] = true
		}
		for _, v := range c.values(h, c.Fields[0]) {
			if d, ok := parseDecimal(string(v.Text)); ok && d.counted() {
				if n, ok := new(big.Rat).SetString(string(v.Text)); ok {
					out = append(out, n)
				}
			}
		}
	}
	slices.SortFunc(out, (*big.Rat).Cmp)
	return out
}

func (c *Correlation) statistic(sorted []*big.Rat) (*big.Rat, bool) {
	n := len(sorted)
	if c.Type != ValueSum && n == 0 {
		return nil, false
	}
	switch c.Type {
	case ValuePercentile: // the nearest rank
		return sorted[c.Rank(n)-1], true
	case ValueMedian:
		sum := new(big.Rat).Add(sorted[(n-1)/2], sorted[n/2])
		return sum.Quo(sum, big.NewRat(2, 1)), true
	}
	sum := new(big.Rat)
	for _, x := range sorted {
		sum.Add(sum, x)
	}
	if c.Type == ValueAvg {
		sum.Quo(sum, big.NewRat(int64(n), 1))
	}
	return sum, true
}

// byEvent are the places of the rules that hit each event of a window, in their order. Each hit of a correlation stands for itself.
func (c *Correlation) byEvent(window []Hit) (out [][]int) {
	for i, h := range window {
		if i > 0 && h.Correlation == nil && window[i-1].Correlation == nil && window[i-1].Index == h.Index {
			out[len(out)-1] = append(out[len(out)-1], c.Place(h.Rule))
		} else {
			out = append(out, []int{c.Place(h.Rule)})
		}
	}
	return out
}

// longestChain is how many of the rules hit one after the other in the order of the list, each another event.
func (c *Correlation) longestChain(window []Hit) int {
	longest := make([]int, len(c.Rules)+1) // of chains that end with a rule before the place
	for _, places := range c.byEvent(window) {
		before := slices.Clone(longest)
		for _, p := range places {
			n := before[p] + 1
			for i := p + 1; i < len(longest); i++ {
				longest[i] = max(longest[i], n)
			}
		}
	}
	return longest[len(c.Rules)]
}

// maxOrdered bounds the rules of an ordered correlation with an expression.
const maxOrdered = 12

// expressionHolds evaluates the expression: a rule that stands under an odd number of nots must not have hit in the window at all; the
// others must have hit, with temporal_ordered as members of one chain in the order of the list.
func (c *Correlation) expressionHolds(window []Hit) bool {
	present := uint(0)
	for _, h := range window {
		present |= 1 << c.Place(h.Rule)
	}
	if c.Type == Temporal {
		return c.Holds(uint64(present), uint64(present))
	}
	chains := map[uint]bool{0: true}
	for _, places := range c.byEvent(window) {
		var more []uint
		for chain := range chains {
			for _, p := range places {
				if chain>>p == 0 {
					more = append(more, chain|1<<p)
				}
			}
		}
		for _, chain := range more {
			chains[chain] = true
		}
	}
	for chain := range chains {
		if c.Holds(uint64(chain), uint64(present)) {
			return true
		}
	}
	return false
}
