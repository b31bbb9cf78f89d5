package identity

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/internal/fault"
)

func TestGuessingHurtsTheGuesserAlone(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	h.user(t, "bob", secret2, "analyst")
	for i := range freeFailures {
		_, err := h.Authenticate(ctx, "alice", fmt.Sprint("wrong guess ", i), here)
		wantCode(t, err, fault.Unauthenticated, "auth.invalid")
	}
	_, err := h.Authenticate(ctx, "alice", secret1, here)
	wantCode(t, err, fault.Throttled, "auth.throttled")
	if after := fault.As(err).RetryAfter; after < time.Second || after > maxWait {
		t.Fatalf("retry after %s", after)
	}
	_, err = h.Authenticate(ctx, "bob", secret2, here) // another account at the same address
	ok(t, err)
	_, err = h.Authenticate(ctx, "alice", secret1, there) // the same account from elsewhere
	ok(t, err)
	_, err = h.Authenticate(ctx, "alice", secret1, here) // cached elsewhere, still throttled here
	wantCode(t, err, fault.Throttled, "auth.throttled")
	h.pass(time.Second)
	_, err = h.Authenticate(ctx, "alice", secret1, here)
	ok(t, err)
}

func TestWaitsDoubleAndEnd(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	for range freeFailures {
		_, _ = h.Authenticate(ctx, "alice", "wrong guess", here)
	}
	want := time.Second
	for range 12 {
		_, err := h.Authenticate(ctx, "alice", "wrong guess", here)
		wantCode(t, err, fault.Throttled, "auth.throttled")
		if got := fault.As(err).RetryAfter; got != want {
			t.Fatalf("wait %s, want %s", got, want)
		}
		h.pass(want)
		_, err = h.Authenticate(ctx, "alice", "wrong guess", here)
		wantCode(t, err, fault.Unauthenticated, "auth.invalid")
		want = min(want*2, maxWait)
	}
	h.pass(-24 * time.Hour) // the clock goes backwards
	_, err := h.Authenticate(ctx, "alice", secret1, here)
	wantCode(t, err, fault.Throttled, "auth.throttled")
	h.pass(maxWait)
	_, err = h.Authenticate(ctx, "alice", secret1, here)
	ok(t, err)
}

func TestSprayingFromOneAddressIsSlowedAndNobodyIsLockedOut(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	h.user(t, "bob", secret2, "analyst")
	_, err := h.Authenticate(ctx, "bob", secret2, here)
	ok(t, err)
	for i := range 2 * addressBurst {
		_, err := h.Authenticate(ctx, fmt.Sprint("name", i), "one guess for all", here)
		wantCode(t, err, fault.Unauthenticated, "auth.invalid")
	}
	slowed := h.slept()
	if slowed == 0 {
		t.Fatal("spraying was not slowed")
	}
	h.pass(2 * time.Minute) // bob is no longer cached, but known here
	_, err = h.Authenticate(ctx, "bob", secret2, here)
	ok(t, err)
	if h.slept() != slowed {
		t.Fatal("an account that is known at the address was slowed")
	}
	_, err = h.Authenticate(ctx, "alice", secret1, here)
	ok(t, err)
}

func TestDistributedGuessingIsSlowedAndTheOwnerGetsIn(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	for i := range 3 * accountBurst {
		_, err := h.Authenticate(ctx, "alice", fmt.Sprint("guess number ", i), fmt.Sprintf("203.0.113.%d:1", i))
		wantCode(t, err, fault.Unauthenticated, "auth.invalid")
	}
	slowed := h.slept()
	if slowed < accountBurst {
		t.Fatalf("%d guesses were slowed", slowed)
	}
	_, err := h.Authenticate(ctx, "alice", secret1, here)
	ok(t, err)
	for _, d := range h.delays {
		if d <= 0 || d > maxDelay {
			t.Fatalf("a delay of %s", d)
		}
	}
}

func TestManyGuessesAtOnceGainNothing(t *testing.T) {
	h := open(t)
	h.user(t, "alice", secret1, "analyst")
	var mu sync.Mutex
	judged := 0
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			_, err := h.Authenticate(ctx, "alice", fmt.Sprint("parallel guess ", i), here)
			if fault.Of(err) == fault.Unauthenticated {
				mu.Lock()
				judged++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if judged > freeFailures {
		t.Fatalf("%d guesses were judged", judged)
	}
}

func TestTheThrottleIsBounded(t *testing.T) {
	now := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	th := newThrottle(func() time.Time { return now })
	for i := range maxPairs + 5000 {
		a, err := th.begin(pairKey{fmt.Sprint("n", i), fmt.Sprint("a", i)})
		if err != nil {
			t.Fatal(err)
		}
		a.slept()
		a.failed()
	}
	if len(th.pairs) > maxPairs || len(th.accounts) > maxBuckets || len(th.addresses) > maxBuckets {
		t.Fatalf("%d pairs, %d accounts, %d addresses", len(th.pairs), len(th.accounts), len(th.addresses))
	}
}

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1:99": "192.0.2.1", "192.0.2.1": "192.0.2.1", "[2001:db8::1]:5": "2001:db8::/64", "2001:db8::ffff:1": "2001:db8::/64",
		"::ffff:192.0.2.1": "192.0.2.1", "[fe80::1%eth0]:1": "fe80::/64", "": "", "@": "@", strings.Repeat("z", 100): strings.Repeat("z", 64),
	} {
		if got := address(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
