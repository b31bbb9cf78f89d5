package sqlite

import (
	"cmp"
	"slices"
)

// walk goes over places in ascending order, each once.
type walk interface {
	next() (place, bool, error)
}

const maxChunk = 4096

// chunkFor is the first chunk to read from each of n sources for a page of limit items.
func chunkFor(limit, n int) int { return min(max(2*limit/max(n, 1), 8), limit+1, maxChunk) }

// source is the ascending places of one key, read in growing chunks.
type source struct {
	p     *pager
	h     int64
	after int64 // of everything read so far
	keyed bool
	size  int
	buf   []place
	i     int
	end   bool
}

// peek is the place it stands at.
func (s *source) peek() (place, bool, error) {
	for s.i == len(s.buf) {
		if s.end {
			return place{}, false, nil
		}
		var err error
		if s.keyed {
			s.buf, err = s.p.keys.lookup(s.p.c, s.h, s.after, s.size, s.buf)
		} else {
			s.buf, err = readPlaces(s.p.c, scanKeys, s.h, s.after, s.size, s.buf[:0])
		}
		if err != nil {
			return place{}, false, err
		}
		s.i, s.end = 0, len(s.buf) < s.size
		if n := len(s.buf); n > 0 {
			s.after = s.buf[n-1].seq
		}
		s.size = min(2*s.size, maxChunk)
	}
	return s.buf[s.i], true, nil
}

// seek goes forward to the first place at or after seq.
func (s *source) seek(seq int64) {
	rest := s.buf[s.i:]
	i, _ := slices.BinarySearchFunc(rest, seq, func(p place, x int64) int { return cmp.Compare(p.seq, x) })
	s.i += i
	if s.i == len(s.buf) && s.after < seq-1 {
		s.after = seq - 1
	}
}

// merged is the union of sources: a heap by the place each stands at.
type merged struct {
	heap  []*source
	last  int64
	begun bool
}

func (m *merged) add(s *source) { m.heap = append(m.heap, s) }

// start drops empty sources and orders the rest.
func (m *merged) start() error {
	kept := m.heap[:0]
	for _, s := range m.heap {
		_, ok, err := s.peek()
		if err != nil {
			return err
		}
		if ok {
			kept = append(kept, s)
		}
	}
	m.heap = kept
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return nil
}

func (m *merged) next() (place, bool, error) {
	for len(m.heap) > 0 {
		s := m.heap[0]
		at := s.buf[s.i]
		s.i++
		_, ok, err := s.peek()
		if err != nil {
			return place{}, false, err
		}
		if !ok {
			end := len(m.heap) - 1
			m.heap[0] = m.heap[end]
			m.heap = m.heap[:end]
		}
		m.down(0)
		if m.begun && at.seq == m.last {
			continue
		}
		m.begun, m.last = true, at.seq
		return at, true, nil
	}
	return place{}, false, nil
}

func (m *merged) down(i int) {
	for {
		least := i
		for _, c := range [...]int{2*i + 1, 2*i + 2} {
			if c < len(m.heap) && m.heap[c].buf[m.heap[c].i].seq < m.heap[least].buf[m.heap[least].i].seq {
				least = c
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}

// crossed is the intersection of sources. Whichever is ahead leads, so the rarest one sets the pace.
type crossed struct {
	p       *pager
	sources []*source
	seq     int64
}

func (c *crossed) next() (place, bool, error) {
	c.seq++
	for agreed := 0; ; {
		if err := c.p.step(); err != nil {
			return place{}, false, err
		}
		for _, s := range c.sources {
			s.seek(c.seq)
			at, ok, err := s.peek()
			if err != nil || !ok {
				return place{}, false, err
			}
			if at.seq > c.seq {
				c.seq, agreed = at.seq, 1
			} else if agreed++; agreed >= len(c.sources) {
				return at, true, nil
			}
		}
	}
}
