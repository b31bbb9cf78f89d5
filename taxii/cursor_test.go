package taxii

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func TestSealer(t *testing.T) {
	if _, err := NewSealer(secret[:31], nil); err == nil {
		t.Error("a short secret is taken")
	}
	s, err := NewSealer(secret, callerOf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Seal(ctx, Cursor{Pos: make([]byte, 2000)}); err == nil {
		t.Error("a token without bound is made")
	}
	other, err := NewSealer(bytes.Repeat([]byte("x"), 32), callerOf)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		c := Cursor{Pos: rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "pos")}
		copy(c.Fingerprint[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "fingerprint"))
		alice := asCaller(ctx, rapid.String().Draw(t, "caller"))
		token, err := s.Seal(alice, c)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Open(alice, token, c.Fingerprint); err != nil || !bytes.Equal(got, c.Pos) || got == nil {
			t.Fatalf("%v %v", got, err)
		}
		if len(c.Pos) > 3 && bytes.Contains([]byte(token), c.Pos) {
			t.Fatal("the position can be read")
		}
		wrong := c.Fingerprint
		wrong[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		if _, err := s.Open(alice, token, wrong); err == nil {
			t.Fatal("opens for another question")
		}
		if _, err := s.Open(asCaller(ctx, callerOf(alice)+"x"), token, c.Fingerprint); err == nil {
			t.Fatal("opens for another caller")
		}
		if _, err := other.Open(alice, token, c.Fingerprint); err == nil {
			t.Fatal("opens with another key")
		}
	})
}
