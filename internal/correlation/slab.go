package correlation

// slab holds things of one kind by number, from 1. It has no pointers but to its pages, and what was given back is used again.
type slab[T any] struct {
	pages [][]T
	made  uint32
	free  []uint32
}

const (
	pageBits = 6
	pageMask = 1<<pageBits - 1
)

func (s *slab[T]) at(id uint32) *T { return &s.pages[id>>pageBits][id&pageMask] }

func (s *slab[T]) take() uint32 {
	if n := len(s.free); n > 0 {
		id := s.free[n-1]
		s.free = s.free[:n-1]
		return id
	}
	s.made++
	if int(s.made>>pageBits) >= len(s.pages) {
		s.pages = append(s.pages, make([]T, 1<<pageBits))
	}
	return s.made
}

func (s *slab[T]) give(id uint32) {
	var none T
	*s.at(id) = none
	s.free = append(s.free, id)
}

func (s *slab[T]) live() int { return int(s.made) - len(s.free) }

// named is what a table holds.
type named[T any] interface {
	*T
	name() key
}

// table is a slab whose things are found by their key: open addressing over their numbers, four to nine bytes for each.
type table[T any, P named[T]] struct {
	slab[T]
	ids []uint32
}

// find gives the number of what has the key, 0 when there is none, and where in ids it is or would stand.
func (t *table[T, P]) find(k key) (id uint32, at int) {
	if len(t.ids) == 0 {
		return 0, 0
	}
	mask := len(t.ids) - 1
	for at = int(k[0]) & mask; ; at = (at + 1) & mask {
		if id = t.ids[at]; id == 0 || P(t.at(id)).name() == k {
			return id, at
		}
	}
}

// add makes a thing for a key that is not there. The caller gives it its key.
func (t *table[T, P]) add(k key) uint32 {
	if 8*(t.live()+1) > 7*len(t.ids) {
		old := t.ids
		t.ids = make([]uint32, max(16, 2*len(old)))
		for _, id := range old {
			if id != 0 {
				_, at := t.find(P(t.at(id)).name())
				t.ids[at] = id
			}
		}
	}
	_, at := t.find(k)
	id := t.take()
	t.ids[at] = id
	return id
}

// remove takes away a thing that is there, and closes the gap.
func (t *table[T, P]) remove(id uint32) {
	_, at := t.find(P(t.at(id)).name())
	mask := len(t.ids) - 1
	t.ids[at] = 0
	for next := (at + 1) & mask; t.ids[next] != 0; next = (next + 1) & mask {
		home := int(P(t.at(t.ids[next])).name()[0]) & mask
		if (next-home)&mask >= (next-at)&mask { // it may stand in the gap
			t.ids[at], t.ids[next] = t.ids[next], 0
			at = next
		}
	}
	t.give(id)
}

// slots are rows of moments, all of the same length, by number from 1.
type slots struct {
	slab[uint32] // the numbers
	size         int
	rows         []([]int64)
}

const slotRows = 16

func (s *slots) row(id uint32) []int64 {
	at := int(id%slotRows) * s.size
	return s.rows[id/slotRows][at : at+s.size : at+s.size]
}

func (s *slots) take() uint32 {
	id := s.slab.take()
	for int(id/slotRows) >= len(s.rows) {
		s.rows = append(s.rows, make([]int64, slotRows*s.size))
	}
	row := s.row(id)
	for i := range row {
		row[i] = never
	}
	return id
}
