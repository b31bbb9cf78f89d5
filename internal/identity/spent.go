package identity

import (
	"sync"
	"time"
)

const maxSpent = 1 << 14

// Spent remembers tickets that were used, until they could not be used any more.
type Spent struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// NewSpent remembers nothing yet.
func NewSpent() *Spent { return &Spent{until: map[string]time.Time{}} }

func (s *Spent) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.until[id]
	return ok
}

// Add remembers a ticket. It is false for one that was spent, and when more were spent lately than are remembered: a ticket that could
// be used twice must not be used once.
func (s *Spent) Add(id string, until, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.until[id]; ok {
		return false
	}
	if len(s.until) >= maxSpent {
		for old, t := range s.until {
			if !now.Before(t) {
				delete(s.until, old)
			}
		}
		if len(s.until) >= maxSpent {
			return false
		}
	}
	s.until[id] = until
	return true
}
