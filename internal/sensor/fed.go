package sensor

import "slices"

// fed is how far blocks were taken for what several events make together. A block that is marked as read may still come again, where the other side has not heard of it.
type fed struct {
	of    map[string]*taken
	order []*taken // as they began
}

// taken is a block of which something was taken.
type taken struct {
	block string
	lines uint64
	over  bool // it is marked as read
}

// Bounds of what is known of blocks.
const (
	maxOver  = 8192    // that are over
	maxTaken = 100_000 // all
)

// lines is how many lines of a block were taken.
func (f *fed) lines(block string) uint64 {
	if t := f.of[block]; t != nil {
		return t.lines
	}
	return 0
}

// take notes that a block was taken up to a line. One without a name does not come again.
func (f *fed) take(block string, lines uint64) {
	if block == "" {
		return
	}
	t := f.of[block]
	if t == nil {
		if len(f.order) >= maxTaken {
			f.prune(maxTaken / 2)
		}
		if f.of == nil {
			f.of = map[string]*taken{}
		}
		t = &taken{block: block}
		f.of[block], f.order = t, append(f.order, t)
	}
	t.lines = max(t.lines, lines)
}

// done notes that a block is marked as read.
func (f *fed) done(block string) {
	if t := f.of[block]; t != nil {
		t.over = true
	}
}

// prune forgets blocks that are over but for the newest, and where these are too few to forget, the oldest.
func (f *fed) prune(most int) {
	over := 0
	for _, t := range f.order {
		if t.over {
			over++
		}
	}
	f.order = slices.DeleteFunc(f.order, func(t *taken) bool {
		gone := t.over && over > maxOver
		if gone {
			over--
			delete(f.of, t.block)
		}
		return gone
	})
	for len(f.order) > most {
		delete(f.of, f.order[0].block)
		f.order = f.order[1:]
	}
}
