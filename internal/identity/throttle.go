package identity

import (
	"net/netip"
	"sync"
	"time"

	"entente/internal/fault"
)

const (
	freeFailures = 5                // of one account from one address, before it must wait
	maxWait      = 5 * time.Minute  // the longest wait of an account at an address
	forgetAfter  = 15 * time.Minute // without failures
	goodFor      = 24 * time.Hour   // how long an address stays known for an account
	maxPairs     = 1 << 15
	maxBuckets   = 1 << 14

	addressBurst = 30               // different accounts failing from one address
	addressEvery = 10 * time.Second // one more
	accountBurst = 30               // failures of one account from everywhere
	accountEvery = 20 * time.Second // one more
	maxDelay     = 3 * time.Second  // the most that an attempt is slowed down
	maxDelayed   = 256              // attempts being slowed down at once
)

// throttle slows guessing down without giving anyone a way to lock somebody else out. What it counts:
//
//   - failures of one account from one address: after a few free ones, waits that double. This hits the guesser alone;
//   - accounts that fail from one address: beyond a budget, further attempts there are slowed down;
//   - failures of one account from everywhere: beyond a budget, attempts are slowed down, never refused for that alone.
//
// An address from which the account has signed in lately is exempt from the two budgets, since neither is its doing.
type throttle struct {
	now func() time.Time

	mu        sync.Mutex
	pairs     map[pairKey]*pair
	addresses map[string]*bucket
	accounts  map[string]*bucket
	delayed   int
}

type pairKey struct{ account, address string }

type pair struct {
	failures int
	pending  int
	last     time.Time // failure
	until    time.Time // no attempt before
	good     time.Time // last success
}

// bucket holds tokens that come back with time; below zero somebody has to wait.
type bucket struct {
	tokens float64
	at     time.Time
}

// attempt is one password being checked. It counts as a failure until it is known to be none, so that many at once gain nothing.
type attempt struct {
	t     *throttle
	key   pairKey
	first bool // the pair's first failure, which the address pays for
	known bool
	delay time.Duration
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, pairs: map[pairKey]*pair{}, addresses: map[string]*bucket{}, accounts: map[string]*bucket{}}
}

// address is what counts as one place: an IPv4 address, an IPv6 network of 64 bits, or the text that was given.
func address(remote string) string {
	ip, err := netip.ParseAddr(remote)
	if err != nil {
		ap, err := netip.ParseAddrPort(remote)
		if err != nil {
			return remote[:min(len(remote), 64)]
		}
		ip = ap.Addr()
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.Masked().Addr().String() + "/64"
		}
	}
	return ip.String()
}

func throttled(after time.Duration) error {
	after = max(after.Round(time.Second), time.Second)
	return fault.New(fault.Throttled, "auth.throttled", "too many failed sign-ins for this account from this address").After(after).Try("wait and try again")
}

// check tells whether the account must wait at this address.
func (t *throttle) check(key pairKey) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.pairs[key]; p != nil {
		if wait := p.wait(t.now()); wait > 0 {
			return throttled(wait)
		}
	}
	return nil
}

// begin counts an attempt. The caller sleeps for its delay, then ends it with succeeded, failed or abandoned.
func (t *throttle) begin(key pairKey) (*attempt, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	p := t.pair(key, now)
	if wait := p.wait(now); wait > 0 {
		return nil, throttled(wait)
	}
	// Free tries may run side by side; after them one at a time.
	if p.pending > 0 && p.failures+p.pending >= freeFailures {
		return nil, throttled(time.Second)
	}
	a := &attempt{t: t, key: key, first: p.failures+p.pending == 0, known: !p.good.IsZero() && now.Sub(p.good).Abs() < goodFor}
	if !a.known {
		a.delay = take(t.accounts, key.account, now, accountBurst, accountEvery)
		if a.first {
			a.delay = max(a.delay, take(t.addresses, key.address, now, addressBurst, addressEvery))
		}
		a.delay = min(a.delay, maxDelay)
	}
	if a.delay > 0 {
		if t.delayed >= maxDelayed {
			a.refund(now)
			return nil, throttled(maxDelay)
		}
		t.delayed++
	}
	p.pending++
	return a, nil
}

