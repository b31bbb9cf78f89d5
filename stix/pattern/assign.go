package pattern

// assign binds every group to observations in its window, no observation more often than its count, or returns nil if that cannot
// be done. Each group first takes what is free; where that is not enough, observations are passed on along augmenting paths.
func (p *planner) assign(lo, hi []int64) ([]bound, error) {
	a := p.work
	if a == nil {
		a = &assignment{p: p, free: map[int]int64{}, holders: map[int][]int{}, held: make([]map[int]int64, len(p.groups)),
			windows: make([]bounds, len(p.groups))}
		for i := range a.held {
			a.held[i] = map[int]int64{}
		}
		p.work = a
	}
	clear(a.free)
	for i := range p.groups {
		a.windows[i] = p.window(&p.groups[i], lo, hi)
		clear(a.held[i])
	}
	for index, groups := range a.holders {
		a.holders[index] = groups[:0]
	}
	// Copies of a REPEATS stand in the order of time: so the first takes the earliest, and of what only follows the last takes the
	// latest.
	for i := range p.groups {
		if !p.groups[i].follows() {
			if ok, err := a.satisfy(i); !ok || err != nil {
				return nil, err
			}
		}
	}
	for i := len(p.groups) - 1; i >= 0; i-- {
		if p.groups[i].follows() {
			if ok, err := a.satisfy(i); !ok || err != nil {
				return nil, err
			}
		}
	}
	out := make([]bound, len(p.groups))
	for i := range p.groups {
		out[i].leaf = p.groups[i].leaf
		for _, it := range p.groups[i].leaf.items {
			if n := a.held[i][it.index]; n > 0 {
				out[i].items = append(out[i].items, taken{it.index, n})
				if len(out[i].items) == len(a.held[i]) {
					break
				}
			}
		}
	}
	return out, nil
}

// assignment is one try to bind the groups; its parts are used again by the next.
type assignment struct {
	p       *planner
	free    map[int]int64   // what is left of an observation; absent: all of it
	holders map[int][]int   // the groups that ever held an observation
	held    []map[int]int64 // by group: how often it holds an observation
	windows []bounds
}

// follows tells whether a group only has to come after others.
func (g *group) follows() bool { return len(g.upper) == 0 && len(g.lower) > 0 }

// satisfy binds all that a group demands. False: that cannot be done.
func (a *assignment) satisfy(g int) (bool, error) {
	need, err := a.take(g, a.p.groups[g].demand)
	for need > 0 && err == nil {
		var moved int64
		if moved, err = a.augment(g, need); moved == 0 {
			return false, err
		}
		need -= moved
	}
	return err == nil, err
}

func (a *assignment) left(it item) int64 {
	if n, ok := a.free[it.index]; ok {
		return n
	}
	return it.count
}

func (a *assignment) give(g int, it item, n int64) {
	a.free[it.index] = a.left(it) - n
	if _, ok := a.held[g][it.index]; !ok {
		a.holders[it.index] = append(a.holders[it.index], g)
	}
	a.held[g][it.index] += n
}

// candidates calls f with the observations of a group that lie in its window, until f says stop: the latest first where the group
// only follows others, else the earliest.
func (a *assignment) candidates(g int, f func(item) (more bool)) error {
	group := &a.p.groups[g]
	late := group.follows()
	w := a.windows[g]
	for _, it := range group.leaf.within(w, late) {
		if err := a.p.m.spend(1); err != nil {
			return err
		}
		if !late && it.first > w.hi || late && it.last < w.lo {
			return nil
		}
		if it.first <= w.hi && it.last >= w.lo && !f(it) {
			return nil
		}
	}
	return nil
}

// take gives the group what is free, up to need, and returns what is missing.
func (a *assignment) take(g int, need int64) (int64, error) {
	err := a.candidates(g, func(it item) bool {
		if n := min(need, a.left(it)); n > 0 {
			a.give(g, it, n)
			need -= n
		}
		return need > 0
	})
	return need, err
}

// augment finds a way to one more observation for a group: it takes one from another group, which takes one from another, until
// one is free. It returns how many it moved.
func (a *assignment) augment(g int, need int64) (int64, error) {
	type step struct {
		group int  // that takes
		it    item // this observation
		from  int  // place of the step before, whose group gives it up; -1: none
	}
	var steps []step
	reached := map[int]bool{}
	asked := map[int]bool{g: true}
	queue := []step{{group: g, from: -1}}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		end := -1
		err := a.candidates(at.group, func(it item) bool {
			if reached[it.index] {
				return true
			}
			reached[it.index] = true
			steps = append(steps, step{at.group, it, at.from})
			if a.left(it) > 0 {
				end = len(steps) - 1
				return false
			}
			for _, holder := range a.holders[it.index] {
				if a.held[holder][it.index] > 0 && !asked[holder] {
					asked[holder] = true
					queue = append(queue, step{group: holder, from: len(steps) - 1})
				}
			}
			return true
		})
		if err != nil {
			return 0, err
		}
		if end < 0 {
			continue
		}
		n := min(need, a.left(steps[end].it))
		for i := end; steps[i].from >= 0; i = steps[i].from {
			n = min(n, a.held[steps[i].group][steps[steps[i].from].it.index])
		}
		for i := end; ; i = steps[i].from {
			a.give(steps[i].group, steps[i].it, n)
			if steps[i].from < 0 {
				return n, nil
			}
			before := steps[steps[i].from].it
			a.held[steps[i].group][before.index] -= n
			a.free[before.index] += n
		}
	}
	return 0, nil
}
