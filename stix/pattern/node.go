package pattern

import (
	"slices"
	"time"
)

// bounds is a range of ticks, both ends included.
type bounds struct{ lo, hi int64 }

var everything = bounds{-farTicks, farTicks}

type nodeKind uint8

const (
	leafNode nodeKind = iota
	allNode
	anyNode
	sequenceNode
	windowNode
	repeatNode
)

// node is an expression prepared for a set of observations. A leaf is one or several Observe expressions of which any will do.
type node struct {
	kind  nodeKind
	kids  []*node
	leaf  *leaf
	width int64 // of windowNode
	times int64 // of repeatNode
}

// leaf holds the observations that meet its expressions at a time in the bounds.
type leaf struct {
	bounds
	members []member
	items   []item // by first
	late    []item // by last, descending
	longest int64  // of last - first
}

type member struct {
	expression *Expression
	met        bitset // of observations
}

type bitset []uint64

func (b bitset) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }
func (b bitset) set(i int)      { b[i/64] |= 1 << (i % 64) }

// item is an observation in ticks.
type item struct {
	index       int
	first, last int64
	count       int64
}

// build prepares an expression. It is nil if the expression cannot match.
func (m *matcher) build(e *Expression, b bounds) (*node, error) {
	for i := range e.Qualifiers {
		if q := &e.Qualifiers[i]; q.Kind == StartStop {
			start, _ := q.Start.Time()
			stop, _ := q.Stop.Time()
			b.lo, b.hi = max(b.lo, m.ceil(start)), min(b.hi, m.ceil(stop)-1)
		}
	}
	n, err := m.buildBare(e, b)
	if err != nil || n == nil {
		return nil, err
	}
	for i := range e.Qualifiers {
		switch q := &e.Qualifiers[i]; q.Kind {
		case Repeats:
			if q.Times > 1 {
				n = &node{kind: repeatNode, times: q.Times, kids: []*node{n}}
			}
		case Within:
			if n.kind != leafNode {
				n = &node{kind: windowNode, width: m.span.width(q.Seconds, m.closed), kids: []*node{n}}
			}
		}
	}
	return n, nil
}

// ceil is the first tick that is not before t.
func (m *matcher) ceil(t time.Time) int64 {
	ticks := m.span.ticks(t)
	if m.span.micro && t.Nanosecond()%1000 != 0 {
		ticks++
	}
	return ticks
}

func (m *matcher) buildBare(e *Expression, b bounds) (*node, error) {
	switch e.Op {
	case Observe:
		return m.buildLeaf(e, b)
	case Group:
		return m.build(&e.Operands[0], b)
	}
	kind := allNode
	switch e.Op {
	case Or:
		kind = anyNode
	case FollowedBy:
		kind = sequenceNode
	}
	n := &node{kind: kind}
	for i := range e.Operands {
		kid, err := m.build(&e.Operands[i], b)
		if err != nil {
			return nil, err
		}
		switch {
		case kid == nil && kind == anyNode:
		case kid == nil:
			return nil, nil
		case kid.kind == kind && kind != sequenceNode:
			n.kids = append(n.kids, kid.kids...)
		default:
			n.kids = append(n.kids, kid)
		}
	}
	if kind == anyNode {
		n.kids = mergeLeaves(n.kids, m)
	}
	switch len(n.kids) {
	case 0:
		return nil, nil
	case 1:
		return n.kids[0], nil
	}
	return n, nil
}

func (m *matcher) buildLeaf(e *Expression, b bounds) (*node, error) {
	if err := m.spend(1 + int64(len(m.obs))/8); err != nil {
		return nil, err
	}
	met := make(bitset, (len(m.obs)+63)/64)
	l := &leaf{bounds: b, members: []member{{e, met}}}
	any := false
	for i := range m.obs {
		o := &m.obs[i]
		if m.span.ticks(o.Last) < b.lo || m.span.ticks(o.First) > b.hi {
			continue
		}
		var ok bool
		if m.meets != nil {
			ok = m.meets(e, i)
		} else {
			var err error
			if ok, err = m.observed(&e.Condition, o); err != nil {
				return nil, err
			}
		}
		if ok {
			met.set(i)
			any = true
		}
	}
	if !any {
		return nil, nil
	}
	m.fill(l)
	return &node{kind: leafNode, leaf: l}, nil
}

// fill lists the observations of a leaf.
func (m *matcher) fill(l *leaf) {
	for i := range m.obs {
		for j := range l.members {
			if l.members[j].met.has(i) {
				first, last := m.span.ticks(m.obs[i].First), m.span.ticks(m.obs[i].Last)
				l.items = append(l.items, item{i, first, last, m.obs[i].Count})
				l.longest = max(l.longest, last-first)
				break
			}
		}
	}
	slices.SortStableFunc(l.items, func(a, b item) int { return compareTicks(a.first, b.first) })
	l.late = slices.Clone(l.items)
	slices.SortStableFunc(l.late, func(a, b item) int { return compareTicks(b.last, a.last) })
}

func compareTicks(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// mergeLeaves makes one leaf of alternatives that differ only in their conditions, so that no choice between them is left.
func mergeLeaves(kids []*node, m *matcher) []*node {
	var out []*node
	places := map[bounds]int{}
	for _, kid := range kids {
		if kid.kind == leafNode {
			if at, ok := places[kid.leaf.bounds]; ok {
				out[at].leaf.members = append(out[at].leaf.members, kid.leaf.members...)
				continue
			}
			places[kid.leaf.bounds] = len(out)
			kid = &node{kind: leafNode, leaf: &leaf{bounds: kid.leaf.bounds, members: slices.Clone(kid.leaf.members)}}
		}
		out = append(out, kid)
	}
	for _, at := range places {
		m.fill(out[at].leaf)
	}
	return out
}

// least is the smallest number of observations that the node can be bound to.
func (n *node) least() int64 {
	switch n.kind {
	case leafNode:
		return 1
	case anyNode:
		least := n.kids[0].least()
		for _, kid := range n.kids[1:] {
			least = min(least, kid.least())
		}
		return least
	case repeatNode:
		one := n.kids[0].least()
		if n.times > maxInteger/one {
			return maxInteger
		}
		return n.times * one
	}
	var sum int64
	for _, kid := range n.kids {
		sum = min(sum+kid.least(), maxInteger)
	}
	return sum
}