// slept ends the delay.
func (a *attempt) slept() {
	if a.delay > 0 {
		a.t.mu.Lock()
		a.t.delayed--
		a.t.mu.Unlock()
	}
}

func (a *attempt) failed() {
	a.end(func(p *pair, now time.Time) {
		p.failures++
		p.last = now
		if over := p.failures - freeFailures; over >= 0 {
			p.until = now.Add(min(time.Second<<min(over, 20), maxWait))
		}
	})
}

func (a *attempt) succeeded() {
	a.end(func(p *pair, now time.Time) {
		p.failures, p.until, p.good = 0, time.Time{}, now
		a.refund(now)
	})
}

// abandoned ends an attempt that was not decided.
func (a *attempt) abandoned() { a.end(func(_ *pair, now time.Time) { a.refund(now) }) }

func (a *attempt) end(count func(*pair, time.Time)) {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	now := a.t.now()
	p := a.t.pair(a.key, now)
	p.pending = max(p.pending-1, 0)
	count(p, now)
}

// refund gives back what begin took. The caller holds the lock.
func (a *attempt) refund(now time.Time) {
	if a.known {
		return
	}
	give(a.t.accounts, a.key.account, accountBurst)
	if a.first {
		give(a.t.addresses, a.key.address, addressBurst)
	}
}

// wait is how long the account must wait at the address. A clock that was set back never makes it longer than maxWait.
func (p *pair) wait(now time.Time) time.Duration {
	if wait := p.until.Sub(now); wait > 0 {
		if wait > maxWait {
			p.until = now.Add(maxWait)
		}
		return min(wait, maxWait)
	}
	return 0
}

func (t *throttle) pair(key pairKey, now time.Time) *pair {
	p := t.pairs[key]
	if p == nil {
		if len(t.pairs) >= maxPairs {
			t.evict(now)
		}
		p = &pair{}
		t.pairs[key] = p
	}
	if p.failures > 0 && now.Sub(p.last) > forgetAfter {
		p.failures = 0
	}
	return p
}

// evict forgets what matters least among a few arbitrary pairs: those without failures first, then the one that failed longest ago.
func (t *throttle) evict(now time.Time) {
	var victim pairKey
	var oldest time.Time
	looked := 0
	for k, p := range t.pairs {
		if p.pending > 0 {
			continue
		}
		if p.good.IsZero() && (p.failures == 0 || now.Sub(p.last) > forgetAfter) {
			delete(t.pairs, k)
			return
		}
		seen := p.last
		if p.good.After(seen) {
			seen = p.good
		}
		if looked == 0 || seen.Before(oldest) {
			victim, oldest = k, seen
		}
		if looked++; looked == 32 {
			break
		}
	}
	delete(t.pairs, victim)
}

// take takes a token, and returns how long it takes until the bucket is out of debt. A debt is never deeper than what maxDelay
// stands for, so that a flood costs those who come later no more than that.
func take(buckets map[string]*bucket, key string, now time.Time, burst float64, every time.Duration) time.Duration {
	b := buckets[key]
	if b == nil {
		if len(buckets) >= maxBuckets {
			shed(buckets, now, burst, every)
		}
		b = &bucket{tokens: burst, at: now}
		buckets[key] = b
	}
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens = min(burst, b.tokens+float64(passed)/float64(every))
	}
	b.at = now
	b.tokens = max(b.tokens-1, -1)
	if b.tokens >= 0 {
		return 0
	}
	return time.Duration(-b.tokens * float64(every))
}

func give(buckets map[string]*bucket, key string, burst float64) {
	if b := buckets[key]; b != nil {
		b.tokens = min(burst, b.tokens+1)
	}
}

// shed makes room: among a few arbitrary buckets the fullest goes, which has the least to tell.
func shed(buckets map[string]*bucket, now time.Time, burst float64, every time.Duration) {
	var victim string
	most, looked := -2.0, 0
	for k, b := range buckets {
		if tokens := b.tokens + float64(now.Sub(b.at))/float64(every); tokens > most {
			victim, most = k, tokens
		}
		if looked++; looked == 32 || most >= burst {
			break
		}
	}
	delete(buckets, victim)
}
