package correlation

// The numbers of a window in their order: a treap, whose depth is logarithmic whatever comes in whatever order, since the priorities are secret. Equal numbers stand in
// the order of their places in the slab.

func (s *shard) priority(id uint32) uint64 {
	x := (uint64(id) + s.secret[0]) * 0x9e3779b97f4a7c15
	x ^= x >> 32
	x = (x ^ s.secret[1]) * 0xd6e8feb86659fd93
	return x ^ x>>32
}

func (s *shard) sizeOf(id uint32) uint32 {
	if id == 0 {
		return 0
	}
	return s.numbers.at(id).size
}

func (s *shard) resize(n *number) { n.size = 1 + s.sizeOf(n.left) + s.sizeOf(n.right) }

// before says whether a stands before b.
func (s *shard) before(a, b uint32) bool {
	if c := s.compare(s.numbers.at(a), s.numbers.at(b)); c != 0 {
		return c < 0
	}
	return a < b
}

// split parts a tree into what stands before a number, which is not in it, and what stands behind.
func (s *shard) split(root, by uint32) (left, right uint32) {
	if root == 0 {
		return 0, 0
	}
	n := s.numbers.at(root)
	if s.before(root, by) {
		n.right, right = s.split(n.right, by)
		left = root
	} else {
		left, n.left = s.split(n.left, by)
		right = root
	}
	s.resize(n)
	return left, right
}

// merge joins two trees of which one stands before the other.
func (s *shard) merge(left, right uint32) uint32 {
	switch {
	case left == 0:
		return right
	case right == 0:
		return left
	case s.priority(left) > s.priority(right):
		n := s.numbers.at(left)
		n.right = s.merge(n.right, right)
		s.resize(n)
		return left
	}
	n := s.numbers.at(right)
	n.left = s.merge(left, n.left)
	s.resize(n)
	return right
}

func (s *shard) insert(root, id uint32) uint32 {
	left, right := s.split(root, id)
	s.numbers.at(id).size = 1
	return s.merge(s.merge(left, id), right)
}

// erase takes a number out that is in the tree.
func (s *shard) erase(root, id uint32) uint32 {
	n := s.numbers.at(root)
	switch {
	case root == id:
		return s.merge(n.left, n.right)
	case s.before(id, root):
		n.left = s.erase(n.left, id)
	default:
		n.right = s.erase(n.right, id)
	}
	n.size--
	return root
}

// nth is the number of a rank, from 0.
func (s *shard) nth(root uint32, rank int) *number {
	for {
		n := s.numbers.at(root)
		left := int(s.sizeOf(n.left))
		switch {
		case rank < left:
			root = n.left
		case rank == left:
			return n
		default:
			rank -= left + 1
			root = n.right
		}
	}
}
