package identity

import (
	"sync"
	"time"

	"entente/internal/fault"
)

// codeGuard counts wrong one-time codes of each account, wherever they come from. An address from which the account gave a right code
// lately is exempt: it is not locked out by others.
type codeGuard struct {
	mu       sync.Mutex
	accounts map[string]*codeCount
}

type codeCount struct {
	failures int
	since    time.Time
	good     map[string]time.Time // addresses
}

const maxGoodAddresses = 16

func newCodeGuard() *codeGuard { return &codeGuard{accounts: map[string]*codeCount{}} }

func (g *codeGuard) check(name, address string, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.accounts[name]
	if c == nil || c.failures < maxCodeFailures {
		return nil
	}
	if at, ok := c.good[address]; ok && now.Sub(at).Abs() < goodFor {
		return nil
	}
	left := codeWindow - now.Sub(c.since)
	if left <= 0 || left > codeWindow {
		c.failures = 0
		return nil
	}
	return fault.New(fault.Throttled, "auth.throttled", "too many wrong codes for this account").After(left).Try("wait and try again, or sign in with a passkey")
}

func (g *codeGuard) failed(name string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.count(name, now)
	if age := now.Sub(c.since); c.failures == 0 || age > codeWindow || age < 0 {
		c.failures, c.since = 0, now
	}
	c.failures++
}

func (g *codeGuard) succeeded(name, address string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.count(name, now)
	c.failures = 0
	if len(c.good) >= maxGoodAddresses {
		oldest := ""
		for a, at := range c.good {
			if oldest == "" || at.Before(c.good[oldest]) {
				oldest = a
			}
		}
		delete(c.good, oldest)
	}
	c.good[address] = now
}

func (g *codeGuard) count(name string, now time.Time) *codeCount {
	c := g.accounts[name]
	if c == nil {
		if len(g.accounts) >= maxCodeAccounts {
			for old, o := range g.accounts { // only who knows a password gets here: any will do, but rather one that counts nothing
				if o.failures == 0 || now.Sub(o.since) > codeWindow {
					delete(g.accounts, old)
					break
				}
			}
		}
		c = &codeCount{good: map[string]time.Time{}}
		g.accounts[name] = c
	}
	return c
}
