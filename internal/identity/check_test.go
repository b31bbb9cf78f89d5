package identity

import (
	"testing"
	"time"
)

// What goes on by itself keeps no session alive.
func TestACheckIsNoUseOfASession(t *testing.T) {
	h := open(t)
	h.user(t, "ana", secret1, "analyst")
	a, _, err := h.account(ctx, "ana")
	ok(t, err)
	in, err := h.begin(ctx, a, "password", Client{})
	ok(t, err)
	check := func() error {
		v, _, err := h.CheckSession(ctx, in.Cookie)
		if err == nil && v.Person != "ana" {
			t.Errorf("the session is of %+v", v)
		}
		return err
	}
	half := defaultIdle/2 + time.Minute
	ok(t, check())
	h.pass(half)
	ok(t, check())
	h.pass(half)
	if check() == nil {
		t.Error("a session that was only checked is not idle")
	}
	in, err = h.begin(ctx, a, "password", Client{})
	ok(t, err)
	for range 3 {
		h.pass(half)
		ok(t, check())
		if _, _, err := h.AuthenticateSession(ctx, in.Cookie); err != nil {
			t.Fatal(err)
		}
	}
}
