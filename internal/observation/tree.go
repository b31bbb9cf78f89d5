package observation

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"entente/stix/pattern"
)

// span is a stretch of time in nanoseconds since 1970, both ends included.
type span struct{ lo, hi int64 }

const (
	never   int64 = math.MinInt64 / 4 // before everything; sums with widths do not overflow
	forever int64 = math.MaxInt64 / 4
)

var everything = span{never, forever}

// has tells whether an observation may lie in the stretch. One without a time may only where it is everything.
func (b span) has(first, last int64, timed bool) bool {
	return b == everything || timed && last >= b.lo && first <= b.hi
}

// nanos is a time in nanoseconds since 1970. False: it is too far from then.
func nanos(t time.Time) (int64, bool) {
	s := t.Unix()
	if s <= never/1e9 || s >= forever/1e9 {
		return 0, false
	}
	return s*1e9 + int64(t.Nanosecond()), true
}

// saturated is the nearest time that there is.
func saturated(t time.Time) int64 {
	if n, ok := nanos(t); ok {
		return n
	}
	if t.Unix() < 0 {
		return never
	}
	return forever
}

// alternative is one way for a pattern to match: of a pattern that is several joined by OR, one of these.
type alternative struct {
	pattern int32
	single  bool   // one observation is all it asks for
	bounds  []span // by part: when an observation must be
	root    *node
	must    uint64 // parts without which there is no match
	width   int64  // of the outermost WITHIN; forever: there is none
	demand  int64  // how many observations it asks for, at least
	most    int    // observations that are kept for it
	plain   bool   // there is no WITHIN in it
	pair    bool   // it is two single observations in one WITHIN
	lower   uint64 // parts that come after others
	upper   uint64 // parts that come before others
	part    map[*pattern.Expression]uint8
}

// maxParts bounds the different brackets of one alternative; those that OR joins count as one.
const maxParts = 64

type op uint8

const (
	leaf op = iota
	all
	either
	sequence
	repeat
	window
)

// node is an expression of an alternative.
type node struct {
	op    op
	part  uint8
	times int64
	kids  []*node
}

// builder makes the alternatives of one pattern.
type builder struct {
	e     *Engine
	p     *pattern.Pattern
	at    int32
	alts  []alternative
	parts [][][]*pattern.Condition // by alternative and part

	keys map[string]uint8 // parts of the alternative at hand
}

// split makes an alternative of each operand of the outermost OR. It says why it cannot.
func (b *builder) split(e *pattern.Expression, within span) string {
	switch {
	case e.Op == pattern.Or:
		for i := range e.Operands {
			if why := b.split(&e.Operands[i], within); why != "" {
				return why
			}
		}
		return ""
	case e.Op == pattern.Group && len(e.Qualifiers) == 0:
		return b.split(&e.Operands[0], within)
	}
	b.alts = append(b.alts, alternative{pattern: b.at, width: forever, plain: true, part: map[*pattern.Expression]uint8{}})
	b.parts = append(b.parts, nil)
	b.keys = map[string]uint8{}
	a := &b.alts[len(b.alts)-1]
	root, why := b.expression(e, within, false, false)
	if why != "" {
		return why
	}
	a.root, a.demand, a.must = root, root.demand(), root.must()
	a.single = root.op == leaf
	if root.op == window {
		a.width = root.times
		kid := root.kids[0]
		a.pair = (kid.op == all || kid.op == sequence) && len(kid.kids) == 2 && kid.kids[0].op == leaf && kid.kids[1].op == leaf
	}
	if most := int64(b.e.config.All / 4); !a.single && a.demand > most {
		return tooLarge("observations", a.demand, most)
	}
	a.most = max(b.e.config.Each, int(2*a.demand))
	return ""
}

// expression makes nodes. later and earlier say that it stands after something, or before it.
func (b *builder) expression(e *pattern.Expression, within span, later, earlier bool) (n *node, why string) {
	a := &b.alts[len(b.alts)-1]
	for i := range e.Qualifiers {
		if q := &e.Qualifiers[i]; q.Kind == pattern.StartStop {
			start, _ := q.Start.Time()
			stop, _ := q.Stop.Time()
			within.lo, within.hi = max(within.lo, saturated(start)), min(within.hi, saturated(stop)-1)
		}
	}
	if list := brackets(e, nil); list != nil {
		n, why = b.leaf(list, within, later, earlier)
	} else if e.Op == pattern.Group {
		n, why = b.expression(&e.Operands[0], within, later, earlier)
	} else {
		n = &node{op: map[pattern.Operator]op{pattern.And: all, pattern.Or: either, pattern.FollowedBy: sequence}[e.Op]}
		for i := range e.Operands {
			after, before := later, earlier
			if e.Op == pattern.FollowedBy {
				after, before = later || i > 0, earlier || i < len(e.Operands)-1
			}
			kid, why := b.expression(&e.Operands[i], within, after, before)
			if why != "" {
				return nil, why
			}
			n.kids = append(n.kids, kid)
		}
	}
	if why != "" {
		return nil, why
	}
	for i := range e.Qualifiers {
		switch q := &e.Qualifiers[i]; {
		case q.Kind == pattern.Repeats && q.Times > 1:
			n = &node{op: repeat, times: q.Times, kids: []*node{n}}
		case q.Kind == pattern.Within && n.op != leaf:
			n = &node{op: window, times: width(q.Seconds), kids: []*node{n}}
			a.plain = false
		}
	}
	return n, ""
}

