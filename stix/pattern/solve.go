package pattern

import (
	"slices"
	"sort"
)

// planner turns a tree of nodes, with the choices made so far, into groups of observations to bind and variables in time.
//
// A WITHIN is a variable s, the start of its window: every time t under it keeps s <= t <= s+width. A FOLLOWEDBY is a variable c,
// the cut: times on its left keep t <= c, times on its right t >= c. When all variables have values, each group has its own fixed
// window and what remains is an assignment problem. So the search is over the variables: their ranges are narrowed by what each group
// must still find in its window, an assignment is tried, and where its times contradict each other one range is split.
type planner struct {
	m       *matcher
	choices []int
	next    int   // of choices
	open    *node // the first alternative that is not decided
	groups  []group
	vars    int
	order   [][2]int // pairs a, b of variables with a <= b
	work    *assignment
}

// group asks for demand different observations of a leaf.
type group struct {
	leaf   *leaf
	demand int64
	lower  []int  // variables v with v <= t
	upper  []term // with t <= v + plus
}

type term struct {
	v    int
	plus int64
}

// context is what stands around a node.
type context struct {
	lower []int
	upper []term
}

func (c context) withLower(v int) context {
	return context{append(slices.Clip(c.lower), v), c.upper}
}

func (c context) withUpper(v int, plus int64) context {
	return context{c.lower, append(slices.Clip(c.upper), term{v, plus})}
}

func (p *planner) variable() int {
	p.vars++
	return p.vars - 1
}

func (p *planner) add(n *node, c context, times int64) error {
	if len(p.groups) > maxOperands || p.vars > maxOperands {
		return p.m.spend(p.m.budget + 1)
	}
	if err := p.m.spend(1); err != nil {
		return err
	}
	switch n.kind {
	case leafNode:
		p.groups = append(p.groups, group{leaf: n.leaf, demand: times, lower: c.lower, upper: c.upper})
		return nil
	case allNode:
		for _, kid := range n.kids {
			if err := p.add(kid, c, times); err != nil {
				return err
			}
		}
		return nil
	case anyNode:
		if p.open != nil {
			return nil
		}
		if p.next == len(p.choices) {
			p.open = n
			return nil
		}
		p.next++
		return p.add(n.kids[p.choices[p.next-1]], c, times)
	case repeatNode:
		return p.repeat(n, c, times)
	case windowNode:
		s := p.variable()
		return p.add(n.kids[0], c.withLower(s).withUpper(s, n.width), 1)
	}
	cuts := make([]int, len(n.kids)-1)
	for i := range cuts {
		cuts[i] = p.variable()
	}
	for i, kid := range n.kids {
		around := c
		if i > 0 {
			around = around.withLower(cuts[i-1])
		}
		if i < len(cuts) {
			around = around.withUpper(cuts[i], 0)
		}
		if i > 0 && i < len(cuts) {
			p.order = append(p.order, [2]int{cuts[i-1], cuts[i]})
		}
		if err := p.add(kid, around, 1); err != nil {
			return err
		}
	}
	return nil
}

// repeat multiplies what needs no order among its own observations, and otherwise writes the copies out. Copies without
// alternatives are alike, so they may be taken in the order of their first variable.
func (p *planner) repeat(n *node, c context, times int64) error {
	kid := n.kids[0]
	total := n.times
	if times > 1 && total > maxInteger/times {
		total = maxInteger
	} else {
		total *= times
	}
	if kid.isFlat() {
		return p.add(kid, c, total)
	}
	alike, previous := !kid.has(anyNode), -1
	for range total {
		first := p.vars
		if err := p.add(kid, c, 1); err != nil {
			return err
		}
		if p.open != nil {
			return nil
		}
		if alike && p.vars > first {
			if previous >= 0 {
				p.order = append(p.order, [2]int{previous, first})
			}
			previous = first
		}
	}
	return nil
}

// isFlat tells whether repeating the node only multiplies its observations.
func (n *node) isFlat() bool { return !n.has(anyNode) && !n.has(windowNode) && !n.has(sequenceNode) }

func (n *node) has(kind nodeKind) bool {
	return n.kind == kind || slices.ContainsFunc(n.kids, func(kid *node) bool { return kid.has(kind) })
}

// solve binds the groups. It returns nil if they cannot be bound; an empty plan needs nothing and gives an empty list.
func (p *planner) solve() ([]bound, error) {
	if len(p.groups) == 0 {
		return []bound{}, nil
	}
	lo, hi := make([]int64, p.vars), make([]int64, p.vars)
	start := bounds{farTicks, -farTicks}
	for i := range p.groups {
		l := p.groups[i].leaf
		start.lo, start.hi = min(start.lo, l.items[0].first), max(start.hi, l.late[0].last)
	}
	for v := range p.vars {
		lo[v], hi[v] = start.lo, start.hi
	}
	type ranges struct{ lo, hi []int64 }
	stack := []ranges{{lo, hi}}
	for len(stack) > 0 {
		r := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if err := p.m.spend(int64(len(p.groups))); err != nil {
			return nil, err
		}
		ok, err := p.narrow(r.lo, r.hi)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		found, err := p.assign(r.lo, r.hi)
		if err != nil {
			return nil, err
		}
		if found == nil {
			continue
		}
		v, at, err := p.conflict(found, r.lo, r.hi)
		if err != nil {
			return nil, err
		}
		if v < 0 {
			return found, nil
		}
		later := ranges{slices.Clone(r.lo), r.hi}
		earlier := ranges{r.lo, slices.Clone(r.hi)}
		later.lo[v], earlier.hi[v] = at+1, at
		stack = append(stack, later, earlier)
	}
	return nil, nil
}

