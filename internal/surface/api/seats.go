package api

import (
	"sync"
	"time"

	"entente/internal/fault"
)

// seats bounds what takes long or much: how many may be under way at once, of one account and of the node.
type seats struct {
	code, what string // of the refusals: "stream", "streams"
	each, all  int
	full       time.Duration // after which it is worth asking again

	mu   sync.Mutex
	open int
	by   map[string]int
}

// enter takes a seat, which leave gives back.
func (s *seats) enter(who string) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.by[who] >= s.each:
		return nil, fault.New(fault.Throttled, s.code+".many", "you have %d %s under way", s.each, s.what).After(s.full).Try("end one of them")
	case s.open >= s.all:
		return nil, fault.New(fault.Unavailable, s.code+".full", "the node has %d %s under way", s.all, s.what).After(s.full)
	}
	if s.by == nil {
		s.by = map[string]int{}
	}
	s.open++
	s.by[who]++
	return func() { s.leave(who) }, nil
}

func (s *seats) leave(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.by[who]--; s.by[who] == 0 {
		delete(s.by, who)
	}
}