// width is a number of seconds in nanoseconds, rounded up.
func width(c pattern.Constant) int64 {
	s := c.Float
	if c.Kind == pattern.Integer {
		s = float64(c.Int)
	}
	if s*1e9 >= float64(forever) {
		return forever
	}
	return int64(math.Ceil(s * 1e9))
}

// brackets lists the Observe expressions of one that is made of nothing but them and OR; the expression's own qualifiers do not count. Nil: it is made of more.
func brackets(e *pattern.Expression, list []*pattern.Expression) []*pattern.Expression {
	switch e.Op {
	case pattern.Observe:
		return append(list, e)
	case pattern.Or, pattern.Group:
		for i := range e.Operands {
			if len(e.Operands[i].Qualifiers) > 0 {
				return nil
			}
			if list = brackets(&e.Operands[i], list); list == nil {
				return nil
			}
		}
		return list
	}
	return nil
}

func (b *builder) leaf(list []*pattern.Expression, within span, later, earlier bool) (*node, string) {
	at := len(b.alts) - 1
	a := &b.alts[at]
	var texts []string
	for _, e := range list {
		texts = append(texts, e.Condition.String())
	}
	slices.Sort(texts)
	key := fmt.Sprint(within, "\x00", strings.Join(slices.Compact(texts), "\x00"))
	part, ok := b.keys[key]
	if !ok {
		if len(b.keys) == maxParts {
			return nil, tooLarge("different observations joined by AND and FOLLOWEDBY", maxParts+1, maxParts)
		}
		part = uint8(len(b.keys))
		b.keys[key] = part
		a.bounds = append(a.bounds, within)
		var conds []*pattern.Condition
		for _, e := range list {
			conds = append(conds, &e.Condition)
		}
		b.parts[at] = append(b.parts[at], conds)
	}
	for _, e := range list {
		a.part[e] = part
	}
	if later {
		a.lower |= 1 << part
	}
	if earlier {
		a.upper |= 1 << part
	}
	return &node{op: leaf, part: part}, ""
}

// condition is the number of a condition, which is made where there is none.
func (b *builder) condition(c *pattern.Condition) int32 {
	key := c.String()
	n, ok := b.e.known[key]
	if !ok {
		n = int32(len(b.e.conds))
		b.e.known[key] = n
		b.e.conds = append(b.e.conds, condition{of: b.p, is: c, text: key})
	}
	return n
}

// demand is how many observations a node asks for, at least.
func (n *node) demand() int64 {
	const most = 1 << 53
	switch n.op {
	case leaf:
		return 1
	case either:
		least := int64(most)
		for _, kid := range n.kids {
			least = min(least, kid.demand())
		}
		return least
	case repeat:
		one := n.kids[0].demand()
		if n.times > most/one {
			return most
		}
		return n.times * one
	}
	sum := int64(0)
	for _, kid := range n.kids {
		sum = min(sum+kid.demand(), most)
	}
	return sum
}

// must are the parts that every match has.
func (n *node) must() (parts uint64) {
	switch n.op {
	case leaf:
		return 1 << n.part
	case either:
		parts = math.MaxUint64
		for _, kid := range n.kids {
			parts &= kid.must()
		}
		return parts
	}
	for _, kid := range n.kids {
		parts |= kid.must()
	}
	return parts
}

// earliest is a time before which no match can end that has all its observations at from or after it, on what is kept. It knows neither widths nor that
// observations must differ: where it finds none there is no match, and where it finds one there may be.
func (n *node) earliest(kept []witness, bounds []span, from, times int64) (int64, bool) {
	switch n.op {
	case leaf:
		b := bounds[n.part]
		from = max(from, b.lo)
		for i := range kept {
			w := &kept[i]
			if w.parts&(1<<n.part) == 0 || w.last < from || w.first > b.hi {
				continue
			}
			if times -= w.count; times <= 0 {
				return max(w.first, from), true
			}
		}
		return 0, false
	case either:
		best, found := forever, false
		for _, kid := range n.kids {
			if t, ok := kid.earliest(kept, bounds, from, 1); ok {
				best, found = min(best, t), true
			}
		}
		return best, found
	case sequence:
		for _, kid := range n.kids {
			t, ok := kid.earliest(kept, bounds, from, 1)
			if !ok {
				return 0, false
			}
			from = t
		}
		return from, true
	case repeat:
		if times > math.MaxInt64/n.times {
			times = 1
		}
		return n.kids[0].earliest(kept, bounds, from, times*n.times)
	case window:
		return n.kids[0].earliest(kept, bounds, from, 1)
	}
	end := from
	for _, kid := range n.kids {
		t, ok := kid.earliest(kept, bounds, from, times)
		if !ok {
			return 0, false
		}
		end = max(end, t)
	}
	return end, true
}
