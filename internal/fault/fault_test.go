package fault

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestKindSurvivesWrapping(t *testing.T) {
	base := New(TooLarge, "size", "object of %d bytes", 9).At("/objects/3").By("limit object 8 B").Try("split it")
	wrapped := fmt.Errorf("reading post: %w", base)
	if Of(wrapped) != TooLarge {
		t.Fatalf("kind %v", Of(wrapped))
	}
	if got := As(wrapped).Error(); got != "/objects/3: object of 9 bytes (limit object 8 B); split it" {
		t.Fatal(got)
	}
}

func TestUnknownErrorsRevealNothing(t *testing.T) {
	e := As(errors.New("open /secret/path: permission denied"))
	if e.Kind != Internal || e.Message != "internal error" {
		t.Fatalf("%+v", e)
	}
	if Of(fmt.Errorf("x: %w", context.Canceled)) != Unavailable {
		t.Fatal("an ended context is not a defect")
	}
}

func TestWithheldRendersAsNotFound(t *testing.T) {
	hidden, absent := New(Withheld, "gate.audience", "no"), New(NotFound, "", "no")
	if hidden.MachineCode() != absent.MachineCode() {
		t.Fatal("a withheld thing can be told from an absent one")
	}
}
