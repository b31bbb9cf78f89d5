package correlation

// trail is the events of a window, the oldest first: pieces of two that point at each other.
type trail struct {
	head, tail uint32
	n          uint32
	from, to   uint8 // the first in the head that counts, and how many there are in the tail
}

type piece struct {
	time       [2]int64
	index      [2]uint64
	next, prev uint32
}

// unit marks an entry that counts by itself; the others of a hit of a correlation only say what it was made of.
const unit = 1 << 63

func (s *shard) push(t *trail, time int64, index uint64) {
	if t.n == 0 || t.to == 2 {
		id := s.pieces.take()
		if t.n == 0 {
			t.head, t.from = id, 0
		} else {
			s.pieces.at(t.tail).next = id
			s.pieces.at(id).prev = t.tail
		}
		t.tail, t.to = id, 0
	}
	p := s.pieces.at(t.tail)
	p.time[t.to], p.index[t.to] = time, index
	t.to++
	t.n++
}

// second moves the only entry to the second place of its piece.
func (s *shard) second(t *trail) {
	p := s.pieces.at(t.head)
	p.time[1], p.index[1] = p.time[0], p.index[0]
	t.from, t.to = 1, 2
}

func (s *shard) first(t *trail) (time int64, index uint64) {
	p := s.pieces.at(t.head)
	return p.time[t.from], p.index[t.from]
}

func (s *shard) pop(t *trail) {
	t.n--
	t.from++
	if t.from < 2 && t.n > 0 {
		return
	}
	next := s.pieces.at(t.head).next
	s.pieces.give(t.head)
	if t.head, t.from = next, 0; t.n == 0 {
		*t = trail{}
	} else {
		s.pieces.at(next).prev = 0
	}
}

// latest gives up to n entries, the latest first.
func (s *shard) latest(t *trail, n int, f func(time int64, index uint64)) {
	id, at := t.tail, int(t.to)-1
	for i := min(n, int(t.n)); i > 0; i-- {
		p := s.pieces.at(id)
		f(p.time[at], p.index[at])
		if at--; at < 0 {
			id, at = p.prev, 1
		}
	}
}

func (s *shard) emptyTrail(t *trail) {
	for t.n > 0 {
		s.pop(t)
	}
}
