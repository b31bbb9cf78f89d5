package identity

import (
	"sync"
	"time"

	"entente/internal/gate"
)

const maxCached = 8192

// verified is a credential that was found good.
type verified struct {
	viewer     gate.Viewer
	secret     [32]byte // of tokens: the hash that the secret must have
	since      time.Time
	until      time.Time
	generation uint64
	live       *live // of sessions
}

// cache keeps verified credentials under keys that reveal nothing. It is bounded: when it is full, expired and then arbitrary
// entries go.
type cache[K comparable] struct {
	mu      sync.RWMutex
	entries map[K]verified
}

func newCache[K comparable]() *cache[K] { return &cache[K]{entries: map[K]verified{}} }

func (c *cache[K]) get(k K, now time.Time, generation uint64) (verified, bool) {
	c.mu.RLock()
	v, ok := c.entries[k]
	c.mu.RUnlock()
	// A clock that was set back does not make an entry live longer.
	return v, ok && v.generation == generation && now.Before(v.until) && !now.Before(v.since)
}

// share is put for a session: two requests that opened the same one at the same time go on with one of the two, so that its use is
// noted once.
func (c *cache[K]) share(k K, v verified) verified {
	if old, ok := c.get(k, v.since, v.generation); ok && old.secret == v.secret {
		return old
	}
	c.put(k, v)
	return v
}

func (c *cache[K]) put(k K, v verified) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= maxCached {
		looked := 0
		for old, e := range c.entries {
			if looked++; looked > 64 {
				break
			}
			if e.generation != v.generation || !v.since.Before(e.until) {
				delete(c.entries, old)
			}
		}
	}
	for old := range c.entries {
		if len(c.entries) < maxCached {
			break
		}
		delete(c.entries, old)
	}
	c.entries[k] = v
}