// window is where the times of a group may lie while the variables are in their ranges.
func (p *planner) window(g *group, lo, hi []int64) bounds {
	w := g.leaf.bounds
	for _, v := range g.lower {
		w.lo = max(w.lo, lo[v])
	}
	for _, t := range g.upper {
		w.hi = min(w.hi, hi[t.v]+t.plus)
	}
	return w
}

// narrow takes from the ranges of the variables what no solution can have. False: nothing is left.
func (p *planner) narrow(lo, hi []int64) (bool, error) {
	for changed := true; changed; {
		changed = false
		if err := p.m.spend(int64(p.vars)); err != nil {
			return false, err
		}
		lift := func(v int, to int64) {
			if to > lo[v] {
				lo[v], changed = to, true
			}
		}
		lower := func(v int, to int64) {
			if to < hi[v] {
				hi[v], changed = to, true
			}
		}
		for _, o := range p.order {
			lift(o[1], lo[o[0]])
			lower(o[0], hi[o[1]])
		}
		for i := range p.groups {
			g := &p.groups[i]
			w := p.window(g, lo, hi)
			if w.lo > w.hi {
				return false, nil
			}
			early, late, enough, err := p.reach(g, w)
			if err != nil || !enough {
				return false, err
			}
			for _, v := range g.lower {
				lower(v, min(late, w.hi))
			}
			for _, t := range g.upper {
				lift(t.v, max(early, w.lo)-t.plus)
			}
		}
		for v := range lo {
			if lo[v] > hi[v] {
				return false, nil
			}
		}
	}
	return true, nil
}

// reach is the earliest time by which a group can have all of its observations in the window begun, and the latest at which none
// of them has ended.
func (p *planner) reach(g *group, w bounds) (early, late int64, enough bool, err error) {
	if err := p.m.spend(1); err != nil {
		return 0, 0, false, err
	}
	need := g.demand
	items := g.leaf.within(w, false)
	for _, it := range items {
		if err := p.m.spend(1); err != nil {
			return 0, 0, false, err
		}
		if it.first > w.hi {
			return 0, 0, false, nil
		}
		if it.last < w.lo {
			continue
		}
		if need -= it.count; need <= 0 {
			early = it.first
			break
		}
	}
	if need > 0 {
		return 0, 0, false, nil
	}
	need = g.demand
	items = g.leaf.within(w, true)
	for _, it := range items {
		if err := p.m.spend(1); err != nil {
			return 0, 0, false, err
		}
		if it.first > w.hi {
			continue
		}
		if need -= it.count; need <= 0 {
			late = it.last
			break
		}
	}
	return early, late, true, nil
}

// within passes over the observations that lie wholly before the window, or wholly after it where the latest come first.
func (l *leaf) within(w bounds, late bool) []item {
	if late {
		return l.late[sort.Search(len(l.late), func(i int) bool { return l.late[i].last <= w.hi+l.longest }):]
	}
	return l.items[sort.Search(len(l.items), func(i int) bool { return l.items[i].first >= w.lo-l.longest }):]
}

// conflict finds times for an assignment. A variable below 0 says that there are; else it is the variable whose range to split
// and the last value of its earlier part, chosen so that this assignment is possible in neither.
func (p *planner) conflict(found []bound, lo, hi []int64) (v int, at int64, err error) {
	low, high := slices.Clone(lo), slices.Clone(hi)
	for i := range p.groups {
		g := &p.groups[i]
		first, last := g.leaf.lo, g.leaf.hi
		for _, t := range found[i].items {
			o := &p.m.obs[t.index]
			first, last = max(first, p.m.span.ticks(o.First)), min(last, p.m.span.ticks(o.Last))
		}
		for _, v := range g.lower {
			high[v] = min(high[v], last)
		}
		for _, t := range g.upper {
			low[t.v] = max(low[t.v], first-t.plus)
		}
	}
	// The least values that keep every lower bound; none may pass its upper bound.
	for changed := true; changed; {
		changed = false
		if err := p.m.spend(int64(len(p.groups) + p.vars)); err != nil {
			return 0, 0, err
		}
		lift := func(v int, to int64) {
			if to > low[v] {
				low[v], changed = to, true
			}
		}
		for _, o := range p.order {
			lift(o[1], low[o[0]])
		}
		for i := range p.groups {
			for _, v := range p.groups[i].lower {
				for _, t := range p.groups[i].upper {
					if t.v != v {
						lift(t.v, low[v]-t.plus)
					}
				}
			}
		}
		for v := range low {
			if low[v] > high[v] {
				v, at := split(v, high[v], lo, hi)
				return v, at, nil
			}
		}
	}
	return -1, 0, nil
}

// split prefers the given place, and halves the widest range where that would not make it smaller.
func split(v int, at int64, lo, hi []int64) (int, int64) {
	if at >= lo[v] && at < hi[v] {
		return v, at
	}
	for u := range lo {
		if hi[u]-lo[u] > hi[v]-lo[v] {
			v = u
		}
	}
	return v, lo[v] + (hi[v]-lo[v])/2
}
